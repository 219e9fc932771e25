//! Runs programs and posts to URLs when something happens.
//!
//! ```text
//!   history ──▶ follow: which hooks, on this node? ──▶ a queue for each (bounded) ──▶ its task: one at a time,
//!                                                                                  with a deadline, tried again
//! ```
//!
//! Nothing waits for a hook: a queue that is full loses the newest event, which is counted and logged. Programs get
//! the event as JSON on their standard input, no shell, a clean environment and a process group that is killed.
//!
//! Which node runs a hook: what only one node can see (its own quorum, its peers) runs there. Else the node that
//! the event is about, if its daemon is in the group, and the leader if not; without a leader every node that sees
//! it. Where nodes disagree for a moment on who leads, a hook may run twice, rather than not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sfha_config::local::{Call, Hook};
use sfha_proto::history::{EventKind, HistoryEvent};
use sfha_proto::status::ClusterStatus;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::daemon::{Daemon, Life};
use crate::fencing::secret::Secret;
use crate::history::History;
use crate::probes::resolver::Resolver;
use crate::probes::{http, program};

/// Events that may wait for one hook.
const QUEUE: usize = 64;

/// Time before the first further try; it doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a hook did what.
pub type Calls = BTreeMap<(String, &'static str), u64>;

/// What hooks did, for the metrics.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Calls>>);

impl Tally {
    fn count(&self, hook: &str, outcome: &'static str) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((hook.to_owned(), outcome)).or_default() += 1;
    }

    /// By hook and `done`, `failed` or `dropped`.
    #[must_use]
    pub fn read(&self) -> Calls {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Follows what happens, until dropped.
pub async fn follow(daemon: Arc<Daemon>, tally: Tally) {
    let mut settings = daemon.local.watch();
    let mut life = daemon.watch_life();
    let mut running: Vec<Running> = Vec::new();
    let mut hooks: Vec<Hook> = Vec::new();
    let mut followed: Option<(History, u64)> = None;
    loop {
        life.borrow_and_update();
        let Life::Running(runtime) = daemon.life() else {
            if life.changed().await.is_err() {
                return;
            }
            continue;
        };
        let (history, mut last, status) =
            (runtime.history.clone(), runtime.history.watch(), runtime.core.watch_status());
        drop(runtime);
        // A life that was only interrupted goes on: nothing is run twice.
        let mut told = match &followed {
            Some((before, told)) if before.is(&history) => *told,
            _ => history.begun(),
        };
        loop {
            let wanted = settings.borrow_and_update().as_ref().map(|now| now.local.hooks.clone());
            if let Some(wanted) = wanted.filter(|wanted| *wanted != hooks) {
                // What waits for the old ones is still done.
                running = wanted.iter().map(|hook| Running::start(hook.clone(), tally.clone())).collect();
                hooks = wanted;
            }
            for event in history.after(told) {
                told = event.id;
                followed = Some((history.clone(), told));
                let status = status.borrow().clone();
                let here = runs_here(&event, &status);
                for hook in running.iter().filter(|hook| hook.wants(&event, here)) {
                    hook.tell(Arc::clone(&event), &tally);
                }
            }
            tokio::select! {
                changed = last.changed() => if changed.is_err() { break },
                changed = settings.changed() => if changed.is_err() { return },
                changed = life.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
    }
}

/// Whether this node is the one that runs hooks on an event.
fn runs_here(event: &HistoryEvent, status: &ClusterStatus) -> bool {
    if is_own(event.kind) {
        return true;
    }
    let alive =
        |name: &String| status.nodes.iter().any(|node| node.name == *name && node.online && node.daemon);
    match event.node.as_ref().filter(|name| alive(name)).or(status.leader.as_ref()) {
        Some(node) => *node == status.node,
        None => true,
    }
}

/// What no other node sees, or each in its own way.
fn is_own(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::DaemonStarted
            | EventKind::CorosyncLost
            | EventKind::CorosyncBack
            | EventKind::QuorumLost
            | EventKind::QuorumRegained
            | EventKind::PeerLost
            | EventKind::PeerConnected
            | EventKind::PeerPath
            | EventKind::LinkLost
            | EventKind::LinkBack
            | EventKind::FencingTestFailed
            | EventKind::FencingTestGood
    )
}

/// A hook and the way to its task.
struct Running {
    hook: Arc<Hook>,
    queue: mpsc::Sender<Arc<HistoryEvent>>,
}

impl Running {
    fn start(hook: Hook, tally: Tally) -> Self {
        let hook = Arc::new(hook);
        let (queue, events) = mpsc::channel(QUEUE);
        tokio::spawn(work(Arc::clone(&hook), events, tally));
        Self { hook, queue }
    }

    fn wants(&self, event: &HistoryEvent, here: bool) -> bool {
        (here || self.hook.everywhere) && self.hook.on.as_ref().is_none_or(|on| on.contains(&event.kind))
    }

    fn tell(&self, event: Arc<HistoryEvent>, tally: &Tally) {
        if self.queue.try_send(event).is_err() {
            warn!(hook = self.hook.name, "hook is too slow: an event is lost for it");
            tally.count(&self.hook.name, "dropped");
        }
    }
}

async fn work(hook: Arc<Hook>, mut events: mpsc::Receiver<Arc<HistoryEvent>>, tally: Tally) {
    let resolver = Arc::new(Resolver::default());
    while let Some(event) = events.recv().await {
        let Ok(body) = serde_json::to_vec(&*event) else { continue };
        let kind = event.kind.as_str();
        let mut pause = PAUSE;
        let mut left = hook.retries;
        loop {
            let attempt = attempt(&hook.call, &body, &resolver);
            let outcome = tokio::time::timeout(Duration::from_millis(hook.timeout_ms), attempt).await;
            match outcome.unwrap_or_else(|_| Err("timed-out".to_owned())) {
                Ok(()) => {
                    info!(hook = hook.name, event = kind, event_id = event.id, "hook done");
                    tally.count(&hook.name, "done");
                    break;
                }
                Err(code) if left == 0 => {
                    warn!(hook = hook.name, event = kind, event_id = event.id, code, "hook failed");
                    tally.count(&hook.name, "failed");
                    break;
                }
                Err(code) => {
                    info!(hook = hook.name, event = kind, code, left, "hook failed, tried again");
                    left -= 1;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// One try; a code of what went wrong. The URL, which may be a secret, is in no error.
async fn attempt(call: &Call, body: &[u8], resolver: &Arc<Resolver>) -> Result<(), String> {
    match call {
        Call::Program(command) => program::feed(command, body.to_vec()).await,
        Call::Webhook { url, headers_file, ca_file } => {
            let (headers_file, ca_file) = (headers_file.clone(), ca_file.clone());
            let resolver = Arc::clone(resolver);
            // Files are read each time: certificates and secrets may have been replaced meanwhile.
            let made = tokio::task::spawn_blocking(move || prepare(headers_file, ca_file, resolver)).await;
            let (client, headers) = made.unwrap_or_else(|_| Err("internal".to_owned()))?;
            let request = client.post(url.as_str()).headers(headers).header(CONTENT_TYPE, "application/json");
            let response = request.body(body.to_vec()).send().await.map_err(http::failure)?;
            let status = response.status();
            if status.is_success() { Ok(()) } else { Err(format!("status-{}", status.as_u16())) }
        }
    }
}

fn prepare(
    headers_file: Option<String>,
    ca_file: Option<String>,
    resolver: Arc<Resolver>,
) -> Result<(Client, HeaderMap), String> {
    let mut headers = HeaderMap::new();
    if let Some(path) = headers_file {
        let pairs = Secret::read_pairs(path.as_ref(), ':').map_err(|failure| failure.code.as_str())?;
        for (name, value) in pairs {
            let name = HeaderName::try_from(name).map_err(|_| "headers-file")?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| "headers-file")?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    Ok((http::client(ca_file.as_deref(), resolver)?, headers))
}

#[cfg(test)]
mod tests;
