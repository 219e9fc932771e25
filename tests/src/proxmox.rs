//! A stand-in for Proxmox VE's API, true enough for Debian's `fence_pve`: HTTPS, API tokens and tickets, hosts,
//! guests, tasks, and the ways in which the real one fails.
//!
//! What a guest's power does is the test's business ([`Fake::on_power`]): "stop" can cut a node of the lab.
//!
//! Forms and codes follow the API viewer of Proxmox VE 8 (pve.proxmox.com/pve-docs/api-viewer) and what
//! `fence_pve` 4.12.1 expects.

mod api;
mod certificate;
mod faults;
mod server;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;

pub use faults::{Fault, FaultKind};
pub use world::{Guest, Kind};

use server::Server;
use world::World;

/// `USER@REALM!NAME` of the one API token there is.
pub const TOKEN_ID: &str = "sfha@pve!fencing";
/// Its secret.
pub const TOKEN_SECRET: &str = "3f2b7c1e-0d5a-4a53-9a3f-5fa5fa5fa5fa";
/// The user that gets tickets.
pub const USER: &str = "root@pam";
/// His password.
pub const PASSWORD: &str = "an-open-secret";

/// A Proxmox VE cluster that exists for one test.
#[derive(Debug)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    server: Server,
}

impl Fake {
    /// Starts one on a free port of 127.0.0.1, with these hosts, no guests, and a certificate of its own.
    ///
    /// # Errors
    /// When there is no port or no certificate to be had.
    pub fn start(hosts: &[&str]) -> Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), hosts)
    }

    /// The same at an address of choice.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(address: SocketAddr, hosts: &[&str]) -> Result<Self> {
        let world = Arc::new(Mutex::new(World::new(hosts)));
        let server = Server::start(address, Arc::clone(&world))?;
        Ok(Self { world, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// `https://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// SHA-256 of its certificate, as Proxmox shows it: capital hexadecimal digits with colons.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.server.fingerprint()
    }

    /// The authority that signed its certificate, PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.server.authority()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Adds a guest that runs.
    pub fn add_guest(&self, kind: Kind, vmid: u32, host: &str) {
        self.world().add(kind, vmid, host);
    }

    /// What happens when that guest is switched on (`true`) or off; an error makes the task fail.
    pub fn on_power(&self, vmid: u32, hook: impl Fn(bool) -> Result<(), String> + Send + Sync + 'static) {
        self.world().hooks.insert(vmid, Arc::new(hook));
    }

    /// Moves a guest to another host.
    pub fn migrate(&self, vmid: u32, host: &str) {
        if let Some(guest) = self.world().guests.get_mut(&vmid) {
            host.clone_into(&mut guest.host);
        }
    }

    /// Whether that guest runs; `None` for one that does not exist.
    #[must_use]
    pub fn runs(&self, vmid: u32) -> Option<bool> {
        self.world().guests.get(&vmid).map(|guest| guest.running)
    }

    /// How long tasks take.
    pub fn set_task_time(&self, time: Duration) {
        self.world().task_time = time;
    }

    /// Takes a privilege (`VM.PowerMgmt`, `VM.Audit`) from the token.
    pub fn revoke(&self, privilege: &str) {
        self.world().privileges.remove(privilege);
    }

    /// Requests whose path contains `path` meet that fault from now on; `times` of them, or all.
    pub fn fault(&self, path: &str, kind: FaultKind, times: Option<u32>) {
        self.world().faults.push(Fault { path: path.to_owned(), kind, times });
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.world().faults.clear();
    }

    /// `METHOD PATH` of all requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
