//! The decisions of sfha. No IO, no clock, no async, no randomness, no host name.
//!
//! A [`Cluster`] is one node's view of the cluster. The daemon (or the simulation) tells it what
//! happened ([`Event`]), together with the time, and then takes out what is to be done ([`Action`]).
//!
//! A node's life:
//!
//! ```text
//!                 Connected                Membership              all said Hello,
//!  Disconnected ─────────────▶ alone ─────────────────▶ Synchronising ───snapshot────▶ in step
//!       ▲                                                    ▲                            │
//!       └──── Corosync gone: release everything ─────────────┴──── Membership changed ────┘
//!
//!  in step, quorate ──BeginEpoch (by the lowest member, ordered)──▶ operational: VIPs are given out
//!  in step, no quorum: what this node holds is released in the same turn; commands are refused
//! ```
//!
//! Two things are shared, both changed only by what Corosync's CPG delivers, which every member
//! receives in the same order relative to the changes of membership (virtual synchrony):
//!
//! * [`state::ClusterState`]: configuration, kept on disk by every node, changed by
//!   [`command::Command`]s;
//! * [`ledger::Ledger`]: who may hold which VIP now. It lives as long as the group does and is put
//!   together anew, from what every member says it holds, after each change of membership.
//!
//! What must never happen: an address taken on before its last holder has said that it let go, is
//! fenced, or must have lost it ([`ledger`]); a command applied by some members of a view and not by
//! others ([`sync`]); a decision that depends on something another member does not see.

pub mod absence;
pub mod action;
pub mod cluster;
pub mod command;
pub mod event;
pub mod fencing;
pub mod health;
pub mod history;
pub mod ledger;
pub mod links;
pub mod mesh;
pub mod mesh_vips;
pub mod message;
pub mod path;
pub mod placement;
pub mod qdevice;
pub mod record;
pub mod resources;
pub mod rotation;
pub mod simulate;
pub mod state;
pub mod sync;
pub mod time;
pub mod token;
pub mod unit;

pub use action::{Action, ActionId};
pub use cluster::{Cluster, Settings};
pub use command::Command;
pub use event::{Event, LeaveReason, UnitState};
pub use message::{GroupMessage, Member};
pub use state::{ClusterState, NodeId};
pub use time::Time;
