//! Units that behave badly, and a systemd that is restarted under the daemon's feet.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::status::ServiceStatus;
use sfha_tests::cluster::{Cluster, PATIENCE, UnixSignal};
use sfha_tests::lab::wait_until;

use crate::common::{configure, stays};

/// Does not end when it is asked to, and systemd alone would wait for ever.
const STUBBORN: &str =
    "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\nTimeoutStopSec=infinity\n";

/// Never gets as far as to run.
const SLOW: &str =
    "[Service]\nExecStartPre=/bin/sleep infinity\nExecStart=/bin/sleep infinity\nTimeoutStartSec=infinity\n";

/// Runs, and does as it is told.
const PLAIN: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

/// Makes well again whatever a check asks for, and counts.
const HELPER: &str =
    "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo once >>/root/helped; touch /root/well'\n";

const CONFIG: &str = "\
services:
  - {name: stubborn, unit: lab-stubborn, stop_timeout: 1s}
  - {name: slow, unit: lab-slow, start_timeout: 1s, stop_timeout: 1s}
  - {name: tolerated, unit: lab-tolerated, elsewhere: report}
health_checks:
  - {name: well, type: program, command: [/usr/bin/test, -e, /root/well], restart_service: lab-helper,
     interval: 200ms, successes_before_healthy: 1, failures_before_unhealthy: 2}
";

fn look(cluster: &Cluster, node: usize, name: &str) -> Option<ServiceStatus> {
    cluster.look(node)?.services.into_iter().find(|service| service.name == name)
}

fn runs(cluster: &Cluster, node: usize, unit: &str) -> bool {
    cluster.node(node).exec(&["systemctl", "is-active", unit]).is_ok_and(|output| output.success())
}

/// Waits until a service is active on that node in the eyes of all, and its unit runs there and nowhere else.
fn wait_on(cluster: &Cluster, name: &str, unit: &str, on: usize) {
    let holder = Some(cluster.node(on).name());
    let so = || {
        cluster.all().into_iter().all(|node| {
            look(cluster, node, name).is_some_and(|seen| seen.state == "active" && seen.holder == holder)
                && runs(cluster, node, unit) == (node == on)
        })
    };
    wait_until(&format!("{name} on {holder:?}"), PATIENCE, so)
        .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(cluster, on, name)));
}

#[test]
fn units_that_behave_badly_are_killed_told_or_left_alone_as_configured() {
    let cluster = Cluster::formed("units", 3).unwrap();
    for node in cluster.lab().nodes() {
        for (unit, text) in [("stubborn", STUBBORN), ("slow", SLOW), ("tolerated", PLAIN), ("helper", HELPER)]
        {
            node.write_file(&format!("/etc/systemd/system/lab-{unit}.service"), text).unwrap();
        }
        node.sh("touch /root/well; systemctl daemon-reload").unwrap();
    }
    configure(&cluster, 1, CONFIG);
    wait_on(&cluster, "stubborn", "lab-stubborn", 0);
    wait_on(&cluster, "tolerated", "lab-tolerated", 0);

    // What does not start in its time has failed, is told, and does not run.
    wait_until("the start to be given up", PATIENCE, || {
        look(&cluster, 2, "slow")
            .is_some_and(|seen| seen.state == "failed" && seen.problem.as_deref() == Some("start-timed-out"))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(&cluster, 2, "slow")));
    let idle = ["systemctl", "show", "-P", "ActiveState", "lab-slow"];
    wait_until("nothing of it to be left", PATIENCE, || {
        cluster.all().into_iter().all(|node| {
            let state = cluster.node(node).exec(&idle).unwrap().stdout;
            ["inactive", "failed"].contains(&state.trim())
        })
    })
    .unwrap();
    let text = cluster.sfha(0, &["--lang", "en", "resources"]).unwrap().stdout;
    assert!(text.contains("slow"), "{text}");

    // What ignores its end is killed after its stop time, and only then it begins elsewhere.
    let _: Value = cluster.ask(2, &["failover", "stubborn", "--to", "node2"]).unwrap();
    wait_on(&cluster, "stubborn", "lab-stubborn", 1);
    let journal = cluster.node(0).journal(&["-u", "sfha.service", "-o", "cat"]).unwrap();
    assert!(journal.contains("its processes are killed"), "{journal}");

    // What somebody starts elsewhere is told and goes on, where that is what is wanted.
    cluster.node(2).exec_ok(&["systemctl", "start", "lab-tolerated"]).unwrap();
    let elsewhere = |nodes: &[&str]| {
        cluster
            .all()
            .into_iter()
            .all(|node| look(&cluster, node, "tolerated").is_some_and(|seen| seen.elsewhere == nodes))
    };
    wait_until("the stray to be told", PATIENCE, || elsewhere(&["node3"])).unwrap();
    stays("the stray", Duration::from_secs(1), || runs(&cluster, 2, "lab-tolerated"));
    cluster.node(2).exec_ok(&["systemctl", "stop", "lab-tolerated"]).unwrap();
    wait_until("the stray to be forgotten", PATIENCE, || elsewhere(&[])).unwrap();

    // A check that fails has its unit restarted, once.
    cluster.node(1).exec_ok(&["rm", "/root/well"]).unwrap();
    let helped = |node: usize| cluster.node(node).read_file("/root/helped").unwrap_or_default();
    wait_until("the unit to be restarted", PATIENCE, || helped(1) == "once\n").unwrap();
    stays("once", Duration::from_secs(1), || helped(1) == "once\n" && helped(0).is_empty());

    // systemd begins anew, and the bus: nothing stops, and what happens afterwards is seen.
    for command in [&["systemctl", "daemon-reexec"][..], &["systemctl", "restart", "dbus"]] {
        let before = cluster.unit_pid(0, "lab-tolerated").unwrap();
        let _ = cluster.node(0).exec(command).unwrap();
        stays("the service", Duration::from_secs(1), || {
            look(&cluster, 2, "tolerated").is_some_and(|seen| seen.state == "active")
        });
        assert_eq!(cluster.unit_pid(0, "lab-tolerated").unwrap(), before, "{command:?}");
        let failures = || look(&cluster, 2, "tolerated").map_or(0, |seen| seen.failures);
        let count = failures();
        cluster.signal(0, "lab-tolerated", UnixSignal::SIGKILL).unwrap();
        wait_until("the death to be seen", PATIENCE, || failures() > count).unwrap_or_else(|error| {
            panic!("after {command:?}: {error:#}\n{:#?}", look(&cluster, 2, "tolerated"));
        });
        // Somebody has mended it.
        let _: Value = cluster.ask(2, &["failover", "tolerated", "--to", "node3"]).unwrap();
        wait_on(&cluster, "tolerated", "lab-tolerated", 2);
        let _: Value = cluster.ask(2, &["failover", "tolerated", "--to", "node1"]).unwrap();
        wait_on(&cluster, "tolerated", "lab-tolerated", 0);
    }
    cluster.check_journals(&cluster.all()).unwrap();
}
