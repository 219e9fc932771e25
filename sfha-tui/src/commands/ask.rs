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
///
/// The terminal shows nothing any more before the question is there: whoever pastes as soon as it is would
/// see the secret otherwise.
pub fn secret(question: &str) -> Option<String> {
    let raw = Raw::enter().ok()?;
    prompt(&format!("{question} "));
    let text = hidden_line();
    drop(raw);
    prompt("\n");
    text
}

fn hidden_line() -> Option<String> {
    let mut text = String::new();
    loop {
        let Event::Key(key) = event::read().ok()? else { continue };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => break,
            // The end of a line that was typed ahead, before the terminal was raw.
            KeyCode::Char('j') if control => break,
            KeyCode::Char('c' | 'd') if control => return None,
            KeyCode::Char(c) => text.push(c),
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Esc => return None,
            _ => {}
        }
    }
    Some(text.trim().to_owned())
}

/// A terminal that shows nothing by itself, until this is dropped.
struct Raw;

impl Raw {
    fn enter() -> io::Result<Self> {
        enable_raw_mode().map(|()| Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
    }
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
