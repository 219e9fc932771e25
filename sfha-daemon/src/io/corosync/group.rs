//! The thread of the group: everything that is asked of CPG is asked here, so nothing needs a lock.

use std::time::{Duration, Instant};

use rust_corosync::CsError;

use super::ffi::{Callback, Cpg};
use super::fragment::{Incoming, Outgoing};
use super::outbox::Outbox;
use super::session::{Emit, Lost};
use super::wait::{IpcFd, Wake};
use super::{CorosyncError, CorosyncEvent, Member, RingId};

/// Pause before Corosync is offered a frame again that it had no room for.
const RETRY_SEND: Duration = Duration::from_millis(2);

/// Pause before joining is tried again while Corosync is busy with a membership change.
const RETRY_JOIN: Duration = Duration::from_millis(10);

/// How long joining is tried.
const JOIN_DEADLINE: Duration = Duration::from_secs(2);

/// How long leaving may take, with everything that is still to be sent.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// Callbacks in one go before frames of our own are sent in between.
const DISPATCH_BATCH: usize = 64;

/// A joined group.
pub(super) struct Group {
    cpg: Cpg,
    fd: IpcFd,
    name: String,
    pub(super) local: Member,
    /// The ring as of the last callback. Known from joining on.
    ring: Option<RingId>,
    joined: bool,
    left: bool,
    incoming: Incoming,
    outgoing: Outgoing,
}

/// What became of trying to send.
enum Pump {
    /// Nothing more to send now.
    Dry,
    /// Corosync has no room at the moment.
    Blocked,
}

impl Group {
    /// Connects and joins.
    pub(super) fn join(name: &str) -> Result<Self, CorosyncError> {
        let cpg = Cpg::open().map_err(CorosyncError::refused("open cpg"))?;
        let fd = cpg.fd().map_err(CorosyncError::refused("open cpg"))?;
        let node = cpg.local_node().map_err(CorosyncError::refused("ask cpg for the node id"))?;
        let deadline = Instant::now() + JOIN_DEADLINE;
        loop {
            match cpg.join(name) {
                Ok(()) => break,
                Err(CsError::CsErrTryAgain) if Instant::now() < deadline => std::thread::sleep(RETRY_JOIN),
                Err(source) => return Err(CorosyncError::Refused { action: "join the group", source }),
            }
        }
        // The same call by which libcpg names this process to the others.
        let local = Member { node, pid: std::process::id() };
        Ok(Self {
            cpg,
            fd,
            name: name.to_owned(),
            local,
            ring: None,
            joined: false,
            left: false,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
        })
    }

    /// Messages that were taken from the outbox and have not come back.
    pub(super) fn undelivered(&self) -> usize {
        self.outgoing.undelivered()
    }

    /// Passes on what comes and sends what is queued, until `stop` is set, the outbox asks to leave, or Corosync is
    /// lost.
    pub(super) fn run(&mut self, outbox: &Outbox, emit: Emit<'_>, stop: &Wake) -> Result<(), Lost> {
        loop {
            outbox.wake.clear();
            if outbox.leaving() {
                return self.leave(outbox, emit);
            }
            let more = self.dispatch(emit)?;
            let timeout = match (more, self.pump(outbox)?) {
                (true, _) => Some(Duration::ZERO),
                (false, Pump::Blocked) => Some(RETRY_SEND),
                (false, Pump::Dry) => None,
            };
            self.fd.wait(&[stop, &outbox.wake], timeout).map_err(Lost::poll)?;
            if stop.is_set() {
                return Ok(());
            }
        }
    }

    /// Takes up to a batch of callbacks; tells whether there may be more.
    fn dispatch(&mut self, emit: Emit<'_>) -> Result<bool, Lost> {
        for _ in 0..DISPATCH_BATCH {
            let callbacks = match self.cpg.dispatch() {
                Ok(callbacks) => callbacks,
                Err(CsError::CsErrTryAgain) => return Ok(false),
                Err(error) => return Err(Lost::library("cpg", error)),
            };
            for callback in callbacks {
                if let Some(event) = self.translate(callback) {
                    emit(event);
                }
            }
        }
        Ok(true)
    }

