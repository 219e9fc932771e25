use std::time::Instant;

use super::super::netlink::testing::*;
use super::*;

const MAC: Mac = [0x02, 0, 0, 0xaa, 0xbb, 0xcc];
const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);

#[test]
fn an_arp_announcement_is_the_forty_two_bytes_of_the_rfc() {
    #[rustfmt::skip]
    let mut expected = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0xaa, 0xbb, 0xcc, 0x08, 0x06,
        0, 1, 0x08, 0, 6, 4, 0, 1,
        0x02, 0, 0, 0xaa, 0xbb, 0xcc, 192, 0, 2, 100,
        0, 0, 0, 0, 0, 0, 192, 0, 2, 100,
    ];
    assert_eq!(gratuitous_arp(MAC, V4, ArpOperation::Request), expected);
    expected[21] = 2;
    expected[32..38].copy_from_slice(&MAC);
    assert_eq!(gratuitous_arp(MAC, V4, ArpOperation::Reply), expected);
}

#[test]
fn an_arp_probe_claims_nothing() {
    let probe = arp_probe(MAC, V4);
    assert_eq!(probe[28..32], [0; 4], "sender address");
    assert_eq!(probe[32..38], [0; 6], "target hardware address");
    assert_eq!(probe[38..], V4.octets());
}

#[test]
fn a_neighbour_advertisement_is_the_eighty_six_bytes_of_the_rfc() {
    let frame = neighbour_advertisement(MAC, V6, false);
    #[rustfmt::skip]
    let expected = [
        0x33, 0x33, 0, 0, 0, 1, 0x02, 0, 0, 0xaa, 0xbb, 0xcc, 0x86, 0xdd,
        0x60, 0, 0, 0, 0, 32, 58, 255,
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        136, 0, frame[56], frame[57], 0x20, 0, 0, 0,
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
        2, 1, 0x02, 0, 0, 0xaa, 0xbb, 0xcc,
    ];
    assert_eq!(frame, expected);
    assert_eq!(neighbour_advertisement(MAC, V6, true)[58], 0xa0);
    // RFC 1071 §1: the sum over everything, the checksum included, has all bits set.
    assert_eq!(icmpv6_checksum(V6, ALL_NODES, &frame[54..]), 0);
}

/// Everything that arrives at `interface`, read in the namespace of the caller.
fn listen(interface: &str) -> Socket {
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let all = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(all)).unwrap();
    let mut frame = [0; 14];
    frame[12..].copy_from_slice(&(libc::ETH_P_ALL as u16).to_be_bytes());
    socket.bind(&link_layer_address(index, &frame)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    socket
}

/// The next frame that is an announcement, with the time of its arrival.
fn announcement(mut socket: &Socket) -> Option<(Vec<u8>, Instant)> {
    let mut frame = vec![0; 2000];
    loop {
        let length = std::io::Read::read(&mut socket, &mut frame).ok()?;
        let frame = &frame[..length];
        if frame[12..14] == [0x08, 0x06] || (frame[12..14] == [0x86, 0xdd] && frame[54] == 136) {
            return Some((frame.to_vec(), Instant::now()));
        }
    }
}

#[test]
fn the_neighbour_receives_exactly_these_bytes() {
    blocking_in_namespace(|| {
        veth("v0", "v1");
        let neighbour = listen("v1");
        let index = nix::net::if_::if_nametoindex("v0").unwrap();
        announce(index, MAC, V4.into()).unwrap();
        announce(index, MAC, V6.into()).unwrap();
        for expected in [
            gratuitous_arp(MAC, V4, ArpOperation::Request).to_vec(),
            gratuitous_arp(MAC, V4, ArpOperation::Reply).to_vec(),
            neighbour_advertisement(MAC, V6, false).to_vec(),
        ] {
            assert_eq!(announcement(&neighbour).expect("an announcement").0, expected);
        }
    });
}

#[test]
fn a_router_says_that_it_is_one() {
    blocking_in_namespace(|| {
        veth("v0", "v1");
        std::fs::write("/proc/sys/net/ipv6/conf/v0/forwarding", "1").unwrap();
        let neighbour = listen("v1");
        announce(nix::net::if_::if_nametoindex("v0").unwrap(), MAC, V6.into()).unwrap();
        assert_eq!(announcement(&neighbour).unwrap().0, neighbour_advertisement(MAC, V6, true));
    });
}

#[test]
fn a_neighbour_that_knew_the_old_holder_learns_the_new_one() {
    let (node, neighbour) = (Namespace::new(), Namespace::new());
    let task = neighbour.task;
    node.run(move || {
        ip("link add v0 type veth peer name v1");
        ip(&format!("link set v1 netns {task}"));
        ip("link set v0 up");
    });
    neighbour.run(|| {
        ip("link set v1 up");
        ip("addr add 192.0.2.1/24 dev v1");
        ip("addr add fd00::1/64 dev v1 nodad");
        for address in [IpAddr::from(V4), V6.into()] {
            ip(&format!("neigh replace {address} lladdr 02:00:00:00:00:01 dev v1 nud stale"));
        }
    });
    node.run(|| {
        wait_carrier("v0");
        let index = nix::net::if_::if_nametoindex("v0").unwrap();
        announce(index, MAC, V4.into()).unwrap();
        announce(index, MAC, V6.into()).unwrap();
    });
    let learned = |address: IpAddr| {
        let entry = ip(&format!("neigh show {address} dev v1"));
        entry.contains("02:00:00:aa:bb:cc")
    };
    let deadline = Instant::now() + Duration::from_secs(1);
    for address in [IpAddr::from(V4), V6.into()] {
        while !neighbour.run(move || learned(address)) {
            assert!(Instant::now() < deadline, "{address} not learned within a second");
        }
    }
}

#[test]
fn a_burst_is_five_announcements_in_a_second_and_does_not_block() {
    in_namespace(async || {
        veth("v0", "v1");
        let neighbour = listen("v1");
        let index = nix::net::if_::if_nametoindex("v0").unwrap();
        let started = Instant::now();
        let burst = burst(index, MAC, V6.into()).unwrap();
        assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
        burst.finished().await;
        let took = started.elapsed();
        assert!((900..2000).contains(&took.as_millis()), "{took:?}");
        let count = std::iter::from_fn(|| announcement(&neighbour)).count();
        assert_eq!(count, BURST_COUNT);
    });
}

#[test]
fn a_burst_that_is_dropped_announces_no_more() {
    in_namespace(async || {
        veth("v0", "v1");
        let neighbour = listen("v1");
        let index = nix::net::if_::if_nametoindex("v0").unwrap();
        drop(burst(index, MAC, V6.into()).unwrap());
        tokio::time::sleep(2 * BURST_INTERVAL).await;
        assert!(announcement(&neighbour).is_some());
        assert!(announcement(&neighbour).is_none());
    });
}

#[test]
fn an_interface_that_is_down_or_missing_is_an_error() {
    in_namespace(async || {
        ip("link add v0 type veth peer name v1");
        let index = nix::net::if_::if_nametoindex("v0").unwrap();
        let down = announce(index, MAC, V4.into()).unwrap_err();
        assert_eq!(down.source.raw_os_error(), Some(libc::ENETDOWN));
        assert!(burst(index, MAC, V4.into()).is_err());
        let missing = announce(9999, MAC, V4.into()).unwrap_err();
        assert!(matches!(missing.source.raw_os_error(), Some(libc::ENXIO | libc::ENODEV)), "{missing:?}");
        assert_eq!(missing.to_string(), "failed to announce 192.0.2.100 on interface 9999");
    });
}
