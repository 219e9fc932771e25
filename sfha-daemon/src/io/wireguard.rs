//! The mesh interface: in the kernel where it has WireGuard, in a process of its own (`sfha-wg`) elsewhere.
//!
//! Both are configured through `wireguard-control`, which blocks, waits for ever and, without care, starts
//! programs. So every call runs on a blocking thread, one at a time for each [`Device`], under a time limit; and
//! [`forbid_programs`] has to be called first.
//!
//! The data plane outlives the daemon: [`Device::ensure`] takes over an interface that is up, and
//! [`Device::sync_peers`] changes only what differs, so that a restart of sfhad moves no packet.
//!
//! To rotate a key: the others know the new one beforehand, as a peer with an endpoint, *without* keepalive and
//! without networks. Then [`Device::set_private_key`] on the node, and when that has returned (or, on another node,
//! when [`Device::wait_for_handshake`] has seen the new key), [`Device::sync_peers`] with the moved networks. The node
//! whose key changes begins the handshakes; a peer that begins one too, as it does with a keepalive or with packets
//! to send, may make both wait 5 s (`REKEY_TIMEOUT` of the WireGuard paper, §6.1).

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use wireguard_control as wg;

use self::changes::Endpoints;
pub use self::changes::{AllowedIps, Changes, PeerChange};
pub use self::key::{KeyError, PrivateKey, PublicKey};
use self::link::Found;

mod changes;
mod convert;
mod key;
mod link;

/// How long a userspace device may take to listen.
pub const START_PATIENCE: Duration = Duration::from_secs(5);

/// How long one request to the device may take, waiting for earlier ones included.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(5);

const HANDSHAKE_POLL: Duration = Duration::from_millis(5);
const TAKEOVER_PATIENCE: Duration = Duration::from_secs(1);
const START_INTERVAL: Duration = Duration::from_millis(20);

/// Read by `wireguard-control` and by `wg-quick`.
const PROGRAM_VARIABLE: &str = "WG_USERSPACE_IMPLEMENTATION";
const NO_PROGRAM: &str = "/nonexistent/sfha-starts-no-program";

/// An operator's word: `userspace` for a daemon that is to make no interface in the kernel even where that can.
const BACKEND_VARIABLE: &str = "SFHA_WIREGUARD";

/// Makes it impossible that `wireguard-control` starts a program: it would start `wireguard-go` when the socket of
/// a userspace device is missing.
///
/// # Safety
/// As [`std::env::set_var`]: call it at the beginning of `main`, before there is a second thread.
pub unsafe fn forbid_programs() {
    // SAFETY: the caller's promise.
    unsafe { std::env::set_var(PROGRAM_VARIABLE, NO_PROGRAM) };
}

/// What went wrong with the mesh interface.
#[derive(Debug, thiserror::Error)]
pub enum WireguardError {
    /// The UDP port belongs to somebody else. Nothing was changed.
    #[error("udp port {0} is busy")]
    PortBusy(u16),
    /// There is an interface of that name that is not ours to configure.
    #[error("{interface} exists and is not a wireguard interface but {kind}")]
    ForeignInterface {
        /// The name.
        interface: String,
        /// Its kind as the kernel tells it.
        kind: String,
    },
    /// The name cannot be an interface.
    #[error("{interface:?} is not an interface name")]
    InvalidName {
        /// The name.
        interface: String,
    },
    /// Neither the kernel nor a userspace device: the starter failed.
    #[error("no wireguard in this kernel, and the userspace device of {interface} did not start")]
    Unsupported {
        /// The interface that was to be created.
        interface: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The userspace device was started and does not listen.
    #[error("the userspace device of {interface} did not listen within {} s", START_PATIENCE.as_secs())]
    NotListening {
        /// The interface.
        interface: String,
    },
    /// The interface, or the process behind it, is not there any more.
    #[error("{interface} is gone")]
    Gone {
        /// The interface.
        interface: String,
    },
    /// [`forbid_programs`] was not called.
    #[error("{PROGRAM_VARIABLE} is not set")]
    ProgramsAllowed,
    /// The device does not answer. The request may still be carried out.
    #[error("{operation} on {interface} took longer than {} s", REQUEST_PATIENCE.as_secs())]
    TimedOut {
        /// The interface.
        interface: String,
        /// What was asked for.
        operation: &'static str,
    },
    /// Anything else that the system or the device refuses.
    #[error("{operation} on {interface} failed")]
    Failed {
        /// The interface.
        interface: String,
        /// What was asked for.
        operation: &'static str,
        /// As reported.
        #[source]
        source: io::Error,
    },
}

/// Who does the encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The kernel's module.
    Kernel,
    /// The process `sfha-wg`.
    Userspace,
}

