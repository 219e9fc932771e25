//! The last good version of the files that people edit, or that a failing disk may damage.
//!
//! Kept when a node's files have all been read and make sense; never read by sfha. Who finds a file damaged
//! is told where its copy is.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

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

/// Keeps them as they are now, where they differ. One that cannot be kept costs nothing else.
pub fn keep(paths: &Paths) {
    for (original, mode) in originals(paths) {
        let kept = match (files::read_text(&original), copy_of(paths, &original)) {
            (Ok(Some(text)), Some(copy)) => {
                // Whoever hid the original, for a secret in it, wants the copy hidden.
                let mode = std::fs::metadata(&original).map_or(0o600, |meta| meta.mode() & mode);
                files::write_if_changed(&copy, text.as_bytes(), mode).map(drop)
            }
            (Err(failure), _) => Err(failure),
            _ => Ok(()),
        };
        if let Err(failure) = kept {
            warn!(%failure, "no backup");
        }
    }
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
