//! An sfha cluster in a [lab](crate::lab): the package on every node, and the words of an operator.
//!
//! Commands go through `sfha` in the node, as an operator's do. What is polled goes straight to the daemon's
//! socket: a process for each look would slow down what is being looked at.

mod host;
mod noted;
mod package;
mod socket;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use sfha_proto::mesh::{Joined, MeshStatus, PeerState, TokenMade};
use sfha_proto::status::{ClusterStatus, Phase, StateVersion, VipState};

use crate::lab::{Lab, LabOptions, Node, Output, wait_for, wait_until};

pub use host::{Usage, usage};
pub use nix::sys::signal::Signal as UnixSignal;
pub use noted::{NOTED_UNIT, Run, Span, at_once, now};
pub use package::package;

/// Name of the clusters made here.
pub const CLUSTER: &str = "prod";

/// The mesh network of the clusters made here: `10.100.0.1/24` is the first node's address.
pub const MESH_IP: &str = "10.100.0.1/24";

/// The floating address of most tests, in the lab's network.
pub const VIP: &str = "10.77.0.100";

/// For what takes moments on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Nodes with sfha installed, members of a cluster or not yet.
#[derive(Debug)]
pub struct Cluster {
    lab: Lab,
}

impl Cluster {
    /// Nodes on which the package is installed and nothing else has happened.
    pub fn fresh(options: LabOptions) -> Result<Self> {
        let lab = Lab::up(&options.package(package()?))?;
        Ok(Self { lab })
    }

    /// Nodes of a machine that has the package itself, as the [guest](crate::guest) has.
    pub fn on(lab: Lab) -> Self {
        Self { lab }
    }

    /// A cluster of that many nodes: `init` on the first, one `join` on each of the others.
    pub fn formed(label: &str, nodes: usize) -> Result<Self> {
        Self::formed_in(LabOptions::unique(label).nodes(nodes))
    }

    /// The same in a lab of that kind.
    pub fn formed_in(options: LabOptions) -> Result<Self> {
        let cluster = Self::fresh(options)?;
        cluster.form()?;
        Ok(cluster)
    }

    /// `init` on the first node, one `join` on each of the others.
    pub fn form(&self) -> Result<()> {
        let mut token = self.init(0)?;
        for node in 1..self.lab.nodes().len() {
            if node > 1 {
                token = self.token(0)?;
            }
            self.join(node, &token.token)?;
        }
        self.wait_in_step(&self.all(), PATIENCE)?;
        Ok(())
    }

    /// Takes the lab down, and says what went wrong with that.
    pub fn down(self) -> Result<()> {
        self.lab.down()
    }

    /// The lab it is in.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// A node by position, from 0. Panics when there is none.
    pub fn node(&self, index: usize) -> &Node {
        self.lab.node(index)
    }

    /// All positions.
    pub fn all(&self) -> Vec<usize> {
        (0..self.lab.nodes().len()).collect()
    }

    /// Runs `sfha` in a node. What it prints with `--json` is what `docs/json/` says, or that is an error.
    pub fn sfha(&self, node: usize, args: &[&str]) -> Result<Output> {
        let mut command = vec!["sfha"];
        command.extend(args);
        let output = self.node(node).exec(&command)?;
        #[cfg(feature = "judge")]
        judge(args, &output).with_context(|| format!("{}: {command:?}", self.node(node).name()))?;
        Ok(output)
    }

    /// Runs `sfha` with `--json` in a node: it must succeed and print one such document.
    pub fn ask<T: DeserializeOwned>(&self, node: usize, args: &[&str]) -> Result<T> {
        let mut all = vec!["--json"];
        all.extend(args);
        let output = self.sfha(node, &all)?;
        let label = || format!("{}: sfha {}", self.node(node).name(), args.join(" "));
        ensure!(
            output.success(),
            "{}: exit status {}: {}{}",
            label(),
            output.code,
            output.stdout,
            output.stderr
        );
        serde_json::from_value(output.json()?).with_context(label)
    }

