//! Whole meshes of `sfha-wg` processes, configured as sfhad does it, with `wg` as the second opinion.

#![allow(clippy::unwrap_used, reason = "a test that fails is to stop there")]

mod common;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::*;
use nix::sys::signal::Signal;
use sfha_daemon::io::wireguard::{AllowedIps, Backend, Device, PrivateKey, WireguardError};

const VIP: &str = "10.100.0.200";

/// Asks one node for echoes every few milliseconds and remembers the longest silence.
struct Probe {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Probe {
    /// From node 1 of `nodes` to the UDP echo on node 2.
    fn start(nodes: &[Node]) -> Self {
        let [from, to] = [&nodes[0], &nodes[1]];
        let inside = to.inside();
        let echo = to.namespace.run(move || UdpSocket::bind((inside, 0)).unwrap());
        let address = echo.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 8];
            while let Ok((length, source)) = echo.recv_from(&mut buffer) {
                let _ = echo.send_to(&buffer[..length], source);
            }
        });
        let socket = from.namespace.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(address).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(4))).unwrap();
            socket
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) {
                let _ = socket.send(b"?");
                match socket.recv(&mut [0; 8]) {
                    Ok(_) => {
                        longest = longest.max(last.elapsed());
                        last = Instant::now();
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    Err(error) => assert!(
                        matches!(
                            error.kind(),
                            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                        ),
                        "{error}"
                    ),
                }
            }
            longest.max(last.elapsed())
        });
        std::thread::sleep(Duration::from_millis(200));
        Self { stop, thread }
    }

    fn longest_silence(self) -> Duration {
        std::thread::sleep(Duration::from_millis(200));
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn two_nodes_talk_and_wg_sees_what_we_see() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    for (node, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
        assert_eq!(node.device.backend(), Backend::Userspace);
        let status = node.status();
        assert_eq!(status.public_key, Some(node.key.public()));
        assert_eq!(status.port, Some(PORT));
        let peer = &status.peers[0];
        let dump = node.namespace.run(|| run("wg", "show wg-sfha dump"));
        let lines: Vec<Vec<&str>> = dump.lines().map(|line| line.split('\t').collect()).collect();
        let own = [node.key.to_base64().to_string(), node.key.public().to_string(), PORT.to_string()];
        assert_eq!(lines[0][..3], own);
        let handshake = peer.latest_handshake.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        let expected = [
            other.key.public().to_string(),
            "(none)".to_owned(),
            other.outside().to_string(),
            format!("{}/32", other.inside()),
            handshake.as_secs().to_string(),
        ];
        assert_eq!(lines[1][..5], expected);
        assert!(peer.rx_bytes > 0 && peer.tx_bytes > 0, "{peer:?}");
        assert_eq!(lines[1][7], "25");
    }
}

#[test]
fn what_is_wanted_twice_is_done_once() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    let before = nodes[0].status();
    assert_eq!(nodes[0].sync(&[nodes[1].peer()]), None);
    assert!(!nodes[0].set_key(&nodes[0].key, PORT));
    assert_eq!(nodes[0].status().peers[0].latest_handshake, before.peers[0].latest_handshake);

    // A daemon that was restarted remembers nothing and finds everything.
    let again = nodes[0].namespace.run(|| block_on(Device::ensure(INTERFACE, 1420, no_start)).unwrap());
    let (device, peers) = (again.clone(), [nodes[1].peer()]);
    assert_eq!(nodes[0].namespace.run(move || block_on(device.sync_peers(&peers))).unwrap(), None);
    assert_eq!(again.backend(), Backend::Userspace);
}

#[test]
fn a_change_of_a_peer_keeps_its_session_and_its_counters() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    let probe = Probe::start(&nodes);
    // Another handshake would be in another second, and new counters far behind.
    std::thread::sleep(Duration::from_millis(1100));
    let before = nodes[0].status().peers[0].clone();
    let mut peer = nodes[1].peer();
    for host in 210..240 {
        peer.keepalive = Some(host);
        peer.allowed_ips.push(format!("10.100.0.{host}/32").parse().unwrap());
        assert!(nodes[0].sync(std::slice::from_ref(&peer)).is_some());
    }
    peer.allowed_ips.truncate(1);
    assert!(nodes[0].sync(&[peer]).is_some());
    let after = nodes[0].status().peers[0].clone();
    assert_eq!(after.latest_handshake, before.latest_handshake);
    assert!(after.rx_bytes >= before.rx_bytes && after.tx_bytes >= before.tx_bytes, "{before:?} {after:?}");
    let silence = probe.longest_silence();
    assert!(silence < Duration::from_millis(500), "{silence:?}");
}

