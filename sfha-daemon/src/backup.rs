//! The last good version of the files that people edit, or that a failing disk may damage.
//!
//! Kept when a node's files have all been read and make sense; never read by sfha. Who finds a file damaged
//! is told where its copy is.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use sfha_config::{Context, check};
use sfha_proto::{ErrorCode, Failure};
use tracing::warn;

use crate::files;
use crate::paths::Paths;

fn originals(paths: &Paths) -> [(PathBuf, u32); 3] {
    [(paths.config(), 0o644), (paths.mesh(), 0o644), (paths.state(), 0o600)]
}

fn copy_of(paths: &Paths, original: &std::path::Path) -> Option<PathBuf> {
    Some(paths.backup().join(original.file_name()?))
}

/// Keeps them as they are now, where they differ. One that cannot be kept costs nothing else; a
/// `config.yml` with faults is no good version, although a node can live with it.
pub fn keep(paths: &Paths) {
    for (original, mode) in originals(paths) {
        let (Some(copy), text) = (copy_of(paths, &original), files::read_text(&original)) else { continue };
        let kept = match text {
            Ok(Some(text)) if original != paths.config() || is_valid(&text) => {
                // Whoever hid the original, for a secret in it, wants the copy hidden.
                let mode = std::fs::metadata(&original).map_or(0o600, |meta| meta.mode() & mode);
                files::write_if_changed(&copy, text.as_bytes(), mode).map(drop)
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = kept {
            warn!(%failure, "no backup");
        }
    }
}

fn is_valid(text: &str) -> bool {
    check(text, &Context::default()).valid().is_some()
}

/// Adds to a failure where the last good version of its file is.
#[must_use]
pub fn mention(paths: &Paths, failure: Failure) -> Failure {
    if failure.code != ErrorCode::FileInvalid {
        return failure;
    }
    let path = failure.details.get("path").and_then(|path| path.as_str()).map(PathBuf::from);
    let original = path.filter(|path| originals(paths).iter().any(|(original, _)| original == path));
    match original.and_then(|original| copy_of(paths, &original)).filter(|copy| copy.exists()) {
        Some(copy) => failure.with("backup", copy.display().to_string()),
        None => failure,
    }
}
