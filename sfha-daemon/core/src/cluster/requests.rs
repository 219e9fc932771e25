//! What operators, and the program itself, ask for: commands, moves, stopping.

use std::collections::BTreeSet;
use std::time::Duration;

use sfha_proto::{ErrorCode, Failure};

use super::removal::removes;
use super::{Cluster, PERSIST_RETRY, REQUEST_DEADLINE};
use crate::action::{Action, ActionId, Answered};
use crate::command::{Command, not_found};
use crate::ledger::Slot;
use crate::message::{GroupMessage, Member};
use crate::placement::groups;
use crate::state::NodeId;
use crate::sync::Sync;
use crate::time::Time;

/// Longest time for a move, however long its services take.
const MOVE_LONGEST: Duration = Duration::from_secs(600);

/// One command of this node that is not answered yet.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// `None` for the program's own.
    request: Option<u64>,
    command: Command,
    /// It is on its way, or was applied.
    sent: bool,
    /// Since it was applied: the version it made, who has not written it, and who could not.
    applied: Option<Applied>,
    deadline: Time,
}

#[derive(Debug, Clone)]
struct Applied {
    version: u64,
    /// Members that have not said what came of writing it.
    waiting: BTreeSet<Member>,
    /// Nodes that have it on disk.
    written: BTreeSet<NodeId>,
    /// How many must.
    needed: usize,
    failed: Option<NodeId>,
}

/// One move of resources that is not answered yet.
#[derive(Debug, Clone)]
pub(super) struct Movement {
    names: BTreeSet<String>,
    to: NodeId,
    /// It was delivered: what failed there before does not count any more.
    heard: bool,
    /// How long it may take.
    patience: Duration,
    deadline: Time,
}

impl Cluster {
    pub(super) fn propose(&mut self, request: Option<u64>, command: Command, now: Time) {
        if let Some(request) = request
            && let Some(failure) = self
                .refusal()
                .or_else(|| self.cannot_be_kept(&command))
                .or_else(|| self.cannot_fence(&command))
        {
            self.answer(request, Err(failure));
            return;
        }
        self.next_seq += 1;
        let seq = self.next_seq;
        let deadline = now + REQUEST_DEADLINE;
        self.proposals.insert(seq, Proposal { request, command, sent: false, applied: None, deadline });
        self.send_proposals();
    }

    /// This node has sent, or is about to send, such a command.
    pub(super) fn has_own_proposal(&self, such: impl Fn(&Command) -> bool) -> bool {
        self.proposals.values().any(|proposal| such(&proposal.command))
    }

    fn has_proposal(&self, seq: u64, such: impl Fn(&Command) -> bool) -> bool {
        self.proposals.get(&seq).is_some_and(|proposal| such(&proposal.command))
    }

    pub(super) fn refusal(&self) -> Option<Failure> {
        if self.leaving.is_some() {
            return Some(ErrorCode::NoDaemon.into());
        }
        if self.is_quorate() {
            return None;
        }
        let mut failure = Failure::new(ErrorCode::NoQuorum);
        if let Some((total, _, needed)) = self.votes {
            failure = failure.with("votes", total).with("needed", needed);
        }
        Some(failure)
    }

    /// Sends what waits, once the group can apply it.
    pub(super) fn send_proposals(&mut self) {
        if self.sync != Sync::InStep {
            return;
        }
        let (Some(me), coordinates) = (self.member, self.is_coordinator()) else { return };
        let (operational, established) = (self.operational, self.established);
        let mut messages = Vec::new();
        for (seq, proposal) in &mut self.proposals {
            let begins = matches!(proposal.command, Command::BeginEpoch { .. });
            if !proposal.sent && (established || (begins && operational)) {
                proposal.sent = true;
                let (seq, command) = (*seq, proposal.command.clone());
                messages.push(if coordinates {
                    GroupMessage::Apply { of: me, seq, command }
                } else {
                    GroupMessage::Command { seq, command }
                });
            }
        }
        for message in messages {
            self.multicast(message);
        }
    }

