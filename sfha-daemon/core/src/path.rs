//! How the packets of the mesh reach each node: directly, or relayed by a node that both ends reach.
//!
//! Every daemon sends every other one a small datagram a second inside the tunnel (see [`wire`]), which is
//! answered. Three things come of it:
//!
//! * **Liveness.** A path is alive while it answers. Where a daemon is away the answers stop, but its
//!   machine's packets do not: a direct path counts as dead only when WireGuard hears nothing either.
//! * **Reports.** Each probe says what its sender sees of all others: where WireGuard hears them, whether the
//!   direct path works, how long it takes; and what they said about their path to the receiver. So two
//!   nodes that cannot hear each other hear of each other, without Corosync.
//! * **A choice of path**, the same on both ends. WireGuard accepts a source address from one peer only, so
//!   both must send through the same node. The node with the lower id decides for the pair and claims it in
//!   its reports; the other follows the newest claim it has heard, from whomever.
//!
//! ```text
//!            either end: nothing heard for SILENCE, and SETTLE later a relay has fresh reports of both
//!   Direct ───────────────────────────────────────────────────────────────────────────▶ Via(relay)
//!      ▲                                                                                    │   │
//!      ├── both ends: handshakes succeed again and again while relayed ─────────────────────┘   │
//!      └── the relay is lost and there is no other, or it does not forward ◀────────────────────┘
//! ```
//!
//! While relayed, the peer at the direct end carries nothing, so its session can be begun anew at will
//! ([`Action::Reset`]): a handshake that completes proves both directions, on any backend.
//!
//! Loops cannot form: a node accepts a source address from one peer only, the one it would send to, so a
//! packet that comes back to a node it has passed is dropped there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::peer::Peer;
use self::wire::{Claim, Datagram, Entry, Kind};
use crate::state::NodeId;
use crate::time::Time;

mod choice;
mod peer;
mod probing;
#[cfg(test)]
mod tests;
pub mod wire;

/// A direct path of which nothing is heard for so long is dead.
pub const SILENCE: Duration = Duration::from_millis(2500);

/// Between a path's death and the choice of a relay: until the others, too, would have noticed if it were
/// the node that died.
pub const SETTLE: Duration = Duration::from_millis(1200);

/// A path that answered within this time is connected.
const ALIVE: Duration = Duration::from_secs(3);

/// What a node said counts for so long after it was heard of.
const FRESH: Duration = Duration::from_secs(5);

/// A relay that brings no answers for so long is lost, or does not forward.
const RELAY_SILENCE: Duration = Duration::from_secs(4);

/// For how long such a relay is not chosen again.
const RELAY_AVOIDED: Duration = Duration::from_secs(60);

/// What a node is, as far as paths are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its address in the mesh.
    pub address: IpAddr,
    /// Where it may be reached, the most likely first: configured, resolved, or good before.
    pub endpoints: Vec<SocketAddr>,
}

/// What WireGuard tells of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// Where its packets go.
    pub endpoint: Option<SocketAddr>,
    /// When the last handshake was.
    pub handshake: Option<Time>,
    /// Bytes received.
    pub rx_bytes: u64,
}

/// The way to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Straight to it.
    Direct,
    /// Through that node.
    Via(NodeId),
}

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There was a handshake once, and the first question is still on its way: nobody can say yet. For a
    /// quarter of a second at most.
    Unknown,
    /// It answers.
    Connected,
    /// It answered, or had a handshake, once.
    Stale,
    /// It never did.
    Never,
}

/// One node's path, to be shown and applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whether it answers.
    pub health: Health,
    /// The way to it.
    pub route: Route,
    /// Smoothed round-trip time, while it answers.
    pub rtt: Option<Duration>,
    /// Share of the last sixty probes that got no answer, in thousandths; `None` until it has answered.
    pub loss_permille: Option<u16>,
    /// The direct path does not work, wherever it was looked for.
    pub direct_dead: bool,
}

/// What another node says about its path to a third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearsay {
    /// Who says it.
    pub from: NodeId,
    /// Where the path leads.
    pub to: NodeId,
    /// The node that relays, if the path is not direct.
    pub via: Option<NodeId>,
    /// Round-trip time, while it gets answers.
    pub rtt: Option<Duration>,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this to the node's mesh address.
    Send(NodeId, Datagram),
    /// Send the node's packets there from now on.
    Try(NodeId, SocketAddr),
    /// Begin the direct session anew, there if somewhere is named.
    Reset(NodeId, Option<SocketAddr>),
}

