//! The API's paths and their answers.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::world::{Guest, Kind, World};
use super::{PASSWORD, TOKEN_ID, TOKEN_SECRET, USER, lock};

const TICKET: &str = "PVE:root@pam:65A00000::c2ZoYQ==";
const CSRF: &str = "65A00000:c2ZoYSBjc3Jm";

/// A request, as far as it matters.
pub(super) struct Asked<'a> {
    pub method: &'a str,
    /// Below `/api2/json`.
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a str,
    pub authorization: &'a str,
    pub cookie: &'a str,
    pub csrf: &'a str,
    pub task_fails: Option<String>,
}

pub(super) struct Answer {
    pub status: u16,
    pub reason: Option<String>,
    pub body: Value,
}

impl Answer {
    fn data(data: Value) -> Self {
        Self { status: 200, reason: None, body: json!({ "data": data }) }
    }

    pub fn error(status: u16, reason: &str) -> Self {
        Self { status, reason: Some(reason.to_owned()), body: json!({ "data": null }) }
    }
}

pub(super) fn answer(world: &Arc<Mutex<World>>, asked: &Asked<'_>) -> Answer {
    if (asked.method, asked.path) == ("POST", "/access/ticket") {
        return ticket(asked.body);
    }
    let user = match user(asked) {
        Ok(user) => user,
        Err(answer) => return answer,
    };
    let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
    match (asked.method, parts.as_slice()) {
        ("GET", ["version"]) => {
            Answer::data(json!({"version": "8.2.4", "release": "8.2", "repoid": "stand-in"}))
        }
        ("GET", ["nodes"]) => nodes(&lock(world)),
        ("GET", ["cluster", "resources"]) => resources(&lock(world), asked.query),
        ("GET", ["nodes", host, kind @ ("qemu" | "lxc")]) => guests(&lock(world), host, kind),
        ("GET", ["nodes", host, kind @ ("qemu" | "lxc"), vmid, "status", "current"]) => {
            let here = lock(world);
            match allowed(&here, vmid, "VM.Audit").and_then(|()| find(&here, host, kind, vmid)) {
                Ok((vmid, guest)) => Answer::data(current(vmid, guest)),
                Err(answer) => answer,
            }
        }
        ("POST", ["nodes", host, kind @ ("qemu" | "lxc"), vmid, "status", action]) => {
            let known = match *kind {
                "qemu" => ["start", "stop", "reset", "shutdown", "reboot"].contains(action),
                _ => ["start", "stop", "shutdown", "reboot"].contains(action),
            };
            if !known {
                return Answer::error(501, &format!("Method 'POST {}' not implemented", asked.path));
            }
            let found = {
                let here = lock(world);
                allowed(&here, vmid, "VM.PowerMgmt")
                    .and_then(|()| find(&here, host, kind, vmid))
                    .map(|(vmid, _)| vmid)
            };
            match found {
                Ok(vmid) => {
                    let upid = World::begin(world, vmid, action, user, asked.task_fails.clone());
                    Answer::data(json!(upid))
                }
                Err(answer) => answer,
            }
        }
        ("GET", ["nodes", host, "tasks", upid, "status"]) => task(&lock(world), host, upid),
        _ => Answer::error(501, &format!("Method '{} {}' not implemented", asked.method, asked.path)),
    }
}

fn ticket(body: &str) -> Answer {
    let field = |name: &str| {
        body.split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.replace("%40", "@"))
    };
    if field("username").as_deref() != Some(USER) || field("password").as_deref() != Some(PASSWORD) {
        return Answer::error(401, "authentication failure");
    }
    Answer::data(json!({"username": USER, "ticket": TICKET, "CSRFPreventionToken": CSRF, "cap": {}}))
}

