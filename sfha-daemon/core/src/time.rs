//! Time as the core sees it: how long since some start, never what o'clock.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Monotonic time since an arbitrary start, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// From microseconds since the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Time {
    /// So many milliseconds later; before, when less than nothing.
    #[must_use]
    pub fn offset_ms(self, ms: i64) -> Self {
        let micros = ms.unsigned_abs().saturating_mul(1000);
        Self(if ms < 0 { self.0.saturating_sub(micros) } else { self.0.saturating_add(micros) })
    }

    /// Milliseconds from `other` to this, rounded up; less than nothing when this is before it.
    #[must_use]
    pub fn ms_from(self, other: Self) -> i64 {
        let ms = |wait: Duration| i64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
        if self >= other {
            ms(self.since(other))
        } else {
            -i64::try_from(other.since(self).as_millis()).unwrap_or(i64::MAX)
        }
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}
