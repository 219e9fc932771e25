//! The dashboard's connection: subscribes, carries orders, and comes back by itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::message::{LogLine, Notification, Outcome, Progress, ServerLine, method};
use sfha_proto::status::ClusterStatus;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{ClientError, Connection};

/// First pause before the next attempt; it doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// Without news of the mesh for this long, it is asked for: rates and ages stay alive on a daemon that
/// only speaks when something changes.
const ASK_AFTER: Duration = Duration::from_secs(2);
/// A daemon that says nothing for this long, not even an answer, is given up.
const SILENCE: Duration = Duration::from_secs(15);

/// What the dashboard hears.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// The daemon greeted and the subscription is asked for.
    Connected {
        /// Version of the daemon.
        version: String,
    },
    /// There is no connection; the next attempt follows by itself.
    Lost(ClientError),
    /// The cluster as it is now.
    Status(Box<ClusterStatus>),
    /// The mesh as it is now.
    Mesh(Box<MeshStatus>),
    /// A line of the daemon's log.
    Log(LogLine),
    /// A step of an order that is under way.
    Progress {
        /// Of the order.
        tag: u64,
        /// The step.
        progress: Progress,
    },
    /// What came of an order.
    Answer {
        /// Of the order.
        tag: u64,
        /// Its result.
        outcome: Result<Value, ClientError>,
    },
}

/// What the dashboard asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Comes back with the answer.
    pub tag: u64,
    /// One of [`method`].
    pub method: &'static str,
    /// Its parameters.
    pub params: Value,
}

/// The dashboard does not listen any more.
struct Closed;

/// Runs until the dashboard is gone.
pub async fn run(socket: &Path, events: Sender<LinkEvent>, mut orders: Receiver<Order>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match Connection::open(socket).await {
            Err(error) => error,
            Ok(connection) => {
                let mut talk = Talk::new(connection, &events);
                match talk.run(&mut orders).await {
                    Err(Closed) => return,
                    Ok(error) => {
                        if talk.fruitful {
                            pause = FIRST_PAUSE;
                        }
                        if talk.fail_pending(&error).await.is_err() {
                            return;
                        }
                        error
                    }
                }
            }
        };
        if events.send(LinkEvent::Lost(error.clone())).await.is_err() {
            return;
        }
        if wait(pause, &error, &events, &mut orders).await.is_err() {
            return;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Waits; orders that come meanwhile cannot be carried.
async fn wait(
    pause: Duration,
    error: &ClientError,
    events: &Sender<LinkEvent>,
    orders: &mut Receiver<Order>,
) -> Result<(), Closed> {
    let over = sleep(pause);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Ok(()),
            order = orders.recv() => {
                let Some(Order { tag, .. }) = order else { return Err(Closed) };
                let outcome = Err(error.clone());
                events.send(LinkEvent::Answer { tag, outcome }).await.map_err(|_| Closed)?;
            }
        }
    }
}

/// One connection from its greeting to its end.
struct Talk<'a> {
    connection: Connection,
    events: &'a Sender<LinkEvent>,
    /// Tags of orders by id of the request.
    pending: BTreeMap<u64, u64>,
    /// Id of the request that asks for the mesh.
    asked: Option<u64>,
    heard: Instant,
    mesh_heard: Instant,
    /// A status came: the next attempt may follow soon.
    fruitful: bool,
}

impl<'a> Talk<'a> {
    fn new(connection: Connection, events: &'a Sender<LinkEvent>) -> Self {
        let now = Instant::now();
        Self {
            connection,
            events,
            pending: BTreeMap::new(),
            asked: None,
            heard: now,
            mesh_heard: now,
            fruitful: false,
        }
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    /// Until the connection ends; the inner error says how.
    async fn run(&mut self, orders: &mut Receiver<Order>) -> Result<ClientError, Closed> {
        let version = self.connection.greeting.sfha.clone();
        self.tell(LinkEvent::Connected { version }).await?;
        if let Err(error) = self.connection.outgoing.send(method::SUBSCRIBE, json!({})).await {
            return Ok(error);
        }
        let mut beat = interval(Duration::from_secs(1));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let over = tokio::select! {
                line = self.connection.incoming.line() => match line {
                    Ok(line) => self.hear(line).await?,
                    Err(error) => Some(error),
                },
                order = orders.recv() => match order {
                    None => return Err(Closed),
                    Some(order) => self.order(order).await.err(),
                },
                _ = beat.tick() => self.beat().await.err(),
            };
            if let Some(error) = over {
                return Ok(error);
            }
        }
    }

    async fn order(&mut self, order: Order) -> Result<(), ClientError> {
        let id = self.connection.outgoing.send(order.method, order.params).await?;
        self.pending.insert(id, order.tag);
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), ClientError> {
        if self.heard.elapsed() > SILENCE {
            let failure = Failure::new(ErrorCode::TimedOut).with("what", method::SUBSCRIBE);
            return Err(failure.with("seconds", SILENCE.as_secs()).into());
        }
        if self.asked.is_none() && self.mesh_heard.elapsed() >= ASK_AFTER {
            self.asked = Some(self.connection.outgoing.send(method::MESH_STATUS, json!({})).await?);
        }
        Ok(())
    }

    async fn hear(&mut self, line: ServerLine) -> Result<Option<ClientError>, Closed> {
        self.heard = Instant::now();
        match line {
            ServerLine::Notification(notification) => self.notification(notification).await?,
            ServerLine::Response(response) => {
                let Some(id) = response.id else { return Ok(None) };
                if self.asked == Some(id) {
                    self.asked = None;
                    self.mesh_heard = Instant::now();
                    if let Outcome::Result(value) = response.outcome
                        && let Ok(mesh) = serde_json::from_value(value)
                    {
                        self.tell(LinkEvent::Mesh(Box::new(mesh))).await?;
                    }
                } else if let Some(tag) = self.pending.remove(&id) {
                    let outcome = match response.outcome {
                        Outcome::Result(value) => Ok(value),
                        Outcome::Error(failure) => Err(failure.into()),
                    };
                    self.tell(LinkEvent::Answer { tag, outcome }).await?;
                } else if let Outcome::Error(failure) = response.outcome {
                    // The subscription itself was refused.
                    return Ok(Some(failure.into()));
                }
            }
        }
        Ok(None)
    }

    async fn notification(&mut self, notification: Notification) -> Result<(), Closed> {
        match notification.event.as_str() {
            "status" => match serde_json::from_value::<ClusterStatus>(notification.data) {
                Ok(status) => {
                    self.fruitful = true;
                    if status.mesh_detail.is_some() {
                        self.mesh_heard = Instant::now();
                    }
                    self.tell(LinkEvent::Status(Box::new(status))).await
                }
                Err(error) => {
                    tracing::debug!(%error, "a status that does not read");
                    Ok(())
                }
            },
            "log" => match serde_json::from_value(notification.data) {
                Ok(line) => self.tell(LinkEvent::Log(line)).await,
                Err(_) => Ok(()),
            },
            "progress" => match serde_json::from_value::<Progress>(notification.data) {
                Ok(progress) => match self.pending.get(&progress.id) {
                    Some(tag) => self.tell(LinkEvent::Progress { tag: *tag, progress }).await,
                    None => Ok(()),
                },
                Err(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn fail_pending(&mut self, error: &ClientError) -> Result<(), Closed> {
        for tag in std::mem::take(&mut self.pending).into_values() {
            let outcome = Err(error.clone());
            self.tell(LinkEvent::Answer { tag, outcome }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
