//! `sfhad doctor`: what is well and what is not on this node, with or without a daemon.
//!
//! ```text
//! files, /proc, netlink, systemd, the daemon's socket ──gather──▶ Facts ──judge──▶ observations
//! ```
//!
//! It changes nothing, and speaks to nobody but this machine, inside the mesh the other nodes, and whatever switches
//! them off; that is only asked how they are.

use sfha_proto::SCHEMA;
use sfha_proto::doctor::Diagnosis;

use crate::paths::Paths;

mod ask;
pub mod facts;
mod fencing;
mod gather;
mod judge;
mod network;

pub use judge::judge;

/// Looks at everything, in a few seconds at most.
pub async fn diagnose(paths: &Paths) -> Diagnosis {
    let facts = gather::gather(paths).await;
    let findings = judge(&facts);
    Diagnosis { schema: SCHEMA, version: facts.version, node: facts.node, findings }
}
