//! What daemons say to each other through the CPG group, in agreed order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cluster::Ring;
use crate::command::Command;
use crate::ledger::{Ledger, Thing, Verdict};
use crate::state::{Age, ClusterState, NodeId};

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
#[serde(rename_all = "kebab-case")]
pub enum GroupMessage {
    /// The membership changed: everybody say [`GroupMessage::Hello`].
    SyncStart {
        /// The round that begins.
        round: Round,
    },
    /// What a member has, as of the round's begin.
    Hello(Box<Hello>),
    /// The sender, who has the lowest id, has quorum in that ring: VIPs may be given out.
    Quorate {
        /// The ring.
        ring: Ring,
    },
    /// The newest state, for those who lack it.
    Snapshot {
        /// The round it ends.
        round: Round,
        /// The state.
        state: Box<ClusterState>,
    },
    /// The sender wants the state changed.
    Command {
        /// Counts the commands of its sender.
        seq: u64,
        /// The change.
        command: Command,
    },
    /// A change of the state, said by the member with the lowest id only: whatever becomes of the
    /// group, what two nodes have applied in an epoch is then the beginning of one and the same list.
    Apply {
        /// Who wanted it.
        of: Member,
        /// Which of its commands.
        seq: u64,
        /// The change.
        command: Command,
    },
    /// The sender has a command's result on disk.
    Ack {
        /// Who wanted the command.
        of: Member,
        /// Which of its commands.
        seq: u64,
        /// Whether it could be written.
        written: bool,
    },
    /// The sender has let go of a resource.
    Released {
        /// Name of the resource.
        name: String,
    },
    /// The sender takes a resource whose holder was lost: it waited as long as it had to.
    Take {
        /// Name of the resource.
        name: String,
    },
    /// How the sender, who may hold it, fares with a resource.
    Report {
        /// Name of the resource.
        name: String,
        /// How.
        outcome: Outcome,
    },
    /// VIPs whose every candidate failed may be tried again.
    Retry,
    /// An operator moves resources to a node.
    Move {
        /// Their names.
        names: BTreeSet<String>,
        /// Where to.
        to: NodeId,
    },
    /// An operator wants VIPs announced again by those who have them.
    Announce {
        /// Their names.
        names: BTreeSet<String>,
    },
    /// What a health check says on the sender's node.
    Checked {
        /// Name of the check.
        name: String,
        /// What it says; `None`: it is not asked there any more.
        verdict: Option<Verdict>,
    },
    /// The failures of a service that the sender counts for its own node.
    Failures {
        /// Name of the service.
        name: String,
        /// How many, and what follows.
        failures: Failures,
    },
    /// A service's unit runs on the sender's node, where it is not to run; or does so no more.
    Stray {
        /// Name of the service.
        name: String,
        /// It runs.
        runs: bool,
    },
    /// Somebody else on the network claims the address of a VIP.
    Conflict {
        /// Name of the VIP.
        name: String,
        /// That one's Ethernet address; `None`: not any more.
        by: Option<String>,
    },
    /// The sender is about to stop: it takes nothing on and lets everything go.
    Leaving,
}

/// How a holder fares with a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is on the interface; it runs.
    Active,
    /// It is not, and stays with the holder: it waits for another resource, or has failed with this code.
    Idle(Option<String>),
    /// It could not be taken on, or not be kept, and is given back: a code.
    Failed(String),
    /// It is to be let go and cannot be: nobody else may take it on. A code.
    Stuck(String),
}

/// How often a service has failed on a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Failures that have not expired.
    pub count: u32,
    /// The node gave it back because of them and does not get it again before they expire.
    pub unable: bool,
}

/// What a member has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The round this answers.
    pub round: Round,
    /// Version of the program.
    pub program: String,
    /// How new its state is.
    pub age: Age,
    /// Hash of its state.
    pub hash: String,
    /// Resources that it has, or may have, and what they are; and services that were given to it and do not
    /// run yet.
    pub holds: BTreeMap<String, Thing>,
    /// Those of them that are on the interface, or run.
    pub active: BTreeSet<String>,
    /// The ledger it last agreed on; `None` for a daemon that has just started.
    pub ledger: Option<Ledger>,
    /// It has had quorum all the time since it agreed on that ledger: nobody else can have taken what
    /// the ledger calls free.
    pub unbroken: bool,
    /// It knows that it has not; otherwise, it may only not have been told yet.
    pub broken: bool,
    /// For how long yet, in milliseconds, VIPs that a missing node held must not be taken; less than nothing
    /// since then. Services wait longer, counted from there.
    pub waits: BTreeMap<NodeId, i64>,
    /// For how long yet, in milliseconds, a node that the ring lost may have VIPs that nobody here knows of;
    /// as [`Hello::waits`].
    #[serde(default)]
    pub strayed: Option<i64>,
    /// With fencing on: nodes that went without a word since it agreed on that ledger and are not known to be
    /// harmless. Their last messages may have given them what the ledger calls free.
    #[serde(default)]
    pub gone: BTreeSet<NodeId>,
    /// Failures of services on its node.
    #[serde(default)]
    pub failures: BTreeMap<String, Failures>,
    /// What health checks say on its node.
    #[serde(default)]
    pub verdicts: BTreeMap<String, Verdict>,
    /// Services whose unit runs on its node, where it is not to run.
    #[serde(default)]
    pub strays: BTreeSet<String>,
    /// It is about to stop.
    pub leaving: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Node;

    /// A tagged enum would read a map's numbers as strings and fail: the state has maps by node id.
    #[test]
    fn a_snapshot_survives_the_wire() {
        let node = Node::new("node1", "10.100.0.1".parse().unwrap());
        let state = ClusterState::new("prod", "lan", None, node);
        let round = Round { by: Member { node: 1, pid: 7 }, count: 1 };
        let message = GroupMessage::Snapshot { round, state: Box::new(state) };
        let wire = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<GroupMessage>(&wire).unwrap(), message);
        let event = crate::Event::Delivered { from: round.by, message };
        let record = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<crate::Event>(&record).unwrap(), event);
    }
}
