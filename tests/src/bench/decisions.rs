//! What a decision costs: one event into a core, all its actions out, for the greatest cluster there may be.
//!
//! All nodes' cores in one process, in the group that `sfha simulate` invents. No IO, no lab: what is measured is
//! processor time of this program, wherever it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use sfha_core::resources::{Constraint, HealthCheck, Probe, Service};
use sfha_core::simulate::{Group, Times};
use sfha_core::state::{Node, NodeId, Vip};
use sfha_core::{ClusterState, Command, Event, GroupMessage, Settings, Time, UnitState};

use super::{Plan, Report, tell};

const VIPS: u32 = 100;
const SERVICES: u32 = 200;

/// Every so many services one has a VIP that it runs beside, and after.
const TIED: u32 = 2;

/// Lets everything happen that operators and bad luck bring, and measures every turn of every core.
pub(super) fn run(plan: Plan, report: &mut Report) -> Result<()> {
    let nodes = NodeId::try_from(plan.nodes)?;
    for spread in [false, true] {
        let system = if spread { "decision-spread" } else { "decision" };
        tell(&format!("decisions of {nodes} nodes, {VIPS} VIPs, {SERVICES} services; spread: {spread}"));
        let mut turns = Turns::new(nodes, spread);
        turns.live(plan.runs)?;
        for (kind, times) in &turns.taken {
            for time in times {
                report.add(system, kind, time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(())
}

struct Turns {
    nodes: NodeId,
    group: Group,
    /// By kind of event.
    taken: BTreeMap<&'static str, Vec<Duration>>,
    requests: u64,
}

impl Turns {
    fn new(nodes: NodeId, spread: bool) -> Self {
        let state = state(nodes, spread);
        let settings = Settings {
            me: 1,
            program: "bench".to_owned(),
            node_lost_delay: Duration::from_millis(300),
            daemon_lost_delay: Duration::from_millis(1200),
            unit_margin: Duration::from_secs(6),
        };
        let mut group = Group::off(&state, &settings, Times::default(), Time::from_micros(1_000_000));
        (1..=nodes).for_each(|id| group.boot(id, state.clone()));
        Self { nodes, group, taken: BTreeMap::new(), requests: 0 }
    }

    /// Until nothing happens for a minute.
    fn settle(&mut self) {
        while self.group.next_at().is_some_and(|at| at <= self.group.now() + Duration::from_secs(60)) {
            let Some((node, event)) = self.group.advance() else { return };
            let kind = kind(&event);
            let now = self.group.now();
            let Some(core) = self.group.core_mut(node) else { continue };
            let began = processor_time();
            core.handle_event(event, now);
            let actions: Vec<_> = std::iter::from_fn(|| core.poll_action()).collect();
            black_box(core.poll_timeout());
            self.taken.entry(kind).or_default().push(processor_time().saturating_sub(began));
            self.group.carry_out(node, actions);
        }
    }

    fn propose(&mut self, command: Command) {
        self.requests += 1;
        let event = Event::Propose { request: self.requests, command };
        self.group.push(2, event);
        self.settle();
    }

    fn live(&mut self, runs: usize) -> Result<()> {
        self.settle();
        ensure!(self.all_is_there(), "not everything runs");
        for run in 0..runs {
            let node = self.group.holders("v000").first().copied().unwrap_or(1);
            self.propose(Command::SetEndpoint { node: 1, endpoint: Some(format!("h:{}", run + 1)) });
            self.propose(Command::SetStandby { node, standby: true });
            self.propose(Command::SetStandby { node, standby: false });
            self.requests += 1;
            self.group.push(
                2,
                Event::Move { request: self.requests, to: Some(self.nodes), names: BTreeSet::new() },
            );
            self.settle();
            for service in 0..20 {
                let name = format!("s{service:03}");
                let holder = self.group.holders(&name).first().copied().unwrap_or(1);
                self.group.push(holder, Event::UnitChanged { name, state: UnitState::Failed });
                self.settle();
                let name = format!("c{service:03}");
                for healthy in [false, true] {
                    let (name, healthy) = (name.clone(), Some(healthy));
                    self.group.push(holder, Event::CheckChanged { name, healthy, error: None });
                }
                self.group.push(holder, Event::Conflict { name: "v000".to_owned(), by: None });
                (1..=self.nodes).for_each(|node| self.group.push(node, Event::Tick));
                self.settle();
            }
            let disk = self.group.core(node).map(|core| core.state().clone());
            self.group.cut_power(node);
            self.settle();
            if let Some(disk) = disk {
                self.group.boot(node, disk);
            }
            self.settle();
            ensure!(self.all_is_there(), "not everything runs after run {run}");
        }
        for (_, core) in self.group.cores() {
            let began = processor_time();
            black_box(core.status());
            self.taken.entry("status").or_default().push(processor_time().saturating_sub(began));
        }
        Ok(())
    }

    fn all_is_there(&self) -> bool {
        let names =
            (0..VIPS).map(|nr| format!("v{nr:03}")).chain((0..SERVICES).map(|nr| format!("s{nr:03}")));
        names.map(|name| self.group.holders(&name).len()).all(|holders| holders == 1)
    }
}

/// Of this thread: what others do on this machine does not count.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Connected { .. } => "connected",
        Event::Disconnected => "disconnected",
        Event::Quorum { .. } => "quorum",
        Event::Votes { .. } => "votes",
        Event::Ring { .. } => "ring",
        Event::Membership { .. } => "membership",
        Event::Propose { .. } => "propose",
        Event::Move { .. } => "move",
        Event::Announce { .. } => "announce",
        Event::ActionFinished { .. } => "action finished",
        Event::Vanished { .. } => "vanished",
        Event::UnitChanged { .. } => "unit changed",
        Event::CheckChanged { .. } => "check changed",
        Event::Conflict { .. } => "conflict",
        Event::Device { .. } => "device",
        Event::Clock { .. } => "clock",
        Event::Watchdog { .. } => "watchdog",
        Event::FenceFinished { .. } => "fence finished",
        Event::Tick => "tick",
        Event::Shutdown => "shutdown",
        Event::Delivered { message, .. } => match message {
            GroupMessage::SyncStart { .. } => "message sync-start",
            GroupMessage::Hello(_) => "message hello",
            GroupMessage::Quorate { .. } => "message quorate",
            GroupMessage::Snapshot { .. } => "message snapshot",
            GroupMessage::Command { .. } => "message command",
            GroupMessage::Apply { .. } => "message apply",
            GroupMessage::Ack { .. } => "message ack",
            GroupMessage::Released { .. } => "message released",
            GroupMessage::Take { .. } => "message take",
            GroupMessage::Report { .. } => "message report",
            GroupMessage::Move { .. } => "message move",
            _ => "message other",
        },
    }
}

fn state(nodes: NodeId, spread: bool) -> ClusterState {
    let node =
        |id: NodeId| Node::new(format!("node{id}"), [10, 100, 0, u8::try_from(id).unwrap_or(u8::MAX)].into());
    let mut state = ClusterState::new("bench", "lan", None, node(1));
    state.nodes.extend((2..=nodes).map(|id| (id, node(id))));
    state.next_node_id = nodes + 1;
    let prefer = |nr: u32| if spread { vec![format!("node{}", nr % nodes + 1)] } else { Vec::new() };
    for nr in 0..VIPS {
        let address = format!("10.1.0.{}/24", nr + 1).parse().unwrap_or_default();
        state.vips.insert(format!("v{nr:03}"), Vip { address, interface: None, prefer: prefer(nr) });
    }
    for nr in 0..SERVICES {
        let name = format!("s{nr:03}");
        let service =
            Service { prefer: prefer(nr / TIED), restarts: 1000, ..Service::new(&format!("u{nr}.service")) };
        state.services.insert(name.clone(), service);
        if nr % TIED == 0 {
            let vip = format!("v{:03}", nr / TIED);
            state.constraints.push(Constraint::Colocation { resource: name.clone(), with: vip.clone() });
            state.constraints.push(Constraint::Order { first: vip, then: name.clone() });
            state.checks.insert(format!("c{nr:03}"), check(name));
        }
    }
    state
}

fn check(service: String) -> HealthCheck {
    HealthCheck {
        probe: Probe::Tcp { target: "h:1".to_owned() },
        interval_ms: 5000,
        timeout_ms: 2000,
        fall: 3,
        rise: 2,
        start_grace_ms: 0,
        service: Some(service),
        critical: false,
        restart_unit: None,
    }
}
