//! Aligned columns that fit: the least important go first, the last one is cut.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::theme;
use crate::app::App;

/// Columns between two cells.
const GAP: usize = 2;
/// A last column narrower than this goes instead of being cut.
const NARROWEST: usize = 10;

/// One column.
pub struct Column {
    /// Its title.
    pub title: String,
    /// Aligned to the right.
    pub right: bool,
    /// The lowest goes first where it is narrow; 255 never goes.
    pub rank: u8,
    /// It is never cut, others go before.
    pub whole: bool,
    /// Its least width, so that what changes all the time does not move the rest.
    pub least: usize,
}

impl Column {
    /// Aligned to the left.
    pub fn left(title: String, rank: u8) -> Self {
        Self { title, right: false, rank, whole: false, least: 0 }
    }

    /// Aligned to the right.
    pub fn right(title: String, rank: u8) -> Self {
        Self { title, right: true, rank, whole: true, least: 0 }
    }

    /// Aligned to the left and never cut.
    pub fn whole(title: String, rank: u8) -> Self {
        Self { title, right: false, rank, whole: true, least: 0 }
    }
}

impl Column {
    /// At least as wide as this.
    pub fn at_least(self, least: usize) -> Self {
        Self { least, ..self }
    }
}

/// One row: what precedes its cells (a mark), and the cells.
pub struct Row {
    /// Mark of the state.
    pub mark: Span<'static>,
    /// One for each column.
    pub cells: Vec<Span<'static>>,
    /// It is the selected one.
    pub selected: bool,
}

/// A table with its title line first.
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Grid {
    /// An empty table.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The title line, then a line for each row, none wider than `width`; the first columns are at least
    /// as wide as in `least`. Rows that are not `seen` are left empty: of hundreds, a screen shows some.
    pub fn lines(
        &self,
        app: &App,
        width: usize,
        least: &[usize],
        seen: impl Fn(usize) -> bool,
    ) -> Vec<Line<'static>> {
        // Selection sign, mark, a space, and a margin at the right.
        let room = width.saturating_sub(4);
        let mut widths = self.widths();
        widths.iter_mut().zip(least).for_each(|(width, least)| *width = (*width).max(*least));
        let shown = self.fitting(&widths, room);
        let mut lines = vec![self.titles(app, &shown, &widths, room)];
        lines.extend(self.rows.iter().enumerate().map(|(number, row)| match seen(number) {
            true => line(app, row, &self.columns, &shown, &widths, room),
            false => Line::default(),
        }));
        lines
    }

    /// What each column takes.
    pub fn widths(&self) -> Vec<usize> {
        let cell = |row: &Row, at: usize| row.cells.get(at).map_or(0, |cell| cell.content.width());
        self.columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                self.rows
                    .iter()
                    .map(|row| cell(row, at))
                    .max()
                    .unwrap_or(0)
                    .max(column.title.width())
                    .max(column.least)
            })
            .collect()
    }

    /// The columns that are shown.
    fn fitting(&self, widths: &[usize], room: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let total: usize = shown.iter().map(|at| widths[*at] + GAP).sum::<usize>().saturating_sub(GAP);
            let last = shown.last().copied().unwrap_or(0);
            let cut = total.saturating_sub(room);
            if cut == 0 || (!self.columns[last].whole && widths[last] >= cut + NARROWEST) {
                return shown;
            }
            let least = shown.iter().copied().min_by_key(|at| self.columns[*at].rank);
            match least {
                Some(at) if self.columns[at].rank < u8::MAX => shown.retain(|column| *column != at),
                _ => return shown,
            }
        }
    }

    fn titles(&self, app: &App, shown: &[usize], widths: &[usize], room: usize) -> Line<'static> {
        let title = |column: &Column| Span::styled(column.title.clone(), theme::dim(app));
        let cells = self.columns.iter().map(title).collect();
        let row = Row { mark: Span::raw(" "), cells, selected: false };
        line(app, &row, &self.columns, shown, widths, room)
    }
}

fn line(
    app: &App,
    row: &Row,
    columns: &[Column],
    shown: &[usize],
    widths: &[usize],
    room: usize,
) -> Line<'static> {
    let sign = match (row.selected, app.look.utf8) {
        (false, _) => " ",
        (true, true) => "▸",
        (true, false) => ">",
    };
    let mut spans = vec![Span::styled(sign, theme::key(app)), row.mark.clone(), Span::raw(" ")];
    let mut used = 0;
    for (place, at) in shown.iter().copied().enumerate() {
        let Some(cell) = row.cells.get(at) else { continue };
        if place > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
            used += GAP;
        }
        let width = widths[at].min(room.saturating_sub(used));
        let text = theme::cut(&cell.content, width, app.look.utf8);
        let pad = " ".repeat(width - text.width());
        let style = if row.selected && at == 0 { selected(cell.style) } else { cell.style };
        if columns[at].right {
            spans.push(Span::raw(pad));
            spans.push(Span::styled(text, style));
        } else {
            spans.push(Span::styled(text, style));
            spans.push(Span::raw(pad));
        }
        used += width;
    }
    let line = Line::from(spans);
    if row.selected { line.style(theme::row(app)) } else { line }
}

fn selected(style: Style) -> Style {
    style.add_modifier(ratatui::style::Modifier::REVERSED)
}
