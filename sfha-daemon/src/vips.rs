//! Puts VIPs on interfaces and keeps them there: one task, one order at a time.
//!
//! An address is added with a kernel lifetime and lives only as long as [`Vips::renew`] is called from
//! the event loop: whatever becomes of this process, the kernel removes it.

mod conflicts;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use sfha_core::fencing::{Outcome, RunId};
use sfha_core::health::Verdict;
use sfha_core::state::Vip;
use sfha_core::{ActionId, UnitState};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::io::announce::{self, Mac};
use crate::io::conflict;
use crate::io::netlink::{NetEvent, Netlink, NetlinkError, Seen, VipPut};

use conflicts::{Conflicts, Heard};

/// Kernel lifetime of a VIP's address, in seconds: renewed every [`RENEWAL`].
///
/// The others take over a frozen node's VIPs when Corosync has missed it and the delay is over, 1.4 s
/// after it froze. With a lifetime of 2 s there were two holders for 405 ms then (measured); with 1 s
/// the address is gone after 1.25 s ([`LEASE_CERTAIN`]).
pub const LEASE_S: u32 = 1;

/// Time between two renewals.
pub const RENEWAL: Duration = Duration::from_millis(250);

/// After this time without renewal an address is gone from a node on which nothing else changes
/// addresses: the lifetime, up to 250 ms by which the kernel rounds the timer to a full second
/// (`check_lifetime` in Linux's net/ipv4/devinet.c; measured: 1.00 to 1.23 s), and a margin.
pub const LEASE_CERTAIN: Duration = Duration::from_millis(LEASE_S as u64 * 1000 + 300);

/// The same on a node where other programs live on: each change of any IPv4 address makes the kernel
/// look at all lifetimes, and then not again for 1 s (measured: a DHCP client that renewed 0.9 s after
/// the last renewal kept the address for 1.92 s).
pub const LEASE_CERTAIN_BESIDE_OTHERS: Duration = LEASE_CERTAIN.saturating_add(Duration::from_secs(1));

/// After this time without renewal the address may be gone by the kernel's clock.
const LEASE_AT_RISK: Duration = Duration::from_millis(LEASE_S as u64 * 1000 - 50);

/// For so long one look at the addresses of this node serves: orders that come together are carried out at once.
const FRESH: Duration = Duration::from_millis(10);

/// Time of the second burst of announcements after the first.
const SECOND_BURST: Duration = Duration::from_secs(5);

/// One order.
#[derive(Debug)]
enum Order {
    Acquire { id: ActionId, name: String, vip: Vip, probe: bool },
    Release { id: ActionId, name: String, vip: Vip },
    Announce { name: String },
    Renew,
}

/// What becomes of orders: what the event loop tells the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// An action ended: done, or the code of why not.
    Action(ActionId, Result<(), String>),
    /// What systemd says of a service's unit.
    Unit(String, UnitState),
    /// What is known of a health check.
    Check(String, Verdict),
    /// Somebody else on the network says that it has this VIP's address: its Ethernet address; `None` when it
    /// is over.
    Conflict(String, Option<String>),
    /// This program stood still for longer than the lease: the kernel has removed this VIP's address,
    /// and it must not be put back, since others may have it.
    Vanished(String),
    /// A driver that was called to fence a node answered, or failed.
    Fence(RunId, Outcome),
}

/// The way to give orders.
#[derive(Debug, Clone)]
pub struct Vips {
    orders: mpsc::UnboundedSender<Order>,
}

