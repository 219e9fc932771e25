//! The commands about who belongs to the cluster and its mesh.

use clap::{Arg, ArgAction, ArgMatches, Command};
use sfha_proto::message::PeerAddParams;

use super::values;
use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Take a node out.
    RemoveNode(String),
    /// Take this node out.
    Leave {
        /// Without the others' consent.
        force: bool,
    },
    /// Add a peer that is not a node.
    AddPeer(PeerAddParams),
    /// Remove a peer, or a node.
    RemovePeer(String),
    /// After how many seconds a node that is away is removed.
    AutoRemove(Option<u64>),
    /// Bring this node's mesh back.
    MeshUp,
    /// Take this node's mesh down.
    MeshDown,
}

pub(super) fn leave() -> Command {
    Command::new("leave")
        .about(t!("cmd-leave"))
        .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help(t!("arg-leave-force")))
}

pub(super) fn node() -> Command {
    let node = Arg::new("node").value_name(t!("value-node")).required(true).help(t!("arg-node-remove"));
    Command::new("node")
        .about(t!("cmd-node"))
        .subcommand_required(true)
        .subcommand(Command::new("remove").about(t!("cmd-node-remove")).arg(node))
}

pub(super) fn mesh(mesh: Command) -> Command {
    let option = |name: &'static str, value: &str, help: String| {
        Arg::new(name).long(name).value_name(value.to_owned()).required(true).help(help)
    };
    let name = Arg::new("name").value_name(t!("value-name")).required(true).help(t!("arg-peer-name"));
    mesh.subcommand(
        Command::new("add-peer")
            .about(t!("cmd-mesh-add-peer"))
            .arg(option("name", &t!("value-name"), t!("arg-peer-name")))
            .arg(option("pubkey", "KEY", t!("arg-peer-key")))
            .arg(option("ip", "IP", t!("arg-peer-ip")).value_parser(values::ip))
            .arg(option("endpoint", &t!("value-endpoint"), t!("arg-peer-endpoint")).required(false)),
    )
    .subcommand(Command::new("remove-peer").about(t!("cmd-mesh-remove-peer")).arg(name))
    .subcommand(
        Command::new("auto-remove").about(t!("cmd-mesh-auto-remove")).arg(
            Arg::new("after")
                .value_name(format!("{}|off", t!("value-duration")))
                .required(true)
                .value_parser(values::auto_remove)
                .help(t!("arg-auto-remove")),
        ),
    )
    .subcommand(Command::new("up").about(t!("cmd-mesh-up")))
    .subcommand(Command::new("down").about(t!("cmd-mesh-down")))
}

pub(super) fn task(matches: &ArgMatches) -> Option<Membership> {
    let (name, m) = matches.subcommand()?;
    let text = |m: &ArgMatches, id: &str| m.get_one::<String>(id).cloned();
    Some(match (name, m.subcommand()) {
        ("leave", _) => Membership::Leave { force: m.get_flag("force") },
        ("node", Some(("remove", m))) => Membership::RemoveNode(text(m, "node")?),
        ("mesh", Some(("add-peer", m))) => Membership::AddPeer(PeerAddParams {
            name: text(m, "name")?,
            ip: text(m, "ip")?,
            public_key: text(m, "pubkey")?,
            endpoint: text(m, "endpoint"),
        }),
        ("mesh", Some(("remove-peer", m))) => Membership::RemovePeer(text(m, "name")?),
        ("mesh", Some(("auto-remove", m))) => {
            Membership::AutoRemove(m.get_one::<Option<u64>>("after").copied().flatten())
        }
        ("mesh", Some(("up", _))) => Membership::MeshUp,
        ("mesh", Some(("down", _))) => Membership::MeshDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Membership>, clap::Error> {
        super::super::command().try_get_matches_from(line.split(' ')).map(|matches| task(&matches))
    }

    #[test]
    fn the_commands_of_the_contract_are_understood() {
        let peer = PeerAddParams {
            name: "laptop".into(),
            ip: "10.100.0.9".into(),
            public_key: "K".into(),
            endpoint: Some("h:1".into()),
        };
        for (line, wanted) in [
            ("sfha node remove n2 --yes", Membership::RemoveNode("n2".into())),
            ("sfha leave", Membership::Leave { force: false }),
            ("sfha leave --force", Membership::Leave { force: true }),
            (
                "sfha mesh add-peer --name laptop --endpoint h:1 --pubkey K --ip 10.100.0.9",
                Membership::AddPeer(peer),
            ),
            ("sfha mesh remove-peer laptop", Membership::RemovePeer("laptop".into())),
            ("sfha mesh auto-remove 7d", Membership::AutoRemove(Some(604_800))),
            ("sfha mesh auto-remove off", Membership::AutoRemove(None)),
            ("sfha mesh up", Membership::MeshUp),
            ("sfha mesh down", Membership::MeshDown),
        ] {
            assert_eq!(read(line).unwrap(), Some(wanted), "{line}");
        }
        for line in [
            "sfha node remove",
            "sfha node",
            "sfha mesh add-peer --name laptop --pubkey K",
            "sfha mesh auto-remove 10s",
            "sfha mesh auto-remove soon",
            "sfha mesh remove-peer",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
