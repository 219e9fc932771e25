//! A cluster on a LAN, without a mesh: nodes come in, serve, miss changes, and go.

use serde_json::Value;
use sfha_proto::mesh::{Joined, TokenMade};
use sfha_tests::cluster::{CLUSTER, Cluster, PATIENCE};
use sfha_tests::lab::{LabOptions, Output, wait_until};

use crate::common::{WEB, Watched, vip};

#[test]
fn a_cluster_without_a_mesh_takes_nodes_in_and_gives_them_up() {
    let cluster = Cluster::fresh(LabOptions::unique("lan").nodes(5)).unwrap();
    let first: TokenMade = cluster.ask(0, &["init", "--cluster", CLUSTER]).unwrap();
    assert_eq!(first.ip, None, "whoever joins has an address");
    let joined: Joined = cluster.ask(1, &["join", &first.token]).unwrap();
    assert_eq!((joined.id, joined.ip), (2, cluster.node(1).ip().to_string()));
    let used = cluster.sfha(2, &["--json", "join", &first.token]).unwrap();
    assert_eq!(code(&used), "token-used", "{used:?}");
    let revoked = cluster.token(1).unwrap();
    let _: Value = cluster.ask(0, &["mesh", "revoke", &revoked.id]).unwrap();
    let refused = cluster.sfha(2, &["--json", "join", &revoked.token]).unwrap();
    assert_eq!(code(&refused), "token-unknown", "{refused:?}");
    let made = cluster.token(1).unwrap();
    cluster.join(2, &made.token).unwrap();
    cluster.join(3, &cluster.token(2).unwrap().token).unwrap();
    let members = [0, 1, 2, 3];
    cluster.wait_in_step(&members, PATIENCE).unwrap();
    assert!(!cluster.node(2).exec(&["ip", "link", "show", "wg-sfha"]).unwrap().success(), "no mesh");

    let watcher = cluster.lab().watch_address(vip()).unwrap();
    let prober = cluster.lab().client().probe(vip()).unwrap();
    cluster.vip_add(2, WEB, sfha_tests::cluster::VIP).unwrap();
    prober.wait_answered(PATIENCE).unwrap();
    let watched = Watched { cluster, watcher, prober };
    let cluster = &watched.cluster;
    let gone = cluster.wait_active(WEB, &members, PATIENCE).unwrap();

    // Its power is cut, another takes over, and while it is away a node joins: its Corosync may only start
    // with what the others have.
    let left: Vec<usize> = members.into_iter().filter(|node| *node != gone).collect();
    cluster.node(gone).cut().unwrap();
    watched.served_by_one_of(&left);
    let made: TokenMade =
        cluster.ask(left[0], &["mesh", "token", "--ip", &cluster.node(4).ip().to_string()]).unwrap();
    let joined: Joined = cluster.ask(4, &["join", &made.token]).unwrap();
    assert_eq!(joined.id, 5);
    cluster.boot_operational(gone, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    let restarts = cluster.node(gone).journal(&["-b", "-u", "corosync", "-o", "cat"]).unwrap();
    assert!(!restarts.contains("config version"), "it was up to date: {restarts}");

    let holder = watched.holder();
    let name = cluster.node(holder).name();
    let rest = watched.others(holder);
    let _: Value = cluster.ask(rest[0], &["--yes", "node", "remove", &name]).unwrap();
    watched.served_by_one_of(&rest);
    cluster.wait_in_step(&rest, PATIENCE).unwrap();
    let told = || code(&cluster.sfha(holder, &["--json", "status"]).unwrap());
    wait_until("the node to know that it was removed", PATIENCE, || told() == "removed").unwrap();
    // And comes back, with the same address.
    cluster.join(holder, &cluster.token(rest[0]).unwrap().token).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    cluster.check_journals(&rest).unwrap();
    watched.finish();
}

fn code(output: &Output) -> String {
    let json = output.json().unwrap();
    json["error"]["code"].as_str().unwrap_or_default().to_owned()
}
