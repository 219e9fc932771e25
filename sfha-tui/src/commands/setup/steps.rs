//! The steps of a long command on standard error: one line each, with the time it took.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use sfha_proto::message::Step;
use tokio::time::Instant;
use unicode_width::UnicodeWidthStr;

use crate::format;
use crate::paint::Paint;
use crate::words::{self, Tone};

/// Width of the column of names.
const NAME: usize = 48;

/// What has been told so far.
pub struct Steps {
    paint: Paint,
    /// A line can be rewritten.
    live: bool,
    sink: RefCell<Box<dyn Write>>,
    current: RefCell<Option<(String, Instant)>>,
}

impl Steps {
    /// Told on standard error.
    pub fn stderr() -> Self {
        Self::new(Paint::stderr(), io::stderr().is_terminal(), Box::new(io::stderr()))
    }

    /// Told to `sink`.
    pub fn new(paint: Paint, live: bool, sink: Box<dyn Write>) -> Self {
        Self { paint, live, sink: RefCell::new(sink), current: RefCell::new(None) }
    }

    /// A step of the protocol begins.
    pub fn begin(&self, step: Step) {
        self.note(&words::step(step));
    }

    /// Something begins: what went before is done.
    pub fn note(&self, name: &str) {
        if self.current.borrow().as_ref().is_some_and(|(current, _)| current == name) {
            return;
        }
        self.finish(Tone::Good);
        if self.live {
            self.write(&format!("{} {name} ", self.paint.mark(Tone::Dim)));
        }
        *self.current.borrow_mut() = Some((name.to_owned(), Instant::now()));
    }

    /// All is over.
    pub fn end(&self, well: bool) {
        self.finish(if well { Tone::Good } else { Tone::Bad });
    }

    fn finish(&self, tone: Tone) {
        let Some((name, since)) = self.current.borrow_mut().take() else { return };
        let took = format::millis(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        let pad = " ".repeat(NAME.saturating_sub(name.width()).max(1));
        let took = format!("{took:>8}");
        let back = if self.live { "\r" } else { "" };
        self.write(&format!(
            "{back}{} {name}{pad}{}\n",
            self.paint.mark(tone),
            self.paint.tone(Tone::Dim, &took)
        ));
    }

    fn write(&self, text: &str) {
        let mut sink = self.sink.borrow_mut();
        let _ = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    }
}
