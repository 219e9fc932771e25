//! The cluster as one node sees it: the document of `sfha status --json` and of `subscribe`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::FileState;
use crate::fencing::FencingSummary;
use crate::mesh::{LinkStatus, MeshStatus};

/// `sfha status --json`. Fields of the contract come first; the rest is added to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the node that answers.
    pub node: String,
    /// Version of the daemon that answers.
    pub version: String,
    /// Hands off: nothing is moved, started or stopped.
    pub maintenance: bool,
    /// Votes, and whether they suffice.
    pub quorum: QuorumStatus,
    /// Name of the leader; `null` without quorum or while the members agree.
    pub leader: Option<String>,
    /// Every node of the cluster, by id.
    pub nodes: Vec<NodeStatus>,
    /// Every VIP, by name.
    pub vips: Vec<VipStatus>,
    /// Every managed service, by name.
    pub services: Vec<ServiceStatus>,
    /// Every health check, by name.
    pub health: Vec<HealthStatus>,
    /// The mesh in three numbers; `sfha mesh status` has the rest.
    pub mesh: MeshSummary,
    /// Fencing in short.
    pub fencing: FencingSummary,

    /// Seconds since 1970 at which maintenance ends by itself.
    #[serde(default)]
    pub maintenance_until: Option<i64>,
    /// State of the membership as this daemon sees it.
    #[serde(default)]
    pub phase: Phase,
    /// Corosync's profile and what it means.
    #[serde(default)]
    pub detection: Option<Detection>,
    /// Version and hash of the replicated state on this node.
    #[serde(default)]
    pub state: Option<StateVersion>,
    /// How this node's `config.yml` stood to the state when they were compared last; `null`: not known.
    #[serde(default)]
    pub config_file: Option<FileState>,
    /// Corosync's links, by number, where there is more than one.
    #[serde(default)]
    pub links: Vec<LinkStatus>,
    /// What ties VIPs and services together, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<ConstraintStatus>,
    /// What the daemon that answers takes of its machine; only in the `subscribe` stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Every peer of the mesh, as in `sfha mesh status`; only in the `subscribe` stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_detail: Option<MeshStatus>,
}

/// Where the daemon stands with the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// No cluster on this node yet.
    Unconfigured,
    /// Corosync cannot be reached.
    #[default]
    Disconnected,
    /// Members are comparing their state.
    Synchronising,
    /// In step with the group, but without quorum.
    Inquorate,
    /// In step with a quorate group.
    Operational,
    /// Shutting down: releasing what this node holds.
    Leaving,
}

/// Votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuorumStatus {
    /// Quorate, as votequorum says and the group's membership confirms.
    pub quorate: bool,
    /// Votes present; `null` when Corosync cannot be reached.
    pub votes: Option<u32>,
    /// Votes expected.
    pub expected: Option<u32>,
    /// Votes needed for quorum.
    pub needed: Option<u32>,
    /// The quorum device; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<QuorumDevice>,
}

/// A vote from outside the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumDevice {
    /// Its host.
    pub host: String,
    /// Whether it votes for the side of this node; `null`: it cannot be reached, or Corosync waits for it.
    pub votes: Option<bool>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its Corosync id, never reused.
    pub id: u32,
    /// In Corosync's membership.
    pub online: bool,
    /// Its daemon is in the group.
    pub daemon: bool,
    /// Takes nothing on.
    pub standby: bool,
    /// It is the leader.
    pub leader: bool,
    /// Its address on the ring.
    pub address: String,
    /// Version of its program; `null`: not known.
    #[serde(default)]
    pub program: Option<String>,
    /// Which state it has; `null`: not known.
    #[serde(default)]
    pub state: Option<StateVersion>,
}

