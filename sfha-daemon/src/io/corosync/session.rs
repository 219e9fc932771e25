//! One connection after the other: open, run a thread per handle, report the loss, open again.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rust_corosync::CsError;
use tokio::sync::mpsc::UnboundedSender;

use super::group::Group;
use super::outbox::Outbox;
use super::quorum::Quorum;
use super::votes::Votes;
use super::wait::{self, Wake};
use super::{CorosyncError, CorosyncEvent, Member, PROBE_INTERVAL};

/// Pause before the first try to connect again; doubled after every failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between two tries.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long the group's thread may take to end after another one has.
const END_DEADLINE: Duration = Duration::from_millis(200);

/// Dispatching takes a buffer of 1 MiB from the stack (`IPC_DISPATCH_SIZE` in Corosync's libraries).
pub(super) const STACK_BYTES: usize = 4 << 20;

/// Where a thread says what it was told.
pub(super) type Emit<'a> = &'a dyn Fn(CorosyncEvent);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("connection to corosync lost ({service}: {error})")]
    Library { service: &'static str, error: CsError },
    #[error("corosync does not answer ({0})")]
    Deadline(&'static str),
    #[error("cannot wait for corosync: {0}")]
    Poll(io::Error),
    #[error("the {service} thread panicked: {message}")]
    Panicked { service: &'static str, message: String },
    #[error("{0}")]
    Thread(CorosyncError),
}

impl Lost {
    pub(super) fn library(service: &'static str, error: CsError) -> Self {
        Self::Library { service, error }
    }

    pub(super) fn deadline(service: &'static str) -> Self {
        Self::Deadline(service)
    }

    pub(super) fn poll(error: io::Error) -> Self {
        Self::Poll(error)
    }
}

/// When Corosync was asked something that it has not answered.
#[derive(Debug, Default)]
pub(super) struct Probe(Mutex<Option<Instant>>);

impl Probe {
    fn set(&self, asked: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// Runs a request that waits for its answer without a time-out.
    pub(super) fn ask<T>(&self, request: impl FnOnce() -> T) -> T {
        self.set(Some(Instant::now()));
        let answer = request();
        self.set(None);
        answer
    }

    fn unanswered_for(&self) -> Duration {
        let asked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.map_or(Duration::ZERO, |asked| asked.elapsed())
    }
}

/// The way to the event channel for the threads of one session. A thread that hangs in a request may outlive its
/// session; what it says then is about the past.
struct Gate {
    open: Mutex<bool>,
    events: UnboundedSender<CorosyncEvent>,
}

impl Gate {
    fn emit(&self, event: CorosyncEvent) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if *open {
            // Nobody listens any more: the owner is about to be dropped.
            let _ = self.events.send(event);
        }
    }

    fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// How a thread ended, and, of the group's thread, how many messages it leaves undelivered.
struct End {
    result: Result<(), Lost>,
    undelivered: Option<usize>,
}

/// Starts the thread that keeps a session open.
pub(super) fn spawn(
    group: String,
    outbox: Arc<Outbox>,
    events: UnboundedSender<CorosyncEvent>,
) -> Result<(), CorosyncError> {
    start_thread("corosync-main", move || {
        let caught = catch_unwind(AssertUnwindSafe(|| supervise(&group, &outbox, &events)));
        if let Err(payload) = caught {
            let error = Lost::Panicked { service: "main", message: message(payload.as_ref()) }.to_string();
            let _ = events.send(CorosyncEvent::Disconnected { error, undelivered: outbox.close() });
        }
        outbox.ended();
    })
}

pub(super) fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), CorosyncError> {
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    builder.spawn(run).map(drop).map_err(CorosyncError::system("start a thread"))
}

fn supervise(group: &str, outbox: &Arc<Outbox>, events: &UnboundedSender<CorosyncEvent>) {
    let mut pause = FIRST_PAUSE;
    let mut reported = false;
    loop {
        let (error, undelivered) = match Session::open(group) {
            Ok(session) => {
                (pause, reported) = (FIRST_PAUSE, false);
                outbox.open();
                let _ = events.send(CorosyncEvent::Connected { local: session.local() });
                let (result, undelivered) = session.run(outbox, events);
                (result.err().map(|lost| lost.to_string()), undelivered + outbox.close())
            }
            Err(error) => (Some(chain(&error)), 0),
        };
        outbox.wake.clear();
        if outbox.leaving() {
            return;
        }
        let error = error.unwrap_or_else(|| "session ended".to_owned());
        if !reported {
            tracing::warn!(error, undelivered, "no connection to corosync");
            let _ = events.send(CorosyncEvent::Disconnected { error, undelivered });
            reported = true;
        }
        if let Err(error) = wait::wait(&[&outbox.wake], pause) {
            tracing::error!(%error, "cannot wait");
            thread::sleep(pause);
        }
        if outbox.leaving() {
            return;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// All handles, open.
struct Session {
    quorum: Quorum,
    votes: Votes,
    group: Group,
}

impl Session {
    /// Joining comes last: who is in the group is known to have the rest.
    fn open(group: &str) -> Result<Self, CorosyncError> {
        let quorum = Quorum::open()?;
        let votes = Votes::open()?;
        let group = Group::join(group)?;
        Ok(Self { quorum, votes, group })
    }

    fn local(&self) -> Member {
        self.group.local
    }

    /// Runs the threads until the first one ends, then ends the others.
    ///
    /// Returns how the first one ended and how many messages are left undelivered.
    fn run(self, outbox: &Arc<Outbox>, events: &UnboundedSender<CorosyncEvent>) -> (Result<(), Lost>, usize) {
        let Self { quorum, votes, group } = self;
        let node = group.local.node;
        let gate = Arc::new(Gate { open: Mutex::new(true), events: events.clone() });
        let stop = match Wake::new() {
            Ok(stop) => Arc::new(stop),
            Err(error) => return (Err(Lost::Poll(error)), 0),
        };
        let probe = Arc::new(Probe::default());
        let (ended, ends) = mpsc::channel();

        let threads = Threads { gate: Arc::clone(&gate), stop: Arc::clone(&stop), ended };
        let (asked, shared) = (Arc::clone(&probe), Arc::clone(outbox));
        let started = threads
            .start("quorum", quorum, |quorum, emit, stop| quorum.run(emit, stop), |_| None)
            .and_then(|()| {
                let run =
                    move |votes: &mut Votes, emit: Emit<'_>, stop: &Wake| votes.run(node, emit, stop, &asked);
                threads.start("votes", votes, run, |_| None)
            })
            .and_then(|()| {
                let run =
                    move |group: &mut Group, emit: Emit<'_>, stop: &Wake| group.run(&shared, emit, stop);
                threads.start("cpg", group, run, |group| Some(group.undelivered()))
            });
        let first = match started {
            Ok(()) => first_end(&ends, &probe, outbox),
            Err(error) => End { result: Err(Lost::Thread(error)), undelivered: None },
        };
        stop.wake();
        // The group's thread never waits for an answer, so it ends at once. The others are not waited for: they may be
        // in a request that Corosync never answers.
        let deadline = Instant::now() + END_DEADLINE;
        let mut undelivered = first.undelivered;
        while undelivered.is_none() {
            match ends.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(end) => undelivered = end.undelivered,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        gate.close();
        (first.result, undelivered.unwrap_or(0))
    }
}

fn first_end(ends: &mpsc::Receiver<End>, probe: &Probe, outbox: &Outbox) -> End {
    loop {
        let wait = next_look(probe.unanswered_for(), outbox.answer_deadline());
        match wait.map(|wait| ends.recv_timeout(wait)) {
            Some(Ok(end)) => return end,
            Some(Err(RecvTimeoutError::Timeout)) => {}
            None | Some(Err(RecvTimeoutError::Disconnected)) => {
                return End { result: Err(Lost::Deadline("votequorum")), undelivered: None };
            }
        }
    }
}

/// When to look again whether Corosync has answered; `None` when it is over. A look must not come later than the
/// deadline: others take over what this node has when they have missed its Corosync.
fn next_look(unanswered: Duration, deadline: Duration) -> Option<Duration> {
    let left = deadline.checked_sub(unanswered).filter(|left| !left.is_zero())?;
    Some(left.min(PROBE_INTERVAL))
}

/// What every thread of a session gets.
struct Threads {
    gate: Arc<Gate>,
    stop: Arc<Wake>,
    ended: mpsc::Sender<End>,
}

impl Threads {
    fn start<T: Send + 'static>(
        &self,
        service: &'static str,
        mut handle: T,
        run: impl FnOnce(&mut T, Emit<'_>, &Wake) -> Result<(), Lost> + Send + 'static,
        undelivered: fn(&T) -> Option<usize>,
    ) -> Result<(), CorosyncError> {
        let (gate, stop, ended) = (Arc::clone(&self.gate), Arc::clone(&self.stop), self.ended.clone());
        start_thread(&format!("corosync-{service}"), move || {
            let caught =
                catch_unwind(AssertUnwindSafe(|| run(&mut handle, &|event| gate.emit(event), &stop)));
            let result = caught.unwrap_or_else(|payload| {
                Err(Lost::Panicked { service, message: message(payload.as_ref()) })
            });
            let _ = ended.send(End { result, undelivered: undelivered(&handle) });
            // Only now: closing the handle is a request too, which a stuck Corosync does not answer.
            drop(handle);
        })
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
