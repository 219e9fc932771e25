//! A bare Debian 12: what a server is before anybody has installed anything on it. It has no network in a lab, so
//! the packages that ours brings along are in apt's cache, as they are after a download.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

/// A server boots with systemd, and has D-Bus.
const INSTALLED: &str = "systemd-sysv,dbus";

/// In apt's cache: what our package depends on, and what shows its pages and completions.
const CACHED: &str = "corosync man-db bash-completion";

/// Its root, made once by `mmdebstrap` from Debian's archive and kept in this folder.
pub fn bare_debian(kept: &Path) -> Result<PathBuf> {
    let root = kept.join("debian-12");
    fs::create_dir_all(kept).with_context(|| kept.display().to_string())?;
    // Several tests want it at once.
    let lock = File::create(kept.join("debian-12.lock"))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    if root.exists() {
        return Ok(root);
    }
    let new = kept.join("debian-12.new");
    if new.exists() {
        fs::remove_dir_all(&new).with_context(|| new.display().to_string())?;
    }
    let download = format!(
        "export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG; apt-get clean; apt-get install --yes --download-only {CACHED}"
    );
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--skip=cleanup/apt", &format!("--include={INSTALLED}")])
        .arg(format!("--customize-hook={download}"))
        .arg("bookworm")
        .arg(&new)
        .output()
        .context("mmdebstrap is missing: make setup")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        bail!("no base system (is Debian's archive to be reached?): {said}");
    }
    fs::rename(&new, &root)?;
    Ok(root)
}
