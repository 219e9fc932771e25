//! From facts to observations. Pure: the same facts, the same findings.

use std::net::SocketAddr;

use sfha_proto::doctor::{Level, Observation, Symptom};
use sfha_proto::mesh::{PeerState, PeerStatus};
use sfha_proto::status::ClusterStatus;

use super::facts::{Disk, Facts, Mesh, OwnFile, Unit};
use crate::io::systemd::{COROSYNC, WG_DEVICE};
use crate::paths::MESH_API_PORT;
use crate::underlay::{OVERHEAD, fitting};

/// The unit of the daemon.
pub const SFHA: &str = "sfha.service";

/// Managers of addresses or of clusters that get in each other's way.
pub const FOREIGN: &[&str] =
    &["keepalived.service", "pacemaker.service", "heartbeat.service", "ucarp.service", "vrrpd.service"];

/// Whatever was tried with sfha is not older (major, minor).
const COROSYNC_WANTED: (u32, u32) = (3, 1);

/// The mesh's port before there is a cluster, and Corosync's.
const FUTURE_UDP: [u16; 2] = [51820, 5405];

/// Less room than this, in MiB, is none: a state is written beside the old one.
const DISK_FULL: u64 = 16;

/// Less room than this, in MiB, is little.
const DISK_TIGHT: u64 = 256;

/// The token goes round all nodes, more than once when packets are lost: Corosync's default retransmits it four
/// times. A full turn must fit so often into the time after which it counts as lost.
const TURNS: f64 = 4.0;

/// Lost packets, as a share, from which on Corosync is in danger.
const LOSS: f64 = 0.05;

/// Two clocks agree as well as can be seen: the other's is told in whole seconds.
const SKEW_S: i64 = 2;

/// Everything that can be said of these facts.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Observation> {
    let mut all = Vec::new();
    if !facts.root {
        all.push(Observation::new(Level::Unknown, Symptom::NotRoot));
    }
    programs(facts, &mut all);
    files(facts, &mut all);
    facts.disks.iter().for_each(|disk| all.push(room(disk)));
    units(facts, &mut all);
    daemon(facts, &mut all);
    ports(facts, &mut all);
    firewall(facts, &mut all);
    mtu(facts, &mut all);
    endpoint(facts, &mut all);
    paths(facts, &mut all);
    if let Some(fencing) = &facts.fencing {
        super::fencing::judge(fencing, &mut all);
    }
    clock(facts, &mut all);
    all
}

fn ok(code: Symptom) -> Observation {
    Observation::new(Level::Ok, code)
}

fn warning(code: Symptom) -> Observation {
    Observation::new(Level::Warning, code)
}

fn error(code: Symptom) -> Observation {
    Observation::new(Level::Error, code)
}

fn programs(facts: &Facts, all: &mut Vec<Observation>) {
    all.push(match &facts.corosync {
        None => error(Symptom::CorosyncMissing).with("program", "corosync"),
        Some(version) if numbers(version) < COROSYNC_WANTED => warning(Symptom::CorosyncOld)
            .with("version", version.as_str())
            .with("wanted", format!("{}.{}", COROSYNC_WANTED.0, COROSYNC_WANTED.1)),
        Some(version) => ok(Symptom::Corosync).with("version", version.as_str()),
    });
    let kernel = if facts.tags { Symptom::Kernel } else { Symptom::KernelUntagged };
    all.push(ok(kernel).with("version", facts.kernel.as_str()));
    all.push(match (facts.wireguard, facts.tun) {
        (true, _) => ok(Symptom::WireguardKernel),
        (false, true) => ok(Symptom::WireguardUserspace),
        // A cluster on the LAN needs neither.
        (false, false) if facts.configured && facts.mesh.is_none() => return,
        (false, false) => error(Symptom::WireguardNone),
    });
}