    /// In step again: what was sent before and has not come back was lost with the old view, or was
    /// turned away in this one (each member says Hello after what it had sent).
    pub(super) fn repeat_proposals(&mut self) {
        self.proposals.retain(|_, proposal| !matches!(proposal.command, Command::BeginEpoch { .. }));
        for proposal in self.proposals.values_mut().filter(|proposal| proposal.applied.is_none()) {
            proposal.sent = false;
        }
    }

    pub(super) fn turned_away(&mut self, seq: u64) {
        if let Some(proposal) = self.proposals.get_mut(&seq) {
            proposal.sent = false;
        }
    }

    pub(super) fn refused(&mut self, seq: u64, failure: Failure, now: Time) {
        if let Some(proposal) = self.proposals.remove(&seq) {
            self.end_proposal(proposal, failure, now);
        }
    }

    /// It will not be applied.
    fn end_proposal(&mut self, proposal: Proposal, failure: Failure, now: Time) {
        match (proposal.request, proposal.command) {
            (Some(request), _) => self.answer(request, Err(failure)),
            (None, Command::Fencing { command }) => self.fencing_refused(*command, now),
            (None, _) => {}
        }
    }

    /// What was to be done about a node is not repeated when things are no longer as they were.
    pub(super) fn drop_fencing_proposals(&mut self, code: ErrorCode, now: Time) {
        // First how things are: at once it may want something else.
        self.feed(now);
        let about = |proposal: &Proposal| {
            proposal.applied.is_none() && matches!(proposal.command, Command::Fencing { .. })
        };
        let dropped: Vec<Proposal> = self
            .proposals
            .extract_if(.., |_, proposal| about(proposal))
            .map(|(_, proposal)| proposal)
            .collect();
        for proposal in dropped {
            self.end_proposal(proposal, code.into(), now);
        }
    }

    pub(super) fn applied(&mut self, seq: u64, now: Time) {
        let (version, waiting) = (self.state.version, self.own_members());
        let prepares = self.has_proposal(seq, |command| matches!(command, Command::PrepareKey { .. }));
        // A node that does not know the next key could be locked out by the commit.
        let needed = if prepares { self.state.nodes.len() } else { self.disks_needed() };
        if let Some(proposal) = self.proposals.get_mut(&seq) {
            let written = BTreeSet::new();
            proposal.applied = Some(Applied { version, waiting, written, needed, failed: None });
            proposal.deadline = now + REQUEST_DEADLINE;
        }
    }

    pub(super) fn acknowledged(&mut self, from: Member, of: Member, seq: u64, written: bool) {
        // One that was removed is here for a moment yet: its disk counts for nothing.
        if !self.state.nodes.contains_key(&from.node) {
            return;
        }
        let needed = self.disks_needed();
        if written {
            self.removal_written(from, of, seq);
        }
        if let Some(begin) = &mut self.begin
            && (begin.by, begin.seq) == (of, seq)
            && written
        {
            begin.written.insert(from);
            if begin.written.len() >= needed {
                self.established = true;
                self.was_established = true;
            }
        }
        if self.member != Some(of) {
            return;
        }
        if let Some(Proposal { applied: Some(applied), .. }) = self.proposals.get_mut(&seq) {
            applied.waiting.remove(&from);
            if written {
                applied.written.insert(from.node);
            } else {
                applied.failed = Some(from.node);
            }
        }
    }

    /// Members that went will not acknowledge any more.
    pub(super) fn forget_acks(&mut self) {
        for proposal in self.proposals.values_mut() {
            if let Some(applied) = &mut proposal.applied {
                applied.waiting.retain(|member| self.view.contains(member));
            }
        }
    }

