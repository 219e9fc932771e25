//! Keys that change under traffic: nobody notices, and whatever is interrupted can be finished.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use sfha_proto::message::{RotateDone, RotateStep};
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal};
use sfha_tests::lab::{Output, Prober, wait_until};

use crate::common::Watched;
use crate::contract;
use crate::secrets::{self, ArgumentSpy};

/// Between two probes of a pair of nodes.
const PACE: Duration = Duration::from_millis(10);

/// Longer silences are those that are not to be: a handshake that was lost is repeated after 5 s. (What it takes
/// on a machine with nothing else to do is measured, not tested.)
const SILENCE: Duration = Duration::from_secs(2);

/// Whether a rotation has come that far.
type Mark = fn(&Cluster) -> bool;

/// A prober for every node to every other one.
struct Pairs(Vec<(String, Prober)>);

impl Pairs {
    fn start(cluster: &Cluster) -> Self {
        let mut pairs = Vec::new();
        for from in cluster.all() {
            for to in cluster.all().into_iter().filter(|to| *to != from) {
                let prober = cluster.node(from).probe_mesh(mesh_ip(to), PACE).unwrap();
                prober.wait_answered(PATIENCE).unwrap();
                pairs.push((format!("node{} to node{}", from + 1, to + 1), prober));
            }
        }
        Self(pairs)
    }

    /// Waits until every node reaches every other one.
    fn whole(&self) {
        for (pair, prober) in &self.0 {
            prober.wait_answered_again(PATIENCE).unwrap_or_else(|error| panic!("{pair}: {error:#}"));
        }
    }

    /// Fails when a pair was silent for longer, and tells how long it was.
    fn never_silent(self) {
        for (pair, prober) in self.0 {
            let report = prober.finish().unwrap();
            let (gap, lost, own) = (report.gap, report.lost, report.longest_send_pause);
            println!(
                "{pair}: {gap:?} without an answer at most, {lost} of {} lost, own pause {own:?}",
                report.sent
            );
            assert!(gap < SILENCE + own, "{pair}: {gap:?}");
        }
    }
}

fn mesh_ip(node: usize) -> IpAddr {
    format!("10.100.0.{}", node + 1).parse().unwrap()
}

/// How often Corosync has formed a ring on each node.
fn rings(cluster: &Cluster) -> Vec<usize> {
    let count = |node: usize| {
        let journal = cluster.node(node).journal(&["-u", "corosync.service", "-o", "cat"]).unwrap();
        journal.matches("A new membership").count()
    };
    cluster.all().into_iter().map(count).collect()
}

/// The public key of a node, the same in the eyes of all.
fn key(cluster: &Cluster, node: usize) -> String {
    let own = cluster.mesh(node).unwrap().public_key;
    let name = cluster.node(node).name();
    for other in cluster.all().into_iter().filter(|other| *other != node) {
        let mesh = cluster.mesh(other).unwrap();
        let seen = mesh.peers.iter().find(|peer| peer.name == name).unwrap();
        assert_eq!(seen.public_key, own, "{name} as node{} sees it", other + 1);
        let peers = cluster.node(other).exec_ok(&["wg", "show", "wg-sfha", "peers"]).unwrap();
        assert_eq!(peers.lines().count(), mesh.peers.len(), "no other key is left: {peers}");
    }
    assert_eq!(cluster.node(node).read_file("/etc/sfha/wireguard/public.key").unwrap().trim(), own);
    own
}

fn rotate(cluster: &Cluster, node: usize, args: &[&str]) -> RotateDone {
    cluster.ask(node, &[&["mesh", "rotate-keys"], args].concat()).unwrap()
}

fn refused(cluster: &Cluster, node: usize, args: &[&str], code: &str) {
    let output = cluster.sfha(node, &[&["--json", "mesh", "rotate-keys"], args].concat()).unwrap();
    assert_eq!((output.code, contract::error_code(&output.json().unwrap()).as_str()), (4, code), "{args:?}");
}

