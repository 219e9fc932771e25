//! `simulate` on the socket: what events would do, from what this node knows now. The core does the rest, on a copy.

use std::time::Duration;

use sfha_core::simulate::{Happening, Times, simulate};
use sfha_proto::simulate::{SimulateParams, Simulation};
use sfha_proto::{ErrorCode, Failure};

use crate::runtime::Runtime;
use crate::store;

/// Serves one request.
///
/// # Errors
/// `invalid-parameter`: there is no such event, node, service or check.
pub async fn run(runtime: &Runtime, params: SimulateParams) -> Result<Simulation, Failure> {
    let (seen, now) = runtime.core.look(|core, now| (core.clone(), now)).await?;
    let read = |text: String| {
        let happening = Happening::read(&text, seen.state())?;
        Ok((text, happening))
    };
    let events = params.events.into_iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    let detection = Duration::from_millis(u64::from(store::profile(seen.state()).detection_ms()));
    let times = Times { detection, ..Times::default() };
    // A great cluster takes the cores some tenths of a second, in which VIPs have to be renewed.
    let run = tokio::task::spawn_blocking(move || simulate(&seen, now, times, &events));
    run.await.map_err(|error| {
        Failure::new(ErrorCode::Internal).with("what", "simulate").with("cause", error.to_string())
    })
}
