//! Floating addresses inside the mesh: reached from every node through the tunnels, wherever they are.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use sfha_proto::mesh::{Joined, TokenMade};
use sfha_proto::status::Phase;
use sfha_tests::cluster::{CLUSTER, Cluster, PATIENCE};
use sfha_tests::lab::{AddressWatcher, LabOptions, Node, Task, wait_until};

use crate::common::{block, stays, unblock};

/// The name of the VIP.
const DB: &str = "db";

/// Longest silence after a power cut, as for an address on the LAN.
const CUT_LIMIT: Duration = Duration::from_millis(2500);

/// Longest silence of a planned move.
const MOVE_LIMIT: Duration = Duration::from_millis(500);

/// UDP port of Corosync's link 0, inside the mesh.
const COROSYNC: u16 = 5405;

/// Where every node answers with its name.
const SERVICE: u16 = 9099;

#[test]
fn an_address_in_an_ipv4_mesh_is_reached_from_every_node_wherever_it_is() {
    let mesh = MeshVip::new("meshvip", "10.100.0.1/24", "10.100.0.50/24");
    mesh.lives();
    mesh.serves_a_client_behind_a_node();
    mesh.finish();
}

#[test]
fn an_address_in_an_ipv6_mesh_is_reached_from_every_node_wherever_it_is() {
    let mesh = MeshVip::new("meshvip6", "fd00:5f::1/64", "fd00:5f::50/64");
    mesh.lives();
    mesh.finish();
}

struct MeshVip {
    cluster: Cluster,
    watcher: AddressWatcher,
    ip: IpAddr,
}

impl MeshVip {
    fn new(label: &str, first: &str, vip: &str) -> Self {
        let cluster = Cluster::fresh(LabOptions::unique(label).nodes(3)).unwrap();
        let mut token: TokenMade =
            cluster.ask(0, &["init", "--cluster", CLUSTER, "--mesh", "--ip", first]).unwrap();
        for node in 1..3 {
            if node > 1 {
                token = cluster.token(0).unwrap();
            }
            let _: Joined = cluster.join(node, &token.token).unwrap();
        }
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        let ip = vip.split_once('/').unwrap().0.parse().unwrap();
        let watcher = cluster.lab().watch_address(ip).unwrap();
        let _: serde_json::Value = cluster.ask(2, &["vip", "add", DB, vip]).unwrap();
        let mesh = Self { cluster, watcher, ip };
        for node in mesh.cluster.all() {
            answer_with_the_name(mesh.cluster.node(node));
        }
        mesh
    }

    fn lives(&self) {
        let cluster = &self.cluster;
        let first = self.served_by_one_of(&cluster.all());
        self.only_on_the_mesh(first);
        self.is_a_source_too(first);

        // A planned move, seen from a node that is neither.
        let second = self.others(first)[0];
        let seen_from = self.others_of(&[first, second])[0];
        let pinger = Pinger::start(cluster.node(seen_from), self.ip);
        let name = cluster.node(second).name();
        let _: serde_json::Value = cluster.ask(first, &["failover", "--to", &name]).unwrap();
        assert_eq!(self.served_by_one_of(&[second]), second);
        let silence = pinger.finish(self.ip);
        println!("{}: planned move: silent for {silence:?}", self.ip);
        assert!(silence < MOVE_LIMIT, "{silence:?}");

        // A daemon that only looks on is restarted: what its node sends goes on.
        let pinger = Pinger::start(cluster.node(seen_from), self.ip);
        cluster.node(seen_from).exec_ok(&["systemctl", "restart", "sfha.service"]).unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        let silence = pinger.finish(self.ip);
        println!("{}: restart of another daemon: silent for {silence:?}", self.ip);
        assert!(silence < MOVE_LIMIT, "{silence:?}");
        self.stays_reached_from_a_node_outside_the_group(seen_from, second);

        // The power of the holder.
        let pinger = Pinger::start(cluster.node(seen_from), self.ip);
        cluster.node(second).cut().unwrap();
        let third = self.served_by_one_of(&self.others(second));
        let silence = match third == seen_from {
            false => Some(pinger.finish(self.ip)),
            true => None,
        };
        println!("{}: power cut: silent for {silence:?}", self.ip);
        assert!(silence.unwrap_or_default() < CUT_LIMIT, "{silence:?}");
        cluster.boot_operational(second, PATIENCE).unwrap();
        answer_with_the_name(cluster.node(second));
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        assert_eq!(self.served_by_one_of(&cluster.all()), third);

        // A clean stop of the holder's daemon.
        let seen_from = self.others(third)[1];
        let pinger = Pinger::start(cluster.node(seen_from), self.ip);
        cluster.node(third).exec_ok(&["systemctl", "stop", "sfha.service"]).unwrap();
        let fourth = self.served_by_one_of(&self.others(third));
        let silence = pinger.finish(self.ip);
        println!("{}: clean stop: silent for {silence:?}", self.ip);
        assert!(silence < MOVE_LIMIT, "{silence:?}");
        cluster.node(third).exec_ok(&["systemctl", "start", "sfha.service"]).unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        assert_eq!(self.served_by_one_of(&cluster.all()), fourth);

        // The cable of the holder: without quorum it must not have the address.
        cluster.node(fourth).unplug().unwrap();
        let fifth = self.served_by_one_of(&self.others(fourth));
        cluster.wait_phase(fourth, Phase::Inquorate, PATIENCE).unwrap();
        assert!(!cluster.node(fourth).has_address(self.ip).unwrap(), "kept behind a dead cable");
        cluster.node(fourth).plug().unwrap();
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        assert_eq!(self.served_by_one_of(&cluster.all()), fifth);
    }

