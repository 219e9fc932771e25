//! Tells the neighbours where an address is now: gratuitous ARP, and unsolicited neighbour advertisements.
//!
//! The frames are built by pure functions and sent through a packet socket, in one system call each: no program
//! is started, and nothing waits for an answer.
//!
//! - IPv4: an ARP announcement (RFC 5227 §2.3 and §3, form of RFC 826) as request *and* as reply, because some
//!   neighbours learn only from one of them (RFC 5944 §4.6 allows both).
//! - IPv6: an unsolicited neighbour advertisement to all nodes with the override flag (RFC 4861 §7.2.6), hop limit
//!   255 (§4.4), and the router flag where the interface forwards (a host that hears a router without it forgets
//!   its default route, §7.2.5).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// How many times a burst announces, the first at once.
pub const BURST_COUNT: usize = 5;

/// Between two announcements of a burst, so that five take one second.
pub const BURST_INTERVAL: Duration = Duration::from_millis(250);

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];
const BROADCAST_MAC: Mac = [0xff; 6];
const NO_MAC: Mac = [0; 6];

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
const HOP_LIMIT: u8 = 255;

/// The announcement did not leave.
#[derive(Debug, thiserror::Error)]
#[error("failed to announce {address} on interface {interface_index}")]
pub struct AnnounceError {
    /// The address that was to be announced.
    pub address: IpAddr,
    /// Where.
    pub interface_index: u32,
    /// packet(7): `EPERM` without `CAP_NET_RAW`, `ENXIO` and `ENODEV` without the interface, `ENETDOWN`.
    #[source]
    pub source: io::Error,
}

/// The operation of an ARP packet (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpOperation {
    /// "Who has …"
    Request = 1,
    /// "… is at …"
    Reply = 2,
}

/// An ARP announcement: sender and target address are both the announced one.
pub fn gratuitous_arp(mac: Mac, address: Ipv4Addr, operation: ArpOperation) -> [u8; 42] {
    // RFC 5227 §1.1 wants no target hardware address in a request; RFC 5944 §4.6 wants the sender's in a reply.
    let target = match operation {
        ArpOperation::Request => NO_MAC,
        ArpOperation::Reply => mac,
    };
    arp(mac, address, target, address, operation)
}

/// An ARP probe (RFC 5227 §2.1.1): asks for `address` without claiming it.
pub fn arp_probe(mac: Mac, address: Ipv4Addr) -> [u8; 42] {
    arp(mac, Ipv4Addr::UNSPECIFIED, NO_MAC, address, ArpOperation::Request)
}

fn arp(mac: Mac, sender: Ipv4Addr, target_mac: Mac, target: Ipv4Addr, operation: ArpOperation) -> [u8; 42] {
    let mut frame = Frame::<42>::new(BROADCAST_MAC, mac, ETHERTYPE_ARP);
    frame.put(&[0, 1]); // hardware: Ethernet
    frame.put(&[8, 0]); // protocol: IPv4
    frame.put(&[6, 4]); // lengths of their addresses
    frame.put(&[0, operation as u8]);
    frame.put(&mac);
    frame.put(&sender.octets());
    frame.put(&target_mac);
    frame.put(&target.octets());
    frame.bytes
}

/// An unsolicited neighbour advertisement; `router` says whether the sender forwards packets.
pub fn neighbour_advertisement(mac: Mac, address: Ipv6Addr, router: bool) -> [u8; 86] {
    const ICMP_LENGTH: u8 = 32;
    let mut icmp = [0; ICMP_LENGTH as usize];
    icmp[0] = NEIGHBOUR_ADVERTISEMENT;
    icmp[4] = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    icmp[8..24].copy_from_slice(&address.octets());
    icmp[24] = OPTION_TARGET_LINK_LAYER;
    icmp[25] = 1; // length in units of eight bytes
    icmp[26..].copy_from_slice(&mac);
    let checksum = icmpv6_checksum(address, ALL_NODES, &icmp);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = Frame::<86>::new(ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
    frame.put(&[0x60, 0, 0, 0]); // version, traffic class, flow label
    frame.put(&[0, ICMP_LENGTH]);
    frame.put(&[ICMPV6, HOP_LIMIT]);
    frame.put(&address.octets());
    frame.put(&ALL_NODES.octets());
    frame.put(&icmp);
    frame.bytes
}

/// A neighbour solicitation that asks for `address` without claiming it, for the detection of duplicates (RFC 4862
/// §5.4.2): from the unspecified address, to the address's solicited-node group (RFC 4291 §2.7.1).
pub fn neighbour_solicitation(mac: Mac, address: Ipv6Addr) -> [u8; 78] {
    const ICMP_LENGTH: u8 = 24;
    let octets = address.octets();
    let last = [octets[13], octets[14], octets[15]];
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(last[0]),
        u16::from_be_bytes([last[1], last[2]]),
    );
    let mut icmp = [0; ICMP_LENGTH as usize];
    icmp[0] = NEIGHBOUR_SOLICITATION;
    icmp[8..24].copy_from_slice(&octets);
    let checksum = icmpv6_checksum(Ipv6Addr::UNSPECIFIED, group, &icmp);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = Frame::<78>::new([0x33, 0x33, 0xff, last[0], last[1], last[2]], mac, ETHERTYPE_IPV6);
    frame.put(&[0x60, 0, 0, 0]); // version, traffic class, flow label
    frame.put(&[0, ICMP_LENGTH]);
    frame.put(&[ICMPV6, HOP_LIMIT]);
    frame.put(&Ipv6Addr::UNSPECIFIED.octets());
    frame.put(&group.octets());
    frame.put(&icmp);
    frame.bytes
}

