//! Everything in short; beside each other where there is room, above what happened last.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use sfha_proto::status::Phase;

use super::sections::{self, height, stack};
use super::{Spots, WIDE, events, graph, theme};
use crate::app::{App, Link, View};
use crate::t;
use crate::words::{self, Tone};

/// Fewer lines than this are not worth giving to what happened.
const TAIL: u16 = 3;
/// Lines of the graphs of traffic, where there is room for them.
const GRAPHS: u16 = 9;

/// What stands in every view while there is no cluster to show; false if there is one.
pub fn instead(app: &App, frame: &mut Frame<'_>, area: Rect) -> bool {
    match &app.status {
        None => waiting(app, frame, area),
        Some(status) if status.phase == Phase::Unconfigured => unconfigured(app, frame, area),
        Some(_) => return false,
    }
    true
}

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let items = app.listing(View::Overview);
    let left: Vec<_> = [
        sections::nodes(app, &items),
        sections::vips(app, &items),
        sections::services(app, &items),
        sections::checks(app, &items),
    ]
    .into_iter()
    .flatten()
    .collect();
    let right: Vec<_> = sections::peers(app, &items, area.width).into_iter().collect();
    let wide = area.width >= WIDE + 40 && !right.is_empty();
    let needed = if wide { height(&left).max(height(&right)) } else { height(&left) + height(&right) };
    let free = area.height.saturating_sub(needed);
    let graphs = if !right.is_empty() && free >= GRAPHS + TAIL { GRAPHS } else { 0 };
    let tail = if free >= TAIL { free - graphs } else { 0 };
    let lengths = [Constraint::Fill(1), Constraint::Length(graphs), Constraint::Length(tail)];
    let [body, middle, tail] = Layout::vertical(lengths).areas(area);
    let halves = [Constraint::Fill(4), Constraint::Fill(if wide { 5 } else { 4 })];
    if wide {
        let [a, b] = Layout::horizontal(halves).spacing(2).areas(body);
        stack(app, frame, a, left, spots);
        stack(app, frame, b, right, spots);
    } else {
        stack(app, frame, body, left.into_iter().chain(right).collect(), spots);
    }
    if graphs > 0 {
        graph::traffic(app, frame, middle, halves);
    }
    events::tail(app, frame, tail);
}

/// Nothing is known yet: what is tried, and what to do if it does not come.
fn waiting(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (tone, lines) = match &app.link {
        Link::Lost { problem, .. } => {
            let retrying = Line::from(Span::styled(t!("retrying"), theme::fresh(app, Tone::Dim)));
            let next = problem.next.clone().unwrap_or_default();
            let message = Line::from(Span::styled(problem.message.clone(), theme::fresh(app, Tone::Bad)));
            let mut lines = vec![message, Line::from(next), Line::default(), retrying];
            if !app.wizards().is_empty() {
                let menu = Span::raw(format!("  {}", t!("unconfigured-wizards")));
                lines.push(Line::from(vec![Span::styled("w", theme::key(app)), menu]));
            }
            (Tone::Bad, lines)
        }
        Link::Connecting | Link::Up => (Tone::Warn, vec![Line::from(t!("waiting"))]),
    };
    let [_, area] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let [mark, text] = Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
    let sign = Span::styled(format!(" {}", words::mark(tone, app.look.utf8)), theme::fresh(app, tone));
    frame.render_widget(Line::from(sign), mark);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), text);
}

/// What to do where there is no cluster yet.
fn unconfigured(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = vec![Line::from(vec![
        Span::styled("w", theme::key(app)),
        Span::raw(format!("  {}", t!("unconfigured-wizards"))),
    ])];
    lines.push(Line::default());
    lines.extend(t!("unconfigured-next").lines().map(|line| Line::from(line.to_owned())));
    let [_, area] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let [_, text] = Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), text);
}
