//! systemd over D-Bus: units are started and stopped as jobs, and waited for. Never through `systemctl`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use zbus::proxy::CacheProperties;
use zbus_systemd::systemd1::{ManagerProxy, UnitProxy};

mod jobs;
pub mod watch;

use jobs::Jobs;

/// Unit of Corosync.
pub const COROSYNC: &str = "corosync.service";

/// Unit of the userspace WireGuard device.
pub const WG_DEVICE: &str = "sfha-wg.service";

/// Longest time that a job may take where nothing else is said.
const JOB_DEADLINE: Duration = Duration::from_secs(20);

/// Longest time for an answer to what is no job.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// Why systemd did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// The bus cannot be reached, or systemd refused.
    #[error("systemd over D-Bus: {action} {unit}")]
    Bus {
        /// What was asked.
        action: &'static str,
        /// Of which unit.
        unit: String,
        /// The cause.
        #[source]
        source: zbus::Error,
    },
    /// The job ended, but not well (org.freedesktop.systemd1(5), JobRemoved).
    #[error("{action} {unit}: job {result}")]
    Job {
        /// What was asked.
        action: &'static str,
        /// Of which unit.
        unit: String,
        /// `failed`, `timeout`, `dependency`, `canceled`, …
        result: String,
    },
    /// No answer in time.
    #[error("{action} {unit}: not done in {} s", limit.as_secs_f32())]
    Deadline {
        /// What was asked.
        action: &'static str,
        /// Of which unit.
        unit: String,
        /// The time it had.
        limit: Duration,
    },
}

impl SystemdError {
    /// The name of the D-Bus error that systemd answered with, e.g. `org.freedesktop.systemd1.NoSuchUnit`.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Bus { source: zbus::Error::MethodError(name, _, _), .. } => Some(name.as_str()),
            Self::Bus { .. } | Self::Job { .. } | Self::Deadline { .. } => None,
        }
    }
}

