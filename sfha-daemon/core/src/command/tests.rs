use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::resources::{Constraint, HealthCheck};
use crate::state::{MAX_NODES, MeshSettings};

fn cluster() -> ClusterState {
    let node = Node { public_key: Some("k1".into()), ..Node::new("n1", [10, 100, 0, 1].into()) };
    // A small network, so that it runs out of addresses.
    let mesh = MeshSettings {
        network: "10.100.0.0/28".parse().unwrap(),
        port: 1,
        mtu: 1420,
        links: crate::links::mesh_only(),
    };
    ClusterState::new("c", "lan", Some(mesh), node)
}

fn code(state: &mut ClusterState, command: &Command) -> ErrorCode {
    state.apply(command).unwrap_err().code
}

fn vip(name: &str, address: &str) -> Command {
    Command::AddVip { name: name.into(), address: address.parse().unwrap(), interface: None }
}

#[test]
fn a_vip_is_a_host_address_that_nobody_else_has() {
    let mut state = cluster();
    for address in ["0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/32", "10.0.0.0/24", "10.0.0.255/24"] {
        assert_eq!(code(&mut state, &vip("v", address)), ErrorCode::InvalidParameter, "{address}");
    }
    for name in ["", "-v", "v v", "v/v"] {
        assert_eq!(code(&mut state, &vip(name, "10.0.0.9/24")), ErrorCode::InvalidParameter, "{name}");
    }
    state.apply(&vip("v", "10.0.0.9/24")).unwrap();
    assert_eq!(code(&mut state, &vip("v", "10.0.0.10/24")), ErrorCode::AlreadyExists);
    assert_eq!(code(&mut state, &vip("w", "10.0.0.9/16")), ErrorCode::AlreadyExists);
    assert_eq!(code(&mut state, &vip("w", "10.100.0.1/24")), ErrorCode::AlreadyExists);
}

#[test]
fn no_node_gets_the_address_of_every_ipv6_router() {
    let mut state = cluster();
    let mesh = MeshSettings {
        network: "fd00:100::/64".parse().unwrap(),
        port: 1,
        mtu: 1420,
        links: crate::links::mesh_only(),
    };
    state.mesh = Some(mesh);
    assert_eq!(state.free_address(), Some("fd00:100::1".parse().unwrap()));
}

#[test]
fn an_invite_that_holds_the_last_seat_is_named() {
    let mut state = cluster();
    state.mesh.as_mut().unwrap().network = "10.100.0.0/24".parse().unwrap();
    let invite = |id: &str| Command::AddInvite {
        id: id.into(),
        public_key: format!("once {id}"),
        ip: None,
        expires: 100,
        initiator: 1,
    };
    let node = state.nodes[&1].clone();
    for id in 2..=u32::try_from(MAX_NODES).unwrap() - 2 {
        state.nodes.insert(id, node.clone());
    }
    state.apply(&invite("i")).unwrap();
    state.apply(&invite("j")).unwrap();
    let full = state.apply(&invite("k")).unwrap_err();
    assert_eq!(full.code, ErrorCode::TooManyNodes);
    let detail = |name: &str| full.details.get(name).cloned();
    assert_eq!(detail("nodes"), Some((MAX_NODES - 2).into()));
    assert_eq!(detail("open"), Some(2.into()));
    assert_eq!(detail("invites"), Some("i, j".into()));
    state.apply(&Command::RevokeInvite { id: "i".into() }).unwrap();
    state.apply(&invite("k")).unwrap();
}

