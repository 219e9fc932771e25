//! Reading from the kernel which interfaces of a namespace have a carrier and an address: only the few
//! fields that takes, so that no attribute of a newer kernel can get in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, send, setsockopt, socket,
    sockopt,
};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFF_LOWER_UP: u32 = 0x1_0000;
/// Changes of links, of IPv4 addresses and of IPv6 addresses.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

const HEADER_LEN: usize = 16;
const IFINFOMSG_LEN: usize = 16;
const IFADDRMSG_LEN: usize = 8;

/// One message, reduced to what is looked for.
#[derive(Debug, PartialEq, Eq)]
enum Fact {
    Link { index: u32, carrier: bool },
    LinkGone { index: u32 },
    Address { index: u32, ip: IpAddr },
    AddressGone { index: u32, ip: IpAddr },
    Done,
}

/// Follows one address in the namespace it was opened in.
#[derive(Debug)]
pub(crate) struct AddressSocket {
    socket: socket2::Socket,
    ip: IpAddr,
    links: BTreeMap<u32, bool>,
    holding: BTreeSet<u32>,
}

impl AddressSocket {
    /// Opens the socket in this thread's namespace and reads the present state.
    pub(crate) fn open(ip: IpAddr) -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS)).context("netlink")?;
        // Without the right to it there are overruns sooner, which are dealt with.
        let _ = setsockopt(&fd, sockopt::RcvBufForce, &(1 << 20));
        let mut opened = Self { socket: fd.into(), ip, links: BTreeMap::new(), holding: BTreeSet::new() };
        opened.read_all()?;
        opened.socket.set_nonblocking(true)?;
        Ok(opened)
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the address is on an interface with carrier.
    pub(crate) fn is_held(&self) -> bool {
        self.holding.iter().any(|index| self.links.get(index) == Some(&true))
    }

    /// Takes in one datagram; false when there is none.
    pub(crate) fn update(&mut self) -> Result<bool> {
        match self.receive() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.socket.set_nonblocking(false)?;
                self.read_all()?;
                self.socket.set_nonblocking(true)?;
                Ok(true)
            }
            Err(error) => Err(error).context("netlink"),
        }
    }

    /// Forgets everything and asks anew: at the start, and after the kernel had to drop messages.
    fn read_all(&mut self) -> Result<()> {
        self.links.clear();
        self.holding.clear();
        for kind in [RTM_GETLINK, RTM_GETADDR] {
            send(self.socket.as_raw_fd(), &dump_request(kind), MsgFlags::empty())?;
            while !self.receive().context("netlink")? {}
        }
        Ok(())
    }

    /// Takes in one datagram; true when it was the last of an answer.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 << 10];
        let length = self.socket.read(&mut buffer)?;
        let mut done = false;
        for fact in parse(&buffer[..length]) {
            match fact {
                Fact::Link { index, carrier } => {
                    self.links.insert(index, carrier);
                }
                Fact::LinkGone { index } => {
                    self.links.remove(&index);
                    self.holding.remove(&index);
                }
                Fact::Address { index, ip } if ip == self.ip => {
                    self.holding.insert(index);
                }
                Fact::AddressGone { index, ip } if ip == self.ip => {
                    self.holding.remove(&index);
                }
                Fact::Address { .. } | Fact::AddressGone { .. } => {}
                Fact::Done => done = true,
            }
        }
        Ok(done)
    }
}

fn dump_request(kind: u16) -> Vec<u8> {
    let length = HEADER_LEN + IFINFOMSG_LEN;
    let mut request = (length as u32).to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.resize(length, 0);
    request
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn parse(mut datagram: &[u8]) -> Vec<Fact> {
    let mut facts = Vec::new();
    while let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) {
        let length = length as usize;
        let Some(body) = datagram.get(HEADER_LEN..length) else { break };
        facts.extend(parse_message(kind, body));
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    facts
}

fn parse_message(kind: u16, body: &[u8]) -> Option<Fact> {
    match kind {
        NLMSG_DONE => Some(Fact::Done),
        RTM_NEWLINK => {
            let carrier = u32_at(body, 8)? & IFF_LOWER_UP != 0;
            Some(Fact::Link { index: u32_at(body, 4)?, carrier })
        }
        RTM_DELLINK => Some(Fact::LinkGone { index: u32_at(body, 4)? }),
        RTM_NEWADDR => Some(Fact::Address { index: u32_at(body, 4)?, ip: address_of(body)? }),
        RTM_DELADDR => Some(Fact::AddressGone { index: u32_at(body, 4)?, ip: address_of(body)? }),
        _ => None,
    }
}

/// The local address: of a point-to-point interface the other attribute is the far end's.
fn address_of(body: &[u8]) -> Option<IpAddr> {
    let mut attributes = body.get(IFADDRMSG_LEN..)?;
    let (mut local, mut address) = (None, None);
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        match kind {
            IFA_LOCAL => local = ip_from(value),
            IFA_ADDRESS => address = ip_from(value),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    local.or(address)
}

fn ip_from(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_state_of_the_loopback_device_is_read() {
        assert!(AddressSocket::open("127.0.0.1".parse().unwrap()).unwrap().is_held());
        assert!(!AddressSocket::open("192.0.2.1".parse().unwrap()).unwrap().is_held());
    }

    #[test]
    fn a_cut_off_message_is_no_fact() {
        let mut message = dump_request(RTM_NEWLINK);
        assert_eq!(parse(&message), [Fact::Link { index: 0, carrier: false }]);
        message.truncate(20);
        assert_eq!(parse(&message), []);
    }
}