    pub(super) fn persist(&mut self, mut commands: Vec<(Member, u64)>) {
        // Whoever waits to be written again is written with this.
        if let Some((_, unwritten)) = self.unwritten.take() {
            commands.splice(0..0, unwritten);
        }
        let id = self.new_action();
        self.persists.insert(id, commands);
        self.actions.push_back(Action::Persist { id, state: Box::new(self.state.clone()) });
    }

    /// Tries again what could not be written.
    pub(super) fn persist_again(&mut self, now: Time) {
        if self.unwritten.as_ref().is_some_and(|(at, _)| *at <= now) {
            self.persist(Vec::new());
        }
    }

    pub(super) fn action_finished(&mut self, id: ActionId, outcome: Result<(), String>, now: Time) {
        if self.holding_finished(id, &outcome, now) || self.corosync_told(id, outcome.is_ok(), now) {
            return;
        }
        let Some(commands) = self.persists.remove(&id) else { return };
        let written = outcome.is_ok();
        if self.member.is_some() {
            for (of, seq) in &commands {
                self.multicast(GroupMessage::Ack { of: *of, seq: *seq, written });
            }
        }
        if !written {
            let (_, unwritten) = self.unwritten.get_or_insert((now + PERSIST_RETRY, Vec::new()));
            unwritten.extend(commands);
        }
    }

    /// How many disks must have a command before it counts: those of most nodes. Of two nodes, one may
    /// go on alone (`two_node`), so all that are there.
    fn disks_needed(&self) -> usize {
        match self.state.nodes.len() {
            0..=2 if self.corosync_knows() => self.own_members().len(),
            nodes => nodes / 2 + 1,
        }
    }

    /// Corosync counts the nodes that the state has. While it has yet to be told of one that was removed, one
    /// of two may not go on alone: the other may have quorum with the removed one.
    fn corosync_knows(&self) -> bool {
        self.state.removing.is_empty()
    }

    /// The members of this view whose nodes are the cluster's: all but those that were just removed.
    fn own_members(&self) -> BTreeSet<Member> {
        let own = |member: &&Member| self.state.nodes.contains_key(&member.node);
        self.view.iter().filter(own).copied().collect()
    }

    /// Enough of the nodes that know the newest state are here to begin an epoch: most of all nodes. Of
    /// two, one suffices when it is certain that the other knows nothing more: they were together, or
    /// it is not even running.
    pub(super) fn may_begin(&self) -> bool {
        let daemons = self.daemons();
        let here = self.state.nodes.keys().filter(|id| daemons.contains(id)).count();
        let online = |id: &NodeId| self.quorum.as_ref().is_some_and(|quorum| quorum.members.contains(id));
        match self.state.nodes.len() {
            2 if self.corosync_knows() => {
                here == 2
                    || self.was_established
                    || !self.state.nodes.keys().any(|id| !daemons.contains(id) && online(id))
            }
            nodes => here > nodes / 2,
        }
    }

    /// A command that too few would know of, or that would cost quorum.
    fn cannot_be_kept(&self, command: &Command) -> Option<Failure> {
        let (here, nodes) = (self.daemons().len(), self.state.nodes.len());
        let failure = |needed: usize| {
            Some(Failure::new(ErrorCode::NoQuorum).with("votes", here).with("needed", needed))
        };
        if self.is_operational() && !self.established && !self.may_begin() {
            return failure(nodes / 2 + 1);
        }
        if let Command::PrepareKey { .. } = command
            && let Some(failure) = self.nodes_away()
        {
            return Some(failure);
        }
        if let Some(node) = removes(command).filter(|_| self.is_operational()) {
            return self.cannot_go(node).or_else(|| self.goes_on_alone(node));
        }
        if let Command::AddNode { invite, .. } = command {
            let known = self.state.invites.get(invite).is_some_and(|invite| invite.redeemed.is_some());
            // The new node counts before it is there.
            if self.is_operational() && !known && nodes >= 2 && here <= nodes.div_ceil(2) {
                return failure(nodes.div_ceil(2) + 1);
            }
        }
        None
    }

