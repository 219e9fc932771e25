//! The loop of a run: the next thing that happens, happens.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use sfha_core::cluster::Ring;
use sfha_core::record::{FORMAT, Log, Start, Turn};
use sfha_core::state::{MeshSettings, Node};
use sfha_core::{ActionId, Cluster, ClusterState, Command, Event, Member, NodeId, Settings, Time};

use super::book::Book;
use super::corosync::{Net, Out, What};
use super::device::{Device, Step};
use super::fencing::FenceCall;
use super::hands::Work;
use super::keys::Keys;
use super::machine::{Daemon, Machine};
use super::profile::Profile;
use super::rng::Rng;

pub(super) const MS: u64 = 1000;

/// After every so many turns a core is asked whether it overlooked something, which costs as much as some turns; a
/// prime, lest it is always after the same ones.
const OVERLOOKED: u64 = 61;

/// Lines of the story that a failure shows.
const STORY: usize = 60;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Coming {
    Fault,
    Wake(NodeId, u32),
    Tick(NodeId, u32, u64),
    Done(NodeId, u32, ActionId, Work),
    Renew(NodeId, u32),
    Order(Ring),
    Form(BTreeSet<NodeId>),
    FormAlone(NodeId),
    Boot(NodeId),
    CorosyncStart(NodeId),
    ReleaseAfterDeath(NodeId, u32),
    DaemonStart(NodeId),
    Connect(NodeId, u32),
    Resume(NodeId),
    LeaveDeadline(NodeId, u32),
    WatchdogKill(NodeId, u32),
    UnitGone(NodeId, String),
    Retire(NodeId),
    Fence(FenceCall),
    Bite(NodeId, u64),
    Device(Step),
    FindEachOther,
    Settle,
    Ask,
}

struct Entry(u64, u64, Coming);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// A cluster, its network and its bad luck.
pub struct World {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) profile: Profile,
    coming: BinaryHeap<Reverse<Entry>>,
    count: u64,
    ordering: BTreeSet<Ring>,
    pub(super) net: Net,
    pub(super) machines: BTreeMap<NodeId, Machine>,
    pub(super) book: Book,
    pub(super) keys: Keys,
    pub(super) device: Option<Device>,
    /// Until then no driver reaches anything.
    pub(super) api_down_until: u64,
    /// Faults are over.
    pub(super) settling: bool,
    /// When somebody last took or released something.
    pub(super) last_change: u64,
    story: Option<VecDeque<String>>,
    /// Logs of processes that ended, where logs are kept.
    pub(super) old_logs: Vec<(NodeId, Log)>,
    pub(super) violation: Option<String>,
    /// Turns of all cores.
    turns: u64,
}

impl World {
    /// A cluster at rest, all of its nodes about to boot.
    #[must_use]
    pub fn new(seed: u64, profile: Profile, record: bool) -> Self {
        let mut rng = Rng::new(seed);
        let count = rng.range(profile.nodes.0, profile.nodes.1);
        let mut state = initial_state(count, profile.services, &mut rng);
        if let Some(fencing) = profile.fencing {
            state.stonith = super::fencing::settings(fencing);
        }
        let mut net = Net::new(state.nodes.keys().copied().collect(), profile.two_node, profile.detection);
        net.has_device = profile.device;
        let profile_device = profile.device.then(Device::default);
        state.corosync.qdevice = profile.device.then(super::device::settings);
        let machines = state.nodes.keys().map(|id| (*id, Machine::new(*id, state.clone()))).collect();
        let mut world = Self {
            now: 1_000_000,
            rng,
            profile,
            coming: BinaryHeap::new(),
            count: 0,
            ordering: BTreeSet::new(),
            net,
            machines,
            book: Book::default(),
            keys: Keys::default(),
            device: profile_device,
            api_down_until: 0,
            settling: false,
            last_change: 0,
            story: record.then(VecDeque::new),
            old_logs: Vec::new(),
            violation: None,
            turns: seed % OVERLOOKED,
        };
        for id in state.nodes.keys() {
            let wait = world.rng.millis(0, 500);
            world.after(wait, Coming::Boot(*id));
        }
        let end = world.profile.duration;
        world.after(3000 * MS, Coming::Fault);
        world.after(3000 * MS + end, Coming::Settle);
        world
    }

