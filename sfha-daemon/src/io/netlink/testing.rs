//! Network namespaces for tests: each test makes its own, nothing is left behind, and `ip` is the second opinion.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace, and the thread that lives in it. It is gone when both are.
pub(in crate::io) struct Namespace {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Of the thread: `ip link set … netns TASK`.
    pub task: i32,
}

impl Namespace {
    pub fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (started, task) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            enter();
            started.send(nix::unistd::gettid().as_raw()).unwrap();
            queue.into_iter().for_each(|job| job());
        });
        let task = task.recv().expect("a new network namespace");
        Self { jobs: Some(jobs), thread: Some(thread), task }
    }

    /// Runs `job` in the namespace, on its thread.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let job: Job = Box::new(move || done.send(job()).unwrap());
        self.jobs.as_ref().unwrap().send(job).unwrap();
        result.recv().expect("the job in the namespace has panicked")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// Runs an async test in a namespace of its own.
pub(in crate::io) fn in_namespace<F>(test: impl FnOnce() -> F + Send)
where
    F: Future<Output = ()>,
{
    blocking_in_namespace(|| block_on(test()));
}

/// Runs a test in a namespace of its own.
pub(in crate::io) fn blocking_in_namespace(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter();
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// On one thread, so that everything happens in the namespace of that thread.
pub(in crate::io) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

pub(in crate::io) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn enter() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root: it makes network namespaces");
    unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
    ip("link set lo up");
}

/// Runs `ip` and fails with what it says.
pub(in crate::io) fn ip(arguments: &str) -> String {
    try_ip(arguments).unwrap_or_else(|message| panic!("ip {arguments}: {message}"))
}

pub(in crate::io) fn try_ip(arguments: &str) -> Result<String, String> {
    let output = Command::new("ip").args(arguments.split_whitespace()).stdin(Stdio::null()).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// A pair of connected interfaces, both up, in this namespace.
pub(in crate::io) fn veth(one: &str, other: &str) {
    ip(&format!("link add {one} type veth peer name {other}"));
    for interface in [one, other] {
        // No link-local addresses: tests look at everything there is.
        ip(&format!("link set {interface} addrgenmode none"));
        ip(&format!("link set {interface} up"));
    }
    for interface in [one, other] {
        wait_carrier(interface);
    }
}

/// Waits until an interface that is up carries frames: the kernel starts its queue some time after its other end
/// came up, and until then drops what is sent.
pub(in crate::io) fn wait_carrier(interface: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !ip(&format!("-o link show dev {interface}")).contains("state UP") {
        assert!(Instant::now() < deadline, "{interface} has no carrier");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The addresses of an interface as `ip` sees them, in `ip`'s own words.
pub(in crate::io) fn addresses(interface: &str) -> Vec<Value> {
    let text = ip(&format!("-j addr show dev {interface}"));
    let mut links: Vec<Value> = serde_json::from_str(&text).unwrap();
    links.remove(0)["addr_info"].take().as_array_mut().map(std::mem::take).unwrap()
}

/// The tags of all addresses (`IFA_PROTO`, which this `ip` does not show), read from the kernel's own bytes: a
/// `nlmsghdr`, an `ifaddrmsg`, attributes; see netlink(7) and rtnetlink(7).
pub(in crate::io) fn tags() -> BTreeMap<IpAddr, u8> {
    const LENGTH: u8 = 24;
    let mut request = [0; LENGTH as usize];
    request[0] = LENGTH;
    request[4] = u8::try_from(libc::RTM_GETADDR).unwrap();
    request[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    let socket =
        Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)));
    let mut socket = socket.unwrap();
    socket.write_all(&request).unwrap();
    let mut tags = BTreeMap::new();
    loop {
        let mut buffer = vec![0; 1 << 16];
        let length = socket.read(&mut buffer).unwrap();
        let mut messages = &buffer[..length];
        while !messages.is_empty() {
            let size = u32::from_ne_bytes(messages[..4].try_into().unwrap()) as usize;
            if u16::from_ne_bytes([messages[4], messages[5]]) != libc::RTM_NEWADDR {
                return tags;
            }
            let mut attributes = &messages[24..size];
            let (mut address, mut tag) = (None, None);
            while !attributes.is_empty() {
                let length = usize::from(u16::from_ne_bytes([attributes[0], attributes[1]]));
                let value = &attributes[4..length];
                match (attributes[2], value.len()) {
                    (1, 4) => address = Some(IpAddr::from(<[u8; 4]>::try_from(value).unwrap())),
                    (1, 16) => address = Some(IpAddr::from(<[u8; 16]>::try_from(value).unwrap())),
                    (11, 1) => tag = Some(value[0]),
                    _ => {}
                }
                attributes = &attributes[length.next_multiple_of(4).min(attributes.len())..];
            }
            tags.extend(address.zip(tag));
            messages = &messages[size.next_multiple_of(4).min(messages.len())..];
        }
    }
}

/// One of them.
pub(in crate::io) fn address(interface: &str, address: IpAddr) -> Option<Value> {
    addresses(interface).into_iter().find(|info| info["local"] == address.to_string())
}
