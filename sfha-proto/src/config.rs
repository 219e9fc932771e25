//! `config.yml` in words that both programs know: what is wrong with it, what a reload changes, and which
//! state every node has.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::status::StateVersion;

/// Whether a finding keeps the file from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The file is not used.
    Error,
    /// It is, and an operator should know this.
    Warning,
}

/// What can be found in a `config.yml`.
///
/// A code keeps its meaning for ever; new ones are added. Unknown codes read as [`FindingCode::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingCode {
    // --- the text ---
    /// Not YAML. Details: `cause` (English, technical).
    Syntax,
    /// A line is indented with a tab.
    Tab,
    /// An anchor or alias, which sfha does not read.
    Alias,
    /// A tag, which sfha does not read.
    Tag,
    /// A second document.
    SecondDocument,
    /// Nested too deeply. Details: `limit`.
    TooDeep,
    /// The file is too large. Details: `limit` (bytes).
    TooLarge,

    // --- keys and types ---
    /// No such key here. Details: `name`, `suggestion`, `allowed` (separated by commas).
    UnknownKey,
    /// The key is there twice. Details: `name`, `first` (line).
    DuplicateKey,
    /// A key is missing. Details: `name`.
    MissingKey,
    /// Two keys say the same thing. Details: `name`, `other`.
    ConflictingKeys,
    /// The key does not go with this `type`. Details: `name`, `kind`.
    NotForType,
    /// Something else is wanted. Details: `wanted`, `found` (each `map`, `list`, `text`, `number`, `bool`).
    WrongType,

    // --- values ---
    /// None of the values that are allowed. Details: `value`, `suggestion`, `allowed`.
    NotAllowed,
    /// Out of range. Details: `value`, `least`, `most`.
    OutOfRange,
    /// No duration. Details: `value`.
    BadDuration,
    /// Out of range. Details: `value`, `least`, `most` (durations).
    DurationRange,
    /// Not a name. Details: `value`.
    BadName,
    /// Not an address. Details: `value`.
    BadAddress,
    /// No host can have this address. Details: `value`.
    NotAHost,
    /// Not the name of an interface. Details: `value`.
    BadInterface,
    /// Not a unit of systemd. Details: `value`.
    BadUnit,
    /// Not a URL. Details: `value`.
    BadUrl,
    /// Not `HOST:PORT`. Details: `value`.
    BadTarget,
    /// Neither an address nor the name of a host. Details: `value`.
    BadHost,
    /// Not an absolute path. Details: `value`.
    BadPath,
    /// Neither `ADDRESS:PORT` nor an absolute path. Details: `value`.
    BadListen,
    /// A program is wanted.
    EmptyCommand,
    /// Not a SHA-256 fingerprint. Details: `value`.
    BadFingerprint,
    /// Not the name of a fence agent. Details: `value`.
    BadAgent,
    /// A secret that all nodes would share. Details: `name`.
    SharedSecret,

    // --- what does not fit together ---
    /// There are two of that name. Details: `name`, `first` (line).
    DuplicateName,
    /// Two VIPs have that address. Details: `value`, `first` (line).
    DuplicateAddress,
    /// Two services have that unit. Details: `value`, `first` (line).
    DuplicateUnit,
    /// The same constraint, twice. Details: `first` (line).
    DuplicateConstraint,
    /// No VIP and no service has that name. Details: `name`, `suggestion`.
    UnknownResource,
    /// No service has that name. Details: `name`, `suggestion`.
    UnknownService,
    /// The cluster has no such node. Details: `name`, `suggestion`.
    UnknownNode,
    /// A resource is tied to itself. Details: `name`.
    TiedToItself,
    /// Constraints go round in a circle. Details: `names` (separated by ` → `).
    Cycle,
    /// Too many. Details: `what`, `limit`.
    TooMany,
    /// The file is of another cluster. Details: `value`, `wanted`.
    OtherCluster,
    /// The file is of another node. Details: `value`, `wanted`.
    OtherNode,

    // --- warnings ---
    /// The key does nothing any more. Details: `name`.
    Ignored,
    /// Without quorum nothing runs, whatever this says.
    QuorumAlways,
    /// Certificates are not checked.
    Unverified,
    /// A secret in a file that is not secret. Details: `name`.
    SecretInFile,
    /// The watchdog resets a machine whose daemon is only restarted. Details: `seconds`, `least`.
    WatchdogShort,
    /// It resets a machine on which a service is still being stopped. Details: `name` (of the service), `stop` (its
    /// time in seconds), `seconds`, `least`.
    WatchdogBeforeStop,

    /// A code of another version.
    #[serde(other)]
    Unknown,
}

/// One thing that was found in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// What it is.
    pub code: FindingCode,
    /// Where in the structure, `vips[1].ip`; empty for the file as a whole.
    pub key: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The line, without secrets.
    pub excerpt: String,
    /// The values named at the code's description.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// Parameters of `reload`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadParams {
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// Result of `reload`, and the document of `sfha reload --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Nothing was done.
    pub dry_run: bool,
    /// What changes; empty: nothing was to be done.
    pub changes: Vec<Change>,
    /// Warnings about the file.
    pub warnings: Vec<Finding>,
}

/// One entry that differs between two configurations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `vip`, `service`, `health-check`, `constraint`, `failback`, `qdevice`, `stonith` or `priority`.
    pub kind: String,
    /// Its name; of a constraint: what it says.
    pub name: String,
    /// What it was; `null`: it is new.
    pub from: Option<Value>,
    /// What it becomes; `null`: it goes.
    pub to: Option<Value>,
}

/// How a node's `config.yml` stands to the state that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// They say the same.
    InStep,
    /// It was edited and not reloaded.
    Edited,
    /// It does not read, and is left alone.
    Invalid,
    /// A state of another version.
    #[serde(other)]
    Unknown,
}

/// Result of `propagate`, and the document of `sfha propagate --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Propagated {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Every node that is there has the same.
    pub in_step: bool,
    /// `config.yml` of the node that answers.
    pub file: Option<FileState>,
    /// Every node of the cluster, by id.
    pub nodes: Vec<NodeVersion>,
}

/// What one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVersion {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Its daemon is in the group.
    pub online: bool,
    /// Which state it has; `null`: not known.
    pub state: Option<StateVersion>,
    /// Version of its program; `null`: not known.
    pub program: Option<String>,
    /// It has what the node that answers has; `null`: not known.
    pub in_step: Option<bool>,
}
