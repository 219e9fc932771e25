//! Nodes that are taken out.

use sfha_proto::ErrorCode;

use super::harness::{Lab, Slow, add_vip};
use crate::cluster::may_stop_first;
use crate::{Command, Event, NodeId};

fn remove(node: NodeId) -> Command {
    Command::RemoveNode { node }
}

fn reloads(lab: &Lab) -> Vec<&String> {
    lab.done.iter().filter(|line| line.ends_with("reload")).collect()
}

#[test]
fn a_removed_node_lets_go_and_leaves_and_the_next_one_takes_over() {
    let mut lab = Lab::new(3);
    lab.propose(2, 1, remove(1));
    assert!(lab.applied(1));
    assert!(lab.left.contains(&1));
    assert_eq!((lab.holders("a"), lab.holders("b")), (vec![2], vec![2]));
    assert!(!lab.disks[&2].nodes.contains_key(&1));
    assert_eq!(lab.disks[&2].corosync.config_version, 2);
}

#[test]
fn a_node_that_asks_for_its_own_removal_is_answered_when_the_others_have_it() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(1, 1, remove(1));
    assert!(lab.answers.is_empty());
    assert!(lab.left.is_empty());
    lab.finish(Slow::Persist, Ok(()));
    assert!(lab.applied(1));
    assert!(lab.left.contains(&1));
}

#[test]
fn a_node_that_is_never_answered_leaves_all_the_same() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(1, 1, remove(1));
    lab.pass(4999);
    assert!(lab.left.is_empty());
    lab.pass(1);
    assert!(lab.left.contains(&1));
}

#[test]
fn maintenance_keeps_nothing_on_a_removed_node() {
    let mut lab = Lab::new(3);
    lab.propose(1, 1, Command::SetMaintenance { on: true, until: None });
    lab.propose(2, 2, remove(1));
    assert!(lab.on[&1].is_empty());
    assert!(lab.left.contains(&1));
}

#[test]
fn a_removed_nodes_vip_is_nobodys_before_it_has_let_go() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.propose(2, 1, remove(1));
    assert_eq!(lab.holders("a"), [1]);
    assert!(lab.left.is_empty());
    lab.on.get_mut(&1).unwrap().clear();
    lab.finish(Slow::Release, Ok(()));
    assert_eq!(lab.holders("a"), [2]);
    assert!(lab.left.contains(&1));
}

#[test]
fn one_member_has_corosync_told_when_the_node_is_gone() {
    let mut lab = Lab::new(3);
    lab.propose(3, 1, remove(1));
    assert!(reloads(&lab).is_empty(), "its Corosync is still there");
    lab.form(&[2, 3]);
    assert_eq!(reloads(&lab), ["2 reload"]);
    lab.pass(30_000);
    assert_eq!(reloads(&lab), ["2 reload"]);
}

#[test]
fn a_node_that_does_not_go_is_not_waited_for_for_ever() {
    let mut lab = Lab::new(3);
    lab.propose(3, 1, remove(1));
    lab.pass(2000);
    assert_eq!(reloads(&lab), ["2 reload"]);
}

#[test]
fn corosync_is_told_at_once_of_a_node_that_was_gone_before() {
    let mut lab = Lab::new(3);
    lab.form(&[2, 3]);
    lab.propose(3, 1, remove(1));
    assert!(lab.applied(1));
    assert_eq!(reloads(&lab), ["2 reload"]);
}

#[test]
fn corosync_is_not_told_before_the_rest_has_it_on_disk() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(2, 1, remove(1));
    lab.kill(1);
    lab.pass(5000);
    assert!(reloads(&lab).is_empty());
    // It dies before it has written: its disk has three nodes, and with node 1 it would have quorum.
    lab.kill(3);
    lab.waiting.clear();
    lab.slow.clear();
    lab.pass(10_000);
    assert!(reloads(&lab).is_empty());
    lab.start(3);
    lab.pass(2000);
    assert!(!lab.disks[&3].nodes.contains_key(&1));
    assert_eq!(reloads(&lab), ["2 reload"]);
}

#[test]
fn corosync_is_not_told_before_everybody_here_has_the_file() {
    let mut lab = Lab::new(5);
    lab.form(&[1, 2, 3, 4]);
    lab.slow.insert((4, Slow::Persist));
    lab.propose(2, 1, remove(5));
    lab.pass(5000);
    assert!(reloads(&lab).is_empty());
    lab.finish(Slow::Persist, Ok(()));
    assert_eq!(reloads(&lab), ["1 reload"]);
}

