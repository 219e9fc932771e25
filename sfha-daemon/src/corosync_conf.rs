//! The text of `corosync.conf`, rendered from the cluster's state and read back. Pure: no file is touched here.
//!
//! What is fixed and why (sources: corosync.conf(5), votequorum(5), and runs of Corosync 3.1.7):
//!
//! - `two_node: 1` exactly with two nodes. The running Corosync follows it in both directions at a reload.
//! - `wait_for_all` is never written. Unwritten, it follows `two_node` at every reload. Written, its value at
//!   *start-up* sticks until Corosync restarts: two nodes started with `wait_for_all: 1` and grown to three
//!   keep it, the third has it not, and after losing quorum once the members of one and the same partition
//!   disagree on whether they are quorate.
//! - `token_coefficient: 0`: the token is what the profile says, however many nodes there are.
//! - With one link, knet gives it up only after twice the token timeout. Corosync's default, half of the token, makes a
//!   node that pauses for 0.6 token lose its link, and with it the token that it would still have been in time for:
//!   the ring broke in 16 of 40 such pauses, and in none with this. There is no other link to change to anyway, and a
//!   dead node is noticed by the token.
//! - With two links, `link_mode: active`: everything goes over both, and nothing has to be noticed before it goes on
//!   over the other. Passive mode changes links when one is given up, and the ring broke in 3 of 7 cuts of
//!   the first link, with the default of half the token and with a quarter of it; in active mode in none of 16.
//! - `knet_mtu` is the MTU of the interface: knet takes off what IP, UDP, its own header and its encryption need.
//! - `config_version` must rise with every change: a node that meets others for the first time since its
//!   start with a version below the highest one is terminated by its own Corosync.
//!
//! Corosync's parser knows no quoting, so a value that could end its line is refused, not escaped.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sfha_core::qdevice::{Algorithm, Qdevice, Tls};

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{ParseError, is_ours, parse};

/// First characters of every file that sfha writes.
const HEADER: &str = "# Written by sfha";

/// Longest name of a cluster or a node, in bytes.
pub const MAX_NAME_LEN: usize = 63;

/// Shortest token timeout that is accepted, in milliseconds. Corosync wants more than 126 ms with its default of
/// four retransmissions; below 200 ms rings were seen to re-form without any fault.
pub const MIN_TOKEN_MS: u32 = 200;

/// Shortest consensus timeout that is accepted, in milliseconds: it must exceed Corosync's `join` timeout of 50 ms.
pub const MIN_CONSENSUS_MS: u32 = 60;

/// How often knet looks whether a link is up, in milliseconds: just below the 200 ms of its timer
/// (`KNET_THREADS_TIMERES`), so that it looks each time.
///
/// At any longer interval the links of one node come up at different turns of that timer. A node that comes back
/// is then heard by one member and not by the other for longer than the consensus timeout, and the ring of those
/// who had stayed together falls apart.
const PING_INTERVAL_MS: u32 = 190;

/// Longest token or consensus timeout that is accepted, in milliseconds.
pub const MAX_TIMEOUT_MS: u32 = 60_000;

/// How fast the loss of a node is noticed, against how easily a slow network is taken for a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Token 300 ms, consensus 100 ms. One quiet switch, machines that are not overloaded.
    Fast,
    /// Token 1000 ms, consensus 100 ms.
    #[default]
    Lan,
    /// Token 3000 ms, consensus 600 ms.
    Wan,
    /// Timeouts of the operator's choice.
    Custom {
        /// Token timeout in milliseconds, [`MIN_TOKEN_MS`] to [`MAX_TIMEOUT_MS`].
        token_ms: u32,
        /// Consensus timeout in milliseconds, [`MIN_CONSENSUS_MS`] to [`MAX_TIMEOUT_MS`].
        consensus_ms: u32,
    },
}

impl Profile {
    /// The profile with these timeouts (milliseconds), a named one where there is one.
    pub fn from_timeouts(token_ms: u32, consensus_ms: u32) -> Self {
        [Self::Fast, Self::Lan, Self::Wan]
            .into_iter()
            .find(|p| (p.token_ms(), p.consensus_ms()) == (token_ms, consensus_ms))
            .unwrap_or(Self::Custom { token_ms, consensus_ms })
    }

    /// How long the token may be absent before a node counts as lost, in milliseconds.
    pub fn token_ms(self) -> u32 {
        match self {
            Self::Fast => 300,
            Self::Lan => 1000,
            Self::Wan => 3000,
            Self::Custom { token_ms, .. } => token_ms,
        }
    }

    /// How long the survivors then take to agree on the new membership, in milliseconds.
    pub fn consensus_ms(self) -> u32 {
        match self {
            Self::Fast | Self::Lan => 100,
            Self::Wan => 600,
            Self::Custom { consensus_ms, .. } => consensus_ms,
        }
    }

    /// From a node's sudden death to the quorum callback on the survivors, in milliseconds (within a few percent).
    pub fn detection_ms(self) -> u32 {
        self.token_ms().saturating_add(self.consensus_ms())
    }
}

