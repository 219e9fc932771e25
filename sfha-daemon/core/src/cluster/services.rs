//! Services that run here or should not: failures and what follows from them, checks, strays.
//!
//! ```text
//!   active ──dies, or its check says no──▶ a failure is counted
//!      ▲                                      ├─ up to `restarts` of them: started again, here
//!      └──────────────────────────────────────┘
//!                                             ├─ critical: given back, with what is colocated with it, and not
//!                                             │  taken on here again before failures have expired
//!                                             └─ otherwise: told; one that died does not run until then
//! ```
//!
//! In maintenance nothing is judged: what has died by then counts when it is over.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Cluster;
use super::holding::{Ending, Hold, Next, Phase, What};
use crate::action::{Action, ActionId};
use crate::event::UnitState;
use crate::ledger::{Slot, Verdict};
use crate::message::{Failures, GroupMessage, Outcome};
use crate::resources::{Elsewhere, Service};
use crate::time::Time;

/// Time between two tries to stop a unit that somebody else started.
const STRAY_RETRY: Duration = Duration::from_secs(10);

/// Failures of one service on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) times: VecDeque<Time>,
    pub(super) unable: bool,
}

/// A unit that is stopped because it runs where it is not to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StrayStop {
    id: Option<ActionId>,
    retry: Time,
}

impl Record {
    pub(super) fn told(&self) -> Failures {
        Failures { count: u32::try_from(self.times.len()).unwrap_or(u32::MAX), unable: self.unable }
    }
}

impl Cluster {
    /// Names of the services that this node has or may have now.
    #[must_use]
    pub fn local_services(&self) -> BTreeSet<String> {
        let held = self.holds.iter().filter(|(_, hold)| !hold.what.is_vip()).map(|(name, _)| name);
        let me = self.settings.me;
        let mine = |name: &&String| matches!(self.ledger.slots.get(*name), Some(Slot::Held { node, .. }) if *node == me);
        held.chain(self.state.services.keys().filter(mine)).cloned().collect()
    }

    /// Names of the health checks that are asked on this node now: those of services that run here, and those
    /// that belong to none.
    #[must_use]
    pub fn local_checks(&self) -> BTreeSet<String> {
        let here = |service: &Option<String>| service.as_ref().is_none_or(|name| self.runs_here(name));
        let checks = self.state.checks.iter().filter(|(_, check)| here(&check.service));
        checks.map(|(name, _)| name.clone()).collect()
    }

    fn runs_here(&self, service: &str) -> bool {
        self.holds.get(service).is_some_and(|hold| !hold.what.is_vip() && hold.is_active())
    }

    pub(super) fn unit_changed(&mut self, name: &str, state: UnitState) {
        self.stir(name);
        self.units.insert(name.to_owned(), state);
    }

    /// An action's outcome says so before systemd's own word is here.
    pub(super) fn unit_runs(&mut self, name: &str, runs: bool) {
        if self.state.services.contains_key(name) {
            self.unit_changed(name, if runs { UnitState::Active } else { UnitState::Inactive });
        }
    }

    pub(super) fn check_changed(&mut self, name: &str, verdict: Verdict) {
        let Some(check) = self.state.checks.get(name) else { return };
        if check.service.as_ref().is_some_and(|service| !self.runs_here(service)) {
            return;
        }
        if let Some(service) = check.service.clone() {
            self.stir(&service);
        }
        if self.verdicts.insert(name.to_owned(), verdict.clone()).as_ref() != Some(&verdict) {
            self.say(GroupMessage::Checked { name: name.to_owned(), verdict: Some(verdict) });
        }
    }

    /// Tells the group, if there is one: whoever joins one later says everything at once.
    pub(super) fn say(&mut self, message: GroupMessage) {
        if self.member.is_some() {
            self.multicast(message);
        }
    }

