//! The kernel passes packets on from peer to peer while this node relays, and only then.

use std::net::IpAddr;
use std::path::Path;

use tracing::{info, warn};

use crate::paths::INTERFACE;

/// Switches forwarding on or off for what comes in on the mesh interface.
#[derive(Debug, Default)]
pub struct Forwarding {
    /// Files that were changed, with what they held.
    changed: Vec<(String, String)>,
    warned: bool,
}

impl Forwarding {
    /// Makes it so; cheap when it is so.
    pub fn set(&mut self, on: bool, address: IpAddr) {
        match (on, self.changed.is_empty()) {
            (true, _) => self.switch_on(address),
            (false, true) => {}
            (false, false) => self.switch_off(),
        }
    }

    fn switch_on(&mut self, address: IpAddr) {
        let files: &[(&str, &str)] = match address {
            // A redirect would name a gateway that is a tunnel's other end.
            IpAddr::V4(_) => &[("ipv4", "send_redirects=0"), ("ipv4", "forwarding=1")],
            // Not `forwarding`, which does not forward but makes the interface a router's. Before Linux 6.17 the
            // kernel forwards IPv6 on all interfaces or on none, and the former makes it ignore router
            // advertisements: not ours to decide.
            IpAddr::V6(_) => &[("ipv6", "force_forwarding=1")],
        };
        for (family, setting) in files {
            let Some((name, value)) = setting.split_once('=') else { continue };
            let file = format!("/proc/sys/net/{family}/conf/{INTERFACE}/{name}");
            let Some(before) = read(&file) else { continue };
            if before == value {
                continue;
            }
            match std::fs::write(&file, value) {
                Ok(()) => {
                    info!(file, value, "this node relays");
                    // A device that was made anew has its defaults again.
                    self.changed.retain(|(known, _)| *known != file);
                    self.changed.push((file, before));
                }
                Err(error) => self.warn(&file, &error.to_string()),
            }
        }
        let whole = "/proc/sys/net/ipv6/conf/all/forwarding";
        let force = format!("/proc/sys/net/ipv6/conf/{INTERFACE}/force_forwarding");
        if address.is_ipv6() && !Path::new(&force).exists() && read(whole).as_deref() != Some("1") {
            self.warn(whole, "the kernel forwards no IPv6");
        }
    }

    fn switch_off(&mut self) {
        for (file, before) in std::mem::take(&mut self.changed) {
            match std::fs::write(&file, &before) {
                Ok(()) => info!(file, value = before, "this node no longer relays"),
                Err(error) => warn!(file, %error, "forwarding stays on"),
            }
        }
    }

    fn warn(&mut self, file: &str, cause: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            warn!(file, cause, "this node cannot relay");
        }
    }
}

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}
