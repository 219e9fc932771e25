//! What happened, told afterwards, while it happens, in figures and to hooks; and who may look.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::history::{EventKind, History, HistoryEvent};
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal};
use sfha_tests::lab::wait_until;

use crate::common::{WEB, Watched};

const CONFIG: &str = "/etc/sfha/config.yml";

/// Where the hook writes: the unit lets it write nowhere else.
const TOLD: &str = "/run/sfha/told";

const HOOK: &str = "#!/bin/sh\nread -r event\necho \"$event\" >> /run/sfha/told\n";

fn configure(cluster: &Cluster, node: usize, text: &str) {
    let old = cluster.node(node).read_file(CONFIG).unwrap();
    cluster.node(node).write_file(CONFIG, &format!("{old}\n{text}")).unwrap();
    let done = cluster.sfha(node, &["reload"]).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
}

fn history(cluster: &Cluster, node: usize) -> Vec<HistoryEvent> {
    cluster.ask::<History>(node, &["history", "--limit", "1000"]).unwrap().events
}

fn events_in(text: &str) -> Vec<HistoryEvent> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_power_cut_is_told_with_all_it_caused_and_survives_the_death_of_the_daemon() {
    let watched = Watched::new("observe", 3);
    let cluster = &watched.cluster;
    for node in cluster.all() {
        cluster.node(node).write_file("/usr/local/bin/tell", HOOK).unwrap();
        cluster.node(node).sh("chmod 755 /usr/local/bin/tell").unwrap();
        let hook = "metrics: {listen: '127.0.0.1:9777'}\n\
                    hooks:\n- {name: tell, on: [vip-moved], program: [/usr/local/bin/tell]}\n";
        configure(cluster, node, hook);
    }
    let first = watched.holder();
    let others = watched.others(first);
    let follow = "systemd-run --quiet --unit=follow sh -c 'exec sfha events --json > /run/followed'";
    for node in &others {
        cluster.node(*node).sh(follow).unwrap();
    }
    // It follows once the daemon has answered.
    for node in &others {
        let node = cluster.node(*node);
        wait_until("the follower", PATIENCE, || node.sh("ss -xp | grep -q '\"sfha\"'").is_ok()).unwrap();
    }

    cluster.node(first).cut().unwrap();
    let second = watched.served_by_one_of(&others);
    let moved = |node: usize| {
        let events = history(cluster, node);
        let moved = events.iter().find(|event| event.kind == EventKind::VipMoved).cloned();
        moved.map(|moved| (moved, events))
    };
    for node in &others {
        wait_until("the move is told", PATIENCE, || moved(*node).is_some()).unwrap();
        let (moved, events) = moved(*node).unwrap();
        println!("{} saw the VIP unserved for {:?} ms", cluster.node(*node).name(), moved.duration_ms);
        assert_eq!(moved.resource.as_deref(), Some(WEB));
        assert_eq!(moved.from, Some(cluster.node(first).name()));
        assert_eq!(moved.to, Some(cluster.node(second).name()));
        assert!(moved.duration_ms.is_some_and(|ms| (1..10_000).contains(&ms)), "{moved:?}");
        let root = events.iter().find(|event| event.id == moved.chain).unwrap();
        assert_eq!(
            (root.kind, root.node.as_ref()),
            (EventKind::NodeLost, moved.from.as_ref()),
            "{events:#?}"
        );
        let followed = || events_in(&cluster.node(*node).sh("cat /run/followed").unwrap());
        wait_until("it is followed", PATIENCE, || followed().contains(&moved)).unwrap();
    }

    // The hook ran once, where the VIP is now.
    let told =
        |node: usize| events_in(&cluster.node(node).sh(&format!("cat {TOLD} 2>/dev/null || true")).unwrap());
    wait_until("the hook", PATIENCE, || !told(second).is_empty()).unwrap();
    for node in &others {
        let kinds: Vec<EventKind> = told(*node).iter().map(|event| event.kind).collect();
        let wanted = if *node == second { vec![EventKind::VipMoved] } else { Vec::new() };
        assert_eq!(kinds, wanted);
    }

    let ask = "exec 3<>/dev/tcp/127.0.0.1/9777; printf 'GET /metrics HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3";
    let metrics = cluster.node(second).exec_ok(&["bash", "-c", ask]).unwrap();
    for sample in [
        "sfha_quorate 1".to_owned(),
        format!("sfha_vip_holder{{vip=\"{WEB}\",node=\"{}\"}} 1", cluster.node(second).name()),
        format!("sfha_node_online{{node=\"{}\"}} 0", cluster.node(first).name()),
        "sfha_events_total{kind=\"vip-moved\"} 1".to_owned(),
        "sfha_failover_duration_seconds_count{reason=\"loss\"} 1".to_owned(),
        "sfha_hook_calls_total{hook=\"tell\",outcome=\"done\"} 1".to_owned(),
    ] {
        assert!(metrics.lines().any(|line| line == sample), "no {sample} in\n{metrics}");
    }

    // A daemon that is killed has lost nothing, and whoever follows it goes on.
    let third = *others.iter().find(|node| **node != second).unwrap();
    let before = history(cluster, third);
    cluster.signal(third, "sfha.service", UnixSignal::SIGKILL).unwrap();
    let restarted = || {
        let done = cluster.sfha(third, &["history", "--json"]).ok()?;
        let history: History = serde_json::from_str(&done.stdout).ok()?;
        let last = history.events.iter().rev().find(|event| event.kind == EventKind::DaemonStarted)?;
        (last.id > before.last()?.id).then_some(history.events)
    };
    wait_until("the daemon is back", PATIENCE, || restarted().is_some()).unwrap();
    let after = history(cluster, third);
    assert_eq!(after[..before.len()], before, "nothing of it is gone");
    let followed = || events_in(&cluster.node(third).sh("cat /run/followed").unwrap());
    let started = after.iter().rev().find(|event| event.kind == EventKind::DaemonStarted).unwrap();
    wait_until("it is followed again", PATIENCE, || followed().contains(started)).unwrap();
    let ids: Vec<u64> = followed().iter().map(|event| event.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");

    let journal = cluster.node(second).journal(&["-o", "json", "SFHA_EVENT=vip-moved"]).unwrap();
    let line: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(line["SFHA_RESOURCE"], WEB);
    assert_eq!(line["MESSAGE_ID"], sfha_daemon::history::MESSAGE_ID);
    cluster.check_journals(&others).unwrap();
}

#[test]
fn users_may_what_they_were_given_and_are_refused_clearly() {
    let cluster = Cluster::formed("access", 1).unwrap();
    let node = cluster.node(0);
    node.sh("groupadd ops; for user in alice bob carol; do useradd -G sfha $user; done; usermod -aG ops carol; useradd mallory")
        .unwrap();
    let may = |user: &str, command: &[&str]| {
        let whole = [&["runuser", "-u", user, "--", "sfha"], command].concat();
        let output = node.exec_within(Duration::from_secs(30), &whole).unwrap();
        assert!(output.code == 0 || output.stderr.contains(user), "who is refused is named: {output:?}");
        output.code
    };
    // Without a word in the file: the group looks, root changes.
    for user in ["alice", "bob", "carol"] {
        assert_eq!((may(user, &["status"]), may(user, &["history"])), (0, 0), "{user}");
        assert_eq!((may(user, &["standby"]), may(user, &["mesh", "tokens"])), (5, 5), "{user}");
    }
    assert_eq!(may("mallory", &["status"]), 5);
    configure(&cluster, 0, "access: {read: [alice], write: ['@ops']}\n");
    assert_eq!((may("alice", &["status"]), may("alice", &["maintenance", "on"])), (0, 5));
    assert_eq!((may("carol", &["status"]), may("carol", &["maintenance", "on"])), (0, 0));
    assert_eq!((may("bob", &["status"]), may("bob", &["events"])), (5, 5));
    assert_eq!(cluster.sfha(0, &["maintenance", "off"]).unwrap().code, 0, "root may everything");
}
