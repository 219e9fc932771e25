//! What `init` and `join` share: looking before anything changes, and putting everything back.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use sfha_core::command::{check_name, invalid};
use sfha_proto::message::Step;
use sfha_proto::{ErrorCode, Failure};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::corosync_conf;
use crate::files;
use crate::io::netlink::Netlink;
use crate::io::systemd::{COROSYNC, Systemd};
use crate::mesh::{describe, internal, take_down};
use crate::paths::{INTERFACE, Paths};

/// Where Debian puts Corosync.
const COROSYNC_PROGRAM: &str = "/usr/sbin/corosync";

/// Tells whoever asked how far it is.
#[derive(Clone)]
pub struct Progress {
    steps: mpsc::Sender<Told>,
    started: Instant,
}

/// One step that was told.
#[derive(Debug)]
pub struct Told {
    /// Which.
    pub step: Step,
    /// The node that it is about; this one if absent.
    pub node: Option<String>,
    /// Milliseconds since the request.
    pub elapsed_ms: u64,
}

impl Progress {
    /// Of a request that has just come.
    #[must_use]
    pub fn new(steps: mpsc::Sender<Told>) -> Self {
        Self { steps, started: Instant::now() }
    }

    /// The next step begins.
    pub fn step(&self, step: Step) {
        info!(?step, elapsed_ms = self.elapsed_ms(), "setting up");
        self.tell(step, None);
    }

    /// The next step begins on a node.
    pub fn step_of(&self, node: &str, step: Step) {
        self.tell(step, Some(node.to_owned()));
    }

    fn tell(&self, step: Step, node: Option<String>) {
        // A client that does not read misses steps, nothing else.
        let _ = self.steps.try_send(Told { step, node, elapsed_ms: self.elapsed_ms() });
    }

    /// Milliseconds since the request.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The name of this node: as given, else the host's, without its domain.
///
/// # Errors
/// `invalid-parameter`.
pub fn node_name(given: Option<&str>) -> Result<String, Failure> {
    let name = match given {
        Some(name) => name.to_owned(),
        None => nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .and_then(|name| name.split('.').next().map(str::to_owned))
            .unwrap_or_default(),
    };
    check_name("name", &name)?;
    Ok(name)
}

/// Corosync is there, and its configuration is nobody else's.
///
/// # Errors
/// `corosync-missing`, `foreign-corosync-conf`.
pub fn check_corosync(paths: &Paths, force: bool) -> Result<(), Failure> {
    if !Path::new(COROSYNC_PROGRAM).exists() {
        return Err(Failure::new(ErrorCode::CorosyncMissing).with("program", COROSYNC_PROGRAM));
    }
    let path = paths.corosync_conf();
    match files::read_text(&path)? {
        Some(text) if !force && !corosync_conf::is_ours(&text) && !is_debians(&text) => {
            Err(Failure::new(ErrorCode::ForeignCorosyncConf).with("path", path.display().to_string()))
        }
        _ => Ok(()),
    }
}

/// The file that Debian's package brings: one node at 127.0.0.1 in a cluster named `debian`.
#[must_use]
pub fn is_debians(text: &str) -> bool {
    let values = |key: &str| -> Vec<String> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    values("cluster_name") == ["debian"] && values("ring0_addr").iter().all(|address| address == "127.0.0.1")
}

/// Nothing is in the way of the mesh.
///
/// # Errors
/// `foreign-interface`, `network-overlap`, `port-busy`.
pub async fn check_mesh(netlink: &Netlink, network: IpNet, port: u16) -> Result<(), Failure> {
    if netlink.link_info(INTERFACE).await.map_err(|error| internal("link", &error))?.is_some() {
        return Err(Failure::new(ErrorCode::ForeignInterface).with("interface", INTERFACE));
    }
    let routes = netlink.routes().await.map_err(|error| internal("routes", &error))?;
    let overlap = routes.into_iter().find(|route| {
        let net = route.destination;
        net.prefix_len() > 0 && (net.contains(&network.network()) || network.contains(&net.network()))
    });
    if let Some(route) = overlap {
        return Err(Failure::new(ErrorCode::NetworkOverlap)
            .with("network", network.trunc().to_string())
            .with("with", route.destination.to_string())
            .with("interface", route.interface));
    }
    check_port(port)
}

fn check_port(port: u16) -> Result<(), Failure> {
    for address in ["0.0.0.0", "::"] {
        if let Err(error) = UdpSocket::bind((address, port))
            && error.kind() == std::io::ErrorKind::AddrInUse
        {
            return Err(Failure::new(ErrorCode::PortBusy).with("port", port));
        }
    }
    Ok(())
}

/// Checks port, and MTU where one is given.
///
/// # Errors
/// `invalid-parameter`.
pub fn check_numbers(port: u16, mtu: Option<u32>) -> Result<(), Failure> {
    if port == 0 {
        return Err(invalid("port", "0", "port"));
    }
    // RFC 8200 § 5: IPv6 needs 1280 bytes; nobody has links beyond 9000.
    match mtu {
        Some(mtu) if !(1280..=9000).contains(&mtu) => Err(invalid("mtu", &mtu.to_string(), "mtu")),
        _ => Ok(()),
    }
}

/// Where a file is kept that was there before.
fn kept(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!("{name}.before-sfha"))
}

