//! The VIP prober: echo requests from the client at a fixed pace. It needs no service on the nodes, sees from
//! the hardware address who answered, and takes the time of each answer from the kernel.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::netns;
use super::probe_report::{Answer, Probe, ProbeReport};
use super::realtime::prioritise_this_thread;
use super::wait::wait_for;

/// How long the last requests may still be answered after the end of the probing.
const LINGER: Duration = Duration::from_millis(20);

/// A series of probes that is going on.
#[derive(Debug)]
pub struct Prober {
    ip: IpAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    start: Instant,
    probes: Mutex<Vec<Probe>>,
}

impl Shared {
    fn probes(&self) -> MutexGuard<'_, Vec<Probe>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prober {
    pub(crate) fn start(
        netns: String,
        interface: &'static str,
        ip: IpAddr,
        interval: Duration,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            start: Instant::now(),
            probes: Mutex::default(),
        });
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH)? - shared.start.elapsed();
        let line = netns::within(&netns, move || Line::open(interface, ip, epoch))?;
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                prioritise_this_thread();
                line.run(&shared, interval)
            }
        });
        Ok(Self { ip, shared, thread: Some(thread) })
    }

    /// When the probing began: what the times in a report count from.
    pub fn started(&self) -> Instant {
        self.shared.start
    }

    /// Waits until the address has answered for the first time.
    pub fn wait_answered(&self, timeout: Duration) -> Result<()> {
        self.wait_answer(timeout, |_| true)
    }

    /// Waits until this node (counted from 0) has answered.
    pub fn wait_answered_by(&self, node: usize, timeout: Duration) -> Result<()> {
        self.wait_answer(timeout, |answer| super::address::node_of_mac(answer.mac) == Some(node))
    }

    /// Waits until there is an answer to a request sent after this call: the address is reachable now.
    pub fn wait_answered_again(&self, timeout: Duration) -> Result<()> {
        let now = self.shared.start.elapsed();
        self.wait_answer(timeout, |answer| answer.at > now)
    }

    fn wait_answer(&self, timeout: Duration, wanted: impl Fn(Answer) -> bool) -> Result<()> {
        let what = format!("an answer of {}", self.ip);
        wait_for(&what, timeout, || {
            // From the newest: what is awaited has hardly happened long ago.
            self.shared.probes().iter().rev().filter_map(|probe| probe.answer).any(&wanted).then_some(())
        })
    }

    /// What was seen so far; the probing goes on. Requests under way count as lost.
    pub fn report(&self) -> ProbeReport {
        ProbeReport::new(&self.shared.probes(), self.shared.start.elapsed())
    }

    /// Ends the probing.
    pub fn finish(mut self) -> Result<ProbeReport> {
        let end = self.shared.start.elapsed();
        self.stop()?;
        Ok(ProbeReport::new(&self.shared.probes(), end))
    }

    fn stop(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the prober panicked"))?,
            None => Ok(()),
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        // Whoever drops it does not want to know.
        let _ = self.stop();
    }
}

/// The sockets of a prober, and how its packets look.
struct Line {
    requests: Socket,
    target: SockAddr,
    frames: Socket,
    format: Format,
    id: u16,
    /// The wall clock's time at the prober's start: the kernel's time stamps are of that clock.
    epoch: Duration,
}

impl Line {
    fn open(interface: &str, ip: IpAddr, epoch: Duration) -> Result<Self> {
        static NEXT_ID: AtomicU16 = AtomicU16::new(1);
        let format = Format::of(ip);
        let requests =
            Socket::new(format.domain(), Type::RAW, Some(format.protocol())).context("raw socket")?;
        let ethertype = format.ethertype().to_be();
        let frames = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(ethertype))));
        let frames = frames.context("packet socket")?;
        frames
            .bind(&link_address(ethertype, if_nametoindex(interface)?))
            .with_context(|| format!("bind to {interface}"))?;
        setsockopt(&frames, sockopt::ReceiveTimestampns, &true)?;
        frames.set_recv_buffer_size(4 << 20)?;
        Ok(Self {
            requests,
            target: SocketAddr::new(ip, 0).into(),
            frames,
            format,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed) ^ (std::process::id() as u16).rotate_left(8),
            epoch,
        })
    }

    fn run(&self, shared: &Shared, interval: Duration) -> Result<()> {
        let mut next = Instant::now();
        while !shared.stop.load(Ordering::Relaxed) {
            let index = shared.probes().len();
            shared.probes().push(Probe { sent: shared.start.elapsed(), answer: None });
            // Without a route, a carrier or a neighbour there is an error: a lost request like any other.
            let _ = self.requests.send_to(&self.format.request(self.id, index as u64), &self.target);
            next = (next + interval).max(Instant::now());
            self.receive_until(next, shared)?;
        }
        self.receive_until(Instant::now() + LINGER, shared)
    }

    fn receive_until(&self, deadline: Instant, shared: &Shared) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.frames.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut fds, Some(TimeSpec::from_duration(left)), None) {
                Ok(0) => return Ok(()),
                Ok(_) => self.receive(shared)?,
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error).context("poll"),
            }
        }
    }

    fn receive(&self, shared: &Shared) -> Result<()> {
        let mut buffer = [0; 256];
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let mut control = nix::cmsg_space!(TimeSpec);
        let fd = self.frames.as_raw_fd();
        let message =
            match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
                Ok(message) => message,
                // The interface may go down under the socket.
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::ENETDOWN) => return Ok(()),
                Err(error) => return Err(error).context("recvmsg"),
            };
        let mac =
            message.address.as_ref().and_then(|address| address.as_link_addr()).and_then(|link| link.addr());
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        let length = message.bytes;
        let at = stamp.map_or_else(|| shared.start.elapsed(), |stamp| stamp.saturating_sub(self.epoch));
        let Some(index) = self.format.parse_answer(&buffer[..length], self.id) else { return Ok(()) };
        if let Some(probe) = shared.probes().get_mut(usize::try_from(index)?) {
            // A tunnel has no hardware addresses.
            probe.answer.get_or_insert(Answer { at, mac: mac.unwrap_or_default() });
        }
        Ok(())
    }
}

