//! Fencing: a node that cannot be trusted is made harmless before anything of it moves.
//!
//! Every member runs a [`Fencing`]. What they know in common is [`FencingState`]; it changes only by commands
//! that the group orders. One member acts: the leader of the side that has quorum (the next one, where the
//! leader itself is to be fenced). It proposes each step, takes it once it is applied, and calls the driver
//! only then; whoever becomes leader in the middle finds the phase in the state and goes on from there.
//!
//! What must never happen:
//!
//! * a node is called harmless that was not seen off, whose driver's word was not declared to be enough, for
//!   which no operator answers and whose watchdog may still let it live ([`Fencing::is_harmless`]);
//! * a node that is a member is fenced, unless an operator wants it or something on it does not stop;
//! * more fencings begin in five minutes than allowed: a flapping network must not take the cluster down.
//!
//! Two nodes keep quorum on both sides of a cut (`two_node`). Then the side that holds less waits longer, so
//! that only one of them shoots, and a watchdog proves nothing: it is fed as long as there is quorum.

pub mod command;
mod progress;
pub mod settings;
pub mod state;
mod status;
pub mod summary;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use crate::state::NodeId;
use crate::time::Time;

pub use command::FencingCommand;
pub use settings::{FencingSettings, Level};
pub use state::{Cause, FencingState, Held, Phase, Problem, Proof, Record, Try};
pub use status::{FencingStatus, NodeFencing, Plan};

use progress::Run;

/// The time in which begins are counted.
pub const STORM_WINDOW: Duration = Duration::from_secs(300);

/// Time after a call's own deadline at which it is given up without an answer.
const CALL_GRACE: Duration = Duration::from_secs(5);

/// Names one call of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// What a driver is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Make sure that the node is off; done already is done.
    Off,
    /// Make sure that it is on.
    On,
    /// Say which it is.
    Status,
}

/// What a driver found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    On,
    /// It does not run.
    Off,
    /// The driver cannot tell.
    Unknown,
}

