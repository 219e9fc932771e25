//! Answers about fencing as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_proto::fencing::{FencingHistory, FencingPlan, FencingStatus, FencingSummary, FencingTested};

use crate::paint::{Paint, Table};
use crate::problem::Problem;
use crate::words::{self, Tone};
use crate::{format, t};

/// `sfha stonith status`
pub fn status(status: &FencingStatus, paint: Paint) -> String {
    let fencing = &status.fencing;
    let mut text = format!("{}\n", head(fencing, paint));
    if fencing.enabled {
        text.push('\n');
        text.push_str(&facts(fencing, paint));
        text.push('\n');
        text.push_str(&nodes(fencing, paint));
    } else {
        text.push_str(&format!("{}\n", t!("stonith-off-next")));
    }
    for alert in &fencing.alerts {
        let why = Problem::from(alert.error.clone()).message;
        let (node, level, by) = (alert.node.as_str(), alert.level.as_str(), alert.by.as_str());
        let line = t!("fencing-alert", node = node, level = level, by = by, why = why);
        text.push_str(&format!("{} {}\n", paint.mark(Tone::Bad), paint.tone(Tone::Bad, &line)));
    }
    text
}

fn head(fencing: &FencingSummary, paint: Paint) -> String {
    let (tone, line) = match (fencing.enabled, fencing.dry_run) {
        (false, _) => (Tone::Warn, t!("stonith-off")),
        (true, true) => (Tone::Warn, t!("stonith-dry-run")),
        (true, false) if !fencing.pending.is_empty() => {
            (Tone::Bad, t!("concern-fencing", names = fencing.pending.join(", ")))
        }
        (true, false) => (Tone::Good, t!("stonith-on")),
    };
    format!("{} {}", paint.mark(tone), paint.bold(&line))
}

fn facts(fencing: &FencingSummary, paint: Paint) -> String {
    let mut table = Table::bare();
    let mut fact = |name: String, value: String| table.row(vec![(Tone::Dim, name), (Tone::Plain, value)]);
    fact(t!("fact-levels"), fencing.levels.join(", "));
    if let Some(storm) = &fencing.storm {
        fact(t!("fact-storm"), words::fencing::storm(storm, 0));
    }
    if let Some(watchdog) = &fencing.watchdog {
        fact(t!("fact-watchdog"), words::fencing::watchdog(watchdog, 0));
    }
    table.render(paint)
}

fn nodes(fencing: &FencingSummary, paint: Paint) -> String {
    let titles = [String::new(), t!("col-node"), t!("col-fencing"), t!("col-levels"), t!("col-detail")];
    let mut table = Table::titled(&titles);
    for node in &fencing.nodes {
        let (tone, word) = words::fencing::phase(node.phase);
        table.row(vec![
            (tone, words::mark(tone, paint.utf8).to_owned()),
            (Tone::Plain, node.name.clone()),
            (tone, word),
            (Tone::Plain, node.levels.join(", ")),
            (Tone::Plain, words::fencing::details(node, 0)),
        ]);
    }
    table.render(paint)
}

/// `sfha stonith history`
pub fn history(history: &FencingHistory, paint: Paint) -> String {
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let titles = [String::new(), t!("col-when"), t!("col-node"), t!("col-what")];
    let mut table = Table::titled(&titles);
    for entry in &history.entries {
        let (tone, what) = words::fencing::happened(entry);
        let at = Timestamp::from_second(entry.at).unwrap_or(Timestamp::UNIX_EPOCH);
        table.row(vec![
            (tone, words::mark(tone, paint.utf8).to_owned()),
            (Tone::Dim, format::moment_to_the_second(at, now, &zone)),
            (Tone::Plain, entry.node.clone()),
            (Tone::Plain, what),
        ]);
    }
    if table.is_empty() { format!("{}\n", t!("no-stonith-history")) } else { table.render(paint) }
}

/// `sfha stonith test`
pub fn tested(tested: &FencingTested, paint: Paint) -> String {
    let titles = [String::new(), t!("col-node"), t!("col-level"), t!("col-state"), t!("col-detail")];
    let mut table = Table::titled(&titles);
    for result in &tested.results {
        let tone = if result.error.is_some() { Tone::Bad } else { Tone::Good };
        let power = result.power.map_or_else(|| words::none(paint.utf8), words::fencing::power);
        let detail = match &result.error {
            Some(error) => Problem::from(error.clone()).message,
            None => format::millis(result.elapsed_ms),
        };
        table.row(vec![
            (tone, words::mark(tone, paint.utf8).to_owned()),
            (Tone::Plain, result.node.clone()),
            (Tone::Plain, result.level.clone()),
            (tone, power),
            (Tone::Plain, detail),
        ]);
    }
    if table.is_empty() { format!("{}\n", t!("stonith-nothing-to-test")) } else { table.render(paint) }
}

/// `sfha stonith fence --dry-run`
pub fn plan(plan: &FencingPlan, paint: Paint) -> String {
    let node = plan.node.as_str();
    let Some(actor) = plan.actor.as_deref().filter(|_| !plan.levels.is_empty()) else {
        return format!("{} {}\n", paint.mark(Tone::Bad), t!("plan-nobody", node = node));
    };
    let delay = format::millis(plan.delay_ms);
    let line = t!("plan", node = node, actor = actor, levels = plan.levels.join(", "), delay = delay);
    let mut text = format!("{} {line}\n", paint.mark(Tone::Good));
    if let Some(held) = plan.held {
        let line = t!("plan-held", why = words::fencing::held(held));
        text.push_str(&format!("{} {line}\n", paint.mark(Tone::Warn)));
    }
    text
}

/// `sfha stonith fence`
pub fn fenced(node: &str, how: &str, paint: Paint) -> String {
    format!("{} {}\n", paint.mark(Tone::Good), t!("done-fence", node = node, how = how))
}
