//! Waiting for a descriptor of Corosync's or for another thread, whichever comes first.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A wake-up that is safe to set from any thread, any number of times.
#[derive(Debug)]
pub(super) struct Wake {
    flag: AtomicBool,
    set: UnixStream,
    seen: UnixStream,
}

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        let (set, seen) = UnixStream::pair()?;
        set.set_nonblocking(true)?;
        seen.set_nonblocking(true)?;
        Ok(Self { flag: AtomicBool::new(false), set, seen })
    }

    /// Wakes the waiting thread, or the next one that waits.
    pub(super) fn wake(&self) {
        self.flag.store(true, Ordering::SeqCst);
        // A full buffer already is a wake-up.
        let _ = (&self.set).write(&[1]);
    }

    /// Whether it is set.
    pub(super) fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Takes the wake-ups so far back. What they were about has to be looked at afterwards, not before.
    pub(super) fn clear(&self) {
        self.flag.store(false, Ordering::SeqCst);
        let mut buffer = [0; 64];
        while matches!((&self.seen).read(&mut buffer), Ok(n) if n > 0) {}
    }
}

/// Waits until one of the wake-ups is set or the time is over.
pub(super) fn wait(wakes: &[&Wake], timeout: Duration) -> io::Result<()> {
    wait_fds(wakes, None, Some(timeout))
}

/// The descriptor of a Corosync handle.
#[derive(Debug, Clone, Copy)]
pub(super) struct IpcFd(pub(super) i32);

impl IpcFd {
    /// Waits until the handle has something, a wake-up is set or the time is over. An error of the socket counts as
    /// "has something": dispatching then tells which.
    pub(super) fn wait(self, wakes: &[&Wake], timeout: Option<Duration>) -> io::Result<()> {
        // SAFETY: the callers keep the handle, and with it its descriptor, open while they wait: one thread opens,
        // waits and closes.
        let ipc = unsafe { BorrowedFd::borrow_raw(self.0) };
        wait_fds(wakes, Some(ipc), timeout)
    }
}

fn wait_fds(wakes: &[&Wake], ipc: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> io::Result<()> {
    let fds = wakes.iter().map(|wake| wake.seen.as_fd()).chain(ipc);
    let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let timeout = timeout.map_or(PollTimeout::NONE, |t| PollTimeout::try_from(t).unwrap_or(PollTimeout::MAX));
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
