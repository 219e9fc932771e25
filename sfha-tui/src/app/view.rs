//! What fills the screen.

/// One of the views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Everything in short.
    Overview,
    /// Peers, the paths between all nodes, traffic.
    Mesh,
    /// VIPs, services, health checks.
    Resources,
    /// Nodes.
    Nodes,
    /// Who is fenced, and who was.
    Fencing,
    /// What has happened while the dashboard watched.
    Events,
    /// The daemon's log.
    Logs,
    /// Keys and marks.
    Help,
}

impl View {
    /// In the order of the tabs; the help is none of them.
    pub const TABS: [Self; 7] =
        [Self::Overview, Self::Mesh, Self::Resources, Self::Nodes, Self::Fencing, Self::Events, Self::Logs];

    /// The tab that many places further on.
    pub(super) fn step(self, by: usize) -> Self {
        let at = Self::TABS.iter().position(|view| *view == self).unwrap_or(0);
        Self::TABS[(at + by) % Self::TABS.len()]
    }
}

/// What is shown below the list of peers where there is no room for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The selected peer.
    Peer,
    /// The paths between all nodes.
    Matrix,
}
