//! Commands: the only way in which the replicated state changes.
//!
//! [`ClusterState::apply`] is pure and is run by every member at the same point of the same order; a
//! command that is refused changes nothing, on any member.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use crate::fencing::FencingCommand;
use crate::resources::{Configured, Service};
use crate::state::{ClusterState, Invite, MAX_VIPS, Node, NodeId, Vip};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Command {
    /// A quorate group agreed on its state: what others do without quorum is older from now on.
    BeginEpoch {
        /// The epoch that ends: a second command for the same one is refused.
        after: u64,
    },
    /// Makes an invite and reserves its address.
    AddInvite {
        /// Id of the invite.
        id: String,
        /// Public half of its one-time key, base64.
        public_key: String,
        /// Address; if absent the next free one of the mesh, or, on a LAN, whatever the joiner has.
        ip: Option<IpAddr>,
        /// Seconds since 1970 at which it ends.
        expires: i64,
        /// The node that accepts its key.
        initiator: NodeId,
    },
    /// Ends an invite that nobody used.
    RevokeInvite {
        /// Id of the invite.
        id: String,
    },
    /// Forgets the invites that ended before `now`.
    ExpireInvites {
        /// Seconds since 1970.
        now: i64,
    },
    /// Takes a node in, with an invite.
    AddNode {
        /// Id of the invite.
        invite: String,
        /// Name of the node.
        name: String,
        /// Its own public key, base64.
        public_key: String,
        /// Where it can be reached.
        endpoint: Option<String>,
        /// Its address on the LAN.
        #[serde(default)]
        lan_address: Option<IpAddr>,
        /// Seconds since 1970.
        now: i64,
    },
    /// The node that an invite let in is a member: the invite key dies.
    CloseInvite {
        /// Id of the invite.
        id: String,
    },
    /// A node is reached elsewhere.
    SetEndpoint {
        /// Id of the node.
        node: NodeId,
        /// `HOST:PORT`.
        endpoint: Option<String>,
    },
    /// Adds a VIP.
    AddVip {
        /// Its name.
        name: String,
        /// Its address.
        address: IpNet,
        /// Its interface.
        interface: Option<String>,
    },
    /// Removes a VIP.
    RemoveVip {
        /// Its name.
        name: String,
    },
    /// Replaces everything that an operator configures.
    Configure {
        /// The revision that it replaces: refused when somebody was faster.
        revision: u64,
        /// What is configured from now on.
        configured: Box<Configured>,
    },
    /// Adds a service.
    AddService {
        /// Its name.
        name: String,
        /// What it is.
        service: Box<Service>,
    },
    /// Removes a service.
    RemoveService {
        /// Its name.
        name: String,
    },
    /// Sets which nodes are preferred.
    SetPriority {
        /// Id of the node.
        node: NodeId,
        /// The greater one is preferred.
        priority: u32,
    },
    /// Sets whether a node takes anything on.
    SetStandby {
        /// Id of the node.
        node: NodeId,
        /// What it is from now on.
        standby: bool,
    },
    /// A node has made itself another key; the others get to know it.
    PrepareKey {
        /// Id of the node.
        node: NodeId,
        /// The key, base64.
        public_key: String,
    },
    /// Every node has the prepared key on disk.
    ConfirmKey {
        /// Id of the node.
        node: NodeId,
        /// The key, base64.
        public_key: String,
    },
    /// The node changes to its prepared key.
    CommitKey {
        /// Id of the node.
        node: NodeId,
        /// The prepared key, base64.
        public_key: String,
    },
    /// The key that the node had before is forgotten.
    CleanupKey {
        /// Id of the node.
        node: NodeId,
        /// The old key, base64.
        public_key: String,
    },
    /// Sets whether the cluster keeps its hands off.
    SetMaintenance {
        /// What it is from now on.
        on: bool,
        /// Seconds since 1970 at which it ends by itself.
        #[serde(default)]
        until: Option<i64>,
    },
    /// Maintenance is over by itself.
    EndMaintenance {
        /// The end that has come: refused when it was set anew meanwhile.
        until: i64,
    },
    /// Takes a node out, for good: its id is never used again, its name and address may be.
    RemoveNode {
        /// Id of the node.
        node: NodeId,
    },
    /// Corosync was told of all that were taken out.
    RemovalTold,
    /// Adds a WireGuard peer that is not a node.
    AddPeer {
        /// Its name.
        name: String,
        /// Its address in the mesh.
        address: IpAddr,
        /// Its public key, base64.
        public_key: String,
        /// Where it can be reached.
        endpoint: Option<String>,
    },
    /// Removes such a peer.
    RemovePeer {
        /// Its name.
        name: String,
    },
    /// Sets after how long a node that is away is removed.
    SetAutoRemove {
        /// Seconds; `None`: never.
        after_s: Option<u64>,
    },
    /// A node is away, or is back.
    MarkAway {
        /// Id of the node.
        node: NodeId,
        /// Seconds since 1970; `None`: it is back.
        since: Option<i64>,
    },
    /// A fencing goes on.
    Fencing {
        /// How.
        command: Box<FencingCommand>,
    },
}

