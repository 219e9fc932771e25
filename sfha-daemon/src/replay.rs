//! `sfhad replay`: tells the decisions of this program what a recording says, and prints the first difference.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::json;
use sfha_core::record::{Log, replay};

/// Prints one JSON document: of which node and version the recording is, how many turns it has, and in which a core
/// asked for something else than it did then (`null`: in none).
///
/// # Errors
/// A file that does not read; a difference.
pub fn run(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let log = Log::from_lines(&text).with_context(|| file.display().to_string())?;
    let difference = replay(&log).err();
    let document = json!({
        "node": log.start.state.node_name(log.start.settings.me),
        "recorded_by": log.start.settings.program,
        "replayed_by": env!("CARGO_PKG_VERSION"),
        "began": log.start.began,
        "turns": log.turns.len(),
        "cut": log.cut,
        "difference": difference,
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{document:#}").and_then(|()| stdout.flush()).context("standard output")?;
    match difference {
        Some(difference) => bail!("line {} of {} does not replay", difference.line, file.display()),
        None => Ok(()),
    }
}
