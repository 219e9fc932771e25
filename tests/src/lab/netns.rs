//! Network namespaces: making, removing, entering.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::process::{run, run_with_input};
use super::reap::GlobalLock;

const FOLDER: &str = "/run/netns";

/// The file that keeps the namespace `name`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Makes a namespace with its loopback device up. The very first one on a machine mounts a folder, in which
/// two at once get in each other's way: hence the lock.
pub(crate) fn add(name: &str, _lock: &GlobalLock) -> Result<()> {
    run("ip", &["netns", "add", name])?;
    ip(name, "link set lo up")
}

/// Removes the name; the namespace itself lives as long as a process or socket is in it.
pub(crate) fn delete(name: &str) -> Result<()> {
    if path(name).exists() { run("ip", &["netns", "del", name]).map(drop) } else { Ok(()) }
}

/// All namespaces whose name begins with `prefix`.
pub(crate) fn list(prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(prefix))
        .collect()
}

/// Runs `ip` inside the namespace, one command a line.
pub(crate) fn ip(name: &str, commands: &str) -> Result<()> {
    run_with_input("ip", &["-n", name, "-batch", "-"], commands)
        .with_context(|| commands.to_owned())
        .map(drop)
}

/// Runs `nft` inside the namespace on a script, which is applied as a whole or not at all.
pub(crate) fn nft(name: &str, script: &str) -> Result<()> {
    let net = format!("--net={}", path(name).display());
    run_with_input("nsenter", &[&net, "nft", "-f", "-"], script).with_context(|| script.to_owned()).map(drop)
}

/// Takes a link up or down, in well under a millisecond: a fault has a moment at which it happens.
pub(crate) fn set_link(name: &str, link: &str, up: bool) -> Result<()> {
    let link = link.to_owned();
    let label = format!("link {link} in {name}");
    within(name, move || change_flags(&link, up)).context(label)
}

fn change_flags(link: &str, up: bool) -> Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(link.len() < libc::IFNAMSIZ, "a link's name is shorter than {}", libc::IFNAMSIZ);
    for (to, from) in request.ifr_name.iter_mut().zip(link.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: both calls get a whole ifreq, of which the kernel writes and reads the flags.
    unsafe {
        Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request))?;
        let flag = libc::IFF_UP as libc::c_short;
        let flags = &mut request.ifr_ifru.ifru_flags;
        *flags = if up { *flags | flag } else { *flags & !flag };
        Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request))?;
    }
    Ok(())
}

/// Takes this thread into the namespace, for good: only for threads that end there.
pub(crate) fn enter(name: &str) -> Result<()> {
    let file = File::open(path(name)).with_context(|| format!("no network namespace {name}"))?;
    setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {name}"))
}

/// Runs `work` in a thread inside the namespace: a socket that it returns stays there.
pub(crate) fn within<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let name = name.to_owned();
    let thread = thread::spawn(move || {
        enter(&name)?;
        work()
    });
    thread.join().map_err(|_| anyhow!("a thread in a network namespace panicked"))?
}
