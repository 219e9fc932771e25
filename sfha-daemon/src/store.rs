//! Everything a node keeps on disk, read at start and written before a command is acknowledged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfha_core::qdevice::Qdevice;
use sfha_core::state::STATE_FORMAT;
use sfha_core::{ClusterState, NodeId};
use sfha_proto::{ErrorCode, Failure};
use tracing::warn;
use zeroize::Zeroizing;

use crate::backup;
use crate::config_file::ConfigFile;
use crate::corosync_conf::{ConfDevice, ConfNode, CorosyncConf, Profile, render};
use crate::depart::Marker;
use crate::files;
use crate::io::wireguard::PrivateKey;
use crate::mesh_file::MeshFile;
use crate::paths::Paths;

mod keys;

pub use keys::{committed_key, load_next_key, load_private_key, own_key, save_keys, save_next_key};

/// Largest secret file, in bytes.
const SECRET_BYTES: usize = 32;

/// A node that has a cluster, as its disk tells it.
pub struct Node {
    /// Where its files are.
    pub paths: Paths,
    /// This node's id.
    pub me: NodeId,
    /// Who we are.
    pub config: ConfigFile,
    /// The mesh of this node; `None` for a cluster on the LAN.
    pub mesh: Option<(MeshFile, PrivateKey)>,
    /// What this node shows to other nodes; `None` in a mesh, where the tunnel does.
    pub lan_key: Option<PrivateKey>,
    /// What signs tokens.
    pub secret: Zeroizing<Vec<u8>>,
    /// The replicated state.
    pub state: ClusterState,
}

impl Node {
    /// Reads everything; `None` when this node has no cluster. What was read and makes sense is kept as
    /// [`backup`].
    ///
    /// # Errors
    /// `file-invalid` or `file-mode` for the first file that does not read.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let node = Self::read(paths).map_err(|failure| backup::mention(paths, failure))?;
        if node.is_some() {
            backup::keep(paths);
        }
        Ok(node)
    }

    fn read(paths: &Paths) -> Result<Option<Self>, Failure> {
        let Some(config) = ConfigFile::load(paths)? else { return Ok(None) };
        let missing = |path: std::path::PathBuf| files::invalid(&path, "missing");
        let state = load_state(paths)?.ok_or_else(|| missing(paths.state()))?;
        let me = state.node_id(&config.node.name).ok_or_else(|| {
            let text = files::read_text(&paths.config()).ok().flatten().unwrap_or_default();
            files::invalid_at(
                &paths.config(),
                files::line_of(&text, &["node", "name"]),
                &format!("node.name: the cluster has no node {:?}", config.node.name),
            )
        })?;
        let mesh = match &state.mesh {
            None => None,
            Some(_) => {
                let file = MeshFile::load(paths)?.ok_or_else(|| missing(paths.mesh()))?;
                let key = own_key(paths, &state.nodes[&me])?;
                Some((file, key))
            }
        };
        let lan_key = match &state.mesh {
            None => load_private_key(paths)?,
            Some(_) => None,
        };
        let secret = load_secret(paths)?.ok_or_else(|| missing(paths.cluster_key()))?;
        Ok(Some(Self { paths: paths.clone(), me, config, mesh, lan_key, secret, state }))
    }
}

#[derive(serde::Deserialize)]
struct Head {
    format: u32,
}

/// Reads the replicated state; `None` when there is none.
///
/// # Errors
/// `file-invalid` with the line.
pub fn load_state(paths: &Paths) -> Result<Option<ClusterState>, Failure> {
    let path = paths.state();
    let Some(text) = files::read_text(&path)? else { return Ok(None) };
    // Before the rest: a later form may have other fields.
    if let Ok(Head { format }) = serde_json::from_str(&text)
        && format != STATE_FORMAT
    {
        return Err(files::unknown_version(&path, &text, "format", format));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| {
        files::invalid_at(&path, error.line(), &error.to_string()).with("column", error.column())
    })
}

