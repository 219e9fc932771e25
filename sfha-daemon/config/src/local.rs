//! What concerns this node alone: who may use its socket, where its metrics are, and what it runs when something
//! happens.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use sfha_proto::history::EventKind;
use zeroize::Zeroizing;

/// `access:`, `metrics:` and `hooks:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Local {
    /// `access:`
    pub access: Access,
    /// `metrics.listen`
    pub metrics: Option<Listen>,
    /// `hooks:`
    pub hooks: Vec<Hook>,
}

/// `logging:`, which counts when the daemon starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `logging.level`: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Option<String>,
    /// `logging.record`: whether the decisions are recorded.
    pub record: bool,
}

/// Who may do what over the socket, besides root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may look; whoever can open the socket if there is none.
    pub read: Option<Vec<Who>>,
    /// Who may change things, and look.
    pub write: Vec<Who>,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A user.
    User(String),
    /// All members of a group.
    Group(String),
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP.
    Address(SocketAddr),
    /// A Unix socket.
    Path(PathBuf),
}

/// Something to run when something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// For the log.
    pub name: String,
    /// On what; everything if there is none.
    pub on: Option<BTreeSet<EventKind>>,
    /// What.
    pub call: Call,
    /// Longest time of one try, in milliseconds.
    pub timeout_ms: u64,
    /// Tries after the first.
    pub retries: u32,
    /// On every node that sees it, not on one.
    pub everywhere: bool,
}

/// What a hook does.
#[derive(Clone, PartialEq, Eq)]
pub enum Call {
    /// Runs a program: its path and arguments.
    Program(Vec<String>),
    /// Posts to a URL, which may be a secret.
    Webhook {
        /// Where to.
        url: Zeroizing<String>,
        /// File with further headers, one `Name: value` a line.
        headers_file: Option<String>,
        /// File of the certificates that are trusted.
        ca_file: Option<String>,
    },
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(command) => f.debug_tuple("Program").field(command).finish(),
            Self::Webhook { .. } => f.debug_struct("Webhook").finish_non_exhaustive(),
        }
    }
}
