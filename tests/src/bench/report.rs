//! The numbers, the limits they have to keep, and the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::{Plan, Series};

mod console;
mod rows;

use rows::{ALONE, COMPARED, LIMITS};

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
    pub what: String,
    /// The greatest value allowed.
    pub limit: f64,
    /// The value measured.
    pub measured: f64,
    /// Whether it was kept.
    pub kept: bool,
}

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
        let judge = |system, name: &str, what: &str, limit, worst| {
            let series = self.get(system, name)?;
            let measured = if worst { series.worst() } else { series.median() }?;
            Some(Limit { what: what.to_owned(), limit, measured, kept: measured <= limit })
        };
        let limits = LIMITS
            .iter()
            .filter_map(|(system, name, what, limit, worst)| judge(system, name, what, *limit, *worst));
        let console =
            console::rows().filter_map(|row| judge("console", &row.name, &row.what, row.limit?, true));
        limits.chain(console).collect()
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
        for row in console::rows().filter(|row| self.get("console", &row.name).is_some()) {
            let _ = writeln!(text, "| {} | {} |", row.what, cell("console", &row.name));
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
