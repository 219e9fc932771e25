//! Questions to the operator.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::cli::Global;
use crate::problem::Problem;
use crate::t;

/// Asks on a terminal, unless `--yes`; elsewhere nothing is asked.
pub fn confirm(global: &Global, question: &str) -> Result<(), Problem> {
    if global.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(());
    }
    prompt(&format!("{question} {} ", t!("ask-yes-no")));
    if is_yes(&line().unwrap_or_default()) {
        Ok(())
    } else {
        Err(Problem::local("cancelled", 1, t!("cancelled"), None))
    }
}

/// The same for what cannot be undone: elsewhere than on a terminal it takes `--yes`.
pub fn destructive(global: &Global, question: &str) -> Result<(), Problem> {
    if !global.yes && (!io::stdin().is_terminal() || !io::stderr().is_terminal()) {
        return Err(Problem::local("needs-yes", 2, t!("needs-yes"), Some(t!("needs-yes-next"))));
    }
    confirm(global, question)
}

/// Both languages are understood in both.
fn is_yes(answer: &str) -> bool {
    ["o", "oui", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// A token from standard input: one line, with a prompt on a terminal.
pub fn token() -> io::Result<String> {
    if io::stdin().is_terminal() {
        prompt(&t!("ask-token"));
    }
    line()
}

fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert!(is_yes("Oui\n") && is_yes(" y "));
        assert!(!is_yes("") && !is_yes("n") && !is_yes("okay"));
    }
}
