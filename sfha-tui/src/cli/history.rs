//! The commands about what has happened.

use clap::{Arg, ArgMatches, Command, value_parser};
use jiff::Timestamp;
use sfha_proto::history::HistoryParams;

use super::values;
use crate::t;

pub(super) fn history() -> Command {
    Command::new("history")
        .about(t!("cmd-history"))
        .arg(
            Arg::new("limit")
                .long("limit")
                .short('n')
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help(t!("arg-history-limit", count = HistoryParams::LIMIT)),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name(t!("value-since"))
                .value_parser(values::since)
                .help(t!("arg-since", example = "1h")),
        )
        .args(filters())
}

pub(super) fn events() -> Command {
    Command::new("events").about(t!("cmd-events")).args(filters())
}

fn filters() -> [Arg; 2] {
    [
        Arg::new("resource").long("resource").value_name(t!("value-name")).help(t!("arg-history-resource")),
        Arg::new("node").long("node").value_name(t!("value-node")).help(t!("arg-history-node")),
    ]
}

/// What `sfha history` and `sfha events` ask for.
pub(super) fn params(matches: &ArgMatches) -> HistoryParams {
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    // `events` has neither.
    let limit = matches.try_get_one::<u32>("limit").ok().flatten().copied();
    let since = matches.try_get_one::<Timestamp>("since").ok().flatten();
    let since_ms = since.map(|since| since.as_millisecond());
    HistoryParams { limit, since_ms, resource: text("resource"), node: text("node") }
}
