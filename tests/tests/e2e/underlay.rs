//! The network under the mesh: IPv6 alone, and links that take less than usual.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::mesh::TokenMade;
use sfha_tests::cluster::{CLUSTER, Cluster, MESH_IP, PATIENCE};
use sfha_tests::lab::{LabOptions, Node, wait_until};

use crate::common::WEB;

/// Packets that had to be cut, of either family.
fn fragments(node: &Node) -> u64 {
    let text = node.sh("cat /proc/net/snmp6; awk '/^Ip:/ {l=$0} END {}; /^Ip:/' /proc/net/snmp").unwrap();
    let v6 = text.lines().find_map(|line| line.strip_prefix("Ip6FragCreates")).unwrap_or("0");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("Ip:")).collect();
    let at = lines[0].split_whitespace().position(|name| name == "FragCreates").unwrap();
    let v4: u64 = lines[1].split_whitespace().nth(at).unwrap().parse().unwrap();
    v4 + v6.trim().parse::<u64>().unwrap()
}

#[test]
fn nodes_that_have_only_ipv6_form_a_mesh_whose_packets_fit() {
    let cluster = Cluster::fresh(LabOptions::unique("underlay6").nodes(3)).unwrap();
    for node in cluster.all() {
        cluster.node(node).sh("ip -4 address flush dev eth0; ip link set eth0 mtu 1400").unwrap();
    }
    let init = ["init", "--cluster", CLUSTER, "--mesh", "--ip", MESH_IP];
    let mut token: TokenMade = cluster.ask(0, &init).unwrap();
    for node in 1..3 {
        if node > 1 {
            token = cluster.token(node - 1).unwrap();
        }
        cluster.join(node, &token.token).unwrap();
    }
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();

    for node in cluster.all() {
        let mesh = cluster.mesh(node).unwrap();
        assert_eq!(mesh.mtu, 1320, "1400 less what WireGuard adds");
        let shown = cluster.node(node).exec_ok(&["ip", "-j", "link", "show", "wg-sfha"]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()[0]["mtu"], 1320);
        for peer in &mesh.peers {
            let endpoint = peer.endpoint.clone().unwrap();
            assert!(endpoint.starts_with("[fd77::"), "{endpoint}");
            // As large as the mesh takes, not to be cut: 20 bytes of IP and 8 of ICMP.
            let ping = ["ping", "-n", "-M", "do", "-s", "1292", "-c", "3", "-i", "0.2", "-W", "2", &peer.ip];
            cluster.node(node).exec_ok(&ping).unwrap();
        }
        let conf = cluster.node(node).read_file("/etc/corosync/corosync.conf").unwrap();
        assert!(conf.contains("knet_mtu: 1320"), "{conf}");
    }

    let ip = "fd77::100".parse().unwrap();
    let watcher = cluster.lab().watch_address(ip).unwrap();
    let prober = cluster.lab().client().probe(ip).unwrap();
    let _: Value = cluster.ask(2, &["vip", "add", WEB, "fd77::100/64"]).unwrap();
    prober.wait_answered(PATIENCE).unwrap();
    let holder = watcher.wait_one_holder(PATIENCE).unwrap();
    // A state that takes many packets, to be sent as one message.
    for number in 1..=40 {
        let _: Value =
            cluster.ask(0, &["vip", "add", &format!("v{number}"), &format!("fd77::1:{number}/64")]).unwrap();
    }
    cluster.node(holder).cut().unwrap();
    let others: Vec<usize> = cluster.all().into_iter().filter(|node| *node != holder).collect();
    let next = cluster.wait_active(WEB, &others, PATIENCE).unwrap();
    watcher.wait_holders(&[next], PATIENCE).unwrap();
    prober.wait_answered_again(PATIENCE).unwrap();
    let gap = prober.report().silences.iter().map(|silence| silence.length).max().unwrap_or_default();
    println!("power cut over IPv6: silent for {gap:?}");
    assert!(gap < Duration::from_millis(2500), "{gap:?}");
    cluster.boot_operational(holder, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();

    wait_until("no packet to be cut", Duration::ZERO, || {
        cluster.all().into_iter().all(|node| fragments(cluster.node(node)) == 0)
    })
    .unwrap();
    assert_eq!(watcher.finish().unwrap().two_holders, Duration::ZERO);
    cluster.check_journals(&cluster.all()).unwrap();
}

#[test]
fn the_mtu_of_the_operator_counts_and_an_impossible_one_does_not() {
    let cluster = Cluster::fresh(LabOptions::unique("mtu").nodes(2)).unwrap();
    let init =
        |mtu: &'static str| ["--json", "init", "--cluster", CLUSTER, "--mesh", "--ip", MESH_IP, "--mtu", mtu];
    // The last one is too large for the userspace device, and is found out when that is up.
    for wrong in ["1279", "9001", "8920"] {
        assert_eq!(cluster.sfha(0, &init(wrong)).unwrap().code, 2);
    }
    let made = cluster.sfha(0, &init("1300")).unwrap();
    assert!(made.success(), "{}", made.stdout);
    let token = cluster.token(0).unwrap();
    cluster.join(1, &token.token).unwrap();
    assert_eq!(cluster.mesh(1).unwrap().mtu, 1300);
}
