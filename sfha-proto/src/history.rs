//! What has happened: the documents of `sfha history --json` and `sfha events --json`.

use serde::{Deserialize, Serialize};

/// Something that happened, as one node saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Its number on the node that saw it, rising, also across restarts of the daemon.
    pub id: u64,
    /// When it was seen, RFC 3339 with milliseconds.
    pub time: String,
    /// What it is.
    pub kind: EventKind,
    /// How bad it is.
    pub level: Level,
    /// Name of the node that saw it.
    pub seen_by: String,
    /// Name of the node that it is about, or where it happened.
    #[serde(default)]
    pub node: Option<String>,
    /// Name of the VIP, service, check or link that it is about.
    #[serde(default)]
    pub resource: Option<String>,
    /// What was before: a node, a path.
    #[serde(default)]
    pub from: Option<String>,
    /// What is now.
    #[serde(default)]
    pub to: Option<String>,
    /// A code or value that says more; which one depends on the kind.
    #[serde(default)]
    pub detail: Option<String>,
    /// How long the state lasted that this ends, in milliseconds: of `vip-moved` the time from the loss, as it was
    /// seen here, to the address being served again.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// Number of the event that it followed from.
    #[serde(default)]
    pub cause: Option<u64>,
    /// Number of the first event of its chain: its own if it followed from nothing.
    pub chain: u64,
}

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be, or on purpose.
    Info,
    /// Worth a look.
    Warning,
    /// Something is not served, or about not to be.
    Critical,
}

/// What an event is. New ones are added; unknown ones (from a newer daemon) read as [`EventKind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The daemon of `node`, the one that tells, has started. `detail`: its version.
    DaemonStarted,
    /// A node came into the cluster.
    NodeAdded,
    /// A node was removed from it.
    NodeRemoved,
    /// A node is not in Corosync's membership any more.
    NodeLost,
    /// It is there again. `duration_ms`: how long it was away.
    NodeBack,
    /// A node's daemon left the group; its Corosync did not.
    DaemonLost,
    /// It is there again.
    DaemonBack,
    /// A node was taken out of service.
    StandbyOn,
    /// It was put back.
    StandbyOff,
    /// This node lost its connection to Corosync.
    CorosyncLost,
    /// It has it again.
    CorosyncBack,
    /// This node has no quorum any more.
    QuorumLost,
    /// It has it again.
    QuorumRegained,
    /// `from` and `to`: nodes; `to` is `null` when there is none.
    LeaderChanged,
    /// Hands off.
    MaintenanceOn,
    /// Hands on.
    MaintenanceOff,
    /// The configuration changed otherwise than by what has a kind of its own. `detail`: version of the state.
    ConfigChanged,
    /// A VIP was added.
    VipAdded,
    /// A VIP was removed.
    VipRemoved,
    /// A VIP is not served any more. `node`: who served it; `detail`: its state.
    VipLost,
    /// A VIP is served, for the first time or again where it was. `node`: where.
    VipServed,
    /// A VIP is served elsewhere. `from`, `to`: nodes; `node`: the same as `to`.
    VipMoved,
    /// A VIP cannot be taken on. `detail`: the code.
    VipProblem,
    /// Somebody else on the network has the address. `detail`: their Ethernet address.
    VipConflict,
    /// Nobody else has it any more.
    VipConflictOver,
    /// A service was added.
    ServiceAdded,
    /// A service was removed.
    ServiceRemoved,
    /// A service runs. `node`: where.
    ServiceStarted,
    /// A service runs elsewhere. `from`, `to`: nodes; `node`: the same as `to`.
    ServiceMoved,
    /// A service does not run any more. `node`: where it ran.
    ServiceStopped,
    /// A service failed. `detail`: the code, or how often.
    ServiceFailed,
    /// A health check fails. `detail`: the error.
    CheckFailed,
    /// It is good again.
    CheckRecovered,
    /// A peer of the mesh does not answer any more.
    PeerLost,
    /// It answers, for the first time or again.
    PeerConnected,
    /// Packets to a peer take another way. `from`, `to`: `direct`, or the relaying node.
    PeerPath,
    /// A peer has another key.
    PeerKey,
    /// A link of Corosync's does not reach a node any more. `resource`: the link.
    LinkLost,
    /// It reaches it again.
    LinkBack,
    /// A node is to be fenced. `detail`: why (`lost`, `unseen`, `requested`, `stop-failed`).
    FencingStarted,
    /// It is being switched off. `resource`: the level that begins.
    FencingBegun,
    /// A try failed, and another one follows. `resource`: the level; `detail`: the code.
    FencingTryFailed,
    /// All levels failed; they are tried again later. `detail`: the last one's code.
    FencingFailed,
    /// Something else than a storm holds the fencing back. `detail`: what (`too-soon`, `maintenance`, `no-driver`).
    FencingHeld,
    /// Too many fencings in five minutes: this one waits.
    FencingStorm,
    /// An operator answers for the node being off. `detail`: who, and after a colon why, if that was said.
    FencingConfirmed,
    /// Another node goes on with it. `to`: that node.
    FencingHandedOver,
    /// Its fencing is over. `detail`: why it is harmless (`off`, `answer`, `confirmed`, `watchdog`); `null` where
    /// it came back, or it is not known.
    FencingOver,
    /// The node is to be switched on. `detail`: who wants it.
    UnfenceBegun,
    /// It was switched on.
    UnfenceDone,
    /// It could not be switched on. `detail`: the code.
    UnfenceFailed,
    /// A level would not work, as this node's test shows. `node`: the one that could not be switched off;
    /// `resource`: the level; `detail`: the code.
    FencingTestFailed,
    /// It would work again.
    FencingTestGood,
    /// A kind of a newer daemon.
    #[serde(other)]
    Other,
}

