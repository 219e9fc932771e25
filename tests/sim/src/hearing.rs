//! Between Corosync and the daemons: who meets when, and what of it is heard where.

use sfha_core::cluster::Ring;
use sfha_core::{Event, Member, NodeId};

use super::corosync::{Out, What};
use super::machine::Daemon;
use super::world::{Coming, World};

impl World {
    /// After every change of who lives and who reaches whom.
    pub(super) fn replan(&mut self) {
        for (at, nodes) in self.net.plan(self.now, &mut self.rng) {
            let wait = at.saturating_sub(self.now);
            self.after(wait, Coming::Form(nodes));
        }
        for ring in self.net.busy_rings() {
            self.order_soon(ring);
        }
    }

    pub(super) fn order_soon(&mut self, ring: Ring) {
        if self.ordering.insert(ring) {
            let wait = match self.rng.below(1000) {
                0 => self.rng.millis(50, 600),
                1..10 => self.rng.millis(2, 30),
                _ => self.rng.range(200, 1500),
            };
            self.after(wait, Coming::Order(ring));
        }
    }

    pub(super) fn send(&mut self, from: Member, what: What) {
        if let Some(ring) = self.net.send(from, what) {
            self.order_soon(ring);
        }
    }

    pub(super) fn pass(&mut self, out: Vec<Out>) {
        for item in out {
            match item {
                Out::Group(to, event) => {
                    let listens = |daemon: &Daemon| daemon.connected && daemon.pid == to.pid;
                    if self.daemon(to.node).is_some_and(listens) {
                        let lag = self.rng.range(50, 2000);
                        self.push(to.node, 0, lag, event);
                    }
                }
                Out::Left(member) => self.left(member),
                Out::Ring(node) => {
                    if !self.net.votes(node).0 {
                        self.book.without_quorum.insert(node, self.now);
                    }
                    if self.device.is_some() {
                        self.device_ring(node);
                    } else {
                        self.push_quorum(node);
                    }
                }
            }
        }
    }

    pub(super) fn push_quorum(&mut self, node: NodeId) {
        let Some((ring, members)) = self.net.ring(node) else { return };
        if !self.daemon(node).is_some_and(|daemon| daemon.connected) || self.waits_for_device(node) {
            return;
        }
        let (quorate, total, needed) = self.net.votes(node);
        let event = Event::Quorum { quorate, ring, members: members.clone() };
        let expected = self.net.configured.len() + usize::from(self.net.has_device);
        let expected = u32::try_from(expected).unwrap_or(0);
        let lag = self.rng.range(50, self.profile.quorum_lag);
        self.push(node, 1, lag, event);
        self.push(node, 1, 10, Event::Votes { total, expected, needed });
    }
}
