//! With fencing on: nothing of a lost node moves before it is harmless, and then at once.

use super::harness::{DAEMON_LOST, Lab, NODE_LOST, Slow, UNIT_MARGIN};
use crate::fencing::settings::OnStopFailure;
use crate::fencing::{Call, Cause, FencingCommand, FencingSettings, Level, Outcome, Phase, Power, Proof};
use crate::resources::Service;
use crate::{Command, Event, NodeId, Time};
use sfha_proto::ErrorCode;

/// Between loss and fencing, by default.
const DELAY: u64 = 10_000;

/// Longer than anything waits without fencing.
const LONG: u64 = 60_000;

fn lab_with(nodes: NodeId, levels: &[Level], change: impl FnOnce(&mut FencingSettings)) -> Lab {
    let mut lab = Lab::new(nodes);
    let state = lab.nodes[&1].state().clone();
    let mut configured = state.configured();
    let service = Service { critical: true, stop_timeout_ms: 2000, ..Service::new("db.service") };
    configured.services.insert("db".into(), service);
    configured.stonith = FencingSettings { enabled: true, levels: levels.to_vec(), ..FencingSettings::off() };
    change(&mut configured.stonith);
    let revision = state.revision;
    lab.propose(1, 900, Command::Configure { revision, configured: Box::new(configured) });
    assert!(lab.applied(900), "{:?}", lab.answers);
    lab
}

fn lab(nodes: NodeId) -> Lab {
    lab_with(nodes, &[Level::Proxmox], |_| {})
}

/// Those of the other side keep their power.
fn cut_off(lab: &mut Lab, node: NodeId, rest: &[NodeId]) {
    lab.form(rest);
    lab.form(&[node]);
}

fn calls(lab: &Lab) -> Vec<(NodeId, NodeId, Call)> {
    lab.calls.iter().map(|(by, _, node, call)| (*by, *node, *call)).collect()
}

/// Whatever is called answers so, until `ms` are over.
fn answer(lab: &mut Lab, ms: u64, with: impl Fn(Call) -> Outcome) {
    for _ in 0..ms {
        for (by, id, _, call) in std::mem::take(&mut lab.calls) {
            lab.tell(by, Event::FenceFinished { id, outcome: with(call) });
            lab.settle();
        }
        lab.pass(1);
    }
}

fn off(_: Call) -> Outcome {
    Ok(Power::Off)
}

fn denied(_: Call) -> Outcome {
    Err(sfha_proto::Failure::new(ErrorCode::FenceDenied).into())
}

fn fencing(command: FencingCommand) -> Command {
    Command::Fencing { command: Box::new(command) }
}

fn confirm(node: NodeId) -> Command {
    fencing(FencingCommand::Confirm { node, by: "root".into(), why: None, at: 0 })
}

fn phase(lab: &Lab, on: NodeId, node: NodeId) -> Option<Phase> {
    lab.nodes[&on].state().fencing.records.get(&node).map(|record| record.phase.clone())
}

#[test]
fn what_a_lost_node_had_moves_when_it_is_off_and_then_at_once() {
    let mut lab = lab(3);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![1], vec![1]));
    cut_off(&mut lab, 1, &[2, 3]);
    lab.pass(DELAY - 1);
    assert_eq!((calls(&lab), lab.holders("a")), (vec![], vec![]), "it let go, but who could know");
    lab.pass(2);
    assert_eq!(calls(&lab), [(2, 1, Call::Off)], "the leader of those who are left");
    lab.pass(20_000);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![], vec![]));
    answer(&mut lab, 3, off);
    assert!(matches!(phase(&lab, 3, 1), Some(Phase::Fenced(Proof::Off(_)))));
    assert_eq!((lab.holders("a"), lab.holders("b"), lab.holders("db")), (vec![2], vec![2], vec![2]));
}

#[test]
fn without_fencing_and_in_a_dry_run_the_time_tells() {
    let changes: [fn(&mut FencingSettings); 2] = [|set| set.enabled = false, |set| set.dry_run = true];
    for change in changes {
        let mut lab = lab_with(3, &[Level::Proxmox], change);
        cut_off(&mut lab, 1, &[2, 3]);
        lab.pass(NODE_LOST - 1);
        assert!(lab.holders("a").is_empty());
        lab.pass(DAEMON_LOST);
        assert_eq!(lab.holders("a"), [2]);
        lab.pass(UNIT_MARGIN + 4000);
        assert_eq!(lab.holders("db"), [2]);
    }
}

