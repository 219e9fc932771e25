//! Fencing end to end: a stand-in for Proxmox whose "off" cuts a node's power in the lab.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_proto::fencing::{FencingHappened, FencingHistory, FencingPhase, FencingTested, NodeFencing};
use sfha_proto::history::{EventKind, History, HistoryEvent};
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::{Node, wait_until};
use sfha_tests::proxmox::{Fake, FaultKind, Kind, TOKEN_ID, TOKEN_SECRET};

use crate::common::{Watched, stays, vip};
use crate::dialogue;
use crate::secrets::{self, ArgumentSpy};

const SECRET_FILE: &str = "/etc/sfha/proxmox.secret";

/// How often a scenario is gone through: `name` in the environment, or a few times.
fn rounds(name: &str, few: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// One request to a node's daemon.
fn request(node: &Node, method: &str, params: Value) -> Result<Value, Value> {
    let path = format!("/proc/{}/root/run/sfha/sfhad.sock", node.pid().unwrap());
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    writeln!(stream, "{}", json!({"id": 1, "method": method, "params": params})).unwrap();
    for line in BufReader::new(stream).lines() {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if answer["id"] == 1 {
            let failed = answer["error"].is_object();
            return if failed { Err(answer["error"].clone()) } else { Ok(answer["result"].clone()) };
        }
    }
    panic!("no answer to {method}")
}

/// What was seen when a node's power was cut.
#[derive(Debug, Clone)]
pub struct Cut {
    pub node: usize,
    /// Others that had the address at that moment.
    others: Vec<usize>,
}

/// The place where the nodes get their power from.
pub struct Plant {
    pub fake: Fake,
    cuts: Arc<Mutex<Vec<Cut>>>,
}

/// Every other node is a container.
fn kind(node: usize) -> Kind {
    if node % 2 == 1 { Kind::Lxc } else { Kind::Qemu }
}

fn vmid(node: usize) -> u32 {
    101 + u32::try_from(node).unwrap()
}

impl Plant {
    /// On the client, which every node reaches whatever is between the nodes.
    pub fn build(cluster: &Cluster) -> Self {
        let ip = cluster.lab().client().ip();
        let start = move || Fake::start_on((ip, 8006).into(), &["pve1"]);
        let fake = cluster.lab().client().within_network(start).unwrap();
        let cuts = Arc::new(Mutex::new(Vec::new()));
        // The server's own threads are in another network than those of the nodes.
        let (orders, queue) = channel::<(usize, Sender<Result<(), String>>)>();
        let (nodes, log) = (cluster.lab().nodes().to_vec(), Arc::clone(&cuts));
        thread::spawn(move || {
            for (index, done) in queue {
                let has = |other: &usize| {
                    *other != index
                        && nodes[*other].is_running()
                        && nodes[*other].has_address(vip()).unwrap_or(true)
                };
                let others = (0..nodes.len()).filter(has).collect();
                log.lock().unwrap().push(Cut { node: index, others });
                let _ = done.send(nodes[index].cut().map_err(|error| format!("{error:#}")));
            }
        });
        for node in cluster.all() {
            fake.add_guest(kind(node), vmid(node), "pve1");
            let orders = orders.clone();
            fake.on_power(vmid(node), move |on| {
                if on {
                    return Ok(());
                }
                let (done, outcome) = channel();
                orders.send((node, done)).map_err(|error| error.to_string())?;
                outcome.recv().map_err(|error| error.to_string())?
            });
        }
        Self { fake, cuts }
    }

    fn settings(&self, cluster: &Cluster, safety: Value) -> Value {
        let guest = |node: usize| {
            (cluster.node(node).name(), json!({"guest": kind(node).as_str(), "vmid": vmid(node)}))
        };
        let nodes: serde_json::Map<String, Value> = cluster.all().into_iter().map(guest).collect();
        json!({
            "enabled": true,
            "levels": ["proxmox"],
            "proxmox": {
                "api_urls": [self.fake.url()],
                "token_id": TOKEN_ID,
                "token_secret_file": SECRET_FILE,
                "trust": {"fingerprint": self.fake.fingerprint()},
            },
            "nodes": nodes,
            "safety": safety,
        })
    }

    /// Tested without switching anything, then stored; every node has its own file with the secret.
    pub fn configure(&self, cluster: &Cluster, safety: Value) {
        for node in cluster.all().into_iter().skip(1) {
            cluster.node(node).write_file(SECRET_FILE, TOKEN_SECRET).unwrap();
            cluster.node(node).exec_ok(&["chmod", "600", SECRET_FILE]).unwrap();
        }
        let params = json!({
            "settings": self.settings(cluster, safety),
            "secrets": {SECRET_FILE: TOKEN_SECRET},
        });
        let checked = request(cluster.node(0), "stonith.check", params.clone()).unwrap();
        let checked: FencingTested = serde_json::from_value(checked).unwrap();
        assert!(checked.results.iter().all(|result| result.error.is_none()), "{checked:#?}");
        assert_eq!(checked.results.len(), cluster.all().len() - 1);
        request(cluster.node(0), "stonith.configure", params).unwrap();
        let known = |node| cluster.look(node).is_some_and(|status| status.fencing.enabled);
        wait_until("fencing on every node", PATIENCE, || cluster.all().into_iter().all(known)).unwrap();
    }

    /// As a person does it, at the first node. The certificate is compared by eye.
    fn set_up_at_a_terminal(&self, cluster: &Cluster) {
        let node = cluster.node(0);
        let mut terminal = dialogue::start(node, "sfha stonith setup");
        terminal.answer("Avec quoi éteindre les nœuds", "proxmox");
        terminal.answer("URL de l'API de Proxmox", &self.fake.url());
        terminal.answer("Jeton", TOKEN_ID);
        terminal.answer("Empreinte SHA-256", "");
        for other in cluster.all() {
            let guest = format!("{}/{}", kind(other).as_str(), vmid(other));
            terminal.answer(&format!("Machine de {}", cluster.node(other).name()), &guest);
        }
        terminal.answer("Secret", TOKEN_SECRET);
        terminal.expect(self.fake.fingerprint());
        terminal.answer("Est-ce la même", "o");
        terminal.expect("Ce qui sera écrit");
        terminal.answer("Écrire ces réglages", "o");
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen}");
        assert!(!screen.contains(TOKEN_SECRET), "{screen}");
        assert_eq!(
            node.sh(&format!("stat -c '%a %u' {SECRET_FILE}; cat {SECRET_FILE}")).unwrap().trim(),
            format!("600 0\n{TOKEN_SECRET}")
        );
        assert!(self.cuts().is_empty(), "nothing was switched");
    }

    pub fn cuts(&self) -> Vec<Cut> {
        self.cuts.lock().unwrap().clone()
    }

    /// Mends the network and starts what was switched off.
    fn restore(&self, cluster: &Cluster, node: usize) {
        cluster.lab().heal().unwrap();
        self.fake.add_guest(kind(node), vmid(node), "pve1");
        cluster.boot_operational(node, PATIENCE).unwrap();
        wait_until("nobody fenced", PATIENCE, || {
            let free = |on: usize| fencing_of(cluster, on, node).is_none_or(|told| told.phase.is_none());
            cluster.all().into_iter().all(free)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
    }
}

/// How fencing stands to a node, as another one sees it.
fn fencing_of(cluster: &Cluster, on: usize, node: usize) -> Option<NodeFencing> {
    let name = cluster.node(node).name();
    cluster.look(on)?.fencing.nodes.into_iter().find(|told| told.name == name)
}

pub fn quick() -> Value {
    json!({"delay_ms": 1000, "min_delay_between_fence_ms": 0, "max_fences_per_5min": 64})
}

#[test]
fn a_holder_that_is_cut_off_is_switched_off_before_others_take_over_and_comes_back_clean() {
    let watched = Watched::new("fence", 3);
    let cluster = &watched.cluster;
    let plant = Plant::build(cluster);
    let arguments = ArgumentSpy::start(cluster.lab().nodes());
    plant.set_up_at_a_terminal(cluster);
    plant.configure(cluster, quick());

    for round in 1..=rounds("SFHA_FENCE_ROUNDS", 2) {
        let holder = watched.holder();
        cluster.lab().isolate(holder).unwrap();
        wait_until("the holder's end", PATIENCE, || !cluster.node(holder).is_running())
            .unwrap_or_else(|error| panic!("round {round}: {error:#}\n{}", cluster.describe()));
        watched.served_by_one_of(&watched.others(holder));
        let cuts = plant.cuts();
        assert_eq!(cuts.len(), round, "{cuts:?}");
        let last = cuts.last().unwrap();
        assert_eq!((last.node, last.others.as_slice()), (holder, [].as_slice()), "off first, then moved");
        plant.restore(cluster, holder);
        // The way there is another one now: the ring may have to be formed once more.
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        let next = watched.served_by_one_of(&cluster.all());
        wait_until("a holder that stays", PATIENCE, || {
            wait_until("another one", Duration::from_secs(3), || watched.watcher.holders() != [next]).is_err()
        })
        .unwrap_or_else(|error| panic!("round {round}: {error:#}\n{}", cluster.describe()));
        assert_eq!(plant.cuts().len(), round, "nobody else was switched off");
    }
    let history = request(cluster.node(0), "stonith.history", json!({})).unwrap();
    let history: FencingHistory = serde_json::from_value(history).unwrap();
    let what: Vec<FencingHappened> = history.entries.iter().map(|entry| entry.what).take(4).collect();
    let wanted = [
        FencingHappened::Suspected,
        FencingHappened::Begun,
        FencingHappened::Fenced,
        FencingHappened::Returned,
    ];
    assert_eq!(what, wanted, "{history:#?}");

    // One more would be too many, and whoever wants to know is told.
    for node in cluster.all() {
        cluster.node(node).write_file("/usr/local/bin/tell", TELL).unwrap();
        cluster.node(node).sh("chmod 755 /usr/local/bin/tell").unwrap();
        let config = "/etc/sfha/config.yml";
        let old = cluster.node(node).read_file(config).unwrap();
        cluster.node(node).write_file(config, &format!("{old}\n{HOOK}")).unwrap();
        let done = cluster.sfha(node, &["reload"]).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
    }
    let least = json!({"delay_ms": 1000, "min_delay_between_fence_ms": 0, "max_fences_per_5min": 1});
    plant.configure(cluster, least);
    let holder = watched.holder();
    let other = watched.others(holder)[0];
    let before = plant.cuts().len();
    cluster.lab().isolate(holder).unwrap();
    wait_until("the limit", PATIENCE, || {
        cluster.look(other).is_some_and(|status| status.fencing.storm.is_some_and(|storm| storm.holding))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
    stays("nobody is switched off and nothing moves", Duration::from_secs(5), || {
        plant.cuts().len() == before && watched.watcher.holders().is_empty()
    });
    let said = cluster.sfha(other, &["status"]).unwrap().stdout;
    assert!(said.contains("Trop de fencings en cinq minutes"), "{said}");
    // One node runs it.
    wait_until("the hook", PATIENCE, || {
        let told = |node: &usize| cluster.node(*node).sh(&format!("cat {TOLD}"));
        let told = watched.others(holder).iter().filter_map(|node| told(node).ok()).collect::<String>();
        told.contains("\"fencing-storm\"")
    })
    .unwrap();
    assert!(events(cluster, other).iter().any(|event| event.kind == EventKind::FencingStorm));
    cluster.lab().heal().unwrap();
    watched.served_by_one_of(&cluster.all());
    let (cluster, ..) = watched.finish();
    keeps_its_secret(&cluster, arguments);
}

/// Writes what happened where the daemon may write.
const TELL: &str = "#!/bin/sh\ncat >> /run/sfha/told\n";
const TOLD: &str = "/run/sfha/told";
const HOOK: &str =
    "hooks:\n- {name: tell, on: [fencing-storm], program: [/usr/local/bin/tell], everywhere: true}\n";

fn events(cluster: &Cluster, node: usize) -> Vec<HistoryEvent> {
    cluster.ask::<History>(node, &["history", "--limit", "1000"]).unwrap().events
}

/// The token's secret is in its file and nowhere else: no journal, argument, readable file, answer or report.
fn keeps_its_secret(cluster: &Cluster, arguments: ArgumentSpy) {
    let mut all = secrets::of(cluster, &[]);
    all.push(TOKEN_SECRET.to_owned());
    secrets::assert_kept(cluster, &all, &arguments.finish());
    for node in cluster.all() {
        let here = cluster.node(node);
        let files = here
            .sh(&format!("grep -rlF -D skip -e {TOKEN_SECRET} /etc /run /var/lib /var/log /dev/shm || true"));
        assert_eq!(files.unwrap().trim(), SECRET_FILE, "{}", here.name());
        for line in ["status", "stonith status", "stonith history", "stonith test", "history", "doctor"] {
            let mut words = vec!["--json"];
            words.extend(line.split(' '));
            let said = cluster.sfha(node, &words).unwrap();
            assert!(!said.stdout.contains(TOKEN_SECRET) && !said.stderr.contains(TOKEN_SECRET), "{line}");
        }
        let unpacked =
            "rm -f /tmp/r.tgz; sfha report /tmp/r.tgz > /dev/null; tar -xzOf /tmp/r.tgz; rm /tmp/r.tgz";
        let report = here.sh(unpacked).unwrap();
        assert!(report.contains("proxmox") && !report.contains(TOKEN_SECRET), "{}", here.name());
    }
}

#[test]
fn while_nothing_can_switch_a_node_off_nothing_moves_until_somebody_answers_for_it() {
    let watched = Watched::new("nofence", 3);
    let cluster = &watched.cluster;
    let plant = Plant::build(cluster);
    plant.configure(cluster, json!({"delay_ms": 1000, "retry_ms": 500, "backoff_ms": 1000}));
    plant.fake.fault("/", FaultKind::Status(500), None);

    let holder = watched.holder();
    let other = watched.others(holder)[0];
    cluster.node(holder).cut().unwrap();
    wait_until("several rounds of all levels", PATIENCE, || {
        fencing_of(cluster, other, holder).is_some_and(|told| told.rounds >= 2 && told.error.is_some())
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", cluster.describe()));
    assert_eq!(watched.watcher.holders(), [] as [usize; 0]);
    let name = cluster.node(holder).name();
    let pending = cluster.look(other).unwrap().fencing.pending;
    assert_eq!(pending, std::slice::from_ref(&name));

    let mut terminal =
        dialogue::start(cluster.node(other), &format!("sfha stonith confirm {name} --reason vu"));
    terminal.expect("de vos yeux");
    terminal.answer(&format!("({name})"), &name);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    watched.served_by_one_of(&watched.others(holder));
    let told = fencing_of(cluster, other, holder).unwrap();
    assert_eq!((told.phase, told.harmless), (Some(FencingPhase::Fenced), true));
    let history: FencingHistory = cluster.ask(other, &["stonith", "history"]).unwrap();
    let last = history.entries.iter().rfind(|entry| entry.what == FencingHappened::Fenced).unwrap();
    assert!(last.by.as_deref().is_some_and(|by| by.starts_with("root@")), "{last:?}");
    assert_eq!(last.why.as_deref(), Some("vu"));
    let attempts: Vec<_> = history.entries.iter().filter_map(|entry| entry.attempt).collect();
    assert!(attempts.contains(&2), "{attempts:?}");
    let kinds: Vec<EventKind> = events(cluster, other).iter().map(|event| event.kind).collect();
    for kind in [
        EventKind::FencingStarted,
        EventKind::FencingBegun,
        EventKind::FencingTryFailed,
        EventKind::FencingFailed,
        EventKind::FencingConfirmed,
        EventKind::FencingOver,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
    watched.finish();
}

#[test]
fn of_two_nodes_without_a_cable_between_them_exactly_one_survives() {
    let watched = Watched::new("duel", 2);
    let cluster = &watched.cluster;
    let plant = Plant::build(cluster);
    plant.configure(cluster, quick());
    for round in 1..=rounds("SFHA_DUEL_ROUNDS", 3) {
        // Who has more changes.
        let name = cluster.node(round % 2).name();
        let _ = cluster.sfha(0, &["failover", "--to", &name]).unwrap();
        cluster.lab().partition(&[&[0], &[1]]).unwrap();
        let runs = |node: &usize| cluster.node(*node).is_running();
        wait_until("the end of one", PATIENCE, || !cluster.all().iter().all(runs)).unwrap();
        stays("the other", Duration::from_secs(15), || cluster.all().iter().any(runs));
        let survivors: Vec<usize> = cluster.all().into_iter().filter(runs).collect();
        let [survivor] = survivors.as_slice() else { panic!("round {round}: {survivors:?}") };
        watched.served_by_one_of(&[*survivor]);
        assert_eq!(plant.cuts().len(), round);
        plant.restore(cluster, 1 - survivor);
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    }
    watched.finish();
}
