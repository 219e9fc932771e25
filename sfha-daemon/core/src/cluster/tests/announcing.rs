//! Announcing addresses that stay where they are.

use std::collections::BTreeSet;

use sfha_proto::ErrorCode;

use super::harness::Lab;
use crate::action::Answered;
use crate::{Command, Event};

impl Lab {
    fn announce(&mut self, on: u32, request: u64, names: &[&str]) {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.tell(on, Event::Announce { request, names });
        self.settle();
    }

    fn announced(&self, request: u64) -> Option<Vec<String>> {
        match self.answers.get(&request) {
            Some(Ok(Answered::Announced { vips })) => Some(vips.clone()),
            _ => None,
        }
    }

    fn announcements(&self) -> Vec<&str> {
        self.done.iter().filter(|done| done.contains("announce")).map(String::as_str).collect()
    }
}

#[test]
fn every_holder_announces_its_own_whoever_is_asked() {
    let mut lab = Lab::new(3);
    lab.tell(3, Event::Move { request: 1, to: Some(2), names: BTreeSet::from(["b".to_owned()]) });
    lab.settle();
    assert_eq!((lab.holders("a"), lab.holders("b")), (vec![1], vec![2]));
    lab.done.clear();
    lab.announce(3, 2, &[]);
    assert_eq!(lab.announcements(), ["1 announce a", "2 announce b"]);
    assert_eq!(lab.announced(2).unwrap(), ["a", "b"]);
    lab.done.clear();
    lab.announce(3, 3, &["b"]);
    assert_eq!(lab.done, ["2 announce b"], "and nothing else is done");
    assert_eq!(lab.announced(3).unwrap(), ["b"]);
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let mut lab = Lab::new(3);
    lab.announce(2, 1, &["a", "nonsense"]);
    assert_eq!(lab.code(1), Some(ErrorCode::NotFound));
    for node in 1..=3 {
        lab.propose(node, 10 + u64::from(node), Command::SetStandby { node, standby: true });
    }
    lab.done.clear();
    lab.announce(2, 2, &["a"]);
    assert_eq!(lab.code(2), Some(ErrorCode::NotServed));
    lab.announce(2, 3, &[]);
    assert_eq!(lab.announced(3), Some(Vec::new()));
    lab.form(&[2]);
    lab.announce(2, 4, &[]);
    assert_eq!(lab.code(4), Some(ErrorCode::NoQuorum));
    assert!(lab.announcements().is_empty());
}

#[test]
fn a_request_that_the_group_may_never_hear_is_answered() {
    let mut lab = Lab::new(3);
    lab.hold_messages = true;
    lab.announce(3, 1, &["a"]);
    assert!(lab.answers.is_empty());
    lab.kill(2);
    assert_eq!(lab.code(1), Some(ErrorCode::Synchronising));
}
