//! The network under the mesh: how large its packets may be, and this node's address on it.

use std::net::{IpAddr, SocketAddr};

use sfha_core::command::invalid;
use sfha_proto::Failure;
use tracing::warn;

use crate::endpoints;
use crate::io::netlink::Netlink;
use crate::io::wireguard::{Backend, Device};
use crate::mesh::internal;
use crate::paths::INTERFACE;

/// What WireGuard adds to a packet over IPv6: 40 bytes of IPv6, 8 of UDP, 16 of header and 16 of tag. Over IPv4
/// it is 20 less, but a peer may be reached either way.
pub const OVERHEAD: u32 = 80;

/// Largest MTU that is chosen unasked: what fits the Internet's 1500 bytes, whatever this node's own link takes.
const LARGEST: u32 = 1420;

/// RFC 8200 § 5: IPv6 needs it.
const SMALLEST: u32 = 1280;

/// Largest MTU of the userspace device: its buffers have 4096 bytes, and WireGuard's header and tag go in too.
const LARGEST_USERSPACE: u32 = 4000;

/// Refuses an MTU whose packets the device would cut off.
///
/// # Errors
/// `invalid-parameter`.
pub fn check_backend(device: &Device, mtu: u32) -> Result<(), Failure> {
    match device.backend() {
        Backend::Userspace if mtu > LARGEST_USERSPACE => {
            Err(invalid("mtu", &mtu.to_string(), "mtu-userspace"))
        }
        Backend::Userspace | Backend::Kernel => Ok(()),
    }
}

/// The mesh's MTU over links of that MTU.
#[must_use]
pub fn fitting(underlay: u32) -> u32 {
    underlay.saturating_sub(OVERHEAD).clamp(SMALLEST, LARGEST)
}

/// The mesh's MTU when nothing else is said.
///
/// # Errors
/// `internal` when the kernel does not say.
pub async fn mesh_mtu(netlink: &Netlink, endpoint: Option<&str>) -> Result<u32, Failure> {
    Ok(mtu(netlink, endpoint).await?.map_or(LARGEST, fitting))
}

/// Tells the log when packets of the mesh will not fit this node's link.
pub async fn warn_if_tight(netlink: &Netlink, endpoint: Option<&str>, mesh_mtu: u32) {
    if let Ok(Some(underlay)) = mtu(netlink, endpoint).await
        && underlay < mesh_mtu.saturating_add(OVERHEAD)
    {
        warn!(
            underlay,
            mesh = mesh_mtu,
            overhead = OVERHEAD,
            "packets of the mesh are fragmented on this link"
        );
    }
}

/// MTU of the interface that has the endpoint's address, else of the one that reaches the rest of the world.
async fn mtu(netlink: &Netlink, endpoint: Option<&str>) -> Result<Option<u32>, Failure> {
    let own = match endpoint.and_then(|endpoint| endpoint.parse::<SocketAddr>().ok()) {
        Some(endpoint) => interface_with(netlink, endpoint.ip()).await?,
        None => None,
    };
    let interface = match (own, endpoints::detect(netlink).await?) {
        (Some(own), _) => Some(own),
        (None, Some(ip)) => interface_with(netlink, ip).await?,
        (None, None) => None,
    };
    let Some(interface) = interface else { return Ok(None) };
    let link = netlink.link_info(&interface).await.map_err(|error| internal("link", &error))?;
    Ok(link.map(|link| link.mtu))
}

async fn interface_with(netlink: &Netlink, ip: IpAddr) -> Result<Option<String>, Failure> {
    let all = netlink.local_addresses().await.map_err(|error| internal("addresses", &error))?;
    let mut having = all.into_iter().filter(|entry| entry.address.addr() == ip && !entry.ours);
    Ok(having.find(|entry| entry.interface != INTERFACE).map(|entry| entry.interface))
}

/// This node's address on the LAN: the one that was given, which must be its own, else the one from which it
/// reaches the rest of the world.
///
/// # Errors
/// `invalid-parameter`.
pub async fn lan_address(netlink: &Netlink, given: Option<&str>) -> Result<Option<IpAddr>, Failure> {
    let Some(text) = given else { return endpoints::detect(netlink).await };
    let ip: IpAddr = text.parse().map_err(|_| invalid("lan-ip", text, "address"))?;
    match interface_with(netlink, ip).await? {
        Some(_) => Ok(Some(ip)),
        None => Err(invalid("lan-ip", text, "not-local")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mesh_leaves_room_for_wireguard_and_never_falls_below_what_ipv6_needs() {
        for (underlay, mesh) in
            [(1500, 1420), (1492, 1412), (1400, 1320), (1360, 1280), (1280, 1280), (9000, 1420), (0, 1280)]
        {
            assert_eq!(fitting(underlay), mesh, "{underlay}");
        }
    }
}
