//! The cluster's replicated state: what every node keeps on disk.
//!
//! Changed only by [`ClusterState::apply`](crate::command), in the order in which CPG delivers
//! commands, so that it is the same on all members of a quorate group. Which of two states is newer is
//! told by [`ClusterState::age`]: a group that has quorum begins a new epoch after every change of its
//! membership, so that whatever a minority did meanwhile is older. Within an epoch it is the count of
//! commands that tells: no command is applied before the begin of its epoch is on most disks, so that
//! of two epochs of the same number, begun by groups that knew nothing of each other, at most one has
//! any.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fencing::{FencingSettings, FencingState};
use crate::qdevice::Qdevice;
use crate::resources::{Configured, Constraint, DEFAULT_PRIORITY, HealthCheck, Policy, Service};
use crate::rotation::Rotation;

/// Corosync's node id: 1 to 2³¹ − 1, never used a second time.
pub type NodeId = u32;

/// Version of the form of the state's file.
pub const STATE_FORMAT: u32 = 1;

/// Most nodes a cluster can have.
pub const MAX_NODES: usize = 16;

/// Most VIPs a cluster can have.
pub const MAX_VIPS: usize = 256;

/// Most invites that live at once.
pub const MAX_INVITES: usize = 64;

/// Most peers that are not nodes.
pub const MAX_PEERS: usize = 256;

/// Which of two states is newer: the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Age {
    /// Epoch of the state.
    pub epoch: u64,
    /// Commands since the epoch began.
    pub commands: u64,
    /// Version of the state.
    pub version: u64,
}

/// Everything that is the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// [`STATE_FORMAT`].
    pub format: u32,
    /// Raised when a quorate group has agreed on its state.
    pub epoch: u64,
    /// Raised by every command.
    pub version: u64,
    /// Version at which the epoch began.
    #[serde(default)]
    pub begun: u64,
    /// Name of the cluster.
    pub cluster: String,
    /// The mesh; `None` for a cluster on the LAN.
    pub mesh: Option<MeshSettings>,
    /// How Corosync is set up.
    pub corosync: CorosyncSettings,
    /// Id of the next node that is taken in.
    pub next_node_id: NodeId,
    /// The nodes.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The VIPs, by name.
    pub vips: BTreeMap<String, Vip>,
    /// Invites that have not expired, by id.
    pub invites: BTreeMap<String, Invite>,
    /// Hands off.
    pub maintenance: bool,
    /// Seconds since 1970 at which that ends by itself.
    #[serde(default)]
    pub maintenance_until: Option<i64>,
    /// WireGuard peers that are not nodes, by name.
    #[serde(default)]
    pub peers: BTreeMap<String, ExtraPeer>,
    /// A node that is away for longer than these seconds is removed; `None`: never.
    #[serde(default)]
    pub auto_remove_after_s: Option<u64>,
    /// Since when nodes are away, in seconds since 1970; kept only while removal is automatic.
    #[serde(default)]
    pub away: BTreeMap<NodeId, i64>,
    /// Nodes that were removed and of which Corosync has not been told.
    #[serde(default)]
    pub removing: BTreeSet<NodeId>,
    /// How resources are placed.
    #[serde(default)]
    pub policy: Policy,
    /// The services, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// The health checks, by name.
    #[serde(default)]
    pub checks: BTreeMap<String, HealthCheck>,
    /// What ties resources together.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// Raised by every change of what an operator configures: VIPs and the fields above.
    #[serde(default)]
    pub revision: u64,
    /// How fencing is set up; no secrets.
    #[serde(default, skip_serializing_if = "FencingSettings::is_default")]
    pub stonith: FencingSettings,
    /// How far fencings are.
    #[serde(default, skip_serializing_if = "FencingState::is_default")]
    pub fencing: FencingState,
}

/// A WireGuard peer that is not a node: an administrator's laptop, a monitoring host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraPeer {
    /// Its address in the mesh.
    pub address: IpAddr,
    /// Its public key, base64.
    pub public_key: String,
    /// Where it can be reached, `HOST:PORT`; `None` when it only calls.
    pub endpoint: Option<String>,
}

/// The mesh, as far as it is common to all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshSettings {
    /// The network that addresses are given out of.
    pub network: IpNet,
    /// UDP port of nodes that say nothing else.
    pub port: u16,
    /// MTU of `wg-sfha`, in bytes.
    pub mtu: u32,
    /// Corosync's links, by number.
    #[serde(default = "crate::links::mesh_only")]
    pub links: Vec<crate::links::Link>,
}

/// How Corosync is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorosyncSettings {
    /// `fast`, `lan` or `wan`.
    pub profile: String,
    /// `config_version` of `corosync.conf`: raised by every change of its node list, and of the device.
    pub config_version: u64,
    /// A vote from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdevice: Option<Qdevice>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address on Corosync's ring.
    pub address: IpAddr,
    /// Its WireGuard public key, base64; without a mesh the key that it shows when it asks another node for
    /// something.
    pub public_key: Option<String>,
    /// Where it can be reached, `HOST:PORT`; `None` when it only calls others.
    pub endpoint: Option<String>,
    /// Takes nothing on.
    pub standby: bool,
    /// Its other keys, while its key is changed.
    #[serde(default, skip_serializing_if = "Rotation::is_none")]
    pub rotation: Rotation,
    /// Its address on Corosync's link on the LAN, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lan_address: Option<IpAddr>,
    /// The greater one is preferred.
    #[serde(default = "crate::state::default_priority")]
    pub priority: u32,
}

