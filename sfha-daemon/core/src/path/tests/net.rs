//! An invented underlay with NAT, and a WireGuard that is just good enough.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use super::super::wire::Datagram;
use super::super::{Action, Member, Observation, Paths, Route};
use crate::state::NodeId;
use crate::time::Time;

pub const MS: u64 = 1000;

/// The mesh address of a node, and where it says it can be reached.
pub fn member(id: NodeId) -> Member {
    Member {
        address: format!("10.100.0.{id}").parse().unwrap(),
        endpoints: vec![format!("192.0.2.{id}:51820").parse().unwrap()],
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    None,
    Cone,
    Symmetric,
}

#[derive(Debug, Clone)]
enum Packet {
    Init { session: u64 },
    Response { session: u64 },
    Data { session: u64, inner: Option<Inner> },
}

#[derive(Debug, Clone)]
struct Inner {
    from: NodeId,
    to: NodeId,
    /// The nodes it has passed.
    passed: Vec<NodeId>,
    /// `None`: Corosync's, which goes on without the daemon.
    datagram: Option<Datagram>,
}

#[derive(Debug, Default)]
struct WgPeer {
    endpoint: Option<SocketAddr>,
    session: Option<(u64, u64)>,
    /// As WireGuard, which keeps the one before: both ends may have begun at once.
    previous: Option<u64>,
    offered: Option<u64>,
    initiated: Option<(u64, u64)>,
    wants: bool,
    handshake: Option<u64>,
    received: u64,
    unanswered_since: Option<u64>,
    rx_bytes: u64,
}

impl WgPeer {
    fn begin(&mut self, session: u64, now: u64) {
        self.previous = self.session.replace((session, now)).map(|(session, _)| session);
    }
}

pub struct Machine {
    pub paths: Paths,
    pub nat: Nat,
    port: u16,
    /// Outside port and last use, by destination.
    mappings: BTreeMap<SocketAddr, (u16, u64)>,
    peers: BTreeMap<NodeId, WgPeer>,
    /// The daemon runs.
    pub up: bool,
    pub forwards: bool,
    pub switches: Vec<(u64, NodeId, Route)>,
}

enum Coming {
    Packet(NodeId, SocketAddr, NodeId, Packet),
    Look(NodeId),
    Timeout(NodeId),
}

struct Entry(u64, u64, Coming);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub struct Net {
    pub now: u64,
    pub nodes: BTreeMap<NodeId, Machine>,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub loss_permille: u64,
    latency: BTreeMap<(NodeId, NodeId), u64>,
    coming: BinaryHeap<Reverse<Entry>>,
    count: u64,
    seed: u64,
    /// Packets that came back to a node they had passed.
    pub loops: u32,
}

impl Net {
    pub fn new(seed: u64, nats: &[Nat]) -> Self {
        let mut net = Self {
            now: 0,
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            loss_permille: 0,
            latency: BTreeMap::new(),
            coming: BinaryHeap::new(),
            count: 0,
            seed,
            loops: 0,
        };
        let ids: Vec<NodeId> = (1..).take(nats.len()).collect();
        for (id, nat) in ids.iter().copied().zip(nats) {
            for other in ids.iter().copied().filter(|other| *other < id) {
                let ms = 1 + net.below(30);
                net.latency.insert((other, id), ms);
                net.latency.insert((id, other), ms);
            }
            let machine = Machine {
                paths: Paths::new(id, 1_000_000),
                nat: *nat,
                port: 51820,
                mappings: BTreeMap::new(),
                peers: BTreeMap::new(),
                up: true,
                forwards: true,
                switches: Vec::new(),
            };
            net.nodes.insert(id, machine);
        }
        let members: BTreeMap<NodeId, Member> = ids.iter().map(|id| (*id, member(*id))).collect();
        for id in ids {
            let now = net.time();
            let machine = net.nodes.get_mut(&id).unwrap();
            machine.paths.set_members(members.clone(), now);
            for (other, member) in members.iter().filter(|(other, _)| **other != id) {
                let endpoint = member.endpoints.first().copied();
                machine.peers.insert(*other, WgPeer { endpoint, ..WgPeer::default() });
            }
            let wait = net.below(1000);
            net.after(wait * MS, Coming::Look(id));
        }
        net
    }

    /// SplitMix64.
    pub fn below(&mut self, n: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn time(&self) -> Time {
        Time::from_micros(self.now)
    }

    fn after(&mut self, wait: u64, coming: Coming) {
        self.count += 1;
        self.coming.push(Reverse(Entry(self.now + wait, self.count, coming)));
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + u64::try_from(time.as_micros()).unwrap();
        while let Some(Reverse(entry)) = self.coming.pop() {
            if entry.0 > end {
                self.coming.push(Reverse(entry));
                break;
            }
            self.now = entry.0;
            match entry.2 {
                Coming::Packet(from, source, to, packet) => self.arrive(from, source, to, packet),
                Coming::Look(id) => self.look(id),
                Coming::Timeout(id) => {
                    let now = self.time();
                    let machine = self.nodes.get_mut(&id).unwrap();
                    if machine.up && machine.paths.poll_timeout().is_some_and(|due| due <= now) {
                        machine.paths.handle_timeout(now);
                        self.drain(id);
                    }
                }
            }
        }
        self.now = end;
    }

    pub fn route(&self, from: NodeId, to: NodeId) -> Route {
        self.nodes[&from].paths.relays().get(&to).map_or(Route::Direct, |relay| Route::Via(*relay))
    }

    /// The NAT forgets: what comes next goes out of another port.
    pub fn rebind(&mut self, id: NodeId) {
        let machine = self.nodes.get_mut(&id).unwrap();
        machine.mappings.clear();
        machine.port += 1;
    }

    /// Everything of the daemon is forgotten; the device stays.
    pub fn restart(&mut self, id: NodeId) {
        let now = self.time();
        let members: BTreeMap<NodeId, Member> = self.nodes.keys().map(|id| (*id, member(*id))).collect();
        let machine = self.nodes.get_mut(&id).unwrap();
        let relays = machine.paths.relays();
        machine.paths = Paths::new(id, 1_000_000);
        machine.paths.set_members(members, now);
        for (node, relay) in relays {
            machine.paths.adopt(node, relay, now);
        }
        machine.up = true;
        self.drain(id);
    }

    fn look(&mut self, id: NodeId) {
        self.after(1000 * MS, Coming::Look(id));
        let now = self.now;
        let peers: Vec<NodeId> = self.nodes[&id].peers.keys().copied().collect();
        let routes = self.applied(id);
        for peer in peers {
            let noise = Inner { from: id, to: peer, passed: vec![id], datagram: None };
            self.route_inner(id, noise, routes[&peer]);
            let wg = self.nodes.get_mut(&id).unwrap().peers.get_mut(&peer).unwrap();
            // New handshake: data went out and nothing came back for 15 s, or it was asked for.
            if wg.unanswered_since.is_some_and(|since| now - since > 15_000 * MS) {
                wg.unanswered_since = None;
                wg.wants = true;
            }
            self.initiate(id, peer);
        }
        let now = self.time();
        let machine = self.nodes.get_mut(&id).unwrap();
        let observe = |(id, wg): (&NodeId, &WgPeer)| {
            let handshake = wg.handshake.map(Time::from_micros);
            (*id, Observation { endpoint: wg.endpoint, handshake, rx_bytes: wg.rx_bytes })
        };
        let observed = machine.peers.iter().map(observe).collect();
        if machine.up {
            machine.paths.observe(&observed, now);
            self.drain(id);
        }
    }

    fn drain(&mut self, id: NodeId) {
        let before: BTreeMap<NodeId, Route> = self.applied(id);
        while let Some(action) = self.nodes.get_mut(&id).unwrap().paths.poll_action() {
            match action {
                Action::Send(to, datagram) => {
                    let datagram = Some(Datagram::parse(&datagram.encode()).unwrap());
                    // Sent before the new routes are applied.
                    let via = before.get(&to).copied().unwrap_or(Route::Direct);
                    self.route_inner(id, Inner { from: id, to, passed: vec![id], datagram }, via);
                }
                Action::Try(peer, endpoint) => {
                    self.nodes.get_mut(&id).unwrap().peers.get_mut(&peer).unwrap().endpoint = Some(endpoint);
                }
                Action::Reset(peer, endpoint) => {
                    let wg = self.nodes.get_mut(&id).unwrap().peers.get_mut(&peer).unwrap();
                    let endpoint = endpoint.or(wg.endpoint);
                    *wg = WgPeer { endpoint, wants: true, ..WgPeer::default() };
                    self.initiate(id, peer);
                }
            }
        }
        let after = self.current(id);
        let now = self.now;
        let machine = self.nodes.get_mut(&id).unwrap();
        for (node, route) in &after {
            if before.get(node) != Some(route) {
                machine.switches.push((now, *node, *route));
            }
        }
        if let Some(due) = machine.paths.poll_timeout() {
            let wait = due.as_micros().saturating_sub(now);
            self.after(wait, Coming::Timeout(id));
        }
    }

    fn current(&self, id: NodeId) -> BTreeMap<NodeId, Route> {
        self.nodes[&id].peers.keys().map(|peer| (*peer, self.route(id, *peer))).collect()
    }

    /// What the device does: the last switch of each.
    fn applied(&self, id: NodeId) -> BTreeMap<NodeId, Route> {
        let machine = &self.nodes[&id];
        let mut routes: BTreeMap<NodeId, Route> =
            machine.peers.keys().map(|peer| (*peer, Route::Direct)).collect();
        routes.extend(machine.switches.iter().map(|(_, node, route)| (*node, *route)));
        routes
    }

    fn route_inner(&mut self, at: NodeId, inner: Inner, route: Route) {
        let peer = match route {
            Route::Direct => inner.to,
            Route::Via(relay) => relay,
        };
        let now = self.now;
        let Some(wg) = self.nodes.get_mut(&at).unwrap().peers.get_mut(&peer) else { return };
        match wg.session {
            Some((session, since)) if now - since < 180_000 * MS => {
                wg.unanswered_since.get_or_insert(now);
                wg.wants |= now - since > 120_000 * MS;
                self.transmit(at, peer, Packet::Data { session, inner: Some(inner) });
            }
            _ => wg.wants = true,
        }
        self.initiate(at, peer);
    }

    fn initiate(&mut self, at: NodeId, peer: NodeId) {
        let now = self.now;
        let session = self.below(u64::MAX);
        let wg = self.nodes.get_mut(&at).unwrap().peers.get_mut(&peer).unwrap();
        if !wg.wants || wg.initiated.is_some_and(|(_, sent)| now - sent < 5000 * MS) {
            return;
        }
        wg.initiated = Some((session, now));
        self.transmit(at, peer, Packet::Init { session });
    }

    fn transmit(&mut self, from: NodeId, peer: NodeId, packet: Packet) {
        let Some(target) = self.nodes[&from].peers[&peer].endpoint else { return };
        let now = self.now;
        let random = 1024 + u16::try_from(self.below(60_000)).unwrap();
        let machine = self.nodes.get_mut(&from).unwrap();
        let ip = member(from).endpoints[0].ip();
        let port = match machine.nat {
            Nat::None => 51820,
            Nat::Cone => machine.port,
            Nat::Symmetric => match machine.mappings.get(&target) {
                Some((port, used)) if now - used < 30_000 * MS => *port,
                _ => random,
            },
        };
        machine.mappings.insert(target, (port, now));
        let source = SocketAddr::new(ip, port);
        let Some(to) = self.nodes.keys().copied().find(|id| member(*id).endpoints[0].ip() == target.ip())
        else {
            return;
        };
        let machine = &self.nodes[&to];
        let open = match machine.nat {
            Nat::None => target.port() == 51820,
            Nat::Cone | Nat::Symmetric => machine
                .mappings
                .get(&source)
                .is_some_and(|(port, used)| *port == target.port() && now - used < 30_000 * MS),
        };
        if open && !self.cut.contains(&(from, to)) && self.below(1000) >= self.loss_permille {
            let wait = self.latency[&(from, to)] * MS + self.below(500);
            self.after(wait, Coming::Packet(from, source, to, packet));
        }
    }

    fn arrive(&mut self, from: NodeId, source: SocketAddr, at: NodeId, packet: Packet) {
        let now = self.now;
        let wg = self.nodes.get_mut(&at).unwrap().peers.get_mut(&from).unwrap();
        match packet {
            Packet::Init { session } => {
                wg.endpoint = Some(source);
                wg.rx_bytes += 148;
                wg.offered = Some(session);
                self.transmit(at, from, Packet::Response { session });
            }
            Packet::Response { session } => {
                if wg.initiated.is_none_or(|(initiated, _)| initiated != session) {
                    return;
                }
                wg.endpoint = Some(source);
                wg.rx_bytes += 92;
                wg.begin(session, now);
                (wg.wants, wg.initiated) = (false, None);
                (wg.handshake, wg.unanswered_since) = (Some(now), None);
                self.transmit(at, from, Packet::Data { session, inner: None });
            }
            Packet::Data { session, inner } => {
                if wg.offered == Some(session) {
                    wg.offered = None;
                    wg.begin(session, now);
                    wg.wants = false;
                    wg.handshake = Some(now);
                }
                let current = wg.session.map(|(current, _)| current);
                if ![current, wg.previous].contains(&Some(session)) {
                    return;
                }
                wg.endpoint = Some(source);
                wg.received += 1;
                wg.unanswered_since = None;
                if let Some(inner) = inner {
                    wg.rx_bytes += 100;
                    self.inner(from, at, inner);
                }
            }
        }
    }

    fn inner(&mut self, from: NodeId, at: NodeId, mut inner: Inner) {
        let routes = self.applied(at);
        // Cryptokey routing: a source address is accepted from the peer it would be sent to.
        let owner = match routes.get(&inner.from) {
            Some(Route::Direct) => inner.from,
            Some(Route::Via(relay)) => *relay,
            None => return,
        };
        if owner != from {
            return;
        }
        if inner.to != at {
            self.loops += u32::from(inner.passed.contains(&at));
            inner.passed.push(at);
            if self.nodes[&at].forwards {
                let route = routes.get(&inner.to).copied().unwrap_or(Route::Direct);
                self.route_inner(at, inner, route);
            }
            return;
        }
        let now = self.time();
        let machine = self.nodes.get_mut(&at).unwrap();
        if let Some(datagram) = inner.datagram.filter(|_| machine.up) {
            machine.paths.receive(inner.from, &datagram, now);
            self.drain(at);
        }
    }
}
