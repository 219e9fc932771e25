//! `sfha join TOKEN`: from nothing to a quorate member, in one command.
//!
//! The own key pair is made first and stays here. The tunnel is made with the token's one-time key;
//! through it this node asks to be let in, and hears everything that a member knows. Then it changes to
//! its own key, writes its files and starts Corosync. On a LAN there is no tunnel: it asks inside a
//! [`lan_channel`](crate::lan_channel), with the same keys. Whatever interrupts this, the same token finishes
//! it: the own key is kept beside the invite's id until the node is a member.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sfha_core::command::invalid;
use sfha_core::token::{Claims, Token};
use sfha_core::{ClusterState, NodeId};
use sfha_proto::mesh::Joined;
use sfha_proto::message::{JoinParams, Step};
use sfha_proto::{ErrorCode, Failure};
use tokio::time::Instant;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::config_file::ConfigFile;
use crate::endpoints;
use crate::files;
use crate::init::stop_stale_corosync;
use crate::io::netlink::Netlink;
use crate::io::systemd::Systemd;
use crate::io::wireguard::{Peer, PrivateKey};
use crate::mesh::{self, internal, unix_now};
use crate::mesh_api::{Admission, JoinRequest};
use crate::mesh_client;
use crate::mesh_file::MeshFile;
use crate::paths::{INTERFACE, Paths};
use crate::runtime::Runtime;
use crate::setup::{Progress, Undo, check_corosync, check_mesh, check_numbers, node_name};
use crate::store::{self, Node};
use crate::underlay;

mod lan;

/// Deadline of the whole when nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for a first answer through the tunnel.
const CONTACT: Duration = Duration::from_secs(20);

/// The own key of a join that is not over.
#[derive(Serialize, Deserialize)]
struct Joining {
    invite: String,
    private_key: String,
    /// Whether it makes an interface.
    #[serde(default = "yes")]
    mesh: bool,
}

fn yes() -> bool {
    true
}

/// Joins; on failure the node is as it was, but for the own key of a token that may be used again.
///
/// # Errors
/// What is in the way, what was refused, or what failed.
pub async fn join(
    params: JoinParams,
    paths: &Paths,
    systemd: &Systemd,
    progress: &Progress,
) -> Result<(Runtime, Joined), Failure> {
    progress.step(Step::Checking);
    let token = Token::decode(&params.token)?;
    token.check_expiry(unix_now())?;
    let name = node_name(params.name.as_deref())?;
    check_corosync(paths, params.force)?;
    let (netlink, _) = Netlink::open().await.map_err(|error| internal("netlink", &error))?;
    let mut endpoint = None;
    let lan_address = match &token.claims.mesh {
        Some(mesh) => {
            check_numbers(mesh.port, Some(mesh.mtu))?;
            if let Some(given) = &params.endpoint {
                endpoint = Some(endpoints::complete(given, mesh.port)?);
            }
            check_mesh(&netlink, mesh.network, mesh.port).await?;
            underlay::warn_if_tight(&netlink, endpoint.as_deref(), mesh.mtu).await;
            underlay::lan_address(&netlink, params.lan_ip.as_deref()).await?
        }
        None => {
            if let Some(given) = &params.endpoint {
                return Err(invalid("endpoint", given, "no-mesh"));
            }
            lan::address(&netlink, &token.claims.initiator, params.lan_ip.as_deref()).await?
        }
    };
    let timeout = params.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let known = paths.joining().exists();
    let attempt = Attempt {
        token,
        name,
        endpoint,
        lan_address,
        deadline: Instant::now() + timeout,
        asked: AtomicBool::new(false),
    };
    let mut undo = Undo::new(paths);
    match attempt.carry_out(paths, &netlink, systemd, progress, &mut undo).await {
        Ok(done) => Ok(done),
        Err(failure) => {
            undo.roll_back(&netlink, systemd).await;
            // Worth keeping only when the cluster may have let this key in.
            if is_refusal(failure.code) || !(known || attempt.asked.load(Ordering::Relaxed)) {
                files::remove(&paths.joining())?;
            }
            Err(failure)
        }
    }
}

/// Whether the cluster has said that this key will not be let in with this token.
fn is_refusal(code: ErrorCode) -> bool {
    use ErrorCode::{TokenDamaged, TokenExpired, TokenForeign, TokenUnknown, TokenUsed};
    matches!(code, TokenDamaged | TokenExpired | TokenForeign | TokenUnknown | TokenUsed)
}