/// The first two numbers of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn files(facts: &Facts, all: &mut Vec<Observation>) {
    let faults: Vec<Observation> =
        facts.files.iter().filter_map(|file| fault(file, facts.configured)).collect();
    let there = facts.files.iter().filter(|file| file.found.is_some()).count();
    if faults.is_empty() && there > 0 {
        all.push(ok(Symptom::Files).with("count", there));
    }
    all.extend(faults);
    match &facts.config_faults {
        Some((path, 0)) => all.push(ok(Symptom::Config).with("path", path.display().to_string())),
        Some((path, count)) => all.push(
            error(Symptom::ConfigFaulty).with("path", path.display().to_string()).with("count", *count),
        ),
        None => {}
    }
    if let Some(path) = &facts.foreign_corosync_conf {
        // A node that has a cluster runs with it until its next start.
        all.push(warning(Symptom::ForeignCorosyncConf).with("path", path.display().to_string()));
    }
}

fn fault(file: &OwnFile, configured: bool) -> Option<Observation> {
    let path = file.path.display().to_string();
    match file.found {
        None if file.needed && configured => Some(error(Symptom::FileMissing).with("path", path)),
        None => None,
        Some((mode, _)) if file.secret && mode & 0o077 != 0 => Some(
            error(Symptom::FileOpen)
                .with("path", path)
                .with("mode", format!("{:04o}", mode & 0o7777))
                .with("wanted", "0600"),
        ),
        Some((mode, _)) if mode & 0o022 != 0 => Some(
            error(Symptom::FileOpen)
                .with("path", path)
                .with("mode", format!("{:04o}", mode & 0o7777))
                .with("wanted", format!("{:04o}", mode & 0o7755)),
        ),
        Some((_, 0)) => None,
        Some((_, owner)) => Some(error(Symptom::FileOwner).with("path", path).with("user", owner)),
    }
}

fn room(disk: &Disk) -> Observation {
    let path = disk.path.display().to_string();
    if disk.read_only {
        return error(Symptom::DiskReadOnly).with("path", path);
    }
    let found = match disk.free {
        free if free < DISK_FULL => error(Symptom::DiskFull),
        free if free < DISK_TIGHT => warning(Symptom::DiskTight),
        _ => ok(Symptom::Disk),
    };
    found.with("path", path).with("mebibytes", disk.free)
}

fn units(facts: &Facts, all: &mut Vec<Observation>) {
    let units = match &facts.units {
        Ok(units) => units,
        Err(cause) => {
            all.push(Observation::new(Level::Unknown, Symptom::NoSystemd).with("cause", cause.as_str()));
            return;
        }
    };
    let mut found: Vec<Observation> = units.iter().flat_map(|unit| about(unit, facts)).collect();
    if found.is_empty() {
        found.push(ok(Symptom::Units));
    }
    all.extend(found);
    let foreign = units.iter().filter(|unit| FOREIGN.contains(&unit.name.as_str()) && runs(unit));
    all.extend(foreign.map(|unit| warning(Symptom::ForeignManager).with("unit", unit.name.as_str())));
    match &facts.networkd {
        Some(Some(path)) => all.push(ok(Symptom::NetworkdKeeps).with("path", path.display().to_string())),
        Some(None) => all.push(warning(Symptom::NetworkdDrops)),
        None => {}
    }
}

fn runs(unit: &Unit) -> bool {
    matches!(unit.active.as_str(), "active" | "reloading" | "activating")
}

/// One of our own units.
fn about(unit: &Unit, facts: &Facts) -> Vec<Observation> {
    let name = unit.name.as_str();
    if ![SFHA, COROSYNC, WG_DEVICE].contains(&name) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if unit.active == "failed" {
        found.push(error(Symptom::UnitFailed).with("unit", name));
    } else if facts.configured && name != WG_DEVICE && !runs(unit) {
        found.push(error(Symptom::UnitStopped).with("unit", name));
    }
    let enabled = unit.at_boot.as_deref().map(|state| state.starts_with("enabled"));
    match (name, enabled) {
        (SFHA, Some(false)) if facts.configured => found.push(warning(Symptom::NotAtBoot)),
        (COROSYNC, Some(true)) if facts.mesh.is_some() => found.push(warning(Symptom::CorosyncAtBoot)),
        _ => {}
    }
    found
}

