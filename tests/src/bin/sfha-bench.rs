//! `make bench`: sfha beside keepalived, in one lab.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};
use sfha_tests::bench::{Part, Plan, run};

/// Measures sfha in labs of its own, and keepalived on the same nodes
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
    /// Measure only this; may be repeated
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Nodes of the big cluster
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(2..=16))]
    nodes: u8,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    // SAFETY: there is no other thread yet.
    unsafe { sfha_daemon::io::wireguard::forbid_programs() };
    let arguments = Arguments::parse();
    let keepalived = !arguments.without_keepalived;
    let nodes = usize::from(arguments.nodes);
    let plan = if arguments.quick {
        Plan { runs: 3, idle: Duration::from_secs(15), keepalived, nodes }
    } else {
        Plan { runs: arguments.runs.max(1), idle: arguments.idle, keepalived, nodes }
    };
    let parts = if arguments.only.is_empty() { Part::value_variants() } else { &arguments.only };
    match run(plan, parts) {
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
