//! Is all well? What an operator should know first, worst first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_proto::config::FileState;
use sfha_proto::fencing::{FencingPhase, FencingSummary};
use sfha_proto::status::{ClusterStatus, Phase, VipState};

use crate::words::{self, Tone};
use crate::{format, t};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// [`Tone::Bad`] or [`Tone::Warn`].
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

/// Everything that is not as it should be, worst first; nothing when all is well.
pub fn concerns(status: &ClusterStatus) -> Vec<Concern> {
    let mut found = Vec::new();
    group(status, &mut found);
    stuck(&status.fencing, &mut found);
    nodes(status, &mut found);
    vips(status, &mut found);
    rest(status, &mut found);
    found.sort_by_key(|concern| std::cmp::Reverse(concern.tone));
    found
}

fn push(found: &mut Vec<Concern>, tone: Tone, text: String) {
    found.push(Concern { tone, text });
}

fn group(status: &ClusterStatus, found: &mut Vec<Concern>) {
    let quorum = &status.quorum;
    match status.phase {
        Phase::Operational => {}
        Phase::Inquorate => match (quorum.votes, quorum.needed) {
            (Some(votes), Some(needed)) => {
                push(found, Tone::Bad, t!("concern-no-quorum", votes = votes, needed = needed));
            }
            _ => push(found, Tone::Bad, words::phase(status.phase).1),
        },
        phase => {
            let (tone, text) = words::phase(phase);
            push(found, tone, text);
        }
    }
    if status.phase == Phase::Operational && status.leader.is_none() {
        push(found, Tone::Warn, t!("concern-no-leader"));
    }
    if status.maintenance {
        let until = status.maintenance_until.and_then(|until| Timestamp::from_second(until).ok());
        let text = match until {
            // With its date: a status may be looked at on another day.
            Some(until) => {
                let at = format::moment(until, Timestamp::UNIX_EPOCH, &TimeZone::system());
                t!("concern-maintenance-until", at = at)
            }
            None => t!("concern-maintenance"),
        };
        push(found, Tone::Warn, text);
    }
}

fn nodes(status: &ClusterStatus, found: &mut Vec<Concern>) {
    if matches!(status.phase, Phase::Unconfigured | Phase::Disconnected) {
        return;
    }
    let named = |wanted: &dyn Fn(&&sfha_proto::status::NodeStatus) -> bool| {
        status.nodes.iter().filter(wanted).map(|n| n.name.as_str()).collect::<Vec<_>>()
    };
    let offline = named(&|n| !n.online);
    if !offline.is_empty() {
        push(found, Tone::Bad, t!("concern-offline", count = offline.len(), names = offline.join(", ")));
    }
    let mute = named(&|n| n.online && !n.daemon);
    if !mute.is_empty() {
        push(found, Tone::Bad, t!("concern-no-daemon", names = mute.join(", ")));
    }
    let standby = named(&|n| n.online && n.daemon && n.standby);
    if !standby.is_empty() {
        push(found, Tone::Warn, t!("concern-standby", names = standby.join(", ")));
    }
}

fn vips(status: &ClusterStatus, found: &mut Vec<Concern>) {
    for vip in &status.vips {
        let (tone, state) = words::vip(vip);
        let name = vip.name.as_str();
        if let Some(by) = vip.conflict_with.as_deref() {
            let address = vip.address.split('/').next().unwrap_or_default();
            let holder = vip.holder.as_deref().unwrap_or("no-value");
            push(
                found,
                Tone::Bad,
                t!("concern-vip-conflict", name = name, address = address, by = by, holder = holder),
            );
            continue;
        }
        match &vip.problem {
            Some(code) => {
                let why = words::problem(code);
                push(found, Tone::Bad, t!("concern-vip-problem", name = name, state = state, why = why));
            }
            None if vip.state != VipState::Active => {
                push(found, tone, t!("concern-vip", name = name, state = state));
            }
            None => {}
        }
    }
}

fn rest(status: &ClusterStatus, found: &mut Vec<Concern>) {
    let mesh = &status.mesh;
    if mesh.enabled && mesh.connected < mesh.peers {
        let missing = mesh.peers - mesh.connected;
        push(found, Tone::Warn, t!("concern-mesh", missing = missing, peers = mesh.peers));
    }
    for link in status.links.iter().filter(|link| !link.down.is_empty()) {
        let (name, names) = (link.name.as_str(), link.down.join(", "));
        push(found, Tone::Warn, t!("concern-link", name = name, names = names));
    }
    for service in &status.services {
        let (tone, state) = words::service(&service.state);
        let name = service.name.as_str();
        match words::service_problem(service) {
            Some(why) => {
                let tone = if tone == Tone::Good { Tone::Warn } else { tone };
                push(found, tone, t!("concern-service-problem", name = name, state = state, why = why));
            }
            None if tone != Tone::Good => {
                push(found, tone, t!("concern-service", name = name, state = state));
            }
            None => {}
        }
    }
    let programs: BTreeMap<&str, &str> =
        status.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.program.as_deref()?))).collect();
    if programs.values().collect::<BTreeSet<_>>().len() > 1 {
        let each: Vec<String> =
            programs.iter().map(|(node, version)| format!("{node} ({version})")).collect();
        push(found, Tone::Warn, t!("concern-versions", nodes = each.join(", ")));
    }
    for check in status.health.iter().filter(|check| check.healthy == Some(false)) {
        push(found, Tone::Bad, t!("concern-health", name = check.name.as_str()));
    }
    if status.config_file == Some(FileState::Invalid) {
        push(found, Tone::Warn, t!("concern-config", node = status.node.as_str()));
    }
    fencing(&status.fencing, found);
}

