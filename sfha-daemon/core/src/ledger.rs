//! Who may hold which resource now: the same on every member that is in step.
//!
//! ```text
//!            assigned to the target                   released (said by the holder)
//!   Free ───────────────────────────▶ Held by a node ───────────────────────────────▶ Free
//!    ▲                                     │ the holder is no longer in the group
//!    │ the lost holder is back             ▼
//!    └── and says that it has nothing ── Lost ──Take, said by the target when it has waited──▶ Held
//! ```
//!
//! Every arrow is taken on delivery of an ordered message or of a change of membership, so all members
//! take it at the same point. *Held* is a permission: the holder still asks its own quorum before it
//! acts, and reports when the address is on its interface, or the unit runs.
//!
//! Where a resource belongs is for [`placement`](crate::placement) to say: here it is only given out, when it
//! is certain that nobody has it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::message::{Failures, Member, Outcome};
use crate::placement::{Order, Plan};
use crate::resources::HealthCheck;
use crate::state::{ClusterState, NodeId};

/// Who may hold which resource, and what was told about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// By name of the resource.
    pub slots: BTreeMap<String, Slot>,
    /// Nodes that are about to stop.
    pub leaving: BTreeSet<NodeId>,
    /// By resource, the nodes that could not take it on, or not keep it.
    pub unable: BTreeMap<String, BTreeSet<NodeId>>,
    /// Why a resource could not be taken on or let go, the last time: a code.
    pub problems: BTreeMap<String, String>,
    /// What a slot was given out for: while that may be somewhere under one name, it is not given out under
    /// another.
    pub given: BTreeMap<String, Given>,
    /// Nodes that still have a resource that is not theirs: it is given to nobody before they let go.
    pub stale: BTreeSet<(String, NodeId)>,
    /// Where an operator moves resources whose holder has let go in the middle of a round.
    pub goals: BTreeMap<String, NodeId>,
    /// Services that their holder could not stop: while that stands, nobody else takes them on, not even when
    /// the holder is lost, unless it is fenced.
    #[serde(default)]
    pub stuck: BTreeMap<String, NodeId>,
    /// The last leader.
    #[serde(default)]
    pub leader: Option<NodeId>,
    /// Resources that an operator moved: they stay until a node comes back.
    #[serde(default)]
    pub kept: BTreeSet<String>,
    /// The candidates of the last assignment.
    #[serde(default)]
    pub known: BTreeSet<NodeId>,
    /// By service and node, failures that have not expired.
    #[serde(default)]
    pub failures: BTreeMap<String, BTreeMap<NodeId, Failures>>,
    /// By health check and node, what it says.
    #[serde(default)]
    pub verdicts: BTreeMap<String, BTreeMap<NodeId, Verdict>>,
    /// Services, and nodes on which their unit runs though it is not to.
    #[serde(default)]
    pub strays: BTreeSet<(String, NodeId)>,
    /// VIPs that have been on an interface since they have that address: nobody else had it then.
    #[serde(default)]
    pub served: BTreeMap<String, IpAddr>,
    /// VIPs whose address somebody else on the network has too, and that one's Ethernet address.
    #[serde(default)]
    pub conflicts: BTreeMap<String, String>,
}

/// What must not be on two nodes, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thing {
    /// An address.
    Address(IpAddr),
    /// A systemd unit.
    Unit(String),
}

impl Thing {
    /// What is configured under that name.
    #[must_use]
    pub fn of(state: &ClusterState, name: &str) -> Option<Self> {
        let vip = state.vips.get(name).map(|vip| Self::Address(vip.address.addr()));
        vip.or_else(|| state.services.get(name).map(|service| Self::Unit(service.unit.clone())))
    }
}

/// What a slot was given out for. It stays so for as long as somebody may have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What it is.
    pub thing: Thing,
    /// Longest time that stopping it takes, in milliseconds: then it is killed.
    pub stop_ms: u64,
    /// How long at most it runs on a node that has to give everything up, in milliseconds.
    pub gone_ms: u64,
}

