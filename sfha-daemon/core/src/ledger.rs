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
use crate::state::{ClusterState, NodeId};

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
            if matches!(self.slots.get(name), None | Some(Slot::Free)) && !self.may_be_elsewhere(name, ip) {
                let goal = self.goals.remove(name).filter(|to| self.is_able(name, *to, candidates));
                let target = goal.or_else(|| self.target(name, candidates));
                self.slots.insert(name.clone(), target.map_or(Slot::Free, Slot::held));
                self.addresses.insert(name.clone(), ip);
            }
        }
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
        if !matches!(self.slots.get(vip), Some(Slot::Lost { .. })) {
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
    /// A VIP that somebody says it holds is that node's (of two, the one that the newest ledger names,
    /// else the lowest id: the other sees that it is not entitled and lets go). One that nobody holds
    /// is free when its last holder is here and says so, and lost otherwise. Ledgers of members that
    /// had no quorum meanwhile say nothing about what others did; if there is no other, nothing that
    /// nobody here holds is free.
    #[must_use]
    pub fn merge(hellos: &BTreeMap<Member, Hello>) -> Self {
        let mut newest_first: Vec<&Hello> = hellos.values().collect();
        newest_first.sort_by_key(|hello| std::cmp::Reverse(hello.age));
        let unbroken = newest_first.iter().any(|hello| hello.unbroken && hello.ledger.is_some());
        let ledgers: Vec<&Ledger> = newest_first
            .iter()
            .filter(|hello| hello.unbroken || !unbroken)
            .filter_map(|hello| hello.ledger.as_ref())
            .collect();
        let names: BTreeSet<&String> = ledgers
            .iter()
            .flat_map(|ledger| ledger.slots.keys())
            .chain(hellos.values().flat_map(|hello| hello.holds.keys()))
            .collect();

        let mut merged = Self::default();
        for name in names {
            let opinions: Vec<&Slot> = ledgers.iter().filter_map(|ledger| ledger.slots.get(name)).collect();
            let slot = merge_slot(name, hellos, &opinions);
            let free = slot == Slot::Free;
            let held = matches!(slot, Slot::Held { .. });
            let slot = if held || unbroken { slot } else { Slot::Lost { node: None } };
            merged.slots.insert(name.clone(), slot);
            if let (true, Some(Slot::Held { to: Some(to), .. })) = (free, opinions.first()) {
                merged.goals.insert(name.clone(), *to);
            }
        }
        merged.leaving =
            hellos.iter().filter(|(_, hello)| hello.leaving).map(|(member, _)| member.node).collect();
        for ledger in ledgers {
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

fn merge_slot(name: &str, hellos: &BTreeMap<Member, Hello>, opinions: &[&Slot]) -> Slot {
    let claimants: BTreeMap<NodeId, bool> = hellos
        .iter()
        .filter(|(_, hello)| hello.holds.contains_key(name))
        .map(|(member, hello)| (member.node, hello.active.contains(name)))
        .collect();
    let named = opinions.iter().find_map(|slot| match slot {
        Slot::Held { node, to, .. } if claimants.contains_key(node) => Some((*node, *to)),
        _ => None,
    });
    if let Some((node, to)) = named.or_else(|| claimants.keys().next().map(|node| (*node, None))) {
        return Slot::Held { node, to, active: claimants.get(&node).copied().unwrap_or(false) };
    }
    let present = |id: NodeId| hellos.keys().any(|member| member.node == id);
    let mut unknown = false;
    for slot in opinions {
        match slot {
            Slot::Held { node, .. } | Slot::Lost { node: Some(node) } if !present(*node) => {
                return Slot::Lost { node: Some(*node) };
            }
            Slot::Lost { node: None } => unknown = true,
            _ => {}
        }
    }
    if unknown { Slot::Lost { node: None } } else { Slot::Free }
}
