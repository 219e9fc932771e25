//! All about one thing, as pairs of name and value.

use sfha_proto::mesh::PeerStatus;
use sfha_proto::status::{ClusterStatus, NodeStatus, ServiceStatus, VipStatus};

use super::theme;
use crate::app::{App, Item, Sample};
use crate::words::{self, Tone};
use crate::{format, t};

/// One line: name, value, tone of the value.
pub type Pair = (String, String, Tone);

/// Columns of the graphs.
const GRAPH: usize = 40;

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
        Item::Peer(name) => t!("details-peer", name = name.as_str()),
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
    let held = app.held_by(&node.name);
    let held = if held.is_empty() { words::none(app.look.utf8) } else { held.join(", ") };
    let roles = words::roles(node, status);
    vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-role"), if roles.is_empty() { words::none(app.look.utf8) } else { roles }),
        plain(t!("pair-id"), node.id.to_string()),
        plain(t!("pair-address"), node.address.clone()),
        plain(t!("pair-member"), yes_no(node.online)),
        plain(t!("pair-daemon"), yes_no(node.daemon)),
        plain(t!("pair-standby"), yes_no(node.standby)),
        plain(t!("pair-holds"), held),
    ]
}

fn vip(app: &App, vip: &VipStatus) -> Vec<Pair> {
    let (tone, state) = words::vip(vip);
    let mut pairs = vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-address"), vip.address.clone()),
        plain(t!("pair-interface"), vip.interface.clone().unwrap_or_else(|| t!("interface-auto"))),
        plain(t!("pair-holder"), words::vip_place(vip, app.look.utf8)),
    ];
    if let Some(problem) = &vip.problem {
        pairs.push((t!("pair-problem"), words::problem(problem), Tone::Bad));
    }
    pairs
}

fn service(app: &App, service: &ServiceStatus) -> Vec<Pair> {
    let (tone, state) = words::service(&service.state);
    let (health_tone, health) = words::health(service.healthy);
    vec![
        (t!("pair-state"), state, tone),
        plain(t!("pair-unit"), service.unit.clone()),
        plain(t!("pair-holder"), service.holder.clone().unwrap_or_else(|| words::none(app.look.utf8))),
        (t!("pair-health"), health, health_tone),
        plain(t!("pair-failures"), service.failures.to_string()),
    ]
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
    let past = app.rates.history(&peer.name);
    let traffic = |total: u64, rate: Option<f64>| match rate {
        Some(rate) => t!("traffic", total = format::bytes(total), rate = format::rate(rate)),
        None => format::bytes(total),
    };
    let graph = |value: fn(&Sample) -> f64| {
        let values: Vec<f64> = past.iter().map(value).collect();
        theme::spark(&values, GRAPH, app.look.utf8).trim_start().to_owned()
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
        plain(String::new(), graph(|sample| sample.rx)),
        plain(t!("pair-tx"), traffic(peer.tx_bytes, rate.map(|r| r.tx))),
        plain(String::new(), graph(|sample| sample.tx)),
        plain(t!("pair-key"), peer.public_key.clone()),
    ];
    if let Some(problem) = peer.endpoint_problem {
        pairs.insert(3, (t!("pair-problem"), words::endpoint_problem(problem), Tone::Warn));
    }
    pairs
}
