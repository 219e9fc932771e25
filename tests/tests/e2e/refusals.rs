//! What is refused: with a code, an exit status, a sentence in either language, and the machine as it was.

use std::net::UdpSocket;

use sfha_core::token::Token;
use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::{Endpoint, LabOptions, Node, Output, wait_until};

use crate::contract;

/// A node of the cluster, the node that is refused, one with a cluster of its own, and one that joins.
const MEMBER: usize = 0;
const JOINER: usize = 1;
const STRANGER: usize = 2;
const USER: usize = 3;

#[test]
fn what_cannot_be_done_is_said_and_leaves_the_node_as_it_was() {
    let cluster = Cluster::fresh(LabOptions::unique("refusals").nodes(4)).unwrap();
    let used = cluster.init(MEMBER).unwrap().token;
    cluster.join(USER, &used).unwrap();
    let _: serde_json::Value =
        cluster.ask(STRANGER, &["init", "--cluster", "other", "--mesh", "--ip", "10.100.0.1/24"]).unwrap();
    let good = cluster.token(MEMBER).unwrap().token;
    let refused = Refused { cluster: &cluster, before: footprint(cluster.node(JOINER)) };

    tokens_that_do_not_read(&refused, &good);
    tokens_that_are_no_longer_good(&refused, &used);
    machines_that_are_not_ready(&refused, &good);

    // After all these attempts the same token still does what it is for.
    let joined = cluster.join(JOINER, &good).unwrap();
    assert_eq!(joined.cluster, "prod");
    members_that_ask_for_what_is_not_possible(&cluster);
}

struct Refused<'a> {
    cluster: &'a Cluster,
    before: String,
}

impl Refused<'_> {
    /// Checks that a join is refused with one of these codes, in both languages, and leaves nothing behind.
    fn join(&self, args: &[&str], codes: &str, exit: i32) {
        let attempt = |options: &[&str]| -> Output {
            let all = [options, &["join"], args].concat();
            self.cluster.sfha(JOINER, &all).unwrap()
        };
        let document = attempt(&["--json", "--lang", "fr"]);
        let told = format!("{args:?}: {document:?}");
        let code = contract::error_code(&document.json().unwrap());
        assert!(codes.split(' ').any(|known| known == code), "{code} is none of {codes}; {told}");
        assert_eq!(document.code, exit, "{told}");
        let french = document.json().unwrap()["error"]["message"].as_str().unwrap().to_owned();
        let english = attempt(&["--lang", "en"]);
        assert_eq!(english.code, exit, "{told}");
        assert!(english.stdout.is_empty() && english.stderr.contains("Error"), "{english:?}");
        assert!(!english.stderr.contains(&french), "the same in both languages: {english:?}");
        assert_same(&self.before, &footprint(self.cluster.node(JOINER)), &code);
    }
}

/// What a failed command must not change: files with their modes, units, interfaces, addresses.
fn footprint(node: &Node) -> String {
    // systemd notes when it last did something in some files, and makes the folders of a service it starts.
    let script = "
        find /etc /var/lib -path /var/lib/systemd -prune -o -path /var/lib/postgresql -prune -o -path /etc/machine-id -prune -o \
            -type d -printf '%p %m\n' -o -printf '%p %m %s %l\n' | grep -v ' /etc/mtab' | sort
        systemctl is-active sfha corosync sfha-wg || true
        systemctl is-enabled sfha corosync || true
        ip -br link | cut -d' ' -f1
        ip -br addr | tr -s ' '";
    node.sh(script).unwrap()
}

fn assert_same(before: &str, after: &str, by: &str) {
    let only = |one: &str, other: &str| -> Vec<String> {
        let there: std::collections::BTreeSet<_> = other.lines().collect();
        one.lines().filter(|line| !there.contains(line)).map(str::to_owned).collect()
    };
    let (gone, new) = (only(before, after), only(after, before));
    assert!(gone.is_empty() && new.is_empty(), "changed by {by}: gone {gone:?}, new {new:?}");
}

fn tokens_that_do_not_read(refused: &Refused<'_>, good: &str) {
    let mut changed = good.to_owned();
    let at = changed.len() / 2;
    let other = if &changed[at..=at] == "A" { "B" } else { "A" };
    changed.replace_range(at..=at, other);
    refused.join(&[&changed], "token-damaged", 1);
    refused.join(&[&good[..good.len() / 2]], "token-damaged", 1);
    refused.join(&[&good[..good.len() - 1]], "token-damaged", 1);
    refused.join(&["sfha-join://"], "token-damaged", 1);
    refused.join(&["hello"], "token-damaged", 1);
    // Right in every respect but for the secret that signed it.
    let token = Token::decode(good).unwrap();
    let foreign = Token::new(token.claims, token.invite_key, b"the secret of another cluster").encode();
    refused.join(&[&foreign], "token-foreign", 1);
}

