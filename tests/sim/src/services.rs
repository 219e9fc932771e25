//! Units: what runs where, who starts and stops it, and what must hold.
//!
//! A unit counts as running from the moment in which its start is asked for, until it is stopped for certain,
//! dies by itself, or its machine has no power. A daemon that dies leaves its units running until
//! `ExecStopPost=` has stopped them.

use std::collections::{BTreeMap, BTreeSet};

use sfha_core::event::UnitState;
use sfha_core::resources::{Configured, Constraint, HealthCheck, Probe, Service};
use sfha_core::{ActionId, Command, Event, NodeId};

use super::hands::Work;
use super::world::{Coming, MS, World};

/// Somebody who stood still for less than this has not noticed that something died.
const UNNOTICED: u64 = 10_000 * MS;

/// For so long after its stop time a unit that does not stop is killed: then it is said to be stuck.
const KILL_PATIENCE: u64 = 5000 * MS;

/// A service out of a few names and a few units.
#[must_use]
pub fn service(rng: &mut super::rng::Rng, unit: u64) -> Service {
    Service {
        critical: rng.chance(600),
        restarts: u32::try_from(rng.below(3)).unwrap_or(0),
        failure_expiry_s: rng.range(3, 8),
        start_timeout_ms: 1000,
        stop_timeout_ms: rng.range(200, 2000),
        ..Service::new(&format!("u{unit}.service"))
    }
}

/// A check; of a service, or critical for its node.
fn check(service: Option<String>) -> HealthCheck {
    HealthCheck {
        probe: Probe::Tcp { target: "h:1".to_owned() },
        interval_ms: 1000,
        timeout_ms: 1000,
        fall: 1,
        rise: 1,
        start_grace_ms: 0,
        critical: service.is_none(),
        service,
        restart_unit: None,
    }
}

/// Ties, preferences and checks drawn anew; never a circle.
pub fn draw(rng: &mut super::rng::Rng, configured: &mut Configured, nodes: u64) {
    configured.policy.failback = rng.chance(600);
    configured.constraints.clear();
    let names: Vec<String> = configured.services.keys().chain(configured.vips.keys()).cloned().collect();
    for (index, first) in names.iter().enumerate() {
        for then in names.iter().skip(index + 1) {
            if rng.chance(250) {
                configured.constraints.push(Constraint::Order { first: first.clone(), then: then.clone() });
            }
            if rng.chance(200) {
                let (resource, with) = (then.clone(), first.clone());
                configured.constraints.push(Constraint::Colocation { resource, with });
            }
        }
    }
    let mut some_nodes = || -> Vec<String> {
        if rng.chance(600) { Vec::new() } else { vec![format!("node{}", rng.range(1, nodes))] }
    };
    configured.vips.values_mut().for_each(|vip| vip.prefer = some_nodes());
    configured.services.values_mut().for_each(|service| service.prefer = some_nodes());
    configured.checks = BTreeMap::from([("node".to_owned(), check(None))]);
    for name in configured.services.keys() {
        configured.checks.insert(format!("of-{name}"), check(Some(name.clone())));
    }
}

impl World {
    // --- what a daemon asks for ---

