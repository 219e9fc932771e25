//! How a node stops being one of its cluster's: what it keeps in mind so that nothing is left half done,
//! and what is wiped.
//!
//! ```text
//!   sfha leave ─▶ Asked ─standby, RemoveNode─▶ Out ─▶ Corosync and mesh down, files gone ─▶ no marker
//!   removed by others ─────────────────────────▲
//!   sfha leave --force, the last node ─────────┘
//! ```
//!
//! The marker is written before each arrow. Whoever finds one at start goes on from there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_core::cluster::may_stop_first;
use sfha_proto::{ErrorCode, Failure};
use tracing::{info, warn};

use crate::corosync_conf;
use crate::files;
use crate::io::netlink::Netlink;
use crate::io::systemd::{COROSYNC, Systemd};
use crate::mesh::{describe, internal, take_down};
use crate::paths::Paths;

/// How long a node whose Corosync the others need waits until they have told theirs to do without.
const NEEDED: Duration = Duration::from_secs(4);

/// Suffix of a file that was there before `init` or `join`.
const BEFORE: &str = "before-sfha";

/// `/var/lib/sfha/leaving.json`: this node is on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// How far it is.
    pub stage: Stage,
    /// Others removed it.
    pub removed: bool,
    /// It was on standby before it was asked to leave.
    #[serde(default)]
    pub was_standby: bool,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the node.
    pub node: String,
}

/// How far a node on its way out is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It is to ask the others to do without it.
    Asked,
    /// It is out: what is left is to clean up.
    Out,
}

impl Marker {
    /// Of a node that goes of its own will.
    #[must_use]
    pub fn new(stage: Stage, cluster: &str, node: &str) -> Self {
        Self { stage, removed: false, was_standby: false, cluster: cluster.to_owned(), node: node.to_owned() }
    }

    /// Others removed it, or have heard that it wants to go: it is out.
    ///
    /// # Errors
    /// `file-write`.
    pub fn out(paths: &Paths, cluster: &str, node: &str) -> Result<Self, Failure> {
        let marker = match Self::load(paths)? {
            Some(asked) => Self { stage: Stage::Out, ..asked },
            None => Self { removed: true, ..Self::new(Stage::Out, cluster, node) },
        };
        marker.save(paths)?;
        Ok(marker)
    }

    /// Reads it. One that does not read was not written to its end: there is none.
    ///
    /// # Errors
    /// `file-invalid` when the file is there and cannot be opened.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let text = files::read_text(&paths.leaving())?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// This node is one of its cluster again: neither on its way out nor removed.
    ///
    /// # Errors
    /// `file-write`.
    pub fn clear(paths: &Paths) -> Result<(), Failure> {
        files::remove(&paths.leaving())?;
        files::remove(&paths.removed())
    }

    /// Writes it.
    ///
    /// # Errors
    /// `file-write`.
    pub fn save(&self, paths: &Paths) -> Result<(), Failure> {
        write_json(&paths.leaving(), self)
    }
}

/// `/var/lib/sfha/removed.json`: what this node was before others removed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the node.
    pub node: String,
}

