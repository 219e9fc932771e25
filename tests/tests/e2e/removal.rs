//! Nodes that go, by their own will or not; what is left of them, and of the cluster.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use sfha_proto::mesh::{Joined, MeshStatus, TokenMade};
use sfha_proto::status::Phase;
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::{Output, wait_until};

use crate::common::{Watched, stays};
use crate::contract;

/// A WireGuard key that nobody has.
const KEY: &str = "8f3Yq0m1Tq7mZ2b6c0VtX9a1kP4rS5uW7yB2nD6hJ1M=";

#[test]
fn live_and_dead_nodes_are_removed_and_the_rest_serves() {
    let watched = Watched::new("removal", 4);
    let cluster = &watched.cluster;
    watched.settled_on(watched.holder());
    let gone = watched.holder();
    let rest = watched.others(gone);
    let losses = losses_of_quorum(cluster, &rest);
    let address = cluster.status(gone).unwrap().nodes[gone].address.clone();

    // The holder, alive: 4 to 3. It takes a confirmation.
    let name = cluster.node(gone).name();
    let unconfirmed = cluster.sfha(rest[0], &["--json", "node", "remove", &name]).unwrap();
    assert_eq!((unconfirmed.code, code(&unconfirmed)), (2, "needs-yes".to_owned()));
    let before = watched.prober.started().elapsed();
    let _: Value = cluster.ask(rest[0], &["node", "remove", &name, "--yes"]).unwrap();
    let now = watched.served_by_one_of(&rest);
    println!("removal of the live holder: {:?} without an answer", watched.gap_since(before));
    watched.settled_on_members(now, &rest);
    is_clean(cluster, gone);
    let told = cluster.sfha(gone, &["--json", "status"]).unwrap();
    assert_eq!((told.code, code(&told)), (4, "removed".to_owned()));
    assert_eq!(versions(cluster, &rest), ["5", "5", "5"]);

    // One that is dead: 3 to 2.
    let dead = *rest.iter().find(|node| **node != now).unwrap();
    let rest: Vec<usize> = rest.into_iter().filter(|node| *node != dead).collect();
    cluster.node(dead).cut().unwrap();
    cluster.wait_in_step(&rest, PATIENCE).unwrap();
    // The third cannot go now: the one that is left would be one of two.
    let other = *rest.iter().find(|node| **node != now).unwrap();
    let refused =
        cluster.sfha(now, &["--json", "node", "remove", &cluster.node(other).name(), "--yes"]).unwrap();
    assert_eq!((refused.code, code(&refused)), (4, "would-lose-quorum".to_owned()));
    let _: Value = cluster.ask(now, &["node", "remove", &cluster.node(dead).name(), "--yes"]).unwrap();
    watched.settled_on_members(now, &rest);
    assert_eq!(losses_of_quorum(cluster, &rest), losses_of_quorum_of(&losses, &rest), "quorum was lost");
    two_node_holds(cluster, &[now, other]);

    // It comes back, and nobody knows it.
    cluster.node(dead).boot().unwrap();
    cluster.wait_phase(dead, Phase::Inquorate, PATIENCE).unwrap();
    stays("the stranger without quorum", Duration::from_secs(5), || {
        cluster.look(dead).is_some_and(|status| !status.quorum.quorate)
    });
    assert!(!cluster.node(dead).has_address(crate::common::vip()).unwrap());
    let alone = cluster.sfha(dead, &["--json", "leave", "--yes"]).unwrap();
    assert_eq!((alone.code, code(&alone)), (4, "no-quorum".to_owned()));
    let _: Value = cluster.ask(dead, &["leave", "--force", "--yes"]).unwrap();
    is_clean(cluster, dead);

    // Both come back for good: names and addresses are theirs, ids are new.
    let token: TokenMade = cluster.ask(now, &["mesh", "token", "--ip", &address]).unwrap();
    let again: Joined = cluster.ask(gone, &["join", &token.token]).unwrap();
    assert_eq!((again.node.as_str(), again.ip.as_str(), again.id), (name.as_str(), address.as_str(), 5));
    let again = cluster.join(dead, &cluster.token(again_from(&rest)).unwrap().token).unwrap();
    assert_eq!(again.id, 6);
    watched.settled_on(now);
    assert_eq!(losses_of_quorum(cluster, &rest), losses_of_quorum_of(&losses, &rest), "quorum was lost");
    cluster.check_journals(&rest).unwrap();
    watched.finish();
}

