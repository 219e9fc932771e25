//! A node that has a cluster: mesh, Corosync, core, mesh API, and what keeps them going.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sfha_core::{Cluster, ClusterState, Command, Settings};
use sfha_proto::mesh::{MeshStatus, PeerState};
use sfha_proto::message::Step;
use sfha_proto::status::{ClusterStatus, Detection, MeshSummary, Phase};
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config_file;
use crate::config_sync::ConfigSync;
use crate::depart::Rest;
use crate::disk::Disk;
use crate::event_loop::{CoreHandle, EventLoop, Parts};
use crate::fencing::requests;
use crate::history::History;
use crate::io::corosync::Corosync;
use crate::io::netlink::Netlink;
use crate::io::systemd::watch::watch_units;
use crate::io::systemd::{COROSYNC, Systemd};
use crate::lan_api;
use crate::links::{Links, watch_links};
use crate::members;
use crate::mesh::endpoints::Endpoints;
use crate::mesh::{self, Followed, MeshHandle, MeshTask, Own, describe, internal, unix_now};
use crate::mesh_api::{self, Api};
use crate::mesh_client;
use crate::probes::Probes;
use crate::qdevice;
use crate::recorder::Recorder;
use crate::rotation::{self, Rotator};
use crate::services::{self, Kept, Services};
use crate::setup::Progress;
use crate::store::{self, Node};
use crate::turns::Turns;
use crate::vips::{Finished, LEASE_CERTAIN, LEASE_CERTAIN_BESIDE_OTHERS, Vips};

/// CPG group of the daemons.
pub const GROUP: &str = "sfha";

/// Least time between a node's loss and taking over what it held, where it is not fenced: by so much
/// may the two sides of a split differ in noticing it.
const NOTICING_SKEW: Duration = Duration::from_millis(300);

/// Between a node's loss and taking over what it held, where it is not fenced. A node that froze is
/// noticed after the detection time, and has lost its addresses after the lease: both must be over.
#[must_use]
pub fn node_lost_delay(detection_ms: u32) -> Duration {
    let detection = Duration::from_millis(u64::from(detection_ms));
    LEASE_CERTAIN.saturating_sub(detection).max(NOTICING_SKEW)
}

/// How much longer than its stop time a service may run on a lost node: a daemon that stands still is killed
/// after 5 s (`WatchdogSec=`), and `ExecStopPost=` stops its services then.
const UNIT_MARGIN: Duration = Duration::from_secs(6);

/// Longest time for letting everything go.
const STOP: Duration = Duration::from_secs(4);

/// The same for a node that was removed, which may wait for an answer.
const REMOVED: Duration = Duration::from_secs(12);

/// Longest time for which a starting node asks the others for a newer state.
const CATCH_UP: Duration = Duration::from_millis(1500);

/// Longest time after the start for which an answer about the mesh waits for what it is about.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// Time between two looks at Corosync's unit, and at invites that have expired.
const HOUSEKEEPING: Duration = Duration::from_secs(2);

/// A node that has a cluster.
pub struct Runtime {
    /// As it was loaded.
    pub node: Arc<Node>,
    /// The way to the core.
    pub core: CoreHandle,
    /// The mesh; `None` for a cluster on the LAN.
    pub mesh: Option<MeshHandle>,
    /// Keeps `config.yml` and the state together.
    pub config: Arc<ConfigSync>,
    /// Changes this node's key; `None` as for the mesh.
    pub rotator: Option<Arc<Rotator>>,
    /// What has happened.
    pub history: History,
    /// How long the event loop's turns take.
    pub turns: Arc<Turns>,
    /// How late it does what it does every 250 ms.
    pub late: Arc<Turns>,
    links: watch::Receiver<Links>,
    started: Instant,
    /// What this node has started and not stopped.
    kept: Kept,
    systemd: Systemd,
    event_loop: JoinHandle<()>,
    tasks: Mutex<JoinSet<()>>,
}

