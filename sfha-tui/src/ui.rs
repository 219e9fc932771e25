//! What is on the screen: a function of [`App`] (and of tui-logger's buffer, in the view of the log).
//!
//! ```text
//! ┌ cluster, node                                    connection ┐
//! │ tabs                                                        │
//! │ quorum, leader, detection (overview only)                   │
//! │ is all well?                                                │
//! ├─────────────────────────────────────────────────────────────┤
//! │ view; popup or wizard over it                               │
//! ├─────────────────────────────────────────────────────────────┤
//! └ keys, a search, or the latest news                          ┘
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use crate::app::{App, Item, Msg, View};

mod chrome;
mod details;
mod events;
mod fencing;
mod graph;
mod grid;
mod help;
mod logs;
mod matrix;
mod mesh;
mod nodes;
mod overview;
mod popup;
mod resources;
mod sections;
mod theme;
mod why;
mod wizard;

/// From this width on there is room for something beside a list.
const WIDE: u16 = 110;

/// What a click means, and where.
#[derive(Debug, Default)]
pub struct Spots(Vec<(Rect, Msg)>);

impl Spots {
    fn add(&mut self, area: Rect, msg: Msg) {
        self.0.push((area, msg));
    }

    /// What is meant by a click there.
    pub fn at(&self, column: u16, row: u16) -> Option<Msg> {
        let here = Position { x: column, y: row };
        self.0.iter().rev().find(|(area, _)| area.contains(here)).map(|(_, msg)| msg.clone())
    }
}

/// Draws everything, and says what can be clicked.
pub fn draw(app: &App, frame: &mut Frame<'_>) -> Spots {
    let mut spots = Spots::default();
    let area = frame.area();
    frame.buffer_mut().set_style(area, theme::ground(app));
    let top = chrome::header(app, area.width, &mut spots);
    let height = u16::try_from(top.len()).unwrap_or(3);
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    frame.render_widget(Paragraph::new(top), header);
    match app.view {
        View::Help => help::draw(app, frame, body),
        View::Logs => logs::draw(app, frame, body),
        _ if overview::instead(app, frame, body) => {}
        View::Overview => overview::draw(app, frame, body, &mut spots),
        View::Mesh => mesh::draw(app, frame, body, &mut spots),
        View::Resources => resources::draw(app, frame, body, &mut spots),
        View::Nodes => nodes::draw(app, frame, body, &mut spots),
        View::Fencing => fencing::draw(app, frame, body, &mut spots),
        View::Events => events::draw(app, frame, body, &mut spots),
    }
    if app.wizard.is_some() || app.popup.is_some() {
        spots = Spots::default();
    }
    chrome::footer(app, frame, footer, &mut spots);
    popup::draw(app, frame, body, &mut spots);
    wizard::draw(app, frame, body);
    spots
}

/// A light line that carries a title, and a word at its end.
fn rule(app: &App, width: usize, title: String, state: &str) -> Line<'static> {
    let sign = if app.look.utf8 { "─" } else { "-" };
    let room = width.saturating_sub(title.width() + 7);
    let state = theme::cut(state, if room < 4 { 0 } else { room }, app.look.utf8);
    let state = if state.is_empty() { String::new() } else { format!(" {state} ") };
    let fill = width.saturating_sub(title.width() + state.width() + 6);
    Line::from(vec![
        Span::styled(format!("{} ", sign.repeat(2)), theme::dim(app)),
        Span::styled(title, theme::title(app)),
        Span::styled(format!(" {}", sign.repeat(fill)), theme::dim(app)),
        Span::styled(state, theme::dim(app)),
        Span::styled(sign.repeat(2), theme::dim(app)),
    ])
}

/// A line of a list, and what is selected by it.
type Row = (Line<'static>, Option<Item>);

/// The first of that many lines that is shown.
fn offset(lines: usize, height: usize, keep: Option<usize>) -> usize {
    match keep {
        Some(keep) if lines > height => (keep + 1 + height / 3).saturating_sub(height).min(lines - height),
        _ => 0,
    }
}

/// Draws the lines that fit, with the line `keep` among them; signs at the right edge tell of more.
fn list(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    rows: Vec<Row>,
    keep: Option<usize>,
    spots: &mut Spots,
) {
    let height = usize::from(area.height);
    let offset = offset(rows.len(), height, keep);
    let below = rows.len() > offset + height;
    for (y, (line, item)) in (area.y..).zip(rows.into_iter().skip(offset).take(height)) {
        let place = Rect { y, height: 1, ..area };
        frame.buffer_mut().set_style(place, line.style);
        frame.render_widget(line, place);
        if let Some(item) = item {
            spots.add(place, Msg::Select(item));
        }
    }
    let edge = |row: u16| Rect { x: area.right().saturating_sub(1), y: row, width: 1, height: 1 };
    let (up, down) = if app.look.utf8 { ("▲", "▼") } else { ("^", "v") };
    if offset > 0 && area.height > 0 {
        frame.render_widget(Span::styled(up, theme::dim(app)), edge(area.y));
    }
    if below && area.height > 0 {
        frame.render_widget(Span::styled(down, theme::dim(app)), edge(area.bottom() - 1));
    }
}

/// Lines that cannot be selected.
fn plain_list(app: &App, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    let rows = lines.into_iter().map(|line| (line, None)).collect();
    list(app, frame, area, rows, None, &mut Spots::default());
}

/// Areas of a list of that many lines and of what is beside or below it; the second may be empty.
fn beside(area: Rect, lines: usize, detail: usize) -> [Rect; 2] {
    if area.width >= WIDE {
        return Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).spacing(2).areas(area);
    }
    let lines = u16::try_from(lines).unwrap_or(u16::MAX);
    let detail = u16::try_from(detail).unwrap_or(u16::MAX);
    let most = area.height.saturating_sub(lines.min(area.height / 2));
    let below = if most < 4 { 0 } else { detail.min(most) };
    Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area)
}

#[cfg(test)]
mod tests;
