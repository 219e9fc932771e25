//! All about one thing, as pairs of name and value.

use ratatui::text::{Line, Span};
use sfha_proto::mesh::PeerStatus;
use sfha_proto::status::{
    ClusterStatus, ConstraintStatus, HealthStatus, NodeStatus, ServiceStatus, VipStatus,
};
use unicode_width::UnicodeWidthStr;

use super::{theme, why};
use crate::app::{App, Item};
use crate::words::{self, Tone};
use crate::{format, t};

/// One line: name, value, tone of the value.
pub type Pair = (String, String, Tone);

/// The lines about an item; none if it is gone.
pub fn pairs(app: &App, item: &Item) -> Vec<Pair> {
    let Some(status) = &app.status else { return Vec::new() };
    match item {
        Item::Node(name) => {
            status.nodes.iter().find(|n| n.name == *name).map(|n| node(app, status, n)).unwrap_or_default()
        }
        Item::Vip(name) => {
            status.vips.iter().find(|v| v.name == *name).map(|v| vip(app, v)).unwrap_or_default()
        }
        Item::Service(name) => {
            status.services.iter().find(|s| s.name == *name).map(|s| service(app, s)).unwrap_or_default()
        }
        Item::Check(name) => {
            status.health.iter().find(|c| c.name == *name).map(|c| check(app, c)).unwrap_or_default()
        }
        Item::Event(_) => Vec::new(),
        Item::Constraint(number) => {
            status.constraints.get(*number).map(|known| constraint(status, known)).unwrap_or_default()
        }
        Item::Peer(name) => {
            let peers = app.mesh.iter().flat_map(|mesh| &mesh.peers);
            peers.into_iter().find(|p| p.name == *name).map(|p| peer(app, p)).unwrap_or_default()
        }
    }
}

/// What the popup is called.
pub fn title(item: &Item) -> String {
    match item {
        Item::Node(name) => t!("details-node", name = name.as_str()),
        Item::Vip(name) => t!("details-vip", name = name.as_str()),
        Item::Service(name) => t!("details-service", name = name.as_str()),
        Item::Check(name) => t!("details-check", name = name.as_str()),
        Item::Peer(name) => t!("details-peer", name = name.as_str()),
        Item::Event(_) => t!("section-chain"),
        Item::Constraint(_) => t!("details-constraint"),
    }
}

fn plain(name: String, value: impl Into<String>) -> Pair {
    (name, value.into(), Tone::Plain)
}

fn yes_no(yes: bool) -> String {
    if yes { t!("yes") } else { t!("no") }
}

fn node(app: &App, status: &ClusterStatus, node: &NodeStatus) -> Vec<Pair> {
    let (tone, state) = words::node(node);
    let held = super::sections::holds(app, &node.name);
    let held = if held.is_empty() { words::none(app.look.utf8) } else { held };
    let roles = words::roles(node, status);
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-role"), if roles.is_empty() { words::none(app.look.utf8) } else { roles }),
        plain(t!("pair-id"), node.id.to_string()),
        plain(t!("pair-address"), node.address.clone()),
        plain(t!("pair-member"), yes_no(node.online)),
        plain(t!("pair-daemon"), yes_no(node.daemon)),
        plain(t!("pair-standby"), yes_no(node.standby)),
        plain(t!("pair-holds"), held),
    ];
    let here = node.name == status.node;
    let program = node.program.clone().or_else(|| here.then(|| status.version.clone()));
    pairs.extend(program.map(|version| plain(t!("pair-version"), version)));
    if let Some(state) = node.state.as_ref().or(status.state.as_ref().filter(|_| here)) {
        let (epoch, version, hash) = (state.epoch, state.version, state.hash.as_str());
        let text = t!("state-version", epoch = epoch, version = version, hash = hash);
        let tone = if Some(state) == status.state.as_ref() { Tone::Plain } else { Tone::Warn };
        pairs.push((t!("pair-state-version"), text, tone));
    }
    if let Some(load) = status.load.as_ref().filter(|_| here) {
        pairs.push(plain(t!("pair-load"), words::load(load)));
    }
    if let Some(fencing) = status.fencing.nodes.iter().find(|known| known.name == node.name) {
        let (tone, phase) = words::fencing::phase(fencing.phase);
        let details = words::fencing::details(fencing, app.status_age_ms());
        let both = if details.is_empty() { phase } else { format!("{phase}, {details}") };
        pairs.push((t!("fact-fencing"), both, tone));
    }
    pairs
}

