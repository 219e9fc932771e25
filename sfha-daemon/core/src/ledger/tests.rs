use super::*;
use crate::message::Hello;
use crate::message::Round;
use crate::state::Age;

fn member(node: NodeId) -> Member {
    Member { node, pid: 7 }
}

fn hello(version: u64, holds: &[&str], slot: Option<Slot>) -> Hello {
    let ledger = slot.map(|slot| Ledger { slots: [("v".to_owned(), slot)].into(), ..Ledger::default() });
    let thing = Thing::Address([10, 0, 0, 1].into());
    Hello {
        round: Round { by: member(1), count: 1 },
        program: String::new(),
        age: Age { epoch: 1, commands: version, version },
        hash: String::new(),
        holds: holds.iter().map(|name| ((*name).to_owned(), thing.clone())).collect(),
        active: BTreeSet::new(),
        unbroken: ledger.is_some(),
        broken: false,
        ledger,
        waits: BTreeMap::new(),
        strayed: None,
        gone: BTreeSet::new(),
        failures: BTreeMap::new(),
        verdicts: BTreeMap::new(),
        strays: BTreeSet::new(),
        leaving: false,
    }
}

fn merged(hellos: &[(NodeId, Hello)]) -> Ledger {
    Ledger::merge(&hellos.iter().map(|(node, hello)| (member(*node), hello.clone())).collect(), 6000)
}

/// Case, what members say, what comes of it.
#[test]
fn a_slot_is_put_together_from_what_everybody_says() {
    let held = |node| Some(Slot::held(node));
    let lost = |node| Slot::Lost { node };
    let cases = [
        (
            "the holder is here",
            vec![(1, hello(1, &["v"], held(1))), (2, hello(1, &[], held(1)))],
            Slot::held(1),
        ),
        ("it has let go", vec![(1, hello(1, &[], held(1))), (2, hello(1, &[], held(1)))], Slot::Free),
        ("it is not here", vec![(2, hello(1, &[], held(1)))], lost(Some(1))),
        ("nobody knows", vec![(2, hello(1, &[], Some(lost(None))))], lost(None)),
        (
            "two have it: the newer ledger",
            vec![(1, hello(1, &["v"], held(1))), (2, hello(2, &["v"], held(2)))],
            Slot::held(2),
        ),
        (
            "two have it, none knows",
            vec![(2, hello(1, &["v"], None)), (3, hello(1, &["v"], None))],
            Slot::held(2),
        ),
        (
            "who has it is not who should",
            vec![(1, hello(1, &["v"], None)), (2, hello(2, &[], held(3)))],
            lost(Some(3)),
        ),
    ];
    for (case, hellos, expected) in cases {
        assert_eq!(merged(&hellos).slots.get("v"), Some(&expected), "{case}");
    }
}

#[test]
fn without_quorum_meanwhile_nothing_is_free() {
    let mut one = hello(1, &[], Some(Slot::Free));
    one.unbroken = false;
    assert_eq!(merged(&[(1, one)]).slots["v"], Slot::Lost { node: None });
}

#[test]
fn what_a_node_had_that_has_just_gone_is_not_free() {
    let mut one = hello(1, &[], Some(Slot::Free));
    one.waits.insert(3, 200);
    assert_eq!(merged(&[(1, one.clone())]).slots["v"], Slot::Lost { node: Some(3) });
    one.waits.insert(3, 0);
    assert_eq!(merged(&[(1, one)]).slots["v"], Slot::Free);
}

#[test]
fn a_vip_is_given_to_nobody_while_somebody_else_still_has_it() {
    let ledger = merged(&[(1, hello(1, &["v"], None)), (2, hello(2, &["v"], Some(Slot::held(2))))]);
    assert!(ledger.is_stale("v"));
    let mut after = ledger;
    after.released("v", 1, None);
    assert!(!after.is_stale("v"));
    assert_eq!(after.slots["v"], Slot::held(2));
}

#[test]
fn all_are_here_and_say_that_they_have_nothing() {
    let mut ledger = Ledger::default();
    let mut state = ClusterState::new("c", "lan", None, crate::state::Node::new("n", [10, 0, 0, 1].into()));
    let address = "10.0.0.9/24".parse().unwrap();
    state.apply(&crate::Command::AddVip { name: "v".into(), address, interface: None }).unwrap();
    ledger.complete(&state, &Order::of(&state), &BTreeSet::new());
    assert_eq!(ledger.slots["v"], Slot::Lost { node: None });
    ledger.complete(&state, &Order::of(&state), &BTreeSet::from([1]));
    assert_eq!(ledger.slots["v"], Slot::Free);
}
