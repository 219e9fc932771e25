//! `sfha-guest`: a command in the guest, on this terminal; without one, a shell.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use sfha_tests::guest::Guest;

/// Boot Debian's own kernel under QEMU over this machine's programs, and run a command there.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A Debian package to install first
    #[arg(long, value_name = "FILE")]
    deb: Option<PathBuf>,
    /// What to run as root; without it a shell, whose end switches the guest off
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed pipe is no reason to panic.
            let _ = writeln!(std::io::stderr(), "sfha-guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let guest = Guest::new("guest", arguments.deb.as_deref())?;
    // On a terminal of its own, as job control wants it.
    let shell = ["setsid", "-c", "bash", "-c", "exec bash -l </dev/ttyS0 >/dev/ttyS0 2>&1"];
    let command: Vec<_> = match arguments.command.as_slice() {
        [] => shell.to_vec(),
        words => words.iter().map(String::as_str).collect(),
    };
    guest.run_here(&command)
}