impl ClusterState {
    /// Applies one command.
    ///
    /// # Errors
    /// Says why the command is refused; the state is then as it was.
    pub fn apply(&mut self, command: &Command) -> Result<(), Failure> {
        match command {
            Command::BeginEpoch { after } => {
                if *after != self.epoch {
                    return Err(already("epoch"));
                }
                self.epoch += 1;
                self.begun = self.version + 1;
            }
            Command::AddInvite { id, public_key, ip, expires, initiator } => {
                self.add_invite(id, public_key, *ip, *expires, *initiator)?;
            }
            Command::RevokeInvite { id } => match self.invites.get(id) {
                None => return Err(not_found("token", id)),
                Some(Invite { redeemed: Some(redeemed), .. }) => {
                    let node = self.node_name(redeemed.node);
                    return Err(Failure::new(ErrorCode::TokenUsed).with("node", node));
                }
                Some(_) => {
                    self.invites.remove(id);
                }
            },
            Command::ExpireInvites { now } => {
                let before = self.invites.len();
                self.invites.retain(|_, invite| invite.expires > *now);
                if self.invites.len() == before {
                    return Err(already("expired"));
                }
            }
            Command::AddNode { invite, name, public_key, endpoint, lan_address, now } => {
                self.add_node(invite, name, public_key, endpoint.as_deref(), *lan_address, *now)?;
            }
            Command::CloseInvite { id } => match self.invites.get_mut(id) {
                None => return Err(not_found("token", id)),
                Some(invite) if invite.closed || invite.redeemed.is_none() => return Err(already("closed")),
                Some(invite) => invite.closed = true,
            },
            Command::SetEndpoint { node, endpoint } => {
                let entry = self.node_mut(*node)?;
                if entry.endpoint == *endpoint {
                    return Err(already("endpoint"));
                }
                entry.endpoint.clone_from(endpoint);
            }
            Command::AddVip { name, address, interface } => {
                self.add_vip(name, *address, interface.as_deref())?;
                self.revision += 1;
            }
            Command::RemoveVip { name } => {
                self.vips.remove(name).ok_or_else(|| not_found("vip", name))?;
                self.forget_constraints(name);
                self.revision += 1;
            }
            Command::Configure { revision, configured } => self.configure(*revision, configured)?,
            Command::AddService { name, service } => {
                self.add_service(name, service)?;
                self.revision += 1;
            }
            Command::RemoveService { name } => {
                self.remove_service(name)?;
                self.revision += 1;
            }
            Command::SetPriority { node, priority } => {
                let entry = self.node_mut(*node)?;
                if entry.priority == *priority {
                    return Err(already("priority"));
                }
                entry.priority = *priority;
            }
            Command::SetStandby { node, standby } => {
                let entry = self.node_mut(*node)?;
                if entry.standby == *standby {
                    return Err(already("standby"));
                }
                entry.standby = *standby;
            }
            Command::PrepareKey { .. }
            | Command::ConfirmKey { .. }
            | Command::CommitKey { .. }
            | Command::CleanupKey { .. } => self.rotate(command)?,
            Command::SetMaintenance { on, until } => {
                let until = until.filter(|_| *on);
                if (self.maintenance, self.maintenance_until) == (*on, until) {
                    return Err(already("maintenance"));
                }
                (self.maintenance, self.maintenance_until) = (*on, until);
            }
            Command::EndMaintenance { until } => {
                if self.maintenance_until != Some(*until) {
                    return Err(already("maintenance"));
                }
                (self.maintenance, self.maintenance_until) = (false, None);
            }
            Command::RemoveNode { node } => self.remove_node(*node)?,
            Command::RemovalTold if self.removing.is_empty() => return Err(already("told")),
            Command::RemovalTold => self.removing.clear(),
            Command::AddPeer { name, address, public_key, endpoint } => {
                self.add_peer(name, *address, public_key, endpoint.as_deref())?;
            }
            Command::RemovePeer { name } => {
                self.peers.remove(name).ok_or_else(|| not_found("peer", name))?;
            }
            Command::SetAutoRemove { after_s } => self.set_auto_remove(*after_s)?,
            Command::MarkAway { node, since } => self.mark_away(*node, *since)?,
            Command::Fencing { command } => {
                if !self.nodes.contains_key(&command.node()) {
                    return Err(not_found("node", &command.node().to_string()));
                }
                self.fencing.apply(command)?;
            }
        }
        self.version += 1;
        Ok(())
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, Failure> {
        self.nodes.get_mut(&id).ok_or_else(|| not_found("node", &id.to_string()))
    }

    fn add_vip(&mut self, name: &str, address: IpNet, interface: Option<&str>) -> Result<(), Failure> {
        check_name("name", name)?;
        if let Some(interface) = interface {
            check_interface(interface)?;
        }
        let ip = address.addr();
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
            return Err(invalid("address", &address.to_string(), "not-a-host-address"));
        }
        if let IpNet::V4(net) = address
            && net.prefix_len() < 31
            && (net.addr() == net.network() || net.addr() == net.broadcast())
        {
            return Err(invalid("address", &address.to_string(), "network-address"));
        }
        let taken = |by: &str, what: &str| {
            Failure::new(ErrorCode::AlreadyExists).with("kind", what).with("name", name).with("by", by)
        };
        if self.vips.contains_key(name) {
            return Err(taken(name, "vip"));
        }
        if let Some((other, _)) = self.vips.iter().find(|(_, vip)| vip.address.addr() == ip) {
            return Err(taken(other, "address"));
        }
        if let Some(by) = self.address_user(ip) {
            return Err(taken(&by, "address"));
        }
        let interface = crate::mesh_vips::interface_of(self, address, interface)?;
        if self.vips.len() >= MAX_VIPS {
            return Err(invalid("name", name, "too-many"));
        }
        self.vips.insert(name.to_owned(), Vip { address, interface, prefer: Vec::new() });
        Ok(())
    }
}

