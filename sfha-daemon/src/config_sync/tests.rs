use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sfha_core::state::{Node as StateNode, Vip};
use tempfile::TempDir;

use super::*;
use crate::config_file::ConfigFile;

/// A node's disk and what is shared.
struct Disk {
    _root: TempDir,
    paths: Paths,
    state: ClusterState,
}

impl Disk {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let node = StateNode::new("node1", "10.100.0.1".parse().unwrap());
        ConfigFile::new("prod", "node1", false).save(&paths).unwrap();
        Self { _root: root, paths, state: ClusterState::new("prod", "lan", None, node) }
    }

    fn vip(&mut self, name: &str, address: &str) {
        let vip = Vip { address: address.parse().unwrap(), interface: None, prefer: Vec::new() };
        self.state.vips.insert(name.to_owned(), vip);
    }

    fn shared(&self) -> Shared {
        Shared::from(&self.state.configured())
    }

    fn take_over(&self) -> Result<FileState, Failure> {
        take_over(&self.paths, &self.shared())
    }

    fn plan(&self) -> Result<Plan, Failure> {
        Plan::make(&self.paths, &self.state, "prod", "node1")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.paths.config()).unwrap()
    }

    fn edit(&self, edit: impl FnOnce(String) -> String) {
        fs::write(self.paths.config(), edit(self.text())).unwrap();
    }
}

fn names(changes: &[Change]) -> Vec<(&str, bool, bool)> {
    changes.iter().map(|c| (c.name.as_str(), c.from.is_some(), c.to.is_some())).collect()
}

#[test]
fn the_file_follows_the_state_once_and_keeps_its_mode_and_comments() {
    let mut disk = Disk::new();
    assert_eq!(disk.take_over().unwrap(), FileState::InStep);
    disk.edit(|text| text + "# mine\n");
    fs::set_permissions(disk.paths.config(), fs::Permissions::from_mode(0o600)).unwrap();
    disk.vip("web", "10.0.0.1/24");
    assert_eq!(disk.take_over().unwrap(), FileState::InStep);
    assert!(
        disk.text().contains("# mine\n\nvips:\n  - name: web\n    ip: 10.0.0.1\n    cidr: 24\n"),
        "{}",
        disk.text()
    );
    assert_eq!(fs::metadata(disk.paths.config()).unwrap().mode() & 0o777, 0o600);
    let copy = disk.paths.backup().join("config.yml");
    assert_eq!(fs::read_to_string(&copy).unwrap(), disk.text());
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);

    let inode = |path| fs::metadata(path).unwrap().ino();
    let before = (inode(disk.paths.config()), inode(disk.paths.config_base()));
    assert_eq!(disk.take_over().unwrap(), FileState::InStep);
    assert_eq!((inode(disk.paths.config()), inode(disk.paths.config_base())), before, "nothing is written");
    let plan = disk.plan().unwrap();
    assert!(plan.changes.is_empty() && plan.wanted.is_none() && plan.priority.is_none());
}

#[test]
fn what_was_edited_and_not_reloaded_stays_whatever_others_change() {
    let mut disk = Disk::new();
    disk.vip("a", "10.0.0.1/24");
    disk.vip("b", "10.0.0.2/24");
    disk.take_over().unwrap();
    disk.edit(|text| text.replace("10.0.0.1", "10.0.0.9"));
    disk.vip("c", "10.0.0.3/24");
    disk.state.vips.remove("b");
    assert_eq!(disk.take_over().unwrap(), FileState::Edited);
    let text = disk.text();
    assert!(text.contains("10.0.0.9") && text.contains("10.0.0.3") && !text.contains("10.0.0.2"), "{text}");
    assert_eq!(names(&disk.plan().unwrap().changes), [("a", true, true)]);
}

#[test]
fn a_file_with_a_fault_is_left_alone_and_loses_nothing_once_it_is_mended() {
    let mut disk = Disk::new();
    disk.vip("a", "10.0.0.1/24");
    disk.take_over().unwrap();
    for fault in ["vips: [", "colour: blue\n", "\u{1}"] {
        let whole = disk.text();
        disk.edit(|text| text + fault);
        let damaged = disk.text();
        disk.vip("late", "10.0.0.7/24");
        assert_eq!(disk.take_over().unwrap_err().code, ErrorCode::FileInvalid);
        assert_eq!(disk.text(), damaged);
        let failure = disk.plan().err().unwrap();
        assert!(!failure.details["findings"].as_array().unwrap().is_empty());
        assert_eq!(compare(&disk.paths, &disk.shared()).ok(), None);
        backup::keep(&disk.paths);
        let copy = fs::read_to_string(disk.paths.backup().join("config.yml")).unwrap();
        assert!(!copy.contains(fault), "the last good version is not this one");

        // The VIP that came meanwhile is not taken for one that was deleted here.
        disk.edit(|_| whole.replace("10.0.0.1", "10.0.0.4"));
        assert_eq!(names(&disk.plan().unwrap().changes), [("a", true, true)]);
        assert_eq!(disk.take_over().unwrap(), FileState::Edited);
        assert!(disk.text().contains("late"));
        disk.state.vips.remove("late");
        disk.edit(|text| text.replace("10.0.0.4", "10.0.0.1"));
        assert_eq!(disk.take_over().unwrap(), FileState::InStep);
    }
}

#[test]
fn without_a_base_nothing_that_is_in_the_file_is_touched() {
    let mut disk = Disk::new();
    disk.vip("a", "10.0.0.1/24");
    disk.take_over().unwrap();
    disk.edit(|text| text.replace("10.0.0.1", "10.0.0.9"));
    disk.vip("b", "10.0.0.2/24");
    fs::write(disk.paths.config_base(), "torn").unwrap();
    assert_eq!(disk.take_over().unwrap(), FileState::Edited);
    assert!(disk.text().contains("10.0.0.9") && disk.text().contains("10.0.0.2"), "{}", disk.text());
}

#[test]
fn a_reload_is_of_this_cluster_and_this_node_and_of_nodes_that_exist() {
    let disk = Disk::new();
    disk.edit(|text| {
        text.replace("prod", "test").replace("name: node1", "name: node2\n  priority: 7")
            + "vips:\n  - {name: a, ip: 10.0.0.1, prefer: [node9]}\n"
    });
    let failure = disk.plan().err().unwrap();
    let codes: Vec<&str> =
        failure.details["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["other-cluster", "other-node", "unknown-node"]);

    disk.edit(|text| text.replace("test", "prod").replace("node2", "node1").replace("node9", "node1"));
    let plan = disk.plan().unwrap();
    assert_eq!(plan.priority, Some(7));
    assert_eq!(names(&plan.changes), [("a", false, true), ("node1", true, true)]);
}

#[test]
fn a_secret_in_the_file_gets_one_of_its_own_and_stays_out_of_what_is_shared() {
    let disk = Disk::new();
    disk.edit(|text| {
        text + "stonith:\n  provider: proxmox\n  proxmox:\n    api_url: https://pve:8006\n    token_id: a@pve!b\n    \
                token_secret: hush\n"
    });
    assert_eq!(disk.take_over().unwrap(), FileState::Edited);
    let secret = disk.paths.config().with_file_name("proxmox.secret");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "hush");
    assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
    let plan = disk.plan().unwrap();
    let shared = plan.wanted.unwrap();
    assert!(shared.stonith.proxmox.is_some());
    let told = serde_json::to_string(&(&shared, &plan.changes, &plan.warnings)).unwrap();
    assert!(!told.contains("hush"), "{told}");
    // One that others can read is replaced, not only read.
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    disk.take_over().unwrap();
    assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
}
