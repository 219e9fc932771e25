//! Nodes that go, and peers that never were nodes.

use std::net::IpAddr;

use sfha_proto::{ErrorCode, Failure};

use super::{already, check_name, invalid, not_found};
use crate::fencing::FencingCommand;
use crate::state::{ClusterState, ExtraPeer, MAX_PEERS, NodeId};

/// Shortest time after which a node that is away may be removed by itself, in seconds: none that a
/// reboot takes.
pub const MIN_AUTO_REMOVE_S: u64 = 60;

impl ClusterState {
    /// Whether the rest can do without the node is for those who see it to say; here, only that there is
    /// a rest.
    pub(super) fn remove_node(&mut self, id: NodeId) -> Result<(), Failure> {
        let Some(node) = self.nodes.get(&id) else {
            return Err(not_found("node", &id.to_string()));
        };
        if self.nodes.len() == 1 {
            return Err(Failure::new(ErrorCode::LastNode).with("name", node.name.clone()));
        }
        if !self.removing.is_empty() {
            return Err(ErrorCode::Synchronising.into());
        }
        self.nodes.remove(&id);
        self.removing.insert(id);
        self.away.remove(&id);
        // Never refused.
        let _ = self.fencing.apply(&FencingCommand::Forget { node: id });
        self.invites.retain(|_, invite| match &invite.redeemed {
            Some(redeemed) => redeemed.node != id,
            // Nobody else accepts its key.
            None => invite.initiator != id,
        });
        self.corosync.config_version += 1;
        Ok(())
    }

    pub(super) fn add_peer(
        &mut self,
        name: &str,
        address: IpAddr,
        public_key: &str,
        endpoint: Option<&str>,
    ) -> Result<(), Failure> {
        let Some(mesh) = &self.mesh else {
            return Err(not_found("mesh", &self.cluster));
        };
        check_name("name", name)?;
        let network = mesh.network;
        if !network.contains(&address) || address == network.network() || address == network.broadcast() {
            return Err(invalid("ip", &address.to_string(), "outside-network"));
        }
        let taken = |kind: &str, by: String| {
            Failure::new(ErrorCode::AlreadyExists).with("kind", kind).with("name", name).with("by", by)
        };
        if let Some((_, node)) = self.nodes.iter().find(|(_, node)| node.name == name) {
            return Err(taken("node", node.address.to_string()));
        }
        self.check_peer_name(name)?;
        if let Some(by) = self.address_user(address) {
            return Err(taken("address", by).with("name", address.to_string()));
        }
        self.check_key(name, public_key)?;
        if self.peers.len() >= MAX_PEERS {
            return Err(invalid("name", name, "too-many"));
        }
        let peer =
            ExtraPeer { address, public_key: public_key.to_owned(), endpoint: endpoint.map(str::to_owned) };
        self.peers.insert(name.to_owned(), peer);
        Ok(())
    }

    /// No peer has that name.
    pub(super) fn check_peer_name(&self, name: &str) -> Result<(), Failure> {
        match self.peers.get(name) {
            None => Ok(()),
            Some(peer) => Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "peer")
                .with("name", name)
                .with("by", peer.address.to_string())),
        }
    }

    /// Nobody has that key: WireGuard tells peers apart by nothing else.
    pub(super) fn check_key(&self, name: &str, public_key: &str) -> Result<(), Failure> {
        match self.key_user(public_key) {
            None => Ok(()),
            Some(by) => Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "key")
                .with("name", name)
                .with("by", by)),
        }
    }

    pub(super) fn set_auto_remove(&mut self, after_s: Option<u64>) -> Result<(), Failure> {
        if let Some(after_s) = after_s.filter(|after_s| *after_s < MIN_AUTO_REMOVE_S) {
            return Err(invalid("after", &after_s.to_string(), "auto-remove"));
        }
        if self.auto_remove_after_s == after_s {
            return Err(already("auto-remove"));
        }
        self.auto_remove_after_s = after_s;
        if after_s.is_none() {
            self.away.clear();
        }
        Ok(())
    }

    pub(super) fn mark_away(&mut self, id: NodeId, since: Option<i64>) -> Result<(), Failure> {
        self.node_mut(id)?;
        if self.away.get(&id).copied() == since || (since.is_some() && self.auto_remove_after_s.is_none()) {
            return Err(already("away"));
        }
        match since {
            Some(since) => self.away.insert(id, since),
            None => self.away.remove(&id),
        };
        Ok(())
    }
}
