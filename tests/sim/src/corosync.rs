//! Corosync, as far as a daemon can tell: rings, quorum, and the group's ordered messages.
//!
//! A ring whose members all live and reach each other orders what is sent. When one of them goes, the
//! ring stalls; after token + consensus the sides form rings of their own. Then, as in totemsrp and
//! cpg.c of Corosync 3.1:
//!
//! * what had been broadcast before the break is delivered on its sender's side, and, up to a point
//!   that differs between the sides, on the others, still in the old view;
//! * what had not is sent again in the sender's next ring;
//! * each node is told first who left (relative to *its* last ring: a node that slept through a ring
//!   sees the others leave and come back), then of each process that joined, then of the ring.

use std::collections::{BTreeMap, BTreeSet};

use sfha_core::cluster::Ring;
use sfha_core::{Event, GroupMessage, LeaveReason, Member, NodeId};

use super::rng::Rng;

const MS: u64 = 1000;

/// Something in a ring's order.
#[derive(Debug, Clone)]
pub enum What {
    /// A message.
    Say(Box<GroupMessage>),
    /// The process joins the group.
    Join,
    /// It leaves.
    Leave,
    /// It died.
    Dead,
}

/// What comes out at a process.
#[derive(Debug)]
pub enum Out {
    /// An event of the group's stream.
    Group(Member, Event),
    /// Its leaving has taken its place in the order.
    Left(Member),
    /// The node is in a new ring.
    Ring(NodeId),
}

#[derive(Debug, Clone)]
struct Pending {
    from: Member,
    what: What,
}

#[derive(Debug, Default)]
struct RingState {
    members: BTreeSet<NodeId>,
    /// The group, as everybody in this ring has it.
    view: BTreeSet<Member>,
    pending: Vec<Pending>,
    /// Since when the token has not come round.
    stalled: Option<u64>,
    /// How much of `pending` had been broadcast when the ring broke.
    broadcast: Option<usize>,
}

#[derive(Debug)]
struct Process {
    ring: Option<Ring>,
    frozen: bool,
    /// It has seen all nodes since its start (`wait_for_all`).
    seen_all: bool,
    /// What daemons of this node asked for before the first ring.
    unsent: Vec<Pending>,
}

/// All nodes' Corosyncs and the network between them.
#[derive(Debug, Default)]
pub struct Net {
    /// Nodes in `corosync.conf`.
    pub configured: BTreeSet<NodeId>,
    /// `two_node: 1` when there are two.
    pub two_node: bool,
    sides: BTreeMap<NodeId, u64>,
    /// Pairs that do not reach each other though they are on one side, the lower id first.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// Who finds the others first, where not everybody can be in one ring.
    first: Vec<NodeId>,
    up: BTreeMap<NodeId, Process>,
    rings: BTreeMap<Ring, RingState>,
    last_seq: u64,
    /// When which nodes form a ring, unless something changes before.
    plans: BTreeMap<BTreeSet<NodeId>, u64>,
    /// Nodes whose ring was left by others before they could miss it, with nothing to tell these
    /// others so: a known node without a daemon had been restarted. Since when they know.
    pub unseen: BTreeMap<NodeId, Option<u64>>,
    /// Shortest and longest time from a ring's stall to the new ring.
    pub detection: (u64, u64),
    /// There is a quorum device, with one vote.
    pub has_device: bool,
    /// For whose side it votes, as each node has it.
    pub device_votes: BTreeMap<NodeId, bool>,
    /// Nodes that the others' `corosync.conf` no longer has, and the nodes that are in theirs: nobody
    /// speaks with them.
    removed: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Net {
    /// Puts each node on a side; nodes of different sides do not reach each other.
    pub fn partition(&mut self, sides: BTreeMap<NodeId, u64>) {
        self.sides = sides;
    }

    /// Everybody reaches everybody.
    pub fn heal(&mut self) {
        self.sides.clear();
        self.cuts.clear();
        self.first.clear();
    }

    /// These pairs, lower id first, do not reach each other any more.
    pub fn cut(&mut self, pairs: impl IntoIterator<Item = (NodeId, NodeId)>) {
        self.cuts.extend(pairs);
    }

    /// Some pairs do not reach each other.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Where not everybody can be in one ring: these find the others first.
    pub fn favour(&mut self, first: Vec<NodeId>) {
        self.first = first;
    }

    fn reach(&self, a: NodeId, b: NodeId) -> bool {
        self.side(a) == self.side(b) && !self.cuts.contains(&(a.min(b), a.max(b)))
    }

    /// The network between these nodes, nothing cut, no Corosync running.
    #[must_use]
    pub fn new(configured: BTreeSet<NodeId>, two_node: bool, detection: (u64, u64)) -> Self {
        Self { configured, two_node, detection, ..Self::default() }
    }

    /// Starts a node's Corosync.
    pub fn start(&mut self, node: NodeId) {
        let process = Process { ring: None, frozen: false, seen_all: false, unsent: Vec::new() };
        self.up.insert(node, process);
    }

    /// Ends a node's Corosync.
    pub fn stop(&mut self, node: NodeId) {
        self.up.remove(&node);
    }

    /// Stops a node's Corosync in its tracks, or lets it go on.
    pub fn freeze(&mut self, node: NodeId, frozen: bool) {
        if let Some(process) = self.up.get_mut(&node) {
            process.frozen = frozen;
        }
    }

    /// It runs and is not frozen.
    #[must_use]
    pub fn is_live(&self, node: NodeId) -> bool {
        self.up.get(&node).is_some_and(|process| !process.frozen)
    }

    /// It runs.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.up.contains_key(&node)
    }