    /// A node that Corosync does not reach knows nothing new: it sends to where the address was.
    fn stays_reached_from_a_node_outside_the_group(&self, outside: usize, holder: usize) {
        let (cluster, node) = (&self.cluster, self.cluster.node(outside));
        block(node, COROSYNC);
        cluster.wait_phase(outside, Phase::Inquorate, PATIENCE).unwrap();
        let inside = self.others(outside);
        cluster.wait_in_step(&inside, PATIENCE).unwrap();
        let name = cluster.node(holder).name();
        if cluster.wait_active(DB, &inside, PATIENCE).unwrap() != holder {
            // Where the others took long to agree, nobody had quorum for a moment. Back to where it is known.
            let _: serde_json::Value = cluster.ask(holder, &["failover", "--to", &name]).unwrap();
        }
        node.exec_ok(&["systemctl", "restart", "sfha.service"]).unwrap();
        cluster.wait_phase(outside, Phase::Inquorate, PATIENCE).unwrap();
        stays("the way to the address", Duration::from_secs(2), || {
            name_at(node, self.ip).as_ref() == Some(&name)
        });
        unblock(node);
        cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
        assert_eq!(self.served_by_one_of(&cluster.all()), holder);
    }

    /// A client's packets are let into the mesh with the address of the node that they come through.
    fn serves_a_client_behind_a_node(&self) {
        let holder = self.served_by_one_of(&self.cluster.all());
        let router = self.others(holder)[0];
        let node = self.cluster.node(router);
        node.sh("echo 1 >/proc/sys/net/ipv4/ip_forward").unwrap();
        node.sh("nft 'add table ip sfhatest; add chain ip sfhatest out { type nat hook postrouting priority 100; }; add rule ip sfhatest out oifname \"wg-sfha\" masquerade'").unwrap();
        let client = self.cluster.lab().client();
        let (ip, via) = (format!("{}/32", self.ip), node.ip().to_string());
        client.exec_ok(&["ip", "route", "add", &ip, "via", &via]).unwrap();
        let reached = || client.can_ping(self.ip).unwrap();
        wait_until("the client to reach the address through a node", PATIENCE, reached).unwrap();
        // It moves onto the router itself.
        let _: serde_json::Value = self.cluster.ask(holder, &["failover", "--to", &node.name()]).unwrap();
        self.served_by_one_of(&[router]);
        wait_until("the client to reach the address on that node", PATIENCE, reached).unwrap();
    }

    fn others(&self, node: usize) -> Vec<usize> {
        self.others_of(&[node])
    }

    fn others_of(&self, nodes: &[usize]) -> Vec<usize> {
        self.cluster.all().into_iter().filter(|node| !nodes.contains(node)).collect()
    }

