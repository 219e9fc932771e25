//! The frame around the views: header and footer.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use sfha_proto::status::{ClusterStatus, VipState};
use unicode_width::UnicodeWidthStr;

use super::theme;
use crate::app::{App, Link, Popup, View};
use crate::assess::{self, Concern};
use crate::words::{self, Tone};
use crate::{format, keymap, t};

/// Name and connection, facts, and whether all is well.
pub fn header(app: &App, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let mut lines = vec![title(app, width)];
    if let Some(status) = &app.status {
        lines.push(facts(app, status, width));
        lines.push(verdict(app, status, width));
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
    let tabs = tabs(app);
    let here = app
        .status
        .as_ref()
        .filter(|status| !status.node.is_empty())
        .map(|status| t!("seen-from", node = status.node.as_str()));
    let needed = |spans: &[Span<'_>]| spans.iter().map(|span| span.content.width()).sum::<usize>();
    let fixed = needed(&left) + needed(&right) + 2;
    if let Some(here) = here.filter(|here| fixed + needed(&tabs) + here.width() + 4 <= width) {
        left.push(Span::styled(format!(" {here}"), theme::fresh(app, Tone::Dim)));
    }
    let fixed = needed(&left) + needed(&right) + 2;
    if fixed + needed(&tabs) <= width {
        left.push(Span::raw("  "));
        left.extend(tabs);
    }
    let pad = width.saturating_sub(needed(&left) + needed(&right) + 1);
    left.push(Span::raw(" ".repeat(pad)));
    left.extend(right);
    Line::from(left)
}

fn tabs(app: &App) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (number, view) in View::ALL.into_iter().enumerate() {
        let name = match view {
            View::Overview => t!("view-overview"),
            View::Logs => t!("view-logs"),
            View::Help => t!("view-help"),
        };
        let text = format!(" {} {name} ", number + 1);
        let style = if view == app.view {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            theme::fresh(app, Tone::Dim)
        };
        spans.push(Span::styled(text, style));
    }
    spans
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
        let style = theme::tone(app, Tone::Warn).add_modifier(Modifier::REVERSED);
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

/// The latest news, or the keys that mean something here.
pub fn footer(app: &App, width: u16) -> Line<'static> {
    let width = usize::from(width);
    if let Some(notice) = app.notice.as_ref().filter(|_| !matches!(app.popup, Some(Popup::Confirm(_)))) {
        let text = theme::cut(&notice.text, width.saturating_sub(3), app.look.utf8);
        let style = theme::fresh(app, notice.tone);
        return Line::from(vec![
            Span::raw(" "),
            Span::styled(words::mark(notice.tone, app.look.utf8), style),
            Span::styled(format!(" {text}"), style),
        ]);
    }
    let here = keymap::context(app);
    let mut shown: Vec<(u8, String, String)> = keymap::BINDINGS
        .iter()
        .filter(|binding| binding.rank > 0 && binding.contexts.contains(&here))
        .filter(|binding| keymap::possible(app, &binding.msg))
        .filter_map(|binding| {
            let name = keymap::name(*binding.keys.first()?, app.look.utf8);
            Some((binding.rank, name, binding.label?()))
        })
        .collect();
    let size = |shown: &[(u8, String, String)]| -> usize {
        shown.iter().map(|(_, key, label)| key.width() + label.width() + 3).sum()
    };
    while size(&shown) + 1 > width && shown.len() > 1 {
        let least = shown.iter().map(|(rank, ..)| *rank).min().unwrap_or(0);
        shown.retain(|(rank, ..)| *rank != least);
    }
    let mut spans = vec![Span::raw(" ")];
    for (_, key, label) in shown {
        spans.push(Span::styled(key, theme::key(app)));
        spans.push(Span::styled(format!(" {label}  "), Style::new()));
    }
    Line::from(spans)
}
