//! systemd over D-Bus: units are started and stopped as jobs, and waited for. Never through `systemctl`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Mutex;
use zbus_systemd::systemd1::{ManagerProxy, UnitProxy};

/// Unit of Corosync.
pub const COROSYNC: &str = "corosync.service";

/// Unit of the userspace WireGuard device.
pub const WG_DEVICE: &str = "sfha-wg.service";

/// Longest time that a job may take.
const JOB_DEADLINE: Duration = Duration::from_secs(20);

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
    #[error("{action} {unit}: not done in {} s", JOB_DEADLINE.as_secs())]
    Deadline {
        /// What was asked.
        action: &'static str,
        /// Of which unit.
        unit: String,
    },
}

/// The way to systemd. Connects when it is first needed, and again after the bus was gone.
#[derive(Debug, Clone, Default)]
pub struct Systemd {
    manager: Arc<Mutex<Option<ManagerProxy<'static>>>>,
}

impl Systemd {
    async fn manager(&self) -> zbus::Result<ManagerProxy<'static>> {
        let mut slot = self.manager.lock().await;
        if let Some(manager) = slot.as_ref().filter(|manager| !manager.inner().connection().is_closed()) {
            return Ok(manager.clone());
        }
        let connection = zbus::Connection::system().await?;
        let manager = ManagerProxy::new(&connection).await?;
        // Without a subscriber systemd does not announce the end of jobs.
        manager.subscribe().await?;
        *slot = Some(manager.clone());
        Ok(manager)
    }

    /// Starts a unit and waits until its job is done.
    ///
    /// # Errors
    /// The job failed, or systemd cannot be asked.
    pub async fn start(&self, unit: &str) -> Result<(), SystemdError> {
        // A unit that failed too often is not started again by systemd until this is said.
        if let Ok(manager) = self.manager().await {
            let _ = manager.reset_failed_unit(unit.to_owned()).await;
        }
        self.job("start", unit).await
    }

    /// Stops a unit and waits until its job is done.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn stop(&self, unit: &str) -> Result<(), SystemdError> {
        self.job("stop", unit).await
    }

    async fn job(&self, action: &'static str, unit: &str) -> Result<(), SystemdError> {
        let bus = |source| SystemdError::Bus { action, unit: unit.to_owned(), source };
        let work = async {
            let manager = self.manager().await.map_err(bus)?;
            let mut ends = manager.receive_job_removed().await.map_err(bus)?;
            let (name, mode) = (unit.to_owned(), "replace".to_owned());
            let job = match action {
                "stop" => manager.stop_unit(name, mode).await,
                _ => manager.start_unit(name, mode).await,
            };
            let job = job.map_err(bus)?;
            while let Some(end) = ends.next().await {
                let args = end.args().map_err(bus)?;
                if args.job == job {
                    return match args.result.as_str() {
                        "done" | "skipped" => Ok(()),
                        other => {
                            Err(SystemdError::Job { action, unit: unit.to_owned(), result: other.to_owned() })
                        }
                    };
                }
            }
            Err(SystemdError::Deadline { action, unit: unit.to_owned() })
        };
        match tokio::time::timeout(JOB_DEADLINE, work).await {
            Ok(result) => result,
            Err(_) => Err(SystemdError::Deadline { action, unit: unit.to_owned() }),
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

    /// `active`, `inactive`, `failed`, `activating`, …
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn active_state(&self, unit: &str) -> Result<String, SystemdError> {
        let bus = |source| SystemdError::Bus { action: "inspect", unit: unit.to_owned(), source };
        let manager = self.manager().await.map_err(bus)?;
        let path = manager.load_unit(unit.to_owned()).await.map_err(bus)?;
        let proxy = UnitProxy::builder(manager.inner().connection())
            .path(path)
            // The value is asked for once; a cache would only be another thing to be stale.
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .map_err(bus)?;
        proxy.active_state().await.map_err(bus)
    }
}
