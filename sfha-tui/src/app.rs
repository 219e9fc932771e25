//! The dashboard's state and its only writer, [`App::update`]: no terminal, no socket, no clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_config::stonith::settings::FencingSettings;
use sfha_proto::history::HistoryEvent;
use sfha_proto::mesh::MeshStatus;
use sfha_proto::status::{ClusterStatus, Phase};
use tui_input::Input;
use tui_logger::TuiWidgetEvent;

use crate::client::link::LinkEvent;
use crate::problem::Problem;
use crate::t;
use crate::words::Tone;

mod events;
mod lists;
mod logs;
mod look;
mod msg;
mod rates;
mod select;
mod view;
mod wizard;

pub use events::{Event as HappenedEvent, Events, Kind as EventKind};
pub use logs::{Logs, prepare as prepare_logs, record};
pub use look::{Look, Palette};
pub use msg::{DaemonOrder, Effect, Msg};
pub use rates::{Rates, Sample};
pub use select::{Item, ListState};
pub use view::{Pane, View};
pub use wizard::{Field, Invite, Kind, Stage, Wizard};

/// How long a notice stays, in seconds.
const NOTICE_S: i64 = 8;
/// Lines that a page key moves.
const PAGE: i32 = 10;

/// What lies over the view.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// All about one thing.
    Details(Item),
    /// Everything that is not as it should be.
    Concerns,
    /// What can be done; the number of the line.
    Menu(usize),
}

/// Where the connection stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// Not yet.
    Connecting,
    /// The daemon talks.
    Up,
    /// Not any more, or never.
    Lost {
        /// Why.
        problem: Problem,
        /// Since when.
        since: Timestamp,
    },
}

/// A line that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Good or bad news.
    pub tone: Tone,
    /// The news.
    pub text: String,
    /// When it goes.
    pub until: Timestamp,
}

/// What an order was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A wizard of that kind; whether there was maintenance.
    Wizard(Kind, bool),
    /// The state of tokens.
    Tokens,
    /// What a wizard would bring about.
    Plan,
    /// Settings of fencing that are tried.
    Tried,
}

/// The dashboard.
#[derive(Debug, Clone)]
pub struct App {
    /// What fills the screen.
    pub view: View,
    /// The view that the help was called from.
    before_help: View,
    /// What lies over it.
    pub popup: Option<Popup>,
    /// What is being done.
    pub wizard: Option<Wizard>,
    /// What was left and is not over.
    pub parked: Vec<Wizard>,
    /// The search that is being typed.
    pub search: Option<Input>,
    /// Where the connection stands.
    pub link: Link,
    /// The cluster when it was last heard of.
    pub status: Option<ClusterStatus>,
    /// When that was.
    pub heard: Option<Timestamp>,
    /// When the status came: what is left of its waits counts from there.
    pub told: Option<Timestamp>,
    /// The mesh when it was last heard of.
    pub mesh: Option<MeshStatus>,
    /// Traffic of the peers.
    pub rates: Rates,
    /// What has happened.
    pub events: Events,
    /// The daemon's log.
    pub logs: Logs,
    /// What is shown below the peers.
    pub pane: Pane,
    lists: BTreeMap<View, ListState>,
    /// First line of the help that is shown.
    pub help_scroll: usize,
    /// The latest news.
    pub notice: Option<Notice>,
    /// The time.
    pub now: Timestamp,
    /// For times of day.
    pub zone: TimeZone,
    /// What the terminal can show.
    pub look: Look,
    /// The cluster is invented.
    pub demo: bool,
    /// How fencing is set up now, as this node's file tells it.
    fencing_known: Option<Box<FencingSettings>>,
    orders: BTreeMap<u64, Purpose>,
    last_tag: u64,
    out: Vec<Effect>,
}

impl App {
    /// Before anything is heard.
    pub fn new(now: Timestamp, zone: TimeZone, look: Look, demo: bool) -> Self {
        Self {
            view: View::Overview,
            before_help: View::Overview,
            popup: None,
            wizard: None,
            parked: Vec::new(),
            search: None,
            link: Link::Connecting,
            status: None,
            heard: None,
            told: None,
            mesh: None,
            rates: Rates::default(),
            events: Events::default(),
            logs: Logs::default(),
            pane: Pane::Peer,
            lists: BTreeMap::new(),
            help_scroll: 0,
            notice: None,
            now,
            zone,
            look,
            demo,
            fencing_known: None,
            orders: BTreeMap::new(),
            last_tag: 0,
            out: Vec::new(),
        }
    }

