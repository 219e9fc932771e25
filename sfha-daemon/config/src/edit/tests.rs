use proptest::prelude::*;
use sfha_core::fencing::settings::{
    Agent, FencingSettings, GuestType, Level, OnStopFailure, Proxmox, Safety, Target, Trust, WatchdogDevice,
    Webhook,
};
use sfha_core::qdevice::{Algorithm, Qdevice, Tls};
use sfha_core::resources::{Constraint, Elsewhere, HealthCheck, Probe, Service};
use sfha_core::state::Vip;

use super::*;
use crate::shared::Managed;
use crate::{Context, check};

const FILE: &str = "\
# The head.
cluster:
  name: prod   # ours

node: {name: node1}

vips:
  # The web's.
  - name: web
    ip: 10.0.0.1   # as in DNS
    cidr: 24

  # The mail's.
  - name: mail
    ip: 10.0.0.2/24
    # At home.
    prefer: [node1]
  # No more.

# Services.
services:
- name: nginx
  unit: nginx
  healthcheck:
    type: tcp      # quick
    target: x:80
constraints: []
# The end.
";

fn shared(text: &str) -> Shared {
    let checked = check(text, &Context::default());
    checked.config.unwrap_or_else(|| panic!("{text}\n{:?}", checked.findings)).shared
}

fn vip(address: &str) -> Vip {
    Vip { address: address.parse().unwrap(), interface: None, prefer: Vec::new() }
}

/// The file after this change, as the lines that went (`-`) and came (`+`).
fn differs(text: &str, change: impl FnOnce(&mut Shared)) -> Vec<String> {
    let mut wanted = shared(text);
    change(&mut wanted);
    let edited = edit(text, &shared(text).changes_to(&wanted)).unwrap();
    assert_eq!(shared(&edited), wanted, "{edited}");
    diff(text, &edited)
}

/// A plain difference of lines: what both begin and end with is left out.
fn diff(old: &str, new: &str) -> Vec<String> {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    while !old.is_empty() && !new.is_empty() && old[0] == new[0] {
        old.remove(0);
        new.remove(0);
    }
    while !old.is_empty() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    old.iter().map(|line| format!("-{line}")).chain(new.iter().map(|line| format!("+{line}"))).collect()
}

#[test]
fn a_quorum_device_comes_changes_and_goes() {
    let device = |algorithm| Qdevice { host: "10.0.0.9".to_owned(), port: 5403, algorithm, tls: Tls::Off };
    let added =
        ["+", "+corosync:", "+  qdevice:", "+    model: net", "+    host: 10.0.0.9", "+    tls: \"off\""];
    assert_eq!(differs(FILE, |wanted| wanted.qdevice = Some(device(Algorithm::Ffsplit))), added);
    let with = format!("{FILE}\ncorosync:\n  qdevice: {{host: 10.0.0.9, tls: 'off'}}   # outside\n# More.\n");
    let changed = differs(&with, |wanted| wanted.qdevice = Some(device(Algorithm::Lms)));
    assert!(changed.contains(&"+    algorithm: lms".to_owned()), "{changed:?}");
    let gone = differs(&with, |wanted| wanted.qdevice = None);
    assert_eq!(gone, ["-corosync:", "-  qdevice: {host: 10.0.0.9, tls: 'off'}   # outside"]);
}

#[test]
fn an_entry_is_added_behind_the_last_one_and_nothing_else_changes() {
    let added = differs(FILE, |shared| {
        shared.vips.insert("new".into(), Vip { interface: Some("eth1".into()), ..vip("fd00::5/64") });
    });
    assert_eq!(added, ["+  - name: new", "+    ip: fd00::5", "+    cidr: 64", "+    interface: eth1"]);
    let added = differs(FILE, |shared| {
        shared.services.insert("db".into(), Managed { service: Service::new("db.service"), check: None });
    });
    assert_eq!(added, ["+- name: db", "+  type: systemd", "+  unit: db.service"]);
    let order = Constraint::Order { first: "web".into(), then: "nginx".into() };
    let added = differs(FILE, |shared| {
        shared.constraints.insert(order);
    });
    assert_eq!(
        added,
        ["-constraints: []", "+constraints:", "+  - type: order", "+    first: web", "+    then: nginx"]
    );
    let added = differs(FILE, |shared| {
        shared.checks.insert(
            "ssh".into(),
            shared.services["nginx"]
                .check
                .clone()
                .map(|check| HealthCheck { service: None, ..check })
                .unwrap(),
        );
    });
    assert_eq!(
        added,
        [
            "+",
            "+health_checks:",
            "+  - name: ssh",
            "+    type: tcp",
            "+    target: x:80",
            "+    interval: 5s",
            "+    timeout: 2s"
        ]
    );
}

