//! Where each resource belongs, and in which order they come and go.
//!
//! Pure, and asked by every member with the same arguments: what it says is the same everywhere. It is about
//! wishes only. Whether a node may have something is for the [`ledger`](crate::ledger) to say, and a resource
//! moves when its holder sees that it belongs elsewhere and lets go.
//!
//! Resources that are colocated are one group on one node, which the leading one chooses:
//!
//! ```text
//!   able: candidates on which no member has failed ─▶ without those whose critical check fails, if others are left
//!     ├─ an operator sends it to one ───────────────────────────────▶ there
//!     ├─ it is on one that is preferred as much as any, or
//!     │  `failback` is off, or an operator has moved it ────────────▶ it stays
//!     └─ the best: by `prefer`, then the leader, then priority and id
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Ledger, Slot};
use crate::resources::{Constraint, Service};
use crate::state::{ClusterState, NodeId};

/// Where everything belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The best candidate; without `failback` the last one, as long as it is one.
    pub leader: Option<NodeId>,
    /// By resource; those that nobody can take on are not here.
    pub targets: BTreeMap<String, NodeId>,
}

/// In which order resources come and go, and what is tied together otherwise: what the configuration says, put
/// so that it need not be searched for with every event. As long as the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// What must be there before a resource is taken on.
    firsts: BTreeMap<String, Vec<String>>,
    /// What must be gone before it is given up.
    thens: BTreeMap<String, Vec<String>>,
    /// For how long at most, in milliseconds, a service runs on a node that gives everything up: the time that
    /// what depends on it takes to stop, and its own.
    stops: BTreeMap<String, u64>,
    /// Resources that are on one node together, the leading one first; every resource is in one.
    groups: Vec<Vec<String>>,
    group_of: BTreeMap<String, usize>,
    /// Resources that wait for each other, directly or not; those that wait for nobody are in none.
    chains: Vec<Vec<String>>,
    chain_of: BTreeMap<String, usize>,
    /// The checks of a service.
    checks: BTreeMap<String, Vec<String>>,
}

impl Order {
    /// What the constraints say.
    #[must_use]
    pub fn of(state: &ClusterState) -> Self {
        let mut order = Self::default();
        let known = |name: &String| state.vips.contains_key(name) || state.services.contains_key(name);
        for constraint in &state.constraints {
            if let Constraint::Order { first, then } = constraint
                && known(first)
                && known(then)
            {
                order.firsts.entry(then.clone()).or_default().push(first.clone());
                order.thens.entry(first.clone()).or_default().push(then.clone());
            }
        }
        for name in state.services.keys() {
            order.count_stop(state, name, &mut BTreeSet::new());
        }
        let owned = |group: Vec<&String>| group.into_iter().cloned().collect();
        order.groups = groups(state).into_iter().map(owned).collect();
        order.group_of = places(&order.groups);
        order.chains = order.connected();
        order.chain_of = places(&order.chains);
        for (name, check) in &state.checks {
            if let Some(service) = &check.service {
                order.checks.entry(service.clone()).or_default().push(name.clone());
            }
        }
        order
    }

    fn connected(&self) -> Vec<Vec<String>> {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut chains = Vec::new();
        for name in self.firsts.keys().chain(self.thens.keys()) {
            let mut chain = Vec::new();
            let mut next = vec![name];
            while let Some(name) = next.pop() {
                if seen.insert(name) {
                    chain.push(name.clone());
                    next.extend(self.firsts(name).iter().chain(self.thens(name)));
                }
            }
            if !chain.is_empty() {
                chains.push(chain);
            }
        }
        chains
    }

    /// The resources that are on one node together with it, the leading one first, and the group's number.
    fn group(&self, name: &str) -> Option<(usize, &[String])> {
        let number = *self.group_of.get(name)?;
        Some((number, self.groups.get(number)?))
    }

    /// Everything that waits for it or that it waits for, directly or not; itself only if there is any.
    #[must_use]
    pub fn chain(&self, name: &str) -> &[String] {
        let chain = self.chain_of.get(name).and_then(|number| self.chains.get(*number));
        chain.map_or(&[], Vec::as_slice)
    }

