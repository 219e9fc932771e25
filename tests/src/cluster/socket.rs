//! A question to a node's daemon over its socket, from outside the node.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sfha_proto::message::{Outcome, Request, Response};

use crate::lab::Node;

/// A daemon that takes longer counts as none.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks a method without parameters.
pub(crate) fn call(node: &Node, method: &str) -> Result<Value> {
    // The socket is in the node's memory, which only its processes show.
    let path = format!("/proc/{}/root{}", node.pid()?, sfha_proto::SOCKET_PATH);
    let mut stream = UnixStream::connect(path).context("nobody listens")?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = Request { id: 1, method: method.to_owned(), params: Value::Null };
    stream.write_all(&sfha_proto::codec::encode(&request)?)?;
    let mut lines = BufReader::new(stream).lines();
    let _greeting = lines.next().context("no greeting")??;
    let answer: Response = serde_json::from_str(&lines.next().context("no answer")??)?;
    match answer.outcome {
        Outcome::Result(value) => Ok(value),
        Outcome::Error(failure) => bail!("{failure}"),
    }
}
