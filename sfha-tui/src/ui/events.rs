//! What has happened, and what followed from what.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{Spots, theme};
use crate::app::{App, EventKind, HappenedEvent as Event, Item, View};
use crate::i18n::{Lang, current};
use crate::t;

/// From this height on there is room for the chain of the selected event.
const TALL: u16 = 26;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let width = usize::from(area.width);
    let items = app.listing(View::Events);
    let list = app.list(View::Events);
    let total = app.total(View::Events);
    let mut state = app.events.shown_only();
    if !list.filter.is_empty() {
        state.push(t!("list-filter", filter = list.filter.as_str(), shown = items.len(), total = total));
    } else if !state.is_empty() {
        state.push(t!("events-some", shown = items.len(), total = total));
    } else if list.selected.is_some() {
        state.push(t!("events-count", count = total));
    } else {
        state.push(t!("events-following"));
    }
    let state = state.join(", ");
    let head = Rect { height: 1.min(area.height), ..area };
    frame.render_widget(super::rule(app, width, t!("section-events"), &state), head);
    let body = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    if items.is_empty() {
        let none = if total == 0 { t!("no-events") } else { t!("no-match") };
        let none = theme::cut(&none, width.saturating_sub(4), app.look.utf8);
        return frame.render_widget(Line::from(Span::styled(format!("   {none}"), theme::dim(app))), body);
    }
    let at = list.selected.as_ref().and_then(|item| items.iter().position(|i| i == item));
    let keep = at.unwrap_or(items.len() - 1);
    let chain = items.get(keep).map(|item| chain(app, item, width)).unwrap_or_default();
    let below = if body.height >= TALL && chain.len() > 1 { chain.len() + 1 } else { 0 };
    let below = u16::try_from(below).unwrap_or(u16::MAX).min(body.height / 2);
    let [rows, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(body);
    let height = usize::from(rows.height);
    let first = super::offset(items.len(), height, Some(keep));
    let shown: Vec<Option<&Event>> = (items.iter())
        .map(|item| match item {
            Item::Event(id) => app.events.get(*id),
            _ => None,
        })
        .collect();
    let dated = shown.iter().skip(first).take(height).flatten().any(|event| !today(app, event));
    // There may be hundreds: only those are made that have room.
    let lines = items.iter().zip(&shown).enumerate().map(|(number, (item, event))| match event {
        Some(event) if (first..first + height).contains(&number) => {
            (line(app, event, width, at == Some(number), dated), Some(item.clone()))
        }
        _ => (Line::default(), None),
    });
    super::list(app, frame, rows, lines.collect(), Some(keep), spots);
    if below > 1 {
        let mut lines = vec![super::rule(app, width, t!("section-chain"), "")];
        lines.extend(chain);
        super::plain_list(app, frame, lower, lines);
    }
}

/// The last events, below another view.
pub fn tail(app: &App, frame: &mut Frame<'_>, area: Rect) {
    latest(app, frame, area, t!("section-events"), |_| true);
}

/// The last events about things of these kinds.
pub fn about(app: &App, frame: &mut Frame<'_>, area: Rect, kinds: &[EventKind]) {
    latest(app, frame, area, t!("section-events"), |event| kinds.contains(&event.kind));
}

/// The last events that have to do with fencing: losses of nodes, and what was done about them.
pub fn history(app: &App, frame: &mut Frame<'_>, area: Rect) {
    latest(app, frame, area, t!("section-fencing-history"), |event| {
        matches!(event.kind, EventKind::Fencing | EventKind::Node)
    });
}

fn latest(app: &App, frame: &mut Frame<'_>, area: Rect, title: String, wanted: impl Fn(&Event) -> bool) {
    if area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let room = usize::from(area.height) - 1;
    let latest: Vec<&Event> = app.events.all().rev().filter(|event| wanted(event)).take(room).collect();
    let dated = latest.iter().any(|event| !today(app, event));
    let mut lines: Vec<Line<'static>> =
        latest.iter().map(|event| line(app, event, width, false, dated)).collect();
    lines.push(super::rule(app, width, title, ""));
    lines.reverse();
    if lines.len() == 1 {
        let none = theme::cut(&t!("no-events"), width.saturating_sub(4), app.look.utf8);
        lines.push(Line::from(Span::styled(format!("   {none}"), theme::dim(app))));
    }
    super::plain_list(app, frame, area, lines);
}

/// What led to an event, and what followed.
pub fn chain(app: &App, item: &Item, width: usize) -> Vec<Line<'static>> {
    let Item::Event(id) = item else { return Vec::new() };
    let arrow = if app.look.utf8 { "└ " } else { "` " };
    let chain = app.events.chain(*id);
    let dated = chain.iter().any(|(_, event)| !today(app, event));
    let line = |(depth, event): (usize, &Event)| {
        let indent = if depth == 0 { String::new() } else { format!("{}{arrow}", "  ".repeat(depth - 1)) };
        let time = time(app, event, dated);
        let room = width.saturating_sub(time.width() + 6 + indent.width());
        let text = text(event, room, app.look.utf8);
        let style =
            if event.id == *id { theme::plain(app).patch(theme::chosen()) } else { theme::plain(app) };
        Line::from(vec![
            Span::styled(format!(" {time} "), theme::dim(app)),
            Span::styled(indent, theme::dim(app)),
            theme::mark(app, event.tone),
            Span::raw(" "),
            Span::styled(text, style),
        ])
    };
    chain.into_iter().map(line).collect()
}

fn today(app: &App, event: &Event) -> bool {
    let day = |at: jiff::Timestamp| at.to_zoned(app.zone.clone()).date();
    day(event.at) == day(app.now)
}

/// The time of day; where something is from another day, too, all have the width of day and time.
fn time(app: &App, event: &Event, dated: bool) -> String {
    let at = event.at.to_zoned(app.zone.clone());
    match (today(app, event), current()) {
        (true, _) if dated => at.strftime("   %H:%M:%S").to_string(),
        (true, _) => at.strftime("%H:%M:%S").to_string(),
        (false, Lang::French) => at.strftime("%d/%m %H:%M").to_string(),
        (false, Lang::English) => at.strftime("%m-%d %H:%M").to_string(),
    }
}

/// The sentence, and how long it lasted where there is room for both.
fn text(event: &Event, room: usize, utf8: bool) -> String {
    let lasted = event.lasted.as_ref().map(|lasted| format!("{} ({lasted})", event.text));
    match lasted.filter(|both| both.width() <= room) {
        Some(both) => both,
        None => theme::cut(&event.text, room, utf8),
    }
}

fn line(app: &App, event: &Event, width: usize, selected: bool, dated: bool) -> Line<'static> {
    let sign = match (selected, app.look.utf8) {
        (false, _) => " ",
        (true, true) => "▸",
        (true, false) => ">",
    };
    let kind = format!("{:10}", event.kind.label());
    let time = time(app, event, dated);
    let used = 1 + time.width() + 1 + 1 + 1 + kind.width() + 1;
    let text = text(event, width.saturating_sub(used + 1), app.look.utf8);
    let style = if selected { theme::plain(app).patch(theme::chosen()) } else { theme::plain(app) };
    let line = Line::from(vec![
        Span::styled(sign, theme::key(app)),
        Span::styled(time, theme::dim(app)),
        Span::raw(" "),
        theme::mark(app, event.tone),
        Span::raw(" "),
        Span::styled(kind, theme::dim(app)),
        Span::raw(" "),
        Span::styled(text, style),
    ]);
    if selected { line.style(theme::row(app)) } else { line }
}
