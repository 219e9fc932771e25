//! What has happened, told by the difference between one status and the next; what followed from what; and how
//! long it lasted.
//!
//! A chain begins with what came from outside (a node lost, an operator's word) and goes on with its
//! consequences: whoever is told that a VIP moved in 412 ms is also told why. The cause of an event is, in this
//! order:
//!
//! 1. the event that began the state which this one ends (`vip-lost` before `vip-moved`);
//! 2. the last news, if it is recent, of what it depends on: the service's check, the node it was on;
//! 3. the loss of quorum, if it is recent.
//!
//! What is never told: changes that this node sees only because it has just started or has just been let in, or
//! that are no more than not knowing for a moment (Corosync away, members agreeing on the state).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sfha_proto::history::{EventKind, HistoryEvent};
use sfha_proto::mesh::{LinkStatus, MeshStatus, PeerState};
use sfha_proto::status::{ClusterStatus, NodeStatus, Phase, ServiceStatus, VipState, VipStatus};

use crate::fencing::FencingState;
use crate::time::Time;

mod fencings;
mod resources;
#[cfg(test)]
mod tests;

/// What follows from something, and is not the end of it, follows within this time.
const CONSEQUENCE: Duration = Duration::from_secs(60);

/// Events that are looked through for a cause.
const RECENT: usize = 256;

/// When something was seen.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For durations.
    pub at: Time,
    /// For people.
    pub clock: Timestamp,
}

/// Something that lasts until an event ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lasting {
    NodeAway,
    DaemonAway,
    Standby,
    CorosyncAway,
    NoQuorum,
    Maintenance,
    VipAway,
    VipConflict,
    ServiceAway,
    CheckBad,
    PeerAway,
    LinkAway,
    Fencing,
    FencingUntested,
}

/// How it began.
#[derive(Debug, Clone)]
struct Begin {
    at: Time,
    /// The event that told it; `None` where its beginning was no event, as of a move in order.
    event: Option<u64>,
    /// The node that had it.
    from: Option<String>,
    /// What it was put down to.
    cause: Option<u64>,
}

/// An event as it is being put together.
#[derive(Debug, Clone)]
struct Draft {
    kind: EventKind,
    node: Option<String>,
    resource: Option<String>,
    from: Option<String>,
    to: Option<String>,
    detail: Option<String>,
    duration: Option<Duration>,
    cause: Option<u64>,
}

impl Draft {
    fn new(kind: EventKind) -> Self {
        let (node, resource, from, to) = (None, None, None, None);
        Self { kind, node, resource, from, to, detail: None, duration: None, cause: None }
    }

    fn node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    fn resource(self, name: &str) -> Self {
        Self { resource: Some(name.to_owned()), ..self }
    }

    fn moved(self, from: Option<&str>, to: Option<&str>) -> Self {
        Self { from: from.map(str::to_owned), to: to.map(str::to_owned), ..self }
    }

    fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    fn cause(self, cause: Option<u64>) -> Self {
        Self { cause: self.cause.or(cause), ..self }
    }

    /// As the end of what began so.
    fn ending(self, begin: Option<&Begin>, now: Time) -> Self {
        let Some(begin) = begin else { return self };
        Self { duration: Some(now.since(begin.at)), cause: begin.event.or(begin.cause), ..self }
    }
}

/// A recent event, as far as it may be a cause.
#[derive(Debug, Clone)]
struct Recent {
    id: u64,
    chain: u64,
    at: Time,
    kind: EventKind,
    node: Option<String>,
    resource: Option<String>,
}

/// Follows the statuses of one node.
#[derive(Debug)]
pub struct Tracker {
    me: String,
    last: u64,
    /// The status that nodes, quorum and leader were compared with last.
    group: Option<Arc<ClusterStatus>>,
    /// The same for VIPs, services, checks and flags.
    resources: Option<Arc<ClusterStatus>>,
    mesh: Option<Arc<MeshStatus>>,
    links: Option<Vec<LinkStatus>>,
    /// How many entries the history of fencings had, and whether this node was in step then.
    fencings: Option<(u64, bool)>,
    /// What the members knew of fencings then.
    fencing_state: FencingState,
    /// A step of a fencing is why the state has another version.
    fencing_changed: bool,
    lasting: BTreeMap<(Lasting, String), Begin>,
    recent: VecDeque<Recent>,
    told: Vec<HistoryEvent>,
    now: Moment,
}

