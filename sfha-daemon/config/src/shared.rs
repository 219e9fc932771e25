//! The part of a configuration that all nodes share, as entries that can be compared one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sfha_core::fencing::settings::FencingSettings;
use sfha_core::qdevice::Qdevice;
use sfha_core::resources::{Configured, Constraint, HealthCheck, Policy, Service};
use sfha_core::state::Vip;
use sfha_proto::config::Change as Told;

/// What is shared.
///
/// The same as [`Configured`] in another order: a check that belongs to a service is part of it, and nothing
/// refers to what is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// `cluster.failback`
    pub failback: bool,
    /// `vips`, by name.
    pub vips: BTreeMap<String, Vip>,
    /// `services`, by name.
    pub services: BTreeMap<String, Managed>,
    /// `health_checks`, by name.
    pub checks: BTreeMap<String, HealthCheck>,
    /// `constraints`; their order says nothing.
    pub constraints: BTreeSet<Constraint>,
    /// `stonith`, without secrets.
    #[serde(default)]
    pub stonith: FencingSettings,
    /// `corosync.qdevice`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdevice: Option<Qdevice>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::from(&Configured::default())
    }
}

/// A service, with the check of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// The service.
    pub service: Service,
    /// `healthcheck`
    pub check: Option<HealthCheck>,
}

impl From<&Configured> for Shared {
    fn from(configured: &Configured) -> Self {
        let own = |name: &str, check: &HealthCheck| check.service.as_deref() == Some(name);
        let managed = |(name, service): (&String, &Service)| {
            let check = configured.checks.get(name).filter(|check| own(name, check)).cloned();
            (name.clone(), Managed { service: service.clone(), check })
        };
        let services: BTreeMap<String, Managed> = configured.services.iter().map(managed).collect();
        let alone = |(name, check): &(&String, &HealthCheck)| {
            !own(name, check)
                && check.service.as_ref().is_none_or(|service| configured.services.contains_key(service))
        };
        let known = |constraint: &&Constraint| {
            let there =
                |name: &str| configured.vips.contains_key(name) || configured.services.contains_key(name);
            constraint.names().into_iter().all(there)
        };
        Self {
            failback: configured.policy.failback,
            vips: configured.vips.clone(),
            services,
            checks: configured
                .checks
                .iter()
                .filter(alone)
                .map(|(name, check)| (name.clone(), check.clone()))
                .collect(),
            constraints: configured.constraints.iter().filter(known).cloned().collect(),
            stonith: configured.stonith.clone(),
            qdevice: configured.qdevice.clone(),
        }
    }
}

impl From<&Shared> for Configured {
    fn from(shared: &Shared) -> Self {
        let mut checks = shared.checks.clone();
        for (name, managed) in &shared.services {
            if let Some(check) = &managed.check {
                checks.insert(name.clone(), check.clone());
            }
        }
        let services =
            shared.services.iter().map(|(name, managed)| (name.clone(), managed.service.clone())).collect();
        Self {
            policy: Policy { failback: shared.failback },
            vips: shared.vips.clone(),
            services,
            checks,
            constraints: shared.constraints.iter().cloned().collect(),
            stonith: shared.stonith.clone(),
            qdevice: shared.qdevice.clone(),
        }
    }
}

/// Names an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `cluster.failback`
    Failback,
    /// `corosync.qdevice`
    Qdevice,
    /// A VIP.
    Vip(String),
    /// A service.
    Service(String),
    /// A health check.
    Check(String),
    /// A constraint, which is its own name.
    Constraint(Constraint),
    /// `stonith`, as a whole.
    Stonith,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `cluster.failback`
    Failback(bool),
    /// `corosync.qdevice`
    Qdevice(Qdevice),
    /// A VIP.
    Vip(Vip),
    /// A service.
    Service(Box<Managed>),
    /// A health check.
    Check(Box<HealthCheck>),
    /// A constraint.
    Constraint(Constraint),
    /// `stonith`; absent where it says nothing.
    Stonith(Box<FencingSettings>),
}

/// One entry that is added, removed or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Key,
    /// What it was.
    pub from: Option<Entry>,
    /// What it is to be.
    pub to: Option<Entry>,
}

