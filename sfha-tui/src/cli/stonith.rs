//! The commands about fencing.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StonithTask {
    /// How fencing stands.
    Status,
    /// Switch a node off.
    Fence {
        /// It.
        node: String,
        /// Only tell what would be done.
        dry_run: bool,
    },
    /// Switch it on.
    Unfence(String),
    /// Answer for it being off.
    Confirm {
        /// It.
        node: String,
        /// What is kept with that.
        why: Option<String>,
    },
    /// What happened.
    History(Option<usize>),
    /// Try drivers out, for that node or all.
    Test(Option<String>),
    /// Set it up.
    Setup(Box<SetupTask>),
}

/// `sfha stonith setup`: what is absent is asked on a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetupTask {
    /// `proxmox`, `webhook`, `watchdog`, or a fence agent's program.
    pub provider: Option<String>,
    /// URLs: of Proxmox's API, or of a webhook that fences.
    pub urls: Vec<String>,
    /// Of a webhook: switches on.
    pub unfence_url: Option<String>,
    /// Of a webhook: tells the state.
    pub status_url: Option<String>,
    /// Id of the token of Proxmox.
    pub token_id: Option<String>,
    /// Where the secret comes from: a path, or `-` for standard input.
    pub secret_file: Option<PathBuf>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<String>,
    /// File of the authorities that are trusted.
    pub ca_file: Option<String>,
    /// `NAME=VALUE` of an agent.
    pub options: Vec<String>,
    /// `NODE=TYPE/VMID` (Proxmox), `NODE=PLUG` (agents).
    pub nodes: Vec<String>,
    /// Keep what is tried now as the levels before.
    pub add: bool,
    /// Write it although a test failed.
    pub force: bool,
    /// Only test.
    pub dry_run: bool,
}

pub(super) fn stonith() -> Command {
    let node = |required| {
        Arg::new("node").value_name(t!("value-node")).required(required).help(t!("arg-stonith-node"))
    };
    let flag = |name: &'static str, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("stonith")
        .about(t!("cmd-stonith"))
        .subcommand_required(true)
        .subcommand(Command::new("status").about(t!("cmd-stonith-status")))
        .subcommand(
            Command::new("fence")
                .about(t!("cmd-stonith-fence"))
                .arg(node(true))
                .arg(flag("dry-run", t!("arg-stonith-dry-run"))),
        )
        .subcommand(Command::new("unfence").about(t!("cmd-stonith-unfence")).arg(node(true)))
        .subcommand(Command::new("confirm").about(t!("cmd-stonith-confirm")).arg(node(true)).arg(
            Arg::new("reason").long("reason").value_name(t!("value-text")).help(t!("arg-stonith-reason")),
        ))
        .subcommand(
            Command::new("history").about(t!("cmd-stonith-history")).arg(
                Arg::new("limit")
                    .long("limit")
                    .value_name("N")
                    .value_parser(value_parser!(usize))
                    .help(t!("arg-stonith-limit")),
            ),
        )
        .subcommand(Command::new("test").about(t!("cmd-stonith-test")).arg(node(false)))
        .subcommand(setup())
}

