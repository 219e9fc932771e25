//! What a daemon does for its core: messages, the disk, addresses with a lease.

use std::net::IpAddr;

use sfha_core::state::Vip;
use sfha_core::{Action, ActionId, ClusterState, Event, Member, NodeId};

use super::corosync::What;
use super::machine::Address;
use super::world::{Coming, MS, World};

/// An action that takes time.
#[derive(Debug)]
pub(super) enum Work {
    Acquire {
        name: String,
        vip: Vip,
        fails: bool,
    },
    Release {
        name: String,
        vip: Vip,
        fails: bool,
    },
    Persist {
        state: Box<ClusterState>,
        fails: bool,
    },
    Reload {
        fails: bool,
    },
    Start {
        name: String,
        unit: String,
        fails: bool,
    },
    Stop {
        name: String,
        unit: String,
        fails: bool,
    },
    /// An order that a later one made void.
    Superseded,
}

impl Work {
    fn resource(&self) -> Option<&str> {
        match self {
            Self::Acquire { name, .. } | Self::Release { name, .. } => Some(name),
            Self::Persist { .. } | Self::Reload { .. } => None,
            Self::Start { .. } | Self::Stop { .. } | Self::Superseded => None,
        }
    }
}

impl World {
    pub(super) fn act(&mut self, node: NodeId, action: Action) {
        self.tell(|| {
            let text: String = format!("{action:?}").chars().take(300).collect();
            format!("node {node} -> {text}")
        });
        let Some(pid) = self.daemon(node).map(|daemon| daemon.pid) else { return };
        match action {
            Action::Multicast(message) => {
                if self.daemon(node).is_some_and(|daemon| daemon.connected) && self.net.is_up(node) {
                    self.send(Member { node, pid }, What::Say(Box::new(message)));
                }
            }
            Action::Persist { id, state } => self.persist(node, pid, id, state),
            Action::Acquire { id, name, vip, .. } => self.acquire(node, pid, id, name, vip),
            Action::Release { id, name, vip } => self.release(node, pid, id, name, vip),
            Action::StartService { id, name, service } => self.start_unit(node, pid, id, name, service),
            Action::RestartService { id, name, service } => self.start_unit(node, pid, id, name, service),
            Action::StopService { id, name, service } => self.stop_unit(node, pid, id, name, service),
            Action::Announce { .. } => {}
            Action::ReloadCorosync { id } => {
                let (wait, fails) = (self.rng.millis(1, 50), self.rng.chance(200));
                self.after(wait, Coming::Done(node, pid, id, Work::Reload { fails }));
            }
            Action::Answer { request, result } => {
                match self.book.answered(request, node, pid, self.now, &result) {
                    Ok(prepared) => {
                        prepared.iter().for_each(|(key, version)| self.check_prepared(key, *version))
                    }
                    Err(why) => self.violate(|| why),
                }
            }
            Action::Fence { id, node: target, call, .. } => self.call_driver(node, pid, id, target, call),
            Action::Leave => {
                if self.daemon(node).is_some_and(|daemon| daemon.connected) && self.net.is_up(node) {
                    self.send(Member { node, pid }, What::Leave);
                    self.after(1000 * MS, Coming::LeaveDeadline(node, pid));
                } else {
                    self.over(node);
                }
            }
        }
    }

    fn persist(&mut self, node: NodeId, pid: u32, id: ActionId, state: Box<ClusterState>) {
        let bad = self.profile.bad_disks && !self.settling;
        let takes =
            if bad && self.rng.chance(100) { self.rng.millis(20, 800) } else { self.rng.range(200, 15 * MS) };
        let now = self.now;
        let full = self.machines.get(&node).is_some_and(|machine| machine.disk_full > now) && !self.settling;
        let fails = full || (bad && self.rng.chance(60));
        let hangs = self.machines.get(&node).map_or(0, |machine| machine.hangs.disk);
        let Some(daemon) = self.daemon_mut(node) else { return };
        let done = daemon.disk_busy.max(now).max(hangs) + takes;
        daemon.disk_busy = done;
        daemon.disk_order.push_back(id);
        if !fails {
            daemon.writing.push_back((id, state.clone()));
        }
        self.after(done - now, Coming::Done(node, pid, id, Work::Persist { state, fails }));
    }