/// RFC 4443 §2.3: over the pseudo-header of RFC 8200 §8.1 and the message with a checksum of zero.
fn icmpv6_checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = message.len() as u32;
    let mut pseudo = Vec::with_capacity(40 + message.len());
    pseudo.extend_from_slice(&source.octets());
    pseudo.extend_from_slice(&destination.octets());
    pseudo.extend_from_slice(&length.to_be_bytes());
    pseudo.extend_from_slice(&[0, 0, 0, ICMPV6]);
    pseudo.extend_from_slice(message);
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = pseudo.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An Ethernet frame that is filled from the front.
struct Frame<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Frame<N> {
    fn new(destination: Mac, source: Mac, ethertype: u16) -> Self {
        let mut frame = Self { bytes: [0; N], length: 0 };
        frame.put(&destination);
        frame.put(&source);
        frame.put(&ethertype.to_be_bytes());
        frame
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// Announces `address` once: an ARP request and an ARP reply, or one neighbour advertisement. Takes no longer than
/// the system calls.
///
/// # Errors
/// [`AnnounceError`]. Interfaces without Ethernet addresses (the mesh) have nobody to announce to: do not call.
pub fn announce(interface_index: u32, mac: Mac, address: IpAddr) -> Result<(), AnnounceError> {
    Announcer::new(interface_index, mac, address)?.send()
}

/// Announces `address` five times within a second, the first time before this returns.
///
/// # Errors
/// [`AnnounceError`] of the first announcement; later ones are logged.
pub fn burst(interface_index: u32, mac: Mac, address: IpAddr) -> Result<Burst, AnnounceError> {
    let announcer = Announcer::new(interface_index, mac, address)?;
    announcer.send()?;
    Ok(Burst(tokio::spawn(async move {
        let mut ticks = interval(BURST_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        for _ in 1..BURST_COUNT {
            ticks.tick().await;
            if let Err(error) = announcer.send() {
                tracing::warn!(%address, interface_index, error = %error.source, "announcement failed");
            }
        }
    })))
}

/// A burst on its way. **Dropping it stops it**: after an address is released, an announcement would send the
/// neighbours back to the wrong node.
#[must_use = "dropping a burst stops it"]
#[derive(Debug)]
pub struct Burst(JoinHandle<()>);

impl Burst {
    /// Waits for the last announcement.
    pub async fn finished(mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A packet socket and the frames to send through it.
struct Announcer {
    socket: Socket,
    frames: Vec<Vec<u8>>,
    interface_index: u32,
    address: IpAddr,
}

impl Announcer {
    fn new(interface_index: u32, mac: Mac, address: IpAddr) -> Result<Self, AnnounceError> {
        let failed = |source| AnnounceError { address, interface_index, source };
        let frames = match address {
            IpAddr::V4(v4) => [ArpOperation::Request, ArpOperation::Reply]
                .map(|operation| gratuitous_arp(mac, v4, operation).to_vec())
                .to_vec(),
            IpAddr::V6(v6) => {
                vec![neighbour_advertisement(mac, v6, forwards(interface_index)).to_vec()]
            }
        };
        // Protocol 0: this socket receives nothing (packet(7)).
        let socket =
            Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(Protocol::from(0))).map_err(failed)?;
        Ok(Self { socket, frames, interface_index, address })
    }

    fn send(&self) -> Result<(), AnnounceError> {
        let failed =
            |source| AnnounceError { address: self.address, interface_index: self.interface_index, source };
        for frame in &self.frames {
            let destination = link_layer_address(self.interface_index, frame);
            self.socket.send_to(frame, &destination).map_err(failed)?;
        }
        Ok(())
    }
}

/// `sockaddr_ll` of packet(7): the interface, and the destination that the frame has in its first six bytes.
pub(super) fn link_layer_address(interface_index: u32, frame: &[u8]) -> socket2::SockAddr {
    let mut storage = socket2::SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is one of the address types that sockaddr_storage is made to hold.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = i32::try_from(interface_index).unwrap_or(0);
    address.sll_protocol = u16::from_ne_bytes([frame[12], frame[13]]);
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&frame[..6]);
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll, and this is its length.
    unsafe { socket2::SockAddr::new(storage, length) }
}

/// Whether the interface forwards IPv6 packets. What cannot be read counts as no.
fn forwards(interface_index: u32) -> bool {
    let Ok(name) = nix::net::if_::if_indextoname(interface_index) else { return false };
    let path = format!("/proc/sys/net/ipv6/conf/{}/forwarding", name.to_string_lossy());
    std::fs::read_to_string(path).is_ok_and(|value| value.trim() != "0")
}

#[cfg(test)]
mod tests;
