//! What the operator asks of the invented cluster; some of it takes its time, as in a real one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sfha_proto::mesh::{TokenListed, TokenMade};
use sfha_proto::message::{FailoverDone, Progress, RotateDone, RotatedNode, Step, VipsAnnounced, method};
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::world::{FENCING_MS, HERE, Node, Service, Vip, World};
use crate::client::link::{LinkEvent, Order};

/// How long each step of a change of keys takes.
const KEY_STEP_MS: i64 = 700;
/// Time from a token to the node that uses it, and from there to its being a member.
const JOINER_MS: i64 = 9000;
const MEMBER_MS: i64 = 3000;
/// Of the certificate that an invented Proxmox shows.
const FINGERPRINT: &str = "3F:0A:91:5C:77:E2:14:B8:60:D3:2E:4B:95:7A:CC:01:\
                           88:1D:F6:39:AE:52:0B:C4:6F:E7:13:9D:20:B5:7C:E8";
/// How long a node is off that somebody had switched off.
const OFF_MS: i64 = 8000;

/// A token.
pub struct Token {
    made: TokenMade,
    born: Timestamp,
    node: Option<String>,
}

/// Something that takes its time.
pub struct Job {
    tag: u64,
    begun: Timestamp,
    kind: Work,
}

enum Work {
    /// Nodes whose keys change, and the steps that were told.
    Rotate { nodes: Vec<usize>, told: usize },
    /// VIPs that move, and where to.
    Failover { moved: Vec<String>, to: usize },
}

type Outcome = Result<Option<Value>, Failure>;

impl World {
    /// Does what is asked, as the daemon would.
    pub fn take(&mut self, order: Order) {
        let Order { tag, method, params } = order;
        match self.obey(tag, method, &params) {
            Ok(None) => {}
            Ok(Some(value)) => self.out.push(LinkEvent::Answer { tag, outcome: Ok(value) }),
            Err(failure) => self.out.push(LinkEvent::Answer { tag, outcome: Err(failure.into()) }),
        }
    }

    fn obey(&mut self, tag: u64, method: &str, params: &Value) -> Outcome {
        let text = |name: &str| params[name].as_str().map(str::to_owned);
        let node = || text("node").unwrap_or_else(|| HERE.to_owned());
        let name = || text("name").unwrap_or_default();
        match method {
            method::STANDBY => self.set_standby(&node(), true),
            method::UNSTANDBY => self.set_standby(&node(), false),
            method::MAINTENANCE => {
                self.maintenance = params["on"] == true;
                Ok(self.changed(format!("maintenance on={}", self.maintenance)))
            }
            method::VIP_ADD => self.add_vip(name(), text("address").unwrap_or_default(), text("interface")),
            method::VIP_REMOVE => match self.vips.iter().position(|vip| vip.name == name()) {
                Some(at) => {
                    self.vips.remove(at);
                    Ok(self.changed(format!("vip removed vip={}", name())))
                }
                None => Err(not_found("vip", &name())),
            },
            method::VIP_ANNOUNCE => {
                let announced = self.vips.iter().map(|vip| vip.name.clone()).collect();
                Ok(serde_json::to_value(VipsAnnounced { schema: SCHEMA, announced }).ok())
            }
            method::SERVICE_ADD => {
                let (name, unit) = (name(), text("unit").unwrap_or_default());
                if self.services.iter().any(|service| service.name == name) {
                    return Err(Failure::new(ErrorCode::AlreadyExists)
                        .with("kind", "service")
                        .with("name", name));
                }
                let message = format!("service added service={name} unit={unit}");
                let with = self.vips.first().map(|vip| vip.name.clone()).unwrap_or_default();
                self.services.push(Service { name, unit, with, failures: 0, healthy: true });
                Ok(self.changed(message))
            }
            method::SERVICE_REMOVE => match self.services.iter().skip(1).position(|s| s.name == name()) {
                // The story needs its first one.
                Some(at) => {
                    self.services.remove(at + 1);
                    Ok(self.changed(format!("service removed service={}", name())))
                }
                None => Err(not_found("service", &name())),
            },
            method::STONITH_CHECK => Ok(Some(self.checked(&params["settings"]))),
            method::STONITH_CONFIGURE => Ok(self.changed("fencing configured".to_owned())),
            method::STONITH_FENCE => self.fence(&node()),
            method::STONITH_CONFIRM | method::STONITH_UNFENCE => {
                match self.nodes.iter().position(|known| known.name == node()) {
                    Some(at) if self.nodes[at].online => {
                        Err(Failure::new(ErrorCode::NodeOnline).with("name", node()))
                    }
                    Some(at) => {
                        self.nodes[at].fencing = None;
                        self.nodes[at].off_until = None;
                        Ok(self.changed(format!("{method} node={}", node())))
                    }
                    None => Err(not_found("node", &node())),
                }
            }
            method::SIMULATE => self.foresee(params),
            method::FAILOVER => self.failover(tag, text("to").as_deref()),
            method::MESH_TOKEN => self.token(params["expires_s"].as_i64().unwrap_or(3600), text("ip")),
            method::MESH_TOKENS => Ok(serde_json::to_value(self.listed()).ok()),
            method::MESH_ROTATE_KEYS => self.rotate(tag, text("node").as_deref()),
            method::MESH_ADD_PEER => {
                let key = text("public_key").unwrap_or_default();
                self.foreign.push((name(), text("ip").unwrap_or_default(), key, text("endpoint")));
                Ok(self.changed(format!("peer added peer={}", name())))
            }
            method::MESH_REMOVE_PEER => self.remove(&name()),
            other => Err(Failure::new(ErrorCode::UnknownMethod).with("method", other)),
        }
    }

