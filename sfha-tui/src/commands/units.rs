//! The systemd unit of the daemon, as far as `init` and `join` need it.

use std::process::Stdio;

use tokio::process::Command;

use sfha_proto::{ErrorCode, Failure};

/// The daemon's unit.
pub const UNIT: &str = "sfha.service";

/// What `init` and `join` ask of the service manager.
pub trait Units {
    /// Starts the unit and waits until it is started.
    async fn start(&self) -> Result<(), Failure>;
    /// Stops it again.
    async fn stop(&self);
    /// Starts it at boot from now on.
    async fn enable(&self) -> bool;
}

/// No longer starts it at boot; the daemon that runs goes on.
pub async fn disable() -> bool {
    systemctl("disable").arg("--quiet").status().await.is_ok_and(|status| status.success())
}

/// systemd, by `systemctl`.
pub struct Systemd;

impl Units for Systemd {
    async fn start(&self) -> Result<(), Failure> {
        let failed = |cause: String| {
            Failure::new(ErrorCode::Internal)
                .with("what", format!("systemctl start {UNIT}"))
                .with("cause", cause)
        };
        let output = systemctl("start").output().await.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(said.lines().next().unwrap_or("?").trim().to_owned()))
    }

    async fn stop(&self) {
        let _ = systemctl("stop").status().await;
    }

    async fn enable(&self) -> bool {
        systemctl("enable").arg("--quiet").status().await.is_ok_and(|status| status.success())
    }
}

fn systemctl(verb: &str) -> Command {
    let mut command = Command::new("systemctl");
    command.args([verb, UNIT]).stdin(Stdio::null()).stdout(Stdio::null());
    if verb != "start" {
        command.stderr(Stdio::null());
    }
    command
}
