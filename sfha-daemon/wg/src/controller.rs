//! Applies requests to the device, one at a time.
//!
//! gotatun's device knows nothing before its private key and never forgets it. The protocol allows both, so the
//! controller holds what comes before the key, and suspends the device while the key is taken away:
//!
//! ```text
//!   Keyless ──private_key──▶ Keyed ◀──private_key── Suspended
//!  (peers held here)            └──private_key=0────────▲
//! ```
//!
//! A change from key to key goes by way of `Suspended` too. gotatun would go on working until it reopens its
//! connection, and a handshake begun in between is lost with the old connection: measured, 1 of 15 changes then had
//! 5 s of silence (`REKEY_TIMEOUT`).
//!
//! A request is applied whole or refused whole: the only step that can fail for an outside reason, opening the
//! UDP port, comes first and touches nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gotatun::device::configure::{DeviceRead, DeviceWrite, PeerStats};
use gotatun::device::{Device, DeviceBuilder, DeviceTransports, Error as DeviceError, Peer as DevicePeer};
use gotatun::x25519;
use ipnet::IpNet;
use ipnetwork::IpNetwork;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::model::{Difference, Peer, Peers};
use crate::tun::Tun;
use crate::uapi::{DeviceInfo, KeyChange, PeerInfo, PublicKey, Secret, Set};
use crate::udp::Sockets;

/// gotatun forgets a handshake with its session, after 180 s; asking more often than that keeps the memory.
pub const HANDSHAKE_INTERVAL: Duration = Duration::from_secs(60);

/// How long to follow a handshake that was begun after a change of the key; what the peer makes of it is its own.
const GREETING: Duration = Duration::from_secs(1);

/// The device and what gotatun does not remember about it.
pub struct Controller(Mutex<Inner>);

struct Inner {
    device: Arc<Device<(Sockets, Tun, Tun)>>,
    sockets: Sockets,
    key: Key,
    fwmark: u32,
    handshakes: BTreeMap<PublicKey, SystemTime>,
}

enum Key {
    Keyless(Peers),
    Keyed,
    Suspended,
}

impl Controller {
    /// Starts a device on `tun`: no key, no port, no peers.
    ///
    /// # Errors
    /// None that is known; gotatun's own.
    pub async fn start(tun: Tun) -> Result<Self, DeviceError> {
        let sockets = Sockets::default();
        let device = DeviceBuilder::new().with_udp(sockets.clone()).with_ip(tun).build().await?;
        let device = Arc::new(device);
        let key = Key::Keyless(Peers::default());
        Ok(Self(Mutex::new(Inner { device, sockets, key, fwmark: 0, handshakes: BTreeMap::new() })))
    }

    /// The answer to `get=1`.
    pub async fn get(&self) -> DeviceInfo {
        let mut inner = self.0.lock().await;
        let mut info = DeviceInfo {
            private_key: None,
            listen_port: inner.sockets.port(),
            fwmark: Some(inner.fwmark).filter(|mark| *mark != 0),
            peers: Vec::new(),
        };
        if let Key::Keyless(peers) = &inner.key {
            info.peers = peers.0.iter().map(|(key, peer)| held(*key, peer)).collect();
            return info;
        }
        inner.note_handshakes().await;
        let keyed = matches!(inner.key, Key::Keyed);
        let handshakes = &inner.handshakes;
        inner
            .device
            .read(async |device: &DeviceRead<'_, _>| {
                info.private_key =
                    device.private_key().filter(|_| keyed).map(|key| Secret::new(key.to_bytes()));
                info.peers = device.peers().await.iter().map(|peer| live(peer, handshakes)).collect();
            })
            .await;
        info
    }

    /// Applies a `set=1` request.
    ///
    /// # Errors
    /// As bind(2) when the port is not to be had; then nothing has changed.
    pub async fn set(&self, set: Set) -> io::Result<()> {
        self.0.lock().await.set(set).await
    }

    /// Remembers the handshakes that have happened; see [`HANDSHAKE_INTERVAL`].
    pub async fn note_handshakes(&self) {
        self.0.lock().await.note_handshakes().await;
    }
}

