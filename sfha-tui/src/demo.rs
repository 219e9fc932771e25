//! An invented cluster that speaks as the daemon does: now and then a check fails, a node is lost, fenced
//! and comes back, and what the operator asks for happens.

use std::time::Duration;

use jiff::Timestamp;
use sfha_proto::message::LogLine;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval};

use crate::client::link::{LinkEvent, Order};

mod document;
mod foresee;
mod orders;
pub(crate) mod world;

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
        let changed = tokio::select! {
            _ = steps.tick() => world.step(Timestamp::now()),
            order = orders.recv() => match order {
                None => return,
                Some(order) => {
                    world.take(order);
                    true
                }
            },
        };
        for event in world.news(changed) {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}

fn line(now: Timestamp, level: &str, target: &str, message: String) -> LogLine {
    LogLine { time: now.to_string(), level: level.to_owned(), target: format!("sfhad::{target}"), message }
}

#[cfg(test)]
mod tests;
