//! The reference of `config.yml` (`docs/*/reference.md`) against the program: every key, the type that its reader
//! tells of itself when it is given nonsense, and defaults that change nothing when they are written down.
//! `make reference` writes keys and types anew; what is in the other columns is people's.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "what is held against the program is in files")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sfha_config::{Context, SCHEMA, check};
use sfha_proto::config::{Finding, FindingCode};

/// A language of the documentation: its page, its headings, its words for types.
struct Language {
    page: &'static str,
    root: &'static str,
    columns: &'static str,
    required: &'static str,
    between: &'static str,
    /// English and its own.
    words: &'static [(&'static str, &'static str)],
}

const LANGUAGES: [Language; 2] = [
    Language {
        page: "en/reference.md",
        root: "The file",
        columns: "| key | type | default | meaning |",
        required: "required",
        between: "to",
        words: &[],
    },
    Language {
        page: "fr/reference.md",
        root: "Le fichier",
        columns: "| clé | type | par défaut | sens |",
        required: "obligatoire",
        between: "à",
        words: &[
            ("list", "liste"),
            ("list of sections", "liste de sections"),
            ("duration", "durée"),
            ("number", "nombre"),
            ("text", "texte"),
            ("texts by name", "textes par nom"),
            ("sections by name", "sections par nom"),
            ("name", "nom"),
            ("address", "adresse"),
            ("unit", "unité"),
            ("path", "chemin"),
            ("fingerprint", "empreinte"),
            ("fence agent", "agent de fencing"),
            ("host", "hôte"),
            ("address or path", "adresse ou chemin"),
        ],
    },
];

/// Keys that no value stands for: something else happens where they are absent.
const WITHOUT_DEFAULT: &[&str] = &[
    "cluster.failover_delay_ms",
    "cluster.poll_interval_ms",
    "node.priority",
    "services[].healthcheck.status",
    "health_checks[].status",
    "stonith.provider",
    "stonith.nodes.NAME.vmid",
];

/// What a key takes.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Bool,
    Words(Vec<String>),
    Number(u64, u64),
    Duration(String, String),
    Other(&'static str),
}

impl Kind {
    fn shown(&self, language: &Language) -> String {
        let own = |word: &str| {
            let found = language.words.iter().find(|(english, _)| *english == word);
            found.map_or(word, |(_, own)| *own).to_owned()
        };
        match self {
            Self::Bool => "`true`, `false`".to_owned(),
            Self::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Number(0, u64::MAX) => own("number"),
            Self::Number(least, most) => format!("{}, {least} {} {most}", own("number"), language.between),
            Self::Duration(least, most) => {
                format!("{}, `{least}` {} `{most}`", own("duration"), language.between)
            }
            Self::Other(word) => own(word),
        }
    }
}

/// The least that a map needs for one of its keys to be read, by its place in [`SCHEMA`].
fn base(map: &str, key: &str) -> Value {
    let http = ["url", "status", "body", "ca_file"].contains(&key);
    let probe = match key {
        "command" => json!({"type": "program", "command": ["/x"]}),
        _ if http => json!({"type": "http", "url": "http://h"}),
        _ => json!({"type": "tcp", "target": "h:1"}),
    };
    match map {
        "" => json!({"cluster": {"name": "prod"}, "node": {"name": "node1"}}),
        "cluster" => json!({"name": "prod"}),
        "node" => json!({"name": "node1"}),
        "corosync.qdevice" => json!({"host": "h"}),
        "vips[]" => json!({"name": "web", "ip": "10.0.0.9"}),
        "services[]" => json!({"name": "app"}),
        "services[].healthcheck" => probe,
        "health_checks[]" => {
            let mut check = probe;
            check["name"] = json!("up");
            check
        }
        "constraints[]" if ["first", "then"].contains(&key) => {
            json!({"type": "order", "first": "a", "then": "b"})
        }
        "constraints[]" => json!({"type": "colocation", "resource": "a", "with": "b"}),
        "stonith.proxmox" if key == "token_secret" => {
            json!({"api_url": "https://h", "token_id": "a@b!c"})
        }
        "stonith.proxmox" if key == "api_urls" => json!({"token_id": "a@b!c", "token_secret_file": "/s"}),
        "stonith.proxmox" => json!({"api_url": "https://h", "token_id": "a@b!c", "token_secret_file": "/s"}),
        "stonith.webhook" => json!({"fence_url": "https://h"}),
        "stonith.fence_agents.NAME" => json!({"agent": "fence_x"}),
        "stonith.nodes.NAME" => json!({"vmid": 101}),
        "hooks[]" if ["webhook", "headers_file", "ca_file"].contains(&key) => {
            json!({"name": "h", "webhook": "https://h"})
        }
        "hooks[]" => json!({"name": "h", "program": ["/x"]}),
        _ => json!({}),
    }
}

