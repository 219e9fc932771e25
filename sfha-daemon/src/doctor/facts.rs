//! What a node is found to be like. `None` and what is not in a list was not to be seen.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use sfha_proto::Failure;
use sfha_proto::fencing::FencingTest;
use sfha_proto::mesh::MeshStatus;
use sfha_proto::status::ClusterStatus;

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Version of this program.
    pub version: String,
    /// Whoever looks is root.
    pub root: bool,
    /// Name of this node, where it has a cluster.
    pub node: Option<String>,
    /// `config.yml` is there.
    pub configured: bool,
    /// Version of Corosync; `None` where it is not installed.
    pub corosync: Option<String>,
    /// Release of the kernel.
    pub kernel: String,
    /// It tags addresses.
    pub tags: bool,
    /// It has WireGuard.
    pub wireguard: bool,
    /// `/dev/net/tun` is there.
    pub tun: bool,
    /// Files of ours.
    pub files: Vec<OwnFile>,
    /// Faults in `config.yml`, warnings not counted.
    pub config_faults: Option<(PathBuf, usize)>,
    /// `corosync.conf`, if somebody else wrote it.
    pub foreign_corosync_conf: Option<PathBuf>,
    /// File systems we write to.
    pub disks: Vec<Disk>,
    /// Units, or why systemd does not answer.
    pub units: Result<Vec<Unit>, String>,
    /// What keeps foreign addresses, where networkd runs.
    pub networkd: Option<Option<PathBuf>>,
    /// The daemon's answers.
    pub daemon: Option<Daemon>,
    /// The socket it should answer on.
    pub socket: PathBuf,
    /// Ports that somebody listens on.
    pub ports: Option<Ports>,
    /// Chains that drop what comes in, and the whole rule set as text.
    pub firewall: Option<Firewall>,
    /// The mesh as this node's files tell it.
    pub mesh: Option<Mesh>,
    /// MTU of the path to each peer's endpoint.
    pub path_mtus: Vec<(String, u32)>,
    /// Addresses of this node.
    pub addresses: Vec<IpAddr>,
    /// The kernel's clock is kept by a daemon of time (adjtimex(2)).
    pub clock_kept: Option<bool>,
    /// Fencing, where it is on.
    pub fencing: Option<Fencing>,
    /// By how many seconds each other node's clock is ahead.
    pub skews: Vec<(String, i64)>,
}

/// What makes other nodes harmless, and this one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fencing {
    /// Nodes without a level.
    pub unguarded: Vec<String>,
    /// What each level of each other node says.
    pub tests: Vec<FencingTest>,
    /// What shows certificates, and in how many days they end.
    pub certificates: Vec<(String, i64)>,
    /// This node's own watchdog.
    pub watchdog: Option<Watchdog>,
}

/// A watchdog.
#[derive(Debug, Clone, PartialEq)]
pub struct Watchdog {
    /// Its device.
    pub path: PathBuf,
    /// That is there.
    pub there: bool,
    /// Its time-out, in milliseconds.
    pub timeout_ms: u64,
    /// Why the daemon cannot use it.
    pub failure: Option<Failure>,
}

/// A file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// Where it is.
    pub path: PathBuf,
    /// It holds a secret.
    pub secret: bool,
    /// A node that has a cluster cannot do without it.
    pub needed: bool,
    /// Its mode and owner, if it is there.
    pub found: Option<(u32, u32)>,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The folder that is on it.
    pub path: PathBuf,
    /// Room for root, in MiB.
    pub free: u64,
    /// It is mounted read-only.
    pub read_only: bool,
}

/// A unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, `failed`, …
    pub active: String,
    /// `enabled`, `disabled`, …; `None` where it is not installed.
    pub at_boot: Option<String>,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// The cluster.
    pub status: Option<ClusterStatus>,
    /// The mesh.
    pub mesh: Option<MeshStatus>,
}

/// Ports that somebody listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    /// UDP.
    pub udp: Vec<SocketAddr>,
    /// TCP.
    pub tcp: Vec<SocketAddr>,
}

/// What nftables does with packets that come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// `TABLE CHAIN` of each input chain that drops or refuses what no rule accepts.
    pub closed: Vec<String>,
    /// The whole rule set.
    pub text: String,
}

/// The mesh of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// This node's address in it.
    pub ip: IpAddr,
    /// UDP port.
    pub port: u16,
    /// MTU of `wg-sfha`.
    pub mtu: u32,
    /// Where others reach this node.
    pub endpoint: Option<String>,
}
