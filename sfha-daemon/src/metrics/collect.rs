//! What the metrics say: names, units, and where each comes from.

use sfha_proto::config::FileState;
use sfha_proto::history::EventKind;
use sfha_proto::mesh::{MeshStatus, PeerState};
use sfha_proto::status::{ClusterStatus, NodeStatus, Phase, VipState};

use super::text::{Labels, Text, Type};
use crate::daemon::{Daemon, Life};
use crate::history::{Counted, FAILOVER_ENDS_MS};
use crate::hooks::Calls;
use crate::turns::{BUCKETS_US, Turns};

use Type::{Counter, Gauge};

/// Everything.
pub fn all(daemon: &Daemon, hooks: &crate::hooks::Tally) -> String {
    let status = daemon.any_status();
    let mut text = Text::default();
    put_status(&mut text, &status);
    if let Some(mesh) = &status.mesh_detail {
        put_mesh(&mut text, mesh);
    }
    if let Life::Running(runtime) = daemon.life() {
        put_history(&mut text, &runtime.history.counted());
        put_loop(&mut text, &runtime.turns, &runtime.late);
        put_losses(&mut text, runtime.history.dropped(), runtime.history.not_written());
    }
    put_hooks(&mut text, &hooks.read());
    text.finish()
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn label<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels.map(|(name, value)| (name, value.to_owned())).to_vec()
}

/// A phase as it is written in JSON.
fn phase(phase: Phase) -> String {
    serde_json::to_value(phase).ok().and_then(|phase| phase.as_str().map(str::to_owned)).unwrap_or_default()
}

fn put_status(text: &mut Text, status: &ClusterStatus) {
    let version = label([("version", &status.version), ("cluster", &status.cluster), ("node", &status.node)]);
    text.family("sfha_info", Gauge, "Version of the daemon; name of its cluster and node.", [(version, 1.0)]);
    let now = label([("phase", &phase(status.phase))]);
    text.family("sfha_phase", Gauge, "How the daemon stands to the group.", [(now, 1.0)]);
    let operational = flag(status.phase == Phase::Operational);
    text.one("sfha_operational", Gauge, "Whether this node is in step with a quorate group.", operational);
    text.one("sfha_quorate", Gauge, "Whether this node has quorum.", flag(status.quorum.quorate));
    let quorum = &status.quorum;
    for (name, help, votes) in [
        ("sfha_votes", "Votes present.", quorum.votes),
        ("sfha_votes_expected", "Votes expected.", quorum.expected),
        ("sfha_votes_needed", "Votes needed for quorum.", quorum.needed),
    ] {
        text.family(name, Gauge, help, votes.map(|votes| ([], f64::from(votes))));
    }
    let leader = status.leader.as_deref();
    text.one("sfha_has_leader", Gauge, "Whether there is a leader.", flag(leader.is_some()));
    let leads = leader == Some(status.node.as_str());
    text.one("sfha_is_leader", Gauge, "Whether this node is the leader.", flag(leads));
    text.one("sfha_maintenance", Gauge, "Whether maintenance is on.", flag(status.maintenance));
    let mut nodes = |name: &str, help: &str, is: fn(&NodeStatus) -> bool| {
        let samples = status.nodes.iter().map(|node| (label([("node", &node.name)]), flag(is(node))));
        text.family(name, Gauge, help, samples);
    };
    nodes("sfha_node_online", "Whether a node is in Corosync's membership.", |node| node.online);
    nodes("sfha_node_daemon", "Whether a node's daemon is in the group.", |node| node.daemon);
    nodes("sfha_node_standby", "Whether a node was taken out of service.", |node| node.standby);
    put_resources(text, status);
    text.one("sfha_fencing_enabled", Gauge, "Whether fencing is on.", flag(status.fencing.enabled));
    let pending = status.fencing.pending.len() as f64;
    text.one("sfha_fencing_pending", Gauge, "Nodes whose fencing is not over.", pending);
    let storm = status.fencing.storm.is_some_and(|storm| storm.holding);
    text.one("sfha_fencing_storm", Gauge, "Whether the storm limit holds a fencing back.", flag(storm));
    let alerts = status.fencing.alerts.len() as f64;
    text.one(
        "sfha_fencing_test_failures",
        Gauge,
        "Levels that would not work, by this node's last test.",
        alerts,
    );
    let version = status.state.as_ref().map(|state| ([], state.version as f64));
    text.family("sfha_state_version", Gauge, "Version of the replicated state on this node.", version);
    let epoch = status.state.as_ref().map(|state| ([], state.epoch as f64));
    text.family("sfha_state_epoch", Gauge, "Epoch of the replicated state on this node.", epoch);
    let file = status.config_file.map(|file| ([], flag(file == FileState::InStep)));
    text.family("sfha_config_in_step", Gauge, "Whether config.yml says what the cluster runs.", file);
    let down = status.links.iter().map(|link| (label([("link", &link.name)]), link.down.len() as f64));
    text.family("sfha_link_nodes_down", Gauge, "Nodes online that a link of Corosync does not reach.", down);
}

