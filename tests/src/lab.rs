//! A whole cluster on this machine: a switch, nodes that are complete Debian systems, and a client.
//!
//! ```text
//!   netns sfha.NAME.switch                     netns sfha.NAME.node1 … : systemd-nspawn, booted
//!   ┌───────────────────────────┐   ┌───────────────────────────────────────────────────┐
//!   │ br0 ── p1 ────────────────┼───┼─ eth0 10.77.0.1   systemd, D-Bus, disk = overlay of / │
//!   │     ├─ p2 ── node2 …      │   └───────────────────────────────────────────────────┘
//!   │     └─ client ────────────┼─── netns sfha.NAME.client: eth0 10.77.0.250
//!   └───────────────────────────┘
//! ```
//!
//! The networks of two labs are unconnected, so all labs have the same addresses and several run at once. A
//! lab ends with its [`Lab`] value. When its process is killed instead, the next one to be made removes it
//! ([`reap`]). It is only for root, and it needs what [`require`] lists.
//!
//! Everything is blocking and may be called from any thread; faults take effect before the call returns.

pub mod address;
mod bare;
mod cgroup;
mod client;
mod exec;
mod image;
mod nat;
mod netlink;
mod netns;
mod node;
pub mod place;
mod probe_report;
mod prober;
mod process;
mod realtime;
pub mod reap;
pub mod require;
mod switch;
mod wait;
mod watch_report;
mod watcher;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use nix::mount::{MsFlags, mount};

pub use address::Address;
pub use bare::bare_debian;
pub use client::Client;
pub use exec::Task;
pub use nat::Nat;
pub use node::Node;
pub use probe_report::{AnswerRun, ProbeReport, Silence};
pub use prober::Prober;
pub(crate) use process::run;
pub use process::{Output, ProcessId};
pub use switch::Endpoint;
pub use wait::{wait_for, wait_until};
pub use watch_report::{Holding, WatchReport};
pub use watcher::AddressWatcher;

use image::Image;
use nat::Router;
use place::Place;
use reap::GlobalLock;
use switch::Switch;

/// Nodes and client have host numbers below 100; what is above is for floating addresses.
const MAX_NODES: usize = 32;

/// What a lab is made of.
#[derive(Debug, Clone)]
pub struct LabOptions {
    name: String,
    nodes: usize,
    packages: Vec<PathBuf>,
    routers: Vec<(usize, Nat)>,
    boot: bool,
    base: PathBuf,
}

impl LabOptions {
    /// Three nodes under exactly this name, which must be free.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 3,
            packages: Vec::new(),
            routers: Vec::new(),
            boot: true,
            base: PathBuf::from("/"),
        }
    }

    /// Three nodes under a name that begins with `label` and that no other lab has: what tests want.
    pub fn unique(label: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("{label}-{}-{number}", std::process::id()))
    }

    /// That many nodes.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Installs a Debian package in all nodes before they boot.
    pub fn package(mut self, file: impl Into<PathBuf>) -> Self {
        self.packages.push(file.into());
        self
    }

    /// Puts a router with address translation between a node (counted from 0) and the switch.
    pub fn behind_nat(mut self, node: usize, nat: Nat) -> Self {
        self.routers.push((node, nat));
        self
    }

    /// Nodes of another system than this machine's, by its root: [`bare_debian`].
    pub fn of_system(mut self, root: impl Into<PathBuf>) -> Self {
        self.base = root.into();
        self
    }

    /// Leaves the nodes switched off; [`Node::boot`] starts them one by one.
    pub fn switched_off(mut self) -> Self {
        self.boot = false;
        self
    }
}

/// A running lab; dropping it removes everything it made, unless it was merely [attached](Lab::attach).
#[derive(Debug)]
pub struct Lab {
    place: Place,
    nodes: Vec<Node>,
    client: Client,
    owned: bool,
}

impl Lab {
    /// Builds the lab and boots its nodes, all at once. Labs that killed processes left behind go first.
    pub fn up(options: &LabOptions) -> Result<Self> {
        require::check()?;
        ensure!((1..=MAX_NODES).contains(&options.nodes), "a lab has 1 to {MAX_NODES} nodes");
        let place = Place::new(&options.name)?;
        claim(&place)?;
        // From here on dropping the value cleans up, however far the rest has come.
        let nodes = (0..options.nodes).map(|index| Node::new(&place, index)).collect();
        let lab = Self { client: Client::of(&place), place, nodes, owned: true };
        lab.build(options).with_context(|| format!("cannot build the lab {}", options.name))?;
        if options.boot {
            lab.boot_all()?;
        }
        Ok(lab)
    }

    /// A lab that another process holds, by name. Dropping the value leaves it running.
    pub fn attach(name: &str) -> Result<Self> {
        let place = Place::new(name)?;
        ensure!(reap::owner(&place).is_some(), "there is no lab {name}: sfha-lab list shows those there are");
        let exists = |index: &usize| place.dir().join(format!("node{}", index + 1)).is_dir();
        let nodes = (0..MAX_NODES).take_while(exists).map(|index| Node::new(&place, index)).collect();
        Ok(Self { client: Client::of(&place), place, nodes, owned: false })
    }

    fn build(&self, options: &LabOptions) -> Result<()> {
        let lock = GlobalLock::take()?;
        self.switch().create(&lock)?;
        self.client.create(&lock)?;
        for (node, nat) in &options.routers {
            ensure!(*node < self.nodes.len(), "no node {node} to be behind a router");
            Router::new(&self.place, *node).create(*nat, &lock)?;
        }
        drop(lock);
        let image = Image::of(&self.place, &options.base);
        let names: Vec<_> = self.nodes.iter().map(|node| (node.outside_ip(), node.name())).collect();
        image.build(&self.place, &names, &options.packages)?;
        for node in &self.nodes {
            fs::create_dir_all(node.dir())?;
            image.mount_node(&node.dir(), &node.name())?;
        }
        Ok(())
    }

