//! HTTPS around [`api`]: a thread with a runtime of its own, so that any test can have one.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::Digest as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::api::{self, Answer, Asked};
use super::certificate::Identity;
use super::faults::{self, FaultKind};
use super::lock;
use super::world::World;

#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    fingerprint: String,
    authority: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(address: SocketAddr, world: Arc<Mutex<World>>) -> Result<Self> {
        let listener = std::net::TcpListener::bind(address).context("no port for the Proxmox stand-in")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let identity = Identity::generate(&["localhost".to_owned(), address.ip().to_string()])?;
        let fingerprint = fingerprint(&identity.certificate);
        let authority = identity.authority_pem;
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![identity.certificate], identity.key)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = serve(listener, TlsAcceptor::from(Arc::new(config)), world) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, fingerprint, authority, stop: Some(stop), thread: Some(thread) })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = sha2::Sha256::digest(certificate);
    let mut text = String::new();
    for byte in digest {
        if !text.is_empty() {
            text.push(':');
        }
        let _ = write!(text, "{byte:02X}");
    }
    text
}

async fn serve(listener: std::net::TcpListener, tls: TlsAcceptor, world: Arc<Mutex<World>>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, world) = (tls.clone(), Arc::clone(&world));
        tokio::spawn(async move {
            // A client that does not like the certificate ends here.
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request, Arc::clone(&world)));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(request: Request<Incoming>, world: Arc<Mutex<World>>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let fault = {
        let mut here = lock(&world);
        here.requests.push(format!("{} {}", parts.method, parts.uri));
        faults::take(&mut here.faults, &path)
    };
    let mut fails = None;
    let mut cut = false;
    match fault {
        Some(FaultKind::Status(status)) => return Ok(response(&Answer::error(status, "injected"), false)),
        Some(FaultKind::Slow(time)) => tokio::time::sleep(time).await,
        Some(FaultKind::Cut) => cut = true,
        Some(FaultKind::TaskFails(why)) => fails = Some(why),
        None => {}
    }
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        method: parts.method.as_str(),
        path: path.strip_prefix("/api2/json").unwrap_or_default(),
        query: parts.uri.query().unwrap_or_default(),
        body: std::str::from_utf8(&body).unwrap_or_default(),
        authorization: header("authorization"),
        cookie: header("cookie"),
        csrf: header("csrfpreventiontoken"),
        task_fails: fails,
    };
    Ok(response(&api::answer(&world, &asked), cut))
}

fn response(answer: &Answer, cut: bool) -> Response<Body> {
    let text = Bytes::from(answer.body.to_string());
    let body = if cut {
        let half = text.slice(..text.len() / 2);
        let end = Err(std::io::Error::other("cut"));
        // The second piece comes later, or both would be dropped together.
        let pieces = stream::iter([Ok(Frame::data(half)), end]).then(|piece| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            piece
        });
        BodyExt::boxed(StreamBody::new(pieces))
    } else {
        Full::new(text.clone()).map_err(|never| match never {}).boxed()
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(length) = text.len().to_string().parse() {
        response.headers_mut().insert("content-length", length);
    }
    if let Ok(kind) = "application/json;charset=UTF-8".parse() {
        response.headers_mut().insert("content-type", kind);
    }
    // Proxmox says what went wrong in the reason phrase.
    if let Some(reason) = &answer.reason
        && let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    response
}
