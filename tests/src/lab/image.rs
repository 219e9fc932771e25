//! The disk of the nodes: this machine's own file system, or another one, under a layer that all nodes share (units masked,
//! cluster configuration removed, packages installed) and a layer of each node's own. The layers are in the
//! lab's tmpfs: they survive a node's power cut and cost nothing.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::place::Place;
use super::process::output_within;

/// Units that the host may have and that nothing in a node wants. What is merely enabled on the host is
/// switched off with the `.wants` folders; these start by themselves or would, if somebody asked for them.
const MASKED_UNITS: &[&str] = &[
    "systemd-logind.service",
    "getty.target",
    "console-getty.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-journald-audit.socket",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-random-seed.service",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
    "networking.service",
    "ssh.service",
    "ssh.socket",
    "cron.service",
    "rsyslog.service",
    "postgresql.service",
    "pacemaker.service",
    "keepalived.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "fstrim.timer",
    "man-db.timer",
    "logrotate.timer",
];

/// What a cluster left on the host; and the mark that makes every installation index the manual for 4 s.
const REMOVED: &[&str] = &[
    "etc/corosync/corosync.conf",
    "etc/corosync/authkey",
    "var/lib/corosync",
    "etc/sfha",
    "var/lib/sfha",
    "etc/network/interfaces.d",
    "var/log/journal",
    "var/lib/man-db/auto-update",
];

/// The journal survives a power cut, keeps everything and bothers nobody else.
const JOURNALD: &str = "[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nSystemMaxUse=256M\n\
                        SyncIntervalSec=1s\nForwardToSyslog=no\nForwardToConsole=no\nForwardToWall=no\n";

/// The layer shared by all nodes of a lab.
#[derive(Debug)]
pub(crate) struct Image {
    dir: PathBuf,
    base: PathBuf,
}

impl Image {
    /// Over the system with this root.
    pub(crate) fn of(place: &Place, base: &Path) -> Self {
        Self { dir: place.dir().join("image"), base: base.to_owned() }
    }

    /// Makes the shared layer: once a lab, so that a package is installed once for all nodes.
    pub(crate) fn build(
        &self,
        place: &Place,
        hosts: &[(Ipv4Addr, String)],
        packages: &[PathBuf],
    ) -> Result<()> {
        let root = self.dir.join("root");
        mount_overlay(&[&self.base], &self.dir)?;
        clean(&root)?;
        fs::write(root.join("etc/hosts"), hosts_file(hosts))?;
        fs::create_dir_all(root.join("etc/systemd/journald.conf.d"))?;
        fs::write(root.join("etc/systemd/journald.conf.d/lab.conf"), JOURNALD)?;
        fs::create_dir_all(root.join("var/log/journal"))?;
        fs::create_dir_all(root.join("var/lib/corosync"))?;
        for package in packages {
            install(place, &root, package)?;
        }
        umount2(&root, MntFlags::MNT_DETACH).context("cannot unmount the shared layer")
    }

    /// Mounts a node's own layer over the shared one at `dir/root`.
    pub(crate) fn mount_node(&self, dir: &Path, hostname: &str) -> Result<()> {
        mount_overlay(&[&self.dir.join("upper"), &self.base], dir)?;
        let root = dir.join("root");
        fs::write(root.join("etc/hostname"), format!("{hostname}\n"))?;
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
        fs::write(root.join("etc/machine-id"), id)?;
        remove(&root.join("var/lib/dbus/machine-id"))
    }
}

fn mount_overlay(lower: &[&Path], dir: &Path) -> Result<()> {
    for part in ["upper", "work", "root"] {
        fs::create_dir_all(dir.join(part))?;
    }
    let lower: Vec<_> = lower.iter().map(|path| path.display().to_string()).collect();
    let (lower, dir) = (lower.join(":"), dir.display());
    let options = format!("lowerdir={lower},upperdir={dir}/upper,workdir={dir}/work");
    let target = format!("{dir}/root");
    mount(Some("overlay"), target.as_str(), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .with_context(|| format!("cannot mount an overlay with {options}"))
}

fn clean(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    for entry in fs::read_dir(&units).with_context(|| format!("cannot read {}", units.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".wants") {
            remove(&entry.path())?;
        }
    }
    for level in ["rc2.d", "rc3.d", "rc4.d", "rc5.d", "rcS.d"] {
        remove(&root.join("etc").join(level))?;
    }
    for unit in MASKED_UNITS {
        remove(&units.join(unit))?;
        symlink("/dev/null", units.join(unit))?;
    }
    for path in REMOVED {
        remove(&root.join(path))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    result.with_context(|| format!("cannot remove {}", path.display()))
}

fn hosts_file(hosts: &[(Ipv4Addr, String)]) -> String {
    let lines = hosts.iter().map(|(ip, name)| format!("{ip} {name}\n"));
    ["127.0.0.1 localhost\n::1 localhost\n".to_owned()].into_iter().chain(lines).collect()
}

fn install(place: &Place, root: &Path, package: &Path) -> Result<()> {
    let copy = root.join("var/cache/lab.deb");
    fs::copy(package, &copy).with_context(|| format!("cannot read the package {}", package.display()))?;
    let mut command = Command::new("systemd-nspawn");
    command.args(["--quiet", "--register=no", "--keep-unit", "--private-users=no", "--private-network"]);
    command.args(["--settings=no", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--pipe"]);
    command.arg(format!("--machine={}", place.part("image"))).arg("-D").arg(root);
    command.args(["--setenv=DEBIAN_FRONTEND=noninteractive", "dpkg"]);
    command.args(["--force-unsafe-io", "--force-confnew", "--install", "/var/cache/lab.deb"]);
    output_within(&mut command, "", Duration::from_secs(120), None)?
        .ok()
        .with_context(|| format!("cannot install {}", package.display()))?;
    remove(&copy)
}
