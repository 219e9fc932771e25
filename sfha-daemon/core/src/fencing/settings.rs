//! How fencing is set up. No secrets: those stay in the files that are named here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The section `stonith` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FencingSettings {
    /// Nothing of a lost node moves before that node is harmless.
    pub enabled: bool,
    /// Everything is decided and told, and nothing is switched; takeovers are as without fencing.
    pub dry_run: bool,
    /// What is tried, in this order, for nodes that say nothing else (`provider`).
    pub levels: Vec<Level>,
    /// Proxmox VE.
    pub proxmox: Option<Proxmox>,
    /// Any HTTP service.
    pub webhook: Option<Webhook>,
    /// Programs of Debian's `fence-agents`, by a name of the operator's.
    pub agents: BTreeMap<String, Agent>,
    /// The watchdog of nodes that have that level.
    pub watchdog: WatchdogDevice,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Target>,
    /// Limits and delays.
    pub safety: Safety,
    /// What follows when something on a member does not stop.
    pub on_stop_failure: OnStopFailure,
    /// Between two tests of all levels of all nodes, in seconds; 0: never.
    pub test_interval_s: u64,
}

impl Default for FencingSettings {
    fn default() -> Self {
        Self::off()
    }
}

impl FencingSettings {
    /// Fencing is off.
    #[must_use]
    pub fn off() -> Self {
        Self {
            enabled: false,
            dry_run: false,
            levels: Vec::new(),
            proxmox: None,
            webhook: None,
            agents: BTreeMap::new(),
            watchdog: WatchdogDevice::default(),
            nodes: BTreeMap::new(),
            safety: Safety::default(),
            on_stop_failure: OnStopFailure::default(),
            test_interval_s: 3600,
        }
    }

    /// As if there were no such section.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::off()
    }

    /// Takeovers wait until the lost node is harmless.
    #[must_use]
    pub const fn gates(&self) -> bool {
        self.enabled && !self.dry_run
    }

    /// What is tried for that node, in this order.
    #[must_use]
    pub fn levels_of(&self, node: &str) -> &[Level] {
        match self.nodes.get(node) {
            Some(target) if !target.levels.is_empty() => &target.levels,
            _ => &self.levels,
        }
    }

    /// Files that the settings name, each with the mode that it should have at most.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u32)> {
        let proxmox = self.proxmox.iter().map(|proxmox| &proxmox.token_secret_file);
        let webhook = self.webhook.iter().filter_map(|webhook| webhook.headers_file.as_ref());
        let agents = self.agents.values().filter_map(|agent| agent.secrets_file.as_ref());
        let secret = proxmox.chain(webhook).chain(agents).map(|path| (path.clone(), 0o600));
        let trusts = [self.proxmox.as_ref().map(|p| &p.trust), self.webhook.as_ref().map(|w| &w.trust)];
        let authorities = trusts.into_iter().flatten().filter_map(|trust| match trust {
            Trust::CaFile(path) => Some((path.clone(), 0o644)),
            Trust::System | Trust::Fingerprint(_) | Trust::Any => None,
        });
        let files: BTreeMap<PathBuf, u32> = authorities.chain(secret).collect();
        files.into_iter().collect()
    }

    /// A driver's answer that it switched a node off is believed: there is no way to ask for its status.
    #[must_use]
    pub fn answer_is_proof(&self, level: &Level) -> bool {
        *level == Level::Webhook && self.webhook.as_ref().is_some_and(|webhook| webhook.answer_is_proof)
    }
}

/// What follows when something on a member does not stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnStopFailure {
    /// The node is fenced, so that others can take over.
    Fence,
    /// It is, where what does not stop is a critical service.
    #[default]
    FenceCritical,
    /// Nothing: it stays where it is, and is tried again.
    Wait,
}

/// A watchdog with a shorter time-out resets machines whose daemon merely died, in milliseconds: systemd needs up to
/// 5 s (`WatchdogSec=`) to notice that one hangs, and then it is started anew.
pub const WATCHDOG_LEAST_MS: u64 = 10_000;

/// A watchdog, the same on every node that has the level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchdogDevice {
    /// Its device.
    pub device: PathBuf,
    /// Wanted time-out, in milliseconds; devices take whole seconds.
    pub timeout_ms: u64,
}

impl Default for WatchdogDevice {
    fn default() -> Self {
        Self { device: "/dev/watchdog".into(), timeout_ms: 15_000 }
    }
}

/// One way to make a node harmless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Proxmox VE.
    Proxmox,
    /// An HTTP service.
    Webhook,
    /// A `fence_*` program, by its name in [`FencingSettings::agents`].
    Agent(String),
    /// The node resets itself: wait for as long as that may take. Runs beside the other levels.
    Watchdog,
}

impl Level {
    /// Its name, as it is configured and shown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Proxmox => "proxmox",
            Self::Webhook => "webhook",
            Self::Agent(name) => name,
            Self::Watchdog => "watchdog",
        }
    }
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Those that this system's authorities have signed.
    #[default]
    System,
    /// Those that an authority in this PEM file has signed.
    CaFile(PathBuf),
    /// This one alone: SHA-256 of the certificate, 64 hexadecimal digits, with or without colons. Neither its
    /// name nor its end counts.
    Fingerprint(String),
    /// Any: whoever is on the way reads the credentials. Only where an operator wrote `verify_ssl: false`.
    Any,
}

