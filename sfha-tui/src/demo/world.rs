//! The invented world: a clock, three nodes, three VIPs.

use jiff::{SignedDuration, Timestamp};
use sfha_proto::mesh::{Backend, EndpointProblem, MeshStatus, PeerState, PeerStatus};
use sfha_proto::message::LogLine;
use sfha_proto::status::{
    ClusterStatus, Detection, FencingSummary, MeshSummary, NodeStatus, Phase, QuorumStatus, StateVersion,
    VipState, VipStatus,
};
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::line;

/// The node that answers; it is never lost.
pub const HERE: &str = "node1";

/// One turn of the story, in seconds: all is well, a node is lost, it comes back.
const TURN_S: i64 = 50;
const LOST_S: i64 = 20;
const BACK_S: i64 = 38;
/// Time between the loss of a node and the moment the others know, and until they take over.
const DETECTION_MS: i64 = 1600;
const TAKEOVER_MS: i64 = 500;
/// A handshake every so often.
const HANDSHAKE_S: i64 = 120;

struct Node {
    name: &'static str,
    online: bool,
    standby: bool,
    lost_at: Option<Timestamp>,
}

struct Vip {
    name: &'static str,
    address: &'static str,
    holder: Option<usize>,
    /// Who takes it, and when it has it.
    moving: Option<(usize, Timestamp)>,
}

/// The invented cluster.
pub struct World {
    begun: Timestamp,
    now: Timestamp,
    told: Timestamp,
    nodes: Vec<Node>,
    vips: Vec<Vip>,
    maintenance: bool,
    version: u64,
    traffic: [(f64, f64); 3],
    log: Vec<LogLine>,
}

impl World {
    /// All is well.
    pub fn new(now: Timestamp) -> Self {
        let node = |name| Node { name, online: true, standby: false, lost_at: None };
        let vip = |name, address, holder| Vip { name, address, holder: Some(holder), moving: None };
        let mut world = Self {
            begun: now,
            now,
            told: now - SignedDuration::from_secs(60),
            nodes: vec![node("node1"), node("node2"), node("node3")],
            vips: vec![
                vip("web", "192.0.2.80/24", 1),
                vip("mail", "192.0.2.25/24", 2),
                vip("db", "2001:db8:77::5/64", 0),
            ],
            maintenance: false,
            version: 17,
            traffic: [(0.0, 0.0), (48_213_004.0, 112_904_337.0), (1_204_113.0, 933_201.0)],
            log: Vec::new(),
        };
        world.tell("INFO", "event_loop", "quorate votes=3 expected=3 leader=node1".to_owned());
        world
    }

    /// Moves on to `now`; true if there is something to show.
    pub fn step(&mut self, now: Timestamp) -> bool {
        let elapsed = (now.as_millisecond() - self.now.as_millisecond()).clamp(0, 5000) as f64 / 1000.0;
        self.now = now;
        self.flow(elapsed);
        let story = self.story();
        let moved = self.settle();
        let due = now.as_millisecond() - self.told.as_millisecond() >= 1000;
        let show = story || moved || due;
        if show {
            self.told = now;
        }
        show
    }

