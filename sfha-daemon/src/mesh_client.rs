//! The other end of [`crate::mesh_api`]: what a joiner and a returning node ask.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use sfha_core::ClusterState;
use sfha_proto::{ErrorCode, Failure};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::files::MAX_FILE;
use crate::mesh_api::{Admission, JoinRequest, RotateRequest};
use crate::paths::MESH_API_PORT;

/// Longest time for one attempt to connect.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// Between the first attempt and the second; twice as long each time, up to [`ATTEMPT`]. So at most four are
/// under way at once, as many as a source may have.
const NEXT: Duration = Duration::from_millis(150);

/// Connects through the tunnel; tries again until the deadline. A tunnel that is only just coming up loses
/// the first packet, and TCP would send it again only after a second (RFC 6298, § 2.1): another attempt
/// begins well before, and the earlier ones go on, since the way may be a long one.
///
/// # Errors
/// `unreachable`, without details: the caller knows the endpoint.
pub async fn connect(address: IpAddr, deadline: Instant) -> Result<TcpStream, Failure> {
    let address = SocketAddr::new(address, MESH_API_PORT);
    let mut attempts = JoinSet::new();
    let mut pause = NEXT;
    let connected = async {
        loop {
            attempts.spawn(tokio::time::timeout(ATTEMPT, TcpStream::connect(address)));
            let next = Instant::now() + pause;
            pause = (pause * 2).min(ATTEMPT);
            while let Ok(ended) = tokio::time::timeout_at(next, attempts.join_next()).await {
                match ended {
                    Some(Ok(Ok(Ok(stream)))) => return stream,
                    Some(_) => {}
                    None => tokio::time::sleep_until(next).await,
                }
            }
        }
    };
    tokio::time::timeout_at(deadline, connected).await.map_err(|_| ErrorCode::Unreachable.into())
}

/// `POST /v1/join`
///
/// # Errors
/// The other side's refusal, or that the connection was lost.
pub async fn join(stream: TcpStream, request: &JoinRequest, deadline: Instant) -> Result<Admission, Failure> {
    let body = serde_json::to_vec(request).map_err(|error| lost(&error))?;
    send(stream, Method::POST, "/v1/join", body, deadline).await
}

/// `GET /v1/state`
///
/// # Errors
/// As [`join`].
pub async fn state(stream: TcpStream, deadline: Instant) -> Result<ClusterState, Failure> {
    send(stream, Method::GET, "/v1/state", Vec::new(), deadline).await
}

/// `POST /v1/rotate-key`
///
/// # Errors
/// As [`join`].
pub async fn rotate(
    stream: TcpStream,
    request: &RotateRequest,
    deadline: Instant,
) -> Result<String, Failure> {
    let body = serde_json::to_vec(request).map_err(|error| lost(&error))?;
    send(stream, Method::POST, "/v1/rotate-key", body, deadline).await
}

fn lost(error: &dyn std::error::Error) -> Failure {
    Failure::new(ErrorCode::Internal).with("what", "mesh-api").with("cause", crate::mesh::describe(error))
}

async fn send<T: serde::de::DeserializeOwned>(
    stream: TcpStream,
    method: Method,
    path: &str,
    body: Vec<u8>,
    deadline: Instant,
) -> Result<T, Failure> {
    let exchange = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sfha")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| lost(&error))?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let status = response.status();
        let limit = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
        let bytes = Limited::new(response.into_body(), limit)
            .collect()
            .await
            .map_err(|error| {
                Failure::new(ErrorCode::Internal).with("what", "mesh-api").with("cause", error.to_string())
            })?
            .to_bytes();
        driver.abort();
        if status.is_success() {
            serde_json::from_slice(&bytes).map_err(|error| lost(&error))
        } else {
            Err(serde_json::from_slice::<Failure>(&bytes).unwrap_or_else(|_| {
                Failure::new(ErrorCode::Internal).with("what", "mesh-api").with("cause", status.to_string())
            }))
        }
    };
    tokio::time::timeout_at(deadline, exchange)
        .await
        .map_err(|_| Failure::new(ErrorCode::TimedOut).with("what", "mesh-api"))?
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};
    use socket2::{SockFilter, SockRef};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_lost_packet_is_not_waited_for() {
        // A network of its own, where the port is free.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
        assert!(up.success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address = IpAddr::from([127, 0, 0, 1]);
            let listener = TcpListener::bind((address, MESH_API_PORT)).await.unwrap();
            // Takes nothing in, as a tunnel that is not up yet: BPF_RET, 0 bytes.
            SockRef::from(&listener).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            let connecting = tokio::spawn(connect(address, deadline));
            while attempts() < 2 {
                assert!(Instant::now() < deadline, "one attempt at a time");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            SockRef::from(&listener).detach_filter().unwrap();
            assert!(connecting.await.unwrap().is_ok());
        });
    }

    /// Connections of this network that were begun and not answered (proc_net_tcp: state 02).
    fn attempts() -> usize {
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        table.lines().filter(|line| line.split_whitespace().nth(3) == Some("02")).count()
    }
}
