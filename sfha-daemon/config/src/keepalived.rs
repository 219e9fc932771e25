//! `keepalived.conf` as a part of a `config.yml`: its addresses and its checks (keepalived.conf(5)).
//!
//! Pure: text in, YAML out, with a list of everything that was not taken over and why. Addresses that keepalived
//! moves together are tied together here; a script that an instance tracks becomes a check of every node.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use sfha_core::command::check_name;
use sfha_core::resources::{Constraint, HealthCheck, MAX_CHECKS, MAX_CONSTRAINTS, Probe};
use sfha_core::state::{MAX_VIPS, Vip};

use crate::edit::edit;
use crate::shared::Shared;
use crate::{Context, check, new_file};

mod blocks;

use blocks::{Statement, statements};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Sections for `config.yml`; empty when there is nothing.
    pub yaml: String,
    /// How many VIPs are in it.
    pub vips: usize,
    /// How many checks are in it.
    pub checks: usize,
    /// What is not, in the order of the text.
    pub left_out: Vec<LeftOut>,
}

/// A statement that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Its line, counted from 1.
    pub line: usize,
    /// Its words, without secrets.
    pub what: String,
    /// Why.
    pub reason: Reason,
}

/// Why a statement was not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// sfha does that by itself, or in another way.
    NotNeeded,
    /// Belongs to each node: `node.priority`.
    Priority,
    /// Belongs to the whole cluster: `cluster.failback: false`.
    Failback,
    /// sfha balances no load.
    LoadBalancing,
    /// Routes and rules are not moved.
    Routes,
    /// Something runs when the state changes: a hook.
    Hook,
    /// Checks have no weights: one that fails moves everything.
    Weight,
    /// Another file: import it, too.
    Include,
    /// The program has no whole path.
    ScriptPath,
    /// No such script in this file.
    UnknownScript,
    /// The value does not fit a `config.yml`.
    Invalid,
    /// The same address or name is there already.
    Duplicate,
    /// More than a cluster can have.
    TooMany,
    /// Not known here.
    Unknown,
}

/// A script of keepalived, before it is known whether anything tracks it.
struct Script {
    line: usize,
    check: Option<HealthCheck>,
    tracked: bool,
}

#[derive(Default)]
struct Reader {
    shared: Shared,
    left_out: Vec<LeftOut>,
    scripts: BTreeMap<String, Script>,
    addresses: BTreeSet<IpAddr>,
    /// The first VIP of each instance.
    first: BTreeMap<String, String>,
    groups: Vec<Vec<String>>,
}

/// Reads a `keepalived.conf`.
#[must_use]
pub fn import(text: &str) -> Imported {
    let all = statements(text);
    let mut reader = Reader::default();
    // An instance may track a script that is described below it.
    for statement in all.iter().filter(|statement| statement.keyword() == "vrrp_script") {
        reader.script(statement);
    }
    for statement in &all {
        reader.top(statement);
    }
    reader.finish()
}

impl Reader {
    fn leave_out(&mut self, statement: &Statement, reason: Reason) {
        self.left_out.push(LeftOut { line: statement.line, what: statement.shown(), reason });
    }

    fn top(&mut self, statement: &Statement) {
        match statement.keyword() {
            "vrrp_instance" => self.instance(statement),
            "vrrp_sync_group" => self.group(statement),
            "vrrp_script" => {}
            "virtual_server" | "virtual_server_group" | "SSL" => {
                self.leave_out(statement, Reason::LoadBalancing);
            }
            "include" => self.leave_out(statement, Reason::Include),
            "global_defs" | "static_ipaddress" | "net_namespace" | "instance" => {
                self.leave_out(statement, Reason::NotNeeded);
            }
            "static_routes" | "static_rules" => self.leave_out(statement, Reason::Routes),
            _ => self.leave_out(statement, Reason::Unknown),
        }
    }

