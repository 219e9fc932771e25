//! Asks the daemon of this node, if it answers.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use sfha_proto::codec;
use sfha_proto::message::{Greeting, Outcome, Request, ServerLine, method};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;

use super::facts::Daemon;

/// Longest time for everything that is asked.
const DEADLINE: Duration = Duration::from_secs(5);

/// What the daemon says; `None` when it does not answer.
pub async fn daemon(socket: &Path) -> Option<Daemon> {
    tokio::time::timeout(DEADLINE, conversation(socket)).await.ok()?
}

async fn conversation(socket: &Path) -> Option<Daemon> {
    let mut lines = BufReader::new(UnixStream::connect(socket).await.ok()?).lines();
    let greeting: Greeting = codec::decode(lines.next_line().await.ok()??.as_bytes()).ok()?;
    let status = ask(&mut lines, 1, method::STATUS).await;
    let mesh = ask(&mut lines, 2, method::MESH_STATUS).await;
    Some(Daemon { version: greeting.sfha, status, mesh })
}

async fn ask<T: DeserializeOwned>(
    lines: &mut Lines<BufReader<UnixStream>>,
    id: u64,
    method: &str,
) -> Option<T> {
    let request = Request { id, method: method.to_owned(), params: json!({}) };
    lines.get_mut().write_all(&codec::encode(&request).ok()?).await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        if let ServerLine::Response(response) = codec::decode(line.as_bytes()).ok()?
            && response.id == Some(id)
        {
            return match response.outcome {
                Outcome::Result(value) => serde_json::from_value(value).ok(),
                Outcome::Error(_) => None,
            };
        }
    }
}
