//! A quorum device: corosync-qnetd somewhere else, and a connection to it from every node.
//!
//! It gives its vote to one ring (ffsplit: that of at least half of all nodes; of two such, the one of more
//! connected nodes, then the one with the lowest id), when all whom it hears have told it of their rings; it takes it
//! back before it gives it to others, unless the connection of whoever has it is gone. Each end of a connection misses the other by heartbeats, one
//! sooner than the other: a node that is cut off may believe that it has the vote for seconds after others got it.
//!
//! A node that is connected waits for the device's word on a new ring; its quorum service says nothing meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use sfha_core::cluster::Ring;
use sfha_core::qdevice::{Algorithm, QDEVICE_PORT, Qdevice, Tls};
use sfha_core::{Event, NodeId};

use super::world::{Coming, MS, World};

/// As in `corosync.conf`: how long one end may say nothing.
const TIMEOUT: u64 = 2000 * MS;

/// A node's connection, as the device sees it.
#[derive(Debug, Default)]
struct Guest {
    connection: u64,
    /// The ring that it is in, and its members.
    ring: Option<(Ring, BTreeSet<NodeId>)>,
    /// What it was told last, and of which ring.
    told: Option<(Ring, bool)>,
    /// How often it was told something.
    words: u64,
    /// It has the vote, or has not said yet that it has it no more.
    votes: bool,
}

/// A node's connection, as the node sees it.
#[derive(Debug, Default)]
struct Link {
    /// 0: none.
    connection: u64,
    /// Since when nothing comes through.
    cut: Option<u64>,
    /// The last word that it heard.
    heard: u64,
    /// The ring for which it waits for the device's word.
    waits: Option<Ring>,
    /// What the daemon was told.
    told: Option<bool>,
}

/// The device and all connections to it.
#[derive(Debug, Default)]
pub(super) struct Device {
    down: bool,
    last: u64,
    guests: BTreeMap<NodeId, Guest>,
    links: BTreeMap<NodeId, Link>,
}

/// Something on its way between the two ends, or that one end notices.
#[derive(Debug)]
pub(super) enum Step {
    /// A node that is not connected tries to be.
    Connect(NodeId),
    /// The device hears of a node's ring.
    Report(NodeId, u64, Ring, BTreeSet<NodeId>),
    /// A node hears whether it has the vote: the how manyth word of the connection.
    Word(NodeId, u64, u64, Ring, bool),
    /// The device hears that a node has heard that it has it no more.
    Given(NodeId, u64, u64),
    /// The device misses a node that was cut off at that time, if at all.
    Missed(NodeId, u64, Option<u64>),
    /// A node misses the device.
    Misses(NodeId, u64, Option<u64>),
    /// The device runs again.
    Up,
}

/// As it is configured.
pub(super) fn settings() -> Qdevice {
    let (host, algorithm, tls) = ("witness".to_owned(), Algorithm::Ffsplit, Tls::Off);
    Qdevice { host, port: QDEVICE_PORT, algorithm, tls }
}

impl World {
    /// Nothing is put in order before the nodes have the device's word, or (so that nothing depends on that) it is.
    pub(super) fn synchronises(&self, ring: Ring) -> bool {
        let waits = |node: &NodeId| {
            self.net.ring(*node).is_some_and(|(own, _)| own == ring) && self.waits_for_device(*node)
        };
        self.device.is_some() && !(ring.seq / 4).is_multiple_of(4) && self.net.configured.iter().any(waits)
    }

    fn device(&mut self) -> Option<&mut Device> {
        self.device.as_mut()
    }

    fn on_its_way(&mut self, step: Step) {
        let wait = if self.rng.chance(50) { self.rng.millis(30, 300) } else { self.rng.range(300, 20 * MS) };
        self.after(wait, Coming::Device(step));
    }

    /// A node's Corosync is in a new ring.
    pub(super) fn device_ring(&mut self, node: NodeId) {
        let Some((ring, members)) = self.net.ring(node).map(|(ring, members)| (ring, members.clone())) else {
            return;
        };
        let Some(device) = self.device() else { return };
        let link = device.links.entry(node).or_default();
        let connection = link.connection;
        link.waits = (connection != 0).then_some(ring);
        self.net.device_votes.insert(node, false);
        if connection == 0 {
            self.push_quorum(node);
        } else {
            self.on_its_way(Step::Report(node, connection, ring, members));
        }
    }

