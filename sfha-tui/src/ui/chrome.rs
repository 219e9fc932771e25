//! The frame around the views: header and footer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use sfha_proto::status::{ClusterStatus, VipState};
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use super::{Spots, theme};
use crate::app::{App, Link, Msg, View};
use crate::assess::{self, Concern};
use crate::words::{self, Tone};
use crate::{format, keymap, t};

/// Name and connection, tabs, facts, and whether all is well.
pub fn header(app: &App, width: u16, spots: &mut Spots) -> Vec<Line<'static>> {
    let room = usize::from(width);
    let mut lines = vec![title(app, room), tabs(app, width, spots)];
    if let Some(status) = &app.status {
        if app.view == View::Overview && !status.cluster.is_empty() {
            lines.push(facts(app, status, room));
        }
        lines.push(verdict(app, status, room));
    }
    lines
}

fn title(app: &App, width: usize) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut left = vec![Span::raw(" "), Span::styled("sfha", theme::key(app))];
    if let Some(status) = app.status.as_ref().filter(|status| !status.cluster.is_empty()) {
        left.push(Span::raw(" "));
        left.push(Span::styled(status.cluster.clone(), bold));
    }
    let right = connection(app);
    let needed = |spans: &[Span<'_>]| spans.iter().map(|span| span.content.width()).sum::<usize>();
    let mut add = |text: String, style: Style| {
        if needed(&left) + needed(&right) + text.width() + 4 <= width {
            left.push(Span::styled(text, style));
        }
    };
    if let Some(status) = app.status.as_ref().filter(|status| !status.node.is_empty()) {
        add(format!(" {}", t!("seen-from", node = status.node.as_str())), theme::fresh(app, Tone::Dim));
        if status.maintenance && app.view != View::Overview {
            let style = theme::fresh(app, Tone::Warn).add_modifier(Modifier::REVERSED);
            add(" ".to_owned(), Style::new());
            add(format!(" {} ", t!("head-maintenance")), style);
        }
        if let Some(busy) = app.parked.iter().find(|wizard| wizard.busy()) {
            let text = t!("head-busy", title = busy.kind.title(app));
            add(format!("  {text}"), theme::fresh(app, Tone::Warn));
        }
    }
    let pad = width.saturating_sub(needed(&left) + needed(&right) + 1);
    left.push(Span::raw(" ".repeat(pad)));
    left.extend(right);
    Line::from(left)
}

/// What a view is called.
pub fn name(view: View) -> String {
    match view {
        View::Overview => t!("view-overview"),
        View::Mesh => t!("view-mesh"),
        View::Resources => t!("view-resources"),
        View::Nodes => t!("view-nodes"),
        View::Fencing => t!("view-fencing"),
        View::Events => t!("view-events"),
        View::Logs => t!("view-logs"),
        View::Help => t!("view-help"),
    }
}

/// All names where there is room, else that of the view that is shown.
fn tabs(app: &App, width: u16, spots: &mut Spots) -> Line<'static> {
    let text = |number: usize, view: View, whole: bool| {
        if whole { format!("{number} {}", name(view)) } else { number.to_string() }
    };
    let help = format!("? {}", t!("view-help"));
    let all: usize = (1..).zip(View::TABS).map(|(n, view)| text(n, view, true).width() + 1).sum();
    let more = if app.view == View::Help { help.width() + 1 } else { 0 };
    let whole = all + more < usize::from(width);
    let mut spans = Vec::new();
    let mut x = 0_u16;
    for (number, view) in (1..).zip(View::TABS) {
        let here = view == app.view;
        let label = text(number, view, whole || here);
        let style = if here { theme::chosen() } else { theme::fresh(app, Tone::Dim) };
        let wide = u16::try_from(label.width()).unwrap_or(0);
        spots.add(Rect { x, y: 1, width: wide + 1, height: 1 }, Msg::Show(view));
        x += wide + 1;
        spans.push(Span::raw(" "));
        spans.push(Span::styled(label, style));
    }
    if app.view == View::Help {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(help, theme::chosen()));
    }
    Line::from(spans)
}

