//! The thread of the group: everything that is asked of CPG is asked here, so nothing needs a lock.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rust_corosync::cpg::{self, Address, Guarantee, Model1Data, Model1Flags, ModelData, Reason};
use rust_corosync::{CsError, DispatchFlags};

use super::fragment::{Incoming, Outgoing};
use super::outbox::Outbox;
use super::session::{Emit, Lost};
use super::wait::{IpcFd, Wake};
use super::{CorosyncError, CorosyncEvent, LeaveReason, Member, NodeId, RingId};

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

/// What a callback was called with.
enum Callback {
    Deliver { from: Member, frame: Vec<u8> },
    Members { members: Vec<Address>, left: Vec<Address>, joined: Vec<Address> },
    Ring { ring: RingId, members: Vec<NodeId> },
}

thread_local! {
    /// Callbacks run on the thread that dispatches, under a lock of rust-corosync's: they put their arguments here and
    /// nothing else. (The callback's context is of no use in rust-corosync 3.2.0: it passes libcpg the address of a
    /// variable that is gone by then.)
    static CALLBACKS: RefCell<Vec<Callback>> = const { RefCell::new(Vec::new()) };
}

/// A panic in a callback would end the process (it cannot unwind through C), so this cannot panic.
fn push(callback: Callback) {
    let _ = CALLBACKS.try_with(|list| list.try_borrow_mut().map(|mut list| list.push(callback)));
}

fn on_deliver(_: &cpg::Handle, _: String, node: rust_corosync::NodeId, pid: u32, frame: &[u8], _: usize) {
    push(Callback::Deliver { from: Member { node: node.into(), pid }, frame: frame.to_vec() });
}

fn on_members(_: &cpg::Handle, _: &str, members: Vec<Address>, left: Vec<Address>, joined: Vec<Address>) {
    push(Callback::Members { members, left, joined });
}

fn on_ring(_: &cpg::Handle, ring: cpg::RingId, members: Vec<rust_corosync::NodeId>) {
    let ring = RingId { node: ring.nodeid.into(), seq: ring.seq };
    push(Callback::Ring { ring, members: members.into_iter().map(Into::into).collect() });
}

/// A joined group.
pub(super) struct Group {
    handle: cpg::Handle,
    fd: IpcFd,
    name: String,
    pub(super) local: Member,
    incoming: Incoming,
    outgoing: Outgoing,
    left: bool,
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
        let model = ModelData::ModelV1(Model1Data {
            flags: Model1Flags::None,
            deliver_fn: Some(on_deliver),
            confchg_fn: Some(on_members),
            totem_confchg_fn: Some(on_ring),
        });
        let handle = cpg::initialize(&model, 0).map_err(CorosyncError::refused("open cpg"))?;
        let fd = IpcFd(cpg::fd_get(&handle).map_err(CorosyncError::refused("open cpg"))?);
        let node = cpg::local_get(&handle).map_err(CorosyncError::refused("ask cpg for the node id"))?;
        let deadline = Instant::now() + JOIN_DEADLINE;
        loop {
            match cpg::join(&handle, name) {
                Ok(()) => break,
                Err(CsError::CsErrTryAgain) if Instant::now() < deadline => std::thread::sleep(RETRY_JOIN),
                Err(source) => return Err(CorosyncError::Refused { action: "join the group", source }),
            }
        }
        // The same call by which libcpg names this process to the others.
        let local = Member { node: node.into(), pid: std::process::id() };
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        Ok(Self { handle, fd, name: name.to_owned(), local, incoming, outgoing, left: false })
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
            match cpg::dispatch(&self.handle, DispatchFlags::OneNonblocking) {
                Ok(()) => {}
                Err(CsError::CsErrTryAgain) => return Ok(false),
                Err(error) => return Err(Lost::library("cpg", error)),
            }
            for callback in CALLBACKS.take() {
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
                let complete = match self.incoming.frame(from, &frame) {
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
            Callback::Members { members, left, joined } => {
                let mut members: Vec<_> = members.iter().map(member).collect();
                members.sort_unstable();
                let changed =
                    |list: Vec<Address>| list.iter().map(|a| (member(a), reason(a.reason))).collect();
                let (left, joined): (Vec<(Member, _)>, Vec<_>) = (changed(left), changed(joined));
                for (member, _) in &left {
                    self.incoming.forget(*member);
                    self.left |= *member == self.local;
                }
                if !joined.is_empty() && self.incoming.forget_all(self.local) {
                    self.outgoing.restart();
                }
                Some(CorosyncEvent::Membership { members, left, joined })
            }
            Callback::Ring { ring, mut members } => {
                members.sort_unstable();
                Some(CorosyncEvent::Ring { ring, members })
            }
        }
    }

    fn pump(&mut self, outbox: &Outbox) -> Result<Pump, Lost> {
        loop {
            if self.outgoing.is_free() {
                match outbox.pop() {
                    Some(payload) => self.outgoing.load(payload),
                    None => return Ok(Pump::Dry),
                }
            }
            let Some(frame) = self.outgoing.frame() else { return Ok(Pump::Dry) };
            match cpg::mcast_joined(&self.handle, Guarantee::TypeAgreed, &frame) {
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
                match cpg::leave(&self.handle, &self.name) {
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

fn member(address: &Address) -> Member {
    Member { node: address.nodeid.into(), pid: address.pid }
}

fn reason(reason: Reason) -> LeaveReason {
    match reason {
        Reason::Join => LeaveReason::ProcUp,
        Reason::Leave => LeaveReason::Leave,
        Reason::NodeDown => LeaveReason::NodeDown,
        Reason::NodeUp => LeaveReason::NodeUp,
        Reason::ProcDown => LeaveReason::ProcDown,
        Reason::Undefined => LeaveReason::Undefined,
    }
}
