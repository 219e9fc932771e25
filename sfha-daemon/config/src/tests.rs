use proptest::prelude::*;
use serde_json::json;
use sfha_core::fencing::settings::{Level, Trust};
use sfha_core::resources::{Constraint, Elsewhere, Probe};
use sfha_proto::config::FindingCode;

use super::*;
use crate::stonith::PROXMOX_SECRET;

const HEAD: &str = "cluster: {name: prod}\nnode: {name: node1}\n";

/// The findings of a file with this after its head, as `code key line:column details`.
fn found(rest: &str) -> Vec<String> {
    told(&check(&format!("{HEAD}{rest}"), &Context::default()).findings)
}

fn told(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| {
        let code = serde_json::to_value(finding.code).unwrap();
        let details: Vec<String> = finding
            .details
            .iter()
            .filter(|(name, _)| name.as_str() != "allowed")
            .map(|(name, value)| {
                format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned))
            })
            .collect();
        let place = format!("{}:{}", finding.line, finding.column);
        let parts = [code.as_str().unwrap(), &finding.key, &place, &details.join(" ")];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    findings.iter().map(one).collect()
}

#[test]
fn the_example_is_without_fault() {
    let checked = check(EXAMPLE, &Context::default());
    assert_eq!(told(&checked.findings), Vec::<String>::new());
    let config = checked.valid().unwrap();
    assert_eq!(
        (config.cluster.as_str(), config.node.as_str(), config.priority),
        ("prod", "node1", Some(100))
    );
    let nginx = &config.shared.services["nginx"];
    assert_eq!((nginx.service.restarts, nginx.service.failure_expiry_s), (2, 600));
    assert_eq!(nginx.check.as_ref().unwrap().start_grace_ms, 10_000);
    assert_eq!(config.shared.stonith.nodes["node2"].vmid, Some(211));
}

