//! The only place where the core and the machine meet: wait, record and feed one event, drain the
//! actions, publish what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sfha_core::action::Answered;
use sfha_core::cluster::Ring;
use sfha_core::health::Verdict;
use sfha_core::mesh_vips::Holders;
use sfha_core::resources::{HealthCheck, Service};
use sfha_core::{
    Action, ActionId, Cluster, ClusterState, Command, Event, GroupMessage, LeaveReason, Member, NodeId, Time,
};
use sfha_proto::fencing::{FencingAlert, FencingSummary, WatchdogStatus};
use sfha_proto::status::{ClusterStatus, ServiceStatus};
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::disk::Disk;
use crate::fencing::calls::{self, Order};
use crate::fencing::guard::Guard;
use crate::history::Observer;
use crate::io::corosync::{Corosync, CorosyncEvent, LeaveReason as CpgReason, Member as CpgMember};
use crate::mesh::unix_now;
use crate::probes::{Probes, Wanted};
use crate::recorder::Recorder;
use crate::services::Services;
use crate::turns::Turns;
use crate::vips::{Finished, RENEWAL, Vips};

/// Deadline for leaving the group.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

/// Between two looks at the clock on the wall.
const CLOCK: Duration = Duration::from_secs(60);

type Reply = oneshot::Sender<Result<Answered, Failure>>;

/// A question to the core, which answers itself.
type Look = Box<dyn FnOnce(&Cluster, Time) + Send>;

enum Call {
    Propose(Command, Reply),
    Move(Option<NodeId>, BTreeSet<String>, Reply),
    Shutdown,
    Look(Look),
}

/// How fencing stands, and when: the waits go on from there.
pub type FencingSeen = (Instant, FencingSummary);

/// The way to the core for everybody else.
#[derive(Clone)]
pub struct CoreHandle {
    calls: mpsc::Sender<Call>,
    state: watch::Receiver<Arc<ClusterState>>,
    status: watch::Receiver<Arc<ClusterStatus>>,
    coordinator: watch::Receiver<bool>,
    holders: watch::Receiver<Option<Holders>>,
    fencing: watch::Receiver<FencingSeen>,
}