fn put_resources(text: &mut Text, status: &ClusterStatus) {
    let served = |state: VipState| matches!(state, VipState::Active | VipState::Conflict);
    let vips = || status.vips.iter();
    let samples =
        vips().map(|vip| (label([("vip", &vip.name)]), flag(served(vip.state) && vip.holder.is_some())));
    text.family("sfha_vip_served", Gauge, "Whether a VIP is on an interface of its holder.", samples);
    let holder = |vip: &sfha_proto::status::VipStatus| {
        let node = vip.holder.as_deref()?;
        Some((label([("vip", &vip.name), ("node", node)]), 1.0))
    };
    text.family("sfha_vip_holder", Gauge, "The node that holds a VIP.", vips().filter_map(holder));
    let conflicts = vips().map(|vip| (label([("vip", &vip.name)]), flag(vip.conflict_with.is_some())));
    text.family("sfha_vip_conflict", Gauge, "Whether somebody else has the address, too.", conflicts);
    let services = || status.services.iter();
    let active =
        services().map(|service| (label([("service", &service.name)]), flag(service.state == "active")));
    text.family("sfha_service_active", Gauge, "Whether a service runs.", active);
    let holder = |service: &sfha_proto::status::ServiceStatus| {
        let node = service.holder.as_deref()?;
        Some((label([("service", &service.name), ("node", node)]), 1.0))
    };
    text.family("sfha_service_holder", Gauge, "The node that runs a service.", services().filter_map(holder));
    let failures =
        services().map(|service| (label([("service", &service.name)]), f64::from(service.failures)));
    text.family("sfha_service_failures", Gauge, "Failures of a service that count at present.", failures);
    let healthy = |check: &sfha_proto::status::HealthStatus| {
        let labels = label([("check", &check.name), ("type", &check.kind)]);
        check.healthy.map(|healthy| (labels, flag(healthy)))
    };
    let checks = status.health.iter().filter_map(healthy);
    text.family(
        "sfha_check_healthy",
        Gauge,
        "Whether a health check is good; absent until it is known.",
        checks,
    );
}

