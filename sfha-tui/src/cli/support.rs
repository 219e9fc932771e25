//! The commands of whoever looks after a node: what is wrong with it, what to keep of it, what it was before.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupportTask {
    /// What is well and what is not on this node.
    Doctor,
    /// A bundle for whoever helps; a name of its own if absent.
    Report(Option<PathBuf>),
    /// Keep this node in a file.
    Backup(PathBuf),
    /// Put it back.
    Restore {
        /// From there.
        file: PathBuf,
        /// The other nodes are lost.
        alone: bool,
    },
    /// Another program's configuration as a part of `config.yml`.
    ImportKeepalived(PathBuf),
}

fn file(help: String) -> Arg {
    Arg::new("file").value_name(t!("value-path")).value_parser(value_parser!(PathBuf)).help(help)
}

pub(super) fn commands() -> [Command; 5] {
    let alone = Arg::new("alone").long("alone").action(ArgAction::SetTrue).help(t!("arg-restore-alone"));
    let program = Arg::new("program")
        .value_name("keepalived")
        .value_parser(["keepalived"])
        .required(true)
        .help(t!("arg-import-program"));
    [
        Command::new("doctor").about(t!("cmd-doctor")),
        Command::new("report").about(t!("cmd-report")).arg(file(t!("arg-report-file"))),
        Command::new("backup").about(t!("cmd-backup")).arg(file(t!("arg-backup-file")).required(true)),
        Command::new("restore")
            .about(t!("cmd-restore"))
            .arg(file(t!("arg-restore-file")).required(true))
            .arg(alone),
        Command::new("import")
            .about(t!("cmd-import"))
            .arg(program)
            .arg(file(t!("arg-import-file")).required(true)),
    ]
}

pub(super) fn task(name: &str, m: &ArgMatches) -> Option<SupportTask> {
    let file = || m.get_one::<PathBuf>("file").cloned();
    Some(match name {
        "doctor" => SupportTask::Doctor,
        "report" => SupportTask::Report(file()),
        "backup" => SupportTask::Backup(file()?),
        "restore" => SupportTask::Restore { file: file()?, alone: m.get_flag("alone") },
        "import" => SupportTask::ImportKeepalived(file()?),
        _ => return None,
    })
}
