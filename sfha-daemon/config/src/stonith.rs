//! What `stonith:` says. Secrets are overwritten when dropped and are not shown by `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// `stonith:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stonith {
    /// Whether nodes are fenced.
    pub enabled: bool,
    /// `proxmox` or `webhook`.
    pub provider: String,
    /// `proxmox:`
    pub proxmox: Option<Proxmox>,
    /// `webhook:`
    pub webhook: Option<Webhook>,
    /// The guest that each node is, by its name.
    pub nodes: BTreeMap<String, Guest>,
    /// `safety:`
    pub safety: Safety,
}

/// `stonith.proxmox:`
#[derive(Clone, PartialEq, Eq)]
pub struct Proxmox {
    /// Of the API: `https://192.168.1.100:8006`.
    pub api_url: String,
    /// `user@realm!token`
    pub token_id: String,
    /// The secret itself.
    pub token_secret: Option<Zeroizing<String>>,
    /// Path of the file that holds it.
    pub token_secret_file: Option<String>,
    /// Whether the certificate is checked.
    pub verify_ssl: bool,
    /// File of the certificates that are trusted.
    pub ca_file: Option<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<String>,
    /// The node of Proxmox where guests are looked for first.
    pub pve_node: Option<String>,
}

impl fmt::Debug for Proxmox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxmox").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// `stonith.webhook:`
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Asked to fence.
    pub fence_url: String,
    /// Asked to take that back.
    pub unfence_url: Option<String>,
    /// Asked whether a node runs.
    pub status_url: Option<String>,
    /// How.
    pub method: Method,
    /// Headers, in the order of their names.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// Body, with `{{node}}` and `{{action}}` in it.
    pub body_template: Option<Zeroizing<String>>,
    /// Longest time for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// Whether the certificate is checked.
    pub verify_ssl: bool,
    /// File of the certificates that are trusted.
    pub ca_file: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

/// A guest of Proxmox VE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// Container or machine.
    pub kind: GuestKind,
    /// Its id.
    pub vmid: u32,
}

/// What a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// A container.
    Lxc,
    /// A virtual machine.
    Qemu,
}

/// `stonith.safety:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// Least time between two fencings of one node, in milliseconds.
    pub min_delay_between_fence_ms: u64,
    /// Most fencings in five minutes.
    pub max_fences_per_5min: u32,
    /// Nobody is fenced for so long after the start, in milliseconds.
    pub startup_grace_period_ms: u64,
    /// Time between a node's loss and its fencing, in milliseconds.
    pub fence_delay_on_node_left_ms: u64,
}

impl Default for Safety {
    /// Those of the original program.
    fn default() -> Self {
        Self {
            min_delay_between_fence_ms: 60_000,
            max_fences_per_5min: 2,
            startup_grace_period_ms: 120_000,
            fence_delay_on_node_left_ms: 10_000,
        }
    }
}
