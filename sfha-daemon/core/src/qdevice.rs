//! A quorum device: a vote from outside, which one side of a split gets (corosync-qdevice(8)).
//!
//! While Corosync waits for the device's word on a new ring, for seconds where a lost node took its connection
//! to the device with it, its quorum service goes on saying what was so in the ring before. Nothing may be kept
//! on the strength of that: the other side may have been given the vote, and the quorum, meanwhile (measured:
//! two holders for 3.9 s). From a lost node on there is no quorum until the quorum service has spoken of the
//! new ring. If a yes is the first that it says, nobody else has had the vote since: the device waits until all
//! whom it hears have told it of their rings, and takes the vote back before it gives it to others
//! (qnetd-algo-ffsplit.c), and who lost the device meanwhile has been told no by his own end.
//!
//! A vote can also change sides while no ring changes, when the side that has it loses its connection to the
//! device. Each end misses the other by heartbeats, of 0.8 [`Qdevice::timeout`]: the device after half of one
//! at the earliest, the node after two at the latest.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_proto::Failure;

use crate::command::invalid;

/// The port of corosync-qnetd(8), TCP.
pub const QDEVICE_PORT: u16 = 5403;

/// Where the vote comes from, and who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qdevice {
    /// Host on which corosync-qnetd(8) runs: an address or a name.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Who gets the vote.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: Tls,
}

/// [`QDEVICE_PORT`].
#[must_use]
pub fn default_port() -> u16 {
    QDEVICE_PORT
}

/// Who gets the vote of the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// One vote, for the larger half; of two halves that are alike, for the one with the lowest id.
    #[default]
    Ffsplit,
    /// As many votes as there are nodes, less one: the last node that reaches the device goes on alone.
    Lms,
}

/// Whether the connection to the device is encrypted, and both ends are known by certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Never.
    Off,
    /// If the device offers it.
    On,
    /// Always.
    #[default]
    Required,
}

impl Qdevice {
    /// How long the device may say nothing, as it is set in `corosync.conf`.
    #[must_use]
    pub fn timeout(profile: &str) -> Duration {
        match profile {
            "wan" => Duration::from_secs(6),
            _ => Duration::from_secs(2),
        }
    }

    /// By how much later than the device a node may notice that they lost each other, with a margin.
    #[must_use]
    pub fn skew(profile: &str) -> Duration {
        Self::timeout(profile) * 2
    }

    /// Votes that it has in a cluster of so many nodes.
    #[must_use]
    pub fn votes(&self, nodes: usize) -> u32 {
        match self.algorithm {
            Algorithm::Ffsplit => 1,
            Algorithm::Lms => u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX),
        }
    }

    /// Whether this can stand in `corosync.conf`, which knows no quoting.
    ///
    /// # Errors
    /// `invalid-parameter`.
    pub fn check(&self) -> Result<(), Failure> {
        if !is_host(&self.host) {
            return Err(invalid("corosync.qdevice.host", &self.host, "host"));
        }
        if self.port == 0 {
            return Err(invalid("corosync.qdevice.port", "0", "port"));
        }
        Ok(())
    }
}

/// An address, or a host's name (RFC 1123, § 2.1).
#[must_use]
pub fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_nothing_that_ends_a_line() {
        for host in ["10.0.0.9", "fd00::9", "qnetd", "q-1.example.org"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "a\nport: 1", "-a", "a..b", "a_b", "q}", &"a".repeat(64)] {
            assert!(!is_host(host), "{host:?}");
        }
    }
}
