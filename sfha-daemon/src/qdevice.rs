//! The program that speaks with the quorum device, corosync-qdevice(8): it runs while a device is configured.

use sfha_proto::status::Phase;
use tokio::time::Duration;
use tracing::{info, warn};

use crate::event_loop::CoreHandle;
use crate::io::systemd::Systemd;
use crate::mesh::describe;

/// Its unit. It requires Corosync's, which ends it, and must not pull that in at boot, before there is a mesh.
const QDEVICE: &str = "corosync-qdevice.service";

/// How often it is looked at. It gives up by itself where Corosync has not read of the device yet, and systemd
/// gives it up after five times in 10 s.
const LOOK: Duration = Duration::from_secs(3);

/// Starts and stops it as the cluster's configuration says.
pub async fn keep(systemd: Systemd, core: CoreHandle) {
    // One line for each failure, not for each try.
    let mut told = None;
    let mut ours = true;
    // At once the first time, and not some seconds after the start.
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let state = core.state();
        let wanted = state.corosync.qdevice.is_some() && state.nodes.len() > 1;
        if wanted && core.watch_status().borrow().phase == Phase::Disconnected {
            // Starting it would start Corosync.
            continue;
        }
        if !wanted && !ours {
            continue;
        }
        let outcome = match wanted {
            true => run(&systemd).await,
            false => end(&systemd).await,
        };
        ours = wanted || outcome.is_err();
        match &outcome {
            Err(error) if told.as_ref() != Some(error) => warn!(error, wanted, "corosync-qdevice"),
            Ok(()) if told.is_some() => info!(wanted, "corosync-qdevice is as it is to be"),
            _ => {}
        }
        told = outcome.err();
    }
}

/// What an earlier process of this program started, too.
async fn end(systemd: &Systemd) -> Result<(), String> {
    // A unit that there is not does not run either.
    let runs =
        systemd.active_state(QDEVICE).await.is_ok_and(|state| state != "inactive" && state != "failed");
    if runs {
        systemd.stop(QDEVICE).await.map_err(|error| describe(&error))?;
        info!("corosync-qdevice stopped");
    }
    Ok(())
}

async fn run(systemd: &Systemd) -> Result<(), String> {
    let state = systemd.active_state(QDEVICE).await.map_err(|error| describe(&error))?;
    if state != "inactive" && state != "failed" {
        return Ok(());
    }
    systemd.disable(QDEVICE).await.map_err(|error| describe(&error))?;
    systemd.start(QDEVICE).await.map_err(|error| describe(&error))?;
    info!("corosync-qdevice started");
    Ok(())
}
