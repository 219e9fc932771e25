use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn node(id: u32) -> ConfNode {
    let [.., low] = id.to_be_bytes();
    ConfNode { id, name: format!("n{id}"), ring0: Ipv4Addr::new(10, 77, 0, low).into(), ring1: None }
}

fn conf(ids: &[u32]) -> CorosyncConf {
    CorosyncConf {
        cluster_name: "demo".to_owned(),
        config_version: 7,
        nodes: ids.iter().copied().map(node).collect(),
        profile: Profile::Lan,
        mtu: Some(1420),
        device: None,
    }
}

#[test]
fn a_device_takes_the_place_of_the_two_node_rule_and_a_node_alone_needs_none() {
    let qdevice =
        Qdevice { host: "q.example".to_owned(), port: 5403, algorithm: Algorithm::Lms, tls: Tls::On };
    let with = |ids: &[u32], qdevice: &Qdevice| {
        let device = Some(ConfDevice { qdevice: qdevice.clone(), timeout_ms: 2000 });
        render(&CorosyncConf { device, ..conf(ids) })
    };
    let text = with(&[1, 2, 3], &qdevice).unwrap();
    let device = "    device {\n        model: net\n        votes: 2\n        timeout: 2000\n        net {\n            \
                  host: q.example\n            port: 5403\n            algorithm: lms\n            tls: on\n        }\n    }\n";
    assert!(text.contains(device), "{text}");
    let ffsplit = Qdevice { algorithm: Algorithm::Ffsplit, ..qdevice.clone() };
    let text = with(&[1, 2], &ffsplit).unwrap();
    assert!(text.contains("votes: 1") && !text.contains("two_node"), "{text}");
    assert!(!with(&[1], &qdevice).unwrap().contains("device"));
    let bad = Qdevice { host: "a\nb".to_owned(), ..qdevice };
    assert_eq!(with(&[1, 2], &bad), Err(InvalidConf::BadDevice("a\nb".to_owned())));
}

#[test]
fn the_whole_file_for_two_nodes() {
    insta::assert_snapshot!(render(&conf(&[1, 2])).unwrap(), @r"
    # Written by sfha from the cluster's state; changes made here are overwritten.
    totem {
        version: 2
        cluster_name: demo
        config_version: 7
        transport: knet
        crypto_cipher: aes256
        crypto_hash: sha256
        link_mode: passive
        ip_version: ipv4
        token: 1000
        token_coefficient: 0
        consensus: 100
        knet_mtu: 1420
        interface {
            linknumber: 0
            knet_ping_interval: 190
            knet_ping_timeout: 2000
        }
    }

    quorum {
        provider: corosync_votequorum
        two_node: 1
    }

    nodelist {
        node {
            nodeid: 1
            name: n1
            ring0_addr: 10.77.0.1
        }
        node {
            nodeid: 2
            name: n2
            ring0_addr: 10.77.0.2
        }
    }

    logging {
        to_stderr: no
        to_logfile: no
        to_syslog: yes
    }
    ");
}

#[test]
fn two_node_is_set_with_exactly_two_nodes_and_wait_for_all_is_never_written() {
    for ids in [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4]] {
        let text = render(&conf(ids)).unwrap();
        assert_eq!(text.contains("two_node: 1"), ids.len() == 2, "{text}");
        assert!(!text.contains("wait_for_all"), "{text}");
    }
}

#[test]
fn a_file_that_sfha_did_not_write_is_read_but_is_not_ours() {
    let text = "totem {\n version: 2\n token: 5000\n config_version: 3\n}\n# by hand\nnodelist {\n node {\n nodeid: 4\n ring0_addr: fd00::4\n }\n}\n";
    let parsed = parse(text).unwrap();
    assert!(!is_ours(text));
    assert_eq!(parsed.config_version, 3);
    assert_eq!(parsed.profile, Profile::Custom { token_ms: 5000, consensus_ms: 6000 });
    assert_eq!(parsed.nodes[0].ring0, IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 4)));
}

#[test]
fn a_damaged_file_is_refused_with_its_line() {
    assert_eq!(parse("totem {\n nonsense\n}\n"), Err(ParseError::Syntax { line: 2 }));
    assert_eq!(parse("}\n"), Err(ParseError::Syntax { line: 1 }));
    assert_eq!(parse("totem {\n"), Err(ParseError::Unclosed));
    let key = "config_version".to_owned();
    assert_eq!(parse("totem {\n config_version: x\n}\n"), Err(ParseError::BadValue { line: 2, key }));
    let text = "nodelist {\n node {\n ring0_addr: 10.0.0.1\n }\n}\n";
    assert_eq!(parse(text), Err(ParseError::Missing { line: 4, key: "nodeid" }));
}