    pub(super) fn start_unit(
        &mut self,
        node: NodeId,
        pid: u32,
        id: ActionId,
        name: String,
        service: Service,
    ) {
        self.last_change = self.now;
        self.check_start(node, &name, &service.unit);
        self.check_harmless(node, &service.unit);
        let bad = self.profile.bad_units && !self.settling;
        let fails = bad && self.rng.chance(150);
        let wait = if self.rng.chance(150) { self.rng.millis(50, 1000) } else { self.rng.millis(1, 30) };
        // What is not started in time counts as failed; the job may go on.
        let hangs = self.hang_of_units(node);
        let longest = service.start_timeout_ms * MS;
        let (wait, fails) = if hangs > longest { (longest, true) } else { (wait.max(hangs), fails) };
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.foreign.remove(&service.unit);
            machine.died.remove(&service.unit);
            machine.units.insert(service.unit.clone());
            machine.unserved.insert(service.unit.clone());
        }
        self.order_unit(node, id, &name);
        self.after(wait, Coming::Done(node, pid, id, Work::Start { name, unit: service.unit, fails }));
    }

    /// Longest after the stop time the processes are killed.
    pub(super) fn stop_unit(&mut self, node: NodeId, pid: u32, id: ActionId, name: String, service: Service) {
        self.last_change = self.now;
        self.check_stop(node, &name, &service.unit);
        let bad = self.profile.bad_units && !self.settling;
        let fails = bad && self.rng.chance(100);
        let longest = service.stop_timeout_ms;
        let wait = match self.rng.below(10) {
            0..6 => self.rng.millis(1, 50.min(longest)),
            6..9 => self.rng.millis(1, longest),
            _ => longest * MS,
        };
        let hangs = self.hang_of_units(node);
        if hangs > longest * MS
            && let Some(machine) = self.machines.get_mut(&node)
        {
            machine.stuck.insert(service.unit.clone());
        }
        let given_up = longest * MS + KILL_PATIENCE;
        let (wait, fails) = if hangs > given_up { (given_up, true) } else { (wait.max(hangs), fails) };
        // A start that is under way is given up.
        let starts = self
            .daemon_mut(node)
            .map(|daemon| std::mem::take(daemon.orders.entry(name.clone()).or_default()));
        for start in starts.unwrap_or_default() {
            self.after(MS, Coming::Done(node, pid, start, Work::Superseded));
        }
        self.order_unit(node, id, &name);
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.stopping_units.insert(name.clone());
        }
        self.after(wait, Coming::Done(node, pid, id, Work::Stop { name, unit: service.unit, fails }));
    }

    /// For how long systemd does nothing yet.
    fn hang_of_units(&self, node: NodeId) -> u64 {
        self.machines.get(&node).map_or(0, |machine| machine.hangs.units.saturating_sub(self.now))
    }

    fn order_unit(&mut self, node: NodeId, id: ActionId, name: &str) {
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.orders.entry(name.to_owned()).or_default().insert(id);
        }
    }

    /// Whether an order still counts, and is the next one of its service: it is over then.
    pub(super) fn is_next(&mut self, node: NodeId, id: ActionId, name: &str) -> Option<bool> {
        let orders = self.daemon_mut(node)?.orders.get_mut(name)?;
        if !orders.contains(&id) {
            return None;
        }
        let first = orders.first() == Some(&id);
        if first {
            orders.remove(&id);
        }
        Some(first)
    }

    pub(super) fn unit_stopped(&mut self, node: NodeId, name: &str, unit: &str) {
        self.tell(|| format!("node {node} runs {unit} no more"));
        let Some(machine) = self.machines.get_mut(&node) else { return };
        machine.stuck.remove(unit);
        machine.units.remove(unit);
        machine.foreign.remove(unit);
        if let Some(daemon) = &mut machine.daemon {
            daemon.stopping_units.remove(name);
        }
    }

    /// `ExecStopPost=`, or the start of a daemon that finds units of an earlier one. When it is over.
    pub(super) fn stop_leftovers(&mut self, node: NodeId) -> u64 {
        let Some(machine) = self.machines.get(&node) else { return 0 };
        let units = machine.units.clone();
        let times: BTreeMap<String, u64> =
            machine.disk.services.values().map(|s| (s.unit.clone(), s.stop_timeout_ms)).collect();
        let mut longest = 0;
        for unit in units {
            let most = times.get(&unit).copied().unwrap_or(200);
            let wait = self.rng.millis(1, most);
            longest = longest.max(wait);
            self.after(wait, Coming::UnitGone(node, unit));
        }
        longest + 1
    }

    pub(super) fn unit_gone(&mut self, node: NodeId, unit: &str) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if machine.daemon.is_none() && machine.units.remove(unit) {
            self.tell(|| format!("node {node} runs {unit} no more: its daemon is dead"));
        }
    }

    // --- what happens to units ---

    pub(super) fn kill_unit(&mut self) {
        let running: Vec<(NodeId, String)> = self
            .machines
            .values()
            .filter(|machine| machine.powered && !machine.frozen)
            .flat_map(|machine| machine.units.iter().map(|unit| (machine.id, unit.clone())))
            .collect();
        let Some((node, unit)) = self.rng.pick(&running) else { return };
        self.tell(|| format!("-- {unit} dies on node {node}"));
        let now = self.now;
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.units.remove(&unit);
            machine.died.insert(unit.clone(), now);
        }
        self.unit_changed(node, &unit, UnitState::Failed);
    }

    /// Somebody starts a unit by hand.
    pub(super) fn start_by_hand(&mut self, node: NodeId) {
        let Some(daemon) = self.daemon(node) else { return };
        let services: Vec<String> =
            daemon.core.state().services.values().map(|service| service.unit.clone()).collect();
        let Some(unit) = self.rng.pick(&services) else { return };
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if machine.units.contains(&unit) || !machine.foreign.insert(unit.clone()) {
            return;
        }
        self.tell(|| format!("-- somebody starts {unit} on node {node}"));
        self.unit_changed(node, &unit, UnitState::Active);
    }

    fn unit_changed(&mut self, node: NodeId, unit: &str, state: UnitState) {
        let Some(daemon) = self.daemon(node) else { return };
        let services = &daemon.core.state().services;
        let name = services.iter().find(|(_, service)| service.unit == unit).map(|(name, _)| name.clone());
        let Some(name) = name else { return };
        let event = Event::UnitChanged { name, state };
        if self.stands_still(node) {
            self.push(node, 1, 10, event);
        } else {
            self.feed(node, event);
        }
    }

    /// A check says something, whatever it says.
    pub(super) fn check_says(&mut self, node: NodeId, healthy: Option<bool>) {
        let Some(daemon) = self.daemon(node) else { return };
        let checks: Vec<String> = daemon.core.local_checks().into_iter().collect();
        let Some(name) = self.rng.pick(&checks) else { return };
        let error = (healthy == Some(false)).then(|| "refused".to_owned());
        self.feed(node, Event::CheckChanged { name, healthy, error });
    }

    /// Faults are over: everything is healthy, and systemd has said what runs.
    pub(super) fn heal_checks(&mut self) {
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        for node in nodes {
            if self.stands_still(node) {
                continue;
            }
            let foreign = self.machines.get(&node).map(|machine| machine.foreign.clone()).unwrap_or_default();
            for unit in foreign {
                self.unit_changed(node, &unit, UnitState::Active);
            }
            let checks = self.daemon(node).map(|daemon| daemon.core.local_checks()).unwrap_or_default();
            for name in checks {
                self.feed(node, Event::CheckChanged { name, healthy: Some(true), error: None });
            }
        }
    }

    /// An operator ties things together otherwise.
    pub(super) fn some_configuration(&mut self, node: NodeId) -> Option<Command> {
        let state = self.daemon(node)?.core.state();
        let (mut configured, revision) = (state.configured(), state.revision);
        let nodes = u64::try_from(state.nodes.len()).unwrap_or(1);
        if self.rng.chance(400) {
            let (name, unit) = (self.rng.below(4), self.rng.below(4));
            let service = service(&mut self.rng, unit);
            let name = format!("s{name}");
            if configured.services.remove(&name).is_none()
                && configured.services.values().all(|other| other.unit != service.unit)
            {
                configured.services.insert(name, service);
            }
        }
        draw(&mut self.rng, &mut configured, nodes);
        Some(Command::Configure { revision, configured: Box::new(configured) })
    }

    // --- what must hold ---

    /// A node is about to start a unit: nobody else runs it, and what must be there before it is there.
    fn check_start(&mut self, node: NodeId, name: &str, unit: &str) {
        let others: Vec<NodeId> = self
            .machines
            .values()
            .filter(|machine| machine.id != node && machine.powered && machine.units.contains(unit))
            .map(|machine| machine.id)
            .collect();
        for other in others {
            let excuse = self.profile.two_node.then_some("two nodes");
            // The others cannot know of it: only fencing helps there.
            let stuck = self.machines.get(&other).is_some_and(|machine| machine.stuck.contains(unit));
            let excuse =
                excuse.or_else(|| (stuck && self.is_cut(other)).then_some("cut off, and it does not stop"));
            if excuse.or_else(|| self.unseen(other)).or_else(|| self.unseen(node)).is_none() {
                self.violate(|| format!("node {node} starts {unit} ({name}), which runs on node {other}"));
            }
        }
        let Some(machine) = self.machines.get(&node) else { return };
        let Some(daemon) = &machine.daemon else { return };
        let state = daemon.core.state();
        let here: BTreeSet<String> = daemon.core.local_services();
        let missing = state.constraints.iter().find_map(|constraint| match constraint {
            Constraint::Order { first, then } if then == name && here.contains(first) => {
                let unit = &state.services.get(first)?.unit;
                let dead = machine.died.get(unit).is_some_and(|at| self.now - at < UNNOTICED);
                (!machine.units.contains(unit) && !dead).then(|| first.clone())
            }
            _ => None,
        });
        let (quorate, maintenance) = (daemon.core.is_quorate(), state.maintenance);
        if let Some(first) = missing {
            self.violate(|| format!("node {node} starts {name} before {first}"));
        }
        if !quorate || maintenance {
            self.violate(|| {
                format!("node {node} starts {name}: quorate {quorate}, maintenance {maintenance}")
            });
        }
    }

    /// A node that has time is about to stop a unit: what depends on it is not there any more.
    fn check_stop(&mut self, node: NodeId, name: &str, unit: &str) {
        let Some(machine) = self.machines.get(&node) else { return };
        let Some(daemon) = &machine.daemon else { return };
        let (core, state) = (&daemon.core, daemon.core.state());
        let strange = !machine.units.contains(unit) || machine.unserved.contains(unit);
        if !core.is_operational() || state.maintenance || strange || daemon.stopping_units.contains(name) {
            return;
        }
        // One that did not stand served nobody: neither one that has failed nor one whose start did.
        let stood = |service: &sfha_proto::status::ServiceStatus| {
            service.name == name && ["active", "stopping"].contains(&service.state.as_str())
        };
        if !core.status().services.iter().any(stood) {
            return;
        }
        let active = core.active();
        let left = state.constraints.iter().find_map(|constraint| match constraint {
            Constraint::Order { first, then } if first == name && active.contains(then) => Some(then.clone()),
            _ => None,
        });
        if let Some(then) = left {
            self.violate(|| format!("node {node} stops {name}, and has {then}"));
        }
    }

    /// At the end every service runs, where all say that it does, together with what it is colocated with.
    pub(super) fn check_services_at_the_end(
        &self,
        status: &sfha_proto::status::ClusterStatus,
    ) -> Result<(), String> {
        for service in &status.services {
            let runs = |machine: &&super::machine::Machine| {
                machine.powered
                    && (machine.units.contains(&service.unit) || machine.foreign.contains(&service.unit))
            };
            let on: Vec<String> =
                self.machines.values().filter(runs).map(|machine| format!("node{}", machine.id)).collect();
            if service.state != "active" || on != service.holder.iter().cloned().collect::<Vec<_>>() {
                return Err(format!(
                    "at the end {} runs on {on:?}, and the status says {service:?}",
                    service.unit
                ));
            }
        }
        let Some(state) = self.machines.values().find_map(|m| Some(m.daemon.as_ref()?.core.state())) else {
            return Ok(());
        };
        let known: BTreeSet<&String> = state.services.values().map(|service| &service.unit).collect();
        for machine in self.machines.values().filter(|machine| self.is_a_member(machine.id)) {
            if let Some(unit) = machine.units.iter().find(|unit| !known.contains(unit)) {
                return Err(format!("at the end node {} runs {unit}, which nobody wants", machine.id));
            }
        }
        let holder = |name: &String| {
            let service = status.services.iter().find(|service| service.name == *name);
            let vip = status.vips.iter().find(|vip| vip.name == *name);
            service.map(|service| &service.holder).or(vip.map(|vip| &vip.holder))
        };
        for constraint in &state.constraints {
            if let Constraint::Colocation { resource, with } = constraint
                && holder(resource) != holder(with)
            {
                return Err(format!("at the end {resource} is not where {with} is: {status:?}"));
            }
        }
        Ok(())
    }
}
