//! Commands that hand over to another program or need nobody.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap_complete::Shell;

use super::units::UNIT;
use crate::paint;
use crate::problem::Problem;

/// The daemon.
pub const DAEMON: &str = "/usr/bin/sfhad";

/// Replaces this process with the daemon; returns only if that fails.
pub fn daemon(args: &[OsString]) -> Problem {
    let error = Command::new(DAEMON).args(args).exec();
    Problem::program(DAEMON, &error)
}

/// Replaces this process with journalctl; returns only if that fails.
pub fn logs(follow: bool, json: bool) -> Problem {
    let mut command = Command::new("journalctl");
    command.args(["--unit", UNIT, "--lines", "200"]);
    if follow {
        command.arg("--follow");
    }
    if json {
        command.args(["--output", "json", "--no-pager"]);
    }
    Problem::program("journalctl", &command.exec())
}

/// Prints the completion script of a shell.
pub fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "sfha", &mut script);
    paint::out(&String::from_utf8_lossy(&script));
}
