use proptest::prelude::*;

use super::*;

const KEY: &str = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
const OTHER: &str = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn bytes(hex: &str) -> [u8; 32] {
    *key_bytes(hex).unwrap()
}

fn set(lines: &str) -> Set {
    match parse(format!("set=1\n{lines}\n").as_bytes()) {
        Ok(Request::Set(set)) => set,
        other => panic!("{lines}: {other:?}"),
    }
}

fn refused(lines: &str) -> ParseError {
    parse(format!("set=1\n{lines}\n").as_bytes()).expect_err(lines)
}

#[test]
fn the_example_of_the_protocol_is_understood() {
    // https://www.wireguard.com/xplatform/
    let set = set(&format!(
        "private_key={KEY}\nfwmark=0\nlisten_port=12912\nreplace_peers=true\n\
         public_key={OTHER}\npreshared_key={KEY}\nreplace_allowed_ips=true\nallowed_ip=192.168.4.4/32\n\
         endpoint=[abcd:23::33%2]:51820\n\
         public_key={KEY}\npersistent_keepalive_interval=111\nendpoint=182.122.22.19:3233\n\
         replace_allowed_ips=true\nallowed_ip=192.168.4.6/32\nallowed_ip=-10.0.0.7/8\n\
         public_key={OTHER}\nremove=true\nprotocol_version=1\nupdate_only=true\n"
    ));
    assert_eq!(set.private_key, Some(KeyChange::Set(Secret::new(bytes(KEY)))));
    assert_eq!((set.listen_port, set.fwmark, set.replace_peers), (Some(12912), Some(0), true));
    let [first, second, third] = set.peers.as_slice() else { panic!("{:?}", set.peers) };
    assert_eq!(first.public_key, bytes(OTHER));
    assert_eq!(first.preshared_key, Some(KeyChange::Set(Secret::new(bytes(KEY)))));
    assert_eq!(first.endpoint, Some("[abcd:23::33%2]:51820".parse().unwrap()));
    assert!(first.replace_allowed_ips && !first.remove && !first.update_only);
    assert_eq!(second.keepalive, Some(111));
    let networks = ["192.168.4.6/32", "10.0.0.0/8"].map(|text| text.parse().unwrap());
    assert_eq!(second.allowed_ips, [AllowedIpChange::Add(networks[0]), AllowedIpChange::Remove(networks[1])]);
    assert!(third.remove && third.update_only);
}

#[test]
fn a_get_request_is_understood_with_and_without_its_empty_line() {
    for text in ["get=1", "get=1\n", "get=1\n\n"] {
        assert_eq!(parse(text.as_bytes()), Ok(Request::Get));
    }
}

#[test]
fn a_key_of_zeros_removes() {
    assert_eq!(set(&format!("private_key={ZERO}")).private_key, Some(KeyChange::Remove));
    let peer = &set(&format!("public_key={KEY}\npreshared_key={ZERO}")).peers[0];
    assert_eq!(peer.preshared_key, Some(KeyChange::Remove));
}

#[test]
fn an_empty_change_is_a_request() {
    assert_eq!(set(""), Set::default());
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    use ParseError as E;
    let value = |line, key| E::Value { line, key };
    let peer = format!("public_key={KEY}\n");
    for (lines, error) in [
        ("listen_port=65536".to_owned(), value(2, "listen_port")),
        ("listen_port=".to_owned(), value(2, "listen_port")),
        ("listen_port=+1".to_owned(), value(2, "listen_port")),
        ("fwmark=0x10".to_owned(), value(2, "fwmark")),
        ("replace_peers=false".to_owned(), value(2, "replace_peers")),
        (format!("private_key={}", &KEY[1..]), value(2, "private_key")),
        (format!("private_key={}g", &KEY[1..]), value(2, "private_key")),
        (format!("private_key={}é", &KEY[2..]), value(2, "private_key")),
        ("public_key=".to_owned(), value(2, "public_key")),
        ("endpoint=1.2.3.4:5".to_owned(), E::Key { line: 2 }),
        ("nonsense=1".to_owned(), E::Key { line: 2 }),
        ("nonsense".to_owned(), E::NoPair { line: 2 }),
        (format!("{peer}listen_port=1"), E::Key { line: 3 }),
        (format!("{peer}endpoint=localhost:1"), value(3, "endpoint")),
        (format!("{peer}allowed_ip=10.0.0.0"), value(3, "allowed_ip")),
        (format!("{peer}allowed_ip=10.0.0.0/33"), value(3, "allowed_ip")),
        (format!("{peer}allowed_ip=--10.0.0.0/8"), value(3, "allowed_ip")),
        (format!("{peer}protocol_version=2"), value(3, "protocol_version")),
        (format!("{peer}\nremove=true"), E::NoPair { line: 3 }),
    ] {
        assert_eq!(refused(&lines), error, "{lines}");
    }
    assert_eq!(parse(b"get=1\nget=1\n"), Err(E::Trailing { line: 2 }));
    assert_eq!(parse(b"get=2\n"), Err(E::Operation));
    assert_eq!(parse(b""), Err(E::Operation));
    assert_eq!(parse(b"set=1\n\xff=1\n"), Err(E::Encoding));
}

