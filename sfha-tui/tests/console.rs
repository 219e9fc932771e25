//! The dashboard on a real terminal: what it takes, it gives back, and what is on it is what is meant.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use common::Fake;
use common::dialogue::heard;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A dashboard of the invented cluster on a terminal of its own.
struct Session {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    output: Receiver<Vec<u8>>,
    seen: String,
    /// What the terminal shows.
    screen: vt100::Parser,
}

impl Session {
    fn start(args: &[&str]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // No other child may inherit the master, or the terminal would never be gone.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock();
        let pty = openpty(&size, None).unwrap();
        fcntl(&pty.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        fcntl(&pty.slave, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        let slave = || pty.slave.try_clone().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sfha"))
            .args(args)
            .env_remove("NO_COLOR")
            .env_remove("SFHA_LANG")
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        let keyboard = File::from(pty.master);
        let output = heard(keyboard.try_clone().unwrap());
        Self {
            child,
            keyboard,
            terminal: pty.slave,
            output,
            seen: String::new(),
            screen: vt100::Parser::default(),
        }
    }

    /// Reads until `text` has been written since the last call.
    fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.hear(&bytes),
                Err(_) => panic!("{text:?} was not written; this was: {:?}", self.seen),
            }
        }
        let after = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..after);
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.seen.push_str(&String::from_utf8_lossy(bytes));
    }

    /// Reads until the screen is as wanted.
    fn see(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !wanted(&self.screen.screen().contents()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.hear(&bytes),
                Err(_) => panic!("{what} was not to be seen:\n{}", self.screen.screen().contents()),
            }
        }
    }

    /// Makes the terminal another size, and says so as a terminal does.
    fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open as long as `self`, and the kernel only reads the structure.
        let done = unsafe { libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0);
        self.screen.screen_mut().set_size(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap());
        // It has no controlling terminal that would do this.
        self.signal(Signal::SIGWINCH);
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Echo and line editing are off.
    fn raw(&self) -> bool {
        let flags = tcgetattr(self.terminal.as_fd()).unwrap().local_flags;
        !flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON)
    }

    fn end(mut self) -> ExitStatus {
        self.expect(LEAVE);
        self.expect("\x1b[?25h");
        let status = self.child.wait().unwrap();
        assert!(!self.raw(), "the terminal was left raw");
        status
    }

    /// Waits until it has stopped.
    fn stopped(&self) {
        let end = Instant::now() + PATIENCE;
        while self.state() != 'T' {
            assert!(Instant::now() < end, "it did not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// State of the process: `S`, `T`, …
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }
}

#[test]
fn a_key_leaves_and_the_terminal_is_as_before() {
    let mut session = Session::start(&["--demo"]);
    session.expect(ENTER);
    session.expect("Nœuds 3/3");
    assert!(session.raw());
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn keys_reach_the_cluster_and_its_answer_the_screen() {
    let mut session = Session::start(&["dashboard", "--demo", "--lang", "en"]);
    session.expect("Nodes 3/3");
    session.press("m");
    session.expect("Begin maintenance");
    session.expect("If a node fails");
    session.press("y");
    session.expect("hands off");
    session.press("\x03");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_as_before() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let mut session = Session::start(&["--demo"]);
        session.expect("Nœuds 3/3");
        session.signal(signal);
        let status = session.end();
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{signal}");
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_continues() {
    let mut session = Session::start(&["--demo"]);
    session.expect("Nœuds 3/3");
    session.press("\x1a");
    session.expect(LEAVE);
    session.stopped();
    assert!(!session.raw());
    session.signal(Signal::SIGCONT);
    session.expect(ENTER);
    session.expect("Nœuds 3/3");
    assert!(session.raw());
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
}

/// As `kill -TSTP` does it, or the terminal where it does not hand Ctrl-Z on.
#[test]
fn a_stop_from_outside_gives_the_terminal_back_too() {
    let mut session = Session::start(&["--demo"]);
    session.expect("Nœuds 3/3");
    for _ in 0..2 {
        session.signal(Signal::SIGTSTP);
        session.expect(LEAVE);
        session.stopped();
        assert!(!session.raw());
        session.signal(Signal::SIGCONT);
        session.expect(ENTER);
        session.expect("Nœuds 3/3");
        assert!(session.raw());
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.end().code(), Some(143));
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let mut session = Session::start(&["--demo"]);
    session.expect("Nœuds 3/3");
    let Session { mut child, keyboard, terminal, output, .. } = session;
    drop((keyboard, terminal, output));
    let end = Instant::now() + PATIENCE;
    // The thread that reads lets go of the terminal with the next frame. There is no signal: the child
    // is not the leader of a session.
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it did not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_terminal_of_another_size_is_filled() {
    let mut session = Session::start(&["--demo"]);
    session.see("the footer on line 24", |screen| {
        screen.lines().nth(23).is_some_and(|line| line.contains("quitter"))
    });
    session.resize(120, 40);
    session.see("the footer on line 40", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 40 && lines[39].contains("quitter") && !lines[23].contains("quitter")
    });
    session.see("titles of columns that had no room", |screen| screen.contains("INTERFACE"));
    session.resize(60, 20);
    session.see("the footer on line 20", |screen| {
        screen.lines().count() == 20 && screen.lines().nth(19).is_some_and(|line| line.contains("quitter"))
    });
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_click_is_as_good_as_a_key() {
    let mut session = Session::start(&["--demo"]);
    session.expect("\x1b[?1000h\x1b[?1006h");
    session.see("the overview", |screen| screen.contains("Nœuds 3/3"));
    // Column 25, line 2: « 3 Ressources ».
    session.press("\x1b[<0;25;2M\x1b[<0;25;2m");
    session.see("the resources", |screen| screen.contains("Pourquoi"));
    session.press("q");
    session.expect("\x1b[?1006l\x1b[?1000l");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_connection_that_is_lost_is_told_and_comes_back() {
    let status: serde_json::Value = serde_json::from_str(include_str!("fixtures/healthy.json")).unwrap();
    let happened = |id: u64, node: &str| {
        let time = format!("2026-11-23T10:00:{id:02}Z");
        serde_json::json!({"id": id, "time": time, "kind": "node-lost", "level": "critical", "seen_by": "node1",
                           "node": node, "chain": id})
    };
    let times = std::sync::atomic::AtomicU32::new(0);
    let fake = Fake::start(move |request| {
        let mut answers = common::result(request, serde_json::json!({}));
        let after = request["params"]["after"].as_u64();
        match (request["method"].as_str().unwrap(), after) {
            ("history", _) => {
                let events = [happened(1, "before")];
                answers =
                    common::result(request, serde_json::json!({"schema": 1, "events": events, "dropped": 0}));
            }
            // Until the connection is lost; then one that was missed.
            ("subscribe", Some(after)) => {
                if times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                    answers.push(serde_json::json!({"pause_ms": 300}));
                    answers.push(serde_json::Value::Null);
                } else {
                    assert_eq!(after, 1);
                    answers.push(
                        serde_json::json!({"event": "history", "seq": 1, "data": happened(2, "missed")}),
                    );
                }
            }
            ("subscribe", None) => {
                answers.push(serde_json::json!({"event": "status", "seq": 1, "data": status}));
            }
            _ => {}
        }
        answers
    });
    let mut session = Session::start(&["--socket", fake.socket().to_str().unwrap()]);
    session.see("the cluster", |screen| screen.contains("en direct") && screen.contains("Nœuds 3/3"));
    session.press("6");
    session.see("the past", |screen| screen.contains("before ne répond plus"));
    session.see("the loss", |screen| screen.contains("connexion perdue") && screen.contains("before"));
    session.see("the return", |screen| {
        let once = |text: &str| screen.matches(text).count() == 1;
        screen.contains("en direct") && screen.contains("rétablie") && once("before") && once("missed")
    });
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_theme_is_taken_from_flag_and_environment_and_a_wrong_one_refused() {
    // The background of the dark one, as it is written.
    let dark = "48;2;17;21;28";
    let mut session = Session::start(&["--demo", "--theme", "dark"]);
    session.expect(dark);
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
    let output =
        Command::new(env!("CARGO_BIN_EXE_sfha")).args(["--demo", "--theme", "neon"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
