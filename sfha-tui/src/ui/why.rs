//! Why something is where it is, as far as this node can tell.

use sfha_proto::status::{ClusterStatus, ConstraintStatus, NodeStatus, Phase, VipState};

use crate::app::{App, EventKind, Item};
use crate::t;
use crate::words::{self, Tone};

/// Sentences, each with how good or bad what it tells is.
pub fn reasons(app: &App, item: &Item) -> Vec<(Tone, String)> {
    let Some(status) = &app.status else { return Vec::new() };
    let mut reasons = Vec::new();
    match item {
        Item::Vip(name) => {
            let Some(vip) = status.vips.iter().find(|vip| vip.name == *name) else { return reasons };
            match vip.conflict_with.as_deref() {
                Some(by) => reasons.push((Tone::Bad, t!("why-conflict-by", by = by))),
                None => vip_state(status, vip.state, &mut reasons),
            }
            if let Some(problem) = &vip.problem {
                reasons.push((Tone::Bad, t!("why-problem", why = words::problem(problem))));
            }
            if let Some(holder) = vip.holder.as_deref() {
                reasons.push((Tone::Good, t!("why-holder", node = holder)));
            }
            placed(status, name, vip.holder.as_deref(), &vip.prefer, &mut reasons);
            others(status, vip.holder.as_deref(), &mut reasons);
            latest(app, EventKind::Vip, name, &mut reasons);
        }
        Item::Service(name) => {
            let Some(service) = status.services.iter().find(|s| s.name == *name) else { return reasons };
            if service.healthy == Some(false) {
                reasons.push((Tone::Bad, t!("why-unhealthy")));
            }
            if !service.elsewhere.is_empty() {
                reasons.push((Tone::Bad, t!("why-elsewhere", nodes = service.elsewhere.join(", "))));
            }
            if let Some(problem) = &service.problem {
                reasons.push((Tone::Bad, t!("why-problem", why = words::problem(problem))));
            }
            if service.failures > 0 {
                reasons.push((Tone::Warn, t!("why-failures", count = service.failures)));
            }
            if let Some(holder) = service.holder.as_deref() {
                reasons.push((Tone::Good, t!("why-runs", node = holder)));
            }
            placed(status, name, service.holder.as_deref(), &service.prefer, &mut reasons);
            others(status, service.holder.as_deref(), &mut reasons);
            latest(app, EventKind::Service, name, &mut reasons);
        }
        Item::Check(name) => latest(app, EventKind::Check, name, &mut reasons),
        Item::Node(name) => {
            let Some(node) = status.nodes.iter().find(|node| node.name == *name) else { return reasons };
            if status.fencing.pending.contains(name) {
                reasons.push((Tone::Bad, t!("why-fencing")));
            }
            if !node.online {
                reasons.push((Tone::Bad, t!("why-offline")));
            } else if !node.daemon {
                reasons.push((Tone::Bad, t!("why-no-daemon")));
            } else if node.standby {
                reasons.push((Tone::Warn, t!("why-standby")));
            }
            latest(app, EventKind::Node, name, &mut reasons);
        }
        Item::Peer(_) | Item::Event(_) | Item::Constraint(_) => {}
    }
    reasons
}

fn vip_state(status: &ClusterStatus, state: VipState, reasons: &mut Vec<(Tone, String)>) {
    match state {
        VipState::Waiting if status.fencing.enabled => reasons.push((Tone::Warn, t!("why-waits-fencing"))),
        VipState::Waiting => reasons.push((Tone::Warn, t!("why-waits"))),
        VipState::Stopped if status.phase == Phase::Inquorate => {
            reasons.push((Tone::Bad, t!("why-no-quorum")))
        }
        VipState::Stopped => reasons.push((Tone::Bad, t!("why-nobody"))),
        VipState::Releasing => reasons.push((Tone::Warn, t!("why-releasing"))),
        VipState::Acquiring => reasons.push((Tone::Warn, t!("why-acquiring"))),
        VipState::Failed => reasons.push((Tone::Bad, t!("why-failed"))),
        VipState::Conflict => reasons.push((Tone::Bad, t!("why-conflict"))),
        VipState::Active | VipState::Unknown => {}
    }
}

/// What it was put there for: preference, and what it is tied to.
fn placed(
    status: &ClusterStatus,
    name: &str,
    holder: Option<&str>,
    prefer: &[String],
    reasons: &mut Vec<(Tone, String)>,
) {
    match (holder, prefer) {
        (Some(holder), [first, ..]) if first == holder => {
            reasons.push((Tone::Good, t!("why-preferred", node = holder)));
        }
        (_, [_, ..]) => reasons.push((Tone::Plain, t!("why-prefers", nodes = prefer.join(", ")))),
        _ => {}
    }
    for constraint in &status.constraints {
        let (tone, text) = match constraint {
            ConstraintStatus::Colocation { resource, with } if resource == name => {
                (words::kept(status, constraint).0, t!("why-with", name = with.as_str()))
            }
            ConstraintStatus::Order { first, then } if then == name => {
                (words::kept(status, constraint).0, t!("why-after", name = first.as_str()))
            }
            ConstraintStatus::Colocation { resource, with } if with == name => {
                (Tone::Plain, t!("why-followed", name = resource.as_str()))
            }
            _ => continue,
        };
        reasons.push((tone, text));
    }
}

/// Who could not have it.
fn others(status: &ClusterStatus, holder: Option<&str>, reasons: &mut Vec<(Tone, String)>) {
    let mut out: Vec<String> = Vec::new();
    for node in status.nodes.iter().filter(|node| Some(node.name.as_str()) != holder) {
        let why = match node {
            NodeStatus { online: false, .. } => t!("node-offline"),
            NodeStatus { daemon: false, .. } => t!("node-no-daemon"),
            NodeStatus { standby: true, .. } => t!("node-standby"),
            NodeStatus { .. } => continue,
        };
        out.push(t!("why-node", node = node.name.as_str(), why = why));
    }
    if !out.is_empty() {
        reasons.push((Tone::Dim, t!("why-not", nodes = out.join(", "))));
    }
    if status.maintenance {
        reasons.push((Tone::Warn, t!("why-maintenance")));
    }
}

/// What happened to it last, and what that followed from.
fn latest(app: &App, kind: EventKind, name: &str, reasons: &mut Vec<(Tone, String)>) {
    let Some(event) = app.events.all().rev().find(|event| event.kind == kind && event.subject == name) else {
        return;
    };
    let root = app.events.chain(event.id).first().map(|(_, root)| *root).filter(|root| root.id != event.id);
    for event in std::iter::once(event).chain(root) {
        let time = event.at.to_zoned(app.zone.clone()).strftime("%H:%M:%S").to_string();
        reasons.push((event.tone, t!("why-event", time = time, text = event.text.as_str())));
    }
}
