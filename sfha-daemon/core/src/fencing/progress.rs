//! What the acting member does next.

use std::time::Duration;

use sfha_proto::ErrorCode;

use super::command::FencingCommand;
use super::settings::Level;
use super::state::{Cause, Happened, Held, Phase, Problem, Proof, Record, Try};
use super::{CALL_GRACE, Call, Fencing, FencingAction, Outcome, Power, RunId, STORM_WINDOW, no_driver};
use crate::state::NodeId;
use crate::time::Time;

/// A call of a driver that is under way.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) call: Call,
    /// When it is given up.
    until: Time,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Fencing {
    pub(super) fn settle(&mut self, now: Time) {
        self.wake = None;
        self.note_lost(now);
        self.begun.retain(|(_, at)| now.since(*at) < STORM_WINDOW);
        if !self.quorate {
            return;
        }
        if !self.settings.enabled {
            self.clear_excuses(now);
            return;
        }
        self.note_acting();
        self.give_up_calls(now);
        let nodes: Vec<NodeId> = self.nodes.keys().copied().filter(|node| *node != self.me).collect();
        for node in nodes {
            if !self.proposed.contains_key(&node) {
                self.look_at(node, now);
            }
        }
        let overdue = self.runs.values().map(|run| run.until).min();
        self.wake_at(overdue, "a driver's call is overdue");
    }

    /// Who is here may have something from now on, whether fencing is on now or later.
    fn clear_excuses(&mut self, now: Time) {
        let here: Vec<NodeId> = self.state.excused.intersection(&self.members).copied().collect();
        for node in here {
            if self.acts_on(node) && !self.proposed.contains_key(&node) {
                self.propose(FencingCommand::Clear { node, at: self.wall(now) });
            }
        }
    }

    /// Whoever is seen acting first on what is under way has begun it.
    fn note_acting(&mut self) {
        let under_way =
            |node: &NodeId| self.state.records.get(node).is_some_and(|record| record.phase.is_under_way());
        let open: Vec<NodeId> = self.state.records.keys().copied().filter(under_way).collect();
        self.acting.retain(|node, _| open.contains(node));
        for node in open {
            if let Some(actor) = self.actor(node) {
                self.acting.entry(node).or_insert(actor);
            }
        }
    }

    fn wake_at(&mut self, at: Option<Time>, why: &'static str) {
        if let Some(at) = at
            && self.wake.is_none_or(|(earlier, _)| at < earlier)
        {
            self.wake = Some((at, why));
        }
    }

    fn acts_on(&self, node: NodeId) -> bool {
        self.actor(node) == Some(self.me)
    }

    fn propose(&mut self, command: FencingCommand) {
        self.proposed.insert(command.node(), command.clone());
        self.actions.push_back(FencingAction::Propose(command));
    }

    fn look_at(&mut self, node: NodeId, now: Time) {
        let acts = self.acts_on(node);
        if acts && self.state.switching_on.contains_key(&node) {
            self.switch_on(node, now);
        }
        let Some(record) = self.state.records.get(&node).cloned() else {
            self.look_at_unsuspected(node, acts, now);
            return;
        };
        let fenced = matches!(record.phase, Phase::Fenced(_));
        if self.members.contains(&node) {
            let wanted = match &record.cause {
                Cause::StopFailed { .. } => self.stuck.contains_key(&node),
                cause => cause.is_requested(),
            };
            if fenced || !wanted || self.is_outdated(node, record.episode) {
                if acts {
                    self.propose(FencingCommand::Clear { node, at: self.wall(now) });
                }
                return;
            }
        } else if fenced {
            if self.is_outdated(node, record.episode) {
                // Every member that knows it says so: a leader that came later cannot know.
                self.suspect(node, Cause::Lost, now);
            } else if acts && self.is_to_be_switched_on(&record) {
                let by = "automatic".to_owned();
                self.propose(FencingCommand::SwitchOn { node, by, at: self.wall(now) });
            }
            return;
        }
        if !acts {
            return;
        }
        if self.acting.get(&node).is_some_and(|actor| *actor != self.me) {
            let (episode, to) = (record.episode, self.me);
            self.propose(FencingCommand::HandOver { node, episode, to, at: self.wall(now) });
            return;
        }
        self.go_on(node, &record, now);
    }

    fn look_at_unsuspected(&mut self, node: NodeId, acts: bool, now: Time) {
        let excused = self.state.excused.contains(&node);
        if excused && (self.members.contains(&node) || !self.is_excused(node)) {
            // Every member that knows it says so: a leader that came later cannot know.
            if acts || !self.is_excused(node) {
                self.propose(FencingCommand::Clear { node, at: self.wall(now) });
            }
            return;
        }
        if self.members.contains(&node) {
            if let (true, Some(resource)) = (acts, self.stuck.get(&node).cloned()) {
                self.suspect(node, Cause::StopFailed { resource }, now);
            }
            return;
        }
        if excused {
            return;
        }
        if self.left.contains(&node) {
            // All saw it go in order, and whoever acts may go in the next moment.
            self.propose(FencingCommand::Excuse { node });
        } else if acts && self.seen.contains(&node) {
            self.suspect(node, Cause::Lost, now);
        } else if acts && let Some(since) = self.lost_at.get(&node) {
            let over = *since + ms(self.settings.safety.startup_grace_ms);
            if now >= over {
                self.suspect(node, Cause::Unseen, now);
            } else {
                self.wake_at(Some(over), "a node has not appeared since the start");
            }
        }
    }

    fn suspect(&mut self, node: NodeId, cause: Cause, now: Time) {
        self.propose(FencingCommand::Suspect { node, cause, at: self.wall(now) });
    }

    fn step(&mut self, node: NodeId, record: &Record, to: Phase, error: Option<Problem>, now: Time) {
        let at = self.wall(now);
        self.propose(FencingCommand::Step { node, episode: record.episode, to, error, at });
    }

    fn go_on(&mut self, node: NodeId, record: &Record, now: Time) {
        if let Some(over) = self.watchdog_over_at(node) {
            if now >= over && !self.members.contains(&node) {
                self.step(node, record, Phase::Fenced(Proof::Watchdog), None, now);
                return;
            }
            self.wake_at(Some(over), "a node's watchdog must have reset it");
        }
        let entered = self.entered.get(&node).copied().unwrap_or(now);
        match &record.phase {
            Phase::Suspected { held } => match self.held(node, &record.cause, now) {
                None => self.step(node, record, Phase::Delayed, None, now),
                why if why != *held => {
                    self.step(node, record, Phase::Suspected { held: why }, None, now);
                }
                why => self.wake_at(self.held_until(node, why), "a fencing is held back"),
            },
            Phase::Delayed => {
                let over = entered + self.delay(node, &record.cause);
                if now < over {
                    self.wake_at(Some(over), "a fencing is delayed");
                } else if let Some(held) = self.held(node, &record.cause, now) {
                    self.step(node, record, Phase::Suspected { held: Some(held) }, None, now);
                } else {
                    self.first_try(node, record, now);
                }
            }
            Phase::Fencing(tried) => {
                let pause = if tried.attempt > 1 { self.settings.safety.retry_ms } else { 0 };
                let at = entered + ms(pause);
                if now < at {
                    self.wake_at(Some(at), "a fencing is tried again");
                } else if !self.runs.contains_key(&node) {
                    self.call(node, tried.level.clone(), Call::Off, now);
                }
            }
            Phase::Verifying(tried) => self.verify(node, record, tried, entered, now),
            Phase::Failed { round } => {
                let over = entered + self.settings.safety.backoff(*round);
                if now >= over {
                    self.first_try(node, record, now);
                } else {
                    self.wake_at(Some(over), "all levels are tried again");
                }
            }
            Phase::Fenced(_) => {}
        }
    }

    fn first_try(&mut self, node: NodeId, record: &Record, now: Time) {
        let first = self.drivers(node).next().map(|(index, level)| (index, level.clone()));
        if let Some((index, level)) = first {
            let first = Try { index, level, attempt: 1 };
            self.step(node, record, Phase::Fencing(first), None, now);
        }
    }

    fn verify(&mut self, node: NodeId, record: &Record, tried: &Try, entered: Time, now: Time) {
        if self.runs.contains_key(&node) {
            return;
        }
        if self.settings.answer_is_proof(&tried.level) && !self.members.contains(&node) {
            self.step(node, record, Phase::Fenced(Proof::Answer(tried.level.clone())), None, now);
            return;
        }
        let over = entered + ms(self.settings.safety.verify_ms);
        if now >= over {
            let unconfirmed = || Problem {
                code: ErrorCode::FenceUnconfirmed,
                details: [("name".to_owned(), self.nodes.get(&node).cloned().unwrap_or_default())].into(),
            };
            let problem = self.doubts.get(&node).cloned().unwrap_or_else(unconfirmed);
            self.try_failed(node, record, tried, problem, now);
            return;
        }
        let next = self.asked.get(&node).map(|asked| *asked + ms(self.settings.safety.verify_every_ms));
        match next {
            Some(next) if now < next => self.wake_at(Some(next.min(over)), "a node's status is asked for"),
            _ => {
                self.asked.insert(node, now);
                self.call(node, tried.level.clone(), Call::Status, now);
            }
        }
    }

    fn try_failed(&mut self, node: NodeId, record: &Record, tried: &Try, problem: Problem, now: Time) {
        let again = tried.attempt < self.settings.safety.attempts;
        let next = self.drivers(node).find(|(index, _)| *index > tried.index);
        let to = match next {
            _ if again => Phase::Fencing(Try { attempt: tried.attempt + 1, ..tried.clone() }),
            Some((index, level)) => Phase::Fencing(Try { index, level: level.clone(), attempt: 1 }),
            None => Phase::Failed { round: record.rounds + 1 },
        };
        self.step(node, record, to, Some(problem), now);
    }

    fn call(&mut self, node: NodeId, level: Level, call: Call, now: Time) {
        self.next_run += 1;
        let id = RunId(self.next_run);
        let deadline_ms = self.settings.safety.call_ms;
        self.runs.insert(node, Run { id, call, until: now + ms(deadline_ms) + CALL_GRACE });
        let name = self.nodes.get(&node).cloned().unwrap_or_default();
        self.actions.push_back(FencingAction::Run { id, node, name, level, call, deadline_ms });
    }

    fn give_up_calls(&mut self, now: Time) {
        let overdue: Vec<RunId> =
            self.runs.values().filter(|run| now >= run.until).map(|run| run.id).collect();
        for id in overdue {
            let seconds = (self.settings.safety.call_ms / 1000).to_string();
            let details = [("what".to_owned(), "fencing".to_owned()), ("seconds".to_owned(), seconds)].into();
            self.finished(id, Err(Problem { code: ErrorCode::TimedOut, details }), now);
        }
    }

    pub(super) fn finished(&mut self, id: RunId, outcome: Outcome, now: Time) {
        let Some(node) = self.runs.iter().find(|(_, run)| run.id == id).map(|(node, _)| *node) else {
            return;
        };
        let Some(run) = self.runs.remove(&node) else { return };
        if !self.acts_on(node) || self.proposed.contains_key(&node) {
            return;
        }
        if run.call == Call::On {
            let error = outcome.err();
            self.propose(FencingCommand::SwitchedOn { node, error, at: self.wall(now) });
            return;
        }
        let Some(record) = self.state.records.get(&node).cloned() else { return };
        // It came back while it was being switched off: there is nobody to be fenced any more.
        if self.members.contains(&node) && !record.cause.concerns_members() {
            return;
        }
        match (&record.phase, run.call, outcome) {
            (Phase::Fencing(tried), Call::Off, Ok(_)) => {
                let gone = !self.members.contains(&node);
                let to = if gone && self.settings.answer_is_proof(&tried.level) {
                    Phase::Fenced(Proof::Answer(tried.level.clone()))
                } else {
                    Phase::Verifying(tried.clone())
                };
                self.step(node, &record, to, None, now);
            }
            // Off, and still a member: it takes a moment to be noticed, or another one was switched off.
            (Phase::Verifying(tried), Call::Status, Ok(Power::Off)) if !self.members.contains(&node) => {
                self.step(node, &record, Phase::Fenced(Proof::Off(tried.level.clone())), None, now);
            }
            (Phase::Fencing(tried), Call::Off, Err(problem)) => {
                self.try_failed(node, &record, tried, problem, now);
            }
            // Not seen off yet, or the question failed: asked again until the time is over.
            (Phase::Verifying(_), Call::Status, outcome) => {
                match outcome {
                    Ok(_) => self.doubts.remove(&node),
                    Err(problem) => self.doubts.insert(node, problem),
                };
            }
            _ => {}
        }
    }

    /// Once a fencing, and not what an operator switched off.
    fn is_to_be_switched_on(&self, record: &Record) -> bool {
        self.settings.safety.power_on
            && !record.cause.is_requested()
            && matches!(record.phase, Phase::Fenced(Proof::Off(_) | Proof::Answer(_)))
            && !self
                .state
                .history
                .iter()
                .any(|entry| entry.episode == record.episode && entry.what == Happened::SwitchOn)
    }

    fn switch_on(&mut self, node: NodeId, now: Time) {
        if self.runs.contains_key(&node) {
            return;
        }
        let level = self.drivers(node).next().map(|(_, level)| level.clone());
        match level {
            Some(level) => self.call(node, level, Call::On, now),
            None => {
                let name = self.nodes.get(&node).cloned().unwrap_or_default();
                let error = Some(no_driver(&name).into());
                self.propose(FencingCommand::SwitchedOn { node, error, at: self.wall(now) });
            }
        }
    }

    /// What keeps a node from being fenced now.
    pub(super) fn held(&self, node: NodeId, cause: &Cause, now: Time) -> Option<Held> {
        if self.drivers(node).next().is_none() {
            return Some(Held::NoDriver);
        }
        if cause.is_requested() {
            return None;
        }
        if self.maintenance {
            return Some(Held::Maintenance);
        }
        let least = ms(self.settings.safety.min_delay_between_fence_ms);
        if self.begun.iter().any(|(of, at)| *of == node && now.since(*at) < least) {
            return Some(Held::TooSoon);
        }
        let storm = self.begun.iter().filter(|(_, at)| now.since(*at) < STORM_WINDOW).count();
        if storm + self.beginning(node) >= self.storm_limit() { Some(Held::Storm) } else { None }
    }

    /// Begins of other nodes that were proposed and have not come back.
    fn beginning(&self, node: NodeId) -> usize {
        let begins = |command: &FencingCommand| {
            let FencingCommand::Step { node: of, to: Phase::Fencing(_), .. } = command else { return false };
            let delayed = |record: &Record| record.phase == Phase::Delayed;
            *of != node && self.state.records.get(of).is_some_and(delayed)
        };
        self.proposed.values().filter(|command| begins(command)).count()
    }

    pub(super) fn storm_limit(&self) -> usize {
        let limit = usize::try_from(self.settings.safety.max_fences_per_5min).unwrap_or(usize::MAX);
        limit.min(super::state::MAX_BEGUN)
    }

    /// When that reason is over, where time alone ends it.
    pub(super) fn held_until(&self, node: NodeId, why: Option<Held>) -> Option<Time> {
        match why {
            Some(Held::Storm) => {
                let mut times: Vec<Time> = self.begun.iter().map(|(_, at)| *at).collect();
                times.sort_unstable();
                let ends = times.len().checked_sub(self.storm_limit())?;
                times.get(ends).map(|at| *at + STORM_WINDOW)
            }
            Some(Held::TooSoon) => {
                let last = self.begun.iter().filter(|(of, _)| *of == node).map(|(_, at)| *at).max()?;
                Some(last + ms(self.settings.safety.min_delay_between_fence_ms))
            }
            Some(Held::Maintenance | Held::NoDriver) | None => None,
        }
    }

    /// Where both sides of a cut have quorum, the one that holds less lets the other shoot first.
    pub(super) fn delay(&self, node: NodeId, cause: &Cause) -> Duration {
        let safety = &self.settings.safety;
        if cause.concerns_members() {
            return Duration::ZERO;
        }
        if !self.two_node || self.is_ahead_of(node) {
            ms(safety.delay_ms)
        } else {
            ms(safety.delay_ms.saturating_add(safety.head_start_ms))
        }
    }

    /// This side holds more than the lost node; ids break ties. Both sides go by what they last agreed on, so
    /// that exactly one of them is ahead.
    fn is_ahead_of(&self, node: NodeId) -> bool {
        let held = |of: &NodeId| self.holding.get(of).copied().unwrap_or(0);
        let here = || self.members.iter().filter(|member| **member != node);
        let ours: u32 = here().map(held).sum();
        let theirs = held(&node);
        ours > theirs || (ours == theirs && here().next().is_some_and(|lowest| *lowest < node))
    }
}
