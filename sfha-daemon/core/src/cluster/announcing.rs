//! Announcing VIPs that stay where they are: when the group grew, and when an operator asks for it.

use std::collections::BTreeSet;

use sfha_proto::{ErrorCode, Failure};

use super::Cluster;
use crate::action::{Action, Answered};
use crate::command::not_found;
use crate::ledger::Slot;
use crate::message::{GroupMessage, Member};

impl Cluster {
    /// The group grew: whoever came back may have announced our addresses on the other side of a split.
    pub(super) fn announce_again(&mut self) {
        if self.announce && self.is_operational() {
            self.announce = false;
            let names = self.state.vips.keys().cloned().collect();
            self.announce_ours(&names);
        }
    }

    /// An operator wants VIPs announced, all that are served if none are named. Every holder announces its own.
    pub(super) fn begin_announcement(&mut self, request: u64, names: &BTreeSet<String>) {
        match self.announceable(names) {
            Err(failure) => self.answer(request, Err(failure)),
            Ok(names) => {
                self.multicast(GroupMessage::Announce { names: names.clone() });
                self.announcements.insert(request, names);
            }
        }
    }

    fn announceable(&self, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
        if let Some(failure) = self.refusal() {
            return Err(failure);
        }
        if !self.is_operational() {
            return Err(ErrorCode::Synchronising.into());
        }
        let served =
            |name: &&String| matches!(self.ledger.slots.get(*name), Some(Slot::Held { active: true, .. }));
        if names.is_empty() {
            return Ok(self.state.vips.keys().filter(served).cloned().collect());
        }
        if let Some(name) = names.iter().find(|name| !self.state.vips.contains_key(*name)) {
            return Err(not_found("vip", name));
        }
        match names.iter().find(|name| !served(name)) {
            Some(name) => Err(Failure::new(ErrorCode::NotServed).with("name", name.as_str())),
            None => Ok(names.clone()),
        }
    }

    /// All members hear it, whoever was asked.
    pub(super) fn announcement_heard(&mut self, from: Member, names: &BTreeSet<String>) {
        self.announce_ours(names);
        if self.member == Some(from) {
            let asked = self.announcements.iter().find(|(_, asked)| *asked == names);
            if let Some(request) = asked.map(|(request, _)| *request) {
                self.announcements.remove(&request);
                let vips = names.iter().cloned().collect();
                self.answer(request, Ok(Answered::Announced { vips }));
            }
        }
    }

    /// What was asked before a change of membership may never be heard.
    pub(super) fn fail_announcements(&mut self, code: ErrorCode) {
        for request in std::mem::take(&mut self.announcements).into_keys() {
            self.answer(request, Err(code.into()));
        }
    }

    fn announce_ours(&mut self, names: &BTreeSet<String>) {
        let active = self.active();
        let ours = names.iter().filter(|name| active.contains(*name) && self.state.vips.contains_key(*name));
        let actions: Vec<_> = ours.map(|name| Action::Announce { name: name.clone() }).collect();
        self.actions.extend(actions);
    }
}