    /// Waits until one of these nodes has it and each of them speaks to that one through it.
    fn served_by_one_of(&self, nodes: &[usize]) -> usize {
        let seen_by = match nodes {
            [_] => self.cluster.all(),
            _ => nodes.to_vec(),
        };
        let holder = self.cluster.wait_active(DB, &seen_by, PATIENCE).unwrap();
        assert!(nodes.contains(&holder), "on {holder}, not on {nodes:?}");
        self.watcher.wait_holders(&[holder], PATIENCE).unwrap();
        let name = self.cluster.node(holder).name();
        for from in seen_by {
            let what = format!("node{} to speak to {name} at {}", from + 1, self.ip);
            let asked = || name_at(self.cluster.node(from), self.ip).as_ref() == Some(&name);
            wait_until(&what, PATIENCE, asked).unwrap_or_else(|error| {
                panic!("{error:#}\n{}", self.cluster.describe());
            });
        }
        holder
    }

    /// On `wg-sfha`, alone in its network, and with an end.
    fn only_on_the_mesh(&self, holder: usize) {
        let node = self.cluster.node(holder);
        let on_mesh = node.addresses("wg-sfha").unwrap();
        let address = on_mesh.iter().find(|address| address.ip == self.ip).unwrap();
        assert_eq!(address.prefix, if self.ip.is_ipv4() { 32 } else { 128 });
        assert!(address.valid.is_some_and(|left| left <= Duration::from_secs(2)), "{address:?}");
        assert!(node.addresses("eth0").unwrap().iter().all(|address| address.ip != self.ip));
        let status = self.cluster.status(holder).unwrap();
        assert_eq!(status.vips[0].interface.as_deref(), Some("wg-sfha"));
    }

    /// The others accept it as a sender from its holder.
    fn is_a_source_too(&self, holder: usize) {
        let from = self.ip.to_string();
        for peer in self.cluster.mesh(holder).unwrap().peers {
            let ping = ["ping", "-n", "-c", "1", "-W", "2", "-I", &from, &peer.ip];
            self.cluster.node(holder).exec_ok(&ping).unwrap();
        }
    }

    fn finish(self) {
        self.cluster.check_journals(&self.cluster.all()).unwrap();
        let report = self.watcher.finish().unwrap();
        assert_eq!(report.two_holders, Duration::ZERO, "two holders: {report:#?}");
    }
}

/// Says the node's name to everybody who connects, until the node's network is gone.
fn answer_with_the_name(node: &Node) {
    let listener = node
        .within_network(|| {
            let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), SERVICE);
            Ok(TcpListener::bind(any)?)
        })
        .unwrap();
    let name = node.name();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // Whoever asked may have hung up.
            let _ = stream.write_all(name.as_bytes());
        }
    });
}

/// The name that answers at an address, as seen from a node.
fn name_at(node: &Node, ip: IpAddr) -> Option<String> {
    let asked = node.within_network(move || {
        let patience = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, SERVICE), patience)?;
        stream.set_read_timeout(Some(patience))?;
        let mut name = String::new();
        stream.read_to_string(&mut name)?;
        Ok(name)
    });
    asked.ok()
}

/// Echo requests from a node, 50 a second.
struct Pinger<'a> {
    node: &'a Node,
    _task: Task,
}

impl<'a> Pinger<'a> {
    const LOG: &'static str = "/root/ping.log";

    fn start(node: &'a Node, ip: IpAddr) -> Self {
        let log = Self::LOG;
        let _ = node.sh(&format!("rm -f {log}"));
        let task = node.spawn(&["sh", "-c", &format!("exec ping -n -D -i 0.02 {ip} >{log} 2>&1")]).unwrap();
        let pinger = Self { node, _task: task };
        wait_until("a first answer", PATIENCE, || pinger.answers().len() > 5).unwrap();
        pinger
    }

    /// When answers came.
    fn answers(&self) -> Vec<Duration> {
        let text = self.node.read_file(Self::LOG).unwrap_or_default();
        let at = |line: &str| {
            let stamp = line.strip_prefix('[')?.split_once(']')?;
            stamp
                .1
                .contains("bytes from")
                .then(|| stamp.0.parse().ok())
                .flatten()
                .map(Duration::from_secs_f64)
        };
        text.lines().filter_map(at).collect()
    }

    /// The longest time without an answer, once there is one again.
    fn finish(self, ip: IpAddr) -> Duration {
        let before = self.answers().len();
        wait_until(&format!("answers of {ip} again"), PATIENCE, || self.answers().len() > before + 5)
            .unwrap();
        let answers = self.answers();
        answers.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default()
    }
}
