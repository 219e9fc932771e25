//! The only place where the core and the machine meet: wait, record and feed one event, drain the
//! actions, publish what changed.

mod changes;
mod handle;
mod translate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sfha_core::health::Verdict;
use sfha_core::mesh_vips::Holders;
use sfha_core::resources::{HealthCheck, Service};
use sfha_core::{Action, ActionId, Cluster, ClusterState, Event, Time};
use sfha_proto::fencing::{FencingAlert, FencingSummary, WatchdogStatus};
use sfha_proto::status::ClusterStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::disk::Disk;
use crate::fencing::calls::{self, Order};
use crate::fencing::guard::Guard;
use crate::history::Observer;
use crate::io::corosync::{Corosync, CorosyncEvent};
use crate::mesh::unix_now;
use crate::probes::{Probes, Wanted};
use crate::recorder::Recorder;
use crate::services::Services;
use crate::turns::Turns;
use crate::vips::{Finished, RENEWAL, Vips};

use changes::log_changes;
use handle::{Call, Reply};
pub use handle::{CoreHandle, FencingSeen};
use translate::translate;

/// Deadline for leaving the group.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

/// Between two publications: of many resources that change together people see some steps, not all. What somebody
/// waits for an answer about is published with the answer.
const PUBLISHED: Duration = Duration::from_millis(5);

/// Between two looks at the clock on the wall.
const CLOCK: Duration = Duration::from_secs(60);

/// The loop.
pub struct EventLoop {
    core: Cluster,
    started: Instant,
    corosync: Arc<Corosync>,
    from_corosync: mpsc::UnboundedReceiver<CorosyncEvent>,
    calls: mpsc::Receiver<Call>,
    finished: mpsc::UnboundedReceiver<Finished>,
    outcomes: mpsc::UnboundedSender<Finished>,
    disk: Disk,
    vips: Vips,
    services: Services,
    probes: Probes,
    guard: Guard,
    alerts: watch::Receiver<Vec<FencingAlert>>,
    fencing: watch::Sender<FencingSeen>,
    units: watch::Sender<BTreeMap<String, String>>,
    /// Starts of services under way, and how often each was started: with every start its checks begin anew.
    starting: BTreeMap<ActionId, String>,
    starts: BTreeMap<String, u64>,
    recorder: Option<Recorder>,
    waiting: BTreeMap<u64, Reply>,
    next_request: u64,
    state: watch::Sender<Arc<ClusterState>>,
    status: watch::Sender<Arc<ClusterStatus>>,
    coordinator: watch::Sender<bool>,
    holders: watch::Sender<Option<Holders>>,
    decorate: fn(ClusterStatus, &ClusterState) -> ClusterStatus,
    history: Observer,
    turns: Arc<Turns>,
    late: Arc<Turns>,
    left: bool,
    /// Something happened since the status was published.
    unpublished: bool,
    /// When to publish what happens next, at the earliest.
    publish_at: Instant,
    /// Something happened since the holders were told.
    untold: bool,
}

/// What the loop is made of.
pub struct Parts {
    /// The decisions.
    pub core: Cluster,
    /// The group.
    pub corosync: Arc<Corosync>,
    /// What it tells.
    pub from_corosync: mpsc::UnboundedReceiver<CorosyncEvent>,
    /// Outcomes of actions.
    pub finished: mpsc::UnboundedReceiver<Finished>,
    /// Where outcomes go.
    pub outcomes: mpsc::UnboundedSender<Finished>,
    /// Writes the state.
    pub disk: Disk,
    /// Keeps VIPs.
    pub vips: Vips,
    /// Starts and stops services.
    pub services: Services,
    /// Asks health checks.
    pub probes: Probes,
    /// What the last tests of fencing found wrong.
    pub alerts: watch::Receiver<Vec<FencingAlert>>,
    /// The units that are watched, by the names of their services.
    pub units: watch::Sender<BTreeMap<String, String>>,
    /// Writes down every turn.
    pub recorder: Option<Recorder>,
    /// Adds to the status what the core does not know.
    pub decorate: fn(ClusterStatus, &ClusterState) -> ClusterStatus,
    /// Is told what was published.
    pub history: Observer,
    /// Is told how long turns take.
    pub turns: Arc<Turns>,
    /// Is told how late the time for renewing comes.
    pub late: Arc<Turns>,
}

