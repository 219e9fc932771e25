//! Random faults against a whole cluster, from a seed, round after round: while they last nothing may be in two
//! places, and once they are over everything has to be well again, with whatever was acknowledged.
//!
//! ```text
//!  schedule   what goes wrong, when, for how long: a function of the seed
//!  faults     how it is brought about and ended in the lab
//!  changes    what operators did meanwhile, and what is to be left of it
//! ```
//!
//! A round is repeated, on a new cluster, with its own seed: what the cluster was by then is not.

mod changes;
mod faults;
mod schedule;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cluster::{Cluster, NOTED_UNIT, Span, VIP, at_once, now};
use crate::lab::{AddressWatcher, Node, Prober, wait_until};
use sfha_sim::Rng;

use changes::Changes;
pub use schedule::{Fault, Schedule, Step};

/// From the end of the last fault until everything is well. The longest road: a daemon that systemd gives up
/// for a while, behind a service's stop time.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

/// The second VIP; the first is that of most tests.
const SECOND_VIP: &str = "10.77.0.101";

/// Slow enough not to be the load itself.
const PROBES: Duration = Duration::from_millis(10);

/// Time that a node whose processes all stood still has for stopping what runs elsewhere by now.
const AWAKENING: Duration = Duration::from_secs(15);

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The seed of the first round; that of the next is greater by one.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// No round begins after that time.
    pub time: Duration,
}

/// What it came to.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// Rounds.
    pub rounds: u64,
    /// Faults.
    pub faults: usize,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
    /// The longest time to be well again.
    pub slowest: Duration,
}

/// Runs rounds until the time is over.
///
/// # Errors
/// What was violated, with the round's seed and its story.
pub fn run(options: Options) -> Result<Summary> {
    let cluster = Cluster::formed("chaos", options.nodes)?;
    let chaos = Chaos::new(cluster)?;
    let start = Instant::now();
    let mut summary = Summary::default();
    let mut changes = Changes::default();
    let mut seed = options.seed;
    while start.elapsed() < options.time {
        let schedule = Schedule::new(&mut Rng::new(seed), options.nodes, summary.rounds);
        let story = Story::default();
        let result = chaos.round(&schedule, &mut changes, &story);
        let healed = result.with_context(|| {
            let (cluster, journals) = (chaos.cluster.describe(), chaos.journals(story.start.elapsed()));
            format!("round with the seed {seed}:\n{schedule}\n{}\n{cluster}\n{journals}", story.text())
        })?;
        summary.rounds += 1;
        summary.faults += schedule.steps.len();
        summary.slowest = summary.slowest.max(healed);
        summary.acknowledged = changes.acknowledged();
        eprintln!("round {}, seed {seed}: well again after {healed:.1?}", summary.rounds);
        seed += 1;
    }
    chaos.cluster.down()?;
    Ok(summary)
}

/// What was done and seen, with its moment.
#[derive(Debug)]
struct Story {
    start: Instant,
    lines: Mutex<Vec<String>>,
}

impl Default for Story {
    fn default() -> Self {
        Self { start: Instant::now(), lines: Mutex::default() }
    }
}

impl Story {
    fn tell(&self, what: &str) {
        let line = format!("{:7.3} {what}", self.start.elapsed().as_secs_f64());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// When the power of a node was cut, and when all its processes stood still.
#[derive(Debug, Default)]
struct Ends {
    cuts: Mutex<Vec<(usize, u128)>>,
    still: Mutex<Vec<Span>>,
}

impl Ends {
    fn cut(&self, node: usize) {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).push((node, now()));
    }

    fn stood_still(&self, node: usize, from: u128) {
        let until = now() + AWAKENING.as_nanos();
        self.still.lock().unwrap_or_else(PoisonError::into_inner).push(Span { node, from, until });
    }
}

/// The nodes share the machine's clock: sfhad gets one that can be set, at its next start.
fn give_a_clock_of_its_own(node: &Node) -> Result<()> {
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
    node.exec_ok(&["test", "-e", library]).context("libfaketime")?;
    let clock = faults::CLOCK;
    let unit = format!(
        "[Service]\nEnvironment=LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1\n"
    );
    node.exec_ok(&["mkdir", "-p", "/etc/systemd/system/sfha.service.d"])?;
    node.write_file("/etc/systemd/system/sfha.service.d/clock.conf", &unit)?;
    node.sh("systemctl daemon-reload && systemctl restart sfha.service").map(drop)
}

struct Chaos {
    cluster: Cluster,
    watched: Vec<(&'static str, AddressWatcher, Prober)>,
    ends: Ends,
}

impl Chaos {
    fn new(cluster: Cluster) -> Result<Self> {
        let mut watched = Vec::new();
        for (name, ip) in [("web", VIP), ("db", SECOND_VIP)] {
            let address: IpAddr = ip.parse()?;
            let watcher = cluster.lab().watch_address(address)?;
            let prober = cluster.lab().client().probe_every(address, PROBES)?;
            cluster.vip_add(0, name, ip)?;
            watched.push((name, watcher, prober));
        }
        cluster.install_noted()?;
        let _: serde_json::Value =
            cluster.ask(0, &["service", "add", "app", NOTED_UNIT, "--stop-timeout", "2s"])?;
        for node in cluster.lab().nodes() {
            give_a_clock_of_its_own(node)?;
        }
        let node = cluster.node(0);
        node.sh("cat >>/etc/sfha/config.yml <<END\n\
             constraints:\n\
             - {type: colocation, resource: app, with: web}\n\
             - {type: order, first: web, then: app}\n\
             END\n\
             sfha reload --yes")?;
        let chaos = Self { cluster, watched, ends: Ends::default() };
        chaos.healed(&Story::default())?;
        Ok(chaos)
    }

