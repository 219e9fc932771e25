//! Commands, their answers, and stopping.

use std::collections::BTreeSet;

use sfha_proto::ErrorCode;

use super::harness::{Lab, Slow, add_vip};
use crate::state::{Invite, MeshSettings};
use crate::{Command, Event};

#[test]
fn a_command_is_answered_once_every_member_has_written_it() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(2, 1, add_vip("c", 102));
    assert!(lab.answers.is_empty());
    lab.finish(Slow::Persist, Ok(()));
    assert!(lab.applied(1));
}

#[test]
fn a_disk_that_fails_is_said_and_written_again() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(2, 1, add_vip("c", 102));
    lab.finish(Slow::Persist, Err("no-space".into()));
    assert_eq!(lab.code(1), Some(ErrorCode::FileWrite));
    assert!(!lab.disks[&3].vips.contains_key("c"));
    lab.pass(1000);
    assert!(lab.disks[&3].vips.contains_key("c"));
}

#[test]
fn a_command_that_most_disks_do_not_have_is_never_said_to_be_applied() {
    let mut lab = Lab::new(3);
    lab.slow.extend([(2, Slow::Persist), (3, Slow::Persist)]);
    lab.propose(1, 1, add_vip("c", 102));
    lab.form(&[1]);
    assert!(lab.answers.is_empty());
    lab.pass(15_000);
    assert_eq!(lab.code(1), Some(ErrorCode::TimedOut));
}

#[test]
fn commands_are_refused_without_quorum() {
    let mut lab = Lab::new(3);
    lab.form(&[1]);
    lab.propose(1, 1, add_vip("c", 102));
    assert_eq!(lab.code(1), Some(ErrorCode::NoQuorum));
}

#[test]
fn one_daemon_of_three_serves_vips_and_takes_no_commands() {
    let mut lab = Lab::off(3);
    lab.form(&[1, 2, 3]);
    lab.start(2);
    lab.pass(5000);
    assert_eq!(lab.holders("a"), [2]);
    lab.propose(2, 1, add_vip("c", 102));
    assert_eq!(lab.code(1), Some(ErrorCode::NoQuorum));
    assert_eq!(lab.disks[&2].epoch, 0);
}

#[test]
fn what_two_disks_have_wins_over_the_one_that_boots_first() {
    let mut lab = Lab::new(3);
    lab.form(&[2, 3]);
    lab.propose(2, 1, add_vip("c", 102));
    assert!(lab.applied(1));
    // All lose power; node 1, which knows nothing of it, has its daemon first.
    lab.nodes.clear();
    lab.on.clear();
    lab.form(&[1, 2, 3]);
    lab.start(1);
    lab.pass(3000);
    lab.start(3);
    assert!(lab.nodes[&1].state().vips.contains_key("c"));
}

#[test]
fn a_command_of_the_moment_of_a_split_comes_back_or_not_at_all() {
    let mut lab = Lab::new(3);
    // Sent and not delivered to anybody when the ring breaks.
    lab.tell(3, Event::Propose { request: 1, command: add_vip("c", 102) });
    lab.form(&[1, 2, 3]);
    assert!(lab.applied(1));
    assert_eq!(lab.nodes[&1].state(), lab.nodes[&3].state());
}

#[test]
fn a_node_is_not_let_in_where_that_would_cost_quorum() {
    let mut lab = Lab::off(3);
    for disk in lab.disks.values_mut() {
        let network = "10.100.0.0/24".parse().unwrap();
        disk.mesh = Some(MeshSettings { network, port: 1, mtu: 1420, links: crate::links::mesh_only() });
        let ip = Some([10, 100, 0, 9].into());
        let public_key = "once".into();
        let invite = Invite { public_key, ip, expires: 9, initiator: 1, redeemed: None, closed: false };
        disk.invites.insert("i".into(), invite);
    }
    lab.form(&[1, 2]);
    lab.start(1);
    lab.start(2);
    let command = Command::AddNode {
        invite: "i".into(),
        name: "new".into(),
        public_key: "key".into(),
        endpoint: None,
        lan_address: None,
        now: 0,
    };
    lab.propose(1, 1, command);
    assert_eq!(lab.code(1), Some(ErrorCode::NoQuorum));
}

#[test]
fn a_stopping_node_hands_over_and_leaves() {
    let mut lab = Lab::new(3);
    lab.tell(1, Event::Shutdown);
    lab.settle();
    assert_eq!(lab.holders("a"), [2]);
    assert!(lab.left.contains(&1));
}

#[test]
fn a_stopping_node_waits_for_its_addresses_without_spinning() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.tell(1, Event::Shutdown);
    lab.pass(1000);
    assert!(lab.left.is_empty());
    lab.pass(200);
    assert!(lab.left.contains(&1));
}

#[test]
fn a_request_of_a_stopping_node_is_answered() {
    let mut lab = Lab::new(3);
    lab.slow.insert((3, Slow::Persist));
    lab.propose(1, 1, add_vip("c", 102));
    lab.tell(1, Event::Shutdown);
    lab.propose(1, 2, add_vip("d", 103));
    assert_eq!((lab.code(1), lab.code(2)), (Some(ErrorCode::NoDaemon), Some(ErrorCode::NoDaemon)));
}

#[test]
fn a_goal_that_is_gone_is_not_gone_to_when_it_is_back() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.tell(1, Event::Move { request: 1, to: Some(3), names: BTreeSet::new() });
    lab.settle();
    lab.propose(1, 2, Command::SetStandby { node: 3, standby: true });
    lab.finish(Slow::Release, Ok(()));
    lab.propose(1, 3, Command::SetStandby { node: 3, standby: false });
    assert_eq!(lab.on[&3].len(), 0);
    assert_eq!(lab.code(1), Some(ErrorCode::NoCandidate));
}
