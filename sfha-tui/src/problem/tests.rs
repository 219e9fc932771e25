use std::collections::BTreeSet;

use super::*;
use crate::i18n::{self, ENGLISH, FRENCH, Lang};

/// Every code of the protocol with the details that its description promises, from its source.
fn codes() -> Vec<(ErrorCode, Vec<String>)> {
    let source = include_str!("../../../sfha-proto/src/error.rs");
    let body = source.split("pub enum ErrorCode {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some(name) = line.strip_suffix(',') {
            found.push((kebab(name), details(&std::mem::take(&mut doc))));
        }
    }
    found
}

fn kebab(name: &str) -> ErrorCode {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    let code: ErrorCode = serde_json::from_value(text.clone().into()).unwrap();
    assert_eq!(code.as_str(), text);
    code
}

fn details(doc: &str) -> Vec<String> {
    let Some((_, list)) = doc.split_once("Details:") else { return Vec::new() };
    let mut depth = 0;
    let outside: String = list
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0
        })
        .collect();
    outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_source_of_the_codes_is_read_whole() {
    let codes = codes();
    assert!(codes.len() >= 36, "{}", codes.len());
    let of = |code| codes.iter().find(|(c, _)| *c == code).unwrap().1.clone();
    assert_eq!(of(ErrorCode::TokenDamaged), ["reason", "field"]);
    assert_eq!(of(ErrorCode::NotFound), ["kind", "name"]);
    assert_eq!(of(ErrorCode::Maintenance), Vec::<String>::new());
}

#[test]
fn every_code_has_a_sentence_that_uses_its_details() {
    for (catalogue, lang) in [(FRENCH, Lang::French), (ENGLISH, Lang::English)] {
        i18n::set(lang);
        let shapes = i18n::tests::shapes(catalogue);
        for (code, details) in codes() {
            let shape = shapes.get(&format!("error-{}", code.as_str()));
            let shape = shape.unwrap_or_else(|| panic!("{lang:?}: {code:?} has no sentence"));
            let mut failure = Failure::new(code);
            for name in &details {
                assert!(shape.variables.contains(name), "{lang:?} {code:?} does not tell its {name}");
                assert!(DETAILS.contains(&name.as_str()), "{name} is not in DETAILS");
                failure = failure.with(name, format!("<{name}>"));
            }
            let problem = Problem::from(failure);
            let all = format!("{} {}", problem.message, problem.next.clone().unwrap_or_default());
            for name in &details {
                let selects = ["kind", "reason", "field"].contains(&name.as_str())
                    && problem.code != "invalid-parameter";
                assert!(selects || all.contains(&format!("<{name}>")), "{lang:?} {code:?}: {all}");
            }
            assert!(!all.contains(ABSENT), "{lang:?} {code:?}: {all}");
            assert_eq!(problem.exit, code.exit_status());
        }
    }
}

#[test]
fn a_code_without_its_details_is_still_a_whole_sentence() {
    for lang in [Lang::French, Lang::English] {
        i18n::set(lang);
        for (code, _) in codes() {
            let problem = Problem::from(Failure::new(code));
            let all = format!("{} {}", problem.message, problem.next.unwrap_or_default());
            assert!(!all.contains(ABSENT), "{lang:?} {code:?}: {all}");
            assert!(problem.message.ends_with('.'), "{lang:?} {code:?}: {all}");
        }
    }
}

#[test]
fn no_sentence_is_left_over() {
    let wanted: BTreeSet<String> =
        codes().iter().map(|(code, _)| format!("error-{}", code.as_str())).collect();
    let there: BTreeSet<String> = i18n::tests::shapes(FRENCH)
        .into_keys()
        .filter(|id| id.starts_with("error-") && id != "error-prefix")
        .collect();
    assert_eq!(there, wanted);
}

#[test]
fn counts_in_details_are_counted() {
    let problem = Problem::from(Failure::new(ErrorCode::NoQuorum).with("votes", 2).with("needed", 3));
    assert_eq!(problem.message, "Pas de quorum\u{a0}: 2 votes présents, il en faut 3.");
    let damaged = Problem::from(Failure::new(ErrorCode::TokenDamaged).with("reason", "checksum"));
    assert_eq!(damaged.message, "Ce jeton ne se lit pas\u{a0}: sa somme de contrôle est fausse.");
}

#[test]
fn who_holds_the_last_place_is_told() {
    i18n::set(Lang::French);
    let full = Failure::new(ErrorCode::TooManyNodes).with("limit", 16);
    let problem = Problem::from(full.clone().with("nodes", 16));
    assert_eq!(problem.message, "Le cluster a atteint sa limite de 16 nœuds.");
    let problem = Problem::from(full.with("nodes", 15).with("open", 1).with("invites", "k7"));
    let told = "Le cluster a 15 nœuds pour 16 places, et 1 jeton ouvert retient celle qui reste\u{a0}: k7.";
    assert_eq!(problem.message, told);
    let next = "Un jeton qui ne sert plus se révoque\u{a0}: sfha mesh revoke ID";
    assert_eq!(problem.next.as_deref(), Some(next));
}

#[test]
fn the_document_has_code_message_and_details() {
    i18n::set(Lang::English);
    let problem = Problem::from(Failure::new(ErrorCode::NoQuorum).with("votes", 1).with("needed", 2));
    assert_eq!(
        problem.json(),
        r#"{"error":{"code":"no-quorum","message":"No quorum: 1 vote present, 2 needed.","details":{"needed":2,"votes":1}}}"#
    );
}

#[test]
fn a_code_of_a_newer_daemon_still_has_a_sentence() {
    let problem = Problem::from(Failure::new(ErrorCode::Unknown));
    assert!(problem.message.contains("unknown"), "{}", problem.message);
}
