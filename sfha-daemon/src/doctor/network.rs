//! The network as a node finds it: who listens, what is dropped, what fits, and what time it is elsewhere.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::facts::{Firewall, Ports};

/// Longest time for another node to tell the time.
const CLOCK_DEADLINE: Duration = Duration::from_secs(2);

/// A state in `/proc/net/tcp` (`TCP_LISTEN` of the kernel's include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// Every port that somebody listens on, as `/proc/net` tells it (proc(5)).
pub fn ports() -> Option<Ports> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    // Without IPv6 there is no second file; without the first one there is nothing to be said.
    std::fs::metadata("/proc/net/udp").ok()?;
    let both = |v4: &str, v6: &str, state: Option<&str>| {
        let mut found = sockets(&read(v4), state);
        found.extend(sockets(&read(v6), state));
        found
    };
    Some(Ports { udp: both("udp", "udp6", None), tcp: both("tcp", "tcp6", Some(LISTEN)) })
}

/// The local addresses in one of these tables.
fn sockets(table: &str, state: Option<&str>) -> Vec<SocketAddr> {
    let socket = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let found = fields.nth(1)?;
        state.is_none_or(|state| state == found).then(|| address(local)).flatten()
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// `0100007F:1538`: the address as 32-bit words in this machine's order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// From the text of `nft list ruleset` (nft(8)).
pub fn firewall(text: String) -> Firewall {
    let mut closed: Vec<String> = Vec::new();
    let (mut table, mut chain, mut input) = (String::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches('{').trim().to_owned();
        } else if let Some(name) = line.strip_prefix("chain ") {
            chain = name.trim_end_matches('{').trim().to_owned();
            input = false;
        } else if line.starts_with("type filter hook ") {
            input = line.starts_with("type filter hook input ");
        }
        let whole = format!("{table} {chain}");
        if input && (line.ends_with("policy drop;") || refuses_all(line)) && !closed.contains(&whole) {
            closed.push(whole);
        }
    }
    Firewall { closed, text }
}

/// A rule without a condition that ends in a refusal.
fn refuses_all(rule: &str) -> bool {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let rest = match words.as_slice() {
        ["counter", "packets", _, "bytes", _, rest @ ..] => rest,
        rest => rest,
    };
    matches!(rest, ["drop"] | ["reject", ..])
}

/// MTU of the path to an address as far as the kernel knows it (ip(7) and ipv6(7), `IP_MTU`): what it was told by
/// routers on the way, else that of the interface. No packet is sent.
pub fn path_mtu(to: SocketAddr) -> Option<u32> {
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    let (level, option) = match to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    let mut mtu: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).ok()?;
    // SAFETY: the descriptor is open, and both pointers lead to living variables; `length` is the size of `mtu`.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut mtu).cast(), &raw mut length)
    };
    (done == 0).then(|| u32::try_from(mtu).ok()).flatten()
}

/// By how many seconds the clock behind an HTTP server is ahead of ours: its `Date` (RFC 9110 § 6.6.1).
pub async fn clock_ahead(server: SocketAddr) -> Option<i64> {
    tokio::time::timeout(CLOCK_DEADLINE, ask_time(server)).await.ok()?
}

async fn ask_time(server: SocketAddr) -> Option<i64> {
    let mut stream = TcpStream::connect(server).await.ok()?;
    let request = format!("HEAD / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await.ok()?;
    ahead(&String::from_utf8_lossy(&answer), Timestamp::now())
}

fn ahead(answer: &str, now: Timestamp) -> Option<i64> {
    let date = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim())
    })?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(theirs.as_second() - now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_read_as_the_kernel_writes_them() {
        let udp = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                   1: 00000000:CA6C 00000000:0000 07 00000000:00000000\n\
                   2: 0100640A:1E61 00000000:0000 0A 00000000:00000000\n";
        let all: Vec<String> = sockets(udp, None).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["0.0.0.0:51820", "10.100.0.1:7777"]);
        assert_eq!(sockets(udp, Some(LISTEN)).len(), 1);
        let six = "sl\n 1: 000080FE00000000FF005450F4FE1234:1E61 0:0 0A\n";
        assert_eq!(sockets(six, None)[0].to_string(), "[fe80::5054:ff:3412:fef4]:7777");
        assert!(sockets("sl\n 1: xyz 0:0 0A\n 2:\n", None).is_empty());
    }

    #[test]
    fn a_chain_is_closed_by_its_policy_or_by_its_last_rule() {
        let rules = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\
                     \t\ttcp dport 22 accept\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy drop;\n\
                     \t}\n}\ntable ip other {\n\tchain in {\n\t\ttype filter hook input priority 0; policy accept;\n\
                     \t\tip saddr 1.2.3.4 drop\n\t\tcounter packets 0 bytes 0 reject with icmp port-unreachable\n\t}\n}\n";
        assert_eq!(firewall(rules.to_owned()).closed, ["inet filter input", "ip other in"]);
        let open =
            rules.replace("policy drop", "policy accept").replace("counter packets 0 bytes 0 reject", "#");
        assert_eq!(firewall(open).closed, Vec::<String>::new());
    }

    #[test]
    fn another_clock_is_as_far_ahead_as_its_date_says() {
        let now: Timestamp = "2026-03-01T12:00:10Z".parse().unwrap();
        let date = |date: &str| ahead(&format!("HTTP/1.1 404 Not Found\r\ndate: {date}\r\n\r\n"), now);
        assert_eq!(date("Sun, 01 Mar 2026 12:00:10 GMT"), Some(0));
        assert_eq!(date("Sun, 01 Mar 2026 12:01:10 GMT"), Some(60));
        assert_eq!(date("Sun, 01 Mar 2026 11:59:10 GMT"), Some(-60));
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn the_path_to_oneself_has_the_mtu_of_the_loopback() {
        assert!(path_mtu("127.0.0.1:9".parse().unwrap()).is_some_and(|mtu| mtu >= 1500));
    }
}