/// A Proxmox VE cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxmox {
    /// `https://HOST:8006`; the next one is asked where one cannot be reached.
    pub api_urls: Vec<String>,
    /// `USER@REALM!NAME`.
    pub token_id: String,
    /// File with the token's secret, 0600.
    pub token_secret_file: PathBuf,
    /// Which certificate the API has.
    #[serde(default)]
    pub trust: Trust,
    /// The host to look on where `/cluster/resources` does not tell (`pve_node`).
    #[serde(default)]
    pub host: Option<String>,
}

/// An HTTP service that can switch nodes. `{{node}}` and `{{action}}` (`fence`, `unfence`, `status`) are
/// replaced in URLs and bodies. A provider may want its key in one of those: they do not print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Switches a node off.
    pub fence_url: String,
    /// Switches a node on.
    #[serde(default)]
    pub unfence_url: Option<String>,
    /// Says whether a node is on; asked with GET.
    #[serde(default)]
    pub status_url: Option<String>,
    /// `GET`, `POST`, `PUT` or `DELETE`, for switching.
    pub method: String,
    /// Headers without secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// File with further headers, `Name: value` a line, 0600.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Body for switching.
    #[serde(default)]
    pub body_template: Option<String>,
    /// Time for one request, in milliseconds.
    pub timeout_ms: u64,
    /// Which certificate the service has.
    #[serde(default)]
    pub trust: Trust,
    /// Success of `fence_url` counts as proof, where there is no `status_url`.
    #[serde(default)]
    pub answer_is_proof: bool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("method", &self.method)
            .field("timeout_ms", &self.timeout_ms)
            .field("trust", &self.trust)
            .field("answer_is_proof", &self.answer_is_proof)
            .finish_non_exhaustive()
    }
}

/// A `fence_*` program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `fence_ipmilan`; looked for in `/usr/sbin`.
    pub program: String,
    /// Its parameters, as its metadata names them, without secrets. `{{node}}` is replaced.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// File with further parameters, `name=value` a line, 0600.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
}

/// A node, as the drivers know it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// `qemu` or `lxc` (Proxmox).
    #[serde(default)]
    pub guest: Option<GuestType>,
    /// Number of the guest (Proxmox).
    #[serde(default)]
    pub vmid: Option<u32>,
    /// What is tried for this node; what is tried for all if empty.
    #[serde(default)]
    pub levels: Vec<Level>,
    /// Parameters of agents for this node only, over those of the agent: `port`, `plug`, `ip` …
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// Kinds of guests of Proxmox VE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestType {
    /// A virtual machine.
    Qemu,
    /// A container.
    Lxc,
}

impl GuestType {
    /// As it is in the API's paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
        }
    }
}

/// Limits and delays. In milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Safety {
    /// Least time between two fencings of one node that nobody asked for.
    pub min_delay_between_fence_ms: u64,
    /// Most fencings that nobody asked for begun in five minutes, in the whole cluster.
    pub max_fences_per_5min: u32,
    /// Time for nodes to appear after a start before they are held for lost.
    pub startup_grace_ms: u64,
    /// Between a node's loss and its fencing.
    pub delay_ms: u64,
    /// Additional wait, where both sides of a split keep quorum, of the side that holds less: longer than the
    /// other side needs to fence.
    pub head_start_ms: u64,
    /// Tries of one level before the next one.
    pub attempts: u32,
    /// Between two tries.
    pub retry_ms: u64,
    /// After all levels have failed, before the first is tried again; doubled each time.
    pub backoff_ms: u64,
    /// Most of that.
    pub backoff_max_ms: u64,
    /// Time for one call of a driver.
    pub call_ms: u64,
    /// Time for a node that was switched off to be seen off.
    pub verify_ms: u64,
    /// Between two looks.
    pub verify_every_ms: u64,
    /// What survivors wait in addition to a node's watchdog time: the two sides do not notice at once.
    pub watchdog_margin_ms: u64,
    /// A node that was fenced by a driver is switched on again.
    pub power_on: bool,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            min_delay_between_fence_ms: 60_000,
            max_fences_per_5min: 2,
            startup_grace_ms: 120_000,
            delay_ms: 10_000,
            head_start_ms: 10_000,
            attempts: 2,
            retry_ms: 2_000,
            backoff_ms: 10_000,
            backoff_max_ms: 300_000,
            call_ms: 30_000,
            verify_ms: 20_000,
            verify_every_ms: 1_000,
            watchdog_margin_ms: 5_000,
            power_on: false,
        }
    }
}

impl Safety {
    /// Wait after the given round of all levels, counted from 1, has failed.
    #[must_use]
    pub fn backoff(&self, round: u32) -> Duration {
        let doubled = self.backoff_ms.saturating_mul(1_u64 << round.saturating_sub(1).min(20));
        Duration::from_millis(doubled.min(self.backoff_max_ms))
    }
}
