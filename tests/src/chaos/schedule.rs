//! What goes wrong in a round, when and for how long: a function of the seed.

use std::fmt;
use std::time::Duration;

use sfha_sim::Rng;

/// The daemons of a node that can die or stand still.
const UNITS: [&str; 3] = ["sfha.service", "corosync.service", "sfha-wg.service"];

/// In a round a fault begins within that time.
const ROUND_MS: u64 = 15_000;

/// Something that goes wrong, or an operator who picks the worst moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The power is cut, and comes back.
    PowerCut(usize),
    /// The cable is pulled, and put back.
    Unplug(usize),
    /// Two groups of nodes do not hear each other; the client hears all.
    Partition(Vec<usize>, Vec<usize>),
    /// Nothing of the first node's reaches the second; the way back stays open.
    OneWay(usize, usize),
    /// So many frames of a hundred are lost between nodes.
    Loss(u8),
    /// So many frames of a hundred arrive twice.
    Twice(u8),
    /// The clock of the daemon jumps by that many seconds, and back again.
    Clock(usize, i64),
    /// The daemon may keep no more than that many MiB in memory.
    Memory(usize, u8),
    /// A process is killed.
    Kill(usize, &'static str),
    /// A process stands still, and goes on.
    Freeze(usize, &'static str),
    /// A unit is restarted by hand.
    Restart(usize, &'static str),
    /// All processes of a node stand still, and go on.
    Pause(usize),
    /// What the daemon keeps cannot be written.
    ReadOnly(usize),
    /// More processes want to run than there are processors.
    Busy(usize),
    /// Somebody removes the first VIP's address from that node.
    Withdraw(usize),
    /// An operator there adds a VIP of that number.
    Add(usize, u64),
    /// An operator there removes the VIP of that number.
    Remove(usize, u64),
    /// An operator there moves everything.
    Failover(usize),
    /// An operator puts this node into standby, and takes it out of it.
    Standby(usize),
    /// Maintenance, from the beginning to the end.
    Maintenance(usize),
    /// An operator there has all keys changed.
    RotateKeys(usize),
}

/// A fault and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Since the round's start.
    pub at: Duration,
    /// How long it lasts, where it lasts.
    pub lasts: Duration,
    /// It.
    pub fault: Fault,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// By their beginnings.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// A round's schedule. `round` keeps the names of what it adds apart from those of other rounds.
    pub fn new(rng: &mut Rng, nodes: usize, round: u64) -> Self {
        let mut plan = Plan { rng, nodes, steps: Vec::new(), added: Vec::new(), next: round * 100 };
        for _ in 0..plan.rng.range(4, 10) {
            plan.step();
        }
        let mut steps = plan.steps;
        steps.sort_by_key(|step| step.at);
        Self { steps }
    }
}

struct Plan<'a> {
    rng: &'a mut Rng,
    nodes: usize,
    steps: Vec<Step>,
    added: Vec<u64>,
    next: u64,
}