    fn script(&mut self, statement: &Statement) {
        let name = statement.argument().to_owned();
        let mut command = Vec::new();
        let (mut interval, mut timeout, mut fall, mut rise) = (1000, None, 1, 1);
        for part in &statement.body {
            let number = |most: u32| part.argument().parse::<u32>().ok().filter(|n| (1..=most).contains(n));
            match part.keyword() {
                "script" => command = program(part),
                "interval" => interval = millis(part.argument()).unwrap_or(interval),
                "timeout" => timeout = millis(part.argument()),
                "fall" => fall = number(1000).unwrap_or(fall),
                "rise" => rise = number(1000).unwrap_or(rise),
                "weight" => self.leave_out(part, Reason::Weight),
                "user" | "init_fail" => self.leave_out(part, Reason::NotNeeded),
                _ => self.leave_out(part, Reason::Unknown),
            }
        }
        let check = HealthCheck {
            probe: Probe::Program { command: command.clone() },
            interval_ms: interval,
            // keepalived waits as long as until the next try.
            timeout_ms: timeout.unwrap_or(interval).min(interval),
            fall,
            rise,
            start_grace_ms: 0,
            service: None,
            critical: false,
            restart_unit: None,
        };
        let reason = if self.scripts.contains_key(&name) {
            Some(Reason::Duplicate)
        } else if !command.first().is_some_and(|program| program.starts_with('/')) {
            Some(Reason::ScriptPath)
        } else if self.scripts.len() >= MAX_CHECKS {
            Some(Reason::TooMany)
        } else {
            let one = Shared { checks: [(named(&name, 0), check.clone())].into(), ..Shared::default() };
            (!fits(&one)).then_some(Reason::Invalid)
        };
        if let Some(reason) = reason {
            self.leave_out(statement, reason);
        }
        let check = reason.is_none().then_some(check);
        self.scripts.entry(name).or_insert(Script { line: statement.line, check, tracked: false });
    }

    fn instance(&mut self, statement: &Statement) {
        let own = statement.body.iter().find(|part| part.keyword() == "interface");
        let interface = own.map(|part| part.argument().to_owned());
        let mut names: Vec<String> = Vec::new();
        for part in &statement.body {
            match part.keyword() {
                "virtual_ipaddress" | "virtual_ipaddress_excluded" => {
                    for address in &part.body {
                        names.extend(self.vip(statement.argument(), address, interface.as_deref()));
                    }
                }
                "track_script" => part.body.iter().for_each(|script| self.track(script)),
                "priority" => self.leave_out(part, Reason::Priority),
                "nopreempt" => self.leave_out(part, Reason::Failback),
                "virtual_routes" | "virtual_rules" => self.leave_out(part, Reason::Routes),
                keyword if keyword.starts_with("notify") || keyword == "smtp_alert" => {
                    self.leave_out(part, Reason::Hook);
                }
                "interface" => {}
                "state"
                | "virtual_router_id"
                | "advert_int"
                | "authentication"
                | "unicast_peer"
                | "unicast_src_ip"
                | "mcast_src_ip"
                | "track_interface"
                | "preempt_delay"
                | "garp_master_delay"
                | "garp_master_refresh"
                | "garp_master_repeat"
                | "version"
                | "use_vmac"
                | "vmac_xmit_base"
                | "accept"
                | "no_accept"
                | "dont_track_primary"
                | "debug"
                | "preempt" => {
                    self.leave_out(part, Reason::NotNeeded);
                }
                _ => self.leave_out(part, Reason::Unknown),
            }
        }
        let Some((first, rest)) = names.split_first() else { return };
        for name in rest {
            self.together(name, first);
        }
        self.first.entry(statement.argument().to_owned()).or_insert_with(|| first.clone());
    }

    /// `ADDRESS[/PREFIX] [brd ADDRESS] [dev INTERFACE] [label TEXT] …`
    fn vip(&mut self, instance: &str, statement: &Statement, own: Option<&str>) -> Option<String> {
        let text = statement.keyword();
        let device = statement.words.iter().position(|word| word == "dev");
        let interface = device.and_then(|at| statement.words.get(at + 1)).map(String::as_str).or(own);
        // Without a prefix it is the whole address, as ip(8) has it.
        let address = match text.parse::<IpNet>() {
            Ok(address) => Some(address),
            Err(_) => text.parse::<IpAddr>().ok().map(IpNet::from),
        };
        let number = (0..).find(|number| !self.shared.vips.contains_key(&named(instance, *number)))?;
        let name = named(instance, number);
        let vip = address.map(|address| Vip {
            address,
            interface: interface.map(str::to_owned),
            prefer: Vec::new(),
        });
        let vip = vip
            .filter(|vip| fits(&Shared { vips: [(name.clone(), vip.clone())].into(), ..Shared::default() }));
        let reason = match &vip {
            None => Some(Reason::Invalid),
            Some(vip) if !self.addresses.insert(vip.address.addr()) => Some(Reason::Duplicate),
            Some(_) if self.shared.vips.len() >= MAX_VIPS => Some(Reason::TooMany),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            self.leave_out(statement, reason);
            return None;
        }
        self.shared.vips.insert(name.clone(), vip?);
        Some(name)
    }

