use std::collections::BTreeSet;

use sfha_proto::simulate::Change;

use super::*;
use crate::cluster::Settings;
use crate::fencing::{FencingSettings, Level};
use crate::resources::{Constraint, HealthCheck, Probe, Service};
use crate::state::{Node, Vip};

const DETECTION: u64 = 1100;

fn settings() -> Settings {
    Settings {
        me: 1,
        program: "test".into(),
        node_lost_delay: Duration::from_millis(300),
        daemon_lost_delay: Duration::from_millis(1200),
        unit_margin: Duration::from_millis(6000),
    }
}

/// The VIP `v`; the service `s` with it and after it; the service `t`, which prefers n2 and is critical.
fn state(nodes: NodeId) -> ClusterState {
    let node = |id: NodeId| Node::new(format!("n{id}"), [10, 0, 0, u8::try_from(id).unwrap()].into());
    let mut state = ClusterState::new("c", "lan", None, node(1));
    state.nodes.extend((2..=nodes).map(|id| (id, node(id))));
    let vip = Vip { address: "10.1.0.1/24".parse().unwrap(), interface: None, prefer: Vec::new() };
    state.vips.insert("v".into(), vip);
    let times = |unit: &str| Service { start_timeout_ms: 3000, stop_timeout_ms: 2000, ..Service::new(unit) };
    state.services.insert("s".into(), times("s.service"));
    let t = Service { prefer: vec!["n2".into()], critical: true, ..times("t.service") };
    state.services.insert("t".into(), t);
    state.constraints = vec![
        Constraint::Order { first: "v".into(), then: "s".into() },
        Constraint::Colocation { resource: "s".into(), with: "v".into() },
    ];
    let check = HealthCheck {
        probe: Probe::Tcp { target: "h:1".into() },
        interval_ms: 1000,
        timeout_ms: 1000,
        fall: 1,
        rise: 1,
        start_grace_ms: 0,
        service: None,
        critical: true,
        restart_unit: None,
    };
    state.checks.insert("gateway".into(), check);
    state
}

/// What node 1 knows when these nodes have run for a while, and when that is.
fn seen(all: NodeId, running: &[NodeId]) -> (Cluster, Time) {
    let state = state(all);
    let mut group = Group::off(&state, &settings(), Times::default(), Time::from_micros(1_000_000));
    running.iter().for_each(|id| group.boot(*id, state.clone()));
    assert!(settle(&mut group));
    (group.core(1).unwrap().clone(), group.now())
}

/// The same cluster with fencing on.
fn seen_with_fencing(all: NodeId) -> (Cluster, Time) {
    let mut state = state(all);
    let levels = vec![Level::Proxmox];
    state.stonith = FencingSettings { enabled: true, levels, ..FencingSettings::off() };
    let mut group = Group::off(&state, &settings(), Times::default(), Time::from_micros(1_000_000));
    (1..=all).for_each(|id| group.boot(id, state.clone()));
    assert!(settle(&mut group));
    (group.core(1).unwrap().clone(), group.now())
}

fn told(seen: &(Cluster, Time), events: &[&str]) -> Simulation {
    let event = |text: &&str| ((*text).to_owned(), Happening::read(text, seen.0.state()).unwrap());
    let events: Vec<_> = events.iter().map(event).collect();
    simulate(&seen.0, seen.1, Times::default(), &events)
}

fn of<'a>(step: &'a Step, name: &str) -> &'a Change {
    step.changes.iter().find(|change| change.name == name).unwrap()
}

fn ends(change: &Change) -> (Option<&str>, Option<&str>) {
    (change.from.as_deref(), change.to.as_deref())
}

