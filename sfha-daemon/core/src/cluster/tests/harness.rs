//! Clusters whose messages are delivered one after the other and whose actions succeed at once, unless
//! a test holds them back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sfha_proto::{ErrorCode, Failure};

use crate::action::Answered;
use crate::cluster::Ring;
use crate::fencing::{Call, RunId};
use crate::state::Node;
use crate::{
    Action, ActionId, Cluster, ClusterState, Command, Event, GroupMessage, LeaveReason, Member, NodeId,
    Settings, Time,
};

pub(super) const NODE_LOST: u64 = 300;
pub(super) const DAEMON_LOST: u64 = 1200;
pub(super) const UNIT_MARGIN: u64 = 6000;

/// Which actions do not end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slow {
    Acquire,
    Start,
    Stop,
    Release,
    Persist,
    Reload,
}

pub(super) struct Lab {
    pub(super) nodes: BTreeMap<NodeId, Cluster>,
    pub(super) now_ms: u64,
    /// Which nodes are in a ring with which.
    rings: BTreeMap<NodeId, (Ring, BTreeSet<NodeId>)>,
    seq: u64,
    sent: VecDeque<(Member, GroupMessage)>,
    pub(super) slow: BTreeSet<(NodeId, Slow)>,
    pub(super) waiting: Vec<(NodeId, Slow, ActionId)>,
    /// What is on each node's interface.
    pub(super) on: BTreeMap<NodeId, BTreeSet<String>>,
    /// Everything that was done, in order: `2 acquire v`.
    pub(super) done: Vec<String>,
    /// VIPs that were asked for before they were taken, in order.
    pub(super) probed: Vec<String>,
    pub(super) answers: BTreeMap<u64, Result<Answered, Failure>>,
    pub(super) left: BTreeSet<NodeId>,
    pub(super) disks: BTreeMap<NodeId, ClusterState>,
    /// Calls of drivers that were not answered: who called, for which node, and what for.
    pub(super) calls: Vec<(NodeId, RunId, NodeId, Call)>,
    /// Nothing is delivered.
    pub(super) hold_messages: bool,
}

pub(super) fn node(id: NodeId) -> Node {
    Node {
        public_key: Some(format!("key{id}")),
        ..Node::new(format!("n{id}"), [10, 100, 0, u8::try_from(id).unwrap()].into())
    }
}

pub(super) fn add_vip(name: &str, last: u8) -> Command {
    let address = format!("10.0.0.{last}/24").parse().unwrap();
    Command::AddVip { name: name.into(), address, interface: None }
}

/// A cluster of so many nodes with the VIPs `a` and `b`.
pub(super) fn state(nodes: NodeId) -> ClusterState {
    let mut state = ClusterState::new("c", "lan", None, node(1));
    for id in 2..=nodes {
        state.nodes.insert(id, node(id));
    }
    state.next_node_id = nodes + 1;
    state.apply(&add_vip("a", 100)).unwrap();
    state.apply(&add_vip("b", 101)).unwrap();
    state
}

impl Lab {
    /// All nodes with their daemons, in one ring, settled.
    pub(super) fn new(nodes: NodeId) -> Self {
        let mut lab = Self::off(nodes);
        let ids: Vec<NodeId> = (1..=nodes).collect();
        lab.form(&ids);
        for id in ids {
            lab.start(id);
        }
        lab
    }

    /// Nothing runs yet.
    pub(super) fn off(nodes: NodeId) -> Self {
        let disks = (1..=nodes).map(|id| (id, state(nodes))).collect();
        Self {
            nodes: BTreeMap::new(),
            now_ms: 1000,
            rings: BTreeMap::new(),
            seq: 0,
            sent: VecDeque::new(),
            slow: BTreeSet::new(),
            waiting: Vec::new(),
            on: BTreeMap::new(),
            done: Vec::new(),
            probed: Vec::new(),
            answers: BTreeMap::new(),
            left: BTreeSet::new(),
            disks,
            calls: Vec::new(),
            hold_messages: false,
        }
    }

    fn member(id: NodeId) -> Member {
        Member { node: id, pid: 100 + id }
    }

    fn group(&self, id: NodeId) -> BTreeSet<Member> {
        let ring = self.rings.get(&id).map(|(_, nodes)| nodes.clone()).unwrap_or_default();
        ring.into_iter().filter(|id| self.nodes.contains_key(id)).map(Self::member).collect()
    }