impl Given {
    /// What is configured under that name.
    #[must_use]
    pub fn of(state: &ClusterState, order: &Order, name: &str) -> Option<Self> {
        let stop_ms = state.services.get(name).map_or(0, |service| service.stop_timeout_ms);
        let thing = Thing::of(state, name)?;
        Some(Self { thing, stop_ms, gone_ms: order.stops_within_ms(name) })
    }

    /// Known only from whoever has it, who knows the times.
    fn unknown(thing: Thing) -> Self {
        Self { thing, stop_ms: u64::MAX, gone_ms: 0 }
    }
}

/// What a health check says on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `None`: it is not known.
    pub healthy: Option<bool>,
    /// Why not, as the probe says it.
    pub error: Option<String>,
}

/// Who may hold one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// Nobody has it, for certain.
    Free,
    /// One node may have it.
    Held {
        /// The node.
        node: NodeId,
        /// Where an operator moves it to.
        to: Option<NodeId>,
        /// The node has reported it on its interface, or running.
        active: bool,
    },
    /// Who may have had it is not in the group.
    Lost {
        /// The node; `None` when nobody remembers.
        node: Option<NodeId>,
    },
}

impl Slot {
    /// Held by that node, not yet seen on its interface.
    #[must_use]
    pub fn held(node: NodeId) -> Self {
        Self::Held { node, to: None, active: false }
    }
}

impl Ledger {
    /// Nodes that may take something on: in the group, not in standby, not about to stop.
    #[must_use]
    pub fn candidates(&self, view: &BTreeSet<Member>, state: &ClusterState) -> BTreeSet<NodeId> {
        view.iter()
            .map(|member| member.node)
            .filter(|id| !self.leaving.contains(id))
            .filter(|id| state.nodes.get(id).is_some_and(|node| !node.standby))
            .collect()
    }

    /// That node could not take it on, or not keep it.
    #[must_use]
    pub fn is_unable(&self, name: &str, node: NodeId) -> bool {
        self.unable.get(name).is_some_and(|nodes| nodes.contains(&node))
    }

    /// Where an operator moves it to.
    #[must_use]
    pub fn goal(&self, name: &str) -> Option<NodeId> {
        match self.slots.get(name) {
            Some(Slot::Held { to: Some(to), .. }) => Some(*to),
            _ => self.goals.get(name).copied(),
        }
    }

    /// A check that no node should fail does so there.
    #[must_use]
    pub fn fails_a_check(&self, state: &ClusterState, node: NodeId) -> bool {
        self.verdicts.iter().any(|(name, verdicts)| {
            let critical = |check: &HealthCheck| check.critical && check.service.is_none();
            verdicts.get(&node).is_some_and(|verdict| verdict.healthy == Some(false))
                && state.checks.get(name).is_some_and(critical)
        })
    }

    /// Forgets what is over: slots of resources that are no more, goals that are gone, and, when a node comes
    /// back, where operators moved things and what could not be taken on there.
    pub fn tidy(&mut self, state: &ClusterState, candidates: &BTreeSet<NodeId>) {
        let configured = |name: &String| state.vips.contains_key(name) || state.services.contains_key(name);
        // Of a resource that was removed, the slot stays until nobody can have it any more.
        self.slots.retain(|name, slot| configured(name) || *slot != Slot::Free);
        self.given.retain(|name, _| self.slots.contains_key(name));
        self.stuck.retain(|name, _| self.slots.contains_key(name));
        self.problems.retain(|name, _| configured(name));
        self.goals.retain(|name, _| configured(name));
        self.kept.retain(configured);
        self.failures.retain(|name, _| state.services.contains_key(name));
        self.strays.retain(|(name, _)| state.services.contains_key(name));
        self.verdicts.retain(|name, _| state.checks.contains_key(name));
        self.served.retain(|name, ip| state.vips.get(name).is_some_and(|vip| vip.address.addr() == *ip));
        self.conflicts.retain(|name, _| state.vips.contains_key(name));
        let back: Vec<NodeId> = candidates.difference(&self.known).copied().collect();
        if !back.is_empty() {
            self.kept.clear();
        }
        self.unable.retain(|name, nodes| {
            let service = state.services.contains_key(name);
            nodes.retain(|node| state.nodes.contains_key(node) && (service || !back.contains(node)));
            configured(name) && !nodes.is_empty()
        });
        self.known.clone_from(candidates);
        if state.maintenance {
            return;
        }
        for slot in self.slots.values_mut() {
            if let Slot::Held { to, .. } = slot {
                // A goal that is gone is not gone to when it is back some day.
                *to = to.filter(|to| candidates.contains(to));
            }
        }
    }

