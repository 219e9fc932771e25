use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::testing::*;
use super::*;

const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));
const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100));
const LEASE: u32 = 30;

async fn open() -> (Netlink, mpsc::Receiver<NetEvent>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (netlink, events) = Netlink::open_with(&directory.path().join("vips")).await.unwrap();
    (netlink, events, directory)
}

async fn put(netlink: &Netlink, interface: &str, vip: IpAddr, lease: u32) -> Result<VipPut, NetlinkError> {
    netlink.vip_put(&mut netlink.look().await?, interface, vip, lease).await
}

async fn remove(netlink: &Netlink, interface: &str, vip: IpAddr) -> Result<bool, NetlinkError> {
    netlink.vip_remove(&mut netlink.look().await?, interface, vip).await
}

/// The next event, or nothing within a time in which any would have come.
async fn next(events: &mut mpsc::Receiver<NetEvent>) -> Option<NetEvent> {
    timeout(Duration::from_millis(300), events.recv()).await.ok().flatten()
}

#[test]
fn a_vip_has_the_tag_a_lifetime_and_no_route() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        for vip in [V4, V6] {
            assert_eq!(put(&netlink, "v0", vip, LEASE).await.unwrap(), VipPut::Added);
            let seen = address("v0", vip).unwrap();
            assert_eq!(seen["prefixlen"], if vip.is_ipv4() { 32 } else { 128 }, "{seen}");
            assert_eq!(seen["noprefixroute"], true, "{seen}");
            assert!([LEASE, LEASE - 1].iter().any(|left| seen["valid_life_time"] == *left), "{seen}");
            let preferred = if vip.is_ipv4() { &seen["valid_life_time"] } else { &0.into() };
            assert_eq!(seen["preferred_life_time"], *preferred, "{seen}");
            assert_eq!(tags().get(&vip), Some(&0x5f));
            assert_eq!(seen["tentative"], serde_json::Value::Null, "{seen}");
        }
        assert_eq!(netlink.vip_list().await.unwrap(), [("v0".to_owned(), V4), ("v0".to_owned(), V6)]);
        assert_eq!(ip("route show dev v0"), "");
        assert!(!ip("-6 route show dev v0").contains("fd00::"), "{}", ip("-6 route show dev v0"));
    });
}

#[test]
fn one_look_serves_for_many_and_what_others_do_meanwhile_is_left_alone() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        let mut seen = netlink.look().await.unwrap();
        for vip in [V4, V6] {
            assert_eq!(netlink.vip_put(&mut seen, "v0", vip, LEASE).await.unwrap(), VipPut::Added);
            assert_eq!(netlink.vip_put(&mut seen, "v0", vip, LEASE).await.unwrap(), VipPut::Renewed);
            assert!(netlink.vip_remove(&mut seen, "v0", vip).await.unwrap());
            assert!(!netlink.vip_remove(&mut seen, "v0", vip).await.unwrap());
            assert_eq!(address("v0", vip), None);
        }
        // Somebody was faster.
        ip(&format!("addr add {V4}/32 dev v0"));
        let refused = netlink.vip_put(&mut seen, "v0", V4, LEASE).await;
        assert!(matches!(refused, Err(NetlinkError::AddressTaken { .. })), "{refused:?}");
        assert_eq!(address("v0", V4).unwrap()["valid_life_time"], u32::MAX);
        // What was seen is gone.
        netlink.vip_put(&mut seen, "v0", V6, LEASE).await.unwrap();
        ip(&format!("addr del {V6}/128 dev v0"));
        assert!(!netlink.vip_remove(&mut seen, "v0", V6).await.unwrap());
    });
}

#[test]
fn a_vip_is_no_source_of_connections_to_others() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        ip("addr add 192.0.2.10/24 dev v0");
        ip("addr add fd00::10/64 dev v0 nodad");
        // Both VIPs have more bits in common with the destination than the node's own address.
        put(&netlink, "v0", "192.0.2.21".parse().unwrap(), LEASE).await.unwrap();
        put(&netlink, "v0", "fd00::21".parse().unwrap(), LEASE).await.unwrap();
        assert!(ip("route get 192.0.2.20").contains("src 192.0.2.10 "), "{}", ip("route get 192.0.2.20"));
        assert!(ip("route get fd00::20").contains("src fd00::10 "), "{}", ip("route get fd00::20"));
    });
}

