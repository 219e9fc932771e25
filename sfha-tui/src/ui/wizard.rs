//! A wizard: where it stands, what it asks, what will happen, how it goes.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use sfha_proto::message::{Progress, Step};
use unicode_width::UnicodeWidthStr;

use super::{logs, popup, theme};
use crate::app::{App, Field, Invite, Kind, Stage, Wizard};
use crate::words::{self, Tone};
use crate::{format, t};

/// A wizard does not grow and shrink with every step.
const LEAST: usize = 72;

/// Draws it, if there is one.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(wizard) = &app.wizard else { return };
    let width = LEAST.min(usize::from(area.width.saturating_sub(6)));
    let mut lines = vec![stages(app, wizard), Line::default()];
    let mut cursor = None;
    match &wizard.stage {
        Stage::Form => {
            text(app, &mut lines, &wizard.kind.about(app), Tone::Dim, width);
            lines.push(Line::default());
            let rows = usize::from(area.height).saturating_sub(lines.len() + 5).max(3);
            cursor = form(app, wizard, &mut lines, width, rows);
        }
        Stage::Review { typed } => {
            text(app, &mut lines, &wizard.kind.about(app), Tone::Dim, width);
            lines.push(Line::default());
            lines.push(Line::from(Span::styled(t!("wizard-plan"), theme::title(app))));
            for (tone, sentence) in app.plan(wizard) {
                marked(app, &mut lines, tone, &sentence, width);
            }
            lines.push(Line::default());
            cursor = confirmation(app, wizard, typed, &mut lines);
        }
        Stage::Running { since, steps, .. } => running(app, wizard, *since, steps, &mut lines, width),
        Stage::Done { lines: done } => {
            done.iter().for_each(|line| marked(app, &mut lines, Tone::Good, line, width));
        }
        Stage::Token(invite) => token(app, invite, &mut lines, width),
        Stage::Failed(problem) => {
            let told = problem.message.lines();
            told.for_each(|line| marked(app, &mut lines, Tone::Bad, line, width));
            if let Some(next) = &problem.next {
                lines.push(Line::default());
                text(app, &mut lines, next, Tone::Plain, width);
            }
        }
    }
    let tone = match wizard.stage {
        Stage::Failed(_) => Tone::Bad,
        Stage::Done { .. } => Tone::Good,
        Stage::Review { .. } if wizard.kind.destroys() => Tone::Warn,
        _ => Tone::Plain,
    };
    let inner = popup::show(app, frame, area, wizard.kind.title(app), tone, lines, width);
    if let Some((x, y)) = cursor {
        let (x, y) = (inner.x + x, inner.y + y);
        if x < inner.right() && y < inner.bottom() {
            frame.set_cursor_position((x, y));
        }
    }
}

/// Where it stands among its stages.
fn stages(app: &App, wizard: &Wizard) -> Line<'static> {
    let here = match wizard.stage {
        Stage::Form => 0,
        Stage::Review { .. } => 1,
        Stage::Running { .. } => 2,
        Stage::Done { .. } | Stage::Token(_) | Stage::Failed(_) => 3,
    };
    let names = [t!("stage-form"), t!("stage-review"), t!("stage-running"), t!("stage-done")];
    let skip = usize::from(wizard.fields.is_empty());
    let arrow = if app.look.utf8 { " › " } else { " > " };
    let mut spans = Vec::new();
    for (number, name) in names.into_iter().enumerate().skip(skip) {
        if !spans.is_empty() {
            spans.push(Span::styled(arrow, theme::fresh(app, Tone::Dim)));
        }
        let style = match number.cmp(&here) {
            std::cmp::Ordering::Less => theme::fresh(app, Tone::Good),
            std::cmp::Ordering::Equal => theme::chosen(),
            std::cmp::Ordering::Greater => theme::fresh(app, Tone::Dim),
        };
        spans.push(Span::styled(format!(" {name} "), style));
    }
    Line::from(spans)
}

fn text(app: &App, lines: &mut Vec<Line<'static>>, text: &str, tone: Tone, width: usize) {
    for line in text.lines() {
        let parts = logs::wrap(line, width);
        lines.extend(parts.into_iter().map(|part| Line::from(Span::styled(part, theme::fresh(app, tone)))));
    }
}

fn marked(app: &App, lines: &mut Vec<Line<'static>>, tone: Tone, text: &str, width: usize) {
    let mut mark = Span::styled(words::mark(tone, app.look.utf8), theme::fresh(app, tone));
    for part in logs::wrap(text, width.saturating_sub(2)) {
        lines.push(Line::from(vec![mark, Span::raw(format!(" {part}"))]));
        mark = Span::raw(" ");
    }
}

