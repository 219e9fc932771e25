//! What can be asked to happen, as an operator writes it.

use std::collections::BTreeMap;

use sfha_proto::{ErrorCode, Failure};

use crate::state::{ClusterState, NodeId};

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The power of a node goes.
    NodeLost(NodeId),
    /// A node is switched on, or reached again, and its daemon runs.
    NodeBack(NodeId),
    /// The daemon of a node dies and stays dead.
    DaemonDead(NodeId),
    /// Nobody has quorum.
    QuorumLost,
    /// A node is taken out of service, or put back.
    Standby(NodeId, bool),
    /// Everything is moved; to that node, or to the best other one.
    Failover(Option<NodeId>),
    /// Hands off, or on.
    Maintenance(bool),
    /// The unit of a service dies where it runs.
    ServiceFailed(String),
    /// A health check fails where it is asked; one that belongs to no service, on the leader.
    CheckFailed(String),
    /// Nodes are on sides that do not reach each other; who is not named is on the first.
    Partition(BTreeMap<NodeId, usize>),
}

/// The events, as they are written.
pub const FORMS: [&str; 11] = [
    "node-lost:NODE",
    "node-back:NODE",
    "daemon-dead:NODE",
    "quorum-lost",
    "standby:NODE",
    "unstandby:NODE",
    "failover[:NODE]",
    "maintenance:on|off",
    "service-failed:SERVICE",
    "check-failed:CHECK",
    "partition:NODE,…/NODE,…",
];

impl Happening {
    /// Reads one.
    ///
    /// # Errors
    /// `invalid-parameter` with what there is to choose from in `choices`, if there is no such event, node, service
    /// or check.
    pub fn read(text: &str, state: &ClusterState) -> Result<Self, Failure> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        let refused = |value: &str, reason: &str, choices: Vec<&str>| {
            Failure::new(ErrorCode::InvalidParameter)
                .with("parameter", text)
                .with("value", value)
                .with("reason", reason)
                .with("choices", choices)
        };
        let node_named = |name: &str| {
            let names = || state.nodes.values().map(|node| node.name.as_str()).collect();
            state.node_id(name).ok_or_else(|| refused(name, "unknown-node", names()))
        };
        let node = || node_named(name.unwrap_or_default());
        Ok(match (kind, name) {
            ("node-lost", _) => Self::NodeLost(node()?),
            ("node-back", _) => Self::NodeBack(node()?),
            ("daemon-dead", _) => Self::DaemonDead(node()?),
            ("quorum-lost", None) => Self::QuorumLost,
            ("standby", _) => Self::Standby(node()?, true),
            ("unstandby", _) => Self::Standby(node()?, false),
            ("failover", None) => Self::Failover(None),
            ("failover", Some(_)) => Self::Failover(Some(node()?)),
            ("maintenance", Some("on")) => Self::Maintenance(true),
            ("maintenance", Some("off")) => Self::Maintenance(false),
            ("maintenance", name) => {
                return Err(refused(name.unwrap_or_default(), "on-off", vec!["on", "off"]));
            }
            ("service-failed", name) => {
                let name = name.unwrap_or_default();
                if !state.services.contains_key(name) {
                    let names = state.services.keys().map(String::as_str).collect();
                    return Err(refused(name, "unknown-service", names));
                }
                Self::ServiceFailed(name.to_owned())
            }
            ("check-failed", name) => {
                let name = name.unwrap_or_default();
                if !state.checks.contains_key(name) {
                    let names = state.checks.keys().map(String::as_str).collect();
                    return Err(refused(name, "unknown-check", names));
                }
                Self::CheckFailed(name.to_owned())
            }
            ("partition", Some(sides)) => {
                let mut found = BTreeMap::new();
                for (number, side) in sides.split('/').enumerate() {
                    for name in side.split(',') {
                        found.insert(node_named(name)?, number);
                    }
                }
                Self::Partition(found)
            }
            _ => return Err(refused(kind, "event", FORMS.to_vec())),
        })
    }
}
