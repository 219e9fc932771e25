use sfha_proto::config::NodeVersion;
use sfha_proto::status::StateVersion;

use super::*;
use crate::i18n::{self, Lang};

const PLAIN: Paint = Paint { colour: false, utf8: true };

fn change(kind: &str, name: &str, from: Value, to: Value) -> Change {
    let some = |value: Value| (!value.is_null()).then_some(value);
    Change { kind: kind.to_owned(), name: name.to_owned(), from: some(from), to: some(to) }
}

#[test]
fn a_difference_tells_what_comes_goes_and_becomes_something_else() {
    i18n::set(Lang::French);
    let changes = vec![
        change("vip", "web", Value::Null, json!({"cidr": 24, "ip": "10.0.0.1"})),
        change("service", "old", json!({"unit": "old.service"}), Value::Null),
        change(
            "service",
            "nginx",
            json!({"unit": "n", "restarts": 1}),
            json!({"unit": "n", "prefer": ["a"]}),
        ),
        change("failback", "", json!(true), json!(false)),
        change("priority", "node1", json!(100), json!(50)),
    ];
    let done = Reloaded { schema: 1, dry_run: true, changes, warnings: Vec::new() };
    assert_eq!(
        reloaded(&done, PLAIN),
        format!(
            "{} Essai\u{a0}: 5 entrées changeraient.\n  + VIP web (cidr 24, ip 10.0.0.1)\n  - service old\n  \
             ~ service nginx (prefer - → [\"a\"], restarts 1 → -)\n  ~ retour au nœud préféré (true → false)\n  \
             ~ priorité de node1 (100 → 50)\n",
            PLAIN.mark(Tone::Plain)
        )
    );
    let nothing = Reloaded { schema: 1, dry_run: false, changes: Vec::new(), warnings: Vec::new() };
    assert!(reloaded(&nothing, PLAIN).contains("Rien à changer"));
}

#[test]
fn what_every_node_has_is_a_table_and_what_is_not_known_is_no_number() {
    i18n::set(Lang::English);
    let state = StateVersion { epoch: 3, version: 17, hash: "abcd".to_owned() };
    let node = |name: &str, known: bool| NodeVersion {
        name: name.to_owned(),
        id: 1,
        online: known,
        state: known.then(|| state.clone()),
        program: known.then(|| "0.1.0".to_owned()),
        in_step: known.then_some(true),
    };
    let done = Propagated {
        schema: 1,
        in_step: true,
        file: Some(FileState::Edited),
        nodes: vec![node("node1", true), node("node2", false)],
    };
    let text = propagated(&done, PLAIN);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert!(lines.contains(&vec!["node1", "3.17", "abcd", "0.1.0"]), "{text}");
    assert!(lines.contains(&vec!["node2", "–", "–", "–"]), "{text}");
    assert!(text.contains("was edited"), "{text}");
}
