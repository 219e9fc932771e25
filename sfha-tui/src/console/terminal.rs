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

    /// Draws one frame. Fails when a panic beside the dashboard has given the terminal back: nothing is drawn over
    /// what it said.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("a part of the dashboard has panicked"));
        }
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::process::Command;

    use nix::pty::openpty;
    use nix::sys::termios::{LocalFlags, tcgetattr};

    use super::*;

    /// Not a test by itself: what the next one runs in a process with a terminal.
    #[test]
    #[ignore = "run by the test below"]
    fn takes_the_terminal_and_panics() {
        let mut screen = Screen::enter().unwrap();
        screen.draw(|_| {}).unwrap();
        // As a task beside the dashboard would.
        let _ = std::thread::spawn(|| panic!("on purpose")).join();
        assert!(screen.draw(|_| panic!("drawn over it")).is_err());
        panic!("on purpose, too");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let pty = openpty(None, None).unwrap();
        let slave = || pty.slave.try_clone().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "console::terminal::tests::takes_the_terminal_and_panics",
                "--ignored",
                "--nocapture",
            ])
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        let mut master = std::fs::File::from(pty.master);
        // The slave stays open: what was written is read up to the last words.
        let (mut written, mut chunk) = (Vec::new(), [0; 4096]);
        let text = |written: &[u8]| String::from_utf8_lossy(written).into_owned();
        while !text(&written).contains("1 failed") {
            let count = master.read(&mut chunk).unwrap();
            assert!(count > 0, "{}", text(&written));
            written.extend_from_slice(&chunk[..count]);
        }
        assert!(!child.wait().unwrap().success());
        let text = text(&written);
        let (taken, rest) = text.split_once("\x1b[?1049h").unwrap();
        assert!(!taken.contains("on purpose"));
        let (before, after) = rest.split_once("\x1b[?1049l").unwrap();
        assert!(!before.contains("on purpose") && after.contains("on purpose, too"), "{text:?}");
        assert!(!after.contains("drawn over it"), "{text:?}");
        assert!(before.contains("\x1b[?1000l") && after.contains("\x1b[?25h"), "{text:?}");
        let flags = tcgetattr(pty.slave.as_fd()).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON), "the terminal was left raw");
    }
}
