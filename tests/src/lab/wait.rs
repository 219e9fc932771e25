//! Waiting for something to become true, with a deadline and a name for what was awaited.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at; most of them cost a few milliseconds themselves.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Polls `condition` until it holds and returns how long that took.
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) -> Result<Duration> {
    let start = Instant::now();
    wait_for(what, timeout, || condition().then_some(()))?;
    Ok(start.elapsed())
}

/// Polls `attempt` until it yields a value.
pub fn wait_for<T>(what: &str, timeout: Duration, mut attempt: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = attempt() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {} for: {what}", humantime::format_duration(timeout));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_ends_in_vain_says_what_was_awaited() {
        let error = wait_until("the moon", Duration::from_millis(30), || false).unwrap_err();
        assert_eq!(error.to_string(), "waited 30ms for: the moon");
    }

    #[test]
    fn a_condition_that_already_holds_is_not_waited_for() {
        let waited = wait_until("now", Duration::ZERO, || true).unwrap();
        assert!(waited < POLL_INTERVAL);
    }
}
