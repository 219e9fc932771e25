//! What is wrong with a `config.yml`, as a sentence, with its line and what to write instead.

use serde_json::Value;
use sfha_proto::config::{Finding, Severity};
use unicode_width::UnicodeWidthStr;

use crate::i18n::loader;
use crate::problem::{ABSENT, arguments, text};
use crate::t;

#[cfg(test)]
pub(crate) mod tests;

/// The sentence of a finding, and what to write instead.
pub fn sentences(finding: &Finding) -> (String, Option<String>) {
    let code = match serde_json::to_value(finding.code) {
        Ok(Value::String(code)) => code,
        _ => "unknown".to_owned(),
    };
    let (loader, id) = (loader(), format!("finding-{code}"));
    let id = if loader.has(&id) { id } else { "finding-unknown".to_owned() };
    let args = arguments(&finding.details, &code);
    let message = text(loader, &id, None, &args);
    let next = loader.has_attr(&id, "next").then(|| text(loader, &id, Some("next"), &args));
    (message, next.filter(|next| !next.contains(ABSENT)))
}

/// A finding with its place, its line, and a caret below what it is about.
pub fn block(finding: &Finding, path: &str) -> String {
    let (message, next) = sentences(finding);
    let place = format!("{path}:{}:{}", finding.line, finding.column);
    let place = if finding.key.is_empty() { place } else { format!("{place}  {}", finding.key) };
    let head = match finding.severity {
        Severity::Error => t!("finding-head-error", message = message),
        Severity::Warning => t!("finding-head-warning", message = message),
    };
    let mut block = format!("{place}\n  {head}\n");
    let before: String = finding.excerpt.chars().take(finding.column.saturating_sub(1)).collect();
    if !finding.excerpt.trim().is_empty() {
        let number = finding.line.to_string();
        let margin = " ".repeat(number.len());
        block.push_str(&format!("  {number} | {}\n", finding.excerpt));
        block.push_str(&format!("  {margin} | {}^\n", " ".repeat(before.width())));
    }
    if let Some(next) = next {
        block.push_str(&format!("  {next}\n"));
    }
    block
}

/// A finding for scripts, with its sentences.
pub fn document(finding: &Finding) -> Value {
    let (message, next) = sentences(finding);
    let mut document = serde_json::to_value(finding).unwrap_or_default();
    if let Some(map) = document.as_object_mut() {
        map.insert("message".to_owned(), message.into());
        map.insert("next".to_owned(), next.into());
    }
    document
}