impl Runtime {
    /// Brings everything up, in the order in which it depends on each other. Returns when the event
    /// loop runs; membership and quorum come later, as events.
    ///
    /// # Errors
    /// What could not be brought up.
    pub async fn start(
        mut node: Node,
        systemd: Systemd,
        progress: Option<&Progress>,
    ) -> Result<Self, Failure> {
        let (netlink, events) = Netlink::open().await.map_err(|error| internal("netlink", &error))?;
        let device = match &node.mesh {
            Some((file, key)) => Some(mesh::bring_up(file, key, &netlink, &systemd).await?),
            None => None,
        };
        let endpoints = Endpoints::load(&node.paths);
        let running = systemd.active_state(COROSYNC).await.is_ok_and(|state| state == "active");
        if !running {
            if let Some(device) = &device {
                rotation::first_peers(device, &endpoints, &node.state, node.me).await?;
            }
            catch_up(&mut node).await;
        }
        if let Some(progress) = progress {
            progress.step(Step::Corosync);
        }
        store::persist(&node.paths, &node.state, node.me)?;
        if !running {
            start_corosync(&systemd).await?;
        }

        let (corosync, from_corosync) = Corosync::start(GROUP)
            .map_err(|error| Failure::new(ErrorCode::CorosyncFailed).with("cause", describe(&error)))?;
        let token = Duration::from_millis(u64::from(store::profile(&node.state).token_ms()));
        corosync.set_answer_deadline(token);
        let corosync = Arc::new(corosync);
        let (finished_tx, finished) = mpsc::unbounded_channel();
        let settings = Settings {
            me: node.me,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            node_lost_delay: node_lost_delay(store::profile(&node.state).detection_ms()),
            daemon_lost_delay: LEASE_CERTAIN_BESIDE_OTHERS,
            unit_margin: UNIT_MARGIN,
        };
        let kept = Kept::load(&node.paths.services());
        let (units, units_rx) = watch::channel(BTreeMap::new());
        let (alerts, alerts_rx) = watch::channel(Vec::new());
        let (history, observer, follower) = History::start(&node.paths, &node.config.node.name);
        let (turns, late) = (Arc::new(Turns::default()), Arc::new(Turns::default()));
        let recorder = record(&node, &settings);
        let parts = Parts {
            core: Cluster::new(settings, node.state.clone()),
            corosync: Arc::clone(&corosync),
            from_corosync,
            finished,
            outcomes: finished_tx.clone(),
            disk: Disk::start(node.paths.clone(), node.me, finished_tx.clone()),
            vips: Vips::start(netlink.clone(), events, finished_tx.clone()),
            services: Services::new(systemd.clone(), kept.clone(), finished_tx.clone()),
            probes: Probes::start(node.me, systemd.clone(), finished_tx.clone()),
            alerts: alerts_rx,
            units,
            recorder,
            decorate,
            history: observer,
            turns: Arc::clone(&turns),
            late: Arc::clone(&late),
        };
        let (event_loop, core) = EventLoop::new(parts);
        let node = Arc::new(node);
        let mut tasks = JoinSet::new();
        let watching = systemd.clone();
        tasks.spawn(async move {
            watch_units(watching, units_rx, |name, state| {
                // The loop may have ended meanwhile.
                let _ = finished_tx.send(Finished::Unit(name, state));
            })
            .await;
        });
        let mut rotator = None;
        let mesh = match (&node.mesh, device) {
            (Some((file, key)), Some(device)) => {
                let address = file.address.addr();
                let own =
                    Own { me: node.me, paths: node.paths.clone(), file: file.clone(), key: key.clone() };
                let (state, holders) = (core.watch_state(), core.watch_holders());
                let follow = Followed { state, holders, endpoints };
                let handle = MeshTask::start(own, device, netlink, systemd.clone(), follow);
                rotator = Some(Rotator::new(Arc::clone(&node), core.clone(), handle.clone()));
                let api = Api {
                    node: Arc::clone(&node),
                    core: core.clone(),
                    mesh: Some(handle.clone()),
                    corosync: Arc::clone(&corosync),
                    rotator: rotator.clone(),
                };
                tasks.spawn(hold(mesh_api::serve(address, api).await?));
                Some(handle)
            }
            _ => {
                if let (Some(key), Some(me)) = (&node.lan_key, node.state.nodes.get(&node.me)) {
                    let (core, corosync) = (core.clone(), Arc::clone(&corosync));
                    let api = Api { node: Arc::clone(&node), core, mesh: None, corosync, rotator: None };
                    tasks.spawn(hold(lan_api::serve(me.address, key.clone(), api)?));
                }
                None
            }
        };
        let config = ConfigSync::new(&node, core.clone());
        tasks.spawn(Arc::clone(&config).follow());
        let (seen, links) = watch::channel(Links::default());
        tasks.spawn(watch_links(Arc::clone(&corosync), core.clone(), node.me, seen));
        // Not among the tasks: it ends by itself, once the event loop has said the last.
        tokio::spawn(follower.run(mesh.as_ref().map(MeshHandle::watch), links.clone()));
        tasks.spawn(keep_corosync(systemd.clone(), core.clone()));
        tasks.spawn(qdevice::keep(systemd.clone(), core.clone()));
        tasks.spawn(end_what_is_over(core.clone()));
        tasks.spawn(members::watch_absence(core.clone()));
        let name = node.config.node.name.clone();
        tasks.spawn(requests::keep_testing(core.clone(), node.me, name, alerts));
        tasks.spawn(members::keep_versions(corosync, core.clone()));
        info!(cluster = node.state.cluster, node = node.config.node.name, id = node.me, "running");
        let tasks = Mutex::new(tasks);
        let (started, event_loop) = (Instant::now(), tokio::spawn(event_loop.run()));
        Ok(Self {
            node,
            core,
            mesh,
            config,
            rotator,
            history,
            turns,
            late,
            links,
            started,
            kept,
            systemd,
            event_loop,
            tasks,
        })
    }

