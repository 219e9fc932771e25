//! The lab itself: what tests of the cluster take for granted. They need root; without it, or without one of
//! the programs the lab runs, they fail with a sentence that says so.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sfha_tests::lab::{Endpoint, Lab, LabOptions, Nat, Node, PATIENCE, reap, wait_for, wait_until};

const VIP: &str = "10.77.0.100";

fn vip() -> IpAddr {
    VIP.parse().unwrap()
}

fn lab(label: &str, nodes: usize) -> Lab {
    Lab::up(&LabOptions::unique(label).nodes(nodes)).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Waits until the target answers: after a silence the kernel looks for a neighbour only once a second.
fn await_ping(node: &Node, target: &Node) {
    let what = format!("{} to reach {}", node.name(), target.name());
    wait_until(&what, PATIENCE, || pings(node, target)).unwrap();
}

fn await_client(lab: &Lab, node: &Node) {
    let what = format!("the client to reach {}", node.name());
    wait_until(&what, PATIENCE, || lab.client().can_ping(node.ip().into()).unwrap()).unwrap();
}

fn pings(node: &Node, target: &Node) -> bool {
    node.exec(&["ping", "-c1", "-W0.4", &target.ip().to_string()]).unwrap().success()
}

fn carrier(node: &Node) -> bool {
    node.exec_ok(&["ip", "-br", "link", "show", "eth0"]).unwrap().contains("LOWER_UP")
}

#[test]
fn a_node_is_a_debian_system_whose_disk_survives_a_power_cut() {
    let lab = lab("power", 2);
    let node = lab.node(0);
    assert_eq!(node.exec_ok(&["systemctl", "is-system-running"]).unwrap(), "running\n");
    assert_eq!(node.sh("hostname").unwrap(), "node1\n");
    assert!(node.exec_ok(&["busctl", "list"]).unwrap().contains("org.freedesktop.systemd1"));
    assert_eq!(node.exec(&["sh", "-c", "echo no >&2; exit 7"]).unwrap().code, 7);
    let echo = node.exec_with_input(PATIENCE, &["cat"], "through the pipe").unwrap();
    assert_eq!(echo.stdout, "through the pipe");
    let error = node.exec_within(Duration::from_millis(200), &["sleep", "60"]).unwrap_err();
    assert!(format!("{error:#}").contains("node1: sleep 60"), "{error:#}");

    node.write_file("/etc/new/folder/file", "kept").unwrap();
    // An absolute link must lead into the node, not into this machine.
    node.write_file("/var/run/in-memory", "lost").unwrap();
    assert_eq!(node.sh("cat /etc/new/folder/file /run/in-memory").unwrap(), "keptlost");
    node.sh(&format!("ip addr add {VIP}/32 dev eth0; logger -t lab-test before the cut; journalctl --sync"))
        .unwrap();
    let task = node.spawn(&["sleep", "1000"]).unwrap();

    node.cut().unwrap();
    assert!(!node.is_running());
    assert!(node.exec(&["true"]).is_err());
    drop(task);
    assert!(!pings(lab.node(1), node));
    assert!(node.journal(&["-t", "lab-test"]).unwrap().contains("before the cut"));
    assert_eq!(node.read_file("/etc/new/folder/file").unwrap(), "kept");
    node.write_file("/etc/new/other", "written while off").unwrap();

    node.boot().unwrap();
    assert!(node.boot().is_err(), "a node that runs cannot be switched on");
    assert_eq!(node.sh("cat /etc/new/other").unwrap(), "written while off");
    assert!(node.read_file("/run/in-memory").is_err(), "memory does not survive");
    assert!(!node.has_address(vip()).unwrap(), "addresses do not survive");
    await_ping(lab.node(1), node);

    node.shutdown().unwrap();
    assert!(node.journal(&["-n", "20"]).unwrap().contains("Reached target"), "{}", node.console());
    node.boot().unwrap();
}

#[test]
fn cables_and_partitions_separate_exactly_whom_they_should() {
    let lab = lab("cables", 3);
    let [one, two, three] = [lab.node(0), lab.node(1), lab.node(2)];
    let reaches = |node: &Node| lab.client().can_ping(node.ip().into()).unwrap();
    for (from, to) in [(one, two), (one, three), (two, three)] {
        await_ping(from, to);
    }
    lab.nodes().iter().for_each(|node| await_client(&lab, node));

    one.unplug().unwrap();
    wait_until("node1 to lose its carrier", PATIENCE, || !carrier(one)).unwrap();
    assert!(!pings(two, one) && pings(two, three) && !reaches(one));
    one.plug().unwrap();
    await_ping(two, one);

    lab.partition(&[&[0], &[1, 2]]).unwrap();
    assert!(carrier(one), "a partition takes no carrier");
    assert!(!pings(one, two) && !pings(three, one) && pings(two, three));
    await_client(&lab, one);
    await_client(&lab, two);
    lab.partition(&[&[0, 1], &[2]]).unwrap();
    assert!(!pings(one, three) && !pings(three, two), "a partition replaces the one before");
    await_ping(one, two);

    lab.heal().unwrap();
    await_ping(one, three);
    lab.block_one_way(Endpoint::Node(0), Endpoint::Client).unwrap();
    assert!(!reaches(one) && reaches(two));
    lab.heal().unwrap();
    lab.isolate(1).unwrap();
    assert!(!reaches(two) && !pings(two, one));
    await_ping(one, three);
    lab.heal().unwrap();
    lab.lose(100).unwrap();
    assert!(!pings(one, two));
    await_client(&lab, one);
    lab.heal().unwrap();
    await_ping(one, two);
    await_client(&lab, two);
    let copies = || {
        let target = two.ip().to_string();
        one.exec(&["ping", "-c", "5", "-i", "0.05", &target]).unwrap().stdout.matches("DUP!").count()
    };
    lab.duplicate(100).unwrap();
    assert!(copies() >= 4, "requests arrive twice, and so do the answers");
    lab.heal().unwrap();
    assert_eq!(copies(), 0);
    assert!(lab.partition(&[&[0], &[0]]).is_err());
}

#[test]
fn a_paused_node_stands_still_and_goes_on() {
    let lab = lab("pause", 1);
    let node = lab.node(0);
    let _ticker = node.spawn(&["sh", "-c", "while :; do echo >>/run/ticks; sleep 0.01; done"]).unwrap();
    let ticks = || node.read_file("/run/ticks").map_or(0, |text| text.len());
    wait_until("the first ticks", PATIENCE, || ticks() > 3).unwrap();

    node.pause().unwrap();
    let (paused, console) = (ticks(), node.is_paused());
    let error = node.exec_within(Duration::from_millis(300), &["true"]).unwrap_err();
    assert!(console && format!("{error:#}").contains("not done"), "commands stand still too: {error:#}");
    assert_eq!(ticks(), paused);
    node.resume().unwrap();
    wait_until("it to go on", PATIENCE, || ticks() > paused + 3).unwrap();

    node.pause().unwrap();
    node.cut().unwrap();
    assert!(!node.is_running(), "a stopped node can be cut");
    node.boot().unwrap();
}

/// Makes the node tell everybody about its addresses, with the gratuitous ARP of its kernel.
fn announce(node: &Node) {
    let set = "sysctl -qw net.ipv4.conf.eth0.arp_notify=1; ip link set eth0 address $(cat /sys/class/net/eth0/address)";
    node.sh(set).unwrap();
}

#[test]
fn the_instruments_see_a_gap_who_answers_and_two_holders() {
    let lab = lab("instruments", 2);
    let [one, two] = [lab.node(0), lab.node(1)];
    let address = format!("{VIP}/32");
    let watcher = lab.watch_address(vip()).unwrap();
    let prober = lab.client().probe(vip()).unwrap();
    one.exec_ok(&["ip", "addr", "add", &address, "dev", "eth0"]).unwrap();
    prober.wait_answered_by(0, PATIENCE).unwrap();
    watcher.wait_holders(&[0], PATIENCE).unwrap();

    // Both have it, but only one has told: the client stays with that one until it hears otherwise.
    two.exec_ok(&["ip", "addr", "add", &address, "dev", "eth0"]).unwrap();
    watcher.wait_holders(&[0, 1], PATIENCE).unwrap();
    one.exec_ok(&["ip", "addr", "del", &address, "dev", "eth0"]).unwrap();
    watcher.wait_holders(&[1], PATIENCE).unwrap();
    let removed = prober.started().elapsed();
    assert!(prober.wait_answered_by(1, Duration::from_millis(300)).is_err(), "nobody announced it");
    announce(two);
    prober.wait_answered_by(1, PATIENCE).unwrap();
    let answered = prober.started().elapsed();

    // A holder that loses its power has the address no more, whatever its network's remains say.
    two.cut().unwrap();
    watcher.wait_holders(&[], PATIENCE).unwrap();
    two.boot().unwrap();
    two.exec_ok(&["ip", "addr", "add", &address, "dev", "eth0"]).unwrap();
    watcher.wait_holders(&[1], PATIENCE).unwrap();
    prober.wait_answered_again(PATIENCE).unwrap();

    let report = prober.finish().unwrap();
    let moved = report.silences.iter().find(|silence| silence.length > Duration::from_millis(250)).unwrap();
    assert!(moved.from < removed && moved.length < answered - moved.from, "{report:#?}");
    assert!(moved.lost > 50, "a silence of 300 ms at a probe every 2 ms: {moved:?}");
    assert_eq!(report.nodes(), [0, 1]);
    assert_eq!(report.runs.iter().map(|run| run.node).collect::<Vec<_>>(), [Some(0), Some(1)]);
    let report = watcher.finish().unwrap();
    assert!(
        report.two_holders > Duration::ZERO && report.two_holders < Duration::from_secs(5),
        "{report:#?}"
    );
    assert!(report.nobody > Duration::from_millis(100), "a boot takes longer: {report:#?}");
}

#[test]
fn an_address_that_nobody_moves_is_never_silent() {
    let lab = lab("steady", 1);
    lab.node(0).exec_ok(&["ip", "addr", "add", "fd77::100/128", "dev", "eth0", "nodad"]).unwrap();
    let prober = lab.client().probe("fd77::100".parse().unwrap()).unwrap();
    prober.wait_answered(PATIENCE).unwrap();
    wait_until("200 answers", PATIENCE, || prober.report().answered > 200).unwrap();
    let report = prober.finish().unwrap();
    assert_eq!(report.lost, 0, "{report:#?}");
    assert!(report.gap <= report.longest_send_pause + Duration::from_millis(50), "{report:#?}");
}

/// The outside port from which a node's socket reaches each of two ports of the client.
fn outside_ports(lab: &Lab, node: usize) -> [u16; 2] {
    let client = lab.client().ip();
    let listen = move || {
        let sockets = [UdpSocket::bind((client, 0))?, UdpSocket::bind((client, 0))?];
        sockets.iter().try_for_each(|socket| socket.set_read_timeout(Some(PATIENCE)))?;
        Ok(sockets)
    };
    let listeners = lab.client().within_network(listen).unwrap();
    let targets = [0, 1].map(|index: usize| listeners[index].local_addr().unwrap());
    let sender = lab.node(node).within_network(|| Ok(UdpSocket::bind("0.0.0.0:0")?)).unwrap();
    let port = sender.local_addr().unwrap().port();
    [0, 1].map(|index: usize| {
        sender.send_to(b"?", targets[index]).unwrap();
        let (_, from) = listeners[index].recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from.ip(), IpAddr::from(lab.node(node).outside_ip()), "from port {port}");
        from.port()
    })
}