    /// A try of settings: no authority answers for the certificate, and one node is not known under its number.
    fn checked(&self, settings: &Value) -> Value {
        let level = settings["levels"][0].as_str().or_else(|| settings["levels"][0]["agent"].as_str());
        let proxmox = &settings["proxmox"];
        let results = self.nodes[1..].iter().enumerate().map(|(index, node)| {
            let vmid = settings["nodes"][&node.name]["vmid"].as_u64();
            let error = if proxmox["trust"] == "system" {
                json!({"code": "fence-certificate", "details": {
                    "driver": "proxmox", "endpoint": proxmox["api_urls"][0], "reason": "issuer",
                    "fingerprint": FINGERPRINT}})
            } else if vmid == Some(999) {
                json!({"code": "fence-target", "details": {
                    "driver": "proxmox", "name": node.name, "value": "qemu/999"}})
            } else {
                Value::Null
            };
            let power = if error.is_null() { json!("on") } else { Value::Null };
            json!({"node": node.name, "level": level, "power": power, "error": error, "elapsed_ms": 40 + index})
        });
        json!({"schema": SCHEMA, "by": HERE, "results": results.collect::<Vec<_>>()})
    }

    /// Switches a node off; it is back after a while.
    fn fence(&mut self, name: &str) -> Outcome {
        let Some(at) = self.nodes.iter().position(|node| node.name == name) else {
            return Err(not_found("node", name));
        };
        let after = |ms| self.now + SignedDuration::from_millis(ms);
        let (fenced, back) = (after(FENCING_MS), after(OFF_MS));
        let node = &mut self.nodes[at];
        (node.online, node.fencing, node.off_until) = (false, Some(fenced), Some(back));
        Ok(self.changed(format!("fencing begun node={name} driver=proxmox")))
    }

    fn changed(&mut self, message: String) -> Option<Value> {
        self.version += 1;
        self.tell("INFO", "state", format!("{message} version={}", self.version));
        self.settle();
        Some(json!({}))
    }

    fn set_standby(&mut self, name: &str, standby: bool) -> Outcome {
        let Some(node) = self.nodes.iter_mut().find(|node| node.name == name) else {
            return Err(not_found("node", name));
        };
        if node.standby == standby {
            return Err(Failure::new(ErrorCode::AlreadySo).with("what", "standby"));
        }
        node.standby = standby;
        Ok(self.changed(format!("standby node={name} on={standby}")))
    }

