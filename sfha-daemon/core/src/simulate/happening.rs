//! What can be asked to happen, as an operator writes it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use sfha_proto::{ErrorCode, Failure};

use crate::resources::Service;
use crate::state::{ClusterState, NodeId};
use crate::unit;

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
    /// A VIP is added, with that name and address.
    VipAdded(String, IpNet),
    /// A VIP is removed.
    VipRemoved(String),
    /// A service is added, all but its unit as by default.
    ServiceAdded(String, Box<Service>),
    /// A service is removed.
    ServiceRemoved(String),
    /// A node is taken out for good.
    NodeRemoved(NodeId),
    /// An operator has a node switched off.
    Fenced(NodeId),
    /// An operator has it switched on, and its daemon runs.
    Unfenced(NodeId),
    /// An operator answers for its being off.
    Confirmed(NodeId),
}

/// The events, as they are written.
pub const FORMS: [&str; 19] = [
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
    "vip-add:NAME=ADDRESS/PREFIX",
    "vip-remove:VIP",
    "service-add:NAME=UNIT",
    "service-remove:SERVICE",
    "node-remove:NODE",
    "fence:NODE",
    "unfence:NODE",
    "confirm:NODE",
];

impl Happening {
    /// Reads one.
    ///
    /// # Errors
    /// `invalid-parameter` with what there is to choose from in `choices`, if there is no such event, node, VIP,
    /// service or check, or with what is wrong about something that would be new.
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
        let known = |reason: &str, mut names: Box<dyn Iterator<Item = &String> + '_>| {
            let wanted = name.unwrap_or_default();
            let names: Vec<&str> = names.by_ref().map(String::as_str).collect();
            if names.contains(&wanted) { Ok(wanted.to_owned()) } else { Err(refused(wanted, reason, names)) }
        };
        let service = || known("unknown-service", Box::new(state.services.keys()));
        // What is wrong with a name, or taken, the state itself judges when it is added.
        let pair = |form: &str| {
            let pair = name.and_then(|text| text.split_once('='));
            pair.ok_or_else(|| refused(name.unwrap_or_default(), "event", vec![form]))
        };
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
            ("service-failed", _) => Self::ServiceFailed(service()?),
            ("check-failed", _) => Self::CheckFailed(known("unknown-check", Box::new(state.checks.keys()))?),
            ("vip-add", _) => {
                let (name, address) = pair("vip-add:NAME=ADDRESS/PREFIX")?;
                let parsed = address.parse().map_err(|_| refused(address, "cidr", Vec::new()))?;
                Self::VipAdded(name.to_owned(), parsed)
            }
            ("vip-remove", _) => Self::VipRemoved(known("unknown-vip", Box::new(state.vips.keys()))?),
            ("service-add", _) => {
                let (name, unit) = pair("service-add:NAME=UNIT")?;
                let unit = unit::whole_name(unit).ok_or_else(|| refused(unit, "unit", Vec::new()))?;
                Self::ServiceAdded(name.to_owned(), Box::new(Service::new(&unit)))
            }
            ("service-remove", _) => Self::ServiceRemoved(service()?),
            ("node-remove", _) => Self::NodeRemoved(node()?),
            ("fence", _) => Self::Fenced(node()?),
            ("unfence", _) => Self::Unfenced(node()?),
            ("confirm", _) => Self::Confirmed(node()?),
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