    /// Waits, right after the start only, until the mesh can be shown.
    pub async fn seen(&self) {
        if let Some(mesh) = &self.mesh {
            mesh.seen(self.started + FIRST_LOOK).await;
        }
    }

    /// The status as `sfha` shows it: what the core says, with the mesh counted.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        let status = self.core.watch_status().borrow().clone();
        let status = with_mesh((*status).clone(), self.mesh.as_ref());
        let config_file = self.config.file_state();
        let mut status = ClusterStatus { links: self.links.borrow().to_vec(), config_file, ..status };
        if status.fencing.enabled {
            status.fencing = self.core.fencing();
        }
        status
    }

    /// The mesh as this node sees it; `None` for a cluster on the LAN.
    #[must_use]
    pub fn mesh_status(&self) -> Option<MeshStatus> {
        let view = self.mesh.as_ref()?.view();
        Some(MeshStatus { links: self.links.borrow().to_vec(), ..(*view).clone() })
    }

    /// Corosync's links, to be watched.
    #[must_use]
    pub fn watch_links(&self) -> watch::Receiver<Links> {
        self.links.clone()
    }

    /// Waits until this node is a member of a quorate group that is in step.
    ///
    /// # Errors
    /// `timed-out`, with the phase it stayed in.
    pub async fn wait_operational(&self, deadline: Instant) -> Result<(), Failure> {
        let mut status = self.core.watch_status();
        let reached = status.wait_for(|status| status.phase == Phase::Operational);
        match tokio::time::timeout_at(deadline, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => {
                let phase = self.core.watch_status().borrow().phase;
                Err(Failure::new(ErrorCode::TimedOut)
                    .with("what", "membership")
                    .with("phase", serde_json::to_value(phase).unwrap_or_default()))
            }
        }
    }

    /// Lets everything go and ends: VIPs released, group left, tasks over.
    pub async fn stop(mut self) {
        self.core.shut_down().await;
        let patience = self.patience(STOP);
        if tokio::time::timeout(patience, &mut self.event_loop).await.is_err() {
            warn!("the event loop did not end in time");
            self.event_loop.abort();
        }
        self.end_tasks();
        self.stop_the_rest().await;
    }

    /// Longest time for ending the event loop: services stop one after the other where their order says so.
    fn patience(&self, least: Duration) -> Duration {
        least + self.kept.stop_time()
    }

    /// Stops the services that the event loop has not stopped in its time.
    async fn stop_the_rest(&self) {
        let left = services::stop_left_behind(&self.kept, &self.systemd).await;
        if !left.is_empty() {
            warn!(?left, "these services may still run");
        }
    }

    /// Ends whatever goes on beside the event loop.
    pub fn end_tasks(&self) {
        self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).abort_all();
    }

    /// Has this node let everything go, for whoever only borrows it.
    pub async fn let_go(&self) {
        self.core.shut_down().await;
        let deadline = Instant::now() + self.patience(STOP);
        while !self.has_ended() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.end_tasks();
        self.stop_the_rest().await;
    }

    /// Waits until this node is no longer one of the cluster's and has let everything go.
    pub async fn removed(&self) {
        let (mut state, me) = (self.core.watch_state(), self.node.me);
        if state.wait_for(|state| !state.nodes.contains_key(&me)).await.is_err() {
            // It was told to stop.
            return std::future::pending().await;
        }
        let ended = async { while state.changed().await.is_ok() {} };
        if tokio::time::timeout(self.patience(REMOVED), ended).await.is_err() {
            warn!("the event loop does not end; the kernel ends what it holds");
            self.event_loop.abort();
        }
        self.end_tasks();
        self.stop_the_rest().await;
    }

    /// Who could miss this node's Corosync.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let status = self.core.watch_status().borrow().clone();
        let others = status.nodes.iter().filter(|node| node.id != self.node.me);
        Rest::Nodes { all: others.clone().count(), online: others.filter(|node| node.online).count() }
    }

    /// Whether the event loop has ended, which it only does when it is told to.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.event_loop.is_finished()
    }
}

