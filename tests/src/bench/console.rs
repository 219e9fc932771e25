//! What the console costs: the package's `sfha` on a terminal, before a daemon that is invented here.
//!
//! Processor time is that of its process, so that what else the machine does counts for nothing; moments are seen at
//! the terminal's other end, with all that lies between.

mod daemon;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Plan, Report, tell};
use crate::cluster::{PATIENCE, package};
use crate::terminal::Terminal;
use daemon::{Daemon, Size};

/// Of the terminal.
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

/// States a second of a cluster in which much happens.
const MANY: u32 = 10;

/// Between two states of a cluster in which little happens: what a mesh measures of itself changes then.
const LITTLE: Duration = Duration::from_secs(2);

const SMALL: Size = Size { nodes: 3, vips: 3, services: 2 };
const LARGE: Size = Size { nodes: 16, vips: 100, services: 200 };

/// Starts it, leaves it alone, and gives it much to show.
pub(super) fn run(plan: Plan, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let unpacked = Command::new("dpkg-deb").arg("--extract").arg(package()?).arg(folder.path()).status()?;
    ensure!(unpacked.success(), "dpkg-deb cannot read the package");
    let program = folder.path().join("usr/bin/sfha");
    let open = |daemon: &Daemon| {
        let mut command = Command::new(&program);
        command.args(["--lang", "fr", "--theme", "dark", "--socket"]).arg(daemon.socket());
        Terminal::start(command, COLUMNS, ROWS)
    };
    for (name, size) in [("small", SMALL), ("large", LARGE)] {
        let daemon = Daemon::start(size)?;
        tell(&format!("console: {} nodes, {} VIPs, {} services", size.nodes, size.vips, size.services));
        for _ in 0..plan.runs {
            let began = Instant::now();
            let mut terminal = open(&daemon)?;
            let at = terminal.see(&["en direct"], PATIENCE)?;
            report.add_ms("console", &format!("first_{name}"), at - began);
            report.add_ms("console", &format!("first_cpu_{name}"), processor_time(terminal.id())?);
            close(terminal)?;
        }
        let mut terminal = open(&daemon)?;
        terminal.see(&["en direct"], PATIENCE)?;
        for run in 0..plan.runs * 2 {
            // Not in step with anything that the console does by itself.
            terminal.read_for(Duration::from_millis(1100 + 37 * (run as u64 % 20)));
            let on = run % 2 == 0;
            let began = Instant::now();
            daemon.maintenance(on);
            let at = terminal.wait(PATIENCE, |shown| shown.contains("MAINTENANCE") == on)?;
            report.add_ms("console", &format!("event_{name}"), at.saturating_duration_since(began));
        }
        let each = plan.idle / 3;
        for (view, keys) in [("overview", "1"), ("mesh", "2"), ("resources", "3")] {
            terminal.press(keys)?;
            terminal.read_for(Duration::from_secs(1));
            let little = watch(&mut terminal, &daemon, each, LITTLE)?;
            report.add("console", &format!("idle_cpu_{name}_{view}"), little.share);
            report.add("console", &format!("idle_bytes_{name}_{view}"), little.bytes);
            let much = watch(&mut terminal, &daemon, each, Duration::from_secs(1) / MANY)?;
            report.add("console", &format!("busy_cpu_{name}_{view}"), much.share);
            report.add("console", &format!("busy_bytes_{name}_{view}"), much.bytes);
        }
        close(terminal)?;
    }
    Ok(())
}

fn close(mut terminal: Terminal) -> Result<()> {
    terminal.press("\x03")?;
    let status = terminal.end(PATIENCE)?;
    ensure!(status == Some(0), "the console ended with {status:?}");
    Ok(())
}

struct Cost {
    /// Share of a core, in percent.
    share: f64,
    /// Bytes a second to the terminal.
    bytes: f64,
}

/// For so long, with a new state every so often.
fn watch(terminal: &mut Terminal, daemon: &Daemon, time: Duration, every: Duration) -> Result<Cost> {
    let (before, written, began) = (processor_time(terminal.id())?, terminal.written(), Instant::now());
    let mut next = began;
    while began.elapsed() < time {
        daemon.change();
        next += every;
        terminal.read_for(next.saturating_duration_since(Instant::now()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = processor_time(terminal.id())?.saturating_sub(before);
    let bytes = (terminal.written() - written) as f64 / seconds;
    Ok(Cost { share: used.as_secs_f64() / seconds * 100.0, bytes })
}

/// Of all threads of a process so far (`schedstat` of proc(5): nanoseconds on a processor).
fn processor_time(process: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let ran: u64 = text.split_whitespace().next().context("schedstat is empty")?.parse()?;
        sum += ran;
    }
    Ok(Duration::from_nanos(sum))
}