    /// Boots every node that is off.
    pub fn boot_all(&self) -> Result<()> {
        thread::scope(|scope| {
            let off = self.nodes.iter().filter(|node| !node.is_running());
            let boots: Vec<_> = off.map(|node| scope.spawn(|| node.boot())).collect();
            for boot in boots {
                boot.join().map_err(|_| anyhow!("a boot panicked"))??;
            }
            Ok(())
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by position, from 0. Panics when there is none.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// A node by host name (`node1`), or by the number in it.
    pub fn find_node(&self, name: &str) -> Result<&Node> {
        let number = name.strip_prefix("node").unwrap_or(name);
        let found = number.parse().ok().and_then(|number: usize| self.nodes.get(number.checked_sub(1)?));
        found.with_context(|| format!("{} has node1 to node{}, no {name:?}", self.name(), self.nodes.len()))
    }

    /// The client on the same switch.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn switch(&self) -> Switch {
        Switch::of(&self.place)
    }

    /// Splits the network: nodes of different groups no longer hear each other, those in no group and the
    /// client hear everybody. Replaces every earlier split and block.
    pub fn partition(&self, groups: &[&[usize]]) -> Result<()> {
        let mut seen = BTreeSet::new();
        for index in groups.iter().copied().flatten() {
            ensure!(
                *index < self.nodes.len() && seen.insert(*index),
                "no node {index}, or twice: {groups:?}"
            );
        }
        let mut pairs = Vec::new();
        for (one, group) in groups.iter().enumerate() {
            let others = groups.iter().enumerate().filter(|(other, _)| *other != one);
            for other in others.flat_map(|(_, other)| other.iter()) {
                pairs.extend(group.iter().map(|node| (Endpoint::Node(*node), Endpoint::Node(*other))));
            }
        }
        self.heal()?;
        self.switch().block(&pairs)
    }

    /// Cuts a node off from all others and from the client, without taking its carrier.
    pub fn isolate(&self, node: usize) -> Result<()> {
        let others = (0..self.nodes.len()).filter(|other| *other != node).map(Endpoint::Node);
        for other in others.chain([Endpoint::Client]) {
            self.block(Endpoint::Node(node), other)?;
        }
        Ok(())
    }

    /// Additionally lets nothing pass between these two, in either direction.
    pub fn block(&self, one: Endpoint, other: Endpoint) -> Result<()> {
        self.switch().block(&[(one, other), (other, one)])
    }

    /// Additionally lets nothing pass from one to the other; the way back stays open.
    pub fn block_one_way(&self, from: Endpoint, to: Endpoint) -> Result<()> {
        self.switch().block(&[(from, to)])
    }

    /// Loses that share of all frames between nodes, at random.
    pub fn lose(&self, percent: u8) -> Result<()> {
        let all = 0..self.nodes.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        let pairs: Vec<_> = pairs
            .filter(|(from, to)| from != to)
            .map(|(from, to)| (Endpoint::Node(from), Endpoint::Node(to)))
            .collect();
        self.switch().lose(&pairs, percent)
    }

    /// Has that share of all frames between nodes arrive twice, at random.
    pub fn duplicate(&self, percent: u8) -> Result<()> {
        self.switch().duplicate(self.nodes.len(), percent)
    }

    /// Ends all partitions, blocks, losses and duplications. Pulled cables stay pulled.
    pub fn heal(&self) -> Result<()> {
        self.switch().heal()
    }

    /// Watches on which nodes an address is, from now on.
    pub fn watch_address(&self, ip: std::net::IpAddr) -> Result<AddressWatcher> {
        AddressWatcher::start(self.nodes.clone(), ip)
    }

    /// The state of every node and the end of its journal: printed by itself when a test panics.
    pub fn diagnostics(&self) -> String {
        let mut text = format!("lab {}", self.name());
        for node in &self.nodes {
            let state = if node.is_running() { "running" } else { "off" };
            let journal = node.journal(&["-n", "60", "-o", "short-precise"]);
            let journal = journal.unwrap_or_else(|error| format!("{error:#}\n"));
            text += &format!("\n--- {} ({state}), end of the journal:\n{journal}", node.name());
        }
        text
    }

    /// Removes the lab and says what went wrong with that, which dropping it cannot.
    pub fn down(mut self) -> Result<()> {
        self.owned = false;
        reap::tear_down(&self.place)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        if thread::panicking() {
            eprintln!("{}", self.diagnostics());
        }
        if let Err(error) = reap::tear_down(&self.place) {
            eprintln!("the lab {} is not wholly removed: {error:#}", self.name());
        }
    }
}

/// Makes the lab's folder and puts this process's name on it; after that it is the owner's to remove.
fn claim(place: &Place) -> Result<()> {
    let lock = GlobalLock::take()?;
    reap::reap_locked(&lock)?;
    if let Some(owner) = reap::owner(place) {
        anyhow::bail!("the lab {} is up already, held by process {}", place.name(), owner.pid);
    }
    let dir = place.dir();
    fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    mount(Some("sfha-lab"), &dir, Some("tmpfs"), MsFlags::empty(), Some("mode=0755,size=50%"))
        .with_context(|| format!("cannot mount a tmpfs on {}", dir.display()))?;
    fs::write(place.owner_file(), ProcessId::current().to_string())?;
    Ok(())
}

/// How long tests wait for something that takes moments on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