    /// The checks of a service.
    #[must_use]
    pub fn checks(&self, service: &str) -> &[String] {
        self.checks.get(service).map_or(&[], Vec::as_slice)
    }

    /// What must be there before it.
    #[must_use]
    pub fn firsts(&self, name: &str) -> &[String] {
        self.firsts.get(name).map_or(&[], Vec::as_slice)
    }

    /// What must be gone before it goes.
    #[must_use]
    pub fn thens(&self, name: &str) -> &[String] {
        self.thens.get(name).map_or(&[], Vec::as_slice)
    }

    /// For how long at most a service runs on a node that gives everything up, in milliseconds; 0 for a VIP.
    #[must_use]
    pub fn stops_within_ms(&self, name: &str) -> u64 {
        self.stops.get(name).copied().unwrap_or_default()
    }

    fn count_stop(&mut self, state: &ClusterState, name: &str, above: &mut BTreeSet<String>) -> u64 {
        let Some(Service { stop_timeout_ms, .. }) = state.services.get(name) else { return 0 };
        if let Some(known) = self.stops.get(name) {
            return *known;
        }
        // A circle, in a state from before circles were refused, must not be run through for ever.
        if !above.insert(name.to_owned()) {
            return 0;
        }
        let thens = self.thens(name).to_vec();
        let longest = thens.iter().map(|then| self.count_stop(state, then, above)).max().unwrap_or_default();
        above.remove(name);
        let all = stop_timeout_ms.saturating_add(longest);
        self.stops.insert(name.to_owned(), all);
        all
    }
}

/// In which order nodes are asked; the same for all resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranks {
    leader: Option<NodeId>,
    /// Candidates, the best first.
    ranked: Vec<NodeId>,
    /// Those of them whose critical checks do not fail.
    sound: Vec<NodeId>,
}

impl Ranks {
    /// `candidates` are the nodes that may take anything on.
    #[must_use]
    pub fn of(state: &ClusterState, ledger: &Ledger, candidates: &BTreeSet<NodeId>) -> Self {
        let mut ranked: Vec<NodeId> = candidates.iter().copied().collect();
        ranked.sort_by_key(|id| (Reverse(state.nodes.get(id).map_or(0, |node| node.priority)), *id));
        let sound: Vec<NodeId> =
            ranked.iter().copied().filter(|id| !ledger.fails_a_check(state, *id)).collect();
        let pool = if sound.is_empty() { &ranked } else { &sound };
        let stays = |id: &NodeId| !state.policy.failback && pool.contains(id);
        let leader = ledger.leader.filter(stays).or(pool.first().copied());
        if let Some(leader) = leader {
            ranked.sort_by_key(|id| *id != leader);
        }
        Self { leader, ranked, sound }
    }
}

impl Plan {
    /// Says where everything belongs.
    #[must_use]
    pub fn of(state: &ClusterState, order: &Order, ledger: &Ledger, ranks: &Ranks) -> Self {
        let mut plan = Self { leader: ranks.leader, targets: BTreeMap::new() };
        for group in &order.groups {
            let place = Placing { state, ledger, ranks, group };
            plan.targets.extend(place.targets().map(|(name, node)| (name.clone(), node)));
        }
        plan
    }

    /// Says anew where these belong, and what is on one node together with them. Returns what belongs elsewhere
    /// than before.
    pub fn place_again(
        &mut self,
        names: &BTreeSet<String>,
        state: &ClusterState,
        order: &Order,
        ledger: &Ledger,
        ranks: &Ranks,
    ) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut changed = Vec::new();
        for (number, group) in names.iter().filter_map(|name| order.group(name)) {
            if !seen.insert(number) {
                continue;
            }
            let place = Placing { state, ledger, ranks, group };
            let targets: BTreeMap<&String, NodeId> = place.targets().collect();
            for name in group {
                let target = targets.get(name).copied();
                if self.targets.get(name).copied() != target {
                    match target {
                        Some(node) => drop(self.targets.insert(name.clone(), node)),
                        None => drop(self.targets.remove(name)),
                    }
                    changed.push(name.clone());
                }
            }
        }
        changed
    }
}

