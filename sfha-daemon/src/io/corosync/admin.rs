//! Single questions and requests, each on a connection and a thread of its own: the calls wait without a time-out.

use std::time::{Duration, Instant};

use rust_corosync::{CsError, cfg, cmap};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{CorosyncError, NodeId, session};

/// How long one request may take with all its retries.
const DEADLINE: Duration = Duration::from_secs(10);

/// Pause before a request is repeated that Corosync was too busy for.
const RETRY: Duration = Duration::from_millis(20);

/// Where Corosync keeps what the nodes told each other of themselves.
const MEMBERS_PREFIX: &str = "runtime.members.";

/// One knet link to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Link number, as in `ringN_addr`.
    pub number: u8,
    /// Whether pings are answered.
    pub connected: bool,
    /// Payload of a packet on this link, in bytes, 0 as long as it is not known.
    pub mtu: u32,
    /// Our address.
    pub local: String,
    /// Its address.
    pub remote: String,
}

pub(super) async fn reload() -> Result<(), CorosyncError> {
    const ACTION: &str = "reload corosync.conf";
    run(ACTION, || {
        let handle = open_cfg()?;
        cfg::reload_cnfig(&handle)
    })
    .await
}

pub(super) async fn links(nodes: Vec<NodeId>) -> Result<Vec<(NodeId, Vec<Link>)>, CorosyncError> {
    const ACTION: &str = "ask for the state of links";
    run(ACTION, move || {
        let handle = open_cfg()?;
        let mut found = Vec::new();
        for node in &nodes {
            match cfg::node_status_get(&handle, (*node).into(), cfg::NodeStatusVersion::V1) {
                Ok(status) => found.push((*node, enabled(status))),
                // Not in the node list that is in force, or no longer: no link leads to it.
                Err(CsError::CsErrNotExist) => found.push((*node, Vec::new())),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    })
    .await
}

fn enabled(status: cfg::NodeStatus) -> Vec<Link> {
    let enabled = (0..).zip(status.link_status).filter(|(_, link)| link.enabled);
    let link = |(number, link): (u8, cfg::LinkStatus)| Link {
        number,
        connected: link.connected,
        mtu: link.mtu,
        local: link.src_ipaddr,
        remote: link.dst_ipaddr,
    };
    enabled.map(link).collect()
}

pub(super) async fn config_versions() -> Result<Vec<(NodeId, u64)>, CorosyncError> {
    const ACTION: &str = "ask for the versions of corosync.conf";
    run(ACTION, || {
        let handle = cmap::initialize(cmap::Map::Icmap)?;
        let mut joined = Vec::new();
        let mut versions = Vec::new();
        for entry in cmap::CmapIterStart::new(&handle, MEMBERS_PREFIX)? {
            let key = entry.key_name().strip_prefix(MEMBERS_PREFIX).and_then(|key| key.split_once('.'));
            let Some((Ok(node), field)) = key.map(|(node, field)| (node.parse::<NodeId>(), field)) else {
                continue;
            };
            match (field, entry.data()) {
                ("config_version", cmap::Data::UInt64(version)) => versions.push((node, *version)),
                // Nodes that left stay listed.
                ("status", cmap::Data::String(status)) if status == "joined" => joined.push(node),
                _ => {}
            }
        }
        versions.retain(|(node, _)| joined.contains(node));
        versions.sort_unstable();
        Ok(versions)
    })
    .await
}

fn open_cfg() -> Result<cfg::Handle, CsError> {
    cfg::initialize(&cfg::Callbacks { corosync_cfg_shutdown_callback_fn: None })
}

/// Runs a request on a thread of its own, again as long as Corosync is too busy for it.
async fn run<T: Send + 'static>(
    action: &'static str,
    request: impl Fn() -> Result<T, CsError> + Send + 'static,
) -> Result<T, CorosyncError> {
    let (sender, answer) = oneshot::channel();
    let until = Instant::now() + DEADLINE;
    session::start_thread("corosync-ask", move || {
        let result = loop {
            match request() {
                Err(CsError::CsErrTryAgain) if Instant::now() < until => std::thread::sleep(RETRY),
                result => break result,
            }
        };
        // Whoever asked may have gone.
        let _ = sender.send(result);
    })?;
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(Ok(result)) => result.map_err(CorosyncError::refused(action)),
        Ok(Err(_)) => {
            Err(CorosyncError::System { action, source: std::io::Error::other("the thread panicked") })
        }
        Err(_) => Err(CorosyncError::Deadline { action }),
    }
}
