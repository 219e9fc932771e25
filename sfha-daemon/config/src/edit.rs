//! Changes single entries in the text of a file and leaves every other line as it is.
//!
//! An entry that is added goes behind the last one of its list, in that list's indentation. One that goes
//! takes its lines with it, and nothing else: a comment above it stays. One that changes keeps the lines of
//! the keys that stay the same. What cannot be done in that way (a list in brackets, a key on the line of its
//! dash) is done for the entry as a whole, and then for the list. Whatever was done is read again: a text that
//! does not say what it is to say is never returned.

use std::ops::Range;

use crate::findings::Findings;
use crate::reader::Reader;
use crate::render::{self, Field, Written};
use crate::schema;
use crate::shared::{Change, Entry, Key, Shared};
use crate::yaml::{self, Node, Value};

/// The text cannot be changed so that it says what it is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck;

/// Makes some changes in a text.
///
/// # Errors
/// [`Stuck`] when it does not read, or is written in a way that is not understood here.
pub fn edit(text: &str, changes: &[Change]) -> Result<String, Stuck> {
    let mut text = text.to_owned();
    for change in changes {
        let document = Document::read(&text).ok_or(Stuck)?;
        let mut wanted = document.shared.clone();
        wanted.apply(change);
        if wanted == document.shared {
            continue;
        }
        let attempts = [Document::by_key, Document::by_entry, Document::by_list];
        let done = attempts.iter().find_map(|attempt| {
            let edited = attempt(&document, change, &wanted)?;
            (Document::read(&edited)?.shared == wanted).then_some(edited)
        });
        text = done.ok_or(Stuck)?;
    }
    Ok(text)
}

/// A text that reads.
struct Document<'t> {
    text: &'t str,
    root: Node,
    shared: Shared,
    newline: &'static str,
}

/// Of a key that says what is so by default.
const NOTHING: Written = Written::Map(Vec::new());

/// Some bytes, and what comes in their place.
type Splice = (Range<usize>, String);

impl<'t> Document<'t> {
    /// `None` when it does not read, or has keys or values that are wrong; whether its parts fit together
    /// is not looked at.
    fn read(text: &'t str) -> Option<Self> {
        let mut reader = Reader { findings: Findings::new(text) };
        let root = yaml::parse(text, &mut reader.findings)?;
        let decoded = schema::decode(&root, &mut reader);
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        (!reader.findings.has_errors()).then_some(Self { text, root, shared: decoded.config.shared, newline })
    }

    /// Adds or removes the entry, or replaces what differs in it.
    fn by_key(&self, change: &Change, _: &Shared) -> Option<String> {
        let Some(list) = list_of(&change.key) else {
            return match change.key {
                Key::Stonith => self.stonith(change),
                Key::Qdevice => self.qdevice(change),
                _ => self.failback(change),
            };
        };
        match (&change.to, self.item(list, &change.key)) {
            (None, Some(item)) => Some(self.splice(vec![(self.item_lines(item)?, String::new())])),
            (Some(entry), None) => self.append(list, &change.key, entry),
            (Some(entry), Some(item)) => self.differing(&change.key, item, entry),
            (None, None) => None,
        }
    }

    /// Replaces the entry as a whole.
    fn by_entry(&self, change: &Change, _: &Shared) -> Option<String> {
        if let (Key::Stonith, Some(entry)) = (&change.key, &change.to) {
            let (key, value) = self.root.get("stonith")?;
            let section = ("stonith", Written::Map(fields(&change.key, entry)));
            return Some(
                self.splice(vec![(self.pair_lines(key, value)?, self.join(&render::lines(&[section], 0)))]),
            );
        }
        let item = self.item(list_of(&change.key)?, &change.key)?;
        let lines = self.item_lines(item)?;
        let dash = self.text[lines.start..].find('-')?;
        let new = self.join(&render::item(&fields(&change.key, change.to.as_ref()?), dash));
        Some(self.splice(vec![(lines, new)]))
    }

