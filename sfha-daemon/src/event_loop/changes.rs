//! What changed from one status to the next, in the log.

use sfha_proto::status::{ClusterStatus, ServiceStatus};
use tracing::info;

/// One line for each thing an operator would ask about afterwards.
pub(super) fn log_changes(old: &ClusterStatus, new: &ClusterStatus) {
    if old.phase != new.phase {
        info!(from = ?old.phase, to = ?new.phase, "phase");
    }
    if old.leader != new.leader {
        info!(from = old.leader, to = new.leader, "leader");
    }
    for node in old.nodes.iter().filter(|node| new.nodes.iter().all(|other| other.id != node.id)) {
        info!(node = node.name, id = node.id, "node removed");
    }
    for vip in &new.vips {
        let before = old.vips.iter().find(|other| other.name == vip.name);
        if before.is_none_or(|before| (before.state, &before.holder) != (vip.state, &vip.holder)) {
            info!(vip = vip.name, state = ?vip.state, holder = vip.holder, "vip");
        }
    }
    for service in &new.services {
        let before = old.services.iter().find(|other| other.name == service.name);
        let essence = |service: &ServiceStatus| {
            (
                service.state.clone(),
                service.holder.clone(),
                service.problem.clone(),
                service.elsewhere.clone(),
            )
        };
        if before.is_none_or(|before| essence(before) != essence(service)) {
            let ServiceStatus { state, holder, problem, elsewhere, .. } = service;
            info!(service = service.name, state, holder, problem, ?elsewhere, "service");
        }
    }
}
