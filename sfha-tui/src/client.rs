//! The conversation with the daemon: greeting, requests by id, notifications.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sfha_proto::codec::{self, CodecError, LineBuffer};
use sfha_proto::message::{Greeting, Notification, Outcome, Request, Response, ServerLine};
use sfha_proto::{ErrorCode, Failure, PROTOCOL};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::problem::Problem;

pub mod link;

/// A daemon that does not greet within this time is not one.
const GREETING: Duration = Duration::from_secs(5);

/// Why the conversation ended, or did not begin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// A code of the protocol: sent by the daemon, or made here (`no-daemon`, `timed-out`, …).
    #[error("the request failed")]
    Failed(#[from] Failure),
    /// The daemon speaks another protocol.
    #[error("the daemon {version} speaks protocol {theirs}")]
    Protocol {
        /// Protocol of the daemon.
        theirs: u32,
        /// Version of the daemon.
        version: String,
    },
    /// It closed the connection before it answered.
    #[error("the connection was closed")]
    Lost,
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Failed(failure) => failure.into(),
            ClientError::Protocol { theirs, version } => Self::protocol(theirs, &version),
            ClientError::Lost => Self::connection_lost(),
        }
    }
}

impl ClientError {
    /// Nobody listens at the socket.
    pub fn is_no_daemon(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.code == ErrorCode::NoDaemon)
    }
}

fn internal(what: &str, cause: impl ToString) -> ClientError {
    Failure::new(ErrorCode::Internal).with("what", what).with("cause", cause.to_string()).into()
}

/// Bytes from the daemon, cut into lines.
#[derive(Debug)]
pub struct Incoming {
    socket: OwnedReadHalf,
    lines: LineBuffer,
}

impl Incoming {
    /// The next line. Cancel-safe: what was read stays in the buffer.
    pub async fn line<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        loop {
            match self.lines.next_line() {
                Some(Ok(line)) => return codec::decode(&line).map_err(|error| internal("socket", error)),
                Some(Err(CodecError::TooLong)) => tracing::warn!("a line of the daemon was too long"),
                Some(Err(error)) => return Err(internal("socket", error)),
                None => {
                    let mut chunk = [0; 16 * 1024];
                    match self.socket.read(&mut chunk).await {
                        Ok(0) => return Err(ClientError::Lost),
                        Ok(count) => self.lines.push(&chunk[..count]),
                        Err(error) => {
                            tracing::debug!(%error, "reading from the daemon");
                            return Err(ClientError::Lost);
                        }
                    }
                }
            }
        }
    }
}

impl Incoming {
    /// Why the daemon hung up, if it said so.
    async fn last_words(&mut self) -> ClientError {
        match timeout(GREETING, self.line()).await {
            Ok(Ok(ServerLine::Response(Response { id: None, outcome: Outcome::Error(failure) }))) => {
                failure.into()
            }
            _ => ClientError::Lost,
        }
    }
}

/// Requests to the daemon.
#[derive(Debug)]
pub struct Outgoing {
    socket: OwnedWriteHalf,
    last_id: u64,
}

impl Outgoing {
    /// Sends one request and returns its id.
    pub async fn send(&mut self, method: &str, params: Value) -> Result<u64, ClientError> {
        self.last_id += 1;
        let request = Request { id: self.last_id, method: method.to_owned(), params };
        let line = codec::encode(&request).map_err(|error| internal(method, error))?;
        tracing::debug!(id = request.id, method, "request");
        self.socket.write_all(&line).await.map_err(|_| ClientError::Lost)?;
        Ok(request.id)
    }
}

/// One connection to the daemon.
#[derive(Debug)]
pub struct Connection {
    /// What it sends.
    pub incoming: Incoming,
    /// What is sent to it.
    pub outgoing: Outgoing,
    /// What it said first.
    pub greeting: Greeting,
}

impl Connection {
    /// Connects and checks the greeting.
    pub async fn open(path: &Path) -> Result<Self, ClientError> {
        let no_daemon = || Failure::new(ErrorCode::NoDaemon).with("socket", path.display().to_string());
        let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => Failure::new(ErrorCode::NotPermitted).with("user", user()),
            _ => no_daemon(),
        })?;
        let (reader, writer) = stream.into_split();
        let mut incoming = Incoming { socket: reader, lines: LineBuffer::default() };
        let greeting: Greeting = match timeout(GREETING, incoming.line()).await {
            Ok(Ok(greeting)) => greeting,
            Ok(Err(ClientError::Lost)) => return Err(no_daemon().into()),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(timed_out("greeting", GREETING)),
        };
        if greeting.protocol != PROTOCOL {
            return Err(ClientError::Protocol { theirs: greeting.protocol, version: greeting.sfha });
        }
        Ok(Self { incoming, outgoing: Outgoing { socket: writer, last_id: 0 }, greeting })
    }

    /// Sends a request and waits for its answer; notifications that come before it go to `notified`.
    pub async fn call<P: Serialize, T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
        limit: Duration,
        mut notified: impl FnMut(Notification),
    ) -> Result<T, ClientError> {
        let params = serde_json::to_value(params).map_err(|error| internal(method, error))?;
        let exchange = async {
            let id = match self.outgoing.send(method, params).await {
                Ok(id) => id,
                // It may have said why before it hung up.
                Err(ClientError::Lost) => return Err(self.incoming.last_words().await),
                Err(error) => return Err(error),
            };
            loop {
                match self.incoming.line().await? {
                    ServerLine::Notification(notification) => notified(notification),
                    // An answer without an id is about a line that the daemon could not read: ours.
                    ServerLine::Response(Response { id: answered, outcome })
                        if answered.is_none_or(|answered| answered == id) =>
                    {
                        return outcome_of(method, outcome);
                    }
                    ServerLine::Response(_) => {}
                }
            }
        };
        timeout(limit, exchange).await.unwrap_or_else(|_| Err(timed_out(method, limit)))
    }
}

fn outcome_of<T: DeserializeOwned>(method: &str, outcome: Outcome) -> Result<T, ClientError> {
    match outcome {
        Outcome::Result(value) => serde_json::from_value(value).map_err(|error| internal(method, error)),
        Outcome::Error(failure) => Err(failure.into()),
    }
}

fn timed_out(what: &str, limit: Duration) -> ClientError {
    Failure::new(ErrorCode::TimedOut).with("what", what).with("seconds", limit.as_secs()).into()
}

/// Name of the user who runs this, or the number.
pub fn user() -> String {
    let uid = nix::unistd::geteuid();
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}
