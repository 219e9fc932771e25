//! Machines of one group, its order, and drivers whose answers the test gives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sfha_proto::ErrorCode;

use crate::fencing::state::Happened;
use crate::fencing::*;
use crate::state::NodeId;
use crate::time::Time;

pub fn settings(levels: &[Level]) -> FencingSettings {
    FencingSettings { enabled: true, levels: levels.to_vec(), ..FencingSettings::off() }
}

pub fn problem(code: ErrorCode) -> Problem {
    Problem { code, details: BTreeMap::new() }
}

pub fn watchdog(node: NodeId, timeout_ms: Option<u64>) -> FencingCommand {
    FencingCommand::Watchdog { node, timeout_ms }
}

/// A call that a driver has not answered.
#[derive(Debug, Clone)]
pub struct Pending {
    pub by: NodeId,
    pub node: NodeId,
    pub id: RunId,
    pub call: Call,
    pub at: Time,
    /// The fencing that it belongs to, and whether an operator wants that.
    pub episode: Option<(u64, bool)>,
}

#[derive(Debug)]
pub struct Group {
    pub now: Time,
    pub holding: BTreeMap<NodeId, u32>,
    pub two_node: bool,
    settings: FencingSettings,
    quorate: bool,
    machines: BTreeMap<NodeId, Fencing>,
    pub members: BTreeSet<NodeId>,
    pending: Vec<Pending>,
    /// Two nodes, each alone.
    halves: bool,
}

impl Group {
    pub fn new(nodes: NodeId, settings: &FencingSettings) -> Self {
        let mut group = Self {
            now: Time::from_micros(1_000_000),
            holding: BTreeMap::new(),
            two_node: false,
            settings: settings.clone(),
            quorate: true,
            machines: BTreeMap::new(),
            members: (1..=nodes).collect(),
            pending: Vec::new(),
            halves: false,
        };
        for node in 1..=nodes {
            group.start(node);
        }
        group.view();
        group
    }

    fn start(&mut self, node: NodeId) {
        let mut machine = Fencing::new(node, self.settings.clone());
        let names = (1..=self.machines.len().max(self.members.len()))
            .map(|id| NodeId::try_from(id).unwrap())
            .map(|id| (id, format!("n{id}")))
            .collect();
        machine.handle(FencingEvent::Clock { wall: 1_700_000_000 }, self.now);
        machine.handle(FencingEvent::Nodes { nodes: names }, self.now);
        self.machines.insert(node, machine);
    }

    pub fn machine(&self, node: NodeId) -> &Fencing {
        &self.machines[&node]
    }

    fn sides(&self) -> Vec<BTreeSet<NodeId>> {
        if self.halves {
            self.members.iter().map(|node| BTreeSet::from([*node])).collect()
        } else {
            vec![self.members.clone()]
        }
    }

    fn each(&mut self, event: &FencingEvent) {
        for node in self.members.clone() {
            self.machines.get_mut(&node).unwrap().handle(event.clone(), self.now);
        }
        self.run();
    }

    pub fn view(&mut self) {
        for side in self.sides() {
            let event = FencingEvent::View {
                members: side.clone(),
                quorate: self.quorate,
                leader: side.first().copied(),
                two_node: self.two_node,
                holding: self.holding.clone(),
            };
            for node in side {
                self.machines.get_mut(&node).unwrap().handle(event.clone(), self.now);
            }
        }
        self.run();
    }

