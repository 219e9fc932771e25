use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use fluent_syntax::ast;

use super::*;

/// What a message is made of: its variables, and the names of its attributes.
#[derive(Debug, PartialEq)]
pub struct Shape {
    pub variables: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

/// Every message of a catalogue.
pub fn shapes(catalogue: &str) -> BTreeMap<String, Shape> {
    let resource = fluent_syntax::parser::parse(catalogue).expect("the catalogue reads");
    let mut found = BTreeMap::new();
    for entry in resource.body {
        let ast::Entry::Message(message) = entry else { continue };
        let mut shape = Shape { variables: BTreeSet::new(), attributes: BTreeSet::new() };
        for pattern in message.value.iter().chain(message.attributes.iter().map(|a| &a.value)) {
            collect(pattern, &mut shape.variables);
        }
        shape.attributes.extend(message.attributes.iter().map(|a| a.id.name.to_owned()));
        assert!(found.insert(message.id.name.to_owned(), shape).is_none(), "{} twice", message.id.name);
    }
    found
}

fn collect(pattern: &ast::Pattern<&str>, into: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let ast::PatternElement::Placeable { expression } = element {
            match expression {
                ast::Expression::Inline(inline) => collect_inline(inline, into),
                ast::Expression::Select { selector, variants } => {
                    collect_inline(selector, into);
                    variants.iter().for_each(|variant| collect(&variant.value, into));
                }
            }
        }
    }
}

fn collect_inline(inline: &ast::InlineExpression<&str>, into: &mut BTreeSet<String>) {
    if let ast::InlineExpression::VariableReference { id } = inline {
        into.insert(id.name.to_owned());
    }
}

/// Every text of a catalogue with all its variables set to each of these values.
fn rendered(catalogue: &str, tag: &str, values: &[FluentValue<'static>]) -> Vec<(String, String)> {
    let mut bundle = FluentBundle::new(vec![tag.parse().unwrap()]);
    bundle.set_use_isolating(false);
    bundle.add_resource(FluentResource::try_new(catalogue.to_owned()).unwrap()).unwrap();
    let mut texts = Vec::new();
    for (id, shape) in shapes(catalogue) {
        let message = bundle.get_message(&id).unwrap();
        let attributes: Vec<_> = message.attributes().map(|a| a.value()).collect();
        for value in values {
            let mut args = FluentArgs::new();
            shape.variables.iter().for_each(|name| args.set(name.clone(), value.clone()));
            for pattern in message.value().into_iter().chain(attributes.iter().copied()) {
                let mut errors = Vec::new();
                let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
                assert!(errors.is_empty(), "{tag} {id}: {errors:?}");
                texts.push((id.clone(), text));
            }
        }
    }
    texts
}

fn numbers() -> Vec<FluentValue<'static>> {
    vec![0.into(), 1.into(), 2.into(), "no-value".into(), "x".into()]
}

#[test]
fn both_catalogues_have_the_same_messages_attributes_and_variables() {
    let (french, english) = (shapes(FRENCH), shapes(ENGLISH));
    let ids = |map: &BTreeMap<String, Shape>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(ids(&french), ids(&english));
    for (id, shape) in &french {
        assert_eq!(shape, &english[id], "{id}");
    }
}

/// Before the reasons for which something is not taken over, looked up likewise.
pub const IMPORT: &str = "import-";

/// What the doctor says besides its observations.
pub const DOCTOR: &[&str] =
    &["doctor-head", "doctor-well", "doctor-sum", "doctor-strange", "doctor-strange-next"];

#[test]
fn every_message_is_used() {
    let mut code = String::new();
    read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut code);
    code.retain(|c| !c.is_whitespace());
    let unused: Vec<_> = shapes(FRENCH)
        .into_keys()
        // Those are looked up by code; `problem::tests`, `finding::tests` and `doctor::tests` see to them.
        .filter(|id| !id.starts_with("error-") || id == "error-prefix")
        .filter(|id| !id.starts_with("finding-") || id.starts_with("finding-head-"))
        .filter(|id| !id.starts_with(IMPORT))
        .filter(|id| !id.starts_with("doctor-") || DOCTOR.contains(&id.as_str()))
        .filter(|id| !code.contains(&format!("t!(\"{id}\"")))
        .collect();
    assert_eq!(unused, Vec::<String>::new());
}

