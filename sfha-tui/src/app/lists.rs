//! What is in the list of each view, in which order: sorted and filtered.

use sfha_proto::mesh::PeerStatus;
use sfha_proto::status::{NodeStatus, ServiceStatus, VipStatus};

use super::{App, Item, View};
use crate::words::{self, Tone};
use crate::{format, t};

/// More of a kind than this are not all shown in the overview.
const MANY: usize = 10;

/// A column that a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// By name, numbers in it as numbers.
    Name,
    /// The worst first.
    State,
    /// By the node that has it.
    Node,
    /// By id.
    Id,
    /// Who holds most first.
    Holds,
    /// The oldest handshake first.
    Handshake,
    /// Who sends this node most first.
    Received,
    /// Who is sent most first.
    Sent,
    /// The slowest first.
    Rtt,
    /// Who loses most first.
    Loss,
}

impl SortBy {
    /// Its name.
    pub fn label(self) -> String {
        match self {
            Self::Name => t!("sort-name"),
            Self::State => t!("sort-state"),
            Self::Node => t!("sort-node"),
            Self::Id => t!("sort-id"),
            Self::Holds => t!("sort-holds"),
            Self::Handshake => t!("sort-handshake"),
            Self::Received => t!("sort-received"),
            Self::Sent => t!("sort-sent"),
            Self::Rtt => t!("sort-rtt"),
            Self::Loss => t!("sort-loss"),
        }
    }
}

impl View {
    /// What the list of the view can be sorted by; nothing: it has an order of its own.
    pub fn sorts(self) -> &'static [SortBy] {
        use SortBy::{Handshake, Holds, Id, Loss, Name, Node, Received, Rtt, Sent, State};
        match self {
            Self::Mesh => &[Name, State, Handshake, Received, Sent, Rtt, Loss],
            Self::Resources => &[Name, State, Node],
            Self::Nodes => &[Name, State, Id, Holds],
            Self::Fencing => &[Name, State],
            Self::Overview | Self::Events | Self::Logs | Self::Help => &[],
        }
    }

    /// Rows can be searched for.
    pub fn filters(self) -> bool {
        !matches!(self, Self::Overview | Self::Help)
    }
}

/// A place in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

/// One row: what it is, the section it stands in, its place, and the text that a search looks at, if there is one.
struct Entry {
    item: Item,
    section: u8,
    tone: Tone,
    key: Key,
    text: String,
}

impl App {
    /// What is in the list of that view, in the order of the screen.
    pub fn listing(&self, view: View) -> Vec<Item> {
        let list = self.list(view);
        let sort = view.sorts().get(list.sort).copied().unwrap_or(SortBy::Name);
        let searched = view.filters() && view != View::Logs && !list.filter.is_empty();
        let mut entries = self.entries(view, sort, searched);
        if searched {
            let wanted: Vec<String> =
                list.filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
            entries.retain(|entry| {
                let text = entry.text.to_lowercase();
                wanted.iter().all(|word| text.contains(word.as_str()))
            });
        }
        if !view.sorts().is_empty() {
            entries.sort_by(|a, b| {
                let order = a.key.cmp(&b.key);
                let order = if list.reverse { order.reverse() } else { order };
                a.section.cmp(&b.section).then(order).then_with(|| match sort {
                    // The key is the name.
                    SortBy::Name => std::cmp::Ordering::Equal,
                    _ => name(&a.item).cmp(&name(&b.item)),
                })
            });
        }
        entries.into_iter().map(|entry| entry.item).collect()
    }

    /// Rows of the view without its filter.
    pub fn total(&self, view: View) -> usize {
        match view {
            View::Events => self.events.all().len(),
            _ => self.entries(view, SortBy::Name, false).len(),
        }
    }

    /// The text is made only for a search: at each change of the cluster, all rows are looked at.
    fn entries(&self, view: View, sort: SortBy, searched: bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        match view {
            View::Overview => {
                self.nodes(0, sort, false, &mut entries);
                self.resources(sort, false, &mut entries);
                self.peers(9, sort, false, &mut entries);
                few(&mut entries);
            }
            View::Mesh => self.peers(0, sort, searched, &mut entries),
            View::Resources => {
                self.resources(sort, searched, &mut entries);
                self.constraints(sort, searched, &mut entries);
            }
            View::Nodes | View::Fencing => self.nodes(0, sort, searched, &mut entries),
            View::Events => entries.extend(self.events.shown().map(|event| Entry {
                item: Item::Event(event.id),
                section: 0,
                tone: event.tone,
                key: Key::Number(0),
                text: text(searched, || format!("{} {}", event.kind.label(), event.text)),
            })),
            View::Logs | View::Help => {}
        }
        entries
    }

    fn nodes(&self, section: u8, sort: SortBy, searched: bool, into: &mut Vec<Entry>) {
        let Some(status) = &self.status else { return };
        for node in &status.nodes {
            let (tone, state) = words::node(node);
            let held = self.held_by(&node.name);
            let key = match sort {
                SortBy::State => worst(tone),
                SortBy::Id => Key::Number(node.id.into()),
                SortBy::Holds => most(held.len() as f64),
                _ => natural(&node.name),
            };
            let NodeStatus { name, address, .. } = node;
            let text = text(searched, || {
                format!("{name} {state} {address} {} {}", words::roles(node, status), held.join(" "))
            });
            into.push(Entry { item: Item::Node(name.clone()), section, tone, key, text });
        }
    }