    /// `sfha init`, with the mesh, on that node.
    pub fn init(&self, node: usize) -> Result<TokenMade> {
        self.ask(node, &["init", "--cluster", CLUSTER, "--mesh", "--ip", MESH_IP])
    }

    /// `sfha join` on that node.
    pub fn join(&self, node: usize, token: &str) -> Result<Joined> {
        self.ask(node, &["join", token])
    }

    /// `sfha mesh token` on that node.
    pub fn token(&self, node: usize) -> Result<TokenMade> {
        self.ask(node, &["mesh", "token"])
    }

    /// `sfha status` as that node's command line prints it.
    pub fn status(&self, node: usize) -> Result<ClusterStatus> {
        self.ask(node, &["status"])
    }

    /// `sfha mesh status` as that node's command line prints it.
    pub fn mesh(&self, node: usize) -> Result<MeshStatus> {
        self.ask(node, &["mesh", "status"])
    }

    /// How that node reaches another one, as it says: `direct` or the relay's name, if it answers at all.
    pub fn path(&self, from: usize, to: usize) -> Option<String> {
        let result = socket::call(self.node(from), "mesh.status").ok()?;
        let mesh: MeshStatus = serde_json::from_value(result).ok()?;
        let name = self.node(to).name();
        let peer = mesh.peers.into_iter().find(|peer| peer.name == name)?;
        (peer.state == PeerState::Connected).then_some(peer.path)
    }

    /// Waits until both ends of a pair reach each other so, and returns how long that took.
    pub fn wait_path(&self, one: usize, other: usize, path: &str, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        let ends = [(one, other), (other, one)];
        let what = format!("the path between node{} and node{} to be {path}", one + 1, other + 1);
        let there = || ends.iter().all(|(from, to)| self.path(*from, *to).as_deref() == Some(path));
        wait_until(&what, timeout, there).with_context(|| {
            let now: Vec<_> = ends.iter().map(|(from, to)| self.path(*from, *to)).collect();
            format!("they are {now:?}\n{}", self.describe())
        })?;
        Ok(start.elapsed())
    }

    /// `sfha vip add` on that node, with an address of the lab's network.
    pub fn vip_add(&self, node: usize, name: &str, ip: &str) -> Result<()> {
        let _: serde_json::Value = self.ask(node, &["vip", "add", name, &format!("{ip}/24")])?;
        Ok(())
    }

    /// The status straight from the daemon's socket; `None` when nobody answers.
    pub fn look(&self, node: usize) -> Option<ClusterStatus> {
        let result = socket::call(self.node(node), "status").ok()?;
        serde_json::from_value(result).ok()
    }

    /// The version and hash of the state on every one of these nodes, if all are operational with this number
    /// of members and have the same.
    pub fn agreed(&self, nodes: &[usize]) -> Option<StateVersion> {
        let mut common: Option<StateVersion> = None;
        for node in nodes {
            let status = self.look(*node)?;
            let members = status.nodes.iter().filter(|node| node.online && node.daemon).count();
            if status.phase != Phase::Operational || !status.quorum.quorate || members != nodes.len() {
                return None;
            }
            let state = status.state?;
            if common.get_or_insert_with(|| state.clone()) != &state {
                return None;
            }
        }
        common
    }

    /// Waits until exactly these nodes are members of a quorate group, all with the same state.
    pub fn wait_in_step(&self, nodes: &[usize], timeout: Duration) -> Result<StateVersion> {
        wait_for(&format!("the nodes {nodes:?} to be in step"), timeout, || self.agreed(nodes))
            .with_context(|| self.describe())
    }

    /// Waits until a VIP is active on one of these nodes in the eyes of all of them, and returns which.
    pub fn wait_active(&self, vip: &str, nodes: &[usize], timeout: Duration) -> Result<usize> {
        let what = format!("the vip {vip} to be active for the nodes {nodes:?}");
        let holder = wait_for(&what, timeout, || {
            let mut holders = nodes.iter().map(|node| {
                let status = self.look(*node)?;
                let vip = status.vips.into_iter().find(|known| known.name == vip)?;
                vip.holder.filter(|_| vip.state == VipState::Active)
            });
            let first = holders.next()??;
            let index = self.lab.find_node(&first).ok()?.index();
            (holders.all(|holder| holder.as_ref() == Some(&first)) && nodes.contains(&index)).then_some(index)
        });
        holder.with_context(|| self.describe())
    }

