//! Three nodes become a cluster, one command each; and what they look like then.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use sfha_proto::mesh::{MeshStatus, PeerState};
use sfha_proto::status::ClusterStatus;
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal, VIP};
use sfha_tests::lab::{LabOptions, wait_until};

use crate::common::WEB;
use crate::contract;
use crate::secrets::{self, ArgumentSpy};

/// What the issue allows a join, from the command to quorate membership.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

#[test]
fn three_nodes_become_a_cluster_with_one_command_each() {
    let cluster = Cluster::fresh(LabOptions::unique("forming").nodes(3)).unwrap();
    nothing_runs_before_it_is_asked_for(&cluster);
    let spy = ArgumentSpy::start(cluster.lab().nodes());

    let first: Value =
        cluster.ask(0, &["init", "--cluster", "prod", "--mesh", "--ip", "10.100.0.1/24"]).unwrap();
    contract::check(&first, contract::TOKEN);
    let first_token = first["token"].as_str().unwrap();
    let alone = cluster.status(0).unwrap();
    assert!(alone.quorum.quorate && alone.nodes.len() == 1, "{alone:#?}");

    let before = corosyncs(&cluster, &[0]);
    let joined: Value = cluster.ask(1, &["join", first_token]).unwrap();
    check_join(&joined, 2);
    assert_eq!(corosyncs(&cluster, &[0]), before, "no restart on the member");
    assert_eq!(cluster.status(1).unwrap().quorum.votes, Some(2), "quorate at once, on the joiner itself");

    let second: Value = cluster.ask(1, &["mesh", "token"]).unwrap();
    contract::check(&second, contract::TOKEN);
    let second_token = second["token"].as_str().unwrap();
    let before = corosyncs(&cluster, &[0, 1]);
    cluster.node(2).write_file("/root/token", second_token).unwrap();
    let joined: Value = cluster.ask(2, &["join", "--token-file", "/root/token"]).unwrap();
    check_join(&joined, 3);
    assert_eq!(corosyncs(&cluster, &[0, 1]), before, "no restart on the members");
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();

    cluster.vip_add(1, WEB, VIP).unwrap();
    cluster.wait_active(WEB, &[0, 1, 2], PATIENCE).unwrap();
    documents_are_those_of_the_contract(&cluster);
    files_have_their_modes(&cluster);
    wg_and_sfha_tell_the_same(&cluster);
    let arguments = spy.finish();
    secrets::assert_kept(&cluster, &secrets::of(&cluster, &[first_token, second_token]), &arguments);
    the_data_plane_outlives_the_daemon(&cluster);
    cluster.check_journals(&[0, 1, 2]).unwrap();
}

fn nothing_runs_before_it_is_asked_for(cluster: &Cluster) {
    for node in cluster.lab().nodes() {
        for unit in ["sfha.service", "corosync.service", "sfha-wg.service"] {
            assert_eq!(node.exec(&["systemctl", "is-active", unit]).unwrap().stdout, "inactive\n", "{unit}");
        }
        assert!(!node.exec(&["systemctl", "is-enabled", "-q", "sfha.service"]).unwrap().success());
        assert!(node.read_file("/etc/sfha/config.yml").is_err());
    }
    let output = cluster.sfha(0, &["status", "--json"]).unwrap();
    assert_eq!((output.code, contract::error_code(&output.json().unwrap()).as_str()), (3, "no-daemon"));
}

fn corosyncs(cluster: &Cluster, nodes: &[usize]) -> Vec<u32> {
    nodes.iter().map(|node| cluster.unit_pid(*node, "corosync.service").unwrap()).collect()
}

fn check_join(joined: &Value, id: u64) {
    contract::check(joined, contract::JOINED);
    assert_eq!(joined["id"], id);
    assert_eq!(joined["ip"], format!("10.100.0.{id}"));
    let elapsed = Duration::from_millis(joined["elapsed_ms"].as_u64().unwrap());
    println!("node{id} joined in {elapsed:?}");
    assert!(elapsed < JOIN_LIMIT, "{elapsed:?}");
}

fn documents_are_those_of_the_contract(cluster: &Cluster) {
    for node in [0, 1, 2] {
        let status: Value = cluster.ask(node, &["status"]).unwrap();
        let _: ClusterStatus = serde_json::from_value(status.clone()).unwrap();
        let held = contract::check(&status, contract::STATUS);
        if node == 0 {
            insta::assert_json_snapshot!("status", held, { ".version" => "[version]" });
        }
        let what = "all peers to have had a handshake";
        wait_until(what, PATIENCE, || {
            cluster.mesh(node).unwrap().peers.iter().all(|peer| peer.state == PeerState::Connected)
        })
        .unwrap();
        let mesh: Value = cluster.ask(node, &["mesh", "status"]).unwrap();
        let _: MeshStatus = serde_json::from_value(mesh.clone()).unwrap();
        let held = contract::check(&mesh, contract::MESH_STATUS);
        if node == 0 {
            insta::assert_json_snapshot!("mesh_status", held, {
                ".public_key" => "[key]", ".peers[].public_key" => "[key]",
                ".peers[].latest_handshake" => "[time]", ".peers[].rtt_ms" => "[ms]",
                ".peers[].rx_bytes" => "[bytes]", ".peers[].tx_bytes" => "[bytes]",
            });
        }
        assert!(mesh["peers"][0]["rx_bytes"].as_u64() > Some(0), "{mesh}");
    }
    let vips: Value = cluster.ask(2, &["vip", "list"]).unwrap();
    let example: Value = serde_json::from_str(contract::STATUS).unwrap();
    let example = serde_json::json!({"schema": 1, "vips": example["vips"]});
    insta::assert_json_snapshot!("vip_list", contract::check(&vips, &example.to_string()));
    let text = cluster.sfha(0, &["status"]).unwrap().ok().unwrap();
    assert!(text.contains("node3") && text.contains(VIP), "{text}");
}