    fn add_vip(&mut self, name: String, address: String, interface: Option<String>) -> Outcome {
        if self.vips.iter().any(|vip| vip.name == name || vip.address == address) {
            return Err(Failure::new(ErrorCode::AlreadyExists).with("kind", "vip").with("name", name));
        }
        let message = format!("vip added vip={name} address={address}");
        self.vips.push(Vip { name, address, interface, holder: None, moving: None });
        Ok(self.changed(message))
    }

    fn remove(&mut self, name: &str) -> Outcome {
        if let Some(at) = self.foreign.iter().position(|(peer, ..)| peer == name) {
            self.foreign.remove(at);
            return Ok(self.changed(format!("peer removed peer={name}")));
        }
        let Some(gone) = self.nodes.iter().position(|node| node.name == name) else {
            return Err(not_found("node", name));
        };
        if gone < 3 {
            // The story needs its three nodes.
            return Err(Failure::new(ErrorCode::WouldLoseQuorum)
                .with("name", name)
                .with("votes", 2)
                .with("needed", 3));
        }
        self.nodes.remove(gone);
        for vip in &mut self.vips {
            vip.holder = vip.holder.filter(|at| *at != gone);
            vip.moving = vip.moving.filter(|(to, _)| *to != gone);
        }
        Ok(self.changed(format!("node removed node={name}")))
    }

    fn failover(&mut self, tag: u64, to: Option<&str>) -> Outcome {
        let able = || (0..self.nodes.len()).filter(|at| self.able(*at));
        let from = self.vips.iter().find_map(|vip| vip.holder).or(self.leader());
        let to = match to {
            Some(name) => able().find(|at| self.nodes[*at].name == name),
            None => able().find(|at| Some(*at) != from),
        };
        let Some(to) = to else { return Err(ErrorCode::NoCandidate.into()) };
        if self.maintenance {
            return Err(ErrorCode::Maintenance.into());
        }
        let held: Vec<usize> =
            (0..self.vips.len()).filter(|at| self.vips[*at].holder.is_some_and(|by| by != to)).collect();
        held.iter().for_each(|vip| self.send_to(*vip, to));
        let moved = held.iter().map(|vip| self.vips[*vip].name.clone()).collect();
        self.jobs.push(Job { tag, begun: self.now, kind: Work::Failover { moved, to } });
        Ok(None)
    }

    fn token(&mut self, seconds: i64, ip: Option<String>) -> Outcome {
        let number = self.nodes.len() + 1;
        let made = TokenMade {
            schema: SCHEMA,
            // As long as a real one.
            token: format!("sfha-join://{}", "eyJ2IjoxLCJkZW1vIjp0cnVlfQ".repeat(22)),
            id: format!("d3m0{:04x}", self.tokens.len() + 0xa1),
            ip: Some(ip.unwrap_or_else(|| format!("10.100.0.{number}"))),
            expires: (self.now + SignedDuration::from_secs(seconds)).to_string(),
        };
        let answer = serde_json::to_value(&made).ok();
        self.tokens.push(Token { made, born: self.now, node: None });
        self.tell("INFO", "tokens", "invite made".to_owned());
        Ok(answer)
    }

    fn listed(&self) -> Vec<TokenListed> {
        let listed = |token: &Token| TokenListed {
            id: token.made.id.clone(),
            ip: token.made.ip.clone(),
            expires: token.made.expires.clone(),
            initiator: HERE.to_owned(),
            state: if token.node.is_some() { "redeemed" } else { "open" }.to_owned(),
            node: token.node.clone(),
        };
        self.tokens.iter().map(listed).collect()
    }

    fn rotate(&mut self, tag: u64, node: Option<&str>) -> Outcome {
        let nodes: Vec<usize> =
            (0..self.nodes.len()).filter(|at| node.is_none_or(|name| self.nodes[*at].name == name)).collect();
        let away: Vec<&str> = self.nodes.iter().filter(|n| !n.online).map(|n| n.name.as_str()).collect();
        if !away.is_empty() {
            return Err(Failure::new(ErrorCode::NodesAway).with("nodes", away.join(", ")));
        }
        self.jobs.push(Job { tag, begun: self.now, kind: Work::Rotate { nodes, told: 0 } });
        Ok(None)
    }

