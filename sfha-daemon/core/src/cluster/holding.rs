//! What this node has, addresses on its interfaces and units that run, and what it does about it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Cluster;
use crate::action::{Action, ActionId};
use crate::ledger::{Slot, Thing};
use crate::message::{GroupMessage, Outcome};
use crate::resources::Service;
use crate::state::{NodeId, Vip};
use crate::time::Time;

/// One resource that this node has, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) what: What,
    pub(super) phase: Phase,
}

/// A resource as it was when it was taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Vip(Vip),
    Service {
        /// With the stop time that it was given out with: the others count on it.
        service: Service,
        /// How long at most it runs when this node has to give everything up.
        gone_within: Duration,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Acquiring(ActionId),
    Active,
    /// A service that has failed; it is started again or stopped when nothing that depends on it is there.
    Broken(Ending),
    /// It goes. A VIP is no longer renewed: at `certain` the kernel has removed it, whatever the release says.
    Releasing {
        id: Option<ActionId>,
        /// Unknown while taking it on has not ended: only then does its last lease begin.
        certain: Option<Time>,
        acquiring: Option<ActionId>,
        retry: Time,
        tries: u32,
        failed: Option<Ending>,
    },
}

/// Why a resource is let go, where that is no order's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: String,
    pub(super) next: Next,
}

/// What comes after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Once more, here.
    Again,
    /// It is given back.
    Elsewhere,
    /// It stays with this node and does not run until its failures have expired.
    Rest,
}

/// Time between two tries to release an address.
const RELEASE_RETRY: Duration = Duration::from_millis(200);

/// Time between the first two tries to stop a service; then twice as long each time.
const STOP_RETRY: Duration = Duration::from_secs(1);

/// Longest time between two tries to stop a service.
const STOP_RETRY_LONGEST: Duration = Duration::from_secs(60);

impl What {
    pub(super) fn thing(&self) -> Thing {
        match self {
            Self::Vip(vip) => Thing::Address(vip.address.addr()),
            Self::Service { service, .. } => Thing::Unit(service.unit.clone()),
        }
    }

    pub(super) fn is_vip(&self) -> bool {
        matches!(self, Self::Vip(_))
    }
}

impl Hold {
    pub(super) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    fn is_releasing(&self) -> bool {
        matches!(self.phase, Phase::Releasing { .. })
    }
}

impl Cluster {
    /// This node may have that resource now.
    fn entitled(&self, name: &str, what: &What) -> bool {
        if !self.is_quorate() || self.broken || self.leaving.is_some() || self.given_back.contains(name) {
            return false;
        }
        let configured =
            match what {
                What::Vip(vip) => self.state.vips.get(name).is_some_and(|wanted| {
                    (wanted.address, &wanted.interface) == (vip.address, &vip.interface)
                }),
                What::Service { service, .. } => {
                    self.state.services.get(name).is_some_and(|wanted| wanted.unit == service.unit)
                }
            };
        let given = self.ledger.given.get(name).is_some_and(|given| given.thing == what.thing());
        configured && given && self.is_given_to(name, self.settings.me)
    }

    /// What is given out may stay there.
    pub(super) fn is_given_to(&self, name: &str, id: NodeId) -> bool {
        let Some(Slot::Held { node, .. }) = self.ledger.slots.get(name) else { return false };
        if *node != id {
            return false;
        }
        // Nothing is moved while the group does not agree, nor in maintenance.
        self.state.maintenance || !self.is_operational() || self.plan.targets.get(name) == Some(node)
    }

    /// This node may have it, and what must be there before it is.
    fn keeps(&self, name: &str, what: &What) -> bool {
        self.entitled(name, what) && self.firsts_stand(name)
    }

