use super::*;
use crate::ledger::Verdict;
use crate::resources::{HealthCheck, Policy};
use crate::state::{Node, Vip};

/// Nodes n1 to n4; the VIPs `v` and `w`, the services `s` and `t`.
fn cluster() -> ClusterState {
    let node = |id: NodeId| Node::new(format!("n{id}"), [10, 0, 0, u8::try_from(id).unwrap()].into());
    let mut state = ClusterState::new("c", "lan", None, node(1));
    state.nodes.extend((2..=4).map(|id| (id, node(id))));
    for (name, address) in [("v", "10.1.0.1/24"), ("w", "10.1.0.2/24")] {
        let vip = Vip { address: address.parse().unwrap(), interface: None, prefer: Vec::new() };
        state.vips.insert(name.into(), vip);
    }
    for name in ["s", "t"] {
        state.services.insert(name.into(), Service::new(&format!("{name}.service")));
    }
    state
}

fn prefer(state: &mut ClusterState, name: &str, nodes: &[&str]) {
    let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
    match state.vips.get_mut(name) {
        Some(vip) => vip.prefer = nodes,
        None => state.services.get_mut(name).unwrap().prefer = nodes,
    }
}

fn together(state: &mut ClusterState, resource: &str, with: &str) {
    state.constraints.push(Constraint::Colocation { resource: resource.into(), with: with.into() });
}

fn held(ledger: &mut Ledger, name: &str, node: NodeId, to: Option<NodeId>) {
    ledger.slots.insert(name.into(), Slot::Held { node, to, active: true });
}

fn unable(ledger: &mut Ledger, name: &str, nodes: &[NodeId]) {
    ledger.unable.insert(name.into(), nodes.iter().copied().collect());
}

fn fails(state: &mut ClusterState, ledger: &mut Ledger, nodes: &[NodeId]) {
    let check = serde_json::json!({ "probe": { "type": "tcp", "target": "h:1" }, "critical": true });
    state.checks.insert("disk".into(), serde_json::from_value::<HealthCheck>(check).unwrap());
    let verdict = Verdict { healthy: Some(false), error: None };
    ledger.verdicts.insert("disk".into(), nodes.iter().map(|node| (*node, verdict.clone())).collect());
}

type Setup = fn(&mut ClusterState, &mut Ledger);
type Case<'a> = (&'a str, Setup, &'a [NodeId], NodeId, [NodeId; 4]);

