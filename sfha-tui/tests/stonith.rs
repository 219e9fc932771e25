//! `sfha stonith` against a daemon that says what it is told to.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]
#![allow(dead_code, reason = "what all tests share is more than one of them needs")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

mod common;

use common::{Fake, error, result};

fn run(socket: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sfha"));
    command.arg("--socket").arg(socket).args(line.split_whitespace());
    for name in ["LC_ALL", "LC_MESSAGES", "SFHA_LANG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("LANG", "fr_FR.UTF-8").env("LC_CTYPE", "C.UTF-8").env("TZ", "UTC");
    command.stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn status(node: Value) -> Value {
    json!({"schema": 1, "node": "node1", "enabled": true, "provider": "proxmox", "pending": ["node2"],
           "levels": ["proxmox", "watchdog"], "storm": {"begun": 1, "limit": 2, "holding": false},
           "nodes": [node, {"name": "node3", "phase": null, "levels": ["proxmox"]}],
           "alerts": [{"node": "node3", "level": "proxmox", "by": "node1", "since": 1_770_000_000,
                       "error": {"code": "fence-denied", "details": {"driver": "proxmox", "status": 401}}}],
           "watchdog": {"device": "/dev/watchdog", "timeout_ms": 15_000}})
}

/// A daemon whose fencing of node2 goes through these phases, one a look.
fn fencing(phases: &'static [Value]) -> Fake {
    let looks = AtomicUsize::new(0);
    Fake::start(move |request| match request["method"].as_str().unwrap() {
        "stonith.status" => {
            let look = looks.fetch_add(1, Ordering::Relaxed).min(phases.len() - 1);
            result(request, status(phases[look].clone()))
        }
        "stonith.fence" => {
            let plan = json!({"schema": 1, "node": "node2", "dry_run": request["params"]["dry_run"], "actor": "node1",
                              "levels": ["proxmox"], "delay_ms": 0, "held": null});
            result(request, plan)
        }
        "stonith.test" | "stonith.check" => {
            let results = json!([{"node": "node2", "level": "proxmox", "power": "on", "error": null, "elapsed_ms": 12},
                                 {"node": "node3", "level": "proxmox", "power": null, "elapsed_ms": 3,
                                  "error": {"code": "fence-denied", "details": {"driver": "proxmox", "status": 401}}}]);
            result(request, json!({"schema": 1, "by": "node1", "results": results}))
        }
        "stonith.history" => {
            let entries = json!([{"at": 0, "node": "node2", "episode": 1, "what": "suspected", "cause": "lost"},
                                 {"at": 1, "node": "node2", "episode": 1, "what": "fenced", "proof": "off", "level": "proxmox"}]);
            result(request, json!({"schema": 1, "entries": entries}))
        }
        "stonith.confirm" if request["params"]["node"] == "node3" => {
            error(request, "node-online", json!({"name": "node3"}))
        }
        "status" => result(request, serde_json::from_str(include_str!("fixtures/healthy.json")).unwrap()),
        _ => result(request, json!({})),
    })
}

fn phase(phase: &str, rest: Value) -> Value {
    let mut node = json!({"name": "node2", "phase": phase, "levels": ["proxmox"]});
    node.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    node
}

fn leak(phases: Vec<Value>) -> &'static [Value] {
    Box::leak(phases.into_boxed_slice())
}

#[test]
fn how_fencing_stands_is_told_with_what_is_left_and_what_would_not_work() {
    let delayed = phase("delayed", json!({"cause": "lost", "next_ms": 7_200, "watchdog_ms": 18_000}));
    let fake = fencing(leak(vec![delayed]));
    insta::assert_snapshot!("stonith_status_fr", stdout(&run(fake.socket(), "stonith status")));
    insta::assert_snapshot!("stonith_status_en", stdout(&run(fake.socket(), "stonith status --lang en")));
    insta::assert_snapshot!("stonith_history_fr", stdout(&run(fake.socket(), "stonith history")));
    let json: Value = serde_json::from_slice(&run(fake.socket(), "stonith status -j").stdout).unwrap();
    assert_eq!((&json["schema"], &json["nodes"][0]["next_ms"]), (&json!(1), &json!(7200)));
}

#[test]
fn what_destroys_needs_a_yes_where_nothing_can_be_asked() {
    let fake = fencing(leak(vec![phase("fenced", json!({}))]));
    for line in ["stonith fence node2", "stonith confirm node2"] {
        let output = run(fake.socket(), line);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{line}");
        assert!(stderr(&output).contains("--yes"), "{line}: {}", stderr(&output));
    }
    assert_eq!(fake.requests(), Vec::<Value>::new());
    assert_eq!(code(&run(fake.socket(), "stonith confirm node2 --yes")), 0);
    assert_eq!(code(&run(fake.socket(), "stonith confirm node3 --yes")), 4);
    // Nothing is done, so nothing is asked.
    assert_eq!(code(&run(fake.socket(), "stonith fence node2 --dry-run")), 0);
    assert_eq!(fake.requests().pop().unwrap()["params"], json!({"node": "node2", "dry_run": true}));
}

#[test]
fn fence_is_done_when_the_node_is_harmless() {
    let way = leak(vec![
        phase("fencing", json!({"level": "proxmox", "attempt": 1})),
        phase("verifying", json!({"level": "proxmox", "attempt": 1})),
        phase("fenced", json!({"level": "proxmox", "proof": "off"})),
    ]);
    let fake = fencing(way);
    let output = run(fake.socket(), "stonith fence node2 --yes --json");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["phase"], &json["proof"], &json["actor"]),
        (&json!("fenced"), &json!("off"), &json!("node1"))
    );
    let looks = fake.requests().iter().filter(|request| request["method"] == "stonith.status").count();
    assert_eq!(looks, 3);
}

