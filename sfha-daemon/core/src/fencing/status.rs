//! What the console and `sfha stonith` show: phases with what is left of every wait.

use serde::{Deserialize, Serialize};

use super::state::{Cause, Held, Phase, Problem};
use super::{Fencing, STORM_WINDOW};
use crate::state::NodeId;
use crate::time::Time;

/// Fencing, as one member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingStatus {
    /// Fencing is on.
    pub enabled: bool,
    /// Names of what is tried for most nodes, in this order.
    pub levels: Vec<String>,
    /// Fencings begun in the last five minutes.
    pub begun: usize,
    /// Most that may begin by themselves in five minutes.
    pub limit: usize,
    /// The limit holds a fencing back.
    pub storm: bool,
    /// The other nodes.
    pub nodes: Vec<NodeFencing>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFencing {
    /// Its id.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Whether what it had may be taken by others.
    pub harmless: bool,
    /// It left in order.
    pub excused: bool,
    /// Names of what is tried, in this order.
    pub levels: Vec<String>,
    /// How far its fencing is.
    pub phase: Option<Phase>,
    /// Why it is fenced.
    pub cause: Option<Cause>,
    /// What went wrong last.
    pub error: Option<Problem>,
    /// Until the next step, where only time is waited for.
    pub next_ms: Option<u64>,
    /// Until its watchdog must have reset it.
    pub watchdog_ms: Option<u64>,
    /// Its watchdog runs, with this time-out.
    pub watchdog_timeout_ms: Option<u64>,
    /// It is to be switched on.
    pub switching_on: bool,
}

/// What would be done to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Who would do it.
    pub actor: Option<NodeId>,
    /// With what, in this order.
    pub levels: Vec<String>,
    /// How long after its loss.
    pub delay_ms: u64,
    /// What would keep it from being fenced now.
    pub held: Option<Held>,
}

fn left_ms(at: Time, now: Time) -> u64 {
    u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX)
}

impl Fencing {
    /// How things stand.
    #[must_use]
    pub fn status(&self, now: Time) -> FencingStatus {
        let nodes: Vec<NodeFencing> = self.nodes.keys().map(|node| self.node_status(*node, now)).collect();
        let stormy = |node: &NodeFencing| node.phase == Some(Phase::Suspected { held: Some(Held::Storm) });
        FencingStatus {
            enabled: self.settings.enabled,
            levels: self.settings.levels.iter().map(|level| level.name().to_owned()).collect(),
            begun: self.begun.iter().filter(|(_, at)| now.since(*at) < STORM_WINDOW).count(),
            limit: self.storm_limit(),
            storm: nodes.iter().any(stormy),
            nodes,
        }
    }

    /// What would be done to a node if it were lost now, or (`requested`) if an operator wanted it fenced.
    #[must_use]
    pub fn plan(&self, node: NodeId, requested: bool, now: Time) -> Plan {
        let cause = if requested { Cause::Requested { by: String::new() } } else { Cause::Lost };
        Plan {
            actor: self.actor(node),
            levels: self.level_names(node),
            delay_ms: u64::try_from(self.delay(node, &cause).as_millis()).unwrap_or(u64::MAX),
            held: self.held(node, &cause, now),
        }
    }

    fn level_names(&self, node: NodeId) -> Vec<String> {
        self.levels(node).iter().map(|level| level.name().to_owned()).collect()
    }

    fn node_status(&self, node: NodeId, now: Time) -> NodeFencing {
        let record = self.state.records.get(&node);
        let open = record.is_some_and(|record| !matches!(record.phase, Phase::Fenced(_)));
        let watchdog = self.watchdog_over_at(node).filter(|_| open && !self.members.contains(&node));
        NodeFencing {
            node,
            name: self.nodes.get(&node).cloned().unwrap_or_default(),
            harmless: self.is_harmless(node),
            excused: self.state.excused.contains(&node),
            levels: self.level_names(node),
            phase: record.map(|record| record.phase.clone()),
            cause: record.map(|record| record.cause.clone()),
            error: record.and_then(|record| record.error.clone()),
            next_ms: self.next_step_at(node, now).map(|at| left_ms(at, now)),
            watchdog_ms: watchdog.map(|at| left_ms(at, now)),
            watchdog_timeout_ms: self.state.watchdogs.get(&node).copied(),
            switching_on: self.state.switching_on.contains_key(&node),
        }
    }

    /// The end of a wait that only time ends.
    fn next_step_at(&self, node: NodeId, now: Time) -> Option<Time> {
        let record = self.state.records.get(&node)?;
        let entered = self.entered.get(&node).copied().unwrap_or(now);
        match &record.phase {
            Phase::Suspected { held } => self.held_until(node, *held),
            Phase::Delayed => Some(entered + self.delay(node, &record.cause)),
            Phase::Failed { round } => Some(entered + self.settings.safety.backoff(*round)),
            Phase::Fencing(_) | Phase::Verifying(_) | Phase::Fenced(_) => None,
        }
    }
}
