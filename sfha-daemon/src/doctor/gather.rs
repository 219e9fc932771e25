//! Looks at the machine. Whatever cannot be seen is left out: nothing here fails.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};
use sfha_config::Context;
use sfha_core::fencing::settings::FencingSettings;
use sfha_proto::mesh::Backend;
use tokio::process::Command;

use super::facts::{Disk, Facts, Firewall, Mesh, OwnFile, Unit};
use super::judge::{FOREIGN, SFHA};
use super::{ask, fencing, network};
use crate::config_file::{self, ConfigFile};
use crate::corosync_conf;
use crate::files;
use crate::io::netlink::Netlink;
use crate::io::systemd::{COROSYNC, Systemd, WG_DEVICE};
use crate::mesh_file::MeshFile;
use crate::paths::{MESH_API_PORT, Paths};
use crate::setup::is_debians;

/// Longest time for a program that tells something about itself.
const PROGRAM_DEADLINE: Duration = Duration::from_secs(3);

/// The first release of the kernel whose addresses have a tag (`IFA_PROTO`).
const FIRST_WITH_TAGS: (u32, u32) = (5, 18);

const NETWORKD: &str = "systemd-networkd.service";

/// All that can be seen.
pub async fn gather(paths: &Paths) -> Facts {
    let kernel = nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    let daemon = ask::daemon(&paths.socket()).await;
    let backend = daemon.as_ref().and_then(|daemon| daemon.mesh.as_ref()).map(|mesh| mesh.backend);
    let mesh = mesh(paths);
    let units = units().await;
    let settings = fencing::settings(paths);
    let networkd = units.as_ref().ok().and_then(|units| networkd(units));
    let mut facts = Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        root: nix::unistd::geteuid().is_root(),
        node: ConfigFile::load(paths).ok().flatten().map(|file| file.node.name),
        configured: paths.config().exists(),
        corosync: corosync().await,
        tags: numbers(&kernel) >= FIRST_WITH_TAGS,
        wireguard: match backend {
            Some(backend) => backend == Backend::Kernel,
            None => kernel_has_wireguard(&kernel),
        },
        tun: Path::new("/dev/net/tun").exists(),
        kernel,
        files: own_files(paths, settings.as_ref()),
        config_faults: config_faults(paths),
        foreign_corosync_conf: foreign_corosync_conf(paths),
        disks: [paths.lib(), paths.etc(), Path::new("/var/log")].into_iter().filter_map(disk).collect(),
        units,
        networkd,
        daemon,
        socket: paths.socket(),
        ports: network::ports(),
        firewall: nftables().await,
        mesh,
        path_mtus: Vec::new(),
        addresses: addresses().await,
        clock_kept: clock_kept(),
        skews: Vec::new(),
        fencing: None,
    };
    facts.fencing = fencing::look(settings, facts.node.as_deref(), facts.daemon.as_ref()).await;
    peers(&mut facts).await;
    facts
}

/// What only a running mesh tells.
async fn peers(facts: &mut Facts) {
    let Some(mesh) = facts.daemon.as_ref().and_then(|daemon| daemon.mesh.clone()) else { return };
    for peer in mesh.peers.iter().filter(|peer| peer.member) {
        let endpoint = peer.endpoint.as_ref().and_then(|endpoint| endpoint.parse().ok());
        // Over a relay the packets go another way.
        if let Some(mtu) = endpoint.filter(|_| peer.path == "direct").and_then(network::path_mtu) {
            facts.path_mtus.push((peer.name.clone(), mtu));
        }
        let Ok(ip) = peer.ip.parse() else { continue };
        if let Some(ahead) = network::clock_ahead(SocketAddr::new(ip, MESH_API_PORT)).await {
            facts.skews.push((peer.name.clone(), ahead));
        }
    }
}

