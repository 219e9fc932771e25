//! Where everything is. Only tests have it elsewhere.

use std::path::{Path, PathBuf};

pub use sfha_core::mesh_vips::INTERFACE;

/// TCP port of the mesh API, on the mesh address only.
pub const MESH_API_PORT: u16 = 7777;

/// The folders and files of a node.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
    etc: PathBuf,
    lib: PathBuf,
    run: PathBuf,
    corosync: PathBuf,
}

impl Paths {
    /// Those of the contract.
    #[must_use]
    pub fn system() -> Self {
        Self::under(Path::new("/"))
    }

    /// The same tree below `root`.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            etc: root.join("etc/sfha"),
            lib: root.join("var/lib/sfha"),
            run: root.join("run/sfha"),
            corosync: root.join("etc/corosync"),
        }
    }

    /// What all of them are below.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `/etc/sfha`
    #[must_use]
    pub fn etc(&self) -> &Path {
        &self.etc
    }

    /// `/var/lib/sfha`
    #[must_use]
    pub fn lib(&self) -> &Path {
        &self.lib
    }

    /// `/run/sfha`
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// `/etc/sfha/config.yml`: its presence means that this node has a cluster.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.etc.join("config.yml")
    }

    /// `/etc/sfha/mesh.yml`
    #[must_use]
    pub fn mesh(&self) -> PathBuf {
        self.etc.join("mesh.yml")
    }

    /// `/etc/sfha/cluster.key`: the secret that signs tokens, 0600.
    #[must_use]
    pub fn cluster_key(&self) -> PathBuf {
        self.etc.join("cluster.key")
    }

    /// `/etc/sfha/wireguard/private.key`, 0600.
    #[must_use]
    pub fn private_key(&self) -> PathBuf {
        self.etc.join("wireguard/private.key")
    }

    /// `/etc/sfha/wireguard/next.key`, 0600: the private key that is prepared, while one is.
    #[must_use]
    pub fn next_key(&self) -> PathBuf {
        self.etc.join("wireguard/next.key")
    }

    /// `/etc/sfha/wireguard/public.key`, 0644.
    #[must_use]
    pub fn public_key(&self) -> PathBuf {
        self.etc.join("wireguard/public.key")
    }

    /// `/etc/sfha/wireguard/wg-sfha.conf`: for people who debug; sfha never reads it.
    #[must_use]
    pub fn wg_conf(&self) -> PathBuf {
        self.etc.join("wireguard/wg-sfha.conf")
    }

    /// `/var/lib/sfha/state.json`: the replicated state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.lib.join("state.json")
    }

    /// `/var/lib/sfha/config-base.json`: what was shared when `config.yml` and state were compared last.
    #[must_use]
    pub fn config_base(&self) -> PathBuf {
        self.lib.join("config-base.json")
    }

    /// `/var/lib/sfha/backup`: the last good version of some files.
    #[must_use]
    pub fn backup(&self) -> PathBuf {
        self.lib.join("backup")
    }

    /// `/var/lib/sfha/joining.key`: the own key of a join that is not over, with its invite's id.
    #[must_use]
    pub fn joining(&self) -> PathBuf {
        self.lib.join("joining.key")
    }

    /// `/var/lib/sfha/endpoints.json`: where the others were reached last.
    #[must_use]
    pub fn endpoints(&self) -> PathBuf {
        self.lib.join("endpoints.json")
    }

    /// `/var/lib/sfha/history.jsonl`: what has happened.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.lib.join("history.jsonl")
    }

    /// `/var/lib/sfha/record`: what the decisions were told and asked for, where `logging.record` says so.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.lib.join("record")
    }

    /// `/var/lib/sfha/leaving.json`: this node is on its way out of its cluster.
    #[must_use]
    pub fn leaving(&self) -> PathBuf {
        self.lib.join("leaving.json")
    }

    /// `/var/lib/sfha/removed.json`: the cluster that removed this node.
    #[must_use]
    pub fn removed(&self) -> PathBuf {
        self.lib.join("removed.json")
    }

    /// `/run/sfha/mesh-down`: an operator took the mesh of this node down, until the next boot.
    #[must_use]
    pub fn mesh_down(&self) -> PathBuf {
        self.run.join("mesh-down")
    }

    /// `/run/sfha/sfhad.lock`: held by the one daemon of this node.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.run.join("sfhad.lock")
    }

    /// `/run/sfha/sfhad.sock`
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("sfhad.sock")
    }

    /// `/run/sfha/services.json`: the services that this node has started, until they are stopped.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.run.join("services.json")
    }

    /// `/etc/corosync/corosync.conf`
    #[must_use]
    pub fn corosync_conf(&self) -> PathBuf {
        self.corosync.join("corosync.conf")
    }

    /// `/etc/corosync/authkey`, 0400.
    #[must_use]
    pub fn corosync_authkey(&self) -> PathBuf {
        self.corosync.join("authkey")
    }
}
