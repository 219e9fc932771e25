//! What the callers want from the group's thread: messages to send, and to leave.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::wait::Wake;
use super::{ANSWER_DEADLINE, CorosyncError};

/// Most bytes that wait to be sent.
const MAX_QUEUED_BYTES: usize = 64 << 20;

#[derive(Debug)]
struct State {
    /// Whether a session is up that will send what is queued.
    open: bool,
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    leaving: bool,
    /// Whether the threads have ended for good.
    ended: bool,
    /// Told by being dropped, when the session has ended.
    waiting: Vec<oneshot::Sender<()>>,
    answer_deadline: Duration,
}

/// The one thing that callers and threads share.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Set when there is something in here for the group's (or the session's) thread.
    pub(super) wake: Wake,
}

impl Outbox {
    pub(super) fn new() -> io::Result<Self> {
        let state = State {
            open: false,
            queue: VecDeque::new(),
            bytes: 0,
            leaving: false,
            ended: false,
            waiting: Vec::new(),
            answer_deadline: ANSWER_DEADLINE,
        };
        Ok(Self { state: Mutex::new(state), wake: Wake::new()? })
    }

    /// Nothing that runs under this lock can panic half-way, so a poisoned state is a good one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, payload: Vec<u8>) -> Result<(), CorosyncError> {
        let mut state = self.state();
        if !state.open || state.leaving {
            return Err(CorosyncError::NotConnected);
        }
        if state.bytes + payload.len() > MAX_QUEUED_BYTES {
            return Err(CorosyncError::QueueFull { queued: state.bytes });
        }
        state.bytes += payload.len();
        state.queue.push_back(payload);
        drop(state);
        self.wake.wake();
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        let payload = state.queue.pop_front()?;
        state.bytes -= payload.len();
        Some(payload)
    }

    /// Asks the threads to leave and end; what is returned resolves (to an error) when they have.
    pub(super) fn leave(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.leaving = true;
        if !state.ended {
            state.waiting.push(sender);
        }
        drop(state);
        self.wake.wake();
        receiver
    }

    pub(super) fn leaving(&self) -> bool {
        self.state().leaving
    }

    pub(super) fn set_answer_deadline(&self, deadline: Duration) {
        self.state().answer_deadline = deadline;
    }

    pub(super) fn answer_deadline(&self) -> Duration {
        self.state().answer_deadline
    }

    pub(super) fn open(&self) {
        self.state().open = true;
    }

    /// Refuses further messages and returns how many were still queued.
    pub(super) fn close(&self) -> usize {
        let mut state = self.state();
        state.open = false;
        state.bytes = 0;
        std::mem::take(&mut state.queue).len()
    }

    /// Tells all who wait for the end that it has come.
    pub(super) fn ended(&self) {
        let mut state = self.state();
        state.ended = true;
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests;