#[test]
fn a_node_that_missed_its_removal_is_told_and_leaves() {
    let mut lab = Lab::new(3);
    lab.form(&[2, 3]);
    lab.propose(3, 1, remove(1));
    lab.propose(3, 2, add_vip("c", 102));
    lab.pass(5000);
    // Corosync has not been told, and it is back.
    lab.on.get_mut(&1).unwrap().clear();
    lab.form(&[1, 2, 3]);
    assert!(lab.left.contains(&1));
    assert!(lab.on[&1].is_empty());
    lab.pass(2000);
    assert_eq!(lab.holders("c"), [2]);
}

#[test]
fn nobody_is_removed_whom_the_rest_needs() {
    // Nodes, those that are there, the one to be removed; and what the rest would need.
    for (nodes, here, gone, needed) in [
        (3, &[1, 2, 3][..], 3, None),
        (3, &[1, 2], 3, None),
        (3, &[1, 2], 2, Some(2)),
        (4, &[1, 2, 3], 4, None),
        (4, &[1, 2, 3], 3, None),
        (5, &[1, 2, 3], 3, Some(3)),
        (5, &[1, 2, 3], 4, None),
        (2, &[1], 2, None),
        (2, &[1, 2], 2, None),
    ] {
        let mut lab = Lab::new(nodes);
        lab.form(here);
        lab.propose(1, 1, remove(gone));
        let case = format!("{nodes} {here:?} {gone}");
        match needed {
            None => assert!(lab.applied(1), "{case}: {:?}", lab.answers),
            Some(needed) => {
                let failure = lab.answers[&1].clone().unwrap_err();
                assert_eq!(failure.code, ErrorCode::WouldLoseQuorum, "{case}");
                assert_eq!(failure.details["needed"], needed, "{case}");
            }
        }
    }
}

#[test]
fn of_two_removals_that_are_on_their_way_the_one_too_many_is_refused() {
    let mut lab = Lab::new(4);
    lab.form(&[1, 2, 3]);
    lab.tell(1, Event::Propose { request: 1, command: remove(3) });
    lab.tell(2, Event::Propose { request: 2, command: remove(2) });
    lab.settle();
    assert!(lab.applied(1));
    assert_eq!(lab.code(2), Some(ErrorCode::WouldLoseQuorum));
}

#[test]
fn one_node_goes_after_the_other_and_corosync_is_told_in_between() {
    let mut lab = Lab::new(5);
    lab.slow.insert((1, Slow::Reload));
    lab.form(&[1, 2, 3, 4]);
    lab.propose(1, 1, remove(5));
    lab.propose(1, 2, remove(4));
    assert_eq!((lab.applied(1), lab.code(2)), (true, Some(ErrorCode::Synchronising)));
    lab.finish(Slow::Reload, Err("busy".into()));
    lab.propose(1, 3, remove(4));
    assert_eq!(lab.code(3), Some(ErrorCode::Synchronising));
    lab.pass(2000);
    lab.propose(1, 4, remove(4));
    assert!(lab.applied(4));
    assert_eq!(reloads(&lab).len(), 2);
}

#[test]
fn what_corosync_was_not_told_of_is_not_forgotten_when_all_start_anew() {
    let mut lab = Lab::new(4);
    lab.slow.insert((1, Slow::Reload));
    lab.form(&[1, 2, 3]);
    lab.propose(1, 1, remove(4));
    assert_eq!(reloads(&lab), ["1 reload"]);
    lab.nodes.clear();
    lab.on.clear();
    lab.waiting.clear();
    lab.slow.clear();
    for id in [3, 2, 1] {
        lab.start(id);
    }
    lab.pass(2000);
    assert_eq!(reloads(&lab), ["1 reload", "2 reload"]);
    assert!(lab.disks.values().filter(|disk| disk.nodes.len() == 3).all(|disk| disk.removing.is_empty()));
}

#[test]
fn the_last_node_stays() {
    let mut lab = Lab::new(1);
    lab.propose(1, 1, remove(1));
    assert_eq!(lab.code(1), Some(ErrorCode::LastNode));
}

#[test]
fn of_two_nodes_one_without_its_daemon_is_not_removed() {
    let mut lab = Lab::new(2);
    lab.kill(2);
    lab.propose(1, 1, remove(2));
    assert_eq!(lab.code(1), Some(ErrorCode::DaemonMissing));
    lab.form(&[1]);
    lab.propose(1, 2, remove(2));
    assert!(lab.applied(2));
}

#[test]
fn corosync_is_stopped_first_where_the_others_keep_quorum() {
    // Nodes that are left, those of them that are online.
    for (left, online, first) in
        [(1, 1, true), (2, 2, true), (2, 1, false), (3, 3, true), (3, 2, false), (4, 3, true), (4, 4, true)]
    {
        assert_eq!(may_stop_first(left, online), first, "{left} {online}");
    }
}
