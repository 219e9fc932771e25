//! One node's view of the cluster: events in, actions out.
//!
//! The order within a turn is always the same: take in the event, then [`Cluster::settle`]: release
//! what this node may not hold, take what it may, do a coordinator's duties, answer what is done.

mod announcing;
mod fencing;
mod group;
mod holding;
mod order;
mod removal;
mod requests;
mod service_status;
mod services;
mod settle;
mod status;
mod stir;
mod twin;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_proto::status::StateVersion;

use crate::action::{Action, ActionId};
use crate::event::{Event, UnitState};
use crate::fencing::{Fencing, FencingEvent};
use crate::ledger::{Ledger, Verdict};
use crate::message::{GroupMessage, Member, Round};
use crate::placement::{Order, Plan, Ranks};
use crate::state::{ClusterState, NodeId};
use crate::sync::Sync;
use crate::time::Time;

pub use removal::may_stop_first;

use fencing::Fed;
use holding::Hold;
use removal::Removal;
use requests::{Movement, Proposal};
use services::{Record, StrayStop};
use stir::Stirred;

/// What a node knows about itself, and how long it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// This node.
    pub me: NodeId,
    /// Version of the program.
    pub program: String,
    /// Between a node's loss and taking over what it held, where it is not fenced: covers the time by
    /// which the two sides of a split may differ in noticing it.
    pub node_lost_delay: Duration,
    /// Between the death of a daemon on a living node and taking over what it held: after that time
    /// its addresses' kernel lifetime is over.
    pub daemon_lost_delay: Duration,
    /// How much longer than its stop time a service may run on a node that was lost: until a daemon there
    /// that stands still is killed, and its services are stopped in its place.
    pub unit_margin: Duration,
}

/// Time after which a request that got no answer is given up.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);

/// Time before a state that could not be written is written again.
const PERSIST_RETRY: Duration = Duration::from_secs(1);

/// Time between two tries of VIPs that no node could take on.
const RETRY_UNABLE: Duration = Duration::from_secs(10);

/// One node's view of the cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    settings: Settings,
    state: ClusterState,
    /// Hash of the state, once somebody has asked for it.
    hash: OnceLock<String>,

    /// This process in the group; `None` while Corosync cannot be reached.
    member: Option<Member>,
    quorum: Option<QuorumView>,
    votes: Option<(u32, u32, u32)>,
    /// Whether the quorum device votes for this side.
    device: Option<bool>,
    /// A node was lost and the quorum device has not said who goes on: this node had quorum before. Whether a yes,
    /// if that is the first word, means that nobody else had it meanwhile.
    awaits_device: Option<bool>,
    /// Ring of the group's last change; `None` until one was told (Corosync does not tell the ring that
    /// is there when the group is joined).
    ring: Option<Ring>,
    /// The group lost a node and the ring that follows has not been told yet.
    ring_pending: bool,
    /// Members that went down since the last ring was told.
    gone: BTreeSet<Member>,
    /// Members that went down with the last ring, until the quorum service has spoken of the new one.
    left_behind: BTreeSet<Member>,
    /// Others may have had quorum without this node since the last confirmation: what it has, and what
    /// its ledger calls free, may be theirs now.
    broken: bool,
    view: BTreeSet<Member>,
    sync: Sync,
    /// The lowest member of this view has confirmed quorum, in order.
    operational: bool,
    /// The ring for which it did.
    confirmed: Option<Ring>,
    /// The begin of this view's epoch, and whose disks have it.
    begin: Option<Begin>,
    /// Most disks have it: commands are applied.
    established: bool,
    /// This process was in an established group before.
    was_established: bool,
    /// The ring in which this node had quorum when it said Hello in this round.
    round_ring: Option<Ring>,
    /// The ring for which this node has sent its confirmation in this view.
    confirming: Option<Ring>,
    /// A round was asked for, because quorum was lost and is back in the same view.
    asked_round: bool,
    rounds: u64,
    /// Since when this node is in a ring that it was not told to come to, and waits for a round.
    silent_since: Option<Time>,
    /// Version of the program and of the state that each node said when it said Hello last.
    told: BTreeMap<NodeId, (String, StateVersion)>,

    ledger: Ledger,
    /// This process has been in step at least once: its ledger is worth something.
    had_ledger: bool,
    /// From when on it is certain that a missing node has nothing any more.
    lost: BTreeMap<NodeId, Time>,
    /// Until then a node that the ring lost may have VIPs that it took with a message that only it heard, its
    /// own: even what nobody here knows to be given out.
    strayed_until: Option<Time>,
    /// When something is to be taken that is held back because of that.
    held_back: Option<Time>,
    in_step_since: Time,
    /// What this node has is to be announced again, once it is agreed that it is this node's.
    announce: bool,
    /// Resources for which `Take` was sent in this view.
    taking: BTreeSet<String>,
    retry_unable_at: Option<Time>,

    holds: BTreeMap<String, Hold>,
    /// Where everything belongs, as far as the ledger of an agreed view goes.
    plan: Plan,
    /// In which order nodes are asked to take something on.
    ranks: Ranks,
    /// In which order things come and go.
    order: Order,
    /// What has to be looked at again.
    stirred: Stirred,
    /// Since when this node has to give everything up because it may be alone.
    unsure_since: Option<Time>,
    /// Services that commands of this view have made: what a lost node has of them nobody here knows.
    created: BTreeSet<String>,
    /// What systemd says about the services' units.
    units: BTreeMap<String, UnitState>,
    /// What health checks say on this node.
    verdicts: BTreeMap<String, Verdict>,
    /// Failures of services on this node.
    failures: BTreeMap<String, Record>,
    /// Services that failed here and do not run before that has expired.
    resting: BTreeSet<String>,
    /// Services that run on though a check says no.
    tolerated: BTreeSet<String>,
    /// The configuration under which what checks say was looked through last.
    judged_revision: u64,
    /// Services whose unit runs here and is not to.
    strays: BTreeSet<String>,
    stray_stops: BTreeMap<String, StrayStop>,
    /// Resources that this node gave back unasked: not taken again before that was heard by all.
    given_back: BTreeSet<String>,
    /// Own `Released` messages that have not come back.
    releases_under_way: u32,
    leaving: Option<Time>,
    left: bool,

    next_seq: u64,
    proposals: BTreeMap<u64, Proposal>,
    moves: BTreeMap<u64, Movement>,
    /// Announcements that an operator asked for and the group has not heard: their requests and names.
    announcements: BTreeMap<u64, BTreeSet<String>>,
    /// Writes to disk under way, and whose command they belong to.
    persists: BTreeMap<ActionId, Vec<(Member, u64)>>,
    /// Commands whose result could not be written, and when that is tried again.
    unwritten: Option<(Time, Vec<(Member, u64)>)>,
    /// Invites whose end this node has proposed in this view.
    closing: BTreeSet<String>,
    /// What Corosync is to be told of.
    removal: Option<Removal>,

    /// Who is made harmless, and how far that is.
    fencing: Fencing,
    fed: Fed,
    /// Nodes that went without a word since this node last agreed on a ledger.
    gone_since: BTreeSet<NodeId>,
    /// How much each node had when it was last seen in an agreed group.
    had: BTreeMap<NodeId, u32>,
    /// This node's watchdog, as the daemon says; `None` until it has.
    watchdog: Option<Option<u64>>,

    next_action: u64,
    actions: VecDeque<Action>,
}