/// All paths of one node.
#[derive(Debug)]
pub struct Paths {
    me: NodeId,
    /// Claims are numbered by the seconds since 1970, so that they rise over restarts.
    unix: i64,
    peers: BTreeMap<NodeId, Peer>,
    actions: VecDeque<Action>,
}

impl Paths {
    /// Of a node that knows nobody yet. `unix`: seconds since 1970 at [`Time`] 0.
    #[must_use]
    pub fn new(me: NodeId, unix: i64) -> Self {
        Self { me, unix, peers: BTreeMap::new(), actions: VecDeque::new() }
    }

    /// The other nodes are these.
    pub fn set_members(&mut self, members: BTreeMap<NodeId, Member>, now: Time) {
        self.peers.retain(|id, _| members.contains_key(id));
        for (id, member) in members.into_iter().filter(|(id, _)| *id != self.me) {
            match self.peers.get_mut(&id) {
                Some(peer) => peer.member = member,
                None => {
                    let version = self.version(now);
                    self.peers.insert(id, Peer::new(member, version, now));
                }
            }
        }
    }

    /// The device, which outlives the daemon, sends this node's packets through that one.
    pub fn adopt(&mut self, node: NodeId, relay: NodeId, now: Time) {
        if self.peers.contains_key(&relay) && relay != node {
            self.switch(node, Route::Via(relay), now);
        }
    }

    /// What WireGuard tells now.
    pub fn observe(&mut self, observed: &BTreeMap<NodeId, Observation>, now: Time) {
        for (id, peer) in &mut self.peers {
            if let Some(observation) = observed.get(id) {
                peer.observe(*observation, now);
            }
        }
        self.decide(now);
    }

    /// A datagram came from that node's mesh address.
    pub fn receive(&mut self, from: NodeId, datagram: &Datagram, now: Time) {
        if !self.peers.contains_key(&from) {
            return;
        }
        match datagram.kind {
            Kind::Probe => {
                let answer = Datagram {
                    kind: Kind::Answer,
                    number: datagram.number,
                    stamp: datagram.stamp,
                    report: Vec::new(),
                };
                self.actions.push_back(Action::Send(from, answer));
                self.heard_report(from, &datagram.report, now);
                self.decide(now);
            }
            Kind::Answer => {
                let Some(peer) = self.peers.get_mut(&from) else { return };
                peer.answered(datagram.number, now);
                self.decide(now);
            }
        }
    }

    fn heard_report(&mut self, from: NodeId, report: &[Entry], now: Time) {
        let entries: BTreeMap<NodeId, Entry> =
            report.iter().map(|entry| (entry.node, entry.clone())).collect();
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let before = peer.report.replace((now, entries.clone()));
        let before = before.map(|(_, entries)| entries).unwrap_or_default();
        for (node, entry) in &entries {
            if *node == self.me {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.heard_claim(entry.claim, now);
                }
                continue;
            }
            let Some(other) = self.peers.get_mut(node).filter(|_| *node != from) else { continue };
            if let Some(hearsay) = entry.hearsay {
                other.heard_claim(hearsay, now);
            }
            // The one it is about may hear it from nobody else.
            if before.get(node).is_none_or(|before| before.claim != entry.claim) {
                other.probing.hurry(now);
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.decide(now);
    }

    /// The first thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Paths::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.peers.values().map(|peer| peer.probing.due()).min()
    }

    /// Every path.
    #[must_use]
    pub fn views(&self, now: Time) -> BTreeMap<NodeId, View> {
        self.peers.iter().map(|(id, peer)| (*id, peer.view(now))).collect()
    }

    /// What the others say about their paths, this node's end included, as long as it is news.
    #[must_use]
    pub fn hearsay(&self, now: Time) -> Vec<Hearsay> {
        let reports = self.peers.iter().filter_map(|(id, peer)| Some((*id, peer.fresh_report(now)?)));
        let said = |from: NodeId, entry: &Entry| Hearsay {
            from,
            to: entry.node,
            via: entry.claim.via,
            rtt: entry.rtt_us.map(|us| Duration::from_micros(us.into())),
        };
        reports.flat_map(|(from, report)| report.values().map(move |entry| said(from, entry))).collect()
    }

