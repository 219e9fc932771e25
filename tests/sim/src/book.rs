//! What is remembered from outside: who asked for what and was told what, what must not be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sfha_core::action::Answered;
use sfha_core::{Command, NodeId};
use sfha_proto::Failure;

/// A request of an operator.
#[derive(Debug)]
struct Request {
    node: NodeId,
    pid: u32,
    asked: u64,
    /// It was answered, or nobody is there any more who could.
    over: bool,
    /// The value it writes to the register.
    value: Option<String>,
    /// The key it prepares.
    key: Option<String>,
    /// The node that it removes.
    removes: Option<NodeId>,
}

/// One write to the register: the endpoint of node 1.
#[derive(Debug, Clone, Default)]
struct Write {
    asked: u64,
    /// When it was certain that nothing more can come of it.
    over: Option<u64>,
}

/// The outside view.
#[derive(Debug, Default)]
pub struct Book {
    requests: BTreeMap<u64, Request>,
    last: u64,
    writes: BTreeMap<String, Write>,
    /// The newest write that was said to be applied.
    kept: Option<String>,
    /// States of established epochs, by (epoch, version).
    pub(super) states: BTreeMap<(u64, u64), sfha_core::ClusterState>,
    /// When the run is over.
    pub(super) end: u64,
    /// Longest time that an address was on two nodes, by the reason for which it may.
    pub(super) overlaps: BTreeMap<&'static str, u64>,
    /// Overlaps that are not over: address, the two nodes; since when, until when at most, why.
    open: BTreeMap<(IpAddr, NodeId, NodeId), (u64, u64, &'static str)>,
    /// When each node last had no quorum.
    pub(super) without_quorum: BTreeMap<NodeId, u64>,
    /// Nodes of whose removal an operator was told, and when.
    pub(super) removed: BTreeMap<NodeId, u64>,
    /// Nodes that were fenced.
    pub(super) fenced: u64,
    /// Nodes that an operator answered for.
    pub(super) confirmed: u64,
    /// Nodes that were reset by their watchdog.
    pub(super) bitten: u64,
    /// Fencings that began by themselves: node and episode.
    pub(super) begun: BTreeSet<(NodeId, u64)>,
    /// Some node's status told of a storm.
    pub(super) storm: bool,
    /// Since when whoever leads (node and process) does not fence a node, in an episode, and does not say why.
    pub(super) untold: BTreeMap<(NodeId, u32, NodeId, u64), u64>,
    /// Requests by what came of them.
    pub(super) outcomes: BTreeMap<String, u64>,
}

impl Book {
    /// A request is made; its number.
    pub fn ask(&mut self, node: NodeId, pid: u32, now: u64, command: Option<&Command>) -> u64 {
        self.last += 1;
        let value = match command {
            Some(Command::SetEndpoint { endpoint: Some(value), node: 1 }) => Some(value.clone()),
            _ => None,
        };
        if let Some(value) = &value {
            self.writes.insert(value.clone(), Write { asked: now, over: None });
        }
        let key = match command {
            Some(Command::PrepareKey { public_key, .. }) => Some(public_key.clone()),
            _ => None,
        };
        let removes = match command {
            Some(Command::RemoveNode { node }) => Some(*node),
            _ => None,
        };
        let request = Request { node, pid, asked: now, over: false, value, key, removes };
        self.requests.insert(self.last, request);
        self.last
    }

    /// A value that nobody wrote before.
    #[must_use]
    pub fn fresh_value(&self) -> String {
        format!("value{}:1", self.writes.len())
    }

