//! Cables and partitions: whoever may not have the address gives it up before another takes it.

use std::time::Duration;

use sfha_proto::status::Phase;
use sfha_tests::cluster::PATIENCE;

use crate::common::{Watched, stays, vip};

#[test]
fn a_cut_off_holder_gives_the_address_up_before_another_takes_it() {
    let watched = Watched::new("network", 3);
    let cluster = &watched.cluster;

    // The cable of the holder.
    let first = watched.holder();
    cluster.node(first).unplug().unwrap();
    let second = watched.served_by_one_of(&watched.others(first));
    cluster.wait_phase(first, Phase::Inquorate, PATIENCE).unwrap();
    // With the plug in it would answer at once: it must not be there at all.
    assert!(!cluster.node(first).has_address(vip()).unwrap(), "kept behind a dead cable");
    let refused = cluster.sfha(first, &["--json", "vip", "add", "more", "10.77.0.101/24"]).unwrap();
    assert_eq!(
        (refused.code, crate::contract::error_code(&refused.json().unwrap())),
        (4, "no-quorum".into())
    );
    cluster.node(first).plug().unwrap();
    watched.settled_on(second);
    watched.never_two_holders();

    // One node on this side, two on the other, and a client that hears both.
    let others = watched.others(second);
    cluster.lab().partition(&[&[second], &others]).unwrap();
    let third = watched.served_by_one_of(&others);
    cluster.wait_phase(second, Phase::Inquorate, PATIENCE).unwrap();
    stays("the majority's holder", Duration::from_secs(2), || watched.watcher.holders() == [third]);
    cluster.lab().heal().unwrap();
    watched.settled_on(third);
    watched.never_two_holders();

    // A holder on the side of the majority notices nothing.
    let outside = watched.others(third)[0];
    let inside = watched.others(outside);
    let before = watched.prober.started().elapsed();
    cluster.lab().partition(&[&[outside], &inside]).unwrap();
    cluster.wait_phase(outside, Phase::Inquorate, PATIENCE).unwrap();
    cluster.wait_in_step(&inside, PATIENCE).unwrap();
    assert_eq!(watched.served_by_one_of(&inside), third);
    cluster.lab().heal().unwrap();
    watched.settled_on(third);
    let gap = watched.gap_since(before);
    assert!(gap < Duration::from_millis(500), "{gap:?}");

    // Nobody has a majority: nobody has the address.
    cluster.lab().partition(&[&[0], &[1], &[2]]).unwrap();
    for node in cluster.all() {
        cluster.wait_phase(node, Phase::Inquorate, PATIENCE).unwrap();
    }
    watched.watcher.wait_holders(&[], PATIENCE).unwrap();
    cluster.lab().heal().unwrap();
    let last = watched.served_by_one_of(&cluster.all());
    watched.settled_on(last);
    cluster.check_journals(&cluster.all()).unwrap();
    watched.finish();
}
