//! What operators changed while things went wrong, and what has to be left of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use super::Fault;
use super::faults::Outcome;
use crate::cluster::Cluster;

/// VIPs that were added and removed meanwhile.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Whether they have to be there; `None`: nobody was told.
    expected: BTreeMap<u64, Option<bool>>,
    acknowledged: usize,
}

/// The name of a VIP that is added meanwhile.
pub(super) fn name(number: u64) -> String {
    format!("x{number}")
}

impl Changes {
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Takes in what came of a step of the round; in the order of their beginnings. What two operators ask for
    /// at the same time may come in either order.
    pub(super) fn note(&mut self, fault: &Fault, outcome: Outcome) {
        self.acknowledged += usize::from(outcome == Outcome::Acknowledged);
        let (number, there) = match fault {
            Fault::Add(_, number) => (*number, true),
            Fault::Remove(_, number) => (*number, false),
            _ => return,
        };
        let sure = outcome == Outcome::Acknowledged && !self.expected.contains_key(&number);
        let removed = outcome == Outcome::Acknowledged && !there;
        self.expected.insert(number, (sure || removed).then_some(there));
    }

    /// Fails when something that was acknowledged is not so.
    pub(super) fn check(&self, cluster: &Cluster) -> Result<()> {
        let there = vips(cluster)?;
        for (number, expected) in &self.expected {
            let name = name(*number);
            let found = there.contains(&name);
            ensure!(
                expected.is_none_or(|expected| expected == found),
                "{name} was acknowledged to be {}, and is {}",
                word(*expected == Some(true)),
                word(found)
            );
        }
        Ok(())
    }

    /// Removes all of them.
    pub(super) fn clear(&mut self, cluster: &Cluster) -> Result<()> {
        for name in vips(cluster)?.iter().filter(|name| name.starts_with('x')) {
            let _: serde_json::Value = cluster.ask(0, &["vip", "remove", name, "--yes"])?;
        }
        self.expected.clear();
        Ok(())
    }
}

fn vips(cluster: &Cluster) -> Result<BTreeSet<String>> {
    Ok(cluster.status(0)?.vips.into_iter().map(|vip| vip.name).collect())
}

fn word(there: bool) -> &'static str {
    if there { "there" } else { "gone" }
}
