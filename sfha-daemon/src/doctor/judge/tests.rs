use std::path::PathBuf;

use serde_json::json;
use sfha_proto::ErrorCode;

use super::super::facts::{Daemon, Fencing, Firewall, Ports, Watchdog};
use super::*;

/// A member of a mesh of three on which all is well.
fn member() -> Facts {
    let unit = |name: &str, active: &str, at_boot: &str| Unit {
        name: name.to_owned(),
        active: active.to_owned(),
        at_boot: Some(at_boot.to_owned()),
    };
    let peer = |name: &str, ip: &str| {
        json!({"name": name, "ip": ip, "public_key": "k", "endpoint": "192.0.2.9:51820", "state": "connected",
               "path": "direct", "latest_handshake": null, "rx_bytes": 1, "tx_bytes": 1, "rtt_ms": 0.8,
               "loss": 0.0, "keepalive": 25})
    };
    let mesh = json!({"schema": 1, "interface": "wg-sfha", "address": "10.100.0.1/24", "port": 51820,
                      "public_key": "k", "backend": "kernel", "mtu": 1420,
                      "peers": [peer("node2", "10.100.0.2"), peer("node3", "10.100.0.3")]});
    let status = json!({"schema": 1, "cluster": "prod", "node": "node1", "version": "1.0.0", "maintenance": false,
                        "quorum": {"quorate": true, "votes": 3, "expected": 3, "needed": 2}, "leader": "node1",
                        "nodes": [], "vips": [], "services": [], "health": [],
                        "mesh": {"enabled": true, "peers": 2, "connected": 2},
                        "fencing": {"enabled": false, "provider": null, "pending": []},
                        "detection": {"profile": "lan", "token_ms": 1000, "consensus_ms": 100,
                                      "detection_ms": 1100, "takeover_delay_ms": 100}});
    Facts {
        version: "1.0.0".to_owned(),
        root: true,
        node: Some("node1".to_owned()),
        configured: true,
        corosync: Some("3.1.7".to_owned()),
        kernel: "6.1.0-40-amd64".to_owned(),
        tags: true,
        wireguard: true,
        tun: true,
        files: vec![
            own("/etc/sfha/config.yml", false, Some((0o100_644, 0))),
            own("/etc/sfha/cluster.key", true, Some((0o100_600, 0))),
        ],
        config_faults: Some((PathBuf::from("/etc/sfha/config.yml"), 0)),
        foreign_corosync_conf: None,
        disks: vec![Disk { path: "/var/lib/sfha".into(), free: 5000, read_only: false }],
        units: Ok(vec![
            unit(SFHA, "active", "enabled"),
            unit(COROSYNC, "active", "disabled"),
            unit(WG_DEVICE, "inactive", "static"),
            unit("keepalived.service", "inactive", "disabled"),
        ]),
        networkd: None,
        daemon: Some(Daemon {
            version: "1.0.0".to_owned(),
            status: Some(serde_json::from_value(status).unwrap()),
            mesh: Some(serde_json::from_value(mesh).unwrap()),
        }),
        socket: "/run/sfha/sfhad.sock".into(),
        ports: Some(Ports {
            udp: vec!["0.0.0.0:51820".parse().unwrap()],
            tcp: vec!["10.100.0.1:7777".parse().unwrap()],
        }),
        firewall: Some(Firewall::default()),
        mesh: Some(Mesh {
            ip: "10.100.0.1".parse().unwrap(),
            port: 51820,
            mtu: 1420,
            endpoint: Some("192.0.2.1:51820".to_owned()),
        }),
        path_mtus: vec![("node2".to_owned(), 1500), ("node3".to_owned(), 1500)],
        addresses: vec!["192.0.2.1".parse().unwrap()],
        clock_kept: Some(true),
        skews: vec![("node2".to_owned(), 0), ("node3".to_owned(), -1)],
        fencing: Some(fencing()),
    }
}

/// Two nodes that Proxmox switches, and this one's watchdog.
fn fencing() -> Fencing {
    let test =
        |node: &str| json!({"node": node, "level": "proxmox", "power": "on", "error": null, "elapsed_ms": 9});
    Fencing {
        unguarded: Vec::new(),
        tests: vec![
            serde_json::from_value(test("node2")).unwrap(),
            serde_json::from_value(test("node3")).unwrap(),
        ],
        certificates: vec![("https://pve:8006".to_owned(), 400)],
        watchdog: Some(Watchdog {
            path: "/dev/watchdog".into(),
            there: true,
            timeout_ms: 15_000,
            failure: None,
        }),
    }
}

fn own(path: &str, secret: bool, found: Option<(u32, u32)>) -> OwnFile {
    OwnFile { path: path.into(), secret, needed: true, found }
}

/// Those that are not well.
fn faults(facts: &Facts) -> Vec<(Level, Symptom)> {
    judge(facts).iter().filter(|o| o.level != Level::Ok).map(|o| (o.level, o.code)).collect()
}

