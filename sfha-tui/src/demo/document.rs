//! The documents that the daemon of the invented cluster would send.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sfha_proto::SCHEMA;
use sfha_proto::fencing::{
    FencingCause, FencingPhase, FencingProof, FencingStorm, FencingSummary, NodeFencing,
};
use sfha_proto::mesh::{Backend, EndpointProblem, MeshStatus, PairStatus, PeerState, PeerStatus};
use sfha_proto::status::{
    ClusterStatus, ConstraintStatus, Detection, HealthStatus, Load, MeshSummary, NodeStatus, Phase,
    QuorumStatus, ServiceStatus, StateVersion, VipState, VipStatus,
};

use super::world::{DETECTION_MS, HERE, Node, Service, TAKEOVER_MS, Vip, World};

/// A handshake every so often, in seconds.
const HANDSHAKE_S: i64 = 120;

impl World {
    fn state(&self) -> StateVersion {
        StateVersion { epoch: 4, version: self.version, hash: "5d41402abc4b2a76".to_owned() }
    }

    /// The document that the daemon would send.
    pub fn status(&self, now: Timestamp) -> ClusterStatus {
        let count = |n: usize| u32::try_from(n).unwrap_or(0);
        let votes = count(self.nodes.iter().filter(|node| node.online).count());
        let leader = self.leader();
        let mesh = self.mesh(now);
        let members = mesh.peers.iter().filter(|peer| peer.member);
        let connected = members.clone().filter(|peer| peer.state == PeerState::Connected).count();
        let peers = count(members.count());
        let node = |(at, node): (usize, &Node)| NodeStatus {
            name: node.name.clone(),
            id: count(at + 1),
            online: node.online,
            daemon: node.online,
            standby: node.standby,
            leader: leader == Some(at),
            address: format!("10.100.0.{}", at + 1),
            program: node.online.then(|| env!("CARGO_PKG_VERSION").to_owned()),
            state: node.online.then(|| self.state()),
        };
        let pending = self.nodes.iter().filter(|node| node.fencing.is_some());
        let fenced = self.nodes.iter().filter(|node| !node.online);
        ClusterStatus {
            schema: SCHEMA,
            cluster: "demo".to_owned(),
            node: HERE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            maintenance: self.maintenance,
            quorum: QuorumStatus {
                device: None,
                quorate: true,
                votes: Some(votes),
                expected: Some(count(self.nodes.len())),
                needed: Some(count(self.nodes.len() / 2 + 1)),
            },
            leader: leader.map(|at| self.nodes[at].name.clone()),
            nodes: self.nodes.iter().enumerate().map(node).collect(),
            vips: self.vips.iter().map(|vip| self.vip(vip)).collect(),
            services: self.services.iter().map(|service| self.service(service)).collect(),
            health: self.checks(),
            mesh: MeshSummary { enabled: true, peers, connected: count(connected) },
            fencing: FencingSummary {
                enabled: true,
                provider: Some("proxmox".to_owned()),
                pending: pending.map(|node| node.name.clone()).collect(),
                levels: LEVELS.map(str::to_owned).into(),
                storm: Some(FencingStorm {
                    begun: count(fenced.count()),
                    limit: 2,
                    holding: false,
                    next_ms: None,
                }),
                nodes: self.nodes[1..].iter().map(fencing).collect(),
                ..FencingSummary::default()
            },
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
            constraints: self.services.iter().flat_map(ties).collect(),
            load: Some(self.daemon_load()),
            maintenance_until: None,
            mesh_detail: Some(mesh),
        }
    }