#[test]
fn without_a_mesh_a_node_comes_with_its_own_address() {
    let mut state = cluster();
    state.mesh = None;
    let invite = |id: &str, ip: Option<&str>| Command::AddInvite {
        id: id.into(),
        public_key: format!("once {id}"),
        ip: ip.map(|ip| ip.parse().unwrap()),
        expires: 100,
        initiator: 1,
    };
    let join = |id: &str, key: &str, address: Option<&str>| Command::AddNode {
        invite: id.into(),
        name: format!("n {key}").replace(' ', ""),
        public_key: key.into(),
        endpoint: None,
        lan_address: address.map(|ip| ip.parse().unwrap()),
        now: 50,
    };
    state.apply(&invite("any", None)).unwrap();
    assert_eq!(state.invites["any"].ip, None);
    assert_eq!(code(&mut state, &join("any", "k2", None)), ErrorCode::NoLanAddress);
    assert_eq!(code(&mut state, &join("any", "k2", Some("10.100.0.1"))), ErrorCode::AlreadyExists);
    assert_eq!(code(&mut state, &join("any", "k2", Some("fd00::2"))), ErrorCode::InvalidParameter);
    state.apply(&join("any", "k2", Some("192.0.2.2"))).unwrap();
    let node = &state.nodes[&2];
    let seen = (node.address.to_string(), node.lan_address, node.public_key.as_deref());
    assert_eq!(seen, ("192.0.2.2".to_owned(), None, Some("k2")));

    assert_eq!(code(&mut state, &invite("one", Some("192.0.2.2"))), ErrorCode::AlreadyExists);
    assert_eq!(code(&mut state, &invite("one", Some("127.0.0.1"))), ErrorCode::InvalidParameter);
    state.apply(&invite("one", Some("192.0.2.3"))).unwrap();
    state.apply(&invite("other", None)).unwrap();
    assert_eq!(code(&mut state, &join("other", "k3", Some("192.0.2.3"))), ErrorCode::AlreadyExists);
    assert_eq!(code(&mut state, &join("one", "k3", Some("192.0.2.4"))), ErrorCode::InvalidParameter);
    state.apply(&join("one", "k3", Some("192.0.2.3"))).unwrap();
    assert_eq!(code(&mut state, &join("one", "k4", Some("192.0.2.3"))), ErrorCode::TokenUsed);
}

#[test]
fn an_invite_lets_one_key_in_once_until_it_ends() {
    let mut state = cluster();
    let invite = |id: &str| Command::AddInvite {
        id: id.into(),
        public_key: "once".into(),
        ip: None,
        expires: 100,
        initiator: 1,
    };
    let join = |key: &str, now| Command::AddNode {
        invite: "i".into(),
        name: "n2".into(),
        public_key: key.into(),
        endpoint: None,
        lan_address: None,
        now,
    };
    assert_eq!(code(&mut state, &join("k2", 1)), ErrorCode::TokenUnknown);
    state.apply(&invite("i")).unwrap();
    assert_eq!(code(&mut state, &join("k2", 100)), ErrorCode::TokenExpired);
    assert_eq!(code(&mut state, &join("k1", 1)), ErrorCode::AlreadyExists);
    state.apply(&join("k2", 1)).unwrap();
    assert_eq!(code(&mut state, &join("k2", 1)), ErrorCode::AlreadySo);
    assert_eq!(code(&mut state, &join("k3", 1)), ErrorCode::TokenUsed);
    assert_eq!(code(&mut state, &Command::RevokeInvite { id: "i".into() }), ErrorCode::TokenUsed);
    state.apply(&Command::CloseInvite { id: "i".into() }).unwrap();
    assert_eq!(code(&mut state, &Command::CloseInvite { id: "i".into() }), ErrorCode::AlreadySo);
}

#[test]
fn commands_of_a_later_epoch_are_newer_however_few_they_are() {
    let mut long = cluster();
    let mut short = cluster();
    for id in 0..5 {
        long.apply(&vip(&format!("v{id}"), &format!("10.0.0.{}/24", id + 1))).unwrap();
    }
    short.apply(&Command::BeginEpoch { after: 0 }).unwrap();
    assert!(short.age() > long.age());
    assert_eq!(short.age().commands, 0);
    // Two epochs of the same number: the one in which something was done was agreed on by most.
    long.apply(&Command::BeginEpoch { after: 0 }).unwrap();
    short.apply(&vip("v", "10.0.0.9/24")).unwrap();
    assert!(short.age() > long.age());
}

