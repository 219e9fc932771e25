//! Corosync that dies or hangs, and old disks: under a floating address that never has two holders.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::status::Phase;
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal};
use sfha_tests::lab::wait_until;

use crate::common::{WEB, Watched, stays};

const COROSYNC: &str = "corosync.service";

/// Longer than any detection.
const HANG: Duration = Duration::from_secs(10);

#[test]
fn a_corosync_that_dies_or_hangs_costs_its_node_no_more_than_its_address() {
    let watched = Watched::new("ring", 3);
    let cluster = &watched.cluster;
    let all = cluster.all();
    for holds in [true, false] {
        // Killed: started again, and a member again.
        let holder = watched.holder();
        let node = if holds { holder } else { watched.others(holder)[0] };
        let before = cluster.unit_pid(node, COROSYNC).unwrap();
        cluster.signal(node, COROSYNC, UnixSignal::SIGKILL).unwrap();
        wait_until("another corosync", PATIENCE, || {
            cluster.unit_pid(node, COROSYNC).is_ok_and(|now| now != before)
        })
        .unwrap();
        cluster.wait_in_step(&all, PATIENCE).unwrap();
        let now = watched.served_by_one_of(&all);
        assert!(holds || now == holder, "somebody else's corosync: {holder} {now}");

        // Stopped for longer than the others wait, and then going on as if nothing had been.
        let holder = watched.holder();
        let node = if holds { holder } else { watched.others(holder)[0] };
        cluster.signal(node, COROSYNC, UnixSignal::SIGSTOP).unwrap();
        let rest = watched.others(node);
        let now = watched.served_by_one_of(&rest);
        assert_eq!(now == holder, !holds);
        stays("the holder", HANG, || watched.watcher.holders() == [now]);
        cluster.signal(node, COROSYNC, UnixSignal::SIGCONT).unwrap();
        cluster.wait_in_step(&all, PATIENCE).unwrap();
        watched.served_by_one_of(&all);
        watched.never_two_holders();
    }

    // Hands off, also from what is lost; but whoever is alone gives up what it has, maintenance or not.
    let holder = watched.holder();
    let rest = watched.others(holder);
    let _: Value = cluster.ask(holder, &["maintenance", "on"]).unwrap();
    cluster.lab().isolate(holder).unwrap();
    watched.watcher.wait_holders(&[], PATIENCE).unwrap();
    wait_until("the loss to be seen", PATIENCE, || cluster.agreed(&rest).is_some()).unwrap();
    stays("nobody", Duration::from_secs(3), || watched.watcher.holders().is_empty());
    let _: Value = cluster.ask(rest[0], &["maintenance", "off"]).unwrap();
    let now = watched.served_by_one_of(&rest);
    assert!(cluster.look(holder).is_some_and(|status| status.maintenance), "it has not heard of the end");
    stays("the new holder", Duration::from_secs(1), || watched.watcher.holders() == [now]);
    cluster.lab().heal().unwrap();
    cluster.wait_in_step(&all, PATIENCE).unwrap();
    assert!(!cluster.look(holder).unwrap().maintenance);

    // Remembered by all through the loss of all power, and said twice is said once.
    let away = cluster.node(2).name();
    let _: Value = cluster.ask(0, &["standby", &away]).unwrap();
    let _: Value = cluster.ask(1, &["maintenance", "on", "--until", "1h"]).unwrap();
    let before = cluster.wait_in_step(&all, PATIENCE).unwrap();
    let again = cluster.sfha(1, &["--json", "standby", &away]).unwrap();
    let code = crate::contract::error_code(&again.json().unwrap());
    assert_eq!((again.code, code.as_str()), (4, "already-so"), "{again:?}");
    assert_eq!(cluster.agreed(&all), Some(before));
    let until = cluster.look(0).unwrap().maintenance_until;
    assert!(until.is_some());
    for node in cluster.lab().nodes() {
        node.cut().unwrap();
    }
    cluster.lab().boot_all().unwrap();
    cluster.wait_in_step(&all, PATIENCE).unwrap();
    for node in &all {
        let status = cluster.look(*node).unwrap();
        assert!(status.nodes[2].standby && status.maintenance && status.maintenance_until == until);
    }
    let refused = cluster.sfha(0, &["--json", "failover", "--to", &cluster.node(1).name()]).unwrap();
    let code = crate::contract::error_code(&refused.json().unwrap());
    assert_eq!((refused.code, code.as_str()), (4, "maintenance"), "{refused:?}");
    let _: Value = cluster.ask(2, &["maintenance", "off"]).unwrap();
    let _: Value = cluster.ask(2, &["unstandby", &away]).unwrap();
    watched.served_by_one_of(&all);
    cluster.check_journals(&all).unwrap();
    watched.finish();
}

#[test]
fn two_nodes_serve_only_after_they_have_met_and_old_disks_only_lose_what_they_never_had() {
    let watched = Watched::new("pair", 2);
    let cluster = &watched.cluster;

    // Each of them alone after a loss of all power: the other one may be serving somewhere.
    for alone in [0, 1] {
        cut_both(cluster);
        cluster.node(alone).boot().unwrap();
        cluster.wait_phase(alone, Phase::Inquorate, PATIENCE).unwrap();
        stays("nobody", Duration::from_secs(3), || watched.watcher.holders().is_empty());
        cluster.node(1 - alone).boot().unwrap();
        cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
        watched.served_by_one_of(&[0, 1]);
    }

    // One node's disk is put back to what it was before twenty changes, and Corosync's file with it.
    let old = ["var/lib/sfha", "etc/sfha", "etc/corosync"];
    let keep = format!("mkdir -p /root/old && cd / && tar cf /root/old/disk.tar {}", old.join(" "));
    for node in cluster.lab().nodes() {
        node.sh(&keep).unwrap();
    }
    for number in 0..20 {
        cluster.vip_add(number % 2, &format!("v{number}"), &format!("10.77.0.{}", 110 + number)).unwrap();
    }
    let now = cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    restore(cluster, 1);
    cluster.node(1).boot().unwrap();
    let after = cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    assert!(after.version >= now.version, "{now:?} {after:?}");
    assert_eq!(cluster.look(1).unwrap().vips.len(), 21);

    // Both: the cluster goes back in time, agrees, and serves.
    for node in [0, 1] {
        restore(cluster, node);
    }
    cluster.lab().boot_all().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    watched.served_by_one_of(&[0, 1]);
    for node in [0, 1] {
        let names: Vec<_> = cluster.look(node).unwrap().vips.into_iter().map(|vip| vip.name).collect();
        assert_eq!(names, [WEB]);
    }
    watched.finish();
}

fn cut_both(cluster: &Cluster) {
    for node in cluster.lab().nodes() {
        node.cut().unwrap();
    }
}

/// Cuts a node's power and puts its disk back to the copy that it has of itself.
fn restore(cluster: &Cluster, node: usize) {
    let node = cluster.node(node);
    node.cut().unwrap();
    let disk = node.disk();
    let archive = disk.join("root/old/disk.tar");
    for folder in ["var/lib/sfha", "etc/sfha", "etc/corosync"] {
        for entry in std::fs::read_dir(disk.join(folder)).unwrap().flatten() {
            let path = entry.path();
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.unwrap();
        }
    }
    let status = std::process::Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&disk).status();
    assert!(status.unwrap().success());
}
