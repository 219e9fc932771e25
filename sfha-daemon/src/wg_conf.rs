//! `wg-sfha.conf`: the mesh in the words of `wg`, for people who debug. Without the private key; sfha never
//! reads it.

use std::fmt::Write as _;
use std::path::PathBuf;

use sfha_core::mesh::WantedPeer;
use sfha_core::rotation::keys_of;
use sfha_core::{ClusterState, NodeId};

use tokio::sync::watch;
use tracing::warn;

use crate::files;
use crate::mesh_file::MeshFile;

/// Writes whatever it is sent, the newest when there is more; nobody waits for it. Ends with its sender.
#[must_use]
pub fn writer(path: PathBuf) -> watch::Sender<String> {
    let (sender, mut texts) = watch::channel(String::new());
    tokio::spawn(async move {
        while texts.changed().await.is_ok() {
            let (path, text) = (path.clone(), texts.borrow_and_update().clone());
            let write = move || files::write_if_changed(&path, text.as_bytes(), 0o600);
            if let Ok(Err(failure)) = tokio::task::spawn_blocking(write).await {
                warn!(%failure, "not written");
            }
        }
    });
    sender
}

/// The file of node `me`.
#[must_use]
pub fn render(file: &MeshFile, state: &ClusterState, me: NodeId, peers: &[WantedPeer]) -> String {
    let mut text = format!(
        "# Written by sfhad for people who debug; sfha never reads it.\n\
         # {}. The private key is in private.key.\n\
         [Interface]\n# Address = {}\n# MTU = {}\nListenPort = {}\n",
        state.node_name(me),
        file.address,
        file.mtu,
        file.port
    );
    for peer in peers {
        let _ = write!(text, "\n# {}\n[Peer]\nPublicKey = {}\n", owner(state, peer), peer.public_key);
        if !peer.allowed_ips.is_empty() {
            let networks: Vec<String> = peer.allowed_ips.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "AllowedIPs = {}", networks.join(", "));
        }
        if let Some(endpoint) = &peer.endpoint {
            let _ = writeln!(text, "Endpoint = {endpoint}");
        }
        if let Some(seconds) = peer.keepalive {
            let _ = writeln!(text, "PersistentKeepalive = {seconds}");
        }
    }
    text
}

fn owner(state: &ClusterState, peer: &WantedPeer) -> String {
    let key = Some(peer.public_key.as_str());
    let node = state.nodes.values().find(|node| keys_of(node).any(|own| Some(own) == key));
    match node {
        Some(node) if node.rotation.next_key.as_deref() == key => format!("{} (next key)", node.name),
        Some(node) if node.rotation.old_key.as_deref() == key => format!("{} (old key)", node.name),
        Some(node) => node.name.clone(),
        None => "invite".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sfha_core::rotation::Rotation;
    use sfha_core::state::{MeshSettings, Node};

    use super::*;

    #[test]
    fn every_peer_is_there_with_its_owner() {
        let node = |name: &str, host: u8, rotation: Rotation| Node {
            priority: sfha_core::resources::DEFAULT_PRIORITY,
            name: name.into(),
            address: [10, 100, 0, host].into(),
            public_key: Some(format!("key{host}")),
            endpoint: Some(format!("192.0.2.{host}:51820")),
            standby: false,
            lan_address: None,
            rotation,
        };
        let mesh = MeshSettings {
            network: "10.100.0.0/24".parse().unwrap(),
            port: 51820,
            mtu: 1420,
            links: sfha_core::links::mesh_only(),
        };
        let mut state = ClusterState::new("prod", "lan", Some(mesh), node("node1", 1, Rotation::default()));
        let rotation = Rotation { next_key: Some("next2".into()), known: true, old_key: None };
        state.nodes.insert(2, node("node2", 2, rotation));
        let file = MeshFile::new("wg-sfha", "10.100.0.1/24".parse().unwrap(), 51820, 1420, None);
        let peers = sfha_core::mesh::wanted_peers(&state, 1, &Default::default(), &Default::default(), 0);
        let text = render(&file, &state, 1, &peers);
        let expected = "[Interface]\n# Address = 10.100.0.1/24\n# MTU = 1420\nListenPort = 51820\n\n\
            # node2 (next key)\n[Peer]\nPublicKey = next2\nEndpoint = 192.0.2.2:51820\n\n\
            # node2\n[Peer]\nPublicKey = key2\nAllowedIPs = 10.100.0.2/32\nEndpoint = 192.0.2.2:51820\n\
            PersistentKeepalive = 25\n";
        assert!(text.ends_with(expected), "{text}");
        assert!(text.lines().take(2).all(|line| line.starts_with('#')));
    }
}
