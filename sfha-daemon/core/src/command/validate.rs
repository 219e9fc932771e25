//! Whether what is configured makes sense together: names that are known, times in reason, no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use sfha_proto::Failure;

use super::invalid;
use crate::resources::{Constraint, HealthCheck, MAX_SERVICE_TIMEOUT_MS, Service};
use crate::state::ClusterState;
use crate::unit;

/// Start and stop time of a service.
const TIMEOUTS_MS: RangeInclusive<u64> = 1..=MAX_SERVICE_TIMEOUT_MS;

/// Shortest and longest time between two questions of a check: 100 ms, 1 day.
const INTERVALS_MS: RangeInclusive<u64> = 100..=86_400_000;

/// Successes or failures in a row.
const COUNTS: RangeInclusive<u32> = 1..=1000;

impl ClusterState {
    /// Names and times of a service.
    pub(super) fn check_service(&self, service: &Service) -> Result<(), Failure> {
        check_unit(&service.unit)?;
        self.check_preferred(&service.prefer)?;
        in_range("start_timeout_ms", service.start_timeout_ms, &TIMEOUTS_MS)?;
        in_range("stop_timeout_ms", service.stop_timeout_ms, &TIMEOUTS_MS)
    }

    /// Nodes that are preferred are nodes.
    pub(super) fn check_preferred(&self, prefer: &[String]) -> Result<(), Failure> {
        let unknown = prefer.iter().find(|name| self.node_id(name).is_none());
        unknown.map_or(Ok(()), |name| Err(invalid("prefer", name, "unknown-node")))
    }

    /// Names and times of a health check.
    pub(super) fn check_check(&self, check: &HealthCheck) -> Result<(), Failure> {
        if let Some(service) = check.service.as_ref().filter(|name| !self.services.contains_key(*name)) {
            return Err(invalid("service", service, "unknown-service"));
        }
        if let Some(unit) = &check.restart_unit {
            check_unit(unit)?;
        }
        in_range("interval_ms", check.interval_ms, &INTERVALS_MS)?;
        in_range("timeout_ms", check.timeout_ms, &TIMEOUTS_MS)?;
        in_range("fall", check.fall, &COUNTS)?;
        in_range("rise", check.rise, &COUNTS)
    }

    /// Constraints name what there is and lead nowhere in a circle.
    pub(super) fn check_constraints(&self) -> Result<(), Failure> {
        let known = |name: &&str| self.vips.contains_key(*name) || self.services.contains_key(*name);
        if let Some(name) = self.constraints.iter().flat_map(Constraint::names).find(|name| !known(name)) {
            return Err(invalid("constraints", name, "unknown-resource"));
        }
        let order = |constraint: &Constraint| matches!(constraint, Constraint::Order { .. });
        for (reason, wanted) in [("order-circle", true), ("colocation-circle", false)] {
            let edges = self.constraints.iter().filter(|constraint| order(constraint) == wanted);
            if let Some(circle) = find_circle(edges.map(Constraint::names)) {
                return Err(invalid("constraints", &circle.join(" → "), reason).with("circle", circle));
            }
        }
        Ok(())
    }
}

fn check_unit(name: &str) -> Result<(), Failure> {
    if unit::whole_name(name).as_deref() != Some(name) {
        return Err(invalid("unit", name, "unit"));
    }
    if unit::is_own(name) {
        return Err(invalid("unit", name, "unit-of-the-cluster"));
    }
    Ok(())
}

fn in_range<T: PartialOrd + ToString>(
    parameter: &str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), Failure> {
    if range.contains(&value) {
        return Ok(());
    }
    let failure = invalid(parameter, &value.to_string(), "range");
    Err(failure.with("least", range.start().to_string()).with("most", range.end().to_string()))
}

/// The names along a circle, the first one again at its end.
fn find_circle<'a>(edges: impl Iterator<Item = [&'a str; 2]>) -> Option<Vec<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for [from, to] in edges {
        next.entry(from).or_default().push(to);
    }
    let mut done = BTreeSet::new();
    let starts: Vec<&str> = next.keys().copied().collect();
    starts.into_iter().find_map(|start| walk(start, &next, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    name: &'a str,
    next: &BTreeMap<&'a str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(begin) = way.iter().position(|other| *other == name) {
        let circle = way.iter().skip(begin).chain([&name]);
        return Some(circle.map(|name| (*name).to_owned()).collect());
    }
    if !done.insert(name) {
        return None;
    }
    way.push(name);
    let found = next.get(name).into_iter().flatten().find_map(|to| walk(to, next, way, done));
    way.pop();
    found
}