/// A whole file with this map in its place.
fn file(map: &str, inner: Value) -> String {
    let mut whole = base("", "");
    match map {
        "" => whole = inner,
        "services[].healthcheck" => whole["services"] = json!([{"name": "app", "healthcheck": inner}]),
        _ => {
            let mut value = inner;
            let mut parts: Vec<&str> = map.split('.').collect();
            let first = parts.remove(0);
            for part in parts.iter().rev() {
                value = json!({ *part: value });
            }
            match first.strip_suffix("[]") {
                Some(list) => whole[list] = json!([value]),
                None => whole[first] = value,
            }
        }
    }
    // JSON is YAML.
    whole.to_string()
}

/// The file with the key, or without it.
fn with(map: &str, key: &str, value: Option<Value>) -> String {
    let mut inner = base(map, key);
    let fields = inner.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(key.to_owned(), value),
        None => fields.remove(key),
    };
    file(map, inner)
}

fn path(map: &str, key: &str) -> String {
    if map.is_empty() { key.to_owned() } else { format!("{map}.{key}") }
}

/// What is said of a key, or of what is below it.
fn said(map: &str, key: &str, value: Option<Value>) -> Vec<Finding> {
    let found = check(&with(map, key, value), &Context::default()).findings;
    let path = path(map, key).replace("[]", "[0]");
    found.into_iter().filter(|finding| finding.key.starts_with(&path)).collect()
}

fn detail<'f>(found: &'f [Finding], code: FindingCode, name: &str) -> Option<&'f Value> {
    found.iter().find(|finding| finding.code == code)?.details.get(name)
}

/// Asks the reader of a key what it wants, by giving it what nobody wants.
fn kind(map: &str, key: &str) -> Kind {
    let whole = path(map, key);
    if SCHEMA.iter().any(|(other, _)| *other == whole) {
        return Kind::Other("section");
    }
    if SCHEMA.iter().any(|(other, _)| *other == format!("{whole}[]")) {
        return Kind::Other("list of sections");
    }
    if SCHEMA.iter().any(|(other, _)| *other == format!("{whole}.NAME")) {
        return Kind::Other("sections by name");
    }
    let found = said(map, key, Some(json!({"x": []})));
    let wanted = detail(&found, FindingCode::WrongType, "wanted").and_then(Value::as_str);
    match wanted {
        Some("bool") => return Kind::Bool,
        Some("list") => return Kind::Other("list"),
        // It went inside.
        Some("text") if found.iter().any(|finding| finding.key.ends_with(".x")) => {
            return Kind::Other("texts by name");
        }
        Some("text") => {}
        Some("number") => {
            let found = said(map, key, Some(json!(u64::MAX)));
            let most = detail(&found, FindingCode::OutOfRange, "most").and_then(Value::as_u64);
            let least = detail(&found, FindingCode::OutOfRange, "least").and_then(Value::as_u64);
            return Kind::Number(least.unwrap_or(0), most.unwrap_or(u64::MAX));
        }
        other => panic!("{whole}: the reader wants {other:?}: {found:?}"),
    }
    let found = said(map, key, Some(json!("?? no such\u{7}")));
    if let Some(Value::String(allowed)) = detail(&found, FindingCode::NotAllowed, "allowed") {
        return Kind::Words(allowed.split(", ").map(str::to_owned).collect());
    }
    let code = found.iter().map(|finding| finding.code).find(|code| *code != FindingCode::SecretInFile);
    let word = match code {
        Some(FindingCode::BadDuration) => {
            let found = said(map, key, Some(json!("9999days")));
            let end = |name| detail(&found, FindingCode::DurationRange, name).unwrap().as_str().unwrap();
            return Kind::Duration(end("least").to_owned(), end("most").to_owned());
        }
        Some(FindingCode::BadName) => "name",
        Some(FindingCode::BadAddress) => "address",
        Some(FindingCode::BadInterface) => "interface",
        Some(FindingCode::BadUnit) => "unit",
        Some(FindingCode::BadUrl) => "URL",
        Some(FindingCode::BadPath) => "path",
        Some(FindingCode::BadHost) => "host",
        Some(FindingCode::BadListen) => "address or path",
        Some(FindingCode::BadFingerprint) => "fingerprint",
        Some(FindingCode::BadAgent) => "fence agent",
        Some(FindingCode::BadTarget) | None => "text",
        other => panic!("{whole}: no word for {other:?}"),
    };
    Kind::Other(word)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The last two columns of a key's row in a page.
fn row<'p>(page: &'p str, heading: &str, key: &str) -> Option<(&'p str, &'p str)> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n"))?;
    let section = section.split("\n## ").next()?;
    let row = section.lines().find(|line| line.starts_with(&format!("| `{key}` | ")))?;
    let cells: Vec<&str> = row.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [_, _, default, meaning] = cells.as_slice() else { panic!("{row}: not four columns") };
    Some((default.trim(), meaning))
}

