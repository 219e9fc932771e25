//! VIPs, services, health checks and constraints, and why the selected one is where it is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::sections::{self, Section, height, stack};
use super::{Spots, details, events};
use crate::app::{App, EventKind, View};

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let items = app.listing(View::Resources);
    let sections: Vec<_> = [
        sections::vips(app, &items),
        sections::services(app, &items),
        sections::checks(app, &items),
        sections::constraints(app, &items),
    ]
    .into_iter()
    .flatten()
    .collect();
    let width = if area.width >= super::WIDE { area.width * 2 / 5 - 2 } else { area.width };
    let detail = detail(app, usize::from(width));
    let kinds = [EventKind::Vip, EventKind::Service, EventKind::Check];
    split(app, frame, area, sections, detail, &kinds, spots);
}

/// A list; beside or below it the selected thing; and what happened, where there is room left.
pub fn split(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    sections: Vec<Section>,
    detail: Vec<Line<'static>>,
    kinds: &[EventKind],
    spots: &mut Spots,
) {
    let wanted = height(&sections);
    let [list, side] = super::beside(area, usize::from(wanted), detail.len());
    let left = list.height.saturating_sub(wanted);
    let left = if left < 3 { 0 } else { left };
    let [list, rest] = Layout::vertical([Constraint::Fill(1), Constraint::Length(left)]).areas(list);
    stack(app, frame, list, sections, spots);
    super::plain_list(app, frame, side, detail);
    events::about(app, frame, rest, kinds);
}

/// The selected thing: facts, and reasons.
pub fn detail(app: &App, width: usize) -> Vec<Line<'static>> {
    let Some(item) = app.selected() else { return Vec::new() };
    let mut lines = vec![super::rule(app, width, details::title(item), "")];
    lines.extend(details::columns(app, &details::pairs(app, item), width.saturating_sub(1)));
    lines.extend(details::reasons(app, item, width.saturating_sub(4)));
    lines
}
