//! What watching an address on all nodes tells: who had it when, and for how long two had it.

use std::time::Duration;

use serde::Serialize;

use super::probe_report::as_ms;

/// A time during which a node had the address on an interface with carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// The node, counted from 0.
    pub node: usize,
    /// Since the watcher's start.
    #[serde(serialize_with = "as_ms", rename = "from_ms")]
    pub from: Duration,
    /// Since the watcher's start; the end of the watching when the node still had it then.
    #[serde(serialize_with = "as_ms", rename = "until_ms")]
    pub until: Duration,
}

/// The result of watching one address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WatchReport {
    /// In the order in which they began.
    pub holdings: Vec<Holding>,
    /// Altogether, how long two or more nodes had it.
    #[serde(serialize_with = "as_ms", rename = "two_holders_ms")]
    pub two_holders: Duration,
    /// Altogether, how long nobody had it, from the first holding on.
    #[serde(serialize_with = "as_ms", rename = "nobody_ms")]
    pub nobody: Duration,
}

/// A node got the address or lost it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) at: Duration,
    pub(crate) node: usize,
    pub(crate) held: bool,
}

impl WatchReport {
    pub(crate) fn new(changes: &[Change], end: Duration) -> Self {
        let mut report = Self::default();
        let mut current: Vec<Holding> = Vec::new();
        let mut before = None;
        for change in changes {
            report.count(current.len(), change.at - before.unwrap_or(change.at));
            before = Some(change.at);
            let found = current.iter().position(|holding| holding.node == change.node);
            match (found, change.held) {
                (None, true) => current.push(Holding { node: change.node, from: change.at, until: end }),
                (Some(index), false) => {
                    report.holdings.push(Holding { until: change.at, ..current.remove(index) });
                }
                (None, false) | (Some(_), true) => {}
            }
        }
        report.count(current.len(), end.saturating_sub(before.unwrap_or(end)));
        report.holdings.extend(current);
        report.holdings.sort_by_key(|holding| (holding.from, holding.node));
        report
    }

    fn count(&mut self, holders: usize, time: Duration) {
        match holders {
            0 => self.nobody += time,
            1 => {}
            _ => self.two_holders += time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: u64, node: usize, held: bool) -> Change {
        Change { at: Duration::from_millis(at), node, held }
    }

    #[test]
    fn an_overlap_is_counted_and_so_is_a_hole() {
        let changes = [
            change(100, 0, true),
            change(300, 1, true),
            change(340, 0, false),
            change(500, 1, false),
            change(507, 2, true),
        ];
        let report = WatchReport::new(&changes, Duration::from_millis(600));
        assert_eq!(report.two_holders, Duration::from_millis(40));
        assert_eq!(
            report.nobody,
            Duration::from_millis(7),
            "the time before the first holder does not count"
        );
        let nodes: Vec<_> = report.holdings.iter().map(|holding| holding.node).collect();
        assert_eq!(nodes, [0, 1, 2]);
        assert_eq!(report.holdings[2].until, Duration::from_millis(600));
    }

    #[test]
    fn three_holders_are_not_counted_twice() {
        let changes = [change(0, 0, true), change(0, 1, true), change(0, 2, true)];
        let report = WatchReport::new(&changes, Duration::from_millis(10));
        assert_eq!(report.two_holders, Duration::from_millis(10));
    }
}
