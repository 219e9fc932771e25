//! Follows the interface's MTU, which whoever configures the device sets after it was created.
//!
//! A packet is padded to 16 bytes, but not beyond the MTU. With the MTU of the creation, the largest packets of
//! an interface that was made smaller since would outgrow the links below it and be sent in fragments.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use tokio::io::unix::AsyncFd;

/// `RTMGRP_LINK` of rtnetlink(7): something about an interface changed.
const LINK_GROUP: u32 = 1;

/// Hears of changes of any interface. What has changed is asked for afterwards: nothing is lost by an overrun.
pub struct LinkEvents(AsyncFd<OwnedFd>);

impl LinkEvents {
    /// Listens from now on.
    ///
    /// # Errors
    /// As socket(2) and bind(2).
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, LINK_GROUP))?;
        // SAFETY: an OwnedFd names the same open file for as long as it lives, and it lives in the AsyncFd.
        Ok(Self(unsafe { AsyncFd::register(fd) }?))
    }

    /// Waits for the next change.
    ///
    /// # Errors
    /// That of the event queue; an overrun is a change like any other.
    pub async fn changed(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut buffer = [0; 8192];
        while !matches!(
            recv(self.0.get_ref().as_raw_fd(), &mut buffer, MsgFlags::empty()),
            Err(nix::errno::Errno::EAGAIN)
        ) {}
        ready.clear_ready();
        Ok(())
    }
}

/// The MTU of an interface, in bytes (netdevice(7), `SIOCGIFMTU`).
#[must_use]
pub fn of(interface: &str) -> Option<u16> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).ok()?;
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes().take(room)) {
        *to = from as libc::c_char;
    }
    // SAFETY: the socket is open, the pointer is valid for the call, and SIOCGIFMTU writes nothing beyond it.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) };
    // SAFETY: SIOCGIFMTU has filled in this field; before, it was zero.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    (answer == 0).then_some(mtu).and_then(|mtu| u16::try_from(mtu).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_is_that_of_the_interface() {
        let shown = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap();
        assert_eq!(of("lo").map_or(65536, u32::from), shown.trim().parse::<u32>().unwrap());
        assert_eq!(of("no-such-link"), None);
    }
}
