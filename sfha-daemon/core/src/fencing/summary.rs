//! Fencing in the words of the socket.

use sfha_proto::Failure;
use sfha_proto::fencing::{
    FencingCause, FencingEntry, FencingHappened, FencingHeld, FencingPhase, FencingPlan, FencingProof,
    FencingStorm, FencingSummary, NodeFencing as Told,
};

use super::state::{Cause, Entry, Happened, Held, Phase, Problem, Proof, Record};
use super::{Fencing, NodeFencing};
use crate::state::NodeId;
use crate::time::Time;

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let details = problem.details.iter();
        details.fold(Self::new(problem.code), |failure, (name, value)| failure.with(name, value.clone()))
    }
}

impl From<Held> for FencingHeld {
    fn from(held: Held) -> Self {
        match held {
            Held::Storm => Self::Storm,
            Held::TooSoon => Self::TooSoon,
            Held::Maintenance => Self::Maintenance,
            Held::NoDriver => Self::NoDriver,
        }
    }
}

impl From<&Proof> for FencingProof {
    fn from(proof: &Proof) -> Self {
        match proof {
            Proof::Off(_) => Self::Off,
            Proof::Answer(_) => Self::Answer,
            Proof::Confirmed { .. } => Self::Confirmed,
            Proof::Watchdog => Self::Watchdog,
        }
    }
}

impl From<&Cause> for FencingCause {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Lost => Self::Lost,
            Cause::Unseen => Self::Unseen,
            Cause::Requested { .. } => Self::Requested,
            Cause::StopFailed { .. } => Self::StopFailed,
        }
    }
}

impl From<&Phase> for FencingPhase {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Suspected { .. } => Self::Suspected,
            Phase::Delayed => Self::Delayed,
            Phase::Fencing(_) => Self::Fencing,
            Phase::Verifying(_) => Self::Verifying,
            Phase::Fenced(_) => Self::Fenced,
            Phase::Failed { .. } => Self::Failed,
        }
    }
}

impl From<Happened> for FencingHappened {
    fn from(what: Happened) -> Self {
        match what {
            Happened::Suspected => Self::Suspected,
            Happened::Held => Self::Held,
            Happened::Begun => Self::Begun,
            Happened::TryFailed => Self::TryFailed,
            Happened::Failed => Self::Failed,
            Happened::HandedOver => Self::HandedOver,
            Happened::Fenced => Self::Fenced,
            Happened::Returned => Self::Returned,
            Happened::SwitchOn => Self::SwitchOn,
            Happened::SwitchedOn => Self::SwitchedOn,
            Happened::SwitchOnFailed => Self::SwitchOnFailed,
        }
    }
}

/// One line of the history, with the nodes' names.
#[must_use]
pub fn entry(entry: &Entry, name: impl Fn(NodeId) -> String) -> FencingEntry {
    FencingEntry {
        at: entry.at,
        node: name(entry.node),
        episode: entry.episode,
        what: entry.what.into(),
        cause: entry.cause.as_ref().map(Into::into),
        by: entry.by.clone(),
        why: entry.why.clone(),
        actor: entry.actor.map(&name),
        level: entry.level.as_ref().map(|level| level.name().to_owned()),
        attempt: entry.attempt,
        held: entry.held.map(Into::into),
        proof: entry.proof.as_ref().map(Into::into),
        error: entry.error.as_ref().map(Into::into),
    }
}

