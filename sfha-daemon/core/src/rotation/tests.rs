use proptest::prelude::*;

use super::*;
use crate::mesh::wanted_peers;
use crate::state::MeshSettings;

/// A key whose 32 bytes are all this one.
fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn node(name: &str, host: u8) -> Node {
    Node {
        priority: crate::resources::DEFAULT_PRIORITY,
        name: name.into(),
        address: [10, 100, 0, host].into(),
        public_key: Some(key(host)),
        endpoint: Some(format!("192.0.2.{host}:51820")),
        standby: false,
        lan_address: None,
        rotation: Rotation::default(),
    }
}

fn cluster() -> ClusterState {
    let mesh = MeshSettings {
        network: "10.100.0.0/24".parse().unwrap(),
        port: 51820,
        mtu: 1420,
        links: crate::links::mesh_only(),
    };
    let mut state = ClusterState::new("prod", "lan", Some(mesh), node("node1", 1));
    state.nodes.insert(2, node("node2", 2));
    state
}

fn prepare(byte: u8) -> Command {
    Command::PrepareKey { node: 2, public_key: key(byte) }
}

fn confirm(byte: u8) -> Command {
    Command::ConfirmKey { node: 2, public_key: key(byte) }
}

fn commit(byte: u8) -> Command {
    Command::CommitKey { node: 2, public_key: key(byte) }
}

fn cleanup(byte: u8) -> Command {
    Command::CleanupKey { node: 2, public_key: key(byte) }
}

fn after(commands: &[Command]) -> ClusterState {
    let mut state = cluster();
    for command in commands {
        state.apply(command).unwrap();
    }
    state
}

fn code(state: &mut ClusterState, command: &Command) -> ErrorCode {
    let before = state.clone();
    let failure = state.apply(command).unwrap_err();
    assert_eq!(*state, before, "what is refused changes nothing");
    failure.code
}

/// The keys of node 2 as node 1 has them: which has the address, and which are called.
fn seen(state: &ClusterState, shaken: &[(u8, u64)]) -> (u8, Vec<u8>) {
    let shaken = shaken.iter().map(|(byte, at)| (key(*byte), *at)).collect();
    let peers = wanted_peers(state, 1, &current(state, &shaken), &BTreeMap::new(), 0);
    let byte = |peer: &WantedPeer| STANDARD.decode(&peer.public_key).unwrap()[0];
    let carriers: Vec<u8> = peers.iter().filter(|peer| !peer.allowed_ips.is_empty()).map(byte).collect();
    assert_eq!(carriers.len(), 1, "the address has one peer: {peers:?}");
    assert!(peers.iter().all(|peer| peer.endpoint.is_some()));
    (carriers[0], peers.iter().filter(|peer| peer.keepalive.is_some()).map(byte).collect())
}

#[test]
fn a_key_goes_through_its_steps_and_no_other_way() {
    let mut state = cluster();
    assert_eq!(code(&mut state, &confirm(9)), ErrorCode::WrongStep);
    assert_eq!(code(&mut state, &commit(9)), ErrorCode::WrongStep);
    assert_eq!(code(&mut state, &cleanup(2)), ErrorCode::AlreadySo);
    state.apply(&prepare(9)).unwrap();
    // Not known to all: that is what a second one finds out.
    state.apply(&prepare(9)).unwrap();
    assert_eq!(code(&mut state, &commit(9)), ErrorCode::WrongStep, "not every node knows it");
    state.apply(&confirm(9)).unwrap();
    assert_eq!(code(&mut state, &prepare(9)), ErrorCode::AlreadySo);
    assert_eq!(code(&mut state, &confirm(9)), ErrorCode::AlreadySo);
    assert_eq!(code(&mut state, &commit(8)), ErrorCode::WrongStep, "another key than the prepared one");
    state.apply(&commit(9)).unwrap();
    assert_eq!(code(&mut state, &commit(9)), ErrorCode::AlreadySo);
    assert_eq!(code(&mut state, &cleanup(9)), ErrorCode::AlreadySo, "the key in use is no old one");
    state.apply(&cleanup(2)).unwrap();
    assert_eq!(state.nodes[&2], Node { public_key: Some(key(9)), ..node("node2", 2) });
}

#[test]
fn a_prepared_key_whose_private_half_was_lost_gives_way_to_another() {
    let mut state = after(&[prepare(9), confirm(9), prepare(8)]);
    assert_eq!(code(&mut state, &commit(8)), ErrorCode::WrongStep, "known is only the lost one");
    assert_eq!(state.key_user(&key(9)), None);
    // Even a committed one.
    let mut state = after(&[prepare(9), confirm(9), commit(9), prepare(8), confirm(8), commit(8)]);
    assert_eq!(state.nodes[&2].rotation.old_key, Some(key(9)));
    state.apply(&cleanup(9)).unwrap();
}

