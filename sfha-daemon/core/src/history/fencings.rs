//! Fencings. What is pending shows in the status; each step is an entry of the history that all members share.

use std::collections::BTreeSet;

use sfha_proto::history::{EventKind, HistoryEvent};
use sfha_proto::status::{ClusterStatus, Phase};

use super::{Draft, Lasting, Moment, Tracker};
use crate::fencing::state::{Cause, Entry, FencingState, Happened, Held, Problem, Proof};
use crate::state::NodeId;

impl Tracker {
    /// The members know this of fencings now; comes before the status of the same moment, whose phase is given.
    pub fn fencings(
        &mut self,
        state: &FencingState,
        phase: Phase,
        name: impl Fn(NodeId) -> String,
        now: Moment,
    ) -> Vec<HistoryEvent> {
        self.now = now;
        let in_step = phase == Phase::Operational;
        // What happened while this node was away was told by those who were there.
        if let (Some((before, true)), true) = (self.fencings, in_step) {
            let new = usize::try_from(state.told.saturating_sub(before)).unwrap_or(usize::MAX);
            for entry in state.history.iter().skip(state.history.len().saturating_sub(new)) {
                self.fencing_entry(entry, &name);
            }
        }
        self.fencings = Some((state.told, in_step));
        if self.fencing_state != *state {
            self.fencing_state.clone_from(state);
            self.fencing_changed = true;
        }
        std::mem::take(&mut self.told)
    }

    fn fencing_entry(&mut self, entry: &Entry, name: impl Fn(NodeId) -> String) {
        let node = &name(entry.node);
        let of = |kind| Draft::new(kind).node(node);
        let code = || entry.error.as_ref().map(|problem: &Problem| problem.code.as_str());
        let level = || entry.level.as_ref().map(|level| level.name().to_owned());
        let draft = match entry.what {
            Happened::Suspected => return self.fencing_started(node, entry.cause.as_ref().map(cause)),
            Happened::Held if entry.held == Some(Held::Storm) => of(EventKind::FencingStorm),
            Happened::Held => {
                Draft { detail: entry.held.map(|held| why(held).to_owned()), ..of(EventKind::FencingHeld) }
            }
            Happened::Begun => Draft { resource: level(), ..of(EventKind::FencingBegun) },
            Happened::TryFailed => {
                Draft { resource: level(), detail: code(), ..of(EventKind::FencingTryFailed) }
            }
            Happened::Failed => Draft { detail: code(), ..of(EventKind::FencingFailed) },
            Happened::HandedOver => {
                of(EventKind::FencingHandedOver).moved(None, entry.actor.map(&name).as_deref())
            }
            Happened::Fenced => {
                if let (Some(Proof::Confirmed { .. }), Some(by)) = (&entry.proof, &entry.by) {
                    let detail = match &entry.why {
                        Some(why) => format!("{by}: {why}"),
                        None => by.clone(),
                    };
                    let cause = self.fencing_of(node);
                    self.tell(of(EventKind::FencingConfirmed).detail(detail).cause(cause));
                }
                return self.fencing_over(node, entry.proof.as_ref().map(proof));
            }
            Happened::Returned => return self.fencing_over(node, None),
            Happened::SwitchOn => Draft { detail: entry.by.clone(), ..of(EventKind::UnfenceBegun) },
            Happened::SwitchedOn => of(EventKind::UnfenceDone),
            Happened::SwitchOnFailed => Draft { detail: code(), ..of(EventKind::UnfenceFailed) },
        };
        let cause = self.fencing_of(node);
        self.tell(draft.cause(cause));
    }

    /// The event that told of that node's fencing.
    fn fencing_of(&self, node: &str) -> Option<u64> {
        let begun = self.lasting.get(&(Lasting::Fencing, node.to_owned())).and_then(|begin| begin.event);
        let is_start = |kind| matches!(kind, EventKind::FencingStarted | EventKind::UnfenceBegun);
        begun.or_else(|| self.news(|event| is_start(event.kind) && event.node.as_deref() == Some(node)))
    }

    fn fencing_started(&mut self, node: &str, why: Option<&str>) {
        if !self.has_begun(Lasting::Fencing, node) {
            let cause = self.blame(Some(node));
            let draft = Draft { detail: why.map(str::to_owned), ..Draft::new(EventKind::FencingStarted) };
            let id = self.tell(draft.node(node).cause(cause));
            self.begin(Lasting::Fencing, node, Some(id), None, None);
        }
    }

    fn fencing_over(&mut self, node: &str, proof: Option<&str>) {
        if let Some(begin) = self.end(Lasting::Fencing, node) {
            let draft = Draft { detail: proof.map(str::to_owned), ..Draft::new(EventKind::FencingOver) };
            self.tell(draft.node(node).ending(Some(&begin), self.now.at));
        }
    }

    /// What is pending, for a node that missed how it began or ended.
    pub(super) fn fencing(&mut self, status: &ClusterStatus) {
        let pending: BTreeSet<&String> = status.fencing.pending.iter().collect();
        let begun = self.lasting.keys().filter(|(what, _)| *what == Lasting::Fencing);
        let over: Vec<String> =
            begun.map(|(_, node)| node.clone()).filter(|node| !pending.contains(node)).collect();
        for node in pending {
            self.fencing_started(node, None);
        }
        for node in over {
            self.fencing_over(&node, None);
        }
    }

    /// What this node's own tests found.
    pub(super) fn fencing_alerts(&mut self, status: &ClusterStatus) {
        let key = |node: &str, level: &str| format!("{node} {level}");
        let alerts = &status.fencing.alerts;
        for alert in alerts {
            let name = key(&alert.node, &alert.level);
            if !self.has_begun(Lasting::FencingUntested, &name) {
                let draft = Draft::new(EventKind::FencingTestFailed).node(&alert.node);
                let id = self.tell(draft.resource(&alert.level).detail(alert.error.code.as_str()));
                self.begin(Lasting::FencingUntested, &name, Some(id), None, None);
            }
        }
        let bad = self.lasting.keys().filter(|(what, _)| *what == Lasting::FencingUntested);
        let good: Vec<String> = bad
            .map(|(_, name)| name.clone())
            .filter(|name| alerts.iter().all(|alert| key(&alert.node, &alert.level) != *name))
            .collect();
        for name in good {
            let begin = self.end(Lasting::FencingUntested, &name);
            let (node, level) = name.split_once(' ').unwrap_or_default();
            let draft = Draft::new(EventKind::FencingTestGood).node(node).resource(level);
            self.tell(draft.ending(begin.as_ref(), self.now.at));
        }
    }
}

const fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Lost => "lost",
        Cause::Unseen => "unseen",
        Cause::Requested { .. } => "requested",
        Cause::StopFailed { .. } => "stop-failed",
    }
}

const fn why(held: Held) -> &'static str {
    match held {
        Held::Storm => "storm",
        Held::TooSoon => "too-soon",
        Held::Maintenance => "maintenance",
        Held::NoDriver => "no-driver",
    }
}

const fn proof(proof: &Proof) -> &'static str {
    match proof {
        Proof::Off(_) => "off",
        Proof::Answer(_) => "answer",
        Proof::Confirmed { .. } => "confirmed",
        Proof::Watchdog => "watchdog",
    }
}