#[test]
fn an_entry_that_goes_takes_its_lines_and_leaves_the_comments_around_it() {
    let gone = differs(FILE, |shared| drop(shared.vips.remove("web")));
    assert_eq!(gone, ["-  - name: web", "-    ip: 10.0.0.1   # as in DNS", "-    cidr: 24"]);
    let gone = differs(FILE, |shared| drop(shared.vips.remove("mail")));
    assert_eq!(gone, ["-  - name: mail", "-    ip: 10.0.0.2/24", "-    # At home.", "-    prefer: [node1]"]);
    let gone = differs(FILE, |shared| drop(shared.services.remove("nginx")));
    assert_eq!(
        gone,
        [
            "-- name: nginx",
            "-  unit: nginx",
            "-  healthcheck:",
            "-    type: tcp      # quick",
            "-    target: x:80"
        ]
    );
}

#[test]
fn an_entry_that_changes_keeps_the_lines_that_say_the_same() {
    let changed = differs(FILE, |shared| {
        shared.vips.get_mut("web").unwrap().address = "10.0.0.9/24".parse().unwrap();
    });
    assert_eq!(changed, ["-    ip: 10.0.0.1   # as in DNS", "+    ip: 10.0.0.9   # as in DNS"]);
    let changed = differs(FILE, |shared| shared.vips.get_mut("web").unwrap().prefer = vec!["node2".into()]);
    assert_eq!(changed, ["+    prefer: [node2]"]);
    let changed = differs(FILE, |shared| shared.vips.get_mut("mail").unwrap().prefer.clear());
    assert_eq!(changed, ["-    prefer: [node1]"]);
    let changed = differs(FILE, |shared| {
        shared.vips.get_mut("mail").unwrap().address = "10.0.0.2/25".parse().unwrap();
    });
    assert_eq!(changed, ["+    cidr: 25"]);
    let changed = differs(FILE, |shared| {
        let managed = shared.services.get_mut("nginx").unwrap();
        managed.service.critical = true;
        managed.check = None;
    });
    assert_eq!(
        changed,
        ["-  healthcheck:", "-    type: tcp      # quick", "-    target: x:80", "+  critical: true"]
    );
    // A check is a value of its service, and is written anew.
    let changed = differs(FILE, |shared| {
        shared.services.get_mut("nginx").unwrap().check.as_mut().unwrap().fall = 5;
    });
    assert_eq!(
        changed,
        [
            "-    type: tcp      # quick",
            "-    target: x:80",
            "+    type: tcp",
            "+    target: x:80",
            "+    failures_before_unhealthy: 5",
        ]
    );
}

#[test]
fn the_word_for_the_whole_is_changed_in_its_place_or_put_behind_the_others() {
    assert_eq!(differs(FILE, |shared| shared.failback = false), ["+  failback: false"]);
    let there = FILE.replace("  name: prod   # ours\n", "  failback: false # no\n  name: prod\n");
    assert_eq!(
        differs(&there, |shared| shared.failback = true),
        ["-  failback: false # no", "+  failback: true # no"]
    );
}

#[test]
fn whatever_the_layout_the_text_says_what_it_is_to_say() {
    let head = "cluster: {name: prod}\nnode: {name: node1}";
    for (layout, rest) in [
        ("no list", ""),
        ("no last line end", "\nvips:\n- name: a\n  ip: 10.1.0.1"),
        ("no value", "\nvips:\nlogging: {level: info}\n"),
        ("no value but a comment", "\nvips: # none yet\n  # - name: x\nlogging: {level: info}\n"),
        ("a null", "\nvips: ~   # none\n"),
        ("brackets", "\nvips: [{name: a, ip: 10.1.0.1}, {name: b, ip: 10.1.0.2}]\nmesh: {enabled: true}\n"),
        ("brackets over lines", "\nvips: [\n  {name: a,\n   ip: 10.1.0.1}\n  ]\nmesh: {enabled: true}\n"),
        ("a dash on its own line", "\nvips:\n  -\n    # its name\n    name: a\n    ip: 10.1.0.1\n"),
        ("an item in braces", "\nvips:\n  - {name: a, ip: 10.1.0.1} # small\n  - {name: b, ip: 10.1.0.2}\n"),
        ("windows", "\r\nvips:\r\n  - name: a\r\n    ip: 10.1.0.1\r\n# end\r\n"),
        (
            "another key first",
            "\nvips:\n  - ip: 10.1.0.1\n    name: a\n    prefer:\n      - node1\n      # two\n      - node2\n",
        ),
        ("a folded text", "\nvips:\n  - name: >-\n      a\n    ip: 10.1.0.1\n\n  # tail\n"),
    ] {
        let text = format!("{head}{rest}");
        let mut wanted = shared(&text);
        wanted.vips.insert("a".into(), vip("10.1.0.9/16"));
        wanted.vips.insert("new".into(), vip("10.2.0.1/24"));
        wanted.failback = true;
        let edited = edit(&text, &shared(&text).changes_to(&wanted));
        let edited = edited.unwrap_or_else(|Stuck| panic!("{layout}: stuck"));
        assert_eq!(shared(&edited), wanted, "{layout}:\n{edited}");
        if rest.contains('\r') {
            assert_eq!(edited.matches('\n').count() - 1, edited.matches("\r\n").count(), "{edited}");
        }
        let mut less = wanted.clone();
        less.vips.remove("a");
        let edited = edit(&edited, &wanted.changes_to(&less)).unwrap();
        assert_eq!(shared(&edited), less, "{layout}:\n{edited}");
        less.vips.clear();
        let edited = edit(&edited, &shared(&edited).changes_to(&less)).unwrap();
        assert_eq!(shared(&edited), less, "{layout}:\n{edited}");
        assert!(check(&edited, &Context::default()).valid().is_some(), "{layout}:\n{edited}");
    }
}

