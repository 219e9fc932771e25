//! Interfaces, addresses and routes, over rtnetlink(7).
//!
//! One connection for requests, used by one caller at a time (the kernel answers a second dump on the same socket
//! with `EBUSY`), and one that listens ([`NetEvent`]).
//!
//! # Whose address is it?
//!
//! An address of ours is a host prefix (/32, /128) with a finite kernel lifetime and the tag [`TAG`] in
//! `IFA_PROTO`. The kernel knows that attribute since 5.18; before, the state file decides, and only about
//! addresses that could be ours. **An address that is not ours is never changed**: not removed, and not "renewed"
//! either, which with `NLM_F_REPLACE` would silently give an administrator's permanent address a lifetime of two
//! seconds.
//!
//! Host prefix and `noprefixroute` also mean that a VIP never becomes the primary address of a subnet, and takes
//! no route or sibling with it when it goes.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use tokio::sync::{Mutex, MutexGuard, mpsc};

use self::connection::Connection;
pub use self::message::{Address, Route};
use self::message::{Ownership, address_message, interface_name};
use self::state_file::StateFile;

mod connection;
mod events;
mod message;
mod seen;
mod state_file;

pub use self::events::NetEvent;
pub use self::seen::Seen;

/// Marks the addresses that are ours: `IFA_PROTO` of `linux/if_addr.h`. The kernel itself uses 1 to 3.
pub const TAG: u8 = 0x5f;

/// Where the VIPs of this node are noted for kernels without `IFA_PROTO`.
pub const STATE_FILE: &str = "/run/sfha/vips";

/// The kernel answers at once; only an answer that was lost takes longer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// What went wrong with an interface, an address or a route.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No netlink socket.
    #[error("cannot open a netlink socket")]
    Open(#[source] std::io::Error),
    /// There is no interface of that name.
    #[error("no interface {interface}")]
    NoInterface {
        /// The name.
        interface: String,
    },
    /// The node already has the address, and it is not ours: somebody configured it by hand.
    #[error("{address} is already configured on {interface}, not by sfha")]
    AddressTaken {
        /// Where it is.
        interface: String,
        /// The address.
        address: IpAddr,
    },
    /// The kernel refuses: `EPERM` without `CAP_NET_ADMIN` above all.
    #[error("{operation} failed")]
    Request {
        /// What was asked for.
        operation: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// No answer, which the kernel does not do: the answer was lost to an overrun.
    #[error("no answer to {operation} within {} s", ANSWER_PATIENCE.as_secs())]
    NoAnswer {
        /// What was asked for.
        operation: &'static str,
    },
    /// The state file, where it is needed.
    #[error("cannot keep {path}")]
    StateFile {
        /// The file.
        path: PathBuf,
        /// As reported.
        #[source]
        source: std::io::Error,
    },
    /// Everything was tried; these addresses are still there.
    #[error("{} addresses not removed", addresses.len())]
    Remaining {
        /// Interface and address.
        addresses: Vec<(String, IpAddr)>,
        /// Why the first of them stayed.
        #[source]
        source: Box<NetlinkError>,
    },
}

/// What became of an address that was put on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VipPut {
    /// It was not there: it wants to be announced.
    Added,
    /// It was there, and has its full lifetime again.
    Renewed,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// Number of the interface.
    pub index: u32,
    /// `wireguard`, `tun`, `veth`, …; nothing for a physical one.
    pub kind: Option<String>,
    /// In bytes.
    pub mtu: u32,
    /// Set up by the administrator (`IFF_UP`).
    pub up: bool,
    /// It has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Its Ethernet address, if it has one.
    pub mac: Option<[u8; 6]>,
}

/// The way to the kernel. Clones share the connection.
#[derive(Clone)]
pub struct Netlink {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    connection: Connection,
    ownership: Ownership,
    vips: StateFile,
}

