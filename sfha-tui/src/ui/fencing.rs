//! Fencing: whether it is on, who is being fenced, and what happened.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use sfha_proto::fencing::{FencingPhase, FencingSummary};

use super::grid::{Column, Grid, Row};
use super::{Spots, WIDE, events, logs, theme};
use crate::app::{App, Item, View};
use crate::problem::Problem;
use crate::t;
use crate::words::{self, Tone};

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, spots: &mut Spots) {
    let Some(status) = &app.status else { return };
    let fencing = &status.fencing;
    let width = usize::from(area.width);
    let provider = fencing.provider.as_deref().unwrap_or_default();
    let state = match (fencing.enabled, provider) {
        (false, _) => t!("fencing-off"),
        (true, "") => t!("fencing-on"),
        (true, provider) => t!("fencing-by", provider = provider),
    };
    let mut rows = vec![(super::rule(app, width, t!("section-fencing"), &state), None)];
    if !fencing.enabled {
        let delay = status.detection.as_ref().map(|d| crate::format::millis(d.takeover_delay_ms.into()));
        let delay = delay.unwrap_or_else(|| words::none(app.look.utf8));
        for text in [t!("fencing-off-means", delay = delay), t!("fencing-off-next")] {
            for part in logs::wrap(&text, width.saturating_sub(4)) {
                rows.push((Line::from(Span::styled(format!("   {part}"), theme::dim(app))), None));
            }
        }
    }
    for (tone, text) in facts(app, fencing) {
        for part in logs::wrap(&text, width.saturating_sub(4)) {
            rows.push((Line::from(Span::styled(format!("   {part}"), theme::tone(app, tone))), None));
        }
    }
    let mut columns = vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-fencing"), u8::MAX),
        Column::left(t!("col-state"), 3),
        Column::left(t!("col-detail"), 4),
    ];
    let wide = area.width >= WIDE;
    if wide {
        columns.insert(3, Column::left(t!("col-levels"), 2));
    }
    let mut grid = Grid::new(columns);
    let mut items = Vec::new();
    for item in app.listing(View::Fencing) {
        let Item::Node(name) = &item else { continue };
        let Some(node) = status.nodes.iter().find(|node| node.name == *name) else { continue };
        let known = fencing.nodes.iter().find(|known| known.name == *name);
        let (tone, word) = match known {
            Some(known) if fencing.enabled => words::fencing::phase(known.phase),
            _ if fencing.pending.contains(name) => (Tone::Bad, t!("fencing-pending")),
            _ => (Tone::Dim, words::none(app.look.utf8)),
        };
        let levels = known.map(|known| known.levels.join(", ")).unwrap_or_default();
        let detail = known.map(|known| words::fencing::details(known, app.status_age_ms()));
        let (node_tone, state) = words::node(node);
        let mut cells = vec![
            Span::styled(name.clone(), theme::plain(app)),
            Span::styled(word, theme::tone(app, tone)),
            Span::styled(state, theme::tone(app, node_tone)),
            Span::styled(detail.unwrap_or_default(), theme::plain(app)),
        ];
        if wide {
            cells.insert(3, Span::styled(levels, theme::plain(app)));
        }
        let selected = app.selected() == Some(&item);
        grid.row(Row { mark: theme::mark(app, tone), cells, selected });
        items.push(item);
    }
    let mut keep = None;
    let lines = grid.lines(app, width, &[], |_| true);
    let items = std::iter::once(None).chain(items.into_iter().map(Some));
    for (line, item) in lines.into_iter().zip(items) {
        if item.is_some() && item.as_ref() == app.selected() {
            keep = Some(rows.len());
        }
        rows.push((line, item));
    }
    let wanted = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height * 2 / 3);
    let [top, below] = Layout::vertical([Constraint::Length(wanted), Constraint::Fill(1)]).areas(area);
    super::list(app, frame, top, rows, keep, spots);
    events::history(app, frame, below);
}

/// What is worth knowing besides the nodes: dry run, storm, watchdog, what tests found.
fn facts(app: &App, fencing: &FencingSummary) -> Vec<(Tone, String)> {
    if !fencing.enabled {
        return Vec::new();
    }
    let age = app.status_age_ms();
    let mut facts = Vec::new();
    if fencing.dry_run {
        facts.push((Tone::Warn, t!("stonith-dry-run")));
    }
    if let Some(storm) = &fencing.storm {
        let tone = if storm.holding { Tone::Bad } else { Tone::Dim };
        facts.push((tone, format!("{} {}", t!("fact-storm"), words::fencing::storm(storm, age))));
    }
    if let Some(watchdog) = &fencing.watchdog {
        let well = watchdog.error.is_none() && watchdog.reset_ms.is_none();
        let tone = if well { Tone::Dim } else { Tone::Bad };
        facts.push((tone, format!("{} {}", t!("fact-watchdog"), words::fencing::watchdog(watchdog, age))));
    }
    for node in fencing.nodes.iter().filter(|node| node.phase == Some(FencingPhase::Failed)) {
        let Some(problem) = node.error.clone().map(Problem::from) else { continue };
        let why = [Some(problem.message), problem.next].into_iter().flatten().collect::<Vec<_>>().join(" ");
        facts.push((Tone::Bad, t!("fencing-node", node = node.name.as_str(), why = why)));
    }
    for alert in &fencing.alerts {
        let why = Problem::from(alert.error.clone()).message;
        let (node, level, by) = (alert.node.as_str(), alert.level.as_str(), alert.by.as_str());
        facts.push((Tone::Bad, t!("fencing-alert", node = node, level = level, by = by, why = why)));
    }
    facts
}