#[test]
fn nodes_leave_until_one_is_left_and_come_back() {
    let watched = Watched::new("leave", 3);
    let cluster = &watched.cluster;
    let losses = losses_of_quorum(cluster, &[0]);
    for (leaver, rest) in [(2, &[0, 1][..]), (1, &[0])] {
        let holder = watched.holder();
        let before = watched.prober.started().elapsed();
        let _: Value = cluster.ask(leaver, &["leave", "--yes"]).unwrap();
        is_clean(cluster, leaver);
        let now = watched.served_by_one_of(rest);
        println!("{leaver} left, vip {holder} to {now}: {:?} without an answer", watched.gap_since(before));
        watched.settled_on_members(now, rest);
        let asked = cluster.sfha(leaver, &["--json", "status"]).unwrap();
        assert_eq!((asked.code, code(&asked)), (4, "not-configured".to_owned()));
    }
    assert_eq!(losses_of_quorum(cluster, &[0]), losses, "quorum was lost");

    // And back, the holder being one of those who went.
    for node in [1, 2] {
        cluster.join(node, &cluster.token(0).unwrap().token).unwrap();
    }
    watched.settled_on(0);
    let _: Value = cluster.ask(0, &["leave", "--yes"]).unwrap();
    let now = watched.served_by_one_of(&[1, 2]);
    watched.settled_on_members(now, &[1, 2]);
    is_clean(cluster, 0);

    // The last one takes the cluster with it; nobody else is asked.
    let _: Value = cluster.ask(now, &["node", "remove", &cluster.node(3 - now).name(), "--yes"]).unwrap();
    watched.settled_on_members(now, &[now]);
    let last = cluster.sfha(now, &["--json", "node", "remove", &cluster.node(now).name(), "--yes"]).unwrap();
    assert_eq!((last.code, code(&last)), (4, "last-node".to_owned()));
    let _: Value = cluster.ask(now, &["leave", "--yes"]).unwrap();
    is_clean(cluster, now);
    watched.watcher.wait_holders(&[], PATIENCE).unwrap();
    cluster.init(now).unwrap();
    watched.finish();
}

