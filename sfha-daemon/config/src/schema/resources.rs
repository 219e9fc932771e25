//! VIPs, services, health checks and constraints.

use std::net::IpAddr;

use ipnet::IpNet;
use sfha_core::command::{check_interface, check_name};
use sfha_core::resources::{
    self, Constraint, Elsewhere, HealthCheck, MAX_CHECKS, MAX_CONSTRAINTS, MAX_SERVICE_TIMEOUT_MS,
    MAX_SERVICES, Probe, Service,
};
use sfha_core::state::{MAX_VIPS, Vip};
use sfha_proto::config::FindingCode;

use super::{ALONE_INTERVAL_MS, ALONE_TIMEOUT_MS, Decoded, Places, is_url, keys, name, path};
use crate::reader::{Fields, Reader, Unit};
use crate::shared::Managed;
use crate::yaml::Node;

/// Longest duration, in milliseconds: a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Most failures or successes in a row, and most restarts.
const MAX_COUNT: u64 = 1000;

/// Reads all of them.
pub fn decode(top: &Fields<'_>, reader: &mut Reader<'_>, decoded: &mut Decoded) {
    for (path, node) in items(top, "vips", MAX_VIPS, reader) {
        let Some(fields) = reader.fields(node, &path, keys("vips[]")) else { continue };
        let prefer = prefer(&fields, reader, &mut decoded.places);
        let (name, address, interface) =
            (required_name(&fields, reader), vip_address(&fields, reader), interface(&fields, reader));
        if let Some(name) = name {
            decoded.places.vips.push((name.clone(), fields.place("name")));
            if let Some(address) = address {
                let vip = Vip { address, interface, prefer };
                decoded.config.shared.vips.entry(name).or_insert(vip);
            }
        }
    }
    for (path, node) in items(top, "services", MAX_SERVICES, reader) {
        let Some(fields) = reader.fields(node, &path, keys("services[]")) else { continue };
        let Some(name) = required_name(&fields, reader) else { continue };
        decoded.places.services.push((name.clone(), fields.place("name")));
        let service = service(&fields, &name, reader, &mut decoded.places);
        let check = fields.get("healthcheck").and_then(|node| {
            let fields =
                reader.fields(node, &fields.path_of("healthcheck"), keys("services[].healthcheck"))?;
            check(&fields, Some(&name), reader)
        });
        if let Some(service) = service {
            decoded.config.shared.services.entry(name).or_insert(Managed { service, check });
        }
    }
    for (path, node) in items(top, "health_checks", MAX_CHECKS, reader) {
        let Some(fields) = reader.fields(node, &path, keys("health_checks[]")) else { continue };
        let name = required_name(&fields, reader);
        let service = self::name(&fields, "service", reader);
        if let Some(service) = &service {
            let place = (fields.path_of("service"), service.clone(), fields.place("service"));
            decoded.places.references.push(place);
        }
        let checked = check(&fields, None, reader);
        let critical = reader.boolean(&fields, "critical").unwrap_or_default();
        let restart_unit = reader.judged(&fields, "restart_service", FindingCode::BadUnit, unit);
        if let Some(name) = name {
            decoded.places.checks.push((name.clone(), fields.place("name")));
            if let Some(check) = checked {
                let check = HealthCheck { service, critical, restart_unit, ..check };
                decoded.config.shared.checks.entry(name).or_insert(check);
            }
        }
    }
    for (path, node) in items(top, "constraints", MAX_CONSTRAINTS, reader) {
        let Some(fields) = reader.fields(node, &path, keys("constraints[]")) else { continue };
        if let Some((constraint, keys)) = constraint(&fields, reader) {
            let places = keys.map(|key| fields.place(key));
            decoded.places.constraints.push((constraint.clone(), fields.at, places));
            decoded.config.shared.constraints.insert(constraint);
        }
    }
}

/// The items of a list with their paths, as many as there may be.
fn items<'n>(
    top: &Fields<'n>,
    list: &'static str,
    limit: usize,
    reader: &mut Reader<'_>,
) -> Vec<(String, &'n Node)> {
    let items = reader.list(top, list);
    if items.len() > limit {
        reader
            .findings
            .error(FindingCode::TooMany, list, items[limit].at)
            .with("what", list)
            .with("limit", limit);
    }
    items
        .into_iter()
        .take(limit)
        .enumerate()
        .map(|(index, node)| (format!("{list}[{index}]"), node))
        .collect()
}

