//! The configuration protocol of userspace WireGuard devices, as pure text.
//!
//! Source: "Configuration Protocol" in <https://www.wireguard.com/xplatform/>. A client writes one operation
//! (`get=1` or `set=1`), its lines, and an empty line; it receives lines, `errno=N` and an empty line.
//!
//! Nothing here touches a socket, a device or the clock: [`parse`] takes the bytes of one request and
//! [`render`] makes the bytes of one answer, so that both can be fuzzed. Neither panics, whatever the bytes.
//! What goes wrong is said without the value that was wrong, because the value may be a key.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use zeroize::Zeroizing;

/// The longest request that is accepted, in bytes: room for about 4000 peers with two networks each.
pub const MAX_REQUEST: usize = 1 << 20;

/// A private or preshared key: 32 bytes that are overwritten when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Takes the 32 bytes of a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The public key of a peer, by which it is named everywhere.
pub type PublicKey = [u8; 32];

/// One whole request.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// `get=1`: everything about the device.
    Get,
    /// `set=1`: change what the request names and nothing else.
    Set(Set),
}

/// What a `set=1` request asks for. A field that is `None` stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// A new private key, or its removal.
    pub private_key: Option<KeyChange>,
    /// UDP port; 0 lets the kernel choose.
    pub listen_port: Option<u16>,
    /// `SO_MARK` of outgoing datagrams; 0 removes it.
    pub fwmark: Option<u32>,
    /// Peers that the request does not name are removed.
    pub replace_peers: bool,
    /// In the order of the request, which matters: a network goes to the last one who asks for it.
    pub peers: Vec<PeerChange>,
}

/// What happens to a key.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// All zeros on the wire.
    Remove,
    /// This one from now on.
    Set(Secret),
}

/// Changes to one peer.
#[derive(Debug, PartialEq, Eq)]
pub struct PeerChange {
    /// Whom this is about.
    pub public_key: PublicKey,
    /// Remove it, whatever else is said.
    pub remove: bool,
    /// Do nothing if there is no such peer.
    pub update_only: bool,
    /// The preshared key, or its removal.
    pub preshared_key: Option<KeyChange>,
    /// Where to send to until the peer is heard from elsewhere.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives; 0 turns them off.
    pub keepalive: Option<u16>,
    /// Forget the networks that the peer has.
    pub replace_allowed_ips: bool,
    /// In the order of the request.
    pub allowed_ips: Vec<AllowedIpChange>,
}

/// One `allowed_ip=` line; the host bits of the network are zero.
#[derive(Debug, PartialEq, Eq)]
pub enum AllowedIpChange {
    /// Route this network to the peer, and to nobody else.
    Add(IpNet),
    /// `allowed_ip=-…`: take it from this peer, if it has it.
    Remove(IpNet),
}

impl PeerChange {
    fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            remove: false,
            update_only: false,
            preshared_key: None,
            endpoint: None,
            keepalive: None,
            replace_allowed_ips: false,
            allowed_ips: Vec::new(),
        }
    }
}

/// Why a request was refused. The wire only has room for `errno=22` (`EINVAL`); this is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not UTF-8.
    #[error("not text")]
    Encoding,
    /// Neither `get=1` nor `set=1` came first.
    #[error("unknown operation")]
    Operation,
    /// `get=1` was followed by something.
    #[error("line {line}: a get request has no further lines")]
    Trailing {
        /// Counted from 1, the operation included.
        line: usize,
    },
    /// No `=` in the line.
    #[error("line {line}: no key and value")]
    NoPair {
        /// Counted from 1, the operation included.
        line: usize,
    },
    /// A key that does not exist, or not at this place.
    #[error("line {line}: unknown or misplaced key")]
    Key {
        /// Counted from 1, the operation included.
        line: usize,
    },
    /// A value that its key cannot have.
    #[error("line {line}: invalid {key}")]
    Value {
        /// Counted from 1, the operation included.
        line: usize,
        /// The key, which is one of the known ones.
        key: &'static str,
    },
}

/// Parses one request: its lines, with or without the empty line that ended it.
///
/// # Errors
/// The first thing that is wrong. A request is refused as a whole.
pub fn parse(request: &[u8]) -> Result<Request, ParseError> {
    let text = std::str::from_utf8(request).map_err(|_| ParseError::Encoding)?;
    let text = text.trim_end_matches('\n');
    let mut lines = text.split('\n').zip(1..);
    match lines.next() {
        Some(("get=1", _)) => match lines.next() {
            Some((_, line)) => Err(ParseError::Trailing { line }),
            None => Ok(Request::Get),
        },
        Some(("set=1", _)) => parse_set(lines).map(Request::Set),
        _ => Err(ParseError::Operation),
    }
}

fn parse_set<'a>(lines: impl Iterator<Item = (&'a str, usize)>) -> Result<Set, ParseError> {
    let mut set = Set::default();
    for (text, line) in lines {
        let (key, value) = text.split_once('=').ok_or(ParseError::NoPair { line })?;
        let bad = |key| ParseError::Value { line, key };
        if key == "public_key" {
            set.peers.push(PeerChange::new(*key_bytes(value).ok_or(bad("public_key"))?));
        } else if let Some(peer) = set.peers.last_mut() {
            parse_peer(peer, key, value, line)?;
        } else {
            match key {
                "private_key" => set.private_key = Some(key_change(value).ok_or(bad("private_key"))?),
                "listen_port" => set.listen_port = Some(number(value).ok_or(bad("listen_port"))?),
                "fwmark" => set.fwmark = Some(number(value).ok_or(bad("fwmark"))?),
                "replace_peers" => set.replace_peers = flag(value).ok_or(bad("replace_peers"))?,
                _ => return Err(ParseError::Key { line }),
            }
        }
    }
    Ok(set)
}

