//! How the members of a view agree on one state and one ledger.
//!
//! ```text
//!   Membership changes ─▶ Waiting ──SyncStart (from the lowest member)──▶ Collecting
//!                                                                             │ all said Hello
//!                              one of them is behind                          ▼
//!   InStep ◀──Snapshot── AwaitingSnapshot ◀───────────────────────────── all the same? ──▶ InStep
//! ```
//!
//! Every step is an ordered delivery, so that all members are in the same phase at the same point of
//! the order: whether a command is applied or turned away depends on nothing else. A round that was
//! overtaken by another change of membership is simply never finished; it is valid at any time,
//! because it needs a Hello of every present member, said after a common point.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{Hello, Member, Round};

/// Where a member stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sync {
    /// No round has begun in this view.
    Waiting,
    /// A round has begun; these members have said what they have.
    Collecting {
        /// The round.
        round: Round,
        /// Who said what.
        hellos: BTreeMap<Member, Hello>,
    },
    /// The newest state is on its way.
    AwaitingSnapshot {
        /// The round.
        round: Round,
        /// Who sends it.
        donor: Member,
    },
    /// All members have the same.
    InStep,
}

/// What a round that has all its Hellos leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The member whose state wins: the newest, of several the one with the lowest id.
    pub donor: Member,
    /// Somebody lacks that state.
    pub snapshot_needed: bool,
}

/// Judges a round. `None` while somebody has not said Hello.
#[must_use]
pub fn judge(view: &BTreeSet<Member>, hellos: &BTreeMap<Member, Hello>) -> Option<Verdict> {
    if !view.iter().all(|member| hellos.contains_key(member)) {
        return None;
    }
    let newest = hellos.values().map(|hello| hello.age).max()?;
    let (donor, best) = hellos.iter().find(|(_, hello)| hello.age == newest)?;
    let same = |hello: &Hello| hello.age == newest && hello.hash == best.hash;
    Some(Verdict { donor: *donor, snapshot_needed: !hellos.values().all(same) })
}

#[cfg(test)]
mod tests;