/// What a peer is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub public_key: PublicKey,
    /// Where to reach it, if known.
    pub endpoint: Option<SocketAddr>,
    /// What is routed to it. A network belongs to one peer; of two, the last one gets it.
    pub allowed_ips: Vec<IpNet>,
    /// Seconds between keepalives.
    pub keepalive: Option<u16>,
}

/// What a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name.
    pub public_key: PublicKey,
    /// Where it was heard from last, or what was configured.
    pub endpoint: Option<SocketAddr>,
    /// What is routed to it.
    pub allowed_ips: Vec<IpNet>,
    /// The last handshake. To the second for [`Backend::Userspace`].
    pub latest_handshake: Option<SystemTime>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Seconds between keepalives.
    pub keepalive: Option<u16>,
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// Its public key, once it has a private one.
    pub public_key: Option<PublicKey>,
    /// Its UDP port, once it listens.
    pub port: Option<u16>,
    /// All peers, in the order of their keys.
    pub peers: Vec<PeerStatus>,
}

/// A WireGuard interface. Clones share it.
#[derive(Debug, Clone)]
pub struct Device {
    name: wg::InterfaceName,
    interface: String,
    /// Whether it is [`Backend::Userspace`]: an interface that was made anew may have another one.
    userspace: Arc<AtomicBool>,
    /// Held during a request: one at a time. Inside, the endpoints that were configured from here.
    endpoints: Arc<Mutex<Endpoints>>,
}

