//! What happens to interfaces and addresses, as told by the kernel.
//!
//! The kernel reports a renewed lease as a new address. So the watcher keeps what it has seen and passes on only
//! what is different: an address is added once and removed once, a link goes up once and down once.
//!
//! The kernel does not wait for a slow reader: when the socket's buffer is full, messages are lost and the next
//! read says `ENOBUFS` (netlink(7)). Then, and when our own queue is full, [`NetEvent::Overrun`] says that
//! everything has to be read again.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use ipnet::IpNet;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::MulticastGroup;
use rtnetlink::sys::AsyncSocket as _;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::message::{Address, interface_name};
use super::{Netlink, NetlinkError};

/// Asked for with `SO_RCVBUFFORCE`: some ten thousand messages, kernel memory that is used only when needed.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Events that the reader has not taken yet.
const QUEUE: usize = 256;

/// Before the socket is opened again after it broke.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);

const GROUPS: [MulticastGroup; 3] =
    [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];

/// Something changed. Nothing is told about what was there at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// An address appeared. Not sent when a lease is renewed.
    AddressAdded {
        /// Where.
        interface: String,
        /// With its prefix length.
        address: IpNet,
        /// Whether it has our tag.
        ours: bool,
    },
    /// An address is gone: removed by us, by somebody else, or expired.
    AddressRemoved {
        /// Where.
        interface: String,
        /// With its prefix length.
        address: IpNet,
        /// Whether it had our tag.
        ours: bool,
    },
    /// An interface is up and has a carrier.
    LinkUp {
        /// Its name.
        interface: String,
    },
    /// An interface was set down, lost its carrier, or is gone.
    LinkDown {
        /// Its name.
        interface: String,
    },
    /// Something was missed: read everything again.
    Overrun,
}

/// Begins to watch. What happens after this returns is reported.
pub(super) async fn watch(netlink: Netlink) -> io::Result<mpsc::Receiver<NetEvent>> {
    let messages = subscribe()?;
    let (events, receiver) = mpsc::channel(QUEUE);
    let mut watcher = Watcher { netlink, seen: Seen::default(), events, behind: false };
    // Subscribed first, read second: nothing falls in between.
    watcher.read_all().await.map_err(io::Error::other)?;
    tokio::spawn(watcher.run(messages));
    Ok(receiver)
}

type Messages = futures_util::stream::BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>;

fn subscribe() -> io::Result<Messages> {
    let (mut connection, _, messages) = rtnetlink::new_multicast_connection(&GROUPS)?;
    let buffer = setsockopt(&connection.socket_mut().socket_mut(), sockopt::RcvBufForce, &RECEIVE_BUFFER);
    if let Err(error) = buffer {
        tracing::warn!(%error, "events may be missed under load: no larger receive buffer");
    }
    tokio::spawn(connection);
    Ok(messages.map(|(message, _)| message).boxed())
}

struct Watcher {
    netlink: Netlink,
    seen: Seen,
    events: mpsc::Sender<NetEvent>,
    /// An overrun has still to be reported.
    behind: bool,
}

impl Watcher {
    async fn run(mut self, mut messages: Messages) {
        loop {
            let message = tokio::select! {
                () = self.events.closed() => return,
                permit = self.events.reserve(), if self.behind => {
                    if let Ok(permit) = permit {
                        permit.send(NetEvent::Overrun);
                        self.behind = false;
                    }
                    continue;
                }
                message = messages.next() => message,
            };
            match message.map(|message| message.payload) {
                Some(NetlinkPayload::InnerMessage(message)) => self.observe(&message).await,
                Some(NetlinkPayload::Overrun(_)) => self.start_over().await,
                Some(_) => {}
                None => {
                    messages = self.subscribe_again().await;
                    self.start_over().await;
                }
            }
        }
    }

    async fn subscribe_again(&self) -> Messages {
        loop {
            sleep(REOPEN_PAUSE).await;
            match subscribe() {
                Ok(messages) => return messages,
                Err(error) => tracing::warn!(%error, "cannot watch the network"),
            }
        }
    }

