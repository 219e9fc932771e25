//! A node's processes as this machine sees them: they are its own.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::Node;

/// The process of a node that has this id inside it.
pub(crate) fn pid_of(node: &Node, inside: u32) -> Result<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid"));
    let wanted = namespace(node.pid()?).context("the node's process ids")?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Any process may end while it is looked at.
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let is_it = ids.split_whitespace().next_back() == Some(&inside.to_string());
        if is_it && namespace(pid).is_ok_and(|found| found == wanted) {
            return Ok(pid);
        }
    }
    bail!("{} has no process {inside}", node.name())
}

/// What a process takes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident set, in bytes.
    pub rss: u64,
    /// Proportional set: shared pages counted in parts, in bytes.
    pub pss: u64,
    /// Processor time since its start, in user and kernel together.
    pub cpu: Duration,
}

/// What a process takes, by its id on this machine.
pub fn usage(pid: u32) -> Result<Usage> {
    let read = |file: &str| {
        fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("{pid} {file}"))
    };
    let rollup = read("smaps_rollup")?;
    let bytes = |name: &str| -> Result<u64> {
        let line =
            rollup.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().with_context(|| name.to_owned())?;
        Ok(kib * 1024)
    };
    // Nanoseconds on the processor: the ticks of `stat` are too coarse for a daemon that hardly runs. Each
    // thread has its own.
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
    }
    Ok(Usage { rss: bytes("Rss:")?, pss: bytes("Pss:")?, cpu: Duration::from_nanos(nanoseconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.rss >= usage.pss && usage.pss > 1 << 16, "{usage:?}");
        assert!(usage.cpu > Duration::ZERO);
    }
}
