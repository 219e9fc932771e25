//! The dashboard's connection: subscribes, carries orders, and comes back by itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_proto::history::{History, HistoryEvent, HistoryParams};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::message::{
    LogLine, Notification, Outcome, Progress, Response, ServerLine, SubscribeParams, Topic, method,
};
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
/// Events of the past that are asked for.
const PAST: u32 = 300;

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
    /// What has happened, the oldest first; some of it may have been told before.
    Happened(Vec<HistoryEvent>),
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
    let mut after = None;
    loop {
        let error = match Connection::open(socket).await {
            Err(error) => error,
            Ok(connection) => {
                let mut talk = Talk::new(connection, &events, after);
                match talk.run(&mut orders).await {
                    Err(Closed) => return,
                    Ok(error) => {
                        if talk.fruitful {
                            pause = FIRST_PAUSE;
                        }
                        after = talk.after;
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
    /// Id of the request that asks for the past.
    past: Option<u64>,
    /// Number of the last event that is known: what comes after it is told, over all connections.
    after: Option<u64>,
    heard: Instant,
    mesh_heard: Instant,
    /// A status came: the next attempt may follow soon.
    fruitful: bool,
}

impl<'a> Talk<'a> {
    fn new(connection: Connection, events: &'a Sender<LinkEvent>, after: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            connection,
            events,
            pending: BTreeMap::new(),
            asked: None,
            past: None,
            after,
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
        if let Err(error) = self.subscribe().await {
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

    /// First how things are, then what has happened: all that is kept, or what came after the last that is known.
    async fn subscribe(&mut self) -> Result<(), ClientError> {
        self.connection.outgoing.send(method::SUBSCRIBE, json!({})).await?;
        if self.after.is_some() {
            return self.follow().await;
        }
        let params = HistoryParams { limit: Some(PAST), ..HistoryParams::default() };
        let params = serde_json::to_value(params).unwrap_or_default();
        self.past = Some(self.connection.outgoing.send(method::HISTORY, params).await?);
        Ok(())
    }

    async fn follow(&mut self) -> Result<(), ClientError> {
        let params = SubscribeParams { topics: Some(vec![Topic::History]), after: self.after };
        let params = serde_json::to_value(params).unwrap_or_default();
        self.connection.outgoing.send(method::SUBSCRIBE, params).await.map(drop)
    }

    /// The past came, or there is none yet: then everything that comes is new.
    async fn past(&mut self, outcome: Outcome) -> Result<Option<ClientError>, Closed> {
        let history = match outcome {
            Outcome::Result(value) => serde_json::from_value::<History>(value).ok(),
            Outcome::Error(_) => None,
        };
        let events = history.map(|history| history.events).unwrap_or_default();
        self.after = Some(events.last().map_or(0, |event| event.id));
        if !events.is_empty() {
            self.tell(LinkEvent::Happened(events)).await?;
        }
        Ok(self.follow().await.err())
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
            ServerLine::Response(response @ Response { id: Some(id), .. }) => {
                if self.past == Some(id) {
                    self.past = None;
                    return self.past(response.outcome).await;
                } else if self.asked == Some(id) {
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
            ServerLine::Response(_) => {}
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
            "history" => match serde_json::from_value::<HistoryEvent>(notification.data) {
                Ok(event) => {
                    self.after = Some(event.id);
                    self.tell(LinkEvent::Happened(vec![event])).await
                }
                Err(_) => Ok(()),
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
