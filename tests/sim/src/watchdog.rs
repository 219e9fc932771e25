//! Watchdogs: fed as the daemon does it, and what becomes of a node whose is not.

use sfha_core::{Event, NodeId};

use super::world::{Coming, MS, World};

/// Signs of life are given no more often than this.
const EVERY: u64 = 1000 * MS;

impl World {
    /// A sign of life where the node deserves one; first it is armed.
    pub(super) fn look_after_watchdog(&mut self, node: NodeId) {
        let Some(timeout) = self.profile.fencing.and_then(|fencing| fencing.watchdog) else { return };
        let now = self.now;
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let Some(daemon) = &mut machine.daemon else { return };
        let armed = std::mem::replace(&mut daemon.armed, true);
        let due = machine.fed.is_none_or(|fed| now - fed >= EVERY) && daemon.core.is_trustworthy();
        if !armed || due {
            (machine.fed, machine.last_fed) = (Some(now), now);
            self.after(timeout, Coming::Bite(node, now));
        }
        if !armed {
            self.feed(node, Event::Watchdog { timeout_ms: Some(timeout / MS) });
        }
    }

    /// No sign of life since then: the machine is reset.
    pub(super) fn bite(&mut self, node: NodeId, fed: u64) {
        if self.machines.get(&node).is_none_or(|machine| machine.fed != Some(fed)) {
            return;
        }
        self.tell(|| format!("-- node {node}'s watchdog bites"));
        self.book.bitten += 1;
        self.power_cut(node);
        let wait = self.rng.millis(200, 4000);
        self.after(wait, Coming::Boot(node));
    }
}
