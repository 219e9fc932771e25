//! `stonith:` as lines of the file: only what is not so by default.

use std::path::Path;

use serde_json::Value;
use sfha_core::fencing::settings::{
    Agent, FencingSettings, Level, OnStopFailure, Proxmox, Safety, Target, Trust, WatchdogDevice, Webhook,
};

use super::{Field, Written, bare, differing, text, value};
use crate::reader::duration_text;
use crate::schema::stonith::{DEFAULT_TIMEOUT_MS, safety::DURATIONS};

/// What stands in the place of what may be a secret, where settings are shown.
const HIDDEN: &str = "…";

/// The keys of `stonith`; none where nothing differs from how it is without that section.
pub fn fields(settings: &FencingSettings) -> Vec<Field> {
    if settings.is_default() {
        return Vec::new();
    }
    let mut fields = vec![("enabled", bare(&settings.enabled))];
    if settings.dry_run {
        fields.push(("dry_run", bare(&true)));
    }
    fields.push(match settings.levels.as_slice() {
        [one] => ("provider", text(one.name())),
        levels => names(levels),
    });
    fields.extend(settings.proxmox.as_ref().map(|with| ("proxmox", Written::Map(proxmox(with)))));
    fields.extend(settings.webhook.as_ref().map(|with| ("webhook", Written::Map(webhook(with)))));
    fields.extend(named("fence_agents", settings.agents.iter().map(|(name, with)| (name, agent(with)))));
    let watchdog = watchdog(&settings.watchdog);
    if !watchdog.is_empty() {
        fields.push(("watchdog", Written::Map(watchdog)));
    }
    fields.extend(named("nodes", settings.nodes.iter().map(|(name, with)| (name, target(with)))));
    let safety = safety(&settings.safety);
    if !safety.is_empty() {
        fields.push(("safety", Written::Map(safety)));
    }
    match settings.on_stop_failure {
        OnStopFailure::FenceCritical => {}
        OnStopFailure::Fence => fields.push(("on_stop_failure", text("fence"))),
        OnStopFailure::Wait => fields.push(("on_stop_failure", text("wait"))),
    }
    let interval_ms = settings.test_interval_s.saturating_mul(1000);
    let usual_ms = FencingSettings::off().test_interval_s.saturating_mul(1000);
    fields.extend(differing(&[("test_interval", interval_ms, usual_ms)]));
    fields
}

/// As a document for people: what may be a secret is left out.
pub fn shown(settings: &FencingSettings) -> Value {
    let mut settings = settings.clone();
    if let Some(webhook) = &mut settings.webhook {
        let hide = |text: &mut String| HIDDEN.clone_into(text);
        hide(&mut webhook.fence_url);
        webhook.unfence_url.iter_mut().for_each(hide);
        webhook.status_url.iter_mut().for_each(hide);
        webhook.body_template.iter_mut().for_each(hide);
        webhook.headers.values_mut().for_each(hide);
    }
    value(&fields(&settings))
}

fn names(levels: &[Level]) -> Field {
    ("levels", Written::Texts(levels.iter().map(|level| level.name().to_owned()).collect()))
}

fn named<'s>(key: &'static str, pairs: impl Iterator<Item = (&'s String, Vec<Field>)>) -> Option<Field> {
    let pairs: Vec<(String, Written)> =
        pairs.map(|(name, fields)| (name.clone(), Written::Map(fields))).collect();
    (!pairs.is_empty()).then_some((key, Written::Named(pairs)))
}

fn texts<'s>(key: &'static str, pairs: impl IntoIterator<Item = (&'s String, &'s String)>) -> Option<Field> {
    let pairs: Vec<(String, Written)> =
        pairs.into_iter().map(|(name, value)| (name.clone(), text(value))).collect();
    (!pairs.is_empty()).then_some((key, Written::Named(pairs)))
}

fn file(path: &Path) -> Written {
    text(&path.to_string_lossy())
}

fn proxmox(with: &Proxmox) -> Vec<Field> {
    let mut fields = vec![match with.api_urls.as_slice() {
        [one] => ("api_url", text(one)),
        urls => ("api_urls", Written::Texts(urls.to_vec())),
    }];
    fields.push(("token_id", text(&with.token_id)));
    fields.push(("token_secret_file", file(&with.token_secret_file)));
    fields.extend(trust(&with.trust));
    fields.extend(with.host.as_deref().map(|host| ("pve_node", text(host))));
    fields
}

fn trust(trust: &Trust) -> Option<Field> {
    match trust {
        Trust::System => None,
        Trust::CaFile(path) => Some(("ca_file", file(path))),
        Trust::Fingerprint(digits) => Some(("fingerprint", text(digits))),
        Trust::Any => Some(("verify_ssl", bare(&false))),
    }
}

fn webhook(with: &Webhook) -> Vec<Field> {
    let mut fields = vec![("fence_url", text(&with.fence_url))];
    fields.extend(with.unfence_url.as_deref().map(|url| ("unfence_url", text(url))));
    fields.extend(with.status_url.as_deref().map(|url| ("status_url", text(url))));
    if with.method != "POST" {
        fields.push(("method", text(&with.method)));
    }
    fields.extend(texts("headers", &with.headers));
    fields.extend(with.headers_file.as_deref().map(|path| ("headers_file", file(path))));
    fields.extend(with.body_template.as_deref().map(|body| ("body_template", text(body))));
    fields.extend(differing(&[("timeout", with.timeout_ms, DEFAULT_TIMEOUT_MS)]));
    fields.extend(trust(&with.trust));
    if with.answer_is_proof {
        fields.push(("answer_is_proof", bare(&true)));
    }
    fields
}

fn agent(with: &Agent) -> Vec<Field> {
    let mut fields = vec![("agent", text(&with.program))];
    fields.extend(texts("options", &with.parameters));
    fields.extend(with.secrets_file.as_deref().map(|path| ("options_file", file(path))));
    fields
}

fn watchdog(with: &WatchdogDevice) -> Vec<Field> {
    let usual = WatchdogDevice::default();
    let mut fields = Vec::new();
    if with.device != usual.device {
        fields.push(("device", file(&with.device)));
    }
    fields.extend(differing(&[("timeout", with.timeout_ms, usual.timeout_ms)]));
    fields
}

fn target(with: &Target) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend(with.guest.map(|guest| ("type", text(guest.as_str()))));
    fields.extend(with.vmid.map(|vmid| ("vmid", bare(&vmid))));
    if !with.levels.is_empty() {
        fields.push(names(&with.levels));
    }
    fields.extend(with.parameters.get("plug").map(|plug| ("plug", text(plug))));
    fields.extend(texts("options", with.parameters.iter().filter(|(name, _)| *name != "plug")));
    fields
}

fn safety(with: &Safety) -> Vec<Field> {
    let (mut with, mut usual) = (with.clone(), Safety::default());
    let mut fields = Vec::new();
    for (name, place) in DURATIONS {
        let (is, default) = (*place(&mut with), *place(&mut usual));
        if is != default {
            fields.push((*name, text(&duration_text(is))));
        }
    }
    if with.max_fences_per_5min != usual.max_fences_per_5min {
        fields.push(("max_fences_per_5min", bare(&with.max_fences_per_5min)));
    }
    if with.attempts != usual.attempts {
        fields.push(("attempts", bare(&with.attempts)));
    }
    if with.power_on {
        fields.push(("power_on", bare(&true)));
    }
    fields
}
