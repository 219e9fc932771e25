//! Typed reading of a tree: whatever is wrong is told and reads as absent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::json;
use sfha_proto::config::FindingCode;

use crate::findings::Findings;
use crate::yaml::{Mark, Node, Value};

/// The keys of one map, each once.
pub struct Fields<'n> {
    /// Where it is in the structure: `vips[1]`; empty for the root.
    pub path: String,
    /// Where it begins in the text.
    pub at: Mark,
    pairs: BTreeMap<&'n str, (&'n Node, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The path of one of its keys.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Where a value begins; the map itself, where there is none.
    pub fn place(&self, name: &str) -> Mark {
        self.pairs.get(name).map_or(self.at, |(_, value)| value.at)
    }

    /// The value of a key, if it says something.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.pairs.get(name).map(|(_, value)| *value).filter(|value| !value.is_null())
    }
}

/// Units of a number that stands for a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A bare number is milliseconds.
    Milliseconds,
    /// A bare number is seconds.
    Seconds,
}

/// Reads, and remembers what is wrong.
pub struct Reader<'t> {
    /// What was found.
    pub findings: Findings<'t>,
}

impl Reader<'_> {
    /// A map with some of these keys. Nothing reads as an empty map.
    pub fn fields<'n>(&mut self, node: &'n Node, path: &str, keys: &[&str]) -> Option<Fields<'n>> {
        let pairs = match &node.value {
            Value::Map(pairs) => pairs.as_slice(),
            _ if node.is_null() => &[],
            _ => {
                self.wrong_type(node, path, "map");
                return None;
            }
        };
        let mut fields = Fields { path: path.to_owned(), at: node.at, pairs: BTreeMap::new() };
        for (key, value) in pairs {
            let Some(name) = key.text() else {
                self.wrong_type(key, path, "text");
                continue;
            };
            let whole = fields.path_of(name);
            if !keys.contains(&name) {
                self.findings
                    .error(FindingCode::UnknownKey, &whole, key.at)
                    .with("name", name)
                    .with_some("suggestion", closest(name, keys.iter().copied()))
                    .with("allowed", keys.join(", "));
            } else if let Some((first, _)) = fields.pairs.get(name) {
                self.findings
                    .error(FindingCode::DuplicateKey, &whole, key.at)
                    .with("name", name)
                    .with("first", first.at.line);
            } else {
                fields.pairs.insert(name, (key, value));
            }
        }
        Some(fields)
    }

    /// A map whose keys are names.
    pub fn named<'n>(&mut self, node: &'n Node, path: &str) -> Vec<(&'n str, &'n Node, &'n Node)> {
        let keys: Vec<&str> = match &node.value {
            Value::Map(pairs) => pairs.iter().filter_map(|(key, _)| key.text()).collect(),
            _ => Vec::new(),
        };
        let Some(fields) = self.fields(node, path, &keys) else { return Vec::new() };
        fields.pairs.into_iter().map(|(name, (key, value))| (name, key, value)).collect()
    }

    /// The items of a list; nothing reads as an empty one.
    pub fn list<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Vec<&'n Node> {
        match fields.get(name) {
            None => Vec::new(),
            Some(Node { value: Value::List(items), .. }) => items.iter().collect(),
            Some(other) => {
                self.wrong_type(other, &fields.path_of(name), "list");
                Vec::new()
            }
        }
    }

    /// A text.
    pub fn text<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<&'n str> {
        let node = fields.get(name)?;
        let text = node.text();
        if text.is_none() {
            self.wrong_type(node, &fields.path_of(name), "text");
        }
        text
    }

    /// A text that has to be there.
    pub fn required<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<&'n str> {
        if fields.get(name).is_none() {
            self.missing(fields, name);
        }
        self.text(fields, name)
    }

    /// A text that a judge accepts; told with this code where it does not.
    pub fn judged<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        code: FindingCode,
        judge: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(fields, name)?;
        let judged = judge(text);
        if judged.is_none() {
            self.bad(fields, name, code);
        }
        judged
    }

    /// A list of texts, each with its place.
    pub fn texts<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Vec<(&'n str, Mark)> {
        let mut texts = Vec::new();
        for (index, item) in self.list(fields, name).into_iter().enumerate() {
            match item.text() {
                Some(text) => texts.push((text, item.at)),
                None => self.wrong_type(item, &format!("{}[{index}]", fields.path_of(name)), "text"),
            }
        }
        texts
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, fields: &Fields<'_>, name: &str) -> Option<bool> {
        let node = fields.get(name)?;
        match &node.value {
            Value::Scalar { text, plain: true } if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Scalar { text, plain: true } if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.wrong_type(node, &fields.path_of(name), "bool");
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn number(&mut self, fields: &Fields<'_>, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let node = fields.get(name)?;
        let text = node.text().unwrap_or_default();
        if node.kind() != "number" {
            self.wrong_type(node, &fields.path_of(name), "number");
            return None;
        }
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.bad(fields, name, FindingCode::OutOfRange)
                .with("least", *range.start())
                .with("most", *range.end());
        }
        number
    }

    /// A duration in milliseconds: `20s`, or a number in the key's unit. Of several keys only one may be there.
    pub fn duration(
        &mut self,
        fields: &Fields<'_>,
        keys: &[(&'static str, Unit)],
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let name = self.one_of(fields, &keys.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
        let (_, unit) = keys.iter().find(|(key, _)| *key == name)?;
        let text = self.text(fields, name)?;
        let bare = text.parse::<u64>().ok().map(|number| match unit {
            Unit::Milliseconds => number,
            Unit::Seconds => number.saturating_mul(1000),
        });
        let with_unit = || {
            let duration = humantime::parse_duration(text).ok()?;
            u64::try_from(duration.as_millis()).ok().filter(|_| duration.subsec_nanos() % 1_000_000 == 0)
        };
        let Some(duration) = bare.or_else(with_unit) else {
            self.bad(fields, name, FindingCode::BadDuration);
            return None;
        };
        if !range.contains(&duration) {
            self.bad(fields, name, FindingCode::DurationRange)
                .with("least", duration_text(*range.start()))
                .with("most", duration_text(*range.end()));
            return None;
        }
        Some(duration)
    }

    /// Which of these keys is there; two at once are told.
    pub fn one_of(&mut self, fields: &Fields<'_>, names: &[&'static str]) -> Option<&'static str> {
        let mut there = names.iter().filter(|name| fields.get(name).is_some());
        let first = *there.next()?;
        for other in there {
            self.findings
                .error(FindingCode::ConflictingKeys, &fields.path_of(other), fields.place(other))
                .with("name", first)
                .with("other", *other);
        }
        Some(first)
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, fields: &Fields<'_>, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(fields, name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.bad(fields, name, FindingCode::NotAllowed)
                .with_some("suggestion", closest(text, allowed.iter().copied()))
                .with("allowed", allowed.join(", "));
        }
        found
    }

    /// A value that is wrong.
    pub fn bad(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        code: FindingCode,
    ) -> crate::findings::Details<'_> {
        let value = fields.get(name).and_then(Node::text).unwrap_or_default();
        let shown: String = value.chars().take(80).collect();
        self.findings.error(code, &fields.path_of(name), fields.place(name)).with("value", json!(shown))
    }

    /// A key that is not there.
    pub fn missing(&mut self, fields: &Fields<'_>, name: &str) {
        self.findings.error(FindingCode::MissingKey, &fields.path_of(name), fields.at).with("name", name);
    }

    /// Warns about a key, if it is there.
    pub fn ignored(&mut self, fields: &Fields<'_>, name: &str) {
        if fields.get(name).is_some() {
            self.findings
                .warning(FindingCode::Ignored, &fields.path_of(name), fields.place(name))
                .with("name", name);
        }
    }

    fn wrong_type(&mut self, node: &Node, path: &str, wanted: &str) {
        if node.value != Value::Refused {
            self.findings
                .error(FindingCode::WrongType, path, node.at)
                .with("wanted", wanted)
                .with("found", node.kind());
        }
    }
}

/// The word that somebody may have meant.
pub fn closest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase().replace('-', "_");
    let near = |word: &&str| strsim::damerau_levenshtein(&text, &word.to_lowercase());
    let best = words.map(|word| (near(&word), word)).min_by_key(|(distance, _)| *distance);
    best.filter(|(distance, word)| *distance <= 1 + word.chars().count() / 4).map(|(_, word)| word)
}

/// A duration as it is written in the file.
pub fn duration_text(milliseconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_millis(milliseconds)).to_string()
}