    fn nodes_away(&self) -> Option<Failure> {
        let daemons = self.daemons();
        let away: Vec<&str> = (self.state.nodes.iter())
            .filter(|(id, _)| !daemons.contains(id))
            .map(|(_, node)| node.name.as_str())
            .collect();
        (!away.is_empty()).then(|| Failure::new(ErrorCode::NodesAway).with("nodes", away.join(", ")))
    }

    /// Moves resources, all if none are named, with what they are colocated with.
    pub(super) fn begin_move(
        &mut self,
        request: u64,
        to: Option<NodeId>,
        names: &BTreeSet<String>,
        now: Time,
    ) {
        match self.movement(to, names, now) {
            Err(failure) => self.answer(request, Err(failure)),
            Ok(movement) => {
                self.multicast(GroupMessage::Move { names: movement.names.clone(), to: movement.to });
                self.moves.insert(request, movement);
            }
        }
    }

    fn movement(&self, to: Option<NodeId>, names: &BTreeSet<String>, now: Time) -> Result<Movement, Failure> {
        if let Some(failure) = self.refusal() {
            return Err(failure);
        }
        if !self.is_operational() {
            return Err(ErrorCode::Synchronising.into());
        }
        if self.state.maintenance {
            return Err(ErrorCode::Maintenance.into());
        }
        let known = |name: &String| self.ledger.slots.contains_key(name);
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return Err(not_found("resource", name));
        }
        let groups = groups(&self.state);
        let chosen =
            |group: &&Vec<&String>| names.is_empty() || group.iter().any(|name| names.contains(*name));
        let chosen: BTreeSet<&String> = groups.iter().filter(chosen).flatten().copied().collect();

