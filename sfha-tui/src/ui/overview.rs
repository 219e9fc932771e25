//! Nodes, VIPs, services and the mesh; beside each other where there is room, above the log's last lines.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::status::{ClusterStatus, Phase, VipState};

use super::grid::{Column, Grid, Row};
use super::{logs, theme, traffic};
use crate::app::{App, Item, Link};
use crate::words::{self, Tone};
use crate::{format, t};

/// From this width on there are two columns.
const WIDE: u16 = 150;
/// Fewer lines than this are not worth giving to the log.
const TAIL: u16 = 4;
/// Lines of the graphs of traffic, where there is room for them.
const GRAPHS: u16 = 9;
/// What the first columns of all sections have in common, so that they align; longer ones stand out.
const COMMON: [usize; 2] = [12, 10];

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    match &app.status {
        None => waiting(app, frame, area),
        Some(status) if status.phase == Phase::Unconfigured => unconfigured(frame, area),
        Some(status) => cluster(app, status, frame, area),
    }
}

fn cluster(app: &App, status: &ClusterStatus, frame: &mut Frame<'_>, area: Rect) {
    let left: Vec<_> =
        [nodes(app, status), vips(app, status), services(app, status)].into_iter().flatten().collect();
    let right: Vec<_> = app.mesh.iter().map(|mesh| peers(app, mesh, area.width)).collect();
    let wide = area.width >= WIDE && !right.is_empty();
    let needed = if wide { height(&left).max(height(&right)) } else { height(&left) + height(&right) };
    let free = area.height.saturating_sub(needed);
    let graphs = if !right.is_empty() && free >= GRAPHS + TAIL { GRAPHS } else { 0 };
    let tail = if free >= TAIL { free - graphs } else { 0 };
    let lengths = [Constraint::Fill(1), Constraint::Length(graphs), Constraint::Length(tail)];
    let [body, middle, tail] = Layout::vertical(lengths).areas(area);
    let halves = [Constraint::Fill(4), Constraint::Fill(if wide { 5 } else { 4 })];
    if wide {
        let [a, b] = Layout::horizontal(halves).spacing(2).areas(body);
        stack(app, frame, a, left);
        stack(app, frame, b, right);
    } else {
        stack(app, frame, body, left.into_iter().chain(right).collect());
    }
    if graphs > 0 {
        traffic::draw(app, frame, middle, halves);
    }
    logs::tail(app, frame, tail);
}

/// A section: its table, and what can be selected in each row.
struct Section {
    title: String,
    grid: Grid,
    items: Vec<Item>,
    /// What stands there when there is no row.
    empty: String,
}

/// Lines that the sections take in full.
fn height(sections: &[Section]) -> u16 {
    let lines = sections.iter().map(|section| section.items.len().max(1) + 2).sum::<usize>();
    u16::try_from(lines).unwrap_or(u16::MAX / 4)
}

fn stack(app: &App, frame: &mut Frame<'_>, area: Rect, sections: Vec<Section>) {
    let width = usize::from(area.width);
    // Titles of columns are the first thing to go where there is no room.
    let roomy = height(&sections) <= area.height;
    let widths: Vec<Vec<usize>> = sections.iter().map(|section| section.grid.widths()).collect();
    let common = |column: usize| {
        let fitting = widths.iter().map(|widths| widths[column]).filter(|width| *width <= COMMON[column]);
        fitting.max().unwrap_or(0)
    };
    let least = [common(0), common(1)];
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut keep = None;
    for section in sections {
        lines.push(super::rule(app, width, section.title, ""));
        if section.items.is_empty() {
            lines.push(Line::from(Span::styled(format!("   {}", section.empty), theme::dim(app))));
            continue;
        }
        let mut drawn = section.grid.lines(app, width, &least).into_iter();
        let titles = drawn.next();
        lines.extend(titles.filter(|_| roomy));
        for (item, line) in section.items.iter().zip(drawn) {
            if is(app, item) {
                keep = Some(lines.len());
            }
            lines.push(line);
        }
    }
    super::list(app, frame, area, lines, keep);
}

fn is(app: &App, item: &Item) -> bool {
    app.selected.as_ref() == Some(item)
}

fn text(app: &App, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), theme::plain(app))
}

fn nodes(app: &App, status: &ClusterStatus) -> Option<Section> {
    let online = status.nodes.iter().filter(|node| node.online).count();
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::right(t!("col-id"), 1),
        Column::left(t!("col-address"), 3),
        Column::left(t!("col-role"), 4),
        Column::left(t!("col-holds"), 5),
    ]);
    let mut items = Vec::new();
    for node in &status.nodes {
        let (tone, state) = words::node(node);
        let item = Item::Node(node.name.clone());
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, node.name.clone()),
                Span::styled(state, theme::tone(app, tone)),
                text(app, node.id.to_string()),
                text(app, node.address.clone()),
                text(app, words::roles(node, status)),
                text(app, app.held_by(&node.name).join(" ")),
            ],
            selected: is(app, &item),
        });
        items.push(item);
    }
    let title = t!("section-nodes", online = online, count = status.nodes.len());
    Some(Section { title, grid, items, empty: t!("no-nodes") })
}

