//! VIPs inside the mesh network: no neighbour learns them from an announcement, every node sends them to
//! the peer that holds them.
//!
//! A peer's allowed IPs are both the route to it and what is accepted from it, so that one change moves a VIP
//! in both directions. Who holds what is taken from the ledger, which all members change on the same delivered
//! messages.

use std::collections::BTreeMap;

use ipnet::IpNet;
use sfha_proto::Failure;

use crate::command::invalid;
use crate::mesh::host;
use crate::state::{ClusterState, NodeId, Vip};

/// Name of the mesh's interface.
pub const INTERFACE: &str = "wg-sfha";

/// Who may have which VIP, by name.
pub type Holders = BTreeMap<String, NodeId>;

/// Whether a VIP lives in the mesh network.
#[must_use]
pub fn is_mesh_vip(state: &ClusterState, vip: &Vip) -> bool {
    state.mesh.as_ref().is_some_and(|mesh| mesh.network.contains(&vip.address.addr()))
}

/// What is sent to a node and accepted from it: its own address, and the VIPs of the mesh that it holds.
#[must_use]
pub fn addresses_of(state: &ClusterState, holders: &Holders, id: NodeId) -> Vec<IpNet> {
    let own = state.nodes.get(&id).map(|node| host(node.address));
    let held = state
        .vips
        .iter()
        .filter(|(name, vip)| holders.get(*name) == Some(&id) && is_mesh_vip(state, vip))
        .map(|(_, vip)| host(vip.address.addr()));
    own.into_iter().chain(held).collect()
}

/// Checks a VIP against the mesh network and names the interface it goes on: that of the mesh for an address
/// in its network, the one that was asked for elsewhere.
///
/// # Errors
/// `invalid-parameter`: no host's address, or an interface on which nobody would reach it.
pub fn interface_of(
    state: &ClusterState,
    address: IpNet,
    interface: Option<&str>,
) -> Result<Option<String>, Failure> {
    let ip = address.addr();
    let Some(mesh) = state.mesh.as_ref().filter(|mesh| mesh.network.contains(&ip)) else {
        return match interface {
            Some(INTERFACE) => Err(invalid("address", &address.to_string(), "outside-network")),
            other => Ok(other.map(str::to_owned)),
        };
    };
    if ip == mesh.network.network() || ip == mesh.network.broadcast() {
        return Err(invalid("address", &address.to_string(), "network-address"));
    }
    match interface {
        None | Some(INTERFACE) => Ok(Some(INTERFACE.to_owned())),
        Some(other) => Err(invalid("interface", other, "mesh-interface")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::command::Command;
    use crate::mesh::wanted_peers;
    use crate::state::{MeshSettings, Node};

    fn cluster(network: &str, first: &str) -> ClusterState {
        let mesh = MeshSettings {
            network: network.parse().unwrap(),
            port: 51820,
            mtu: 1420,
            links: crate::links::mesh_only(),
        };
        let node = |id: NodeId, address: String| Node {
            public_key: Some(format!("key{id}")),
            ..Node::new(format!("n{id}"), address.parse().unwrap())
        };
        let mut state = ClusterState::new("c", "lan", Some(mesh), node(1, format!("{first}1")));
        for id in 2..=3 {
            state.nodes.insert(id, node(id, format!("{first}{id}")));
        }
        state
    }

    fn add(state: &mut ClusterState, name: &str, address: &str, on: Option<&str>) -> Result<(), Failure> {
        let interface = on.map(str::to_owned);
        state.apply(&Command::AddVip { name: name.into(), address: address.parse().unwrap(), interface })
    }

    fn reason(outcome: Result<(), Failure>) -> String {
        outcome.unwrap_err().details["reason"].as_str().unwrap().to_owned()
    }

    fn allowed(state: &ClusterState, me: NodeId, holders: &[(&str, NodeId)]) -> Vec<(String, Vec<String>)> {
        let holders = holders.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
        wanted_peers(state, me, &BTreeSet::new(), &holders, 0)
            .into_iter()
            .map(|peer| (peer.public_key, peer.allowed_ips.iter().map(ToString::to_string).collect()))
            .collect()
    }

    #[test]
    fn a_vip_goes_to_its_holders_peer_and_to_nobody_elses() {
        for (network, first, vip, length) in [
            ("10.100.0.0/24", "10.100.0.", "10.100.0.50", 32),
            ("fd00:1::/64", "fd00:1::", "fd00:1::50", 128),
        ] {
            let mut state = cluster(network, first);
            add(&mut state, "db", &format!("{vip}/24"), None).unwrap();
            add(&mut state, "web", "192.0.2.80/24", Some("eth0")).unwrap();
            let own = |id: NodeId| format!("{first}{id}/{length}");
            let moved = format!("{vip}/{length}");
            let both = [("db", 2), ("web", 2)];
            assert_eq!(
                allowed(&state, 1, &both),
                [("key2".into(), vec![own(2), moved.clone()]), ("key3".into(), vec![own(3)])]
            );
            assert_eq!(
                allowed(&state, 2, &both),
                [("key1".into(), vec![own(1)]), ("key3".into(), vec![own(3)])],
                "the holder sends it to nobody"
            );
            assert_eq!(
                allowed(&state, 1, &[("db", 3)]),
                [("key2".into(), vec![own(2)]), ("key3".into(), vec![own(3), moved])]
            );
            assert_eq!(
                allowed(&state, 1, &[]),
                [("key2".into(), vec![own(2)]), ("key3".into(), vec![own(3)])]
            );
        }
    }

    #[test]
    fn a_mesh_vip_is_a_hosts_address_on_the_interface_of_the_mesh() {
        let mut state = cluster("10.100.0.0/24", "10.100.0.");
        for edge in ["10.100.0.0/32", "10.100.0.255/32", "10.100.0.255/16"] {
            assert_eq!(reason(add(&mut state, "v", edge, None)), "network-address", "{edge}");
        }
        assert_eq!(reason(add(&mut state, "v", "10.100.0.50/24", Some("eth0"))), "mesh-interface");
        assert_eq!(reason(add(&mut state, "v", "192.0.2.1/24", Some("wg-sfha"))), "outside-network");
        for (name, on) in [("a", None), ("b", Some("wg-sfha"))] {
            let address = format!("10.100.0.5{}/24", name.len() + usize::from(on.is_some()));
            add(&mut state, name, &address, on).unwrap();
            assert_eq!(state.vips[name].interface.as_deref(), Some("wg-sfha"));
        }
        add(&mut state, "lan", "192.0.2.1/24", None).unwrap();
        assert_eq!(state.vips["lan"].interface, None);
    }

    #[test]
    fn nodes_invites_and_vips_never_share_an_address() {
        let mut state = cluster("10.100.0.0/29", "10.100.0.");
        assert!(add(&mut state, "v", "10.100.0.2/29", None).is_err(), "a node's");
        let invite = |id: &str, ip: Option<&str>| Command::AddInvite {
            id: id.into(),
            public_key: "once".into(),
            ip: ip.map(|ip| ip.parse().unwrap()),
            expires: 100,
            initiator: 1,
        };
        state.apply(&invite("i", Some("10.100.0.4"))).unwrap();
        assert!(add(&mut state, "v", "10.100.0.4/29", None).is_err(), "an invite's");
        add(&mut state, "v", "10.100.0.5/29", None).unwrap();
        assert!(state.apply(&invite("j", Some("10.100.0.5"))).is_err(), "a vip's");
        state.apply(&invite("j", None)).unwrap();
        assert_eq!(state.invites["j"].ip, Some("10.100.0.6".parse::<std::net::IpAddr>().unwrap()));
    }
}