impl Removed {
    /// Reads it; `None` when this node was not removed.
    #[must_use]
    pub fn load(paths: &Paths) -> Option<Self> {
        let text = files::read_text(&paths.removed()).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// There is a cluster again.
    pub fn forget(paths: &Paths) {
        if let Err(failure) = files::remove(&paths.removed()) {
            warn!(%failure, "an old note stays");
        }
    }

    /// Why a request for a cluster is refused.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(ErrorCode::Removed).with("cluster", self.cluster.clone()).with("node", self.node.clone())
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Failure> {
    let text = serde_json::to_vec(value).map_err(|error| internal("json", &error))?;
    files::write_atomic(path, &text, 0o600)
}

/// Who could miss this node's Corosync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nobody.
    None,
    /// Not known: an earlier process was at it.
    Unknown,
    /// The rest of the cluster.
    Nodes {
        /// Its nodes.
        all: usize,
        /// Those that are online.
        online: usize,
    },
}

/// Cleans up after a node that is out. What fails is logged, and the rest is still done; only files that
/// make it a member, or are secret, must go.
///
/// # Errors
/// `file-write` when such a file cannot be removed: the marker stays, and the next start tries again.
pub async fn clean_up(marker: &Marker, rest: Rest, paths: &Paths, systemd: &Systemd) -> Result<(), Failure> {
    info!(cluster = marker.cluster, node = marker.node, "leaving the cluster for good");
    let needed = match rest {
        Rest::None => false,
        Rest::Unknown => systemd.active_state(COROSYNC).await.is_ok_and(|state| state == "active"),
        Rest::Nodes { all, online } => !may_stop_first(all, online),
    };
    if needed {
        tokio::time::sleep(NEEDED).await;
    }
    let ours = files::read_text(&paths.corosync_conf())
        .is_ok_and(|text| text.is_none_or(|text| corosync_conf::is_ours(&text)));
    if ours && let Err(error) = systemd.stop(COROSYNC).await {
        warn!(error = describe(&error), "corosync not stopped");
    }
    // Without a mesh an interface of that name is somebody else's.
    let had_mesh = paths.mesh().exists() || paths.wg_conf().exists();
    match Netlink::open().await {
        Ok(_) if !had_mesh => {}
        Ok((netlink, _)) => take_down(&netlink, systemd).await,
        Err(error) => warn!(%error, "mesh not taken down"),
    }
    if marker.removed {
        let note = Removed { cluster: marker.cluster.clone(), node: marker.node.clone() };
        write_json(&paths.removed(), &note)?;
    }
    wipe(paths, ours)?;
    files::remove(&paths.leaving())?;
    info!("this node has no cluster any more");
    Ok(())
}

/// Removes everything that belongs to the cluster; the marker and the note stay.
fn wipe(paths: &Paths, corosync_is_ours: bool) -> Result<(), Failure> {
    // Without config.yml this node has no cluster, whatever else is left.
    files::remove(&paths.config())?;
    let kept = [paths.leaving(), paths.removed()];
    let own = files_in(paths.etc()).into_iter().filter(|file| is_of_the_cluster(file));
    let keys = files_below(&paths.etc().join("wireguard"));
    for file in own.chain(keys).chain(files_below(paths.lib())).filter(|file| !kept.contains(file)) {
        files::remove(&file)?;
    }
    if corosync_is_ours {
        // The file that tells whose they are comes last.
        for path in [paths.corosync_authkey(), paths.corosync_conf()] {
            let before = with_suffix(&path, BEFORE);
            if before.exists() {
                std::fs::rename(&before, &path).map_err(|error| {
                    Failure::new(ErrorCode::FileWrite)
                        .with("path", path.display().to_string())
                        .with("cause", error.to_string())
                })?;
            } else {
                files::remove(&path)?;
            }
        }
    }
    Ok(())
}

/// A file of `/etc/sfha` that is ours: by its name, whatever suffix a copy has.
fn is_of_the_cluster(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["config.yml", "mesh.yml", "cluster.key"].iter().any(|own| name.starts_with(own))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!("{name}.{suffix}"))
}

/// The same, and in the folders in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let below = folders.flat_map(|entry| files_below(&entry.path()));
    files_in(folder).into_iter().chain(below).collect()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| !path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_the_cluster_goes_and_what_was_there_before_is_back() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let marker = Marker::new(Stage::Out, "prod", "n1");
        marker.save(&paths).unwrap();
        for path in [
            paths.config(),
            paths.mesh(),
            paths.cluster_key(),
            paths.private_key(),
            paths.public_key(),
            with_suffix(&paths.private_key(), BEFORE),
            paths.wg_conf(),
            paths.state(),
            paths.lib().join("backup/state.json"),
            paths.joining(),
            paths.corosync_conf(),
            paths.corosync_authkey(),
            paths.etc().join("theirs.sh"),
        ] {
            files::write_atomic(&path, b"ours", 0o600).unwrap();
        }
        let before = with_suffix(&paths.corosync_conf(), BEFORE);
        files::write_atomic(&before, b"theirs", 0o644).unwrap();
        wipe(&paths, true).unwrap();
        assert_eq!(std::fs::read(paths.corosync_conf()).unwrap(), b"theirs");
        let mut left: Vec<PathBuf> = [paths.etc().to_owned()]
            .into_iter()
            .chain([paths.lib().to_owned(), paths.corosync_conf().parent().unwrap().to_owned()])
            .flat_map(|folder| files_below(&folder))
            .collect();
        left.sort();
        let mut wanted = vec![paths.corosync_conf(), paths.etc().join("theirs.sh"), paths.leaving()];
        wanted.sort();
        assert_eq!(left, wanted);
        assert_eq!(Marker::load(&paths).unwrap(), Some(marker));
        // Once more, as after a kill half-way.
        wipe(&paths, true).unwrap();
    }

    #[test]
    fn a_marker_that_was_not_written_to_its_end_is_none() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        files::write_atomic(&paths.leaving(), b"{\"stage\":\"ou", 0o600).unwrap();
        assert_eq!(Marker::load(&paths).unwrap(), None);
    }
}
