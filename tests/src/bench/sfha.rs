//! sfha's own numbers.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde_json::Value;
use sfha_proto::message::FailoverDone;

use super::{Plan, Report, Seen, Sight, tell};
use crate::cluster::{Cluster, PATIENCE, VIP, usage};
use crate::lab::{LabOptions, Node, wait_for};

/// The system that all of this is about.
pub(super) const SFHA: &str = "sfha";

/// A formed cluster of three. As many are formed, one after another, as it takes for enough joins.
pub(super) fn formed(plan: Plan, report: &mut Report) -> Result<Cluster> {
    loop {
        let cluster = Cluster::fresh(LabOptions::unique("bench").nodes(3))?;
        let start = Instant::now();
        let mut token = cluster.init(0)?;
        report.add_ms(SFHA, "init", start.elapsed());
        for node in [1, 2] {
            if node > 1 {
                token = cluster.token(0)?;
            }
            let joined = cluster.join(node, &token.token)?;
            report.add_ms(SFHA, "join", Duration::from_millis(joined.elapsed_ms));
        }
        cluster.wait_in_step(&[0, 1, 2], PATIENCE)?;
        let joins = report.count(SFHA, "join");
        tell(&format!("{joins} joins"));
        if joins >= plan.runs {
            cluster.vip_add(1, "web", VIP)?;
            cluster.wait_active("web", &[0, 1, 2], PATIENCE)?;
            return Ok(cluster);
        }
        cluster.down()?;
    }
}

/// Memory and processor time of an idle cluster.
pub(super) fn idle(cluster: &Cluster, plan: Plan, report: &mut Report) -> Result<()> {
    // What joining has stirred up settles first: handshakes, the second burst of announcements.
    thread::sleep(Duration::from_secs(8));
    tell(&format!("idle for {} s", plan.idle.as_secs()));
    let mut watched = Vec::new();
    for node in cluster.all() {
        for (program, unit) in [("sfhad", "sfha.service"), ("sfha-wg", "sfha-wg.service")] {
            // With WireGuard in the kernel there is no such process.
            if let Ok(pid) = cluster.unit_pid(node, unit) {
                watched.push((program, pid, usage(pid)?));
            }
        }
    }
    let start = Instant::now();
    thread::sleep(plan.idle);
    for (program, pid, before) in watched {
        let now = usage(pid)?;
        let share = (now.cpu - before.cpu).as_secs_f64() / start.elapsed().as_secs_f64();
        let mib = |bytes: u64| (bytes as f64 / f64::from(1 << 20) * 100.0).round() / 100.0;
        report.add(program, "rss_mib", mib(now.rss));
        report.add(program, "pss_mib", mib(now.pss));
        report.add(program, "cpu_percent", (share * 100_000.0).round() / 1000.0);
    }
    Ok(())
}

/// Every fault, as many times as planned.
pub(super) fn faults(cluster: &Cluster, plan: Plan, report: &mut Report) -> Result<()> {
    for run in 1..=plan.runs {
        tell(&format!("sfha, run {run} of {}", plan.runs));
        power_cut(cluster, report).context("power cut")?;
        clean_stop(cluster, report).context("clean stop")?;
        kill(cluster, report).context("kill")?;
        planned(cluster, report).context("failover")?;
    }
    Ok(())
}

fn ip() -> Result<IpAddr> {
    Ok(VIP.parse()?)
}

fn in_step(cluster: &Cluster) -> Result<()> {
    cluster.wait_in_step(&cluster.all(), PATIENCE).map(drop)
}

fn power_cut(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), ip()?)?;
    cluster.node(holder).cut()?;
    let next = sight.wait_moved(holder)?;
    let seen = sight.finish()?;
    report.add_ms(SFHA, "cut_gap", seen.gap()?);
    report.add_ms(SFHA, "two_holders", seen.watch.two_holders);
    let cut = seen.end_of(holder)?;
    report.add_ms(SFHA, "corosync_detection", detection(cluster.node(next), cut)?);
    let boot = cluster.boot_operational(holder, PATIENCE)?;
    report.add_ms(SFHA, "boot_to_operational", boot);
    in_step(cluster)
}

/// From the cut to the line in which a survivor's `sfhad` tells Corosync's callback.
fn detection(node: &Node, cut: Instant) -> Result<Duration> {
    let cut = SystemTime::now().duration_since(UNIX_EPOCH)? - cut.elapsed();
    wait_for("the line about the quorum", PATIENCE, || {
        node.exec_ok(&["journalctl", "--sync"]).ok()?;
        let journal = node.journal(&["-u", "sfha.service", "-o", "json", "-n", "400"]).ok()?;
        let times = journal.lines().filter_map(|line| {
            let entry: Value = serde_json::from_str(line).ok()?;
            entry["MESSAGE"].as_str().filter(|message| message.starts_with("quorum "))?;
            let stamp =
                entry.get("_SOURCE_REALTIME_TIMESTAMP").or_else(|| entry.get("__REALTIME_TIMESTAMP"))?;
            Some(Duration::from_micros(stamp.as_str()?.parse().ok()?))
        });
        times.filter(|time| *time > cut).min()
    })
    .map(|time| time - cut)
}

fn clean_stop(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), ip()?)?;
    cluster.node(holder).exec_ok(&["systemctl", "stop", "sfha.service"])?;
    sight.wait_moved(holder)?;
    record(sight.finish()?, "stop_gap", report)?;
    cluster.node(holder).exec_ok(&["systemctl", "start", "sfha.service"])?;
    in_step(cluster)
}

fn record(seen: Seen, name: &str, report: &mut Report) -> Result<()> {
    report.add_ms(SFHA, name, seen.gap()?);
    report.add_ms(SFHA, "two_holders", seen.watch.two_holders);
    Ok(())
}

fn kill(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), ip()?)?;
    let at = cluster.signal(holder, "sfha.service", Signal::SIGKILL)?;
    let gone = || !sight.watcher.holders().contains(&holder);
    crate::lab::wait_until("the address to go", PATIENCE, gone)?;
    // It may well come back to the same node: the daemon is there again before the others may take it.
    sight.prober.wait_answered_again(PATIENCE)?;
    cluster.wait_active("web", &cluster.all(), PATIENCE)?;
    let seen = sight.finish()?;
    report.add_ms(SFHA, "kill_address_left", seen.end_of(holder)? - at);
    record(seen, "kill_gap", report)?;
    in_step(cluster)
}

fn planned(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), ip()?)?;
    let done: FailoverDone = cluster.ask(holder, &["failover"])?;
    sight.wait_moved(holder)?;
    report.add_ms(SFHA, "failover_command", Duration::from_millis(done.elapsed_ms));
    record(sight.finish()?, "failover_gap", report)?;
    in_step(cluster)
}

/// Ends sfha on every node, so that another system can be measured on the same ones.
pub(super) fn leave(cluster: &Cluster) -> Result<()> {
    for node in cluster.lab().nodes() {
        node.exec_ok(&["systemctl", "disable", "--now", "-q", "sfha.service"])?;
        node.exec_ok(&["systemctl", "stop", "corosync.service", "sfha-wg.service"])?;
    }
    Ok(())
}