/// A recording of what the core is told and asks for, where `config.yml` wants one.
fn record(node: &Node, settings: &Settings) -> Option<Recorder> {
    if !config_file::logging(&node.paths).record {
        return None;
    }
    let started = Recorder::start(&node.paths.recordings(), settings, &node.state);
    started.inspect_err(|error| warn!(%error, "not recorded")).ok()
}

/// Keeps a server until the task is aborted.
async fn hold(server: JoinHandle<()>) {
    let _stop = AbortOnDrop(server);
    std::future::pending::<()>().await;
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Adds the mesh to a status.
#[must_use]
pub fn with_mesh(mut status: ClusterStatus, mesh: Option<&MeshHandle>) -> ClusterStatus {
    if let Some(mesh) = mesh {
        let view = mesh.view();
        // Somebody's laptop may be off.
        let nodes = view.peers.iter().filter(|peer| peer.member);
        let connected = nodes.clone().filter(|peer| peer.state == PeerState::Connected).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        status.mesh = MeshSummary { enabled: true, peers: count(nodes.count()), connected: count(connected) };
    }
    status
}

fn decorate(mut status: ClusterStatus, state: &ClusterState) -> ClusterStatus {
    let profile = store::profile(state);
    status.detection = Some(Detection {
        profile: state.corosync.profile.clone(),
        token_ms: profile.token_ms(),
        consensus_ms: profile.consensus_ms(),
        detection_ms: profile.detection_ms(),
        takeover_delay_ms: u32::try_from(node_lost_delay(profile.detection_ms()).as_millis())
            .unwrap_or(u32::MAX),
    });
    status
}

/// Starts Corosync; nobody but sfhad starts it from now on, since it needs the mesh to be up.
async fn start_corosync(systemd: &Systemd) -> Result<(), Failure> {
    if let Err(error) = systemd.disable(COROSYNC).await {
        warn!(error = describe(&error), "cannot keep corosync from starting by itself at boot");
    }
    systemd
        .start(COROSYNC)
        .await
        .map_err(|error| Failure::new(ErrorCode::CorosyncFailed).with("cause", describe(&error)))
}

/// Asks every peer for its state, and takes the newest: a Corosync that starts with an older
/// `corosync.conf` than the others have can hang their group (corosync pull request 828).
async fn catch_up(node: &mut Node) {
    if node.mesh.is_none() && node.lan_key.is_none() {
        // Whoever answers could be anybody.
        return;
    }
    let deadline = Instant::now() + CATCH_UP;
    let mut asking = JoinSet::new();
    for (_, peer) in node.state.nodes.iter().filter(|(id, _)| **id != node.me) {
        let (address, key) = (peer.address, peer.public_key.as_ref().and_then(|key| key.parse().ok()));
        let own = node.lan_key.clone().zip(key);
        asking.spawn(async move {
            let stream = mesh_client::connect(address, deadline).await?;
            match own {
                Some((own, key)) => lan_api::state(stream, &own, &key, deadline).await,
                None => mesh_client::state(stream, deadline).await,
            }
        });
    }
    while let Some(answer) = asking.join_next().await {
        let Ok(Ok(state)) = answer else { continue };
        let same = state.cluster == node.state.cluster && state.nodes.contains_key(&node.me);
        if same && state.age() > node.state.age() {
            info!(epoch = state.epoch, version = state.version, "a peer has a newer state");
            node.state = state;
        }
    }
}

/// Starts Corosync again when it has ended.
async fn keep_corosync(systemd: Systemd, core: CoreHandle) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        if core.watch_status().borrow().phase != Phase::Disconnected {
            continue;
        }
        match systemd.active_state(COROSYNC).await {
            Ok(state) if state == "inactive" || state == "failed" => {
                warn!(state, "corosync is not running; starting it");
                if let Err(error) = systemd.start(COROSYNC).await {
                    warn!(error = describe(&error), "corosync does not start");
                }
            }
            Ok(_) => {}
            Err(error) => warn!(error = describe(&error), "systemd cannot be asked"),
        }
    }
}

/// Forgets invites that have expired, and ends a maintenance whose time is over.
async fn end_what_is_over(core: CoreHandle) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        let now = unix_now();
        let over = core.state().maintenance_until.filter(|until| *until <= now);
        if let Some(until) = over
            && core.is_coordinator()
        {
            match core.propose(Command::EndMaintenance { until }).await {
                Ok(()) => info!("maintenance is over"),
                Err(failure) => warn!(%failure, "maintenance goes on for now"),
            }
        }
        let due = core.state().invites.values().any(|invite| invite.expires <= now);
        if due
            && core.is_coordinator()
            && let Err(failure) = core.propose(Command::ExpireInvites { now }).await
        {
            warn!(%failure, "expired invites stay for now");
        }
    }
}
