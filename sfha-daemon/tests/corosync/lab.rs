//! Nodes on one machine: a network and a mount namespace each, a real Corosync in them, a bridge between them.
//!
//! Nothing of this has a name or a file outside its namespaces, and every process is killed by the kernel when the test's
//! thread ends, however it ends (`PR_SET_PDEATHSIG`): there is nothing to clean up and nothing to collide with.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use sfha_daemon::corosync_conf::{ConfNode, CorosyncConf, Profile, render};

use super::agent;

/// Longest wait for anything that has no deadline of its own.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Kills the process when it goes out of scope.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that dies with this thread.
fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Namespaces, kept by a process that does nothing.
struct Namespaces(Running);

impl Namespaces {
    fn new(prepare: &str) -> Self {
        let mut command = tied("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "sh", "-ec"]);
        command.arg(format!("ip link set lo up; {prepare}; echo ready; exec sleep infinity"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut keeper = Running::start(&mut command);
        let mut ready = [0; 6];
        keeper.0.stdout.take().unwrap().read_exact(&mut ready).expect("needs root and unshare(1)");
        Self(keeper)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = tied("nsenter");
        command.args(["--target", &self.0.pid().to_string(), "--net", "--mount", "--", program]);
        command
    }

    /// A path as seen in here.
    fn path(&self, path: &str) -> String {
        format!("/proc/{}/root{path}", self.0.pid())
    }

    fn ip(&self, args: &str) {
        succeed(self.command("ip").args(args.split_whitespace()));
    }
}

/// Some nodes and the switch between them.
pub struct Lab {
    nodes: Vec<Node>,
    switch: Namespaces,
    profile: Profile,
}

/// One node: node ids are 1, 2, 3, …
pub struct Node {
    pub id: u32,
    /// Dropped (and killed) in this order.
    agent: Option<Agent>,
    corosync: Option<Running>,
    space: Namespaces,
}

impl Lab {
    /// Nodes with a network and nothing running.
    pub fn new(count: u32, profile: Profile) -> Self {
        let switch = Namespaces::new("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up");
        let mut key = [0; 256];
        fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut key)).unwrap();
        let node = |id| {
            let dirs = "/etc/corosync /var/lib/corosync /var/log/corosync /run /dev/shm";
            let space = Namespaces::new(&format!("for d in {dirs}; do mount -t tmpfs none $d; done"));
            let peer = space.0.pid();
            switch.ip(&format!("link add p{id} type veth peer name eth0 netns {peer}"));
            switch.ip(&format!("link set p{id} master br0 up"));
            space.ip(&format!("address add {}/24 dev eth0", address(id)));
            space.ip("link set eth0 up");
            fs::write(space.path("/etc/corosync/authkey"), key).unwrap();
            Node { id, agent: None, corosync: None, space }
        };
        let nodes = (1..=count).map(node).collect();
        Self { nodes, switch, profile }
    }

    /// Nodes 1 to `count` in one cluster, agents connected, all quorate together.
    pub fn cluster(count: u32, profile: Profile) -> Self {
        Self::cluster_with_spares(count, 0, profile)
    }

    /// The same, with some more nodes that are not in it.
    pub fn cluster_with_spares(count: u32, spares: u32, profile: Profile) -> Self {
        let mut lab = Self::new(count + spares, profile);
        let ids: Vec<_> = (1..=count).collect();
        for id in &ids {
            lab.configure(*id, 1, &ids);
            lab.node(*id).start_corosync();
        }
        for id in &ids {
            lab.node(*id).start_agent();
        }
        for id in &ids {
            lab.node(*id).wait_until("a quorate ring and a group of all", |known| {
                known.quorate == Some(true) && known.ring == ids && known.group == ids
            });
        }
        lab
    }

    pub fn node(&mut self, id: u32) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    /// Writes the node's `corosync.conf` with these nodes in it.
    pub fn configure(&mut self, id: u32, version: u64, nodes: &[u32]) {
        let text = self.conf(version, nodes);
        self.node(id).write_conf(&text);
    }

    /// The file that sfha would write.
    pub fn conf(&self, version: u64, nodes: &[u32]) -> String {
        let node =
            |id: &u32| ConfNode { id: *id, name: format!("n{id}"), ring0: address(*id).into(), ring1: None };
        render(&CorosyncConf {
            device: None,
            cluster_name: "test".to_owned(),
            config_version: version,
            nodes: nodes.iter().map(node).collect(),
            profile: self.profile,
            mtu: Some(1500),
        })
        .unwrap()
    }

    /// Pulls or plugs the node's cable.
    pub fn cable(&self, id: u32, plugged: bool) {
        self.switch.ip(&format!("link set p{id} {}", if plugged { "up" } else { "down" }));
    }

    /// The cable goes first: what is sent while the processes die must not be heard.
    pub fn cut_power(&mut self, id: u32) -> Instant {
        self.cable(id, false);
        let at = Instant::now();
        let node = self.node(id);
        node.agent = None;
        node.corosync = None;
        at
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &mut self.nodes {
                let log = fs::read_to_string(node.space.path("/var/log/corosync/out")).unwrap_or_default();
                let log: Vec<_> = log.lines().filter(|line| !line.contains("[QB")).collect();
                eprintln!(
                    "--- corosync of node {}\n{}",
                    node.id,
                    log[log.len().saturating_sub(25)..].join("\n")
                );
                if let Some(agent) = &node.agent {
                    eprintln!("--- last events of node {}\n{}", node.id, agent.last_seen());
                }
            }
        }
    }
}