impl EventKind {
    /// Every kind but [`EventKind::Other`].
    pub const ALL: [Self; 53] = [
        Self::DaemonStarted,
        Self::NodeAdded,
        Self::NodeRemoved,
        Self::NodeLost,
        Self::NodeBack,
        Self::DaemonLost,
        Self::DaemonBack,
        Self::StandbyOn,
        Self::StandbyOff,
        Self::CorosyncLost,
        Self::CorosyncBack,
        Self::QuorumLost,
        Self::QuorumRegained,
        Self::LeaderChanged,
        Self::MaintenanceOn,
        Self::MaintenanceOff,
        Self::ConfigChanged,
        Self::VipAdded,
        Self::VipRemoved,
        Self::VipLost,
        Self::VipServed,
        Self::VipMoved,
        Self::VipProblem,
        Self::VipConflict,
        Self::VipConflictOver,
        Self::ServiceAdded,
        Self::ServiceRemoved,
        Self::ServiceStarted,
        Self::ServiceMoved,
        Self::ServiceStopped,
        Self::ServiceFailed,
        Self::CheckFailed,
        Self::CheckRecovered,
        Self::PeerLost,
        Self::PeerConnected,
        Self::PeerPath,
        Self::PeerKey,
        Self::LinkLost,
        Self::LinkBack,
        Self::FencingStarted,
        Self::FencingBegun,
        Self::FencingTryFailed,
        Self::FencingFailed,
        Self::FencingHeld,
        Self::FencingStorm,
        Self::FencingConfirmed,
        Self::FencingHandedOver,
        Self::FencingOver,
        Self::UnfenceBegun,
        Self::UnfenceDone,
        Self::UnfenceFailed,
        Self::FencingTestFailed,
        Self::FencingTestGood,
    ];

    /// As it is written in JSON, e.g. `vip-moved`.
    #[must_use]
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(text)) => text,
            _ => "other".to_owned(),
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How bad it is.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::NodeLost
            | Self::DaemonLost
            | Self::CorosyncLost
            | Self::QuorumLost
            | Self::VipLost
            | Self::VipProblem
            | Self::VipConflict
            | Self::ServiceFailed
            | Self::CheckFailed
            | Self::FencingStarted
            | Self::FencingFailed
            | Self::FencingStorm => Level::Critical,
            Self::NodeRemoved
            | Self::StandbyOn
            | Self::MaintenanceOn
            | Self::VipRemoved
            | Self::VipMoved
            | Self::ServiceRemoved
            | Self::ServiceMoved
            | Self::ServiceStopped
            | Self::PeerLost
            | Self::LinkLost
            | Self::FencingBegun
            | Self::FencingTryFailed
            | Self::FencingHeld
            | Self::FencingConfirmed
            | Self::FencingHandedOver
            | Self::FencingOver
            | Self::UnfenceFailed
            | Self::FencingTestFailed => Level::Warning,
            _ => Level::Info,
        }
    }
}

/// Parameters of `history`: what is to be told, the newest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryParams {
    /// Most events (100).
    #[serde(default)]
    pub limit: Option<u32>,
    /// Milliseconds since 1970; nothing before.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// Only about this VIP, service, check or link.
    #[serde(default)]
    pub resource: Option<String>,
    /// Only about this node.
    #[serde(default)]
    pub node: Option<String>,
}

impl HistoryParams {
    /// Events that are told when no number is given.
    pub const LIMIT: u32 = 100;

    /// Whether an event is among what is asked for; the limit is not looked at.
    #[must_use]
    pub fn wants(&self, event: &HistoryEvent) -> bool {
        let is =
            |wanted: &Option<String>, found: &[&Option<String>]| wanted.is_none() || found.contains(&wanted);
        is(&self.resource, &[&event.resource]) && is(&self.node, &[&event.node, &event.from, &event.to])
    }
}

/// `sfha history --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The oldest first.
    pub events: Vec<HistoryEvent>,
    /// Changes that came too fast to be looked at one by one since the daemon started.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_unknown_ones_are_kept_apart() {
        let names: std::collections::BTreeSet<String> =
            EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        assert!(!names.contains("other"));
        assert_eq!(EventKind::named("vip-moved"), Some(EventKind::VipMoved));
        assert_eq!(EventKind::named("other"), None);
        assert_eq!(serde_json::from_str::<EventKind>("\"from-the-future\"").unwrap(), EventKind::Other);
    }
}