#[test]
fn when_no_driver_can_do_it_nothing_moves_before_somebody_answers_for_it() {
    let mut lab = lab(3);
    cut_off(&mut lab, 1, &[2, 3]);
    answer(&mut lab, LONG, denied);
    assert!(lab.nodes[&2].state().fencing.records[&1].rounds > 1, "it goes on trying");
    assert!(lab.holders("a").is_empty() && lab.holders("db").is_empty());
    lab.propose(3, 1, confirm(1));
    assert!(lab.applied(1), "{:?}", lab.answers);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![2], vec![2]));
}

#[test]
fn a_node_that_is_back_before_it_is_fenced_keeps_nothing_and_is_not_fenced() {
    let mut lab = lab(3);
    cut_off(&mut lab, 1, &[2, 3]);
    lab.pass(DELAY / 2);
    lab.form(&[1, 2, 3]);
    assert_eq!(lab.holders("a"), [1], "it is the best, and says that it has nothing");
    answer(&mut lab, LONG, off);
    assert_eq!((phase(&lab, 2, 1), lab.done.iter().any(|line| line == "2 acquire a")), (None, false));
}

#[test]
fn a_node_that_left_in_order_is_not_fenced_and_what_it_had_moves_at_once() {
    let mut lab = lab(3);
    lab.tell(1, Event::Shutdown);
    lab.settle();
    assert!(lab.left.contains(&1), "{:?}", lab.done);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![2], vec![2]));
    lab.leave(1);
    lab.pass(LONG * 3);
    assert_eq!((calls(&lab), lab.nodes[&2].state().fencing.excused.contains(&1)), (vec![], true));
    lab.form(&[2, 3]);
    lab.pass(LONG * 3);
    assert_eq!(calls(&lab), []);
}

#[test]
fn the_next_leader_goes_on_and_nobody_without_quorum_fences() {
    let mut lab = lab(5);
    cut_off(&mut lab, 1, &[2, 3, 4, 5]);
    lab.pass(DELAY + 1);
    assert_eq!(calls(&lab), [(2, 1, Call::Off)]);
    cut_off(&mut lab, 2, &[3, 4, 5]);
    lab.pass(1);
    assert_eq!(calls(&lab), [(2, 1, Call::Off), (3, 1, Call::Off)]);
    answer(&mut lab, 10, off);
    assert!(matches!(phase(&lab, 3, 1), Some(Phase::Fenced(_))));
    assert_eq!(lab.holders("a"), Vec::<NodeId>::new(), "2 may have taken it with its last message");
    answer(&mut lab, DELAY + 10, off);
    assert_eq!(lab.holders("a"), [3]);
}

/// What the ledger of those who are left calls free, the lost node may have been given with the last messages.
#[test]
fn what_was_free_is_not_given_out_while_a_node_that_went_may_have_it() {
    let mut lab = lab(3);
    lab.propose(1, 1, Command::SetMaintenance { on: true, until: None });
    lab.propose(1, 2, super::harness::add_vip("c", 102));
    assert!(lab.applied(2) && lab.holders("c").is_empty());
    cut_off(&mut lab, 3, &[1, 2]);
    lab.propose(1, 3, Command::SetMaintenance { on: false, until: None });
    lab.pass(LONG / 60);
    assert!(lab.applied(3) && lab.holders("c").is_empty());
    assert_eq!(lab.holders("a"), [1], "what is held stays");
    answer(&mut lab, DELAY + 10, off);
    assert_eq!(lab.holders("c"), [1]);
}

#[test]
fn of_two_nodes_the_one_that_has_more_shoots_first() {
    let mut lab = lab(2);
    cut_off(&mut lab, 2, &[1]);
    lab.pass(DELAY * 2 - 1);
    assert_eq!(calls(&lab), [(1, 2, Call::Off)]);
    lab.pass(2);
    assert_eq!(calls(&lab), [(1, 2, Call::Off), (2, 1, Call::Off)], "nobody was off in time");
    assert_eq!(lab.holders("a"), [1], "two nodes: both have quorum, and the other has it not");
}

