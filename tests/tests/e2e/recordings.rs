//! What daemons write down of their decisions, told to the decisions again.

use sfha_core::Event;
use sfha_core::record::{Log, replay};
use sfha_proto::message::FailoverDone;
use sfha_tests::cluster::{Cluster, PATIENCE, VIP};
use sfha_tests::lab::wait_until;

use crate::common::WEB;
use crate::secrets;

const CONFIG: &str = "/etc/sfha/config.yml";
const FOLDER: &str = "/var/lib/sfha/record";

/// The recordings of a node, the oldest first.
fn recordings(cluster: &Cluster, node: usize) -> Vec<(String, String)> {
    let names = cluster.node(node).sh(&format!("ls {FOLDER}")).unwrap();
    let paths = names.lines().map(|name| format!("{FOLDER}/{name}"));
    paths.map(|path| (path.clone(), cluster.node(node).read_file(&path).unwrap())).collect()
}

/// Has every daemon begin anew, one after the other.
fn restart(cluster: &Cluster) {
    for node in cluster.lab().nodes() {
        node.exec_ok(&["systemctl", "restart", "sfha"]).unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    }
}

#[test]
fn what_daemons_record_replays_to_the_same_actions_byte_for_byte() {
    let cluster = Cluster::formed("record", 3).unwrap();
    restart(&cluster);
    assert!(cluster.node(0).sh(&format!("ls {FOLDER}")).is_err(), "nothing is recorded unless it is wanted");
    for node in cluster.lab().nodes() {
        let old = node.read_file(CONFIG).unwrap();
        node.write_file(CONFIG, &format!("{old}\nlogging: {{record: true}}\n")).unwrap();
    }
    restart(&cluster);

    // An address, a planned move, a power cut and the return, as they come.
    cluster.vip_add(2, WEB, VIP).unwrap();
    let first = cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();
    let to = cluster.node((first + 1) % 3).name();
    let _: FailoverDone = cluster.ask(first, &["failover", "--to", &to]).unwrap();
    let second = cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();
    cluster.node(second).cut().unwrap();
    let rest: Vec<usize> = cluster.all().into_iter().filter(|node| *node != second).collect();
    let third = cluster.wait_active(WEB, &rest, PATIENCE).unwrap();
    cluster.boot_operational(second, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();

    let secrets = secrets::of(&cluster, &[]);
    for node in cluster.all() {
        let all = recordings(&cluster, node);
        assert_eq!(all.len(), if node == second { 2 } else { 1 });
        for (path, text) in &all {
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "a secret in {path}");
            let log = Log::from_lines(text).unwrap();
            if let Err(difference) = replay(&log) {
                panic!("node{} {path}: {difference}", node + 1);
            }
            assert!(text.starts_with(&log.to_lines().unwrap()), "what was compared is what is written");
            let replayed = cluster.node(node).exec(&["sfhad", "replay", path]).unwrap();
            // A line may have been added meanwhile.
            assert!(replayed.success(), "{replayed:?}");
            assert!(replayed.stdout.contains("\"difference\": null"), "{replayed:?}");
        }
    }

    // The one that took over was told of the loss, and of everything else.
    let taken = || {
        let text = recordings(&cluster, third)[0].1.clone();
        let log = Log::from_lines(&text).unwrap();
        let lost = |event: &Event| matches!(event, Event::Membership { left, .. } if !left.is_empty());
        let acquired = log.turns.iter().flat_map(|turn| &turn.actions).any(|a| a.get("acquire").is_some());
        let lost = log.turns.iter().any(|turn| lost(&turn.event));
        (lost && acquired).then_some(text)
    };
    wait_until("the disk", PATIENCE, || taken().is_some()).unwrap();
    let text = taken().unwrap();
    if let Some(keep) = std::env::var_os("SFHA_KEEP_RECORDING") {
        std::fs::write(keep, &text).unwrap();
    }

    // With one word of what was told changed, something else is asked for: it is said where.
    let changed = text.replacen("\"quorate\":true", "\"quorate\":false", 1);
    assert_ne!(changed, text);
    cluster.node(third).write_file("/root/changed.jsonl", &changed).unwrap();
    let replayed = cluster.node(third).exec(&["sfhad", "replay", "/root/changed.jsonl"]).unwrap();
    assert_eq!(replayed.code, 1, "{replayed:?}");
    let document: serde_json::Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert!(document["difference"]["line"].is_u64(), "{document:#}");
    assert!(replayed.stderr.contains("does not replay"), "{replayed:?}");
    cluster.check_journals(&cluster.all()).unwrap();
}
