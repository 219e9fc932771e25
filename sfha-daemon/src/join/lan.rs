//! Joining a cluster without a mesh.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;

use sfha_core::token::Initiator;
use sfha_proto::Failure;
use sfha_proto::message::Step;
use tokio::time::Instant;

use super::{Attempt, CONTACT, damaged};
use crate::io::netlink::Netlink;
use crate::io::wireguard::PrivateKey;
use crate::lan_api;
use crate::mesh_api::Admission;
use crate::mesh_client;
use crate::setup::Progress;
use crate::underlay;

/// This node's address on the LAN: the one that was given, else the one from which it reaches the initiator.
///
/// # Errors
/// `invalid-parameter`.
pub(super) async fn address(
    netlink: &Netlink,
    initiator: &Initiator,
    given: Option<&str>,
) -> Result<Option<IpAddr>, Failure> {
    if given.is_some() {
        return underlay::lan_address(netlink, given).await;
    }
    let any: IpAddr = match initiator.ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing: the kernel looks up the route (udp(7)).
    let own = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(SocketAddr::new(initiator.ip, 9))?;
        socket.local_addr()
    };
    Ok(own().ok().map(|own| own.ip()))
}

impl Attempt {
    /// Asks to be let in, with the invite's key: that is good until this node is a member.
    pub(super) async fn ask_on_lan(
        &self,
        key: &PrivateKey,
        progress: &Progress,
    ) -> Result<Admission, Failure> {
        let initiator = &self.token.claims.initiator;
        let invite_key: PrivateKey =
            self.token.invite_key.reveal().parse().map_err(|_| damaged("inviteKey"))?;
        let public_key = initiator.public_key.parse().map_err(|_| damaged("publicKey"))?;
        progress.step(Step::Contacting);
        let contact = (Instant::now() + CONTACT).min(self.deadline);
        let stream = mesh_client::connect(initiator.ip, contact).await;
        let stream = stream.map_err(|_| self.unreachable(CONTACT.as_secs()).with("kind", "lan"))?;
        progress.step(Step::Admission);
        self.asked.store(true, Ordering::Relaxed);
        lan_api::join(stream, &invite_key, &public_key, self.request(key), self.deadline).await
    }
}
