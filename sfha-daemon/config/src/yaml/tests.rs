use super::*;

fn tree(text: &str) -> Node {
    let mut findings = Findings::new(text);
    let node = parse(text, &mut findings);
    node.unwrap_or_else(|| panic!("{text}: {:?}", findings.into_vec()))
}

/// What the text has where a node is said to be.
fn source<'t>(text: &'t str, node: &Node) -> &'t str {
    &text[node.range()]
}

#[test]
fn every_node_knows_its_place_whatever_the_letters_and_line_ends() {
    for newline in ["\n", "\r\n"] {
        let text =
            "# é ü\nname: \"œuvre\" # à\nlist:\n  - one   # 1\n  - {a: 'b', c: [d, e]}\n\nnull:\nlast: end"
                .replace('\n', newline);
        let root = tree(&text);
        let (key, name) = root.get("name").unwrap();
        assert_eq!((source(&text, key), source(&text, name)), ("name", "\"œuvre\""));
        assert_eq!((name.at.line, name.at.column), (2, 7));
        let Value::List(items) = &root.get("list").unwrap().1.value else { panic!("no list") };
        assert_eq!(source(&text, &items[0]), "one");
        assert_eq!(source(&text, &items[1]), "{a: 'b', c: [d, e]}");
        assert_eq!(items[1].at.line, 5);
        let (key, nothing) = root.get("null").unwrap();
        assert!(nothing.is_null() && nothing.end == 0 && key.at.line == 7);
        assert_eq!(source(&text, root.get("last").unwrap().1), "end");
    }
}

#[test]
fn a_text_in_quotes_ends_with_its_quote() {
    for quoted in ["\"a\"", "\"a \\\" b\\\\\"", "'a'", "'it''s'", "''", "\"\"", "'\\'"] {
        let text = format!("key: {quoted}   # \"comment\" 'x'\nnext: 1\n");
        let root = tree(&text);
        assert_eq!(source(&text, root.get("key").unwrap().1), quoted);
    }
}

#[test]
fn a_list_in_lines_ends_with_its_last_item_and_not_with_what_follows() {
    let text = "list:\n  - a: 1\n    b: two words\n  # comment\n\n# comment\nnext: 1\n";
    let root = tree(text);
    let list = root.get("list").unwrap().1;
    assert_eq!(source(text, list), "- a: 1\n    b: two words");
}

#[test]
fn only_plain_words_are_nothing() {
    let root = tree("a: ~\nb: null\nc: ''\nd: 'null'\ne:\n");
    let null: Vec<bool> =
        ["a", "b", "c", "d", "e"].iter().map(|key| root.get(key).unwrap().1.is_null()).collect();
    assert_eq!(null, [true, true, false, false, true]);
}
