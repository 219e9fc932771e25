use std::collections::BTreeSet;

use serde_json::json;
use sfha_config::{Context, check};

use super::*;
use crate::i18n::{self, ENGLISH, FRENCH, Lang};

/// Every code of the protocol with the details that its description promises, from its source.
fn codes() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../../../sfha-proto/src/config.rs");
    codes_of(source.split("pub enum FindingCode {").nth(1).unwrap())
}

/// The variants of an enum of codes in the source after its opening brace, with the details that they promise.
pub fn codes_of(source: &str) -> Vec<(String, Vec<String>)> {
    let body = source.split("\n}").next().unwrap();
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some(name) = line.strip_suffix(',') {
            let mut code = String::new();
            for c in name.chars() {
                if c.is_uppercase() && !code.is_empty() {
                    code.push('-');
                }
                code.extend(c.to_lowercase());
            }
            let rest = doc.split_once("Details:").map_or("", |(_, list)| list);
            // What stands in brackets explains, and is no detail.
            let mut depth = 0;
            let outside: String = rest
                .chars()
                .filter(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth == 0
                })
                .collect();
            found.push((code, outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()));
            doc.clear();
        }
    }
    found
}

#[test]
fn every_code_has_a_sentence_that_tells_its_details() {
    let codes = codes();
    assert!(codes.len() > 40, "{}", codes.len());
    for (catalogue, lang) in [(FRENCH, Lang::French), (ENGLISH, Lang::English)] {
        i18n::set(lang);
        let shapes = i18n::tests::shapes(catalogue);
        for (code, details) in &codes {
            let id = format!("finding-{code}");
            let shape = shapes.get(&id).unwrap_or_else(|| panic!("{lang:?}: {id} is missing"));
            for name in details {
                assert!(shape.variables.contains(name), "{lang:?} {id} does not tell its {name}");
            }
            let finding: Finding = serde_json::from_value(json!({
                "severity": "error", "code": code, "key": "", "line": 1, "column": 1, "excerpt": "",
                "details": details.iter().map(|name| (name.clone(), json!("x"))).collect::<serde_json::Map<_, _>>(),
            }))
            .unwrap();
            let (message, next) = sentences(&finding);
            let all = format!("{message} {}", next.unwrap_or_default());
            assert!(!all.contains(ABSENT) && message.ends_with('.'), "{lang:?} {code}: {all}");
        }
        let there: BTreeSet<String> = shapes
            .into_keys()
            .filter_map(|id| id.strip_prefix("finding-").map(str::to_owned))
            .filter(|id| !id.starts_with("head-"))
            .collect();
        assert_eq!(there, codes.iter().map(|(code, _)| code.clone()).collect());
    }
}

#[test]
fn a_finding_is_shown_with_its_line_and_a_caret() {
    let text = "cluster: {name: prod}\nnode: {name: node1}\nvips:\n  - name: œuvre\n    intreface: eth0\n    ip: 10.0.0.1\n";
    let found = check(text, &Context::default()).findings;
    i18n::set(Lang::French);
    assert_eq!(
        block(&found[1], "/x.yml"),
        "/x.yml:5:5  vips[0].intreface\n  erreur\u{a0}: La clé «\u{a0}intreface\u{a0}» n'existe pas ici.\n  \
         5 |     intreface: eth0\n    |     ^\n  Vouliez-vous dire «\u{a0}interface\u{a0}»\u{a0}?\n"
    );
    i18n::set(Lang::English);
    assert!(
        block(&found[0], "/x.yml").contains("4 |   - name: œuvre\n    |           ^\n"),
        "{}",
        block(&found[0], "/x.yml")
    );
    let document = document(&found[1]);
    assert_eq!(document["message"], "There is no key “intreface” here.");
    assert_eq!(document["next"], "Did you mean “interface”?");
    assert_eq!(document["code"], "unknown-key");
}
