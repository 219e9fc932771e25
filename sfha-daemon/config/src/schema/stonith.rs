//! `stonith:` as far as the file tells it; who fences, and how, is for others.

use sfha_proto::config::FindingCode;
use zeroize::Zeroizing;

use super::{Places, is_url, keys, path};
use crate::reader::{Fields, Reader, Unit};
use crate::stonith::{Guest, GuestKind, Method, Proxmox, Safety, Stonith, Webhook};

/// Largest id of a guest of Proxmox VE.
const MAX_VMID: u64 = 999_999_999;

/// Longest time of the safety settings, in milliseconds: a day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Reads it.
pub fn decode(fields: &Fields<'_>, reader: &mut Reader<'_>, places: &mut Places) -> Stonith {
    let enabled = reader.boolean(fields, "enabled").unwrap_or_default();
    let proxmox = inner(fields, "proxmox", reader).and_then(|fields| proxmox(&fields, reader));
    let webhook = inner(fields, "webhook", reader).and_then(|fields| webhook(&fields, reader));
    let providers = [("proxmox", "proxmox"), ("webhook", "webhook")];
    let provider = reader.choice(fields, "provider", &providers).unwrap_or("proxmox");
    if enabled && fields.get(provider).is_none() {
        reader.missing(fields, provider);
    }
    let mut stonith = Stonith {
        enabled,
        provider: provider.to_owned(),
        proxmox,
        webhook,
        nodes: Default::default(),
        safety: inner(fields, "safety", reader).map_or_else(Safety::default, |f| safety(&f, reader)),
    };
    if let Some(nodes) = fields.get("nodes") {
        let path = fields.path_of("nodes");
        for (name, key, node) in reader.named(nodes, &path) {
            places.nodes.push((format!("{path}.{name}"), name.to_owned(), key.at));
            let guest = reader.fields(node, &format!("{path}.{name}"), keys("stonith.nodes.NAME"));
            let guest = guest.and_then(|fields| guest_of(&fields, provider, reader));
            if let Some(guest) = guest {
                stonith.nodes.insert(name.to_owned(), guest);
            }
        }
    }
    stonith
}

fn inner<'n>(fields: &Fields<'n>, name: &'static str, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
    let node = fields.get(name)?;
    let path = fields.path_of(name);
    reader.fields(node, &path, keys(&path))
}

fn proxmox(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Proxmox> {
    let api_url = required_url(fields, "api_url", reader);
    let token_id = reader.required(fields, "token_id").map(str::to_owned);
    reader.one_of(fields, &["token_secret_file", "token_secret"]);
    let token_secret = reader.text(fields, "token_secret").map(|text| Zeroizing::new(text.to_owned()));
    if token_secret.is_some() {
        warn_of_secret(fields, "token_secret", reader);
    }
    let token_secret_file = secret_file(fields, reader);
    if fields.get("token_secret").is_none() && fields.get("token_secret_file").is_none() {
        reader.missing(fields, "token_secret_file");
    }
    Some(Proxmox {
        verify_ssl: verify(fields, reader),
        ca_file: path(fields, "ca_file", reader),
        fingerprint: reader.text(fields, "fingerprint").map(str::to_owned),
        pve_node: reader.text(fields, "pve_node").map(str::to_owned),
        api_url: api_url?,
        token_id: token_id?,
        token_secret,
        token_secret_file,
    })
}

/// Somebody may have put the secret itself there: it is not told.
fn secret_file(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let file = reader.text(fields, "token_secret_file")?;
    if !file.starts_with('/') {
        let at = fields.place("token_secret_file");
        let key = fields.path_of("token_secret_file");
        reader.findings.error(FindingCode::BadPath, &key, at).with("value", "…");
        return None;
    }
    Some(file.to_owned())
}

fn webhook(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Webhook> {
    let fence_url = required_url(fields, "fence_url", reader);
    let unfence_url = url(fields, "unfence_url", reader);
    let status_url = url(fields, "status_url", reader);
    let methods =
        [("GET", Method::Get), ("POST", Method::Post), ("PUT", Method::Put), ("DELETE", Method::Delete)];
    let method = reader.choice(fields, "method", &methods).unwrap_or(Method::Post);
    let mut headers = Vec::new();
    if let Some(node) = fields.get("headers") {
        let path = fields.path_of("headers");
        for (name, key, value) in reader.named(node, &path) {
            let Some(text) = value.text() else {
                let at = key.at;
                reader
                    .findings
                    .error(FindingCode::WrongType, &path, at)
                    .with("wanted", "text")
                    .with("found", value.kind());
                continue;
            };
            if name.eq_ignore_ascii_case("authorization") {
                warn_of_secret(fields, "headers", reader);
            }
            headers.push((name.to_owned(), Zeroizing::new(text.to_owned())));
        }
    }
    let timeout = reader.duration(fields, &[("timeout", Unit::Seconds)], 100..=LONGEST_MS);
    Some(Webhook {
        fence_url: fence_url?,
        unfence_url,
        status_url,
        method,
        headers,
        body_template: reader.text(fields, "body_template").map(|text| Zeroizing::new(text.to_owned())),
        timeout_ms: timeout.unwrap_or(30_000),
        verify_ssl: verify(fields, reader),
        ca_file: path(fields, "ca_file", reader),
    })
}

fn guest_of(fields: &Fields<'_>, provider: &str, reader: &mut Reader<'_>) -> Option<Guest> {
    let kind = reader.choice(fields, "type", &[("lxc", GuestKind::Lxc), ("qemu", GuestKind::Qemu)]);
    let kind = if fields.get("type").is_some() { kind? } else { GuestKind::Lxc };
    if provider == "proxmox" && fields.get("vmid").is_none() {
        reader.missing(fields, "vmid");
    }
    let vmid = reader.number(fields, "vmid", 1..=MAX_VMID)?;
    Some(Guest { kind, vmid: u32::try_from(vmid).ok()? })
}

fn safety(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Safety {
    let mut safety = Safety::default();
    if reader.boolean(fields, "require_quorum") == Some(false) {
        let at = fields.place("require_quorum");
        reader.findings.warning(FindingCode::QuorumAlways, &fields.path_of("require_quorum"), at);
    }
    let mut time = |name, into: &mut u64| {
        if let Some(time) = reader.duration(fields, &[(name, Unit::Seconds)], 0..=LONGEST_MS) {
            *into = time;
        }
    };
    time("min_delay_between_fence", &mut safety.min_delay_between_fence_ms);
    time("startup_grace_period", &mut safety.startup_grace_period_ms);
    time("fence_delay_on_node_left", &mut safety.fence_delay_on_node_left_ms);
    if let Some(most) = reader.number(fields, "max_fences_per_5min", 1..=100) {
        safety.max_fences_per_5min = u32::try_from(most).unwrap_or(u32::MAX);
    }
    safety
}

/// Certificates are checked unless the file says otherwise, and then that is told.
fn verify(fields: &Fields<'_>, reader: &mut Reader<'_>) -> bool {
    let verify = reader.boolean(fields, "verify_ssl").unwrap_or(true);
    if !verify {
        let at = fields.place("verify_ssl");
        reader.findings.warning(FindingCode::Unverified, &fields.path_of("verify_ssl"), at);
    }
    verify
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