#[test]
fn a_key_has_one_owner() {
    let mut state = after(&[prepare(9), confirm(9), commit(9)]);
    let invite = |id: &str, byte| Command::AddInvite {
        id: id.into(),
        public_key: key(byte),
        ip: None,
        expires: 100,
        initiator: 1,
    };
    state.apply(&invite("i", 7)).unwrap();
    state.apply(&prepare(6)).unwrap();
    let other = |byte| Command::PrepareKey { node: 1, public_key: key(byte) };
    for taken in [1, 2, 6, 7, 9] {
        assert_eq!(code(&mut state, &other(taken)), ErrorCode::AlreadyExists, "{taken}");
        if taken != 7 {
            assert_eq!(code(&mut state, &invite("j", taken)), ErrorCode::AlreadyExists, "{taken}");
        }
        let join = Command::AddNode {
            invite: "i".into(),
            name: "node3".into(),
            public_key: key(taken),
            endpoint: None,
            lan_address: None,
            now: 0,
        };
        assert_eq!(code(&mut state, &join), ErrorCode::AlreadyExists, "{taken}");
    }
    for wrong in ["", "key", &key(5)[1..]] {
        let command = Command::PrepareKey { node: 2, public_key: wrong.into() };
        assert_eq!(code(&mut state, &command), ErrorCode::InvalidParameter, "{wrong}");
    }
    assert_eq!(code(&mut state, &Command::PrepareKey { node: 5, public_key: key(5) }), ErrorCode::NotFound);
}

#[test]
fn open_tokens_of_a_node_end_with_the_key_they_name() {
    let mut state = cluster();
    for (id, initiator) in [("mine", 2), ("used", 2), ("theirs", 1)] {
        let public_key = key(id.len() as u8 + 20);
        let add = Command::AddInvite { id: id.into(), public_key, ip: None, expires: 100, initiator };
        state.apply(&add).unwrap();
    }
    let join = Command::AddNode {
        invite: "used".into(),
        name: "node3".into(),
        public_key: key(3),
        endpoint: None,
        lan_address: None,
        now: 0,
    };
    for command in [join, prepare(9), confirm(9), commit(9)] {
        state.apply(&command).unwrap();
    }
    assert_eq!(state.invites.keys().collect::<Vec<_>>(), ["theirs", "used"]);
}

#[test]
fn the_address_goes_to_the_key_that_shook_hands_last() {
    let plain = cluster();
    assert_eq!(seen(&plain, &[(2, 10)]), (2, vec![2]));
    let prepared = after(&[prepare(9)]);
    assert_eq!(seen(&prepared, &[]), (2, vec![2]));
    assert_eq!(seen(&prepared, &[(2, 10)]), (2, vec![2]));
    // It was committed while this node was away.
    assert_eq!(seen(&prepared, &[(2, 10), (9, 11)]), (9, vec![9]));
    let committed = after(&[prepare(9), confirm(9), commit(9)]);
    assert_eq!(seen(&committed, &[]), (2, vec![2]));
    assert_eq!(seen(&committed, &[(2, 10)]), (2, vec![2]), "the node has not changed its private key yet");
    assert_eq!(seen(&committed, &[(2, 10), (9, 10)]), (9, vec![9]), "within one second");
    assert_eq!(seen(&committed, &[(2, 10), (9, 11)]), (9, vec![9]));
    assert_eq!(seen(&committed, &[(2, 12), (9, 11)]), (2, vec![2]), "it went back");
    let again = after(&[prepare(9), confirm(9), commit(9), prepare(8)]);
    assert_eq!(seen(&again, &[(2, 10), (9, 11)]), (9, vec![9]));
    assert_eq!(seen(&again, &[(2, 10), (9, 11), (8, 12)]), (8, vec![8]));
    let clean = after(&[prepare(9), confirm(9), commit(9), cleanup(2)]);
    assert_eq!(seen(&clean, &[]), (9, vec![9]));
}

