//! A router between a node and the switch, for meshes whose members cannot all be reached from outside.
//!
//! ```text
//!   switch ── eth0 10.77.0.51  [sfha.NAME.nat1]  lan 192.168.1.1 ── eth0 192.168.1.2 node1
//! ```

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use super::address;
use super::netns;
use super::place::Place;
use super::reap::GlobalLock;
use super::switch::{Endpoint, Switch};

/// How a router translates the addresses of what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// One outside port for all that a socket sends, the socket's own where it is free: two such routers can be
    /// talked through once both sides have sent something.
    Cone,
    /// Another, random outside port for each destination: nobody but the destination can use it.
    Symmetric,
}

impl Nat {
    fn rule(self) -> &'static str {
        match self {
            Self::Cone => "masquerade",
            Self::Symmetric => "masquerade random,fully-random",
        }
    }

    /// As home routers do, it drops what nobody behind it asked for. One that answers it would remember it, and
    /// give the same socket another port when that calls back (Linux: the connection is taken).
    fn table(rule: &str) -> String {
        format!(
            "table ip nat {{
               chain postrouting {{
                 type nat hook postrouting priority srcnat;
                 oifname \"eth0\" {rule}
               }}
               chain input {{
                 type filter hook input priority filter;
                 iifname \"eth0\" ct state new drop
               }}
             }}\n"
        )
    }
}

/// Between the last bytes of the nodes and those of floating addresses.
const FIRST_HOST: u8 = 50;

/// The router of one node.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    place: Place,
    index: usize,
}

impl Router {
    pub(crate) fn new(place: &Place, index: usize) -> Self {
        Self { place: place.clone(), index }
    }

    /// The router of a node that has one.
    pub(crate) fn of(place: &Place, index: usize) -> Option<Self> {
        let router = Self::new(place, index);
        netns::path(&router.netns()).exists().then_some(router)
    }

    pub(crate) fn netns(&self) -> String {
        self.place.part(&format!("nat{}", self.index + 1))
    }

    fn number(&self) -> u8 {
        u8::try_from(self.index + 1).unwrap_or(u8::MAX)
    }

    /// Its address on the switch, where what the node sends seems to come from.
    pub(crate) fn outside(&self) -> Ipv4Addr {
        address::ipv4(FIRST_HOST + self.number())
    }

    /// The node's own address.
    pub(crate) fn inside(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, self.number(), 2)
    }

    fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, self.number(), 1)
    }

    pub(crate) fn create(&self, nat: Nat, lock: &GlobalLock) -> Result<()> {
        let netns = self.netns();
        netns::add(&netns, lock)?;
        let host = FIRST_HOST + self.number();
        let mac = address::mac_text(address::mac(host));
        Switch::of(&self.place).connect(Endpoint::Node(self.index), &netns, &mac, true)?;
        netns::ip(&netns, &address::configure(host))?;
        netns::nft(&netns, &Nat::table(nat.rule()))?;
        netns::within(&netns, || fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("ip_forward"))
    }

    /// Gives a node's new namespace its cable to the router.
    pub(crate) fn connect(&self, netns: &str, mac: &str, plugged: bool) -> Result<()> {
        let (router, gateway) = (self.netns(), self.gateway());
        // There is none the first time.
        let _ = netns::ip(&router, "link del lan");
        let state = if plugged { "up" } else { "down" };
        netns::ip(
            &router,
            &format!(
                "link add lan type veth peer name eth0 address {mac} netns {netns}\n\
                 addr add {gateway}/24 dev lan\nlink set lan {state}"
            ),
        )?;
        let inside = self.inside();
        netns::ip(
            netns,
            &format!("addr add {inside}/24 dev eth0\nlink set eth0 up\nroute add default via {gateway}"),
        )
    }

    /// Forgets every mapping, as a router that was restarted does; UDP goes out of this port from now on.
    pub(crate) fn rebind(&self, port: u16) -> Result<()> {
        let netns = self.netns();
        let table = Nat::table(&format!("meta l4proto udp masquerade to :{port}"));
        netns::nft(&netns, &format!("delete table ip nat\n{table}"))?;
        // What was masqueraded to an address is forgotten with it.
        let configure = address::configure(FIRST_HOST + self.number());
        netns::ip(&netns, &format!("addr flush dev eth0 scope global\n{configure}"))
    }

    pub(crate) fn set_plugged(&self, plugged: bool) -> Result<()> {
        netns::set_link(&self.netns(), "lan", plugged)
    }
}
