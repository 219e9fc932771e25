//! Services: who runs them, in which order, and what follows when they fail.

use std::collections::BTreeSet;

use super::harness::{Lab, NODE_LOST, Slow, UNIT_MARGIN};
use crate::resources::{Constraint, Elsewhere, HealthCheck, Probe, Service};
use crate::{Command, Event, UnitState};

const STOP: u64 = 2000;

fn service(name: &str) -> Service {
    Service { stop_timeout_ms: STOP, failure_expiry_s: 60, ..Service::new(&format!("{name}.service")) }
}

/// Three nodes, the VIPs `a` and `b`, the services `db` and `web`; `with` changes what is configured.
fn lab(with: impl FnOnce(&mut crate::resources::Configured)) -> Lab {
    let mut lab = Lab::new(3);
    let state = lab.nodes[&1].state().clone();
    let mut configured = state.configured();
    configured.services.insert("db".into(), service("db"));
    configured.services.insert("web".into(), service("web"));
    with(&mut configured);
    let revision = state.revision;
    lab.propose(1, 900, Command::Configure { revision, configured: Box::new(configured) });
    assert!(lab.applied(900), "{:?}", lab.answers);
    lab
}

fn order(first: &str, then: &str) -> Constraint {
    Constraint::Order { first: first.into(), then: then.into() }
}

fn together(resource: &str, with: &str) -> Constraint {
    Constraint::Colocation { resource: resource.into(), with: with.into() }
}

fn since(lab: &Lab, from: usize) -> Vec<&str> {
    lab.done[from..].iter().map(String::as_str).collect()
}

fn state_of(lab: &Lab, name: &str) -> (String, Option<String>) {
    let statuses: BTreeSet<_> = lab
        .nodes
        .values()
        .map(|node| {
            let status = node.status().services.into_iter().find(|service| service.name == name).unwrap();
            (status.state, status.holder)
        })
        .collect();
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    statuses.into_iter().next().unwrap()
}

fn unit(lab: &mut Lab, id: u32, name: &str, state: UnitState) {
    lab.tell(id, Event::UnitChanged { name: name.into(), state });
    lab.settle();
}

fn move_to(lab: &mut Lab, request: u64, to: u32, names: &[&str]) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    lab.tell(3, Event::Move { request, to: Some(to), names });
    lab.settle();
}

#[test]
fn a_service_runs_on_one_node_and_every_status_says_where() {
    let lab = lab(|_| {});
    assert_eq!(lab.holders("db"), [1]);
    assert_eq!(state_of(&lab, "db"), ("active".to_owned(), Some("n1".to_owned())));
    assert!(lab.nodes[&1].local_services().contains("db") && lab.nodes[&2].local_services().is_empty());
}

#[test]
fn only_addresses_are_announced() {
    let mut lab = lab(|_| {});
    lab.form(&[1, 2]);
    lab.form(&[1, 2, 3]);
    let announced: Vec<&str> = since(&lab, 0).into_iter().filter(|line| line.contains("announce")).collect();
    assert_eq!(announced, ["1 announce a", "1 announce b"].repeat(announced.len() / 2));
    assert!(!announced.is_empty());
}

#[test]
fn a_service_of_a_lost_node_waits_for_its_stop_time_too() {
    let mut lab = lab(|_| {});
    lab.form(&[2, 3]);
    lab.pass(NODE_LOST + STOP + UNIT_MARGIN - 1);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![1, 2], vec![1]));
    lab.pass(1);
    assert_eq!(lab.holders("db"), [1, 2]);
}

#[test]
fn what_runs_first_is_given_up_last_wherever_it_goes() {
    let mut lab = lab(|c| {
        c.constraints =
            vec![order("db", "web"), order("web", "a"), together("db", "a"), together("web", "a")];
    });
    let from = lab.done.len();
    lab.slow.insert((1, Slow::Stop));
    move_to(&mut lab, 1, 2, &["web"]);
    assert_eq!(since(&lab, from), ["1 release a", "1 stop web"]);
    lab.on.clear();
    lab.finish(Slow::Stop, Ok(()));
    assert_eq!(
        since(&lab, from)[2..],
        ["1 stop db", "2 start db", "2 start web", "2 acquire a"],
        "{:?}",
        lab.answers
    );
    assert!(lab.answers[&1].is_ok());
    assert_eq!(lab.holders("b"), [] as [u32; 0], "b did not move");
    assert!(lab.nodes[&1].active().contains("b"));
}

