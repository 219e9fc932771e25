//! Writes the replicated state, in the order in which it is asked to, off the event loop.

use sfha_core::{ActionId, ClusterState, NodeId};
use tokio::sync::mpsc;
use tracing::error;

use crate::paths::Paths;
use crate::store;
use crate::vips::Finished;

/// The way to the disk.
#[derive(Debug, Clone)]
pub struct Disk {
    queue: mpsc::UnboundedSender<(ActionId, Box<ClusterState>)>,
}

impl Disk {
    /// Starts the task. Only the newest of several waiting states is written: each is whole, and whoever
    /// waits for an older one is served by the newer.
    #[must_use]
    pub fn start(paths: Paths, me: NodeId, finished: mpsc::UnboundedSender<Finished>) -> Self {
        let (queue, mut orders) = mpsc::unbounded_channel::<(ActionId, Box<ClusterState>)>();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while orders.recv_many(&mut batch, 64).await > 0 {
                let mut ids = Vec::new();
                let mut newest = None;
                for (id, state) in batch.drain(..) {
                    ids.push(id);
                    newest = Some(state);
                }
                let Some(state) = newest else { continue };
                let paths = paths.clone();
                let written = tokio::task::spawn_blocking(move || store::persist(&paths, &state, me)).await;
                let outcome = match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(failure)) => {
                        error!(%failure, "state not written");
                        Err(failure.code.as_str())
                    }
                    Err(error) => {
                        error!(%error, "writing the state failed");
                        Err("internal".to_owned())
                    }
                };
                for id in ids {
                    let _ = finished.send(Finished::Action(id, outcome.clone()));
                }
            }
        });
        Self { queue }
    }

    /// Has a state written.
    pub fn persist(&self, id: ActionId, state: Box<ClusterState>) {
        if self.queue.send((id, state)).is_err() {
            error!("the task that writes the state has ended");
        }
    }
}