    /// Writes the list anew.
    fn by_list(&self, change: &Change, wanted: &Shared) -> Option<String> {
        let list = list_of(&change.key)?;
        let entries = wanted.entries();
        let mut lines = Vec::new();
        for (key, entry) in entries.iter().filter(|(key, _)| list_of(key) == Some(list)) {
            lines.extend(render::item(&fields(key, entry), 2));
        }
        let (key, value) = self.root.get(list)?;
        let end = self.last_line_end(value).max(self.line_end(key.end));
        let new = format!("{}:{}{}", list, self.newline, self.join(&lines));
        Some(self.splice(vec![(self.line_start(key.at.offset)..end, new)]))
    }

    fn failback(&self, change: &Change) -> Option<String> {
        let failback = !matches!(change.to, Some(Entry::Failback(false)));
        let (_, cluster) = self.root.get("cluster")?;
        if let Some((_, value)) = cluster.get("failback").filter(|(_, value)| value.end > 0) {
            return Some(self.splice(vec![(value.range(), failback.to_string())]));
        }
        let Value::Map(pairs) = &cluster.value else { return None };
        let indentation = pairs.first()?.0.at.column - 1;
        let end = self.last_line_end(cluster);
        let line = format!("{}failback: {failback}", " ".repeat(indentation));
        Some(self.splice(vec![self.insert(end, &[line])]))
    }

    /// Adds or removes the section, or replaces what differs in it, however deep that is.
    fn stonith(&self, change: &Change) -> Option<String> {
        let section = self.root.get("stonith");
        let Some(entry) = &change.to else {
            let (key, value) = section?;
            return Some(self.splice(vec![(self.pair_lines(key, value)?, String::new())]));
        };
        let new = Written::Map(fields(&change.key, entry));
        let Some((key, value)) = section else {
            let head = [String::new()].into_iter();
            let lines: Vec<String> = head.chain(render::pair("stonith", &new, 0)).collect();
            return Some(self.splice(vec![self.insert(self.text.len(), &lines)]));
        };
        let old = Entry::Stonith(Box::new(self.shared.stonith.clone()));
        let old = Written::Map(fields(&change.key, &old));
        let mut splices = Vec::new();
        self.nested(key, value, &old, &new, &mut splices)?;
        Some(self.splice(splices))
    }

    /// What makes a value the new one: below its keys, where both are lines of their own; else as a whole.
    /// Keys that nobody would write here, and those that say the same in another way, stay.
    fn nested(
        &self,
        key: &Node,
        value: &Node,
        old: &Written,
        new: &Written,
        splices: &mut Vec<Splice>,
    ) -> Option<()> {
        let indentation = key.at.column - 1;
        let block = match &value.value {
            Value::Map(pairs) if !self.text[value.at.offset..].starts_with('{') => pairs.first(),
            _ => None,
        };
        let (Some((first, _)), Some(old), Some(inner)) = (block, old.inner(), new.inner()) else {
            let name = key.text()?;
            match render::inline(new) {
                Some(text) if value.end > 0 && self.is_in_one_line(value) => {
                    splices.push((value.range(), text));
                }
                _ => {
                    let lines = self.join(&render::pair(name, new, indentation));
                    splices.push((self.pair_lines(key, value)?, lines));
                }
            }
            return Some(());
        };
        let indentation = first.at.column - 1;
        for (name, written) in &inner {
            let was = old.iter().find(|(other, _)| other == name).map(|(_, was)| *was);
            if was == Some(*written) {
                continue;
            }
            match (value.get(name), was) {
                (Some((key, value)), was) => {
                    self.nested(key, value, was.unwrap_or(&NOTHING), written, splices)?;
                }
                (None, _) => {
                    let lines = render::pair(name, written, indentation);
                    splices.push(self.insert(self.last_line_end(value), &lines));
                }
            }
        }
        for (name, _) in &old {
            if inner.iter().all(|(other, _)| other != name)
                && let Some((key, value)) = value.get(name)
            {
                splices.push((self.pair_lines(key, value)?, String::new()));
            }
        }
        Some(())
    }