/// What came of a call.
pub type Outcome = Result<Power, Problem>;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FencingEvent {
    /// What o'clock it is, in seconds since 1970: for the history only.
    Clock {
        /// Seconds since 1970.
        wall: i64,
    },
    /// The nodes of the cluster and their names.
    Nodes {
        /// Them.
        nodes: BTreeMap<NodeId, String>,
    },
    /// Who is here, as all members of the group see it.
    View {
        /// Nodes whose daemon is in the group, this one included.
        members: BTreeSet<NodeId>,
        /// This side has quorum.
        quorate: bool,
        /// The leader.
        leader: Option<NodeId>,
        /// Corosync's `two_node`: the other side keeps quorum, too.
        two_node: bool,
        /// How many resources each node had when they last agreed, lost nodes included.
        holding: BTreeMap<NodeId, u32>,
    },
    /// A node left in order, with nothing left to hold; comes before the view without it.
    Left {
        /// It.
        node: NodeId,
    },
    /// Members on which something does not stop, and what.
    Stuck {
        /// Them.
        nodes: BTreeMap<NodeId, String>,
    },
    /// Maintenance: hands off, except for what an operator asks for.
    Maintenance {
        /// It is on.
        on: bool,
    },
    /// The group delivered a command of this kind.
    Applied {
        /// It.
        command: FencingCommand,
    },
    /// A command that this node proposed will not be delivered.
    Refused {
        /// It.
        command: FencingCommand,
    },
    /// What the group knows, for a member that was away.
    Snapshot {
        /// It.
        state: Box<FencingState>,
    },
    /// A call ended.
    Finished {
        /// Which.
        id: RunId,
        /// How.
        outcome: Outcome,
    },
    /// A deadline passed.
    Tick,
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FencingAction {
    /// Have the group order this command; answered by `Applied` or `Refused`.
    Propose(FencingCommand),
    /// Call a driver; answered by `Finished`.
    Run {
        /// Names it.
        id: RunId,
        /// The node.
        node: NodeId,
        /// Its name.
        name: String,
        /// Which driver.
        level: Level,
        /// What is to be done.
        call: Call,
        /// Time for it, in milliseconds.
        deadline_ms: u64,
    },
}

/// One node's view of all fencings.
#[derive(Debug, Clone)]
pub struct Fencing {
    me: NodeId,
    settings: FencingSettings,
    state: FencingState,
    nodes: BTreeMap<NodeId, String>,
    members: BTreeSet<NodeId>,
    quorate: bool,
    leader: Option<NodeId>,
    two_node: bool,
    holding: BTreeMap<NodeId, u32>,
    maintenance: bool,
    stuck: BTreeMap<NodeId, String>,
    /// A time of day, and when it was told.
    clock: Option<(Time, i64)>,

    /// Since when this side has had quorum without a break and without that node: from then on the node cannot
    /// have it (`two_node` apart).
    lost_at: BTreeMap<NodeId, Time>,
    /// Nodes that were members of a view of this node since its start.
    seen: BTreeSet<NodeId>,
    /// Left in order, and the group has not been told.
    left: BTreeSet<NodeId>,
    /// Fencings of nodes that were members after it: they prove nothing any more.
    outdated: BTreeMap<NodeId, u64>,
    /// Nodes that were members after they left in order: that proves nothing any more either.
    outdated_excuses: BTreeSet<NodeId>,
    /// When the phase that a node is in was entered, as this member saw it.
    entered: BTreeMap<NodeId, Time>,
    /// Begins within [`STORM_WINDOW`].
    begun: Vec<(NodeId, Time)>,
    /// Own proposals that have not come back; one a node.
    proposed: BTreeMap<NodeId, FencingCommand>,
    /// Calls under way; one a node.
    runs: BTreeMap<NodeId, Run>,
    /// Who acted on a fencing that is under way, as far as this member saw it.
    acting: BTreeMap<NodeId, NodeId>,
    /// When a node's status was asked for last, while it is to be verified.
    asked: BTreeMap<NodeId, Time>,
    /// What went wrong with that question.
    doubts: BTreeMap<NodeId, Problem>,

    next_run: u64,
    actions: VecDeque<FencingAction>,
    wake: Option<(Time, &'static str)>,
}

impl Fencing {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(me: NodeId, settings: FencingSettings) -> Self {
        Self {
            me,
            settings,
            state: FencingState::default(),
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            quorate: false,
            leader: None,
            two_node: false,
            holding: BTreeMap::new(),
            maintenance: false,
            stuck: BTreeMap::new(),
            clock: None,
            lost_at: BTreeMap::new(),
            seen: BTreeSet::new(),
            left: BTreeSet::new(),
            outdated: BTreeMap::new(),
            outdated_excuses: BTreeSet::new(),
            entered: BTreeMap::new(),
            begun: Vec::new(),
            proposed: BTreeMap::new(),
            runs: BTreeMap::new(),
            acting: BTreeMap::new(),
            asked: BTreeMap::new(),
            doubts: BTreeMap::new(),
            next_run: 0,
            actions: VecDeque::new(),
            wake: None,
        }
    }

    /// Other settings; what is under way goes on by them.
    pub fn configure(&mut self, settings: FencingSettings, now: Time) {
        self.settings = settings;
        self.settle(now);
    }

    /// What all members know.
    #[must_use]
    pub fn state(&self) -> &FencingState {
        &self.state
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: FencingEvent, now: Time) {
        match event {
            FencingEvent::Clock { wall } => self.clock = Some((now, wall)),
            FencingEvent::Nodes { nodes } => self.nodes = nodes,
            FencingEvent::View { members, quorate, leader, two_node, holding } => {
                self.leader = leader;
                self.two_node = two_node;
                self.holding = holding;
                self.view(members, quorate, now);
            }
            // Without quorum it may go on to others, who have it.
            FencingEvent::Left { node } if self.quorate => {
                self.left.insert(node);
            }
            FencingEvent::Left { .. } => {}
            FencingEvent::Stuck { nodes } => self.stuck = nodes,
            FencingEvent::Maintenance { on } => self.maintenance = on,
            FencingEvent::Applied { command } => self.applied(&command, now),
            FencingEvent::Refused { command } => self.answered(&command),
            FencingEvent::Snapshot { state } => self.restore(*state, now),
            FencingEvent::Finished { id, outcome } => self.finished(id, outcome, now),
            FencingEvent::Tick => {}
        }
        self.settle(now);
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<FencingAction> {
        self.actions.pop_front()
    }

    /// When to be called with [`FencingEvent::Tick`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.wake
    }

    /// Whether what a lost node had may be taken: it was made harmless, or it left in order. Never while this
    /// side has no quorum, since what it knows may be old; never for a member, which is asked to let go.
    #[must_use]
    pub fn is_harmless(&self, node: NodeId) -> bool {
        if !self.quorate || self.members.contains(&node) {
            return false;
        }
        match self.state.records.get(&node) {
            Some(record) => {
                matches!(record.phase, Phase::Fenced(_)) && !self.is_outdated(node, record.episode)
            }
            None => self.is_excused(node),
        }
    }

    fn is_excused(&self, node: NodeId) -> bool {
        self.state.excused.contains(&node) && !self.outdated_excuses.contains(&node)
    }

    /// Whether a member may propose this for an operator, with what this node knows.
    ///
    /// # Errors
    /// `not-found`, `already-so`, `node-online` (confirming or switching on what is a member), `no-candidate`
    /// (nobody else could fence it), `fence-target` (no driver knows it), `no-quorum`.
    pub fn may_propose(&self, command: &FencingCommand) -> Result<(), Failure> {
        let node = command.node();
        let Some(name) = self.nodes.get(&node) else {
            return Err(Failure::new(ErrorCode::NotFound)
                .with("kind", "node")
                .with("name", node.to_string()));
        };
        if !self.quorate {
            return Err(ErrorCode::NoQuorum.into());
        }
        let online = self.members.contains(&node);
        match command {
            FencingCommand::Confirm { .. } | FencingCommand::SwitchOn { .. } if online => {
                return Err(Failure::new(ErrorCode::NodeOnline).with("name", name.clone()));
            }
            FencingCommand::Suspect { .. } | FencingCommand::SwitchOn { .. } => {
                if self.actor(node).is_none() {
                    return Err(Failure::new(ErrorCode::NoCandidate).with("name", name.clone()));
                }
                if self.drivers(node).next().is_none() {
                    return Err(no_driver(name));
                }
            }
            _ => {}
        }
        self.state.clone().apply(command)
    }

    fn is_outdated(&self, node: NodeId, episode: u64) -> bool {
        self.outdated.get(&node).is_some_and(|known| episode <= *known)
    }

    fn view(&mut self, members: BTreeSet<NodeId>, quorate: bool, now: Time) {
        if !quorate {
            // Others may have quorum meanwhile: what was counted says nothing any more.
            self.lost_at.clear();
            self.left.clear();
            self.proposed.clear();
            self.runs.clear();
            self.actions.clear();
        }
        // Whoever comes back is another one than the one that was to be fenced: what is still under way, in the
        // group or at a driver, says nothing about it.
        for node in &members {
            let joined = !self.members.is_empty() && !self.members.contains(node);
            if let Some(record) = self.state.records.get(node)
                && (joined || matches!(record.phase, Phase::Fenced(_)))
            {
                self.outdated.insert(*node, record.episode);
            }
        }
        self.outdated_excuses.extend(self.state.excused.intersection(&members));
        self.seen.extend(&members);
        if quorate {
            self.lost_at.retain(|node, _| !members.contains(node));
            self.left.retain(|node| !members.contains(node) || self.members.contains(node));
        }
        self.members = members;
        self.quorate = quorate;
        self.note_lost(now);
    }

    /// From the first moment with quorum and without them.
    fn note_lost(&mut self, now: Time) {
        if self.quorate {
            for node in self.nodes.keys().filter(|node| !self.members.contains(node)) {
                self.lost_at.entry(*node).or_insert(now);
            }
        }
    }

    fn answered(&mut self, command: &FencingCommand) {
        if self.proposed.get(&command.node()) == Some(command) {
            self.proposed.remove(&command.node());
        }
    }

    fn applied(&mut self, command: &FencingCommand, now: Time) {
        self.answered(command);
        let node = command.node();
        let before = self.state.records.get(&node).map(|record| (record.episode, record.phase.clone()));
        if self.state.apply(command).is_err() {
            return;
        }
        if matches!(command, FencingCommand::Excuse { .. } | FencingCommand::Forget { .. }) {
            self.left.remove(&node);
        }
        let excuse = matches!(command, FencingCommand::Excuse { .. });
        if excuse && self.members.contains(&node) {
            self.outdated_excuses.insert(node);
        } else if excuse || !self.state.excused.contains(&node) {
            self.outdated_excuses.remove(&node);
        }
        if let FencingCommand::HandOver { to, .. } = command {
            self.acting.insert(node, *to);
        }
        let after = self.state.records.get(&node).map(|record| (record.episode, record.phase.clone()));
        if before != after {
            self.entered.insert(node, now);
            self.asked.remove(&node);
            // What is called for a phase is of no use in the next one.
            self.runs.retain(|of, run| *of != node || run.call == Call::On);
            self.doubts.remove(&node);
        }
        match after {
            Some((_, Phase::Fencing(_))) if matches!(before, Some((_, Phase::Delayed))) => {
                self.begun.push((node, now));
            }
            Some((episode, Phase::Fenced(_))) if self.members.contains(&node) => {
                self.outdated.insert(node, episode);
            }
            _ => {}
        }
    }

    /// What was begun not long ago by the clock on the wall counts as begun now: clocks differ, and a storm is
    /// worse than a wait.
    fn restore(&mut self, state: FencingState, now: Time) {
        let wall = self.wall(now);
        let recent = |at: i64| {
            wall == 0 || wall.saturating_sub(at) < i64::try_from(STORM_WINDOW.as_secs()).unwrap_or(i64::MAX)
        };
        self.begun =
            state.begun.iter().filter(|begun| recent(begun.at)).map(|begun| (begun.node, now)).collect();
        self.entered = state.records.keys().map(|node| (*node, now)).collect();
        // It knows what this node missed; only who is here at this moment was not there before.
        let here = |node: &NodeId| self.members.contains(node);
        let fenced = |record: &Record| matches!(record.phase, Phase::Fenced(_));
        let records = state.records.iter().filter(|(node, record)| here(node) && fenced(record));
        self.outdated = records.map(|(node, record)| (*node, record.episode)).collect();
        self.outdated_excuses = state.excused.iter().copied().filter(|node| here(node)).collect();
        self.state = state;
        self.proposed.clear();
        self.runs.clear();
        self.acting.clear();
        self.asked.clear();
        self.doubts.clear();
    }

    fn wall(&self, now: Time) -> i64 {
        self.clock.map_or(0, |(told, wall)| wall + i64::try_from(now.since(told).as_secs()).unwrap_or(0))
    }

    /// Whoever fences that node: the leader; where that is the node itself, the lowest of the others.
    fn actor(&self, node: NodeId) -> Option<NodeId> {
        match self.leader {
            Some(leader) if leader != node => Some(leader),
            Some(_) => self.members.iter().copied().find(|member| *member != node),
            None => None,
        }
    }

    fn levels(&self, node: NodeId) -> &[Level] {
        self.nodes.get(&node).map_or(&[], |name| self.settings.levels_of(name))
    }

    /// The levels that have a driver, with their index.
    fn drivers(&self, node: NodeId) -> impl Iterator<Item = (usize, &Level)> {
        self.levels(node).iter().enumerate().filter(|(_, level)| **level != Level::Watchdog)
    }

    /// When the node's watchdog must have reset it, had it not let go by itself.
    fn watchdog_over_at(&self, node: NodeId) -> Option<Time> {
        if self.two_node || !self.levels(node).contains(&Level::Watchdog) {
            return None;
        }
        let timeout = *self.state.watchdogs.get(&node)?;
        let wait = timeout.saturating_add(self.settings.safety.watchdog_margin_ms);
        Some(*self.lost_at.get(&node)? + Duration::from_millis(wait))
    }
}

/// Nothing is set up that could switch that node.
fn no_driver(name: &str) -> Failure {
    Failure::new(ErrorCode::FenceTarget)
        .with("driver", "stonith")
        .with("name", name)
        .with("value", "stonith.nodes")
}

#[cfg(test)]
mod tests;