fn numbers(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// What a program prints; `None` where there is no such program, or it fails.
async fn output(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    // People's folders are not searched.
    command.args(args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").kill_on_drop(true);
    let output = tokio::time::timeout(PROGRAM_DEADLINE, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// From `Corosync Cluster Engine, version '3.1.7'`.
async fn corosync() -> Option<String> {
    let text = output("/usr/sbin/corosync", &["-v"]).await?;
    let version = text.split('\'').nth(1).unwrap_or_default();
    Some(version.to_owned())
}

async fn nftables() -> Option<Firewall> {
    output("nft", &["list", "ruleset"]).await.map(network::firewall)
}

fn kernel_has_wireguard(release: &str) -> bool {
    let modules = PathBuf::from("/lib/modules").join(release);
    let built_in = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
    Path::new("/sys/module/wireguard").exists()
        || modules.join("kernel/drivers/net/wireguard").exists()
        || built_in.contains("/wireguard.ko")
}

fn own_files(paths: &Paths, fencing: Option<&FencingSettings>) -> Vec<OwnFile> {
    let mesh = paths.mesh().exists();
    let file = |path: PathBuf, secret: bool, needed: bool| OwnFile {
        found: fs::metadata(&path).ok().map(|meta| (meta.mode(), meta.uid())),
        path,
        secret,
        needed,
    };
    let mut all = vec![
        file(paths.config(), false, false),
        file(paths.mesh(), false, false),
        file(paths.cluster_key(), true, true),
        file(paths.private_key(), true, mesh),
        file(paths.next_key(), true, false),
        file(paths.wg_conf(), true, false),
        file(paths.state(), true, true),
        file(paths.lib().to_owned(), true, false),
        file(paths.corosync_authkey(), true, true),
        file(paths.corosync_conf(), false, true),
    ];
    // One that is missing is a level that would not work.
    let named = fencing.map(FencingSettings::files).unwrap_or_default();
    all.extend(named.into_iter().map(|(path, mode)| file(path, mode == 0o600, false)));
    all
}

fn config_faults(paths: &Paths) -> Option<(PathBuf, usize)> {
    let (_, checked) = config_file::read(paths, &Context::default()).ok()??;
    Some((paths.config(), checked.errors().count()))
}

fn foreign_corosync_conf(paths: &Paths) -> Option<PathBuf> {
    let path = paths.corosync_conf();
    let text = files::read_text(&path).ok()??;
    (!corosync_conf::is_ours(&text) && !is_debians(&text)).then_some(path)
}

fn mesh(paths: &Paths) -> Option<Mesh> {
    let file = MeshFile::load(paths).ok()??;
    Some(Mesh { ip: file.address.addr(), port: file.port, mtu: file.mtu, endpoint: file.endpoint })
}

/// Of the folder, or of the one above it that is there.
fn disk(folder: &Path) -> Option<Disk> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let found = statvfs(there).ok()?;
    let bytes = found.blocks_available().saturating_mul(found.fragment_size());
    Some(Disk {
        path: folder.to_owned(),
        free: bytes / (1024 * 1024),
        read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

async fn units() -> Result<Vec<Unit>, String> {
    let systemd = Systemd::default();
    let mut units = Vec::new();
    for name in [SFHA, COROSYNC, WG_DEVICE, NETWORKD].iter().chain(FOREIGN) {
        let unit = systemd.unit(name).await.map_err(|error| error.to_string())?;
        let at_boot = systemd.file_state(name).await.unwrap_or_default();
        units.push(Unit { name: (*name).to_owned(), active: unit.active, at_boot });
    }
    Ok(units)
}

/// Where networkd runs: the file that has it keep addresses it does not know (`KeepConfiguration=` in
/// systemd.network(5)).
fn networkd(units: &[Unit]) -> Option<Option<PathBuf>> {
    units.iter().find(|unit| unit.name == NETWORKD && unit.active == "active")?;
    let folders = ["/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network"];
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut all: Vec<PathBuf> = folders.iter().flat_map(|folder| below(Path::new(folder))).collect();
    let dropins: Vec<PathBuf> = all
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "d"))
        .flat_map(|path| below(path))
        .collect();
    all.extend(dropins);
    let keeps = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("KeepConfiguration="))
            .any(|value| matches!(value.trim(), "yes" | "true" | "1" | "static"))
    };
    Some(all.into_iter().find(keeps))
}

async fn addresses() -> Vec<std::net::IpAddr> {
    let Ok(netlink) = Netlink::open_quiet() else { return Vec::new() };
    let all = netlink.local_addresses().await.unwrap_or_default();
    all.into_iter().filter(|entry| !entry.ours).map(|entry| entry.address.addr()).collect()
}

/// Whether the kernel's clock is kept by somebody (adjtimex(2), `STA_UNSYNC`).
fn clock_kept() -> Option<bool> {
    // SAFETY: all zeroes is a valid `timex`, whose `modes` of 0 means that nothing is set.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a living variable of the right type.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    (state >= 0).then_some(clock.status & libc::STA_UNSYNC == 0)
}
