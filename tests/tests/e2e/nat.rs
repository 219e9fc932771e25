//! Nodes that cannot simply be called: behind NAT, cut off from one another, known by a name only.

use std::time::{Duration, Instant};

use sfha_proto::mesh::EndpointProblem;
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal, VIP};
use sfha_tests::lab::{Endpoint, LabOptions, Nat, wait_until};

use crate::common::{WEB, stays, vip};

/// What the requirements allow a relay to take over.
const TAKEOVER: Duration = Duration::from_secs(10);

/// What they allow a path to heal after its NAT has forgotten it.
const HEALING: Duration = Duration::from_secs(30);

fn behind(label: &str, nats: [Option<Nat>; 2]) -> Cluster {
    let mut options = LabOptions::unique(label).nodes(3);
    for (node, nat) in nats.into_iter().enumerate() {
        if let Some(nat) = nat {
            options = options.behind_nat(node + 1, nat);
        }
    }
    let start = Instant::now();
    let cluster = Cluster::formed_in(options).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{nats:?}: formed in {:?}", start.elapsed());
    cluster
}

/// Inside the tunnel, with packets as large as they get.
fn pings(cluster: &Cluster, from: usize, to: usize) -> bool {
    let target = format!("10.100.0.{}", to + 1);
    let ping = ["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do", "-s", "1392", &target];
    cluster.node(from).exec(&ping).unwrap().success()
}

fn serves(cluster: &Cluster) {
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    let watcher = cluster.lab().watch_address(vip()).unwrap();
    cluster.vip_add(2, WEB, VIP).unwrap();
    let holder = cluster.wait_active(WEB, &[0, 1, 2], PATIENCE).unwrap();
    watcher.wait_holders(&[holder], PATIENCE).unwrap();
    watcher.finish().unwrap();
}

#[test]
fn two_cones_find_the_direct_path_by_what_the_third_node_sees() {
    let cluster = behind("cones", [Some(Nat::Cone), Some(Nat::Cone)]);
    let took = cluster.wait_path(1, 2, "direct", PATIENCE).unwrap();
    println!("direct after {took:?}");
    assert!(pings(&cluster, 1, 2) && pings(&cluster, 2, 1));
    let mesh = cluster.mesh(1).unwrap();
    let endpoint = mesh.peers[1].endpoint.as_deref().unwrap();
    assert!(endpoint.starts_with(&format!("{}:", cluster.node(2).outside_ip())), "{endpoint}");
    serves(&cluster);

    // The router of node3 is restarted: other nodes hear it from another port.
    cluster.node(2).rebind(52_001).unwrap();
    let start = Instant::now();
    cluster.wait_path(0, 2, "direct", HEALING).unwrap();
    let what = "the direct path to heal";
    wait_until(what, HEALING, || {
        let peer = cluster.mesh(1).unwrap().peers.remove(1);
        peer.endpoint.is_some_and(|endpoint| endpoint.ends_with(":52001"))
            && cluster.path(1, 2).as_deref() == Some("direct")
            && cluster.path(2, 1).as_deref() == Some("direct")
    })
    .unwrap();
    println!("healed {:?} after the NAT was rebound", start.elapsed());
    assert!(start.elapsed() < HEALING);
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    cluster.check_journals(&[0, 1, 2]).unwrap();
}

#[test]
fn one_side_behind_nat_calls_the_other() {
    let cluster = behind("oneside", [None, Some(Nat::Symmetric)]);
    cluster.wait_path(1, 2, "direct", PATIENCE).unwrap();
    cluster.wait_path(0, 2, "direct", PATIENCE).unwrap();
    serves(&cluster);
    cluster.check_journals(&[0, 1, 2]).unwrap();
}

