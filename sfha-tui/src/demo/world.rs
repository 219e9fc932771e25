//! The invented world: a clock, nodes, and what they hold.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sfha_core::Time;
use sfha_core::history::{Moment, Tracker};
use sfha_proto::message::LogLine;

use super::line;
use super::orders::{Job, Token};
use crate::client::link::LinkEvent;

/// The node that answers; it is never lost.
pub const HERE: &str = "node1";

/// One turn of the story, in seconds: a check fails and is good again, a node is lost, it comes back.
const TURN_S: i64 = 50;
const SICK_S: std::ops::Range<i64> = 7..12;
const LOST_S: std::ops::Range<i64> = 20..38;
/// Time between the loss of a node and the moment the others know, until it is fenced, and until they
/// have taken over.
pub const DETECTION_MS: i64 = 1600;
pub const FENCING_MS: i64 = 1200;
pub const TAKEOVER_MS: i64 = 500;

pub struct Node {
    pub name: String,
    pub online: bool,
    pub standby: bool,
    pub lost_at: Option<Timestamp>,
    /// It is being fenced, until then.
    pub fencing: Option<Timestamp>,
    /// Somebody had it switched off: it comes back then.
    pub off_until: Option<Timestamp>,
    /// Bytes received from it and sent to it.
    pub traffic: (f64, f64),
    /// How often its key was changed.
    pub keys: u64,
}

impl Node {
    pub fn new(name: String) -> Self {
        let traffic = (1_204_113.0, 933_201.0);
        Self {
            name,
            online: true,
            standby: false,
            lost_at: None,
            fencing: None,
            off_until: None,
            traffic,
            keys: 0,
        }
    }
}

pub struct Vip {
    pub name: String,
    pub address: String,
    pub interface: Option<String>,
    pub holder: Option<usize>,
    /// Who takes it, and when it has it.
    pub moving: Option<(usize, Timestamp)>,
}

pub struct Service {
    pub name: String,
    pub unit: String,
    /// The VIP that it goes with.
    pub with: String,
    pub failures: u32,
    /// Its check is good.
    pub healthy: bool,
}

/// The invented cluster.
pub struct World {
    pub begun: Timestamp,
    pub now: Timestamp,
    told: Timestamp,
    pub nodes: Vec<Node>,
    pub vips: Vec<Vip>,
    pub services: Vec<Service>,
    /// Peers that are no nodes: name, address, key, endpoint.
    pub foreign: Vec<(String, String, String, Option<String>)>,
    pub tokens: Vec<Token>,
    pub jobs: Vec<Job>,
    pub maintenance: bool,
    pub version: u64,
    pub out: Vec<LinkEvent>,
    /// Makes the history as the daemon's does.
    tracker: Tracker,
}

impl World {
    /// All is well.
    pub fn new(now: Timestamp) -> Self {
        let vip = |name: &str, address: &str, holder| Vip {
            name: name.to_owned(),
            address: address.to_owned(),
            interface: Some("eth0".to_owned()),
            holder: Some(holder),
            moving: None,
        };
        let service = |name: &str, unit: &str, with: &str| Service {
            name: name.to_owned(),
            unit: unit.to_owned(),
            with: with.to_owned(),
            failures: 0,
            healthy: true,
        };
        let mut world = Self {
            begun: now,
            now,
            told: now - SignedDuration::from_secs(60),
            nodes: (1..=3).map(|number| Node::new(format!("node{number}"))).collect(),
            vips: vec![
                vip("web", "192.0.2.80/24", 1),
                vip("mail", "192.0.2.25/24", 2),
                vip("db", "2001:db8:77::5/64", 0),
            ],
            services: vec![
                service("nginx", "nginx.service", "web"),
                service("postgres", "postgresql.service", "db"),
            ],
            foreign: Vec::new(),
            tokens: Vec::new(),
            jobs: Vec::new(),
            maintenance: false,
            version: 17,
            out: Vec::new(),
            tracker: Tracker::new(HERE, 0),
        };
        world.nodes[1].traffic = (48_213_004.0, 112_904_337.0);
        let started = world.tracker.started(env!("CARGO_PKG_VERSION"), world.moment());
        world.out.push(LinkEvent::Happened(started));
        world.tell("INFO", "event_loop", "quorate votes=3 expected=3 leader=node1".to_owned());
        world
    }

