//! What another member would be like, as far as this node knows: for `sfha simulate`.
//!
//! What all members agree on, the twin has, too. What a node knows of itself alone (what it holds, what its units
//! do, how often they have failed) is what it has told the others; what was under way when it was looked at has not
//! begun, so that the twin begins it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Cluster;
use super::fencing::Fed;
use super::holding::{Hold, Phase, What};
use super::services::Record;
use super::stir::Stirred;
use crate::event::UnitState;
use crate::fencing::{Fencing, FencingEvent};
use crate::ledger::Slot;
use crate::message::Member;
use crate::state::NodeId;
use crate::time::Time;

impl Cluster {
    /// The processes in the group, as this node sees it.
    pub(crate) fn members(&self) -> &BTreeSet<Member> {
        &self.view
    }

    /// The nodes of this node's ring, and the ring.
    pub(crate) fn online_ring(&self) -> Option<(super::Ring, &BTreeSet<NodeId>)> {
        let quorum = self.quorum.as_ref().filter(|_| self.member.is_some())?;
        Some((quorum.ring, &quorum.members))
    }

    /// How this cluster's members are set up.
    pub(crate) fn settings(&self) -> &super::Settings {
        &self.settings
    }

    /// Services that their holders could not stop.
    pub(crate) fn stuck(&self) -> impl Iterator<Item = (NodeId, &String)> + '_ {
        self.ledger.stuck.iter().map(|(name, node)| (*node, name))
    }

    /// That member's core.
    pub(crate) fn twin(&self, member: Member, now: Time) -> Self {
        let mut twin = self.clone();
        let me = member.node;
        twin.settings.me = me;
        twin.member = Some(member);
        twin.holds = self
            .state
            .vips
            .keys()
            .chain(self.state.services.keys())
            .filter_map(|name| Some((name.clone(), self.hold_of(me, name, now)?)))
            .collect();
        let running = |hold: &Hold| !hold.what.is_vip() && hold.is_active();
        let units = twin.holds.iter().filter(|(_, hold)| running(hold)).map(|(name, _)| name);
        let strays = self.ledger.strays.iter().filter(|(_, node)| *node == me).map(|(name, _)| name);
        twin.units = units.chain(strays).map(|name| (name.clone(), UnitState::Active)).collect();
        twin.verdicts = (self.ledger.verdicts.iter())
            .filter_map(|(name, verdicts)| Some((name.clone(), verdicts.get(&me)?.clone())))
            .collect();
        // What it goes on with although a check says no, it has decided on already.
        twin.tolerated = twin.units.keys().cloned().collect();
        twin.failures = BTreeMap::new();
        twin.resting = BTreeSet::new();
        for (name, failures) in &self.ledger.failures {
            let (Some(failures), Some(service)) = (failures.get(&me), self.state.services.get(name)) else {
                continue;
            };
            let times =
                VecDeque::from(vec![now; usize::try_from(failures.count).unwrap_or_default().min(1000)]);
            twin.failures.insert(name.clone(), Record { times, unable: failures.unable });
            if failures.count > service.restarts && !service.critical && !twin.holds.contains_key(name) {
                twin.resting.insert(name.clone());
            }
        }
        twin.strays =
            self.ledger.strays.iter().filter(|(_, node)| *node == me).map(|(name, _)| name.clone()).collect();
        twin.stray_stops = BTreeMap::new();
        twin.given_back = BTreeSet::new();
        twin.releases_under_way = 0;
        twin.taking = BTreeSet::new();
        twin.closing = BTreeSet::new();
        twin.leaving = self.ledger.leaving.contains(&me).then_some(now);
        twin.left = false;
        twin.unsure_since = None;
        twin.stirred = Stirred::default();
        twin.proposals = BTreeMap::new();
        twin.moves = BTreeMap::new();
        twin.persists = BTreeMap::new();
        twin.unwritten = None;
        // A begin that is not on most disks is made again.
        if !self.established {
            twin.begin = None;
        }
        // The invented Corosync tells who has quorum, the device's vote included.
        (twin.device, twin.awaits_device) = (None, None);
        twin.confirming = None;
        twin.asked_round = false;
        twin.actions = VecDeque::new();
        twin.fencing = Fencing::new(me, self.state.stonith.clone());
        let fencing = Box::new(self.state.fencing.clone());
        twin.fencing.handle(FencingEvent::Snapshot { state: fencing }, now);
        twin.fed = Fed::default();
        twin.watchdog = Some(self.state.fencing.watchdogs.get(&me).copied());
        twin
    }

    fn hold_of(&self, me: NodeId, name: &str, now: Time) -> Option<Hold> {
        let stuck = self.ledger.stuck.get(name) == Some(&me);
        let has =
            matches!(self.ledger.slots.get(name), Some(Slot::Held { node, active: true, .. }) if *node == me);
        let given = self.ledger.given.get(name).filter(|_| has || stuck)?;
        let what = match self.state.vips.get(name) {
            Some(vip) => What::Vip(vip.clone()),
            None => What::Service {
                service: self.state.services.get(name)?.clone(),
                gone_within: Duration::from_millis(given.gone_ms),
            },
        };
        let releasing = Phase::Releasing {
            id: None,
            certain: None,
            acquiring: None,
            retry: now + super::REQUEST_DEADLINE,
            tries: 6,
            failed: None,
        };
        Some(Hold { what, phase: if stuck { releasing } else { Phase::Active } })
    }

    /// Why nobody has that resource, as far as this member knows: a code, and what it waits for.
    pub(crate) fn why_not(&self, name: &str) -> (Option<String>, Option<String>) {
        let code = |text: &str| (Some(text.to_owned()), None);
        if !self.is_operational() {
            return code("no-quorum");
        }
        if self.state.maintenance {
            return code("maintenance");
        }
        if self.ledger.stuck.contains_key(name) {
            return code("stuck");
        }
        if matches!(self.ledger.slots.get(name), Some(Slot::Lost { .. })) && self.state.stonith.gates() {
            return code("not-harmless");
        }
        if let Some(first) = self.order.firsts(name).iter().find(|first| !self.is_there(first)) {
            return (Some("waits".to_owned()), Some(first.clone()));
        }
        if let Some(problem) = self.ledger.problems.get(name) {
            return (Some(problem.clone()), None);
        }
        if !self.plan.targets.contains_key(name) {
            return code("no-candidate");
        }
        (None, None)
    }

    fn is_there(&self, name: &str) -> bool {
        matches!(self.ledger.slots.get(name), Some(Slot::Held { active: true, .. }))
    }

    /// Something has to come first, or something else has to go before it.
    pub(crate) fn is_tied(&self, name: &str) -> bool {
        !self.order.chain(name).is_empty()
    }
}
