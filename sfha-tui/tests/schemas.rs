//! What the commands print with `--json` is what `docs/json/` says, no less and no more.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[allow(dead_code, reason = "the tests of other files use the rest")]
mod common;
#[path = "../../tests/src/documents.rs"]
mod documents;

use common::{Fake, error, result};
use documents::{faults, folder, schema_of};

/// What only a real daemon's machine prints: held against in the lab, or where its text is made.
const ELSEWHERE: &[&str] = &["doctor", "report", "backup", "restore"];

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn event() -> Value {
    json!({"id": 7, "time": "2026-11-23T10:02:11.004Z", "kind": "vip-moved", "level": "warning", "seen_by": "node1",
           "node": "node3", "resource": "web", "from": "node2", "to": "node3", "detail": null, "duration_ms": 412,
           "cause": null, "chain": 7})
}

/// A daemon that answers everything, as the types of the protocol have it.
fn daemon(name: &'static str) -> Fake {
    let status = fixture(name);
    let token = json!({"schema": 1, "token": "sfha-join://x", "id": "k7f2", "ip": null, "expires": "2099-01-01T00:00:00Z"});
    Fake::start(move |request| match request["method"].as_str().unwrap() {
        "status" => result(request, status.clone()),
        "mesh.status" => result(request, status["mesh_detail"].clone()),
        "mesh.token" => result(request, token.clone()),
        "mesh.tokens" => {
            let listed = json!({"id": "k7f2", "ip": "10.100.0.2", "expires": "2099-01-01T00:00:00Z",
                                "initiator": "node1", "state": "redeemed", "node": "node2"});
            result(request, json!([listed]))
        }
        "mesh.rotate-keys" => result(
            request,
            json!({"schema": 1, "nodes": [{"node": "node1", "public_key": "k", "elapsed_ms": 2}]}),
        ),
        "init" => {
            let mesh = !request["params"]["mesh"].is_null();
            let token = if mesh { token.clone() } else { Value::Null };
            result(request, json!({"token": token, "cluster": "prod", "node": "node1"}))
        }
        "join" => {
            let joined = json!({"schema": 1, "cluster": "prod", "node": "node2", "id": 2, "ip": "10.100.0.2",
                                "elapsed_ms": 1234});
            result(request, joined)
        }
        "failover" => result(request, json!({"schema": 1, "moved": ["web"], "to": "node2", "elapsed_ms": 4})),
        "vip.announce" => result(request, json!({"schema": 1, "announced": ["web"]})),
        "history" => result(request, json!({"schema": 1, "events": [event()], "dropped": 0})),
        "reload" => {
            let change = json!({"kind": "vip", "name": "web", "from": null, "to": {"ip": "10.0.0.9"}});
            let warning = json!({"severity": "warning", "code": "ignored", "key": "cluster.poll_interval_ms",
                                 "line": 3, "column": 5, "excerpt": "x", "details": {"name": "poll_interval_ms"}});
            result(
                request,
                json!({"schema": 1, "dry_run": false, "changes": [change], "warnings": [warning]}),
            )
        }
        "propagate" => {
            let state = json!({"epoch": 1, "version": 7, "hash": "00"});
            let node = json!({"name": "node1", "id": 1, "online": true, "state": state, "program": null,
                              "in_step": null});
            result(request, json!({"schema": 1, "in_step": true, "file": "in-step", "nodes": [node]}))
        }
        "stonith.status" => {
            let node = json!({"name": "node2", "phase": "delayed", "levels": ["proxmox"], "cause": "lost",
                              "error": {"code": "fence-target", "details": {"name": "node2"}}});
            let alert = json!({"node": "node2", "level": "proxmox", "by": "node1", "since": 1, "error": {"code": "x"}});
            let fencing = json!({"schema": 1, "node": "node1", "enabled": true, "provider": "proxmox",
                "pending": ["node2"], "levels": ["proxmox"], "dry_run": false, "nodes": [node], "alerts": [alert],
                "storm": {"begun": 1, "limit": 2, "holding": false, "next_ms": null},
                "watchdog": {"device": "/dev/watchdog", "timeout_ms": 5000, "reset_ms": null, "error": null}});
            result(request, fencing)
        }
        "stonith.fence" => {
            let plan = json!({"schema": 1, "node": "node2", "dry_run": true, "actor": "node1",
                              "levels": ["proxmox"], "delay_ms": 10_000, "held": null});
            result(request, plan)
        }
        "stonith.history" => {
            let entry = json!({"at": 1, "node": "node2", "episode": 1, "what": "begun", "cause": "lost"});
            result(request, json!({"schema": 1, "entries": [entry]}))
        }
        "stonith.test" => {
            let tested =
                json!({"node": "node2", "level": "proxmox", "power": "on", "error": null, "elapsed_ms": 5});
            result(request, json!({"schema": 1, "by": "node1", "results": [tested]}))
        }
        "simulate" => {
            let standing = json!({"quorate": ["node1"], "leader": null,
                                  "resources": [{"name": "web", "kind": "vip", "holders": ["node1"]}]});
            let change = json!({"name": "web", "kind": "vip", "from": "node1", "to": null, "holders": [],
                                "within_ms": 5, "waits": [{"reason": "detection", "ms": 5}],
                                "why": "no-quorum", "waits_for": null});
            let step = json!({"event": "node-lost:node2", "refused": {"code": "already-so"}, "leader_before": null,
                              "after": standing, "changes": [change], "within_ms": 5, "settled": true});
            result(request, json!({"schema": 1, "node": "node1", "start": standing, "steps": [step]}))
        }
        "stonith.check" => {
            let tested =
                json!({"node": "node2", "level": "watchdog", "power": null, "error": null, "elapsed_ms": 5});
            result(request, json!({"schema": 1, "by": "node1", "results": [tested]}))
        }
        "standby" => error(request, "no-quorum", json!({"votes": 1, "needed": 2})),
        _ => result(request, json!({})),
    })
}

