use tui_input::InputRequest;

use crate::client::ClientError;
use crate::client::link::Order;
use serde_json::json;
use sfha_proto::history::EventKind;
use sfha_proto::message::{LogLine, Progress, Step, method};
use sfha_proto::simulate::{Change, SimulateParams, Simulation, Standing};
use sfha_proto::{ErrorCode, Failure};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_370_400 + second).unwrap()
}

fn status(name: &str) -> ClusterStatus {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn heard(app: &mut App, event: LinkEvent, second: i64) -> Vec<Effect> {
    app.update(Msg::Heard(event, at(second)))
}

fn app(fixture: &str) -> App {
    let mut app = App::new(at(0), TimeZone::UTC, Look { palette: Palette::Sixteen, utf8: true }, false);
    heard(&mut app, LinkEvent::Connected { version: "0.1.0".into() }, 0);
    heard(&mut app, LinkEvent::Status(Box::new(status(fixture))), 0);
    app
}

fn sent(effects: &[Effect]) -> &Order {
    let [Effect::Send(order)] = effects else { panic!("{effects:?}") };
    order
}

fn standing() -> Standing {
    Standing { quorate: vec!["node1".into()], leader: Some("node1".into()), resources: Vec::new() }
}

/// The simulator's answer: that becomes of things.
fn simulated(changes: Vec<Change>) -> serde_json::Value {
    let step = sfha_proto::simulate::Step {
        event: String::new(),
        refused: None,
        leader_before: Some("node1".into()),
        after: standing(),
        changes,
        within_ms: 0,
        settled: true,
    };
    let told = Simulation { schema: 1, node: "node1".into(), start: standing(), steps: vec![step] };
    serde_json::to_value(told).unwrap()
}

/// What else is to be done; the simulator says that nothing moves.
fn press(app: &mut App, msg: Msg) -> Vec<Effect> {
    let mut effects = app.update(msg);
    let of = |effect: &Effect| match effect {
        Effect::Send(order) if order.method == method::SIMULATE => Some(order.tag),
        _ => None,
    };
    for tag in effects.iter().filter_map(of) {
        app.update(Msg::Heard(LinkEvent::Answer { tag, outcome: Ok(simulated(Vec::new())) }, app.now));
    }
    effects.retain(|effect| of(effect).is_none());
    effects
}

fn begin(app: &mut App, kind: Kind) {
    assert_eq!(press(app, Msg::Begin(kind)), []);
}

fn write(app: &mut App, text: &str) {
    text.chars().for_each(|c| {
        app.update(Msg::Edit(InputRequest::InsertChar(c)));
    });
}

fn stage(app: &App) -> &Stage {
    &app.wizard.as_ref().expect("a wizard").stage
}

fn notice(app: &App) -> Option<&str> {
    app.notice.as_ref().map(|notice| notice.text.as_str())
}

#[test]
fn a_change_is_asked_confirmed_sent_and_its_end_is_told() {
    let mut app = app("healthy");
    app.update(Msg::Move(1));
    begin(&mut app, Kind::Standby);
    assert!(matches!(stage(&app), Stage::Review { .. }));
    let effects = press(&mut app, Msg::Next);
    let order = sent(&effects);
    assert_eq!((order.method, &order.params), ("standby", &json!({"node": "node2"})));
    heard(&mut app, LinkEvent::Answer { tag: order.tag, outcome: Ok(json!({})) }, 1);
    assert!(app.wizard.is_none());
    assert_eq!(notice(&app), Some("node2 est en veille."));
    app.update(Msg::Tick(at(1 + NOTICE_S)));
    assert_eq!(app.notice, None);
}

fn plan(app: &App) -> Vec<String> {
    let wizard = app.wizard.as_ref().unwrap();
    app.plan(wizard).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn nothing_is_confirmed_before_the_simulator_has_said_what_moves() {
    let mut app = app("healthy");
    let effects = app.update(Msg::Begin(Kind::Maintenance));
    let asked = sent(&effects).clone();
    let wanted = SimulateParams { events: vec!["maintenance:on".into()] };
    assert_eq!((asked.method, asked.params), ("simulate", serde_json::to_value(wanted).unwrap()));
    assert_eq!(app.update(Msg::Next), [], "it has not answered");
    assert!(plan(&app).contains(&t!("plan-asked")));
    let change = |name: &str, to: Option<&str>, ms| Change {
        name: name.into(),
        kind: "vip".into(),
        from: Some("node1".into()),
        to: to.map(str::to_owned),
        holders: to.into_iter().map(str::to_owned).collect(),
        within_ms: ms,
        waits: Vec::new(),
        why: to.is_none().then(|| "no-candidate".into()),
        waits_for: None,
    };
    let changes =
        vec![change("web", Some("node2"), 12), change("db", None, 3), change("mail", Some("node2"), 480)];
    heard(&mut app, LinkEvent::Answer { tag: asked.tag, outcome: Ok(simulated(changes)) }, 1);
    let told = plan(&app);
    assert!(
        told.contains(
            &"2 ressources passent de node1 à node2 en 480\u{a0}ms au plus\u{a0}: web, mail.".to_owned()
        ),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.starts_with("Plus servi nulle part\u{a0}: db")), "{told:?}");
    assert_eq!(sent(&app.update(Msg::Next)).method, "maintenance");
}

#[test]
fn a_simulator_that_does_not_answer_holds_nobody_up_for_ever() {
    let mut app = app("healthy");
    app.update(Msg::Begin(Kind::Maintenance));
    assert_eq!(app.update(Msg::Next), []);
    app.update(Msg::Tick(at(11)));
    assert!(plan(&app).iter().any(|line| line.contains("ne répond pas")), "{:?}", plan(&app));
    assert_eq!(sent(&app.update(Msg::Next)).method, "maintenance");
}

#[test]
fn each_wizard_asks_about_what_it_brings_about() {
    let mut app = app("healthy");
    app.update(Msg::Show(View::Nodes));
    app.update(Msg::Move(1));
    let mut next = status("healthy");
    next.fencing.enabled = true;
    heard(&mut app, LinkEvent::Status(Box::new(next)), 1);
    let mut asked = |kind: Kind, keys: &[&str]| -> String {
        let mut effects = app.update(Msg::Begin(kind));
        for text in keys {
            write(&mut app, text);
            effects = app.update(Msg::Next);
        }
        let params = sent(&effects).params["events"][0].as_str().unwrap().to_owned();
        (app.wizard, app.parked) = (None, Vec::new());
        params
    };
    assert_eq!(asked(Kind::Standby, &[]), "standby:node2");
    assert_eq!(asked(Kind::Remove, &[]), "node-remove:node2");
    assert_eq!(asked(Kind::Fence, &[]), "fence:node2");
    assert_eq!(asked(Kind::Failover, &[""]), "failover");
    assert_eq!(asked(Kind::Failover, &[" "]), "failover:node1");
    assert_eq!(asked(Kind::VipAdd, &["blog", "10.77.0.9/24", ""]), "vip-add:blog=10.77.0.9/24");
    assert_eq!(asked(Kind::VipRemove, &[""]), "vip-remove:web");
    assert_eq!(asked(Kind::ServiceAdd, &["cron", "cron", ""]), "service-add:cron=cron");
    assert_eq!(asked(Kind::Maintenance, &[]), "maintenance:on");
}

#[test]
fn a_plan_is_made_anew_when_the_cluster_is_not_as_it_was() {
    let mut app = app("healthy");
    begin(&mut app, Kind::Maintenance);
    let mut next = status("healthy");
    assert_eq!(heard(&mut app, LinkEvent::Status(Box::new(next.clone())), 1), []);
    next.nodes[1].online = false;
    let effects = heard(&mut app, LinkEvent::Status(Box::new(next)), 2);
    assert_eq!(sent(&effects).method, "simulate");
    // What was said before stands until then.
    assert_eq!(sent(&app.update(Msg::Next)).method, "maintenance");
}

#[test]
fn a_cancelled_change_is_not_sent() {
    let mut app = app("healthy");
    begin(&mut app, Kind::Maintenance);
    app.update(Msg::Close);
    assert!(app.wizard.is_none() && app.parked.is_empty());
    assert_eq!(press(&mut app, Msg::Next), []);
}

#[test]
fn a_refusal_is_shown_until_it_is_closed() {
    let mut app = app("healthy");
    begin(&mut app, Kind::Maintenance);
    let effects = press(&mut app, Msg::Next);
    let tag = sent(&effects).tag;
    let refused = Failure::new(ErrorCode::NotPermitted).with("user", "alice");
    heard(&mut app, LinkEvent::Answer { tag, outcome: Err(refused.into()) }, 1);
    assert!(matches!(stage(&app), Stage::Failed(problem) if problem.code == "not-permitted"));
    app.update(Msg::Leave);
    assert!(app.wizard.is_none() && app.parked.is_empty());
}

#[test]
fn an_answer_is_heard_once_and_that_of_nobody_never() {
    let mut app = app("healthy");
    heard(&mut app, LinkEvent::Answer { tag: 99, outcome: Err(ClientError::Lost) }, 1);
    assert_eq!((&app.popup, &app.notice), (&None, &None));
}

#[test]
fn maintenance_is_turned_to_what_it_is_not() {
    for (fixture, on) in [("failing-over", false), ("healthy", true)] {
        let mut app = app(fixture);
        begin(&mut app, Kind::Maintenance);
        assert_eq!(sent(&press(&mut app, Msg::Next)).params, json!({"on": on, "until": null}));
    }
}

#[test]
fn only_what_makes_sense_is_asked() {
    let mut app = app("failing-over");
    app.update(Msg::Move(1));
    begin(&mut app, Kind::Standby);
    assert_eq!(notice(&app), Some("node2 est déjà en veille."));
    begin(&mut app, Kind::Unstandby);
    assert_eq!(sent(&press(&mut app, Msg::Next)).params, json!({"node": "node2"}));
    app.update(Msg::Leave);
    app.update(Msg::Move(2));
    assert_eq!(app.selected(), Some(&Item::Vip("web".into())));
    // Of a VIP it cannot be about: the node has to be chosen.
    begin(&mut app, Kind::Standby);
    assert!(matches!(stage(&app), Stage::Form));
}

#[test]
fn a_peer_stands_for_its_node() {
    let mut app = app("healthy");
    app.update(Msg::Last);
    assert_eq!(app.selected(), Some(&Item::Peer("node3".into())));
    begin(&mut app, Kind::Standby);
    assert_eq!(sent(&press(&mut app, Msg::Next)).params, json!({"node": "node3"}));
}

#[test]
fn what_destroys_wants_the_name_typed() {
    let mut app = app("healthy");
    app.update(Msg::Show(View::Nodes));
    app.update(Msg::Move(1));
    begin(&mut app, Kind::Remove);
    assert_eq!(press(&mut app, Msg::Next), []);
    write(&mut app, "node");
    assert_eq!(press(&mut app, Msg::Next), []);
    write(&mut app, "2");
    let effects = press(&mut app, Msg::Next);
    let order = sent(&effects);
    assert_eq!((order.method, &order.params), ("mesh.remove-peer", &json!({"name": "node2"})));
}

#[test]
fn a_form_goes_on_only_with_good_answers() {
    let mut app = app("healthy");
    app.update(Msg::Show(View::Resources));
    begin(&mut app, Kind::VipAdd);
    press(&mut app, Msg::Next);
    assert!(app.wizard.as_ref().is_some_and(|wizard| wizard.focus == 0 && wizard.complaining));
    write(&mut app, "blog");
    press(&mut app, Msg::Next);
    write(&mut app, "10.77.0.200");
    press(&mut app, Msg::Next);
    assert!(app.wizard.as_ref().is_some_and(|wizard| wizard.focus == 1), "an address needs its prefix");
    write(&mut app, "/24");
    press(&mut app, Msg::Next);
    press(&mut app, Msg::Next);
    assert!(matches!(stage(&app), Stage::Review { .. }));
    let effects = press(&mut app, Msg::Next);
    let order = sent(&effects);
    assert_eq!(order.params, json!({"name": "blog", "address": "10.77.0.200/24", "interface": null}));
}

#[test]
fn what_is_left_is_there_again_and_goes_on_meanwhile() {
    let mut app = app("healthy");
    begin(&mut app, Kind::VipAdd);
    write(&mut app, "blog");
    app.update(Msg::Close);
    assert!(app.wizard.is_none());
    begin(&mut app, Kind::VipAdd);
    assert_eq!(app.wizard.as_ref().map(|wizard| wizard.fields[0].input.value()), Some("blog"));
    app.update(Msg::Close);
    begin(&mut app, Kind::Rotate);
    press(&mut app, Msg::Next);
    let effects = press(&mut app, Msg::Next);
    let tag = sent(&effects).tag;
    app.update(Msg::Leave);
    let progress = Progress { id: 1, step: Step::KeyPrepare, node: Some("node1".into()), elapsed_ms: 5 };
    heard(&mut app, LinkEvent::Progress { tag, progress }, 1);
    begin(&mut app, Kind::Rotate);
    assert!(matches!(stage(&app), Stage::Running { steps, .. } if steps.len() == 1));
    app.update(Msg::Leave);
    heard(
        &mut app,
        LinkEvent::Answer {
            tag,
            outcome: Ok(json!({"schema": 1, "nodes": [
        {"node": "node1", "public_key": "k", "elapsed_ms": 1500}]})),
        },
        2,
    );
    assert_eq!(notice(&app), Some("node1 a changé de clé, en 1,5\u{a0}s."));
    assert_eq!(app.parked.iter().map(|wizard| wizard.kind).collect::<Vec<_>>(), [Kind::VipAdd]);
}

/// Until its joiner is there.
#[test]
fn a_token_is_copied_and_watched() {
    let mut app = app("healthy");
    begin(&mut app, Kind::Token);
    (0..2).for_each(|_| drop(press(&mut app, Msg::Next)));
    let effects = press(&mut app, Msg::Next);
    let order = sent(&effects);
    assert_eq!((order.method, &order.params), ("mesh.token", &json!({"expires_s": 3600, "ip": null})));
    let made = json!({"schema": 1, "token": "sfha-join://secret", "id": "ab", "ip": "10.100.0.4",
        "expires": at(3600).to_string()});
    let effects = heard(&mut app, LinkEvent::Answer { tag: order.tag, outcome: Ok(made) }, 1);
    assert_eq!(effects, [Effect::Copy("sfha-join://secret".into())]);
    assert!(!format!("{app:?}").contains("secret"), "a token in debug output");
    assert_eq!(app.update(Msg::Tick(at(2))), []);
    let effects = app.update(Msg::Tick(at(3)));
    let order = sent(&effects);
    assert_eq!(order.method, "mesh.tokens");
    assert_eq!(app.update(Msg::Tick(at(9))), [], "one question at a time");
    let listed = json!([{"id": "ab", "ip": "10.100.0.4", "expires": at(3600).to_string(),
        "initiator": "node1", "state": "redeemed", "node": "node4"}]);
    heard(&mut app, LinkEvent::Answer { tag: order.tag, outcome: Ok(listed) }, 10);
    assert_eq!(notice(&app), Some("node4 est entré avec son jeton."));
    assert_eq!(app.update(Msg::Tick(at(20))), [], "nothing is left to ask");
}

#[test]
fn a_first_node_starts_its_daemon_then_its_cluster() {
    let mut app = App::new(at(0), TimeZone::UTC, Look { palette: Palette::Sixteen, utf8: true }, false);
    heard(&mut app, LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).into()), 0);
    begin(&mut app, Kind::Init);
    write(&mut app, "prod");
    (0..5).for_each(|_| drop(press(&mut app, Msg::Next)));
    assert_eq!(press(&mut app, Msg::Next), [Effect::Daemon(DaemonOrder::Start)]);
    app.update(Msg::Daemon(DaemonOrder::Start, Ok(())));
    let effects = heard(&mut app, LinkEvent::Connected { version: "0.1.0".into() }, 1);
    let order = sent(&effects);
    assert_eq!((order.method, &order.params["cluster"]), ("init", &json!("prod")));
    assert_eq!(order.params["mesh"]["ip"], "10.100.0.1/24");
    let done = json!({"token": null, "cluster": "prod", "node": "node1"});
    let effects = heard(&mut app, LinkEvent::Answer { tag: order.tag, outcome: Ok(done) }, 2);
    assert_eq!(effects, [Effect::Daemon(DaemonOrder::Enable)]);
    assert!(matches!(stage(&app), Stage::Done { .. }));
}