#[test]
fn a_renewal_keeps_the_address_and_is_no_event() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, mut events, _directory) = open().await;
        for vip in [V4, V6] {
            put(&netlink, "v0", vip, LEASE).await.unwrap();
            let added = NetEvent::AddressAdded { interface: "v0".into(), address: vip.into(), ours: true };
            assert_eq!(next(&mut events).await, Some(added));
            assert_eq!(put(&netlink, "v0", vip, 2 * LEASE).await.unwrap(), VipPut::Renewed);
            let seen = address("v0", vip).unwrap();
            assert!(seen["valid_life_time"].as_u64() > Some(LEASE.into()), "{seen}");
            assert_eq!(next(&mut events).await, None);
        }
        assert_eq!(addresses("v0").len(), 2);
    });
}

#[test]
fn a_lease_that_is_renewed_lasts_and_ends_by_itself_when_it_is_not() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, mut events, _directory) = open().await;
        let lease = Duration::from_secs(2);
        for vip in [V4, V6] {
            put(&netlink, "v0", vip, 2).await.unwrap();
        }
        // Longer than one lease, with room for a machine that is busy.
        for _ in 0..10 {
            sleep(lease / 8).await;
            for vip in [V4, V6] {
                assert_eq!(put(&netlink, "v0", vip, 2).await.unwrap(), VipPut::Renewed);
            }
        }
        let renewed = Instant::now();
        for vip in [V4, V6] {
            let added = NetEvent::AddressAdded { interface: "v0".into(), address: vip.into(), ours: true };
            assert_eq!(next(&mut events).await, Some(added));
        }
        let mut gone = Vec::new();
        while gone.len() < 2 {
            // The kernel may take a second more, and this machine its time.
            match timeout(2 * lease, events.recv()).await.expect("the lease to end") {
                Some(NetEvent::AddressRemoved { address, ours: true, .. }) => gone.push(address.addr()),
                other => panic!("{other:?}"),
            }
        }
        assert!(renewed.elapsed() > lease - Duration::from_millis(100), "{:?}", renewed.elapsed());
        gone.sort();
        assert_eq!(gone, [V4, V6]);
        assert_eq!(addresses("v0"), Vec::<serde_json::Value>::new());
        assert_eq!(put(&netlink, "v0", V4, 2).await.unwrap(), VipPut::Added);
    });
}

#[test]
fn a_vip_is_removed_once_and_only_from_its_interface() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, mut events, directory) = open().await;
        // Of an older kernel.
        let file = directory.path().join("vips");
        std::fs::write(&file, format!("v0 {V4}\nv0 {V6}\n")).unwrap();
        netlink.inner.lock().await.vips = StateFile::load(&file);
        for vip in [V4, V6] {
            put(&netlink, "v0", vip, LEASE).await.unwrap();
            next(&mut events).await;
            assert!(!remove(&netlink, "v1", vip).await.unwrap());
            assert!(!remove(&netlink, "nowhere", vip).await.unwrap());
            assert!(remove(&netlink, "v0", vip).await.unwrap());
            assert_eq!(address("v0", vip), None);
            assert!(matches!(next(&mut events).await, Some(NetEvent::AddressRemoved { ours: true, .. })));
            assert!(!remove(&netlink, "v0", vip).await.unwrap());
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), "");
    });
}

#[test]
fn an_address_of_somebody_else_is_refused_and_keeps_its_lifetime() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        // The last but one differs only by its tag, the last by its interface.
        for (vip, foreign) in [
            (V4, format!("{V4}/32 dev v0")),
            (V4, format!("{V4}/24 dev v0")),
            (V6, format!("{V6}/64 dev v0 nodad")),
            (V6, format!("{V6}/128 dev v0 nodad noprefixroute")),
            (V4, format!("{V4}/32 dev v0 noprefixroute valid_lft 50 preferred_lft 50")),
            (V4, format!("{V4}/32 dev v1")),
        ] {
            ip(&format!("addr add {foreign}"));
            let before = addresses("v0");
            let refused = put(&netlink, "v0", vip, 1).await;
            assert!(matches!(refused, Err(NetlinkError::AddressTaken { .. })), "{foreign}: {refused:?}");
            assert!(!remove(&netlink, "v0", vip).await.unwrap());
            assert_eq!(netlink.vip_remove_all().await.unwrap(), []);
            assert_eq!(addresses("v0"), before, "{foreign}");
            ip("addr flush dev v0");
            ip("addr flush dev v1");
        }
    });
}

#[test]
fn a_missing_interface_is_named() {
    in_namespace(async || {
        let (netlink, _events, _directory) = open().await;
        let error = put(&netlink, "nowhere", V4, LEASE).await.unwrap_err();
        assert_eq!(error.to_string(), "no interface nowhere");
        assert_eq!(netlink.link_index("nowhere").await.unwrap(), None);
        assert_eq!(netlink.link_index("a name that is far too long").await.unwrap(), None);
        assert!(!netlink.link_delete("nowhere").await.unwrap());
        assert!(netlink.link_up("nowhere", None).await.is_err());
    });
}

