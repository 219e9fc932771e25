//! Nodes that are taken out: what becomes of them, and what must hold.

use std::collections::BTreeSet;

use sfha_core::NodeId;
use sfha_core::cluster::may_stop_first;

use super::world::{Coming, MS, World};

impl World {
    /// Every Corosync of the ring reads its file again, of which this node has the newest.
    pub(super) fn reload(&mut self, node: NodeId) {
        let Some(daemon) = self.daemon(node) else { return };
        // Not whoever it does not know: others may have let a node in meanwhile.
        let removing = &daemon.core.state().removing;
        let gone: Vec<NodeId> = self.net.configured.intersection(removing).copied().collect();
        for id in gone {
            self.tell(|| format!("-- Corosync goes on without node {id}"));
            self.net.remove(id);
        }
        self.replan();
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        for node in nodes {
            self.push_quorum(node);
        }
    }

    /// A node that knows that it was removed ends its Corosync and forgets its cluster.
    pub(super) fn retire(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get(&node) else { return };
        let left = machine.disk.nodes.keys().filter(|id| **id != node).count();
        let others = self.net.ring(node).map_or(0, |(_, members)| members.len() - 1);
        self.tell(|| format!("node {node} is no longer of this cluster"));
        self.machines.remove(&node);
        let wait = if may_stop_first(left, others) { self.rng.millis(1, 200) } else { 4000 * MS };
        self.after(wait, Coming::Retire(node));
    }

    pub(super) fn end_corosync(&mut self, node: NodeId) {
        self.tell(|| format!("-- node {node} ends its Corosync"));
        self.net.stop(node);
        self.replan();
    }

    /// An established state has these nodes: none of those of whose removal an operator was told.
    pub(super) fn check_removed(&mut self, known: &BTreeSet<NodeId>) {
        if let Some(id) = known.iter().find(|id| self.book.removed.contains_key(id)) {
            let (id, since) = (*id, self.book.removed.get(id).copied());
            self.violate(|| format!("node {id}, removed at {since:?}, is a member again"));
        }
    }

    /// At the end: node 1, which is never removed, knows it as a member.
    pub(super) fn is_a_member(&self, node: NodeId) -> bool {
        self.daemon(1).is_none_or(|daemon| daemon.core.state().nodes.contains_key(&node))
    }

    /// Whoever was removed and does not know it has nothing and decides nothing.
    pub(super) fn check_removed_at_the_end(&self) -> Result<(), String> {
        for machine in self.machines.values().filter(|machine| !self.is_a_member(machine.id)) {
            let held: Vec<_> =
                machine.addresses.iter().filter(|(_, address)| address.expiry > self.now).collect();
            let decides = machine.daemon.as_ref().is_some_and(|daemon| daemon.core.is_operational());
            if !held.is_empty() || decides {
                let id = machine.id;
                return Err(format!("node {id} was removed: it has {held:?}, operational {decides}"));
            }
        }
        Ok(())
    }
}
