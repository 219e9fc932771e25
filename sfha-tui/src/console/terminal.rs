//! The terminal, taken and always given back: at the end, on a panic, on a signal, on Ctrl-Z.

use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{ExecutableCommand, QueueableCommand};
use nix::sys::signal::{Signal, raise};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// Clicks and the wheel, with positions beyond column 223; not every movement, which would come over the
/// wire for nothing.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The screen while the dashboard has it.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        take()?;
        match Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws one frame.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Forgets what is on the screen, so that the next frame is drawn whole.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: it asks the terminal for the cursor and waits for an answer, which the
        // reader of the keys may take away.
        io::stdout().execute(Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }

    /// Puts a text into the terminal's clipboard (OSC 52); a terminal that does not know it ignores it.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        write!(stdout, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        stdout.flush()
    }

    /// Gives the terminal back, stops, and takes it again when continued.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // SIGTSTP is handled by the console, so it would not stop.
        raise(Signal::SIGSTOP)?;
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut stdout = io::stdout();
    stdout.execute(EnterAlternateScreen)?.execute(Hide)?;
    stdout.write_all(MOUSE_ON.as_bytes())?;
    stdout.flush()
}

/// Can be called at any time and more than once; a terminal that is gone is no error.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut stdout = io::stdout();
    let _ = stdout.write_all(MOUSE_OFF.as_bytes());
    let _ = stdout.queue(LeaveAlternateScreen).and_then(|out| out.queue(Show)).and_then(|out| out.flush());
    let _ = disable_raw_mode();
}