#[test]
fn a_vip_inside_the_mesh_moves_from_peer_to_peer_and_back() {
    let (_switch, nodes) = nodes(3);
    connect(&nodes);
    let vip: std::net::IpAddr = VIP.parse().unwrap();
    let network = format!("{VIP}/32").parse().unwrap();
    let [client, holders @ ..] = nodes.as_slice() else { unreachable!() };
    for holder in holders {
        holder.ip(&format!("addr add {VIP}/32 dev {INTERFACE}"));
    }
    let (mut two, mut three) = (holders[0].peer(), holders[1].peer());
    two.allowed_ips.push(network);
    client.sync(&[two.clone(), three.clone()]);
    client.wait_for_ping(vip);
    for round in 0..4 {
        let (gets, loses) = if round % 2 == 0 { (&mut three, &mut two) } else { (&mut two, &mut three) };
        loses.allowed_ips.pop();
        gets.allowed_ips.push(network);
        let (gets, loses) = (gets.public_key, loses.public_key);
        let changes = client.sync(&[two.clone(), three.clone()]).unwrap();
        // Given to one, in one step; the other is not even mentioned.
        assert_eq!(changes.set.len(), 1);
        assert_eq!(changes.set[0].public_key, gets);
        assert_eq!(changes.set[0].allowed_ips, AllowedIps::Add([network].into()));
        // A later change of the one that lost it does not bring it back.
        let loser = if loses == two.public_key { &mut two } else { &mut three };
        loser.keepalive = Some(30 + round);
        client.sync(&[two.clone(), three.clone()]);
        let has = |key| {
            let status = client.status();
            status.peers.iter().find(|peer| peer.public_key == key).unwrap().allowed_ips.contains(&network)
        };
        assert!(has(gets) && !has(loses));
        client.wait_for_ping(vip);
    }
    let wg = client.namespace.run(|| run("wg", "show wg-sfha allowed-ips"));
    assert_eq!(wg.matches(VIP).count(), 1, "{wg}");
}

#[test]
fn a_key_is_rotated_under_traffic_again_and_again() {
    let (_switch, mut nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    for _ in 0..10 {
        let probe = Probe::start(&nodes);
        let (old, new) = (nodes[1].key.clone(), PrivateKey::generate().unwrap());
        let (outside, network) = (nodes[1].outside(), format!("{}/32", nodes[1].inside()));
        // Prepare: the new key is known, and has nothing yet.
        let mut prepared = peer(new.public(), outside, &[]);
        prepared.keepalive = None;
        nodes[0].sync(&[peer(old.public(), outside, &[&network]), prepared]);
        // Commit: first the key, then the networks, once the new key was heard.
        assert!(nodes[1].set_key(&new, PORT));
        let (device, key) = (nodes[0].device.clone(), new.public());
        let patience = Duration::from_secs(2);
        let met = nodes[0].namespace.run(move || block_on(device.wait_for_handshake(key, patience)));
        assert!(met.unwrap(), "the new key was not heard");
        let retired = peer(old.public(), outside, &[]);
        let changes = nodes[0].sync(&[retired, peer(new.public(), outside, &[&network])]).unwrap();
        assert_eq!(changes.set.len(), 1);
        nodes[0].wait_for_ping(nodes[1].inside());
        let silence = probe.longest_silence();
        // A handshake that is lost is tried again after 5 s.
        assert!(silence < Duration::from_secs(2), "{silence:?}");
        // Cleanup.
        nodes[1].key = new;
        let changes = nodes[0].sync(&[nodes[1].peer()]).unwrap();
        assert_eq!(changes.removed, [old.public()]);
        assert!(nodes[0].ping(nodes[1].inside()));
    }
}

#[test]
fn a_key_that_changes_before_there_are_peers_is_no_less_heard() {
    let (_switch, mut nodes) = nodes(2);
    let new = PrivateKey::generate().unwrap();
    assert!(nodes[1].set_key(&new, PORT));
    nodes[1].key = new;
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    assert!(nodes[0].namespace.run({
        let (device, nobody) = (nodes[0].device.clone(), PrivateKey::generate().unwrap().public());
        move || !block_on(device.wait_for_handshake(nobody, Duration::from_millis(50))).unwrap()
    }));
}

#[test]
fn a_handshake_is_remembered_longer_than_its_session() {
    let (_switch, mut nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    let before = nodes[0].status().peers[0].latest_handshake.unwrap();
    nodes[1].process.take().unwrap().signal(Signal::SIGKILL);
    // The session ends with the key, and there is nobody for another one.
    nodes[0].set_key(&PrivateKey::generate().unwrap(), PORT);
    assert_eq!(nodes[0].status().peers[0].latest_handshake, Some(before));
}

#[test]
fn after_many_key_changes_the_device_still_listens() {
    let (_switch, nodes) = nodes(2);
    for _ in 0..30 {
        assert!(nodes[1].set_key(&PrivateKey::generate().unwrap(), PORT));
    }
    nodes[1].set_key(&nodes[1].key, PORT);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
}

#[test]
fn a_busy_port_is_named_and_changes_nothing() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    let _somebody = nodes[0].namespace.run(|| UdpSocket::bind("0.0.0.0:6000").unwrap());
    let (device, key) = (nodes[0].device.clone(), PrivateKey::generate().unwrap());
    let refused = nodes[0].namespace.run(move || block_on(device.set_private_key(&key, 6000)));
    assert!(matches!(refused, Err(WireguardError::PortBusy(6000))), "{refused:?}");
    let status = nodes[0].status();
    assert_eq!((status.public_key, status.port), (Some(nodes[0].key.public()), Some(PORT)));
    assert!(nodes[0].ping(nodes[1].inside()));
    // A free one is taken, and the other side follows.
    assert!(nodes[0].set_key(&nodes[0].key, 6001));
    nodes[0].wait_for_ping(nodes[1].inside());
    assert_eq!(nodes[1].status().peers[0].endpoint.unwrap().port(), 6001);
}

#[test]
fn a_peer_that_moves_is_followed_and_not_called_back() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    nodes[1].set_key(&nodes[1].key, 7000);
    nodes[1].wait_for_ping(nodes[0].inside());
    let followed = || nodes[0].status().peers[0].endpoint.unwrap();
    assert_eq!(followed().port(), 7000);
    assert_eq!(nodes[0].sync(&[nodes[1].peer()]), None);
    assert_eq!(followed().port(), 7000);
    // Unless somebody insists.
    let (device, key, outside) = (nodes[0].device.clone(), nodes[1].key.public(), nodes[1].outside());
    nodes[0].namespace.run(move || block_on(device.set_endpoint(key, outside))).unwrap();
    assert_eq!(followed().port(), PORT);
}