    /// Gives every free resource to the node where it belongs. Returns those that it gave to one.
    pub fn assign(&mut self, state: &ClusterState, order: &Order, plan: &Plan) -> Vec<String> {
        self.leader = plan.leader;
        if state.maintenance {
            return Vec::new();
        }
        // Every configured resource has a slot, and most are not free.
        let free = self.slots.iter().filter(|(_, slot)| **slot == Slot::Free).map(|(name, _)| name.clone());
        let (vips, services): (Vec<String>, Vec<String>) =
            free.partition(|name| state.vips.contains_key(name));
        let mut assigned = Vec::new();
        for name in vips.into_iter().chain(services) {
            let Some(given) = Given::of(state, order, &name) else { continue };
            if !self.is_stale(&name) && !self.may_be_elsewhere(&name, &given.thing) {
                let target = plan.targets.get(&name).copied();
                if target.is_some() {
                    self.goals.remove(&name);
                }
                self.slots.insert(name.clone(), target.map_or(Slot::Free, Slot::held));
                self.given.insert(name.clone(), given);
                assigned.extend(target.map(|_| name));
            }
        }
        assigned
    }

    /// Somebody whose it is not has not let go of it.
    #[must_use]
    pub fn is_stale(&self, resource: &str) -> bool {
        self.stale.iter().any(|(name, _)| name == resource)
    }

    /// That thing may be somewhere under another name.
    fn may_be_elsewhere(&self, name: &str, thing: &Thing) -> bool {
        let same = |(other, given): (&String, &Given)| {
            other != name
                && given.thing == *thing
                && self.slots.get(other).is_some_and(|slot| *slot != Slot::Free)
        };
        self.given.iter().any(same)
    }

    fn is_able(&self, name: &str, node: NodeId, candidates: &BTreeSet<NodeId>) -> bool {
        candidates.contains(&node) && !self.is_unable(name, node)
    }

    /// The holder has let go. Where an operator moves it to, it goes at once, if it is known who the
    /// candidates are (in the middle of a round, members differ about that).
    pub fn released(&mut self, name: &str, by: NodeId, candidates: Option<&BTreeSet<NodeId>>) {
        self.stale.remove(&(name.to_owned(), by));
        if self.stuck.get(name) == Some(&by) {
            self.stuck.remove(name);
            self.problems.remove(name);
        }
        let Some(Slot::Held { node, to, .. }) = self.slots.get(name) else { return };
        if *node != by {
            return;
        }
        let to = *to;
        let next = to.filter(|to| candidates.is_some_and(|candidates| self.is_able(name, *to, candidates)));
        if let (None, Some(to)) = (candidates, to) {
            self.goals.insert(name.to_owned(), to);
        }
        self.slots.insert(name.to_owned(), next.map_or(Slot::Free, Slot::held));
    }

    /// A lost resource is taken by a node that has waited for as long as it had to.
    pub fn taken(&mut self, name: &str, by: NodeId, state: &ClusterState, order: &Order) {
        if self.is_stale(name) || !matches!(self.slots.get(name), Some(Slot::Lost { .. })) {
            return;
        }
        // One that was removed meanwhile is only forgotten; one that may be elsewhere under another name waits.
        let slot = match Given::of(state, order, name) {
            Some(given) if !self.may_be_elsewhere(name, &given.thing) => {
                self.given.insert(name.to_owned(), given);
                Slot::held(by)
            }
            _ => Slot::Free,
        };
        self.slots.insert(name.to_owned(), slot);
        // It was made harmless.
        self.stuck.remove(name);
    }