    /// Carries out actions until there are none.
    pub fn run(&mut self) {
        loop {
            let mut quiet = true;
            for side in self.sides() {
                for node in &side {
                    while let Some(action) = self.machines.get_mut(node).unwrap().poll_action() {
                        quiet = false;
                        match action {
                            FencingAction::Propose(command) => {
                                for member in &side {
                                    let event = FencingEvent::Applied { command: command.clone() };
                                    self.machines.get_mut(member).unwrap().handle(event, self.now);
                                }
                            }
                            FencingAction::Run { id, node: target, call, .. } => {
                                let record = self.machines[node].state().records.get(&target);
                                let episode =
                                    record.map(|record| (record.episode, record.cause.is_requested()));
                                let at = self.now;
                                self.pending.push(Pending { by: *node, node: target, id, call, at, episode });
                            }
                        }
                    }
                }
                let states: Vec<_> = side.iter().map(|node| self.machines[node].state()).collect();
                assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "all know the same");
            }
            if quiet {
                return;
            }
        }
    }

    /// Time passes, from deadline to deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self
                .members
                .iter()
                .filter_map(|node| self.machines[node].poll_timeout())
                .map(|(at, _)| at)
                .min();
            let at = next.map_or(end, |at| at.min(end));
            assert!(at > self.now || at == end || next == Some(self.now), "deadlines lie ahead");
            let stuck = at == self.now && at != end;
            self.now = at;
            self.each(&FencingEvent::Tick);
            assert!(
                !stuck
                    || self
                        .members
                        .iter()
                        .all(|node| self.machines[node].poll_timeout().is_none_or(|(at, _)| at > self.now)),
                "a deadline that does not move"
            );
            if at == end {
                return;
            }
        }
    }

    pub fn lose(&mut self, node: NodeId) {
        self.members.remove(&node);
        self.pending.retain(|pending| pending.by != node);
        self.view();
    }

    pub fn leave(&mut self, node: NodeId) {
        self.each(&FencingEvent::Left { node });
        self.lose(node);
    }

    /// A fresh process, which gets the state of the others.
    pub fn come_back(&mut self, node: NodeId) {
        let state = self.machines[self.members.first().unwrap()].state().clone();
        self.start(node);
        self.members.insert(node);
        let snapshot = FencingEvent::Snapshot { state: Box::new(state) };
        self.machines.get_mut(&node).unwrap().handle(snapshot, self.now);
        self.view();
    }

    /// All stop; those start again, with nothing known.
    pub fn restart(&mut self, nodes: &[NodeId]) {
        self.pending.clear();
        self.members = nodes.iter().copied().collect();
        for node in nodes {
            self.start(*node);
        }
        self.view();
    }

    pub fn split(&mut self) {
        self.halves = true;
        self.view();
    }

    pub fn set_quorum(&mut self, quorate: bool) {
        self.quorate = quorate;
        self.view();
    }

    pub fn maintenance(&mut self, on: bool) {
        self.each(&FencingEvent::Maintenance { on });
    }

    /// The group orders a command from outside.
    pub fn tell(&mut self, command: &FencingCommand) {
        self.each(&FencingEvent::Applied { command: command.clone() });
    }

    pub fn request(&mut self, node: NodeId) {
        let cause = Cause::Requested { by: "root".into() };
        self.tell(&FencingCommand::Suspect { node, cause, at: 0 });
    }

    /// Calls without an answer: who calls, for which node, what.
    pub fn calls(&self) -> Vec<(NodeId, NodeId, Call)> {
        self.pending.iter().map(|pending| (pending.by, pending.node, pending.call)).collect()
    }

    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// The last call for that node gets its answer, others none.
    pub fn answer(&mut self, node: NodeId, outcome: Outcome) {
        let last = self.pending.iter().rposition(|pending| pending.node == node).expect("no call");
        let pending = self.pending[last].clone();
        self.pending.retain(|other| other.node != node);
        let event = FencingEvent::Finished { id: pending.id, outcome };
        self.machines.get_mut(&pending.by).unwrap().handle(event, self.now);
        self.run();
    }

    pub fn phase(&self, node: NodeId) -> Option<Phase> {
        let state = self.machines[self.members.first().unwrap()].state();
        state.records.get(&node).map(|record| record.phase.clone())
    }

    /// As all members see it.
    pub fn harmless(&self, node: NodeId) -> bool {
        let mut told = self.members.iter().map(|member| self.machines[member].is_harmless(node));
        let first = told.next().unwrap();
        assert!(told.all(|other| other == first), "members disagree about {node}");
        first
    }

    pub fn status(&self, of: NodeId, node: NodeId) -> NodeFencing {
        let status = self.machines[&of].status(self.now);
        status.nodes.into_iter().find(|other| other.node == node).unwrap()
    }

    pub fn history(&self, node: NodeId) -> Vec<Happened> {
        let state = self.machines[self.members.first().unwrap()].state();
        state.history.iter().filter(|entry| entry.node == node).map(|entry| entry.what).collect()
    }
}