impl CoreHandle {
    /// Has a look at the core as it is.
    ///
    /// # Errors
    /// `no-daemon`: it is gone.
    pub async fn look<T: Send + 'static>(
        &self,
        at: impl FnOnce(&Cluster, Time) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let look = Box::new(move |core: &Cluster, now: Time| {
            // Whoever asked may have hung up.
            let _ = reply.send(at(core, now));
        });
        self.calls.send(Call::Look(look)).await.map_err(|_| Failure::new(ErrorCode::NoDaemon))?;
        answer.await.map_err(|_| ErrorCode::NoDaemon.into())
    }

    /// How fencing stands, with what is left of every wait.
    #[must_use]
    pub fn fencing(&self) -> FencingSummary {
        let (at, mut summary) = self.fencing.borrow().clone();
        let passed = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let waits = summary.nodes.iter_mut().flat_map(|node| [&mut node.next_ms, &mut node.watchdog_ms]);
        let storm = summary.storm.as_mut().map(|storm| &mut storm.next_ms);
        let watchdog = summary.watchdog.as_mut().map(|watchdog| &mut watchdog.reset_ms);
        for wait in waits.chain(storm).chain(watchdog) {
            *wait = wait.map(|ms| ms.saturating_sub(passed));
        }
        summary
    }

    /// Has a command applied; returns when every member has it on disk.
    ///
    /// # Errors
    /// Why it was refused, or that it took too long.
    pub async fn propose(&self, command: Command) -> Result<(), Failure> {
        self.ask(|reply| Call::Propose(command, reply)).await.map(|_| ())
    }

    /// Moves resources, all if none are named; returns when they are active where they were to go.
    ///
    /// # Errors
    /// Why it was refused, or that it took too long.
    pub async fn move_resources(
        &self,
        to: Option<NodeId>,
        names: BTreeSet<String>,
    ) -> Result<(Vec<String>, String), Failure> {
        match self.ask(|reply| Call::Move(to, names, reply)).await? {
            Answered::Moved { vips, to } => Ok((vips, to)),
            Answered::Applied(_) => Err(ErrorCode::Internal.into()),
        }
    }

    async fn ask(&self, call: impl FnOnce(Reply) -> Call) -> Result<Answered, Failure> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(call(reply)).await.map_err(|_| Failure::new(ErrorCode::NoDaemon))?;
        answer.await.map_err(|_| Failure::new(ErrorCode::NoDaemon))?
    }

    /// Has this node let everything go and leave the group.
    pub async fn shut_down(&self) {
        // A loop that is gone has nothing left to let go.
        let _ = self.calls.send(Call::Shutdown).await;
    }

    /// The replicated state as this node has it now.
    #[must_use]
    pub fn state(&self) -> Arc<ClusterState> {
        self.state.borrow().clone()
    }

    /// The replicated state, to be watched.
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.state.clone()
    }

    /// Who may have which VIP, to be watched; `None` while the group has not agreed on it.
    #[must_use]
    pub fn watch_holders(&self) -> watch::Receiver<Option<Holders>> {
        self.holders.clone()
    }

    /// The status, to be watched.
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<Arc<ClusterStatus>> {
        self.status.clone()
    }

    /// Whether this node does what one node must do for all.
    #[must_use]
    pub fn is_coordinator(&self) -> bool {
        *self.coordinator.borrow()
    }
}

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
    left: bool,
    /// Something happened since the status was published.
    unpublished: bool,
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
    /// Writes down every event.
    pub recorder: Option<Recorder>,
    /// Adds to the status what the core does not know.
    pub decorate: fn(ClusterStatus, &ClusterState) -> ClusterStatus,
    /// Is told what was published.
    pub history: Observer,
    /// Is told how long turns take.
    pub turns: Arc<Turns>,
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
            left: false,
            unpublished: false,
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
                _ = renewal.tick() => {
                    self.vips.renew();
                    self.look_after_watchdog()
                }
                _ = clock.tick() => Some(Event::Clock { wall: unix_now() }),
                Some(call) = self.calls.recv() => self.called(call),
                () = sleep_until(deadline) => Some(Event::Tick),
                // Of many events that are there at once, people are told what they came to.
                () = std::future::ready(()), if self.unpublished => {
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
        if let Some(recorder) = &mut self.recorder {
            recorder.record(now, &event);
        }
        self.core.handle_event(event, now);
        let mut answered = false;
        while let Some(action) = self.core.poll_action() {
            answered |= matches!(action, Action::Answer { .. });
            self.carry_out(action);
        }
        self.unpublished = true;
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

    fn publish(&mut self) {
        self.unpublished = false;
        // Before the state: whoever waits for both sees a new VIP with its holder.
        let holders = self.core.holders();
        self.holders.send_if_modified(|old| {
            let changed = *old != holders;
            *old = holders;
            changed
        });
        self.look_after_services();
        if **self.state.borrow() != *self.core.state() {
            self.state.send_replace(Arc::new(self.core.state().clone()));
        }
        let mut status = (self.decorate)(self.core.status(), self.core.state());
        self.publish_fencing(&mut status);
        self.status.send_if_modified(|old| {
            if **old == status {
                return false;
            }
            log_changes(old, &status);
            *old = Arc::new(status);
            self.history.tell(Arc::clone(old));
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

fn translate(event: CorosyncEvent, me: NodeId) -> Option<Event> {
    let member = |member: CpgMember| Member { node: member.node, pid: member.pid };
    match event {
        CorosyncEvent::Connected { local } => {
            info!(node = local.node, "connected to corosync");
            if local.node != me {
                error!(corosync = local.node, sfha = me, "corosync runs with another node id");
            }
            Some(Event::Connected { member: member(local) })
        }
        CorosyncEvent::Disconnected { error, undelivered } => {
            warn!(error, undelivered, "corosync is gone");
            Some(Event::Disconnected)
        }
        CorosyncEvent::Quorum { quorate, ring, members } => {
            info!(quorate, ?members, ring = ring.seq, "quorum");
            let ring = Ring { node: ring.node, seq: ring.seq };
            Some(Event::Quorum { quorate, ring, members: members.into_iter().collect() })
        }
        CorosyncEvent::Votes { expected, total, needed, .. } => {
            Some(Event::Votes { total, expected, needed })
        }
        CorosyncEvent::Device { votes } => {
            info!(votes, "quorum device");
            Some(Event::Device { votes })
        }
        CorosyncEvent::Membership { members, left, .. } => {
            info!(?members, ?left, "group");
            let left = left.into_iter().map(|(gone, why)| (member(gone), reason(why))).collect();
            Some(Event::Membership { members: members.into_iter().map(member).collect(), left })
        }
        CorosyncEvent::Ring { ring, .. } => {
            Some(Event::Ring { ring: Ring { node: ring.node, seq: ring.seq } })
        }
        CorosyncEvent::Message { from, payload } => match serde_json::from_slice::<GroupMessage>(&payload) {
            Ok(message) => {
                debug!(from = from.node, ?message, "delivered");
                Some(Event::Delivered { from: member(from), message })
            }
            Err(error) => {
                // A member with another version of the program: it is not a candidate for us either.
                warn!(from = from.node, %error, "message not understood");
                None
            }
        },
    }
}

fn reason(reason: CpgReason) -> LeaveReason {
    match reason {
        CpgReason::Leave => LeaveReason::Leave,
        CpgReason::NodeDown => LeaveReason::NodeDown,
        CpgReason::ProcDown => LeaveReason::ProcessDown,
        CpgReason::NodeUp | CpgReason::ProcUp | CpgReason::Undefined => LeaveReason::Undefined,
    }
}

/// One line for each thing an operator would ask about afterwards.
fn log_changes(old: &ClusterStatus, new: &ClusterStatus) {
    if old.phase != new.phase {
        info!(from = ?old.phase, to = ?new.phase, "phase");
    }
    if old.leader != new.leader {
        info!(from = old.leader, to = new.leader, "leader");
    }
    for node in old.nodes.iter().filter(|node| new.nodes.iter().all(|other| other.id != node.id)) {
        info!(node = node.name, id = node.id, "node removed");
    }
    for vip in &new.vips {
        let before = old.vips.iter().find(|other| other.name == vip.name);
        if before.is_none_or(|before| (before.state, &before.holder) != (vip.state, &vip.holder)) {
            info!(vip = vip.name, state = ?vip.state, holder = vip.holder, "vip");
        }
    }
    for service in &new.services {
        let before = old.services.iter().find(|other| other.name == service.name);
        let essence = |service: &ServiceStatus| {
            (
                service.state.clone(),
                service.holder.clone(),
                service.problem.clone(),
                service.elsewhere.clone(),
            )
        };
        if before.is_none_or(|before| essence(before) != essence(service)) {
            let ServiceStatus { state, holder, problem, elsewhere, .. } = service;
            info!(service = service.name, state, holder, problem, ?elsewhere, "service");
        }
    }
}
