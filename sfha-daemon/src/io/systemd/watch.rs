//! Watches units: what systemd says of them is told whenever it changes, from whatever cause. By signals, never
//! by asking again and again.
//!
//! The signals have a connection of their own, on which nothing is asked: while something is waited for, nobody
//! reads the signals, and a connection of zbus with a full stream reads no answers either.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::StreamExt as _;
use sfha_core::UnitState;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::watch;
use tracing::{debug, warn};
use zbus::proxy::CacheProperties;
use zbus::{MatchRule, MessageStream, Variant};
use zbus_systemd::systemd1::ManagerProxy;

use super::{Systemd, Unit};

/// Every unit's object is under this one.
const UNITS: &str = "/org/freedesktop/systemd1/unit";

/// The interface whose properties all units have.
const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";

/// Time before the bus is tried again.
const RECONNECT: Duration = Duration::from_secs(1);

fn state_of(unit: &Unit) -> UnitState {
    let state = match unit.active.as_str() {
        "active" | "reloading" | "refreshing" => UnitState::Active,
        "inactive" => UnitState::Inactive,
        "failed" => UnitState::Failed,
        _ => UnitState::Changing,
    };
    match (state, unit.load.as_str()) {
        (UnitState::Inactive | UnitState::Failed, "not-found" | "masked" | "bad-setting" | "error") => {
            UnitState::Missing
        }
        (state, _) => state,
    }
}

/// Tells the states of the units that `wanted` names, by the names it has for them: each once at first, then
/// whenever it has changed. What is told is true at that time, not when the signal was sent: of a unit that was
/// restarted meanwhile nobody hears that it was down, in the wrong order with the outcome of that restart. Ends
/// when `wanted` does.
pub async fn watch_units(
    systemd: Systemd,
    mut wanted: watch::Receiver<BTreeMap<String, String>>,
    tell: impl Fn(String, UnitState),
) {
    loop {
        // Nothing to watch: nothing is asked of the bus.
        if wanted.wait_for(|wanted| !wanted.is_empty()).await.is_err() {
            return;
        }
        let mut watcher = Watcher { systemd: &systemd, tell: &tell, read: BTreeMap::new() };
        match watcher.follow(&mut wanted).await {
            Ok(()) => return,
            Err(failure) => warn!(%failure, "units cannot be watched for now"),
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

struct Watcher<'a, T> {
    systemd: &'a Systemd,
    tell: &'a T,
    /// The units that were read, by the names of those who want them: unit, and path of its object.
    read: BTreeMap<String, (String, String)>,
}

impl<T: Fn(String, UnitState)> Watcher<'_, T> {
    /// Returns `Ok` when nothing is wanted any more, for ever.
    async fn follow(
        &mut self,
        wanted: &mut watch::Receiver<BTreeMap<String, String>>,
    ) -> Result<(), Failure> {
        let failed = |error: zbus::Error| broken(&error);
        let connection = zbus::Connection::system().await.map_err(failed)?;
        let manager = ManagerProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(failed)?;
        let mut restarts = manager.inner().receive_owner_changed().await.map_err(failed)?;
        let mut reloads = manager.receive_reloading().await.map_err(failed)?;
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender("org.freedesktop.systemd1")
            .interface("org.freedesktop.DBus.Properties")
            .member("PropertiesChanged")
            .path_namespace(UNITS)
            .arg(0, UNIT_INTERFACE)
            .build()
            .map_err(failed)?;
        let mut changes = MessageStream::for_match_rule(rule, &connection, None).await.map_err(failed)?;
        manager.subscribe().await.map_err(failed)?;
        // Subscribed first, read then: no change falls between.
        let units = wanted.borrow_and_update().clone();
        self.read_all(&units).await?;
        loop {
            tokio::select! {
                change = changes.next() => match change {
                    Some(Ok(message)) => self.hear(&message).await?,
                    Some(Err(error)) => return Err(broken(&error)),
                    None => return Err(broken(&"the bus is gone")),
                },
                reload = reloads.next() => {
                    // Told twice, when it begins and when it is over.
                    let over = reload.is_some_and(|it| it.args().is_ok_and(|args| !args.active));
                    if over {
                        let units = wanted.borrow().clone();
                        self.read_all(&units).await?;
                    }
                }
                // systemd executed itself anew: it may have forgotten its subscribers.
                restarted = restarts.next() => match restarted {
                    Some(Some(_)) => {
                        manager.subscribe().await.map_err(failed)?;
                        let units = wanted.borrow().clone();
                        self.read_all(&units).await?;
                    }
                    Some(None) => {}
                    None => return Err(broken(&"the bus is gone")),
                },
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let units = wanted.borrow_and_update().clone();
                    self.read_new(&units).await?;
                }
            }
        }
    }

    /// Reads all units anew.
    async fn read_all(&mut self, wanted: &BTreeMap<String, String>) -> Result<(), Failure> {
        self.read.clear();
        self.read_new(wanted).await
    }

    /// Reads those that were not read yet.
    async fn read_new(&mut self, wanted: &BTreeMap<String, String>) -> Result<(), Failure> {
        let wants = |name: &String, unit: &String| wanted.get(name) == Some(unit);
        self.read.retain(|name, (unit, _)| wants(name, unit));
        for (name, unit) in wanted {
            if !self.read.contains_key(name) {
                self.look(name.clone(), unit.clone()).await?;
            }
        }
        Ok(())
    }

    async fn look(&mut self, name: String, unit: String) -> Result<(), Failure> {
        let (path, now) = self.systemd.located(&unit).await.map_err(|error| broken(&error))?;
        self.read.insert(name.clone(), (unit, path));
        let state = state_of(&now);
        debug!(service = name, ?state, "unit");
        (self.tell)(name, state);
        Ok(())
    }

    async fn hear(&mut self, message: &zbus::Message) -> Result<(), Failure> {
        let header = message.header();
        let Some(path) = header.path() else { return Ok(()) };
        let here = |(_, (_, it)): &(&String, &(String, String))| it == path.as_str();
        let changed: Vec<(String, String)> =
            self.read.iter().filter(here).map(|(name, (unit, _))| (name.clone(), unit.clone())).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let body = message.body();
        let Ok((_, properties, _)) = body.deserialize::<(&str, HashMap<&str, Variant<'_>>, Vec<&str>)>()
        else {
            return Ok(());
        };
        if properties.contains_key("ActiveState") {
            for (name, unit) in changed {
                self.look(name, unit).await?;
            }
        }
        Ok(())
    }
}

fn broken(cause: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal).with("what", "systemd").with("cause", cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_of_a_unit_becomes_a_state() {
        for (load, active, state) in [
            ("loaded", "active", UnitState::Active),
            ("loaded", "reloading", UnitState::Active),
            ("loaded", "inactive", UnitState::Inactive),
            ("loaded", "failed", UnitState::Failed),
            ("loaded", "activating", UnitState::Changing),
            ("loaded", "deactivating", UnitState::Changing),
            ("loaded", "a word of tomorrow", UnitState::Changing),
            ("not-found", "inactive", UnitState::Missing),
            ("masked", "inactive", UnitState::Missing),
            ("bad-setting", "failed", UnitState::Missing),
            // Its file was removed while it runs.
            ("not-found", "active", UnitState::Active),
        ] {
            let unit = Unit { load: load.to_owned(), active: active.to_owned() };
            assert_eq!(state_of(&unit), state, "{load}, {active}");
        }
    }
}
