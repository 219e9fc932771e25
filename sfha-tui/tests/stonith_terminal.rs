//! `sfha stonith` on a real terminal: what it asks, and what an answer leads to.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers included")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use common::{Fake, error, result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

const SECRET: &str = "3f2b7c1e-0d5a-hush";

type Dialogue = common::dialogue::Dialogue<File>;

/// That command, on a terminal of its own: what is the other end.
fn spawn(fake: &Fake, line: &str) -> (Child, File) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let slave = || pty.slave.try_clone().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_sfha"))
        .arg("--socket")
        .arg(fake.socket())
        .args(line.split(' '))
        .env_remove("SFHA_LANG")
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", "1")
        .env("LC_ALL", "fr_FR.UTF-8")
        .stdin(slave())
        .stdout(slave())
        .stderr(slave())
        .spawn()
        .unwrap();
    (child, File::from(pty.master))
}

fn start(fake: &Fake, line: &str) -> Dialogue {
    let (child, keyboard) = spawn(fake, line);
    let screen = keyboard.try_clone().unwrap();
    Dialogue::new(child, keyboard, screen)
}

const FINGERPRINT: &str =
    "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB";

/// A daemon of three nodes whose tests of settings end so, one after the other; the last one stays.
fn daemon(tests: &'static [Value]) -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::start(move |request| match request["method"].as_str().unwrap() {
        "status" => result(request, serde_json::from_str(include_str!("fixtures/healthy.json")).unwrap()),
        "stonith.check" => {
            let at = asked.fetch_add(1, Ordering::Relaxed).min(tests.len() - 1);
            let results: Vec<Value> = ["node2", "node3"]
                .map(|node| {
                    let power = if tests[at].is_null() { json!("on") } else { Value::Null };
                    json!({"node": node, "level": "proxmox", "power": power, "error": tests[at], "elapsed_ms": 9})
                })
                .into();
            result(request, json!({"schema": 1, "by": "node1", "results": results}))
        }
        "stonith.confirm" | "stonith.configure" => result(request, json!({})),
        "stonith.fence" => error(request, "no-quorum", json!({})),
        other => panic!("{other}"),
    })
}

fn leak(tests: Vec<Value>) -> &'static [Value] {
    Box::leak(tests.into_boxed_slice())
}

fn issuer() -> Value {
    json!({"code": "fence-certificate", "details": {"driver": "proxmox", "endpoint": "https://pve:8006",
           "fingerprint": FINGERPRINT, "reason": "issuer"}})
}

fn sent(fake: &Fake, method: &str) -> Vec<Value> {
    fake.requests().into_iter().filter(|request| request["method"] == method).collect()
}

/// Answers everything up to the test.
fn tell(dialogue: &mut Dialogue) {
    dialogue.answer("Avec quoi éteindre les nœuds", "proxmox");
    dialogue.answer("URL de l'API de Proxmox", "http://pve:8006");
    dialogue.expect("ne convient pas");
    dialogue.answer("URL de l'API de Proxmox", "https://pve:8006");
    dialogue.answer("Jeton", "sfha@pve!fence");
    dialogue.answer("Empreinte SHA-256", "");
    dialogue.answer("Machine de node1", "qemu/101");
    dialogue.answer("Machine de node2", "qemu102");
    dialogue.expect("ne convient pas");
    dialogue.answer("Machine de node2", "qemu/102");
    dialogue.answer("Machine de node3", "lxc/103");
    dialogue.answer("Secret", SECRET);
}

fn tell_all_but_the_last_machine(dialogue: &mut Dialogue) {
    dialogue.answer("Avec quoi éteindre les nœuds", "proxmox");
    dialogue.answer("URL de l'API de Proxmox", "https://pve:8006");
    dialogue.answer("Jeton", "sfha@pve!fence");
    dialogue.answer("Empreinte SHA-256", "");
    dialogue.answer("Machine de node1", "qemu/101");
    dialogue.answer("Machine de node2", "qemu/102");
}

#[test]
fn setup_asks_tries_shows_what_it_will_write_and_writes() {
    let fake = daemon(leak(vec![issuer(), Value::Null]));
    let mut dialogue = start(&fake, "stonith setup");
    tell(&mut dialogue);
    // The certificate is nobody's: a person compares it.
    dialogue.expect("https://pve:8006");
    dialogue.expect(FINGERPRINT);
    dialogue.answer("Est-ce la même", "o");
    dialogue.expect("node2");
    dialogue.expect("Ce qui sera écrit");
    for line in ["proxmox", "node1", "qemu/101", "lxc/103", "/etc/sfha/proxmox.secret"] {
        dialogue.expect(line);
    }
    assert_eq!(sent(&fake, "stonith.configure").len(), 0, "not before somebody says so");
    dialogue.answer("Écrire ces réglages", "oui");
    let (code, screen) = dialogue.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(SECRET), "a secret is not echoed: {screen}");
    let written = &sent(&fake, "stonith.configure")[0]["params"];
    assert_eq!(written["settings"]["proxmox"]["trust"]["fingerprint"], FINGERPRINT);
    assert_eq!(written["settings"]["nodes"]["node3"]["guest"], "lxc");
    assert_eq!(written["secrets"], json!({"/etc/sfha/proxmox.secret": SECRET}));
    let tried = sent(&fake, "stonith.check");
    assert_eq!((tried.len(), &tried[0]["params"]["settings"]["proxmox"]["trust"]), (2, &json!("system")));
}

