//! The daemon's log, for consoles that watch: a tracing layer that broadcasts lines.

use std::fmt::Write as _;

use sfha_proto::message::LogLine;
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that a slow console may be behind; older ones are dropped for it.
const BACKLOG: usize = 256;

/// Longest line, in bytes.
const MAX_TEXT: usize = 4096;

/// The feed: a layer for tracing, and what consoles subscribe to.
#[derive(Debug, Clone)]
pub struct LogFeed {
    lines: broadcast::Sender<LogLine>,
}

impl Default for LogFeed {
    fn default() -> Self {
        Self { lines: broadcast::channel(BACKLOG).0 }
    }
}

impl LogFeed {
    /// Lines from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LogLine> {
        self.lines.subscribe()
    }
}

impl<S: Subscriber> Layer<S> for LogFeed {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.lines.receiver_count() == 0 {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let mut message = text.message + &text.fields;
        if message.len() > MAX_TEXT {
            let end = (0..=MAX_TEXT).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
        }
        let line = LogLine {
            time: jiff::Timestamp::now().to_string(),
            level: event.metadata().level().to_string(),
            target: event.metadata().target().to_owned(),
            message,
        };
        // Nobody listens: nothing to do.
        let _ = self.lines.send(line);
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