impl Node {
    pub fn write_conf(&self, text: &str) {
        let text = text.replace("to_stderr: no", "to_stderr: yes");
        fs::write(self.space.path("/etc/corosync/corosync.conf"), text).unwrap();
    }

    pub fn start_corosync(&mut self) {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.space.path("/var/log/corosync/out"))
            .unwrap();
        let mut command = self.space.command("corosync");
        command.arg("-f").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.corosync = Some(Running::start(&mut command));
    }

    pub fn kill_corosync(&mut self) {
        self.corosync = None;
    }

    pub fn signal_corosync(&self, signal: nix::sys::signal::Signal) {
        self.corosync.as_ref().unwrap().signal(signal);
    }

    /// Asks Corosync to end as systemd would, and waits for that.
    pub fn stop_corosync(&mut self) {
        self.signal_corosync(nix::sys::signal::Signal::SIGTERM);
        self.wait_for_corosync_to_end();
    }

    pub fn wait_for_corosync_to_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let corosync = self.corosync.as_mut().unwrap();
        while corosync.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "corosync of node {} goes on", self.id);
            std::thread::yield_now();
        }
        self.corosync = None;
    }

    pub fn start_agent(&mut self) {
        self.agent = Some(Agent::start(&mut self.agent_command()));
    }

    /// Runs the helper that sends one message, and returns its process id.
    pub fn send_once(&self, message: &str) -> u32 {
        let mut helper = Running::start(self.agent_command().env(agent::ONCE, message).stdout(Stdio::null()));
        assert!(helper.0.wait().unwrap().success());
        helper.0.id()
    }

    fn agent_command(&self) -> Command {
        let mut command = self.space.command(std::env::current_exe().unwrap().to_str().unwrap());
        command.args(["--ignored", "--exact", "agent_process", "--nocapture"]);
        command.env(agent::GROUP, "sfha-test");
        command
    }

    pub fn kill_agent(&mut self) {
        self.agent = None;
    }

    pub fn agent_pid(&self) -> u32 {
        self.agent.as_ref().unwrap().process.0.id()
    }

    /// CPU time that the agent has used.
    pub fn agent_cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.agent_pid())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().expect("an agent")
    }

    pub fn tell(&mut self, command: &str) {
        writeln!(self.agent().commands, "{command}").unwrap();
    }

    /// Gives a command and returns what came of it.
    pub fn ask(&mut self, command: &str) -> Result<Value, String> {
        self.tell(command);
        let to = command.split_whitespace().next().unwrap().to_owned();
        let (_, answer) = self.wait("an answer", |e| e["event"] == "answer" && e["to"] == to);
        let value = answer["value"].clone();
        if answer["ok"] == true { Ok(value) } else { Err(value.to_string()) }
    }

    /// The next event that fits, with the moment it came; what comes before it is skipped.
    pub fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let id = self.id;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.agent().next(deadline) {
                Some((at, event)) if fits(&event) => return (at, event),
                Some(_) => {}
                None => panic!("node {id} waited in vain for {what}"),
            }
        }
    }

    /// Reads events until what is known from them fits; it may fit at once. Returns the moment of the last event.
    pub fn wait_until(&mut self, what: &str, fits: impl Fn(&Known) -> bool) -> Instant {
        let id = self.id;
        let deadline = Instant::now() + PATIENCE;
        let mut at = Instant::now();
        while !fits(&self.agent().known) {
            match self.agent().next(deadline) {
                Some((came, _)) => at = came,
                None => panic!("node {id} waited in vain for {what}: {:?}", self.agent().known),
            }
        }
        at
    }

    /// Events that come within this time.
    pub fn events_for(&mut self, time: Duration) -> Vec<Value> {
        let deadline = Instant::now() + time;
        std::iter::from_fn(|| self.agent().next(deadline)).map(|(_, event)| event).collect()
    }

    /// What is known from the events read so far.
    pub fn known(&mut self) -> &Known {
        &self.agent().known
    }

    /// All events up to the one that fits, that one included.
    pub fn collect(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let seen = std::cell::RefCell::new(Vec::new());
        self.wait(what, |event| {
            seen.borrow_mut().push(event.clone());
            fits(event)
        });
        seen.into_inner()
    }
}

