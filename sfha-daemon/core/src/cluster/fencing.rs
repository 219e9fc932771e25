//! Fencing as part of the cluster: what the coordinator ([`crate::fencing`]) is told, and what becomes of what
//! it wants.
//!
//! It is told of changes of membership as they come, before the members agree: a proposal waits until they have.
//! With fencing on, no resource of a lost node is taken before that node is harmless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sfha_proto::{ErrorCode, Failure};

use super::Cluster;
use crate::action::Action;
use crate::command::Command;
use crate::fencing::settings::OnStopFailure;
use crate::fencing::{Fencing, FencingAction, FencingCommand, FencingEvent, FencingSettings};
use crate::ledger::Slot;
use crate::qdevice::Qdevice;
use crate::state::{ClusterState, NodeId};
use crate::sync::Sync;
use crate::time::Time;

/// Losses that are no further apart than this count as one: what the one had, the other may have taken with its
/// last message. Longer than the delays by which losses are dated.
const SAME_LOSS: Duration = Duration::from_secs(5);

/// What the coordinator was told last.
#[derive(Debug, Clone, Default)]
pub(super) struct Fed {
    nodes: BTreeMap<NodeId, String>,
    view: Option<FencingEvent>,
    maintenance: bool,
    stuck: BTreeMap<NodeId, String>,
    clock: bool,
}

/// A lost node notices later that it has no quorum where a device has the last word: its watchdog is fed for as
/// long.
pub(super) fn settings(state: &ClusterState) -> FencingSettings {
    let mut settings = state.stonith.clone();
    if state.corosync.qdevice.is_some() {
        let skew = Qdevice::skew(&state.corosync.profile).as_millis();
        let margin = &mut settings.safety.watchdog_margin_ms;
        *margin = margin.saturating_add(u64::try_from(skew).unwrap_or(u64::MAX));
    }
    settings
}

impl Cluster {
    /// Who is made harmless, and how far that is.
    #[must_use]
    pub fn fencing(&self) -> &Fencing {
        &self.fencing
    }

    /// The watchdog is to get a sign of life: this node may have what it has, or has nothing.
    #[must_use]
    pub fn is_trustworthy(&self) -> bool {
        self.is_quorate() || self.holds.is_empty()
    }

    pub(super) fn is_harmless(&self, node: NodeId) -> bool {
        self.state.stonith.gates() && self.fencing.is_harmless(node)
    }

    /// The first time it is told the begins of earlier fencings can be dated.
    pub(super) fn clock(&mut self, wall: i64, now: Time) {
        self.fencing.handle(FencingEvent::Clock { wall }, now);
        if !std::mem::replace(&mut self.fed.clock, true) {
            let state = Box::new(self.state.fencing.clone());
            self.fencing.handle(FencingEvent::Snapshot { state }, now);
        }
    }

    /// Tells the coordinator what has changed, and does what it wants.
    pub(super) fn fence(&mut self, now: Time) {
        self.count_holdings();
        self.feed(now);
        debug_assert!(*self.fencing.state() == self.state.fencing, "both have applied the same");
        self.tell_watchdog(now);
        while let Some(action) = self.fencing.poll_action() {
            match action {
                FencingAction::Propose(command) => {
                    self.propose(None, Command::Fencing { command: Box::new(command) }, now);
                }
                FencingAction::Run { id, node, name, level, call, deadline_ms } => {
                    self.actions.push_back(Action::Fence { id, node, name, level, call, deadline_ms });
                }
            }
        }
    }