fn alone(facts: &Facts) -> Observation {
    let found: Vec<Observation> = judge(facts).into_iter().filter(|o| o.level != Level::Ok).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_healthy_member_has_nothing_but_good_in_every_part() {
    let facts = member();
    assert_eq!(faults(&facts), []);
    let codes: Vec<Symptom> = judge(&facts).iter().map(|o| o.code).collect();
    use Symptom::*;
    assert_eq!(
        codes,
        [
            Corosync,
            Kernel,
            WireguardKernel,
            Files,
            Config,
            Disk,
            Units,
            Daemon,
            Quorum,
            PortOurs,
            PortOurs,
            FirewallOpen,
            Mtu,
            EndpointOwn,
            PathsDirect,
            Latency,
            FenceTested,
            FenceCertificate,
            FenceWatchdog,
            Clock,
            ClocksAgree
        ]
    );
}

fn with(facts: &mut Facts) -> &mut Fencing {
    facts.fencing.as_mut().unwrap()
}

fn watchdog(facts: &mut Facts) -> &mut Watchdog {
    with(facts).watchdog.as_mut().unwrap()
}

#[test]
fn a_secret_that_others_can_read_is_told_once() {
    let mut facts = member();
    facts.files.push(own("/etc/sfha/proxmox.secret", true, Some((0o100_644, 0))));
    for test in &mut with(&mut facts).tests {
        test.error = Some(ErrorCode::FileMode.into());
    }
    let found = alone(&facts);
    assert_eq!((found.code, &found.details["path"]), (Symptom::FileOpen, &json!("/etc/sfha/proxmox.secret")));
}

type Case = (fn(&mut Facts), Level, Symptom);

#[test]
fn each_thing_that_is_wrong_is_said_once() {
    use Level::{Error, Unknown, Warning};
    let cases: Vec<Case> = vec![
        (|f| f.root = false, Unknown, Symptom::NotRoot),
        (|f| f.corosync = None, Error, Symptom::CorosyncMissing),
        (|f| f.corosync = Some("3.0.4".into()), Warning, Symptom::CorosyncOld),
        (|f| (f.wireguard, f.tun) = (false, false), Error, Symptom::WireguardNone),
        (|f| f.files[1].found = Some((0o100_640, 0)), Error, Symptom::FileOpen),
        (|f| f.files[0].found = Some((0o100_666, 0)), Error, Symptom::FileOpen),
        (|f| f.files[0].found = Some((0o100_644, 1000)), Error, Symptom::FileOwner),
        (|f| f.files[1].found = None, Error, Symptom::FileMissing),
        (|f| f.config_faults = Some(("/c".into(), 2)), Error, Symptom::ConfigFaulty),
        (|f| f.foreign_corosync_conf = Some("/c".into()), Warning, Symptom::ForeignCorosyncConf),
        (|f| f.disks[0].free = 3, Error, Symptom::DiskFull),
        (|f| with(f).unguarded.push("node3".into()), Warning, Symptom::FenceNobody),
        (|f| with(f).tests[1].error = Some(ErrorCode::FenceDenied.into()), Error, Symptom::FenceFails),
        (|f| with(f).certificates[0].1 = 29, Warning, Symptom::FenceCertificateEnds),
        (|f| watchdog(f).there = false, Error, Symptom::FenceWatchdogMissing),
        (
            |f| watchdog(f).failure = Some(ErrorCode::WatchdogUnusable.into()),
            Error,
            Symptom::FenceWatchdogFails,
        ),
        (|f| watchdog(f).timeout_ms = 9_000, Warning, Symptom::FenceWatchdogShort),
        (|f| f.disks[0].free = 100, Warning, Symptom::DiskTight),
        (|f| f.disks[0].read_only = true, Error, Symptom::DiskReadOnly),
        (|f| f.units = Err("no bus".into()), Unknown, Symptom::NoSystemd),
        (|f| unit(f, 0).active = "failed".into(), Error, Symptom::UnitFailed),
        (|f| unit(f, 0).active = "inactive".into(), Error, Symptom::UnitStopped),
        (|f| unit(f, 1).active = "inactive".into(), Error, Symptom::UnitStopped),
        (|f| unit(f, 0).at_boot = Some("disabled".into()), Warning, Symptom::NotAtBoot),
        (|f| unit(f, 1).at_boot = Some("enabled".into()), Warning, Symptom::CorosyncAtBoot),
        (|f| unit(f, 2).active = "failed".into(), Error, Symptom::UnitFailed),
        (|f| unit(f, 3).active = "active".into(), Warning, Symptom::ForeignManager),
        (|f| f.networkd = Some(None), Warning, Symptom::NetworkdDrops),
        (|f| f.daemon = None, Error, Symptom::DaemonSilent),
        (|f| f.version = "1.1.0".into(), Warning, Symptom::DaemonOld),
        (|f| status(f).quorum.quorate = false, Error, Symptom::NoQuorum),
        (|f| f.ports.as_mut().unwrap().udp.clear(), Error, Symptom::PortClosed),
        (|f| f.ports.as_mut().unwrap().tcp.clear(), Error, Symptom::PortClosed),
        (
            |f| f.firewall.as_mut().unwrap().closed.push("inet filter input".into()),
            Warning,
            Symptom::FirewallDrops,
        ),
        (|f| f.path_mtus[1].1 = 1492, Warning, Symptom::MtuTight),
        (|f| peer(f).path = "node3".into(), Warning, Symptom::PathRelayed),
        (|f| peer(f).state = PeerState::Stale, Error, Symptom::PathLost),
        (|f| peer(f).loss = Some(0.05), Warning, Symptom::Loss),
        (|f| peer(f).rtt_ms = Some(170.0), Warning, Symptom::LatencyHigh),
        (|f| f.clock_kept = Some(false), Warning, Symptom::ClockAlone),
        (|f| f.skews[1].1 = -3, Warning, Symptom::ClockSkew),
    ];
    for (break_it, level, symptom) in cases {
        let mut facts = member();
        break_it(&mut facts);
        assert_eq!(faults(&facts), [(level, symptom)], "{symptom:?}");
    }
}

fn unit(facts: &mut Facts, at: usize) -> &mut Unit {
    &mut facts.units.as_mut().unwrap()[at]
}

fn status(facts: &mut Facts) -> &mut ClusterStatus {
    facts.daemon.as_mut().unwrap().status.as_mut().unwrap()
}

fn peer(facts: &mut Facts) -> &mut PeerStatus {
    &mut facts.daemon.as_mut().unwrap().mesh.as_mut().unwrap().peers[0]
}

#[test]
fn the_values_are_those_that_a_sentence_needs() {
    let mut facts = member();
    facts.files[1].found = Some((0o100_644, 0));
    let found = alone(&facts);
    assert_eq!(
        serde_json::Value::Object(found.details),
        json!({"path": "/etc/sfha/cluster.key", "mode": "0644", "wanted": "0600"})
    );
    let mut facts = member();
    facts.path_mtus[0].1 = 1400;
    let found = alone(&facts);
    assert_eq!(
        serde_json::Value::Object(found.details),
        json!({"node": "node2", "mtu": 1420, "path_mtu": 1400, "fitting": 1320})
    );
    let mut facts = member();
    peer(&mut facts).rtt_ms = Some(300.04);
    let found = alone(&facts);
    assert_eq!(
        serde_json::Value::Object(found.details),
        json!({"node": "node2", "milliseconds": "300.0", "token": 1000, "profile": "lan"})
    );
}

#[test]
fn a_firewall_that_speaks_of_our_port_is_believed() {
    let mut facts = member();
    let text = |rule: &str| Firewall { closed: vec!["inet filter input".into()], text: rule.to_owned() };
    facts.firewall = Some(text("udp dport 51820 accept"));
    assert_eq!(faults(&facts), []);
    facts.firewall = Some(text("udp dport 518200 accept"));
    assert_eq!(alone(&facts).code, Symptom::FirewallDrops);
}

#[test]
fn a_node_without_a_cluster_is_told_what_would_be_in_the_way() {
    let mut facts = member();
    (facts.configured, facts.node, facts.mesh, facts.daemon) = (false, None, None, None);
    facts.files.iter_mut().for_each(|file| file.found = None);
    facts.config_faults = None;
    facts.path_mtus.clear();
    facts.skews.clear();
    unit(&mut facts, 0).active = "inactive".into();
    facts.ports = Some(Ports::default());
    assert_eq!(faults(&facts), []);
    assert!(judge(&facts).iter().any(|o| o.code == Symptom::Unconfigured));
    let ports = facts.ports.as_mut().unwrap();
    ports.udp = vec!["192.0.2.1:51820".parse().unwrap(), "0.0.0.0:53".parse().unwrap()];
    ports.tcp = vec!["127.0.0.1:7777".parse().unwrap()];
    assert_eq!(alone(&facts).details["port"], 51820);
    (facts.wireguard, facts.tun) = (false, false);
    assert_eq!(faults(&facts)[0], (Level::Error, Symptom::WireguardNone));
}

#[test]
fn an_address_that_is_not_ours_is_a_routers() {
    let mut facts = member();
    facts.addresses = vec!["10.0.0.5".parse().unwrap()];
    assert!(judge(&facts).iter().any(|o| o.code == Symptom::EndpointNat && o.level == Level::Ok));
    facts.mesh.as_mut().unwrap().endpoint = Some("node1.example.org:51820".into());
    assert!(!judge(&facts).iter().any(|o| matches!(o.code, Symptom::EndpointNat | Symptom::EndpointOwn)));
}
