//! What may stand in a `config.yml`, and what it means.

use sfha_core::command::check_name;
use sfha_proto::config::FindingCode;

use crate::Config;
use crate::local::{Local, Logging};
use crate::reader::{Fields, Reader};
use crate::shared::Shared;
use crate::stonith::LocalSecrets;
use crate::yaml::{Mark, Node};

mod corosync;
mod local;
mod resources;
pub mod stonith;

/// Time between two questions of a check that belongs to no service, in milliseconds.
pub const ALONE_INTERVAL_MS: u64 = 10_000;

/// Longest time for its answer, in milliseconds.
pub const ALONE_TIMEOUT_MS: u64 = 5_000;

/// Largest priority.
pub const MAX_PRIORITY: u64 = 1_000_000;

/// Every key, by the map that it stands in.
pub const SCHEMA: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "cluster",
            "node",
            "mesh",
            "corosync",
            "vips",
            "services",
            "health_checks",
            "constraints",
            "stonith",
            "logging",
            "access",
            "metrics",
            "hooks",
        ],
    ),
    ("cluster", &["name", "failback", "quorum_required", "failover_delay_ms", "poll_interval_ms"]),
    ("node", &["name", "priority"]),
    ("mesh", &["enabled"]),
    ("corosync", &["qdevice"]),
    ("corosync.qdevice", &["model", "host", "port", "algorithm", "tls"]),
    ("vips[]", &["name", "ip", "cidr", "interface", "prefer"]),
    (
        "services[]",
        &[
            "name",
            "type",
            "unit",
            "prefer",
            "critical",
            "restarts",
            "restart_service",
            "failure_expiry",
            "failure_expiry_ms",
            "start_timeout",
            "start_timeout_ms",
            "stop_timeout",
            "stop_timeout_ms",
            "elsewhere",
            "healthcheck",
        ],
    ),
    (
        "services[].healthcheck",
        &[
            "type",
            "target",
            "url",
            "status",
            "body",
            "ca_file",
            "command",
            "interval",
            "interval_ms",
            "timeout",
            "timeout_ms",
            "failures_before_unhealthy",
            "successes_before_healthy",
            "start_grace",
            "start_grace_ms",
        ],
    ),
    (
        "health_checks[]",
        &[
            "name",
            "type",
            "target",
            "url",
            "status",
            "body",
            "ca_file",
            "command",
            "interval",
            "interval_ms",
            "timeout",
            "timeout_ms",
            "failures_before_unhealthy",
            "successes_before_healthy",
            "start_grace",
            "start_grace_ms",
            "service",
            "critical",
            "restart_service",
        ],
    ),
    ("constraints[]", &["type", "resource", "with", "first", "then"]),
    (
        "stonith",
        &[
            "enabled",
            "dry_run",
            "provider",
            "levels",
            "proxmox",
            "webhook",
            "fence_agents",
            "watchdog",
            "nodes",
            "safety",
            "on_stop_failure",
            "test_interval",
        ],
    ),
    (
        "stonith.proxmox",
        &[
            "api_url",
            "api_urls",
            "token_id",
            "token_secret",
            "token_secret_file",
            "verify_ssl",
            "ca_file",
            "fingerprint",
            "pve_node",
        ],
    ),
    (
        "stonith.webhook",
        &[
            "fence_url",
            "unfence_url",
            "status_url",
            "method",
            "headers",
            "headers_file",
            "body_template",
            "timeout",
            "verify_ssl",
            "ca_file",
            "fingerprint",
            "answer_is_proof",
        ],
    ),
    ("stonith.fence_agents.NAME", &["agent", "options", "options_file"]),
    ("stonith.watchdog", &["device", "timeout"]),
    ("stonith.nodes.NAME", &["type", "vmid", "levels", "plug", "options"]),
    (
        "stonith.safety",
        &[
            "require_quorum",
            "min_delay_between_fence",
            "max_fences_per_5min",
            "startup_grace_period",
            "fence_delay_on_node_left",
            "head_start",
            "attempts",
            "retry_delay",
            "backoff",
            "backoff_max",
            "call_timeout",
            "verify_timeout",
            "verify_interval",
            "watchdog_margin",
            "power_on",
        ],
    ),
    ("logging", &["level", "record"]),
    ("access", &["read", "write"]),
    ("metrics", &["listen"]),
    (
        "hooks[]",
        &["name", "on", "program", "webhook", "headers_file", "ca_file", "timeout", "retries", "everywhere"],
    ),
];

fn keys(map: &str) -> &'static [&'static str] {
    SCHEMA.iter().find(|(name, _)| *name == map).map_or(&[], |(_, keys)| keys)
}

