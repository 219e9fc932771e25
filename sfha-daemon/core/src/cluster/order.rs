//! What must be there before a resource comes, and gone before it goes.
//!
//! A resource *stands* while its holder has reported it and is not to let go of it, and everything that must
//! be there before it stands too. One whose firsts do not all stand is not taken on; one that has it gives it
//! up, and its own firsts wait for that. So a chain is taken down from its end, wherever its links are.
//!
//! Without quorum nobody hears of anybody: then only what this node has itself counts, addresses go at once,
//! and a service waits for others to stop no longer than leaves it the time that the rest of the cluster
//! counts on.

use super::Cluster;
use super::holding::{Hold, What};
use crate::ledger::{Slot, Thing};
use crate::time::Time;

impl Cluster {
    /// Everything that must be there before it is there.
    pub(super) fn firsts_stand(&self, name: &str) -> bool {
        self.state.maintenance || self.order.firsts(name).iter().all(|first| self.stands(first, 0))
    }

    fn stands(&self, name: &str, depth: usize) -> bool {
        // A circle, in a state from before circles were refused, stands nowhere.
        if depth > self.state.constraints.len() {
            return false;
        }
        let Some(Slot::Held { node, active: true, .. }) = self.ledger.slots.get(name) else { return false };
        // What failed here a moment ago this node knows before the others have heard it.
        if *node == self.settings.me && !self.holds.get(name).is_some_and(Hold::is_active) {
            return false;
        }
        let given = self.ledger.given.get(name).map(|given| &given.thing);
        given == Thing::of(&self.state, name).as_ref()
            && self.is_given_to(name, *node)
            && self.order.firsts(name).iter().all(|first| self.stands(first, depth + 1))
    }

    /// What must be gone before it goes is gone, or it can wait no longer.
    pub(super) fn may_let_go(&self, name: &str, now: Time) -> bool {
        let here = |then: &String| self.holds.contains_key(then);
        let Some(_) = self.unsure_since else {
            let elsewhere = |then: &String| matches!(self.ledger.slots.get(then), Some(Slot::Held { node, active: true, .. }) if *node != self.settings.me);
            // Others give up what depends on it only while they move things at all.
            let others = self.is_operational() && !self.state.maintenance;
            return !self.order.thens(name).iter().any(|then| here(then) || (others && elsewhere(then)));
        };
        let service = |then: &String| self.holds.get(then).is_some_and(|hold| !hold.what.is_vip());
        let vip = self.holds.get(name).is_some_and(|hold| hold.what.is_vip());
        vip || self.must_let_go_at(name).is_some_and(|at| at <= now)
            || !self.order.thens(name).iter().any(service)
    }

    /// Without quorum: when a service's stop has to begin at the latest.
    pub(super) fn must_let_go_at(&self, name: &str) -> Option<Time> {
        let since = self.unsure_since?;
        match &self.holds.get(name)?.what {
            What::Vip(_) => None,
            What::Service { service, gone_within } => {
                let stop = std::time::Duration::from_millis(service.stop_timeout_ms);
                Some(since + gone_within.saturating_sub(stop))
            }
        }
    }

    /// Since when this node has to give everything up because it may be alone.
    pub(super) fn note_unsure(&mut self, now: Time) {
        if self.is_quorate() && !self.broken {
            self.unsure_since = None;
        } else if self.unsure_since.is_none() {
            self.unsure_since = Some(now);
        }
    }
}
