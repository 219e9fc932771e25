//! How a fault is brought about in the lab, and ended.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::{Chaos, Fault, Step, Story};
use crate::cluster::{VIP, now};
use crate::lab::{Endpoint, Node, run, wait_for};

/// What an operator waits for an answer.
const COMMAND_DEADLINE: Duration = Duration::from_secs(40);

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The lab did it, or there was nothing to do it to.
    Done,
    /// An operator's command was acknowledged.
    Acknowledged,
    /// It was refused, failed, or not answered: it may have happened or not.
    Unknown,
}

impl Chaos {
    /// Returns when the fault is over. A node that is off at that moment has nothing that could go wrong.
    pub(super) fn bring_about(&self, step: &Step, start: Instant, story: &Story) -> Result<Outcome> {
        story.tell(&format!("{:?}", step.fault));
        let outcome = self.begin(&step.fault, step, start, story)?;
        story.tell(&format!("{:?}: over, {outcome:?}", step.fault));
        Ok(outcome)
    }

    fn begin(&self, fault: &Fault, step: &Step, start: Instant, story: &Story) -> Result<Outcome> {
        let lab = self.cluster.lab();
        let last = || thread::sleep((step.at + step.lasts).saturating_sub(start.elapsed()));
        match fault {
            Fault::PowerCut(node) => {
                self.cluster.node(*node).cut()?;
                self.ends.cut(*node);
                last();
                self.cluster.node(*node).boot()?;
            }
            Fault::Unplug(node) => {
                self.cluster.node(*node).unplug()?;
                last();
                self.cluster.node(*node).plug()?;
            }
            Fault::Partition(one, other) => {
                lab.partition(&[one, other])?;
                last();
                lab.heal()?;
            }
            Fault::OneWay(from, to) => {
                lab.block_one_way(Endpoint::Node(*from), Endpoint::Node(*to))?;
                last();
                lab.heal()?;
            }
            Fault::Loss(percent) => {
                lab.lose(*percent)?;
                last();
                lab.heal()?;
            }
            Fault::Twice(percent) => {
                lab.duplicate(*percent)?;
                last();
                lab.heal()?;
            }
            Fault::Clock(node, seconds) => {
                let node = self.cluster.node(*node);
                // A node that is off has no clock, and its next daemon the right one.
                if set_clock(node, *seconds).is_ok() {
                    last();
                    let _ = set_clock(node, 0);
                }
            }
            Fault::Memory(node, mib) => {
                let node = self.cluster.node(*node);
                let high = |value: &str| {
                    let property = format!("MemoryHigh={value}");
                    node.exec(&["systemctl", "set-property", "--runtime", "sfha.service", &property])
                };
                if high(&format!("{mib}M")).is_ok_and(|output| output.success()) {
                    last();
                    let _ = high("infinity");
                }
            }
            Fault::Kill(node, unit) => {
                // It may not run just now.
                let _ = self.cluster.signal(*node, unit, Signal::SIGKILL);
            }
            Fault::Freeze(node, unit) => {
                if self.cluster.signal(*node, unit, Signal::SIGSTOP).is_ok() {
                    last();
                    let _ = self.cluster.signal(*node, unit, Signal::SIGCONT);
                }
            }
            Fault::Pause(node) => {
                let from = now();
                self.cluster.node(*node).pause()?;
                last();
                self.ends.stood_still(*node, from);
                self.cluster.node(*node).resume()?;
            }
            Fault::ReadOnly(node) => {
                if self.remount(*node, "ro").is_ok() {
                    last();
                    // Another daemon has its own view of the disk.
                    let _ = self.remount(*node, "rw");
                }
            }
            Fault::Busy(node) => {
                let busy = "for i in 1 2 3 4; do (while :; do :; done) & done; wait";
                let task = self.cluster.node(*node).spawn(&["sh", "-c", busy]);
                last();
                drop(task);
            }
            Fault::Restart(node, unit) => {
                let _ = self.cluster.node(*node).exec(&["systemctl", "try-restart", unit]);
            }
            Fault::Withdraw(node) => {
                let _ = self.cluster.node(*node).exec(&[
                    "ip",
                    "addr",
                    "del",
                    &format!("{VIP}/32"),
                    "dev",
                    "eth0",
                ]);
            }
            Fault::Add(node, number) => {
                let ip = format!("10.77.0.{}/24", 150 + number % 60);
                return Ok(self.command(*node, &["vip", "add", &super::changes::name(*number), &ip], story));
            }
            Fault::Remove(node, number) => {
                let name = super::changes::name(*number);
                return Ok(self.command(*node, &["vip", "remove", &name, "--yes"], story));
            }
            Fault::Failover(node) => return Ok(self.command(*node, &["failover"], story)),
            Fault::RotateKeys(node) => {
                return Ok(self.command(*node, &["mesh", "rotate-keys"], story));
            }
            Fault::Standby(node) => {
                let name = self.cluster.node(*node).name();
                self.command(*node, &["standby", &name], story);
                last();
                self.insist(&["unstandby", &name])?;
            }
            Fault::Maintenance(node) => {
                self.command(*node, &["maintenance", "on"], story);
                last();
                self.insist(&["maintenance", "off"])?;
            }
        }
        Ok(Outcome::Done)
    }

    fn command(&self, node: usize, words: &[&str], story: &Story) -> Outcome {
        let mut line = vec!["sfha", "--json"];
        line.extend(words);
        match self.cluster.node(node).exec_within(COMMAND_DEADLINE, &line) {
            Ok(output) if output.success() => Outcome::Acknowledged,
            Ok(output) => {
                story.tell(&format!("{words:?}: exit status {}: {}", output.code, output.stdout.trim()));
                Outcome::Unknown
            }
            Err(error) => {
                story.tell(&format!("{words:?}: {error:#}"));
                Outcome::Unknown
            }
        }
    }

    /// Has it done by whichever node can: what is left of it would be no fault of the cluster's.
    fn insist(&self, words: &[&str]) -> Result<()> {
        let mut line = vec!["sfha", "--json"];
        line.extend(words);
        wait_for(&format!("{words:?}"), Duration::from_secs(120), || {
            self.cluster.lab().nodes().iter().find(|node| done(node, &line))
        })
        .map(drop)
    }

    /// Remounts what the daemon of a node keeps, as that daemon sees it.
    fn remount(&self, node: usize, how: &str) -> Result<()> {
        let pid = self.cluster.unit_pid(node, "sfha.service")?.to_string();
        let options = format!("remount,bind,{how}");
        run("nsenter", &["-t", &pid, "-m", "mount", "-o", &options, "/var/lib/sfha"])
            .map(drop)
            .context("remount")
    }
}

/// What a node's daemon takes for the time, in libfaketime's words.
pub(super) const CLOCK: &str = "/run/sfha-clock";

/// Has a node's daemon take the time for that many seconds later than it is.
fn set_clock(node: &Node, seconds: i64) -> Result<()> {
    node.write_file(CLOCK, &format!("{seconds:+}s\n"))
}

/// Done, or so already.
fn done(node: &Node, line: &[&str]) -> bool {
    node.exec_within(COMMAND_DEADLINE, line)
        .is_ok_and(|output| output.success() || output.stdout.contains("\"already-so\""))
}
