//! Addresses that somebody outside the cluster has, too.

use std::collections::BTreeSet;

use sfha_proto::status::VipState;

use super::harness::{Lab, Slow, add_vip};
use crate::{Command, Event};

const MAC: &str = "02:00:00:aa:bb:cc";

/// State, holder and claimant of a VIP, the same on every node.
fn seen(lab: &Lab, vip: &str) -> (VipState, Option<String>, Option<String>) {
    let mut seen = lab.nodes.values().map(|node| {
        let vips = node.status().vips;
        let vip = vips.into_iter().find(|known| known.name == vip).unwrap();
        (vip.state, vip.holder, vip.conflict_with)
    });
    let first = seen.next().unwrap();
    assert!(seen.all(|other| other == first), "every node says the same");
    first
}

#[test]
fn an_address_is_asked_for_before_it_is_taken_the_first_time_and_not_when_it_moves() {
    let mut lab = Lab::new(3);
    assert_eq!(lab.probed, ["a", "b"]);
    lab.tell(1, Event::Move { request: 1, names: BTreeSet::new(), to: Some(2) });
    lab.settle();
    lab.form(&[1, 3]);
    lab.pass(1000);
    assert_eq!((lab.holders("a").contains(&1), lab.probed.len()), (true, 2), "neither moved nor taken over");

    // Another address under the same name is another matter.
    lab.propose(1, 2, Command::RemoveVip { name: "b".into() });
    lab.propose(1, 3, add_vip("b", 177));
    assert_eq!(lab.probed, ["a", "b", "b"]);
}

#[test]
fn an_address_that_somebody_else_has_is_not_taken_and_tried_again() {
    let mut lab = Lab::new(2);
    lab.slow.extend([(1, Slow::Acquire), (2, Slow::Acquire)]);
    lab.propose(1, 1, add_vip("c", 150));
    for node in [1, 2] {
        let (id, _, action) = lab.waiting.pop().unwrap();
        assert_eq!(id, node, "one after the other");
        lab.tell(node, Event::Conflict { name: "c".into(), by: Some(MAC.into()) });
        let outcome = Err("duplicate-address".into());
        lab.tell(node, Event::ActionFinished { id: action, outcome });
        lab.settle();
    }
    assert_eq!(seen(&lab, "c"), (VipState::Conflict, None, Some(MAC.into())));
    let asked = lab.probed.len();
    lab.pass(10_100);
    assert_eq!(lab.probed.len(), asked + 1, "asked again");
    lab.finish(Slow::Acquire, Ok(()));
    assert_eq!(seen(&lab, "c"), (VipState::Active, Some("n1".into()), None));
}

#[test]
fn a_claim_on_an_address_that_is_held_is_shown_everywhere_until_it_is_over() {
    let mut lab = Lab::new(3);
    lab.tell(1, Event::Conflict { name: "a".into(), by: Some(MAC.into()) });
    lab.settle();
    let conflict = (VipState::Conflict, Some("n1".to_owned()), Some(MAC.to_owned()));
    assert_eq!(seen(&lab, "a"), conflict);
    // Also in the eyes of one who comes later.
    lab.kill(3);
    lab.start(3);
    assert_eq!(seen(&lab, "a"), conflict);
    lab.tell(1, Event::Conflict { name: "a".into(), by: None });
    lab.settle();
    assert_eq!(seen(&lab, "a").0, VipState::Active);
}