    /// The node's ring and its members.
    #[must_use]
    pub fn ring(&self, node: NodeId) -> Option<(Ring, &BTreeSet<NodeId>)> {
        let ring = self.up.get(&node)?.ring?;
        Some((ring, &self.rings.get(&ring)?.members))
    }

    /// Two nodes are in the same ring.
    #[must_use]
    pub fn share_ring(&self, a: NodeId, b: NodeId) -> bool {
        self.ring(a).is_some() && self.ring(a) == self.ring(b)
    }

    /// What votequorum says on a node: quorate, votes, votes needed.
    #[must_use]
    pub fn votes(&self, node: NodeId) -> (bool, u32, u32) {
        let configured = self.removed.get(&node).unwrap_or(&self.configured);
        let total = self.ring(node).map_or(0, |(_, members)| members.intersection(configured).count());
        let two = self.two_node && configured.len() == 2;
        let total = total + usize::from(self.has_device && self.device_votes.get(&node) == Some(&true));
        let needed = if two { 1 } else { (configured.len() + usize::from(self.has_device)) / 2 + 1 };
        let waits = two && !self.up.get(&node).is_some_and(|process| process.seen_all);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (total >= needed && !waits, count(total), count(needed))
    }

    /// Corosync is told to go on without that node.
    pub fn remove(&mut self, node: NodeId) {
        let before = self.configured.clone();
        self.configured.remove(&node);
        self.removed.insert(node, before);
    }

    /// Corosync was told to go on without it.
    #[must_use]
    pub fn is_removed(&self, node: NodeId) -> bool {
        self.removed.contains_key(&node)
    }

    fn side(&self, node: NodeId) -> u64 {
        if self.is_removed(node) {
            return 1000 + u64::from(node);
        }
        self.sides.get(&node).copied().unwrap_or(0)
    }

    fn is_whole(&self, ring: Ring) -> bool {
        let Some(state) = self.rings.get(&ring) else { return false };
        state.members.iter().all(|node| {
            self.is_live(*node)
                && state.members.iter().all(|other| self.reach(*node, *other))
                && self.up.get(node).is_some_and(|process| process.ring == Some(ring))
        })
    }

    fn components(&self) -> Vec<BTreeSet<NodeId>> {
        let place = |node: &NodeId| self.first.iter().position(|first| first == node).unwrap_or(usize::MAX);
        let mut live: Vec<NodeId> = self.up.keys().copied().filter(|node| self.is_live(*node)).collect();
        live.sort_by_key(|node| (place(node), *node));
        let mut found: Vec<BTreeSet<NodeId>> = Vec::new();
        for node in live {
            let fits = |nodes: &&mut BTreeSet<NodeId>| nodes.iter().all(|other| self.reach(node, *other));
            match found.iter_mut().find(fits) {
                Some(nodes) => drop(nodes.insert(node)),
                None => found.push(BTreeSet::from([node])),
            }
        }
        found.sort_by_key(|nodes| nodes.first().map(|first| (self.side(*first), *first)));
        found
    }

