//! How nodes come in: invites, and whom they let in.

use std::net::IpAddr;

use ipnet::IpNet;
use sfha_proto::{ErrorCode, Failure};

use super::{already, check_name, invalid, rfc3339};
use crate::fencing::FencingCommand;
use crate::state::{ClusterState, Invite, MAX_INVITES, MAX_NODES, Node, NodeId, Redeemed};

impl ClusterState {
    pub(super) fn add_invite(
        &mut self,
        id: &str,
        public_key: &str,
        ip: Option<IpAddr>,
        expires: i64,
        initiator: NodeId,
    ) -> Result<(), Failure> {
        let network = self.mesh.as_ref().map(|mesh| mesh.network);
        let open = self.invites.iter().filter(|(_, invite)| invite.redeemed.is_none());
        let open: Vec<&str> = open.map(|(id, _)| id.as_str()).collect();
        if self.invites.len() >= MAX_INVITES {
            return Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "token")
                .with("limit", MAX_INVITES));
        }
        if self.nodes.len() + open.len() >= MAX_NODES {
            let full = Failure::new(ErrorCode::TooManyNodes)
                .with("limit", MAX_NODES)
                .with("nodes", self.nodes.len());
            return Err(match open.len() {
                0 => full,
                count => full.with("open", count).with("invites", open.join(", ")),
            });
        }
        let taken = |kind: &str, name: &str, by: String| {
            Failure::new(ErrorCode::AlreadyExists).with("kind", kind).with("name", name).with("by", by)
        };
        if let Some(node) = self.node_of_key(public_key) {
            return Err(taken("key", id, node.name.clone()));
        }
        if self.invites.contains_key(id) {
            return Err(taken("token", id, id.to_owned()));
        }
        if let Some(ip) = ip {
            match network {
                Some(net) if !net.contains(&ip) || ip == net.network() || ip == net.broadcast() => {
                    return Err(invalid("ip", &ip.to_string(), "outside-network"));
                }
                Some(_) => {}
                None => self.check_lan_address("ip", ip)?,
            }
            if let Some(by) = self.address_user(ip) {
                return Err(taken("address", &ip.to_string(), by));
            }
        }
        let none_left =
            |network: IpNet| Failure::new(ErrorCode::NoAddressLeft).with("network", network.to_string());
        let ip = match network.filter(|_| ip.is_none()) {
            Some(network) => Some(self.free_address().ok_or_else(|| none_left(network))?),
            None => ip,
        };
        let invite = Invite {
            public_key: public_key.to_owned(),
            ip,
            expires,
            initiator,
            redeemed: None,
            closed: false,
        };
        self.invites.insert(id.to_owned(), invite);
        Ok(())
    }

    /// Idempotent for the same invite and the same key: a join that was interrupted is repeated.
    pub(super) fn add_node(
        &mut self,
        invite_id: &str,
        name: &str,
        public_key: &str,
        endpoint: Option<&str>,
        lan_address: Option<IpAddr>,
        now: i64,
    ) -> Result<(), Failure> {
        let Some(invite) = self.invites.get(invite_id).cloned() else {
            return Err(ErrorCode::TokenUnknown.into());
        };
        if let Some(redeemed) = &invite.redeemed {
            if redeemed.public_key != public_key {
                return Err(Failure::new(ErrorCode::TokenUsed).with("node", self.node_name(redeemed.node)));
            }
            return Err(already("member"));
        }
        if invite.expires <= now {
            return Err(Failure::new(ErrorCode::TokenExpired).with("expired", rfc3339(invite.expires)));
        }
        check_name("name", name)?;
        if let Some((_, node)) = self.nodes.iter().find(|(_, node)| node.name == name) {
            return Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "node")
                .with("name", name)
                .with("by", node.address.to_string()));
        }
        self.check_peer_name(name)?;
        self.check_key(name, public_key)?;
        if self.nodes.len() >= MAX_NODES {
            return Err(Failure::new(ErrorCode::TooManyNodes).with("limit", MAX_NODES));
        }
        let (address, lan_address) = match (&self.mesh, invite.ip) {
            (Some(_), Some(ip)) => (ip, self.lan_address_for(lan_address)?),
            (Some(_), None) => return Err(ErrorCode::TokenUnknown.into()),
            (None, reserved) => (self.ring_address_for(lan_address, reserved)?, None),
        };
        let id = self.next_node_id;
        let node = Node {
            public_key: Some(public_key.to_owned()),
            endpoint: endpoint.map(str::to_owned),
            lan_address,
            ..Node::new(name, address)
        };
        self.next_node_id += 1;
        self.nodes.insert(id, node);
        // Until it has been here it cannot have anything: it is not fenced for having never come.
        let _ = self.fencing.apply(&FencingCommand::Excuse { node: id });
        self.corosync.config_version += 1;
        if let Some(entry) = self.invites.get_mut(invite_id) {
            entry.redeemed = Some(Redeemed { node: id, public_key: public_key.to_owned() });
        }
        Ok(())
    }
}