/// Checks a name of a cluster, node or VIP: letters, digits, `-`, `_`, `.`; at most 63 bytes; it
/// starts with a letter or digit (so that it can stand in `corosync.conf`, a file name and a label).
///
/// # Errors
/// `invalid-parameter`, with the parameter's name.
pub fn check_name(parameter: &str, name: &str) -> Result<(), Failure> {
    let fits = (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits { Ok(()) } else { Err(invalid(parameter, name, "name")) }
}

/// Checks the name of a network interface (`IFNAMSIZ`: at most 15 bytes; netdevice(7)).
///
/// # Errors
/// `invalid-parameter`.
pub fn check_interface(name: &str) -> Result<(), Failure> {
    let fits = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && name.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ':');
    if fits { Ok(()) } else { Err(invalid("interface", name, "interface")) }
}

/// A wrong parameter.
#[must_use]
pub fn invalid(parameter: &str, value: &str, reason: &str) -> Failure {
    Failure::new(ErrorCode::InvalidParameter)
        .with("parameter", parameter)
        .with("value", value)
        .with("reason", reason)
}

/// Seconds since 1970 as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

pub(crate) fn already(what: &str) -> Failure {
    Failure::new(ErrorCode::AlreadySo).with("what", what)
}

pub(crate) fn not_found(kind: &str, name: &str) -> Failure {
    Failure::new(ErrorCode::NotFound).with("kind", kind).with("name", name)
}

mod admission;
mod configure;
mod members;
mod validate;

#[cfg(test)]
mod tests;
