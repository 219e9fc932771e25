//! What each command does: ask the daemon, show the answer.

use std::io::IsTerminal;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sfha_proto::mesh::{TokenListed, TokenMade};
use sfha_proto::message::{
    FailoverDone, FailoverParams, MaintenanceParams, NameParams, NodeParams, VipsAnnounced, method,
};
use sfha_proto::status::ClusterStatus;
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use crate::app::Look;
use crate::cli::{Global, SupportTask, Task};
use crate::client::Connection;
use crate::console::{self, End, Source};
use crate::demo::World;
use crate::paint::{self, Paint};
use crate::problem::Problem;
use crate::t;

mod ask;
mod check;
mod config;
mod doctor;
mod history;
mod import;
mod keep;
mod members;
mod programs;
mod rotate;
mod services;
mod setup;
mod show;
mod simulate;
mod stonith;
pub mod units;

/// A question about the state.
const READ: Duration = Duration::from_secs(10);
/// A change that every member has to write.
const CHANGE: Duration = Duration::from_secs(30);
/// A move of everything.
const MOVE: Duration = Duration::from_secs(120);

/// Does the task; what it shows goes to standard output.
pub fn run(global: &Global, task: Task) -> Result<(), Problem> {
    match task {
        Task::Run(args) => Err(programs::daemon(&args)),
        Task::Logs { follow } => Err(programs::logs(follow, global.json)),
        Task::Completions(shell) => {
            programs::completions(shell);
            Ok(())
        }
        Task::Version => {
            version(global);
            Ok(())
        }
        Task::Support(SupportTask::Doctor) => doctor::run(global),
        Task::Support(SupportTask::ImportKeepalived(file)) => import::keepalived(global, &file),
        Task::Support(task) => runtime()?.block_on(keep::run(global, task)),
        Task::Later(command) => Err(Problem::later(&command)),
        Task::Default | Task::Dashboard if wants_dashboard(global, &task) => dashboard(global),
        task => runtime()?.block_on(ask_daemon(global, task)),
    }
}

/// On a terminal, and without `--json`, no command means the dashboard.
fn wants_dashboard(global: &Global, task: &Task) -> bool {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    !global.json && (terminal || matches!(task, Task::Dashboard))
}

fn dashboard(global: &Global) -> Result<(), Problem> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Problem::local("no-terminal", 1, t!("no-terminal"), Some(t!("no-terminal-next"))));
    }
    let look = look(global)?;
    let source = if global.demo { Source::Demo } else { Source::Daemon(global.socket.clone()) };
    match runtime()?.block_on(console::run(source, look))? {
        End::Quit => Ok(()),
        End::Signal(number) => std::process::exit(128 + number),
    }
}

/// `--theme`, `SFHA_THEME`, or what suits the terminal.
fn look(global: &Global) -> Result<Look, Problem> {
    let paint = Paint::stdout();
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(name) = global.theme.clone().or_else(|| env("SFHA_THEME")) else {
        return Ok(Look::fitting(paint.colour, paint.utf8, env));
    };
    Look::named(&name, paint.utf8).ok_or_else(|| {
        let text = t!("usage-bad-value", value = name, name = "SFHA_THEME");
        let next = t!("usage-values", values = Look::NAMES.join(", "));
        Problem::local("usage", 2, text, Some(next))
    })
}

/// The runtime of one command: everything happens on this thread.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(ErrorCode::Internal).with("what", "tokio").with("cause", error.to_string()).into()
    })
}

async fn ask_daemon(global: &Global, task: Task) -> Result<(), Problem> {
    match task {
        Task::Init(params) => setup::init(global, params).await,
        Task::Join(join) => setup::join(global, join).await,
        Task::Default | Task::Dashboard | Task::Status => {
            let status = status(global).await?;
            show(global, &status, show::status)
        }
        Task::Check => check(global).await,
        Task::History(params) => history::history(global, params).await,
        Task::Events(filter) => history::events(global, filter).await,
        Task::Nodes => {
            let status = status(global).await?;
            show(global, &json!({"schema": SCHEMA, "nodes": status.nodes}), |_, paint| {
                show::nodes(&status, paint)
            })
        }
        Task::Resources => {
            let status = status(global).await?;
            let document = json!({"schema": SCHEMA, "vips": status.vips, "services": status.services});
            show(global, &document, |_, paint| show::resources(&status, paint))
        }
        Task::Health => {
            let status = status(global).await?;
            show(global, &json!({"schema": SCHEMA, "health": status.health}), |_, paint| {
                show::health(&status, paint)
            })
        }
        Task::VipList => {
            let status = status(global).await?;
            show(global, &json!({"schema": SCHEMA, "vips": status.vips}), |_, paint| {
                show::vips(&status, paint)
            })
        }
        Task::MeshStatus => {
            let mesh = call(global, method::MESH_STATUS, &json!({}), READ).await?;
            show(global, &mesh, show::mesh)
        }
        Task::MeshToken(params) => {
            let made: TokenMade = call(global, method::MESH_TOKEN, &params, CHANGE).await?;
            show(global, &made, show::token)
        }
        Task::MeshTokens => {
            let tokens: Vec<TokenListed> = call(global, method::MESH_TOKENS, &json!({}), READ).await?;
            show(global, &json!({"schema": SCHEMA, "tokens": tokens}), |_, paint| {
                show::tokens(&tokens, paint)
            })
        }
        Task::MeshRotateKeys(params) => rotate::run(global, params).await,
        Task::Membership(membership) => members::run(global, membership).await,
        Task::Service(task) => services::run(global, task).await,
        Task::Simulate(events) => simulate::run(global, events).await,
        Task::Config(task) => config::run(global, task).await,
        task => change(global, task).await,
    }
}