impl Tracker {
    /// Of the node `me`, whose last event before had the number `last`.
    #[must_use]
    pub fn new(me: &str, last: u64) -> Self {
        Self {
            me: me.to_owned(),
            last,
            group: None,
            resources: None,
            mesh: None,
            links: None,
            fencings: None,
            fencing_state: FencingState::default(),
            fencing_changed: false,
            lasting: BTreeMap::new(),
            recent: VecDeque::new(),
            told: Vec::new(),
            now: Moment { at: Time::default(), clock: Timestamp::UNIX_EPOCH },
        }
    }

    /// The daemon has started.
    pub fn started(&mut self, version: &str, now: Moment) -> Vec<HistoryEvent> {
        self.now = now;
        let me = self.me.clone();
        self.tell(Draft::new(EventKind::DaemonStarted).node(&me).detail(version));
        std::mem::take(&mut self.told)
    }

    /// The cluster is like this now.
    pub fn status(&mut self, status: &Arc<ClusterStatus>, now: Moment) -> Vec<HistoryEvent> {
        self.now = now;
        match status.phase {
            Phase::Unconfigured | Phase::Leaving => {}
            Phase::Disconnected => self.disconnected(),
            Phase::Synchronising | Phase::Inquorate | Phase::Operational => self.connected(status),
        }
        std::mem::take(&mut self.told)
    }

    /// Corosync cannot be reached: what was known of the others stays as it was.
    fn disconnected(&mut self) {
        if self.group.is_none() || self.has_begun(Lasting::CorosyncAway, "") {
            return;
        }
        let me = self.me.clone();
        let id = self.tell(Draft::new(EventKind::CorosyncLost).node(&me));
        self.begin(Lasting::CorosyncAway, "", Some(id), None, None);
        self.quorum_lost(Some(id));
    }

    fn connected(&mut self, status: &Arc<ClusterStatus>) {
        let settled = status.phase != Phase::Synchronising;
        if self.has_begun(Lasting::CorosyncAway, "") && settled {
            let begin = self.end(Lasting::CorosyncAway, "");
            let me = self.me.clone();
            let back = Draft::new(EventKind::CorosyncBack).node(&me).ending(begin.as_ref(), self.now.at);
            self.tell(back);
        }
        match self.group.clone() {
            Some(before) => self.nodes(&before, status),
            // A node that starts sees the others come one by one: nothing has happened yet.
            None if status.phase != Phase::Operational => return,
            None => {}
        }
        if settled {
            if let Some(before) = self.group.clone() {
                self.quorum(status);
                self.leader(&before, status);
            }
            self.fencing(status);
            self.fencing_alerts(status);
            match self.resources.clone() {
                Some(before) => self.compare_resources(&before, status),
                None => self.first_resources(status),
            }
            self.resources = Some(Arc::clone(status));
            self.group = Some(Arc::clone(status));
        } else if let Some(before) = self.group.take() {
            // Nodes are known, the rest is not.
            let mut known = (**status).clone();
            known.leader.clone_from(&before.leader);
            self.group = Some(Arc::new(known));
        }
    }

