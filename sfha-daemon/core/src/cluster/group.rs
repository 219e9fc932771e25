//! What the group says: membership, rounds of synchronisation, ordered messages.

use std::collections::{BTreeMap, BTreeSet};

use sfha_proto::ErrorCode;
use sfha_proto::status::StateVersion;

use super::removal::removes;
use super::{Begin, Cluster, QuorumView};
use crate::command::Command;
use crate::event::LeaveReason;
use crate::fencing::FencingEvent;
use crate::ledger::{Ledger, Slot};
use crate::message::{GroupMessage, Hello, Member, Outcome, Round};
use crate::qdevice::Qdevice;
use crate::state::{Age, ClusterState, NodeId};
use crate::sync::{Sync, judge};
use crate::time::Time;

impl Cluster {
    pub(super) fn disconnected(&mut self, now: Time) {
        self.member = None;
        self.silent_since = None;
        self.quorum = None;
        self.votes = None;
        self.device = None;
        self.awaits_device = None;
        self.ring = None;
        self.ring_pending = false;
        self.gone.clear();
        self.left_behind.clear();
        self.broken = false;
        self.was_established = false;
        self.given_back.clear();
        self.persists.values_mut().for_each(Vec::clear);
        self.unwritten = self.unwritten.take().map(|(at, _)| (at, Vec::new()));
        self.view.clear();
        self.new_view();
        self.ledger = Ledger::default();
        self.had_ledger = false;
        self.releases_under_way = 0;
        self.lost.clear();
        self.removal = None;
        self.gone_since.clear();
        self.had.clear();
        self.stir_all();
        self.fail_requests(ErrorCode::NoQuorum, now);
    }

    pub(super) fn hear_quorum(&mut self, quorum: QuorumView, now: Time) {
        let awaited = self.awaits_device.take();
        if quorum.quorate && !self.is_quorate() {
            if awaited == Some(true) {
                // It would have said no here before it said yes to others.
                self.broken = false;
            } else {
                self.given_the_vote(&quorum.members, now);
            }
        }
        if !quorum.quorate {
            self.broken = true;
            self.confirmed = self.confirmed.filter(|confirmed| *confirmed != quorum.ring);
        }
        if let Some(before) = self.quorum.replace(quorum)
            && let Some(after) = &self.quorum
            && after.members.difference(&before.members).next().is_some()
        {
            let missing: Vec<NodeId> = before.members.difference(&after.members).copied().collect();
            for node in missing {
                self.lost_early(node, now);
            }
        }
        self.judge_left_behind(now);
        if !self.is_quorate() {
            self.drop_fencing_proposals(ErrorCode::NoQuorum, now);
        }
    }

    /// This side has quorum by the vote of a device, which others may have had until a moment ago: they take
    /// longer than the device to notice that they lost it.
    fn given_the_vote(&mut self, members: &BTreeSet<NodeId>, now: Time) {
        if self.state.corosync.qdevice.is_none() {
            return;
        }
        let until = now + Qdevice::skew(&self.state.corosync.profile);
        let missing: Vec<NodeId> =
            self.state.nodes.keys().copied().filter(|node| !members.contains(node)).collect();
        for node in missing {
            self.strayed_until = self.strayed_until.max(Some(until));
            self.lost_until(node, until);
        }
    }

    /// Nodes were lost, and Corosync waits for the device's word on who goes on, with its old quorum: this
    /// side has none meanwhile, unless it has enough votes of its own.
    fn await_device(&mut self) {
        let (Some(quorum), Some((.., needed)), Some(_)) = (&mut self.quorum, self.votes, self.device) else {
            return;
        };
        let gone: BTreeSet<NodeId> = self.gone.iter().map(|member| member.node).collect();
        let left = quorum.members.difference(&gone).count();
        let spoken = quorum.members.is_disjoint(&gone);
        if quorum.quorate && !spoken && u32::try_from(left).is_ok_and(|left| left < needed) {
            quorum.quorate = false;
            self.awaits_device = Some(!self.broken);
            self.broken = true;
        }
    }

