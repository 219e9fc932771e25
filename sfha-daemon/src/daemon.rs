//! The life of the daemon: without a cluster, with one, or with files that do not read; and what each
//! request does.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sfha_core::command::invalid;
use sfha_core::{Command, NodeId};
use sfha_proto::config::{ReloadParams, Reloaded};
use sfha_proto::fencing::FencingSummary;
use sfha_proto::history::{History, HistoryParams};
use sfha_proto::message::{
    FailoverDone, FailoverParams, ForceParams, InitParams, JoinParams, MaintenanceParams, NameParams,
    NodeParams, RotateParams, TokenParams, VipAddParams, VipAnnounceParams, VipsAnnounced, method,
};
use sfha_proto::status::{ClusterStatus, MeshSummary, Phase, QuorumStatus};
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::depart::{Marker, Removed, Rest, Stage, clean_up};
use crate::fencing::requests;
use crate::history;
use crate::init::init;
use crate::io::systemd::Systemd;
use crate::join::{clear_broken_off, finish, join};
use crate::load::Meter;
use crate::local::LocalSettings;
use crate::members;
use crate::paths::Paths;
use crate::rotation::rotate;
use crate::runtime::Runtime;
use crate::services;
use crate::setup::Progress;
use crate::simulate;
use crate::store::Node;
use crate::tokens;

mod departure;

/// How long a request waits for the daemon to have started.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two tries to bring up what the disk tells.
const RETRY: Duration = Duration::from_secs(5);

/// What the daemon is at the moment.
#[derive(Clone)]
pub enum Life {
    /// What the disk tells is being brought up.
    Starting,
    /// No cluster on this node.
    Unconfigured,
    /// `init` or `join` is at work.
    SettingUp,
    /// The files of this node do not read, or something could not be brought up.
    Broken(Failure),
    /// A cluster.
    Running(Arc<Runtime>),
    /// A cluster whose mesh an operator took down on this node.
    MeshDown,
    /// On its way out of its cluster: cleaning up.
    Leaving,
}

/// The daemon.
pub struct Daemon {
    paths: Paths,
    systemd: Systemd,
    life: Mutex<Life>,
    /// Counts the changes of life, so that streams know that there is another source.
    changes: watch::Sender<u64>,
    reload: Notify,
    /// What `config.yml` says about this node alone.
    pub local: LocalSettings,
    meter: Meter,
}