/// One node of the node list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfNode {
    /// Corosync's node id, not 0, never used again for another node.
    pub id: u32,
    /// Name of the node: ASCII letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Address on link 0 (the mesh).
    pub ring0: IpAddr,
    /// Address on link 1; all nodes have one or none has.
    pub ring1: Option<IpAddr>,
}

/// Everything that varies in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorosyncConf {
    /// Name of the cluster, same characters as a node's name.
    pub cluster_name: String,
    /// Version of this file, not 0 (Corosync takes 0 for "do not compare"), higher with every change.
    pub config_version: u64,
    /// All nodes; written in the order given.
    pub nodes: Vec<ConfNode>,
    /// Timeouts.
    pub profile: Profile,
    /// `knet_mtu` in bytes: the MTU of the interface the links run over. None: knet finds it out by itself.
    pub mtu: Option<u16>,
    /// A vote from outside; written for two nodes and more.
    pub device: Option<ConfDevice>,
}

/// `quorum.device`, of model `net`: the only one there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfDevice {
    /// What it is.
    #[serde(flatten)]
    pub qdevice: Qdevice,
    /// How long it may say nothing, in milliseconds.
    pub timeout_ms: u32,
}

/// Why a configuration is not rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConf {
    /// The node list is empty.
    #[error("no node")]
    NoNode,
    /// The device's host or port cannot be one.
    #[error("bad host or port of the quorum device: {0:?}")]
    BadDevice(String),
    /// `config_version` is 0.
    #[error("config_version is 0")]
    NoVersion,
    /// A cluster or node name is empty, too long or has a character that is not allowed.
    #[error("bad name {0:?}")]
    BadName(String),
    /// A node id is 0.
    #[error("node {0} has the id 0")]
    ZeroId(String),
    /// A node id, name or address occurs twice.
    #[error("{0} occurs twice")]
    Duplicate(String),
    /// An address that cannot be a node's.
    #[error("{0} cannot be the address of a node")]
    BadAddress(IpAddr),
    /// Some nodes have an address on link 1 and some have not.
    #[error("node {0} differs from the others in having an address on link 1 or not")]
    UnevenLinks(String),
    /// The addresses of one link are not of one family (knet wants them to be).
    #[error("node {0} has an address of another family than the others on link {1}")]
    MixedFamilies(String, u8),
    /// The token timeout is out of range.
    #[error("token timeout of {0} ms is out of range")]
    Token(u32),
    /// The consensus timeout is out of range.
    #[error("consensus timeout of {0} ms is out of range")]
    Consensus(u32),
    /// The MTU is below IPv4's and IPv6's minima.
    #[error("MTU of {0} is too small")]
    Mtu(u16),
}

impl CorosyncConf {
    /// Checks everything that Corosync would refuse, or would take for something else.
    pub fn validate(&self) -> Result<(), InvalidConf> {
        check_name(&self.cluster_name)?;
        if self.config_version == 0 {
            return Err(InvalidConf::NoVersion);
        }
        let first = self.nodes.first().ok_or(InvalidConf::NoNode)?;
        let mut seen = BTreeSet::new();
        for node in &self.nodes {
            check_name(&node.name)?;
            if node.id == 0 {
                return Err(InvalidConf::ZeroId(node.name.clone()));
            }
            if node.ring1.is_some() != first.ring1.is_some() {
                return Err(InvalidConf::UnevenLinks(node.name.clone()));
            }
            let links = [(Some(node.ring0), Some(first.ring0), 0), (node.ring1, first.ring1, 1)];
            for (address, reference, link) in links {
                if address.map(|a| a.is_ipv4()) != reference.map(|a| a.is_ipv4()) {
                    return Err(InvalidConf::MixedFamilies(node.name.clone(), link));
                }
            }
            let addresses = [Some(node.ring0), node.ring1].into_iter().flatten();
            for address in addresses.clone() {
                if address.is_unspecified() || address.is_multicast() {
                    return Err(InvalidConf::BadAddress(address));
                }
            }
            let keys = [format!("id {}", node.id), format!("name {}", node.name)].into_iter();
            for key in keys.chain(addresses.map(|a| format!("address {a}"))) {
                if !seen.insert(key.clone()) {
                    return Err(InvalidConf::Duplicate(key));
                }
            }
        }
        let (token, consensus) = (self.profile.token_ms(), self.profile.consensus_ms());
        if !(MIN_TOKEN_MS..=MAX_TIMEOUT_MS).contains(&token) {
            return Err(InvalidConf::Token(token));
        }
        if !(MIN_CONSENSUS_MS..=MAX_TIMEOUT_MS).contains(&consensus) {
            return Err(InvalidConf::Consensus(consensus));
        }
        if let Some(device) = &self.device
            && device.qdevice.check().is_err()
        {
            return Err(InvalidConf::BadDevice(device.qdevice.host.clone()));
        }
        match self.mtu {
            Some(mtu) if mtu < 576 => Err(InvalidConf::Mtu(mtu)),
            _ => Ok(()),
        }
    }