fn vips(app: &App, status: &ClusterStatus) -> Option<Section> {
    let mut columns = vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::left(t!("col-node"), u8::MAX),
        Column::left(t!("col-address"), 5),
        Column::left(t!("col-interface"), 2),
    ];
    let active = status.vips.iter().filter(|vip| vip.state == VipState::Active).count();
    if status.vips.iter().any(|vip| vip.problem.is_some()) {
        columns.push(Column::whole(t!("col-problem"), 3));
    }
    let mut grid = Grid::new(columns);
    let mut items = Vec::new();
    for vip in &status.vips {
        let (tone, state) = words::vip(vip);
        let item = Item::Vip(vip.name.clone());
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, vip.name.clone()),
                Span::styled(state, theme::tone(app, tone)),
                text(app, words::vip_place(vip, app.look.utf8)),
                text(app, vip.address.clone()),
                text(app, vip.interface.clone().unwrap_or_else(|| t!("interface-auto"))),
                Span::styled(
                    vip.problem.as_deref().map(words::problem).unwrap_or_default(),
                    theme::tone(app, Tone::Bad),
                ),
            ],
            selected: is(app, &item),
        });
        items.push(item);
    }
    let title = t!("section-vips", active = active, count = status.vips.len());
    Some(Section { title, grid, items, empty: t!("no-vips") })
}

fn services(app: &App, status: &ClusterStatus) -> Option<Section> {
    if status.services.is_empty() {
        return None;
    }
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::left(t!("col-node"), u8::MAX),
        Column::left(t!("col-unit"), 3),
        Column::right(t!("col-failures"), 2),
    ]);
    let mut items = Vec::new();
    for service in &status.services {
        let (tone, state) = words::service(&service.state);
        let item = Item::Service(service.name.clone());
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, service.name.clone()),
                Span::styled(state, theme::tone(app, tone)),
                text(app, service.holder.clone().unwrap_or_else(|| words::none(app.look.utf8))),
                text(app, service.unit.clone()),
                text(app, service.failures.to_string()),
            ],
            selected: is(app, &item),
        });
        items.push(item);
    }
    let title = t!("section-services", count = status.services.len());
    Some(Section { title, grid, items, empty: t!("no-services") })
}

fn peers(app: &App, mesh: &MeshStatus, width: u16) -> Section {
    let graph = if width >= 100 { 24 } else { 16 };
    let nodes = mesh.peers.iter().filter(|peer| peer.member);
    let count = nodes.clone().count();
    let connected = nodes.filter(|peer| peer.state == sfha_proto::mesh::PeerState::Connected).count();
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::right(t!("col-handshake"), 6),
        Column::right(t!("col-rx-rate"), 5),
        Column::right(t!("col-tx-rate"), 4),
        Column::left(t!("col-traffic"), 1),
        Column::right(t!("col-rtt"), 3),
        Column::left(t!("col-endpoint"), 2),
    ]);
    let mut items = Vec::new();
    let none = || words::none(app.look.utf8);
    for peer in &mesh.peers {
        let (tone, state) = words::peer_state(peer);
        let item = Item::Peer(peer.name.clone());
        let rate = app.rates.current(&peer.name, app.now);
        let both: Vec<f64> = app.rates.history(&peer.name).iter().map(|s| s.rx + s.tx).collect();
        let age = peer.latest_handshake.as_deref().and_then(|time| format::seconds_since(time, app.now));
        let endpoint = match peer.path.as_str() {
            "direct" => peer.endpoint.clone().unwrap_or_else(none),
            relay => words::path(relay),
        };
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, peer.name.clone()),
                Span::styled(state, theme::tone(app, tone)),
                text(app, age.map_or_else(none, format::age)),
                text(app, rate.map_or_else(none, |rate| format::bytes(rate.rx as u64))),
                text(app, rate.map_or_else(none, |rate| format::bytes(rate.tx as u64))),
                Span::styled(theme::spark(&both, graph, app.look.utf8), theme::title(app)),
                text(app, peer.rtt_ms.map_or_else(none, format::rtt)),
                text(app, endpoint),
            ],
            selected: is(app, &item),
        });
        items.push(item);
    }
    let title = t!("section-mesh", connected = connected, count = count);
    Section { title, grid, items, empty: t!("no-peers") }
}

/// Nothing is known yet: what is tried, and what to do if it does not come.
fn waiting(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (tone, lines) = match &app.link {
        Link::Lost { problem, .. } => {
            let retrying = Line::from(Span::styled(t!("retrying"), theme::fresh(app, Tone::Dim)));
            let next = problem.next.clone().unwrap_or_default();
            let message = Line::from(Span::styled(problem.message.clone(), theme::fresh(app, Tone::Bad)));
            (Tone::Bad, vec![message, Line::from(next), Line::default(), retrying])
        }
        Link::Connecting | Link::Up => (Tone::Warn, vec![Line::from(t!("waiting"))]),
    };
    let [_, area] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let [mark, text] = Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
    let sign = Span::styled(format!(" {}", words::mark(tone, app.look.utf8)), theme::fresh(app, tone));
    frame.render_widget(Line::from(sign), mark);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), text);
}

/// What to do where there is no cluster yet.
fn unconfigured(frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'_>> =
        t!("unconfigured-next").lines().map(|line| Line::from(line.to_owned())).collect();
    let [_, area] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let [_, text] = Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), text);
}
