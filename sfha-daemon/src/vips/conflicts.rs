//! Who else says that a VIP of this node is its own: heard on every interface that carries one.
//!
//! A conflict is told once, and again when it is over. The address is defended as RFC 5227 §2.4 (c) has it for an
//! address that must not be given up: by one announcement, and not more than one in [`DEFEND_INTERVAL`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use crate::io::announce::Mac;
use crate::io::conflict::{Claim, Listener};

/// `DEFEND_INTERVAL` of RFC 5227 §1.1.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// A conflict is over when nobody has claimed the address for so long.
const QUIET: Duration = Duration::from_secs(30);

/// Claims that wait to be looked at; more of them say nothing new.
const QUEUE: usize = 64;

/// A claim that was heard, and the interface.
pub type Heard = (String, Claim);

/// What is to be done about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The conflict is new, or with somebody else than before.
    pub tell: bool,
    /// The address is to be announced.
    pub defend: bool,
}

#[derive(Debug)]
struct Conflict {
    mac: Mac,
    heard: Instant,
    defended: Instant,
}

/// Conflicts by name of the VIP, and the ears for them by interface and family.
#[derive(Debug)]
pub struct Conflicts {
    known: BTreeMap<String, Conflict>,
    ears: BTreeMap<(String, bool), Ear>,
    heard: mpsc::Sender<Heard>,
}

#[derive(Debug)]
struct Ear(JoinHandle<()>);

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Conflicts {
    /// Nothing is listened to; what will be heard comes out of the receiver.
    pub fn new() -> (Self, mpsc::Receiver<Heard>) {
        let (heard, queue) = mpsc::channel(QUEUE);
        (Self { known: BTreeMap::new(), ears: BTreeMap::new(), heard }, queue)
    }

    /// Listens where these are, and nowhere else. An ear whose interface was down begins anew.
    pub fn listen<'a>(&mut self, held: impl Iterator<Item = (&'a str, u32, IpAddr)>) {
        let wanted: BTreeMap<(String, bool), (u32, IpAddr)> = held
            .map(|(interface, index, address)| ((interface.to_owned(), address.is_ipv6()), (index, address)))
            .collect();
        self.ears.retain(|place, ear| wanted.contains_key(place) && !ear.0.is_finished());
        for (place, (index, family)) in wanted {
            if self.ears.contains_key(&place) {
                continue;
            }
            match Listener::open(index, family) {
                Ok(listener) => {
                    let ear = tokio::spawn(hear(listener, place.0.clone(), self.heard.clone()));
                    self.ears.insert(place, Ear(ear));
                }
                Err(error) => warn!(interface = place.0, %error, "duplicate addresses will not be noticed"),
            }
        }
    }

    /// Somebody else claims the address of this VIP.
    pub fn claimed(&mut self, name: &str, mac: Mac, now: Instant) -> Verdict {
        match self.known.get_mut(name) {
            Some(known) => {
                let tell = known.mac != mac;
                let defend = now.duration_since(known.defended) >= DEFEND_INTERVAL;
                (known.mac, known.heard) = (mac, now);
                if defend {
                    known.defended = now;
                }
                Verdict { tell, defend }
            }
            None => {
                self.known.insert(name.to_owned(), Conflict { mac, heard: now, defended: now });
                Verdict { tell: true, defend: true }
            }
        }
    }

    /// VIPs whose conflict is over.
    pub fn over(&mut self, now: Instant) -> Vec<String> {
        let over = self.known.extract_if(.., |_, conflict| now.duration_since(conflict.heard) >= QUIET);
        over.map(|(name, _)| name).collect()
    }

    /// This node has let go of the VIP: it is no longer its affair.
    pub fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }
}

async fn hear(listener: Listener, interface: String, heard: mpsc::Sender<Heard>) {
    while let Ok(claim) = listener.next().await {
        // A flood of claims says no more than the first ones.
        let _ = heard.try_send((interface.clone(), claim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Mac = [2, 0, 0, 0, 0, 1];
    const OTHER: Mac = [2, 0, 0, 0, 0, 2];

    #[test]
    fn a_conflict_is_told_once_and_defended_every_ten_seconds_until_it_is_over() {
        let (mut conflicts, _queue) = Conflicts::new();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let verdict = |tell, defend| Verdict { tell, defend };
        assert_eq!(conflicts.claimed("web", ONE, at(0)), verdict(true, true));
        assert_eq!(conflicts.claimed("web", ONE, at(9)), verdict(false, false));
        assert_eq!(conflicts.claimed("web", ONE, at(10)), verdict(false, true));
        assert_eq!(conflicts.claimed("web", OTHER, at(12)), verdict(true, false));
        assert_eq!(conflicts.over(at(41)), Vec::<String>::new());
        assert_eq!(conflicts.over(at(42)), ["web"]);
        assert_eq!(conflicts.over(at(99)), Vec::<String>::new());
        assert_eq!(conflicts.claimed("web", ONE, at(100)), verdict(true, true));
        conflicts.forget("web");
        assert_eq!(conflicts.over(at(200)), Vec::<String>::new());
    }
}