    fn vip(&self, vip: &Vip) -> VipStatus {
        let name = |at: usize| self.nodes[at].name.clone();
        let holder = vip.holder.filter(|at| self.nodes[*at].online);
        let state = match (vip.moving, holder) {
            (Some(_), Some(_)) => VipState::Releasing,
            (Some(_), None) => VipState::Acquiring,
            (None, Some(_)) => VipState::Active,
            (None, None) => VipState::Waiting,
        };
        VipStatus {
            name: vip.name.clone(),
            address: vip.address.clone(),
            interface: vip.interface.clone(),
            state,
            holder: holder.map(name),
            target: vip.moving.map(|(to, _)| name(to)),
            problem: None,
            conflict_with: None,
            prefer: Vec::new(),
        }
    }

    /// A service goes with its VIP.
    fn service(&self, service: &Service) -> ServiceStatus {
        let vip = self.vips.iter().find(|vip| vip.name == service.with).map(|vip| self.vip(vip));
        let state = match vip.as_ref().map(|vip| vip.state) {
            Some(VipState::Active) => "active",
            Some(VipState::Releasing) => "stopping",
            Some(VipState::Acquiring) => "starting",
            _ => "stopped",
        };
        ServiceStatus {
            name: service.name.clone(),
            unit: service.unit.clone(),
            state: state.to_owned(),
            holder: vip.and_then(|vip| vip.holder),
            healthy: (state == "active").then_some(service.healthy),
            failures: service.failures,
            target: None,
            problem: None,
            elsewhere: Vec::new(),
            prefer: Vec::new(),
        }
    }

    fn daemon_load(&self) -> Load {
        let uptime_s = u64::try_from(self.now.as_second() - self.begun.as_second()).unwrap_or(0) + 11_520;
        Load { cpu: Some(0.002), memory_bytes: Some(5_120_000), uptime_s }
    }

    fn checks(&self) -> Vec<HealthStatus> {
        let check = |name: &str, kind: &str, good: bool, error: &str| HealthStatus {
            name: name.to_owned(),
            kind: kind.to_owned(),
            healthy: Some(good),
            last_error: (!good).then(|| error.to_owned()),
            service: Some(if kind == "http" { "nginx" } else { "postgres" }.to_owned()),
            nodes: BTreeMap::new(),
        };
        vec![
            check("db-port", "tcp", true, ""),
            check("web-http", "http", self.services[0].healthy, "status-503"),
        ]
    }

    /// The public key of a node.
    pub fn key(&self, at: usize) -> String {
        let keys = [
            "8f3Yq0m1Tq7mZ2b6c0VtX9a1kP4rS5uW7yB2nD6hJ1M=",
            "Zp5cQ8t2LwXv3N7rB0sK6yJ4gH1dF9aM2eT5uI8oP3E=",
            "m4R7vC1xN0bQ5zL8kJ2hG6fD9sA3pO7iU1yT4rE0wWY=",
        ];
        let turn = usize::try_from(self.nodes[at].keys).unwrap_or(0) % 40;
        let key = keys[at % keys.len()];
        format!("{}{}", &key[turn..43], &key[..turn]) + "="
    }

