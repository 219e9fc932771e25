//! Two nodes and a quorum device: however they are cut off from each other, one of them goes on, and only one.

use std::time::Duration;

use sfha_proto::config::Reloaded;
use sfha_proto::status::{Phase, QuorumDevice, QuorumStatus};
use sfha_tests::cluster::{CLUSTER, Cluster, PATIENCE, VIP};
use sfha_tests::lab::{Endpoint, LabOptions, wait_until};

use crate::common::{WEB, Watched, stays, vip};

/// The third machine of the lab: not a node of the cluster.
const WITNESS: usize = 2;

fn votes(cluster: &Cluster, node: usize) -> Option<QuorumStatus> {
    cluster.look(node).map(|status| status.quorum)
}

/// Waits until these nodes are a cluster by themselves, with the device's vote.
fn wait_voted(cluster: &Cluster, nodes: &[usize]) {
    let host = cluster.node(WITNESS).ip().to_string();
    let present = u32::try_from(nodes.len()).unwrap() + 1;
    let wanted = QuorumStatus {
        quorate: true,
        votes: Some(present),
        expected: Some(3),
        needed: Some(2),
        device: Some(QuorumDevice { host, votes: Some(true) }),
    };
    for node in nodes {
        wait_until("the device's vote", PATIENCE, || votes(cluster, *node).as_ref() == Some(&wanted))
            .unwrap_or_else(|error| panic!("{error:#}: {:?}\n{}", votes(cluster, *node), cluster.describe()));
    }
}

#[test]
fn with_a_quorum_device_one_of_two_nodes_goes_on_and_only_one() {
    let cluster = Cluster::fresh(LabOptions::unique("qdevice").nodes(3)).unwrap();
    let witness = cluster.node(WITNESS);
    witness.write_file("/etc/default/corosync-qnetd", "COROSYNC_QNETD_OPTIONS=\"-s off\"\n").unwrap();
    witness.exec_ok(&["systemctl", "start", "corosync-qnetd"]).unwrap();
    let token: sfha_proto::mesh::TokenMade = cluster.ask(0, &["init", "--cluster", CLUSTER]).unwrap();
    cluster.join(1, &token.token).unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();

    // Written into one node's file, it is in both, and in force without a restart of anything.
    let path = "/etc/sfha/config.yml";
    let old = cluster.node(1).read_file(path).unwrap();
    let host = witness.ip();
    let section = format!("\ncorosync:\n  qdevice:\n    host: {host}   # by hand\n    tls: 'off'\n");
    cluster.node(1).write_file(path, &format!("{old}{section}")).unwrap();
    let done: Reloaded = cluster.ask(1, &["reload"]).unwrap();
    assert_eq!(done.changes[0].kind, "qdevice");
    wait_voted(&cluster, &[0, 1]);
    wait_until("the device in the other file", PATIENCE, || {
        cluster.node(0).read_file(path).is_ok_and(|text| text.contains(&format!("host: {host}\n")))
    })
    .unwrap();
    let text = cluster.sfha(0, &["--lang", "en", "status"]).unwrap().stdout;
    assert!(text.contains(&format!("qdevice {host}: votes for this side")), "{text}");

    let watcher = cluster.lab().watch_address(vip()).unwrap();
    let prober = cluster.lab().client().probe(vip()).unwrap();
    cluster.vip_add(1, WEB, VIP).unwrap();
    let watched = Watched { cluster, watcher, prober };
    let cluster = &watched.cluster;
    assert_eq!(watched.served_by_one_of(&[0, 1]), 0, "the lowest id");

    // The holder is cut off from the other and from the device, and lives on.
    let lab = cluster.lab();
    lab.block(Endpoint::Node(0), Endpoint::Node(1)).unwrap();
    lab.block(Endpoint::Node(0), Endpoint::Node(WITNESS)).unwrap();
    watched.served_by_one_of(&[1]);
    cluster.wait_phase(0, Phase::Inquorate, PATIENCE).unwrap();
    stays("the holder", Duration::from_secs(3), || watched.watcher.holders() == [1]);
    lab.heal().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    wait_voted(cluster, &[0, 1]);

    // They are cut off from each other only: the device decides.
    let failover = ["failover", "--to", "node2"];
    if cluster.wait_active(WEB, &[0, 1], PATIENCE).unwrap() != 1 {
        let _: serde_json::Value = cluster.ask(0, &failover).unwrap();
    }
    watched.served_by_one_of(&[1]);
    lab.block(Endpoint::Node(0), Endpoint::Node(1)).unwrap();
    watched.served_by_one_of(&[0]);
    cluster.wait_phase(1, Phase::Inquorate, PATIENCE).unwrap();
    // What the device gave it goes with the device, and comes to the other: in this order.
    lab.block(Endpoint::Node(0), Endpoint::Node(WITNESS)).unwrap();
    watched.served_by_one_of(&[1]);
    lab.heal().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    wait_voted(cluster, &[0, 1]);

    // Without the device two votes of three are left, and nobody notices; alone, no node goes on.
    let holder = watched.served_by_one_of(&[0, 1]);
    cluster.node(WITNESS).cut().unwrap();
    for node in [0, 1] {
        let gone = || {
            votes(cluster, node).is_some_and(|quorum| {
                quorum.quorate
                    && quorum.votes == Some(2)
                    && quorum.device.is_some_and(|device| device.votes != Some(true))
            })
        };
        wait_until("the device to be missed", PATIENCE, gone).unwrap();
    }
    assert_eq!(watched.watcher.holders(), [holder]);
    cluster.node(1 - holder).cut().unwrap();
    cluster.wait_phase(holder, Phase::Inquorate, PATIENCE).unwrap();
    assert_eq!(watched.watcher.holders(), Vec::<usize>::new());

    // It comes back alone, with the device: that is enough.
    cluster.node(WITNESS).boot().unwrap();
    cluster.node(WITNESS).exec_ok(&["systemctl", "start", "corosync-qnetd"]).unwrap();
    wait_voted(cluster, &[holder]);
    watched.served_by_one_of(&[holder]);
    cluster.boot_operational(1 - holder, PATIENCE).unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    wait_voted(cluster, &[0, 1]);

    // Taken out of the file, it is gone from Corosync and its program has ended.
    let text = cluster.node(1).read_file(path).unwrap();
    cluster.node(1).write_file(path, &text.replace(&section[1..], "")).unwrap();
    let _: Reloaded = cluster.ask(1, &["reload"]).unwrap();
    for node in [0, 1] {
        let without =
            QuorumStatus { quorate: true, votes: Some(2), expected: Some(2), needed: Some(1), device: None };
        wait_until("the votes of two nodes", PATIENCE, || votes(cluster, node).as_ref() == Some(&without))
            .unwrap_or_else(|error| panic!("{error:#}: {:?}", votes(cluster, node)));
        let active = ["systemctl", "is-active", "corosync-qdevice"];
        wait_until("its program to end", PATIENCE, || {
            cluster.node(node).exec(&active).is_ok_and(|output| output.stdout.trim() != "active")
        })
        .unwrap();
    }
    cluster.check_journals(&[0, 1]).unwrap();
    watched.finish();
}
