//! The commands by which fencings go on: pure, the same on every member.

use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use super::state::{
    Begun, Cause, Entry, FencingState, Happened, MAX_BEGUN, MAX_HISTORY, Phase, Problem, Proof, Record, Try,
};
use crate::state::NodeId;

/// One change. `at` is in seconds since 1970, and is for people and for counting a storm after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum FencingCommand {
    /// A node is to be fenced.
    Suspect {
        /// The node.
        node: NodeId,
        /// Why.
        cause: Cause,
        /// When.
        at: i64,
    },
    /// A fencing goes on.
    Step {
        /// The node.
        node: NodeId,
        /// Its fencing.
        episode: u64,
        /// Where it gets to.
        to: Phase,
        /// What went wrong before.
        error: Option<Problem>,
        /// When.
        at: i64,
    },
    /// An operator answers for a node being harmless.
    Confirm {
        /// The node.
        node: NodeId,
        /// Who.
        by: String,
        /// What they say about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// When.
        at: i64,
    },
    /// A member goes on with a fencing that another one has begun.
    HandOver {
        /// The node that is fenced.
        node: NodeId,
        /// Its fencing.
        episode: u64,
        /// The member.
        to: NodeId,
        /// When.
        at: i64,
    },
    /// A node is a member again.
    Clear {
        /// The node.
        node: NodeId,
        /// When.
        at: i64,
    },
    /// A node left in order, with nothing left to hold; or it is new and has had nothing yet.
    Excuse {
        /// The node.
        node: NodeId,
    },
    /// A node tells whether its watchdog runs.
    Watchdog {
        /// The node.
        node: NodeId,
        /// After which time without a sign of life it resets the node, in milliseconds; `None`: it does not.
        timeout_ms: Option<u64>,
    },
    /// A node is to be switched on.
    SwitchOn {
        /// The node.
        node: NodeId,
        /// Who wants it.
        by: String,
        /// When.
        at: i64,
    },
    /// That was done, or not.
    SwitchedOn {
        /// The node.
        node: NodeId,
        /// Why not.
        error: Option<Problem>,
        /// When.
        at: i64,
    },
    /// A node is no longer one of the cluster.
    Forget {
        /// The node.
        node: NodeId,
    },
}

impl FencingCommand {
    /// The node that it is about.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        match self {
            Self::Suspect { node, .. }
            | Self::Step { node, .. }
            | Self::Confirm { node, .. }
            | Self::HandOver { node, .. }
            | Self::Clear { node, .. }
            | Self::Excuse { node }
            | Self::Watchdog { node, .. }
            | Self::SwitchOn { node, .. }
            | Self::SwitchedOn { node, .. }
            | Self::Forget { node } => *node,
        }
    }
}

/// The change does not fit what is: the sender knew an older state, or somebody was faster.
fn late() -> Failure {
    Failure::new(ErrorCode::AlreadySo).with("what", "fencing")
}

impl Phase {
    /// Drivers have been called, and it is not over.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self, Self::Fencing(_) | Self::Verifying(_) | Self::Failed { .. })
    }

    /// What is tried.
    const fn tried(&self) -> Option<&Try> {
        match self {
            Self::Fencing(tried) | Self::Verifying(tried) => Some(tried),
            _ => None,
        }
    }

    /// One may follow the other.
    #[must_use]
    pub fn may_become(&self, to: &Self) -> bool {
        match (self, to) {
            (Self::Fenced(_), _) | (_, Self::Fenced(Proof::Confirmed { .. })) => false,
            (_, Self::Fenced(Proof::Watchdog)) => true,
            (Self::Suspected { held }, Self::Suspected { held: new }) => new.is_some() && new != held,
            (Self::Suspected { .. }, Self::Delayed) | (Self::Delayed, Self::Suspected { held: Some(_) }) => {
                true
            }
            (Self::Delayed | Self::Failed { .. }, Self::Fencing(to)) => to.attempt == 1,
            (Self::Fencing(from), Self::Verifying(to)) => from == to,
            (Self::Fencing(from) | Self::Verifying(from), Self::Fenced(Proof::Answer(level)))
            | (Self::Verifying(from), Self::Fenced(Proof::Off(level))) => from.level == *level,
            (Self::Fencing(from) | Self::Verifying(from), Self::Fencing(to)) => to.follows(from),
            (Self::Fencing(_) | Self::Verifying(_), Self::Failed { .. }) => true,
            _ => false,
        }
    }
}

