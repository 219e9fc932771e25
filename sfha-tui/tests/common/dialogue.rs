//! A command on a terminal: what it asks is answered as a person would.

use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// It is under way.
pub struct Dialogue<K> {
    child: Child,
    keyboard: K,
    output: Receiver<Vec<u8>>,
    all: String,
    /// How much of it was looked at.
    read: usize,
}

/// What comes from there, as it comes.
pub fn heard(mut screen: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, output) = channel();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = screen.read(&mut chunk) {
            if sender.send(chunk[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    output
}

impl<K: Write> Dialogue<K> {
    pub fn new(child: Child, keyboard: K, screen: impl Read + Send + 'static) -> Self {
        Self { child, keyboard, output: heard(screen), all: String::new(), read: 0 }
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
        (self.child.wait().unwrap().code().unwrap(), std::mem::take(&mut self.all))
    }
}

impl<K> Drop for Dialogue<K> {
    /// A test that failed leaves nobody waiting for an answer.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
