//! The probes inside the tunnel: the socket around [`sfha_core::path`], which decides.
//!
//! ```text
//!  MeshTask ──what WireGuard tells──▶ PathTask ◀── probes, answers ──▶ the other daemons, UDP 7777
//!      ▲                                  │
//!      └── routes (newest wins), views ───┘── endpoints to try, sessions to begin anew ──▶ Device
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sfha_core::path::wire::{Datagram, MAX_DATAGRAM};
use sfha_core::path::{Action, Health, Hearsay, Member, Observation, Paths, Route, View};
use sfha_core::rotation::keys_of;
use sfha_core::{ClusterState, NodeId, Time};
use sfha_proto::mesh::EndpointProblem;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::endpoints::Endpoints;
use super::{describe, unix_now};
use crate::io::wireguard::{Device, DeviceStatus, PublicKey, WireguardError};
use crate::paths::{INTERFACE, MESH_API_PORT};

/// Time between two tries to have a socket.
const REBIND: Duration = Duration::from_secs(1);

/// For how long a node that was a relay stays ready to be one.
const RELAY_LINGER: Duration = Duration::from_secs(60);

/// What the device is to do, and what is to be shown at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Whether each node answers.
    pub health: BTreeMap<NodeId, Health>,
    /// Nodes that are not reached directly, and through whom.
    pub relays: BTreeMap<NodeId, NodeId>,
    /// This node passes on packets of others.
    pub relaying: bool,
}

/// One node's path and where it is looked for.
pub type Views = BTreeMap<NodeId, (View, Option<EndpointProblem>)>;

/// The way to the task.
pub struct PathHandle {
    observed: watch::Sender<Arc<DeviceStatus>>,
    routes: watch::Receiver<Routes>,
    views: watch::Receiver<Views>,
    hearsay: watch::Receiver<Vec<Hearsay>>,
}

impl PathHandle {
    /// Tells it what WireGuard tells.
    pub fn observe(&self, status: DeviceStatus) {
        self.observed.send_replace(Arc::new(status));
    }

    /// What the device is to do now.
    pub fn routes(&mut self) -> Routes {
        self.routes.borrow_and_update().clone()
    }

    /// Returns when that has changed.
    pub async fn changed(&mut self) {
        if self.routes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is to be shown.
    pub fn views(&self) -> Views {
        self.views.borrow().clone()
    }

    /// What others say about their paths.
    pub fn hearsay(&self) -> Vec<Hearsay> {
        self.hearsay.borrow().clone()
    }
}

/// The task. It ends when its handle or the state is dropped.
pub struct PathTask {
    core: Paths,
    started: Instant,
    device: Arc<Device>,
    address: IpAddr,
    socket: Option<UdpSocket>,
    /// The interface that the socket is bound to, as it was then.
    index: Option<u32>,
    bound: Option<Instant>,
    bind_failed: bool,
    endpoints: Endpoints,
    state: watch::Receiver<Arc<ClusterState>>,
    observed: watch::Receiver<Arc<DeviceStatus>>,
    routes: watch::Sender<Routes>,
    views: watch::Sender<Views>,
    hearsay: watch::Sender<Vec<Hearsay>>,
    relayed_at: Option<Instant>,
}

impl PathTask {
    /// Starts it, with the relays that the device has from an earlier daemon.
    pub fn start(
        me: NodeId,
        address: IpAddr,
        device: Arc<Device>,
        endpoints: Endpoints,
        state: watch::Receiver<Arc<ClusterState>>,
        adopted: &BTreeMap<NodeId, NodeId>,
        status: DeviceStatus,
    ) -> PathHandle {
        let (observed_tx, observed) = watch::channel(Arc::new(status));
        let (routes, routes_rx) = watch::channel(Routes { relays: adopted.clone(), ..Routes::default() });
        let (views, views_rx) = watch::channel(Views::new());
        let (hearsay, hearsay_rx) = watch::channel(Vec::new());
        let mut task = Self {
            core: Paths::new(me, unix_now()),
            started: Instant::now(),
            device,
            address,
            socket: None,
            index: None,
            bound: None,
            bind_failed: false,
            endpoints,
            state,
            observed,
            routes,
            views,
            hearsay,
            relayed_at: None,
        };
        task.set_members();
        for (node, relay) in adopted {
            info!(node, relay, "relayed already");
            task.core.adopt(*node, *relay, task.now());
        }
        task.observed.mark_changed();
        tokio::spawn(task.run());
        PathHandle { observed: observed_tx, routes: routes_rx, views: views_rx, hearsay: hearsay_rx }
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn run(mut self) {
        let mut buffer = [0; MAX_DATAGRAM + 1];
        loop {
            self.have_socket();
            let due = self.core.poll_timeout().map(|at| self.started + Duration::from_micros(at.as_micros()));
            tokio::select! {
                received = receive(self.socket.as_ref(), &mut buffer) => match received {
                    Ok((length, from)) => self.received(&buffer[..length], from),
                    Err(error) => self.drop_socket(&error),
                },
                changed = self.state.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.set_members();
                }
                changed = self.observed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.observe();
                }
                () = self.endpoints.changed() => self.set_members(),
                () = sleep_until(due) => self.core.handle_timeout(self.now()),
            }
            self.act();
            self.publish();
        }
    }

