//! What daemons say to each other through the CPG group, in agreed order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ledger::Ledger;
use crate::state::{ClusterState, NodeId};

/// A process in the group: the daemon of a node. A restarted daemon is another member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Corosync's id of its node.
    pub node: NodeId,
    /// Its process id.
    pub pid: u32,
}

/// Names one round of synchronisation: whoever began it, and its count of rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Round {
    /// The member that began it.
    pub by: Member,
    /// Counts the rounds that this member began.
    pub count: u64,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum GroupMessage {
    /// The membership changed: everybody say [`GroupMessage::Hello`].
    SyncStart {
        /// The round that begins.
        round: Round,
    },
    /// What a member has, as of the round's begin.
    Hello(Box<Hello>),
    /// The newest state, for those who lack it.
    Snapshot {
        /// The round it ends.
        round: Round,
        /// The state.
        state: Box<ClusterState>,
    },
    /// A change of the state.
    Command {
        /// Counts the commands of its sender.
        seq: u64,
        /// The change.
        command: Command,
    },
    /// The sender has a command's result on disk.
    Ack {
        /// Who sent the command.
        of: Member,
        /// Which of its commands.
        seq: u64,
        /// Whether it could be written.
        written: bool,
    },
    /// The sender has let go of a VIP.
    Released {
        /// Name of the VIP.
        vip: String,
    },
    /// The sender takes a VIP whose holder was lost: it waited as long as it had to.
    Take {
        /// Name of the VIP.
        vip: String,
    },
    /// How the sender, who may hold it, fares with a VIP.
    Report {
        /// Name of the VIP.
        vip: String,
        /// On the interface, or the code of why not.
        outcome: Outcome,
    },
    /// VIPs whose every candidate failed may be tried again.
    Retry,
    /// An operator moves VIPs to a node.
    Move {
        /// Names of the VIPs.
        vips: BTreeSet<String>,
        /// Where to.
        to: NodeId,
    },
    /// The sender is about to stop: it takes nothing on and lets everything go.
    Leaving,
}

/// How taking a VIP on went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is on the interface.
    Active,
    /// It could not be put there: a code.
    Failed(String),
}

/// What a member has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The round this answers.
    pub round: Round,
    /// Version of the program.
    pub program: String,
    /// Epoch of its state.
    pub epoch: u64,
    /// Version of its state.
    pub version: u64,
    /// Hash of its state.
    pub hash: String,
    /// VIPs that are, or may be, on one of its interfaces.
    pub holds: BTreeSet<String>,
    /// VIPs of those that it has seen on the interface.
    pub active: BTreeSet<String>,
    /// The ledger it last agreed on; `None` for a daemon that has just started.
    pub ledger: Option<Ledger>,
    /// It is about to stop.
    pub leaving: bool,
}
