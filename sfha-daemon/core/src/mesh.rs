//! Which WireGuard peers a node wants, as a function of the replicated state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::mesh_vips::{Holders, addresses_of};
use crate::rotation::{self, keys_of};
use crate::state::{ClusterState, Node, NodeId};

/// Seconds between keepalives, so that NAT keeps its mapping (wg(8), PersistentKeepalive).
pub const KEEPALIVE_S: u16 = 25;

/// One peer as it should be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPeer {
    /// Base64.
    pub public_key: String,
    /// `HOST:PORT`; `None` when only the peer calls.
    pub endpoint: Option<String>,
    /// Addresses that are sent to it and accepted from it.
    pub allowed_ips: Vec<IpNet>,
    /// Seconds; `None` when off.
    pub keepalive: Option<u16>,
}

/// The peers of node `me`.
///
/// The node that made an invite accepts the invite key for the reserved address until it has seen a
/// handshake with the joiner's own key (`handshaken`): until then the joiner may still need the invite
/// tunnel, be it to hear the answer or to repeat the request. All other nodes know only own keys.
///
/// Of a node whose key is changed, the key that `handshaken` names ([`rotation::current`]) gets everything.
#[must_use]
pub fn wanted_peers(
    state: &ClusterState,
    me: NodeId,
    handshaken: &BTreeSet<String>,
    holders: &Holders,
    now: i64,
) -> Vec<WantedPeer> {
    let mut peers = Vec::new();
    let mut on_invite: BTreeSet<NodeId> = BTreeSet::new();
    for invite in state.invites.values().filter(|invite| invite.initiator == me && !invite.closed) {
        let switched = invite.redeemed.as_ref().is_some_and(|node| handshaken.contains(&node.public_key));
        if switched || invite.expires <= now {
            continue;
        }
        on_invite.extend(invite.redeemed.as_ref().map(|redeemed| redeemed.node));
        peers.push(WantedPeer {
            public_key: invite.public_key.clone(),
            endpoint: None,
            allowed_ips: invite.ip.map(host).into_iter().collect(),
            keepalive: None,
        });
    }
    for (id, node) in state.nodes.iter().filter(|(id, _)| **id != me) {
        let Some(public_key) = &node.public_key else { continue };
        let allowed_ips = if on_invite.contains(id) { Vec::new() } else { addresses_of(state, holders, *id) };
        let in_use = WantedPeer {
            public_key: public_key.clone(),
            endpoint: node.endpoint.clone(),
            allowed_ips,
            keepalive: Some(KEEPALIVE_S),
        };
        peers.extend(rotation::peers(node, &in_use, handshaken));
    }
    peers.extend(state.peers.values().map(|peer| WantedPeer {
        public_key: peer.public_key.clone(),
        endpoint: peer.endpoint.clone(),
        allowed_ips: vec![host(peer.address)],
        keepalive: peer.endpoint.is_some().then_some(KEEPALIVE_S),
    }));
    peers
}

/// The same peers with the networks of relayed nodes given to the nodes that relay. `relays`: node and relay.
#[must_use]
pub fn relayed(
    mut peers: Vec<WantedPeer>,
    state: &ClusterState,
    relays: &BTreeMap<NodeId, NodeId>,
) -> Vec<WantedPeer> {
    for (node, relay) in relays {
        let (Some(node), Some(relay)) = (state.nodes.get(node), state.nodes.get(relay)) else { continue };
        let is_of = |peer: &WantedPeer, node: &Node| keys_of(node).any(|key| key == peer.public_key);
        // While its key is changed, the relay has several peers, of which one carries its packets.
        let carrier = |peer: &WantedPeer| is_of(peer, relay) && !peer.allowed_ips.is_empty();
        let Some(to) = peers.iter().position(carrier) else { continue };
        let from = peers.iter_mut().filter(|peer| is_of(peer, node));
        let moved: Vec<IpNet> = from.flat_map(|peer| std::mem::take(&mut peer.allowed_ips)).collect();
        peers[to].allowed_ips.extend(moved);
    }
    peers
}

/// Which nodes a device relays, and through whom: those whose address belongs to another node's peer.
/// `owner`: the key of the peer that has an address.
#[must_use]
pub fn relays_of(
    state: &ClusterState,
    me: NodeId,
    owner: impl Fn(IpAddr) -> Option<String>,
) -> BTreeMap<NodeId, NodeId> {
    let relay = |(id, node): (&NodeId, &Node)| {
        let key = owner(node.address)?;
        let (relay, _) = state.nodes.iter().find(|(_, node)| keys_of(node).any(|own| own == key))?;
        (relay != id).then_some((*id, *relay))
    };
    state.nodes.iter().filter(|(id, _)| **id != me).filter_map(relay).collect()
}