/// The questions, as many as there is room for around the one that is asked; says where the cursor is.
fn form(
    app: &App,
    wizard: &Wizard,
    lines: &mut Vec<Line<'static>>,
    width: usize,
    rows: usize,
) -> Option<(u16, u16)> {
    let label = wizard.fields.iter().map(|field| field.label.width()).max().unwrap_or(0);
    let mut cursor = None;
    let first = (wizard.focus + 1 + rows / 2).min(wizard.fields.len()).saturating_sub(rows);
    for (number, field) in wizard.fields.iter().enumerate().skip(first).take(rows) {
        let here = number == wizard.focus;
        let complaint = app.complaint(field);
        let said = !field.input.value().is_empty();
        let tone = match (&complaint, said || wizard.complaining) {
            (None, _) if field.value().is_some() => Tone::Good,
            (Some(_), true) => Tone::Bad,
            _ => Tone::Dim,
        };
        let sign = match (here, app.look.utf8) {
            (false, _) => "  ",
            (true, true) => "▸ ",
            (true, false) => "> ",
        };
        let pad = " ".repeat(label - field.label.width());
        let name = if here { theme::key(app) } else { Style::new() };
        let room = width.saturating_sub(label + 7);
        let (value, at) = value(app, field, here, room);
        if here && field.choices.is_empty() {
            let y = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            cursor = u16::try_from(2 + label + 2 + 2 + at).ok().map(|x| (x, y));
        }
        let mut spans = vec![
            Span::styled(sign, theme::key(app)),
            Span::styled(format!("{}{pad}  ", field.label), name),
            Span::styled(words::mark(tone, app.look.utf8), theme::fresh(app, tone)),
            Span::raw(" "),
        ];
        spans.extend(value);
        lines.push(Line::from(spans));
    }
    lines.push(Line::default());
    // One line of help, or of what is wrong, that never moves the rest.
    if let Some(field) = wizard.fields.get(wizard.focus) {
        let said = !field.input.value().is_empty();
        match app.complaint(field).filter(|_| said || wizard.complaining) {
            Some(complaint) => marked(app, lines, Tone::Bad, &complaint, width),
            None => marked(app, lines, Tone::Dim, &field.hint, width),
        }
    }
    cursor
}

