//! What has happened: the daemon's history, and what became of the connection to it.

use std::collections::VecDeque;

use jiff::Timestamp;
use sfha_proto::history::{EventKind, HistoryEvent};

use crate::words::Tone;
use crate::{happened, t};

/// Events kept.
const KEPT: usize = 500;
/// Numbers from here on are not the daemon's.
const OWN: u64 = 1 << 63;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quorum, leader, maintenance, configuration, the connection to the daemon.
    Cluster,
    /// A node.
    Node,
    /// A VIP.
    Vip,
    /// A service.
    Service,
    /// A health check.
    Check,
    /// A path of the mesh, a link of Corosync's.
    Mesh,
    /// Fencing.
    Fencing,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Cluster, Self::Node, Self::Vip, Self::Service, Self::Check, Self::Mesh, Self::Fencing];

    /// One word.
    pub fn label(self) -> String {
        match self {
            Self::Cluster => t!("kind-cluster"),
            Self::Node => t!("kind-node"),
            Self::Vip => t!("kind-vip"),
            Self::Service => t!("kind-service"),
            Self::Check => t!("kind-check"),
            Self::Mesh => t!("kind-mesh"),
            Self::Fencing => t!("kind-fencing"),
        }
    }

    fn of(kind: EventKind) -> Self {
        use EventKind as E;
        match kind {
            E::DaemonStarted
            | E::NodeAdded
            | E::NodeRemoved
            | E::NodeLost
            | E::NodeBack
            | E::DaemonLost
            | E::DaemonBack
            | E::StandbyOn
            | E::StandbyOff => Self::Node,
            E::VipAdded
            | E::VipRemoved
            | E::VipLost
            | E::VipServed
            | E::VipMoved
            | E::VipProblem
            | E::VipConflict
            | E::VipConflictOver => Self::Vip,
            E::ServiceAdded
            | E::ServiceRemoved
            | E::ServiceStarted
            | E::ServiceMoved
            | E::ServiceStopped
            | E::ServiceFailed => Self::Service,
            E::CheckFailed | E::CheckRecovered => Self::Check,
            E::PeerLost | E::PeerConnected | E::PeerPath | E::PeerKey | E::LinkLost | E::LinkBack => {
                Self::Mesh
            }
            E::FencingStarted | E::FencingOver => Self::Fencing,
            _ => Self::Cluster,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The daemon's number, rising; from 2^63 on, one of this program's own.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Good or bad news.
    pub tone: Tone,
    /// What it is about.
    pub kind: Kind,
    /// The thing's name.
    pub subject: String,
    /// The sentence.
    pub text: String,
    /// How long what it ends has lasted.
    pub lasted: Option<String>,
    /// The event that it followed from.
    pub cause: Option<u64>,
}

/// The latest events.
#[derive(Debug, Clone, Default)]
pub struct Events {
    kept: VecDeque<Event>,
    own: u64,
    /// Only these are shown.
    kind: Option<Kind>,
    /// Only these and worse ones are shown.
    least: Option<Tone>,
}

impl Events {
    /// All of them, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.kept.iter()
    }

    /// Those that are shown.
    pub fn shown(&self) -> impl DoubleEndedIterator<Item = &Event> {
        let (kind, least) = (self.kind, self.least);
        self.kept.iter().filter(move |event| {
            kind.is_none_or(|kind| event.kind == kind) && least.is_none_or(|least| event.tone >= least)
        })
    }

    /// What is shown, in words; nothing where that is all.
    pub fn shown_only(&self) -> Vec<String> {
        let worse = self.least.map(|least| match least {
            Tone::Bad => t!("events-bad"),
            _ => t!("events-warn"),
        });
        self.kind.map(Kind::label).into_iter().chain(worse).collect()
    }

    /// Only those of another kind.
    pub(super) fn only(&mut self, by: i32) {
        let places = Kind::ALL.len() + 1;
        let here =
            self.kind.and_then(|kind| Kind::ALL.iter().position(|k| *k == kind)).map_or(0, |at| at + 1);
        let by = usize::try_from(by.rem_euclid(places as i32)).unwrap_or(0);
        self.kind = ((here + by) % places).checked_sub(1).map(|at| Kind::ALL[at]);
    }

    /// Only worse ones.
    pub(super) fn worse(&mut self) {
        self.least = match self.least {
            None => Some(Tone::Warn),
            Some(Tone::Bad) => None,
            Some(_) => Some(Tone::Bad),
        };
    }

    /// Shows all again; false if they were shown already.
    pub(super) fn all_shown(&mut self) -> bool {
        let some = self.kind.is_some() || self.least.is_some();
        (self.kind, self.least) = (None, None);
        some
    }

    /// The event of that number, if it is still kept.
    pub fn get(&self, id: u64) -> Option<&Event> {
        self.kept.iter().rev().find(|event| event.id == id)
    }

    /// What led to the event, the event itself, and what followed; each with its depth.
    pub fn chain(&self, id: u64) -> Vec<(usize, &Event)> {
        let mut root = id;
        // A cause is older than what follows from it, also where a file was tampered with.
        while let Some(cause) = self.get(root).and_then(|event| event.cause).filter(|cause| *cause < root)
            && self.get(cause).is_some()
        {
            root = cause;
        }
        let mut chain = Vec::new();
        self.follow(root, 0, &mut chain);
        chain
    }

    fn follow<'a>(&'a self, id: u64, depth: usize, into: &mut Vec<(usize, &'a Event)>) {
        into.extend(self.get(id).map(|event| (depth, event)));
        let next = self.kept.iter().filter(|event| event.cause == Some(id) && event.id > id);
        next.for_each(|event| self.follow(event.id, depth + 1, into));
    }

    /// Takes one of the daemon's, in its place; one that is known already is not taken twice.
    pub fn hear(&mut self, told: &HistoryEvent) {
        let Ok(at) = told.time.parse::<Timestamp>() else { return };
        let newest = self.kept.iter().rev().find(|event| event.id < OWN);
        let known = newest.filter(|newest| newest.id >= told.id).and_then(|_| self.get(told.id));
        match (known, newest) {
            (Some(known), _) if known.at == at => return,
            // The numbers have begun anew: it is another cluster.
            (Some(_), _) => self.kept.clear(),
            (None, Some(newest)) if newest.id > told.id && newest.at < at => self.kept.clear(),
            _ => {}
        }
        let event = Event {
            id: told.id,
            at,
            tone: happened::tone(told),
            kind: Kind::of(told.kind),
            subject: told.resource.clone().or_else(|| told.node.clone()).unwrap_or_default(),
            text: happened::sentence(told),
            lasted: happened::lasted(told),
            cause: told.cause,
        };
        let before = |other: &Event| if other.id < OWN { other.id < event.id } else { other.at <= event.at };
        let place = self.kept.iter().rposition(before).map_or(0, |at| at + 1);
        self.kept.insert(place, event);
        self.shorten();
    }

    /// Adds what only this program knows.
    pub fn note(&mut self, at: Timestamp, tone: Tone, text: String) {
        let (id, subject) = (OWN + self.own, String::new());
        self.own += 1;
        let event = Event { id, at, tone, kind: Kind::Cluster, subject, text, lasted: None, cause: None };
        self.kept.push_back(event);
        self.shorten();
    }

    fn shorten(&mut self) {
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, second: i64, kind: EventKind, cause: Option<u64>) -> HistoryEvent {
        HistoryEvent {
            id,
            time: Timestamp::from_second(second).unwrap().to_string(),
            kind,
            level: kind.level(),
            seen_by: "n1".into(),
            node: Some("n2".into()),
            resource: None,
            from: None,
            to: None,
            detail: None,
            duration_ms: None,
            cause,
            chain: cause.unwrap_or(id),
        }
    }

    fn ids(events: &Events) -> Vec<u64> {
        events.all().map(|event| event.id & !OWN).collect()
    }

    #[test]
    fn what_is_told_twice_is_there_once_and_a_gap_is_filled_in_its_place() {
        let mut events = Events::default();
        let told: Vec<_> = (1..=6).map(|id| event(id, id as i64 * 10, EventKind::NodeLost, None)).collect();
        told[..3].iter().for_each(|event| events.hear(event));
        events.note(Timestamp::from_second(35).unwrap(), Tone::Bad, "lost".into());
        events.note(Timestamp::from_second(55).unwrap(), Tone::Good, "back".into());
        // All of it once more, as after a new connection.
        told.iter().for_each(|event| events.hear(event));
        assert_eq!(ids(&events), [1, 2, 3, 0, 4, 5, 1, 6]);
        told.iter().for_each(|event| events.hear(event));
        assert_eq!(events.all().len(), 8);
    }

    #[test]
    fn of_another_cluster_nothing_old_stays() {
        let mut events = Events::default();
        (1..=4).for_each(|id| events.hear(&event(id, id as i64, EventKind::NodeLost, None)));
        events.hear(&event(1, 100, EventKind::DaemonStarted, None));
        events.hear(&event(2, 101, EventKind::NodeAdded, None));
        assert_eq!(ids(&events), [1, 2]);
        // Also where the old one's first numbers were not kept any more.
        let mut events = Events::default();
        (5..=8).for_each(|id| events.hear(&event(id, id as i64, EventKind::NodeLost, None)));
        events.hear(&event(1, 100, EventKind::DaemonStarted, None));
        assert_eq!(ids(&events), [1]);
    }

    #[test]
    fn kinds_and_levels_are_left_out_and_come_back() {
        let mut events = Events::default();
        events.hear(&event(1, 1, EventKind::NodeLost, None));
        events.hear(&event(2, 2, EventKind::VipMoved, Some(1)));
        events.hear(&event(3, 3, EventKind::NodeBack, None));
        let shown = |events: &Events| events.shown().map(|event| event.id).collect::<Vec<_>>();
        events.worse();
        assert_eq!(shown(&events), [1, 2]);
        events.worse();
        assert_eq!(shown(&events), [1]);
        events.worse();
        events.only(1);
        events.only(1);
        assert_eq!((shown(&events), events.shown_only()), (vec![1, 3], vec![t!("kind-node")]));
        events.only(-2);
        assert_eq!((shown(&events), events.all_shown()), (vec![1, 2, 3], false));
    }

    #[test]
    fn the_past_is_bounded_and_chains_end() {
        let mut events = Events::default();
        (1..=600).for_each(|id| events.hear(&event(id, id as i64, EventKind::NodeLost, Some(id))));
        assert_eq!((events.all().len(), events.chain(600).len()), (KEPT, 1));
    }
}
