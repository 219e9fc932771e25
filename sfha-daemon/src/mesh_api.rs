//! HTTP on the mesh address: how a joiner is let in, and how a node that was away catches up before its
//! Corosync starts.
//!
//! Requests are authenticated by the mesh: WireGuard binds a source address to a peer's key. A join must
//! come from the address that is reserved for its invite, and only the holder of the invite's key can
//! send from there.

pub(crate) mod limits;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sfha_core::state::Invite;
use sfha_core::token::{Claims, is_proven, prove, verify};
use sfha_core::{ClusterState, Command, NodeId};
use sfha_proto::message::RotateStep;
use sfha_proto::{ErrorCode, Failure};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::event_loop::CoreHandle;
use crate::files;
use crate::io::corosync::Corosync;
use crate::mesh::{MeshHandle, describe, internal, unix_now};
use crate::paths::MESH_API_PORT;
use crate::rotation::Rotator;
use crate::store::Node;

/// Largest request, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// Longest time for one request.
pub(crate) const DEADLINE: Duration = Duration::from_secs(25);

/// Requests served at once.
pub(crate) const MAX_REQUESTS: usize = 16;

/// `POST /v1/join`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// What the token says.
    pub claims: Claims,
    /// Its signature.
    pub signature: String,
    /// The joiner's own public key, base64.
    pub public_key: String,
    /// Its name.
    pub name: String,
    /// Where it can be reached; where its packets come from if absent.
    pub endpoint: Option<String>,
    /// Its address on the LAN, if it has one.
    #[serde(default)]
    pub lan_address: Option<IpAddr>,
}

/// Its answer: everything a member has. It travels inside the tunnel only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Admission {
    /// Id of the new node.
    pub node: NodeId,
    /// The replicated state, with the new node in it.
    pub state: ClusterState,
    /// The secret that signs tokens, base64.
    pub secret: String,
    /// Corosync's key, base64.
    pub corosync_key: String,
}

/// `POST /v1/rotate-key`; answered with the public key that the node has then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RotateRequest {
    /// Only this step.
    pub step: Option<RotateStep>,
    /// That a daemon asks: of [`RotateRequest::text`].
    pub proof: String,
}

impl RotateRequest {
    /// To the node of that name.
    #[must_use]
    pub fn new(name: &str, step: Option<RotateStep>, secret: &[u8]) -> Self {
        Self { step, proof: prove(&Self::text(name, step), secret) }
    }

    fn text(name: &str, step: Option<RotateStep>) -> String {
        format!("rotate-key {name} {step:?}")
    }
}

/// What the API needs.
pub struct Api {
    /// This node.
    pub node: Arc<Node>,
    /// The core.
    pub core: CoreHandle,
    /// The mesh; `None` for a cluster on the LAN.
    pub mesh: Option<MeshHandle>,
    /// For the reload.
    pub corosync: Arc<Corosync>,
    /// For another node's operator who wants this node's key changed.
    pub rotator: Option<Arc<Rotator>>,
}

struct Shared {
    api: Api,
    slots: Semaphore,
}

/// Serves until dropped.
///
/// # Errors
/// `internal` when the address cannot be bound.
pub async fn serve(address: IpAddr, api: Api) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let listener = TcpListener::bind(SocketAddr::new(address, MESH_API_PORT))
        .await
        .map_err(|error| internal("mesh-api", &error))?;
    let shared = Arc::new(Shared { api, slots: Semaphore::new(MAX_REQUESTS) });
    let router = Router::new()
        .route("/v1/join", post(join))
        .route("/v1/state", get(state))
        .route("/v1/rotate-key", post(rotate_key))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, DEADLINE))
        .layer(axum::middleware::map_response(hang_up))
        .with_state(shared);
    let listener = limits::LimitedListener::new(listener).tap_io(|_| ());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).await {
            warn!(%error, "mesh API ended");
        }
    }))
}

/// One request a connection: what is counted at its begin is all that it can cost.
async fn hang_up(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

struct Refused(Failure);

impl std::convert::From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl std::convert::From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::CONFLICT, Json(self.0)).into_response()
    }
}

/// The state, for members only: a joiner on its invite's address is none yet.
fn for_member(api: &Api, from: IpAddr) -> Result<Arc<ClusterState>, Refused> {
    let state = api.core.state();
    if !state.nodes.values().any(|node| node.address == from) {
        return Err(Failure::new(ErrorCode::NotPermitted).with("user", from.to_string()).into());
    }
    Ok(state)
}

async fn state(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
) -> Result<Json<ClusterState>, Refused> {
    let state = for_member(&shared.api, from.ip())?;
    Ok(Json((*state).clone()))
}