#[test]
fn neither_errors_nor_debug_output_repeat_a_key() {
    let error = refused(&format!("private_key={KEY}0"));
    assert!(!error.to_string().contains(&KEY[..8]));
    let request = format!("{:?}", set(&format!("private_key={KEY}")));
    assert!(!request.contains("232") && request.contains("Secret(…)"), "{request}");
}

#[test]
fn a_device_is_told_in_the_order_that_readers_expect() {
    let device = DeviceInfo {
        private_key: Some(Secret::new(bytes(KEY))),
        listen_port: Some(51820),
        fwmark: Some(7),
        peers: vec![PeerInfo {
            public_key: bytes(OTHER),
            preshared_key: Some(Secret::new(bytes(KEY))),
            endpoint: Some("[fd00::1]:51820".parse().unwrap()),
            keepalive: None,
            last_handshake: Some(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5)),
            rx_bytes: 1,
            tx_bytes: u64::MAX,
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/64".parse().unwrap()],
        }],
    };
    assert_eq!(
        *render(&device),
        format!(
            "private_key={KEY}\nlisten_port=51820\nfwmark=7\npublic_key={OTHER}\npreshared_key={KEY}\n\
             protocol_version=1\nendpoint=[fd00::1]:51820\nlast_handshake_time_sec=1700000000\n\
             last_handshake_time_nsec=5\ntx_bytes=18446744073709551615\nrx_bytes=1\n\
             persistent_keepalive_interval=0\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\nerrno=0\n\n"
        )
    );
    assert_eq!(*render(&DeviceInfo::default()), "errno=0\n\n");
    assert_eq!(errno(libc::EINVAL), "errno=-22\n\n");
}

#[test]
fn an_answer_never_moves_while_it_is_written() {
    let networks = (0..2000u16)
        .map(|n| IpNet::from(IpAddr::from([0xfd00, n, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, n])));
    let peer = || PeerInfo {
        public_key: [0xff; 32],
        preshared_key: Some(Secret::new([0xff; 32])),
        endpoint: Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".parse().unwrap()),
        keepalive: Some(u16::MAX),
        last_handshake: Some(SystemTime::UNIX_EPOCH + Duration::new(u64::from(u32::MAX) * 1000, 999_999_999)),
        rx_bytes: u64::MAX,
        tx_bytes: u64::MAX,
        allowed_ips: networks.clone().collect(),
    };
    let device = DeviceInfo {
        private_key: Some(Secret::new([0xff; 32])),
        listen_port: Some(u16::MAX),
        fwmark: Some(u32::MAX),
        peers: (0..3).map(|_| peer()).collect(),
    };
    let reserved = 256 + 640 * 3 + 64 * 6000;
    assert!(render(&device).len() <= reserved);
    assert_eq!(render(&device).capacity(), reserved);
}

/// Lines that are nearly right get further than random bytes.
fn line() -> impl Strategy<Value = String> {
    let keys = [
        "set",
        "get",
        "private_key",
        "listen_port",
        "fwmark",
        "replace_peers",
        "public_key",
        "remove",
        "update_only",
        "preshared_key",
        "endpoint",
        "persistent_keepalive_interval",
        "replace_allowed_ips",
        "allowed_ip",
        "protocol_version",
        "",
    ];
    let values = prop_oneof![
        Just("1".to_owned()),
        Just("true".to_owned()),
        Just(KEY.to_owned()),
        Just(ZERO.to_owned()),
        "[0-9a-f]{60,68}",
        "-?[0-9.]{1,16}/[0-9]{0,4}",
        "\\[[0-9a-f:%]{0,40}\\]:[0-9]{0,6}",
        "[0-9]{0,22}",
        ".{0,12}",
    ];
    (proptest::sample::select(keys.to_vec()), values).prop_map(|(key, value)| format!("{key}={value}"))
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(request: Vec<u8>) {
        let _ = parse(&request);
    }

    #[test]
    fn no_lines_make_the_parser_panic(lines in proptest::collection::vec(line(), 0..12)) {
        let _ = parse(format!("set=1\n{}\n\n", lines.join("\n")).as_bytes());
        let _ = parse(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_key_survives_its_text(key: [u8; 32]) {
        prop_assert_eq!(*key_bytes(&Hex(&key).to_string()).unwrap(), key);
    }
}
