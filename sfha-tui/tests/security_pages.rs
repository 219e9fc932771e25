//! Each defence that the pages on security speak of has a test, and both pages speak of the same ones.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of tests in backticks: there is nothing else with two underscores there.
fn named(page: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let names = text.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() >= 2);
    names.map(str::to_owned).collect()
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_defence_has_the_test_that_is_named() {
    let named = [named("docs/en/security.md"), named("docs/fr/securite.md")];
    assert_eq!(named[0], named[1]);
    assert!(named[0].len() > 15, "{named:?}");
    let mut text = String::new();
    for folder in ["sfha-daemon", "sfha-tui", "sfha-proto", "tests"] {
        sources(&root().join(folder), &mut text);
    }
    let missing: Vec<&String> =
        named[0].iter().filter(|name| !text.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}
