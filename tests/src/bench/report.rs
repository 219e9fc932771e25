//! The numbers, the limits they have to keep, and the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::{Plan, Series};

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this document.
    pub schema: u32,
    /// Version of sfha.
    pub version: String,
    /// Runs of each fault.
    pub runs: usize,
    /// For how long the idle cluster was observed, in seconds.
    pub idle_s: u64,
    /// Series by system (`sfha`, `sfhad`, `sfha-wg`, `keepalived`, `wireguard-go`, …) and by name.
    pub series: BTreeMap<String, BTreeMap<String, Series>>,
}

/// A promise, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// What was promised.
    pub what: &'static str,
    /// The greatest value allowed.
    pub limit: f64,
    /// The value measured.
    pub measured: f64,
    /// Whether it was kept.
    pub kept: bool,
}

/// The bare detection that `corosync.conf`'s token 1000 and consensus 100 give, in milliseconds, and what
/// sfha may add to it.
const CUT_LIMIT_MS: f64 = 1063.0 + 500.0;

/// System, series, statement, limit, and whether the worst run counts rather than the median.
const LIMITS: &[(&str, &str, &str, f64, bool)] = &[
    ("sfha", "join", "join, from the command to a quorate member, ms", 5000.0, true),
    ("sfha", "cut_gap", "power cut: silence of the VIP, ms", CUT_LIMIT_MS, false),
    ("sfha", "stop_gap", "clean stop: silence of the VIP, ms", 100.0, true),
    ("sfha", "two_holders", "two holders in any of the faults, ms", 0.0, true),
    ("sfha", "kill_address_left", "kill -9: the address stays, ms", 1000.0, true),
    ("sfhad", "rss_mib", "sfhad idle, resident, MiB", 20.0, true),
    ("sfhad", "cpu_percent", "sfhad idle, share of a core, %", 1.0, true),
    ("holding", "move_gap", "20 planned moves of a VIP: median silence, ms", 10.0, false),
    ("holding", "move_gap", "20 planned moves of a VIP: worst silence, ms", 30.0, true),
    ("holding", "many_gap", "20 VIPs moved together: silence, ms", 50.0, true),
    ("holding", "isolation_two_holders", "holder cut from its peers: two holders, ms", 0.0, true),
    ("sixteen", "formed", "all nodes of the big cluster joined, ms", 120_000.0, true),
    ("sixteen", "join_lost", "packets lost between members while others join", 0.0, true),
    ("sixteen", "idle_rings", "rings formed anew while nothing happens", 0.0, true),
    ("sixteen", "rotation_gap", "all keys changed: silence of a pair, ms", 250.0, true),
    ("sixteen", "rotation_rings", "rings formed anew while all keys change", 0.0, true),
    ("wireguard", "apply_ratio", "200 peers: applied by sfhad : by wg setconf", 1.5, false),
    ("wireguard", "read_cpu_percent", "200 peers read every second, share of a core, %", 1.0, true),
    ("wireguard", "rate_ratio_1", "throughput, one stream: wireguard-go : sfha-wg", 1.0, false),
    ("wireguard", "rate_ratio_4", "throughput, four streams: wireguard-go : sfha-wg", 1.0, false),
    ("wireguard", "cpu_ratio_1", "CPU per byte, one stream: sfha-wg : wireguard-go", 1.0, false),
    ("wireguard", "cpu_ratio_4", "CPU per byte, four streams: sfha-wg : wireguard-go", 1.0, false),
    ("console", "first_small", "console: from the start to the cluster on the screen, ms", 50.0, false),
    ("console", "event_small", "console, 3 nodes: from a change to the screen, ms", 100.0, true),
    ("console", "event_large", "console, 16 nodes: from a change to the screen, ms", 100.0, true),
    (
        "console",
        "idle_cpu_small_overview",
        "console, 3 nodes, overview, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_small_overview",
        "console, 3 nodes, overview, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "idle_cpu_small_mesh",
        "console, 3 nodes, mesh, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_small_mesh",
        "console, 3 nodes, mesh, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "idle_cpu_small_resources",
        "console, 3 nodes, resources, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_small_resources",
        "console, 3 nodes, resources, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "idle_cpu_large_overview",
        "console, 16 nodes, overview, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_large_overview",
        "console, 16 nodes, overview, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "busy_cpu_large_overview",
        "console, 16 nodes, overview, ten states a second: share of a core, %",
        5.0,
        true,
    ),
    (
        "console",
        "idle_cpu_large_mesh",
        "console, 16 nodes, mesh, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_large_mesh",
        "console, 16 nodes, mesh, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "busy_cpu_large_mesh",
        "console, 16 nodes, mesh, ten states a second: share of a core, %",
        5.0,
        true,
    ),
    (
        "console",
        "idle_cpu_large_resources",
        "console, 16 nodes, resources, little happens: share of a core, %",
        1.0,
        true,
    ),
    (
        "console",
        "idle_bytes_large_resources",
        "console, 16 nodes, resources, little happens: bytes a second",
        2048.0,
        true,
    ),
    (
        "console",
        "busy_cpu_large_resources",
        "console, 16 nodes, resources, ten states a second: share of a core, %",
        5.0,
        true,
    ),
];

