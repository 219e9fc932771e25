use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sfha_core::health::Verdict;
use sfha_core::resources::{default_fall, default_interval_ms, default_rise, default_timeout_ms};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn check(probe: Probe) -> HealthCheck {
    HealthCheck {
        probe,
        interval_ms: default_interval_ms(),
        timeout_ms: default_timeout_ms(),
        fall: default_fall(),
        rise: default_rise(),
        start_grace_ms: 0,
        service: None,
        critical: false,
        restart_unit: None,
    }
}

fn http(url: &str) -> Probe {
    Probe::Http { url: url.to_owned(), status: None, body: None, ca_file: None }
}

/// Asks once.
async fn ask(probe: Probe) -> Result<(), String> {
    let (tell, _told) = mpsc::unbounded_channel();
    let (_off, hands_off) = watch::channel(false);
    let asker = Asker { me: 1, systemd: Systemd::default(), resolver: Resolver::default(), tell, hands_off };
    let mut target = Target::new(&probe, &asker);
    tokio::time::timeout(PATIENCE, target.ask()).await.expect("no answer at all")
}

/// The next verdict that is told.
async fn next(told: &mut mpsc::UnboundedReceiver<Finished>) -> (String, Verdict) {
    match tokio::time::timeout(PATIENCE, told.recv()).await.expect("nothing is told") {
        Some(Finished::Check(name, verdict)) => (name, verdict),
        other => panic!("{other:?}"),
    }
}

/// Answers every connection with this, and closes it; tells the requests.
async fn serve(answer: Vec<u8>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, tell) = (answer.clone(), tell.clone());
            tokio::spawn(async move { reply(stream, &answer, &tell).await });
        }
    });
    (address, told)
}

async fn reply(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    answer: &[u8],
    tell: &mpsc::UnboundedSender<String>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let _ = tell.send(String::from_utf8_lossy(&request).into_owned());
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// An address where nobody listens, for a moment.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn an_http_status_is_judged() {
    for (status, wanted, expected) in [
        ("200 OK", None, Ok(())),
        ("302 Found", None, Ok(())),
        ("404 Not Found", None, Err("status-404")),
        ("500 Oops", None, Err("status-500")),
        ("404 Not Found", Some(404), Ok(())),
        ("200 OK", Some(204), Err("status-200")),
    ] {
        let (address, _requests) = serve(answer(status, b"")).await;
        let probe = Probe::Http {
            url: format!("http://{address}/health"),
            status: wanted,
            body: None,
            ca_file: None,
        };
        assert_eq!(ask(probe).await, expected.map_err(str::to_owned), "{status}, wanted {wanted:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, mut requests) = serve(answer("500 Oops", b"")).await;
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\n\r\n");
    let (address, _requests) = serve(moved.into_bytes()).await;
    assert_eq!(ask(http(&format!("http://{address}/"))).await, Ok(()));
    assert!(requests.try_recv().is_err(), "nobody asked there");
}

#[tokio::test]
async fn a_body_is_searched_up_to_its_limit() {
    let wanted = |address: &str| Probe::Http {
        url: format!("http://{address}/"),
        status: None,
        body: Some("all is well".to_owned()),
        ca_file: None,
    };
    let mut early = vec![b'x'; 1000];
    early.extend_from_slice(b"all is well");
    early.resize(1_000_000, b'y');
    let (address, _requests) = serve(answer("200 OK", &early)).await;
    assert_eq!(ask(wanted(&address)).await, Ok(()));

    let mut late = vec![b'x'; 64 * 1024];
    late.extend_from_slice(b"all is well");
    let (address, _requests) = serve(answer("200 OK", &late)).await;
    assert_eq!(ask(wanted(&address)).await, Err("body".to_owned()), "beyond 64 KiB");

    let (address, _requests) = serve(answer("200 OK", b"all is lost")).await;
    assert_eq!(ask(wanted(&address)).await, Err("body".to_owned()));
}

#[tokio::test]
async fn a_password_in_the_url_is_sent_and_told_to_nobody() {
    let (address, mut requests) = serve(answer("200 OK", b"")).await;
    assert_eq!(ask(http(&format!("http://joe:secret@{address}/"))).await, Ok(()));
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(request.contains("authorization: basic am9lonnly3jlda=="), "{request}");
    for url in [format!("http://joe:secret@{}/", nobody().await), "http://joe:secret@[/".to_owned()] {
        let code = ask(http(&url)).await.unwrap_err();
        assert!(!code.contains("secret"), "{code}");
    }
}

#[tokio::test]
async fn what_is_wrong_has_a_code() {
    assert_eq!(ask(http(&format!("http://{}/", nobody().await))).await, Err("refused".to_owned()));
    assert_eq!(ask(http("nonsense")).await, Err("url".to_owned()));
    let (address, _requests) = serve(b"this is no HTTP\r\n\r\n".to_vec()).await;
    assert_eq!(ask(http(&format!("http://{address}/"))).await, Err("answer".to_owned()));
    let tcp = |target: String| ask(Probe::Tcp { target });
    assert_eq!(tcp(nobody().await).await, Err("refused".to_owned()));
    assert_eq!(tcp("nowhere.invalid:80".to_owned()).await, Err("name".to_owned()));
    assert_eq!(tcp("no port".to_owned()).await, Err("target".to_owned()));
}

#[tokio::test]
async fn a_tcp_connection_that_is_accepted_is_enough() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(ask(Probe::Tcp { target: format!("127.0.0.1:{port}") }).await, Ok(()));
    assert_eq!(ask(Probe::Tcp { target: format!("localhost:{port}") }).await, Ok(()));
}

/// A server with a certificate for 127.0.0.1, signed by an authority of its own; and that one's certificate.
async fn serve_https() -> (String, String) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (tell, _told) = mpsc::unbounded_channel();
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                reply(stream, &answer("200 OK", b"ok"), &tell).await;
            }
        }
    });
    (address, authority.pem())
}

