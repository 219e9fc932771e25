//! Which way, and where to look for the direct one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::peer::Peer;
use super::{Action, Paths, RELAY_AVOIDED, RELAY_SILENCE, Route, SETTLE};
use crate::state::NodeId;
use crate::time::Time;

/// Between two attempts at a direct path while a relay carries the packets: longer than WireGuard waits
/// before it repeats a handshake (5 s, § 6.1 of its paper), so that each address gets one in any case.
pub(super) const CHECK: Duration = Duration::from_secs(6);

/// The same after [`MANY`] attempts in vain.
const SLOW_CHECK: Duration = Duration::from_secs(30);

const MANY: u32 = 12;

/// Between two addresses while nothing carries them: a session that both ends still have needs no
/// handshake, a lost one needs an initiation every 5 s.
const TRY: Duration = Duration::from_secs(2);
const PATIENT_TRY: Duration = Duration::from_secs(6);

/// Sessions are younger than this (Reject-After-Time).
const SESSION: Duration = Duration::from_secs(180);

/// A follower that hears nothing of the one who decides, and whose relay brings nothing, waits so long.
const ORPHANED: Duration = Duration::from_secs(15);

impl Paths {
    /// The way to a node.
    pub(super) fn choose(&mut self, node: NodeId, now: Time) -> Route {
        let Some(peer) = self.peers.get(&node) else { return Route::Direct };
        if self.me < node {
            return self.decide_for(node, now);
        }
        match (peer.theirs(now), peer.route) {
            (Some(theirs), current) => match theirs.via {
                None => Route::Direct,
                Some(relay) if relay != self.me && self.is_direct(relay) => Route::Via(relay),
                Some(_) => current,
            },
            (None, Route::Via(relay))
                if peer.silent(now) >= ORPHANED && !self.may_reach(relay, node, now) =>
            {
                Route::Direct
            }
            (None, current) => current,
        }
    }

    /// For the pair of this node and one with a higher id.
    fn decide_for(&mut self, node: NodeId, now: Time) -> Route {
        let Some(peer) = self.peers.get(&node) else { return Route::Direct };
        let theirs = peer.theirs(now);
        match peer.route {
            Route::Direct => {
                // A node that has just come back answers in a moment: what was said of it while it was gone is old.
                let since = peer.bad_since.map(|since| since.max(peer.word_since));
                let settled = since.is_some_and(|since| now - since >= SETTLE);
                // Without word from the other end it would not follow: its daemon may just be away.
                match theirs.filter(|_| settled).and_then(|_| self.best_relay(node, now)) {
                    Some(relay) => Route::Via(relay),
                    None => Route::Direct,
                }
            }
            Route::Via(relay) => {
                if peer.direct && theirs.is_some_and(|theirs| theirs.direct) {
                    return Route::Direct;
                }
                // While nothing is heard of the other end, its daemon may be away: its device still has the relay.
                let silent = peer.unanswering(now) >= RELAY_SILENCE;
                let lost = peer.silent(now) >= RELAY_SILENCE && !self.may_reach(relay, node, now);
                if !silent && !lost {
                    return Route::Via(relay);
                }
                let carries = self.detour(relay, node, now).is_some();
                if carries && let Some(peer) = self.peers.get_mut(&node) {
                    peer.avoided.insert(relay, now + RELAY_AVOIDED);
                }
                self.best_relay(node, now).map_or(Route::Direct, Route::Via)
            }
        }
    }