impl Vips {
    /// Starts the task. It ends when every [`Vips`] is dropped.
    #[must_use]
    pub fn start(
        netlink: Netlink,
        mut events: mpsc::Receiver<NetEvent>,
        finished: mpsc::UnboundedSender<Finished>,
    ) -> Self {
        let (orders, mut queue) = mpsc::unbounded_channel();
        let (conflicts, mut heard) = Conflicts::new();
        let (probed, mut answers) = mpsc::unbounded_channel();
        let mut task = Task {
            netlink,
            finished,
            held: BTreeMap::new(),
            announcing: BTreeMap::new(),
            probing: BTreeMap::new(),
            probed,
            conflicts,
            renewed: Instant::now(),
            seen: None,
        };
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    order = queue.recv() => match order {
                        Some(order) => task.carry_out(order).await,
                        None => return,
                    },
                    Some(event) = events.recv() => task.observe(event).await,
                    Some(answer) = answers.recv() => task.answered(answer).await,
                    Some(heard) = heard.recv() => task.hear(heard),
                }
            }
        });
        Self { orders }
    }

    /// Puts a VIP on its interface and announces it; if so wanted, only when nobody on the network has it.
    pub fn acquire(&self, id: ActionId, name: String, vip: Vip, probe: bool) {
        self.order(Order::Acquire { id, name, vip, probe });
    }

    /// Takes a VIP off its interface.
    pub fn release(&self, id: ActionId, name: String, vip: Vip) {
        self.order(Order::Release { id, name, vip });
    }

    /// Announces a VIP again.
    pub fn announce(&self, name: String) {
        self.order(Order::Announce { name });
    }

    /// Renews the lifetime of every VIP.
    pub fn renew(&self) {
        self.order(Order::Renew);
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            warn!("the task that keeps VIPs has ended");
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    interface: String,
    address: IpAddr,
    /// Where it has neighbours: number and Ethernet address of the interface.
    ethernet: Option<(u32, Mac)>,
}

struct Task {
    netlink: Netlink,
    finished: mpsc::UnboundedSender<Finished>,
    held: BTreeMap<String, Held>,
    /// Announcements under way. They end with the release: a later one would send the neighbours back
    /// to the wrong node.
    announcing: BTreeMap<String, Announcing>,
    /// VIPs whose neighbours are being asked, before they are taken.
    probing: BTreeMap<String, Probing>,
    probed: mpsc::UnboundedSender<Answered>,
    conflicts: Conflicts,
    /// When the leases were renewed last.
    renewed: Instant,
    /// The addresses of this node, for orders that come together.
    seen: Option<Seen>,
}

