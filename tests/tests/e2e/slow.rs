//! Everything that the daemon asks answers late or never, and nothing else waits for it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::Pid;
use sfha_proto::message::FailoverDone;
use sfha_tests::cluster::{Cluster, NOTED_UNIT, PATIENCE, UnixSignal};
use sfha_tests::lab::wait_until;
use sfha_tests::proxmox::FaultKind;

use crate::common::{WEB, Watched, configure, stays};
use crate::fencing::{Plant, quick};

/// Longer than it takes until a watchdog that is told of through systemd's socket would wait for room in it.
const ENOUGH: Duration = Duration::from_secs(30);

/// The histograms of a daemon's event loop: how many turns, or strikes of its clock, took up to so many seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopTimes {
    /// By metric, then by upper end as Prometheus writes it.
    pub counts: BTreeMap<String, Vec<(String, u64)>>,
}

impl LoopTimes {
    /// From the metrics of a node, which listen on port 9777.
    pub fn read(cluster: &Cluster, node: usize) -> Self {
        let ask = "exec 3<>/dev/tcp/127.0.0.1/9777; printf 'GET /metrics HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3";
        let text = cluster.node(node).exec_ok(&["bash", "-c", ask]).unwrap();
        let mut counts: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("sfha_event_loop_") else { continue };
            let Some((name, rest)) = rest.split_once("_seconds_bucket{le=\"") else { continue };
            let (end, count) = rest.split_once("\"} ").unwrap();
            counts.entry(name.to_owned()).or_default().push((end.to_owned(), count.parse().unwrap()));
        }
        assert_eq!(counts.len(), 2, "{text}");
        Self { counts }
    }

    /// What has come since.
    pub fn since(&self, before: &Self) -> Self {
        let mut counts = self.counts.clone();
        for (name, ends) in &mut counts {
            for (index, (_, count)) in ends.iter_mut().enumerate() {
                *count -= before.counts[name][index].1;
            }
        }
        Self { counts }
    }

    /// All of a metric.
    fn all(&self, name: &str) -> u64 {
        self.counts[name].last().unwrap().1
    }
}

/// A process that stands still until this is dropped.
struct Stopped(Pid);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended.
        let _ = kill(self.0, UnixSignal::SIGCONT);
    }
}

/// Stops the bus of a node, its journal, and last its systemd.
fn stop(cluster: &Cluster, node: usize) -> Vec<Stopped> {
    let units = ["dbus.service", "systemd-journald.service"];
    let mut pids: Vec<u32> = units.map(|unit| cluster.unit_pid(node, unit).unwrap()).to_vec();
    pids.push(cluster.node(node).pid().unwrap());
    let stopped: Vec<_> =
        pids.into_iter().map(|pid| Stopped(Pid::from_raw(pid.try_into().unwrap()))).collect();
    for process in &stopped {
        kill(process.0, UnixSignal::SIGSTOP).unwrap();
    }
    stopped
}

/// Asks for everything and reads nothing.
fn deaf(cluster: &Cluster, node: usize) -> UnixStream {
    let path = format!("/proc/{}/root/run/sfha/sfhad.sock", cluster.node(node).pid().unwrap());
    let mut stream = UnixStream::connect(path).unwrap();
    let topics = "{\"id\":1,\"method\":\"subscribe\",\"params\":{\"topics\":[\"status\",\"log\",\"history\"],\"after\":0}}\n";
    stream.write_all(topics.as_bytes()).unwrap();
    for id in 2..100 {
        let line = format!("{{\"id\":{id},\"method\":\"status\"}}\n");
        stream.write_all(line.as_bytes()).unwrap();
    }
    stream
}

#[test]
fn whatever_hangs_holds_nothing_else_up() {
    let watched = Watched::new("slow", 3);
    let cluster = &watched.cluster;
    let plant = Plant::build(cluster);
    plant.configure(cluster, quick());
    cluster.install_noted().unwrap();
    for node in cluster.all() {
        let config = "/etc/sfha/config.yml";
        let old = cluster.node(node).read_file(config).unwrap();
        let own = "metrics: {listen: '127.0.0.1:9777'}\n\
                   hooks:\n- {name: hang, on: all, program: [/bin/sleep, '4711'], timeout: 1m, everywhere: true}\n";
        cluster.node(node).write_file(config, &format!("{old}\n{own}")).unwrap();
        assert!(cluster.sfha(node, &["reload"]).unwrap().success());
    }
    configure(cluster, 0, &format!("services:\n  - {{name: app, unit: {NOTED_UNIT}, stop_timeout: 2s}}\n"));
    wait_until("the service", PATIENCE, || {
        cluster.look(0).is_some_and(|status| status.services.iter().any(|service| service.state == "active"))
    })
    .unwrap();
    let pids: Vec<u32> =
        cluster.all().into_iter().map(|node| cluster.unit_pid(node, "sfha.service").unwrap()).collect();
    let before: Vec<_> = cluster.all().into_iter().map(|node| LoopTimes::read(cluster, node)).collect();

    // The bus, systemd itself, its journal, what fences, hooks, and clients: all of them at once.
    let stopped: Vec<Stopped> = cluster.all().into_iter().flat_map(|node| stop(cluster, node)).collect();
    let since = Instant::now();
    plant.fake.fault("/", FaultKind::Slow(Duration::from_secs(3600)), None);
    let readers: Vec<UnixStream> = cluster
        .all()
        .into_iter()
        .flat_map(|node| (0..8).map(move |_| node))
        .map(|node| deaf(cluster, node))
        .collect();

    for _ in 0..6 {
        let holder = watched.holder();
        let to = watched.others(holder)[0];
        let name = cluster.node(to).name();
        let from = watched.prober.started().elapsed();
        let done: FailoverDone = cluster.ask(to, &["failover", WEB, "--to", &name]).unwrap();
        assert_eq!(done.moved, [WEB]);
        assert_eq!(watched.served_by_one_of(&cluster.all()), to);
        println!("a planned move: {:?} without an answer", watched.gap_since(from));
    }
    cluster.vip_add(1, "more", "10.77.0.102").unwrap();
    cluster.wait_active("more", &cluster.all(), PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    // Whoever speaks to a systemd that does not listen is not heard some ten times, and then waits.
    stays("the address, served where it is", ENOUGH.saturating_sub(since.elapsed()), || {
        watched.watcher.holders().len() == 1
    });
    watched.prober.wait_answered_again(PATIENCE).unwrap();
    for node in cluster.all() {
        let times = LoopTimes::read(cluster, node).since(&before[node]);
        assert!(times.all("turn") > 0 && times.all("late") > 0, "{times:#?}");
        println!("node{}: {times:#?}", node + 1);
    }
    drop(stopped);
    drop(readers);
    plant.fake.heal();
    assert!(plant.cuts().is_empty());
    // What waited goes on.
    let holder = cluster.look(0).unwrap().services[0].holder.clone().unwrap();
    let other = cluster.all().into_iter().find(|node| cluster.node(*node).name() != holder).unwrap();
    let name = cluster.node(other).name();
    let _: FailoverDone = cluster.ask(0, &["failover", "app", "--to", &name]).unwrap();
    wait_until("the service to have moved", PATIENCE, || {
        cluster.look(0).is_some_and(|status| status.services[0].holder.as_deref() == Some(name.as_str()))
    })
    .unwrap();
    for node in cluster.all() {
        assert_eq!(cluster.unit_pid(node, "sfha.service").unwrap(), pids[node], "it is the same process");
    }
    watched.finish();
}