    fn is_direct(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.route == Route::Direct)
    }

    /// That node reaches both ends directly, as it and this end say; and how long both ways take, as it
    /// says. The other end has the same report.
    fn detour(&self, relay: NodeId, node: NodeId, now: Time) -> Option<u64> {
        let peer = self.peers.get(&relay)?;
        if relay == node || !self.reaches(relay, now) {
            return None;
        }
        let report = peer.fresh_report(now)?;
        let leg = |end: NodeId| {
            let entry = report.get(&end)?;
            let direct = entry.claim.via.is_none() && entry.claim.direct;
            entry.rtt_us.filter(|_| direct).map(u64::from)
        };
        Some(leg(node)? + leg(self.me)?)
    }

    fn reaches(&self, relay: NodeId, now: Time) -> bool {
        let direct = |peer: &Peer| peer.route == Route::Direct && peer.direct && peer.is_connected(now);
        self.peers.get(&relay).is_some_and(direct)
    }

    /// The relay is there, and hears something of that node, be it only its machine.
    fn may_reach(&self, relay: NodeId, node: NodeId, now: Time) -> bool {
        let report = self.peers.get(&relay).and_then(|peer| peer.fresh_report(now));
        let entry = report.and_then(|report| report.get(&node));
        self.reaches(relay, now) && entry.is_some_and(|entry| entry.claim.direct)
    }

    /// The quickest; of equals, the one with the lowest id.
    fn best_relay(&self, node: NodeId, now: Time) -> Option<NodeId> {
        let avoided = |relay: &NodeId| {
            let until = self.peers.get(&node).and_then(|peer| peer.avoided.get(relay));
            until.is_some_and(|until| now < *until)
        };
        let relays = self.peers.keys().copied().filter(|relay| !avoided(relay));
        let detours = relays.filter_map(|relay| Some((self.detour(relay, node, now)?, relay)));
        detours.min().map(|(_, relay)| relay)
    }

    /// Looks for the direct path of a node that has none.
    pub(super) fn seek(&mut self, node: NodeId, now: Time) {
        let Some(peer) = self.peers.get(&node) else { return };
        let relayed = matches!(peer.route, Route::Via(_));
        if now < peer.next_attempt || (!relayed && peer.direct) {
            return;
        }
        let found = self.candidates(node, now);
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if relayed {
            // An attempt is judged when the next one is due.
            peer.streak = if peer.shaken { peer.streak + 1 } else { 0 };
            let stay = peer.shaken;
            peer.shaken = false;
            let endpoint = if stay { peer.observed.endpoint } else { pick(&found, peer.attempts) };
            peer.attempts = if stay { 0 } else { peer.attempts.saturating_add(1) };
            peer.next_attempt = now + if peer.attempts > MANY { SLOW_CHECK } else { CHECK };
            self.actions.push_back(Action::Reset(node, endpoint));
            return;
        }
        let session = peer.observed.handshake.is_some_and(|at| now - at < SESSION);
        peer.next_attempt = now + if session && peer.attempts < MANY { TRY } else { PATIENT_TRY };
        let others: Vec<SocketAddr> =
            found.into_iter().filter(|endpoint| peer.observed.endpoint != Some(*endpoint)).collect();
        let endpoint = pick(&others, peer.attempts);
        peer.attempts = peer.attempts.saturating_add(1);
        if let Some(endpoint) = endpoint {
            self.actions.push_back(Action::Try(node, endpoint));
        }
    }

    /// Where a node may be: first where others hear it now, then where it was said or known to be.
    fn candidates(&self, node: NodeId, now: Time) -> Vec<SocketAddr> {
        let Some(peer) = self.peers.get(&node) else { return Vec::new() };
        let inside = self.inside();
        let seen = self.peers.values().filter_map(|other| other.fresh_report(now)?.get(&node)?.endpoint);
        let mut known = BTreeSet::new();
        seen.chain(peer.member.endpoints.iter().copied())
            .filter(|endpoint| !inside.contains(&endpoint.ip()) && known.insert(*endpoint))
            .collect()
    }
}

/// Every second attempt goes to the likeliest one: it takes both ends at once to open two NATs.
fn pick(candidates: &[SocketAddr], attempt: u32) -> Option<SocketAddr> {
    let attempt = usize::try_from(attempt).unwrap_or(0);
    match candidates {
        [] => None,
        [only] => Some(*only),
        [likeliest, ..] if attempt.is_multiple_of(2) => Some(*likeliest),
        [_, others @ ..] => others.get(attempt / 2 % others.len()).copied(),
    }
}
