//! The demonstration: the main job of sfha, told step by step as it happens.

pub mod words;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sfha_proto::mesh::Joined;
use sfha_proto::message::FailoverDone;

use crate::cluster::{Cluster, MESH_IP, PATIENCE, VIP, package};
use crate::lab::{AddressWatcher, LabOptions, Prober};
use words::{t, time};

/// Longest silence after a power cut that is as it should be: Corosync's detection with the default profile
/// (1.1 s), the take-over delay, and room for a busy machine. `sfha-bench` measures it properly.
const CUT_LIMIT: Duration = Duration::from_millis(2500);

/// Longest silence of a planned move, likewise.
const MOVE_LIMIT: Duration = Duration::from_millis(500);

/// Name of the VIP.
const WEB: &str = "web";

/// What was told so far, and what was seen of the address.
#[derive(Debug)]
pub struct Demo {
    cluster: Cluster,
    steps: u32,
}

struct Sight {
    watcher: AddressWatcher,
    prober: Prober,
}

impl Demo {
    /// Boots the nodes of a lab of this name.
    pub fn up(lab: &str) -> Result<Self> {
        println!("\n{}\n", t!("demo-title"));
        let package = package()?;
        let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        say(1, &t!("demo-step-lab", package = name));
        let start = Instant::now();
        let cluster = Cluster::fresh(LabOptions::named(lab).nodes(3))?;
        done(&t!("demo-done-lab", nodes = 3, time = time(start.elapsed())));
        Ok(Self { cluster, steps: 1 })
    }

    fn step(&mut self, what: &str) {
        self.steps += 1;
        say(self.steps, what);
    }

    fn name(&self, node: usize) -> String {
        self.cluster.node(node).name()
    }

    /// Shows a command as an operator would type it.
    fn command(&self, node: usize, command: &str) {
        println!("   {}# {command}", self.name(node));
    }

    /// Runs the whole story; fails when anything is not as it should be. Returns a node that is up.
    pub fn run(&mut self) -> Result<usize> {
        self.form()?;
        let ip = VIP.parse().context("the address")?;
        let watcher = self.cluster.lab().watch_address(ip)?;
        let sight = Sight { watcher, prober: self.cluster.lab().client().probe(ip)? };
        let first = self.add_vip(&sight)?;
        let second = self.cut(&sight, first)?;
        self.stop_and_move_back(&sight, second)?;
        let two_holders = sight.watcher.report().two_holders;
        if !two_holders.is_zero() {
            bail!(t!("demo-two-holders", ip = VIP, time = time(two_holders)));
        }
        done(&t!("demo-one-holder"));
        self.step(&t!("demo-step-status", node = self.name(second)));
        let status = self.cluster.sfha(second, &["--lang", words::current().tag(), "status"])?.ok()?;
        println!("\n{}", status.lines().map(|line| format!("   {line}\n")).collect::<String>());
        Ok(second)
    }

    fn form(&mut self) -> Result<()> {
        self.step(&t!("demo-step-init"));
        self.command(0, &format!("sfha init --cluster prod --mesh --ip {MESH_IP}"));
        let start = Instant::now();
        let mut token = self.cluster.init(0)?;
        done(&t!("demo-done-init", address = MESH_IP, time = time(start.elapsed())));
        for node in [1, 2] {
            self.step(&t!("demo-step-join", node = self.name(node)));
            if node > 1 {
                self.command(0, "sfha mesh token");
                token = self.cluster.token(0)?;
            }
            let shown: String = token.token.chars().take(24).collect();
            self.command(node, &format!("sfha join {shown}…"));
            let joined: Joined = self.cluster.join(node, &token.token)?;
            let elapsed = time(Duration::from_millis(joined.elapsed_ms));
            done(&t!("demo-done-join", time = elapsed, ip = joined.ip));
        }
        self.cluster.wait_in_step(&[0, 1, 2], PATIENCE).map(drop)
    }

    fn add_vip(&mut self, sight: &Sight) -> Result<usize> {
        self.step(&t!("demo-step-vip"));
        self.command(1, &format!("sfha vip add {WEB} {VIP}/24"));
        self.cluster.vip_add(1, WEB, VIP)?;
        let holder = self.served(sight, &[0, 1, 2])?;
        done(&t!("demo-done-vip", ip = VIP, node = self.name(holder)));
        Ok(holder)
    }

