//! The probes to one peer: when the next one is due, and what their answers tell.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Time;

/// Between two probes of a peer that answers.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// The same after one that is overdue.
const QUICK: Duration = Duration::from_millis(250);

/// For how long a silent peer is probed quickly.
const QUICK_FOR: Duration = Duration::from_secs(10);

/// After this time without an answer a probe counts as lost.
const LOST: Duration = Duration::from_secs(2);

/// Least time between two probes, whatever the hurry.
const SPACING: Duration = Duration::from_millis(100);

/// Probes over which the loss is counted.
const WINDOW: usize = 60;

/// The probes to one peer.
#[derive(Debug, Clone)]
pub(super) struct Probing {
    number: u32,
    sent: BTreeMap<u32, Time>,
    last_sent: Option<Time>,
    next: Time,
    hurried: bool,
    quick_since: Option<Time>,
    fates: VecDeque<bool>,
    /// When it answered last.
    pub answered: Option<Time>,
    /// Probes since then.
    pub unanswered: u32,
    smoothed: Option<Duration>,
}

impl Probing {
    pub fn new(now: Time) -> Self {
        Self {
            number: 0,
            sent: BTreeMap::new(),
            last_sent: None,
            next: now,
            hurried: false,
            quick_since: None,
            fates: VecDeque::new(),
            answered: None,
            unanswered: 0,
            smoothed: None,
        }
    }

    /// When something is due.
    pub fn due(&self) -> Time {
        self.next
    }

    /// The sooner the better: there is something to tell.
    pub fn hurry(&mut self, now: Time) {
        let earliest = self.last_sent.map_or(now, |sent| (sent + SPACING).max(now));
        if earliest < self.next {
            self.next = earliest;
            self.hurried = true;
        }
    }

    /// The number of the probe to send now, if one is due.
    pub fn send(&mut self, now: Time) -> Option<u32> {
        if now < self.next {
            return None;
        }
        while let Some((number, at)) = self.sent.first_key_value().map(|(number, at)| (*number, *at)) {
            if now - at < LOST {
                break;
            }
            self.sent.remove(&number);
            if self.answered.is_some() {
                self.fate(false);
            }
        }
        // An answer in time puts it off to the usual interval.
        let quick = self.unanswered == 0 || now - *self.quick_since.get_or_insert(now) < QUICK_FOR;
        self.next = now + if quick { self.patience() } else { INTERVAL };
        self.hurried = false;
        self.number = self.number.wrapping_add(1);
        self.unanswered = self.unanswered.saturating_add(1);
        self.sent.insert(self.number, now);
        self.last_sent = Some(now);
        Some(self.number)
    }

    /// How long an answer may take before it is missed.
    fn patience(&self) -> Duration {
        let usual = self.smoothed.map_or(QUICK, |rtt| rtt * 3);
        usual.clamp(QUICK, INTERVAL)
    }

    /// An answer came; `false` when it is to nothing that was asked.
    pub fn answer(&mut self, number: u32, now: Time) -> bool {
        let Some(sent) = self.sent.remove(&number) else { return false };
        if self.answered.is_none() {
            // What went to a node that was not there yet, or before the tunnel was, is no loss.
            self.sent = self.sent.split_off(&number);
        }
        let rtt = now - sent;
        self.smoothed = Some(match self.smoothed {
            // As TCP does, RFC 6298: a new sample counts an eighth.
            Some(smoothed) => (smoothed * 7 + rtt) / 8,
            None => rtt,
        });
        self.fate(true);
        self.answered = Some(now);
        self.unanswered = 0;
        self.quick_since = None;
        if !self.hurried {
            self.next = self.next.max(sent + INTERVAL);
        }
        true
    }

    /// The path is another one: what was measured on the old one says nothing.
    pub fn start_over(&mut self, now: Time) {
        self.sent.clear();
        self.smoothed = None;
        self.unanswered = 0;
        self.quick_since = None;
        self.next = self.next.min(now + QUICK);
    }

