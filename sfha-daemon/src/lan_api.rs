//! What [`crate::mesh_api`] is in a mesh, for a cluster on a LAN: on the node's own address, inside a
//! [`Channel`], which tells whose key asks.
//!
//! Only who knows this node's public key gets an answer at all: it is in tokens, and known to nodes. The key of an
//! invite may ask to be let in, the key of a node for the state.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::serve::Listener as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sfha_core::ClusterState;
use sfha_proto::{ErrorCode, Failure};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use crate::files::MAX_FILE;
use crate::io::wireguard::{PrivateKey, PublicKey};
use crate::lan_channel::Channel;
use crate::mesh::{describe, internal};
use crate::mesh_api::limits::LimitedListener;
use crate::mesh_api::{Admission, Api, DEADLINE, From, JoinRequest, MAX_BODY, MAX_REQUESTS, admit};
use crate::paths::MESH_API_PORT;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Request {
    Join(Box<JoinRequest>),
    State,
}

/// Serves until dropped.
///
/// # Errors
/// `internal` when the address cannot be bound.
pub fn serve(address: IpAddr, key: PrivateKey, api: Api) -> Result<JoinHandle<()>, Failure> {
    let listener = listen(address).map_err(|error| internal("lan-api", &error))?;
    let mut listener = LimitedListener::new(listener);
    let (key, api) = (Arc::new(key), Arc::new(api));
    let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
    Ok(tokio::spawn(async move {
        // Ended with this task.
        let mut conversations = JoinSet::new();
        loop {
            let (stream, from) = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = conversations.join_next() => continue,
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
            let (key, api) = (Arc::clone(&key), Arc::clone(&api));
            conversations.spawn(async move {
                let _slot = slot;
                let outcome = tokio::time::timeout(DEADLINE, converse(stream, &key, &api)).await;
                if let Ok(Err(error)) = outcome {
                    debug!(%from, %error, "a conversation broke off");
                }
            });
        }
    }))
}

/// On an address that the node may get only later: at boot the network can be slower than this daemon.
fn listen(address: IpAddr) -> std::io::Result<TcpListener> {
    let address = SocketAddr::new(address, MESH_API_PORT);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    key: &PrivateKey,
    api: &Api,
) -> std::io::Result<()> {
    let (mut channel, from) = Channel::answer(stream, key).await?;
    let request: Request = serde_json::from_slice(&channel.receive(MAX_BODY).await?)?;
    let outcome: Result<Value, Failure> = match request {
        Request::Join(request) => {
            let admitted = admit(api, &From::Key(from.to_string()), *request).await;
            if let Err(failure) = &admitted {
                warn!(%from, %failure, "join refused");
            }
            admitted.and_then(|admission| encode(&admission))
        }
        Request::State if is_member(&api.core.state(), &from) => encode(&*api.core.state()),
        Request::State => Err(Failure::new(ErrorCode::NotPermitted).with("user", from.to_string())),
    };
    channel.send(&Zeroizing::new(serde_json::to_vec(&outcome)?)).await
}

fn encode(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| internal("lan-api", &error))
}

fn is_member(state: &ClusterState, key: &PublicKey) -> bool {
    let key = key.to_string();
    state.nodes.values().any(|node| node.public_key.as_ref() == Some(&key))
}

/// Asks to be let in.
///
/// # Errors
/// The other side's refusal, or that the connection was lost.
pub async fn join(
    stream: TcpStream,
    own: &PrivateKey,
    initiator: &PublicKey,
    request: JoinRequest,
    deadline: Instant,
) -> Result<Admission, Failure> {
    ask(stream, own, initiator, &Request::Join(Box::new(request)), deadline).await
}

/// Asks a member for the state.
///
/// # Errors
/// As [`join`].
pub async fn state(
    stream: TcpStream,
    own: &PrivateKey,
    member: &PublicKey,
    deadline: Instant,
) -> Result<ClusterState, Failure> {
    ask(stream, own, member, &Request::State, deadline).await
}

async fn ask<T: DeserializeOwned>(
    stream: TcpStream,
    own: &PrivateKey,
    other: &PublicKey,
    request: &Request,
    deadline: Instant,
) -> Result<T, Failure> {
    let exchange = async {
        let mut channel = Channel::ask(stream, own, other).await?;
        channel.send(&serde_json::to_vec(request)?).await?;
        let limit = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
        let answer = channel.receive(limit).await?;
        Ok(serde_json::from_slice::<Result<T, Failure>>(&answer)?)
    };
    let lost = |error: std::io::Error| {
        Failure::new(ErrorCode::Internal).with("what", "lan-api").with("cause", describe(&error))
    };
    tokio::time::timeout_at(deadline, exchange)
        .await
        .map_err(|_| Failure::new(ErrorCode::TimedOut).with("what", "lan-api"))?
        .map_err(lost)?
}