impl Try {
    fn follows(&self, from: &Self) -> bool {
        if self.index == from.index {
            self.level == from.level && self.attempt == from.attempt + 1
        } else {
            self.index > from.index && self.attempt == 1
        }
    }
}

impl Entry {
    fn of(self, tried: Option<&Try>) -> Self {
        Self {
            level: tried.map(|tried| tried.level.clone()),
            attempt: tried.map(|tried| tried.attempt),
            ..self
        }
    }
}

impl FencingState {
    /// Applies one change, or refuses it and changes nothing. Pure: the same on every member.
    ///
    /// # Errors
    /// `already-so` when the change does not fit (any more), `not-found` for an unknown fencing.
    pub fn apply(&mut self, command: &FencingCommand) -> Result<(), Failure> {
        match command {
            FencingCommand::Suspect { node, cause, at } => self.suspect(*node, cause, *at),
            FencingCommand::Step { node, episode, to, error, at } => {
                self.step(*node, *episode, to, error.as_ref(), *at)
            }
            FencingCommand::Confirm { node, by, why, at } => self.confirm(*node, by, why.as_deref(), *at),
            FencingCommand::HandOver { node, episode, to, at } => {
                let same = |record: &&Record| record.episode == *episode && record.phase.is_under_way();
                let record = self.records.get(node).filter(same).ok_or_else(late)?;
                let tried = record.phase.tried().cloned();
                let entry = self.entry(*node, Happened::HandedOver, *at);
                self.remember(Entry { actor: Some(*to), ..entry.of(tried.as_ref()) });
                Ok(())
            }
            FencingCommand::Clear { node, at } => self.clear(*node, *at),
            FencingCommand::Excuse { node } => {
                // Whoever is about to be fenced has not left in order.
                if self.records.contains_key(node) || !self.excused.insert(*node) {
                    return Err(late());
                }
                Ok(())
            }
            FencingCommand::Watchdog { node, timeout_ms } => {
                let before = match timeout_ms {
                    Some(timeout) => self.watchdogs.insert(*node, *timeout),
                    None => self.watchdogs.remove(node),
                };
                if before == *timeout_ms { Err(late()) } else { Ok(()) }
            }
            FencingCommand::SwitchOn { node, by, at } => {
                if self.switching_on.contains_key(node) {
                    return Err(late());
                }
                self.switching_on.insert(*node, by.clone());
                let entry = self.entry(*node, Happened::SwitchOn, *at);
                self.remember(Entry { by: Some(by.clone()), ..entry });
                Ok(())
            }
            FencingCommand::SwitchedOn { node, error, at } => {
                if self.switching_on.remove(node).is_none() {
                    return Err(late());
                }
                let what = if error.is_none() { Happened::SwitchedOn } else { Happened::SwitchOnFailed };
                let entry = self.entry(*node, what, *at);
                self.remember(Entry { error: error.clone(), ..entry });
                Ok(())
            }
            FencingCommand::Forget { node } => {
                self.records.remove(node);
                self.excused.remove(node);
                self.watchdogs.remove(node);
                self.switching_on.remove(node);
                Ok(())
            }
        }
    }

    fn suspect(&mut self, node: NodeId, cause: &Cause, at: i64) -> Result<(), Failure> {
        let busy = match self.records.get(&node).map(|record| (&record.phase, &record.cause)) {
            Some((Phase::Fencing(_) | Phase::Verifying(_), _)) => true,
            // One that was harmless, came back and went again.
            Some((Phase::Fenced(_), _)) | None => false,
            Some((_, known)) => !cause.is_requested() || known.is_requested(),
        };
        if busy || (!cause.is_requested() && self.excused.contains(&node)) {
            return Err(late());
        }
        self.excused.remove(&node);
        self.open(node, cause.clone(), Phase::Suspected { held: None });
        let by = if let Cause::Requested { by } = cause { Some(by.clone()) } else { None };
        let entry = self.entry(node, Happened::Suspected, at);
        self.remember(Entry { cause: Some(cause.clone()), by, ..entry });
        Ok(())
    }

