//! `sfha init`: a cluster of one node.

use std::time::Duration;

use ipnet::IpNet;
use sfha_core::ClusterState;
use sfha_core::command::{check_name, invalid};
use sfha_core::links::{self, Link};
use sfha_core::state::{MeshSettings, Node as StateNode};
use sfha_proto::message::{InitParams, Initialised, Step, TokenParams};
use sfha_proto::{ErrorCode, Failure};
use tokio::time::Instant;

use crate::config_file::ConfigFile;
use crate::endpoints;
use crate::files;
use crate::io::netlink::Netlink;
use crate::io::systemd::Systemd;
use crate::io::wireguard::PrivateKey;
use crate::mesh::internal;
use crate::mesh_file::MeshFile;
use crate::paths::{INTERFACE, Paths};
use crate::runtime::Runtime;
use crate::setup::{Progress, Undo, check_corosync, check_mesh, check_numbers, node_name};
use crate::store::{self, Node};
use crate::tokens;
use crate::underlay;

/// Default UDP port of the mesh.
pub const DEFAULT_PORT: u16 = 51820;

/// Length of a new Corosync key, in bytes (corosync-keygen(8)).
const COROSYNC_KEY_BYTES: usize = 256;

/// Time for Corosync to come up with one node.
const MEMBERSHIP: Duration = Duration::from_secs(20);

/// Makes the cluster; on failure the node is as it was.
///
/// # Errors
/// What is in the way, or what failed.
pub async fn init(
    params: InitParams,
    paths: &Paths,
    systemd: &Systemd,
    progress: &Progress,
) -> Result<(Runtime, Initialised), Failure> {
    progress.step(Step::Checking);
    let plan = Plan::check(&params, paths).await?;
    let (netlink, _) = Netlink::open().await.map_err(|error| internal("netlink", &error))?;
    let mut undo = Undo::new(paths);
    match plan.carry_out(paths, systemd, progress, &mut undo).await {
        Ok(done) => Ok(done),
        Err(failure) => {
            undo.roll_back(&netlink, systemd).await;
            Err(failure)
        }
    }
}

struct Plan {
    cluster: String,
    profile: String,
    name: String,
    mesh: Option<MeshFile>,
    links: Vec<Link>,
    lan_address: Option<std::net::IpAddr>,
    address: std::net::IpAddr,
}

impl Plan {
    async fn check(params: &InitParams, paths: &Paths) -> Result<Self, Failure> {
        check_name("cluster", &params.cluster)?;
        let name = node_name(params.name.as_deref())?;
        let profile = params.profile.clone().unwrap_or_else(|| "lan".to_owned());
        if !["fast", "lan", "wan"].contains(&profile.as_str()) {
            return Err(invalid("profile", &profile, "profile"));
        }
        check_corosync(paths, params.force)?;
        let (netlink, _) = Netlink::open().await.map_err(|error| internal("netlink", &error))?;
        let detected = endpoints::detect(&netlink).await?;
        let Some(mesh) = &params.mesh else {
            let address = detected.ok_or_else(|| invalid("address", "", "no-address"))?;
            let (cluster, links) = (params.cluster.clone(), Vec::new());
            return Ok(Self { cluster, profile, name, mesh: None, links, lan_address: None, address });
        };
        let port = mesh.port.unwrap_or(DEFAULT_PORT);
        check_numbers(port, mesh.mtu)?;
        let links = links::parse(mesh.links.as_deref().unwrap_or(&[Link::Mesh.name().to_owned()]))?;
        let address: IpNet = mesh.ip.parse().map_err(|_| invalid("ip", &mesh.ip, "cidr"))?;
        let edge = address.addr() == address.network() || address.addr() == address.broadcast();
        if address.max_prefix_len() - address.prefix_len() < 2 || edge {
            return Err(invalid("ip", &mesh.ip, "host-in-network"));
        }
        check_mesh(&netlink, address, port).await?;
        let endpoint = match &mesh.endpoint {
            Some(endpoint) => Some(endpoints::complete(endpoint, port)?),
            None => detected.map(|ip| std::net::SocketAddr::new(ip, port).to_string()),
        };
        let mtu = match mesh.mtu {
            Some(mtu) => mtu,
            None => underlay::mesh_mtu(&netlink, endpoint.as_deref()).await?,
        };
        underlay::warn_if_tight(&netlink, endpoint.as_deref(), mtu).await;
        let lan_address = match links.contains(&Link::Lan) {
            true => Some(
                underlay::lan_address(&netlink, mesh.lan_ip.as_deref())
                    .await?
                    .ok_or(ErrorCode::NoLanAddress)?,
            ),
            false => None,
        };
        let file = MeshFile::new(INTERFACE, address, port, mtu, endpoint);
        Ok(Self {
            cluster: params.cluster.clone(),
            profile,
            name,
            mesh: Some(file),
            links,
            lan_address,
            address: address.addr(),
        })
    }