#[test]
fn two_symmetric_nats_are_relayed_by_the_node_that_both_reach() {
    let cluster = behind("symmetric", [Some(Nat::Symmetric), Some(Nat::Symmetric)]);
    let took = cluster.wait_path(1, 2, "node1", PATIENCE).unwrap();
    println!("relayed after {took:?}");
    assert!(pings(&cluster, 1, 2) && pings(&cluster, 2, 1), "whole packets pass the relay");
    let mesh = cluster.mesh(1).unwrap();
    let peer = mesh.peers.iter().find(|peer| peer.name == "node3").unwrap();
    assert!(peer.rtt_ms.is_some() && peer.loss.is_some(), "{peer:?}");
    assert_eq!(peer.endpoint_problem, Some(EndpointProblem::Unreachable));
    assert_eq!(cluster.status(1).unwrap().mesh.connected, 2);
    let text = cluster.sfha(1, &["mesh", "status"]).unwrap().ok().unwrap();
    assert!(text.contains("via node1"), "{text}");
    serves(&cluster);

    // An address of the mesh is reached over the relay, on whichever end it is.
    let _: serde_json::Value = cluster.ask(0, &["vip", "add", "db", "10.100.0.50/24"]).unwrap();
    for holder in [2, 1] {
        if cluster.wait_active("db", &[0, 1, 2], PATIENCE).unwrap() != holder {
            let to = cluster.node(holder).name();
            let _: serde_json::Value = cluster.ask(0, &["failover", "--to", &to, "db"]).unwrap();
        }
        assert_eq!(cluster.wait_active("db", &[0, 1, 2], PATIENCE).unwrap(), holder);
        for from in [0, 1, 2] {
            let ping = ["ping", "-n", "-q", "-c", "1", "-W", "2", "10.100.0.50"];
            let answers = || cluster.node(from).exec(&ping).unwrap().success();
            wait_until("the address to answer", PATIENCE, answers)
                .unwrap_or_else(|error| panic!("node{} to node{}: {error:#}", from + 1, holder + 1));
        }
    }

    // Only the relay forwards, and only what comes out of the tunnel.
    let forwarding = |node: usize, interface: &str| {
        let file = format!("/proc/sys/net/ipv4/conf/{interface}/forwarding");
        cluster.node(node).exec_ok(&["cat", &file]).unwrap().trim().to_owned()
    };
    assert_eq!([forwarding(0, "wg-sfha"), forwarding(0, "eth0")], ["1", "0"]);
    assert_eq!(forwarding(1, "wg-sfha"), "0");

    // A relay carries Corosync without a change of membership, and a restart of a daemon changes nothing.
    let before = cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap().epoch;
    stays("the relayed path", Duration::from_secs(20), || cluster.path(1, 2).as_deref() == Some("node1"));
    assert_eq!(cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap().epoch, before, "the membership changed");
    let mut ping = cluster
        .node(1)
        .spawn(&["sh", "-c", "exec ping -n -q -i 0.05 -c 160 -W 1 10.100.0.3 >/run/ping.log 2>&1"])
        .unwrap();
    for node in [2, 1, 0] {
        cluster.node(node).exec_ok(&["systemctl", "restart", "sfha.service"]).unwrap();
        cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
        cluster.wait_path(1, 2, "node1", PATIENCE).unwrap();
    }
    // To its own end: broken off, it would count a packet that is still under way as lost.
    ping.wait(PATIENCE).unwrap();
    let told = cluster.node(1).read_file("/run/ping.log").unwrap();
    assert!(told.contains(" 0% packet loss"), "{told}");

    // A device that is made anew: the probes go on over the new one.
    cluster.signal(1, "sfha-wg.service", UnixSignal::SIGKILL).unwrap();
    let killed = Instant::now();
    // What answered before counts for 3 s.
    std::thread::sleep(Duration::from_secs(5));
    cluster.wait_path(0, 1, "direct", PATIENCE).unwrap();
    cluster.wait_path(1, 2, "node1", PATIENCE).unwrap();
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    println!("all paths back {:?} after the end of the device", killed.elapsed());
    cluster.check_journals(&[0, 1, 2]).unwrap();
}

#[test]
fn a_relay_takes_over_when_the_direct_path_breaks_and_is_given_up_when_it_is_back() {
    let cluster = behind("relay", [None, None]);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        cluster.wait_path(one, other, "direct", PATIENCE).unwrap();
    }
    serves(&cluster);
    cluster.lab().block(Endpoint::Node(1), Endpoint::Node(2)).unwrap();
    let broken = Instant::now();
    // Until it is noticed it answered a moment ago.
    let took = cluster.wait_path(1, 2, "node1", TAKEOVER).unwrap();
    println!("relayed {took:?} after the break");
    assert!(pings(&cluster, 1, 2));
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    println!("three members {:?} after the break", broken.elapsed());
    stays("the relayed path", Duration::from_secs(5), || cluster.path(2, 1).as_deref() == Some("node1"));

    cluster.lab().heal().unwrap();
    let took = cluster.wait_path(1, 2, "direct", PATIENCE).unwrap();
    println!("direct {took:?} after the repair");
    stays("the direct path", Duration::from_secs(10), || cluster.path(1, 2).as_deref() == Some("direct"));
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    cluster.check_journals(&[0, 1, 2]).unwrap();
}

#[test]
fn a_name_that_does_not_resolve_delays_nothing() {
    let cluster = Cluster::fresh(LabOptions::unique("names").nodes(3)).unwrap();
    let made: sfha_proto::mesh::TokenMade = cluster
        .ask(0, &["init", "--cluster", "prod", "--mesh", "--ip", "10.100.0.1/24", "--endpoint", "node1"])
        .unwrap();
    let join = |node: usize, token: &str, endpoint: &str| {
        let _: sfha_proto::mesh::Joined =
            cluster.ask(node, &["join", token, "--endpoint", endpoint]).unwrap();
    };
    join(1, &made.token, "node2");
    join(2, &cluster.token(0).unwrap().token, "node3");
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    cluster.wait_path(1, 2, "direct", PATIENCE).unwrap();
    let kept = "the endpoints to be on disk";
    wait_until(kept, PATIENCE, || {
        let file = cluster.node(2).read_file("/var/lib/sfha/endpoints.json").unwrap_or_default();
        file.contains("10.77.0.1:51820") && file.contains("10.77.0.2:51820")
    })
    .unwrap();

    // Names that nobody knows, and a name server that answers nothing.
    let usual = cluster.boot_after_power_cut(2).unwrap();
    let node = cluster.node(2);
    node.write_file("/etc/hosts", "127.0.0.1 localhost\n").unwrap();
    node.write_file("/etc/resolv.conf", "nameserver 10.77.0.99\n").unwrap();
    let without = cluster.boot_after_power_cut(2).unwrap();
    println!("operational after {usual:?}, without names after {without:?}");
    // One time-out of the resolver is 5 s, and two names would ask twice each.
    assert!(without < usual + Duration::from_secs(4), "{usual:?} {without:?}");
    cluster.wait_path(1, 2, "direct", PATIENCE).unwrap();
    cluster.check_journals(&[0, 1, 2]).unwrap();
}