fn daemon(facts: &Facts, all: &mut Vec<Observation>) {
    match &facts.daemon {
        None if facts.configured => {
            all.push(error(Symptom::DaemonSilent).with("socket", facts.socket.display().to_string()));
        }
        Some(daemon) if daemon.version != facts.version => all.push(
            warning(Symptom::DaemonOld)
                .with("version", facts.version.as_str())
                .with("running", daemon.version.as_str()),
        ),
        Some(daemon) => all.push(ok(Symptom::Daemon).with("version", daemon.version.as_str())),
        None => {}
    }
    if !facts.configured {
        all.push(ok(Symptom::Unconfigured));
    }
    let Some(status) = status(facts) else { return };
    if let (Some(votes), Some(needed)) = (status.quorum.votes, status.quorum.needed) {
        let found = if status.quorum.quorate { ok(Symptom::Quorum) } else { error(Symptom::NoQuorum) };
        all.push(found.with("votes", votes).with("needed", needed));
    }
}

/// What the daemon says of its cluster, where there is one.
fn status(facts: &Facts) -> Option<&ClusterStatus> {
    facts.daemon.as_ref()?.status.as_ref().filter(|_| facts.configured)
}

fn ports(facts: &Facts, all: &mut Vec<Observation>) {
    let Some(ports) = &facts.ports else { return };
    let port = |code, level, port: u16, protocol: &str| {
        Observation::new(level, code).with("port", port).with("protocol", protocol)
    };
    match &facts.mesh {
        Some(mesh) => {
            let udp = ports.udp.iter().any(|socket| socket.port() == mesh.port);
            let tcp = ports.tcp.contains(&SocketAddr::new(mesh.ip, MESH_API_PORT));
            for (number, protocol, there) in [(mesh.port, "UDP", udp), (MESH_API_PORT, "TCP", tcp)] {
                all.push(match there {
                    true => port(Symptom::PortOurs, Level::Ok, number, protocol),
                    false => port(Symptom::PortClosed, Level::Error, number, protocol),
                });
            }
        }
        None if !facts.configured => {
            let taken = FUTURE_UDP.into_iter().filter(|port| ports.udp.iter().any(|s| s.port() == *port));
            all.extend(taken.map(|number| port(Symptom::PortTaken, Level::Warning, number, "UDP")));
            // On the mesh address only: whoever has it on another one is not in the way.
            if ports.tcp.iter().any(|s| s.port() == MESH_API_PORT && s.ip().is_unspecified()) {
                all.push(port(Symptom::PortTaken, Level::Warning, MESH_API_PORT, "TCP"));
            }
        }
        None => {}
    }
}

fn firewall(facts: &Facts, all: &mut Vec<Observation>) {
    let Some(firewall) = &facts.firewall else { return };
    let port = facts.mesh.as_ref().map_or(FUTURE_UDP[0], |mesh| mesh.port);
    let Some(chain) = firewall.closed.first() else {
        all.push(ok(Symptom::FirewallOpen));
        return;
    };
    // A cluster on the LAN speaks through Corosync's port.
    let port = if facts.configured && facts.mesh.is_none() { FUTURE_UDP[1] } else { port };
    let spoken_of =
        firewall.text.split(|c: char| !c.is_ascii_digit()).any(|number| number == port.to_string());
    let found = if spoken_of { ok(Symptom::FirewallMentions) } else { warning(Symptom::FirewallDrops) };
    all.push(found.with("chain", chain.as_str()).with("port", port).with("protocol", "UDP"));
}

