use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::cluster::Ring;
use crate::event::LeaveReason;
use crate::message::{GroupMessage, Member};
use crate::state::Node;

const ME: Member = Member { node: 1, pid: 7 };

fn start() -> Start {
    let node = Node::new("node1", "10.100.0.1".parse().unwrap());
    let settings = Settings {
        me: 1,
        program: "0.1.0".into(),
        node_lost_delay: Duration::from_millis(300),
        daemon_lost_delay: Duration::from_millis(2300),
        unit_margin: Duration::from_secs(6),
    };
    Start { format: FORMAT, began: 0, settings, state: ClusterState::new("prod", "lan", None, node) }
}

/// A node that gets quorum alone, and hears all of what it says.
fn log() -> Log {
    let start = start();
    let mut core = Cluster::new(start.settings.clone(), start.state.clone());
    let ring = Ring { node: 1, seq: 4 };
    let mut coming = std::collections::VecDeque::from([
        Event::Connected { member: ME },
        Event::Ring { ring },
        Event::Quorum { quorate: true, ring, members: BTreeSet::from([1]) },
        Event::Membership { members: BTreeSet::from([ME]), left: Vec::new() },
    ]);
    let (mut turns, mut at) = (Vec::new(), 0);
    while let Some(event) = coming.pop_front() {
        at += 10;
        core.handle_event(event.clone(), Time::from_micros(at));
        let actions: Vec<Action> = std::iter::from_fn(|| core.poll_action()).collect();
        for action in &actions {
            match action {
                Action::Multicast(message) => {
                    coming.push_back(Event::Delivered { from: ME, message: message.clone() });
                }
                Action::Persist { id, .. } => {
                    coming.push_back(Event::ActionFinished { id: *id, outcome: Ok(()) });
                }
                _ => {}
            }
        }
        turns.push(Turn::new(Time::from_micros(at), event, &actions));
    }
    assert!(core.is_established(), "it got as far as that");
    Log { start, turns, cut: false }
}

#[test]
fn what_is_written_is_read_and_does_the_same_again() {
    let log = log();
    let text = log.to_lines().unwrap();
    let read = Log::from_lines(&text).unwrap();
    assert_eq!(read, log);
    assert_eq!(read.to_lines().unwrap(), text);
    assert!(replay(&read).unwrap().is_established());
    assert_eq!(renew(&read), log);
    let kinds = |kind: &str| log.turns.iter().flat_map(|turn| &turn.actions).any(|a| a.get(kind).is_some());
    assert!(kinds("multicast") && kinds("persist"), "{text}");
}

#[test]
fn the_first_difference_is_told() {
    let mut log = log();
    // It hears of its own Hello what it has not said.
    let (index, turn) = log
        .turns
        .iter_mut()
        .enumerate()
        .find(|(_, turn)| matches!(turn.event, Event::Membership { .. }))
        .unwrap();
    let recorded = turn.actions[0].clone();
    turn.event = Event::Membership {
        members: BTreeSet::from([ME, Member { node: 2, pid: 1 }]),
        left: vec![(Member { node: 3, pid: 1 }, LeaveReason::NodeDown)],
    };
    turn.actions.push(Value::Null);
    let difference = replay(&log).unwrap_err();
    assert_eq!((difference.line, difference.at), (index + 2, 10 * (index as u64 + 1)));
    assert_eq!(difference.same, 1, "{difference:#?}");
    assert_eq!((difference.recorded, difference.replayed), (Some(Value::Null), None));
    assert!(serde_json::from_value::<GroupMessage>(recorded["multicast"].clone()).is_ok());
    // Once the actions are those of now, it is the same again.
    assert!(replay(&renew(&log)).is_ok());
}

#[test]
fn a_log_that_was_cut_off_is_read_as_far_as_it_goes() {
    let log = log();
    let text = log.to_lines().unwrap();
    let read = Log::from_lines(&text[..text.len() - 3]).unwrap();
    assert!(read.cut);
    assert_eq!(read.turns, log.turns[..log.turns.len() - 1]);
    assert!(replay(&read).is_ok());
}

#[test]
fn what_is_no_log_is_refused_with_its_line() {
    let why = |text: &str| Log::from_lines(text).unwrap_err().to_string();
    assert_eq!(why(""), "there is no first line");
    assert_eq!(why("{\"format\":1"), "there is no first line");
    assert!(why("nonsense\n").starts_with("line 1: "));
    assert!(why("{\"format\":1}\n").starts_with("line 1: "));
    assert_eq!(why("{\"format\":2}\n"), "this log has the form 2, and this program reads the form 1");
    let text = log().to_lines().unwrap().replacen("{\"at\":20,", "{\"at\":\"soon\",", 1);
    assert!(why(&text).starts_with("line 3: "), "{}", why(&text));
}