#[test]
fn what_corosync_would_refuse_is_refused_before() {
    let refused = |change: fn(&mut CorosyncConf)| {
        let mut conf = conf(&[1, 2]);
        change(&mut conf);
        render(&conf).unwrap_err()
    };
    assert_eq!(refused(|c| c.nodes.clear()), InvalidConf::NoNode);
    assert_eq!(refused(|c| c.config_version = 0), InvalidConf::NoVersion);
    assert_eq!(refused(|c| c.nodes[1].id = 0), InvalidConf::ZeroId("n2".to_owned()));
    assert_eq!(refused(|c| c.nodes[1].id = 1), InvalidConf::Duplicate("id 1".to_owned()));
    assert_eq!(refused(|c| c.nodes[1].name = "n1".into()), InvalidConf::Duplicate("name n1".to_owned()));
    assert_eq!(
        refused(|c| c.nodes[1].ring0 = c.nodes[0].ring0),
        InvalidConf::Duplicate("address 10.77.0.1".to_owned())
    );
    assert_eq!(
        refused(|c| c.nodes[1].ring1 = Some(Ipv4Addr::new(10, 1, 1, 1).into())),
        InvalidConf::UnevenLinks("n2".to_owned())
    );
    assert_eq!(
        refused(|c| c.nodes[1].ring0 = Ipv6Addr::LOCALHOST.into()),
        InvalidConf::MixedFamilies("n2".to_owned(), 0)
    );
    assert_eq!(
        refused(|c| c.nodes[0].ring0 = Ipv4Addr::UNSPECIFIED.into()),
        InvalidConf::BadAddress(Ipv4Addr::UNSPECIFIED.into())
    );
    let low = |token_ms, consensus_ms| Profile::Custom { token_ms, consensus_ms };
    let mut short = conf(&[1]);
    short.profile = low(199, 100);
    assert_eq!(render(&short), Err(InvalidConf::Token(199)));
    short.profile = low(300, 59);
    assert_eq!(render(&short), Err(InvalidConf::Consensus(59)));
    assert_eq!(refused(|c| c.mtu = Some(500)), InvalidConf::Mtu(500));
}

#[test]
fn the_families_in_use_are_the_ones_allowed() {
    let mut conf = conf(&[1, 2]);
    let v6 = |low| Some(IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, low)));
    (conf.nodes[0].ring1, conf.nodes[1].ring1) = (v6(1), v6(2));
    assert!(render(&conf).unwrap().contains("ip_version: ipv4-6"));
    for node in &mut conf.nodes {
        node.ring0 = node.ring1.take().unwrap();
    }
    assert!(render(&conf).unwrap().contains("ip_version: ipv6\n"));
}

#[test]
fn two_links_carry_everything_both() {
    let mut conf = conf(&[1, 2]);
    for (low, node) in (1..).zip(&mut conf.nodes) {
        node.ring1 = Some(Ipv4Addr::new(192, 0, 2, low).into());
    }
    let text = render(&conf).unwrap();
    assert!(text.contains("link_mode: active\n"), "{text}");
    assert!(text.contains("linknumber: 0\n") && text.contains("linknumber: 1\n"), "{text}");
    assert_eq!(text.matches("knet_ping_timeout: 2000\n").count(), 2, "{text}");
}

#[test]
fn detection_takes_token_and_consensus() {
    let all = [Profile::Fast, Profile::Lan, Profile::Wan].map(Profile::detection_ms);
    assert_eq!(all, [400, 1100, 3600]);
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,63}"
}

prop_compose! {
    fn valid_conf()(
        cluster_name in name(),
        config_version in 1u64..,
        nodes in proptest::collection::btree_map(1u32.., (name(), any::<u8>()), 1..16),
        second_link in any::<bool>(),
        profile in prop_oneof![
            Just(Profile::Fast), Just(Profile::Lan), Just(Profile::Wan),
            (MIN_TOKEN_MS..MAX_TIMEOUT_MS, MIN_CONSENSUS_MS..MAX_TIMEOUT_MS)
                .prop_map(|(token, consensus)| Profile::from_timeouts(token, consensus)),
        ],
        mtu in proptest::option::of(576u16..),
    ) -> CorosyncConf {
        let nodes = nodes.into_iter().enumerate().map(|(index, (id, (name, third)))| {
            let low = u8::try_from(index).unwrap_or(0) + 1;
            ConfNode {
                id,
                name: format!("{low}{}", &name[..name.len().min(60)]),
                ring0: Ipv4Addr::new(10, 77, third, low).into(),
                ring1: second_link.then(|| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, third.into(), low.into()).into()),
            }
        });
        CorosyncConf { cluster_name, config_version, nodes: nodes.collect(), profile, mtu, device: None }
    }
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back(conf in valid_conf()) {
        let text = render(&conf).unwrap();
        prop_assert!(is_ours(&text));
        prop_assert_eq!(parse(&text).unwrap(), conf);
    }

    /// Whatever the names are: refused, or the file has the lines it should have and says what it should say.
    #[test]
    fn no_name_can_add_a_line(cluster in any::<String>(), name in "[ -~\\n\\r\\t]{0,70}") {
        let mut attacked = conf(&[1, 2]);
        attacked.cluster_name = cluster;
        attacked.nodes[1].name = name;
        if let Ok(text) = render(&attacked) {
            let harmless = render(&conf(&[1, 2])).unwrap();
            prop_assert_eq!(text.lines().count(), harmless.lines().count());
            prop_assert_eq!(parse(&text).unwrap(), attacked);
        }
    }

    #[test]
    fn reading_never_panics(text in "[a-z_:{}# 0-9\\n]{0,200}") {
        let _ = parse(&text);
    }
}
