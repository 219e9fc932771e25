use std::collections::BTreeSet;

use serde_json::Map;

use super::*;
use crate::i18n::tests::{DOCTOR, shapes};
use crate::i18n::{self, ENGLISH, FRENCH, Lang};

/// Every code of the protocol with the details that its description promises, from its source.
fn codes() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../../../../sfha-proto/src/doctor.rs");
    crate::finding::tests::codes_of(source.split("pub enum Symptom {").nth(1).unwrap())
}

#[test]
fn every_code_has_a_sentence_that_tells_its_details_and_every_fault_what_to_do() {
    let codes = codes();
    assert!(codes.len() > 50, "{}", codes.len());
    for (catalogue, lang) in [(FRENCH, Lang::French), (ENGLISH, Lang::English)] {
        i18n::set(lang);
        let shapes = shapes(catalogue);
        for (code, details) in &codes {
            let id = format!("doctor-{code}");
            let shape = shapes.get(&id).unwrap_or_else(|| panic!("{lang:?}: {id} is missing"));
            for name in details {
                assert!(shape.variables.contains(name), "{lang:?} {id} does not tell its {name}");
            }
            let details: Map<String, Value> = details.iter().map(|name| (name.clone(), json!("x"))).collect();
            let found: Observation =
                serde_json::from_value(json!({"level": "error", "code": code, "details": details})).unwrap();
            let Sentences { message, why, next } = sentences(&found);
            let all =
                format!("{message} {} {}", why.unwrap_or_default(), next.as_deref().unwrap_or_default());
            assert!(!all.contains(ABSENT), "{lang:?} {code}: {all}");
        }
        let there: BTreeSet<String> = shapes
            .into_keys()
            .filter(|id| !DOCTOR.contains(&id.as_str()))
            .filter_map(|id| id.strip_prefix("doctor-").map(str::to_owned))
            .collect();
        assert_eq!(there, codes.iter().map(|(code, _)| code.clone()).collect());
    }
}

fn diagnosis() -> Diagnosis {
    serde_json::from_value(json!({
        "schema": 1, "version": "1.0.0", "node": "node1",
        "findings": [
            {"level": "ok", "code": "corosync", "details": {"version": "3.1.7"}},
            {"level": "error", "code": "file-open",
             "details": {"path": "/etc/sfha/cluster.key", "mode": "0644", "wanted": "0600"}},
            {"level": "warning", "code": "clock-skew", "details": {"node": "node2", "seconds": -70}},
            {"level": "warning", "code": "of-the-future", "details": {}},
        ]
    }))
    .unwrap()
}

#[test]
fn each_finding_says_what_why_and_what_to_do() {
    let plain = Paint { colour: false, utf8: true };
    i18n::set(Lang::French);
    insta::assert_snapshot!("doctor_fr", render(&diagnosis(), plain).replace('\u{a0}', "~"));
    i18n::set(Lang::English);
    insta::assert_snapshot!("doctor_en", render(&diagnosis(), plain));
    let well = Diagnosis { node: None, findings: Vec::new(), ..diagnosis() };
    assert_eq!(render(&well, plain), "This node has no cluster; sfha 1.0.0\n\n\n● All is well.\n");
}

#[test]
fn scripts_get_the_worst_level_and_the_sentences() {
    i18n::set(Lang::English);
    let document = document(&diagnosis());
    assert_eq!((&document["worst"], &document["node"]), (&json!("error"), &json!("node1")));
    let found = &document["findings"][1];
    assert_eq!((&found["level"], &found["code"]), (&json!("error"), &json!("file-open")));
    assert_eq!(found["next"], "chmod 0600 /etc/sfha/cluster.key");
    assert_eq!(document["findings"][0]["next"], Value::Null);
    assert_eq!(crate::documents::faults("doctor", &document), Vec::<String>::new());
}
