//! Traffic of each peer: rates from successive counters, and their recent past.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use sfha_proto::mesh::MeshStatus;

/// Samples kept for each peer.
const KEPT: usize = 240;
/// Counters closer together than this give no useful rate.
const SHORTEST_MS: i64 = 500;
/// A rate older than this says nothing any more.
const FRESH_S: i64 = 10;

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Received.
    pub rx: f64,
    /// Sent.
    pub tx: f64,
}

#[derive(Debug, Clone, Default)]
struct Past {
    counters: Option<(Timestamp, u64, u64)>,
    samples: VecDeque<Sample>,
}

/// Traffic of every peer, by name.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    peers: BTreeMap<String, Past>,
}

impl Rates {
    /// Takes the counters of this moment.
    pub fn take(&mut self, mesh: &MeshStatus, now: Timestamp) {
        self.peers.retain(|name, _| mesh.peers.iter().any(|peer| peer.name == *name));
        for peer in &mesh.peers {
            let past = self.peers.entry(peer.name.clone()).or_default();
            past.take(now, peer.rx_bytes, peer.tx_bytes);
        }
    }

    /// The rate of a peer now, if it is known.
    pub fn current(&self, peer: &str, now: Timestamp) -> Option<Sample> {
        let past = self.peers.get(peer)?;
        let (at, ..) = past.counters?;
        (now.as_second() - at.as_second() <= FRESH_S).then(|| past.samples.back().copied()).flatten()
    }

    /// The latest samples of a peer, oldest first.
    pub fn history(&self, peer: &str) -> Vec<Sample> {
        self.peers.get(peer).map(|past| past.samples.iter().copied().collect()).unwrap_or_default()
    }
}

impl Past {
    fn take(&mut self, now: Timestamp, rx: u64, tx: u64) {
        if let Some((then, old_rx, old_tx)) = self.counters {
            let ms = now.as_millisecond() - then.as_millisecond();
            if (0..SHORTEST_MS).contains(&ms) {
                return;
            }
            // A counter that went back is that of a new interface: nothing can be said of the time between.
            if ms > 0 && rx >= old_rx && tx >= old_tx {
                let rate = |new: u64, old: u64| (new - old) as f64 * 1000.0 / ms as f64;
                self.samples.push_back(Sample { rx: rate(rx, old_rx), tx: rate(tx, old_tx) });
                if self.samples.len() > KEPT {
                    self.samples.pop_front();
                }
            }
        }
        self.counters = Some((now, rx, tx));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_rate_needs_two_counters_far_enough_apart() {
        let mut past = Past::default();
        past.take(at(0), 1000, 0);
        assert!(past.samples.is_empty());
        past.take(at(100), 1900, 0);
        assert!(past.samples.is_empty());
        past.take(at(2000), 5000, 1000);
        assert_eq!(past.samples, [Sample { rx: 2000.0, tx: 500.0 }]);
    }

    #[test]
    fn counters_that_begin_anew_give_no_rate() {
        let mut past = Past::default();
        past.take(at(0), 1000, 1000);
        past.take(at(1000), 10, 10);
        assert!(past.samples.is_empty());
        past.take(at(2000), 20, 10);
        assert_eq!(past.samples, [Sample { rx: 10.0, tx: 0.0 }]);
    }

    #[test]
    fn the_past_is_bounded_and_a_clock_set_back_is_survived() {
        let mut past = Past::default();
        for second in 0..500 {
            past.take(at(second * 1000), u64::try_from(second).unwrap(), 0);
        }
        assert_eq!(past.samples.len(), KEPT);
        past.take(at(0), 600, 0);
        past.take(at(1000), 700, 0);
        assert_eq!(past.samples.back(), Some(&Sample { rx: 100.0, tx: 0.0 }));
    }
}
