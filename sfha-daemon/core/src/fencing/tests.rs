//! By hand here; by chance in `property`.

mod harness;
mod property;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use sfha_proto::ErrorCode;

use super::settings::{Level, Safety, Target, Webhook};
use super::state::Happened;
use super::*;
use harness::{Group, problem, settings, watchdog};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_lost_node_is_fenced_after_the_delay_and_harmless_once_it_is_seen_off() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.lose(3);
    assert_eq!(group.phase(3), Some(Phase::Delayed));
    group.pass(Duration::from_secs(9));
    assert!(group.calls().is_empty());
    group.pass(SECOND);
    assert_eq!(group.calls(), [(1, 3, Call::Off)], "the leader alone acts");
    group.answer(3, Ok(Power::Unknown));
    assert!(!group.harmless(3), "switched off is not seen off");
    assert_eq!(group.calls(), [(1, 3, Call::Status)]);
    group.answer(3, Ok(Power::On));
    assert!(!group.harmless(3) && group.calls().is_empty());
    group.pass(SECOND);
    group.answer(3, Ok(Power::Off));
    assert!(group.harmless(3));
    group.come_back(3);
    assert!(!group.harmless(3) && group.phase(3).is_none());
    assert!(group.history(3).ends_with(&[Happened::Fenced, Happened::Returned]));
}

#[test]
fn a_node_that_comes_back_within_the_delay_is_not_fenced() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.lose(3);
    group.pass(Duration::from_secs(9));
    group.come_back(3);
    group.pass(Duration::from_secs(60));
    assert!(group.calls().is_empty());
    assert!(group.phase(3).is_none());
}

#[test]
fn a_node_that_comes_back_while_it_is_switched_off_is_lost_anew_when_it_goes() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.lose(3);
    group.pass(Duration::from_secs(10));
    group.come_back(3);
    group.answer(3, Ok(Power::Unknown));
    assert!(group.phase(3).is_none() && !group.harmless(3));
    group.lose(3);
    assert!(!group.harmless(3));
    assert!(matches!(group.phase(3), Some(Phase::Suspected { held: Some(Held::TooSoon) })));
    group.pass(Duration::from_secs(61));
    group.pass(Duration::from_secs(10));
    assert_eq!(group.calls(), [(1, 3, Call::Off)]);
}

#[test]
fn levels_follow_each_other_and_all_are_tried_again_later_and_later() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox, Level::Webhook]));
    group.lose(3);
    group.pass(Duration::from_secs(10));
    let mut tried = Vec::new();
    for _ in 0..4 {
        let Some(Phase::Fencing(now)) = group.phase(3) else { panic!("{:?}", group.phase(3)) };
        tried.push((now.level.name().to_owned(), now.attempt));
        group.pass(Duration::from_secs(2));
        group.answer(3, Err(problem(ErrorCode::FenceUnreachable)));
    }
    let expected = [("proxmox", 1), ("proxmox", 2), ("webhook", 1), ("webhook", 2)];
    assert_eq!(tried, expected.map(|(name, attempt)| (name.to_owned(), attempt)));
    assert_eq!(group.phase(3), Some(Phase::Failed { round: 1 }));
    let status = group.status(1, 3);
    assert_eq!(status.error.unwrap().code, ErrorCode::FenceUnreachable);
    assert_eq!(status.next_ms, Some(10_000));
    assert!(!status.harmless);
    assert_eq!(
        [1, 2, 3, 9, 60].map(|round| Safety::default().backoff(round).as_secs()),
        [10, 20, 40, 300, 300]
    );
    group.pass(Duration::from_secs(10));
    group.answer(3, Ok(Power::Unknown));
    group.answer(3, Ok(Power::Off));
    assert!(group.harmless(3));
}

