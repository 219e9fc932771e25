//! What `sfha doctor` finds on a node, as codes and values: `sfhad doctor` prints a [`Diagnosis`], `sfha` makes
//! sentences of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What was found on one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Version of the programs that are installed.
    pub version: String,
    /// Name of this node; `null` where it has no cluster.
    pub node: Option<String>,
    /// Everything that was looked at, in the order in which one thing needs the other.
    pub findings: Vec<Observation>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// How good it is.
    pub level: Level,
    /// What it is.
    pub code: Symptom,
    /// The values named at the code's description.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl Observation {
    /// One without details.
    #[must_use]
    pub fn new(level: Level, code: Symptom) -> Self {
        Self { level, code, details: Map::new() }
    }

    /// Adds one detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// It works, and will not always.
    Warning,
    /// It does not work.
    Error,
}

/// What can be found.
///
/// A code keeps its meaning for ever; new ones are added. Unknown codes read as [`Symptom::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Symptom {
    /// Whoever looked is not root and could not see everything.
    NotRoot,

    // --- programs ---
    /// Corosync is there. Details: `version`.
    Corosync,
    /// Corosync is not installed. Details: `program`.
    CorosyncMissing,
    /// Corosync is older than what sfha is tried with. Details: `version`, `wanted`.
    CorosyncOld,
    /// The kernel tags addresses. Details: `version`.
    Kernel,
    /// The kernel cannot tag addresses: a file does. Details: `version`.
    KernelUntagged,
    /// The kernel has WireGuard.
    WireguardKernel,
    /// It has not, and the userspace device can be used.
    WireguardUserspace,
    /// Neither can be used: `/dev/net/tun` is missing.
    WireguardNone,

    // --- files ---
    /// Every file of ours has the mode it should have. Details: `count`.
    Files,
    /// A secret file can be read by others. Details: `path`, `mode`, `wanted`.
    FileOpen,
    /// A file of ours belongs to somebody else than root. Details: `path`, `user` (number).
    FileOwner,
    /// A file is missing without which this node has no cluster. Details: `path`.
    FileMissing,
    /// `config.yml` has no fault. Details: `path`.
    Config,
    /// `config.yml` has faults. Details: `path`, `count`.
    ConfigFaulty,
    /// `corosync.conf` was written by somebody else. Details: `path`.
    ForeignCorosyncConf,

    // --- disk ---
    /// There is room. Details: `path`, `mebibytes`.
    Disk,
    /// There is little. Details: `path`, `mebibytes`.
    DiskTight,
    /// There is none. Details: `path`, `mebibytes`.
    DiskFull,
    /// It cannot be written. Details: `path`.
    DiskReadOnly,

    // --- units ---
    /// The units are as they should be.
    Units,
    /// systemd does not answer. Details: `cause`.
    NoSystemd,
    /// A unit has failed. Details: `unit`.
    UnitFailed,
    /// A unit that is needed does not run. Details: `unit`.
    UnitStopped,
    /// `sfha.service` does not start at boot.
    NotAtBoot,
    /// `corosync.service` starts at boot, before its address is there.
    CorosyncAtBoot,
    /// Another manager of addresses or of clusters runs. Details: `unit`.
    ForeignManager,
    /// networkd keeps addresses that are not its own. Details: `path`.
    NetworkdKeeps,
    /// networkd removes them whenever it restarts.
    NetworkdDrops,

    // --- daemon ---
    /// This node has no cluster yet.
    Unconfigured,
    /// The daemon answers. Details: `version`.
    Daemon,
    /// It does not. Details: `socket`.
    DaemonSilent,
    /// It is of another version than what is installed. Details: `version` (installed), `running`.
    DaemonOld,
    /// Quorum. Details: `votes`, `needed`.
    Quorum,
    /// No quorum. Details: `votes`, `needed`.
    NoQuorum,

    // --- network ---
    /// A port is ours. Details: `port`, `protocol` (`UDP`, `TCP`).
    PortOurs,
    /// Nobody listens where we should. Details: `port`, `protocol`.
    PortClosed,
    /// Somebody has a port that we will need. Details: `port`, `protocol`.
    PortTaken,
    /// Nothing drops packets that come in.
    FirewallOpen,
    /// Something does, and our port is spoken of. Details: `chain`, `port`.
    FirewallMentions,
    /// Something does, and our port is not. Details: `chain`, `port`, `protocol`.
    FirewallDrops,
    /// Packets of the mesh fit the paths to the other nodes. Details: `mtu`, `least` (of the paths).
    Mtu,
    /// They do not fit. Details: `node`, `mtu`, `path_mtu`, `fitting`.
    MtuTight,

    // --- mesh ---
    /// Others reach this node under an address of its own. Details: `endpoint`.
    EndpointOwn,
    /// Others reach it under an address that a router has. Details: `endpoint`, `port`.
    EndpointNat,
    /// It has no endpoint: it only calls others.
    EndpointNone,
    /// Every node is reached directly. Details: `count`.
    PathsDirect,
    /// One is reached over another. Details: `node`, `via`.
    PathRelayed,
    /// One is not reached. Details: `node`.
    PathLost,
    /// The network is fast enough for Corosync's token. Details: `milliseconds`, `token`.
    Latency,
    /// It is not. Details: `node`, `milliseconds`, `token`, `profile`.
    LatencyHigh,
    /// Packets to a node are lost. Details: `node`, `percent`.
    Loss,

    // --- fencing ---
    /// Every level of every other node answers. Details: `count`.
    FenceTested,
    /// A node has no level. Details: `node`.
    FenceNobody,
    /// A level would not work. Details: `node`, `level`, `error` (a code with details of its own).
    FenceFails,
    /// The certificate of what switches nodes is good for a while. Details: `endpoint`, `days`.
    FenceCertificate,
    /// It ends soon. Details: `endpoint`, `days`.
    FenceCertificateEnds,
    /// This node's watchdog is there. Details: `path`, `seconds`.
    FenceWatchdog,
    /// It is not. Details: `path`.
    FenceWatchdogMissing,
    /// It does not run. Details: `path`, `error` (a code with details of its own).
    FenceWatchdogFails,
    /// Its time-out is shorter than the daemon may need to come back. Details: `seconds`, `least`.
    FenceWatchdogShort,

    // --- clock ---
    /// The clock follows others.
    Clock,
    /// It does not.
    ClockAlone,
    /// The nodes' clocks agree. Details: `count`.
    ClocksAgree,
    /// One does not. Details: `node`, `seconds` (it is ahead by).
    ClockSkew,

    /// Something that a newer program found.
    #[serde(other)]
    Unknown,
}

impl Symptom {
    /// The code as it is written in JSON, e.g. `clock-skew`.
    #[must_use]
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => text,
            _ => "unknown".to_owned(),
        }
    }
}