#[test]
fn every_node_changes_its_key_and_nobody_notices() {
    let watched = Watched::new("rotate", 3);
    let cluster = &watched.cluster;
    let (holder, before) = (watched.holder(), rings(cluster));
    let moves = watched.watcher.report().holdings.len();
    let epoch = cluster.agreed(&cluster.all()).unwrap().epoch;
    let spy = ArgumentSpy::start(cluster.lab().nodes());
    let mut kept: BTreeSet<String> = secrets::of(cluster, &[]).into_iter().collect();
    let mut keys: BTreeSet<String> = cluster.all().into_iter().map(|node| key(cluster, node)).collect();
    let pairs = Pairs::start(cluster);

    let mut changed = |node: usize, done: &RotateDone| {
        pairs.whole();
        let new = key(cluster, node);
        let told = done.nodes.iter().find(|told| told.node == cluster.node(node).name()).unwrap();
        println!("{}: {} ms", told.node, told.elapsed_ms);
        assert_eq!(told.public_key, new);
        assert!(keys.insert(new), "every key is another one");
        kept.extend(secrets::of(cluster, &[]));
    };
    for node in cluster.all() {
        let done = rotate(cluster, node, &[]);
        assert_eq!(done.nodes.len(), 1);
        changed(node, &done);
    }
    let done = rotate(cluster, 0, &["--node", "node3"]);
    changed(2, &done);
    let done = rotate(cluster, 1, &["--all"]);
    assert_eq!(
        done.nodes.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(),
        ["node1", "node2", "node3"]
    );
    cluster.all().into_iter().for_each(|node| changed(node, &done));

    // Whoever can send from a member's address is no daemon yet.
    let forged = "exec 3<>/dev/tcp/10.100.0.2/7777 && printf 'POST /v1/rotate-key HTTP/1.1\\r\\nhost: sfha\\r\\n\
        content-type: application/json\\r\\ncontent-length: 27\\r\\n\\r\\n{\"step\":null,\"proof\":\"abc\"}' >&3 && cat <&3";
    let answer = cluster.node(0).exec(&["timeout", "10", "bash", "-c", forged]).unwrap().stdout;
    assert!(answer.contains("not-permitted"), "{answer}");

    // Step by step, with a token of that node open.
    let token = cluster.token(1).unwrap();
    refused(cluster, 1, &["--commit"], "wrong-step");
    refused(cluster, 1, &["--cleanup"], "already-so");
    rotate(cluster, 1, &["--prepare"]);
    let modes = "stat -c '%a %U' /etc/sfha/wireguard/next.key /etc/sfha/wireguard/wg-sfha.conf";
    assert_eq!(cluster.node(1).sh(modes).unwrap(), "600 root\n600 root\n");
    let conf = || cluster.node(0).read_file("/etc/sfha/wireguard/wg-sfha.conf").unwrap();
    wait_until("wg-sfha.conf to tell", PATIENCE, || conf().contains("# node2 (next key)")).unwrap();
    assert!(!conf().contains("PrivateKey"), "{}", conf());
    let rotating = cluster.mesh(0).unwrap().rotating;
    assert_eq!(
        (rotating.len(), rotating[0].node.as_str(), rotating[0].next),
        (1, "node2", RotateStep::Commit)
    );
    let text = cluster.sfha(2, &["mesh", "status"]).unwrap().ok().unwrap();
    assert!(text.contains("node2\u{a0}: annoncée à tous"), "{text}");
    let prepared = secrets::of(cluster, &[&token.token]);
    refused(cluster, 1, &["--prepare"], "already-so");
    refused(cluster, 1, &["--cleanup"], "wrong-step");
    rotate(cluster, 0, &["--commit", "--node", "node2"]);
    refused(cluster, 1, &["--commit"], "already-so");
    refused(cluster, 1, &["--prepare"], "wrong-step");
    pairs.whole();
    let done = rotate(cluster, 1, &["--cleanup"]);
    changed(1, &done);
    wait_until("the change to be over", PATIENCE, || cluster.mesh(0).unwrap().rotating.is_empty()).unwrap();
    let tokens: serde_json::Value = cluster.ask(0, &["mesh", "tokens"]).unwrap();
    assert!(!tokens.to_string().contains(&token.id), "its key is gone: {tokens}");
    // Lost on disk while it is in use.
    cluster.node(0).exec_ok(&["rm", "/etc/sfha/wireguard/private.key"]).unwrap();
    let done = rotate(cluster, 0, &[]);
    changed(0, &done);
    kept.extend(prepared);

    pairs.never_silent();
    assert_eq!(rings(cluster), before, "the ring was formed anew");
    assert_eq!(cluster.agreed(&cluster.all()).unwrap().epoch, epoch, "the group changed");
    assert_eq!((watched.holder(), watched.watcher.report().holdings.len()), (holder, moves));
    secrets::assert_kept(cluster, &kept.into_iter().collect::<Vec<_>>(), &spy.finish());
    cluster.check_journals(&cluster.all()).unwrap();
    let (_, _, probes) = watched.finish();
    assert_eq!(probes.nodes(), [holder]);
}