fn heading(map: &str, language: &Language) -> String {
    if map.is_empty() { language.root.to_owned() } else { format!("`{map}`") }
}

/// The page as it should be, with what people wrote into it.
fn renewed(page: &str, language: &Language) -> String {
    let before = page.split("\n## ").next().unwrap();
    let mut text = before.to_owned();
    for (map, keys) in SCHEMA {
        let heading = heading(map, language);
        let old = page.split_once(&format!("\n## {heading}\n")).map_or("", |(_, rest)| rest);
        let intro = old.split("\n## ").next().unwrap().split(language.columns).next().unwrap().trim();
        write!(text, "\n## {heading}\n\n").unwrap();
        if !intro.is_empty() {
            write!(text, "{intro}\n\n").unwrap();
        }
        write!(text, "{}\n|---|---|---|---|\n", language.columns).unwrap();
        for key in *keys {
            let (default, meaning) = row(page, &heading, key).unwrap_or_default();
            let kind = kind(map, key).shown(language);
            writeln!(text, "| `{key}` | {kind} | {default} | {meaning} |").unwrap();
        }
    }
    text
}

#[test]
fn every_key_is_in_the_reference_with_its_type_in_both_languages() {
    for language in &LANGUAGES {
        let file = folder().join(language.page);
        let page = std::fs::read_to_string(&file).unwrap();
        let wanted = renewed(&page, language);
        if std::env::var_os("SFHA_RENEW").is_some() {
            std::fs::write(&file, &wanted).unwrap();
        } else {
            let stale = page.lines().filter(|line| !wanted.lines().any(|other| other == *line));
            assert_eq!(stale.collect::<Vec<_>>(), Vec::<&str>::new(), "{}: make reference", language.page);
            let lacking = wanted.lines().filter(|line| !page.lines().any(|other| other == *line));
            assert_eq!(lacking.collect::<Vec<_>>(), Vec::<&str>::new(), "{}: make reference", language.page);
            assert!(page == wanted, "{}: the order differs: make reference", language.page);
        }
        for (map, keys) in SCHEMA {
            for key in *keys {
                let (_, meaning) = row(&wanted, &heading(map, language), key).unwrap();
                assert!(!meaning.trim().is_empty(), "{}: {map}.{key} says nothing", language.page);
            }
        }
    }
}

#[test]
fn a_default_of_the_reference_changes_nothing_when_it_is_written_down() {
    let mut wrong = Vec::new();
    for (map, keys) in SCHEMA {
        for key in *keys {
            let mut told = Vec::new();
            for language in &LANGUAGES {
                let page = std::fs::read_to_string(folder().join(language.page)).unwrap();
                let row = row(&page, &heading(map, language), key);
                let (default, _) = row.unwrap_or_else(|| panic!("{}: no {map}.{key}", language.page));
                told.push(if default == language.required {
                    "required".to_owned()
                } else {
                    default.to_owned()
                });
            }
            assert_eq!(told[0], told[1], "{map}.{key}: the languages differ");
            wrong.extend(fault(map, key, &told[0]).map(|fault| format!("{}: {fault}", path(map, key))));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What is wrong with what is told of a key's default.
fn fault(map: &str, key: &str, told: &str) -> Option<String> {
    let absent = said(map, key, None);
    let whole = check(&with(map, key, None), &Context::default());
    let missing = whole.findings.iter().any(|finding| {
        finding.code == FindingCode::MissingKey && finding.key == path(map, key).replace("[]", "[0]")
    });
    match (missing, told) {
        (true, "required") => return None,
        (true, _) => return Some("is required".to_owned()),
        (false, "required") => return Some(format!("is not required: {absent:?}")),
        (false, _) => {}
    }
    let same = |value: Value| check(&with(map, key, Some(value)), &Context::default()).config == whole.config;
    if let Some(default) = told.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        let value = serde_json::from_str(default).unwrap_or_else(|_| json!(default));
        return (!same(value)).then(|| format!("{default} is not its default"));
    }
    if WITHOUT_DEFAULT.contains(&path(map, key).as_str()) {
        return None;
    }
    let usual = match kind(map, key) {
        Kind::Bool => {
            [true, false].into_iter().find(|value| same(json!(value))).map(|value| value.to_string())
        }
        Kind::Words(words) => words.into_iter().find(|word| same(json!(word))),
        Kind::Number(..) | Kind::Duration(..) => Some("a default".to_owned()),
        Kind::Other(_) => None,
    };
    usual.map(|usual| format!("has {usual}, and nothing is told"))
}