    /// A socket that is bound to the interface: nobody outside the tunnel can pretend to be a member. With a
    /// device that was made anew it hears nothing any more, so it is bound again then.
    fn have_socket(&mut self) {
        if self.socket.is_some() || self.bound.is_some_and(|at| at.elapsed() < REBIND) {
            return;
        }
        self.bound = Some(Instant::now());
        self.index = interface_index();
        match bind(self.address) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.bind_failed = false;
            }
            Err(error) if !std::mem::replace(&mut self.bind_failed, true) => {
                warn!(%error, address = %self.address, port = MESH_API_PORT, "no socket for probes");
            }
            Err(_) => {}
        }
    }

    fn drop_socket(&mut self, reason: &dyn std::fmt::Display) {
        debug!(%reason, "socket for probes is bound again");
        self.socket = None;
    }

    fn received(&mut self, bytes: &[u8], from: SocketAddr) {
        let state = self.state.borrow().clone();
        let Some((node, _)) = state.nodes.iter().find(|(_, node)| node.address == from.ip()) else {
            debug!(%from, "probe from nobody we know");
            return;
        };
        match Datagram::parse(bytes) {
            Ok(datagram) => self.core.receive(*node, &datagram, self.now()),
            // A member with another version of the program, or worse: it cannot be told from silence.
            Err(error) => debug!(%from, %error, "probe not understood"),
        }
    }

    fn set_members(&mut self) {
        let state = self.state.borrow_and_update().clone();
        let members = state.nodes.iter().filter(|(_, node)| node.public_key.is_some()).map(|(id, node)| {
            let endpoints = self.endpoints.of(Some(*id), node.endpoint.as_deref());
            (*id, Member { address: node.address, endpoints })
        });
        self.core.set_members(members.collect(), self.now());
    }

    fn observe(&mut self) {
        if self.socket.is_some() && self.index != interface_index() {
            self.drop_socket(&"the interface is another one");
        }
        let status = self.observed.borrow_and_update().clone();
        let state = self.state.borrow().clone();
        let (now, wall) = (self.now(), SystemTime::now());
        let peers: BTreeMap<String, _> =
            status.peers.iter().map(|peer| (peer.public_key.to_string(), peer)).collect();
        let observe = |(id, node): (&NodeId, &sfha_core::state::Node)| {
            // While its key is changed, the one that was heard last.
            let known = || keys_of(node).filter_map(|key| peers.get(key));
            let peer = known().rev().max_by_key(|peer| peer.latest_handshake)?;
            let age = peer.latest_handshake.map(|at| wall.duration_since(at).unwrap_or_default());
            let handshake =
                age.map(|age| Time::from_micros(micros(now.since(Time::default()).saturating_sub(age))));
            Some((
                *id,
                Observation {
                    endpoint: peer.endpoint,
                    handshake,
                    rx_bytes: known().map(|peer| peer.rx_bytes).sum(),
                },
            ))
        };
        let observed = state.nodes.iter().filter_map(observe).collect();
        self.core.observe(&observed, now);
    }

    fn act(&mut self) {
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Send(node, datagram) => self.send(node, &datagram),
                Action::Try(node, endpoint) => {
                    debug!(node, %endpoint, "trying an endpoint");
                    self.with_device(node, async move |device, key| device.set_endpoint(key, endpoint).await);
                }
                Action::Reset(node, endpoint) => {
                    debug!(node, ?endpoint, "trying the direct path");
                    self.with_device(node, async move |device, key| device.reset_peer(key, endpoint).await);
                }
            }
        }
    }

    fn send(&mut self, node: NodeId, datagram: &Datagram) {
        let Some(address) = self.state.borrow().nodes.get(&node).map(|node| node.address) else { return };
        let Some(socket) = &self.socket else { return };
        let to = SocketAddr::new(address, MESH_API_PORT);
        // Not by way of the runtime: to it a socket that was made just now is not ready, and the first probes
        // are what a daemon that has just started waits for.
        match SockRef::from(socket).send_to(&datagram.encode(), &to.into()) {
            Ok(_) => {}
            Err(error) => debug!(node, %error, "probe not sent"),
        }
    }

    fn with_device<F>(&self, node: NodeId, work: impl FnOnce(Arc<Device>, PublicKey) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), WireguardError>> + Send + 'static,
    {
        let state = self.state.borrow();
        // While its key is changed, the rotation looks after its peers.
        let settled = state.nodes.get(&node).filter(|node| node.rotation.is_none());
        let Some(key) = settled.and_then(|node| node.public_key.as_ref()?.parse().ok()) else { return };
        let device = Arc::clone(&self.device);
        tokio::spawn(async move {
            if let Err(error) = work(device, key).await {
                debug!(node, error = describe(&error), "endpoint not tried");
            }
        });
    }

    fn publish(&mut self) {
        let now = self.now();
        if self.core.is_relay(now) {
            self.relayed_at = Some(Instant::now());
        }
        let relaying = self.relayed_at.is_some_and(|at| at.elapsed() < RELAY_LINGER);
        let views = self.core.views(now);
        let health = views.iter().map(|(id, view)| (*id, view.health)).collect();
        let routes = Routes { health, relays: self.core.relays(), relaying };
        let state = self.state.borrow().clone();
        let mut shown = Views::new();
        for (id, view) in views {
            let configured = state.nodes.get(&id).and_then(|node| node.endpoint.as_deref());
            let lost = view.direct_dead;
            if let Some(name) = configured
                && (lost || self.endpoints.of(None, Some(name)).is_empty())
            {
                self.endpoints.look_up(name);
            }
            let relayed = matches!(view.route, Route::Via(_));
            let known = !self.endpoints.of(Some(id), configured).is_empty();
            let problem = match configured {
                Some(name) if lost && self.endpoints.is_unresolved(name) => Some(EndpointProblem::Unresolved),
                _ if lost && (known || relayed) => Some(EndpointProblem::Unreachable),
                _ if lost => Some(EndpointProblem::Unknown),
                _ => None,
            };
            shown.insert(id, (view, problem));
        }
        self.views.send_replace(shown);
        self.hearsay.send_replace(self.core.hearsay(now));
        // After what is shown: whoever this wakes looks at that, too.
        self.routes.send_if_modified(|old| {
            for node in old.relays.keys().chain(routes.relays.keys()).collect::<BTreeSet<_>>() {
                let (before, after) = (old.relays.get(node), routes.relays.get(node));
                let name =
                    |relay: Option<&NodeId>| relay.map_or("direct".to_owned(), |id| state.node_name(*id));
                if before != after {
                    info!(node = state.node_name(*node), from = name(before), to = name(after), "path");
                }
            }
            std::mem::replace(old, routes.clone()) != routes
        });
        self.endpoints.remember(self.core.good_endpoints(now), &state.nodes.keys().copied().collect());
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn interface_index() -> Option<u32> {
    nix::net::if_::if_nametoindex(INTERFACE).ok()
}

fn bind(address: IpAddr) -> io::Result<UdpSocket> {
    let socket =
        Socket::new(Domain::for_address(SocketAddr::new(address, 0)), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(INTERFACE.as_bytes()))?;
    socket.bind(&SocketAddr::new(address, MESH_API_PORT).into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => tokio::time::sleep(REBIND).await,
    }
}
