//! The thread of the quorum service.

use std::cell::RefCell;

use rust_corosync::quorum::{self, Model1Data, Model1Flags, ModelData};
use rust_corosync::{CsError, DispatchFlags, TrackFlags};

use super::session::{Emit, Lost};
use super::wait::{IpcFd, Wake};
use super::{CorosyncError, CorosyncEvent, RingId};

thread_local! {
    /// See the group's callbacks: pushed by the callback, on the thread that dispatches.
    static CALLBACKS: RefCell<Vec<CorosyncEvent>> = const { RefCell::new(Vec::new()) };
}

fn on_quorum(_: &quorum::Handle, quorate: bool, ring: quorum::RingId, members: Vec<rust_corosync::NodeId>) {
    let mut members: Vec<_> = members.into_iter().map(Into::into).collect();
    members.sort_unstable();
    let ring = RingId { node: ring.nodeid.into(), seq: ring.seq };
    let event = CorosyncEvent::Quorum { quorate, ring, members };
    let _ = CALLBACKS.try_with(|list| list.try_borrow_mut().map(|mut list| list.push(event)));
}

/// An open and tracked connection to the quorum service.
pub(super) struct Quorum {
    handle: quorum::Handle,
    fd: IpcFd,
}

impl Quorum {
    /// Connects and asks for the present state and for changes (`CS_TRACK_CHANGES` includes the former).
    pub(super) fn open() -> Result<Self, CorosyncError> {
        let model = ModelData::ModelV1(Model1Data {
            flags: Model1Flags::None,
            quorum_notification_fn: Some(on_quorum),
            nodelist_notification_fn: None,
        });
        let (handle, _) = quorum::initialize(&model, 0).map_err(CorosyncError::refused("open quorum"))?;
        let fd = IpcFd(quorum::fd_get(&handle).map_err(CorosyncError::refused("open quorum"))?);
        quorum::trackstart(&handle, TrackFlags::Changes).map_err(CorosyncError::refused("track quorum"))?;
        Ok(Self { handle, fd })
    }

    pub(super) fn run(&self, emit: Emit<'_>, stop: &Wake) -> Result<(), Lost> {
        while !stop.is_set() {
            self.dispatch(emit)?;
            self.fd.wait(&[stop], None).map_err(Lost::poll)?;
        }
        Ok(())
    }

    fn dispatch(&self, emit: Emit<'_>) -> Result<(), Lost> {
        loop {
            match quorum::dispatch(&self.handle, DispatchFlags::OneNonblocking) {
                Ok(()) => CALLBACKS.take().into_iter().for_each(emit),
                Err(CsError::CsErrTryAgain) => return Ok(()),
                Err(error) => return Err(Lost::library("quorum", error)),
            }
        }
    }
}