#[tokio::test]
async fn https_trusts_the_own_authority_and_nobody_else() {
    let (address, authority) = serve_https().await;
    let (_, foreign) = serve_https().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Some(path.display().to_string())
    };
    let probe =
        |ca_file| Probe::Http { url: format!("https://{address}/"), status: None, body: None, ca_file };
    assert_eq!(ask(probe(file("own.pem", &authority))).await, Ok(()));
    assert_eq!(ask(probe(file("foreign.pem", &foreign))).await, Err("certificate".to_owned()));
    assert_eq!(ask(probe(None)).await, Err("certificate".to_owned()), "not the system's either");
    assert_eq!(ask(probe(file("empty.pem", ""))).await, Err("ca-file".to_owned()));
    assert_eq!(ask(probe(Some("/nowhere/ca.pem".to_owned()))).await, Err("ca-file".to_owned()));
}

#[tokio::test]
async fn a_replaced_authority_is_read_after_a_failure() {
    let (address, authority) = serve_https().await;
    let (_, foreign) = serve_https().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, foreign).unwrap();
    let mut http = Http::new(
        format!("https://{address}/"),
        None,
        None,
        Some(path.display().to_string()),
        Arc::new(Resolver::default()),
    );
    assert_eq!(http.ask().await, Err("certificate".to_owned()));
    std::fs::write(&path, authority).unwrap();
    assert_eq!(http.ask().await, Ok(()));
}

/// A program; it is closed before it is run, or the kernel calls it busy.
fn script(folder: &Path, text: &str) -> Vec<String> {
    let path = folder.join("program");
    let mut file = std::fs::File::create(&path).unwrap();
    write!(file, "#!/bin/sh\n{text}\n").unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    vec!["/bin/sh".to_owned(), path.display().to_string()]
}

#[tokio::test]
async fn a_program_is_judged_by_how_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| ask(Probe::Program { command: script(folder.path(), text) });
    assert_eq!(run("exit 0").await, Ok(()));
    assert_eq!(run("exit 7").await, Err("exit-7".to_owned()));
    assert_eq!(run("kill -9 $$").await, Err("killed".to_owned()));
    assert_eq!(run("test -z \"$NOTIFY_SOCKET$HOME\"").await, Ok(()), "the daemon's environment");
    let missing = Probe::Program { command: vec!["/nowhere/program".to_owned()] };
    assert_eq!(ask(missing).await, Err("program".to_owned()));
    // More than any pipe holds: whoever does not read makes it wait for ever.
    assert_eq!(run("head -c 1000000 /dev/zero >&2; exit 3").await, Err("exit-3".to_owned()));
}

/// Waits until no process has that argument.
async fn gone(mark: &str) {
    let there = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .any(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()))
    };
    let vanish = async {
        while there() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, vanish).await.expect("a process stays");
}