    /// After every change of who lives and who reaches whom: which rings are to be formed, and when.
    pub fn plan(&mut self, now: u64, rng: &mut Rng) -> Vec<(u64, BTreeSet<NodeId>)> {
        let rings: Vec<Ring> = self.rings.keys().copied().collect();
        for ring in rings {
            let whole = self.is_whole(ring);
            if let Some(state) = self.rings.get_mut(&ring) {
                state.stalled = if whole { None } else { state.stalled.or(Some(now)) };
            }
        }
        let components = self.components();
        self.plans.retain(|nodes, _| components.contains(nodes));
        let mut made = Vec::new();
        for nodes in components {
            if self.plans.contains_key(&nodes) || !self.needs_ring(&nodes) {
                continue;
            }
            let rings: BTreeSet<Option<Ring>> =
                nodes.iter().map(|node| self.up.get(node).and_then(|process| process.ring)).collect();
            let states = rings.iter().flatten().filter_map(|ring| self.rings.get(ring));
            let stalled = states.filter_map(|state| state.stalled).min();
            let (low, high) = self.detection;
            let at = match stalled {
                // Its members wait for the token, each for itself.
                Some(since) if rings.len() == 1 => {
                    (since + rng.range(low, high)).max(now + rng.millis(20, 120))
                }
                // Whoever looks for a new ring makes those it reaches do so too: consensus, no more.
                Some(_) => now + rng.millis(20, 140),
                None => now + rng.millis(20, 300),
            };
            self.plans.insert(nodes.clone(), at);
            made.push((at, nodes));
        }
        made
    }

    fn needs_ring(&self, nodes: &BTreeSet<NodeId>) -> bool {
        let rings: BTreeSet<Option<Ring>> =
            nodes.iter().map(|node| self.up.get(node).and_then(|process| process.ring)).collect();
        match rings.first() {
            Some(Some(ring)) if rings.len() == 1 => {
                self.rings.get(ring).is_none_or(|state| state.members != *nodes)
            }
            _ => true,
        }
    }

    /// Forms a ring that was planned. Nothing comes of a plan that was overtaken.
    pub fn form_planned(&mut self, nodes: &BTreeSet<NodeId>, at: u64, rng: &mut Rng) -> Vec<Out> {
        if self.plans.get(nodes) != Some(&at) {
            return Vec::new();
        }
        self.plans.remove(nodes);
        self.form(nodes, at, rng)
    }

    /// Forms a ring.
    pub fn form(&mut self, nodes: &BTreeSet<NodeId>, now: u64, rng: &mut Rng) -> Vec<Out> {
        let mut out = Vec::new();
        let mut from_ring: BTreeMap<Option<Ring>, BTreeSet<NodeId>> = BTreeMap::new();
        for node in nodes {
            from_ring.entry(self.up.get(node).and_then(|process| process.ring)).or_default().insert(*node);
        }
        self.last_seq += 4;
        let new = Ring { node: nodes.first().copied().unwrap_or_default(), seq: self.last_seq };
        let mut parts = Vec::new();
        let mut resent: Vec<Vec<Pending>> = Vec::new();
        for (old, part) in from_ring {
            let (before, after) = match old {
                Some(old) => self.leave_ring(old, &part, rng, &mut out, &mut resent),
                None => (BTreeSet::new(), BTreeSet::new()),
            };
            self.note_unseen(nodes, old, &part, &before);
            for node in &part {
                if let Some(process) = self.up.get_mut(node) {
                    resent.push(std::mem::take(&mut process.unsent));
                }
            }
            parts.push((part, before, after));
        }
        let view: BTreeSet<Member> = parts.iter().flat_map(|(_, _, after)| after.iter().copied()).collect();
        for (part, before, after) in &parts {
            for me in after.iter().filter(|me| part.contains(&me.node)) {
                announce(*me, before, after, &view, new, rng, &mut out);
            }
        }
        for node in nodes {
            let all = self.configured.is_subset(nodes);
            if let Some(process) = self.up.get_mut(node) {
                process.ring = Some(new);
                process.seen_all |= all;
            }
            if let Some(since @ None) = self.unseen.get_mut(node) {
                *since = Some(now);
            }
            out.push(Out::Ring(*node));
        }
        let pending = interleave(resent, rng);
        self.rings.insert(new, RingState { members: nodes.clone(), view, pending, ..RingState::default() });
        let up = &self.up;
        self.rings.retain(|ring, _| up.values().any(|process| process.ring == Some(*ring)));
        out
    }