/// Where the entries of a list are, for whoever compares them.
#[derive(Debug, Default)]
pub struct Places {
    /// Of each VIP, in the order of the text.
    pub vips: Vec<(String, Mark)>,
    /// Of each service.
    pub services: Vec<(String, Mark)>,
    /// Of each health check that stands alone.
    pub checks: Vec<(String, Mark)>,
    /// Of each constraint.
    pub constraints: Vec<(sfha_core::resources::Constraint, Mark, [Mark; 2])>,
    /// Of each reference to a node: its key, its name.
    pub nodes: Vec<(String, String, Mark)>,
    /// Of each reference to a service: its key, its name.
    pub references: Vec<(String, String, Mark)>,
    /// Of the names of the cluster and of the node.
    pub cluster: Option<Mark>,
    /// As above.
    pub node: Option<Mark>,
}

/// What a tree says, each part by itself.
pub struct Decoded {
    /// What could be read of it.
    pub config: Config,
    /// Where it stands.
    pub places: Places,
}

/// Reads a tree.
pub fn decode(root: &Node, reader: &mut Reader<'_>) -> Decoded {
    let mut decoded = Decoded {
        config: Config {
            cluster: String::new(),
            node: String::new(),
            priority: None,
            mesh: None,
            logging: Logging::default(),
            shared: Shared::default(),
            secrets: LocalSecrets::default(),
            local: Local::default(),
        },
        places: Places::default(),
    };
    let Some(top) = reader.fields(root, "", keys("")) else { return decoded };
    decode_cluster(&top, reader, &mut decoded);
    decode_node(&top, reader, &mut decoded);
    if let Some(mesh) = section(&top, "mesh", reader) {
        decoded.config.mesh = reader.boolean(&mesh, "enabled");
    }
    if let Some(corosync) = section(&top, "corosync", reader) {
        decoded.config.shared.qdevice = corosync::qdevice(&corosync, reader);
    }
    if let Some(logging) = section(&top, "logging", reader) {
        let levels = ["error", "warn", "info", "debug", "trace"].map(|level| (level, level));
        decoded.config.logging = Logging {
            level: reader.choice(&logging, "level", &levels).map(str::to_owned),
            record: reader.boolean(&logging, "record").unwrap_or_default(),
        };
    }
    decoded.config.local = local::decode(&top, reader);
    resources::decode(&top, reader, &mut decoded);
    if let Some(stonith) = section(&top, "stonith", reader) {
        let Decoded { config, places } = &mut decoded;
        config.shared.stonith = stonith::decode(&stonith, reader, places, &mut config.secrets);
        stonith::judge_watchdog(&stonith, &config.shared, reader);
    }
    decoded
}

fn decode_cluster(top: &Fields<'_>, reader: &mut Reader<'_>, decoded: &mut Decoded) {
    let Some(cluster) = required_section(top, "cluster", reader) else { return };
    if reader.required(&cluster, "name").is_some()
        && let Some(name) = name(&cluster, "name", reader)
    {
        decoded.config.cluster = name;
        decoded.places.cluster = Some(cluster.place("name"));
    }
    if let Some(failback) = reader.boolean(&cluster, "failback") {
        decoded.config.shared.failback = failback;
    }
    if reader.boolean(&cluster, "quorum_required") == Some(false) {
        let at = cluster.place("quorum_required");
        reader.findings.warning(FindingCode::QuorumAlways, "cluster.quorum_required", at);
    }
    for name in ["failover_delay_ms", "poll_interval_ms"] {
        reader.number(&cluster, name, 0..=u64::MAX);
        reader.ignored(&cluster, name);
    }
}

fn decode_node(top: &Fields<'_>, reader: &mut Reader<'_>, decoded: &mut Decoded) {
    let Some(node) = required_section(top, "node", reader) else { return };
    if reader.required(&node, "name").is_some()
        && let Some(name) = name(&node, "name", reader)
    {
        decoded.config.node = name;
        decoded.places.node = Some(node.place("name"));
    }
    let priority = reader.number(&node, "priority", 0..=MAX_PRIORITY);
    decoded.config.priority = priority.and_then(|priority| u32::try_from(priority).ok());
}

fn section<'n>(top: &Fields<'n>, name: &'static str, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
    reader.fields(top.get(name)?, name, keys(name))
}

fn required_section<'n>(top: &Fields<'n>, name: &'static str, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
    if top.get(name).is_none() {
        reader.missing(top, name);
    }
    section(top, name, reader)
}

/// A name of a cluster, node or resource.
fn name(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    reader.judged(fields, key, FindingCode::BadName, |text| {
        check_name(key, text).is_ok().then(|| text.to_owned())
    })
}

/// A path that begins at the root.
fn path(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    reader.judged(fields, key, FindingCode::BadPath, |text| {
        (text.starts_with('/') && !text.contains('\0')).then(|| text.to_owned())
    })
}

/// A URL of HTTP or HTTPS with a host and without credentials.
fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let host = uri.authority().is_some_and(|authority| {
        !authority.host().is_empty() && !authority.as_str().contains('@') && authority.port_u16() != Some(0)
    });
    matches!(uri.scheme_str(), Some("http" | "https")) && host
}
