//! This node's own watchdog: armed where the settings give this node that level, and fed by the event loop.
//!
//! A daemon that was started anew feeds nothing before its loop runs, although it stops first what the one before
//! had started: it does not know yet whether this node may have that, and the other nodes take it over once the
//! watchdog's time is over, counted from the loss.

use std::time::{Duration, Instant};

use sfha_core::fencing::settings::{FencingSettings, Level};
use sfha_proto::Failure;
use sfha_proto::fencing::WatchdogStatus;
use tracing::{error, info, warn};

use super::watchdog::Watchdog;

/// Time between two tries to open a device that cannot be.
const RETRY: Duration = Duration::from_secs(10);

/// Signs of life are given no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// The watchdog of this node, if it has one.
#[derive(Debug, Default)]
pub struct Guard {
    armed: Option<Watchdog>,
    device: Option<String>,
    failure: Option<Failure>,
    tried: Option<Instant>,
    fed: Option<Instant>,
    /// What was told last of it.
    told: Option<Option<u64>>,
}

impl Guard {
    /// Arms it, or switches it off, as the settings say. One that runs keeps its time-out until the daemon starts
    /// anew: the others count on it. Returns the time-out, in milliseconds, when that is not what was told before.
    pub fn follow(&mut self, settings: &FencingSettings, node: &str) -> Option<Option<u64>> {
        let wanted = settings.gates() && settings.levels_of(node).contains(&Level::Watchdog);
        if wanted {
            self.arm(settings);
        } else {
            self.disarm();
            (self.device, self.failure) = (None, None);
        }
        let is = self.armed.as_ref().map(|armed| millis(armed.timeout()));
        (self.told != Some(is)).then(|| {
            self.told = Some(is);
            is
        })
    }

    fn arm(&mut self, settings: &FencingSettings) {
        let due = self.tried.is_none_or(|tried| tried.elapsed() >= RETRY);
        if self.armed.is_some() || !due {
            return;
        }
        let device = &settings.watchdog.device;
        self.device = Some(device.display().to_string());
        match Watchdog::arm(device, Duration::from_millis(settings.watchdog.timeout_ms)) {
            Ok(armed) => {
                info!(device = %device.display(), seconds = armed.timeout().as_secs(), "watchdog runs");
                (self.armed, self.failure, self.tried) = (Some(armed), None, None);
                self.fed = Some(Instant::now());
            }
            Err(failure) => {
                if self.failure.as_ref() != Some(&failure) {
                    error!(%failure, "watchdog does not run");
                }
                (self.failure, self.tried) = (Some(failure), Some(Instant::now()));
            }
        }
    }

    /// A sign of life, if this node deserves one.
    pub fn feed(&mut self, trustworthy: bool) {
        let Some(armed) = &mut self.armed else { return };
        if !trustworthy || self.fed.is_some_and(|fed| fed.elapsed() < EVERY) {
            return;
        }
        match armed.keep_alive() {
            Ok(()) => self.fed = Some(Instant::now()),
            Err(failure) => {
                warn!(%failure, "watchdog not fed: this machine will be reset");
                self.failure = Some(failure);
            }
        }
    }

    /// Everything was let go.
    pub fn disarm(&mut self) {
        if let Some(armed) = self.armed.take() {
            match armed.disarm() {
                Ok(()) => info!("watchdog switched off"),
                Err(failure) => warn!(%failure, "watchdog goes on"),
            }
        }
    }

    /// For the status; the time left only where signs of life are withheld.
    #[must_use]
    pub fn status(&self, trustworthy: bool) -> Option<WatchdogStatus> {
        let device = self.device.clone()?;
        let timeout = self.armed.as_ref().map(Watchdog::timeout);
        let left = timeout.zip(self.fed).map(|(timeout, fed)| timeout.saturating_sub(fed.elapsed()));
        Some(WatchdogStatus {
            device,
            timeout_ms: timeout.map(millis),
            reset_ms: left.filter(|_| !trustworthy).map(millis),
            error: self.failure.clone(),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_opened_is_told_and_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings =
            FencingSettings { enabled: true, levels: vec![Level::Watchdog], ..FencingSettings::off() };
        settings.watchdog.device = folder.path().join("watchdog");
        let mut guard = Guard::default();
        assert_eq!(guard.follow(&settings, "n1"), Some(None), "told once");
        assert_eq!(guard.follow(&settings, "n1"), None);
        let status = guard.status(true).unwrap();
        assert!(status.error.is_some() && status.timeout_ms.is_none(), "{status:?}");
        settings.enabled = false;
        assert_eq!((guard.follow(&settings, "n1"), guard.status(true)), (None, None));
    }
}