#[test]
fn a_node_behind_a_router_reaches_others_and_is_not_reached() {
    let options = LabOptions::unique("nat").nodes(3).behind_nat(0, Nat::Cone).behind_nat(1, Nat::Symmetric);
    let lab = Lab::up(&options).unwrap();
    let [one, two, three] = [lab.node(0), lab.node(1), lab.node(2)];
    await_ping(one, three);
    await_ping(two, three);
    assert!(!pings(three, one) && !pings(two, one));
    let [first, second] = outside_ports(&lab, 0);
    assert_eq!(first, second, "one outside port for all destinations");
    let [first, second] = outside_ports(&lab, 1);
    assert_ne!(first, second, "another outside port for each destination");

    one.unplug().unwrap();
    wait_until("node1 to lose its carrier", PATIENCE, || !carrier(one)).unwrap();
    one.plug().unwrap();
    await_ping(one, three);
    one.cut().unwrap();
    one.boot().unwrap();
    await_ping(one, three);
}

/// A package with a unit, as small as they come.
fn build_package(folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    let unit = tree.join("lib/systemd/system/lab-test.service");
    let file = folder.join("lab-test.deb");
    for folder in [tree.join("DEBIAN"), unit.parent().unwrap().to_owned()] {
        fs::create_dir_all(folder).unwrap();
    }
    let control = "Package: lab-test\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n\
                   Depends: corosync\nDescription: a package\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    fs::write(unit, "[Service]\nExecStart=/bin/sleep infinity\n").unwrap();
    let status = Command::new("dpkg-deb").arg("--build").arg(&tree).arg(&file).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    file
}

