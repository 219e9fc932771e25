//! Measurements over time: traffic, round-trip time and loss, of a peer or of the whole mesh.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::bar;
use ratatui::widgets::{RenderDirection, Sparkline};
use unicode_width::UnicodeWidthStr;

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

/// Both directions beside each other, in halves of these proportions.
pub fn traffic(app: &App, frame: &mut Frame<'_>, area: Rect, halves: [Constraint; 2]) {
    let (whose, samples) = samples(app);
    let [left, right] = Layout::horizontal(halves).spacing(2).areas(area);
    draw(
        app,
        frame,
        left,
        t!("graph-rx", whose = whose.as_str()),
        &values(&samples, |s| Some(s.rx)),
        format::rate,
    );
    draw(
        app,
        frame,
        right,
        t!("graph-tx", whose = whose.as_str()),
        &values(&samples, |s| Some(s.tx)),
        format::rate,
    );
}

/// Round-trip time and loss of a peer.
pub fn quality(app: &App, frame: &mut Frame<'_>, area: Rect, peer: &str) {
    let samples = app.rates.history(peer);
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [left, right] = Layout::horizontal(halves).spacing(2).areas(area);
    draw(app, frame, left, t!("graph-rtt"), &values(&samples, |sample| sample.rtt), format::rtt);
    draw(app, frame, right, t!("graph-loss"), &values(&samples, |sample| sample.loss), format::share);
}

fn values(samples: &[Sample], value: fn(&Sample) -> Option<f64>) -> Vec<Option<f64>> {
    samples.iter().map(value).collect()
}

/// Whose traffic it is, and the traffic, oldest first.
fn samples(app: &App) -> (String, Vec<Sample>) {
    if let Some(name) = app.selected().and_then(Item::node) {
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
            let nothing = Sample { rx: 0.0, tx: 0.0, rtt: None, loss: None };
            sum.splice(0..0, std::iter::repeat_n(nothing, missing));
        }
        for (total, sample) in sum.iter_mut().rev().zip(history.iter().rev()) {
            total.rx += sample.rx;
            total.tx += sample.tx;
        }
    }
    (t!("graph-all"), sum)
}

/// One graph under its rule: the latest at the right, a gap where there was nothing to measure.
fn draw(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    values: &[Option<f64>],
    word: fn(f64) -> String,
) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let newest: Vec<Option<f64>> = values.iter().rev().take(usize::from(body.width)).copied().collect();
    let now = newest.first().copied().flatten();
    let most = newest.iter().flatten().copied().fold(0.0_f64, f64::max);
    let both = now.map(|now| t!("graph-state", now = word(now), most = word(most)));
    let fits = |text: &String| title.width() + text.width() + 9 <= usize::from(head.width);
    let state =
        both.filter(fits).or_else(|| now.map(word)).unwrap_or_else(|| crate::words::none(app.look.utf8));
    frame.render_widget(super::rule(app, usize::from(head.width), title, &state), head);
    // Whole numbers are drawn: thousandths are fine enough for shares and milliseconds.
    let bars: Vec<Option<u64>> = newest.iter().map(|v| v.map(|v| (v * 1000.0).max(0.0) as u64)).collect();
    let set = if app.look.utf8 { bar::NINE_LEVELS } else { ASCII };
    let bars = Sparkline::default()
        .data(&bars)
        .bar_set(set)
        .absent_value_symbol(if app.look.utf8 { "·" } else { "." })
        .absent_value_style(theme::dim(app))
        .direction(RenderDirection::RightToLeft)
        .style(theme::graph(app));
    frame.render_widget(bars, body);
}
