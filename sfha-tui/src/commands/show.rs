//! Answers as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_proto::mesh::{Joined, MeshStatus, TokenListed, TokenMade};
use sfha_proto::message::{FailoverDone, Initialised, VipsAnnounced};
use sfha_proto::status::{ClusterStatus, Phase, VipState};

use crate::assess;
use crate::format;
use crate::paint::{Paint, Table};
use crate::t;
use crate::words::{self, Tone};

/// `sfha status`: first whether all is well, then the rest.
pub fn status(status: &ClusterStatus, paint: Paint) -> String {
    if status.phase == Phase::Unconfigured {
        return unconfigured(paint);
    }
    let mut text = headline(status, paint);
    text.push('\n');
    text.push_str(&facts(status, paint));
    let sections = [
        Some(nodes(status, paint)),
        (!status.vips.is_empty()).then(|| vips(status, paint)),
        (!status.services.is_empty()).then(|| services(status, paint)),
        (!status.health.is_empty()).then(|| health(status, paint)),
    ];
    for section in sections.into_iter().flatten() {
        text.push('\n');
        text.push_str(&section);
    }
    text
}

/// What to do where there is no cluster yet.
pub fn unconfigured(paint: Paint) -> String {
    format!("{} {}\n{}\n", paint.mark(Tone::Warn), t!("unconfigured"), t!("unconfigured-next"))
}

fn headline(status: &ClusterStatus, paint: Paint) -> String {
    let concerns = assess::concerns(status);
    if concerns.is_empty() {
        let serving = status.vips.iter().filter(|vip| vip.state == VipState::Active).count();
        let well = t!("all-well", nodes = status.nodes.len(), vips = serving);
        return format!("{} {}\n", paint.mark(Tone::Good), paint.bold(&well));
    }
    let mut text = String::new();
    for concern in concerns {
        text.push_str(&format!("{} {}\n", paint.mark(concern.tone), paint.tone(concern.tone, &concern.text)));
    }
    text
}

fn facts(status: &ClusterStatus, paint: Paint) -> String {
    let mut table = Table::bare();
    let mut fact = |name: String, value: String| table.row(vec![(Tone::Dim, name), (Tone::Plain, value)]);
    let seen = t!("fact-seen", node = status.node.as_str(), version = status.version.as_str());
    fact(t!("fact-cluster"), format!("{}, {seen}", status.cluster));
    fact(t!("fact-quorum"), quorum(status));
    fact(t!("fact-leader"), status.leader.clone().unwrap_or_else(|| words::none(paint.utf8)));
    if let Some(detection) = &status.detection {
        fact(t!("fact-detection"), self::detection(detection));
    }
    if status.mesh.enabled {
        let (connected, peers) = (status.mesh.connected, status.mesh.peers);
        fact(t!("fact-mesh"), t!("mesh-summary", connected = connected, peers = peers));
    }
    if !status.links.is_empty() {
        fact(t!("fact-links"), words::links(&status.links));
    }
    fact(t!("fact-fencing"), fencing(status));
    table.render(paint)
}

/// Votes in words.
pub fn quorum(status: &ClusterStatus) -> String {
    let q = &status.quorum;
    let votes = match (q.votes, q.expected, q.needed) {
        (Some(votes), Some(expected), Some(needed)) if q.quorate => {
            t!("quorum-yes", votes = votes, expected = expected, needed = needed)
        }
        (Some(votes), Some(expected), Some(needed)) => {
            t!("quorum-no", votes = votes, expected = expected, needed = needed)
        }
        _ => t!("quorum-unknown"),
    };
    match &q.device {
        None => votes,
        Some(device) => {
            let host = device.host.as_str();
            let device = match device.votes {
                Some(true) => t!("quorum-device-votes", host = host),
                Some(false) => t!("quorum-device-silent", host = host),
                None => t!("quorum-device-gone", host = host),
            };
            format!("{votes}; {device}")
        }
    }
}

/// How fast a lost node is noticed.
pub fn detection(detection: &sfha_proto::status::Detection) -> String {
    t!(
        "detection",
        time = format::millis(detection.detection_ms.into()),
        profile = detection.profile.as_str(),
        delay = format::millis(detection.takeover_delay_ms.into())
    )
}

fn fencing(status: &ClusterStatus) -> String {
    match (&status.fencing.enabled, &status.fencing.provider) {
        (false, _) => t!("fencing-off"),
        (true, Some(provider)) => t!("fencing-by", provider = provider.as_str()),
        (true, None) => t!("fencing-on"),
    }
}

