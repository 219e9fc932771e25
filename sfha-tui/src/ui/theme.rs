//! Colours and signs: five palettes, UTF-8 or ASCII, dimmed when what is shown is old.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::app::{App, Link, Palette};
use crate::words::{self, Tone};

/// What is on the screen is not what is: the connection is gone.
pub fn stale(app: &App) -> bool {
    matches!(app.link, Link::Lost { .. })
}

/// The colours of a palette.
struct Colours {
    /// Background; `None` leaves the terminal's own.
    back: Option<Color>,
    text: Color,
    /// `None`: the terminal dims the text.
    dim: Option<Color>,
    good: Color,
    warn: Color,
    bad: Color,
    accent: Color,
    /// Background of the selected row.
    row: Option<Color>,
}

const DARK: Colours = Colours {
    back: Some(Color::Rgb(0x11, 0x15, 0x1c)),
    text: Color::Rgb(0xd3, 0xd7, 0xde),
    dim: Some(Color::Rgb(0x86, 0x90, 0xa0)),
    good: Color::Rgb(0x7b, 0xc2, 0x75),
    warn: Color::Rgb(0xe0, 0xb2, 0x5b),
    bad: Color::Rgb(0xf0, 0x72, 0x7a),
    accent: Color::Rgb(0x6b, 0xb4, 0xe8),
    row: Some(Color::Rgb(0x23, 0x2d, 0x3c)),
};

const LIGHT: Colours = Colours {
    back: Some(Color::Rgb(0xfb, 0xfb, 0xf8)),
    text: Color::Rgb(0x24, 0x29, 0x2f),
    dim: Some(Color::Rgb(0x63, 0x6c, 0x76)),
    good: Color::Rgb(0x1a, 0x70, 0x30),
    warn: Color::Rgb(0x8a, 0x55, 0x00),
    bad: Color::Rgb(0xb4, 0x1d, 0x26),
    accent: Color::Rgb(0x0a, 0x5a, 0xb0),
    row: Some(Color::Rgb(0xdd, 0xe7, 0xf3)),
};

const CONTRAST: Colours = Colours {
    back: Some(Color::Rgb(0, 0, 0)),
    text: Color::Rgb(0xff, 0xff, 0xff),
    dim: Some(Color::Rgb(0xd0, 0xd0, 0xd0)),
    good: Color::Rgb(0x50, 0xff, 0x50),
    warn: Color::Rgb(0xff, 0xe0, 0x00),
    bad: Color::Rgb(0xff, 0x80, 0x80),
    accent: Color::Rgb(0x60, 0xe0, 0xff),
    row: Some(Color::Rgb(0x00, 0x40, 0xa0)),
};

const SIXTEEN: Colours = Colours {
    back: None,
    text: Color::Reset,
    dim: None,
    good: Color::Green,
    warn: Color::Yellow,
    bad: Color::Red,
    accent: Color::Cyan,
    row: None,
};

/// Nothing where there are to be no colours.
fn colours(app: &App) -> Option<&'static Colours> {
    match app.look.palette {
        Palette::Dark => Some(&DARK),
        Palette::Light => Some(&LIGHT),
        Palette::Contrast => Some(&CONTRAST),
        Palette::Sixteen => Some(&SIXTEEN),
        Palette::Mono => None,
    }
}

/// What everything is drawn on.
pub fn ground(app: &App) -> Style {
    match colours(app) {
        Some(Colours { back: Some(back), text, .. }) => Style::new().fg(*text).bg(*back),
        _ => Style::new(),
    }
}

/// Dimmed, by a colour where there is one.
fn dimmed(app: &App) -> Style {
    match colours(app).and_then(|colours| colours.dim) {
        Some(dim) => Style::new().fg(dim),
        None => Style::new().add_modifier(Modifier::DIM),
    }
}

/// The style of `tone`, whatever the state of the connection.
pub fn fresh(app: &App, tone: Tone) -> Style {
    let plain = Style::new();
    match (colours(app), tone) {
        (_, Tone::Plain) => plain,
        (_, Tone::Dim) => dimmed(app),
        (Some(colours), Tone::Good) => plain.fg(colours.good),
        (Some(colours), Tone::Warn) => plain.fg(colours.warn),
        (Some(colours), Tone::Bad) => plain.fg(colours.bad),
        (None, Tone::Bad) => plain.add_modifier(Modifier::BOLD),
        (None, Tone::Good | Tone::Warn) => plain,
    }
}

/// The style of `tone`: that of what is old where the connection is gone.
pub fn tone(app: &App, tone: Tone) -> Style {
    if stale(app) { fresh(app, tone).patch(dimmed(app)) } else { fresh(app, tone) }
}

/// Ordinary text.
pub fn plain(app: &App) -> Style {
    tone(app, Tone::Plain)
}

/// Secondary text.
pub fn dim(app: &App) -> Style {
    tone(app, Tone::Dim)
}

/// Titles of sections.
pub fn title(app: &App) -> Style {
    let style = plain(app).add_modifier(Modifier::BOLD);
    match colours(app).filter(|_| !stale(app)) {
        Some(colours) => style.fg(colours.accent),
        None => style,
    }
}

/// Names of keys, and what else can be used.
pub fn key(app: &App) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    match colours(app) {
        Some(colours) => style.fg(colours.accent),
        None => style,
    }
}

/// Graphs.
pub fn graph(app: &App) -> Style {
    match colours(app).filter(|_| !stale(app)) {
        Some(colours) => Style::new().fg(colours.accent),
        None => plain(app),
    }
}

/// What is chosen among others: reversed, so that it can be told without colours.
pub fn chosen() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// The row of what is selected; a sign and its reversed name tell the same.
pub fn row(app: &App) -> Style {
    match colours(app).and_then(|colours| colours.row) {
        Some(row) => Style::new().bg(row),
        None => Style::new(),
    }
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