#[test]
fn another_process_removes_the_vips_of_one_that_died() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        put(&netlink, "v0", V4, LEASE).await.unwrap();
        put(&netlink, "v1", V6, LEASE).await.unwrap();
        drop(netlink);
        ip("addr add 192.0.2.1/24 dev v0");
        let (after, _events, _other_directory) = open().await;
        let removed = after.vip_remove_all().await.unwrap();
        assert_eq!(removed, [("v0".to_owned(), V4), ("v1".to_owned(), V6)]);
        assert_eq!(addresses("v0").len(), 1);
        assert_eq!(addresses("v1").len(), 0);
    });
}

/// One address that somebody else configures.
#[derive(Debug, Clone)]
struct Foreign {
    host: u8,
    v6: bool,
    short_prefix: bool,
    noprefixroute: bool,
    lifetime: Option<u8>,
}

fn foreign() -> impl Strategy<Value = Foreign> {
    (0..12u8, any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(60..200u8)).prop_map(
        |(host, v6, short_prefix, noprefixroute, lifetime)| Foreign {
            host,
            v6,
            short_prefix,
            noprefixroute,
            lifetime,
        },
    )
}

fn host(host: u8, v6: bool) -> IpAddr {
    match v6 {
        false => IpAddr::from([192, 0, 2, host]),
        true => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host) + 1]),
    }
}

/// Without the lifetimes, which run down by themselves.
fn standing(interface: &str) -> BTreeSet<String> {
    let mut all = addresses(interface);
    for info in &mut all {
        let permanent = info["valid_life_time"].as_u64() == Some(u32::MAX.into());
        let long = info["valid_life_time"].as_u64() > Some(30);
        info["valid_life_time"] = format!("permanent {permanent}, long {long}").into();
        info["preferred_life_time"].take();
    }
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn whatever_is_asked_for_the_addresses_of_others_stay_as_they_are() {
    let others = proptest::collection::vec(foreign(), 0..8);
    let vips = proptest::collection::vec((0..12u8, any::<bool>()), 0..8);
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    blocking_in_namespace(|| {
        let runtime = runtime();
        let (netlink, _events, _directory) = runtime.block_on(open());
        let outcome = TestRunner::new(config).run(&(others, vips), |(others, vips)| {
            veth("v0", "v1");
            others.iter().for_each(configure);
            let before = standing("v0");
            let held = runtime.block_on(put_and_remove(&netlink, &vips));
            prop_assert_eq!(standing("v0"), before);
            // A VIP was taken exactly where nobody else had the address.
            for (number, v6) in &vips {
                let taken = others.iter().any(|other| (other.host, other.v6) == (*number, *v6));
                prop_assert_eq!(held.contains(&("v0".to_owned(), host(*number, *v6))), !taken);
            }
            ip("link del v0");
            Ok(())
        });
        outcome.unwrap();
    });
}

/// The same address may come twice, which `ip` refuses.
fn configure(other: &Foreign) {
    let prefix = match (other.v6, other.short_prefix) {
        (false, false) => 32,
        (false, true) => 24,
        (true, false) => 128,
        (true, true) => 64,
    };
    let mut command = format!("addr add {}/{prefix} dev v0", host(other.host, other.v6));
    if other.v6 {
        command += " nodad";
    }
    if other.noprefixroute {
        command += " noprefixroute";
    }
    if let Some(seconds) = other.lifetime {
        command += &format!(" valid_lft {seconds} preferred_lft {seconds}");
    }
    let _ = try_ip(&command);
}

/// Everything that can be asked for; returns what was held at the best moment.
async fn put_and_remove(netlink: &Netlink, vips: &[(u8, bool)]) -> Vec<(String, IpAddr)> {
    for (number, v6) in vips {
        let vip = host(*number, *v6);
        let _ = put(netlink, "v0", vip, 20).await;
        let _ = put(netlink, "v0", vip, 20).await;
        let _ = remove(netlink, "v1", vip).await;
    }
    let held = netlink.vip_list().await.unwrap();
    for (number, v6) in vips.iter().step_by(2) {
        let _ = remove(netlink, "v0", host(*number, *v6)).await;
    }
    netlink.vip_remove_all().await.unwrap();
    held
}

#[test]
fn what_others_do_is_told() {
    in_namespace(async || {
        veth("v0", "v1");
        let (_netlink, mut events, _directory) = open().await;
        let address: IpNet = "192.0.2.7/24".parse().unwrap();
        let interface = || "v0".to_owned();
        ip("addr add 192.0.2.7/24 dev v0");
        let added = NetEvent::AddressAdded { interface: interface(), address, ours: false };
        assert_eq!(next(&mut events).await, Some(added));
        ip("addr del 192.0.2.7/24 dev v0");
        let removed = NetEvent::AddressRemoved { interface: interface(), address, ours: false };
        assert_eq!(next(&mut events).await, Some(removed.clone()));
        ip("link set v0 mtu 1400");
        assert_eq!(next(&mut events).await, None);

        ip("link set v1 down");
        let mut down = [next(&mut events).await, next(&mut events).await];
        down.sort_by_key(|event| format!("{event:?}"));
        let link_down = |name: &str| Some(NetEvent::LinkDown { interface: name.to_owned() });
        assert_eq!(down, [link_down("v0"), link_down("v1")]);
        ip("link set v1 up");
        let mut up = [next(&mut events).await, next(&mut events).await];
        up.sort_by_key(|event| format!("{event:?}"));
        let link_up = |name: &str| Some(NetEvent::LinkUp { interface: name.to_owned() });
        assert_eq!(up, [link_up("v0"), link_up("v1")]);

        ip("addr add 192.0.2.7/24 dev v0");
        next(&mut events).await;
        ip("link del v0");
        let mut last = Vec::new();
        while let Some(event) = next(&mut events).await {
            last.push(event);
        }
        assert!(last.contains(&removed), "{last:?}");
        assert!(last.contains(&link_down("v0").unwrap()), "{last:?}");
    });
}

/// Has `ip` add or remove addresses much faster than anybody reads.
fn batch(verb: &str, count: u32) {
    let mut ip = Command::new("ip").args(["-force", "-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = String::new();
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        lines += &format!("addr {verb} 10.{a}.{b}.{c}/32 dev v0\n");
    }
    ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(ip.wait().unwrap().success());
}

#[test]
fn a_reader_that_sleeps_is_told_to_read_everything_again() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, mut events, _directory) = open().await;
        batch("add", 600);
        // The queue holds less: what did not fit is an overrun, not a gap.
        sleep(Duration::from_millis(300)).await;
        let mut seen = Vec::new();
        while let Some(event) = next(&mut events).await {
            seen.push(event);
        }
        assert_eq!(seen.last(), Some(&NetEvent::Overrun), "{} events", seen.len());
        assert!(seen.len() < 600);

        put(&netlink, "v0", V4, LEASE).await.unwrap();
        assert!(matches!(next(&mut events).await, Some(NetEvent::AddressAdded { ours: true, .. })));
    });
}

