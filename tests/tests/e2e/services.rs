//! A service of the cluster, a real unit in each node: it runs on one node at a time, whatever ends that.

use std::time::Duration;

use sfha_proto::message::FailoverDone;
use sfha_proto::status::ServiceStatus;
use sfha_tests::cluster::{Cluster, NOTED_UNIT, PATIENCE, Run, UnixSignal, VIP, at_once, now};
use sfha_tests::lab::{wait_for, wait_until};

use crate::common::{WEB, configure, stays, vip};

/// The service, and its unit.
const APP: &str = "app";
const UNIT: &str = NOTED_UNIT;

/// Fails when it ran on two nodes at once. What a power cut ended, ended by then.
fn never_twice(cluster: &Cluster, cut: Option<(usize, u128)>) -> Vec<Run> {
    let all = cluster.noted_runs(cut.as_slice()).unwrap();
    let twice = at_once(&all, &[]);
    assert!(twice.is_empty(), "at once: {twice:#?}\nof {all:#?}\n{}", cluster.describe());
    all
}

fn install(cluster: &Cluster) {
    cluster.install_noted().unwrap();
    for node in cluster.lab().nodes() {
        node.write_file("/root/well", "").unwrap();
    }
}

fn look(cluster: &Cluster, node: usize) -> Option<ServiceStatus> {
    cluster.look(node)?.services.into_iter().find(|service| service.name == APP)
}

/// Waits until it is active on one of these nodes in the eyes of all of them, and really is.
fn active_on(cluster: &Cluster, nodes: &[usize]) -> usize {
    let holder = wait_for("the service to be active", PATIENCE, || {
        let mut seen = nodes.iter().map(|node| look(cluster, *node));
        let first = seen.next()??;
        let holder = first.holder.clone().filter(|_| first.state == "active")?;
        let same = seen.all(|other| other.as_ref().is_some_and(|other| other.holder == first.holder));
        let index = cluster.lab().find_node(&holder).ok()?.index();
        (same && nodes.contains(&index)).then_some(index)
    });
    let holder = holder.unwrap_or_else(|error| {
        panic!("{error:#}\n{}\n{:#?}", cluster.describe(), look(cluster, nodes[0]));
    });
    assert_eq!(unit_state(cluster, holder), "active");
    holder
}

fn unit_state(cluster: &Cluster, node: usize) -> String {
    cluster.node(node).exec(&["systemctl", "is-active", UNIT]).unwrap().stdout.trim().to_owned()
}

fn others(cluster: &Cluster, node: usize) -> Vec<usize> {
    cluster.all().into_iter().filter(|other| *other != node).collect()
}

