//! Everything a node keeps on disk, read at start and written before a command is acknowledged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfha_core::state::STATE_FORMAT;
use sfha_core::{ClusterState, NodeId};
use sfha_proto::{ErrorCode, Failure};
use zeroize::Zeroizing;

use crate::config_file::ConfigFile;
use crate::corosync_conf::{ConfNode, CorosyncConf, Profile, render};
use crate::files;
use crate::io::wireguard::PrivateKey;
use crate::mesh_file::MeshFile;
use crate::paths::Paths;

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
    /// What signs tokens.
    pub secret: Zeroizing<Vec<u8>>,
    /// The replicated state.
    pub state: ClusterState,
}

impl Node {
    /// Reads everything; `None` when this node has no cluster.
    ///
    /// # Errors
    /// `file-invalid` or `file-mode` for the first file that does not read.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let Some(config) = ConfigFile::load(paths)? else { return Ok(None) };
        let missing = |path: std::path::PathBuf| files::invalid(&path, "missing");
        let state = load_state(paths)?.ok_or_else(|| missing(paths.state()))?;
        let me = state.node_id(&config.node.name).ok_or_else(|| {
            files::invalid(
                &paths.config(),
                &format!("node.name: the cluster has no node {:?}", config.node.name),
            )
        })?;
        let mesh = match &state.mesh {
            None => None,
            Some(_) => {
                let file = MeshFile::load(paths)?.ok_or_else(|| missing(paths.mesh()))?;
                let key = load_private_key(paths)?.ok_or_else(|| missing(paths.private_key()))?;
                Some((file, key))
            }
        };
        let secret = load_secret(paths)?.ok_or_else(|| missing(paths.cluster_key()))?;
        Ok(Some(Self { paths: paths.clone(), me, config, mesh, secret, state }))
    }
}

/// Reads the replicated state; `None` when there is none.
///
/// # Errors
/// `file-invalid` with the line.
pub fn load_state(paths: &Paths) -> Result<Option<ClusterState>, Failure> {
    let path = paths.state();
    let Some(text) = files::read_text(&path)? else { return Ok(None) };
    let state: ClusterState = serde_json::from_str(&text).map_err(|error| {
        files::invalid_at(&path, error.line(), &error.to_string()).with("column", error.column())
    })?;
    if state.format != STATE_FORMAT {
        return Err(files::invalid(&path, &format!("format {} is not known to this program", state.format)));
    }
    Ok(Some(state))
}

/// Reads this node's private key; `None` when there is none.
///
/// # Errors
/// `file-mode`, `file-invalid`.
pub fn load_private_key(paths: &Paths) -> Result<Option<PrivateKey>, Failure> {
    let path = paths.private_key();
    let Some(bytes) = files::read_secret(&path)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|_| files::invalid(&path, "not a WireGuard key"))?;
    text.trim().parse().map(Some).map_err(|_| files::invalid(&path, "not a WireGuard key"))
}

/// Writes this node's key pair with its modes.
///
/// # Errors
/// `file-write`.
pub fn save_keys(paths: &Paths, key: &PrivateKey) -> Result<(), Failure> {
    let text = Zeroizing::new(format!("{}\n", &*key.to_base64()));
    files::write_atomic(&paths.private_key(), text.as_bytes(), 0o600)?;
    files::write_atomic(&paths.public_key(), format!("{}\n", key.public()).as_bytes(), 0o644)
}

/// Reads the secret that signs tokens; `None` when there is none.
///
/// # Errors
/// `file-mode`, `file-invalid`.
pub fn load_secret(paths: &Paths) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let path = paths.cluster_key();
    let Some(bytes) = files::read_secret(&path)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|_| files::invalid(&path, "not base64"))?;
    let secret =
        Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| files::invalid(&path, "not base64"))?);
    if secret.len() < SECRET_BYTES {
        return Err(files::invalid(&path, "too short"));
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
    let conf = corosync_conf(state)?;
    files::write_if_changed(&paths.corosync_conf(), conf.as_bytes(), 0o644)?;
    if state.mesh.is_some()
        && let Some(mut file) = MeshFile::load(paths)?
    {
        file.set_peers(state, me);
        file.save(paths)?;
        files::write_if_changed(&paths.wg_conf(), wg_conf(&file).as_bytes(), 0o600)?;
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
        ring1: None,
    };
    let conf = CorosyncConf {
        cluster_name: state.cluster.clone(),
        config_version: state.corosync.config_version,
        nodes: state.nodes.iter().map(node).collect(),
        profile: profile(state),
        mtu: None,
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

/// For people who debug with `wg`; without the private key.
fn wg_conf(file: &MeshFile) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "# Written by sfhad for people who debug; sfha never reads it.\n\
         # The private key is in private.key.\n\
         [Interface]\n# Address = {}\n# MTU = {}\nListenPort = {}\n",
        file.address, file.mtu, file.port
    );
    for peer in &file.peers {
        let host = sfha_core::mesh::host(peer.ip);
        let _ =
            write!(text, "\n# {}\n[Peer]\nPublicKey = {}\nAllowedIPs = {host}\n", peer.name, peer.public_key);
        if let Some(endpoint) = &peer.endpoint {
            let _ = writeln!(text, "Endpoint = {endpoint}");
        }
        let _ = writeln!(text, "PersistentKeepalive = {}", sfha_core::mesh::KEEPALIVE_S);
    }
    text
}