impl Daemon {
    /// Nothing is known yet: [`Daemon::start`] finds out.
    #[must_use]
    pub fn new(paths: Paths, systemd: Systemd) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        let local = LocalSettings::new(paths.clone());
        let (life, reload) = (Mutex::new(Life::Starting), Notify::new());
        Arc::new(Self { paths, systemd, life, changes, reload, local, meter: Meter::start() })
    }

    /// Brings up what the disk tells. A file that does not read, or a machine that is not ready (a port
    /// that is taken, a bus that is not there yet), leaves a daemon that says so and tries again: every
    /// [`RETRY`], and at once when it is told to reload.
    pub async fn start(&self) {
        self.local.load().await;
        let mut told = None;
        loop {
            match self.bring_up().await {
                Ok(life) => {
                    self.set_life(life.clone());
                    if let Life::Running(runtime) = life {
                        self.resume_leaving(&runtime).await;
                    }
                    return;
                }
                Err(failure) => {
                    if told.as_ref() != Some(&failure) {
                        error!(%failure, "this node cannot take part");
                        self.set_life(Life::Broken(failure.clone()));
                        told = Some(failure);
                    }
                }
            }
            // The time-out is the usual case.
            let _ = tokio::time::timeout(RETRY, self.reload.notified()).await;
        }
    }

    async fn bring_up(&self) -> Result<Life, Failure> {
        if let Some(marker) = Marker::load(&self.paths)?.filter(|marker| marker.stage == Stage::Out) {
            self.set_life(Life::Leaving);
            clean_up(&marker, Rest::Unknown, &self.paths, &self.systemd).await?;
            return Ok(Life::Unconfigured);
        }
        if self.paths.mesh_down().exists() {
            info!("an operator took the mesh down");
            return Ok(Life::MeshDown);
        }
        match Node::load(&self.paths)? {
            None => {
                clear_broken_off(&self.paths, &self.systemd).await;
                info!("no cluster on this node yet");
                Ok(Life::Unconfigured)
            }
            Some(node) => {
                let runtime = Runtime::start(node, self.systemd.clone(), None).await?;
                Ok(Life::Running(Arc::new(runtime)))
            }
        }
    }

    /// Looks at the files again, if they kept this node from taking part.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// SIGHUP: what `reload` does, its outcome told in the log.
    pub async fn hang_up(self: Arc<Self>) {
        match self.read_files(ReloadParams::default()).await {
            Ok(_) => info!("read again"),
            Err(failure) => warn!(code = failure.code.as_str(), "not read again: see sfha reload"),
        }
    }

    /// Lets everything go.
    pub async fn stop(&self) {
        let life = std::mem::replace(&mut *self.lock(), Life::Unconfigured);
        if let Life::Running(runtime) = life {
            runtime.let_go().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What the daemon is now.
    #[must_use]
    pub fn life(&self) -> Life {
        self.lock().clone()
    }

    fn set_life(&self, life: Life) {
        *self.lock() = life;
        self.changes.send_modify(|count| *count += 1);
    }

    /// Changes of life, to be watched.
    #[must_use]
    pub fn watch_life(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What the daemon is once it has started. Until then nobody could say whether this node has a cluster:
    /// a `join` that came a moment too early would set up a second one over it.
    async fn settled(&self) -> Life {
        let mut changes = self.watch_life();
        loop {
            let life = self.life();
            if !matches!(life, Life::Starting) || changes.changed().await.is_err() {
                return life;
            }
        }
    }

    async fn running(&self) -> Result<Arc<Runtime>, Failure> {
        match tokio::time::timeout(START_PATIENCE, self.settled()).await {
            Ok(Life::Running(runtime)) => Ok(runtime),
            Ok(
                life @ (Life::Unconfigured
                | Life::SettingUp
                | Life::Broken(_)
                | Life::MeshDown
                | Life::Leaving),
            ) => Err(self.refusal(&life)),
            Ok(Life::Starting) | Err(_) => Err(Failure::new(ErrorCode::TimedOut)
                .with("what", "start")
                .with("seconds", START_PATIENCE.as_secs())),
        }
    }

    /// Why there is no cluster to ask for anything.
    fn refusal(&self, life: &Life) -> Failure {
        match life {
            Life::Broken(failure) => failure.clone(),
            Life::MeshDown => ErrorCode::MeshDown.into(),
            Life::Leaving => ErrorCode::Leaving.into(),
            Life::Unconfigured | Life::SettingUp | Life::Starting | Life::Running(_) => {
                Removed::load(&self.paths)
                    .map_or_else(|| ErrorCode::NotConfigured.into(), |removed| removed.failure())
            }
        }
    }

    /// Reads this node's files; where they kept it from taking part, it tries again. What `config.yml`
    /// says is done by all.
    async fn read_files(&self, params: ReloadParams) -> Result<Reloaded, Failure> {
        self.reload();
        if !params.dry_run {
            self.local.load().await;
        }
        match self.life() {
            life @ (Life::Unconfigured | Life::SettingUp | Life::Leaving | Life::Starting) => {
                Err(self.refusal(&life))
            }
            Life::Running(runtime) => {
                self.look_at_files().await?;
                runtime.config.reload(params.dry_run).await
            }
            Life::Broken(_) | Life::MeshDown => {
                self.look_at_files().await?;
                let (dry_run, changes, warnings) = (params.dry_run, Vec::new(), Vec::new());
                Ok(Reloaded { schema: sfha_proto::SCHEMA, dry_run, changes, warnings })
            }
        }
    }

    /// Whether they read; in a thread, since a disk may hang and the event loop must not.
    async fn look_at_files(&self) -> Result<(), Failure> {
        let paths = self.paths.clone();
        let loaded = tokio::task::spawn_blocking(move || Node::load(&paths)).await;
        loaded.map_err(|error| crate::mesh::internal("files", &error))??.ok_or(ErrorCode::NotConfigured)?;
        Ok(())
    }

    /// Serves one request (all but `subscribe`).
    ///
    /// # Errors
    /// Why it was refused, or failed.
    pub async fn serve(&self, name: &str, params: Value, progress: Progress) -> Result<Value, Failure> {
        match name {
            method::STATUS => {
                let runtime = self.running().await?;
                runtime.seen().await;
                encode(&runtime.status())
            }
            method::INIT => {
                let params: InitParams = decode(params)?;
                self.set_up(async || {
                    let (runtime, done) = init(params, &self.paths, &self.systemd, &progress).await?;
                    Ok((runtime, encode(&done)?))
                })
                .await
            }
            method::JOIN => {
                let params: JoinParams = decode(params)?;
                if let Life::Running(runtime) = self.settled().await
                    && let Some(joined) = finish(&params, &runtime, &self.paths, &progress).await?
                {
                    return encode(&joined);
                }
                self.set_up(async || {
                    let (runtime, done) = join(params, &self.paths, &self.systemd, &progress).await?;
                    Ok((runtime, encode(&done)?))
                })
                .await
            }
            method::MESH_ROTATE_KEYS => {
                let params: RotateParams = decode(params)?;
                let runtime = self.running().await?;
                let rotator = runtime.rotator.as_ref().ok_or_else(no_mesh)?;
                encode(&rotate(rotator, &params, &progress).await?)
            }
            method::LEAVE => self.leave(decode::<ForceParams>(params)?.force).await,
            method::MESH_DOWN => self.mesh_down(decode::<ForceParams>(params)?.force).await,
            method::MESH_UP => self.mesh_up().await,
            method::HISTORY => encode(&self.history(decode(params)?).await?),
            method::RELOAD => encode(&self.read_files(decode(params)?).await?),
            method::PROPAGATE => encode(&self.running().await?.config.propagated().await),
            method::NODE_REMOVE | method::MESH_REMOVE_PEER => {
                let runtime = self.running().await?;
                let NameParams { name: gone } = decode(params)?;
                let node = if name == method::NODE_REMOVE {
                    Some(find_node(&runtime, Some(&gone))?)
                } else {
                    members::remove_peer(&runtime.core, gone).await?
                };
                match node {
                    None => Ok(json!({})),
                    Some(node) if node == runtime.node.me => {
                        if runtime.core.state().nodes.len() == 1 {
                            let name = runtime.node.config.node.name.clone();
                            return Err(Failure::new(ErrorCode::LastNode).with("name", name));
                        }
                        drop(runtime);
                        self.leave(false).await
                    }
                    Some(node) => members::remove(&runtime.core, node).await.map(|()| json!({})),
                }
            }
            _ => serve_cluster(&*self.running().await?, name, params).await,
        }
    }

    /// What has happened: also while the cluster is not up, which is when somebody wants to know.
    async fn history(&self, params: HistoryParams) -> Result<History, Failure> {
        match self.life() {
            Life::Running(runtime) => Ok(runtime.history.answer(&params)),
            life @ (Life::Broken(_) | Life::MeshDown | Life::Starting) => {
                let paths = self.paths.clone();
                let read = tokio::task::spawn_blocking(move || history::stored(&paths, &params)).await;
                read.map_err(|_| self.refusal(&life))
            }
            life @ (Life::Unconfigured | Life::SettingUp | Life::Leaving) => Err(self.refusal(&life)),
        }
    }

    async fn set_up(
        &self,
        work: impl AsyncFnOnce() -> Result<(Runtime, Value), Failure>,
    ) -> Result<Value, Failure> {
        self.settled().await;
        {
            let mut life = self.lock();
            match &*life {
                Life::Unconfigured => *life = Life::SettingUp,
                Life::Starting | Life::SettingUp | Life::Leaving => {
                    return Err(ErrorCode::AlreadyConfigured.into());
                }
                Life::MeshDown => return Err(ErrorCode::MeshDown.into()),
                Life::Broken(failure) => return Err(failure.clone()),
                Life::Running(runtime) => {
                    return Err(Failure::new(ErrorCode::AlreadyConfigured)
                        .with("cluster", runtime.core.state().cluster.clone())
                        .with("node", runtime.node.config.node.name.clone()));
                }
            }
        }
        match work().await {
            Ok((runtime, value)) => {
                Removed::forget(&self.paths);
                self.set_life(Life::Running(Arc::new(runtime)));
                Ok(value)
            }
            Err(failure) => {
                self.set_life(Life::Unconfigured);
                Err(failure)
            }
        }
    }

    /// The status that streams show, whatever the daemon is.
    #[must_use]
    pub fn any_status(&self) -> ClusterStatus {
        match self.life() {
            Life::Running(runtime) => {
                let mut status = runtime.status();
                status.mesh_detail = runtime.mesh_status();
                status.load = Some(self.meter.read());
                status
            }
            Life::Unconfigured | Life::SettingUp => blank(Phase::Unconfigured),
            Life::Starting | Life::Broken(_) | Life::MeshDown => blank(Phase::Disconnected),
            Life::Leaving => blank(Phase::Leaving),
        }
    }
}

fn blank(phase: Phase) -> ClusterStatus {
    ClusterStatus {
        schema: sfha_proto::SCHEMA,
        cluster: String::new(),
        node: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        maintenance: false,
        maintenance_until: None,
        quorum: QuorumStatus { quorate: false, votes: None, expected: None, needed: None, device: None },
        leader: None,
        nodes: Vec::new(),
        vips: Vec::new(),
        services: Vec::new(),
        health: Vec::new(),
        mesh: MeshSummary { enabled: false, peers: 0, connected: 0 },
        fencing: FencingSummary::default(),
        phase,
        detection: None,
        state: None,
        config_file: None,
        links: Vec::new(),
        constraints: Vec::new(),
        load: None,
        mesh_detail: None,
    }
}

async fn serve_cluster(runtime: &Runtime, name: &str, params: Value) -> Result<Value, Failure> {
    let core = &runtime.core;
    match name {
        method::MESH_STATUS => {
            runtime.seen().await;
            encode(&runtime.mesh_status().ok_or_else(no_mesh)?)
        }
        method::MESH_TOKEN => encode(&tokens::make(runtime, &decode::<TokenParams>(params)?).await?),
        method::MESH_TOKENS => encode(&tokens::list(runtime)),
        method::MESH_REVOKE => {
            let NameParams { name } = decode(params)?;
            core.propose(Command::RevokeInvite { id: name }).await.map(|()| json!({}))
        }
        method::MESH_ADD_PEER => members::add_peer(core, decode(params)?).await.map(|()| json!({})),
        method::MESH_AUTO_REMOVE => members::auto_remove(core, decode(params)?).await.map(|()| json!({})),
        method::VIP_ADD => {
            let params: VipAddParams = decode(params)?;
            let address = parse_vip(&params.address)?;
            let add = Command::AddVip { name: params.name, address, interface: params.interface };
            core.propose(add).await.map(|()| json!({}))
        }
        method::VIP_REMOVE => {
            let NameParams { name } = decode(params)?;
            core.propose(Command::RemoveVip { name }).await.map(|()| json!({}))
        }
        method::VIP_ANNOUNCE => {
            let announced = core.announce(decode::<VipAnnounceParams>(params)?.names).await?;
            encode(&VipsAnnounced { schema: sfha_proto::SCHEMA, announced })
        }
        method::SERVICE_ADD => {
            core.propose(services::request::add(decode(params)?)?).await.map(|()| json!({}))
        }
        method::SERVICE_REMOVE => {
            let NameParams { name } = decode(params)?;
            core.propose(Command::RemoveService { name }).await.map(|()| json!({}))
        }
        method::STANDBY | method::UNSTANDBY => {
            let NodeParams { node } = decode(params)?;
            let node = find_node(runtime, node.as_deref())?;
            let standby = name == method::STANDBY;
            core.propose(Command::SetStandby { node, standby }).await.map(|()| json!({}))
        }
        method::MAINTENANCE => {
            let MaintenanceParams { on, until } = decode(params)?;
            core.propose(Command::SetMaintenance { on, until }).await.map(|()| json!({}))
        }
        method::FAILOVER => {
            let FailoverParams { to, names } = decode(params)?;
            let to = to.map(|to| find_node(runtime, Some(&to))).transpose()?;
            let started = Instant::now();
            let (moved, to) = core.move_resources(to, names).await?;
            let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            encode(&FailoverDone { schema: sfha_proto::SCHEMA, moved, to, elapsed_ms })
        }
        method::SIMULATE => encode(&simulate::run(runtime, decode(params)?).await?),
        other => requests::serve(runtime, other, params).await,
    }
}

fn no_mesh() -> Failure {
    Failure::new(ErrorCode::NotFound).with("kind", "mesh").with("name", "mesh")
}

pub(crate) fn find_node(runtime: &Runtime, name: Option<&str>) -> Result<NodeId, Failure> {
    match name {
        None => Ok(runtime.node.me),
        Some(name) => runtime
            .core
            .state()
            .node_id(name)
            .ok_or_else(|| Failure::new(ErrorCode::NotFound).with("kind", "node").with("name", name)),
    }
}

/// `ADDRESS/PREFIX`, or an address alone, which is its own network.
fn parse_vip(text: &str) -> Result<IpNet, Failure> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| invalid("address", text, "cidr"))
}

pub(crate) fn decode<T: DeserializeOwned>(params: Value) -> Result<T, Failure> {
    let params = if params.is_null() { json!({}) } else { params };
    serde_json::from_value(params).map_err(|error| invalid("params", "", &error.to_string()))
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| crate::mesh::internal("encode", &error))
}
