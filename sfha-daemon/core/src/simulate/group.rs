//! An invented group: the cores of all members, told in one agreed order, whose actions take as long as they
//! may and succeed.
//!
//! ```text
//!   advance() ──a node and an event──▶ the node's core ──actions──▶ carry_out() ──▶ what comes next, by its time
//! ```
//!
//! Nothing here decides: who holds what is said by the cores alone. Unlike the seeded simulation of the tests,
//! nothing goes wrong but what it is asked for.

mod gone;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::action::{Action, ActionId, Answered};
use crate::cluster::{Cluster, Ring, Settings};
use crate::event::{Event, LeaveReason};
use crate::fencing::{Call, RunId};
use crate::message::{GroupMessage, Member};
use crate::state::{ClusterState, NodeId};
use crate::time::Time;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// From a node's loss to the new ring without it.
    pub detection: Duration,
    /// A message of the group, from its sender to all.
    pub message: Duration,
    /// Putting an address on an interface, or taking it off.
    pub address: Duration,
    /// Asking the network first whether somebody else has the address.
    pub probe: Duration,
    /// Writing the state.
    pub disk: Duration,
}

impl Default for Times {
    /// On a LAN, with Corosync's timers of the profile `lan`.
    fn default() -> Self {
        Self {
            detection: Duration::from_millis(1100),
            message: Duration::from_millis(1),
            address: Duration::from_millis(10),
            probe: Duration::from_millis(300),
            disk: Duration::from_millis(5),
        }
    }
}

/// What a node did to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It takes it on.
    Takes,
    /// It has it.
    Has,
    /// It lets it go.
    Leaves,
    /// It has it no more.
    HasNot,
}

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// When.
    pub at: Time,
    /// Which node.
    pub node: NodeId,
    /// Name of the resource.
    pub name: String,
    /// What.
    pub deed: Deed,
}

#[derive(Debug)]
enum Coming {
    /// In the order of the sender's ring.
    Ordered(Member, Box<GroupMessage>),
    /// The process has left the group.
    Left(Member),
    /// An action ends.
    Ends(Member, ActionId, Option<(String, Deed)>, Result<(), String>),
    /// A driver has done what it was called for.
    Fenced(Member, RunId, NodeId, Call),
    /// Every Corosync has read its file again, as this node has it.
    Reloaded(Member, ActionId),
    /// A node that was taken out ends its Corosync.
    Retires(NodeId),
    /// A deadline of a core.
    Deadline(Member, Time),
    /// Those who reach each other look who is there.
    Ring,
    /// `ExecStopPost=` has let go of what a dead daemon left.
    Leftovers(NodeId, String),
}

/// A node.
#[derive(Debug)]
struct Place {
    core: Option<Cluster>,
    pid: u32,
    powered: bool,
    /// Its process was in the group, as far as the others have heard.
    joined: bool,
    side: usize,
    ring: (Ring, BTreeSet<NodeId>),
    deadline: Option<Time>,
    /// What is on its interfaces, or runs.
    has: BTreeSet<String>,
}

/// The group.
#[derive(Debug)]
pub struct Group {
    times: Times,
    settings: Settings,
    now: Time,
    count: u64,
    rings: u64,
    coming: BTreeMap<(Time, u64), Coming>,
    told: VecDeque<(NodeId, Event)>,
    places: BTreeMap<NodeId, Place>,
    /// The nodes that Corosync counts.
    counted: BTreeSet<NodeId>,
    /// There is a quorum device.
    device: bool,
    /// Nobody has quorum, whoever is there.
    no_quorum: bool,
    /// Services that cannot be stopped.
    pub(super) stuck: BTreeSet<(NodeId, String)>,
    /// When the last event was given, and when a loss was noticed since.
    pub(super) begin: Time,
    pub(super) noticed: Option<Time>,
    /// When a driver switched a node off since.
    pub(super) switched_off: Option<Time>,
    /// Everything that was done to resources.
    pub(super) done: Vec<Done>,
    /// Answers to requests.
    pub(super) answers: BTreeMap<u64, Result<Answered, sfha_proto::Failure>>,
}