impl EventLoop {
    /// Puts a loop together.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, CoreHandle) {
        let (calls_tx, calls) = mpsc::channel(64);
        let (state, state_rx) = watch::channel(Arc::new(parts.core.state().clone()));
        let first = (parts.decorate)(parts.core.status(), parts.core.state());
        let (status, status_rx) = watch::channel(Arc::new(first));
        let (coordinator, coordinator_rx) = watch::channel(false);
        let (holders, holders_rx) = watch::channel(None);
        let (fencing, fencing_rx) = watch::channel((Instant::now(), FencingSummary::default()));
        let handle = CoreHandle {
            calls: calls_tx,
            state: state_rx,
            status: status_rx,
            coordinator: coordinator_rx,
            holders: holders_rx,
            fencing: fencing_rx,
        };
        let this = Self {
            core: parts.core,
            started: Instant::now(),
            corosync: parts.corosync,
            from_corosync: parts.from_corosync,
            calls,
            finished: parts.finished,
            outcomes: parts.outcomes,
            disk: parts.disk,
            vips: parts.vips,
            services: parts.services,
            probes: parts.probes,
            guard: Guard::default(),
            alerts: parts.alerts,
            fencing,
            units: parts.units,
            starting: BTreeMap::new(),
            starts: BTreeMap::new(),
            recorder: parts.recorder,
            waiting: BTreeMap::new(),
            next_request: 0,
            state,
            status,
            coordinator,
            holders,
            decorate: parts.decorate,
            history: parts.history,
            turns: parts.turns,
            late: parts.late,
            left: false,
            unpublished: false,
            publish_at: Instant::now(),
            untold: false,
        };
        (this, handle)
    }

    /// Runs until the group is left. Cancel-safe only in the sense that a dropped loop stops renewing.
    pub async fn run(mut self) {
        let mut renewal = tokio::time::interval(RENEWAL);
        renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut clock = tokio::time::interval(CLOCK);
        while !self.left {
            let deadline =
                self.core.poll_timeout().map(|(at, _)| self.started + Duration::from_micros(at.as_micros()));
            let event = tokio::select! {
                biased;
                Some(event) = self.from_corosync.recv() => translate(event, self.core.me()),
                Some(finished) = self.finished.recv() => Some(self.told(finished)),
                due = renewal.tick() => {
                    self.late.record(due.elapsed());
                    self.vips.renew();
                    self.look_after_watchdog()
                }
                _ = clock.tick() => Some(Event::Clock { wall: unix_now() }),
                Some(call) = self.calls.recv() => self.called(call),
                () = sleep_until(deadline) => Some(Event::Tick),
                // The mesh follows at once, when there is nothing more to hear: a key that is announced is about to be used.
                () = std::future::ready(()), if self.untold => {
                    self.tell_mesh();
                    None
                }
                () = sleep_until(Some(self.publish_at)), if self.unpublished => {
                    self.publish();
                    None
                }
            };
            if let Some(event) = event {
                let begun = Instant::now();
                self.turn(event);
                self.turns.record(begun.elapsed());
            }
        }
        self.corosync.leave(LEAVE_DEADLINE).await;
        if self.core.held().is_empty() {
            self.guard.disarm();
        }
        info!("left the group");
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn turn(&mut self, event: Event) {
        let now = self.now();
        let told = self.recorder.is_some().then(|| event.clone());
        self.core.handle_event(event, now);
        let (mut answered, mut asked) = (false, Vec::new());
        while let Some(action) = self.core.poll_action() {
            answered |= matches!(action, Action::Answer { .. });
            if told.is_some() {
                asked.push(action.clone());
            }
            self.carry_out(action);
        }
        if let (Some(recorder), Some(event)) = (&mut self.recorder, told) {
            recorder.record(now, event, asked);
        }
        (self.unpublished, self.untold) = (true, true);
        // Whoever gets an answer sees what it speaks of.
        if answered || self.left {
            self.publish();
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Multicast(message) => match serde_json::to_vec(&message) {
                Ok(payload) => {
                    if let Err(error) = self.corosync.multicast(payload) {
                        // The loss of the connection comes as an event of its own.
                        warn!(%error, "message not sent");
                    }
                }
                Err(error) => error!(%error, "message cannot be encoded"),
            },
            Action::Persist { id, state } => self.disk.persist(id, state),
            Action::Acquire { id, name, vip, probe } => self.vips.acquire(id, name, vip, probe),
            Action::Release { id, name, vip } => self.vips.release(id, name, vip),
            Action::StartService { id, name, service } => {
                self.starting.insert(id, name.clone());
                self.services.start(id, name, service);
            }
            Action::RestartService { id, name, service } => {
                self.starting.insert(id, name.clone());
                self.services.restart(id, name, service);
            }
            Action::StopService { id, name, service } => self.services.stop(id, name, service),
            Action::Announce { name } => self.vips.announce(name),
            Action::Answer { request, result } => {
                if let Some(reply) = self.waiting.remove(&request) {
                    // Whoever asked may have hung up.
                    let _ = reply.send(result);
                }
            }
            Action::ReloadCorosync { id } => {
                tokio::spawn(reload(Arc::clone(&self.corosync), id, self.outcomes.clone()));
            }
            Action::Fence { id, name, level, call, deadline_ms, .. } => {
                let deadline = Duration::from_millis(deadline_ms);
                let order = Order { id, name, level, call, deadline };
                calls::start(order, &self.core.state().stonith, self.outcomes.clone());
            }
            Action::Leave => self.left = true,
        }
    }

    /// Where the VIPs are, and the state: before it, so that whoever waits for both sees a new VIP with its holder.
    fn tell_mesh(&mut self) {
        self.untold = false;
        let holders = self.core.holders();
        self.holders.send_if_modified(|old| {
            let changed = *old != holders;
            *old = holders;
            changed
        });
        if **self.state.borrow() != *self.core.state() {
            self.state.send_replace(Arc::new(self.core.state().clone()));
        }
    }

    fn publish(&mut self) {
        (self.unpublished, self.publish_at) = (false, Instant::now() + PUBLISHED);
        self.tell_mesh();
        self.look_after_services();
        let mut status = (self.decorate)(self.core.status(), self.core.state());
        self.publish_fencing(&mut status);
        let state = Arc::clone(&self.state.borrow());
        self.status.send_if_modified(|old| {
            if **old == status {
                return false;
            }
            log_changes(old, &status);
            *old = Arc::new(status);
            self.history.tell(Arc::clone(old), state);
            true
        });
        let coordinator = self.core.is_coordinator() && self.core.is_operational();
        self.coordinator.send_if_modified(|old| std::mem::replace(old, coordinator) != coordinator);
    }

    /// Waits are not part of the status that is followed: they would change it all the time.
    fn publish_fencing(&self, status: &mut ClusterStatus) {
        if !self.core.state().stonith.enabled {
            return;
        }
        let alerts = self.alerts.borrow().clone();
        let watchdog = self.guard.status(self.core.is_trustworthy());
        let seen = self.core.fencing().summary(Some(self.now()));
        let seen = FencingSummary { alerts: alerts.clone(), watchdog: watchdog.clone(), ..seen };
        self.fencing.send_replace((Instant::now(), seen));
        status.fencing.alerts = alerts;
        status.fencing.watchdog = watchdog.map(|watchdog| WatchdogStatus { reset_ms: None, ..watchdog });
    }

    /// A sign of life for the watchdog; an event when it is not as it was.
    fn look_after_watchdog(&mut self) -> Option<Event> {
        self.guard.feed(self.core.is_trustworthy());
        let state = self.core.state();
        let timeout_ms = self.guard.follow(&state.stonith, &state.node_name(self.core.me()))?;
        Some(Event::Watchdog { timeout_ms })
    }

    fn told(&mut self, finished: Finished) -> Event {
        match finished {
            Finished::Action(id, outcome) => {
                if let Some(name) = self.starting.remove(&id)
                    && outcome.is_ok()
                {
                    *self.starts.entry(name).or_default() += 1;
                }
                Event::ActionFinished { id, outcome }
            }
            Finished::Unit(name, state) => Event::UnitChanged { name, state },
            Finished::Check(name, Verdict { healthy, error }) => Event::CheckChanged { name, healthy, error },
            Finished::Vanished(name) => Event::Vanished { name },
            Finished::Conflict(name, by) => Event::Conflict { name, by },
            Finished::Fence(id, outcome) => Event::FenceFinished { id, outcome },
        }
    }

    /// Has the units of services watched, and the checks asked that concern this node.
    fn look_after_services(&self) {
        let state = self.core.state();
        self.units.send_if_modified(|old| {
            let same = |((name, service), (watched, unit)): ((&String, &Service), (&String, &String))| {
                (name, &service.unit) == (watched, unit)
            };
            let unchanged = old.len() == state.services.len() && state.services.iter().zip(&*old).all(same);
            if !unchanged {
                let unit = |(name, service): (&String, &Service)| (name.clone(), service.unit.clone());
                *old = state.services.iter().map(unit).collect();
            }
            !unchanged
        });
        let starts = |check: &HealthCheck| {
            let service = check.service.as_ref();
            service.and_then(|name| self.starts.get(name)).copied().unwrap_or_default()
        };
        let wanted = |name: String| {
            let check = state.checks.get(&name)?.clone();
            Some((name, Wanted { starts: starts(&check), check }))
        };
        self.probes.set(self.core.local_checks().into_iter().filter_map(wanted).collect());
        self.probes.set_hands_off(state.maintenance);
    }

    fn called(&mut self, call: Call) -> Option<Event> {
        let mut remember = |reply: Reply| {
            self.next_request += 1;
            self.waiting.insert(self.next_request, reply);
            self.next_request
        };
        Some(match call {
            Call::Propose(command, reply) => Event::Propose { request: remember(reply), command },
            Call::Move(to, names, reply) => Event::Move { request: remember(reply), to, names },
            Call::Announce(names, reply) => Event::Announce { request: remember(reply), names },
            Call::Shutdown => Event::Shutdown,
            Call::Look(look) => {
                look(&self.core, self.now());
                return None;
            }
        })
    }
}

/// Has every Corosync read its file again.
async fn reload(corosync: Arc<Corosync>, id: ActionId, finished: mpsc::UnboundedSender<Finished>) {
    let outcome = match corosync.reload().await {
        Ok(()) => {
            info!("corosync reads its configuration again");
            Ok(())
        }
        Err(error) => {
            warn!(error = crate::mesh::describe(&error), "corosync not reloaded");
            Err("corosync-failed".to_owned())
        }
    };
    // The loop may have ended meanwhile.
    let _ = finished.send(Finished::Action(id, outcome));
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
