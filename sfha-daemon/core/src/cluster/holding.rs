//! What this node has on its own interfaces, and what it does about it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Cluster;
use crate::action::{Action, ActionId};
use crate::ledger::Slot;
use crate::message::{GroupMessage, Outcome};
use crate::state::{NodeId, Vip};
use crate::time::Time;

/// One VIP that is, or may be, on an interface of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    vip: Vip,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Acquiring(ActionId),
    Active,
    /// It is no longer renewed: at `certain` the kernel has removed it, whatever the release says.
    Releasing {
        id: Option<ActionId>,
        /// Unknown while taking it on has not ended: only then does its last lease begin.
        certain: Option<Time>,
        acquiring: Option<ActionId>,
        retry: Time,
        failed: Option<String>,
    },
}

/// Time between two tries to release.
const RELEASE_RETRY: std::time::Duration = std::time::Duration::from_millis(200);

impl Hold {
    pub(super) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }
}

impl Cluster {
    /// This node may have that VIP on an interface now.
    fn entitled(&self, name: &str, vip: &Vip) -> bool {
        if !self.is_quorate() || self.broken || self.leaving.is_some() || self.given_back.contains(name) {
            return false;
        }
        let given_out = self.ledger.addresses.get(name) == Some(&vip.address.addr());
        if !given_out || self.state.vips.get(name) != Some(vip) {
            return false;
        }
        let Some(Slot::Held { node, to, .. }) = self.ledger.slots.get(name) else { return false };
        if *node != self.settings.me {
            return false;
        }
        if self.state.maintenance {
            return true;
        }
        let candidates = self.ledger.candidates(&self.view, &self.state);
        let goes = to.is_some_and(|to| candidates.contains(&to));
        !goes && candidates.contains(&self.settings.me)
    }

