//! The connection to Corosync, against real Corosyncs: `cargo test -p sfha-daemon --test corosync -- --ignored`.
//!
//! Needs root, corosync, iproute2 and util-linux.

#![allow(clippy::unwrap_used, reason = "in helpers of tests too, what cannot be unwrapped is a failure")]

#[path = "corosync/agent.rs"]
mod agent;
#[path = "corosync/lab.rs"]
mod lab;
#[path = "corosync/resize.rs"]
mod resize;

use std::time::{Duration, Instant};

use lab::{Lab, member_nodes};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sfha_daemon::corosync_conf::Profile;

#[test]
#[ignore = "the process that the other tests start in their nodes"]
fn agent_process() {
    match (std::env::var(agent::GROUP), std::env::var(agent::ONCE)) {
        (Ok(group), Err(_)) => agent::run(&group),
        (Ok(group), Ok(message)) => agent::run_once(&group, &message),
        (Err(_), _) => {}
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn all_nodes_see_all_messages_in_one_order() {
    let mut lab = Lab::cluster(3, Profile::Lan);
    let sizes = [10, 70_000, 0, 1000, 3 << 20, 5, 200_000, 65_536, 65_537, 1];
    for (index, size) in sizes.iter().enumerate() {
        for id in 1..=3u64 {
            let seed = id * 100 + u64::try_from(index).unwrap();
            lab.node(u32::try_from(id).unwrap()).tell(&format!("multicast {size} {seed}"));
        }
    }
    let mut seen = Vec::new();
    for id in 1..=3 {
        let mut messages = Vec::new();
        while messages.len() < 3 * sizes.len() {
            let (_, message) = lab.node(id).wait("a message", |e| e["event"] == "message");
            messages.push((message["from"]["node"].as_u64().unwrap(), message["payload"].clone()));
        }
        seen.push(messages);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    for id in 1..=3u64 {
        let expected = sizes.iter().enumerate().map(|(index, size)| {
            agent::digest(&agent::payload(*size, id * 100 + u64::try_from(index).unwrap()))
        });
        let got = seen[0].iter().filter(|(from, _)| *from == id).map(|(_, payload)| payload.clone());
        assert!(got.eq(expected), "node {id} is heard in the order in which it spoke");
    }
}

/// What a node heard of messages and members, in its order, up to this message.
fn heard_until(lab: &mut Lab, id: u32, last: &Value) -> Vec<Value> {
    let events = lab.node(id).collect("the last message", |e| e["payload"] == *last);
    events.into_iter().filter(|e| e["event"] == "message" || e["event"] == "membership").collect()
}

/// The messages after the last membership of all three nodes.
fn messages_since_all_met(events: &[Value]) -> Vec<&Value> {
    let met = events.iter().rposition(|e| member_nodes(e) == Some(vec![1, 2, 3])).unwrap();
    events[met + 1..].iter().map(|e| &e["payload"]).collect()
}

/// Many frames each.
const LARGE: usize = 4 << 20;
/// One frame each.
const SMALL: usize = 30_000;

/// Node 1 sends messages of this size without a pause; `come` lets node 3 into the group when some were heard.
fn a_newcomer_in_the_middle_of_messages(lab: &mut Lab, len: usize, come: impl Fn(&mut Lab)) {
    let ahead = 4 * LARGE / len;
    let message = |seed| agent::digest(&agent::payload(len, seed));
    let (mut sent, mut heard, mut met_at) = (0, Vec::new(), None);
    while met_at.is_none_or(|met| heard.len() < met + 2 * ahead) {
        while sent < heard.len() + ahead {
            sent += 1;
            lab.node(1).tell(&format!("multicast {len} {sent}"));
        }
        let (_, event) =
            lab.node(1).wait("the next message", |e| e["event"] == "message" || e["event"] == "membership");
        if event["event"] == "membership" {
            met_at = (member_nodes(&event) == Some(vec![1, 2, 3])).then_some(heard.len());
        } else {
            heard.push(event["payload"].clone());
            if heard.len() == ahead {
                come(lab);
            }
        }
    }
    let last = agent::digest(&agent::payload(10, 0));
    lab.node(1).tell("multicast 10 0");
    heard.extend(heard_until(lab, 1, &last).iter().map(|e| e["payload"].clone()));
    let mut expected: Vec<_> = (1..).map(message).take(sent).collect();
    expected.push(last.clone());
    assert!(heard == expected, "node 1 hears itself, everything once and in order");
    let together: Vec<_> = heard[met_at.unwrap()..].iter().collect();
    for id in [2, 3] {
        let events = heard_until(lab, id, &last);
        assert_eq!(messages_since_all_met(&events), together, "nodes {id} and 1");
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn a_process_that_joins_between_the_frames_of_a_message_hears_what_the_others_hear() {
    let mut lab = Lab::cluster(3, Profile::Lan);
    lab.node(3).kill_agent();
    for id in [1, 2] {
        lab.node(id).wait_until("a group of two", |known| known.group == [1, 2]);
    }
    a_newcomer_in_the_middle_of_messages(&mut lab, LARGE, |lab| lab.node(3).start_agent());
}

#[test]
#[ignore = "needs root and corosync"]
fn a_node_that_comes_back_between_the_frames_of_a_message_hears_what_the_others_hear() {
    // Under this traffic and on a crowded machine, a ring with a consensus timeout of 100 ms may take half a minute to
    // form again; what is tested here is what the members hear.
    let mut lab = Lab::cluster(3, Profile::Custom { token_ms: 1000, consensus_ms: 300 });
    for len in [LARGE, SMALL] {
        lab.cable(3, false);
        let alone = |known: &lab::Known| known.quorate == Some(false) && known.group == [3];
        lab.node(3).wait_until("being alone", alone);
        for id in [1, 2] {
            lab.node(id).wait_until("a group of two", |known| known.group == [1, 2]);
        }
        a_newcomer_in_the_middle_of_messages(&mut lab, len, |lab| lab.cable(3, true));
        let quorate = |known: &lab::Known| known.quorate == Some(true) && known.ring == [1, 2, 3];
        lab.node(3).wait_until("quorum again", quorate);
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn a_power_cut_is_seen_within_the_detection_time() {
    for profile in [Profile::Fast, Profile::Lan] {
        let mut lab = Lab::cluster(3, profile);
        let at = lab.cut_power(3);
        for id in [1, 2] {
            let node = lab.node(id);
            let in_quorum = node.wait_until("the new ring", |known| known.ring == [1, 2]);
            let in_group = node.wait_until("the new group", |known| known.group == [1, 2]);
            assert_eq!(node.known().quorate, Some(true));
            assert_eq!(node.known().losses, 0);
            let (quorum, group) = (in_quorum - at, in_group - at);
            eprintln!(
                "{profile:?}: node {id} saw it in its quorum after {quorum:?}, in its group after {group:?}"
            );
            // The machine may be busy: what is checked is that nothing adds to Corosync's own time by seconds.
            let limit = Duration::from_millis(profile.detection_ms().into()) + Duration::from_millis(700);
            assert!(quorum.max(group) < limit);
        }
    }
}

#[test]
#[ignore = "needs root and corosync"]
fn members_and_rings_come_with_their_reasons() {
    let mut lab = Lab::cluster(3, Profile::Fast);
    let pids: Vec<_> = (1..=3).map(|id| lab.node(id).agent_pid()).collect();
    let left = |node: u32, reason: &str| json!([[{ "node": node, "pid": pids[node as usize - 1] }, reason]]);

    lab.node(3).tell("multicast 100000 7");
    lab.node(3).tell("multicast 10 8");
    lab.node(3).ask("leave").unwrap();
    let events = lab.node(1).collect("node 3 leaving", |e| e["left"] == left(3, "leave"));
    let last_words: Vec<_> =
        events.iter().filter(|e| e["event"] == "message").map(|e| &e["payload"]["len"]).collect();
    assert_eq!(last_words, [100_000, 10]);

    lab.node(3).kill_agent();
    lab.node(3).start_agent();
    let came = json!([[{ "node": 3, "pid": lab.node(3).agent_pid() }, "proc_up"]]);
    lab.node(1).wait("node 3 joining", |e| e["joined"] == came);

    lab.node(2).kill_agent();
    lab.node(1).wait("the agent of node 2 dying", |e| e["left"] == left(2, "proc_down"));

    lab.cable(3, false);
    lab.node(1).wait("node 3 being lost", |e| e["left"][0][1] == "node_down");
    lab.node(1).wait("a ring without it", |e| e["event"] == "ring" && e["members"] == json!([1, 2]));
    lab.node(3).wait_until("no quorum", |known| known.quorate == Some(false) && known.ring == [3]);
    lab.cable(3, true);
    lab.node(1).wait("node 3 back", |e| e["joined"][0][1] == "node_up" && e["joined"][0][0]["node"] == 3);
}

#[test]
#[ignore = "needs root and corosync"]
fn a_helper_speaks_for_a_dead_daemon() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    lab.node(1).kill_agent();
    lab.node(2).wait("the death", |e| e["left"][0][1] == "proc_down");
    let pid = lab.node(1).send_once("300000 5");
    let helper = json!({ "node": 1, "pid": pid });
    let events = lab.node(2).collect("the helper leaving", |e| e["left"] == json!([[helper, "leave"]]));
    let heard: Vec<_> = events.iter().filter(|e| e["event"] == "message").collect();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["from"], helper);
    assert_eq!(heard[0]["payload"], agent::digest(&agent::payload(300_000, 5)));
}

#[test]
#[ignore = "needs root and corosync"]
fn a_lost_corosync_is_told_once_and_found_again() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    let node = lab.node(1);
    // Stopped, so that what is multicast stays where it is.
    node.signal_corosync(Signal::SIGSTOP);
    for seed in 1..=3 {
        node.tell(&format!("multicast 10 {seed}"));
    }
    node.tell("multicast 300000 4");
    // Answered after the multicasts were accepted.
    node.ask("answer_deadline_ms 60000").unwrap();
    let at = Instant::now();
    node.kill_corosync();
    let (seen, lost) = node.wait("the loss", |e| e["event"] == "disconnected");
    eprintln!("loss seen after {:?}: {}", seen - at, lost["error"]);
    assert_eq!(lost["undelivered"], 4);
    let error = node.ask("multicast 10 5").unwrap_err();
    assert!(error.contains("not connected"), "{error}");
    node.ask("reload").unwrap_err();

    let at = Instant::now();
    node.start_corosync();
    let events = node.collect("the new connection", |e| e["event"] == "connected");
    eprintln!("connected {:?} after the start", at.elapsed());
    assert!(events.iter().all(|e| e["event"] != "disconnected"), "{events:?}");
    node.wait_until("quorum", |known| known.quorate == Some(true) && known.group == [1, 2]);
    node.tell("multicast 10 6");
    lab.node(2).wait("a message", |e| e["payload"] == agent::digest(&agent::payload(10, 6)));
}

#[test]
#[ignore = "needs root and corosync"]
fn a_corosync_that_hangs_is_taken_for_lost() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    let node = lab.node(1);
    node.ask("answer_deadline_ms 500").unwrap();
    let at = Instant::now();
    node.signal_corosync(Signal::SIGSTOP);
    let (seen, lost) = node.wait("the loss", |e| e["event"] == "disconnected");
    eprintln!("hang seen after {:?}: {}", seen - at, lost["error"]);
    assert!(seen - at < Duration::from_millis(1500));
    lab.node(2).wait_until("node 1 gone", |known| known.ring == [2] && known.quorate == Some(true));
    let node = lab.node(1);
    node.signal_corosync(Signal::SIGCONT);
    node.wait_until("quorum again", |known| known.quorate == Some(true) && known.group == [1, 2]);
    lab.node(2).wait_until("quorum again", |known| known.quorate == Some(true) && known.group == [1, 2]);
}

#[test]
#[ignore = "needs root and corosync"]
fn without_a_corosync_that_is_told_once() {
    let mut lab = Lab::new(1, Profile::Lan);
    let node = lab.node(1);
    node.start_agent();
    let (_, lost) = node.wait("the news", |e| e["event"] == "disconnected");
    assert_eq!(lost["undelivered"], 0);
    // Long enough for several tries.
    assert_eq!(node.events_for(Duration::from_secs(3)), [Value::Null; 0]);
    let at = Instant::now();
    node.ask("leave").unwrap();
    assert!(at.elapsed() < Duration::from_secs(2), "there is nothing to wait for");
}

#[test]
#[ignore = "needs root and corosync"]
fn an_idle_connection_costs_next_to_nothing() {
    let mut lab = Lab::cluster(2, Profile::Lan);
    let node = lab.node(1);
    let before = node.agent_cpu_ticks();
    node.events_for(Duration::from_secs(4));
    let ticks = node.agent_cpu_ticks() - before;
    eprintln!("{ticks} ticks of 10 ms in 4 s");
    assert!(ticks <= 4);
}
