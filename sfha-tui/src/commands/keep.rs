//! `sfha report`, `sfha backup` and `sfha restore`: the daemon's program does it, here it is said what was done.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Zoned;
use serde_json::{Value, json};
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::programs::DAEMON;
use super::units::{Systemd, Units};
use super::{ask, show};
use crate::cli::{Global, SupportTask};
use crate::problem::Problem;
use crate::t;

/// Does one of them.
pub async fn run(global: &Global, task: SupportTask) -> Result<(), Problem> {
    match task {
        SupportTask::Report(file) => report(global, file),
        SupportTask::Backup(file) => backup(global, &file),
        SupportTask::Restore { file, alone } => restore(global, &file, alone).await,
        other => Err(Problem::later(&format!("{other:?}"))),
    }
}

fn report(global: &Global, file: Option<PathBuf>) -> Result<(), Problem> {
    let file = file.unwrap_or_else(|| {
        PathBuf::from(format!("sfha-report-{}.tar.gz", Zoned::now().strftime("%Y%m%d-%H%M%S")))
    });
    let mut command = Command::new(DAEMON);
    let written = answer(command.arg("report").arg(&file).stdin(Stdio::null()))?;
    let path = text(&written, "path");
    show(global, &json!({"schema": SCHEMA, "path": path, "parts": written["parts"]}), |_, _| {
        format!("{}\n", t!("done-report", path = path.as_str()))
    })
}

fn backup(global: &Global, file: &Path) -> Result<(), Problem> {
    let made = answer(Command::new(DAEMON).arg("backup").stdin(Stdio::null()))?;
    let write = || -> io::Result<()> {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        writeln!(to, "{made}")?;
        to.sync_all()
    };
    write().map_err(|error| file_problem(ErrorCode::FileWrite, file, "cause", &error))?;
    let (cluster, node, path) = (text(&made, "cluster"), text(&made, "node"), file.display().to_string());
    let left_out: Vec<&str> =
        made["left_out"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let document =
        json!({"schema": SCHEMA, "path": path, "cluster": cluster, "node": node, "left_out": left_out});
    show(global, &document, |_, _| {
        let done = t!("done-backup", path = path.as_str(), cluster = cluster.as_str(), node = node.as_str());
        let mut text = format!("{done}\n{}\n", t!("done-backup-secret"));
        if !left_out.is_empty() {
            text.push_str(&format!("{}\n", t!("done-backup-left-out", paths = left_out.join(", "))));
        }
        text
    })
}

async fn restore(global: &Global, file: &Path, alone: bool) -> Result<(), Problem> {
    let path = file.display().to_string();
    let from =
        File::open(file).map_err(|error| file_problem(ErrorCode::FileInvalid, file, "reason", &error))?;
    let question = match alone {
        true => t!("ask-restore-alone", path = path.as_str()),
        false => t!("ask-restore", path = path.as_str()),
    };
    ask::destructive(global, &question)?;
    let mut command = Command::new(DAEMON);
    command.args(["restore", "--name", &path]).stdin(from);
    if alone {
        command.arg("--alone");
    }
    let restored = answer(&mut command)?;
    Systemd.start().await?;
    Systemd.enable().await;
    let (cluster, node) = (text(&restored, "cluster"), text(&restored, "node"));
    let document = json!({"schema": SCHEMA, "cluster": cluster, "node": node, "nodes": restored["nodes"]});
    show(global, &document, |_, _| {
        let done = t!("done-restored", cluster = cluster.as_str(), node = node.as_str());
        let next = if alone { t!("done-restored-alone") } else { t!("done-restored-next") };
        format!("{done}\n{next}\n")
    })
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

fn file_problem(code: ErrorCode, file: &Path, detail: &str, error: &io::Error) -> Problem {
    Failure::new(code).with("path", file.display().to_string()).with(detail, error.to_string()).into()
}

/// What the program prints: a document, or why not.
fn answer(command: &mut Command) -> Result<Value, Problem> {
    let output = command.stderr(Stdio::piped()).output().map_err(|error| Problem::program(DAEMON, &error))?;
    let Ok(mut document) = serde_json::from_slice::<Value>(&output.stdout) else {
        let said = String::from_utf8_lossy(&output.stderr);
        let cause = said.lines().last().unwrap_or("?").trim().to_owned();
        return Err(Failure::new(ErrorCode::Internal).with("what", DAEMON).with("cause", cause).into());
    };
    let error = document.get_mut("error").map(Value::take);
    match error.and_then(|error| serde_json::from_value::<Failure>(error).ok()) {
        Some(failure) => Err(failure.into()),
        None => Ok(document),
    }
}
