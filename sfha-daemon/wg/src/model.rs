//! The peers of the device as plain data, and what a `set=1` makes of them.
//!
//! The one rule to keep: **a network belongs to one peer**. The device keeps a table for routing and, for each
//! peer, a list of its own; a list that still names a network given to somebody else would take it back at the
//! next change of that peer. So the change is worked out here, on all peers, and the device is then told about
//! every peer that differs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ipnet::IpNet;

use crate::uapi::{AllowedIpChange, KeyChange, PeerChange, PublicKey, Secret, Set};

/// The configuration of one peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Mixed into the handshake.
    pub preshared_key: Option<Secret>,
    /// Where to send to.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives.
    pub keepalive: Option<u16>,
    /// The networks routed to it; no other peer has any of them.
    pub allowed_ips: BTreeSet<IpNet>,
}

/// All peers by public key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers(pub BTreeMap<PublicKey, Peer>);

/// What turns one set of peers into another.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Peers that are no more.
    pub removed: Vec<PublicKey>,
    /// New peers.
    pub added: Vec<(PublicKey, Peer)>,
    /// Peers that differ, as they are to be.
    pub changed: Vec<(PublicKey, Peer)>,
}

impl Peers {
    /// Applies the peers of a request. `own` is the device's own public key after the request: a device is never
    /// its own peer, as in the kernel.
    ///
    /// A peer that `replace_peers` finds again is reset, not recreated, so that its session survives.
    pub fn apply(&mut self, set: &Set, own: Option<PublicKey>) {
        if set.replace_peers {
            let named: BTreeSet<PublicKey> = set.peers.iter().map(|change| change.public_key).collect();
            self.0.retain(|key, _| named.contains(key));
            self.0.values_mut().for_each(|peer| *peer = Peer::default());
        }
        for change in &set.peers {
            self.apply_one(change);
        }
        if let Some(own) = own {
            self.0.remove(&own);
        }
    }

    fn apply_one(&mut self, change: &PeerChange) {
        if change.remove {
            self.0.remove(&change.public_key);
            return;
        }
        if change.update_only && !self.0.contains_key(&change.public_key) {
            return;
        }
        let peer = self.0.entry(change.public_key).or_default();
        match &change.preshared_key {
            Some(KeyChange::Set(key)) => peer.preshared_key = Some(key.clone()),
            Some(KeyChange::Remove) => peer.preshared_key = None,
            None => {}
        }
        peer.endpoint = change.endpoint.or(peer.endpoint);
        peer.keepalive = change.keepalive.or(peer.keepalive).filter(|seconds| *seconds > 0);
        if change.replace_allowed_ips {
            peer.allowed_ips.clear();
        }
        for allowed_ip in &change.allowed_ips {
            match allowed_ip {
                AllowedIpChange::Add(network) => self.route(*network, change.public_key),
                AllowedIpChange::Remove(network) => {
                    self.0.entry(change.public_key).or_default().allowed_ips.remove(network);
                }
            }
        }
    }

    fn route(&mut self, network: IpNet, to: PublicKey) {
        for (key, peer) in &mut self.0 {
            if *key == to {
                peer.allowed_ips.insert(network);
            } else {
                peer.allowed_ips.remove(&network);
            }
        }
    }

    /// What has to change to get from `self` to `next`.
    pub fn difference(&self, next: &Self) -> Difference {
        let mut difference = Difference {
            removed: self.0.keys().filter(|key| !next.0.contains_key(*key)).copied().collect(),
            ..Difference::default()
        };
        for (key, peer) in &next.0 {
            match self.0.get(key) {
                None => difference.added.push((*key, peer.clone())),
                Some(before) if before != peer => difference.changed.push((*key, peer.clone())),
                Some(_) => {}
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests;
