//! What came of an event, put for people and scripts.

use std::collections::BTreeMap;

use sfha_proto::Failure;
use sfha_proto::simulate::{Change, Place, Standing, Step, Wait};

use super::group::{Deed, Done, Group};
use crate::state::{ClusterState, NodeId};
use crate::time::Time;

/// How things are called.
pub(super) struct Names {
    nodes: BTreeMap<NodeId, String>,
    /// All resources, and whether each is a VIP.
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

    fn node(&self, id: NodeId) -> String {
        self.nodes.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

/// How the group stands.
pub(super) fn standing(group: &Group, names: &Names) -> Standing {
    let quorate = group.cores().filter(|(_, core)| core.is_quorate()).map(|(id, _)| names.node(id));
    let leader = group.cores().find_map(|(_, core)| core.leader());
    let place = |(name, vip): &(String, bool)| Place {
        name: name.clone(),
        kind: if *vip { "vip" } else { "service" }.to_owned(),
        holders: group.holders(name).into_iter().map(|id| names.node(id)).collect(),
    };
    Standing {
        quorate: quorate.collect(),
        leader: leader.map(|id| names.node(id)),
        resources: names.resources.iter().map(place).collect(),
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
    let changes: Vec<Change> = (before.resources.iter().zip(&after.resources))
        .filter_map(|(before, after)| change(group, names, before, after))
        .collect();
    let within_ms = changes.iter().map(|change| change.within_ms).max().unwrap_or_default();
    let leader_before = before.leader;
    Step { event: event.to_owned(), refused, leader_before, after, changes, within_ms, settled }
}

fn change(group: &Group, names: &Names, before: &Place, after: &Place) -> Option<Change> {
    let done: Vec<&Done> = group.done.iter().filter(|done| done.name == after.name).collect();
    if done.is_empty() && before.holders == after.holders {
        return None;
    }
    let judge = group.cores().find(|(_, core)| core.is_operational()).or_else(|| group.cores().next());
    let (why, waits_for) = match judge {
        _ if !after.holders.is_empty() => (None, None),
        Some((_, core)) => core.why_not(&after.name),
        None => (Some("no-quorum".to_owned()), None),
    };
    let last = done.last().map_or(group.begin, |done| done.at);
    let tied = judge.is_some_and(|(_, core)| core.is_tied(&after.name));
    Some(Change {
        name: after.name.clone(),
        kind: after.kind.clone(),
        from: before.holders.first().cloned(),
        to: after.holders.first().cloned(),
        holders: after.holders.clone(),
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
