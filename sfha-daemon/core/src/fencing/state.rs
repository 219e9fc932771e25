//! What all members know about fencings: changed only by [`FencingCommand`](super::FencingCommand)s, in the
//! order of the group.
//!
//! ```text
//!            Suspect                                    off               seen off
//!  (nothing) ──────▶ Suspected ──▶ Delayed ──▶ Fencing ──▶ Verifying ──────────────▶ Fenced
//!      ▲                 ▲            │         ▲ │ ▲          │                        ▲
//!      │                 └── not yet ─┘         │ ▼ └─ again ──┤                        │
//!      │                                      Failed ◀─────────┘                        │
//!      │                                                       Confirm, or the watchdog │
//!      └── Clear (from everywhere: a member again)      from everywhere but Fenced ─────┘
//! ```
//!
//! A node is harmless in `Fenced` only. The phase is the same everywhere; when a member entered it is each
//! member's own knowledge ([`super::Fencing`]), so that whoever becomes leader goes on with what the one
//! before had begun.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use super::settings::Level;
use crate::state::NodeId;

/// Most entries that the history keeps.
pub const MAX_HISTORY: usize = 100;

/// Most begins that are kept to count a storm with; a limit above it could not be kept.
pub const MAX_BEGUN: usize = 64;

/// Why a node is to be fenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It was a member and went without a word.
    Lost,
    /// It has not been seen since this side has quorum.
    Unseen,
    /// An operator wants it.
    Requested {
        /// Who.
        by: String,
    },
    /// It is a member, and something on it does not stop: others cannot take that over.
    StopFailed {
        /// Name of the resource.
        resource: String,
    },
}

impl Cause {
    /// It counts for a member, too.
    #[must_use]
    pub const fn concerns_members(&self) -> bool {
        matches!(self, Self::Requested { .. } | Self::StopFailed { .. })
    }

    /// An operator wants it: no delay, no limit.
    #[must_use]
    pub const fn is_requested(&self) -> bool {
        matches!(self, Self::Requested { .. })
    }
}

/// Why a suspected node is not fenced yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Too many fencings in five minutes.
    Storm,
    /// The node was fenced a moment ago.
    TooSoon,
    /// Maintenance is on.
    Maintenance,
    /// No driver knows the node; only its watchdog, if it has one, or an operator.
    NoDriver,
}

/// One level of a node, as far as it was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Index of the level among those of the node.
    pub index: usize,
    /// It.
    pub level: Level,
    /// From 1.
    pub attempt: u32,
}

/// Why a node is held for harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The driver was asked for its status: off.
    Off(Level),
    /// The driver said that it switched the node off, and cannot be asked.
    Answer(Level),
    /// An operator answers for it.
    Confirmed {
        /// Who.
        by: String,
    },
    /// Its watchdog must have reset it.
    Watchdog,
}

/// How far the fencing of a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Lost; not to be fenced yet.
    Suspected {
        /// Why not; `None` until that was looked at.
        held: Option<Held>,
    },
    /// To be fenced when the delay is over.
    Delayed,
    /// Being switched off.
    Fencing(Try),
    /// Switched off; it remains to be seen.
    Verifying(Try),
    /// Harmless.
    Fenced(Proof),
    /// No level could do it; tried again later.
    Failed {
        /// How many times all levels were tried.
        round: u32,
    },
}

/// What went wrong: a code and its details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The code.
    pub code: ErrorCode,
    /// Its details, as texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let details = failure.details.into_iter().map(|(name, value)| (name, text(value))).collect();
        Self { code: failure.code, details }
    }
}

/// The fencing of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Names this fencing: never used twice.
    pub episode: u64,
    /// Why.
    pub cause: Cause,
    /// How far.
    pub phase: Phase,
    /// What went wrong last.
    pub error: Option<Problem>,
    /// How many times all levels have failed.
    pub rounds: u32,
}

/// Something worth remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// The node is to be fenced.
    Suspected,
    /// It is not fenced yet.
    Held,
    /// Its fencing began.
    Begun,
    /// A try failed.
    TryFailed,
    /// All levels failed.
    Failed,
    /// Another member goes on with it.
    HandedOver,
    /// It is harmless.
    Fenced,
    /// It is a member again.
    Returned,
    /// It is to be switched on.
    SwitchOn,
    /// It was switched on.
    SwitchedOn,
    /// It could not be switched on.
    SwitchOnFailed,
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970, by the clock of whoever said it.
    pub at: i64,
    /// The node.
    pub node: NodeId,
    /// The fencing that it belongs to; 0 for none.
    pub episode: u64,
    /// What.
    pub what: Happened,
    /// Why, where the fencing begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Who, where it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What that person said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The member that goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<NodeId>,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The how manieth try of that level, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why it is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Why it is held for harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// A begin, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The node.
    pub node: NodeId,
    /// Seconds since 1970.
    pub at: i64,
}

/// What all members know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FencingState {
    /// Fencings so far.
    pub episodes: u64,
    /// Fencings that are not over, and nodes that are harmless because of one.
    pub records: BTreeMap<NodeId, Record>,
    /// Nodes that left in order: harmless, and not to be fenced for being away.
    pub excused: BTreeSet<NodeId>,
    /// Nodes whose watchdog runs, and its time-out in milliseconds.
    pub watchdogs: BTreeMap<NodeId, u64>,
    /// Nodes to be switched on, and who wants it.
    pub switching_on: BTreeMap<NodeId, String>,
    /// The last begins.
    pub begun: VecDeque<Begun>,
    /// What happened, the oldest first.
    pub history: VecDeque<Entry>,
    /// How many entries the history has had.
    pub told: u64,
}

impl FencingState {
    /// Nothing has happened yet.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
