//! Hosts, guests and tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::faults::Fault;
use super::lock;

/// Kinds of guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A virtual machine.
    Qemu,
    /// A container.
    Lxc,
}

impl Kind {
    /// As in paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
        }
    }

    /// What its tasks begin with.
    const fn tool(self) -> &'static str {
        match self {
            Self::Qemu => "qm",
            Self::Lxc => "vz",
        }
    }
}

/// A guest.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its kind.
    pub kind: Kind,
    /// The host that it is on.
    pub host: String,
    /// It runs.
    pub running: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub kind: String,
    pub id: String,
    pub user: String,
    /// `None` while it runs.
    pub exit: Option<String>,
}

type Hook = Arc<dyn Fn(bool) -> Result<(), String> + Send + Sync>;

pub(super) struct World {
    pub hosts: Vec<String>,
    pub guests: BTreeMap<u32, Guest>,
    pub hooks: BTreeMap<u32, Hook>,
    pub tasks: BTreeMap<String, Task>,
    pub task_time: Duration,
    pub privileges: BTreeSet<String>,
    pub faults: Vec<Fault>,
    pub requests: Vec<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("hosts", &self.hosts)
            .field("guests", &self.guests)
            .finish_non_exhaustive()
    }
}

impl World {
    pub fn new(hosts: &[&str]) -> Self {
        Self {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            guests: BTreeMap::new(),
            hooks: BTreeMap::new(),
            tasks: BTreeMap::new(),
            task_time: Duration::from_millis(50),
            privileges: ["VM.PowerMgmt", "VM.Audit"].map(str::to_owned).into(),
            faults: Vec::new(),
            requests: Vec::new(),
        }
    }

    pub fn add(&mut self, kind: Kind, vmid: u32, host: &str) {
        self.guests.insert(vmid, Guest { kind, host: host.to_owned(), running: true });
    }

    /// Starts a task that switches a guest, and returns its UPID.
    pub fn begin(
        world: &Arc<Mutex<Self>>,
        vmid: u32,
        action: &str,
        user: &str,
        fails: Option<String>,
    ) -> String {
        let mut here = lock(world);
        let guest = here.guests[&vmid].clone();
        let number = here.tasks.len();
        let kind = format!("{}{action}", guest.kind.tool());
        let upid =
            format!("UPID:{}:{:08X}:{number:08X}:65A00000:{kind}:{vmid}:{user}:", guest.host, 4000 + number);
        here.tasks
            .insert(upid.clone(), Task { kind, id: vmid.to_string(), user: user.to_owned(), exit: None });
        let time = here.task_time;
        drop(here);
        let (world, task, action) = (Arc::clone(world), upid.clone(), action.to_owned());
        thread::spawn(move || {
            thread::sleep(time);
            let outcome = match fails {
                Some(why) => Err(why),
                None => Self::switch(&world, vmid, &action),
            };
            let exit = outcome.err().unwrap_or_else(|| "OK".to_owned());
            if let Some(task) = lock(&world).tasks.get_mut(&task) {
                task.exit = Some(exit);
            }
        });
        upid
    }

    fn switch(world: &Arc<Mutex<Self>>, vmid: u32, action: &str) -> Result<(), String> {
        let (hook, running) = {
            let here = lock(world);
            let running = here.guests.get(&vmid).is_some_and(|guest| guest.running);
            (here.hooks.get(&vmid).cloned(), running)
        };
        let steps: &[bool] = match (action, running) {
            ("start", true) => return Err(format!("VM {vmid} already running")),
            ("reset", false) => return Err(format!("VM {vmid} not running")),
            ("reset" | "reboot", _) => &[false, true],
            ("start", false) => &[true],
            // Stopping what is stopped is done at once.
            (_, false) => &[],
            (_, true) => &[false],
        };
        for on in steps {
            if let Some(hook) = &hook {
                hook(*on)?;
            }
            if let Some(guest) = lock(world).guests.get_mut(&vmid) {
                guest.running = *on;
            }
        }
        Ok(())
    }
}
