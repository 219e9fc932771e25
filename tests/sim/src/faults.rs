//! Bad luck, and operators.

use std::collections::{BTreeMap, BTreeSet};

use sfha_core::{Command, Event, Member, NodeId};

use super::corosync::What;
use super::machine::{Hangs, Machine};
use super::profile::Fault;
use super::world::{Coming, MS, World};

/// A VIP out of a few names and a few addresses.
#[must_use]
pub fn add_vip(name: u64, address: u64) -> Command {
    let address = format!("10.0.0.{}/24", 100 + address);
    Command::AddVip {
        name: format!("v{name}"),
        address: address.parse().unwrap_or_default(),
        interface: None,
    }
}

impl World {
    pub(super) fn next_fault(&mut self) {
        if self.settling {
            return;
        }
        let faults = self.profile.faults;
        let total = faults.iter().map(|(_, weight)| weight).sum();
        let mut draw = self.rng.below(total);
        for (fault, weight) in faults {
            if draw < *weight {
                self.inflict(*fault, None);
                break;
            }
            draw -= weight;
        }
        // Now and then much happens at once.
        let (shortest, longest) = self.profile.pause;
        let longest = if shortest == 0 && self.rng.chance(300) { 100 * MS } else { longest };
        let wait = self.rng.range(shortest, longest);
        self.after(wait, Coming::Fault);
    }

    fn some_node(&mut self, which: impl Fn(&Machine) -> bool) -> Option<NodeId> {
        let nodes: Vec<NodeId> =
            self.machines.values().filter(|machine| which(machine)).map(|machine| machine.id).collect();
        self.rng.pick(&nodes)
    }

