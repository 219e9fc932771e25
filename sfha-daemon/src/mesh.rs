//! Keeps `wg-sfha` as the replicated state wants it, and observes it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sfha_core::mesh::{host, relayed, relays_of, wanted_peers};
use sfha_core::mesh_vips::{Holders, is_mesh_vip};
use sfha_core::path::Health;
use sfha_core::rotation::{self, Lookout, keys_of};
use sfha_core::{ClusterState, NodeId, Time};
use sfha_proto::mesh::MeshStatus;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use self::endpoints::Endpoints;
use self::forwarding::Forwarding;
use self::linger::Linger;
use self::paths::{PathHandle, PathTask};
use crate::io::netlink::Netlink;
use crate::io::systemd::{Systemd, WG_DEVICE};
use crate::io::wireguard::{self, Device, DeviceStatus, Peer, PrivateKey, PublicKey, WireguardError};
use crate::mesh_file::MeshFile;
use crate::paths::{INTERFACE, Paths};
use crate::underlay;
use crate::wg_conf;

pub mod endpoints;
mod forwarding;
mod linger;
mod paths;
mod view;

/// Time between two observations.
const OBSERVATION: Duration = Duration::from_secs(1);

/// The same while a joiner is about to change from the invite key to its own.
const JOIN_OBSERVATION: Duration = Duration::from_millis(50);

/// The same while a node is about to change its key: until this sees the new one, nothing reaches that node.
const SWITCH_OBSERVATION: Duration = Duration::from_millis(5);

/// Seconds since 1970.
#[must_use]
pub fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Brings the interface up with this node's own key and address.
///
/// # Errors
/// `no-wireguard`, `foreign-interface`, `port-busy`, `internal`.
pub async fn bring_up(
    file: &MeshFile,
    key: &PrivateKey,
    netlink: &Netlink,
    systemd: &Systemd,
) -> Result<Device, Failure> {
    let mtu = u16::try_from(file.mtu).unwrap_or(u16::MAX);
    let device = Device::ensure(INTERFACE, mtu, async |_, _| systemd.start(WG_DEVICE).await)
        .await
        .map_err(|error| failure(&error))?;
    underlay::check_backend(&device, file.mtu)?;
    device.set_private_key(key, file.port).await.map_err(|error| failure(&error))?;
    netlink.ensure_address(INTERFACE, file.address).await.map_err(|error| internal("address", &error))?;
    netlink.link_up(INTERFACE, Some(file.mtu)).await.map_err(|error| internal("link", &error))?;
    Ok(device)
}

/// Takes the interface down, whichever backend it has.
pub async fn take_down(netlink: &Netlink, systemd: &Systemd) {
    if systemd.active_state(WG_DEVICE).await.is_ok_and(|state| state == "active" || state == "activating") {
        if let Err(error) = systemd.stop(WG_DEVICE).await {
            warn!(error = describe(&error), "cannot stop the userspace device");
        }
    } else if let Err(error) = netlink.link_delete(INTERFACE).await {
        debug!(%error, "no interface to delete");
    }
}

/// An error with its causes, for the log and for `details.cause`.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// `internal`, with what was being done.
pub fn internal(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(ErrorCode::Internal).with("what", what).with("cause", describe(error))
}

/// A WireGuard error as a code.
pub fn failure(error: &WireguardError) -> Failure {
    match error {
        WireguardError::PortBusy(port) => Failure::new(ErrorCode::PortBusy).with("port", *port),
        WireguardError::ForeignInterface { interface, .. } => {
            Failure::new(ErrorCode::ForeignInterface).with("interface", interface.clone())
        }
        WireguardError::Unsupported { .. } | WireguardError::NotListening { .. } => {
            Failure::new(ErrorCode::NoWireguard).with("cause", describe(error))
        }
        _ => internal("wireguard", error),
    }
}

/// `HOST:PORT` as an address; asks DNS, for at most two seconds, where it is a name.
pub async fn lookup(endpoint: &str) -> Option<SocketAddr> {
    if let Ok(address) = endpoint.parse() {
        return Some(address);
    }
    let found = tokio::time::timeout(Duration::from_secs(2), tokio::net::lookup_host(endpoint)).await;
    match found {
        Ok(Ok(mut addresses)) => addresses.next(),
        Ok(Err(error)) => {
            warn!(endpoint, %error, "endpoint does not resolve");
            None
        }
        Err(_) => {
            warn!(endpoint, "endpoint does not resolve in time");
            None
        }
    }
}

/// The way to the mesh for everybody else.
#[derive(Clone)]
pub struct MeshHandle {
    device: Arc<Device>,
    view: watch::Receiver<Arc<MeshStatus>>,
}

impl MeshHandle {
    /// What was observed last.
    #[must_use]
    pub fn view(&self) -> Arc<MeshStatus> {
        self.view.borrow().clone()
    }

