//! `sfha`: the command line and the dashboard. It shows what the daemon knows and asks it to act.

use std::ffi::OsString;
use std::process::ExitCode;

mod app;
mod assess;
mod cli;
mod client;
mod commands;
mod console;
mod demo;
mod fencing_setup;
mod finding;
mod format;
mod happened;
mod i18n;
mod keymap;
mod paint;
mod problem;
mod ui;
mod words;

#[cfg(test)]
#[path = "../../tests/src/documents.rs"]
#[allow(dead_code, reason = "the tests of the binary use a part of it")]
mod documents;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
#[allow(dead_code, reason = "the tests of the binary use all of it")]
mod fake;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::Parsed;
use paint::Paint;
use problem::Problem;
use words::Tone;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let texts: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    i18n::set(i18n::choose(texts.iter().skip(1).copied(), |name| std::env::var(name).ok()));
    let (json, problem) = match cli::parse(&args, Paint::stdout().colour) {
        Parsed::Print(text) => {
            paint::out(&text);
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(problem) => (wants_json(&texts), problem),
        Parsed::Run(global, task) => {
            if global.verbose {
                log_to_stderr();
            }
            match commands::run(&global, *task) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(problem) => (global.json || wants_json(&texts), problem),
            }
        }
    };
    report(&problem, json);
    ExitCode::from(problem.exit)
}

/// `--json` or `-j`, also where the command line could not be read.
fn wants_json(args: &[&str]) -> bool {
    args.iter().skip(1).take_while(|arg| **arg != "--").any(|arg| {
        let short = arg.strip_prefix('-').filter(|flags| !flags.starts_with('-'));
        *arg == "--json"
            || short.is_some_and(|flags| flags.chars().all(|c| "jvyf".contains(c)) && flags.contains('j'))
    })
}

fn report(problem: &Problem, json: bool) {
    if json {
        paint::out(&format!("{}\n", problem.json()));
        return;
    }
    let paint = Paint::stderr();
    if problem.is_choice() {
        paint::err(&problem.message);
    } else {
        paint::err(&format!("{} {}", paint.tone(Tone::Bad, &t!("error-prefix")), problem.message));
    }
    if let Some(next) = &problem.next {
        let arrow = if paint.utf8 { "→" } else { ">" };
        paint::err(&format!("{} {next}", paint.tone(Tone::Dim, arrow)));
    }
    tracing::debug!(code = problem.code, details = %serde_json::Value::Object(problem.details.clone()), "failed");
}

fn log_to_stderr() {
    let filter = Targets::new().with_target("sfha", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
}
