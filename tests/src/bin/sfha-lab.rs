//! `sfha-lab`: a cluster on this machine by hand. `up` holds the lab until it is interrupted; every other
//! command finds the lab by its name.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::unistd::Pid;
use sfha_tests::lab::place::Place;
use sfha_tests::lab::{Endpoint, Lab, LabOptions, Nat, ProcessId, reap, require, wait_until};

/// A whole sfha cluster on this machine: nodes are Debian systems in containers on a switch of their own.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build a lab, boot its nodes and hold it until Ctrl-C
    Up(Up),
    /// End a lab that `up` holds
    Down { name: String },
    /// List the labs
    List,
    /// Show the nodes of a lab
    Status { name: String },
    /// Run a command in a node (`node1` or `1`; `client` for the client's network)
    Exec {
        name: String,
        node: String,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Open a shell in a node
    Shell { name: String, node: String },
    /// Power cut: everything in the nodes dies at once, their disks stay
    Cut(Nodes),
    /// Switch nodes on
    Boot(Nodes),
    /// Pull the network cable of nodes
    Unplug(Nodes),
    /// Plug the cable in again
    Plug(Nodes),
    /// Stop all processes of nodes where they are
    Pause(Nodes),
    /// Let the processes go on
    Resume(Nodes),
    /// Split the network into groups, as in `partition demo 1 2,3`; the client hears everybody
    Partition {
        name: String,
        /// Nodes separated by commas
        #[arg(required = true)]
        groups: Vec<String>,
    },
    /// Additionally let nothing pass between two of them (`1`, `node1`, `client`)
    Block { name: String, one: String, other: String },
    /// Lose a share of all frames between nodes
    Lose {
        name: String,
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// End partitions, blocks and losses
    Heal { name: String },
    /// Print the journal of a node, also of one that is off; further arguments are journalctl's
    Journal {
        name: String,
        node: String,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Probe an address from the client every 2 ms and watch who has it; print both as JSON
    Probe {
        name: String,
        address: IpAddr,
        /// How long
        #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
        time: Duration,
    },
    /// Remove what killed labs left behind
    Clean,
}

#[derive(Debug, clap::Args)]
struct Up {
    /// What the other commands call it: a-z, 0-9 and '-'
    name: String,
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// A Debian package to install in every node; may be repeated
    #[arg(long, value_name = "FILE")]
    deb: Vec<PathBuf>,
    /// Put this node behind a router with address translation; may be repeated
    #[arg(long, value_name = "NODE")]
    nat: Vec<usize>,
    /// The same with a router that takes another port for each destination
    #[arg(long, value_name = "NODE")]
    symmetric_nat: Vec<usize>,
    /// Return when it is up; `down` ends it
    #[arg(long, short)]
    detach: bool,
}

#[derive(Debug, clap::Args)]
struct Nodes {
    name: String,
    /// `node1` or `1`
    #[arg(required = true)]
    nodes: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            // A closed pipe is no reason to panic.
            let _ = writeln!(std::io::stderr(), "sfha-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    require::check()?;
    match verb {
        Verb::Up(up) if up.detach && std::env::var_os(HOLDER).is_none() => detach(&up.name)?,
        Verb::Up(up) => hold(&up)?,
        Verb::Down { name } => down(&name)?,
        Verb::List => list()?,
        Verb::Status { name } => status(&Lab::attach(&name)?)?,
        Verb::Exec { name, node, command } => return exec(&Lab::attach(&name)?, &node, &command),
        Verb::Shell { name, node } => {
            return Err(Lab::attach(&name)?.find_node(&node)?.become_command(&["bash", "-l"]));
        }
        Verb::Cut(nodes) => each(&nodes, |node| node.cut())?,
        Verb::Boot(nodes) => each(&nodes, |node| node.boot().map(drop))?,
        Verb::Unplug(nodes) => each(&nodes, |node| node.unplug())?,
        Verb::Plug(nodes) => each(&nodes, |node| node.plug())?,
        Verb::Pause(nodes) => each(&nodes, |node| node.pause())?,
        Verb::Resume(nodes) => each(&nodes, |node| node.resume())?,
        Verb::Partition { name, groups } => partition(&Lab::attach(&name)?, &groups)?,
        Verb::Block { name, one, other } => {
            let lab = Lab::attach(&name)?;
            lab.block(endpoint(&lab, &one)?, endpoint(&lab, &other)?)?;
        }
        Verb::Lose { name, percent } => Lab::attach(&name)?.lose(percent)?,
        Verb::Heal { name } => Lab::attach(&name)?.heal()?,
        Verb::Journal { name, node, arguments } => {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            print(&Lab::attach(&name)?.find_node(&node)?.journal(&arguments)?)?;
        }
        Verb::Probe { name, address, time } => probe(&Lab::attach(&name)?, address, time)?,
        Verb::Clean => {
            for name in reap::reap()? {
                print(&format!("removed {name}\n"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn hold(up: &Up) -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { sigaction(signal, &action) }?;
    }
    let start = Instant::now();
    let mut options = LabOptions::named(&up.name).nodes(up.nodes);
    for package in &up.deb {
        options = options.package(package);
    }
    for (nodes, nat) in [(&up.nat, Nat::Cone), (&up.symmetric_nat, Nat::Symmetric)] {
        for node in nodes {
            options = options.behind_nat(node.checked_sub(1).context("nodes count from 1")?, nat);
        }
    }
    let lab = Lab::up(&options)?;
    let (name, nodes, ms) = (&up.name, up.nodes, start.elapsed().as_millis());
    let end = if up.detach { format!("`sfha-lab down {name}`") } else { "Ctrl-C".to_owned() };
    print(&format!(
        "{name}: {nodes} nodes up after {ms} ms; try `sfha-lab shell {name} 1`. {end} ends it.\n"
    ))?;
    while !INTERRUPTED.load(Ordering::Relaxed) {
        thread::park_timeout(Duration::from_millis(100));
    }
    lab.down()
}

/// Tells a process that it was started to hold a detached lab.
const HOLDER: &str = "SFHA_LAB_HOLDER";

/// Lets a process of its own hold the lab, and waits until that one is done with booting or has given up.
fn detach(name: &str) -> Result<()> {
    let mut command = Command::new("setsid");
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(HOLDER, "1");
    let mut holder = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = holder.stdout.take() {
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
    }
    if line.is_empty() {
        let output = holder.wait_with_output()?;
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("{name} is not up: {}", reason.trim().trim_start_matches("sfha-lab: "));
    }
    print(&line)
}

fn down(name: &str) -> Result<()> {
    let place = Place::new(name)?;
    let owner = reap::owner(&place).with_context(|| format!("there is no lab {name}"))?;
    ensure!(owner != ProcessId::current(), "the lab is ours");
    kill(Pid::from_raw(i32::try_from(owner.pid)?), Signal::SIGTERM)?;
    wait_until(&format!("the end of {name}"), Duration::from_secs(30), || !place.dir().exists())?;
    Ok(())
}

fn list() -> Result<()> {
    for place in reap::labs() {
        let owner = match reap::owner(&place) {
            Some(owner) => format!("held by process {}", owner.pid),
            None => "left behind; `sfha-lab clean` removes it".to_owned(),
        };
        print(&format!("{}\t{owner}\n", place.name()))?;
    }
    Ok(())
}

fn status(lab: &Lab) -> Result<()> {
    for node in lab.nodes() {
        let state = match (node.is_running(), node.is_paused()) {
            (true, true) => "paused",
            (true, false) => "running",
            (false, _) => "off",
        };
        let cable = if node.is_plugged() { "plugged" } else { "unplugged" };
        let addresses: Vec<_> =
            node.addresses("eth0")?.iter().map(|address| address.ip.to_string()).collect();
        let pid = node.pid().map_or_else(|_| "-".to_owned(), |pid| pid.to_string());
        print(&format!("{}\t{state}\t{cable}\t{pid}\t{}\n", node.name(), addresses.join(" ")))?;
    }
    print(&format!("client\t-\t-\t-\t{}\n", lab.client().ip()))
}

fn exec(lab: &Lab, node: &str, command: &[String]) -> Result<ExitCode> {
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    if node != "client" {
        return Err(lab.find_node(node)?.become_command(&command));
    }
    let output = lab.client().exec(&command)?;
    print(&output.stdout)?;
    std::io::stderr().write_all(output.stderr.as_bytes())?;
    Ok(ExitCode::from(u8::try_from(output.code).unwrap_or(u8::MAX)))
}

/// Does the same to several nodes at once.
fn each(nodes: &Nodes, verb: impl Fn(&sfha_tests::lab::Node) -> Result<()> + Sync) -> Result<()> {
    let lab = Lab::attach(&nodes.name)?;
    let found = nodes.nodes.iter().map(|name| lab.find_node(name)).collect::<Result<Vec<_>>>()?;
    let verb = &verb;
    thread::scope(|scope| {
        let threads: Vec<_> = found.into_iter().map(|node| scope.spawn(move || verb(node))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

fn partition(lab: &Lab, groups: &[String]) -> Result<()> {
    let members = |group: &String| -> Result<Vec<usize>> {
        group.split(',').map(|name| Ok(lab.find_node(name)?.index())).collect()
    };
    let groups = groups.iter().map(members).collect::<Result<Vec<_>>>()?;
    let groups: Vec<_> = groups.iter().map(Vec::as_slice).collect();
    lab.partition(&groups)
}

fn endpoint(lab: &Lab, name: &str) -> Result<Endpoint> {
    match name {
        "client" => Ok(Endpoint::Client),
        node => Ok(Endpoint::Node(lab.find_node(node)?.index())),
    }
}

fn probe(lab: &Lab, address: IpAddr, time: Duration) -> Result<()> {
    let watcher = lab.watch_address(address)?;
    let prober = lab.client().probe(address)?;
    thread::sleep(time);
    let result = serde_json::json!({ "probe": prober.finish()?, "watch": watcher.finish()? });
    print(&format!("{}\n", serde_json::to_string_pretty(&result)?))
}