    fn resources(&self, sort: SortBy, searched: bool, into: &mut Vec<Entry>) {
        let Some(status) = &self.status else { return };
        let key = |name: &str, tone, node: Option<&String>| match sort {
            SortBy::State => worst(tone),
            SortBy::Node => natural(node.map_or("\u{10ffff}", String::as_str)),
            _ => natural(name),
        };
        for vip in &status.vips {
            let (tone, state) = words::vip(vip);
            let VipStatus { name, address, holder, .. } = vip;
            let text =
                text(searched, || format!("vip {name} {state} {address} {}", words::vip_place(vip, true)));
            let key = key(name, tone, holder.as_ref());
            into.push(Entry { item: Item::Vip(name.clone()), section: 1, tone, key, text });
        }
        for service in &status.services {
            let (tone, state) = words::service(&service.state);
            let ServiceStatus { name, unit, holder, .. } = service;
            let text = text(searched, || {
                format!("service {name} {state} {unit} {}", holder.as_deref().unwrap_or_default())
            });
            let key = key(name, tone, holder.as_ref());
            into.push(Entry { item: Item::Service(name.clone()), section: 2, tone, key, text });
        }
        for check in &status.health {
            let (tone, state) = words::health(check.healthy);
            let error = check.last_error.as_deref().unwrap_or_default();
            let text = text(searched, || format!("check {} {state} {} {error}", check.name, check.kind));
            let key = key(&check.name, tone, None);
            into.push(Entry { item: Item::Check(check.name.clone()), section: 3, tone, key, text });
        }
    }

    fn constraints(&self, sort: SortBy, searched: bool, into: &mut Vec<Entry>) {
        let Some(status) = &self.status else { return };
        for (number, constraint) in status.constraints.iter().enumerate() {
            let Some((name, rule)) = words::constraint(constraint) else { continue };
            let (tone, state) = words::kept(status, constraint);
            let key = match sort {
                SortBy::State => worst(tone),
                _ => natural(name),
            };
            let text = text(searched, || format!("{name} {state} {rule}"));
            into.push(Entry { item: Item::Constraint(number), section: 4, tone, key, text });
        }
    }

    fn peers(&self, section: u8, sort: SortBy, searched: bool, into: &mut Vec<Entry>) {
        let Some(mesh) = &self.mesh else { return };
        for peer in &mesh.peers {
            let (tone, state) = words::peer_state(peer);
            let rate = self.rates.current(&peer.name, self.now);
            let key = match sort {
                SortBy::State => worst(tone),
                SortBy::Handshake => {
                    let age = peer.latest_handshake.as_deref();
                    let age = age.and_then(|time| format::seconds_since(time, self.now));
                    most(age.map_or(f64::MAX, |age| age as f64))
                }
                SortBy::Received => most(rate.map_or(-1.0, |rate| rate.rx)),
                SortBy::Sent => most(rate.map_or(-1.0, |rate| rate.tx)),
                SortBy::Rtt => most(peer.rtt_ms.map_or(-1.0, |ms| ms * 1000.0)),
                SortBy::Loss => most(peer.loss.map_or(-1.0, |loss| loss * 1000.0)),
                _ => natural(&peer.name),
            };
            let PeerStatus { name, ip, endpoint, path, .. } = peer;
            let text = text(searched, || {
                format!("{name} {state} {ip} {} {path}", endpoint.as_deref().unwrap_or_default())
            });
            into.push(Entry { item: Item::Peer(name.clone()), section, tone, key, text });
        }
    }
}

fn text(searched: bool, make: impl FnOnce() -> String) -> String {
    if searched { make() } else { String::new() }
}

/// Where there are many of a kind, the overview shows those that are not as they should be. Nodes are
/// always shown.
fn few(entries: &mut Vec<Entry>) {
    for section in 1..=9 {
        if entries.iter().filter(|entry| entry.section == section).count() > MANY {
            entries.retain(|entry| entry.section != section || matches!(entry.tone, Tone::Warn | Tone::Bad));
        }
    }
}

/// So that node2 comes before node10.
fn natural(name: &str) -> Key {
    let mut text = String::new();
    let mut digits = String::new();
    for c in name.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            text.push_str(&format!("{digits:0>12}"));
            digits.clear();
        }
        text.extend(c.to_lowercase());
    }
    Key::Text(text)
}

fn worst(tone: Tone) -> Key {
    Key::Number(-(tone as i64))
}

fn most(value: f64) -> Key {
    Key::Number(-(value as i64))
}

fn name(item: &Item) -> Key {
    match item {
        Item::Node(name) | Item::Vip(name) | Item::Service(name) | Item::Check(name) | Item::Peer(name) => {
            natural(name)
        }
        Item::Event(number) => Key::Number(i64::try_from(*number).unwrap_or(i64::MAX)),
        Item::Constraint(number) => Key::Number(i64::try_from(*number).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["node10", "node2", "Node1", "db", "node2b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["db", "Node1", "node2", "node2b", "node10"]);
    }
}
