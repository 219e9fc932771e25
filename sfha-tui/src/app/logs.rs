//! The daemon's log in tui-logger: its buffer holds the lines, its widgets' state is kept here.
//!
//! tui-logger is fed by hand, without its background thread: that one wakes a hundred times a second.

use std::sync::Arc;

use log::{Level, Record};
use sfha_proto::message::LogLine;
use tui_logger::{Drain, TuiWidgetEvent, TuiWidgetState};

/// State of the widgets: which level of which target is shown, and where in the log one looks.
#[derive(Clone)]
pub struct Logs {
    state: Arc<TuiWidgetState>,
    /// Lines that came since the dashboard began.
    pub count: usize,
    /// The end is followed.
    pub following: bool,
    /// The targets are not shown.
    pub bare: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Self { state: Arc::new(TuiWidgetState::new()), count: 0, following: true, bare: false }
    }
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Logs {
    /// For the widgets.
    pub fn state(&self) -> &TuiWidgetState {
        &self.state
    }

    /// What a key means to the widgets.
    pub fn transition(&mut self, event: TuiWidgetEvent) {
        match event {
            TuiWidgetEvent::PrevPageKey => self.following = false,
            TuiWidgetEvent::EscapeKey => self.following = true,
            TuiWidgetEvent::HideKey => self.bare = !self.bare,
            _ => {}
        }
        self.state.transition(event);
    }
}

/// Puts a line into tui-logger's buffer. Its time, which is the daemon's, goes where tui-logger keeps the
/// name of a source file; [`crate::ui`] reads it from there.
pub fn record(line: &LogLine) {
    let level = match line.level.as_str() {
        "ERROR" => Level::Error,
        "WARN" => Level::Warn,
        "DEBUG" => Level::Debug,
        "TRACE" => Level::Trace,
        _ => Level::Info,
    };
    let target = line.target.rsplit("::").next().unwrap_or_default();
    let text = format_args!("{}", line.message);
    Drain::new()
        .log(&Record::builder().level(level).target(target).file(Some(&line.time)).args(text).build());
    tui_logger::move_events();
}

/// Everything that the daemon sends is kept: what is shown of it is decided in the dashboard.
pub fn prepare() {
    tui_logger::set_default_level(log::LevelFilter::Trace);
}
