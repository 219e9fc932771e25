//! Colours and signs: sixteen colours or none, UTF-8 or ASCII, dimmed when what is shown is old.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::app::{App, Link};
use crate::words::{self, Tone};

/// What is on the screen is not what is: the connection is gone.
pub fn stale(app: &App) -> bool {
    matches!(app.link, Link::Lost { .. })
}

/// The style of `tone`.
pub fn tone(app: &App, tone: Tone) -> Style {
    let style = plain(app);
    if !app.look.colour {
        return match tone {
            Tone::Bad => style.add_modifier(Modifier::BOLD),
            Tone::Dim => style.add_modifier(Modifier::DIM),
            Tone::Good | Tone::Plain | Tone::Warn => style,
        };
    }
    match tone {
        Tone::Good => style.fg(Color::Green),
        Tone::Plain => style,
        Tone::Dim => style.add_modifier(Modifier::DIM),
        Tone::Warn => style.fg(Color::Yellow),
        Tone::Bad => style.fg(Color::Red),
    }
}

/// Ordinary text.
pub fn plain(app: &App) -> Style {
    if stale(app) { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
}

/// Text of the frame, that is never old.
pub fn fresh(app: &App, tone: Tone) -> Style {
    self::tone(app, tone).remove_modifier(if tone == Tone::Dim { Modifier::empty() } else { Modifier::DIM })
}

/// Secondary text.
pub fn dim(app: &App) -> Style {
    tone(app, Tone::Dim)
}

/// Titles of sections.
pub fn title(app: &App) -> Style {
    let style = plain(app).add_modifier(Modifier::BOLD);
    if app.look.colour { style.fg(Color::Cyan) } else { style }
}

/// Names of keys.
pub fn key(app: &App) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    if app.look.colour { style.fg(Color::Cyan) } else { style }
}

/// The mark of `tone`.
pub fn mark(app: &App, tone: Tone) -> Span<'static> {
    Span::styled(words::mark(tone, app.look.utf8), self::tone(app, tone))
}

/// At most `width` columns of a text, with a sign where it was cut.
pub fn cut(text: &str, width: usize, utf8: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let sign = if utf8 { "…" } else { "~" };
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    if width == 0 {
        return String::new();
    }
    kept.push_str(sign);
    kept
}

/// A graph of one line: the latest values at the right, the highest is full.
pub fn spark(values: &[f64], width: usize, utf8: bool) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
    let signs = if utf8 { BLOCKS } else { ASCII };
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().fold(0.0_f64, f64::max);
    let sign = |value: &f64| {
        if highest <= 0.0 {
            return signs[0];
        }
        // In 0..=7 since `value <= highest`.
        signs[(value / highest * 7.0).round() as usize]
    };
    let graph: String = shown.iter().map(sign).collect();
    format!("{}{graph}", " ".repeat(width - shown.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_as_wide_as_asked_and_ends_with_the_latest() {
        assert_eq!(spark(&[], 4, true), "    ");
        assert_eq!(spark(&[0.0, 0.0], 4, true), "  ▁▁");
        assert_eq!(spark(&[9.0, 0.0, 3.5, 7.0], 3, true), "▁▅█");
        assert_eq!(spark(&[0.0, 7.0], 2, false), "_#");
    }

    #[test]
    fn a_cut_text_says_so_and_is_never_too_wide() {
        assert_eq!(cut("nœud", 4, true), "nœud");
        assert_eq!(cut("nœuds", 4, true), "nœu…");
        assert_eq!(cut("nœuds", 4, false), "nœu~");
        assert_eq!(cut("nœuds", 0, true), "");
    }
}
