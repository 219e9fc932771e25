use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sfha_core::state::MeshSettings;

use super::*;

/// A node with all its files.
struct Disk {
    root: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self { root: tempfile::tempdir().unwrap() };
        let paths = disk.paths();
        let key = PrivateKey::generate().unwrap();
        let node = sfha_core::state::Node {
            public_key: Some(key.public().to_string()),
            ..sfha_core::state::Node::new("node1", "10.100.0.1".parse().unwrap())
        };
        let mesh = MeshSettings {
            network: "10.100.0.0/24".parse().unwrap(),
            port: 51820,
            mtu: 1420,
            links: sfha_core::links::mesh_only(),
        };
        let state = ClusterState::new("prod", "lan", Some(mesh), node);
        save_secret(&paths, &[7; SECRET_BYTES]).unwrap();
        save_keys(&paths, &key).unwrap();
        let address = "10.100.0.1/24".parse().unwrap();
        MeshFile::new("wg-sfha", address, 51820, 1420, None).save(&paths).unwrap();
        persist(&paths, &state, 1).unwrap();
        ConfigFile::new("prod", "node1", true).save(&paths).unwrap();
        disk
    }

    fn paths(&self) -> Paths {
        Paths::under(self.root.path())
    }

    fn edit(&self, path: &PathBuf, edit: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, edit(&text)).unwrap();
    }

    fn failure(&self) -> Failure {
        match Node::load(&self.paths()) {
            Err(failure) => failure,
            Ok(_) => panic!("it was read"),
        }
    }
}

type File = fn(&Disk) -> PathBuf;
type Edit = fn(&str) -> String;

fn half(text: &str) -> String {
    text[..text.len() / 2].to_owned()
}

fn nothing(_: &str) -> String {
    String::new()
}

fn lines(text: &str, from: &str) -> u64 {
    let line = text.lines().position(|line| line.trim_start().starts_with(from)).unwrap();
    line as u64 + 1
}