fn constraint(status: &ClusterStatus, constraint: &ConstraintStatus) -> Vec<Pair> {
    let (tone, state) = words::kept(status, constraint);
    let Some((name, rule)) = words::constraint(constraint) else { return Vec::new() };
    vec![(t!("pair-state"), state, tone), plain(t!("pair-bound"), name), plain(t!("pair-rule"), rule)]
}

fn vip(app: &App, vip: &VipStatus) -> Vec<Pair> {
    let (tone, state) = words::vip(vip);
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-address"), vip.address.clone()),
        plain(t!("pair-interface"), vip.interface.clone().unwrap_or_else(|| t!("interface-auto"))),
        plain(t!("pair-holder"), words::vip_place(vip, app.look.utf8)),
    ];
    if !vip.prefer.is_empty() {
        pairs.push(plain(t!("pair-prefers"), vip.prefer.join(", ")));
    }
    if let Some(problem) = &vip.problem {
        pairs.push((t!("pair-problem"), words::problem(problem), Tone::Bad));
    }
    pairs
}

fn service(app: &App, service: &ServiceStatus) -> Vec<Pair> {
    let (tone, state) = words::service(&service.state);
    let (health_tone, health) = words::health(service.healthy);
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-unit"), service.unit.clone()),
        plain(t!("pair-holder"), words::service_place(service, app.look.utf8)),
        (t!("pair-health"), health, health_tone),
        plain(t!("pair-failures"), service.failures.to_string()),
    ];
    if !service.prefer.is_empty() {
        pairs.push(plain(t!("pair-prefers"), service.prefer.join(", ")));
    }
    if let Some(problem) = words::service_problem(service) {
        pairs.push((t!("pair-problem"), problem, Tone::Bad));
    }
    pairs
}

/// Shown as long as there is something to show it of; much of it is worth a colour.
fn loss(peer: &PeerStatus, none: String) -> Pair {
    let tone = if peer.loss.is_some_and(|loss| loss >= words::MUCH_LOSS) { Tone::Warn } else { Tone::Plain };
    (t!("pair-loss"), peer.loss.map_or(none, format::share), tone)
}

fn peer(app: &App, peer: &PeerStatus) -> Vec<Pair> {
    let none = || words::none(app.look.utf8);
    let (tone, state) = words::peer(peer.state);
    let age = peer.latest_handshake.as_deref().and_then(|time| format::seconds_since(time, app.now));
    let rate = app.rates.current(&peer.name, app.now);
    let traffic = |total: u64, rate: Option<f64>| match rate {
        Some(rate) => t!("traffic", total = format::bytes(total), rate = format::rate(rate)),
        None => format::bytes(total),
    };
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-handshake"), age.map_or_else(none, |age| t!("ago", age = format::age(age)))),
        plain(t!("pair-endpoint"), peer.endpoint.clone().unwrap_or_else(none)),
        plain(t!("pair-path"), words::path(&peer.path)),
        plain(t!("pair-rtt"), peer.rtt_ms.map_or_else(none, format::rtt)),
        loss(peer, none()),
        plain(t!("pair-mesh-address"), peer.ip.clone()),
        plain(
            t!("pair-keepalive"),
            peer.keepalive.map_or_else(none, |s| t!("format-seconds", n = s.to_string())),
        ),
        plain(t!("pair-rx"), traffic(peer.rx_bytes, rate.map(|r| r.rx))),
        plain(t!("pair-tx"), traffic(peer.tx_bytes, rate.map(|r| r.tx))),
        plain(t!("pair-key"), peer.public_key.clone()),
    ];
    if let Some(problem) = peer.endpoint_problem {
        pairs.insert(3, (t!("pair-problem"), words::endpoint_problem(problem), Tone::Warn));
    }
    pairs
}

