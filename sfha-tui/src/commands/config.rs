//! `config.yml`: its faults, its example, what a reload changes, and what every node has.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use sfha_config::{Checked, Context, EXAMPLE, MAX_TEXT, check};
use sfha_proto::config::{Change, FileState, Finding, Propagated, ReloadParams, Reloaded};
use sfha_proto::message::method;
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::{CHANGE, READ, call, show};
use crate::cli::{ConfigTask, Global};
use crate::finding;
use crate::paint::{Paint, Table};
use crate::problem::Problem;
use crate::t;
use crate::words::{self, Tone};

/// Where the file is.
const CONFIG: &str = "/etc/sfha/config.yml";

/// Does one of them.
pub async fn run(global: &Global, task: ConfigTask) -> Result<(), Problem> {
    match task {
        ConfigTask::Check(file) => check_file(global, file.as_deref().unwrap_or(Path::new(CONFIG))),
        ConfigTask::Example => {
            show(global, &json!({"schema": SCHEMA, "yaml": EXAMPLE}), |_, _| EXAMPLE.to_owned())
        }
        ConfigTask::Reload { dry_run } => {
            let params = ReloadParams { dry_run };
            let done: Reloaded = call(global, method::RELOAD, &params, CHANGE).await?;
            show(global, &done, reloaded)
        }
        ConfigTask::Propagate => {
            let propagated: Propagated = call(global, method::PROPAGATE, &json!({}), READ).await?;
            show(global, &propagated, self::propagated)
        }
    }
}

fn check_file(global: &Global, path: &Path) -> Result<(), Problem> {
    let shown = path.display().to_string();
    let text = read(path)?;
    let checked: Checked = check(&text, &Context::default());
    if let Some(failure) = checked.failure(&shown) {
        return Err(failure.into());
    }
    let warnings: Vec<Value> = checked.findings.iter().map(finding::document).collect();
    let document = json!({"schema": SCHEMA, "file": shown, "valid": true, "warnings": warnings});
    show(global, &document, |_, paint| {
        let well = t!("config-valid", path = shown.as_str(), warnings = checked.findings.len());
        let tone = if checked.findings.is_empty() { Tone::Good } else { Tone::Warn };
        format!("{} {well}\n{}", paint.mark(tone), findings(&checked.findings, &shown))
    })
}

fn read(path: &Path) -> Result<String, Problem> {
    let invalid = |reason: &str| {
        Failure::new(ErrorCode::FileInvalid).with("path", path.display().to_string()).with("reason", reason)
    };
    let mut bytes = Vec::new();
    let limit = MAX_TEXT as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| invalid(&error.to_string()))?;
    // One byte too many is told as that, even where it cuts a letter in two.
    if bytes.len() as u64 == limit {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        invalid("UTF-8").with("line", line).into()
    })
}

fn findings(findings: &[Finding], path: &str) -> String {
    findings.iter().map(|finding| format!("\n{}", finding::block(finding, path))).collect()
}

/// `sfha reload`
fn reloaded(done: &Reloaded, paint: Paint) -> String {
    let count = done.changes.len();
    let (tone, head) = match (count, done.dry_run) {
        (0, _) => (Tone::Good, t!("reload-nothing")),
        (_, true) => (Tone::Plain, t!("reload-would", count = count)),
        (_, false) => (Tone::Good, t!("reload-done", count = count)),
    };
    let mut text = format!("{} {head}\n", paint.mark(tone));
    for change in &done.changes {
        text.push_str(&line(change, paint));
    }
    text + &findings(&done.warnings, CONFIG)
}

/// One change: what comes, goes, or becomes something else.
fn line(change: &Change, paint: Paint) -> String {
    let what = t!("change-kind", kind = change.kind.as_str());
    let what = [what, change.name.clone()].join(" ");
    let (tone, sign, rest) = match (&change.from, &change.to) {
        (None, Some(to)) => (Tone::Good, "+", facts(to)),
        (Some(_), None) => (Tone::Bad, "-", String::new()),
        (from, to) => (Tone::Warn, "~", differences(from.as_ref(), to.as_ref(), paint)),
    };
    let rest = if rest.is_empty() { String::new() } else { format!(" ({rest})") };
    format!("  {} {}{rest}\n", paint.tone(tone, sign), what.trim_end())
}

fn facts(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let facts: Vec<String> =
                map.iter().map(|(name, value)| format!("{name} {}", plain(Some(value)))).collect();
            facts.join(", ")
        }
        other => plain(Some(other)),
    }
}

fn differences(from: Option<&Value>, to: Option<&Value>, paint: Paint) -> String {
    let arrow = if paint.utf8 { "→" } else { "->" };
    let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) else {
        return format!("{} {arrow} {}", plain(from), plain(to));
    };
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differ = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    let one = |name: &String| format!("{name} {} {arrow} {}", plain(from.get(name)), plain(to.get(name)));
    differ.map(one).collect::<Vec<_>>().join(", ")
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// `sfha propagate`
fn propagated(done: &Propagated, paint: Paint) -> String {
    let (tone, head) = match done.in_step {
        true => (Tone::Good, t!("propagate-in-step")),
        false => (Tone::Warn, t!("propagate-behind")),
    };
    let titles = [String::new(), t!("col-node"), t!("col-version"), t!("col-hash"), t!("col-program")];
    let mut table = Table::titled(&titles);
    for node in &done.nodes {
        let tone = match node.in_step {
            Some(true) => Tone::Good,
            Some(false) => Tone::Warn,
            None => Tone::Bad,
        };
        let none = || words::none(paint.utf8);
        let state = node.state.as_ref();
        table.row(vec![
            (tone, words::mark(tone, paint.utf8).to_owned()),
            (Tone::Plain, node.name.clone()),
            (Tone::Plain, state.map_or_else(none, |state| format!("{}.{}", state.epoch, state.version))),
            (Tone::Dim, state.map_or_else(none, |state| state.hash.clone())),
            (Tone::Plain, node.program.clone().unwrap_or_else(none)),
        ]);
    }
    let mut text = format!("{} {head}\n\n{}", paint.mark(tone), table.render(paint));
    let file = match done.file {
        Some(FileState::InStep) => Some((Tone::Good, t!("config-file-in-step"))),
        Some(FileState::Edited) => Some((Tone::Warn, t!("config-file-edited"))),
        Some(FileState::Invalid) => Some((Tone::Bad, t!("config-file-invalid"))),
        Some(FileState::Unknown) | None => None,
    };
    if let Some((tone, file)) = file {
        text.push_str(&format!("\n{} {file}\n", paint.mark(tone)));
    }
    text
}

#[cfg(test)]
mod tests;
