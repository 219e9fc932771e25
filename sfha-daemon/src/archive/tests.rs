use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sfha_core::ClusterState;
use sfha_core::fencing::settings::Agent;
use sfha_core::state::{MeshSettings, Node as StateNode, Vip};

use super::*;
use crate::config_file::ConfigFile;
use crate::io::wireguard::PrivateKey;
use crate::mesh_file::MeshFile;

/// A member of a cluster of three, on a disk of its own.
fn member() -> (tempfile::TempDir, Paths) {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    let key = PrivateKey::generate().unwrap();
    let node = |number: u8, key: &PrivateKey| StateNode {
        public_key: Some(key.public().to_string()),
        ..StateNode::new(format!("node{number}"), [10, 100, 0, number].into())
    };
    let mesh = MeshSettings {
        network: "10.100.0.0/24".parse().unwrap(),
        port: 51820,
        mtu: 1420,
        links: sfha_core::links::mesh_only(),
    };
    let mut state = ClusterState::new("prod", "lan", Some(mesh), node(1, &key));
    for number in [2, 3] {
        state.nodes.insert(number.into(), node(number, &PrivateKey::generate().unwrap()));
    }
    state.next_node_id = 4;
    let vip = Vip { address: "10.0.0.100/24".parse().unwrap(), interface: None, prefer: Vec::new() };
    state.vips.insert("web".into(), vip);
    store::save_secret(&paths, &[7; 32]).unwrap();
    store::save_keys(&paths, &key).unwrap();
    let address = "10.100.0.1/24".parse().unwrap();
    MeshFile::new("wg-sfha", address, 51820, 1420, None).save(&paths).unwrap();
    store::persist(&paths, &state, 1).unwrap();
    files::write_atomic(&paths.corosync_authkey(), &[9; 256], 0o400).unwrap();
    ConfigFile::new("prod", "node1", true).save(&paths).unwrap();
    (root, paths)
}

fn text(archive: &Archive) -> String {
    serde_json::to_string(archive).unwrap()
}

/// What `restore` does before it touches units.
fn stage(text: &str, alone: bool) -> Result<(tempfile::TempDir, Paths, Node), Failure> {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    unpack("b", &read("b", text)?, &paths)?;
    let mut node = Node::load(&paths)?.unwrap();
    if alone {
        make_alone(&mut node)?;
    }
    store::persist(&paths, &node.state, node.me)?;
    Ok((root, paths, node))
}

#[test]
fn what_was_saved_is_put_back_byte_by_byte_with_its_modes() {
    let (_root, before) = member();
    fs::set_permissions(before.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let archive = make(&before).unwrap();
    assert_eq!((archive.cluster.as_str(), archive.node.as_str()), ("prod", "node1"));
    let (_staged, after, node) = stage(&text(&archive), false).unwrap();
    assert_eq!(node.state.nodes.len(), 3);
    for ((from, _), (to, _)) in contents(&before).into_iter().zip(contents(&after)) {
        assert_eq!(fs::read(&from).ok(), fs::read(&to).ok(), "{}", from.display());
        assert_eq!(files::mode(&from), files::mode(&to), "{}", from.display());
    }
    assert_eq!(files::mode(&after.config()), Some(0o600));
}

#[test]
fn alone_a_node_needs_nobody_and_is_newer_than_whatever_the_others_know() {
    let (_root, paths) = member();
    let before = Node::load(&paths).unwrap().unwrap().state;
    let (_staged, after, node) = stage(&text(&make(&paths).unwrap()), true).unwrap();
    assert_eq!(node.state.nodes.keys().collect::<Vec<_>>(), [&1]);
    assert!(node.state.age() > before.age());
    assert!(node.state.corosync.config_version > before.corosync.config_version);
    assert_eq!((node.state.next_node_id, &node.state.vips), (4, &before.vips));
    assert!(node.state.removing.is_empty());
    let conf = fs::read_to_string(after.corosync_conf()).unwrap();
    assert!(conf.contains("node1") && !conf.contains("node2"), "{conf}");
    assert!(MeshFile::load(&after).unwrap().unwrap().peers.is_empty());
}

#[test]
fn a_document_that_is_damaged_or_strange_is_refused() {
    let (_root, paths) = member();
    let good = text(&make(&paths).unwrap());
    let code = |text: &str| stage(text, false).map(drop).unwrap_err();
    assert_eq!(code(&good[..good.len() / 2]).code, ErrorCode::FileInvalid);
    assert_eq!(code(&good.replace("\"format\":1", "\"format\":2")).code, ErrorCode::FileInvalid);
    for path in ["etc/shadow", "../etc/sfha/config.yml", "/etc/shadow", "etc/sfha/../shadow", ""] {
        let failure = code(&good.replace("etc/sfha/cluster.key", path));
        assert_eq!(failure.code, ErrorCode::FileInvalid, "{path}");
        assert!(failure.details["reason"].as_str().unwrap().contains("no file of a node"), "{failure}");
    }
    let without = good.replace("etc/sfha/cluster.key", "var/lib/sfha/endpoints.json");
    assert!(code(&without).details["path"].as_str().unwrap().ends_with("cluster.key"));
}

/// With fencing whose secrets are in files, one of them elsewhere.
fn with_fencing(paths: &Paths) {
    let mut node = Node::load(paths).unwrap().unwrap();
    let agent = |file: &str| Agent {
        program: "fence_ipmilan".into(),
        parameters: Default::default(),
        secrets_file: Some(file.into()),
    };
    let stonith = &mut node.state.stonith;
    stonith.agents.insert("one".into(), agent("/etc/sfha/one.secret"));
    stonith.agents.insert("two".into(), agent("/root/two.secret"));
    // Whatever the settings say, a file of ours stays what it is.
    stonith.agents.insert("three".into(), agent("/etc/sfha/cluster.key"));
    store::persist(paths, &node.state, 1).unwrap();
    files::write_atomic(&paths.etc().join("one.secret"), b"password=hush", 0o600).unwrap();
}

#[test]
fn secrets_of_fencing_go_along_and_those_elsewhere_are_named() {
    let (_root, before) = member();
    with_fencing(&before);
    let archive = make(&before).unwrap();
    assert_eq!(archive.left_out, [PathBuf::from("/etc/sfha/cluster.key"), "/root/two.secret".into()]);
    let (_staged, after, _) = stage(&text(&archive), false).unwrap();
    let secret = after.etc().join("one.secret");
    assert_eq!(fs::read(&secret).unwrap(), b"password=hush");
    assert_eq!(files::mode(&secret), Some(0o600));
    assert_eq!(fs::read(after.cluster_key()).unwrap(), fs::read(before.cluster_key()).unwrap());
    // Only what the state in the same document names.
    let strange = text(&archive).replace("etc/sfha/one.secret", "etc/sfha/four.secret");
    let failure = stage(&strange, false).map(drop).unwrap_err();
    assert!(failure.details["reason"].as_str().unwrap().contains("no file of a node"), "{failure}");
}

#[test]
fn modes_can_only_be_narrower_than_ours() {
    let (_root, paths) = member();
    let wide = text(&make(&paths).unwrap()).replace("\"mode\":\"0600\"", "\"mode\":\"0666\"");
    let (_staged, after, _) = stage(&wide, false).unwrap();
    assert_eq!(files::mode(&after.cluster_key()), Some(0o600));
}

#[test]
fn without_a_cluster_there_is_nothing_to_keep() {
    let root = tempfile::tempdir().unwrap();
    let outcome = make(&Paths::under(root.path()));
    assert_eq!(outcome.map(drop).unwrap_err().code, ErrorCode::NotConfigured);
}
