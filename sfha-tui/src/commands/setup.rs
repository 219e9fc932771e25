//! `init` and `join`: the daemon is started if need be, the steps are told, and a failure leaves the
//! machine as it was found.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sfha_proto::mesh::Joined;
use sfha_proto::message::{InitParams, Initialised, JoinParams, Progress, method};
use sfha_proto::{ErrorCode, Failure, SCHEMA, SOCKET_PATH};
use tokio::time::{Instant, sleep};

use super::units::{Systemd, Units};
use super::{ask, show};
use crate::cli::{Global, JoinTask, TokenSource};
use crate::client::{ClientError, Connection, user};
use crate::paint::{self, Paint};
use crate::problem::Problem;
use crate::t;

pub mod steps;
#[cfg(test)]
mod tests;

use steps::Steps;

/// How long the socket may take to appear once the unit is started.
const SOCKET_WAIT: Duration = Duration::from_secs(10);
/// How long `init` may take in all.
const INIT: Duration = Duration::from_secs(120);
/// What the daemon is given on top of its own deadline to report that it passed.
const GRACE: Duration = Duration::from_secs(10);
/// What every token begins with.
const TOKEN_PREFIX: &str = "sfha-join://";

/// `sfha init`
pub async fn init(global: &Global, params: InitParams) -> Result<(), Problem> {
    let interrupted = || Problem::interrupted(t!("interrupted-init"), Some(t!("interrupted-init-next")));
    let work = Work::new(global, Systemd, interrupted);
    let done: Initialised = work.run(method::INIT, &params, INIT).await?;
    if !global.json {
        paint::out(&show::initialised(&done, Paint::stdout()));
        return Ok(());
    }
    match &done.token {
        Some(token) => super::show(global, token, |_, _| String::new()),
        None => {
            let document =
                json!({"schema": SCHEMA, "token": null, "cluster": done.cluster, "node": done.node});
            super::show(global, &document, |_, _| String::new())
        }
    }
}

/// `sfha join`
pub async fn join(global: &Global, task: JoinTask) -> Result<(), Problem> {
    let token = read_token(task.token)?;
    if !token.starts_with(TOKEN_PREFIX) {
        return Err(Failure::new(ErrorCode::TokenDamaged).with("reason", "prefix").into());
    }
    let params = JoinParams {
        token,
        name: task.name,
        endpoint: task.endpoint,
        lan_ip: task.lan_ip,
        timeout_ms: Some(u64::try_from(task.timeout.as_millis()).unwrap_or(u64::MAX)),
        force: task.force,
    };
    let interrupted = || Problem::interrupted(t!("interrupted-join"), Some(t!("interrupted-join-next")));
    let work = Work::new(global, Systemd, interrupted);
    let done: Joined = work.run(method::JOIN, &params, task.timeout + GRACE).await?;
    super::show(global, &done, show::joined)
}

fn read_token(source: TokenSource) -> Result<String, Problem> {
    let read = match source {
        TokenSource::Argument(token) => return Ok(token.trim().to_owned()),
        TokenSource::File(path) => {
            std::fs::read_to_string(&path).map_err(|error| (path.display().to_string(), error))
        }
        TokenSource::Stdin => ask::token().map_err(|error| ("stdin".to_owned(), error)),
    };
    read.map(|token| token.trim().to_owned()).map_err(|(path, error)| {
        let text = t!("file-unreadable", path = path.as_str(), cause = error.to_string());
        Problem::local("file-unreadable", 1, text, None)
    })
}

/// One long command, from reaching the daemon to its answer.
struct Work<'a, U, I> {
    socket: &'a Path,
    /// The daemon at the usual socket is the unit's; any other one is somebody else's business.
    managed: bool,
    root: bool,
    units: U,
    steps: Steps,
    interrupted: I,
}

impl<'a, U: Units, I: Fn() -> Problem> Work<'a, U, I> {
    fn new(global: &'a Global, units: U, interrupted: I) -> Self {
        let managed = global.socket == Path::new(SOCKET_PATH);
        let root = nix::unistd::geteuid().is_root();
        Self { socket: &global.socket, managed, root, units, steps: Steps::stderr(), interrupted }
    }

    async fn run<P: Serialize, T: DeserializeOwned>(
        &self,
        method: &str,
        params: &P,
        limit: Duration,
    ) -> Result<T, Problem> {
        let started = Cell::new(false);
        let attempt = async {
            let mut connection = self.reach(&started).await?;
            let told = |notification: sfha_proto::message::Notification| {
                if notification.event == "progress"
                    && let Ok(progress) = serde_json::from_value::<Progress>(notification.data)
                {
                    self.steps.begin(progress.step);
                }
            };
            connection.call(method, params, limit, told).await
        };
        let outcome = tokio::select! {
            outcome = attempt => outcome.map_err(Problem::from),
            _ = tokio::signal::ctrl_c() => Err((self.interrupted)()),
        };
        self.steps.end(outcome.is_ok());
        match &outcome {
            Ok(_) if self.managed && !self.units.enable().await => paint::err(&t!("not-enabled")),
            Err(_) if started.get() => self.units.stop().await,
            _ => {}
        }
        outcome
    }

    /// Connects; starts the unit first if nobody listens.
    async fn reach(&self, started: &Cell<bool>) -> Result<Connection, ClientError> {
        match Connection::open(self.socket).await {
            Err(error) if error.is_no_daemon() && self.managed => {}
            other => return other,
        }
        if !self.root {
            return Err(Failure::new(ErrorCode::NotPermitted).with("user", user()).into());
        }
        self.steps.note(&t!("step-daemon"));
        started.set(true);
        self.units.start().await?;
        let deadline = Instant::now() + SOCKET_WAIT;
        loop {
            match Connection::open(self.socket).await {
                Err(error) if error.is_no_daemon() && Instant::now() < deadline => {
                    sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }
}