/// The network that holds just this address.
#[must_use]
pub fn host(ip: IpAddr) -> IpNet {
    IpNet::from(ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::state::MeshSettings;

    fn cluster() -> ClusterState {
        let mesh = MeshSettings {
            network: "10.100.0.0/24".parse().unwrap(),
            port: 51820,
            mtu: 1420,
            links: crate::links::mesh_only(),
        };
        let first = Node {
            public_key: Some("key1".into()),
            endpoint: Some("192.0.2.1:51820".into()),
            ..Node::new("node1", "10.100.0.1".parse().unwrap())
        };
        let mut state = ClusterState::new("prod", "lan", Some(mesh), first);
        let invite = Command::AddInvite {
            id: "i".into(),
            public_key: "once".into(),
            ip: None,
            expires: 100,
            initiator: 1,
        };
        state.apply(&invite).unwrap();
        state
    }

    fn redeem(state: &mut ClusterState) {
        let add = Command::AddNode {
            invite: "i".into(),
            name: "node2".into(),
            public_key: "key2".into(),
            endpoint: None,
            lan_address: None,
            now: 50,
        };
        state.apply(&add).unwrap();
    }

    fn allowed(peers: &[WantedPeer], key: &str) -> Option<usize> {
        peers.iter().find(|peer| peer.public_key == key).map(|peer| peer.allowed_ips.len())
    }

    #[test]
    fn only_the_initiator_accepts_the_invite_key_and_only_until_it_expires() {
        let state = cluster();
        assert_eq!(allowed(&wanted_peers(&state, 1, &BTreeSet::new(), &Holders::new(), 99), "once"), Some(1));
        assert_eq!(allowed(&wanted_peers(&state, 1, &BTreeSet::new(), &Holders::new(), 100), "once"), None);
        assert_eq!(allowed(&wanted_peers(&state, 7, &BTreeSet::new(), &Holders::new(), 99), "once"), None);
    }

    #[test]
    fn the_address_moves_to_the_own_key_with_its_first_handshake() {
        let mut state = cluster();
        redeem(&mut state);
        let before = wanted_peers(&state, 1, &BTreeSet::new(), &Holders::new(), 60);
        assert_eq!((allowed(&before, "once"), allowed(&before, "key2")), (Some(1), Some(0)));
        let seen = BTreeSet::from(["key2".to_owned()]);
        let after = wanted_peers(&state, 1, &seen, &Holders::new(), 60);
        assert_eq!((allowed(&after, "once"), allowed(&after, "key2")), (None, Some(1)));
        assert_eq!(allowed(&wanted_peers(&state, 3, &BTreeSet::new(), &Holders::new(), 60), "key2"), Some(1));
    }

    #[test]
    fn every_node_has_the_peers_that_are_not_nodes() {
        let mut state = cluster();
        let add = Command::AddPeer {
            name: "laptop".into(),
            address: "10.100.0.9".parse().unwrap(),
            public_key: "key9".into(),
            endpoint: None,
        };
        state.apply(&add).unwrap();
        for me in [1, 7] {
            assert_eq!(
                allowed(&wanted_peers(&state, me, &BTreeSet::new(), &Holders::new(), 60), "key9"),
                Some(1)
            );
        }
        state.apply(&Command::RemovePeer { name: "laptop".into() }).unwrap();
        assert_eq!(allowed(&wanted_peers(&state, 1, &BTreeSet::new(), &Holders::new(), 60), "key9"), None);
    }

    #[test]
    fn a_closed_invite_leaves_no_peer() {
        let mut state = cluster();
        redeem(&mut state);
        state.apply(&Command::CloseInvite { id: "i".into() }).unwrap();
        let peers = wanted_peers(&state, 1, &BTreeSet::new(), &Holders::new(), 60);
        assert_eq!((allowed(&peers, "once"), allowed(&peers, "key2")), (None, Some(1)));
    }

    #[test]
    fn a_relay_gets_the_networks_of_the_nodes_it_relays() {
        let mut state = cluster();
        redeem(&mut state);
        state.apply(&Command::CloseInvite { id: "i".into() }).unwrap();
        let third =
            Node { public_key: Some("key3".into()), ..Node::new("node3", "10.100.0.3".parse().unwrap()) };
        state.nodes.insert(3, third);
        let direct = wanted_peers(&state, 3, &BTreeSet::new(), &Holders::new(), 60);
        let relays = BTreeMap::from([(2, 1)]);
        let peers = relayed(direct.clone(), &state, &relays);
        assert_eq!((allowed(&peers, "key1"), allowed(&peers, "key2")), (Some(2), Some(0)));
        let owner = |ip| {
            let has = |peer: &&WantedPeer| peer.allowed_ips.contains(&host(ip));
            peers.iter().find(has).map(|peer| peer.public_key.clone())
        };
        assert_eq!(relays_of(&state, 3, owner), relays, "as the device tells it");
        assert_eq!(relayed(direct.clone(), &state, &BTreeMap::from([(2, 9)])), direct, "no such relay");
    }
}