    /// Takes one message and says what has to be done.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Tick(now) => self.tick(now),
            Msg::Heard(event, now) => {
                self.tick(now);
                self.hear(event);
            }
            Msg::Fencing(settings) => self.fencing_known = Some(settings),
            Msg::Daemon(order, outcome) => self.daemon_answered(order, outcome),
            Msg::Quit => self.out.push(Effect::Quit),
            Msg::Suspend => self.out.push(Effect::Suspend),
            Msg::Redraw => self.out.push(Effect::Redraw),
            Msg::Theme => self.look = self.look.next(),
            Msg::Show(view) => self.show(view),
            Msg::NextView => self.show(self.view.step(1)),
            Msg::PreviousView => self.show(self.view.step(View::TABS.len() - 1)),
            Msg::Move(by) => self.shift(by),
            Msg::Page(by) => self.shift(by * PAGE),
            Msg::First => self.shift(-i32::from(i16::MAX)),
            Msg::Last => self.shift(i32::from(i16::MAX)),
            Msg::Select(item) if self.selected() == Some(&item) => self.open(),
            Msg::Select(item) => self.select(item),
            Msg::Open => self.open(),
            Msg::Sort => self.sort(),
            Msg::Reverse => {
                let list = self.list_mut();
                list.reverse = !list.reverse;
            }
            Msg::Search => {
                self.search = self.view.filters().then(|| Input::new(self.list(self.view).filter.clone()));
            }
            Msg::Pane => {
                self.pane = if self.pane == Pane::Peer { Pane::Matrix } else { Pane::Peer };
            }
            Msg::Log(event) => self.logs.transition(event),
            Msg::Only(by) => {
                self.events.only(by);
                self.keep_selection();
            }
            Msg::Worse => {
                self.events.worse();
                self.keep_selection();
            }
            Msg::Concerns => self.popup = self.status.is_some().then_some(Popup::Concerns),
            Msg::Menu => self.menu(),
            Msg::Pick(line) => self.pick(line),
            Msg::Close => self.close(),
            Msg::Leave => self.leave(),
            Msg::Begin(kind) => self.begin_here(kind),
            Msg::Edit(request) => self.edit(request),
            Msg::Focus(by) => self.focus(by),
            Msg::Next => self.next(),
            Msg::Copy => self.copy(),
        }
        std::mem::take(&mut self.out)
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
        }
        self.watch_tokens();
    }

    fn hear(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected { .. } => {
                if matches!(self.link, Link::Lost { .. }) && self.status.is_some() {
                    self.events.note(self.now, Tone::Good, t!("event-link-back"));
                }
                self.link = Link::Up;
                self.daemon_is_there();
                self.foresee();
            }
            LinkEvent::Lost(error) => self.lost(error.into()),
            LinkEvent::Status(mut status) => {
                self.heard = Some(self.now);
                self.told = Some(self.now);
                if let Some(mesh) = status.mesh_detail.take() {
                    self.take_mesh(mesh);
                } else if !status.mesh.enabled {
                    self.mesh = None;
                }
                let old = self.status.replace(*status);
                self.keep_selection();
                if let Some(old) = old.filter(|_| self.wizard.is_some()) {
                    self.foresee_anew(&old);
                }
            }
            LinkEvent::Happened(events) => self.happened(&events),
            LinkEvent::Mesh(mesh) => {
                self.heard = Some(self.now);
                self.take_mesh(*mesh);
            }
            LinkEvent::Log(line) => {
                self.logs.count += 1;
                self.out.push(Effect::Record(line));
            }
            LinkEvent::Progress { tag, progress } => self.progress(tag, progress),
            LinkEvent::Answer { tag, outcome } => self.answer(tag, outcome),
        }
    }

    /// How old the status is, in milliseconds.
    pub fn status_age_ms(&self) -> u64 {
        let age = self.told.map_or(0, |told| self.now.as_millisecond() - told.as_millisecond());
        u64::try_from(age).unwrap_or(0)
    }

    fn lost(&mut self, problem: Problem) {
        let since = match &self.link {
            Link::Lost { since, .. } => *since,
            Link::Connecting | Link::Up => {
                if self.status.is_some() {
                    self.events.note(self.now, Tone::Bad, t!("event-link-lost"));
                }
                self.now
            }
        };
        self.link = Link::Lost { problem, since };
    }

    /// The selection stays on what it was on, also when something older is told.
    fn happened(&mut self, events: &[HistoryEvent]) {
        events.iter().for_each(|event| self.events.hear(event));
        if self.view == View::Events {
            self.keep_selection();
        }
    }

    fn take_mesh(&mut self, mut mesh: MeshStatus) {
        if let Some(old) = &self.mesh {
            rates::steady(old, &mut mesh);
        }
        self.rates.take(&mesh, self.now);
        self.mesh = Some(mesh);
    }

    fn tell(&mut self, tone: Tone, text: String) {
        let until = self.now.saturating_add(jiff::SignedDuration::from_secs(NOTICE_S)).unwrap_or(self.now);
        self.notice = Some(Notice { tone, text, until });
    }

    fn show(&mut self, view: View) {
        if view == View::Help && self.view != View::Help {
            self.before_help = self.view;
        }
        self.view = view;
        self.search = None;
        self.popup = None;
        self.keep_selection();
    }

    fn shift(&mut self, by: i32) {
        if let Some(Popup::Menu(line)) = &mut self.popup {
            let by = isize::try_from(by).unwrap_or(0);
            let at = line.saturating_add_signed(by);
            let last = self.wizards().len().saturating_sub(1);
            self.popup = Some(Popup::Menu(at.min(last)));
            return;
        }
        match self.view {
            View::Help => {
                let by = isize::try_from(by).unwrap_or(0);
                self.help_scroll = self.help_scroll.saturating_add_signed(by).min(crate::keymap::HELP_LINES);
            }
            View::Logs => {
                let event = if by < 0 { TuiWidgetEvent::PrevPageKey } else { TuiWidgetEvent::NextPageKey };
                self.logs.transition(event);
            }
            _ => self.shift_selection(by),
        }
        if let Some(Popup::Details(_)) = self.popup {
            self.open();
        }
    }

    fn open(&mut self) {
        if let Some(Popup::Menu(line)) = self.popup {
            return self.pick(line);
        }
        self.popup = match self.view {
            View::Help | View::Logs => None,
            View::Events => {
                let last = self.listing(View::Events).pop();
                self.selected().cloned().or(last).map(Popup::Details)
            }
            _ => self.selected().cloned().map(Popup::Details),
        };
    }

    fn sort(&mut self) {
        let columns = self.view.sorts().len();
        if columns > 0 {
            let list = self.list_mut();
            list.sort = (list.sort + 1) % columns;
            list.reverse = false;
        }
    }

    fn menu(&mut self) {
        if self.wizards().is_empty() {
            let text = if self.link == Link::Up { t!("notice-not-now") } else { t!("notice-no-link") };
            self.tell(Tone::Warn, text);
        } else {
            self.popup = Some(Popup::Menu(0));
        }
    }

    fn pick(&mut self, line: usize) {
        if let Some(kind) = self.wizards().get(line).copied() {
            self.begin(kind, None);
        }
    }

    /// A wizard about what is selected, where that makes sense.
    fn begin_here(&mut self, kind: Kind) {
        let selected = self.selected().cloned();
        let node = selected.as_ref().and_then(Item::node).map(str::to_owned);
        let target = match kind {
            Kind::Standby | Kind::Unstandby => {
                let standby = node.as_deref().and_then(|name| self.standby(name));
                match (node, standby, kind) {
                    (Some(node), Some(true), Kind::Standby) => {
                        return self.tell(Tone::Warn, t!("notice-already-standby", node = node));
                    }
                    (Some(node), Some(false), Kind::Unstandby) => {
                        return self.tell(Tone::Warn, t!("notice-not-standby", node = node));
                    }
                    (node, standby, _) => node.filter(|_| standby.is_some()),
                }
            }
            Kind::VipRemove => match selected {
                Some(Item::Vip(name)) => Some(name),
                _ => None,
            },
            Kind::Fence | Kind::Unfence | Kind::Confirm => {
                node.filter(|node| wizard::can_be_fenced(self.status.as_ref(), node, kind))
            }
            Kind::Remove => node.filter(|node| self.status.as_ref().is_some_and(|s| s.node != *node)),
            _ => None,
        };
        self.begin(kind, target.as_deref());
    }

    fn next(&mut self) {
        if self.search.is_some() {
            self.search = None;
        } else {
            self.go_on();
        }
    }

    fn close(&mut self) {
        if self.search.take().is_some() {
            self.list_mut().filter.clear();
            self.keep_selection();
        } else if self.wizard.is_some() {
            self.back();
        } else if self.popup.take().is_some() {
        } else if !self.list(self.view).filter.is_empty() {
            self.list_mut().filter.clear();
        } else if self.view == View::Logs && !self.logs.following {
            self.logs.transition(TuiWidgetEvent::EscapeKey);
        } else if self.view == View::Events && self.events.all_shown() {
            self.keep_selection();
        } else if self.view == View::Events && self.selected().is_some() {
            self.list_mut().selected = None;
        } else if self.view == View::Help {
            self.show(self.before_help);
        } else {
            self.show(View::Overview);
        }
    }

    /// The daemon listens, and there is a cluster.
    pub fn can_order(&self) -> bool {
        let configured = |status: &ClusterStatus| status.phase != Phase::Unconfigured;
        self.link == Link::Up && self.status.as_ref().is_some_and(configured)
    }

    /// Whether that node is on standby.
    fn standby(&self, name: &str) -> Option<bool> {
        self.status.as_ref()?.nodes.iter().find(|node| node.name == name).map(|node| node.standby)
    }

    /// Whether the selected node is on standby, where that can be changed.
    pub fn selected_standby(&self) -> Option<bool> {
        self.standby(self.selected().filter(|_| self.can_order())?.node()?)
    }

    /// Names of the VIPs that a node holds.
    pub fn held_by(&self, node: &str) -> Vec<&str> {
        let vips = self.status.iter().flat_map(|status| &status.vips);
        vips.filter(|vip| vip.holder.as_deref() == Some(node)).map(|vip| vip.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
