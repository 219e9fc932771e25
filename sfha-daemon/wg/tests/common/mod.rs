//! Nodes for tests: a thread in a network namespace and a `/run` of its own, with `sfha-wg` running there.
//! Nothing is left behind, and any number of tests can run at the same time.
#![allow(dead_code, reason = "each test program uses its part")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sfha_daemon::io::wireguard::{Device, Peer, PrivateKey, PublicKey, forbid_programs};

pub const INTERFACE: &str = "wg-sfha";
pub const SOCKET: &str = "/var/run/wireguard/wg-sfha.sock";
pub const PORT: u16 = 51820;

type Job = Box<dyn FnOnce() + Send>;

/// A thread with its own network and `/run`.
pub struct Namespace {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    pub task: i32,
}

impl Namespace {
    pub fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test needs root: it makes network namespaces");
        let (jobs, queue) = mpsc::channel::<Job>();
        let (started, task) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("new namespaces");
            let none: Option<&str> = None;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("a private tree");
            mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).expect("a new /run");
            ip("link set lo up");
            started.send(nix::unistd::gettid().as_raw()).unwrap();
            queue.into_iter().for_each(|job| job());
        });
        let task = task.recv().expect("new namespaces");
        Self { jobs: Some(jobs), thread: Some(thread), task }
    }

    /// Runs `job` on the thread of the namespace.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let job: Job = Box::new(move || {
            let _ = done.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
        });
        self.jobs.as_ref().unwrap().send(job).unwrap();
        match result.recv().unwrap() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let _ = self.thread.take().unwrap().join();
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

/// Runs a program and fails with what it says.
pub fn run(program: &str, arguments: &str) -> String {
    let output =
        Command::new(program).args(arguments.split_whitespace()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `sfha-wg`, killed when dropped.
pub struct Process(pub Child);

impl Process {
    /// Starts it in the namespace of the calling thread and waits until it listens.
    pub fn start() -> Self {
        let process = Self::spawn(&[INTERFACE]);
        wait_for("the device to listen", || UnixStream::connect(SOCKET).is_ok());
        process
    }

    pub fn spawn(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sfha-wg"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
        Self(command.spawn().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    /// Waits for its end: exit status and everything it wrote.
    pub fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "sfha-wg does not end"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut output = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut output).unwrap();
        (status, output)
    }

    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A client of the UAPI socket that keeps its connection.
pub struct Client(UnixStream);

impl Client {
    pub fn connect() -> Self {
        let stream = UnixStream::connect(SOCKET).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// One answer, its empty line included; less if the device hung up.
    pub fn answer(&mut self) -> String {
        let mut answer = String::new();
        let mut byte = [0];
        while !answer.ends_with("\n\n") {
            match self.0.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => answer.push(byte[0].into()),
                // It hung up without having read everything.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("no answer in time: {error}"),
            }
        }
        answer
    }

    pub fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes());
        self.answer()
    }
}

/// A node of a mesh: number N has 192.0.2.N outside and 10.100.0.N inside.
pub struct Node {
    pub namespace: Namespace,
    pub process: Option<Process>,
    pub device: Device,
    pub key: PrivateKey,
    pub number: u8,
}

impl Node {
    pub fn inside(&self) -> IpAddr {
        Ipv4Addr::new(10, 100, 0, self.number).into()
    }

    pub fn outside(&self) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, self.number], PORT))
    }

    /// What the others configure for this node.
    pub fn peer(&self) -> Peer {
        peer(self.key.public(), self.outside(), &[&format!("{}/32", self.inside())])
    }

    pub fn sync(&self, peers: &[Peer]) -> Option<sfha_daemon::io::wireguard::Changes> {
        let (device, peers) = (self.device.clone(), peers.to_vec());
        self.namespace.run(move || block_on(device.sync_peers(&peers))).unwrap()
    }

    pub fn set_key(&self, key: &PrivateKey, port: u16) -> bool {
        let (device, key) = (self.device.clone(), key.clone());
        self.namespace.run(move || block_on(device.set_private_key(&key, port))).unwrap()
    }

    pub fn status(&self) -> sfha_daemon::io::wireguard::DeviceStatus {
        let device = self.device.clone();
        self.namespace.run(move || block_on(device.status())).unwrap()
    }

    pub fn ip(&self, arguments: &str) -> String {
        let arguments = arguments.to_owned();
        self.namespace.run(move || ip(&arguments))
    }

    pub fn ping(&self, to: IpAddr) -> bool {
        self.namespace.run(move || ping(to))
    }

    pub fn wait_for_ping(&self, to: IpAddr) {
        wait_for(&format!("an answer of {to}"), || self.ping(to));
    }
}

fn ping(to: IpAddr) -> bool {
    let mut command = Command::new("ping");
    command.args(["-n", "-c", "1", "-W", "1", &to.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

pub fn peer(public_key: PublicKey, endpoint: SocketAddr, networks: &[&str]) -> Peer {
    Peer {
        public_key,
        endpoint: Some(endpoint),
        allowed_ips: networks.iter().map(|text| text.parse().unwrap()).collect(),
        keepalive: Some(25),
    }
}

/// Nodes 1 to `count` on one switch, every device with its key and its addresses, nobody's peer yet.
pub fn nodes(count: u8) -> (Namespace, Vec<Node>) {
    // SAFETY: nothing in these tests reads the environment at the same time as this writes it.
    unsafe { forbid_programs() };
    let switch = Namespace::new();
    switch.run(|| {
        ip("link add br0 type bridge mcast_snooping 0");
        ip("link set br0 up");
    });
    let nodes = (1..=count).map(|number| node(&switch, number)).collect();
    (switch, nodes)
}

fn node(switch: &Namespace, number: u8) -> Node {
    let namespace = Namespace::new();
    let task = namespace.task;
    switch.run(move || {
        ip(&format!("link add port{number} type veth peer name eth0 netns {task}"));
        ip(&format!("link set port{number} master br0 up"));
    });
    let key = PrivateKey::generate().unwrap();
    let own = key.clone();
    let (process, device) = namespace.run(move || {
        ip(&format!("addr add 192.0.2.{number}/24 dev eth0"));
        ip("link set eth0 up");
        // Started first, so that these tests use it also where the kernel has WireGuard.
        let process = Process::start();
        let device = block_on(async {
            let device = Device::ensure(INTERFACE, 1420, no_start).await.unwrap();
            assert!(device.set_private_key(&own, PORT).await.unwrap());
            device
        });
        ip(&format!("addr add 10.100.0.{number}/24 dev {INTERFACE}"));
        (process, device)
    });
    Node { namespace, process: Some(process), device, key, number }
}

pub async fn no_start(_: String, _: u16) -> Result<(), std::io::Error> {
    panic!("the device is there: nothing is to be started");
}

/// Every node a peer of every other.
pub fn connect(nodes: &[Node]) {
    for node in nodes {
        let others = nodes.iter().filter(|other| other.number != node.number).map(Node::peer);
        assert!(node.sync(&others.collect::<Vec<_>>()).is_some());
    }
}

pub fn exists(path: &'static str) -> impl FnOnce() -> bool + Send {
    move || Path::new(path).exists()
}