    pub(super) fn feed(&mut self, now: Time) {
        let same = |(id, node): (&NodeId, &crate::state::Node)| self.fed.nodes.get(id) == Some(&node.name);
        if self.fed.nodes.len() != self.state.nodes.len() || !self.state.nodes.iter().all(same) {
            let nodes: BTreeMap<NodeId, String> =
                self.state.nodes.iter().map(|(id, node)| (*id, node.name.clone())).collect();
            self.fed.nodes.clone_from(&nodes);
            self.fencing.handle(FencingEvent::Nodes { nodes }, now);
        }
        if self.fed.maintenance != self.state.maintenance {
            self.fed.maintenance = self.state.maintenance;
            self.fencing.handle(FencingEvent::Maintenance { on: self.state.maintenance }, now);
        }
        let view = FencingEvent::View {
            members: self.daemons(),
            quorate: self.is_quorate() && !self.broken,
            leader: self.fencing_leader(),
            two_node: self.state.nodes.len() == 2 && self.state.corosync.qdevice.is_none(),
            holding: self.had.clone(),
        };
        if self.fed.view.as_ref() != Some(&view) {
            self.fed.view = Some(view.clone());
            self.fencing.handle(view, now);
        }
        let stuck = self.stuck_members();
        if self.fed.stuck != stuck {
            self.fed.stuck.clone_from(&stuck);
            self.fencing.handle(FencingEvent::Stuck { nodes: stuck }, now);
        }
        if self.fencing.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.fencing.handle(FencingEvent::Tick, now);
        }
    }

    /// Where no node may take anything on, one must fence all the same.
    fn fencing_leader(&self) -> Option<NodeId> {
        let first = || self.view.first().map(|member| member.node).filter(|_| self.is_operational());
        self.leader().or_else(first)
    }

    /// A node that is not here keeps what it had when it was: the two sides of a split then go by the same.
    fn count_holdings(&mut self) {
        if !self.is_operational() || !self.state.stonith.enabled {
            return;
        }
        let mut counts: BTreeMap<NodeId, u32> = self.daemons().into_iter().map(|node| (node, 0)).collect();
        for slot in self.ledger.slots.values() {
            if let Slot::Held { node, .. } = slot
                && let Some(count) = counts.get_mut(node)
            {
                *count += 1;
            }
        }
        self.had.extend(counts);
        self.had.retain(|node, _| self.state.nodes.contains_key(node));
    }

    /// Members on which something does not stop that others are to take over.
    fn stuck_members(&self) -> BTreeMap<NodeId, String> {
        let wanted = |name: &String| match self.state.stonith.on_stop_failure {
            OnStopFailure::Fence => true,
            OnStopFailure::FenceCritical => {
                self.state.services.get(name).is_some_and(|service| service.critical)
            }
            OnStopFailure::Wait => false,
        };
        if !self.is_operational() {
            return self.fed.stuck.clone();
        }
        let stuck = self.ledger.stuck.iter().filter(|(name, _)| wanted(name));
        stuck.map(|(name, node)| (*node, name.clone())).collect()
    }

    pub(super) fn fencing_applied(&mut self, command: &Command, now: Time) {
        match command {
            Command::Fencing { command } => {
                self.fencing.handle(FencingEvent::Applied { command: (**command).clone() }, now);
            }
            Command::RemoveNode { node } => {
                let command = FencingCommand::Forget { node: *node };
                self.fencing.handle(FencingEvent::Applied { command }, now);
            }
            Command::AddNode { .. } => {
                let new = self.state.fencing.excused.difference(&self.fencing.state().excused).copied();
                for node in new.collect::<Vec<_>>() {
                    let command = FencingCommand::Excuse { node };
                    self.fencing.handle(FencingEvent::Applied { command }, now);
                }
            }
            Command::Configure { .. } => self.fencing.configure(settings(&self.state), now),
            _ => {}
        }
    }

    pub(super) fn fencing_refused(&mut self, command: FencingCommand, now: Time) {
        self.fencing.handle(FencingEvent::Refused { command }, now);
    }

    /// Why an operator may not have that done to a node now.
    pub(super) fn cannot_fence(&self, command: &Command) -> Option<Failure> {
        match command {
            Command::Fencing { command } => self.fencing.may_propose(command).err(),
            // Nobody would ask any more whether it is off.
            Command::RemoveNode { node } => {
                let known = self.state.nodes.get(node)?;
                let dangerous = self.state.stonith.gates()
                    && self.is_quorate()
                    && !self.daemons().contains(node)
                    && !self.fencing.is_harmless(*node);
                dangerous.then(|| Failure::new(ErrorCode::NotFenced).with("name", known.name.clone()))
            }
            _ => None,
        }
    }

    /// It stops in order: it has nothing left that anybody knows of.
    pub(super) fn has_let_go(&self, node: NodeId) -> bool {
        let held = |slot: &Slot| matches!(slot, Slot::Held { node: by, .. } if *by == node);
        self.sync == Sync::InStep
            && self.ledger.leaving.contains(&node)
            && !self.ledger.slots.values().any(held)
            && !self.ledger.stale.iter().any(|(_, by)| *by == node)
            && !self.ledger.stuck.values().any(|by| *by == node)
    }

    /// Nodes that went since the last agreed ledger, and of which nothing is known.
    pub(super) fn gone_and_dangerous(&self) -> BTreeSet<NodeId> {
        if !self.state.stonith.gates() {
            return BTreeSet::new();
        }
        let here = self.daemons();
        let dangerous = |node: &&NodeId| {
            !here.contains(node) && self.state.nodes.contains_key(node) && !self.fencing.is_harmless(**node)
        };
        self.gone_since.iter().filter(dangerous).copied().collect()
    }

    /// Neither the lost holder, nor who was lost with it or after it and may have taken it over with its last
    /// message, can have it. Where nobody knows the holder, or saw it go: nobody who is away.
    pub(super) fn nobody_may_have_it(&self, holder: Option<NodeId>) -> bool {
        let here = self.daemons();
        let since = holder.and_then(|node| self.lost.get(&node));
        let suspect = |node: &&NodeId| match since {
            Some(since) => {
                Some(**node) == holder || self.lost.get(node).is_some_and(|at| *at + SAME_LOSS >= *since)
            }
            None => true,
        };
        let mut away = self.state.nodes.keys().filter(|node| !here.contains(node)).filter(suspect);
        away.all(|node| self.fencing.is_harmless(*node))
    }

    /// The others wait for the watchdog only when they know of it: nothing is taken on before they know what is.
    pub(super) fn watchdog_is_told(&self) -> bool {
        let told = self.state.fencing.watchdogs.get(&self.settings.me);
        match (told, self.watchdog.flatten()) {
            (Some(told), Some(is)) => is <= *told,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    fn tell_watchdog(&mut self, now: Time) {
        let node = self.settings.me;
        let Some(timeout_ms) = self.watchdog.filter(|_| self.is_established() && !self.is_removed()) else {
            return;
        };
        if self.state.fencing.watchdogs.get(&node).copied() == timeout_ms {
            return;
        }
        let command = Command::Fencing { command: Box::new(FencingCommand::Watchdog { node, timeout_ms }) };
        if !self.has_own_proposal(|own| *own == command) {
            self.propose(None, command, now);
        }
    }
}
