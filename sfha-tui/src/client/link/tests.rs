use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::fake::{self, Fake};

type Ends = (mpsc::Receiver<LinkEvent>, mpsc::Sender<Order>);

fn start(socket: &Path) -> Ends {
    let (events_tx, events) = mpsc::channel(16);
    let (orders, orders_rx) = mpsc::channel(16);
    let socket = socket.to_owned();
    tokio::spawn(async move { run(&socket, events_tx, orders_rx).await });
    (events, orders)
}

async fn next(events: &mut mpsc::Receiver<LinkEvent>) -> LinkEvent {
    timeout(Duration::from_secs(10), events.recv()).await.expect("news in time").expect("news")
}

fn status() -> Value {
    let text = include_str!("../../../tests/fixtures/healthy.json");
    serde_json::from_str(text).unwrap()
}

fn subscribed(request: &Value) -> Vec<Value> {
    let mut lines = fake::result(request, json!({}));
    lines.push(json!({"event": "status", "seq": 1, "data": status()}));
    lines
}

#[tokio::test]
async fn a_subscription_brings_states_and_lines_and_ignores_what_it_does_not_know() {
    let fake = Fake::start(|request| match request["method"].as_str() {
        Some("subscribe") => {
            let mut lines = fake::result(request, json!({}));
            lines.push(json!({"event": "from-the-future", "seq": 1, "data": 3}));
            lines.push(json!({"event": "status", "seq": 2, "data": {"not": "a status"}}));
            let line = json!({"time": "t", "level": "INFO", "target": "a", "message": "b"});
            lines.push(json!({"event": "log", "seq": 3, "data": line}));
            lines.push(json!({"event": "status", "seq": 4, "data": status()}));
            lines
        }
        _ => Vec::new(),
    });
    let (mut events, _orders) = start(fake.socket());
    assert_eq!(next(&mut events).await, LinkEvent::Connected { version: "0.1.0".into() });
    assert!(matches!(next(&mut events).await, LinkEvent::Log(line) if line.message == "b"));
    assert!(matches!(next(&mut events).await, LinkEvent::Status(status) if status.cluster == "prod"));
}