/// The one document that a command prints.
fn document(socket: &Path, line: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sfha"));
    command.arg("--socket").arg(socket).args(line.split_whitespace()).arg("--json").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
}

#[test]
fn every_document_is_as_its_schema_says() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "cluster: {name: prod, poll_interval_ms: 5}\nnode: {name: node1}\n").unwrap();
    let check = format!("config-check {}", file.path().display());
    let foreign = tempfile::NamedTempFile::new().unwrap();
    let text = "vrrp_instance A {\n  priority 101\n  virtual_ipaddress { 10.0.0.9/24 }\n}\n";
    std::fs::write(&foreign, text).unwrap();
    let import = format!("import keepalived {}", foreign.path().display());
    let mut seen: Vec<String> = vec!["event".to_owned()];
    let mut wrong = Vec::new();
    for fixture in ["healthy", "failing-over", "no-quorum", "unconfigured"] {
        let fake = daemon(fixture);
        for line in [
            "status",
            "nodes",
            "resources",
            "health",
            "vip list",
            "service list",
            "history",
            "mesh status",
            "mesh token",
            "mesh tokens",
            "mesh rotate-keys",
            "init --cluster prod",
            "init --cluster prod --mesh --ip 10.100.0.1/24",
            "join sfha-join://x",
            "failover",
            "vip announce web",
            "propagate",
            "reload",
            "simulate node-lost:node2",
            check.as_str(),
            "config-example",
            import.as_str(),
            "maintenance on",
            "stonith status",
            "stonith fence node2 --dry-run",
            "stonith unfence node2 --yes",
            "stonith confirm node2 --yes",
            "stonith history",
            "stonith test",
            "stonith setup --provider watchdog --yes",
            "standby",
            "version",
        ] {
            let bare = fixture == "unconfigured" && line == "mesh status";
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = if line == "standby" { "error".to_owned() } else { schema_of(&words).unwrap() };
            if !bare {
                wrong.extend(faults(&name, &document(fake.socket(), line)));
            }
            seen.push(name);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(faults("event", &event()), Vec::<String>::new());
    assert_eq!(faults("error", &document(Path::new("/nonexistent"), "status")), Vec::<String>::new());
    assert_eq!(
        faults("error", &document(Path::new("/nonexistent"), "no-such-command")),
        Vec::<String>::new()
    );
    let mut there: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".schema.json").map(str::to_owned)
        })
        .collect();
    there.retain(|name| !seen.contains(name) && !ELSEWHERE.contains(&name.as_str()));
    assert_eq!(there, Vec::<String>::new(), "schemas that nothing is held against");
}

#[test]
fn a_schema_notices_what_is_missing_and_what_nobody_has_told() {
    let mut document = fixture("healthy");
    document.as_object_mut().unwrap().remove("leader");
    document["nodes"][0]["novelty"] = json!(1);
    document["vips"][0]["state"] = json!("somewhere");
    let faults = faults("status", &document);
    assert_eq!(faults.len(), 3, "{faults:#?}");
}