#[test]
fn a_package_is_installed_on_every_node_and_nothing_of_the_host_is_enabled() {
    let folder = tempfile::tempdir().unwrap();
    let options = LabOptions::unique("package").nodes(2).package(build_package(folder.path()));
    let lab = Lab::up(&options).unwrap();
    for node in lab.nodes() {
        assert!(node.exec_ok(&["dpkg", "-s", "lab-test"]).unwrap().contains("Status: install ok installed"));
        node.exec_ok(&["systemctl", "start", "lab-test"]).unwrap();
        let enabled = node.exec_ok(&["systemctl", "is-enabled", "corosync"]);
        assert!(enabled.is_err(), "corosync is off until somebody wants it: {enabled:?}");
        assert!(node.read_file("/etc/corosync/corosync.conf").is_err());
    }
    let ids: Vec<_> = lab.nodes().iter().map(|node| node.read_file("/etc/machine-id").unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    let missing = Lab::up(&LabOptions::unique("package").package("/no/such.deb")).unwrap_err();
    assert!(format!("{missing:#}").contains("/no/such.deb"), "{missing:#}");
}

const COROSYNC_CONF: &str = "
totem {
  version: 2
  cluster_name: lab
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: 1000
}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 1
}
nodelist {
  node {
    ring0_addr: 10.77.0.1
    name: node1
    nodeid: 1
  }
  node {
    ring0_addr: 10.77.0.2
    name: node2
    nodeid: 2
  }
}
logging {
  to_syslog: yes
}
";