    /// A node that went down and is in the ring that follows has only been restarted: that is what
    /// made this side look for a new ring, before it missed whoever else went.
    pub(super) fn judge_left_behind(&mut self, now: Time) {
        let Some(quorum) = self.quorum.as_ref().filter(|_| self.ring_agrees()) else { return };
        let gone = std::mem::take(&mut self.left_behind);
        let (back, missing): (Vec<NodeId>, Vec<NodeId>) =
            gone.iter().map(|member| member.node).partition(|node| quorum.members.contains(node));
        if !back.is_empty() {
            for node in missing {
                self.lost_early(node, now);
            }
        }
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
            if *reason == LeaveReason::Leave && self.has_let_go(member.node) {
                self.fencing.handle(FencingEvent::Left { node: member.node }, now);
            } else {
                self.gone_since.insert(member.node);
            }
            let delay = if *reason == LeaveReason::NodeDown {
                // The quorum service may not have said yet what this does to quorum: until it speaks
                // of the ring that follows, nothing new is taken.
                self.ring_pending = true;
                self.gone.insert(*member);
                self.strayed_until = self.strayed_until.max(Some(now + self.settings.node_lost_delay));
                self.settings.node_lost_delay
            } else {
                self.settings.daemon_lost_delay
            };
            self.lost_until(member.node, now + delay);
        }
        // While one word was awaited, others may have been given theirs.
        self.awaits_device = self.awaits_device.map(|_| false);
        self.await_device();
        // Who went and is back before there was a ring without them has been in another one meanwhile.
        // When those who stayed are the fewer, it is this side that was cut off, and hears of it last.
        let stayed = members.difference(&self.gone).filter(|member| self.view.contains(member)).count();
        let back = self.gone.iter().any(|member| members.contains(member));
        self.broken |= back && 2 * stayed < self.state.nodes.len();
        if self.ring_pending && members.iter().any(|member| !self.view.contains(member)) {
            let gone: Vec<NodeId> = self.gone.iter().map(|member| member.node).collect();
            for node in gone {
                self.lost_early(node, now);
            }
        }
        self.lost.retain(|node, _| !members.iter().any(|member| member.node == *node));
        let grew = members.iter().any(|member| !self.view.contains(member));
        self.view = members;
        self.new_view();
        self.silent_since = None;
        // Whoever is here now is not who the command was about.
        self.drop_fencing_proposals(ErrorCode::Synchronising, now);
        self.forget_acks();
        self.fail_announcements(ErrorCode::Synchronising);
        // Whoever comes back may have announced our addresses on the other side of a split.
        self.announce |= grew;
        if self.is_coordinator() {
            let round = self.new_round(me);
            self.multicast(GroupMessage::SyncStart { round });
        }
    }

    /// Whoever is in a new ring and was told of no change of its members begins anew with the same ones.
    ///
    /// A node that was alone for a moment can be back before its Corosync has told its group: it hears of no
    /// change then, and those who saw it go and come back wait for a round (seen with Corosync 3.1.7, when a
    /// second ring follows before the services of the first are synchronised). Whether others had quorum
    /// without it, their Hello tells.
    pub(super) fn notice_silent_ring(&mut self, now: Time) {
        if self.member.is_none() || self.sync == Sync::Waiting {
            return;
        }
        self.new_view();
        self.silent_since = Some(now);
        if self.is_coordinator() {
            self.ask_round();
        }
    }

    /// A node was left behind by a ring that others joined: the newcomers made this side look for a new
    /// ring at once, and it has still to find out that its token is lost.
    fn lost_early(&mut self, node: NodeId, now: Time) {
        let until = now + self.settings.node_lost_delay + self.settings.daemon_lost_delay;
        self.strayed_until = self.strayed_until.max(Some(until));
        self.lost_until(node, until);
    }

    fn lost_until(&mut self, node: NodeId, until: Time) {
        let known = self.lost.entry(node).or_insert(until);
        *known = (*known).max(until);
    }

    fn new_view(&mut self) {
        self.sync = Sync::Waiting;
        self.not_operational();
        self.taking.clear();
        self.closing.clear();
    }

    fn not_operational(&mut self) {
        self.operational = false;
        self.confirmed = None;
        self.confirming = None;
        self.established = false;
        self.begin = None;
        self.asked_round = false;
        self.stir_all();
    }

    pub(super) fn delivered(&mut self, from: Member, message: GroupMessage, now: Time) {
        if !self.view.contains(&from) {
            return;
        }
        // What changes neither the state nor the ledger moves nothing.
        let decides = !matches!(
            message,
            GroupMessage::Ack { .. } | GroupMessage::Command { .. } | GroupMessage::Announce { .. }
        );
        match message {
            GroupMessage::SyncStart { round } => self.say_hello(round, now),
            GroupMessage::Quorate { ring } => {
                if self.sync == Sync::InStep && self.view.first() == Some(&from) {
                    self.operational = true;
                    self.stir_all();
                    self.confirmed = Some(ring);
                }
            }
            GroupMessage::Hello(hello) => self.hear_hello(from, *hello, now),
            GroupMessage::Snapshot { round, state } => self.take_snapshot(from, round, *state, now),
            GroupMessage::Command { seq, command } => self.hear_command(from, seq, command),
            GroupMessage::Apply { of, seq, command } => self.apply_command(from, of, seq, &command, now),
            GroupMessage::Ack { of, seq, written } => self.acknowledged(from, of, seq, written),
            GroupMessage::Announce { names } => self.announcement_heard(from, &names),
            other => self.change_ledger(from, other),
        }
        if decides {
            self.place();
        }
    }

    fn say_hello(&mut self, round: Round, now: Time) {
        self.sync = Sync::Collecting { round, hellos: BTreeMap::new() };
        self.not_operational();
        self.round_ring = self.quorum.as_ref().map(|quorum| quorum.ring);
        self.round_ring = self.round_ring.filter(|_| self.is_quorate() && self.ring_agrees());
        let wait = |(node, until): (&NodeId, &Time)| (*node, until.ms_from(now));
        let hello = Hello {
            round,
            program: self.settings.program.clone(),
            age: self.state.age(),
            hash: self.hash(),
            holds: self.held_things(),
            active: self.active(),
            ledger: self.had_ledger.then(|| self.ledger.clone()),
            unbroken: self.is_quorate() && !self.broken && self.ring_agrees(),
            broken: self.broken,
            waits: self.lost.iter().map(wait).collect(),
            strayed: self.strayed_until.map(|until| until.ms_from(now)),
            gone: self.gone_and_dangerous(),
            failures: self.failures.iter().map(|(name, record)| (name.clone(), record.told())).collect(),
            verdicts: self.verdicts.clone(),
            strays: self.strays.clone(),
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
        let (Age { epoch, version, .. }, hash) = (hello.age, hello.hash.clone());
        // They began an epoch that this node was not told to be away from.
        self.broken |= self.silent_since.is_some() && epoch > self.state.epoch;
        self.told.insert(from.node, (hello.program.clone(), StateVersion { epoch, version, hash }));
        hellos.insert(from, hello);
        let Some(verdict) = judge(&self.view, hellos) else { return };
        let margin = u64::try_from(self.settings.unit_margin.as_millis()).unwrap_or(u64::MAX);
        let merged = Ledger::merge(hellos, margin);
        // A member that has just come from another side knows less about who was lost when.
        let waits: Vec<(NodeId, i64)> =
            hellos.values().flat_map(|hello| hello.waits.iter().map(|(node, wait)| (*node, *wait))).collect();
        let strayed = hellos.values().filter_map(|hello| hello.strayed).max();
        self.strayed_until = self.strayed_until.max(strayed.map(|wait| now.offset_ms(wait)));
        self.ledger = merged;
        self.stir_all();
        for (node, wait) in waits {
            if !self.view.iter().any(|member| member.node == node) {
                self.lost_until(node, now.offset_ms(wait));
            }
        }
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
            self.hash.take();
            self.fencing.configure(super::fencing::settings(&self.state), now);
            let fencing = Box::new(self.state.fencing.clone());
            self.fencing.handle(FencingEvent::Snapshot { state: fencing }, now);
            self.persist(Vec::new());
        }
        self.in_step(now);
    }

    fn in_step(&mut self, now: Time) {
        self.sync = Sync::InStep;
        self.silent_since = None;
        self.had_ledger = true;
        self.gone_since.clear();
        self.in_step_since = now;
        self.reshaped(u64::MAX);
        self.created.clear();
        self.ledger.complete(&self.state, &self.order, &self.daemons());
        self.repeat_proposals();
    }

    /// The member with the lowest id puts commands in their order.
    fn hear_command(&mut self, from: Member, seq: u64, command: Command) {
        if self.sync == Sync::InStep && self.established {
            if self.is_coordinator() {
                self.multicast(GroupMessage::Apply { of: from, seq, command });
            }
        } else if self.member == Some(from) {
            self.turned_away(seq);
        }
    }

    /// Applied by all members or by none: only in step, and only in an epoch that is on most disks,
    /// both of which all members see at the same point.
    fn apply_command(&mut self, from: Member, of: Member, seq: u64, command: &Command, now: Time) {
        let begins = self.operational && matches!(command, Command::BeginEpoch { .. });
        let mine = self.member == Some(of);
        let in_order = self.sync == Sync::InStep && self.view.first() == Some(&from);
        if !in_order || !(self.established || begins) {
            if mine {
                self.turned_away(seq);
            }
            return;
        }
        let refusal = removes(command).and_then(|node| self.cannot_go(node));
        let shape = self.shape();
        match refusal.map_or_else(|| self.state.apply(command), Err) {
            Err(failure) if mine => self.refused(seq, failure, now),
            Err(_) => {}
            Ok(()) => {
                self.hash.take();
                if self.shape() != shape {
                    self.reshaped(shape.0);
                    self.open_slots();
                }
                self.fencing_applied(command, now);
                if begins {
                    self.begin = Some(Begin { by: of, seq, written: BTreeSet::new() });
                    self.established = false;
                }
                if mine {
                    self.applied(seq, now);
                }
                self.follow_removal(of, seq, command, now);
                self.persist(vec![(of, seq)]);
            }
        }
    }

    /// What was added just now is nobody's.
    fn open_slots(&mut self) {
        for name in self.state.vips.keys() {
            if !self.ledger.slots.contains_key(name) {
                self.ledger.slots.insert(name.clone(), Slot::Free);
            }
        }
        for name in self.state.services.keys() {
            if !self.ledger.slots.contains_key(name) {
                self.ledger.slots.insert(name.clone(), Slot::Free);
                self.created.insert(name.clone());
            }
        }
    }

    /// The ledger is about to be put together anew: what was said since the Hello counts.
    fn amend_hello(hello: &mut Hello, from: Member, message: &GroupMessage) {
        match message {
            GroupMessage::Released { name } => {
                hello.holds.remove(name);
                hello.active.remove(name);
            }
            GroupMessage::Report { name, outcome } => {
                hello.active.remove(name);
                match outcome {
                    Outcome::Active => {
                        hello.active.insert(name.clone());
                    }
                    Outcome::Failed(_) => {
                        hello.holds.remove(name);
                    }
                    Outcome::Idle(_) | Outcome::Stuck(_) => {}
                }
                let Some(ledger) = &mut hello.ledger else { return };
                match outcome {
                    Outcome::Failed(code) => {
                        ledger.unable.entry(name.clone()).or_default().insert(from.node);
                        ledger.problems.insert(name.clone(), code.clone());
                    }
                    Outcome::Stuck(code) => {
                        ledger.stuck.insert(name.clone(), from.node);
                        ledger.problems.insert(name.clone(), code.clone());
                    }
                    Outcome::Idle(Some(code)) => {
                        ledger.problems.insert(name.clone(), code.clone());
                    }
                    Outcome::Active | Outcome::Idle(None) => {}
                }
            }
            GroupMessage::Leaving => hello.leaving = true,
            GroupMessage::Failures { name, failures } => {
                hello.failures.insert(name.clone(), *failures);
            }
            GroupMessage::Checked { name, verdict } => match verdict {
                Some(verdict) => drop(hello.verdicts.insert(name.clone(), verdict.clone())),
                None => drop(hello.verdicts.remove(name)),
            },
            GroupMessage::Stray { name, runs: true } => drop(hello.strays.insert(name.clone())),
            GroupMessage::Stray { name, runs: false } => drop(hello.strays.remove(name)),
            _ => {}
        }
    }

    fn change_ledger(&mut self, from: Member, message: GroupMessage) {
        if let Sync::Collecting { hellos, .. } = &mut self.sync
            && let Some(hello) = hellos.get_mut(&from)
        {
            Self::amend_hello(hello, from, &message);
        }
        let candidates = self.ledger.candidates(&self.view, &self.state);
        let operational = self.operational && self.sync == Sync::InStep;
        let mine = self.member == Some(from);
        self.stir_by(from, &message);
        match message {
            GroupMessage::Released { name } => {
                if mine {
                    self.releases_under_way = self.releases_under_way.saturating_sub(1);
                    self.given_back.remove(&name);
                }
                self.ledger.released(&name, from.node, operational.then_some(&candidates));
            }
            GroupMessage::Take { name } => {
                if mine {
                    self.taking.remove(&name);
                }
                if operational && candidates.contains(&from.node) && !self.state.maintenance {
                    self.ledger.taken(&name, from.node, &self.state, &self.order);
                }
            }
            GroupMessage::Report { name, outcome } => {
                if mine && matches!(outcome, Outcome::Failed(_)) {
                    self.given_back.remove(&name);
                }
                self.ledger.reported(&name, from.node, &outcome);
            }
            GroupMessage::Retry => self.ledger.retry(&self.state),
            GroupMessage::Move { names, to } if operational => {
                if mine {
                    self.move_heard(&names, to);
                }
                for name in names {
                    self.move_to(name, to);
                }
            }
            GroupMessage::Leaving => {
                self.ledger.leaving.insert(from.node);
            }
            GroupMessage::Failures { name, failures } => self.ledger.failed(&name, from.node, failures),
            GroupMessage::Checked { name, verdict } => {
                let verdicts = self.ledger.verdicts.entry(name).or_default();
                match verdict {
                    Some(verdict) => drop(verdicts.insert(from.node, verdict)),
                    None => drop(verdicts.remove(&from.node)),
                }
            }
            GroupMessage::Conflict { name, by } => self.ledger.claimed(&name, by),
            GroupMessage::Stray { name, runs: true } => {
                self.ledger.strays.insert((name, from.node));
            }
            GroupMessage::Stray { name, runs: false } => {
                self.ledger.strays.remove(&(name, from.node));
            }
            _ => {}
        }
    }

    /// An operator wants it there, whatever has failed there before.
    fn move_to(&mut self, name: String, to: NodeId) {
        self.ledger.failed(&name, to, Default::default());
        if to == self.settings.me {
            self.forget_failures(&name);
        }
        match self.ledger.slots.get_mut(&name) {
            Some(Slot::Held { node, to: goal, .. }) => *goal = (*node != to).then_some(to),
            Some(Slot::Free) => {
                self.ledger.goals.insert(name.clone(), to);
            }
            Some(Slot::Lost { .. }) | None => {}
        }
        self.ledger.kept.insert(name);
    }
}
