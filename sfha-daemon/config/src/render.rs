//! Entries as the lines of a file: only what is not so by default, in the spelling of the example.

use serde_json::{Map, Value, json};
use sfha_core::qdevice::{Algorithm, QDEVICE_PORT, Qdevice, Tls};
use sfha_core::resources::{
    self, Constraint, Elsewhere, HealthCheck, Probe, Service, default_failure_expiry_s,
    default_start_timeout_ms, default_stop_timeout_ms,
};
use sfha_core::state::Vip;

use crate::reader::duration_text;
use crate::schema::{ALONE_INTERVAL_MS, ALONE_TIMEOUT_MS};
use crate::shared::Entry;

pub mod stonith;

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A text, quoted where that is needed.
    Text(String),
    /// A word or number that is not a text.
    Bare(String),
    /// Texts in brackets.
    Texts(Vec<String>),
    /// Lines of their own.
    Map(Vec<Field>),
    /// Lines of their own, below names of the operator's.
    Named(Vec<(String, Written)>),
}

impl Written {
    /// What is below it, where that is lines of their own.
    pub fn inner(&self) -> Option<Vec<(&str, &Self)>> {
        match self {
            Self::Map(fields) => Some(fields.iter().map(|(name, written)| (*name, written)).collect()),
            Self::Named(pairs) => {
                Some(pairs.iter().map(|(name, written)| (name.as_str(), written)).collect())
            }
            Self::Text(_) | Self::Bare(_) | Self::Texts(_) => None,
        }
    }
}