#[test]
fn a_text_that_does_not_read_is_left_alone() {
    let new = Shared { failback: false, ..Shared::default() };
    for text in [
        "cluster: {name: prod\n",
        "",
        "cluster: {name: prod, failback: maybe}\nnode: {name: a}\n",
        "[]",
        "cluster: {name: prod}\nnode: {name: a}\n...\nx",
    ] {
        assert_eq!(edit(text, &Shared::default().changes_to(&new)), Err(Stuck), "{text}");
    }
    assert_eq!(edit("[", &[]).as_deref(), Ok("["), "nothing to do is nothing done");
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("null"), Just("12"), Just("web-1.x")].prop_map(str::to_owned)
}

fn some_vip() -> impl Strategy<Value = Vip> {
    let interface = prop_oneof![Just(None), Just(Some("eth0".to_owned())), Just(Some("#x".to_owned()))];
    (1u8..250, 8u8..30, interface, proptest::collection::vec(name(), 0..3))
        .prop_map(|(last, prefix, interface, mut prefer)| {
            prefer.sort();
            prefer.dedup();
            Vip { address: format!("10.9.8.{last}/{prefix}").parse().unwrap(), interface, prefer }
        })
        .prop_filter("a host's", |vip| {
            vip.address.addr() != vip.address.network() && vip.address.addr() != vip.address.broadcast()
        })
}

fn some_check() -> impl Strategy<Value = HealthCheck> {
    let probe = prop_oneof![
        "[a-z]{1,8}".prop_map(|host| Probe::Tcp { target: format!("{host}:80") }),
        Just(Probe::Systemd { unit: "x.service".into() }),
        "[ -~é\\n\\t]{1,20}".prop_map(|body| Probe::Http {
            url: "http://x/?a=b#c".into(),
            status: Some(204),
            body: Some(body),
            ca_file: Some("/etc/ca: file #1".into()),
        }),
        proptest::collection::vec("[ -~é\\n]{0,12}", 0..3).prop_map(|args| Probe::Program {
            command: std::iter::once("/bin/x".to_owned()).chain(args).collect()
        }),
    ];
    (probe, 100u64..100_000, 1u32..9, prop_oneof![Just(0u64), 1u64..9000]).prop_map(
        |(probe, time, count, grace)| HealthCheck {
            probe,
            interval_ms: time,
            timeout_ms: 5000,
            fall: count,
            rise: 2,
            start_grace_ms: grace,
            service: None,
            critical: count > 4,
            restart_unit: (count > 6).then(|| "y.service".to_owned()),
        },
    )
}

fn some_service() -> impl Strategy<Value = Managed> {
    (name(), 0u32..3, 100u64..90_000, any::<bool>(), proptest::option::of(some_check())).prop_map(
        |(unit, restarts, time, flag, check)| Managed {
            service: Service {
                restarts,
                critical: flag,
                start_timeout_ms: time,
                failure_expiry_s: time.div_ceil(1000),
                elsewhere: if flag { Elsewhere::Report } else { Elsewhere::Stop },
                ..Service::new(&format!("{unit}.service"))
            },
            check: check.map(|check| HealthCheck { critical: false, restart_unit: None, ..check }),
        },
    )
}