    fn cut(&mut self, sight: &Sight, first: usize) -> Result<usize> {
        self.step(&t!("demo-step-cut", node = self.name(first)));
        let before = sight.prober.started().elapsed();
        self.cluster.node(first).cut()?;
        let second = self.served(sight, &self.others(first))?;
        let gap = gap_since(sight, before);
        within(&t!("demo-step-cut", node = self.name(first)), gap, CUT_LIMIT)?;
        done(&t!("demo-done-cut", ip = VIP, node = self.name(second), gap = time(gap)));
        let quorum = self.cluster.status(second)?.quorum;
        let count = |votes: Option<u32>| votes.unwrap_or_default();
        done(&t!("demo-cut-quorum", votes = count(quorum.votes), expected = count(quorum.expected)));

        self.step(&t!("demo-step-boot", node = self.name(first)));
        let took = self.cluster.boot_operational(first, PATIENCE)?;
        self.cluster.wait_in_step(&[0, 1, 2], PATIENCE)?;
        done(&t!("demo-done-boot", time = time(took)));
        let holder = self.served(sight, &[0, 1, 2])?;
        if holder != second {
            bail!(t!("demo-moved-back", node = self.name(first)));
        }
        done(&t!("demo-no-failback", node = self.name(second)));
        Ok(second)
    }

    fn stop_and_move_back(&mut self, sight: &Sight, holder: usize) -> Result<()> {
        self.step(&t!("demo-step-stop", node = self.name(holder)));
        self.command(holder, "systemctl stop sfha");
        let before = sight.prober.started().elapsed();
        self.cluster.node(holder).exec_ok(&["systemctl", "stop", "sfha.service"])?;
        let next = self.served(sight, &self.others(holder))?;
        let gap = gap_since(sight, before);
        within(&t!("demo-step-stop", node = self.name(holder)), gap, MOVE_LIMIT)?;
        done(&t!("demo-done-stop", node = self.name(next), gap = time(gap)));

        self.step(&t!("demo-step-failover"));
        let to = self.name(holder);
        self.command(holder, "systemctl start sfha");
        self.cluster.node(holder).exec_ok(&["systemctl", "start", "sfha.service"])?;
        self.cluster.wait_in_step(&[0, 1, 2], PATIENCE)?;
        self.command(holder, &format!("sfha failover --to {to}"));
        let before = sight.prober.started().elapsed();
        let moved: FailoverDone = self.cluster.ask(holder, &["failover", "--to", &to])?;
        ensure!(moved.to == to && moved.moved == [WEB], "{moved:?}");
        self.served(sight, &[0, 1, 2])?;
        let gap = gap_since(sight, before);
        within(&t!("demo-step-failover"), gap, MOVE_LIMIT)?;
        done(&t!("demo-done-failover", node = to, gap = time(gap)));
        Ok(())
    }

    fn others(&self, node: usize) -> Vec<usize> {
        self.cluster.all().into_iter().filter(|other| *other != node).collect()
    }

    /// Waits until one of these has the address in the eyes of all of them, and the client reaches it there.
    fn served(&self, sight: &Sight, nodes: &[usize]) -> Result<usize> {
        let holder = self.cluster.wait_active(WEB, nodes, PATIENCE)?;
        sight.watcher.wait_holders(&[holder], PATIENCE)?;
        sight.prober.wait_answered_again(PATIENCE)?;
        ensure!(sight.prober.report().last_node() == Some(holder), "{VIP} / {}", self.name(holder));
        Ok(holder)
    }

    /// Opens the dashboard of a node on this terminal and returns when it is left.
    pub fn dashboard(&self, node: usize) -> Result<()> {
        println!("{}", t!("demo-dashboard", node = self.name(node)));
        let mut dashboard = self.cluster.node(node).command(&["sfha", "--lang", words::current().tag()])?;
        let terminal = std::env::var_os("TERM").unwrap_or_else(|| "linux".into());
        dashboard.env("TERM", terminal).status().context("the dashboard")?;
        Ok(())
    }

    /// Takes everything down.
    pub fn end(self) -> Result<()> {
        self.cluster.down()?;
        println!("{}\n", t!("demo-end"));
        Ok(())
    }
}

fn say(step: u32, what: &str) {
    println!("{step}. {what}");
}

fn done(what: &str) {
    println!("   ✓ {what}");
}

/// The longest silence that ended after that moment of the prober.
fn gap_since(sight: &Sight, moment: Duration) -> Duration {
    let silences = sight.prober.report().silences;
    let after = silences.iter().filter(|silence| silence.from + silence.length > moment);
    after.map(|silence| silence.length).max().unwrap_or_default()
}

fn within(what: &str, took: Duration, limit: Duration) -> Result<()> {
    if took > limit {
        bail!(t!("demo-took-too-long", what = what, time = time(took), limit = time(limit)));
    }
    Ok(())
}
