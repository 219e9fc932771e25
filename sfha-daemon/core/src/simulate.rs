//! What would happen: the cores of all members, as one of them knows them, in an invented group.
//!
//! Each event is given once everything has settled. What is decided is decided by [`Cluster`], as it is for real;
//! times are the longest that the configuration and the delays allow.

mod group;
mod happening;
mod outcome;

use std::collections::BTreeMap;
use std::time::Duration;

use sfha_proto::simulate::{Simulation, Step};
use sfha_proto::{ErrorCode, Failure};

use crate::cluster::Cluster;
use crate::command::Command;
use crate::event::{Event, UnitState};
use crate::fencing::{Cause, FencingCommand};
use crate::state::{ClusterState, NodeId};
use crate::time::Time;

pub use group::{Deed, Done, Group, Times};
pub use happening::{FORMS, Happening};

/// After this time it is told that nothing settles: longer than any service may take to start and to stop.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Most turns of all cores for one event, whatever happens.
const MOST_TURNS: u32 = 1_000_000;

/// Who asks for something.
const SOMEBODY: &str = "simulate";

/// What goes on for ever, or comes much later: a cluster has settled all the same.
const LASTING: [&str; 4] = ["retry-unable", "failure-expiry", "stray", "release-retry"];

/// What these events would do, one after the other; each with the text that names it.
#[must_use]
pub fn simulate(seen: &Cluster, now: Time, times: Times, events: &[(String, Happening)]) -> Simulation {
    let mut group = Group::seen_by(seen, times, now);
    settle(&mut group);
    let mut names = outcome::Names::of(seen.state());
    let start = outcome::standing(&group, &names);
    let mut steps: Vec<Step> = Vec::new();
    for (number, (event, happening)) in (1..).zip(events) {
        let before = steps.last().map_or(&start, |step| &step.after).clone();
        group.done.clear();
        (group.begin, group.noticed, group.switched_off) = (group.now(), None, None);
        happen(&mut group, happening, number, seen.state());
        let settled = settle(&mut group);
        names.learn(&group);
        let refused = group.answers.remove(&number).and_then(Result::err);
        steps.push(outcome::step(&group, &names, event, before, refused, settled));
    }
    Simulation { schema: sfha_proto::SCHEMA, node: seen.state().node_name(seen.me()), start, steps }
}

impl Group {
    /// The group as a member sees it.
    fn seen_by(seen: &Cluster, times: Times, now: Time) -> Self {
        let mut group = Self::off(seen.state(), seen.settings(), times, now);
        let Some((ring, online)) = seen.online_ring() else { return group };
        let members: BTreeMap<NodeId, _> =
            seen.members().iter().map(|member| (member.node, *member)).collect();
        for node in online {
            match members.get(node) {
                Some(member) => group.running(seen.twin(*member, now), ring, online, member.pid),
                None => group.without_daemon(*node, ring, online),
            }
        }
        group.stuck = seen.stuck().map(|(node, name)| (node, name.clone())).collect();
        if !seen.is_operational() {
            group.begin_round();
        }
        for node in members.into_keys() {
            group.push(node, Event::Tick);
        }
        group
    }

    /// What somebody asked for is told to a member that can have it done, if there is one; of a node that is to
    /// go, to another one.
    fn ask(&mut self, event: Event, goes: Option<NodeId>) {
        let able = self.cores().find(|(node, core)| core.is_established() && Some(*node) != goes);
        let node = able.or_else(|| self.cores().next()).map(|(node, _)| node);
        if let Some(node) = node {
            self.push(node, event);
        }
    }

    fn propose(&mut self, request: u64, command: Command) {
        self.ask(Event::Propose { request, command }, None);
    }

    /// What is wanted of fencing has no meaning while it is off.
    fn fence(&mut self, request: u64, known: &ClusterState, command: FencingCommand) {
        if known.stonith.enabled {
            self.propose(request, Command::Fencing { command: Box::new(command) });
        } else {
            let off = Failure::new(ErrorCode::NotFound).with("kind", "stonith").with("name", "stonith");
            self.answers.insert(request, Err(off));
        }
    }
}

fn happen(group: &mut Group, happening: &Happening, request: u64, known: &ClusterState) {
    match happening {
        Happening::NodeLost(node) => group.cut_power(*node),
        Happening::NodeBack(node) => group.boot(*node, known.clone()),
        Happening::DaemonDead(node) => group.kill_daemon(*node),
        Happening::QuorumLost => group.lose_quorum(true),
        Happening::Standby(node, standby) => {
            group.propose(request, Command::SetStandby { node: *node, standby: *standby });
        }
        Happening::Failover(to) => {
            group.ask(Event::Move { request, to: *to, names: Default::default() }, None);
        }
        Happening::Maintenance(on) => {
            group.propose(request, Command::SetMaintenance { on: *on, until: None });
        }
        Happening::VipAdded(name, address) => {
            let (name, address, interface) = (name.clone(), *address, None);
            group.propose(request, Command::AddVip { name, address, interface });
        }
        Happening::VipRemoved(name) => group.propose(request, Command::RemoveVip { name: name.clone() }),
        Happening::ServiceAdded(name, service) => {
            let (name, service) = (name.clone(), service.clone());
            group.propose(request, Command::AddService { name, service });
        }
        Happening::ServiceRemoved(name) => {
            group.propose(request, Command::RemoveService { name: name.clone() });
        }
        Happening::NodeRemoved(node) => {
            let command = Command::RemoveNode { node: *node };
            group.ask(Event::Propose { request, command }, Some(*node));
        }
        Happening::Fenced(node) => {
            let cause = Cause::Requested { by: SOMEBODY.to_owned() };
            group.fence(request, known, FencingCommand::Suspect { node: *node, cause, at: 0 });
        }
        Happening::Unfenced(node) => {
            group.fence(
                request,
                known,
                FencingCommand::SwitchOn { node: *node, by: SOMEBODY.to_owned(), at: 0 },
            );
        }
        Happening::Confirmed(node) => {
            group.fence(
                request,
                known,
                FencingCommand::Confirm { node: *node, by: SOMEBODY.to_owned(), at: 0, why: None },
            );
        }
        Happening::ServiceFailed(name) => {
            for node in group.holders(name) {
                group.lose_unit(node, name);
                group.push(node, Event::UnitChanged { name: name.clone(), state: UnitState::Failed });
            }
        }
        Happening::CheckFailed(name) => {
            let service = known.checks.get(name).and_then(|check| check.service.as_ref());
            let nodes = match service {
                Some(service) => group.holders(service),
                None => group.cores().find_map(|(_, core)| core.leader()).into_iter().collect(),
            };
            for node in nodes {
                let (name, error) = (name.clone(), Some("simulated".to_owned()));
                group.push(node, Event::CheckChanged { name, healthy: Some(false), error });
            }
        }
        Happening::Partition(sides) => group.split(sides),
    }
}

/// Until nothing comes but what goes on for ever. False when that takes too long.
fn settle(group: &mut Group) -> bool {
    let end = group.now() + LONGEST;
    for _ in 0..MOST_TURNS {
        let lasting = |core: &Cluster| core.deadlines().all(|(_, why)| LASTING.contains(&why));
        if group.is_quiet() && group.cores().all(|(_, core)| lasting(core)) {
            return true;
        }
        if group.next_at().is_none_or(|at| at > end) {
            return group.is_quiet() && group.cores().all(|(_, core)| lasting(core));
        }
        let Some((node, event)) = group.advance() else { return true };
        group.tell(node, event);
    }
    false
}

#[cfg(test)]
mod tests;