fn places(lists: &[Vec<String>]) -> BTreeMap<String, usize> {
    let of = |(number, list): (usize, &Vec<String>)| -> Vec<(String, usize)> {
        list.iter().map(|name| (name.clone(), number)).collect()
    };
    lists.iter().enumerate().flat_map(of).collect()
}

/// The resources that are on one node together, the leading one first.
#[must_use]
pub fn groups(state: &ClusterState) -> Vec<Vec<&String>> {
    let mut near: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    let mut follows: BTreeSet<&String> = BTreeSet::new();
    for constraint in &state.constraints {
        if let Constraint::Colocation { resource, with } = constraint {
            near.entry(resource).or_default().push(with);
            near.entry(with).or_default().push(resource);
            follows.insert(resource);
        }
    }
    let mut placed: BTreeSet<&String> = BTreeSet::new();
    let mut groups = Vec::new();
    for name in state.vips.keys().chain(state.services.keys()) {
        let mut group = Vec::new();
        let mut next = vec![name];
        while let Some(name) = next.pop() {
            let known = state.vips.contains_key(name) || state.services.contains_key(name);
            if known && placed.insert(name) {
                group.push(name);
                next.extend(near.get(name).into_iter().flatten());
            }
        }
        group.sort_by_key(|name| (follows.contains(name), *name));
        if !group.is_empty() {
            groups.push(group);
        }
    }
    groups
}

/// One group, and what there is to choose from.
struct Placing<'a> {
    state: &'a ClusterState,
    ledger: &'a Ledger,
    ranks: &'a Ranks,
    group: &'a [String],
}

impl<'a> Placing<'a> {
    /// Where the group belongs, without what cannot be there.
    fn targets(&self) -> impl Iterator<Item = (&'a String, NodeId)> + use<'a> {
        let (group, ledger, node) = (self.group, self.ledger, self.node());
        let able = move |node| {
            group.iter().filter(move |name| !ledger.is_unable(name, node)).map(move |name| (name, node))
        };
        node.into_iter().flat_map(able)
    }

    fn node(&self) -> Option<NodeId> {
        let able = self.able();
        let goal = self.group.iter().find_map(|name| self.ledger.goal(name));
        if let Some(goal) = goal.filter(|goal| able.contains(goal)) {
            return Some(goal);
        }
        let best = able.iter().copied().min_by_key(|id| self.preference(*id))?;
        let there = self.group.iter().find_map(|name| match self.ledger.slots.get(name) {
            Some(Slot::Held { node, .. }) => Some(*node),
            _ => None,
        });
        let Some(there) = there.filter(|there| able.contains(there)) else { return Some(best) };
        let kept = self.group.iter().any(|name| self.ledger.kept.contains(name));
        let stays = kept || !self.state.policy.failback || self.preference(there) == self.preference(best);
        Some(if stays { there } else { best })
    }

    /// The nodes that can take on the whole group; if there is none, those that can take on what leads it.
    fn able(&self) -> Vec<NodeId> {
        let can = |names: &[String]| -> Vec<NodeId> {
            let able = |id: &&NodeId| names.iter().all(|name| !self.ledger.is_unable(name, **id));
            self.ranks.ranked.iter().filter(able).copied().collect()
        };
        let mut able = can(self.group);
        if able.is_empty() {
            able = can(self.group.get(..1).unwrap_or_default());
        }
        let sound: Vec<NodeId> = able.iter().copied().filter(|id| self.ranks.sound.contains(id)).collect();
        if sound.is_empty() { able } else { sound }
    }

    /// The smaller, the better; nodes that nobody prefers are all the same.
    fn preference(&self, id: NodeId) -> usize {
        let prefer = |name: &'a String| {
            let vip = self.state.vips.get(name).map(|vip| &vip.prefer);
            vip.or_else(|| self.state.services.get(name).map(|service| &service.prefer))
                .filter(|prefer| !prefer.is_empty())
        };
        let Some(prefer) = self.group.iter().find_map(prefer) else { return 0 };
        let name = self.state.nodes.get(&id).map(|node| &node.name);
        prefer.iter().position(|preferred| Some(preferred) == name).unwrap_or(prefer.len())
    }
}

#[cfg(test)]
mod tests;
