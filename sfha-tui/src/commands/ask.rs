//! Questions to the operator.

use std::io::{self, BufRead, IsTerminal, Read, Write};

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
    if is_yes(&line().unwrap_or_default()) { Ok(()) } else { Err(cancelled()) }
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
    if line().unwrap_or_default() == name { Ok(()) } else { Err(cancelled()) }
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

fn cancelled() -> Problem {
    Problem::local("cancelled", 1, t!("cancelled"), None)
}

/// An answer that nobody sees.
///
/// The terminal shows nothing any more before the question is there: whoever pastes as soon as it is would
/// see the secret otherwise.
///
/// # Errors
/// `cancelled` when it was broken off, or the terminal is gone.
pub fn secret(question: &str) -> Result<String, Problem> {
    let raw = Raw::enter().map_err(|_| cancelled())?;
    prompt(&format!("{question} "));
    let text = hidden_line();
    drop(raw);
    prompt("\n");
    text.ok_or_else(cancelled)
}

/// One line of a terminal that is raw; `None` when it was broken off, or the terminal is gone.
fn hidden_line() -> Option<String> {
    let mut text = Vec::new();
    for byte in io::stdin().lock().bytes() {
        match byte.ok()? {
            // A line feed ends what was typed ahead, before the terminal was raw.
            b'\r' | b'\n' => return String::from_utf8(text).ok().map(|text| text.trim().to_owned()),
            CTRL_C | CTRL_D | ESCAPE => return None,
            BACKSPACE | DELETE => {
                // All bytes of the last letter.
                while text.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            byte => text.push(byte),
        }
    }
    None
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ESCAPE: u8 = 0x1B;
const DELETE: u8 = 0x7F;

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
