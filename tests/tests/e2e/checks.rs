//! Health checks of every kind against real servers, and a hundred that hang.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sfha_proto::message::FailoverDone;
use sfha_proto::status::HealthStatus;
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::wait_until;
use sfha_tests::proxmox::Fake;

use crate::common::{WEB, Watched, configure, stays};
use crate::slow::LoopTimes;

/// The plain server; the one with a certificate; one that accepts and says nothing; one whose packets are lost.
const PLAIN: u16 = 8080;
const TLS: u16 = 8443;
const MUTE: u16 = 8081;
const LOST: u16 = 8082;

/// Moves with and without targets that hang.
const MOVES: usize = 6;

/// Answers every request with what its path asks for: `/503` with that status, anything else with 200.
fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: TcpStream) {
    let mut asked = [0; 1024];
    let read = stream.read(&mut asked).unwrap_or(0);
    let text = String::from_utf8_lossy(&asked[..read]).into_owned();
    let path = text.split_whitespace().nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let status = path.parse::<u16>().unwrap_or(200);
    let body = "all is well here";
    // Whoever asked may have hung up.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} So\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// Servers on the client, which every node reaches.
struct Servers {
    tls: Fake,
    ip: Ipv4Addr,
}

impl Servers {
    fn start(cluster: &Cluster) -> Self {
        let client = cluster.lab().client();
        let ip = client.ip();
        let bind = move |port| Ok(TcpListener::bind(SocketAddr::from((ip, port)))?);
        serve(client.within_network(move || bind(PLAIN)).unwrap());
        let mute = client.within_network(move || bind(MUTE)).unwrap();
        thread::spawn(move || {
            let kept: Vec<TcpStream> = mute.incoming().map_while(Result::ok).collect();
            drop(kept);
        });
        let tls = client.within_network(move || Fake::start_on((ip, TLS).into(), &["pve1"])).unwrap();
        let rules = format!(
            "table inet lost {{\n chain in {{\n type filter hook input priority 0\n tcp dport {LOST} drop\n }}\n}}\n"
        );
        client.exec_ok(&["nft", &rules]).unwrap();
        Self { tls, ip }
    }
}

fn health(cluster: &Cluster, node: usize, name: &str) -> Option<HealthStatus> {
    cluster.look(node)?.health.into_iter().find(|check| check.name == name)
}

#[test]
fn checks_of_every_kind_judge_real_servers_and_say_what_is_wrong() {
    let cluster = Cluster::formed("checks", 2).unwrap();
    let servers = Servers::start(&cluster);
    let other = Servers::start_authority(&cluster);
    for node in cluster.lab().nodes() {
        node.write_file("/etc/sfha/own.pem", servers.tls.authority()).unwrap();
        node.write_file("/etc/sfha/foreign.pem", &other).unwrap();
    }
    let ip = servers.ip;
    let plain = format!("http://{ip}:{PLAIN}");
    let tls = format!("https://{ip}:{TLS}/api2/json/version");
    // Name, what is asked, and what is wrong with it.
    let wanted: [(&str, String, Option<&str>); 14] = [
        ("page", format!("type: http, url: '{plain}/'"), None),
        ("gone", format!("type: http, url: '{plain}/404'"), Some("status-404")),
        ("teapot", format!("type: http, url: '{plain}/418', status: 418"), None),
        ("not-teapot", format!("type: http, url: '{plain}/', status: 418"), Some("status-200")),
        ("body", format!("type: http, url: '{plain}/', body: 'is well'"), None),
        ("no-body", format!("type: http, url: '{plain}/', body: 'is ill'"), Some("body")),
        // The stand-in for Proxmox lets nobody in without a token: an answer all the same.
        ("own-ca", format!("type: http, url: '{tls}', status: 401, ca_file: /etc/sfha/own.pem"), None),
        (
            "foreign-ca",
            format!("type: http, url: '{tls}', status: 401, ca_file: /etc/sfha/foreign.pem"),
            Some("certificate"),
        ),
        ("system-ca", format!("type: http, url: '{tls}', status: 401"), Some("certificate")),
        ("no-ca", format!("type: http, url: '{tls}', ca_file: /etc/sfha/none.pem"), Some("ca-file")),
        ("tcp", format!("type: tcp, target: '{ip}:{PLAIN}'"), None),
        ("closed", format!("type: tcp, target: '{ip}:9'"), Some("refused")),
        ("program", "type: program, command: [/usr/bin/test, -d, /etc]".to_owned(), None),
        ("slow-program", "type: program, command: [/bin/sleep, '4711']".to_owned(), Some("timed-out")),
    ];
    let mut text = String::from("health_checks:\n");
    for (name, what, _) in &wanted {
        writeln!(
            text,
            "  - {{name: {name}, {what}, interval: 300ms, timeout: 1s, successes_before_healthy: 1, \
             failures_before_unhealthy: 2}}"
        )
        .unwrap();
    }
    configure(&cluster, 0, &text);
    for (name, _, wrong) in &wanted {
        let judged = |node: usize| {
            health(&cluster, node, name).is_some_and(|check| {
                check.nodes.len() == 2
                    && check.nodes.values().all(|healthy| *healthy == Some(wrong.is_none()))
                    && check.last_error.as_deref() == *wrong
            })
        };
        wait_until(name, PATIENCE, || cluster.all().into_iter().all(judged))
            .unwrap_or_else(|error| panic!("{error:#}\n{:#?}", health(&cluster, 1, name)));
    }
    stays("what they say", Duration::from_secs(2), || {
        wanted.iter().all(|(name, _, wrong)| {
            health(&cluster, 0, name).is_some_and(|check| check.healthy == Some(wrong.is_none()))
        })
    });
    let told = cluster.sfha(1, &["--lang", "en", "health"]).unwrap().stdout;
    for (name, word) in [("foreign-ca", "certificate"), ("gone", "404"), ("closed", "refused")] {
        let line = told.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.to_lowercase().contains(word), "{line}");
    }
    // Of a program that takes too long nothing is left but the one that is asked now.
    let running = cluster.node(0).exec(&["pgrep", "-fc", "^/bin/sleep 4711"]).unwrap().stdout;
    assert!(running.trim().parse::<u32>().unwrap() <= 1, "{running}");

    // A certificate's authority is replaced by the right one: from the next question on all is well.
    for node in cluster.lab().nodes() {
        node.write_file("/etc/sfha/foreign.pem", servers.tls.authority()).unwrap();
    }
    wait_until("the new authority", PATIENCE, || {
        health(&cluster, 0, "foreign-ca").is_some_and(|check| check.healthy == Some(true))
    })
    .unwrap();
    cluster.check_journals(&cluster.all()).unwrap();
}