#[test]
fn what_is_not_seen_off_in_time_has_failed_and_says_what_the_question_met() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.lose(3);
    group.pass(Duration::from_secs(10));
    group.answer(3, Ok(Power::Unknown));
    for _ in 0..19 {
        group.answer(3, Ok(Power::On));
        group.pass(SECOND);
    }
    group.answer(3, Err(problem(ErrorCode::FenceDenied)));
    group.pass(SECOND);
    assert!(matches!(group.phase(3), Some(Phase::Fencing(Try { attempt: 2, .. }))), "{:?}", group.phase(3));
    assert_eq!(group.status(1, 3).error.unwrap().code, ErrorCode::FenceDenied);
}

#[test]
fn a_driver_that_never_answers_is_given_up() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.lose(3);
    group.pass(Duration::from_secs(10));
    group.pass(Duration::from_secs(35));
    assert!(matches!(group.phase(3), Some(Phase::Fencing(Try { attempt: 2, .. }))));
    assert_eq!(group.status(1, 3).error.unwrap().code, ErrorCode::TimedOut);
}

#[test]
fn the_next_leader_goes_on_with_what_was_begun() {
    let mut group = Group::new(5, &settings(&[Level::Proxmox]));
    group.lose(5);
    group.pass(Duration::from_secs(10));
    group.answer(5, Ok(Power::Unknown));
    group.lose(1);
    assert_eq!(group.calls().last(), Some(&(2, 5, Call::Status)));
    group.answer(5, Ok(Power::Off));
    assert!(group.harmless(5) && !group.harmless(1));
    group.pass(Duration::from_secs(10));
    assert_eq!(group.calls(), [(2, 1, Call::Off)], "and fences the one before");
}

/// What the history holds about a node, with its level, attempt and actor.
fn told(group: &Group, node: NodeId) -> Vec<(Happened, Option<u32>, Option<NodeId>)> {
    let history = group.machine(*group.members.first().unwrap()).state().history.clone();
    let about = history.into_iter().filter(|entry| entry.node == node);
    about.map(|entry| (entry.what, entry.attempt, entry.actor)).collect()
}

#[test]
fn every_attempt_and_every_hand_over_is_in_the_history() {
    let mut group = Group::new(5, &settings(&[Level::Proxmox, Level::Webhook]));
    group.lose(5);
    group.pass(Duration::from_secs(10));
    group.answer(5, Err(problem(ErrorCode::FenceUnreachable)));
    group.pass(Duration::from_secs(10));
    group.lose(1);
    group.answer(5, Err(problem(ErrorCode::FenceDenied)));
    assert_eq!(group.calls(), [(2, 5, Call::Off)], "the next level, by the next leader");
    // Nobody is told twice who acts.
    group.answer(5, Ok(Power::Unknown));
    group.answer(5, Ok(Power::Off));
    assert_eq!(
        told(&group, 5),
        [
            (Happened::Suspected, None, None),
            (Happened::Begun, Some(1), None),
            (Happened::TryFailed, Some(1), None),
            (Happened::HandedOver, Some(2), Some(2)),
            (Happened::TryFailed, Some(2), None),
            (Happened::Fenced, Some(1), None),
        ]
    );
    let state = group.machine(2).state();
    assert_eq!(state.told, state.history.len() as u64);
    let failed: Vec<ErrorCode> =
        state.history.iter().filter_map(|entry| Some(entry.error.as_ref()?.code)).collect();
    assert_eq!(failed, [ErrorCode::FenceUnreachable, ErrorCode::FenceDenied]);
}

