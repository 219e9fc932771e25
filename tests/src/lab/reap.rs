//! Who holds a lab, and removing those that nobody holds any more.
//!
//! A lab's folder names its owner: the process that made it, with its start time. A killed test cannot clean
//! up; whoever makes the next lab does it for him. Everything a lab has outside its folder is found by names
//! that follow from the lab's own, so that removal needs nothing but the name and can itself be interrupted
//! and repeated: the folder goes last.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};

use super::cgroup::Cgroup;
use super::netns;
use super::place::{Place, ROOT};
use super::process::{ProcessId, run};
use super::wait::wait_until;

/// Held while labs are made or reaped; the kernel drops it with the process.
#[derive(Debug)]
pub(crate) struct GlobalLock(#[allow(dead_code)] Flock<File>);

impl GlobalLock {
    /// Waits for every other process that makes or removes a lab.
    pub(crate) fn take() -> Result<Self> {
        fs::create_dir_all(ROOT).with_context(|| format!("cannot make {ROOT}"))?;
        let path = Path::new(ROOT).join(".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
        Ok(Self(lock))
    }
}

/// The process that holds the lab at `place`, if it is alive.
pub fn owner(place: &Place) -> Option<ProcessId> {
    let text = fs::read_to_string(place.owner_file()).ok()?;
    ProcessId::parse(&text).filter(|owner| owner.is_alive())
}

/// The labs that have a folder, held or not.
pub fn labs() -> Vec<Place> {
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    let mut places: Vec<_> =
        entries.filter_map(|entry| Place::new(&entry.file_name().to_string_lossy()).ok()).collect();
    places.sort_by(|a, b| a.name().cmp(b.name()));
    places
}

/// Removes every lab whose owner is dead and returns their names.
pub fn reap() -> Result<Vec<String>> {
    reap_locked(&GlobalLock::take()?)
}

pub(crate) fn reap_locked(_lock: &GlobalLock) -> Result<Vec<String>> {
    let mut reaped = Vec::new();
    for place in labs() {
        if owner(&place).is_none() {
            tear_down(&place).with_context(|| format!("cannot remove the lab {}", place.name()))?;
            reaped.push(place.name().to_owned());
        }
    }
    // What a child of a killed process still made after the lab was removed.
    for name in stray_names()? {
        if let Ok(place) = Place::new(&name)
            && !place.dir().exists()
        {
            tear_down(&place)?;
        }
    }
    Ok(reaped)
}

/// The labs that have anything outside their folders.
fn stray_names() -> Result<BTreeSet<String>> {
    let parts = netns::list("sfha.");
    let from_parts =
        parts.iter().filter_map(|part| Some(part.strip_prefix("sfha.")?.rsplit_once('.')?.0.to_owned()));
    Ok(Cgroup::at(Path::new("sfha-lab"))?.children().into_iter().chain(from_parts).collect())
}

/// Removes all there is of a lab, whatever state it is in.
pub(crate) fn tear_down(place: &Place) -> Result<()> {
    let group = Cgroup::at(&place.cgroup())?;
    if group.is_populated() {
        group.kill()?;
        // The kernel may be slow to bury them; what it still holds is out of everybody's way by then.
        let _ =
            wait_until("the end of the lab's processes", Duration::from_secs(5), || !group.is_populated());
    }
    for name in netns::list(&place.prefix()) {
        netns::delete(&name)?;
    }
    group.remove();
    for part in propagation_folders(&place.prefix()) {
        let _ = fs::remove_dir(part);
    }
    let dir = place.dir();
    if is_mount_point(&dir) {
        // First as `umount -R` does it, node by node, so that nothing hangs on; then whatever is left, lazily.
        run("umount", &["-R", "-l", &dir.to_string_lossy()])?;
    }
    while is_mount_point(&dir) {
        umount2(&dir, MntFlags::MNT_DETACH).with_context(|| format!("cannot unmount {}", dir.display()))?;
    }
    if dir.exists() {
        // Not with what is in it: all of that was in the tmpfs, and what shows through a mount is not the lab's.
        fs::remove_dir(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

/// `systemd-nspawn` leaves one folder a machine behind when it is killed.
fn propagation_folders(prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir("/run/systemd/nspawn/propagate").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}

fn is_mount_point(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|mounted| Path::new(mounted) == path))
}
