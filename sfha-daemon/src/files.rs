//! Reading and writing the files of a node: atomically, bounded, with their modes.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use sfha_proto::{ErrorCode, Failure};
use zeroize::Zeroizing;

/// Largest file of ours that is read, in bytes: yaml_serde is slow on hostile input.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Replaces a file: temporary file in the same folder, fsync, rename, fsync of the folder. Whatever is
/// interrupted, the old or the new content is there, whole.
///
/// # Errors
/// `file-write` with the path and the cause.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    try_write(path, content, mode).map_err(|error| write_failed(path, &error))
}

fn try_write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".sfha-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    // The mode above is subject to the umask; this is not.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Writes only when the content differs; says whether it did.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_if_changed(path: &Path, content: &[u8], mode: u32) -> Result<bool, Failure> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    write_atomic(path, content, mode).map(|()| true)
}

/// Reads a text file of ours; `None` when it is not there.
///
/// # Errors
/// `file-invalid` when it is too large, not UTF-8, or cannot be read.
pub fn read_text(path: &Path) -> Result<Option<String>, Failure> {
    let Some(bytes) = read_bytes(path)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        invalid_at(path, line, "not UTF-8")
    })?;
    Ok(Some(text.to_owned()))
}

/// Reads a secret file of ours; `None` when it is not there.
///
/// # Errors
/// `file-mode` when others than its owner can read it; otherwise as [`read_text`].
pub fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(invalid(path, &error.to_string())),
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            return Err(Failure::new(ErrorCode::FileMode)
                .with("path", path.display().to_string())
                .with("mode", format!("{:04o}", meta.mode() & 0o7777))
                .with("wanted", "0600"));
        }
        Ok(_) => {}
    }
    read_bytes(path)
}

/// Reads a file of ours whatever is in it; `None` when it is not there.
///
/// # Errors
/// `file-invalid` when it is too large or cannot be read.
pub fn read_bytes(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(invalid(path, &error.to_string())),
        Ok(file) => file,
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| invalid(path, &error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(invalid(path, "too large"));
    }
    Ok(Some(bytes))
}

/// The permissions of a file, if it is there.
#[must_use]
pub fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|meta| meta.mode() & 0o7777)
}

/// `file-write` with the path and the cause.
#[must_use]
pub fn write_failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorCode::FileWrite)
        .with("path", path.display().to_string())
        .with("cause", error.to_string())
}

/// Renames a file within its folder, over another one, and has that on disk.
///
/// # Errors
/// `file-write`.
pub fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().ok_or_else(|| io::Error::other("the path has no folder"));
    let done = folder.and_then(|folder| {
        fs::rename(from, to)?;
        File::open(folder)?.sync_all()
    });
    done.map_err(|error| write_failed(to, &error))
}

/// The line, counted from 1, of a key in a YAML or JSON file with one key a line: that of the last of these keys,
/// each looked for after the one before. The first line if it is not there.
#[must_use]
pub fn line_of(text: &str, keys: &[&str]) -> usize {
    let mut lines = text.lines().enumerate();
    let mut found = 0;
    for key in keys {
        let holds = |line: &str| {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || "{\"".contains(c));
            let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches('"').trim_start());
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        match lines.find(|(_, line)| holds(line)) {
            Some((index, _)) => found = index,
            None => return 1,
        }
    }
    found + 1
}

/// `file-invalid` for the form of a file that a later program wrote.
#[must_use]
pub fn unknown_version(path: &Path, text: &str, key: &str, version: u32) -> Failure {
    let line = line_of(text, &[key]);
    invalid_at(path, line, &format!("{key} {version} is not known to this program"))
}

/// Removes a file that may not be there.
///
/// # Errors
/// `file-write`.
pub fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_failed(path, &error)),
        _ => Ok(()),
    }
}

/// `file-invalid` without a line.
#[must_use]
pub fn invalid(path: &Path, reason: &str) -> Failure {
    Failure::new(ErrorCode::FileInvalid).with("path", path.display().to_string()).with("reason", reason)
}

/// `file-invalid` at a line, counted from 1.
#[must_use]
pub fn invalid_at(path: &Path, line: usize, reason: &str) -> Failure {
    invalid(path, reason).with("line", line)
}

/// Reads YAML; an error says line and column.
///
/// # Errors
/// `file-invalid`.
pub fn parse_yaml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, Failure> {
    serde_yaml::from_str(text).map_err(|error| {
        let failure = invalid(path, &error.to_string());
        match error.location() {
            Some(at) => failure.with("line", at.line()).with("column", at.column()),
            None => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn an_unchanged_file_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(write_if_changed(&path, b"x", 0o644).unwrap());
        assert!(!write_if_changed(&path, b"x", 0o644).unwrap());
        assert!(write_if_changed(&path, b"y", 0o644).unwrap());
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read_secret(&path).unwrap(), None);
        write_atomic(&path, b"secret", 0o640).unwrap();
        let failure = read_secret(&path).unwrap_err();
        assert_eq!(failure.code, ErrorCode::FileMode);
        assert!(!failure.to_string().contains("secret"));
        write_atomic(&path, b"secret", 0o600).unwrap();
        assert_eq!(read_secret(&path).unwrap().unwrap().as_slice(), b"secret");
    }

    #[test]
    fn a_broken_yaml_file_is_reported_with_its_line() {
        #[derive(Debug, serde::Deserialize)]
        struct Any {
            #[allow(dead_code)]
            name: String,
        }
        let failure = parse_yaml::<Any>(Path::new("/x.yml"), "name: ok\nname2: [1\n").unwrap_err();
        assert_eq!(failure.code, ErrorCode::FileInvalid);
        assert!(failure.details["line"].as_u64().unwrap() >= 2, "{failure}");
    }
}