#[test]
fn a_removed_nodes_name_and_address_are_free_and_its_id_is_not() {
    let mut state = cluster();
    let mut join = |id: &str, key: &str| {
        let invite = Command::AddInvite {
            id: id.into(),
            public_key: format!("once-{id}"),
            ip: Some([10, 100, 0, 2].into()),
            expires: 100,
            initiator: 1,
        };
        state.apply(&invite).unwrap();
        let add = Command::AddNode {
            invite: id.into(),
            name: "n2".into(),
            public_key: key.into(),
            endpoint: None,
            lan_address: None,
            now: 1,
        };
        state.apply(&add).unwrap();
        let own = Command::AddInvite {
            id: format!("own-{id}"),
            public_key: "once".into(),
            ip: None,
            expires: 100,
            initiator: state.node_id("n2").unwrap(),
        };
        state.apply(&own).unwrap();
        let version = state.corosync.config_version;
        let id = state.node_id("n2").unwrap();
        state.apply(&Command::RemoveNode { node: id }).unwrap();
        assert_eq!(state.corosync.config_version, version + 1);
        assert!(state.invites.is_empty(), "{:?}", state.invites);
        assert_eq!(code(&mut state, &Command::RemoveNode { node: id }), ErrorCode::NotFound);
        state.apply(&Command::RemovalTold).unwrap();
        id
    };
    assert_eq!((join("a", "k2"), join("b", "k2")), (2, 3));
    assert_eq!(code(&mut state, &Command::RemoveNode { node: 1 }), ErrorCode::LastNode);
}

#[test]
fn a_peer_that_is_not_a_node_has_an_address_of_the_mesh_and_a_key_of_its_own() {
    let mut state = cluster();
    let peer = |name: &str, last: u8, key: &str| Command::AddPeer {
        name: name.into(),
        address: [10, 100, 0, last].into(),
        public_key: key.into(),
        endpoint: None,
    };
    for (name, last, key, why) in [
        ("laptop", 1, "k9", ErrorCode::AlreadyExists),
        ("laptop", 9, "k1", ErrorCode::AlreadyExists),
        ("n1", 9, "k9", ErrorCode::AlreadyExists),
        ("laptop", 0, "k9", ErrorCode::InvalidParameter),
        ("laptop", 15, "k9", ErrorCode::InvalidParameter),
        ("laptop", 16, "k9", ErrorCode::InvalidParameter),
    ] {
        assert_eq!(code(&mut state, &peer(name, last, key)), why, "{name} {last} {key}");
    }
    state.apply(&peer("laptop", 2, "k9")).unwrap();
    assert_ne!(state.free_address(), Some([10, 100, 0, 2].into()));
    assert_eq!(code(&mut state, &vip("v", "10.100.0.2/24")), ErrorCode::AlreadyExists);
    state.apply(&Command::RemovePeer { name: "laptop".into() }).unwrap();
    assert_eq!(code(&mut state, &Command::RemovePeer { name: "laptop".into() }), ErrorCode::NotFound);
}

fn command() -> impl Strategy<Value = Command> {
    let small = 0_u8..6;
    prop_oneof![
        (0_u64..4).prop_map(|after| Command::BeginEpoch { after }),
        (small.clone(), prop::option::of(0_u8..20)).prop_map(|(id, ip)| Command::AddInvite {
            id: format!("i{id}"),
            public_key: format!("once{id}"),
            ip: ip.map(|last| [10, 100, 0, last].into()),
            expires: 100,
            initiator: 1,
        }),
        small.clone().prop_map(|id| Command::RevokeInvite { id: format!("i{id}") }),
        (0_i64..150).prop_map(|now| Command::ExpireInvites { now }),
        (small.clone(), small.clone(), small.clone(), 0_i64..120).prop_map(|(id, name, key, now)| {
            Command::AddNode {
                invite: format!("i{id}"),
                name: format!("n{name}"),
                public_key: format!("k{key}"),
                endpoint: None,
                lan_address: None,
                now,
            }
        }),
        small.clone().prop_map(|id| Command::CloseInvite { id: format!("i{id}") }),
        (small.clone(), small.clone()).prop_map(|(node, port)| Command::SetEndpoint {
            node: node.into(),
            endpoint: Some(format!("h:{port}")),
        }),
        (small.clone(), 0_u8..20)
            .prop_map(|(name, last)| vip(&format!("v{name}"), &format!("10.100.0.{last}/24"))),
        small.clone().prop_map(|name| Command::RemoveVip { name: format!("v{name}") }),
        (small, any::<bool>()).prop_map(|(node, standby)| Command::SetStandby { node: node.into(), standby }),
        (any::<bool>(), prop::option::of(0_i64..3))
            .prop_map(|(on, until)| Command::SetMaintenance { on, until }),
        (0_i64..3).prop_map(|until| Command::EndMaintenance { until }),
    ]
}

