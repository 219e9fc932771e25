//! The mesh: every peer, and below or beside it the selected one or the paths between all nodes.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::sections::{self, height, stack};
use super::{Spots, WIDE, details, events, graph, matrix, theme};
use crate::app::{App, EventKind, Item, Pane, View};
use crate::t;

/// Lines of a graph that can be read.
const GRAPH: u16 = 4;
/// Lines of a graph that is large enough.
const TALLEST: u16 = 18;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let items = app.listing(View::Mesh);
    let Some(peers) = sections::peers(app, &items, area.width) else {
        let none = Span::styled(format!("   {}", t!("no-mesh")), theme::dim(app));
        return frame.render_widget(Line::from(none), area);
    };
    let wanted = height(std::slice::from_ref(&peers));
    let narrow_matrix = area.width < WIDE && app.pane == Pane::Matrix;
    let list = if narrow_matrix {
        // All pairs matter more than the list, which is a key away.
        let matrix = u16::try_from(matrix::height(app)).unwrap_or(u16::MAX);
        let left = area.height.saturating_sub(matrix);
        if left < 4 { 0 } else { wanted.min(left) }
    } else {
        wanted.min(area.height / 2).max(4).min(area.height)
    };
    let [top, below] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(area);
    stack(app, frame, top, vec![peers], spots);
    if below.height < 4 {
        return;
    }
    if area.width >= WIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2).areas(below);
        // What the matrix leaves is for the node itself.
        let lines = u16::try_from(matrix::height(app)).unwrap_or(u16::MAX).min(left.height);
        let [upper, lower] = Layout::vertical([Constraint::Length(lines), Constraint::Fill(1)]).areas(left);
        matrix::draw(app, frame, upper);
        here(app, frame, lower);
        peer(app, frame, right);
    } else if app.pane == Pane::Matrix {
        matrix::draw(app, frame, below);
    } else {
        peer(app, frame, below);
    }
}

/// This node's end of the mesh, and what happened in it.
fn here(app: &App, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let mut lines = vec![super::rule(app, usize::from(area.width), t!("section-here"), "")];
    lines.extend(details::lines(app, &details::here(app)));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let [facts, rest] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    super::plain_list(app, frame, facts, lines);
    events::about(app, frame, rest, &[EventKind::Mesh]);
}

/// The selected peer: facts, traffic, quality.
fn peer(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(item @ Item::Peer(name)) = app.selected() else { return };
    let width = usize::from(area.width);
    let pairs = details::columns(app, &details::pairs(app, item), width.saturating_sub(1));
    let graphs = area.height.saturating_sub(u16::try_from(pairs.len() + 1).unwrap_or(u16::MAX));
    let (one, two) = if graphs >= 2 * GRAPH { (graphs - graphs / 2, graphs / 2) } else { (graphs, 0) };
    let one = if one < 3 { 0 } else { one.min(TALLEST) };
    let two = two.min(TALLEST);
    let facts = u16::try_from(pairs.len() + 1).unwrap_or(u16::MAX).min(area.height);
    let lengths = [facts, one, two].map(Constraint::Length);
    let [facts, traffic, quality, _] =
        Layout::vertical(lengths.into_iter().chain([Constraint::Fill(1)])).areas(area);
    let mut lines = vec![super::rule(app, width, details::title(item), "")];
    lines.extend(pairs);
    super::plain_list(app, frame, facts, lines);
    if one > 0 {
        graph::traffic(app, frame, traffic, [Constraint::Fill(1), Constraint::Fill(1)]);
    }
    if two > 0 {
        graph::quality(app, frame, quality, name);
    }
}
