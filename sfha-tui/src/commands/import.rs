//! `sfha import keepalived`: sections for `config.yml` on standard output, what is not in them on standard error.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use sfha_config::MAX_TEXT;
use sfha_config::keepalived::{Imported, LeftOut, import};
use sfha_proto::{ErrorCode, Failure, SCHEMA};

use super::show;
use crate::cli::Global;
use crate::i18n::loader;
use crate::paint;
use crate::problem::{Problem, arguments, text};
use crate::t;

/// Reads the file and prints what is made of it.
pub fn keepalived(global: &Global, file: &Path) -> Result<(), Problem> {
    let path = file.display().to_string();
    let unreadable = |reason: String| {
        Problem::from(Failure::new(ErrorCode::FileInvalid).with("path", path.as_str()).with("reason", reason))
    };
    let bytes = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > MAX_TEXT {
        return Err(unreadable("too large".to_owned()));
    }
    // Comments in an old character set keep nothing from being read.
    let imported = import(&String::from_utf8_lossy(&bytes));
    show(global, &document(&imported), |_, _| imported.yaml.clone())?;
    if !global.json {
        paint::err(&told(&imported, &path));
    }
    Ok(())
}

fn sentence(left: &LeftOut) -> String {
    let code = match serde_json::to_value(left.reason) {
        Ok(Value::String(code)) => code,
        _ => "unknown".to_owned(),
    };
    text(loader(), &format!("import-{code}"), None, &arguments(&Map::new(), &code))
}

fn document(imported: &Imported) -> Value {
    let left: Vec<Value> = imported
        .left_out
        .iter()
        .map(|left| {
            json!({"line": left.line, "what": left.what, "reason": left.reason, "message": sentence(left)})
        })
        .collect();
    json!({"schema": SCHEMA, "yaml": imported.yaml, "vips": imported.vips, "checks": imported.checks,
           "left_out": left})
}

fn told(imported: &Imported, path: &str) -> String {
    let mut out = t!("done-imported", vips = imported.vips, checks = imported.checks);
    if !imported.left_out.is_empty() {
        out.push_str(&format!("\n{}", t!("done-imported-left")));
    }
    for left in &imported.left_out {
        out.push_str(&format!("\n  {path}:{}  {}\n    {}", left.line, left.what, sentence(left)));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::i18n::tests::{IMPORT, shapes};
    use crate::i18n::{self, ENGLISH, FRENCH, Lang};

    #[test]
    fn every_reason_has_its_sentence_and_there_is_no_other() {
        let source = include_str!("../../../sfha-daemon/config/src/keepalived.rs");
        let reasons: BTreeSet<String> =
            crate::finding::tests::codes_of(source.split("pub enum Reason {").nth(1).unwrap())
                .into_iter()
                .map(|(code, _)| code)
                .collect();
        assert!(reasons.len() > 10, "{reasons:?}");
        for catalogue in [FRENCH, ENGLISH] {
            let there = shapes(catalogue).into_keys();
            let there: BTreeSet<String> =
                there.filter_map(|id| id.strip_prefix(IMPORT).map(str::to_owned)).collect();
            assert_eq!(there, reasons);
        }
    }

    #[test]
    fn what_is_left_out_is_told_with_its_place() {
        i18n::set(Lang::English);
        let imported = import("vrrp_instance A {\n  priority 101\n  virtual_ipaddress { 10.0.0.9/24 }\n}\n");
        let told = told(&imported, "k.conf");
        assert!(told.starts_with("1 VIP and 0 checks"), "{told}");
        assert!(told.contains("\n  k.conf:2  priority 101\n    On each node"), "{told}");
        let document = document(&imported);
        assert_eq!(document["left_out"][0]["reason"], "priority");
        assert!(document["yaml"].as_str().unwrap().starts_with("vips:\n"));
    }
}
