//! Making and listing join tokens.

use std::net::{IpAddr, SocketAddr};

use sfha_core::Command;
use sfha_core::command::{invalid, rfc3339};
use sfha_core::token::{Claims, Initiator, InviteKey, MeshClaims, Token};
use sfha_proto::mesh::{TokenListed, TokenMade};
use sfha_proto::message::TokenParams;
use sfha_proto::{ErrorCode, Failure};

use crate::io::wireguard::PrivateKey;
use crate::mesh::{internal, unix_now};
use crate::paths::MESH_API_PORT;
use crate::runtime::Runtime;
use crate::store;

/// Life of a token when nothing else is said, in seconds.
const DEFAULT_LIFE_S: u64 = 3600;

/// Longest life of a token, in seconds: thirty days.
const MAX_LIFE_S: u64 = 30 * 86400;

/// Length of an invite's id, in bytes.
const ID_BYTES: usize = 5;

/// Makes a token: reserves an address, and has this node accept the one-time key for it.
///
/// # Errors
/// Why not.
pub async fn make(runtime: &Runtime, params: &TokenParams) -> Result<TokenMade, Failure> {
    let life = params.expires_s.unwrap_or(DEFAULT_LIFE_S);
    if !(1..=MAX_LIFE_S).contains(&life) {
        return Err(invalid("expires", &life.to_string(), "expires"));
    }
    let ip: Option<IpAddr> = match &params.ip {
        Some(ip) => Some(ip.parse().map_err(|_| invalid("ip", ip, "address"))?),
        None => None,
    };
    let id: String = store::random(ID_BYTES)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = PrivateKey::generate().map_err(|error| internal("getrandom", &error))?;
    let expires = unix_now().saturating_add_unsigned(life);
    let state = runtime.core.state();
    let me = state.nodes.get(&runtime.node.me).ok_or(ErrorCode::NotConfigured)?.clone();
    let (endpoint, ip_of_initiator) = match &runtime.node.mesh {
        Some((file, _)) => (me.endpoint.or_else(|| file.endpoint.clone()), file.address.addr()),
        None => (Some(SocketAddr::new(me.address, MESH_API_PORT).to_string()), me.address),
    };
    let endpoint = endpoint.ok_or_else(|| invalid("endpoint", "", "unknown"))?;
    let add = Command::AddInvite {
        id: id.clone(),
        public_key: key.public().to_string(),
        ip,
        expires,
        initiator: runtime.node.me,
    };
    runtime.core.propose(add).await?;
    let state = runtime.core.state();
    let invite = state.invites.get(&id).ok_or(ErrorCode::TokenUnknown)?;
    let mesh = runtime.node.mesh.as_ref().zip(invite.ip).map(|((file, _), assigned_ip)| MeshClaims {
        network: file.address.trunc(),
        assigned_ip,
        port: file.port,
        mtu: file.mtu,
    });
    let claims = Claims {
        cluster: state.cluster.clone(),
        initiator: Initiator {
            name: me.name,
            public_key: me.public_key.unwrap_or_default(),
            endpoint,
            ip: ip_of_initiator,
        },
        mesh,
        expires: rfc3339(expires),
        invite: id.clone(),
    };
    let token = Token::new(claims, InviteKey::new(key.to_base64().to_string()), &runtime.node.secret);
    Ok(TokenMade {
        schema: sfha_proto::SCHEMA,
        token: token.encode().to_string(),
        id,
        ip: invite.ip.map(|ip| ip.to_string()),
        expires: rfc3339(expires),
    })
}

/// Every token that has not been forgotten.
#[must_use]
pub fn list(runtime: &Runtime) -> Vec<TokenListed> {
    let state = runtime.core.state();
    let now = unix_now();
    let entry = |(id, invite): (&String, &sfha_core::state::Invite)| TokenListed {
        id: id.clone(),
        ip: invite.ip.map(|ip| ip.to_string()),
        expires: rfc3339(invite.expires),
        initiator: state.node_name(invite.initiator),
        state: match &invite.redeemed {
            Some(_) => "redeemed",
            None if invite.expires <= now => "expired",
            None => "open",
        }
        .to_owned(),
        node: invite.redeemed.as_ref().map(|redeemed| state.node_name(redeemed.node)),
    };
    state.invites.iter().map(entry).collect()
}
