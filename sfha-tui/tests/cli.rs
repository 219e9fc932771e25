//! The real binary against a daemon that says what it is told to.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

mod common;

use common::{Fake, error, progress, result};

const TOKEN: &str = "sfha-join://eyJjbHVzdGVyIjoicHJvZCJ9";

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn made() -> Value {
    json!({"schema": 1, "token": TOKEN, "id": "k7f2", "ip": "10.100.0.2", "expires": "2099-01-01T00:00:00Z"})
}

/// A daemon whose cluster is as in the fixture, and that does whatever it is asked.
fn cluster(name: &'static str) -> Fake {
    let status = fixture(name);
    Fake::start(move |request| match request["method"].as_str().unwrap() {
        "status" => result(request, status.clone()),
        "mesh.status" => result(request, status["mesh_detail"].clone()),
        "mesh.token" => result(request, made()),
        "mesh.tokens" => {
            let open = json!({"id": "k7f2", "ip": "10.100.0.2", "expires": "2099-01-01T00:00:00Z",
                              "initiator": "node1", "state": "open", "node": null});
            result(request, json!([open]))
        }
        "failover" => {
            result(request, json!({"schema": 1, "moved": ["web"], "to": "node2", "elapsed_ms": 412}))
        }
        "vip.announce" => result(request, json!({"schema": 1, "announced": ["web"]})),
        "init" => {
            let token = if request["params"]["mesh"].is_null() { Value::Null } else { made() };
            let mut lines = vec![progress(request, "checking", 2), progress(request, "corosync", 310)];
            lines.extend(result(request, json!({"token": token, "cluster": "prod", "node": "node1"})));
            lines
        }
        "join" => {
            let mut lines = vec![progress(request, "contacting", 5), progress(request, "membership", 800)];
            let joined = json!({"schema": 1, "cluster": "prod", "node": "node2", "id": 2,
                                "ip": "10.100.0.2", "elapsed_ms": 1234});
            lines.extend(result(request, joined));
            lines
        }
        _ => result(request, json!({})),
    })
}

