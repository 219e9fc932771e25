//! What sfha costs and how long it takes, beside keepalived in the same lab, at the same prober.
//!
//! Every number is taken from outside: silences by a client that asks every 2 ms and learns moves from
//! gratuitous ARP alone, holders by the kernels of the nodes, memory and processor time by `/proc`. Only the
//! moment at which Corosync told of a lost node comes from the journal of `sfhad`.

mod console;
mod decisions;
mod holding;
mod keepalived;
mod report;
mod scale;
mod series;
mod sfha;
mod wireguard;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::PATIENCE;
use crate::lab::{AddressWatcher, Lab, ProbeReport, Prober, WatchReport};

pub use report::{Limit, Report};
pub use series::Series;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Runs of each fault.
    pub runs: usize,
    /// How long the idle cluster is observed.
    pub idle: Duration,
    /// Whether keepalived is measured too.
    pub keepalived: bool,
    /// Size of the big cluster.
    pub nodes: usize,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Three nodes and what happens to them, beside keepalived.
    Faults,
    /// Planned moves of one and of many addresses, and a holder that is cut off and lives.
    Holding,
    /// Sixteen nodes: joins and new keys.
    Scale,
    /// The device of the mesh: many peers, much traffic.
    Wireguard,
    /// The decisions: how long a core takes for an event.
    Decisions,
    /// The console, before an invented daemon.
    Console,
}

/// Measures these parts, telling on standard error how far it is.
pub fn run(plan: Plan, parts: &[Part]) -> Result<Report> {
    let mut report = Report::new(plan);
    for part in parts {
        match part {
            Part::Faults => faults(plan, &mut report)?,
            Part::Holding => holding::run(plan, &mut report)?,
            Part::Scale => scale::run(plan, &mut report)?,
            Part::Wireguard => wireguard::run(plan, &mut report)?,
            Part::Decisions => decisions::run(plan, &mut report)?,
            Part::Console => console::run(plan, &mut report)?,
        }
    }
    Ok(report)
}

fn faults(plan: Plan, report: &mut Report) -> Result<()> {
    let cluster = sfha::formed(plan, report)?;
    sfha::idle(&cluster, plan, report)?;
    sfha::faults(&cluster, plan, report)?;
    sfha::leave(&cluster)?;
    if plan.keepalived {
        for settings in keepalived::SETTINGS {
            keepalived::faults(cluster.lab(), settings, plan, report)?;
        }
    }
    cluster.down()
}

fn tell(what: &str) {
    eprintln!("bench: {what}");
}

/// An address under observation, from before a fault to after it.
struct Sight {
    watcher: AddressWatcher,
    prober: Prober,
}

/// What a fault did.
struct Seen {
    probes: ProbeReport,
    watch: WatchReport,
    watch_start: std::time::Instant,
}

impl Sight {
    /// Begins when the address answers, and returns who has it.
    fn on(lab: &Lab, ip: IpAddr) -> Result<(Self, usize)> {
        let watcher = lab.watch_address(ip)?;
        let prober = lab.client().probe(ip)?;
        prober.wait_answered(PATIENCE)?;
        let holder = watcher.wait_one_holder(PATIENCE)?;
        Ok((Self { watcher, prober }, holder))
    }

    /// Waits until another node has the address and answers.
    fn wait_moved(&self, from: usize) -> Result<usize> {
        let others = || {
            let mut holders = self.watcher.holders();
            holders.retain(|holder| *holder != from);
            holders
        };
        let next = crate::lab::wait_for("another holder", PATIENCE, || others().first().copied())?;
        self.prober.wait_answered_by(next, PATIENCE)?;
        Ok(next)
    }

    fn finish(self) -> Result<Seen> {
        let watch_start = self.watcher.started();
        Ok(Seen { probes: self.prober.finish()?, watch: self.watcher.finish()?, watch_start })
    }
}

impl Seen {
    /// When the first holding of a node ended.
    fn end_of(&self, node: usize) -> Result<std::time::Instant> {
        let held = self.watch.holdings.iter().find(|holding| holding.node == node);
        Ok(self.watch_start + held.context("it had the address")?.until)
    }

    /// The longest silence, if the prober itself was steady enough to say so.
    fn gap(&self) -> Result<Duration> {
        ensure!(
            self.probes.longest_send_pause < self.probes.gap.max(Duration::from_millis(50)),
            "this machine is too busy to measure: the prober stood still for {:?}",
            self.probes.longest_send_pause
        );
        Ok(self.probes.gap)
    }
}
