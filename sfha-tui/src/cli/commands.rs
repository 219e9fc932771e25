//! Every command of this version, in the order of the help.

use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

use super::values;
use crate::t;

/// All of them.
pub fn all() -> Vec<Command> {
    let [doctor, report, backup, restore, import] = super::support::commands();
    let [config_check, config_example, reload, propagate] = super::config::commands();
    vec![
        Command::new("status").about(t!("cmd-status")).arg(
            Arg::new("exit-code").long("exit-code").action(ArgAction::SetTrue).help(t!("arg-exit-code")),
        ),
        Command::new("dashboard").about(t!("cmd-dashboard")).arg(super::demo()).arg(super::theme()),
        Command::new("nodes").about(t!("cmd-nodes")),
        Command::new("resources").about(t!("cmd-resources")),
        Command::new("health").about(t!("cmd-health")),
        super::history::history(),
        super::history::events(),
        init(),
        join(),
        super::members::leave(),
        super::members::node(),
        super::members::mesh(mesh()),
        vip(),
        super::services::service(),
        super::stonith::stonith(),
        Command::new("standby").about(t!("cmd-standby")).arg(node()),
        Command::new("unstandby").about(t!("cmd-unstandby")).arg(node()),
        Command::new("failover")
            .about(t!("cmd-failover"))
            .arg(Arg::new("to").long("to").value_name(t!("value-node")).help(t!("arg-to")))
            .arg(Arg::new("names").value_name(t!("value-name")).num_args(0..).help(t!("arg-failover-names"))),
        Command::new("maintenance")
            .about(t!("cmd-maintenance"))
            .arg(
                Arg::new("state")
                    .value_name("on|off")
                    .value_parser(["on", "off"])
                    .required(true)
                    .help(t!("arg-on-off")),
            )
            .arg(
                Arg::new("until")
                    .long("until")
                    .visible_alias("for")
                    .value_name(t!("value-duration"))
                    .value_parser(values::duration)
                    .help(t!("arg-maintenance-until", example = "2h")),
            ),
        config_check,
        config_example,
        reload,
        propagate,
        doctor,
        Command::new("simulate").about(t!("cmd-simulate")).after_help(t!("simulate-events")).arg(
            Arg::new("events")
                .value_name(t!("value-event"))
                .num_args(1..)
                .required(true)
                .help(t!("arg-events")),
        ),
        report,
        backup,
        restore,
        import,
        Command::new("logs").about(t!("cmd-logs")).arg(
            Arg::new("follow").short('f').long("follow").action(ArgAction::SetTrue).help(t!("arg-follow")),
        ),
        Command::new("run").about(t!("cmd-run")).arg(
            Arg::new("args")
                .value_name(t!("value-args"))
                .num_args(0..)
                .last(true)
                .value_parser(value_parser!(OsString))
                .help(t!("arg-run-args")),
        ),
        Command::new("completions").about(t!("cmd-completions")).arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help(t!("arg-shell")),
        ),
        Command::new("version").about(t!("cmd-version")),
        Command::new("help").about(t!("cmd-help")).arg(
            Arg::new("command").value_name(t!("value-command")).num_args(0..).help(t!("arg-help-command")),
        ),
    ]
}

fn node() -> Arg {
    Arg::new("node").value_name(t!("value-node")).help(t!("arg-node"))
}

fn name() -> Arg {
    Arg::new("name").long("name").value_name(t!("value-node")).help(t!("arg-name"))
}

fn endpoint() -> Arg {
    Arg::new("endpoint").long("endpoint").value_name(t!("value-endpoint"))
}

fn lan_ip() -> Arg {
    Arg::new("lan-ip").long("lan-ip").value_name("IP").value_parser(values::ip)
}

fn force() -> Arg {
    Arg::new("force").long("force").action(ArgAction::SetTrue).help(t!("arg-force"))
}

