use netlink_packet_route::link::LinkMessage;

use super::*;

fn address(interface: &str, address: &str, ours: bool) -> Address {
    Address {
        index: 7,
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
        ours,
        duplicate: false,
    }
}

fn link(family: AddressFamily, flags: LinkFlags) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.interface_family = family;
    message.header.index = 7;
    message.header.flags = flags;
    message.attributes.push(LinkAttribute::IfName("eth0".to_owned()));
    message
}

const CARRIER: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

#[test]
fn an_address_is_added_once_and_removed_once() {
    let mut seen = Seen::default();
    let vip = address("eth0", "192.0.2.100/32", true);
    assert!(matches!(seen.add(vip.clone()), Some(NetEvent::AddressAdded { ours: true, .. })));
    assert_eq!(seen.add(vip.clone()), None);
    assert!(matches!(seen.remove(&vip), Some(NetEvent::AddressRemoved { ours: true, .. })));
    assert_eq!(seen.remove(&vip), None);
}

#[test]
fn the_same_address_with_another_prefix_is_another_address() {
    let mut seen = Seen::default();
    seen.add(address("eth0", "192.0.2.100/32", true));
    assert!(matches!(
        seen.add(address("eth0", "192.0.2.100/24", false)),
        Some(NetEvent::AddressAdded { ours: false, .. })
    ));
}

#[test]
fn an_address_that_changes_hands_is_told() {
    let mut seen = Seen::default();
    seen.add(address("eth0", "192.0.2.100/32", true));
    assert!(matches!(
        seen.add(address("eth0", "192.0.2.100/32", false)),
        Some(NetEvent::AddressAdded { ours: false, .. })
    ));
}

#[test]
fn a_link_is_up_with_a_carrier_only_and_told_once() {
    let mut seen = Seen::default();
    let family = AddressFamily::Unspec;
    assert_eq!(seen.link(&link(family, LinkFlags::Up)), None);
    assert_eq!(seen.link(&link(family, CARRIER)), Some(NetEvent::LinkUp { interface: "eth0".into() }));
    assert_eq!(seen.link(&link(family, CARRIER)), None);
    assert_eq!(
        seen.link(&link(family, LinkFlags::Up)),
        Some(NetEvent::LinkDown { interface: "eth0".into() })
    );
    assert_eq!(seen.link_gone(&link(family, LinkFlags::empty())), None);
}

#[test]
fn leaving_a_bridge_is_not_the_end_of_an_interface() {
    let mut seen = Seen::default();
    seen.link(&link(AddressFamily::Unspec, CARRIER));
    assert_eq!(seen.link_gone(&link(AddressFamily::Bridge, LinkFlags::empty())), None);
    assert_eq!(seen.link(&link(AddressFamily::Bridge, LinkFlags::empty())), None);
    assert_eq!(
        seen.link_gone(&link(AddressFamily::Unspec, LinkFlags::empty())),
        Some(NetEvent::LinkDown { interface: "eth0".into() })
    );
}

#[test]
fn an_interface_that_is_gone_is_still_known_by_its_name() {
    let mut seen = Seen::default();
    let index = u32::MAX - 1; // of no interface
    assert_eq!(seen.name(index), "");
    seen.add(Address { index, ..address("gone0", "192.0.2.1/24", false) });
    assert_eq!(seen.name(index), "gone0");
    assert_eq!(seen.name(index - 1), "");
}
