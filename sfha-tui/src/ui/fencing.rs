//! Fencing: whether it is on, who is being fenced, and what happened.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::grid::{Column, Grid, Row};
use super::{Spots, events, logs, theme};
use crate::app::{App, Item, View};
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
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-fencing"), u8::MAX),
        Column::left(t!("col-state"), 3),
    ]);
    let mut items = Vec::new();
    for item in app.listing(View::Fencing) {
        let Item::Node(name) = &item else { continue };
        let Some(node) = status.nodes.iter().find(|node| node.name == *name) else { continue };
        let (tone, word) = if fencing.pending.contains(name) {
            (Tone::Bad, t!("fencing-pending"))
        } else if fencing.enabled {
            (Tone::Good, t!("fencing-none"))
        } else {
            (Tone::Dim, words::none(app.look.utf8))
        };
        let (node_tone, state) = words::node(node);
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                Span::styled(name.clone(), theme::plain(app)),
                Span::styled(word, theme::tone(app, tone)),
                Span::styled(state, theme::tone(app, node_tone)),
            ],
            selected: app.selected() == Some(&item),
        });
        items.push(item);
    }
    let mut keep = None;
    let lines = grid.lines(app, width, &[]);
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