#[test]
fn a_full_socket_buffer_is_an_overrun_and_not_the_end() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, mut events, _directory) = open().await;
        // Blocks the runtime: nobody reads the socket meanwhile. Additions and removals, each an event.
        for _ in 0..3 {
            batch("add", 4000);
            batch("del", 4000);
        }
        let mut overrun = false;
        while let Some(event) = next(&mut events).await {
            overrun |= event == NetEvent::Overrun;
        }
        assert!(overrun);
        put(&netlink, "v0", V4, LEASE).await.unwrap();
        let mut after = Vec::new();
        while let Some(event) = next(&mut events).await {
            after.push(event);
        }
        assert!(
            after.iter().any(|event| matches!(event, NetEvent::AddressAdded { ours: true, .. })),
            "{after:?}"
        );
    });
}

#[test]
fn a_cancelled_request_does_not_disturb_the_next_one() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        batch("add", 3000);
        for _ in 0..20 {
            tokio::select! {
                biased;
                _ = netlink.local_addresses() => panic!("faster than no time"),
                () = tokio::task::yield_now() => {}
            }
            assert_eq!(netlink.local_addresses().await.unwrap().len(), 3002);
        }
    });
}

#[test]
fn many_callers_get_their_turn() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        let all = (0..50).map(|number| {
            let netlink = netlink.clone();
            async move { put(&netlink, "v0", host(number, number % 2 == 0), LEASE).await.unwrap() }
        });
        let all = futures_util::future::join_all(all).await;
        assert_eq!(all, [VipPut::Added; 50]);
        assert_eq!(netlink.vip_list().await.unwrap().len(), 50);
    });
}

