//! What the answers of a health check mean: a single one says little, a few in a row decide.
//!
//! ```text
//!              rise successes in a row
//!  unknown ────────────────────────────▶ healthy
//!     │                                   │   ▲
//!     │ fall failures in a row            │   │ rise successes
//!     ▼                     fall failures ▼   │ in a row
//!  unhealthy ◀────────────────────────────────┘
//! ```
//!
//! Unknown is not healthy. Failures in the grace after the start are shown and do not count; successes do.
//! An answer that did not come in time is a failure like any other.
//!
//! What must never happen: two questions of one check under way at once, or all checks of all nodes asking in
//! the same instant: each interval is a tenth longer or shorter, as a seed tells.

use std::time::Duration;

use crate::resources::HealthCheck;
use crate::time::Time;

/// Within this time, or its interval if that is shorter, a check asks for the first time.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// An interval is longer or shorter by up to this fraction of it.
const JITTER_FRACTION: u32 = 10;

/// What is known of a check, and of which the others are told when it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// `None` until enough answers agree.
    pub healthy: Option<bool>,
    /// Code of the last failure, while it stands: not under a healthy verdict.
    pub error: Option<String>,
}

/// Judges the answers of one check on one node, and says when it asks.
#[derive(Debug, Clone)]
pub struct Judge {
    rise: u32,
    fall: u32,
    interval: Duration,
    grace_until: Time,
    seed: u64,
    asked: u64,
    due: Time,
    verdict: Verdict,
    streak: Streak,
}

/// Answers of the same kind in a row.
#[derive(Debug, Clone, Copy)]
enum Streak {
    Successes(u32),
    Failures(u32),
}

impl Judge {
    /// Nothing is known; the grace, where there is one, begins now. `seed` should differ between checks and
    /// between nodes.
    #[must_use]
    pub fn new(check: &HealthCheck, seed: u64, now: Time) -> Self {
        let interval = Duration::from_millis(check.interval_ms.max(1));
        let mut judge = Self {
            rise: check.rise.max(1),
            fall: check.fall.max(1),
            interval,
            grace_until: now + Duration::from_millis(check.start_grace_ms),
            seed,
            asked: 0,
            due: now,
            verdict: Verdict::default(),
            streak: Streak::Failures(0),
        };
        judge.due = now + judge.share_of(FIRST_WITHIN.min(interval));
        judge
    }

    /// When the next question is due.
    #[must_use]
    pub fn due(&self) -> Time {
        self.due
    }

    /// What is known now.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// A question goes out: the next one is an interval away. If the answer takes longer, that is due at once
    /// when it has come.
    pub fn ask(&mut self, now: Time) {
        self.asked += 1;
        let jitter = self.interval / JITTER_FRACTION;
        self.due = now + (self.interval - jitter) + self.share_of(jitter * 2);
    }

    /// An answer came, or its time was over. Says whether the verdict, as others are told it, is another one.
    pub fn answer(&mut self, outcome: Result<(), String>, now: Time) -> bool {
        let before = self.verdict.clone();
        match outcome {
            Ok(()) => {
                let successes = match self.streak {
                    Streak::Successes(count) => count.saturating_add(1),
                    Streak::Failures(_) => 1,
                };
                self.streak = Streak::Successes(successes);
                if successes >= self.rise {
                    self.verdict = Verdict { healthy: Some(true), error: None };
                }
            }
            Err(code) => {
                let failures = match self.streak {
                    _ if now < self.grace_until => 0,
                    Streak::Failures(count) => count.saturating_add(1),
                    Streak::Successes(_) => 1,
                };
                self.streak = Streak::Failures(failures);
                if failures >= self.fall {
                    self.verdict.healthy = Some(false);
                }
                if self.verdict.healthy != Some(true) {
                    self.verdict.error = Some(code);
                }
            }
        }
        self.verdict != before
    }

    /// From nothing to the whole of it, differently for each question.
    fn share_of(&self, whole: Duration) -> Duration {
        let thousandths = mix(self.seed.wrapping_add(self.asked)) % 1001;
        whole * u32::try_from(thousandths).unwrap_or(0) / 1000
    }
}

/// A seed for a check on a node.
#[must_use]
pub fn seed(node: u32, check: &str) -> u64 {
    check.bytes().fold(mix(u64::from(node)), |seed, byte| mix(seed ^ u64::from(byte)))
}

/// Spreads its argument over all values (the finaliser of SplitMix64: Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests;