#[test]
fn a_storm_stops_at_the_limit_and_an_operator_may_still_fence() {
    let mut group = Group::new(7, &settings(&[Level::Proxmox]));
    for node in [5, 6, 7] {
        group.lose(node);
    }
    group.pass(Duration::from_secs(10));
    let fenced: Vec<NodeId> = group.calls().iter().map(|(_, node, _)| *node).collect();
    assert_eq!(fenced, [5, 6]);
    assert_eq!(group.phase(7), Some(Phase::Suspected { held: Some(Held::Storm) }));
    let status = group.machine(1).status(group.now);
    assert!(status.storm && status.begun == 2 && status.limit == 2);
    assert_eq!(group.status(1, 7).next_ms, Some(300_000));
    group.request(7);
    assert!(group.calls().contains(&(1, 7, Call::Off)));
    group.pass(Duration::from_secs(10));
    for node in [5, 6] {
        group.come_back(node);
    }
    group.lose(4);
    assert_eq!(group.phase(4), Some(Phase::Suspected { held: Some(Held::Storm) }));
    group.pass(Duration::from_secs(291));
    group.pass(Duration::from_secs(10));
    assert!(matches!(group.phase(4), Some(Phase::Fencing(_))), "{:?}", group.phase(4));
}

#[test]
fn of_two_nodes_that_lost_each_other_the_one_that_holds_shoots_first() {
    for (holding, first) in
        [([(1, 0), (2, 3)], 2), ([(1, 2), (2, 1)], 1), ([(1, 1), (2, 1)], 1), ([(1, 0), (2, 0)], 1)]
    {
        let mut group = Group::new(2, &settings(&[Level::Proxmox]));
        group.holding = BTreeMap::from(holding);
        group.two_node = true;
        group.split();
        group.pass(Duration::from_secs(10));
        let other = 3 - first;
        assert_eq!(group.calls(), [(first, other, Call::Off)], "{holding:?}");
        group.pass(Duration::from_secs(10));
        assert!(group.calls().contains(&(other, first, Call::Off)), "should it still live: {holding:?}");
    }
}

#[test]
fn a_watchdog_proves_harmlessness_when_its_time_and_a_margin_are_over() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox, Level::Watchdog]));
    group.tell(&watchdog(3, Some(15_000)));
    group.lose(3);
    assert_eq!(group.status(2, 3).watchdog_ms, Some(20_000));
    group.pass(Duration::from_secs(10));
    group.answer(3, Err(problem(ErrorCode::FenceUnreachable)));
    group.pass(Duration::from_secs(9));
    assert!(!group.harmless(3));
    group.pass(SECOND);
    assert!(group.harmless(3));
    assert_eq!(group.phase(3), Some(Phase::Fenced(Proof::Watchdog)));
}

#[test]
fn a_watchdog_proves_nothing_that_does_not_run_or_where_both_sides_keep_quorum() {
    let mut group = Group::new(3, &settings(&[Level::Watchdog]));
    group.lose(3);
    group.pass(Duration::from_secs(3600));
    assert_eq!(group.phase(3), Some(Phase::Suspected { held: Some(Held::NoDriver) }));
    assert!(!group.harmless(3));

    let mut group = Group::new(2, &settings(&[Level::Watchdog]));
    group.tell(&watchdog(1, Some(15_000)));
    group.tell(&watchdog(2, Some(15_000)));
    group.two_node = true;
    group.split();
    group.pass(Duration::from_secs(3600));
    assert!(!group.machine(1).is_harmless(2) && !group.machine(2).is_harmless(1));
}

#[test]
fn watchdog_time_counts_from_the_moment_this_side_has_quorum() {
    let mut group = Group::new(3, &settings(&[Level::Watchdog]));
    group.tell(&watchdog(3, Some(15_000)));
    group.lose(3);
    group.pass(Duration::from_secs(19));
    group.set_quorum(false);
    group.pass(Duration::from_secs(100));
    assert!(!group.harmless(3), "the others may have had quorum");
    group.set_quorum(true);
    group.pass(Duration::from_secs(19));
    assert!(!group.harmless(3));
    group.pass(SECOND);
    assert!(group.harmless(3));
    group.set_quorum(false);
    assert!(!group.harmless(3), "what this side knows may be old");
}

#[test]
fn after_a_start_nodes_have_time_to_appear() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.restart(&[1, 2]);
    group.pass(Duration::from_secs(119));
    assert!(group.phase(3).is_none() && !group.harmless(3));
    group.pass(SECOND);
    assert_eq!(group.phase(3), Some(Phase::Delayed));
    assert_eq!(group.machine(1).state().records[&3].cause, Cause::Unseen);
}