fn has_failed(fencing: &FencingSummary, name: &str) -> bool {
    let node = fencing.nodes.iter().find(|node| node.name == name);
    node.is_some_and(|node| node.phase == Some(FencingPhase::Failed))
}

/// What stands still until somebody does something.
fn stuck(fencing: &FencingSummary, found: &mut Vec<Concern>) {
    if let Some(ms) = fencing.watchdog.as_ref().and_then(|watchdog| watchdog.reset_ms) {
        push(found, Tone::Bad, t!("concern-watchdog", time = format::millis(ms)));
    }
    let failed: Vec<&str> =
        fencing.pending.iter().map(String::as_str).filter(|name| has_failed(fencing, name)).collect();
    if !failed.is_empty() {
        push(found, Tone::Bad, t!("concern-fencing-failed", names = failed.join(", ")));
    }
    if fencing.storm.is_some_and(|storm| storm.holding) {
        push(found, Tone::Bad, t!("concern-fencing-storm"));
    }
}

fn fencing(fencing: &FencingSummary, found: &mut Vec<Concern>) {
    let under_way: Vec<&str> =
        fencing.pending.iter().map(String::as_str).filter(|name| !has_failed(fencing, name)).collect();
    if !under_way.is_empty() {
        push(found, Tone::Bad, t!("concern-fencing", names = under_way.join(", ")));
    }
    if !fencing.alerts.is_empty() {
        let alerted: BTreeSet<&str> = fencing.alerts.iter().map(|alert| alert.node.as_str()).collect();
        let alerted = alerted.into_iter().collect::<Vec<_>>().join(", ");
        push(found, Tone::Warn, t!("concern-fencing-alert", names = alerted));
    }
    if fencing.enabled && fencing.dry_run {
        push(found, Tone::Warn, t!("concern-fencing-dry-run"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sfha_proto::mesh::LinkStatus;

    #[test]
    fn an_end_of_maintenance_and_a_node_left_behind_by_an_upgrade_are_told() {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("../tests/fixtures/healthy.json")).unwrap();
        (status.maintenance, status.maintenance_until) = (true, Some(1_800_000_000));
        let versions = ["0.1.0", "0.2.0", "0.1.0"];
        for (node, version) in status.nodes.iter_mut().zip(versions) {
            node.program = Some(version.to_owned());
        }
        let found: Vec<String> = concerns(&status).into_iter().map(|concern| concern.text).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("15/01/2027"), "{found:?}");
        assert!(found[1].contains("node2 (0.2.0)"), "{found:?}");
        status.nodes[1].program = Some("0.1.0".to_owned());
        assert_eq!(concerns(&status).len(), 1);
    }

    #[test]
    fn a_fencing_that_failed_says_what_is_left_to_do() {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("../tests/fixtures/healthy.json")).unwrap();
        let node = |name: &str, phase: &str| {
            serde_json::from_value(serde_json::json!({"name": name, "phase": phase})).unwrap()
        };
        status.fencing.pending = vec!["node2".to_owned(), "node3".to_owned()];
        status.fencing.nodes = vec![node("node2", "failed"), node("node3", "delayed")];
        let found: Vec<String> = concerns(&status).into_iter().map(|concern| concern.text).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("node2") && found[0].contains("sfha stonith confirm"), "{found:?}");
        assert!(found[1].contains("node3") && !found[1].contains("confirm"), "{found:?}");
    }

    #[test]
    fn a_link_that_does_not_reach_a_node_is_a_concern() {
        let text = include_str!("../tests/fixtures/healthy.json");
        let mut status: ClusterStatus = serde_json::from_str(text).unwrap();
        assert_eq!(concerns(&status), []);
        let link = |name: &str, number, down: &[&str]| LinkStatus {
            name: name.to_owned(),
            number,
            connected: 2 - u32::try_from(down.len()).unwrap(),
            peers: 2,
            down: down.iter().map(|name| (*name).to_owned()).collect(),
        };
        status.links = vec![link("mesh", 0, &[]), link("lan", 1, &["node3"])];
        let found = concerns(&status);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].tone, Tone::Warn);
        assert!(found[0].text.contains("node3"), "{found:?}");
        assert!(words::links(&status.links).ends_with(" 1/2"), "{}", words::links(&status.links));
    }
}
