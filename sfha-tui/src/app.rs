//! The dashboard's state and its only writer, [`App::update`]: no terminal, no socket, no clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::message::method;
use sfha_proto::status::{ClusterStatus, Phase};

use crate::client::ClientError;
use crate::client::link::{LinkEvent, Order};
use crate::problem::Problem;
use crate::t;
use crate::words::Tone;

mod journal;
mod rates;
mod select;

pub use journal::Journal;
pub use rates::{Rates, Sample};
pub use select::Item;

/// How long a notice stays, in seconds.
const NOTICE_S: i64 = 8;
/// Lines that a page key moves.
const PAGE: i32 = 10;

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Nodes, VIPs, mesh.
    Overview,
    /// The daemon's log.
    Logs,
    /// Keys and marks.
    Help,
}

impl View {
    /// In the order of the tabs.
    pub const ALL: [Self; 3] = [Self::Overview, Self::Logs, Self::Help];

    fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|view| *view == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// What lies over the view.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// All about one thing.
    Details(Item),
    /// One line of the log, whole.
    Line(usize),
    /// Everything that is not as it should be.
    Concerns,
    /// Shall this be done?
    Confirm(Intent),
    /// This went wrong.
    Problem(Problem),
}

/// Something to be done once it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A node is to hold nothing.
    Standby(String),
    /// A node may hold things again.
    Unstandby(String),
    /// Hands off, or on.
    Maintenance(bool),
}

impl Intent {
    fn order(&self, tag: u64) -> Order {
        let (method, params) = match self {
            Self::Standby(node) => (method::STANDBY, json!({ "node": node })),
            Self::Unstandby(node) => (method::UNSTANDBY, json!({ "node": node })),
            Self::Maintenance(on) => (method::MAINTENANCE, json!({ "on": on })),
        };
        Order { tag, method, params }
    }

    fn done(&self) -> String {
        match self {
            Self::Standby(node) => t!("done-standby", node = node.as_str()),
            Self::Unstandby(node) => t!("done-unstandby", node = node.as_str()),
            Self::Maintenance(true) => t!("done-maintenance-on"),
            Self::Maintenance(false) => t!("done-maintenance-off"),
        }
    }
}

/// What a key asks for; the selection says of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Standby of the selected node.
    Standby,
    /// Its end.
    Unstandby,
    /// Maintenance on, or off if it is on.
    Maintenance,
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

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A second has passed.
    Tick(Timestamp),
    /// Something came from the daemon.
    Heard(LinkEvent, Timestamp),
    /// Leave.
    Quit,
    /// Ctrl-Z.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show a view.
    Show(View),
    /// The next view.
    NextView,
    /// The one before.
    PreviousView,
    /// Move the selection by lines.
    Move(i32),
    /// Move it by pages.
    Page(i32),
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Details of the selection.
    Open,
    /// Everything that is not as it should be.
    Concerns,
    /// Close what lies over the view; cancel.
    Close,
    /// Ask whether to do it.
    Ask(Verb),
    /// Yes.
    Confirm,
}

/// What the console has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Stop until continued.
    Suspend,
    /// Clear the screen first.
    Redraw,
    /// Ask the daemon.
    Send(Order),
}

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub colour: bool,
    /// Signs outside ASCII.
    pub utf8: bool,
}

/// The dashboard.
#[derive(Debug, Clone)]
pub struct App {
    /// What fills the screen.
    pub view: View,
    /// What lies over it.
    pub popup: Option<Popup>,
    /// Where the connection stands.
    pub link: Link,
    /// The cluster when it was last heard of.
    pub status: Option<ClusterStatus>,
    /// When that was.
    pub heard: Option<Timestamp>,
    /// The mesh when it was last heard of.
    pub mesh: Option<MeshStatus>,
    /// Traffic of the peers.
    pub rates: Rates,
    /// The daemon's log.
    pub journal: Journal,
    /// What is selected in the overview.
    pub selected: Option<Item>,
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
    orders: BTreeMap<u64, Intent>,
    last_tag: u64,
}

