//! What travels between two daemons inside the tunnel: one small JSON document a datagram.
//!
//! ```json
//! {"v":1,"k":"p","q":17,"t":81234567,"r":[[2,0,1,1763840000,812,0,1,1763840001,"203.0.113.7:51820"]]}
//! ```
//!
//! `k`: probe or answer; `q`, `t`: number and sending time of the probe, which the answer returns; `r`: the
//! sender's report, only in probes. Lists instead of objects: the reports of sixteen nodes fit in a datagram.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::state::{MAX_NODES, NodeId};

/// Version of the form.
pub const VERSION: u8 = 1;

/// Most bytes of a datagram: less than any MTU that WireGuard can have over IPv6.
pub const MAX_DATAGRAM: usize = 1200;

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// What it is.
    pub kind: Kind,
    /// Number of the probe.
    pub number: u32,
    /// When the probe was sent, by its sender's clock, in microseconds.
    pub stamp: u64,
    /// What the sender sees of each node; empty in an answer.
    pub report: Vec<Entry>,
}

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks for an answer.
    Probe,
    /// The answer.
    Answer,
}

/// What one node says about the path to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The node that relays; `None`: the direct path is in use.
    pub via: Option<NodeId>,
    /// The direct path works, as far as it can tell.
    pub direct: bool,
    /// Raised with every change, also over restarts.
    pub version: u64,
}

/// What the sender of a report knows about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The node this is about.
    pub node: NodeId,
    /// What the sender says about its path to it.
    pub claim: Claim,
    /// Round-trip time, in microseconds, while it answers.
    pub rtt_us: Option<u32>,
    /// What that node said last about its path to the receiver, while the sender hears it.
    pub hearsay: Option<Claim>,
    /// Where the sender's WireGuard hears that node, if it does.
    pub endpoint: Option<SocketAddr>,
}

/// Why a datagram is no good. Nothing of it is used then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More than [`MAX_DATAGRAM`] bytes.
    #[error("more than {MAX_DATAGRAM} bytes")]
    TooLong,
    /// Not this document.
    #[error("not a probe")]
    Form,
    /// Another version of the form.
    #[error("version {0} is not known")]
    Version(u8),
}

#[derive(Serialize, Deserialize)]
struct Form {
    v: u8,
    k: char,
    q: u32,
    t: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    r: Vec<Row>,
}

/// Node; claim: relay or 0, direct or not, version; round trip; hearsay: the same three; endpoint.
#[derive(Serialize, Deserialize)]
struct Row(NodeId, NodeId, u8, u64, Option<u32>, Option<NodeId>, Option<u8>, Option<u64>, Option<SocketAddr>);

impl Datagram {
    /// As bytes, at most [`MAX_DATAGRAM`]. A report that is too long loses endpoints first, then its last rows.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let k = match self.kind {
            Kind::Probe => 'p',
            Kind::Answer => 'a',
        };
        let mut form = Form {
            v: VERSION,
            k,
            q: self.number,
            t: self.stamp,
            r: self.report.iter().take(MAX_NODES).map(row).collect(),
        };
        loop {
            // Plain numbers and addresses: there is nothing in it that JSON cannot hold.
            let bytes = serde_json::to_vec(&form).unwrap_or_default();
            if bytes.len() <= MAX_DATAGRAM {
                return bytes;
            }
            match form.r.iter_mut().rev().find(|row| row.8.is_some()) {
                Some(row) => row.8 = None,
                None => drop(form.r.pop()),
            }
        }
    }

    /// Reads one that came from the network.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Version {
            v: u8,
        }
        if bytes.len() > MAX_DATAGRAM {
            return Err(Malformed::TooLong);
        }
        let Version { v } = serde_json::from_slice(bytes).map_err(|_| Malformed::Form)?;
        if v != VERSION {
            return Err(Malformed::Version(v));
        }
        let form: Form = serde_json::from_slice(bytes).map_err(|_| Malformed::Form)?;
        let kind = match form.k {
            'p' => Kind::Probe,
            'a' => Kind::Answer,
            _ => return Err(Malformed::Form),
        };
        if form.r.len() > MAX_NODES {
            return Err(Malformed::Form);
        }
        let report = form.r.into_iter().map(entry).collect();
        Ok(Self { kind, number: form.q, stamp: form.t, report })
    }
}

