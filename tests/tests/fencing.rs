//! The drivers of fencing, against the Proxmox stand-in, a small HTTP server, and real programs of Debian's
//! `fence-agents`; and the stand-in itself, against Debian's `fence_pve`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "fencing/agents.rs"]
mod agents;
#[path = "fencing/proxmox.rs"]
mod proxmox;
#[path = "fencing/webhook.rs"]
mod webhook;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sfha_core::fencing::settings::{GuestType, Target};

/// A file that only its owner can read.
fn secret_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// n1 is a virtual machine, n2 a container, n3 unknown.
fn nodes() -> BTreeMap<String, Target> {
    let target = |guest, vmid| Target { guest: Some(guest), vmid: Some(vmid), ..Target::default() };
    [("n1", target(GuestType::Qemu, 101)), ("n2", target(GuestType::Lxc, 102))]
        .map(|(name, target)| (name.to_owned(), target))
        .into()
}