/// Series that are compared with keepalived's.
const COMPARED: &[(&str, &str)] = &[
    ("cut_gap", "power cut: silence"),
    ("stop_gap", "clean stop: silence"),
    ("two_holders", "two holders (keepalived: after `kill -9`)"),
];

/// Series of sfha alone.
const ALONE: &[(&str, &str, &str)] = &[
    ("sfha", "corosync_detection", "power cut to Corosync's callback, ms"),
    ("sfha", "kill_gap", "kill -9: silence, ms"),
    ("sfha", "kill_address_left", "kill -9: the address stays, ms"),
    ("sfha", "failover_gap", "planned failover: silence, ms"),
    ("sfha", "failover_command", "planned failover: the command, ms"),
    ("sfha", "init", "init, ms"),
    ("sfha", "join", "join, ms"),
    ("sfha", "boot_to_operational", "power on to operational member, ms"),
    ("sfhad", "rss_mib", "sfhad idle: resident, MiB"),
    ("sfhad", "pss_mib", "sfhad idle: proportional, MiB"),
    ("sfhad", "cpu_percent", "sfhad idle: share of a core, %"),
    ("sfha-wg", "rss_mib", "sfha-wg idle: resident, MiB"),
    ("sfha-wg", "pss_mib", "sfha-wg idle: proportional, MiB"),
    ("sfha-wg", "cpu_percent", "sfha-wg idle: share of a core, %"),
    ("holding", "move_gap", "planned move of a VIP: silence, ms"),
    ("holding", "many_gap", "20 VIPs moved together: silence of each, ms"),
    ("holding", "many_command", "20 VIPs moved together: the command, ms"),
    ("holding", "isolation_gap", "holder cut from its peers: silence, ms"),
    ("holding", "isolation_two_holders", "holder cut from its peers: two holders, ms"),
    ("sixteen", "formed", "big cluster: all joined, ms"),
    ("sixteen", "join", "big cluster: one join, ms"),
    ("sixteen", "rotation", "big cluster: one new key, ms"),
    ("sixteen", "rotation_gap", "big cluster, new keys: silence of a pair, ms"),
    ("sixteen", "prober_pause", "big cluster, new keys: the probers' own pause, ms"),
    ("wireguard", "apply", "200 peers applied by sfhad, ms"),
    ("wireguard", "setconf", "200 peers applied by wg setconf, ms"),
    ("wireguard", "read_cpu_percent", "200 peers read every second: share of a core, %"),
    ("sfha-wg", "gbit_1", "sfha-wg, one stream, Gbit/s"),
    ("wireguard-go", "gbit_1", "wireguard-go, one stream, Gbit/s"),
    ("sfha-wg", "gbit_4", "sfha-wg, four streams, Gbit/s"),
    ("wireguard-go", "gbit_4", "wireguard-go, four streams, Gbit/s"),
    ("sfha-wg", "cpu_1", "sfha-wg, one stream, CPU s per GB"),
    ("wireguard-go", "cpu_1", "wireguard-go, one stream, CPU s per GB"),
    ("sfha-wg", "cpu_4", "sfha-wg, four streams, CPU s per GB"),
    ("wireguard-go", "cpu_4", "wireguard-go, four streams, CPU s per GB"),
    ("console", "first_small", "console, 3 nodes: from the start to the cluster on the screen, ms"),
    ("console", "first_large", "console, 16 nodes: from the start to the cluster on the screen, ms"),
    ("console", "first_cpu_small", "console, 3 nodes: processor time until then, ms"),
    ("console", "first_cpu_large", "console, 16 nodes: processor time until then, ms"),
    ("console", "event_small", "console, 3 nodes: from a change to the screen, ms"),
    ("console", "event_large", "console, 16 nodes: from a change to the screen, ms"),
    ("console", "idle_cpu_small_overview", "console, 3 nodes, overview, little happens: share of a core, %"),
    ("console", "idle_bytes_small_overview", "console, 3 nodes, overview, little happens: bytes a second"),
    (
        "console",
        "busy_cpu_small_overview",
        "console, 3 nodes, overview, ten states a second: share of a core, %",
    ),
    (
        "console",
        "busy_bytes_small_overview",
        "console, 3 nodes, overview, ten states a second: bytes a second",
    ),
    ("console", "idle_cpu_small_mesh", "console, 3 nodes, mesh, little happens: share of a core, %"),
    ("console", "idle_bytes_small_mesh", "console, 3 nodes, mesh, little happens: bytes a second"),
    ("console", "busy_cpu_small_mesh", "console, 3 nodes, mesh, ten states a second: share of a core, %"),
    ("console", "busy_bytes_small_mesh", "console, 3 nodes, mesh, ten states a second: bytes a second"),
    (
        "console",
        "idle_cpu_small_resources",
        "console, 3 nodes, resources, little happens: share of a core, %",
    ),
    ("console", "idle_bytes_small_resources", "console, 3 nodes, resources, little happens: bytes a second"),
    (
        "console",
        "busy_cpu_small_resources",
        "console, 3 nodes, resources, ten states a second: share of a core, %",
    ),
    (
        "console",
        "busy_bytes_small_resources",
        "console, 3 nodes, resources, ten states a second: bytes a second",
    ),
    ("console", "idle_cpu_large_overview", "console, 16 nodes, overview, little happens: share of a core, %"),
    ("console", "idle_bytes_large_overview", "console, 16 nodes, overview, little happens: bytes a second"),
    (
        "console",
        "busy_cpu_large_overview",
        "console, 16 nodes, overview, ten states a second: share of a core, %",
    ),
    (
        "console",
        "busy_bytes_large_overview",
        "console, 16 nodes, overview, ten states a second: bytes a second",
    ),
    ("console", "idle_cpu_large_mesh", "console, 16 nodes, mesh, little happens: share of a core, %"),
    ("console", "idle_bytes_large_mesh", "console, 16 nodes, mesh, little happens: bytes a second"),
    ("console", "busy_cpu_large_mesh", "console, 16 nodes, mesh, ten states a second: share of a core, %"),
    ("console", "busy_bytes_large_mesh", "console, 16 nodes, mesh, ten states a second: bytes a second"),
    (
        "console",
        "idle_cpu_large_resources",
        "console, 16 nodes, resources, little happens: share of a core, %",
    ),
    ("console", "idle_bytes_large_resources", "console, 16 nodes, resources, little happens: bytes a second"),
    (
        "console",
        "busy_cpu_large_resources",
        "console, 16 nodes, resources, ten states a second: share of a core, %",
    ),
    (
        "console",
        "busy_bytes_large_resources",
        "console, 16 nodes, resources, ten states a second: bytes a second",
    ),
];