impl Shared {
    /// Every entry.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<Key, Entry> {
        let mut entries = BTreeMap::from([(Key::Failback, Entry::Failback(self.failback))]);
        if let Some(qdevice) = &self.qdevice {
            entries.insert(Key::Qdevice, Entry::Qdevice(qdevice.clone()));
        }
        for (name, vip) in &self.vips {
            entries.insert(Key::Vip(name.clone()), Entry::Vip(vip.clone()));
        }
        for (name, managed) in &self.services {
            entries.insert(Key::Service(name.clone()), Entry::Service(Box::new(managed.clone())));
        }
        for (name, check) in &self.checks {
            entries.insert(Key::Check(name.clone()), Entry::Check(Box::new(check.clone())));
        }
        for constraint in &self.constraints {
            entries.insert(Key::Constraint(constraint.clone()), Entry::Constraint(constraint.clone()));
        }
        if !self.stonith.is_default() {
            entries.insert(Key::Stonith, Entry::Stonith(Box::new(self.stonith.clone())));
        }
        entries
    }

    /// What makes the other out of this.
    #[must_use]
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        let (mut from, to) = (self.entries(), other.entries());
        let mut changes = Vec::new();
        for (key, entry) in to {
            let old = from.remove(&key);
            if old.as_ref() != Some(&entry) {
                changes.push(Change { key, from: old, to: Some(entry) });
            }
        }
        changes.extend(from.into_iter().map(|(key, old)| Change { key, from: Some(old), to: None }));
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }

    /// Makes one change.
    pub fn apply(&mut self, change: &Change) {
        match (&change.key, &change.to) {
            (Key::Failback, to) => {
                self.failback = !matches!(to, Some(Entry::Failback(false)));
            }
            (Key::Stonith, Some(Entry::Stonith(settings))) => self.stonith = (**settings).clone(),
            (Key::Stonith, _) => self.stonith = FencingSettings::off(),
            (Key::Qdevice, to) => {
                self.qdevice = match to {
                    Some(Entry::Qdevice(qdevice)) => Some(qdevice.clone()),
                    _ => None,
                };
            }
            (Key::Vip(name), Some(Entry::Vip(vip))) => {
                self.vips.insert(name.clone(), vip.clone());
            }
            (Key::Service(name), Some(Entry::Service(managed))) => {
                self.services.insert(name.clone(), (**managed).clone());
            }
            (Key::Check(name), Some(Entry::Check(check))) => {
                self.checks.insert(name.clone(), (**check).clone());
            }
            (Key::Constraint(constraint), Some(_)) => {
                self.constraints.insert(constraint.clone());
            }
            (Key::Vip(name), _) => drop(self.vips.remove(name)),
            (Key::Service(name), _) => drop(self.services.remove(name)),
            (Key::Check(name), _) => drop(self.checks.remove(name)),
            (Key::Constraint(constraint), None) => {
                self.constraints.remove(constraint);
            }
        }
    }

    /// What is to be done to a file that says `self`, so that it follows a state that was `base` when they
    /// were compared last and is `state` now: what changed there is taken over, what somebody edited here
    /// and nobody changed there stays.
    #[must_use]
    pub fn follow(&self, base: &Self, state: &Self) -> Vec<Change> {
        let mine = self.entries();
        let mut changes = base.changes_to(state);
        changes.retain_mut(|change| {
            change.from = mine.get(&change.key).cloned();
            change.from != change.to
        });
        changes
    }
}

impl Change {
    /// In words that both programs know.
    #[must_use]
    pub fn told(&self) -> Told {
        let (kind, name) = match &self.key {
            Key::Failback => ("failback", String::new()),
            Key::Stonith => ("stonith", String::new()),
            Key::Qdevice => ("qdevice", String::new()),
            Key::Vip(name) => ("vip", name.clone()),
            Key::Service(name) => ("service", name.clone()),
            Key::Check(name) => ("health-check", name.clone()),
            Key::Constraint(Constraint::Colocation { resource, with }) => {
                ("constraint", format!("{resource} + {with}"))
            }
            Key::Constraint(Constraint::Order { first, then }) => ("constraint", format!("{first} → {then}")),
        };
        let (from, to) = (self.from.as_ref().map(Entry::value), self.to.as_ref().map(Entry::value));
        Told { kind: kind.to_owned(), name, from, to }
    }
}

impl Entry {
    /// As it is written in the file.
    fn value(&self) -> Value {
        match self {
            Self::Failback(failback) => json!(failback),
            Self::Stonith(settings) => crate::render::stonith::shown(settings),
            other => crate::render::value(&crate::render::fields("", other)),
        }
    }
}

#[cfg(test)]
mod tests;
