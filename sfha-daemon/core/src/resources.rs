//! What the cluster runs, as an operator describes it: services, checks, and what ties them together.
//!
//! VIPs and services are *resources*: each is on one node at most, and their names are of one space, so that a
//! constraint can name either.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fencing::FencingSettings;
use crate::qdevice::Qdevice;
use crate::state::Vip;

/// Most services a cluster can have.
pub const MAX_SERVICES: usize = 256;

/// Most health checks a cluster can have.
pub const MAX_CHECKS: usize = 256;

/// Most constraints a cluster can have.
pub const MAX_CONSTRAINTS: usize = 1024;

/// Longest time that a service may be given to start or to stop, in milliseconds: as long as the daemon's own
/// unit lets it wait (`TimeoutStopSec=`), less some time for itself. The others wait as long for a node they lost.
pub const MAX_SERVICE_TIMEOUT_MS: u64 = 10 * 60 * 1000;

/// A node's priority when nothing else is said; the greater one is preferred.
pub const DEFAULT_PRIORITY: u32 = 100;

/// What an operator describes for the whole cluster: replaced as a whole by
/// [`Command::Configure`](crate::Command::Configure).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// How resources are placed.
    pub policy: Policy,
    /// The VIPs, by name.
    pub vips: BTreeMap<String, Vip>,
    /// The services, by name.
    pub services: BTreeMap<String, Service>,
    /// The health checks, by name.
    pub checks: BTreeMap<String, HealthCheck>,
    /// What ties resources together.
    pub constraints: Vec<Constraint>,
    /// How fencing is set up; no secrets.
    #[serde(default)]
    pub stonith: FencingSettings,
    /// A vote from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdevice: Option<Qdevice>,
}

/// How resources are placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whether a node that returns takes back the lead, and the resources that prefer it.
    pub failback: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { failback: true }
    }
}

/// A systemd unit that runs on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The unit, with its suffix: `nginx.service`.
    pub unit: String,
    /// Names of nodes, the best first; the rest follow by priority and id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<String>,
    /// Whether it moves to another node when it fails, together with what it is colocated with. Otherwise its
    /// failure is only told.
    #[serde(default)]
    pub critical: bool,
    /// How often it is started again on its node before that; 0: never.
    #[serde(default)]
    pub restarts: u32,
    /// Failures older than this many seconds are forgotten.
    #[serde(default = "default_failure_expiry_s")]
    pub failure_expiry_s: u64,
    /// Longest time to start, in milliseconds; then it has failed.
    #[serde(default = "default_start_timeout_ms")]
    pub start_timeout_ms: u64,
    /// Longest time to stop, in milliseconds; then its processes are killed.
    #[serde(default = "default_stop_timeout_ms")]
    pub stop_timeout_ms: u64,
    /// What happens when somebody else starts the unit on a node where it is not to run.
    #[serde(default)]
    pub elsewhere: Elsewhere,
}

/// 10 minutes.
#[must_use]
pub fn default_failure_expiry_s() -> u64 {
    600
}

/// systemd's own default is 90 s; a cluster waits less.
#[must_use]
pub fn default_start_timeout_ms() -> u64 {
    30_000
}

/// As [`default_start_timeout_ms`].
#[must_use]
pub fn default_stop_timeout_ms() -> u64 {
    20_000
}

impl Service {
    /// That unit, with everything else as by default.
    #[must_use]
    pub fn new(unit: &str) -> Self {
        Self {
            unit: unit.to_owned(),
            prefer: Vec::new(),
            critical: false,
            restarts: 0,
            failure_expiry_s: default_failure_expiry_s(),
            start_timeout_ms: default_start_timeout_ms(),
            stop_timeout_ms: default_stop_timeout_ms(),
            elsewhere: Elsewhere::default(),
        }
    }
}

/// What happens to a unit that somebody else starts where it is not to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elsewhere {
    /// It is stopped.
    #[default]
    Stop,
    /// It is told, and left alone.
    Report,
}

/// Asks again and again whether something works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// How it asks.
    pub probe: Probe,
    /// Time between two questions, in milliseconds.
    #[serde(default = "default_interval_ms")]
    pub interval_ms: u64,
    /// Longest time for an answer, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// So many failures in a row make it unhealthy.
    #[serde(default = "default_fall")]
    pub fall: u32,
    /// So many successes in a row make it healthy.
    #[serde(default = "default_rise")]
    pub rise: u32,
    /// Failures do not count for so long after the service was started, in milliseconds.
    #[serde(default)]
    pub start_grace_ms: u64,
    /// The service that it belongs to: asked where that runs. `None`: every node is asked about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Of a check without a service: a node on which it fails takes nothing on and gives up what it has, as
    /// long as there is a better one.
    #[serde(default)]
    pub critical: bool,
    /// Of a check without a service: a unit that is restarted once when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_unit: Option<String>,
}

/// 5 s, as the original program's checks of services.
#[must_use]
pub fn default_interval_ms() -> u64 {
    5_000
}

/// 2 s, likewise.
#[must_use]
pub fn default_timeout_ms() -> u64 {
    2_000
}

/// Three failures.
#[must_use]
pub fn default_fall() -> u32 {
    3
}

/// Two successes.
#[must_use]
pub fn default_rise() -> u32 {
    2
}

/// How a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Probe {
    /// An HTTP or HTTPS GET.
    Http {
        /// `http://` or `https://`.
        url: String,
        /// The status that is healthy; any of 200 to 399 if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Text that the body has to contain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// File of the certificates that are trusted; the system's if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<String>,
    },
    /// A TCP connection that is accepted.
    Tcp {
        /// `HOST:PORT`.
        target: String,
    },
    /// A systemd unit that is active.
    Systemd {
        /// The unit, with its suffix.
        unit: String,
    },
    /// A program that ends with 0.
    Program {
        /// The program, by its whole path, and its arguments.
        command: Vec<String>,
    },
}

impl Probe {
    /// What `status` calls it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tcp { .. } => "tcp",
            Self::Systemd { .. } => "systemd",
            Self::Program { .. } => "program",
        }
    }
}

/// What ties two resources together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Constraint {
    /// `resource` runs only where `with` is.
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
}

impl Constraint {
    /// The two resources that it names.
    #[must_use]
    pub fn names(&self) -> [&str; 2] {
        match self {
            Self::Colocation { resource, with } => [resource, with],
            Self::Order { first, then } => [first, then],
        }
    }
}
