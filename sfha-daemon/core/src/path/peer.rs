//! One other node: what is measured, said and heard about the path to it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::probing::Probing;
use super::wire::{Claim, Entry};
use super::{ALIVE, FRESH, Health, Member, Observation, Route, SILENCE, View};
use crate::state::NodeId;
use crate::time::Time;

/// Handshakes in a row, each in a session begun anew, after which a direct path is believed again.
const STREAK: u32 = 2;

/// The same for a path that has broken down again and again right after.
const LONGEST_STREAK: u32 = 16;

/// A direct path that does not last so long after a return was believed too early.
const PROOF: Duration = Duration::from_secs(30);

/// One that lasts so long is believed like any other next time.
const REDEEMED: Duration = Duration::from_secs(300);

/// Hearsay is passed on for so long after it was said.
const NEWS: Duration = Duration::from_millis(1500);

/// Whoever was heard of within this time is there.
const LATELY: Duration = Duration::from_secs(2);

/// Handshake times come in seconds on some devices.
const SAME_HANDSHAKE: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(super) struct Peer {
    pub member: Member,
    pub probing: Probing,
    pub observed: Observation,
    pub route: Route,
    /// Since when, or since when the node is known.
    pub switched: Time,
    /// The direct path works, as far as can be told from here.
    pub direct: bool,
    /// Something came from it over the path in use: an answer, or any packet on a direct one.
    heard: Option<Time>,
    /// What this node says about the path.
    pub claim: Claim,
    /// What the other end says about it, and when that was heard of.
    theirs: Option<(Claim, Time)>,
    /// Since when it has been heard of without a break.
    pub word_since: Time,
    /// The last report, by node.
    pub report: Option<(Time, BTreeMap<NodeId, Entry>)>,
    /// Since when one of both ends has been saying that the direct path is dead.
    pub bad_since: Option<Time>,
    /// Relays that did not forward, and until when they are avoided.
    pub avoided: BTreeMap<NodeId, Time>,
    /// Attempts at the direct path since it was lost.
    pub attempts: u32,
    pub next_attempt: Time,
    /// A handshake happened since the last attempt.
    pub shaken: bool,
    /// Attempts that had one, in a row.
    pub streak: u32,
    needed: u32,
    /// The direct path in use was given up once.
    returned: bool,
}

impl Peer {
    pub fn new(member: Member, version: u64, now: Time) -> Self {
        Self {
            member,
            probing: Probing::new(now),
            observed: Observation::default(),
            route: Route::Direct,
            switched: now,
            direct: true,
            heard: None,
            claim: Claim { via: None, direct: true, version },
            theirs: None,
            word_since: now,
            report: None,
            bad_since: None,
            avoided: BTreeMap::new(),
            attempts: 0,
            next_attempt: now,
            shaken: false,
            streak: 0,
            needed: STREAK,
            returned: false,
        }
    }

    pub fn observe(&mut self, seen: Observation, now: Time) {
        let new_handshake = match (self.observed.handshake, seen.handshake) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after - before >= SAME_HANDSHAKE,
        };
        self.shaken |= new_handshake;
        if self.route == Route::Direct && seen.rx_bytes > self.observed.rx_bytes {
            self.heard = Some(now);
        }
        self.observed = seen;
    }

    pub fn answered(&mut self, number: u32, now: Time) {
        if self.probing.answer(number, now) {
            self.heard = Some(now);
            if self.route == Route::Direct {
                self.direct = true;
            }
        }
    }

    /// Takes what the other end says, unless something newer was heard. The clock of a node that was
    /// restarted may have gone back: what is old gives way to anything.
    pub fn heard_claim(&mut self, claim: Claim, now: Time) {
        let newer = self.theirs(now).is_none_or(|known| known.version <= claim.version);
        if newer {
            if !self.spoke_lately(now) {
                self.word_since = now;
                self.probing.hurry(now);
            }
            self.theirs = Some((claim, now));
        }
    }

    /// What the other end says, if it was heard of lately.
    pub fn theirs(&self, now: Time) -> Option<Claim> {
        self.theirs.filter(|(_, at)| now - *at < FRESH).map(|(claim, _)| claim)
    }

    /// It was heard of, be it by hearsay: its daemon lives.
    pub fn spoke_lately(&self, now: Time) -> bool {
        self.theirs.is_some_and(|(_, at)| now - at < LATELY)
    }

    /// How long it has been heard of without answering.
    pub fn unanswering(&self, now: Time) -> Duration {
        if self.spoke_lately(now) { self.silent(now).min(now - self.word_since) } else { Duration::ZERO }
    }

    /// What it said about a node, while it is news: for passing on.
    pub fn news_about(&self, node: NodeId, now: Time) -> Option<Claim> {
        let (at, entries) = self.report.as_ref()?;
        entries.get(&node).map(|entry| entry.claim).filter(|_| now - *at < NEWS)
    }

    pub fn fresh_report(&self, now: Time) -> Option<&BTreeMap<NodeId, Entry>> {
        self.report.as_ref().filter(|(at, _)| now - *at < ALIVE).map(|(_, entries)| entries)
    }

    /// How long nothing has been heard over the path in use.
    pub fn silent(&self, now: Time) -> Duration {
        now - self.heard.map_or(self.switched, |heard| heard.max(self.switched))
    }

    /// Whether the direct path works.
    pub fn judge(&mut self, now: Time) {
        match self.route {
            Route::Direct => {
                if self.direct && self.silent(now) >= SILENCE && self.probing.unanswered >= 3 {
                    self.direct = false;
                    self.attempts = 0;
                    self.next_attempt = now;
                    if self.returned && now - self.switched < PROOF {
                        self.needed = (self.needed * 2).min(LONGEST_STREAK);
                    }
                } else if self.direct && now - self.switched >= REDEEMED {
                    self.needed = STREAK;
                }
            }
            Route::Via(_) => self.direct = self.streak >= self.needed,
        }
        let bad = !self.direct || self.theirs(now).is_some_and(|theirs| !theirs.direct);
        self.bad_since = if bad { self.bad_since.or(Some(now)) } else { None };
    }

    pub fn switch(&mut self, route: Route, now: Time) {
        self.returned = matches!(self.route, Route::Via(_));
        self.route = route;
        self.switched = now;
        self.heard = None;
        self.bad_since = None;
        self.streak = 0;
        self.attempts = 0;
        self.shaken = false;
        self.probing.start_over(now);
        // A direct path is believed in until it is silent, a relayed one says nothing of it.
        self.direct = route == Route::Direct;
        self.next_attempt = now + super::choice::CHECK;
    }

    pub fn is_connected(&self, now: Time) -> bool {
        self.probing.answered.is_some_and(|at| now - at < ALIVE && at >= self.switched)
    }

    pub fn rtt(&self, now: Time) -> Option<Duration> {
        self.probing.rtt().filter(|_| self.is_connected(now))
    }

    pub fn view(&self, now: Time) -> View {
        let health = if self.probing.answered.is_some_and(|at| now - at < ALIVE) {
            Health::Connected
        } else if self.observed.handshake.is_some() && self.probing.is_open(now) {
            Health::Unknown
        } else if self.probing.answered.is_some() || self.observed.handshake.is_some() {
            Health::Stale
        } else {
            Health::Never
        };
        View {
            health,
            route: self.route,
            rtt: self.rtt(now),
            loss_permille: self.probing.loss_permille(),
            direct_dead: !self.direct,
        }
    }
}