    fn track(&mut self, statement: &Statement) {
        if statement.words.iter().any(|word| word == "weight") {
            self.leave_out(statement, Reason::Weight);
        }
        match self.scripts.get_mut(statement.keyword()) {
            Some(script) => script.tracked = true,
            None => self.leave_out(statement, Reason::UnknownScript),
        }
    }

    fn group(&mut self, statement: &Statement) {
        for part in &statement.body {
            match part.keyword() {
                "group" => self.groups.push(part.body.iter().flat_map(|line| line.words.clone()).collect()),
                "track_script" => part.body.iter().for_each(|script| self.track(script)),
                keyword if keyword.starts_with("notify") || keyword == "smtp_alert" => {
                    self.leave_out(part, Reason::Hook);
                }
                _ => self.leave_out(part, Reason::NotNeeded),
            }
        }
    }

    fn together(&mut self, name: &str, with: &str) {
        if self.shared.constraints.len() < MAX_CONSTRAINTS {
            let tie = Constraint::Colocation { resource: name.to_owned(), with: with.to_owned() };
            self.shared.constraints.insert(tie);
        }
    }

    fn finish(mut self) -> Imported {
        for group in std::mem::take(&mut self.groups) {
            let firsts: BTreeSet<String> =
                group.iter().filter_map(|name| self.first.get(name)).cloned().collect();
            let mut firsts = firsts.into_iter();
            let Some(leader) = firsts.next() else { continue };
            for other in firsts {
                // Two groups that share an instance could otherwise make a ring.
                let led = |tie: &Constraint| tie.names()[0] == other;
                if !self.shared.constraints.iter().any(led) {
                    self.together(&other, &leader);
                }
            }
        }
        for (name, script) in std::mem::take(&mut self.scripts) {
            let Some(check) = script.check else { continue };
            let name = named(&name, 0);
            match self.shared.checks.entry(name) {
                Entry::Vacant(free) => drop(free.insert(HealthCheck { critical: script.tracked, ..check })),
                Entry::Occupied(taken) => self.left_out.push(LeftOut {
                    line: script.line,
                    what: taken.key().clone(),
                    reason: Reason::Duplicate,
                }),
            }
        }
        self.left_out.sort();
        let (vips, checks) = (self.shared.vips.len(), self.shared.checks.len());
        Imported { yaml: render(&self.shared).unwrap_or_default(), vips, checks, left_out: self.left_out }
    }
}

/// `script "PROGRAM ARGUMENT…"`, or without the quotes.
fn program(statement: &Statement) -> Vec<String> {
    match statement.words.get(1..) {
        Some([whole]) => whole.split_whitespace().map(str::to_owned).collect(),
        Some(words) => words.to_vec(),
        None => Vec::new(),
    }
}

/// Seconds, with decimals, as milliseconds.
fn millis(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    (0.1..=86_400.0).contains(&seconds).then_some((seconds * 1000.0) as u64)
}

/// A name of sfha's: what cannot stand in one is replaced. The second one of the same name is number 1.
fn named(name: &str, number: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let mut clean: String = name.chars().map(plain).take(50).collect();
    if check_name("name", &clean).is_err() {
        clean.insert(0, 'k');
    }
    if number == 0 { clean } else { format!("{clean}-{}", number + 1) }
}

/// Whether that can stand in a `config.yml`.
fn fits(shared: &Shared) -> bool {
    let Ok(text) = whole(shared) else { return false };
    check(&text, &Context::default()).valid().is_some_and(|config| config.shared == *shared)
}

fn whole(shared: &Shared) -> Result<String, crate::edit::Stuck> {
    edit(&new_file("cluster", "node", false), &Shared::default().changes_to(shared))
}

/// The sections alone.
fn render(shared: &Shared) -> Option<String> {
    let text = whole(shared).ok()?;
    let sections = ["vips:", "services:", "health_checks:", "constraints:"];
    let from = text.lines().position(|line| sections.iter().any(|section| line.starts_with(section)))?;
    Some(text.lines().skip(from).flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests;