impl App {
    /// Before anything is heard.
    pub fn new(now: Timestamp, zone: TimeZone, look: Look, demo: bool) -> Self {
        Self {
            view: View::Overview,
            popup: None,
            link: Link::Connecting,
            status: None,
            heard: None,
            mesh: None,
            rates: Rates::default(),
            journal: Journal::default(),
            selected: None,
            help_scroll: 0,
            notice: None,
            now,
            zone,
            look,
            demo,
            orders: BTreeMap::new(),
            last_tag: 0,
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
            Msg::Quit => return vec![Effect::Quit],
            Msg::Suspend => return vec![Effect::Suspend],
            Msg::Redraw => return vec![Effect::Redraw],
            Msg::Show(view) => self.view = view,
            Msg::NextView => self.view = self.view.step(1),
            Msg::PreviousView => self.view = self.view.step(View::ALL.len() - 1),
            Msg::Move(by) => self.shift(by),
            Msg::Page(by) => self.shift(by * PAGE),
            Msg::First => self.shift(-i32::from(i16::MAX)),
            Msg::Last => self.shift(i32::from(i16::MAX)),
            Msg::Open => self.open(),
            Msg::Concerns => self.popup = self.status.is_some().then_some(Popup::Concerns),
            Msg::Close => self.close(),
            Msg::Ask(verb) => self.ask(verb),
            Msg::Confirm => return self.confirm(),
        }
        Vec::new()
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
        }
    }

    fn hear(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected { .. } => self.link = Link::Up,
            LinkEvent::Lost(error) => {
                let since = match &self.link {
                    Link::Lost { since, .. } => *since,
                    Link::Connecting | Link::Up => self.now,
                };
                self.link = Link::Lost { problem: error.into(), since };
            }
            LinkEvent::Status(mut status) => {
                self.heard = Some(self.now);
                if let Some(mesh) = status.mesh_detail.take() {
                    self.take_mesh(mesh);
                } else if !status.mesh.enabled {
                    self.mesh = None;
                }
                self.status = Some(*status);
                self.keep_selection();
            }
            LinkEvent::Mesh(mesh) => {
                self.heard = Some(self.now);
                self.take_mesh(*mesh);
            }
            LinkEvent::Log(line) => self.journal.push(line),
            LinkEvent::Answer { tag, outcome } => self.answer(tag, outcome),
        }
    }

    fn take_mesh(&mut self, mesh: MeshStatus) {
        self.rates.take(&mesh, self.now);
        self.mesh = Some(mesh);
    }

    fn answer(&mut self, tag: u64, outcome: Result<Value, ClientError>) {
        let Some(intent) = self.orders.remove(&tag) else { return };
        match outcome {
            Ok(_) => self.tell(Tone::Good, intent.done()),
            Err(error) => self.popup = Some(Popup::Problem(error.into())),
        }
    }

    fn tell(&mut self, tone: Tone, text: String) {
        let until = self.now.saturating_add(jiff::SignedDuration::from_secs(NOTICE_S)).unwrap_or(self.now);
        self.notice = Some(Notice { tone, text, until });
    }

    fn shift(&mut self, by: i32) {
        match self.view {
            View::Overview => self.shift_selection(by),
            View::Logs => self.journal.shift(by),
            View::Help => {
                let by = isize::try_from(by).unwrap_or(0);
                self.help_scroll = self.help_scroll.saturating_add_signed(by).min(crate::keymap::HELP_LINES);
            }
        }
    }

    fn open(&mut self) {
        self.popup = match self.view {
            View::Overview => self.selected.clone().map(Popup::Details),
            View::Logs => self.journal.current().map(Popup::Line),
            View::Help => None,
        };
    }

    fn close(&mut self) {
        if self.popup.take().is_none() {
            self.view = View::Overview;
            self.journal.follow();
        }
    }

    fn ask(&mut self, verb: Verb) {
        if !self.can_order() {
            return self.tell(Tone::Bad, t!("notice-no-link"));
        }
        let maintenance = self.status.as_ref().is_some_and(|status| status.maintenance);
        let node = self.selected.as_ref().and_then(Item::node).map(str::to_owned);
        let intent = match (verb, node, self.selected_standby()) {
            (Verb::Maintenance, ..) => Intent::Maintenance(!maintenance),
            (_, None, _) | (_, _, None) => return self.tell(Tone::Warn, t!("notice-no-node")),
            (Verb::Standby, Some(node), Some(false)) => Intent::Standby(node),
            (Verb::Unstandby, Some(node), Some(true)) => Intent::Unstandby(node),
            (Verb::Standby, Some(node), Some(true)) => {
                return self.tell(Tone::Warn, t!("notice-already-standby", node = node));
            }
            (Verb::Unstandby, Some(node), Some(false)) => {
                return self.tell(Tone::Warn, t!("notice-not-standby", node = node));
            }
        };
        self.popup = Some(Popup::Confirm(intent));
    }

    fn confirm(&mut self) -> Vec<Effect> {
        let Some(Popup::Confirm(intent)) = self.popup.take() else { return Vec::new() };
        self.last_tag += 1;
        let order = intent.order(self.last_tag);
        self.orders.insert(self.last_tag, intent);
        vec![Effect::Send(order)]
    }

    /// The daemon listens, and there is a cluster.
    pub fn can_order(&self) -> bool {
        let configured = |status: &ClusterStatus| status.phase != Phase::Unconfigured;
        self.link == Link::Up && self.status.as_ref().is_some_and(configured)
    }

    /// Whether the selected node is on standby, where that can be changed.
    pub fn selected_standby(&self) -> Option<bool> {
        let name = self.selected.as_ref().filter(|_| self.can_order())?.node()?;
        self.status.as_ref()?.nodes.iter().find(|node| node.name == name).map(|node| node.standby)
    }

    /// Names of the VIPs that a node holds.
    pub fn held_by(&self, node: &str) -> Vec<&str> {
        let vips = self.status.iter().flat_map(|status| &status.vips);
        vips.filter(|vip| vip.holder.as_deref() == Some(node)).map(|vip| vip.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
