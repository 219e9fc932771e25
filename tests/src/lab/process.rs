//! Running programs of this machine, and telling one process from a later one with the same id.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::cgroup::Cgroup;

/// After a program ended: how long its output is still collected when a child of it keeps the pipe open.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// How a program ended and what it printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit status; a program killed by a signal has 128 + that signal, as in a shell.
    pub code: i32,
    /// What it printed, invalid UTF-8 replaced.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Output {
    /// True for exit status 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output of a program that succeeded; otherwise an error with everything it printed.
    pub fn ok(self) -> Result<String> {
        if !self.success() {
            bail!("exit status {}: {}{}", self.code, self.stdout, self.stderr.trim_end());
        }
        Ok(self.stdout)
    }

    /// Standard output as one JSON document, whatever the exit status.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("exit status {}, not JSON: {}{}", self.code, self.stdout, self.stderr))
    }
}

/// Runs a program of the host to its end and returns its standard output.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String> {
    run_with_input(program, args, "")
}

/// As [`run`], with `input` on standard input.
pub(crate) fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C.UTF-8");
    output_within(&mut command, input, Duration::from_secs(120), None)
        .and_then(Output::ok)
        .with_context(|| format!("{program} {}", args.join(" ")))
}

/// Runs a command to its end, but not beyond `timeout`: then it is killed, with all in its group where it has
/// one of its own, and the result is an error.
pub(crate) fn output_within(
    command: &mut Command,
    input: &str,
    timeout: Duration,
    group: Option<&Cgroup>,
) -> Result<Output> {
    let start = Instant::now();
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("the program did not start")?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait_within(&mut child, timeout)?;
    let elapsed = start.elapsed();
    if status.is_none() {
        group.map_or(Ok(()), Cgroup::kill)?;
        child.kill()?;
        child.wait()?;
    }
    let grace = Instant::now() + OUTPUT_GRACE;
    let (stdout, stderr) = (text(&stdout, grace), text(&stderr, grace));
    let Some(status) = status else {
        let timeout = humantime::format_duration(timeout);
        bail!("not done after {timeout}: {stdout}{}", stderr.trim_end());
    };
    Ok(Output { code: code_of(status), stdout, stderr, elapsed })
}

/// The exit status as a shell gives it.
pub(crate) fn code_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Waits for the end of `child` without a moment's delay once it has come; `None` when `timeout` passed first.
pub(crate) fn wait_within(child: &mut Child, timeout: Duration) -> Result<Option<ExitStatus>> {
    // SAFETY: the call takes two numbers; the descriptor it returns belongs to nobody else.
    let pidfd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(child.id()), 0);
        if fd < 0 {
            return Err(std::io::Error::last_os_error()).context("pidfd_open");
        }
        OwnedFd::from_raw_fd(i32::try_from(fd)?)
    };
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, wait) {
            Ok(0) if Instant::now() >= deadline => return Ok(None),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(Some(child.wait()?)),
            Err(error) => return Err(error).context("poll on a pidfd"),
        }
    }
}

type Chunks = mpsc::Receiver<Vec<u8>>;

fn collect(pipe: Option<impl Read + Send + 'static>) -> Chunks {
    let (tx, rx) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if tx.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    rx
}

fn text(chunks: &Chunks, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while let Ok(chunk) = chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        bytes.extend(chunk);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process id together with the start time that makes it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId {
    /// The process id on this machine.
    pub pid: u32,
    /// Clock ticks from the machine's boot to the process's start.
    pub started: u64,
}

impl ProcessId {
    /// The process running under `pid` now, unless there is none or it only waits to be reaped.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses, which may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, started: 0 })
    }

    /// Whether that very process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Reads what [`Display`](std::fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }
}

impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_id() {
        let me = ProcessId::current();
        assert!(me.is_alive());
        assert!(!ProcessId { started: me.started + 1, ..me }.is_alive());
        assert_eq!(ProcessId::parse(&me.to_string()), Some(me));
    }

    #[test]
    fn a_program_that_hangs_is_killed_at_the_deadline() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo begun; exec sleep 100"]);
        let error = output_within(&mut command, "", Duration::from_millis(200), None).unwrap_err();
        assert!(error.to_string().contains("begun"), "{error}");
    }

    #[test]
    fn a_background_child_that_keeps_the_pipe_open_delays_nobody() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 3 & echo done"]);
        let output = output_within(&mut command, "", Duration::from_secs(60), None).unwrap();
        assert_eq!(output.stdout, "done\n");
        assert!(output.elapsed < Duration::from_secs(1), "{output:?}");
    }
}
