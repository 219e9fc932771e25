//! Changes WireGuard keys: this node's own, step by step ([`Rotator`]), and other nodes' by asking them, since
//! a private key is made where it is used. The decisions are in [`sfha_core::rotation`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sfha_core::mesh::{WantedPeer, wanted_peers};
use sfha_core::mesh_vips::Holders;
use sfha_core::rotation::{self, Next, keys_of};
use sfha_core::state::Node as StateNode;
use sfha_core::{ClusterState, Command, NodeId};
use sfha_proto::mesh::Rotating;
use sfha_proto::message::{RotateDone, RotateParams, RotateStep, RotatedNode, Step};
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::event_loop::CoreHandle;
use crate::io::wireguard::{Backend, Device, DeviceStatus, PrivateKey};
use crate::mesh::endpoints::Endpoints;
use crate::mesh::{MeshHandle, failure, internal, unix_now};
use crate::mesh_api::RotateRequest;
use crate::mesh_file::MeshFile;
use crate::paths::Paths;
use crate::setup::Progress;
use crate::store::Node;
use crate::{mesh_client, store};

/// How long the mesh may take to change to a key that was committed.
const SWITCH: Duration = Duration::from_secs(10);

/// How long the others may take to be reached with the new key.
const REACH: Duration = Duration::from_secs(5);

/// What the others usually need to move what they send: a connection that is begun before waits for a second
/// (RFC 6298) for its first packet to be sent again.
const MOVE: Duration = Duration::from_millis(100);

/// How long a join that goes on over the old key may hold up the commit.
const JOIN_PATIENCE: Duration = Duration::from_secs(15);

/// How long another node may take, each of its steps included.
const ASKED: Duration = Duration::from_secs(30);

/// How long a node that starts looks for the keys that the others use.
const SEARCH: Duration = Duration::from_secs(1);

/// Each step is done a second time when something was lost between; more is a mistake of ours.
const MOST_STEPS: usize = 16;

/// A port at which nobody listens (RFC 863).
const DISCARD: u16 = 9;

/// Changes the key of this node.
pub struct Rotator {
    node: Arc<Node>,
    me: NodeId,
    core: CoreHandle,
    mesh: MeshHandle,
    busy: Mutex<()>,
}

impl Rotator {
    /// For this node.
    #[must_use]
    pub fn new(node: Arc<Node>, core: CoreHandle, mesh: MeshHandle) -> Arc<Self> {
        let me = node.me;
        Arc::new(Self { node, me, core, mesh, busy: Mutex::new(()) })
    }

    /// Goes through that step, or through all that is left; begins anew when nothing is left. Whatever was
    /// interrupted before is finished. Returns the public key that the node has then.
    ///
    /// # Errors
    /// `already-so`, `wrong-step`, `nodes-away`, and what can keep a command from being applied.
    pub async fn run(&self, step: Option<RotateStep>) -> Result<String, Failure> {
        let _busy =
            self.busy.try_lock().map_err(|_| Failure::new(ErrorCode::AlreadySo).with("what", "rotating"))?;
        let first = self.next(matches!(step, None | Some(RotateStep::Prepare))).await?;
        if let Some(step) = step {
            check(&self.own()?, step, &first)?;
        }
        let mut next = first;
        for _ in 0..MOST_STEPS {
            let wanted = match &next {
                Next::Make | Next::Prepare(_) => Some(RotateStep::Prepare),
                Next::Commit(_) | Next::Switch => Some(RotateStep::Commit),
                Next::Cleanup(_) => Some(RotateStep::Cleanup),
                Next::Nothing => None,
            };
            if wanted.is_none() || (step.is_some() && step != wanted) {
                return self.own()?.public_key.ok_or_else(|| ErrorCode::Internal.into());
            }
            // With a key in its file a rotation has begun, though nobody else knows of it yet.
            let begins = matches!(next, Next::Make);
            self.take(next).await?;
            next = self.next(begins).await?;
        }
        Err(Failure::new(ErrorCode::Internal).with("what", "rotation"))
    }

    async fn next(&self, begin: bool) -> Result<Next, Failure> {
        let node = self.own()?;
        let used = self.mesh.view().public_key.clone();
        let paths = self.node.paths.clone();
        let spare = blocking(move || store::load_next_key(&paths)).await?;
        let spare = spare.map(|key| key.public().to_string()).filter(|key| *key != used);
        Ok(rotation::next(&node, &used, spare.as_deref(), begin))
    }