fn check(app: &App, check: &HealthStatus) -> Vec<Pair> {
    let (tone, state) = words::health(check.healthy);
    let error = check.last_error.as_deref().map_or_else(|| words::none(app.look.utf8), words::check_error);
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-kind"), words::probe(&check.kind)),
        plain(t!("pair-error"), error),
    ];
    if let Some(service) = &check.service {
        pairs.push(plain(t!("pair-service"), service.clone()));
    }
    if !check.nodes.is_empty() {
        let one = |(node, healthy): (&String, &Option<bool>)| {
            t!("on-node", node = node.as_str(), state = words::health(*healthy).1)
        };
        let all: Vec<String> = check.nodes.iter().map(one).collect();
        pairs.push(plain(t!("pair-on-nodes"), all.join(", ")));
    }
    pairs
}

/// This node's end of the mesh.
pub fn here(app: &App) -> Vec<Pair> {
    let Some(mesh) = &app.mesh else { return Vec::new() };
    let state = if mesh.up { (Tone::Good, t!("mesh-here-up")) } else { (Tone::Bad, t!("mesh-here-down")) };
    let mut pairs = vec![
        (t!("pair-state"), state.1, state.0),
        plain(t!("pair-interface"), mesh.interface.clone()),
        plain(
            t!("pair-address"),
            t!("mesh-address", address = mesh.address.as_str(), port = mesh.port.to_string()),
        ),
        plain(
            t!("pair-backend"),
            t!("mesh-about", backend = words::backend(mesh.backend), mtu = mesh.mtu.to_string()),
        ),
        plain(t!("pair-key"), mesh.public_key.clone()),
    ];
    if !mesh.links.is_empty() {
        pairs.push(plain(t!("fact-links"), words::links(&mesh.links)));
    }
    for rotating in &mesh.rotating {
        pairs.push((t!("fact-rotating"), words::rotating(rotating), Tone::Warn));
    }
    pairs
}

/// One line a pair.
pub fn lines(app: &App, pairs: &[Pair]) -> Vec<Line<'static>> {
    let width = pairs.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    pairs.iter().map(|pair| Line::from(spans(app, pair, width, usize::MAX))).collect()
}

/// Two pairs a line where both fit.
pub fn columns(app: &App, pairs: &[Pair], width: usize) -> Vec<Line<'static>> {
    let half = width / 2;
    let name = pairs.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    let takes =
        |(_, value, tone): &Pair| 2 + name + 2 + value.width() + if *tone == Tone::Plain { 0 } else { 2 };
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut waiting: Option<Vec<Span<'static>>> = None;
    for pair in pairs {
        let short = takes(pair) < half;
        match waiting.take() {
            Some(mut left) if short => {
                let used: usize = left.iter().map(|span| span.content.width()).sum();
                left.push(Span::raw(" ".repeat(half.saturating_sub(used))));
                left.extend(spans(app, pair, name, half));
                lines.push(Line::from(left));
            }
            before => {
                lines.extend(before.map(Line::from));
                let spans = spans(app, pair, name, width);
                if short { waiting = Some(spans) } else { lines.push(Line::from(spans)) }
            }
        }
    }
    lines.extend(waiting.map(Line::from));
    lines
}

fn spans(app: &App, (label, value, tone): &Pair, name: usize, width: usize) -> Vec<Span<'static>> {
    let mut spans = vec![
        Span::styled(format!("  {label}"), theme::dim(app)),
        Span::raw(" ".repeat(name - label.width() + 2)),
    ];
    let mut used = 2 + name + 2;
    if *tone != Tone::Plain {
        spans.push(theme::mark(app, *tone));
        spans.push(Span::raw(" "));
        used += 2;
    }
    let value = theme::cut(value, width.saturating_sub(used), app.look.utf8);
    spans.push(Span::styled(value, theme::tone(app, *tone)));
    spans
}

/// Why something is as it is, in sentences of at most that many columns.
pub fn reasons(app: &App, item: &Item, width: usize) -> Vec<Line<'static>> {
    let reasons = why::reasons(app, item);
    if reasons.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::from(Span::styled(format!("  {}", t!("why")), theme::dim(app)))];
    for (tone, text) in reasons {
        let mut mark = theme::mark(app, tone);
        for part in super::logs::wrap(&text, width.saturating_sub(3).max(10)) {
            let text = Span::styled(format!(" {part}"), theme::plain(app));
            lines.push(Line::from(vec![Span::raw("  "), mark, text]));
            mark = Span::raw(" ");
        }
    }
    lines
}