    fn fate(&mut self, answered: bool) {
        self.fates.push_back(answered);
        if self.fates.len() > WINDOW {
            self.fates.pop_front();
        }
    }

    /// Smoothed round-trip time.
    pub fn rtt(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Nothing was answered, and nothing is overdue: neither the path's life nor its death has been shown.
    pub fn is_open(&self, now: Time) -> bool {
        let overdue = |sent: &Time| now - *sent >= QUICK;
        self.answered.is_none() && self.unanswered <= 1 && !self.sent.values().any(overdue)
    }

    /// The share of probes that was lost since the first answer, in thousandths; `None` before that.
    pub fn loss_permille(&self) -> Option<u16> {
        let lost = self.fates.iter().filter(|answered| !**answered).count();
        (!self.fates.is_empty()).then(|| u16::try_from(lost * 1000 / self.fates.len()).unwrap_or(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1000)
    }

    #[test]
    fn an_answering_peer_is_probed_once_a_second() {
        let mut probing = Probing::new(at(0));
        let mut sent = 0;
        for ms in 0..10_000 {
            if let Some(number) = probing.send(at(ms)) {
                sent += 1;
                assert!(probing.answer(number, at(ms + 20)));
            }
        }
        assert_eq!(sent, 10);
        assert_eq!(probing.rtt(), Some(Duration::from_millis(20)));
        assert_eq!(probing.loss_permille(), Some(0));
    }

    #[test]
    fn a_missed_answer_makes_it_quicker_and_only_for_a_while() {
        let mut probing = Probing::new(at(0));
        let number = probing.send(at(0)).unwrap();
        assert!(probing.answer(number, at(1)));
        let times: Vec<u64> = (1000..60_000).filter(|ms| probing.send(at(*ms)).is_some()).collect();
        let within = |from, to| times.iter().filter(|ms| (from..to).contains(*ms)).count();
        assert!(within(1000, 4000) >= 7, "{times:?}");
        assert!(within(30_000, 40_000) <= 10, "{times:?}");
        assert!(probing.loss_permille().unwrap() > 900);
    }

    #[test]
    fn what_was_asked_before_the_first_answer_is_not_lost() {
        let mut probing = Probing::new(at(0));
        let times = (0..3000).filter(|ms| probing.send(at(*ms)).is_some()).count();
        assert!(times > 3, "nobody was there");
        assert_eq!(probing.loss_permille(), None);
        let first = (3000..4000).find_map(|ms| Some((ms, probing.send(at(ms))?))).unwrap();
        assert!(probing.answer(first.1, at(first.0 + 1)));
        for ms in first.0 + 2..first.0 + 10_000 {
            if let Some(number) = probing.send(at(ms)) {
                assert!(probing.answer(number, at(ms)));
            }
        }
        assert_eq!(probing.loss_permille(), Some(0), "also of those that are overdue only now");
    }

    #[test]
    fn a_question_is_open_until_it_is_answered_or_overdue() {
        let mut probing = Probing::new(at(0));
        assert!(probing.is_open(at(0)), "nothing was asked");
        let number = probing.send(at(0)).unwrap();
        assert!(probing.is_open(at(249)));
        assert!(!probing.is_open(at(250)));
        let mut answered = probing.clone();
        assert!(answered.answer(number, at(10)));
        assert!(!answered.is_open(at(10)));
        probing.send(at(250)).unwrap();
        assert!(!probing.is_open(at(251)));
    }

    #[test]
    fn an_answer_to_nothing_counts_for_nothing() {
        let mut probing = Probing::new(at(0));
        let number = probing.send(at(0)).unwrap();
        assert!(!probing.answer(number + 1, at(1)));
        assert!(probing.answer(number, at(2)));
        assert!(!probing.answer(number, at(3)), "only once");
        assert_eq!(probing.answered, Some(at(2)));
    }

    #[test]
    fn hurry_keeps_a_distance() {
        let mut probing = Probing::new(at(0));
        probing.send(at(0)).unwrap();
        probing.hurry(at(10));
        assert_eq!(probing.send(at(50)), None);
        assert!(probing.send(at(100)).is_some());
    }
}
