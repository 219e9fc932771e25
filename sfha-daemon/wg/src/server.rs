//! The UAPI socket: who may connect, how much they may say, how long they may take.
//!
//! A client can be slow, silent, wrong or gone at any moment and costs nobody else anything: requests are read
//! and answers written outside the device's lock, sizes and times are bounded, and a change that has begun is
//! finished even if its client is not there any more. All clients are root: the socket is 0600 in a 0700
//! directory.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use zeroize::Zeroizing;

use crate::controller::Controller;
use crate::uapi::{self, MAX_REQUEST, ParseError, Request};

/// Where clients look for the socket of an interface, as `wg` and `wireguard-control` do.
pub const SOCKET_DIRECTORY: &str = "/var/run/wireguard";

/// How long a client may keep us waiting, for a byte or for room to write.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// Beyond this, the oldest client goes. `wg` and sfhad use one connection for each request.
const MAX_CLIENTS: usize = 32;

/// How often to look whether the socket file is still there.
const SOCKET_CHECK: Duration = Duration::from_secs(2);

/// After a failed accept(2) (out of files or memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening UAPI socket; its file goes with it.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody answers on the path: a device of that name runs in another network namespace.
    #[error("{path} is in use by a running process")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// As reported by the system.
    #[error("cannot listen on {path}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// As reported.
        #[source]
        source: io::Error,
    },
}

impl Server {
    /// Listens at `directory/interface.sock`; makes the directory, and replaces a socket that nobody answers on.
    ///
    /// # Errors
    /// [`ServerError`]. The umask of the process should be 0077 already, so that the socket is never open to others.
    pub fn bind(directory: &Path, interface: &str) -> Result<Self, ServerError> {
        let path = directory.join(format!("{interface}.sock"));
        let failed = |source| ServerError::Listen { path: path.clone(), source };
        if !directory.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        }
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(ServerError::InUse { path });
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        Self::listen(&path).map_err(|source| ServerError::Listen { path, source })
    }

    fn listen(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let inode = std::fs::metadata(path)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    /// Serves clients until it is cancelled. Cancelling keeps the changes that have begun.
    pub async fn run(&mut self, controller: &Arc<Controller>) {
        let mut clients: VecDeque<AbortHandle> = VecDeque::new();
        let mut check = interval(SOCKET_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        clients.retain(|client| !client.is_finished());
                        if clients.len() >= MAX_CLIENTS && let Some(oldest) = clients.pop_front() {
                            oldest.abort();
                        }
                        clients.push_back(tokio::spawn(serve(stream, Arc::clone(controller))).abort_handle());
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a client");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = check.tick() => self.restore(),
            }
        }
    }

    /// Removing the socket file must not make the device deaf for good. (With wireguard-go it ends the process;
    /// here the service manager does that.)
    fn restore(&mut self) {
        if self.path.symlink_metadata().is_ok() {
            return;
        }
        match Self::listen(&self.path) {
            Ok(server) => {
                tracing::warn!(path = %self.path.display(), "socket file was removed, made again");
                *self = server;
            }
            Err(error) => tracing::debug!(%error, "cannot make the socket again"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

async fn serve(mut stream: UnixStream, controller: Arc<Controller>) {
    let mut buffer = Buffer::default();
    loop {
        let answer = match timeout(CLIENT_PATIENCE, buffer.next_request(&mut stream)).await {
            Ok(Ok(Some(Next::Request(request)))) => answer(request, &controller).await,
            Ok(Ok(Some(Next::TooLarge))) => Zeroizing::new(uapi::errno(libc::EMSGSIZE)),
            Ok(Ok(None) | Err(_)) | Err(_) => return,
        };
        match timeout(CLIENT_PATIENCE, stream.write_all(answer.as_bytes())).await {
            Ok(Ok(())) if !buffer.overflown => {}
            _ => return,
        }
    }
}

async fn answer(request: Result<Request, ParseError>, controller: &Arc<Controller>) -> Zeroizing<String> {
    let set = match request {
        Ok(Request::Get) => return uapi::render(&controller.get().await),
        Ok(Request::Set(set)) => set,
        Err(error) => {
            tracing::warn!(%error, "request refused");
            return Zeroizing::new(uapi::errno(libc::EINVAL));
        }
    };
    // A task of its own: half a change would be worse than a client without an answer.
    let controller = Arc::clone(controller);
    let applied = tokio::spawn(async move { controller.set(set).await }).await;
    let errno = match applied {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            tracing::warn!(%error, "request failed");
            error.raw_os_error().unwrap_or(libc::EIO)
        }
        Err(_) => libc::EIO,
    };
    Zeroizing::new(uapi::errno(errno))
}

/// Bytes of a client that are not yet a request.
#[derive(Default)]
struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    /// Everything before this has been searched for the end of a request.
    searched: usize,
    overflown: bool,
}

enum Next {
    Request(Result<Request, ParseError>),
    TooLarge,
}

impl Buffer {
    const FIRST_SIZE: usize = 4096;

    /// The next request of this client, or `None` when it has hung up.
    async fn next_request(&mut self, stream: &mut UnixStream) -> io::Result<Option<Next>> {
        loop {
            if let Some(request) = self.take() {
                return Ok(Some(Next::Request(request)));
            }
            if self.bytes.len() >= MAX_REQUEST {
                self.overflown = true;
                return Ok(Some(Next::TooLarge));
            }
            self.make_room();
            if stream.read_buf(&mut *self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A request ends with an empty line, which may also be its only one.
    fn take(&mut self) -> Option<Result<Request, ParseError>> {
        let from = self.searched.saturating_sub(1);
        let end = match self.bytes.first() {
            Some(b'\n') => 1,
            _ => match self.bytes[from..].windows(2).position(|pair| pair == b"\n\n") {
                Some(at) => from + at + 2,
                None => {
                    self.searched = self.bytes.len();
                    return None;
                }
            },
        };
        let request = uapi::parse(&self.bytes[..end]);
        self.bytes.copy_within(end.., 0);
        let left = self.bytes.len() - end;
        self.bytes.truncate(left);
        self.searched = 0;
        Some(request)
    }

    /// Grows by hand: `Vec` would leave a copy of the keys behind.
    fn make_room(&mut self) {
        if self.bytes.len() < self.bytes.capacity() {
            return;
        }
        let size = (self.bytes.capacity() * 2).clamp(Self::FIRST_SIZE, MAX_REQUEST);
        let mut larger = Zeroizing::new(Vec::with_capacity(size));
        larger.extend_from_slice(&self.bytes);
        self.bytes = larger;
    }
}

#[cfg(test)]
mod tests;
