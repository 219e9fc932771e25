//! The simulation: many cores, one invented world, and what must hold in it whatever happens.
//!
//! ```text
//!  profile ──▶ world ──▶ corosync   rings, quorum, ordered messages, their semantics under faults
//!   (faults)    (time)   device     the quorum device, who has its vote, and who still believes to have it
//!                        machine    power, disk, the kernel's addresses with their lease
//!                        hands      what `io` does for a core: slow, failing, in order
//!                        faults     what goes wrong, and what operators do meanwhile
//!                        services   units that run, die, and are started by hand
//!                        fencing    drivers, and the power that they cut
//!                        watchdog   nodes that reset themselves
//!                        keys       changes of keys, step by step and out of turn
//!                        checks     what must hold after every step, and at the end
//! ```
//!
//! A run is a function of its seed and profile. When one fails, it is run again with its story and
//! with the events of every core recorded as JSON lines; [`sfha_core::record::replay`] tells one of these logs to a
//! fresh core, which is also how a failure from the field becomes a test.

mod begin;
mod book;
mod checks;
mod corosync;
mod device;
mod faults;
mod fencing;
mod hands;
mod hearing;
mod keys;
mod machine;
mod processes;
mod profile;
mod removal;
mod rng;
mod services;
mod watchdog;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

pub use fencing::{Drivers, Fencing};
pub use profile::{Fault, Profile};
pub use rng::Rng;
pub use world::World;

/// Seeds that all profiles take together where nothing else is asked for.
const ALL: u64 = 20_000;

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Longest overlaps in microseconds, by the reason for which they may be.
    pub overlaps: BTreeMap<&'static str, u64>,
    /// Answers by their code.
    pub answers: BTreeMap<String, u64>,
    /// Nodes that were fenced.
    pub fenced: u64,
    /// Nodes that an operator answered for.
    pub confirmed: u64,
    /// Nodes that were reset by their watchdog.
    pub bitten: u64,
    /// Runs in which the limit of fencings held some back, and a node's status said so.
    pub storms: u64,
}

/// Runs one seed.
///
/// # Errors
/// What was violated, and how to see it again.
pub fn run(test: &str, seed: u64, profile: &Profile) -> Result<Summary, String> {
    let mut world = World::new(seed, profile.clone(), false);
    match world.run() {
        Ok(()) => Ok(world.summary()),
        Err(why) => Err(report(test, seed, profile, &why)),
    }
}

/// Runs it again, this time writing down what happens.
fn report(test: &str, seed: u64, profile: &Profile, why: &str) -> String {
    let mut world = World::new(seed, profile.clone(), true);
    let again =
        world.run().err().unwrap_or_else(|| "not seen again: the run is not deterministic".to_owned());
    let mut text = format!("seed {seed}: {why}\n");
    if again != why {
        let _ = writeln!(text, "the second time: {again}");
    }
    let all = std::env::var_os("SFHA_SIM_STORY").is_some();
    let _ = writeln!(text, "{}", world.story(all));
    match write_logs(test, seed, &world) {
        Ok(folder) => {
            let _ = writeln!(text, "events of every core: {}", folder.display());
        }
        Err(error) => {
            let _ = writeln!(text, "events could not be written: {error:#}");
        }
    }
    let _ = writeln!(
        text,
        "again: SFHA_SIM_SEED={seed} cargo nextest run -p sfha-tests --test simulation {test}\n\
         (SFHA_SIM_STORY=1 for the whole story)"
    );
    text
}

fn write_logs(test: &str, seed: u64, world: &World) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join("sfha-simulation").join(format!("{test}-{seed}"));
    std::fs::create_dir_all(&folder)?;
    for (index, (node, log)) in world.logs().into_iter().enumerate() {
        std::fs::write(folder.join(format!("node{node}-process{index}.jsonl")), log.to_lines()?)?;
    }
    Ok(folder)
}

/// Runs as many seeds as the environment asks for, else `count`: `SFHA_SIM_SEED` one,
/// `SFHA_SIM_SEEDS` that many, times the share that `count` has of all.
///
/// # Panics
/// At the first seed that fails.
pub fn check(test: &str, first: u64, count: u64, profile: &Profile) -> Summary {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match (number("SFHA_SIM_SEED"), number("SFHA_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(all)) => first..first + (all * count).div_ceil(ALL),
        (None, None) => first..first + count,
    };
    let mut summary = Summary::default();
    for seed in seeds {
        match run(test, seed, profile) {
            Ok(one) => summary.add(one),
            Err(report) => panic!("{report}"),
        }
    }
    println!("{test}: {summary:?}");
    summary
}

impl Summary {
    /// Whatever the excuse was.
    ///
    /// # Panics
    /// When an address was on two nodes for longer.
    pub fn no_overlap_longer_than(&self, longest: std::time::Duration) {
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        assert!(self.overlaps.values().all(|overlap| *overlap <= longest), "{:?}", self.overlaps);
    }

    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.fenced += other.fenced;
        self.confirmed += other.confirmed;
        self.bitten += other.bitten;
        self.storms += other.storms;
        for (why, longest) in other.overlaps {
            let entry = self.overlaps.entry(why).or_default();
            *entry = (*entry).max(longest);
        }
        for (code, count) in other.answers {
            *self.answers.entry(code).or_default() += count;
        }
    }
}