    /// Waits until there is something to see: the peers of a daemon that has just started have had the time
    /// to answer its first question.
    pub async fn seen(&self, deadline: Instant) {
        let mut view = self.view.clone();
        // Where there is no device there is nothing to wait for.
        let _ = tokio::time::timeout_at(deadline, view.wait_for(|view| view.up)).await;
    }

    /// The same, to be watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<MeshStatus>> {
        self.view.clone()
    }

    /// Where a peer's packets come from, as WireGuard sees it now.
    pub async fn endpoint_of(&self, public_key: &str) -> Option<SocketAddr> {
        let status = self.device.status().await.ok()?;
        status.peers.into_iter().find(|peer| peer.public_key.to_string() == public_key)?.endpoint
    }
}

/// What the mesh is a function of.
pub struct Followed {
    /// The replicated state.
    pub state: watch::Receiver<Arc<ClusterState>>,
    /// Who may have which VIP; `None` while the group has not agreed on it.
    pub holders: watch::Receiver<Option<Holders>>,
    /// Where peers can be reached.
    pub endpoints: Endpoints,
}

/// What a node has of the mesh on its disk.
pub struct Own {
    /// Its id.
    pub me: NodeId,
    /// Where its files are.
    pub paths: Paths,
    /// `mesh.yml`.
    pub file: MeshFile,
    /// Its private key.
    pub key: PrivateKey,
}

/// The task.
pub struct MeshTask {
    device: Arc<Device>,
    file: MeshFile,
    key: PrivateKey,
    me: NodeId,
    paths: Paths,
    started: Instant,
    lookout: Lookout,
    /// Why the key cannot be changed, as it was logged.
    stuck: Option<Failure>,
    /// Where `wg-sfha.conf` goes.
    conf: watch::Sender<String>,
    netlink: Netlink,
    systemd: Systemd,
    follow: Followed,
    view: watch::Sender<Arc<MeshStatus>>,
    applied: Option<Vec<Peer>>,
    /// From the first look at the device on.
    prober: Option<PathHandle>,
    forwarding: Forwarding,
    linger: Linger,
}

impl MeshTask {
    /// Starts it. It ends when the event loop does.
    #[must_use]
    pub fn start(
        own: Own,
        device: Device,
        netlink: Netlink,
        systemd: Systemd,
        follow: Followed,
    ) -> MeshHandle {
        let device = Arc::new(device);
        let Own { me, paths, file, key } = own;
        let (view, watcher) = watch::channel(Arc::new(view::empty(&file, &key, &device)));
        let handle = MeshHandle { device: Arc::clone(&device), view: watcher };
        let conf = wg_conf::writer(paths.wg_conf());
        let task = Self {
            device,
            file,
            key,
            me,
            paths,
            started: Instant::now(),
            lookout: Lookout::default(),
            stuck: None,
            conf,
            netlink,
            systemd,
            follow,
            view,
            applied: None,
            prober: None,
            forwarding: Forwarding::default(),
            linger: Linger::default(),
        };
        tokio::spawn(task.run());
        handle
    }

