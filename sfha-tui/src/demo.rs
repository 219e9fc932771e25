//! An invented cluster of three nodes that speaks as the daemon does: now and then a node is lost and
//! comes back, and what the operator asks for happens.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sfha_proto::message::{LogLine, method};
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval};

use crate::client::link::{LinkEvent, Order};

mod world;

pub use world::World;

/// Steps of the invented world.
const STEP: Duration = Duration::from_millis(500);

/// Runs until the dashboard is gone.
pub async fn run(events: Sender<LinkEvent>, mut orders: Receiver<Order>) {
    let mut world = World::new(Timestamp::now());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    if events.send(LinkEvent::Connected { version }).await.is_err() {
        return;
    }
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let answer = tokio::select! {
            _ = steps.tick() => None,
            order = orders.recv() => match order {
                None => return,
                Some(Order { tag, method, params }) => {
                    let outcome = obey(&mut world, method, &params).map_err(Into::into);
                    Some(LinkEvent::Answer { tag, outcome })
                }
            },
        };
        let now = Timestamp::now();
        let changed = if answer.is_none() { world.step(now) } else { true };
        let mut news: Vec<LinkEvent> = answer.into_iter().collect();
        news.extend(world.take_log().into_iter().map(LinkEvent::Log));
        if changed {
            news.push(LinkEvent::Status(Box::new(world.status(now))));
        }
        for event in news {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// Does what is asked, as the daemon would.
pub fn obey(world: &mut World, method: &str, params: &Value) -> Result<Value, Failure> {
    let node = || params["node"].as_str().unwrap_or(world::HERE).to_owned();
    match method {
        method::STANDBY => world.set_standby(&node(), true)?,
        method::UNSTANDBY => world.set_standby(&node(), false)?,
        method::MAINTENANCE => world.set_maintenance(params["on"] == true),
        other => return Err(Failure::new(ErrorCode::UnknownMethod).with("method", other)),
    }
    Ok(json!({}))
}

fn line(now: Timestamp, level: &str, target: &str, message: String) -> LogLine {
    LogLine { time: now.to_string(), level: level.to_owned(), target: format!("sfhad::{target}"), message }
}

#[cfg(test)]
mod tests;