    async fn carry_out(
        self,
        paths: &Paths,
        systemd: &Systemd,
        progress: &Progress,
        undo: &mut Undo,
    ) -> Result<(Runtime, Initialised), Failure> {
        progress.step(Step::Keys);
        let secret = store::random(store::new_secret_length())?;
        let corosync_key = store::random(COROSYNC_KEY_BYTES)?;
        let key = PrivateKey::generate().map_err(|error| internal("getrandom", &error))?;
        let settings = self.mesh.as_ref().map(|file| MeshSettings {
            network: file.address.trunc(),
            port: file.port,
            mtu: file.mtu,
            links: self.links.clone(),
        });
        let first = StateNode {
            public_key: Some(key.public().to_string()),
            endpoint: self.mesh.as_ref().and_then(|file| file.endpoint.clone()),
            lan_address: self.lan_address,
            ..StateNode::new(self.name.clone(), self.address)
        };
        let state = ClusterState::new(&self.cluster, &self.profile, settings, first);

        progress.step(Step::Files);
        undo.will_write(&Undo::node_files(paths))?;
        store::save_secret(paths, &secret)?;
        files::write_atomic(&paths.corosync_authkey(), &corosync_key, 0o400)?;
        store::save_keys(paths, &key)?;
        if let Some(file) = &self.mesh {
            file.save(paths)?;
        }
        store::persist(paths, &state, 1)?;
        let config = ConfigFile::new(&self.cluster, &self.name, self.mesh.is_some());
        config.save(paths)?;

        if self.mesh.is_some() {
            progress.step(Step::Interface);
            undo.will_make_interface();
        }
        undo.will_start_corosync();
        stop_stale_corosync(systemd).await?;
        let (mesh, lan_key) = match self.mesh {
            Some(file) => (Some((file, key)), None),
            None => (None, Some(key)),
        };
        let node = Node { paths: paths.clone(), me: 1, config, mesh, lan_key, secret, state };
        let runtime = Runtime::start(node, systemd.clone(), Some(progress)).await?;

        progress.step(Step::Membership);
        let outcome = finish(&runtime).await;
        match outcome {
            Ok(token) => {
                let done = Initialised { token, cluster: self.cluster, node: self.name };
                Ok((runtime, done))
            }
            Err(failure) => {
                runtime.stop().await;
                Err(failure)
            }
        }
    }
}

async fn finish(runtime: &Runtime) -> Result<Option<sfha_proto::mesh::TokenMade>, Failure> {
    runtime.wait_operational(Instant::now() + MEMBERSHIP).await?;
    let has_endpoint = runtime.node.mesh.as_ref().is_none_or(|(file, _)| file.endpoint.is_some());
    if has_endpoint { tokens::make(runtime, &TokenParams::default()).await.map(Some) } else { Ok(None) }
}

/// A Corosync that runs with another configuration (Debian starts one at installation) must not be
/// taken for ours.
pub async fn stop_stale_corosync(systemd: &Systemd) -> Result<(), Failure> {
    use crate::io::systemd::COROSYNC;
    if systemd.active_state(COROSYNC).await.is_ok_and(|state| state != "inactive") {
        systemd.stop(COROSYNC).await.map_err(|error| {
            Failure::new(ErrorCode::CorosyncFailed).with("cause", crate::mesh::describe(&error))
        })?;
    }
    Ok(())
}
