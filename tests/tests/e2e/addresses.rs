//! Several floating addresses of both families on one interface, and on one that lies on another as a VLAN does
//! (a macvlan: the kernel here has no VLANs): moved, mended, and nothing else touched.

use std::net::IpAddr;

use serde_json::Value;
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::{Node, wait_until};

use crate::common::configure;

/// Name, address, prefix and interface.
const VIPS: [(&str, &str, &str, &str); 4] = [
    ("one", "10.77.0.141", "24", "eth0"),
    ("two", "10.77.0.142", "24", "eth0"),
    ("six", "fd00:77::141", "64", "eth0"),
    ("tagged", "10.78.0.141", "24", "eth0.7"),
];

fn has(node: &Node, address: &str) -> bool {
    let ip: IpAddr = address.parse().unwrap();
    node.has_address(ip).unwrap()
}

/// Waits until that node has all of them in the eyes of all, on their interfaces, and no other node has any.
fn wait_all_on(cluster: &Cluster, on: usize) {
    for (name, address, _, interface) in VIPS {
        assert_eq!(cluster.wait_active(name, &[on], PATIENCE).unwrap(), on);
        for node in cluster.all() {
            assert_eq!(has(cluster.node(node), address), node == on, "{name} on node {node}");
        }
        let there = cluster.node(on).addresses(interface).unwrap();
        assert!(there.iter().any(|known| known.ip.to_string() == address), "{name}: {there:?}");
    }
}

/// Everything that is not a floating address, as the kernel tells it.
fn rest(node: &Node) -> Vec<String> {
    let text = node.exec_ok(&["ip", "-o", "address", "show"]).unwrap();
    let ours = |line: &&str| VIPS.iter().any(|(_, address, ..)| line.contains(&format!(" {address}/")));
    let words = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    text.lines().filter(|line| !ours(line)).map(words).collect()
}

#[test]
fn addresses_of_both_families_and_on_stacked_interfaces_move_together_and_are_mended() {
    let cluster = Cluster::formed("addresses", 3).unwrap();
    for node in cluster.lab().nodes() {
        let own = 1 + node.index();
        node.sh(&format!(
            "ip link add link eth0 name eth0.7 type macvlan mode bridge; ip link set eth0.7 up; \
             ip address add 10.78.0.{own}/24 dev eth0.7; ip address add fd00:77::{own}/64 dev eth0 nodad; \
             ip address add 10.77.0.16{own}/32 dev eth0"
        ))
        .unwrap();
    }
    let before: Vec<_> = cluster.lab().nodes().iter().map(rest).collect();
    let lines: String = VIPS
        .iter()
        .map(|(name, ip, cidr, interface)| {
            format!("  - {{name: {name}, ip: '{ip}', cidr: {cidr}, interface: {interface}}}\n")
        })
        .collect();
    configure(&cluster, 0, &format!("vips:\n{lines}"));
    wait_all_on(&cluster, 0);

    let to = cluster.node(1).name();
    let _: Value = cluster.ask(2, &["failover", "--to", &to]).unwrap();
    wait_all_on(&cluster, 1);
    // A client on the other interface and one of the other family learn of it from what is announced.
    let neighbour = cluster.node(2);
    for address in ["10.78.0.141", "fd00:77::141"] {
        let output = neighbour.exec(&["ping", "-c", "1", "-W", "5", address]).unwrap();
        assert!(output.success(), "{output:?}");
    }

    // Somebody takes them away, one by one; each is back, and a line in the log says so.
    for (name, address, _, interface) in VIPS {
        let prefix = if address.contains(':') { 128 } else { 32 };
        let node = cluster.node(1);
        node.exec_ok(&["ip", "address", "del", &format!("{address}/{prefix}"), "dev", interface]).unwrap();
        wait_until("the address to be back", PATIENCE, || has(node, address)).unwrap();
        let journal = || node.journal(&["-u", "sfha.service", "-o", "cat"]).unwrap();
        let told = || journal().lines().any(|line| line.contains("it is back") && line.contains(name));
        wait_until("a line about it", PATIENCE, told)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", journal()));
    }
    wait_all_on(&cluster, 1);

    cluster.node(1).cut().unwrap();
    let left = [0, 2];
    for (name, ..) in VIPS {
        assert_eq!(cluster.wait_active(name, &left, PATIENCE).unwrap(), 0);
    }
    cluster.node(0).exec_ok(&["systemctl", "restart", "sfha"]).unwrap();
    cluster.wait_in_step(&left, PATIENCE).unwrap();
    for node in left {
        assert_eq!(rest(cluster.node(node)), before[node], "what is not ours stays");
    }
    cluster.check_journals(&left).unwrap();
}