/// Reads the secret that signs tokens; `None` when there is none.
///
/// # Errors
/// `file-mode`, `file-invalid`.
pub fn load_secret(paths: &Paths) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let path = paths.cluster_key();
    let Some(bytes) = files::read_secret(&path)? else { return Ok(None) };
    let wrong = |reason| files::invalid_at(&path, 1, reason);
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not base64"))?;
    let secret = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| wrong("not base64"))?);
    if secret.len() < SECRET_BYTES {
        return Err(wrong("too short"));
    }
    Ok(Some(secret))
}

/// Writes the secret that signs tokens.
///
/// # Errors
/// `file-write`.
pub fn save_secret(paths: &Paths, secret: &[u8]) -> Result<(), Failure> {
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(secret)));
    files::write_atomic(&paths.cluster_key(), text.as_bytes(), 0o600)
}

/// Random bytes from the kernel.
///
/// # Errors
/// `internal` when the kernel has none.
pub fn random(length: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(ErrorCode::Internal).with("what", "getrandom").with("cause", error.to_string())
    })?;
    Ok(bytes)
}

/// Length of a new cluster secret, in bytes.
#[must_use]
pub fn new_secret_length() -> usize {
    SECRET_BYTES
}

/// Writes the state and what is generated from it: `corosync.conf` first, so that a state that is on
/// disk always has its `corosync.conf` beside it.
///
/// # Errors
/// `file-write`.
pub fn persist(paths: &Paths, state: &ClusterState, me: NodeId) -> Result<(), Failure> {
    if !state.nodes.contains_key(&me) {
        // This node is out: what it needs to know of that is no more than that.
        let config = ConfigFile::load(paths).ok().flatten();
        let node = config.map(|config| config.node.name).unwrap_or_default();
        return Marker::out(paths, &state.cluster, &node).map(drop);
    }
    let conf = corosync_conf(state)?;
    files::write_if_changed(&paths.corosync_conf(), conf.as_bytes(), 0o644)?;
    if state.mesh.is_some() {
        match MeshFile::load(paths) {
            Ok(Some(mut file)) => {
                file.set_peers(state, me);
                file.save(paths)?;
            }
            Ok(None) => {}
            // Somebody is editing it, or the disk lost it. It is not replaced, and the cluster goes on.
            Err(failure) => warn!(%failure, "mesh.yml does not read and stays as it is"),
        }
    }
    let text = serde_json::to_vec_pretty(state)
        .map_err(|error| files::invalid(&paths.state(), &error.to_string()))?;
    files::write_atomic(&paths.state(), &text, 0o600)
}

/// The `corosync.conf` that belongs to a state.
///
/// # Errors
/// `internal` when the state has something that cannot be written there.
pub fn corosync_conf(state: &ClusterState) -> Result<String, Failure> {
    let node = |(id, node): (&NodeId, &sfha_core::state::Node)| ConfNode {
        id: *id,
        name: node.name.clone(),
        ring0: node.address,
        ring1: node.lan_address.filter(|_| state.links().contains(&sfha_core::links::Link::Lan)),
    };
    let conf = CorosyncConf {
        cluster_name: state.cluster.clone(),
        config_version: state.corosync.config_version,
        nodes: state.nodes.iter().map(node).collect(),
        profile: profile(state),
        mtu: state.mesh.as_ref().map(|mesh| u16::try_from(mesh.mtu).unwrap_or(u16::MAX)),
        device: state.corosync.qdevice.clone().map(|qdevice| ConfDevice {
            qdevice,
            timeout_ms: u32::try_from(Qdevice::timeout(&state.corosync.profile).as_millis())
                .unwrap_or(u32::MAX),
        }),
    };
    render(&conf).map_err(|error| {
        Failure::new(ErrorCode::Internal).with("what", "corosync.conf").with("cause", error.to_string())
    })
}

/// The Corosync profile of a state.
#[must_use]
pub fn profile(state: &ClusterState) -> Profile {
    match state.corosync.profile.as_str() {
        "fast" => Profile::Fast,
        "wan" => Profile::Wan,
        _ => Profile::Lan,
    }
}

#[cfg(test)]
mod tests;