    fn round(&self, schedule: &Schedule, changes: &mut Changes, story: &Story) -> Result<Duration> {
        let start = Instant::now();
        let outcomes = thread::scope(|scope| {
            let steps: Vec<_> = schedule
                .steps
                .iter()
                .map(|step| {
                    scope.spawn(move || {
                        thread::sleep(step.at.saturating_sub(start.elapsed()));
                        self.bring_about(step, start, story)
                    })
                })
                .collect();
            steps.into_iter().map(|step| step.join()).collect::<Vec<_>>()
        });
        // Whatever a fault could not end by itself.
        self.cluster.lab().heal()?;
        for (step, outcome) in schedule.steps.iter().zip(outcomes) {
            let Ok(outcome) = outcome else { bail!("{step} panicked") };
            changes.note(&step.fault, outcome.with_context(|| step.to_string())?);
        }
        let healed = self.healed(story)?;
        self.check(changes)?;
        changes.clear(&self.cluster)?;
        Ok(healed)
    }

    /// Waits until every node is in step and everything is served.
    fn healed(&self, story: &Story) -> Result<Duration> {
        let start = Instant::now();
        story.tell("no more faults");
        let all = self.cluster.all();
        let left = || HEALED_WITHIN.saturating_sub(start.elapsed());
        self.cluster.wait_in_step(&all, left())?;
        for (name, watcher, prober) in &self.watched {
            let holder = self.cluster.wait_active(name, &all, left())?;
            watcher.wait_holders(&[holder], left())?;
            prober.wait_answered_again(left())?;
        }
        wait_until("the service to be active where its address is", left(), || {
            let seen: Vec<_> = all.iter().map(|node| self.service_beside_its_address(*node)).collect();
            seen.iter().all(|holder| holder.is_some() && *holder == seen[0])
        })?;
        Ok(start.elapsed())
    }

    fn service_beside_its_address(&self, node: usize) -> Option<String> {
        let status = self.cluster.look(node)?;
        let service = status.services.into_iter().find(|service| service.name == "app")?;
        let vip = status.vips.into_iter().find(|vip| vip.name == "web")?;
        service.holder.filter(|holder| service.state == "active" && vip.holder.as_ref() == Some(holder))
    }

    /// What the nodes wrote in that time.
    fn journals(&self, time: Duration) -> String {
        let since = format!("-{}s", time.as_secs() + 1);
        let units = ["-u", "sfha.service", "-u", "corosync.service", "-u", "sfha-wg.service"];
        let args = [&units[..], &["-o", "short-precise", "--since", &since]].concat();
        let nodes = self.cluster.lab().nodes().iter();
        let journal = |node: &Node| node.journal(&args).unwrap_or_else(|error| format!("{error:#}\n"));
        nodes.map(|node| format!("--- {}\n{}", node.name(), journal(node))).collect()
    }

    fn check(&self, changes: &Changes) -> Result<()> {
        for (name, watcher, _) in &self.watched {
            let report = watcher.report();
            ensure!(report.two_holders.is_zero(), "{name} was on two nodes: {:#?}", tail(&report.holdings));
        }
        let cuts = self.ends.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        let still = self.ends.still.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = self.cluster.noted_runs(&cuts)?;
        let twice = at_once(&runs, &still);
        ensure!(twice.is_empty(), "the service ran twice: {twice:#?}\nof {:#?}", tail(&runs));
        let alone: Vec<_> = runs.iter().filter(|run| !run.with_address).collect();
        ensure!(alone.is_empty(), "the service began without its address: {alone:#?}");
        let mut text = String::new();
        for node in self.cluster.lab().nodes() {
            let log = node.journal(&["-u", "sfha.service", "-u", "sfha-wg.service", "-o", "cat"])?;
            for line in log.lines().filter(|line| line.contains("panicked at")) {
                writeln!(text, "{}: {line}", node.name())?;
            }
        }
        ensure!(text.is_empty(), "a daemon panicked:\n{text}");
        changes.check(&self.cluster)
    }
}

fn tail<T>(items: &[T]) -> &[T] {
    &items[items.len().saturating_sub(8)..]
}
