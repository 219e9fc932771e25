//! The second half of every turn: what follows from how things stand now.

use std::time::Duration;

use super::{Cluster, RETRY_UNABLE};
use crate::action::Action;
use crate::command::Command;
use crate::ledger::Slot;
use crate::message::GroupMessage;
use crate::sync::Sync;
use crate::time::Time;

/// Time that a stopping daemon waits for its last messages to come back.
const LEAVE_PATIENCE: Duration = Duration::from_millis(500);

/// Time that a node in a ring that it was not told of leaves to the member with the lowest id, which may stand still.
const SILENCE: Duration = Duration::from_millis(100);

impl Cluster {
    pub(super) fn settle(&mut self, now: Time) {
        self.notice_removal(now);
        self.mend();
        self.break_silence(now);
        self.reconcile(now);
        self.announce_again();
        self.coordinate(now);
        self.tell_corosync(now);
        self.fence(now);
        self.take_lost(now);
        self.send_proposals();
        self.persist_again(now);
        self.answer_requests(now);
        self.leave_when_done(now);
    }

    /// When to call again with [`crate::Event::Tick`] if nothing happens before, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.deadlines().min()
    }

    /// Everything that is to be looked at again at some time.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let takeover = self.own_takeovers().map(|(_, at)| (at, "takeover"));
        let leaves = !self.left && self.holds.is_empty() && self.farewell().is_none();
        let leave = self.leaving.filter(|_| leaves).map(|at| (at + LEAVE_PATIENCE, "leave"));
        let retry = self.retry_unable_at.map(|at| (at, "retry-unable"));
        takeover
            .chain(self.holding_deadlines())
            .chain(self.service_deadlines())
            .chain(self.request_deadlines())
            .chain(self.removal_deadlines())
            .chain(self.fencing.poll_timeout())
            .chain(leave)
            .chain(retry)
            .chain(self.silence_ends().map(|at| (at, "silent-ring")))
    }

    /// After a break: whole again when quorum was confirmed for the ring that this node is in. When
    /// quorum was lost and is back without a change of the group, a round has to come first.
    fn mend(&mut self) {
        let ready = self.operational && self.sync == Sync::InStep && self.is_quorate() && self.ring_agrees();
        if !self.broken || !ready {
            return;
        }
        if self.confirmed == self.quorum.as_ref().map(|quorum| quorum.ring) {
            self.broken = false;
        } else {
            self.ask_round();
        }
    }

    /// When a round that nobody begins is asked for by whoever misses it.
    fn silence_ends(&self) -> Option<Time> {
        let waits = self.sync == Sync::Waiting && !self.asked_round;
        self.silent_since.filter(|_| waits).map(|since| since + SILENCE)
    }

    fn break_silence(&mut self, now: Time) {
        if self.silence_ends().is_some_and(|at| at <= now) {
            self.ask_round();
        }
    }

    pub(super) fn ask_round(&mut self) {
        if let (false, Some(me)) = (self.asked_round, self.member) {
            self.asked_round = true;
            let round = self.new_round(me);
            self.multicast(GroupMessage::SyncStart { round });
        }
    }

    /// Confirms quorum, and begins an epoch where most nodes are here.
    fn confirm(&mut self, now: Time) {
        let quorate = self.is_quorate() && self.ring_agrees();
        let Some(ring) = self.quorum.as_ref().map(|quorum| quorum.ring).filter(|_| quorate) else { return };
        if self.broken && !self.operational && self.round_ring != Some(ring) {
            // The ledger was agreed on without quorum: what it calls free, others may have taken since.
            self.ask_round();
            return;
        }
        if !self.operational && self.confirming != Some(ring) {
            self.confirming = Some(ring);
            self.multicast(GroupMessage::Quorate { ring });
        }
        let pending = self.has_own_proposal(|command| matches!(command, Command::BeginEpoch { .. }));
        if self.operational && self.begin.is_none() && !pending && self.may_begin() {
            self.propose(None, Command::BeginEpoch { after: self.state.epoch }, now);
        }
    }

    /// What one member does for all.
    fn coordinate(&mut self, now: Time) {
        if !self.is_coordinator() || self.sync != Sync::InStep || self.left || self.is_removed() {
            self.retry_unable_at = None;
            return;
        }
        self.confirm(now);
        if !self.operational || self.leaving.is_some() {
            self.retry_unable_at = None;
            return;
        }
        if self.established {
            self.close_invites(now);
        }
        if self.ledger.waiting_for_a_node(&self.state).is_empty() {
            self.retry_unable_at = None;
        } else if self.retry_unable_at.is_none() {
            self.retry_unable_at = Some(now + RETRY_UNABLE);
        } else if self.retry_unable_at.is_some_and(|at| at <= now) {
            self.retry_unable_at = Some(now + RETRY_UNABLE);
            self.multicast(GroupMessage::Retry);
        }
    }

    /// The key of an invite dies when the node that it let in is a member.
    fn close_invites(&mut self, now: Time) {
        let daemons = self.daemons();
        let arrived: Vec<String> = self
            .state
            .invites
            .iter()
            .filter(|(id, invite)| {
                let here = invite.redeemed.as_ref().is_some_and(|redeemed| daemons.contains(&redeemed.node));
                !invite.closed && here && !self.closing.contains(*id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in arrived {
            self.closing.insert(id.clone());
            self.propose(None, Command::CloseInvite { id }, now);
        }
    }

    /// Lost resources that this node is to take, and from when on it may.
    fn own_takeovers(&self) -> impl Iterator<Item = (&String, Time)> + '_ {
        let may = self.may_acquire() && !self.state.maintenance;
        let forgets = self.ledger.known.first() == Some(&self.settings.me);
        self.ledger.slots.iter().filter(move |_| may).filter_map(move |(name, slot)| {
            let Slot::Lost { node } = slot else { return None };
            let configured = self.state.vips.contains_key(name) || self.state.services.contains_key(name);
            // Of a resource that was removed, the slot is taken too: to be forgotten.
            let mine = match configured {
                true => self.plan.targets.get(name) == Some(&self.settings.me),
                false => forgets,
            };
            let stuck = self.ledger.stuck.get(name).is_some_and(|by| !self.is_harmless(*by));
            let barred = self.taking.contains(name) || self.ledger.is_stale(name) || stuck;
            let at = self.takeover_at(name, *node).filter(|_| mine && !barred)?;
            Some((name, at))
        })
    }

    fn take_lost(&mut self, now: Time) {
        let due: Vec<String> =
            self.own_takeovers().filter(|(_, at)| *at <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.taking.insert(name.clone());
            self.multicast(GroupMessage::Take { name });
        }
    }

    fn leave_when_done(&mut self, now: Time) {
        let Some(since) = self.leaving.filter(|_| !self.left && self.holds.is_empty()) else { return };
        if self.farewell().is_some_and(|until| until > now) {
            return;
        }
        let said = self.releases_under_way == 0 || self.member.is_none();
        if said || now.since(since) >= LEAVE_PATIENCE {
            self.left = true;
            self.actions.push_back(Action::Leave);
        }
    }
}
