//! `sfha doctor`: the daemon's program looks, this makes sentences of what it found.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sfha_proto::Failure;
use sfha_proto::doctor::{Diagnosis, Level, Observation};

use super::programs::DAEMON;
use super::show;
use crate::cli::Global;
use crate::format::decimal;
use crate::i18n::loader;
use crate::paint::Paint;
use crate::problem::{ABSENT, Problem, arguments, text};
use crate::t;
use crate::words::Tone;

/// Shows it; the exit status is 1 where something does not work.
pub fn run(global: &Global) -> Result<(), Problem> {
    let output = Command::new(DAEMON)
        .arg("doctor")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Problem::program(DAEMON, &error))?;
    let diagnosis: Diagnosis = serde_json::from_slice(&output.stdout)
        .map_err(|_| Problem::local("internal", 1, t!("doctor-strange"), Some(t!("doctor-strange-next"))))?;
    show(global, &document(&diagnosis), |_, paint| render(&diagnosis, paint))?;
    match worst(&diagnosis) {
        // It was said on standard output, where a script reads it.
        Level::Error => std::process::exit(1),
        Level::Ok | Level::Unknown | Level::Warning => Ok(()),
    }
}

fn worst(diagnosis: &Diagnosis) -> Level {
    diagnosis.findings.iter().map(|found| found.level).max().unwrap_or(Level::Ok)
}

/// The sentence, why it matters, and what to do.
struct Sentences {
    message: String,
    why: Option<String>,
    next: Option<String>,
}

fn sentences(found: &Observation) -> Sentences {
    let code = found.code.as_str();
    let (loader, id) = (loader(), format!("doctor-{code}"));
    let id = if loader.has(&id) { id } else { "doctor-unknown".to_owned() };
    let mut details = found.details.clone();
    // The one fraction there is.
    let ms = details.get("milliseconds").and_then(Value::as_str).and_then(|text| text.parse().ok());
    if let Some(ms) = ms {
        details.insert("milliseconds".to_owned(), decimal(ms, 1).into());
    }
    // A failure of something else, in its own words.
    if let Some(Ok(failure)) = details.get("error").cloned().map(serde_json::from_value::<Failure>) {
        details.insert("error".to_owned(), Problem::from(failure).message.into());
    }
    let args = arguments(&details, &code);
    let attribute = |name| {
        let there = loader.has_attr(&id, name).then(|| text(loader, &id, Some(name), &args));
        there.filter(|text| !text.contains(ABSENT))
    };
    Sentences { message: text(loader, &id, None, &args), why: attribute("why"), next: attribute("next") }
}

fn document(diagnosis: &Diagnosis) -> Value {
    let findings: Vec<Value> = diagnosis
        .findings
        .iter()
        .map(|found| {
            let Sentences { message, why, next } = sentences(found);
            json!({"level": found.level, "code": found.code, "message": message, "why": why, "next": next,
                   "details": found.details})
        })
        .collect();
    json!({"schema": diagnosis.schema, "version": diagnosis.version, "node": diagnosis.node,
           "worst": worst(diagnosis), "findings": findings})
}

fn render(diagnosis: &Diagnosis, paint: Paint) -> String {
    let node = diagnosis.node.as_deref().unwrap_or(ABSENT);
    let head = t!("doctor-head", node = node, version = diagnosis.version.as_str());
    let mut out = format!("{}\n\n", paint.bold(&head));
    for found in &diagnosis.findings {
        let tone = tone(found.level);
        let Sentences { message, why, next } = sentences(found);
        out.push_str(&format!("{} {message}\n", paint.mark(tone)));
        if let Some(why) = why {
            out.push_str(&format!("  {}\n", paint.tone(Tone::Dim, &why)));
        }
        if let Some(next) = next {
            let arrow = if paint.utf8 { "→" } else { ">" };
            out.push_str(&format!("  {arrow} {next}\n"));
        }
    }
    let count = |level| diagnosis.findings.iter().filter(|found| found.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let sum = match errors + warnings {
        0 => t!("doctor-well"),
        _ => t!("doctor-sum", errors = errors, warnings = warnings),
    };
    out.push_str(&format!("\n{} {sum}\n", paint.mark(tone(worst(diagnosis)))));
    out
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Unknown => Tone::Dim,
        Level::Warning => Tone::Warn,
        Level::Error => Tone::Bad,
    }
}

#[cfg(test)]
mod tests;
