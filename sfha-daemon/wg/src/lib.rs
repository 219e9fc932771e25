//! A userspace WireGuard device for kernels that have none, as a process of its own.
//!
//! ```text
//!   wg, sfhad ──UAPI──▶ server ──▶ uapi (text) ──▶ controller ──▶ model (what changes) ──▶ gotatun's Device
//!                                                                                            │         │
//!                                                                                           tun       udp
//! ```
//!
//! It is a separate process so that a restart, an upgrade or a crash of sfhad interrupts no mesh traffic. It
//! stores nothing: whoever configures it does so again after it was started. It makes no decision and opens no
//! connection other than its UDP port.
//!
//! The protocol itself is gotatun's. What is here is the front end, and protection against what was measured to
//! go wrong: each module says what.

use std::path::PathBuf;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

pub mod controller;
pub mod model;
pub mod mtu;
pub mod process;
pub mod server;
pub mod tun;
pub mod uapi;
pub mod udp;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the interface to create, as checked by [`check_interface_name`].
    pub interface: String,
    /// Its MTU in bytes.
    pub mtu: u16,
    /// Where to put the socket; [`server::SOCKET_DIRECTORY`] outside tests.
    pub socket_directory: PathBuf,
}

/// Why the device ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No interface.
    #[error(transparent)]
    Tun(#[from] tun::TunError),
    /// No socket.
    #[error(transparent)]
    Server(#[from] server::ServerError),
    /// No device.
    #[error("cannot start the device")]
    Device(#[from] gotatun::device::Error),
    /// No signal handlers.
    #[error("cannot handle signals")]
    Signals(#[source] std::io::Error),
    /// Somebody deleted the interface.
    #[error("the interface was deleted")]
    Deleted,
}

/// Creates the interface, serves it, and removes it on SIGTERM or SIGINT.
///
/// # Errors
/// [`Error`]; by then nothing is left of what was made.
pub async fn run(options: &Options) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let tun = tun::Tun::create(&options.interface, options.mtu)?;
    let mut server = server::Server::bind(&options.socket_directory, &options.interface)?;
    let controller = Arc::new(controller::Controller::start(tun.clone()).await?);
    tracing::info!(interface = options.interface, mtu = options.mtu, "device ready");
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);

    let remember = tokio::spawn(remember_handshakes(Arc::clone(&controller)));
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = tun.follow(&options.interface) => Err(Error::Deleted),
        () = server.run(&controller) => Ok(()),
    };
    remember.abort();
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    ended
}

async fn remember_handshakes(controller: Arc<controller::Controller>) {
    let mut remember = interval(controller::HANDSHAKE_INTERVAL);
    remember.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        remember.tick().await;
        controller.note_handshakes().await;
    }
}

/// Whether `name` can be an interface and a file: 1 to 15 bytes, no `/`, no space, not `.` or `..`
/// (`dev_valid_name()` of the kernel, which also refuses `:`).
///
/// # Errors
/// The rule, for the command line.
pub fn check_interface_name(name: &str) -> Result<String, &'static str> {
    let fits = (1..libc::IFNAMSIZ).contains(&name.len());
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:%".contains(&byte));
    if fits && plain && ![".", ".."].contains(&name) {
        Ok(name.to_owned())
    } else {
        Err("an interface name has 1 to 15 characters, without '/', ':', '%' and spaces")
    }
}
