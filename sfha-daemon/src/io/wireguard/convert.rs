//! From and to the types of `wireguard-control`.

use std::collections::BTreeMap;

use ipnet::IpNet;
use wireguard_control as wg;
use zeroize::Zeroize as _;

use super::changes::{AllowedIps, Changes, PeerChange};
use super::{DeviceStatus, PeerStatus, PrivateKey, PublicKey};

pub(super) fn secret(key: &PrivateKey) -> wg::Key {
    wg::Key(*key.bytes())
}

pub(super) fn public(key: PublicKey) -> wg::Key {
    wg::Key(key.0)
}

pub(super) fn update(changes: &Changes) -> wg::DeviceUpdate {
    let mut update = wg::DeviceUpdate::new();
    for change in &changes.set {
        update = update.add_peer(peer(change));
    }
    for key in &changes.removed {
        update = update.remove_peer_by_key(&public(*key));
    }
    update
}

fn peer(change: &PeerChange) -> wg::PeerConfigBuilder {
    let mut peer = wg::PeerConfigBuilder::new(&public(change.public_key));
    if let Some(endpoint) = change.endpoint {
        peer = peer.set_endpoint(endpoint);
    }
    if let Some(seconds) = change.keepalive {
        peer = peer.set_persistent_keepalive_interval(seconds);
    }
    let networks = match &change.allowed_ips {
        AllowedIps::Add(networks) => networks,
        AllowedIps::Replace(networks) => {
            peer = peer.replace_allowed_ips();
            networks
        }
    };
    for network in networks {
        peer = peer.add_allowed_ip(network.addr(), network.prefix_len());
    }
    peer
}

pub(super) fn status(mut device: wg::Device) -> DeviceStatus {
    if let Some(key) = &mut device.private_key {
        key.0.zeroize();
    }
    DeviceStatus {
        public_key: device.public_key.map(|key| PublicKey(key.0)).filter(|key| key.0 != [0; 32]),
        port: device.listen_port.filter(|port| *port != 0),
        peers: merge(device.peers),
    }
}

/// A peer with many networks comes from the kernel in several parts.
fn merge(parts: Vec<wg::PeerInfo>) -> Vec<PeerStatus> {
    let mut peers: BTreeMap<PublicKey, PeerStatus> = BTreeMap::new();
    for part in parts {
        let public_key = PublicKey(part.config.public_key.0);
        let status = peers.entry(public_key).or_insert_with(|| PeerStatus {
            public_key,
            endpoint: part.config.endpoint,
            allowed_ips: Vec::new(),
            latest_handshake: part.stats.last_handshake_time,
            rx_bytes: part.stats.rx_bytes,
            tx_bytes: part.stats.tx_bytes,
            keepalive: part.config.persistent_keepalive_interval.filter(|seconds| *seconds > 0),
        });
        let networks = part.config.allowed_ips.iter();
        status
            .allowed_ips
            .extend(networks.filter_map(|network| IpNet::new(network.address, network.cidr).ok()));
    }
    let mut peers: Vec<_> = peers.into_values().collect();
    peers.iter_mut().for_each(|peer| peer.allowed_ips.sort());
    peers
}

#[cfg(test)]
mod tests;
