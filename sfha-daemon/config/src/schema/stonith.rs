//! `stonith:` as far as the file tells it; who fences, and when, is for others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sfha_core::fencing::settings::{
    Agent, FencingSettings, GuestType, Level, OnStopFailure, Proxmox, Target, Trust, WatchdogDevice, Webhook,
};
use sfha_proto::config::FindingCode;
use zeroize::Zeroizing;

use super::{Places, is_url, keys, path};
use crate::reader::{Fields, Reader, Unit};
use crate::shared::{Managed, Shared};
use crate::stonith::{
    LocalSecrets, PROXMOX_SECRET, RESERVED, WEBHOOK_SECRET, agent_secret, is_agent, is_secret_name, level,
};
use crate::yaml::Value;

pub mod safety;

/// Largest id of a guest of Proxmox VE.
const MAX_VMID: u64 = 999_999_999;

/// Longest time of anything here, in milliseconds: a day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Time-outs of watchdogs, in milliseconds.
const WATCHDOG_MS: std::ops::RangeInclusive<u64> = 2_000..=600_000;

/// Less than this, and a daemon that hung and is started anew comes too late: systemd needs up to 5 s to notice.
const WATCHDOG_LEAST_MS: u64 = sfha_core::fencing::settings::WATCHDOG_LEAST_MS;

/// Reads it.
pub fn decode(
    fields: &Fields<'_>,
    reader: &mut Reader<'_>,
    places: &mut Places,
    secrets: &mut LocalSecrets,
) -> FencingSettings {
    let mut settings = FencingSettings {
        enabled: reader.boolean(fields, "enabled").unwrap_or_default(),
        dry_run: reader.boolean(fields, "dry_run").unwrap_or_default(),
        ..FencingSettings::off()
    };
    if let Some(inner) = inner(fields, "proxmox", reader) {
        settings.proxmox = proxmox(&inner, reader, secrets);
    }
    if let Some(inner) = inner(fields, "webhook", reader) {
        settings.webhook = webhook(&inner, reader, secrets);
    }
    for (name, fields) in children(fields, "fence_agents", reader) {
        let agent = agent(&name, &fields, reader, secrets);
        settings.agents.extend(agent.map(|agent| (name, agent)));
    }
    if let Some(inner) = inner(fields, "watchdog", reader) {
        settings.watchdog = watchdog(&inner, reader);
    }
    let names = level_names(fields, reader);
    settings.levels = levels(fields, &names, settings.enabled, reader);
    for (name, fields) in children(fields, "nodes", reader) {
        places.nodes.push((fields.path.clone(), name.clone(), fields.at));
        let target = target(&fields, &names, &settings.levels, reader);
        settings.nodes.insert(name, target);
    }
    if let Some(inner) = inner(fields, "safety", reader) {
        settings.safety = safety::decode(&inner, reader);
    }
    let choices = [
        ("fence", OnStopFailure::Fence),
        ("fence-critical", OnStopFailure::FenceCritical),
        ("wait", OnStopFailure::Wait),
    ];
    settings.on_stop_failure = reader.choice(fields, "on_stop_failure", &choices).unwrap_or_default();
    if let Some(interval) = reader.duration(fields, &[("test_interval", Unit::Seconds)], 0..=30 * LONGEST_MS)
    {
        settings.test_interval_s = interval.div_ceil(1000);
    }
    settings
}

fn inner<'n>(fields: &Fields<'n>, name: &'static str, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
    let node = fields.get(name)?;
    let path = fields.path_of(name);
    reader.fields(node, &path, keys(&path))
}

/// Maps below names of the operator's.
fn children<'n>(
    fields: &Fields<'n>,
    name: &'static str,
    reader: &mut Reader<'_>,
) -> Vec<(String, Fields<'n>)> {
    let Some(node) = fields.get(name) else { return Vec::new() };
    let path = fields.path_of(name);
    let keys = keys(&format!("{path}.NAME"));
    let mut children = Vec::new();
    for (name, key, node) in reader.named(node, &path) {
        if let Some(mut inner) = reader.fields(node, &format!("{path}.{name}"), keys) {
            inner.at = key.at;
            children.push((name.to_owned(), inner));
        }
    }
    children
}

/// Texts below names of the operator's. Values may be anybody's secret: they are not told.
fn texts(fields: &Fields<'_>, name: &'static str, reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let Some(node) = fields.get(name) else { return texts };
    let path = fields.path_of(name);
    for (name, key, value) in reader.named(node, &path) {
        match value.text() {
            Some(text) => drop(texts.insert(name.to_owned(), text.to_owned())),
            None => {
                let found = value.kind();
                let finding =
                    reader.findings.error(FindingCode::WrongType, &format!("{path}.{name}"), key.at);
                finding.with("wanted", "text").with("found", found);
            }
        }
    }
    texts
}