#[test]
fn a_new_key_is_looked_out_for_and_called_when_it_does_not_call() {
    let state = after(&[prepare(9), confirm(9), commit(9)]);
    let at = |millis: u64| Time::from_micros(millis * 1000);
    let mut lookout = Lookout::default();
    let told = |lookout: &mut Lookout, state: &ClusterState, shaken: &[(u8, u64)], now| {
        let shaken: BTreeMap<String, u64> = shaken.iter().map(|(byte, at)| (key(*byte), *at)).collect();
        lookout.look(state, 1, &current(state, &shaken), at(now));
        let called = lookout.overdue(state, 1, &shaken, 1000, at(now));
        let called: Vec<u8> = called.iter().map(|key| STANDARD.decode(key).unwrap()[0]).collect();
        (lookout.expects(at(now)), called)
    };
    assert_eq!(told(&mut lookout, &cluster(), &[(2, 990)], 0), (false, vec![]));
    assert_eq!(told(&mut lookout, &state, &[(2, 990)], 100), (true, vec![]));
    assert_eq!(told(&mut lookout, &state, &[(2, 990)], 5000), (true, vec![]));
    assert_eq!(told(&mut lookout, &state, &[(2, 990)], 5100), (false, vec![9]));
    assert_eq!(told(&mut lookout, &state, &[(2, 990), (9, 995)], 5200), (false, vec![]));
    // Silent for too long, or never heard since this node booted: whichever answers.
    assert_eq!(told(&mut lookout, &state, &[(2, 700), (9, 800)], 5300), (false, vec![2, 9]));
    assert_eq!(told(&mut lookout, &after(&[prepare(9)]), &[], 5400), (false, vec![2, 9]));
    // Nobody looks out for its own.
    let mut own = Lookout::default();
    own.look(&state, 2, &BTreeSet::new(), at(0));
    assert!(!own.expects(at(0)));
    let mut peers = wanted_peers(&state, 1, &BTreeSet::new(), &BTreeMap::new(), 0);
    call(&mut peers, &BTreeSet::from([key(9)]));
    assert!(peers.iter().all(|peer| peer.keepalive == Some(KEEPALIVE_S)));
}

#[test]
fn what_comes_next_follows_from_what_is_there() {
    let plain = cluster();
    let prepared = after(&[prepare(9)]);
    let known = after(&[prepare(9), confirm(9)]);
    let committed = after(&[prepare(9), confirm(9), commit(9)]);
    let clean = after(&[prepare(9), confirm(9), commit(9), cleanup(2)]);
    // The state, the key in use, the one in the file, whether one begins; what comes next.
    let table = [
        (&plain, 2, None, false, Next::Nothing),
        (&plain, 2, None, true, Next::Make),
        (&plain, 2, Some(9), false, Next::Nothing),
        (&plain, 2, Some(9), true, Next::Prepare(key(9))),
        (&prepared, 2, Some(9), false, Next::Prepare(key(9))),
        (&prepared, 2, None, false, Next::Make),
        (&prepared, 2, Some(8), false, Next::Prepare(key(8))),
        (&known, 2, Some(9), false, Next::Commit(key(9))),
        (&known, 2, Some(9), true, Next::Commit(key(9))),
        (&known, 2, None, false, Next::Make),
        (&committed, 2, Some(9), false, Next::Switch),
        (&committed, 9, None, false, Next::Cleanup(key(2))),
        (&committed, 9, None, true, Next::Cleanup(key(2))),
        (&clean, 9, None, false, Next::Nothing),
        // The file of the new key was lost after the commit.
        (&committed, 2, None, false, Next::Make),
        (&committed, 2, Some(8), false, Next::Prepare(key(8))),
        // The key was changed, and the commit lost with the others' disks.
        (&known, 9, None, false, Next::Commit(key(9))),
        (&prepared, 9, None, false, Next::Prepare(key(9))),
    ];
    for (line, (state, used, spare, begin, expected)) in table.into_iter().enumerate() {
        let spare = spare.map(key);
        assert_eq!(next(&state.nodes[&2], &key(used), spare.as_deref(), begin), expected, "line {line}");
    }
}

proptest! {
    /// A node that is interrupted anywhere and loses what it likes still ends with one key, in use, known.
    #[test]
    fn a_rotation_ends_wherever_it_was_interrupted(
        losses in proptest::collection::vec(prop::option::of(0..3u8), 0..12),
    ) {
        let mut state = cluster();
        let (mut used, mut spare, mut fresh) = (key(2), None::<String>, 100u8);
        let mut losses = losses.into_iter();
        let mut begin = true;
        for _ in 0..60 {
            let next = next(&state.nodes[&2], &used, spare.as_deref(), begin);
            match next.clone() {
                Next::Make => {
                    fresh += 1;
                    spare = Some(key(fresh));
                }
                Next::Prepare(public_key) => {
                    state.apply(&Command::PrepareKey { node: 2, public_key: public_key.clone() }).unwrap();
                    // Cut off before everybody confirmed it.
                    if losses.next().flatten() != Some(0) {
                        state.apply(&Command::ConfirmKey { node: 2, public_key }).unwrap();
                    }
                    begin = false;
                }
                Next::Commit(public_key) => {
                    state.apply(&Command::CommitKey { node: 2, public_key }).unwrap();
                }
                Next::Switch => used = spare.take().unwrap(),
                Next::Cleanup(public_key) => {
                    state.apply(&Command::CleanupKey { node: 2, public_key }).unwrap();
                }
                Next::Nothing => break,
            }
            if losses.next().flatten() == Some(1) {
                spare = None;
            }
        }
        let node = &state.nodes[&2];
        prop_assert!(node.rotation.is_none(), "{node:?}");
        prop_assert_eq!(node.public_key.as_ref(), Some(&used));
        prop_assert_ne!(&used, &key(2));
    }
}