    fn nodes(&mut self, before: &ClusterStatus, status: &ClusterStatus) {
        let state = |node: &NodeStatus| (node.online, node.online && node.daemon);
        for node in &status.nodes {
            let name = node.name.as_str();
            let Some(was) = before.nodes.iter().find(|was| was.name == node.name) else {
                self.tell(Draft::new(EventKind::NodeAdded).node(name));
                continue;
            };
            match (state(was), state(node)) {
                ((true, _), (false, _)) => {
                    self.end(Lasting::DaemonAway, name);
                    self.lost(EventKind::NodeLost, Lasting::NodeAway, name);
                }
                ((_, true), (true, false)) => {
                    self.lost(EventKind::DaemonLost, Lasting::DaemonAway, name);
                }
                ((_, false), (true, true)) => {
                    let node = self.end(Lasting::NodeAway, name);
                    let (kind, begin) = match (node, self.end(Lasting::DaemonAway, name)) {
                        (None, begin @ Some(_)) => (EventKind::DaemonBack, begin),
                        (begin, _) => (EventKind::NodeBack, begin),
                    };
                    let back = Draft::new(kind).node(name).ending(begin.as_ref(), self.now.at);
                    self.tell(back);
                }
                _ => {}
            }
            match (was.standby, node.standby) {
                (false, true) => {
                    self.lost(EventKind::StandbyOn, Lasting::Standby, name);
                }
                (true, false) => {
                    let begin = self.end(Lasting::Standby, name);
                    let over = Draft::new(EventKind::StandbyOff).node(name);
                    self.tell(over.ending(begin.as_ref(), self.now.at));
                }
                _ => {}
            }
        }
        for node in before.nodes.iter().filter(|node| status.nodes.iter().all(|is| is.name != node.name)) {
            let draft = Draft::new(EventKind::NodeRemoved).node(&node.name);
            let begin = self.end(Lasting::NodeAway, &node.name);
            self.tell(draft.cause(begin.and_then(|begin| begin.event)));
        }
    }

    fn lost(&mut self, kind: EventKind, lasting: Lasting, node: &str) {
        let id = self.tell(Draft::new(kind).node(node));
        self.begin(lasting, node, Some(id), None, None);
    }

    fn quorum(&mut self, status: &ClusterStatus) {
        if !status.quorum.quorate {
            let cause = status.nodes.iter().filter(|node| !node.online);
            let cause = cause.filter_map(|node| self.blame(Some(&node.name))).max();
            self.quorum_lost(cause);
        } else if let Some(begin) = self.end(Lasting::NoQuorum, "") {
            self.tell(Draft::new(EventKind::QuorumRegained).ending(Some(&begin), self.now.at));
        }
    }

    fn quorum_lost(&mut self, cause: Option<u64>) {
        if !self.has_begun(Lasting::NoQuorum, "") {
            let id = self.tell(Draft::new(EventKind::QuorumLost).cause(cause));
            self.begin(Lasting::NoQuorum, "", Some(id), None, None);
        }
    }

    fn leader(&mut self, before: &ClusterStatus, status: &ClusterStatus) {
        let (from, to) = (before.leader.as_deref(), status.leader.as_deref());
        if from != to {
            let cause = self.blame(from).or_else(|| self.quorum_news());
            let draft = Draft::new(EventKind::LeaderChanged).moved(from, to).cause(cause);
            self.tell(Draft { node: to.map(str::to_owned), ..draft });
        }
    }

    /// The mesh is like this now.
    pub fn mesh(&mut self, mesh: &Arc<MeshStatus>, now: Moment) -> Vec<HistoryEvent> {
        self.now = now;
        if let Some(before) = self.mesh.replace(Arc::clone(mesh)) {
            for peer in &mesh.peers {
                let Some(was) = before.peers.iter().find(|was| was.name == peer.name) else { continue };
                let name = peer.name.as_str();
                let connected = |state| state == PeerState::Connected;
                match (connected(was.state), connected(peer.state)) {
                    (true, false) => {
                        let cause = self.blame(Some(name));
                        let id = self.tell(Draft::new(EventKind::PeerLost).node(name).cause(cause));
                        self.begin(Lasting::PeerAway, name, Some(id), None, None);
                    }
                    (false, true) => {
                        let begin = self.end(Lasting::PeerAway, name);
                        let draft = Draft::new(EventKind::PeerConnected).node(name);
                        self.tell(draft.ending(begin.as_ref(), self.now.at));
                    }
                    _ => {}
                }
                if was.path != peer.path {
                    let cause = self.news(|event| {
                        event.kind == EventKind::PeerLost && event.node.as_deref() == Some(name)
                    });
                    let draft = Draft::new(EventKind::PeerPath).node(name).cause(cause);
                    self.tell(draft.moved(Some(&was.path), Some(&peer.path)));
                }
                if was.public_key != peer.public_key {
                    self.tell(Draft::new(EventKind::PeerKey).node(name));
                }
            }
        }
        std::mem::take(&mut self.told)
    }