    /// The device is all that `corosync:` has, so the section comes and goes with it.
    fn qdevice(&self, change: &Change) -> Option<String> {
        let lines = change.to.as_ref().map(|entry| {
            let device = Written::Map(fields(&change.key, entry));
            render::lines(&[("corosync", Written::Map(vec![("qdevice", device)]))], 0)
        });
        let splice = match (self.root.get("corosync"), lines) {
            (Some((key, value)), lines) => {
                (self.pair_lines(key, value)?, self.join(&lines.unwrap_or_default()))
            }
            (None, Some(lines)) => self.insert(self.text.len(), &[vec![String::new()], lines].concat()),
            (None, None) => return None,
        };
        Some(self.splice(vec![splice]))
    }

    fn items(&self, list: &str) -> &[Node] {
        match self.root.get(list) {
            Some((_, Node { value: Value::List(items), .. })) => items,
            _ => &[],
        }
    }

    fn item(&self, list: &str, key: &Key) -> Option<&Node> {
        let says = |item: &&Node, name: &str, text: &str| {
            item.get(name).and_then(|(_, value)| value.text()) == Some(text)
        };
        self.items(list).iter().find(|item| match key {
            Key::Vip(name) | Key::Service(name) | Key::Check(name) => says(item, "name", name),
            Key::Constraint(_) => fields_of(key).iter().all(|(name, written)| match written {
                Written::Text(text) => says(item, name, text),
                _ => false,
            }),
            Key::Failback | Key::Stonith | Key::Qdevice => false,
        })
    }

    /// The lines of an item of a list that is not in brackets, from that of its dash on.
    fn item_lines(&self, item: &Node) -> Option<Range<usize>> {
        let mut start = self.line_start(item.at.offset);
        let mut before = self.text[start..item.at.offset].trim();
        // The dash may stand alone on a line above.
        while before.is_empty() {
            let above = self.line_start(start.checked_sub(1)?);
            before = self.text[above..start].trim();
            if before.starts_with('#') {
                before = "";
            }
            start = above;
        }
        (before == "-").then(|| start..self.last_line_end(item))
    }

    fn append(&self, list: &str, key: &Key, entry: &Entry) -> Option<String> {
        let fields = fields(key, entry);
        if let Some(last) = self.items(list).last() {
            let lines = self.item_lines(last)?;
            let dash = self.text[lines.start..].find('-')?;
            let new = render::item(&fields, dash);
            return Some(self.splice(vec![self.insert(lines.end, &new)]));
        }
        let new = render::item(&fields, 2);
        match self.root.get(list) {
            None => {
                let blank = String::new();
                let head = [blank, format!("{list}:")];
                let lines: Vec<String> = head.into_iter().chain(new).collect();
                Some(self.splice(vec![self.insert(self.text.len(), &lines)]))
            }
            Some((name, value)) => {
                let mut splices = Vec::new();
                if value.end > value.at.offset {
                    // `[]`, `~` or `null`: the space before it goes, too.
                    let from = name.end + self.text[name.end..].find(':')? + 1;
                    splices.push((from..value.end, String::new()));
                }
                splices.push(self.insert(self.line_end(name.end.max(value.end)), &new));
                Some(self.splice(splices))
            }
        }
    }