    /// It waits for the device's word.
    pub(super) fn waits_for_device(&self, node: NodeId) -> bool {
        let link = self.device.as_ref().and_then(|device| device.links.get(&node));
        link.is_some_and(|link| {
            link.waits.is_some() && link.waits == self.net.ring(node).map(|(ring, _)| ring)
        })
    }

    /// A node's Corosync starts.
    pub(super) fn device_start(&mut self, node: NodeId) {
        if let Some(device) = self.device() {
            let cut = device.links.remove(&node).and_then(|link| link.cut);
            device.links.insert(node, Link { cut, ..Link::default() });
            self.net.device_votes.insert(node, false);
            self.on_its_way(Step::Connect(node));
        }
    }

    /// It ends; with power and a way to the device, the device hears of it at once.
    pub(super) fn device_stop(&mut self, node: NodeId, at_once: bool) {
        let Some(device) = self.device() else { return };
        let Some(link) = device.links.get_mut(&node) else { return };
        let connection = std::mem::take(&mut link.connection);
        let cut = link.cut;
        (link.waits, link.told) = (None, None);
        self.net.device_votes.insert(node, false);
        if connection == 0 {
            return;
        }
        if at_once && cut.is_none() {
            self.on_its_way(Step::Missed(node, connection, None));
        } else if cut.is_none() {
            let wait = self.rng.range(TIMEOUT / 2, TIMEOUT * 2);
            self.after(wait, Coming::Device(Step::Missed(node, connection, None)));
        }
    }

    /// These nodes do not reach the device any more.
    pub(super) fn cut_from_device(&mut self, nodes: &BTreeSet<NodeId>) {
        self.tell(|| format!("-- cut off from the device: {nodes:?}"));
        let now = self.now;
        for node in nodes {
            let (early, late) =
                (self.rng.range(TIMEOUT / 2, TIMEOUT * 2), self.rng.range(TIMEOUT / 4, TIMEOUT * 2));
            let Some(device) = self.device() else { return };
            let link = device.links.entry(*node).or_default();
            if link.cut.is_some() {
                continue;
            }
            link.cut = Some(now);
            let own = link.connection;
            let theirs = device.guests.get(node).map_or(0, |guest| guest.connection);
            self.after(early, Coming::Device(Step::Missed(*node, theirs, Some(now))));
            self.after(late, Coming::Device(Step::Misses(*node, own, Some(now))));
        }
    }

    /// Everybody reaches the device.
    pub(super) fn heal_device(&mut self) {
        let nodes: Vec<NodeId> = self.net.configured.iter().copied().collect();
        for node in nodes {
            let wait = self.rng.millis(1, 1600);
            let Some(device) = self.device() else { return };
            let link = device.links.entry(node).or_default();
            link.cut = None;
            // One end has given the connection up: the other one hears of it now.
            let (own, theirs) =
                (link.connection, device.guests.get(&node).map_or(0, |guest| guest.connection));
            if own != theirs {
                self.after(wait, Coming::Device(Step::Misses(node, own, None)));
                self.after(wait, Coming::Device(Step::Missed(node, theirs, None)));
            }
        }
    }

    /// The device's machine is switched off, and on again later.
    pub(super) fn device_dies(&mut self) {
        let Some(device) = self.device().filter(|device| !device.down) else { return };
        device.down = true;
        device.guests.clear();
        self.tell(|| "-- the device is gone".to_owned());
        let nodes: Vec<NodeId> = self.net.configured.iter().copied().collect();
        let abrupt = self.rng.chance(500);
        for node in nodes {
            let late = if abrupt { self.rng.range(TIMEOUT / 4, TIMEOUT * 2) } else { self.rng.millis(1, 30) };
            let Some(link) = self.device().and_then(|device| device.links.get(&node)) else { continue };
            let connection = link.connection;
            self.after(late, Coming::Device(Step::Misses(node, connection, None)));
        }
        let wait = self.rng.millis(200, 8000);
        self.after(wait, Coming::Device(Step::Up));
    }

