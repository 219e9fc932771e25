//! Whole meshes on the invented underlay: whatever is cut, both ends of every pair agree, nothing loops,
//! and what can be reached is.

use std::time::Duration;

use super::super::{Health, Route};
use super::net::{Nat, Net};
use crate::state::NodeId;
use crate::time::Time;

const NATS: [Nat; 3] = [Nat::None, Nat::Cone, Nat::Symmetric];

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// What the underlay allows two nodes.
fn reachable(net: &Net, one: NodeId, other: NodeId) -> bool {
    let nats = [net.nodes[&one].nat, net.nodes[&other].nat];
    let talk = nats.contains(&Nat::None) || nats == [Nat::Cone, Nat::Cone];
    talk && !net.cut.contains(&(one, other)) && !net.cut.contains(&(other, one))
}

/// Both ends have this path and it answers.
fn works(net: &Net, one: NodeId, other: NodeId) -> Result<Route, String> {
    let routes = [net.route(one, other), net.route(other, one)];
    let now = Time::from_micros(net.now);
    let health = |from: NodeId, to: NodeId| net.nodes[&from].paths.views(now)[&to].health;
    let answers = [health(one, other), health(other, one)];
    if routes[0] != routes[1] || answers != [Health::Connected; 2] {
        return Err(format!("{one} and {other}: {routes:?} {answers:?}"));
    }
    Ok(routes[0])
}

fn settled(net: &Net) -> Result<(), String> {
    let ids: Vec<NodeId> = net.nodes.keys().copied().collect();
    for one in &ids {
        for other in ids.iter().filter(|other| *other > one) {
            let direct = reachable(net, *one, *other);
            let relays: Vec<NodeId> = ids
                .iter()
                .copied()
                .filter(|id| {
                    id != one && id != other && reachable(net, *one, *id) && reachable(net, *id, *other)
                })
                .collect();
            match works(net, *one, *other) {
                Ok(Route::Direct) if direct => {}
                Ok(Route::Via(relay)) if !direct && relays.contains(&relay) => {}
                Err(_) if !direct && relays.is_empty() => {}
                found => {
                    return Err(format!("{one} and {other}, direct {direct}, relays {relays:?}: {found:?}"));
                }
            }
        }
    }
    Ok(())
}

fn wait(net: &mut Net, patience: u64, mut reached: impl FnMut(&Net) -> bool) -> Duration {
    let start = net.now;
    while !reached(net) {
        assert!(net.now - start < patience * 1_000_000, "not within {patience} s");
        net.run(Duration::from_millis(50));
    }
    Duration::from_micros(net.now - start)
}

fn cut(net: &mut Net, one: NodeId, other: NodeId) {
    net.cut.insert((one, other));
    net.cut.insert((other, one));
}

#[test]
fn whatever_is_behind_whatever_nat_is_reached() {
    for seed in 0..60 {
        let mut net = Net::new(seed, &[]);
        let mut nats = vec![Nat::None];
        nats.extend((0..2 + net.below(3)).map(|_| NATS[usize::try_from(net.below(3)).unwrap()]));
        let mut net = Net::new(seed, &nats);
        net.run(seconds(150));
        settled(&net).unwrap_or_else(|error| panic!("seed {seed}, {nats:?}: {error}"));
        assert_eq!(net.loops, 0, "seed {seed}");
    }
}

#[test]
fn a_relay_takes_over_within_ten_seconds_and_is_given_up_again() {
    for seed in 0..40 {
        let mut net = Net::new(seed, &[Nat::None; 4]);
        let wait_first = net.below(5000);
        net.run(seconds(20) + Duration::from_millis(wait_first));
        settled(&net).unwrap();
        cut(&mut net, 2, 3);
        let taken = wait(&mut net, 10, |net| matches!(works(net, 2, 3), Ok(Route::Via(_))));
        assert!(taken < seconds(8), "{taken:?}");
        let away = net.below(200);
        net.run(seconds(away));
        settled(&net).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        net.cut.clear();
        wait(&mut net, 90, |net| works(net, 2, 3) == Ok(Route::Direct));
        let before: usize = net.nodes.values().map(|machine| machine.switches.len()).sum();
        net.run(seconds(60));
        let after: usize = net.nodes.values().map(|machine| machine.switches.len()).sum();
        assert_eq!((before, after), (4, 4), "seed {seed}: once there and once back, at both ends");
    }
}

