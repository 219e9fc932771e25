//! The switch: a bridge in a namespace of its own, one port for each node and the client. Cables are pulled
//! by taking a port down, partitions are pairs of ports between which the bridge drops everything.

use std::fmt::Write as _;

use anyhow::Result;

use super::address;
use super::netns;
use super::place::Place;
use super::reap::GlobalLock;

/// Something that is plugged into the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A node, counted from 0.
    Node(usize),
    /// The client.
    Client,
}

impl Endpoint {
    /// The name of its port on the switch.
    pub fn port(self) -> String {
        match self {
            Self::Node(index) => format!("p{}", index + 1),
            Self::Client => "client".to_owned(),
        }
    }
}

/// The tables of the switch: pairs of ports that cannot talk, and pairs that lose some frames.
const RULES: &str = "
table bridge lab {
  set cut { type ifname . ifname; }
  chain loss { }
  chain forward {
    type filter hook forward priority 0;
    iifname . oifname @cut counter drop
    jump loss
  }
}
";

/// There may be no such table: it is made first.
const NO_COPIES: &str = "add table netdev copies\ndelete table netdev copies\n";

/// A lab's switch.
#[derive(Debug, Clone)]
pub(crate) struct Switch {
    netns: String,
}

impl Switch {
    pub(crate) fn of(place: &Place) -> Self {
        Self { netns: place.part("switch") }
    }

    pub(crate) fn create(&self, lock: &GlobalLock) -> Result<()> {
        netns::add(&self.netns, lock)?;
        netns::ip(&self.netns, "link add br0 type bridge mcast_snooping 0\nlink set br0 up")?;
        netns::nft(&self.netns, RULES)
    }

    /// Connects a namespace: its end of the cable is `eth0` with that hardware address. An old cable of this
    /// endpoint is thrown away first, whatever was at its other end.
    pub(crate) fn connect(&self, endpoint: Endpoint, netns: &str, mac: &str, plugged: bool) -> Result<()> {
        let port = endpoint.port();
        // There is none the first time.
        let _ = netns::ip(&self.netns, &format!("link del {port}"));
        let state = if plugged { "up" } else { "down" };
        netns::ip(
            &self.netns,
            &format!(
                "link add {port} type veth peer name eth0 address {mac} netns {netns}\n\
                 link set {port} master br0 {state}"
            ),
        )
    }

    /// Plugs the cable of an endpoint in or pulls it: the other end gains or loses its carrier.
    pub(crate) fn set_plugged(&self, endpoint: Endpoint, plugged: bool) -> Result<()> {
        netns::set_link(&self.netns, &endpoint.port(), plugged)
    }

    /// Drops what goes from the first to the second endpoint of each pair, in that direction only.
    pub(crate) fn block(&self, pairs: &[(Endpoint, Endpoint)]) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let elements: Vec<_> =
            pairs.iter().map(|(from, to)| format!("\"{}\" . \"{}\"", from.port(), to.port())).collect();
        netns::nft(&self.netns, &format!("add element bridge lab cut {{ {} }}", elements.join(", ")))
    }

    /// Loses `percent` of the frames from the first to the second endpoint of each pair, from now on only these.
    pub(crate) fn lose(&self, pairs: &[(Endpoint, Endpoint)], percent: u8) -> Result<()> {
        let chance = chance(percent);
        let mut script = String::from("flush chain bridge lab loss\n");
        for (from, to) in pairs {
            let (from, to) = (from.port(), to.port());
            writeln!(
                script,
                "add rule bridge lab loss iifname \"{from}\" oifname \"{to}\" {chance} counter drop"
            )?;
        }
        netns::nft(&self.netns, &script)
    }

    /// Of what the nodes, so many of them, send to each other, `percent` arrives twice, from now on.
    pub(crate) fn duplicate(&self, nodes: usize, percent: u8) -> Result<()> {
        let (mut script, chance) = (String::from(NO_COPIES), chance(percent));
        script.push_str("table netdev copies {\n");
        for from in 0..nodes {
            let port = Endpoint::Node(from).port();
            writeln!(script, "chain {port} {{ type filter hook ingress device \"{port}\" priority 0;")?;
            for to in (0..nodes).filter(|to| *to != from) {
                let (mac, to) =
                    (address::mac_text(address::mac(u8::try_from(to + 1)?)), Endpoint::Node(to).port());
                writeln!(script, "ether daddr {mac} {chance} counter dup to \"{to}\"")?;
            }
            script.push_str("}\n");
        }
        script.push('}');
        netns::nft(&self.netns, &script)
    }

    /// Lets everybody talk to everybody, each frame once. Pulled cables stay pulled.
    pub(crate) fn heal(&self) -> Result<()> {
        netns::nft(
            &self.netns,
            &format!("flush set bridge lab cut\nflush chain bridge lab loss\n{NO_COPIES}"),
        )
    }
}

/// What is true of that share of all frames.
fn chance(percent: u8) -> String {
    match percent {
        100.. => String::new(),
        percent => format!("numgen random mod 100 < {percent}"),
    }
}