#[test]
fn a_node_that_left_in_order_is_harmless_and_is_not_fenced() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.leave(3);
    assert!(group.harmless(3));
    group.pass(Duration::from_secs(3600));
    assert!(group.calls().is_empty());
    group.come_back(3);
    group.lose(3);
    assert!(!group.harmless(3) && group.phase(3) == Some(Phase::Delayed));
}

#[test]
fn maintenance_holds_back_what_nobody_asked_for() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.maintenance(true);
    group.lose(3);
    group.pass(Duration::from_secs(60));
    assert_eq!(group.phase(3), Some(Phase::Suspected { held: Some(Held::Maintenance) }));
    group.maintenance(false);
    group.pass(Duration::from_secs(10));
    assert_eq!(group.calls(), [(1, 3, Call::Off)]);
}

#[test]
fn an_operator_can_confirm_what_no_driver_could_do_and_not_what_is_a_member() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    let why = Some("its plug is in my hand".to_owned());
    let confirm = FencingCommand::Confirm { node: 3, by: "root".into(), why: why.clone(), at: 0 };
    let refused = |group: &Group| group.machine(2).may_propose(&confirm).unwrap_err().code;
    assert_eq!(refused(&group), ErrorCode::NodeOnline);
    group.lose(3);
    group.pass(Duration::from_secs(10));
    group.answer(3, Err(problem(ErrorCode::FenceUnreachable)));
    assert!(group.machine(2).may_propose(&confirm).is_ok());
    group.tell(&confirm);
    assert!(group.harmless(3));
    assert_eq!(refused(&group), ErrorCode::AlreadySo);
    let last = group.machine(1).state().history.back().unwrap();
    assert_eq!((last.what, last.by.as_deref()), (Happened::Fenced, Some("root")));
    assert_eq!(last.why, why);
}

#[test]
fn a_member_is_fenced_on_request_and_harmless_once_the_group_misses_it() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.request(1);
    assert_eq!(group.calls(), [(2, 1, Call::Off)], "the leader is fenced by another one");
    group.answer(1, Ok(Power::Unknown));
    group.answer(1, Ok(Power::Off));
    assert!(!group.harmless(1), "off, and still a member: perhaps another machine was switched off");
    group.lose(1);
    group.pass(SECOND);
    group.answer(1, Ok(Power::Off));
    assert!(group.harmless(1));
}

#[test]
fn a_node_is_switched_on_when_somebody_wants_it_or_it_is_set_so() {
    let mut wanted = settings(&[Level::Proxmox]);
    wanted.safety.power_on = true;
    let mut group = Group::new(3, &wanted);
    group.lose(3);
    group.pass(Duration::from_secs(10));
    group.answer(3, Ok(Power::Unknown));
    group.answer(3, Ok(Power::Off));
    assert_eq!(group.calls(), [(1, 3, Call::On)]);
    group.answer(3, Err(problem(ErrorCode::FenceDenied)));
    assert!(group.harmless(3) && group.calls().is_empty(), "once is enough");
    assert_eq!(group.history(3).last(), Some(&Happened::SwitchOnFailed));
    group.tell(&FencingCommand::SwitchOn { node: 3, by: "root".into(), at: 0 });
    group.answer(3, Ok(Power::On));
    assert_eq!(group.history(3).last(), Some(&Happened::SwitchedOn));
}

#[test]
fn a_driver_that_cannot_be_asked_proves_something_only_where_it_is_said_so() {
    for answer_is_proof in [false, true] {
        let mut with = settings(&[Level::Webhook]);
        with.webhook = Some(Webhook {
            fence_url: "https://x".into(),
            unfence_url: None,
            status_url: None,
            method: "POST".into(),
            headers: BTreeMap::new(),
            headers_file: None,
            body_template: None,
            timeout_ms: 1000,
            trust: settings::Trust::System,
            answer_is_proof,
        });
        let mut group = Group::new(3, &with);
        group.lose(3);
        group.pass(Duration::from_secs(10));
        group.answer(3, Ok(Power::Unknown));
        assert_eq!(group.harmless(3), answer_is_proof);
    }
}