#[test]
fn debians_corosync_forms_a_ring_and_notices_a_cut() {
    let lab = lab("ring", 2);
    for node in lab.nodes() {
        node.write_file("/etc/corosync/corosync.conf", COROSYNC_CONF).unwrap();
        node.exec_ok(&["systemctl", "start", "--no-block", "corosync"]).unwrap();
    }
    let members = |node: &Node| {
        let output = node.exec(&["corosync-quorumtool", "-l"]).unwrap();
        (1..=2).filter(|index| output.stdout.contains(&format!("node{index}"))).count()
    };
    wait_until("both members on both nodes", PATIENCE, || lab.nodes().iter().all(|node| members(node) == 2))
        .unwrap();
    lab.node(1).cut().unwrap();
    wait_until("node1 to be alone", PATIENCE, || members(lab.node(0)) == 1).unwrap();
    assert_eq!(lab.node(0).exec_ok(&["systemctl", "is-active", "corosync"]).unwrap(), "active\n");
}

#[test]
fn a_lab_whose_process_was_killed_is_removed_by_whoever_comes_next() {
    let name = format!("orphan-{}", std::process::id());
    let mut holder = Command::new(env!("CARGO_BIN_EXE_sfha-lab"))
        .args(["up", &name, "--nodes", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("1 nodes up"), "{line}");
    let taken = Lab::up(&LabOptions::named(&name)).unwrap_err();
    assert!(taken.to_string().contains("is up already"), "{taken}");
    let pid = Lab::attach(&name).unwrap().node(0).pid().unwrap();

    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(Lab::attach(&name).is_err(), "nobody holds it any more");
    // Another test may just be doing it.
    reap::reap().unwrap();
    assert!(!reap::labs().iter().any(|place| place.name() == name));
    let namespaces = fs::read_dir("/run/netns").unwrap().flatten();
    assert!(!namespaces.into_iter().any(|entry| entry.file_name().to_string_lossy().contains(&name)));
    assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(&name));
    let gone = || {
        (!fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())).then_some(())
    };
    wait_for("the node's init to be gone", PATIENCE, gone).unwrap();
}
