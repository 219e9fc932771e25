//! A floating address that somebody outside the cluster has as well.

use std::net::IpAddr;

use sfha_proto::status::{VipState, VipStatus};
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::wait_until;

const TAKEN: [(&str, &str, &str); 2] = [("four", "10.77.0.150", "24"), ("six", "fd00:77::150", "64")];

fn seen(cluster: &Cluster, node: usize, name: &str) -> VipStatus {
    let status = cluster.status(node).unwrap();
    status.vips.into_iter().find(|vip| vip.name == name).unwrap()
}

fn client(cluster: &Cluster, verb: &str, address: &str, prefix: &str) {
    let mut command = vec!["ip", "address", verb];
    let cidr = format!("{address}/{prefix}");
    command.extend([cidr.as_str(), "dev", "eth0"]);
    if verb == "add" && address.contains(':') {
        command.push("nodad");
    }
    cluster.lab().client().exec_ok(&command).unwrap();
}

#[test]
fn an_address_that_somebody_has_is_not_taken_and_a_claim_on_one_that_is_held_is_told() {
    let cluster = Cluster::formed("conflict", 2).unwrap();
    for (name, address, prefix) in TAKEN {
        client(&cluster, "add", address, prefix);
        let ip: IpAddr = address.parse().unwrap();
        let cidr = format!("{address}/{prefix}");
        let _: serde_json::Value = cluster.ask(1, &["vip", "add", name, &cidr, "eth0"]).unwrap();
        let conflict = || seen(&cluster, 0, name).state == VipState::Conflict;
        wait_until("the conflict to be told", PATIENCE, conflict).unwrap();
        for node in cluster.all() {
            assert!(!cluster.node(node).has_address(ip).unwrap(), "{name}: taken all the same");
        }
        let vip = seen(&cluster, 1, name);
        let claimant = vip.conflict_with.unwrap();
        assert_eq!((vip.holder, vip.problem.as_deref()), (None, Some("duplicate-address")));
        let text = cluster.sfha(0, &["--lang", "en", "status"]).unwrap().stdout;
        assert!(text.contains(&format!("{claimant} on the network has {address} already")), "{text}");

        // It goes; the next try takes it.
        client(&cluster, "del", address, prefix);
        let holder = cluster.wait_active(name, &cluster.all(), PATIENCE).unwrap();
        assert_eq!(seen(&cluster, 1, name).conflict_with, None);

        if ip.is_ipv6() {
            continue;
        }
        // And comes back while the address is held: asking for somebody else from it, it claims it.
        client(&cluster, "add", address, prefix);
        cluster.lab().client().forget_neighbours().unwrap();
        let other = cluster.node(1 - holder).ip().to_string();
        cluster.lab().client().exec(&["ping", "-c", "1", "-W", "1", "-I", address, &other]).unwrap();
        wait_until("the claim to be told", PATIENCE, conflict).unwrap();
        let vip = seen(&cluster, 1, name);
        assert_eq!((vip.holder, vip.conflict_with), (Some(cluster.node(holder).name()), Some(claimant)));
        assert!(cluster.node(holder).has_address(ip).unwrap());
        client(&cluster, "del", address, prefix);
    }
    cluster.down().unwrap();
}