    /// Moves on to `now`; true if there is something to show.
    pub fn step(&mut self, now: Timestamp) -> bool {
        let elapsed = (now.as_millisecond() - self.now.as_millisecond()).clamp(0, 5000) as f64 / 1000.0;
        self.now = now;
        self.flow(elapsed);
        let mut changed = self.story();
        changed |= self.health();
        changed |= self.settle();
        changed |= self.work();
        let due = now.as_millisecond() - self.told.as_millisecond() >= 1000;
        if changed || due {
            self.told = now;
        }
        changed || due
    }

    /// Everything that is to be told: log, progress, answers, and the state and what happened if it changed.
    pub fn news(&mut self, changed: bool) -> Vec<LinkEvent> {
        let mut news = std::mem::take(&mut self.out);
        if changed {
            let (status, now) = (Arc::new(self.status(self.now)), self.moment());
            let mut events = self.tracker.status(&status, now);
            if let Some(mesh) = &status.mesh_detail {
                events.extend(self.tracker.mesh(&Arc::new(mesh.clone()), now));
            }
            news.push(LinkEvent::Status(Box::new((*status).clone())));
            if !events.is_empty() {
                news.push(LinkEvent::Happened(events));
            }
        }
        news
    }

    fn moment(&self) -> Moment {
        let ms = self.now.as_millisecond() - self.begun.as_millisecond();
        Moment { at: Time::from_micros(u64::try_from(ms).unwrap_or(0) * 1000), clock: self.now }
    }

    /// Logs a line.
    pub fn tell(&mut self, level: &str, target: &str, message: String) {
        let line: LogLine = line(self.now, level, target, message);
        self.out.push(LinkEvent::Log(line));
    }

    /// Loses a node, has it fenced, and brings it back; node2 in one turn, node3 in the next.
    fn story(&mut self) -> bool {
        let since = self.now.as_second() - self.begun.as_second();
        let victim = if since / TURN_S % 2 == 0 { "node2" } else { "node3" };
        let lost = LOST_S.contains(&(since % TURN_S));
        let mut changed = false;
        for at in 1..self.nodes.len() {
            let name = self.nodes[at].name.clone();
            let gone = lost && name == victim;
            if gone && self.nodes[at].online && self.nodes[at].lost_at.is_none() {
                self.nodes[at].lost_at = Some(self.now);
            }
            if gone && self.nodes[at].online && self.passed(self.nodes[at].lost_at, DETECTION_MS) {
                self.nodes[at].online = false;
                self.nodes[at].fencing = Some(self.now + SignedDuration::from_millis(FENCING_MS));
                self.tell("WARN", "membership", format!("node lost node={name} votes=2 expected=3"));
                self.tell("INFO", "fencing", format!("fencing begun node={name} driver=proxmox"));
                changed = true;
            }
            if self.nodes[at].fencing.is_some_and(|until| until <= self.now) {
                self.nodes[at].fencing = None;
                self.tell(
                    "INFO",
                    "fencing",
                    format!("fenced node={name} verified=off elapsed_ms={FENCING_MS}"),
                );
                changed = true;
            }
            if self.nodes[at].off_until.is_some_and(|until| until <= self.now) {
                self.nodes[at].off_until = None;
            }
            let off = self.nodes[at].off_until.is_some();
            if !gone && !off && (!self.nodes[at].online || self.nodes[at].lost_at.is_some()) {
                self.nodes[at].online = true;
                self.nodes[at].lost_at = None;
                self.tell("INFO", "membership", format!("node joined node={name} votes=3 expected=3"));
                changed = true;
            }
        }
        changed
    }

