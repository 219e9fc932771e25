//! Reading a `corosync.conf` back: as much of the format as sfha writes, but for the quorum device; unknown keys
//! skipped.

use std::net::IpAddr;
use std::str::FromStr;

use super::{ConfNode, CorosyncConf, HEADER, Profile};

/// Corosync's defaults (corosync.conf(5)), for files that sfha did not write.
const DEFAULT_TOKEN_MS: u32 = 3000;

/// Why a file is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A line is neither `key: value`, `section {`, `}`, a comment nor empty.
    #[error("line {line} is not understood")]
    Syntax {
        /// Line number, from 1.
        line: usize,
    },
    /// A section is not closed.
    #[error("a section is not closed")]
    Unclosed,
    /// A value is not a number or an address where it has to be (a host name as a node's address, for one).
    #[error("line {line}: bad value of {key}")]
    BadValue {
        /// Line number, from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A node has no id or no address on link 0.
    #[error("the node that ends on line {line} has no {key}")]
    Missing {
        /// Line number, from 1.
        line: usize,
        /// The key.
        key: &'static str,
    },
}

/// Whether sfha wrote this file.
pub fn is_ours(text: &str) -> bool {
    text.starts_with(HEADER)
}

#[derive(Default)]
struct NodeDraft {
    id: Option<u32>,
    name: Option<String>,
    ring0: Option<IpAddr>,
    ring1: Option<IpAddr>,
}

/// Reads the file. Ours or not is a separate question: [`is_ours`]. The result is not validated.
pub fn parse(text: &str) -> Result<CorosyncConf, ParseError> {
    let mut conf = CorosyncConf {
        cluster_name: String::new(),
        config_version: 0,
        nodes: Vec::new(),
        profile: Profile::default(),
        mtu: None,
        device: None,
    };
    let (mut token, mut consensus) = (DEFAULT_TOKEN_MS, None);
    let mut node = NodeDraft::default();
    let mut path: Vec<&str> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let content = raw.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content == "}" {
            if path == ["nodelist", "node"] {
                conf.nodes.push(finish(std::mem::take(&mut node), line)?);
            }
            path.pop().ok_or(ParseError::Syntax { line })?;
            continue;
        }
        if let Some(section) = content.strip_suffix('{') {
            path.push(section.trim());
            continue;
        }
        let (key, value) = content.split_once(':').ok_or(ParseError::Syntax { line })?;
        let (key, value) = (key.trim(), value.trim());
        match (path.as_slice(), key) {
            (["totem"], "cluster_name") => value.clone_into(&mut conf.cluster_name),
            (["totem"], "config_version") => conf.config_version = number(key, value, line)?,
            (["totem"], "token") => token = number(key, value, line)?,
            (["totem"], "consensus") => consensus = Some(number(key, value, line)?),
            (["totem"], "knet_mtu") => conf.mtu = Some(number(key, value, line)?).filter(|mtu| *mtu != 0),
            (["nodelist", "node"], "nodeid") => node.id = Some(number(key, value, line)?),
            (["nodelist", "node"], "name") => node.name = Some(value.to_owned()),
            (["nodelist", "node"], "ring0_addr") => node.ring0 = Some(number(key, value, line)?),
            (["nodelist", "node"], "ring1_addr") => node.ring1 = Some(number(key, value, line)?),
            _ => {}
        }
    }
    if !path.is_empty() {
        return Err(ParseError::Unclosed);
    }
    // Corosync's own default: consensus is 1.2 times the token.
    let consensus = consensus.unwrap_or(token.saturating_add(token / 5));
    conf.profile = Profile::from_timeouts(token, consensus);
    Ok(conf)
}

fn finish(draft: NodeDraft, line: usize) -> Result<ConfNode, ParseError> {
    let id = draft.id.ok_or(ParseError::Missing { line, key: "nodeid" })?;
    let ring0 = draft.ring0.ok_or(ParseError::Missing { line, key: "ring0_addr" })?;
    Ok(ConfNode { id, name: draft.name.unwrap_or_default(), ring0, ring1: draft.ring1 })
}

/// A number or an address.
fn number<T: FromStr>(key: &str, value: &str, line: usize) -> Result<T, ParseError> {
    value.parse().map_err(|_| ParseError::BadValue { line, key: key.to_owned() })
}