    async fn start_over(&mut self) {
        self.behind = true;
        if let Err(error) = self.read_all().await {
            tracing::warn!(%error, "cannot read the addresses again");
        }
    }

    async fn read_all(&mut self) -> Result<(), NetlinkError> {
        let addresses = self.netlink.local_addresses().await?;
        let links = self.netlink.inner.lock().await.connection.link_messages().await?;
        self.seen = Seen::default();
        for address in addresses {
            self.seen.add(address);
        }
        for link in links {
            self.seen.link(&link);
        }
        Ok(())
    }

    async fn observe(&mut self, message: &RouteNetlinkMessage) {
        let event = match message {
            RouteNetlinkMessage::NewAddress(message) => {
                self.address(message).await.and_then(|address| self.seen.add(address))
            }
            RouteNetlinkMessage::DelAddress(message) => {
                self.address(message).await.and_then(|address| self.seen.remove(&address))
            }
            RouteNetlinkMessage::NewLink(message) => self.seen.link(message),
            RouteNetlinkMessage::DelLink(message) => self.seen.link_gone(message),
            _ => None,
        };
        if let Some(event) = event
            && !self.behind
            && self.events.try_send(event).is_err()
        {
            self.behind = true;
        }
    }

    async fn address(&self, message: &AddressMessage) -> Option<Address> {
        let inner = self.netlink.inner.lock().await;
        inner.ownership.learn(std::slice::from_ref(message));
        inner.ownership.address(message, &inner.vips, |index| self.seen.name(index))
    }
}

/// What has been seen so far. No socket here.
#[derive(Debug, Default)]
struct Seen {
    addresses: BTreeMap<(u32, IpNet), Address>,
    /// Name, and whether up with a carrier.
    links: BTreeMap<u32, (String, bool)>,
}

impl Seen {
    /// An interface that was just deleted has no name any more, but had one.
    fn name(&self, index: u32) -> String {
        let known = || self.links.get(&index).map(|(name, _)| name.clone());
        let of_address = || {
            let mut addresses = self.addresses.range((index, least())..);
            addresses.next().filter(|((at, _), _)| *at == index).map(|(_, address)| address.interface.clone())
        };
        interface_name(index).or_else(known).or_else(of_address).unwrap_or_default()
    }

    fn add(&mut self, address: Address) -> Option<NetEvent> {
        let key = (address.index, address.address);
        let Address { interface, address: network, ours, .. } = address.clone();
        match self.addresses.insert(key, address) {
            Some(before) if before.ours == ours => None,
            _ => Some(NetEvent::AddressAdded { interface, address: network, ours }),
        }
    }

    fn remove(&mut self, address: &Address) -> Option<NetEvent> {
        let Address { interface, address: network, ours, .. } =
            self.addresses.remove(&(address.index, address.address))?;
        Some(NetEvent::AddressRemoved { interface, address: network, ours })
    }

    fn link(&mut self, message: &LinkMessage) -> Option<NetEvent> {
        if message.header.interface_family != AddressFamily::Unspec {
            return None;
        }
        let interface = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
        let up = message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
        let before = self.links.insert(message.header.index, (interface.clone(), up));
        match (before.map(|(_, up)| up), up) {
            (Some(true), true) | (Some(false) | None, false) => None,
            (_, true) => Some(NetEvent::LinkUp { interface }),
            (Some(true), false) => Some(NetEvent::LinkDown { interface }),
        }
    }

    /// `RTM_DELLINK` of the bridge family is a port that left its bridge, not an interface that is gone.
    fn link_gone(&mut self, message: &LinkMessage) -> Option<NetEvent> {
        if message.header.interface_family != AddressFamily::Unspec {
            return None;
        }
        let (interface, up) = self.links.remove(&message.header.index)?;
        up.then_some(NetEvent::LinkDown { interface })
    }
}

/// The first key of any interface.
fn least() -> IpNet {
    IpNet::from(std::net::IpAddr::from([0; 4]))
}

#[cfg(test)]
mod tests;
