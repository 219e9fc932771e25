//! The interface as such: is it there, what is it, create it, set it up, remove it.

use std::io;

use super::super::netlink::{Netlink, NetlinkError};

/// What has the name.
pub(super) enum Found {
    Nothing,
    Wireguard,
    /// The kind of a userspace device's interface, and of many others.
    Tun,
    Other(String),
}

pub(super) async fn find(interface: &str) -> io::Result<Found> {
    let info = netlink()?.link_info(interface).await.map_err(into_io)?;
    Ok(match info.map(|info| info.kind) {
        None => Found::Nothing,
        Some(Some(kind)) if kind == "wireguard" => Found::Wireguard,
        Some(Some(kind)) if kind == "tun" => Found::Tun,
        Some(kind) => Found::Other(kind.unwrap_or_else(|| "physical".to_owned())),
    })
}

pub(super) async fn create(interface: &str) -> io::Result<()> {
    netlink()?.link_add_wireguard(interface).await.map_err(into_io)
}

/// rtnetlink answers `EOPNOTSUPP` for a kind of link that the kernel does not have and cannot load.
pub(super) fn without_wireguard(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

pub(super) async fn up(interface: &str, mtu: u16) -> io::Result<()> {
    netlink()?.link_up(interface, Some(mtu.into())).await.map_err(into_io)
}

pub(super) async fn remove(interface: &str) -> io::Result<()> {
    netlink()?.link_delete(interface).await.map(drop).map_err(into_io)
}

fn netlink() -> io::Result<Netlink> {
    Netlink::open_quiet().map_err(into_io)
}

fn into_io(error: NetlinkError) -> io::Error {
    match error {
        NetlinkError::Request { source, .. } | NetlinkError::Open(source) => source,
        NetlinkError::NoInterface { .. } => io::Error::from_raw_os_error(libc::ENODEV),
        other => io::Error::other(other),
    }
}