#[test]
fn what_a_lost_node_had_moves_after_detection_and_wait() {
    let told = told(&seen(3, &[1, 2, 3]), &["node-lost:n1"]);
    let step = &told.steps[0];
    assert!(step.settled);
    assert_eq!((step.leader_before.as_deref(), step.after.leader.as_deref()), (Some("n1"), Some("n2")));
    assert_eq!(step.after.quorate, ["n2", "n3"]);
    let (v, s) = (of(step, "v"), of(step, "s"));
    assert_eq!((ends(v), ends(s)), ((Some("n1"), Some("n2")), (Some("n1"), Some("n2"))));
    assert_eq!((v.waits[0].reason.as_str(), v.waits[0].ms), ("detection", DETECTION));
    assert_eq!(v.waits[1].reason, "takeover");
    assert!((300..400).contains(&v.waits[1].ms), "{v:?}");
    // A service may run for as long as it takes to stop it and to kill a daemon that stands still.
    assert!((8300..8400).contains(&s.waits[1].ms), "{s:?}");
    assert!(step.changes.iter().all(|change| change.name != "t"), "it was elsewhere: {step:?}");
    let all: u64 = s.waits.iter().map(|wait| wait.ms).sum();
    assert_eq!((all, step.within_ms), (s.within_ms, s.within_ms));
}

#[test]
fn events_come_one_after_the_other() {
    let seen = seen(3, &[1, 2, 3]);
    let told = told(&seen, &["standby:n2", "node-lost:n1", "node-back:n1", "unstandby:n2"]);
    let holders = |step: &Step, name: &str| {
        step.after.resources.iter().find(|place| place.name == name).unwrap().holders.clone()
    };
    let t: Vec<_> = told.steps.iter().map(|step| holders(step, "t")).collect();
    assert_eq!(t, [["n1"], ["n3"], ["n3"], ["n2"]]);
    let v: Vec<_> = told.steps.iter().map(|step| holders(step, "v")).collect();
    assert_eq!(v, [["n1"], ["n3"], ["n3"], ["n3"]]);
    assert_eq!(
        of(&told.steps[0], "t").waits.iter().map(|wait| wait.reason.as_str()).collect::<Vec<_>>(),
        ["agreement", "stop", "agreement", "start"]
    );
}

#[test]
fn without_quorum_everything_stops_and_an_operator_is_refused() {
    let told = told(&seen(3, &[1, 2, 3]), &["quorum-lost", "failover"]);
    let step = &told.steps[0];
    assert_eq!((step.after.quorate.len(), step.after.leader.clone()), (0, None));
    for name in ["v", "s", "t"] {
        let change = of(step, name);
        assert_eq!((change.to.as_deref(), change.why.as_deref()), (None, Some("no-quorum")), "{name}");
    }
    let refused = told.steps[1].refused.as_ref().unwrap();
    assert_eq!(refused.code, sfha_proto::ErrorCode::NoQuorum);
    assert!(told.steps[1].changes.is_empty());
}

#[test]
fn the_side_without_quorum_gives_up_and_the_other_takes_over() {
    let told = told(&seen(3, &[1, 2, 3]), &["partition:n1/n2,n3"]);
    assert_eq!(told.steps[0].after.quorate, ["n2", "n3"]);
    assert_eq!(ends(of(&told.steps[0], "v")), (Some("n1"), Some("n2")));
    assert_eq!(of(&told.steps[0], "v").holders, ["n2"]);
}

#[test]
fn a_service_that_fails_goes_elsewhere_where_that_is_wanted() {
    let seen = seen(3, &[1, 2, 3]);
    let told = told(&seen, &["service-failed:t", "service-failed:s"]);
    assert_eq!(ends(of(&told.steps[0], "t")), (Some("n2"), Some("n1")));
    let s = of(&told.steps[1], "s");
    assert_eq!((ends(s), s.why.as_deref()), ((Some("n1"), None), Some("unit-failed")));
}

#[test]
fn a_check_that_fails_moves_what_the_leader_has() {
    let told = told(&seen(3, &[1, 2, 3]), &["check-failed:gateway"]);
    assert_eq!(told.steps[0].after.leader.as_deref(), Some("n2"));
    assert_eq!(ends(of(&told.steps[0], "v")), (Some("n1"), Some("n2")));
}

#[test]
fn in_maintenance_nothing_moves() {
    let told = told(&seen(3, &[1, 2, 3]), &["maintenance:on", "node-lost:n1", "maintenance:off"]);
    assert!(told.steps[0].changes.is_empty());
    let lost = of(&told.steps[1], "v");
    assert_eq!((lost.to.as_deref(), lost.why.as_deref()), (None, Some("maintenance")));
    assert_eq!(of(&told.steps[2], "v").to.as_deref(), Some("n2"));
}

