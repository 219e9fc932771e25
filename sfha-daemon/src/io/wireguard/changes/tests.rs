use proptest::prelude::*;

use super::*;

fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn at(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

fn wanted(number: u8, networks: &[&str]) -> Peer {
    Peer {
        public_key: key(number),
        endpoint: None,
        allowed_ips: networks.iter().map(|text| net(text)).collect(),
        keepalive: Some(25),
    }
}

fn has(number: u8, networks: &[&str]) -> PeerStatus {
    status(&wanted(number, networks))
}

fn status(peer: &Peer) -> PeerStatus {
    PeerStatus {
        public_key: peer.public_key,
        endpoint: peer.endpoint,
        allowed_ips: peer.allowed_ips.clone(),
        latest_handshake: None,
        rx_bytes: 0,
        tx_bytes: 0,
        keepalive: peer.keepalive,
    }
}

fn add(networks: &[&str]) -> AllowedIps {
    AllowedIps::Add(networks.iter().map(|text| net(text)).collect())
}

fn replace(networks: &[&str]) -> AllowedIps {
    AllowedIps::Replace(networks.iter().map(|text| net(text)).collect())
}

#[test]
fn a_device_that_has_what_is_wanted_is_left_alone() {
    let current = [has(1, &["10.0.0.1/32"]), has(2, &["10.0.0.2/32", "10.9.0.0/16"])];
    // In another order, and with host bits.
    let wanted = [wanted(2, &["10.9.1.2/16", "10.0.0.2/32"]), wanted(1, &["10.0.0.1/32"])];
    assert!(between(&current, &wanted, &Endpoints::default()).is_empty());
}

#[test]
fn a_keepalive_of_zero_is_none() {
    let mut off = wanted(1, &[]);
    off.keepalive = Some(0);
    let mut never = has(1, &[]);
    never.keepalive = None;
    assert!(between(&[never], std::slice::from_ref(&off), &Endpoints::default()).is_empty());
    let changes = between(&[has(1, &[])], &[off], &Endpoints::default());
    assert_eq!(changes.set[0].keepalive, Some(0));
}

#[test]
fn only_the_peer_that_differs_is_touched() {
    let current = [has(1, &["10.0.0.1/32"]), has(2, &["10.0.0.2/32"]), has(3, &[])];
    let wanted = [wanted(1, &["10.0.0.1/32"]), wanted(2, &["10.0.0.2/32", "10.0.0.9/32"]), wanted(4, &[])];
    let changes = between(&current, &wanted, &Endpoints::default());
    let touched: Vec<_> = changes.set.iter().map(|change| (change.public_key, change.new)).collect();
    assert_eq!(touched, [(key(2), false), (key(4), true)]);
    assert_eq!(changes.set[0].allowed_ips, add(&["10.0.0.9/32"]));
    assert_eq!(changes.removed, [key(3)]);
}

#[test]
fn a_moved_network_is_given_and_not_taken() {
    let current = [has(1, &["10.0.0.1/32", "10.0.0.100/32"]), has(2, &["10.0.0.2/32"])];
    let wanted = [wanted(1, &["10.0.0.1/32"]), wanted(2, &["10.0.0.2/32", "10.0.0.100/32"])];
    let changes = between(&current, &wanted, &Endpoints::default());
    assert_eq!(changes.set.len(), 1);
    assert_eq!(changes.set[0].public_key, key(2));
    assert_eq!(changes.set[0].allowed_ips, add(&["10.0.0.100/32"]));
}

#[test]
fn a_network_that_nobody_gets_is_taken_by_replacing_and_after_all_that_is_given() {
    let current = [has(1, &["10.0.0.1/32", "10.7.0.0/16"]), has(2, &[])];
    let wanted = [wanted(1, &["10.0.0.1/32"]), wanted(2, &["10.0.0.2/32"])];
    let changes = between(&current, &wanted, &Endpoints::default());
    assert_eq!(changes.set[0].allowed_ips, add(&["10.0.0.2/32"]));
    assert_eq!(changes.set[1].allowed_ips, replace(&["10.0.0.1/32"]));
}

#[test]
fn a_network_wanted_twice_goes_to_the_last() {
    let wanted = [wanted(2, &["10.0.0.100/32"]), wanted(1, &["10.0.0.100/32"])];
    let changes = between(&[], &wanted, &Endpoints::default());
    assert_eq!(changes.set[0].allowed_ips, add(&["10.0.0.100/32"]), "peer 1");
    assert_eq!(changes.set[1].allowed_ips, add(&[]), "peer 2");
}

#[test]
fn an_endpoint_is_set_for_a_new_peer_and_for_one_without() {
    let mut peer = wanted(1, &[]);
    peer.endpoint = at("192.0.2.1:51820");
    let peers = [peer];
    assert_eq!(between(&[], &peers, &Endpoints::default()).set[0].endpoint, at("192.0.2.1:51820"));
    assert_eq!(between(&[has(1, &[])], &peers, &Endpoints::default()).set[0].endpoint, at("192.0.2.1:51820"));
}

#[test]
fn a_peer_that_has_moved_is_not_called_back() {
    let mut peer = wanted(1, &[]);
    peer.endpoint = at("192.0.2.1:51820");
    let mut roamed = status(&peer);
    roamed.endpoint = at("198.51.100.9:1024");
    // After a restart of the daemon nothing is known to be configured.
    let mut endpoints = Endpoints::default();
    let peers = [peer.clone()];
    assert!(between(&[roamed.clone()], &peers, &endpoints).is_empty());
    endpoints.configured(&[roamed.clone()], &peers);
    assert!(between(&[roamed.clone()], &peers, &endpoints).is_empty());

    // Somebody wants it elsewhere.
    peer.endpoint = at("203.0.113.5:51820");
    let peers = [peer.clone()];
    let changes = between(&[roamed.clone()], &peers, &endpoints);
    assert_eq!(changes.set[0].endpoint, at("203.0.113.5:51820"));
    endpoints.configured(&[roamed.clone()], &peers);
    assert!(between(&[roamed.clone()], &peers, &endpoints).is_empty());

    // It is wanted where it is.
    peer.endpoint = roamed.endpoint;
    assert!(between(&[roamed], &[peer], &endpoints).is_empty());
}

#[test]
fn an_endpoint_that_is_not_wanted_any_more_stays_and_is_remembered() {
    let mut peer = wanted(1, &[]);
    peer.endpoint = at("192.0.2.1:51820");
    let mut endpoints = Endpoints::default();
    endpoints.configured(&[], &[peer.clone()]);
    let current = [status(&peer)];
    let without = [wanted(1, &[])];
    assert!(between(&current, &without, &endpoints).is_empty());
    endpoints.configured(&current, &without);
    assert!(between(&current, &[peer], &endpoints).is_empty());
}

#[test]
fn a_peer_that_was_removed_begins_anew() {
    let mut peer = wanted(1, &[]);
    peer.endpoint = at("192.0.2.1:51820");
    let mut endpoints = Endpoints::default();
    endpoints.configured(&[], &[peer.clone()]);
    endpoints.configured(&[status(&peer)], &[]);
    assert_eq!(between(&[], &[peer], &endpoints).set[0].endpoint, at("192.0.2.1:51820"));
}

/// What the kernel and `sfha-wg` make of changes: later entries take networks from all others.
fn applied(current: &[PeerStatus], changes: &Changes) -> Vec<PeerStatus> {
    let mut peers: BTreeMap<PublicKey, PeerStatus> =
        current.iter().map(|peer| (peer.public_key, peer.clone())).collect();
    for change in &changes.set {
        let networks = match &change.allowed_ips {
            AllowedIps::Add(networks) => networks,
            AllowedIps::Replace(networks) => {
                peers.get_mut(&change.public_key).unwrap().allowed_ips.clear();
                networks
            }
        };
        for peer in peers.values_mut() {
            peer.allowed_ips.retain(|network| !networks.contains(network));
        }
        let peer = peers.entry(change.public_key).or_insert_with(|| PeerStatus {
            keepalive: None,
            ..status(&Peer { public_key: change.public_key, ..wanted(0, &[]) })
        });
        peer.allowed_ips.extend(networks);
        peer.endpoint = change.endpoint.or(peer.endpoint);
        peer.keepalive = change.keepalive.or(peer.keepalive).filter(|seconds| *seconds > 0);
    }
    for key in &changes.removed {
        peers.remove(key);
    }
    peers.into_values().collect()
}

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    let peer = (0..5u8, proptest::collection::vec(0..6u8, 0..4), proptest::option::of(0..3u16), 0..3u16);
    let peers = proptest::collection::vec(peer, 0..6);
    peers.prop_map(|peers| {
        let peers = peers.into_iter().map(|(number, networks, keepalive, port)| Peer {
            public_key: key(number),
            endpoint: (port > 0).then(|| SocketAddr::from(([192, 0, 2, 1], port))),
            allowed_ips: networks.iter().map(|host| net(&format!("10.0.0.{host}/32"))).collect(),
            keepalive,
        });
        peers.collect()
    })
}

proptest! {
    /// From any device to any wish in one step, and from there nothing more to do.
    #[test]
    fn once_is_enough(first in peers(), second in peers()) {
        let mut endpoints = Endpoints::default();
        let mut device = Vec::new();
        for wish in [&first, &second] {
            let changes = between(&device, wish, &endpoints);
            let after = applied(&device, &changes);
            endpoints.configured(&device, wish);
            device = after;
            prop_assert_eq!(between(&device, wish, &endpoints), Changes::default());
            let mut owners = BTreeSet::new();
            for peer in &device {
                for network in &peer.allowed_ips {
                    prop_assert!(owners.insert(*network), "{} has two owners", network);
                }
            }
            let named: BTreeSet<_> = wish.iter().map(|peer| peer.public_key).collect();
            let there: BTreeSet<_> = device.iter().map(|peer| peer.public_key).collect();
            prop_assert_eq!(there, named);
            let asked: BTreeSet<IpNet> = without_repetition(wish).into_values().flat_map(|(_, networks)| networks).collect();
            prop_assert_eq!(owners, asked);
        }
    }
}