    /// What was logged since the last time.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.log)
    }

    fn tell(&mut self, level: &str, target: &str, message: String) {
        self.log.push(line(self.now, level, target, message));
    }

    /// Loses a node and brings it back; node2 in one turn, node3 in the next.
    fn story(&mut self) -> bool {
        let since = self.now.as_second() - self.begun.as_second();
        let victim = if since / TURN_S % 2 == 0 { 1 } else { 2 };
        let lost = (LOST_S..BACK_S).contains(&(since % TURN_S));
        let mut changed = false;
        for at in 1..self.nodes.len() {
            let gone = lost && at == victim;
            let name = self.nodes[at].name;
            if gone && self.nodes[at].online && self.nodes[at].lost_at.is_none() {
                self.nodes[at].lost_at = Some(self.now);
            }
            if gone && self.nodes[at].online && self.passed(self.nodes[at].lost_at, DETECTION_MS) {
                self.nodes[at].online = false;
                self.tell("WARN", "membership", format!("node lost node={name} votes=2 expected=3"));
                changed = true;
            }
            if !gone && (!self.nodes[at].online || self.nodes[at].lost_at.is_some()) {
                self.nodes[at].online = true;
                self.nodes[at].lost_at = None;
                self.tell("INFO", "membership", format!("node joined node={name} votes=3 expected=3"));
                changed = true;
            }
        }
        changed
    }

    fn passed(&self, since: Option<Timestamp>, ms: i64) -> bool {
        since.is_some_and(|since| self.now.as_millisecond() - since.as_millisecond() >= ms)
    }

    fn able(&self, at: usize) -> bool {
        self.nodes[at].online && !self.nodes[at].standby
    }

    /// Moves VIPs to where they can be; without `maintenance` only.
    fn settle(&mut self) -> bool {
        let mut changed = false;
        for at in 0..self.vips.len() {
            if let Some((to, ready)) = self.vips[at].moving {
                if !self.able(to) {
                    self.vips[at].moving = None;
                } else if self.now >= ready {
                    let (vip, node) = (self.vips[at].name, self.nodes[to].name);
                    self.vips[at].holder = Some(to);
                    self.vips[at].moving = None;
                    self.tell("INFO", "vip", format!("acquired vip={vip} node={node} announced=5"));
                    changed = true;
                }
                continue;
            }
            let well = self.vips[at].holder.is_some_and(|holder| self.able(holder));
            if well || self.maintenance {
                continue;
            }
            let candidates = (0..self.nodes.len()).filter(|node| self.able(*node));
            let Some(to) = candidates.min_by_key(|node| self.load(*node)) else { continue };
            let (vip, node) = (self.vips[at].name, self.nodes[to].name);
            self.tell("INFO", "vip", format!("taking over vip={vip} node={node} delay_ms={TAKEOVER_MS}"));
            self.vips[at].moving = Some((to, self.now + SignedDuration::from_millis(TAKEOVER_MS)));
            changed = true;
        }
        changed
    }

    fn load(&self, node: usize) -> usize {
        self.vips.iter().filter(|vip| vip.moving.map_or(vip.holder, |(to, _)| Some(to)) == Some(node)).count()
    }

    /// Traffic that breathes.
    fn flow(&mut self, seconds: f64) {
        let t = self.now.as_millisecond() as f64 / 1000.0;
        for (at, scale) in [(1, 60_000.0), (2, 9_000.0)] {
            if self.nodes[at].lost_at.is_some() {
                continue;
            }
            let phase = t / (7.0 + 4.0 * at as f64);
            let wave = 1.2 + phase.sin() + 0.4 * (phase * 3.7).sin();
            self.traffic[at].0 += seconds * scale * wave.max(0.1);
            self.traffic[at].1 += seconds * scale * 2.3 * (1.3 + (phase * 1.3).cos()).max(0.1);
        }
    }

    /// `standby` and `unstandby`.
    pub fn set_standby(&mut self, name: &str, standby: bool) -> Result<(), Failure> {
        let Some(node) = self.nodes.iter_mut().find(|node| node.name == name) else {
            return Err(Failure::new(ErrorCode::NotFound).with("kind", "node").with("name", name));
        };
        if node.standby == standby {
            return Err(Failure::new(ErrorCode::AlreadySo).with("what", name));
        }
        node.standby = standby;
        self.version += 1;
        self.tell("INFO", "state", format!("standby node={name} on={standby} version={}", self.version));
        self.settle();
        Ok(())
    }

    /// `maintenance`.
    pub fn set_maintenance(&mut self, on: bool) {
        self.maintenance = on;
        self.version += 1;
        self.tell("INFO", "state", format!("maintenance on={on} version={}", self.version));
    }

    fn state(&self) -> StateVersion {
        StateVersion { epoch: 4, version: self.version, hash: "5d41402abc4b2a76".to_owned() }
    }

    /// The document that the daemon would send.
    pub fn status(&self, now: Timestamp) -> ClusterStatus {
        let votes = u32::try_from(self.nodes.iter().filter(|node| node.online).count()).unwrap_or(0);
        let leader = (0..self.nodes.len()).find(|at| self.able(*at));
        let mesh = self.mesh(now);
        let connected = mesh.peers.iter().filter(|peer| peer.state == PeerState::Connected).count();
        let node = |(at, node): (usize, &Node)| NodeStatus {
            name: node.name.to_owned(),
            id: at as u32 + 1,
            online: node.online,
            daemon: node.online,
            standby: node.standby,
            leader: leader == Some(at),
            address: format!("10.100.0.{}", at + 1),
            program: node.online.then(|| env!("CARGO_PKG_VERSION").to_owned()),
            state: node.online.then(|| self.state()),
        };
        ClusterStatus {
            schema: SCHEMA,
            cluster: "demo".to_owned(),
            node: HERE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            maintenance: self.maintenance,
            maintenance_until: None,
            quorum: QuorumStatus { quorate: true, votes: Some(votes), expected: Some(3), needed: Some(2) },
            leader: leader.map(|at| self.nodes[at].name.to_owned()),
            nodes: self.nodes.iter().enumerate().map(node).collect(),
            vips: self.vips.iter().map(|vip| self.vip(vip)).collect(),
            services: Vec::new(),
            health: Vec::new(),
            mesh: MeshSummary { enabled: true, peers: 2, connected: u32::try_from(connected).unwrap_or(0) },
            fencing: FencingSummary { enabled: false, provider: None, pending: Vec::new() },
            phase: Phase::Operational,
            detection: Some(Detection {
                profile: "lan".to_owned(),
                token_ms: 1000,
                consensus_ms: 600,
                detection_ms: DETECTION_MS as u32,
                takeover_delay_ms: TAKEOVER_MS as u32,
            }),
            state: Some(self.state()),
            config_file: None,
            links: Vec::new(),
            mesh_detail: Some(mesh),
        }
    }

    fn vip(&self, vip: &Vip) -> VipStatus {
        let name = |at: usize| self.nodes[at].name.to_owned();
        let holder = vip.holder.filter(|at| self.nodes[*at].online);
        let state = match (vip.moving, holder) {
            (Some(_), Some(_)) => VipState::Releasing,
            (Some(_), None) => VipState::Acquiring,
            (None, Some(_)) => VipState::Active,
            (None, None) => VipState::Waiting,
        };
        VipStatus {
            name: vip.name.to_owned(),
            address: vip.address.to_owned(),
            interface: Some("eth0".to_owned()),
            state,
            holder: holder.map(name),
            target: vip.moving.map(|(to, _)| name(to)),
            problem: None,
            conflict_with: None,
        }
    }

    fn mesh(&self, now: Timestamp) -> MeshStatus {
        let keys = [
            "8f3Yq0m1Tq7mZ2b6c0VtX9a1kP4rS5uW7yB2nD6hJ1M=",
            "Zp5cQ8t2LwXv3N7rB0sK6yJ4gH1dF9aM2eT5uI8oP3E=",
            "m4R7vC1xN0bQ5zL8kJ2hG6fD9sA3pO7iU1yT4rE0wWY=",
        ];
        let peer = |at: usize| {
            let node = &self.nodes[at];
            let since = (now.as_second() + 37 * at as i64).rem_euclid(HANDSHAKE_S);
            let seen = node.lost_at.unwrap_or(now) - SignedDuration::from_secs(since);
            let state = if node.online { PeerState::Connected } else { PeerState::Stale };
            let (rx, tx) = self.traffic[at];
            PeerStatus {
                name: node.name.to_owned(),
                ip: format!("10.100.0.{}", at + 1),
                public_key: keys[at].to_owned(),
                endpoint: Some(format!("203.0.113.{}:51820", 10 * (at + 1))),
                state,
                path: "direct".to_owned(),
                latest_handshake: Some(seen.to_string()),
                rx_bytes: rx as u64,
                tx_bytes: tx as u64,
                rtt_ms: node.online.then_some(if at == 1 { 0.8 } else { 24.3 }),
                loss: Some(if node.online { 0.0 } else { 1.0 }),
                endpoint_problem: (!node.online).then_some(EndpointProblem::Unreachable),
                keepalive: Some(25),
                member: true,
            }
        };
        MeshStatus {
            schema: SCHEMA,
            interface: "wg-sfha".to_owned(),
            address: "10.100.0.1/24".to_owned(),
            port: 51820,
            public_key: keys[0].to_owned(),
            backend: Backend::Kernel,
            mtu: 1420,
            peers: vec![peer(1), peer(2)],
            up: true,
            links: Vec::new(),
            auto_remove_after_s: None,
            rotating: Vec::new(),
        }
    }
}