#[test]
fn a_leave_whose_daemon_is_killed_is_finished_by_the_next() {
    let watched = Watched::new("killed", 4);
    let cluster = &watched.cluster;
    let mut rest = cluster.all();
    // From the moment at which it is about to go, sooner and later.
    for (leaver, wait) in [(3, 0), (2, 60), (1, 250)] {
        rest.retain(|node| *node != leaver);
        let node = cluster.node(leaver);
        thread::scope(|scope| {
            let leave = scope.spawn(|| cluster.sfha(leaver, &["--json", "leave", "--yes"]).unwrap());
            wait_until("the marker", PATIENCE, || {
                node.disk().join("var/lib/sfha/leaving.json").exists() || leave.is_finished()
            })
            .unwrap();
            thread::sleep(Duration::from_millis(wait));
            let _ = node.exec(&["pkill", "-KILL", "-x", "sfhad"]);
            println!("killed after {wait} ms: {:?}", leave.join().unwrap());
        });
        wait_until("the end of the leave", PATIENCE, || {
            let status = cluster.sfha(leaver, &["--json", "status"]).unwrap();
            code(&status) == "not-configured"
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
        is_clean(cluster, leaver);
        let now = watched.served_by_one_of(&rest);
        watched.settled_on_members(now, &rest);
    }
    cluster.join(3, &cluster.token(0).unwrap().token).unwrap();
    watched.finish();
}

#[test]
fn a_node_that_the_others_cannot_spare_at_once_goes_all_the_same() {
    let watched = Watched::new("spare", 4);
    let cluster = &watched.cluster;
    cluster.node(3).cut().unwrap();
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    let losses = losses_of_quorum(cluster, &[0, 1]);
    // Three of four: without node 3's vote the two that stay have quorum only once Corosync knows.
    let _: Value = cluster.ask(0, &["node", "remove", &cluster.node(2).name(), "--yes"]).unwrap();
    watched.served_by_one_of(&[0, 1]);
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    wait_until("its end", PATIENCE, || code(&cluster.sfha(2, &["--json", "status"]).unwrap()) == "removed")
        .unwrap();
    is_clean(cluster, 2);
    assert_eq!(losses_of_quorum(cluster, &[0, 1]), losses, "quorum was lost");
    // The dead one is still a member.
    cluster.node(3).boot().unwrap();
    cluster.wait_in_step(&[0, 1, 3], PATIENCE).unwrap();
    wait_until("corosync's configuration there", PATIENCE, || {
        versions(cluster, &[0, 1, 3]) == ["5", "5", "5"]
    })
    .unwrap();
    watched.finish();
}

#[test]
fn peers_that_are_no_nodes_and_a_mesh_that_goes_down_and_up() {
    let cluster = Cluster::formed("peers", 3).unwrap();
    let add = ["mesh", "add-peer", "--name", "laptop", "--pubkey", KEY, "--ip", "10.100.0.9"];
    let _: Value = cluster.ask(1, &add).unwrap();
    for node in cluster.all() {
        wait_until("the peer", PATIENCE, || {
            let mesh = cluster.mesh(node).unwrap();
            mesh.peers.iter().any(|peer| (peer.name.as_str(), peer.member) == ("laptop", false))
        })
        .unwrap();
        assert!(cluster.sfha(node, &["mesh", "status"]).unwrap().stdout.contains("laptop"));
        assert_eq!(cluster.status(node).unwrap().mesh.peers, 2, "a laptop is not missed");
    }
    for (args, wanted) in [
        (&add[..], (4, "already-exists")),
        (
            &["mesh", "add-peer", "--name", "x", "--pubkey", "x", "--ip", "10.100.0.10"],
            (2, "invalid-parameter"),
        ),
        (
            &["mesh", "add-peer", "--name", "x", "--pubkey", KEY, "--ip", "192.0.2.1"],
            (2, "invalid-parameter"),
        ),
        (&["mesh", "remove-peer", "nobody", "--yes"], (1, "not-found")),
        (&["mesh", "remove-peer", "laptop"], (2, "needs-yes")),
        (&["node", "remove", "laptop", "--yes"], (1, "not-found")),
        (&["mesh", "token", "--ip", "10.100.0.9"], (4, "already-exists")),
        (&["mesh", "up"], (4, "already-so")),
        (&["mesh", "down"], (4, "would-lose-quorum")),
    ] {
        let mut all = vec!["--json"];
        all.extend(args);
        let refused = cluster.sfha(2, &all).unwrap();
        assert_eq!((refused.code, code(&refused)), (wanted.0, wanted.1.to_owned()), "{args:?}");
    }
    let _: Value = cluster.ask(2, &["mesh", "remove-peer", "laptop", "--yes"]).unwrap();
    wait_until("its end", PATIENCE, || cluster.mesh(0).unwrap().peers.len() == 2).unwrap();

    let _: Value = cluster.ask(0, &["mesh", "auto-remove", "7d"]).unwrap();
    wait_until("the setting", PATIENCE, || {
        let mesh: MeshStatus = cluster.mesh(2).unwrap();
        mesh.auto_remove_after_s == Some(604_800)
    })
    .unwrap();
    let _: Value = cluster.ask(0, &["mesh", "auto-remove", "off"]).unwrap();
    let _: Value = cluster.ask(0, &["reload"]).unwrap();

    // Down on one node, across a restart of its daemon, and up again.
    let _: Value = cluster.ask(2, &["mesh", "down", "--yes"]).unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    cluster.node(2).exec_ok(&["systemctl", "restart", "sfha"]).unwrap();
    let down = cluster.sfha(2, &["--json", "status"]).unwrap();
    assert_eq!((down.code, code(&down)), (4, "mesh-down".to_owned()));
    assert!(!cluster.node(2).sh("ip -br link").unwrap().contains("wg-sfha"));
    let _: Value = cluster.ask(2, &["mesh", "up"]).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();

    // By the name of a node, remove-peer removes the node.
    let _: Value = cluster.ask(0, &["mesh", "remove-peer", &cluster.node(2).name(), "--yes"]).unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    is_clean(&cluster, 2);
}

#[test]
fn a_node_that_is_away_for_too_long_is_removed_where_that_is_wanted() {
    let cluster = Cluster::formed("away", 3).unwrap();
    let _: Value = cluster.ask(0, &["mesh", "auto-remove", "1min"]).unwrap();
    cluster.node(2).cut().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    stays("the node that is away", Duration::from_secs(40), || {
        cluster.look(0).is_some_and(|status| status.nodes.len() == 3)
    });
    // Whoever remembers it, and whoever takes over.
    cluster.node(0).exec_ok(&["systemctl", "restart", "sfha"]).unwrap();
    wait_until("its removal", Duration::from_secs(60), || {
        cluster.look(1).is_some_and(|status| status.nodes.len() == 2)
    })
    .unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    assert!(!versions(&cluster, &[0]).is_empty());
}

impl Watched {
    /// As [`Watched::settled_on`], where these nodes alone are members.
    fn settled_on_members(&self, holder: usize, members: &[usize]) {
        self.cluster.wait_in_step(members, PATIENCE).unwrap();
        stays("the holder", Duration::from_secs(2), || self.watcher.holders() == [holder]);
        assert_eq!(self.cluster.look(members[0]).unwrap().nodes.len(), members.len());
    }
}

fn again_from(rest: &[usize]) -> usize {
    rest[rest.len() - 1]
}

fn code(output: &Output) -> String {
    contract::error_code(&output.json().unwrap_or_else(|error| panic!("{error:#}: {output:?}")))
}

/// Nothing of a cluster is left on the node but its daemon, which knows of none.
fn is_clean(cluster: &Cluster, node: usize) {
    let node = cluster.node(node);
    let left = || {
        let script = "set +e; ls -A /etc/sfha /etc/sfha/wireguard /var/lib/sfha 2>/dev/null | \
                      grep -E 'config|mesh|key|state|wg-sfha|leaving|joining'; \
                      grep -l 'Written by sfha' /etc/corosync/corosync.conf; \
                      ls /etc/corosync/authkey 2>/dev/null; \
                      ip -br link | grep wg-sfha; ip -br addr | grep 10.77.0.100; \
                      pgrep -x corosync; pgrep -x sfha-wg; true";
        node.sh(script).unwrap()
    };
    let clean = wait_until("nothing of the cluster", PATIENCE, || left().trim().is_empty());
    clean.unwrap_or_else(|error| panic!("{error:#}: {}", left()));
}

/// How often each of these nodes lost its quorum, as its Corosync tells.
fn losses_of_quorum(cluster: &Cluster, nodes: &[usize]) -> Vec<(usize, usize)> {
    let count = |node: &usize| {
        let log = cluster.node(*node).journal(&["-u", "corosync", "-o", "cat"]).unwrap();
        (*node, log.lines().filter(|line| line.contains("non-primary component")).count())
    };
    nodes.iter().map(count).collect()
}

fn losses_of_quorum_of(all: &[(usize, usize)], nodes: &[usize]) -> Vec<(usize, usize)> {
    all.iter().filter(|(node, _)| nodes.contains(node)).copied().collect()
}

/// The `config_version` with which these nodes' Corosyncs run.
fn versions(cluster: &Cluster, nodes: &[usize]) -> Vec<String> {
    let version = |node: &usize| {
        let shown = cluster.node(*node).sh("corosync-cmapctl -g totem.config_version").unwrap();
        shown.rsplit(' ').next().unwrap_or_default().trim().to_owned()
    };
    nodes.iter().map(version).collect()
}

/// Of two nodes either goes on alone.
fn two_node_holds(cluster: &Cluster, nodes: &[usize]) {
    let [stays_on, away] = nodes[..] else { panic!("two nodes") };
    cluster.node(away).cut().unwrap();
    wait_until("being alone", PATIENCE, || {
        cluster.look(stays_on).is_some_and(|status| status.quorum.quorate && status.quorum.votes == Some(1))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
    cluster.node(away).boot().unwrap();
    cluster.wait_in_step(nodes, PATIENCE).unwrap();
}
