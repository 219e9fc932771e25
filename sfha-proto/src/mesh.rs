//! The mesh as one node sees it: the document of `sfha mesh status --json`, and invites.

use serde::{Deserialize, Serialize};

use crate::message::RotateStep;

/// `sfha mesh status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshStatus {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the interface.
    pub interface: String,
    /// Address of this node with the network's prefix length.
    pub address: String,
    /// UDP port it listens on.
    pub port: u16,
    /// This node's public key, base64.
    pub public_key: String,
    /// Where WireGuard runs.
    pub backend: Backend,
    /// MTU of the interface, in bytes.
    pub mtu: u32,
    /// Every other node, by name.
    pub peers: Vec<PeerStatus>,
    /// The interface is up.
    #[serde(default)]
    pub up: bool,
    /// Corosync's links, by number, where there is more than one.
    #[serde(default)]
    pub links: Vec<LinkStatus>,
    /// Seconds after which a node that is away is removed; `null`: never.
    #[serde(default)]
    pub auto_remove_after_s: Option<u64>,
    /// Nodes whose key is being changed, this one included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotating: Vec<Rotating>,
    /// What the other nodes say about their own paths, as far as it is known here; the paths of the node
    /// that answers are in `peers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairStatus>,
}

/// What one node says about its path to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairStatus {
    /// Name of the node that says it.
    pub from: String,
    /// Name of the node that it is about.
    pub to: String,
    /// `direct`, or the name of the node that relays.
    pub path: String,
    /// Round-trip time, in milliseconds; `null` while it gets no answer.
    pub rtt_ms: Option<f64>,
}

/// One of Corosync's links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// `mesh` or `lan`.
    pub name: String,
    /// Its number in Corosync.
    pub number: u8,
    /// Nodes that it reaches.
    pub connected: u32,
    /// Nodes that are online, without the one that answers.
    pub peers: u32,
    /// Names of the nodes that are online and that it does not reach.
    pub down: Vec<String>,
}

/// A node whose key is being changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotating {
    /// Its name.
    pub node: String,
    /// The step that comes next.
    pub next: RotateStep,
}

/// Where WireGuard runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// In the kernel.
    Kernel,
    /// In the process `sfha-wg`.
    Userspace,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Name of the node.
    pub name: String,
    /// Its address in the mesh.
    pub ip: String,
    /// Its public key, base64.
    pub public_key: String,
    /// Where its packets go, `address:port`; `null` when not known.
    pub endpoint: Option<String>,
    /// Whether it answers.
    pub state: PeerState,
    /// `direct`, or the name of the node that relays.
    pub path: String,
    /// Time of the last handshake, RFC 3339; `null` when there was none.
    pub latest_handshake: Option<String>,
    /// Bytes received since the interface came up.
    pub rx_bytes: u64,
    /// Bytes sent since the interface came up.
    pub tx_bytes: u64,
    /// Round-trip time inside the tunnel, in milliseconds; `null` when not measured.
    pub rtt_ms: Option<f64>,
    /// Share of the last sixty probes that got no answer, from 0 to 1; `null` before the first one.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Why there is no direct path; `null` where there is one.
    #[serde(default)]
    pub endpoint_problem: Option<EndpointProblem>,
    /// Persistent keepalive, in seconds; `null` when off.
    pub keepalive: Option<u16>,
    /// It is a node of the cluster; `false` for a peer that was added with `sfha mesh add-peer`.
    #[serde(default = "yes")]
    pub member: bool,
}

fn yes() -> bool {
    true
}

/// Why a peer cannot be reached directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointProblem {
    /// The name of its endpoint does not resolve.
    Unresolved,
    /// No endpoint that is known of it answers.
    Unreachable,
    /// No endpoint is known of it: it has to call first.
    Unknown,
}

/// Whether a peer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerState {
    /// Its path answers probes.
    Connected,
    /// It answered, or had a handshake, once.
    Stale,
    /// It never did.
    Never,
}

/// A token that was made: `sfha mesh token --json`, and part of `sfha init --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenMade {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The token itself, `sfha-join://…`. A secret: whoever has it can join until it expires.
    pub token: String,
    /// Its id, for `sfha mesh revoke`.
    pub id: String,
    /// Address reserved for the node that uses it; `null` on a LAN, where it comes with its own.
    pub ip: Option<String>,
    /// When it expires, RFC 3339.
    pub expires: String,
}

/// One token in `sfha mesh tokens --json`. The token itself cannot be shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenListed {
    /// Its id.
    pub id: String,
    /// Address reserved; `null` where none is.
    pub ip: Option<String>,
    /// When it expires, RFC 3339.
    pub expires: String,
    /// Node that made it, and that a joiner will speak to.
    pub initiator: String,
    /// `open`, `redeemed` or `expired`.
    pub state: String,
    /// The node that used it.
    pub node: Option<String>,
}

/// `sfha join --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of this node.
    pub node: String,
    /// Its id.
    pub id: u32,
    /// Its address in the mesh.
    pub ip: String,
    /// Time from the command to quorate membership, in milliseconds.
    pub elapsed_ms: u64,
}
