//! The tables that views are made of: nodes, VIPs, services, health checks, peers.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use sfha_proto::mesh::PeerState;
use sfha_proto::status::VipState;

use super::grid::{Column, Grid, Row};
use super::{Spots, theme};
use crate::app::{App, Item, View};
use crate::words::{self, Tone};
use crate::{format, t};

/// What the first columns of all sections have in common, so that they align; longer ones stand out.
const COMMON: [usize; 2] = [12, 10];

/// A section: its table, and what can be selected in each row.
pub struct Section {
    title: String,
    state: String,
    grid: Grid,
    items: Vec<Item>,
    /// What stands there when there is no row.
    empty: String,
    /// How many are as they should be and not shown, and where they are.
    more: Option<(usize, View)>,
}

impl Section {
    /// All of a kind that the overview leaves out.
    fn hiding(mut self, app: &App, total: usize, view: View) -> Self {
        let hidden = total - self.items.len().min(total);
        self.more = (app.view == View::Overview && hidden > 0).then_some((hidden, view));
        self
    }
}

/// Lines that the sections take in full.
pub fn height(sections: &[Section]) -> u16 {
    let lines = sections
        .iter()
        .map(|section| {
            section.items.len().max(1) + 2 + usize::from(section.more.is_some() && !section.items.is_empty())
        })
        .sum::<usize>();
    u16::try_from(lines).unwrap_or(u16::MAX / 4)
}

/// Draws sections below each other, scrolled to what is selected.
pub fn stack(app: &App, frame: &mut Frame<'_>, area: Rect, sections: Vec<Section>, spots: &mut Spots) {
    let width = usize::from(area.width);
    // Titles of columns are the first thing to go where there is no room; one list keeps its own.
    let roomy = height(&sections) <= area.height || sections.len() == 1;
    let widths: Vec<Vec<usize>> = sections.iter().map(|section| section.grid.widths()).collect();
    let common = |column: usize| {
        let fitting = widths.iter().map(|widths| widths[column]).filter(|width| *width <= COMMON[column]);
        fitting.max().unwrap_or(0)
    };
    let least = [common(0), common(1)];
    let seen = seen(app, usize::from(area.height), &sections, roomy);
    let mut rows: Vec<super::Row> = Vec::new();
    let mut keep = None;
    for section in sections {
        rows.push((super::rule(app, width, section.title, &section.state), None));
        let more = section.more.map(|(count, view)| {
            let view = super::chrome::name(view);
            let alone = section.items.is_empty();
            let text = if alone {
                t!("many-well", view = view)
            } else {
                t!("more-well", count = count, view = view)
            };
            (Line::from(Span::styled(format!("   {text}"), theme::dim(app))), None)
        });
        if section.items.is_empty() && more.is_some() {
            rows.extend(more);
            continue;
        }
        if section.items.is_empty() {
            let text = theme::cut(&section.empty, width.saturating_sub(3), app.look.utf8);
            rows.push((Line::from(Span::styled(format!("   {text}"), theme::dim(app))), None));
            continue;
        }
        let start = rows.len() + usize::from(roomy);
        let drawn = section.grid.lines(app, width, &least, |row| seen.contains(&(start + row)));
        let mut drawn = drawn.into_iter();
        let titles = drawn.next();
        rows.extend(titles.filter(|_| roomy).map(|line| (line, None)));
        for (item, line) in section.items.into_iter().zip(drawn) {
            if is(app, &item) {
                keep = Some(rows.len());
            }
            rows.push((line, Some(item)));
        }
        rows.extend(more);
    }
    // The heading stays where it is: it tells how the list is sorted and filtered.
    if let Some(fixed) = heading(app, rows.len(), usize::from(area.height), roomy) {
        let body = rows.split_off(fixed.min(rows.len()));
        let head = Rect { height: fixed as u16, ..area };
        super::list(app, frame, head, rows, None, spots);
        let area = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
        let keep = keep.map(|keep| keep.saturating_sub(fixed));
        return super::list(app, frame, area, body, keep, spots);
    }
    super::list(app, frame, area, rows, keep, spots);
}

/// Lines of the heading that stay where they are; nothing where all fits, or where there are several headings.
fn heading(app: &App, lines: usize, height: usize, roomy: bool) -> Option<usize> {
    let stays = lines > height && height > 3 && app.view != View::Overview;
    stays.then_some(if roomy { 2 } else { 1 })
}

/// The lines that will be on the screen.
fn seen(app: &App, height: usize, sections: &[Section], roomy: bool) -> std::ops::Range<usize> {
    let (mut lines, mut keep) = (0, None);
    for section in sections {
        let titles = 1 + usize::from(roomy);
        let selected = section.items.iter().position(|item| is(app, item));
        keep = keep.or(selected.map(|at| lines + titles + at));
        let more = usize::from(section.more.is_some());
        lines += if section.items.is_empty() { 2 } else { titles + section.items.len() + more };
    }
    let fixed = heading(app, lines, height, roomy).unwrap_or(0);
    let room = height - fixed;
    let first = fixed + super::offset(lines - fixed, room, keep.map(|keep| keep.saturating_sub(fixed)));
    first..first + room
}

