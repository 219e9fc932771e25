//! `sfha backup` and `sfha restore`: everything that makes a node one of its cluster, in one document.
//!
//! Any node's backup holds what the whole cluster shares: its state and its keys. Restored as it is, a node
//! finds the others again; restored *alone*, it goes on by itself, the others being lost, and new ones join it.
//! A document names files by what they are to us ([`Paths`]): nothing else is ever written.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sfha_core::Command;
use sfha_core::fencing::FencingSettings;
use sfha_proto::fencing::SECRETS_DIR;
use sfha_proto::{ErrorCode, Failure};
use tracing::info;
use zeroize::Zeroize as _;

use crate::depart::Marker;
use crate::files;
use crate::io::systemd::{COROSYNC, Systemd};
use crate::mesh::describe;
use crate::paths::Paths;
use crate::store::{self, Node};

/// Version of the document's form.
const FORMAT: u32 = 1;

/// Largest document that is read, in bytes.
pub const MAX_ARCHIVE: u64 = 64 * 1024 * 1024;

/// The document. It holds secrets.
#[derive(Serialize, Deserialize)]
pub struct Archive {
    /// Version of the document's form: 1.
    pub format: u32,
    /// Version of the program that made it.
    pub sfha: String,
    /// When, RFC 3339.
    pub made: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the node.
    pub node: String,
    /// Its files.
    files: Vec<Entry>,
    /// Files with secrets of fencing that are not in it: they are not in the folder of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Below the root, without a slash in front.
    path: String,
    /// Octal.
    mode: String,
    /// Base64.
    content: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of this node.
    pub node: String,
    /// Names of the nodes that it waits for, itself included.
    pub nodes: Vec<String>,
}

/// Every file that can be in it, with its mode.
fn contents(paths: &Paths) -> [(PathBuf, u32); 11] {
    [
        (paths.config(), 0o644),
        (paths.mesh(), 0o644),
        (paths.cluster_key(), 0o600),
        (paths.private_key(), 0o600),
        (paths.next_key(), 0o600),
        (paths.public_key(), 0o644),
        (paths.state(), 0o600),
        (paths.config_base(), 0o600),
        (paths.endpoints(), 0o600),
        (paths.corosync_conf(), 0o644),
        (paths.corosync_authkey(), 0o400),
    ]
}

/// Files that the settings of fencing name: in the folder of the configuration, with their modes; and elsewhere.
fn fencing_files(paths: &Paths, settings: &FencingSettings) -> (Vec<(PathBuf, u32)>, Vec<PathBuf>) {
    let own: Vec<PathBuf> = contents(paths).into_iter().map(|(path, _)| path).collect();
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for (file, mode) in settings.files() {
        let name = file.strip_prefix(SECRETS_DIR).ok().filter(|name| name.components().count() == 1);
        match name.and_then(Path::file_name).map(|name| paths.etc().join(name)) {
            Some(path) if !own.contains(&path) => here.push((path, mode)),
            _ => elsewhere.push(file),
        }
    }
    (here, elsewhere)
}

/// Makes one of this node.
///
/// # Errors
/// `not-configured`; `file-invalid` or `file-mode` where the node's own files do not read.
pub fn make(paths: &Paths) -> Result<Archive, Failure> {
    let node = Node::load(paths)?.ok_or(ErrorCode::NotConfigured)?;
    let mut entries = Vec::new();
    let (fencing, left_out) = fencing_files(paths, &node.state.stonith);
    for (path, mode) in contents(paths).into_iter().chain(fencing) {
        // config.yml may be hidden by whoever has a secret in it.
        let mode = files::mode(&path).map_or(mode, |found| found & mode);
        if let Some(bytes) = files::read_bytes(&path)? {
            let content = STANDARD.encode(&*bytes);
            entries.push(Entry { path: below_root(paths, &path), mode: format!("{mode:04o}"), content });
        }
    }
    Ok(Archive {
        format: FORMAT,
        sfha: env!("CARGO_PKG_VERSION").to_owned(),
        made: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        cluster: node.state.cluster.clone(),
        node: node.config.node.name.clone(),
        files: entries,
        left_out,
    })
}

fn below_root(paths: &Paths, path: &Path) -> String {
    path.strip_prefix(paths.root()).unwrap_or(path).display().to_string()
}

