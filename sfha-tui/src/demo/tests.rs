use std::collections::BTreeSet;

use serde_json::{Value, json};
use sfha_proto::message::method;
use sfha_proto::status::VipState;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_370_400_000 + ms).unwrap()
}

#[test]
fn the_story_loses_nodes_and_every_vip_is_served_again() {
    let mut world = World::new(at(0));
    let (mut lost, mut moves) = (BTreeSet::new(), 0);
    let mut unserved_ms = 0;
    for ms in (0..200_000).step_by(500) {
        world.step(at(ms));
        let status = world.status(at(ms));
        lost.extend(status.nodes.iter().filter(|node| !node.online).map(|node| node.name.clone()));
        let served = status.vips.iter().all(|vip| vip.state == VipState::Active);
        unserved_ms = if served { 0 } else { unserved_ms + 500 };
        assert!(unserved_ms <= 3000, "{ms}: {:?}", status.vips);
        let acquired =
            |event: &LinkEvent| matches!(event, LinkEvent::Log(line) if line.message.starts_with("acquired"));
        moves += world.news(false).iter().filter(|event| acquired(event)).count();
    }
    assert_eq!(lost.into_iter().collect::<Vec<_>>(), ["node2", "node3"]);
    assert!(moves >= 2, "{moves}");
}

/// Asks, and goes on until the answer is there; `None` if it is refused.
fn ask(world: &mut World, now: &mut i64, method: &'static str, params: Value) -> Option<Value> {
    world.take(Order { tag: 7, method, params });
    loop {
        for event in world.news(false) {
            if let LinkEvent::Answer { tag: 7, outcome } = event {
                return outcome.ok();
            }
        }
        *now += 500;
        world.step(at(*now));
    }
}

#[test]
fn orders_are_obeyed() {
    let (mut world, mut now) = (World::new(at(0)), 0);
    let holds = |world: &World| world.status(at(0)).vips.iter().any(|v| v.holder.as_deref() == Some("node1"));
    assert!(holds(&world));
    ask(&mut world, &mut now, method::STANDBY, json!({"node": "node1"})).unwrap();
    for ms in (0..3000).step_by(500) {
        world.step(at(ms));
    }
    assert!(!holds(&world));
    assert_eq!(world.status(at(3000)).leader.as_deref(), Some("node2"));
    assert_eq!(ask(&mut world, &mut now, method::STANDBY, json!({"node": "node1"})), None);
    assert_eq!(ask(&mut world, &mut now, method::STANDBY, json!({"node": "node9"})), None);
    let done = ask(&mut world, &mut now, method::FAILOVER, json!({"to": "node3"})).unwrap();
    assert_eq!(done["to"], "node3");
    ask(&mut world, &mut now, method::VIP_ADD, json!({"name": "blog", "address": "192.0.2.9/24"})).unwrap();
    assert!(world.status(at(now)).vips.iter().any(|vip| vip.name == "blog"));
    ask(&mut world, &mut now, method::VIP_REMOVE, json!({"name": "blog"})).unwrap();
    let before = world.key(1);
    let done = ask(&mut world, &mut now, method::MESH_ROTATE_KEYS, json!({"node": "node2"})).unwrap();
    assert_eq!(done["nodes"][0]["node"], "node2");
    assert_ne!(world.key(1), before);
    ask(&mut world, &mut now, method::MAINTENANCE, json!({"on": true})).unwrap();
    assert!(world.status(at(3000)).maintenance);
}

#[test]
fn whoever_is_given_a_token_comes() {
    let (mut world, mut now) = (World::new(at(0)), 0);
    let made = ask(&mut world, &mut now, method::MESH_TOKEN, json!({"expires_s": 600})).unwrap();
    let state = |world: &mut World, now: &mut i64| {
        let listed = ask(world, now, method::MESH_TOKENS, json!({})).unwrap();
        (listed[0]["state"].clone(), listed[0]["id"] == made["id"])
    };
    assert_eq!(state(&mut world, &mut now), (json!("open"), true));
    (0..30).for_each(|step| {
        world.step(at(step * 500));
    });
    assert_eq!(state(&mut world, &mut now), (json!("redeemed"), true));
    assert!(world.status(at(15_000)).nodes.iter().any(|node| node.name == "node4" && node.online));
}

#[tokio::test]
async fn it_speaks_as_the_daemon_does() {
    let (events_tx, mut events) = tokio::sync::mpsc::channel(16);
    let (orders, orders_rx) = tokio::sync::mpsc::channel(16);
    tokio::spawn(run(events_tx, orders_rx));
    assert!(matches!(events.recv().await, Some(LinkEvent::Connected { .. })));
    orders.send(Order { tag: 3, method: method::MAINTENANCE, params: json!({"on": true}) }).await.unwrap();
    let mut seen = (false, false);
    while seen != (true, true) {
        match events.recv().await.unwrap() {
            LinkEvent::Answer { tag: 3, outcome: Ok(_) } => seen.0 = true,
            LinkEvent::Status(status) => seen.1 |= status.maintenance,
            _ => {}
        }
    }
}
