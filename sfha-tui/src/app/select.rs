//! What can be selected, and how the selection of each view moves and stays.

use super::{App, View};

/// Something that has details.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A node, by name.
    Node(String),
    /// A VIP, by name.
    Vip(String),
    /// A service, by name.
    Service(String),
    /// A health check, by name.
    Check(String),
    /// A peer of the mesh, by the name of its node.
    Peer(String),
    /// Something that happened, by its number.
    Event(u64),
    /// What ties two resources together, by its place in the configuration.
    Constraint(usize),
}

impl Item {
    /// The node that it is or belongs to.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node(name) | Self::Peer(name) => Some(name),
            Self::Vip(_) | Self::Service(_) | Self::Check(_) | Self::Event(_) | Self::Constraint(_) => None,
        }
    }
}

/// How the list of one view is shown.
#[derive(Debug, Clone, Default)]
pub struct ListState {
    /// What is selected; nothing in the list of events means that its end is followed.
    pub selected: Option<Item>,
    /// Number of the column that it is sorted by.
    pub sort: usize,
    /// The other way round.
    pub reverse: bool,
    /// Only rows that contain this.
    pub filter: String,
}

impl App {
    /// How the list of that view is shown.
    pub fn list(&self, view: View) -> &ListState {
        static NONE: ListState = ListState { selected: None, sort: 0, reverse: false, filter: String::new() };
        self.lists.get(&view).unwrap_or(&NONE)
    }

    pub(super) fn list_mut(&mut self) -> &mut ListState {
        self.lists.entry(self.view).or_default()
    }

    /// What is selected now.
    pub fn selected(&self) -> Option<&Item> {
        self.list(self.view).selected.as_ref()
    }

    pub(super) fn select(&mut self, item: Item) {
        self.list_mut().selected = Some(item);
    }

    pub(super) fn shift_selection(&mut self, by: i32) {
        let items = self.listing(self.view);
        let Some(last) = items.len().checked_sub(1) else { return };
        let at = self.selected().and_then(|item| items.iter().position(|i| i == item));
        let by = isize::try_from(by).unwrap_or(0);
        let events = self.view == View::Events;
        let next = match at {
            None if events => last.saturating_add_signed(by.min(0)),
            None => 0,
            Some(at) => at.saturating_add_signed(by).min(last),
        };
        // At its end, the list of events is followed again.
        let selected = if events && next == last { None } else { items.into_iter().nth(next) };
        self.list_mut().selected = selected;
    }

    /// A selection of something that is gone, or is not shown, moves to the first line. Lists of other views are
    /// looked at when they are shown.
    pub(super) fn keep_selection(&mut self) {
        let view = self.view;
        let items = self.listing(view);
        let list = self.list_mut();
        if list.selected.as_ref().is_none_or(|item| !items.contains(item)) {
            list.selected = if view == View::Events { None } else { items.into_iter().next() };
        }
    }
}
