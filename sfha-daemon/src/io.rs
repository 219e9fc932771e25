//! The outside world: watchers and actuators.

pub mod announce;
pub mod conflict;
pub mod corosync;
pub mod journal;
pub mod netlink;
pub mod systemd;
pub mod wireguard;
