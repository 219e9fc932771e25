//! Changing a node's WireGuard key while its traffic goes on.
//!
//! ```text
//!            Prepare            Confirm            Commit               Cleanup
//!  own ───────────▶ own + next ────────▶ … known ─────────▶ old + own ──────────▶ own
//!      file written,          every node has          the node changes its
//!      others know it         it on disk              private key; each peer
//!                                                     moves what it sends
//! ```
//!
//! A commit does not tell when the node has changed its private key, only that it may. So each peer goes by
//! what it sees: of the keys that a node has, the one that shook hands last gets its addresses ([`current`]).
//! That needs no two nodes to do anything at the same moment, it works for a peer that has not heard of the
//! commit, and it goes back when the node does.
//!
//! What must never happen: a commit before every node knows the next key, since a node that was away would
//! find nobody that answers to a key that it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use crate::command::{Command, already, invalid, not_found};
use crate::mesh::{KEEPALIVE_S, WantedPeer};
use crate::state::{ClusterState, Node, NodeId};
use crate::time::Time;

/// Time after a commit within which a peer looks often for the new key, and does not call it: the node that
/// changes its key calls, and when both do at once, both wait for 5 s (`REKEY_TIMEOUT` of the WireGuard
/// paper, § 6.1).
pub const SWITCH_PATIENCE: Duration = Duration::from_secs(5);

/// Age in seconds from which a handshake says nothing any more: Reject-After-Time of the WireGuard paper, § 6.1.
const SILENT_S: u64 = 180;

/// The keys that a node has beside its own while that is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Prepared: the node will change to it. Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<String>,
    /// Every node has the next key on its disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known: bool,
    /// Its key until the commit. Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_key: Option<String>,
}

impl Rotation {
    /// None is under way.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.next_key.is_none() && self.old_key.is_none()
    }
}

impl ClusterState {
    /// Who has that key, as its own, its next, its old one or as an invite: a node's or peer's name, or an
    /// invite's id.
    #[must_use]
    pub fn key_user(&self, key: &str) -> Option<String> {
        let invite = || self.invites.iter().find(|(_, invite)| invite.public_key == key);
        let peer = || self.peers.iter().find(|(_, peer)| peer.public_key == key);
        self.node_of_key(key)
            .map(|node| node.name.clone())
            .or_else(|| peer().map(|(name, _)| name.clone()))
            .or_else(|| invite().map(|(id, _)| id.clone()))
    }

    /// The node that has that key, as its own, its next or its old one.
    #[must_use]
    pub fn node_of_key(&self, key: &str) -> Option<&Node> {
        self.nodes.values().find(|node| keys_of(node).any(|own| own == key))
    }

    /// Applies one of the four commands of a rotation.
    pub(crate) fn rotate(&mut self, command: &Command) -> Result<(), Failure> {
        match command {
            Command::PrepareKey { node, public_key } => self.prepare_key(*node, public_key),
            Command::ConfirmKey { node, public_key } => self.confirm_key(*node, public_key),
            Command::CommitKey { node, public_key } => self.commit_key(*node, public_key),
            Command::CleanupKey { node, public_key } => self.cleanup_key(*node, public_key),
            _ => Err(ErrorCode::Internal.into()),
        }
    }

