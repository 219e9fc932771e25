//! The way to the core for everybody else: calls go in, what is published can be watched.

use std::collections::BTreeSet;
use std::sync::Arc;

use sfha_core::action::Answered;
use sfha_core::mesh_vips::Holders;
use sfha_core::{Cluster, ClusterState, Command, NodeId, Time};
use sfha_proto::fencing::FencingSummary;
use sfha_proto::status::ClusterStatus;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub(super) type Reply = oneshot::Sender<Result<Answered, Failure>>;

/// A question to the core, which answers itself.
pub(super) type Look = Box<dyn FnOnce(&Cluster, Time) + Send>;

pub(super) enum Call {
    Propose(Command, Reply),
    Move(Option<NodeId>, BTreeSet<String>, Reply),
    Announce(BTreeSet<String>, Reply),
    Shutdown,
    Look(Look),
}

/// How fencing stands, and when: the waits go on from there.
pub type FencingSeen = (Instant, FencingSummary);

/// The way to the core for everybody else.
#[derive(Clone)]
pub struct CoreHandle {
    pub(super) calls: mpsc::Sender<Call>,
    pub(super) state: watch::Receiver<Arc<ClusterState>>,
    pub(super) status: watch::Receiver<Arc<ClusterStatus>>,
    pub(super) coordinator: watch::Receiver<bool>,
    pub(super) holders: watch::Receiver<Option<Holders>>,
    pub(super) fencing: watch::Receiver<FencingSeen>,
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
            Answered::Applied(_) | Answered::Announced { .. } => Err(ErrorCode::Internal.into()),
        }
    }

    /// Has VIPs announced by those who have them, all that are served if none are named; returns their names.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn announce(&self, names: BTreeSet<String>) -> Result<Vec<String>, Failure> {
        match self.ask(|reply| Call::Announce(names, reply)).await? {
            Answered::Announced { vips } => Ok(vips),
            Answered::Applied(_) | Answered::Moved { .. } => Err(ErrorCode::Internal.into()),
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