    /// Counts what has failed, and forgets what is over.
    pub(super) fn judge_services(&mut self, looked: &BTreeSet<String>, now: Time) {
        for name in looked.iter().filter(|name| !self.state.services.contains_key(*name)) {
            self.units.remove(name);
        }
        self.expire_failures(now);
        self.drop_verdicts(looked);
        if self.state.maintenance {
            return;
        }
        for name in looked {
            if !self.runs_here(name) {
                continue;
            }
            let dead = matches!(
                self.units.get(name),
                Some(UnitState::Inactive | UnitState::Failed | UnitState::Missing)
            );
            let unhealthy = self.is_unhealthy(name);
            if !unhealthy {
                self.tolerated.remove(name);
            }
            if dead {
                self.fails(name, "unit-failed", now);
            } else if unhealthy && !self.tolerated.contains(name) {
                self.fails(name, "unhealthy", now);
            }
        }
        self.drop_verdicts(looked);
    }

    fn is_unhealthy(&self, service: &str) -> bool {
        let says_no =
            |name: &String| self.verdicts.get(name).is_some_and(|verdict| verdict.healthy == Some(false));
        self.order.checks(service).iter().any(says_no)
    }

    fn fails(&mut self, name: &str, code: &str, now: Time) {
        self.stir(name);
        let next = self.count_failure(name, now);
        if next == Next::Rest && code == "unhealthy" {
            // It goes on as well as it can.
            self.tolerated.insert(name.to_owned());
            return;
        }
        if let Some(hold) = self.holds.get_mut(name) {
            hold.phase = Phase::Broken(Ending { code: code.to_owned(), next });
        }
        // What depends on it sees that it does not stand any more.
        let outcome = Outcome::Idle(Some(code.to_owned()));
        self.say(GroupMessage::Report { name: name.to_owned(), outcome });
    }

    /// Counts a failure and says what comes next. A VIP that could not be taken on goes elsewhere.
    pub(super) fn count_failure(&mut self, name: &str, now: Time) -> Next {
        let Some(Hold { what: What::Service { service: held, .. }, .. }) = self.holds.get(name) else {
            return Next::Elsewhere;
        };
        let Service { restarts, critical, .. } = self.state.services.get(name).unwrap_or(held);
        let (restarts, critical) = (*restarts, *critical);
        let record = self.failures.entry(name.to_owned()).or_default();
        record.times.push_back(now);
        let next = match (record.told().count <= restarts, critical) {
            (true, _) => Next::Again,
            (false, true) => Next::Elsewhere,
            (false, false) => Next::Rest,
        };
        record.unable = next == Next::Elsewhere;
        let failures = record.told();
        self.say(GroupMessage::Failures { name: name.to_owned(), failures });
        next
    }

    fn expire_failures(&mut self, now: Time) {
        let mut told = Vec::new();
        self.failures.retain(|name, record| {
            let Some(service) = self.state.services.get(name) else { return false };
            let before = record.told();
            let expiry = Duration::from_secs(service.failure_expiry_s);
            while record.times.front().is_some_and(|at| *at + expiry <= now) {
                record.times.pop_front();
            }
            if record.told() == before {
                return true;
            }
            if record.told().count <= service.restarts {
                record.unable = false;
                self.resting.remove(name);
            }
            told.push((name.clone(), record.told()));
            !record.times.is_empty()
        });
        self.resting.retain(|name| self.failures.contains_key(name));
        for (name, failures) in told {
            self.stir(&name);
            self.say(GroupMessage::Failures { name, failures });
        }
    }

    /// An operator wants it here, whatever has been.
    pub(super) fn forget_failures(&mut self, name: &str) {
        self.stir(name);
        self.failures.remove(name);
        self.resting.remove(name);
    }