/// What an operator wants is about the nodes as they were.
#[test]
fn an_answer_for_a_node_does_not_outlive_a_change_of_members() {
    let mut lab = lab(3);
    cut_off(&mut lab, 1, &[2, 3]);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(2, 1, confirm(2));
    assert_eq!(lab.code(1), Some(ErrorCode::NodeOnline));
    lab.hold_messages = true;
    lab.propose(3, 2, confirm(1));
    lab.hold_messages = false;
    lab.form(&[1, 2, 3]);
    cut_off(&mut lab, 1, &[2, 3]);
    assert_eq!(
        (lab.code(2), phase(&lab, 2, 1).is_some_and(|phase| matches!(phase, Phase::Fenced(_)))),
        (Some(ErrorCode::Synchronising), false)
    );
}

#[test]
fn a_node_that_cannot_stop_a_critical_service_is_fenced_and_others_take_over() {
    for (policy, fenced) in
        [(OnStopFailure::FenceCritical, true), (OnStopFailure::Fence, true), (OnStopFailure::Wait, false)]
    {
        let mut lab = lab_with(3, &[Level::Proxmox], |settings| settings.on_stop_failure = policy);
        lab.slow.insert((1, Slow::Stop));
        lab.propose(2, 1, Command::SetStandby { node: 1, standby: true });
        lab.finish(Slow::Stop, Err("stop-failed".into()));
        lab.slow.insert((1, Slow::Stop));
        lab.pass(1);
        if !fenced {
            answer(&mut lab, LONG, off);
            assert_eq!(phase(&lab, 2, 1), None);
            continue;
        }
        assert_eq!(calls(&lab), [(2, 1, Call::Off)], "{policy:?}");
        let cause = lab.nodes[&3].state().fencing.records[&1].cause.clone();
        assert_eq!(cause, Cause::StopFailed { resource: "db".into() });
        answer(&mut lab, 5, off);
        assert!(!lab.done.contains(&"2 start db".to_owned()), "it is a member still");
        lab.form(&[2, 3]);
        lab.nodes.remove(&1);
        lab.on.insert(1, Default::default());
        answer(&mut lab, 3000, off);
        let state = &lab.nodes[&2].state().fencing;
        assert_eq!(lab.holders("db"), [2], "{:?}", state.records);
    }
}

#[test]
fn a_node_that_may_be_alive_is_not_removed() {
    let mut lab = lab(3);
    cut_off(&mut lab, 3, &[1, 2]);
    lab.propose(1, 1, Command::RemoveNode { node: 3 });
    assert_eq!(lab.code(1), Some(ErrorCode::NotFenced));
    lab.propose(1, 2, confirm(3));
    lab.propose(1, 3, Command::RemoveNode { node: 3 });
    assert!(lab.applied(3), "{:?}", lab.answers);
    assert!(lab.nodes[&2].state().fencing.records.is_empty());
}

#[test]
fn one_that_stops_after_all_is_left_alone() {
    let mut lab = lab(3);
    lab.slow.insert((1, Slow::Stop));
    lab.propose(2, 1, Command::SetMaintenance { on: false, until: None });
    lab.propose(2, 2, Command::SetStandby { node: 1, standby: true });
    lab.finish(Slow::Stop, Err("stop-failed".into()));
    assert_eq!(calls(&lab), [(2, 1, Call::Off)]);
    answer(&mut lab, 2000, denied);
    assert_eq!((phase(&lab, 2, 1), lab.holders("db")), (None, vec![2]));
}

#[test]
fn a_watchdog_counts_once_all_know_of_it_and_from_the_loss_on() {
    let watchdog = [Level::Watchdog];
    let mut lab = lab_with(3, &watchdog, |_| {});
    for node in 1..=3 {
        lab.tell(node, Event::Watchdog { timeout_ms: Some(8000) });
    }
    lab.settle();
    assert_eq!(lab.nodes[&3].state().fencing.watchdogs.get(&1), Some(&8000));
    cut_off(&mut lab, 1, &[2, 3]);
    lab.pass(8000 + 5000 - 1);
    assert!(lab.holders("a").is_empty());
    lab.pass(2);
    assert_eq!((lab.holders("a"), lab.holders("db")), (vec![2], vec![2]));
    assert_eq!(phase(&lab, 2, 1), Some(Phase::Fenced(Proof::Watchdog)));
}