    /// Corosync's links are like this now.
    pub fn links(&mut self, links: &[LinkStatus], now: Moment) -> Vec<HistoryEvent> {
        self.now = now;
        if let Some(before) = self.links.replace(links.to_vec()) {
            for link in links {
                let Some(was) = before.iter().find(|was| was.name == link.name) else { continue };
                let key = |node: &str| format!("{} {node}", link.name);
                for node in link.down.iter().filter(|node| !was.down.contains(node)) {
                    let id = self.tell(Draft::new(EventKind::LinkLost).node(node).resource(&link.name));
                    self.begin(Lasting::LinkAway, &key(node), Some(id), None, None);
                }
                for node in was.down.iter().filter(|node| !link.down.contains(node)) {
                    let begin = self.end(Lasting::LinkAway, &key(node));
                    let draft = Draft::new(EventKind::LinkBack).node(node).resource(&link.name);
                    self.tell(draft.ending(begin.as_ref(), self.now.at));
                }
            }
        }
        std::mem::take(&mut self.told)
    }

    /// Number of the last event that may have consequences now and is like this.
    fn news(&self, is: impl Fn(&Recent) -> bool) -> Option<u64> {
        let now = self.now.at;
        let fresh = self.recent.iter().rev().take_while(|event| now.since(event.at) <= CONSEQUENCE);
        fresh.filter(|event| is(event)).map(|event| event.id).next()
    }

    /// The last news of a node that make it lose what it has.
    fn blame(&self, node: Option<&str>) -> Option<u64> {
        let node = node?;
        let kinds = [
            EventKind::NodeLost,
            EventKind::DaemonLost,
            EventKind::StandbyOn,
            EventKind::NodeRemoved,
            EventKind::CorosyncLost,
        ];
        self.news(|event| kinds.contains(&event.kind) && event.node.as_deref() == Some(node))
    }

    fn quorum_news(&self) -> Option<u64> {
        let kinds = [EventKind::QuorumLost, EventKind::QuorumRegained];
        self.news(|event| kinds.contains(&event.kind))
    }

    fn time_of(&self, id: u64) -> Option<Time> {
        self.recent.iter().find(|event| event.id == id).map(|event| event.at)
    }

    fn has_begun(&self, what: Lasting, name: &str) -> bool {
        self.lasting.contains_key(&(what, name.to_owned()))
    }

    fn begin(
        &mut self,
        what: Lasting,
        name: &str,
        event: Option<u64>,
        from: Option<&str>,
        cause: Option<u64>,
    ) {
        // A loss counts from when its cause was seen.
        let at = cause.and_then(|cause| self.time_of(cause)).unwrap_or(self.now.at);
        let begin = Begin { at, event, from: from.map(str::to_owned), cause };
        self.lasting.insert((what, name.to_owned()), begin);
    }

    fn end(&mut self, what: Lasting, name: &str) -> Option<Begin> {
        self.lasting.remove(&(what, name.to_owned()))
    }

    fn tell(&mut self, draft: Draft) -> u64 {
        self.last += 1;
        let id = self.last;
        let root = draft.cause.and_then(|cause| self.recent.iter().find(|event| event.id == cause));
        let chain = root.map(|event| event.chain).or(draft.cause).unwrap_or(id);
        self.recent.push_back(Recent {
            id,
            chain,
            at: self.now.at,
            kind: draft.kind,
            node: draft.node.clone(),
            resource: draft.resource.clone(),
        });
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.told.push(HistoryEvent {
            id,
            time: format!("{:.3}", self.now.clock),
            kind: draft.kind,
            level: draft.kind.level(),
            seen_by: self.me.clone(),
            node: draft.node,
            resource: draft.resource,
            from: draft.from,
            to: draft.to,
            detail: draft.detail,
            duration_ms: draft.duration.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            cause: draft.cause,
            chain,
        });
        id
    }
}
