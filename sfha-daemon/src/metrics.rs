//! Metrics for Prometheus, over TCP or a Unix socket, where `metrics.listen` says so.
//!
//! The server knows one request, `GET /metrics`, and reads no further than its end: a client that is slow, or that
//! is none, costs a task that ends by itself, and there are never more than a few. What is told is put together
//! when it is asked for, from what the daemon knows anyway: nothing is measured for the metrics alone.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sfha_config::local::Listen;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::daemon::Daemon;
use crate::hooks::Tally;

mod collect;
mod text;

/// Connections at once.
const MAX_CONNECTIONS: usize = 8;

/// Longest request that is read, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// Longest time for one request and its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Time between two tries to listen.
const RETRY: Duration = Duration::from_secs(5);

/// What metrics are made of.
#[derive(Clone)]
pub struct Source {
    /// What it knows.
    pub daemon: Arc<Daemon>,
    /// What hooks did.
    pub hooks: Tally,
}

impl Source {
    /// Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        collect::all(&self.daemon, &self.hooks)
    }
}

/// Serves where the settings say, until dropped.
pub async fn serve(source: Source) {
    let mut settings = source.daemon.local.watch();
    loop {
        let listen = settings.borrow_and_update().as_ref().and_then(|now| now.local.metrics.clone());
        let same = |now: &Option<Arc<crate::local::Settings>>| {
            now.as_ref().and_then(|now| now.local.metrics.as_ref()) != listen.as_ref()
        };
        let serving = async {
            match &listen {
                Some(listen) => keep_serving(listen, &source).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serving => {}
            changed = settings.wait_for(same) => if changed.is_err() { return },
        }
    }
}

async fn keep_serving(listen: &Listen, source: &Source) {
    let mut told = false;
    loop {
        let bound = match listen {
            Listen::Address(address) => TcpListener::bind(address).await.map(Listener::Tcp),
            Listen::Path(path) => bind(path).map(Listener::Unix),
        };
        match bound {
            Ok(listener) => {
                info!(?listen, "metrics");
                accept(&listener, source).await;
            }
            Err(error) if !told => {
                warn!(?listen, %error, "metrics cannot be served");
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// 0660, group `sfha`, as the control socket is. What is there and is no socket stays.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(std::io::Error::other("something else is there")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    if let Ok(Some(group)) = nix::unistd::Group::from_name("sfha") {
        std::os::unix::fs::chown(path, None, Some(group.gid.as_raw()))?;
    }
    Ok(listener)
}

async fn accept(listener: &Listener, source: &Source) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let source = source.clone();
        let accepted = match listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(DEADLINE, converse(stream, || source.text())).await;
                    drop(slot);
                });
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(DEADLINE, converse(stream, || source.text())).await;
                    drop(slot);
                });
            }),
        };
        if let Err(error) = accepted {
            warn!(%error, "cannot accept");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// One request, one answer (RFC 9112, with `Connection: close`).
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, metrics: impl Fn() -> String) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes).await {
            Ok(count @ 1..) if request.len() + count <= MAX_REQUEST => {
                request.extend_from_slice(&bytes[..count])
            }
            _ => return,
        }
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", metrics()),
        (b"GET" | b"HEAD", b"/") => ("200 OK", "sfha: /metrics\n".to_owned()),
        (b"GET" | b"HEAD", _) => ("404 Not Found", String::new()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let body = if method == b"HEAD" { "" } else { &body };
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to these bytes.
    async fn asked(request: &[u8]) -> String {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(request).await.unwrap();
        client.shutdown().await.unwrap();
        converse(server, || "sfha_up 1\n".to_owned()).await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn one_thing_can_be_asked_and_anything_else_costs_little() {
        let metrics = asked(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
        assert!(
            metrics.ends_with("\r\n\r\nsfha_up 1\n") && metrics.contains("Content-Length: 10\r\n"),
            "{metrics}"
        );
        let head = asked(b"HEAD /metrics HTTP/1.1\r\n\r\n").await;
        assert!(head.ends_with("Content-Length: 10\r\nConnection: close\r\n\r\n"), "{head}");
        assert!(asked(b"GET /metrics?x=1 HTTP/1.0\r\n\r\n").await.ends_with("sfha_up 1\n"));
        assert!(asked(b"GET /etc/passwd HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
        assert!(asked(b"POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
        assert_eq!(asked(b"GET /metrics HTTP/1.1\r\n").await, "", "no end");
        assert_eq!(asked(&vec![b'x'; 20_000]).await, "", "too long");
    }

    #[tokio::test]
    async fn a_socket_takes_the_place_of_a_dead_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        drop(bind(&path).unwrap());
        drop(bind(&path).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
