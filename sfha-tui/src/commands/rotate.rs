//! `sfha mesh rotate-keys`: each step of each node is told as it begins.

use std::time::Duration;

use sfha_proto::message::{Notification, Progress, RotateDone, RotateParams, method};

use super::setup::steps::Steps;
use super::show;
use crate::cli::Global;
use crate::client::Connection;
use crate::paint::Paint;
use crate::problem::Problem;
use crate::words::{self, Tone};
use crate::{format, t};

/// What one node may take, the waiting of all its steps included.
const NODE: Duration = Duration::from_secs(60);
/// What a cluster has at most.
const MOST_NODES: u32 = 16;

/// Asks for it, and shows what came of it.
pub async fn run(global: &Global, params: RotateParams) -> Result<(), Problem> {
    let limit = if params.all { NODE * MOST_NODES } else { NODE };
    let steps = Steps::stderr();
    let told = |notification: Notification| {
        if notification.event == "progress"
            && let Ok(progress) = serde_json::from_value::<Progress>(notification.data)
        {
            let step = words::step(progress.step);
            let node = progress.node.unwrap_or_default();
            steps.note(&t!("step-of-node", node = node, step = step));
        }
    };
    let asked = async {
        let mut connection = Connection::open(&global.socket).await?;
        connection.call(method::MESH_ROTATE_KEYS, &params, limit, told).await
    };
    let outcome: Result<RotateDone, Problem> = asked.await.map_err(Problem::from);
    steps.end(outcome.is_ok());
    show(global, &outcome?, |done, paint| text(done, &params, paint))
}

fn text(done: &RotateDone, params: &RotateParams, paint: Paint) -> String {
    let mut text = String::new();
    for node in &done.nodes {
        let (name, time) = (node.node.as_str(), format::millis(node.elapsed_ms));
        let said = match params.step {
            None => t!("done-rotated", node = name, time = time),
            Some(step) => t!("done-rotate-step", node = name, time = time, step = words::rotate_step(step)),
        };
        text += &format!("{} {said}\n", paint.mark(Tone::Good));
    }
    text
}