/// What is special, the candidates, the leader, where `v`, `w`, `s` and `t` belong (0: nowhere).
#[test]
fn everything_belongs_somewhere() {
    let cases: [Case<'_>; 21] = [
        ("lowest id", |_, _| {}, &[2, 3, 4], 2, [2; 4]),
        ("nobody", |_, _| {}, &[], 0, [0; 4]),
        ("priority first", |s, _| s.nodes.get_mut(&3).unwrap().priority = 101, &[1, 2, 3], 3, [3; 4]),
        ("it stays where it is", |_, l| held(l, "v", 3, None), &[1, 2, 3], 1, [3, 1, 1, 1]),
        ("unless that is no candidate", |_, l| held(l, "v", 3, None), &[1, 2], 1, [1; 4]),
        ("an operator sends it", |_, l| held(l, "v", 3, Some(2)), &[1, 2, 3], 1, [2, 1, 1, 1]),
        ("to who is no candidate", |_, l| held(l, "v", 3, Some(4)), &[1, 2, 3], 1, [3, 1, 1, 1]),
        ("preferred", |s, _| prefer(s, "v", &["n3", "n2"]), &[1, 2, 3], 1, [3, 1, 1, 1]),
        ("the second best", |s, _| prefer(s, "v", &["n4", "n2"]), &[1, 2, 3], 1, [2, 1, 1, 1]),
        ("none of the best", |s, _| prefer(s, "v", &["n4"]), &[1, 2, 3], 1, [1; 4]),
        (
            "it goes back",
            |s, l| {
                prefer(s, "s", &["n3", "n2"]);
                held(l, "s", 2, None);
            },
            &[1, 2, 3],
            1,
            [1, 1, 3, 1],
        ),
        (
            "it does not, without failback; nor does the lead",
            |s, l| {
                s.policy = Policy { failback: false };
                prefer(s, "s", &["n3", "n2"]);
                held(l, "s", 2, None);
                l.leader = Some(2);
            },
            &[1, 2, 3],
            2,
            [2, 2, 2, 2],
        ),
        (
            "an operator moved it: it stays",
            |s, l| {
                prefer(s, "s", &["n3"]);
                held(l, "s", 2, None);
                l.kept.insert("s".into());
            },
            &[1, 2, 3],
            1,
            [1, 1, 2, 1],
        ),
        ("unable", |_, l| unable(l, "s", &[1, 2]), &[1, 2, 3], 1, [1, 1, 3, 1]),
        ("unable anywhere", |_, l| unable(l, "s", &[1, 2]), &[1, 2], 1, [1, 1, 0, 1]),
        (
            "a group goes where its head goes",
            |s, l| {
                together(s, "v", "s");
                together(s, "t", "v");
                prefer(s, "s", &["n2"]);
                held(l, "v", 3, None);
            },
            &[1, 2, 3],
            1,
            [2, 1, 2, 2],
        ),
        (
            "a group goes where all can",
            |s, l| {
                together(s, "v", "s");
                held(l, "s", 1, None);
                held(l, "v", 1, None);
                unable(l, "v", &[1]);
            },
            &[1, 2, 3],
            1,
            [2, 1, 2, 1],
        ),
        (
            "where nobody can take it all, the head goes on without",
            |s, l| {
                together(s, "v", "s");
                unable(l, "v", &[1, 2]);
            },
            &[1, 2],
            1,
            [0, 1, 1, 1],
        ),
        (
            "an operator sends one of a group",
            |s, l| {
                together(s, "v", "s");
                held(l, "s", 1, None);
                held(l, "v", 1, Some(3));
            },
            &[1, 2, 3],
            1,
            [3, 1, 3, 1],
        ),
        (
            "a node fails its check",
            |s, l| {
                fails(s, l, &[1]);
                held(l, "v", 1, None);
            },
            &[1, 2],
            2,
            [2; 4],
        ),
        (
            "all do",
            |s, l| {
                fails(s, l, &[1, 2]);
                held(l, "v", 2, None);
            },
            &[1, 2],
            1,
            [2, 1, 1, 1],
        ),
    ];
    for (case, setup, candidates, leader, expected) in cases {
        let (mut state, mut ledger) = (cluster(), Ledger::default());
        setup(&mut state, &mut ledger);
        let ranks = Ranks::of(&state, &ledger, &candidates.iter().copied().collect());
        let plan = Plan::of(&state, &Order::of(&state), &ledger, &ranks);
        let at = |name: &str| plan.targets.get(name).copied().unwrap_or_default();
        assert_eq!(
            (plan.leader.unwrap_or_default(), ["v", "w", "s", "t"].map(at)),
            (leader, expected),
            "{case}"
        );
    }
}

#[test]
fn stopping_takes_as_long_as_the_longest_way_down() {
    let mut state = cluster();
    for (name, stop) in [("s", 1000), ("t", 500)] {
        state.services.get_mut(name).unwrap().stop_timeout_ms = stop;
    }
    let order = |first: &str, then: &str| Constraint::Order { first: first.into(), then: then.into() };
    state.constraints = vec![order("s", "t"), order("t", "v"), order("s", "v")];
    let order = Order::of(&state);
    assert_eq!((order.stops_within_ms("s"), order.stops_within_ms("t")), (1500, 500));
    assert_eq!((order.stops_within_ms("v"), order.firsts("v").len()), (0, 2));
}
