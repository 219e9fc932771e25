//! The steps of that life. Emulated nodes are slow: they wait for minutes and measure nothing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use sfha_proto::mesh::{Backend, PeerState};
use sfha_proto::status::Phase;
use sfha_tests::cluster::{Cluster, MESH_IP, VIP};
use sfha_tests::lab::{Endpoint, Lab, LabOptions, wait_for, wait_until};

pub const PATIENCE: Duration = Duration::from_secs(240);

/// The node without WireGuard in its kernel, as far as its daemon is concerned.
const USERSPACE: usize = 2;

/// What the nodes have.
pub const BACKENDS: [Backend; 3] = [Backend::Kernel, Backend::Kernel, Backend::Userspace];

/// What an operator writes with `systemctl edit sfha` to have it so.
const DROP_IN: &str = "/etc/systemd/system/sfha.service.d/override.conf";
const NO_KERNEL: &str = "[Service]\nEnvironment=SFHA_WIREGUARD=userspace\n";

const WEB: &str = "web";

/// An address inside the mesh.
const DB: &str = "db";
const DB_IP: &str = "10.100.0.50";

/// Three members: kernel, kernel, userspace.
pub struct Both {
    cluster: Cluster,
    started: Instant,
}

/// A peer as `wg show wg-sfha dump` tells it: see wg(8).
#[derive(Debug, PartialEq, Eq)]
struct Row {
    public_key: String,
    endpoint: String,
    allowed_ips: String,
    handshake: u64,
    received: u64,
    sent: u64,
}

impl Both {
    /// `init` and two `join`s, as on any machine. The kernel loads its module when the first daemon asks for it.
    pub fn formed() -> Self {
        let started = Instant::now();
        let lab = Lab::up(&LabOptions::named("guest").nodes(3).switched_off()).unwrap();
        let both = Self { cluster: Cluster::on(lab), started };
        let cluster = &both.cluster;
        cluster.node(USERSPACE).write_file(DROP_IN, NO_KERNEL).unwrap();
        cluster.lab().boot_all().unwrap();
        both.reached("three nodes are up");
        assert!(!Path::new("/sys/module/wireguard").exists(), "something else asked for it");

        let init = ["init", "--cluster", "prod", "--mesh", "--ip", MESH_IP, "--profile", "wan"];
        let first: Value = cluster.ask(0, &init).unwrap();
        assert!(Path::new("/sys/module/wireguard").exists(), "this kernel has WireGuard");
        both.reached("node1 is a cluster");
        both.join(1, &first);
        let second: Value = cluster.ask(1, &["mesh", "token"]).unwrap();
        both.join(2, &second);
        both.in_step(&[0, 1, 2]);
        both
    }

    fn join(&self, node: usize, made: &Value) {
        let token = made["token"].as_str().unwrap();
        let _: Value = self.cluster.ask(node, &["join", token, "--timeout", "110s"]).unwrap();
        self.reached(&format!("{} has joined", self.cluster.node(node).name()));
    }

    /// For whoever waits: what is done, and when.
    fn reached(&self, what: &str) {
        println!("[{:4} s] {what}", self.started.elapsed().as_secs());
    }

    fn in_step(&self, nodes: &[usize]) {
        self.cluster.wait_in_step(nodes, PATIENCE).unwrap();
    }

