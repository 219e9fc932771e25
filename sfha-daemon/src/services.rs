//! Starts and stops the services of this node: one task each, so that a slow one holds nobody up.
//!
//! ```text
//!  core ──StartService, StopService, RestartService──▶ task of that service ──jobs──▶ systemd
//!  core ◀──────────ActionFinished────────────────────────────┘
//! ```
//!
//! Orders for one service are carried out one after the other. A start (or restart) that a newer order makes
//! pointless is given up at once, waiting or under way; a stop never is.
//!
//! What this node has started is on a list ([`Kept`]) from before its start until it has stopped for certain:
//! after the death of the daemon `sfhad release` stops what is on it, and so does the next daemon.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sfha_core::ActionId;
use sfha_core::resources::Service;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::io::systemd::Systemd;
use crate::vips::Finished;

mod kept;
pub mod request;
mod unit;

pub use kept::{Kept, Started};
pub use unit::KILL_PATIENCE;

/// What became of an order that a newer one made pointless.
const SUPERSEDED: &str = "superseded";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Start,
    Stop,
    Restart,
}

#[derive(Debug)]
struct Order {
    id: ActionId,
    what: What,
    service: Service,
}

/// The way to give orders.
#[derive(Debug)]
pub struct Services {
    systemd: Systemd,
    kept: Kept,
    finished: mpsc::UnboundedSender<Finished>,
    tasks: Mutex<BTreeMap<String, mpsc::UnboundedSender<Order>>>,
}

impl Services {
    /// Nothing runs yet. `kept` is the list of what was started, as a rule empty: what an earlier process left
    /// behind has been stopped ([`stop_left_behind`]).
    #[must_use]
    pub fn new(systemd: Systemd, kept: Kept, finished: mpsc::UnboundedSender<Finished>) -> Self {
        Self { systemd, kept, finished, tasks: Mutex::default() }
    }

    /// Starts a service: done once its unit is active.
    pub fn start(&self, id: ActionId, name: String, service: Service) {
        self.order(name, Order { id, what: What::Start, service });
    }

    /// Stops a service: done once its unit is inactive for certain.
    pub fn stop(&self, id: ActionId, name: String, service: Service) {
        self.order(name, Order { id, what: What::Stop, service });
    }

    /// Stops a service and starts it again.
    pub fn restart(&self, id: ActionId, name: String, service: Service) {
        self.order(name, Order { id, what: What::Restart, service });
    }

    fn order(&self, name: String, order: Order) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let task = tasks.entry(name.clone()).or_insert_with(|| {
            let (orders, queue) = mpsc::unbounded_channel();
            let task = Task {
                name: name.clone(),
                systemd: self.systemd.clone(),
                kept: self.kept.clone(),
                finished: self.finished.clone(),
            };
            tokio::spawn(task.run(queue));
            orders
        });
        if task.send(order).is_err() {
            warn!(service = name, "the task of this service has ended");
        }
    }
}

struct Task {
    name: String,
    systemd: Systemd,
    kept: Kept,
    finished: mpsc::UnboundedSender<Finished>,
}

impl Task {
    /// Ends when every [`Services`] is dropped and the last order is carried out.
    async fn run(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut next = None;
        loop {
            let order = match next.take() {
                Some(order) => order,
                None => match orders.recv().await {
                    Some(order) => order,
                    None => return,
                },
            };
            if order.what == What::Stop {
                let outcome = self.carry_out(&order).await;
                self.tell(order.id, outcome);
                continue;
            }
            tokio::select! {
                // A newer order that waits is found before this one is begun.
                biased;
                Some(newer) = orders.recv() => {
                    info!(service = self.name, given_up = ?order.what, newer = ?newer.what, "a newer order");
                    self.tell(order.id, Err(SUPERSEDED.to_owned()));
                    next = Some(newer);
                }
                outcome = self.carry_out(&order) => self.tell(order.id, outcome),
            }
        }
    }

    fn tell(&self, id: ActionId, outcome: Result<(), String>) {
        // The loop may have ended meanwhile.
        let _ = self.finished.send(Finished::Action(id, outcome));
    }

    async fn carry_out(&self, order: &Order) -> Result<(), String> {
        let service = &order.service;
        match order.what {
            What::Start => self.start(service).await,
            What::Stop => self.stop(service).await,
            What::Restart => {
                // Not systemd's own restart: a unit that does not stop is killed, here as well.
                self.stop(service).await?;
                self.start(service).await
            }
        }
    }

    async fn start(&self, service: &Service) -> Result<(), String> {
        let name = &self.name;
        if let Err(failure) = self.kept.add(name, service) {
            warn!(service = name, %failure, "cannot be noted, hence not started");
            return Err("start-failed".to_owned());
        }
        let limit = Duration::from_millis(service.start_timeout_ms);
        unit::start(&self.systemd, &service.unit, limit).await?;
        info!(service = name, unit = service.unit, "service started");
        Ok(())
    }

    async fn stop(&self, service: &Service) -> Result<(), String> {
        let limit = Duration::from_millis(service.stop_timeout_ms);
        unit::stop(&self.systemd, &service.unit, limit).await?;
        self.kept.remove(&self.name);
        info!(service = self.name, unit = service.unit, "service stopped");
        Ok(())
    }
}

/// Stops whatever the list names, all at once, each within its own time: what was started and not stopped, by
/// this process or an earlier one. Returns the names of those that may still run.
pub async fn stop_left_behind(kept: &Kept, systemd: &Systemd) -> Vec<String> {
    let mut stopping = JoinSet::new();
    for (name, started) in kept.started() {
        let systemd = systemd.clone();
        stopping.spawn(async move {
            let outcome = unit::stop(&systemd, &started.unit, started.stop_timeout()).await;
            (name, outcome)
        });
    }
    let mut left = Vec::new();
    while let Some(ended) = stopping.join_next().await {
        match ended {
            Ok((name, Ok(()))) => {
                info!(service = name, "stopped what was left behind");
                kept.remove(&name);
            }
            Ok((name, Err(_))) => left.push(name),
            Err(error) => warn!(%error, "stopping what was left behind"),
        }
    }
    left
}
