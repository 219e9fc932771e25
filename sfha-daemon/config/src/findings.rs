//! Collects what is found in a text, with the line it stands on.

use serde_json::{Map, Value};
use sfha_proto::config::{Finding, FindingCode, Severity};

use crate::yaml::Mark;

/// Most findings that are told: whoever gives a picture for a configuration gets no flood.
const MAX_FINDINGS: usize = 100;

/// Longest excerpt, in characters.
const MAX_EXCERPT: usize = 200;

/// What makes a key's value nobody's business, with everything below it; also in a key that is misspelt.
const SECRET: [&str; 5] = ["secret", "passw", "authorization", "headers", "webhook"];

/// What was found so far.
pub struct Findings<'t> {
    text: &'t str,
    found: Vec<Finding>,
    /// Where the details of findings beyond the limit go.
    spare: Finding,
}

impl<'t> Findings<'t> {
    /// Nothing yet.
    pub fn new(text: &'t str) -> Self {
        let spare = Finding {
            severity: Severity::Warning,
            code: FindingCode::Unknown,
            key: String::new(),
            line: 0,
            column: 0,
            excerpt: String::new(),
            details: Map::new(),
        };
        Self { text, found: Vec::new(), spare }
    }

    /// Something that keeps the file from being used.
    pub fn error(&mut self, code: FindingCode, key: &str, at: Mark) -> Details<'_> {
        self.add(Severity::Error, code, key, at)
    }

    /// Something that an operator should know.
    pub fn warning(&mut self, code: FindingCode, key: &str, at: Mark) -> Details<'_> {
        self.add(Severity::Warning, code, key, at)
    }

    fn add(&mut self, severity: Severity, code: FindingCode, key: &str, at: Mark) -> Details<'_> {
        if self.found.len() >= MAX_FINDINGS {
            return Details(&mut self.spare);
        }
        self.found.push(Finding {
            severity,
            code,
            key: key.to_owned(),
            line: at.line,
            column: at.column,
            excerpt: excerpt(self.text, at),
            details: Map::new(),
        });
        let last = self.found.len() - 1;
        Details(&mut self.found[last])
    }

    /// Whether the file can be used.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All of them, in the order of the text.
    pub fn into_vec(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|finding| (finding.line, finding.column));
        self.found
    }
}

/// Takes the values of a finding.
pub struct Details<'f>(&'f mut Finding);

impl Details<'_> {
    /// Adds one.
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds one that is there.
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// The line of a place, as it may be shown.
fn excerpt(text: &str, at: Mark) -> String {
    let before = &text[..at.offset.min(text.len())];
    let start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let rest = &text[start..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let shown: String = match secret_from(text, start, line) {
        Some(from) => format!("{}…", &line[..from]),
        None => line.to_owned(),
    };
    // Control characters would move the caret, or worse the terminal.
    shown.chars().take(MAX_EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// From which byte on a line may not be shown: after a secret key, or wholly when it belongs to one above,
/// as its indentation says; that works on texts that do not read, too.
fn secret_from(text: &str, start: usize, line: &str) -> Option<usize> {
    if let Some(end) = secret_key(line) {
        return Some(end);
    }
    let mut indentation = indent(line);
    for above in text[..start].lines().rev() {
        let blank = above.trim().is_empty() || above.trim_start().starts_with('#');
        if blank || indent(above) >= indentation {
            continue;
        }
        if secret_key(above).is_some() {
            return Some(line.len() - line.trim_start().len());
        }
        indentation = indent(above);
    }
    None
}

/// Where the value of a secret key begins on a line.
fn secret_key(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let word = SECRET.iter().filter_map(|word| lower.find(word).map(|at| at + word.len())).min()?;
    Some(line[word..].find(':').map_or(word, |colon| word + colon + 1))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: usize) -> String {
        let offset = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        excerpt(text, Mark { offset, line, column: 1 })
    }

    #[test]
    fn an_excerpt_never_shows_a_secret() {
        let text = "stonith:\n  proxmox:\n    token_id: a@pam!b\n    token_secret: hush\n    pve_node: pve\n  \
                    webhook:\n    headers:\n      # comment\n      Authorization: hush\n    body_template: >\n      hush\n\
                    vips: [\n";
        for line in 1..=12 {
            assert!(!shown(text, line).contains("hush"), "{line}: {}", shown(text, line));
        }
        assert_eq!(shown(text, 3), "    token_id: a@pam!b");
        assert_eq!(shown(text, 4), "    token_secret:…");
        assert_eq!(shown(text, 5), "    pve_node: pve");
        assert_eq!(shown(text, 9), "      Authorization:…");
        assert_eq!(shown(text, 12), "vips: [");
        assert_eq!(
            shown("stonith: {proxmox: {token_secret: hush}}", 1),
            "stonith: {proxmox: {token_secret:…"
        );
    }
}