#[test]
fn a_path_that_is_cut_in_one_direction_is_relayed_too() {
    for (from, to) in [(2, 3), (3, 2)] {
        let mut net = Net::new(7, &[Nat::None; 3]);
        net.run(seconds(20));
        net.cut.insert((from, to));
        wait(&mut net, 12, |net| works(net, 2, 3) == Ok(Route::Via(1)));
    }
}

#[test]
fn random_cuts_and_losses_leave_agreement_and_no_loop() {
    for seed in 0..30 {
        let mut net = Net::new(seed, &[]);
        let count = 3 + usize::try_from(net.below(3)).unwrap();
        let mut net = Net::new(seed, &vec![Nat::None; count]);
        let count = u64::try_from(count).unwrap();
        net.run(seconds(10));
        for _ in 0..12 {
            let one = NodeId::try_from(1 + net.below(count)).unwrap();
            let other = NodeId::try_from(1 + net.below(count)).unwrap();
            match net.below(5) {
                0 | 1 if one != other => cut(&mut net, one, other),
                2 if one != other => drop(net.cut.insert((one, other))),
                3 => net.cut.clear(),
                _ => net.restart(one),
            }
            net.loss_permille = if net.below(4) == 0 { 150 } else { 0 };
            let pause = net.below(20_000);
            net.run(Duration::from_millis(pause));
            assert_eq!(net.loops, 0, "seed {seed}");
        }
        net.loss_permille = 0;
        net.run(seconds(420));
        settled(&net).unwrap_or_else(|error| panic!("seed {seed}, cut {:?}: {error}", net.cut));
        let before: Vec<usize> = net.nodes.values().map(|machine| machine.switches.len()).collect();
        net.run(seconds(200));
        let after: Vec<usize> = net.nodes.values().map(|machine| machine.switches.len()).collect();
        assert_eq!(before, after, "seed {seed}: it does not come to rest");
    }
}

#[test]
fn a_rebound_nat_is_followed_within_thirty_seconds() {
    for seed in 0..20 {
        let mut net = Net::new(seed, &[Nat::None, Nat::Cone, Nat::Cone]);
        net.run(seconds(120));
        settled(&net).unwrap();
        net.rebind(2);
        net.run(seconds(3));
        wait(&mut net, 27, |net| works(net, 1, 2).is_ok() && works(net, 2, 3).is_ok());
    }
}

#[test]
fn a_daemon_that_stops_takes_no_path_with_it() {
    let mut net = Net::new(3, &[Nat::None, Nat::Symmetric, Nat::Symmetric]);
    net.run(seconds(60));
    assert_eq!(works(&net, 2, 3), Ok(Route::Via(1)));
    net.nodes.get_mut(&3).unwrap().up = false;
    net.run(seconds(60));
    assert_eq!(net.route(2, 3), Route::Via(1), "the other end's device still sends through it");
    net.restart(3);
    net.run(seconds(10));
    assert_eq!(works(&net, 2, 3), Ok(Route::Via(1)));
    let switches: usize = net.nodes.values().map(|machine| machine.switches.len()).sum();
    assert_eq!(switches, 2);
}

#[test]
fn a_relay_that_does_not_forward_is_replaced() {
    let mut net = Net::new(11, &[Nat::None, Nat::None, Nat::Symmetric, Nat::Symmetric]);
    net.nodes.get_mut(&1).unwrap().forwards = false;
    wait(&mut net, 40, |net| works(net, 3, 4) == Ok(Route::Via(2)));
}

#[test]
fn loss_alone_moves_nothing() {
    let mut net = Net::new(5, &[Nat::None; 4]);
    net.loss_permille = 100;
    net.run(seconds(600));
    let switches: usize = net.nodes.values().map(|machine| machine.switches.len()).sum();
    assert_eq!(switches, 0);
}

#[test]
fn the_loss_of_a_relay_moves_its_paths_to_another() {
    for seed in 0..20 {
        let mut net = Net::new(seed, &[Nat::None, Nat::None, Nat::Symmetric, Nat::Symmetric]);
        net.run(seconds(60));
        let Ok(Route::Via(relay)) = works(&net, 3, 4) else { panic!("seed {seed}") };
        for other in 1..=4 {
            cut(&mut net, relay, other);
        }
        wait(&mut net, 12, |net| works(net, 3, 4) == Ok(Route::Via(3 - relay)));
    }
}
