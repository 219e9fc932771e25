//! A program on a terminal of its own: keys in, its screen out.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The program, until it is dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    written: u64,
}

impl Terminal {
    /// Starts it on a terminal of that size.
    ///
    /// # Errors
    /// There is no terminal to be had, or no such program.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let (master, slave) = pair(columns, rows)?;
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        let child = command.spawn().context("the program on the terminal")?;
        // Its descriptors of the terminal's end go with it: only the program has them from now on.
        drop(command);
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone()?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(count @ 1..) = screen.read(&mut chunk) {
                if sender.send((Instant::now(), chunk[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        let size = |length| NonZeroU16::new(length).context("a terminal without lines or columns");
        let screen = vt100::Parser::new(size(rows)?, size(columns)?, 0);
        Ok(Self { child, keyboard, output, screen, written: 0 })
    }

    /// The process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is on the screen.
    #[must_use]
    pub fn shown(&self) -> String {
        self.screen.screen().contents()
    }

    /// Bytes that were written to the terminal so far, as far as they were read.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Reads what comes within that time.
    pub fn read_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self.read_until(end).is_some() {}
    }

    /// Reads until something comes; when that was.
    fn read_until(&mut self, end: Instant) -> Option<Instant> {
        match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((at, bytes)) => {
                self.written += bytes.len() as u64;
                self.screen.process(&bytes);
                Some(at)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Waits until all of that is on the screen at once; when it came.
    ///
    /// # Errors
    /// It did not come; the text has the screen.
    pub fn see(&mut self, wanted: &[&str], patience: Duration) -> Result<Instant> {
        self.wait(patience, |shown| wanted.iter().all(|text| shown.contains(text)))
            .with_context(|| format!("{wanted:?} was not to be seen"))
    }

    /// Waits until the screen is as wanted; when that was.
    ///
    /// # Errors
    /// It is not; the text has the screen.
    pub fn wait(&mut self, patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<Instant> {
        let end = Instant::now() + patience;
        let mut at = Instant::now();
        loop {
            let shown = self.shown();
            if wanted(&shown) {
                return Ok(at);
            }
            match self.read_until(end) {
                Some(came) => at = came,
                None => bail!("the screen:\n{shown}"),
            }
        }
    }

    /// Types.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Waits for its end; what it wrote last is read. The exit status.
    ///
    /// # Errors
    /// It does not end.
    pub fn end(mut self, patience: Duration) -> Result<Option<i32>> {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.read_for(Duration::from_millis(50));
                ensure!(!self.screen.screen().alternate_screen(), "the terminal was not given back");
                return Ok(status.code());
            }
            ensure!(Instant::now() < end, "it does not end:\n{}", self.shown());
            self.read_for(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends of a new terminal; no other program inherits them.
fn pair(columns: u16, rows: u16) -> Result<(OwnedFd, OwnedFd)> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: all pointers are to variables that live for the call, or null where openpty(3) allows it.
    let done = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    ensure!(done == 0, "openpty: {}", std::io::Error::last_os_error());
    for end in [master, slave] {
        // SAFETY: the descriptor is open, and F_SETFD takes a number.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: openpty has just opened them, for nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) })
}