impl Group {
    /// Nodes of that state, their power off.
    #[must_use]
    pub fn off(state: &ClusterState, settings: &Settings, times: Times, now: Time) -> Self {
        let place = |id: &NodeId| {
            let ring = (Ring { node: *id, seq: 0 }, BTreeSet::new());
            let (has, deadline) = (BTreeSet::new(), None);
            (*id, Place { core: None, pid: 0, powered: false, joined: false, side: 0, ring, deadline, has })
        };
        Self {
            times,
            settings: settings.clone(),
            now,
            count: 0,
            rings: 0,
            coming: BTreeMap::new(),
            told: VecDeque::new(),
            places: state.nodes.keys().map(place).collect(),
            counted: state.nodes.keys().copied().collect(),
            device: state.corosync.qdevice.is_some(),
            no_quorum: false,
            stuck: BTreeSet::new(),
            begin: now,
            noticed: None,
            switched_off: None,
            done: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// A node that runs already, in the group of that ring, with these resources.
    pub(super) fn running(&mut self, core: Cluster, ring: Ring, nodes: &BTreeSet<NodeId>, pid: u32) {
        self.rings = self.rings.max(ring.seq);
        let has = core.active();
        if let Some(place) = self.places.get_mut(&core.me()) {
            (place.powered, place.joined) = (true, true);
            place.pid = pid;
            place.ring = (ring, nodes.clone());
            place.has = has;
            place.core = Some(core);
        }
    }

    /// A node that is there and whose daemon is not.
    pub(super) fn without_daemon(&mut self, node: NodeId, ring: Ring, nodes: &BTreeSet<NodeId>) {
        if let Some(place) = self.places.get_mut(&node) {
            place.powered = true;
            place.ring = (ring, nodes.clone());
        }
    }

    /// What o'clock it is.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// A node's core, while its daemon runs.
    #[must_use]
    pub fn core(&self, node: NodeId) -> Option<&Cluster> {
        self.places.get(&node)?.core.as_ref()
    }

    /// The same, to be told something.
    pub fn core_mut(&mut self, node: NodeId) -> Option<&mut Cluster> {
        self.places.get_mut(&node)?.core.as_mut()
    }

    /// All cores, by node.
    pub fn cores(&self) -> impl Iterator<Item = (NodeId, &Cluster)> + '_ {
        self.places.iter().filter_map(|(id, place)| Some((*id, place.core.as_ref()?)))
    }

    /// The nodes that have a resource.
    #[must_use]
    pub fn holders(&self, name: &str) -> Vec<NodeId> {
        self.places.iter().filter(|(_, place)| place.has.contains(name)).map(|(id, _)| *id).collect()
    }

    fn after(&mut self, wait: Duration, coming: Coming) {
        self.count += 1;
        self.coming.insert((self.now + wait, self.count), coming);
    }

    fn member(&self, node: NodeId) -> Option<Member> {
        let place = self.places.get(&node)?;
        place.core.as_ref().map(|_| Member { node, pid: place.pid })
    }

    /// The daemons that a node's daemon has in its group.
    fn group_of(&self, node: NodeId) -> BTreeSet<Member> {
        let nodes = self.places.get(&node).map(|place| place.ring.1.clone()).unwrap_or_default();
        nodes.into_iter().filter_map(|id| self.member(id)).collect()
    }

    // --- what happens ---

    /// Power on, with what the disk says; the daemon joins at once.
    pub fn boot(&mut self, node: NodeId, disk: ClusterState) {
        if self.places.get(&node).is_none_or(|place| place.core.is_some()) {
            return;
        }
        let settings = Settings { me: node, ..self.settings.clone() };
        if let Some(place) = self.places.get_mut(&node) {
            (place.powered, place.joined) = (true, true);
            place.side = 0;
            place.pid += 1;
            place.has.clear();
            place.deadline = None;
            place.core = Some(Cluster::new(settings, disk));
        }
        if let Some(member) = self.member(node) {
            self.told.push_back((node, Event::Connected { member }));
        }
        // One whose node never left its ring only joins the group.
        self.tell_quorum(node);
        self.tell_members(node, &[]);
        self.after(self.times.message, Coming::Ring);
    }

    /// The power of a node goes.
    pub fn cut_power(&mut self, node: NodeId) {
        if let Some(place) = self.places.get_mut(&node) {
            place.powered = false;
            place.core = None;
            place.ring = (Ring { node, seq: 0 }, BTreeSet::new());
            place.has.clear();
        }
        self.after(self.times.detection, Coming::Ring);
    }

    /// A daemon dies and stays dead; its node lives, and lets go of what it had.
    pub fn kill_daemon(&mut self, node: NodeId) {
        let Some(gone) = self.member(node) else { return };
        let Some(place) = self.places.get_mut(&node) else { return };
        let state = place.core.take().map(|core| core.state().clone());
        place.joined = false;
        self.noticed = Some(self.now);
        for name in place.has.clone() {
            let services = state.as_ref().map(|state| &state.services);
            let service = services.and_then(|services| services.get(&name));
            let takes = service.map_or(self.times.address, |service| ms(service.stop_timeout_ms));
            self.after(takes, Coming::Leftovers(node, name));
        }
        self.tell_members(node, &[(gone, LeaveReason::ProcessDown)]);
    }

    /// A unit is no longer there.
    pub(super) fn lose_unit(&mut self, node: NodeId, name: &str) {
        self.note(node, name, Deed::HasNot);
    }

    /// Puts nodes on sides that do not reach each other; who is not named is with the first.
    pub fn split(&mut self, sides: &BTreeMap<NodeId, usize>) {
        for (id, place) in &mut self.places {
            place.side = sides.get(id).copied().unwrap_or_default();
        }
        self.after(self.times.detection, Coming::Ring);
    }

    /// Nobody has quorum any more, or whoever is enough has it again.
    pub fn lose_quorum(&mut self, lost: bool) {
        self.no_quorum = lost;
        for node in self.places.keys().copied().collect::<Vec<_>>() {
            self.tell_quorum(node);
        }
    }

    /// Tells a node's core something.
    pub fn push(&mut self, node: NodeId, event: Event) {
        self.told.push_back((node, event));
    }

    /// Has all daemons agree anew.
    pub(super) fn begin_round(&mut self) {
        for node in self.cores().map(|(node, _)| node).collect::<Vec<_>>() {
            let members = self.group_of(node);
            self.told.push_back((node, Event::Membership { members, left: Vec::new() }));
        }
    }

    // --- Corosync ---

    fn tell_quorum(&mut self, node: NodeId) {
        let nodes = self.counted.len();
        let Some(place) = self.places.get(&node).filter(|place| place.core.is_some()) else { return };
        let (ring, members) = place.ring.clone();
        if members.is_empty() {
            return;
        }
        let enough = match self.device {
            // Its one vote goes to the greater side, of two that are the same to the one with the lowest id.
            true => {
                let place =
                    |place: &Place| (place.ring.1.len(), std::cmp::Reverse(place.ring.1.first().copied()));
                let best = self.places.values().filter(|place| place.powered).map(place).max();
                let votes = members.len()
                    + usize::from(best.is_some_and(|best| best.1.0 == members.first().copied()));
                votes > nodes.div_ceil(2)
            }
            false => members.len() > nodes / 2 || nodes == 2,
        };
        let quorate = enough && !self.no_quorum;
        self.told.push_back((node, Event::Quorum { quorate, ring, members }));
    }

    fn tell_members(&mut self, near: NodeId, left: &[(Member, LeaveReason)]) {
        let members = self.group_of(near);
        for member in &members {
            let event = Event::Membership { members: members.clone(), left: left.to_vec() };
            self.told.push_back((member.node, event));
        }
    }

    fn form_rings(&mut self) {
        let mut sides: BTreeMap<usize, BTreeSet<NodeId>> = BTreeMap::new();
        for (id, place) in self.places.iter().filter(|(_, place)| place.powered) {
            sides.entry(place.side).or_default().insert(*id);
        }
        for nodes in sides.into_values() {
            let same = |id: &NodeId| self.places.get(id).is_some_and(|place| place.ring.1 == nodes);
            let Some(first) = nodes.first().copied().filter(|_| !nodes.iter().all(same)) else { continue };
            self.rings += 4;
            self.form(Ring { node: first, seq: self.rings }, &nodes);
        }
        for place in self.places.values_mut().filter(|place| place.core.is_none()) {
            place.joined = false;
        }
    }

    /// Each is told who left, then who joined, then of the ring.
    fn form(&mut self, ring: Ring, nodes: &BTreeSet<NodeId>) {
        let before: BTreeMap<NodeId, (Ring, BTreeSet<NodeId>)> =
            nodes.iter().filter_map(|id| Some((*id, self.places.get(id)?.ring.clone()))).collect();
        for id in nodes {
            if let Some(place) = self.places.get_mut(id) {
                place.ring = (ring, nodes.clone());
            }
        }
        for id in nodes {
            let (Some((old, was)), Some(_)) = (before.get(id), self.member(*id)) else { continue };
            let together = |other: &&NodeId| {
                nodes.contains(*other) && before.get(other).is_some_and(|(ring, _)| ring == old)
            };
            let stay: BTreeSet<Member> =
                was.iter().filter(together).filter_map(|id| self.member(*id)).collect();
            let gone = was.iter().filter(|other| !together(other));
            let left: Vec<_> = gone
                .filter_map(|other| {
                    let place = self.places.get(other)?;
                    place.joined.then_some((Member { node: *other, pid: place.pid }, LeaveReason::NodeDown))
                })
                .collect();
            if !left.is_empty() {
                self.noticed = Some(self.now);
                self.told.push_back((*id, Event::Membership { members: stay.clone(), left }));
            }
            let members = self.group_of(*id);
            if members != stay {
                self.told.push_back((*id, Event::Membership { members, left: Vec::new() }));
            }
            self.told.push_back((*id, Event::Ring { ring }));
            self.tell_quorum(*id);
        }
    }

    // --- the loop ---

    /// What a core is told next, at [`Group::now`]; `None` when nothing more comes.
    pub fn advance(&mut self) -> Option<(NodeId, Event)> {
        loop {
            if let Some((node, event)) = self.told.pop_front() {
                if self.core(node).is_some() {
                    return Some((node, event));
                }
                continue;
            }
            let ((at, _), coming) = self.coming.pop_first()?;
            self.now = self.now.max(at);
            self.happen(coming);
        }
    }

    /// When something comes next.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        if self.told.is_empty() { self.coming.keys().next().map(|(at, _)| *at) } else { Some(self.now) }
    }

