//! The main job, end to end: the package in whole Debian systems, and what an operator does with it. These
//! tests need root, and the package that `make lab-deb` builds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "e2e/absence.rs"]
mod absence;
#[path = "e2e/addresses.rs"]
mod addresses;
#[path = "e2e/announce.rs"]
mod announce;
#[path = "e2e/checks.rs"]
mod checks;
#[path = "e2e/common.rs"]
mod common;
#[path = "e2e/config.rs"]
mod config;
#[path = "e2e/conflict.rs"]
mod conflict;
#[path = "e2e/console.rs"]
mod console;
#[path = "e2e/contract.rs"]
mod contract;
#[path = "e2e/dialogue.rs"]
mod dialogue;
#[path = "e2e/disaster.rs"]
mod disaster;
#[path = "e2e/failover.rs"]
mod failover;
#[path = "e2e/fencing.rs"]
mod fencing;
#[path = "e2e/forming.rs"]
mod forming;
#[path = "e2e/interrupted.rs"]
mod interrupted;
#[path = "e2e/lan.rs"]
mod lan;
#[path = "e2e/links.rs"]
mod links;
#[path = "e2e/mesh_vip.rs"]
mod mesh_vip;
#[path = "e2e/nat.rs"]
mod nat;
#[path = "e2e/network.rs"]
mod network;
#[path = "e2e/observability.rs"]
mod observability;
#[path = "e2e/qdevice.rs"]
mod qdevice;
#[path = "e2e/quick_start.rs"]
mod quick_start;
#[path = "e2e/recordings.rs"]
mod recordings;
#[path = "e2e/refusals.rs"]
mod refusals;
#[path = "e2e/removal.rs"]
mod removal;
#[path = "e2e/ring.rs"]
mod ring;
#[path = "e2e/rotation.rs"]
mod rotation;
#[path = "e2e/secrets.rs"]
mod secrets;
#[path = "e2e/services.rs"]
mod services;
#[path = "e2e/simulated.rs"]
mod simulated;
#[path = "e2e/slow.rs"]
mod slow;
#[path = "e2e/stuck.rs"]
mod stuck;
#[path = "e2e/underlay.rs"]
mod underlay;
#[path = "e2e/units.rs"]
mod units;
#[path = "e2e/upgrade.rs"]
mod upgrade;