fn connection(app: &App) -> Vec<Span<'static>> {
    let (tone, text) = match &app.link {
        _ if app.demo => (Tone::Warn, t!("link-demo")),
        Link::Connecting => (Tone::Warn, t!("link-connecting")),
        Link::Up => (Tone::Good, t!("link-up")),
        Link::Lost { .. } if app.status.is_none() => (Tone::Bad, t!("link-none")),
        Link::Lost { since, .. } => {
            let age = format::age(app.now.as_second() - since.as_second());
            (Tone::Bad, t!("link-lost", age = age))
        }
    };
    let style = theme::fresh(app, tone);
    vec![Span::styled(words::mark(tone, app.look.utf8), style), Span::styled(format!(" {text}"), style)]
}

/// As many facts as fit, the most important first.
fn facts(app: &App, status: &ClusterStatus, width: usize) -> Line<'static> {
    let mut parts: Vec<Vec<Span<'static>>> = Vec::new();
    if status.maintenance {
        let style = theme::fresh(app, Tone::Warn).add_modifier(Modifier::REVERSED);
        parts.push(vec![Span::styled(format!(" {} ", t!("head-maintenance")), style)]);
    }
    let q = &status.quorum;
    if let (Some(votes), Some(expected), Some(needed)) = (q.votes, q.expected, q.needed) {
        let tone = if q.quorate { Tone::Good } else { Tone::Bad };
        let votes = t!("head-votes", votes = votes, expected = expected, needed = needed);
        parts.push(vec![
            theme::mark(app, tone),
            Span::styled(format!(" {} ", t!("head-quorum")), theme::dim(app)),
            Span::styled(votes, theme::tone(app, tone)),
        ]);
    }
    let mut part = |name: String, value: String| {
        parts.push(vec![
            Span::styled(format!("{name} "), theme::dim(app)),
            Span::styled(value, theme::plain(app)),
        ]);
    };
    if !status.cluster.is_empty() {
        part(t!("head-leader"), status.leader.clone().unwrap_or_else(|| words::none(app.look.utf8)));
    }
    if let Some(detection) = &status.detection {
        let value = t!(
            "head-detection-value",
            time = format::millis(detection.detection_ms.into()),
            delay = format::millis(detection.takeover_delay_ms.into()),
            profile = detection.profile.as_str()
        );
        part(t!("head-detection"), value);
    }
    if status.fencing.enabled {
        part(t!("head-fencing"), status.fencing.provider.clone().unwrap_or_default());
    }
    joined(parts, width)
}

fn joined(parts: Vec<Vec<Span<'static>>>, width: usize) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for part in parts {
        let gap = if spans.len() > 1 { 3 } else { 0 };
        let needed: usize = part.iter().map(|span| span.content.width()).sum();
        if used + gap + needed > width {
            break;
        }
        spans.push(Span::raw(" ".repeat(gap)));
        spans.extend(part);
        used += gap + needed;
    }
    Line::from(spans)
}

fn verdict(app: &App, status: &ClusterStatus, width: usize) -> Line<'static> {
    if theme::stale(app) {
        return stale(app, width);
    }
    let concerns = assess::concerns(status);
    let Some(Concern { tone, text }) = concerns.first() else {
        let serving = status.vips.iter().filter(|vip| vip.state == VipState::Active).count();
        let well = t!("all-well", nodes = status.nodes.len(), vips = serving);
        let text = theme::cut(&well, width.saturating_sub(4), app.look.utf8);
        return Line::from(vec![
            Span::raw(" "),
            theme::mark(app, Tone::Good),
            Span::raw(" "),
            Span::styled(text, theme::plain(app)),
        ]);
    };
    let more = match concerns.len() - 1 {
        0 => String::new(),
        others => format!("  {}", t!("more-concerns", count = others)),
    };
    let text = theme::cut(text, width.saturating_sub(4 + more.width()), app.look.utf8);
    Line::from(vec![
        Span::raw(" "),
        theme::mark(app, *tone),
        Span::raw(" "),
        Span::styled(text, theme::tone(app, *tone).add_modifier(Modifier::BOLD)),
        Span::styled(more, theme::dim(app)),
    ])
}

