//! What has to be looked at again. A cluster has hundreds of resources, and most events concern one of them.
//!
//! Whatever changes says so: one resource ([`Cluster::stir`]), or everything ([`Cluster::stir_all`]). A turn then
//! looks at those, and at all that wait for them or that they wait for. What holds for the whole node (quorum,
//! maintenance, …) need not be said: when it is not as it was in the turn before, all is looked at.
//!
//! [`Cluster::overlooked`] tells whether somebody forgot to say so; the simulation asks it.

use std::collections::BTreeSet;

use super::Cluster;
use super::holding::Phase;
use crate::message::{GroupMessage, Member, Outcome};
use crate::placement::{Order, Plan, Ranks};
use crate::state::NodeId;
use crate::sync::Sync;
use crate::time::Time;

/// Which resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    All,
    These(BTreeSet<String>),
}

/// What has to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stirred {
    /// What may belong elsewhere.
    plan: Which,
    /// What may have to be taken on, let go, or told.
    hands: Which,
    /// How it was when all was looked at last.
    standing: Standing,
}

/// What decides about all resources of a node at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    quorate: bool,
    broken: bool,
    leaving: bool,
    operational: bool,
    acquires: bool,
    maintenance: bool,
    revision: u64,
}

/// Of the state, all that a plan depends on: of nodes the name, the priority and the standby.
type Shape = (u64, bool, Vec<(NodeId, String, u32, bool)>);

impl Default for Stirred {
    fn default() -> Self {
        Self { plan: Which::All, hands: Which::All, standing: Standing::default() }
    }
}

impl Which {
    fn add(&mut self, name: &str) {
        if let Self::These(names) = self
            && !names.contains(name)
        {
            names.insert(name.to_owned());
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::These(BTreeSet::new()))
    }
}

impl Cluster {
    /// That resource is to be looked at.
    pub(super) fn stir(&mut self, name: &str) {
        self.stirred.hands.add(name);
    }

    /// It may belong elsewhere, too.
    fn stir_plan(&mut self, name: &str) {
        self.stirred.plan.add(name);
        self.stirred.hands.add(name);
    }

    /// Everything is to be looked at, and planned anew.
    pub(super) fn stir_all(&mut self) {
        self.stirred.plan = Which::All;
        self.stirred.hands = Which::All;
    }

    /// What a message that changed the ledger concerns.
    pub(super) fn stir_by(&mut self, from: Member, message: &GroupMessage) {
        let resource =
            |name: &String| self.state.vips.contains_key(name) || self.state.services.contains_key(name);
        // Of what is not configured, or a node's that is not, there may be something to be forgotten.
        let known = self.state.nodes.contains_key(&from.node);
        match message {
            GroupMessage::Report { name, outcome: Outcome::Failed(_) }
            | GroupMessage::Released { name }
            | GroupMessage::Take { name }
            | GroupMessage::Failures { name, .. }
                if known && resource(name) =>
            {
                self.stir_plan(&name.clone());
            }
            GroupMessage::Report { name, .. }
            | GroupMessage::Stray { name, .. }
            | GroupMessage::Conflict { name, .. }
                if known && resource(name) =>
            {
                self.stir(&name.clone());
            }
            GroupMessage::Checked { name, .. } if known => match self.state.checks.get(name) {
                Some(check) => match &check.service {
                    Some(service) => self.stir(&service.clone()),
                    None if check.critical => self.stir_all(),
                    None => {}
                },
                None => self.stir_all(),
            },
            _ => self.stir_all(),
        }
    }

    /// What of the state a plan depends on.
    pub(super) fn shape(&self) -> Shape {
        let nodes = self.state.nodes.iter();
        let nodes = nodes.map(|(id, node)| (*id, node.name.clone(), node.priority, node.standby));
        (self.state.revision, self.state.maintenance, nodes.collect())
    }

    /// The state was replaced, or changed in its shape; the configuration had that revision.
    pub(super) fn reshaped(&mut self, revision: u64) {
        if self.state.revision != revision {
            self.order = Order::of(&self.state);
        }
        self.stir_all();
    }

