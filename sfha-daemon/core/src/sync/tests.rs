use super::*;
use crate::message::Round;
use crate::state::Age;

fn hello(epoch: u64, commands: u64, hash: &str) -> Hello {
    Hello {
        round: Round { by: Member { node: 1, pid: 1 }, count: 1 },
        program: String::new(),
        age: Age { epoch, commands, version: 10 },
        hash: hash.to_owned(),
        holds: BTreeMap::new(),
        active: BTreeSet::new(),
        ledger: None,
        unbroken: false,
        broken: false,
        waits: BTreeMap::new(),
        strayed: None,
        gone: BTreeSet::new(),
        failures: BTreeMap::new(),
        verdicts: BTreeMap::new(),
        strays: BTreeSet::new(),
        leaving: false,
    }
}

fn judged(hellos: &[Hello]) -> Option<(u32, bool)> {
    let member = |index: usize| Member { node: u32::try_from(index).unwrap() + 1, pid: 1 };
    let view = (0..hellos.len()).map(member).collect();
    let hellos = hellos.iter().cloned().enumerate().map(|(index, hello)| (member(index), hello)).collect();
    judge(&view, &hellos).map(|verdict| (verdict.donor.node, verdict.snapshot_needed))
}

#[test]
fn the_newest_state_wins_and_those_behind_receive_it() {
    assert_eq!(judged(&[hello(1, 1, "x"), hello(1, 1, "x")]), Some((1, false)));
    assert_eq!(judged(&[hello(1, 1, "x"), hello(1, 2, "y")]), Some((2, true)));
    assert_eq!(judged(&[hello(2, 0, "x"), hello(1, 9, "y")]), Some((1, true)));
    assert_eq!(judged(&[hello(1, 1, "x"), hello(1, 1, "y")]), Some((1, true)));
}

#[test]
fn nothing_is_decided_while_somebody_is_silent() {
    let view = BTreeSet::from([Member { node: 1, pid: 1 }, Member { node: 2, pid: 1 }]);
    let hellos = BTreeMap::from([(Member { node: 1, pid: 1 }, hello(1, 1, "x"))]);
    assert_eq!(judge(&view, &hellos), None);
}
