use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::announce::{
    ArpOperation, announce, arp_probe, gratuitous_arp, neighbour_advertisement, neighbour_solicitation,
};
use super::super::netlink::testing::{Namespace, in_namespace, ip, runtime, veth};
use super::*;

const MAC: Mac = [2, 0, 0, 0xaa, 0xbb, 0xcc];
const OTHER: Mac = [2, 0, 0, 0, 0, 1];
const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);

#[test]
fn what_names_an_address_as_its_own_is_a_claim_and_a_question_is_none() {
    let claim = |frame: &[u8]| Claim::read(frame).map(|claim| (claim.address, claim.mac));
    for operation in [ArpOperation::Request, ArpOperation::Reply] {
        assert_eq!(claim(&gratuitous_arp(MAC, V4, operation)), Some((V4.into(), MAC)));
    }
    assert_eq!(claim(&neighbour_advertisement(MAC, V6, false)), Some((V6.into(), MAC)));
    // Without the option, the sender of the frame.
    assert_eq!(claim(&neighbour_advertisement(MAC, V6, true)[..78]), Some((V6.into(), MAC)));
    assert_eq!(claim(&arp_probe(MAC, V4)), None);
    assert_eq!(claim(&neighbour_solicitation(MAC, V6)), None);
}

proptest! {
    #[test]
    fn no_frame_is_too_short_or_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..120), cut in 0usize..90) {
        let _ = Claim::read(&bytes);
        let _ = Claim::read(&neighbour_advertisement(MAC, V6, true)[..cut.min(86)]);
        let _ = Claim::read(&gratuitous_arp(MAC, V4, ArpOperation::Reply)[..cut.min(42)]);
    }
}

fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

/// A node with `v0`, and a neighbour with `v1` and the addresses.
fn neighbours() -> (Namespace, Namespace) {
    let (node, neighbour) = (Namespace::new(), Namespace::new());
    let task = neighbour.task;
    node.run(move || {
        ip("link add v0 type veth peer name v1");
        ip(&format!("link set v1 netns {task}"));
        ip("link set v0 up");
    });
    neighbour.run(|| {
        ip("link set v1 address 02:00:00:00:00:01 up");
        ip("addr add 192.0.2.100/24 dev v1");
        ip("addr add fd00::100/64 dev v1 nodad");
    });
    (node, neighbour)
}

#[test]
#[ignore = "needs root"]
fn an_address_that_a_neighbour_has_is_found_and_one_that_nobody_has_is_free() {
    let (node, _neighbour) = neighbours();
    node.run(|| {
        runtime().block_on(async {
            for (address, by) in [
                (IpAddr::from(V4), Some(OTHER)),
                (V6.into(), Some(OTHER)),
                (Ipv4Addr::new(192, 0, 2, 101).into(), None),
                ("fd00::101".parse().unwrap(), None),
            ] {
                assert_eq!(probe(index("v0"), MAC, address).await.unwrap(), by, "{address}");
            }
        });
    });
}

#[test]
#[ignore = "needs root"]
fn a_claim_of_another_is_heard_and_other_traffic_is_not() {
    in_namespace(async || {
        veth("v0", "v1");
        let arp = Listener::open(index("v0"), V4.into()).unwrap();
        let advertisements = Listener::open(index("v0"), V6.into()).unwrap();
        // Something else of IPv6 first: a solicitation.
        let frame = neighbour_solicitation(OTHER, V6);
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).unwrap();
        socket.send_to(&frame, &link_layer_address(index("v1"), &frame)).unwrap();
        for address in [IpAddr::from(V4), V6.into()] {
            announce(index("v1"), OTHER, address).unwrap();
        }
        assert_eq!(arp.next().await.unwrap(), Claim { address: V4.into(), mac: OTHER });
        assert_eq!(advertisements.next().await.unwrap(), Claim { address: V6.into(), mac: OTHER });
    });
}

#[test]
#[ignore = "needs root"]
fn an_interface_that_is_gone_is_an_error() {
    in_namespace(async || {
        veth("v0", "v1");
        let gone = index("v0");
        let listener = Listener::open(gone, V4.into()).unwrap();
        ip("link delete v0");
        assert!(listener.next().await.is_err());
        assert!(probe(gone, MAC, V4.into()).await.is_err());
    });
}
