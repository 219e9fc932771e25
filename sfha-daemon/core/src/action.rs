//! Everything the core can ask for.

use serde::{Deserialize, Serialize};
use sfha_proto::Failure;

use crate::fencing::{Call, Level, RunId};
use crate::message::GroupMessage;
use crate::resources::Service;
use crate::state::{ClusterState, NodeId, Vip};

/// Names one action, so that its outcome finds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActionId(pub u64);

/// One thing to be done. Actions are carried out in the order in which they are taken out, as far as
/// they concern the same thing (the same VIP, the same service, the disk, the group).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Send to the group, this node included, in agreed order.
    Multicast(GroupMessage),
    /// Write the state, and everything that is generated from it, to disk.
    Persist {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// What to write.
        state: Box<ClusterState>,
    },
    /// Put a VIP on an interface and announce it; keep it there until it is to be released.
    Acquire {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// Name of the VIP.
        name: String,
        /// Its address and interface.
        vip: Vip,
        /// Whether to ask first if somebody else on the network has the address. A failure with the code
        /// `duplicate-address` follows an [`Event::Conflict`](crate::Event::Conflict).
        probe: bool,
    },
    /// Take a VIP off its interface. Stop renewing it in the same turn, whatever comes of the rest.
    Release {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// Name of the VIP.
        name: String,
        /// Its address and interface.
        vip: Vip,
    },
    /// Start a service's unit. Done once it is active; otherwise `start-failed`, `start-timed-out` or
    /// `no-such-unit`. One that runs already is done.
    StartService {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// Name of the service.
        name: String,
        /// What it is.
        service: Service,
    },
    /// Stop a service's unit. Done once it is inactive for certain: after the stop time its processes are
    /// killed. `stop-failed` when even that did not help. A start that is under way is given up for it.
    StopService {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// Name of the service.
        name: String,
        /// What it is.
        service: Service,
    },
    /// Start a service's unit again, whatever state it is in. Outcomes as for `StartService`.
    RestartService {
        /// Answer with `ActionFinished`.
        id: ActionId,
        /// Name of the service.
        name: String,
        /// What it is.
        service: Service,
    },
    /// Announce a VIP that stays where it is: somebody else may have announced it meanwhile.
    Announce {
        /// Name of the VIP.
        name: String,
    },
    /// An operator's request is done or refused.
    Answer {
        /// The request.
        request: u64,
        /// What came of it.
        result: Result<Answered, Failure>,
    },
    /// Call a driver to fence a node, for so long. Never hold anything else up for it.
    Fence {
        /// Answer with `FenceFinished`.
        id: RunId,
        /// The node.
        node: NodeId,
        /// Its name.
        name: String,
        /// Which driver.
        level: Level,
        /// What is to be done.
        call: Call,
        /// Time for it, in milliseconds.
        deadline_ms: u64,
    },
    /// A node was removed: have every Corosync of the cluster read its `corosync.conf` again.
    ReloadCorosync {
        /// Answer with `ActionFinished`.
        id: ActionId,
    },
    /// Everything is let go: leave the group and end.
    Leave,
}

/// What an operator's request led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// A command is on the disks of all members; this is the state's version.
    Applied(u64),
    /// Every holder was told to announce these.
    Announced {
        /// Their names.
        vips: Vec<String>,
    },
    /// Resources are active where they were to go.
    Moved {
        /// Their names.
        vips: Vec<String>,
        /// Name of the node.
        to: String,
    },
}