#[tokio::test]
async fn nothing_of_a_program_outlives_its_question() {
    let folder = tempfile::tempdir().unwrap();
    // Numbers that no other process has for an argument.
    let mark = |number: u32| format!("{}.{number}", 86_400 + std::process::id());
    let child = mark(1);
    let command = script(folder.path(), &format!("sleep {child} & exit 0"));
    assert_eq!(ask(Probe::Program { command }).await, Ok(()));
    gone(&child).await;

    let (child, own) = (mark(2), mark(3));
    let started = folder.path().join("begun");
    let text = format!("touch {}; sleep {child} & sleep {own}", started.display());
    let command = script(folder.path(), &text);
    let asked = tokio::spawn(async move { program::ask(&command).await });
    while !started.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    asked.abort();
    gone(&child).await;
    gone(&own).await;
}

#[tokio::test]
async fn a_hundred_hanging_targets_keep_nobody_else_waiting() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = http(&format!("http://{}/", mute.local_addr().unwrap()));
    let (address, _requests) = serve(answer("200 OK", b"")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let probes = Probes::start(1, Systemd::default(), tell);
    let quick = |probe| HealthCheck { interval_ms: 20, timeout_ms: 3_600_000, rise: 2, ..check(probe) };
    let wanted = |check| Wanted { check, starts: 0 };
    let mut all: BTreeMap<String, Wanted> =
        (0..100).map(|number| (format!("hangs-{number}"), wanted(quick(hanging.clone())))).collect();
    all.insert("answers".to_owned(), wanted(quick(http(&format!("http://{address}/")))));
    probes.set(all);
    let (name, verdict) = next(&mut told).await;
    assert_eq!((name.as_str(), verdict.healthy), ("answers", Some(true)));

    // One question of each is under way, and no second one.
    let mut connected = Vec::new();
    while connected.len() < 100 {
        connected.push(tokio::time::timeout(PATIENCE, mute.accept()).await.unwrap().unwrap());
    }
    let more = tokio::time::timeout(Duration::from_millis(200), mute.accept()).await;
    assert!(more.is_err(), "asked again while it was asked");
}

#[tokio::test]
async fn a_deadline_is_a_failure() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = http(&format!("http://{}/", mute.local_addr().unwrap()));
    let (tell, mut told) = mpsc::unbounded_channel();
    let probes = Probes::start(1, Systemd::default(), tell);
    let check = HealthCheck { interval_ms: 20, timeout_ms: 20, fall: 3, ..check(probe) };
    probes.set(BTreeMap::from([("web".to_owned(), Wanted { check, starts: 0 })]));
    let timed_out = Some("timed-out".to_owned());
    assert_eq!(next(&mut told).await.1, Verdict { healthy: None, error: timed_out.clone() });
    assert_eq!(next(&mut told).await.1, Verdict { healthy: Some(false), error: timed_out });
}

#[tokio::test]
async fn a_new_start_of_the_service_begins_anew() {
    let (address, _requests) = serve(answer("200 OK", b"")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let probes = Probes::start(1, Systemd::default(), tell);
    let check = HealthCheck { interval_ms: 20, rise: 1, ..check(Probe::Tcp { target: address }) };
    let set = |starts| {
        probes.set(BTreeMap::from([("web".to_owned(), Wanted { check: check.clone(), starts })]));
    };
    for starts in [1, 2] {
        set(starts);
        let (_, verdict) = next(&mut told).await;
        assert_eq!(verdict.healthy, Some(true), "told again: start {starts}");
    }
    probes.set(BTreeMap::new());
}

#[tokio::test]
async fn those_who_ask_for_the_same_name_wait_for_the_same_answer() {
    static GATE: Barrier = Barrier::new(2);
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
    fn slow(_: &str) -> std::io::Result<Vec<IpAddr>> {
        LOOKUPS.fetch_add(1, Ordering::Relaxed);
        GATE.wait();
        Ok(vec![IpAddr::from([10, 0, 0, 1])])
    }
    let resolver = Resolver::with(slow);
    // Each is begun when it is first polled, in order, before the gate is opened.
    let lookups = futures_util::future::join_all((0..50).map(|_| resolver.lookup("web.example")));
    let open = async { GATE.wait() };
    let (found, _) = tokio::join!(lookups, open);
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(|all| all.len() == 1)));
    assert_eq!(LOOKUPS.load(Ordering::Relaxed), 1);
}
