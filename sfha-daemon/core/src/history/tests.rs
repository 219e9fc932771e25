use serde_json::{Value, json};
use sfha_proto::ErrorCode;
use sfha_proto::history::Level as LevelOfEvent;

use super::*;
use crate::fencing::state::{Held, Phase as FencingPhase, Record, Try};
use crate::fencing::{Cause, FencingCommand, Level};

/// What `n1` sees of three nodes with a VIP, a service and its check.
struct Scene {
    tracker: Tracker,
    status: Value,
    at: u64,
}

impl Scene {
    fn new() -> Self {
        let node = |name: &str, id: u32| {
            json!({"name": name, "id": id, "online": true, "daemon": true, "standby": false,
                   "leader": id == 1, "address": "10.0.0.1"})
        };
        let status = json!({
            "schema": 1, "cluster": "prod", "node": "n1", "version": "0.1.0", "maintenance": false,
            "quorum": {"quorate": true, "votes": 3, "expected": 3, "needed": 2}, "leader": "n1",
            "nodes": [node("n1", 1), node("n2", 2), node("n3", 3)],
            "vips": [{"name": "web", "address": "10.0.0.9/24", "interface": null, "state": "active", "holder": "n2"}],
            "services": [{"name": "db", "unit": "db.service", "state": "active", "holder": "n2", "healthy": true,
                          "failures": 0}],
            "health": [{"name": "ask", "type": "tcp", "healthy": true, "last_error": null, "service": "db",
                        "nodes": {"n2": true}}],
            "mesh": {"enabled": false, "peers": 0, "connected": 0},
            "fencing": {"enabled": false, "provider": null, "pending": []},
            "phase": "operational", "state": {"epoch": 1, "version": 7, "hash": "00"},
        });
        let mut scene = Self { tracker: Tracker::new("n1", 40), status, at: 0 };
        assert_eq!(scene.after(0, &[]), [], "a first look is no event");
        scene
    }

    fn now(&mut self, ms: u64) -> Moment {
        self.at += ms;
        let clock = Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(self.at).unwrap()).unwrap();
        Moment { at: Time::from_micros(self.at * 1000), clock }
    }

    /// So many milliseconds later these places of the status are like this.
    fn after(&mut self, ms: u64, changes: &[(&str, Value)]) -> Vec<HistoryEvent> {
        for (place, value) in changes {
            *self.status.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value.clone();
        }
        let status = Arc::new(serde_json::from_value(self.status.clone()).unwrap());
        let now = self.now(ms);
        self.tracker.status(&status, now)
    }
}