/// Nothing can be said of now: how old is what is on the screen.
fn stale(app: &App, width: usize) -> Line<'static> {
    let age = app.heard.map_or(0, |heard| app.now.as_second() - heard.as_second());
    let text = t!("stale", age = format::age(age));
    let style = theme::fresh(app, Tone::Bad).add_modifier(Modifier::BOLD);
    Line::from(vec![
        Span::raw(" "),
        Span::styled(words::mark(Tone::Bad, app.look.utf8), style),
        Span::styled(format!(" {}", theme::cut(&text, width.saturating_sub(4), app.look.utf8)), style),
    ])
}

/// The search that is typed, the latest news, or the keys that mean something here.
pub fn footer(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let width = usize::from(area.width);
    if let Some(search) = &app.search {
        return searching(app, frame, area, search);
    }
    if let Some(notice) = app.notice.as_ref().filter(|_| app.wizard.is_none()) {
        let text = theme::cut(&notice.text, width.saturating_sub(3), app.look.utf8);
        let style = theme::fresh(app, notice.tone);
        let line = Line::from(vec![
            Span::raw(" "),
            Span::styled(words::mark(notice.tone, app.look.utf8), style),
            Span::styled(format!(" {text}"), style),
        ]);
        return frame.render_widget(line, area);
    }
    let here = keymap::context(app);
    let mut shown: Vec<(u8, String, String, &Msg)> = keymap::BINDINGS
        .iter()
        .filter(|binding| binding.rank > 0 && binding.contexts.contains(&here))
        .filter(|binding| keymap::possible(app, &binding.msg))
        .filter_map(|binding| {
            // Of the keys that say yes, the one of this language.
            let names: Vec<String> =
                binding.keys.iter().map(|key| keymap::name(*key, app.look.utf8)).collect();
            let yes =
                names.iter().find(|name| here == keymap::Context::Confirm && **name == t!("confirm-yes-key"));
            let name = yes.or(names.first())?.clone();
            Some((binding.rank, name, binding.label?(), &binding.msg))
        })
        .collect();
    let size = |shown: &[(u8, String, String, &Msg)]| -> usize {
        shown.iter().map(|(_, key, label, _)| key.width() + label.width() + 3).sum::<usize>()
    };
    while size(&shown) > width + 1 && shown.len() > 1 {
        // Of those that matter least, the last one goes first.
        let least = shown.iter().map(|(rank, ..)| *rank).min().unwrap_or(0);
        if let Some(at) = shown.iter().rposition(|(rank, ..)| *rank == least) {
            shown.remove(at);
        }
    }
    let mut spans = vec![Span::raw(" ")];
    let mut x = area.x + 1;
    for (_, key, label, msg) in shown {
        let wide = u16::try_from(key.width() + label.width() + 1).unwrap_or(0);
        spots.add(Rect { x, width: wide, ..area }, msg.clone());
        x += wide + 2;
        spans.push(Span::styled(key, theme::key(app)));
        spans.push(Span::styled(format!(" {label}  "), Style::new()));
    }
    frame.render_widget(Line::from(spans), area);
}

fn searching(app: &App, frame: &mut Frame<'_>, area: Rect, search: &Input) {
    let label = format!(" {} ", t!("search"));
    let found = match app.view {
        View::Logs => String::new(),
        view => t!("search-found", shown = app.listing(view).len(), total = app.total(view)),
    };
    let cursor = u16::try_from(label.width() + search.visual_cursor()).unwrap_or(0);
    let line = Line::from(vec![
        Span::styled(label, theme::key(app)),
        Span::raw(search.value().to_owned()),
        Span::styled(format!("   {found}"), theme::fresh(app, Tone::Dim)),
    ]);
    frame.render_widget(line, area);
    if cursor < area.width {
        frame.set_cursor_position((area.x + cursor, area.y));
    }
}