    /// The nodes that are not reached directly, and through whom.
    #[must_use]
    pub fn relays(&self) -> BTreeMap<NodeId, NodeId> {
        let via = |(id, peer): (&NodeId, &Peer)| match peer.route {
            Route::Direct => None,
            Route::Via(relay) => Some((*id, relay)),
        };
        self.peers.iter().filter_map(via).collect()
    }

    /// Somebody sends its packets through this node.
    #[must_use]
    pub fn is_relay(&self, now: Time) -> bool {
        let mut reports = self.peers.values().filter_map(|peer| peer.fresh_report(now));
        reports.any(|report| report.values().any(|entry| entry.claim.via == Some(self.me)))
    }

    /// Where direct packets to these nodes go, of paths that work: worth remembering.
    #[must_use]
    pub fn good_endpoints(&self, now: Time) -> BTreeMap<NodeId, SocketAddr> {
        let good = |(id, peer): (&NodeId, &Peer)| {
            let good = peer.route == Route::Direct && peer.is_connected(now);
            Some((*id, peer.observed.endpoint.filter(|_| good)?))
        };
        self.peers.iter().filter_map(good).collect()
    }

    /// After every input: verdicts, choices, then what is due.
    fn decide(&mut self, now: Time) {
        let ids: Vec<NodeId> = self.peers.keys().copied().collect();
        for id in &ids {
            let Some(peer) = self.peers.get_mut(id) else { continue };
            peer.judge(now);
            let route = self.choose(*id, now);
            self.switch(*id, route, now);
        }
        for id in &ids {
            self.claim(*id, now);
        }
        for id in &ids {
            self.seek(*id, now);
        }
        for id in ids {
            self.probe(id, now);
        }
    }

    fn switch(&mut self, node: NodeId, route: Route, now: Time) {
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.route != route) else { return };
        peer.switch(route, now);
        if self.me > node {
            // When both ends begin a handshake at the same moment, both may have to begin again.
            peer.next_attempt = peer.next_attempt + choice::CHECK / 2;
        }
    }

    /// Renews what is claimed about a node, and tells everybody at once when it has changed.
    fn claim(&mut self, node: NodeId, now: Time) {
        let version = self.version(now);
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let via = match peer.route {
            Route::Direct => None,
            Route::Via(relay) => Some(relay),
        };
        if (peer.claim.via, peer.claim.direct) == (via, peer.direct) {
            return;
        }
        let version = version.max(peer.claim.version + 1);
        peer.claim = Claim { via, direct: peer.direct, version };
        self.peers.values_mut().for_each(|peer| peer.probing.hurry(now));
    }

    fn version(&self, now: Time) -> u64 {
        let elapsed = i64::try_from(now.as_micros() / 1_000_000).unwrap_or(i64::MAX);
        u64::try_from(self.unix.saturating_add(elapsed)).unwrap_or(0)
    }

    fn probe(&mut self, node: NodeId, now: Time) {
        let Some(number) = self.peers.get_mut(&node).and_then(|peer| peer.probing.send(now)) else { return };
        let report = self.report_for(node, now);
        let datagram = Datagram { kind: Kind::Probe, number, stamp: now.as_micros(), report };
        self.actions.push_back(Action::Send(node, datagram));
    }

    fn report_for(&self, receiver: NodeId, now: Time) -> Vec<Entry> {
        let entry = |(id, peer): (&NodeId, &Peer)| {
            let direct = peer.route == Route::Direct && peer.is_connected(now);
            Entry {
                node: *id,
                claim: peer.claim,
                rtt_us: peer.rtt(now).map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)),
                hearsay: peer.news_about(receiver, now).filter(|_| *id != receiver),
                endpoint: peer.observed.endpoint.filter(|_| direct && *id != receiver),
            }
        };
        self.peers.iter().map(entry).collect()
    }

    /// Every address inside the tunnel: no packet of the tunnel itself can go there.
    fn inside(&self) -> BTreeSet<IpAddr> {
        self.peers.values().map(|peer| peer.member.address).collect()
    }
}