    async fn take(&self, next: Next) -> Result<(), Failure> {
        let node = self.me;
        match next {
            Next::Make => {
                let key = PrivateKey::generate().map_err(|error| internal("getrandom", &error))?;
                info!(public_key = %key.public(), "made another key");
                let paths = self.node.paths.clone();
                blocking(move || store::save_next_key(&paths, &key)).await
            }
            Next::Prepare(public_key) => {
                self.propose(Command::PrepareKey { node, public_key: public_key.clone() }).await?;
                self.propose(Command::ConfirmKey { node, public_key }).await
            }
            Next::Commit(public_key) => {
                self.let_joins_end().await;
                self.propose(Command::CommitKey { node, public_key }).await?;
                self.switched().await
            }
            Next::Switch => self.switched().await,
            Next::Cleanup(public_key) => {
                self.reach_the_others().await;
                self.propose(Command::CleanupKey { node, public_key }).await
            }
            Next::Nothing => Ok(()),
        }
    }

    fn own(&self) -> Result<StateNode, Failure> {
        self.core.state().nodes.get(&self.me).cloned().ok_or_else(|| ErrorCode::NotConfigured.into())
    }

    async fn propose(&self, command: Command) -> Result<(), Failure> {
        match self.core.propose(command).await {
            // An earlier attempt had come this far.
            Err(failure) if failure.code == ErrorCode::AlreadySo => Ok(()),
            other => other,
        }
    }

    /// The mesh changes its key by itself when it sees the commit.
    async fn switched(&self) -> Result<(), Failure> {
        let mut view = self.mesh.watch();
        let own = self.own()?.public_key.unwrap_or_default();
        let changed = view.wait_for(|view| view.public_key == own);
        match tokio::time::timeout(SWITCH, changed).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Failure::new(ErrorCode::TimedOut).with("what", "key").with("seconds", SWITCH.as_secs())),
        }
    }

    /// A joiner talks to the key that its token names until it is a member.
    async fn let_joins_end(&self) {
        let mut state = self.core.watch_state();
        let (me, now) = (self.me, unix_now());
        let none = state.wait_for(|state| {
            !state.invites.values().any(|invite| {
                invite.initiator == me && invite.redeemed.is_some() && !invite.closed && invite.expires > now
            })
        });
        if tokio::time::timeout(JOIN_PATIENCE, none).await.is_err() {
            warn!("a join with a token of this node is not over; its token dies with the key");
        }
    }

    /// Until an answer through the tunnel shows that a node sends to the new key. One that does not answer is
    /// away, or comes round by itself: it knows the key.
    async fn reach_the_others(&self) {
        let online: BTreeSet<u32> = self
            .core
            .watch_status()
            .borrow()
            .nodes
            .iter()
            .filter(|node| node.online && node.id != self.me)
            .map(|node| node.id)
            .collect();
        let deadline = Instant::now() + REACH;
        tokio::time::sleep(MOVE).await;
        let mut reaching = JoinSet::new();
        for (_, node) in self.core.state().nodes.iter().filter(|(id, _)| online.contains(id)) {
            let (name, address) = (node.name.clone(), node.address);
            reaching.spawn(async move { (name, mesh_client::connect(address, deadline).await.is_ok()) });
        }
        while let Some(reached) = reaching.join_next().await {
            if let Ok((name, false)) = reached {
                warn!(name, "not reached with the new key yet");
            }
        }
    }
}

/// Whether that step alone can be done now.
fn check(node: &StateNode, step: RotateStep, next: &Next) -> Result<(), Failure> {
    let already = |what: &str| Err(Failure::new(ErrorCode::AlreadySo).with("what", what));
    let first = |wanted: &str| {
        Err(Failure::new(ErrorCode::WrongStep).with("node", node.name.clone()).with("wanted", wanted))
    };
    match (step, next) {
        (RotateStep::Prepare, Next::Commit(_)) => already("prepared"),
        (RotateStep::Prepare, Next::Switch) => first("commit"),
        (RotateStep::Prepare, Next::Cleanup(_)) => first("cleanup"),
        (RotateStep::Commit, Next::Make | Next::Prepare(_) | Next::Nothing) => first("prepare"),
        (RotateStep::Commit, Next::Cleanup(_)) => already("committed"),
        (RotateStep::Cleanup, Next::Nothing) => already("cleaned-up"),
        (RotateStep::Cleanup, Next::Make | Next::Prepare(_)) => first("prepare"),
        (RotateStep::Cleanup, Next::Commit(_) | Next::Switch) => first("commit"),
        _ => Ok(()),
    }
}