fn sfha(socket: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sfha"));
    command.arg("--socket").arg(socket).args(line.split_whitespace());
    for name in ["LC_ALL", "LC_MESSAGES", "SFHA_LANG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("LANG", "fr_FR.UTF-8").env("LC_CTYPE", "C.UTF-8").env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(socket: &Path, line: &str) -> Output {
    sfha(socket, line).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Standard output as the one document that it has to be.
fn document(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|e| panic!("{e}: {}", stdout(output)))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn status_tells_first_whether_all_is_well() {
    let fake = cluster("healthy");
    let output = run(fake.socket(), "status");
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    insta::assert_snapshot!("status_healthy_fr", stdout(&output));
    insta::assert_snapshot!("status_healthy_en", stdout(&run(fake.socket(), "--lang en status")));
    let fake = cluster("failing-over");
    insta::assert_snapshot!("status_failing_over_fr", stdout(&run(fake.socket(), "status")));
    let fake = cluster("no-quorum");
    insta::assert_snapshot!("status_no_quorum_fr", stdout(&run(fake.socket(), "status")));
    let fake = cluster("unconfigured");
    insta::assert_snapshot!("status_unconfigured_fr", stdout(&run(fake.socket(), "status")));
}

#[test]
fn texts_fit_in_eighty_columns_without_escape_sequences() {
    let lists = ["status", "nodes", "vip list", "resources", "health", "mesh status", "mesh tokens"];
    let others =
        ["mesh token", "init --cluster prod --mesh --ip 10.100.0.1/24", "join sfha-join://x", "failover"];
    for (name, lines) in [("failing-over", &lists[..]), ("unconfigured", &["status"]), ("healthy", &others)] {
        let fake = cluster(name);
        for line in lines {
            for lang in ["fr", "en"] {
                let text = stdout(&run(fake.socket(), &format!("{line} --lang {lang}")));
                assert!(!text.is_empty() && !text.contains('\x1b'), "{line}");
                let wide = text.lines().find(|line| line.chars().count() > 80);
                assert_eq!(wide, None, "{line} {lang}");
            }
        }
    }
}

#[test]
fn without_a_command_and_without_a_terminal_it_is_status() {
    let fake = cluster("healthy");
    assert_eq!(stdout(&run(fake.socket(), "")), stdout(&run(fake.socket(), "status")));
    assert_eq!(document(&run(fake.socket(), "-j"))["cluster"], "prod");
}

#[test]
fn marks_are_ascii_where_the_locale_is_not_utf8() {
    let fake = cluster("failing-over");
    let output = sfha(fake.socket(), "nodes").env("LC_ALL", "C").output().unwrap();
    let text = stdout(&output);
    assert!(text.contains("\n* node1") && text.contains("\no node2") && text.contains("\nx node3"), "{text}");
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let fake = cluster("healthy");
    let status = document(&run(fake.socket(), "status --json"));
    for (path, value) in [
        ("/schema", json!(1)),
        ("/cluster", json!("prod")),
        ("/node", json!("node1")),
        ("/version", json!("0.1.0")),
        ("/maintenance", json!(false)),
        ("/quorum", json!({"quorate": true, "votes": 3, "expected": 3, "needed": 2})),
        ("/leader", json!("node1")),
        (
            "/nodes/0",
            json!({"name": "node1", "id": 1, "online": true, "daemon": true, "standby": false,
                   "leader": true, "address": "10.100.0.1", "program": null, "state": null}),
        ),
        ("/vips/0/holder", json!("node1")),
        ("/vips/1/interface", Value::Null),
        ("/services", json!([])),
        ("/health", json!([])),
        ("/mesh", json!({"enabled": true, "peers": 2, "connected": 2})),
        ("/fencing/enabled", json!(false)),
        ("/fencing/provider", Value::Null),
        ("/fencing/pending", json!([])),
    ] {
        assert_eq!(status.pointer(path), Some(&value), "{path}");
    }
    let mesh = document(&run(fake.socket(), "mesh status --json"));
    assert_eq!((&mesh["interface"], &mesh["backend"]), (&json!("wg-sfha"), &json!("kernel")));
    assert_eq!(mesh["peers"][0]["state"], "connected");
    assert_eq!(document(&run(fake.socket(), "mesh token --json")), made());
    assert_eq!(document(&run(fake.socket(), "nodes -j"))["nodes"][2]["name"], "node3");
    assert_eq!(document(&run(fake.socket(), "vip list -j"))["vips"][0]["name"], "web");
    assert_eq!(document(&run(fake.socket(), "mesh tokens -j"))["tokens"][0]["id"], "k7f2");
    assert_eq!(document(&run(fake.socket(), "failover -j"))["moved"], json!(["web"]));
    assert_eq!(
        document(&run(fake.socket(), "vip add web 10.0.0.1/24 -j")),
        json!({"schema": 1, "done": true})
    );
}

#[test]
fn init_prints_the_token_on_a_line_of_its_own_and_the_steps_elsewhere() {
    let fake = cluster("healthy");
    let output = run(fake.socket(), "init --cluster prod --mesh --ip 10.100.0.1/24");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().filter(|line| *line == TOKEN).count(), 1);
    assert!(stdout(&output).contains("sfha join"));
    assert!(stderr(&output).contains("Démarrage de Corosync"));
    let asked = &fake.requests()[0];
    assert_eq!(asked["params"]["mesh"]["ip"], "10.100.0.1/24");
    let meshed = run(fake.socket(), "init --cluster prod --mesh --ip 10.100.0.1/24 --json");
    assert_eq!(document(&meshed), made());
    let plain = document(&run(fake.socket(), "init --cluster prod --json"));
    assert_eq!(plain, json!({"schema": 1, "token": null, "cluster": "prod", "node": "node1"}));
}

#[test]
fn join_takes_its_token_from_argument_file_or_standard_input() {
    let fake = cluster("healthy");
    let output = run(fake.socket(), &format!("join {TOKEN} --name node2 --timeout 90s --json"));
    let joined = json!({"schema": 1, "cluster": "prod", "node": "node2", "id": 2, "ip": "10.100.0.2",
                        "elapsed_ms": 1234});
    assert_eq!(document(&output), joined);
    assert!(stderr(&output).contains("Prise de contact"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    assert_eq!(code(&run(fake.socket(), &format!("join --token-file {}", file.display()))), 0);

    for line in ["join", "join -"] {
        let mut child =
            sfha(fake.socket(), line).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("  {TOKEN}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let requests = fake.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request["params"]["token"] == TOKEN));
    assert_eq!(requests[0]["params"]["name"], "node2");
    assert_eq!(requests[0]["params"]["timeout_ms"], 90_000);

    let damaged = run(fake.socket(), "join not-a-token --json");
    assert_eq!((code(&damaged), document(&damaged)["error"]["code"].clone()), (1, json!("token-damaged")));
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn an_interrupted_join_says_so() {
    let fake = Fake::start(|request| vec![progress(request, "contacting", 5), json!({"pause_ms": 20_000})]);
    let mut child = sfha(fake.socket(), &format!("join {TOKEN}")).stderr(Stdio::piped()).spawn().unwrap();
    while fake.requests().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(told.contains("Interrompu"), "{told}");
}

#[test]
fn refusals_have_their_exit_status_and_their_document() {
    for (name, details, status) in [
        ("no-quorum", json!({"votes": 1, "needed": 2}), 4),
        ("maintenance", json!({}), 4),
        ("not-permitted", json!({"user": "alice"}), 5),
        ("timed-out", json!({"what": "standby", "seconds": 30}), 6),
        ("internal", json!({"what": "standby", "cause": "broken"}), 1),
        ("invalid-parameter", json!({"parameter": "node", "value": "x", "reason": "y"}), 2),
        ("from-the-future", json!({}), 1),
    ] {
        let sent = details.clone();
        let fake = Fake::start(move |request| error(request, name, sent.clone()));
        let output = run(fake.socket(), "standby node2 --json");
        let error = &document(&output)["error"];
        assert_eq!(code(&output), status, "{name}");
        assert_eq!(error["details"], details);
        assert!(error["message"].as_str().unwrap().len() > 10);
        assert_eq!(stderr(&output), "");
        if name != "from-the-future" {
            assert_eq!(error["code"], name);
        }
        let text = run(fake.socket(), "standby node2");
        assert_eq!((code(&text), stdout(&text)), (status, String::new()));
        assert!(stderr(&text).starts_with("Erreur\u{a0}: "), "{}", stderr(&text));
    }
}

#[test]
fn without_a_daemon_it_is_three() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none");
    let output = run(&socket, "status");
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("ne répond pas") && stderr(&output).contains("systemctl start"));
    let output = run(&socket, "status -j --lang en");
    assert_eq!(code(&output), 3);
    assert_eq!(document(&output)["error"]["code"], "no-daemon");
    assert_eq!(document(&output)["error"]["details"]["socket"], socket.display().to_string());
}

#[test]
fn wrong_usage_is_two_in_text_and_in_json() {
    let none = Path::new("/nonexistent");
    for line in ["stat", "vip", "vip add web", "init", "join a b", "status --what", "maintenance maybe"] {
        let output = run(none, line);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{line}");
        assert!(stderr(&output).contains('→'), "{line}: {}", stderr(&output));
        let json = run(none, &format!("--json {line}"));
        assert_eq!(
            (code(&json), &document(&json)["error"]["code"]),
            (2, &json!("invalid-parameter")),
            "{line}"
        );
    }
    let output = run(none, "stat --lang en");
    let choices = "→ Did you mean: simulate, stonith, standby, status?\n";
    assert_eq!(stderr(&output), format!("Error: There is no command “stat”.\n{choices}"));
}

#[test]
fn a_configuration_is_judged_without_a_daemon() {
    let none = Path::new("/nonexistent");
    let example = run(none, "config-example");
    assert_eq!(code(&example), 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    std::fs::write(&path, stdout(&example)).unwrap();
    let line = format!("config-check {}", path.display());
    let good = run(none, &line);
    assert_eq!((code(&good), stdout(&good)), (0, format!("● {} se lit sans erreur.\n", path.display())));

    std::fs::write(&path, "cluster: {name: prod, poll_interval_ms: 5}\nnode: {name: n}\n").unwrap();
    let warned = document(&run(none, &format!("{line} --json")));
    assert_eq!((&warned["valid"], &warned["warnings"][0]["code"]), (&json!(true), &json!("ignored")));

    std::fs::write(&path, "cluster: {nam: prod}\nnode: {name: n}\nvips: [{name: a, ip: x}]\n").unwrap();
    let bad = run(none, &format!("{line} --lang en"));
    assert_eq!((code(&bad), stdout(&bad)), (1, String::new()));
    let told = stderr(&bad);
    assert!(told.contains("config.yml: 3 errors."), "{told}");
    assert!(told.contains("3 | vips: [{name: a, ip: x}]\n    |                      ^\n"), "{told}");
    let bad = document(&run(none, &format!("{line} --json")));
    assert_eq!(bad["error"]["code"], "file-invalid");
    let findings = bad["error"]["details"]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 3);
    assert_eq!(findings[0]["message"], "Il manque la clé «\u{a0}name\u{a0}».");

    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(document(&run(none, &format!("{line} --json")))["error"]["details"]["line"], 1);
    assert_eq!(code(&run(none, "config-check /nonexistent")), 1);
}

#[test]
fn a_reload_tells_what_the_daemon_did_and_what_is_wrong() {
    let fake = Fake::start(|request| match request["params"]["dry_run"].as_bool() {
        Some(true) => {
            let finding = json!({"severity": "error", "code": "unknown-key", "key": "x", "line": 1,
                                 "column": 1, "excerpt": "x: 1", "details": {"name": "x", "allowed": "node"}});
            let details = json!({"path": "/etc/sfha/config.yml", "line": 1, "column": 1, "reason": "x",
                                 "findings": [finding]});
            error(request, "file-invalid", details)
        }
        _ => result(request, json!({"schema": 1, "dry_run": false, "changes": [], "warnings": []})),
    });
    let done = run(fake.socket(), "reload --lang en");
    assert_eq!((code(&done), stdout(&done).contains("Nothing to change")), (0, true));
    let refused = run(fake.socket(), "reload --dry-run --lang en");
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("  Possible here: node\n"), "{}", stderr(&refused));
}

#[test]
fn what_cannot_be_undone_takes_a_yes_where_nobody_can_be_asked() {
    let fake = cluster("healthy");
    for line in ["node remove node2", "leave", "leave --force", "mesh remove-peer laptop"] {
        let refused = run(fake.socket(), &format!("{line} --json"));
        assert_eq!(
            (code(&refused), &document(&refused)["error"]["code"]),
            (2, &json!("needs-yes")),
            "{line}"
        );
        assert!(fake.requests().is_empty(), "{line}");
    }
    for line in ["node remove node2", "leave --force", "mesh remove-peer laptop"] {
        assert_eq!(code(&run(fake.socket(), &format!("{line} --yes"))), 0, "{line}");
    }
    let methods: Vec<Value> = fake.requests().iter().map(|request| request["method"].clone()).collect();
    assert_eq!(methods, ["node.remove", "leave", "mesh.remove-peer"]);
    assert_eq!(fake.requests()[1]["params"], json!({"force": true}));
}

#[test]
fn a_daemon_of_another_protocol_or_that_hangs_up_is_no_riddle() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let _fake = Fake::listen(&socket, json!({"sfha": "9.0.0", "protocol": 2}), |_| Vec::new());
    let output = run(&socket, "status");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("9.0.0") && stderr(&output).contains("protocole 2"));
    let fake = Fake::start(|_| vec![Value::Null]);
    let output = run(fake.socket(), "standby -j");
    assert_eq!((code(&output), &document(&output)["error"]["code"]), (1, &json!("connection-lost")));
}

#[test]
fn an_answer_to_another_request_is_not_taken() {
    let fake = Fake::start(|request| {
        let mut lines = vec![json!({"id": 99, "error": {"code": "maintenance"}})];
        lines.extend(result(request, json!({})));
        lines
    });
    assert_eq!(code(&run(fake.socket(), "standby")), 0);
}

#[test]
fn a_reader_that_left_is_no_panic() {
    let fake = cluster("healthy");
    for line in ["status", "status --json", "--help", "completions bash"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sfha(fake.socket(), line).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{line}");
    }
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let fake = cluster("healthy");
    let output = run(fake.socket(), "vip remove web");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let request = &fake.requests()[0];
    assert_eq!((&request["method"], &request["params"]), (&json!("vip.remove"), &json!({"name": "web"})));
}

#[test]
fn changes_are_sent_as_the_protocol_wants_them() {
    let fake = cluster("healthy");
    for (line, method, params) in [
        ("standby node2", "standby", json!({"node": "node2"})),
        ("unstandby", "unstandby", json!({"node": null})),
        ("maintenance on", "maintenance", json!({"on": true, "until": null})),
        ("maintenance off", "maintenance", json!({"on": false, "until": null})),
        ("mesh revoke k7f2", "mesh.revoke", json!({"name": "k7f2"})),
        ("vip announce", "vip.announce", json!({"names": []})),
        ("vip announce web blog", "vip.announce", json!({"names": ["blog", "web"]})),
        ("mesh token --expires 90s", "mesh.token", json!({"expires_s": 90, "ip": null})),
        (
            "vip add web 10.77.0.100/24 eth1",
            "vip.add",
            json!({"name": "web", "address": "10.77.0.100/24", "interface": "eth1"}),
        ),
        (
            "service add db pg --prefer node2,node1 --critical --restarts 1 --stop-timeout 1min",
            "service.add",
            json!({"name": "db", "unit": "pg", "prefer": ["node2", "node1"], "critical": true, "restarts": 1,
                   "start_timeout_ms": null, "stop_timeout_ms": 60_000}),
        ),
        ("service remove db --yes", "service.remove", json!({"name": "db"})),
        ("failover --to node2", "failover", json!({"to": "node2", "names": []})),
    ] {
        let output = run(fake.socket(), line);
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        let request = fake.requests().pop().unwrap();
        assert_eq!((&request["method"], &request["params"]), (&json!(method), &params), "{line}");
        assert!(stdout(&output).len() > 10, "{line}");
    }
}

#[test]
fn help_is_in_the_language_and_without_what_is_not_there() {
    let none = Path::new("/nonexistent");
    insta::assert_snapshot!("help_fr", stdout(&run(none, "--help")));
    insta::assert_snapshot!("help_en", stdout(&run(none, "help --lang en")));
    insta::assert_snapshot!("help_init_fr", stdout(&run(none, "init -h")));
    let script = stdout(&run(none, "completions bash"));
    assert!(script.contains("unstandby"));
    assert_eq!(stdout(&run(none, "version")), format!("sfha {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(stdout(&run(none, "-V")), format!("sfha {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_rotation_tells_each_step_of_each_node_and_then_what_was_done() {
    let fake = Fake::start(|request| {
        let mut lines = Vec::new();
        for node in ["node1", "node2"] {
            for step in ["key-prepare", "key-commit", "key-cleanup"] {
                let mut line = progress(request, step, 5);
                line["data"]["node"] = node.into();
                lines.push(line);
            }
        }
        let nodes =
            ["node1", "node2"].map(|node| json!({"node": node, "public_key": "k", "elapsed_ms": 270}));
        lines.extend(result(request, json!({"schema": 1, "nodes": nodes})));
        lines
    });
    let output = run(fake.socket(), "mesh rotate-keys --all");
    assert_eq!(code(&output), 0);
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 6, "{told}");
    assert!(told.contains("node2\u{a0}: Passage à la nouvelle clé"), "{told}");
    assert!(stdout(&output).contains("node2 a changé de clé, en 270"), "{}", stdout(&output));
    let json = run(fake.socket(), "mesh rotate-keys -j --lang en --commit");
    assert_eq!(document(&json)["nodes"][1]["node"], "node2");
    let refused = Fake::start(|request| error(request, "nodes-away", json!({"nodes": "node3"})));
    let output = run(refused.socket(), "mesh rotate-keys");
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("node3"), "{}", stderr(&output));
}
