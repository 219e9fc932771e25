//! Corosync over the mesh and over the LAN beside it: either may go.

use std::time::Duration;

use sfha_proto::mesh::{LinkStatus, TokenMade};
use sfha_tests::cluster::{CLUSTER, Cluster, MESH_IP, PATIENCE, VIP};
use sfha_tests::lab::{LabOptions, wait_until};

use crate::common::{WEB, block, stays, unblock, vip};

/// Ports of the two links: WireGuard's, and that of Corosync's link 1.
const MESH_PORT: u16 = 51820;
const LAN_PORT: u16 = 5406;

fn formed(label: &str, nodes: usize) -> Cluster {
    let cluster = Cluster::fresh(LabOptions::unique(label).nodes(nodes)).unwrap();
    let init = ["init", "--cluster", CLUSTER, "--mesh", "--ip", MESH_IP, "--links", "mesh,lan"];
    let mut token: TokenMade = cluster.ask(0, &init).unwrap();
    for node in 1..3 {
        if node > 1 {
            token = cluster.token(0).unwrap();
        }
        cluster.join(node, &token.token).unwrap();
    }
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    cluster
}

fn links(cluster: &Cluster, node: usize) -> Vec<LinkStatus> {
    cluster.look(node).map(|status| status.links).unwrap_or_default()
}

/// Waits until all nodes say so of their links: name, and whether it reaches both others.
fn wait_links(cluster: &Cluster, wanted: [(&str, bool); 2]) {
    let so = |node: usize| {
        let links = links(cluster, node);
        links.len() == 2
            && links.iter().zip(wanted).all(|(link, (name, up))| {
                let reaches = if up { 2 } else { 0 };
                (link.name.as_str(), link.connected, link.peers) == (name, reaches, 2)
            })
    };
    wait_until(&format!("links {wanted:?}"), PATIENCE, || (0..3).all(so)).unwrap_or_else(|error| {
        panic!("{error:#}: {:?}", links(cluster, 0));
    });
}

#[test]
fn the_cluster_lives_while_either_of_its_links_does() {
    let cluster = formed("links", 3);
    wait_links(&cluster, [("mesh", true), ("lan", true)]);
    let watcher = cluster.lab().watch_address(vip()).unwrap();
    cluster.vip_add(0, WEB, VIP).unwrap();
    let holder = cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();
    let epoch = cluster.agreed(&cluster.all()).unwrap().epoch;
    let unmoved = || {
        // Each change of membership begins an epoch.
        let agreed = cluster.agreed(&cluster.all()).map(|state| state.epoch);
        agreed == Some(epoch) && watcher.holders() == [holder]
    };

    for (port, wanted, other, sentence) in [
        (MESH_PORT, [("mesh", false), ("lan", true)], "mesh", "through the mesh"),
        (LAN_PORT, [("mesh", true), ("lan", false)], "lan", "on the LAN"),
    ] {
        for node in cluster.all() {
            block(cluster.node(node), port);
        }
        wait_links(&cluster, wanted);
        stays("the membership", Duration::from_secs(3), unmoved);
        let mesh = cluster.mesh(0).unwrap();
        let down = mesh.links.iter().find(|link| link.name == other).unwrap();
        assert_eq!(down.down, ["node2", "node3"]);
        let text = cluster.sfha(0, &["--lang", "en", "status"]).unwrap().stdout;
        assert!(text.contains(sentence), "{text}");
        // Commands still go to everybody.
        let _: serde_json::Value = cluster.ask(1, &["maintenance", "on"]).unwrap();
        let _: serde_json::Value = cluster.ask(2, &["maintenance", "off"]).unwrap();

        for node in cluster.all() {
            unblock(cluster.node(node));
        }
        wait_links(&cluster, [("mesh", true), ("lan", true)]);
        stays("the membership", Duration::from_secs(1), unmoved);
    }

    // One link of one node.
    block(cluster.node(2), LAN_PORT);
    let seen = || links(&cluster, 0).get(1).is_some_and(|link| link.down == ["node3"]);
    wait_until("node1 to miss node3 on the LAN", PATIENCE, seen).unwrap();
    assert!(unmoved());
    cluster.check_journals(&cluster.all()).unwrap();
}

#[test]
fn a_node_without_an_address_on_the_lan_is_refused_until_it_names_one() {
    let cluster = formed("lanless", 4);
    let node = cluster.node(3);
    // Reachable, but with nothing that looks like an address on a LAN.
    let ip = node.ip();
    node.sh(&format!(
        "ip -6 address flush dev eth0; ip address flush dev eth0; ip address add {ip}/32 dev eth0; ip route add 10.77.0.0/24 dev eth0"
    ))
    .unwrap();
    let token = cluster.token(0).unwrap();
    let refused = cluster.sfha(3, &["--json", "join", &token.token]).unwrap();
    let code = crate::contract::error_code(&refused.json().unwrap());
    assert_eq!((refused.code, code), (4, "no-lan-address".to_owned()), "{}", refused.stdout);
    assert!(!cluster.node(3).disk().join("etc/sfha/config.yml").exists());

    let ip = ip.to_string();
    let wrong = cluster.sfha(3, &["--json", "join", &token.token, "--lan-ip", "10.77.0.99"]).unwrap();
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    let _: serde_json::Value = cluster.ask(3, &["join", &token.token, "--lan-ip", &ip]).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    let reached = || links(&cluster, 3).iter().filter(|link| link.connected == 3).count() == 2;
    wait_until("both links to reach all", PATIENCE, reached).unwrap();
    cluster.check_journals(&cluster.all()).unwrap();
}