    /// Releases first, then takes: in this order, so that a turn never has more than it may.
    pub(super) fn reconcile(&mut self, now: Time) {
        let release: Vec<String> = self
            .holds
            .iter()
            .filter(|(name, hold)| match &hold.phase {
                Phase::Acquiring(_) | Phase::Active => !self.entitled(name, &hold.vip),
                Phase::Releasing { id, retry, .. } => id.is_none() && *retry <= now,
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in release {
            self.release(&name, None, now);
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
        self.give_back();
        let wanted = self.to_acquire();
        self.held_back = now < self.strayed_until && !wanted.is_empty();
        if self.held_back {
            return;
        }
        for (name, vip) in wanted {
            let id = self.new_action();
            self.holds.insert(name.clone(), Hold { vip: vip.clone(), phase: Phase::Acquiring(id) });
            self.actions.push_back(Action::Acquire { id, name, vip });
        }
    }

    /// What this node is to take and has not.
    fn to_acquire(&self) -> Vec<(String, Vip)> {
        if !self.may_acquire() {
            return Vec::new();
        }
        let vips = self.state.vips.iter();
        vips.filter(|(name, vip)| !self.holds.contains_key(*name) && self.entitled(name, vip))
            .map(|(name, vip)| (name.clone(), vip.clone()))
            .collect()
    }

    fn release(&mut self, name: &str, failed: Option<String>, now: Time) {
        let id = self.new_action();
        let lease = self.settings.daemon_lost_delay;
        let Some(hold) = self.holds.get_mut(name) else { return };
        let (certain, acquiring, failed) = match &hold.phase {
            Phase::Releasing { certain, acquiring, failed, .. } => (*certain, *acquiring, failed.clone()),
            // One that has failed is over, with a failure to report.
            Phase::Acquiring(acquiring) if failed.is_none() => (None, Some(*acquiring), None),
            Phase::Acquiring(_) | Phase::Active => (Some(now + lease), None, failed),
        };
        hold.phase = Phase::Releasing { id: Some(id), certain, acquiring, retry: now, failed };
        let vip = hold.vip.clone();
        self.actions.push_back(Action::Release { id, name: name.to_owned(), vip });
    }

    /// The VIP is off the interface for certain: the others may know.
    fn let_go(&mut self, name: &str) {
        let Some(hold) = self.holds.remove(name) else { return };
        if self.member.is_none() {
            return;
        }
        let vip = name.to_owned();
        match hold.phase {
            Phase::Releasing { failed: Some(code), .. } => {
                self.given_back.insert(vip.clone());
                self.multicast(GroupMessage::Report { vip, outcome: Outcome::Failed(code) });
            }
            // It has become this node's again meanwhile.
            _ if self.entitled(name, &hold.vip) => {}
            Phase::Releasing { .. } | Phase::Acquiring(_) | Phase::Active => self.say_released(vip),
        }
    }

    /// From here until that is heard by all, in order, it is nobody's: not this node's either.
    fn say_released(&mut self, vip: String) {
        self.given_back.insert(vip.clone());
        self.releases_under_way += 1;
        self.multicast(GroupMessage::Released { vip });
    }

    /// What was given to this node and it neither has nor may take goes back.
    fn give_back(&mut self) {
        if !self.is_operational() {
            return;
        }
        let mine = |slot: &Slot| matches!(slot, Slot::Held { node, .. } if *node == self.settings.me);
        let entitled = |name: &String| self.state.vips.get(name).is_some_and(|vip| self.entitled(name, vip));
        let back: Vec<String> = self
            .ledger
            .slots
            .iter()
            .filter(|(name, slot)| mine(slot) && !self.holds.contains_key(*name) && !entitled(name))
            .filter(|(name, _)| !self.given_back.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in back {
            self.say_released(name);
        }
    }

    /// The kernel removed it. Others may have it, and this node may be the last to know: it takes it
    /// only when the group, in order, gives it out again.
    pub(super) fn vanished(&mut self, name: &str, now: Time) {
        if self.holds.get(name).is_some_and(|hold| !matches!(hold.phase, Phase::Releasing { .. })) {
            self.given_back.insert(name.to_owned());
            self.release(name, None, now);
        }
    }

    /// The VIPs that are, or may be, on an interface, and their addresses.
    pub(super) fn held_addresses(&self) -> BTreeMap<String, IpAddr> {
        self.holds.iter().map(|(name, hold)| (name.clone(), hold.vip.address.addr())).collect()
    }

    /// An `Acquire` or `Release` ended. Returns false when the action was neither.
    pub(super) fn holding_finished(&mut self, id: ActionId, outcome: &Result<(), String>, now: Time) -> bool {
        let lease = self.settings.daemon_lost_delay;
        for hold in self.holds.values_mut() {
            if let Phase::Releasing { certain, acquiring, .. } = &mut hold.phase
                && *acquiring == Some(id)
            {
                (*certain, *acquiring) = (Some(now + lease), None);
                return true;
            }
        }
        let found = self.holds.iter().find_map(|(name, hold)| match &hold.phase {
            Phase::Acquiring(own) if *own == id => Some((name.clone(), true)),
            Phase::Releasing { id: Some(own), .. } if *own == id => Some((name.clone(), false)),
            _ => None,
        });
        let Some((name, acquiring)) = found else { return false };
        match (acquiring, outcome) {
            (true, Ok(())) => {
                if let Some(hold) = self.holds.get_mut(&name) {
                    hold.phase = Phase::Active;
                }
                self.multicast(GroupMessage::Report { vip: name, outcome: Outcome::Active });
            }
            (true, Err(code)) => self.release(&name, Some(code.clone()), now),
            (false, Ok(())) => self.let_go(&name),
            (false, Err(_)) => {
                if let Some(Hold { phase: Phase::Releasing { id, retry, .. }, .. }) =
                    self.holds.get_mut(&name)
                {
                    *id = None;
                    *retry = now + RELEASE_RETRY;
                }
            }
        }
        true
    }

    /// When a VIP whose holder was lost may be taken: after the last loss of any node, since a node
    /// that went may have taken it with its last message.
    pub(super) fn takeover_at(&self, holder: Option<NodeId>) -> Time {
        let known = self.lost.values().copied().max().unwrap_or_default();
        if holder.is_some_and(|id| self.lost.contains_key(&id)) {
            return known;
        }
        // Nobody here saw it go. It may have had quorum until a moment ago, with nodes that are here
        // now and left it behind; or its daemon died a moment ago.
        known.max(self.in_step_since + self.settings.node_lost_delay + self.settings.daemon_lost_delay)
    }

    /// Deadlines of this file.
    pub(super) fn holding_deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let strayed = self.held_back.then_some((self.strayed_until, "strayed"));
        let holds = self.holds.values().filter_map(|hold| match &hold.phase {
            Phase::Releasing { id: None, retry, certain, .. } => {
                Some((certain.map_or(*retry, |certain| certain.min(*retry)), "release-retry"))
            }
            Phase::Releasing { certain, .. } => certain.map(|certain| (certain, "lease-over")),
            Phase::Acquiring(_) | Phase::Active => None,
        });
        holds.chain(strayed)
    }
}
