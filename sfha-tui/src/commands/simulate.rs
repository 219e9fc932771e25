//! `sfha simulate`: what would happen.

use std::time::Duration;

use sfha_proto::message::method;
use sfha_proto::simulate::{Change, SimulateParams, Simulation, Standing, Step};

use super::{call, show};
use crate::cli::Global;
use crate::paint::{Paint, Table};
use crate::problem::Problem;
use crate::words::{self, Tone};
use crate::{format, t};

/// The cores of a whole cluster live through it.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks, and shows the answer.
pub async fn run(global: &Global, events: Vec<String>) -> Result<(), Problem> {
    let simulation: Simulation = match call(global, method::SIMULATE, &SimulateParams { events }, LIMIT).await
    {
        Ok(simulation) => simulation,
        Err(problem) => return Err(with_choices(problem)),
    };
    show(global, &simulation, text)
}

/// Of what was not known: what there is.
fn with_choices(mut problem: Problem) -> Problem {
    let choices = problem.details.get("choices").and_then(serde_json::Value::as_array);
    let choices: Vec<&str> = choices.into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    if !choices.is_empty() {
        problem.next = Some(t!("usage-values", values = choices.join(", ")));
    }
    problem
}

/// The whole answer.
pub fn text(simulation: &Simulation, paint: Paint) -> String {
    let seen = t!("simulate-seen", node = simulation.node.as_str());
    let mut text = format!("{seen}\n{}\n", standing(&simulation.start, paint));
    for step in &simulation.steps {
        text.push('\n');
        text.push_str(&self::step(step, paint));
    }
    text
}

fn standing(standing: &Standing, paint: Paint) -> String {
    let leader = standing.leader.clone().unwrap_or_else(|| words::none(paint.utf8));
    match standing.quorate.is_empty() {
        true => t!("simulate-no-quorum"),
        false => t!("simulate-standing", leader = leader, nodes = standing.quorate.join(", ")),
    }
}

fn step(step: &Step, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&step.event));
    if let Some(failure) = &step.refused {
        let problem = Problem::from(failure.clone());
        let refused = t!("simulate-refused", why = problem.message);
        text.push_str(&format!("{} {refused}\n", paint.mark(Tone::Warn)));
        return text;
    }
    text.push_str(&format!("{}\n", standing(&step.after, paint)));
    if step.changes.is_empty() {
        text.push_str(&format!("{}\n", t!("simulate-nothing")));
    } else {
        text.push_str(&changes(step, paint));
    }
    if !step.settled {
        text.push_str(&format!("{} {}\n", paint.mark(Tone::Warn), t!("simulate-unsettled")));
    }
    text
}

fn changes(step: &Step, paint: Paint) -> String {
    let titles = [
        String::new(),
        t!("col-name"),
        t!("simulate-col-from"),
        t!("simulate-col-to"),
        t!("simulate-col-within"),
    ];
    let mut table = Table::titled(&titles).right(&[4]);
    let none = || words::none(paint.utf8);
    for change in &step.changes {
        let tone = match change.holders.len() {
            1 => Tone::Good,
            _ => Tone::Bad,
        };
        let to = if change.holders.is_empty() { none() } else { change.holders.join(", ") };
        table.row(vec![
            (tone, words::mark(tone, paint.utf8).to_owned()),
            (Tone::Plain, change.name.clone()),
            (Tone::Plain, change.from.clone().unwrap_or_else(none)),
            (tone, to),
            (Tone::Plain, format::millis(change.within_ms)),
        ]);
    }
    let mut text = table.render(paint);
    for change in &step.changes {
        if let Some(reason) = reason(change) {
            text.push_str(&format!("  {reason}\n"));
        }
    }
    text
}

