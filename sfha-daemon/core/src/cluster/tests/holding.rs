//! Who has which VIP, and when.

use std::collections::BTreeSet;

use super::harness::{DAEMON_LOST, Lab, NODE_LOST, Slow, add_vip};
use crate::{Command, Event};

#[test]
fn a_quorate_group_gives_every_vip_to_its_lowest_node() {
    let lab = Lab::new(3);
    assert_eq!((lab.holders("a"), lab.holders("b")), (vec![1], vec![1]));
    assert!(lab.nodes.values().all(|node| node.is_established()));
}

#[test]
fn a_node_without_quorum_releases_every_vip() {
    let mut lab = Lab::new(3);
    lab.form(&[1]);
    assert!(lab.holders("a").is_empty());
    assert_eq!(&lab.done[2..], ["1 release a", "1 release b"]);
}

#[test]
fn losing_quorum_releases_in_the_same_turn_whatever_the_group_says() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    let ring = crate::cluster::Ring { node: 1, seq: 99 };
    lab.tell(1, Event::Quorum { quorate: false, ring, members: [1].into() });
    assert_eq!(&lab.done[2..], ["1 release a", "1 release b"]);
}

#[test]
fn a_lost_nodes_vips_are_taken_after_the_delay_and_not_before() {
    let mut lab = Lab::new(3);
    lab.form(&[2, 3]);
    lab.pass(NODE_LOST - 1);
    assert_eq!(lab.holders("a"), [1]);
    lab.pass(1);
    assert_eq!(lab.holders("a"), [1, 2]);
}

#[test]
fn a_killed_daemons_vips_are_taken_when_their_lease_is_over() {
    let mut lab = Lab::new(3);
    lab.kill(1);
    lab.pass(DAEMON_LOST - 1);
    assert_eq!(lab.holders("a"), [1]);
    lab.pass(1);
    assert_eq!(lab.holders("a"), [1, 2]);
}

#[test]
fn a_restarted_daemon_says_that_it_has_nothing_and_nobody_waits() {
    let mut lab = Lab::new(3);
    lab.kill(1);
    lab.pass(100);
    lab.start(1);
    assert_eq!(lab.holders("a"), [1]);
}

#[test]
fn whoever_was_alone_knows_less_about_a_loss_than_whoever_was_there() {
    let mut lab = Lab::new(3);
    // Node 2 lost node 1 long ago; node 3 has been with it until now.
    lab.form(&[2]);
    lab.form(&[1, 3]);
    lab.pass(5000);
    lab.form(&[2, 3]);
    lab.pass(NODE_LOST - 1);
    assert_eq!(lab.holders("a"), [1]);
    lab.pass(DAEMON_LOST + 1);
    assert_eq!(lab.holders("a"), [1, 2]);
}

#[test]
fn a_move_releases_before_it_acquires() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.tell(3, Event::Move { request: 1, to: Some(2), names: BTreeSet::new() });
    lab.settle();
    assert_eq!(lab.holders("a"), [1]);
    lab.on.clear();
    lab.finish(Slow::Release, Ok(()));
    assert_eq!(&lab.done[2..], ["1 release a", "1 release b", "2 acquire a", "2 acquire b"]);
    assert!(lab.answers[&1].is_ok());
}

#[test]
fn a_standby_node_gives_its_vips_away_and_takes_none() {
    let mut lab = Lab::new(3);
    lab.propose(2, 1, Command::SetStandby { node: 1, standby: true });
    assert_eq!(lab.holders("a"), [2]);
    lab.propose(2, 2, Command::SetStandby { node: 2, standby: true });
    lab.propose(2, 3, Command::SetStandby { node: 3, standby: true });
    assert!(lab.holders("a").is_empty());
}

#[test]
fn a_release_that_fails_is_over_when_the_lease_is() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.propose(2, 1, Command::SetStandby { node: 1, standby: true });
    lab.pass(DAEMON_LOST - 1);
    assert_eq!(lab.holders("a"), [1]);
    lab.pass(1);
    assert_eq!(lab.holders("a"), [1, 2]);
}

#[test]
fn a_vip_that_a_node_cannot_take_goes_to_the_next() {
    let mut lab = Lab::new(3);
    lab.slow.insert((2, Slow::Acquire));
    lab.tell(1, Event::Move { request: 1, to: Some(2), names: BTreeSet::new() });
    lab.settle();
    lab.on.clear();
    lab.finish(Slow::Acquire, Err("no-interface".into()));
    assert_eq!(lab.holders("a"), [1]);
    assert!(lab.answers[&1].is_err());
}

#[test]
fn a_vip_that_vanished_is_given_out_again_in_order() {
    let mut lab = Lab::new(3);
    lab.tell(1, Event::Vanished { name: "a".into() });
    assert!(!lab.nodes[&1].active().contains("a"));
    lab.settle();
    assert_eq!(&lab.done[2..], ["1 release a", "1 acquire a"]);
}

#[test]
fn a_vip_that_vanished_is_not_put_back_by_a_node_that_nobody_hears() {
    let mut lab = Lab::new(3);
    // Frozen for long: the others have formed their ring, and this node has not been told.
    lab.form(&[2, 3]);
    lab.tell(1, Event::Vanished { name: "a".into() });
    while let Some(index) = lab.waiting.iter().position(|(id, ..)| *id == 1) {
        let (id, _, action) = lab.waiting.remove(index);
        lab.tell(id, Event::ActionFinished { id: action, outcome: Ok(()) });
    }
    assert_eq!(lab.done.last().map(String::as_str), Some("1 release a"));
}

