use super::*;

mod net;
mod simulation;

fn at(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

fn members(count: u32) -> BTreeMap<NodeId, Member> {
    (1..=count).map(|id| (id, net::member(id))).collect()
}

fn entry(node: NodeId, claim: Claim, rtt_us: Option<u32>) -> Entry {
    Entry { node, claim, rtt_us, hearsay: None, endpoint: None }
}

const FINE: Claim = Claim { via: None, direct: true, version: 1 };
const DEAD: Claim = Claim { via: None, direct: false, version: 1 };

/// Node 1 of a few; all but `silent` answer at once and report what `reports` says, for some seconds.
struct Alone {
    paths: Paths,
    now: u64,
    number: u32,
    reports: BTreeMap<NodeId, Vec<Entry>>,
    silent: BTreeSet<NodeId>,
    actions: Vec<(u64, Action)>,
}

impl Alone {
    fn new(me: NodeId, count: u32) -> Self {
        let mut paths = Paths::new(me, 1_000_000);
        paths.set_members(members(count), at(0));
        Self {
            paths,
            now: 0,
            number: 0,
            reports: BTreeMap::new(),
            silent: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += 10;
            let now = at(self.now);
            if self.now.is_multiple_of(1000) {
                for (from, report) in self.reports.clone() {
                    self.number += 1;
                    let probe = Datagram { kind: Kind::Probe, number: self.number, stamp: 0, report };
                    self.paths.receive(from, &probe, now);
                }
            }
            self.paths.handle_timeout(now);
            let mut answers = Vec::new();
            while let Some(action) = self.paths.poll_action() {
                if let Action::Send(to, datagram) = &action
                    && datagram.kind == Kind::Probe
                    && !self.silent.contains(to)
                {
                    answers
                        .push((*to, Datagram { kind: Kind::Answer, report: Vec::new(), ..datagram.clone() }));
                }
                self.actions.push((self.now, action));
            }
            for (from, answer) in answers {
                self.paths.receive(from, &answer, now);
            }
        }
    }

    fn route(&self, node: NodeId) -> Route {
        self.paths.relays().get(&node).map_or(Route::Direct, |relay| Route::Via(*relay))
    }

    fn health(&self, node: NodeId) -> Health {
        self.paths.views(at(self.now))[&node].health
    }
}

#[test]
fn a_peer_is_connected_only_while_it_answers() {
    let mut alone = Alone::new(1, 2);
    assert_eq!(alone.health(2), Health::Never);
    alone.run(2000);
    assert_eq!(alone.health(2), Health::Connected);
    assert_eq!(alone.paths.views(at(alone.now))[&2].loss_permille, Some(0));
    alone.silent.insert(2);
    alone.run(4500);
    assert_eq!(alone.health(2), Health::Stale);
    assert_eq!(alone.paths.views(at(alone.now))[&2].rtt, None);
}

#[test]
fn a_peer_with_a_handshake_is_not_judged_before_it_had_time_to_answer() {
    for (answers, verdict) in [(true, Health::Connected), (false, Health::Stale)] {
        let mut alone = Alone::new(1, 3);
        if !answers {
            alone.silent.insert(2);
        }
        let seen = Observation { handshake: Some(at(0)), ..Observation::default() };
        alone.paths.observe(&BTreeMap::from([(2, seen)]), at(0));
        assert_eq!(alone.health(2), Health::Unknown);
        assert_eq!(alone.health(3), Health::Never, "no handshake, no doubt");
        alone.run(240);
        assert_eq!(alone.health(2), if answers { Health::Connected } else { Health::Unknown });
        alone.run(10);
        assert_eq!(alone.health(2), verdict);
    }
}

#[test]
fn of_two_relays_the_quicker_one_is_chosen_and_of_equals_the_lower() {
    for (rtts, wanted) in [([500, 400], 4), ([400, 500], 3), ([500, 500], 3)] {
        let mut alone = Alone::new(1, 4);
        for (relay, rtt) in [(3, rtts[0]), (4, rtts[1])] {
            let theirs = Claim { version: 7, ..DEAD };
            let mut about = entry(2, FINE, Some(rtt));
            about.hearsay = Some(theirs);
            alone.reports.insert(relay, vec![entry(1, FINE, Some(300)), about]);
        }
        alone.silent.insert(2);
        alone.run(6000);
        assert_eq!(alone.route(2), Route::Via(wanted), "{rtts:?}");
    }
}

#[test]
fn nobody_relays_who_is_relayed_or_deaf_or_unheard() {
    let relayed = Claim { via: Some(9), ..FINE };
    let cases = [
        ("its own path to the other end is relayed", entry(1, FINE, Some(1)), entry(2, relayed, Some(1))),
        ("its path to the other end is dead", entry(1, FINE, Some(1)), entry(2, DEAD, Some(1))),
        ("the other end does not answer it", entry(1, FINE, Some(1)), entry(2, FINE, None)),
        ("its path to this end is relayed", entry(1, relayed, Some(1)), entry(2, FINE, Some(1))),
    ];
    for (why, to_me, mut to_other) in cases {
        let mut alone = Alone::new(1, 3);
        to_other.hearsay = Some(DEAD);
        alone.reports.insert(3, vec![to_me, to_other]);
        alone.silent.insert(2);
        alone.run(10_000);
        assert_eq!(alone.route(2), Route::Direct, "{why}");
    }
}

#[test]
fn a_daemon_that_is_away_is_not_a_dead_path() {
    let mut alone = Alone::new(1, 3);
    alone.run(3000);
    alone.silent.insert(2);
    let mut about = entry(2, FINE, Some(100));
    about.hearsay = Some(FINE);
    alone.reports.insert(3, vec![entry(1, FINE, Some(100)), about]);
    for second in 0..20 {
        // Corosync's packets.
        let seen = Observation { rx_bytes: 1000 * (second + 1), ..Observation::default() };
        alone.paths.observe(&BTreeMap::from([(2, seen)]), at(alone.now));
        alone.run(1000);
    }
    assert_eq!(alone.route(2), Route::Direct);
    assert_ne!(alone.health(2), Health::Connected, "it does not answer");
}

#[test]
fn without_word_from_the_other_end_nothing_is_moved() {
    let mut alone = Alone::new(1, 3);
    alone.silent.insert(2);
    alone.reports.insert(3, vec![entry(1, FINE, Some(100)), entry(2, FINE, Some(100))]);
    alone.run(20_000);
    assert_eq!(alone.route(2), Route::Direct);
}

#[test]
fn a_node_that_comes_back_is_asked_before_it_is_relayed() {
    for (answers, route) in [(true, Route::Direct), (false, Route::Via(3))] {
        let mut alone = Alone::new(1, 3);
        alone.run(2000);
        alone.silent.insert(2);
        alone.reports.insert(3, vec![entry(1, FINE, Some(100)), entry(2, FINE, None)]);
        alone.run(20_000);
        let mut about = entry(2, FINE, Some(100));
        about.hearsay = Some(FINE);
        alone.reports.insert(3, vec![entry(1, FINE, Some(100)), about]);
        alone.run(1000);
        assert_eq!(alone.route(2), Route::Direct, "nothing could have been heard of it yet");
        if answers {
            alone.silent.clear();
        }
        alone.run(5000);
        assert_eq!(alone.route(2), route);
    }
}

#[test]
fn the_higher_id_follows_the_newest_claim_whoever_tells_it() {
    let mut alone = Alone::new(2, 4);
    let told = |via, version| {
        let mut about = entry(1, FINE, Some(100));
        about.hearsay = Some(Claim { via, direct: false, version });
        vec![about, entry(2, FINE, Some(100))]
    };
    alone.reports.insert(3, told(Some(3), 20));
    alone.run(1500);
    assert_eq!(alone.route(1), Route::Via(3));
    alone.reports.insert(4, told(Some(4), 19));
    alone.run(1500);
    assert_eq!(alone.route(1), Route::Via(3), "that was older");
    alone.reports.insert(4, told(None, 21));
    alone.run(1500);
    assert_eq!(alone.route(1), Route::Direct);
}

#[test]
fn a_dead_peer_is_looked_for_where_others_hear_it() {
    let mut alone = Alone::new(1, 3);
    alone.run(2000);
    alone.silent.insert(2);
    let moved: SocketAddr = "192.0.2.2:7".parse().unwrap();
    let mut about = entry(2, FINE, Some(100));
    about.endpoint = Some(moved);
    alone.reports.insert(3, vec![entry(1, FINE, Some(100)), about]);
    alone.actions.clear();
    alone.run(8000);
    let tried = alone.actions.iter().find(|(_, action)| *action == Action::Try(2, moved));
    assert!(tried.is_some(), "{:?}", alone.actions);
}

#[test]
fn no_endpoint_inside_the_mesh_is_ever_tried() {
    let mut alone = Alone::new(1, 3);
    alone.silent.insert(2);
    let mut about = entry(2, FINE, Some(100));
    about.endpoint = Some(SocketAddr::new(net::member(3).address, 51820));
    alone.reports.insert(3, vec![entry(1, FINE, Some(100)), about]);
    alone.run(8000);
    let own = net::member(2).endpoints;
    let inside =
        alone.actions.iter().find(|(_, action)| matches!(action, Action::Try(_, at) if !own.contains(at)));
    assert_eq!(inside, None);
}

#[test]
fn what_the_device_does_is_kept_over_a_restart() {
    let mut alone = Alone::new(1, 3);
    alone.paths.adopt(2, 3, at(0));
    let mut about = entry(2, FINE, Some(100));
    about.hearsay = Some(Claim { via: Some(3), direct: false, version: 5 });
    alone.reports.insert(3, vec![entry(1, FINE, Some(100)), about]);
    alone.run(6000);
    assert_eq!(alone.route(2), Route::Via(3));
}

#[test]
fn a_relay_that_does_not_forward_is_given_up() {
    let mut alone = Alone::new(1, 4);
    alone.silent.insert(2);
    for relay in [3, 4] {
        let mut about = entry(2, FINE, Some(100));
        about.hearsay = Some(Claim { via: None, direct: false, version: 5 });
        alone.reports.insert(relay, vec![entry(1, FINE, Some(100)), about]);
    }
    alone.run(5000);
    assert_eq!(alone.route(2), Route::Via(3));
    alone.run(5000);
    assert_eq!(alone.route(2), Route::Via(4));
}

#[test]
fn what_others_say_about_their_paths_is_told_while_it_is_news() {
    let mut alone = Alone::new(1, 3);
    let relayed = Claim { via: Some(1), direct: false, version: 1 };
    alone.reports.insert(2, vec![entry(1, FINE, Some(800)), entry(3, relayed, Some(24_000))]);
    alone.run(2000);
    let said = |to, via, us| Hearsay { from: 2, to, via, rtt: Some(Duration::from_micros(us)) };
    assert_eq!(alone.paths.hearsay(at(alone.now)), [said(1, None, 800), said(3, Some(1), 24_000)]);
    alone.reports.clear();
    alone.run(5000);
    assert_eq!(alone.paths.hearsay(at(alone.now)), []);
}
