//! Whether the parts of a configuration fit together: names, addresses, and what constraints say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use sfha_core::resources::Constraint;
use sfha_proto::config::FindingCode;

use crate::Context;
use crate::findings::Findings;
use crate::reader::closest;
use crate::schema::{Decoded, Places};
use crate::yaml::Mark;

/// Looks at all of it.
pub fn check(decoded: &Decoded, context: &Context<'_>, findings: &mut Findings<'_>) {
    let Decoded { config, places } = decoded;
    names(places, findings);
    let vips = places.vips.iter().filter_map(|(name, at)| {
        let vip = config.shared.vips.get(name)?;
        Some((name, vip.address.addr().to_string(), *at))
    });
    unique(vips, FindingCode::DuplicateAddress, "vips", findings);
    let units = places.services.iter().filter_map(|(name, at)| {
        let managed = config.shared.services.get(name)?;
        Some((name, managed.service.unit.clone(), *at))
    });
    unique(units, FindingCode::DuplicateUnit, "services", findings);
    constraints(places, findings);
    let services: BTreeSet<&str> = places.services.iter().map(|(name, _)| name.as_str()).collect();
    for (key, name, at) in places.references.iter().filter(|(_, name, _)| !services.contains(name.as_str())) {
        findings
            .error(FindingCode::UnknownService, key, *at)
            .with("name", name.as_str())
            .with_some("suggestion", closest(name, services.iter().copied()));
    }
    if let Some(nodes) = context.nodes {
        let unknown = places.nodes.iter().filter(|(_, name, _)| nodes.iter().all(|node| node != name));
        for (key, name, at) in unknown {
            findings
                .error(FindingCode::UnknownNode, key, *at)
                .with("name", name.as_str())
                .with_some("suggestion", closest(name, nodes.iter().map(String::as_str)));
        }
    }
    let whose = [
        (FindingCode::OtherCluster, "cluster.name", &config.cluster, context.cluster, places.cluster),
        (FindingCode::OtherNode, "node.name", &config.node, context.node, places.node),
    ];
    for (code, key, value, wanted, place) in whose {
        if let (Some(wanted), Some(at)) = (wanted.filter(|wanted| wanted != value), place) {
            findings.error(code, key, at).with("value", value.as_str()).with("wanted", wanted);
        }
    }
}

/// VIPs and services share their names; a service's own check has that of the service.
fn names(places: &Places, findings: &mut Findings<'_>) {
    let resources = places.vips.iter().map(|named| ("vips", named));
    let resources = resources.chain(places.services.iter().map(|named| ("services", named)));
    let mut first: BTreeMap<&str, Mark> = BTreeMap::new();
    for (list, (name, at)) in resources {
        duplicate(&mut first, name, *at, list, findings);
    }
    let mut first: BTreeMap<&str, Mark> = BTreeMap::new();
    for (name, at) in &places.checks {
        duplicate(&mut first, name, *at, "health_checks", findings);
    }
}

fn duplicate<'n>(
    first: &mut BTreeMap<&'n str, Mark>,
    name: &'n str,
    at: Mark,
    list: &str,
    findings: &mut Findings<'_>,
) {
    match first.get(name) {
        None => drop(first.insert(name, at)),
        Some(first) => drop(
            findings.error(FindingCode::DuplicateName, list, at).with("name", name).with("first", first.line),
        ),
    }
}

fn unique<'n>(
    values: impl Iterator<Item = (&'n String, String, Mark)>,
    code: FindingCode,
    list: &str,
    findings: &mut Findings<'_>,
) {
    let mut seen: BTreeMap<String, Mark> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (name, value, at) in values {
        // One that is twice by its name is told as that.
        if !names.insert(name) {
            continue;
        }
        match seen.get(&value) {
            None => drop(seen.insert(value, at)),
            Some(first) => {
                findings.error(code, list, at).with("value", value.as_str()).with("first", first.line);
            }
        }
    }
}

fn constraints(places: &Places, findings: &mut Findings<'_>) {
    let known: BTreeSet<&str> =
        places.vips.iter().chain(&places.services).map(|(name, _)| name.as_str()).collect();
    let mut seen: BTreeMap<&Constraint, Mark> = BTreeMap::new();
    let (mut order, mut together) = (Graph::default(), Graph::default());
    for (constraint, at, marks) in &places.constraints {
        let names = constraint.names();
        for (name, at) in names.into_iter().zip(marks) {
            if !known.contains(name) {
                findings
                    .error(FindingCode::UnknownResource, "constraints", *at)
                    .with("name", name)
                    .with_some("suggestion", closest(name, known.iter().copied()));
            }
        }
        if let Some(first) = seen.insert(constraint, *at) {
            findings.error(FindingCode::DuplicateConstraint, "constraints", *at).with("first", first.line);
        } else if names[0] == names[1] {
            findings.error(FindingCode::TiedToItself, "constraints", *at).with("name", names[0]);
        } else {
            let graph =
                if matches!(constraint, Constraint::Order { .. }) { &mut order } else { &mut together };
            graph.add(names[0], names[1], *at);
        }
    }
    for graph in [order, together] {
        for (names, at) in graph.cycles() {
            findings.error(FindingCode::Cycle, "constraints", at).with("names", Joined(&names).to_string());
        }
    }
}

struct Joined<'a>(&'a [&'a str]);

impl Display for Joined<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" → "))
    }
}

#[derive(Default)]
struct Graph<'n> {
    edges: BTreeMap<&'n str, Vec<(&'n str, Mark)>>,
}

impl<'n> Graph<'n> {
    fn add(&mut self, from: &'n str, to: &'n str, at: Mark) {
        self.edges.entry(from).or_default().push((to, at));
    }

    /// Every circle that a walk from node to node comes upon, with the constraint that closes it.
    fn cycles(&self) -> Vec<(Vec<&'n str>, Mark)> {
        let mut found = Vec::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for start in self.edges.keys() {
            // The walk, and how many edges of each of its nodes were followed: no recursion, since the
            // longest path has as many nodes as there are constraints.
            let mut walk: Vec<(&'n str, usize)> = vec![(start, 0)];
            while let Some((node, followed)) = walk.last_mut() {
                let (node, edge) = (*node, *followed);
                *followed += 1;
                let next = self.edges.get(node).and_then(|edges| edges.get(edge));
                match next {
                    _ if done.contains(node) => drop(walk.pop()),
                    None => {
                        done.insert(node);
                        walk.pop();
                    }
                    Some((next, at)) => match walk.iter().position(|(node, _)| node == next) {
                        Some(first) => {
                            let mut names: Vec<&str> = walk[first..].iter().map(|(name, _)| *name).collect();
                            names.push(next);
                            found.push((names, *at));
                        }
                        None => walk.push((next, 0)),
                    },
                }
            }
        }
        found
    }
}
