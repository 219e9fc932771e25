//! A node: a whole Debian system in a container, with a disk of its own that survives its power cut.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::address::{self, Address};
use super::cgroup::Cgroup;
use super::nat::Router;
use super::netns;
use super::place::Place;
use super::prober::Prober;
use super::process::{ProcessId, run};
use super::reap::GlobalLock;
use super::switch::{Endpoint, Switch};
use super::wait::wait_until;

/// A boot takes a third of a second on an idle machine; this is for one that compiles at the same time, or that
/// is emulated.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);

/// What the processes of a node may do beyond what `systemd-nspawn` grants by itself.
const CAPABILITIES: &str = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_IPC_LOCK,CAP_SYS_RESOURCE";

/// One node of a lab. All its state is in the lab's folder, so a copy of this value stays true.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) place: Place,
    index: usize,
}

impl Node {
    pub(crate) fn new(place: &Place, index: usize) -> Self {
        Self { place: place.clone(), index }
    }

    /// Its position in the lab, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its host name: `node1` is the first.
    pub fn name(&self) -> String {
        format!("node{}", self.index + 1)
    }

    /// The IPv4 address of its `eth0`: on the switch, 10.77.0.1 for the first, unless it is behind a router.
    pub fn ip(&self) -> Ipv4Addr {
        self.router().map_or_else(|| address::ipv4(self.host()), |router| router.inside())
    }

    /// Where others see it: the address of its router if it has one, otherwise its own.
    pub fn outside_ip(&self) -> Ipv4Addr {
        self.router().map_or_else(|| address::ipv4(self.host()), |router| router.outside())
    }

    /// Probes an address over the mesh from now on.
    pub fn probe_mesh(&self, ip: IpAddr, interval: Duration) -> Result<Prober> {
        Prober::start(self.netns(), "wg-sfha", ip, interval)
    }

    /// The name of its network namespace, for `ip netns exec`.
    pub fn netns(&self) -> String {
        self.place.part(&self.name())
    }

    /// Its disk as seen from this machine, there also while the node is off; what is in memory (`/run`,
    /// `/tmp`) is not in it.
    pub fn disk(&self) -> PathBuf {
        self.dir().join("root")
    }

    /// What its console showed at the last boot.
    pub fn console(&self) -> String {
        fs::read_to_string(self.dir().join("console.log")).unwrap_or_default()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.place.dir().join(self.name())
    }

    fn host(&self) -> u8 {
        u8::try_from(self.index + 1).unwrap_or(u8::MAX)
    }

    fn router(&self) -> Option<Router> {
        Router::of(&self.place, self.index)
    }

    /// The far end of the node's cable: on the switch, or on its router.
    fn set_carrier(&self, carrier: bool) -> Result<()> {
        match self.router() {
            Some(router) => router.set_plugged(carrier),
            None => Switch::of(&self.place).set_plugged(Endpoint::Node(self.index), carrier),
        }
    }

    /// The process id, on this machine, of the node's init.
    pub fn pid(&self) -> Result<u32> {
        let text = fs::read_to_string(self.dir().join("leader")).unwrap_or_default();
        match ProcessId::parse(&text).filter(|leader| leader.is_alive() && self.is_running()) {
            Some(leader) => Ok(leader.pid),
            None => bail!("{} is not running", self.name()),
        }
    }

    /// Whether any of its processes lives, frozen or not.
    pub fn is_running(&self) -> bool {
        self.cgroup().is_ok_and(|group| group.is_populated())
    }

    /// Whether it is stopped by [`pause`](Self::pause).
    pub fn is_paused(&self) -> bool {
        self.cgroup().is_ok_and(|group| group.is_frozen())
    }

    /// Whether its cable is plugged in; a cut node's is not, until it boots.
    pub fn is_plugged(&self) -> bool {
        !self.unplugged_mark().exists()
    }

