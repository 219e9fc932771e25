//! A service that does not stop whatever is done: killed, then its node is fenced, then it stays down, and that is
//! said.

use std::time::Duration;

use sfha_proto::status::ServiceStatus;
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::wait_until;

use crate::common::{configure, stays};
use crate::fencing::{Plant, quick};

const APP: &str = "app";
const UNIT: &str = "lab-undying.service";

/// systemd refuses to stop it, and starts it again whenever it was killed.
const UNDYING: &str = "[Unit]\nRefuseManualStop=yes\nStartLimitIntervalSec=0\n\
                       [Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=1ms\n";

fn look(cluster: &Cluster, node: usize) -> Option<ServiceStatus> {
    cluster.look(node)?.services.into_iter().find(|service| service.name == APP)
}

fn runs(cluster: &Cluster, node: usize) -> bool {
    cluster.node(node).exec(&["systemctl", "is-active", UNIT]).is_ok_and(|output| output.success())
}

#[test]
fn what_does_not_even_stop_when_killed_stays_down_is_said_and_is_fenced_where_that_can_be() {
    let cluster = Cluster::formed("stuck", 3).unwrap();
    for node in cluster.lab().nodes() {
        node.write_file(&format!("/etc/systemd/system/{UNIT}"), UNDYING).unwrap();
        node.exec_ok(&["systemctl", "daemon-reload"]).unwrap();
    }
    let what = format!("services:\n  - {{name: {APP}, unit: {UNIT}, critical: true, stop_timeout: 1s}}\n");
    configure(&cluster, 1, &what);
    wait_until("the service", PATIENCE, || {
        cluster.all().into_iter().all(|node| look(&cluster, node).is_some_and(|seen| seen.state == "active"))
    })
    .unwrap();
    let holder = look(&cluster, 0).unwrap().holder.unwrap();
    let first = cluster.lab().find_node(&holder).unwrap().index();
    let others: Vec<usize> = cluster.all().into_iter().filter(|node| *node != first).collect();
    let to = cluster.node(others[0]).name();

    // Nothing can fence: it is killed, in vain, and nobody else starts it.
    let moved = cluster.sfha(others[1], &["--json", "failover", APP, "--to", &to]).unwrap();
    assert!(!moved.success(), "{moved:?}");
    let stuck = |node: usize| {
        look(&cluster, node).is_some_and(|seen| {
            seen.state == "failed"
                && seen.problem.as_deref() == Some("stop-failed")
                && seen.holder == Some(holder.clone())
        })
    };
    wait_until("it to be said", PATIENCE, || cluster.all().into_iter().all(stuck))
        .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(&cluster, others[0])));
    let journal = cluster.node(first).journal(&["-u", "sfha.service", "-o", "cat"]).unwrap();
    for line in ["its processes are killed", "does not even stop when it is killed"] {
        assert!(journal.contains(line), "no {line} in\n{journal}");
    }
    stays("nobody else starts it", Duration::from_secs(3), || {
        others.iter().all(|node| !runs(&cluster, *node)) && stuck(others[0])
    });
    let text = cluster.sfha(others[0], &["--lang", "en", "resources"]).unwrap().stdout;
    assert!(text.contains("does not stop"), "{text}");

    // Something can: the node is switched off, and only then it runs elsewhere.
    let plant = Plant::build(&cluster);
    plant.configure(&cluster, quick());
    wait_until("the end of its node", PATIENCE, || !cluster.node(first).is_running())
        .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
    assert_eq!(plant.cuts().len(), 1);
    assert_eq!(plant.cuts()[0].node, first);
    wait_until("it to run elsewhere", PATIENCE, || {
        let on: Vec<usize> = others.iter().copied().filter(|node| runs(&cluster, *node)).collect();
        on.len() == 1
            && others.iter().all(|node| {
                look(&cluster, *node).is_some_and(|seen| {
                    seen.state == "active" && seen.holder == Some(cluster.node(on[0]).name())
                })
            })
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", look(&cluster, others[0])));
}
