//! From and to rtnetlink messages. No socket here.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, CacheInfo,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};

use super::TAG;
use super::state_file::StateFile;

/// An address of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Number of the interface.
    pub index: u32,
    /// Its name.
    pub interface: String,
    /// The address with its prefix length.
    pub address: IpNet,
    /// Whether it is a VIP put there by sfha.
    pub ours: bool,
    /// IPv6 only: another node has it (`IFA_F_DADFAILED`).
    pub duplicate: bool,
}

impl Address {
    pub(super) fn into_vip(self) -> (String, IpAddr) {
        (self.interface, self.address.addr())
    }
}

/// A unicast route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network; a prefix length of 0 for a default route.
    pub destination: IpNet,
    /// Through which interface, if only one.
    pub interface: Option<String>,
    /// Through which router.
    pub gateway: Option<IpAddr>,
    /// Lower is preferred.
    pub metric: u32,
}

/// The first version of Linux whose addresses can have a tag (commit 47f0bd503210, "net: Add new protocol
/// attribute to IP addresses").
const FIRST_WITH_TAGS: (u32, u32) = (5, 18);

/// Decides which addresses are ours.
#[derive(Debug)]
pub(super) struct Ownership {
    tags: AtomicBool,
}

impl Ownership {
    pub fn of_this_kernel() -> Self {
        let release = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
        Self::of_kernel(&release.unwrap_or_default())
    }

    pub fn of_kernel(release: &str) -> Self {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Self { tags: AtomicBool::new(version >= FIRST_WITH_TAGS) }
    }

    pub fn has_tags(&self) -> bool {
        self.tags.load(Ordering::Relaxed)
    }

    /// A distribution may have brought tags to an older kernel: one that is seen proves it.
    pub fn learn(&self, messages: &[AddressMessage]) {
        if messages.iter().any(|message| tag(message).is_some()) {
            self.tags.store(true, Ordering::Relaxed);
        }
    }

    pub fn address(
        &self,
        message: &AddressMessage,
        vips: &StateFile,
        name: impl Fn(u32) -> String,
    ) -> Option<Address> {
        let address = address_of(message)?;
        let index = message.header.index;
        let interface = name(index);
        let ours = match (tag(message), self.has_tags()) {
            (Some(tag), _) => tag == TAG,
            (None, true) => false,
            (None, false) => could_be_ours(message, address) && vips.contains(&interface, address.addr()),
        };
        let duplicate = flags(message).contains(AddressFlags::Dadfailed);
        Some(Address { index, interface, address, ours, duplicate })
    }
}

/// What every address of ours has besides the tag: so much is asked before the state file is believed.
fn could_be_ours(message: &AddressMessage, address: IpNet) -> bool {
    let flags = flags(message);
    address.prefix_len() == address.max_prefix_len()
        && flags.contains(AddressFlags::Noprefixroute)
        && !flags.contains(AddressFlags::Permanent)
}

fn tag(message: &AddressMessage) -> Option<u8> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Protocol(protocol) => Some(u8::from(*protocol)),
        _ => None,
    })
}

fn flags(message: &AddressMessage) -> AddressFlags {
    let attribute = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    attribute.unwrap_or(AddressFlags::from_bits_retain(message.header.flags.bits().into()))
}

/// rtnetlink(7): `IFA_LOCAL` is the address of this node; `IFA_ADDRESS` is the same, or the other end of a
/// point-to-point link. IPv6 has only the latter.
fn address_of(message: &AddressMessage) -> Option<IpNet> {
    let find = |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
    let local = find(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = || {
        find(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    };
    IpNet::new(local.or_else(address)?, message.header.prefix_len).ok()
}

/// An address to add or to remove; with a lease, a VIP.
pub(super) fn address_message(index: u32, address: IpNet, lease_secs: Option<u32>) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    // Local first: with both, the kernel removes exactly this address and no other of the same network.
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    if let Some(lease) = lease_secs {
        let mut flags = AddressFlags::Noprefixroute;
        if address.addr().is_ipv6() {
            // Duplicates are looked for before; a tentative address would answer nobody for a second.
            flags |= AddressFlags::Nodad;
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        message.attributes.push(AddressAttribute::Flags(flags));
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = lease;
        // A VIP is a destination. A preferred IPv6 address is also chosen as source, even before the node's own
        // (RFC 6724 §5, rule 8: longest matching prefix), and connections would break when the VIP moves. A
        // deprecated one answers and is chosen by nobody (rule 3). IPv4 takes the address of the route's subnet.
        lifetime.ifa_preferred = if address.addr().is_ipv6() { 0 } else { lease };
        message.attributes.push(AddressAttribute::CacheInfo(lifetime));
        message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(TAG)));
    }
    message
}

/// Nothing for anything but a unicast route of the main table.
pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let mut table = u32::from(header.table);
    let mut destination = None;
    let mut gateway = None;
    let mut index = None;
    let mut metric = 0;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(address) => destination = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(number) => index = Some(*number),
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::MultiPath(hops) => {
                index = index.or(hops.first().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    if header.kind != RouteType::Unicast || table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        return None;
    }
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let destination = destination.unwrap_or(unspecified);
    let destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
    Some(Route { destination, interface: index.and_then(interface_name), gateway, metric })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// netdevice(7), `SIOCGIFNAME`: cheaper than a message, and it cannot be lost. For an interface that does not exist,
/// nix 0.31 returns an empty name instead of the error.
pub(super) fn interface_name(index: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    Some(name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

/// netdevice(7), `SIOCGIFINDEX`, likewise.
pub(super) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

#[cfg(test)]
mod tests;
