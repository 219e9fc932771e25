//! Peers that were removed from the cluster and are spoken with for a moment yet.
//!
//! Who is removed learns of it through the mesh. Whoever applies the removal first must not cut it off
//! before it has: it would neither let go in order nor know that it is out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sfha_core::mesh::{WantedPeer, host};
use sfha_core::{ClusterState, NodeId};
use tokio::time::Instant;

/// How long a removed node is still spoken with.
const LINGER: Duration = Duration::from_secs(5);

/// Those who were just removed.
#[derive(Debug, Default)]
pub(super) struct Linger {
    nodes: BTreeMap<NodeId, IpAddr>,
    /// What was wanted of them, and of all others.
    peers: Vec<WantedPeer>,
    going: BTreeMap<NodeId, (WantedPeer, Instant)>,
}

impl Linger {
    /// Adds them to the peers that the state wants, unless their key or address is another's already.
    pub(super) fn add(
        &mut self,
        state: &ClusterState,
        me: NodeId,
        now: Instant,
        wanted: &mut Vec<WantedPeer>,
    ) {
        let nodes = state.nodes.iter().map(|(id, node)| (*id, node.address)).collect();
        for (id, address) in std::mem::replace(&mut self.nodes, nodes) {
            let gone = !state.nodes.contains_key(&id) && id != me;
            let peer = self.peers.iter().find(|peer| peer.allowed_ips.contains(&host(address)));
            if let Some(peer) = peer.filter(|_| gone) {
                let peer = WantedPeer { allowed_ips: vec![host(address)], ..peer.clone() };
                self.going.insert(id, (peer, now + LINGER));
            }
        }
        self.peers.clone_from(wanted);
        self.going.retain(|_, (peer, until)| {
            let taken = |other: &WantedPeer| {
                let same = |net| peer.allowed_ips.contains(net);
                other.public_key == peer.public_key || other.allowed_ips.iter().any(same)
            };
            *until > now && !wanted.iter().any(taken)
        });
        wanted.extend(self.going.values().map(|(peer, _)| peer.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sfha_core::mesh::wanted_peers;
    use sfha_core::state::Node;

    fn state(ids: &[NodeId]) -> ClusterState {
        let node = |id: NodeId| Node {
            public_key: Some(format!("k{id}")),
            ..Node::new(format!("n{id}"), [10, 100, 0, u8::try_from(id).unwrap()].into())
        };
        let mut state = ClusterState::new("c", "lan", None, node(1));
        state.nodes = ids.iter().map(|id| (*id, node(*id))).collect();
        state
    }

    fn keys(linger: &mut Linger, state: &ClusterState, now: Instant) -> Vec<String> {
        let mut wanted = wanted_peers(state, 1, &Default::default(), &Default::default(), 0);
        linger.add(state, 1, now, &mut wanted);
        wanted.into_iter().map(|peer| peer.public_key).collect()
    }

    #[test]
    fn a_removed_node_is_spoken_with_for_five_seconds() {
        let (mut linger, start) = (Linger::default(), Instant::now());
        assert_eq!(keys(&mut linger, &state(&[1, 2, 3]), start), ["k2", "k3"]);
        assert_eq!(keys(&mut linger, &state(&[1, 2]), start), ["k2", "k3"]);
        assert_eq!(keys(&mut linger, &state(&[1, 2]), start + LINGER), ["k2"]);
        // The node that goes speaks with all others.
        assert_eq!(keys(&mut linger, &state(&[2]), start), ["k2"]);
    }

    #[test]
    fn an_address_that_was_given_to_another_is_the_others() {
        let (mut linger, start) = (Linger::default(), Instant::now());
        keys(&mut linger, &state(&[1, 2]), start);
        let mut next = state(&[1, 3]);
        next.nodes.get_mut(&3).unwrap().address = [10, 100, 0, 2].into();
        assert_eq!(keys(&mut linger, &next, start), ["k3"]);
    }
}