    fn mesh(&self, now: Timestamp) -> MeshStatus {
        let peer = |at: usize| {
            let node = &self.nodes[at];
            let since = (now.as_second() + 37 * at as i64).rem_euclid(HANDSHAKE_S);
            let seen = node.lost_at.unwrap_or(now) - SignedDuration::from_secs(since);
            let state = if node.online { PeerState::Connected } else { PeerState::Stale };
            PeerStatus {
                name: node.name.clone(),
                ip: format!("10.100.0.{}", at + 1),
                public_key: self.key(at),
                endpoint: Some(format!("203.0.113.{}:51820", 10 * (at + 1))),
                state,
                path: "direct".to_owned(),
                latest_handshake: Some(seen.to_string()),
                rx_bytes: node.traffic.0 as u64,
                tx_bytes: node.traffic.1 as u64,
                rtt_ms: node.online.then(|| self.rtt(0, at)),
                loss: Some(if node.online { 0.0 } else { 1.0 }),
                endpoint_problem: (!node.online).then_some(EndpointProblem::Unreachable),
                keepalive: Some(25),
                member: true,
            }
        };
        let foreign = |(name, ip, key, endpoint): &(String, String, String, Option<String>)| PeerStatus {
            name: name.clone(),
            ip: ip.clone(),
            public_key: key.clone(),
            endpoint: endpoint.clone(),
            state: PeerState::Never,
            path: "direct".to_owned(),
            latest_handshake: None,
            rx_bytes: 0,
            tx_bytes: 0,
            rtt_ms: None,
            loss: None,
            endpoint_problem: None,
            keepalive: Some(25),
            member: false,
        };
        let mut peers: Vec<PeerStatus> = (1..self.nodes.len()).map(peer).collect();
        peers.extend(self.foreign.iter().map(foreign));
        MeshStatus {
            schema: SCHEMA,
            interface: "wg-sfha".to_owned(),
            address: "10.100.0.1/24".to_owned(),
            port: 51820,
            public_key: self.key(0),
            backend: Backend::Kernel,
            mtu: 1420,
            peers,
            up: true,
            links: Vec::new(),
            auto_remove_after_s: None,
            rotating: Vec::new(),
            pairs: self.pairs(),
        }
    }

    /// What the other nodes say about their paths.
    fn pairs(&self) -> Vec<PairStatus> {
        let mut pairs = Vec::new();
        for from in (1..self.nodes.len()).filter(|at| self.nodes[*at].online) {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let answers = self.nodes[to].online && self.nodes[to].lost_at.is_none();
                pairs.push(PairStatus {
                    from: self.nodes[from].name.clone(),
                    to: self.nodes[to].name.clone(),
                    path: "direct".to_owned(),
                    rtt_ms: answers.then(|| self.rtt(from, to)),
                });
            }
        }
        pairs
    }

    /// node3 is elsewhere; everything breathes a little.
    fn rtt(&self, from: usize, to: usize) -> f64 {
        let far = from == 2 || to == 2;
        let wave = (self.now.as_second() as f64 / 5.0 + (from * 3 + to) as f64).sin();
        let ms = if far { 24.3 + 2.0 * wave } else { 0.8 + 0.15 * wave };
        (ms * 1000.0).round() / 1000.0
    }
}

/// What switches nodes of the demonstration.
const LEVELS: [&str; 2] = ["proxmox", "watchdog"];

/// How fencing stands to a node: it goes through as long as the node is away.
fn fencing(node: &Node) -> NodeFencing {
    let phase = match (node.online, node.fencing) {
        (true, _) => None,
        (false, Some(_)) => Some(FencingPhase::Fencing),
        (false, None) => Some(FencingPhase::Fenced),
    };
    let under_way = phase == Some(FencingPhase::Fencing);
    NodeFencing {
        name: node.name.clone(),
        phase,
        harmless: phase == Some(FencingPhase::Fenced),
        excused: false,
        levels: LEVELS.map(str::to_owned).into(),
        held: None,
        level: phase.map(|_| LEVELS[0].to_owned()),
        attempt: under_way.then_some(1),
        rounds: 0,
        proof: (phase == Some(FencingPhase::Fenced)).then_some(FencingProof::Off),
        cause: phase.map(|_| FencingCause::Lost),
        by: None,
        since: None,
        next_ms: None,
        watchdog_ms: under_way.then_some(WATCHDOG_MS),
        watchdog_timeout_ms: Some(WATCHDOG_MS),
        switching_on: false,
        error: None,
    }
}

/// A service comes after its VIP, on the same node.
fn ties(service: &Service) -> [ConstraintStatus; 2] {
    let (first, then) = (service.with.clone(), service.name.clone());
    let together = ConstraintStatus::Colocation { resource: then.clone(), with: first.clone() };
    [together, ConstraintStatus::Order { first, then }]
}

/// Time-out of the watchdogs.
const WATCHDOG_MS: u64 = 15_000;
