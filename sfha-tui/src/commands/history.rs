//! What has happened, and what happens.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use sfha_proto::history::{History, HistoryEvent, HistoryParams};
use sfha_proto::message::{Notification, Outcome, ServerLine, SubscribeParams, Topic, method};
use sfha_proto::{ErrorCode, Failure};

use super::{READ, call, show};
use crate::cli::Global;
use crate::client::{ClientError, Connection};
use crate::happened;
use crate::paint::{self, Paint};
use crate::problem::Problem;
use crate::t;
use crate::words::Tone;

/// Time between two tries to reach a daemon that is gone.
const AGAIN: Duration = Duration::from_secs(1);

/// `sfha history`
pub async fn history(global: &Global, params: HistoryParams) -> Result<(), Problem> {
    let history: History = call(global, method::HISTORY, &params, READ).await?;
    show(global, &history, text)
}

fn text(history: &History, paint: Paint) -> String {
    let zone = TimeZone::system();
    let shown: BTreeSet<u64> = history.events.iter().map(|event| event.id).collect();
    let follows = |event: &HistoryEvent| event.cause.is_some_and(|cause| shown.contains(&cause));
    let mut text: String =
        history.events.iter().map(|event| happened::line(event, follows(event), &zone, paint)).collect();
    if text.is_empty() {
        text = format!("{}\n", t!("no-history"));
    }
    if history.dropped > 0 {
        text.push_str(&format!(
            "{} {}\n",
            paint.mark(Tone::Warn),
            t!("history-dropped", count = history.dropped)
        ));
    }
    text
}

/// `sfha events`: until it is stopped. A daemon that is restarted is waited for, and what it saw meanwhile is told.
pub async fn events(global: &Global, filter: HistoryParams) -> Result<(), Problem> {
    let mut after = None;
    let mut error = follow(global, &filter, &mut after).await;
    // Only one that was there can be waited for.
    let mut told = false;
    loop {
        let gone = matches!(error, ClientError::Lost) || error.is_no_daemon();
        if !gone || after.is_none() {
            return Err(error.into());
        }
        if !told {
            paint::err(&t!("events-lost"));
            told = true;
        }
        tokio::time::sleep(AGAIN).await;
        let before = after;
        error = follow(global, &filter, &mut after).await;
        told &= after == before;
    }
}

/// Follows one connection to its end. `after` is set once the daemon has said that it tells.
async fn follow(global: &Global, filter: &HistoryParams, after: &mut Option<u64>) -> ClientError {
    match try_follow(global, filter, after).await {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

async fn try_follow(
    global: &Global,
    filter: &HistoryParams,
    after: &mut Option<u64>,
) -> Result<std::convert::Infallible, ClientError> {
    let mut connection = Connection::open(&global.socket).await?;
    if after.is_none() {
        // From here on nothing is missed, whatever happens to the connection.
        let newest = HistoryParams { limit: Some(1), ..HistoryParams::default() };
        let history: History = connection.call(method::HISTORY, &newest, READ, drop).await?;
        *after = Some(history.events.last().map_or(0, |event| event.id));
    }
    let params = SubscribeParams { topics: Some(vec![Topic::History]), after: *after };
    let params = serde_json::to_value(params).map_err(|error| {
        Failure::new(ErrorCode::Internal).with("what", "json").with("cause", error.to_string())
    })?;
    connection.outgoing.send(method::SUBSCRIBE, params).await?;
    let (zone, paint) = (TimeZone::system(), Paint::stdout());
    loop {
        match connection.incoming.line().await? {
            ServerLine::Response(response) => {
                if let Outcome::Error(failure) = response.outcome {
                    return Err(failure.into());
                }
            }
            ServerLine::Notification(Notification { event, data, .. }) if event == "history" => {
                let Ok(event) = serde_json::from_value::<HistoryEvent>(data.clone()) else { continue };
                *after = Some(event.id);
                if !filter.wants(&event) {
                    continue;
                }
                if global.json {
                    // As the daemon says it, also what this program does not know.
                    paint::out(&format!("{data}\n"));
                } else {
                    paint::out(&happened::line(&event, event.cause.is_some(), &zone, paint));
                }
            }
            ServerLine::Notification(_) => {}
        }
    }
}
