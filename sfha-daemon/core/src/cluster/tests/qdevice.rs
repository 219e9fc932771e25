//! What a quorum device's vote changes: who waits for it, and for how long.

use std::collections::BTreeSet;

use super::harness::Lab;
use crate::cluster::Ring;
use crate::qdevice::{Algorithm, Qdevice, Tls};
use crate::{Event, LeaveReason, Member, NodeId};

/// A cluster with a device that votes, in which so many votes are needed.
fn with_device(nodes: NodeId, needed: u32) -> Lab {
    let mut lab = Lab::off(nodes);
    let host = "q".to_owned();
    for state in lab.disks.values_mut() {
        let (algorithm, tls) = (Algorithm::Ffsplit, Tls::Off);
        state.corosync.qdevice = Some(Qdevice { host: host.clone(), port: 5403, algorithm, tls });
    }
    let ids: Vec<NodeId> = (1..=nodes).collect();
    lab.form(&ids);
    for id in &ids {
        lab.start(*id);
        lab.tell(*id, Event::Device { votes: Some(true) });
        lab.tell(*id, Event::Votes { total: nodes + 1, expected: nodes + 1, needed });
    }
    lab
}

/// What the group says at once when a node is lost; the quorum service is not heard before the device.
fn lose(lab: &mut Lab, id: NodeId, lost: NodeId, members: &[NodeId]) {
    let member = |node: NodeId| Member { node, pid: 100 + node };
    let members = members.iter().copied().map(member).collect();
    lab.tell(id, Event::Membership { members, left: vec![(member(lost), LeaveReason::NodeDown)] });
    lab.tell(id, Event::Ring { ring: Ring { node: id, seq: 50 } });
}

fn quorum(lab: &mut Lab, id: NodeId, quorate: bool, members: &[NodeId]) {
    let members: BTreeSet<NodeId> = members.iter().copied().collect();
    lab.tell(id, Event::Quorum { quorate, ring: Ring { node: id, seq: 50 }, members });
}

#[test]
fn whoever_waits_for_the_device_has_no_quorum_meanwhile() {
    let mut lab = with_device(2, 2);
    assert_eq!(lab.holders("a"), [1]);
    lose(&mut lab, 1, 2, &[1]);
    assert!(lab.holders("a").is_empty());
    assert!(!lab.nodes[&1].is_quorate());
}

#[test]
fn enough_votes_of_its_own_need_no_device() {
    let mut lab = with_device(4, 3);
    lose(&mut lab, 1, 4, &[1, 2, 3]);
    assert_eq!(lab.holders("a"), [1]);
    assert!(lab.nodes[&1].is_quorate());
}

#[test]
fn a_quorum_service_that_has_spoken_of_the_loss_is_believed() {
    let mut lab = with_device(2, 2);
    quorum(&mut lab, 1, true, &[1]);
    lose(&mut lab, 1, 2, &[1]);
    assert_eq!(lab.holders("a"), [1]);
}

#[test]
fn without_a_device_at_work_corosync_does_not_wait() {
    let mut lab = with_device(2, 2);
    lab.tell(1, Event::Device { votes: None });
    lose(&mut lab, 1, 2, &[1]);
    assert_eq!(lab.holders("a"), [1]);
}

/// The other node is gone, with its addresses.
fn cut_power(lab: &mut Lab, lost: NodeId, left: NodeId) {
    lab.nodes.remove(&lost);
    lab.on.remove(&lost);
    lose(lab, left, lost, &[left]);
    lab.settle();
}

#[test]
fn a_yes_that_is_the_first_word_costs_no_further_wait() {
    let mut lab = with_device(2, 2);
    // Corosync lets nobody send before it has synchronised, which the device's word is a part of.
    lab.hold_messages = true;
    cut_power(&mut lab, 1, 2);
    lab.pass(2000);
    assert!(lab.holders("a").is_empty());
    quorum(&mut lab, 2, true, &[2]);
    lab.hold_messages = false;
    lab.pass(1);
    assert_eq!(lab.holders("a"), [2]);
}

#[test]
fn a_yes_after_a_no_waits_until_the_others_must_have_missed_the_device() {
    let mut lab = with_device(2, 2);
    cut_power(&mut lab, 1, 2);
    quorum(&mut lab, 2, false, &[2]);
    lab.pass(2000);
    quorum(&mut lab, 2, true, &[2]);
    lab.pass(3999);
    assert!(lab.holders("a").is_empty());
    lab.pass(2);
    assert_eq!(lab.holders("a"), [2]);
}