#[test]
fn a_daemon_that_does_not_start_ends_the_wizard() {
    let mut app = App::new(at(0), TimeZone::UTC, Look { palette: Palette::Sixteen, utf8: true }, false);
    heard(&mut app, LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).into()), 0);
    begin(&mut app, Kind::Join);
    write(&mut app, "sfha-join://abc");
    (0..4).for_each(|_| drop(press(&mut app, Msg::Next)));
    assert!(matches!(stage(&app), Stage::Running { tag: None, .. }));
    let refused = Failure::new(ErrorCode::NotPermitted).with("user", "alice");
    app.update(Msg::Daemon(DaemonOrder::Start, Err(refused.into())));
    assert!(matches!(stage(&app), Stage::Failed(_)));
}

#[test]
fn lists_are_sorted_and_searched() {
    let mut app = app("failing-over");
    app.update(Msg::Show(View::Nodes));
    let names = |app: &App| -> Vec<String> {
        app.listing(View::Nodes).iter().filter_map(|item| item.node().map(str::to_owned)).collect()
    };
    let by_name = names(&app);
    app.update(Msg::Reverse);
    assert_eq!(names(&app), by_name.iter().rev().cloned().collect::<Vec<_>>());
    app.update(Msg::Sort);
    assert_eq!(names(&app)[0], "node3", "the worst first");
    app.update(Msg::Search);
    write(&mut app, "VEILLE");
    assert_eq!(names(&app), ["node2"]);
    assert_eq!(app.selected(), Some(&Item::Node("node2".into())));
    press(&mut app, Msg::Next);
    assert!(app.search.is_none() && names(&app).len() == 1);
    app.update(Msg::Close);
    assert_eq!(names(&app).len(), 3);
}

