//! The paths between all nodes: who answers whom, how fast, and through whom.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use sfha_proto::mesh::{MeshStatus, PeerState};
use unicode_width::UnicodeWidthStr;

use super::theme;
use crate::app::App;
use crate::words::{self, Tone};
use crate::{format, t};

/// Columns of a cell.
const CELL: usize = 4;
/// Most columns of a name.
const NAME: usize = 14;

/// What is known of the path from one node to another.
struct Path {
    tone: Tone,
    text: String,
    relayed: bool,
}

/// Lines that it takes.
pub fn height(app: &App) -> usize {
    app.status.as_ref().map_or(0, |status| status.nodes.len() + 3)
}

/// Draws it.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (Some(status), Some(mesh)) = (&app.status, &app.mesh) else { return };
    let width = usize::from(area.width);
    let mut names: Vec<&str> = status.nodes.iter().map(|node| node.name.as_str()).collect();
    names.sort_by_key(|name| status.nodes.iter().find(|node| node.name == *name).map(|node| node.id));
    let known = known(app, &status.node, mesh);
    let longest = names.iter().map(|name| name.width()).max().unwrap_or(0).min(NAME);
    let columns = names.len().min(width.saturating_sub(longest + 5) / CELL);
    let dim = |text: String| Span::styled(text, theme::dim(app));
    let pairs = names.len() * names.len().saturating_sub(1);
    let state = t!("matrix-known", known = known.len(), pairs = pairs);
    let mut lines = vec![super::rule(app, width, t!("section-matrix"), &state)];
    let mut head = vec![dim(format!("{:longest$}   ", ""))];
    head.extend((1..=columns).map(|number| dim(format!("{number:>CELL$}"))));
    lines.push(Line::from(head));
    for (row, from) in (1..).zip(&names) {
        let name = theme::cut(from, longest, app.look.utf8);
        let pad = " ".repeat(longest - name.width());
        let mut spans =
            vec![dim(format!("{row:>2} ")), Span::styled(format!("{name}{pad}"), theme::plain(app))];
        for to in names.iter().take(columns) {
            spans.push(cell(app, from, to, &known));
        }
        lines.push(Line::from(spans));
    }
    lines.push(Line::from(dim(theme::cut(&legend(app), width, app.look.utf8))));
    super::plain_list(app, frame, area, lines);
}

fn legend(app: &App) -> String {
    let mark = |tone| words::mark(tone, app.look.utf8);
    t!("matrix-legend", bad = mark(Tone::Bad), unknown = mark(Tone::Dim))
}

fn cell(app: &App, from: &str, to: &str, known: &BTreeMap<(&str, &str), Path>) -> Span<'static> {
    if from == to {
        return Span::styled(format!("{:>CELL$}", words::none(app.look.utf8)), theme::dim(app));
    }
    match known.get(&(from, to)) {
        Some(path) => {
            let text = if path.relayed { format!("{}*", path.text) } else { path.text.clone() };
            Span::styled(format!("{text:>CELL$}"), theme::tone(app, path.tone))
        }
        None => Span::styled(format!("{:>CELL$}", words::mark(Tone::Dim, app.look.utf8)), theme::dim(app)),
    }
}

/// The paths of this node, and what the others say about theirs.
fn known<'a>(app: &App, here: &'a str, mesh: &'a MeshStatus) -> BTreeMap<(&'a str, &'a str), Path> {
    let path = |path: &str, rtt: Option<f64>, answers: bool| match rtt {
        Some(rtt) if answers => {
            let relayed = path != "direct";
            Path { tone: if relayed { Tone::Warn } else { Tone::Good }, text: format::short_ms(rtt), relayed }
        }
        _ => Path { tone: Tone::Bad, text: words::mark(Tone::Bad, app.look.utf8).to_owned(), relayed: false },
    };
    let mut known = BTreeMap::new();
    for peer in mesh.peers.iter().filter(|peer| peer.member) {
        let answers = peer.state == PeerState::Connected;
        // Connected, and not measured yet.
        let rtt = peer.rtt_ms.or(answers.then_some(0.0));
        known.insert((here, peer.name.as_str()), path(&peer.path, rtt, answers));
    }
    for pair in &mesh.pairs {
        known.insert((pair.from.as_str(), pair.to.as_str()), path(&pair.path, pair.rtt_ms, true));
    }
    known
}
