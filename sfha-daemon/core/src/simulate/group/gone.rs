//! Nodes that an operator takes out, or has switched off and on.

use std::time::Duration;

use super::{Coming, Group};
use crate::cluster::{Ring, may_stop_first};
use crate::event::Event;
use crate::fencing::{Call, Power, RunId};
use crate::message::Member;
use crate::state::NodeId;

/// How long a node that was taken out leaves its Corosync running where the others need it until they have been told.
const PATIENCE: Duration = Duration::from_secs(4);

impl Group {
    /// A daemon leaves; one whose node was taken out ends its Corosync, too.
    pub(super) fn retire(&mut self, node: NodeId) {
        let Some(place) = self.places.get(&node) else { return };
        if place.core.as_ref().is_none_or(|core| !core.is_removed()) {
            return;
        }
        let others = place.ring.1.len().saturating_sub(1);
        let left = self.counted.iter().filter(|id| **id != node).count();
        let wait = if may_stop_first(left, others) { self.times.message } else { PATIENCE };
        self.after(wait, Coming::Retires(node));
    }

    /// In order: nobody has to notice a loss.
    pub(super) fn end_corosync(&mut self, node: NodeId) {
        if let Some(place) = self.places.get_mut(&node) {
            place.powered = false;
            place.ring = (Ring { node, seq: 0 }, Default::default());
        }
        self.form_rings();
    }

    /// Every Corosync counts the nodes that this one's state has.
    pub(super) fn reload(&mut self, by: NodeId) {
        let Some(core) = self.core(by) else { return };
        self.counted = core.state().nodes.keys().copied().collect();
        for node in self.places.keys().copied().collect::<Vec<_>>() {
            self.tell_quorum(node);
        }
    }

    /// A driver's answer: it could do what it was called for.
    pub(super) fn fenced(&mut self, by: Member, id: RunId, node: NodeId, call: Call) {
        if self.member(by.node) != Some(by) {
            return;
        }
        let runs = |group: &Self| group.places.get(&node).is_some_and(|place| place.powered);
        let power = match call {
            Call::Off => {
                if runs(self) {
                    self.switched_off = Some(self.now);
                    self.cut_power(node);
                }
                Power::Off
            }
            Call::On => {
                let newest = self.core(by.node).map(|core| core.state().clone());
                if let Some(disk) = newest.filter(|_| !runs(self)) {
                    self.boot(node, disk);
                }
                Power::On
            }
            // Whoever was only lost is taken to be off: that is the longest way.
            Call::Status if runs(self) => Power::On,
            Call::Status => Power::Off,
        };
        self.told.push_back((by.node, Event::FenceFinished { id, outcome: Ok(power) }));
    }
}
