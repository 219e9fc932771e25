//! Fencing in the invented world: drivers that are slow, fail, or cannot tell, an API that is down, operators who
//! answer for a node, and power that is really cut.

use sfha_core::fencing::{Call, FencingCommand, FencingSettings, Level, Phase, Power, Problem, RunId};
use sfha_core::{Command, Event, NodeId};
use sfha_proto::ErrorCode;

use super::world::{Coming, MS, World};

/// A fencing that nobody holds back, on a side at rest, begins within this time of its node's loss.
const UNTOLD: u64 = 10_000 * MS;

/// Fencing in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fencing {
    /// What drivers are like.
    pub drivers: Drivers,
    /// Most fencings that begin by themselves in five minutes, which is longer than a run.
    pub limit: u32,
    /// Time-out of every node's watchdog, in microseconds.
    pub watchdog: Option<u64>,
}

impl Fencing {
    /// Such drivers, no watchdogs, and no storm.
    #[must_use]
    pub const fn with(drivers: Drivers) -> Self {
        Self { drivers, limit: 64, watchdog: None }
    }
}

/// What drivers are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drivers {
    /// They answer in time and do what they say.
    Good,
    /// Slow, failing, lying, silent, or not to be reached for seconds.
    Bad,
    /// There are none.
    None,
    /// They never answer, as long as faults go on.
    Silent,
}

/// What will come of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luck {
    /// Done.
    Done,
    /// Not done, and said so.
    Fails,
    /// Done, and the answer says that it failed.
    DoneAndFails,
    /// Not done, and the answer says that it was; of a status: it cannot be told.
    Lies,
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct FenceCall {
    pub by: NodeId,
    pub pid: u32,
    pub id: RunId,
    pub target: NodeId,
    pub call: Call,
    pub luck: Luck,
}

/// Fencing as it is in these runs: all times are short.
pub fn settings(fencing: Fencing) -> FencingSettings {
    let mut settings = FencingSettings { enabled: true, ..FencingSettings::off() };
    if fencing.drivers != Drivers::None {
        settings.levels.push(Level::Proxmox);
    }
    if let Some(timeout) = fencing.watchdog {
        settings.levels.push(Level::Watchdog);
        settings.watchdog.timeout_ms = timeout / MS;
    }
    let safety = &mut settings.safety;
    safety.watchdog_margin_ms = 2000;
    safety.min_delay_between_fence_ms = 0;
    safety.max_fences_per_5min = fencing.limit;
    safety.startup_grace_ms = 5000;
    safety.delay_ms = 400;
    safety.head_start_ms = 2500;
    safety.retry_ms = 200;
    safety.backoff_ms = 500;
    safety.backoff_max_ms = 2000;
    safety.call_ms = 2000;
    safety.verify_ms = 2000;
    safety.verify_every_ms = 200;
    settings
}

impl World {
    pub(super) fn call_driver(&mut self, by: NodeId, pid: u32, id: RunId, target: NodeId, call: Call) {
        let drivers = self.profile.fencing.map(|fencing| fencing.drivers).filter(|_| !self.settling);
        if call == Call::Off {
            self.check_storm(by, target);
        }
        let bad = drivers == Some(Drivers::Bad);
        if drivers == Some(Drivers::Silent) || (bad && self.rng.chance(30)) {
            return;
        }
        let down = bad && self.now < self.api_down_until;
        if bad && !down && self.rng.chance(60) {
            let time = self.rng.millis(1000, 6000);
            self.api_down_until = self.now + time;
        }
        let luck = match self.rng.below(100) {
            _ if down => Luck::Fails,
            _ if !bad => Luck::Done,
            0..60 => Luck::Done,
            60..80 => Luck::Fails,
            80..90 => Luck::DoneAndFails,
            _ => Luck::Lies,
        };
        let slow = bad && self.rng.chance(150);
        let wait = if slow { self.rng.millis(1500, 9000) } else { self.rng.millis(5, 500) };
        self.after(wait, Coming::Fence(FenceCall { by, pid, id, target, call, luck }));
    }

    pub(super) fn driver_answers(&mut self, call: FenceCall) {
        let FenceCall { by, pid, id, target, call, luck } = call;
        let does = matches!(luck, Luck::Done | Luck::DoneAndFails);
        match call {
            Call::Off if does => self.fenced(target),
            Call::On if does => self.boot(target),
            _ => {}
        }
        let powered = self.machines.get(&target).is_some_and(|machine| machine.powered);
        let power = match (call, luck) {
            (Call::Status, Luck::Lies) => Power::Unknown,
            (Call::Off, _) => Power::Off,
            (Call::On, _) => Power::On,
            (Call::Status, _) if powered => Power::On,
            (Call::Status, _) => Power::Off,
        };
        let failed = matches!(luck, Luck::Fails | Luck::DoneAndFails);
        let problem = Problem { code: ErrorCode::FenceUnreachable, details: Default::default() };
        let outcome = if failed { Err(problem) } else { Ok(power) };
        if self.process(by, pid).is_none() {
            return;
        }
        if (call, &outcome) == (Call::Status, &Ok(Power::Off))
            && let Some(machine) = self.machines.get_mut(&target)
        {
            machine.had.clear();
        }
        // A process that stands still reads it later.
        self.push(by, 2, 10, Event::FenceFinished { id, outcome });
    }