/// `mesh.rotate-keys`: one node, or one after the other.
///
/// # Errors
/// Of the first node that fails: what [`Rotator::run`] says, or `unreachable`.
pub async fn rotate(
    rotator: &Rotator,
    params: &RotateParams,
    progress: &Progress,
) -> Result<RotateDone, Failure> {
    let state = rotator.core.state();
    let unknown = |name: &str| Failure::new(ErrorCode::NotFound).with("kind", "node").with("name", name);
    let targets: Vec<NodeId> = match (&params.node, params.all) {
        (_, true) => state.nodes.keys().copied().collect(),
        (Some(name), false) => vec![state.node_id(name).ok_or_else(|| unknown(name))?],
        (None, false) => vec![rotator.me],
    };
    let mut nodes = Vec::new();
    for id in targets {
        let started = Instant::now();
        let node = state.nodes.get(&id).ok_or_else(|| unknown(&id.to_string()))?;
        let outcome = tokio::select! {
            outcome = one(rotator, id, node, params.step) => outcome,
            () = tell(rotator, id, &node.name, params.step, progress) => Err(ErrorCode::NoDaemon.into()),
        };
        let public_key = match outcome {
            // Of all nodes, some may have done that step before.
            Err(failure) if failure.code == ErrorCode::AlreadySo && params.all && params.step.is_some() => {
                let state = rotator.core.state();
                state.nodes.get(&id).and_then(|node| node.public_key.clone()).unwrap_or_default()
            }
            other => other?,
        };
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        nodes.push(RotatedNode { node: node.name.clone(), public_key, elapsed_ms });
    }
    Ok(RotateDone { schema: sfha_proto::SCHEMA, nodes })
}

async fn one(
    rotator: &Rotator,
    id: NodeId,
    node: &StateNode,
    step: Option<RotateStep>,
) -> Result<String, Failure> {
    if id == rotator.me {
        return rotator.run(step).await;
    }
    let stream = mesh_client::connect(node.address, Instant::now() + REACH).await.map_err(|_| {
        Failure::new(ErrorCode::Unreachable)
            .with("name", node.name.clone())
            .with("endpoint", node.address.to_string())
            .with("seconds", REACH.as_secs())
    })?;
    let request = RotateRequest::new(&node.name, step, &rotator.node.secret);
    mesh_client::rotate(stream, &request, Instant::now() + ASKED).await
}