impl Fencing {
    /// How things stand, in short; with what is left of every wait if the time is given: without it, only what
    /// changes by events is told.
    #[must_use]
    pub fn summary(&self, now: Option<Time>) -> FencingSummary {
        if !self.settings.enabled {
            return FencingSummary::default();
        }
        let status = self.status(now.unwrap_or_default());
        let others = status.nodes.iter().filter(|node| node.node != self.me);
        let nodes: Vec<Told> = others.map(|node| self.told(node, now.is_some())).collect();
        let open =
            |node: &&NodeFencing| node.phase.as_ref().is_some_and(|phase| !matches!(phase, Phase::Fenced(_)));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        FencingSummary {
            enabled: true,
            provider: status.levels.first().cloned(),
            pending: status.nodes.iter().filter(open).map(|node| node.name.clone()).collect(),
            levels: status.levels,
            dry_run: self.settings.dry_run,
            storm: Some(FencingStorm {
                begun: count(if now.is_some() { status.begun } else { self.begun.len() }),
                limit: count(status.limit),
                holding: status.storm,
                next_ms: now.filter(|_| status.storm).and_then(|now| {
                    let node = status
                        .nodes
                        .iter()
                        .find(|node| node.phase == Some(Phase::Suspected { held: Some(Held::Storm) }))?;
                    let at = self.held_until(node.node, Some(Held::Storm))?;
                    Some(u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX))
                }),
            }),
            nodes,
            alerts: Vec::new(),
            watchdog: None,
        }
    }

    fn told(&self, node: &NodeFencing, timed: bool) -> Told {
        let record = self.state.records.get(&node.node);
        let tried = match &node.phase {
            Some(Phase::Fencing(tried) | Phase::Verifying(tried)) => Some(tried),
            _ => None,
        };
        let proof = if let Some(Phase::Fenced(proof)) = &node.phase { Some(proof) } else { None };
        let did = match proof {
            Some(Proof::Off(level) | Proof::Answer(level)) => Some(level),
            _ => tried.map(|tried| &tried.level),
        };
        let held = if let Some(Phase::Suspected { held }) = &node.phase { *held } else { None };
        Told {
            name: node.name.clone(),
            phase: node.phase.as_ref().map(Into::into),
            harmless: node.harmless,
            excused: node.excused,
            levels: node.levels.clone(),
            held: held.map(Into::into),
            level: did.map(|level| level.name().to_owned()),
            attempt: tried.map(|tried| tried.attempt),
            rounds: record.map_or(0, |record| record.rounds),
            proof: proof.map(Into::into),
            cause: node.cause.as_ref().map(Into::into),
            by: by(record),
            since: self.since(node.node),
            next_ms: node.next_ms.filter(|_| timed),
            watchdog_ms: node.watchdog_ms.filter(|_| timed),
            watchdog_timeout_ms: node.watchdog_timeout_ms,
            switching_on: node.switching_on,
            error: node.error.as_ref().map(Into::into),
        }
    }

    /// When the phase that a node is in was entered, by the clock on the wall.
    fn since(&self, node: NodeId) -> Option<i64> {
        self.state.records.get(&node)?;
        let (told, wall) = self.clock?;
        Some(wall + self.entered.get(&node)?.ms_from(told).div_euclid(1000))
    }

    /// What would be done to a node if an operator wanted it fenced.
    #[must_use]
    pub fn told_plan(&self, node: NodeId, dry_run: bool, now: Time) -> FencingPlan {
        let plan = self.plan(node, true, now);
        let name = |id: NodeId| self.nodes.get(&id).cloned().unwrap_or_else(|| id.to_string());
        FencingPlan {
            schema: sfha_proto::SCHEMA,
            node: name(node),
            dry_run,
            actor: plan.actor.map(name),
            levels: plan.levels,
            delay_ms: plan.delay_ms,
            held: plan.held.map(Into::into),
        }
    }
}

/// The person who asked for it, or answers for it.
fn by(record: Option<&Record>) -> Option<String> {
    let record = record?;
    match (&record.phase, &record.cause) {
        (Phase::Fenced(Proof::Confirmed { by }), _) | (_, Cause::Requested { by }) => Some(by.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fencing::{FencingCommand, FencingEvent, FencingSettings, Level};

    #[test]
    fn a_summary_tells_who_is_pending_and_waits_only_with_the_time() {
        let settings =
            FencingSettings { enabled: true, levels: vec![Level::Proxmox], ..FencingSettings::off() };
        let mut fencing = Fencing::new(1, settings);
        let at = |ms: u64| Time::from_micros(ms * 1000);
        fencing.handle(FencingEvent::Clock { wall: 1_700_000_000 }, at(1000));
        let nodes = [(1, "n1".to_owned()), (2, "n2".to_owned())].into();
        fencing.handle(FencingEvent::Nodes { nodes }, at(1000));
        let view = |members: &[NodeId]| FencingEvent::View {
            members: members.iter().copied().collect(),
            quorate: true,
            leader: Some(1),
            two_node: false,
            holding: Default::default(),
        };
        fencing.handle(view(&[1, 2]), at(1000));
        assert!(fencing.summary(Some(at(1000))).pending.is_empty());
        fencing.handle(view(&[1]), at(5000));
        for _ in 0..2 {
            let Some(super::super::FencingAction::Propose(command)) = fencing.poll_action() else { panic!() };
            fencing.handle(FencingEvent::Applied { command }, at(5000));
        }
        let summary = fencing.summary(Some(at(7000)));
        assert_eq!((summary.provider.as_deref(), summary.pending), (Some("proxmox"), vec!["n2".to_owned()]));
        let [node] = summary.nodes.as_slice() else { panic!("{:?}", summary.nodes) };
        assert_eq!((node.phase, node.next_ms), (Some(FencingPhase::Delayed), Some(8000)));
        assert_eq!((node.since, node.cause), (Some(1_700_000_004), Some(FencingCause::Lost)));
        assert_eq!(fencing.summary(None).nodes[0].next_ms, None);
        let command = FencingCommand::Confirm { node: 2, by: "ann".into(), why: None, at: 7 };
        fencing.handle(FencingEvent::Applied { command }, at(8000));
        let summary = fencing.summary(Some(at(9000)));
        assert_eq!((summary.pending.len(), summary.nodes[0].by.as_deref()), (0, Some("ann")));
        assert_eq!(
            (summary.nodes[0].proof, summary.nodes[0].harmless),
            (Some(FencingProof::Confirmed), true)
        );
    }
}
