//! The command line: what can be asked, as clap commands with texts from the catalogues.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Arg, ArgAction, Command, value_parser};
use clap_complete::Shell;
use sfha_proto::history::HistoryParams;
use sfha_proto::message::{InitParams, RotateParams, TokenParams, VipAddParams, VipAnnounceParams};

use crate::app::Look;
use crate::t;

mod commands;
mod config;
#[cfg(test)]
mod documented;
mod history;
mod members;
mod parse;
mod services;
mod stonith;
mod support;
mod usage;
pub mod values;

pub use config::ConfigTask;
pub use members::Membership;
pub use parse::{Parsed, parse};
pub use services::ServiceTask;
pub use stonith::{SetupTask, StonithTask};
pub use support::SupportTask;

/// What applies to every command.
#[derive(Debug, Clone)]
pub struct Global {
    /// One JSON document on stdout instead of text.
    pub json: bool,
    /// Where the daemon listens.
    pub socket: PathBuf,
    /// Technical log on stderr.
    pub verbose: bool,
    /// Do not ask.
    pub yes: bool,
    /// An invented cluster instead of the daemon.
    pub demo: bool,
    /// Colours of the dashboard, one of [`crate::app::Look::NAMES`]; what suits the terminal if absent.
    pub theme: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Task {
    /// No command: dashboard on a terminal, status elsewhere.
    Default,
    /// The dashboard.
    Dashboard,
    /// The cluster as this node sees it.
    Status,
    /// The same in one line, with an exit status for monitoring.
    Check,
    /// What has happened.
    History(HistoryParams),
    /// What happens; limit and time are not looked at.
    Events(HistoryParams),
    /// Its nodes.
    Nodes,
    /// Its VIPs and services.
    Resources,
    /// Its health checks.
    Health,
    /// Make a cluster.
    Init(InitParams),
    /// Join one.
    Join(JoinTask),
    /// The mesh.
    MeshStatus,
    /// Make a token.
    MeshToken(TokenParams),
    /// List tokens.
    MeshTokens,
    /// Revoke one.
    MeshRevoke(String),
    /// Change the keys of nodes.
    MeshRotateKeys(RotateParams),
    /// List VIPs.
    VipList,
    /// Add one.
    VipAdd(VipAddParams),
    /// Remove one.
    VipRemove(String),
    /// Announce them, all if none are named.
    VipAnnounce(VipAnnounceParams),
    /// Services.
    Service(ServiceTask),
    /// Fencing.
    Stonith(StonithTask),
    /// Take a node (this one if none) out of service.
    Standby(Option<String>),
    /// Put it back.
    Unstandby(Option<String>),
    /// Hands off, or on.
    Maintenance(bool, Option<std::time::Duration>),
    /// Who belongs to the cluster and its mesh.
    Membership(Membership),
    /// `config.yml`.
    Config(ConfigTask),
    /// Move everything away from the leader.
    Failover(Option<String>, std::collections::BTreeSet<String>),
    /// What events would do.
    Simulate(Vec<String>),
    /// What is wrong with this node.
    Support(SupportTask),
    /// Become the daemon.
    Run(Vec<OsString>),
    /// Show the daemon's log.
    Logs {
        /// Go on with new lines.
        follow: bool,
    },
    /// Print a completion script.
    Completions(Shell),
    /// Print the version.
    Version,
    /// A command that nothing here does.
    Later(String),
}

/// `sfha join`.
#[derive(Clone)]
pub struct JoinTask {
    /// Where the token comes from.
    pub token: TokenSource,
    /// Name of this node.
    pub name: Option<String>,
    /// Where others reach it.
    pub endpoint: Option<String>,
    /// `--lan-ip`.
    pub lan_ip: Option<String>,
    /// Deadline of the whole.
    pub timeout: std::time::Duration,
    /// Replace a foreign `corosync.conf`.
    pub force: bool,
}

/// Where a token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// An argument.
    Argument(String),
    /// A file.
    File(PathBuf),
    /// Standard input, with a prompt on a terminal.
    Stdin,
}

impl std::fmt::Debug for JoinTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinTask").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The whole command line in the language of this thread.
pub fn command() -> Command {
    let root = Command::new("sfha")
        .about(t!("about"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .subcommand_value_name(t!("value-command"))
        .subcommand_help_heading(t!("heading-commands"))
        .after_help(t!("after-help"))
        .styles(styles())
        .max_term_width(100)
        .args(global_args())
        .arg(Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(t!("arg-demo")))
        .arg(theme())
        .arg(
            Arg::new("version").short('V').long("version").action(ArgAction::Version).help(t!("arg-version")),
        )
        .subcommands(commands::all());
    let common = |arg: Arg| arg.help_heading(t!("heading-global")).display_order(100);
    localise(root).mut_arg("demo", common).mut_arg("theme", common).mut_arg("version", common)
}

fn demo() -> Arg {
    Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(t!("arg-demo"))
}

pub fn theme() -> Arg {
    Arg::new("theme")
        .long("theme")
        .value_name(t!("value-theme"))
        .value_parser(Look::NAMES)
        .help(t!("arg-theme", names = Look::NAMES.join(", ")))
}

fn global_args() -> [Arg; 6] {
    [
        Arg::new("json").short('j').long("json").action(ArgAction::SetTrue).help(t!("arg-json")),
        Arg::new("lang").long("lang").value_name("fr|en").value_parser(["fr", "en"]).help(t!("arg-lang")),
        Arg::new("socket")
            .long("socket")
            .value_name(t!("value-path"))
            .value_parser(value_parser!(PathBuf))
            .help(t!("arg-socket", path = sfha_proto::SOCKET_PATH)),
        Arg::new("yes").short('y').long("yes").action(ArgAction::SetTrue).help(t!("arg-yes")),
        Arg::new("verbose").short('v').long("verbose").action(ArgAction::SetTrue).help(t!("arg-verbose")),
        Arg::new("help").short('h').long("help").action(ArgAction::Help).help(t!("arg-help")),
    ]
    .map(|arg| arg.global(true).display_order(100).help_heading(t!("heading-global")))
}

/// Replaces what clap would write in English: headings, usage line, lists of values and defaults (these
/// are in the help texts where they matter).
fn localise(command: Command) -> Command {
    let own = t!("heading-options");
    let positional = t!("heading-arguments");
    let global = t!("heading-global");
    let nested = command.has_subcommands();
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}{{after-help}}",
        t!("heading-usage")
    );
    let mut position = 0;
    let mut command = command
        .help_template(template)
        .mut_args(|arg| {
            position += 1;
            let heading = match (arg.is_positional(), arg.is_global_set()) {
                (true, _) => &positional,
                (_, true) => &global,
                _ => &own,
            };
            let arg = arg.help_heading(heading.clone());
            let arg = if arg.is_positional() { arg.display_order(position) } else { arg };
            if arg.get_action().takes_values() {
                arg.hide_possible_values(true).hide_default_value(true)
            } else {
                arg
            }
        })
        .mut_subcommands(localise);
    if nested {
        command = command
            .subcommand_value_name(t!("value-command"))
            .subcommand_help_heading(t!("heading-commands"))
            .disable_help_subcommand(true);
    }
    command
}

fn styles() -> Styles {
    Styles::styled()
        .header(AnsiColor::Cyan.on_default().bold())
        .usage(AnsiColor::Cyan.on_default().bold())
        .literal(AnsiColor::Green.on_default())
        .placeholder(AnsiColor::Yellow.on_default())
}
