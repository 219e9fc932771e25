//! The programs of Debian's `fence-agents` (FenceAgentAPI of ClusterLabs: parameters as `name=value` lines on
//! the standard input, `action` among them; exit status 0, or 2 for "off" where the status was asked for).
//!
//! No shell, and nothing on the command line: it is for all to see. Parameters are compared with the agent's own
//! metadata before the first call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use sfha_core::fencing::settings::{Agent, Target};
use sfha_core::fencing::{Call, Power};
use sfha_proto::{ErrorCode, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{Answer, Driver, failed};

mod metadata;

use metadata::Metadata;

/// Where Debian puts them.
const FOLDER: &str = "/usr/sbin";

/// Most that is read of what an agent prints, in bytes.
const MAX_OUTPUT: u64 = 1024 * 1024;

/// Time for an agent to describe itself.
const METADATA: Duration = Duration::from_secs(20);

/// Parameters that are sfha's to set, or that would put secrets into files.
const RESERVED: [&str; 7] =
    ["action", "option", "nodename", "verbose", "verbose_level", "debug", "debug_file"];

/// Calls one program.
#[derive(Debug)]
pub struct AgentDriver {
    program: String,
    path: PathBuf,
    parameters: BTreeMap<String, String>,
    secrets: Vec<(String, Secret)>,
    nodes: BTreeMap<String, BTreeMap<String, String>>,
}

impl AgentDriver {
    /// Looks for the program and reads the secret parameters.
    ///
    /// # Errors
    /// `agent-missing`, `agent-parameter`, `file-mode`, `file-invalid`.
    pub fn new(settings: &Agent, nodes: &BTreeMap<String, Target>) -> Result<Self, Failure> {
        Self::new_in(Path::new(FOLDER), settings, nodes)
    }

    /// The same with programs of another folder.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn new_in(
        folder: &Path,
        settings: &Agent,
        nodes: &BTreeMap<String, Target>,
    ) -> Result<Self, Failure> {
        let program = settings.program.clone();
        let path = folder.join(&program);
        let named = program.starts_with("fence_")
            && program.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !named || !path.is_file() {
            return Err(Failure::new(ErrorCode::AgentMissing).with("program", program));
        }
        let secrets = match &settings.secrets_file {
            Some(path) => Secret::read_pairs(path, '=')?,
            None => Vec::new(),
        };
        let driver = Self {
            program,
            path,
            parameters: settings.parameters.clone(),
            secrets,
            nodes: nodes.iter().map(|(name, target)| (name.clone(), target.parameters.clone())).collect(),
        };
        for name in driver.secrets.iter().map(|(name, _)| name) {
            driver.check_name(name)?;
        }
        let plain = driver.nodes.values().chain([&driver.parameters]).flatten();
        for (name, value) in plain {
            driver.check_name(name)?;
            // A line of its own would be another parameter.
            if value.contains('\n') {
                return Err(driver.parameter(name, "value"));
            }
        }
        Ok(driver)
    }

    fn check_name(&self, name: &str) -> Result<(), Failure> {
        if RESERVED.contains(&name) { Err(self.parameter(name, "reserved")) } else { Ok(()) }
    }

    fn parameter(&self, name: &str, reason: &str) -> Failure {
        Failure::new(ErrorCode::AgentParameter)
            .with("program", self.program.clone())
            .with("parameter", name)
            .with("reason", reason)
    }

    /// Parameters for that node, except for secret ones.
    fn parameters(&self, node: &str) -> BTreeMap<&str, String> {
        let own = self.nodes.get(node).into_iter().flatten();
        let all = self.parameters.iter().chain(own);
        all.map(|(name, value)| (name.as_str(), value.replace("{{node}}", node))).collect()
    }

    /// Compares what is set for that node with what the agent takes.
    ///
    /// # Errors
    /// `agent-parameter`, `fence-failed`, `timed-out`.
    pub async fn validate(&self, node: &str) -> Result<(), Failure> {
        let (status, output) =
            tokio::time::timeout(METADATA, self.run("action=metadata\n", &["-o", "metadata"]))
                .await
                .map_err(|_| {
                    Failure::new(ErrorCode::TimedOut)
                        .with("what", "fencing")
                        .with("seconds", METADATA.as_secs())
                })??;
        let text = String::from_utf8_lossy(&output);
        if !status.success() {
            return Err(failed(&self.program, "it does not describe itself"));
        }
        let metadata =
            Metadata::parse(&text).ok_or_else(|| failed(&self.program, "its description does not read"))?;
        let plain = self.parameters(node);
        let mut given: BTreeMap<&str, Option<&str>> =
            plain.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
        given.extend(self.secrets.iter().map(|(name, _)| (name.as_str(), None)));
        metadata.check(&given).map_err(|(name, reason)| self.parameter(&name, reason))
    }

    fn input(&self, node: &str, action: &str) -> Zeroizing<String> {
        let mut input = Zeroizing::new(format!("action={action}\n"));
        for (name, value) in self.parameters(node) {
            input.push_str(&format!("{name}={value}\n"));
        }
        for (name, secret) in &self.secrets {
            input.push_str(name);
            input.push('=');
            input.push_str(secret.expose());
            input.push('\n');
        }
        input
    }

    /// Runs the agent in a process group of its own, which ends with this future.
    async fn run(&self, input: &str, arguments: &[&str]) -> Result<(ExitStatus, Vec<u8>), Failure> {
        let cause = |error: std::io::Error| failed(&self.program, error.to_string());
        let mut child = Command::new(&self.path)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It may repeat what it was given.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cause)?;
        let _group = ProcessGroup(child.id());
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that does not read (for its metadata) is not wrong.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let read = async {
            let mut output = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(MAX_OUTPUT).read_to_end(&mut output).await?;
            }
            Ok::<_, std::io::Error>(output)
        };
        let ((), output) = tokio::join!(write, read);
        let output = output.map_err(cause)?;
        let status = child.wait().await.map_err(cause)?;
        Ok((status, output))
    }
}

/// Ends with everything in it: agents start `ssh`, `ipmitool` and the like.
struct ProcessGroup(Option<u32>);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let group = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            let group = nix::unistd::Pid::from_raw(group);
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl Driver for AgentDriver {
    fn call<'a>(&'a self, node: &'a str, call: Call) -> Answer<'a> {
        Box::pin(async move {
            let action = match call {
                Call::Off => "off",
                Call::On => "on",
                Call::Status => "status",
            };
            let (status, _) = self.run(&self.input(node, action), &[]).await?;
            match (call, status.code()) {
                (Call::Status, Some(0)) => Ok(Power::On),
                (Call::Status, Some(2)) => Ok(Power::Off),
                (Call::Off | Call::On, Some(0)) => Ok(Power::Unknown),
                (_, Some(code)) => Err(failed(&self.program, format!("exit status {code}"))),
                (_, None) => Err(failed(&self.program, "killed")),
            }
        })
    }

    fn test<'a>(&'a self, node: &'a str) -> Answer<'a> {
        Box::pin(async move {
            self.validate(node).await?;
            self.call(node, Call::Status).await
        })
    }
}
