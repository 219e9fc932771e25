//! The hardware watchdog, `/dev/watchdog` (Documentation/watchdog/watchdog-api.rst of Linux): once it is open, the
//! machine is reset unless it is written to in time.
//!
//! Closing it leaves it running, on purpose: a killed daemon is as dead as a hung one. Only a clean stop writes
//! the magic `V` first, which switches it off (where the driver was not built with `nowayout`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sfha_proto::{ErrorCode, Failure};

/// `WDIOC_SETTIMEOUT` and `WDIOC_GETTIMEOUT` of linux/watchdog.h, in seconds.
const SET_TIMEOUT: libc::Ioctl = libc::_IOWR::<libc::c_int>(b'W' as u32, 6);
const GET_TIMEOUT: libc::Ioctl = libc::_IOR::<libc::c_int>(b'W' as u32, 7);

/// A watchdog that runs. Dropped without [`Self::disarm`], it resets the machine.
#[derive(Debug)]
pub struct Watchdog {
    file: File,
    path: PathBuf,
    timeout: Duration,
}

impl Watchdog {
    /// Opens it, which starts it, and sets its time-out as near to the one wanted as it can.
    ///
    /// # Errors
    /// `watchdog-unusable`: not there, held by somebody else (`EBUSY`), or no watchdog; what was opened by
    /// mistake is closed in order.
    pub fn arm(path: &Path, timeout: Duration) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).open(path).map_err(|error| unusable(path, &error))?;
        let mut watchdog = Self { file, path: path.to_owned(), timeout };
        match watchdog.set_timeout(timeout) {
            Ok(set) => {
                watchdog.timeout = set;
                Ok(watchdog)
            }
            Err(error) => {
                let failure = unusable(path, &error);
                let _ = watchdog.disarm();
                Err(failure)
            }
        }
    }

    fn set_timeout(&self, timeout: Duration) -> io::Result<Duration> {
        let mut seconds = libc::c_int::try_from(timeout.as_secs().max(1)).unwrap_or(libc::c_int::MAX);
        for request in [SET_TIMEOUT, GET_TIMEOUT] {
            // SAFETY: the descriptor is open, and the integer lives until the call returns.
            if unsafe { libc::ioctl(self.file.as_raw_fd(), request, &raw mut seconds) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// What it is set to: what others have to wait for.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A sign of life.
    ///
    /// # Errors
    /// `watchdog-unusable`: the machine will be reset.
    pub fn keep_alive(&mut self) -> Result<(), Failure> {
        keep_alive(&mut self.file).map_err(|error| unusable(&self.path, &error))
    }

    /// Switches it off: everything that this node had has been let go.
    ///
    /// # Errors
    /// `watchdog-unusable`: it goes on running.
    pub fn disarm(mut self) -> Result<(), Failure> {
        disarm(&mut self.file).map_err(|error| unusable(&self.path, &error))
    }
}

/// Any byte but the magic one.
fn keep_alive(file: &mut File) -> io::Result<()> {
    file.write_all(b"\0")
}

fn disarm(file: &mut File) -> io::Result<()> {
    file.write_all(b"V")
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorCode::WatchdogUnusable)
        .with("path", path.display().to_string())
        .with("cause", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_never_hold_the_byte_that_switches_it_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watchdog");
        let mut file = File::create(&path).unwrap();
        for _ in 0..3 {
            keep_alive(&mut file).unwrap();
        }
        assert!(!std::fs::read(&path).unwrap().contains(&b'V'));
        disarm(&mut file).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().last(), Some(&b'V'), "the last byte before the end counts");
    }

    #[test]
    fn the_requests_are_those_of_linux_watchdog_h() {
        assert_eq!((SET_TIMEOUT, GET_TIMEOUT), (0xc004_5706, 0x8004_5707));
    }

    #[test]
    fn what_is_no_watchdog_is_refused_and_closed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watchdog");
        let missing = Watchdog::arm(&path, Duration::from_secs(10)).unwrap_err();
        assert_eq!(missing.code, ErrorCode::WatchdogUnusable);
        std::fs::write(&path, b"").unwrap();
        let plain = Watchdog::arm(&path, Duration::from_secs(10)).unwrap_err();
        assert_eq!(plain.code, ErrorCode::WatchdogUnusable);
        assert_eq!(std::fs::read(&path).unwrap(), b"V");
    }
}
