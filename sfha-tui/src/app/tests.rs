use sfha_proto::message::LogLine;
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
    let mut app = App::new(at(0), TimeZone::UTC, Look { colour: true, utf8: true }, false);
    heard(&mut app, LinkEvent::Connected { version: "0.1.0".into() }, 0);
    heard(&mut app, LinkEvent::Status(Box::new(status(fixture))), 0);
    app
}

fn sent(effects: &[Effect]) -> &Order {
    let [Effect::Send(order)] = effects else { panic!("{effects:?}") };
    order
}

#[test]
fn a_change_is_asked_confirmed_sent_and_its_end_is_told() {
    let mut app = app("healthy");
    app.update(Msg::Move(1));
    assert_eq!(app.update(Msg::Ask(Verb::Standby)), []);
    assert_eq!(app.popup, Some(Popup::Confirm(Intent::Standby("node2".into()))));
    let effects = app.update(Msg::Confirm);
    let order = sent(&effects);
    assert_eq!((order.method, &order.params), ("standby", &json!({"node": "node2"})));
    assert_eq!(app.popup, None);
    heard(&mut app, LinkEvent::Answer { tag: order.tag, outcome: Ok(json!({})) }, 1);
    assert_eq!(app.notice.as_ref().map(|n| n.text.as_str()), Some("node2 est en veille."));
    app.update(Msg::Tick(at(1 + NOTICE_S)));
    assert_eq!(app.notice, None);
}

#[test]
fn a_cancelled_change_is_not_sent() {
    let mut app = app("healthy");
    app.update(Msg::Ask(Verb::Maintenance));
    app.update(Msg::Close);
    assert_eq!(app.popup, None);
    assert_eq!(app.update(Msg::Confirm), []);
}

#[test]
fn a_refusal_is_shown_until_it_is_closed() {
    let mut app = app("healthy");
    app.update(Msg::Ask(Verb::Maintenance));
    let effects = app.update(Msg::Confirm);
    let tag = sent(&effects).tag;
    let refused = Failure::new(ErrorCode::NotPermitted).with("user", "alice");
    heard(&mut app, LinkEvent::Answer { tag, outcome: Err(refused.into()) }, 1);
    assert!(matches!(&app.popup, Some(Popup::Problem(problem)) if problem.code == "not-permitted"));
    app.update(Msg::Close);
    assert_eq!(app.popup, None);
}

#[test]
fn an_answer_is_heard_once_and_that_of_nobody_never() {
    let mut app = app("healthy");
    heard(&mut app, LinkEvent::Answer { tag: 99, outcome: Err(ClientError::Lost) }, 1);
    assert_eq!((&app.popup, &app.notice), (&None, &None));
}

#[test]
fn maintenance_is_turned_to_what_it_is_not() {
    let mut app = app("failing-over");
    app.update(Msg::Ask(Verb::Maintenance));
    assert_eq!(app.popup, Some(Popup::Confirm(Intent::Maintenance(false))));
}

#[test]
fn only_what_makes_sense_is_asked() {
    let mut app = app("failing-over");
    app.update(Msg::Move(1));
    app.update(Msg::Ask(Verb::Standby));
    assert_eq!(app.notice.as_ref().map(|n| n.text.as_str()), Some("node2 est déjà en veille."));
    app.update(Msg::Ask(Verb::Unstandby));
    assert_eq!(app.popup, Some(Popup::Confirm(Intent::Unstandby("node2".into()))));
    app.update(Msg::Close);
    app.update(Msg::Move(2));
    assert_eq!(app.selected, Some(Item::Vip("web".into())));
    app.update(Msg::Ask(Verb::Standby));
    assert_eq!((&app.popup, app.notice.as_ref().map(|n| n.tone)), (&None, Some(Tone::Warn)));
}

#[test]
fn a_peer_stands_for_its_node() {
    let mut app = app("healthy");
    app.update(Msg::Last);
    assert_eq!(app.selected, Some(Item::Peer("node3".into())));
    app.update(Msg::Ask(Verb::Standby));
    assert_eq!(app.popup, Some(Popup::Confirm(Intent::Standby("node3".into()))));
}

#[test]
fn a_lost_connection_keeps_what_was_known_and_since_when() {
    let mut app = app("healthy");
    let gone = || LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).with("socket", "/s").into());
    heard(&mut app, gone(), 5);
    heard(&mut app, gone(), 9);
    assert!(matches!(&app.link, Link::Lost { since, .. } if *since == at(5)));
    assert_eq!((app.heard, app.status.is_some()), (Some(at(0)), true));
    app.update(Msg::Ask(Verb::Maintenance));
    assert_eq!(app.popup, None);
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
    assert_eq!(app.selected, Some(Item::Node("node3".into())));
    next.nodes.pop();
    heard(&mut app, LinkEvent::Status(Box::new(next)), 2);
    assert_eq!(app.selected, Some(Item::Node("node2".into())));
    app.update(Msg::Move(-5));
    assert_eq!(app.selected, Some(Item::Node("node2".into())));
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
    assert_eq!((app.mesh.is_none(), app.selected.clone()), (true, None));
}

#[test]
fn views_turn_both_ways_and_escape_leads_home() {
    let mut app = app("healthy");
    app.update(Msg::NextView);
    assert_eq!(app.view, View::Logs);
    app.update(Msg::PreviousView);
    app.update(Msg::PreviousView);
    assert_eq!(app.view, View::Help);
    app.update(Msg::Close);
    assert_eq!(app.view, View::Overview);
}

#[test]
fn a_line_of_the_log_opens_whole() {
    let mut app = app("healthy");
    app.update(Msg::Show(View::Logs));
    app.update(Msg::Open);
    assert_eq!(app.popup, None);
    let line = LogLine { time: String::new(), level: "INFO".into(), target: "a".into(), message: "b".into() };
    heard(&mut app, LinkEvent::Log(line), 1);
    app.update(Msg::Open);
    assert_eq!(app.popup, Some(Popup::Line(0)));
}

#[test]
fn leaving_and_stopping_are_the_consoles_business() {
    let mut app = app("healthy");
    assert_eq!(app.update(Msg::Quit), [Effect::Quit]);
    assert_eq!(app.update(Msg::Suspend), [Effect::Suspend]);
    assert_eq!(app.update(Msg::Redraw), [Effect::Redraw]);
}
