//! What has happened, as this node saw it: kept in memory and in `/var/lib/sfha/history.jsonl`, told to whoever
//! listens.
//!
//! ```text
//!   event loop ──Observer (bounded, never waits)──▶ task: Tracker ──▶ ring ──▶ socket, hooks, metrics
//!   mesh, links ───────────────────────────────────▲     └──────────▶ thread: file
//! ```
//!
//! The event loop only hands over a pointer. Where it is faster than the task, statuses are dropped and counted:
//! the next one is compared with the last that was looked at, so that only what lay between is not told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sfha_core::history::{Moment, Tracker};
use sfha_core::{ClusterState, Time};
use sfha_proto::history::{EventKind, History as Document, HistoryEvent, HistoryParams, Level};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::status::ClusterStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::links::Links;
use crate::paths::Paths;

mod file;

pub use file::KEPT;

/// Statuses that may wait for the task.
const QUEUE: usize = 256;

/// Upper ends of the buckets for the time without a VIP, in milliseconds.
pub const FAILOVER_ENDS_MS: [u64; 10] = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 30_000];

/// Most events in one answer: a line of the socket must hold them.
const MOST: usize = 1000;

/// Longest detail of an event, in bytes: what a program said may be long.
const MAX_DETAIL: usize = 300;

/// `MESSAGE_ID` of these events in the journal (systemd.journal-fields(7)).
pub const MESSAGE_ID: &str = "8d1c5a0e6f7b4c33a2f94e0b7d615f2a";

/// When, what was published, and the state that it came of.
type Seen = (Instant, Arc<ClusterStatus>, Arc<ClusterState>);

/// Where the event loop says what it published.
#[derive(Debug, Clone)]
pub struct Observer {
    queue: mpsc::Sender<Seen>,
    shared: Arc<Shared>,
}

