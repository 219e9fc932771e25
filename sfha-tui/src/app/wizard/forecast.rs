//! What the simulator says about a wizard's question: the cores of all members decide, on a copy, what would move.
//!
//! Nothing about what moves is said here that it did not say; while it has not answered, nothing can be confirmed.

use serde_json::Value;
use sfha_proto::message::method;
use sfha_proto::simulate::{Change, SimulateParams, Simulation, Step};
use sfha_proto::status::ClusterStatus;

use super::{App, Kind, Name, Stage, Wizard};
use crate::app::{Link, Purpose};
use crate::client::ClientError;
use crate::problem::Problem;
use crate::words::Tone;
use crate::{format, t};

/// A simulator that has not answered after this time, in seconds, holds nobody up any more.
const PATIENCE_S: i64 = 10;
/// More names than this are only counted.
const NAMES: usize = 8;
/// More sentences than this do not fit on a small screen, with what there is to confirm.
const SENTENCES: usize = 5;

/// How much is known of it.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    /// The request that is under way, and when it was made.
    asked: Option<(u64, i64)>,
    /// The last answer: what would happen, or why that cannot be said.
    known: Option<Result<Step, Problem>>,
}

impl Wizard {
    /// The event that the wizard would bring about, as `sfha simulate` has it; nothing for what moves nothing.
    fn event(&self, app: &App) -> Option<String> {
        let target = self.value(Name::Target);
        let about = |event: &str| target.as_ref().map(|target| format!("{event}:{target}"));
        let new = |event: &str, what: Name| {
            Some(format!("{event}:{}={}", self.value(Name::New)?, self.value(what)?))
        };
        let node = || app.status.iter().flat_map(|s| &s.nodes).any(|n| Some(&n.name) == target.as_ref());
        match self.kind {
            Kind::Failover => Some(about("failover").unwrap_or_else(|| "failover".to_owned())),
            Kind::Standby => about("standby"),
            Kind::Unstandby => about("unstandby"),
            Kind::Maintenance => {
                let on = app.status.as_ref().is_some_and(|status| status.maintenance);
                Some(format!("maintenance:{}", if on { "off" } else { "on" }))
            }
            Kind::VipAdd => new("vip-add", Name::VipCidr),
            Kind::VipRemove => about("vip-remove"),
            Kind::ServiceAdd => new("service-add", Name::Unit),
            Kind::ServiceRemove => about("service-remove"),
            Kind::Remove => about("node-remove").filter(|_| node()),
            Kind::Fence => about("fence"),
            Kind::Unfence => about("unfence"),
            Kind::Confirm => about("confirm"),
            Kind::Init | Kind::Join | Kind::Token | Kind::PeerAdd | Kind::Rotate | Kind::Setup => None,
        }
    }

    /// The simulator was asked and may still answer.
    pub fn awaits_plan(&self, now: jiff::Timestamp) -> bool {
        let asked = self.forecast.asked.filter(|_| self.forecast.known.is_none());
        asked.is_some_and(|(_, since)| now.as_second() - since < PATIENCE_S)
    }
}

impl App {
    /// Asks the simulator about the question that is on the screen.
    pub(in crate::app) fn foresee(&mut self) {
        let Some(wizard) = self.wizard.as_ref().filter(|wizard| matches!(wizard.stage, Stage::Review { .. }))
        else {
            return;
        };
        let Some(event) = wizard.event(self).filter(|_| self.link == Link::Up) else { return };
        let params = serde_json::to_value(SimulateParams { events: vec![event] }).unwrap_or_default();
        let tag = self.send(method::SIMULATE, params, Purpose::Plan);
        let now = self.now.as_second();
        if let Some(wizard) = &mut self.wizard {
            wizard.forecast.asked = Some((tag, now));
        }
    }

    /// The cluster is not as it was: what was said of it may not be true any more.
    pub(in crate::app) fn foresee_anew(&mut self, old: &ClusterStatus) {
        let Some(new) = &self.status else { return };
        let same = old.nodes == new.nodes
            && old.leader == new.leader
            && old.maintenance == new.maintenance
            && old.vips == new.vips
            && old.services.len() == new.services.len()
            && old.services.iter().zip(&new.services).all(|(a, b)| {
                (&a.name, &a.holder, &a.state, a.failures) == (&b.name, &b.holder, &b.state, b.failures)
            });
        if !same {
            self.foresee();
        }
    }

    /// It has answered.
    pub(in crate::app) fn foreseen(&mut self, of: u64, outcome: Result<Value, ClientError>) {
        let Some(wizard) = self.all_wizards().find(|w| w.forecast.asked.is_some_and(|(tag, _)| tag == of))
        else {
            return;
        };
        let step = outcome.map_err(Problem::from).and_then(|value| {
            let told = serde_json::from_value::<Simulation>(value).ok();
            let step = told.and_then(|told| told.steps.into_iter().next());
            step.ok_or_else(Problem::connection_lost)
        });
        wizard.forecast = Forecast { asked: None, known: Some(step) };
    }