/// One VIP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VipStatus {
    /// Its name.
    pub name: String,
    /// Address with the prefix length it was configured with.
    pub address: String,
    /// Interface that carries it on the holder; `null` when each node finds its own.
    pub interface: Option<String>,
    /// What is happening to it.
    pub state: VipState,
    /// The node that holds it now; `null` when none does.
    pub holder: Option<String>,
    /// The node it is moving to, while it moves.
    #[serde(default)]
    pub target: Option<String>,
    /// Code of the last failure to take it on, if it stands.
    #[serde(default)]
    pub problem: Option<String>,
    /// Ethernet address of somebody else on the network who has this address too.
    #[serde(default)]
    pub conflict_with: Option<String>,
    /// Names of the nodes that it prefers, the best first; the rest follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<String>,
}

/// What is happening to a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VipState {
    /// On an interface of its holder.
    Active,
    /// Its new holder is taking it.
    Acquiring,
    /// Its holder is giving it up.
    Releasing,
    /// Its last holder was lost; the next waits until it is certain to have let go.
    Waiting,
    /// Nobody may have it: no quorum, or no node that could.
    Stopped,
    /// Its holder cannot put it on an interface.
    Failed,
    /// Somebody else on the network has the address: it is not taken, or it is defended by its holder.
    Conflict,
    /// Not known from here.
    Unknown,
}

/// One managed service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Its systemd unit.
    pub unit: String,
    /// `active`, `stopped`, `starting`, `stopping`, `failed` or `unknown`.
    pub state: String,
    /// The node that runs it.
    pub holder: Option<String>,
    /// What its check says; `null` when it has none or it has not answered yet.
    pub healthy: Option<bool>,
    /// Failures counted.
    pub failures: u32,
    /// The node where it belongs, while it is not there.
    #[serde(default)]
    pub target: Option<String>,
    /// Code of what stands in its way, if anything does.
    #[serde(default)]
    pub problem: Option<String>,
    /// Nodes on which somebody else runs its unit.
    #[serde(default)]
    pub elsewhere: Vec<String>,
    /// Names of the nodes that it prefers, the best first; the rest follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<String>,
}

/// What ties two resources together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum ConstraintStatus {
    /// `resource` is only where `with` is.
    Colocation {
        /// The one that follows.
        resource: String,
        /// The one that leads.
        with: String,
    },
    /// `then` is taken on only once `first` is there, and given up before it.
    Order {
        /// Taken on first, given up last.
        first: String,
        /// Taken on last, given up first.
        then: String,
    },
    /// A constraint of a newer daemon.
    #[serde(other)]
    Other,
}

/// What a daemon takes of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Share of one core over the last seconds, from 0; `null` before it was measured.
    pub cpu: Option<f64>,
    /// Memory that is its own and in use, in bytes.
    pub memory_bytes: Option<u64>,
    /// Seconds since it was started.
    pub uptime_s: u64,
}

/// One health check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthStatus {
    /// Its name.
    pub name: String,
    /// `http`, `tcp`, `systemd` or `program`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `null` until it has answered.
    pub healthy: Option<bool>,
    /// The last error, if it stands.
    pub last_error: Option<String>,
    /// The service that it belongs to.
    #[serde(default)]
    pub service: Option<String>,
    /// What it says on each node that asks, by the node's name.
    #[serde(default)]
    pub nodes: BTreeMap<String, Option<bool>>,
}

/// The mesh in three numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshSummary {
    /// The cluster has a mesh.
    pub enabled: bool,
    /// Peers wanted.
    pub peers: u32,
    /// Peers whose path answers.
    pub connected: u32,
}

/// How fast Corosync notices a lost node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// `fast`, `lan` or `wan`.
    pub profile: String,
    /// Token time-out, in milliseconds.
    pub token_ms: u32,
    /// Consensus time-out, in milliseconds.
    pub consensus_ms: u32,
    /// Token + consensus: time from a power cut to the survivors' knowing, in milliseconds.
    pub detection_ms: u32,
    /// Time between knowing and taking over where fencing is off, in milliseconds.
    pub takeover_delay_ms: u32,
}

/// Which state a node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// Raised each time a quorate group has agreed on its state.
    pub epoch: u64,
    /// Raised by each command.
    pub version: u64,
    /// First 16 hexadecimal digits of its SHA-256.
    pub hash: String,
}
