//! A node: its power, its disk, its kernel's addresses, and the daemon's hands (what `io` is for real).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use sfha_core::record::Log;
use sfha_core::state::Vip;
use sfha_core::{ActionId, Cluster, ClusterState, Event, NodeId};

/// One address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// VIP it was put there for.
    pub name: String,
    /// When the kernel removes it.
    pub expiry: u64,
}

/// A node.
#[derive(Debug)]
pub struct Machine {
    /// Corosync's id.
    pub id: NodeId,
    /// It has power.
    pub powered: bool,
    /// All its processes stand still.
    pub frozen: bool,
    /// When it last began to move again, after standing still.
    pub thawed: Option<u64>,
    /// What a fresh process reads.
    pub disk: ClusterState,
    /// Addresses that a client gets an answer from, as long as there is power.
    pub addresses: BTreeMap<IpAddr, Address>,
    /// Units that a daemon started and nobody stopped.
    pub units: BTreeSet<String>,
    /// Units of these whose start is not over, or failed: nobody was served by them.
    pub unserved: BTreeSet<String>,
    /// Units that somebody else started.
    pub foreign: BTreeSet<String>,
    /// Addresses and units that it took on since it was switched on, and has not let go in order; until it is
    /// switched on again, or somebody saw that it is off.
    pub had: BTreeSet<String>,
    /// When its watchdog last got a sign of life, since it runs.
    pub fed: Option<u64>,
    /// The last sign of life, also of one that runs no more.
    pub last_fed: u64,
    /// What it had on it when it lost its power.
    pub died_with: BTreeSet<String>,
    /// Units that did not stop when they were told to.
    pub stuck: BTreeSet<String>,
    /// When a unit died that a daemon started.
    pub died: BTreeMap<String, u64>,
    /// The daemon, while there is one.
    pub daemon: Option<Daemon>,
    /// Process id of the next daemon.
    pub next_pid: u32,
    /// A daemon died and its addresses were not taken off.
    pub left_over: bool,
    /// A start of the daemon is on its way.
    pub starting: bool,
    /// Not started again before the end of the run.
    pub stays_down: bool,
    /// Until when nothing can be written.
    pub disk_full: u64,
    /// Until when what is asked of it gets no answer.
    pub hangs: Hangs,
}

/// Until when something gives no answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hangs {
    /// The kernel's interfaces: nothing is put on, taken off or renewed.
    pub interfaces: u64,
    /// systemd: no job begins or ends.
    pub units: u64,
    /// The disk.
    pub disk: u64,
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// Process id.
    pub pid: u32,
    /// What is being tested.
    pub core: Cluster,
    /// It stands still.
    pub paused: bool,
    /// It has joined Corosync, or asked to.
    pub connected: bool,
    /// It was asked to stop.
    pub stopping: bool,
    /// It has opened its watchdog.
    pub armed: bool,
    /// What Corosync has said, by the time at which it is read.
    pub inbox: BTreeMap<(u64, u64), Event>,
    /// Newest entry of the inbox: of the group, of the quorum service, of drivers.
    pub newest: [u64; 3],
    /// VIPs that it renews.
    pub wanted: BTreeMap<String, Vip>,
    /// Until when the actions of one VIP take.
    pub busy: BTreeMap<String, u64>,
    /// What was asked for and is not over, by resource: one after the other.
    pub under_way: BTreeMap<String, BTreeSet<ActionId>>,
    /// Orders for units that are not over, by service.
    pub orders: BTreeMap<String, BTreeSet<ActionId>>,
    /// Services that are being stopped.
    pub stopping_units: BTreeSet<String>,
    /// Until when writing takes.
    pub disk_busy: u64,
    /// Writes under way: they end in their order.
    pub disk_order: VecDeque<ActionId>,
    /// Writes that are not over.
    pub writing: VecDeque<(ActionId, Box<ClusterState>)>,
    /// Releases that are late or failed, by VIP: the last one.
    pub bad_release: BTreeMap<String, ActionId>,
    /// The deadline that is scheduled.
    pub tick: Option<u64>,
    /// What has been checked of its state.
    pub checked: Option<(u64, u64)>,
    /// Its events, where they are recorded.
    pub log: Option<Log>,
}

impl Machine {
    /// A node without power.
    #[must_use]
    pub fn new(id: NodeId, disk: ClusterState) -> Self {
        Self {
            id,
            powered: false,
            frozen: false,
            thawed: None,
            disk,
            addresses: BTreeMap::new(),
            units: BTreeSet::new(),
            unserved: BTreeSet::new(),
            foreign: BTreeSet::new(),
            stuck: BTreeSet::new(),
            had: BTreeSet::new(),
            fed: None,
            last_fed: 0,
            died_with: BTreeSet::new(),
            died: BTreeMap::new(),
            daemon: None,
            next_pid: 100,
            left_over: false,
            starting: false,
            stays_down: false,
            disk_full: 0,
            hangs: Hangs::default(),
        }
    }

    /// The address is on an interface and answers.
    #[must_use]
    pub fn answers(&self, ip: IpAddr, now: u64) -> Option<&Address> {
        self.addresses.get(&ip).filter(|address| self.powered && address.expiry > now)
    }

    /// Its watchdog has bitten, or need not: it has not got that thing, and had not when it lost its power.
    #[must_use]
    pub fn is_harmless_by(&self, timeout: u64, thing: &str, now: u64) -> bool {
        if !self.powered {
            return !self.died_with.contains(thing) || now >= self.last_fed + timeout;
        }
        let address = thing.parse().ok().is_some_and(|ip: IpAddr| self.answers(ip, now).is_some());
        !address && !self.units.contains(thing)
    }

    /// Its processes can do nothing at the moment.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.frozen || self.daemon.as_ref().is_some_and(|daemon| daemon.paused)
    }
}

impl Daemon {
    /// A fresh process.
    #[must_use]
    pub fn new(pid: u32, core: Cluster, log: Option<Log>) -> Self {
        Self {
            pid,
            core,
            paused: false,
            connected: false,
            stopping: false,
            armed: false,
            inbox: BTreeMap::new(),
            newest: [0, 0, 0],
            wanted: BTreeMap::new(),
            busy: BTreeMap::new(),
            under_way: BTreeMap::new(),
            orders: BTreeMap::new(),
            stopping_units: BTreeSet::new(),
            disk_busy: 0,
            disk_order: VecDeque::new(),
            writing: VecDeque::new(),
            bad_release: BTreeMap::new(),
            tick: None,
            checked: None,
            log,
        }
    }
}