/// What systemd says of a unit (org.freedesktop.systemd1(5), Unit objects).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`, …
    pub load: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`, …
    pub active: String,
}

/// The way to systemd. Connects when it is first needed, and again after the bus was gone.
#[derive(Debug, Clone, Default)]
pub struct Systemd {
    bus: Arc<Mutex<Option<Bus>>>,
}

#[derive(Debug, Clone)]
struct Bus {
    manager: ManagerProxy<'static>,
    jobs: Arc<Jobs>,
}

impl Systemd {
    async fn bus(&self) -> zbus::Result<Bus> {
        let mut slot = self.bus.lock().await;
        if let Some(bus) = slot.as_ref().filter(|bus| !bus.manager.inner().connection().is_closed()) {
            return Ok(bus.clone());
        }
        let connection = zbus::Connection::system().await?;
        let manager =
            ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
        // Without a subscriber systemd does not announce the end of jobs.
        manager.subscribe().await?;
        let jobs = Jobs::listen(&manager).await?;
        let bus = Bus { manager, jobs };
        *slot = Some(bus.clone());
        Ok(bus)
    }

    async fn manager(&self) -> zbus::Result<ManagerProxy<'static>> {
        Ok(self.bus().await?.manager)
    }

    /// Starts a unit and waits until its job is done.
    ///
    /// # Errors
    /// The job failed, or systemd cannot be asked.
    pub async fn start(&self, unit: &str) -> Result<(), SystemdError> {
        self.start_within(unit, JOB_DEADLINE).await
    }

    /// As [`Self::start`], with a deadline. The job goes on when that is over.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_within(&self, unit: &str, limit: Duration) -> Result<(), SystemdError> {
        let deadline = Instant::now() + limit;
        // A unit that failed too often is not started again by systemd until this is said. There is nothing
        // to reset in a unit that is not loaded, which is an error to systemd.
        let reset = async {
            if let Ok(manager) = self.manager().await {
                let _ = manager.reset_failed_unit(unit.to_owned()).await;
            }
        };
        let _ = tokio::time::timeout_at(deadline, reset).await;
        self.job("start", unit, deadline.saturating_duration_since(Instant::now())).await
    }

    /// Stops a unit and waits until its job is done.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn stop(&self, unit: &str) -> Result<(), SystemdError> {
        self.job("stop", unit, JOB_DEADLINE).await
    }

    /// As [`Self::stop`], with a deadline. The job goes on when that is over.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn stop_within(&self, unit: &str, limit: Duration) -> Result<(), SystemdError> {
        self.job("stop", unit, limit).await
    }

    /// Stops a unit, if it runs, and starts it again.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&self, unit: &str) -> Result<(), SystemdError> {
        self.job("restart", unit, JOB_DEADLINE).await
    }

    async fn job(&self, action: &'static str, unit: &str, limit: Duration) -> Result<(), SystemdError> {
        let bus_error = |source| SystemdError::Bus { action, unit: unit.to_owned(), source };
        let work = async {
            let Bus { manager, jobs } = self.bus().await.map_err(bus_error)?;
            let (name, mode) = (unit.to_owned(), "replace".to_owned());
            let job = match action {
                "stop" => manager.stop_unit(name, mode).await,
                "restart" => manager.restart_unit(name, mode).await,
                _ => manager.start_unit(name, mode).await,
            };
            let job = job.map_err(bus_error)?;
            let result = jobs.end_of(&job).await.ok_or_else(|| {
                bus_error(zbus::Error::Failure("the connection ended before the job did".to_owned()))
            })?;
            match result.as_str() {
                "done" | "skipped" => Ok(()),
                _ => Err(SystemdError::Job { action, unit: unit.to_owned(), result }),
            }
        };
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(SystemdError::Deadline { action, unit: unit.to_owned(), limit }))
    }

    /// Kills every process of a unit, with SIGKILL. That there is none is no error.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn kill(&self, unit: &str) -> Result<(), SystemdError> {
        let kill = async {
            self.manager().await?.kill_unit(unit.to_owned(), "all".to_owned(), nix::libc::SIGKILL).await
        };
        match in_time("kill", unit, kill).await {
            Err(error) if error.refusal() == Some("org.freedesktop.systemd1.NoSuchUnit") => Ok(()),
            Err(error) if error.refusal() == Some("org.freedesktop.systemd1.NoSuchProcess") => Ok(()),
            outcome => outcome,
        }
    }

    /// Whether any process of a unit is left.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn has_processes(&self, unit: &str) -> Result<bool, SystemdError> {
        let processes = async { self.manager().await?.get_unit_processes(unit.to_owned()).await };
        match in_time("inspect", unit, processes).await {
            Ok(processes) => Ok(!processes.is_empty()),
            Err(error) if error.refusal() == Some("org.freedesktop.systemd1.NoSuchUnit") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps a unit from being started at boot. That it is not installed is no error.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn disable(&self, unit: &str) -> Result<(), SystemdError> {
        let bus = |source| SystemdError::Bus { action: "disable", unit: unit.to_owned(), source };
        let manager = self.manager().await.map_err(bus)?;
        manager.disable_unit_files(vec![unit.to_owned()], false).await.map_err(bus)?;
        manager.reload().await.map_err(bus)
    }

    /// Whether a unit starts at boot: `enabled`, `disabled`, `static`, `masked`, …; `None` where it is not
    /// installed.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn file_state(&self, unit: &str) -> Result<Option<String>, SystemdError> {
        let look = async { self.manager().await?.get_unit_file_state(unit.to_owned()).await };
        match in_time("inspect", unit, look).await {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.refusal() == Some("org.freedesktop.DBus.Error.FileNotFound") => Ok(None),
            Err(error) if error.refusal() == Some("org.freedesktop.systemd1.NoSuchUnit") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `active`, `inactive`, `failed`, `activating`, …
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn active_state(&self, unit: &str) -> Result<String, SystemdError> {
        Ok(self.unit(unit).await?.active)
    }

    /// What systemd says of a unit now.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn unit(&self, unit: &str) -> Result<Unit, SystemdError> {
        Ok(self.located(unit).await?.1)
    }

    /// The same, with the path of its object, which tells the names of one unit from another unit's.
    async fn located(&self, unit: &str) -> Result<(String, Unit), SystemdError> {
        let look = async {
            let manager = self.manager().await?;
            let path = manager.load_unit(unit.to_owned()).await?;
            let proxy = UnitProxy::builder(manager.inner().connection())
                .path(path.clone())
                // The values are asked for once; a cache would only be another thing to be stale.
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            let (load, active) = (proxy.load_state().await?, proxy.active_state().await?);
            Ok((path.to_string(), Unit { load, active }))
        };
        in_time("inspect", unit, look).await
    }
}

async fn in_time<T>(
    action: &'static str,
    unit: &str,
    work: impl Future<Output = zbus::Result<T>>,
) -> Result<T, SystemdError> {
    match tokio::time::timeout(ANSWER_DEADLINE, work).await {
        Ok(answer) => answer.map_err(|source| SystemdError::Bus { action, unit: unit.to_owned(), source }),
        Err(_) => Err(SystemdError::Deadline { action, unit: unit.to_owned(), limit: ANSWER_DEADLINE }),
    }
}
