use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::state::MeshSettings;

fn cluster() -> ClusterState {
    let node = Node {
        name: "n1".into(),
        address: [10, 100, 0, 1].into(),
        public_key: Some("k1".into()),
        endpoint: None,
        standby: false,
        rotation: Default::default(),
        lan_address: None,
    };
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
        any::<bool>().prop_map(|on| Command::SetMaintenance { on }),
    ]
}

proptest! {
    /// The version rises by one when a command is applied, and nothing changes when it is refused; ids
    /// are never used again; no address is in use twice.
    #[test]
    fn whatever_is_commanded_the_state_stays_sound(commands in prop::collection::vec(command(), 1..80)) {
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
            let invites = state.invites.values().filter(|invite| invite.redeemed.is_none()).map(|i| i.ip);
            for ip in state.nodes.values().map(|node| node.address).chain(vips).chain(invites) {
                prop_assert!(addresses.insert(ip), "{} twice after {:?}", ip, command);
            }
            prop_assert!(state.nodes.len() <= MAX_NODES && state.vips.len() <= MAX_VIPS);
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ClusterState>(&text).unwrap(), &state);
        }
    }
}