#[test]
fn a_node_whose_watchdog_does_not_run_takes_nothing_on_before_the_others_know() {
    let mut lab = lab_with(3, &[Level::Watchdog], |_| {});
    lab.tell(2, Event::Watchdog { timeout_ms: Some(8000) });
    lab.settle();
    // A daemon that has not told yet.
    lab.kill(2);
    lab.disks.insert(2, lab.nodes[&1].state().clone());
    lab.start(2);
    lab.propose(1, 1, Command::SetStandby { node: 1, standby: true });
    assert_eq!(lab.holders("a"), Vec::<NodeId>::new());
    lab.tell(2, Event::Watchdog { timeout_ms: None });
    lab.settle();
    assert_eq!((lab.nodes[&1].state().fencing.watchdogs.get(&2), lab.holders("a")), (None, vec![2]));
}

#[test]
fn the_watchdog_is_fed_with_quorum_or_with_empty_hands() {
    let mut lab = lab(3);
    lab.slow.insert((1, Slow::Stop));
    cut_off(&mut lab, 1, &[2, 3]);
    lab.pass(DAEMON_LOST + 1);
    assert!(!lab.nodes[&1].is_trustworthy(), "its service does not stop");
    assert!(lab.nodes[&2].is_trustworthy());
    lab.finish(Slow::Stop, Ok(()));
    assert!(lab.nodes[&1].is_trustworthy());
}

#[test]
fn what_was_fenced_before_the_daemon_started_counts_by_the_clock() {
    let mut lab = lab(3);
    lab.propose(1, 1, fencing(FencingCommand::Confirm { node: 2, by: "x".into(), why: None, at: 0 }));
    assert_eq!(lab.code(1), Some(ErrorCode::NodeOnline));
    cut_off(&mut lab, 3, &[1, 2]);
    for node in 1..=2 {
        lab.tell(node, Event::Clock { wall: 1_700_000_000 });
    }
    answer(&mut lab, DELAY + 10, off);
    let begun =
        |lab: &Lab, on: NodeId| lab.nodes[&on].fencing().status(Time::from_micros(lab.now_ms * 1000)).begun;
    assert_eq!(begun(&lab, 2), 1);
    lab.kill(2);
    lab.disks.insert(2, lab.nodes[&1].state().clone());
    lab.start(2);
    assert_eq!(begun(&lab, 2), 1, "nobody knows when");
    lab.tell(2, Event::Clock { wall: 1_700_000_000 + 400 });
    assert_eq!(begun(&lab, 2), 0);
}

#[test]
fn where_a_device_has_the_last_word_watchdogs_are_waited_for_longer() {
    let mut state = super::harness::state(2);
    let margin =
        |state: &crate::ClusterState| crate::cluster::fencing::settings(state).safety.watchdog_margin_ms;
    let without = margin(&state);
    let (algorithm, tls) = (crate::qdevice::Algorithm::Ffsplit, crate::qdevice::Tls::Off);
    state.corosync.qdevice = Some(crate::qdevice::Qdevice { host: "q".into(), port: 5403, algorithm, tls });
    let skew = crate::qdevice::Qdevice::skew(&state.corosync.profile).as_millis();
    assert_eq!(u128::from(margin(&state) - without), skew);
    assert!(skew > 0);
}

#[test]
fn a_node_that_was_added_and_never_came_is_not_fenced_and_nothing_waits_for_it() {
    let mut lab = lab(3);
    let lan_address = Some([10, 100, 0, 9].into());
    let invite = || "i".to_owned();
    let (public_key, expires) = ("once".into(), 100);
    lab.propose(1, 1, Command::AddInvite { id: invite(), public_key, ip: None, expires, initiator: 1 });
    let (name, public_key) = ("new".into(), "key".into());
    let add = Command::AddNode { invite: invite(), name, public_key, endpoint: None, lan_address, now: 0 };
    lab.propose(1, 2, add);
    assert!(lab.applied(2), "{:?}", lab.answers);
    lab.pass(LONG * 3);
    assert_eq!(calls(&lab), []);
    // All start anew: nobody knows who had what, and this one cannot have had anything.
    for node in 1..=3 {
        lab.kill(node);
    }
    for node in 1..=3 {
        lab.start(node);
    }
    assert_eq!(lab.holders("a").len(), 1, "{:?}", lab.nodes[&1].state().fencing);
    lab.pass(LONG * 3);
    assert_eq!(calls(&lab), []);
    assert!(lab.nodes[&2].fencing().is_harmless(4));
}