    fn translate(&mut self, callback: Callback) -> Option<CorosyncEvent> {
        match callback {
            Callback::Deliver { from, frame } => {
                if from == self.local {
                    self.outgoing.came_back();
                }
                let complete = match self.incoming.frame(from, self.ring?, &frame) {
                    Ok(complete) => complete?,
                    Err(error) => {
                        tracing::warn!(node = from.node, pid = from.pid, %error, "group message dropped");
                        return None;
                    }
                };
                if from == self.local {
                    self.outgoing.delivered(complete.id);
                }
                Some(CorosyncEvent::Message { from, payload: complete.payload })
            }
            Callback::Members { mut members, left, joined } => {
                members.sort_unstable();
                for (member, _) in &left {
                    self.incoming.forget(*member);
                }
                if !joined.is_empty() && self.incoming.forget_all(self.local) {
                    self.outgoing.restart();
                }
                self.joined |= members.contains(&self.local);
                self.left |= left.iter().any(|(member, _)| *member == self.local);
                Some(CorosyncEvent::Membership { members, left, joined })
            }
            Callback::Ring { ring, mut members } => {
                let known = self.ring.replace(ring);
                if known.is_some_and(|known| known != ring) {
                    self.incoming.forget_all(self.local);
                    self.outgoing.new_ring();
                }
                members.sort_unstable();
                // The first one is the ring that exists at joining.
                let news = self.joined && known.is_some_and(|known| known != ring);
                news.then_some(CorosyncEvent::Ring { ring, members })
            }
        }
    }

    fn pump(&mut self, outbox: &Outbox) -> Result<Pump, Lost> {
        loop {
            if self.outgoing.is_free()
                && let Some(payload) = outbox.pop()
            {
                self.outgoing.load(payload);
            }
            let frame = self.ring.and_then(|ring| self.outgoing.frame(ring));
            let Some(frame) = frame else { return Ok(Pump::Dry) };
            match self.cpg.multicast(&frame) {
                Ok(()) => self.outgoing.sent(),
                Err(CsError::CsErrTryAgain) => return Ok(Pump::Blocked),
                Err(error) => return Err(Lost::library("cpg", error)),
            }
        }
    }

    /// Sends one message and waits until it has come back.
    pub(super) fn send_and_wait(&mut self, payload: Vec<u8>, deadline: Instant) -> Result<(), Lost> {
        let outbox = Outbox::new().map_err(Lost::poll)?;
        self.outgoing.load(payload);
        while self.undelivered() > 0 {
            self.turn(&outbox, deadline, &drop)?;
        }
        Ok(())
    }

    /// Sends the rest, leaves, and waits until the others know.
    fn leave(&mut self, outbox: &Outbox, emit: Emit<'_>) -> Result<(), Lost> {
        let deadline = Instant::now() + LEAVE_DEADLINE;
        let mut queued = true;
        while queued || self.undelivered() > 0 {
            queued = !matches!(self.turn(outbox, deadline, emit)?, Pump::Dry);
        }
        self.leave_now(deadline, emit)
    }

    /// Leaves, and waits until that has taken its place in the order.
    pub(super) fn leave_now(&mut self, deadline: Instant, emit: Emit<'_>) -> Result<(), Lost> {
        let outbox = Outbox::new().map_err(Lost::poll)?;
        let mut asked = false;
        while !self.left {
            if !asked {
                match self.cpg.leave(&self.name) {
                    Ok(()) => asked = true,
                    Err(CsError::CsErrTryAgain) => {}
                    Err(error) => return Err(Lost::library("cpg", error)),
                }
            }
            self.turn(&outbox, deadline, emit)?;
        }
        Ok(())
    }

    /// Dispatches, sends and waits a moment, in a loop of the caller's that ends at a deadline.
    fn turn(&mut self, outbox: &Outbox, deadline: Instant, emit: Emit<'_>) -> Result<Pump, Lost> {
        let more = self.dispatch(emit)?;
        let pump = self.pump(outbox)?;
        if Instant::now() >= deadline {
            return Err(Lost::deadline("cpg"));
        }
        if !more {
            self.fd.wait(&[], Some(RETRY_SEND)).map_err(Lost::poll)?;
        }
        Ok(pump)
    }
}