fn is(app: &App, item: &Item) -> bool {
    app.selected() == Some(item)
}

fn text(app: &App, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), theme::plain(app))
}

fn toned(app: &App, tone: Tone, text: String) -> Span<'static> {
    Span::styled(text, theme::tone(app, tone))
}

/// How the list of this view is sorted and filtered.
fn state(app: &App) -> String {
    let list = app.list(app.view);
    let mut parts = Vec::new();
    if !list.filter.is_empty() && app.view.filters() {
        let (shown, total) = (app.listing(app.view).len(), app.total(app.view));
        parts.push(t!("list-filter", filter = list.filter.as_str(), shown = shown, total = total));
    }
    if let Some(sort) = app.view.sorts().get(list.sort)
        && (list.sort > 0 || list.reverse)
    {
        let label = sort.label();
        let sorted =
            if list.reverse { t!("list-sorted-reverse", by = label) } else { t!("list-sorted", by = label) };
        parts.push(sorted);
    }
    parts.join(", ")
}

fn named<'a, T>(all: &'a [T], name: &str, of: impl Fn(&T) -> &str) -> Option<&'a T> {
    all.iter().find(|thing| of(thing) == name)
}

/// The nodes of the listing.
pub fn nodes(app: &App, items: &[Item]) -> Option<Section> {
    let status = app.status.as_ref()?;
    let online = status.nodes.iter().filter(|node| node.online).count();
    let mut columns = vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::right(t!("col-id"), 1),
        Column::left(t!("col-address"), 3),
        Column::left(t!("col-role"), 4),
        Column::left(t!("col-holds"), 5),
    ];
    // Where nodes are all there is.
    if app.view == View::Nodes {
        columns.push(Column::whole(t!("col-program"), 0));
        columns.push(Column::whole(t!("col-state-version"), 0));
    }
    let mut grid = Grid::new(columns);
    let mut shown = Vec::new();
    for item in items {
        let Item::Node(name) = item else { continue };
        let Some(node) = named(&status.nodes, name, |node| &node.name) else { continue };
        let (tone, state) = words::node(node);
        let version = node.state.as_ref().map(|state| {
            t!(
                "state-short",
                epoch = state.epoch,
                version = state.version,
                hash = state.hash.get(..8).unwrap_or(&state.hash)
            )
        });
        let differs = node.state.is_some() && node.state != status.state;
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, node.name.clone()),
                toned(app, tone, state),
                text(app, node.id.to_string()),
                text(app, node.address.clone()),
                text(app, words::roles(node, status)),
                text(app, holds(app, &node.name)),
                text(app, node.program.clone().unwrap_or_default()),
                toned(app, if differs { Tone::Warn } else { Tone::Plain }, version.unwrap_or_default()),
            ],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-nodes", online = online, count = status.nodes.len());
    Some(Section {
        title,
        state: state(app),
        grid,
        items: shown,
        empty: empty(app, t!("no-nodes")),
        more: None,
    })
}

/// What a node holds; many names are only counted.
pub fn holds(app: &App, node: &str) -> String {
    let vips = app.held_by(node);
    let services = app.status.iter().flat_map(|status| &status.services);
    let services: Vec<&str> =
        services.filter(|s| s.holder.as_deref() == Some(node)).map(|s| s.name.as_str()).collect();
    if vips.len() + services.len() <= 4 {
        return [vips, services].concat().join(" ");
    }
    t!("holds-many", vips = vips.len(), services = services.len())
}

fn empty(app: &App, none: String) -> String {
    if app.list(app.view).filter.is_empty() { none } else { t!("no-match") }
}

/// The VIPs of the listing.
pub fn vips(app: &App, items: &[Item]) -> Option<Section> {
    let status = app.status.as_ref()?;
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
    let mut shown = Vec::new();
    for item in items {
        let Item::Vip(name) = item else { continue };
        let Some(vip) = named(&status.vips, name, |vip| &vip.name) else { continue };
        let (tone, state) = words::vip(vip);
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, vip.name.clone()),
                toned(app, tone, state),
                text(app, words::vip_place(vip, app.look.utf8)),
                text(app, vip.address.clone()),
                text(app, vip.interface.clone().unwrap_or_else(|| t!("interface-auto"))),
                toned(app, Tone::Bad, vip.problem.as_deref().map(words::problem).unwrap_or_default()),
            ],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-vips", active = active, count = status.vips.len());
    Some(
        Section {
            title,
            state: state(app),
            grid,
            items: shown,
            empty: empty(app, t!("no-vips")),
            more: None,
        }
        .hiding(app, status.vips.len(), View::Resources),
    )
}

