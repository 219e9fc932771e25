//! Sixteen nodes: joined one after the other, left alone, and given new keys.
//!
//! A pair of nodes is observed by echo requests through the tunnel every 10 ms. All 240 at once would measure
//! the machine: a node that joins sees the pairs of the first node with all others, a node that changes its key
//! its own pairs, which are the ones that can suffer.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sfha_proto::message::RotateDone;

use super::{Plan, Report, tell};
use crate::cluster::{Cluster, PATIENCE};
use crate::lab::{LabOptions, Prober};

const SYSTEM: &str = "sixteen";

/// Between two probes of a pair.
const PACE: Duration = Duration::from_millis(10);

/// How long the probes of a rotation go on when the command is over.
const AFTER: Duration = Duration::from_millis(500);

/// Forms the cluster, watches it idle, and rotates every key.
pub(super) fn run(plan: Plan, report: &mut Report) -> Result<()> {
    let cluster = formed(plan.nodes, report)?;
    let rings = rings(&cluster)?;
    tell(&format!("{} nodes idle for {} s", plan.nodes, plan.idle.as_secs()));
    thread::sleep(plan.idle);
    let after = self::rings(&cluster)?;
    report.add(SYSTEM, "idle_rings", changed(&rings, &after));
    rotate(&cluster, report)?;
    report.add(SYSTEM, "rotation_rings", changed(&after, &self::rings(&cluster)?));
    cluster.wait_in_step(&cluster.all(), PATIENCE)?;
    cluster.down()
}

fn formed(nodes: usize, report: &mut Report) -> Result<Cluster> {
    let cluster = Cluster::fresh(LabOptions::unique("bench16").nodes(nodes))?;
    let mut token = cluster.init(0)?;
    let mut pairs = Vec::new();
    let start = Instant::now();
    for node in 1..nodes {
        if node > 1 {
            token = cluster.token(0)?;
        }
        let joined = cluster.join(node, &token.token)?;
        report.add_ms(SYSTEM, "join", Duration::from_millis(joined.elapsed_ms));
        // What this one loses while it joins is its own affair.
        let pair = cluster.node(0).probe_mesh(address(&cluster, node)?, PACE)?;
        pair.wait_answered(PATIENCE)?;
        pairs.push(pair);
    }
    report.add_ms(SYSTEM, "formed", start.elapsed());
    cluster.wait_in_step(&cluster.all(), PATIENCE)?;
    tell(&format!("{nodes} nodes after {:.1} s", start.elapsed().as_secs_f64()));
    for pair in pairs {
        let seen = pair.finish()?;
        report.add(SYSTEM, "join_lost", seen.lost as f64);
    }
    Ok(cluster)
}

fn rotate(cluster: &Cluster, report: &mut Report) -> Result<()> {
    for node in cluster.all() {
        let to = address(cluster, node)?;
        let others = cluster.all().into_iter().filter(|other| *other != node);
        let pairs: Vec<Prober> =
            others.map(|other| cluster.node(other).probe_mesh(to, PACE)).collect::<Result<_>>()?;
        for pair in &pairs {
            pair.wait_answered(PATIENCE)?;
        }
        let name = cluster.node(node).name();
        let done: RotateDone = cluster.ask(0, &["mesh", "rotate-keys", "--node", &name])?;
        let told = done.nodes.first().context("a node changed its key")?;
        report.add_ms(SYSTEM, "rotation", Duration::from_millis(told.elapsed_ms));
        thread::sleep(AFTER);
        let mut worst = Duration::ZERO;
        for pair in pairs {
            let seen = pair.finish()?;
            report.add_ms(SYSTEM, "rotation_gap", seen.gap);
            report.add_ms(SYSTEM, "prober_pause", seen.longest_send_pause);
            worst = worst.max(seen.gap);
        }
        tell(&format!("{name} has a new key, {} ms without an answer at most", worst.as_millis()));
    }
    Ok(())
}

fn address(cluster: &Cluster, node: usize) -> Result<IpAddr> {
    Ok(cluster.mesh(node)?.address.split('/').next().unwrap_or_default().parse()?)
}

/// How often Corosync has formed a ring on each node.
fn rings(cluster: &Cluster) -> Result<Vec<usize>> {
    let count = |node: usize| {
        let journal = cluster.node(node).journal(&["-u", "corosync.service", "-o", "cat"])?;
        Ok(journal.matches("A new membership").count())
    };
    cluster.all().into_iter().map(count).collect()
}

/// How many rings were formed between two counts, on the node that saw most.
fn changed(before: &[usize], after: &[usize]) -> f64 {
    before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)).max().unwrap_or(0) as f64
}
