//! Where others can reach this node.

use std::net::{IpAddr, SocketAddr};

use sfha_core::command::invalid;
use sfha_proto::Failure;

use crate::io::netlink::Netlink;
use crate::mesh::internal;
use crate::paths::INTERFACE;

/// Completes `HOST[:PORT]` with the mesh's port, and checks it.
///
/// # Errors
/// `invalid-parameter`.
pub fn complete(endpoint: &str, port: u16) -> Result<String, Failure> {
    let wrong = |reason| invalid("endpoint", endpoint, reason);
    if endpoint.parse::<SocketAddr>().is_ok() {
        return Ok(endpoint.to_owned());
    }
    let bare = endpoint.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port).to_string());
    }
    let (host, port) = match endpoint.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| wrong("port"))?),
        None => (endpoint, port),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
    };
    let fits = host.len() <= 253 && host.trim_end_matches('.').split('.').all(label);
    if !fits || port == 0 {
        return Err(wrong("host"));
    }
    Ok(format!("{host}:{port}"))
}

/// The address from which this node reaches the rest of the world: that of the default route's
/// interface, else the first one of any real interface.
///
/// # Errors
/// `internal` when the kernel does not say.
pub async fn detect(netlink: &Netlink) -> Result<Option<IpAddr>, Failure> {
    let default = netlink.default_route_interface().await.map_err(|error| internal("routes", &error))?;
    let all = netlink.local_addresses().await.map_err(|error| internal("addresses", &error))?;
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    };
    let mut candidates: Vec<(bool, bool, IpAddr)> = all
        .into_iter()
        .filter(|entry| entry.interface != INTERFACE && entry.interface != "lo" && !entry.ours)
        // An address that is alone in its network is another VPN's.
        .filter(|entry| entry.address.prefix_len() != entry.address.max_prefix_len())
        .map(|entry| (Some(&entry.interface) != default.as_ref(), entry.address.addr()))
        .filter(|(_, ip)| usable(ip))
        .map(|(other, ip)| (other, ip.is_ipv6(), ip))
        .collect();
    candidates.sort();
    Ok(candidates.first().map(|(_, _, ip)| *ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_completed_with_the_port_of_the_mesh() {
        for (given, whole) in [
            ("192.0.2.1", "192.0.2.1:51820"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("2001:db8::1", "[2001:db8::1]:51820"),
            ("[2001:db8::1]", "[2001:db8::1]:51820"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
            ("node1.example.org", "node1.example.org:51820"),
            ("node1:7", "node1:7"),
        ] {
            assert_eq!(complete(given, 51820).unwrap(), whole);
        }
        for wrong in ["", ":7", "a b", "node1:x", "node1:0", "-a", "a..b", "http://x"] {
            assert!(complete(wrong, 51820).is_err(), "{wrong:?}");
        }
    }
}
