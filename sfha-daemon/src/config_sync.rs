//! `config.yml` and the replicated state: what is edited here goes there on request, what changes there
//! comes here by itself.
//!
//! ```text
//!   config.yml ──reload──▶ Configure ──▶ state (all nodes)
//!       ▲                                  │ changes since the base
//!       └──────────── edit ◀───────────────┘
//! ```
//!
//! The *base* is the shared part of the state as it was when file and state were compared last. What differs
//! between base and state was changed there and is taken over here; what differs between base and file was
//! edited here and stays until somebody reloads it. A file that has faults is left alone.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use sfha_config::edit::{Stuck, edit};
use sfha_config::stonith::LocalSecrets;
use sfha_config::{Checked, Context, Shared};
use sfha_core::{ClusterState, Command};
use sfha_proto::config::{Change, FileState, NodeVersion, Propagated, Reloaded};
use sfha_proto::status::Phase;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::{Mutex, watch};
use tokio::time::{Duration, Instant};
use tracing::{info, warn};

use crate::backup;
use crate::config_file::{failure, read};
use crate::event_loop::CoreHandle;
use crate::files;
use crate::members::propose;
use crate::mesh::internal;
use crate::paths::Paths;
use crate::store::Node;

/// How long a reload waits for the members to have agreed on something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a reload looks again when somebody else was faster.
const TRIES: usize = 5;

/// Keeps file and state together.
pub struct ConfigSync {
    paths: Paths,
    cluster: String,
    node: String,
    core: CoreHandle,
    /// One at a time reads the file, thinks, and writes it.
    turn: Mutex<()>,
    state: watch::Sender<Option<FileState>>,
}

impl ConfigSync {
    /// Nothing is compared yet: [`ConfigSync::follow`] does.
    #[must_use]
    pub fn new(node: &Node, core: CoreHandle) -> Arc<Self> {
        let (state, _) = watch::channel(None);
        Arc::new(Self {
            paths: node.paths.clone(),
            cluster: node.state.cluster.clone(),
            node: node.config.node.name.clone(),
            core,
            turn: Mutex::new(()),
            state,
        })
    }

    /// How the file stood to the state when they were compared last.
    #[must_use]
    pub fn file_state(&self) -> Option<FileState> {
        *self.state.borrow()
    }