/// What was changed so far, to be put back.
pub struct Undo {
    paths: Paths,
    created: Vec<PathBuf>,
    saved: Vec<(PathBuf, PathBuf)>,
    corosync_started: bool,
    interface_made: bool,
}

impl Undo {
    /// Nothing was changed.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            paths: paths.clone(),
            created: Vec::new(),
            saved: Vec::new(),
            corosync_started: false,
            interface_made: false,
        }
    }

    /// These files are about to be written. One that is there is kept beside, with `.before-sfha`.
    ///
    /// # Errors
    /// `file-write`.
    pub fn will_write(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        for path in files {
            if path.exists() {
                let kept = kept(path);
                std::fs::copy(path, &kept).map_err(|error| {
                    Failure::new(ErrorCode::FileWrite)
                        .with("path", kept.display().to_string())
                        .with("cause", error.to_string())
                })?;
                self.saved.push((path.clone(), kept));
            } else {
                self.created.push(path.clone());
            }
        }
        Ok(())
    }

    /// These files were written by another process, which did as [`Undo::will_write`] does.
    pub fn wrote(&mut self, files: &[PathBuf]) {
        for path in files {
            let kept = kept(path);
            if kept.exists() {
                self.saved.push((path.clone(), kept));
            } else if self.is_ours(path) {
                self.created.push(path.clone());
            }
        }
    }

    /// Corosync's files may be somebody else's; the key of ours is written after the secret of the cluster.
    fn is_ours(&self, path: &Path) -> bool {
        if *path == self.paths.corosync_conf() {
            return files::read_text(path)
                .is_ok_and(|text| text.is_some_and(|text| corosync_conf::is_ours(&text)));
        }
        *path != self.paths.corosync_authkey() || self.paths.cluster_key().exists()
    }

    /// The interface is about to be made.
    pub fn will_make_interface(&mut self) {
        self.interface_made = true;
    }

    /// Corosync is about to be started.
    pub fn will_start_corosync(&mut self) {
        self.corosync_started = true;
    }

    /// The files that a node with a cluster has.
    #[must_use]
    pub fn node_files(paths: &Paths) -> Vec<PathBuf> {
        vec![
            paths.config(),
            paths.mesh(),
            paths.cluster_key(),
            paths.private_key(),
            paths.next_key(),
            paths.public_key(),
            paths.wg_conf(),
            paths.state(),
            paths.config_base(),
            paths.corosync_conf(),
            paths.corosync_authkey(),
        ]
    }

    /// Puts everything back; what cannot be put back is logged, and the rest still is.
    pub async fn roll_back(self, netlink: &Netlink, systemd: &Systemd) {
        warn!("undoing what was set up so far");
        if self.corosync_started
            && let Err(error) = systemd.stop(COROSYNC).await
        {
            warn!(error = describe(&error), "corosync not stopped");
        }
        if self.interface_made {
            take_down(netlink, systemd).await;
        }
        // config.yml first: without it this node has no cluster, whatever else is left.
        let config = self.paths.config();
        let order = |path: &PathBuf| *path != config;
        let mut created = self.created;
        created.sort_by_key(order);
        for path in created {
            if let Err(failure) = files::remove(&path) {
                warn!(%failure, "file not removed");
            }
        }
        for (path, kept) in self.saved {
            if let Err(error) = std::fs::rename(&kept, &path) {
                warn!(path = %path.display(), %error, "file not put back");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_own_file_is_nobodys_and_an_edited_one_is_somebodys() {
        let debian = "totem {\n  version: 2\n  # cluster_name: x\n  cluster_name: debian\n}\nnodelist {\n node {\n  ring0_addr: 127.0.0.1\n }\n}\n";
        assert!(is_debians(debian));
        assert!(!is_debians(&debian.replace("127.0.0.1", "192.0.2.1")));
        assert!(!is_debians(&debian.replace("cluster_name: debian", "cluster_name: prod")));
        assert!(!is_debians(""));
    }

    #[test]
    fn a_busy_port_is_noticed() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(check_port(port).unwrap_err().code, ErrorCode::PortBusy);
        drop(socket);
        assert!(check_port(port).is_ok());
    }

    #[test]
    fn what_was_written_is_removed_and_what_was_there_is_back() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        files::write_atomic(&paths.corosync_conf(), b"theirs", 0o644).unwrap();
        let mut undo = Undo::new(&paths);
        undo.will_write(&[paths.corosync_conf(), paths.config()]).unwrap();
        files::write_atomic(&paths.corosync_conf(), b"ours", 0o644).unwrap();
        files::write_atomic(&paths.config(), b"ours", 0o644).unwrap();
        assert_eq!(
            std::fs::read(root.path().join("etc/corosync/corosync.conf.before-sfha")).unwrap(),
            b"theirs"
        );
        for path in &undo.created {
            files::remove(path).unwrap();
        }
        for (path, kept) in &undo.saved {
            std::fs::rename(kept, path).unwrap();
        }
        assert_eq!(std::fs::read(paths.corosync_conf()).unwrap(), b"theirs");
        assert!(!paths.config().exists());
    }
}
