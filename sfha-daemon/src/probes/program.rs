//! Asks a program: it ends with 0, or something is wrong. No shell is between.
//!
//! It has a process group of its own, and that is killed when it is over, whatever ended it: what it started in
//! the background does not stay, as far as it did not leave the group.

use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tracing::{debug, warn};

/// What it may write to its standard error before the rest is thrown away, in bytes: for the log.
const OUTPUT_LIMIT: usize = 1024;

/// The daemon's own would tell it about the daemon (`NOTIFY_SOCKET`), and be another one when run by hand.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs it once. Dropped, it is killed.
pub async fn ask(command: &[String]) -> Result<(), String> {
    feed(command, Vec::new()).await
}

/// The same with something on its standard input.
pub async fn feed(command: &[String], input: Vec<u8>) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Err("program".to_owned()) };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut group = match child {
        Ok(child) => Group { leader: child.id().and_then(|pid| i32::try_from(pid).ok()), child },
        Err(error) => {
            warn!(program, %error, "cannot be run");
            return Err("program".to_owned());
        }
    };
    let stdin = group.child.stdin.take();
    let feeding = async move {
        if let Some(mut stdin) = stdin {
            // Whoever does not read need not.
            let _ = stdin.write_all(&input).await;
        }
        // Closed by now: the end of the input is seen.
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let status = match group.child.stderr.take() {
        None => tokio::select! {
            status = group.child.wait() => status,
            () = feeding => return Err("program".to_owned()),
        },
        Some(mut stderr) => {
            let listening = async {
                let mut buffer = [0; OUTPUT_LIMIT];
                // Read to the end, so that it never waits for a reader.
                while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                    let room = OUTPUT_LIMIT - said.len();
                    said.extend_from_slice(&buffer[..count.min(room)]);
                }
                // Somebody else may hold the other end: only the program's own end counts.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                status = group.child.wait() => status,
                () = feeding => return Err("program".to_owned()),
                () = listening => return Err("program".to_owned()),
            }
        }
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            debug!(program, said = %String::from_utf8_lossy(&said), "program failed");
            Err(status.code().map_or_else(|| "killed".to_owned(), |code| format!("exit-{code}")))
        }
        Err(error) => {
            warn!(program, %error, "cannot be waited for");
            Err("program".to_owned())
        }
    }
}

/// A program with whatever it started.
struct Group {
    child: Child,
    leader: Option<i32>,
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(leader) = self.leader else { return };
        // While one of the group lives its number is not given to anybody else; if none does, the number is
        // the next but some ten thousand to be given out.
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        // Tokio reaps it.
    }
}
