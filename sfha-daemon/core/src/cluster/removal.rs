//! Nodes that are taken out of the cluster.
//!
//! ```text
//!   RemoveNode, ordered ─▶ the node that goes: lets go, says so, leaves the group, ends its Corosync
//!                    └───▶ the rest: on the disks of most ─▶ it is gone, or 2 s are over ─▶ one reload
//!                                                                        RemovalTold, ordered ◀─┘
//! ```
//!
//! The reload makes every Corosync count without the node. It comes only when those who count then know
//! of the removal on disk: a rest of one that counted alone, while the others came back knowing nothing
//! of it, would be two clusters. For the same reason, and so that Corosync is never behind by two nodes,
//! there is one removal at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use sfha_proto::{ErrorCode, Failure};

use super::Cluster;
use crate::action::{Action, ActionId};
use crate::command::Command;
use crate::message::{GroupMessage, Member};
use crate::state::NodeId;
use crate::time::Time;

/// How long the others wait for a removed node to be gone before they tell Corosync; and time between
/// two tries.
const REMOVED_PATIENCE: Duration = Duration::from_secs(2);

/// How long a removed node waits for the answer to its own request.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(5);

/// A removal that Corosync has not been told of, as far as one epoch goes.
#[derive(Debug, Clone)]
pub(super) struct Removal {
    /// The command, where it was applied in this epoch; the begin of the epoch has the older ones.
    command: Option<(Member, u64)>,
    /// Nodes that have it on disk.
    written: BTreeSet<NodeId>,
    since: Time,
    /// When to look again.
    next: Time,
    /// The reload under way, or done.
    telling: Option<ActionId>,
}

/// Whether a node that was removed may stop its Corosync before the others have been told: when those
/// of them that are online have quorum among as many as there were with it.
#[must_use]
pub fn may_stop_first(nodes_left: usize, others_online: usize) -> bool {
    match nodes_left + 1 {
        // `two_node`: one may go on alone.
        2 => others_online >= 1,
        before => others_online > before / 2,
    }
}

/// The node that a command takes out.
pub(super) fn removes(command: &Command) -> Option<NodeId> {
    match command {
        Command::RemoveNode { node } => Some(*node),
        _ => None,
    }
}

impl Cluster {
    /// This node is no longer one of the cluster's.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        !self.state.nodes.contains_key(&self.settings.me)
    }

    /// Why the rest cannot do without that node. What all members of a view see in the same way, and
    /// nothing else, so that it can be asked where the command is applied.
    pub(super) fn cannot_go(&self, node: NodeId) -> Option<Failure> {
        let name = self.state.nodes.get(&node)?.name.clone();
        let left = self.state.nodes.len() - 1;
        if left == 0 {
            return None;
        }
        let daemons = self.daemons();
        let here = self.state.nodes.keys().filter(|id| **id != node && daemons.contains(id)).count();
        let needed = left / 2 + 1;
        (here < needed).then(|| {
            Failure::new(ErrorCode::WouldLoseQuorum)
                .with("name", name)
                .with("votes", here)
                .with("needed", needed)
        })
    }

    /// Of two nodes, one whose Corosync runs and whose daemon does not is not told that it is out: alone,
    /// it would have quorum for itself (`two_node`).
    pub(super) fn goes_on_alone(&self, node: NodeId) -> Option<Failure> {
        let known = self.state.nodes.get(&node)?;
        let alone = self.state.nodes.len() == 2 && self.is_online(node) && !self.daemons().contains(&node);
        alone.then(|| Failure::new(ErrorCode::DaemonMissing).with("name", known.name.clone()))
    }

    fn is_online(&self, node: NodeId) -> bool {
        self.quorum.as_ref().is_some_and(|quorum| quorum.members.contains(&node))
    }

    /// A command was applied by all members.
    pub(super) fn follow_removal(&mut self, of: Member, seq: u64, command: &Command, now: Time) {
        if self.state.removing.is_empty() {
            self.removal = None;
            return;
        }
        let begins = matches!(command, Command::BeginEpoch { .. });
        if !begins && removes(command).is_none() {
            return;
        }
        let since = self.removal.take().map_or(now, |removal| removal.since);
        self.removal = Some(Removal {
            command: (!begins).then_some((of, seq)),
            written: BTreeSet::new(),
            since,
            next: now + REMOVED_PATIENCE,
            telling: None,
        });
    }

    /// Somebody has a command's result, and everything before it, on disk.
    pub(super) fn removal_written(&mut self, from: Member, of: Member, seq: u64) {
        let begins = self.begin.as_ref().is_some_and(|begin| (begin.by, begin.seq) == (of, seq));
        if let Some(removal) = &mut self.removal
            && removal.command.map_or(begins, |command| command == (of, seq))
        {
            removal.written.insert(from.node);
        }
    }

    /// Lets everything go once this node is out. Requests go on: one may be the one that asked for it.
    pub(super) fn notice_removal(&mut self, now: Time) {
        if !self.is_removed() || self.leaving.is_some() {
            return;
        }
        self.leaving = Some(now);
        if self.member.is_some() {
            self.multicast(GroupMessage::Leaving);
        }
    }

    /// Until when a removed node that has nothing any more waits for answers to what it asked for.
    pub(super) fn farewell(&self) -> Option<Time> {
        let asked = !self.proposals.is_empty() && self.member.is_some();
        let waits = self.is_removed() && asked && self.holds.is_empty() && !self.left;
        self.leaving.filter(|_| waits).map(|since| since + FAREWELL_PATIENCE)
    }

    /// Has Corosync told, by one member.
    pub(super) fn tell_corosync(&mut self, now: Time) {
        let Some(removal) = &mut self.removal else { return };
        let again = removal.next <= now;
        if again {
            removal.next = now + REMOVED_PATIENCE;
        }
        let late = now.since(removal.since) >= REMOVED_PATIENCE;
        let waits = removal.telling.is_some() && !again;
        if waits || !self.is_established() || self.is_removed() {
            return;
        }
        let Some(removal) = &self.removal else { return };
        let daemons = self.daemons();
        let here: Vec<NodeId> = self.state.nodes.keys().copied().filter(|id| daemons.contains(id)).collect();
        let known = |id: &NodeId| removal.written.contains(id);
        let all_here = here.iter().all(known);
        let most = self.state.nodes.keys().filter(|id| known(id)).count() > self.state.nodes.len() / 2;
        let gone = !self.state.removing.iter().any(|id| daemons.contains(id) || self.is_online(*id));
        if here.first() != Some(&self.settings.me) || !all_here || !most || !(gone || late) {
            return;
        }
        let id = self.new_action();
        self.actions.push_back(Action::ReloadCorosync { id });
        if let Some(removal) = &mut self.removal {
            removal.telling = Some(id);
        }
    }

    /// Corosync was told, or could not be. Returns false when the action was another one.
    pub(super) fn corosync_told(&mut self, id: ActionId, done: bool, now: Time) -> bool {
        if self.removal.as_ref().is_none_or(|removal| removal.telling != Some(id)) {
            return false;
        }
        let told = |command: &Command| matches!(command, Command::RemovalTold);
        if done && !self.has_own_proposal(told) {
            self.propose(None, Command::RemovalTold, now);
        }
        true
    }

    /// Deadlines of this file.
    pub(super) fn removal_deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let look = self.removal.as_ref().map(|removal| (removal.next, "removed"));
        look.into_iter().chain(self.farewell().map(|at| (at, "farewell")))
    }
}