#[test]
fn from_a_node_alone_it_is_told_what_brings_things_back() {
    let told = told(&seen(3, &[1]), &["node-lost:n3", "node-back:n2"]);
    assert_eq!((told.start.quorate.len(), told.start.leader.clone()), (0, None));
    assert!(told.steps[0].changes.is_empty());
    assert_eq!(told.steps[1].after.quorate, ["n1", "n2"]);
    assert_eq!(of(&told.steps[1], "v").to.as_deref(), Some("n1"));
}

#[test]
fn a_dead_daemon_lets_go_and_the_others_wait_for_its_leases() {
    let told = told(&seen(3, &[1, 2, 3]), &["daemon-dead:n1"]);
    let v = of(&told.steps[0], "v");
    assert_eq!((ends(v), v.holders.len()), ((Some("n1"), Some("n2")), 1));
    assert!(v.within_ms >= 1200, "{v:?}");
}

#[test]
fn what_is_added_is_put_somewhere_and_what_is_removed_is_gone() {
    let seen = seen(3, &[1, 2, 3]);
    let events =
        ["vip-add:w=10.1.0.9/24", "service-add:u=u", "standby:n1", "vip-remove:v", "service-remove:t"];
    let told = told(&seen, &events);
    let places = |step: usize| -> Vec<&str> {
        told.steps[step].after.resources.iter().map(|place| place.name.as_str()).collect()
    };
    assert_eq!(ends(of(&told.steps[0], "w")), (None, Some("n1")));
    assert_eq!((told.start.resources.len(), places(0)), (3, vec!["v", "w", "s", "t"]));
    assert_eq!((of(&told.steps[0], "w").kind.as_str(), told.steps[0].changes.len()), ("vip", 1));
    let u = of(&told.steps[1], "u");
    assert_eq!((ends(u), u.kind.as_str()), ((None, Some("n1")), "service"));
    assert!(u.within_ms >= 30_000, "it may take as long as it may to start: {u:?}");
    // What was added counts in what comes after.
    assert_eq!(ends(of(&told.steps[2], "w")), (Some("n1"), Some("n2")));
    let v = of(&told.steps[3], "v");
    assert_eq!((ends(v), v.why.as_deref()), ((Some("n2"), None), Some("removed")));
    // The service that went with it goes where it likes.
    assert_eq!(places(4), ["w", "s", "u"]);
    assert_eq!(of(&told.steps[4], "t").why.as_deref(), Some("removed"));
}

#[test]
fn what_the_state_would_refuse_is_refused() {
    let seen = seen(3, &[1, 2, 3]);
    let events = ["vip-add:v=10.1.0.9/24", "vip-add:w=10.1.0.1/24", "service-add:s=x", "fence:n2"];
    let told = told(&seen, &events);
    let codes: Vec<_> = told.steps.iter().map(|step| step.refused.as_ref().unwrap().code).collect();
    use sfha_proto::ErrorCode::{AlreadyExists, NotFound};
    assert_eq!(codes, [AlreadyExists, AlreadyExists, AlreadyExists, NotFound]);
    assert!(told.steps.iter().all(|step| step.changes.is_empty()));
}

#[test]
fn a_node_that_is_taken_out_hands_over_and_does_not_count_any_more() {
    let told = told(&seen(3, &[1, 2, 3]), &["node-remove:n1", "node-lost:n2"]);
    let step = &told.steps[0];
    assert!(step.refused.is_none() && step.settled, "{step:?}");
    assert_eq!(
        (step.after.quorate.clone(), step.after.leader.as_deref()),
        (vec!["n2".into(), "n3".into()], Some("n2"))
    );
    let v = of(step, "v");
    assert_eq!(ends(v), (Some("n1"), Some("n2")));
    assert!(v.waits.iter().all(|wait| wait.reason != "detection"), "it goes in order: {v:?}");
    // Of the two that are left, one goes on alone.
    assert_eq!(told.steps[1].after.quorate, ["n3"]);
    assert_eq!(of(&told.steps[1], "v").to.as_deref(), Some("n3"));
}

