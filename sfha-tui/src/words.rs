//! One word or two for each state of the protocol, and the mark that goes with it.

use sfha_proto::mesh::{Backend, EndpointProblem, LinkStatus, PeerState, PeerStatus, Rotating};
use sfha_proto::message::{RotateStep, Step};
use sfha_proto::simulate::Change;
use sfha_proto::status::{
    ClusterStatus, ConstraintStatus, HealthStatus, Load, NodeStatus, Phase, ServiceStatus, VipState,
    VipStatus,
};

use crate::{format, t};

pub mod fencing;

/// How good or bad something is: decides mark and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Says nothing by itself.
    Plain,
    /// Secondary.
    Dim,
    /// On its way, or on purpose.
    Warn,
    /// Broken.
    Bad,
}

/// The sign that repeats what the colour says.
pub fn mark(tone: Tone, utf8: bool) -> &'static str {
    match (tone, utf8) {
        (Tone::Good, true) => "●",
        (Tone::Good, false) => "*",
        (Tone::Warn, true) => "○",
        (Tone::Warn, false) => "o",
        (Tone::Bad, true) => "✗",
        (Tone::Bad, false) => "x",
        (Tone::Plain | Tone::Dim, true) => "·",
        (Tone::Plain | Tone::Dim, false) => ".",
    }
}

/// State of a node.
pub fn node(node: &NodeStatus) -> (Tone, String) {
    match node {
        NodeStatus { online: false, .. } => (Tone::Bad, t!("node-offline")),
        NodeStatus { daemon: false, .. } => (Tone::Bad, t!("node-no-daemon")),
        NodeStatus { standby: true, .. } => (Tone::Warn, t!("node-standby")),
        NodeStatus { .. } => (Tone::Good, t!("node-online")),
    }
}

/// What a node is besides: leader, the one that answers.
pub fn roles(node: &NodeStatus, status: &ClusterStatus) -> String {
    let mut roles = Vec::new();
    if node.leader {
        roles.push(t!("role-leader"));
    }
    if node.standby && !(node.online && node.daemon) {
        roles.push(t!("node-standby"));
    }
    if node.name == status.node {
        roles.push(t!("role-here"));
    }
    roles.join(", ")
}

/// State of a VIP.
pub fn vip(vip: &VipStatus) -> (Tone, String) {
    match vip.state {
        VipState::Active => (Tone::Good, t!("vip-active")),
        VipState::Acquiring => (Tone::Warn, t!("vip-acquiring")),
        VipState::Releasing => (Tone::Warn, t!("vip-releasing")),
        VipState::Waiting => (Tone::Warn, t!("vip-waiting")),
        VipState::Stopped => (Tone::Bad, t!("vip-stopped")),
        VipState::Failed => (Tone::Bad, t!("vip-failed")),
        VipState::Conflict => (Tone::Bad, t!("vip-conflict")),
        VipState::Unknown => (Tone::Warn, t!("vip-unknown")),
    }
}

/// Where a VIP is, or goes.
pub fn vip_place(vip: &VipStatus, utf8: bool) -> String {
    place(vip.holder.as_ref(), vip.target.as_ref(), utf8)
}

/// Where a service is, or goes.
pub fn service_place(service: &ServiceStatus, utf8: bool) -> String {
    place(service.holder.as_ref(), service.target.as_ref(), utf8)
}

