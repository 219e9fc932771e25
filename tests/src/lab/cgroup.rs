//! Control groups: they name all processes of a node, whoever started them, so that these can be frozen and
//! killed at once. Both only need version 2, which a host with the old hierarchies mounts beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::wait::wait_until;

/// Where the hierarchies are mounted.
struct Hierarchies {
    unified: PathBuf,
    /// `name=systemd` of a host with version 1: `systemd-nspawn` places the node where it finds itself in it.
    named: Option<PathBuf>,
}

fn hierarchies() -> Option<Hierarchies> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let rows: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
    let mounted = |wanted: &dyn Fn(&[&str]) -> bool| {
        rows.iter().find(|row| row.len() > 3 && wanted(row)).map(|row| PathBuf::from(row[1]))
    };
    Some(Hierarchies {
        unified: mounted(&|row| row[2] == "cgroup2")?,
        named: mounted(&|row| row[2] == "cgroup" && row[3].split(',').any(|option| option == "name=systemd")),
    })
}

/// Fails where control groups of version 2 are not mounted or cannot kill.
pub(crate) fn check() -> Result<()> {
    let found = hierarchies().context("no cgroup2 file system is mounted")?;
    let probe = found.unified.join("sfha-lab");
    fs::create_dir_all(&probe).with_context(|| format!("cannot make {}", probe.display()))?;
    fs::metadata(probe.join("cgroup.kill")).context("this kernel has no cgroup.kill (Linux 5.14)")?;
    Ok(())
}

/// One control group, in every hierarchy that matters.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    unified: PathBuf,
    named: Option<PathBuf>,
}

impl Cgroup {
    /// The group at `path` below the roots of the hierarchies; it need not exist.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let found = hierarchies().context("no cgroup2 file system is mounted")?;
        Ok(Self { unified: found.unified.join(path), named: found.named.map(|root| root.join(path)) })
    }

    /// A group inside this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self { unified: self.unified.join(name), named: self.named.as_ref().map(|path| path.join(name)) }
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.unified).chain(&self.named)
    }

    pub(crate) fn create(&self) -> Result<()> {
        for path in self.paths() {
            fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    /// A command that becomes a member of this group before it runs `program`. The shell in between is what
    /// stands still when the group is stopped: a child that stopped before its exec would stop its parent too.
    pub(crate) fn command(&self, program: &str) -> Command {
        let script: String =
            self.paths().map(|path| format!("echo 0 >{}/cgroup.procs && ", path.display())).collect();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{script}exec \"$@\""), "sh", program]);
        command
    }

    /// SIGKILL to every process of the group and of the groups inside it, frozen or not.
    pub(crate) fn kill(&self) -> Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// Stops all processes of the group where they are, or lets them go on; returns when that is done.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        self.write("cgroup.freeze", if frozen { "1" } else { "0" })?;
        let wanted = format!("frozen {}", u8::from(frozen));
        wait_until(&format!("{wanted} in {}", self.unified.display()), Duration::from_secs(5), || {
            self.events().lines().any(|line| line == wanted)
        })?;
        Ok(())
    }

    /// Whether any process of the group lives; a group that does not exist has none.
    pub(crate) fn is_populated(&self) -> bool {
        self.events().lines().any(|line| line == "populated 1")
    }

    /// Whether the group is stopped.
    pub(crate) fn is_frozen(&self) -> bool {
        self.events().lines().any(|line| line == "frozen 1")
    }

    /// Removes the group and those inside it as far as they are empty.
    pub(crate) fn remove(&self) {
        for path in self.paths() {
            remove_tree(path);
        }
    }

    /// The groups directly inside this one.
    pub(crate) fn children(&self) -> Vec<String> {
        let mut names: Vec<String> = self.paths().flat_map(|path| folders(path)).collect();
        names.sort();
        names.dedup();
        names
    }

    fn events(&self) -> String {
        fs::read_to_string(self.unified.join("cgroup.events")).unwrap_or_default()
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.unified.join(file);
        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn remove_tree(path: &Path) {
    for name in folders(path) {
        remove_tree(&path.join(name));
    }
    // A group with a process that is still dying stays; whoever reaps next takes it along.
    let _ = fs::remove_dir(path);
}