    pub(super) fn device_step(&mut self, step: Step) {
        match step {
            Step::Up => {
                if let Some(device) = self.device() {
                    device.down = false;
                    self.tell(|| "-- the device runs".to_owned());
                }
            }
            Step::Connect(node) => self.connect_device(node),
            Step::Report(node, connection, ring, members) => {
                if self.is_delayed(node) {
                    let wait = self.rng.millis(50, 200);
                    return self.after(wait, Coming::Device(Step::Report(node, connection, ring, members)));
                }
                let Some(guest) = self.device().and_then(|device| device.guests.get_mut(&node)) else {
                    return;
                };
                let newer = guest.ring.as_ref().is_none_or(|(known, _)| known.seq < ring.seq);
                if guest.connection == connection && newer {
                    guest.ring = Some((ring, members));
                    self.device_decides();
                }
            }
            Step::Given(node, connection, word) => {
                if self.is_delayed(node) {
                    let wait = self.rng.millis(50, 200);
                    return self.after(wait, Coming::Device(Step::Given(node, connection, word)));
                }
                let Some(guest) = self.device().and_then(|device| device.guests.get_mut(&node)) else {
                    return;
                };
                if (guest.connection, guest.words) == (connection, word) {
                    guest.votes = false;
                    self.device_decides();
                }
            }
            Step::Word(node, connection, word, ring, votes) => {
                self.device_says(node, connection, word, ring, votes);
            }
            Step::Missed(node, connection, since) => {
                let Some(device) = self.device() else { return };
                let cut = device.links.get(&node).and_then(|link| link.cut);
                let same = device.guests.get(&node).is_some_and(|guest| guest.connection == connection);
                if same && (since.is_none() || cut == since) {
                    device.guests.remove(&node);
                    let own = device.links.get(&node).map_or(0, |link| link.connection);
                    self.tell(|| format!("-- the device has lost node {node}"));
                    if cut.is_none() && own == connection {
                        self.on_its_way(Step::Misses(node, connection, None));
                    }
                    self.device_decides();
                }
            }
            Step::Misses(node, connection, since) => {
                if !self.net.is_live(node) && self.net.is_up(node) {
                    // It stands still.
                    let wait = self.rng.millis(5, 100);
                    return self.after(wait, Coming::Device(Step::Misses(node, connection, since)));
                }
                let Some(link) = self.device().and_then(|device| device.links.get_mut(&node)) else { return };
                if connection == 0 || link.connection != connection || (since.is_some() && link.cut != since)
                {
                    return;
                }
                (link.connection, link.waits) = (0, None);
                let cut = link.cut.is_some();
                self.tell(|| format!("-- node {node} has lost the device"));
                self.set_vote(node, false);
                if !cut {
                    self.on_its_way(Step::Missed(node, connection, None));
                }
                self.on_its_way(Step::Connect(node));
            }
        }
    }

    /// Nothing comes through, one way or the other, at the moment.
    fn is_delayed(&self, node: NodeId) -> bool {
        let cut = self.device.as_ref().is_some_and(|device| {
            device.links.get(&node).is_some_and(|link| link.cut.is_some()) || device.down
        });
        cut && self.net.is_up(node)
    }

    fn connect_device(&mut self, node: NodeId) {
        let ring = self.net.ring(node).map(|(ring, members)| (ring, members.clone()));
        let live = self.net.is_live(node);
        if !self.net.is_up(node) {
            return;
        }
        let Some(device) = self.device() else { return };
        let down = device.down;
        // It knows nobody twice.
        let busy = device.guests.contains_key(&node);
        device.last += 1;
        let connection = device.last;
        let link = device.links.entry(node).or_default();
        if link.connection != 0 {
            return;
        }
        if down || busy || link.cut.is_some() || !live || ring.is_none() {
            let wait = self.rng.millis(100, 800);
            return self.after(wait, Coming::Device(Step::Connect(node)));
        }
        (link.connection, link.heard) = (connection, 0);
        device.guests.insert(node, Guest { connection, ..Guest::default() });
        self.tell(|| format!("-- node {node} reaches the device"));
        self.tell_device(node, false);
        if let Some((ring, members)) = ring {
            self.on_its_way(Step::Report(node, connection, ring, members));
        }
    }