/// The state of things by an agent's latest events.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Known {
    pub connected: bool,
    pub quorate: Option<bool>,
    /// Nodes of the ring.
    pub ring: Vec<u32>,
    /// Nodes of the group's members.
    pub group: Vec<u32>,
    /// Expected, total, needed.
    pub votes: Option<(u64, u64, u64)>,
    pub two_node: bool,
    pub wait_for_all: bool,
    /// How often quorum was lost or the connection.
    pub losses: u32,
}

impl Known {
    fn learn(&mut self, event: &Value) {
        match event["event"].as_str().unwrap() {
            "connected" => self.connected = true,
            "disconnected" => {
                *self = Self { losses: self.losses + u32::from(self.connected), ..Self::default() };
            }
            "quorum" => {
                let quorate = event["quorate"].as_bool();
                self.losses += u32::from(self.quorate == Some(true) && quorate == Some(false));
                self.quorate = quorate;
                self.ring = serde_json::from_value(event["members"].clone()).unwrap();
            }
            "membership" => self.group = member_nodes(event).unwrap(),
            "votes" => {
                let number = |key: &str| event[key].as_u64().unwrap();
                self.votes = Some((number("expected"), number("total"), number("needed")));
                self.two_node = event["two_node"] == true;
                self.wait_for_all = event["wait_for_all"] == true;
            }
            _ => {}
        }
    }
}

/// An agent process and what it said.
struct Agent {
    commands: ChildStdin,
    events: Receiver<(Instant, Value)>,
    last: VecDeque<Value>,
    known: Known,
    process: Running,
}

impl Agent {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running::start(command);
        let (sender, events) = mpsc::channel();
        let output = BufReader::new(process.0.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test harness of the agent's binary says a word or two as well.
                let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) else { continue };
                if sender.send((Instant::now(), value)).is_err() {
                    return;
                }
            }
        });
        Self {
            commands: process.0.stdin.take().unwrap(),
            events,
            last: VecDeque::new(),
            known: Known::default(),
            process,
        }
    }

    fn next(&mut self, deadline: Instant) -> Option<(Instant, Value)> {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((at, event)) => {
                if self.last.len() == 20 {
                    self.last.pop_front();
                }
                self.last.push_back(event.clone());
                self.known.learn(&event);
                Some((at, event))
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn last_seen(&self) -> String {
        self.last.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }
}

pub fn address(id: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(id).unwrap())
}

/// The nodes of a membership event's members.
pub fn member_nodes(event: &Value) -> Option<Vec<u32>> {
    let members = event["members"].as_array().filter(|_| event["event"] == "membership")?;
    members.iter().map(|member| member["node"].as_u64().and_then(|node| u32::try_from(node).ok())).collect()
}
