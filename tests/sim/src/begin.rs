//! The cluster that a run begins with.

use sfha_core::state::{MeshSettings, Node};
use sfha_core::{ClusterState, Command, NodeId};

use super::rng::Rng;

pub(super) fn state(count: u64, services: (u64, u64), rng: &mut Rng) -> ClusterState {
    let node = |id: u64| Node {
        public_key: Some(format!("key{id}")),
        ..Node::new(format!("node{id}"), format!("10.100.0.{id}").parse().unwrap_or([10, 100, 0, 1].into()))
    };
    let network = "10.100.0.0/24".parse().unwrap_or_default();
    let mesh = MeshSettings { network, port: 51820, mtu: 1420, links: sfha_core::links::mesh_only() };
    let mut state = ClusterState::new("sim", "lan", Some(mesh), node(1));
    for id in 2..=count {
        let id32 = NodeId::try_from(id).unwrap_or(NodeId::MAX);
        state.nodes.insert(id32, node(id));
        state.next_node_id = id32 + 1;
    }
    for vip in 0..rng.range(1, 3) {
        let _ = state.apply(&super::faults::add_vip(vip, vip));
    }
    if services.1 > 0 {
        let mut configured = state.configured();
        for unit in 0..rng.range(services.0, services.1) {
            configured.services.insert(format!("s{unit}"), super::services::service(rng, unit));
        }
        super::services::draw(rng, &mut configured, count);
        let (revision, configured) = (state.revision, Box::new(configured));
        let _ = state.apply(&Command::Configure { revision, configured });
    }
    state
}
