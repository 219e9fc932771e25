//! The address watcher: hears from every node's kernel, the moment it happens, that the address came or went.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::netlink::AddressSocket;
use super::netns;
use super::node::Node;
use super::realtime::prioritise_this_thread;
use super::wait::wait_for;
use super::watch_report::{Change, WatchReport};

/// How often it looks whether a node has booted, and with that got a new network; a boot takes far longer.
const REBOOT_CHECK: Duration = Duration::from_millis(20);

/// Watching one address on all nodes of a lab, wherever these go meanwhile: cut, booted, paused.
#[derive(Debug)]
pub struct AddressWatcher {
    ip: IpAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    start: Instant,
    changes: Mutex<Vec<Change>>,
}

impl Shared {
    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AddressWatcher {
    pub(crate) fn start(nodes: Vec<Node>, ip: IpAddr) -> Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            start: Instant::now(),
            changes: Mutex::default(),
        });
        let mut ears: Vec<_> = nodes.into_iter().map(Ear::new).collect();
        for ear in &mut ears {
            ear.follow(ip, &shared)?;
        }
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                prioritise_this_thread();
                watch(&mut ears, ip, &shared)
            }
        });
        Ok(Self { ip, shared, thread: Some(thread) })
    }

    /// When the watching began: what the times in a report count from.
    pub fn started(&self) -> Instant {
        self.shared.start
    }

    /// The nodes that have the address now, counted from 0, in ascending order.
    pub fn holders(&self) -> Vec<usize> {
        let mut holders = std::collections::BTreeSet::new();
        for change in self.shared.changes().iter() {
            if change.held {
                holders.insert(change.node);
            } else {
                holders.remove(&change.node);
            }
        }
        holders.into_iter().collect()
    }

    /// Waits until exactly these nodes have the address.
    pub fn wait_holders(&self, wanted: &[usize], timeout: Duration) -> Result<()> {
        let what = format!("{} on exactly the nodes {wanted:?}", self.ip);
        wait_for(&what, timeout, || (self.holders() == wanted).then_some(()))
            .with_context(|| format!("it is on {:?}", self.holders()))
    }

    /// Waits until one node has the address, and returns which.
    pub fn wait_one_holder(&self, timeout: Duration) -> Result<usize> {
        wait_for(&format!("{} on one node", self.ip), timeout, || match self.holders()[..] {
            [one] => Some(one),
            _ => None,
        })
    }

    /// What was seen so far; the watching goes on.
    pub fn report(&self) -> WatchReport {
        let end = self.shared.start.elapsed();
        WatchReport::new(&self.shared.changes(), end)
    }

    /// Ends the watching.
    pub fn finish(mut self) -> Result<WatchReport> {
        self.stop()?;
        Ok(self.report())
    }

    fn stop(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the address watcher panicked"))?,
            None => Ok(()),
        }
    }
}

impl Drop for AddressWatcher {
    fn drop(&mut self) {
        // Whoever drops it does not want to know.
        let _ = self.stop();
    }
}

/// One node's side.
#[derive(Debug)]
struct Ear {
    node: Node,
    /// The namespace that the socket is in: a node gets another with each boot.
    netns_inode: Option<(u64, u64)>,
    socket: Option<AddressSocket>,
    held: bool,
}

impl Ear {
    fn new(node: Node) -> Self {
        Self { node, netns_inode: None, socket: None, held: false }
    }

    /// Opens the socket when the node has a network it was not opened in.
    fn follow(&mut self, ip: IpAddr, shared: &Shared) -> Result<()> {
        let inode = inode_of(&self.node);
        if inode == self.netns_inode {
            return Ok(());
        }
        self.socket = match inode {
            // The network may be taken away under our hands: then there is another one at the next look.
            Some(_) => netns::within(&self.node.netns(), move || AddressSocket::open(ip)).ok(),
            None => None,
        };
        self.netns_inode = if self.socket.is_some() { inode } else { None };
        self.note(shared);
        Ok(())
    }

    fn hear(&mut self, shared: &Shared) -> Result<()> {
        while let Some(socket) = &mut self.socket {
            if !socket.update()? {
                break;
            }
            self.note(shared);
        }
        Ok(())
    }

    fn note(&mut self, shared: &Shared) {
        let held = self.socket.as_ref().is_some_and(AddressSocket::is_held);
        if held != self.held {
            self.held = held;
            let change = Change { at: shared.start.elapsed(), node: self.node.index(), held };
            shared.changes().push(change);
        }
    }
}

/// Tells a namespace from the one that had its name before. While `ip` makes one, its name is an empty file:
/// to enter that fails, and the next look finds the namespace.
fn inode_of(node: &Node) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(netns::path(&node.netns())).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn watch(ears: &mut [Ear], ip: IpAddr, shared: &Shared) -> Result<()> {
    let mut next_check = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        if Instant::now() >= next_check {
            for ear in ears.iter_mut() {
                ear.follow(ip, shared)?;
            }
            next_check = Instant::now() + REBOOT_CHECK;
        }
        {
            let sockets = ears.iter().filter_map(|ear| ear.socket.as_ref());
            let mut fds: Vec<_> =
                sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
            match poll(&mut fds, PollTimeout::try_from(REBOOT_CHECK)?) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error).context("poll"),
            }
        }
        for ear in ears.iter_mut() {
            ear.hear(shared)?;
        }
    }
    Ok(())
}
