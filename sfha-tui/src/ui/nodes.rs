//! Nodes, and all about the selected one.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::sections;
use super::{Spots, resources};
use crate::app::{App, EventKind, View};

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let items = app.listing(View::Nodes);
    let sections: Vec<_> = sections::nodes(app, &items).into_iter().collect();
    let width = if area.width >= super::WIDE { area.width * 2 / 5 - 2 } else { area.width };
    let detail = resources::detail(app, usize::from(width));
    let kinds = [EventKind::Node, EventKind::Cluster];
    resources::split(app, frame, area, sections, detail, &kinds, spots);
}