    /// Runs to the end, or to the first violation.
    ///
    /// # Errors
    /// What was violated.
    pub fn run(&mut self) -> Result<(), String> {
        let mut steps = 0_u64;
        while let Some(Reverse(Entry(at, _, coming))) = self.coming.pop() {
            self.now = at;
            self.happen(coming);
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
            steps += 1;
            if steps > 400_000 {
                return Err("no end: more than 400,000 steps".to_owned());
            }
            if self.settling && at >= self.book.end {
                return self.check_end();
            }
        }
        Err("nothing more happens".to_owned())
    }

    pub(super) fn after(&mut self, wait: u64, coming: Coming) {
        self.count += 1;
        self.coming.push(Reverse(Entry(self.now + wait, self.count, coming)));
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = self.now;
            story.push_back(format!(
                "{:>10.3} ms  {}",
                Duration::from_micros(at).as_secs_f64() * 1e3,
                line()
            ));
            if story.len() > STORY * 40 {
                story.pop_front();
            }
        }
    }

    /// The last lines of what happened.
    #[must_use]
    pub fn story(&self, all: bool) -> String {
        let Some(story) = &self.story else { return String::new() };
        let skip = if all { 0 } else { story.len().saturating_sub(STORY) };
        story.iter().skip(skip).map(|line| format!("{line}\n")).collect()
    }

    /// The logs of all processes, oldest first.
    #[must_use]
    pub fn logs(&self) -> Vec<(NodeId, Log)> {
        let running = self.machines.values().filter_map(|machine| {
            machine.daemon.as_ref().and_then(|daemon| daemon.log.clone()).map(|log| (machine.id, log))
        });
        self.old_logs.iter().cloned().chain(running).collect()
    }

    pub(super) fn violate(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Fault => self.next_fault(),
            Coming::FindEachOther => self.find_each_other(),
            Coming::Settle => self.settle(),
            Coming::Fence(call) => self.driver_answers(call),
            Coming::Bite(node, fed) => self.bite(node, fed),
            Coming::Device(step) => self.device_step(step),
            Coming::Ask => self.ask_to_end_hands_off(),
            Coming::Wake(node, pid) => self.wake(node, pid),
            Coming::Tick(node, pid, at) => self.tick(node, pid, at),
            Coming::Done(node, pid, id, work) => self.done(node, pid, id, work),
            Coming::Renew(node, pid) => self.renew(node, pid),
            Coming::Order(ring) => {
                self.ordering.remove(&ring);
                if self.synchronises(ring) {
                    return self.order_soon(ring);
                }
                let most = if self.rng.chance(300) { 1 } else { 100 };
                let out = self.net.order(ring, most);
                self.pass(out);
                if self.net.has_more(ring) {
                    self.order_soon(ring);
                }
            }
            Coming::Form(nodes) => {
                let out = self.net.form_planned(&nodes, self.now, &mut self.rng);
                if !out.is_empty() {
                    self.tell(|| format!("ring {nodes:?}"));
                    self.pass(out);
                    self.replan();
                }
            }
            Coming::FormAlone(node) => {
                if self.net.is_live(node) {
                    let out = self.net.form(&BTreeSet::from([node]), self.now, &mut self.rng);
                    self.tell(|| format!("ring {{{node}}}, alone first"));
                    self.pass(out);
                    self.replan();
                }
            }
            Coming::Boot(node) => self.boot(node),
            Coming::CorosyncStart(node) => self.corosync_start(node),
            Coming::ReleaseAfterDeath(node, pid) => self.release_after_death(node, pid),
            Coming::DaemonStart(node) => self.daemon_start(node),
            Coming::Connect(node, pid) => self.connect(node, pid),
            Coming::Resume(node) => self.resume(node),
            Coming::LeaveDeadline(node, pid) => self.leave_deadline(node, pid),
            Coming::WatchdogKill(node, pid) => self.watchdog_kill(node, pid),
            Coming::UnitGone(node, unit) => self.unit_gone(node, &unit),
            Coming::Retire(node) => self.end_corosync(node),
        }
    }

    // --- Corosync ---

    /// After every change of who lives and who reaches whom.
    pub(super) fn replan(&mut self) {
        for (at, nodes) in self.net.plan(self.now, &mut self.rng) {
            let wait = at.saturating_sub(self.now);
            self.after(wait, Coming::Form(nodes));
        }
        for ring in self.net.busy_rings() {
            self.order_soon(ring);
        }
    }

    fn order_soon(&mut self, ring: Ring) {
        if self.ordering.insert(ring) {
            let wait = match self.rng.below(1000) {
                0 => self.rng.millis(50, 600),
                1..10 => self.rng.millis(2, 30),
                _ => self.rng.range(200, 1500),
            };
            self.after(wait, Coming::Order(ring));
        }
    }

    pub(super) fn send(&mut self, from: Member, what: What) {
        if let Some(ring) = self.net.send(from, what) {
            self.order_soon(ring);
        }
    }

    fn pass(&mut self, out: Vec<Out>) {
        for item in out {
            match item {
                Out::Group(to, event) => {
                    let listens = |daemon: &Daemon| daemon.connected && daemon.pid == to.pid;
                    if self.daemon(to.node).is_some_and(listens) {
                        let lag = self.rng.range(50, 2000);
                        self.push(to.node, 0, lag, event);
                    }
                }
                Out::Left(member) => self.left(member),
                Out::Ring(node) => {
                    if !self.net.votes(node).0 {
                        self.book.without_quorum.insert(node, self.now);
                    }
                    if self.device.is_some() {
                        self.device_ring(node);
                    } else {
                        self.push_quorum(node);
                    }
                }
            }
        }
    }

    pub(super) fn push_quorum(&mut self, node: NodeId) {
        let Some((ring, members)) = self.net.ring(node) else { return };
        if !self.daemon(node).is_some_and(|daemon| daemon.connected) || self.waits_for_device(node) {
            return;
        }
        let (quorate, total, needed) = self.net.votes(node);
        let event = Event::Quorum { quorate, ring, members: members.clone() };
        let expected = self.net.configured.len() + usize::from(self.net.has_device);
        let expected = u32::try_from(expected).unwrap_or(0);
        let lag = self.rng.range(50, self.profile.quorum_lag);
        self.push(node, 1, lag, event);
        self.push(node, 1, 10, Event::Votes { total, expected, needed });
    }

    pub(super) fn daemon(&self, node: NodeId) -> Option<&Daemon> {
        self.machines.get(&node)?.daemon.as_ref()
    }

    pub(super) fn daemon_mut(&mut self, node: NodeId) -> Option<&mut Daemon> {
        self.machines.get_mut(&node)?.daemon.as_mut()
    }

    /// The daemon, if it is that process.
    pub(super) fn process(&mut self, node: NodeId, pid: u32) -> Option<&mut Daemon> {
        self.daemon_mut(node).filter(|daemon| daemon.pid == pid)
    }

    // --- what a daemon reads ---

    pub(super) fn push(&mut self, node: NodeId, stream: usize, lag: u64, event: Event) {
        self.count += 1;
        let (now, count) = (self.now, self.count);
        let Some(daemon) = self.daemon_mut(node) else { return };
        let ready = (now + lag).max(daemon.newest[stream]);
        daemon.newest[stream] = ready;
        daemon.inbox.insert((ready, count), event);
        let pid = daemon.pid;
        self.after(ready - now, Coming::Wake(node, pid));
    }

    fn wake(&mut self, node: NodeId, pid: u32) {
        if self.stands_still(node) {
            return;
        }
        let now = self.now;
        while let Some(daemon) = self.process(node, pid) {
            let Some(entry) = daemon.inbox.first_entry().filter(|entry| entry.key().0 <= now) else { return };
            let event = entry.remove();
            self.feed(node, event);
        }
    }

    pub(super) fn stands_still(&self, node: NodeId) -> bool {
        self.machines.get(&node).is_some_and(Machine::stands_still)
    }

    fn tick(&mut self, node: NodeId, pid: u32, at: u64) {
        if self.stands_still(node) {
            return;
        }
        if self.process(node, pid).is_some_and(|daemon| daemon.tick == Some(at)) {
            if let Some(daemon) = self.daemon_mut(node) {
                daemon.tick = None;
            }
            self.feed(node, Event::Tick);
        }
    }

    /// One event, every action, the next deadline.
    pub(super) fn feed(&mut self, node: NodeId, event: Event) {
        let now = self.now;
        self.tell(|| format!("node {node} <- {}", brief(&event)));
        let Some(daemon) = self.daemon_mut(node) else { return };
        let record = daemon.log.is_some().then(|| event.clone());
        daemon.core.handle_event(event, Time::from_micros(now));
        let actions: Vec<_> = std::iter::from_fn(|| daemon.core.poll_action()).collect();
        if let (Some(event), Some(log)) = (record, &mut daemon.log) {
            log.turns.push(Turn::new(Time::from_micros(now), event, &actions));
        }
        let deadline = daemon.core.poll_timeout().map(|(at, why)| (at.as_micros(), why));
        let pid = daemon.pid;
        let (core, state) = (&daemon.core, daemon.core.state());
        let things = state.vips.len() + core.held().len() + 3 * state.services.len() + state.checks.len();
        let many = 12 + 4 * things;
        if actions.len() > many {
            let count = actions.len();
            self.violate(|| format!("node {node} asks for {count} actions in one turn"));
        }
        for action in actions {
            self.act(node, action);
        }
        if let Some((at, why)) = deadline {
            if at <= now {
                self.violate(|| format!("node {node} has a deadline ({why}) that is over after its turn"));
            }
            if let Some(daemon) = self.process(node, pid)
                && daemon.tick != Some(at)
            {
                daemon.tick = Some(at);
                self.after(at.saturating_sub(now), Coming::Tick(node, pid, at));
            }
        }
        self.turns += 1;
        if self.turns.is_multiple_of(OVERLOOKED) {
            let core = self.daemon(node).map(|daemon| &daemon.core);
            if let Some(why) = core.and_then(|core| core.overlooked(Time::from_micros(now))) {
                self.violate(|| format!("node {node} overlooked something: {why}"));
            }
        }
        self.forget_let_go(node);
        self.check_told(node);
        self.check_turn(node);
    }

    // --- processes ---

    fn daemon_start(&mut self, node: NodeId) {
        let (lost, daemon_lost) = (self.profile.node_lost_delay, self.profile.daemon_lost_delay);
        let record = self.story.is_some();
        let Some(machine) = self.machines.get_mut(&node) else { return };
        machine.starting = false;
        if !machine.powered || machine.daemon.is_some() || machine.frozen {
            return;
        }
        // Whatever an earlier process left is removed before anything else.
        machine.addresses.clear();
        if !machine.units.is_empty() {
            let wait = self.stop_leftovers(node);
            return self.start_again(node, wait / MS + 1, wait / MS + 50);
        }
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.disk.nodes.contains_key(&node) {
            return self.retire(node);
        }
        machine.next_pid += 1;
        let pid = machine.next_pid;
        let settings = Settings {
            me: node,
            program: "0".to_owned(),
            node_lost_delay: lost,
            daemon_lost_delay: daemon_lost,
            unit_margin: self.profile.unit_margin,
        };
        let log = record.then(|| {
            let (settings, state) = (settings.clone(), machine.disk.clone());
            let start = Start { format: FORMAT, began: 0, settings, state };
            Log { start, turns: Vec::new(), cut: false }
        });
        machine.daemon = Some(Daemon::new(pid, Cluster::new(settings, machine.disk.clone()), log));
        self.tell(|| format!("node {node} starts its daemon, {pid}"));
        let wait = self.rng.millis(5, 50);
        self.after(wait, Coming::Connect(node, pid));
        let renewal = self.profile.renewal;
        self.after(renewal, Coming::Renew(node, pid));
    }

    fn connect(&mut self, node: NodeId, pid: u32) {
        if !self.net.is_up(node) || self.process(node, pid).is_none_or(|daemon| daemon.connected) {
            return;
        }
        if self.stands_still(node) || !self.net.is_live(node) {
            self.after(100 * MS, Coming::Connect(node, pid));
            return;
        }
        let member = Member { node, pid };
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.connected = true;
        }
        self.push(node, 0, 10, Event::Connected { member });
        let now = self.now;
        if let Some(daemon) = self.daemon_mut(node) {
            daemon.newest[1] = now + 20;
        }
        self.send(member, What::Join);
        self.tell_device_anew(node);
        self.push_quorum(node);
    }

    fn left(&mut self, member: Member) {
        if self.process(member.node, member.pid).is_none() {
            return;
        }
        self.tell(|| format!("node {} has left", member.node));
        if let Some(machine) = self.machines.get_mut(&member.node) {
            // All whom it left saw it go with nothing left.
            machine.had.clear();
        }
        self.over(member.node);
    }

    /// A daemon ended of its own will.
    pub(super) fn over(&mut self, node: NodeId) {
        self.check_left(node);
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.fed = None;
        }
        let removed = self.daemon(node).is_some_and(|daemon| daemon.core.is_removed());
        self.end_process(node);
        if removed {
            self.retire(node);
        } else {
            self.start_again(node, 200, 4000);
        }
    }

    /// The process is gone; what it put on interfaces is still there.
    pub(super) fn end_process(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let Some(daemon) = machine.daemon.take() else { return };
        // A write under way is over or not when a process dies.
        if self.rng.chance(500)
            && let Some((_, state)) = daemon.writing.into_iter().next()
        {
            machine.disk = *state;
        }
        self.book.process_ended(node, daemon.pid);
        self.old_logs.extend(daemon.log.map(|log| (node, log)));
    }

    pub(super) fn start_again(&mut self, node: NodeId, low: u64, high: u64) {
        let wait = self.rng.millis(low, high);
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.starting && !machine.stays_down {
            machine.starting = true;
            self.after(wait, Coming::DaemonStart(node));
        }
    }
}

