//! What the group says: membership, rounds of synchronisation, ordered messages.

use std::collections::{BTreeMap, BTreeSet};

use sfha_proto::ErrorCode;

use super::Cluster;
use crate::action::Action;
use crate::command::Command;
use crate::event::LeaveReason;
use crate::ledger::{Ledger, Slot};
use crate::message::{GroupMessage, Hello, Member, Outcome, Round};
use crate::state::ClusterState;
use crate::sync::{Sync, judge};
use crate::time::Time;

impl Cluster {
    pub(super) fn disconnected(&mut self, now: Time) {
        self.member = None;
        self.quorum = None;
        self.votes = None;
        self.ring = None;
        self.ring_pending = false;
        self.view.clear();
        self.new_view();
        self.ledger = Ledger::default();
        self.had_ledger = false;
        self.releases_under_way = 0;
        self.lost.clear();
        self.fail_requests(ErrorCode::NoQuorum, now);
    }

    pub(super) fn membership(
        &mut self,
        members: BTreeSet<Member>,
        left: &[(Member, LeaveReason)],
        now: Time,
    ) {
        let Some(me) = self.member.filter(|me| members.contains(me)) else {
            return;
        };
        for (member, reason) in left {
            if *reason == LeaveReason::NodeDown {
                // The quorum service may not have said yet what this does to quorum: until it speaks
                // of the ring that follows, nothing new is taken.
                self.ring_pending = true;
            }
            if !members.iter().any(|other| other.node == member.node) {
                self.lost.insert(member.node, (now, *reason));
            }
        }
        self.lost.retain(|node, _| !members.iter().any(|member| member.node == *node));
        let grew = members.iter().any(|member| !self.view.contains(member));
        self.view = members;
        self.new_view();
        self.forget_acks();
        if grew {
            // Whoever comes back may have announced our addresses on the other side of a split.
            for name in self.active() {
                self.actions.push_back(Action::Announce { name });
            }
        }
        if self.is_coordinator() {
            let round = self.new_round(me);
            self.multicast(GroupMessage::SyncStart { round });
        }
    }

    fn new_view(&mut self) {
        self.sync = Sync::Waiting;
        self.operational = false;
        self.taking.clear();
        self.closing.clear();
    }

    pub(super) fn delivered(&mut self, from: Member, message: GroupMessage, now: Time) {
        if !self.view.contains(&from) {
            return;
        }
        match message {
            GroupMessage::SyncStart { round } => self.say_hello(round),
            GroupMessage::Hello(hello) => self.hear_hello(from, *hello, now),
            GroupMessage::Snapshot { round, state } => self.take_snapshot(from, round, *state, now),
            GroupMessage::Command { seq, command } => self.apply_command(from, seq, &command, now),
            GroupMessage::Ack { of, seq, written } => self.acknowledged(from, of, seq, written),
            other => self.change_ledger(from, other),
        }
        if self.operational && self.sync == Sync::InStep {
            let candidates = self.ledger.candidates(&self.view, &self.state);
            self.ledger.assign(&self.state, &candidates);
        }
    }

    fn say_hello(&mut self, round: Round) {
        self.sync = Sync::Collecting { round, hellos: BTreeMap::new() };
        self.operational = false;
        let hello = Hello {
            round,
            program: self.settings.program.clone(),
            epoch: self.state.epoch,
            version: self.state.version,
            hash: self.state.hash(),
            holds: self.held(),
            active: self.active(),
            ledger: self.had_ledger.then(|| self.ledger.clone()),
            leaving: self.leaving.is_some(),
        };
        self.multicast(GroupMessage::Hello(Box::new(hello)));
    }

    fn hear_hello(&mut self, from: Member, hello: Hello, now: Time) {
        let Sync::Collecting { round, hellos } = &mut self.sync else { return };
        if hello.round != *round {
            return;
        }
        let round = *round;
        hellos.insert(from, hello);
        let Some(verdict) = judge(&self.view, hellos) else { return };
        self.ledger = Ledger::merge(hellos);
        if verdict.snapshot_needed {
            self.sync = Sync::AwaitingSnapshot { round, donor: verdict.donor };
            if self.member == Some(verdict.donor) {
                self.multicast(GroupMessage::Snapshot { round, state: Box::new(self.state.clone()) });
            }
        } else {
            self.in_step(now);
        }
    }

