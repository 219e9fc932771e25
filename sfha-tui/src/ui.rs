//! What is on the screen: a function of [`App`], and of nothing else.
//!
//! ```text
//! ┌ cluster, node            tabs                    connection ┐
//! │ quorum, leader, detection                                   │
//! │ is all well?                                                │
//! ├─────────────────────────────────────────────────────────────┤
//! │ view                                                        │
//! ├─────────────────────────────────────────────────────────────┤
//! └ keys, or the latest news                                    ┘
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use crate::app::{App, View};

mod chrome;
mod details;
mod grid;
mod help;
mod logs;
mod overview;
mod popup;
mod theme;
mod traffic;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let top = chrome::header(app, area.width);
    let height = u16::try_from(top.len()).unwrap_or(3);
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    frame.render_widget(Paragraph::new(top), header);
    match app.view {
        View::Overview => overview::draw(app, frame, body),
        View::Logs => logs::draw(app, frame, body),
        View::Help => help::draw(app, frame, body),
    }
    frame.render_widget(Paragraph::new(chrome::footer(app, footer.width)), footer);
    popup::draw(app, frame, area);
}

/// A light line that carries a title, and a word at its end.
fn rule(app: &App, width: usize, title: String, state: &str) -> Line<'static> {
    let sign = if app.look.utf8 { "─" } else { "-" };
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

/// Draws the lines that fit, with the line `keep` among them; signs at the right edge tell of more.
fn list(app: &App, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, keep: Option<usize>) {
    let height = usize::from(area.height);
    let offset = match keep {
        Some(keep) if lines.len() > height => {
            (keep + 1 + height / 3).saturating_sub(height).min(lines.len() - height)
        }
        _ => 0,
    };
    let below = lines.len() > offset + height;
    let shown: Vec<Line<'_>> = lines.into_iter().skip(offset).take(height).collect();
    frame.render_widget(Paragraph::new(shown), area);
    let edge = |row: u16| Rect { x: area.right().saturating_sub(1), y: row, width: 1, height: 1 };
    let (up, down) = if app.look.utf8 { ("▲", "▼") } else { ("^", "v") };
    if offset > 0 && area.height > 0 {
        frame.render_widget(Span::styled(up, theme::dim(app)), edge(area.y));
    }
    if below && area.height > 0 {
        frame.render_widget(Span::styled(down, theme::dim(app)), edge(area.bottom() - 1));
    }
}

#[cfg(test)]
mod tests;