fn put_mesh(text: &mut Text, mesh: &MeshStatus) {
    text.one("sfha_mesh_up", Gauge, "Whether the interface of the mesh is up.", flag(mesh.up));
    let peers = || mesh.peers.iter();
    let peer = |name: &str| label([("peer", name)]);
    let connected = peers().map(|p| (peer(&p.name), flag(p.state == PeerState::Connected)));
    text.family("sfha_mesh_peer_connected", Gauge, "Whether a peer answers.", connected);
    let direct = peers().map(|p| (label([("peer", &p.name), ("path", &p.path)]), flag(p.path == "direct")));
    text.family("sfha_mesh_peer_direct", Gauge, "Whether packets to a peer take no way round.", direct);
    let handshake = |p: &sfha_proto::mesh::PeerStatus| {
        let time = p.latest_handshake.as_ref()?.parse::<jiff::Timestamp>().ok()?;
        Some((peer(&p.name), time.as_second() as f64))
    };
    let help = "Time of the last handshake with a peer, in seconds since 1970.";
    text.family("sfha_mesh_peer_handshake_timestamp_seconds", Gauge, help, peers().filter_map(handshake));
    let rtt = peers().filter_map(|p| p.rtt_ms.map(|ms| (peer(&p.name), ms / 1000.0)));
    text.family("sfha_mesh_peer_rtt_seconds", Gauge, "Round-trip time to a peer inside the tunnel.", rtt);
    let loss = peers().filter_map(|p| p.loss.map(|loss| (peer(&p.name), loss)));
    text.family("sfha_mesh_peer_loss_ratio", Gauge, "Share of the last probes that got no answer.", loss);
    let received = peers().map(|p| (peer(&p.name), p.rx_bytes as f64));
    text.family("sfha_mesh_peer_received_bytes_total", Counter, "Bytes received from a peer.", received);
    let sent = peers().map(|p| (peer(&p.name), p.tx_bytes as f64));
    text.family("sfha_mesh_peer_sent_bytes_total", Counter, "Bytes sent to a peer.", sent);
}

fn put_history(text: &mut Text, counted: &Counted) {
    // All kinds from the beginning: a rate can be taken of a counter that was there before.
    let count = |kind: EventKind| {
        let count = counted.kinds.get(&kind).copied().unwrap_or_default();
        (label([("kind", &kind.as_str())]), count as f64)
    };
    let help = "What happened, as this node saw it, since its daemon started.";
    text.family("sfha_events_total", Counter, help, EventKind::ALL.map(count));
    let ends: Vec<f64> = FAILOVER_ENDS_MS.iter().map(|ms| *ms as f64 / 1000.0).collect();
    let of = counted.failovers.iter().map(|(reason, counts, sum_ms)| {
        (label([("reason", reason)]), counts.clone(), *sum_ms as f64 / 1000.0)
    });
    let help = "Time for which a VIP that moved was not served: after a loss, or in order.";
    text.histogram("sfha_failover_duration_seconds", help, &ends, &of.collect::<Vec<_>>());
}

fn put_loop(text: &mut Text, turns: &Turns, late: &Turns) {
    let help = "How long the turns of the event loop take.";
    put_times(text, "sfha_event_loop_turn_seconds", help, turns);
    let help = "How late the event loop does what it does four times a second, whatever kept it from it.";
    put_times(text, "sfha_event_loop_late_seconds", help, late);
}

fn put_times(text: &mut Text, name: &'static str, help: &'static str, times: &Turns) {
    let ends: Vec<f64> = BUCKETS_US.iter().map(|us| *us as f64 / 1e6).collect();
    let (counts, sum_us) = times.read();
    text.histogram(name, help, &ends, &[(Vec::new(), counts, sum_us as f64 / 1e6)]);
}

fn put_losses(text: &mut Text, dropped: u64, not_written: u64) {
    let help = "Changes that came too fast for the history.";
    text.one("sfha_history_dropped_total", Counter, help, dropped as f64);
    let help = "Events that did not reach the disk.";
    text.one("sfha_history_unwritten_total", Counter, help, not_written as f64);
}

fn put_hooks(text: &mut Text, calls: &Calls) {
    let samples = calls
        .iter()
        .map(|((hook, outcome), count)| (label([("hook", hook), ("outcome", outcome)]), *count as f64));
    text.family("sfha_hook_calls_total", Counter, "Events that hooks were run on, by outcome.", samples);
}

#[cfg(test)]
mod tests;