struct Probing {
    id: ActionId,
    held: Held,
    task: JoinHandle<()>,
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the neighbours say about the VIP that this action takes.
type Answered = (ActionId, String, std::io::Result<Option<Mac>>);

struct Announcing(JoinHandle<()>);

impl Drop for Announcing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Acquire { id, name, vip, probe } => {
                self.acquire(id, name, &vip, probe).await;
            }
            Order::Release { id, name, vip } => {
                let outcome = self.release(&name, &vip).await;
                self.finish(id, outcome);
            }
            Order::Announce { name } => {
                self.announce(&name);
            }
            Order::Renew => {
                if self.lapsed() {
                    self.give_all_up().await;
                } else {
                    self.put_all_back().await;
                }
                self.renewed = Instant::now();
                self.look_at_conflicts();
            }
        }
    }

    /// The addresses of this node, as they are or were a moment ago.
    async fn seen(&mut self) -> Result<&mut Seen, NetlinkError> {
        let seen = match self.seen.take().filter(|seen| seen.at().elapsed() < FRESH) {
            Some(seen) => seen,
            None => self.netlink.look().await?,
        };
        Ok(self.seen.insert(seen))
    }

    async fn put(&mut self, interface: &str, address: IpAddr) -> Result<VipPut, NetlinkError> {
        let netlink = self.netlink.clone();
        netlink.vip_put(self.seen().await?, interface, address, LEASE_S).await
    }

    async fn remove(&mut self, interface: &str, address: IpAddr) -> Result<bool, NetlinkError> {
        let netlink = self.netlink.clone();
        netlink.vip_remove(self.seen().await?, interface, address).await
    }

    /// Where a VIP goes on this node.
    async fn place(&mut self, name: &str, vip: &Vip) -> Result<Held, String> {
        let address = vip.address.addr();
        let interface = match &vip.interface {
            Some(interface) => interface.clone(),
            None => match self.seen().await.map(|seen| seen.interface_for(address).map(str::to_owned)) {
                Ok(Some(interface)) => interface,
                Ok(None) => return Err("no-interface".to_owned()),
                Err(error) => {
                    warn!(vip = name, %error, "cannot look for an interface");
                    return Err("netlink".to_owned());
                }
            },
        };
        let ethernet = self.ethernet(&interface).await;
        Ok(Held { interface, address, ethernet })
    }

    /// Number and Ethernet address; one without, the mesh's, has nobody to ask and nobody to announce to.
    async fn ethernet(&mut self, interface: &str) -> Option<(u32, Mac)> {
        let netlink = self.netlink.clone();
        let link = netlink.link_seen(self.seen().await.ok()?, interface).await.ok().flatten()?;
        link.mac.map(|mac| (link.index, mac))
    }

    /// Takes the VIP at once, or asks the neighbours first, which nothing else waits for.
    async fn acquire(&mut self, id: ActionId, name: String, vip: &Vip, probe: bool) {
        let held = match self.place(&name, vip).await {
            Ok(held) => held,
            Err(code) => return self.finish(id, Err(code)),
        };
        let Some((index, mac)) = held.ethernet.filter(|_| probe) else {
            let outcome = self.take(&name, held).await;
            return self.finish(id, outcome);
        };
        let (probed, address, of) = (self.probed.clone(), held.address, name.clone());
        let task = tokio::spawn(async move {
            let answer = conflict::probe(index, mac, address).await;
            // The task may have ended meanwhile.
            let _ = probed.send((id, of, answer));
        });
        self.probing.insert(name, Probing { id, held, task });
    }

    /// What the neighbours said. What kept this node from asking does not keep it from serving.
    async fn answered(&mut self, (id, name, answer): Answered) {
        if self.probing.get(&name).is_none_or(|probing| probing.id != id) {
            return;
        }
        let Some(held) = self.probing.remove(&name).map(|probing| probing.held.clone()) else { return };
        let (interface, address) = (&held.interface, held.address);
        match answer {
            Ok(Some(by)) => {
                let by = conflict::show(by);
                warn!(vip = name, interface, %address, by, "somebody else has the address");
                let _ = self.finished.send(Finished::Conflict(name, Some(by)));
                return self.finish(id, Err("duplicate-address".to_owned()));
            }
            Ok(None) => {}
            Err(error) => {
                warn!(vip = name, interface, %address, %error, "cannot ask whether somebody has the address");
            }
        }
        let outcome = self.take(&name, held).await;
        self.finish(id, outcome);
    }

    async fn take(&mut self, name: &str, held: Held) -> Result<(), String> {
        let (interface, address) = (&held.interface, held.address);
        if let Err(error) = self.put(interface, address).await {
            warn!(vip = name, interface, %address, %error, "cannot add the address");
            return Err("address-refused".to_owned());
        }
        info!(vip = name, interface, %address, "vip acquired");
        self.held.insert(name.to_owned(), held);
        self.announce(name);
        self.listen();
        Ok(())
    }

    fn finish(&self, id: ActionId, outcome: Result<(), String>) {
        // Nobody wants to know when the event loop has ended.
        let _ = self.finished.send(Finished::Action(id, outcome));
    }

    /// Listens on the interfaces of the VIPs that are held.
    fn listen(&mut self) {
        let held = self.held.values().filter_map(|held| {
            let (index, _) = held.ethernet?;
            Some((held.interface.as_str(), index, held.address))
        });
        self.conflicts.listen(held);
    }

    fn hear(&mut self, (interface, claim): Heard) {
        let claimed = self.held.iter().find_map(|(name, held)| {
            let (index, mac) = held.ethernet?;
            let same = held.interface == interface && held.address == claim.address && mac != claim.mac;
            same.then(|| (name.clone(), index, mac))
        });
        let Some((name, index, mac)) = claimed else { return };
        let verdict = self.conflicts.claimed(&name, claim.mac, Instant::now());
        let by = conflict::show(claim.mac);
        if verdict.defend
            && let Err(error) = announce::announce(index, mac, claim.address)
        {
            warn!(vip = name, error = crate::mesh::describe(&error), "cannot announce");
        }
        if verdict.tell {
            warn!(vip = name, interface, address = %claim.address, by, "somebody else claims the address");
            let _ = self.finished.send(Finished::Conflict(name, Some(by)));
        }
    }

    fn look_at_conflicts(&mut self) {
        for name in self.conflicts.over(Instant::now()) {
            info!(vip = name, "nobody else claims the address any more");
            let _ = self.finished.send(Finished::Conflict(name, None));
        }
    }

    async fn release(&mut self, name: &str, vip: &Vip) -> Result<(), String> {
        // Not renewed from here on, whatever comes of the rest.
        self.announcing.remove(name);
        self.conflicts.forget(name);
        if let Some(probing) = self.probing.remove(name) {
            self.finish(probing.id, Err("cancelled".to_owned()));
        }
        let Some(held) = self.held.remove(name) else {
            debug!(vip = name, address = %vip.address, "nothing to release");
            return Ok(());
        };
        self.listen();
        match self.remove(&held.interface, held.address).await {
            Ok(_) => {
                info!(vip = name, interface = held.interface, address = %held.address, "vip released");
                Ok(())
            }
            Err(error) => {
                warn!(vip = name, interface = held.interface, %error, "cannot remove the address; its lifetime ends it");
                self.forget_later(held);
                Err("netlink".to_owned())
            }
        }
    }

    /// A removal that failed is tried again without the core's help, too: nothing renews the address.
    fn forget_later(&self, held: Held) {
        let netlink = self.netlink.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Ok(mut seen) = netlink.look().await {
                let _ = netlink.vip_remove(&mut seen, &held.interface, held.address).await;
            }
        });
    }

    /// So much time has passed since the last renewal that the kernel may have removed the addresses.
    fn lapsed(&self) -> bool {
        self.renewed.elapsed() >= LEASE_AT_RISK
    }

    async fn give_all_up(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.announcing.clear();
        for (name, held) in held {
            warn!(vip = name, interface = held.interface, "this program stood still: the address has lapsed");
            if let Err(error) = self.remove(&held.interface, held.address).await {
                warn!(vip = name, %error, "a lapsed address cannot be removed");
            }
            let _ = self.finished.send(Finished::Vanished(name));
        }
    }

    async fn put_all_back(&mut self) {
        let names: Vec<String> = self.held.keys().cloned().collect();
        for name in names {
            self.put_back(&name).await;
        }
    }

    async fn put_back(&mut self, name: &str) {
        let Some(held) = self.held.get(name).cloned() else { return };
        match self.put(&held.interface, held.address).await {
            Ok(VipPut::Renewed) => {}
            Ok(VipPut::Added) => {
                warn!(vip = name, interface = held.interface, "somebody removed the address; it is back");
                self.announce(name);
            }
            Err(error) => warn!(vip = name, interface = held.interface, %error, "cannot renew the address"),
        }
    }

    fn announce(&mut self, name: &str) {
        let Some(Held { interface, address, ethernet }) = self.held.get(name).cloned() else { return };
        let Some((index, mac)) = ethernet else { return };
        let bursts = tokio::spawn(async move {
            for wait in [Duration::ZERO, SECOND_BURST] {
                tokio::time::sleep(wait).await;
                match announce::burst(index, mac, address) {
                    Ok(burst) => burst.finished().await,
                    Err(error) => warn!(interface, error = crate::mesh::describe(&error), "cannot announce"),
                }
            }
        });
        self.announcing.insert(name.to_owned(), Announcing(bursts));
    }

    async fn observe(&mut self, event: NetEvent) {
        let own = |address: &IpNet| self.held.values().any(|held| held.address == address.addr());
        match &event {
            NetEvent::AddressAdded { address, .. } if own(address) => {}
            _ => self.seen = None,
        }
        match event {
            NetEvent::AddressRemoved { interface, address, .. } => {
                let gone = |held: &Held| held.interface == interface && held.address == address.addr();
                let found = self.held.iter().find(|(_, held)| gone(held)).map(|(name, _)| name.clone());
                match found {
                    Some(_) if self.lapsed() => self.give_all_up().await,
                    Some(name) => self.put_back(&name).await,
                    None => {}
                }
            }
            NetEvent::LinkUp { interface } => {
                let on_it = self.held.iter().filter(|(_, held)| held.interface == interface);
                let names: Vec<String> = on_it.map(|(name, _)| name.clone()).collect();
                // It may have come back as another one: a bond that changed its active member.
                let ethernet = self.ethernet(&interface).await;
                for name in names {
                    if let Some(held) = self.held.get_mut(&name) {
                        held.ethernet = ethernet;
                    }
                    self.put_back(&name).await;
                    self.announce(&name);
                }
                // An ear ends with its interface.
                self.listen();
            }
            NetEvent::Overrun => self.put_all_back().await,
            NetEvent::AddressAdded { .. } | NetEvent::LinkDown { .. } => {}
        }
    }
}
