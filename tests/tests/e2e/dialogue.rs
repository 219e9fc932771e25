//! A command on a terminal inside a node, which `script` makes: what it asks is answered as a person would.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use sfha_tests::cluster::PATIENCE;
use sfha_tests::lab::Node;

/// It is under way.
pub struct Dialogue {
    child: Child,
    keyboard: ChildStdin,
    output: Receiver<Vec<u8>>,
    all: String,
    /// How much of it was looked at.
    read: usize,
}

impl Dialogue {
    pub fn start(node: &Node, line: &str) -> Self {
        let mut command = node.command(&["script", "-qefc", line, "/dev/null"]).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.env("TERM", "xterm").spawn().unwrap();
        let keyboard = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard, output, all: String::new(), read: 0 }
    }

    /// Reads on until this was written.
    pub fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.all[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.all.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} was not written after this:\n{}", &self.all[self.read..]),
            }
        }
    }

    /// Types an answer to that question.
    pub fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.keyboard.write_all(format!("{answer}\r").as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// The exit status, and everything that was on the terminal.
    pub fn end(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.all.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.all),
            }
        }
        (self.child.wait().unwrap().code().unwrap(), self.all)
    }
}