    fn open(&mut self, node: NodeId, cause: Cause, phase: Phase) {
        self.episodes += 1;
        let record = Record { episode: self.episodes, cause, phase, error: None, rounds: 0 };
        self.records.insert(node, record);
    }

    fn step(
        &mut self,
        node: NodeId,
        episode: u64,
        to: &Phase,
        error: Option<&Problem>,
        at: i64,
    ) -> Result<(), Failure> {
        let Some(record) = self.records.get_mut(&node) else {
            return Err(Failure::new(ErrorCode::NotFound)
                .with("kind", "node")
                .with("name", node.to_string()));
        };
        if record.episode != episode || !record.phase.may_become(to) {
            return Err(late());
        }
        let from = std::mem::replace(&mut record.phase, to.clone());
        if error.is_some() {
            record.error = error.cloned();
        }
        if let Phase::Failed { round } = to {
            record.rounds = *round;
        }
        if matches!((&from, to), (Phase::Delayed, Phase::Fencing(_))) {
            self.begun.push_back(Begun { node, at });
            while self.begun.len() > MAX_BEGUN {
                self.begun.pop_front();
            }
        }
        self.remember_step(node, &from, to, error, at);
        Ok(())
    }

    fn remember_step(&mut self, node: NodeId, from: &Phase, to: &Phase, error: Option<&Problem>, at: i64) {
        let again = self.records.get(&node).is_some_and(|record| record.rounds > 0);
        let what = match to {
            Phase::Suspected { .. } => Happened::Held,
            Phase::Delayed | Phase::Verifying(_) => return,
            Phase::Fencing(_) if matches!(from, Phase::Delayed) => Happened::Begun,
            Phase::Fencing(_) if error.is_some() && !again => Happened::TryFailed,
            // Every round would push the rest out.
            Phase::Fencing(_) => return,
            Phase::Failed { .. } => Happened::Failed,
            Phase::Fenced(_) => Happened::Fenced,
        };
        // What failed is the one before.
        let tried = from.tried().or(to.tried());
        let entry = self.entry(node, what, at).of(tried);
        self.remember(Entry {
            held: if let Phase::Suspected { held } = to { *held } else { None },
            proof: if let Phase::Fenced(proof) = to { Some(proof.clone()) } else { None },
            error: error.cloned(),
            ..entry
        });
    }

    fn confirm(&mut self, node: NodeId, by: &str, why: Option<&str>, at: i64) -> Result<(), Failure> {
        let proof = Proof::Confirmed { by: by.to_owned() };
        match self.records.get_mut(&node) {
            Some(record) if matches!(record.phase, Phase::Fenced(_)) => return Err(late()),
            Some(record) => record.phase = Phase::Fenced(proof.clone()),
            None if self.excused.contains(&node) => return Err(late()),
            None => self.open(node, Cause::Requested { by: by.to_owned() }, Phase::Fenced(proof.clone())),
        }
        let entry = self.entry(node, Happened::Fenced, at);
        let why = why.map(str::to_owned);
        self.remember(Entry { by: Some(by.to_owned()), why, proof: Some(proof), ..entry });
        Ok(())
    }

    fn clear(&mut self, node: NodeId, at: i64) -> Result<(), Failure> {
        let entry = self.entry(node, Happened::Returned, at);
        let excused = self.excused.remove(&node);
        let record = self.records.remove(&node).is_some();
        if record {
            self.remember(entry);
        }
        if record || excused { Ok(()) } else { Err(late()) }
    }

    fn entry(&self, node: NodeId, what: Happened, at: i64) -> Entry {
        Entry {
            at,
            node,
            episode: self.records.get(&node).map_or(0, |record| record.episode),
            what,
            cause: None,
            by: None,
            why: None,
            actor: None,
            level: None,
            attempt: None,
            held: None,
            proof: None,
            error: None,
        }
    }

    fn remember(&mut self, entry: Entry) {
        // That it failed once more tells nothing new; when it last did, does.
        let same =
            |last: &Entry| entry.what == Happened::Failed && Entry { at: entry.at, ..last.clone() } == entry;
        if let Some(last) = self.history.back_mut().filter(|last| same(last)) {
            last.at = entry.at;
            return;
        }
        self.told += 1;
        self.history.push_back(entry);
        while self.history.len() > MAX_HISTORY {
            self.history.pop_front();
        }
    }
}