impl Observer {
    /// Never waits.
    pub fn tell(&self, status: Arc<ClusterStatus>, state: Arc<ClusterState>) {
        if self.queue.try_send((Instant::now(), status, state)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is kept, for whoever wants to know.
#[derive(Debug, Clone)]
pub struct History {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<VecDeque<Arc<HistoryEvent>>>,
    last: watch::Sender<u64>,
    /// Number of the last event before this start.
    begun: u64,
    counted: Mutex<Counted>,
    dropped: AtomicU64,
    not_written: Arc<AtomicU64>,
}

/// What happened since the start, in numbers.
#[derive(Debug, Clone)]
pub struct Counted {
    /// How often what happened.
    pub kinds: BTreeMap<EventKind, u64>,
    /// Of VIPs that moved: why (`loss`, `order`), how often in each bucket alone (the last has no end), and the sum
    /// of their times in milliseconds.
    pub failovers: [(&'static str, Vec<u64>, u64); 2],
}

impl Default for Counted {
    fn default() -> Self {
        let empty = |reason| (reason, vec![0; FAILOVER_ENDS_MS.len() + 1], 0);
        Self { kinds: BTreeMap::new(), failovers: ["loss", "order"].map(empty) }
    }
}

impl Counted {
    fn count(&mut self, event: &HistoryEvent, was_lost: bool) {
        *self.kinds.entry(event.kind).or_default() += 1;
        let Some(ms) = event.duration_ms.filter(|_| event.kind == EventKind::VipMoved) else { return };
        let (_, counts, sum) = &mut self.failovers[usize::from(!was_lost)];
        let bucket = FAILOVER_ENDS_MS.iter().position(|end| ms <= *end).unwrap_or(FAILOVER_ENDS_MS.len());
        counts[bucket] += 1;
        *sum += ms;
    }
}

impl History {
    /// Reads what was kept and begins to follow. The task ends when the last [`Observer`] is gone.
    #[must_use]
    pub fn start(paths: &Paths, me: &str) -> (Self, Observer, Follower) {
        let kept = file::read(&paths.history());
        let last = kept.last().map_or(0, |event| event.id);
        let not_written = Arc::new(AtomicU64::new(0));
        let shared = Arc::new(Shared {
            ring: Mutex::new(kept.into_iter().map(Arc::new).collect()),
            last: watch::channel(last).0,
            begun: last,
            counted: Mutex::default(),
            dropped: AtomicU64::new(0),
            not_written: Arc::clone(&not_written),
        });
        let (queue, statuses) = mpsc::channel(QUEUE);
        let observer = Observer { queue, shared: Arc::clone(&shared) };
        let follower = Follower {
            tracker: Tracker::new(me, last),
            statuses,
            started: Instant::now(),
            shared: Arc::clone(&shared),
            file: file::Writer::start(paths.history(), not_written),
            warned: 0,
        };
        (Self { shared }, observer, follower)
    }

    /// The document of `history`.
    #[must_use]
    pub fn answer(&self, params: &HistoryParams) -> Document {
        let ring = self.shared.ring();
        let events = select(ring.iter().map(AsRef::as_ref), params);
        Document { schema: sfha_proto::SCHEMA, events, dropped: self.dropped() }
    }

    /// What is kept of the events after that one, the oldest first.
    #[must_use]
    pub fn after(&self, id: u64) -> Vec<Arc<HistoryEvent>> {
        self.shared.ring().iter().filter(|event| event.id > id).map(Arc::clone).collect()
    }

    /// Number of the last event, to be watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.last.subscribe()
    }

    /// Whether it is the same one, not that of another start.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Number of the last event before the daemon started.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.shared.begun
    }

    /// What happened since then, in numbers.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.shared.counted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Statuses that were not looked at.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Events that did not reach the disk.
    #[must_use]
    pub fn not_written(&self) -> u64 {
        self.shared.not_written.load(Ordering::Relaxed)
    }
}

/// What is on the disk, for a daemon whose cluster is not up.
#[must_use]
pub fn stored(paths: &Paths, params: &HistoryParams) -> Document {
    let events = select(file::read(&paths.history()).iter(), params);
    Document { schema: sfha_proto::SCHEMA, events, dropped: 0 }
}

/// The newest events that are asked for, the oldest first.
fn select<'a>(
    events: impl DoubleEndedIterator<Item = &'a HistoryEvent>,
    params: &HistoryParams,
) -> Vec<HistoryEvent> {
    let limit = usize::try_from(params.limit.unwrap_or(HistoryParams::LIMIT)).unwrap_or(MOST).min(MOST);
    let late_enough = |event: &&HistoryEvent| match (params.since_ms, event.time.parse::<Timestamp>()) {
        (Some(since), Ok(time)) => time.as_millisecond() >= since,
        _ => true,
    };
    // Whatever the clock was set to: every one is looked at.
    let wanted = events.rev().filter(late_enough).filter(|event| params.wants(event));
    let mut newest: Vec<HistoryEvent> = wanted.take(limit).cloned().collect();
    newest.reverse();
    newest
}

impl Shared {
    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<HistoryEvent>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task.
#[derive(Debug)]
pub struct Follower {
    tracker: Tracker,
    statuses: mpsc::Receiver<Seen>,
    started: Instant,
    shared: Arc<Shared>,
    file: file::Writer,
    /// Drops that were told.
    warned: u64,
}

impl Follower {
    /// Follows until the event loop has ended.
    pub async fn run(
        mut self,
        mut mesh: Option<watch::Receiver<Arc<MeshStatus>>>,
        mut links: watch::Receiver<Links>,
    ) {
        let events = self.tracker.started(env!("CARGO_PKG_VERSION"), self.moment(Instant::now()));
        self.keep(events);
        let mut links_live = true;
        loop {
            tokio::select! {
                biased;
                status = self.statuses.recv() => {
                    let Some((at, status, state)) = status else { return };
                    let now = self.moment(at);
                    let name = |node| state.node_name(node);
                    let events = self.tracker.fencings(&state.fencing, status.phase, name, now);
                    self.keep(events);
                    let events = self.tracker.status(&status, now);
                    self.keep(events);
                }
                view = changed(&mut mesh) => {
                    let now = self.moment(Instant::now());
                    let events = self.tracker.mesh(&view, now);
                    self.keep(events);
                }
                changed = links.changed(), if links_live => match changed {
                    Ok(()) => {
                        let seen = links.borrow_and_update().to_vec();
                        let now = self.moment(Instant::now());
                        let events = self.tracker.links(&seen, now);
                        self.keep(events);
                    }
                    Err(_) => links_live = false,
                }
            }
        }
    }

    fn moment(&self, at: Instant) -> Moment {
        let micros = at.saturating_duration_since(self.started).as_micros();
        let clock = Timestamp::now() - at.elapsed();
        Moment { at: Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)), clock }
    }

    fn keep(&mut self, events: Vec<HistoryEvent>) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.warned {
            warn!(dropped = dropped - self.warned, "changes came too fast for the history");
            self.warned = dropped;
        }
        let Some(last) = events.last().map(|event| event.id) else { return };
        for mut event in events {
            if let Some(detail) = &mut event.detail {
                detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
            }
            log(&event);
            self.file.write(&event);
            let mut ring = self.shared.ring();
            let cause = event.cause.and_then(|cause| ring.iter().rev().find(|other| other.id == cause));
            let was_lost = cause.is_some_and(|cause| cause.kind == EventKind::VipLost);
            let mut counted = self.shared.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.count(&event, was_lost);
            drop(counted);
            ring.push_back(Arc::new(event));
            if ring.len() > KEPT {
                ring.pop_front();
            }
        }
        self.shared.last.send_replace(last);
    }
}

async fn changed(mesh: &mut Option<watch::Receiver<Arc<MeshStatus>>>) -> Arc<MeshStatus> {
    if let Some(receiver) = mesh
        && receiver.changed().await.is_ok()
    {
        return Arc::clone(&receiver.borrow_and_update());
    }
    *mesh = None;
    std::future::pending().await
}

