use proptest::prelude::*;

use super::*;
use crate::uapi::{Request, parse};

fn key(number: u8) -> PublicKey {
    [number; 32]
}

/// `<1>` stands for the key of peer 1.
fn request(lines: &str) -> Set {
    let mut text = lines.replace(' ', "\n");
    for number in 0..10u8 {
        text = text
            .replace(&format!("<{number}>"), &format!("public_key={}", format!("{number:02x}").repeat(32)));
    }
    match parse(format!("set=1\n{text}\n").as_bytes()) {
        Ok(Request::Set(set)) => set,
        other => panic!("{lines}: {other:?}"),
    }
}

fn after(requests: &[&str]) -> Peers {
    let mut peers = Peers::default();
    for lines in requests {
        peers.apply(&request(lines), None);
    }
    peers
}

fn networks(peers: &Peers, number: u8) -> String {
    let texts: Vec<_> = peers.0[&key(number)].allowed_ips.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

#[test]
fn a_network_leaves_the_peer_that_had_it() {
    let peers = after(&[
        "<1> allowed_ip=10.0.0.1/32 allowed_ip=10.0.0.9/32 <2> allowed_ip=10.0.0.2/32",
        "<2> allowed_ip=10.0.0.9/32",
        // The first peer changes later, and does not take it back.
        "<1> persistent_keepalive_interval=25 allowed_ip=10.0.0.3/32",
    ]);
    assert_eq!(networks(&peers, 1), "10.0.0.1/32 10.0.0.3/32");
    assert_eq!(networks(&peers, 2), "10.0.0.2/32 10.0.0.9/32");
}

#[test]
fn a_network_inside_another_one_is_another_network() {
    let peers = after(&["<1> allowed_ip=10.0.0.0/8 <2> allowed_ip=10.1.0.0/16"]);
    assert_eq!(networks(&peers, 1), "10.0.0.0/8");
    assert_eq!(networks(&peers, 2), "10.1.0.0/16");
}

#[test]
fn what_is_not_mentioned_stays() {
    let peers = after(&[
        "<1> endpoint=192.0.2.1:1 persistent_keepalive_interval=25 allowed_ip=10.0.0.1/32",
        "<1> allowed_ip=10.0.0.2/32",
        "<1> allowed_ip=-10.0.0.1/32 allowed_ip=-10.0.0.7/32",
    ]);
    let peer = &peers.0[&key(1)];
    assert_eq!(peer.endpoint, Some("192.0.2.1:1".parse().unwrap()));
    assert_eq!(peer.keepalive, Some(25));
    assert_eq!(networks(&peers, 1), "10.0.0.2/32");
}

#[test]
fn replacing_networks_is_about_one_peer() {
    let peers = after(&[
        "<1> allowed_ip=10.0.0.1/32 <2> allowed_ip=10.0.0.2/32",
        "<1> replace_allowed_ips=true allowed_ip=10.0.0.3/32",
    ]);
    assert_eq!(networks(&peers, 1), "10.0.0.3/32");
    assert_eq!(networks(&peers, 2), "10.0.0.2/32");
}

#[test]
fn zero_turns_keepalives_off() {
    let peers = after(&["<1> persistent_keepalive_interval=25", "<1> persistent_keepalive_interval=0"]);
    assert_eq!(peers.0[&key(1)].keepalive, None);
}

#[test]
fn replacing_peers_resets_those_that_are_named_again() {
    let peers = after(&[
        "<1> endpoint=192.0.2.1:1 allowed_ip=10.0.0.1/32 <2> allowed_ip=10.0.0.2/32",
        "replace_peers=true <1> allowed_ip=10.0.0.3/32 <3>",
    ]);
    assert_eq!(peers.0.keys().copied().collect::<Vec<_>>(), [key(1), key(3)]);
    assert_eq!(networks(&peers, 1), "10.0.0.3/32");
    assert_eq!(peers.0[&key(1)].endpoint, None);
}

#[test]
fn an_update_makes_no_peer_and_a_removal_needs_none() {
    let peers =
        after(&["<1> update_only=true allowed_ip=10.0.0.1/32 <2> remove=true <3>", "<3> remove=true"]);
    assert_eq!(peers, Peers::default());
}

#[test]
fn a_device_is_not_its_own_peer() {
    let mut peers = after(&["<1> allowed_ip=10.0.0.1/32 <2>"]);
    peers.apply(&request("<1> allowed_ip=10.0.0.2/32"), Some(key(1)));
    assert_eq!(peers.0.keys().copied().collect::<Vec<_>>(), [key(2)]);
}

#[test]
fn the_difference_names_only_what_differs() {
    let before = after(&["<1> allowed_ip=10.0.0.1/32 <2> <3>"]);
    let next = after(&["<1> <2> <4>"]);
    let difference = before.difference(&next);
    assert_eq!(difference.removed, [key(3)]);
    assert_eq!(difference.changed, [(key(1), Peer::default())]);
    assert_eq!(difference.added, [(key(4), Peer::default())]);
    assert_eq!(before.difference(&before), Difference::default());
}

fn lines() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => (1..5u8).prop_map(|number| format!("<{number}>")),
        4 => (0..6u8).prop_map(|host| format!("allowed_ip=10.0.0.{host}/32")),
        1 => (0..6u8).prop_map(|host| format!("allowed_ip=-10.0.0.{host}/32")),
        1 => Just("replace_allowed_ips=true".to_owned()),
        1 => Just("remove=true".to_owned()),
        1 => Just("update_only=true".to_owned()),
    ];
    let words = proptest::collection::vec(word, 0..12);
    (any::<bool>(), words).prop_map(|(replace, words)| {
        let replace = if replace { "replace_peers=true " } else { "" };
        format!("{replace}<1> {}", words.join(" "))
    })
}

proptest! {
    #[test]
    fn a_network_never_has_two_owners(requests in proptest::collection::vec(lines(), 1..6)) {
        let mut peers = Peers::default();
        for lines in &requests {
            let before = peers.clone();
            peers.apply(&request(lines), None);
            let mut owned = BTreeSet::new();
            for network in peers.0.values().flat_map(|peer| &peer.allowed_ips) {
                prop_assert!(owned.insert(*network));
            }
            // The difference leads from one to the other.
            let Difference { removed, added, changed } = before.difference(&peers);
            let mut replayed = before;
            removed.iter().for_each(|key| drop(replayed.0.remove(key)));
            replayed.0.extend(added.into_iter().chain(changed));
            prop_assert_eq!(&replayed, &peers);
        }
    }
}