fn read(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_message_formats_whatever_the_count() {
    for (catalogue, tag) in [(FRENCH, "fr"), (ENGLISH, "en")] {
        for (id, text) in rendered(catalogue, tag, &numbers()) {
            assert!(!text.trim().is_empty() || id.starts_with("ask-"), "{tag} {id} is empty");
            assert!(!text.contains(['{', '}', '$']), "{tag} {id}: {text}");
        }
    }
}

/// Zero is `one` in French: a `[one]` that writes the figure itself would say 1 for 0.
#[test]
fn one_always_shows_its_count_in_french() {
    let resource = fluent_syntax::parser::parse(FRENCH).unwrap();
    let mut seen = 0;
    for entry in &resource.body {
        let ast::Entry::Message(message) = entry else { continue };
        for pattern in message.value.iter().chain(message.attributes.iter().map(|a| &a.value)) {
            for element in &pattern.elements {
                let ast::PatternElement::Placeable { expression } = element else { continue };
                let ast::Expression::Select { selector, variants } = expression else { continue };
                let one = |key: &ast::VariantKey<&str>| matches!(key, ast::VariantKey::Identifier { name } if *name == "one");
                for variant in variants.iter().filter(|variant| one(&variant.key)) {
                    let shown = variant.value.elements.iter().any(|element| {
                        matches!(element, ast::PatternElement::Placeable {
                            expression: ast::Expression::Inline(inline)
                        } if inline == selector)
                    });
                    assert!(shown, "{}", message.id.name);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn french_has_a_no_break_space_around_double_punctuation() {
    for (id, text) in rendered(FRENCH, "fr", &numbers()) {
        let chars: Vec<char> = text.chars().collect();
        for (at, c) in chars.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| chars[at]);
            let after = chars.get(at + 1).copied();
            match c {
                // `://` and `HOST:PORT` are not punctuation.
                ':' if after.is_some_and(|c| !c.is_whitespace()) => {}
                ':' | ';' | '!' | '?' | '»' => assert_eq!(before, Some('\u{a0}'), "{id}: {text}"),
                '«' => assert_eq!(after, Some('\u{a0}'), "{id}: {text}"),
                _ => {}
            }
        }
        assert!(!text.contains("\u{a0} ") && !text.contains(" \u{a0}"), "{id}: {text}");
    }
}

#[test]
fn english_has_neither_no_break_spaces_nor_french_quotes() {
    for (id, text) in rendered(ENGLISH, "en", &numbers()) {
        assert!(!text.contains(['\u{a0}', '«', '»', 'é', 'è']), "{id}: {text}");
        assert!(![" :", " ;", " !", " ?"].iter().any(|p| text.contains(p)), "{id}: {text}");
    }
}

#[test]
fn the_language_is_the_flag_then_the_variable_then_the_locale() {
    let choose = |args: &[&str], env: &[(&str, &str)]| {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        super::choose(args.iter().copied(), get)
    };
    assert_eq!(choose(&[], &[]), Lang::French);
    assert_eq!(choose(&[], &[("LANG", "C.UTF-8")]), Lang::French);
    assert_eq!(choose(&[], &[("LANG", "POSIX")]), Lang::French);
    assert_eq!(choose(&[], &[("LANG", "en_GB.UTF-8")]), Lang::English);
    assert_eq!(choose(&[], &[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]), Lang::French);
    assert_eq!(choose(&[], &[("LANG", "fr_FR.UTF-8"), ("LC_MESSAGES", "en_US")]), Lang::English);
    assert_eq!(choose(&[], &[("LANG", "en_GB.UTF-8"), ("LC_ALL", "")]), Lang::English);
    assert_eq!(choose(&[], &[("LANG", "fr_FR.UTF-8"), ("SFHA_LANG", "en")]), Lang::English);
    assert_eq!(choose(&["--lang", "fr"], &[("SFHA_LANG", "en")]), Lang::French);
    assert_eq!(choose(&["status", "--lang=en"], &[]), Lang::English);
    assert_eq!(choose(&["run", "--", "--lang", "en"], &[]), Lang::French);
}
