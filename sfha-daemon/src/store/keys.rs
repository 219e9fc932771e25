//! The WireGuard keys of this node on disk.
//!
//! `private.key` is the key in use. `next.key` is there while another one is prepared; changing to it is one
//! rename, before which the old key and after which the new one is the node's, whatever is interrupted.

use sfha_core::state::Node as StateNode;
use sfha_proto::Failure;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::files;
use crate::io::wireguard::PrivateKey;
use crate::paths::Paths;

/// Reads this node's private key; `None` when there is none.
///
/// # Errors
/// `file-mode`, `file-invalid`.
pub fn load_private_key(paths: &Paths) -> Result<Option<PrivateKey>, Failure> {
    load(&paths.private_key())
}

/// Reads the prepared private key; `None` when there is none.
///
/// # Errors
/// As [`load_private_key`].
pub fn load_next_key(paths: &Paths) -> Result<Option<PrivateKey>, Failure> {
    load(&paths.next_key())
}

fn load(path: &std::path::Path) -> Result<Option<PrivateKey>, Failure> {
    let Some(bytes) = files::read_secret(path)? else { return Ok(None) };
    let wrong = || files::invalid_at(path, 1, "not a WireGuard key");
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    text.trim().parse().map(Some).map_err(|_| wrong())
}

/// Writes this node's key pair with its modes; nothing is prepared any more.
///
/// # Errors
/// `file-write`.
pub fn save_keys(paths: &Paths, key: &PrivateKey) -> Result<(), Failure> {
    files::remove(&paths.next_key())?;
    files::write_atomic(&paths.private_key(), text(key).as_bytes(), 0o600)?;
    save_public(paths, key)
}

/// Writes a key that is to be prepared.
///
/// # Errors
/// `file-write`.
pub fn save_next_key(paths: &Paths, key: &PrivateKey) -> Result<(), Failure> {
    files::write_atomic(&paths.next_key(), text(key).as_bytes(), 0o600)
}

fn text(key: &PrivateKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", &*key.to_base64()))
}

fn save_public(paths: &Paths, key: &PrivateKey) -> Result<(), Failure> {
    files::write_if_changed(&paths.public_key(), format!("{}\n", key.public()).as_bytes(), 0o644).map(drop)
}

/// The private half of the key that the state has for this node, if it is on disk: prepared and then made this
/// node's, whatever became of the one before, or in use.
///
/// # Errors
/// `file-mode`, `file-invalid`, `file-write`.
pub fn committed_key(paths: &Paths, node: &StateNode) -> Result<Option<PrivateKey>, Failure> {
    let own = |key: &PrivateKey| is(key, node.public_key.as_deref());
    let next = load_next_key(paths)?.filter(own);
    if next.is_some() {
        info!("changing this node's key");
        files::rename(&paths.next_key(), &paths.private_key())?;
    }
    let key = match next {
        Some(next) => Some(next),
        None => load_private_key(paths)?.filter(own),
    };
    key.iter().try_for_each(|key| save_public(paths, key))?;
    Ok(key)
}

fn is(key: &PrivateKey, public: Option<&str>) -> bool {
    public == Some(key.public().to_string().as_str())
}