fn row(entry: &Entry) -> Row {
    let (claim, hearsay) = (entry.claim, entry.hearsay);
    Row(
        entry.node,
        claim.via.unwrap_or(0),
        u8::from(claim.direct),
        claim.version,
        entry.rtt_us,
        hearsay.map(|claim| claim.via.unwrap_or(0)),
        hearsay.map(|claim| u8::from(claim.direct)),
        hearsay.map(|claim| claim.version),
        entry.endpoint,
    )
}

fn entry(row: Row) -> Entry {
    let claim = |via: NodeId, direct: u8, version| Claim {
        via: Some(via).filter(|via| *via != 0),
        direct: direct == 1,
        version,
    };
    let hearsay = match (row.5, row.6, row.7) {
        (Some(via), Some(direct), Some(version)) => Some(claim(via, direct, version)),
        _ => None,
    };
    Entry { node: row.0, claim: claim(row.1, row.2, row.3), rtt_us: row.4, hearsay, endpoint: row.8 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claims() -> impl Strategy<Value = Claim> {
        (any::<Option<NodeId>>(), any::<bool>(), any::<u64>()).prop_map(|(via, direct, version)| Claim {
            via: via.filter(|via| *via != 0),
            direct,
            version,
        })
    }

    fn entries() -> impl Strategy<Value = Entry> {
        (1_u32.., claims(), any::<Option<u32>>(), proptest::option::of(claims()), any::<Option<SocketAddr>>())
            .prop_map(|(node, claim, rtt_us, hearsay, endpoint)| {
                // Scope and flow are no part of an address that travels.
                let endpoint = endpoint.map(|at| SocketAddr::new(at.ip(), at.port()));
                Entry { node, claim, rtt_us, hearsay, endpoint }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            number: u32, stamp: u64, probe: bool, report in proptest::collection::vec(entries(), 0..4),
        ) {
            let kind = if probe { Kind::Probe } else { Kind::Answer };
            let datagram = Datagram { kind, number, stamp, report };
            prop_assert_eq!(Datagram::parse(&datagram.encode()), Ok(datagram));
        }

        #[test]
        fn sixteen_nodes_fit_whatever_they_say(report in proptest::collection::vec(entries(), 16)) {
            let datagram = Datagram { kind: Kind::Probe, number: u32::MAX, stamp: u64::MAX, report };
            let bytes = datagram.encode();
            prop_assert!(bytes.len() <= MAX_DATAGRAM);
            prop_assert!(Datagram::parse(&bytes).is_ok());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            let _ = Datagram::parse(&bytes);
        }

        #[test]
        fn no_document_makes_the_reader_panic(
            text in r#"\{"v":1,"k":"[a-z]?","q":-?[0-9]{1,12},"t":[0-9]{1,22}(,"r":\[(\[([0-9]{1,12},|null,|"[0-9.:]*",){0,9}1?\],?){0,20}\])?\}"#,
        ) {
            let _ = Datagram::parse(text.as_bytes());
        }
    }

    #[test]
    fn a_usual_report_of_sixteen_nodes_keeps_all_its_endpoints() {
        let claim = Claim { via: None, direct: true, version: 1_763_840_000 };
        let report: Vec<Entry> = (1..=16)
            .map(|node| Entry {
                node,
                claim,
                rtt_us: Some(24_300),
                hearsay: Some(claim),
                endpoint: Some("203.113.123.123:51820".parse().unwrap()),
            })
            .collect();
        let datagram = Datagram { kind: Kind::Probe, number: 1, stamp: 81_234_567, report };
        assert_eq!(Datagram::parse(&datagram.encode()), Ok(datagram));
    }

    #[test]
    fn the_form_is_the_one_that_is_documented() {
        let text = br#"{"v":1,"k":"p","q":17,"t":81234567,"r":[[2,0,1,1763840000,812,0,1,1763840001,"203.0.113.7:51820"]]}"#;
        let datagram = Datagram::parse(text).unwrap();
        assert_eq!(datagram.encode(), text);
        assert_eq!(datagram.report[0].rtt_us, Some(812));
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        assert_eq!(Datagram::parse(br#"{"v":2,"x":[]}"#), Err(Malformed::Version(2)));
        assert_eq!(Datagram::parse(b"[]"), Err(Malformed::Form));
        assert_eq!(Datagram::parse(&[b' '; 1201]), Err(Malformed::TooLong));
    }
}