impl Netlink {
    /// Opens the connection and begins to listen; call it in a tokio runtime, in the network namespace to work in.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub async fn open() -> Result<(Self, mpsc::Receiver<NetEvent>), NetlinkError> {
        Self::open_with(Path::new(STATE_FILE)).await
    }

    /// As [`open`](Self::open), with the state file elsewhere.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub async fn open_with(state_file: &Path) -> Result<(Self, mpsc::Receiver<NetEvent>), NetlinkError> {
        let netlink = Self::quiet(state_file)?;
        let events = events::watch(netlink.clone()).await.map_err(NetlinkError::Open)?;
        Ok((netlink, events))
    }

    /// As [`open`](Self::open), without listening: for one request, or to remove the VIPs of a daemon that died.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open_quiet() -> Result<Self, NetlinkError> {
        Self::quiet(Path::new(STATE_FILE))
    }

    fn quiet(state_file: &Path) -> Result<Self, NetlinkError> {
        let inner = Inner {
            connection: Connection::open().map_err(NetlinkError::Open)?,
            ownership: Ownership::of_this_kernel(),
            vips: StateFile::load(state_file),
        };
        Ok(Self { inner: Arc::new(Mutex::new(inner)) })
    }

    /// The number of an interface, or nothing if there is none of that name.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn link_index(&self, interface: &str) -> Result<Option<u32>, NetlinkError> {
        Ok(self.link_info(interface).await?.map(|info| info.index))
    }

    /// What an interface is and in which state, or nothing if there is none of that name.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn link_info(&self, interface: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        self.lock().await.connection.link(interface).await
    }

    /// Sets an interface up, after setting its MTU (bytes) where one is given.
    ///
    /// # Errors
    /// [`NetlinkError::NoInterface`]; `EINVAL` for an MTU that the interface cannot have; `EADDRINUSE` when a
    /// kernel WireGuard interface comes up on a UDP port that is taken.
    pub async fn link_up(&self, interface: &str, mtu: Option<u32>) -> Result<(), NetlinkError> {
        let inner = self.lock().await;
        let mut message = LinkMessage::default();
        message.header.index = inner.index(interface).await?;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes.extend(mtu.map(LinkAttribute::Mtu));
        inner.connection.acknowledged("set link up", RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// Creates a kernel WireGuard interface, down.
    ///
    /// # Errors
    /// [`NetlinkError::Request`]: `EOPNOTSUPP` when the kernel has no WireGuard, `EEXIST` when the name is taken.
    pub async fn link_add_wireguard(&self, interface: &str) -> Result<(), NetlinkError> {
        let message = rtnetlink::LinkWireguard::new(interface).build();
        let message = RouteNetlinkMessage::NewLink(message);
        let inner = self.lock().await;
        inner.connection.acknowledged("create link", message, NLM_F_CREATE | NLM_F_EXCL).await
    }

    /// Deletes an interface; `false` if there is none of that name.
    ///
    /// # Errors
    /// [`NetlinkError::Request`]: `EOPNOTSUPP` for a physical interface.
    pub async fn link_delete(&self, interface: &str) -> Result<bool, NetlinkError> {
        let inner = self.lock().await;
        let Some(link) = inner.connection.link(interface).await? else { return Ok(false) };
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        inner.connection.acknowledged("delete link", RouteNetlinkMessage::DelLink(message), 0).await?;
        Ok(true)
    }

    /// Gives an interface a plain, permanent address; `false` if it has it already. For the mesh address, not for
    /// VIPs.
    ///
    /// # Errors
    /// [`NetlinkError::NoInterface`], [`NetlinkError::Request`].
    pub async fn ensure_address(&self, interface: &str, address: IpNet) -> Result<bool, NetlinkError> {
        let inner = self.lock().await;
        let index = inner.index(interface).await?;
        let present = inner.addresses().await?;
        if present.iter().any(|there| there.index == index && there.address == address) {
            return Ok(false);
        }
        let message = RouteNetlinkMessage::NewAddress(address_message(index, address, None));
        inner.connection.acknowledged("add address", message, NLM_F_CREATE | NLM_F_EXCL).await?;
        Ok(true)
    }

    /// All VIPs of this node: interface and address.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn vip_list(&self) -> Result<Vec<(String, IpAddr)>, NetlinkError> {
        let present = self.lock().await.addresses().await?;
        Ok(present.into_iter().filter(|there| there.ours).map(Address::into_vip).collect())
    }

    /// Takes all VIPs off this node, whoever of us put them there; tells which.
    ///
    /// # Errors
    /// [`NetlinkError::Remaining`] after trying every one.
    pub async fn vip_remove_all(&self) -> Result<Vec<(String, IpAddr)>, NetlinkError> {
        let mut inner = self.lock().await;
        let (mut removed, mut remaining, mut first) = (Vec::new(), Vec::new(), None);
        for there in inner.addresses().await?.into_iter().filter(|there| there.ours) {
            match inner.remove(&there).await {
                Ok(true) => removed.push(there.into_vip()),
                Ok(false) => {}
                Err(error) => {
                    remaining.push(there.into_vip());
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(source) = first {
            return Err(NetlinkError::Remaining { addresses: remaining, source: Box::new(source) });
        }
        let forgotten = inner.vips.clear();
        inner.tolerate(forgotten)?;
        Ok(removed)
    }

    /// All addresses of this node.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn local_addresses(&self) -> Result<Vec<Address>, NetlinkError> {
        self.lock().await.addresses().await
    }

    /// All unicast routes of the main table.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn routes(&self) -> Result<Vec<Route>, NetlinkError> {
        self.lock().await.connection.routes().await
    }

    /// The interface of the default route with the lowest metric; IPv4 before IPv6.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn default_route_interface(&self) -> Result<Option<String>, NetlinkError> {
        let routes = self.routes().await?;
        let defaults = routes.into_iter().filter(|route| route.destination.prefix_len() == 0);
        let best = defaults
            .filter(|route| route.interface.is_some())
            .min_by_key(|route| (route.destination.addr().is_ipv6(), route.metric));
        Ok(best.and_then(|route| route.interface))
    }

    async fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().await
    }
}

impl Inner {
    async fn index(&self, interface: &str) -> Result<u32, NetlinkError> {
        let missing = || NetlinkError::NoInterface { interface: interface.to_owned() };
        self.connection.link(interface).await?.map(|link| link.index).ok_or_else(missing)
    }

    async fn addresses(&self) -> Result<Vec<Address>, NetlinkError> {
        let messages = self.connection.address_messages().await?;
        self.ownership.learn(&messages);
        let known = |index| interface_name(index).unwrap_or_default();
        Ok(messages.iter().filter_map(|message| self.ownership.address(message, &self.vips, known)).collect())
    }

    async fn remove(&self, there: &Address) -> Result<bool, NetlinkError> {
        let message = RouteNetlinkMessage::DelAddress(address_message(there.index, there.address, None));
        match self.connection.acknowledged("remove address", message, 0).await {
            // It expired in the meantime, or the interface went away.
            Err(NetlinkError::Request { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENODEV)) =>
            {
                Ok(false)
            }
            answer => answer.map(|()| true),
        }
    }

    /// Where the kernel has tags the state file is not needed, and its loss must not keep a VIP away.
    fn tolerate(&self, noted: Result<(), NetlinkError>) -> Result<(), NetlinkError> {
        match noted {
            Err(error) if self.ownership.has_tags() => {
                tracing::warn!(%error, "state file not kept; the kernel's tags are");
                Ok(())
            }
            noted => noted,
        }
    }
}

#[cfg(test)]
pub(in crate::io) mod testing;
#[cfg(test)]
mod tests;
