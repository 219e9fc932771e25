//! The mesh as `sfha mesh status` shows it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sfha_core::path::{Health, Hearsay, Route};
use sfha_core::rotation::keys_of;
use sfha_core::{ClusterState, NodeId};
use sfha_proto::mesh::{Backend, MeshStatus, PairStatus, PeerState, PeerStatus};

use super::paths::Views;
use crate::io::wireguard::{self, Device, DeviceStatus, PrivateKey};
use crate::mesh_file::MeshFile;

/// Age of a handshake from which a peer that answers no probes is not connected: Reject-After-Time of the
/// WireGuard paper, § 6.1.
const FRESH: Duration = Duration::from_secs(180);

/// Adds every peer, as the device and its path have it.
pub(super) fn fill(
    view: &mut MeshStatus,
    state: &ClusterState,
    me: NodeId,
    status: &DeviceStatus,
    paths: &Views,
) {
    view.up = true;
    view.auto_remove_after_s = state.auto_remove_after_s;
    for (id, node) in state.nodes.iter().filter(|(id, _)| **id != me) {
        let Some(public_key) = &node.public_key else { continue };
        let keys: Vec<&str> = keys_of(node).collect();
        let seen = seen(status, &keys);
        let mut peer = peer(&node.name, node.address, public_key, &node.endpoint, seen);
        if let Some((path, problem)) = paths.get(id) {
            peer.state = match path.health {
                Health::Connected => PeerState::Connected,
                Health::Stale => PeerState::Stale,
                // Of a node that was just let in; nobody sees those of a daemon that has just started.
                Health::Unknown | Health::Never => PeerState::Never,
            };
            if let Route::Via(relay) = path.route {
                peer.path = state.node_name(relay);
            }
            peer.rtt_ms = path.rtt.map(milliseconds);
            peer.loss = path.loss_permille.map(|loss| f64::from(loss) / 1000.0);
            peer.endpoint_problem = *problem;
        }
        view.peers.push(peer);
    }
    for (name, other) in &state.peers {
        let seen = seen(status, &[&other.public_key]);
        let mut peer = peer(name, other.address, &other.public_key, &other.endpoint, seen);
        peer.member = false;
        // Nothing there answers probes.
        peer.state = by_handshake(seen);
        view.peers.push(peer);
    }
    view.rotating = crate::rotation::under_way(state);
    view.peers.sort_by(|a, b| a.name.cmp(&b.name));
}

/// What the others say about their paths, by name.
pub(super) fn pairs(state: &ClusterState, hearsay: &[Hearsay]) -> Vec<PairStatus> {
    let known = |said: &&Hearsay| state.nodes.contains_key(&said.from) && state.nodes.contains_key(&said.to);
    let pair = |said: &Hearsay| PairStatus {
        from: state.node_name(said.from),
        to: state.node_name(said.to),
        path: said.via.map_or_else(|| "direct".to_owned(), |relay| state.node_name(relay)),
        rtt_ms: said.rtt.map(milliseconds),
    };
    hearsay.iter().filter(known).map(pair).collect()
}

fn by_handshake(seen: Option<&wireguard::PeerStatus>) -> PeerState {
    let age = seen.and_then(|seen| seen.latest_handshake).map(|at| at.elapsed().unwrap_or_default());
    match age {
        None => PeerState::Never,
        Some(age) if age <= FRESH => PeerState::Connected,
        Some(_) => PeerState::Stale,
    }
}

/// While a node's key is changed, the one of its peers that was heard last.
fn seen<'a>(status: &'a DeviceStatus, keys: &[&str]) -> Option<&'a wireguard::PeerStatus> {
    let of = |key: &&str| status.peers.iter().find(|peer| peer.public_key.to_string() == **key);
    keys.iter().filter_map(of).rev().max_by_key(|peer| peer.latest_handshake)
}

fn peer(
    name: &str,
    address: std::net::IpAddr,
    public_key: &str,
    configured: &Option<String>,
    seen: Option<&wireguard::PeerStatus>,
) -> PeerStatus {
    let endpoint = seen.and_then(|seen| seen.endpoint).map(|endpoint| endpoint.to_string());
    PeerStatus {
        name: name.to_owned(),
        member: true,
        ip: address.to_string(),
        public_key: public_key.to_owned(),
        endpoint: endpoint.or_else(|| configured.clone()),
        state: PeerState::Never,
        path: "direct".to_owned(),
        latest_handshake: seen.and_then(|seen| seen.latest_handshake).and_then(rfc3339),
        rx_bytes: seen.map_or(0, |seen| seen.rx_bytes),
        tx_bytes: seen.map_or(0, |seen| seen.tx_bytes),
        rtt_ms: None,
        loss: None,
        endpoint_problem: None,
        keepalive: seen.and_then(|seen| seen.keepalive),
    }
}

/// Of a device that has no peers yet.
pub(super) fn empty(file: &MeshFile, key: &PrivateKey, device: &Device) -> MeshStatus {
    MeshStatus {
        schema: sfha_proto::SCHEMA,
        interface: file.interface.clone(),
        address: file.address.to_string(),
        port: file.port,
        public_key: key.public().to_string(),
        backend: match device.backend() {
            wireguard::Backend::Kernel => Backend::Kernel,
            wireguard::Backend::Userspace => Backend::Userspace,
        },
        mtu: file.mtu,
        peers: Vec::new(),
        up: false,
        links: Vec::new(),
        rotating: Vec::new(),
        pairs: Vec::new(),
        auto_remove_after_s: None,
    }
}

fn rfc3339(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(sfha_core::command::rfc3339(i64::try_from(seconds).ok()?))
}

/// To the microsecond, which is more than it is worth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