    /// What it said, in sentences; nothing for what moves nothing.
    pub(super) fn forecast(&self, wizard: &Wizard) -> Vec<(Tone, String)> {
        match &wizard.forecast.known {
            _ if wizard.event(self).is_none() => Vec::new(),
            Some(Ok(step)) => self.told(step, wizard.kind),
            Some(Err(problem)) => vec![(Tone::Warn, t!("plan-unknown", why = problem.message.as_str()))],
            None if wizard.awaits_plan(self.now) => vec![(Tone::Dim, t!("plan-asked"))],
            None => vec![(Tone::Warn, t!("plan-unknown", why = t!("plan-no-answer")))],
        }
    }

    fn told(&self, step: &Step, kind: Kind) -> Vec<(Tone, String)> {
        if let Some(failure) = &step.refused {
            let problem = Problem::from(failure.clone());
            return vec![(Tone::Bad, t!("plan-refused", why = problem.message))];
        }
        // What is taken out stops: that was said.
        let changes = step.changes.iter().filter(|change| change.why.as_deref() != Some("removed"));
        let mut told = sentences(groups(changes));
        if told.is_empty() {
            let removes = matches!(kind, Kind::VipRemove | Kind::ServiceRemove);
            told.push((Tone::Plain, if removes { t!("plan-nothing-else") } else { t!("plan-nothing") }));
        }
        let was_quorate = self.status.as_ref().is_some_and(|status| status.quorum.quorate);
        match &step.after.leader {
            Some(leader) if step.leader_before.as_ref().is_some_and(|before| before != leader) => {
                told.push((Tone::Plain, t!("plan-leader", node = leader.as_str())));
            }
            _ if step.after.quorate.is_empty() && was_quorate => {
                told.push((Tone::Bad, t!("plan-no-quorum")));
            }
            _ => {}
        }
        if !step.settled {
            told.push((Tone::Warn, t!("simulate-unsettled")));
        }
        told
    }
}

/// What becomes of the same, in the order in which the first of each is told.
fn groups<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Vec<&'a Change>> {
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    let same = |a: &Change, b: &Change| {
        (&a.from, &a.holders, &a.why, &a.waits_for) == (&b.from, &b.holders, &b.why, &b.waits_for)
    };
    for change in changes {
        match groups.iter_mut().find(|group| same(group[0], change)) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// Of a great cluster, what moves from many nodes or to many is told as one, and the rest counted.
fn sentences(mut groups: Vec<Vec<&Change>>) -> Vec<(Tone, String)> {
    let mut told = Vec::new();
    if groups.len() > SENTENCES {
        let moves = |group: &Vec<&Change>| match (group[0].from.as_deref(), group[0].holders.as_slice()) {
            (Some(from), [to]) => from != to,
            _ => false,
        };
        let moved: Vec<&Change> = groups.extract_if(.., |group| moves(group)).flatten().collect();
        told.extend((!moved.is_empty()).then(|| many(&moved)));
    }
    // What is worse is never only counted.
    let mut rest: Vec<(Tone, String, usize)> = groups
        .iter()
        .map(|group| {
            let (tone, text) = sentence(group);
            (tone, text, group.len())
        })
        .collect();
    let room = SENTENCES - told.len();
    if rest.len() > room {
        rest.sort_by_key(|(tone, ..)| std::cmp::Reverse(*tone));
        let left: usize = rest.drain(room - 1..).map(|(_, _, count)| count).sum();
        rest.push((Tone::Plain, t!("plan-more", count = left), left));
    }
    told.extend(rest.into_iter().map(|(tone, text, _)| (tone, text)));
    told
}

/// What moves, by where to.
fn many(moved: &[&Change]) -> (Tone, String) {
    let mut to: Vec<(&str, usize)> = Vec::new();
    for change in moved {
        let node = change.to.as_deref().unwrap_or_default();
        match to.iter_mut().find(|(known, _)| *known == node) {
            Some((_, count)) => *count += 1,
            None => to.push((node, 1)),
        }
    }
    let nodes = to.iter().map(|(node, count)| format!("{node} ({count})")).collect();
    let nodes = shortened(nodes);
    (Tone::Plain, t!("plan-moves-many", count = moved.len(), nodes = nodes, time = longest(moved)))
}

fn shortened(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let names = names.join(", ");
    if more > 0 { t!("plan-and-more", names = names, more = more) } else { names }
}

fn longest(group: &[&Change]) -> String {
    format::millis(group.iter().map(|change| change.within_ms).max().unwrap_or(0))
}

fn sentence(group: &[&Change]) -> (Tone, String) {
    let count = group.len();
    let names = shortened(group.iter().map(|change| change.name.clone()).collect());
    let time = longest(group);
    let first = group[0];
    match (first.from.as_deref(), first.holders.as_slice()) {
        (_, []) => {
            let why = crate::words::why_nobody(first).unwrap_or_else(|| t!("simulate-why-no-candidate"));
            (Tone::Bad, t!("plan-homeless", names = names, why = why))
        }
        (Some(from), [to]) if from == to => {
            (Tone::Warn, t!("plan-interrupted", count = count, names = names, node = from, time = time))
        }
        (Some(from), [to]) => (
            Tone::Plain,
            t!("plan-moves", count = count, names = names, from = from, to = to.as_str(), time = time),
        ),
        (None, [to]) => {
            (Tone::Plain, t!("plan-placed", count = count, names = names, to = to.as_str(), time = time))
        }
        (_, [_, _, ..]) => (Tone::Bad, t!("simulate-two-holders", name = names)),
    }
}
