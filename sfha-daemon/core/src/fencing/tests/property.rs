//! Whatever happens, in whatever order, the three promises hold; and once everything works, what is lost
//! becomes harmless.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::time::Time;

const NODES: NodeId = 5;
const WATCHDOG_MS: u64 = 15_000;
/// Its watchdog runs; the others have none.
const WATCHED: NodeId = 4;

#[derive(Debug, Clone)]
enum Op {
    Lose(NodeId),
    /// It reset itself in time, or is switched on, and joins.
    Return(NodeId),
    Leave(NodeId),
    /// The driver answers the last call for a node truly, or fails.
    Answer(NodeId, bool),
    Request(NodeId),
    Confirm(NodeId),
    Pass(u64),
    Maintenance(bool),
    Quorum(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let node = 1..=NODES;
    prop_oneof![
        3 => node.clone().prop_map(Op::Lose),
        2 => node.clone().prop_map(Op::Return),
        1 => node.clone().prop_map(Op::Leave),
        8 => (node.clone(), prop::bool::weighted(0.8)).prop_map(|(node, works)| Op::Answer(node, works)),
        1 => node.clone().prop_map(Op::Request),
        1 => node.prop_map(Op::Confirm),
        6 => prop::sample::select(vec![100, 1000, 2000, 10_000, 30_000, 130_000]).prop_map(Op::Pass),
        1 => any::<bool>().prop_map(Op::Maintenance),
        1 => prop::bool::weighted(0.7).prop_map(Op::Quorum),
    ]
}

/// What is true, as against what the machines believe.
struct World {
    group: Group,
    quorate: bool,
    powered: BTreeMap<NodeId, bool>,
    /// Nodes that are harmless for a reason that holds.
    proven: BTreeMap<NodeId, &'static str>,
    /// Since when a node is away and this side has quorum.
    away: BTreeMap<NodeId, Time>,
    requested: BTreeMap<NodeId, bool>,
    /// Fencings that nobody asked for: when their first call was made.
    begun: BTreeMap<(NodeId, u64), Time>,
}

impl World {
    fn new() -> Self {
        let mut settings = settings(&[Level::Proxmox, Level::Watchdog, Level::Webhook]);
        settings.safety.max_fences_per_5min = 2;
        let mut group = Group::new(NODES, &settings);
        group.tell(&watchdog(WATCHED, Some(WATCHDOG_MS)));
        Self {
            group,
            quorate: true,
            powered: (1..=NODES).map(|node| (node, true)).collect(),
            proven: BTreeMap::new(),
            away: BTreeMap::new(),
            requested: BTreeMap::new(),
            begun: BTreeMap::new(),
        }
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.group.members.contains(&node)
    }

    fn note_away(&mut self) {
        for node in 1..=NODES {
            if self.is_member(node) || !self.quorate {
                self.away.remove(&node);
            } else {
                self.away.entry(node).or_insert(self.group.now);
            }
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Lose(node) if self.is_member(node) && self.group.members.len() > 1 => self.group.lose(node),
            Op::Leave(node) if self.is_member(node) && self.group.members.len() > 1 => {
                if self.quorate {
                    self.proven.insert(node, "left");
                }
                self.group.leave(node);
            }
            Op::Return(node) if !self.is_member(node) => {
                self.powered.insert(node, true);
                self.proven.remove(&node);
                self.requested.remove(&node);
                self.group.come_back(node);
            }
            Op::Answer(node, works) => self.answer(node, works),
            Op::Request(node) => {
                self.requested.insert(node, true);
                self.group.request(node);
            }
            Op::Confirm(node) if !self.is_member(node) => {
                self.proven.insert(node, "confirmed");
                self.group.tell(&FencingCommand::Confirm { node, by: "root".into(), why: None, at: 0 });
            }
            Op::Pass(millis) => self.group.pass(Duration::from_millis(millis)),
            Op::Maintenance(on) => self.group.maintenance(on),
            Op::Quorum(quorate) => {
                self.quorate = quorate;
                self.group.set_quorum(quorate);
            }
            Op::Lose(_) | Op::Leave(_) | Op::Return(_) | Op::Confirm(_) => {}
        }
        self.note_away();
    }

    fn answer(&mut self, node: NodeId, works: bool) {
        let Some(call) = self.group.pending().iter().rev().find(|pending| pending.node == node).cloned()
        else {
            return;
        };
        let outcome = match (works, call.call) {
            (false, _) => Err(problem(ErrorCode::FenceUnreachable)),
            (true, Call::Off) => {
                self.powered.insert(node, false);
                Ok(Power::Unknown)
            }
            (true, Call::On) => Ok(Power::On),
            (true, Call::Status) if self.powered[&node] => Ok(Power::On),
            (true, Call::Status) => {
                if !self.is_member(node) {
                    self.proven.insert(node, "seen off");
                }
                Ok(Power::Off)
            }
        };
        self.group.answer(node, outcome);
    }

    fn check(&mut self) {
        let now = self.group.now;
        let margin = Safety::default().watchdog_margin_ms;
        for node in 1..=NODES {
            let reset =
                |at: &Time| node == WATCHED && now.since(*at) >= Duration::from_millis(WATCHDOG_MS + margin);
            if self.away.get(&node).is_some_and(reset) {
                self.proven.insert(node, "watchdog");
            }
            for member in self.group.members.clone() {
                if self.group.machine(member).is_harmless(node) {
                    assert!(self.quorate, "{node} without quorum");
                    assert!(!self.is_member(node), "{node} is a member");
                    assert!(self.proven.contains_key(&node), "{node} is called harmless and is not");
                }
            }
        }
        self.check_calls();
    }

    fn check_calls(&mut self) {
        let now = self.group.now;
        for call in self.group.pending().iter().filter(|call| call.call == Call::Off) {
            if let Some((episode, false)) = call.episode {
                self.begun.entry((call.node, episode)).or_insert(call.at);
            }
        }
        let within = self.begun.values().filter(|at| now.since(**at) < STORM_WINDOW).count();
        assert!(within <= 2, "a storm: {:?}", self.begun);
    }

    /// Everything works and an operator helps nobody: what is away becomes harmless.
    fn settle(&mut self) {
        self.apply(&Op::Quorum(true));
        self.apply(&Op::Maintenance(false));
        for _ in 0..400 {
            for node in 1..=NODES {
                self.apply(&Op::Answer(node, true));
                self.check();
            }
            self.apply(&Op::Pass(10_000));
            self.check();
        }
        for node in (1..=NODES).filter(|node| !self.is_member(*node)) {
            assert!(self.group.harmless(node), "{node} is in {:?}", self.group.phase(node));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(0x5fa),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_promises_hold(ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new();
        for op in &ops {
            let was_member: Vec<NodeId> = world.group.members.iter().copied().collect();
            let calls_before: Vec<RunId> = world.group.pending().iter().map(|call| call.id).collect();
            world.apply(op);
            world.check();
            for call in world.group.pending() {
                let new = !calls_before.contains(&call.id) && call.call == Call::Off;
                let member = was_member.contains(&call.node) && world.is_member(call.node);
                prop_assert!(!new || !member || world.requested.contains_key(&call.node), "{:?} fences a member", op);
            }
        }
        world.settle();
    }
}
