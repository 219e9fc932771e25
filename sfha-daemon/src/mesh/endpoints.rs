//! Where peers can be reached: as configured, as DNS says, and as it was good the last time.
//!
//! Nothing here waits: a name that is not known yet gives no address, and the caller goes on without one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_core::mesh::WantedPeer;
use sfha_core::rotation::keys_of;
use sfha_core::{ClusterState, NodeId};
use sfha_proto::Failure;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::files;
use crate::io::wireguard::Peer;
use crate::paths::Paths;

/// Version of the file's form.
const FORMAT: u32 = 1;

/// Time between two lookups of a name that somebody waits for.
const LOOKUP: Duration = Duration::from_secs(15);

/// Time between two writes of the file.
const SAVING: Duration = Duration::from_secs(10);

/// `/var/lib/sfha/endpoints.json`
#[derive(Debug, Default, Serialize, Deserialize)]
struct EndpointFile {
    version: u32,
    good: BTreeMap<NodeId, SocketAddr>,
}

/// What is known; clones share it.
#[derive(Debug, Clone)]
pub struct Endpoints {
    paths: Paths,
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    good: BTreeMap<NodeId, SocketAddr>,
    saved: BTreeMap<NodeId, SocketAddr>,
    saved_at: Option<Instant>,
    names: BTreeMap<String, Name>,
}

#[derive(Debug, Default)]
struct Name {
    addresses: Vec<SocketAddr>,
    asked: Option<Instant>,
    asking: bool,
    failed: bool,
}

