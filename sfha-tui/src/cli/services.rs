//! The commands about services.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use sfha_proto::message::ServiceAddParams;

use super::values;
use crate::t;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceTask {
    /// List them.
    List,
    /// Add one.
    Add(ServiceAddParams),
    /// Remove one.
    Remove(String),
}

pub(super) fn service() -> Command {
    let name = || Arg::new("name").value_name(t!("value-name")).required(true).help(t!("arg-service"));
    let time = |id: &'static str, help: String| {
        Arg::new(id).long(id).value_name(t!("value-duration")).value_parser(values::duration).help(help)
    };
    Command::new("service")
        .about(t!("cmd-service"))
        .subcommand_required(true)
        .subcommand(Command::new("list").about(t!("cmd-service-list")))
        .subcommand(
            Command::new("add")
                .about(t!("cmd-service-add"))
                .arg(name())
                .arg(
                    Arg::new("unit").value_name(t!("value-unit")).required(true).help(t!("arg-service-unit")),
                )
                .arg(
                    Arg::new("prefer")
                        .long("prefer")
                        .value_name(t!("value-nodes"))
                        .value_delimiter(',')
                        .help(t!("arg-service-prefer")),
                )
                .arg(
                    Arg::new("critical")
                        .long("critical")
                        .action(ArgAction::SetTrue)
                        .help(t!("arg-service-critical")),
                )
                .arg(
                    Arg::new("restarts")
                        .long("restarts")
                        .value_name("N")
                        .value_parser(value_parser!(u32))
                        .help(t!("arg-service-restarts")),
                )
                .arg(time("start-timeout", t!("arg-service-start-timeout")))
                .arg(time("stop-timeout", t!("arg-service-stop-timeout"))),
        )
        .subcommand(Command::new("remove").about(t!("cmd-service-remove")).arg(name()))
}

/// The task of `sfha service …`.
pub(super) fn task(matches: &ArgMatches) -> Option<ServiceTask> {
    let text = |m: &ArgMatches, id: &str| m.get_one::<String>(id).cloned().unwrap_or_default();
    let millis = |m: &ArgMatches, id: &str| {
        m.get_one::<Duration>(id).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    match matches.subcommand()? {
        ("list", _) => Some(ServiceTask::List),
        ("add", m) => Some(ServiceTask::Add(ServiceAddParams {
            name: text(m, "name"),
            unit: text(m, "unit"),
            prefer: m.get_many::<String>("prefer").into_iter().flatten().cloned().collect(),
            critical: m.get_flag("critical"),
            restarts: m.get_one::<u32>("restarts").copied(),
            start_timeout_ms: millis(m, "start-timeout"),
            stop_timeout_ms: millis(m, "stop-timeout"),
        })),
        ("remove", m) => Some(ServiceTask::Remove(text(m, "name"))),
        _ => None,
    }
}