impl Device {
    /// Makes sure that `interface` exists, has the MTU (bytes) and is up. One that is there is taken over as it is.
    /// Otherwise the kernel creates it. Where the kernel has no WireGuard, or `SFHA_WIREGUARD=userspace` is in the
    /// environment, `start` is called with the name and the MTU; it should return when the process `sfha-wg` was
    /// started, which then has [`START_PATIENCE`].
    ///
    /// # Errors
    /// [`WireguardError::ForeignInterface`] before anything is changed; [`WireguardError::Unsupported`] with the
    /// error of `start`.
    pub async fn ensure<S, F, E>(interface: &str, mtu: u16, start: S) -> Result<Self, WireguardError>
    where
        S: FnOnce(String, u16) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let name =
            interface.parse().map_err(|_| WireguardError::InvalidName { interface: interface.into() })?;
        if std::env::var(PROGRAM_VARIABLE).as_deref() != Ok(NO_PROGRAM) {
            return Err(WireguardError::ProgramsAllowed);
        }
        let device = |backend| Self {
            name,
            interface: interface.to_owned(),
            userspace: Arc::new(AtomicBool::new(backend == Backend::Userspace)),
            endpoints: Arc::default(),
        };
        let found = link::find(interface).await.map_err(device(Backend::Kernel).failed("find"))?;
        let device = match found {
            Found::Wireguard => device(Backend::Kernel),
            Found::Tun => {
                // One that is just starting has an interface before it has a socket.
                let device = device(Backend::Userspace);
                if !device.listens_within(TAKEOVER_PATIENCE).await {
                    return Err(foreign(interface, "tun"));
                }
                device
            }
            Found::Other(kind) => return Err(foreign(interface, &kind)),
            Found::Nothing => match create_in_kernel(interface).await {
                Ok(()) => device(Backend::Kernel),
                Err(error) if link::without_wireguard(&error) => {
                    let device = device(Backend::Userspace);
                    start(interface.to_owned(), mtu).await.map_err(|source| WireguardError::Unsupported {
                        interface: interface.to_owned(),
                        source: source.into(),
                    })?;
                    if !device.listens_within(START_PATIENCE).await {
                        return Err(WireguardError::NotListening { interface: interface.to_owned() });
                    }
                    device
                }
                Err(error) => return Err(device(Backend::Kernel).failed("create")(error)),
            },
        };
        link::up(interface, mtu).await.map_err(device.failed("set up"))?;
        Ok(device)
    }

    /// Name of the interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Who does the encryption.
    pub fn backend(&self) -> Backend {
        if self.userspace.load(Ordering::Relaxed) { Backend::Userspace } else { Backend::Kernel }
    }

    /// Speaks to `other` from now on, in all clones: what [`ensure`](Self::ensure) made of the same interface after
    /// it was gone. Where the kernel's module came or went meanwhile, that has the other backend.
    pub fn follow(&self, other: &Self) {
        self.userspace.store(other.backend() == Backend::Userspace, Ordering::Relaxed);
    }

    /// Sets the private key and the UDP port; `false` if the device has both already. After it has returned, the
    /// device answers to the new key and no longer to the old one; sessions begin anew.
    ///
    /// # Errors
    /// [`WireguardError::PortBusy`], with nothing changed.
    pub async fn set_private_key(&self, key: &PrivateKey, port: u16) -> Result<bool, WireguardError> {
        let key = key.clone();
        let changed = self.run("set key", move |device, _| {
            let current = device.read()?;
            let public_key = key.public();
            if current.public_key == Some(public_key) && current.port == Some(port) {
                return Ok(false);
            }
            let update = wg::DeviceUpdate::new().set_private_key(convert::secret(&key)).set_listen_port(port);
            device.apply(update).map(|()| true)
        });
        match changed.await {
            // wireguard-control does not tell why a userspace device refuses.
            Err(WireguardError::Failed { source, .. }) if is_busy(&source, port) => {
                Err(WireguardError::PortBusy(port))
            }
            changed => changed,
        }
    }

    /// Makes the peers of the device those of `wanted`, by the smallest change; tells which, or nothing if there
    /// was nothing to do.
    ///
    /// An endpoint is set for a new peer, for a peer that has none, and when `wanted` differs from what was
    /// configured here before; not when the peer was heard from elsewhere in the meantime. After a restart of the
    /// daemon, what the device has counts as configured.
    ///
    /// # Errors
    /// [`WireguardError::Gone`], [`WireguardError::TimedOut`], [`WireguardError::Failed`].
    pub async fn sync_peers(&self, wanted: &[Peer]) -> Result<Option<Changes>, WireguardError> {
        let wanted = wanted.to_vec();
        self.run("set peers", move |device, endpoints| {
            let current = device.read()?.peers;
            let changes = changes::between(&current, &wanted, endpoints);
            if changes.is_empty() {
                endpoints.configured(&current, &wanted);
                return Ok(None);
            }
            device.apply(convert::update(&changes))?;
            endpoints.configured(&current, &wanted);
            Ok(Some(changes))
        })
        .await
    }

    /// Sends to a peer at `endpoint` from now on, whatever it was heard from: for a name that resolves to something
    /// else, or an address that another node has seen. The next [`sync_peers`](Self::sync_peers) does not undo it
    /// unless it wants something new. No such peer: nothing happens.
    ///
    /// # Errors
    /// [`WireguardError::Gone`], [`WireguardError::TimedOut`], [`WireguardError::Failed`].
    pub async fn set_endpoint(&self, peer: PublicKey, endpoint: SocketAddr) -> Result<(), WireguardError> {
        self.run("set endpoint", move |device, _| {
            let known = device.read()?.peers.iter().any(|status| status.public_key == peer);
            if !known {
                return Ok(());
            }
            let peer = wg::PeerConfigBuilder::new(&convert::public(peer)).set_endpoint(endpoint);
            device.apply(wg::DeviceUpdate::new().add_peer(peer))
        })
        .await
    }

    /// Begins the session with a peer anew, at `endpoint` if given, with a handshake at once: with a peer that
    /// carries nothing, the only way to find out whether it can be reached. Its counters begin anew, too; other peers
    /// notice nothing. A peer that has networks, or that is not there, is left alone.
    ///
    /// # Errors
    /// [`WireguardError::Gone`], [`WireguardError::TimedOut`], [`WireguardError::Failed`].
    pub async fn reset_peer(
        &self,
        peer: PublicKey,
        endpoint: Option<SocketAddr>,
    ) -> Result<(), WireguardError> {
        self.run("reset peer", move |device, _| {
            let peers = device.read()?.peers;
            let Some(status) = peers.iter().find(|status| status.public_key == peer) else { return Ok(()) };
            if !status.allowed_ips.is_empty() {
                return Ok(());
            }
            // In one request a userspace device would find that nothing has changed.
            device.apply(wg::DeviceUpdate::new().remove_peer_by_key(&convert::public(peer)))?;
            let mut again = wg::PeerConfigBuilder::new(&convert::public(peer));
            if let Some(endpoint) = endpoint.or(status.endpoint) {
                again = again.set_endpoint(endpoint);
            }
            // To a new peer the first keepalive goes at once.
            let keepalive = status.keepalive.unwrap_or(sfha_core::mesh::KEEPALIVE_S);
            device.apply(wg::DeviceUpdate::new().add_peer(again.set_persistent_keepalive_interval(keepalive)))
        })
        .await
    }

    /// Waits until there has been a handshake with a peer; `false` if there was none within `patience`.
    ///
    /// # Errors
    /// [`WireguardError::Gone`], [`WireguardError::TimedOut`], [`WireguardError::Failed`].
    pub async fn wait_for_handshake(
        &self,
        peer: PublicKey,
        patience: Duration,
    ) -> Result<bool, WireguardError> {
        let deadline = Instant::now() + patience;
        loop {
            let peers = self.status().await?.peers;
            let met = |status: &PeerStatus| status.public_key == peer && status.latest_handshake.is_some();
            if peers.iter().any(met) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            sleep(HANDSHAKE_POLL).await;
        }
    }

    /// What the device is and whom it heard from.
    ///
    /// # Errors
    /// [`WireguardError::Gone`], [`WireguardError::TimedOut`], [`WireguardError::Failed`].
    pub async fn status(&self) -> Result<DeviceStatus, WireguardError> {
        self.run("read", |device, _| device.read()).await
    }

    /// Removes the interface. A userspace device ends by it; its service should be stopped before, or is started
    /// again by the service manager. An interface that is gone already is no error.
    ///
    /// # Errors
    /// [`WireguardError::Failed`].
    pub async fn remove(&self) -> Result<(), WireguardError> {
        link::remove(&self.interface).await.map_err(self.failed("remove"))
    }

    /// Runs `request` on a blocking thread when all earlier requests are done.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        request: impl FnOnce(&Blocking, &mut Endpoints) -> io::Result<T> + Send + 'static,
    ) -> Result<T, WireguardError> {
        let blocking = Blocking { name: self.name, backend: self.backend() };
        let endpoints = Arc::clone(&self.endpoints);
        let answer = async move {
            // Kept by the thread, which nobody can stop: while it hangs, the next one waits and times out too.
            let mut endpoints = endpoints.lock_owned().await;
            tokio::task::spawn_blocking(move || request(&blocking, &mut endpoints)).await
        };
        match timeout(REQUEST_PATIENCE, answer).await {
            Ok(Ok(answer)) => answer.map_err(self.failed(operation)),
            Ok(Err(panicked)) => Err(self.failed(operation)(io::Error::other(panicked))),
            Err(_) => Err(WireguardError::TimedOut { interface: self.interface.clone(), operation }),
        }
    }

    async fn listens_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !listens(&self.interface).await {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(START_INTERVAL).await;
        }
        true
    }

    fn failed(&self, operation: &'static str) -> impl Fn(io::Error) -> WireguardError + use<> {
        let interface = self.interface.clone();
        move |source| match source.raw_os_error() {
            // The kernel about an interface; a socket that is not there, or that nobody serves any more.
            Some(libc::ENODEV | libc::ENOENT | libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE) => {
                WireguardError::Gone { interface: interface.clone() }
            }
            // wireguard-control, when it wanted to start a program.
            None if source.kind() == io::ErrorKind::NotFound => {
                WireguardError::Gone { interface: interface.clone() }
            }
            _ => WireguardError::Failed { interface: interface.clone(), operation, source },
        }
    }
}

