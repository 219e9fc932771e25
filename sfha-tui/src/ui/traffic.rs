//! Traffic as two graphs beside each other: of the selected peer, or of the whole mesh.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::bar;
use ratatui::widgets::{RenderDirection, Sparkline};

use super::theme;
use crate::app::{App, Item, Sample};
use crate::{format, t};

const ASCII: bar::Set<'static> = bar::Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "*",
    five_eighths: "+",
    half: "=",
    three_eighths: "-",
    one_quarter: ":",
    one_eighth: ".",
    empty: " ",
};

/// Draws both graphs, each under its rule, in halves of these proportions.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, halves: [Constraint; 2]) {
    let (whose, samples) = samples(app);
    let [left, right] = Layout::horizontal(halves).spacing(2).areas(area);
    graph(app, frame, left, t!("graph-rx", whose = whose.as_str()), &samples, |sample| sample.rx);
    graph(app, frame, right, t!("graph-tx", whose = whose.as_str()), &samples, |sample| sample.tx);
}

/// Whose traffic it is, and the traffic, oldest first.
fn samples(app: &App) -> (String, Vec<Sample>) {
    if let Some(name) = app.selected.as_ref().and_then(Item::node) {
        let history = app.rates.history(name);
        if !history.is_empty() {
            return (name.to_owned(), history);
        }
    }
    let mut sum: Vec<Sample> = Vec::new();
    for peer in app.mesh.iter().flat_map(|mesh| &mesh.peers) {
        let history = app.rates.history(&peer.name);
        if history.len() > sum.len() {
            let missing = history.len() - sum.len();
            sum.splice(0..0, std::iter::repeat_n(Sample { rx: 0.0, tx: 0.0 }, missing));
        }
        for (total, sample) in sum.iter_mut().rev().zip(history.iter().rev()) {
            total.rx += sample.rx;
            total.tx += sample.tx;
        }
    }
    (t!("graph-all"), sum)
}

fn graph(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    samples: &[Sample],
    value: fn(&Sample) -> f64,
) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let newest_first: Vec<u64> = samples.iter().rev().map(|sample| value(sample) as u64).collect();
    let shown = &newest_first[..newest_first.len().min(usize::from(body.width))];
    let now = shown.first().copied().unwrap_or(0);
    let most = shown.iter().copied().max().unwrap_or(0);
    let state = t!("graph-state", now = format::rate(now as f64), most = format::rate(most as f64));
    frame.render_widget(super::rule(app, usize::from(head.width), title, &state), head);
    let set = if app.look.utf8 { bar::NINE_LEVELS } else { ASCII };
    let bars = Sparkline::default()
        .data(shown)
        .bar_set(set)
        .direction(RenderDirection::RightToLeft)
        .style(theme::title(app).remove_modifier(ratatui::style::Modifier::BOLD));
    frame.render_widget(bars, body);
}