    /// The same key again is not refused until it is known to all: that all have it on disk is told by their
    /// acknowledgements of this very command.
    fn prepare_key(&mut self, id: NodeId, key: &str) -> Result<(), Failure> {
        if STANDARD.decode(key).map_or(true, |bytes| bytes.len() != 32) {
            return Err(invalid("public-key", key, "key"));
        }
        let user = self.key_user(key);
        let node = self.rotating(id)?;
        if node.rotation.next_key.as_deref() == Some(key) {
            return if node.rotation.known { Err(already("prepared")) } else { Ok(()) };
        }
        if let Some(by) = user {
            return Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "key")
                .with("name", node.name.clone())
                .with("by", by));
        }
        node.rotation.next_key = Some(key.to_owned());
        node.rotation.known = false;
        Ok(())
    }

    fn confirm_key(&mut self, id: NodeId, key: &str) -> Result<(), Failure> {
        let node = self.rotating(id)?;
        if node.rotation.next_key.as_deref() != Some(key) {
            return Err(wrong_step(node, "prepare"));
        }
        if node.rotation.known {
            return Err(already("prepared"));
        }
        node.rotation.known = true;
        Ok(())
    }

    /// Ends the node's open invites too: their tokens name a key that nobody answers to any more.
    fn commit_key(&mut self, id: NodeId, key: &str) -> Result<(), Failure> {
        let node = self.rotating(id)?;
        if node.public_key.as_deref() == Some(key) {
            return Err(already("committed"));
        }
        if node.rotation.next_key.as_deref() != Some(key) || !node.rotation.known {
            return Err(wrong_step(node, "prepare"));
        }
        let old_key = node.public_key.replace(key.to_owned());
        node.rotation = Rotation { next_key: None, known: false, old_key };
        self.invites.retain(|_, invite| invite.initiator != id || invite.redeemed.is_some());
        Ok(())
    }

    fn cleanup_key(&mut self, id: NodeId, key: &str) -> Result<(), Failure> {
        let node = self.rotating(id)?;
        if node.rotation.old_key.as_deref() != Some(key) {
            return Err(already("cleaned-up"));
        }
        node.rotation.old_key = None;
        Ok(())
    }

    fn rotating(&mut self, id: NodeId) -> Result<&mut Node, Failure> {
        let node = self.nodes.get_mut(&id).ok_or_else(|| not_found("node", &id.to_string()))?;
        if node.public_key.is_some() { Ok(node) } else { Err(not_found("mesh", &node.name)) }
    }
}

/// The step that has to come first.
fn wrong_step(node: &Node, wanted: &str) -> Failure {
    Failure::new(ErrorCode::WrongStep).with("node", node.name.clone()).with("wanted", wanted)
}

/// All keys of a node, the newest first.
pub fn keys_of(node: &Node) -> impl DoubleEndedIterator<Item = &str> {
    [&node.rotation.next_key, &node.public_key, &node.rotation.old_key]
        .into_iter()
        .filter_map(Option::as_deref)
}

/// Of the keys that shook hands (when, in seconds since 1970), those that still count: of a node with several
/// keys, the one that did last. Handshakes of the same second count for the newer key.
#[must_use]
pub fn current(state: &ClusterState, shaken: &BTreeMap<String, u64>) -> BTreeSet<String> {
    let mut current: BTreeSet<String> = shaken.keys().cloned().collect();
    for node in state.nodes.values().filter(|node| !node.rotation.is_none()) {
        let mut latest: Option<(&str, u64)> = None;
        for (key, at) in keys_of(node).filter_map(|key| Some((key, *shaken.get(key)?))) {
            let later = latest.is_none_or(|(_, latest)| at > latest);
            let loser = if later { latest.replace((key, at)).map(|(key, _)| key) } else { Some(key) };
            if let Some(loser) = loser {
                current.remove(loser);
            }
        }
    }
    current
}

/// The peers of one other node: the key in use with all that belongs to it, its other keys with nothing.
pub(crate) fn peers(node: &Node, in_use: &WantedPeer, current: &BTreeSet<String>) -> Vec<WantedPeer> {
    let own = in_use.public_key.as_str();
    let fallback = node.rotation.old_key.as_deref().unwrap_or(own);
    let carrier = keys_of(node).find(|key| current.contains(*key)).unwrap_or(fallback);
    keys_of(node)
        .map(|key| {
            if key == carrier {
                return WantedPeer { public_key: key.to_owned(), ..in_use.clone() };
            }
            WantedPeer {
                public_key: key.to_owned(),
                endpoint: in_use.endpoint.clone(),
                allowed_ips: Vec::new(),
                keepalive: None,
            }
        })
        .collect()
}

/// Looks out for keys that were committed and have not shaken hands.
#[derive(Debug, Default)]
pub struct Lookout {
    since: BTreeMap<String, Time>,
}

