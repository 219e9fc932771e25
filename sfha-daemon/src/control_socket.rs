//! `/run/sfha/sfhad.sock`: requests in; responses and notifications out.
//!
//! Every connection has its own tasks: a client that sends rubbish, reads slowly or hangs costs nobody
//! else anything. Requests of one connection are served side by side, since a join takes seconds.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_core::command::invalid;
use sfha_proto::codec::{CodecError, LineBuffer, decode, encode};
use sfha_proto::message::{
    Greeting, LogLine, Notification, Outcome, Progress as ProgressNote, Request, Response, SubscribeParams,
    Topic, method,
};
use sfha_proto::{ErrorCode, Failure, MAX_LINE, PROTOCOL};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::access::Caller;
use crate::connections::{Connections, PER_USER};
use crate::daemon::{Daemon, Life};
use crate::history::History;
use crate::log_feed::LogFeed;
use crate::setup::{Progress, Told};

/// Requests of one connection at once.
const MAX_REQUESTS: usize = 16;

/// Shortest time between two status notifications of one connection.
const STATUS_PAUSE: Duration = Duration::from_millis(100);

/// Longest time that a client may leave a line unread before it is cut off.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Makes the socket: 0660, group `sfha` where that group exists.
///
/// # Errors
/// The socket cannot be made.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // The lock file says that no other daemon lives: a socket that is there is a dead one's.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    if let Ok(Some(group)) = nix::unistd::Group::from_name("sfha") {
        std::os::unix::fs::chown(path, None, Some(group.gid.as_raw()))?;
    }
    Ok(listener)
}

