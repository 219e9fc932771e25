//! How members come to agree.

use std::collections::BTreeSet;

use super::harness::{Lab, add_vip};
use crate::cluster::Ring;
use crate::{Command, Event, GroupMessage, LeaveReason, Member, NodeId};

#[test]
fn a_member_that_was_away_receives_what_the_others_did() {
    let mut lab = Lab::new(3);
    lab.form(&[1, 2]);
    lab.propose(1, 1, add_vip("c", 102));
    lab.form(&[1, 2, 3]);
    assert_eq!(lab.nodes[&3].state(), lab.nodes[&1].state());
    assert_eq!(lab.disks[&3], lab.disks[&1]);
}

#[test]
fn every_change_of_a_quorate_group_begins_an_epoch() {
    let mut lab = Lab::new(3);
    let before = lab.nodes[&1].state().epoch;
    lab.form(&[1, 2]);
    assert_eq!(lab.nodes[&1].state().epoch, before + 1);
    lab.form(&[1]);
    assert_eq!(lab.nodes[&1].state().epoch, before + 1);
}

#[test]
fn commands_of_members_that_do_not_order_them_are_wishes() {
    let mut lab = Lab::new(3);
    let command = Command::SetMaintenance { on: true, until: None };
    let from = crate::Member { node: 3, pid: 103 };
    let version = lab.nodes[&2].state().version;
    let message = GroupMessage::Apply { of: from, seq: 77, command };
    lab.tell(2, Event::Delivered { from, message });
    assert_eq!(lab.nodes[&2].state().version, version);
}

#[test]
fn the_begin_of_an_epoch_that_comes_too_late_begins_nothing() {
    let mut lab = Lab::new(3);
    let before = lab.nodes[&2].state().clone();
    let from = crate::Member { node: 1, pid: 101 };
    let members = [1, 2].map(|id| crate::Member { node: id, pid: 100 + id }).into();
    lab.tell(2, Event::Membership { members, left: Vec::new() });
    let command = Command::BeginEpoch { after: before.epoch };
    lab.tell(2, Event::Delivered { from, message: GroupMessage::Apply { of: from, seq: 78, command } });
    assert_eq!(lab.nodes[&2].state(), &before);
}

#[test]
fn quorum_that_comes_back_in_the_same_group_is_agreed_on_anew() {
    let mut lab = Lab::off(3);
    lab.form(&[1, 3]);
    lab.start(1);
    lab.pass(5000);
    assert_eq!(lab.holders("a"), [1]);
    // Node 3, which has no daemon, goes to the other side, where somebody takes the VIPs, and comes back.
    lab.form(&[1]);
    assert!(lab.holders("a").is_empty());
    lab.form(&[1, 3]);
    assert!(lab.holders("a").is_empty());
    lab.pass(1500);
    assert_eq!(lab.holders("a"), [1]);
}

#[test]
fn nothing_is_taken_before_quorum_and_group_speak_of_the_same_ring() {
    let mut lab = Lab::new(3);
    let ring = Ring { node: 1, seq: 1000 };
    lab.tell(1, Event::Ring { ring });
    lab.propose(2, 1, add_vip("c", 102));
    assert!(lab.holders("c").is_empty());
    lab.tell(1, Event::Quorum { quorate: true, ring, members: [1, 2, 3].into() });
    lab.settle();
    assert!(lab.applied(1));
    assert_eq!(lab.holders("c"), [1]);
}

#[test]
fn a_ring_that_came_without_a_word_about_its_members_is_agreed_on_anew_by_whoever_is_awake() {
    let mut lab = Lab::new(3);
    let ring = Ring { node: 1, seq: 1000 };
    let quorum = || Event::Quorum { quorate: true, ring, members: [1, 2, 3].into() };
    let member = |id| Member { node: id, pid: 100 + id };
    let gone = vec![(member(1), LeaveReason::NodeDown)];
    // Node 1 was alone for a moment and has not been told; the others have.
    for id in [2, 3] {
        lab.tell(id, Event::Membership { members: [1, 2, 3].map(member).into(), left: gone.clone() });
        lab.tell(id, Event::Ring { ring });
        lab.tell(id, quorum());
    }
    lab.settle();
    assert!(!lab.nodes[&2].is_operational(), "the lowest id has not begun a round");
    lab.tell(1, Event::Ring { ring });
    lab.tell(1, quorum());
    lab.settle();
    assert!([1, 2, 3].iter().all(|id| lab.nodes[id].is_established()));
    assert_eq!(lab.holders("a"), [1], "nobody had quorum without it");
    // All of them, and who is to begin a round stands still: another one does, after a while.
    let ring = Ring { node: 1, seq: 1004 };
    lab.tell(3, Event::Ring { ring });
    assert!(!lab.nodes[&3].is_operational());
    assert!(lab.nodes[&3].deadlines().any(|(_, why)| why == "silent-ring"));
    lab.pass(100);
    assert!(lab.nodes[&2].is_operational(), "it asked the others, too");
}

#[test]
fn two_nodes_go_on_apart_and_end_with_one_holder() {
    let mut lab = Lab::new(2);
    lab.form(&[1]);
    lab.form(&[2]);
    lab.pass(2000);
    assert_eq!(lab.holders("a"), [1, 2]);
    lab.form(&[1, 2]);
    assert_eq!(lab.holders("a").len(), 1);
    assert_eq!(lab.nodes[&1].state(), lab.nodes[&2].state());
}

#[test]
fn what_corosync_does_not_answer_for_is_let_go() {
    let mut lab = Lab::new(3);
    lab.tell(1, Event::Disconnected);
    lab.settle();
    assert!(lab.holders("a").is_empty());
    assert!(!lab.nodes[&1].is_quorate());
}

#[test]
fn a_node_that_went_down_is_not_said_to_have_lost_its_daemon_first() {
    let mut lab = Lab::new(3);
    let member = |node: NodeId| Member { node, pid: 100 + node };
    let seen = |lab: &Lab| {
        let nodes = lab.nodes[&1].status().nodes;
        nodes.iter().map(|node| (node.online, node.daemon)).collect::<Vec<_>>()
    };
    let rest = [(true, true), (true, true), (false, false)];
    // In the order of Corosync: the group, its ring, the quorum service.
    let members: BTreeSet<Member> = [1, 2].into_iter().map(member).collect();
    lab.tell(1, Event::Membership { members, left: vec![(member(3), LeaveReason::NodeDown)] });
    assert_eq!(seen(&lab), rest);
    let ring = Ring { node: 1, seq: 50 };
    lab.tell(1, Event::Ring { ring });
    assert_eq!(seen(&lab), rest);
    lab.tell(1, Event::Quorum { quorate: true, ring, members: [1, 2].into() });
    assert_eq!(seen(&lab), rest);
    // Back in the ring, and its daemon not yet in the group.
    let ring = Ring { node: 1, seq: 54 };
    lab.tell(1, Event::Ring { ring });
    lab.tell(1, Event::Quorum { quorate: true, ring, members: [1, 2, 3].into() });
    assert_eq!(seen(&lab)[2], (true, false));
}
