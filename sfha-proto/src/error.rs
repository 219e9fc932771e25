//! What can go wrong, as codes: the daemon never sends a sentence.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Every reason for which a request is refused or fails.
///
/// A code keeps its meaning for ever; new ones are added. Unknown codes (from a newer daemon) read as
/// [`ErrorCode::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    // --- the conversation ---
    /// The line was not a request.
    Malformed,
    /// The line was longer than the limit. Details: `limit` (bytes).
    TooLong,
    /// This user has as many connections as one may have. Details: `limit`.
    TooManyConnections,
    /// No such method. Details: `method`.
    UnknownMethod,
    /// A parameter is missing or out of range. Details: `parameter`, `value`, `reason`.
    InvalidParameter,
    /// The caller may look but not change, or not even look. Details: `user`.
    NotPermitted,
    /// The daemon cannot be reached. Details: `socket`. Made by the client itself.
    NoDaemon,
    /// It took too long. Details: `what`, `seconds`.
    TimedOut,
    /// Something failed that has no code of its own. Details: `what`, `cause` (English, technical).
    Internal,

    // --- the state of the cluster ---
    /// This node has no cluster yet.
    NotConfigured,
    /// This node has no cluster any more: others removed it. Details: `cluster`, `node`.
    Removed,
    /// This node is on its way out of its cluster.
    Leaving,
    /// This node has a cluster already. Details: `cluster`, `node`.
    AlreadyConfigured,
    /// No quorum. Details: `votes`, `needed`.
    NoQuorum,
    /// The members are still agreeing on the state after a change of membership; try again.
    Synchronising,
    /// Maintenance is on.
    Maintenance,
    /// The state asked for is the state that is. Details: `what`.
    AlreadySo,
    /// The configuration was changed meanwhile; look again. Details: `revision`.
    ConfigChanged,
    /// No such thing. Details: `kind` (`node`, `peer`, `vip`, `token`, `service`, `interface`), `name`.
    NotFound,
    /// The name or address is taken. Details: `kind`, `name`, `by`.
    AlreadyExists,
    /// There is no node that could take it over. Details: `name`.
    NoCandidate,
    /// No node serves the VIP now. Details: `name`.
    NotServed,
    /// Nodes are not here that must be. Details: `nodes` (names, separated by commas).
    NodesAway,
    /// Another step comes first. Details: `node`, `wanted` (`prepare`, `commit`, `cleanup`).
    WrongStep,
    /// The rest would have no quorum without that node, or that node without the rest. Details: `name`,
    /// `votes` (those that are left), `needed`.
    WouldLoseQuorum,
    /// The node is the only one of its cluster. Details: `name`.
    LastNode,
    /// The node's Corosync runs and its daemon does not. Details: `name`.
    DaemonMissing,
    /// The mesh of this node was taken down by an operator.
    MeshDown,

    // --- init and join ---
    /// Corosync is not installed. Details: `program`.
    CorosyncMissing,
    /// Corosync did not start or did not stay up. Details: `cause`.
    CorosyncFailed,
    /// A `corosync.conf` that sfha did not write is in the way. Details: `path`.
    ForeignCorosyncConf,
    /// An interface of that name is there and is not ours. Details: `interface`.
    ForeignInterface,
    /// The UDP port is taken. Details: `port`, `by` (the program's name where it can be known).
    PortBusy,
    /// The mesh network overlaps one that this node has. Details: `network`, `with`, `interface`.
    NetworkOverlap,
    /// Neither the kernel nor the userspace device can make a WireGuard interface. Details: `cause`.
    NoWireguard,
    /// The token is not a token: damaged, truncated, or not one of ours. Details: `reason`
    /// (`prefix`, `encoding`, `json`, `checksum`, `field`), `field`.
    TokenDamaged,
    /// The token has expired. Details: `expired` (RFC 3339).
    TokenExpired,
    /// The token was used by another node, or with another key. Details: `node`.
    TokenUsed,
    /// The token was revoked, or its cluster does not know it.
    TokenUnknown,
    /// The token's signature is not of this cluster.
    TokenForeign,
    /// No answer from the other side. Details: `endpoint`, `seconds`, `kind` (`lan`; absent in a mesh).
    Unreachable,
    /// No address is left in the mesh network. Details: `network`.
    NoAddressLeft,
    /// The cluster has a Corosync link on the LAN, and this node has no address there.
    NoLanAddress,
    /// The cluster has as many nodes as it can have, those counted that may still join. Details: `limit`, `nodes`
    /// (how many there are), `open` (how many tokens hold a place), `invites` (their ids, separated by commas).
    TooManyNodes,

    // --- fencing ---
    /// The node is a member of the cluster. Details: `name`.
    NodeOnline,
    /// The node is away and, with fencing on, not known to be off. Details: `name`.
    NotFenced,
    /// The node was switched off and is not seen off. Details: `name`.
    FenceUnconfirmed,
    /// What switches nodes cannot be reached. Details: `driver`, `endpoint`, `cause`.
    FenceUnreachable,
    /// It does not accept the credentials, or they may not do this. Details: `driver`, `status` (HTTP).
    FenceDenied,
    /// Its certificate is not believed. Details: `driver`, `endpoint`, `fingerprint` (SHA-256 of the one it has),
    /// `reason` (`fingerprint`, `issuer`, `name`, `expired`), `expected` (the fingerprint, where one is set).
    FenceCertificate,
    /// It does not know the node. Details: `driver`, `name`, `value` (what was looked for).
    FenceTarget,
    /// It could not do it. Details: `driver`, `cause`.
    FenceFailed,
    /// There is no such fence agent. Details: `program`.
    AgentMissing,
    /// A fence agent does not take that parameter. Details: `program`, `parameter`, `reason` (`unknown`,
    /// `missing`, `value`, `reserved`).
    AgentParameter,
    /// The watchdog cannot be used. Details: `path`, `cause`.
    WatchdogUnusable,

    // --- files ---
    /// A file of ours does not read. Details: `path`, `line`, `column`, `reason`, `backup`
    /// (where its last good version is). Of config.yml also findings: all that was found in it.
    FileInvalid,
    /// A secret file can be read by others. Details: `path`, `mode`, `wanted`.
    FileMode,
    /// A file could not be written. Details: `path`, `cause`.
    FileWrite,

    /// A code of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The code as it is written in JSON, e.g. `no-quorum`.
    #[must_use]
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => text,
            _ => "unknown".to_owned(),
        }
    }

    /// The exit status of `sfha` for this code (CONTRACT: 1 failed, 2 usage, 3 no daemon, 4 refused in
    /// this state, 5 not permitted, 6 timed out).
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::InvalidParameter | Self::UnknownMethod => 2,
            Self::NoDaemon => 3,
            Self::NotConfigured
            | Self::Removed
            | Self::Leaving
            | Self::AlreadyConfigured
            | Self::NoQuorum
            | Self::Synchronising
            | Self::Maintenance
            | Self::AlreadySo
            | Self::ConfigChanged
            | Self::AlreadyExists
            | Self::NoCandidate
            | Self::NotServed
            | Self::NodesAway
            | Self::WrongStep
            | Self::NoLanAddress
            | Self::WouldLoseQuorum
            | Self::LastNode
            | Self::DaemonMissing
            | Self::MeshDown
            | Self::NodeOnline
            | Self::NotFenced
            | Self::TooManyNodes => 4,
            Self::NotPermitted => 5,
            Self::TimedOut => 6,
            _ => 1,
        }
    }
}

/// A refusal or a failure: a code, and the values its sentence needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{} {}", code.as_str(), Value::Object(details.clone()))]
pub struct Failure {
    /// What went wrong.
    pub code: ErrorCode,
    /// The values named at the code's description.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self { code, details: Map::new() }
    }

    /// Adds one detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unknown_ones_are_kept_apart() {
        assert_eq!(ErrorCode::NoQuorum.as_str(), "no-quorum");
        assert_eq!(serde_json::from_str::<ErrorCode>("\"from-the-future\"").unwrap(), ErrorCode::Unknown);
    }

    #[test]
    fn exit_statuses_are_those_of_the_contract() {
        assert_eq!(ErrorCode::NoDaemon.exit_status(), 3);
        assert_eq!(ErrorCode::NoQuorum.exit_status(), 4);
        assert_eq!(ErrorCode::NotPermitted.exit_status(), 5);
        assert_eq!(ErrorCode::TimedOut.exit_status(), 6);
        assert_eq!(ErrorCode::TokenDamaged.exit_status(), 1);
    }
}
