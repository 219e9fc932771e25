//! What `sfha doctor`, `report` and `backup` are for: a node that is looked at, and a cluster that is lost whole.

use std::time::Duration;

use serde_json::Value;
use sfha_tests::cluster::{Cluster, PATIENCE, VIP};
use sfha_tests::lab::wait_until;

const BACKUP: &str = "/root/node1.backup";

/// All that makes a node one of its cluster, gone as with its disk.
const LOSE: &str = "systemctl disable --quiet --now sfha; systemctl stop corosync sfha-wg
    ip link del wg-sfha 2>/dev/null || true
    rm -rf /etc/sfha /var/lib/sfha /run/sfha/* /etc/corosync/corosync.conf /etc/corosync/authkey /var/lib/corosync/*";

#[test]
fn a_cluster_that_lost_every_node_comes_back_from_the_backup_of_one() {
    let cluster = Cluster::formed("disaster", 3).unwrap();
    cluster.vip_add(0, "web", VIP).unwrap();
    cluster.wait_active("web", &[0, 1, 2], PATIENCE).unwrap();
    looked_at(&cluster);
    reported(&cluster);

    let made: Value = cluster.ask(0, &["backup", BACKUP]).unwrap();
    assert_eq!((&made["cluster"], &made["node"]), (&"prod".into(), &"node1".into()));
    let node = cluster.node(0);
    assert_eq!(node.sh(&format!("stat -c %a {BACKUP}")).unwrap().trim(), "600");
    let again = cluster.sfha(0, &["backup", BACKUP, "--json"]).unwrap();
    assert_eq!((again.code, again.json().unwrap()["error"]["code"].as_str()), (1, Some("file-write")));
    // Of another node it is no backup.
    let strange = node.read_file(BACKUP).unwrap();
    cluster.node(1).write_file(BACKUP, &strange).unwrap();
    let refused = cluster.sfha(1, &["restore", BACKUP, "--yes", "--json"]).unwrap();
    assert_eq!(refused.json().unwrap()["error"]["code"], "already-configured", "{refused:?}");

    for lost in cluster.all() {
        cluster.node(lost).sh(LOSE).unwrap();
    }
    let unasked = cluster.sfha(0, &["restore", BACKUP, "--alone", "--json"]).unwrap();
    assert_eq!(unasked.json().unwrap()["error"]["code"], "needs-yes");
    let restored: Value = cluster.ask(0, &["restore", BACKUP, "--alone", "--yes"]).unwrap();
    assert_eq!(restored["nodes"], serde_json::json!(["node1"]));
    // It serves before anybody else is back.
    assert_eq!(cluster.wait_active("web", &[0], PATIENCE).unwrap(), 0);
    for back in [1, 2] {
        let token = cluster.token(0).unwrap().token;
        cluster.join(back, &token).unwrap();
    }
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    let status = cluster.status(2).unwrap();
    assert_eq!((status.quorum.votes, status.quorum.expected), (Some(3), Some(3)));
    // Numbers of nodes are never used again.
    let ids: Vec<u32> = status.nodes.iter().map(|node| node.id).collect();
    assert_eq!(ids, [1, 4, 5]);

    restored_as_it_was(&cluster);
    cluster.down().unwrap();
}

/// One node of a cluster that lives loses its disk, and is put back as it was.
fn restored_as_it_was(cluster: &Cluster) {
    let _: Value = cluster.ask(1, &["backup", "/root/again"]).unwrap();
    cluster.node(1).sh(LOSE).unwrap();
    let _: Value = cluster.ask(1, &["restore", "/root/again", "--yes"]).unwrap();
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    assert_eq!(cluster.status(1).unwrap().nodes.len(), 3);
}

fn looked_at(cluster: &Cluster) {
    let doctor = || -> Value {
        let output = cluster.sfha(1, &["doctor", "--json"]).unwrap();
        output.json().unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let errors = |found: &Value| -> Vec<String> {
        let all = found["findings"].as_array().unwrap();
        all.iter().filter(|f| f["level"] == "error").map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    // Paths are measured for some seconds before all of them are known.
    let well = wait_until("node2 has no error", Duration::from_secs(20), || errors(&doctor()).is_empty());
    assert!(well.is_ok(), "{}", doctor());
    let codes = doctor()["findings"].to_string();
    for code in
        ["corosync", "files", "units", "daemon", "quorum", "port-ours", "paths-direct", "clocks-agree", "mtu"]
    {
        assert!(codes.contains(&format!("\"code\":\"{code}\"")), "no {code} in {codes}");
    }
    let node = cluster.node(1);
    node.sh("chmod 644 /etc/sfha/cluster.key").unwrap();
    assert_eq!(errors(&doctor()), ["file-open"]);
    let said = cluster.sfha(1, &["doctor", "--lang", "en"]).unwrap();
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("chmod 0600 /etc/sfha/cluster.key"), "{said:?}");
    node.sh("chmod 600 /etc/sfha/cluster.key").unwrap();
}

fn reported(cluster: &Cluster) {
    let node = cluster.node(0);
    // Even a key that somebody put where it has no place stays here.
    node.sh("printf '# %s\n' $(cat /etc/sfha/cluster.key) >>/etc/sfha/config.yml").unwrap();
    let written: Value = cluster.ask(0, &["report", "/root/report.tar.gz"]).unwrap();
    assert!(written["parts"].as_u64().unwrap() > 20, "{written}");
    let list =
        node.sh("cd /root; stat -c %a report.tar.gz; tar tzf report.tar.gz; tar xzf report.tar.gz").unwrap();
    for part in
        ["600", "sfha-report-node1/doctor.json", "files/config.yml", "files/state.json", "journal.txt"]
    {
        assert!(list.contains(part), "no {part} in {list}");
    }
    let found = node
        .sh("cd /root/sfha-report-node1
             for key in $(cat /etc/sfha/cluster.key /etc/sfha/wireguard/private.key) $(base64 -w0 /etc/corosync/authkey); do
                 grep -rlF -e \"$key\" . || true
             done
             grep -c . journal.txt")
        .unwrap();
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 1, "a secret is in {lines:?}");
    assert!(lines[0].parse::<u32>().unwrap() > 10, "the journal is empty");
    node.sh(
        "grep -qF '# (hidden)' /root/sfha-report-node1/files/config.yml && sed -i '$d' /etc/sfha/config.yml",
    )
    .unwrap();
}