/// `sfha nodes`
pub fn nodes(status: &ClusterStatus, paint: Paint) -> String {
    let titles = [
        String::new(),
        t!("col-node"),
        t!("col-id"),
        t!("col-state"),
        t!("col-address"),
        t!("col-program"),
        t!("col-role"),
    ];
    let mut table = Table::titled(&titles).right(&[2]);
    for node in &status.nodes {
        let (tone, state) = words::node(node);
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, node.name.clone()),
            (Tone::Plain, node.id.to_string()),
            (tone, state),
            (Tone::Plain, node.address.clone()),
            (Tone::Plain, node.program.clone().unwrap_or_else(|| words::none(paint.utf8))),
            (Tone::Plain, words::roles(node, status)),
        ]);
    }
    or(table, paint, t!("no-nodes"))
}

/// `sfha vip list`
pub fn vips(status: &ClusterStatus, paint: Paint) -> String {
    let titles = [
        String::new(),
        t!("col-vip"),
        t!("col-address"),
        t!("col-state"),
        t!("col-node"),
        t!("col-interface"),
        t!("col-problem"),
    ];
    let mut table = Table::titled(&titles);
    for vip in &status.vips {
        let (tone, state) = words::vip(vip);
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, vip.name.clone()),
            (Tone::Plain, vip.address.clone()),
            (tone, state),
            (Tone::Plain, words::vip_place(vip, paint.utf8)),
            (Tone::Plain, vip.interface.clone().unwrap_or_else(|| t!("interface-auto"))),
            (Tone::Plain, vip.problem.as_deref().map(words::problem).unwrap_or_default()),
        ]);
    }
    or(table, paint, t!("no-vips"))
}

/// `sfha service list`
pub fn services(status: &ClusterStatus, paint: Paint) -> String {
    let titles = [
        String::new(),
        t!("col-service"),
        t!("col-unit"),
        t!("col-state"),
        t!("col-node"),
        t!("col-failures"),
        t!("col-problem"),
    ];
    let mut table = Table::titled(&titles).right(&[5]);
    for service in &status.services {
        let (tone, state) = words::service(&service.state);
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, service.name.clone()),
            (Tone::Plain, service.unit.clone()),
            (tone, state),
            (Tone::Plain, words::service_place(service, paint.utf8)),
            (Tone::Plain, service.failures.to_string()),
            (Tone::Plain, words::service_problem(service).unwrap_or_default()),
        ]);
    }
    or(table, paint, t!("no-services"))
}

/// `sfha resources`
pub fn resources(status: &ClusterStatus, paint: Paint) -> String {
    format!("{}\n{}", vips(status, paint), services(status, paint))
}

/// `sfha health`
pub fn health(status: &ClusterStatus, paint: Paint) -> String {
    let titles =
        [String::new(), t!("col-check"), t!("col-kind"), t!("col-state"), t!("col-node"), t!("col-error")];
    let mut table = Table::titled(&titles);
    for check in &status.health {
        let (tone, state) = words::health(check.healthy);
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, check.name.clone()),
            (Tone::Plain, words::probe(&check.kind)),
            (tone, state),
            (Tone::Plain, words::check_place(check, paint.utf8)),
            (Tone::Plain, check.last_error.as_deref().map(words::check_error).unwrap_or_default()),
        ]);
    }
    or(table, paint, t!("no-health"))
}

/// `sfha mesh status`
pub fn mesh(mesh: &MeshStatus, paint: Paint) -> String {
    let (tone, up) = if mesh.up { (Tone::Good, t!("mesh-up")) } else { (Tone::Bad, t!("mesh-down")) };
    let mut facts = Table::bare();
    let mut fact = |name: String, value: String| facts.row(vec![(Tone::Dim, name), (Tone::Plain, value)]);
    let about = t!("mesh-about", backend = words::backend(mesh.backend), mtu = mesh.mtu);
    fact(t!("fact-interface"), format!("{}, {about}", mesh.interface));
    fact(
        t!("fact-address"),
        t!("mesh-address", address = mesh.address.as_str(), port = mesh.port.to_string()),
    );
    fact(t!("fact-key"), mesh.public_key.clone());
    if !mesh.links.is_empty() {
        fact(t!("fact-links"), words::links(&mesh.links));
    }
    if let Some(after) = mesh.auto_remove_after_s {
        let time = format::age(i64::try_from(after).unwrap_or(i64::MAX));
        fact(t!("fact-auto-remove"), t!("auto-remove-after", time = time));
    }
    for rotating in &mesh.rotating {
        fact(t!("fact-rotating"), words::rotating(rotating));
    }
    let titles = [
        String::new(),
        t!("col-peer"),
        t!("col-state"),
        t!("col-handshake"),
        t!("col-rx"),
        t!("col-tx"),
        t!("col-rtt"),
        t!("col-endpoint"),
    ];
    let now = Timestamp::now();
    let mut table = Table::titled(&titles).right(&[3, 4, 5, 6]);
    for peer in &mesh.peers {
        let (tone, state) = words::peer_state(peer);
        let none = || words::none(paint.utf8);
        let seconds = peer.latest_handshake.as_deref().and_then(|time| format::seconds_since(time, now));
        let endpoint = match peer.path.as_str() {
            "direct" => peer.endpoint.clone().unwrap_or_else(none),
            relay => words::path(relay),
        };
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, words::peer_name(peer)),
            (tone, state),
            (Tone::Plain, seconds.map_or_else(none, format::age)),
            (Tone::Plain, format::bytes(peer.rx_bytes)),
            (Tone::Plain, format::bytes(peer.tx_bytes)),
            (Tone::Plain, peer.rtt_ms.map_or_else(none, format::rtt)),
            (Tone::Plain, endpoint),
        ]);
    }
    let mut peers = or(table, paint, t!("no-peers"));
    let mut note = |line: String| {
        peers.push_str(&format!("{} {}\n", paint.mark(Tone::Warn), paint.tone(Tone::Warn, &line)));
    };
    for peer in &mesh.peers {
        let node = peer.name.as_str();
        if let Some(problem) = peer.endpoint_problem {
            note(t!("peer-not-direct", node = node, problem = words::endpoint_problem(problem)));
        }
        if let Some(loss) = peer.loss.filter(|loss| *loss >= words::MUCH_LOSS) {
            note(t!("peer-loses", node = node, share = format::share(loss)));
        }
    }
    format!("{} {}\n{}\n{peers}", paint.mark(tone), paint.bold(&up), facts.render(paint))
}

