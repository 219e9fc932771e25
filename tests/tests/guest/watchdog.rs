//! A node with a watchdog: `softdog`, which resets the guest and with it all that runs there. Time is the guest's
//! own, the one that its watchdog goes by.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use sfha_core::fencing::FencingSettings;
use sfha_tests::cluster::{CLUSTER, Cluster, UnixSignal, VIP};
use sfha_tests::lab::{Lab, LabOptions, wait_for, wait_until};

use crate::steps::PATIENCE;

/// Said when only the watchdog can go on from there.
pub const HANGS: &str = "the daemon hangs";

/// What the kernel says when it is the watchdog that resets.
pub const RESETS: &str = "softdog: Initiating system reboot";

/// What the kernel says when the device is closed without the word that switches it off.
const RUNS_ON: &str = "watchdog did not stop";

const DEVICE: &str = "/dev/watchdog";
const UNIT: &str = "sfha.service";
const WEB: &str = "web";
const CONFIG: &str = "/etc/sfha/config.yml";

/// Time enough, under emulation, for systemd to start the daemon anew.
const GENEROUS: &str = "timeout: 60s";

/// Not less than what is fed every second needs on a busy machine.
const SHORT: &str = "timeout: 10s";

/// systemd is no help against a daemon that hangs.
const DROP_IN: &str = "/etc/systemd/system/sfha.service.d/override.conf";
const NO_SYSTEMD: &str = "[Service]\nWatchdogSec=0\n";

/// A cluster of one, which has an address.
pub struct Watched {
    cluster: Cluster,
    started: Instant,
}

impl Watched {
    pub fn formed() -> Self {
        let started = Instant::now();
        host(&["modprobe", "softdog"]);
        let lab = Lab::up(&LabOptions::named("watchdog").nodes(1)).unwrap();
        let watched = Self { cluster: Cluster::on(lab), started };
        let cluster = &watched.cluster;
        watched.reached("a node is up");
        // A container's devices are those that it is given.
        let devices = format!("/proc/{}/root/dev", cluster.node(0).pid().unwrap());
        host(&["cp", "--archive", DEVICE, &devices]);
        let _: Value = cluster.ask(0, &["init", "--cluster", CLUSTER]).unwrap();
        cluster.vip_add(0, WEB, VIP).unwrap();
        assert_eq!(attribute("state"), "inactive");
        let old = cluster.node(0).read_file(CONFIG).unwrap();
        let stonith = format!("stonith: {{enabled: true, provider: watchdog, watchdog: {{{GENEROUS}}}}}");
        cluster.node(0).write_file(CONFIG, &format!("{old}\n{stonith}\n")).unwrap();
        let _: Value = cluster.ask(0, &["reload"]).unwrap();
        watched.serves();
        assert_eq!(attribute("timeout"), "60");
        watched.reached("the node has an address and a watchdog");
        watched
    }

    fn reached(&self, what: &str) {
        println!("[{:4} s] {what}", self.started.elapsed().as_secs());
    }

    /// The address is there, and the daemon that has it has the watchdog. Returns the daemon's process id.
    fn serves(&self) -> u32 {
        let daemon = wait_for("a daemon that has the watchdog", PATIENCE, || {
            let daemon = self.daemon()?;
            let files = fs::read_dir(format!("/proc/{daemon}/fd")).ok()?.flatten();
            let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
            targets.any(|target| target == Path::new(DEVICE)).then_some(daemon)
        });
        assert_eq!(self.cluster.wait_active(WEB, &[0], PATIENCE).unwrap(), 0);
        assert!(self.has_address());
        assert_eq!(attribute("state"), "active");
        daemon.unwrap()
    }

    fn daemon(&self) -> Option<u32> {
        self.cluster.unit_pid(0, UNIT).ok()
    }

    fn has_address(&self) -> bool {
        self.cluster.node(0).has_address(VIP.parse().unwrap()).unwrap()
    }

    /// Nothing is reset: systemd kills it in time, which leaves the watchdog running, and starts another, which
    /// goes on with it.
    pub fn systemd_replaces_a_daemon_that_hangs(&self) {
        let hung = self.serves();
        self.cluster.signal(0, UNIT, UnixSignal::SIGSTOP).unwrap();
        wait_until("another daemon", PATIENCE, || self.daemon().is_some_and(|pid| pid != hung)).unwrap();
        assert!(host(&["dmesg"]).contains(RUNS_ON), "its death has switched the watchdog off");
        assert_ne!(self.serves(), hung);
        let journal = self.cluster.node(0).journal(&["-u", UNIT, "-o", "cat"]).unwrap();
        assert!(journal.contains("Watchdog timeout"), "{journal}");
        self.reached("systemd has replaced a daemon that hung");
    }

    /// It switches the watchdog off, and the next one sets it as it now is to be.
    pub fn a_clean_stop_switches_it_off(&self) {
        let node = self.cluster.node(0);
        let config = node.read_file(CONFIG).unwrap();
        assert!(config.contains(GENEROUS), "{config}");
        node.write_file(CONFIG, &config.replace(GENEROUS, SHORT)).unwrap();
        let _: Value = self.cluster.ask(0, &["reload"]).unwrap();
        self.serves();
        assert_eq!(attribute("timeout"), "60", "others count on it");
        node.exec_ok(&["systemctl", "stop", UNIT]).unwrap();
        assert_eq!(attribute("state"), "inactive");
        assert!(!self.has_address());
        self.reached("a clean stop has switched the watchdog off");

        node.write_file(DROP_IN, NO_SYSTEMD).unwrap();
        node.sh(&format!("systemctl daemon-reload; systemctl start {UNIT}")).unwrap();
        self.serves();
        assert_eq!(attribute("timeout"), "10");
    }

    pub fn it_is_fed(&self) {
        sleep(timeout() + Duration::from_secs(1));
        self.serves();
        self.reached("the watchdog was fed for longer than its time-out");
    }

    /// The machine's end, before others would take the address over.
    pub fn a_daemon_that_hangs_takes_the_machine_with_it(&self) {
        self.cluster.signal(0, UNIT, UnixSignal::SIGSTOP).unwrap();
        self.reached(HANGS);
        let margin = FencingSettings::off().safety.watchdog_margin_ms;
        sleep(timeout() + Duration::from_millis(margin));
        panic!("the machine runs although others may have its address now");
    }
}

/// What the device says of itself.
fn attribute(name: &str) -> String {
    fs::read_to_string(format!("/sys/class/watchdog/watchdog0/{name}")).unwrap().trim().to_owned()
}

/// What the device took.
fn timeout() -> Duration {
    Duration::from_secs(attribute("timeout").parse().unwrap())
}

/// Runs a program of the guest itself.
fn host(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