#[tokio::test]
async fn it_comes_back_by_itself_when_the_daemon_does() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let (mut events, orders) = start(&socket);
    assert!(matches!(next(&mut events).await, LinkEvent::Lost(error) if error.is_no_daemon()));
    orders.send(Order { tag: 7, method: method::STANDBY, params: json!({}) }).await.unwrap();
    assert!(matches!(next(&mut events).await, LinkEvent::Answer { tag: 7, outcome: Err(_) }));
    let _fake = Fake::listen(&socket, json!({"sfha": "0.1.0", "protocol": 1}), |request| {
        match request["method"].as_str() {
            Some("subscribe") => subscribed(request),
            Some("history") => Vec::new(),
            // Hangs up.
            _ => vec![Value::Null],
        }
    });
    loop {
        match next(&mut events).await {
            LinkEvent::Status(_) => break,
            LinkEvent::Lost(_) | LinkEvent::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    orders.send(Order { tag: 8, method: method::STANDBY, params: json!({}) }).await.unwrap();
    let lost = LinkEvent::Answer { tag: 8, outcome: Err(ClientError::Lost) };
    assert_eq!(next(&mut events).await, lost);
    assert_eq!(next(&mut events).await, LinkEvent::Lost(ClientError::Lost));
    assert!(matches!(next(&mut events).await, LinkEvent::Connected { .. }));
}

#[tokio::test]
async fn orders_are_answered_by_their_tag_whatever_their_order() {
    let fake = Fake::start(|request| match request["method"].as_str() {
        Some("subscribe") => subscribed(request),
        // The first order waits for the second.
        Some("standby") => Vec::new(),
        Some("maintenance") => {
            let first = json!({"id": request["id"].as_u64().unwrap() - 1});
            let mut lines = fake::error(request, "maintenance", json!({}));
            lines.extend(fake::result(&first, json!({"first": true})));
            lines
        }
        _ => Vec::new(),
    });
    let (mut events, orders) = start(fake.socket());
    while !matches!(next(&mut events).await, LinkEvent::Status(_)) {}
    orders.send(Order { tag: 70, method: method::STANDBY, params: json!({}) }).await.unwrap();
    orders.send(Order { tag: 50, method: method::MAINTENANCE, params: json!({}) }).await.unwrap();
    assert!(matches!(next(&mut events).await, LinkEvent::Answer { tag: 50, outcome: Err(_) }));
    let first = LinkEvent::Answer { tag: 70, outcome: Ok(json!({"first": true})) };
    assert_eq!(next(&mut events).await, first);
}

#[tokio::test]
async fn steps_go_by_the_tag_of_their_order_and_those_of_others_are_not_heard() {
    let fake = Fake::start(|request| match request["method"].as_str() {
        Some("subscribe") => subscribed(request),
        Some("mesh.rotate-keys") => {
            let mut lines = vec![fake::progress(&json!({"id": 999}), "key-prepare", 1)];
            lines.push(fake::progress(request, "key-commit", 2));
            lines.extend(fake::result(request, json!({"done": true})));
            lines
        }
        _ => fake::error(request, "not-configured", json!({})),
    });
    let (mut events, orders) = start(fake.socket());
    orders.send(Order { tag: 4, method: method::MESH_ROTATE_KEYS, params: json!({}) }).await.unwrap();
    let mut steps = Vec::new();
    loop {
        match next(&mut events).await {
            LinkEvent::Progress { tag, progress } => steps.push((tag, progress.elapsed_ms)),
            LinkEvent::Answer { tag: 4, outcome: Ok(_) } => break,
            _ => {}
        }
    }
    assert_eq!(steps, [(4, 2)]);
}

#[tokio::test]
async fn a_daemon_that_only_speaks_on_change_is_asked_for_its_mesh() {
    let fake = Fake::start(|request| match request["method"].as_str() {
        Some("subscribe") => subscribed(request),
        Some("mesh.status") => fake::result(request, status()["mesh_detail"].clone()),
        _ => Vec::new(),
    });
    let (mut events, _orders) = start(fake.socket());
    while !matches!(next(&mut events).await, LinkEvent::Status(_)) {}
    assert!(matches!(next(&mut events).await, LinkEvent::Mesh(mesh) if mesh.peers.len() == 2));
}

fn happened(id: u64) -> Value {
    json!({"id": id, "time": format!("2026-11-23T10:00:{id:02}Z"), "kind": "node-lost", "level": "critical",
           "seen_by": "node1", "node": "node2", "chain": id})
}

#[tokio::test]
async fn the_past_comes_first_and_after_a_loss_only_what_was_missed() {
    let fake =
        Fake::start(|request| match (request["method"].as_str(), request["params"]["after"].as_u64()) {
            (Some("history"), _) => {
                let events = [happened(1), happened(2)];
                fake::result(request, json!({"schema": 1, "events": events, "dropped": 0}))
            }
            // Nothing of the past is asked for: the daemon tells what comes after.
            (Some("subscribe"), Some(after)) => {
                let mut lines = fake::result(request, json!({}));
                lines.push(json!({"event": "history", "seq": 1, "data": happened(after + 1)}));
                if after == 2 {
                    lines.push(Value::Null);
                }
                lines
            }
            (Some("subscribe"), None) => fake::result(request, json!({})),
            _ => Vec::new(),
        });
    let (mut events, _orders) = start(fake.socket());
    let mut told = Vec::new();
    while told.len() < 4 {
        if let LinkEvent::Happened(events) = next(&mut events).await {
            told.extend(events.iter().map(|event| event.id));
        }
    }
    assert_eq!(told, [1, 2, 3, 4]);
    let asked = |name: &str| fake.requests().iter().filter(|request| request["method"] == name).count();
    assert_eq!(asked("history"), 1, "the past was asked for again");
}

#[tokio::test]
async fn where_there_is_no_past_yet_everything_is_new() {
    let fake = Fake::start(|request| match request["method"].as_str() {
        Some("history") => fake::error(request, "not-configured", json!({})),
        Some("subscribe") if request["params"]["after"] == 0 => {
            let mut lines = fake::result(request, json!({}));
            lines.push(json!({"event": "history", "seq": 1, "data": happened(1)}));
            lines
        }
        Some("subscribe") => subscribed(request),
        _ => Vec::new(),
    });
    let (mut events, _orders) = start(fake.socket());
    loop {
        match next(&mut events).await {
            LinkEvent::Happened(events) => break assert_eq!(events[0].id, 1),
            LinkEvent::Lost(error) => panic!("{error}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn another_protocol_is_told_apart_from_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let _fake = Fake::listen(&socket, json!({"sfha": "9.0.0", "protocol": 2}), |_| Vec::new());
    let (mut events, _orders) = start(&socket);
    let wanted = ClientError::Protocol { theirs: 2, version: "9.0.0".into() };
    assert_eq!(next(&mut events).await, LinkEvent::Lost(wanted));
}
