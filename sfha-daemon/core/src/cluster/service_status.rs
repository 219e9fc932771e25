//! Services and health checks as this node sees them: the same on every member that is in step.

use sfha_proto::status::{HealthStatus, ServiceStatus};

use super::Cluster;
use crate::ledger::Slot;
use crate::resources::Service;
use crate::state::NodeId;

impl Cluster {
    pub(super) fn service_statuses(&self) -> Vec<ServiceStatus> {
        self.state.services.iter().map(|(name, service)| self.service_status(name, service)).collect()
    }

    fn service_status(&self, name: &str, service: &Service) -> ServiceStatus {
        let named = |id: NodeId| self.state.node_name(id);
        let problem = self.ledger.problems.get(name).cloned();
        let stuck = self.ledger.stuck.contains_key(name);
        let mut holder = None;
        let state = match self.ledger.slots.get(name) {
            // Without quorum this node still knows what it is stopping.
            _ if !self.is_quorate() => {
                let mine = self.holds.contains_key(name);
                holder = mine.then_some(self.settings.me);
                if mine { "stopping" } else { "stopped" }
            }
            Some(Slot::Held { node, active, .. }) => {
                holder = (*active || stuck).then_some(*node);
                match (self.is_given_to(name, *node), active) {
                    _ if stuck => "failed",
                    (true, true) => "active",
                    (false, true) => "stopping",
                    (true, false) if problem.is_some() => "failed",
                    (true, false) if !self.firsts_stand(name) => "stopped",
                    (true, false) => "starting",
                    (false, false) => "stopped",
                }
            }
            Some(Slot::Lost { .. } | Slot::Free) if problem.is_some() => "failed",
            Some(Slot::Lost { .. } | Slot::Free) => "stopped",
            None => "unknown",
        };
        let target = self.plan.targets.get(name).copied();
        let target = target.filter(|target| self.is_operational() && Some(*target) != holder);
        let failures = self.ledger.failures.get(name).into_iter().flatten();
        let strays = self.ledger.strays.iter().filter(|(stray, _)| stray == name);
        ServiceStatus {
            name: name.to_owned(),
            unit: service.unit.clone(),
            state: state.to_owned(),
            holder: holder.map(named),
            healthy: holder.and_then(|holder| self.healthy(name, holder)),
            failures: failures.map(|(_, failures)| failures.count).fold(0, u32::saturating_add),
            target: target.map(named),
            problem,
            elsewhere: strays.map(|(_, id)| named(*id)).collect(),
            prefer: service.prefer.clone(),
        }
    }

    /// What all checks of a service say about it where it runs.
    fn healthy(&self, service: &str, holder: NodeId) -> Option<bool> {
        let checks = self.state.checks.iter();
        let own = checks.filter(|(_, check)| check.service.as_deref() == Some(service));
        let verdict = |name: &String| self.ledger.verdicts.get(name)?.get(&holder)?.healthy;
        together(own.map(|(name, _)| verdict(name)))
    }

    pub(super) fn health_statuses(&self) -> Vec<HealthStatus> {
        let check = |(name, check): (&String, &crate::resources::HealthCheck)| {
            // Of a check of a service, what the holder says; of others, what every node says about itself.
            let asked: Vec<NodeId> = match &check.service {
                None => self.daemons().into_iter().filter(|id| self.state.nodes.contains_key(id)).collect(),
                Some(service) => match self.ledger.slots.get(service) {
                    Some(Slot::Held { node, .. }) => vec![*node],
                    _ => Vec::new(),
                },
            };
            let verdicts = self.ledger.verdicts.get(name);
            let verdict = |id: &NodeId| verdicts.and_then(|verdicts| verdicts.get(id));
            let healthy = |id: &NodeId| verdict(id).and_then(|verdict| verdict.healthy);
            let error = |id: &NodeId| verdict(id).and_then(|verdict| verdict.error.clone());
            HealthStatus {
                name: name.clone(),
                kind: check.probe.kind().to_owned(),
                healthy: together(asked.iter().map(healthy)),
                last_error: asked.iter().find_map(error),
                service: check.service.clone(),
                nodes: asked.iter().map(|id| (self.state.node_name(*id), healthy(id))).collect(),
            }
        };
        self.state.checks.iter().map(check).collect()
    }
}

/// One that is unhealthy decides; all have to be healthy; where nobody is asked nothing is known.
fn together(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let verdicts: Vec<Option<bool>> = verdicts.collect();
    if verdicts.contains(&Some(false)) {
        return Some(false);
    }
    (!verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(true))).then_some(true)
}
