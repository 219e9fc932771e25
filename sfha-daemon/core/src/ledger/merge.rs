//! One ledger of many: what the members of a view agree on, from what each of them says.

use std::collections::{BTreeMap, BTreeSet};

use super::{Given, Ledger, Slot, Thing};
use crate::message::{Hello, Member};
use crate::state::{Age, NodeId};

impl Ledger {
    /// Puts the ledger together from what every member of a view says.
    ///
    /// A resource that somebody says it holds is that node's, if the newest ledger that knows names it, or
    /// none names anybody. If the newest names a node that is not here, it is lost. Whoever else holds
    /// it sees that it is not entitled and lets go; until then it is given to nobody new. One that
    /// nobody holds is free when its last holder is here and says so, and lost otherwise. Ledgers of members that
    /// had no quorum meanwhile say nothing about what others did; if there is no other, nothing that
    /// nobody here holds is free.
    #[must_use]
    pub fn merge(hellos: &BTreeMap<Member, Hello>, unit_margin_ms: u64) -> Self {
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
            .filter(|(node, _)| !present(node))
            .max_by_key(|(_, wait)| **wait)
            .map(|(node, wait)| (*node, *wait));
        let unfenced = hellos.values().flat_map(|hello| &hello.gone).find(|node| !present(node)).copied();

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
                // Fencing says when, not the time.
                Slot::Free if unfenced.is_some() => Slot::Lost { node: unfenced },
                Slot::Free => match gone {
                    Some((node, wait))
                        if wait.saturating_add(longest(&ledgers, name, unit_margin_ms)) > 0 =>
                    {
                        Slot::Lost { node: Some(node) }
                    }
                    _ => Slot::Free,
                },
                Slot::Lost { .. } => slot,
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
        merged.keep_of(&ledgers);
        merged.hear(hellos);
        merged
    }

    /// What the ledgers of the members remember, the best first.
    fn keep_of(&mut self, ledgers: &[(Rank, &Self)]) {
        if let Some((_, best)) = ledgers.first() {
            self.leader = best.leader;
            self.kept.clone_from(&best.kept);
            self.known.clone_from(&best.known);
            self.served.clone_from(&best.served);
            self.conflicts.clone_from(&best.conflicts);
        }
        // What its holder says to be active has no problem and is not stuck, whether that was heard or not.
        let slots = &self.slots;
        let active = |name: &str| matches!(slots.get(name), Some(Slot::Held { active: true, .. }));
        for (_, ledger) in ledgers {
            for (name, nodes) in &ledger.unable {
                self.unable.entry(name.clone()).or_default().extend(nodes);
            }
            for (name, problem) in ledger.problems.iter().filter(|(name, _)| !active(name)) {
                self.problems.entry(name.clone()).or_insert_with(|| problem.clone());
            }
            for (name, given) in &ledger.given {
                // Whose opinion wins is not always who ran it: the longer time counts.
                let known = self.given.entry(name.clone()).or_insert_with(|| given.clone());
                known.gone_ms = known.gone_ms.max(given.gone_ms);
            }
            for (name, by) in &ledger.stuck {
                let still = match slots.get(name) {
                    Some(Slot::Held { node, active: false, .. } | Slot::Lost { node: Some(node) }) => {
                        node == by
                    }
                    _ => false,
                };
                if still {
                    self.stuck.entry(name.clone()).or_insert(*by);
                }
            }
        }
    }

    /// What every member says about its own node.
    fn hear(&mut self, hellos: &BTreeMap<Member, Hello>) {
        for hello in hellos.values() {
            for (name, thing) in &hello.holds {
                let given = self.given.entry(name.clone());
                given
                    .and_modify(|given| given.thing.clone_from(thing))
                    .or_insert_with(|| Given::unknown(thing.clone()));
            }
        }
        // A service's failures are counted by each node for itself: nothing else is known about them.
        let given = &self.given;
        self.unable.retain(|name, _| !matches!(given.get(name), Some(Given { thing: Thing::Unit(_), .. })));
        for (member, hello) in hellos {
            for (name, failures) in &hello.failures {
                self.failed(name, member.node, *failures);
            }
            for (name, verdict) in &hello.verdicts {
                self.verdicts.entry(name.clone()).or_default().insert(member.node, verdict.clone());
            }
            self.strays.extend(hello.strays.iter().map(|name| (name.clone(), member.node)));
        }
    }
}

/// What a member's ledger is worth: less when others may have had quorum without it; else by the age of
/// its state.
type Rank = (bool, Age);

/// How much longer than a VIP's that resource's wait is, in milliseconds, as far as anybody knows.
fn longest(ledgers: &[(Rank, &Ledger)], name: &str, unit_margin_ms: u64) -> i64 {
    let wait = |given: &Given| match given.thing {
        Thing::Address(_) => 0,
        Thing::Unit(_) => given.gone_ms.saturating_add(unit_margin_ms),
    };
    let longest = ledgers.iter().filter_map(|(_, ledger)| ledger.given.get(name)).map(wait).max();
    i64::try_from(longest.unwrap_or_default()).unwrap_or(i64::MAX)
}

/// What becomes of one resource; the opinions are of ledgers, the best first.
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
