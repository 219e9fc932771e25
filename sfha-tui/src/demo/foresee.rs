//! The simulator of the invented cluster: where things would be after an event, by the rules that it lives by.

use serde_json::Value;
use sfha_proto::simulate::{Change, Place, SimulateParams, Simulation, Standing, Step};
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::world::{DETECTION_MS, FENCING_MS, HERE, TAKEOVER_MS, World};

/// Where everything is, and who could have it.
#[derive(Clone)]
struct Picture {
    nodes: Vec<Seat>,
    /// Name and holder.
    vips: Vec<(String, Option<usize>)>,
    /// Name, and the VIP that it goes with.
    services: Vec<(String, String)>,
    maintenance: bool,
}

#[derive(Clone)]
struct Seat {
    name: String,
    online: bool,
    standby: bool,
}

impl World {
    /// Answers `simulate`.
    pub(super) fn foresee(&self, params: &Value) -> Result<Option<Value>, Failure> {
        let asked: SimulateParams = serde_json::from_value(params.clone()).map_err(|_| wrong("params"))?;
        let mut picture = Picture {
            nodes: (self.nodes.iter())
                .map(|node| Seat { name: node.name.clone(), online: node.online, standby: node.standby })
                .collect(),
            vips: self.vips.iter().map(|vip| (vip.name.clone(), vip.holder)).collect(),
            services: self.services.iter().map(|s| (s.name.clone(), s.with.clone())).collect(),
            maintenance: self.maintenance,
        };
        let start = picture.standing();
        let mut steps = Vec::new();
        for event in asked.events {
            let before = picture.clone();
            let outcome = picture.happens(&event)?;
            if outcome.is_err() {
                picture = before.clone();
            }
            steps.push(step(event, &before, &picture, outcome));
        }
        Ok(serde_json::to_value(Simulation { schema: SCHEMA, node: HERE.to_owned(), start, steps }).ok())
    }
}

impl Picture {
    fn able(&self, at: usize) -> bool {
        self.nodes[at].online && !self.nodes[at].standby
    }

    fn leader(&self) -> Option<usize> {
        (0..self.nodes.len()).find(|at| self.able(*at))
    }

    /// Lets one event happen: how long the change takes, or why it is refused; an error if there is no such thing.
    fn happens(&mut self, event: &str) -> Result<Result<i64, Failure>, Failure> {
        let (kind, name) = event.split_once(':').unwrap_or((event, ""));
        let node = || self.nodes.iter().position(|node| node.name == name).ok_or_else(|| wrong(name));
        let pair = || name.split_once('=').ok_or_else(|| wrong(name));
        let mut time = TAKEOVER_MS;
        match kind {
            "failover" => return Ok(self.failover(name)),
            "standby" | "unstandby" => {
                let node = node()?;
                self.nodes[node].standby = kind == "standby";
            }
            "maintenance" => self.maintenance = name == "on",
            "vip-add" => self.vips.push((pair()?.0.to_owned(), None)),
            "vip-remove" => self.vips.retain(|(vip, _)| vip != name),
            "service-add" => {
                let with = self.vips.first().map(|(vip, _)| vip.clone()).unwrap_or_default();
                self.services.push((pair()?.0.to_owned(), with));
            }
            "service-remove" => self.services.retain(|(service, _)| service != name),
            "node-remove" if node()? < 3 => {
                let refused = Failure::new(ErrorCode::WouldLoseQuorum).with("name", name);
                return Ok(Err(refused.with("votes", 2).with("needed", 3)));
            }
            "node-remove" | "fence" => {
                let node = node()?;
                self.nodes[node].online = false;
                time += if kind == "fence" { DETECTION_MS + FENCING_MS } else { 0 };
            }
            "unfence" => {
                let node = node()?;
                self.nodes[node].online = true;
            }
            "confirm" => drop(node()?),
            _ => return Err(wrong(event)),
        }
        self.settle();
        Ok(Ok(time))
    }

