//! Asks the health checks that concern this node: one task each, one question at a time, each with its deadline.
//! A check whose target hangs costs nobody else anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sfha_core::health::{Judge, seed};
use sfha_core::resources::{HealthCheck, Probe};
use sfha_core::{NodeId, Time};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::io::systemd::Systemd;
use crate::mesh::describe;
use crate::vips::Finished;

pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod resolver;

use http::Http;
use resolver::Resolver;

/// A check that is to be asked on this node now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// It.
    pub check: HealthCheck,
    /// Counts the starts of its service: with each one nothing is known any more, and the grace begins.
    pub starts: u64,
}

/// The way to say which checks are asked.
#[derive(Debug)]
pub struct Probes {
    wanted: watch::Sender<BTreeMap<String, Wanted>>,
    hands_off: watch::Sender<bool>,
}

impl Probes {
    /// Starts the task that starts and ends the others. They end when this is dropped.
    #[must_use]
    pub fn start(me: NodeId, systemd: Systemd, tell: mpsc::UnboundedSender<Finished>) -> Self {
        let (wanted, receiver) = watch::channel(BTreeMap::new());
        let (hands_off, off) = watch::channel(false);
        let asker = Asker { me, systemd, resolver: Resolver::default(), tell, hands_off: off };
        tokio::spawn(asker.follow(receiver));
        Self { wanted, hands_off }
    }

    /// From now on these are asked, and no others. Those that stay as they are are not disturbed.
    pub fn set(&self, wanted: BTreeMap<String, Wanted>) {
        self.wanted.send_if_modified(|old| {
            let changed = *old != wanted;
            *old = wanted;
            changed
        });
    }

    /// In maintenance no unit is restarted, whatever a check says.
    pub fn set_hands_off(&self, off: bool) {
        self.hands_off.send_if_modified(|old| std::mem::replace(old, off) != off);
    }
}

#[derive(Clone)]
struct Asker {
    me: NodeId,
    systemd: Systemd,
    resolver: Resolver,
    tell: mpsc::UnboundedSender<Finished>,
    hands_off: watch::Receiver<bool>,
}

/// A check that is being asked.
struct Running {
    wanted: Wanted,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asker {
    async fn follow(self, mut wanted: watch::Receiver<BTreeMap<String, Wanted>>) {
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        while wanted.changed().await.is_ok() {
            let now = wanted.borrow_and_update().clone();
            running.retain(|name, running| now.get(name) == Some(&running.wanted));
            for (name, wanted) in now {
                running.entry(name.clone()).or_insert_with(|| {
                    let task = tokio::spawn(self.clone().ask_on(name, wanted.check.clone())).abort_handle();
                    Running { wanted, task }
                });
            }
        }
    }

    /// Asks one check for ever.
    async fn ask_on(self, name: String, check: HealthCheck) {
        let started = Instant::now();
        let now = || Time::from_micros(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        let limit = Duration::from_millis(check.timeout_ms.max(1));
        let mut judge = Judge::new(&check, seed(self.me, &name), now());
        let mut target = Target::new(&check.probe, &self);
        loop {
            tokio::time::sleep_until(started + Duration::from_micros(judge.due().as_micros())).await;
            judge.ask(now());
            let outcome = match tokio::time::timeout(limit, target.ask()).await {
                Ok(outcome) => outcome,
                Err(_) => Err("timed-out".to_owned()),
            };
            if let Err(code) = &outcome {
                debug!(check = name, code, "probe failed");
            }
            let before = judge.verdict().healthy;
            if judge.answer(outcome, now()) {
                let verdict = judge.verdict().clone();
                if verdict.healthy != before {
                    info!(check = name, healthy = verdict.healthy, error = verdict.error, "health");
                }
                // The loop may have ended meanwhile.
                let _ = self.tell.send(Finished::Check(name.clone(), verdict));
            }
            if before != Some(false) && judge.verdict().healthy == Some(false) {
                self.mend(&name, &check).await;
            }
        }
    }

    /// Restarts the unit that a check of a node names, once each time it becomes unhealthy.
    async fn mend(&self, name: &str, check: &HealthCheck) {
        let Some(unit) = check.restart_unit.as_deref().filter(|_| check.service.is_none()) else { return };
        if *self.hands_off.borrow() {
            info!(check = name, unit, "not restarted: maintenance");
            return;
        }
        info!(check = name, unit, "restarting");
        if let Err(error) = self.systemd.restart(unit).await {
            warn!(check = name, unit, error = describe(&error), "not restarted");
        }
    }
}

/// What is asked, with what is kept between two questions.
enum Target {
    Http(Http),
    Tcp { target: String, resolver: Resolver },
    Systemd { unit: String, systemd: Systemd },
    Program(Vec<String>),
}

impl Target {
    fn new(probe: &Probe, asker: &Asker) -> Self {
        match probe {
            Probe::Http { url, status, body, ca_file } => Self::Http(Http::new(
                url.clone(),
                *status,
                body.clone(),
                ca_file.clone(),
                Arc::new(asker.resolver.clone()),
            )),
            Probe::Tcp { target } => Self::Tcp { target: target.clone(), resolver: asker.resolver.clone() },
            Probe::Systemd { unit } => Self::Systemd { unit: unit.clone(), systemd: asker.systemd.clone() },
            Probe::Program { command } => Self::Program(command.clone()),
        }
    }

    /// Asks once. The deadline is the caller's: this may be dropped at any time, and nothing of it stays.
    async fn ask(&mut self) -> Result<(), String> {
        match self {
            Self::Http(http) => http.ask().await,
            Self::Tcp { target, resolver } => connect(target, resolver).await,
            Self::Systemd { unit, systemd } => match systemd.active_state(unit).await {
                Ok(state) if state == "active" => Ok(()),
                Ok(state) => Err(format!("unit-{state}")),
                Err(error) => {
                    debug!(unit, error = describe(&error), "systemd cannot be asked");
                    Err("systemd".to_owned())
                }
            },
            Self::Program(command) => program::ask(command).await,
        }
    }
}

/// Whether a TCP connection is accepted, at any address of the target.
async fn connect(target: &str, resolver: &Resolver) -> Result<(), String> {
    let (host, port) = target.rsplit_once(':').ok_or("target")?;
    let port: u16 = port.parse().map_err(|_| "target")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut code = "name";
    for address in resolver.lookup(host).await.map_err(|_| "name")? {
        match tokio::net::TcpStream::connect((address, port)).await {
            Ok(_) => return Ok(()),
            Err(error) => code = refusal(&error),
        }
    }
    Err(code.to_owned())
}

/// The code of what came of an attempt to connect.
fn refusal(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "refused",
        std::io::ErrorKind::TimedOut => "timed-out",
        _ => "unreachable",
    }
}

#[cfg(test)]
mod tests;