    /// What the checks of a service said is over when it does not run here any more.
    fn drop_verdicts(&mut self, looked: &BTreeSet<String>) {
        let stopped = looked.iter().filter(|service| !self.runs_here(service));
        let of_stopped = stopped.flat_map(|service| self.order.checks(service));
        let mut over: BTreeSet<String> =
            of_stopped.filter(|name| self.verdicts.contains_key(*name)).cloned().collect();
        if self.judged_revision != self.state.revision {
            self.judged_revision = self.state.revision;
            let homeless = |name: &&String| match self.state.checks.get(*name) {
                Some(check) => check.service.as_ref().is_some_and(|service| !self.runs_here(service)),
                None => true,
            };
            over.extend(self.verdicts.keys().filter(homeless).cloned());
        }
        for name in over {
            self.verdicts.remove(&name);
            self.say(GroupMessage::Checked { name, verdict: None });
        }
    }

    /// Nothing is in the way of starting that service here, as far as this node goes.
    pub(super) fn may_start(&self, name: &str) -> bool {
        let stopping = self.stray_stops.get(name).is_some_and(|stop| stop.id.is_some());
        !self.state.maintenance && !self.resting.contains(name) && !stopping
    }

    /// Units that run here and are not to: told, and stopped where that is wanted.
    pub(super) fn stop_strays(&mut self, looked: &BTreeSet<String>, now: Time) {
        let stray = |name: &&String| {
            self.units.get(*name) == Some(&UnitState::Active)
                && !self.holds.contains_key(*name)
                && !self.is_about_to_start(name)
        };
        let as_before = self.strays.iter().filter(|name| !looked.contains(*name));
        let runs: BTreeSet<String> = looked.iter().filter(stray).chain(as_before).cloned().collect();
        let changed: Vec<String> = runs.symmetric_difference(&self.strays).cloned().collect();
        for name in changed {
            let runs = runs.contains(&name);
            self.say(GroupMessage::Stray { name, runs });
        }
        self.stray_stops.retain(|name, stop| stop.id.is_some() || runs.contains(name));
        self.strays.clone_from(&runs);
        if self.state.maintenance {
            return;
        }
        for name in runs {
            let waits = |stop: &StrayStop| stop.id.is_some() || stop.retry > now;
            let Some(service) = self.state.services.get(&name).cloned() else { continue };
            if service.elsewhere == Elsewhere::Report || self.stray_stops.get(&name).is_some_and(waits) {
                continue;
            }
            let id = self.new_action();
            self.stray_stops.insert(name.clone(), StrayStop { id: Some(id), retry: now });
            self.actions.push_back(Action::StopService { id, name, service });
        }
    }

    fn is_about_to_start(&self, name: &str) -> bool {
        self.may_start(name) && self.may_be_taken(name) && self.firsts_stand(name)
    }

    /// A unit that was not to run was stopped, or could not be. Returns false when the action was another one.
    pub(super) fn stray_stopped(&mut self, id: ActionId, done: bool, now: Time) -> bool {
        let found = self.stray_stops.iter_mut().find(|(_, stop)| stop.id == Some(id));
        let Some((name, stop)) = found else { return false };
        (stop.id, stop.retry) = (None, now + STRAY_RETRY);
        let name = name.clone();
        self.stir(&name);
        if done {
            self.unit_runs(&name, false);
        }
        true
    }

    /// Deadlines of this file.
    pub(super) fn service_deadlines(&self) -> impl Iterator<Item = (Time, &'static str)> + '_ {
        let expiry = self.failures.iter().filter_map(|(name, record)| {
            let expiry = Duration::from_secs(self.state.services.get(name)?.failure_expiry_s);
            Some((*record.times.front()? + expiry, "failure-expiry"))
        });
        let reports = |name: &String| {
            self.state.services.get(name).is_none_or(|service| service.elsewhere == Elsewhere::Report)
        };
        let strays = self.stray_stops.iter().filter(move |(name, stop)| {
            stop.id.is_none() && self.strays.contains(*name) && !self.state.maintenance && !reports(name)
        });
        expiry.chain(strays.map(|(_, stop)| (stop.retry, "stray")))
    }
}
