//! `sfha simulate`: what events would do to the cluster as it is now, found out by the code that decides, in a
//! group that is invented for it. Nothing is changed.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// Parameters of [`crate::message::method::SIMULATE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateParams {
    /// What happens, one after the other, each once the cluster has settled: `node-lost:NAME`, `node-back:NAME`,
    /// `daemon-dead:NAME`, `quorum-lost`, `standby:NAME`, `unstandby:NAME`, `failover[:NODE]`,
    /// `maintenance:on|off`, `service-failed:NAME`, `check-failed:NAME`, `partition:NODE,…/NODE,…`,
    /// `vip-add:NAME=ADDRESS/PREFIX`, `vip-remove:NAME`, `service-add:NAME=UNIT`, `service-remove:NAME`,
    /// `node-remove:NAME`, `fence:NAME`, `unfence:NAME`, `confirm:NAME`.
    pub events: Vec<String>,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the node whose knowledge it starts from.
    pub node: String,
    /// How it is before the first event.
    pub start: Standing,
    /// What each event does.
    pub steps: Vec<Step>,
}

/// How the cluster stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Names of the nodes that have quorum.
    pub quorate: Vec<String>,
    /// Name of the leader.
    pub leader: Option<String>,
    /// Where everything is.
    pub resources: Vec<Place>,
}

/// Where a resource is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// `vip` or `service`.
    pub kind: String,
    /// Names of the nodes that have it: one, or none; more only where a split of two nodes without fencing lets
    /// both go on.
    pub holders: Vec<String>,
}

/// What one event does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The event, as it was given.
    pub event: String,
    /// Why it would be refused, if it is something that an operator asks for.
    pub refused: Option<Failure>,
    /// Name of the leader before it.
    pub leader_before: Option<String>,
    /// How the cluster stands when it has settled.
    pub after: Standing,
    /// What moves, starts, stops, or is interrupted.
    pub changes: Vec<Change>,
    /// Longest time until nothing moves any more, in milliseconds.
    pub within_ms: u64,
    /// It does settle. Otherwise this is how it stands after half an hour.
    pub settled: bool,
}

/// What becomes of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// `vip` or `service`.
    pub kind: String,
    /// Name of the node that has it before.
    pub from: Option<String>,
    /// Name of the node that has it in the end; the first, where more than one has it.
    pub to: Option<String>,
    /// All nodes that have it in the end.
    pub holders: Vec<String>,
    /// Longest time until that is so, in milliseconds.
    pub within_ms: u64,
    /// What that time is made of.
    pub waits: Vec<Wait>,
    /// Why nobody has it in the end: `removed`, `no-quorum`, `maintenance`, `no-candidate`, `stuck` (its holder could not
    /// stop it), `not-harmless` (its holder is lost and not known to be harmless), `waits` (for `waits_for`), or
    /// the code of its failure; `null` when somebody has it, or nobody knows.
    pub why: Option<String>,
    /// The resource that it waits for.
    pub waits_for: Option<String>,
}

/// A part of the time that something takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// `detection` (until the loss is noticed), `takeover` (until a lost holder has it no more for certain),
    /// `fencing` (until the lost holder is made harmless), `stop` and `start` (of a service, or taking an address
    /// off an interface and putting it on one), `order` (until what comes first is there, or what comes after is
    /// gone), `agreement` (messages and disks).
    pub reason: String,
    /// In milliseconds, at most.
    pub ms: u64,
}
