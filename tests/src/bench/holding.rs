//! Moves that nobody should notice, and a holder that is cut off and lives.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use sfha_proto::message::FailoverDone;

use super::{Plan, Report, Sight, tell};
use crate::cluster::{Cluster, PATIENCE, VIP};
use crate::lab::{LabOptions, Prober};

const SYSTEM: &str = "holding";

/// Runs of what is short, for one run of what is long.
const MOVES: usize = 2;

/// Runs of an isolation, likewise: that two have the address at once would be rare.
const ISOLATIONS: usize = 5;

/// VIPs that move together.
const MANY: u8 = 20;

/// Between two probes of one of many VIPs: together they would measure the machine.
const PACE: Duration = Duration::from_millis(5);

pub(super) fn run(plan: Plan, report: &mut Report) -> Result<()> {
    let cluster = Cluster::formed_in(LabOptions::unique("benchold").nodes(3))?;
    cluster.vip_add(1, "web", VIP)?;
    cluster.wait_active("web", &cluster.all(), PATIENCE)?;
    tell("planned moves of one address");
    for _ in 0..plan.runs * MOVES {
        move_one(&cluster, report)?;
    }
    for run in 1..=plan.runs * ISOLATIONS {
        isolate(&cluster, report).with_context(|| format!("isolation {run}"))?;
        if run % 10 == 0 {
            tell(&format!("{run} isolations of {}", plan.runs * ISOLATIONS));
        }
    }
    let addresses: Vec<IpAddr> = (0..MANY).map(|nr| IpAddr::V4(Ipv4Addr::new(10, 77, 0, 101 + nr))).collect();
    for (number, address) in addresses.iter().enumerate() {
        let name = format!("web{number}");
        cluster.vip_add(0, &name, &address.to_string())?;
        cluster.wait_active(&name, &cluster.all(), PATIENCE)?;
    }
    tell("planned moves of many addresses");
    for _ in 0..plan.runs {
        move_many(&cluster, &addresses, report)?;
    }
    cluster.down()
}

fn move_one(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), VIP.parse()?)?;
    let _: FailoverDone = cluster.ask(holder, &["failover"])?;
    sight.wait_moved(holder)?;
    let seen = sight.finish()?;
    report.add_ms(SYSTEM, "move_gap", seen.gap()?);
    report.add_ms(SYSTEM, "two_holders", seen.watch.two_holders);
    cluster.wait_in_step(&cluster.all(), PATIENCE).map(drop)
}

/// Cut from its peers, it still answers the client until it knows.
fn isolate(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (sight, holder) = Sight::on(cluster.lab(), VIP.parse()?)?;
    cluster.lab().isolate(holder)?;
    sight.wait_moved(holder)?;
    let seen = sight.finish()?;
    report.add_ms(SYSTEM, "isolation_gap", seen.gap()?);
    report.add_ms(SYSTEM, "isolation_two_holders", seen.watch.two_holders);
    cluster.lab().heal()?;
    cluster.wait_in_step(&cluster.all(), PATIENCE).map(drop)
}

fn move_many(cluster: &Cluster, addresses: &[IpAddr], report: &mut Report) -> Result<()> {
    let client = cluster.lab().client();
    let probers: Vec<Prober> =
        addresses.iter().map(|address| client.probe_every(*address, PACE)).collect::<Result<_>>()?;
    for prober in &probers {
        prober.wait_answered(PATIENCE)?;
    }
    let done: FailoverDone = cluster.ask(0, &["failover"])?;
    report.add_ms(SYSTEM, "many_command", Duration::from_millis(done.elapsed_ms));
    for prober in probers {
        prober.wait_answered_again(PATIENCE)?;
        let seen = prober.finish()?;
        report.add_ms(SYSTEM, "many_gap", seen.gap);
    }
    cluster.wait_in_step(&cluster.all(), PATIENCE).map(drop)
}
