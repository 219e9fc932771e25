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

/// What was measured of a peer at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Received, in bytes a second.
    pub rx: f64,
    /// Sent, in bytes a second.
    pub tx: f64,
    /// Round-trip time, in milliseconds, if it answered.
    pub rtt: Option<f64>,
    /// Share of probes without an answer, from 0 to 1.
    pub loss: Option<f64>,
}

/// Counters and measurements of one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    rx: u64,
    tx: u64,
    rtt: Option<f64>,
    loss: Option<f64>,
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
            let (rx, tx) = (peer.rx_bytes, peer.tx_bytes);
            past.take(now, Seen { rx, tx, rtt: peer.rtt_ms, loss: peer.loss });
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
    fn take(&mut self, now: Timestamp, seen: Seen) {
        let Seen { rx, tx, rtt, loss } = seen;
        if let Some((then, old_rx, old_tx)) = self.counters {
            let ms = now.as_millisecond() - then.as_millisecond();
            if (0..SHORTEST_MS).contains(&ms) {
                return;
            }
            // A counter that went back is that of a new interface: nothing can be said of the time between.
            if ms > 0 && rx >= old_rx && tx >= old_tx {
                let rate = |new: u64, old: u64| (new - old) as f64 * 1000.0 / ms as f64;
                self.samples.push_back(Sample { rx: rate(rx, old_rx), tx: rate(tx, old_tx), rtt, loss });
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

    fn seen(rx: u64, tx: u64) -> Seen {
        Seen { rx, tx, ..Seen::default() }
    }

    #[test]
    fn a_rate_needs_two_counters_far_enough_apart() {
        let mut past = Past::default();
        past.take(at(0), seen(1000, 0));
        assert!(past.samples.is_empty());
        past.take(at(100), seen(1900, 0));
        assert!(past.samples.is_empty());
        past.take(at(2000), seen(5000, 1000));
        assert_eq!(past.samples, [Sample { rx: 2000.0, tx: 500.0, rtt: None, loss: None }]);
    }

    #[test]
    fn counters_that_begin_anew_give_no_rate() {
        let mut past = Past::default();
        past.take(at(0), seen(1000, 1000));
        past.take(at(1000), seen(10, 10));
        assert!(past.samples.is_empty());
        past.take(at(2000), seen(20, 10));
        assert_eq!(past.samples, [Sample { rx: 10.0, tx: 0.0, rtt: None, loss: None }]);
    }

    #[test]
    fn the_past_is_bounded_and_a_clock_set_back_is_survived() {
        let mut past = Past::default();
        for second in 0..500 {
            past.take(at(second * 1000), seen(u64::try_from(second).unwrap(), 0));
        }
        assert_eq!(past.samples.len(), KEPT);
        past.take(at(0), seen(600, 0));
        past.take(at(1000), seen(700, 0));
        assert_eq!(past.samples.back(), Some(&Sample { rx: 100.0, tx: 0.0, rtt: None, loss: None }));
    }
}