fn members_command() -> impl Strategy<Value = Command> {
    let small = 0_u8..6;
    prop_oneof![
        (1_u32..6).prop_map(|node| Command::RemoveNode { node }),
        Just(Command::RemovalTold),
        // Keys and names of nodes, too.
        (small.clone(), small.clone(), 0_u8..20).prop_map(|(name, key, last)| Command::AddPeer {
            name: format!("n{name}"),
            address: [10, 100, 0, last].into(),
            public_key: format!("k{key}"),
            endpoint: None,
        }),
        small.prop_map(|name| Command::RemovePeer { name: format!("n{name}") }),
        prop::option::of(0_u64..200).prop_map(|after_s| Command::SetAutoRemove { after_s }),
        (1_u32..6, prop::option::of(0_i64..5)).prop_map(|(node, since)| Command::MarkAway { node, since }),
    ]
}

proptest! {
    /// The version rises by one when a command is applied, and nothing changes when it is refused; ids
    /// are never used again; no address, name or key is in use twice; what was marked is there.
    #[test]
    fn whatever_is_commanded_the_state_stays_sound(
        commands in prop::collection::vec(prop_oneof![3 => command(), 2 => members_command()], 1..80)
    ) {
        let mut state = cluster();
        let mut ids = BTreeSet::from([1]);
        for command in commands {
            let before = state.clone();
            match state.apply(&command) {
                Ok(()) => {
                    prop_assert_eq!(state.version, before.version + 1);
                    prop_assert!(state.age() > before.age());
                    prop_assert!(state.next_node_id >= before.next_node_id);
                }
                Err(_) => prop_assert_eq!(&state, &before),
            }
            for id in state.nodes.keys().filter(|id| !before.nodes.contains_key(id)) {
                prop_assert!(ids.insert(*id), "id {} again", id);
            }
            let mut addresses = BTreeSet::new();
            let vips = state.vips.values().map(|vip| vip.address.addr());
            let invites = state.invites.values().filter(|invite| invite.redeemed.is_none()).filter_map(|i| i.ip);
            let peers = state.peers.values().map(|peer| peer.address);
            for ip in state.nodes.values().map(|node| node.address).chain(vips).chain(invites).chain(peers) {
                prop_assert!(addresses.insert(ip), "{} twice after {:?}", ip, command);
            }
            let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
            let nodes = state.nodes.values().map(|node| (&node.name, node.public_key.as_ref()));
            for (name, key) in nodes.chain(state.peers.iter().map(|(name, p)| (name, Some(&p.public_key)))) {
                prop_assert!(names.insert(name), "{} twice after {:?}", name, command);
                prop_assert!(key.is_none_or(|key| keys.insert(key)), "{:?} twice after {:?}", key, command);
            }
            prop_assert!(!state.nodes.is_empty());
            prop_assert!(state.maintenance || state.maintenance_until.is_none());
            prop_assert!(state.away.keys().all(|id| state.nodes.contains_key(id)));
            prop_assert!(state.nodes.len() <= MAX_NODES && state.vips.len() <= MAX_VIPS);
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ClusterState>(&text).unwrap(), &state);
        }
    }
}

#[test]
fn what_is_configured_is_replaced_whole_or_not_at_all() {
    let mut state = cluster();
    state.apply(&vip("web", "192.0.2.10/24")).unwrap();
    let mut configured = state.configured();
    configured.services.insert("nginx".into(), Service::new("nginx.service"));
    let configure = |revision, configured: &Configured| Command::Configure {
        revision,
        configured: Box::new(configured.clone()),
    };
    assert_eq!(state.apply(&configure(0, &configured)).unwrap_err().code, ErrorCode::ConfigChanged);
    state.apply(&configure(1, &configured)).unwrap();
    assert_eq!((state.configured(), state.revision), (configured.clone(), 2));
    assert_eq!(state.apply(&configure(2, &configured)).unwrap_err().code, ErrorCode::AlreadySo);

    let before = state.clone();
    configured.services.insert("web".into(), Service::new("web.service"));
    assert_eq!(state.apply(&configure(2, &configured)).unwrap_err().code, ErrorCode::AlreadyExists);
    configured.services.remove("web");
    configured.services.insert("again".into(), Service::new("nginx.service"));
    assert_eq!(state.apply(&configure(2, &configured)).unwrap_err().code, ErrorCode::AlreadyExists);
    assert_eq!(state, before);
}