impl Servers {
    /// An authority that has signed nothing that is asked here.
    fn start_authority(cluster: &Cluster) -> String {
        let ip = cluster.lab().client().ip();
        let start = move || Fake::start_on((ip, TLS + 1).into(), &["pve1"]);
        cluster.lab().client().within_network(start).unwrap().authority().to_owned()
    }
}

/// The silences of some planned moves there and back, in milliseconds.
fn moves(watched: &Watched) -> Vec<u128> {
    let cluster = &watched.cluster;
    let mut silences = Vec::new();
    for _ in 0..MOVES {
        let holder = watched.holder();
        let to = cluster.node(watched.others(holder)[0]).name();
        let before = watched.prober.started().elapsed();
        let done: FailoverDone = cluster.ask(0, &["failover", "--to", &to]).unwrap();
        assert_eq!((done.moved.as_slice(), done.to), ([WEB.to_owned()].as_slice(), to));
        watched.prober.wait_answered_again(PATIENCE).unwrap();
        silences.push(watched.gap_since(before).as_millis());
    }
    silences
}

#[test]
fn a_hundred_targets_that_hang_keep_no_decision_waiting() {
    let watched = Watched::new("hanging", 3);
    let cluster = &watched.cluster;
    let servers = Servers::start(cluster);
    let ip = servers.ip;
    let mut text = String::from("metrics: {listen: '127.0.0.1:9777'}\nhealth_checks:\n");
    for number in 0..100 {
        let port = if number % 2 == 0 { MUTE } else { LOST };
        let target = match number % 4 {
            0 | 1 => format!("type: http, url: 'http://{ip}:{port}/{number}'"),
            2 => format!("type: http, url: 'https://{ip}:{port}/{number}'"),
            _ => format!("type: tcp, target: '{ip}:{port}'"),
        };
        writeln!(
            text,
            "  - {{name: hang{number:02}, {target}, interval: 500ms, timeout: 2s, failures_before_unhealthy: 2}}"
        )
        .unwrap();
    }
    writeln!(text, "  - {{name: well, type: tcp, target: '{ip}:{PLAIN}', interval: 200ms}}").unwrap();
    for node in cluster.all() {
        let config = "/etc/sfha/config.yml";
        let old = cluster.node(node).read_file(config).unwrap();
        let metrics = format!("{old}\n{}\n", text.lines().next().unwrap());
        cluster.node(node).write_file(config, &metrics).unwrap();
        cluster.sfha(node, &["reload"]).unwrap();
    }
    let without = moves(&watched);
    let before = LoopTimes::read(cluster, 0);

    let (_, checks) = text.split_once('\n').unwrap();
    configure(cluster, 0, checks);
    let hang = |node: usize| {
        cluster.look(node).is_some_and(|status| {
            let hanging = status.health.iter().filter(|check| check.name.starts_with("hang"));
            hanging.clone().count() == 100 && hanging.clone().all(|check| check.healthy == Some(false))
        })
    };
    wait_until("all of them to hang", PATIENCE, || cluster.all().into_iter().all(hang)).unwrap();
    // One more that answers is heard among them.
    assert_eq!(health(cluster, 1, "well").unwrap().healthy, Some(true));
    let with = moves(&watched);
    let after = LoopTimes::read(cluster, 0);
    println!("moves without them: {without:?} ms, with a hundred: {with:?} ms");
    println!("the loop without them: {before:#?}\nand with them: {:#?}", after.since(&before));
    stays("what answers", Duration::from_secs(2), || {
        cluster.all().into_iter().all(|node| {
            health(cluster, node, "well").is_some_and(|check| check.healthy == Some(true)) && hang(node)
        })
    });
    cluster.check_journals(&cluster.all()).unwrap();
    watched.finish();
}
