//! The network interface: a TUN device, and what the device must not die of.

use std::io;
use std::iter;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use gotatun::packet::{Ip, Packet, PacketBufPool};
use gotatun::tun::tun_async_device::TunDevice;
use gotatun::tun::{IpRecv, IpSend, MtuWatcher, tun};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::mtu::{self, LinkEvents};

/// How often to ask whether the interface is still there. Measured: a reader is not woken when it goes, because
/// the kernel then reports `EPOLLERR` without `EPOLLIN`.
const DELETION_CHECK: Duration = Duration::from_secs(1);

/// A TUN interface that exists as long as this value and its clones.
#[derive(Clone)]
pub struct Tun {
    inner: TunDevice,
    /// The same open file once more, to ask about the interface.
    file: Arc<OwnedFd>,
    /// The interface's MTU, in bytes.
    mtu: Arc<watch::Sender<u16>>,
}

/// Why there is no interface.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// An interface of that name is there, whoever made it.
    #[error("interface {interface} already exists")]
    Exists {
        /// Its name.
        interface: String,
    },
    /// The kernel refuses: no `/dev/net/tun`, no `CAP_NET_ADMIN`, a name that it does not take.
    #[error("cannot create interface {interface}")]
    Create {
        /// Its name.
        interface: String,
        /// As reported.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Tun {
    /// Creates `interface`, down and without addresses.
    ///
    /// # Errors
    /// [`TunError::Exists`] before anything is changed: `TUNSETIFF` would silently take over a persistent TUN
    /// device of somebody else.
    pub fn create(interface: &str, mtu: u16) -> Result<Self, TunError> {
        if nix::net::if_::if_nametoindex(interface).is_ok() {
            return Err(TunError::Exists { interface: interface.to_owned() });
        }
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| TunError::Create {
            interface: interface.to_owned(),
            source,
        };
        let mut config = tun::Configuration::default();
        config.tun_name(interface).mtu(mtu);
        let device = tun::create_as_async(&config).map_err(|error| failed(error.into()))?;
        // SAFETY: the file is open as long as `device`, which is still here.
        let file = unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) }.try_clone_to_owned();
        let file = Arc::new(file.map_err(|error| failed(error.into()))?);
        let inner = TunDevice::from_tun_device(device).map_err(|error| failed(error.into()))?;
        without_own_ipv6(interface);
        Ok(Self { inner, file, mtu: Arc::new(watch::Sender::new(mtu)) })
    }

    /// Follows `interface`, this one, until somebody deletes it.
    pub async fn follow(&self, interface: &str) {
        let events = LinkEvents::open();
        if let Err(error) = &events {
            tracing::warn!(%error, "changes of the interface are noticed late");
        }
        while self.exists() {
            if let Some(now) = mtu::of(interface) {
                self.mtu.send_if_modified(|before| std::mem::replace(before, now) != now);
            }
            let changed = async {
                match &events {
                    Ok(events) => events.changed().await.is_ok(),
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changed => {}
                () = sleep(DELETION_CHECK) => {}
            }
        }
    }

    /// True also where the interface was renamed or moved to another network namespace.
    fn exists(&self) -> bool {
        // SAFETY: all zeros is a valid ifreq, and TUNGETIFF writes nothing beyond it.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // SAFETY: the file is open, the pointer is valid for the call.
        let answer = unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TUNGETIFF as _, &raw mut request) };
        answer == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EBADFD)
    }
}

/// Keeps the kernel from inventing a link-local address and talking through it, as kernel WireGuard does
/// (`addr_gen_mode` 1: none; `Documentation/networking/ip-sysctl.rst`). Nothing breaks if that is not permitted.
fn without_own_ipv6(interface: &str) {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/addr_gen_mode");
    if let Err(error) = std::fs::write(&path, "1") {
        tracing::debug!(%error, path, "link-local address not suppressed");
    }
}

impl IpSend for Tun {
    async fn send(&mut self, packet: Packet<Ip>) -> io::Result<()> {
        match self.inner.send(packet).await {
            // The interface is down: the packet is lost, as with any interface that is down.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(()),
            sent => sent,
        }
    }
}

impl IpRecv for Tun {
    async fn recv<'a>(
        &'a mut self,
        pool: &mut PacketBufPool,
    ) -> io::Result<impl Iterator<Item = Packet<Ip>> + Send + 'a> {
        loop {
            let received = match self.inner.recv(pool).await {
                Ok(mut packets) => Ok(packets.next()),
                Err(error) => Err(error),
            };
            match received {
                Ok(Some(packet)) => return Ok(iter::once(packet)),
                Ok(None) => {}
                Err(error) if is_gone(&error) => return Err(error),
                // Not an IP packet, or the interface is down.
                Err(error) => {
                    tracing::trace!(%error, "nothing read from the interface");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn mtu(&self) -> MtuWatcher {
        self.mtu.subscribe().into()
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADFD | libc::EBADF | libc::ENODEV | libc::EFAULT))
}
