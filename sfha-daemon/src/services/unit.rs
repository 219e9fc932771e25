//! Starts and stops one unit, until what was asked for is so, or it is certain that it is not.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::io::systemd::{Systemd, SystemdError};
use crate::mesh::describe;

/// After its stop time a unit's processes are killed, again and again for so long; the kernel needs a moment to
/// be rid of them.
pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two kills: what a unit does after its death (`ExecStopPost=`) is killed, too.
const KILL_AGAIN: Duration = Duration::from_millis(500);

/// Time between two tries to stop a unit that somebody else starts, or where the bus is gone.
const STOP_AGAIN: Duration = Duration::from_millis(200);

/// Starts a unit.
///
/// # Errors
/// `no-such-unit`, `unit-masked`, `start-timed-out`, or `start-failed`.
pub async fn start(systemd: &Systemd, unit: &str, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    let started = systemd.start_within(unit, limit).await;
    let code = match started {
        Ok(()) => match systemd.active_state(unit).await {
            Ok(state) if state == "active" => return Ok(()),
            // A unit of Type=oneshot without RemainAfterExit= is done once it was started: nothing runs.
            Ok(state) => {
                warn!(unit, state, "started, and does not run");
                "start-failed"
            }
            Err(error) => failed(unit, &error),
        },
        Err(error) => failed(unit, &error),
    };
    if code == "start-failed" && Instant::now() >= deadline {
        return Err("start-timed-out".to_owned());
    }
    Err(code.to_owned())
}

fn failed(unit: &str, error: &SystemdError) -> &'static str {
    warn!(unit, error = describe(error), "not started");
    match (error, error.refusal()) {
        (_, Some("org.freedesktop.systemd1.NoSuchUnit")) => "no-such-unit",
        (_, Some("org.freedesktop.systemd1.UnitMasked")) => "unit-masked",
        (SystemdError::Deadline { .. }, _) => "start-timed-out",
        (SystemdError::Job { result, .. }, _) if result == "timeout" => "start-timed-out",
        (SystemdError::Bus { .. } | SystemdError::Job { .. }, _) => "start-failed",
    }
}

/// Stops a unit. When its time is over its processes are killed.
///
/// # Errors
/// `stop-failed`: it may still run.
pub async fn stop(systemd: &Systemd, unit: &str, limit: Duration) -> Result<(), String> {
    if tokio::time::timeout(limit, bring_down(systemd, unit, limit)).await.is_ok() {
        return Ok(());
    }
    warn!(unit, seconds = limit.as_secs_f32(), "does not stop; its processes are killed");
    let killing = async {
        loop {
            if let Err(error) = systemd.kill(unit).await {
                warn!(unit, error = describe(&error), "cannot be killed");
            }
            tokio::time::sleep(KILL_AGAIN).await;
        }
    };
    tokio::select! {
        () = bring_down(systemd, unit, KILL_PATIENCE) => {
            info!(unit, "killed");
            Ok(())
        }
        () = killing => Ok(()),
        () = tokio::time::sleep(KILL_PATIENCE) => {
            warn!(unit, "does not even stop when it is killed");
            Err("stop-failed".to_owned())
        }
    }
}

/// Returns when the unit is down.
async fn bring_down(systemd: &Systemd, unit: &str, limit: Duration) {
    loop {
        let stopped = systemd.stop_within(unit, limit).await;
        match is_down(systemd, unit).await {
            Ok(true) => return,
            Ok(false) => {
                if let Err(error) = stopped {
                    warn!(unit, error = describe(&error), "not stopped");
                }
            }
            Err(error) => warn!(unit, error = describe(&error), "cannot be asked whether it stopped"),
        }
        tokio::time::sleep(STOP_AGAIN).await;
    }
}

/// A unit that systemd gave up stopping is `failed` as well, and its processes are there.
async fn is_down(systemd: &Systemd, unit: &str) -> Result<bool, SystemdError> {
    match systemd.active_state(unit).await?.as_str() {
        // What a unit with KillMode=process leaves behind when it stops well, it leaves on purpose.
        "inactive" => Ok(true),
        "failed" => Ok(!systemd.has_processes(unit).await?),
        _ => Ok(false),
    }
}
