//! What the tests share.

use std::net::IpAddr;
use std::time::Duration;

use sfha_tests::cluster::{Cluster, PATIENCE, VIP};
use sfha_tests::lab::{AddressWatcher, Node, ProbeReport, Prober, WatchReport, wait_until};

/// The name of the VIP of most tests.
pub const WEB: &str = "web";

pub fn vip() -> IpAddr {
    VIP.parse().unwrap()
}

/// A formed cluster with one VIP, under observation from before the VIP's first moment.
pub struct Watched {
    pub cluster: Cluster,
    pub watcher: AddressWatcher,
    pub prober: Prober,
}

impl Watched {
    pub fn new(label: &str, nodes: usize) -> Self {
        let cluster = Cluster::formed(label, nodes).unwrap_or_else(|error| panic!("{error:#}"));
        let watcher = cluster.lab().watch_address(vip()).unwrap();
        let prober = cluster.lab().client().probe(vip()).unwrap();
        cluster.vip_add(nodes - 1, WEB, VIP).unwrap();
        prober.wait_answered(PATIENCE).unwrap();
        cluster.wait_active(WEB, &cluster.all(), PATIENCE).unwrap();
        Self { cluster, watcher, prober }
    }

    /// The node that has the address now.
    pub fn holder(&self) -> usize {
        self.watcher.wait_one_holder(PATIENCE).unwrap()
    }

    /// All nodes but one.
    pub fn others(&self, node: usize) -> Vec<usize> {
        self.cluster.all().into_iter().filter(|other| *other != node).collect()
    }

    /// Waits until one of these nodes has the VIP, all of them know it and the client reaches it there.
    pub fn served_by_one_of(&self, nodes: &[usize]) -> usize {
        let holder = self.cluster.wait_active(WEB, nodes, PATIENCE).unwrap();
        self.watcher.wait_holders(&[holder], PATIENCE).unwrap_or_else(|error| {
            panic!("{error:#}\n{}", self.cluster.describe());
        });
        self.prober.wait_answered_again(PATIENCE).unwrap();
        assert_eq!(self.prober.report().last_node(), Some(holder));
        holder
    }

    /// Waits until all nodes are in step, and the one that has the VIP keeps it for a while.
    pub fn settled_on(&self, holder: usize) {
        self.cluster.wait_in_step(&self.cluster.all(), PATIENCE).unwrap();
        let before = self.watcher.report().holdings.len();
        stays("the holder", Duration::from_secs(2), || self.watcher.holders() == [holder]);
        assert_eq!(self.watcher.report().holdings.len(), before, "nothing moves any more");
        assert_eq!(self.cluster.wait_active(WEB, &self.cluster.all(), PATIENCE).unwrap(), holder);
    }

    /// Fails when two nodes ever had the address at once.
    pub fn never_two_holders(&self) {
        let report = self.watcher.report();
        assert_eq!(
            report.two_holders,
            Duration::ZERO,
            "two holders: {report:#?}\n{}",
            self.cluster.describe()
        );
    }

    /// The longest silence that ended after that moment of the prober.
    pub fn gap_since(&self, moment: Duration) -> Duration {
        let silences = self.prober.report().silences;
        let after = silences.iter().filter(|silence| silence.from + silence.length > moment);
        after.map(|silence| silence.length).max().unwrap_or_default()
    }

    /// Ends the observation.
    pub fn finish(self) -> (Cluster, WatchReport, ProbeReport) {
        self.never_two_holders();
        (self.cluster, self.watcher.finish().unwrap(), self.prober.finish().unwrap())
    }
}

/// Adds to a node's `config.yml` and has the cluster run what it then says.
pub fn configure(cluster: &Cluster, node: usize, what: &str) {
    let path = "/etc/sfha/config.yml";
    let old = cluster.node(node).read_file(path).unwrap();
    cluster.node(node).write_file(path, &format!("{old}\n{what}")).unwrap();
    let done: sfha_proto::config::Reloaded = cluster.ask(node, &["reload"]).unwrap();
    assert!(!done.changes.is_empty());
}

/// Looks for that long whether something stays true.
pub fn stays(what: &str, time: Duration, condition: impl Fn() -> bool) {
    let broke = wait_until(what, time, || !condition());
    assert!(broke.is_err(), "{what} did not stay");
}

/// Lets a node neither send to nor receive on this UDP port, until [`unblock`].
pub fn block(node: &Node, port: u16) {
    let rules = format!(
        "table inet sfhatest {{
           chain in {{ type filter hook input priority 0; udp dport {port} drop; }}
           chain out {{ type filter hook output priority 0; udp dport {port} drop; }}
         }}"
    );
    let file = "/root/block.nft";
    node.write_file(file, &rules).unwrap();
    node.exec_ok(&["nft", "-f", file]).unwrap();
}

/// Ends every [`block`].
pub fn unblock(node: &Node) {
    node.exec_ok(&["nft", "delete", "table", "inet", "sfhatest"]).unwrap();
}
