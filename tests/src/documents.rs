//! The documents that `sfha` prints with `--json`, held against their schemas in `docs/json/`: nothing may be
//! missing, and nothing may be there that they do not tell. The tests of the command line read this file, too.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Commands whose document has a schema of their own name, a `-` between their words.
const OWN: &[&str] = &[
    "status",
    "nodes",
    "resources",
    "health",
    "history",
    "init",
    "join",
    "mesh status",
    "mesh token",
    "mesh tokens",
    "mesh rotate-keys",
    "vip list",
    "vip announce",
    "service list",
    "stonith status",
    "stonith fence",
    "stonith history",
    "stonith test",
    "stonith setup",
    "failover",
    "reload",
    "propagate",
    "simulate",
    "config-check",
    "config-example",
    "doctor",
    "report",
    "backup",
    "restore",
    "import",
    "version",
];

/// Commands that print no document, or a line for each of many.
const NONE: &[&str] = &["events", "logs", "run", "completions", "help"];

/// Options of all commands that a value follows.
const VALUED: &[&str] = &["--lang", "--socket", "--theme"];

/// Where the schemas are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json")
}

/// The schema of what a command line prints when it succeeds; `None` where that is no document.
pub fn schema_of(args: &[&str]) -> Option<String> {
    let mut words = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if VALUED.contains(arg) {
            rest.next();
        } else if !arg.starts_with('-') {
            words.push(*arg);
        }
    }
    let first = words.first().copied().unwrap_or("status");
    if NONE.contains(&first) {
        return None;
    }
    let both = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let own = [first, &both].into_iter().find(|name| OWN.contains(name));
    Some(own.unwrap_or("done").replace(' ', "-"))
}

/// What a document has that its schema does not allow, or lacks. Panics where there is no such schema. Inside of a
/// guest there are none at all: what is printed there is printed in the lab, too.
pub fn faults(name: &str, document: &Value) -> Vec<String> {
    if !folder().exists() {
        return Vec::new();
    }
    let open = schema(name);
    jsonschema::meta::validate(&open).unwrap_or_else(|error| panic!("{name}: {error}"));
    let judge = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&closed(open))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    judge.iter_errors(document).map(|error| format!("{name} {}: {error}", error.instance_path())).collect()
}

fn schema(name: &str) -> Value {
    let path = folder().join(format!("{name}.schema.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same without room for anything that it does not name.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            for value in fields.values_mut() {
                *value = closed(value.take());
            }
            // A field may be called that, too.
            let named = fields.get("properties").is_some_and(Value::is_object) && fields.contains_key("type");
            if named && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = closed(item.take())),
        _ => {}
    }
    schema
}
