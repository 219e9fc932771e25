//! What lies over the view: details, alerts, the menu of what can be done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::{Spots, details, events, theme};
use crate::app::{App, Item, Msg, Popup, Stage};
use crate::words::Tone;
use crate::{assess, keymap, t};

/// Widest popup.
const WIDEST: u16 = 88;

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
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    if app.wizard.is_some() {
        return;
    }
    let Some(popup) = &app.popup else { return };
    match popup {
        Popup::Details(item) => {
            let lines = about(app, item, usize::from(WIDEST.min(area.width).saturating_sub(6)));
            show(app, frame, area, details::title(item), Tone::Plain, lines, 0);
        }
        Popup::Concerns => {
            let (title, tone, lines) = concerns(app);
            show(app, frame, area, title, tone, lines, 0);
        }
        Popup::Menu(at) => menu(app, frame, area, *at, spots),
    }
}

fn about(app: &App, item: &Item, width: usize) -> Vec<Line<'static>> {
    if let Item::Event(_) = item {
        return events::chain(app, item, width);
    }
    let pairs = details::pairs(app, item);
    if pairs.is_empty() {
        return vec![Line::from(t!("details-gone"))];
    }
    let mut lines = details::lines(app, &pairs);
    lines.extend(details::reasons(app, item, width));
    lines
}

/// Draws a box that is as large as its text, and says where the text is.
pub fn show(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    tone: Tone,
    lines: Vec<Line<'static>>,
    least: usize,
) -> Rect {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.width() + 2).max(least);
    let most = WIDEST.min(area.width.saturating_sub(2));
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(most);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let inner = usize::from(width.saturating_sub(4)).max(1);
    let height = wrapped(&text, inner) + 2;
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let style = theme::fresh(app, tone);
    let title = Span::styled(format!(" {title} "), style.add_modifier(Modifier::BOLD));
    let set = if app.look.utf8 { border::ROUNDED } else { ASCII };
    let block = Block::bordered()
        .border_set(set)
        .border_style(style)
        .style(theme::ground(app))
        .title(title)
        .padding(Padding::horizontal(1));
    let text_area = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(text.block(block), place);
    text_area
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

/// What can be done now; what was begun says so.
fn menu(app: &App, frame: &mut Frame<'_>, area: Rect, at: usize, spots: &mut Spots) {
    let kinds = app.wizards();
    let titles: Vec<String> = kinds.iter().map(|kind| kind.title(app)).collect();
    let widest = titles.iter().map(|title| title.width()).max().unwrap_or(0);
    let room = usize::from(area.height.saturating_sub(6));
    let first = (at + 1).saturating_sub(room.max(1));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (number, (kind, title)) in kinds.iter().zip(&titles).enumerate().skip(first).take(room.max(1)) {
        let selected = number == at;
        let sign = match (selected, app.look.utf8) {
            (false, _) => "  ",
            (true, true) => "▸ ",
            (true, false) => "> ",
        };
        let parked = app.parked.iter().find(|wizard| wizard.kind == *kind);
        let state = match parked.map(|wizard| &wizard.stage) {
            None => String::new(),
            Some(Stage::Running { .. } | Stage::Token(_)) => t!("menu-running"),
            Some(Stage::Failed(_)) => t!("menu-failed"),
            Some(_) => t!("menu-begun"),
        };
        let key = keymap::BINDINGS
            .iter()
            .find(|binding| binding.msg == Msg::Begin(*kind))
            .and_then(|binding| binding.keys.first())
            .map(|key| keymap::name(*key, app.look.utf8))
            .unwrap_or_default();
        let style = if selected { theme::chosen() } else { theme::ground(app) };
        let pad = " ".repeat(widest - title.width());
        lines.push(Line::from(vec![
            Span::styled(sign, theme::key(app)),
            Span::styled(format!("{title}{pad}"), style),
            Span::styled(format!("  {key:2}"), theme::key(app)),
            Span::styled(state, theme::fresh(app, Tone::Warn)),
        ]));
    }
    let shown = lines.len();
    lines.push(Line::default());
    let about = kinds.get(at).map(|kind| kind.about(app)).unwrap_or_default();
    lines.push(Line::from(Span::styled(about, theme::fresh(app, Tone::Dim))));
    let text = show(app, frame, area, t!("menu-title"), Tone::Plain, lines, 0);
    for row in 0..shown {
        let y = text.y + u16::try_from(row).unwrap_or(u16::MAX);
        spots.add(Rect { y, height: 1, ..text }, Msg::Pick(first + row));
    }
}
