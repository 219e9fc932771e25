//! What a core was told, as JSON lines; and telling it to a fresh one again.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sfha_core::{Cluster, ClusterState, Event, NodeId, Settings, Time};

/// First line: what the process started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// The node.
    pub me: NodeId,
    /// Version of the program.
    pub program: String,
    /// As in the core's settings, in milliseconds.
    pub node_lost_delay_ms: u64,
    /// As in the core's settings, in milliseconds.
    pub daemon_lost_delay_ms: u64,
    /// As in the core's settings.
    #[serde(default)]
    pub unit_margin_ms: u64,
    /// What its disk said.
    pub state: ClusterState,
}

/// Every other line: an event and what followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Turn {
    /// Microseconds since some start.
    pub at: u64,
    /// What the core was told.
    pub event: Event,
    /// What it asked for, in Rust's debug form.
    pub actions: Vec<String>,
}

/// All lines of one process.
#[derive(Debug, Clone)]
pub struct Log {
    /// The first line.
    pub start: Start,
    /// The others.
    pub turns: Vec<Turn>,
}

impl Log {
    /// As JSON lines.
    ///
    /// # Errors
    /// An event that cannot be written.
    pub fn to_lines(&self) -> anyhow::Result<String> {
        let mut text = serde_json::to_string(&self.start)?;
        for turn in &self.turns {
            write!(text, "\n{}", serde_json::to_string(turn)?)?;
        }
        text.push('\n');
        Ok(text)
    }

    /// From JSON lines.
    ///
    /// # Errors
    /// A line that does not read.
    pub fn from_lines(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let start = serde_json::from_str(lines.next().context("no first line")?)?;
        let turns = lines
            .enumerate()
            .map(|(index, line)| serde_json::from_str(line).with_context(|| format!("line {}", index + 2)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { start, turns })
    }

    /// From a file of JSON lines.
    ///
    /// # Errors
    /// A file or line that does not read.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        Self::from_lines(&std::fs::read_to_string(path).with_context(|| path.display().to_string())?)
    }
}

/// Tells a fresh core the same at the same times: it must ask for the same.
///
/// # Errors
/// The first turn in which it does not.
pub fn replay(log: &Log) -> anyhow::Result<Cluster> {
    let settings = Settings {
        me: log.start.me,
        program: log.start.program.clone(),
        node_lost_delay: Duration::from_millis(log.start.node_lost_delay_ms),
        daemon_lost_delay: Duration::from_millis(log.start.daemon_lost_delay_ms),
        unit_margin: Duration::from_millis(log.start.unit_margin_ms),
    };
    let mut core = Cluster::new(settings, log.start.state.clone());
    for (index, turn) in log.turns.iter().enumerate() {
        core.handle_event(turn.event.clone(), Time::from_micros(turn.at));
        let actions: Vec<String> =
            std::iter::from_fn(|| core.poll_action()).map(|action| format!("{action:?}")).collect();
        ensure!(
            actions == turn.actions,
            "turn {index} at {} ({:?}): recorded {:#?}, replayed {actions:#?}",
            turn.at,
            turn.event,
            turn.actions
        );
    }
    Ok(core)
}