    /// The group of everything that runs in the node since its last boot.
    pub(crate) fn cgroup(&self) -> Result<Cgroup> {
        let boot = fs::read_to_string(self.dir().join("boot")).context("never booted")?;
        Cgroup::at(&self.place.cgroup().join(format!("{}.{boot}", self.name())))
    }

    /// Switches the node on and returns once systemd in it has started everything, with the time that took.
    /// Its network is a new one, as a real machine's: nothing of the addresses of its last life is left.
    pub fn boot(&self) -> Result<Duration> {
        let start = Instant::now();
        ensure!(!self.is_running(), "{} is running already", self.name());
        self.connect()?;
        let boot =
            fs::read_to_string(self.dir().join("boot")).map_or(1, |text| text.parse().unwrap_or(0) + 1);
        fs::write(self.dir().join("boot"), boot.to_string())?;
        let group = self.cgroup()?;
        group.create()?;
        let socket = self.dir().join("notify");
        let _ = fs::remove_file(&socket);
        let notices = UnixDatagram::bind(&socket).context("cannot listen for the end of the boot")?;
        let mut child = self.start(&group, &socket)?;
        let leader = self.await_ready(&mut child, &notices, start + BOOT_TIMEOUT);
        // Only so that no zombie is left: its end is seen by its control group.
        thread::spawn(move || child.wait());
        let leader =
            leader.with_context(|| format!("{} does not boot; console: {}", self.name(), self.console()))?;
        fs::write(self.dir().join("leader"), leader.to_string())?;
        group.child("exec").create()?;
        Ok(start.elapsed())
    }

    fn connect(&self) -> Result<()> {
        let netns = self.netns();
        netns::delete(&netns)?;
        netns::add(&netns, &GlobalLock::take()?)?;
        let mac = address::mac_text(address::mac(self.host()));
        if let Some(router) = self.router() {
            return router.connect(&netns, &mac, self.is_plugged());
        }
        let endpoint = Endpoint::Node(self.index);
        Switch::of(&self.place).connect(endpoint, &netns, &mac, self.is_plugged())?;
        netns::ip(&netns, &address::configure(self.host()))
    }