impl Lookout {
    /// Takes in how things stand; `current` as of [`current`].
    pub fn look(&mut self, state: &ClusterState, me: NodeId, current: &BTreeSet<String>, now: Time) {
        let awaited: BTreeSet<&String> = others(state, me)
            .filter(|node| node.rotation.old_key.is_some())
            .filter_map(|node| node.public_key.as_ref())
            .filter(|key| !current.contains(*key))
            .collect();
        self.since.retain(|key, _| awaited.contains(key));
        for key in awaited {
            self.since.entry(key.clone()).or_insert(now);
        }
    }

    /// A handshake with a new key may come at any moment.
    #[must_use]
    pub fn expects(&self, now: Time) -> bool {
        self.since.values().any(|since| now.since(*since) < SWITCH_PATIENCE)
    }

    /// Keys that this node has to call itself: those that kept it waiting, and all keys of a node whose keys
    /// have all been silent. The other side may not know where to call.
    #[must_use]
    pub fn overdue(
        &self,
        state: &ClusterState,
        me: NodeId,
        shaken: &BTreeMap<String, u64>,
        unix_now: u64,
        now: Time,
    ) -> BTreeSet<String> {
        let late = self.since.iter().filter(|(_, since)| now.since(**since) >= SWITCH_PATIENCE);
        let fresh = |key: &str| shaken.get(key).is_some_and(|at| unix_now.saturating_sub(*at) < SILENT_S);
        let silent = others(state, me)
            .filter(|node| !node.rotation.is_none() && !keys_of(node).any(fresh))
            .flat_map(keys_of);
        late.map(|(key, _)| key.as_str()).chain(silent).map(str::to_owned).collect()
    }
}

fn others(state: &ClusterState, me: NodeId) -> impl Iterator<Item = &Node> {
    state.nodes.iter().filter(move |(id, _)| **id != me).map(|(_, node)| node)
}

/// Has this node call these keys.
pub fn call(peers: &mut [WantedPeer], keys: &BTreeSet<String>) {
    for peer in peers.iter_mut().filter(|peer| keys.contains(&peer.public_key)) {
        peer.keepalive = Some(KEEPALIVE_S);
    }
}

/// What the rotation of this node's own key needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Make a key and write it to its file.
    Make,
    /// Tell it to all, and confirm that all have it.
    Prepare(String),
    /// Have it committed.
    Commit(String),
    /// It is committed: the private key is to be changed.
    Switch,
    /// Have this old key forgotten.
    Cleanup(String),
    /// Nothing is under way.
    Nothing,
}

/// What comes next, whatever was interrupted before: `used` is the public half of the key that the device has,
/// `spare` that of the one in the file of the prepared key. `begin` starts a rotation where none is under way.
#[must_use]
pub fn next(node: &Node, used: &str, spare: Option<&str>, begin: bool) -> Next {
    let own = node.public_key.as_deref();
    let next = node.rotation.next_key.as_deref();
    if own != Some(used) {
        if own.is_some() && spare == own {
            return Next::Switch;
        }
        // Changed already; the commit was lost with the disks of those who had it.
        if next == Some(used) {
            return prepared(node, used);
        }
        // Committed, and lost before it was used: another one.
        return match spare {
            Some(spare) if next == Some(spare) => prepared(node, spare),
            Some(spare) => Next::Prepare(spare.to_owned()),
            None => Next::Make,
        };
    }
    match (next, spare, &node.rotation.old_key) {
        (Some(next), Some(spare), _) if next == spare => prepared(node, next),
        // Its private half is lost.
        (Some(_), Some(spare), _) => Next::Prepare(spare.to_owned()),
        (Some(_), None, _) => Next::Make,
        (None, _, Some(old)) => Next::Cleanup(old.clone()),
        (None, Some(spare), None) if begin => Next::Prepare(spare.to_owned()),
        (None, None, None) if begin => Next::Make,
        (None, _, None) => Next::Nothing,
    }
}

fn prepared(node: &Node, key: &str) -> Next {
    if node.rotation.known { Next::Commit(key.to_owned()) } else { Next::Prepare(key.to_owned()) }
}

#[cfg(test)]
mod tests;