impl Report {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            runs: plan.runs,
            idle_s: plan.idle.as_secs(),
            series: BTreeMap::new(),
        }
    }

    fn entry(&mut self, system: &str, name: &str) -> &mut Series {
        self.series.entry(system.to_owned()).or_default().entry(name.to_owned()).or_default()
    }

    pub(super) fn add_ms(&mut self, system: &str, name: &str, time: Duration) {
        self.entry(system, name).add_ms(time);
    }

    pub(super) fn add(&mut self, system: &str, name: &str, value: f64) {
        self.entry(system, name).add(value);
    }

    pub(super) fn count(&self, system: &str, name: &str) -> usize {
        self.get(system, name).map_or(0, |series| series.values.len())
    }

    fn get(&self, system: &str, name: &str) -> Option<&Series> {
        self.series.get(system)?.get(name)
    }

    /// The promises, as far as they were measured.
    pub fn limits(&self) -> Vec<Limit> {
        let limits = LIMITS.iter().filter_map(|(system, name, what, limit, worst)| {
            let series = self.get(system, name)?;
            let measured = if *worst { series.worst() } else { series.median() }?;
            Some(Limit { what, limit: *limit, measured, kept: measured <= *limit })
        });
        limits.collect()
    }

    /// The table that people read, in Markdown.
    pub fn table(&self) -> String {
        let cell = |system: &str, name: &str| match self.get(system, name) {
            Some(series) => show(series),
            None => "–".to_owned(),
        };
        let ratio = |name: &str, other: &str| {
            let medians =
                self.get("sfha", name).and_then(Series::median).zip(self.get(other, name)?.median());
            medians.filter(|(_, other)| *other > 0.0).map(|(ours, other)| format!("{:.2}", ours / other))
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let mut text = format!("sfha {}, {} runs: median (worst), milliseconds\n", self.version, self.runs);
        if COMPARED.iter().any(|(name, _)| self.get("sfha", name).is_some()) {
            text.push_str(
                "\n| fault | sfha | keepalived, 1 s | keepalived, 0.1 s | sfha : 1 s | sfha : 0.1 s |\n\
                 |---|---|---|---|---|---|\n",
            );
            for (name, what) in COMPARED {
                let _ = writeln!(
                    text,
                    "| {what} | {} | {} | {} | {} | {} |",
                    cell("sfha", name),
                    cell("keepalived", name),
                    cell("keepalived-0.1", name),
                    or_dash(ratio(name, "keepalived")),
                    or_dash(ratio(name, "keepalived-0.1")),
                );
            }
        }
        text.push_str("\n| sfha | median (worst) |\n|---|---|\n");
        for (system, name, what) in ALONE.iter().filter(|(system, name, _)| self.get(system, name).is_some())
        {
            let _ = writeln!(text, "| {what} | {} |", cell(system, name));
        }
        let medians = self.get("sfha", "cut_gap").and_then(Series::median);
        if let Some((gap, bare)) =
            medians.zip(self.get("sfha", "corosync_detection").and_then(Series::median))
        {
            let _ = writeln!(text, "| power cut: silence : Corosync's detection | {:.2} |", gap / bare);
        }
        text.push_str("\n| limit | measured | kept |\n|---|---|---|\n");
        for limit in self.limits() {
            let kept = if limit.kept { "yes" } else { "**no**" };
            let _ = writeln!(
                text,
                "| {}: at most {} | {} | {kept} |",
                limit.what,
                number(limit.limit),
                number(limit.measured)
            );
        }
        text
    }
}

fn show(series: &Series) -> String {
    match series.median().zip(series.worst()) {
        Some((median, worst)) => format!("{} ({})", number(median), number(worst)),
        None => "–".to_owned(),
    }
}

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_not_kept_is_said_and_ratios_are_of_medians() {
        let plan = Plan { runs: 2, idle: Duration::from_secs(1), keepalived: true, nodes: 16 };
        let mut report = Report::new(plan);
        for (system, name, ms) in
            [("sfha", "stop_gap", 50), ("sfha", "stop_gap", 101), ("keepalived", "stop_gap", 202)]
        {
            report.add_ms(system, name, Duration::from_millis(ms));
        }
        let limits = report.limits();
        assert_eq!((limits.len(), limits[0].kept), (1, false), "the worst run counts");
        let table = report.table();
        assert!(table.contains("| clean stop: silence | 101 (101) | 202 (202) | – | 0.50 | – |"), "{table}");
        assert!(table.contains("**no**"), "{table}");
    }
}