/// Reads one.
///
/// # Errors
/// `file-invalid` when it is damaged, or of a later form.
pub fn read(name: &str, text: &str) -> Result<Archive, Failure> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let path = Path::new(name);
    let wrong = |error: serde_json::Error| files::invalid_at(path, error.line(), &error.to_string());
    let Head { format } = serde_json::from_str(text).map_err(wrong)?;
    if format != FORMAT {
        return Err(files::unknown_version(path, text, "format", format));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// Puts a node back. Its daemon and its Corosync are stopped for that and not started again.
///
/// # Errors
/// `already-configured` where this machine is another node; `file-invalid` when the document does not make a
/// node; `file-write`; `internal` when systemd does not stop what runs.
pub async fn restore(
    paths: &Paths,
    systemd: &Systemd,
    name: &str,
    archive: &Archive,
    alone: bool,
) -> Result<Restored, Failure> {
    if let Ok(Some(here)) = Node::load(paths)
        && (here.state.cluster != archive.cluster || here.config.node.name != archive.node)
    {
        return Err(Failure::new(ErrorCode::AlreadyConfigured)
            .with("cluster", here.state.cluster)
            .with("node", here.config.node.name));
    }
    // First somewhere else, where it can be looked at; keys stay off the disk.
    let run = paths.run();
    let trial = std::fs::create_dir_all(run)
        .and_then(|()| tempfile::Builder::new().prefix("restore-").tempdir_in(run))
        .map_err(|error| files::write_failed(run, &error))?;
    let staged = Paths::under(trial.path());
    unpack(name, archive, &staged)?;
    let mut node =
        Node::load(&staged)?.ok_or_else(|| files::invalid(Path::new(name), "config.yml is not in it"))?;
    if alone {
        make_alone(&mut node)?;
    }
    store::persist(&staged, &node.state, node.me)?;

    for unit in ["sfha.service", COROSYNC] {
        systemd.stop(unit).await.map_err(|error| {
            Failure::new(ErrorCode::Internal)
                .with("what", format!("stop {unit}"))
                .with("cause", describe(&error))
        })?;
    }
    for ((from, mode), (to, _)) in contents(&staged).into_iter().zip(contents(paths)) {
        match files::read_bytes(&from)? {
            Some(bytes) => {
                let mode = files::mode(&from).map_or(mode, |found| found & mode);
                files::write_atomic(&to, &bytes, mode)?;
            }
            None => files::remove(&to)?,
        }
    }
    let (staged_files, _) = fencing_files(&staged, &node.state.stonith);
    let (files, _) = fencing_files(paths, &node.state.stonith);
    for ((from, mode), (to, _)) in staged_files.into_iter().zip(files) {
        // What is not in the document may have been put here by hand.
        if let Some(bytes) = files::read_bytes(&from)? {
            files::write_atomic(&to, &bytes, mode)?;
        }
    }
    Marker::clear(paths)?;
    info!(cluster = archive.cluster, node = archive.node, made = archive.made, alone, "restored");
    let nodes = node.state.nodes.values().map(|node| node.name.clone()).collect();
    Ok(Restored { cluster: node.state.cluster.clone(), node: node.config.node.name.clone(), nodes })
}

fn unpack(name: &str, archive: &Archive, staged: &Paths) -> Result<(), Failure> {
    let own = contents(staged);
    let is_own = |entry: &&Entry| own.iter().any(|(known, _)| *known == staged.root().join(&entry.path));
    let (ours, rest): (Vec<&Entry>, Vec<&Entry>) = archive.files.iter().partition(is_own);
    unpack_these(name, &ours, &own, staged)?;
    // What else may be there, the state itself says.
    let node = Node::load(staged).ok().flatten();
    let fencing = node.map(|node| fencing_files(staged, &node.state.stonith).0).unwrap_or_default();
    unpack_these(name, &rest, &fencing, staged)
}

fn unpack_these(
    name: &str,
    entries: &[&Entry],
    known: &[(PathBuf, u32)],
    staged: &Paths,
) -> Result<(), Failure> {
    for entry in entries {
        let wrong = |reason: &str| files::invalid(Path::new(name), &format!("{}: {reason}", entry.path));
        let path = staged.root().join(&entry.path);
        let (path, most) =
            known.iter().find(|(known, _)| *known == path).ok_or_else(|| wrong("no file of a node"))?;
        let mode = u32::from_str_radix(&entry.mode, 8).map_err(|_| wrong("no mode"))?;
        let mut bytes = STANDARD.decode(entry.content.as_bytes()).map_err(|_| wrong("not base64"))?;
        let written = files::write_atomic(path, &bytes, mode & most);
        bytes.zeroize();
        written?;
    }
    Ok(())
}

/// The others are lost: what is left is a cluster of one, newer than whatever they knew.
fn make_alone(node: &mut Node) -> Result<(), Failure> {
    let state = &mut node.state;
    let others: Vec<_> = state.nodes.keys().copied().filter(|id| *id != node.me).collect();
    for id in others {
        // Corosync is not running: it reads the new list when it starts.
        state.removing.clear();
        state.apply(&Command::RemoveNode { node: id })?;
    }
    state.removing.clear();
    state.invites.clear();
    state.apply(&Command::BeginEpoch { after: state.epoch })
}

#[cfg(test)]
mod tests;