impl Node {
    /// A node as any other: without a key, at no endpoint, and with [`DEFAULT_PRIORITY`].
    pub fn new(name: impl Into<String>, address: IpAddr) -> Self {
        Self {
            name: name.into(),
            address,
            public_key: None,
            endpoint: None,
            standby: false,
            rotation: Rotation::default(),
            lan_address: None,
            priority: DEFAULT_PRIORITY,
        }
    }
}

/// As [`DEFAULT_PRIORITY`], for files from before there was a priority.
#[must_use]
pub fn default_priority() -> u32 {
    DEFAULT_PRIORITY
}

/// One VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// Address, with the prefix length of the network it belongs to.
    pub address: IpNet,
    /// Interface; `None`: the one whose network holds the address.
    pub interface: Option<String>,
    /// Names of nodes, the best first; the rest follow by priority and id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<String>,
}

/// A token that somebody may join with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Public half of the one-time key in the token, base64.
    pub public_key: String,
    /// Address reserved for the joiner; `None` on a LAN, where it has one already.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Seconds since 1970 at which it ends.
    pub expires: i64,
    /// The node that accepts the invite key.
    pub initiator: NodeId,
    /// Who used it.
    pub redeemed: Option<Redeemed>,
    /// The node it let in has become a member: the invite key is no longer accepted.
    pub closed: bool,
}

/// Who used an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// Id given to the node.
    pub node: NodeId,
    /// The node's own public key, base64.
    pub public_key: String,
}

impl ClusterState {
    /// A cluster of one node, whose id is 1.
    #[must_use]
    pub fn new(cluster: &str, profile: &str, mesh: Option<MeshSettings>, first: Node) -> Self {
        Self {
            format: STATE_FORMAT,
            epoch: 0,
            version: 1,
            begun: 1,
            cluster: cluster.to_owned(),
            mesh,
            corosync: CorosyncSettings { profile: profile.to_owned(), config_version: 1, qdevice: None },
            next_node_id: 2,
            nodes: BTreeMap::from([(1, first)]),
            vips: BTreeMap::new(),
            invites: BTreeMap::new(),
            maintenance: false,
            maintenance_until: None,
            peers: BTreeMap::new(),
            auto_remove_after_s: None,
            away: BTreeMap::new(),
            removing: BTreeSet::new(),
            policy: Policy::default(),
            services: BTreeMap::new(),
            checks: BTreeMap::new(),
            constraints: Vec::new(),
            revision: 0,
            stonith: FencingSettings::off(),
            fencing: FencingState::default(),
        }
    }

    /// What an operator configures, as it is now.
    #[must_use]
    pub fn configured(&self) -> Configured {
        Configured {
            policy: self.policy.clone(),
            vips: self.vips.clone(),
            services: self.services.clone(),
            checks: self.checks.clone(),
            constraints: self.constraints.clone(),
            stonith: self.stonith.clone(),
            qdevice: self.corosync.qdevice.clone(),
        }
    }

    /// Which of two states is newer: the greater one.
    #[must_use]
    pub fn age(&self) -> Age {
        Age { epoch: self.epoch, commands: self.version.saturating_sub(self.begun), version: self.version }
    }

    /// First 16 hexadecimal digits of the SHA-256 of the state's JSON.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The id of the node of that name.
    #[must_use]
    pub fn node_id(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(_, node)| node.name == name).map(|(id, _)| *id)
    }

    /// The name of a node; its id in digits when it is not known.
    #[must_use]
    pub fn node_name(&self, id: NodeId) -> String {
        self.nodes.get(&id).map_or_else(|| id.to_string(), |node| node.name.clone())
    }

    /// The lowest address of the mesh network that nothing has.
    #[must_use]
    pub fn free_address(&self) -> Option<IpAddr> {
        let mesh = self.mesh.as_ref()?;
        // A /64 has more addresses than anyone can count: those in use are few.
        let taken = MAX_NODES + MAX_INVITES + MAX_VIPS + MAX_PEERS;
        // In IPv6 the first address is every router's (RFC 4291, § 2.6.1).
        let usable = mesh.network.hosts().filter(|ip| *ip != mesh.network.network());
        usable.take(taken + 1).find(|ip| self.address_user(*ip).is_none())
    }

    /// What has that address: a node's, VIP's or peer's name, or the id of an invite.
    #[must_use]
    pub fn address_user(&self, ip: IpAddr) -> Option<String> {
        let has = |node: &&Node| node.address == ip || node.lan_address == Some(ip);
        let node = self.nodes.values().find(has).map(|node| node.name.clone());
        let vip = self.vips.iter().find(|(_, vip)| vip.address.addr() == ip).map(|(name, _)| name.clone());
        let peer = self.peers.iter().find(|(_, peer)| peer.address == ip).map(|(name, _)| name.clone());
        node.or(vip).or(peer).or_else(|| {
            self.invites
                .iter()
                .find(|(_, invite)| invite.ip == Some(ip) && !invite.closed)
                .map(|(id, _)| id.clone())
        })
    }
}