#[test]
fn a_damaged_file_is_named_with_its_line_and_its_last_good_version_and_stays() {
    let state: File = |disk| disk.paths().state();
    let mesh: File = |disk| disk.paths().mesh();
    let config: File = |disk| disk.paths().config();
    // The file, what is done to it, where the failure points: at this beginning of a line, or anywhere.
    let table: [(File, Edit, Option<&str>); 14] = [
        (state, half, None),
        (state, nothing, None),
        (state, |text| text.replace("\"prod\"", "prod"), Some("\"cluster\"")),
        (state, |text| text.replace("\"maintenance\": false", "\"maintenance\": 1"), Some("\"maintenance\"")),
        (state, |text| text.replace("\"format\": 1", "\"format\": 9"), Some("\"format\"")),
        (
            state,
            |text| text.replace("\"format\": 1", "\"format\": 9").replace("cluster", "c"),
            Some("\"format\""),
        ),
        (mesh, half, None),
        (mesh, nothing, None),
        (mesh, |text| text.replace("51820", "a port"), Some("port")),
        (mesh, |text| format!("{text}surplus: 1\n"), Some("surplus")),
        (mesh, |text| text.replace("version: 1", "version: 2") + "later: 1\n", Some("version")),
        (config, |text| text.replace("cluster:", "cluster: ["), None),
        (config, |text| text.replace("name: prod", "name: -prod"), Some("name: -prod")),
        (config, |text| text.replace("name: node1", "name: node7"), Some("name: node7")),
    ];
    for (line, (file, edit, place)) in table.into_iter().enumerate() {
        let disk = Disk::new();
        let path = file(&disk);
        let good = fs::read_to_string(&path).unwrap();
        assert!(Node::load(&disk.paths()).unwrap().is_some());
        disk.edit(&path, edit);
        let damaged = fs::read(&path).unwrap();
        assert_ne!(damaged, good.as_bytes(), "line {line}");

        let failure = disk.failure();
        assert_eq!(failure.code, ErrorCode::FileInvalid, "line {line}");
        assert_eq!(failure.details["path"], path.display().to_string(), "line {line}: {failure}");
        let told = failure.details["line"].as_u64();
        assert!(told.is_some(), "line {line}: {failure}");
        if let Some(place) = place {
            assert_eq!(told, Some(lines(&String::from_utf8(damaged.clone()).unwrap(), place)), "{failure}");
        }
        let backup = failure.details["backup"].as_str().unwrap();
        assert_eq!(fs::read_to_string(backup).unwrap(), good, "line {line}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "line {line}: it was touched");

        // What the operator is told to do helps.
        fs::copy(backup, &path).unwrap();
        assert!(Node::load(&disk.paths()).unwrap().is_some(), "line {line}");
    }
}

#[test]
fn a_file_that_is_missing_is_named() {
    for pick in [Paths::state, Paths::mesh, Paths::private_key, Paths::cluster_key] {
        let disk = Disk::new();
        let path = pick(&disk.paths());
        fs::remove_file(&path).unwrap();
        let failure = disk.failure();
        assert_eq!((failure.code, &failure.details["reason"]), (ErrorCode::FileInvalid, &"missing".into()));
        assert_eq!(failure.details["path"], path.display().to_string());
    }
    let disk = Disk::new();
    fs::remove_file(disk.paths().config()).unwrap();
    assert!(Node::load(&disk.paths()).unwrap().is_none(), "no config.yml is no cluster");
}

#[test]
fn secrets_that_others_can_read_or_that_are_damaged_keep_the_node_from_starting() {
    for pick in [Paths::private_key, Paths::cluster_key] {
        for mode in [0o640, 0o604, 0o660, 0o777] {
            let disk = Disk::new();
            let path = pick(&disk.paths());
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let failure = disk.failure();
            assert_eq!(failure.code, ErrorCode::FileMode);
            assert_eq!(failure.details["path"], path.display().to_string());
            assert_eq!(failure.details["mode"], format!("{mode:04o}"));
        }
        for edit in [half, nothing, |_: &str| "no key at all\n".to_owned()] {
            let disk = Disk::new();
            let path = pick(&disk.paths());
            disk.edit(&path, edit);
            let failure = disk.failure();
            assert_eq!((failure.code, &failure.details["line"]), (ErrorCode::FileInvalid, &1.into()));
        }
    }
}

#[test]
fn backups_follow_what_is_good_and_only_that() {
    let disk = Disk::new();
    let paths = disk.paths();
    assert!(!paths.backup().exists());
    Node::load(&paths).unwrap();
    let copy = paths.backup().join("mesh.yml");
    disk.edit(&paths.mesh(), |text| text.replace("mtu: 1420", "mtu: 1400"));
    Node::load(&paths).unwrap();
    assert!(fs::read_to_string(&copy).unwrap().contains("mtu: 1400"));
    // One damaged file keeps all copies as they are.
    disk.edit(&paths.mesh(), |text| text.replace("mtu: 1400", "mtu: 1380"));
    disk.edit(&paths.state(), half);
    disk.failure();
    assert!(fs::read_to_string(&copy).unwrap().contains("mtu: 1400"));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(paths.backup().join("state.json")), 0o600);
    assert_eq!(fs::read_dir(paths.backup()).unwrap().count(), 3, "no key is copied");
}

#[test]
fn a_state_is_written_though_mesh_yml_is_being_edited() {
    let disk = Disk::new();
    let paths = disk.paths();
    let mut state = load_state(&paths).unwrap().unwrap();
    disk.edit(&paths.mesh(), |_| "version: [".to_owned());
    state.version += 1;
    persist(&paths, &state, 1).unwrap();
    assert_eq!(load_state(&paths).unwrap(), Some(state));
    assert_eq!(fs::read_to_string(paths.mesh()).unwrap(), "version: [");
}
