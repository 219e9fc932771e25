//! Questions to the operator.

use std::io::{self, BufRead, IsTerminal, Write};

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

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

/// The same for what nobody but the operator can know: on a terminal the name itself is to be typed.
pub fn typed(global: &Global, warning: &str, name: &str) -> Result<(), Problem> {
    if global.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Problem::local("needs-yes", 2, t!("needs-yes"), Some(t!("needs-yes-next"))));
    }
    prompt(&format!("{warning}\n{} ", t!("ask-typed", name = name)));
    if line().unwrap_or_default() == name {
        Ok(())
    } else {
        Err(Problem::local("cancelled", 1, t!("cancelled"), None))
    }
}

/// An answer that is accepted; `None` at the end of the input.
pub fn answer(question: &str, accept: impl Fn(&str) -> bool) -> Option<String> {
    loop {
        prompt(&format!("{question} "));
        let mut text = String::new();
        if io::stdin().lock().read_line(&mut text).ok()? == 0 {
            return None;
        }
        let text = text.trim();
        if accept(text) {
            return Some(text.to_owned());
        }
        prompt(&format!("{}\n", t!("ask-again")));
    }
}

/// An answer that nobody sees; `None` when it was broken off.
pub fn secret(question: &str) -> Option<String> {
    prompt(&format!("{question} "));
    enable_raw_mode().ok()?;
    let mut text = String::new();
    let done = loop {
        let Ok(event) = event::read() else { break false };
        let Event::Key(key) = event else { continue };
        match key.code {
            KeyCode::Enter => break true,
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => break false,
            KeyCode::Char(c) => text.push(c),
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Esc => break false,
            _ => {}
        }
    };
    let _ = disable_raw_mode();
    prompt("\n");
    done.then(|| text.trim().to_owned())
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