#[test]
fn without_quorum_addresses_go_at_once_and_services_in_order_while_there_is_time() {
    let mut lab = lab(|c| c.constraints = vec![order("db", "web"), order("a", "web")]);
    let from = lab.done.len();
    lab.slow.insert((1, Slow::Stop));
    lab.form(&[1]);
    assert_eq!(since(&lab, from), ["1 release a", "1 release b", "1 stop web"]);
    // The others count on two stop times: the second one begins in time though the first is not over.
    lab.pass(STOP - 1);
    assert_eq!(since(&lab, from).len(), 3);
    lab.pass(1);
    assert_eq!(since(&lab, from)[3..], ["1 stop db"]);
}

#[test]
fn a_chain_is_taken_over_when_all_of_it_must_be_gone() {
    let mut lab = lab(|c| c.constraints = vec![order("db", "web")]);
    lab.form(&[2, 3]);
    lab.pass(NODE_LOST + 2 * STOP + UNIT_MARGIN - 1);
    assert_eq!(lab.holders("db"), [1]);
    lab.pass(1);
    assert_eq!((lab.holders("db"), lab.holders("web")), (vec![1, 2], vec![1, 2]));
}

#[test]
fn what_cannot_be_stopped_is_taken_on_by_nobody_else_even_when_its_node_is_gone() {
    let mut lab = lab(|_| {});
    lab.slow.insert((1, Slow::Stop));
    move_to(&mut lab, 1, 2, &["db"]);
    lab.finish(Slow::Stop, Err("stop-failed".into()));
    assert_eq!(state_of(&lab, "db"), ("failed".to_owned(), Some("n1".to_owned())));
    lab.slow.insert((1, Slow::Stop));
    lab.pass(999);
    let tries = lab.done.iter().filter(|line| *line == "1 stop db").count();
    assert_eq!(tries, 1);
    lab.pass(1);
    assert_eq!(lab.done.last().map(String::as_str), Some("1 stop db"));
    lab.form(&[2, 3]);
    lab.pass(60_000);
    assert!(!lab.on[&2].contains("db") && !lab.on[&3].contains("db"));
    lab.form(&[1, 2, 3]);
    lab.on.get_mut(&1).unwrap().remove("db");
    lab.finish(Slow::Stop, Ok(()));
    lab.pass(10_000);
    assert_eq!(lab.holders("db").len(), 1);
}

#[test]
fn a_unit_that_dies_is_started_again_and_then_moves_with_what_is_colocated() {
    let mut lab = lab(|c| {
        let db = c.services.get_mut("db").unwrap();
        (db.restarts, db.critical) = (1, true);
        c.constraints = vec![together("db", "a"), order("db", "a")];
    });
    let from = lab.done.len();
    unit(&mut lab, 1, "db", UnitState::Failed);
    assert_eq!(since(&lab, from), ["1 release a", "1 restart db", "1 acquire a"]);
    unit(&mut lab, 1, "db", UnitState::Inactive);
    assert_eq!(since(&lab, from)[3..], ["1 release a", "1 stop db", "2 start db", "2 acquire a"]);
    let status = lab.nodes[&3].status().services[0].clone();
    assert_eq!((status.failures, status.state.as_str()), (2, "active"));
    // Node 2 loses it too: node 1 is not tried again before its failures have expired.
    unit(&mut lab, 2, "db", UnitState::Failed);
    unit(&mut lab, 2, "db", UnitState::Failed);
    assert_eq!((lab.holders("db"), lab.holders("a")), (vec![3], vec![3]));
    lab.pass(60_000);
    assert_eq!(lab.nodes[&3].status().services[0].failures, 0);
}

#[test]
fn one_that_is_not_critical_stays_down_until_its_failures_expire() {
    let mut lab = lab(|_| {});
    unit(&mut lab, 1, "db", UnitState::Failed);
    assert_eq!(state_of(&lab, "db"), ("failed".to_owned(), None));
    lab.pass(59_999);
    assert!(!lab.nodes[&1].active().contains("db"));
    lab.pass(1);
    assert_eq!(state_of(&lab, "db"), ("active".to_owned(), Some("n1".to_owned())));
}

