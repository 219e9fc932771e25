//! What must hold, after every step and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sfha_core::{Command, NodeId};
use sfha_proto::status::ClusterStatus;

use super::machine::Machine;
use super::world::{Coming, MS, World};

/// How long a process that stood still may act on what it read before it hears the news.
const AFTER_STANDSTILL: u64 = 600 * MS;

/// How long a healed cluster may take to settle (a try after ten seconds included).
const SETTLE: u64 = 45_000 * MS;

/// How long it then stays as it is.
const REST: u64 = 5000 * MS;

impl World {
    /// After a turn of a node.
    pub(super) fn check_turn(&mut self, node: NodeId) {
        let Some(daemon) = self.daemon(node) else { return };
        let core = &daemon.core;
        if !core.is_quorate() && !daemon.wanted.is_empty() {
            let held: Vec<String> = daemon.wanted.keys().cloned().collect();
            self.violate(|| format!("node {node} has no quorum and keeps {held:?}"));
            return;
        }
        let age = (core.state().epoch, core.state().version);
        // A node that was cut off and has not heard of it knows less: it is judged when it has.
        let heard = daemon.inbox.is_empty() && self.net.votes(node).0;
        if !core.is_established() || !heard || daemon.checked == Some(age) {
            return;
        }
        let state = core.state().clone();
        let endpoint = state.nodes.get(&1).and_then(|node| node.endpoint.clone());
        if self.profile.two_node || (self.profile.device && state.nodes.len() == 2) {
            // Both sides of a split go on; what one of them did is lost.
            return;
        }
        if let Err(why) = self.book.check_register(endpoint.as_deref()) {
            self.violate(|| format!("node {node}, epoch {} version {}: {why}", age.0, age.1));
        }
        if let Err(why) = super::keys::check(&state, &self.keys) {
            self.violate(|| format!("node {node}, epoch {} version {}: {why}", age.0, age.1));
        }
        let known: BTreeSet<NodeId> = state.nodes.keys().copied().collect();
        self.check_removed(&known);
        let other = self.book.states.entry(age).or_insert_with(|| state.clone());
        if *other != state {
            let other = other.clone();
            self.violate(|| format!("two states of epoch {} version {}: {other:?}, {state:?}", age.0, age.1));
        }
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.checked = Some(age);
        }
        if !known.is_subset(&self.net.configured) {
            self.take_in(&known, &state);
        }
    }

    /// A node was let in: its disk gets the state, `corosync.conf` is read again by all.
    fn take_in(&mut self, known: &BTreeSet<NodeId>, state: &sfha_core::ClusterState) {
        let new: Vec<NodeId> =
            known.difference(&self.net.configured).copied().filter(|id| !self.net.is_removed(*id)).collect();
        for id in new {
            self.net.configured.insert(id);
            let stays = self.settling;
            self.machines.entry(id).or_insert_with(|| Machine::new(id, state.clone()));
            let wait = if stays { 10 * MS } else { self.rng.millis(10, 3000) };
            self.after(wait, Coming::Boot(id));
        }
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        for node in nodes {
            self.push_quorum(node);
        }
    }

    /// A node is about to take something on.
    pub(super) fn check_acquire(&mut self, node: NodeId, name: &str) {
        let Some(daemon) = self.daemon(node) else { return };
        let core = &daemon.core;
        let standby = core.state().nodes.get(&node).is_none_or(|node| node.standby);
        if !core.is_quorate() || (standby && !core.state().maintenance) || daemon.stopping {
            let quorate = core.is_quorate();
            self.violate(|| format!("node {node} takes {name}: quorate {quorate}, standby {standby}"));
        }
    }

    /// A node has left of its own will: it has nothing.
    pub(super) fn check_left(&mut self, node: NodeId) {
        let now = self.now;
        let Some(machine) = self.machines.get(&node) else { return };
        let held: Vec<IpAddr> =
            machine.addresses.iter().filter(|(_, a)| a.expiry > now).map(|(ip, _)| *ip).collect();
        let units = machine.units.clone();
        if !held.is_empty() || !units.is_empty() {
            self.violate(|| format!("node {node} left and keeps {held:?}, {units:?}"));
        }
    }

    /// An address was put on an interface, or renewed: nobody else has it.
    pub(super) fn check_holders(&mut self, node: NodeId, ip: IpAddr) {
        let now = self.now;
        let others: Vec<(NodeId, u64)> = self
            .machines
            .values()
            .filter(|machine| machine.id != node)
            .filter_map(|machine| machine.answers(ip, now).map(|address| (machine.id, address.expiry)))
            .collect();
        for (other, expiry) in others {
            let excuse = self.excuse(other, ip).or_else(|| self.excuse(node, ip));
            let excuse = excuse.filter(|_| self.profile.impaired_may_overlap);
            let excuse = excuse.or_else(|| self.left_over(other)).or_else(|| self.left_over(node));
            match excuse.or_else(|| self.unseen(other)).or_else(|| self.unseen(node)) {
                Some(why) => {
                    let own = self.machines.get(&node).and_then(|machine| machine.answers(ip, now));
                    let until = own.map_or(expiry, |own| own.expiry.min(expiry));
                    self.book.overlap(ip, [node, other], now, until, why);
                    self.tell(|| format!("-- {ip} on {other} too for up to {} µs: {why}", expiry - now));
                }
                None => self.violate(|| {
                    format!("{ip} on nodes {node} and {other} (for another {} ms)", (expiry - now) / 1000)
                }),
            }
        }
    }

    /// A node is cut off, its daemon is killed, and `ExecStopPost=` fails: only the kernel's clock is left, which may
    /// need longer than the others wait.
    fn left_over(&self, node: NodeId) -> Option<&'static str> {
        let machine = self.machines.get(&node)?;
        let left = machine.left_over && machine.daemon.is_none() && self.is_cut(node);
        left.then_some("cut off, its daemon dead, and not released")
    }

    /// The one case that three healthy nodes do not cover: a node is cut off while the Corosync of
    /// another one, whose daemon is stopped, is restarted. Bounded by token + consensus.
    pub(super) fn unseen(&self, node: NodeId) -> Option<&'static str> {
        let known = self.net.unseen.get(&node)?;
        let over = known.is_some_and(|at| self.now > at + 100 * MS);
        (!over).then_some("cut off during a restart that nobody saw")
    }

    /// A node has no quorum, or had none a moment ago.
    pub(super) fn is_cut(&self, node: NodeId) -> bool {
        let recent = self.profile.lease + 1000 * MS;
        !self.net.votes(node).0
            || self.book.without_quorum.get(&node).is_some_and(|at| self.now - at < recent)
    }

    /// Why a node may still have an address that another has taken over.
    fn excuse(&self, node: NodeId, ip: IpAddr) -> Option<&'static str> {
        let machine = self.machines.get(&node)?;
        if machine.frozen {
            return Some("frozen");
        }
        if machine.thawed.is_some_and(|at| self.now - at < AFTER_STANDSTILL) {
            return Some("stood still");
        }
        if self.profile.two_node {
            return Some("two nodes");
        }
        let late = machine.daemon.as_ref().is_some_and(|daemon| {
            let address = machine.addresses.get(&ip);
            daemon.bad_release.keys().any(|name| address.is_some_and(|address| address.name == *name))
        });
        if late && machine.hangs.interfaces + AFTER_STANDSTILL > self.now {
            // What was asked of the kernel before is done first.
            return Some("its interfaces hung, and the release waits its turn");
        }
        // All that follows is for a node that was cut off and could not let go.
        if !self.is_cut(node) {
            return None;
        }
        match &machine.daemon {
            None => Some("cut off, and no daemon"),
            Some(daemon) if daemon.paused => Some("cut off, and its daemon stands still"),
            Some(_) => late.then_some("cut off, and the release is late or fails"),
        }
    }

    /// Faults are over: everything is mended.
    pub(super) fn settle(&mut self) {
        self.tell(|| "-- faults are over".to_owned());
        self.settling = true;
        self.book.end = self.now + SETTLE;
        self.net.heal();
        self.heal_device();
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        for node in nodes {
            if let Some(machine) = self.machines.get_mut(&node) {
                machine.stays_down = false;
            }
            self.resume(node);
            self.boot(node);
            self.corosync_start(node);
            if self.daemon(node).is_none() {
                self.start_again(node, 100, 300);
            }
        }
        self.replan();
        self.after(3000 * MS, Coming::Ask);
    }

    /// Operators end maintenance and standby: every VIP has to find its place.
    pub(super) fn ask_to_end_hands_off(&mut self) {
        let busy = self.machines.values().find_map(|machine| {
            let core = &machine.daemon.as_ref()?.core;
            if !core.is_established() {
                return None;
            }
            let standby = core.state().nodes.iter().find(|(_, node)| node.standby).map(|(id, _)| *id);
            if core.state().maintenance {
                Some((machine.id, Command::SetMaintenance { on: false, until: None }))
            } else {
                standby.map(|node| (machine.id, Command::SetStandby { node, standby: false }))
            }
        });
        if let Some((node, command)) = busy {
            self.command(Some(node), command);
        }
        self.heal_checks();
        if self.now + REST + 15_000 * MS < self.book.end {
            self.after(500 * MS, Coming::Ask);
        }
    }

    /// The end of a run: healed, in step, served.
    pub(super) fn check_end(&mut self) -> Result<(), String> {
        if let Some(number) = self.book.overdue(self.now) {
            return Err(format!("request {number} was never answered"));
        }
        if self.now - self.last_change < REST {
            return Err("resources still move at the end".to_owned());
        }
        let mut statuses: BTreeMap<NodeId, ClusterStatus> = BTreeMap::new();
        self.check_removed_at_the_end()?;
        for machine in self.machines.values().filter(|machine| self.is_a_member(machine.id)) {
            let node = machine.id;
            let daemon = machine.daemon.as_ref().ok_or(format!("node {node} has no daemon at the end"))?;
            if !daemon.core.is_established() {
                return Err(format!("node {node} is not established at the end: {:?}", daemon.core));
            }
            if machine.disk != *daemon.core.state() {
                return Err(format!("node {node}: the disk is behind at the end"));
            }
            let mut status = daemon.core.status();
            status.node = String::new();
            // Each tells of the others.
            status.fencing = Default::default();
            statuses.insert(node, status);
        }
        let Some(first) = statuses.values().next() else { return Ok(()) };
        if let Some((node, status)) = statuses.iter().find(|(_, status)| *status != first) {
            return Err(format!("node {node} sees it otherwise: {status:#?}\n{first:#?}"));
        }
        for vip in &first.vips {
            let ip: IpAddr = vip.address.split('/').next().and_then(|ip| ip.parse().ok()).ok_or("address")?;
            let holders: Vec<NodeId> = self
                .machines
                .values()
                .filter(|machine| machine.answers(ip, self.now).is_some())
                .map(|machine| machine.id)
                .collect();
            let name =
                |id: &NodeId| self.machines.get(id)?.daemon.as_ref().map(|d| d.core.state().node_name(*id));
            if holders.len() != 1 || holders.first().and_then(name) != vip.holder {
                return Err(format!(
                    "at the end {} is on {holders:?}, and the status says {vip:?}",
                    vip.name
                ));
            }
        }
        self.check_services_at_the_end(first)?;
        let extra = self.machines.values().find_map(|machine| {
            machine.addresses.iter().find(|(ip, address)| {
                address.expiry > self.now
                    && !first.vips.iter().any(|vip| vip.address.starts_with(&format!("{ip}/")))
            })
        });
        if let Some((ip, address)) = extra {
            return Err(format!("at the end somebody has {ip} of {}", address.name));
        }
        Ok(())
    }
}
