//! `stonith.*` on the socket, and the periodic test of all drivers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sfha_core::command::invalid;
use sfha_core::fencing::settings::FencingSettings;
use sfha_core::fencing::{Cause, FencingCommand, summary};
use sfha_core::resources::Configured;
use sfha_core::{Command, NodeId};
use sfha_proto::fencing::{
    ConfirmParams, FenceParams, FencedNodeParams, FencingAlert, FencingHistory, FencingHistoryParams,
    FencingSettingsParams, FencingStatus, FencingTestParams, FencingTested,
};
use sfha_proto::message::method;
use sfha_proto::{ErrorCode, Failure, SCHEMA};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{calls, driver};
use crate::daemon::{decode, encode, find_node};
use crate::event_loop::CoreHandle;
use crate::files;
use crate::mesh::{internal, unix_now};
use crate::runtime::Runtime;

/// Files with secrets that this daemon writes end so: nothing else of the folder can be overwritten.
const SECRET_EXTENSION: &str = "secret";

/// Tries of a change that somebody else's change came before.
const TRIES: usize = 3;

/// Time for one test of one level.
const TEST: Duration = Duration::from_secs(20);

/// Longest reason that an operator gives, in characters.
const LONGEST_REASON: usize = 200;

/// Between the start, or a change of the settings, and the first test.
const FIRST_TEST: Duration = Duration::from_secs(2);

/// Serves one request.
///
/// # Errors
/// Why it was refused, or failed.
pub async fn serve(runtime: &Runtime, name: &str, params: Value) -> Result<Value, Failure> {
    let core = &runtime.core;
    let by = || format!("root@{}", runtime.node.config.node.name);
    let fencing = |command: FencingCommand| Command::Fencing { command: Box::new(command) };
    match name {
        method::STONITH_STATUS => {
            let status = runtime.status();
            encode(&FencingStatus { schema: SCHEMA, node: status.node, fencing: status.fencing })
        }
        method::STONITH_FENCE => {
            let FenceParams { node, dry_run } = decode(params)?;
            let node = find_node(runtime, Some(&node))?;
            must_be_on(runtime)?;
            let plan = core.look(move |core, now| core.fencing().told_plan(node, dry_run, now)).await?;
            if !dry_run {
                let cause = Cause::Requested { by: by() };
                core.propose(fencing(FencingCommand::Suspect { node, cause, at: unix_now() })).await?;
            }
            encode(&plan)
        }
        method::STONITH_UNFENCE => {
            let FencedNodeParams { node } = decode(params)?;
            let node = find_node(runtime, Some(&node))?;
            must_be_on(runtime)?;
            let command = FencingCommand::SwitchOn { node, by: by(), at: unix_now() };
            core.propose(fencing(command)).await.map(|()| json!({}))
        }
        method::STONITH_CONFIRM => {
            let ConfirmParams { node, why } = decode(params)?;
            let node = find_node(runtime, Some(&node))?;
            must_be_on(runtime)?;
            let why = why.as_deref().map(one_line).filter(|why| !why.is_empty());
            let command = FencingCommand::Confirm { node, by: by(), why, at: unix_now() };
            core.propose(fencing(command)).await.map(|()| json!({}))
        }
        method::STONITH_HISTORY => {
            let FencingHistoryParams { limit } = decode(params)?;
            let state = core.state();
            let history = &state.fencing.history;
            let skip = history.len().saturating_sub(limit.unwrap_or(usize::MAX));
            let entries = history.iter().skip(skip);
            let entries = entries.map(|entry| summary::entry(entry, |node| state.node_name(node))).collect();
            encode(&FencingHistory { schema: SCHEMA, entries })
        }
        method::STONITH_TEST => {
            let FencingTestParams { node } = decode(params)?;
            must_be_on(runtime)?;
            let nodes = match node {
                Some(node) => {
                    find_node(runtime, Some(&node))?;
                    vec![node]
                }
                None => others(core, runtime.node.me),
            };
            encode(&tested(runtime, &core.state().stonith, &nodes).await)
        }
        method::STONITH_CHECK => {
            let params: FencingSettingsParams = decode(params)?;
            let settings = read_settings(&params)?;
            let nodes = others(core, runtime.node.me);
            let (folder, settings) = with_secrets_aside(runtime, settings, &params.secrets)?;
            let result = tested(runtime, &settings, &nodes).await;
            drop(folder);
            encode(&result)
        }
        method::STONITH_CONFIGURE => {
            let params: FencingSettingsParams = decode(params)?;
            let settings = read_settings(&params)?;
            configure(runtime, settings, &params.secrets).await.map(|()| json!({}))
        }
        other => Err(Failure::new(ErrorCode::UnknownMethod).with("method", other)),
    }
}

/// What a person says about something: every node keeps it.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST_REASON).collect()
}

/// What is wanted of fencing has no meaning while it is off.
fn must_be_on(runtime: &Runtime) -> Result<(), Failure> {
    if runtime.core.state().stonith.enabled {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::NotFound).with("kind", "stonith").with("name", "stonith"))
}

fn others(core: &CoreHandle, me: NodeId) -> Vec<String> {
    let state = core.state();
    state.nodes.iter().filter(|(id, _)| **id != me).map(|(_, node)| node.name.clone()).collect()
}

async fn tested(runtime: &Runtime, settings: &FencingSettings, nodes: &[String]) -> FencingTested {
    let by = runtime.node.config.node.name.clone();
    FencingTested { schema: SCHEMA, by, results: calls::test(settings, nodes, TEST).await }
}

