//! Fencing in the invented world: drivers that are slow, fail, or cannot tell, an API that is down, and power
//! that is really cut.

use sfha_core::fencing::{Call, FencingSettings, Level, Power, Problem, RunId};
use sfha_core::{Event, NodeId};
use sfha_proto::ErrorCode;

use super::world::{Coming, World};

/// What drivers are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drivers {
    /// They answer in time and do what they say.
    Good,
    /// Slow, failing, lying, or not to be reached for seconds.
    Bad,
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
pub fn settings() -> FencingSettings {
    let mut settings =
        FencingSettings { enabled: true, levels: vec![Level::Proxmox], ..FencingSettings::off() };
    let safety = &mut settings.safety;
    safety.min_delay_between_fence_ms = 0;
    safety.max_fences_per_5min = 64;
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
        let bad = self.profile.fencing == Some(Drivers::Bad) && !self.settling;
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

    /// Nobody who is not in this node's group, has power, and never said in order that it let go has that thing.
    pub(super) fn check_harmless(&mut self, node: NodeId, thing: &str) {
        if self.profile.fencing.is_none() {
            return;
        }
        let Some(daemon) = self.daemon(node) else { return };
        let members = daemon.core.daemons();
        let dangerous = self.machines.values().find(|machine| {
            machine.id != node
                && machine.powered
                && !members.contains(&machine.id)
                && machine.had.contains(thing)
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
