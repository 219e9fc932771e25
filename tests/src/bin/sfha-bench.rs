//! `make bench`: sfha beside keepalived, in one lab.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sfha_tests::bench::{Plan, run};

/// Measures sfha in a lab of three nodes, and keepalived on the same nodes
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Runs of each fault
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Three runs and a short look at the idle cluster
    #[arg(long)]
    quick: bool,
    /// How long the idle cluster is observed
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    idle: Duration,
    /// Measure sfha alone
    #[arg(long)]
    without_keepalived: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let keepalived = !arguments.without_keepalived;
    let plan = if arguments.quick {
        Plan { runs: 3, idle: Duration::from_secs(15), keepalived }
    } else {
        Plan { runs: arguments.runs.max(1), idle: arguments.idle, keepalived }
    };
    match run(plan) {
        Ok(report) if arguments.json => {
            let document = serde_json::json!({"report": report, "limits": report.limits()});
            println!("{document:#}");
            ExitCode::SUCCESS
        }
        Ok(report) => {
            println!("{}", report.table());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
