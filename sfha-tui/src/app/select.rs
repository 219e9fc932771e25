//! What can be selected in the overview, and how the selection moves and stays.

use super::App;

/// Something that has details.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A node, by name.
    Node(String),
    /// A VIP, by name.
    Vip(String),
    /// A service, by name.
    Service(String),
    /// A peer of the mesh, by the name of its node.
    Peer(String),
}

impl Item {
    /// The node that it is or belongs to.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node(name) | Self::Peer(name) => Some(name),
            Self::Vip(_) | Self::Service(_) => None,
        }
    }
}

impl App {
    /// Everything that can be selected, in the order of the screen.
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        if let Some(status) = &self.status {
            items.extend(status.nodes.iter().map(|node| Item::Node(node.name.clone())));
            items.extend(status.vips.iter().map(|vip| Item::Vip(vip.name.clone())));
            items.extend(status.services.iter().map(|service| Item::Service(service.name.clone())));
        }
        if let Some(mesh) = &self.mesh {
            items.extend(mesh.peers.iter().map(|peer| Item::Peer(peer.name.clone())));
        }
        items
    }

    pub(super) fn shift_selection(&mut self, by: i32) {
        let items = self.items();
        let Some(last) = items.len().checked_sub(1) else { return };
        let at = self.selected.as_ref().and_then(|item| items.iter().position(|i| i == item));
        let next = match at {
            None => 0,
            Some(at) => at.saturating_add_signed(isize::try_from(by).unwrap_or(0)).min(last),
        };
        self.selected = items.into_iter().nth(next);
    }

    /// A selection of something that is gone moves to the first line.
    pub(super) fn keep_selection(&mut self) {
        let items = self.items();
        if self.selected.as_ref().is_none_or(|item| !items.contains(item)) {
            self.selected = items.into_iter().next();
        }
    }
}
