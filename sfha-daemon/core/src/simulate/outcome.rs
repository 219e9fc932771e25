//! What came of an event, put for people and scripts.

use std::collections::BTreeMap;

use sfha_proto::Failure;
use sfha_proto::simulate::{Change, Place, Standing, Step, Wait};

use super::group::{Deed, Done, Group};
use crate::cluster::Cluster;
use crate::state::{ClusterState, NodeId};
use crate::time::Time;

/// How things are called.
pub(super) struct Names {
    nodes: BTreeMap<NodeId, String>,
    /// All resources that there are, or were, and whether each is a VIP: VIPs first, each kind by name.
    resources: Vec<(String, bool)>,
    fencing: bool,
}

impl Names {
    pub(super) fn of(state: &ClusterState) -> Self {
        let vips = state.vips.keys().map(|name| (name.clone(), true));
        Self {
            nodes: state.nodes.iter().map(|(id, node)| (*id, node.name.clone())).collect(),
            resources: vips.chain(state.services.keys().map(|name| (name.clone(), false))).collect(),
            fencing: state.stonith.gates(),
        }
    }

    /// What an event has added is called so.
    pub(super) fn learn(&mut self, group: &Group) {
        let Some(core) = judge(group) else { return };
        for (name, vip) in Self::of(core.state()).resources {
            if !self.resources.iter().any(|(known, _)| *known == name) {
                self.resources.push((name, vip));
            }
        }
        self.resources.sort_by(|(a, vip_a), (b, vip_b)| vip_b.cmp(vip_a).then_with(|| a.cmp(b)));
    }

    fn node(&self, id: NodeId) -> String {
        self.nodes.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

/// The member whose word counts.
fn judge(group: &Group) -> Option<&Cluster> {
    let operational = group.cores().find(|(_, core)| core.is_operational());
    operational.or_else(|| group.cores().next()).map(|(_, core)| core)
}

fn exists(core: &Cluster, name: &str) -> bool {
    let state = core.state();
    state.vips.contains_key(name) || state.services.contains_key(name)
}

/// How the group stands.
pub(super) fn standing(group: &Group, names: &Names) -> Standing {
    let quorate = group.cores().filter(|(_, core)| core.is_quorate()).map(|(id, _)| names.node(id));
    let leader = group.cores().find_map(|(_, core)| core.leader());
    let judge = judge(group);
    let is_there = |(name, _): &&(String, bool)| {
        judge.is_none_or(|core| exists(core, name)) || !group.holders(name).is_empty()
    };
    let place = |(name, vip): &(String, bool)| Place {
        name: name.clone(),
        kind: if *vip { "vip" } else { "service" }.to_owned(),
        holders: group.holders(name).into_iter().map(|id| names.node(id)).collect(),
    };
    Standing {
        quorate: quorate.collect(),
        leader: leader.map(|id| names.node(id)),
        resources: names.resources.iter().filter(is_there).map(place).collect(),
    }
}

/// What the event did that was given at [`Group::begin`].
pub(super) fn step(
    group: &Group,
    names: &Names,
    event: &str,
    before: Standing,
    refused: Option<Failure>,
    settled: bool,
) -> Step {
    let after = standing(group, names);
    let changes: Vec<Change> = (names.resources.iter())
        .filter_map(|(name, vip)| {
            let of = |standing: &Standing| {
                let place = standing.resources.iter().find(|place| place.name == *name);
                place.map(|place| place.holders.clone()).unwrap_or_default()
            };
            change(group, names, (name, *vip), (of(&before), of(&after)))
        })
        .collect();
    let within_ms = changes.iter().map(|change| change.within_ms).max().unwrap_or_default();
    let leader_before = before.leader;
    Step { event: event.to_owned(), refused, leader_before, after, changes, within_ms, settled }
}

fn change(
    group: &Group,
    names: &Names,
    (name, vip): (&str, bool),
    (before, after): (Vec<String>, Vec<String>),
) -> Option<Change> {
    let done: Vec<&Done> = group.done.iter().filter(|done| done.name == name).collect();
    if done.is_empty() && before == after {
        return None;
    }
    let judge = judge(group);
    let (why, waits_for) = match judge {
        _ if !after.is_empty() => (None, None),
        Some(core) if !exists(core, name) => (Some("removed".to_owned()), None),
        Some(core) => core.why_not(name),
        None => (Some("no-quorum".to_owned()), None),
    };
    let last = done.last().map_or(group.begin, |done| done.at);
    let tied = judge.is_some_and(|core| core.is_tied(name));
    Some(Change {
        name: name.to_owned(),
        kind: if vip { "vip" } else { "service" }.to_owned(),
        from: before.first().cloned(),
        to: after.first().cloned(),
        holders: after,
        within_ms: ms(group.begin, last),
        waits: waits(group, names, &done, tied),
        why,
        waits_for,
    })
}

/// The time from the event to the last deed, in parts.
fn waits(group: &Group, names: &Names, done: &[&Done], tied: bool) -> Vec<Wait> {
    let mut parts: Vec<Wait> = Vec::new();
    let mut cursor = group.begin;
    let mut add = |reason: &str, until: Time| {
        let ms = ms(cursor, until);
        cursor = cursor.max(until);
        match parts.last_mut() {
            Some(last) if last.reason == reason => last.ms += ms,
            _ if ms > 0 => parts.push(Wait { reason: reason.to_owned(), ms }),
            _ => {}
        }
    };
    // Whoever was there before and did not let go itself is lost.
    let lost = !matches!(done.first().map(|done| done.deed), Some(Deed::Leaves | Deed::HasNot));
    for done in done {
        if let Some(off) = group.switched_off.filter(|at| *at <= done.at) {
            add("fencing", off);
        }
        if let Some(noticed) = group.noticed.filter(|at| *at <= done.at) {
            add("detection", noticed);
        }
        let reason = match done.deed {
            Deed::Has => "start",
            Deed::HasNot => "stop",
            Deed::Takes | Deed::Leaves if tied && !lost => "order",
            Deed::Takes if lost && names.fencing && group.noticed.is_some() => "fencing",
            Deed::Takes if lost && group.noticed.is_some() => "takeover",
            Deed::Takes | Deed::Leaves => "agreement",
        };
        add(reason, done.at);
    }
    parts
}

fn ms(from: Time, to: Time) -> u64 {
    u64::try_from(to.since(from).as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}