fn some_texts() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    proptest::collection::btree_map("[a-z][a-z0-9-]{0,6}", "[ -~é\\n]{0,10}", 0..3)
}

fn some_trust() -> impl Strategy<Value = Trust> {
    prop_oneof![
        Just(Trust::System),
        Just(Trust::Any),
        Just(Trust::CaFile("/etc/ca: file #1".into())),
        Just(Trust::Fingerprint("AB:".repeat(31) + "0F")),
    ]
}

fn some_webhook() -> impl Strategy<Value = Webhook> {
    (some_texts(), some_trust(), any::<bool>(), proptest::option::of("[ -~é\\n]{0,12}")).prop_map(
        |(headers, trust, flag, body_template)| Webhook {
            fence_url: "http://x/{{node}}?a=b#c".into(),
            unfence_url: flag.then(|| "http://x/on".into()),
            status_url: (!flag).then(|| "https://x/{{action}}".into()),
            method: if flag { "PUT" } else { "POST" }.into(),
            headers,
            headers_file: flag.then(|| "/etc/sfha/headers".into()),
            body_template,
            timeout_ms: if flag { 30_000 } else { 1_500 },
            trust,
            answer_is_proof: flag,
        },
    )
}

fn some_target() -> impl Strategy<Value = Target> {
    (1u32..999, any::<bool>(), some_texts(), proptest::option::of("[0-9a-z]{1,3}")).prop_map(
        |(vmid, flag, mut parameters, plug)| {
            parameters.extend(plug.map(|plug| ("plug".to_owned(), plug)));
            Target {
                guest: Some(if flag { GuestType::Qemu } else { GuestType::Lxc }),
                vmid: Some(vmid),
                levels: if flag { vec![Level::Watchdog, Level::Proxmox] } else { Vec::new() },
                parameters,
            }
        },
    )
}

fn some_safety() -> impl Strategy<Value = Safety> {
    (any::<bool>(), prop_oneof![Just(60_000u64), 100u64..90_000], 1u32..9).prop_map(|(flag, time, count)| {
        Safety {
            min_delay_between_fence_ms: time,
            backoff_ms: time,
            max_fences_per_5min: count,
            attempts: count,
            power_on: flag,
            ..Safety::default()
        }
    })
}

fn some_stonith() -> impl Strategy<Value = FencingSettings> {
    let agent = (some_texts(), any::<bool>()).prop_map(|(parameters, flag)| Agent {
        program: "fence_x-y".into(),
        parameters,
        secrets_file: flag.then(|| "/etc/sfha/x".into()),
    });
    let proxmox = (some_trust(), proptest::collection::vec("https://[a-z]{1,5}:8006", 1..3)).prop_map(
        |(trust, api_urls)| Proxmox {
            api_urls,
            token_id: "a@pve!b".into(),
            token_secret_file: "/etc/sfha/proxmox.secret".into(),
            host: (trust == Trust::Any).then(|| "pve".into()),
            trust,
        },
    );
    let some = (
        any::<[bool; 4]>(),
        proxmox,
        proptest::option::of(some_webhook()),
        proptest::collection::btree_map("[a-z]{3}", agent, 0..3),
        prop_oneof![Just(15_000u64), 2_000u64..600_000],
        proptest::collection::btree_map(name(), some_target(), 0..3),
        some_safety(),
        prop_oneof![Just(3600u64), 0u64..5],
    )
        .prop_map(|(flags, proxmox, webhook, agents, timeout_ms, nodes, safety, test_interval_s)| {
            let mut levels = vec![Level::Proxmox];
            levels.extend(webhook.as_ref().filter(|_| flags[0]).map(|_| Level::Webhook));
            levels.extend(agents.keys().filter(|_| flags[1]).map(|name| Level::Agent(name.clone())));
            FencingSettings {
                enabled: flags[2],
                dry_run: flags[3],
                levels,
                proxmox: Some(proxmox),
                webhook,
                agents,
                watchdog: WatchdogDevice { timeout_ms, ..WatchdogDevice::default() },
                nodes,
                safety,
                on_stop_failure: if flags[1] { OnStopFailure::Wait } else { OnStopFailure::FenceCritical },
                test_interval_s,
            }
        });
    prop_oneof![1 => Just(FencingSettings::off()), 3 => some]
}

