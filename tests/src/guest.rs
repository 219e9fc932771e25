//! A machine with a kernel of its own, for what this machine's kernel may not have: WireGuard above all.
//!
//! ```text
//!   this machine                            the guest: Debian's kernel under QEMU
//!   disk of a lab's node,      9p,           / = the same disk, a layer in memory over it
//!   package installed     ── read-only ──▶   one command on the console, then power off
//! ```
//!
//! Its programs are this machine's and the project's build, so that a [lab](crate::lab) can be made inside it.
//! It is emulated, ten times slower than its host and without its sense of time: only for what no other kernel
//! can show, with long patience, and nothing in it is measured.
//!
//! Whatever ends the process that made it ends the guest; what it leaves is a lab's, and goes as those do.

mod cpio;
mod kernel;

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::kernel::Kernel;
use crate::lab::{Lab, LabOptions, Node};

const QEMU: &str = "qemu-system-x86_64";

/// Enough for three nodes.
const MEMORY_MIB: u32 = 2048;

/// Quiet, off after a panic, and without what costs an emulated processor most and protects nobody here. Not the
/// clock that it takes by default (on a busy machine that was measured wrong, and ran at six times its speed), and
/// no test of the timer, which fails there too.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 panic=-1 quiet mitigations=off nowatchdog audit=0 apparmor=0 \
                                rcupdate.rcu_expedited=1 tsc=unstable clocksource=hpet no_timer_check";

/// Where the guest finds what is made for it.
const FOLDER: &str = "/sfha-guest";

/// What it says at last.
const FAREWELL: &str = "sfha-guest: exit status ";

/// How much of its output an error repeats.
const LAST_LINES: usize = 30;

/// A guest that is switched off.
#[derive(Debug)]
pub struct Guest {
    lab: Lab,
    kernel: Kernel,
}

impl Guest {
    /// Makes its disk, with that package installed.
    pub fn new(label: &str, package: Option<&Path>) -> Result<Self> {
        let kernel = Kernel::find()?;
        let mut options = LabOptions::unique(label).nodes(1).switched_off();
        if let Some(package) = package {
            options = options.package(package);
        }
        let lab = Lab::up(&options)?;
        let guest = Self { lab, kernel };
        fs::write(guest.initramfs(), guest.kernel.initramfs()?)?;
        fs::create_dir(guest.path(FOLDER))?;
        guest.script("boot", include_str!("guest/boot.sh"))?;
        guest.mask_generators()?;
        Ok(guest)
    }

    fn disk(&self) -> &Node {
        self.lab.node(0)
    }

    /// Beside the disk, so that it goes when that does.
    fn initramfs(&self) -> PathBuf {
        self.disk().dir().join("initramfs")
    }

    /// A path of the guest as this machine sees it.
    fn path(&self, inside: &str) -> PathBuf {
        self.disk().disk().join(inside.trim_start_matches('/'))
    }

    /// Copies a program to its disk and returns the path there.
    pub fn install(&self, program: &Path) -> Result<String> {
        let inside = format!("{FOLDER}/program");
        fs::copy(program, self.path(&inside))
            .with_context(|| format!("cannot copy {}", program.display()))?;
        Ok(inside)
    }

    /// They start at every reload of the systemd in every node, find nothing, and take seconds under emulation.
    fn mask_generators(&self) -> Result<()> {
        let masks = self.path("/etc/systemd/system-generators");
        fs::create_dir_all(&masks)?;
        for entry in fs::read_dir("/usr/lib/systemd/system-generators").into_iter().flatten().flatten() {
            let mask = masks.join(entry.file_name());
            if fs::symlink_metadata(&mask).is_err() {
                symlink("/dev/null", mask)?;
            }
        }
        Ok(())
    }

    fn script(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(&format!("{FOLDER}/{name}"));
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Boots it, runs one command as root and returns its exit status. Every line on the console goes to
    /// `on_line` at once.
    pub fn run(&self, command: &[&str], limit: Duration, on_line: impl FnMut(&str)) -> Result<i32> {
        match self.watch(command, limit, on_line)? {
            (Some(status), _) => Ok(status),
            (None, last) => bail!("the guest ended before its time; it said last:\n{last}"),
        }
    }

    /// The same for a command in whose course the guest is reset.
    pub fn run_until_reset(
        &self,
        command: &[&str],
        limit: Duration,
        on_line: impl FnMut(&str),
    ) -> Result<()> {
        match self.watch(command, limit, on_line)? {
            (None, _) => Ok(()),
            (Some(status), last) => bail!("the guest ended in order, with {status}; it said last:\n{last}"),
        }
    }

    /// The exit status, if it came to that, and the end of what was on the console.
    fn watch(
        &self,
        command: &[&str],
        limit: Duration,
        mut on_line: impl FnMut(&str),
    ) -> Result<(Option<i32>, String)> {
        let deadline = Instant::now() + limit;
        let mut machine = Machine(self.boot(command, Stdio::null(), Stdio::piped())?);
        let lines = read_lines(&mut machine.0);
        let mut last = VecDeque::new();
        let status = loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    on_line(&line);
                    if let Some(status) = line.strip_prefix(FAREWELL) {
                        break Some(status.parse().with_context(|| line.clone())?);
                    }
                    last.push_back(line);
                    if last.len() > LAST_LINES {
                        last.pop_front();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = machine.0.wait()?;
                    ensure!(ended.success(), "{QEMU} failed: {ended}");
                    break None;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let limit = humantime::format_duration(limit);
                    bail!("the guest was not done after {limit}; it said last:\n{}", text(&last));
                }
            }
        };
        Ok((status, text(&last)))
    }

    /// Boots it and runs one command on this terminal.
    pub fn run_here(&self, command: &[&str]) -> Result<()> {
        let mut machine = Machine(self.boot(command, Stdio::inherit(), Stdio::inherit())?);
        machine.0.wait()?;
        Ok(())
    }

    fn boot(&self, command: &[&str], stdin: Stdio, stdout: Stdio) -> Result<Child> {
        let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        self.script("command", &format!("#!/bin/sh\nexec {}\n", words.join(" ")))?;
        let mut qemu = Command::new(QEMU);
        // Always emulated: a /dev/kvm that is there need not work, and whoever has one runs the same as CI.
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", &MEMORY_MIB.to_string()]);
        qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(self.kernel.image()).arg("-initrd").arg(self.initramfs());
        qemu.args(["-append", KERNEL_ARGUMENTS, "-virtfs"]);
        qemu.arg(format!(
            "local,path={},mount_tag=disk,security_model=passthrough,readonly=on,multidevs=remap",
            self.disk().disk().display()
        ));
        qemu.stdin(stdin).stdout(stdout);
        // SAFETY: prctl(2) is all that happens between fork and exec.
        unsafe {
            qemu.pre_exec(|| {
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(Into::into)
            });
        }
        qemu.spawn().with_context(|| format!("cannot start {QEMU}: apt-get install qemu-system-x86"))
    }
}

/// A guest that runs; dropping it is pulling the plug.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(lines: &VecDeque<String>) -> String {
    lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn read_lines(child: &mut Child) -> Receiver<String> {
    let (tx, rx) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut bytes = Vec::new();
            while let Ok(1..) = reader.read_until(b'\n', &mut bytes) {
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                if tx.send(line).is_err() {
                    break;
                }
            }
        });
    }
    rx
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_for_a_shell() {
        let word = "it's $HOME; \"x\"";
        let output =
            Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), word);
    }
}