    /// Waits until a daemon says it is in that phase.
    pub fn wait_phase(&self, node: usize, phase: Phase, timeout: Duration) -> Result<()> {
        let what = format!("{} to be {phase:?}", self.node(node).name());
        wait_until(&what, timeout, || self.look(node).is_some_and(|status| status.phase == phase))
            .with_context(|| self.describe())?;
        Ok(())
    }

    /// One line a node: what an error message needs of all of them.
    pub fn describe(&self) -> String {
        let line = |node: usize| {
            let name = self.node(node).name();
            let Some(status) = self.look(node) else { return format!("{name}: no daemon") };
            let members: Vec<_> =
                status.nodes.iter().filter(|node| node.daemon).map(|node| node.name.as_str()).collect();
            let vips: Vec<_> = status
                .vips
                .iter()
                .map(|vip| format!("{} {:?} {}", vip.name, vip.state, vip.holder.as_deref().unwrap_or("-")))
                .collect();
            let (phase, state) = (status.phase, status.state);
            format!("{name}: {phase:?}, members {members:?}, vips {vips:?}, state {state:?}")
        };
        self.all().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The process id, on this machine, of the main process of a unit in a node.
    pub fn unit_pid(&self, node: usize, unit: &str) -> Result<u32> {
        let shown = self.node(node).exec_ok(&["systemctl", "show", "-P", "MainPID", unit])?;
        let inside: u32 = shown.trim().parse().context("MainPID")?;
        ensure!(inside != 0, "{unit} does not run on {}", self.node(node).name());
        host::pid_of(self.node(node), inside)
    }

    /// Sends a signal to the main process of a unit alone, and returns the moment of it.
    pub fn signal(&self, node: usize, unit: &str, signal: Signal) -> Result<Instant> {
        let pid = Pid::from_raw(i32::try_from(self.unit_pid(node, unit)?)?);
        let at = Instant::now();
        kill(pid, signal).with_context(|| format!("{signal} to {unit}"))?;
        Ok(at)
    }

    /// Boots a node and waits until its daemon is operational; the time both took together.
    pub fn boot_operational(&self, node: usize, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        self.node(node).boot()?;
        self.wait_phase(node, Phase::Operational, timeout)?;
        Ok(start.elapsed())
    }

    /// Cuts a node's power and boots it again; how long until it is operational and all are in step.
    pub fn boot_after_power_cut(&self, node: usize) -> Result<Duration> {
        self.node(node).cut()?;
        let start = Instant::now();
        self.boot_operational(node, PATIENCE)?;
        self.wait_in_step(&self.all(), PATIENCE)?;
        Ok(start.elapsed())
    }

    /// Fails when any daemon of these nodes logged an error, or died by itself.
    pub fn check_journals(&self, nodes: &[usize]) -> Result<()> {
        for node in nodes {
            let errors = self.node(*node).journal(&["-u", "sfha.service", "-p", "err", "-o", "cat"])?;
            if !errors.is_empty() {
                bail!("{} has errors in its journal:\n{errors}", self.node(*node).name());
            }
        }
        Ok(())
    }
}

/// Fails where a document is not as its schema says. Nothing is asked of a command that was killed.
#[cfg(feature = "judge")]
fn judge(args: &[&str], output: &Output) -> Result<()> {
    let asked = args.iter().any(|arg| ["--json", "-j"].contains(arg));
    let Some(schema) = crate::documents::schema_of(args).filter(|_| asked && output.code < 128) else {
        return Ok(());
    };
    let document = output.json()?;
    let name = if document.get("error").is_some() { "error" } else { schema.as_str() };
    let faults = crate::documents::faults(name, &document);
    ensure!(faults.is_empty(), "docs/json/ says otherwise: {}\n{document}", faults.join("\n"));
    Ok(())
}
