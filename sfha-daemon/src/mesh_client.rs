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
use tokio::time::Instant;

use crate::files::MAX_FILE;
use crate::mesh_api::{Admission, JoinRequest, RotateRequest};
use crate::paths::MESH_API_PORT;

/// Time between two attempts to connect through a tunnel that is only just coming up.
const RETRY: Duration = Duration::from_millis(200);

/// Longest time for one attempt to connect.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// Connects through the tunnel; tries again until the deadline.
///
/// # Errors
/// `unreachable`, without details: the caller knows the endpoint.
pub async fn connect(address: IpAddr, deadline: Instant) -> Result<TcpStream, Failure> {
    let address = SocketAddr::new(address, MESH_API_PORT);
    loop {
        let attempt = tokio::time::timeout(ATTEMPT, TcpStream::connect(address));
        if let Ok(Ok(Ok(stream))) = tokio::time::timeout_at(deadline, attempt).await {
            return Ok(stream);
        }
        if Instant::now() + RETRY >= deadline {
            return Err(ErrorCode::Unreachable.into());
        }
        tokio::time::sleep(RETRY).await;
    }
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