#[test]
fn fence_fails_with_the_reason_when_no_level_could_do_it() {
    let error = json!({"code": "fence-unreachable", "details": {"driver": "proxmox", "endpoint": "pve:8006", "cause": "refused"}});
    let way =
        leak(vec![phase("fencing", json!({"level": "proxmox"})), phase("failed", json!({"error": error}))]);
    let output = run(fencing(way).socket(), "stonith fence node2 --yes");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("pve:8006"), "{}", stderr(&output));
}

#[test]
fn a_test_that_finds_something_wrong_has_failed_and_setup_writes_nothing_then() {
    let fake = fencing(leak(vec![phase("fenced", json!({}))]));
    let output = run(fake.socket(), "stonith test");
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("HTTP 401"), "{}", stdout(&output));
    // One document, which is the answer and the failure.
    let output = run(fake.socket(), "stonith test --json");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), &document["error"]["code"]), (1, &json!("test-failed")));
    assert_eq!((&document["schema"], &document["results"][0]["power"]), (&json!(1), &json!("on")));
    assert_eq!(document["results"][1]["error"]["code"], "fence-denied");
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush-hush\n").unwrap();
    let setup = format!(
        "stonith setup --provider proxmox --url https://pve:8006 --token-id a@pve!b --node node2=qemu/102 --secret-file {}",
        secret.display()
    );
    let refused = run(fake.socket(), &setup);
    assert_eq!(code(&refused), 1, "{}", stderr(&refused));
    let last = fake.requests().pop().unwrap();
    assert_eq!(last["method"], "stonith.check");
    assert_eq!(last["params"]["secrets"], json!({"/etc/sfha/proxmox.secret": "hush-hush"}));
    assert!(!last["params"]["settings"].to_string().contains("hush"));
    let forced = run(fake.socket(), &format!("{setup} --force"));
    assert_eq!(code(&forced), 0, "{}", stderr(&forced));
    assert_eq!(fake.requests().pop().unwrap()["method"], "stonith.configure");
    let told = format!("{}{}{}{}", stdout(&refused), stderr(&refused), stdout(&forced), stderr(&forced));
    assert!(!told.contains("hush"), "{told}");
    let missing = run(fake.socket(), "stonith setup --provider proxmox --url https://pve:8006");
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("--token-id"), "{}", stderr(&missing));
}