fn setup() -> Command {
    let option = |name: &'static str, value: String, help: String| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let flag = |name: &'static str, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let many = ArgAction::Append;
    Command::new("setup")
        .about(t!("cmd-stonith-setup"))
        .arg(option("provider", t!("value-name"), t!("arg-setup-provider")))
        .arg(option("url", "URL".into(), t!("arg-setup-url")).action(many.clone()))
        .arg(option("unfence-url", "URL".into(), t!("arg-setup-unfence-url")))
        .arg(option("status-url", "URL".into(), t!("arg-setup-status-url")))
        .arg(option("token-id", "ID".into(), t!("arg-setup-token-id", example = "sfha@pve!fence")))
        .arg(
            option("secret-file", t!("value-path"), t!("arg-setup-secret-file"))
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(option("fingerprint", "SHA256".into(), t!("arg-setup-fingerprint")))
        .arg(option("ca-file", t!("value-path"), t!("arg-setup-ca-file")))
        .arg(option("option", format!("{}=…", t!("value-name")), t!("arg-setup-option")).action(many.clone()))
        .arg(option("node", format!("{}=…", t!("value-node")), t!("arg-setup-node")).action(many))
        .arg(flag("add", t!("arg-setup-add")))
        .arg(flag("force", t!("arg-setup-force")))
        .arg(flag("dry-run", t!("arg-setup-dry-run")))
}

pub(super) fn task(matches: &ArgMatches) -> Option<StonithTask> {
    let ("stonith", m) = matches.subcommand()? else { return None };
    let text = |m: &ArgMatches, id: &str| m.get_one::<String>(id).cloned();
    let texts = |m: &ArgMatches, id: &str| m.get_many(id).into_iter().flatten().cloned().collect();
    Some(match m.subcommand()? {
        ("status", _) => StonithTask::Status,
        ("fence", m) => StonithTask::Fence { node: text(m, "node")?, dry_run: m.get_flag("dry-run") },
        ("unfence", m) => StonithTask::Unfence(text(m, "node")?),
        ("confirm", m) => StonithTask::Confirm { node: text(m, "node")?, why: text(m, "reason") },
        ("history", m) => StonithTask::History(m.get_one("limit").copied()),
        ("test", m) => StonithTask::Test(text(m, "node")),
        ("setup", m) => StonithTask::Setup(Box::new(SetupTask {
            provider: text(m, "provider"),
            urls: texts(m, "url"),
            unfence_url: text(m, "unfence-url"),
            status_url: text(m, "status-url"),
            token_id: text(m, "token-id"),
            secret_file: m.get_one("secret-file").cloned(),
            fingerprint: text(m, "fingerprint"),
            ca_file: text(m, "ca-file"),
            options: texts(m, "option"),
            nodes: texts(m, "node"),
            add: m.get_flag("add"),
            force: m.get_flag("force"),
            dry_run: m.get_flag("dry-run"),
        })),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<StonithTask>, clap::Error> {
        super::super::command().try_get_matches_from(line.split(' ')).map(|matches| task(&matches))
    }

    #[test]
    fn the_commands_of_the_contract_are_understood() {
        for (line, wanted) in [
            ("sfha stonith status --json", StonithTask::Status),
            ("sfha stonith fence n2 --yes", StonithTask::Fence { node: "n2".into(), dry_run: false }),
            ("sfha stonith fence n2 --dry-run", StonithTask::Fence { node: "n2".into(), dry_run: true }),
            ("sfha stonith unfence n2", StonithTask::Unfence("n2".into())),
            ("sfha stonith confirm n2", StonithTask::Confirm { node: "n2".into(), why: None }),
            (
                "sfha stonith confirm n2 --reason unplugged",
                StonithTask::Confirm { node: "n2".into(), why: Some("unplugged".into()) },
            ),
            ("sfha stonith history -j --limit 5", StonithTask::History(Some(5))),
            ("sfha stonith test", StonithTask::Test(None)),
            ("sfha stonith test n2", StonithTask::Test(Some("n2".into()))),
            (
                "sfha stonith setup --provider proxmox --url https://a --url https://b --node n1=qemu/101 --force",
                StonithTask::Setup(Box::new(SetupTask {
                    provider: Some("proxmox".into()),
                    urls: vec!["https://a".into(), "https://b".into()],
                    nodes: vec!["n1=qemu/101".into()],
                    force: true,
                    ..SetupTask::default()
                })),
            ),
        ] {
            assert_eq!(read(line).unwrap(), Some(wanted), "{line}");
        }
        for line in
            ["sfha stonith", "sfha stonith fence", "sfha stonith confirm", "sfha stonith history --limit x"]
        {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
