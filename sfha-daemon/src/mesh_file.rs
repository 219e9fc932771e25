//! `/etc/sfha/mesh.yml`: this node's part of the mesh, and the last known endpoint of every peer.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sfha_core::{ClusterState, NodeId};
use sfha_proto::Failure;

use crate::files;
use crate::paths::Paths;

/// Version of the file's form.
const FORMAT: u32 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshFile {
    /// Version of the file's form: 1.
    pub version: u32,
    /// Name of the interface.
    pub interface: String,
    /// This node's address with the network's prefix length.
    pub address: IpNet,
    /// UDP port.
    pub port: u16,
    /// MTU, in bytes.
    pub mtu: u32,
    /// Where others reach this node, `HOST:PORT`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The other nodes; rewritten by the daemon.
    #[serde(default)]
    pub peers: Vec<MeshFilePeer>,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// One peer in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshFilePeer {
    /// Name of the node.
    pub name: String,
    /// Its address in the mesh.
    pub ip: IpAddr,
    /// Its public key, base64.
    pub public_key: String,
    /// Its endpoint.
    #[serde(default)]
    pub endpoint: Option<String>,
}

impl MeshFile {
    /// Of a node that has no peers yet.
    #[must_use]
    pub fn new(interface: &str, address: IpNet, port: u16, mtu: u32, endpoint: Option<String>) -> Self {
        Self {
            version: FORMAT,
            interface: interface.to_owned(),
            address,
            port,
            mtu,
            endpoint,
            peers: Vec::new(),
        }
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// `file-invalid` with the line: a damaged file is never replaced.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let path = paths.mesh();
        let Some(text) = files::read_text(&path)? else { return Ok(None) };
        // Before the rest: a later form may have other fields.
        if let Ok(Head { version }) = files::parse_yaml(&path, &text)
            && version != FORMAT
        {
            return Err(files::unknown_version(&path, &text, "version", version));
        }
        files::parse_yaml(&path, &text).map(Some)
    }

    /// Lists the peers of node `me` as the state has them.
    pub fn set_peers(&mut self, state: &ClusterState, me: NodeId) {
        let peer = |node: &sfha_core::state::Node| {
            let public_key = node.public_key.clone()?;
            Some(MeshFilePeer {
                name: node.name.clone(),
                ip: node.address,
                public_key,
                endpoint: node.endpoint.clone(),
            })
        };
        let other = |(name, peer): (&String, &sfha_core::state::ExtraPeer)| MeshFilePeer {
            name: name.clone(),
            ip: peer.address,
            public_key: peer.public_key.clone(),
            endpoint: peer.endpoint.clone(),
        };
        let nodes = state.nodes.iter().filter(|(id, _)| **id != me).filter_map(|(_, node)| peer(node));
        self.peers = nodes.chain(state.peers.iter().map(other)).collect();
    }

    /// Writes it, when it differs.
    ///
    /// # Errors
    /// `file-write`.
    pub fn save(&self, paths: &Paths) -> Result<(), Failure> {
        let body =
            serde_yaml::to_string(self).map_err(|error| files::invalid(&paths.mesh(), &error.to_string()))?;
        let text = format!("# sfha: this node's mesh. `peers` is rewritten by sfhad.\n{body}");
        files::write_if_changed(&paths.mesh(), text.as_bytes(), 0o644).map(|_| ())
    }
}