fn some_shared() -> impl Strategy<Value = Shared> {
    let device = (name(), 1u16.., any::<bool>()).prop_map(|(host, port, flag)| Qdevice {
        host,
        port,
        algorithm: if flag { Algorithm::Lms } else { Algorithm::Ffsplit },
        tls: if flag { Tls::On } else { Tls::Required },
    });
    let constraint = (name(), name(), any::<bool>()).prop_map(|(a, b, order)| match order {
        true => Constraint::Order { first: a, then: b },
        false => Constraint::Colocation { resource: a, with: b },
    });
    (
        any::<bool>(),
        proptest::collection::btree_map(name(), some_vip(), 0..4),
        proptest::collection::btree_map(name(), some_service(), 0..3),
        proptest::collection::btree_map(name(), some_check(), 0..3),
        proptest::collection::btree_set(constraint, 0..3),
        some_stonith(),
        proptest::option::of(device),
    )
        .prop_map(|(failback, vips, mut services, checks, constraints, stonith, qdevice)| {
            for (name, managed) in &mut services {
                if let Some(check) = &mut managed.check {
                    check.service = Some(name.clone());
                }
            }
            Shared { failback, vips, services, checks, constraints, stonith, qdevice }
        })
}

#[test]
fn of_fencing_only_what_differs_is_touched_and_a_secret_of_this_node_stays() {
    let text = "\
cluster: {name: prod}
node: {name: node1}
stonith:
  enabled: false   # not yet
  provider: proxmox
  proxmox:
    # The first host.
    api_url: https://pve1:8006
    token_id: a@pve!b
    token_secret: hush # ours
  nodes:
    node1: {type: qemu, vmid: 101}
    # The second.
    node2: {type: qemu, vmid: 102}
  safety:
    backoff: 10s # as usual
# The end.
";
    let changed = differs(text, |shared| {
        shared.stonith.enabled = true;
        shared.stonith.proxmox.as_mut().unwrap().api_urls = vec!["https://pve2:8006".into()];
        shared.stonith.nodes.get_mut("node2").unwrap().vmid = Some(202);
        shared.stonith.safety.backoff_ms = 20_000;
        shared.stonith.test_interval_s = 0;
    });
    assert_eq!(
        changed,
        [
            "-  enabled: false   # not yet",
            "-  provider: proxmox",
            "-  proxmox:",
            "-    # The first host.",
            "-    api_url: https://pve1:8006",
            "-    token_id: a@pve!b",
            "-    token_secret: hush # ours",
            "-  nodes:",
            "-    node1: {type: qemu, vmid: 101}",
            "-    # The second.",
            "-    node2: {type: qemu, vmid: 102}",
            "-  safety:",
            "-    backoff: 10s # as usual",
            "+  enabled: true   # not yet",
            "+  provider: proxmox",
            "+  proxmox:",
            "+    # The first host.",
            "+    api_url: https://pve2:8006",
            "+    token_id: a@pve!b",
            "+    token_secret: hush # ours",
            "+  nodes:",
            "+    node1: {type: qemu, vmid: 101}",
            "+    # The second.",
            "+    node2:",
            "+      type: qemu",
            "+      vmid: 202",
            "+  safety:",
            "+    backoff: 20s # as usual",
            "+  test_interval: 0s",
        ]
    );
    let gone = differs(text, |shared| shared.stonith = FencingSettings::off());
    assert_eq!(gone.len(), 14, "{gone:#?}");
}

/// Lines that belong to no entry: after any edit they are all there, in their order.
fn others(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains("keep")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// From any configuration to any other, through a file with comments between its entries.
    #[test]
    fn an_edited_text_says_the_change_and_keeps_every_other_line(from in some_shared(), to in some_shared(), crlf in any::<bool>()) {
        let mut text = String::from("# keep 1\ncluster:\n  name: prod # keep 2\nnode:\n  name: node1\nvips: # keep 3\nservices:\n  # keep 4\nhealth_checks:\n# keep 5\n\nconstraints:\nlogging: {level: info} # keep 6\n");
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let first = edit(&text, &Shared::default().changes_to(&from)).unwrap();
        prop_assert_eq!(&shared(&first), &from, "{}", first);
        let second = edit(&first, &from.changes_to(&to)).unwrap();
        prop_assert_eq!(&shared(&second), &to, "{}\n{}", first, second);
        prop_assert_eq!(others(&second), others(&text));
        prop_assert_eq!(edit(&second, &to.changes_to(&to)).unwrap(), second.clone());
        // An entry that is in both is there in the same bytes.
        let (mine, theirs) = (from.entries(), to.entries());
        for (key, entry) in mine.iter().filter(|(key, entry)| theirs.get(key) == Some(entry) && list_of(key).is_some()) {
            let newline = if crlf { "\r\n" } else { "\n" };
            let lines = render::item(&fields(key, entry), 2).join(newline);
            prop_assert!(second.contains(&lines), "{:?}\n{}", key, second);
        }
    }
}
