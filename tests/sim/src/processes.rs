//! The daemons' processes: how they start, connect, and end.

use sfha_core::record::{FORMAT, Log, Start};
use sfha_core::{Cluster, Event, Member, NodeId, Settings};

use super::corosync::What;
use super::machine::Daemon;
use super::world::{Coming, MS, World};

impl World {
    pub(super) fn daemon_start(&mut self, node: NodeId) {
        let (lost, daemon_lost) = (self.profile.node_lost_delay, self.profile.daemon_lost_delay);
        let record = self.story.is_some();
        let Some(machine) = self.machines.get_mut(&node) else { return };
        machine.starting = false;
        if !machine.powered || machine.daemon.is_some() || machine.frozen {
            return;
        }
        // Whatever an earlier process left is removed before anything else.
        machine.addresses.clear();
        if !machine.units.is_empty() {
            let wait = self.stop_leftovers(node);
            return self.start_again(node, wait / MS + 1, wait / MS + 50);
        }
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.disk.nodes.contains_key(&node) {
            return self.retire(node);
        }
        machine.next_pid += 1;
        let pid = machine.next_pid;
        let settings = Settings {
            me: node,
            program: "0".to_owned(),
            node_lost_delay: lost,
            daemon_lost_delay: daemon_lost,
            unit_margin: self.profile.unit_margin,
        };
        let log = record.then(|| {
            let (settings, state) = (settings.clone(), machine.disk.clone());
            let start = Start { format: FORMAT, began: 0, settings, state };
            Log { start, turns: Vec::new(), cut: false }
        });
        machine.daemon = Some(Daemon::new(pid, Cluster::new(settings, machine.disk.clone()), log));
        self.tell(|| format!("node {node} starts its daemon, {pid}"));
        let wait = self.rng.millis(5, 50);
        self.after(wait, Coming::Connect(node, pid));
        let renewal = self.profile.renewal;
        self.after(renewal, Coming::Renew(node, pid));
    }

    pub(super) fn connect(&mut self, node: NodeId, pid: u32) {
        if !self.net.is_up(node) || self.process(node, pid).is_none_or(|daemon| daemon.connected) {
            return;
        }
        if self.stands_still(node) || !self.net.is_live(node) {
            self.after(100 * MS, Coming::Connect(node, pid));
            return;
        }
        let member = Member { node, pid };
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.connected = true;
        }
        self.push(node, 0, 10, Event::Connected { member });
        let now = self.now;
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.newest[1] = now + 20;
        }
        self.send(member, What::Join);
        self.tell_device_anew(node);
        self.push_quorum(node);
    }

    pub(super) fn left(&mut self, member: Member) {
        if self.process(member.node, member.pid).is_none() {
            return;
        }
        self.tell(|| format!("node {} has left", member.node));
        if let Some(machine) = self.machines.get_mut(&member.node) {
            // All whom it left saw it go with nothing left.
            machine.had.clear();
        }
        self.over(member.node);
    }

    /// A daemon ended of its own will.
    pub(super) fn over(&mut self, node: NodeId) {
        self.check_left(node);
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.fed = None;
        }
        let removed = self.daemon(node).is_some_and(|daemon| daemon.core.is_removed());
        self.end_process(node);
        if removed {
            self.retire(node);
        } else {
            self.start_again(node, 200, 4000);
        }
    }

    /// The process is gone; what it put on interfaces is still there.
    pub(super) fn end_process(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let Some(daemon) = machine.daemon.take() else { return };
        // A write under way is over or not when a process dies.
        if self.rng.chance(500)
            && let Some((_, state)) = daemon.writing.into_iter().next()
        {
            machine.disk = *state;
        }
        self.book.process_ended(node, daemon.pid);
        self.old_logs.extend(daemon.log.map(|log| (node, log)));
    }

    pub(super) fn start_again(&mut self, node: NodeId, low: u64, high: u64) {
        let wait = self.rng.millis(low, high);
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.starting && !machine.stays_down {
            machine.starting = true;
            self.after(wait, Coming::DaemonStart(node));
        }
    }
}