/// Also of those that are only shown in a comment; with its comment sign taken away, each is one of the
/// schema.
#[test]
fn the_example_has_every_key_of_the_schema() {
    let mut missing = Vec::new();
    for (map, keys) in SCHEMA {
        for key in *keys {
            let shown = EXAMPLE.lines().any(|line| {
                line.trim_start()
                    .trim_start_matches("- ")
                    .trim_start_matches("# ")
                    .trim_start()
                    .starts_with(&format!("{key}:"))
            });
            if !shown {
                missing.push(format!("{map}.{key}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    let without_signs: Vec<String> = EXAMPLE
        .lines()
        .map(|line| {
            let sign = line.trim_start().strip_prefix("# ").filter(|rest| {
                let key = rest.trim_start().split(':').next().unwrap();
                SCHEMA.iter().any(|(_, keys)| keys.contains(&key)) || ["Content-Type"].contains(&key)
            });
            match sign {
                Some(rest) => format!("{}{rest}", &line[..line.len() - line.trim_start().len()]),
                None => line.to_owned(),
            }
        })
        .collect();
    let checked = check(&without_signs.join("\n"), &Context::default());
    assert!(
        checked.findings.iter().all(|finding| finding.code != FindingCode::UnknownKey),
        "{:?}",
        told(&checked.findings)
    );
    assert!(checked.config.is_some());
}

/// The file that the original program ships, in its keys and values.
#[test]
fn a_file_of_the_original_program_loads_with_its_warnings() {
    let text = r#"
cluster:
  name: mon-cluster
  quorum_required: false
  failover_delay_ms: 3000
  poll_interval_ms: 2000
node:
  name: node1
  priority: 100
vips:
  - name: vip-main
    ip: 192.168.1.250/25
    interface: eth0
  - {name: second, ip: 192.168.1.251}
services:
  - name: nginx
    type: systemd
    unit: nginx
    critical: true
    restart_service: true
    healthcheck:
      type: http
      target: "http://127.0.0.1/health"
      interval_ms: 4000
      failures_before_unhealthy: 4
constraints:
  - {type: colocation, resource: nginx, with: vip-main}
  - {type: order, first: vip-main, then: nginx}
health_checks:
  - name: ssh
    type: tcp
    target: 127.0.0.1:22
    interval: 15
    critical: true
    restart_service: ssh
stonith:
  enabled: true
  provider: proxmox
  proxmox:
    api_url: https://proxmox:8006
    token_id: root@pam!sfha
    token_secret: hush
    verify_ssl: false
    pve_node: pve01
  nodes:
    node1: {type: lxc, vmid: 210}
logging:
  level: info
"#;
    let checked = check(text, &Context::default());
    assert_eq!(
        told(&checked.findings),
        [
            "quorum-always cluster.quorum_required 4:20",
            "ignored cluster.failover_delay_ms 5:22 name=failover_delay_ms",
            "ignored cluster.poll_interval_ms 6:21 name=poll_interval_ms",
            "secret-in-file stonith.proxmox.token_secret 42:19 name=token_secret",
            "unverified stonith.proxmox.verify_ssl 43:17",
        ]
    );
    let config = checked.valid().unwrap();
    let shared = &config.shared;
    assert_eq!(shared.vips["vip-main"].address.to_string(), "192.168.1.250/25");
    assert_eq!(shared.vips["second"].address.to_string(), "192.168.1.251/24");
    let nginx = &shared.services["nginx"];
    assert_eq!((nginx.service.unit.as_str(), nginx.service.restarts), ("nginx.service", 1));
    let check = nginx.check.as_ref().unwrap();
    assert_eq!((check.interval_ms, check.timeout_ms, check.fall, check.rise), (4000, 2000, 4, 2));
    assert!(matches!(&check.probe, Probe::Http { url, .. } if url == "http://127.0.0.1/health"));
    let ssh = &shared.checks["ssh"];
    assert_eq!((ssh.interval_ms, ssh.timeout_ms, ssh.critical), (15_000, 5000, true));
    assert_eq!(ssh.restart_unit.as_deref(), Some("ssh.service"));
    assert_eq!(shared.constraints.len(), 2);
    let stonith = &config.shared.stonith;
    assert!(stonith.enabled && stonith.levels == [Level::Proxmox]);
    let proxmox = stonith.proxmox.as_ref().unwrap();
    assert_eq!((&proxmox.trust, proxmox.host.as_deref()), (&Trust::Any, Some("pve01")));
    // The secret is this node's own, and no other's.
    assert_eq!(proxmox.token_secret_file.to_str(), Some(PROXMOX_SECRET));
    assert_eq!(config.secrets.0[PROXMOX_SECRET].as_str(), "hush");
    assert!(!serde_json::to_string(shared).unwrap().contains("hush"));
    assert!(!format!("{config:?}").contains("hush"));
    assert!(!serde_json::to_string(&checked.findings).unwrap().contains("hush"));
}

#[test]
fn every_fault_is_told_at_once_where_it_is() {
    let text = "\
vipz: []
vips:
  - name: web
    ip: 10.0.0.300
    cidr: many
    intreface: eth0
  - name: web
    ip: 10.0.0.2
    name: web
services:
  - name: nginx
    unit: n ginx
    critical: maybe
    start_timeout: soon
    restarts: -1
  - {name: other, elsewhere: stopp, stop_timeout: 90000000}
health_checks: none
constraints:
  - {type: order, first: wbe, then: nginx}
  - {type: colocation, first: web}
  - {type: anti}
";
    assert_eq!(
        found(text),
        [
            "unknown-key vipz 3:1 name=vipz suggestion=vips",
            "bad-address vips[0].ip 6:9 value=10.0.0.300",
            "unknown-key vips[0].intreface 8:5 name=intreface suggestion=interface",
            "duplicate-name vips 9:11 first=5 name=web",
            "duplicate-key vips[1].name 11:5 first=9 name=name",
            "bad-unit services[0].unit 14:11 value=n ginx",
            "wrong-type services[0].critical 15:15 found=text wanted=bool",
            "bad-duration services[0].start_timeout 16:20 value=soon",
            "out-of-range services[0].restarts 17:15 least=0 most=1000 value=-1",
            "not-allowed services[1].elsewhere 18:30 suggestion=stop value=stopp",
            "duration-range services[1].stop_timeout 18:51 least=100ms most=10m value=90000000",
            "wrong-type health_checks 19:16 found=text wanted=list",
            "unknown-resource constraints 21:26 name=wbe suggestion=web",
            "missing-key constraints[1].resource 22:5 name=resource",
            "missing-key constraints[1].with 22:5 name=with",
            "not-for-type constraints[1].first 22:31 kind=colocation name=first",
            "not-allowed constraints[2].type 23:12 value=anti",
        ]
    );
}

#[test]
fn each_kind_of_fault_has_its_code() {
    for (rest, wanted) in [
        ("vips: [", &["syntax 4:1 cause=while parsing a node, did not find expected node content"] as &[_]),
        ("vips:\n\t- name: a\n", &["tab 4:1"]),
        ("vips: &a []\nservices: *a\n", &["alias 3:7", "alias 4:11"]),
        ("vips: !!seq []\n", &["tag 3:7"]),
        ("---\nx: 1\n", &["second-document 3:1"]),
        ("vips: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", &["too-deep 3:22 limit=16"]),
        ("vips: [{name: a, ip: 10.0.0.0/24}]", &["not-a-host vips[0].ip 3:22 value=10.0.0.0/24"]),
        ("vips: [{name: a, ip: 127.0.0.1}]", &["not-a-host vips[0].ip 3:22 value=127.0.0.1"]),
        ("vips: [{name: a, ip: 10.0.0.1/33}]", &["bad-address vips[0].ip 3:22 value=10.0.0.1/33"]),
        (
            "vips: [{name: a, ip: 10.0.0.1, cidr: 33}]",
            &["out-of-range vips[0].cidr 3:38 least=0 most=32 value=33"],
        ),
        ("vips: [{name: a b, ip: 10.0.0.1}]", &["bad-name vips[0].name 3:15 value=a b"]),
        (
            "vips: [{name: a, ip: 10.0.0.1, interface: a/b}]",
            &["bad-interface vips[0].interface 3:43 value=a/b"],
        ),
        (
            "vips: [{name: a, ip: 10.0.0.1}, {name: b, ip: 10.0.0.1/16}]",
            &["duplicate-address vips 3:40 first=3 value=10.0.0.1"],
        ),
        (
            "vips: [{name: a, ip: 10.0.0.1, prefer: [n, n]}]",
            &["duplicate-name vips[0].prefer 3:44 first=3 name=n"],
        ),
        (
            "services: [{name: a}, {name: b, unit: a}]",
            &["duplicate-unit services 3:30 first=3 value=a.service"],
        ),
        (
            "vips: [{name: a, ip: 10.0.0.1}]\nservices: [{name: a}]",
            &["duplicate-name services 4:19 first=3 name=a"],
        ),
        (
            "services: [{name: a, restarts: 1, restart_service: true}]",
            &["conflicting-keys services[0].restart_service 3:52 name=restarts other=restart_service"],
        ),
        (
            "services: [{name: a, healthcheck: {type: http, url: 'ftp://x/'}}]",
            &["bad-url services[0].healthcheck.url 3:53 value=ftp://x/"],
        ),
        (
            "health_checks: [{name: a, type: http, url: 'http://u:p@x/'}]",
            &["bad-url health_checks[0].url 3:44 value=http://u:p@x/"],
        ),
        ("corosync: {qdevice: {}}", &["missing-key corosync.qdevice.host 3:21 name=host"]),
        (
            "corosync: {qdevice: {host: 'a b', port: 0, algorithm: lsm}}",
            &[
                "bad-host corosync.qdevice.host 3:28 value=a b",
                "out-of-range corosync.qdevice.port 3:41 least=1 most=65535 value=0",
                "not-allowed corosync.qdevice.algorithm 3:55 suggestion=lms value=lsm",
            ],
        ),
        ("health_checks: [{name: a, target: 'x:0'}]", &["bad-target health_checks[0].target 3:35 value=x:0"]),
        (
            "health_checks: [{name: a, type: program, command: [x]}]",
            &["bad-path health_checks[0].command 3:52 value=x"],
        ),
        (
            "health_checks: [{name: a, type: program, command: []}]",
            &["empty-command health_checks[0].command 3:51"],
        ),
        (
            "health_checks: [{name: a, target: 'x:1', url: 'http://x'}]",
            &["not-for-type health_checks[0].url 3:47 kind=tcp name=url"],
        ),
        (
            "health_checks: [{name: a, target: 'x:1', service: b}]",
            &["unknown-service health_checks[0].service 3:51 name=b"],
        ),
        (
            "services: [{name: a}]\nconstraints: [{type: order, first: a, then: a}]",
            &["tied-to-itself constraints 4:15 name=a"],
        ),
        (
            "services: [{name: a}, {name: b}]\nconstraints:\n- &x {type: order, first: a, then: b}",
            &["alias 5:3"],
        ),
        (
            "services: [{name: a}, {name: b}]\nconstraints:\n- {type: order, first: a, then: b}\n- {type: order, first: a, then: b}",
            &["duplicate-constraint constraints 6:3 first=5"],
        ),
        ("logging: {level: loud}", &["not-allowed logging.level 3:18 value=loud"]),
        ("stonith: {enabled: true, provider: webhook}", &["missing-key stonith.webhook 3:10 name=webhook"]),
        (
            "stonith: {webhook: {fence_url: 'nonsense secret'}}",
            &["bad-url stonith.webhook.fence_url 3:32 value=…"],
        ),
        (
            "stonith: {proxmox: {api_url: 'https://x', token_id: a, token_secret_file: hush}}",
            &["bad-path stonith.proxmox.token_secret_file 3:75 value=…"],
        ),
        ("stonith: {enabled: true}", &["missing-key stonith.provider 3:10 name=provider"]),
        ("stonith: {enabled: true, levels: []}", &["missing-key stonith.provider 3:10 name=provider"]),
        (
            "stonith: {provider: watchdog, levels: [watchdog]}",
            &["conflicting-keys stonith.provider 3:21 name=levels other=provider"],
        ),
        (
            "stonith:\n  levels: [watchdgo, ipmi, watchdog, watchdog]",
            &[
                "not-allowed stonith.levels[0] 4:12 suggestion=watchdog value=watchdgo",
                "not-allowed stonith.levels[1] 4:22 value=ipmi",
                "duplicate-name stonith.levels[3] 4:38 first=4 name=watchdog",
            ],
        ),
        (
            "stonith:\n  enabled: true\n  provider: fence_agents",
            &["missing-key stonith.fence_agents 4:3 name=fence_agents"],
        ),
        (
            "stonith:\n  fence_agents:\n    webhook: {agent: fence_x}\n    ipmi: {agent: reboot}\n    apc: {}",
            &[
                "bad-name stonith.fence_agents 5:5 value=webhook",
                "bad-agent stonith.fence_agents.ipmi.agent 6:19 value=reboot",
                "missing-key stonith.fence_agents.apc.agent 7:5 name=agent",
            ],
        ),
        (
            "stonith:\n  fence_agents:\n    ipmi: {agent: fence_ipmilan, options: {username: a, password: hush}, options_file: /etc/x}",
            &[
                "conflicting-keys stonith.fence_agents.ipmi.options 5:43 name=options_file other=options",
                "secret-in-file stonith.fence_agents.ipmi.options 5:43 name=options",
            ],
        ),
        (
            "stonith:\n  provider: watchdog\n  watchdog: {device: watchdog, timeout: 1}\n  nodes:\n    node1: {plug: 3, options: {plug: 4, passwd: hush}}",
            &[
                "bad-path stonith.watchdog.device 5:22 value=watchdog",
                "duration-range stonith.watchdog.timeout 5:41 least=2s most=10m value=1",
                "conflicting-keys stonith.nodes.node1.plug 7:19 name=options.plug other=plug",
                "shared-secret stonith.nodes.node1.options 7:31 name=options",
            ],
        ),
        (
            "stonith:\n  provider: proxmox\n  proxmox: {api_urls: ['https://a', nonsense], token_id: a, token_secret_file: /a, fingerprint: AA, ca_file: /b, verify_ssl: false}\n  nodes: {node1: {levels: [watchdog]}, node2: {}}",
            &[
                "bad-url stonith.proxmox.api_urls 5:37 value=…",
                "bad-fingerprint stonith.proxmox.fingerprint 5:97 value=AA",
                "conflicting-keys stonith.proxmox.ca_file 5:110 name=fingerprint other=ca_file",
                "conflicting-keys stonith.proxmox.verify_ssl 5:126 name=fingerprint other=verify_ssl",
                "missing-key stonith.nodes.node2.vmid 6:40 name=vmid",
            ],
        ),
        (
            "stonith: {on_stop_failure: reboot, test_interval: soon, safety: {attempts: 0, backoff: 0, power_on: 1}}",
            &[
                "not-allowed stonith.on_stop_failure 3:28 value=reboot",
                "bad-duration stonith.test_interval 3:51 value=soon",
                "out-of-range stonith.safety.attempts 3:76 least=1 most=100 value=0",
                "duration-range stonith.safety.backoff 3:88 least=100ms most=1day value=0",
                "wrong-type stonith.safety.power_on 3:101 found=number wanted=bool",
            ],
        ),
    ] {
        assert_eq!(found(rest), wanted, "{rest}");
    }
}

#[test]
fn a_circle_of_constraints_is_named() {
    let text = "services: [{name: a}, {name: b}, {name: c}, {name: d}]\nconstraints:\n\
                - {type: order, first: d, then: a}\n- {type: order, first: a, then: b}\n\
                - {type: order, first: b, then: c}\n- {type: order, first: c, then: a}\n\
                - {type: colocation, resource: a, with: b}\n- {type: colocation, resource: b, with: c}\n";
    assert_eq!(found(text), ["cycle constraints 8:3 names=a → b → c → a"]);
    // The longest chain there can be is walked without recursion.
    let mut long = String::from("services:\n");
    (0..256).for_each(|n| long.push_str(&format!("- name: s{n}\n")));
    long.push_str("constraints:\n");
    (0..255).for_each(|n| long.push_str(&format!("- {{type: order, first: s{n}, then: s{}}}\n", n + 1)));
    assert_eq!(found(&long), Vec::<String>::new());
}

#[test]
fn an_edited_file_is_compared_with_the_cluster_it_is_for() {
    let nodes = ["node1".to_owned(), "node2".to_owned()];
    let context = Context { cluster: Some("prod"), node: Some("node1"), nodes: Some(&nodes) };
    let text =
        "cluster: {name: test}\nnode: {name: node7}\nvips: [{name: a, ip: 10.0.0.1, prefer: [nod2]}]\n";
    assert_eq!(
        told(&check(text, &context).findings),
        [
            "other-cluster cluster.name 1:17 value=test wanted=prod",
            "other-node node.name 2:14 value=node7 wanted=node1",
            "unknown-node vips[0].prefer 3:41 name=nod2 suggestion=node2",
        ]
    );
}

#[test]
fn nothing_and_too_much_are_findings() {
    let missing = ["missing-key cluster 1:1 name=cluster", "missing-key node 1:1 name=node"];
    assert_eq!(told(&check("", &Context::default()).findings), missing);
    assert_eq!(told(&check("# only a comment\n", &Context::default()).findings), missing);
    let large = format!("{HEAD}#{}", "x".repeat(MAX_TEXT));
    assert_eq!(told(&check(&large, &Context::default()).findings), ["too-large 1:1 limit=1048576"]);
    let mut many = String::from("vips:\n");
    (0..257)
        .for_each(|n| many.push_str(&format!("- {{name: v{n}, ip: 10.0.{}.{}}}\n", n / 200, n % 200 + 1)));
    assert_eq!(found(&many), ["too-many vips 260:3 limit=256 what=vips"]);
    let flood: String = (0..1000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(check(&flood, &Context::default()).findings.len(), 100);
}

#[test]
fn the_failure_has_the_first_place_and_all_findings() {
    let checked = check("cluster: {name: prod}\nnode: {nam: a}\n", &Context::default());
    let failure = checked.failure("/x.yml").unwrap();
    assert_eq!(failure.details["path"], "/x.yml");
    assert_eq!((failure.details["line"].clone(), failure.details["column"].clone()), (json!(2), json!(7)));
    assert_eq!(failure.details["reason"], "node.name: missing-key");
    assert_eq!(failure.details["findings"].as_array().unwrap().len(), 2);
    assert!(check(EXAMPLE, &Context::default()).failure("x").is_none());
}

#[test]
fn every_value_is_read_as_it_is_written() {
    let text = "services:\n- {name: a, unit: x@1.timer, elsewhere: report, stop_timeout_ms: 1500, failure_expiry: 1h 30m}\n\
                - {name: 'true', prefer: [\"node2\"]}\nhealth_checks:\n- {name: t, target: '[fd00::1]:80', service: a, start_grace: 0}\n\
                constraints:\n- {type: order, first: a, then: 'true'}\n";
    let checked = check(&format!("{HEAD}{text}"), &Context::default());
    let shared = &checked.valid().unwrap_or_else(|| panic!("{:?}", told(&checked.findings))).shared;
    let a = &shared.services["a"].service;
    assert_eq!((a.unit.as_str(), a.elsewhere), ("x@1.timer", Elsewhere::Report));
    assert_eq!((a.stop_timeout_ms, a.failure_expiry_s), (1500, 5400));
    assert_eq!(shared.services["true"].service.prefer, ["node2"]);
    assert_eq!(shared.checks["t"].service.as_deref(), Some("a"));
    let order = Constraint::Order { first: "a".into(), then: "true".into() };
    assert!(shared.constraints.contains(&order));
}

#[test]
fn what_is_this_nodes_alone_is_read() {
    let text = "access: {read: [alice, '@ops'], write: []}\nmetrics: {listen: '[::1]:9777'}\nhooks:\n\
                - {name: a, on: [vip-moved], program: [/bin/x, y], timeout: 500ms, retries: 0, everywhere: true}\n\
                - {name: b, webhook: 'https://x.example/hush', headers_file: /h}\n";
    let checked = check(&format!("{HEAD}{text}"), &Context::default());
    let local = &checked.valid().unwrap_or_else(|| panic!("{:?}", told(&checked.findings))).local;
    let who = vec![local::Who::User("alice".into()), local::Who::Group("ops".into())];
    assert_eq!(local.access, local::Access { read: Some(who), write: Vec::new() });
    assert_eq!(local.metrics, Some(local::Listen::Address("[::1]:9777".parse().unwrap())));
    let (program, webhook) = (&local.hooks[0], &local.hooks[1]);
    assert_eq!(program.call, local::Call::Program(vec!["/bin/x".into(), "y".into()]));
    assert_eq!((program.timeout_ms, program.retries, program.everywhere), (500, 0, true));
    assert!(program.on.as_ref().is_some_and(|on| on.len() == 1) && webhook.on.is_none());
    assert!(!format!("{webhook:?}").contains("hush"), "a URL may be a secret: {webhook:?}");
    let nothing = check(HEAD, &Context::default());
    assert_eq!(nothing.valid().unwrap().local, local::Local::default());
}

#[test]
fn what_is_wrong_with_it_is_told() {
    for (text, wanted) in [
        ("access: {read: alice}", "wrong-type access.read 3:16 found=text wanted=list"),
        ("access: {write: ['a b']}", "bad-name access.write 3:18 value=a b"),
        ("metrics: {listen: '9777'}", "bad-listen metrics.listen 3:19 value=9777"),
        ("metrics: {listen: localhost:9777}", "bad-listen metrics.listen 3:19 value=localhost:9777"),
        ("hooks: [{name: a}]", "missing-key hooks[0].program 3:9 name=program"),
        ("hooks: [{name: a, program: [x]}]", "bad-path hooks[0].program 3:29 value=x"),
        ("hooks: [{name: a, program: []}]", "empty-command hooks[0].program 3:28"),
        ("hooks: [{name: a, webhook: hush}]", "bad-url hooks[0].webhook 3:28 value=…"),
        (
            "hooks: [{name: a, program: [/x], webhook: 'http://x'}]",
            "conflicting-keys hooks[0].webhook 3:43 name=program other=webhook",
        ),
        (
            "hooks: [{name: a, program: [/x], on: [vip-move]}]",
            "not-allowed hooks[0].on 3:39 suggestion=vip-moved value=vip-move",
        ),
        (
            "hooks: [{name: a, program: [/x], headers_file: /x}]",
            "not-for-type hooks[0].headers_file 3:48 kind=program name=headers_file",
        ),
        (
            "hooks: [{name: a, program: [/x]}, {name: a, program: [/x]}]",
            "duplicate-name hooks[1].name 3:42 first=3 name=a",
        ),
    ] {
        assert_eq!(found(text), [wanted], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = check(&text, &Context::default());
    }

    /// Damage to a file that was whole: torn off, a piece lost, something put in.
    #[test]
    fn no_damage_makes_it_panic(at in 0usize..7000, lost in 0usize..60, put in "[\\[\\]{}:,\\-#&*!|>'\"%@`\\n\\t a]{0,6}") {
        let cut: String = EXAMPLE.chars().take(at).chain(put.chars()).chain(EXAMPLE.chars().skip(at + lost)).collect();
        let _ = check(&cut, &Context::default());
        let _ = edit::edit(&cut, &Shared::default().changes_to(&check(EXAMPLE, &Context::default()).config.unwrap().shared));
    }
}

#[test]
fn a_watchdog_that_would_reset_a_machine_for_nothing_is_told() {
    let file = |timeout: &str, stop: &str, level: &str| {
        format!(
            "cluster: {{name: c}}\nnode: {{name: n1}}\nservices:\n  - {{name: db, unit: db, stop_timeout: {stop}}}\n\
             stonith:\n  enabled: true\n  levels: [{level}]\n  watchdog: {{timeout: {timeout}}}\n  webhook: \
             {{fence_url: \"https://x/{{{{node}}}}\", status_url: \"https://x\"}}\n"
        )
    };
    let found = |timeout: &str, stop: &str, level: &str| {
        let checked = check(&file(timeout, stop, level), &Context::default());
        assert!(checked.valid().is_some(), "{:?}", checked.findings);
        told(&checked.findings)
    };
    assert_eq!(found("20s", "10s", "watchdog"), [] as [&str; 0]);
    assert_eq!(
        found("19s", "10s", "watchdog"),
        ["watchdog-before-stop stonith.watchdog.timeout 8:13 least=20 name=db seconds=19 stop=10"]
    );
    assert_eq!(found("9s", "1s", "webhook"), [] as [&str; 0], "nobody has one");
    let short = found("9s", "1s", "webhook, watchdog");
    assert_eq!(short[0], "watchdog-short stonith.watchdog.timeout 8:13 least=10 seconds=9");
}
