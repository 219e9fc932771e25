use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Every metric that can be there.
fn everything() -> String {
    let fixture = include_str!("../../../../sfha-tui/tests/fixtures/failing-over.json");
    let mut status: ClusterStatus = serde_json::from_str(fixture).unwrap();
    let link =
        serde_json::json!([{"name": "lan", "number": 1, "connected": 1, "peers": 2, "down": ["node3"]}]);
    status.links = serde_json::from_value(link).unwrap();
    status.config_file = Some(FileState::InStep);
    let mut text = Text::default();
    put_status(&mut text, &status);
    let mut mesh = status.mesh_detail.clone().expect("the fixture has a mesh");
    mesh.peers[0].loss = Some(0.25);
    put_mesh(&mut text, &mesh);
    put_history(&mut text, &Counted::default());
    put_loop(&mut text, &Turns::default(), &Turns::default());
    put_losses(&mut text, 0, 0);
    put_hooks(&mut text, &BTreeMap::from([(("chat".to_owned(), "done"), 2)]));
    text.finish()
}

/// Names of samples, and of families with their types.
fn names(text: &str) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let mut types = BTreeMap::new();
    let mut samples = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "{name} twice");
        } else if !line.starts_with('#') {
            samples.insert(line.split(['{', ' ']).next().unwrap().to_owned());
        }
    }
    (samples, types)
}

#[test]
fn metrics_are_named_and_typed_as_prometheus_wants_it_and_no_series_is_there_twice() {
    let text = everything();
    let (samples, types) = names(&text);
    for (name, kind) in &types {
        assert!(name.starts_with("sfha_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    }
    for sample in &samples {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end));
        let known = types.contains_key(sample)
            || family.is_some_and(|family| types.get(family).is_some_and(|kind| kind == "histogram"));
        assert!(known, "{sample} has no type");
    }
    let series: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let different: BTreeSet<&&str> = series.iter().collect();
    assert_eq!(series.len(), different.len());
}

#[test]
fn what_is_not_known_is_absent() {
    let fixture = include_str!("../../../../sfha-tui/tests/fixtures/unconfigured.json");
    let status: ClusterStatus = serde_json::from_str(fixture).unwrap();
    let mut text = Text::default();
    put_status(&mut text, &status);
    let text = text.finish();
    assert!(text.contains("\nsfha_phase{phase=\"unconfigured\"} 1\n"), "{text}");
    assert!(!text.contains("sfha_votes") && text.contains("\nsfha_quorate 0\n"), "{text}");
}

/// The names of metrics of ours in a text.
fn used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("sfha_") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '/') {
            continue;
        }
        let name: String =
            text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        found.insert(name);
    }
    found
}

#[test]
fn alert_rules_dashboard_and_documentation_name_metrics_that_there_are() {
    let (samples, types) = names(&everything());
    let rules = include_str!("../../../../assets/prometheus/sfha.rules.yml");
    let dashboard = include_str!("../../../../assets/grafana/sfha.json");
    for (name, text) in [("rules", rules), ("dashboard", dashboard)] {
        let used = used(text);
        assert!(used.len() > 5, "{name}: {used:?}");
        let unknown: Vec<&String> = used.difference(&samples).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{name}");
    }
    for text in [
        include_str!("../../../../docs/fr/observabilite.md"),
        include_str!("../../../../docs/en/observability.md"),
    ] {
        let told = used(text);
        let missing: Vec<&String> = types.keys().filter(|name| !told.contains(*name)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "not documented");
    }
}

#[test]
fn the_rules_and_the_dashboard_read() {
    let rules: serde_json::Value =
        serde_yaml::from_str(include_str!("../../../../assets/prometheus/sfha.rules.yml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 5);
    for rule in &rules {
        assert!(rule["alert"].is_string() && rule["expr"].is_string(), "{rule}");
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule}");
        assert!(rule["annotations"]["summary"].is_string(), "{rule}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../../../../assets/grafana/sfha.json")).unwrap();
    let ids: BTreeSet<u64> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
}
