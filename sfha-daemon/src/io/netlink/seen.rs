//! VIPs on interfaces: one look at the addresses of this node serves for many of them.
//!
//! A look costs as much as there are addresses. With one look for each VIP a hundred of them, renewed four times a
//! second, would cost forty thousand addresses a second.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use tokio::time::Instant;

use super::message::{Address, address_message};
use super::{Inner, LinkInfo, Netlink, NetlinkError, VipPut};

/// The addresses of this node when they were looked at, and what was done with VIPs through this value since.
///
/// What others do meanwhile it does not know. The kernel does: an address that somebody added since is not added
/// again, and one that somebody removed cannot be removed. It is for what is done at once.
#[derive(Debug)]
pub struct Seen {
    at: Instant,
    addresses: Vec<Address>,
    links: BTreeMap<String, Option<LinkInfo>>,
}

impl Seen {
    /// When it was looked.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The interface whose network contains `address`; of several, the one with the longest prefix. VIPs do not
    /// count, they have no network.
    #[must_use]
    pub fn interface_for(&self, address: IpAddr) -> Option<&str> {
        let candidates =
            self.addresses.iter().filter(|there| !there.ours && there.address.contains(&address));
        candidates.max_by_key(|there| there.address.prefix_len()).map(|there| there.interface.as_str())
    }

    fn note(&mut self, index: u32, interface: &str, address: IpAddr) {
        let (interface, address) = (interface.to_owned(), IpNet::from(address));
        self.addresses.push(Address { index, interface, address, ours: true, duplicate: false });
    }
}

impl Netlink {
    /// Looks at the addresses of this node.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn look(&self) -> Result<Seen, NetlinkError> {
        self.lock().await.look().await
    }

    /// What there is to know of an interface: asked once.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn link_seen(
        &self,
        seen: &mut Seen,
        interface: &str,
    ) -> Result<Option<LinkInfo>, NetlinkError> {
        if let Some(known) = seen.links.get(interface) {
            return Ok(known.clone());
        }
        let link = self.link_info(interface).await?;
        seen.links.insert(interface.to_owned(), link.clone());
        Ok(link)
    }

    /// Puts a VIP on an interface, for `lease_secs` seconds from now; renews the lease if it is there.
    ///
    /// The kernel ends a lease up to **one second late**: it looks at most once a second
    /// (`ADDRCONF_TIMER_FUZZ_MAX` of `net/addrconf.h`; measured with 40 leases of 2 s: 1.98 to 2.99 s). A single one
    /// is usually gone within 0.3 s.
    ///
    /// # Errors
    /// [`NetlinkError::AddressTaken`] before anything is changed; [`NetlinkError::NoInterface`];
    /// [`NetlinkError::StateFile`] only where the kernel has no tag.
    pub async fn vip_put(
        &self,
        seen: &mut Seen,
        interface: &str,
        address: IpAddr,
        lease_secs: u32,
    ) -> Result<VipPut, NetlinkError> {
        let mut inner = self.lock().await;
        match inner.put(seen, interface, address, lease_secs).await {
            // Somebody added it since: who?
            Err(NetlinkError::Request { source, .. }) if source.raw_os_error() == Some(libc::EEXIST) => {
                *seen = inner.look().await?;
                inner.put(seen, interface, address, lease_secs).await
            }
            put => put,
        }
    }

    /// Takes a VIP off an interface; `false` if it was not there, or is not ours.
    ///
    /// # Errors
    /// [`NetlinkError::Request`], [`NetlinkError::NoAnswer`].
    pub async fn vip_remove(
        &self,
        seen: &mut Seen,
        interface: &str,
        address: IpAddr,
    ) -> Result<bool, NetlinkError> {
        let mut inner = self.lock().await;
        let ours =
            |there: &Address| there.ours && there.interface == interface && there.address.addr() == address;
        let removed = match seen.addresses.iter().position(ours) {
            Some(place) => {
                let removed = inner.remove(&seen.addresses[place]).await?;
                seen.addresses.swap_remove(place);
                removed
            }
            None => false,
        };
        let forgotten = inner.vips.remove(interface, address);
        inner.tolerate(forgotten)?;
        Ok(removed)
    }
}

impl Inner {
    async fn look(&self) -> Result<Seen, NetlinkError> {
        let at = Instant::now();
        Ok(Seen { at, addresses: self.addresses().await?, links: BTreeMap::new() })
    }

    async fn put(
        &mut self,
        seen: &mut Seen,
        interface: &str,
        address: IpAddr,
        lease_secs: u32,
    ) -> Result<VipPut, NetlinkError> {
        let index = super::message::interface_index(interface)
            .ok_or_else(|| NetlinkError::NoInterface { interface: interface.to_owned() })?;
        let same = || seen.addresses.iter().filter(|there| there.address.addr() == address);
        if let Some(foreign) = same().find(|there| !there.ours) {
            return Err(NetlinkError::AddressTaken { interface: foreign.interface.clone(), address });
        }
        let renew = same().any(|there| there.index == index);
        if !renew && !self.ownership.has_tags() {
            self.vips.insert(interface, address)?;
        }
        let message = address_message(index, IpNet::from(address), Some(lease_secs));
        let message = RouteNetlinkMessage::NewAddress(message);
        // An address that expired since it was seen is created again.
        let (flags, put) = match renew {
            true => (NLM_F_CREATE | NLM_F_REPLACE, VipPut::Renewed),
            false => (NLM_F_CREATE | NLM_F_EXCL, VipPut::Added),
        };
        self.connection.acknowledged("put address", message, flags).await?;
        if !renew {
            seen.note(index, interface, address);
        }
        Ok(put)
    }
}
