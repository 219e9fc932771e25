//! The thread of votequorum: asks for the votes whenever it is told that something about them changed, and now and then
//! anyway, to see whether Corosync answers. It is the one service that Corosync lets ask during the synchronisation after
//! a membership change (`cs_ipcs_check_for_flow_control` in its exec/ipc_glue.c); on the others a request may wait for
//! seconds while a ring cannot form, with nothing wrong in this node.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rust_corosync::votequorum::{self, Callbacks, NodeInfoFlags, NodeState};
use rust_corosync::{CsError, DispatchFlags, TrackFlags};

use super::session::{Emit, Lost, Probe};
use super::wait::{IpcFd, Wake};
use super::{CorosyncError, CorosyncEvent, NodeId, PROBE_INTERVAL};

/// Pause before a question is asked again that Corosync was too busy for.
const RETRY_ASK: Duration = Duration::from_millis(20);

/// What the callbacks said since it was last looked at.
#[derive(Default)]
struct Changes {
    any: bool,
    nodes: Option<Vec<NodeId>>,
}

thread_local! {
    /// See the group's callbacks: set by the callbacks, on the thread that dispatches.
    static CHANGES: RefCell<Changes> = const { RefCell::new(Changes { any: false, nodes: None }) };
}

fn note(nodes: Option<Vec<NodeId>>) {
    let _ = CHANGES.try_with(|changes| {
        changes.try_borrow_mut().map(|mut changes| {
            changes.any = true;
            if nodes.is_some() {
                changes.nodes = nodes;
            }
        })
    });
}

// Its list has states too, but rust-corosync 3.2.0 keeps the fields of `Node` private.
fn on_quorum(_: &votequorum::Handle, _: u64, _: bool, _: Vec<votequorum::Node>) {
    note(None);
}

fn on_nodes(_: &votequorum::Handle, _: u64, _: votequorum::RingId, nodes: Vec<rust_corosync::NodeId>) {
    note(Some(nodes.into_iter().map(Into::into).collect()));
}

fn on_expected(_: &votequorum::Handle, _: u64, _: u32) {
    note(None);
}

/// An open and tracked connection to votequorum.
pub(super) struct Votes {
    handle: votequorum::Handle,
    fd: IpcFd,
}

impl Votes {
    pub(super) fn open() -> Result<Self, CorosyncError> {
        let callbacks = Callbacks {
            quorum_notification_fn: Some(on_quorum),
            nodelist_notification_fn: Some(on_nodes),
            expectedvotes_notification_fn: Some(on_expected),
        };
        let handle = votequorum::initialize(&callbacks).map_err(CorosyncError::refused("open votequorum"))?;
        let fd = IpcFd(votequorum::fd_get(&handle).map_err(CorosyncError::refused("open votequorum"))?);
        votequorum::trackstart(&handle, 0, TrackFlags::Changes)
            .map_err(CorosyncError::refused("track votequorum"))?;
        Ok(Self { handle, fd })
    }

    pub(super) fn run(&self, local: NodeId, emit: Emit<'_>, stop: &Wake, probe: &Probe) -> Result<(), Lost> {
        let mut nodes = vec![local];
        let (mut last, mut last_device) = (None, None);
        let mut stale = true;
        let mut asked = Instant::now();
        while !stop.is_set() {
            self.dispatch()?;
            let changes = CHANGES.take();
            nodes = changes.nodes.unwrap_or(nodes);
            stale |= changes.any;
            if stale || asked.elapsed() >= PROBE_INTERVAL {
                // Only to see that it answers, one question is enough.
                let asks: &[NodeId] = if stale { &nodes } else { &[] };
                match probe.ask(|| self.ask(local, asks)) {
                    Ok((votes, device)) => {
                        asked = Instant::now();
                        if device != last_device {
                            // One that comes, goes or falls silent is not always notified.
                            last_device = device;
                            stale = true;
                            emit(CorosyncEvent::Device { votes: device });
                            continue;
                        }
                        if std::mem::take(&mut stale) && last.as_ref() != Some(&votes) {
                            emit(votes.clone());
                            last = Some(votes);
                        }
                    }
                    Err(CsError::CsErrTryAgain) => {}
                    Err(error) => return Err(Lost::library("votequorum", error)),
                }
            }
            let pause = if stale { RETRY_ASK } else { PROBE_INTERVAL };
            self.fd.wait(&[stop], Some(pause)).map_err(Lost::poll)?;
        }
        Ok(())
    }

    fn dispatch(&self) -> Result<(), Lost> {
        loop {
            match votequorum::dispatch(&self.handle, DispatchFlags::OneNonblocking) {
                Ok(()) => {}
                Err(CsError::CsErrTryAgain) => return Ok(()),
                Err(error) => return Err(Lost::library("votequorum", error)),
            }
        }
    }

    /// `votequorum_getinfo`. rust-corosync 3.2.0 leaves its `total_votes` out, so they are added up here; should a node
    /// come or go in between, another callback follows.
    fn ask(&self, local: NodeId, nodes: &[NodeId]) -> Result<(CorosyncEvent, Option<bool>), CsError> {
        let mut total = 0;
        for node in nodes {
            match votequorum::get_info(&self.handle, (*node).into()) {
                Ok(info) if matches!(info.node_state, NodeState::Member) => total += info.node_votes,
                Ok(_) | Err(CsError::CsErrNotExist) => {}
                Err(error) => return Err(error),
            }
        }
        let info = votequorum::get_info(&self.handle, local.into())?;
        // votequorum counts what this node's own device says, not what the others' do.
        let device = device_votes(&info.flags);
        let votes = CorosyncEvent::Votes {
            expected: info.highest_expected,
            total: total + device.filter(|votes| *votes).map_or(0, |_| info.qdevice_votes),
            needed: info.quorum,
            quorate: info.flags.contains(NodeInfoFlags::VOTEQUORUM_INFO_QUORATE),
            two_node: info.flags.contains(NodeInfoFlags::VOTEQUORUM_INFO_TWONODE),
            wait_for_all: info.flags.contains(NodeInfoFlags::VOTEQUORUM_INFO_WAIT_FOR_ALL),
        };
        Ok((votes, device))
    }
}

/// Whether a node's quorum device votes for its side; `None`: it has none that speaks to Corosync.
fn device_votes(flags: &NodeInfoFlags) -> Option<bool> {
    let voting =
        NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_ALIVE | NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE;
    let registered = flags.contains(NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED);
    registered.then(|| flags.contains(voting))
}