/// `sfha mesh tokens`
pub fn tokens(tokens: &[TokenListed], paint: Paint) -> String {
    let titles = [
        String::new(),
        t!("col-id"),
        t!("col-state"),
        t!("col-address"),
        t!("col-initiator"),
        t!("col-used-by"),
        t!("col-expires"),
    ];
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let mut table = Table::titled(&titles);
    for token in tokens {
        let (tone, state) = words::token(&token.state);
        let at = token.expires.parse::<Timestamp>();
        let expires = at.map_or_else(|_| token.expires.clone(), |at| format::moment(at, now, &zone));
        table.row(vec![
            mark(tone, paint),
            (Tone::Plain, token.id.clone()),
            (tone, state),
            (Tone::Plain, token.ip.clone().unwrap_or_else(|| words::none(paint.utf8))),
            (Tone::Plain, token.initiator.clone()),
            (Tone::Plain, token.node.clone().unwrap_or_else(|| words::none(paint.utf8))),
            (Tone::Plain, expires),
        ]);
    }
    or(table, paint, t!("no-tokens"))
}

/// `sfha mesh token`
pub fn token(token: &TokenMade, paint: Paint) -> String {
    let expires = format::deadline(&token.expires, Timestamp::now(), &TimeZone::system());
    let ip = token.ip.as_deref().unwrap_or("none");
    let about = t!("token-about", id = token.id.as_str(), ip = ip, expires = expires);
    format!("{about}\n\n{}\n\n{}\n", paint.bold(&token.token), t!("token-use"))
}

/// `sfha init`
pub fn initialised(done: &Initialised, paint: Paint) -> String {
    let made = t!("done-init", cluster = done.cluster.as_str(), node = done.node.as_str());
    let made = format!("{} {made}\n", paint.mark(Tone::Good));
    match &done.token {
        Some(token) => format!("{made}\n{}", self::token(token, paint)),
        None => made,
    }
}

/// `sfha join`
pub fn joined(done: &Joined, paint: Paint) -> String {
    let text = t!(
        "done-join",
        cluster = done.cluster.as_str(),
        node = done.node.as_str(),
        id = done.id,
        ip = done.ip.as_str(),
        time = format::millis(done.elapsed_ms)
    );
    format!("{} {text}\n", paint.mark(Tone::Good))
}

/// `sfha failover`
pub fn failover(done: &FailoverDone, paint: Paint) -> String {
    let time = format::millis(done.elapsed_ms);
    let to = done.to.as_str();
    let names = done.moved.join(", ");
    let text = t!("done-failover", count = done.moved.len(), names = names, to = to, time = time);
    format!("{} {text}\n", paint.mark(Tone::Good))
}

/// `sfha vip announce`
pub fn announced(done: &VipsAnnounced, paint: Paint) -> String {
    let names = done.announced.join(", ");
    let text = t!("done-announced", count = done.announced.len(), names = names);
    format!("{} {text}\n", paint.mark(Tone::Good))
}

fn mark(tone: Tone, paint: Paint) -> (Tone, String) {
    (tone, words::mark(tone, paint.utf8).to_owned())
}

fn or(table: Table, paint: Paint, empty: String) -> String {
    if table.is_empty() { format!("{empty}\n") } else { table.render(paint) }
}
