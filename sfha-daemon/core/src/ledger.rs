//! Who may hold which VIP now: the same on every member that is in step.
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
//! acts, and reports when the address is on its interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::message::{Hello, Member};
use crate::state::{Age, ClusterState, NodeId};

/// Who may hold which VIP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// By name of the VIP.
    pub slots: BTreeMap<String, Slot>,
    /// Nodes that are about to stop.
    pub leaving: BTreeSet<NodeId>,
    /// VIPs and the nodes that could not take them on.
    pub unable: BTreeSet<(String, NodeId)>,
    /// Why a VIP could not be taken on, the last time: a code.
    pub problems: BTreeMap<String, String>,
    /// The address for which a slot was given out: while it may be on an interface under one name, it
    /// is not given out under another.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Nodes that still have a VIP that is not theirs: it is given to nobody before they let go.
    pub stale: BTreeSet<(String, NodeId)>,
    /// Where an operator moves VIPs whose holder has let go in the middle of a round.
    pub goals: BTreeMap<String, NodeId>,
}

/// Who may hold one VIP.
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
        /// The node has reported it on its interface.
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

    /// Where a VIP belongs: where an operator sends it, else where it is, else with the lowest id.
    #[must_use]
    pub fn target(&self, vip: &str, candidates: &BTreeSet<NodeId>) -> Option<NodeId> {
        let able = |id: &NodeId| candidates.contains(id) && !self.unable.contains(&(vip.to_owned(), *id));
        if let Some(Slot::Held { node, to, .. }) = self.slots.get(vip) {
            if let Some(to) = to.filter(able) {
                return Some(to);
            }
            if able(node) {
                return Some(*node);
            }
        }
        candidates.iter().copied().find(able)
    }

    /// Gives every free VIP to its target, and forgets slots of VIPs that are no more.
    pub fn assign(&mut self, state: &ClusterState, candidates: &BTreeSet<NodeId>) {
        // Of a VIP that was removed, the slot stays until nobody can have its address any more.
        self.slots.retain(|name, slot| state.vips.contains_key(name) || *slot != Slot::Free);
        self.addresses.retain(|name, _| self.slots.contains_key(name));
        self.problems.retain(|name, _| state.vips.contains_key(name));
        self.unable.retain(|(name, node)| state.vips.contains_key(name) && state.nodes.contains_key(node));
        self.goals.retain(|name, _| state.vips.contains_key(name));
        if state.maintenance {
            return;
        }
        for slot in self.slots.values_mut() {
            if let Slot::Held { to, .. } = slot {
                // A goal that is gone is not gone to when it is back some day.
                *to = to.filter(|to| candidates.contains(to));
            }
        }
        for (name, vip) in &state.vips {
            let ip = vip.address.addr();
            let free = matches!(self.slots.get(name), None | Some(Slot::Free));
            if free && !self.is_stale(name) && !self.may_be_elsewhere(name, ip) {
                let goal = self.goals.remove(name).filter(|to| self.is_able(name, *to, candidates));
                let target = goal.or_else(|| self.target(name, candidates));
                self.slots.insert(name.clone(), target.map_or(Slot::Free, Slot::held));
                self.addresses.insert(name.clone(), ip);
            }
        }
    }

    /// Somebody whose it is not has not let go of it.
    #[must_use]
    pub fn is_stale(&self, vip: &str) -> bool {
        self.stale.iter().any(|(name, _)| name == vip)
    }

    /// That address may be on an interface under another name.
    fn may_be_elsewhere(&self, name: &str, ip: IpAddr) -> bool {
        let same = |(other, address): (&String, &IpAddr)| {
            other != name && *address == ip && self.slots.get(other).is_some_and(|slot| *slot != Slot::Free)
        };
        self.addresses.iter().any(same)
    }

    fn is_able(&self, vip: &str, node: NodeId, candidates: &BTreeSet<NodeId>) -> bool {
        candidates.contains(&node) && !self.unable.contains(&(vip.to_owned(), node))
    }

    /// The holder has let go. Where an operator moves it to, it goes at once, if it is known who the
    /// candidates are (in the middle of a round, members differ about that).
    pub fn released(&mut self, vip: &str, by: NodeId, candidates: Option<&BTreeSet<NodeId>>) {
        self.stale.remove(&(vip.to_owned(), by));
        let Some(Slot::Held { node, to, .. }) = self.slots.get(vip) else { return };
        if *node != by {
            return;
        }
        let to = *to;
        let next = to.filter(|to| candidates.is_some_and(|candidates| self.is_able(vip, *to, candidates)));
        if let (None, Some(to)) = (candidates, to) {
            self.goals.insert(vip.to_owned(), to);
        }
        self.slots.insert(vip.to_owned(), next.map_or(Slot::Free, Slot::held));
    }

    /// A lost VIP is taken by a node that has waited for as long as it had to.
    pub fn taken(&mut self, vip: &str, by: NodeId, state: &ClusterState) {
        if self.is_stale(vip) || !matches!(self.slots.get(vip), Some(Slot::Lost { .. })) {
            return;
        }
        // One that was removed meanwhile is only forgotten; one whose address may be elsewhere waits.
        let slot = match state.vips.get(vip).map(|vip| vip.address.addr()) {
            Some(ip) if !self.may_be_elsewhere(vip, ip) => {
                self.addresses.insert(vip.to_owned(), ip);
                Slot::held(by)
            }
            _ => Slot::Free,
        };
        self.slots.insert(vip.to_owned(), slot);
    }

    /// Puts the ledger together from what every member of a view says.
    ///
    /// A VIP that somebody says it holds is that node's, if the newest ledger that knows names it, or
    /// none names anybody. If the newest names a node that is not here, it is lost. Whoever else holds
    /// it sees that it is not entitled and lets go; until then it is given to nobody new. One that
    /// nobody holds is free when its last holder is here and says so, and lost otherwise. Ledgers of members that
    /// had no quorum meanwhile say nothing about what others did; if there is no other, nothing that
    /// nobody here holds is free.
    #[must_use]
    pub fn merge(hellos: &BTreeMap<Member, Hello>) -> Self {
        let unbroken = hellos.values().any(|hello| hello.unbroken && hello.ledger.is_some());
        let mut ledgers: Vec<(Rank, &Ledger)> = hellos
            .values()
            .filter(|hello| hello.unbroken || !unbroken)
            .filter_map(|hello| Some(((!hello.broken, hello.age), hello.ledger.as_ref()?)))
            .collect();
        ledgers.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let names: BTreeSet<&String> = ledgers
            .iter()
            .flat_map(|(_, ledger)| ledger.slots.keys())
            .chain(hellos.values().flat_map(|hello| hello.holds.keys()))
            .collect();

        let present = |id: &NodeId| hellos.keys().any(|member| member.node == *id);
        let gone = hellos
            .values()
            .flat_map(|hello| &hello.waits)
            .filter(|(node, wait)| **wait > 0 && !present(node))
            .max_by_key(|(_, wait)| **wait)
            .map(|(node, _)| *node);

        let mut merged = Self::default();
        for name in names {
            let opinions: Vec<(Rank, &Slot)> =
                ledgers.iter().filter_map(|(rank, ledger)| Some((*rank, ledger.slots.get(name)?))).collect();
            let slot = merge_slot(name, hellos, &opinions);
            let free = slot == Slot::Free;
            let slot = match slot {
                Slot::Held { .. } => slot,
                _ if !unbroken => Slot::Lost { node: None },
                // A node that has just gone may have been given it by its last messages.
                Slot::Free if gone.is_some() => Slot::Lost { node: gone },
                Slot::Free | Slot::Lost { .. } => slot,
            };
            let holder = if let Slot::Held { node, .. } = &slot { Some(*node) } else { None };
            let others = hellos
                .iter()
                .filter(|(member, hello)| hello.holds.contains_key(name) && Some(member.node) != holder);
            merged.stale.extend(others.map(|(member, _)| (name.clone(), member.node)));
            merged.slots.insert(name.clone(), slot);
            if let (true, Some((_, Slot::Held { to: Some(to), .. }))) = (free, opinions.first()) {
                merged.goals.insert(name.clone(), *to);
            }
        }
        merged.leaving =
            hellos.iter().filter(|(_, hello)| hello.leaving).map(|(member, _)| member.node).collect();
        for (_, ledger) in ledgers {
            merged.unable.extend(ledger.unable.iter().cloned());
            for (name, problem) in &ledger.problems {
                merged.problems.entry(name.clone()).or_insert_with(|| problem.clone());
            }
            for (name, ip) in &ledger.addresses {
                merged.addresses.entry(name.clone()).or_insert(*ip);
            }
        }
        for hello in hellos.values() {
            merged.addresses.extend(hello.holds.iter().map(|(name, ip)| (name.clone(), *ip)));
        }
        merged
    }

    /// The group agrees on a state: slots for all its VIPs. Of one that nobody here remembers, somebody
    /// who is not here may have it; when all are here, nobody has.
    pub fn complete(&mut self, state: &ClusterState, present: &BTreeSet<NodeId>) {
        for (name, vip) in &state.vips {
            self.slots.entry(name.clone()).or_insert(Slot::Lost { node: None });
            self.addresses.entry(name.clone()).or_insert(vip.address.addr());
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

/// What a member's ledger is worth: less when others may have had quorum without it; else by the age of
/// its state.
type Rank = (bool, Age);

/// What becomes of one VIP; the opinions are of ledgers, the best first.
fn merge_slot(name: &str, hellos: &BTreeMap<Member, Hello>, opinions: &[(Rank, &Slot)]) -> Slot {
    let claimants: BTreeMap<NodeId, bool> = hellos
        .iter()
        .filter(|(_, hello)| hello.holds.contains_key(name))
        .map(|(member, hello)| (member.node, hello.active.contains(name)))
        .collect();
    let held = |node: NodeId, to| Slot::Held { node, to, active: claimants.get(&node) == Some(&true) };
    let absent = |node: &NodeId| !hellos.keys().any(|member| member.node == *node);
    for equals in opinions.chunk_by(|(one, _), (other, _)| one == other) {
        // Of two that contradict each other, the one that is safe.
        let elsewhere = equals.iter().find_map(|(_, slot)| match slot {
            Slot::Held { node, .. } | Slot::Lost { node: Some(node) } if absent(node) => Some(Some(*node)),
            Slot::Lost { node: None } => Some(None),
            _ => None,
        });
        if let Some(node) = elsewhere {
            return Slot::Lost { node };
        }
        let named = equals.iter().find_map(|(_, slot)| match slot {
            Slot::Held { node, to, .. } if claimants.contains_key(node) => Some(held(*node, *to)),
            _ => None,
        });
        if let Some(slot) = named {
            return slot;
        }
    }
    claimants.keys().next().map_or(Slot::Free, |node| held(*node, None))
}

#[cfg(test)]
mod tests;
