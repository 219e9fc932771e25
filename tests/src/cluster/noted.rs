//! A service whose unit notes when it runs: told from every node's disk, on whichever it ran, whatever ended it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::Cluster;

/// The unit that is installed in every node.
pub const NOTED_UNIT: &str = "lab-app.service";

const LOG: &str = "/root/app.log";

/// Notes when it begins, before anything of it runs, and when it has ended, after all of it has.
const UNIT_FILE: &str = "[Service]\n\
    ExecStartPre=/root/note up\n\
    ExecStart=/bin/sleep infinity\n\
    ExecStopPost=/root/note down\n";

/// With the address of most tests, if the node has it.
const NOTE: &str =
    "#!/bin/sh\necho \"$1 $(date +%s%N) $(ip -o addr | grep -c 10.77.0.100/32)\" >>/root/app.log\n";

/// One time that the unit ran on a node. Times are nanoseconds since 1970: all nodes share one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The node, counted from 0.
    pub node: usize,
    /// Its beginning.
    pub from: u128,
    /// Its end; `None`: it runs, or the node's power was cut.
    pub until: Option<u128>,
    /// The VIP was there when it began.
    pub with_address: bool,
}

/// A time in which something was so on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The node, counted from 0.
    pub node: usize,
    /// Nanoseconds since 1970.
    pub from: u128,
    /// Likewise.
    pub until: u128,
}

/// Nanoseconds since 1970.
pub fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

impl Cluster {
    /// Puts the unit on every node.
    pub fn install_noted(&self) -> Result<()> {
        for node in self.lab().nodes() {
            node.write_file("/root/note", NOTE)?;
            node.write_file(&format!("/etc/systemd/system/{NOTED_UNIT}"), UNIT_FILE)?;
            node.sh("chmod 755 /root/note; systemctl daemon-reload")?;
        }
        Ok(())
    }

    /// Every run on every node, by their beginnings; a power cut ended what ran on its node.
    pub fn noted_runs(&self, cuts: &[(usize, u128)]) -> Result<Vec<Run>> {
        let mut all = Vec::new();
        for node in self.all() {
            // There is none before it ran for the first time.
            let log = self.node(node).read_file(LOG).unwrap_or_default();
            let cuts: Vec<u128> = cuts.iter().filter(|(cut, _)| *cut == node).map(|(_, at)| *at).collect();
            all.extend(parse(node, &log, &cuts).with_context(|| format!("node{}: {LOG}", node + 1))?);
        }
        all.sort_by_key(|run| run.from);
        Ok(all)
    }
}

fn parse(node: usize, log: &str, cuts: &[u128]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for line in log.lines() {
        let mut words = line.split(' ');
        let (Some(word), Some(at), Some(addresses)) = (words.next(), words.next(), words.next()) else {
            // The power was cut in the middle of a line, and the next one goes on there.
            continue;
        };
        let Ok(at) = at.parse::<u128>() else { continue };
        match (word, runs.last_mut()) {
            ("up", _) => runs.push(Run { node, from: at, until: None, with_address: addresses != "0" }),
            (_, Some(last)) if last.until.is_none() => last.until = Some(at),
            // Stopped before it could note its beginning: nothing of it has run.
            _ => {}
        }
    }
    for run in &mut runs {
        let cut = cuts.iter().filter(|cut| **cut >= run.from).min();
        if let Some(cut) = cut
            && run.until.is_none_or(|until| until > *cut)
        {
            run.until = Some(*cut);
        }
    }
    Ok(runs)
}

/// Pairs of runs that were at once on two nodes. While all processes of a node stood still, and until they have
/// been told to stop after that, what they are does not count: without fencing nobody can know of it.
pub fn at_once(runs: &[Run], still: &[Span]) -> Vec<(Run, Run)> {
    let mut found = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for later in &runs[number + 1..] {
            let over = run.until.is_some_and(|until| until <= later.from);
            let stood = still
                .iter()
                .any(|span| span.node == run.node && span.from <= later.from && later.from <= span.until);
            if !over && run.node != later.node && !stood {
                found.push((run.clone(), later.clone()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(node: usize, from: u128, until: Option<u128>) -> Run {
        Run { node, from, until, with_address: true }
    }

    #[test]
    fn runs_are_read_and_a_power_cut_ends_what_ran() {
        let log = "down 5 0\nup 10 1\ndown 20 0\nup 30 1\nup 3up 50 0\nup 60 1\n";
        let runs = parse(1, log, &[40]).unwrap();
        let expected = [run(1, 10, Some(20)), run(1, 30, Some(40)), run(1, 60, None)];
        assert_eq!(runs, expected);
    }

    #[test]
    fn two_at_once_are_found_unless_one_stood_still() {
        let runs = [run(0, 10, Some(20)), run(1, 20, Some(50)), run(2, 49, None), run(0, 60, Some(70))];
        assert_eq!(
            at_once(&runs, &[]),
            [(runs[1].clone(), runs[2].clone()), (runs[2].clone(), runs[3].clone())]
        );
        let still = [Span { node: 1, from: 30, until: 49 }, Span { node: 2, from: 61, until: 80 }];
        assert_eq!(at_once(&runs, &still), [(runs[2].clone(), runs[3].clone())]);
    }
}