/// The address of an interface for a packet socket.
fn link_address(ethertype_be: u16, interface: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain data that fits in the storage, whose alignment is enough for any address.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as u16;
    link.sll_protocol = ethertype_be;
    link.sll_ifindex = interface as i32;
    // SAFETY: the storage holds an address of the family and length given.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

#[derive(Debug, Clone, Copy)]
enum Format {
    V4(std::net::Ipv4Addr),
    V6(std::net::Ipv6Addr),
}

const ECHO_HEADER_LEN: usize = 8;
const IPV6_HEADER_LEN: usize = 40;

impl Format {
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }

    fn domain(self) -> Domain {
        match self {
            Self::V4(_) => Domain::IPV4,
            Self::V6(_) => Domain::IPV6,
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::V4(_) => Protocol::ICMPV4,
            Self::V6(_) => Protocol::ICMPV6,
        }
    }

    fn ethertype(self) -> u16 {
        match self {
            Self::V4(_) => libc::ETH_P_IP as u16,
            Self::V6(_) => libc::ETH_P_IPV6 as u16,
        }
    }

    /// An echo request whose payload is the number of the probe.
    fn request(self, id: u16, index: u64) -> Vec<u8> {
        let kind = match self {
            Self::V4(_) => 8,
            Self::V6(_) => 128,
        };
        let mut packet = vec![kind, 0, 0, 0];
        packet.extend(id.to_be_bytes());
        packet.extend((index as u16).to_be_bytes());
        packet.extend(index.to_be_bytes());
        if let Self::V4(_) = self {
            // That of ICMPv6 covers the addresses and is the kernel's to make.
            let checksum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&checksum);
        }
        packet
    }

    /// The number of the probe that this IP packet answers.
    fn parse_answer(self, packet: &[u8], id: u16) -> Option<u64> {
        let echo = match self {
            Self::V4(ip) => {
                let header = usize::from(packet.first()? & 0x0f) * 4;
                (packet.get(9)? == &1 && packet.get(12..16)? == ip.octets()).then_some(())?;
                packet.get(header..).filter(|echo| echo.first() == Some(&0))?
            }
            Self::V6(ip) => {
                (packet.get(6)? == &58 && packet.get(8..24)? == ip.octets()).then_some(())?;
                packet.get(IPV6_HEADER_LEN..).filter(|echo| echo.first() == Some(&129))?
            }
        };
        (echo.get(4..6)? == id.to_be_bytes()).then_some(())?;
        let payload = echo.get(ECHO_HEADER_LEN..ECHO_HEADER_LEN + 8)?;
        Some(u64::from_be_bytes(payload.try_into().ok()?))
    }
}

/// The internet checksum of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_probe() {
        let format = Format::of("10.77.0.100".parse().unwrap());
        let mut packet = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 1, 0, 0, 10, 77, 0, 100, 10, 77, 0, 250];
        let mut echo = format.request(7, 70_000);
        assert_eq!(checksum(&echo), 0, "a right checksum makes the sum zero");
        echo[0] = 0;
        packet.extend(echo);
        assert_eq!(format.parse_answer(&packet, 7), Some(70_000));
        assert_eq!(format.parse_answer(&packet, 8), None, "of another prober");
        packet[15] = 101;
        assert_eq!(format.parse_answer(&packet, 7), None, "of another address");
        assert_eq!(format.parse_answer(&packet[..30], 7), None);
    }
}