impl Plan<'_> {
    fn step(&mut self) {
        let fault = self.fault();
        let lasts = Duration::from_millis(match self.rng.below(3) {
            0 => self.rng.range(50, 800),
            1 => self.rng.range(800, 3000),
            _ => self.rng.range(3000, 9000),
        });
        let step = Step { at: Duration::from_millis(self.rng.below(ROUND_MS)), lasts, fault };
        // What ends one would end the other, too.
        let busy = self.steps.iter().any(|other| {
            let apart = other.at + other.lasts < step.at || step.at + step.lasts < other.at;
            !apart && clash(&other.fault, &step.fault)
        });
        if !busy {
            self.steps.push(step);
        }
    }

    fn fault(&mut self) -> Fault {
        let node = usize::try_from(self.rng.below(self.nodes as u64)).unwrap_or(0);
        let unit = UNITS[usize::try_from(self.rng.below(3)).unwrap_or(0)];
        match self.rng.below(27) {
            0 | 1 => Fault::PowerCut(node),
            2 | 3 => Fault::Unplug(node),
            4 | 5 => self.partition(),
            6 => Fault::OneWay(node, (node + 1) % self.nodes),
            7 => Fault::Loss(u8::try_from(self.rng.range(5, 60)).unwrap_or(5)),
            8 | 9 => Fault::Kill(node, unit),
            10 | 11 => Fault::Freeze(node, unit),
            12 => Fault::Restart(node, unit),
            13 => Fault::Pause(node),
            14 => Fault::ReadOnly(node),
            15 => Fault::Busy(node),
            16 => Fault::Withdraw(node),
            17..=19 => {
                self.next += 1;
                self.added.push(self.next);
                Fault::Add(node, self.next)
            }
            20 => match self.rng.pick(&self.added) {
                Some(number) => Fault::Remove(node, number),
                None => Fault::Failover(node),
            },
            21 => Fault::Failover(node),
            22 => match self.rng.chance(700) {
                true => Fault::Standby(node),
                false => Fault::Maintenance(node),
            },
            23 => Fault::Twice(u8::try_from(self.rng.range(5, 100)).unwrap_or(5)),
            24 => {
                let seconds = i64::try_from(self.rng.range(1, 90_000)).unwrap_or(1);
                Fault::Clock(node, if self.rng.chance(500) { seconds } else { -seconds })
            }
            25 => Fault::Memory(node, u8::try_from(self.rng.range(2, 12)).unwrap_or(2)),
            _ => Fault::RotateKeys(node),
        }
    }

    fn partition(&mut self) -> Fault {
        let mut sides = (Vec::new(), Vec::new());
        for node in 0..self.nodes {
            if self.rng.chance(500) { sides.0.push(node) } else { sides.1.push(node) }
        }
        match (sides.0.pop(), sides.1.is_empty()) {
            (None, _) => sides.0.extend(sides.1.pop()),
            (Some(last), true) => sides.1.push(last),
            (Some(last), false) => sides.0.push(last),
        }
        Fault::Partition(sides.0, sides.1)
    }
}

fn clash(one: &Fault, other: &Fault) -> bool {
    let network = |fault: &Fault| {
        matches!(fault, Fault::Partition(..) | Fault::OneWay(..) | Fault::Loss(_) | Fault::Twice(_))
    };
    let whole = |fault: &Fault| match fault {
        Fault::PowerCut(node) | Fault::Pause(node) | Fault::Unplug(node) => Some(*node),
        _ => None,
    };
    let process = |fault: &Fault| match fault {
        Fault::PowerCut(node)
        | Fault::Pause(node)
        | Fault::Freeze(node, _)
        | Fault::Kill(node, _)
        | Fault::Restart(node, _)
        | Fault::Clock(node, _)
        | Fault::Memory(node, _)
        | Fault::ReadOnly(node) => Some(*node),
        _ => None,
    };
    let flag = |fault: &Fault| match fault {
        Fault::Standby(node) => Some(*node),
        Fault::Maintenance(_) => Some(usize::MAX),
        _ => None,
    };
    let same = |of: &dyn Fn(&Fault) -> Option<usize>| of(one).is_some() && of(one) == of(other);
    (network(one) && network(other)) || same(&whole) || same(&process) || same(&flag)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.3} {:?} for {:.3} s", self.at.as_secs_f64(), self.fault, self.lasts.as_secs_f64())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_schedule_and_all_faults_come() {
        let mut kinds = BTreeSet::new();
        for seed in 0..500 {
            let schedule = Schedule::new(&mut Rng::new(seed), 3, seed);
            assert_eq!(schedule, Schedule::new(&mut Rng::new(seed), 3, seed));
            for (number, step) in schedule.steps.iter().enumerate() {
                let text = format!("{:?}", step.fault);
                kinds.insert(text.split('(').next().unwrap_or_default().to_owned());
                if let Fault::Partition(one, other) = &step.fault {
                    assert!(!one.is_empty() && !other.is_empty() && one.len() + other.len() == 3);
                }
                for other in &schedule.steps[number + 1..] {
                    let apart = other.at > step.at + step.lasts;
                    assert!(apart || !clash(&step.fault, &other.fault), "{schedule}");
                }
            }
        }
        assert_eq!(kinds.len(), 21, "{kinds:?}");
    }
}