fn kinds(events: &[HistoryEvent]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_power_cut_and_the_moves_that_it_caused_are_one_chain_with_the_time_without_service() {
    let mut scene = Scene::new();
    let lost = scene.after(1000, &[("/nodes/1/online", json!(false)), ("/phase", json!("synchronising"))]);
    assert_eq!(kinds(&lost), [EventKind::NodeLost]);
    let root = lost[0].clone();
    assert_eq!((root.id, root.chain, root.cause), (41, 41, None), "numbers go on from before");
    assert_eq!((root.node.as_deref(), root.level), (Some("n2"), LevelOfEvent::Critical));
    assert_eq!(root.time, "2027-01-15T08:00:01.000Z");
    let gone = scene.after(
        20,
        &[
            ("/phase", json!("operational")),
            ("/vips/0/state", json!("waiting")),
            ("/vips/0/holder", json!(null)),
            ("/services/0/state", json!("stopped")),
            ("/services/0/holder", json!(null)),
        ],
    );
    assert_eq!(kinds(&gone), [EventKind::VipLost, EventKind::ServiceStopped]);
    assert_eq!(gone[0].node.as_deref(), Some("n2"));
    assert!(gone.iter().all(|event| event.chain == 41 && event.cause == Some(41)), "{gone:?}");
    let back = scene.after(
        390,
        &[
            ("/vips/0/state", json!("active")),
            ("/vips/0/holder", json!("n3")),
            ("/services/0/state", json!("active")),
            ("/services/0/holder", json!("n3")),
        ],
    );
    assert_eq!(kinds(&back), [EventKind::VipMoved, EventKind::ServiceMoved]);
    let moved = &back[0];
    assert_eq!((moved.from.as_deref(), moved.to.as_deref()), (Some("n2"), Some("n3")));
    assert_eq!((moved.cause, moved.chain), (Some(gone[0].id), 41));
    assert_eq!(moved.duration_ms, Some(410), "from the loss of the node, not of what it had");
    let there = scene.after(5000, &[("/nodes/1/online", json!(true))]);
    assert_eq!(kinds(&there), [EventKind::NodeBack]);
    assert_eq!((there[0].duration_ms, there[0].cause), (Some(5410), Some(41)));
}

#[test]
fn a_node_that_starts_and_sees_the_others_come_tells_nothing_of_it() {
    let mut scene = Scene::new();
    scene.tracker = Tracker::new("n1", 40);
    let alone = [
        ("/phase", json!("inquorate")),
        ("/quorum/quorate", json!(false)),
        ("/leader", json!(null)),
        ("/nodes/1/online", json!(false)),
        ("/nodes/2/daemon", json!(false)),
    ];
    assert_eq!(scene.after(10, &alone), []);
    assert_eq!(scene.after(10, &[("/nodes/1/online", json!(true)), ("/phase", json!("synchronising"))]), []);
    let there = [
        ("/phase", json!("operational")),
        ("/quorum/quorate", json!(true)),
        ("/leader", json!("n1")),
        ("/nodes/2/daemon", json!(true)),
    ];
    assert_eq!(scene.after(10, &there), []);
    assert_eq!(kinds(&scene.after(10, &[("/nodes/1/online", json!(false))])), [EventKind::NodeLost]);
}

#[test]
fn a_move_in_order_is_one_event_and_says_how_long_nobody_served() {
    let mut scene = Scene::new();
    let releasing = [("/vips/0/state", json!("releasing")), ("/vips/0/target", json!("n3"))];
    scene.status["vips"][0]["target"] = json!(null);
    assert_eq!(scene.after(1000, &releasing), []);
    let acquiring = [("/vips/0/state", json!("acquiring")), ("/vips/0/holder", json!(null))];
    assert_eq!(scene.after(3, &acquiring), []);
    let moved = scene.after(4, &[("/vips/0/state", json!("active")), ("/vips/0/holder", json!("n3"))]);
    assert_eq!(kinds(&moved), [EventKind::VipMoved]);
    assert_eq!((moved[0].duration_ms, moved[0].cause, moved[0].chain), (Some(7), None, moved[0].id));
}

#[test]
fn what_a_standby_moves_follows_from_it() {
    let mut scene = Scene::new();
    let standby = scene.after(10, &[("/nodes/1/standby", json!(true)), ("/state/version", json!(8))]);
    assert_eq!(kinds(&standby), [EventKind::StandbyOn], "the version rose because of it");
    let moved = scene.after(10, &[("/vips/0/holder", json!("n1"))]);
    assert_eq!(kinds(&moved), [EventKind::VipMoved]);
    assert_eq!(moved[0].cause, Some(standby[0].id));
}

#[test]
fn quorum_is_lost_once_and_its_return_says_for_how_long() {
    let mut scene = Scene::new();
    let none = [
        ("/nodes/1/online", json!(false)),
        ("/nodes/2/online", json!(false)),
        ("/phase", json!("inquorate")),
        ("/quorum/quorate", json!(false)),
        ("/leader", json!(null)),
        ("/vips/0/state", json!("stopped")),
        ("/vips/0/holder", json!(null)),
    ];
    let lost = scene.after(100, &none);
    let wanted = [
        EventKind::NodeLost,
        EventKind::NodeLost,
        EventKind::QuorumLost,
        EventKind::LeaderChanged,
        EventKind::VipLost,
    ];
    assert_eq!(kinds(&lost), wanted);
    assert_eq!(lost[2].cause, Some(lost[1].id));
    assert_eq!(scene.after(100, &[]), []);
    let back = scene.after(
        100,
        &[
            ("/nodes/1/online", json!(true)),
            ("/phase", json!("operational")),
            ("/quorum/quorate", json!(true)),
        ],
    );
    assert_eq!(kinds(&back), [EventKind::NodeBack, EventKind::QuorumRegained]);
    assert_eq!((back[1].duration_ms, back[1].cause), (Some(200), Some(lost[2].id)));
}

#[test]
fn a_corosync_that_is_gone_says_nothing_about_the_others() {
    let mut scene = Scene::new();
    let nodes = scene.status["nodes"].clone();
    for node in 0..3 {
        scene.status["nodes"][node]["online"] = json!(false);
    }
    let gone = scene.after(10, &[("/phase", json!("disconnected")), ("/quorum/quorate", json!(false))]);
    assert_eq!(kinds(&gone), [EventKind::CorosyncLost, EventKind::QuorumLost]);
    assert_eq!(scene.after(10, &[]), []);
    let back = scene
        .after(500, &[("/phase", json!("operational")), ("/quorum/quorate", json!(true)), ("/nodes", nodes)]);
    assert_eq!(kinds(&back), [EventKind::CorosyncBack, EventKind::QuorumRegained]);
    assert_eq!(back[0].duration_ms, Some(510));
}

#[test]
fn a_service_that_moves_because_its_check_failed_says_so() {
    let mut scene = Scene::new();
    let failed = scene.after(
        10,
        &[
            ("/health/0/healthy", json!(false)),
            ("/health/0/last_error", json!("refused")),
            ("/health/0/nodes/n2", json!(false)),
        ],
    );
    assert_eq!(kinds(&failed), [EventKind::CheckFailed]);
    assert_eq!((failed[0].detail.as_deref(), failed[0].node.as_deref()), (Some("refused"), Some("n2")));
    let stops =
        scene.after(10, &[("/services/0/failures", json!(1)), ("/services/0/state", json!("stopping"))]);
    assert_eq!(kinds(&stops), [EventKind::ServiceFailed]);
    assert_eq!(stops[0].cause, Some(failed[0].id));
    let moved = scene.after(
        90,
        &[
            ("/services/0/state", json!("active")),
            ("/services/0/holder", json!("n1")),
            ("/health/0/healthy", json!(true)),
        ],
    );
    assert_eq!(kinds(&moved), [EventKind::CheckRecovered, EventKind::ServiceMoved]);
    assert_eq!((moved[1].cause, moved[1].chain), (Some(stops[0].id), failed[0].id));
    assert_eq!(moved[1].duration_ms, Some(90));
}

#[test]
fn what_operators_change_is_told() {
    let mut scene = Scene::new();
    let vip = json!({"name": "new", "address": "10.0.0.10/24", "interface": null, "state": "stopped", "holder": null});
    let vips = json!([scene.status["vips"][0], vip]);
    let added = scene.after(1, &[("/vips", vips), ("/state/version", json!(8))]);
    assert_eq!(kinds(&added), [EventKind::VipAdded]);
    let served = scene.after(2, &[("/vips/1/state", json!("active")), ("/vips/1/holder", json!("n1"))]);
    assert_eq!(kinds(&served), [EventKind::VipServed]);
    assert_eq!((served[0].cause, served[0].duration_ms), (Some(added[0].id), Some(2)));
    let on = scene.after(3, &[("/maintenance", json!(true)), ("/state/version", json!(9))]);
    assert_eq!(kinds(&on), [EventKind::MaintenanceOn]);
    let other = scene.after(4, &[("/state/version", json!(10))]);
    assert_eq!(kinds(&other), [EventKind::ConfigChanged]);
    assert_eq!(other[0].detail.as_deref(), Some("10"));
    let off = scene.after(5, &[("/maintenance", json!(false)), ("/vips/1/conflict_with", json!(null))][..1]);
    assert_eq!((kinds(&off), off[0].duration_ms), (vec![EventKind::MaintenanceOff], Some(9)));
    let fencing = scene.after(6, &[("/fencing/pending", json!(["n2"]))]);
    assert_eq!(kinds(&fencing), [EventKind::FencingStarted]);
    let over = scene.after(700, &[("/fencing/pending", json!([]))]);
    assert_eq!((kinds(&over), over[0].duration_ms), (vec![EventKind::FencingOver], Some(700)));
    let removed = scene.after(1, &[("/vips", json!([]))]);
    assert_eq!(kinds(&removed), [EventKind::VipRemoved, EventKind::VipRemoved]);
}

#[test]
fn a_peer_of_the_mesh_that_falls_silent_is_told_with_its_way_round() {
    let mesh = |state: &str, path: &str| {
        let peer = json!({"name": "n2", "ip": "10.1.0.2", "public_key": "k", "endpoint": null, "state": state,
            "path": path, "latest_handshake": null, "rx_bytes": 0, "tx_bytes": 0, "rtt_ms": null, "keepalive": null});
        Arc::new(
            serde_json::from_value::<MeshStatus>(json!({"schema": 1, "interface": "wg-sfha",
                "address": "10.1.0.1/24", "port": 51820, "public_key": "m", "backend": "kernel", "mtu": 1420,
                "peers": [peer]}))
            .unwrap(),
        )
    };
    let mut scene = Scene::new();
    let now = scene.now(0);
    assert_eq!(scene.tracker.mesh(&mesh("connected", "direct"), now), []);
    let now = scene.now(100);
    let lost = scene.tracker.mesh(&mesh("stale", "direct"), now);
    assert_eq!(kinds(&lost), [EventKind::PeerLost]);
    let now = scene.now(100);
    let back = scene.tracker.mesh(&mesh("connected", "n3"), now);
    assert_eq!(kinds(&back), [EventKind::PeerConnected, EventKind::PeerPath]);
    assert_eq!((back[0].duration_ms, back[0].cause), (Some(100), Some(lost[0].id)));
    assert_eq!((back[1].from.as_deref(), back[1].to.as_deref()), (Some("direct"), Some("n3")));
}

#[test]
fn a_link_that_does_not_reach_a_node_is_told() {
    let link = |down: &[&str]| LinkStatus {
        name: "lan".into(),
        number: 1,
        connected: 0,
        peers: 2,
        down: down.iter().map(|node| (*node).to_owned()).collect(),
    };
    let mut scene = Scene::new();
    let now = scene.now(0);
    assert_eq!(scene.tracker.links(&[link(&[])], now), []);
    let now = scene.now(10);
    let lost = scene.tracker.links(&[link(&["n3"])], now);
    assert_eq!((kinds(&lost), lost[0].resource.as_deref()), (vec![EventKind::LinkLost], Some("lan")));
    let now = scene.now(10);
    let back = scene.tracker.links(&[link(&[])], now);
    assert_eq!((kinds(&back), back[0].duration_ms), (vec![EventKind::LinkBack], Some(10)));
}

/// The steps of a fencing as commands of the group, each told with the status that follows from it.
struct Fencings {
    scene: Scene,
    state: FencingState,
    version: u64,
}

impl Fencings {
    fn new() -> Self {
        let mut all = Self { scene: Scene::new(), state: FencingState::default(), version: 7 };
        assert_eq!(all.look(), []);
        all
    }

    /// So many milliseconds later, whatever was applied meanwhile is seen.
    fn look(&mut self) -> Vec<HistoryEvent> {
        let open = |record: &Record| !matches!(record.phase, FencingPhase::Fenced(_));
        let pending: Vec<String> =
            self.state.records.iter().filter(|(_, r)| open(r)).map(|(id, _)| format!("n{id}")).collect();
        let now = self.scene.now(5);
        let phase =
            if self.scene.status["phase"] == "operational" { Phase::Operational } else { Phase::Inquorate };
        let mut events = self.scene.tracker.fencings(&self.state, phase, |id| format!("n{id}"), now);
        let version = json!(self.version);
        events.extend(
            self.scene.after(0, &[("/fencing/pending", json!(pending)), ("/state/version", version)]),
        );
        events
    }

    fn apply(&mut self, command: FencingCommand) -> Vec<HistoryEvent> {
        self.state.apply(&command).unwrap();
        self.version += 1;
        self.look()
    }

    fn step(&mut self, to: FencingPhase, code: Option<ErrorCode>) -> Vec<HistoryEvent> {
        let error = code.map(|code| sfha_proto::Failure::new(code).into());
        let episode = self.state.episodes;
        self.apply(FencingCommand::Step { node: 2, episode, to, error, at: 0 })
    }
}

#[test]
fn every_step_of_a_fencing_is_told_once_and_none_is_a_change_of_the_configuration() {
    let mut all = Fencings::new();
    let tried = |level, attempt| Try { index: usize::from(level != Level::Proxmox), level, attempt };
    all.scene.after(10, &[("/nodes/1/online", json!(false))]);
    let started = all.apply(FencingCommand::Suspect { node: 2, cause: Cause::Lost, at: 0 });
    assert_eq!(kinds(&started), [EventKind::FencingStarted]);
    assert_eq!((started[0].detail.as_deref(), started[0].cause), (Some("lost"), Some(41)));
    let storm = all.step(FencingPhase::Suspected { held: Some(Held::Storm) }, None);
    assert_eq!(kinds(&storm), [EventKind::FencingStorm]);
    assert_eq!((storm[0].level, storm[0].node.as_deref()), (LevelOfEvent::Critical, Some("n2")));
    let held = all.step(FencingPhase::Suspected { held: Some(Held::TooSoon) }, None);
    assert_eq!((kinds(&held), held[0].detail.as_deref()), (vec![EventKind::FencingHeld], Some("too-soon")));
    assert_eq!(all.step(FencingPhase::Delayed, None), []);
    let begun = all.step(FencingPhase::Fencing(tried(Level::Proxmox, 1)), None);
    assert_eq!(
        (kinds(&begun), begun[0].resource.as_deref()),
        (vec![EventKind::FencingBegun], Some("proxmox"))
    );
    let next = FencingPhase::Fencing(tried(Level::Webhook, 1));
    let failed = all.step(next, Some(ErrorCode::FenceDenied));
    assert_eq!(kinds(&failed), [EventKind::FencingTryFailed]);
    assert_eq!(
        (failed[0].resource.as_deref(), failed[0].detail.as_deref()),
        (Some("proxmox"), Some("fence-denied"))
    );
    let over = all.apply(FencingCommand::HandOver { node: 2, episode: 1, to: 3, at: 0 });
    assert_eq!((kinds(&over), over[0].to.as_deref()), (vec![EventKind::FencingHandedOver], Some("n3")));
    let none = all.step(FencingPhase::Failed { round: 1 }, Some(ErrorCode::FenceUnreachable));
    assert_eq!(
        (kinds(&none), none[0].detail.as_deref()),
        (vec![EventKind::FencingFailed], Some("fence-unreachable"))
    );
    let why = Some("seen it".to_owned());
    let confirmed = all.apply(FencingCommand::Confirm { node: 2, by: "ann".into(), why, at: 0 });
    assert_eq!(kinds(&confirmed), [EventKind::FencingConfirmed, EventKind::FencingOver]);
    assert_eq!(confirmed[0].detail.as_deref(), Some("ann: seen it"));
    assert_eq!(confirmed[1].detail.as_deref(), Some("confirmed"));
    let told = [&storm, &held, &begun, &failed, &over, &none, &confirmed];
    assert!(told.iter().all(|events| events.iter().all(|event| event.cause == Some(started[0].id))));
    let on = all.apply(FencingCommand::SwitchOn { node: 2, by: "bob".into(), at: 0 });
    assert_eq!((kinds(&on), on[0].detail.as_deref()), (vec![EventKind::UnfenceBegun], Some("bob")));
    let done = all.apply(FencingCommand::SwitchedOn { node: 2, error: None, at: 0 });
    assert_eq!(kinds(&done), [EventKind::UnfenceDone]);
    assert_eq!(all.apply(FencingCommand::Clear { node: 2, at: 0 }), []);
    // Something else that changed is still told.
    assert_eq!(kinds(&all.scene.after(1, &[("/state/version", json!(900))])), [EventKind::ConfigChanged]);
}

#[test]
fn what_happened_while_this_node_was_away_is_not_told_by_it() {
    let mut all = Fencings::new();
    all.scene.after(1, &[("/phase", json!("inquorate")), ("/quorum/quorate", json!(false))]);
    assert_eq!(all.look(), []);
    let begun = FencingPhase::Fencing(Try { index: 0, level: Level::Proxmox, attempt: 1 });
    all.state.apply(&FencingCommand::Suspect { node: 2, cause: Cause::Lost, at: 0 }).unwrap();
    for to in [FencingPhase::Delayed, begun] {
        all.state.apply(&FencingCommand::Step { node: 2, episode: 1, to, error: None, at: 0 }).unwrap();
    }
    all.version += 3;
    all.scene.status["phase"] = json!("operational");
    all.scene.status["quorum"]["quorate"] = json!(true);
    let told = kinds(&all.look());
    assert!(told.contains(&EventKind::FencingStarted), "that one is pending is told: {told:?}");
    assert!(!told.contains(&EventKind::FencingBegun), "{told:?}");
}

#[test]
fn a_level_that_would_not_work_is_told_until_it_would() {
    let mut scene = Scene::new();
    scene.status["fencing"]["alerts"] = json!([]);
    let alert = json!([{"node": "n2", "level": "proxmox", "by": "n1", "since": 1,
                        "error": {"code": "fence-denied", "details": {}}}]);
    let bad = scene.after(5, &[("/fencing/alerts", alert.clone())]);
    assert_eq!(kinds(&bad), [EventKind::FencingTestFailed]);
    let told = (bad[0].node.as_deref(), bad[0].resource.as_deref(), bad[0].detail.as_deref());
    assert_eq!(told, (Some("n2"), Some("proxmox"), Some("fence-denied")));
    assert_eq!(scene.after(5, &[("/fencing/alerts", alert)]), []);
    let good = scene.after(5, &[("/fencing/alerts", json!([]))]);
    assert_eq!((kinds(&good), good[0].duration_ms), (vec![EventKind::FencingTestGood], Some(10)));
}
