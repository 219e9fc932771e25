//! What the lab needs of this machine, asked before anything is touched.

use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use super::cgroup;

/// A program the lab or its nodes run, and the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("systemd-nspawn", "systemd-container"),
    ("systemctl", "systemd"),
    ("dbus-daemon", "dbus-daemon"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("ping", "iputils-ping"),
    ("umount", "mount"),
    ("dpkg", "dpkg"),
    ("corosync", "corosync"),
];

const FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Fails with one sentence naming everything that is missing, so that a single visit to `apt` is enough.
pub fn check() -> Result<()> {
    if !geteuid().is_root() {
        bail!("the lab makes namespaces and mounts: run it as root");
    }
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        bail!(
            "missing {}: apt-get install --no-install-recommends {}",
            programs.join(", "),
            packages.join(" ")
        );
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!("/dev/net/tun is missing: the userspace WireGuard device of the nodes needs it");
    }
    cgroup::check()
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}