    /// Nothing comes but deadlines of cores.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.told.is_empty() && self.coming.values().all(|coming| matches!(coming, Coming::Deadline(..)))
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Ordered(from, message) => {
                if self.member(from.node) == Some(from) {
                    for to in self.group_of(from.node) {
                        let message = (*message).clone();
                        self.told.push_back((to.node, Event::Delivered { from, message }));
                    }
                }
            }
            Coming::Left(member) => {
                if self.member(member.node) == Some(member) {
                    self.retire(member.node);
                    if let Some(place) = self.places.get_mut(&member.node) {
                        (place.core, place.joined) = (None, false);
                    }
                    self.tell_members(member.node, &[(member, LeaveReason::Leave)]);
                }
            }
            Coming::Ends(member, id, what, outcome) => {
                if self.member(member.node) != Some(member) {
                    return;
                }
                if let Some((name, deed)) = what.filter(|_| outcome.is_ok()) {
                    self.note(member.node, &name, deed);
                }
                self.told.push_back((member.node, Event::ActionFinished { id, outcome }));
            }
            Coming::Fenced(member, id, node, call) => self.fenced(member, id, node, call),
            Coming::Reloaded(member, id) => {
                self.reload(member.node);
                self.happen(Coming::Ends(member, id, None, Ok(())));
            }
            Coming::Retires(node) => self.end_corosync(node),
            Coming::Deadline(member, at) => {
                let due = self.member(member.node) == Some(member);
                if let Some(place) = self.places.get_mut(&member.node)
                    && due
                    && place.deadline == Some(at)
                {
                    place.deadline = None;
                    self.told.push_back((member.node, Event::Tick));
                }
            }
            Coming::Ring => self.form_rings(),
            Coming::Leftovers(node, name) => {
                if self.core(node).is_none() {
                    self.note(node, &name, Deed::HasNot);
                }
            }
        }
    }

    fn note(&mut self, node: NodeId, name: &str, deed: Deed) {
        if let Some(place) = self.places.get_mut(&node) {
            match deed {
                Deed::Has => drop(place.has.insert(name.to_owned())),
                Deed::HasNot => drop(place.has.remove(name)),
                Deed::Takes | Deed::Leaves => {}
            }
        }
        self.done.push(Done { at: self.now, node, name: name.to_owned(), deed });
    }

    /// Feeds a core and carries out what it asks for.
    pub fn tell(&mut self, node: NodeId, event: Event) {
        let now = self.now;
        let Some(core) = self.core_mut(node) else { return };
        core.handle_event(event, now);
        let actions: Vec<Action> = std::iter::from_fn(|| core.poll_action()).collect();
        self.carry_out(node, actions);
    }

    /// Has what a core asked for happen, and its next deadline told.
    pub fn carry_out(&mut self, node: NodeId, actions: Vec<Action>) {
        for action in actions {
            self.act(node, action);
        }
        let Some(member) = self.member(node) else { return };
        let Some(place) = self.places.get_mut(&node) else { return };
        let deadline = place.core.as_ref().and_then(Cluster::poll_timeout).map(|(at, _)| at);
        if let Some(at) = deadline.filter(|at| place.deadline != Some(*at)) {
            place.deadline = Some(at);
            self.after(at - self.now, Coming::Deadline(member, at));
        }
    }

    fn act(&mut self, node: NodeId, action: Action) {
        let Some(member) = self.member(node) else { return };
        let Times { message, address, probe: asking, disk, .. } = self.times;
        match action {
            Action::Multicast(said) => self.after(message, Coming::Ordered(member, Box::new(said))),
            Action::Persist { id, .. } => self.after(disk, Coming::Ends(member, id, None, Ok(()))),
            Action::Acquire { id, name, probe, .. } => {
                let takes = if probe { address + asking } else { address };
                self.under_way(member, id, name, Deed::Takes, takes);
            }
            Action::Release { id, name, .. } => self.under_way(member, id, name, Deed::Leaves, address),
            Action::StartService { id, name, service } => {
                self.under_way(member, id, name, Deed::Takes, ms(service.start_timeout_ms));
            }
            Action::RestartService { id, name, service } => {
                self.note(node, &name, Deed::HasNot);
                let takes = ms(service.start_timeout_ms.saturating_add(service.stop_timeout_ms));
                self.under_way(member, id, name, Deed::Takes, takes);
            }
            Action::StopService { id, name, service } => {
                self.under_way(member, id, name, Deed::Leaves, ms(service.stop_timeout_ms));
            }
            Action::Announce { .. } => {}
            Action::Answer { request, result } => drop(self.answers.insert(request, result)),
            Action::Fence { id, node, call, deadline_ms, .. } => {
                self.after(ms(deadline_ms), Coming::Fenced(member, id, node, call));
            }
            Action::ReloadCorosync { id } => self.after(disk, Coming::Reloaded(member, id)),
            Action::Leave => self.after(message, Coming::Left(member)),
        }
    }

    fn under_way(&mut self, member: Member, id: ActionId, name: String, deed: Deed, takes: Duration) {
        self.note(member.node, &name, deed);
        let (end, stuck) = match deed {
            Deed::Leaves => (Deed::HasNot, self.stuck.contains(&(member.node, name.clone()))),
            _ => (Deed::Has, false),
        };
        let outcome = if stuck { Err("stop-failed".to_owned()) } else { Ok(()) };
        self.after(takes, Coming::Ends(member, id, Some((name, end)), outcome));
    }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