fn required_name(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<String> {
    reader.required(fields, "name")?;
    name(fields, "name", reader)
}

fn prefer(fields: &Fields<'_>, reader: &mut Reader<'_>, places: &mut Places) -> Vec<String> {
    let path = fields.path_of("prefer");
    let mut nodes: Vec<String> = Vec::new();
    for (node, at) in reader.texts(fields, "prefer") {
        if check_name("prefer", node).is_err() {
            reader.findings.error(FindingCode::BadName, &path, at).with("value", node);
        } else if nodes.iter().any(|other| other == node) {
            reader
                .findings
                .error(FindingCode::DuplicateName, &path, at)
                .with("name", node)
                .with("first", at.line);
        } else {
            places.nodes.push((path.clone(), node.to_owned(), at));
            nodes.push(node.to_owned());
        }
    }
    nodes
}

/// `ip`, with its prefix behind a slash or in `cidr`.
fn vip_address(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<IpNet> {
    let text = reader.required(fields, "ip")?;
    let (ip, own) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let own: Option<Option<u8>> = own.map(|prefix| prefix.parse().ok());
    let Ok(ip) = ip.parse::<IpAddr>() else {
        reader.bad(fields, "ip", FindingCode::BadAddress);
        return None;
    };
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    if own.is_some_and(|prefix| prefix.is_none_or(|prefix| prefix > longest)) {
        reader.bad(fields, "ip", FindingCode::BadAddress);
        return None;
    }
    let cidr = match reader.number(fields, "cidr", 0..=u64::from(longest)) {
        Some(cidr) => u8::try_from(cidr).ok(),
        None if fields.get("cidr").is_some() => return None,
        None => None,
    };
    // The original program's network where nothing is said.
    let usual = if ip.is_ipv4() { 24 } else { 64 };
    let address = IpNet::new(ip, cidr.or(own.flatten()).unwrap_or(usual)).ok()?;
    let edge =
        ip.is_ipv4() && address.prefix_len() < 31 && (ip == address.network() || ip == address.broadcast());
    if edge || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
        reader.bad(fields, "ip", FindingCode::NotAHost);
        return None;
    }
    Some(address)
}

fn interface(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<String> {
    reader.judged(fields, "interface", FindingCode::BadInterface, |text| {
        check_interface(text).is_ok().then(|| text.to_owned())
    })
}

fn service(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>, places: &mut Places) -> Option<Service> {
    reader.choice(fields, "type", &[("systemd", ())]);
    let unit = match fields.get("unit") {
        Some(_) => reader.judged(fields, "unit", FindingCode::BadUnit, unit),
        None => unit(name),
    };
    let both = [("restarts", "restarts"), ("restart_service", "restart_service")].map(|(name, _)| name);
    let restarts = match reader.one_of(fields, &both) {
        Some("restarts") => reader.number(fields, "restarts", 0..=MAX_COUNT),
        Some(_) => reader.boolean(fields, "restart_service").map(u64::from),
        None => None,
    };
    let elsewhere = [("stop", Elsewhere::Stop), ("report", Elsewhere::Report)];
    let expiry = [("failure_expiry", Unit::Seconds), ("failure_expiry_ms", Unit::Milliseconds)];
    let start = [("start_timeout", Unit::Seconds), ("start_timeout_ms", Unit::Milliseconds)];
    let stop = [("stop_timeout", Unit::Seconds), ("stop_timeout_ms", Unit::Milliseconds)];
    let mut service = Service {
        prefer: prefer(fields, reader, places),
        critical: reader.boolean(fields, "critical").unwrap_or_default(),
        restarts: restarts.and_then(|restarts| u32::try_from(restarts).ok()).unwrap_or_default(),
        elsewhere: reader.choice(fields, "elsewhere", &elsewhere).unwrap_or_default(),
        ..Service::new("")
    };
    if let Some(expiry) = reader.duration(fields, &expiry, 1000..=7 * DAY_MS) {
        // What is kept is seconds.
        service.failure_expiry_s = expiry.div_ceil(1000);
    }
    if let Some(start) = reader.duration(fields, &start, 100..=MAX_SERVICE_TIMEOUT_MS) {
        service.start_timeout_ms = start;
    }
    if let Some(stop) = reader.duration(fields, &stop, 100..=MAX_SERVICE_TIMEOUT_MS) {
        service.stop_timeout_ms = stop;
    }
    service.unit = unit?;
    Some(service)
}

/// The name of a unit that may be a service.
fn unit(text: &str) -> Option<String> {
    sfha_core::unit::whole_name(text).filter(|name| !sfha_core::unit::is_own(name))
}

fn check(fields: &Fields<'_>, service: Option<&str>, reader: &mut Reader<'_>) -> Option<HealthCheck> {
    let probe = probe(fields, reader);
    let nested = service.is_some();
    let (interval, timeout) = match nested {
        true => (resources::default_interval_ms(), resources::default_timeout_ms()),
        false => (ALONE_INTERVAL_MS, ALONE_TIMEOUT_MS),
    };
    let both = |a, b| [(a, Unit::Seconds), (b, Unit::Milliseconds)];
    let least = 100;
    let interval =
        reader.duration(fields, &both("interval", "interval_ms"), least..=DAY_MS).unwrap_or(interval);
    let timeout = reader.duration(fields, &both("timeout", "timeout_ms"), least..=DAY_MS).unwrap_or(timeout);
    let grace = reader.duration(fields, &both("start_grace", "start_grace_ms"), 0..=DAY_MS).unwrap_or(0);
    let mut count = |name, default| {
        let number = reader.number(fields, name, 1..=MAX_COUNT);
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    };
    let fall = count("failures_before_unhealthy", resources::default_fall());
    let rise = count("successes_before_healthy", resources::default_rise());
    Some(HealthCheck {
        probe: probe?,
        interval_ms: interval,
        timeout_ms: timeout,
        fall,
        rise,
        start_grace_ms: grace,
        service: service.map(str::to_owned),
        critical: false,
        restart_unit: None,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Http,
    Tcp,
    Systemd,
    Program,
}

fn probe(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Probe> {
    let kinds =
        [("http", Kind::Http), ("tcp", Kind::Tcp), ("systemd", Kind::Systemd), ("program", Kind::Program)];
    // The original program's where nothing is said.
    let kind = match fields.get("type") {
        Some(_) => reader.choice(fields, "type", &kinds)?,
        None => Kind::Tcp,
    };
    let foreign = [
        ("target", kind == Kind::Program),
        ("url", kind != Kind::Http),
        ("status", kind != Kind::Http),
        ("body", kind != Kind::Http),
        ("ca_file", kind != Kind::Http),
        ("command", kind != Kind::Program),
    ];
    for (key, wrong) in foreign {
        if wrong && fields.get(key).is_some() {
            let word = kinds.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
            reader
                .findings
                .error(FindingCode::NotForType, &fields.path_of(key), fields.place(key))
                .with("name", key)
                .with("kind", word);
        }
    }
    match kind {
        Kind::Http => {
            let status = reader.number(fields, "status", 100..=599);
            let body = reader.text(fields, "body").map(str::to_owned);
            let ca_file = path(fields, "ca_file", reader);
            let Some(key) = reader.one_of(fields, &["url", "target"]) else {
                reader.missing(fields, "url");
                return None;
            };
            let url = reader
                .judged(fields, key, FindingCode::BadUrl, |text| is_url(text).then(|| text.to_owned()))?;
            Some(Probe::Http {
                url,
                status: status.and_then(|status| u16::try_from(status).ok()),
                body,
                ca_file,
            })
        }
        Kind::Tcp => {
            reader.required(fields, "target")?;
            let target = reader.judged(fields, "target", FindingCode::BadTarget, target)?;
            Some(Probe::Tcp { target })
        }
        Kind::Systemd => {
            reader.required(fields, "target")?;
            Some(Probe::Systemd { unit: reader.judged(fields, "target", FindingCode::BadUnit, unit)? })
        }
        Kind::Program => program(fields, reader),
    }
}

/// `HOST:PORT`, an IPv6 address in brackets.
fn target(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fits = match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&host.len())
                && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        }
    };
    fits.then(|| text.to_owned())
}

fn program(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Probe> {
    if fields.get("command").is_none() {
        reader.missing(fields, "command");
        return None;
    }
    let words = reader.texts(fields, "command");
    let path = fields.path_of("command");
    match words.first() {
        None => {
            reader.findings.error(FindingCode::EmptyCommand, &path, fields.place("command"));
            None
        }
        Some((program, at)) if !program.starts_with('/') => {
            reader.findings.error(FindingCode::BadPath, &path, *at).with("value", *program);
            None
        }
        Some(_) => {
            Some(Probe::Program { command: words.into_iter().map(|(word, _)| word.to_owned()).collect() })
        }
    }
}

fn constraint(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<(Constraint, [&'static str; 2])> {
    if fields.get("type").is_none() {
        reader.missing(fields, "type");
        return None;
    }
    let colocation = reader.choice(fields, "type", &[("colocation", true), ("order", false)])?;
    let (wanted, foreign) = match colocation {
        true => (["resource", "with"], ["first", "then"]),
        false => (["first", "then"], ["resource", "with"]),
    };
    for key in foreign {
        if fields.get(key).is_some() {
            reader
                .findings
                .error(FindingCode::NotForType, &fields.path_of(key), fields.place(key))
                .with("name", key)
                .with("kind", if colocation { "colocation" } else { "order" });
        }
    }
    let [one, two] = wanted.map(|key| reader.required(fields, key).map(str::to_owned));
    let (one, two) = (one?, two?);
    let constraint = match colocation {
        true => Constraint::Colocation { resource: one, with: two },
        false => Constraint::Order { first: one, then: two },
    };
    Some((constraint, wanted))
}