#[test]
fn a_start_that_fails_goes_to_the_next_node_when_that_is_wanted() {
    let mut lab = lab(|c| c.services.get_mut("db").unwrap().critical = true);
    lab.slow.insert((2, Slow::Start));
    move_to(&mut lab, 1, 2, &["db"]);
    lab.finish(Slow::Start, Err("start-failed".into()));
    assert_eq!(lab.holders("db"), [1]);
    assert!(lab.answers[&1].is_err());
    assert!(lab.done.contains(&"2 stop db".to_owned()));
}

fn check(service: Option<&str>) -> HealthCheck {
    let probe = Probe::Tcp { target: "127.0.0.1:1".into() };
    let text = serde_json::json!({ "probe": probe, "service": service, "critical": service.is_none() });
    serde_json::from_value(text).unwrap()
}

fn verdict(lab: &mut Lab, id: u32, name: &str, healthy: Option<bool>) {
    let error = (healthy == Some(false)).then(|| "refused".to_owned());
    lab.tell(id, Event::CheckChanged { name: name.into(), healthy, error });
    lab.settle();
}

#[test]
fn an_unhealthy_service_is_started_again_and_its_check_begins_anew() {
    let mut lab = lab(|c| {
        c.services.get_mut("db").unwrap().restarts = 1;
        c.checks.insert("ping".into(), check(Some("db")));
    });
    assert!(lab.nodes[&1].local_checks().contains("ping") && lab.nodes[&2].local_checks().is_empty());
    let health = |lab: &Lab| {
        let all: BTreeSet<_> = lab.nodes.values().map(|node| node.status().health[0].healthy).collect();
        assert_eq!(all.len(), 1);
        all.into_iter().next().unwrap()
    };
    assert_eq!(health(&lab), None);
    verdict(&mut lab, 1, "ping", Some(true));
    assert_eq!(health(&lab), Some(true));
    verdict(&mut lab, 1, "ping", Some(false));
    assert_eq!(lab.done.last().map(String::as_str), Some("1 restart db"));
    assert_eq!(health(&lab), None);
    // Not critical, and tried once: it goes on, and everybody knows.
    verdict(&mut lab, 1, "ping", Some(false));
    assert_eq!((lab.done.last().map(String::as_str), health(&lab)), (Some("1 restart db"), Some(false)));
    assert_eq!(lab.holders("db"), [1]);
}

#[test]
fn a_node_whose_check_fails_gives_everything_to_a_better_one_if_there_is_one() {
    let mut lab = lab(|c| drop(c.checks.insert("disk".into(), check(None))));
    for id in [1, 2] {
        verdict(&mut lab, id, "disk", Some(false));
    }
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![3], vec![3]));
    assert_eq!(lab.nodes[&2].leader(), Some(3));
    verdict(&mut lab, 3, "disk", Some(false));
    assert_eq!(lab.holders("db"), [3]);
}

#[test]
fn a_unit_that_somebody_starts_where_it_is_not_to_run_is_stopped_or_told() {
    let mut lab = lab(|c| c.services.get_mut("web").unwrap().elsewhere = Elsewhere::Report);
    let from = lab.done.len();
    unit(&mut lab, 2, "db", UnitState::Active);
    unit(&mut lab, 2, "web", UnitState::Active);
    assert_eq!(since(&lab, from), ["2 stop db"]);
    assert_eq!((lab.holders("db"), lab.holders("web")), (vec![1], vec![1]));
    let elsewhere = |lab: &Lab| -> Vec<Vec<String>> {
        lab.nodes[&3].status().services.into_iter().map(|service| service.elsewhere).collect()
    };
    assert_eq!(elsewhere(&lab), [vec![], vec!["n2".to_owned()]]);
    unit(&mut lab, 2, "web", UnitState::Inactive);
    assert!(elsewhere(&lab).iter().all(Vec::is_empty));
}

#[test]
fn in_maintenance_nothing_is_started_stopped_or_moved() {
    let mut lab = lab(|c| c.services.get_mut("db").unwrap().critical = true);
    lab.propose(1, 1, Command::SetMaintenance { on: true, until: None });
    let from = lab.done.len();
    unit(&mut lab, 1, "db", UnitState::Failed);
    unit(&mut lab, 2, "web", UnitState::Active);
    lab.propose(1, 2, Command::SetStandby { node: 1, standby: true });
    lab.pass(5000);
    assert_eq!(since(&lab, from), [] as [&str; 0]);
    lab.propose(1, 3, Command::SetMaintenance { on: false, until: None });
    assert_eq!((lab.holders("db"), lab.holders("web")), (vec![2], vec![2]));
}