    /// Who has the vote, as far as the device knows.
    fn device_decides(&mut self) {
        let nodes = self.net.configured.len();
        let Some(device) = self.device().filter(|device| !device.down) else { return };
        let mut rings: BTreeMap<Ring, BTreeSet<NodeId>> = BTreeMap::new();
        for (node, guest) in &device.guests {
            let Some((ring, members)) = &guest.ring else { return };
            let other = |member: &NodeId| {
                let known = device.guests.get(member).and_then(|guest| guest.ring.as_ref());
                known.is_some_and(|(known, _)| known != ring)
            };
            if members.iter().any(other) {
                // Somebody has not told of it yet.
                return;
            }
            rings.entry(*ring).or_default().insert(*node);
        }
        // Whoever is in a ring of fewer than half of all nodes gets no vote.
        let size = |ring: &Ring| {
            let known = device.guests.values().filter_map(|guest| guest.ring.as_ref());
            known.filter(|(known, _)| known == ring).map(|(_, members)| members.len()).max().unwrap_or(0)
        };
        let best = rings
            .iter()
            .filter(|(ring, _)| 2 * size(ring) >= nodes)
            .max_by_key(|(ring, here)| (size(ring), here.len(), std::cmp::Reverse(here.first().copied())))
            .map(|(ring, _)| *ring);
        let elsewhere = |guest: &Guest| guest.ring.as_ref().is_none_or(|(ring, _)| Some(*ring) != best);
        let taken = device.guests.values().any(|guest| elsewhere(guest) && guest.votes);
        let mut words = Vec::new();
        for (node, guest) in &mut device.guests {
            let Some((ring, _)) = &guest.ring else { continue };
            let votes = Some(*ring) == best;
            if guest.told == Some((*ring, votes)) || (votes && taken) {
                continue;
            }
            guest.told = Some((*ring, votes));
            guest.votes |= votes;
            guest.words += 1;
            words.push(Step::Word(*node, guest.connection, guest.words, *ring, votes));
        }
        words.into_iter().for_each(|word| self.on_its_way(word));
    }

    fn device_says(&mut self, node: NodeId, connection: u64, word: u64, ring: Ring, votes: bool) {
        if self.is_delayed(node) || (self.net.is_up(node) && !self.net.is_live(node)) {
            let wait = self.rng.millis(50, 200);
            return self.after(wait, Coming::Device(Step::Word(node, connection, word, ring, votes)));
        }
        let now_in = self.net.ring(node).map(|(ring, _)| ring);
        let Some(link) = self.device().and_then(|device| device.links.get_mut(&node)) else { return };
        if link.connection != connection || link.heard >= word {
            return;
        }
        link.heard = word;
        if now_in == Some(ring) {
            link.waits = None;
            self.tell(|| format!("-- the device's vote at node {node}: {votes}"));
            self.set_vote(node, votes);
        }
        if !votes {
            self.on_its_way(Step::Given(node, connection, word));
        }
    }

    /// The word that its Corosync waited for, or another one.
    fn set_vote(&mut self, node: NodeId, votes: bool) {
        self.net.device_votes.insert(node, votes);
        if !self.net.votes(node).0 {
            self.book.without_quorum.insert(node, self.now);
        }
        self.tell_device(node, votes);
        self.push_quorum(node);
    }

    fn tell_device(&mut self, node: NodeId, votes: bool) {
        let connected = self.daemon(node).is_some_and(|daemon| daemon.connected);
        let Some(link) = self.device().and_then(|device| device.links.get_mut(&node)) else { return };
        if connected && link.told != Some(votes) {
            link.told = Some(votes);
            self.push(node, 1, 10, Event::Device { votes: Some(votes) });
        }
    }

    /// A daemon asks its quorum service for the first time.
    pub(super) fn tell_device_anew(&mut self, node: NodeId) {
        let votes = self.net.device_votes.get(&node).copied().unwrap_or(false);
        if let Some(link) = self.device().and_then(|device| device.links.get_mut(&node)) {
            link.told = None;
            self.tell_device(node, votes);
        }
    }
}
