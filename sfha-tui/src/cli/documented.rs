//! What the documentation says that one may type is read by the very parser that will read it; and what can be
//! typed is in the documentation, in both languages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

use super::command;
use crate::i18n::{self, Lang};

/// Pages without a language of their own are for everybody.
const COMMON: &[&str] = &["docs", "docs/decisions"];

/// Commands that nobody looks for in a page: they do what their names say, or help with the others.
const UNTOLD: &[&str] = &["nodes", "help", "version"];

/// A command as a page has it.
#[derive(Debug)]
struct Told {
    /// The page, and the line in it.
    place: String,
    text: String,
    /// It stands in a sentence, where arguments may be left out.
    in_passing: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages(folders: &[&str], readme: &str) -> Vec<PathBuf> {
    let mut pages = vec![root().join(readme)];
    for folder in folders {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    pages
}

/// Every `sfha …` of a page: what is to be typed, and what is named in passing.
fn told(page: &Path) -> Vec<Told> {
    let text = fs::read_to_string(page).unwrap();
    let name = page.strip_prefix(root()).unwrap().display().to_string();
    let mut found = Vec::new();
    let mut fence: Option<String> = None;
    let mut begun = String::new();
    for (number, line) in text.lines().enumerate() {
        // A command that goes on in the next line.
        let whole = format!("{begun}{line}");
        begun.clear();
        if let Some(part) = whole.strip_suffix('\\') {
            begun.push_str(part);
            continue;
        }
        let line = whole.as_str();
        let mut add = |text: &str, in_passing| {
            let place = format!("{name}:{}", number + 1);
            found.push(Told { place, text: text.to_owned(), in_passing });
        };
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language.trim().to_owned()) };
            continue;
        }
        match fence.as_deref() {
            Some("sh") => typed(line).into_iter().for_each(|text| add(text, false)),
            Some("console") => {
                let lines = line.strip_prefix("$ ").into_iter();
                lines.flat_map(typed).for_each(|text| add(text, false));
            }
            Some(_) => {}
            None => {
                let spans = line.split('`').skip(1).step_by(2);
                spans.flat_map(typed).for_each(|text| add(text, true));
            }
        }
    }
    found
}

/// The commands of a line of a shell that are ours.
fn typed(line: &str) -> Vec<&str> {
    let line = line.split(" #").next().unwrap_or_default();
    let commands = line.split([';', '|', '&']).map(str::trim);
    commands.filter(|text| *text == "sfha" || text.starts_with("sfha ")).collect()
}

/// The words of a command, as a shell makes them.
fn words(text: &str) -> Vec<&str> {
    let redirected = text.split([' ']).take_while(|word| !word.contains('>'));
    redirected.filter(|word| !word.is_empty()).map(|word| word.trim_matches(['"', '\''])).collect()
}

/// Why a command would be refused.
fn fault(told: &Told) -> Option<String> {
    let words = words(&told.text);
    // "and so on"
    let whole = words.iter().position(|word| *word == "…").map_or(words.as_slice(), |at| &words[..at]);
    let error = command().try_get_matches_from(whole).err()?;
    let incomplete = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    // N, FILE: the reader's to fill in.
    let filled_in = error.get(ContextKind::InvalidValue).is_some_and(|value| {
        let text = value.to_string();
        !text.is_empty() && text.chars().all(|letter| letter.is_uppercase() || "_-".contains(letter))
    });
    let help = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion].contains(&error.kind());
    let fine = help || told.in_passing && (filled_in || incomplete.contains(&error.kind()));
    (!fine).then(|| format!("{}: {}: {:?}", told.place, told.text, error.kind()))
}

#[test]
fn every_command_of_the_documentation_can_be_typed() {
    i18n::set(Lang::English);
    let mut all = pages(&["docs/en", "docs/fr", "docs", "docs/decisions"], "README.md");
    all.push(root().join("README.en.md"));
    let told: Vec<Told> = all.iter().flat_map(|page| told(page)).collect();
    let in_blocks = told.iter().filter(|told| !told.in_passing).count();
    assert!(in_blocks > 50 && told.len() > 200, "{in_blocks} of {}", told.len());
    assert_eq!(told.iter().filter_map(fault).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The commands that do something, by their whole names.
fn leaves(command: &Command, name: &str, into: &mut BTreeSet<String>) {
    for inner in command.get_subcommands() {
        let name = format!("{name} {}", inner.get_name()).trim().to_owned();
        if inner.has_subcommands() {
            leaves(inner, &name, into);
        } else {
            into.insert(name);
        }
    }
}

#[test]
fn every_command_is_in_the_documentation_of_both_languages() {
    i18n::set(Lang::English);
    let mut all = BTreeSet::new();
    leaves(&command(), "", &mut all);
    assert!(all.len() > 40, "{all:?}");
    for (folder, readme) in [("docs/en", "README.en.md"), ("docs/fr", "README.md")] {
        let folders: Vec<&str> = COMMON.iter().copied().chain([folder]).collect();
        let told: Vec<Told> = pages(&folders, readme).iter().flat_map(|page| told(page)).collect();
        let missing: Vec<&String> = all
            .iter()
            .filter(|name| !UNTOLD.contains(&name.as_str()))
            .filter(|name| {
                let whole = format!("sfha {name}");
                !told.iter().any(|told| {
                    told.text
                        .strip_prefix(&whole)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
                })
            })
            .collect();
        assert_eq!(missing, Vec::<&String>::new(), "not in {folder}");
    }
}
