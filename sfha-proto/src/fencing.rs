//! Fencing: who is to be made harmless, how far that is, what was done, and the parameters of `stonith.*`.
//!
//! Times that are left (`…_ms`) count from the making of the document: whoever shows them lets them run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Failure;

/// Fencing in short: part of `sfha status --json`. Fields of the contract come first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FencingSummary {
    /// Fencing is on.
    pub enabled: bool,
    /// Name of the first level: `proxmox`, `webhook`, `watchdog`, or the name of an agent.
    pub provider: Option<String>,
    /// Nodes whose fencing is not over.
    pub pending: Vec<String>,

    /// Names of what is tried, in this order, for nodes that have no levels of their own.
    #[serde(default)]
    pub levels: Vec<String>,
    /// Everything is decided and told, and nothing is switched.
    #[serde(default)]
    pub dry_run: bool,
    /// Fencings of the last five minutes and their limit; `null`: fencing is off, or not known.
    #[serde(default)]
    pub storm: Option<FencingStorm>,
    /// The other nodes of the cluster, by id.
    #[serde(default)]
    pub nodes: Vec<NodeFencing>,
    /// What the last tests found wrong.
    #[serde(default)]
    pub alerts: Vec<FencingAlert>,
    /// The watchdog of the node that answers; `null`: none is configured.
    #[serde(default)]
    pub watchdog: Option<WatchdogStatus>,
}

/// Fencings that nobody asked for, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingStorm {
    /// How many began in the last five minutes.
    pub begun: u32,
    /// Most that may.
    pub limit: u32,
    /// The limit holds a fencing back.
    pub holding: bool,
    /// Until the next one may begin, in milliseconds; `null` while one may.
    #[serde(default)]
    pub next_ms: Option<u64>,
}

/// How fencing stands to one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFencing {
    /// Its name.
    pub name: String,
    /// How far its fencing is; `null`: it is not being fenced.
    pub phase: Option<FencingPhase>,
    /// What it had may be taken by others.
    #[serde(default)]
    pub harmless: bool,
    /// It left in order.
    #[serde(default)]
    pub excused: bool,
    /// Names of what is tried for it, in this order.
    #[serde(default)]
    pub levels: Vec<String>,
    /// Why it is not fenced yet, in phase `suspected`.
    #[serde(default)]
    pub held: Option<FencingHeld>,
    /// Which level is tried, or did it.
    #[serde(default)]
    pub level: Option<String>,
    /// The how manieth try of that level, from 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// How many times all levels have failed.
    #[serde(default)]
    pub rounds: u32,
    /// Why it is held for harmless, in phase `fenced`.
    #[serde(default)]
    pub proof: Option<FencingProof>,
    /// Why it is fenced.
    #[serde(default)]
    pub cause: Option<FencingCause>,
    /// Who asked for its fencing or answered for it, where that was a person.
    #[serde(default)]
    pub by: Option<String>,
    /// Since when it is in its phase, in seconds since 1970.
    #[serde(default)]
    pub since: Option<i64>,
    /// Until the next step, in milliseconds, where only time is waited for.
    #[serde(default)]
    pub next_ms: Option<u64>,
    /// Until its watchdog must have reset it, in milliseconds.
    #[serde(default)]
    pub watchdog_ms: Option<u64>,
    /// Time-out of its watchdog, in milliseconds; `null`: none runs there.
    #[serde(default)]
    pub watchdog_timeout_ms: Option<u64>,
    /// It is to be switched on.
    #[serde(default)]
    pub switching_on: bool,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<Failure>,
}

/// How far the fencing of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingPhase {
    /// Lost, and not to be fenced yet.
    Suspected,
    /// To be fenced when the delay is over.
    Delayed,
    /// Being switched off.
    Fencing,
    /// Switched off; it remains to be seen.
    Verifying,
    /// Harmless.
    Fenced,
    /// No level could do it; tried again later.
    Failed,
    /// One of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Why a suspected node is not fenced yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingHeld {
    /// Too many fencings in five minutes.
    Storm,
    /// The node was fenced a moment ago.
    TooSoon,
    /// Maintenance is on.
    Maintenance,
    /// No driver knows the node.
    NoDriver,
    /// One of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Why a node is held for harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingProof {
    /// It was seen off.
    Off,
    /// The driver said that it switched it off, and cannot be asked.
    Answer,
    /// An operator answered for it.
    Confirmed,
    /// Its watchdog must have reset it.
    Watchdog,
    /// One of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Why a node is to be fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingCause {
    /// It was a member and went without a word.
    Lost,
    /// It has not been seen since this side has quorum.
    Unseen,
    /// An operator wants it.
    Requested,
    /// Something on it does not stop.
    StopFailed,
    /// One of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Something that a test found wrong: the day the node is lost, this level would fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingAlert {
    /// Node that could not be switched.
    pub node: String,
    /// With what.
    pub level: String,
    /// Node that tried.
    pub by: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Why.
    pub error: Failure,
}