/// Serves until dropped.
pub async fn serve(listener: UnixListener, daemon: Arc<Daemon>, logs: LogFeed) {
    let connections = Arc::new(Connections::default());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(caller) = Caller::of(&stream) else { continue };
                let Some(place) = connections.admit(caller.uid) else {
                    refuse(&stream);
                    continue;
                };
                let (daemon, logs) = (Arc::clone(&daemon), logs.clone());
                tokio::spawn(async move {
                    converse(stream, caller, daemon, logs).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Says why, and hangs up. Nobody waits for a client that does not read: a new socket has room for this much.
fn refuse(stream: &UnixStream) {
    let failure = Failure::new(ErrorCode::TooManyConnections).with("limit", PER_USER);
    let refusal = Response { id: None, outcome: Outcome::Error(failure) };
    for line in [encode(&greeting()), encode(&refusal)].into_iter().flatten() {
        let _ = stream.try_write(&line);
    }
}

fn greeting() -> Greeting {
    Greeting { sfha: env!("CARGO_PKG_VERSION").to_owned(), protocol: PROTOCOL }
}

async fn converse(stream: UnixStream, caller: Caller, daemon: Arc<Daemon>, logs: LogFeed) {
    let (reader, writer) = stream.into_split();
    let (lines, queue) = mpsc::channel(8);
    let writing = tokio::spawn(write_lines(writer, queue));
    let session = Session { daemon, caller, lines, logs };
    session.run(reader).await;
    writing.abort();
}

async fn write_lines(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = queue.recv().await {
        match tokio::time::timeout(WRITE_DEADLINE, writer.write_all(&line)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

#[derive(Clone)]
struct Session {
    daemon: Arc<Daemon>,
    caller: Caller,
    lines: mpsc::Sender<Vec<u8>>,
    logs: LogFeed,
}

impl Session {
    async fn run(self, mut reader: OwnedReadHalf) {
        self.send(&greeting()).await;
        let mut buffer = LineBuffer::default();
        let mut bytes = vec![0; 16 * 1024];
        let mut serving = JoinSet::new();
        let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
        loop {
            let length = tokio::select! {
                read = reader.read(&mut bytes) => match read {
                    Ok(length) if length > 0 => length,
                    _ => break,
                },
                () = self.lines.closed() => break,
            };
            buffer.push(&bytes[..length]);
            while let Some(line) = buffer.next_line() {
                while serving.try_join_next().is_some() {}
                match line.and_then(|line| decode_request(&line)) {
                    Ok(request) => {
                        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                        let session = self.clone();
                        serving.spawn(async move {
                            session.serve(request).await;
                            drop(slot);
                        });
                    }
                    Err(error) => self.respond(None, Err(refusal(&error))).await,
                }
            }
        }
        // A join goes on although its terminal is gone; it is the daemon's work from here on.
        serving.detach_all();
    }

    async fn serve(self, request: Request) {
        let Request { id, method: name, params } = request;
        // Asked for each request: who may do what can change while somebody is connected.
        if let Err(failure) = self.daemon.local.rules().await.check(&self.caller, &name) {
            info!(uid = self.caller.uid, method = name, "not permitted");
            return self.respond(Some(id), Err(failure)).await;
        }
        if name == method::SUBSCRIBE {
            let params = if params.is_null() { json!({}) } else { params };
            let params = match serde_json::from_value::<SubscribeParams>(params) {
                Ok(params) => params,
                Err(error) => {
                    let failure = invalid("params", "", &error.to_string());
                    return self.respond(Some(id), Err(failure)).await;
                }
            };
            self.respond(Some(id), Ok(json!({}))).await;
            return self.stream(params).await;
        }
        debug!(uid = self.caller.uid, method = name, "request");
        let (steps, mut reports) = mpsc::channel(16);
        let progress = Progress::new(steps);
        let daemon = Arc::clone(&self.daemon);
        let mut work = std::pin::pin!(daemon.serve(&name, params, progress));
        let mut seq = 0;
        let mut report = async |told: Told| {
            seq += 1;
            let Told { step, node, elapsed_ms } = told;
            self.notify("progress", seq, &ProgressNote { id, step, node, elapsed_ms }).await
        };
        let outcome = loop {
            tokio::select! {
                Some(step) = reports.recv() => { report(step).await; }
                outcome = &mut work => break outcome,
            }
        };
        while let Ok(step) = reports.try_recv() {
            report(step).await;
        }
        self.respond(Some(id), outcome).await;
    }

    /// A whole status at once and whenever it changes; the newest when the client is slow. Log lines
    /// and events in between.
    async fn stream(self, params: SubscribeParams) {
        let topics = params.topics.unwrap_or_else(|| vec![Topic::Status, Topic::Log]);
        let [statuses, log_lines, events] =
            [Topic::Status, Topic::Log, Topic::History].map(|topic| topics.contains(&topic));
        let mut life = self.daemon.watch_life();
        // Not even subscribed where nobody wants them: lines are made for subscribers.
        let mut logs = log_lines.then(|| self.logs.subscribe());
        let mut told = params.after;
        let mut seq = 0;
        'lives: loop {
            life.borrow_and_update();
            let now = self.daemon.life();
            let mut sources = Sources::of(&now);
            let mut happened = match (&now, events) {
                (Life::Running(runtime), true) => Some((runtime.history.clone(), runtime.history.watch())),
                _ => None,
            };
            drop(now);
            loop {
                if statuses {
                    seq += 1;
                    if !self.notify("status", seq, &self.daemon.any_status()).await {
                        return;
                    }
                    tokio::time::sleep(STATUS_PAUSE).await;
                }
                loop {
                    if let Some((history, last)) = &mut happened {
                        let last = *last.borrow_and_update();
                        let from = match told {
                            None => last,
                            // After a cluster was left, numbers begin anew.
                            Some(told) if told > last => 0,
                            Some(told) => told,
                        };
                        for event in history.after(from) {
                            seq += 1;
                            if !self.notify("history", seq, &*event).await {
                                return;
                            }
                        }
                        told = Some(last);
                    }
                    tokio::select! {
                        () = sources.changed(), if statuses => break,
                        // What was followed is over: the next life has sources of its own.
                        changed = life.changed() => match changed {
                            Ok(()) => continue 'lives,
                            Err(_) => return,
                        },
                        () = next_event(&mut happened) => {}
                        line = next_line(&mut logs) => if let Some(line) = line {
                            seq += 1;
                            if !self.notify("log", seq, &line).await {
                                return;
                            }
                        },
                        () = self.lines.closed() => return,
                    }
                }
                if life.has_changed().unwrap_or(true) {
                    break;
                }
            }
        }
    }

    async fn notify(&self, event: &str, seq: u64, data: &impl serde::Serialize) -> bool {
        let data = serde_json::to_value(data).unwrap_or(Value::Null);
        self.send(&Notification { event: event.to_owned(), seq, data }).await
    }

    async fn respond(&self, id: Option<u64>, outcome: Result<Value, Failure>) {
        let outcome = match outcome {
            Ok(value) => Outcome::Result(value),
            Err(failure) => Outcome::Error(failure),
        };
        self.send(&Response { id, outcome }).await;
    }

    async fn send(&self, message: &impl serde::Serialize) -> bool {
        match encode(message) {
            Ok(line) => self.lines.send(line).await.is_ok(),
            Err(error) => {
                warn!(%error, "message not sent");
                true
            }
        }
    }
}

/// What a stream follows.
struct Sources {
    status: Option<tokio::sync::watch::Receiver<Arc<sfha_proto::status::ClusterStatus>>>,
    mesh: Option<tokio::sync::watch::Receiver<Arc<sfha_proto::mesh::MeshStatus>>>,
    links: Option<tokio::sync::watch::Receiver<crate::links::Links>>,
}

impl Sources {
    fn of(life: &Life) -> Self {
        let Life::Running(runtime) = life else {
            return Self { status: None, mesh: None, links: None };
        };
        let mut status = runtime.core.watch_status();
        status.borrow_and_update();
        let mesh = runtime.mesh.as_ref().map(|mesh| {
            let mut mesh = mesh.watch();
            mesh.borrow_and_update();
            mesh
        });
        let mut links = runtime.watch_links();
        links.borrow_and_update();
        Self { status: Some(status), mesh, links: Some(links) }
    }

    async fn changed(&mut self) {
        async fn of<T>(source: &mut Option<tokio::sync::watch::Receiver<T>>) {
            match source {
                Some(receiver) => {
                    if receiver.changed().await.is_err() {
                        *source = None;
                        std::future::pending::<()>().await;
                    }
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = of(&mut self.status) => {}
            () = of(&mut self.mesh) => {}
            () = of(&mut self.links) => {}
        }
    }
}

async fn next_event(happened: &mut Option<(History, watch::Receiver<u64>)>) {
    if let Some((_, last)) = happened
        && last.changed().await.is_ok()
    {
        return;
    }
    // The loop has ended, or there is none: another life tells what comes next.
    std::future::pending().await
}

async fn next_line(logs: &mut Option<broadcast::Receiver<LogLine>>) -> Option<LogLine> {
    match logs {
        Some(logs) => logs.recv().await.ok(),
        None => std::future::pending().await,
    }
}

fn decode_request(line: &[u8]) -> Result<Request, CodecError> {
    decode(line)
}

fn refusal(error: &CodecError) -> Failure {
    match error {
        CodecError::TooLong => Failure::new(ErrorCode::TooLong).with("limit", MAX_LINE),
        CodecError::Malformed(_) => ErrorCode::Malformed.into(),
    }
}
