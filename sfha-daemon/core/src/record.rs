//! What a core was told and what it asked for, as JSON lines; and telling it to a fresh one again.
//!
//! The core has no clock, no randomness and no other input than its events: told the same at the same times, it
//! must ask for the same, byte for byte. The daemon and the simulation write such logs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::cluster::{Cluster, Settings};
use crate::event::Event;
use crate::state::ClusterState;
use crate::time::Time;

/// Version of the form of a log.
pub const FORMAT: u32 = 1;

/// First line: what the process started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// [`FORMAT`].
    pub format: u32,
    /// What o'clock it was at time 0, in seconds since 1970: for people, the core never knew it.
    pub began: i64,
    /// What the core was made with.
    pub settings: Settings,
    /// What its disk said.
    pub state: ClusterState,
}

/// Every other line: an event and what followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Microseconds since time 0.
    pub at: u64,
    /// What the core was told.
    pub event: Event,
    /// What it asked for, in order.
    pub actions: Vec<Value>,
}

/// All lines of one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The first line.
    pub start: Start,
    /// The others.
    pub turns: Vec<Turn>,
    /// The last line was not written to its end: the process ended meanwhile. It is left out.
    pub cut: bool,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// This line, counted from 1, is not what it should be.
    #[error("line {line}: {cause}")]
    Line {
        /// Its number.
        line: usize,
        /// What serde says.
        cause: serde_json::Error,
    },
    /// There is no first line.
    #[error("there is no first line")]
    Empty,
    /// It is of another version of the program, and of another form.
    #[error("this log has the form {0}, and this program reads the form {FORMAT}")]
    Format(u32),
}

/// The first turn in which a fresh core asks for something else.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[error("line {line} at {at} µs: told {event:?}, it asked for {recorded:#?} and now for {replayed:#?}")]
pub struct Difference {
    /// Line of the log, from 1.
    pub line: usize,
    /// Microseconds since time 0.
    pub at: u64,
    /// What the core was told.
    pub event: Box<Event>,
    /// The first action that differs, as it was recorded; `None`: there was none.
    pub recorded: Option<Value>,
    /// The same as it is now.
    pub replayed: Option<Value>,
    /// How many actions of this turn came before it and are the same.
    pub same: usize,
}

impl Turn {
    /// What was told and what followed.
    #[must_use]
    pub fn new(at: Time, event: Event, actions: &[Action]) -> Self {
        Self { at: at.as_micros(), event, actions: actions.iter().map(written).collect() }
    }
}

/// An action as it is written. What cannot be, which no action of ours is, says so: it is the same every time.
fn written(action: &Action) -> Value {
    serde_json::to_value(action).unwrap_or_else(|error| Value::String(error.to_string()))
}

/// One line of a log, with its end.
///
/// # Errors
/// Something that JSON cannot say.
pub fn line(part: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(part).map(|text| text + "\n")
}

impl Log {
    /// As JSON lines.
    ///
    /// # Errors
    /// Something that JSON cannot say.
    pub fn to_lines(&self) -> serde_json::Result<String> {
        let mut text = line(&self.start)?;
        for turn in &self.turns {
            text.push_str(&line(turn)?);
        }
        Ok(text)
    }

    /// From JSON lines.
    ///
    /// # Errors
    /// A line that does not read, or a log of another form.
    pub fn from_lines(text: &str) -> Result<Self, Unreadable> {
        let cut = !text.is_empty() && !text.ends_with('\n');
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = (1..).zip(whole.lines());
        let bad = |line: usize| move |cause| Unreadable::Line { line, cause };
        let (first, start) = lines.next().ok_or(Unreadable::Empty)?;
        // Of another form the rest of the line may be different.
        let form: Form = serde_json::from_str(start).map_err(bad(first))?;
        if form.format != FORMAT {
            return Err(Unreadable::Format(form.format));
        }
        let start = serde_json::from_str(start).map_err(bad(first))?;
        let turns = lines.map(|(number, line)| serde_json::from_str(line).map_err(bad(number)));
        Ok(Self { start, turns: turns.collect::<Result<_, _>>()?, cut })
    }
}

#[derive(Deserialize)]
struct Form {
    format: u32,
}

/// Tells a fresh core the same at the same times: it must ask for the same.
///
/// # Errors
/// The first turn in which it does not.
pub fn replay(log: &Log) -> Result<Cluster, Box<Difference>> {
    let mut core = Cluster::new(log.start.settings.clone(), log.start.state.clone());
    for (turn, line) in log.turns.iter().zip(2..) {
        let replayed = tell(&mut core, turn);
        if replayed != turn.actions {
            let pairs = replayed.iter().zip(&turn.actions);
            let same = pairs.take_while(|(replayed, recorded)| replayed == recorded).count();
            return Err(Box::new(Difference {
                line,
                at: turn.at,
                event: Box::new(turn.event.clone()),
                recorded: turn.actions.get(same).cloned(),
                replayed: replayed.get(same).cloned(),
                same,
            }));
        }
    }
    Ok(core)
}

/// The same log with the actions that a core asks for now: after a change of the decisions that is wanted.
#[must_use]
pub fn renew(log: &Log) -> Log {
    let mut core = Cluster::new(log.start.settings.clone(), log.start.state.clone());
    let renewed = |turn: &Turn| Turn { actions: tell(&mut core, turn), ..turn.clone() };
    Log { turns: log.turns.iter().map(renewed).collect(), ..log.clone() }
}

fn tell(core: &mut Cluster, turn: &Turn) -> Vec<Value> {
    core.handle_event(turn.event.clone(), Time::from_micros(turn.at));
    std::iter::from_fn(|| core.poll_action()).map(|action| written(&action)).collect()
}

#[cfg(test)]
mod tests;
