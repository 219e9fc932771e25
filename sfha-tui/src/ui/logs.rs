//! The daemon's log, by tui-logger: its targets with their levels, and the lines.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::Level;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerTargetWidget, TuiLoggerWidget};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme;
use crate::app::{App, View};
use crate::t;
use crate::words::Tone;

/// Columns of the targets: five letters for the levels, a colon, and a name.
const TARGETS: u16 = 24;
/// Columns of the name of a target in a line.
const TARGET: usize = 12;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let wide = !app.logs.bare && area.width >= 60;
    let [left, right] =
        Layout::horizontal([Constraint::Length(if wide { TARGETS } else { 0 }), Constraint::Fill(1)])
            .spacing(u16::from(wide) * 2)
            .areas(area);
    let state = match (app.logs.following, app.list(View::Logs).filter.as_str()) {
        (_, filter) if !filter.is_empty() => t!("logs-marked", filter = filter),
        (true, _) => t!("logs-following"),
        (false, _) => t!("logs-looking"),
    };
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(right);
    frame.render_widget(super::rule(app, usize::from(head.width), t!("section-logs"), &state), head);
    if app.logs.count == 0 {
        let none = Span::styled(format!(" {}", t!("no-logs")), theme::dim(app));
        return frame.render_widget(Line::from(none), body);
    }
    let lines = Lines {
        zone: app.zone.clone(),
        plain: theme::plain(app),
        dim: theme::dim(app),
        tones: [Tone::Bad, Tone::Warn, Tone::Good, Tone::Dim].map(|tone| theme::tone(app, tone)),
        marked: app.list(View::Logs).filter.to_lowercase(),
    };
    let widget = TuiLoggerWidget::default()
        .style(theme::ground(app))
        .formatter(Box::new(lines))
        .state(app.logs.state());
    frame.render_widget(widget, body);
    if wide {
        let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(left);
        frame.render_widget(super::rule(app, usize::from(head.width), t!("section-targets"), ""), head);
        let targets = TuiLoggerTargetWidget::default()
            .style(theme::ground(app))
            .style_show(theme::chosen())
            .style_hide(theme::dim(app))
            .highlight_style(theme::key(app).patch(theme::chosen()))
            .state(app.logs.state());
        frame.render_widget(targets, body);
    }
}

/// Time, level, target and message; long messages go on below themselves.
struct Lines {
    zone: TimeZone,
    plain: Style,
    dim: Style,
    /// Of errors, warnings, what is told, and the rest.
    tones: [Style; 4],
    marked: String,
}

impl LogFormatter for Lines {
    fn min_width(&self) -> u16 {
        20
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        // The daemon's time: see `app::logs::record`.
        let at = record.file().and_then(|time| time.parse::<Timestamp>().ok());
        let at = at.map(|at| at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string());
        let (word, style) = match record.level {
            Level::Error => ("ERROR", self.tones[0]),
            Level::Warn => ("WARN ", self.tones[1]),
            Level::Info => ("INFO ", self.tones[2]),
            Level::Debug => ("DEBUG", self.tones[3]),
            Level::Trace => ("TRACE", self.tones[3]),
        };
        let target: String = record.target().chars().take(TARGET).collect();
        let head = vec![
            Span::styled(format!("{} ", at.unwrap_or_else(|| "--:--:--".to_owned())), self.dim),
            Span::styled(format!("{word} "), style),
            Span::styled(format!("{target:TARGET$} "), self.dim),
        ];
        let indent = head.iter().map(|span| span.content.width()).sum::<usize>();
        let marked = !self.marked.is_empty()
            && format!("{} {}", record.target(), record.msg()).to_lowercase().contains(&self.marked);
        let style = if marked { self.plain.patch(theme::chosen()) } else { self.plain };
        let mut parts = wrap(record.msg(), width.saturating_sub(indent + 1).max(10)).into_iter();
        let first = parts.next().unwrap_or_default();
        // Where it is narrow, what does not fit goes on below the level.
        let indent = if width < 80 { 9 } else { indent };
        let rest = record.msg().get(first.len()..).unwrap_or_default();
        let mut line = Line::from(head);
        line.push_span(Span::styled(first, style));
        let mut lines = vec![line];
        if !rest.trim().is_empty() {
            for part in wrap(rest, width.saturating_sub(indent + 1).max(10)) {
                lines.push(Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(part, style)]));
            }
        }
        lines
    }
}

/// Lines of at most that many columns, broken between words where that is possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    // Not at no-break spaces, which French needs.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_broken_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("un deux trois", 7), ["un deux", "trois"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
    }
}