/// The key that this node has to use, given what its state says about it: the committed one, or one that this
/// node's state does not know to be committed yet.
///
/// # Errors
/// `file-mode`; `file-invalid`, also when the key is none of those that the cluster knows.
pub fn own_key(paths: &Paths, node: &StateNode) -> Result<PrivateKey, Failure> {
    if let Some(key) = committed_key(paths, node)? {
        return Ok(key);
    }
    let path = paths.private_key();
    let Some(key) = load_private_key(paths)? else { return Err(files::invalid(&path, "missing")) };
    if is(&key, node.rotation.old_key.as_deref()) {
        // The others go on with it until they hear the new one.
        warn!("the key that was committed for this node is not on its disk");
    } else if !is(&key, node.rotation.next_key.as_deref()) {
        let reason = format!("not the key that the cluster knows of {}", node.name);
        return Err(files::invalid_at(&path, 1, &reason));
    }
    save_public(paths, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use sfha_core::rotation::Rotation;
    use sfha_proto::ErrorCode;

    use super::*;

    struct Disk {
        root: tempfile::TempDir,
        keys: [PrivateKey; 3],
    }

    impl Disk {
        fn new() -> Self {
            let key = || PrivateKey::generate().unwrap();
            Self { root: tempfile::tempdir().unwrap(), keys: [key(), key(), key()] }
        }

        fn paths(&self) -> Paths {
            Paths::under(self.root.path())
        }

        fn public(&self, index: usize) -> String {
            self.keys[index].public().to_string()
        }

        /// The node in the state, its keys by number.
        fn node(&self, own: usize, next: Option<usize>, old: Option<usize>) -> StateNode {
            let public = |index: Option<usize>| index.map(|index| self.public(index));
            let rotation = Rotation { next_key: public(next), known: true, old_key: public(old) };
            StateNode {
                priority: sfha_core::resources::DEFAULT_PRIORITY,
                name: "node1".into(),
                address: "10.100.0.1".parse().unwrap(),
                public_key: Some(self.public(own)),
                endpoint: None,
                standby: false,
                lan_address: None,
                rotation,
            }
        }
    }

    #[test]
    fn whatever_was_interrupted_the_key_is_one_that_the_others_know() {
        // In private.key, in next.key; own, next and old key of the state; the key to be used.
        let table = [
            (0, None, (0, None, None), Some(0)),
            (0, Some(1), (0, None, None), Some(0)),
            (0, Some(1), (0, Some(1), None), Some(0)),
            // Committed, and killed before the rename, or after it.
            (0, Some(1), (1, None, Some(0)), Some(1)),
            (1, None, (1, None, Some(0)), Some(1)),
            // Changed, and killed before the commit was on this disk.
            (1, None, (0, Some(1), None), Some(1)),
            // The prepared key was lost, or is another one.
            (0, None, (1, None, Some(0)), Some(0)),
            (0, Some(2), (1, None, Some(0)), Some(0)),
            (2, None, (0, Some(1), None), None),
            (2, Some(0), (1, None, None), None),
        ];
        for (line, (private, prepared, (own, next, old), used)) in table.into_iter().enumerate() {
            let disk = Disk::new();
            let paths = disk.paths();
            save_keys(&paths, &disk.keys[private]).unwrap();
            if let Some(prepared) = prepared {
                save_next_key(&paths, &disk.keys[prepared]).unwrap();
            }
            let node = disk.node(own, next, old);
            let found = own_key(&paths, &node);
            let Some(used) = used else {
                let failure = found.unwrap_err();
                assert_eq!(failure.code, ErrorCode::FileInvalid, "line {line}");
                assert_eq!(failure.details["path"], paths.private_key().display().to_string());
                continue;
            };
            assert_eq!(found.unwrap().public().to_string(), disk.public(used), "line {line}");
            let on_disk = fs::read_to_string(paths.public_key()).unwrap();
            assert_eq!(on_disk.trim(), disk.public(used), "line {line}");
            assert_eq!(load_private_key(&paths).unwrap().unwrap().public().to_string(), disk.public(used));
            let mode = fs::metadata(paths.private_key()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "line {line}");
            // And again.
            assert_eq!(own_key(&paths, &node).unwrap().public().to_string(), disk.public(used));
        }
    }

    #[test]
    fn a_change_that_was_broken_off_after_the_rename_has_its_public_key_repaired() {
        let disk = Disk::new();
        let paths = disk.paths();
        save_keys(&paths, &disk.keys[0]).unwrap();
        save_next_key(&paths, &disk.keys[1]).unwrap();
        files::rename(&paths.next_key(), &paths.private_key()).unwrap();
        own_key(&paths, &disk.node(1, None, Some(0))).unwrap();
        assert_eq!(fs::read_to_string(paths.public_key()).unwrap().trim(), disk.public(1));
    }

    #[test]
    fn a_damaged_key_gives_way_to_the_one_that_is_committed() {
        let disk = Disk::new();
        let paths = disk.paths();
        save_next_key(&paths, &disk.keys[1]).unwrap();
        files::write_atomic(&paths.private_key(), b"torn", 0o644).unwrap();
        let used = own_key(&paths, &disk.node(1, None, Some(0))).unwrap();
        assert_eq!(used.public().to_string(), disk.public(1));
        assert!(load_next_key(&paths).unwrap().is_none());
        assert_eq!(load_private_key(&paths).unwrap().unwrap().public().to_string(), disk.public(1));
    }

    #[test]
    fn key_files_that_are_damaged_or_open_are_refused_and_stay() {
        let secret = PrivateKey::generate().unwrap().to_base64();
        let whole = format!("{}\n", &*secret);
        let cases: [(&[u8], u32, ErrorCode); 6] = [
            (b"", 0o600, ErrorCode::FileInvalid),
            (&whole.as_bytes()[..20], 0o600, ErrorCode::FileInvalid),
            (b"\xff\xfe", 0o600, ErrorCode::FileInvalid),
            (whole.as_bytes(), 0o640, ErrorCode::FileMode),
            (whole.as_bytes(), 0o604, ErrorCode::FileMode),
            (whole.as_bytes(), 0o620, ErrorCode::FileMode),
        ];
        for (content, mode, code) in cases {
            for pick in [Paths::private_key, Paths::next_key] {
                let disk = Disk::new();
                let path = pick(&disk.paths());
                files::write_atomic(&path, content, mode).unwrap();
                let failure = load(&path).unwrap_err();
                assert_eq!(failure.code, code);
                assert_eq!(failure.details["path"], path.display().to_string());
                assert!(!failure.to_string().contains(&secret[..12]), "{failure}");
                assert_eq!(fs::read(&path).unwrap(), content);
            }
        }
    }
}
