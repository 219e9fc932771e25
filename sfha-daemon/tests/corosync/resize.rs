//! Nodes added and removed at run time: what the join and the removal procedures of sfha rest on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sfha_daemon::corosync_conf::Profile;

use super::lab::{Known, Lab, PATIENCE};

fn start(lab: &mut Lab, id: u32) {
    lab.node(id).start_corosync();
    lab.node(id).start_agent();
}

/// Node 1 alone, configured and quorate.
fn one_node(nodes: u32) -> Lab {
    let mut lab = Lab::new(nodes, Profile::Lan);
    lab.configure(1, 1, &[1]);
    start(&mut lab, 1);
    lab.node(1).wait_until("quorum", |known| known.quorate == Some(true));
    lab
}

/// Expected, total, needed; and both special rules on or off.
fn votes(known: &Known, votes: (u64, u64, u64), two_node: bool) -> bool {
    known.votes == Some(votes) && known.two_node == two_node && known.wait_for_all == two_node
}

/// Waits until the nodes report these versions as being in force.
fn wait_for_versions(lab: &mut Lab, id: u32, versions: &Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = lab.node(id).ask("versions").unwrap();
        if seen == *versions {
            return;
        }
        assert!(Instant::now() < deadline, "{seen} instead of {versions}");
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn a_cluster_grows_from_one_to_three_nodes_and_back_without_losing_quorum() {
    let mut lab = one_node(3);

    // 1 to 2: the file and the reload first. Alone, node 1 stays quorate: two_node needs one vote, and wait_for_all,
    // which comes with it, asks nothing of a node that is quorate already.
    lab.configure(1, 2, &[1, 2]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1).wait_until("two_node in force", |known| votes(known, (2, 1, 1), true));
    lab.configure(2, 2, &[1, 2]);
    start(&mut lab, 2);
    for id in [1, 2] {
        lab.node(id).wait_until("both", |known| votes(known, (2, 2, 1), true) && known.group == [1, 2]);
    }

    // 2 to 3: two of three are enough, and the two-node rules are off before the third one comes.
    for id in [1, 2] {
        lab.configure(id, 3, &[1, 2, 3]);
    }
    lab.node(1).ask("reload").unwrap();
    for id in [1, 2] {
        lab.node(id).wait_until("three expected", |known| votes(known, (3, 2, 2), false));
    }
    lab.configure(3, 3, &[1, 2, 3]);
    start(&mut lab, 3);
    for id in [1, 2, 3] {
        lab.node(id).wait_until("all three", |known| {
            votes(known, (3, 3, 2), false) && known.quorate == Some(true) && known.group == [1, 2, 3]
        });
    }
    wait_for_versions(&mut lab, 1, &json!([[1, 3], [2, 3], [3, 3]]));
    let link = lab.node(1).ask("links 2").unwrap();
    assert_eq!(link[0]["connected"], true, "{link}");

    // 3 to 2: the leaving node stops first, the reload comes after.
    lab.node(3).ask("leave").unwrap();
    lab.node(3).stop_corosync();
    for id in [1, 2] {
        lab.node(id).wait_until("node 3 gone", |known| known.ring == [1, 2]);
        lab.configure(id, 4, &[1, 2]);
    }
    lab.node(2).ask("reload").unwrap();
    for id in [1, 2] {
        lab.node(id).wait_until("two_node in force", |known| votes(known, (2, 2, 1), true));
    }
    wait_for_versions(&mut lab, 1, &json!([[1, 4], [2, 4]]));

    // 2 to 1.
    lab.node(2).ask("leave").unwrap();
    lab.node(2).stop_corosync();
    lab.node(1).wait_until("node 2 gone", |known| known.ring == [1]);
    lab.configure(1, 5, &[1]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1).wait_until("one vote", |known| votes(known, (1, 1, 1), false));
    assert_eq!(lab.node(1).known().quorate, Some(true));
    assert_eq!(lab.node(1).known().losses, 0, "quorum was never lost");
}

#[test]
#[ignore = "needs root and corosync"]
fn a_second_node_may_start_before_the_reload() {
    let mut lab = one_node(2);
    lab.configure(2, 2, &[1, 2]);
    start(&mut lab, 2);
    lab.node(2)
        .wait_until("waiting for all", |known| votes(known, (2, 1, 1), true) && known.quorate == Some(false));
    lab.configure(1, 2, &[1, 2]);
    lab.node(1).ask("reload").unwrap();
    for id in [1, 2] {
        lab.node(id).wait_until("both", |known| {
            votes(known, (2, 2, 1), true) && known.quorate == Some(true) && known.group == [1, 2]
        });
    }
    assert_eq!(lab.node(1).known().losses, 0);
}

#[test]
#[ignore = "needs root and corosync"]
fn after_the_reload_a_restart_needs_the_second_node() {
    let mut lab = one_node(2);
    lab.configure(1, 2, &[1, 2]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1).wait_until("two_node in force", |known| votes(known, (2, 1, 1), true));
    lab.node(1).stop_corosync();
    lab.node(1).start_corosync();
    lab.node(1).wait_until("waiting for all", |known| known.quorate == Some(false) && known.ring == [1]);
    lab.configure(2, 2, &[1, 2]);
    start(&mut lab, 2);
    lab.node(1).wait_until("quorum", |known| known.quorate == Some(true) && known.ring == [1, 2]);
}

#[test]
#[ignore = "needs root and corosync"]
fn a_third_node_costs_quorum_when_only_one_of_two_is_there() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    lab.cut_power(2);
    lab.node(1).wait_until("node 2 gone", |known| known.ring == [1]);
    assert_eq!(lab.node(1).known().quorate, Some(true));
    lab.configure(1, 2, &[1, 2, 3]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1)
        .wait_until("no quorum", |known| votes(known, (3, 1, 2), false) && known.quorate == Some(false));
    // And the way back.
    lab.configure(1, 3, &[1, 2]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1).wait_until("quorum", |known| votes(known, (2, 1, 1), true) && known.quorate == Some(true));
}