async fn rotate_key(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Json(request): Json<RotateRequest>,
) -> Result<Json<String>, Refused> {
    let _slot = shared.slots.try_acquire().map_err(|_| Refused(ErrorCode::TimedOut.into()))?;
    for_member(&shared.api, from.ip())?;
    let node = &shared.api.node;
    let text = RotateRequest::text(&node.config.node.name, request.step);
    if !is_proven(&text, &request.proof, &node.secret) {
        return Err(Failure::new(ErrorCode::NotPermitted).with("user", from.ip().to_string()).into());
    }
    let rotator = shared.api.rotator.as_ref().ok_or(ErrorCode::NotConfigured)?;
    info!(from = %from.ip(), step = ?request.step, "asked to change this node's key");
    let outcome = rotator.run(request.step).await;
    if let Err(failure) = &outcome {
        warn!(%failure, "key not changed");
    }
    Ok(Json(outcome?))
}

async fn join(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Json(request): Json<JoinRequest>,
) -> Result<Json<Admission>, Refused> {
    let _slot = shared.slots.try_acquire().map_err(|_| Refused(ErrorCode::TimedOut.into()))?;
    let outcome = admit(&shared.api, &From::Address(from.ip()), request).await;
    if let Err(failure) = &outcome {
        warn!(from = %from.ip(), %failure, "join refused");
    }
    Ok(Json(outcome?))
}

/// What a request shows of who sends it.
#[derive(Debug, PartialEq, Eq)]
pub enum From {
    /// In a mesh: WireGuard binds it to a key.
    Address(IpAddr),
    /// On a LAN: the key itself, base64.
    Key(String),
}

impl From {
    /// Whether that is the holder of the invite, or the node that it let in.
    fn holds(&self, invite: &Invite) -> bool {
        match self {
            Self::Address(address) => invite.ip == Some(*address),
            Self::Key(key) => {
                let own = invite.redeemed.as_ref().is_some_and(|redeemed| redeemed.public_key == *key);
                own || (invite.public_key == *key && !invite.closed)
            }
        }
    }
}

/// Lets a node in.
///
/// # Errors
/// Why not.
pub async fn admit(api: &Api, from: &From, request: JoinRequest) -> Result<Admission, Failure> {
    let state = api.core.state();
    if !verify(&request.claims, &request.signature, &api.node.secret)
        || request.claims.cluster != state.cluster
    {
        return Err(ErrorCode::TokenForeign.into());
    }
    let Some(invite) = state.invites.get(&request.claims.invite) else {
        return Err(ErrorCode::TokenUnknown.into());
    };
    if let (From::Key(key), Some(redeemed), true) = (from, &invite.redeemed, invite.closed)
        && *key == invite.public_key
    {
        // The node that it let in is a member, and has no more need of it.
        return Err(Failure::new(ErrorCode::TokenUsed).with("node", state.node_name(redeemed.node)));
    }
    if !from.holds(invite) {
        let user = match from {
            From::Address(address) => address.to_string(),
            From::Key(key) => key.clone(),
        };
        return Err(Failure::new(ErrorCode::NotPermitted).with("user", user));
    }
    let seen = match &api.mesh {
        Some(mesh) => mesh.endpoint_of(&invite.public_key).await,
        None => None,
    };
    let endpoint = request.endpoint.or_else(|| seen.map(|seen| seen.to_string()));
    let add = Command::AddNode {
        invite: request.claims.invite.clone(),
        name: request.name.clone(),
        public_key: request.public_key.clone(),
        endpoint,
        lan_address: request.lan_address,
        now: unix_now(),
    };
    match api.core.propose(add).await {
        // The same joiner with the same key: its earlier request was cut off.
        Err(failure) if failure.code == ErrorCode::AlreadySo => {}
        other => other?,
    }
    // Every member has the new corosync.conf on disk: one reload makes all of them read it.
    api.corosync
        .reload()
        .await
        .map_err(|error| Failure::new(ErrorCode::CorosyncFailed).with("cause", describe(&error)))?;
    let state = api.core.state();
    let admitted = state.invites.get(&request.claims.invite).and_then(|invite| invite.redeemed.as_ref());
    let node = admitted.ok_or(ErrorCode::TokenUnknown)?.node;
    let path = api.node.paths.corosync_authkey();
    let key = files::read_secret(&path)?.ok_or_else(|| files::invalid(&path, "missing"))?;
    info!(name = request.name, node, "node admitted");
    Ok(Admission {
        node,
        state: (*state).clone(),
        secret: STANDARD.encode(&*api.node.secret),
        corosync_key: STANDARD.encode(&*key),
    })
}