    /// A fresh daemon joins the group.
    pub(super) fn start(&mut self, id: NodeId) {
        let settings = Settings {
            me: id,
            program: "test".into(),
            node_lost_delay: Duration::from_millis(NODE_LOST),
            daemon_lost_delay: Duration::from_millis(DAEMON_LOST),
            unit_margin: Duration::from_millis(UNIT_MARGIN),
        };
        self.nodes.insert(id, Cluster::new(settings, self.disks[&id].clone()));
        self.on.insert(id, BTreeSet::new());
        self.tell(id, Event::Connected { member: Self::member(id) });
        self.tell_quorum(id);
        self.tell_members(id, &[]);
        self.settle();
    }

    /// A daemon is gone: killed, its node still in the ring.
    pub(super) fn kill(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.tell_members(id, &[(Self::member(id), LeaveReason::ProcessDown)]);
        self.settle();
    }

    /// A daemon ends after it has left in order.
    pub(super) fn leave(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.tell_members(id, &[(Self::member(id), LeaveReason::Leave)]);
        self.settle();
    }

    fn tell_members(&mut self, near: NodeId, left: &[(Member, LeaveReason)]) {
        let members = self.group(near);
        for member in members.clone() {
            self.tell(member.node, Event::Membership { members: members.clone(), left: left.to_vec() });
        }
    }

    pub(super) fn tell_quorum(&mut self, id: NodeId) {
        let (ring, members) = self.rings[&id].clone();
        let all = self.disks.len();
        let quorate = members.len() > all / 2 || (all == 2 && !members.is_empty());
        self.tell(id, Event::Quorum { quorate, ring, members });
    }

    /// These nodes form a ring; the quorum service is told before the group when `quorum_first`.
    pub(super) fn form(&mut self, ids: &[NodeId]) {
        let members: BTreeSet<NodeId> = ids.iter().copied().collect();
        self.seq += 4;
        let ring = Ring { node: ids[0], seq: self.seq };
        let before: BTreeMap<NodeId, BTreeSet<NodeId>> = ids
            .iter()
            .map(|id| (*id, self.rings.get(id).map(|(_, ids)| ids.clone()).unwrap_or_default()))
            .collect();
        for id in ids {
            self.rings.insert(*id, (ring, members.clone()));
        }
        for id in ids.iter().filter(|id| self.nodes.contains_key(id)).copied().collect::<Vec<_>>() {
            let stay: BTreeSet<Member> = before[&id]
                .intersection(&members)
                .filter(|other| self.nodes.contains_key(other) && before[other] == before[&id])
                .map(|other| Self::member(*other))
                .collect();
            let left: Vec<_> = before[&id]
                .iter()
                .filter(|other| !members.contains(other) && self.nodes.contains_key(other))
                .map(|other| (Self::member(*other), LeaveReason::NodeDown))
                .collect();
            if !left.is_empty() {
                self.tell(id, Event::Membership { members: stay.clone(), left });
            }
            let group = self.group(id);
            if group != stay {
                self.tell(id, Event::Membership { members: group, left: Vec::new() });
            }
            self.tell(id, Event::Ring { ring });
            self.tell_quorum(id);
        }
        self.settle();
    }

    pub(super) fn tell(&mut self, id: NodeId, event: Event) {
        let Some(cluster) = self.nodes.get_mut(&id) else { return };
        cluster.handle_event(event, Time::from_micros(self.now_ms * 1000));
        while let Some(action) = self.nodes.get_mut(&id).and_then(Cluster::poll_action) {
            self.act(id, action);
        }
        let deadline = self.nodes.get(&id).and_then(Cluster::poll_timeout);
        assert!(
            deadline.is_none_or(|(at, _)| at.as_micros() > self.now_ms * 1000),
            "node {id}: {deadline:?}"
        );
    }

