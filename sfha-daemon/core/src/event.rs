//! Everything the world can tell the core. Recorded as JSON lines, a field failure can be replayed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::action::ActionId;
use crate::cluster::Ring;
use crate::command::Command;
use crate::fencing::{Outcome as FencingOutcome, RunId};
use crate::message::{GroupMessage, Member};
use crate::state::NodeId;

/// Why a process is no longer in the group (cpg_initialize(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaveReason {
    /// It left.
    Leave,
    /// Its node is no longer in Corosync's membership.
    NodeDown,
    /// It ended without leaving; its node is alive.
    ProcessDown,
    /// Corosync did not say.
    Undefined,
}

/// What systemd says about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    /// It runs.
    Active,
    /// It does not.
    Inactive,
    /// It does not, and has failed.
    Failed,
    /// It is being started or stopped.
    Changing,
    /// There is no such unit.
    Missing,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Corosync is reached and the group joined.
    Connected {
        /// This process in the group.
        member: Member,
    },
    /// Corosync is gone.
    Disconnected,
    /// The quorum service's view of the membership.
    Quorum {
        /// Whether this side has quorum.
        quorate: bool,
        /// The ring it speaks of.
        ring: Ring,
        /// Nodes of this side.
        members: BTreeSet<NodeId>,
    },
    /// Votequorum's counts.
    Votes {
        /// Votes present.
        total: u32,
        /// Votes expected.
        expected: u32,
        /// Votes needed.
        needed: u32,
    },
    /// Whether the quorum device gives this side its vote; `None`: there is none, or it says nothing.
    Device {
        /// It does.
        votes: Option<bool>,
    },
    /// The ring that the group's messages and memberships belong to from now on.
    Ring {
        /// It.
        ring: Ring,
    },
    /// The group's members changed.
    Membership {
        /// Its members now.
        members: BTreeSet<Member>,
        /// Who went, and why.
        left: Vec<(Member, LeaveReason)>,
    },
    /// A message of the group.
    Delivered {
        /// Who sent it.
        from: Member,
        /// What it says.
        message: GroupMessage,
    },
    /// An operator, or this program itself, wants the state changed.
    Propose {
        /// The request that `Answer` names.
        request: u64,
        /// The change.
        command: Command,
    },
    /// An operator wants resources moved.
    Move {
        /// The request that `Answer` names.
        request: u64,
        /// Where to; the best other node if absent.
        to: Option<NodeId>,
        /// Their names; what is colocated goes along. All if empty.
        #[serde(default)]
        names: BTreeSet<String>,
    },
    /// An operator wants VIPs announced again.
    Announce {
        /// The request that `Answer` names.
        request: u64,
        /// Their names; all that are served if empty.
        names: BTreeSet<String>,
    },
    /// An action ended.
    ActionFinished {
        /// Which.
        id: ActionId,
        /// Done, or the code of why not.
        outcome: Result<(), String>,
    },
    /// A VIP that was acquired is no longer on its interface, and nobody here took it off: the kernel
    /// did, because this program stood still for longer than the lease. It must not be put back.
    Vanished {
        /// Name of the VIP.
        name: String,
    },
    /// What systemd says about a configured service's unit has changed, from whatever cause; told on every
    /// node, and in order with the outcomes of the service's actions.
    UnitChanged {
        /// Name of the service.
        name: String,
        /// How its unit is.
        state: UnitState,
    },
    /// The verdict of a health check on this node has changed.
    CheckChanged {
        /// Name of the check.
        name: String,
        /// `None`: it is not known.
        healthy: Option<bool>,
        /// Why not, as the probe says it.
        error: Option<String>,
    },
    /// Somebody else on the network claims the address of a VIP of this node.
    Conflict {
        /// Name of the VIP.
        name: String,
        /// That one's Ethernet address; `None`: not any more.
        by: Option<String>,
    },
    /// What o'clock it is, for the history of fencings and for counting them after a restart.
    Clock {
        /// Seconds since 1970.
        wall: i64,
    },
    /// This node's watchdog runs, or does not.
    Watchdog {
        /// The time-out that the device has, in milliseconds; `None`: it does not run.
        timeout_ms: Option<u64>,
    },
    /// A driver that was called to fence a node answered, or failed.
    FenceFinished {
        /// Which call.
        id: RunId,
        /// How.
        outcome: FencingOutcome,
    },
    /// A deadline passed, or it is time to look again.
    Tick,
    /// This daemon is asked to stop.
    Shutdown,
}