fn mtu(facts: &Facts, all: &mut Vec<Observation>) {
    let Some(mesh) = &facts.mesh else { return };
    let tight: Vec<_> =
        facts.path_mtus.iter().filter(|(_, path)| *path < mesh.mtu.saturating_add(OVERHEAD)).collect();
    if let (true, Some(least)) = (tight.is_empty(), facts.path_mtus.iter().map(|(_, mtu)| *mtu).min()) {
        all.push(ok(Symptom::Mtu).with("mtu", mesh.mtu).with("least", least));
    }
    all.extend(tight.into_iter().map(|(node, path)| {
        warning(Symptom::MtuTight)
            .with("node", node.as_str())
            .with("mtu", mesh.mtu)
            .with("path_mtu", *path)
            .with("fitting", fitting(*path))
    }));
}

fn endpoint(facts: &Facts, all: &mut Vec<Observation>) {
    let Some(Mesh { endpoint, .. }) = &facts.mesh else { return };
    let Some(endpoint) = endpoint else {
        all.push(ok(Symptom::EndpointNone));
        return;
    };
    // A name is for others to resolve.
    let Ok(address) = endpoint.parse::<SocketAddr>() else { return };
    let own = facts.addresses.contains(&address.ip());
    let code = if own { Symptom::EndpointOwn } else { Symptom::EndpointNat };
    all.push(ok(code).with("endpoint", endpoint.as_str()).with("port", address.port()));
}

fn paths(facts: &Facts, all: &mut Vec<Observation>) {
    let Some(mesh) = facts.daemon.as_ref().and_then(|daemon| daemon.mesh.as_ref()) else { return };
    let members: Vec<&PeerStatus> = mesh.peers.iter().filter(|peer| peer.member).collect();
    let direct = |peer: &&&PeerStatus| peer.state == PeerState::Connected && peer.path == "direct";
    let count = members.iter().filter(direct).count();
    if count > 0 && count == members.len() {
        all.push(ok(Symptom::PathsDirect).with("count", count));
    }
    for peer in members.iter().filter(|peer| !direct(peer)) {
        let name = peer.name.as_str();
        all.push(match peer.state {
            PeerState::Connected => {
                warning(Symptom::PathRelayed).with("node", name).with("via", peer.path.as_str())
            }
            PeerState::Stale | PeerState::Never => error(Symptom::PathLost).with("node", name),
        });
    }
    for peer in &members {
        let lost = peer.loss.filter(|loss| *loss >= LOSS && peer.state == PeerState::Connected);
        if let Some(loss) = lost {
            let percent = (loss * 100.0).round();
            all.push(warning(Symptom::Loss).with("node", peer.name.as_str()).with("percent", percent as u64));
        }
    }
    latency(facts, &members, all);
}

fn latency(facts: &Facts, members: &[&PeerStatus], all: &mut Vec<Observation>) {
    let Some(detection) = status(facts).and_then(|status| status.detection.as_ref()) else { return };
    let measured = members.iter().filter_map(|peer| Some((peer.name.as_str(), peer.rtt_ms?)));
    let Some((node, rtt)) = measured.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    // Half a round trip for each hop, as many hops as nodes.
    let turn = rtt / 2.0 * (members.len() + 1) as f64;
    let found = if turn * TURNS > f64::from(detection.token_ms) {
        warning(Symptom::LatencyHigh).with("node", node).with("profile", detection.profile.as_str())
    } else {
        ok(Symptom::Latency)
    };
    all.push(found.with("milliseconds", format!("{rtt:.1}")).with("token", detection.token_ms));
}

fn clock(facts: &Facts, all: &mut Vec<Observation>) {
    match facts.clock_kept {
        Some(true) => all.push(ok(Symptom::Clock)),
        Some(false) => all.push(warning(Symptom::ClockAlone)),
        None => {}
    }
    let apart: Vec<_> = facts.skews.iter().filter(|(_, ahead)| ahead.abs() > SKEW_S).collect();
    if apart.is_empty() && !facts.skews.is_empty() {
        all.push(ok(Symptom::ClocksAgree).with("count", facts.skews.len()));
    }
    all.extend(apart.into_iter().map(|(node, ahead)| {
        warning(Symptom::ClockSkew).with("node", node.as_str()).with("seconds", *ahead)
    }));
}

#[cfg(test)]
mod tests;