    fn start(&self, group: &Cgroup, notify: &std::path::Path) -> Result<Child> {
        let console = File::create(self.dir().join("console.log"))?;
        let mut command = group.command("systemd-nspawn");
        command.args(["--quiet", "--register=no", "--keep-unit", "--private-users=no", "--settings=no"]);
        command.args(["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--notify-ready=yes"]);
        command.args(["--console=pipe", "--bind=/dev/net/tun", "--rlimit=MEMLOCK=infinity"]);
        command.arg(format!("--capability={CAPABILITIES}"));
        command.arg(format!("--machine={}", self.netns())).arg(format!("--hostname={}", self.name()));
        command.arg(format!("--network-namespace-path={}", netns::path(&self.netns()).display()));
        command.arg("-D").arg(self.disk()).args(["--boot", "systemd.unit=multi-user.target"]);
        // The node gets version 2 of the control groups, as Debian boots by itself, and may set its own sysctls.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("NOTIFY_SOCKET", notify);
        command
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network");
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
        // SAFETY: setsid(2) is all that happens between fork and exec.
        unsafe {
            command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into));
        }
        command.spawn().context("cannot start systemd-nspawn")
    }

    /// `systemd-nspawn` tells the id of the node's init, and hands on the word of its systemd that it is done.
    fn await_ready(&self, child: &mut Child, notices: &UnixDatagram, deadline: Instant) -> Result<ProcessId> {
        notices.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut leader = None;
        let mut buffer = [0; 4096];
        loop {
            if let Ok(length) = notices.recv(&mut buffer) {
                for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                    match line.split_once('=') {
                        Some(("X_NSPAWN_LEADER_PID", pid)) => {
                            leader = pid.parse().ok().and_then(ProcessId::of)
                        }
                        Some(("READY", "1")) => {
                            return leader.context("systemd-nspawn did not name the leader");
                        }
                        _ => {}
                    }
                }
            } else if let Some(status) = child.try_wait()? {
                bail!("systemd-nspawn ended with {status}");
            } else if Instant::now() >= deadline {
                bail!("not ready after {}", humantime::format_duration(BOOT_TIMEOUT));
            }
        }
    }

    /// Power cut: the cable is dead, then everything in the node, at once and without warning. Its disk stays.
    pub fn cut(&self) -> Result<()> {
        let group = self.cgroup()?;
        self.set_carrier(false)?;
        group.kill()?;
        wait_until(&format!("the end of {}", self.name()), Duration::from_secs(10), || {
            !group.is_populated()
        })?;
        Ok(())
    }

    /// Switches the node off in good order: services stop first. Its disk stays.
    pub fn shutdown(&self) -> Result<()> {
        let group = self.cgroup()?;
        // What systemd takes as the order to power off, as from a machine's button.
        let power_off = libc::SIGRTMIN() + 4;
        // SAFETY: the call takes two numbers.
        let result = unsafe { libc::kill(i32::try_from(self.pid()?)?, power_off) };
        nix::errno::Errno::result(result)?;
        wait_until(&format!("{} to shut down", self.name()), BOOT_TIMEOUT * 2, || !group.is_populated())?;
        self.set_carrier(false)
    }

    /// Pulls the network cable.
    pub fn unplug(&self) -> Result<()> {
        fs::write(self.unplugged_mark(), "")?;
        self.set_carrier(false)
    }

    /// Plugs the network cable in again.
    pub fn plug(&self) -> Result<()> {
        let _ = fs::remove_file(self.unplugged_mark());
        self.set_carrier(self.is_running())
    }

    /// The router of a node that is behind one forgets all connections, and takes this port for UDP from now on.
    pub fn rebind(&self, port: u16) -> Result<()> {
        self.router().with_context(|| format!("{} has no router", self.name()))?.rebind(port)
    }

    fn unplugged_mark(&self) -> PathBuf {
        self.dir().join("unplugged")
    }

    /// Stops every process of the node where it is. Its kernel is this machine's and goes on: addresses keep
    /// answering, and their lifetimes run out; [`Lab::isolate`](super::Lab::isolate) it too to be a frozen VM.
    pub fn pause(&self) -> Result<()> {
        self.cgroup()?.freeze(true)
    }

    /// Lets the processes go on.
    pub fn resume(&self) -> Result<()> {
        self.cgroup()?.freeze(false)
    }

    /// The addresses on an interface, also of a node that is off. No such interface: none.
    pub fn addresses(&self, interface: &str) -> Result<Vec<Address>> {
        match run("ip", &["-n", &self.netns(), "-j", "address", "show", "dev", interface]) {
            Ok(json) => address::parse(&json),
            Err(error) if format!("{error:#}").contains("does not exist") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether any of its interfaces has the address.
    pub fn has_address(&self, ip: IpAddr) -> Result<bool> {
        let json = run("ip", &["-n", &self.netns(), "-j", "address", "show"])?;
        Ok(address::parse(&json)?.iter().any(|address| address.ip == ip))
    }

    /// Runs `work` in a thread inside the node's network; sockets that it returns stay there. For servers and
    /// clients made of the test's own code. They die with no power cut, but lose their network.
    pub fn within_network<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        netns::within(&self.netns(), work)
    }

    /// The node's journal, filtered by `journalctl`'s own arguments; read from its disk, so it also tells what
    /// led to the node's end.
    pub fn journal(&self, args: &[&str]) -> Result<String> {
        let folder = self.disk().join("var/log/journal");
        let folder = folder.to_string_lossy();
        let mut all = vec!["--no-pager", "--quiet", "-D", &folder];
        all.extend(args);
        run("journalctl", &all)
    }
}