/// The exit status is the verdict's, not that of other commands.
async fn check(global: &Global) -> Result<(), Problem> {
    let found = status(global).await;
    let (verdict, line) = match &found {
        Ok(status) => check::judge(status),
        Err(problem) => check::failed(problem),
    };
    match found {
        Ok(status) if global.json => show(global, &status, |_, _| String::new())?,
        Err(problem) if global.json => paint::out(&format!("{}\n", problem.json())),
        _ => paint::out(&line),
    }
    std::process::exit(verdict.exit().into())
}

async fn change(global: &Global, task: Task) -> Result<(), Problem> {
    match task {
        Task::MeshRevoke(id) => {
            let done = t!("done-revoked", id = id.as_str());
            order(global, method::MESH_REVOKE, &NameParams { name: id }, done).await
        }
        Task::VipAdd(params) => {
            let done = t!("done-vip-added", name = params.name.as_str(), address = params.address.as_str());
            order(global, method::VIP_ADD, &params, done).await
        }
        Task::VipRemove(name) => {
            ask::confirm(global, &t!("ask-vip-remove", name = name.as_str()))?;
            let done = t!("done-vip-removed", name = name.as_str());
            order(global, method::VIP_REMOVE, &NameParams { name }, done).await
        }
        Task::VipAnnounce(params) => {
            let done: VipsAnnounced = call(global, method::VIP_ANNOUNCE, &params, CHANGE).await?;
            show(global, &done, show::announced)
        }
        Task::Standby(node) => {
            let done = match &node {
                Some(node) => t!("done-standby", node = node.as_str()),
                None => t!("done-standby-here"),
            };
            order(global, method::STANDBY, &NodeParams { node }, done).await
        }
        Task::Unstandby(node) => {
            let done = match &node {
                Some(node) => t!("done-unstandby", node = node.as_str()),
                None => t!("done-unstandby-here"),
            };
            order(global, method::UNSTANDBY, &NodeParams { node }, done).await
        }
        Task::Maintenance(on, after) => {
            let end = |after| Timestamp::now().checked_add(after).map(Timestamp::as_second);
            let until = after.filter(|_| on).and_then(|after| end(after).ok());
            let done = if on { t!("done-maintenance-on") } else { t!("done-maintenance-off") };
            order(global, method::MAINTENANCE, &MaintenanceParams { on, until }, done).await
        }
        Task::Stonith(task) => stonith::run(global, task).await,
        Task::Failover(to, names) => {
            let done: FailoverDone =
                call(global, method::FAILOVER, &FailoverParams { to, names }, MOVE).await?;
            show(global, &done, show::failover)
        }
        other => Err(Problem::later(&format!("{other:?}"))),
    }
}

async fn status(global: &Global) -> Result<ClusterStatus, Problem> {
    if global.demo {
        let now = Timestamp::now();
        return Ok(World::new(now).status(now));
    }
    call(global, method::STATUS, &json!({}), READ).await
}

async fn call<P: Serialize, T: DeserializeOwned>(
    global: &Global,
    method: &str,
    params: &P,
    limit: Duration,
) -> Result<T, Problem> {
    let mut connection = Connection::open(&global.socket).await?;
    Ok(connection.call(method, params, limit, drop).await?)
}

/// A change whose result says nothing: `done` is what is told.
async fn order<P: Serialize>(global: &Global, method: &str, params: &P, done: String) -> Result<(), Problem> {
    let _: Value = call(global, method, params, CHANGE).await?;
    show(global, &json!({"schema": SCHEMA, "done": true}), |_, _| format!("{done}\n"))
}

/// Prints the document, or the text made of it.
fn show<T: Serialize>(
    global: &Global,
    document: &T,
    text: impl FnOnce(&T, Paint) -> String,
) -> Result<(), Problem> {
    if global.json {
        let json = serde_json::to_string(document).map_err(|error| {
            Failure::new(ErrorCode::Internal).with("what", "json").with("cause", error.to_string())
        })?;
        paint::out(&format!("{json}\n"));
    } else {
        paint::out(&text(document, Paint::stdout()));
    }
    Ok(())
}

fn version(global: &Global) {
    let version = env!("CARGO_PKG_VERSION");
    if global.json {
        let document = json!({"schema": SCHEMA, "version": version, "protocol": sfha_proto::PROTOCOL});
        paint::out(&format!("{document}\n"));
    } else {
        paint::out(&format!("sfha {version}\n"));
    }
}