fn parse_peer(peer: &mut PeerChange, key: &str, value: &str, line: usize) -> Result<(), ParseError> {
    let bad = |key| ParseError::Value { line, key };
    match key {
        "remove" => peer.remove = flag(value).ok_or(bad("remove"))?,
        "update_only" => peer.update_only = flag(value).ok_or(bad("update_only"))?,
        "preshared_key" => peer.preshared_key = Some(key_change(value).ok_or(bad("preshared_key"))?),
        "endpoint" => peer.endpoint = Some(value.parse().map_err(|_| bad("endpoint"))?),
        "persistent_keepalive_interval" => {
            peer.keepalive = Some(number(value).ok_or(bad("persistent_keepalive_interval"))?);
        }
        "replace_allowed_ips" => peer.replace_allowed_ips = flag(value).ok_or(bad("replace_allowed_ips"))?,
        "allowed_ip" => peer.allowed_ips.push(allowed_ip(value).ok_or(bad("allowed_ip"))?),
        "protocol_version" if value == "1" => {}
        "protocol_version" => return Err(bad("protocol_version")),
        _ => return Err(ParseError::Key { line }),
    }
    Ok(())
}

fn allowed_ip(value: &str) -> Option<AllowedIpChange> {
    let (remove, value) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (address, length) = value.split_once('/')?;
    let network = IpNet::new(address.parse::<IpAddr>().ok()?, number(length)?).ok()?.trunc();
    Some(if remove { AllowedIpChange::Remove(network) } else { AllowedIpChange::Add(network) })
}

/// The protocol knows no other value than `true`.
fn flag(value: &str) -> Option<bool> {
    (value == "true").then_some(true)
}

/// Decimal digits only: no sign, no space.
fn number<N: std::str::FromStr>(value: &str) -> Option<N> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok())?
}

fn key_change(value: &str) -> Option<KeyChange> {
    let bytes = key_bytes(value)?;
    Some(if *bytes == [0; 32] { KeyChange::Remove } else { KeyChange::Set(Secret(bytes)) })
}

fn key_bytes(hex: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let hex = hex.as_bytes();
    if hex.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Everything that `get=1` tells about a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The private key, if there is one.
    pub private_key: Option<Secret>,
    /// UDP port, if a socket is open.
    pub listen_port: Option<u16>,
    /// `SO_MARK`, if set.
    pub fwmark: Option<u32>,
    /// All peers.
    pub peers: Vec<PeerInfo>,
}

/// Everything that `get=1` tells about a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its name.
    pub public_key: PublicKey,
    /// The preshared key, if there is one.
    pub preshared_key: Option<Secret>,
    /// Where it was heard from last, or what was configured.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives.
    pub keepalive: Option<u16>,
    /// The last handshake, by the wall clock.
    pub last_handshake: Option<SystemTime>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// The networks routed to it.
    pub allowed_ips: Vec<IpNet>,
}

/// The whole answer to `get=1`.
pub fn render(device: &DeviceInfo) -> Zeroizing<String> {
    // Large enough that the string never moves: a move would leave keys behind in freed memory.
    let networks: usize = device.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
    let mut out = Zeroizing::new(String::with_capacity(256 + 640 * device.peers.len() + 64 * networks));
    if let Some(key) = &device.private_key {
        pair(&mut out, "private_key", Hex(key.bytes()));
    }
    if let Some(port) = device.listen_port {
        pair(&mut out, "listen_port", port);
    }
    if let Some(mark) = device.fwmark {
        pair(&mut out, "fwmark", mark);
    }
    for peer in &device.peers {
        pair(&mut out, "public_key", Hex(&peer.public_key));
        if let Some(key) = &peer.preshared_key {
            pair(&mut out, "preshared_key", Hex(key.bytes()));
        }
        pair(&mut out, "protocol_version", 1);
        if let Some(endpoint) = peer.endpoint {
            pair(&mut out, "endpoint", endpoint);
        }
        let since_epoch = peer.last_handshake.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let since_epoch = since_epoch.unwrap_or(Duration::ZERO);
        pair(&mut out, "last_handshake_time_sec", since_epoch.as_secs());
        pair(&mut out, "last_handshake_time_nsec", since_epoch.subsec_nanos());
        pair(&mut out, "tx_bytes", peer.tx_bytes);
        pair(&mut out, "rx_bytes", peer.rx_bytes);
        pair(&mut out, "persistent_keepalive_interval", peer.keepalive.unwrap_or(0));
        for network in &peer.allowed_ips {
            pair(&mut out, "allowed_ip", network);
        }
    }
    out.push_str(&errno(0));
    out
}

/// The answer that says how a `set=1` ended, or that a request was refused: 0, or a number of errno(3).
///
/// It is negated on the wire: wireguard-go does so, and `wg` turns it back to find the message.
pub fn errno(number: i32) -> String {
    format!("errno={}\n\n", number.saturating_neg())
}

fn pair(out: &mut String, key: &str, value: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{key}={value}");
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