/// Why it takes so long, or why nobody has it.
fn reason(change: &Change) -> Option<String> {
    let name = change.name.as_str();
    if change.holders.len() > 1 {
        return Some(t!("simulate-two-holders", name = name));
    }
    if change.holders.is_empty() {
        return words::why_nobody(change).map(|why| t!("simulate-because", name = name, why = why));
    }
    let waits = change.waits.iter().filter(|wait| wait.ms >= 100).map(|wait| {
        let time = format::millis(wait.ms);
        match wait.reason.as_str() {
            "detection" => t!("simulate-wait-detection", time = time),
            "takeover" => t!("simulate-wait-takeover", time = time),
            "fencing" => t!("simulate-wait-fencing", time = time),
            "stop" => t!("simulate-wait-stop", time = time),
            "start" => t!("simulate-wait-start", time = time),
            "order" => t!("simulate-wait-order", time = time),
            _ => t!("simulate-wait-agreement", time = time),
        }
    });
    let waits: Vec<String> = waits.collect();
    (!waits.is_empty()).then(|| t!("simulate-because", name = name, why = waits.join(", ")))
}

#[cfg(test)]
mod tests {
    use sfha_proto::simulate::Wait;

    use super::*;
    use crate::i18n::{self, Lang};

    fn example() -> Simulation {
        let standing = |quorate: &[&str], leader: Option<&str>| Standing {
            quorate: quorate.iter().map(|name| (*name).to_owned()).collect(),
            leader: leader.map(str::to_owned),
            resources: Vec::new(),
        };
        let wait = |reason: &str, ms: u64| Wait { reason: reason.to_owned(), ms };
        let change = |name: &str, from: &str, to: Option<&str>| Change {
            name: name.to_owned(),
            kind: "service".to_owned(),
            from: Some(from.to_owned()),
            to: to.map(str::to_owned),
            holders: to.into_iter().map(str::to_owned).collect(),
            within_ms: 38_412,
            waits: Vec::new(),
            why: None,
            waits_for: None,
        };
        let moved = Change {
            waits: vec![
                wait("detection", 1100),
                wait("takeover", 26_300),
                wait("agreement", 12),
                wait("start", 11_000),
            ],
            ..change("database", "node1", Some("node2"))
        };
        let step = |event: &str, after: Standing, changes: Vec<Change>| Step {
            event: event.to_owned(),
            refused: None,
            leader_before: Some("node1".to_owned()),
            after,
            changes,
            within_ms: 38_412,
            settled: true,
        };
        let stopped = Change { why: Some("no-quorum".to_owned()), ..change("database", "node2", None) };
        let refused = Some(
            sfha_proto::Failure::new(sfha_proto::ErrorCode::NoQuorum).with("votes", 1).with("needed", 2),
        );
        Simulation {
            schema: 1,
            node: "node1".to_owned(),
            start: standing(&["node1", "node2", "node3"], Some("node1")),
            steps: vec![
                step("node-lost:node1", standing(&["node2", "node3"], Some("node2")), vec![moved]),
                step("standby:node3", standing(&["node2", "node3"], Some("node2")), Vec::new()),
                step("quorum-lost", standing(&[], None), vec![stopped]),
                Step { refused, ..step("failover", standing(&[], None), Vec::new()) },
            ],
        }
    }

    #[test]
    fn the_answer_fits_on_a_narrow_screen_in_both_languages() {
        let paint = Paint { colour: false, utf8: true };
        for lang in [Lang::French, Lang::English] {
            i18n::set(lang);
            let shown = text(&example(), paint);
            assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
            insta::assert_snapshot!(format!("simulate-{lang:?}"), shown);
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_there_is() {
        i18n::set(Lang::English);
        let failure = sfha_proto::Failure::new(sfha_proto::ErrorCode::InvalidParameter)
            .with("parameter", "node-lost:n9")
            .with("value", "n9")
            .with("reason", "unknown-node")
            .with("choices", vec!["node1", "node2"]);
        let problem = with_choices(failure.into());
        assert_eq!(problem.exit, 2);
        assert!(problem.next.is_some_and(|next| next.contains("node1, node2")));
    }
}