fn init() -> Command {
    Command::new("init")
        .about(t!("cmd-init"))
        .arg(
            Arg::new("cluster")
                .long("cluster")
                .value_name(t!("value-name"))
                .required(true)
                .help(t!("arg-cluster")),
        )
        .arg(name())
        .arg(Arg::new("mesh").long("mesh").action(ArgAction::SetTrue).requires("ip").help(t!("arg-mesh")))
        .arg(
            Arg::new("ip")
                .long("ip")
                .value_name("IP/CIDR")
                .requires("mesh")
                .value_parser(values::cidr)
                .help(t!("arg-init-ip")),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .requires("mesh")
                .value_parser(values::port)
                .help(t!("arg-port")),
        )
        .arg(endpoint().requires("mesh").help(t!("arg-init-endpoint")))
        .arg(
            Arg::new("mtu")
                .long("mtu")
                .value_name(t!("value-bytes"))
                .requires("mesh")
                .value_parser(values::mtu)
                .help(t!("arg-mtu")),
        )
        .arg(
            Arg::new("links")
                .long("links")
                .value_name("mesh[,lan]")
                .requires("mesh")
                .value_delimiter(',')
                .value_parser(["mesh", "lan"])
                .help(t!("arg-links")),
        )
        .arg(lan_ip().requires("links").help(t!("arg-init-lan-ip")))
        .arg(
            Arg::new("profile")
                .long("profile")
                .value_name("fast|lan|wan")
                .value_parser(["fast", "lan", "wan"])
                .help(t!("arg-profile")),
        )
        .arg(force())
}

fn join() -> Command {
    Command::new("join")
        .about(t!("cmd-join"))
        .arg(Arg::new("token").value_name(t!("value-token")).help(t!("arg-token")))
        .arg(
            Arg::new("token-file")
                .long("token-file")
                .value_name(t!("value-path"))
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("token")
                .help(t!("arg-token-file")),
        )
        .arg(name())
        .arg(endpoint().help(t!("arg-join-endpoint")))
        .arg(lan_ip().help(t!("arg-join-lan-ip")))
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name(t!("value-duration"))
                .default_value("60s")
                .value_parser(values::duration)
                .help(t!("arg-timeout")),
        )
        .arg(force())
}

fn mesh() -> Command {
    Command::new("mesh")
        .about(t!("cmd-mesh"))
        .subcommand_required(true)
        .subcommand(Command::new("status").about(t!("cmd-mesh-status")))
        .subcommand(
            Command::new("token")
                .about(t!("cmd-mesh-token"))
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name(t!("value-duration"))
                        .value_parser(values::duration)
                        .help(t!("arg-expires")),
                )
                .arg(
                    Arg::new("ip")
                        .long("ip")
                        .value_name("IP")
                        .value_parser(values::ip)
                        .help(t!("arg-token-ip")),
                ),
        )
        .subcommand(Command::new("tokens").about(t!("cmd-mesh-tokens")))
        .subcommand(
            Command::new("revoke")
                .about(t!("cmd-mesh-revoke"))
                .arg(Arg::new("id").value_name("ID").required(true).help(t!("arg-token-id"))),
        )
        .subcommand(rotate_keys())
}

fn rotate_keys() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("rotate-keys")
        .about(t!("cmd-mesh-rotate-keys"))
        .arg(flag("prepare").help(t!("arg-rotate-prepare")))
        .arg(flag("commit").help(t!("arg-rotate-commit")))
        .arg(flag("cleanup").help(t!("arg-rotate-cleanup")))
        .group(ArgGroup::new("step").args(["prepare", "commit", "cleanup"]))
        .arg(
            Arg::new("node")
                .long("node")
                .value_name(t!("value-node"))
                .conflicts_with("all")
                .help(t!("arg-node")),
        )
        .arg(flag("all").help(t!("arg-rotate-all")))
}

fn vip() -> Command {
    let vip_name = || Arg::new("name").value_name(t!("value-name")).required(true).help(t!("arg-vip"));
    Command::new("vip")
        .about(t!("cmd-vip"))
        .subcommand_required(true)
        .subcommand(Command::new("list").about(t!("cmd-vip-list")))
        .subcommand(
            Command::new("add")
                .about(t!("cmd-vip-add"))
                .arg(vip_name())
                .arg(
                    Arg::new("address")
                        .value_name("IP/CIDR")
                        .required(true)
                        .value_parser(values::cidr)
                        .help(t!("arg-vip-address")),
                )
                .arg(Arg::new("interface").value_name("INTERFACE").help(t!("arg-vip-interface"))),
        )
        .subcommand(Command::new("remove").about(t!("cmd-vip-remove")).arg(vip_name()))
        .subcommand(
            Command::new("announce").about(t!("cmd-vip-announce")).arg(
                Arg::new("names").value_name(t!("value-name")).num_args(0..).help(t!("arg-announce-names")),
            ),
        )
}
