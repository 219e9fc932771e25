//! The commands of whoever looks after a node: what is wrong with it.

use clap::{ArgMatches, Command};

use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupportTask {
    /// What is well and what is not on this node.
    Doctor,
}

pub(super) fn commands() -> [Command; 1] {
    [Command::new("doctor").about(t!("cmd-doctor"))]
}

pub(super) fn task(name: &str, _: &ArgMatches) -> Option<SupportTask> {
    Some(match name {
        "doctor" => SupportTask::Doctor,
        _ => return None,
    })
}