    fn fenced(&mut self, target: NodeId) {
        if !self.machines.get(&target).is_some_and(|machine| machine.powered) {
            return;
        }
        self.tell(|| format!("-- node {target} is fenced"));
        self.book.fenced += 1;
        self.power_cut(target);
        let alive = self.machines.values().any(|machine| machine.powered);
        if self.profile.two_node && !alive {
            self.violate(|| format!("node {target} is fenced, and no node is left"));
        }
        if self.settling || self.rng.chance(850) {
            let wait = self.rng.millis(500, 5000);
            self.after(wait, Coming::Boot(target));
        }
    }

    /// Fencings that begin by themselves are never more than allowed.
    fn check_storm(&mut self, by: NodeId, target: NodeId) {
        let Some(limit) = self.profile.fencing.map(|fencing| fencing.limit) else { return };
        let Some(daemon) = self.daemon(by) else { return };
        let record = daemon.core.fencing().state().records.get(&target);
        let Some(record) = record.filter(|record| !record.cause.is_requested()) else { return };
        let begun = (target, record.episode);
        if self.book.begun.insert(begun)
            && self.book.begun.len() > usize::try_from(limit).unwrap_or(usize::MAX)
        {
            self.violate(|| {
                format!("node {by} begins to fence node {target}: more than {limit} in five minutes")
            });
        }
    }

    /// Whoever is to be fenced and is not: everybody is told why.
    pub(super) fn check_told(&mut self, node: NodeId) {
        if self.profile.fencing.is_none() {
            return;
        }
        let now = self.now;
        let Some(daemon) = self.daemon(node) else { return };
        let (pid, core) = (daemon.pid, &daemon.core);
        let status = core.fencing().status(sfha_core::Time::from_micros(now));
        let rest = core.is_established() && core.leader() == Some(node);
        let silent: Vec<(NodeId, u64)> = (status.nodes.iter().filter(|_| rest))
            .filter(|other| matches!(other.phase, Some(Phase::Suspected { held: None } | Phase::Delayed)))
            .filter_map(|other| Some((other.node, core.fencing().state().records.get(&other.node)?.episode)))
            .collect();
        self.book.storm |= status.storm;
        self.book.untold.retain(|(by, id, target, episode), _| {
            (*by, *id) != (node, pid) || silent.contains(&(*target, *episode))
        });
        for (target, episode) in silent {
            let since = *self.book.untold.entry((node, pid, target, episode)).or_insert(now);
            if now - since > UNTOLD {
                self.violate(|| format!("node {node} does not fence node {target}, and does not say why"));
            }
        }
    }

    /// An operator makes sure that a node is off, and answers for it.
    pub(super) fn confirm(&mut self) {
        let waits = self.machines.values().find_map(|machine| {
            let core = machine.daemon.as_ref().filter(|daemon| !daemon.paused).map(|daemon| &daemon.core)?;
            let here = core.daemons();
            let open = |phase: &Phase| !matches!(phase, Phase::Fenced(_));
            let records = core.fencing().state().records.iter().filter(|_| core.is_established());
            let mut lost = records.filter(|(id, record)| !here.contains(id) && open(&record.phase));
            lost.next().map(|(target, _)| (machine.id, *target))
        });
        let Some((node, target)) = waits else { return };
        self.power_cut(target);
        self.tell(|| format!("-- an operator says that node {target} is off"));
        if let Some(machine) = self.machines.get_mut(&target) {
            machine.had.clear();
        }
        self.book.confirmed += 1;
        let command = FencingCommand::Confirm { node: target, by: "ann".to_owned(), at: 0, why: None };
        self.command(Some(node), Command::Fencing { command: Box::new(command) });
        let wait = self.rng.millis(0, 8000);
        self.after(wait, Coming::Boot(target));
    }

    /// Nobody who is not in this node's group has that thing, as far as anybody could tell: it said in order that
    /// it let go, was seen off, an operator answered for it, or its watchdog must have bitten.
    pub(super) fn check_harmless(&mut self, node: NodeId, thing: &str) {
        let Some(fencing) = self.profile.fencing else { return };
        let now = self.now;
        let Some(daemon) = self.daemon(node) else { return };
        let members = daemon.core.daemons();
        let dangerous = self.machines.values().find(|machine| {
            let bitten = fencing.watchdog.is_some_and(|timeout| machine.is_harmless_by(timeout, thing, now));
            machine.id != node && !members.contains(&machine.id) && machine.had.contains(thing) && !bitten
        });
        if let Some(other) = dangerous.map(|machine| machine.id) {
            self.violate(|| format!("node {node} takes {thing}, and node {other}, which had it, is not off"));
        }
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.had.insert(thing.to_owned());
        }
    }

    /// What it let go while it was an agreed member, all know of.
    pub(super) fn forget_let_go(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node).filter(|machine| !machine.had.is_empty()) else {
            return;
        };
        let Some(daemon) = machine.daemon.as_ref().filter(|daemon| daemon.core.is_operational()) else {
            return;
        };
        let state = daemon.core.state();
        let held = daemon.core.held();
        let thing = |name: &String| {
            let vip = state.vips.get(name).map(|vip| vip.address.addr().to_string());
            vip.or_else(|| state.services.get(name).map(|service| service.unit.clone()))
        };
        // One that is held and no longer configured: whatever it is.
        if held.iter().any(|name| thing(name).is_none()) {
            return;
        }
        let keeps: Vec<String> = held.iter().filter_map(thing).collect();
        machine.had.retain(|had| keeps.contains(had));
    }
}
