//! The loop of a run: the next thing that happens, happens.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use sfha_core::cluster::Ring;
use sfha_core::record::{Log, Turn};
use sfha_core::{ActionId, Event, NodeId, Time};

use super::book::Book;
use super::corosync::Net;
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
    pub(super) ordering: BTreeSet<Ring>,
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
    pub(super) story: Option<VecDeque<String>>,
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
        let mut state = super::begin::state(count, profile.services, &mut rng);
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
}

fn brief(event: &Event) -> String {
    let text = format!("{event:?}");
    let short: String = text.chars().take(400).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}
