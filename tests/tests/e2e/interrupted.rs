//! Joins that something breaks off: the same token finishes them.

use std::path::Path;
use std::thread;
use std::time::Duration;

use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::{LabOptions, Node, Output, wait_until};

/// For a join that is repeated: what is left of the first one must have given up.
const AGAIN: Duration = Duration::from_secs(90);

/// Whether a join has come that far on this node.
type Moment = fn(&Node) -> bool;

#[test]
fn the_same_token_finishes_a_join_that_was_broken_off() {
    let cluster = Cluster::fresh(LabOptions::unique("broken").nodes(7)).unwrap();
    let first = cluster.init(0).unwrap();
    let mut members = vec![0];

    // The joiner's daemon dies: with its own key made, with the tunnel up, with its files written, with its
    // Corosync running.
    let moments: [(&str, Moment); 4] = [
        ("its key is made", |node| exists(node, "var/lib/sfha/joining.key")),
        ("the tunnel is up", |node| has_interface(node)),
        ("it has a configuration", |node| exists(node, "etc/sfha/config.yml")),
        ("corosync runs", |node| running(node, "corosync")),
    ];
    for (joiner, (what, moment)) in (1..).zip(moments) {
        let token = if joiner == 1 { first.token.clone() } else { cluster.token(0).unwrap().token };
        let broken = during_a_join(&cluster, joiner, &token, what, moment, || {
            // Not by its unit's name: at that moment systemd itself may be busy with it.
            cluster.node(joiner).exec_ok(&["pkill", "-KILL", "-x", "sfhad"]).map(drop).unwrap();
        });
        println!("killed when {what}: exit status {} after {:?}", broken.code, broken.elapsed);
        finish(&cluster, joiner, &token, &mut members);
    }

    // The cable of the joiner, until the first attempt has failed.
    let token = cluster.token(0).unwrap().token;
    let broken = during_a_join(&cluster, 5, &token, "the tunnel is up", has_interface, || {
        cluster.node(5).unplug().unwrap();
    });
    println!("unplugged: exit status {} after {:?}", broken.code, broken.elapsed);
    cluster.node(5).plug().unwrap();
    finish(&cluster, 5, &token, &mut members);

    // The daemon of the node that lets it in.
    let token = cluster.token(0).unwrap().token;
    let broken = during_a_join(&cluster, 6, &token, "the tunnel is up", has_interface, || {
        cluster.node(0).exec_ok(&["pkill", "-KILL", "-x", "sfhad"]).map(drop).unwrap();
    });
    println!("initiator killed: exit status {} after {:?}", broken.code, broken.elapsed);
    cluster
        .wait_in_step(&members, PATIENCE)
        .or_else(|_| cluster.wait_in_step(&cluster.all(), PATIENCE))
        .unwrap();
    finish(&cluster, 6, &token, &mut members);

    let names: Vec<_> = cluster.status(3).unwrap().nodes.into_iter().map(|node| node.name).collect();
    assert_eq!(names.len(), 7, "each of them once: {names:?}");
}

/// Starts a join, breaks in at the moment, and returns how the join ended.
fn during_a_join(
    cluster: &Cluster,
    joiner: usize,
    token: &str,
    what: &str,
    moment: impl Fn(&Node) -> bool,
    fault: impl FnOnce(),
) -> Output {
    let node = cluster.node(joiner);
    thread::scope(|scope| {
        let command = ["sfha", "--json", "join", "--timeout", "10s", token];
        let join = scope.spawn(move || node.exec(&command).unwrap());
        wait_until(what, PATIENCE, || moment(node) || join.is_finished()).unwrap();
        fault();
        join.join().unwrap()
    })
}

/// The same token again; the operator need not know how far it had come.
fn finish(cluster: &Cluster, joiner: usize, token: &str, members: &mut Vec<usize>) {
    let command = ["sfha", "--json", "join", "--timeout", "60s", token];
    let output = cluster.node(joiner).exec_within(AGAIN, &command).unwrap();
    assert!(
        output.success() || is_member(cluster, joiner),
        "{}: {output:?}\n{}",
        cluster.node(joiner).name(),
        cluster.describe()
    );
    members.push(joiner);
    members.sort_unstable();
    cluster.wait_in_step(members, PATIENCE).unwrap();
}

fn is_member(cluster: &Cluster, node: usize) -> bool {
    cluster.look(node).is_some_and(|status| status.quorum.quorate)
}

fn exists(node: &Node, path: &str) -> bool {
    node.disk().join(path).exists()
}

fn has_interface(node: &Node) -> bool {
    let Ok(pid) = node.pid() else { return false };
    std::fs::read_to_string(format!("/proc/{pid}/net/dev")).is_ok_and(|list| list.contains("wg-sfha"))
}

fn running(node: &Node, program: &str) -> bool {
    let Ok(pid) = node.pid() else { return false };
    let processes = std::fs::read_dir(Path::new(&format!("/proc/{pid}/root/proc")));
    let name =
        |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
    processes.into_iter().flatten().flatten().any(|entry| name(entry).trim() == program)
}