    fn note_unseen(
        &mut self,
        nodes: &BTreeSet<NodeId>,
        old: Option<Ring>,
        part: &BTreeSet<NodeId>,
        before: &BTreeSet<Member>,
    ) {
        let Some(members) = old.and_then(|old| self.rings.get(&old)).map(|old| old.members.clone()) else {
            return;
        };
        let grew = nodes.difference(&members).next().is_some();
        let mut restarted = nodes.difference(part).filter(|node| members.contains(node)).peekable();
        let hidden = restarted.peek().is_some()
            && restarted.all(|node| !before.iter().any(|member| member.node == *node));
        if hidden && !grew {
            for node in members.difference(nodes) {
                self.unseen.insert(*node, None);
            }
        }
    }

    /// The end of an old ring for those of its members that form a new one together: their group before
    /// and after the nodes that are not among them have gone.
    fn leave_ring(
        &mut self,
        old: Ring,
        part: &BTreeSet<NodeId>,
        rng: &mut Rng,
        out: &mut Vec<Out>,
        resent: &mut Vec<Vec<Pending>>,
    ) -> (BTreeSet<Member>, BTreeSet<Member>) {
        let Some(state) = self.rings.get_mut(&old) else { return Default::default() };
        let count = state.pending.len();
        let draw = |rng: &mut Rng, n: usize| usize::try_from(rng.below(n as u64 + 1)).unwrap_or(0);
        let broadcast = *state.broadcast.get_or_insert_with(|| draw(rng, count));
        let received = draw(rng, broadcast);
        let mut view = state.view.clone();
        let mut kept = Vec::new();
        for (index, pending) in std::mem::take(&mut state.pending).into_iter().enumerate() {
            let own = part.contains(&pending.from.node);
            if index < broadcast {
                if own || index < received {
                    deliver(&pending, &mut view, |node| part.contains(&node), old, out);
                }
                // A message of mine may yet be delivered on other sides.
                kept.push(pending);
            } else if own {
                resent.push(vec![pending]);
            } else {
                kept.push(pending);
            }
        }
        state.pending = kept;
        let after = view.iter().copied().filter(|member| part.contains(&member.node)).collect();
        (view, after)
    }

    /// A process asks for something to be put in order. Returns the ring that has work now.
    pub fn send(&mut self, from: Member, what: What) -> Option<Ring> {
        let process = self.up.get_mut(&from.node)?;
        let pending = Pending { from, what };
        let Some(ring) = process.ring else {
            process.unsent.push(pending);
            return None;
        };
        self.rings.get_mut(&ring)?.pending.push(pending);
        Some(ring)
    }

    /// Rings that have something to put in order and can.
    #[must_use]
    pub fn busy_rings(&self) -> Vec<Ring> {
        let busy = |(ring, state): (&Ring, &RingState)| {
            (!state.pending.is_empty() && self.is_whole(*ring)).then_some(*ring)
        };
        self.rings.iter().filter_map(busy).collect()
    }

    /// The token comes round: up to `most` of what waits is ordered and delivered to all members.
    pub fn order(&mut self, ring: Ring, most: usize) -> Vec<Out> {
        let mut out = Vec::new();
        if !self.is_whole(ring) {
            return out;
        }
        let Some(state) = self.rings.get_mut(&ring) else { return out };
        let most = most.min(state.pending.len());
        for pending in state.pending.drain(..most).collect::<Vec<_>>() {
            deliver(&pending, &mut state.view, |_| true, ring, &mut out);
        }
        out
    }