/// A configuration of Corosync's ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Ring {
    /// The node that formed it.
    pub node: NodeId,
    /// Its number.
    pub seq: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Begin {
    by: Member,
    seq: u64,
    written: BTreeSet<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct QuorumView {
    quorate: bool,
    ring: Ring,
    members: BTreeSet<NodeId>,
}

impl Cluster {
    /// A node that has just started: it holds nothing (whatever an earlier process left on the
    /// interfaces must have been removed) and knows what its disk says.
    #[must_use]
    pub fn new(settings: Settings, state: ClusterState) -> Self {
        let order = Order::of(&state);
        let mut fencing = Fencing::new(settings.me, fencing::settings(&state));
        fencing.handle(FencingEvent::Snapshot { state: Box::new(state.fencing.clone()) }, Time::default());
        Self {
            fencing,
            fed: Fed::default(),
            gone_since: BTreeSet::new(),
            had: BTreeMap::new(),
            watchdog: None,
            settings,
            state,
            hash: OnceLock::new(),
            plan: Plan::default(),
            ranks: Ranks::default(),
            order,
            stirred: Stirred::default(),
            unsure_since: None,
            created: BTreeSet::new(),
            units: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            failures: BTreeMap::new(),
            resting: BTreeSet::new(),
            tolerated: BTreeSet::new(),
            judged_revision: u64::MAX,
            strays: BTreeSet::new(),
            stray_stops: BTreeMap::new(),
            member: None,
            quorum: None,
            votes: None,
            device: None,
            awaits_device: None,
            ring: None,
            ring_pending: false,
            gone: BTreeSet::new(),
            left_behind: BTreeSet::new(),
            broken: false,
            view: BTreeSet::new(),
            sync: Sync::Waiting,
            operational: false,
            confirmed: None,
            begin: None,
            established: false,
            was_established: false,
            round_ring: None,
            confirming: None,
            asked_round: false,
            rounds: 0,
            silent_since: None,
            told: BTreeMap::new(),
            ledger: Ledger::default(),
            had_ledger: false,
            lost: BTreeMap::new(),
            strayed_until: None,
            held_back: None,
            in_step_since: Time::default(),
            announce: false,
            taking: BTreeSet::new(),
            retry_unable_at: None,
            holds: BTreeMap::new(),
            given_back: BTreeSet::new(),
            releases_under_way: 0,
            leaving: None,
            left: false,
            next_seq: 0,
            proposals: BTreeMap::new(),
            moves: BTreeMap::new(),
            announcements: BTreeMap::new(),
            persists: BTreeMap::new(),
            unwritten: None,
            closing: BTreeSet::new(),
            removal: None,
            next_action: 0,
            actions: VecDeque::new(),
        }
    }

    /// Takes in one event. Take out every action before the next one.
    pub fn handle_event(&mut self, event: Event, now: Time) {
        match event {
            Event::Connected { member } => {
                self.member = Some(member);
            }
            Event::Disconnected => self.disconnected(now),
            Event::Quorum { quorate, ring, members } => {
                self.hear_quorum(QuorumView { quorate, ring, members }, now);
            }
            Event::Votes { total, expected, needed } => self.votes = Some((total, expected, needed)),
            Event::Device { votes } => self.device = votes,
            Event::Ring { ring } => {
                self.ring = Some(ring);
                self.ring_pending = false;
                self.left_behind = std::mem::take(&mut self.gone);
                self.judge_left_behind(now);
                self.notice_silent_ring(now);
            }
            Event::Membership { members, left } => self.membership(members, &left, now),
            Event::Delivered { from, message } => self.delivered(from, message, now),
            Event::Propose { request, command } => self.propose(Some(request), command, now),
            Event::Move { request, to, names } => self.begin_move(request, to, &names, now),
            Event::Announce { request, names } => self.begin_announcement(request, &names),
            Event::ActionFinished { id, outcome } => self.action_finished(id, outcome, now),
            Event::Vanished { name } => self.vanished(&name, now),
            Event::UnitChanged { name, state } => self.unit_changed(&name, state),
            Event::CheckChanged { name, healthy, error } => {
                self.check_changed(&name, Verdict { healthy, error });
            }
            Event::Conflict { name, by } => self.say(GroupMessage::Conflict { name, by }),
            Event::Clock { wall } => self.clock(wall, now),
            Event::Watchdog { timeout_ms } => self.watchdog = Some(timeout_ms),
            Event::FenceFinished { id, outcome } => {
                self.fencing.handle(FencingEvent::Finished { id, outcome }, now);
            }
            Event::Tick => {}
            Event::Shutdown => self.shutdown(now),
        }
        self.settle(now);
    }

    /// The next thing to be done, in order; `None` when the turn is over.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The replicated state as this node has it.
    #[must_use]
    pub fn state(&self) -> &ClusterState {
        &self.state
    }

    /// Its hash: as [`ClusterState::hash`].
    fn hash(&self) -> String {
        self.hash.get_or_init(|| self.state.hash()).clone()
    }

    /// This node's id.
    #[must_use]
    pub fn me(&self) -> NodeId {
        self.settings.me
    }

    /// The quorum service says so.
    #[must_use]
    pub fn is_quorate(&self) -> bool {
        self.member.is_some() && self.quorum.as_ref().is_some_and(|quorum| quorum.quorate)
    }

    /// In step with a group whose quorum was confirmed in this view: VIPs are given out.
    #[must_use]
    pub fn is_operational(&self) -> bool {
        self.operational && self.sync == Sync::InStep && self.is_quorate() && !self.broken
    }

    /// Operational, and the begin of its epoch is on most disks: commands are applied.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.is_operational() && self.established
    }

    /// This node does what one node must do for all: it has the lowest id of an operational group.
    #[must_use]
    pub fn is_coordinator(&self) -> bool {
        self.member.is_some() && self.view.first() == self.member.as_ref()
    }

    /// The leader: the best node of those that may take something on.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.plan.leader.filter(|_| self.is_operational())
    }

    /// Nodes whose daemon is in the group.
    #[must_use]
    pub fn daemons(&self) -> BTreeSet<NodeId> {
        self.view.iter().map(|member| member.node).collect()
    }

    /// Names of the resources that this node has, or may have.
    #[must_use]
    pub fn held(&self) -> BTreeSet<String> {
        self.holds.keys().cloned().collect()
    }

    /// Names of the resources that this node has and has not begun to let go.
    #[must_use]
    pub fn active(&self) -> BTreeSet<String> {
        self.holds.iter().filter(|(_, hold)| hold.is_active()).map(|(name, _)| name.clone()).collect()
    }

    /// Whether anything new may be taken now.
    fn may_acquire(&self) -> bool {
        self.is_operational() && self.ring_agrees() && self.leaving.is_none() && self.watchdog_is_told()
    }

    fn ring_agrees(&self) -> bool {
        let Some(quorum) = &self.quorum else { return false };
        !self.ring_pending && self.ring.is_none_or(|ring| ring == quorum.ring)
    }

    fn multicast(&mut self, message: GroupMessage) {
        self.actions.push_back(Action::Multicast(message));
    }

    fn new_action(&mut self) -> ActionId {
        self.next_action += 1;
        ActionId(self.next_action)
    }

    fn new_round(&mut self, by: Member) -> Round {
        self.rounds += 1;
        Round { by, count: self.rounds }
    }
}

#[cfg(test)]
mod tests;