    /// Brings the file up to date whenever the state changes.
    pub async fn follow(self: Arc<Self>) {
        let mut changes = self.core.watch_state();
        let mut known = None;
        loop {
            let shared = Shared::from(&changes.borrow_and_update().configured());
            if known.as_ref() != Some(&shared) {
                let turn = self.turn.lock().await;
                self.bring_up_to_date(&shared).await;
                drop(turn);
                known = Some(shared);
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn bring_up_to_date(&self, shared: &Shared) {
        let (paths, shared) = (self.paths.clone(), shared.clone());
        let before = self.file_state();
        let outcome = off_loop(move || take_over(&paths, &shared)).await;
        let after = match &outcome {
            Ok(after) => *after,
            Err(_) => FileState::Invalid,
        };
        match outcome {
            Err(failure) if before != Some(after) => {
                warn!(failure = brief(&failure), "config.yml is left alone");
            }
            Ok(FileState::Edited) if before != Some(after) => {
                info!("config.yml was edited and not reloaded");
            }
            _ => {}
        }
        self.state.send_replace(Some(after));
    }

    /// Has the cluster run what the file says.
    ///
    /// # Errors
    /// `file-invalid` with all findings; why the change was refused.
    pub async fn reload(&self, dry_run: bool) -> Result<Reloaded, Failure> {
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let state = self.core.state();
            let plan = self.plan(&state).await?;
            if !dry_run {
                match self.carry_out(&plan, &state).await {
                    Err(failure) if failure.code == ErrorCode::ConfigChanged => continue,
                    other => other?,
                }
                let now = Shared::from(&self.core.state().configured());
                self.bring_up_to_date(&now).await;
            }
            let Plan { changes, warnings, .. } = plan;
            return Ok(Reloaded { schema: sfha_proto::SCHEMA, dry_run, changes, warnings });
        }
        Err(Failure::new(ErrorCode::ConfigChanged).with("revision", self.core.state().revision))
    }

    async fn plan(&self, state: &Arc<ClusterState>) -> Result<Plan, Failure> {
        let (paths, state) = (self.paths.clone(), Arc::clone(state));
        let (cluster, node) = (self.cluster.clone(), self.node.clone());
        off_loop(move || Plan::make(&paths, &state, &cluster, &node)).await
    }

    async fn carry_out(&self, plan: &Plan, state: &ClusterState) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        let fine = |outcome: Result<(), Failure>| match outcome {
            Err(failure) if failure.code == ErrorCode::AlreadySo => Ok(()),
            other => other,
        };
        let (paths, secrets) = (self.paths.clone(), plan.secrets.clone());
        off_loop(move || keep_secrets(&paths, &secrets)).await?;
        if let Some(wanted) = &plan.wanted {
            let configured = Box::new(wanted.into());
            let command = Command::Configure { revision: state.revision, configured };
            fine(propose(&self.core, command, until).await)?;
        }
        if let (Some(priority), Some(node)) = (plan.priority, state.node_id(&self.node)) {
            fine(propose(&self.core, Command::SetPriority { node, priority }, until).await)?;
        }
        if !plan.changes.is_empty() {
            info!(changes = plan.changes.len(), "config.yml reloaded");
        }
        Ok(())
    }

    /// What every node has.
    pub async fn propagated(&self) -> Propagated {
        let _turn = self.turn.lock().await;
        let shared = Shared::from(&self.core.state().configured());
        let paths = self.paths.clone();
        let file = off_loop(move || compare(&paths, &shared)).await.unwrap_or(FileState::Invalid);
        self.state.send_replace(Some(file));
        let status = self.core.watch_status().borrow().clone();
        let nodes: Vec<NodeVersion> = status
            .nodes
            .iter()
            .map(|node| NodeVersion {
                name: node.name.clone(),
                id: node.id,
                online: node.daemon,
                in_step: node.state.as_ref().map(|has| Some(has) == status.state.as_ref()),
                state: node.state.clone(),
                program: node.program.clone(),
            })
            .collect();
        let mut there = nodes.iter().filter(|node| node.online);
        let same = there.all(|node| node.in_step == Some(true));
        let in_step = status.phase == Phase::Operational && same;
        Propagated { schema: sfha_proto::SCHEMA, in_step, file: Some(file), nodes }
    }
}

/// What a reload is about to do.
struct Plan {
    /// What is to be shared; `None`: what is.
    wanted: Option<Shared>,
    /// This node's priority; `None`: what it is.
    priority: Option<u32>,
    changes: Vec<Change>,
    /// What belongs into files of this node.
    secrets: LocalSecrets,
    warnings: Vec<sfha_proto::config::Finding>,
}

impl Plan {
    fn make(paths: &Paths, state: &ClusterState, cluster: &str, node: &str) -> Result<Self, Failure> {
        let names: Vec<String> = state.nodes.values().map(|node| node.name.clone()).collect();
        let context = Context { cluster: Some(cluster), node: Some(node), nodes: Some(&names) };
        let missing = || files::invalid(&paths.config(), "missing");
        let (_, checked) = read(paths, &context)?.ok_or_else(missing)?;
        let Some(config) = checked.valid() else {
            return Err(backup::mention(paths, failure(paths, &checked)));
        };
        let shared = Shared::from(&state.configured());
        // What others changed and this file has not followed yet is no edit of this file's.
        let mut wanted = config.shared.clone();
        for change in follow(paths, &wanted, &shared) {
            wanted.apply(&change);
        }
        let mut changes: Vec<Change> =
            shared.changes_to(&wanted).iter().map(sfha_config::shared::Change::told).collect();
        let had = state.node_id(node).and_then(|id| state.nodes.get(&id)).map(|node| node.priority);
        let priority = config.priority.filter(|priority| Some(*priority) != had);
        if let Some(priority) = priority {
            let (kind, name) = ("priority".to_owned(), node.to_owned());
            changes.push(Change { kind, name, from: had.map(Into::into), to: Some(priority.into()) });
        }
        Ok(Self {
            wanted: (wanted != shared).then_some(wanted),
            priority,
            changes,
            secrets: config.secrets.clone(),
            warnings: checked.warnings().cloned().collect(),
        })
    }
}

/// What the file has to follow.
fn follow(paths: &Paths, file: &Shared, state: &Shared) -> Vec<sfha_config::shared::Change> {
    match load_base(paths) {
        Some(base) => file.follow(&base, state),
        // Nobody knows who changed what differs: what is only there comes here, the rest stays.
        None => {
            let mine = file.entries();
            let mut changes = file.changes_to(state);
            changes.retain(|change| !mine.contains_key(&change.key) && change.to.is_some());
            changes
        }
    }
}

/// Takes over into the file what changed in the state.
fn take_over(paths: &Paths, state: &Shared) -> Result<FileState, Failure> {
    let path = paths.config();
    let missing = || files::invalid(&path, "missing");
    let (text, checked) = read(paths, &Context::default())?.ok_or_else(missing)?;
    let mut file = valid(paths, &checked)?;
    if let Some(config) = checked.valid() {
        keep_secrets(paths, &config.secrets)?;
    }
    let changes = follow(paths, &file, state);
    if !changes.is_empty() {
        for change in &changes {
            file.apply(change);
        }
        let edited = edit(&text, &changes).map_err(|Stuck| files::invalid(&path, "layout"))?;
        // A secret in it is the operator's to protect: the mode stays.
        let mode = std::fs::metadata(&path).map_or(0o600, |meta| meta.mode() & 0o777);
        files::write_atomic(&path, edited.as_bytes(), mode)?;
        backup::keep(paths);
        info!(changes = changes.len(), "config.yml follows the state");
    }
    if load_base(paths).as_ref() != Some(state) {
        save_base(paths, state)?;
    }
    Ok(if file == *state { FileState::InStep } else { FileState::Edited })
}

/// How the file stands to the state; nothing is written.
fn compare(paths: &Paths, state: &Shared) -> Result<FileState, Failure> {
    let Some((_, checked)) = read(paths, &Context::default())? else { return Ok(FileState::Invalid) };
    let file = valid(paths, &checked)?;
    Ok(if file == *state { FileState::InStep } else { FileState::Edited })
}

fn valid(paths: &Paths, checked: &Checked) -> Result<Shared, Failure> {
    checked.valid().map(|config| config.shared.clone()).ok_or_else(|| failure(paths, checked))
}

/// Secrets that an operator wrote into `config.yml` itself, into the files where drivers look for them.
fn keep_secrets(paths: &Paths, secrets: &LocalSecrets) -> Result<(), Failure> {
    for (path, text) in &secrets.0 {
        let Some(name) = Path::new(path).file_name() else { continue };
        let path = &paths.config().with_file_name(name);
        // One that is there and that others can read is not trusted, and not kept.
        let known = files::read_secret(path).ok().flatten();
        if known.is_none_or(|known| known.as_slice() != text.as_bytes()) {
            files::write_atomic(path, text.as_bytes(), 0o600)?;
            info!(path = %path.display(), "secret of config.yml kept in a file of its own");
        }
    }
    Ok(())
}

/// The base; `None` when it is not there or does not read.
fn load_base(paths: &Paths) -> Option<Shared> {
    let text = files::read_text(&paths.config_base()).ok().flatten()?;
    serde_json::from_str(&text).ok()
}

/// Writes the base.
///
/// # Errors
/// `file-write`.
pub fn save_base(paths: &Paths, shared: &Shared) -> Result<(), Failure> {
    let text = serde_json::to_vec(shared).map_err(|error| internal("encode", &error))?;
    files::write_atomic(&paths.config_base(), &text, 0o600)
}

/// A failure for the log: where and why, without the lines of the file.
fn brief(failure: &Failure) -> String {
    let detail = |name: &str| failure.details.get(name).map(ToString::to_string).unwrap_or_default();
    format!("{} line {} {}", failure.code.as_str(), detail("line"), detail("reason"))
}

/// Disks may hang, and the event loop must not.
async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(internal("config.yml", &error)),
    }
}

#[cfg(test)]
mod tests;