    /// Goes on with everything that takes its time.
    pub(super) fn work(&mut self) -> bool {
        let mut changed = self.joiners();
        for mut job in std::mem::take(&mut self.jobs) {
            let elapsed = self.now.as_millisecond() - job.begun.as_millisecond();
            let done = match &mut job.kind {
                Work::Rotate { nodes, told } => self.turn_keys(job.tag, nodes, told, elapsed),
                Work::Failover { moved, to } => {
                    let there = |vip: &Vip| !moved.contains(&vip.name) || vip.holder == Some(*to);
                    let (to, moved, elapsed_ms) =
                        (self.nodes[*to].name.clone(), moved.clone(), elapsed as u64);
                    let done = FailoverDone { schema: SCHEMA, moved, to, elapsed_ms };
                    self.vips.iter().all(there).then(|| serde_json::to_value(done).ok()).flatten()
                }
            };
            changed |= done.is_some();
            match done {
                Some(value) => self.out.push(LinkEvent::Answer { tag: job.tag, outcome: Ok(value) }),
                None => self.jobs.push(job),
            }
        }
        changed
    }

    /// Tells the steps that are due; the result after the last one.
    fn turn_keys(&mut self, tag: u64, nodes: &[usize], told: &mut usize, elapsed: i64) -> Option<Value> {
        let steps = [Step::KeyPrepare, Step::KeyCommit, Step::KeyCleanup];
        while *told < nodes.len() * steps.len() && elapsed >= *told as i64 * KEY_STEP_MS {
            let node = self.nodes[nodes[*told / steps.len()]].name.clone();
            let step = steps[*told % steps.len()];
            if step == Step::KeyCommit {
                self.nodes[nodes[*told / steps.len()]].keys += 1;
            }
            let progress = Progress { id: 0, step, node: Some(node), elapsed_ms: elapsed as u64 };
            self.out.push(LinkEvent::Progress { tag, progress });
            *told += 1;
        }
        if elapsed < (nodes.len() * steps.len()) as i64 * KEY_STEP_MS {
            return None;
        }
        let elapsed_ms = KEY_STEP_MS as u64 * steps.len() as u64;
        let done = |at: &usize| RotatedNode {
            node: self.nodes[*at].name.clone(),
            public_key: self.key(*at),
            elapsed_ms,
        };
        serde_json::to_value(RotateDone { schema: SCHEMA, nodes: nodes.iter().map(done).collect() }).ok()
    }

    /// Whoever was given a token uses it.
    fn joiners(&mut self) -> bool {
        let now = self.now;
        let mut arrived = Vec::new();
        let mut members = Vec::new();
        let count = self.nodes.len();
        for token in &mut self.tokens {
            let age = now.as_millisecond() - token.born.as_millisecond();
            if token.node.is_none() && age >= JOINER_MS {
                token.node = Some(format!("node{}", count + 1));
                arrived.extend(token.node.clone());
            }
            if let Some(node) = token.node.clone().filter(|_| age >= JOINER_MS + MEMBER_MS) {
                members.push(node);
            }
        }
        let known = |world: &Self, name: &String| world.nodes.iter().any(|node| node.name == *name);
        let mut changed = !arrived.is_empty();
        for node in arrived {
            self.tell("INFO", "join", format!("invite used node={node}"));
        }
        for node in members {
            if !known(self, &node) {
                self.nodes.push(Node::new(node.clone()));
                self.tell("INFO", "membership", format!("node joined node={node}"));
                changed = true;
            }
        }
        // Only once: who was removed stays away.
        self.tokens.retain(|token| now.as_millisecond() - token.born.as_millisecond() < 60_000);
        changed
    }
}

fn not_found(kind: &str, name: &str) -> Failure {
    Failure::new(ErrorCode::NotFound).with("kind", kind).with("name", name)
}
