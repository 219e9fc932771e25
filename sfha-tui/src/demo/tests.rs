use std::collections::BTreeSet;

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
        moves += world.take_log().iter().filter(|line| line.message.starts_with("acquired")).count();
    }
    assert_eq!(lost.into_iter().collect::<Vec<_>>(), ["node2", "node3"]);
    assert!(moves >= 2, "{moves}");
}

#[test]
fn orders_are_obeyed() {
    let mut world = World::new(at(0));
    let holds = |world: &World| world.status(at(0)).vips.iter().any(|v| v.holder.as_deref() == Some("node1"));
    assert!(holds(&world));
    obey(&mut world, method::STANDBY, &json!({"node": "node1"})).unwrap();
    for ms in (0..3000).step_by(500) {
        world.step(at(ms));
    }
    assert!(!holds(&world));
    assert_eq!(world.status(at(3000)).leader.as_deref(), Some("node2"));
    assert!(obey(&mut world, method::STANDBY, &json!({"node": "node1"})).is_err());
    assert!(obey(&mut world, method::STANDBY, &json!({"node": "node9"})).is_err());
    obey(&mut world, method::MAINTENANCE, &json!({"on": true})).unwrap();
    assert!(world.status(at(3000)).maintenance);
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
