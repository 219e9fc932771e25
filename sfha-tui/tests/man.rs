//! The man pages: all that can be typed is in them, in both languages, and `man` has nothing to complain of.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const SFHA: &str = env!("CARGO_BIN_EXE_sfha");

/// Options of every command are told once.
const COMMON: &[&str] = &["--json", "--lang", "--socket", "--yes", "--verbose", "--help"];

/// What explains the others is no command of its own in the page.
const NOT_THERE: &[&str] = &["help", "version"];

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every command with its long options, as the completion of bash has them.
fn commands() -> BTreeMap<String, Vec<String>> {
    let script = output(Command::new(SFHA).args(["completions", "bash"]));
    let mut commands = BTreeMap::new();
    let mut name = None;
    for line in script.lines().map(str::trim) {
        if let Some(case) = line.strip_prefix("sfha").and_then(|rest| rest.strip_suffix(')')) {
            name = Some(case.to_owned());
        }
        let options = line.strip_prefix("opts=\"").and_then(|rest| rest.strip_suffix('"'));
        if let Some(options) = options.filter(|text| !text.is_empty())
            && let Some(case) = name.take()
        {
            let long = options.split(' ').filter(|word| word.starts_with("--")).map(str::to_owned);
            commands.insert(case, long.collect());
        }
    }
    commands
}

/// A command of the page under the name that the completion has for it: it writes a `-` as a level, too.
fn as_case(words: &str) -> String {
    words.split([' ', '-']).fold(String::new(), |case, word| format!("{case}__subcmd__{word}"))
}

#[test]
fn every_command_and_option_is_in_the_man_page_of_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/dev/man.sh");
    output(Command::new("sh").arg(script).arg(SFHA).arg(folder.path()));
    let commands = commands();
    assert!(commands.len() > 50, "{commands:?}");
    for language in ["fr", "en"] {
        let page = folder.path().join(language).join("man1/sfha.1.gz.new");
        let text = output(Command::new("zcat").arg(&page)).replace("\\-", "-");
        let mut sections: BTreeMap<String, &str> = BTreeMap::new();
        let (top, rest) = text.split_once("\n.SS sfha ").unwrap();
        sections.insert(String::new(), top);
        for section in rest.split("\n.SS sfha ") {
            let (words, body) = section.split_once('\n').unwrap();
            sections.insert(as_case(words), body);
        }
        let mut missing = Vec::new();
        for (command, options) in &commands {
            if NOT_THERE.iter().any(|name| *command == as_case(name)) {
                continue;
            }
            let Some(section) = sections.get(command) else {
                missing.push(command.clone());
                continue;
            };
            let told = |option: &String| section.contains(option.as_str());
            let once = |option: &String| !command.is_empty() && COMMON.contains(&option.as_str());
            missing.extend(options.iter().filter(|option| !told(option) && !once(option)).cloned());
        }
        assert_eq!(missing, Vec::<String>::new(), "{language}");
        let there: Vec<&String> = sections.keys().filter(|name| !commands.contains_key(*name)).collect();
        assert_eq!(there, Vec::<&String>::new(), "{language}: no such commands");
    }
}
