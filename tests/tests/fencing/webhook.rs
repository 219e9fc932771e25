//! The webhook driver against a small server.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sfha_core::fencing::settings::{Trust, Webhook};
use sfha_core::fencing::{Call, Power};
use sfha_daemon::fencing::call;
use sfha_daemon::fencing::webhook::WebhookDriver;
use sfha_proto::{ErrorCode, Failure};

use super::secret_file;

const LONG: Duration = Duration::from_secs(20);

/// What a request was: its first line, its headers, its body.
type Seen = Arc<Mutex<Vec<(String, Vec<String>, String)>>>;

/// Answers each path with a whole response of its own; what it does not know waits for ever.
fn server(answers: &'static [(&'static str, &'static str)]) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    thread::spawn(move || {
        let mut waiting = Vec::new();
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let length = lines
                .iter()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let first = lines.remove(0);
            let path = first.split(' ').nth(1).unwrap().to_owned();
            log.lock().unwrap().push((first, lines, String::from_utf8(body).unwrap()));
            match answers.iter().find(|(known, _)| path.starts_with(known)) {
                Some((_, answer)) => reader.get_mut().write_all(answer.as_bytes()).unwrap(),
                None => waiting.push(reader),
            }
        }
    });
    (address, seen)
}

fn settings(address: SocketAddr) -> Webhook {
    Webhook {
        fence_url: format!("http://{address}/{{{{action}}}}/{{{{node}}}}?key=hush"),
        unfence_url: None,
        status_url: None,
        method: "POST".into(),
        headers: BTreeMap::new(),
        headers_file: None,
        body_template: None,
        timeout_ms: 500,
        trust: Trust::System,
        answer_is_proof: false,
    }
}

async fn refused(settings: &Webhook) -> Failure {
    let driver = WebhookDriver::new(settings).unwrap();
    let failure = call(&driver, "n1", Call::Off, LONG).await.unwrap_err();
    assert!(!failure.to_string().contains("hush"), "{failure}");
    assert!(!format!("{driver:?} {settings:?}").contains("hush"), "{driver:?} {settings:?}");
    failure
}

const OK: &str = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
const OFF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"power\": \"off\"}";

#[tokio::test]
async fn urls_body_and_headers_are_sent_as_they_are_configured() {
    let (address, seen) = server(&[("/fence", OK), ("/on", OK), ("/status", OFF)]);
    let folder = tempfile::tempdir().unwrap();
    let with = Webhook {
        unfence_url: Some(format!("http://{address}/on?node={{{{node}}}}")),
        status_url: Some(format!("http://{address}/status/{{{{node}}}}")),
        method: "PUT".into(),
        headers: [("X-Site".to_owned(), "paris".to_owned())].into(),
        headers_file: Some(secret_file(folder.path(), "headers", "Authorization: Bearer hush\n")),
        body_template: Some("{\"node\":\"{{node}}\",\"do\":\"{{action}}\"}".into()),
        ..settings(address)
    };
    let driver = WebhookDriver::new(&with).unwrap();
    assert_eq!(call(&driver, "n1", Call::Off, LONG).await.unwrap(), Power::Unknown);
    call(&driver, "n 2", Call::On, LONG).await.unwrap();
    assert_eq!(call(&driver, "n1", Call::Status, LONG).await.unwrap(), Power::Off);
    let seen = seen.lock().unwrap();
    let firsts: Vec<&str> = seen.iter().map(|(first, _, _)| first.as_str()).collect();
    assert_eq!(
        firsts,
        ["PUT /fence/n1?key=hush HTTP/1.1", "PUT /on?node=n%202 HTTP/1.1", "GET /status/n1 HTTP/1.1"]
    );
    let bodies: Vec<&str> = seen.iter().map(|(_, _, body)| body.as_str()).collect();
    assert_eq!(bodies, ["{\"node\":\"n1\",\"do\":\"fence\"}", "{\"node\":\"n 2\",\"do\":\"unfence\"}", ""]);
    for (_, headers, _) in seen.iter() {
        assert!(headers.contains(&"authorization: Bearer hush".to_owned()), "{headers:?}");
        assert!(headers.contains(&"x-site: paris".to_owned()), "{headers:?}");
    }
    assert!(!format!("{driver:?}").contains("hush"));
}

#[tokio::test]
async fn what_is_no_success_is_a_failure_without_secrets() {
    let (denied, _) = server(&[("/fence", "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n")]);
    assert_eq!(refused(&settings(denied)).await.code, ErrorCode::FenceDenied);
    let (broken, _) = server(&[("/fence", "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")]);
    assert_eq!(refused(&settings(broken)).await.code, ErrorCode::FenceFailed);
    let (cut, _) = server(&[("/fence", "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nhalf")]);
    assert_eq!(refused(&settings(cut)).await.code, ErrorCode::FenceUnreachable);
    let (silent, _) = server(&[]);
    assert_eq!(refused(&settings(silent)).await.code, ErrorCode::FenceUnreachable);
    // A redirect may lead the credentials anywhere.
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (elsewhere, _) = server(Box::leak(Box::new([("/fence", moved)])));
    assert_eq!(refused(&settings(elsewhere)).await.code, ErrorCode::FenceFailed);
}

#[tokio::test]
async fn settings_are_checked_before_anything_is_sent() {
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let wrong = [
        Webhook { fence_url: "ftp://x/{{node}}".into(), ..settings(address) },
        Webhook { fence_url: "no url".into(), ..settings(address) },
        Webhook { method: "PATCH".into(), ..settings(address) },
        Webhook { headers: [("a b".to_owned(), "c".to_owned())].into(), ..settings(address) },
        Webhook { headers: [("a".to_owned(), "b\r\nc: d".to_owned())].into(), ..settings(address) },
    ];
    for settings in wrong {
        let failure = WebhookDriver::new(&settings).unwrap_err();
        assert_eq!(failure.code, ErrorCode::InvalidParameter, "{settings:?}");
    }
    let driver = WebhookDriver::new(&settings(address)).unwrap();
    assert_eq!(call(&driver, "n1", Call::Status, LONG).await.unwrap(), Power::Unknown);
    let failure = call(&driver, "n1", Call::On, LONG).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidParameter);
}