    fn failover(&mut self, to: &str) -> Result<i64, Failure> {
        let able = || (0..self.nodes.len()).filter(|at| self.able(*at));
        let from = self.vips.iter().find_map(|(_, holder)| *holder).or(self.leader());
        let to = match to {
            "" => able().find(|at| Some(*at) != from),
            name => able().find(|at| self.nodes[*at].name == name),
        };
        let to = to.ok_or(ErrorCode::NoCandidate)?;
        if self.maintenance {
            return Err(ErrorCode::Maintenance.into());
        }
        if self.vips.iter().all(|(_, holder)| holder.is_none_or(|holder| holder == to)) {
            let name = self.nodes[to].name.clone();
            return Err(Failure::new(ErrorCode::AlreadySo).with("what", "failover").with("name", name));
        }
        self.vips
            .iter_mut()
            .filter(|(_, holder)| holder.is_some())
            .for_each(|(_, holder)| *holder = Some(to));
        Ok(TAKEOVER_MS)
    }

    /// What is where it cannot be goes where there is least.
    fn settle(&mut self) {
        for at in 0..self.vips.len() {
            let well = self.vips[at].1.is_some_and(|holder| self.able(holder));
            if well || self.maintenance {
                continue;
            }
            let load = |node: &usize| self.vips.iter().filter(|(_, holder)| *holder == Some(*node)).count();
            let candidates = (0..self.nodes.len()).filter(|node| self.able(*node));
            self.vips[at].1 = candidates.min_by_key(load);
        }
    }

    fn places(&self) -> Vec<Place> {
        let holder = |vip: &str| -> Vec<String> {
            let held = self.vips.iter().find(|(name, _)| name == vip).and_then(|(_, holder)| *holder);
            held.filter(|at| self.nodes[*at].online)
                .map(|at| self.nodes[at].name.clone())
                .into_iter()
                .collect()
        };
        let place =
            |name: &str, kind: &str, holders| Place { name: name.to_owned(), kind: kind.to_owned(), holders };
        let vips = self.vips.iter().map(|(name, _)| place(name, "vip", holder(name)));
        vips.chain(self.services.iter().map(|(name, with)| place(name, "service", holder(with)))).collect()
    }

    fn standing(&self) -> Standing {
        let quorate = self.nodes.iter().filter(|node| node.online).map(|node| node.name.clone()).collect();
        let leader = self.leader().map(|at| self.nodes[at].name.clone());
        Standing { quorate, leader, resources: self.places() }
    }
}

fn step(event: String, before: &Picture, after: &Picture, outcome: Result<i64, Failure>) -> Step {
    let (old, new) = (before.places(), after.places());
    let within_ms = outcome.as_ref().map_or(0, |ms| u64::try_from(*ms).unwrap_or(0));
    let held = |places: &[Place], name: &str| {
        places.iter().find(|place| place.name == name).map(|place| place.holders.clone())
    };
    let gone = old.iter().filter(|place| held(&new, &place.name).is_none());
    let changes: Vec<Change> = (new.iter().chain(gone))
        .filter_map(|place| {
            let (was, is) = (held(&old, &place.name), held(&new, &place.name));
            let why = match &is {
                None => Some("removed"),
                Some(holders) if holders.is_empty() && after.maintenance => Some("maintenance"),
                Some(holders) if holders.is_empty() => Some("no-candidate"),
                Some(_) => None,
            };
            let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
            (was != is || why == Some("removed")).then(|| Change {
                name: place.name.clone(),
                kind: place.kind.clone(),
                from: was.first().cloned(),
                to: is.first().cloned(),
                holders: is,
                within_ms,
                waits: Vec::new(),
                why: why.map(str::to_owned),
                waits_for: None,
            })
        })
        .collect();
    Step {
        event,
        refused: outcome.err(),
        leader_before: before.leader().map(|at| before.nodes[at].name.clone()),
        after: after.standing(),
        within_ms: if changes.is_empty() { 0 } else { within_ms },
        changes,
        settled: true,
    }
}

fn wrong(value: &str) -> Failure {
    Failure::new(ErrorCode::InvalidParameter)
        .with("parameter", "event")
        .with("value", value)
        .with("reason", "event")
}
