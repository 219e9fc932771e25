use proptest::prelude::*;

use super::*;
use crate::resources::Probe;

fn at(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

fn check(rise: u32, fall: u32, grace_ms: u64) -> HealthCheck {
    HealthCheck {
        probe: Probe::Tcp { target: "127.0.0.1:80".to_owned() },
        interval_ms: 5_000,
        timeout_ms: 2_000,
        fall,
        rise,
        start_grace_ms: grace_ms,
        service: None,
        critical: false,
        restart_unit: None,
    }
}

/// The verdicts after each answer: `+` succeeded, `-` failed; `?` unknown, `H` healthy, `U` unhealthy.
fn verdicts(rise: u32, fall: u32, answers: &str) -> String {
    let mut judge = Judge::new(&check(rise, fall, 0), 1, at(0));
    let answer = |(number, answer): (usize, char)| {
        let outcome = if answer == '+' { Ok(()) } else { Err("refused".to_owned()) };
        judge.answer(outcome, at(number as u64 * 5_000));
        match judge.verdict().healthy {
            None => '?',
            Some(true) => 'H',
            Some(false) => 'U',
        }
    };
    answers.chars().enumerate().map(answer).collect()
}

#[test]
fn some_answers_in_a_row_decide() {
    for (rise, fall, answers, expected) in [
        (1, 1, "+-+-", "HUHU"),
        (2, 3, "+++", "?HH"),
        (2, 3, "---", "??U"),
        (2, 3, "+-+-+-+-", "????????"),
        (2, 3, "++--+--+---", "?HHHHHHHHHU"),
        (2, 3, "---+-+--++", "??UUUUUUUH"),
        (2, 3, "++---++", "?HHHUUH"),
        (0, 0, "+-", "HU"),
    ] {
        assert_eq!(verdicts(rise, fall, answers), expected, "rise {rise}, fall {fall}: {answers}");
    }
}

#[test]
fn failures_in_the_grace_do_not_count_and_successes_do() {
    let mut judge = Judge::new(&check(2, 2, 10_000), 1, at(100_000));
    for ms in [100_500, 105_000, 110_050] {
        judge.answer(Err("refused".to_owned()), at(ms));
    }
    assert_eq!(judge.verdict().healthy, None, "one counted failure of two");
    assert_eq!(judge.verdict().error.as_deref(), Some("refused"), "but it is shown");
    judge.answer(Err("refused".to_owned()), at(115_000));
    assert_eq!(judge.verdict().healthy, Some(false));

    let mut judge = Judge::new(&check(2, 2, 10_000), 1, at(100_000));
    judge.answer(Ok(()), at(100_500));
    judge.answer(Ok(()), at(105_000));
    assert_eq!(judge.verdict().healthy, Some(true));
}

#[test]
fn others_are_told_only_what_is_new_to_them() {
    let mut judge = Judge::new(&check(2, 2, 0), 1, at(0));
    let failed = |code: &str| Err(code.to_owned());
    assert!(judge.answer(failed("refused"), at(0)), "the first failure is shown while nothing is known");
    assert!(judge.answer(failed("refused"), at(5_000)), "unhealthy");
    assert!(!judge.answer(failed("refused"), at(10_000)));
    assert!(judge.answer(failed("timed-out"), at(15_000)), "another reason");
    assert!(!judge.answer(Ok(()), at(20_000)));
    assert!(judge.answer(Ok(()), at(25_000)), "healthy");
    assert_eq!(*judge.verdict(), Verdict { healthy: Some(true), error: None });
    assert!(!judge.answer(failed("refused"), at(30_000)), "one failure of a healthy one is nobody's concern");
    assert_eq!(*judge.verdict(), Verdict { healthy: Some(true), error: None });
}

#[test]
fn checks_of_one_node_do_not_ask_in_the_same_instant() {
    let first = |name: &str| Judge::new(&check(2, 3, 0), seed(1, name), at(0)).due();
    let dues: std::collections::BTreeSet<Time> = (0..100).map(|n| first(&format!("check-{n}"))).collect();
    assert!(dues.len() > 50, "{} different times", dues.len());
    assert!(dues.iter().all(|due| *due <= at(1_000)));
    assert_ne!(seed(1, "web"), seed(2, "web"));
}

proptest! {
    /// Against a plain reading of the rule: the verdict changes exactly when the last `rise` (or `fall`)
    /// answers that count agree.
    #[test]
    fn the_verdict_is_that_of_the_last_answers(
        rise in 1_usize..5,
        fall in 1_usize..5,
        grace_answers in 0_usize..6,
        answers in proptest::collection::vec(any::<bool>(), 0..60),
    ) {
        let check = check(rise as u32, fall as u32, grace_answers as u64 * 1_000);
        let mut judge = Judge::new(&check, 7, at(0));
        let mut counted: Vec<Option<bool>> = Vec::new();
        let mut expected = None;
        for (number, good) in answers.iter().enumerate() {
            let outcome = if *good { Ok(()) } else { Err("refused".to_owned()) };
            let told = judge.verdict().clone();
            let changed = judge.answer(outcome, at(number as u64 * 1_000));
            prop_assert_eq!(changed, told != *judge.verdict());
            // A failure in the grace counts for neither side, but ends a row of successes.
            counted.push((*good || number >= grace_answers).then_some(*good));
            let last = |count: usize, what: bool| {
                counted.len() >= count && counted.iter().rev().take(count).all(|it| *it == Some(what))
            };
            if last(rise, true) {
                expected = Some(true);
            } else if last(fall, false) {
                expected = Some(false);
            }
            prop_assert_eq!(judge.verdict().healthy, expected);
            prop_assert_eq!(judge.verdict().error.is_some() && expected == Some(true), false);
        }
    }

    #[test]
    fn intervals_stay_within_a_tenth(seed in any::<u64>(), interval_ms in 1_u64..100_000, asked in 0_usize..50) {
        let check = HealthCheck { interval_ms, ..check(2, 3, 0) };
        let mut judge = Judge::new(&check, seed, at(0));
        prop_assert!(judge.due() <= at(interval_ms.min(1_000)));
        let mut now = judge.due();
        for _ in 0..asked {
            judge.ask(now);
            let wait = judge.due() - now;
            let interval = Duration::from_millis(interval_ms);
            prop_assert!(wait >= interval * 9 / 10 - Duration::from_micros(1), "{wait:?}");
            prop_assert!(wait <= interval * 11 / 10 + Duration::from_micros(1), "{wait:?}");
            now = judge.due();
        }
    }
}