    /// A node says how a resource of its fares.
    pub fn reported(&mut self, name: &str, by: NodeId, outcome: &Outcome) {
        if matches!(outcome, Outcome::Failed(_)) {
            self.stale.remove(&(name.to_owned(), by));
        }
        let Some(Slot::Held { node, active, .. }) = self.slots.get_mut(name) else { return };
        if *node != by {
            return;
        }
        *active = *outcome == Outcome::Active;
        if let (true, Some(Given { thing: Thing::Address(ip), .. })) = (*active, self.given.get(name)) {
            self.served.insert(name.to_owned(), *ip);
            self.conflicts.remove(name);
        }
        match outcome {
            Outcome::Active | Outcome::Idle(None) => {
                self.problems.remove(name);
            }
            Outcome::Idle(Some(code)) => {
                self.problems.insert(name.to_owned(), code.clone());
            }
            Outcome::Failed(code) => {
                self.slots.insert(name.to_owned(), Slot::Free);
                self.unable.entry(name.to_owned()).or_default().insert(by);
                self.problems.insert(name.to_owned(), code.clone());
            }
            Outcome::Stuck(code) => {
                self.stuck.insert(name.to_owned(), by);
                self.problems.insert(name.to_owned(), code.clone());
                return;
            }
        }
        self.stuck.remove(name);
    }

    /// A node hears, or no longer hears, somebody else on the network claim the address of a VIP.
    pub fn claimed(&mut self, name: &str, by: Option<String>) {
        match by {
            Some(by) => drop(self.conflicts.insert(name.to_owned(), by)),
            None => drop(self.conflicts.remove(name)),
        }
    }

    /// A node tells its count of a service's failures.
    pub fn failed(&mut self, name: &str, by: NodeId, failures: Failures) {
        if failures.unable {
            self.unable.entry(name.to_owned()).or_default().insert(by);
        } else if let Some(nodes) = self.unable.get_mut(name) {
            nodes.remove(&by);
            self.unable.retain(|_, nodes| !nodes.is_empty());
        }
        let counts = self.failures.entry(name.to_owned()).or_default();
        if failures == Failures::default() {
            counts.remove(&by);
        } else {
            counts.insert(by, failures);
        }
    }

    /// What no node could take on may be tried again: VIPs only, a node counts its services' failures.
    pub fn retry(&mut self, state: &ClusterState) {
        let waits = self.waiting_for_a_node(state);
        self.unable.retain(|name, _| !waits.contains(name));
    }

    /// VIPs that nobody has because nodes were not able.
    #[must_use]
    pub fn waiting_for_a_node(&self, state: &ClusterState) -> BTreeSet<String> {
        let free = |name: &&String| {
            state.vips.contains_key(*name) && matches!(self.slots.get(*name), None | Some(Slot::Free))
        };
        self.unable.keys().filter(free).cloned().collect()
    }

    /// The group agrees on a state: slots for all its resources. Of one that nobody here remembers, somebody
    /// who is not here may have it; when all are here, nobody has.
    pub fn complete(&mut self, state: &ClusterState, order: &Order, present: &BTreeSet<NodeId>) {
        for name in state.vips.keys().chain(state.services.keys()) {
            self.slots.entry(name.clone()).or_insert(Slot::Lost { node: None });
            if let Some(given) = Given::of(state, order, name) {
                let known = self.given.entry(name.clone()).or_insert_with(|| given.clone());
                known.gone_ms = known.gone_ms.max(given.gone_ms);
            }
        }
        if state.nodes.keys().all(|node| present.contains(node)) {
            for slot in self.slots.values_mut() {
                if *slot == (Slot::Lost { node: None }) {
                    *slot = Slot::Free;
                }
            }
        }
    }
}

mod merge;
#[cfg(test)]
mod tests;