#[test]
fn an_address_is_not_given_out_under_another_name_before_it_is_free() {
    let mut lab = Lab::new(3);
    lab.slow.insert((1, Slow::Release));
    lab.propose(1, 1, Command::RemoveVip { name: "a".into() });
    lab.propose(1, 2, Command::SetStandby { node: 1, standby: true });
    lab.propose(1, 3, add_vip("c", 100));
    assert!(lab.applied(3));
    assert!(lab.holders("c").is_empty());
    lab.on.clear();
    lab.finish(Slow::Release, Ok(()));
    assert_eq!(lab.holders("c"), [2]);
}

#[test]
fn a_vip_that_was_given_to_a_node_in_standby_goes_on() {
    let mut lab = Lab::off(3);
    lab.form(&[1, 2, 3]);
    for id in [1, 2, 3] {
        lab.start(id);
    }
    // Node 2 has not heard of its group in its ring: it is given the VIP and may not take it.
    lab.propose(2, 1, Command::SetStandby { node: 1, standby: true });
    let ring = crate::cluster::Ring { node: 9, seq: 999 };
    lab.tell(2, Event::Quorum { quorate: true, ring, members: [1, 2, 3].into() });
    lab.propose(1, 2, Command::SetStandby { node: 1, standby: false });
    lab.tell(1, Event::Move { request: 3, to: Some(2), names: BTreeSet::new() });
    lab.settle();
    lab.propose(1, 4, Command::SetStandby { node: 2, standby: true });
    assert_eq!(lab.holders("a"), [1]);
}

#[test]
fn maintenance_keeps_everything_where_it_is() {
    let mut lab = Lab::new(3);
    lab.propose(1, 1, Command::SetMaintenance { on: true, until: None });
    lab.propose(1, 2, Command::SetStandby { node: 1, standby: true });
    assert_eq!(lab.holders("a"), [1]);
    lab.kill(1);
    lab.pass(5000);
    assert!(lab.on[&2].is_empty());
    lab.propose(2, 3, Command::SetMaintenance { on: false, until: None });
    assert!(lab.on[&2].contains("a"));
}

#[test]
fn whoever_was_cut_off_and_hears_of_it_with_the_heal_lets_go() {
    let mut lab = Lab::new(3);
    let members: std::collections::BTreeSet<_> =
        [1, 2, 3].map(|id| crate::Member { node: id, pid: 100 + id }).into();
    let left = members.iter().skip(1).map(|member| (*member, crate::LeaveReason::NodeDown)).collect();
    lab.tell(1, Event::Membership { members: members.iter().take(1).copied().collect(), left });
    lab.tell(1, Event::Membership { members, left: Vec::new() });
    assert_eq!(&lab.done[2..4], ["1 release a", "1 release b"]);
}

#[test]
fn addresses_are_announced_again_when_somebody_comes_back() {
    let mut lab = Lab::new(3);
    lab.form(&[1, 2]);
    lab.form(&[1, 2, 3]);
    assert!(lab.done.ends_with(&["1 announce a".to_owned(), "1 announce b".to_owned()]));
}

#[test]
fn all_members_name_the_same_holder_and_a_moving_vip_has_its_old_one_until_it_lets_go() {
    let mut lab = Lab::new(3);
    let named = |lab: &Lab| -> Vec<Option<u32>> {
        lab.nodes.values().map(|node| node.holders().and_then(|holders| holders.get("a").copied())).collect()
    };
    assert_eq!(named(&lab), [Some(1); 3]);
    lab.slow.insert((1, Slow::Release));
    lab.tell(3, Event::Move { request: 1, to: Some(2), names: BTreeSet::new() });
    lab.settle();
    assert_eq!(named(&lab), [Some(1); 3]);
    lab.finish(Slow::Release, Ok(()));
    assert_eq!(named(&lab), [Some(2); 3]);

    // Whoever has no quorum says nothing; of a lost holder nobody is named until another one takes it.
    lab.form(&[2]);
    assert_eq!(lab.nodes[&2].holders(), None);
    lab.form(&[1, 3]);
    assert_eq!(named(&lab), [None, None, None]);
    lab.pass(NODE_LOST + DAEMON_LOST);
    assert_eq!(named(&lab), [Some(1), None, Some(1)]);

    // One that is added anew with another address is not sent to whoever has the old one.
    lab.slow.insert((1, Slow::Release));
    lab.propose(3, 2, Command::RemoveVip { name: "a".into() });
    lab.propose(3, 3, add_vip("a", 102));
    assert_eq!(named(&lab), [None, None, None]);
    lab.finish(Slow::Release, Ok(()));
    assert_eq!(named(&lab), [Some(1), None, Some(1)]);
}

#[test]
fn what_a_lost_node_may_have_taken_with_its_last_message_waits_for_it_though_nobody_knows() {
    let mut lab = Lab::new(3);
    // Node 2 may have applied the same command alone, and taken the VIP that it makes.
    lab.form(&[1, 3]);
    lab.propose(3, 1, add_vip("c", 109));
    lab.pass(NODE_LOST - 1);
    assert!(!lab.on[&1].contains("c") && !lab.on[&3].contains("c"));
    lab.pass(1);
    assert!(lab.on[&1].contains("c"));
}
