//! The daemon's log.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use sfha_proto::message::LogLine;
use unicode_width::UnicodeWidthStr;

use super::theme;
use crate::app::App;
use crate::t;
use crate::words::Tone;

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let current = app.journal.current();
    let total = app.journal.lines().len();
    let state = if app.journal.following() {
        t!("logs-following")
    } else {
        t!("logs-at", line = current.map_or(0, |at| at + 1), count = total)
    };
    let head = Rect { height: 1.min(area.height), ..area };
    frame.render_widget(super::rule(app, width, t!("section-logs"), &state), head);
    let body = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    if total == 0 {
        let none = Span::styled(format!("    {}", t!("no-logs")), theme::dim(app));
        frame.render_widget(Line::from(none), body);
        return;
    }
    let selected = current.filter(|_| !app.journal.following());
    let lines = app
        .journal
        .lines()
        .enumerate()
        .map(|(at, line)| row(app, line, width, selected == Some(at)))
        .collect();
    super::list(app, frame, body, lines, current);
}

/// The last lines, below another view.
pub fn tail(app: &App, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let room = usize::from(area.height) - 1;
    let mut lines = vec![super::rule(app, width, t!("section-logs"), "")];
    let skip = app.journal.lines().len().saturating_sub(room);
    lines.extend(app.journal.lines().skip(skip).map(|line| row(app, line, width, false)));
    if lines.len() == 1 {
        lines.push(Line::from(Span::styled(format!("    {}", t!("no-logs")), theme::dim(app))));
    }
    super::list(app, frame, area, lines, None);
}

fn row(app: &App, line: &LogLine, width: usize, selected: bool) -> Line<'static> {
    let sign = match (selected, app.look.utf8) {
        (false, _) => " ",
        (true, true) => "▸",
        (true, false) => ">",
    };
    let level = format!("{:5}", line.level);
    let (time, target) = (time(app, line), target(line));
    let used = 1 + time.width() + 1 + level.width() + 1 + target.width() + 1;
    let message = theme::cut(&line.message, width.saturating_sub(used), app.look.utf8);
    let mut style = theme::plain(app);
    if selected {
        style = style.add_modifier(Modifier::REVERSED);
    }
    Line::from(vec![
        Span::styled(sign, theme::key(app)),
        Span::styled(time, theme::dim(app)),
        Span::raw(" "),
        Span::styled(level, theme::tone(app, tone(&line.level))),
        Span::raw(" "),
        Span::styled(target, theme::dim(app)),
        Span::raw(" "),
        Span::styled(message, style),
    ])
}

/// The tone of a level.
pub fn tone(level: &str) -> Tone {
    match level {
        "ERROR" => Tone::Bad,
        "WARN" => Tone::Warn,
        "INFO" => Tone::Good,
        _ => Tone::Dim,
    }
}

/// The time of day.
pub fn time(app: &App, line: &LogLine) -> String {
    match line.time.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(app.zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".to_owned(),
    }
}

/// The module without its crate.
fn target(line: &LogLine) -> String {
    line.target.rsplit("::").next().unwrap_or_default().to_owned()
}