/// Tells how far a node is, as its state shows it to all.
async fn tell(rotator: &Rotator, id: NodeId, name: &str, step: Option<RotateStep>, progress: &Progress) {
    let mut state = rotator.core.watch_state();
    let mut told = None;
    loop {
        let now = state.borrow_and_update().nodes.get(&id).map(|node| match &node.rotation {
            rotation if rotation.next_key.is_some() && rotation.known => Step::KeyCommit,
            rotation if rotation.next_key.is_none() && rotation.old_key.is_some() => Step::KeyCleanup,
            _ => Step::KeyPrepare,
        });
        // The last command brings back the first step, and the end of another one is not begun.
        let shown = match (now, step) {
            (Some(Step::KeyPrepare), _) if told.is_some() => None,
            (Some(now), None) => Some(now),
            (Some(_), Some(RotateStep::Prepare)) => Some(Step::KeyPrepare),
            (Some(_), Some(RotateStep::Commit)) => Some(Step::KeyCommit),
            (Some(_), Some(RotateStep::Cleanup)) => Some(Step::KeyCleanup),
            (None, _) => None,
        };
        if shown.is_some() && shown != told {
            told = shown;
            progress.step_of(name, told.unwrap_or(Step::Other));
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal("disk", &error))?
}

/// The nodes whose key is being changed, and the step that comes next.
#[must_use]
pub fn under_way(state: &ClusterState) -> Vec<Rotating> {
    let next = |node: &StateNode| match (&node.rotation.next_key, node.rotation.known, &node.rotation.old_key)
    {
        (Some(_), true, _) => Some(RotateStep::Commit),
        (Some(_), false, _) => Some(RotateStep::Prepare),
        (None, _, Some(_)) => Some(RotateStep::Cleanup),
        (None, _, None) => None,
    };
    let nodes = state.nodes.values();
    nodes.filter_map(|node| Some(Rotating { node: node.name.clone(), next: next(node)? })).collect()
}

/// The last handshakes of a device by key, in seconds since 1970.
#[must_use]
pub fn handshakes(status: &DeviceStatus) -> BTreeMap<String, u64> {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let peers = status.peers.iter();
    peers.filter_map(|peer| Some((peer.public_key.to_string(), seconds(peer.latest_handshake?)))).collect()
}

/// Changes to the key that was committed for this node, if it has not: on disk, then on the device. The device
/// greets its peers with the new key. `None` when there is nothing to do.
///
/// # Errors
/// The key's file, or the device; to be tried again.
pub async fn switch(
    paths: &Paths,
    file: &MeshFile,
    device: &Device,
    key: &PrivateKey,
    state: &ClusterState,
    me: NodeId,
) -> Result<Option<PrivateKey>, Failure> {
    let Some(node) = state.nodes.get(&me) else { return Ok(None) };
    if node.public_key.as_ref().is_none_or(|own| *own == key.public().to_string()) {
        return Ok(None);
    }
    let (paths, node) = (paths.clone(), node.clone());
    let Some(next) = blocking(move || store::committed_key(&paths, &node)).await? else { return Ok(None) };
    device.set_private_key(&next, file.port).await.map_err(|error| failure(&error))?;
    if device.backend() == Backend::Kernel {
        greet(state, me).await;
    }
    info!(public_key = %next.public(), "changed to the new key");
    Ok(Some(next))
}

/// The kernel begins a handshake when there is something to send, so there is: to every node, an empty datagram
/// that nobody listens for.
async fn greet(state: &ClusterState, me: NodeId) {
    for (_, node) in state.nodes.iter().filter(|(id, _)| **id != me) {
        let any: IpAddr = match node.address {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0; 16].into(),
        };
        let sent = async {
            let socket = tokio::net::UdpSocket::bind(SocketAddr::new(any, 0)).await?;
            socket.send_to(&[], SocketAddr::new(node.address, DISCARD)).await
        };
        if let Err(error) = sent.await {
            debug!(name = node.name, %error, "not greeted");
        }
    }
}

/// Sets the peers of a node that starts. Of a node whose key was changed while this one was away it is not known
/// which one it uses: all are called, and the one that answers gets the address.
///
/// # Errors
/// Of the device.
pub async fn first_peers(
    device: &Device,
    endpoints: &Endpoints,
    state: &ClusterState,
    me: NodeId,
) -> Result<(), Failure> {
    let rotating: Vec<&StateNode> = state
        .nodes
        .iter()
        .filter(|(id, node)| **id != me && !node.rotation.is_none())
        .map(|(_, n)| n)
        .collect();
    let keys = rotating.iter().flat_map(|node| keys_of(node)).map(str::to_owned).collect();
    let unknown = Holders::default();
    let mut wanted = wanted_peers(state, me, &BTreeSet::new(), &unknown, unix_now());
    rotation::call(&mut wanted, &keys);
    let sync = async |wanted: &[WantedPeer]| {
        let peers = endpoints.peers(state, wanted);
        device.sync_peers(&peers).await.map(drop).map_err(|error| failure(&error))
    };
    sync(&wanted).await?;
    let deadline = Instant::now() + SEARCH;
    while !rotating.is_empty() {
        let status = device.status().await.map_err(|error| failure(&error))?;
        let current = rotation::current(state, &handshakes(&status));
        let met = |node: &&StateNode| keys_of(node).any(|key| current.contains(key));
        if rotating.iter().all(met) || Instant::now() >= deadline {
            let mut wanted = wanted_peers(state, me, &current, &unknown, unix_now());
            rotation::call(&mut wanted, &keys);
            return sync(&wanted).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