#[test]
fn a_node_that_the_rest_needs_is_not_taken_out() {
    let told = told(&seen(3, &[1, 2]), &["node-remove:n2"]);
    let refused = told.steps[0].refused.as_ref().unwrap();
    assert_eq!(refused.code, sfha_proto::ErrorCode::WouldLoseQuorum);
}

#[test]
fn a_node_that_is_switched_off_is_taken_over_then_and_comes_back_when_it_is_switched_on() {
    let told = told(&seen_with_fencing(3), &["fence:n1", "unfence:n1"]);
    let v = of(&told.steps[0], "v");
    assert_eq!((ends(v), told.steps[0].after.quorate.len()), ((Some("n1"), Some("n2")), 2));
    assert_eq!(v.waits[0].reason, "fencing", "{v:?}");
    assert!(v.waits.iter().any(|wait| (wait.reason.as_str(), wait.ms) == ("detection", DETECTION)), "{v:?}");
    assert!(told.steps[1].refused.is_none(), "{:?}", told.steps[1]);
    assert_eq!(told.steps[1].after.quorate, ["n1", "n2", "n3"]);
}

#[test]
fn what_a_lost_node_had_is_taken_once_somebody_answers_for_it() {
    let mut seen = seen_with_fencing(3);
    // Nothing can switch it off.
    let mut state = seen.0.state().clone();
    state.stonith.levels = Vec::new();
    let mut group = Group::off(&state, &settings(), Times::default(), Time::from_micros(1_000_000));
    (1..=3).for_each(|id| group.boot(id, state.clone()));
    assert!(settle(&mut group));
    seen = (group.core(1).unwrap().clone(), group.now());
    let told = told(&seen, &["node-lost:n2", "confirm:n2"]);
    let t = of(&told.steps[0], "t");
    assert_eq!((t.to.as_deref(), t.why.as_deref()), (None, Some("not-harmless")));
    assert_eq!(of(&told.steps[1], "t").to.as_deref(), Some("n1"));
}

/// The twins are the members: what they do after a loss is what the members themselves do.
#[test]
fn what_is_told_is_what_happens() {
    let state = state(4);
    let mut group = Group::off(&state, &settings(), Times::default(), Time::from_micros(1_000_000));
    (1..=4).for_each(|id| group.boot(id, state.clone()));
    assert!(settle(&mut group));
    for lost in 1..=4 {
        let seen = (group.core(1).or_else(|| group.core(2)).unwrap().clone(), group.now());
        let told = told(&seen, &[&format!("node-lost:n{lost}")]);
        group.done.clear();
        group.cut_power(lost);
        assert!(settle(&mut group));
        for place in &told.steps[0].after.resources {
            let holders: BTreeSet<String> =
                group.holders(&place.name).into_iter().map(|id| format!("n{id}")).collect();
            assert_eq!(holders, place.holders.iter().cloned().collect(), "{} after n{lost}", place.name);
        }
        group.boot(lost, state.clone());
        assert!(settle(&mut group));
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_there_is() {
    let state = state(2);
    for (text, reason, choices) in [
        ("node-lost:n9", "unknown-node", 2),
        ("node-lost", "unknown-node", 2),
        ("service-failed:v", "unknown-service", 2),
        ("check-failed:s", "unknown-check", 1),
        ("maintenance", "on-off", 2),
        ("partition:n1/n3", "unknown-node", 2),
        ("vip-remove:s", "unknown-vip", 1),
        ("service-remove:v", "unknown-service", 2),
        ("node-remove:v", "unknown-node", 2),
        ("vip-add:w", "event", 1),
        ("vip-add:w=10.1.0.9", "cidr", 0),
        ("service-add:w", "event", 1),
        ("service-add:w=a b", "unit", 0),
        ("earthquake", "event", FORMS.len()),
        ("quorum-lost:n1", "event", FORMS.len()),
    ] {
        let failure = Happening::read(text, &state).unwrap_err();
        assert_eq!(failure.details["reason"], reason, "{text}");
        assert_eq!(failure.details["choices"].as_array().unwrap().len(), choices, "{text}");
    }
}