    /// Whether the two-node rule applies: one of two may go on alone, after both have met once. A device's vote
    /// takes its place.
    pub fn two_node(&self) -> bool {
        self.nodes.len() == 2 && self.device.is_none()
    }

    /// The device, where there is something to decide. Alone a node needs no vote to go on, and could not go on
    /// for want of one.
    fn device(&self) -> Option<&ConfDevice> {
        self.device.as_ref().filter(|_| self.nodes.len() > 1)
    }

    /// `ip_version`, which restricts literal addresses too: the families in use and no other.
    fn ip_version(&self) -> &'static str {
        let mut addresses = self.nodes.iter().flat_map(|n| [Some(n.ring0), n.ring1]).flatten();
        match (addresses.clone().any(|a| a.is_ipv4()), addresses.any(|a| a.is_ipv6())) {
            (true, false) => "ipv4",
            (false, true) => "ipv6",
            _ => "ipv4-6",
        }
    }
}

/// Renders the file, the same text for the same input on every node.
pub fn render(conf: &CorosyncConf) -> Result<String, InvalidConf> {
    conf.validate()?;
    let mut out = format!("{HEADER} from the cluster's state; changes made here are overwritten.\n");
    // Writing to a String cannot fail.
    let _ = write_sections(&mut out, conf);
    Ok(out)
}

fn write_sections(out: &mut String, conf: &CorosyncConf) -> std::fmt::Result {
    writeln!(out, "totem {{")?;
    writeln!(out, "    version: 2")?;
    writeln!(out, "    cluster_name: {}", conf.cluster_name)?;
    writeln!(out, "    config_version: {}", conf.config_version)?;
    writeln!(out, "    transport: knet")?;
    writeln!(out, "    crypto_cipher: aes256")?;
    writeln!(out, "    crypto_hash: sha256")?;
    let two_links = conf.nodes.iter().any(|node| node.ring1.is_some());
    writeln!(out, "    link_mode: {}", if two_links { "active" } else { "passive" })?;
    writeln!(out, "    ip_version: {}", conf.ip_version())?;
    writeln!(out, "    token: {}", conf.profile.token_ms())?;
    writeln!(out, "    token_coefficient: 0")?;
    writeln!(out, "    consensus: {}", conf.profile.consensus_ms())?;
    if let Some(mtu) = conf.mtu {
        writeln!(out, "    knet_mtu: {mtu}")?;
    }
    for link in 0..=u8::from(two_links) {
        // The two are a pair: both or none.
        writeln!(out, "    interface {{")?;
        writeln!(out, "        linknumber: {link}")?;
        writeln!(out, "        knet_ping_interval: {PING_INTERVAL_MS}")?;
        writeln!(out, "        knet_ping_timeout: {}", conf.profile.token_ms() * 2)?;
        writeln!(out, "    }}")?;
    }
    writeln!(out, "}}\n\nquorum {{")?;
    writeln!(out, "    provider: corosync_votequorum")?;
    if conf.two_node() {
        writeln!(out, "    two_node: 1")?;
    }
    if let Some(device) = conf.device() {
        write_device(out, device, conf.nodes.len())?;
    }
    writeln!(out, "}}\n\nnodelist {{")?;
    for node in &conf.nodes {
        writeln!(out, "    node {{")?;
        writeln!(out, "        nodeid: {}", node.id)?;
        writeln!(out, "        name: {}", node.name)?;
        writeln!(out, "        ring0_addr: {}", node.ring0)?;
        if let Some(ring1) = node.ring1 {
            writeln!(out, "        ring1_addr: {ring1}")?;
        }
        writeln!(out, "    }}")?;
    }
    writeln!(out, "}}\n\nlogging {{")?;
    writeln!(out, "    to_stderr: no")?;
    writeln!(out, "    to_logfile: no")?;
    writeln!(out, "    to_syslog: yes")?;
    writeln!(out, "}}")
}

fn write_device(out: &mut String, device: &ConfDevice, nodes: usize) -> std::fmt::Result {
    let ConfDevice { qdevice, timeout_ms } = device;
    let algorithm = match qdevice.algorithm {
        Algorithm::Ffsplit => "ffsplit",
        Algorithm::Lms => "lms",
    };
    let tls = match qdevice.tls {
        Tls::Off => "off",
        Tls::On => "on",
        Tls::Required => "required",
    };
    writeln!(out, "    device {{")?;
    writeln!(out, "        model: net")?;
    writeln!(out, "        votes: {}", qdevice.votes(nodes))?;
    writeln!(out, "        timeout: {timeout_ms}")?;
    writeln!(out, "        net {{")?;
    writeln!(out, "            host: {}", qdevice.host)?;
    writeln!(out, "            port: {}", qdevice.port)?;
    writeln!(out, "            algorithm: {algorithm}")?;
    writeln!(out, "            tls: {tls}")?;
    writeln!(out, "        }}")?;
    writeln!(out, "    }}")
}

fn check_name(name: &str) -> Result<(), InvalidConf> {
    let fits = !name.is_empty() && name.len() <= MAX_NAME_LEN;
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits && clean { Ok(()) } else { Err(InvalidConf::BadName(name.to_owned())) }
}
