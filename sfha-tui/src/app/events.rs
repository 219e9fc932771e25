//! What has happened, told by the difference between one state of the cluster and the next, and what
//! followed from what.

use std::collections::VecDeque;

use jiff::Timestamp;
use sfha_proto::mesh::{MeshStatus, PeerState};
use sfha_proto::status::{ClusterStatus, NodeStatus, VipState};

use crate::t;
use crate::words::{self, Tone};

/// Events kept.
const KEPT: usize = 500;
/// What follows from something follows within this time, in seconds.
const CONSEQUENCE_S: i64 = 60;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quorum, leader, maintenance, the connection to the daemon.
    Cluster,
    /// A node.
    Node,
    /// A VIP.
    Vip,
    /// A service.
    Service,
    /// A health check.
    Check,
    /// A path of the mesh.
    Mesh,
    /// Fencing.
    Fencing,
}

impl Kind {
    /// One word.
    pub fn label(self) -> String {
        match self {
            Self::Cluster => t!("kind-cluster"),
            Self::Node => t!("kind-node"),
            Self::Vip => t!("kind-vip"),
            Self::Service => t!("kind-service"),
            Self::Check => t!("kind-check"),
            Self::Mesh => t!("kind-mesh"),
            Self::Fencing => t!("kind-fencing"),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, rising.
    pub id: u64,
    /// When it was heard of here.
    pub at: Timestamp,
    /// Good or bad news.
    pub tone: Tone,
    /// What it is about.
    pub kind: Kind,
    /// The thing's name.
    pub subject: String,
    /// The sentence.
    pub text: String,
    /// The event that it followed from.
    pub cause: Option<u64>,
}

/// The latest events.
#[derive(Debug, Clone, Default)]
pub struct Events {
    kept: VecDeque<Event>,
    last: u64,
}

impl Events {
    /// All of them, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.kept.iter()
    }

    /// The event of that number, if it is still kept.
    pub fn get(&self, id: u64) -> Option<&Event> {
        self.kept.iter().find(|event| event.id == id)
    }

    /// What led to the event, the event itself, and what followed; each with its depth.
    pub fn chain(&self, id: u64) -> Vec<(usize, &Event)> {
        let mut root = id;
        while let Some(cause) =
            self.get(root).and_then(|event| event.cause).filter(|c| self.get(*c).is_some())
        {
            root = cause;
        }
        let mut chain = Vec::new();
        self.follow(root, 0, &mut chain);
        chain
    }

    fn follow<'a>(&'a self, id: u64, depth: usize, into: &mut Vec<(usize, &'a Event)>) {
        into.extend(self.get(id).map(|event| (depth, event)));
        let next: Vec<u64> = self.kept.iter().filter(|e| e.cause == Some(id)).map(|e| e.id).collect();
        next.into_iter().for_each(|id| self.follow(id, depth + 1, into));
    }

    /// Adds one.
    pub fn push(
        &mut self,
        at: Timestamp,
        tone: Tone,
        kind: Kind,
        subject: &str,
        text: String,
        cause: Option<u64>,
    ) {
        self.last += 1;
        let subject = subject.to_owned();
        self.kept.push_back(Event { id: self.last, at, tone, kind, subject, text, cause });
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The latest news of a node, if it is recent enough to have consequences now.
    fn blame(&self, node: Option<&str>, at: Timestamp) -> Option<u64> {
        let node = node?;
        let about =
            |event: &&Event| matches!(event.kind, Kind::Node | Kind::Fencing) && event.subject == node;
        let event = self.kept.iter().rev().find(about)?;
        (at.as_second() - event.at.as_second() <= CONSEQUENCE_S).then_some(event.id)
    }

    /// The latest event about that thing, if it is recent.
    fn before(&self, kind: Kind, subject: &str, at: Timestamp) -> Option<u64> {
        let event = self.kept.iter().rev().find(|event| event.kind == kind && event.subject == subject)?;
        (at.as_second() - event.at.as_second() <= CONSEQUENCE_S).then_some(event.id)
    }

    /// Takes the difference between two states.
    pub fn compare(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        if old.cluster != new.cluster || old.node != new.node {
            return;
        }
        self.nodes(old, new, at);
        self.cluster(old, new, at);
        self.fencing(old, new, at);
        self.vips(old, new, at);
        self.services(old, new, at);
    }

    fn nodes(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        for node in &new.nodes {
            let name = node.name.as_str();
            let Some(was) = old.nodes.iter().find(|n| n.name == node.name) else {
                self.push(at, Tone::Good, Kind::Node, name, t!("event-node-added", node = name), None);
                continue;
            };
            let state = |n: &NodeStatus| (n.online, n.online && n.daemon);
            let news = match (state(was), state(node)) {
                ((true, _), (false, _)) => Some((Tone::Bad, t!("event-node-lost", node = name))),
                ((false, _), (true, true)) => Some((Tone::Good, t!("event-node-back", node = name))),
                ((_, true), (true, false)) => Some((Tone::Bad, t!("event-daemon-lost", node = name))),
                ((true, false), (true, true)) => Some((Tone::Good, t!("event-daemon-back", node = name))),
                _ => None,
            };
            if let Some((tone, text)) = news {
                self.push(at, tone, Kind::Node, name, text, None);
            }
            if was.standby != node.standby {
                let (tone, text) = if node.standby {
                    (Tone::Warn, t!("event-standby", node = name))
                } else {
                    (Tone::Good, t!("event-unstandby", node = name))
                };
                self.push(at, tone, Kind::Node, name, text, None);
            }
        }
        for node in old.nodes.iter().filter(|n| !new.nodes.iter().any(|m| m.name == n.name)) {
            let name = node.name.as_str();
            self.push(at, Tone::Warn, Kind::Node, name, t!("event-node-removed", node = name), None);
        }
    }

    fn cluster(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        if old.quorum.quorate != new.quorum.quorate {
            let (tone, text) = if new.quorum.quorate {
                (Tone::Good, t!("event-quorum"))
            } else {
                (Tone::Bad, t!("event-no-quorum"))
            };
            let lost = new.nodes.iter().find(|node| !node.online).map(|node| node.name.as_str());
            let cause = if new.quorum.quorate { None } else { self.blame(lost, at) };
            self.push(at, tone, Kind::Cluster, "", text, cause);
        }
        if old.leader != new.leader {
            let cause = self.blame(old.leader.as_deref(), at);
            let (tone, text) = match &new.leader {
                Some(leader) => (Tone::Plain, t!("event-leader", node = leader.as_str())),
                None => (Tone::Warn, t!("event-no-leader")),
            };
            self.push(at, tone, Kind::Cluster, "", text, cause);
        }
        if old.maintenance != new.maintenance {
            let (tone, text) = if new.maintenance {
                (Tone::Warn, t!("event-maintenance-on"))
            } else {
                (Tone::Good, t!("event-maintenance-off"))
            };
            self.push(at, tone, Kind::Cluster, "", text, None);
        }
    }

    fn fencing(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        let (was, is) = (&old.fencing.pending, &new.fencing.pending);
        for node in is.iter().filter(|node| !was.contains(node)) {
            let cause = self.blame(Some(node), at);
            let text = t!("event-fencing", node = node.as_str());
            self.push(at, Tone::Bad, Kind::Fencing, node, text, cause);
        }
        for node in was.iter().filter(|node| !is.contains(node)) {
            let cause = self.before(Kind::Fencing, node, at);
            let text = t!("event-fencing-over", node = node.as_str());
            self.push(at, Tone::Warn, Kind::Fencing, node, text, cause);
        }
    }

    fn vips(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        for vip in &new.vips {
            let name = vip.name.as_str();
            let Some(was) = old.vips.iter().find(|v| v.name == vip.name) else {
                self.push(at, Tone::Good, Kind::Vip, name, t!("event-vip-added", name = name), None);
                continue;
            };
            let cause = self.before(Kind::Vip, name, at).or_else(|| self.blame(was.holder.as_deref(), at));
            if vip.problem != was.problem
                && let Some(problem) = &vip.problem
            {
                let why = words::problem(problem);
                let text = t!("event-vip-problem", name = name, why = why);
                self.push(at, Tone::Bad, Kind::Vip, name, text, cause);
            }
            if was.state == VipState::Active && vip.state != VipState::Active {
                let (tone, state) = words::vip(vip);
                let text = t!("event-vip-state", name = name, state = state);
                let cause = self.blame(was.holder.as_deref(), at);
                self.push(at, tone, Kind::Vip, name, text, cause);
            }
            let arrived =
                vip.state == VipState::Active && (was.state != VipState::Active || was.holder != vip.holder);
            if let Some(holder) = vip.holder.as_deref().filter(|_| arrived) {
                let text = t!("event-vip-active", name = name, node = holder);
                self.push(at, Tone::Good, Kind::Vip, name, text, cause);
            }
        }
        for vip in old.vips.iter().filter(|v| !new.vips.iter().any(|w| w.name == v.name)) {
            let text = t!("event-vip-removed", name = vip.name.as_str());
            self.push(at, Tone::Warn, Kind::Vip, &vip.name, text, None);
        }
    }

    fn services(&mut self, old: &ClusterStatus, new: &ClusterStatus, at: Timestamp) {
        for check in &new.health {
            let was = old.health.iter().find(|c| c.name == check.name).and_then(|c| c.healthy);
            let name = check.name.as_str();
            match (was, check.healthy) {
                (Some(true) | None, Some(false)) => {
                    let text = t!("event-check-bad", name = name);
                    self.push(at, Tone::Bad, Kind::Check, name, text, None);
                }
                (Some(false), Some(true)) => {
                    let cause = self.before(Kind::Check, name, at);
                    let text = t!("event-check-good", name = name);
                    self.push(at, Tone::Good, Kind::Check, name, text, cause);
                }
                _ => {}
            }
        }
        for service in &new.services {
            let name = service.name.as_str();
            let Some(was) = old.services.iter().find(|s| s.name == service.name) else {
                self.push(at, Tone::Good, Kind::Service, name, t!("event-service-added", name = name), None);
                continue;
            };
            if was.state == service.state && was.holder == service.holder {
                continue;
            }
            let moved = self.before(Kind::Service, name, at);
            let cause = moved.or_else(|| self.blame(was.holder.as_deref(), at));
            let (tone, state) = words::service(&service.state);
            let text = match service.holder.as_deref() {
                Some(node) => t!("event-service-on", name = name, state = state, node = node),
                None => t!("event-service", name = name, state = state),
            };
            self.push(at, tone, Kind::Service, name, text, cause);
        }
        for service in old.services.iter().filter(|s| !new.services.iter().any(|n| n.name == s.name)) {
            let text = t!("event-service-removed", name = service.name.as_str());
            self.push(at, Tone::Warn, Kind::Service, &service.name, text, None);
        }
    }

    /// Takes the difference between two states of the mesh.
    pub fn compare_mesh(&mut self, old: &MeshStatus, new: &MeshStatus, at: Timestamp) {
        for peer in &new.peers {
            let Some(was) = old.peers.iter().find(|p| p.name == peer.name) else { continue };
            let name = peer.name.as_str();
            let up = |state| state == PeerState::Connected;
            match (up(was.state), up(peer.state)) {
                (true, false) => {
                    let text = t!("event-peer-stale", node = name);
                    self.push(at, Tone::Bad, Kind::Mesh, name, text, None);
                }
                (false, true) => {
                    let cause = self.before(Kind::Mesh, name, at);
                    let text = t!("event-peer-connected", node = name);
                    self.push(at, Tone::Good, Kind::Mesh, name, text, cause);
                }
                _ => {}
            }
            if was.path != peer.path {
                let cause = self.before(Kind::Mesh, name, at);
                let text = t!("event-peer-path", node = name, path = words::path(&peer.path));
                let tone = if peer.path == "direct" { Tone::Good } else { Tone::Warn };
                self.push(at, tone, Kind::Mesh, name, text, cause);
            }
            if was.public_key != peer.public_key {
                let text = t!("event-peer-key", node = name);
                self.push(at, Tone::Plain, Kind::Mesh, name, text, None);
            }
        }
    }
}
