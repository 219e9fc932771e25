//! Traffic of each peer: rates from successive counters, and their recent past.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use sfha_proto::mesh::{MeshStatus, PairStatus};

/// Samples kept for each peer.
const KEPT: usize = 240;
/// Counters closer together than this give no useful rate; and a graph that moves on costs bytes over the wire.
const SHORTEST_MS: i64 = 1900;
/// Round-trip times between two other nodes that differ by no more than this are the same to the eye: a share of the
/// one that is shown, or as many milliseconds.
const SAME_SHARE: f64 = 0.15;
const SAME_MS: f64 = 0.3;
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

/// Of 240 pairs most times differ a little at every look: what is shown stays until it is really another, which
/// spares the eye and the wire.
pub fn steady(old: &MeshStatus, new: &mut MeshStatus) {
    for (number, pair) in new.pairs.iter_mut().enumerate() {
        let same = |was: &&PairStatus| was.from == pair.from && was.to == pair.to && was.path == pair.path;
        // They come in the same order as long as the nodes are the same.
        let was = old.pairs.get(number).filter(same).or_else(|| old.pairs.iter().find(same));
        if let Some((shown, now)) = was.and_then(|was| was.rtt_ms).zip(pair.rtt_ms)
            && (now - shown).abs() <= (shown * SAME_SHARE).max(SAME_MS)
        {
            pair.rtt_ms = Some(shown);
        }
    }
}

impl Past {
    fn take(&mut self, now: Timestamp, seen: Seen) {
        let Seen { rx, tx, rtt, loss } = seen;
        if let Some((then, old_rx, old_tx)) = self.counters {
            let ms = now.as_millisecond() - then.as_millisecond();
            // A counter that went back is that of a new interface: nothing can be said of the time between.
            let same = rx >= old_rx && tx >= old_tx;
            if same && (0..SHORTEST_MS).contains(&ms) {
                return;
            }
            if same && ms > 0 {
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
    fn a_time_stays_on_the_screen_until_it_is_another() {
        let text = include_str!("../../tests/fixtures/healthy.json");
        let status: sfha_proto::status::ClusterStatus = serde_json::from_str(text).unwrap();
        let mesh = |times: &[f64]| {
            let mut mesh = status.mesh_detail.clone().unwrap();
            let pair = |(number, rtt): (usize, &f64)| PairStatus {
                from: "node2".into(),
                to: format!("n{number}"),
                path: "direct".into(),
                rtt_ms: Some(*rtt),
            };
            mesh.pairs = times.iter().enumerate().map(pair).collect();
            mesh
        };
        let mut now = mesh(&[0.6, 24.0, 30.0]);
        steady(&mesh(&[0.4, 22.0, 20.0]), &mut now);
        let shown: Vec<_> = now.pairs.iter().filter_map(|pair| pair.rtt_ms).collect();
        assert_eq!(shown, [0.4, 22.0, 30.0]);
    }

    #[test]
    fn counters_that_begin_anew_give_no_rate() {
        let mut past = Past::default();
        past.take(at(0), seen(1000, 1000));
        past.take(at(1000), seen(10, 10));
        assert!(past.samples.is_empty());
        past.take(at(3000), seen(30, 10));
        assert_eq!(past.samples, [Sample { rx: 10.0, tx: 0.0, rtt: None, loss: None }]);
    }

    #[test]
    fn the_past_is_bounded_and_a_clock_set_back_is_survived() {
        let mut past = Past::default();
        for second in 0..500 {
            past.take(at(second * 2000), seen(u64::try_from(second).unwrap(), 0));
        }
        assert_eq!(past.samples.len(), KEPT);
        past.take(at(0), seen(600, 0));
        past.take(at(2000), seen(800, 0));
        assert_eq!(past.samples.back(), Some(&Sample { rx: 100.0, tx: 0.0, rtt: None, loss: None }));
    }
}