/// What is wrong with a service, if anything is.
pub fn service_problem(service: &ServiceStatus) -> Option<String> {
    let elsewhere = (!service.elsewhere.is_empty())
        .then(|| t!("service-elsewhere", names = service.elsewhere.join(", ")));
    let found: Vec<String> = service.problem.as_deref().map(problem).into_iter().chain(elsewhere).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// Where a health check fails; where it is asked, if it fails nowhere.
pub fn check_place(check: &HealthStatus, utf8: bool) -> String {
    let named = |fails: bool| {
        let those = check.nodes.iter().filter(|(_, healthy)| !fails || **healthy == Some(false));
        those.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    [named(true), named(false)].into_iter().find(|names| !names.is_empty()).unwrap_or_else(|| none(utf8))
}

fn place(holder: Option<&String>, target: Option<&String>, utf8: bool) -> String {
    let arrow = if utf8 { "→" } else { ">" };
    match (holder, target) {
        (Some(from), Some(to)) if from != to => format!("{from} {arrow} {to}"),
        (Some(at), _) => at.clone(),
        (None, Some(to)) => format!("{arrow} {to}"),
        (None, None) => none(utf8),
    }
}

/// Why a VIP or a service could not be taken on; a code of a newer daemon as it is.
pub fn problem(code: &str) -> String {
    match code {
        "no-interface" => t!("problem-no-interface"),
        "address-refused" => t!("problem-address-refused"),
        "netlink" => t!("problem-netlink"),
        "duplicate-address" => t!("problem-duplicate-address"),
        "start-failed" => t!("problem-start-failed"),
        "start-timed-out" => t!("problem-start-timed-out"),
        "no-such-unit" => t!("problem-no-such-unit"),
        "unit-masked" => t!("problem-unit-masked"),
        "stop-failed" => t!("problem-stop-failed"),
        "unit-failed" => t!("problem-unit-failed"),
        "unhealthy" => t!("problem-unhealthy"),
        other => other.to_owned(),
    }
}

/// Nothing, in a column.
pub fn none(utf8: bool) -> String {
    if utf8 { "–" } else { "-" }.to_owned()
}

/// Name of a peer; one that is not a node says so.
pub fn peer_name(peer: &PeerStatus) -> String {
    if peer.member { peer.name.clone() } else { t!("peer-foreign", name = peer.name.as_str()) }
}

/// State of a peer; one that is not a node may be off without anything being wrong.
pub fn peer_state(peer: &PeerStatus) -> (Tone, String) {
    let (tone, state) = self::peer(peer.state);
    (if peer.member || tone == Tone::Good { tone } else { Tone::Dim }, state)
}

/// State of a peer.
pub fn peer(state: PeerState) -> (Tone, String) {
    match state {
        PeerState::Connected => (Tone::Good, t!("peer-connected")),
        PeerState::Stale => (Tone::Bad, t!("peer-stale")),
        PeerState::Never => (Tone::Bad, t!("peer-never")),
    }
}

/// State of a service as the daemon writes it.
pub fn service(state: &str) -> (Tone, String) {
    match state {
        "active" => (Tone::Good, t!("service-active")),
        "starting" => (Tone::Warn, t!("service-starting")),
        "stopping" => (Tone::Warn, t!("service-stopping")),
        "stopped" => (Tone::Bad, t!("service-stopped")),
        "failed" => (Tone::Bad, t!("service-failed")),
        _ => (Tone::Warn, t!("service-unknown")),
    }
}

/// What a health check says.
pub fn health(healthy: Option<bool>) -> (Tone, String) {
    match healthy {
        Some(true) => (Tone::Good, t!("health-good")),
        Some(false) => (Tone::Bad, t!("health-bad")),
        None => (Tone::Plain, t!("health-none")),
    }
}

/// How a health check asks; of a newer daemon, as it writes it.
pub fn probe(kind: &str) -> String {
    match kind {
        "http" => t!("probe-http"),
        "tcp" => t!("probe-tcp"),
        "systemd" => t!("probe-systemd"),
        "program" => t!("probe-program"),
        other => other.to_owned(),
    }
}

/// Why a health check fails; a code of a newer daemon as it is.
pub fn check_error(code: &str) -> String {
    match code {
        "timed-out" => t!("check-timed-out"),
        "refused" => t!("check-refused"),
        "unreachable" => t!("check-unreachable"),
        "name" => t!("check-name"),
        "target" => t!("check-target"),
        "url" => t!("check-url"),
        "answer" => t!("check-answer"),
        "certificate" => t!("check-certificate"),
        "ca-file" => t!("check-ca-file"),
        "body" => t!("check-body"),
        "killed" => t!("check-killed"),
        "program" => t!("check-program"),
        "systemd" => t!("check-systemd"),
        other => match other.split_once('-') {
            Some(("status", status)) => t!("check-status", status = status),
            Some(("exit", code)) => t!("check-exit", code = code),
            Some(("unit", state)) => t!("check-unit", state = state),
            _ => other.to_owned(),
        },
    }
}

/// State of a token as the daemon writes it.
pub fn token(state: &str) -> (Tone, String) {
    match state {
        "open" => (Tone::Good, t!("token-open")),
        "redeemed" => (Tone::Dim, t!("token-redeemed")),
        "expired" => (Tone::Warn, t!("token-expired")),
        _ => (Tone::Plain, state.to_owned()),
    }
}

/// Where the daemon stands with the group.
pub fn phase(phase: Phase) -> (Tone, String) {
    match phase {
        Phase::Unconfigured => (Tone::Warn, t!("phase-unconfigured")),
        Phase::Disconnected => (Tone::Bad, t!("phase-disconnected")),
        Phase::Synchronising => (Tone::Warn, t!("phase-synchronising")),
        Phase::Inquorate => (Tone::Bad, t!("phase-inquorate")),
        Phase::Operational => (Tone::Good, t!("phase-operational")),
        Phase::Leaving => (Tone::Warn, t!("phase-leaving")),
    }
}

/// Where WireGuard runs.
pub fn backend(backend: Backend) -> String {
    match backend {
        Backend::Kernel => t!("backend-kernel"),
        Backend::Userspace => t!("backend-userspace"),
    }
}

/// How packets reach a peer.
pub fn path(path: &str) -> String {
    if path == "direct" { t!("path-direct") } else { t!("path-relay", node = path) }
}

/// Corosync's links, each with how many of the nodes that are online it reaches.
pub fn links(links: &[LinkStatus]) -> String {
    let one = |link: &LinkStatus| {
        t!("link-summary", name = link.name.as_str(), connected = link.connected, peers = link.peers)
    };
    links.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The share of lost probes from which it is worth a word.
pub const MUCH_LOSS: f64 = 0.05;

/// Why there is no direct path.
pub fn endpoint_problem(problem: EndpointProblem) -> String {
    match problem {
        EndpointProblem::Unresolved => t!("endpoint-unresolved"),
        EndpointProblem::Unreachable => t!("endpoint-unreachable"),
        EndpointProblem::Unknown => t!("endpoint-unknown"),
    }
}

/// What `init` or `join` is doing.
pub fn step(step: Step) -> String {
    match step {
        Step::Checking => t!("step-checking"),
        Step::Keys => t!("step-keys"),
        Step::Interface => t!("step-interface"),
        Step::Contacting => t!("step-contacting"),
        Step::Admission => t!("step-admission"),
        Step::Files => t!("step-files"),
        Step::Corosync => t!("step-corosync"),
        Step::Membership => t!("step-membership"),
        Step::KeyPrepare => t!("step-key-prepare"),
        Step::KeyCommit => t!("step-key-commit"),
        Step::KeyCleanup => t!("step-key-cleanup"),
        _ => t!("step-other"),
    }
}

/// A node whose key is being changed.
pub fn rotating(rotating: &Rotating) -> String {
    let node = rotating.node.as_str();
    match rotating.next {
        RotateStep::Prepare => t!("rotating-prepare", node = node),
        RotateStep::Commit => t!("rotating-commit", node = node),
        RotateStep::Cleanup => t!("rotating-cleanup", node = node),
    }
}

/// One of the steps of a change of keys, by itself.
pub fn rotate_step(step: RotateStep) -> String {
    match step {
        RotateStep::Prepare => t!("step-key-prepare"),
        RotateStep::Commit => t!("step-key-commit"),
        RotateStep::Cleanup => t!("step-key-cleanup"),
    }
}

/// Why nobody has a resource in the end, as `sfha simulate` says it; nothing where that is not known.
pub fn why_nobody(change: &Change) -> Option<String> {
    Some(match (change.why.as_deref()?, &change.waits_for) {
        ("removed", _) => t!("simulate-why-removed"),
        ("no-quorum", _) => t!("simulate-why-no-quorum"),
        ("maintenance", _) => t!("simulate-why-maintenance"),
        ("no-candidate", _) => t!("simulate-why-no-candidate"),
        ("stuck", _) => t!("simulate-why-stuck"),
        ("not-harmless", _) => t!("simulate-why-not-harmless"),
        ("waits", Some(first)) => t!("simulate-why-waits", first = first.as_str()),
        (code, _) => problem(code),
    })
}

/// The resource that a constraint binds, and to what.
pub fn constraint(constraint: &ConstraintStatus) -> Option<(&str, String)> {
    match constraint {
        ConstraintStatus::Colocation { resource, with } => {
            Some((resource, t!("constraint-with", name = with.as_str())))
        }
        ConstraintStatus::Order { first, then } => {
            Some((then, t!("constraint-after", name = first.as_str())))
        }
        ConstraintStatus::Other => None,
    }
}

/// Whether a constraint has what it wants now.
pub fn kept(status: &ClusterStatus, constraint: &ConstraintStatus) -> (Tone, String) {
    let holder = |name: &str| {
        let vip = status.vips.iter().find(|vip| vip.name == name).and_then(|vip| vip.holder.as_deref());
        let service = || status.services.iter().find(|s| s.name == name).and_then(|s| s.holder.as_deref());
        vip.or_else(service)
    };
    let (bound, to, together) = match constraint {
        ConstraintStatus::Colocation { resource, with } => (holder(resource), holder(with), true),
        ConstraintStatus::Order { first, then } => (holder(then), holder(first), false),
        ConstraintStatus::Other => return (Tone::Dim, t!("constraint-idle")),
    };
    match (bound, to) {
        (None, _) => (Tone::Dim, t!("constraint-idle")),
        (Some(bound), Some(to)) if bound == to || !together => (Tone::Good, t!("constraint-kept")),
        (Some(_), _) => (Tone::Warn, t!("constraint-broken")),
    }
}

/// What a daemon takes of its machine.
pub fn load(load: &Load) -> String {
    let cpu = load.cpu.map(|share| t!("load-cpu", share = format::share(share)));
    let memory = load.memory_bytes.map(format::bytes);
    let age = format::age(i64::try_from(load.uptime_s).unwrap_or(i64::MAX));
    let since = t!("load-since", age = age);
    cpu.into_iter().chain(memory).chain([since]).collect::<Vec<_>>().join(", ")
}