fn log(event: &HistoryEvent) {
    let HistoryEvent { id, node, resource, from, to, detail, duration_ms, cause, chain, .. } = event;
    let kind = event.kind.as_str();
    let about = || (node.as_deref(), resource.as_deref(), from.as_deref(), to.as_deref(), detail.as_deref());
    let (node, resource, from, to, detail) = about();
    // The names of peers' paths and the like are no secrets: these are the fields that everybody may see.
    macro_rules! tell {
        ($level:ident) => {
            $level!(
                message_id = MESSAGE_ID,
                event = kind,
                event_id = id,
                node,
                resource,
                from,
                to,
                detail,
                duration_ms,
                cause,
                chain,
                "happened"
            )
        };
    }
    match (event.level, event.kind) {
        (Level::Info, _) | (_, EventKind::VipMoved | EventKind::ServiceMoved) => tell!(info),
        (Level::Warning | Level::Critical, _) => tell!(warn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, time: &str, resource: Option<&str>, node: Option<&str>) -> HistoryEvent {
        HistoryEvent {
            id,
            time: time.to_owned(),
            kind: EventKind::VipMoved,
            level: Level::Warning,
            seen_by: "n1".into(),
            node: node.map(str::to_owned),
            resource: resource.map(str::to_owned),
            from: Some("n3".into()),
            to: node.map(str::to_owned),
            detail: None,
            duration_ms: None,
            cause: None,
            chain: id,
        }
    }

    fn ids(events: &[HistoryEvent], params: &HistoryParams) -> Vec<u64> {
        select(events.iter(), params).iter().map(|event| event.id).collect()
    }

    #[test]
    fn the_newest_that_are_asked_for_are_told_in_their_order() {
        let events = [
            event(1, "2026-01-01T00:00:00.000Z", Some("web"), Some("n1")),
            event(2, "2026-01-01T00:00:01.000Z", Some("db"), Some("n2")),
            event(3, "2026-01-01T00:00:02.000Z", Some("web"), Some("n2")),
        ];
        let all = HistoryParams::default();
        assert_eq!(ids(&events, &all), [1, 2, 3]);
        assert_eq!(ids(&events, &HistoryParams { limit: Some(2), ..all.clone() }), [2, 3]);
        let web = HistoryParams { resource: Some("web".into()), limit: Some(1), ..all.clone() };
        assert_eq!(ids(&events, &web), [3]);
        assert_eq!(ids(&events, &HistoryParams { node: Some("n1".into()), ..all.clone() }), [1]);
        assert_eq!(ids(&events, &HistoryParams { node: Some("n3".into()), ..all.clone() }), [1, 2, 3]);
        let many: Vec<HistoryEvent> =
            (1..=1500).map(|id| event(id, "2026-01-01T00:00:00.000Z", None, None)).collect();
        let told = select(many.iter(), &HistoryParams { limit: Some(u32::MAX), ..all.clone() });
        assert_eq!((told.len(), told[0].id), (MOST, 501));
        assert!(serde_json::to_vec(&told).unwrap().len() < sfha_proto::MAX_LINE / 2);
        let since = HistoryParams { since_ms: Some(1_767_225_601_000), ..all };
        assert_eq!(ids(&events, &since), [2, 3]);
    }

    fn state() -> Arc<ClusterState> {
        let node = sfha_core::state::Node::new("n1", [10, 0, 0, 1].into());
        Arc::new(ClusterState::new("c", "lan", None, node))
    }

    #[tokio::test]
    async fn a_task_that_stands_still_holds_nobody_up_and_what_it_missed_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let (history, observer, _follower) = History::start(&paths, "n1");
        let text = include_str!("../../sfha-tui/tests/fixtures/healthy.json");
        let status: Arc<ClusterStatus> = Arc::new(serde_json::from_str(text).unwrap());
        for _ in 0..QUEUE + 7 {
            observer.tell(Arc::clone(&status), state());
        }
        assert_eq!(history.dropped(), 7);
    }

    #[tokio::test]
    async fn what_happened_is_there_again_after_a_restart_and_numbers_go_on() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let text = include_str!("../../sfha-tui/tests/fixtures/healthy.json");
        let status: ClusterStatus = serde_json::from_str(text).unwrap();
        for round in 1..=2_u64 {
            let (history, observer, follower) = History::start(&paths, "n1");
            observer.tell(Arc::new(status.clone()), state());
            let mut lost = status.clone();
            lost.nodes[1].online = false;
            observer.tell(Arc::new(lost), state());
            drop(observer);
            let (_, links) = watch::channel(Links::default());
            follower.run(None, links).await;
            let told = history.answer(&HistoryParams::default());
            let kinds: Vec<EventKind> = told.events.iter().map(|event| event.kind).collect();
            let one = [EventKind::DaemonStarted, EventKind::NodeLost];
            assert_eq!(kinds, one.repeat(usize::try_from(round).unwrap()));
            assert_eq!(told.events.last().unwrap().id, 2 * round);
            assert_eq!(*history.watch().borrow(), 2 * round);
            assert_eq!(history.after(2 * round - 1).len(), 1);
        }
        assert_eq!(stored(&paths, &HistoryParams::default()).events.len(), 4);
    }
}