fn event(id: u64, kind: EventKind, cause: Option<u64>) -> HistoryEvent {
    HistoryEvent {
        id,
        time: at(i64::try_from(id).unwrap()).to_string(),
        kind,
        level: kind.level(),
        seen_by: "node1".into(),
        node: Some("node2".into()),
        resource: matches!(kind, EventKind::VipLost | EventKind::VipMoved).then(|| "db".into()),
        from: Some("node2".into()),
        to: Some("node3".into()),
        detail: None,
        duration_ms: (kind == EventKind::VipMoved).then_some(412),
        cause,
        chain: 1,
    }
}

#[test]
fn what_followed_from_what_is_told() {
    let mut app = app("healthy");
    let told = vec![
        event(1, EventKind::NodeLost, None),
        event(2, EventKind::VipLost, Some(1)),
        event(3, EventKind::VipMoved, Some(2)),
    ];
    heard(&mut app, LinkEvent::Happened(told), 4);
    let chain: Vec<(usize, &str)> =
        app.events.chain(3).into_iter().map(|(depth, event)| (depth, event.text.as_str())).collect();
    let expected = [
        (0, "node2 ne répond plus."),
        (1, "VIP db perdue par node2."),
        (2, "VIP db passée de node2 à node3."),
    ];
    assert_eq!(chain, expected);
}

