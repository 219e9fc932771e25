//! Nodes that were away: one of them for many changes, or all of them at once.

use std::thread;

use sfha_proto::status::Phase;
use sfha_tests::cluster::PATIENCE;

use crate::common::Watched;

#[test]
fn a_cluster_without_power_comes_back_in_any_order_and_a_node_that_was_away_catches_up() {
    let watched = Watched::new("absence", 3);
    let cluster = &watched.cluster;

    // One node misses twenty changes, made on both of the others.
    let away = watched.others(watched.holder())[1];
    cluster.node(away).cut().unwrap();
    let left = watched.others(away);
    cluster.wait_in_step(&left, PATIENCE).unwrap();
    let before = cluster.agreed(&left).unwrap().version;
    for number in 0..10 {
        let on = left[number % 2];
        cluster.vip_add(on, &format!("v{number}"), &format!("10.77.0.{}", 110 + number)).unwrap();
    }
    for number in (0..10).filter(|number| *number != 7) {
        let on = left[(number + 1) % 2];
        let _: serde_json::Value =
            cluster.ask(on, &["--yes", "vip", "remove", &format!("v{number}")]).unwrap();
    }
    let _: serde_json::Value = cluster.ask(left[0], &["mesh", "token"]).unwrap();
    cluster.boot_operational(away, PATIENCE).unwrap();
    let state = cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    assert!(state.version >= before + 20, "{before} {state:?}");
    let names: Vec<_> = cluster.status(away).unwrap().vips.into_iter().map(|vip| vip.name).collect();
    assert_eq!(names, ["v7", "web"]);

    // All of them lose their power at once, and come back one after another, the last holder last.
    let holder = watched.holder();
    cut_all(&watched);
    let [first, second] = watched.others(holder)[..] else { panic!("three nodes") };
    cluster.node(first).boot().unwrap();
    cluster.wait_phase(first, Phase::Inquorate, PATIENCE).unwrap();
    assert!(watched.watcher.holders().is_empty(), "one of three is no quorum");
    cluster.node(second).boot().unwrap();
    let now = watched.served_by_one_of(&[first, second]);
    cluster.node(holder).boot().unwrap();
    watched.settled_on(now);

    // And all at once.
    cut_all(&watched);
    cluster.lab().boot_all().unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    let now = watched.served_by_one_of(&cluster.all());
    watched.settled_on(now);

    // In good order, too.
    thread::scope(|scope| {
        for node in cluster.lab().nodes() {
            scope.spawn(|| node.shutdown().unwrap());
        }
    });
    cluster.lab().boot_all().unwrap();
    let now = watched.served_by_one_of(&cluster.all());
    watched.settled_on(now);
    let names: Vec<_> = cluster.status(away).unwrap().vips.into_iter().map(|vip| vip.name).collect();
    assert_eq!(names, ["v7", "web"]);
    cluster.check_journals(&cluster.all()).unwrap();
    watched.finish();
}

fn cut_all(watched: &Watched) {
    thread::scope(|scope| {
        for node in watched.cluster.lab().nodes() {
            scope.spawn(|| node.cut().unwrap());
        }
    });
}
