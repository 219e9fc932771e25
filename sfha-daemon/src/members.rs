//! Requests about who belongs to the cluster, and what the coordinator does about those who are away.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sfha_core::command::invalid;
use sfha_core::{Command, NodeId, absence};
use sfha_proto::message::{AutoRemoveParams, PeerAddParams};
use sfha_proto::status::Phase;
use sfha_proto::{ErrorCode, Failure};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::endpoints;
use crate::event_loop::CoreHandle;
use crate::io::corosync::Corosync;
use crate::io::wireguard::PublicKey;
use crate::mesh::{describe, unix_now};

/// How long a request waits for the members to have agreed on something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a removal waits for Corosync to have been told.
const TOLD: Duration = Duration::from_secs(8);

/// Time between two looks at who is away.
const LOOK: Duration = Duration::from_secs(5);

/// By how much the time of day may differ from the time that went by before it was set.
const CLOCK_STEP: Duration = Duration::from_secs(60);

/// Has a command applied, again as long as the members are busy with something else.
///
/// # Errors
/// As `CoreHandle::propose`.
pub async fn propose(core: &CoreHandle, command: Command, until: Instant) -> Result<(), Failure> {
    loop {
        match core.propose(command.clone()).await {
            Err(failure) if failure.code == ErrorCode::Synchronising && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

/// Takes a node out; returns when every member has it on disk, and Corosync was told.
///
/// # Errors
/// `would-lose-quorum`, `last-node`, `daemon-missing`, …
pub async fn remove(core: &CoreHandle, node: NodeId) -> Result<(), Failure> {
    match propose(core, Command::RemoveNode { node }, Instant::now() + PATIENCE).await {
        // By somebody else, at the same time.
        Err(failure) if failure.code == ErrorCode::NotFound => {}
        other => other?,
    }
    let mut state = core.watch_state();
    let told = state.wait_for(|state| !state.removing.contains(&node));
    if tokio::time::timeout(TOLD, told).await.is_err() {
        warn!(node, "corosync still has the node; somebody will tell it");
    }
    Ok(())
}

/// Adds a peer that is not a node.
///
/// # Errors
/// `invalid-parameter`, `already-exists`, …
pub async fn add_peer(core: &CoreHandle, params: PeerAddParams) -> Result<(), Failure> {
    let PeerAddParams { name, ip, public_key, endpoint } = params;
    let address: IpAddr = ip.parse().map_err(|_| invalid("ip", &ip, "address"))?;
    let key: PublicKey = public_key.parse().map_err(|_| invalid("pubkey", &public_key, "key"))?;
    let port = core.state().mesh.as_ref().map_or(0, |mesh| mesh.port);
    let endpoint = endpoint.map(|endpoint| endpoints::complete(&endpoint, port)).transpose()?;
    core.propose(Command::AddPeer { name, address, public_key: key.to_string(), endpoint }).await
}

/// Removes a peer: one that is no node, or a node. Returns `None` when it is a node, which is for others
/// to remove.
///
/// # Errors
/// `not-found`.
pub async fn remove_peer(core: &CoreHandle, name: String) -> Result<Option<NodeId>, Failure> {
    let state = core.state();
    if let Some(node) = state.node_id(&name) {
        return Ok(Some(node));
    }
    core.propose(Command::RemovePeer { name }).await.map(|()| None)
}

/// Sets when nodes that are away are removed.
///
/// # Errors
/// `invalid-parameter`, `already-so`.
pub async fn auto_remove(core: &CoreHandle, params: AutoRemoveParams) -> Result<(), Failure> {
    core.propose(Command::SetAutoRemove { after_s: params.after_s }).await
}

/// Marks who is away, and removes who was for too long, where that is wanted.
pub async fn watch_absence(core: CoreHandle) {
    let mut clock = Clock::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let jumped = clock.jumped();
        let status = core.watch_status().borrow().clone();
        if !core.is_coordinator() || status.phase != Phase::Operational {
            continue;
        }
        let online: BTreeSet<NodeId> =
            status.nodes.iter().filter(|node| node.online).map(|node| node.id).collect();
        for command in absence::duties(&core.state(), &online, unix_now(), jumped) {
            if let Command::RemoveNode { node } = &command {
                warn!(node = core.state().node_name(*node), "away for too long; removing it");
            }
            if let Err(failure) = core.propose(command).await {
                warn!(%failure, "not done about a node that is away");
            }
        }
    }
}

/// The time of day against the time that goes by.
struct Clock {
    wall: SystemTime,
    passed: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { wall: SystemTime::now(), passed: Instant::now() }
    }

    /// Whether the time of day was set since the last question.
    fn jumped(&mut self) -> bool {
        let now = Self::new();
        let went = now.passed - self.passed;
        let shown = now.wall.duration_since(self.wall);
        *self = now;
        shown.is_err() || shown.is_ok_and(|shown| shown.abs_diff(went) > CLOCK_STEP)
    }
}

/// Has Corosync read its file again where a member runs with an older one: it was away when the others
/// read theirs, and has received its own since.
pub async fn keep_versions(corosync: Arc<Corosync>, core: CoreHandle) {
    let mut behind_before = None;
    loop {
        tokio::time::sleep(LOOK * 2).await;
        let (state, status) = (core.state(), core.watch_status().borrow().clone());
        let settled = status.phase == Phase::Operational && core.is_coordinator();
        if !settled || !state.removing.is_empty() {
            behind_before = None;
            continue;
        }
        let wanted = state.corosync.config_version;
        let Ok(versions) = corosync.config_versions().await else { continue };
        let behind: Vec<NodeId> = versions
            .into_iter()
            .filter(|(node, version)| state.nodes.contains_key(node) && *version < wanted)
            .map(|(node, _)| node)
            .collect();
        if behind.is_empty() {
            behind_before = None;
        } else if behind_before.as_ref() == Some(&(wanted, behind.clone())) {
            behind_before = None;
            info!(?behind, wanted, "corosync runs with an older configuration there; reloading");
            if let Err(error) = corosync.reload().await {
                warn!(error = describe(&error), "corosync not reloaded");
            }
        } else {
            behind_before = Some((wanted, behind));
        }
    }
}