#[test]
fn the_end_of_the_events_is_followed_until_one_moves_up_and_again_at_the_end() {
    let mut app = app("healthy");
    let told = (1..4).map(|id| event(id, EventKind::MaintenanceOn, None)).collect();
    heard(&mut app, LinkEvent::Happened(told), 4);
    app.update(Msg::Show(View::Events));
    assert_eq!(app.selected(), None);
    app.update(Msg::Move(-1));
    assert_eq!(app.selected(), Some(&Item::Event(2)));
    // What was missed is told later: the selection stays on what it was on.
    heard(&mut app, LinkEvent::Happened(vec![event(4, EventKind::MaintenanceOff, Some(3))]), 5);
    assert_eq!(app.selected(), Some(&Item::Event(2)));
    // Of another kind nothing is shown: back to the end.
    app.update(Msg::Only(2));
    assert_eq!((app.listing(View::Events), app.selected()), (Vec::new(), None));
    app.update(Msg::Close);
    assert_eq!((app.listing(View::Events).len(), app.view), (4, View::Events));
    app.update(Msg::Move(-1));
    app.update(Msg::Move(1));
    assert_eq!(app.selected(), None);
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut app = app("healthy");
    let item = Item::Vip("web".into());
    app.update(Msg::Select(item.clone()));
    assert_eq!((app.selected(), &app.popup), (Some(&item), &None));
    app.update(Msg::Select(item.clone()));
    assert_eq!(app.popup, Some(Popup::Details(item)));
}