    /// There is more to put in order.
    #[must_use]
    pub fn has_more(&self, ring: Ring) -> bool {
        self.rings.get(&ring).is_some_and(|state| !state.pending.is_empty()) && self.is_whole(ring)
    }
}

fn deliver(
    pending: &Pending,
    view: &mut BTreeSet<Member>,
    hears: impl Fn(NodeId) -> bool,
    ring: Ring,
    out: &mut Vec<Out>,
) {
    let from = pending.from;
    let membership = |view: &BTreeSet<Member>, left: Vec<(Member, LeaveReason)>, out: &mut Vec<Out>| {
        for to in view.iter().filter(|to| hears(to.node)) {
            let event = Event::Membership { members: view.clone(), left: left.clone() };
            out.push(Out::Group(*to, event));
        }
    };
    match &pending.what {
        What::Say(message) => {
            if !view.contains(&from) {
                return;
            }
            for to in view.iter().filter(|to| hears(to.node)) {
                out.push(Out::Group(*to, Event::Delivered { from, message: (**message).clone() }));
            }
        }
        What::Join => {
            if view.insert(from) {
                membership(view, Vec::new(), out);
            }
            let _ = ring;
        }
        What::Leave => {
            if view.remove(&from) {
                membership(view, vec![(from, LeaveReason::Leave)], out);
            }
            if hears(from.node) {
                out.push(Out::Left(from));
            }
        }
        What::Dead => {
            if view.remove(&from) {
                membership(view, vec![(from, LeaveReason::ProcessDown)], out);
            }
        }
    }
}

/// Of a thousand nodes that were alone for a moment, so many never hear that the others went and are back.
const SILENT: u64 = 250;

/// Tells one process what a new ring means to it.
fn announce(
    me: Member,
    before: &BTreeSet<Member>,
    after: &BTreeSet<Member>,
    view: &BTreeSet<Member>,
    ring: Ring,
    rng: &mut Rng,
    out: &mut Vec<Out>,
) {
    let left: Vec<_> = before.difference(after).map(|member| (*member, LeaveReason::NodeDown)).collect();
    // When the next ring comes before the services of this one are synchronised, who went and is back never went.
    if !left.is_empty() && view == before && rng.chance(SILENT) {
        out.push(Out::Group(me, Event::Ring { ring }));
        return;
    }
    let mut members = after.clone();
    if !left.is_empty() {
        out.push(Out::Group(me, Event::Membership { members: members.clone(), left }));
    }
    let mut joined: Vec<Member> = view.difference(after).copied().collect();
    while !joined.is_empty() {
        let index = usize::try_from(rng.below(joined.len() as u64)).unwrap_or(0);
        members.insert(joined.swap_remove(index));
        out.push(Out::Group(me, Event::Membership { members: members.clone(), left: Vec::new() }));
    }
    out.push(Out::Group(me, Event::Ring { ring }));
}

/// Merges queues in a random order that keeps each queue's own (first in, first out per sender).
fn interleave(queues: Vec<Vec<Pending>>, rng: &mut Rng) -> Vec<Pending> {
    let mut by_sender: BTreeMap<NodeId, std::collections::VecDeque<Pending>> = BTreeMap::new();
    for pending in queues.into_iter().flatten() {
        by_sender.entry(pending.from.node).or_default().push_back(pending);
    }
    let mut merged = Vec::new();
    while !by_sender.is_empty() {
        let senders: Vec<NodeId> = by_sender.keys().copied().collect();
        let Some(sender) = rng.pick(&senders) else { break };
        if let Some(queue) = by_sender.get_mut(&sender) {
            merged.extend(queue.pop_front());
            if queue.is_empty() {
                by_sender.remove(&sender);
            }
        }
    }
    merged
}

/// From the profile `lan`: token 1000 ms, held for up to 100 ms before; consensus 100 ms; and the skew.
pub const LAN_DETECTION: (u64, u64) = (1000 * MS, 1150 * MS);