/// The watchdog of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchdogStatus {
    /// Its device.
    pub device: String,
    /// Its time-out as the hardware has it, in milliseconds; `null`: it does not run.
    pub timeout_ms: Option<u64>,
    /// It is given no sign of life any more: time left until the node resets itself, in milliseconds.
    #[serde(default)]
    pub reset_ms: Option<u64>,
    /// Why it does not run.
    #[serde(default)]
    pub error: Option<Failure>,
}

/// Result of `stonith.status`, and the document of `sfha stonith status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingStatus {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the node that answers.
    pub node: String,
    /// All of it.
    #[serde(flatten)]
    pub fencing: FencingSummary,
}

/// Parameters of `stonith.fence`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceParams {
    /// Name of the node.
    pub node: String,
    /// Only tell what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Result of `stonith.fence`, once every member knows of it (nothing is switched yet: `status` tells how it goes
/// on), and the document of `sfha stonith fence --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingPlan {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the node.
    pub node: String,
    /// Nothing was done.
    pub dry_run: bool,
    /// Name of the node that does it; `null`: none could.
    pub actor: Option<String>,
    /// With what, in this order.
    pub levels: Vec<String>,
    /// After how long, in milliseconds.
    pub delay_ms: u64,
    /// What would keep it from being fenced now.
    pub held: Option<FencingHeld>,
}

/// Parameters of `stonith.confirm`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmParams {
    /// Name of the node.
    pub node: String,
    /// What the operator says about it; shortened to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Parameters of `stonith.unfence`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencedNodeParams {
    /// Name of the node.
    pub node: String,
}

/// Parameters of `stonith.history`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingHistoryParams {
    /// Most entries, the newest ones; all that are kept if absent.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Result of `stonith.history`, and the document of `sfha stonith history --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingHistory {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// What happened, the oldest first.
    pub entries: Vec<FencingEntry>,
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingEntry {
    /// Seconds since 1970, by the clock of the node that said it.
    pub at: i64,
    /// Name of the node.
    pub node: String,
    /// The fencing that it belongs to; 0 for none.
    pub episode: u64,
    /// What.
    pub what: FencingHappened,
    /// Why, where the fencing begins.
    #[serde(default)]
    pub cause: Option<FencingCause>,
    /// Who, where it was a person.
    #[serde(default)]
    pub by: Option<String>,
    /// What that person said about it.
    #[serde(default)]
    pub why: Option<String>,
    /// Name of the member that goes on with it.
    #[serde(default)]
    pub actor: Option<String>,
    /// With what.
    #[serde(default)]
    pub level: Option<String>,
    /// The how manieth try of that level, from 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// Why it is held back.
    #[serde(default)]
    pub held: Option<FencingHeld>,
    /// Why it is held for harmless.
    #[serde(default)]
    pub proof: Option<FencingProof>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
}

/// Something worth remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingHappened {
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
    /// One of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Parameters of `stonith.test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingTestParams {
    /// Name of the node; every node but the one that is asked if absent.
    #[serde(default)]
    pub node: Option<String>,
}

/// Result of `stonith.test` and `stonith.check`, and the document of `sfha stonith test --json`. Nothing is
/// switched for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingTested {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the node that asked.
    pub by: String,
    /// What came of it, by node and level.
    pub results: Vec<FencingTest>,
}

/// One level of one node, tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FencingTest {
    /// Name of the node.
    pub node: String,
    /// With what.
    pub level: String,
    /// What the driver says of it; `null`: it could not be asked.
    pub power: Option<FencingPower>,
    /// What is wrong.
    pub error: Option<Failure>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What a driver says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FencingPower {
    /// It runs.
    On,
    /// It does not run.
    Off,
    /// The driver cannot tell.
    #[serde(other)]
    Unknown,
}

/// Parameters of `stonith.check` (tests them, keeps nothing) and of `stonith.configure` (result: `{}` once every
/// member has written them).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FencingSettingsParams {
    /// The settings, as `FencingSettings` of `sfha-core` is in JSON. No secrets.
    pub settings: Value,
    /// What the files with secrets that the settings name are to hold, by path, each directly in
    /// [`SECRETS_DIR`]; on this node only. Files that are not named here stay as they are.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// Where the daemon writes files with secrets: nowhere else.
pub const SECRETS_DIR: &str = "/etc/sfha";

impl fmt::Debug for FencingSettingsParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&String> = self.secrets.keys().collect();
        f.debug_struct("FencingSettingsParams").field("secrets", &files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_the_contract_reads_and_phases_of_newer_daemons_do() {
        let text = r#"{"enabled":false,"provider":null,"pending":[]}"#;
        assert_eq!(serde_json::from_str::<FencingSummary>(text).unwrap(), FencingSummary::default());
        let node: NodeFencing = serde_json::from_str(r#"{"name":"node2","phase":"thawing"}"#).unwrap();
        assert_eq!(node.phase, Some(FencingPhase::Unknown));
    }

    #[test]
    fn secrets_do_not_print() {
        let secrets = BTreeMap::from([("/etc/sfha/proxmox.secret".to_owned(), "hunter2".to_owned())]);
        let printed = format!("{:?}", FencingSettingsParams { settings: "hunter2".into(), secrets });
        assert!(!printed.contains("hunter2") && printed.contains("proxmox.secret"), "{printed}");
    }
}