fn files_have_their_modes(cluster: &Cluster) {
    let wanted = "600 root /etc/sfha/wireguard/private.key\n644 root /etc/sfha/wireguard/public.key\n\
                  400 root /etc/corosync/authkey\n600 root /etc/sfha/cluster.key\n";
    for node in cluster.lab().nodes() {
        let script = "stat -c '%a %U %n' /etc/sfha/wireguard/private.key /etc/sfha/wireguard/public.key \
                      /etc/corosync/authkey /etc/sfha/cluster.key";
        assert_eq!(node.sh(script).unwrap(), wanted, "{}", node.name());
        assert!(node.exec(&["systemctl", "is-enabled", "-q", "sfha.service"]).unwrap().success());
        let corosync = node.exec(&["systemctl", "is-enabled", "corosync.service"]).unwrap();
        assert_eq!(corosync.stdout, "disabled\n", "its address is there only once the mesh is up");
    }
}

/// `wg show wg-sfha dump`: see wg(8).
fn wg_and_sfha_tell_the_same(cluster: &Cluster) {
    for node in [0, 1, 2] {
        let mesh = cluster.mesh(node).unwrap();
        let dump = cluster.node(node).exec_ok(&["wg", "show", "wg-sfha", "dump"]).unwrap();
        let rows: Vec<Vec<&str>> = dump.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows[0][1..3], [mesh.public_key.as_str(), &mesh.port.to_string()]);
        assert_eq!(rows.len(), 1 + mesh.peers.len(), "{dump}");
        for peer in &mesh.peers {
            let row = rows.iter().find(|row| row[0] == peer.public_key).unwrap();
            assert_eq!(Some(row[2]), peer.endpoint.as_deref());
            assert_eq!(row[3], format!("{}/32", peer.ip));
            let handshake: i64 = row[4].parse().unwrap();
            let told: jiff::Timestamp = peer.latest_handshake.as_deref().unwrap().parse().unwrap();
            assert!((0..=130).contains(&(handshake - told.as_second())), "{peer:?} {row:?}");
            assert!(row[5].parse::<u64>().unwrap() >= peer.rx_bytes && peer.rx_bytes > 0);
            assert!(row[6].parse::<u64>().unwrap() >= peer.tx_bytes && peer.tx_bytes > 0);
            assert_eq!(row[7], peer.keepalive.unwrap().to_string());
        }
    }
}

/// Requests without an answer, but for the last ones: ping(8) calls those lost that are on their way when it ends.
fn unanswered(told: &str) -> Vec<u32> {
    const ON_THEIR_WAY: u32 = 3;
    let number = |line: &str| line.split_once("icmp_seq=")?.1.split(' ').next()?.parse().ok();
    let answered: BTreeSet<u32> =
        told.lines().filter(|line| line.contains("time=")).filter_map(number).collect();
    let sent = |line: &str| line.split_once(" packets transmitted")?.0.parse().ok();
    let sent: u32 = told.lines().find_map(sent).expect("a summary");
    (1..=sent.saturating_sub(ON_THEIR_WAY)).filter(|number| !answered.contains(number)).collect()
}

/// A stop, a restart and two violent ends of `sfhad` on one node: the tunnel to it loses nothing, and the
/// ring does not form anew.
fn the_data_plane_outlives_the_daemon(cluster: &Cluster) {
    let [observer, victim] = [cluster.node(1), cluster.node(2)];
    let before = corosyncs(cluster, &[0, 1, 2]);
    let rings = |node: usize| {
        let journal = cluster.node(node).journal(&["-u", "corosync.service", "-o", "cat"]).unwrap();
        journal.matches("A new membership").count()
    };
    let formed: Vec<_> = (0..3).map(rings).collect();
    let mut ping =
        observer.spawn(&["sh", "-c", "exec ping -n -i 0.02 -W 1 10.100.0.3 >/run/ping.log 2>&1"]).unwrap();
    victim.exec_ok(&["systemctl", "restart", "sfha.service"]).unwrap();
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    for signal in [UnixSignal::SIGKILL, UnixSignal::SIGABRT] {
        cluster.signal(2, "sfha.service", signal).unwrap();
        wait_until("the daemon to be gone", PATIENCE, || cluster.look(2).is_none()).unwrap();
        cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    }
    victim.exec_ok(&["systemctl", "stop", "sfha.service"]).unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    observer.exec_ok(&["pkill", "-INT", "-x", "ping"]).unwrap();
    ping.wait(PATIENCE).unwrap();
    let told = observer.read_file("/run/ping.log").unwrap();
    assert_eq!(unanswered(&told), Vec::<u32>::new(), "{told}");
    assert_eq!(corosyncs(cluster, &[0, 1, 2]), before);
    assert_eq!((0..3).map(rings).collect::<Vec<_>>(), formed, "the ring was formed anew");
    victim.exec_ok(&["systemctl", "start", "sfha.service"]).unwrap();
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
}