#[test]
fn a_device_that_was_killed_is_gone_and_can_be_made_again() {
    let (_switch, mut nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    nodes[0].process.take().unwrap().signal(Signal::SIGKILL);
    let device = nodes[0].device.clone();
    let gone = || {
        let device = device.clone();
        let status = nodes[0].namespace.run(move || block_on(device.status()));
        matches!(status, Err(WireguardError::Gone { .. }))
    };
    wait_for("the end of the device", gone);
    assert!(nodes[0].namespace.run(exists(SOCKET)), "the stale socket is part of this test");

    let (key, peers) = (nodes[0].key.clone(), [nodes[1].peer()]);
    let (process, again) = nodes[0].namespace.run(move || {
        let process = std::cell::Cell::new(None);
        let device = block_on(async {
            let start = async |interface: String, mtu: u16| {
                process.set(Some(Process::spawn(&["--mtu", &mtu.to_string(), &interface])));
                Ok::<(), std::io::Error>(())
            };
            let device = Device::ensure(INTERFACE, 1380, start).await.unwrap();
            device.set_private_key(&key, PORT).await.unwrap();
            device.sync_peers(&peers).await.unwrap().unwrap();
            device
        });
        ip(&format!("addr add 10.100.0.1/24 dev {INTERFACE}"));
        (process.take(), device)
    });
    nodes[0].process = process;
    nodes[0].device = again;
    nodes[0].wait_for_ping(nodes[1].inside());
    assert!(nodes[0].ip("link show dev wg-sfha").contains("mtu 1380"));
}

#[test]
fn a_device_is_removed_once_and_for_all() {
    let (_switch, mut nodes) = nodes(1);
    let device = nodes[0].device.clone();
    nodes[0].namespace.run(move || {
        block_on(device.remove()).unwrap();
        block_on(device.remove()).unwrap();
    });
    let process = nodes[0].process.take().unwrap();
    // The process sees that its interface is gone.
    assert_eq!(process.end().0.code(), Some(4));
    assert!(!nodes[0].namespace.run(exists(SOCKET)));
}

#[test]
fn an_interface_that_was_down_carries_again() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    for _ in 0..3 {
        nodes[0].ip(&format!("link set {INTERFACE} down"));
        // Packets come in meanwhile, and cannot be delivered.
        assert!(!nodes[1].ping(nodes[0].inside()));
        nodes[0].ip(&format!("link set {INTERFACE} up"));
        nodes[0].wait_for_ping(nodes[1].inside());
    }
}

#[test]
fn nothing_that_clients_do_disturbs_the_traffic() {
    let (_switch, nodes) = nodes(2);
    connect(&nodes);
    nodes[0].wait_for_ping(nodes[1].inside());
    let probe = Probe::start(&nodes);
    nodes[0].namespace.run(|| {
        let mut stalled: Vec<Client> = Vec::new();
        for round in 0..60u8 {
            let mut client = Client::connect();
            match round % 5 {
                0 => client.send(b"set=1\nprivate_key="),
                1 => client.send(b"get=1\n\nget=1\n\nget=1\n\n"),
                2 => client.send(&[round; 4096]),
                3 => client.send(b"set=1\npublic_key=00\n\n"),
                _ => drop(Client::connect()),
            }
            stalled.push(client);
        }
        // Of so many the oldest had to go.
        assert_eq!(stalled[0].answer(), "");
        let mut flood = Client::connect();
        flood.send(&vec![b'a'; (1 << 20) - 1]);
        assert_eq!(Client::connect().ask("set=1\nprivate_key=\n\n"), "errno=-22\n\n");
        assert!(run("wg", "show wg-sfha").contains("latest handshake"));
    });
    let silence = probe.longest_silence();
    assert!(silence < Duration::from_millis(500), "{silence:?}");
}