    async fn run(mut self) {
        loop {
            let state = self.follow.state.borrow_and_update().clone();
            let holders = self.follow.holders.borrow_and_update().clone();
            self.change_key(&state).await;
            match self.device.status().await {
                Ok(status) if status.public_key == Some(self.key.public()) => {
                    let holders = holders.unwrap_or_else(|| holders_on_device(&state, &status));
                    self.follow(&state, &holders, &status).await
                }
                Ok(_) => self.bring_back("the device lost its key").await,
                Err(error) => self.bring_back(&describe(&error)).await,
            }
            let pause = if self.lookout.expects(self.now()) {
                SWITCH_OBSERVATION
            } else if awaits_switch(&state, self.me) {
                JOIN_OBSERVATION
            } else {
                OBSERVATION
            };
            tokio::select! {
                changed = self.follow.state.changed() => if changed.is_err() { return },
                changed = self.follow.holders.changed() => if changed.is_err() { return },
                () = routes_changed(self.prober.as_mut()) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn follow(&mut self, state: &ClusterState, holders: &Holders, status: &DeviceStatus) {
        let (now, unix) = (self.now(), unix_now());
        let handshakes = crate::rotation::handshakes(status);
        let current = rotation::current(state, &handshakes);
        self.lookout.look(state, self.me, &current, now);
        let prober = self.prober.get_or_insert_with(|| {
            let adopted = relays_of(state, self.me, |address| owner(status, address));
            PathTask::start(
                self.me,
                self.file.address.addr(),
                Arc::clone(&self.device),
                self.follow.endpoints.clone(),
                self.follow.state.clone(),
                &adopted,
                status.clone(),
            )
        });
        prober.observe(status.clone());
        let routes = prober.routes();
        self.forwarding.set(routes.relaying, self.file.address.addr());
        let wanted = wanted_peers(state, self.me, &current, holders, unix);
        let mut wanted = relayed(wanted, state, &routes.relays);
        let unix = u64::try_from(unix).unwrap_or_default();
        rotation::call(&mut wanted, &self.lookout.overdue(state, self.me, &handshakes, unix, now));
        self.linger.add(state, self.me, Instant::now(), &mut wanted);
        let mut peers = self.follow.endpoints.peers(state, &wanted);
        // Once a peer has an endpoint, its path decides about another: what works is left alone.
        let placed = status.peers.iter().filter(|peer| peer.endpoint.is_some());
        let placed: BTreeSet<_> = placed.map(|peer| peer.public_key).collect();
        // A peer that is not a node has no path that would ask for its name.
        for peer in state.peers.values().filter(|peer| !is_placed(&placed, &peer.public_key)) {
            peer.endpoint.iter().for_each(|endpoint| self.follow.endpoints.look_up(endpoint));
        }
        for peer in peers.iter_mut().filter(|peer| placed.contains(&peer.public_key)) {
            peer.endpoint = None;
        }
        if self.applied.as_ref() != Some(&peers) {
            match self.device.sync_peers(&peers).await {
                Ok(changes) => {
                    if changes.is_some() {
                        info!(peers = peers.len(), ?changes, "mesh follows the state");
                    }
                    self.conf.send_replace(wg_conf::render(&self.file, state, self.me, &wanted));
                    self.applied = Some(peers);
                }
                Err(error) => warn!(error = describe(&error), "peers not applied"),
            }
        }
        let paths = self.prober.as_ref().map(PathHandle::views).unwrap_or_default();
        let open = || paths.is_empty() || paths.values().any(|(path, _)| path.health == Health::Unknown);
        if !self.view.borrow().up && !state.nodes.keys().all(|id| *id == self.me) && open() {
            // The first word about the mesh is not a guess; its first change wakes this task.
            return;
        }
        let mut view = view::empty(&self.file, &self.key, &self.device);
        view::fill(&mut view, state, self.me, status, &paths);
        let hearsay = self.prober.as_ref().map(PathHandle::hearsay).unwrap_or_default();
        view.pairs = view::pairs(state, &hearsay);
        self.view.send_if_modified(|old| {
            let changed = **old != view;
            *old = Arc::new(view);
            changed
        });
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Changes to the key that was committed for this node, if that is owed.
    async fn change_key(&mut self, state: &ClusterState) {
        let (device, me) = (&self.device, self.me);
        match crate::rotation::switch(&self.paths, &self.file, device, &self.key, state, me).await {
            Ok(None) => self.stuck = None,
            Ok(Some(key)) => {
                self.stuck = None;
                self.key = key;
            }
            Err(failure) => {
                if self.stuck.as_ref() != Some(&failure) {
                    warn!(%failure, "this node's key cannot be changed");
                    self.stuck = Some(failure);
                }
            }
        }
    }

    /// The device was restarted, or somebody changed it: put everything back.
    async fn bring_back(&mut self, reason: &str) {
        if self.follow.state.has_changed().is_err() {
            // The event loop has ended: whoever ended it took the device away.
            return;
        }
        warn!(reason, "mesh interface is not as it was; bringing it back");
        self.applied = None;
        match bring_up(&self.file, &self.key, &self.netlink, &self.systemd).await {
            Ok(device) => {
                self.device.follow(&device);
                info!("mesh interface is back");
            }
            Err(failure) => warn!(%failure, "mesh interface cannot be brought back"),
        }
    }
}

/// Who holds what as the device has it: until the group has agreed, a restarted daemon and one in the middle
/// of a change of membership leave VIPs where they are.
fn holders_on_device(state: &ClusterState, status: &DeviceStatus) -> Holders {
    let peer_of = |ip| status.peers.iter().find(|peer| peer.allowed_ips.contains(&host(ip)));
    let id_of = |peer: &wireguard::PeerStatus| {
        let key = peer.public_key.to_string();
        state.nodes.iter().find(|(_, node)| keys_of(node).any(|own| own == key)).map(|(id, _)| *id)
    };
    let vips = state.vips.iter().filter(|(_, vip)| is_mesh_vip(state, vip));
    vips.filter_map(|(name, vip)| Some((name.clone(), id_of(peer_of(vip.address.addr())?)?))).collect()
}

async fn routes_changed(prober: Option<&mut PathHandle>) {
    match prober {
        Some(prober) => prober.changed().await,
        None => std::future::pending().await,
    }
}

/// The peer whose packets may have that source.
fn owner(status: &DeviceStatus, address: IpAddr) -> Option<String> {
    let net = sfha_core::mesh::host(address);
    status.peers.iter().find(|peer| peer.allowed_ips.contains(&net)).map(|peer| peer.public_key.to_string())
}

/// A node was let in with an invite of ours and has not shown its own key yet.
fn awaits_switch(state: &ClusterState, me: NodeId) -> bool {
    state.invites.values().any(|invite| invite.initiator == me && invite.redeemed.is_some() && !invite.closed)
}

fn is_placed(placed: &BTreeSet<PublicKey>, key: &str) -> bool {
    key.parse().is_ok_and(|key: PublicKey| placed.contains(&key))
}