    /// Returns the key that was prepared by it, and the version of the state that has it.
    pub(super) fn answered(
        &mut self,
        number: u64,
        node: NodeId,
        pid: u32,
        now: u64,
        result: &Result<Answered, Failure>,
    ) -> Result<Option<(String, u64)>, String> {
        let request = self.requests.get_mut(&number).ok_or(format!("request {number} was never made"))?;
        if request.over || (request.node, request.pid) != (node, pid) {
            return Err(format!("request {number} is answered again by node {node}: {result:?}"));
        }
        request.over = true;
        let outcome = match result {
            Ok(Answered::Applied(_)) => "applied".to_owned(),
            Ok(Answered::Moved { .. }) => "moved".to_owned(),
            Ok(Answered::Announced { .. }) => "announced".to_owned(),
            Err(failure) => failure.code.as_str(),
        };
        *self.outcomes.entry(outcome.clone()).or_default() += 1;
        if let Some(gone) = request.removes.filter(|_| outcome == "applied") {
            self.removed.insert(gone, now);
        }
        let key = match result {
            Ok(Answered::Applied(version)) => request.key.clone().map(|key| (key, *version)),
            _ => None,
        };
        let Some(value) = request.value.clone() else { return Ok(key) };
        if outcome == "applied" {
            let asked = |value: &String| self.writes.get(value).map_or(0, |write| write.asked);
            if self.kept.as_ref().is_none_or(|kept| asked(kept) < asked(&value)) {
                self.kept = Some(value.clone());
            }
        }
        // A command that timed out, or could not be written by all, may still come through.
        if !["timed-out", "file-write", "no-daemon"].contains(&outcome.as_str())
            && let Some(write) = self.writes.get_mut(&value)
        {
            write.over = Some(now);
        }
        Ok(key)
    }

    /// What an established state has in the register: nothing that the kept write had overwritten.
    pub(super) fn check_register(&self, value: Option<&str>) -> Result<(), String> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let written = self.writes.get(kept).map_or(0, |write| write.asked);
        let stale = match value.and_then(|value| self.writes.get(value)) {
            None => true,
            Some(write) => write.over.is_some_and(|over| over < written),
        };
        if stale { Err(format!("{kept:?} was applied, and the state says {value:?}")) } else { Ok(()) }
    }

    /// An address is on two nodes at once, and there is a reason.
    pub(super) fn overlap(
        &mut self,
        ip: IpAddr,
        nodes: [NodeId; 2],
        now: u64,
        until: u64,
        why: &'static str,
    ) {
        let key = (ip, nodes[0].min(nodes[1]), nodes[0].max(nodes[1]));
        let entry = self.open.entry(key).or_insert((now, until, why));
        if entry.1 < now {
            // The one before was over.
            let (since, end, why) = std::mem::replace(entry, (now, until, why));
            self.close(since, end, why);
        } else {
            entry.1 = until;
        }
    }

    /// A node has an address no more.
    pub(super) fn removed(&mut self, ip: IpAddr, node: NodeId, now: u64) {
        let over = |key: &(IpAddr, NodeId, NodeId)| key.0 == ip && (key.1 == node || key.2 == node);
        let keys: Vec<_> = self.open.keys().filter(|key| over(key)).copied().collect();
        for key in keys {
            if let Some((since, until, why)) = self.open.remove(&key) {
                self.close(since, until.min(now), why);
            }
        }
    }

    /// All overlaps that are known are over at their latest.
    pub(super) fn close_all(&mut self) {
        for (since, until, why) in std::mem::take(&mut self.open).into_values() {
            self.close(since, until, why);
        }
    }

    fn close(&mut self, since: u64, until: u64, why: &'static str) {
        let longest = self.overlaps.entry(why).or_default();
        *longest = (*longest).max(until - since);
    }

    pub(super) fn process_ended(&mut self, node: NodeId, pid: u32) {
        for request in self.requests.values_mut() {
            request.over |= (request.node, request.pid) == (node, pid);
        }
    }

    /// A request that waits for longer than any may.
    pub(super) fn overdue(&self, now: u64) -> Option<u64> {
        let late = |request: &Request| !request.over && now.saturating_sub(request.asked) > 25_000_000;
        self.requests.iter().find(|(_, request)| late(request)).map(|(number, _)| *number)
    }
}