#[test]
fn setup_says_what_failed_and_writes_nothing() {
    let other = "CD".repeat(32);
    let failure = |code: &str, details: Value| json!({"code": code, "details": details});
    let pinned = json!({"driver": "proxmox", "endpoint": "https://pve:8006", "fingerprint": other,
                        "expected": FINGERPRINT, "reason": "fingerprint"});
    let gone = json!({"driver": "proxmox", "endpoint": "https://pve:8006", "cause": "connection refused"});
    let denied = json!({"driver": "proxmox", "status": 401});
    for (failure, told) in [
        (failure("fence-denied", denied), vec!["HTTP 401"]),
        (failure("fence-certificate", pinned), vec![FINGERPRINT, &other]),
        (failure("fence-unreachable", gone), vec!["https://pve:8006", "connection refused"]),
    ] {
        let fake = daemon(leak(vec![failure]));
        let mut dialogue = start(&fake, "stonith setup");
        tell(&mut dialogue);
        let (code, screen) = dialogue.end();
        assert_eq!(code, 1, "{screen}");
        assert!(!screen.contains(SECRET), "a secret is not echoed: {screen}");
        assert!(screen.contains("Rien n'a été écrit"), "{screen}");
        let flat: String = screen.split_whitespace().collect();
        for word in told {
            assert!(flat.contains(&word.replace(' ', "")), "{word} is not told: {screen}");
        }
        assert!(sent(&fake, "stonith.configure").is_empty());
    }
}

/// A secret that is pasted before it is asked for is on the terminal, but it is the answer.
#[test]
fn what_is_typed_ahead_of_the_question_for_the_secret_is_not_lost() {
    let fake = daemon(leak(vec![Value::Null]));
    let mut dialogue = start(&fake, "stonith setup");
    tell_all_but_the_last_machine(&mut dialogue);
    dialogue.answer("Machine de node3", &format!("lxc/103\r{SECRET}"));
    dialogue.answer("Écrire ces réglages", "oui");
    let (code, screen) = dialogue.end();
    assert_eq!(code, 0, "{screen}");
    let written = &sent(&fake, "stonith.configure")[0]["params"]["secrets"];
    assert_eq!(*written, json!({"/etc/sfha/proxmox.secret": SECRET}));
}

#[test]
fn a_secret_can_be_corrected_and_broken_off() {
    for (typed, code) in [("é\u{7f}\u{8}hush\u{7f}", 0), ("hus\u{3}", 1), ("hus\u{1b}", 1)] {
        let fake = daemon(leak(vec![Value::Null]));
        let mut dialogue = start(&fake, "stonith setup");
        tell_all_but_the_last_machine(&mut dialogue);
        dialogue.answer("Machine de node3", "lxc/103");
        dialogue.answer("Secret", typed);
        if code == 0 {
            dialogue.answer("Écrire ces réglages", "oui");
        }
        let (ended, screen) = dialogue.end();
        assert_eq!(ended, code, "{typed:?}: {screen}");
        let written: Vec<_> = sent(&fake, "stonith.configure")
            .iter()
            .map(|asked| asked["params"]["secrets"]["/etc/sfha/proxmox.secret"].clone())
            .collect();
        assert_eq!(written, if code == 0 { vec![json!("hus")] } else { vec![] }, "{typed:?}");
    }
}

#[test]
fn the_question_for_a_secret_ends_with_its_terminal() {
    let fake = daemon(leak(vec![Value::Null]));
    let (mut child, mut terminal) = spawn(&fake, "stonith setup");
    let answers = "proxmox\nhttps://pve:8006\nsfha@pve!fence\n\nqemu/101\nqemu/102\nlxc/103\n";
    terminal.write_all(answers.as_bytes()).unwrap();
    let mut screen = Vec::new();
    while !String::from_utf8_lossy(&screen).contains("Secret") {
        let mut chunk = [0; 4096];
        let count = terminal.read(&mut chunk).unwrap();
        screen.extend(&chunk[..count]);
    }
    drop(terminal);
    let end = Instant::now() + Duration::from_secs(20);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("it goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!((code, sent(&fake, "stonith.configure").len()), (Some(1), 0));
}

#[test]
fn a_certificate_that_somebody_does_not_know_again_is_not_believed() {
    let fake = daemon(leak(vec![issuer(), Value::Null]));
    let mut dialogue = start(&fake, "stonith setup");
    tell(&mut dialogue);
    dialogue.answer("Est-ce la même", "n");
    let (code, screen) = dialogue.end();
    assert_eq!((code, sent(&fake, "stonith.check").len()), (1, 1), "{screen}");
    assert!(sent(&fake, "stonith.configure").is_empty());
}

#[test]
fn the_name_is_to_be_typed_before_somebody_answers_for_a_node() {
    for (typed, done) in [("node2", true), ("node3", false), ("oui", false), ("", false)] {
        let fake = daemon(leak(vec![Value::Null]));
        let mut dialogue = start(&fake, "stonith confirm node2 --reason débranché");
        dialogue.expect("de vos yeux");
        dialogue.answer("(node2)", typed);
        let (code, screen) = dialogue.end();
        let confirmed = sent(&fake, "stonith.confirm");
        assert_eq!((code == 0, confirmed.len() == 1), (done, done), "{typed:?}: {screen}");
        if done {
            assert_eq!(confirmed[0]["params"], json!({"node": "node2", "why": "débranché"}));
        }
    }
}

#[test]
fn a_node_is_not_switched_off_without_a_yes() {
    let fake = daemon(leak(vec![Value::Null]));
    let mut dialogue = start(&fake, "stonith fence node2");
    dialogue.answer("brutalement", "n");
    assert_eq!((dialogue.end().0, sent(&fake, "stonith.fence").len()), (1, 0));
    let mut dialogue = start(&fake, "stonith fence node2");
    dialogue.answer("brutalement", "o");
    let (code, screen) = dialogue.end();
    assert_eq!((code, sent(&fake, "stonith.fence").len()), (4, 1), "{screen}");
}
