//! Keys and marks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{WIDE, theme};
use crate::app::{App, View};
use crate::keymap::{self, BINDINGS, Context};
use crate::t;
use crate::words::Tone;

/// Columns of the names of keys.
const NAMES: usize = 18;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = lines(app);
    if area.width >= WIDE {
        // Two columns, each read downwards.
        let second = lines.split_off(lines.len().div_ceil(2));
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
        scrolled(app, frame, right, second);
        return scrolled(app, frame, left, lines);
    }
    scrolled(app, frame, area, lines);
}

fn scrolled(app: &App, frame: &mut Frame<'_>, area: Rect, mut lines: Vec<Line<'static>>) {
    let most = lines.len().saturating_sub(usize::from(area.height));
    lines.drain(..app.help_scroll.min(most));
    super::plain_list(app, frame, area, lines);
}

/// All of it.
pub fn lines(app: &App) -> Vec<Line<'static>> {
    let title = |text: String| Line::from(Span::styled(format!(" {text}"), theme::title(app)));
    let mut lines = vec![title(t!("help-keys"))];
    // Popups and wizards tell their keys themselves.
    let wanted = BINDINGS.iter().filter(|binding| {
        binding.contexts.iter().any(|context| {
            !matches!(
                context,
                Context::Popup
                    | Context::Menu
                    | Context::Search
                    | Context::Form
                    | Context::Typed
                    | Context::Confirm
                    | Context::Running
                    | Context::Token
                    | Context::Outcome
            )
        })
    });
    for binding in wanted {
        let Some(label) = binding.label else { continue };
        // Some mean something in a few views only.
        let place = match binding.contexts {
            [one] => place(*one),
            _ => String::new(),
        };
        let names: Vec<String> = binding.keys.iter().map(|key| keymap::name(*key, app.look.utf8)).collect();
        let names = names.join("  ");
        let pad = " ".repeat(NAMES.saturating_sub(names.width()));
        lines.push(Line::from(vec![
            Span::raw("   "),
            Span::styled(names, theme::key(app).remove_modifier(Modifier::DIM)),
            Span::raw(pad),
            Span::raw(label()),
            Span::styled(place, theme::dim(app)),
        ]));
    }
    lines.push(title(t!("help-marks")));
    for (tone, text) in
        [(Tone::Good, t!("help-good")), (Tone::Warn, t!("help-warn")), (Tone::Bad, t!("help-bad"))]
    {
        lines.push(Line::from(vec![
            Span::raw("   "),
            theme::mark(app, tone),
            Span::raw(" ".repeat(NAMES - 1)),
            Span::raw(text),
        ]));
    }
    lines
}

/// Where a key means that, if it is one view.
fn place(context: Context) -> String {
    let view = match context {
        Context::Overview => View::Overview,
        Context::Mesh => View::Mesh,
        Context::Resources => View::Resources,
        Context::Nodes => View::Nodes,
        Context::Fencing => View::Fencing,
        Context::Events => View::Events,
        Context::Logs => View::Logs,
        _ => return String::new(),
    };
    format!("  ({})", super::chrome::name(view))
}