/// A join with this token that was broken off when this node was a member already, all but in name: waits
/// for the rest. `None` when there was none.
///
/// # Errors
/// `timed-out`.
pub async fn finish(
    params: &JoinParams,
    runtime: &Runtime,
    paths: &Paths,
    progress: &Progress,
) -> Result<Option<Joined>, Failure> {
    let Ok(token) = Token::decode(&params.token) else { return Ok(None) };
    if read_joining(paths)?.is_none_or(|joining| joining.invite != token.claims.invite) {
        return Ok(None);
    }
    info!(invite = token.claims.invite, "finishing a join that was broken off");
    progress.step(Step::Membership);
    let timeout = params.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    runtime.wait_operational(Instant::now() + timeout).await?;
    files::remove(&paths.joining())?;
    Ok(Some(Joined {
        schema: sfha_proto::SCHEMA,
        cluster: runtime.core.state().cluster.clone(),
        node: runtime.node.config.node.name.clone(),
        id: runtime.node.me,
        ip: address_of(&runtime.core.state(), runtime.node.me),
        elapsed_ms: progress.elapsed_ms(),
    }))
}

/// Removes what a join left whose daemon was killed before this node was a member; its key stays, for the
/// same token.
pub async fn clear_broken_off(paths: &Paths, systemd: &Systemd) {
    if !paths.joining().exists() {
        return;
    }
    warn!("a join was broken off; removing what it left");
    let Ok((netlink, _)) = Netlink::open().await else { return };
    let mut undo = Undo::new(paths);
    // One that is there in spite of a join without a mesh is somebody else's.
    if !read_joining(paths).is_ok_and(|joining| joining.is_some_and(|joining| !joining.mesh)) {
        undo.will_make_interface();
    }
    undo.wrote(&Undo::node_files(paths));
    undo.roll_back(&netlink, systemd).await;
}

struct Attempt {
    token: Token,
    name: String,
    endpoint: Option<String>,
    lan_address: Option<IpAddr>,
    deadline: Instant,
    /// Whether the cluster was asked: from then on it may have let the own key in.
    asked: AtomicBool,
}

impl Attempt {
    async fn carry_out(
        &self,
        paths: &Paths,
        netlink: &Netlink,
        systemd: &Systemd,
        progress: &Progress,
        undo: &mut Undo,
    ) -> Result<(Runtime, Joined), Failure> {
        progress.step(Step::Keys);
        let key = own_key(paths, &self.token.claims)?;

        let (file, admission) = match &self.token.claims.mesh {
            Some(mesh) => {
                progress.step(Step::Interface);
                let address = ipnet::IpNet::new(mesh.assigned_ip, mesh.network.prefix_len())
                    .map_err(|_| damaged("mesh"))?;
                let file = MeshFile::new(INTERFACE, address, mesh.port, mesh.mtu, self.endpoint.clone());
                undo.will_make_interface();
                let admission = self.ask(&file, &key, netlink, systemd, progress).await?;
                (Some(file), admission)
            }
            None => (None, self.ask_on_lan(&key, progress).await?),
        };
        info!(node = admission.node, "admitted");

        progress.step(Step::Files);
        undo.will_write(&Undo::node_files(paths))?;
        let node = write_files(paths, &self.name, file, key, &admission)?;

        undo.will_start_corosync();
        stop_stale_corosync(systemd).await?;
        let id = node.me;
        let joined = Joined {
            schema: sfha_proto::SCHEMA,
            cluster: node.state.cluster.clone(),
            node: self.name.clone(),
            id,
            ip: address_of(&node.state, id),
            elapsed_ms: 0,
        };
        let runtime = Runtime::start(node, systemd.clone(), Some(progress)).await?;

        progress.step(Step::Membership);
        if let Err(failure) = runtime.wait_operational(self.deadline).await {
            runtime.stop().await;
            return Err(failure);
        }
        files::remove(&paths.joining())?;
        Ok((runtime, Joined { elapsed_ms: progress.elapsed_ms(), ..joined }))
    }