fn configured(change: impl FnOnce(&mut Configured)) -> Result<ClusterState, Failure> {
    let mut state = cluster();
    state.apply(&vip("web", "192.0.2.10/24")).unwrap();
    let mut configured = state.configured();
    for name in ["a", "b", "c"] {
        configured.services.insert(name.into(), Service::new(&format!("{name}.service")));
    }
    change(&mut configured);
    let revision = state.revision;
    state.apply(&Command::Configure { revision, configured: Box::new(configured) }).map(|()| state)
}

fn order(first: &str, then: &str) -> Constraint {
    Constraint::Order { first: first.into(), then: then.into() }
}

fn colocation(resource: &str, with: &str) -> Constraint {
    Constraint::Colocation { resource: resource.into(), with: with.into() }
}

fn check(service: Option<&str>) -> HealthCheck {
    let text = serde_json::json!({ "probe": { "type": "tcp", "target": "h:1" }, "service": service });
    serde_json::from_value(text).unwrap()
}

/// What is configured, and the value and reason of its refusal.
#[test]
fn what_makes_no_sense_together_is_refused_by_name() {
    type Change = fn(&mut Configured);
    let cases: [(Change, &str, &str); 11] = [
        (|c| c.constraints = vec![order("a", "nobody")], "nobody", "unknown-resource"),
        (
            |c| c.constraints = vec![order("a", "b"), order("web", "a"), order("b", "web")],
            "a → b → web → a",
            "order-circle",
        ),
        (|c| c.constraints = vec![order("a", "a")], "a → a", "order-circle"),
        (
            |c| c.constraints = vec![order("a", "b"), colocation("b", "a"), colocation("a", "b")],
            "a → b → a",
            "colocation-circle",
        ),
        (|c| c.vips.get_mut("web").unwrap().prefer = vec!["n9".into()], "n9", "unknown-node"),
        (|c| c.services.get_mut("a").unwrap().prefer = vec!["n9".into()], "n9", "unknown-node"),
        (|c| drop(c.checks.insert("ping".into(), check(Some("web")))), "web", "unknown-service"),
        (|c| c.services.get_mut("a").unwrap().unit = "../a.service".into(), "../a.service", "unit"),
        (
            |c| c.services.get_mut("a").unwrap().unit = "corosync.service".into(),
            "corosync.service",
            "unit-of-the-cluster",
        ),
        (|c| c.services.get_mut("a").unwrap().stop_timeout_ms = 0, "0", "range"),
        (|c| c.services.get_mut("a").unwrap().start_timeout_ms = 600_001, "600001", "range"),
    ];
    for (change, value, reason) in cases {
        let failure = configured(change).unwrap_err();
        assert_eq!((&failure.details["value"], &failure.details["reason"]), (&value.into(), &reason.into()));
    }
    let diamond = vec![order("a", "b"), order("a", "c"), order("b", "web"), order("c", "web")];
    configured(|c| c.constraints = diamond).unwrap();
}

#[test]
fn what_tied_a_resource_to_others_goes_with_it() {
    let mut state = configured(|c| {
        c.constraints = vec![order("a", "web"), colocation("a", "web"), order("a", "b")];
        c.checks.insert("ping".into(), check(Some("a")));
    })
    .unwrap();
    state.apply(&Command::RemoveVip { name: "web".into() }).unwrap();
    assert_eq!(state.constraints, [order("a", "b")]);
    state.apply(&Command::RemoveService { name: "a".into() }).unwrap();
    assert!(state.constraints.is_empty() && state.checks.is_empty());
}

#[test]
fn maintenance_ends_by_itself_unless_its_end_was_set_anew() {
    let mut state = cluster();
    let begin = |until| Command::SetMaintenance { on: true, until };
    state.apply(&begin(Some(10))).unwrap();
    state.apply(&begin(Some(20))).unwrap();
    assert_eq!(code(&mut state, &Command::EndMaintenance { until: 10 }), ErrorCode::AlreadySo);
    assert!(state.maintenance);
    state.apply(&Command::EndMaintenance { until: 20 }).unwrap();
    assert_eq!((state.maintenance, state.maintenance_until), (false, None));
}