/// The calls of `wireguard-control`; only for blocking threads.
struct Blocking {
    name: wg::InterfaceName,
    backend: Backend,
}

impl Blocking {
    fn read(&self) -> io::Result<DeviceStatus> {
        wg::Device::get(&self.name, self.backend.into()).map(convert::status)
    }

    fn apply(&self, update: wg::DeviceUpdate) -> io::Result<()> {
        update.apply(&self.name, self.backend.into())
    }
}

impl From<Backend> for wg::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Kernel => Self::Kernel,
            Backend::Userspace => Self::Userspace,
        }
    }
}

/// Fails as a kernel without WireGuard does where the operator wants none of the kernel's.
async fn create_in_kernel(interface: &str) -> io::Result<()> {
    match std::env::var(BACKEND_VARIABLE).as_deref() {
        Ok("userspace") => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        Ok("") | Err(_) => {}
        Ok(other) => warn!(value = other, "{BACKEND_VARIABLE} can only be \"userspace\"; not heeded"),
    }
    link::create(interface).await
}

fn foreign(interface: &str, kind: &str) -> WireguardError {
    WireguardError::ForeignInterface { interface: interface.to_owned(), kind: kind.to_owned() }
}

/// Whether a userspace device answers for the interface: at the paths where `wireguard-control` looks.
async fn listens(interface: &str) -> bool {
    for directory in ["/var/run/wireguard", "/run/wireguard"] {
        let path = PathBuf::from(directory).join(format!("{interface}.sock"));
        if tokio::net::UnixStream::connect(path).await.is_ok() {
            return true;
        }
    }
    false
}

/// The kernel says so; a userspace device that refuses is checked by trying the port.
fn is_busy(error: &io::Error, port: u16) -> bool {
    let refused = error.raw_os_error().is_none() && error.kind() == io::ErrorKind::InvalidInput;
    let taken = || {
        let any = [SocketAddr::from(([0; 16], port)), SocketAddr::from(([0; 4], port))];
        any.iter().any(|address| {
            std::net::UdpSocket::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        })
    };
    error.kind() == io::ErrorKind::AddrInUse || (refused && taken())
}

#[cfg(test)]
mod tests;
