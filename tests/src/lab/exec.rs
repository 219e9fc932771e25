//! Running commands inside a node, and reading and writing its files.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, mkdirat};

use super::cgroup::Cgroup;
use super::node::Node;
use super::process::{Output, code_of, output_within, wait_within};

/// How long a command may take where its caller does not say.
const EXEC_TIMEOUT: Duration = Duration::from_secs(120);

impl Node {
    /// Runs a command in the node as root and waits for its end, which must come within two minutes.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        self.exec_within(EXEC_TIMEOUT, command)
    }

    /// As [`exec`](Self::exec) with a deadline: the command is killed then, and the result is an error.
    pub fn exec_within(&self, timeout: Duration, command: &[&str]) -> Result<Output> {
        self.exec_with_input(timeout, command, "")
    }

    /// As [`exec_within`](Self::exec_within), with text on standard input.
    pub fn exec_with_input(&self, timeout: Duration, command: &[&str], input: &str) -> Result<Output> {
        let group = self.task_group()?;
        let result = output_within(&mut self.entering(&group, command)?, input, timeout, Some(&group));
        // What the command left running in the background keeps the group, until the node's end.
        group.remove();
        result.with_context(|| self.label(command))
    }

    /// Runs a command that must succeed and returns its standard output.
    pub fn exec_ok(&self, command: &[&str]) -> Result<String> {
        self.exec(command)?.ok().with_context(|| self.label(command))
    }

    /// Runs a shell script that must succeed and returns its standard output.
    pub fn sh(&self, script: &str) -> Result<String> {
        self.exec_ok(&["sh", "-ec", script])
    }

    /// Starts a command and lets it run; it ends with the node, or with the returned value.
    pub fn spawn(&self, command: &[&str]) -> Result<Task> {
        let group = self.task_group()?;
        let child = self.entering(&group, command)?.spawn().with_context(|| self.label(command))?;
        Ok(Task { child, group })
    }

    /// The command line that runs a command in the node, for callers with wishes about standard input and
    /// output. Killing it does not kill what it started: use [`spawn`](Self::spawn) for that.
    pub fn command(&self, command: &[&str]) -> Result<Command> {
        self.entering(&self.cgroup()?.child("exec"), command)
    }

    /// A group for one command and whatever that starts.
    fn task_group(&self) -> Result<Cgroup> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let group = self.cgroup()?.child("exec").child(&format!("{}-{number}", std::process::id()));
        group.create()?;
        Ok(group)
    }

    fn entering(&self, group: &Cgroup, command: &[&str]) -> Result<Command> {
        let mut nsenter = group.command("nsenter");
        nsenter.args(["-t", &self.pid()?.to_string(), "-a", "--"]).args(command);
        nsenter.env_clear().envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("USER", "root"),
            ("LANG", "C.UTF-8"),
            ("container", "systemd-nspawn"),
        ]);
        Ok(nsenter)
    }

    /// Becomes a command inside the node, on this very terminal. Returns only if that fails.
    pub fn become_command(&self, command: &[&str]) -> anyhow::Error {
        let terminal = std::env::var_os("TERM").unwrap_or_else(|| "dumb".into());
        match self.command(command) {
            Ok(mut line) => {
                anyhow::Error::new(line.env("TERM", terminal).exec()).context(self.label(command))
            }
            Err(error) => error,
        }
    }

    fn label(&self, command: &[&str]) -> String {
        format!("{}: {}", self.name(), command.join(" "))
    }

    /// Writes a file in the node, making the folders it is in; also while the node is off.
    pub fn write_file(&self, path: &str, content: &str) -> Result<()> {
        self.make_folders(path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let mut file = self.open(path, flags)?;
        file.write_all(content.as_bytes()).with_context(|| format!("{}: {path}", self.name()))
    }

    /// Reads a file in the node; also while the node is off, but for what is in its memory (`/run`, `/tmp`).
    pub fn read_file(&self, path: &str) -> Result<String> {
        let mut text = String::new();
        self.open(path, OFlag::O_RDONLY)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn make_folders(&self, path: &str) -> Result<()> {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let folder = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let mut parent = self.open("", folder)?;
        for (depth, part) in parts.iter().enumerate().take(parts.len().saturating_sub(1)) {
            let so_far = parts[..=depth].join("/");
            parent = match self.open(&so_far, folder) {
                Ok(found) => found,
                Err(_) => {
                    mkdirat(&parent, *part, Mode::from_bits_truncate(0o755))
                        .with_context(|| so_far.clone())?;
                    self.open(&so_far, folder)?
                }
            };
        }
        Ok(())
    }

    /// Opens a path as the node sees it: its symbolic links lead nowhere but into the node.
    fn open(&self, path: &str, flags: OFlag) -> Result<File> {
        let root = match self.pid() {
            Ok(pid) => format!("/proc/{pid}/root"),
            Err(_) => self.disk().to_string_lossy().into_owned(),
        };
        let root = open(root.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        let mode =
            if flags.contains(OFlag::O_CREAT) { Mode::from_bits_truncate(0o644) } else { Mode::empty() };
        let how =
            OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(mode).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let relative = CString::new(format!("./{}", path.trim_start_matches('/')))?;
        let file =
            openat2(root, relative.as_c_str(), how).with_context(|| format!("{}: {path}", self.name()))?;
        Ok(File::from(file))
    }
}

/// A command running in a node; dropping it kills the command and whatever that started.
#[derive(Debug)]
pub struct Task {
    child: Child,
    group: Cgroup,
}

impl Task {
    /// Waits for its end and returns the exit status; `None` when `timeout` passed first.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<i32>> {
        Ok(wait_within(&mut self.child, timeout)?.map(code_of))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it.
    pub fn kill(self) {}
}

impl Drop for Task {
    fn drop(&mut self) {
        // First the child, which may only just be about to join the group; once it is dead, everything that
        // it started is in there. The group is gone already when the lab went first.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.group.kill();
        self.group.remove();
    }
}
