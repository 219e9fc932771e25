//! What lies over the view: details, a question, bad news.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::{details, logs, theme};
use crate::app::{App, Intent, Popup};
use crate::words::Tone;
use crate::{assess, t};

/// Widest popup.
const WIDEST: u16 = 76;

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws the popup, if there is one.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(popup) = &app.popup else { return };
    let (title, tone, lines) = match popup {
        Popup::Details(item) => (details::title(item), Tone::Plain, pairs(app, &details::pairs(app, item))),
        Popup::Line(at) => (t!("section-logs"), Tone::Plain, line(app, *at)),
        Popup::Concerns => concerns(app),
        Popup::Confirm(intent) => (t!("confirm-title"), Tone::Warn, question(app, intent)),
        Popup::Problem(problem) => {
            let mut lines = vec![Line::from(problem.message.clone())];
            if let Some(next) = &problem.next {
                lines.push(Line::default());
                lines.push(Line::from(next.clone()));
            }
            (t!("problem-title"), Tone::Bad, lines)
        }
    };
    show(app, frame, area, title, tone, lines);
}

fn show(app: &App, frame: &mut Frame<'_>, area: Rect, title: String, tone: Tone, lines: Vec<Line<'static>>) {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.width() + 2);
    let most = WIDEST.min(area.width.saturating_sub(2));
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(most);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let inner = usize::from(width.saturating_sub(4)).max(1);
    let height = wrapped(&text, inner) + 2;
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let style = theme::fresh(app, tone);
    let title = Span::styled(format!(" {title} "), style.add_modifier(ratatui::style::Modifier::BOLD));
    let set = if app.look.utf8 { border::ROUNDED } else { ASCII };
    let block = Block::bordered()
        .border_set(set)
        .border_style(style)
        .title(title)
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(text.block(block), place);
}

/// Lines that the text takes at this width.
fn wrapped(text: &Paragraph<'_>, width: usize) -> usize {
    // `Paragraph::line_count` is unstable; drawing it tells the same.
    let area = Rect { x: 0, y: 0, width: u16::try_from(width).unwrap_or(u16::MAX), height: 60 };
    let mut buffer = ratatui::buffer::Buffer::empty(area);
    ratatui::widgets::Widget::render(text, area, &mut buffer);
    let used = |row: u16| (0..area.width).any(|x| buffer[(x, row)].symbol() != " ");
    (0..area.height).rev().find(|row| used(*row)).map_or(1, |row| usize::from(row) + 1)
}

fn pairs(app: &App, pairs: &[details::Pair]) -> Vec<Line<'static>> {
    if pairs.is_empty() {
        return vec![Line::from(t!("details-gone"))];
    }
    let width = pairs.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    pairs
        .iter()
        .map(|(name, value, tone)| {
            let pad = " ".repeat(width - name.width() + 2);
            let mut spans = vec![Span::styled(name.clone(), theme::dim(app)), Span::raw(pad)];
            if *tone != Tone::Plain {
                spans.push(theme::mark(app, *tone));
                spans.push(Span::raw(" "));
            }
            spans.push(Span::styled(value.clone(), theme::tone(app, *tone)));
            Line::from(spans)
        })
        .collect()
}

fn line(app: &App, at: usize) -> Vec<Line<'static>> {
    let Some(line) = app.journal.get(at) else { return vec![Line::from(t!("details-gone"))] };
    vec![
        Line::from(vec![
            Span::styled(logs::time(app, line), theme::dim(app)),
            Span::raw(" "),
            Span::styled(line.level.clone(), theme::tone(app, logs::tone(&line.level))),
            Span::raw(" "),
            Span::styled(line.target.clone(), theme::dim(app)),
        ]),
        Line::default(),
        Line::from(line.message.clone()),
    ]
}

/// Everything that is not as it should be, or that all is well.
fn concerns(app: &App) -> (String, Tone, Vec<Line<'static>>) {
    let concerns = app.status.as_ref().map(assess::concerns).unwrap_or_default();
    let worst = concerns.first().map_or(Tone::Good, |concern| concern.tone);
    let mut lines: Vec<Line<'static>> = concerns
        .into_iter()
        .map(|concern| {
            let text = Span::styled(format!(" {}", concern.text), theme::plain(app));
            Line::from(vec![theme::mark(app, concern.tone), text])
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::from(t!("no-concerns")));
    }
    (t!("concerns-title"), worst, lines)
}

/// The question and its consequence.
fn question(app: &App, intent: &Intent) -> Vec<Line<'static>> {
    let (question, consequence) = match intent {
        Intent::Standby(node) => {
            let held = app.held_by(node);
            let consequence = t!("confirm-standby-vips", count = held.len(), names = held.join(", "));
            (t!("confirm-standby", node = node.as_str()), consequence)
        }
        Intent::Unstandby(node) => {
            (t!("confirm-unstandby", node = node.as_str()), t!("confirm-unstandby-then"))
        }
        Intent::Maintenance(true) => (t!("confirm-maintenance-on"), t!("confirm-maintenance-on-then")),
        Intent::Maintenance(false) => (t!("confirm-maintenance-off"), t!("confirm-maintenance-off-then")),
    };
    let answer = |key: String, label: String| {
        vec![Span::styled(key, theme::key(app)), Span::styled(format!(" {label}   "), Style::new())]
    };
    let mut answers = answer(t!("confirm-yes-key"), t!("key-confirm"));
    answers.extend(answer("n".to_owned(), t!("key-cancel")));
    vec![
        Line::from(Span::styled(question, Style::new().add_modifier(ratatui::style::Modifier::BOLD))),
        Line::from(consequence),
        Line::default(),
        Line::from(answers),
    ]
}
