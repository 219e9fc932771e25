//! Watches units: what systemd says of them is told whenever it changes, from whatever cause. By signals, never
//! by asking again and again.
//!
//! The signals have a connection of their own, on which nothing is asked: while something is waited for, nobody
//! reads the signals, and a connection of zbus with a full stream reads no answers either.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{mpsc, watch};
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

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// It runs.
    Active,
    /// It does not.
    Inactive,
    /// It does not, since it failed.
    Failed,
    /// It is being started or stopped.
    Changing,
    /// systemd has no such unit, or may not start it.
    Missing,
}

impl UnitState {
    fn of(unit: &Unit) -> Self {
        match (Self::of_active(&unit.active), unit.load.as_str()) {
            (Self::Inactive | Self::Failed, "not-found" | "masked" | "bad-setting" | "error") => {
                Self::Missing
            }
            (state, _) => state,
        }
    }

    fn of_active(active: &str) -> Self {
        match active {
            "active" | "reloading" | "refreshing" => Self::Active,
            "inactive" => Self::Inactive,
            "failed" => Self::Failed,
            _ => Self::Changing,
        }
    }
}

/// Tells the states of the units that `wanted` names, by the names it has for them: each once at first, then
/// each change. Ends when `wanted` does.
pub async fn watch_units(
    systemd: Systemd,
    mut wanted: watch::Receiver<BTreeMap<String, String>>,
    tell: mpsc::UnboundedSender<(String, UnitState)>,
) {
    let mut told = BTreeMap::new();
    loop {
        // Nothing to watch: nothing is asked of the bus.
        if wanted.wait_for(|wanted| !wanted.is_empty()).await.is_err() {
            return;
        }
        let mut watcher = Watcher { systemd: &systemd, tell: &tell, told: &mut told, read: BTreeMap::new() };
        match watcher.follow(&mut wanted).await {
            Ok(()) => return,
            Err(failure) => warn!(%failure, "units cannot be watched for now"),
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

struct Watcher<'a> {
    systemd: &'a Systemd,
    tell: &'a mpsc::UnboundedSender<(String, UnitState)>,
    told: &'a mut BTreeMap<String, UnitState>,
    /// The units that were read, by the names of those who want them: unit, and path of its object.
    read: BTreeMap<String, (String, String)>,
}

impl Watcher<'_> {
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
        self.read_all(&wanted.borrow_and_update().clone()).await?;
        loop {
            tokio::select! {
                change = changes.next() => match change {
                    Some(Ok(message)) => self.hear(&message),
                    Some(Err(error)) => return Err(broken(&error)),
                    None => return Err(broken(&"the bus is gone")),
                },
                reload = reloads.next() => {
                    // Told twice, when it begins and when it is over.
                    let over = reload.is_some_and(|it| it.args().is_ok_and(|args| !args.active));
                    if over {
                        self.read_all(&wanted.borrow().clone()).await?;
                    }
                }
                // systemd executed itself anew: it may have forgotten its subscribers.
                restarted = restarts.next() => match restarted {
                    Some(Some(_)) => {
                        manager.subscribe().await.map_err(failed)?;
                        self.read_all(&wanted.borrow().clone()).await?;
                    }
                    Some(None) => {}
                    None => return Err(broken(&"the bus is gone")),
                },
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    self.read_new(&wanted.borrow_and_update().clone()).await?;
                }
            }
        }
    }

    /// Reads all units anew.
    async fn read_all(&mut self, wanted: &BTreeMap<String, String>) -> Result<(), Failure> {
        self.read.clear();
        self.read_new(wanted).await
    }

    /// Reads those that were not read yet. Not the others: what a signal on its way says of them would be older
    /// than what is read, and told after it.
    async fn read_new(&mut self, wanted: &BTreeMap<String, String>) -> Result<(), Failure> {
        let wants = |name: &String, unit: &String| wanted.get(name) == Some(unit);
        self.read.retain(|name, (unit, _)| wants(name, unit));
        self.told.retain(|name, _| wanted.contains_key(name));
        for (name, unit) in wanted {
            if self.read.contains_key(name) {
                continue;
            }
            let (path, now) = self.systemd.located(unit).await.map_err(|error| broken(&error))?;
            self.read.insert(name.clone(), (unit.clone(), path));
            self.say(name.clone(), UnitState::of(&now));
        }
        Ok(())
    }

    fn hear(&mut self, message: &zbus::Message) {
        let header = message.header();
        let Some(path) = header.path() else { return };
        let here = |(_, (_, it)): &(&String, &(String, String))| it == path.as_str();
        let names: Vec<String> = self.read.iter().filter(here).map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            return;
        }
        let body = message.body();
        let Ok((_, changed, _)) = body.deserialize::<(&str, HashMap<&str, Variant<'_>>, Vec<&str>)>() else {
            return;
        };
        let Some(Variant::Str(active)) = changed.get("ActiveState") else { return };
        for name in names {
            self.say(name, UnitState::of_active(active.as_str()));
        }
    }

    fn say(&mut self, name: String, state: UnitState) {
        if self.told.insert(name.clone(), state) != Some(state) {
            debug!(service = name, ?state, "unit");
            // Whoever listened may have ended.
            let _ = self.tell.send((name, state));
        }
    }
}

fn broken(cause: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal).with("what", "systemd").with("cause", cause.to_string())
}
