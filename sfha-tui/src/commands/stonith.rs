//! `sfha stonith`: what is done to nodes that cannot be trusted.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use serde_json::json;
use sfha_proto::fencing::{
    ConfirmParams, FenceParams, FencedNodeParams, FencingHistory, FencingHistoryParams, FencingPhase,
    FencingPlan, FencingStatus, FencingTestParams, FencingTested, NodeFencing,
};
use sfha_proto::message::method;
use sfha_proto::{ErrorCode, Failure};

use super::{READ, ask, call, order, show};
use crate::cli::{Global, StonithTask};
use crate::paint;
use crate::problem::Problem;
use crate::t;
use crate::words;

mod setup;
mod text;

/// Every level of every node, one after the other.
const TEST: Duration = Duration::from_secs(300);
/// How long `fence` goes on looking.
const FENCE: Duration = Duration::from_secs(180);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(300);

/// Does one of them.
pub async fn run(global: &Global, task: StonithTask) -> Result<(), Problem> {
    match task {
        StonithTask::Status => {
            let status: FencingStatus = call(global, method::STONITH_STATUS, &json!({}), READ).await?;
            show(global, &status, text::status)
        }
        StonithTask::Fence { node, dry_run } => fence(global, node, dry_run).await,
        StonithTask::Unfence(node) => {
            ask::confirm(global, &t!("ask-unfence", node = node.as_str()))?;
            let done = t!("done-unfence", node = node.as_str());
            order(global, method::STONITH_UNFENCE, &FencedNodeParams { node }, done).await
        }
        StonithTask::Confirm { node, why } => {
            ask::typed(global, &t!("ask-stonith-confirm", node = node.as_str()), &node)?;
            let done = t!("done-stonith-confirm", node = node.as_str());
            order(global, method::STONITH_CONFIRM, &ConfirmParams { node, why }, done).await
        }
        StonithTask::History(limit) => {
            let params = FencingHistoryParams { limit };
            let history: FencingHistory = call(global, method::STONITH_HISTORY, &params, READ).await?;
            show(global, &history, text::history)
        }
        StonithTask::Test(node) => {
            let params = FencingTestParams { node };
            let tested: FencingTested = call(global, method::STONITH_TEST, &params, TEST).await?;
            let verdict = judge(&tested, t!("stonith-test-failed-next"));
            if verdict.is_ok() || !global.json {
                show(global, &tested, text::tested)?;
            }
            verdict
        }
        StonithTask::Setup(task) => setup::run(global, *task).await,
    }
}

/// A test that found something wrong has failed; its results are in the same document as that.
fn judge(tested: &FencingTested, next: String) -> Result<(), Problem> {
    let failed = tested.results.iter().filter(|result| result.error.is_some()).count();
    if failed == 0 {
        return Ok(());
    }
    let problem = Problem::local("test-failed", 1, t!("stonith-test-failed", count = failed), Some(next));
    Err(problem.beside(serde_json::to_value(tested).unwrap_or_default()))
}

async fn fence(global: &Global, node: String, dry_run: bool) -> Result<(), Problem> {
    if !dry_run {
        ask::destructive(global, &t!("ask-fence", node = node.as_str()))?;
    }
    let params = FenceParams { node: node.clone(), dry_run };
    let plan: FencingPlan = call(global, method::STONITH_FENCE, &params, super::CHANGE).await?;
    if dry_run {
        return show(global, &plan, text::plan);
    }
    let fenced = follow(global, &node).await?;
    let mut document = serde_json::to_value(&plan).unwrap_or_default();
    if let Some(map) = document.as_object_mut() {
        map.insert("phase".to_owned(), json!(fenced.phase));
        map.insert("proof".to_owned(), json!(fenced.proof));
    }
    let how = match fenced.phase {
        Some(_) => words::fencing::details(&fenced, 0),
        None => t!("happened-returned"),
    };
    show(global, &document, |_, paint| text::fenced(&node, &how, paint))
}

/// Looks until the node is harmless, and tells each phase once.
async fn follow(global: &Global, name: &str) -> Result<NodeFencing, Problem> {
    let until = Instant::now() + FENCE;
    let quiet = global.json || !std::io::stderr().is_terminal();
    let mut last: Option<NodeFencing> = None;
    loop {
        let status: FencingStatus = call(global, method::STONITH_STATUS, &json!({}), READ).await?;
        let node = status.fencing.nodes.into_iter().find(|node| node.name == name);
        match (node, &last) {
            (Some(node), _) if node.phase == Some(FencingPhase::Fenced) => return Ok(node),
            (Some(node), _) if node.phase == Some(FencingPhase::Failed) => {
                let unknown = || {
                    Failure::new(ErrorCode::FenceFailed).with("driver", "stonith").with("cause", "unknown")
                };
                return Err(node.error.unwrap_or_else(unknown).into());
            }
            (Some(node), _) if node.phase.is_some() => {
                let known = last.as_ref().map(|last| (last.phase, last.held));
                if !quiet && known != Some((node.phase, node.held)) {
                    let (_, word) = words::fencing::phase(node.phase);
                    paint::err(&format!("  {word} {}", words::fencing::details(&node, 0)));
                }
                last = Some(node);
            }
            // It was on its way, and is a member again: that was quick.
            (Some(node), Some(_)) => return Ok(node),
            _ => {}
        }
        if Instant::now() >= until {
            return Err(late().into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn late() -> Failure {
    Failure::new(ErrorCode::TimedOut).with("what", "fencing").with("seconds", FENCE.as_secs())
}