/// The services of the listing; nothing where the cluster has none.
pub fn services(app: &App, items: &[Item]) -> Option<Section> {
    let status = app.status.as_ref().filter(|status| !status.services.is_empty())?;
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::left(t!("col-node"), u8::MAX),
        Column::left(t!("col-health"), 4),
        Column::left(t!("col-unit"), 3),
        Column::right(t!("col-failures"), 2),
    ]);
    let mut shown = Vec::new();
    for item in items {
        let Item::Service(name) = item else { continue };
        let Some(service) = named(&status.services, name, |service| &service.name) else { continue };
        let (tone, state) = words::service(&service.state);
        let health = match service.healthy {
            None => (Tone::Dim, words::none(app.look.utf8)),
            known => words::health(known),
        };
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, service.name.clone()),
                toned(app, tone, state),
                text(app, words::service_place(service, app.look.utf8)),
                toned(app, health.0, health.1),
                text(app, service.unit.clone()),
                text(app, service.failures.to_string()),
            ],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-services", count = status.services.len());
    Some(
        Section {
            title,
            state: String::new(),
            grid,
            items: shown,
            empty: empty(app, t!("no-services")),
            more: None,
        }
        .hiding(app, status.services.len(), View::Resources),
    )
}

/// The health checks of the listing; nothing where the cluster has none.
pub fn checks(app: &App, items: &[Item]) -> Option<Section> {
    let status = app.status.as_ref().filter(|status| !status.health.is_empty())?;
    let good = status.health.iter().filter(|check| check.healthy == Some(true)).count();
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::left(t!("col-kind"), 3),
        Column::left(t!("col-error"), 4),
    ]);
    let mut shown = Vec::new();
    for item in items {
        let Item::Check(name) = item else { continue };
        let Some(check) = named(&status.health, name, |check| &check.name) else { continue };
        let (tone, state) = words::health(check.healthy);
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![
                text(app, check.name.clone()),
                toned(app, tone, state),
                text(app, words::probe(&check.kind)),
                text(app, check.last_error.as_deref().map(words::check_error).unwrap_or_default()),
            ],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-checks", good = good, count = status.health.len());
    Some(
        Section {
            title,
            state: String::new(),
            grid,
            items: shown,
            empty: empty(app, t!("no-health")),
            more: None,
        }
        .hiding(app, status.health.len(), View::Resources),
    )
}

/// The constraints of the listing; nothing where the cluster has none.
pub fn constraints(app: &App, items: &[Item]) -> Option<Section> {
    let status = app.status.as_ref().filter(|status| !status.constraints.is_empty())?;
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::left(t!("col-constraint"), u8::MAX),
    ]);
    let mut shown = Vec::new();
    for item in items {
        let Item::Constraint(number) = item else { continue };
        let Some(constraint) = status.constraints.get(*number) else { continue };
        let Some((name, rule)) = words::constraint(constraint) else { continue };
        let (tone, state) = words::kept(status, constraint);
        grid.row(Row {
            mark: theme::mark(app, tone),
            cells: vec![text(app, name), toned(app, tone, state), text(app, rule)],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-constraints", count = status.constraints.len());
    Some(Section {
        title,
        state: String::new(),
        grid,
        items: shown,
        empty: empty(app, String::new()),
        more: None,
    })
}

/// The peers of the listing; nothing where the cluster has no mesh.
pub fn peers(app: &App, items: &[Item], width: u16) -> Option<Section> {
    let mesh = app.mesh.as_ref()?;
    let graph = if width >= 100 { 24 } else { 16 };
    let nodes = mesh.peers.iter().filter(|peer| peer.member);
    let count = nodes.clone().count();
    let connected = nodes.filter(|peer| peer.state == PeerState::Connected).count();
    let mut grid = Grid::new(vec![
        Column::left(t!("col-name"), u8::MAX),
        Column::left(t!("col-state"), u8::MAX),
        Column::right(t!("col-handshake"), 6).at_least(9),
        Column::right(t!("col-rx-rate"), 5).at_least(7),
        Column::right(t!("col-tx-rate"), 4).at_least(7),
        Column::left(t!("col-traffic"), 1),
        Column::right(t!("col-rtt"), 3),
        Column::whole(t!("col-endpoint"), 2),
    ]);
    let none = || words::none(app.look.utf8);
    let mut shown = Vec::new();
    for item in items {
        let Item::Peer(name) = item else { continue };
        let Some(peer) = named(&mesh.peers, name, |peer| &peer.name) else { continue };
        let (tone, state) = words::peer_state(peer);
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
                text(app, words::peer_name(peer)),
                toned(app, tone, state),
                text(app, age.map_or_else(none, format::age)),
                text(app, rate.map_or_else(none, |rate| format::bytes(rate.rx as u64))),
                text(app, rate.map_or_else(none, |rate| format::bytes(rate.tx as u64))),
                Span::styled(theme::spark(&both, graph, app.look.utf8), theme::graph(app)),
                text(app, peer.rtt_ms.map_or_else(none, format::rtt)),
                text(app, endpoint),
            ],
            selected: is(app, item),
        });
        shown.push(item.clone());
    }
    let title = t!("section-mesh", connected = connected, count = count);
    Some(
        Section {
            title,
            state: state(app),
            grid,
            items: shown,
            empty: empty(app, t!("no-peers")),
            more: None,
        }
        .hiding(app, mesh.peers.len(), View::Mesh),
    )
}
