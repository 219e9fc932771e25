//! Keys and marks.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::theme;
use crate::app::App;
use crate::keymap::{self, BINDINGS, Context};
use crate::t;
use crate::words::Tone;

/// Columns of the names of keys.
const NAMES: usize = 18;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = lines(app);
    let most = lines.len().saturating_sub(usize::from(area.height));
    lines.drain(..app.help_scroll.min(most));
    super::list(app, frame, area, lines, None);
}

/// All of it.
pub fn lines(app: &App) -> Vec<Line<'static>> {
    let title = |text: String| Line::from(Span::styled(format!(" {text}"), theme::title(app)));
    let mut lines = vec![title(t!("help-keys"))];
    let wanted = BINDINGS
        .iter()
        .filter(|b| !b.contexts.contains(&Context::Popup) && !b.contexts.contains(&Context::Confirm));
    for binding in wanted {
        let Some(label) = binding.label else { continue };
        let names: Vec<String> = binding.keys.iter().map(|key| keymap::name(*key, app.look.utf8)).collect();
        let names = names.join("  ");
        let pad = " ".repeat(NAMES.saturating_sub(names.width()));
        lines.push(Line::from(vec![
            Span::raw("   "),
            Span::styled(names, theme::key(app).remove_modifier(Modifier::DIM)),
            Span::raw(pad),
            Span::raw(label()),
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
