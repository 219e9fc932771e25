//! A cluster that serves is upgraded, node by node, as the page on operations has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sfha_tests::cluster::{Cluster, PATIENCE, VIP, package};
use sfha_tests::lab::{Lab, LabOptions, ProbeReport, Silence};

use crate::common::{WEB, vip};

/// Older than any that there will be.
const OLD: &str = "0.0.1";

/// Longest silence of a hand-over, on a machine that does other things, too: see `failover`. What it takes on an
/// idle one is printed here, and measured by `sfha-bench`.
const MOVE_LIMIT: Duration = Duration::from_millis(500);

/// The programs of this package under an older version: what an upgrade does to a cluster that runs, not what two
/// versions think of each other.
fn previous(folder: &Path) -> PathBuf {
    let (root, file) = (folder.join("root"), folder.join("previous.deb"));
    let dpkg = |args: &[&Path], options: &[&str]| {
        let done = Command::new("dpkg-deb").args(options).args(args).status().unwrap();
        assert!(done.success());
    };
    dpkg(&[&package().unwrap(), &root], &["--raw-extract"]);
    let control = root.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let old =
        |line: &str| if line.starts_with("Version:") { format!("Version: {OLD}") } else { line.to_owned() };
    let text: Vec<String> = text.lines().map(old).collect();
    fs::write(&control, text.join("\n") + "\n").unwrap();
    dpkg(&[&root, &file], &["--root-owner-group", "-Zgzip", "-z1", "--build"]);
    fs::remove_dir_all(&root).unwrap();
    file
}

/// Silences that are over; what was asked last may still be answered.
fn ended(report: &ProbeReport) -> impl Iterator<Item = &Silence> {
    report.silences.iter().filter(|silence| silence.ended)
}

/// Every probe that nobody answered was sent while the address went from one node to another.
fn lost_in_moves_only(report: &ProbeReport) {
    let moves: Vec<Duration> = report
        .runs
        .windows(2)
        .filter(|pair| pair[0].node != pair[1].node)
        .map(|pair| pair[0].until)
        .collect();
    for silence in ended(report) {
        assert!(moves.contains(&silence.from), "no move: {silence:?}\n{:#?}", report.runs);
        println!("hand-over: silent for {:?}", silence.length);
        assert!(silence.length < MOVE_LIMIT, "{silence:?}");
    }
}

#[test]
fn an_upgrade_node_by_node_loses_no_packet_but_while_an_address_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let options = LabOptions::unique("upgrade").package(previous(folder.path()));
    let cluster = Cluster::on(Lab::up(&options).unwrap());
    cluster.form().unwrap();
    cluster.vip_add(0, WEB, VIP).unwrap();
    let first = cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();

    let watcher = cluster.lab().watch_address(vip()).unwrap();
    let prober = cluster.lab().client().probe(vip()).unwrap();
    let mesh: Vec<_> = (0..3)
        .map(|node| {
            let ip = format!("10.100.0.{}", (node + 1) % 3 + 1).parse().unwrap();
            cluster.node(node).probe_mesh(ip, Duration::from_millis(5)).unwrap()
        })
        .collect();
    prober.wait_answered_by(first, PATIENCE).unwrap();
    mesh.iter().for_each(|prober| prober.wait_answered(PATIENCE).unwrap());

    for node in cluster.all() {
        let server = cluster.node(node);
        let pids = || ["sfha", "sfha-wg", "corosync"].map(|unit| cluster.unit_pid(node, unit).unwrap());
        let before = pids();
        fs::copy(package().unwrap(), server.disk().join("root/new.deb")).unwrap();
        let said = server.sh("dpkg --force-unsafe-io --install /root/new.deb").unwrap();
        assert!(said.contains("systemctl try-restart sfha"), "{said}");
        let version = server.sh("dpkg-query -W -f '${Version}' sfha").unwrap();
        assert_ne!(version, OLD);
        assert_eq!(pids(), before, "an upgrade restarts nothing");

        server.exec_ok(&["systemctl", "try-restart", "sfha"]).unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();
        prober.wait_answered_again(PATIENCE).unwrap();
        let after = pids();
        assert_ne!(after[0], before[0], "the daemon is a new one");
        assert_eq!(after[1..], before[1..], "mesh and Corosync go on");
    }

    for prober in mesh {
        let report = prober.finish().unwrap();
        assert_eq!(ended(&report).count(), 0, "the mesh lost packets: {:#?}", report.silences);
    }
    let report = prober.finish().unwrap();
    lost_in_moves_only(&report);
    assert_eq!(watcher.finish().unwrap().two_holders, Duration::ZERO);
    cluster.check_journals(&cluster.all()).unwrap();
    cluster.down().unwrap();
}