    /// nginx's check fails for a while, and its unit is started again.
    fn health(&mut self) -> bool {
        let since = self.now.as_second() - self.begun.as_second();
        let good = !SICK_S.contains(&(since % TURN_S));
        if self.services[0].healthy == good {
            return false;
        }
        self.services[0].healthy = good;
        if good {
            self.tell("INFO", "health", "check is good again name=web-http".to_owned());
        } else {
            self.services[0].failures += 1;
            self.tell("WARN", "health", "check failed name=web-http error=\"HTTP 503\"".to_owned());
            self.tell("INFO", "services", "restarting unit=nginx.service failures=1".to_owned());
        }
        true
    }

    fn passed(&self, since: Option<Timestamp>, ms: i64) -> bool {
        since.is_some_and(|since| self.now.as_millisecond() - since.as_millisecond() >= ms)
    }

    pub fn able(&self, at: usize) -> bool {
        self.nodes[at].online && !self.nodes[at].standby
    }

    /// The node that leads.
    pub fn leader(&self) -> Option<usize> {
        (0..self.nodes.len()).find(|at| self.able(*at))
    }

    /// Moves VIPs to where they can be; nothing in maintenance, nothing before a lost node is fenced.
    pub fn settle(&mut self) -> bool {
        let mut changed = false;
        for at in 0..self.vips.len() {
            if let Some((to, ready)) = self.vips[at].moving {
                if !self.able(to) {
                    self.vips[at].moving = None;
                } else if self.now >= ready {
                    let (vip, node) = (self.vips[at].name.clone(), self.nodes[to].name.clone());
                    self.vips[at].holder = Some(to);
                    self.vips[at].moving = None;
                    self.tell("INFO", "vip", format!("acquired vip={vip} node={node} announced=5"));
                    changed = true;
                }
                continue;
            }
            let holder = self.vips[at].holder;
            let well = holder.is_some_and(|holder| self.able(holder));
            let fenced = holder.is_none_or(|holder| self.nodes[holder].fencing.is_none());
            if well || self.maintenance || !fenced {
                continue;
            }
            let candidates = (0..self.nodes.len()).filter(|node| self.able(*node));
            if let Some(to) = candidates.min_by_key(|node| self.load(*node)) {
                self.send_to(at, to);
                changed = true;
            }
        }
        changed
    }

    /// A VIP begins to move.
    pub fn send_to(&mut self, vip: usize, to: usize) {
        let (name, node) = (self.vips[vip].name.clone(), self.nodes[to].name.clone());
        self.tell("INFO", "vip", format!("taking over vip={name} node={node} delay_ms={TAKEOVER_MS}"));
        self.vips[vip].moving = Some((to, self.now + SignedDuration::from_millis(TAKEOVER_MS)));
    }

    fn load(&self, node: usize) -> usize {
        self.vips.iter().filter(|vip| vip.moving.map_or(vip.holder, |(to, _)| Some(to)) == Some(node)).count()
    }

    /// Traffic that breathes.
    fn flow(&mut self, seconds: f64) {
        let t = self.now.as_millisecond() as f64 / 1000.0;
        for at in 1..self.nodes.len() {
            if self.nodes[at].lost_at.is_some() {
                continue;
            }
            let scale = if at == 1 { 60_000.0 } else { 9_000.0 };
            let phase = t / (7.0 + 4.0 * at as f64);
            let wave = 1.2 + phase.sin() + 0.4 * (phase * 3.7).sin();
            let traffic = &mut self.nodes[at].traffic;
            traffic.0 += seconds * scale * wave.max(0.1);
            traffic.1 += seconds * scale * 2.3 * (1.3 + (phase * 1.3).cos()).max(0.1);
        }
    }
}