    /// Replaces the keys of an item that differ.
    fn differing(&self, key: &Key, item: &Node, entry: &Entry) -> Option<String> {
        let Value::Map(pairs) = &item.value else { return None };
        let indentation = pairs.first()?.0.at.column - 1;
        let old = fields(key, self.shared.entries().get(key)?);
        let new = fields(key, entry);
        let end = self.item_lines(item)?.end;
        let mut splices = Vec::new();
        for (name, written) in &new {
            if old.iter().any(|(other, was)| other == name && was == written) {
                continue;
            }
            let lines = render::lines(&[(name, written.clone())], indentation);
            match (item.get(name), render::inline(written)) {
                (Some((_, value)), Some(text)) if value.end > 0 && self.is_in_one_line(value) => {
                    splices.push((value.range(), text));
                }
                (Some((at, value)), _) => {
                    splices.push((self.pair_lines(at, value)?, self.join(&lines)));
                }
                (None, _) => splices.push(self.insert(end, &lines)),
            }
        }
        for (name, _) in &old {
            if new.iter().all(|(other, _)| other != name) {
                let (at, value) = item.get(name)?;
                splices.push((self.pair_lines(at, value)?, String::new()));
            }
        }
        Some(self.splice(splices))
    }

    fn is_in_one_line(&self, value: &Node) -> bool {
        !self.text[value.range()].contains(['\n', '\r'])
    }

    /// The lines of a key and its value; `None` when something else stands on them.
    fn pair_lines(&self, key: &Node, value: &Node) -> Option<Range<usize>> {
        let start = self.line_start(key.at.offset);
        let alone = self.text[start..key.at.offset].trim().is_empty();
        alone.then(|| start..self.last_line_end(value).max(self.line_end(key.end)))
    }

    /// Where the line that a node ends on ends, its line end included.
    fn last_line_end(&self, node: &Node) -> usize {
        let end = self.last_byte(node);
        // A text in lines of its own ends behind its line end.
        let end = self.text[..end].trim_end().len();
        self.line_end(end)
    }

    fn last_byte(&self, node: &Node) -> usize {
        let flow = node.end > node.at.offset && self.text[node.at.offset..].starts_with(['[', '{']);
        let inner = match &node.value {
            Value::Map(pairs) => {
                pairs.last().map(|(key, value)| self.last_byte(key).max(self.last_byte(value)))
            }
            Value::List(items) => items.last().map(|item| self.last_byte(item)),
            Value::Scalar { .. } | Value::Refused => None,
        };
        inner.filter(|_| !flow).unwrap_or(node.end)
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find('\n').map_or(self.text.len(), |end| offset + end + 1)
    }

    /// Lines that come in at an offset where a line begins, or behind a text without a last line end.
    fn insert(&self, at: usize, lines: &[String]) -> Splice {
        let open = at > 0 && !self.text[..at].ends_with('\n');
        let lines = self.join(lines);
        (at..at, if open { format!("{}{lines}", self.newline) } else { lines })
    }

    fn join(&self, lines: &[String]) -> String {
        lines.iter().map(|line| format!("{line}{}", self.newline)).collect()
    }

    fn splice(&self, mut splices: Vec<Splice>) -> String {
        // Of several at one place the first comes first.
        splices.sort_by_key(|(range, _)| range.start);
        let mut out = String::new();
        let mut done = 0;
        for (range, new) in splices {
            out.push_str(self.text.get(done..range.start).unwrap_or_default());
            out.push_str(&new);
            done = done.max(range.end);
        }
        out.push_str(&self.text[done..]);
        out
    }
}

fn list_of(key: &Key) -> Option<&'static str> {
    match key {
        Key::Failback | Key::Stonith | Key::Qdevice => None,
        Key::Vip(_) => Some("vips"),
        Key::Service(_) => Some("services"),
        Key::Check(_) => Some("health_checks"),
        Key::Constraint(_) => Some("constraints"),
    }
}

fn fields(key: &Key, entry: &Entry) -> Vec<Field> {
    let name = match key {
        Key::Vip(name) | Key::Service(name) | Key::Check(name) => name,
        Key::Constraint(_) | Key::Failback | Key::Stonith | Key::Qdevice => "",
    };
    render::fields(name, entry)
}

fn fields_of(key: &Key) -> Vec<Field> {
    match key {
        Key::Constraint(constraint) => fields(key, &Entry::Constraint(constraint.clone())),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
