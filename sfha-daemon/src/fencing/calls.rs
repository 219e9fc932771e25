//! Calls of drivers, each a task of its own: nothing else waits for them.

use std::time::Duration;

use sfha_core::fencing::settings::{FencingSettings, Level};
use sfha_core::fencing::{Call, Power, RunId};
use sfha_proto::Failure;
use sfha_proto::fencing::{FencingPower, FencingTest};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::driver;
use crate::vips::Finished;

/// What one call is about.
#[derive(Debug, Clone)]
pub struct Order {
    /// Names it.
    pub id: RunId,
    /// Name of the node.
    pub name: String,
    /// Which driver.
    pub level: Level,
    /// What is to be done.
    pub call: Call,
    /// Time for it.
    pub deadline: Duration,
}

/// Calls a driver; the outcome comes as [`Finished::Fence`].
pub fn start(order: Order, settings: &FencingSettings, finished: mpsc::UnboundedSender<Finished>) {
    let settings = settings.clone();
    tokio::spawn(async move {
        let Order { id, name, level, call, deadline } = order;
        info!(node = name, level = level.name(), ?call, "fencing");
        let outcome = if settings.dry_run {
            info!(node = name, "dry run: nothing is switched");
            Ok(if call == Call::On { Power::On } else { Power::Off })
        } else {
            ask(&settings, &name, &level, call, deadline).await
        };
        match &outcome {
            Ok(power) => info!(node = name, level = level.name(), ?call, ?power, "fencing: answered"),
            Err(failure) => warn!(node = name, level = level.name(), ?call, %failure, "fencing: failed"),
        }
        // The loop may have ended meanwhile.
        let _ = finished.send(Finished::Fence(id, outcome.map_err(Into::into)));
    });
}

async fn ask(
    settings: &FencingSettings,
    node: &str,
    level: &Level,
    call: Call,
    deadline: Duration,
) -> Result<Power, Failure> {
    match driver(settings, level)? {
        Some(driver) => super::call(&*driver, node, call, deadline).await,
        None => Ok(Power::Unknown),
    }
}

/// Asks every driver of these nodes how they are, all at the same time, each for so long. Nothing is switched.
pub async fn test(settings: &FencingSettings, nodes: &[String], deadline: Duration) -> Vec<FencingTest> {
    let mut asking = JoinSet::new();
    for node in nodes {
        for (index, level) in settings.levels_of(node).iter().enumerate() {
            if *level == Level::Watchdog {
                continue;
            }
            let (settings, node, level) = (settings.clone(), node.clone(), level.clone());
            asking.spawn(async move {
                let began = Instant::now();
                let outcome = test_one(&settings, &node, &level, deadline).await;
                let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let level = level.name().to_owned();
                let (power, error) = match outcome {
                    Ok(power) => (Some(told(power)), None),
                    Err(failure) => (None, Some(failure)),
                };
                ((node.clone(), index), FencingTest { node, level, power, error, elapsed_ms })
            });
        }
    }
    let mut results = asking.join_all().await;
    results.sort_by(|(one, _), (other, _)| one.cmp(other));
    results.into_iter().map(|(_, result)| result).collect()
}

async fn test_one(
    settings: &FencingSettings,
    node: &str,
    level: &Level,
    deadline: Duration,
) -> Result<Power, Failure> {
    let Some(driver) = driver(settings, level)? else { return Ok(Power::Unknown) };
    tokio::time::timeout(deadline, driver.test(node)).await.map_err(|_| super::late(deadline))?
}

const fn told(power: Power) -> FencingPower {
    match power {
        Power::On => FencingPower::On,
        Power::Off => FencingPower::Off,
        Power::Unknown => FencingPower::Unknown,
    }
}
