use std::collections::BTreeSet;
use std::path::Path;

use sfha_proto::history::Level;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::*;
use crate::files;

fn event(kind: EventKind, node: Option<&str>) -> HistoryEvent {
    HistoryEvent {
        id: 7,
        time: "2026-01-01T00:00:00.000Z".into(),
        kind,
        level: Level::Info,
        seen_by: "n1".into(),
        node: node.map(str::to_owned),
        resource: Some("web".into()),
        from: None,
        to: None,
        detail: None,
        duration_ms: Some(412),
        cause: None,
        chain: 7,
    }
}

fn hook(call: Call, timeout_ms: u64, retries: u32) -> Hook {
    Hook { name: "h".into(), on: None, call, timeout_ms, retries, everywhere: false }
}

/// Runs a hook on one event and returns what it counted.
async fn run(hook: Hook) -> Calls {
    let (tally, (queue, events)) = (Tally::default(), mpsc::channel(1));
    queue.send(Arc::new(event(EventKind::VipMoved, Some("n1")))).await.unwrap();
    drop(queue);
    work(Arc::new(hook), events, tally.clone()).await;
    tally.read()
}

fn shell(script: &str) -> Call {
    Call::Program(["/bin/sh", "-c", script].map(str::to_owned).to_vec())
}

fn counted(outcome: &'static str) -> Calls {
    BTreeMap::from([(("h".to_owned(), outcome), 1)])
}

#[tokio::test]
async fn a_program_gets_the_event_on_its_standard_input_and_a_clean_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (input, environment) = (folder.path().join("input"), folder.path().join("environment"));
    let script = format!("cat > {}; env > {}", input.display(), environment.display());
    assert_eq!(run(hook(shell(&script), 5000, 0)).await, counted("done"));
    let read: HistoryEvent = serde_json::from_slice(&std::fs::read(input).unwrap()).unwrap();
    assert_eq!(read, event(EventKind::VipMoved, Some("n1")));
    let names: BTreeSet<String> = std::fs::read_to_string(environment)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
        .collect();
    // PWD and the like are the shell's own.
    assert!(
        names.is_subset(&["LANG", "PATH", "PWD", "SHLVL", "_", "OLDPWD"].map(str::to_owned).into()),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}.new; mv {0}.new {0}; wait", pid.display());
    assert_eq!(run(hook(shell(&script), 1500, 0)).await, counted("failed"));
    let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let gone = || match std::fs::read_to_string(format!("/proc/{child}/stat")) {
        Ok(stat) => stat.contains(") Z"),
        Err(_) => true,
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !gone() {
        assert!(tokio::time::Instant::now() < deadline, "{child} lives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_so_often_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let tries = folder.path().join("tries");
    let script = format!("echo x >> {}; exit 3", tries.display());
    assert_eq!(run(hook(shell(&script), 5000, 1)).await, counted("failed"));
    assert_eq!(std::fs::read_to_string(&tries).unwrap().lines().count(), 2);
}

/// Answers one request with that status, and returns what was asked.
async fn answer(status: &str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.contains("\"chain\":7}") {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "{request}");
            request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    });
    (url, serving)
}

fn webhook(url: &str, headers: Option<&Path>) -> Call {
    let headers_file = headers.map(|path| path.display().to_string());
    Call::Webhook { url: Zeroizing::new(url.to_owned()), headers_file, ca_file: None }
}

#[tokio::test]
async fn a_url_is_posted_to_with_the_headers_of_a_secret_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headers");
    files::write_atomic(&path, b"# ours\nAuthorization: Bearer hush\n", 0o600).unwrap();
    let (url, serving) = answer("204 No Content").await;
    assert_eq!(run(hook(webhook(&url, Some(&path)), 5000, 0)).await, counted("done"));
    let request = serving.await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /hook http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: bearer hush\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(request.contains("\"kind\":\"vip-moved\""), "{request}");

    files::write_atomic(&path, b"Authorization: Bearer hush\n", 0o644).unwrap();
    let resolver = Arc::new(Resolver::default());
    let refused = attempt(&webhook(&url, Some(&path)), b"{}", &resolver).await;
    assert_eq!(refused, Err("file-mode".to_owned()));
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_a_failure() {
    let (url, serving) = answer("500 Oops").await;
    let resolver = Arc::new(Resolver::default());
    let body = serde_json::to_vec(&event(EventKind::VipMoved, None)).unwrap();
    assert_eq!(attempt(&webhook(&url, None), &body, &resolver).await, Err("status-500".to_owned()));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_hook_that_is_too_slow_loses_events_and_holds_nobody_up() {
    let (queue, _events) = mpsc::channel(2);
    let running = Running { hook: Arc::new(hook(shell("true"), 1, 0)), queue };
    let tally = Tally::default();
    for _ in 0..5 {
        running.tell(Arc::new(event(EventKind::VipMoved, None)), &tally);
    }
    assert_eq!(tally.read(), BTreeMap::from([(("h".to_owned(), "dropped"), 3)]));
}

#[test]
fn one_node_runs_what_all_see_and_each_what_only_it_sees() {
    let text = include_str!("../../../sfha-tui/tests/fixtures/healthy.json");
    let mut status: ClusterStatus = serde_json::from_str(text).unwrap();
    let names: Vec<String> = status.nodes.iter().map(|node| node.name.clone()).collect();
    status.leader = Some(names[0].clone());
    let runners = |status: &ClusterStatus, kind, node: Option<&str>| {
        let runs = |name: &&String| {
            let seen_there = ClusterStatus { node: (*name).clone(), ..status.clone() };
            runs_here(&event(kind, node), &seen_there)
        };
        names.iter().filter(runs).cloned().collect::<Vec<_>>()
    };
    assert_eq!(runners(&status, EventKind::VipMoved, Some(&names[1])), [names[1].clone()]);
    assert_eq!(runners(&status, EventKind::MaintenanceOn, None), [names[0].clone()]);
    assert_eq!(runners(&status, EventKind::QuorumLost, None), names);
    status.nodes[1].online = false;
    assert_eq!(runners(&status, EventKind::NodeLost, Some(&names[1])), [names[0].clone()]);
    status.leader = None;
    assert_eq!(runners(&status, EventKind::NodeLost, Some(&names[1])), names);
}

#[test]
fn a_hook_is_told_what_it_wants_and_elsewhere_only_if_it_runs_everywhere() {
    let (queue, _events) = mpsc::channel(1);
    let only = Hook { on: Some([EventKind::VipMoved].into()), ..hook(shell("true"), 1, 0) };
    let mut running = Running { hook: Arc::new(only.clone()), queue };
    assert!(running.wants(&event(EventKind::VipMoved, None), true));
    assert!(!running.wants(&event(EventKind::VipLost, None), true));
    assert!(!running.wants(&event(EventKind::VipMoved, None), false));
    running.hook = Arc::new(Hook { everywhere: true, ..only });
    assert!(running.wants(&event(EventKind::VipMoved, None), false));
}