#[test]
fn a_link_is_described_set_up_and_deleted() {
    in_namespace(async || {
        ip("link add v0 type veth peer name v1");
        let (netlink, _events, _directory) = open().await;
        let link = netlink.link_info("v0").await.unwrap().unwrap();
        let seen: serde_json::Value = serde_json::from_str(&ip("-j link show dev v0")).unwrap();
        assert_eq!(seen[0]["ifindex"], link.index);
        let mac = link.mac.unwrap().map(|byte| format!("{byte:02x}")).join(":");
        assert_eq!(seen[0]["address"], mac);
        assert_eq!(
            (link.kind.as_deref(), link.mtu, link.up, link.carrier),
            (Some("veth"), 1500, false, false)
        );

        netlink.link_up("v0", Some(1400)).await.unwrap();
        netlink.link_up("v1", None).await.unwrap();
        let link = netlink.link_info("v0").await.unwrap().unwrap();
        assert_eq!((link.mtu, link.up, link.carrier), (1400, true, true));

        assert!(netlink.link_delete("v0").await.unwrap());
        assert_eq!(netlink.link_info("v1").await.unwrap(), None);
        let loopback = netlink.link_info("lo").await.unwrap().unwrap();
        assert_eq!((loopback.kind, loopback.up), (None, true));
    });
}

#[test]
fn this_kernel_says_that_it_has_no_wireguard() {
    in_namespace(async || {
        let (netlink, _events, _directory) = open().await;
        match netlink.link_add_wireguard("wg0").await {
            Ok(()) => assert_eq!(
                netlink.link_info("wg0").await.unwrap().unwrap().kind.as_deref(),
                Some("wireguard")
            ),
            Err(NetlinkError::Request { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(libc::EOPNOTSUPP));
            }
            Err(other) => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_mesh_address_is_plain_and_added_once() {
    in_namespace(async || {
        veth("v0", "v1");
        let (netlink, _events, _directory) = open().await;
        for address in ["10.100.0.1/24", "fd10::1/64"] {
            let network: IpNet = address.parse().unwrap();
            assert!(netlink.ensure_address("v0", network).await.unwrap());
            assert!(!netlink.ensure_address("v0", network).await.unwrap());
            let seen = super::testing::address("v0", network.addr()).unwrap();
            assert_eq!(seen["valid_life_time"], u32::MAX, "{seen}");
            assert_eq!(seen["prefixlen"], network.prefix_len(), "{seen}");
        }
        assert!(ip("route show dev v0").contains("10.100.0.0/24"));
        assert_eq!(netlink.vip_list().await.unwrap(), []);
    });
}

#[test]
fn interfaces_are_found_by_network_and_by_default_route() {
    in_namespace(async || {
        veth("v0", "v1");
        veth("v2", "v3");
        let (netlink, _events, _directory) = open().await;
        assert_eq!(netlink.default_route_interface().await.unwrap(), None);
        ip("addr add 10.0.0.1/8 dev v0");
        ip("addr add 10.1.0.1/16 dev v2");
        ip("addr add fd00::1/64 dev v2 nodad");
        let find = async |address: &str| {
            netlink.look().await.unwrap().interface_for(address.parse().unwrap()).map(str::to_owned)
        };
        assert_eq!(find("10.2.0.1").await.as_deref(), Some("v0"));
        assert_eq!(find("10.1.0.9").await.as_deref(), Some("v2"));
        assert_eq!(find("fd00::9").await.as_deref(), Some("v2"));
        assert_eq!(find("192.0.2.1").await, None);
        // A VIP is no network, not even for itself.
        put(&netlink, "v3", V4, LEASE).await.unwrap();
        assert_eq!(find("192.0.2.100").await, None);

        ip("route add default via 10.0.0.254 metric 200");
        ip("-6 route add default via fd00::2 metric 10");
        assert_eq!(netlink.default_route_interface().await.unwrap().as_deref(), Some("v0"));
        ip("route add default via 10.1.0.254 metric 100");
        assert_eq!(netlink.default_route_interface().await.unwrap().as_deref(), Some("v2"));
        ip("route add blackhole 10.9.0.0/16");
        ip("route add 10.8.0.0/16 via 10.0.0.254 table 77");
        let routes = netlink.routes().await.unwrap();
        let seen: Vec<_> = routes.iter().map(|route| route.destination.to_string()).collect();
        assert!(seen.contains(&"10.1.0.0/16".to_owned()), "{seen:?}");
        assert!(!seen.contains(&"10.8.0.0/16".to_owned()), "{seen:?}");
        assert!(!seen.contains(&"10.9.0.0/16".to_owned()), "{seen:?}");
        let via = routes.iter().find(|route| route.metric == 100).unwrap();
        assert_eq!(via.gateway, Some("10.1.0.254".parse().unwrap()));
        assert_eq!(via.interface.as_deref(), Some("v2"));
    });
}
