//! What has to change on a device to give it the peers that are wanted, and no more. No device here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ipnet::IpNet;

use super::{Peer, PeerStatus, PublicKey};

/// The smallest change from the peers that are to those that are wanted, in the order in which it is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New peers, and peers that get something: what they take from others they have from then on, without a
    /// moment in between in which nobody has it.
    pub set: Vec<PeerChange>,
    /// Peers that are not wanted.
    pub removed: Vec<PublicKey>,
}

/// What changes about one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerChange {
    /// Whom this is about.
    pub public_key: PublicKey,
    /// The device does not have it yet.
    pub new: bool,
    /// Where to reach it from now on.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives from now on; 0 turns them off.
    pub keepalive: Option<u16>,
    /// What is routed to it.
    pub allowed_ips: AllowedIps,
}

/// What changes about the networks of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedIps {
    /// These come to what it has; possibly none. No packet is lost.
    Add(BTreeSet<IpNet>),
    /// These instead of what it has.
    Replace(BTreeSet<IpNet>),
}

impl Changes {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

/// The endpoints that were configured last, by peer. What the device has may differ: a peer that moves is followed.
#[derive(Debug, Default)]
pub(super) struct Endpoints(BTreeMap<PublicKey, SocketAddr>);

impl Endpoints {
    /// Remembers what was just configured; peers that are gone are forgotten.
    pub fn configured(&mut self, current: &[PeerStatus], wanted: &[Peer]) {
        let known: BTreeSet<_> = current.iter().map(|peer| peer.public_key).collect();
        let before = std::mem::take(&mut self.0);
        for peer in wanted {
            let kept = || before.get(&peer.public_key).copied().filter(|_| known.contains(&peer.public_key));
            if let Some(endpoint) = peer.endpoint.or_else(kept) {
                self.0.insert(peer.public_key, endpoint);
            }
        }
    }

    /// The endpoint to set, if one is to be set.
    fn change(&self, wanted: &Peer, current: Option<&PeerStatus>) -> Option<SocketAddr> {
        let endpoint = wanted.endpoint?;
        let Some(actual) = current.and_then(|peer| peer.endpoint) else { return Some(endpoint) };
        // Not configured from here: the daemon was restarted, and what the device has is newer.
        let configured = self.0.get(&wanted.public_key).copied()?;
        (configured != endpoint && actual != endpoint).then_some(endpoint)
    }
}

/// The changes that lead from `current` to `wanted`.
pub(super) fn between(current: &[PeerStatus], wanted: &[Peer], endpoints: &Endpoints) -> Changes {
    let wanted = without_repetition(wanted);
    let current: BTreeMap<_, _> = current.iter().map(|peer| (peer.public_key, peer)).collect();
    let owners: BTreeMap<IpNet, PublicKey> = wanted
        .iter()
        .flat_map(|(key, (_, networks))| networks.iter().map(move |network| (*network, *key)))
        .collect();

    let mut changes = Changes::default();
    for (key, (peer, networks)) in &wanted {
        let status = current.get(key).copied();
        let has: BTreeSet<IpNet> = status.iter().flat_map(|status| &status.allowed_ips).copied().collect();
        let added: BTreeSet<IpNet> = networks.difference(&has).copied().collect();
        // What another peer gets is taken away by that.
        let left_over = has.difference(networks).any(|network| !owners.contains_key(network));
        let keepalive = peer.keepalive.filter(|seconds| *seconds > 0);
        let change = PeerChange {
            public_key: *key,
            new: status.is_none(),
            endpoint: endpoints.change(peer, status),
            keepalive: match status.and_then(|status| status.keepalive) == keepalive {
                true => None,
                false => Some(keepalive.unwrap_or(0)),
            },
            allowed_ips: match left_over {
                true => AllowedIps::Replace(networks.clone()),
                false => AllowedIps::Add(added),
            },
        };
        let nothing = AllowedIps::Add(BTreeSet::new());
        if change.new
            || change.endpoint.is_some()
            || change.keepalive.is_some()
            || change.allowed_ips != nothing
        {
            changes.set.push(change);
        }
    }
    // First those who only get, then those who lose: a moved network is never without an owner.
    changes.set.sort_by_key(|change| matches!(change.allowed_ips, AllowedIps::Replace(_)));
    changes.removed = current.keys().filter(|key| !wanted.contains_key(*key)).copied().collect();
    changes
}

/// Each peer once and each network at one peer; the last mention counts. Host bits count for nothing.
fn without_repetition(wanted: &[Peer]) -> BTreeMap<PublicKey, (&Peer, BTreeSet<IpNet>)> {
    let peers: BTreeMap<PublicKey, &Peer> = wanted.iter().map(|peer| (peer.public_key, peer)).collect();
    let mut owners = BTreeMap::new();
    for peer in peers.values() {
        owners.extend(peer.allowed_ips.iter().map(|network| (network.trunc(), peer.public_key)));
    }
    // In the order given, so that the last one gets it.
    for peer in wanted {
        if std::ptr::eq(peers[&peer.public_key], peer) {
            owners.extend(peer.allowed_ips.iter().map(|network| (network.trunc(), peer.public_key)));
        }
    }
    let mut result: BTreeMap<_, _> =
        peers.into_iter().map(|(key, peer)| (key, (peer, BTreeSet::new()))).collect();
    for (network, owner) in owners {
        if let Some((_, networks)) = result.get_mut(&owner) {
            networks.insert(network);
        }
    }
    result
}

#[cfg(test)]
mod tests;
