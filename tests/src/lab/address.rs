//! The lab's addresses, and reading those of an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// The network on the switch.
pub const NETWORK_PREFIX: u8 = 24;

/// The last byte of the client's addresses.
pub const CLIENT_HOST: u8 = 250;

/// The IPv4 address with this last byte on the switch: nodes have 1, 2, 3, …; 100 and above are free for VIPs.
pub fn ipv4(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, host)
}

/// The IPv6 address with this last byte on the switch.
pub fn ipv6(host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host.into())
}

/// The hardware address of an `eth0`, which tells who answered.
pub(crate) fn mac(host: u8) -> [u8; 6] {
    [0x02, 0x77, 0, 0, 0, host]
}

/// Which node, counted from 0, has this hardware address.
pub(crate) fn node_of_mac(mac: [u8; 6]) -> Option<usize> {
    match mac {
        [0x02, 0x77, 0, 0, 0, host] if host != CLIENT_HOST => usize::from(host).checked_sub(1),
        _ => None,
    }
}

/// A hardware address as `ip` writes it.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The commands that give `eth0` its addresses and take it up.
pub(crate) fn configure(host: u8) -> String {
    format!(
        "addr add {}/{NETWORK_PREFIX} dev eth0\naddr add {}/64 dev eth0 nodad\nlink set eth0 up",
        ipv4(host),
        ipv6(host)
    )
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// How long the kernel still keeps it; `None` for ever.
    pub valid: Option<Duration>,
}

/// Reads what `ip -j address show` prints.
pub(crate) fn parse(json: &str) -> Result<Vec<Address>> {
    let links: Vec<Value> =
        serde_json::from_str(json).with_context(|| format!("not from ip -j: {json:?}"))?;
    let infos = links.iter().filter_map(|link| link["addr_info"].as_array()).flatten();
    infos
        .map(|info| {
            let text = info["local"].as_str().context("an address without itself")?;
            let valid = info["valid_life_time"].as_u64().filter(|seconds| *seconds < u32::MAX.into());
            Ok(Address {
                ip: text.parse().with_context(|| format!("not an address: {text}"))?,
                prefix: u8::try_from(info["prefixlen"].as_u64().unwrap_or(0))?,
                valid: valid.map(Duration::from_secs),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_address_tells_the_node() {
        assert_eq!(node_of_mac(mac(3)), Some(2));
        assert_eq!(node_of_mac(mac(CLIENT_HOST)), None);
        assert_eq!(node_of_mac([0; 6]), None);
        assert_eq!(mac_text(mac(16)), "02:77:00:00:00:10");
    }

    #[test]
    fn a_lifetime_for_ever_is_none() {
        let json = r#"[{"addr_info":[
            {"family":"inet","local":"10.77.0.100","prefixlen":32,"valid_life_time":2},
            {"family":"inet","local":"10.77.0.1","prefixlen":24,"valid_life_time":4294967295}]}]"#;
        let addresses = parse(json).unwrap();
        assert_eq!(addresses[0].valid, Some(Duration::from_secs(2)));
        assert_eq!(addresses[1], Address { ip: ipv4(1).into(), prefix: 24, valid: None });
    }
}