/// Whose request it is.
fn user<'a>(asked: &Asked<'_>) -> Result<&'a str, Answer> {
    if let Some(token) = asked.authorization.strip_prefix("PVEAPIToken=") {
        return if token == format!("{TOKEN_ID}={TOKEN_SECRET}") {
            Ok(TOKEN_ID)
        } else {
            Err(Answer::error(401, "invalid token value!"))
        };
    }
    let cookie = asked.cookie.split(';').filter_map(|pair| pair.trim().split_once('='));
    let ticket = cookie.clone().find(|(name, _)| *name == "PVEAuthCookie").map(|(_, value)| value);
    if ticket != Some(TICKET) {
        return Err(Answer::error(401, "No ticket"));
    }
    if asked.method != "GET" && asked.csrf != CSRF {
        return Err(Answer::error(401, "Permission denied - invalid csrf token"));
    }
    Ok(USER)
}

fn allowed(world: &World, vmid: &str, privilege: &str) -> Result<(), Answer> {
    if world.privileges.contains(privilege) {
        Ok(())
    } else {
        Err(Answer::error(403, &format!("Permission check failed (/vms/{vmid}, {privilege})")))
    }
}

fn find<'a>(world: &'a World, host: &str, kind: &str, vmid: &str) -> Result<(u32, &'a Guest), Answer> {
    if !world.hosts.iter().any(|known| known == host) {
        return Err(Answer::error(
            500,
            &format!("hostname lookup '{host}' failed - failed to get address info"),
        ));
    }
    let folder = if kind == "qemu" { "qemu-server" } else { "lxc" };
    let absent = || {
        Answer::error(500, &format!("Configuration file 'nodes/{host}/{folder}/{vmid}.conf' does not exist"))
    };
    let number: u32 = vmid.parse().map_err(|_| Answer::error(400, "Parameter verification failed."))?;
    let guest = world.guests.get(&number).ok_or_else(absent)?;
    if guest.host == host && guest.kind.as_str() == kind { Ok((number, guest)) } else { Err(absent()) }
}

const fn state(guest: &Guest) -> &'static str {
    if guest.running { "running" } else { "stopped" }
}

fn current(vmid: u32, guest: &Guest) -> Value {
    let mut data = json!({
        "vmid": vmid, "name": format!("guest{vmid}"), "status": state(guest), "uptime": 0, "cpus": 1,
        "maxmem": 536_870_912, "ha": {"managed": 0},
    });
    match guest.kind {
        Kind::Qemu => data["qmpstatus"] = state(guest).into(),
        Kind::Lxc => data["type"] = "lxc".into(),
    }
    data
}

fn nodes(world: &World) -> Answer {
    let row = |host: &String| json!({"node": host, "status": "online", "type": "node", "id": format!("node/{host}")});
    Answer::data(world.hosts.iter().map(row).collect())
}

/// Guests that may not be audited are left out, not refused.
fn resources(world: &World, query: &str) -> Answer {
    if !query.is_empty() && query != "type=vm" {
        return Answer::error(400, "Parameter verification failed.");
    }
    if !world.privileges.contains("VM.Audit") {
        return Answer::data(json!([]));
    }
    let row = |(vmid, guest): (&u32, &Guest)| {
        let kind = guest.kind.as_str();
        json!({
            "id": format!("{kind}/{vmid}"), "vmid": vmid, "type": kind, "node": guest.host,
            "name": format!("guest{vmid}"), "status": state(guest), "template": 0,
        })
    };
    Answer::data(world.guests.iter().map(row).collect())
}

fn guests(world: &World, host: &str, kind: &str) -> Answer {
    let here = world.guests.iter().filter(|(_, guest)| guest.host == host && guest.kind.as_str() == kind);
    Answer::data(here.map(|(vmid, guest)| current(*vmid, guest)).collect())
}

fn task(world: &World, host: &str, upid: &str) -> Answer {
    let upid = upid.replace("%3A", ":").replace("%40", "@").replace("%21", "!");
    let Some(task) = world.tasks.get(&upid) else { return Answer::error(500, "no such task") };
    let mut data = json!({
        "upid": upid, "node": host, "type": task.kind, "id": task.id, "user": task.user, "pid": 4000,
        "starttime": 1_700_000_000, "status": if task.exit.is_none() { "running" } else { "stopped" },
    });
    if let Some(exit) = &task.exit {
        data["exitstatus"] = exit.as_str().into();
    }
    Answer::data(data)
}