fn read_settings(params: &FencingSettingsParams) -> Result<FencingSettings, Failure> {
    // What serde says may hold a part of the text.
    serde_json::from_value(params.settings.clone()).map_err(|_| invalid("settings", "", "json"))
}

/// Where a secret is to go: a file of its own, directly in the folder of this node's configuration.
fn secret_path(runtime: &Runtime, path: &str) -> Result<PathBuf, Failure> {
    let wanted = Path::new(path);
    let named = wanted.file_stem().is_some_and(|stem| !stem.is_empty());
    let fine = wanted.parent() == Some(runtime.node.paths.etc())
        && wanted.extension().is_some_and(|extension| extension == SECRET_EXTENSION);
    if fine && named { Ok(wanted.to_owned()) } else { Err(invalid("secrets", path, "path")) }
}

/// The same settings with their secrets in files of a folder that goes when it is dropped.
fn with_secrets_aside(
    runtime: &Runtime,
    mut settings: FencingSettings,
    secrets: &BTreeMap<String, String>,
) -> Result<(Option<tempfile::TempDir>, FencingSettings), Failure> {
    if secrets.is_empty() {
        return Ok((None, settings));
    }
    // 0700, in memory.
    let folder = tempfile::Builder::new()
        .prefix("check-")
        .tempdir_in(runtime.node.paths.run())
        .map_err(|error| internal("secrets", &error))?;
    for (index, (path, content)) in secrets.iter().enumerate() {
        let real = secret_path(runtime, path)?;
        let aside = folder.path().join(index.to_string());
        files::write_atomic(&aside, content.as_bytes(), 0o600)?;
        let agents = settings.agents.values_mut().filter_map(|agent| agent.secrets_file.as_mut());
        let proxmox = settings.proxmox.as_mut().map(|proxmox| &mut proxmox.token_secret_file);
        let webhook = settings.webhook.as_mut().and_then(|webhook| webhook.headers_file.as_mut());
        for file in agents.chain(proxmox).chain(webhook).filter(|file| **file == real) {
            file.clone_from(&aside);
        }
    }
    Ok((Some(folder), settings))
}

async fn configure(
    runtime: &Runtime,
    settings: FencingSettings,
    secrets: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    sfha_config::stonith::judge(&settings).map_err(|findings| {
        Failure::new(ErrorCode::FileInvalid)
            .with("path", runtime.node.paths.config().display().to_string())
            .with("findings", serde_json::to_value(findings).unwrap_or_default())
    })?;
    for (path, content) in secrets {
        files::write_atomic(&secret_path(runtime, path)?, content.as_bytes(), 0o600)?;
    }
    if settings.enabled {
        let own = settings.nodes.values().flat_map(|node| &node.levels);
        for level in settings.levels.iter().chain(own) {
            driver(&settings, level)?;
        }
    }
    for _ in 0..TRIES {
        let state = runtime.core.state();
        let configured = Box::new(Configured { stonith: settings.clone(), ..state.configured() });
        let command = Command::Configure { revision: state.revision, configured };
        match runtime.core.propose(command).await {
            Err(failure) if failure.code == ErrorCode::ConfigChanged => {}
            Err(failure) if failure.code == ErrorCode::AlreadySo => return Ok(()),
            other => return other,
        }
    }
    Err(Failure::new(ErrorCode::ConfigChanged).with("revision", runtime.core.state().revision))
}

/// Tests all levels of all other nodes, after every change of the settings and then from time to time: what does
/// not work is to be known before it is needed. Every node does it for itself, since each has its own files and
/// its own way there.
pub async fn keep_testing(
    core: CoreHandle,
    me: NodeId,
    name: String,
    alerts: watch::Sender<Vec<FencingAlert>>,
) {
    let mut state = core.watch_state();
    loop {
        let settings = state.borrow_and_update().stonith.clone();
        let changed = |state: &std::sync::Arc<sfha_core::ClusterState>| state.stonith != settings;
        if !settings.enabled || settings.test_interval_s == 0 {
            alerts.send_if_modified(|alerts| !std::mem::take(alerts).is_empty());
            if state.wait_for(changed).await.is_err() {
                return;
            }
            continue;
        }
        tokio::time::sleep(FIRST_TEST).await;
        loop {
            let results = calls::test(&settings, &others(&core, me), TEST).await;
            let before = alerts.borrow().clone();
            let found: Vec<FencingAlert> = results
                .into_iter()
                .filter_map(|result| {
                    let error = result.error?;
                    let known = before.iter().find(|alert| {
                        (&alert.node, &alert.level, alert.error.code)
                            == (&result.node, &result.level, error.code)
                    });
                    let since = known.map_or_else(unix_now, |alert| alert.since);
                    let (node, level, by) = (result.node, result.level, name.clone());
                    Some(FencingAlert { node, level, by, since, error })
                })
                .collect();
            for alert in found.iter().filter(|alert| !before.contains(alert)) {
                warn!(node = alert.node, level = alert.level, failure = %alert.error, "fencing would fail");
            }
            if found.is_empty() && !before.is_empty() {
                info!("fencing would work again");
            }
            alerts.send_if_modified(|alerts| std::mem::replace(alerts, found.clone()) != found);
            let interval = Duration::from_secs(settings.test_interval_s);
            match tokio::time::timeout(interval, state.wait_for(changed)).await {
                Err(_) => {}
                Ok(Ok(_)) => break,
                Ok(Err(_)) => return,
            }
        }
    }
}