/// What is in a field, and the column of the cursor in it.
fn value(app: &App, field: &Field, here: bool, room: usize) -> (Vec<Span<'static>>, usize) {
    if let Some(choice) = field.choices.get(field.chosen) {
        let (left, right) = match (here && field.choices.len() > 1, app.look.utf8) {
            (false, _) => ("", ""),
            (true, true) => ("◂ ", " ▸"),
            (true, false) => ("< ", " >"),
        };
        let style = if here { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        let label = theme::cut(&choice.label, room.saturating_sub(4), app.look.utf8);
        let spans = vec![
            Span::styled(left, theme::key(app)),
            Span::styled(label, style),
            Span::styled(right, theme::key(app)),
        ];
        return (spans, 0);
    }
    let scroll = field.input.visual_scroll(room.saturating_sub(1));
    let shown: String = if field.secret() {
        // The beginning is no secret, and tells that it is the right thing.
        let count = field.input.value().chars().count().saturating_sub(scroll);
        (if app.look.utf8 { "•" } else { "*" }).repeat(count.min(room))
    } else {
        field.input.value().chars().skip(scroll).take(room).collect()
    };
    let pad = room.saturating_sub(shown.width()).min(32);
    let style = Style::new().add_modifier(Modifier::UNDERLINED);
    let line = Span::styled(format!("{shown}{}", " ".repeat(pad)), style);
    (vec![line], field.input.visual_cursor().saturating_sub(scroll))
}

/// Yes, or the name that confirms.
fn confirmation(
    app: &App,
    wizard: &Wizard,
    typed: &tui_input::Input,
    lines: &mut Vec<Line<'static>>,
) -> Option<(u16, u16)> {
    let Some(password) = wizard.password() else {
        lines.push(Line::from(vec![
            Span::styled(t!("confirm-yes-key"), theme::key(app)),
            Span::raw(format!(" {}   ", t!("key-confirm"))),
            Span::styled("n", theme::key(app)),
            Span::raw(format!(" {}", t!("key-cancel"))),
        ]));
        return None;
    };
    let label = t!("confirm-type", name = password.as_str());
    let right = typed.value().trim() == password;
    let tone = if right { Tone::Good } else { Tone::Warn };
    let y = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let x = u16::try_from(label.width() + 3 + typed.visual_cursor()).unwrap_or(u16::MAX);
    lines.push(Line::from(vec![
        Span::styled(words::mark(tone, app.look.utf8), theme::fresh(app, tone)),
        Span::raw(format!(" {label} ")),
        Span::styled(format!("{:20}", typed.value()), Style::new().add_modifier(Modifier::UNDERLINED)),
    ]));
    Some((x, y))
}

/// What the daemon says that it does.
fn running(
    app: &App,
    wizard: &Wizard,
    since: jiff::Timestamp,
    steps: &[Progress],
    lines: &mut Vec<Line<'static>>,
    width: usize,
) {
    if wizard.kind == Kind::Rotate {
        rotation(app, steps, lines);
    } else {
        for (number, step) in steps.iter().enumerate() {
            let over = number + 1 < steps.len();
            let (tone, word) = (if over { Tone::Good } else { Tone::Warn }, words::step(step.step));
            let time = if over { steps[number + 1].elapsed_ms.saturating_sub(step.elapsed_ms) } else { 0 };
            let time = if over { format::millis(time) } else { String::new() };
            let pad = " ".repeat(width.saturating_sub(2 + word.width() + time.width()));
            lines.push(Line::from(vec![
                Span::styled(words::mark(tone, app.look.utf8), theme::fresh(app, tone)),
                Span::raw(format!(" {word}{pad}")),
                Span::styled(time, theme::fresh(app, Tone::Dim)),
            ]));
        }
    }
    if !lines.last().is_some_and(|line| line.spans.is_empty()) {
        lines.push(Line::default());
    }
    let age = format::age(app.now.as_second() - since.as_second());
    marked(app, lines, Tone::Warn, &t!("wizard-running", age = age), width);
}

/// Every node and how far its key is.
fn rotation(app: &App, steps: &[Progress], lines: &mut Vec<Line<'static>>) {
    let order = [Step::KeyPrepare, Step::KeyCommit, Step::KeyCleanup];
    let names = [t!("phase-prepare"), t!("phase-commit"), t!("phase-cleanup")];
    let mut nodes: Vec<&str> = Vec::new();
    let mut seen: BTreeSet<(&str, usize)> = BTreeSet::new();
    for step in steps {
        let node = step.node.as_deref().unwrap_or_default();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
        seen.extend(order.iter().position(|s| *s == step.step).map(|at| (node, at)));
    }
    let widest = nodes.iter().map(|node| node.width()).max().unwrap_or(0);
    let last = nodes.last().copied();
    for node in nodes {
        let reached = (0..order.len()).rev().find(|at| seen.contains(&(node, *at)));
        let mut spans = vec![Span::raw(format!("{node}{}", " ".repeat(widest - node.width() + 2)))];
        for (at, name) in names.iter().enumerate() {
            // A node is done once the next one is begun.
            let tone = match reached {
                Some(reached) if at < reached || Some(node) != last => Tone::Good,
                Some(reached) if at == reached => Tone::Warn,
                _ => Tone::Dim,
            };
            spans.push(Span::styled(words::mark(tone, app.look.utf8), theme::fresh(app, tone)));
            spans.push(Span::raw(format!(" {name}   ")));
        }
        lines.push(Line::from(spans));
    }
}

/// The token, and what has become of it.
fn token(app: &App, invite: &Invite, lines: &mut Vec<Line<'static>>, width: usize) {
    let made = &invite.made;
    let state = invite.listed.as_ref().map_or("open", |listed| listed.state.as_str());
    let node = invite.listed.as_ref().and_then(|listed| listed.node.as_deref());
    let deadline = format::deadline(&made.expires, app.now, &app.zone);
    let about = t!(
        "token-line",
        id = made.id.as_str(),
        ip = made.ip.as_deref().unwrap_or("no-value"),
        expires = deadline
    );
    marked(app, lines, Tone::Dim, &about, width);
    match (state, node) {
        ("redeemed", node) => {
            let node = node.unwrap_or_default();
            marked(app, lines, Tone::Good, &t!("token-used-by", node = node), width);
            let status = app.status.as_ref();
            let member = status.and_then(|status| status.nodes.iter().find(|n| n.name == node));
            let (tone, word) = match member {
                Some(node) => words::node(node),
                None => (Tone::Warn, t!("token-not-yet")),
            };
            marked(app, lines, tone, &t!("token-joiner", node = node, state = word), width);
            let peers = app.mesh.iter().flat_map(|mesh| &mesh.peers);
            if let Some(peer) = peers.into_iter().find(|peer| peer.name == node) {
                let (tone, state) = words::peer_state(peer);
                marked(app, lines, tone, &t!("token-path", state = state), width);
            }
        }
        ("expired", _) => marked(app, lines, Tone::Bad, &t!("token-has-expired"), width),
        _ => marked(app, lines, Tone::Warn, &t!("token-waiting"), width),
    }
    // Last, because it is long: on a small terminal, it is what may be cut; the clipboard has it whole.
    if state == "open" {
        lines.push(Line::default());
        text(app, lines, &t!("token-on-new-node"), Tone::Plain, width);
        let chars: Vec<char> = made.token.chars().collect();
        for part in chars.chunks(width.max(1)) {
            lines.push(Line::from(Span::styled(part.iter().collect::<String>(), theme::key(app))));
        }
        text(app, lines, &t!("token-copied"), Tone::Dim, width);
    }
}
