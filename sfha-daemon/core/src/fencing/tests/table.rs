//! Every phase against every other one, and every command against every phase.

use super::*;
use crate::fencing::state::{MAX_HISTORY, Record};

fn tried(index: usize, level: Level, attempt: u32) -> Try {
    Try { index, level, attempt }
}

/// Names and examples of all phases that differ in what may follow.
fn phases() -> Vec<(&'static str, Phase)> {
    let first = || tried(0, Level::Proxmox, 1);
    vec![
        ("suspected", Phase::Suspected { held: None }),
        ("held", Phase::Suspected { held: Some(Held::Storm) }),
        ("held otherwise", Phase::Suspected { held: Some(Held::TooSoon) }),
        ("delayed", Phase::Delayed),
        ("fencing", Phase::Fencing(first())),
        ("fencing again", Phase::Fencing(tried(0, Level::Proxmox, 2))),
        ("fencing otherwise", Phase::Fencing(tried(1, Level::Webhook, 1))),
        ("verifying", Phase::Verifying(first())),
        ("off", Phase::Fenced(Proof::Off(Level::Proxmox))),
        ("answered", Phase::Fenced(Proof::Answer(Level::Proxmox))),
        ("off by another", Phase::Fenced(Proof::Off(Level::Webhook))),
        ("watchdog", Phase::Fenced(Proof::Watchdog)),
        ("confirmed", Phase::Fenced(Proof::Confirmed { by: "root".into() })),
        ("failed", Phase::Failed { round: 1 }),
    ]
}

fn state_in(phase: &Phase) -> FencingState {
    let record = Record { episode: 7, cause: Cause::Lost, phase: phase.clone(), error: None, rounds: 0 };
    FencingState { episodes: 7, records: BTreeMap::from([(3, record)]), ..FencingState::default() }
}

#[test]
fn every_phase_is_followed_by_these_and_by_no_other() {
    let allowed: &[(&str, &[&str])] = &[
        ("suspected", &["held", "held otherwise", "delayed", "watchdog"]),
        ("held", &["held otherwise", "delayed", "watchdog"]),
        ("held otherwise", &["held", "delayed", "watchdog"]),
        ("delayed", &["held", "held otherwise", "fencing", "fencing otherwise", "watchdog"]),
        ("fencing", &["fencing again", "fencing otherwise", "verifying", "answered", "watchdog", "failed"]),
        ("fencing again", &["fencing otherwise", "answered", "watchdog", "failed"]),
        ("fencing otherwise", &["off by another", "watchdog", "failed"]),
        ("verifying", &["fencing again", "fencing otherwise", "off", "answered", "watchdog", "failed"]),
        ("off", &[]),
        ("answered", &[]),
        ("off by another", &[]),
        ("watchdog", &[]),
        ("confirmed", &[]),
        ("failed", &["fencing", "fencing otherwise", "watchdog"]),
    ];
    for (from, phase) in phases() {
        let next = allowed.iter().find(|(name, _)| *name == from).unwrap().1;
        for (to, target) in phases() {
            let mut state = state_in(&phase);
            let before = state.clone();
            let step = FencingCommand::Step { node: 3, episode: 7, to: target.clone(), error: None, at: 5 };
            let accepted = state.apply(&step).is_ok();
            // A driver's answer alone is only ever given for the driver that was asked.
            let expected = next.contains(&to) && !(from == "fencing otherwise" && to == "off by another");
            assert_eq!(accepted, expected, "{from} → {to}");
            assert_eq!(state.records[&3].phase, if accepted { target } else { phase.clone() });
            assert!(accepted || state == before, "{from} → {to} was refused and changed something");
        }
    }
}

#[test]
fn every_command_meets_every_phase() {
    let suspect = |cause| FencingCommand::Suspect { node: 3, cause, at: 5 };
    let requested = || Cause::Requested { by: "root".into() };
    let confirm = FencingCommand::Confirm { node: 3, by: "root".into(), why: None, at: 5 };
    let stale = FencingCommand::Step { node: 3, episode: 6, to: Phase::Delayed, error: None, at: 5 };
    for (name, phase) in phases() {
        let accepts = |command: &FencingCommand| {
            let mut state = state_in(&phase);
            let before = state.clone();
            let accepted = state.apply(command).is_ok();
            assert!(accepted || state == before, "{command:?} in {name}");
            accepted
        };
        let fenced = matches!(phase, Phase::Fenced(_));
        let busy = matches!(phase, Phase::Fencing(_) | Phase::Verifying(_));
        assert_eq!(accepts(&suspect(Cause::Lost)), fenced, "{name}");
        assert_eq!(accepts(&suspect(Cause::Unseen)), fenced, "{name}");
        assert_eq!(accepts(&suspect(requested())), !busy, "{name}");
        assert_eq!(accepts(&confirm), !fenced, "{name}");
        let hand_over = |episode| FencingCommand::HandOver { node: 3, episode, to: 2, at: 5 };
        assert_eq!(accepts(&hand_over(7)), busy || matches!(phase, Phase::Failed { .. }), "{name}");
        assert!(!accepts(&hand_over(6)), "{name}");
        assert!(accepts(&FencingCommand::Clear { node: 3, at: 5 }), "{name}");
        assert!(!accepts(&FencingCommand::Excuse { node: 3 }), "{name}");
        assert!(!accepts(&stale), "{name}");
        assert!(accepts(&FencingCommand::Forget { node: 3 }), "{name}");
    }
    let mut empty = FencingState::default();
    assert!(empty.apply(&stale).is_err() && empty.apply(&FencingCommand::Clear { node: 3, at: 5 }).is_err());
    assert!(empty.apply(&FencingCommand::Excuse { node: 3 }).is_ok());
    assert!(empty.apply(&suspect(Cause::Unseen)).is_err(), "who left in order is not suspected");
    assert!(empty.apply(&confirm).is_err());
    assert!(empty.apply(&suspect(requested())).is_ok());
    assert!(empty.excused.is_empty());
}

#[test]
fn the_history_is_bounded_and_the_state_survives_json() {
    let mut state = FencingState::default();
    for at in 0..500 {
        state.apply(&FencingCommand::Suspect { node: 3, cause: Cause::Lost, at }).unwrap();
        state.apply(&FencingCommand::Confirm { node: 3, by: "root".into(), why: None, at }).unwrap();
        state.apply(&FencingCommand::Clear { node: 3, at }).unwrap();
    }
    assert_eq!(state.history.len(), MAX_HISTORY);
    assert_eq!(state.history.back().unwrap().at, 499);
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<FencingState>(&text).unwrap(), state);
    assert_eq!(serde_json::from_str::<FencingState>("{}").unwrap(), FencingState::default());
}
