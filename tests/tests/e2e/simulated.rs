//! What `sfha simulate` says would happen, and then really happens.

use std::collections::BTreeMap;
use std::time::Duration;

use sfha_proto::simulate::{Simulation, Step};
use sfha_tests::cluster::{NOTED_UNIT, PATIENCE};
use sfha_tests::lab::wait_until;

use crate::common::{WEB, Watched, configure, stays};

/// On top of what is said, for a machine that does other things meanwhile; `sfha-bench` measures on an idle one.
const BESIDE: Duration = Duration::from_secs(1);

const OTHER: &str = "10.77.0.101";

/// Where everything is, by its name.
type Holders = BTreeMap<String, Option<String>>;

/// What the daemon of a node says now; `None` while something moves.
fn really(watched: &Watched, on: usize) -> Option<Holders> {
    let status = watched.cluster.look(on)?;
    let vips = status.vips.iter().map(|vip| (vip.name.clone(), vip.holder.clone(), vip.target.is_none()));
    let services = status
        .services
        .iter()
        .map(|service| (service.name.clone(), service.holder.clone(), service.target.is_none()));
    let all: Vec<_> = vips.chain(services).collect();
    all.iter()
        .all(|(.., still)| *still)
        .then(|| all.into_iter().map(|(name, holder, _)| (name, holder)).collect())
}

fn said(step: &Step) -> Holders {
    assert!(step.settled && step.refused.is_none(), "{step:#?}");
    let first = |holders: &[String]| {
        assert!(holders.len() <= 1, "{step:#?}");
        holders.first().cloned()
    };
    step.after.resources.iter().map(|place| (place.name.clone(), first(&place.holders))).collect()
}

/// Asks on a node what an event would do, does it, and compares.
fn simulated(watched: &Watched, on: usize, event: &str, eyes: &[usize], happen: impl FnOnce()) -> Step {
    let cluster = &watched.cluster;
    wait_until("all to be served", PATIENCE, || really(watched, on).is_some()).unwrap();
    let before = really(watched, on);
    let mut simulation: Simulation = cluster.ask(on, &["simulate", event]).unwrap();
    let step = simulation.steps.remove(0);
    let wanted = said(&step);
    assert_eq!(really(watched, on), before, "nothing has happened yet");
    happen();
    for eye in eyes {
        wait_until(&format!("{event} to end as was said"), PATIENCE, || {
            really(watched, *eye).as_ref() == Some(&wanted)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{step:#?}\n{:#?}", really(watched, *eye)));
    }
    stays(event, Duration::from_secs(1), || really(watched, eyes[0]).as_ref() == Some(&wanted));
    let status = cluster.look(eyes[0]).unwrap();
    assert_eq!(status.leader, step.after.leader, "{step:#?}");
    println!("{event}: at most {} ms were said", step.within_ms);
    step
}

#[test]
fn what_simulate_says_then_happens() {
    let watched = Watched::new("simulate", 3);
    let cluster = &watched.cluster;
    cluster.install_noted().unwrap();
    cluster.vip_add(0, "other", OTHER).unwrap();
    cluster.wait_active("other", &cluster.all(), PATIENCE).unwrap();
    let what = format!(
        "services:\n  - {{name: app, unit: {NOTED_UNIT}, stop_timeout: 2s}}\n\
         constraints:\n  - {{type: colocation, resource: app, with: {WEB}}}\n  \
         - {{type: order, first: {WEB}, then: app}}\n"
    );
    configure(cluster, 0, &what);
    let settled = |node: usize| {
        really(&watched, node).is_some_and(|all| all.len() == 3 && all.values().all(Option::is_some))
    };
    wait_until("all of it to run", PATIENCE, || cluster.all().into_iter().all(settled)).unwrap();
    wait_until("the service to run", PATIENCE, || {
        cluster.look(0).is_some_and(|status| status.services[0].state == "active")
    })
    .unwrap();

    let apart = watched.others(watched.holder())[0];
    let to = cluster.node(apart).name();
    assert!(cluster.sfha(0, &["failover", "other", "--to", &to]).unwrap().success());

    // The power of the one that has most.
    let first = watched.holder();
    let rest = watched.others(first);
    let before = watched.prober.started().elapsed();
    let step =
        simulated(&watched, rest[1], &format!("node-lost:{}", cluster.node(first).name()), &rest, || {
            cluster.node(first).cut().unwrap();
        });
    watched.prober.wait_answered_again(PATIENCE).unwrap();
    let change = step.changes.iter().find(|change| change.name == WEB).unwrap();
    let gap = watched.gap_since(before);
    println!("{gap:?} without an answer, at most {} ms were said", change.within_ms);
    assert!(gap <= Duration::from_millis(change.within_ms) + BESIDE, "{gap:?}: {change:#?}");
    assert!(change.waits.iter().any(|wait| wait.reason == "detection"), "{change:#?}");

    let name = cluster.node(first).name();
    simulated(&watched, rest[0], &format!("node-back:{name}"), &cluster.all(), || {
        cluster.boot_operational(first, PATIENCE).unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    });

    let holder = watched.holder();
    let name = cluster.node(holder).name();
    let asked = watched.others(holder)[0];
    simulated(&watched, asked, &format!("standby:{name}"), &cluster.all(), || {
        assert!(cluster.sfha(asked, &["standby", &name]).unwrap().success());
    });
    simulated(&watched, asked, &format!("unstandby:{name}"), &cluster.all(), || {
        assert!(cluster.sfha(asked, &["unstandby", &name]).unwrap().success());
    });

    let holder = watched.holder();
    let to = cluster.node(watched.others(holder)[1]).name();
    let before = watched.prober.started().elapsed();
    let step = simulated(&watched, holder, &format!("failover:{to}"), &cluster.all(), || {
        assert!(cluster.sfha(holder, &["failover", "--to", &to]).unwrap().success());
    });
    let change = step.changes.iter().find(|change| change.name == WEB).unwrap();
    watched.prober.wait_answered_again(PATIENCE).unwrap();
    let gap = watched.gap_since(before);
    println!("{gap:?} without an answer, at most {} ms were said", change.within_ms);
    assert!(gap <= Duration::from_millis(change.within_ms) + BESIDE, "{gap:?}: {change:#?}");

    // What would be refused is said, and is refused.
    let holder = cluster.node(watched.holder()).name();
    let again = format!("failover:{holder}");
    let everything = really(&watched, 0).unwrap().values().all(|at| at.as_deref() == Some(holder.as_str()));
    let simulation: Simulation = cluster.ask(0, &["simulate", &again]).unwrap();
    assert_eq!(simulation.steps[0].refused.is_some(), everything, "{simulation:#?}");
    cluster.check_journals(&cluster.all()).unwrap();
    watched.finish();
}