        let mut candidates = self.ledger.candidates(&self.view, &self.state);
        if candidates.iter().any(|id| !self.ledger.fails_a_check(&self.state, *id)) {
            candidates.retain(|id| !self.ledger.fails_a_check(&self.state, *id));
        }
        let holder = |name: &String| match self.ledger.slots.get(name) {
            Some(Slot::Held { node, .. }) => Some(*node),
            _ => None,
        };
        let from = chosen.iter().find_map(|name| holder(name)).or(self.leader());
        let goal = to.or_else(|| candidates.iter().copied().find(|id| Some(*id) != from));
        let Some(to) = goal.filter(|id| candidates.contains(id)) else {
            let name = to.map(|id| self.state.node_name(id)).unwrap_or_default();
            return Err(Failure::new(ErrorCode::NoCandidate).with("name", name));
        };
        // What nobody has is taken on there by whoever names it.
        let goes = |name: &&&String| match self.ledger.slots.get(**name) {
            Some(Slot::Held { node, .. }) => *node != to,
            Some(Slot::Free) => !names.is_empty(),
            Some(Slot::Lost { .. }) | None => false,
        };
        let names: BTreeSet<String> = chosen.iter().filter(goes).map(|name| (*name).clone()).collect();
        if names.is_empty() {
            let name = self.state.node_name(to);
            return Err(Failure::new(ErrorCode::AlreadySo).with("what", "failover").with("name", name));
        }
        let takes = |name: &String| {
            self.state
                .services
                .get(name)
                .map_or(0, |service| service.stop_timeout_ms.saturating_add(service.start_timeout_ms))
        };
        let services = names.iter().map(takes).fold(0_u64, u64::saturating_add);
        let patience = (REQUEST_DEADLINE + Duration::from_millis(services)).min(MOVE_LONGEST);
        Ok(Movement { names, to, heard: false, patience, deadline: now + patience })
    }

    pub(super) fn move_heard(&mut self, names: &BTreeSet<String>, to: NodeId) {
        for movement in self.moves.values_mut() {
            movement.heard |= movement.to == to && movement.names == *names;
        }
    }

    pub(super) fn shutdown(&mut self, now: Time) {
        if self.leaving.is_some() {
            return;
        }
        self.leaving = Some(now);
        if self.member.is_some() {
            self.multicast(GroupMessage::Leaving);
        }
        self.fail_requests(ErrorCode::NoDaemon, now);
    }

    pub(super) fn fail_requests(&mut self, code: ErrorCode, now: Time) {
        self.feed(now);
        for proposal in std::mem::take(&mut self.proposals).into_values() {
            self.end_proposal(proposal, code.into(), now);
        }
        for request in std::mem::take(&mut self.moves).into_keys() {
            self.answer(request, Err(code.into()));
        }
        self.fail_announcements(code);
    }

    /// Answers what is done, gone or too late.
    pub(super) fn answer_requests(&mut self, now: Time) {
        let mut answers = Vec::new();
        let mut late = Vec::new();
        let away = self.nodes_away();
        self.proposals.retain(|_, proposal| {
            let result = match &proposal.applied {
                Some(Applied { waiting, failed: Some(node), .. }) if waiting.is_empty() => {
                    Err(Failure::new(ErrorCode::FileWrite).with("node", self.state.node_name(*node)))
                }
                Some(applied) if applied.waiting.is_empty() && applied.written.len() >= applied.needed => {
                    Ok(Answered::Applied(applied.version))
                }
                Some(Applied { waiting, .. })
                    if waiting.is_empty() && matches!(proposal.command, Command::PrepareKey { .. }) =>
                {
                    Err(away.clone().unwrap_or_else(|| timed_out("command")))
                }
                _ if proposal.deadline <= now => Err(timed_out("command")),
                _ => return true,
            };
            if let (None, None, Command::Fencing { command }) =
                (proposal.request, &proposal.applied, &proposal.command)
            {
                late.push((**command).clone());
            }
            answers.extend(proposal.request.map(|request| (request, result)));
            false
        });
        for command in late {
            self.fencing_refused(command, now);
        }
        let candidates = self.ledger.candidates(&self.view, &self.state);
        self.moves.retain(|request, movement| {
            let there = |name: &String| {
                let configured = self.state.vips.contains_key(name) || self.state.services.contains_key(name);
                !configured || matches!(self.ledger.slots.get(name), Some(Slot::Held { node, active: true, .. }) if *node == movement.to)
            };
            let unable = |name: &String| self.ledger.is_unable(name, movement.to);
            let name = self.state.node_name(movement.to);
            let result = if movement.names.iter().all(there) {
                Ok(Answered::Moved { vips: movement.names.iter().cloned().collect(), to: name })
            } else if (movement.heard && movement.names.iter().any(unable))
                || (self.sync == Sync::InStep && !candidates.contains(&movement.to))
            {
                Err(Failure::new(ErrorCode::NoCandidate).with("name", name))
            } else if movement.deadline <= now {
                Err(timed_out("failover").with("seconds", movement.patience.as_secs()))
            } else {
                return true;
            };
            answers.push((*request, result));
            false
        });
        for (request, result) in answers {
            self.answer(request, result);
        }
    }

    pub(super) fn answer(&mut self, request: u64, result: Result<Answered, Failure>) {
        self.actions.push_back(Action::Answer { request, result });
    }

    /// Deadlines of this file.
    pub(super) fn request_deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let proposals = self.proposals.values().map(|proposal| (proposal.deadline, "request"));
        let unwritten = self.unwritten.as_ref().map(|(at, _)| (*at, "write-again"));
        proposals.chain(unwritten).chain(self.moves.values().map(|movement| (movement.deadline, "move")))
    }
}

fn timed_out(what: &str) -> Failure {
    Failure::new(ErrorCode::TimedOut).with("what", what).with("seconds", REQUEST_DEADLINE.as_secs())
}
