//! `access:`, `metrics:` and `hooks:`, which every node has for itself.

use sfha_core::command::check_name;
use sfha_proto::config::FindingCode;
use sfha_proto::history::EventKind;
use zeroize::Zeroizing;

use super::{is_url, keys, name, path, section};
use crate::local::{Access, Call, Hook, Listen, Local, Who};
use crate::reader::{Fields, Reader, Unit, closest};

/// Most hooks.
const MAX_HOOKS: usize = 32;

/// Longest time that a hook may take, in milliseconds: ten minutes.
const LONGEST_MS: u64 = 10 * 60 * 1000;

/// Reads them.
pub fn decode(top: &Fields<'_>, reader: &mut Reader<'_>) -> Local {
    let mut local = Local::default();
    if let Some(fields) = section(top, "access", reader) {
        let read = fields.get("read").map(|_| people(&fields, "read", reader));
        local.access = Access { read, write: people(&fields, "write", reader) };
    }
    if let Some(fields) = section(top, "metrics", reader) {
        local.metrics = reader.judged(&fields, "listen", FindingCode::BadListen, listen);
    }
    let mut names = std::collections::BTreeMap::new();
    for (index, node) in reader.list(top, "hooks").into_iter().enumerate() {
        let at = format!("hooks[{index}]");
        if index >= MAX_HOOKS {
            let limit = MAX_HOOKS;
            let finding = reader.findings.error(FindingCode::TooMany, &at, node.at);
            finding.with("what", "hooks").with("limit", limit);
            break;
        }
        let Some(fields) = reader.fields(node, &at, keys("hooks[]")) else { continue };
        let Some(hook) = hook(&fields, reader) else { continue };
        if let Some(first) = names.insert(hook.name.clone(), node.at) {
            reader
                .findings
                .error(FindingCode::DuplicateName, &fields.path_of("name"), fields.place("name"))
                .with("name", hook.name.clone())
                .with("first", first.line);
        }
        local.hooks.push(hook);
    }
    local
}

/// Users, and groups with an `@`.
fn people(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Vec<Who> {
    let mut people = Vec::new();
    for (text, at) in reader.texts(fields, key) {
        let (name, group) = text.strip_prefix('@').map_or((text, false), |name| (name, true));
        if check_name(key, name).is_err() {
            reader.findings.error(FindingCode::BadName, &fields.path_of(key), at).with("value", text);
            continue;
        }
        people.push(if group { Who::Group(name.to_owned()) } else { Who::User(name.to_owned()) });
    }
    people
}

fn listen(text: &str) -> Option<Listen> {
    if text.starts_with('/') && !text.contains('\0') {
        return Some(Listen::Path(text.into()));
    }
    text.parse::<std::net::SocketAddr>().ok().filter(|address| address.port() > 0).map(Listen::Address)
}

fn hook(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Hook> {
    reader.required(fields, "name");
    let name = name(fields, "name", reader);
    let on = kinds(fields, reader);
    let timeout = reader.duration(fields, &[("timeout", Unit::Seconds)], 100..=LONGEST_MS);
    let retries = reader.number(fields, "retries", 0..=100).unwrap_or(2);
    let everywhere = reader.boolean(fields, "everywhere").unwrap_or_default();
    let call = match reader.one_of(fields, &["program", "webhook"]) {
        None => {
            reader.missing(fields, "program");
            return None;
        }
        Some("program") => {
            for key in ["headers_file", "ca_file"] {
                if fields.get(key).is_some() {
                    let finding = reader.findings.error(
                        FindingCode::NotForType,
                        &fields.path_of(key),
                        fields.place(key),
                    );
                    finding.with("name", key).with("kind", "program");
                }
            }
            program(fields, reader)?
        }
        Some(_) => {
            let headers_file = path(fields, "headers_file", reader);
            let ca_file = path(fields, "ca_file", reader);
            let url = reader.text(fields, "webhook")?;
            if !is_url(url) {
                // It may hold a secret: it is not told.
                let (key, at) = (fields.path_of("webhook"), fields.place("webhook"));
                reader.findings.error(FindingCode::BadUrl, &key, at).with("value", "…");
                return None;
            }
            Call::Webhook { url: Zeroizing::new(url.to_owned()), headers_file, ca_file }
        }
    };
    Some(Hook {
        name: name?,
        on: on?,
        call,
        timeout_ms: timeout.unwrap_or(10_000),
        retries: u32::try_from(retries).unwrap_or(u32::MAX),
        everywhere,
    })
}

fn program(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Call> {
    let words = reader.texts(fields, "program");
    let path = fields.path_of("program");
    match words.first() {
        None => {
            reader.findings.error(FindingCode::EmptyCommand, &path, fields.place("program"));
            None
        }
        Some((program, at)) if !program.starts_with('/') => {
            reader.findings.error(FindingCode::BadPath, &path, *at).with("value", *program);
            None
        }
        Some(_) => Some(Call::Program(words.into_iter().map(|(word, _)| word.to_owned()).collect())),
    }
}

/// Names of kinds; `None` inside: all.
#[allow(clippy::option_option, reason = "the outer one is whether it could be read")]
fn kinds(
    fields: &Fields<'_>,
    reader: &mut Reader<'_>,
) -> Option<Option<std::collections::BTreeSet<EventKind>>> {
    let node = fields.get("on");
    if node.is_none_or(|node| node.text() == Some("all")) {
        return Some(None);
    }
    let mut kinds = std::collections::BTreeSet::new();
    for (text, at) in reader.texts(fields, "on") {
        match EventKind::named(text) {
            Some(kind) => {
                kinds.insert(kind);
            }
            None => {
                let names: Vec<String> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
                reader
                    .findings
                    .error(FindingCode::NotAllowed, &fields.path_of("on"), at)
                    .with("value", text)
                    .with_some("suggestion", closest(text, names.iter().map(String::as_str)))
                    .with("allowed", names.join(", "));
                return None;
            }
        }
    }
    if kinds.is_empty() {
        reader.bad(fields, "on", FindingCode::NotAllowed).with("allowed", "all");
        return None;
    }
    Some(Some(kinds))
}
