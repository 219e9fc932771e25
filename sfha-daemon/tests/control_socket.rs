//! The socket's conversation, with a daemon that has no cluster.

#![allow(clippy::unwrap_used, reason = "in helpers of tests too, what cannot be unwrapped is a failure")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_daemon::control_socket::{listen, serve};
use sfha_daemon::daemon::Daemon;
use sfha_daemon::io::systemd::Systemd;
use sfha_daemon::log_feed::LogFeed;
use sfha_daemon::paths::Paths;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

struct Client {
    reader: BufReader<tokio::net::unix::OwnedReadHalf>,
    writer: tokio::net::unix::OwnedWriteHalf,
}

impl Client {
    async fn connect(paths: &Paths) -> Self {
        let stream = UnixStream::connect(paths.socket()).await.unwrap();
        let (reader, writer) = stream.into_split();
        let mut client = Self { reader: BufReader::new(reader), writer };
        let greeting = client.line().await;
        assert_eq!(greeting["protocol"], 1);
        assert!(greeting["sfha"].is_string());
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    async fn line(&mut self) -> Value {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        tokio::time::timeout(Duration::from_secs(5), read).await.expect("a line within 5 s").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    async fn ask(&mut self, request: Value) -> Value {
        self.send(format!("{request}\n").as_bytes()).await;
        self.line().await
    }
}

async fn start() -> (tempfile::TempDir, Paths, tokio::task::JoinHandle<()>) {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    let listener = listen(&paths.socket()).unwrap();
    let daemon = Daemon::new(paths.clone(), Systemd::default());
    daemon.start().await;
    let server = tokio::spawn(serve(listener, Arc::clone(&daemon), LogFeed::default()));
    (root, paths, server)
}

#[tokio::test]
async fn a_daemon_without_a_cluster_says_so() {
    let (_root, paths, _server) = start().await;
    let mut client = Client::connect(&paths).await;
    let answer = client.ask(json!({"id": 7, "method": "status", "params": {}})).await;
    assert_eq!(answer, json!({"id": 7, "error": {"code": "not-configured"}}));
    let answer = client.ask(json!({"id": 8, "method": "subscribe"})).await;
    assert_eq!(answer, json!({"id": 8, "result": {}}));
    let note = client.line().await;
    assert_eq!(
        (note["event"].as_str(), note["data"]["phase"].as_str()),
        (Some("status"), Some("unconfigured"))
    );
}

#[tokio::test]
async fn rubbish_gets_an_error_and_costs_the_next_request_nothing() {
    let (_root, paths, _server) = start().await;
    let mut client = Client::connect(&paths).await;
    for rubbish in [&b"\n"[..], b"{}\n", b"[1,2]\n", b"\xff\xfe\n", b"{\"id\":\"x\",\"method\":1}\n"] {
        client.send(rubbish).await;
        let answer = client.line().await;
        assert_eq!(answer, json!({"id": null, "error": {"code": "malformed"}}), "{rubbish:?}");
    }
    let mut long = vec![b'x'; sfha_proto::MAX_LINE + 10];
    long.push(b'\n');
    client.send(&long).await;
    let answer = client.line().await;
    assert_eq!(answer["error"]["code"], "too-long");
    assert_eq!(answer["error"]["details"]["limit"], sfha_proto::MAX_LINE);
    let answer = client.ask(json!({"id": 1, "method": "no.such"})).await;
    assert_eq!(answer["id"], 1);
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_keep_others_waiting() {
    let (_root, paths, _server) = start().await;
    let mut mute = Client::connect(&paths).await;
    for id in 0..2000 {
        let request = format!("{}\n", json!({"id": id, "method": "status"}));
        let write = mute.writer.write_all(request.as_bytes());
        if tokio::time::timeout(Duration::from_millis(50), write).await.is_err() {
            break;
        }
    }
    let mut other = Client::connect(&paths).await;
    let answer = other.ask(json!({"id": 1, "method": "status"})).await;
    assert_eq!(answer["error"]["code"], "not-configured");
}

#[tokio::test]
async fn a_user_with_too_many_connections_is_told_so_and_has_the_place_back_later() {
    let (_root, paths, _server) = start().await;
    // One that is refused is hung up on, perhaps before its request is there.
    let ask = async |client: &mut Client| {
        let _ = client.writer.write_all(b"{\"id\":1,\"method\":\"status\"}\n").await;
        client.line().await
    };
    let mut clients = Vec::new();
    let refusal = loop {
        assert!(clients.len() < 1000, "no limit");
        let mut client = Client::connect(&paths).await;
        let answer = ask(&mut client).await;
        if answer["id"].is_null() {
            break answer;
        }
        clients.push(client);
    };
    assert_eq!(refusal["error"]["code"], "too-many-connections");
    assert_eq!(refusal["error"]["details"]["limit"], clients.len());
    clients.clear();
    // The daemon learns of an end when it reads it.
    while ask(&mut Client::connect(&paths).await).await["id"].is_null() {}
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let (_root, paths, _server) = start().await;
    let mut client = Client::connect(&paths).await;
    let answer = client.ask(json!({"id": 1, "method": "init", "params": {"cluster": 5}})).await;
    assert_eq!(answer["error"]["code"], "invalid-parameter");
    let answer = client.ask(json!({"id": 2, "method": "join", "params": {"token": "rubbish"}})).await;
    assert_eq!(answer["event"], "progress", "checking comes first: {answer}");
    let answer = client.line().await;
    assert_eq!(answer["error"]["code"], "token-damaged");
    assert!(!paths.config().exists());
}

#[tokio::test]
async fn a_damaged_file_leaves_a_daemon_that_names_it_and_its_line() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    std::fs::create_dir_all(paths.etc()).unwrap();
    std::fs::write(paths.config(), "cluster:\n  name: prod\nnode: [\n").unwrap();
    let listener = listen(&paths.socket()).unwrap();
    let daemon = Daemon::new(paths.clone(), Systemd::default());
    let _server = tokio::spawn(serve(listener, Arc::clone(&daemon), LogFeed::default()));
    let starting = Arc::clone(&daemon);
    let _start = tokio::spawn(async move { starting.start().await });
    let mut client = Client::connect(&paths).await;
    let answer = client.ask(json!({"id": 1, "method": "status"})).await;
    assert_eq!(answer["error"]["code"], "file-invalid");
    assert!(answer["error"]["details"]["line"].as_u64().is_some_and(|line| line >= 3), "{answer}");
    let before = std::fs::read(paths.config()).unwrap();
    let answer = client.ask(json!({"id": 2, "method": "init", "params": {"cluster": "prod"}})).await;
    assert_eq!(answer["error"]["code"], "file-invalid", "never silently replaced");
    assert_eq!(std::fs::read(paths.config()).unwrap(), before);

    // Mended, and told so: it looks again.
    std::fs::remove_file(paths.config()).unwrap();
    daemon.reload();
    let mut id = 2;
    let answer = tokio::time::timeout(Duration::from_secs(4), async {
        loop {
            id += 1;
            let answer = client.ask(json!({"id": id, "method": "status"})).await;
            if answer["error"]["code"] != "file-invalid" {
                return answer;
            }
        }
    });
    assert_eq!(answer.await.expect("before the next try")["error"]["code"], "not-configured");
}