    fn rows(&self, node: usize) -> Vec<Row> {
        let Ok(output) = self.cluster.node(node).exec(&["wg", "show", "wg-sfha", "dump"]) else {
            return Vec::new();
        };
        let rows = output.stdout.lines().skip(1).map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            Row {
                public_key: fields[0].to_owned(),
                endpoint: fields[2].to_owned(),
                allowed_ips: fields[3].to_owned(),
                handshake: fields[4].parse().unwrap(),
                received: fields[5].parse().unwrap(),
                sent: fields[6].parse().unwrap(),
            }
        });
        rows.collect()
    }

    fn all_shaken(&self, node: usize) -> bool {
        let rows = self.rows(node);
        rows.len() == 2 && rows.iter().all(|row| row.handshake > 0 && row.received > 0)
    }

    /// The interface's number, which a new one never shares, and its kind; `None` when there is none.
    fn link(&self, node: usize) -> Option<(u64, String)> {
        let show = ["ip", "-d", "-j", "link", "show", "wg-sfha"];
        let links: Value = self.cluster.node(node).exec(&show).unwrap().json().ok()?;
        let kind = links[0]["linkinfo"]["info_kind"].as_str()?;
        Some((links[0]["ifindex"].as_u64()?, kind.to_owned()))
    }

    /// By sfha's own word, by the kernel's, and by what runs.
    pub fn backends_are(&self, wanted: &[Backend]) {
        for (node, wanted) in wanted.iter().enumerate() {
            assert_eq!(self.cluster.mesh(node).unwrap().backend, *wanted, "node{}", node + 1);
            let (kind, device) = match wanted {
                Backend::Kernel => ("wireguard", "inactive\n"),
                Backend::Userspace => ("tun", "active\n"),
            };
            assert_eq!(self.link(node).unwrap().1, kind);
            let unit = self.cluster.node(node).exec(&["systemctl", "is-active", "sfha-wg.service"]).unwrap();
            assert_eq!(unit.stdout, device, "node{}", node + 1);
        }
        self.reached("each node has its backend");
    }

    pub fn all_connected(&self) {
        for node in self.cluster.all() {
            wait_until("all peers to be connected", PATIENCE, || {
                let mesh = self.cluster.mesh(node).unwrap();
                mesh.peers.len() == 2 && mesh.peers.iter().all(|peer| peer.state == PeerState::Connected)
            })
            .unwrap();
            assert_eq!(self.cluster.status(node).unwrap().mesh.connected, 2);
        }
        self.reached("all peers are connected");
    }

    pub fn wg_tells_the_same(&self) {
        for node in self.cluster.all() {
            let mesh = self.cluster.mesh(node).unwrap();
            let rows = self.rows(node);
            assert_eq!(rows.len(), mesh.peers.len(), "{rows:?}");
            for peer in &mesh.peers {
                let row = rows.iter().find(|row| row.public_key == peer.public_key).unwrap();
                assert_eq!(Some(&row.endpoint), peer.endpoint.as_ref());
                assert_eq!(row.allowed_ips, format!("{}/32", peer.ip));
                assert!(row.received >= peer.rx_bytes && peer.rx_bytes > 0, "{peer:?} {row:?}");
                assert!(row.sent >= peer.tx_bytes && peer.tx_bytes > 0, "{peer:?} {row:?}");
            }
        }
        self.reached("wg and sfha tell the same");
    }

    /// Every pair, in both directions: kernel with kernel, kernel with userspace.
    pub fn tunnels_carry_packets(&self) {
        for from in self.cluster.all() {
            for to in self.cluster.all().into_iter().filter(|to| *to != from) {
                self.ping(from, to, &[]);
                // As large as the tunnel takes it in one piece: 1420 bytes with the headers.
                self.ping(from, to, &["-M", "do", "-s", "1392"]);
            }
        }
        self.reached("every tunnel carries small and large packets");
    }

    fn ping(&self, from: usize, to: usize, more: &[&str]) {
        let address = format!("10.100.0.{}", to + 1);
        let mut ping = vec!["ping", "-n", "-q", "-c", "1", "-w", "60"];
        ping.extend(more);
        ping.push(&address);
        self.cluster.node(from).exec_ok(&ping).unwrap();
    }

    pub fn a_vip_survives_the_power_cut_of_its_holder(&self) {
        let cluster = &self.cluster;
        cluster.vip_add(1, WEB, VIP).unwrap();
        let first = self.served_by_one_of(&[0, 1, 2]);
        self.reached(&format!("{} has the VIP", cluster.node(first).name()));

        cluster.node(first).cut().unwrap();
        let others: Vec<_> = cluster.all().into_iter().filter(|node| *node != first).collect();
        let second = self.served_by_one_of(&others);
        self.reached(&format!("{} has it after a power cut", cluster.node(second).name()));

        cluster.node(first).boot().unwrap();
        cluster.wait_phase(first, Phase::Operational, PATIENCE).unwrap();
        self.in_step(&[0, 1, 2]);
        self.reached("all three are members again");
        self.backends_are(&BACKENDS);
        self.all_connected();
    }

    /// Waits until all of these nodes agree that one of them holds the VIP, and the client reaches it there.
    fn served_by_one_of(&self, nodes: &[usize]) -> usize {
        let holder = self.cluster.wait_active(WEB, nodes, PATIENCE).unwrap();
        assert!(self.cluster.node(holder).has_address(VIP.parse().unwrap()).unwrap());
        wait_until("the client to reach the VIP", PATIENCE, || {
            self.cluster
                .lab()
                .client()
                .exec(&["ping", "-n", "-q", "-c", "1", "-W", "2", VIP])
                .unwrap()
                .success()
        })
        .unwrap();
        holder
    }

    /// A restart and a violent end, on a node of either backend: the interface, the peers and Corosync stay, and
    /// nobody shakes hands anew. (Who does so by the clock, after two minutes, gives a later time, never none.)
    pub fn the_mesh_outlives_the_daemon(&self) {
        for node in [1, USERSPACE] {
            let name = self.cluster.node(node).name();
            for end in ["systemctl restart sfha.service", "systemctl kill -s KILL sfha.service"] {
                let (link, before) = (self.link(node), self.rows(node));
                let corosync = self.cluster.unit_pid(node, "corosync.service").unwrap();
                let daemon = self.cluster.unit_pid(node, "sfha.service").unwrap();
                self.cluster.node(node).sh(end).unwrap();
                let anew = || self.cluster.unit_pid(node, "sfha.service").is_ok_and(|pid| pid != daemon);
                wait_until("another daemon", PATIENCE, anew).unwrap();
                self.in_step(&[0, 1, 2]);
                assert_eq!(self.link(node), link, "{name}: another interface after {end}");
                assert_eq!(self.cluster.unit_pid(node, "corosync.service").unwrap(), corosync);
                for (then, now) in before.iter().zip(self.rows(node)) {
                    // A new peer would count from nothing and have no handshake yet.
                    assert_eq!((&then.public_key, &then.endpoint), (&now.public_key, &now.endpoint));
                    assert!(now.handshake >= then.handshake, "{name}: {then:?} {now:?}");
                    assert!(
                        now.received >= then.received && now.sent >= then.sent,
                        "{name}: {then:?} {now:?}"
                    );
                }
            }
            self.reached(&format!("{name}: the mesh outlived the daemon"));
        }
    }

    /// Somebody deletes the interface of a node with a kernel device: it is back, as it was.
    pub fn the_interface_comes_back(&self) {
        let node = 1;
        let (index, kind) = self.link(node).unwrap();
        let key = fs::read_to_string(self.cluster.node(node).disk().join("etc/sfha/wireguard/public.key"));
        self.cluster.node(node).exec_ok(&["ip", "link", "del", "wg-sfha"]).unwrap();
        let back = wait_for("the interface to be back", PATIENCE, || {
            self.link(node).filter(|(number, _)| *number != index)
        });
        assert_eq!(back.unwrap().1, kind);
        wait_until("new handshakes", PATIENCE, || self.all_shaken(node)).unwrap();
        self.in_step(&[0, 1, 2]);
        assert_eq!(self.cluster.mesh(node).unwrap().public_key, key.unwrap().trim());
        self.ping(node, 0, &[]);
        self.ping(USERSPACE, node, &[]);
        self.reached("a deleted interface is back");
    }

    /// All nodes get new keys, one after another, and every pair of them shakes hands with those.
    pub fn keys_rotate(&self) {
        let cluster = &self.cluster;
        let keys = || cluster.all().into_iter().map(|node| cluster.mesh(node).unwrap().public_key);
        let old: Vec<_> = keys().collect();
        let _: Value = cluster.ask(0, &["mesh", "rotate-keys", "--all"]).unwrap();
        self.reached("the keys are rotated");
        let new: Vec<_> = keys().collect();
        assert!(new.iter().all(|key| !old.contains(key)), "{old:?} {new:?}");
        for node in cluster.all() {
            wait_until("handshakes with the new keys", PATIENCE, || {
                self.all_shaken(node) && self.rows(node).iter().all(|row| new.contains(&row.public_key))
            })
            .unwrap();
        }
        self.in_step(&[0, 1, 2]);
        self.all_connected();
        self.tunnels_carry_packets();
    }

    /// An operator puts a node on the userspace device, and back: the running daemon finds the interface gone and
    /// makes the other kind.
    pub fn a_node_changes_its_backend(&self) {
        let node = self.cluster.node(1);
        let daemon = "systemctl daemon-reload; systemctl restart sfha.service";
        let changed = |backends: &[Backend]| {
            let wanted = || self.cluster.mesh(1).is_ok_and(|mesh| mesh.backend == backends[1] && mesh.up);
            wait_until("the other backend", PATIENCE, wanted).unwrap();
            wait_until("new handshakes", PATIENCE, || self.all_shaken(1)).unwrap();
            self.in_step(&[0, 1, 2]);
            self.backends_are(backends);
            self.ping(1, 0, &[]);
            self.ping(USERSPACE, 1, &[]);
        };
        node.write_file(DROP_IN, NO_KERNEL).unwrap();
        node.sh(daemon).unwrap();
        self.in_step(&[0, 1, 2]);
        node.sh("ip link del wg-sfha").unwrap();
        changed(&[Backend::Kernel, Backend::Userspace, Backend::Userspace]);
        node.sh(&format!("rm {DROP_IN}; {daemon}")).unwrap();
        self.in_step(&[0, 1, 2]);
        node.sh("systemctl stop sfha-wg.service").unwrap();
        changed(&BACKENDS);
    }

    /// An address of the mesh is reached from every node, on a node of either backend.
    pub fn a_mesh_vip_moves_between_backends(&self) {
        let cluster = &self.cluster;
        let _: Value = cluster.ask(0, &["vip", "add", DB, &format!("{DB_IP}/24")]).unwrap();
        for holder in [USERSPACE, 0] {
            let (name, now) = (cluster.node(holder).name(), cluster.wait_active(DB, &[0, 1, 2], PATIENCE));
            if now.unwrap() != holder {
                let _: Value = cluster.ask(0, &["failover", "--to", &name]).unwrap();
            }
            assert_eq!(cluster.wait_active(DB, &[0, 1, 2], PATIENCE).unwrap(), holder);
            for from in cluster.all() {
                wait_until("the address to answer", PATIENCE, || self.answers(from, DB_IP)).unwrap();
            }
            self.reached(&format!("{name} has an address of the mesh"));
        }
        let _: Value = cluster.ask(0, &["vip", "remove", DB, "--yes"]).unwrap();
        self.in_step(&[0, 1, 2]);
    }

    fn answers(&self, from: usize, address: &str) -> bool {
        let ping = ["ping", "-n", "-q", "-c", "1", "-W", "2", address];
        self.cluster.node(from).exec(&ping).unwrap().success()
    }

    /// Two kernel devices that cannot reach each other go by the third node, until they can again.
    pub fn a_broken_path_is_relayed_and_healed(&self) {
        let (cluster, relay) = (&self.cluster, self.cluster.node(USERSPACE).name());
        cluster.lab().block(Endpoint::Node(0), Endpoint::Node(1)).unwrap();
        cluster.wait_path(0, 1, &relay, PATIENCE).unwrap();
        self.ping(0, 1, &[]);
        self.reached("a broken path is relayed");
        cluster.lab().heal().unwrap();
        cluster.wait_path(0, 1, "direct", PATIENCE).unwrap();
        self.ping(1, 0, &[]);
        self.in_step(&[0, 1, 2]);
        self.reached("it is direct again");
    }

    /// A node that is off is taken out; its key is no longer known.
    pub fn who_is_off_is_removed(&self, rest: &[usize]) {
        let gone = self.cluster.all().into_iter().find(|node| !rest.contains(node)).unwrap();
        let name = self.cluster.node(gone).name();
        let _: Value = self.cluster.ask(rest[0], &["node", "remove", &name, "--yes"]).unwrap();
        self.in_step(rest);
        for node in rest {
            wait_until("the peer to be gone", PATIENCE, || self.rows(*node).len() == 1).unwrap();
            assert_eq!(self.cluster.status(*node).unwrap().nodes.len(), 2);
        }
        self.ping(rest[0], rest[1], &[]);
        self.reached(&format!("{name} is removed"));
    }

    /// The daemon of the holder stops in good order: the VIP goes elsewhere, the mesh stays. Then its machine
    /// does, and the others, who are returned, go on.
    pub fn a_clean_stop(&self) -> Vec<usize> {
        let cluster = &self.cluster;
        let holder = self.served_by_one_of(&[0, 1, 2]);
        let link = self.link(holder);
        let others: Vec<_> = cluster.all().into_iter().filter(|node| *node != holder).collect();
        cluster.node(holder).exec_ok(&["systemctl", "stop", "sfha.service"]).unwrap();
        self.served_by_one_of(&others);
        assert!(!cluster.node(holder).has_address(VIP.parse().unwrap()).unwrap());
        assert_eq!(self.link(holder), link, "the mesh stays");
        self.ping(others[0], holder, &[]);
        cluster.node(holder).shutdown().unwrap();
        self.in_step(&others);
        self.reached("a clean stop");
        others
    }
}