/// What a level may be called here.
fn level_names(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<String> {
    let mut names: Vec<String> = ["proxmox", "webhook", "watchdog"].map(str::to_owned).into();
    if let Some(node) = fields.get("fence_agents") {
        let path = fields.path_of("fence_agents");
        if let Value::Map(pairs) = &node.value {
            for (key, _) in pairs {
                let Some(name) = key.text() else { continue };
                if RESERVED.contains(&name) || sfha_core::command::check_name("name", name).is_err() {
                    reader.findings.error(FindingCode::BadName, &path, key.at).with("value", name);
                }
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// `levels` or `provider`; without either what there is one section for.
fn levels(fields: &Fields<'_>, names: &[String], enabled: bool, reader: &mut Reader<'_>) -> Vec<Level> {
    let sections = ["proxmox", "webhook", "fence_agents", "watchdog"];
    let levels = match reader.one_of(fields, &["levels", "provider"]) {
        Some("levels") => listed(fields, names, reader),
        Some(_) => {
            let words: Vec<(&str, &str)> =
                sections.into_iter().chain(names[3..].iter().map(String::as_str)).map(|n| (n, n)).collect();
            match reader.choice(fields, "provider", &words) {
                Some("fence_agents") => {
                    if enabled && names.len() == 3 {
                        reader.missing(fields, "fence_agents");
                    }
                    names[3..].iter().map(|name| level(name)).collect()
                }
                Some(name) => vec![level(name)],
                None => return Vec::new(),
            }
        }
        None => {
            let mut there = sections.into_iter().filter(|name| fields.get(name).is_some());
            match (there.next(), there.next()) {
                (Some("fence_agents"), None) => names[3..].iter().map(|name| level(name)).collect(),
                (Some(name), None) => vec![level(name)],
                _ => Vec::new(),
            }
        }
    };
    let none =
        fields.get("levels").is_none_or(|node| matches!(&node.value, Value::List(items) if items.is_empty()));
    if enabled && levels.is_empty() && none && fields.get("provider").is_none() {
        reader.missing(fields, "provider");
    }
    for section in ["proxmox", "webhook"] {
        if enabled && levels.contains(&level(section)) && fields.get(section).is_none() {
            reader.missing(fields, section);
        }
    }
    levels
}

/// Names of levels in their order, each once.
fn listed(fields: &Fields<'_>, names: &[String], reader: &mut Reader<'_>) -> Vec<Level> {
    let mut levels: Vec<(Level, usize)> = Vec::new();
    for (index, (text, at)) in reader.texts(fields, "levels").into_iter().enumerate() {
        let key = format!("{}[{index}]", fields.path_of("levels"));
        let found = level(text);
        if let Some((_, first)) = levels.iter().find(|(known, _)| *known == found) {
            let first = *first;
            reader
                .findings
                .error(FindingCode::DuplicateName, &key, at)
                .with("name", text)
                .with("first", first);
        } else if names.iter().any(|name| name == text) {
            levels.push((found, at.line));
        } else {
            let suggestion = crate::reader::closest(text, names.iter().map(String::as_str));
            reader
                .findings
                .error(FindingCode::NotAllowed, &key, at)
                .with("value", text.chars().take(80).collect::<String>())
                .with_some("suggestion", suggestion)
                .with("allowed", names.join(", "));
        }
    }
    levels.into_iter().map(|(level, _)| level).collect()
}

fn proxmox(fields: &Fields<'_>, reader: &mut Reader<'_>, secrets: &mut LocalSecrets) -> Option<Proxmox> {
    let urls = match reader.one_of(fields, &["api_url", "api_urls"]) {
        Some("api_urls") => urls(fields, reader),
        _ => required_url(fields, "api_url", reader).into_iter().collect(),
    };
    let token_id = reader.required(fields, "token_id").map(str::to_owned);
    let file = match reader.one_of(fields, &["token_secret_file", "token_secret"]) {
        Some("token_secret_file") => secret_file(fields, "token_secret_file", reader),
        Some(_) => {
            if let Some(text) = reader.text(fields, "token_secret") {
                secrets.0.insert(PROXMOX_SECRET.to_owned(), Zeroizing::new(text.to_owned()));
            }
            warn_of_secret(fields, "token_secret", reader);
            Some(PathBuf::from(PROXMOX_SECRET))
        }
        None => {
            reader.missing(fields, "token_secret_file");
            None
        }
    };
    Some(Proxmox {
        trust: trust(fields, reader),
        host: reader.text(fields, "pve_node").map(str::to_owned),
        api_urls: Some(urls).filter(|urls| !urls.is_empty())?,
        token_id: token_id?,
        token_secret_file: file?,
    })
}

fn urls(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    for (text, at) in reader.texts(fields, "api_urls") {
        if is_url(text) {
            urls.push(text.to_owned());
        } else {
            reader.findings.error(FindingCode::BadUrl, &fields.path_of("api_urls"), at).with("value", "…");
        }
    }
    urls
}

/// Somebody may have put the secret itself there: it is not told.
fn secret_file(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let file = reader.text(fields, name)?;
    if !file.starts_with('/') || file.contains('\0') {
        let (key, at) = (fields.path_of(name), fields.place(name));
        reader.findings.error(FindingCode::BadPath, &key, at).with("value", "…");
        return None;
    }
    Some(PathBuf::from(file))
}

fn webhook(fields: &Fields<'_>, reader: &mut Reader<'_>, secrets: &mut LocalSecrets) -> Option<Webhook> {
    let fence_url = required_url(fields, "fence_url", reader);
    let unfence_url = url(fields, "unfence_url", reader);
    let status_url = url(fields, "status_url", reader);
    let methods = ["GET", "POST", "PUT", "DELETE"].map(|method| (method, method));
    let method = reader.choice(fields, "method", &methods).unwrap_or("POST");
    let mut headers = texts(fields, "headers", reader);
    let local = take_secrets(&mut headers, ": ");
    let headers_file = own_file(fields, "headers", "headers_file", WEBHOOK_SECRET, local, reader, secrets);
    let timeout = reader.duration(fields, &[("timeout", Unit::Seconds)], 100..=LONGEST_MS);
    Some(Webhook {
        fence_url: fence_url?,
        unfence_url,
        status_url,
        method: method.to_owned(),
        headers,
        headers_file,
        body_template: reader.text(fields, "body_template").map(str::to_owned),
        timeout_ms: timeout.unwrap_or(DEFAULT_TIMEOUT_MS),
        trust: trust(fields, reader),
        answer_is_proof: reader.boolean(fields, "answer_is_proof").unwrap_or_default(),
    })
}

/// Time for one request of a webhook, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 30_000;

/// Takes out what is nobody's business, as lines of a file of its own.
fn take_secrets(texts: &mut BTreeMap<String, String>, between: &str) -> Vec<String> {
    let mut lines = Vec::new();
    texts.retain(|name, text| {
        let secret = is_secret_name(name);
        if secret {
            lines.push(format!("{name}{between}{text}\n"));
        }
        !secret
    });
    lines
}

/// The file with secret entries: the one that is named; or, with some in `config.yml` itself, the usual one.
fn own_file(
    fields: &Fields<'_>,
    inline: &'static str,
    named: &'static str,
    usual: &str,
    lines: Vec<String>,
    reader: &mut Reader<'_>,
    secrets: &mut LocalSecrets,
) -> Option<PathBuf> {
    if lines.is_empty() {
        return secret_file(fields, named, reader);
    }
    if fields.get(named).is_some() {
        reader
            .findings
            .error(FindingCode::ConflictingKeys, &fields.path_of(inline), fields.place(inline))
            .with("name", named)
            .with("other", inline);
    }
    warn_of_secret(fields, inline, reader);
    secrets.0.insert(usual.to_owned(), Zeroizing::new(lines.concat()));
    Some(PathBuf::from(usual))
}

fn agent(
    name: &str,
    fields: &Fields<'_>,
    reader: &mut Reader<'_>,
    secrets: &mut LocalSecrets,
) -> Option<Agent> {
    if reader.required(fields, "agent").is_none() && fields.get("agent").is_none() {
        return None;
    }
    let program =
        reader.judged(fields, "agent", FindingCode::BadAgent, |text| is_agent(text).then(|| text.to_owned()));
    let mut parameters = texts(fields, "options", reader);
    let local = take_secrets(&mut parameters, "=");
    let usual = agent_secret(name);
    let secrets_file = own_file(fields, "options", "options_file", &usual, local, reader, secrets);
    Some(Agent { program: program?, parameters, secrets_file })
}

fn watchdog(fields: &Fields<'_>, reader: &mut Reader<'_>) -> WatchdogDevice {
    let mut watchdog = WatchdogDevice::default();
    if let Some(device) = path(fields, "device", reader) {
        watchdog.device = PathBuf::from(device);
    }
    if let Some(timeout) = reader.duration(fields, &[("timeout", Unit::Seconds)], WATCHDOG_MS) {
        watchdog.timeout_ms = timeout;
    }
    watchdog
}

/// What resets a machine that would have been all right by itself. While services are being stopped after the
/// daemon's death or the loss of quorum, nobody feeds the watchdog, and nobody may: the other nodes take over what
/// ran here as soon as its time is over.
pub fn judge_watchdog(fields: &Fields<'_>, shared: &Shared, reader: &mut Reader<'_>) {
    let settings = &shared.stonith;
    let own = settings.nodes.values().flat_map(|target| &target.levels);
    if !settings.enabled || !settings.levels.iter().chain(own).any(|level| *level == Level::Watchdog) {
        return;
    }
    let at = fields.place("watchdog");
    let key = format!("{}.timeout", fields.path_of("watchdog"));
    let timeout_ms = settings.watchdog.timeout_ms;
    let seconds = timeout_ms / 1000;
    if timeout_ms < WATCHDOG_LEAST_MS {
        let finding = reader.findings.warning(FindingCode::WatchdogShort, &key, at);
        finding.with("seconds", seconds).with("least", WATCHDOG_LEAST_MS / 1000);
    }
    let stop = |entry: &(&String, &Managed)| entry.1.service.stop_timeout_ms;
    let slowest = shared.services.iter().max_by_key(stop);
    if let Some((name, entry)) = slowest {
        let stop_ms = entry.service.stop_timeout_ms;
        let least = stop_ms.div_ceil(1000) + WATCHDOG_LEAST_MS / 1000;
        if seconds < least {
            let finding = reader.findings.warning(FindingCode::WatchdogBeforeStop, &key, at);
            let finding = finding.with("name", name.as_str()).with("stop", stop_ms.div_ceil(1000));
            finding.with("seconds", seconds).with("least", least);
        }
    }
}

fn target(fields: &Fields<'_>, names: &[String], usual: &[Level], reader: &mut Reader<'_>) -> Target {
    let levels = listed(fields, names, reader);
    let tried = if levels.is_empty() { usual } else { &levels };
    let kinds = [("lxc", GuestType::Lxc), ("qemu", GuestType::Qemu)];
    let mut guest = reader.choice(fields, "type", &kinds);
    let vmid = reader.number(fields, "vmid", 1..=MAX_VMID).and_then(|vmid| u32::try_from(vmid).ok());
    if fields.get("type").is_none() && vmid.is_some() {
        guest = Some(GuestType::Lxc);
    }
    if tried.contains(&Level::Proxmox) && fields.get("vmid").is_none() {
        reader.missing(fields, "vmid");
    }
    let mut parameters = texts(fields, "options", reader);
    let secret = parameters.keys().any(|name| is_secret_name(name));
    if secret {
        // Every node's file says what is shared, and this would be among it.
        let (key, at) = (fields.path_of("options"), fields.place("options"));
        reader.findings.error(FindingCode::SharedSecret, &key, at).with("name", "options");
        parameters.retain(|name, _| !is_secret_name(name));
    }
    if let Some(plug) = reader.text(fields, "plug")
        && parameters.insert("plug".to_owned(), plug.to_owned()).is_some()
    {
        reader
            .findings
            .error(FindingCode::ConflictingKeys, &fields.path_of("plug"), fields.place("plug"))
            .with("name", "options.plug")
            .with("other", "plug");
    }
    Target { guest, vmid, levels, parameters }
}

/// Certificates are checked unless the file says otherwise, and then that is told.
fn trust(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Trust {
    let verify = reader.boolean(fields, "verify_ssl").unwrap_or(true);
    let ca_file = path(fields, "ca_file", reader);
    let fingerprint = reader.judged(fields, "fingerprint", FindingCode::BadFingerprint, |text| {
        let digits = text.chars().filter(|c| *c != ':');
        let all = digits.clone().all(|c| c.is_ascii_hexdigit());
        (all && digits.count() == 64).then(|| text.to_owned())
    });
    let by = reader.one_of(fields, &["fingerprint", "ca_file"]);
    if !verify {
        let (key, at) = (fields.path_of("verify_ssl"), fields.place("verify_ssl"));
        match by {
            Some(by) => drop(
                reader
                    .findings
                    .error(FindingCode::ConflictingKeys, &key, at)
                    .with("name", by)
                    .with("other", "verify_ssl"),
            ),
            None => drop(reader.findings.warning(FindingCode::Unverified, &key, at)),
        }
        return Trust::Any;
    }
    match (fingerprint, ca_file) {
        (Some(fingerprint), _) => Trust::Fingerprint(fingerprint),
        (None, Some(file)) => Trust::CaFile(PathBuf::from(file)),
        (None, None) => Trust::System,
    }
}

fn required_url(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<String> {
    if fields.get(name).is_none() {
        reader.missing(fields, name);
    }
    url(fields, name, reader)
}

/// A URL, with `{{node}}` and `{{action}}` in it. It may hold a secret: it is not told.
fn url(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(fields, name)?;
    if !is_url(&text.replace("{{node}}", "node").replace("{{action}}", "action")) {
        reader
            .findings
            .error(FindingCode::BadUrl, &fields.path_of(name), fields.place(name))
            .with("value", "…");
        return None;
    }
    Some(text.to_owned())
}

fn warn_of_secret(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>) {
    reader
        .findings
        .warning(FindingCode::SecretInFile, &fields.path_of(name), fields.place(name))
        .with("name", name);
}