#[test]
fn a_rotation_that_was_interrupted_anywhere_is_finished_by_the_same_command() {
    let cluster = Cluster::formed("rotkill", 3).unwrap();
    let before = rings(&cluster);
    let first = key(&cluster, 2);
    let pairs = Pairs::start(&cluster);
    let mut seen = vec![first];

    // Between the steps.
    for step in ["--prepare", "--commit", "--cleanup"] {
        rotate(&cluster, 2, &[step]);
        kill(&cluster, 2);
        pairs.whole();
    }
    seen.push(key(&cluster, 2));

    // Inside them, by the files that mark how far it is.
    let marks: [(&str, Mark); 3] = [
        ("the key is made", |cluster| has_next(cluster)),
        ("the key is changed on disk", |cluster| !has_next(cluster)),
        ("the commit is on disk", |cluster| state(cluster).contains("old_key")),
    ];
    for (what, mark) in marks {
        interrupted(&cluster, what, || {
            let started = wait_until("it to begin", PATIENCE, || has_next(&cluster));
            started.and_then(|_| wait_until(what, PATIENCE, || mark(&cluster))).unwrap();
        });
        pairs.whole();
        seen.push(key(&cluster, 2));
    }

    // And at any other moment.
    for millis in [5, 15, 30, 60, 90, 130] {
        interrupted(&cluster, "some moment", || thread::sleep(Duration::from_millis(millis)));
        pairs.whole();
        seen.push(key(&cluster, 2));
    }
    let different: BTreeSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "every time another key");
    pairs.never_silent();
    assert_eq!(rings(&cluster), before, "the ring was formed anew");
    cluster.down().unwrap();
}

fn has_next(cluster: &Cluster) -> bool {
    cluster.node(2).disk().join("etc/sfha/wireguard/next.key").exists()
}

fn state(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.node(2).disk().join("var/lib/sfha/state.json")).unwrap_or_default()
}

/// Kills the daemon of a node and waits until it is back.
fn kill(cluster: &Cluster, node: usize) {
    cluster.signal(node, "sfha.service", UnixSignal::SIGKILL).unwrap();
    wait_until("the daemon to be gone", PATIENCE, || cluster.look(node).is_none()).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
}

/// Begins a rotation of the third node, kills its daemon at the moment, and has the same command finish it.
fn interrupted(cluster: &Cluster, what: &str, moment: impl FnOnce()) {
    let node = cluster.node(2);
    let old = key(cluster, 2);
    let broken: Output = thread::scope(|scope| {
        let rotation = scope.spawn(|| node.exec(&["sfha", "--json", "mesh", "rotate-keys"]).unwrap());
        moment();
        let killed = Instant::now();
        // Not by its unit: it takes too long to ask for the process.
        node.exec_ok(&["pkill", "-KILL", "-x", "sfhad"]).unwrap();
        println!("{what}: killed within {:?}", killed.elapsed());
        rotation.join().unwrap()
    });
    // So often in so short a time is nothing that the unit puts up with.
    node.exec_ok(&["systemctl", "reset-failed", "sfha.service"]).unwrap();
    println!("{what}: exit status {} after {:?}", broken.code, broken.elapsed);
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    if state(cluster).contains("_key\": \"") || key(cluster, 2) == old {
        rotate(cluster, 2, &[]);
    }
    assert!(!has_next(cluster) && !state(cluster).contains("old_key"));
}

#[test]
fn a_node_that_was_away_finds_the_others_with_the_keys_they_have_changed_to() {
    let cluster = Cluster::formed("rotaway", 3).unwrap();
    let old: Vec<String> = cluster.all().into_iter().map(|node| key(&cluster, node)).collect();
    rotate(&cluster, 0, &["--prepare"]);
    rotate(&cluster, 1, &["--prepare"]);
    cluster.node(2).cut().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    for node in [0, 1] {
        rotate(&cluster, node, &["--commit"]);
        rotate(&cluster, node, &["--cleanup"]);
        // It would not know the next one.
        refused(&cluster, node, &[], "nodes-away");
    }
    let back = cluster.boot_operational(2, PATIENCE).unwrap();
    println!("operational {back:?} after power-on");
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    let new: Vec<String> = cluster.all().into_iter().map(|node| key(&cluster, node)).collect();
    assert!(new[0] != old[0] && new[1] != old[1] && new[2] == old[2]);
    Pairs::start(&cluster).whole();

    // The other way round: the node that changes its key loses its power in between.
    rotate(&cluster, 2, &["--prepare"]);
    rotate(&cluster, 2, &["--commit"]);
    cluster.node(2).cut().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    cluster.boot_operational(2, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    rotate(&cluster, 2, &[]);
    assert_ne!(key(&cluster, 2), old[2]);
    Pairs::start(&cluster).whole();
    cluster.check_journals(&cluster.all()).unwrap();
    cluster.down().unwrap();
}