impl Inner {
    async fn set(&mut self, mut set: Set) -> io::Result<()> {
        let (new_key, remove_key) = match set.private_key.take() {
            Some(KeyChange::Set(key)) => (Some(x25519::StaticSecret::from(*key.bytes())), false),
            Some(KeyChange::Remove) => (None, true),
            None => (None, false),
        };
        let port = match set.listen_port {
            Some(port) => Some(self.sockets.prepare(port).await?),
            None if new_key.is_some() && self.sockets.port().is_none() => {
                Some(self.sockets.prepare(0).await?)
            }
            None => None,
        };
        self.fwmark = set.fwmark.unwrap_or(self.fwmark);
        // The sessions, and with them the times, end with the key.
        self.note_handshakes().await;
        if matches!(self.key, Key::Keyed) && (remove_key || self.is_new(new_key.as_ref()).await) {
            self.device.suspend().await;
            self.key = Key::Suspended;
        }

        let before = match (&mut self.key, &new_key) {
            (Key::Keyless(peers), None) => {
                peers.apply(&set, None);
                return Ok(());
            }
            (Key::Keyless(peers), Some(_)) => Some(std::mem::take(peers)),
            (Key::Keyed | Key::Suspended, _) => None,
        };
        let port = port.or(self.sockets.port());
        let fwmark = self.fwmark;
        let resume = matches!(self.key, Key::Suspended) && new_key.is_some();
        let keyed = new_key.is_some();
        let changed = async |device: &mut DeviceWrite<'_, (Sockets, Tun, Tun)>| {
            if device.fwmark().unwrap_or(0) != fwmark {
                device.set_fwmark(fwmark)?;
            }
            if let Some(port) = port {
                device.set_listen_port(port);
            }
            if let Some(key) = new_key {
                device.set_private_key(key).await;
            }
            let own = device.private_key().map(|key| x25519::PublicKey::from(key).to_bytes());
            let current = peers_of(device).await;
            // What was held back for want of a key is new to the device.
            let mut next = before.unwrap_or_else(|| current.clone());
            next.apply(&set, own);
            update(device, current.difference(&next)).await;
            Ok::<_, DeviceError>(())
        };
        self.device.write(changed).await.and_then(|inner| inner).map_err(into_io)?;
        if keyed {
            self.key = Key::Keyed;
        }
        if resume {
            self.resume().await.map_err(into_io)?;
        }
        Ok(())
    }

    async fn is_new(&self, key: Option<&x25519::StaticSecret>) -> bool {
        let Some(key) = key else { return false };
        let public = x25519::PublicKey::from(key);
        let same = async |device: &DeviceRead<'_, _>| {
            device.private_key().is_some_and(|current| x25519::PublicKey::from(current) == public)
        };
        !self.device.read(same).await
    }

    /// Resumes, and lets every peer know of the new key at once: otherwise it is up to chance which side begins,
    /// and when both do at the same moment, both wait 5 s (`REKEY_TIMEOUT`).
    async fn resume(&self) -> Result<(), DeviceError> {
        self.device.resume().await?;
        let peers = self.device.peers().await;
        if peers.is_empty() {
            // Then gotatun has not opened its connection, and would not for peers that come later; this makes it.
            self.device.clear_peers().await?;
        }
        for key in peers.into_iter().filter_map(|stats| stats.peer.endpoint.map(|_| stats.peer.public_key)) {
            let device = Arc::clone(&self.device);
            tokio::spawn(async move { timeout(GREETING, device.force_handshake(&key)).await });
        }
        Ok(())
    }

    async fn note_handshakes(&mut self) {
        let now = SystemTime::now();
        let peers = self.device.peers().await;
        self.handshakes.retain(|key, _| peers.iter().any(|stats| stats.peer.public_key.as_bytes() == key));
        for stats in peers {
            if let Some(at) = stats.stats.last_handshake.and_then(|ago| now.checked_sub(ago)) {
                self.handshakes.insert(stats.peer.public_key.to_bytes(), at);
            }
        }
    }
}

async fn peers_of<T: DeviceTransports>(device: &DeviceWrite<'_, T>) -> Peers {
    let peers =
        device.peers().await.into_iter().map(|stats| (stats.peer.public_key.to_bytes(), model(stats.peer)));
    Peers(peers.collect())
}

/// Everything happens under the device's lock: no packet sees half of it.
async fn update<T: DeviceTransports>(device: &mut DeviceWrite<'_, T>, difference: Difference) {
    for key in difference.removed {
        device.remove_peer(&key.into()).await;
    }
    for (key, peer) in difference.changed {
        device.update_peer(device_peer(key, peer)).await;
    }
    for (key, peer) in difference.added {
        device.add_peer(device_peer(key, peer));
    }
}

fn device_peer(key: PublicKey, peer: Peer) -> DevicePeer {
    let mut device_peer = DevicePeer::new(key.into());
    device_peer.preshared_key = peer.preshared_key.map(|key| *key.bytes());
    device_peer.endpoint = peer.endpoint;
    device_peer.keepalive = peer.keepalive;
    let networks = peer.allowed_ips.into_iter();
    device_peer.allowed_ips =
        networks.filter_map(|network| IpNetwork::new(network.addr(), network.prefix_len()).ok()).collect();
    device_peer
}

fn model(peer: DevicePeer) -> Peer {
    Peer {
        preshared_key: peer.preshared_key.map(Secret::new),
        endpoint: peer.endpoint,
        keepalive: peer.keepalive,
        allowed_ips: networks(&peer).collect(),
    }
}

fn networks(peer: &DevicePeer) -> impl Iterator<Item = IpNet> {
    peer.allowed_ips.iter().filter_map(|network| IpNet::new(network.network(), network.prefix()).ok())
}

fn held(public_key: PublicKey, peer: &Peer) -> PeerInfo {
    PeerInfo {
        public_key,
        preshared_key: peer.preshared_key.clone(),
        endpoint: peer.endpoint,
        keepalive: peer.keepalive,
        last_handshake: None,
        rx_bytes: 0,
        tx_bytes: 0,
        allowed_ips: peer.allowed_ips.iter().copied().collect(),
    }
}

fn live(stats: &PeerStats, handshakes: &BTreeMap<PublicKey, SystemTime>) -> PeerInfo {
    let public_key = stats.peer.public_key.to_bytes();
    PeerInfo {
        public_key,
        preshared_key: stats.peer.preshared_key.map(Secret::new),
        endpoint: stats.peer.endpoint,
        keepalive: stats.peer.keepalive,
        last_handshake: handshakes.get(&public_key).copied(),
        rx_bytes: stats.stats.rx_bytes.try_into().unwrap_or(u64::MAX),
        tx_bytes: stats.stats.tx_bytes.try_into().unwrap_or(u64::MAX),
        allowed_ips: networks(&stats.peer).collect(),
    }
}

fn into_io(error: DeviceError) -> io::Error {
    match error {
        DeviceError::Bind(error, _) | DeviceError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
