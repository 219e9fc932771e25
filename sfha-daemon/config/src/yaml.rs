//! YAML as a tree that knows where everything stands.
//!
//! Only what a configuration needs: one document of maps, lists and scalars. Anchors, aliases and tags are
//! refused, so that nothing in a file is larger than it looks.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::json;
use sfha_proto::config::FindingCode;

use crate::findings::Findings;

/// Largest file, in bytes: what every limit of the cluster together fills, with room for comments.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Deepest nesting; the schema has five levels.
const MAX_DEPTH: usize = 16;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Bytes before it.
    pub offset: usize,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl Mark {
    /// The beginning.
    pub const START: Self = Self { offset: 0, line: 1, column: 1 };
}

/// A map, list or scalar.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Mark,
    /// Where it ends, in bytes; of a map or list that is written over several lines, where its last scalar
    /// ends.
    pub end: usize,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, or what reads as nothing: empty, `~` or `null`, not quoted.
    Scalar {
        /// Without quotes.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in its order, with whatever is twice.
    Map(Vec<(Node, Node)>),
    /// Something that was refused.
    Refused,
}

impl Node {
    /// Whether it says nothing.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => {
                *plain && ["", "~", "null", "Null", "NULL"].contains(&text.as_str())
            }
            Value::Refused => true,
            Value::List(_) | Value::Map(_) => false,
        }
    }

    /// What it is, as findings say it.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Map(_) => "map",
            Value::List(_) => "list",
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "true" | "false") => "bool",
            Value::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => "number",
            Value::Scalar { .. } | Value::Refused => "text",
        }
    }

    /// The value of a key of a map: the last one, where it is twice.
    pub fn get(&self, name: &str) -> Option<(&Node, &Node)> {
        let Value::Map(pairs) = &self.value else { return None };
        pairs.iter().rev().find(|(key, _)| key.text() == Some(name)).map(|(key, value)| (key, value))
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The bytes of the text that it takes.
    pub fn range(&self) -> Range<usize> {
        self.at.offset..self.end.max(self.at.offset)
    }
}

/// Reads a text. What is refused is told, and the rest is read as if it were not there; `None` when nothing
/// can be made of it.
pub fn parse<'t>(text: &'t str, findings: &mut Findings<'t>) -> Option<Node> {
    if text.len() > MAX_TEXT {
        findings.error(FindingCode::TooLarge, "", Mark::START).with("limit", json!(MAX_TEXT));
        return None;
    }
    let mut builder =
        Builder { places: Places::new(text), findings, frames: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if !builder.take(event, span.start, span.end) {
                    return None;
                }
            }
            Err(error) => {
                builder.broken(*error.marker(), error.info());
                return None;
            }
        }
    }
    builder.root.or(Some(Node {
        at: Mark::START,
        end: 0,
        value: Value::Scalar { text: String::new(), plain: true },
    }))
}

enum Frame {
    List { at: Mark, items: Vec<Node> },
    Map { at: Mark, pairs: Vec<(Node, Node)>, key: Option<Node> },
}

struct Builder<'f, 't> {
    places: Places<'t>,
    findings: &'f mut Findings<'t>,
    frames: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_, '_> {
    /// Takes one event; `false`: there is no sense in going on.
    fn take(&mut self, event: Event<'_>, start: Marker, end: Marker) -> bool {
        let at = self.places.mark(start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.findings.error(FindingCode::SecondDocument, "", at);
                    return false;
                }
            }
            Event::Alias(_) => {
                self.findings.error(FindingCode::Alias, "", at);
                self.add(Node { at, end: at.offset, value: Value::Refused });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                let end = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.quoted_end(at),
                    _ => self.places.mark(end).offset,
                };
                let plain = style == ScalarStyle::Plain;
                self.add(Node { at, end, value: Value::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                self.frames.push(Frame::List { at, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                self.frames.push(Frame::Map { at, pairs: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        if self.frames.len() > MAX_DEPTH {
            self.findings.error(FindingCode::TooDeep, "", at).with("limit", json!(MAX_DEPTH));
            return false;
        }
        true
    }

    fn refuse(&mut self, anchor: usize, tag: bool, at: Mark) {
        if anchor != 0 {
            self.findings.error(FindingCode::Alias, "", at);
        }
        if tag {
            self.findings.error(FindingCode::Tag, "", at);
        }
    }

    fn close(&mut self, end: Marker) {
        let end = self.places.mark(end).offset;
        let Some(frame) = self.frames.pop() else { return };
        let node = match frame {
            Frame::List { at, items } => {
                let last = items.last().map(|item| item.end);
                Node { at, end: self.end_of(at, last, end, '['), value: Value::List(items) }
            }
            Frame::Map { at, pairs, .. } => {
                let last = pairs.last().map(|(key, value)| key.end.max(value.end));
                Node { at, end: self.end_of(at, last, end, '{'), value: Value::Map(pairs) }
            }
        };
        self.add(node);
    }

    /// The end event of what is written in lines comes with whatever follows, comments included.
    fn end_of(&self, at: Mark, last: Option<usize>, end: usize, bracket: char) -> usize {
        let flow = self.places.text[at.offset..].starts_with(bracket);
        if flow { end } else { last.unwrap_or(at.offset) }
    }

    /// The parser says that a text in quotes ends where the next thing begins, comments included.
    fn quoted_end(&self, at: Mark) -> usize {
        let text = &self.places.text[at.offset..];
        let Some(quote) = text.chars().next() else { return at.offset };
        let mut chars = text.char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            let doubled = quote == '\'' && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
            if doubled || quote == '"' && c == '\\' {
                chars.next();
            } else if c == quote {
                return at.offset + index + 1;
            }
        }
        at.offset + text.len()
    }

    fn add(&mut self, mut node: Node) {
        if node.is_null() && node.text() == Some("") {
            // Nothing has no place of its own: the parser gives that of what follows.
            node.end = 0;
        }
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { pairs, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
    }

    fn broken(&mut self, marker: Marker, cause: &str) {
        let tabs = tabs(self.places.text);
        if tabs.is_empty() {
            let at = self.places.mark(marker);
            self.findings.error(FindingCode::Syntax, "", at).with("cause", json!(cause));
        }
        for at in tabs {
            self.findings.error(FindingCode::Tab, "", at);
        }
    }
}

/// Every tab in an indentation: where a text does not read and has one, that is why.
fn tabs(text: &str) -> Vec<Mark> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if let Some(column) = line[..indentation].find('\t').filter(|_| !blank) {
            found.push(Mark { offset: offset + column, line: index + 1, column: column + 1 });
        }
        offset += line.len();
    }
    found
}

/// From the parser's characters to bytes.
struct Places<'t> {
    text: &'t str,
    /// Offset of every character; empty when all are one byte.
    offsets: Vec<usize>,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        let offsets = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(offset, _)| offset).collect(),
        };
        Self { text, offsets }
    }

    fn mark(&self, marker: Marker) -> Mark {
        let offset = match self.text.is_ascii() {
            true => marker.index().min(self.text.len()),
            false => self.offsets.get(marker.index()).copied().unwrap_or(self.text.len()),
        };
        Mark { offset, line: marker.line().max(1), column: marker.col() + 1 }
    }
}

#[cfg(test)]
mod tests;
