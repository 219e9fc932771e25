//! Finds out whether somebody else has an address: before it is taken for the first time, and while it is held.
//!
//! - IPv4: ARP probes (RFC 5227 §2.1.1), and whoever names the address as its own in any ARP packet (§2.1.1, §2.4).
//! - IPv6: neighbour solicitations from the unspecified address (RFC 4862 §5.4.2), and the neighbour advertisements
//!   for it. The kernel's own check of duplicates is off for VIPs: it would keep an address tentative for a second
//!   at every move.
//!
//! RFC 5227 probes for up to 7 s, for hosts whose link has only just come up. A node that takes VIPs has been on
//! its link for long: [`PROBES`] within [`WAIT`] are enough for whoever answers ARP at all, and an address that
//! another member has just given up is not probed for.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::announce::{Mac, arp_probe, link_layer_address, neighbour_solicitation};

/// How many probes are sent, the first at once.
pub const PROBES: u32 = 3;

/// How long an answer is waited for, from the first probe on.
pub const WAIT: Duration = Duration::from_millis(240);

/// Longest frame that is looked at: what claims an address is in the first bytes.
const FRAME: usize = 256;

const ETHERNET: usize = 14;
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const OPTION_TARGET_LINK_LAYER: u8 = 2;

/// Somebody says that an address is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Who says so.
    pub mac: Mac,
}

impl Claim {
    /// Reads a frame, its Ethernet header included; nothing if it claims nothing.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let body = frame.get(ETHERNET..)?;
        match [*frame.get(12)?, *frame.get(13)?] {
            ETHERTYPE_ARP => Self::of_arp(body),
            ETHERTYPE_IPV6 => Self::of_advertisement(body, frame.get(6..12)?),
            _ => None,
        }
    }

    /// Ethernet and IPv4 only; a probe names no address as its sender's.
    fn of_arp(body: &[u8]) -> Option<Self> {
        if body.get(..6)? != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        let mac = body.get(8..14)?.try_into().ok()?;
        let sender = Ipv4Addr::from(<[u8; 4]>::try_from(body.get(14..18)?).ok()?);
        (!sender.is_unspecified()).then_some(Self { address: sender.into(), mac })
    }

    fn of_advertisement(body: &[u8], source: &[u8]) -> Option<Self> {
        let icmp = body.get(40..)?;
        if (body.get(6), icmp.first()) != (Some(&ICMPV6), Some(&NEIGHBOUR_ADVERTISEMENT)) {
            return None;
        }
        let target = Ipv6Addr::from(<[u8; 16]>::try_from(icmp.get(8..24)?).ok()?);
        // The option is missing where the answer went to whoever asked by its Ethernet address.
        let option = icmp.get(24..32).filter(|option| option[..2] == [OPTION_TARGET_LINK_LAYER, 1]);
        let mac = option.map_or(source, |option| &option[2..]).try_into().ok()?;
        Some(Self { address: target.into(), mac })
    }
}

/// Hears the claims of one address family on one interface.
#[derive(Debug)]
pub struct Listener(AsyncFd<Socket>);

impl Listener {
    /// Listens from now on.
    ///
    /// # Errors
    /// packet(7): `EPERM` without `CAP_NET_RAW`, `ENODEV` without the interface.
    pub fn open(interface_index: u32, family: IpAddr) -> io::Result<Self> {
        let ethertype = if family.is_ipv4() { ETHERTYPE_ARP } else { ETHERTYPE_IPV6 };
        // Protocol 0 until it is bound: nothing of other interfaces is heard, and nothing before the filter is there.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(Protocol::from(0)))?;
        if family.is_ipv6() {
            socket.attach_filter(&advertisements())?;
        }
        let mut frame = [0; ETHERNET];
        frame[12..].copy_from_slice(&ethertype);
        socket.bind(&link_layer_address(interface_index, &frame))?;
        // Without the interest in errors, the end of the interface would never be heard.
        let interest = Interest::READABLE | Interest::ERROR;
        // SAFETY: a socket owns its descriptor, which stays the same until it is dropped, with this.
        Ok(Self(unsafe { AsyncFd::register_with_interest(socket, interest) }?))
    }

    /// The next claim of anybody else. Cancel-safe: what was not returned is still there.
    ///
    /// # Errors
    /// `ENETDOWN` when the interface goes down, `ENODEV` when it is gone.
    pub async fn next(&self) -> io::Result<Claim> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); FRAME];
        loop {
            let read = |socket: &AsyncFd<Socket>, buffer: &mut _| socket.get_ref().recv(buffer);
            let mut ready = self.0.ready(Interest::READABLE | Interest::ERROR).await?;
            let Ok(length) = ready.try_io(|socket| read(socket, &mut buffer)) else { continue };
            let length = length?.min(FRAME);
            // SAFETY: recv has written the first `length` bytes.
            let frame: Vec<u8> = buffer[..length].iter().map(|byte| unsafe { byte.assume_init() }).collect();
            if let Some(claim) = Claim::read(&frame) {
                return Ok(claim);
            }
        }
    }
}

/// Passes neighbour advertisements only: a node may see a lot of IPv6. Offsets count from the Ethernet header.
fn advertisements() -> [SockFilter; 6] {
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let next_header = ETHERNET as u32 + 6;
    let icmp_type = ETHERNET as u32 + 40;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, next_header),
        SockFilter::new(IF_EQUAL, 0, 3, u32::from(ICMPV6)),
        SockFilter::new(LOAD_BYTE, 0, 0, icmp_type),
        SockFilter::new(IF_EQUAL, 0, 1, u32::from(NEIGHBOUR_ADVERTISEMENT)),
        SockFilter::new(RETURN, 0, 0, FRAME as u32),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Asks the neighbours of an interface for an address that this node is about to take; who has it, if anybody.
/// Waits [`WAIT`] when nobody answers.
///
/// # Errors
/// As [`Listener::open`] and [`Listener::next`].
pub async fn probe(interface_index: u32, mac: Mac, address: IpAddr) -> io::Result<Option<Mac>> {
    let listener = Listener::open(interface_index, address)?;
    let frame = match address {
        IpAddr::V4(v4) => arp_probe(mac, v4).to_vec(),
        IpAddr::V6(v6) => neighbour_solicitation(mac, v6).to_vec(),
    };
    let destination = link_layer_address(interface_index, &frame);
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(Protocol::from(0)))?;
    let end = Instant::now() + WAIT;
    let mut ticks = interval(WAIT / PROBES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            claim = listener.next() => {
                let claim = claim?;
                if claim.address == address && claim.mac != mac {
                    return Ok(Some(claim.mac));
                }
            }
            () = sleep_until(end) => return Ok(None),
            _ = ticks.tick() => {
                socket.send_to(&frame, &destination)?;
            }
        }
    }
}

/// As people write it: `02:00:00:aa:bb:cc`.
pub fn show(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests;