fn brief(event: &Event) -> String {
    let text = format!("{event:?}");
    let short: String = text.chars().take(400).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}

fn initial_state(count: u64, services: (u64, u64), rng: &mut Rng) -> ClusterState {
    let node = |id: u64| Node {
        priority: sfha_core::resources::DEFAULT_PRIORITY,
        name: format!("node{id}"),
        address: format!("10.100.0.{id}").parse().unwrap_or([10, 100, 0, 1].into()),
        public_key: Some(format!("key{id}")),
        endpoint: None,
        standby: false,
        rotation: Default::default(),
        lan_address: None,
    };
    let network = "10.100.0.0/24".parse().unwrap_or_default();
    let mesh = MeshSettings { network, port: 51820, mtu: 1420, links: sfha_core::links::mesh_only() };
    let mut state = ClusterState::new("sim", "lan", Some(mesh), node(1));
    for id in 2..=count {
        let id32 = NodeId::try_from(id).unwrap_or(NodeId::MAX);
        state.nodes.insert(id32, node(id));
        state.next_node_id = id32 + 1;
    }
    for vip in 0..rng.range(1, 3) {
        let _ = state.apply(&super::faults::add_vip(vip, vip));
    }
    if services.1 > 0 {
        let mut configured = state.configured();
        for unit in 0..rng.range(services.0, services.1) {
            configured.services.insert(format!("s{unit}"), super::services::service(rng, unit));
        }
        super::services::draw(rng, &mut configured, count);
        let (revision, configured) = (state.revision, Box::new(configured));
        let _ = state.apply(&Command::Configure { revision, configured });
    }
    state
}

impl World {
    pub(super) fn summary(&mut self) -> super::Summary {
        self.book.close_all();
        super::Summary {
            seeds: 1,
            overlaps: self.book.overlaps.clone(),
            answers: self.book.outcomes.clone(),
            fenced: self.book.fenced,
            confirmed: self.book.confirmed,
            bitten: self.book.bitten,
            storms: self.book.storm.into(),
        }
    }
}
