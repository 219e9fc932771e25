//! The commands about `config.yml`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigTask {
    /// Look for faults, without a daemon.
    Check(Option<PathBuf>),
    /// Print the example.
    Example,
    /// Have the cluster run what the file says.
    Reload {
        /// Only tell what would change.
        dry_run: bool,
    },
    /// What every node has.
    Propagate,
}

pub(super) fn commands() -> [Command; 4] {
    let file = Arg::new("file")
        .value_name(t!("value-path"))
        .value_parser(value_parser!(PathBuf))
        .help(t!("arg-config-file"));
    let dry_run =
        Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help(t!("arg-reload-dry-run"));
    [
        Command::new("config-check").about(t!("cmd-config-check")).arg(file),
        Command::new("config-example").about(t!("cmd-config-example")),
        Command::new("reload").about(t!("cmd-reload")).arg(dry_run),
        Command::new("propagate").about(t!("cmd-propagate")),
    ]
}

pub(super) fn task(name: &str, m: &ArgMatches) -> Option<ConfigTask> {
    Some(match name {
        "config-check" => ConfigTask::Check(m.get_one::<PathBuf>("file").cloned()),
        "config-example" => ConfigTask::Example,
        "reload" => ConfigTask::Reload { dry_run: m.get_flag("dry-run") },
        "propagate" => ConfigTask::Propagate,
        _ => return None,
    })
}
