//! Writes down every event that the core receives, as JSON lines: a failure in the field becomes a test
//! by copying the file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sfha_core::{Event, Time};
use tracing::warn;

/// Size at which recording stops, in bytes.
const LIMIT: u64 = 256 * 1024 * 1024;

/// An open recording.
#[derive(Debug)]
pub struct Recorder {
    file: Option<File>,
    written: u64,
}

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self { file: Some(file), written: 0 })
    }

    /// Writes one event. A recording that fails ends; the daemon goes on.
    pub fn record(&mut self, now: Time, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let line = serde_json::json!({ "at": now.as_micros(), "event": event }).to_string() + "\n";
        self.written += line.len() as u64;
        let outcome = file.write_all(line.as_bytes());
        if self.written > LIMIT || outcome.is_err() {
            warn!(written = self.written, ?outcome, "recording ends");
            self.file = None;
        }
    }
}