    fn take_snapshot(&mut self, from: Member, round: Round, state: ClusterState, now: Time) {
        if self.sync != (Sync::AwaitingSnapshot { round, donor: from }) {
            return;
        }
        if self.state != state {
            self.state = state;
            self.persist(None);
        }
        self.in_step(now);
    }

    fn in_step(&mut self, now: Time) {
        self.sync = Sync::InStep;
        self.had_ledger = true;
        self.in_step_since = now;
        for name in self.state.vips.keys() {
            // Nobody here remembers it: somebody who is not here may have had it.
            self.ledger.slots.entry(name.clone()).or_insert(Slot::Lost { node: None });
        }
        self.repeat_proposals();
    }

    /// Applied by all members or by none: only in step, and only once quorum was confirmed in this
    /// view, both of which all members see at the same point.
    fn apply_command(&mut self, from: Member, seq: u64, command: &Command, now: Time) {
        let begins = matches!(command, Command::BeginEpoch { .. });
        let mine = self.member == Some(from);
        if self.sync != Sync::InStep || !(self.operational || begins) {
            if mine {
                self.turned_away(seq);
            }
            return;
        }
        let result = self.state.apply(command);
        if begins && self.view.first() == Some(&from) {
            self.operational = true;
        }
        match result {
            Err(failure) if mine => self.refused(seq, failure),
            Err(_) => {}
            Ok(()) => {
                if let Command::AddVip { name, .. } = command {
                    self.ledger.slots.entry(name.clone()).or_insert(Slot::Free);
                }
                if mine {
                    self.applied(seq, now);
                }
                self.persist(Some((from, seq)));
            }
        }
    }

    fn change_ledger(&mut self, from: Member, message: GroupMessage) {
        if let Sync::Collecting { hellos, .. } = &mut self.sync {
            // The ledger is about to be put together anew: what was said since the Hello counts.
            if let Some(hello) = hellos.get_mut(&from) {
                match &message {
                    GroupMessage::Released { vip } => {
                        hello.holds.remove(vip);
                        hello.active.remove(vip);
                    }
                    GroupMessage::Leaving => hello.leaving = true,
                    GroupMessage::Report { vip, outcome: Outcome::Active } => {
                        hello.active.insert(vip.clone());
                    }
                    _ => {}
                }
            }
        }
        let candidates = self.ledger.candidates(&self.view, &self.state);
        let operational = self.operational && self.sync == Sync::InStep;
        match message {
            GroupMessage::Released { vip } => {
                if self.member == Some(from) {
                    self.releases_under_way = self.releases_under_way.saturating_sub(1);
                }
                self.ledger.released(&vip, from.node, &candidates);
            }
            GroupMessage::Take { vip } => {
                let lost = matches!(self.ledger.slots.get(&vip), Some(Slot::Lost { .. }));
                if operational && lost && candidates.contains(&from.node) && !self.state.maintenance {
                    self.ledger.slots.insert(vip, Slot::held(from.node));
                }
            }
            GroupMessage::Report { vip, outcome } => {
                let Some(Slot::Held { node, active, .. }) = self.ledger.slots.get_mut(&vip) else { return };
                if *node != from.node {
                    return;
                }
                match outcome {
                    Outcome::Active => {
                        *active = true;
                        self.ledger.problems.remove(&vip);
                    }
                    Outcome::Failed(code) => {
                        self.ledger.slots.insert(vip.clone(), Slot::Free);
                        self.ledger.unable.insert((vip.clone(), from.node));
                        self.ledger.problems.insert(vip, code);
                    }
                }
            }
            GroupMessage::Retry => self.ledger.unable.clear(),
            GroupMessage::Move { vips, to } if operational => {
                for vip in vips {
                    self.ledger.unable.remove(&(vip.clone(), to));
                    if let Some(Slot::Held { node, to: goal, .. }) = self.ledger.slots.get_mut(&vip) {
                        *goal = (*node != to).then_some(to);
                    }
                }
            }
            GroupMessage::Leaving => {
                self.ledger.leaving.insert(from.node);
            }
            _ => {}
        }
    }
}