    /// How long an action on an interface takes, and whether it fails.
    fn interface(&mut self) -> (u64, bool) {
        let bad = self.profile.bad_interfaces && !self.settling;
        let takes =
            if bad && self.rng.chance(200) { self.rng.millis(20, 300) } else { self.rng.range(300, 8 * MS) };
        (takes, bad && self.rng.chance(100))
    }

    /// When the actions of one resource that were asked for so far, and one more, are over.
    fn in_turn(&mut self, node: NodeId, id: ActionId, name: &str, takes: u64) -> u64 {
        let now = self.now;
        let hangs = self.machines.get(&node).map_or(0, |machine| machine.hangs.interfaces);
        let Some(daemon) = self.daemon_mut(node) else { return now };
        daemon.under_way.entry(name.to_owned()).or_default().insert(id);
        let busy = daemon.busy.entry(name.to_owned()).or_default();
        *busy = (*busy).max(now).max(hangs) + takes;
        *busy - now
    }

    fn acquire(&mut self, node: NodeId, pid: u32, id: ActionId, name: String, vip: Vip) {
        self.check_acquire(node, &name);
        self.check_harmless(node, &vip.address.addr().to_string());
        self.last_change = self.now;
        let (takes, fails) = self.interface();
        let wait = self.in_turn(node, id, &name, takes);
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.wanted.insert(name.clone(), vip.clone());
        }
        self.after(wait, Coming::Done(node, pid, id, Work::Acquire { name, vip, fails }));
    }

    fn release(&mut self, node: NodeId, pid: u32, id: ActionId, name: String, vip: Vip) {
        self.last_change = self.now;
        let (takes, fails) = self.interface();
        let wait = self.in_turn(node, id, &name, takes);
        if let Some(daemon) = self.daemon_mut(node) {
            // Not renewed from this turn on.
            daemon.wanted.remove(&name);
            if fails || wait > 20 * MS {
                daemon.bad_release.insert(name.clone(), id);
            }
        }
        self.after(wait, Coming::Done(node, pid, id, Work::Release { name, vip, fails }));
    }

    pub(super) fn done(&mut self, node: NodeId, pid: u32, id: ActionId, work: Work) {
        if self.process(node, pid).is_none() {
            return;
        }
        if self.stands_still(node) {
            // It is tried again when the process goes on.
            let wait = self.rng.millis(5, 15);
            self.after(wait, Coming::Done(node, pid, id, work));
            return;
        }
        if let (Work::Persist { .. }, Some(daemon)) = (&work, self.daemon_mut(node)) {
            if daemon.disk_order.front() != Some(&id) {
                // A process that stood still is late with one that came before.
                return self.after(MS, Coming::Done(node, pid, id, work));
            }
            daemon.disk_order.pop_front();
        }
        if let Some(name) = work.resource().map(str::to_owned)
            && let Some(daemon) = self.daemon_mut(node)
        {
            let under_way = daemon.under_way.entry(name).or_default();
            if under_way.first() != Some(&id) {
                // A process that stood still is late with one that came before.
                return self.after(MS, Coming::Done(node, pid, id, work));
            }
            under_way.remove(&id);
        }
        let name = match &work {
            Work::Start { name, .. } | Work::Stop { name, .. } => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = name {
            match self.is_next(node, id, &name) {
                None => return,
                Some(false) => return self.after(5 * MS, Coming::Done(node, pid, id, work)),
                Some(true) => {}
            }
        }
        let (lease, now) = (self.profile.lease, self.now);
        let failed;
        match work {
            Work::Persist { state, fails } => {
                failed = fails;
                if !fails && let Some(machine) = self.machines.get_mut(&node) {
                    machine.disk = *state;
                    if let Some(daemon) = &mut machine.daemon {
                        daemon.writing.retain(|(other, _)| *other != id);
                    }
                }
            }
            Work::Reload { fails } => {
                failed = fails;
                if !fails {
                    self.reload(node);
                }
            }
            // One that fails may run all the same.
            Work::Start { unit, fails, .. } => {
                let Some(machine) = self.machines.get_mut(&node) else { return };
                failed = fails || !machine.units.contains(&unit);
                if !failed {
                    machine.unserved.remove(&unit);
                }
            }
            Work::Stop { name, unit, fails } => {
                failed = fails;
                if !fails {
                    self.unit_stopped(node, &name, &unit);
                } else if let Some(machine) = self.machines.get_mut(&node) {
                    machine.stuck.insert(unit);
                }
            }
            Work::Superseded => failed = true,
            Work::Acquire { name, vip, fails } => {
                failed = fails;
                // One that fails may have put the address there all the same.
                if !fails || self.rng.chance(300) {
                    self.put(node, vip.address.addr(), Address { name, expiry: now + lease });
                }
            }
            Work::Release { name, vip, fails } => {
                failed = fails;
                if !fails && let Some(machine) = self.machines.get_mut(&node) {
                    machine.addresses.remove(&vip.address.addr());
                    self.book.removed(vip.address.addr(), node, now);
                    // An earlier one says nothing of what was put there after it.
                    if let Some(daemon) = &mut machine.daemon
                        && daemon.bad_release.get(&name) == Some(&id)
                    {
                        daemon.bad_release.remove(&name);
                    }
                }
            }
        }
        let outcome = if failed { Err("failed".to_owned()) } else { Ok(()) };
        self.feed(node, Event::ActionFinished { id, outcome });
    }

    fn put(&mut self, node: NodeId, ip: IpAddr, address: Address) {
        self.tell(|| format!("node {node} has {ip} ({})", address.name));
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.addresses.insert(ip, address);
        }
        self.check_holders(node, ip);
    }

    pub(super) fn renew(&mut self, node: NodeId, pid: u32) {
        if self.process(node, pid).is_none() {
            return;
        }
        let renewal = self.profile.renewal;
        if self.stands_still(node) {
            self.after(10 * MS, Coming::Renew(node, pid));
            return;
        }
        self.look_after_watchdog(node);
        let (now, lease) = (self.now, self.profile.lease);
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if machine.hangs.interfaces > now {
            return self.after(renewal, Coming::Renew(node, pid));
        }
        let Some(daemon) = &mut machine.daemon else { return };
        let mut renewed = Vec::new();
        let mut vanished = Vec::new();
        for (name, vip) in &daemon.wanted {
            if daemon.busy.get(name).is_some_and(|until| *until > now) {
                continue;
            }
            let ip = vip.address.addr();
            match machine.addresses.get_mut(&ip) {
                Some(address) if address.expiry > now => {
                    address.expiry = now + lease;
                    renewed.push(ip);
                }
                // Removed by the kernel: it is not for the hands to put it there again.
                Some(_) => vanished.push((name.clone(), ip)),
                None => {}
            }
        }
        for (_, ip) in &vanished {
            machine.addresses.remove(ip);
        }
        for ip in renewed {
            self.check_holders(node, ip);
        }
        for (name, ip) in vanished {
            self.tell(|| format!("node {node} has lost {ip} ({name})"));
            self.vanished(node, name);
        }
        self.after(renewal, Coming::Renew(node, pid));
    }

    fn vanished(&mut self, node: NodeId, name: String) {
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.wanted.remove(&name);
        }
        self.feed(node, Event::Vanished { name });
    }
}
