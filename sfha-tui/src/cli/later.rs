//! Commands of the contract that this version does not have: known, hidden, answered clearly.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, value_parser};

/// `parent` is empty for a command of the top level.
const LATER: &[(&str, &[&str])] = &[("", &["constraints"])];

/// Adds them, hidden, taking whatever follows.
pub fn add(root: Command) -> Command {
    let (_, top) = LATER[0];
    let root = root.subcommands(top.iter().map(|name| stub(name)));
    LATER[1..].iter().fold(root, |root, (parent, names)| {
        root.mut_subcommand(parent, |command| command.subcommands(names.iter().map(|name| stub(name))))
    })
}

/// One of them by its last word.
pub fn is(name: &str) -> bool {
    LATER.iter().any(|(_, names)| names.contains(&name))
}

fn stub(name: &'static str) -> Command {
    Command::new(name).hide(true).arg(
        Arg::new("rest")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_parser(value_parser!(OsString)),
    )
}

/// The name of the command if it is one of them.
pub fn find(matches: &ArgMatches) -> Option<String> {
    let (first, inner) = matches.subcommand()?;
    if LATER[0].1.contains(&first) {
        return Some(first.to_owned());
    }
    let (second, _) = inner.subcommand()?;
    LATER[1..]
        .iter()
        .any(|(parent, names)| *parent == first && names.contains(&second))
        .then(|| format!("{first} {second}"))
}