#[test]
fn what_would_be_done_is_told_without_doing_it() {
    let mut with = settings(&[Level::Proxmox]);
    with.nodes.insert("n2".into(), Target { levels: vec![Level::Agent("ilo".into())], ..Target::default() });
    let group = Group::new(3, &with);
    let plan = group.machine(1).plan(2, false, group.now);
    assert_eq!(plan, Plan { actor: Some(1), levels: vec!["ilo".into()], delay_ms: 10_000, held: None });
    assert_eq!(group.machine(1).plan(1, true, group.now).actor, Some(2));
    assert_eq!(group.machine(1).plan(3, true, group.now).delay_ms, 0);
    assert!(group.calls().is_empty());
    let mut group = Group::new(2, &settings(&[Level::Proxmox]));
    group.holding = BTreeMap::from([(1, 1), (2, 2)]);
    group.two_node = true;
    group.view();
    let delays = [(1, 2), (2, 1)].map(|(by, of)| group.machine(by).plan(of, false, group.now).delay_ms);
    assert_eq!(delays, [20_000, 10_000]);
}

#[test]
fn what_no_driver_knows_cannot_be_switched_and_is_told() {
    let group = Group::new(3, &settings(&[Level::Watchdog]));
    let by = || "root".to_owned();
    for command in [
        FencingCommand::Suspect { node: 3, cause: Cause::Requested { by: by() }, at: 0 },
        FencingCommand::Suspect { node: 9, cause: Cause::Requested { by: by() }, at: 0 },
    ] {
        let code = group.machine(1).may_propose(&command).unwrap_err().code;
        let known = command.node() == 3;
        assert_eq!(code, if known { ErrorCode::FenceTarget } else { ErrorCode::NotFound });
    }
}

#[test]
fn what_the_group_knows_replaces_what_a_member_that_was_away_had_seen() {
    let mut group = Group::new(3, &settings(&[Level::Proxmox]));
    group.leave(3);
    group.set_quorum(false);
    group.come_back(3);
    group.lose(3);
    let known = group.machine(1).state().clone();
    let mut machine = group.machine(1).clone();
    let members = [1, 2].into();
    let holding = BTreeMap::new();
    let view = FencingEvent::View { members, quorate: true, leader: Some(2), two_node: false, holding };
    machine.handle(view, group.now);
    assert!(!machine.is_harmless(3), "it was here after it had left");
    machine.handle(FencingEvent::Snapshot { state: Box::new(known) }, group.now);
    assert!(machine.is_harmless(3));
}

#[test]
fn nothing_is_done_where_fencing_is_off() {
    let mut group = Group::new(3, &FencingSettings::off());
    group.lose(3);
    group.pass(Duration::from_secs(3600));
    assert!(group.phase(3).is_none() && group.calls().is_empty());
}

/// What has never been here cannot have anything; what was here may have.
#[test]
fn who_came_at_last_is_excused_no_more_whether_fencing_is_on_or_comes_later() {
    for settings in [settings(&[Level::Proxmox]), FencingSettings::off()] {
        let mut group = Group::new(3, &settings);
        group.restart(&[1, 2]);
        group.tell(&FencingCommand::Excuse { node: 3 });
        group.pass(Duration::from_secs(3600));
        assert!(group.calls().is_empty() && group.phase(3).is_none() && group.harmless(3));
        group.come_back(3);
        assert!(!group.harmless(3));
        assert!(group.machine(1).state().excused.is_empty(), "every member forgets it at once");
        group.lose(3);
        assert!(!group.harmless(3));
    }
}