    /// Releases first, then takes: in this order, so that a turn never has more than it may.
    pub(super) fn reconcile(&mut self, now: Time) {
        self.note_unsure(now);
        let mut looked = self.take_stirred(now);
        self.judge_services(&looked, now);
        // A VIP waits for no service: what a client reaches goes first.
        let (vips, services): (Vec<&String>, Vec<&String>) = (looked.iter())
            .filter(|name| self.holds.contains_key(*name))
            .partition(|name| self.holds.get(*name).is_some_and(|hold| hold.what.is_vip()));
        for name in vips.into_iter().chain(services) {
            self.release_or_repair(name, now);
        }
        let certain: Vec<String> = self
            .holds
            .iter()
            .filter(|(_, hold)| {
                matches!(&hold.phase, Phase::Releasing { certain: Some(certain), .. } if *certain <= now)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in certain {
            self.let_go(&name);
        }
        self.look_at_more(&mut looked);
        self.give_back(&looked);
        self.stop_strays(&looked, now);
        let (wanted, held_back) = self.to_acquire(&looked, now);
        self.held_back = held_back;
        for (name, what) in wanted {
            let id = self.new_action();
            self.stir(&name);
            self.holds.insert(name.clone(), Hold { what: what.clone(), phase: Phase::Acquiring(id) });
            self.actions.push_back(match what {
                What::Vip(vip) => {
                    // What a member has just given up is nobody else's, and a move cannot wait for neighbours.
                    let probe = self.ledger.served.get(&name) != Some(&vip.address.addr());
                    Action::Acquire { id, name, vip, probe }
                }
                What::Service { service, .. } => Action::StartService { id, name, service },
            });
        }
    }

    fn release_or_repair(&mut self, name: &str, now: Time) {
        let Some(hold) = self.holds.get(name) else { return };
        match &hold.phase {
            Phase::Acquiring(_) | Phase::Active => {
                if !self.keeps(name, &hold.what) && self.may_let_go(name, now) {
                    self.release(name, None, now);
                }
            }
            Phase::Broken(ending) => {
                let (ending, again) = (ending.clone(), ending.next == Next::Again);
                let keeps = self.keeps(name, &hold.what);
                // Hands off, as long as it may stay; and first everybody hears that it does not stand.
                let hands_off = keeps && self.state.maintenance;
                let unheard =
                    keeps && matches!(self.ledger.slots.get(name), Some(Slot::Held { active: true, .. }));
                if hands_off || unheard || !self.may_let_go(name, now) {
                    return;
                }
                if keeps && again {
                    self.restart(name);
                } else {
                    self.release(name, Some(ending).filter(|_| !again), now);
                }
            }
            Phase::Releasing { id, retry, .. } => {
                if id.is_none() && *retry <= now {
                    self.release(name, None, now);
                }
            }
        }
    }

    /// What this node is to take and has not; and the first time at which more of it may be taken.
    fn to_acquire(&self, looked: &BTreeSet<String>, now: Time) -> (Vec<(String, What)>, Option<Time>) {
        if !self.may_acquire() {
            return (Vec::new(), None);
        }
        // What this node has not, of what is given to it: the others are many.
        let me = self.settings.me;
        let mine = |name: &&String| matches!(self.ledger.slots.get(*name), Some(Slot::Held { node, .. }) if *node == me);
        let new = || looked.iter().filter(mine).filter(|name| !self.holds.contains_key(*name));
        let vips = new().filter_map(|name| Some((name, What::Vip(self.state.vips.get(name)?.clone()))));
        let services = new().filter(|name| self.may_start(name));
        let services = services.filter_map(|name| Some((name, self.service_to_start(name)?)));
        let mut held_back: Option<Time> = None;
        let mut wanted = Vec::new();
        for (name, what) in vips.chain(services) {
            if !self.keeps(name, &what) {
                continue;
            }
            match self.strayed_until_for(name).filter(|until| now < *until) {
                Some(until) => held_back = Some(held_back.map_or(until, |other| other.min(until))),
                None => wanted.push((name.clone(), what)),
            }
        }
        (wanted, held_back)
    }

    fn service_to_start(&self, name: &str) -> Option<What> {
        let given = self.ledger.given.get(name)?;
        let mut service = self.state.services.get(name)?.clone();
        service.stop_timeout_ms = service.stop_timeout_ms.min(given.stop_ms);
        Some(What::Service { service, gone_within: Duration::from_millis(given.gone_ms) })
    }

    pub(super) fn release(&mut self, name: &str, failed: Option<Ending>, now: Time) {
        self.stir(name);
        let id = self.new_action();
        let lease = self.settings.daemon_lost_delay;
        let Some(hold) = self.holds.get_mut(name) else { return };
        let lease = hold.what.is_vip().then(|| now + lease);
        let (certain, acquiring, failed, tries) = match &hold.phase {
            Phase::Releasing { certain, acquiring, failed, tries, .. } => {
                (*certain, *acquiring, failed.clone(), *tries)
            }
            // One that has failed is over, with a failure to report.
            Phase::Acquiring(acquiring) if failed.is_none() => (None, Some(*acquiring), None, 0),
            Phase::Acquiring(_) | Phase::Active | Phase::Broken(_) => (lease, None, failed, 0),
        };
        hold.phase = Phase::Releasing { id: Some(id), certain, acquiring, retry: now, tries, failed };
        let name = name.to_owned();
        self.actions.push_back(match hold.what.clone() {
            What::Vip(vip) => Action::Release { id, name, vip },
            What::Service { service, .. } => Action::StopService { id, name, service },
        });
    }

    fn restart(&mut self, name: &str) {
        self.stir(name);
        let id = self.new_action();
        let Some(hold) = self.holds.get_mut(name) else { return };
        let What::Service { service, .. } = hold.what.clone() else { return };
        hold.phase = Phase::Acquiring(id);
        self.actions.push_back(Action::RestartService { id, name: name.to_owned(), service });
    }

    /// It is gone from this node for certain: the others may know.
    fn let_go(&mut self, name: &str) {
        let Some(hold) = self.holds.remove(name) else { return };
        self.stir(name);
        let failed = match hold.phase {
            Phase::Releasing { failed, .. } => failed,
            Phase::Acquiring(_) | Phase::Active | Phase::Broken(_) => None,
        };
        if let Some(Ending { next: Next::Rest, .. }) = &failed {
            self.resting.insert(name.to_owned());
        }
        if self.member.is_none() {
            return;
        }
        let name = name.to_owned();
        let stays = self.entitled(&name, &hold.what);
        match failed {
            Some(Ending { code, next: Next::Elsewhere }) => {
                self.given_back.insert(name.clone());
                self.multicast(GroupMessage::Report { name, outcome: Outcome::Failed(code) });
            }
            Some(Ending { code, next: Next::Rest }) if stays => {
                self.multicast(GroupMessage::Report { name, outcome: Outcome::Idle(Some(code)) });
            }
            // It has become this node's again meanwhile, or waits here for what must be there before it.
            _ if stays && hold.what.is_vip() && self.firsts_stand(&name) => {}
            _ if stays => self.multicast(GroupMessage::Report { name, outcome: Outcome::Idle(None) }),
            _ => self.say_released(name),
        }
    }

    /// From here until that is heard by all, in order, it is nobody's: not this node's either.
    fn say_released(&mut self, name: String) {
        self.stir(&name);
        self.given_back.insert(name.clone());
        self.releases_under_way += 1;
        self.multicast(GroupMessage::Released { name });
    }

    /// What was given to this node and it neither has nor may take goes back; so does what others wait for,
    /// though this node has not got it.
    fn give_back(&mut self, looked: &BTreeSet<String>) {
        if !self.is_operational() {
            return;
        }
        let me = self.settings.me;
        let mine = |slot: &Slot| matches!(slot, Slot::Held { node, .. } if *node == me);
        let here = |name: &String| self.holds.contains_key(name) || self.given_back.contains(name);
        let slots = looked.iter().filter_map(|name| Some((name, self.ledger.slots.get(name)?)));
        let slots = slots.filter(|(name, slot)| mine(slot) && !here(name) && !self.may_be_taken(name));
        let stale = self.ledger.stale.iter().filter(|(_, node)| *node == me).map(|(name, _)| name);
        let back: BTreeSet<String> =
            slots.map(|(name, _)| name).chain(stale.filter(|name| !here(name))).cloned().collect();
        for name in back {
            self.say_released(name);
        }
    }

    /// It is this node's, as it is configured now.
    pub(super) fn may_be_taken(&self, name: &str) -> bool {
        let vip = self.state.vips.get(name).map(|vip| What::Vip(vip.clone()));
        vip.or_else(|| self.service_to_start(name)).is_some_and(|what| self.entitled(name, &what))
    }

    /// The kernel removed it. Others may have it, and this node may be the last to know: it takes it
    /// only when the group, in order, gives it out again.
    pub(super) fn vanished(&mut self, name: &str, now: Time) {
        if self.holds.get(name).is_some_and(|hold| !hold.is_releasing()) {
            self.given_back.insert(name.to_owned());
            self.release(name, None, now);
        }
    }

    /// What this node has or may have, and services that were given to it and do not run yet: nobody else
    /// can have those.
    pub(super) fn held_things(&self) -> BTreeMap<String, Thing> {
        let mut things: BTreeMap<String, Thing> =
            self.holds.iter().map(|(name, hold)| (name.clone(), hold.what.thing())).collect();
        if self.is_quorate() && !self.broken {
            for name in self.state.services.keys().filter(|name| !self.given_back.contains(*name)) {
                let Some(given) = self.ledger.given.get(name) else { continue };
                let mine = matches!(self.ledger.slots.get(name), Some(Slot::Held { node, .. }) if *node == self.settings.me);
                if mine {
                    things.entry(name.clone()).or_insert_with(|| given.thing.clone());
                }
            }
        }
        things
    }

    /// Taking on or letting go ended. Returns false when the action was neither.
    pub(super) fn holding_finished(&mut self, id: ActionId, outcome: &Result<(), String>, now: Time) -> bool {
        let lease = self.settings.daemon_lost_delay;
        for (name, hold) in &mut self.holds {
            let vip = hold.what.is_vip();
            if let Phase::Releasing { certain, acquiring, .. } = &mut hold.phase
                && *acquiring == Some(id)
            {
                (*certain, *acquiring) = (vip.then(|| now + lease), None);
                let name = name.clone();
                self.stir(&name);
                return true;
            }
        }
        let found = self.holds.iter().find_map(|(name, hold)| match &hold.phase {
            Phase::Acquiring(own) if *own == id => Some((name.clone(), true)),
            Phase::Releasing { id: Some(own), .. } if *own == id => Some((name.clone(), false)),
            _ => None,
        });
        let Some((name, acquiring)) = found else { return self.stray_stopped(id, outcome.is_ok(), now) };
        self.stir(&name);
        match (acquiring, outcome) {
            (true, Ok(())) => {
                if let Some(hold) = self.holds.get_mut(&name) {
                    hold.phase = Phase::Active;
                }
                self.unit_runs(&name, true);
                self.multicast(GroupMessage::Report { name, outcome: Outcome::Active });
            }
            (true, Err(code)) => {
                let next = self.count_failure(&name, now);
                self.release(&name, Some(Ending { code: code.clone(), next }), now);
            }
            (false, Ok(())) => {
                self.unit_runs(&name, false);
                self.let_go(&name);
            }
            (false, Err(code)) => self.release_failed(&name, code, now),
        }
        true
    }

    fn release_failed(&mut self, name: &str, code: &str, now: Time) {
        let Some(hold) = self.holds.get_mut(name) else { return };
        let vip = hold.what.is_vip();
        let Phase::Releasing { id, retry, tries, .. } = &mut hold.phase else { return };
        let wait = if vip {
            RELEASE_RETRY
        } else {
            STOP_RETRY.saturating_mul(1 << (*tries).min(6)).min(STOP_RETRY_LONGEST)
        };
        (*id, *retry, *tries) = (None, now + wait, tries.saturating_add(1));
        if !vip && self.member.is_some() {
            let outcome = Outcome::Stuck(code.to_owned());
            self.multicast(GroupMessage::Report { name: name.to_owned(), outcome });
        }
    }

    /// When a resource whose holder was lost may be taken: after the last loss of any node, since a node
    /// that went may have taken it with its last message. With fencing on it is not time that tells: at once
    /// when they are harmless, and not before.
    pub(super) fn takeover_at(&self, name: &str, holder: Option<NodeId>) -> Option<Time> {
        // Nobody asks any more whether one that was removed is harmless: time has to tell.
        let fenced = holder.is_none_or(|node| self.state.nodes.contains_key(&node));
        if self.state.stonith.gates() && fenced {
            return self.nobody_may_have_it(holder).then_some(self.in_step_since);
        }
        let longer = self.unit_delay(name);
        let known = self.lost.values().copied().max().unwrap_or_default();
        if holder.is_some_and(|id| self.lost.contains_key(&id)) {
            return Some(known + longer);
        }
        // Nobody here saw it go. It may have had quorum until a moment ago, with nodes that are here
        // now and left it behind; or its daemon died a moment ago.
        let unseen = self.in_step_since + self.settings.node_lost_delay + self.settings.daemon_lost_delay;
        Some(known.max(unseen) + longer)
    }

    /// How much longer than an address that resource may be where it is no longer to be.
    fn unit_delay(&self, name: &str) -> Duration {
        match self.ledger.given.get(name) {
            Some(given) if matches!(given.thing, Thing::Unit(_)) => {
                Duration::from_millis(given.gone_ms) + self.settings.unit_margin
            }
            _ => Duration::ZERO,
        }
    }

    /// Until when a node that the ring lost may have that resource though nobody here knows. What the
    /// members agreed on since they lost it says where its services are, except for those that are new.
    fn strayed_until_for(&self, name: &str) -> Option<Time> {
        if self.state.vips.contains_key(name) {
            return self.strayed_until;
        }
        let strayed = self.strayed_until.filter(|_| self.created.contains(name))?;
        Some(strayed + self.unit_delay(name))
    }

    /// Deadlines of this file.
    pub(super) fn holding_deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let strayed = self.held_back.map(|at| (at, "strayed"));
        let holds = self.holds.iter().filter_map(|(name, hold)| match &hold.phase {
            Phase::Releasing { id: None, retry, certain, .. } => {
                Some((certain.map_or(*retry, |certain| certain.min(*retry)), "release-retry"))
            }
            Phase::Releasing { certain, .. } => certain.map(|certain| (certain, "lease-over")),
            Phase::Acquiring(_) | Phase::Active | Phase::Broken(_) => {
                self.must_let_go_at(name).map(|at| (at, "stop"))
            }
        });
        holds.chain(strayed)
    }
}