    /// Makes the tunnel and asks to be let in. An earlier attempt may have been cut off after the
    /// cluster had changed to the own key: that one is tried when the invite key gets no answer.
    async fn ask(
        &self,
        file: &MeshFile,
        key: &PrivateKey,
        netlink: &Netlink,
        systemd: &Systemd,
        progress: &Progress,
    ) -> Result<Admission, Failure> {
        let claims = &self.token.claims;
        let invite_key: PrivateKey =
            self.token.invite_key.reveal().parse().map_err(|_| damaged("inviteKey"))?;
        let endpoint = mesh::lookup(&claims.initiator.endpoint).await.ok_or_else(|| self.unreachable(0))?;
        let initiator = Peer {
            public_key: claims.initiator.public_key.parse().map_err(|_| damaged("publicKey"))?,
            endpoint: Some(endpoint),
            allowed_ips: vec![sfha_core::mesh::host(claims.initiator.ip)],
            keepalive: Some(sfha_core::mesh::KEEPALIVE_S),
        };
        let contact = (Instant::now() + CONTACT).min(self.deadline);
        let half = Instant::now() + (contact - Instant::now()) / 2;
        let mut stream = None;
        for (number, (tunnel_key, until)) in [(&invite_key, half), (key, contact)].into_iter().enumerate() {
            let device = mesh::bring_up(file, tunnel_key, netlink, systemd).await?;
            device
                .sync_peers(std::slice::from_ref(&initiator))
                .await
                .map_err(|error| mesh::failure(&error))?;
            if number == 0 {
                progress.step(Step::Contacting);
            }
            if let Ok(connected) = mesh_client::connect(claims.initiator.ip, until).await {
                stream = Some(connected);
                break;
            }
        }
        let stream = stream.ok_or_else(|| self.unreachable(CONTACT.as_secs()))?;
        progress.step(Step::Admission);
        self.asked.store(true, Ordering::Relaxed);
        mesh_client::join(stream, &self.request(key), self.deadline).await
    }

    fn request(&self, key: &PrivateKey) -> JoinRequest {
        JoinRequest {
            claims: self.token.claims.clone(),
            signature: self.token.signature.clone(),
            public_key: key.public().to_string(),
            name: self.name.clone(),
            endpoint: self.endpoint.clone(),
            lan_address: self.lan_address,
        }
    }

    fn unreachable(&self, seconds: u64) -> Failure {
        Failure::new(ErrorCode::Unreachable)
            .with("endpoint", self.token.claims.initiator.endpoint.clone())
            .with("name", self.token.claims.initiator.name.clone())
            .with("seconds", seconds)
    }
}

fn address_of(state: &ClusterState, node: NodeId) -> String {
    state.nodes.get(&node).map(|node| node.address.to_string()).unwrap_or_default()
}

fn damaged(field: &str) -> Failure {
    Failure::new(ErrorCode::TokenDamaged).with("reason", "field").with("field", field)
}

/// The join that is not over; `None` when there is none, or what is there does not read.
fn read_joining(paths: &Paths) -> Result<Option<Joining>, Failure> {
    let bytes = files::read_secret(&paths.joining())?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The own key: the one of an earlier attempt with this token, or a new one.
fn own_key(paths: &Paths, claims: &Claims) -> Result<PrivateKey, Failure> {
    let (path, invite) = (paths.joining(), &claims.invite);
    if let Some(joining) = read_joining(paths)?
        && joining.invite == *invite
        && let Ok(key) = joining.private_key.parse()
    {
        info!(invite, "an earlier attempt with this token goes on");
        return Ok(key);
    }
    let key = PrivateKey::generate().map_err(|error| internal("getrandom", &error))?;
    let joining = Joining {
        invite: invite.clone(),
        private_key: key.to_base64().to_string(),
        mesh: claims.mesh.is_some(),
    };
    let text = Zeroizing::new(serde_json::to_vec(&joining).map_err(|error| internal("joining", &error))?);
    files::write_atomic(&path, &text, 0o600)?;
    Ok(key)
}

/// Writes what a member has; `config.yml` last, since it makes this node one.
fn write_files(
    paths: &Paths,
    name: &str,
    file: Option<MeshFile>,
    key: PrivateKey,
    admission: &Admission,
) -> Result<Node, Failure> {
    let decode =
        |text: &str| STANDARD.decode(text).map(Zeroizing::new).map_err(|error| internal("admission", &error));
    let secret = decode(&admission.secret)?;
    let corosync_key = decode(&admission.corosync_key)?;
    store::save_secret(paths, &secret)?;
    files::write_atomic(&paths.corosync_authkey(), &corosync_key, 0o400)?;
    store::save_keys(paths, &key)?;
    let (mesh, lan_key) = match file {
        Some(mut file) => {
            if file.endpoint.is_none() {
                let own = admission.state.nodes.get(&admission.node);
                file.endpoint = own.and_then(|node| node.endpoint.clone());
            }
            file.save(paths)?;
            (Some((file, key)), None)
        }
        None => (None, Some(key)),
    };
    store::persist(paths, &admission.state, admission.node)?;
    let config = ConfigFile::new(&admission.state.cluster, name, mesh.is_some());
    config.save(paths)?;
    Ok(Node {
        paths: paths.clone(),
        me: admission.node,
        config,
        mesh,
        lan_key,
        secret,
        state: admission.state.clone(),
    })
}