    fn inflict(&mut self, fault: Fault, node: Option<NodeId>) {
        let powered = |machine: &Machine| machine.powered && !machine.frozen;
        let runs =
            |machine: &Machine| powered(machine) && machine.daemon.is_some() && !machine.stands_still();
        match fault {
            Fault::PowerCut => {
                let Some(node) = node.or_else(|| self.some_node(powered)) else { return };
                self.power_cut(node);
                if self.rng.chance(800) {
                    let wait = self.rng.millis(500, 10_000);
                    self.after(wait, Coming::Boot(node));
                }
            }
            Fault::PowerCutAll => {
                let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
                for node in nodes {
                    self.power_cut(node);
                    let wait = self.rng.millis(500, 8000);
                    self.after(wait, Coming::Boot(node));
                }
            }
            Fault::Kill => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                self.kill(node);
            }
            Fault::KillSeveral => {
                let nodes: Vec<NodeId> = self.machines.values().filter(|m| runs(m)).map(|m| m.id).collect();
                for node in nodes {
                    if self.rng.chance(600) {
                        self.kill(node);
                    }
                }
            }
            Fault::Pause => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                self.tell(|| format!("-- node {node}'s daemon stands still"));
                let Some(daemon) = self.daemon_mut(node) else { return };
                daemon.paused = true;
                let pid = daemon.pid;
                let wait = self.rng.millis(100, 6000);
                self.after(wait, Coming::Resume(node));
                self.after(5000 * MS, Coming::WatchdogKill(node, pid));
            }
            Fault::Freeze => {
                let Some(node) = node.or_else(|| self.some_node(powered)) else { return };
                self.tell(|| format!("-- node {node} freezes"));
                if let Some(machine) = self.machines.get_mut(&node) {
                    machine.frozen = true;
                }
                self.net.freeze(node, true);
                self.replan();
                let wait = self.rng.millis(100, 6000);
                self.after(wait, Coming::Resume(node));
            }
            Fault::Partition => {
                let most = self.rng.range(2, 3);
                let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
                let sides = nodes.into_iter().map(|node| (node, self.rng.below(most))).collect();
                self.cut(sides);
            }
            Fault::Isolate => {
                let Some(node) = node.or_else(|| self.some_node(|_| true)) else { return };
                self.cut(BTreeMap::from([(node, 9)]));
            }
            Fault::Partial => {
                let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
                let mut pairs = Vec::new();
                for (index, a) in nodes.iter().enumerate() {
                    for b in nodes.iter().skip(index + 1) {
                        if self.rng.chance(250) {
                            pairs.push((*a, *b));
                        }
                    }
                }
                self.tell(|| format!("-- do not reach each other: {pairs:?}"));
                self.net.cut(pairs);
                self.find_each_other();
            }
            Fault::DiskFull => {
                let Some(node) = node.or_else(|| self.some_node(powered)) else { return };
                let wait = self.rng.millis(200, 8000);
                self.tell(|| format!("-- node {node}'s disk is full for {} ms", wait / MS));
                let until = self.now + wait;
                if let Some(machine) = self.machines.get_mut(&node) {
                    machine.disk_full = until;
                }
            }
            Fault::Hang => {
                let Some(node) = node.or_else(|| self.some_node(powered)) else { return };
                let until = self.now + self.rng.millis(500, 12_000);
                let what = self.rng.below(3);
                let Some(machine) = self.machines.get_mut(&node) else { return };
                let (hangs, name) = match what {
                    0 => (&mut machine.hangs.interfaces, "interfaces hang"),
                    1 => (&mut machine.hangs.units, "systemd hangs"),
                    _ => (&mut machine.hangs.disk, "disk hangs"),
                };
                *hangs = (*hangs).max(until);
                self.tell(|| format!("-- node {node}'s {name} until {} ms", until / MS));
            }
            Fault::SetClock => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                let wall = i64::try_from(self.rng.below(4_000_000_000)).unwrap_or_default();
                self.feed(node, Event::Clock { wall });
            }
            Fault::Heal => {
                self.tell(|| "-- healed".to_owned());
                self.net.heal();
                self.heal_device();
                self.replan();
            }
            Fault::CutFromDevice => {
                let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
                let nodes = nodes.into_iter().filter(|_| self.rng.chance(600)).collect();
                self.cut_from_device(&nodes);
            }
            Fault::HealDevice => self.heal_device(),
            Fault::DeviceDies => self.device_dies(),
            Fault::CorosyncCrash => {
                let Some(node) = node.or_else(|| self.some_node(powered)) else { return };
                self.corosync_crash(node);
                let wait = self.rng.millis(100, 3000);
                self.after(wait, Coming::CorosyncStart(node));
            }
            Fault::Shutdown => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                self.tell(|| format!("-- node {node} is asked to stop"));
                if let Some(daemon) = self.daemon_mut(node) {
                    daemon.stopping = true;
                }
                self.feed(node, Event::Shutdown);
            }
            Fault::Command => {
                let command = self.some_command();
                self.command(node, command);
            }
            Fault::Move => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                let Some(pid) = self.daemon(node).map(|daemon| daemon.pid) else { return };
                let to = if self.rng.chance(500) { self.some_node(|_| true) } else { None };
                let request = self.book.ask(node, pid, self.now, None);
                self.feed(node, Event::Move { request, to, names: BTreeSet::new() });
            }
            Fault::Maintenance => {
                let on = self.rng.chance(500);
                self.command(node, Command::SetMaintenance { on, until: None });
            }
            Fault::KillUnit => self.kill_unit(),
            Fault::StartByHand => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                self.start_by_hand(node);
            }
            Fault::Check => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                let healthy = self.rng.chance(400);
                self.check_says(node, Some(healthy));
            }
            Fault::Configure => {
                let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
                if let Some(command) = self.some_configuration(node) {
                    self.command(Some(node), command);
                }
            }
            Fault::Confirm => self.confirm(),
            Fault::Grow => self.grow(),
            Fault::Remove => {
                // Node 1 is the register's. One of two may go on alone with `two_node` only.
                let enough = |machine: &Machine| {
                    let daemon = machine.daemon.as_ref();
                    runs(machine) && daemon.is_some_and(|daemon| daemon.core.state().nodes.len() > 2)
                };
                let Some(asked) = self.some_node(enough) else { return };
                let Some(node) = node.or_else(|| self.some_node(|machine| machine.id != 1)) else { return };
                self.command(Some(asked), Command::RemoveNode { node });
            }
        }
    }

    /// An operator's command, on some node.
    pub(super) fn command(&mut self, node: Option<NodeId>, command: Command) {
        let runs = |machine: &Machine| machine.daemon.is_some() && !machine.stands_still();
        let Some(node) = node.or_else(|| self.some_node(runs)) else { return };
        let Some(pid) = self.daemon(node).map(|daemon| daemon.pid) else { return };
        let request = self.book.ask(node, pid, self.now, Some(&command));
        self.feed(node, Event::Propose { request, command });
    }

    fn some_command(&mut self) -> Command {
        let (name, address) = (self.rng.below(4), self.rng.below(4));
        match self.rng.below(14) {
            0..2 => add_vip(name, address),
            2..4 => Command::RemoveVip { name: format!("v{name}") },
            4..6 => {
                let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
                let node = self.rng.pick(&nodes).unwrap_or(1);
                Command::SetStandby { node, standby: self.rng.chance(400) }
            }
            6..10 => self.some_key_command(),
            _ => Command::SetEndpoint { node: 1, endpoint: Some(self.book.fresh_value()) },
        }
    }

    /// A node is invited, and another time it joins.
    fn grow(&mut self) {
        let runs = |machine: &Machine| machine.daemon.is_some() && !machine.stands_still();
        let Some(node) = self.some_node(runs) else { return };
        let Some(daemon) = self.daemon(node) else { return };
        let open = daemon.core.state().invites.iter().find(|(_, invite)| invite.redeemed.is_none());
        let count = daemon.core.state().invites.len();
        let command = match open {
            None => Command::AddInvite {
                id: format!("i{count}"),
                public_key: "once".to_owned(),
                ip: None,
                expires: 1000,
                initiator: node,
            },
            Some((id, _)) => Command::AddNode {
                invite: id.clone(),
                name: format!("new-{id}"),
                public_key: format!("key-{id}"),
                endpoint: None,
                lan_address: None,
                now: 0,
            },
        };
        self.command(Some(node), command);
    }

    /// Where not everybody reaches everybody, another ring is found every now and then.
    pub(super) fn find_each_other(&mut self) {
        if !self.net.is_partial() {
            return;
        }
        let mut nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        let mut first = Vec::new();
        while !nodes.is_empty() {
            let index = usize::try_from(self.rng.below(nodes.len() as u64)).unwrap_or(0);
            first.push(nodes.swap_remove(index));
        }
        self.net.favour(first);
        self.replan();
        let wait = self.rng.millis(500, 6000);
        self.after(wait, Coming::FindEachOther);
    }

    fn cut(&mut self, sides: BTreeMap<NodeId, u64>) {
        self.tell(|| format!("-- sides {sides:?}"));
        // Some of them lose the device with the others.
        if self.device.is_some() && self.rng.chance(500) {
            let side = self.rng.pick(&sides.values().copied().collect::<Vec<_>>()).unwrap_or_default();
            let nodes = sides.iter().filter(|(_, of)| **of == side).map(|(node, _)| *node).collect();
            self.cut_from_device(&nodes);
        }
        self.net.partition(sides);
        self.replan();
    }

    pub(super) fn power_cut(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.powered {
            return;
        }
        machine.powered = false;
        machine.frozen = false;
        machine.starting = false;
        machine.died_with = std::mem::take(&mut machine.units);
        for (ip, address) in std::mem::take(&mut machine.addresses) {
            if address.expiry > self.now {
                machine.died_with.insert(ip.to_string());
            }
            self.book.removed(ip, node, self.now);
        }
        machine.foreign.clear();
        machine.fed = None;
        self.tell(|| format!("-- node {node} loses power"));
        self.end_process(node);
        self.device_stop(node, false);
        self.net.stop(node);
        self.replan();
    }

    pub(super) fn boot(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if machine.powered {
            return;
        }
        machine.powered = true;
        machine.thawed = None;
        machine.had.clear();
        machine.hangs = Hangs::default();
        self.tell(|| format!("-- node {node} boots"));
        let wait = self.rng.millis(10, 300);
        self.after(wait, Coming::CorosyncStart(node));
        self.start_again(node, 10, 1500);
    }

    pub(super) fn kill(&mut self, node: NodeId) {
        let Some(pid) = self.daemon(node).map(|daemon| daemon.pid) else { return };
        self.tell(|| format!("-- node {node}'s daemon is killed"));
        let connected = self.daemon(node).is_some_and(|daemon| daemon.connected);
        self.end_process(node);
        if connected && self.net.is_up(node) {
            self.send(Member { node, pid }, What::Dead);
        }
        let wait = self.rng.millis(20, 80);
        self.after(wait, Coming::ReleaseAfterDeath(node, pid));
    }

    /// Leaving takes too long: the process ends without Corosync's blessing.
    pub(super) fn leave_deadline(&mut self, node: NodeId, pid: u32) {
        if self.process(node, pid).is_some() {
            self.check_left(node);
            self.kill(node);
        }
    }

    pub(super) fn watchdog_kill(&mut self, node: NodeId, pid: u32) {
        if self.process(node, pid).is_some_and(|daemon| daemon.paused) {
            self.kill(node);
        }
    }

    /// `ExecStopPost=`, then systemd's `Restart=`.
    pub(super) fn release_after_death(&mut self, node: NodeId, _pid: u32) {
        let fails = self.profile.bad_release_after_death && !self.settling && self.rng.chance(300);
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.powered || machine.daemon.is_some() {
            return;
        }
        if machine.frozen {
            self.after(100 * MS, Coming::ReleaseAfterDeath(node, _pid));
            return;
        }
        machine.left_over = fails;
        if !fails {
            for (ip, _) in std::mem::take(&mut machine.addresses) {
                self.book.removed(ip, node, self.now);
            }
        }
        let units = self.stop_leftovers(node) / MS;
        let slow = self.rng.chance(300);
        self.start_again(node, units + 100, units + if slow { 6000 } else { 600 });
    }

    pub(super) fn corosync_crash(&mut self, node: NodeId) {
        if !self.net.is_up(node) {
            return;
        }
        self.tell(|| format!("-- node {node}'s Corosync crashes"));
        self.device_stop(node, true);
        self.net.stop(node);
        self.book.without_quorum.insert(node, self.now);
        if let Some(daemon) = self.daemon_mut(node)
            && daemon.connected
        {
            daemon.connected = false;
            daemon.newest[0] = daemon.newest[0].max(daemon.newest[1]) + 1;
            let lag = self.rng.range(50, 20 * MS);
            self.push(node, 0, lag, Event::Disconnected);
        }
        self.replan();
    }

    pub(super) fn corosync_start(&mut self, node: NodeId) {
        let ready = self.machines.get(&node).is_some_and(|machine| machine.powered && !machine.frozen);
        if self.net.is_up(node) || !ready {
            return;
        }
        self.net.start(node);
        self.device_start(node);
        if self.rng.chance(500) {
            let wait = self.rng.millis(1, 15);
            self.after(wait, Coming::FormAlone(node));
        }
        self.replan();
        if let Some(pid) = self.daemon(node).map(|daemon| daemon.pid) {
            let wait = self.rng.millis(100, 1000);
            self.after(wait, Coming::Connect(node, pid));
        }
    }

    pub(super) fn resume(&mut self, node: NodeId) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let was_frozen = std::mem::take(&mut machine.frozen);
        let was_paused = machine.daemon.as_mut().is_some_and(|daemon| std::mem::take(&mut daemon.paused));
        if !was_frozen && !was_paused {
            return;
        }
        machine.thawed = Some(now);
        self.tell(|| format!("-- node {node} goes on"));
        if was_frozen {
            self.net.freeze(node, false);
            if !self.net.is_up(node) {
                let wait = self.rng.millis(1, 100);
                self.after(wait, Coming::CorosyncStart(node));
            } else if self
                .net
                .ring(node)
                .is_some_and(|(_, members)| members.iter().any(|other| !self.net.share_ring(node, *other)))
                && self.rng.chance(500)
            {
                let wait = self.rng.millis(5, 150);
                self.after(wait, Coming::FormAlone(node));
            }
            self.replan();
        }
        let Some(daemon) = self.daemon_mut(node) else {
            self.start_again(node, 10, 300);
            return;
        };
        let pid = daemon.pid;
        let deadline = daemon.tick;
        self.after(0, Coming::Wake(node, pid));
        let ready: BTreeSet<u64> = self
            .daemon(node)
            .map(|daemon| daemon.inbox.keys().map(|(at, _)| *at).filter(|at| *at > now).collect())
            .unwrap_or_default();
        for at in ready {
            self.after(at - now, Coming::Wake(node, pid));
        }
        if let Some(at) = deadline {
            let wait = at.saturating_sub(now) + self.rng.range(0, 2000);
            self.after(wait, Coming::Tick(node, pid, at));
        }
    }
}