#[test]
fn a_service_with_its_address_survives_a_power_cut_and_is_never_twice() {
    let cluster = Cluster::formed("service", 3).unwrap();
    install(&cluster);
    let what = format!(
        "vips:\n  - {{name: {WEB}, ip: {VIP}/24}}\n\
         services:\n  - {{name: {APP}, unit: lab-app, stop_timeout: 2s}}\n\
         constraints:\n  - {{type: colocation, resource: {APP}, with: {WEB}}}\n  \
         - {{type: order, first: {WEB}, then: {APP}}}\n"
    );
    configure(&cluster, 1, &what);
    let first = active_on(&cluster, &cluster.all());
    assert_eq!(cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap(), first);

    cluster.node(first).cut().unwrap();
    let cut = (first, now());
    let rest = others(&cluster, first);
    let second = active_on(&cluster, &rest);
    println!("power cut: {:?} without the service", Duration::from_nanos((now() - cut.1) as u64));
    assert_eq!(cluster.wait_active(WEB, &rest, PATIENCE).unwrap(), second);
    cluster.boot_operational(first, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    stays("the service", Duration::from_secs(2), || unit_state(&cluster, second) == "active");
    never_twice(&cluster, Some(cut));

    // A planned move takes both.
    let to = cluster.node(first).name();
    let mut done: FailoverDone = cluster.ask(second, &["failover", "--to", &to]).unwrap();
    done.moved.sort();
    assert_eq!((done.moved, done.to), (vec![APP.to_owned(), WEB.to_owned()], to));
    assert_eq!(active_on(&cluster, &cluster.all()), first);
    assert_eq!(cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap(), first);
    assert_ne!(unit_state(&cluster, second), "active");

    // A clean stop hands both over, too.
    cluster.node(first).exec_ok(&["systemctl", "stop", "sfha.service"]).unwrap();
    assert_ne!(unit_state(&cluster, first), "active");
    let third = active_on(&cluster, &others(&cluster, first));
    assert!(cluster.node(third).has_address(vip()).unwrap());
    cluster.node(first).exec_ok(&["systemctl", "start", "sfha.service"]).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();

    // The daemon dies and nobody starts it again: systemd stops what it had before another node starts it.
    let drop_in = "/etc/systemd/system/sfha.service.d/test.conf";
    cluster.node(third).write_file(drop_in, "[Service]\nRestart=no\n").unwrap();
    cluster.node(third).exec_ok(&["systemctl", "daemon-reload"]).unwrap();
    cluster.check_journals(&cluster.all()).unwrap();
    cluster.signal(third, "sfha.service", UnixSignal::SIGKILL).unwrap();
    let fourth = active_on(&cluster, &others(&cluster, third));
    assert_eq!(unit_state(&cluster, third), "inactive");

    let all = never_twice(&cluster, Some(cut));
    assert!(all.iter().all(|run| run.with_address), "it begins after its address: {all:#?}");
    let nodes: Vec<usize> = all.iter().map(|run| run.node).collect();
    assert!(nodes.ends_with(&[first, second, first, third, fourth]), "{all:#?}");
}

#[test]
fn a_service_that_fails_is_restarted_then_moved_and_runs_nowhere_else() {
    let cluster = Cluster::formed("service-fails", 3).unwrap();
    install(&cluster);
    let what = format!(
        "services:\n  - {{name: {APP}, unit: {UNIT}, critical: true, restarts: 1, stop_timeout: 2s}}\n\
         health_checks:\n  - {{name: well, type: program, command: [/usr/bin/test, -e, /root/well], service: {APP}, \
         interval: 200ms, successes_before_healthy: 1, failures_before_unhealthy: 2}}\n"
    );
    configure(&cluster, 0, &what);
    let first = active_on(&cluster, &cluster.all());

    // Somebody starts it where it is not to run.
    let other = others(&cluster, first)[0];
    cluster.node(other).exec_ok(&["systemctl", "start", UNIT]).unwrap();
    wait_until("the stray to be stopped", PATIENCE, || unit_state(&cluster, other) == "inactive").unwrap();
    assert_eq!(active_on(&cluster, &cluster.all()), first);
    for node in cluster.lab().nodes() {
        node.sh("rm -f /root/app.log").unwrap();
    }
    cluster.node(first).sh("/root/note up").unwrap();

    // Killed once, it is restarted where it is; killed twice, it moves.
    let pid = cluster.unit_pid(first, UNIT).unwrap();
    cluster.signal(first, UNIT, UnixSignal::SIGKILL).unwrap();
    wait_until("the restart", PATIENCE, || {
        cluster.unit_pid(first, UNIT).is_ok_and(|now| now != pid)
            && look(&cluster, other).is_some_and(|seen| seen.state == "active" && seen.failures == 1)
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(&cluster, other)));
    assert_eq!(active_on(&cluster, &cluster.all()), first);
    cluster.signal(first, UNIT, UnixSignal::SIGKILL).unwrap();
    let second = wait_for("the service to move", PATIENCE, || {
        let seen = look(&cluster, other)?;
        let holder = cluster.lab().find_node(seen.holder.as_deref()?).ok()?.index();
        (seen.state == "active" && holder != first).then_some(holder)
    })
    .unwrap();
    assert_eq!(active_on(&cluster, &cluster.all()), second);
    never_twice(&cluster, None);

    // Its check says no: restarted once, then moved, to the one node that has not failed.
    wait_until("a healthy service", PATIENCE, || {
        look(&cluster, first).is_some_and(|s| s.healthy == Some(true))
    })
    .unwrap();
    cluster.node(second).exec_ok(&["rm", "/root/well"]).unwrap();
    let third = others(&cluster, first).into_iter().find(|node| *node != second).unwrap();
    wait_until("the service to move", PATIENCE, || {
        look(&cluster, first)
            .is_some_and(|seen| seen.state == "active" && seen.holder == Some(cluster.node(third).name()))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(&cluster, first)));
    never_twice(&cluster, None);
}
