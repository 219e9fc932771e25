//! What this daemon takes of its machine: for the console.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use sfha_proto::status::Load;

/// Over less than this a share of a core says nothing.
const SPAN: Duration = Duration::from_secs(5);

/// Measures when it is asked, and not otherwise.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    used: Duration,
    share: Option<f64>,
}

impl Meter {
    /// From now on.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, last: Mutex::new(Last { at: now, used: used(), share: None }) }
    }

    /// What it is now; the processor's part over the time since it was measured last.
    pub fn read(&self) -> Load {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let span = now - last.at;
        if span >= SPAN {
            let used = used();
            let share = used.saturating_sub(last.used).as_secs_f64() / span.as_secs_f64();
            *last = Last { at: now, used, share: Some(share) };
        }
        let uptime_s = (now - self.started).as_secs();
        Load { cpu: last.share, memory_bytes: memory(), uptime_s }
    }
}

/// Processor time of all threads so far.
fn used() -> Duration {
    let of = |time: TimeVal| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0));
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(Duration::ZERO, |usage| of(usage.user_time()) + of(usage.system_time()))
}

/// `RssAnon` of proc_pid_status(5): what is not a file's.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_measured_over_a_while() {
        let meter = Meter::start();
        assert_eq!(meter.read().cpu, None);
        let begin = Instant::now();
        let mut sum = 0_u64;
        while used() < Duration::from_millis(20) && begin.elapsed() < SPAN {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0 && used() > Duration::ZERO);
        // As if that had been some time ago.
        if let Ok(mut last) = meter.last.lock() {
            (last.at, last.used) = (begin - 2 * SPAN, Duration::ZERO);
        }
        let load = meter.read();
        assert!(load.cpu.is_some_and(|cpu| cpu > 0.0), "{load:?}");
        assert!(load.memory_bytes.is_some_and(|bytes| bytes > 100_000), "{load:?}");
    }
}