#[test]
fn a_lost_connection_keeps_what_was_known_and_since_when() {
    let mut app = app("healthy");
    let gone = || LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).with("socket", "/s").into());
    heard(&mut app, gone(), 5);
    heard(&mut app, gone(), 9);
    assert!(matches!(&app.link, Link::Lost { since, .. } if *since == at(5)));
    assert_eq!((app.heard, app.status.is_some()), (Some(at(0)), true));
    begin(&mut app, Kind::Maintenance);
    assert!(app.wizard.is_none());
    heard(&mut app, LinkEvent::Connected { version: "0.1.0".into() }, 10);
    assert_eq!(app.link, Link::Up);
}

#[test]
fn the_selection_stays_with_its_thing_and_falls_back_to_the_first() {
    let mut app = app("healthy");
    app.update(Msg::Move(2));
    let mut next = status("healthy");
    next.nodes.remove(0);
    heard(&mut app, LinkEvent::Status(Box::new(next.clone())), 1);
    assert_eq!(app.selected(), Some(&Item::Node("node3".into())));
    next.nodes.pop();
    heard(&mut app, LinkEvent::Status(Box::new(next)), 2);
    assert_eq!(app.selected(), Some(&Item::Node("node2".into())));
    app.update(Msg::Move(-5));
    assert_eq!(app.selected(), Some(&Item::Node("node2".into())));
}