    fn act(&mut self, id: NodeId, action: Action) {
        let (slow, action_id) = match action {
            Action::Multicast(message) => return self.sent.push_back((Self::member(id), message)),
            Action::Persist { id: action, state } => {
                if !self.slow.contains(&(id, Slow::Persist)) {
                    self.disks.insert(id, *state);
                }
                (Slow::Persist, action)
            }
            Action::Acquire { id: action, name, probe, .. } => {
                self.probed.extend(probe.then(|| name.clone()));
                self.done.push(format!("{id} acquire {name}"));
                self.on.entry(id).or_default().insert(name);
                (Slow::Acquire, action)
            }
            Action::Release { id: action, name, .. } => {
                self.done.push(format!("{id} release {name}"));
                if !self.slow.contains(&(id, Slow::Release)) {
                    self.on.entry(id).or_default().remove(&name);
                }
                (Slow::Release, action)
            }
            Action::StartService { id: action, name, .. } => {
                self.done.push(format!("{id} start {name}"));
                if !self.slow.contains(&(id, Slow::Start)) {
                    self.on.entry(id).or_default().insert(name);
                }
                (Slow::Start, action)
            }
            Action::RestartService { id: action, name, .. } => {
                self.done.push(format!("{id} restart {name}"));
                self.on.entry(id).or_default().insert(name);
                (Slow::Start, action)
            }
            Action::StopService { id: action, name, .. } => {
                self.done.push(format!("{id} stop {name}"));
                if !self.slow.contains(&(id, Slow::Stop)) {
                    self.on.entry(id).or_default().remove(&name);
                }
                (Slow::Stop, action)
            }
            Action::Announce { name } => return self.done.push(format!("{id} announce {name}")),
            Action::ReloadCorosync { id: action } => {
                self.done.push(format!("{id} reload"));
                (Slow::Reload, action)
            }
            Action::Answer { request, result } => {
                assert!(self.answers.insert(request, result).is_none(), "answered twice");
                return;
            }
            Action::Fence { id: run, node, call, .. } => return self.calls.push((id, run, node, call)),
            Action::Leave => {
                self.left.insert(id);
                return;
            }
        };
        self.waiting.push((id, slow, action_id));
    }

    /// Delivers and finishes until nothing more happens at this time.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some(index) =
                self.waiting.iter().position(|(id, slow, _)| !self.slow.contains(&(*id, *slow)))
            {
                let (id, _, action) = self.waiting.remove(index);
                self.tell(id, Event::ActionFinished { id: action, outcome: Ok(()) });
            } else if self.hold_messages {
                return;
            } else if let Some((from, message)) = self.sent.pop_front() {
                for to in self.group(from.node) {
                    self.tell(to.node, Event::Delivered { from, message: message.clone() });
                }
            } else {
                return;
            }
        }
        panic!("no end");
    }

    /// What was held back ends so; nothing more is held back.
    pub(super) fn finish(&mut self, slow: Slow, outcome: Result<(), String>) {
        self.slow.retain(|(_, other)| *other != slow);
        let (over, rest) = std::mem::take(&mut self.waiting).into_iter().partition(|(_, s, _)| *s == slow);
        self.waiting = rest;
        let over: Vec<(NodeId, Slow, ActionId)> = over;
        for (id, _, action) in over {
            self.tell(id, Event::ActionFinished { id: action, outcome: outcome.clone() });
        }
        self.settle();
    }

    /// Time goes by, deadlines are kept.
    pub(super) fn pass(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now_ms += 1;
            let now = Time::from_micros(self.now_ms * 1000);
            let due = |cluster: &Cluster| cluster.poll_timeout().is_some_and(|(at, _)| at <= now);
            let ids: Vec<NodeId> = self.nodes.iter().filter(|(_, c)| due(c)).map(|(id, _)| *id).collect();
            for id in ids {
                self.tell(id, Event::Tick);
            }
            self.settle();
        }
    }

    pub(super) fn propose(&mut self, id: NodeId, request: u64, command: Command) {
        self.tell(id, Event::Propose { request, command });
        self.settle();
    }

    /// Who has it on an interface.
    pub(super) fn holders(&self, vip: &str) -> Vec<NodeId> {
        self.on.iter().filter(|(_, vips)| vips.contains(vip)).map(|(id, _)| *id).collect()
    }

    pub(super) fn code(&self, request: u64) -> Option<ErrorCode> {
        self.answers.get(&request)?.as_ref().err().map(|failure| failure.code)
    }

    pub(super) fn applied(&self, request: u64) -> bool {
        matches!(self.answers.get(&request), Some(Ok(Answered::Applied(_))))
    }
}
