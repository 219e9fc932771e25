//! Addresses that are announced again where they are: on request, when an interface comes back, and when a split
//! has healed.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::message::VipsAnnounced;
use sfha_tests::cluster::{PATIENCE, VIP};

use crate::common::{WEB, Watched, stays};
use crate::contract::error_code;

/// Nobody's.
const NOBODY: &str = "02:00:00:00:00:99";

/// The second burst comes 5 s after the first, which takes 1 s.
const BURSTS: Duration = Duration::from_secs(8);

/// Has the client believe that the address is elsewhere, and makes sure that nothing but an announcement, of
/// which there is none, would tell it better.
fn mislead(watched: &Watched) {
    let set = ["ip", "neighbour", "replace", VIP, "lladdr", NOBODY, "nud", "reachable", "dev", "eth0"];
    watched.cluster.lab().client().exec_ok(&set).unwrap();
    // Requests that were under way may still be answered.
    std::thread::sleep(Duration::from_millis(100));
    stays("the wrong neighbour", Duration::from_secs(1), || {
        let shown = watched.cluster.lab().client().exec_ok(&["ip", "neighbour", "show", VIP]).unwrap();
        shown.contains(NOBODY)
    });
}

/// Waits until the client knows better, and the address is where it was.
fn corrected(watched: &Watched, holder: usize) {
    watched.prober.wait_answered_again(PATIENCE).unwrap();
    assert_eq!(watched.prober.report().last_node(), Some(holder));
    assert_eq!(watched.holder(), holder, "it has not moved");
}

#[test]
fn addresses_are_announced_on_request_on_link_up_and_after_a_healed_split() {
    let watched = Watched::new("announce", 3);
    let cluster = &watched.cluster;
    let holder = watched.holder();
    let others = watched.others(holder);
    std::thread::sleep(BURSTS);

    // On request, whoever is asked.
    for names in [&[][..], &[WEB][..]] {
        mislead(&watched);
        let done: VipsAnnounced = cluster.ask(others[0], &[&["vip", "announce"], names].concat()).unwrap();
        assert_eq!(done.announced, [WEB]);
        corrected(&watched, holder);
        std::thread::sleep(BURSTS);
    }
    let text = cluster.sfha(holder, &["--lang", "fr", "vip", "announce"]).unwrap();
    assert!(text.success() && text.stdout.contains("annoncée") && text.stdout.contains(WEB), "{text:?}");
    let refused = cluster.sfha(holder, &["--json", "vip", "announce", "nonsense"]).unwrap();
    assert_eq!((refused.code, error_code(&refused.json().unwrap())), (1, "not-found".into()));
    std::thread::sleep(BURSTS);

    // The holder's interface goes and comes back.
    mislead(&watched);
    cluster.node(holder).sh("ip link set eth0 down; ip link set eth0 up").unwrap();
    corrected(&watched, holder);
    std::thread::sleep(BURSTS);

    // One of the others is cut off and comes back: it could have announced the address meanwhile.
    let (away, rest) = (others[1], [holder, others[0]]);
    cluster.lab().isolate(away).unwrap();
    cluster.wait_in_step(&rest, PATIENCE).unwrap();
    mislead(&watched);
    cluster.lab().heal().unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    corrected(&watched, holder);

    let holdings = watched.watcher.report().holdings;
    assert!(holdings.iter().all(|held| held.node == holder), "it was nowhere else: {holdings:#?}");
    // Where nobody serves it there is nothing to announce.
    for node in cluster.all() {
        let _: Value = cluster.ask(0, &["standby", &cluster.node(node).name()]).unwrap();
    }
    watched.watcher.wait_holders(&[], PATIENCE).unwrap();
    let refused = cluster.sfha(holder, &["--json", "vip", "announce", WEB]).unwrap();
    assert_eq!((refused.code, error_code(&refused.json().unwrap())), (4, "not-served".into()));
    let none: VipsAnnounced = cluster.ask(holder, &["vip", "announce"]).unwrap();
    assert!(none.announced.is_empty());
    watched.finish();
}