    /// Says where everything belongs, and gives out what is free.
    pub(super) fn place(&mut self) {
        if self.sync != Sync::InStep {
            return;
        }
        match self.stirred.plan.take() {
            Which::All => {
                let candidates = self.ledger.candidates(&self.view, &self.state);
                self.ledger.tidy(&self.state, &candidates);
                self.ranks = Ranks::of(&self.state, &self.ledger, &candidates);
                self.plan = Plan::of(&self.state, &self.order, &self.ledger, &self.ranks);
                self.stirred.hands = Which::All;
            }
            Which::These(names) if names.is_empty() => return,
            Which::These(names) => {
                let elsewhere =
                    self.plan.place_again(&names, &self.state, &self.order, &self.ledger, &self.ranks);
                elsewhere.iter().for_each(|name| self.stir(name));
            }
        }
        if self.operational {
            // What was given out just now may draw others along.
            for name in self.ledger.assign(&self.state, &self.order, &self.plan) {
                self.stir_plan(&name);
            }
        }
    }

    /// What this turn looks at.
    pub(super) fn take_stirred(&mut self, now: Time) -> BTreeSet<String> {
        let standing = Standing {
            quorate: self.is_quorate(),
            broken: self.broken,
            leaving: self.leaving.is_some(),
            operational: self.is_operational(),
            acquires: self.may_acquire(),
            maintenance: self.state.maintenance,
            revision: self.state.revision,
        };
        let same = std::mem::replace(&mut self.stirred.standing, standing) == standing;
        // Time alone changes what may be done without quorum, and after a split.
        let timed = self.unsure_since.is_some() || self.held_back.is_some() || !self.ledger.stale.is_empty();
        match self.stirred.hands.take() {
            Which::These(names) if same && !timed => {
                let mut looked = names;
                self.with_chains(&mut looked);
                let due = self.holds.iter().filter(|(_, hold)| {
                    matches!(&hold.phase, Phase::Releasing { id: None, retry, .. } if *retry <= now)
                });
                looked.extend(due.map(|(name, _)| name.clone()));
                looked
            }
            _ => self.everything(),
        }
    }

    /// What was said in this turn, too; it stays said for the next one.
    pub(super) fn look_at_more(&mut self, looked: &mut BTreeSet<String>) {
        if let Which::These(names) = &self.stirred.hands {
            looked.extend(names.iter().cloned());
            self.with_chains(looked);
        }
    }

    fn with_chains(&self, names: &mut BTreeSet<String>) {
        let near = |name: &String| self.order.chain(name).iter();
        let more: Vec<&String> = names.iter().flat_map(near).filter(|name| !names.contains(*name)).collect();
        let more: Vec<String> = more.into_iter().cloned().collect();
        names.extend(more);
    }

    fn everything(&self) -> BTreeSet<String> {
        let configured = self.state.vips.keys().chain(self.state.services.keys());
        let had = self.holds.keys().chain(self.units.keys()).chain(&self.strays);
        configured.chain(had).chain(self.ledger.slots.keys()).cloned().collect()
    }

    /// What a look at everything finds that the last turn did not: nothing, or a mistake. For tests.
    #[must_use]
    pub fn overlooked(&self, now: Time) -> Option<String> {
        let mut quick = self.clone();
        if quick.sync == Sync::InStep {
            quick.place();
            let mut whole = self.clone();
            whole.stirred.plan = Which::All;
            whole.place();
            if (&whole.plan, &whole.ledger, &whole.ranks) != (&quick.plan, &quick.ledger, &quick.ranks) {
                return Some(format!(
                    "planned anew: {:?}, {:?}; before: {:?}, {:?}",
                    whole.plan, whole.ledger, quick.plan, quick.ledger
                ));
            }
        }
        let mut whole = self.clone();
        whole.stirred.hands = Which::All;
        whole.reconcile(now);
        let mut quick = self.clone();
        quick.reconcile(now);
        (whole.actions != quick.actions || whole.holds != quick.holds)
            .then(|| format!("looked at anew: {:?}; before: {:?}", whole.actions, quick.actions))
    }
}