fn tokens_that_are_no_longer_good(refused: &Refused<'_>, used: &str) {
    let cluster = refused.cluster;
    let short: sfha_proto::mesh::TokenMade =
        cluster.ask(MEMBER, &["mesh", "token", "--expires", "1s"]).unwrap();
    let expires: jiff::Timestamp = short.expires.parse().unwrap();
    wait_until("the token to expire", PATIENCE, || jiff::Timestamp::now() > expires).unwrap();
    refused.join(&[&short.token], "token-expired", 1);

    let revoked = cluster.token(MEMBER).unwrap();
    let _: serde_json::Value = cluster.ask(MEMBER, &["mesh", "revoke", &revoked.id]).unwrap();
    refused.join(&["--timeout", "6s", &revoked.token], "token-unknown unreachable", 1);

    // The key of a token that has served is no peer any more: WireGuard does not answer it.
    refused.join(&["--timeout", "6s", used], "token-used unreachable", 1);
}

fn machines_that_are_not_ready(refused: &Refused<'_>, good: &str) {
    let cluster = refused.cluster;
    let node = cluster.node(JOINER);

    cluster.lab().block(Endpoint::Node(MEMBER), Endpoint::Node(JOINER)).unwrap();
    refused.join(&["--timeout", "4s", good], "unreachable", 1);
    cluster.lab().heal().unwrap();

    let socket = node.within_network(|| Ok(UdpSocket::bind("0.0.0.0:51820")?)).unwrap();
    refused.join(&[good], "port-busy", 1);
    drop(socket);

    let with = |make: &str, undo: &str, code: &str| {
        node.sh(make).unwrap();
        let prepared = Refused { cluster, before: footprint(node) };
        prepared.join(&[good], code, 1);
        node.sh(undo).unwrap();
    };
    with("ip link add wg-sfha type veth peer name other", "ip link del wg-sfha", "foreign-interface");
    with("ip addr add 10.100.0.200/16 dev eth0", "ip addr del 10.100.0.200/16 dev eth0", "network-overlap");
    with("mv /usr/sbin/corosync /usr/sbin/away", "mv /usr/sbin/away /usr/sbin/corosync", "corosync-missing");
    let foreign = "totem {\n  version: 2\n  cluster_name: theirs\n}\n";
    node.write_file("/etc/corosync/corosync.conf", foreign).unwrap();
    let prepared = Refused { cluster, before: footprint(node) };
    prepared.join(&[good], "foreign-corosync-conf", 1);
    assert_eq!(node.read_file("/etc/corosync/corosync.conf").unwrap(), foreign);
    node.sh("rm /etc/corosync/corosync.conf").unwrap();
    assert_same(&refused.before, &footprint(node), "the test, which put back what it prepared");
}

fn members_that_ask_for_what_is_not_possible(cluster: &Cluster) {
    let refused = |node: usize, args: &[&str], code: &str, exit: i32| {
        let output = cluster.sfha(node, &[&["--json"], args].concat()).unwrap();
        let told = format!("{args:?}: {output:?}");
        assert_eq!(contract::error_code(&output.json().unwrap()), code, "{told}");
        assert_eq!(output.code, exit, "{told}");
    };
    let again = ["init", "--cluster", "second", "--mesh", "--ip", "10.200.0.1/24"];
    refused(MEMBER, &again, "already-configured", 4);
    let token = cluster.token(MEMBER).unwrap().token;
    refused(JOINER, &["join", &token], "already-configured", 4);
    refused(JOINER, &["vip", "add", "web", "10.77.0.0/24"], "invalid-parameter", 2);
    refused(JOINER, &["vip", "remove", "nothing", "--yes"], "not-found", 1);
    let usage = cluster.sfha(JOINER, &["vip", "add", "web"]).unwrap();
    assert_eq!(usage.code, 2, "{usage:?}");

    let nobody =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sfha", "--json", "vip", "add"];
    let output = cluster.node(JOINER).exec(&[&nobody[..], &["web", "10.77.0.100/24"]].concat()).unwrap();
    assert_eq!((output.code, contract::error_code(&output.json().unwrap()).as_str()), (5, "not-permitted"));

    for gone in [MEMBER, USER] {
        cluster.node(gone).cut().unwrap();
    }
    cluster.wait_phase(JOINER, sfha_proto::status::Phase::Inquorate, PATIENCE).unwrap();
    refused(JOINER, &["vip", "add", "web", "10.77.0.100/24"], "no-quorum", 4);
    refused(JOINER, &["mesh", "token"], "no-quorum", 4);
    assert_eq!(cluster.sfha(JOINER, &["status"]).unwrap().code, 0, "looking is always possible");
    cluster.node(JOINER).exec_ok(&["systemctl", "stop", "sfha"]).unwrap();
    refused(JOINER, &["vip", "list"], "no-daemon", 3);
    for (lang, word) in [("fr", "Erreur"), ("en", "Error")] {
        let output = cluster.sfha(JOINER, &["--lang", lang, "status"]).unwrap();
        assert!(output.code == 3 && output.stderr.contains(word), "{output:?}");
    }
}