#[test]
fn rates_follow_from_successive_states() {
    let mut app = app("healthy");
    let mut next = status("healthy");
    if let Some(mesh) = &mut next.mesh_detail {
        mesh.peers[0].rx_bytes += 20_000;
    }
    heard(&mut app, LinkEvent::Status(Box::new(next)), 2);
    let rate = app.rates.current("node2", app.now).map(|rate| rate.rx);
    assert_eq!(rate, Some(10_000.0));
    app.update(Msg::Tick(at(60)));
    assert_eq!(app.rates.current("node2", app.now), None);
}

#[test]
fn the_mesh_is_forgotten_with_the_cluster_that_had_it() {
    let mut app = app("healthy");
    heard(&mut app, LinkEvent::Status(Box::new(status("unconfigured"))), 1);
    assert_eq!((app.mesh.is_none(), app.selected()), (true, None));
}

#[test]
fn views_turn_both_ways_and_escape_leads_home() {
    let mut app = app("healthy");
    app.update(Msg::NextView);
    assert_eq!(app.view, View::Mesh);
    app.update(Msg::PreviousView);
    app.update(Msg::PreviousView);
    assert_eq!(app.view, View::Logs);
    app.update(Msg::Show(View::Help));
    app.update(Msg::Close);
    assert_eq!(app.view, View::Logs);
    app.update(Msg::Close);
    assert_eq!(app.view, View::Overview);
}

#[test]
fn lines_of_the_log_are_for_the_console_to_record() {
    let mut app = app("healthy");
    let line = LogLine { time: String::new(), level: "INFO".into(), target: "a".into(), message: "b".into() };
    let effects = heard(&mut app, LinkEvent::Log(line.clone()), 1);
    assert_eq!((effects, app.logs.count), (vec![Effect::Record(line)], 1));
}

#[test]
fn leaving_and_stopping_are_the_consoles_business() {
    let mut app = app("healthy");
    assert_eq!(app.update(Msg::Quit), [Effect::Quit]);
    assert_eq!(app.update(Msg::Suspend), [Effect::Suspend]);
    assert_eq!(app.update(Msg::Redraw), [Effect::Redraw]);
}
