//! The client: a machine on the switch that is no member of the cluster and only knows its addresses.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::address::{self, CLIENT_HOST};
use super::cgroup::Cgroup;
use super::netns;
use super::place::Place;
use super::prober::Prober;
use super::process::{Output, output_within};
use super::reap::GlobalLock;
use super::switch::{Endpoint, Switch};

/// How the client's neighbour table behaves. An entry is asked for once and then neither doubted nor
/// forgotten, so that a moved address is found again only when its new holder announces it: as with a real
/// client in the half minute before it doubts. (Left to itself Linux would ask the old holder again 5 s after
/// any announcement, and everybody when that one is silent.)
const NEIGHBOUR_SETTINGS: &[(&str, &str)] = &[
    ("base_reachable_time_ms", "86400000"),
    ("delay_first_probe_time", "86400"),
    ("gc_stale_time", "86400"),
];

/// How often the prober asks unless told otherwise.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);

/// The client of a lab.
#[derive(Debug, Clone)]
pub struct Client {
    place: Place,
}

impl Client {
    pub(crate) fn of(place: &Place) -> Self {
        Self { place: place.clone() }
    }

    pub(crate) fn create(&self, lock: &GlobalLock) -> Result<()> {
        let netns = self.netns();
        netns::add(&netns, lock)?;
        let mac = address::mac_text(address::mac(CLIENT_HOST));
        Switch::of(&self.place).connect(Endpoint::Client, &netns, &mac, true)?;
        netns::ip(&netns, &address::configure(CLIENT_HOST))?;
        self.cgroup()?.create()?;
        netns::within(&netns, || {
            for family in ["ipv4", "ipv6"] {
                for (setting, value) in NEIGHBOUR_SETTINGS {
                    let path = format!("/proc/sys/net/{family}/neigh/eth0/{setting}");
                    fs::write(&path, value).with_context(|| path.clone())?;
                }
            }
            Ok(())
        })
    }

    fn cgroup(&self) -> Result<Cgroup> {
        Ok(Cgroup::at(&self.place.cgroup())?.child("client"))
    }

    /// The name of its network namespace, for `ip netns exec`.
    pub fn netns(&self) -> String {
        self.place.part("client")
    }

    /// Its IPv4 address on the switch.
    pub fn ip(&self) -> std::net::Ipv4Addr {
        address::ipv4(CLIENT_HOST)
    }

    /// Runs a command of this machine in the client's network, for at most two minutes.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        let mut nsenter = self.cgroup()?.command("nsenter");
        nsenter.arg(format!("--net={}", netns::path(&self.netns()).display())).arg("--").args(command);
        output_within(&mut nsenter, "", Duration::from_secs(120), None)
            .with_context(|| format!("client: {}", command.join(" ")))
    }

    /// As [`exec`](Self::exec), for a command that must succeed.
    pub fn exec_ok(&self, command: &[&str]) -> Result<String> {
        self.exec(command)?.ok().with_context(|| format!("client: {}", command.join(" ")))
    }

    /// Runs `work` in a thread inside the client's network; sockets that it returns stay there.
    pub fn within_network<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        netns::within(&self.netns(), work)
    }

    /// Whether an address answers an echo request within half a second.
    pub fn can_ping(&self, ip: IpAddr) -> Result<bool> {
        let prober = self.probe_every(ip, Duration::from_millis(20))?;
        Ok(prober.wait_answered(Duration::from_millis(500)).is_ok())
    }

    /// Probes an address every 2 ms from now on.
    pub fn probe(&self, ip: IpAddr) -> Result<Prober> {
        self.probe_every(ip, PROBE_INTERVAL)
    }

    /// Probes an address at an interval of your own.
    pub fn probe_every(&self, ip: IpAddr, interval: Duration) -> Result<Prober> {
        Prober::start(self.netns(), "eth0", ip, interval)
    }

    /// Forgets who has which address, as a machine that was just switched on.
    pub fn forget_neighbours(&self) -> Result<()> {
        netns::ip(&self.netns(), "neigh flush dev eth0 nud all")
    }
}
