//! Which package the nodes get.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// The package that `make` names in `SFHA_DEB`; without that, the newest that `make lab-deb` has built.
pub fn package() -> Result<PathBuf> {
    if let Some(file) = std::env::var_os("SFHA_DEB").filter(|file| !file.is_empty()) {
        return Ok(file.into());
    }
    let folder = target_folder().join("lab-deb");
    let built =
        |file: &PathBuf| file.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .max_by_key(built)
        .with_context(|| format!("no package in {}: `make lab-deb` builds one", folder.display()))
}

fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "..", "target"].iter().collect())
}