impl Endpoints {
    /// With what was good before. A file that does not read is worth a line in the log, no more.
    #[must_use]
    pub fn load(paths: &Paths) -> Self {
        let good = match read(paths) {
            Ok(good) => good,
            Err(failure) => {
                warn!(%failure, "last known endpoints are not used");
                BTreeMap::new()
            }
        };
        let inner = Inner { saved: good.clone(), good, ..Inner::default() };
        Self { paths: paths.clone(), inner: Arc::new(Mutex::new(inner)), changed: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when an address has become known.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Turns wanted peers into configured ones.
    #[must_use]
    pub fn peers(&self, state: &ClusterState, wanted: &[WantedPeer]) -> Vec<Peer> {
        let node = |key: &str| {
            let mut nodes = state.nodes.iter();
            nodes.find(|(_, node)| keys_of(node).any(|own| own == key)).map(|(id, _)| *id)
        };
        let mut peers = Vec::with_capacity(wanted.len());
        for peer in wanted {
            let Ok(public_key) = peer.public_key.parse() else {
                warn!(key = peer.public_key, "not a WireGuard key");
                continue;
            };
            peers.push(Peer {
                public_key,
                endpoint: self.of(node(&peer.public_key), peer.endpoint.as_deref()).first().copied(),
                allowed_ips: peer.allowed_ips.clone(),
                keepalive: peer.keepalive,
            });
        }
        peers
    }

    /// Where a node may be, the most likely first.
    #[must_use]
    pub fn of(&self, node: Option<NodeId>, configured: Option<&str>) -> Vec<SocketAddr> {
        let inner = self.lock();
        let mut found: Vec<SocketAddr> = match configured.map(|text| (text, text.parse())) {
            None => Vec::new(),
            Some((_, Ok(address))) => vec![address],
            Some((name, Err(_))) => {
                inner.names.get(name).map(|name| name.addresses.clone()).unwrap_or_default()
            }
        };
        let good = node.and_then(|node| inner.good.get(&node)).copied();
        found.extend(good.filter(|good| !found.contains(good)));
        found
    }

    /// Whether that is a name that DNS does not know.
    #[must_use]
    pub fn is_unresolved(&self, configured: &str) -> bool {
        self.lock().names.get(configured).is_some_and(|name| name.failed && name.addresses.is_empty())
    }

    /// Looks a name up in the background, unless it was a moment ago.
    pub fn look_up(&self, configured: &str) {
        if configured.parse::<SocketAddr>().is_ok() {
            return;
        }
        {
            let mut inner = self.lock();
            let name = inner.names.entry(configured.to_owned()).or_default();
            if name.asking || name.asked.is_some_and(|at| at.elapsed() < LOOKUP) {
                return;
            }
            (name.asking, name.asked) = (true, Some(Instant::now()));
        }
        let (this, configured) = (self.clone(), configured.to_owned());
        // The resolver may take a minute. The runtime has few threads for what blocks, and WireGuard needs them.
        let spawned = std::thread::Builder::new().name("dns".to_owned()).spawn(move || {
            let found = configured.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            this.looked_up(&configured, found);
        });
        if let Err(error) = spawned {
            warn!(%error, "no thread to look a name up");
        }
    }

    fn looked_up(&self, configured: &str, found: std::io::Result<Vec<SocketAddr>>) {
        let mut inner = self.lock();
        let name = inner.names.entry(configured.to_owned()).or_default();
        (name.asking, name.asked) = (false, Some(Instant::now()));
        match found {
            Ok(addresses) => {
                name.failed = false;
                if name.addresses != addresses {
                    info!(endpoint = configured, ?addresses, "endpoint resolved");
                    name.addresses = addresses;
                    self.changed.notify_one();
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut name.failed, true) {
                    warn!(endpoint = configured, %error, "endpoint does not resolve");
                }
                self.changed.notify_one();
            }
        }
    }

    /// These work now. Those of nodes that are gone are forgotten.
    pub fn remember(&self, good: BTreeMap<NodeId, SocketAddr>, members: &BTreeSet<NodeId>) {
        let mut inner = self.lock();
        inner.good.retain(|node, _| members.contains(node));
        inner.good.extend(good);
        let due = inner.saved_at.is_none_or(|at| at.elapsed() >= SAVING);
        if inner.good == inner.saved || !due {
            return;
        }
        (inner.saved, inner.saved_at) = (inner.good.clone(), Some(Instant::now()));
        let file = EndpointFile { version: FORMAT, good: inner.good.clone() };
        let path = self.paths.endpoints();
        tokio::task::spawn_blocking(move || {
            let text = serde_json::to_vec_pretty(&file).unwrap_or_default();
            if let Err(failure) = files::write_atomic(&path, &text, 0o644) {
                warn!(%failure, "endpoints are not kept");
            }
        });
    }
}

fn read(paths: &Paths) -> Result<BTreeMap<NodeId, SocketAddr>, Failure> {
    let path = paths.endpoints();
    let Some(text) = files::read_text(&path)? else { return Ok(BTreeMap::new()) };
    let file: EndpointFile =
        serde_json::from_str(&text).map_err(|error| files::invalid(&path, &error.to_string()))?;
    match file.version {
        FORMAT => Ok(file.good),
        other => Err(files::invalid(&path, &format!("version {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> BTreeMap<NodeId, SocketAddr> {
        BTreeMap::from([(2, "192.0.2.2:51820".parse().unwrap())])
    }

    #[tokio::test]
    async fn what_was_good_is_there_after_a_restart_when_a_name_gives_nothing() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let endpoints = Endpoints::load(&paths);
        assert_eq!(endpoints.of(Some(2), Some("nowhere.invalid:51820")), []);
        endpoints.remember(good(), &BTreeSet::from([1, 2]));
        while !paths.endpoints().exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let again = Endpoints::load(&paths);
        assert_eq!(again.of(Some(2), Some("nowhere.invalid:51820")), [good()[&2]]);
        assert_eq!(again.of(Some(2), Some("192.0.2.9:1")), ["192.0.2.9:1".parse().unwrap(), good()[&2]]);
        again.remember(BTreeMap::new(), &BTreeSet::from([1]));
        assert_eq!(again.of(Some(2), None), [], "the node is gone");
    }

    #[test]
    fn a_damaged_file_costs_nothing_but_a_warning() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        for text in ["", "{", "[]", r#"{"version":9,"good":{}}"#, r#"{"version":1,"good":{"x":"y"}}"#] {
            files::write_atomic(&paths.endpoints(), text.as_bytes(), 0o644).unwrap();
            assert_eq!(Endpoints::load(&paths).of(Some(2), None), [], "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_beside_everything_else() {
        let root = tempfile::tempdir().unwrap();
        let endpoints = Endpoints::load(&Paths::under(root.path()));
        endpoints.look_up("localhost:7");
        endpoints.changed().await;
        let found = endpoints.of(None, Some("localhost:7"));
        assert!(found.iter().any(|at| at.ip().is_loopback() && at.port() == 7), "{found:?}");
    }
}