#[test]
#[ignore = "needs root and corosync"]
fn a_node_removed_while_its_corosync_runs_goes_on_as_a_cluster_of_its_own() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    lab.configure(1, 2, &[1]);
    lab.node(1).ask("reload").unwrap();
    lab.node(1).wait_until("being alone", |known| known.ring == [1] && votes(known, (1, 1, 1), false));
    lab.node(2).wait_until("being alone", |known| known.ring == [2] && votes(known, (2, 1, 1), true));
    for id in [1, 2] {
        assert_eq!(lab.node(id).known().quorate, Some(true), "node {id}: the reason to stop it first");
    }
}

/// Why `wait_for_all` is never written.
#[test]
#[ignore = "needs root and corosync"]
fn wait_for_all_that_was_written_at_the_start_makes_members_of_one_ring_disagree() {
    let mut lab = Lab::new(3, Profile::Lan);
    let text = lab.conf(1, &[1, 2]).replace("two_node: 1", "two_node: 1\n    wait_for_all: 1");
    for id in [1, 2] {
        lab.node(id).write_conf(&text);
        start(&mut lab, id);
    }
    lab.node(1).wait_until("quorum", |known| known.quorate == Some(true));
    for id in [1, 2, 3] {
        lab.configure(id, 2, &[1, 2, 3]);
    }
    lab.node(2).wait_until("quorum", |known| known.quorate == Some(true));
    lab.node(1).ask("reload").unwrap();
    start(&mut lab, 3);
    lab.node(3).wait_until("quorum", |known| known.quorate == Some(true));
    lab.node(1).wait_until("three", |known| known.votes == Some((3, 3, 2)));
    assert!(lab.node(1).known().wait_for_all, "what was written sticks");
    assert!(!lab.node(3).known().wait_for_all, "a newcomer does not have it");

    lab.node(2).kill_corosync();
    lab.node(3).kill_corosync();
    lab.node(1).wait_until("no quorum", |known| known.quorate == Some(false) && known.ring == [1]);
    lab.node(2).start_corosync();
    lab.node(2).wait_until("quorum", |known| known.quorate == Some(true) && known.ring == [1, 2]);
    lab.node(1).wait_until("the same ring", |known| known.ring == [1, 2]);
    assert_eq!(lab.node(1).known().quorate, Some(false));
}

/// The same story with the file as sfha writes it.
#[test]
#[ignore = "needs root and corosync"]
fn three_nodes_grown_from_two_agree_on_quorum_after_losing_it() {
    let mut lab = Lab::cluster_with_spares(2, 1, Profile::Lan);
    for id in [1, 2, 3] {
        lab.configure(id, 2, &[1, 2, 3]);
    }
    lab.node(1).ask("reload").unwrap();
    start(&mut lab, 3);
    lab.node(1).wait_until("three", |known| votes(known, (3, 3, 2), false));
    lab.node(2).kill_corosync();
    lab.node(3).kill_corosync();
    lab.node(1).wait_until("no quorum", |known| known.quorate == Some(false) && known.ring == [1]);
    lab.node(2).start_corosync();
    for id in [1, 2] {
        lab.node(id).wait_until("quorum", |known| known.quorate == Some(true) && known.ring == [1, 2]);
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn a_node_with_an_older_file_ends_and_the_others_do_not_mind() {
    // Corosync compares versions once: when it first forms a ring that is not its very first. A ring of its own that
    // comes of a try to meet the others that failed is one, and the node stays with its old file (sfhad looks by itself, and has it read again).
    // A consensus timeout longer than links take to come up at both ends (200 ms) lets the first try succeed.
    let mut lab = Lab::new(3, Profile::Custom { token_ms: 1000, consensus_ms: 600 });
    for id in [1, 2] {
        lab.configure(id, 5, &[1, 2, 3]);
        start(&mut lab, id);
    }
    for id in [1, 2] {
        lab.node(id).wait_until("quorum", |known| known.quorate == Some(true) && known.group == [1, 2]);
    }
    lab.configure(3, 4, &[1, 2, 3]);
    start(&mut lab, 3);
    lab.node(3).wait_for_corosync_to_end();
    for id in [1, 2] {
        let node = lab.node(id);
        node.wait_until("its end", |known| known.ring == [1, 2]);
        assert_eq!((node.known().quorate, node.known().losses), (Some(true), 0));
    }
    lab.configure(3, 5, &[1, 2, 3]);
    lab.node(3).start_corosync();
    for id in [1, 2, 3] {
        lab.node(id).wait_until("all", |known| known.quorate == Some(true) && known.group == [1, 2, 3]);
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn a_reload_that_a_node_did_not_understand_shows_in_the_versions_only() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    lab.configure(1, 2, &[1, 2]);
    lab.node(2).write_conf("totem {\n    nonsense\n");
    lab.node(1).ask("reload").unwrap();
    wait_for_versions(&mut lab, 1, &json!([[1, 2], [2, 1]]));
    let error = lab.node(2).ask("reload").unwrap_err();
    assert!(error.contains("refused"), "{error}");
    lab.configure(2, 2, &[1, 2]);
    lab.node(2).ask("reload").unwrap();
    wait_for_versions(&mut lab, 1, &json!([[1, 2], [2, 2]]));
    for id in [1, 2] {
        let losses = lab.node(id).events_for(Duration::ZERO);
        assert!(losses.iter().all(|e| e["event"] != "quorum"), "{losses:?}");
    }
}
