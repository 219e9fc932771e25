//! What has happened, what happens, and the check for monitoring: the real binary against a daemon that says what it
//! is told to.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

#[allow(dead_code, reason = "the tests of other files use the rest")]
mod common;

use common::{Fake, error, result};

fn sfha(socket: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sfha"));
    command.arg("--socket").arg(socket).args(line.split_whitespace());
    for name in ["LC_ALL", "LC_MESSAGES", "SFHA_LANG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("LANG", "fr_FR.UTF-8").env("LC_CTYPE", "C.UTF-8").env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(socket: &Path, line: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = sfha(socket, line).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A power cut, what it moved, and the return.
fn events() -> Value {
    let event = |id: u64, time: &str, kind: &str, level: &str, more: Value| {
        let mut event = json!({"id": id, "time": format!("2026-11-23T{time}Z"), "kind": kind, "level": level,
            "seen_by": "node1", "node": null, "resource": null, "from": null, "to": null, "detail": null,
            "duration_ms": null, "cause": null, "chain": 7});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    json!([
        event(7, "10:02:11.004", "node-lost", "critical", json!({"node": "node2"})),
        event(
            8,
            "10:02:11.031",
            "vip-lost",
            "critical",
            json!({"node": "node2", "resource": "web", "detail": "waiting", "cause": 7})
        ),
        event(
            9,
            "10:02:11.416",
            "vip-moved",
            "warning",
            json!({"node": "node3", "resource": "web", "from": "node2", "to": "node3", "duration_ms": 412, "cause": 8})
        ),
        event(
            10,
            "10:05:40.000",
            "node-back",
            "info",
            json!({"node": "node2", "duration_ms": 208_996, "cause": 7})
        ),
    ])
}

fn daemon() -> Fake {
    Fake::start(|request| match request["method"].as_str().unwrap() {
        "history" => result(request, json!({"schema": 1, "events": events(), "dropped": 3})),
        _ => error(request, "unknown-method", json!({})),
    })
}

#[test]
fn history_is_told_with_causes_and_durations() {
    let fake = daemon();
    let (code, told, complaints) = run(fake.socket(), "history");
    assert_eq!((code, complaints.as_str()), (0, ""));
    insta::assert_snapshot!("history_fr", told);
    insta::assert_snapshot!("history_en", run(fake.socket(), "--lang en history").1);
    let document: Value = serde_json::from_str(&run(fake.socket(), "history --json").1).unwrap();
    assert_eq!(document["events"], events());
    let none = Fake::start(|request| result(request, json!({"schema": 1, "events": [], "dropped": 0})));
    assert_eq!(run(none.socket(), "history").1, "Il ne s'est rien passé.\n");
}

#[test]
fn history_is_asked_for_as_the_protocol_wants_it() {
    let fake = daemon();
    for (line, params) in [
        ("history", json!({"limit": null, "since_ms": null, "resource": null, "node": null})),
        (
            "history --limit 5 --since 2026-11-23T10:00:00Z --resource web --node node2",
            json!({"limit": 5, "since_ms": 1_795_428_000_000_u64, "resource": "web", "node": "node2"}),
        ),
    ] {
        assert_eq!(run(fake.socket(), line).0, 0);
        assert_eq!(fake.requests().pop().unwrap()["params"], params, "{line}");
    }
    let before = jiff_now_ms();
    run(fake.socket(), "history --since 1h");
    let since = fake.requests().pop().unwrap()["params"]["since_ms"].as_i64().unwrap();
    assert!((before - 3_600_000..=jiff_now_ms() - 3_600_000).contains(&since), "{since}");
    for wrong in ["--limit 0", "--limit x", "--since yesterdayish", "more"] {
        assert_eq!(run(fake.socket(), &format!("history {wrong}")).0, 2, "{wrong}");
    }
}

fn jiff_now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[test]
fn events_are_followed_over_a_restart_of_the_daemon_and_none_is_told_twice_or_lost() {
    let all = events();
    let fake = Fake::start(move |request| {
        let note = |index: usize| json!({"event": "history", "seq": 1, "data": all[index]});
        match (request["method"].as_str().unwrap(), request["params"]["after"].as_u64()) {
            ("history", _) => result(request, json!({"schema": 1, "events": [all[0]], "dropped": 0})),
            // The daemon ends after two; the one that follows tells the rest.
            ("subscribe", Some(7)) => {
                let mut lines = result(request, json!({}));
                lines.extend([note(1), note(2), Value::Null]);
                lines
            }
            ("subscribe", Some(9)) => {
                let mut lines = result(request, json!({}));
                lines.push(note(3));
                lines
            }
            other => panic!("{other:?}"),
        }
    });
    let follow = |line: &str, count: usize| {
        let mut child =
            sfha(fake.socket(), line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(count);
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        lines
    };
    let told: Vec<Value> =
        follow("events --json", 3).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told, events().as_array().unwrap()[1..]);
    let text = follow("events --lang en --resource web", 2);
    assert!(text[1].ends_with("VIP web moved from node2 to node3. (not served for 412 ms)"), "{text:?}");
    let subscribed = fake.requests().into_iter().find(|request| request["method"] == "subscribe").unwrap();
    assert_eq!(subscribed["params"]["topics"], json!(["history"]));
}

#[test]
fn events_of_a_daemon_that_never_was_are_not_waited_for() {
    let (code, _, complaint) = run(Path::new("/nonexistent/sfhad.sock"), "events");
    assert_eq!(code, 3, "{complaint}");
    let refusing =
        Fake::start(|request| error(request, "not-permitted", json!({"user": "bob", "wanted": "read"})));
    assert_eq!(run(refusing.socket(), "events").0, 5);
}

#[test]
fn a_check_is_one_line_with_figures_and_the_exit_status_that_monitoring_wants() {
    let status = |name: &'static str, change: fn(&mut Value)| {
        let mut status = fixture(name);
        change(&mut status);
        Fake::start(move |request| result(request, status.clone()))
    };
    let asked = |fake: &Fake, line: &str| {
        let (code, told, complaints) = run(fake.socket(), line);
        assert_eq!((told.lines().count(), complaints.as_str()), (1, ""), "{told}");
        (code, told)
    };
    let well = status("healthy", |_| {});
    let (code, told) = asked(&well, "status --exit-code");
    assert_eq!(code, 0, "{told}");
    insta::assert_snapshot!("check_ok_fr", told);
    insta::assert_snapshot!("check_ok_en", asked(&well, "status --exit-code --lang en").1);
    let standby = status("healthy", |status| status["nodes"][1]["standby"] = json!(true));
    let (code, told) = asked(&standby, "status --exit-code");
    assert!(code == 1 && told.starts_with("SFHA WARNING - "), "{code} {told}");
    let down = status("failing-over", |status| status["cluster"] = json!("a|b"));
    let (code, told) = asked(&down, "status --exit-code");
    assert!(
        code == 2 && told.starts_with("SFHA CRITICAL - ") && told.matches('|').count() == 1,
        "{code} {told}"
    );
    let (code, told) = asked(&down, "status --exit-code --json");
    assert!(code == 2 && serde_json::from_str::<Value>(&told).unwrap()["nodes"].is_array(), "{told}");
    let (code, told, _) = run(Path::new("/nonexistent/sfhad.sock"), "status --exit-code");
    assert!(code == 3 && told.starts_with("SFHA UNKNOWN - "), "{code} {told}");
    let (code, told, _) = run(Path::new("/nonexistent/sfhad.sock"), "status --exit-code --json");
    assert_eq!(
        (code, &serde_json::from_str::<Value>(&told).unwrap()["error"]["code"]),
        (3, &json!("no-daemon"))
    );
    // Without the option an exit status is what it is for every command.
    assert_eq!(run(down.socket(), "status").0, 0);
}