/// A key and what stands behind it.
pub type Field = (&'static str, Written);

/// The keys of an entry.
pub fn fields(name: &str, entry: &Entry) -> Vec<Field> {
    match entry {
        Entry::Failback(failback) => vec![("failback", bare(failback))],
        Entry::Qdevice(qdevice) => qdevice_fields(qdevice),
        Entry::Vip(vip) => vip_fields(name, vip),
        Entry::Service(managed) => {
            let mut fields = service_fields(name, &managed.service);
            if let Some(check) = &managed.check {
                fields.push(("healthcheck", Written::Map(check_fields(check, true))));
            }
            fields
        }
        Entry::Check(check) => {
            let mut fields = vec![("name", text(name))];
            fields.extend(check_fields(check, false));
            fields
        }
        Entry::Constraint(Constraint::Colocation { resource, with }) => {
            vec![("type", text("colocation")), ("resource", text(resource)), ("with", text(with))]
        }
        Entry::Constraint(Constraint::Order { first, then }) => {
            vec![("type", text("order")), ("first", text(first)), ("then", text(then))]
        }
        Entry::Stonith(settings) => stonith::fields(settings),
    }
}

fn qdevice_fields(qdevice: &Qdevice) -> Vec<Field> {
    let Qdevice { host, port, algorithm, tls } = qdevice;
    let mut fields = vec![("model", text("net")), ("host", text(host))];
    if *port != QDEVICE_PORT {
        fields.push(("port", bare(port)));
    }
    match algorithm {
        Algorithm::Ffsplit => {}
        Algorithm::Lms => fields.push(("algorithm", text("lms"))),
    }
    match tls {
        Tls::Required => {}
        Tls::On => fields.push(("tls", text("on"))),
        Tls::Off => fields.push(("tls", text("off"))),
    }
    fields
}

fn vip_fields(name: &str, vip: &Vip) -> Vec<Field> {
    let mut fields = vec![
        ("name", text(name)),
        ("ip", text(&vip.address.addr().to_string())),
        ("cidr", bare(&vip.address.prefix_len())),
    ];
    fields.extend(vip.interface.as_deref().map(|interface| ("interface", text(interface))));
    fields.extend(prefer(&vip.prefer));
    fields
}

fn service_fields(name: &str, service: &Service) -> Vec<Field> {
    let mut fields = vec![("name", text(name)), ("type", text("systemd")), ("unit", text(&service.unit))];
    fields.extend(prefer(&service.prefer));
    if service.critical {
        fields.push(("critical", bare(&true)));
    }
    if service.restarts != 0 {
        fields.push(("restarts", bare(&service.restarts)));
    }
    let durations = [
        ("failure_expiry", service.failure_expiry_s.saturating_mul(1000), default_failure_expiry_s() * 1000),
        ("start_timeout", service.start_timeout_ms, default_start_timeout_ms()),
        ("stop_timeout", service.stop_timeout_ms, default_stop_timeout_ms()),
    ];
    fields.extend(differing(&durations));
    if service.elsewhere == Elsewhere::Report {
        fields.push(("elsewhere", text("report")));
    }
    fields
}

fn check_fields(check: &HealthCheck, nested: bool) -> Vec<Field> {
    let mut fields = vec![("type", text(check.probe.kind()))];
    match &check.probe {
        Probe::Http { url, status, body, ca_file } => {
            fields.push(("url", text(url)));
            fields.extend(status.map(|status| ("status", bare(&status))));
            fields.extend(body.as_deref().map(|body| ("body", text(body))));
            fields.extend(ca_file.as_deref().map(|file| ("ca_file", text(file))));
        }
        Probe::Tcp { target } => fields.push(("target", text(target))),
        Probe::Systemd { unit } => fields.push(("target", text(unit))),
        Probe::Program { command } => fields.push(("command", Written::Texts(command.clone()))),
    }
    let (interval, timeout) = match nested {
        true => (resources::default_interval_ms(), resources::default_timeout_ms()),
        false => (ALONE_INTERVAL_MS, ALONE_TIMEOUT_MS),
    };
    let durations = [("interval", check.interval_ms, interval), ("timeout", check.timeout_ms, timeout)];
    fields.extend(differing(&durations));
    if check.fall != resources::default_fall() {
        fields.push(("failures_before_unhealthy", bare(&check.fall)));
    }
    if check.rise != resources::default_rise() {
        fields.push(("successes_before_healthy", bare(&check.rise)));
    }
    fields.extend(differing(&[("start_grace", check.start_grace_ms, 0)]));
    if !nested {
        fields.extend(check.service.as_deref().map(|service| ("service", text(service))));
        if check.critical {
            fields.push(("critical", bare(&true)));
        }
        fields.extend(check.restart_unit.as_deref().map(|unit| ("restart_service", text(unit))));
    }
    fields
}

fn prefer(nodes: &[String]) -> Option<Field> {
    (!nodes.is_empty()).then(|| ("prefer", Written::Texts(nodes.to_vec())))
}

fn differing(durations: &[(&'static str, u64, u64)]) -> Vec<Field> {
    let other = durations.iter().filter(|(_, is, default)| is != default);
    other.map(|(name, is, _)| (*name, text(&duration_text(*is)))).collect()
}

fn text(text: &str) -> Written {
    Written::Text(text.to_owned())
}

fn bare(value: &impl ToString) -> Written {
    Written::Bare(value.to_string())
}

/// The keys as a document, for people who compare.
pub fn value(fields: &[Field]) -> Value {
    fn one(written: &Written) -> Value {
        match written {
            Written::Text(text) => json!(text),
            Written::Bare(word) => serde_json::from_str(word).unwrap_or_else(|_| json!(word)),
            Written::Texts(texts) => json!(texts),
            Written::Map(fields) => value(fields),
            Written::Named(pairs) => {
                Value::Object(pairs.iter().map(|(name, written)| (name.clone(), one(written))).collect())
            }
        }
    }
    let named = fields.iter().filter(|(_, written)| *written != Written::Text(String::new()));
    Value::Object(named.map(|(name, written)| ((*name).to_owned(), one(written))).collect::<Map<_, _>>())
}

/// What stands behind a key on its own line; `None` for lines of their own.
pub fn inline(written: &Written) -> Option<String> {
    match written {
        Written::Text(text) => Some(quoted(text)),
        Written::Bare(word) => Some(word.clone()),
        Written::Texts(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            Some(format!("[{}]", texts.join(", ")))
        }
        Written::Named(pairs) if pairs.is_empty() => Some("{}".to_owned()),
        Written::Map(fields) if fields.is_empty() => Some("{}".to_owned()),
        Written::Map(_) | Written::Named(_) => None,
    }
}

/// The lines of some keys, without line ends, each indented by so many spaces.
pub fn lines(fields: &[Field], indentation: usize) -> Vec<String> {
    fields.iter().flat_map(|(name, written)| pair(name, written, indentation)).collect()
}

/// The lines of one key.
pub fn pair(name: &str, written: &Written, indentation: usize) -> Vec<String> {
    let space = " ".repeat(indentation);
    let name = quoted(name);
    if let Some(value) = inline(written) {
        return vec![format!("{space}{name}: {value}")];
    }
    let mut lines = vec![format!("{space}{name}:")];
    for (name, written) in written.inner().unwrap_or_default() {
        lines.extend(pair(name, written, indentation + 2));
    }
    lines
}

/// The lines of an item of a list, its dash so many spaces in.
pub fn item(fields: &[Field], indentation: usize) -> Vec<String> {
    let mut lines = lines(fields, indentation + 2);
    if let Some(first) = lines.first_mut() {
        first.replace_range(indentation..indentation + 1, "-");
    }
    lines
}

/// The file of a node that has just got a cluster.
#[must_use]
pub fn new_file(cluster: &str, node: &str, mesh: bool) -> String {
    let (cluster, node) = (quoted(cluster), quoted(node));
    format!(
        "# sfha: this node, and what its cluster runs. All that can stand here: sfha config-example\n\
         # After a change: sfha config-check, then sfha reload\n\n\
         cluster:\n  name: {cluster}\n\nnode:\n  name: {node}\n\nmesh:\n  enabled: {mesh}\n"
    )
}

/// A text as YAML: plain where every reader of YAML takes it for a text, else in double quotes.
fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{a0}' | '\u{feff}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)))
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "/_.".contains(c);
    let inside = |c: char| word(c) || "-@:".contains(c);
    let number = text.parse::<f64>().is_ok()
        || text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains('.')
            && !text.ends_with(['s', 'm', 'h']);
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(word)
        && text.ends_with(word)
        && text.chars().all(inside)
        && !number
        && !special.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_a_reader_could_take_them_for_something_else() {
        for (text, wanted) in [
            ("web", "web"),
            ("node-1.example", "node-1.example"),
            ("10.0.0.1", "10.0.0.1"),
            ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
            ("20s", "20s"),
            ("500ms", "500ms"),
            ("1m 30s", "\"1m 30s\""),
            ("fd00::1", "fd00::1"),
            ("fd00::", "\"fd00::\""),
            ("true", "\"true\""),
            ("Off", "\"Off\""),
            ("12", "\"12\""),
            ("1e3", "\"1e3\""),
            ("12:30", "\"12:30\""),
            ("", "\"\""),
            ("-x", "\"-x\""),
            ("a b: \"c\" # d\n", "\"a b: \\\"c\\\" # d\\n\""),
            ("[a]", "\"[a]\""),
        ] {
            assert_eq!(quoted(text), wanted);
        }
    }
}
