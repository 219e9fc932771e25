//! Requests, responses and notifications, and the parameters of every method.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Failure;

/// First line from the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Version of the daemon.
    pub sfha: String,
    /// [`crate::PROTOCOL`] of the daemon.
    pub protocol: u32,
}

/// `{"id":1,"method":"status","params":{}}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; the response carries it again.
    pub id: u64,
    /// One of [`method`].
    pub method: String,
    /// An object; its fields depend on the method.
    #[serde(default)]
    pub params: Value,
}

/// The answer to one request: `result` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Id of the request; `null` when the line had none that could be read.
    pub id: Option<u64>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done, or here is what was asked for.
    Result(Value),
    /// It was refused or it failed.
    Error(Failure),
}

/// `{"event":"status","seq":12,"data":…}`
///
/// `status`: data is a [`crate::status::ClusterStatus`] with `mesh_detail`. A slow reader is sent the
/// newest, not a backlog. `progress`: data is a [`Progress`]. `log`: data is a [`LogLine`]. `history`: data is a
/// [`crate::history::HistoryEvent`]; none is left out, however slow the reader, as long as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// `status`, `progress`, `log` or `history`.
    pub event: String,
    /// Counts the notifications of this connection.
    pub seq: u64,
    /// What it is about.
    pub data: Value,
}

/// Anything that the daemon sends after its greeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServerLine {
    /// Unasked, or between a request and its answer.
    Notification(Notification),
    /// An answer.
    Response(Response),
}

/// One step of a long command, sent before its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Id of the request it belongs to.
    pub id: u64,
    /// What is being done now.
    pub step: Step,
    /// Name of the node that it is about; the one that was asked if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Milliseconds since the request.
    pub elapsed_ms: u64,
}

/// Steps of `init` and `join`, in their order; then those of `mesh.rotate-keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// Looking whether everything that is needed is there.
    Checking,
    /// Making this node's key pair.
    Keys,
    /// Bringing `wg-sfha` up.
    Interface,
    /// Reaching the other side through the tunnel.
    Contacting,
    /// Asking to be taken in; waiting for every member to agree.
    Admission,
    /// Writing configuration and state.
    Files,
    /// Starting Corosync.
    Corosync,
    /// Waiting for membership, quorum and state.
    Membership,
    /// Making a key and having every node know it.
    KeyPrepare,
    /// Changing to it.
    KeyCommit,
    /// Having the old one forgotten.
    KeyCleanup,
    /// A step of a newer daemon.
    #[serde(other)]
    Other,
}

/// One line of the daemon's log, for the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// RFC 3339, with milliseconds.
    pub time: String,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// Module that wrote it.
    pub target: String,
    /// Message and fields.
    pub message: String,
}

/// Names of the methods.
pub mod method {
    /// No parameters; result: `ClusterStatus`.
    pub const STATUS: &str = "status";
    /// [`super::SubscribeParams`]; answered with `{}`, then notifications.
    pub const SUBSCRIBE: &str = "subscribe";
    /// [`super::InitParams`]; result: `Initialised`. Sends `progress`.
    pub const INIT: &str = "init";
    /// [`super::JoinParams`]; result: `Joined`. Sends `progress`.
    pub const JOIN: &str = "join";
    /// No parameters; result: `MeshStatus`.
    pub const MESH_STATUS: &str = "mesh.status";
    /// [`super::TokenParams`]; result: `TokenMade`.
    pub const MESH_TOKEN: &str = "mesh.token";
    /// No parameters; result: `[TokenListed]`.
    pub const MESH_TOKENS: &str = "mesh.tokens";
    /// [`super::NameParams`] (the id); result: `{}`.
    pub const MESH_REVOKE: &str = "mesh.revoke";
    /// [`super::RotateParams`]; result: [`super::RotateDone`]. Sends `progress`.
    pub const MESH_ROTATE_KEYS: &str = "mesh.rotate-keys";
    /// [`super::VipAddParams`]; result: `{}` once every member has written it.
    pub const VIP_ADD: &str = "vip.add";
    /// [`super::NameParams`]; result: `{}`.
    pub const VIP_REMOVE: &str = "vip.remove";
    /// [`super::VipAnnounceParams`]; result: [`super::VipsAnnounced`] once every holder was told.
    pub const VIP_ANNOUNCE: &str = "vip.announce";
    /// [`super::ServiceAddParams`]; result: `{}` once every member has written it.
    pub const SERVICE_ADD: &str = "service.add";
    /// [`super::NameParams`]; result: `{}`.
    pub const SERVICE_REMOVE: &str = "service.remove";
    /// [`super::NodeParams`]; result: `{}`.
    pub const STANDBY: &str = "standby";
    /// [`super::NodeParams`]; result: `{}`.
    pub const UNSTANDBY: &str = "unstandby";
    /// [`super::MaintenanceParams`]; result: `{}`.
    pub const MAINTENANCE: &str = "maintenance";
    /// [`super::FailoverParams`]; result: [`super::FailoverDone`] once it is served there.
    pub const FAILOVER: &str = "failover";
    /// [`crate::simulate::SimulateParams`]; result: [`crate::simulate::Simulation`]. Changes nothing.
    pub const SIMULATE: &str = "simulate";
    /// [`super::NameParams`]; result: `{}` once every member has written it and Corosync was told.
    pub const NODE_REMOVE: &str = "node.remove";
    /// [`super::ForceParams`] (without the others' consent); result: `{}` once nothing is left.
    pub const LEAVE: &str = "leave";
    /// [`super::PeerAddParams`]; result: `{}` once every member has written it.
    pub const MESH_ADD_PEER: &str = "mesh.add-peer";
    /// [`super::NameParams`]; result: `{}`. The name of a node does as `node.remove`.
    pub const MESH_REMOVE_PEER: &str = "mesh.remove-peer";
    /// [`super::AutoRemoveParams`]; result: `{}`.
    pub const MESH_AUTO_REMOVE: &str = "mesh.auto-remove";
    /// No parameters; result: `{}`.
    pub const MESH_UP: &str = "mesh.up";
    /// [`super::ForceParams`] (although this node loses its quorum); result: `{}`.
    pub const MESH_DOWN: &str = "mesh.down";
    /// [`crate::config::ReloadParams`]; result: [`crate::config::Reloaded`].
    pub const RELOAD: &str = "reload";
    /// No parameters; result: [`crate::config::Propagated`].
    pub const PROPAGATE: &str = "propagate";
    /// No parameters; result: [`crate::fencing::FencingStatus`].
    pub const STONITH_STATUS: &str = "stonith.status";
    /// [`crate::fencing::FenceParams`]; result: [`crate::fencing::FencingPlan`].
    pub const STONITH_FENCE: &str = "stonith.fence";
    /// [`crate::fencing::FencedNodeParams`]: switches it on; result: `{}` once every member knows of it.
    pub const STONITH_UNFENCE: &str = "stonith.unfence";
    /// [`crate::fencing::FencedNodeParams`]: an operator has seen that it is off; result: `{}`.
    pub const STONITH_CONFIRM: &str = "stonith.confirm";
    /// [`crate::fencing::FencingHistoryParams`]; result: [`crate::fencing::FencingHistory`].
    pub const STONITH_HISTORY: &str = "stonith.history";
    /// [`crate::fencing::FencingTestParams`]; result: [`crate::fencing::FencingTested`].
    pub const STONITH_TEST: &str = "stonith.test";
    /// [`crate::fencing::FencingSettingsParams`]; result: [`crate::fencing::FencingTested`].
    pub const STONITH_CHECK: &str = "stonith.check";
    /// [`crate::fencing::FencingSettingsParams`]; result: `{}` once every member has written them.
    pub const STONITH_CONFIGURE: &str = "stonith.configure";
    /// [`crate::history::HistoryParams`]; result: [`crate::history::History`].
    pub const HISTORY: &str = "history";
}

/// What a subscriber is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Topic {
    /// The status, whole, at once and whenever it changes.
    Status,
    /// Lines of the daemon's log.
    Log,
    /// What happens.
    History,
    /// A topic of a newer client.
    #[serde(other)]
    Other,
}

/// Parameters of `subscribe`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeParams {
    /// What to tell of: `status` and `log` if absent.
    #[serde(default)]
    pub topics: Option<Vec<Topic>>,
    /// Number of an event: `history` begins with the one after it. With what happens from now on if absent.
    #[serde(default)]
    pub after: Option<u64>,
}

/// Parameters of `init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitParams {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of this node; its host name if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The mesh; without it a cluster on the LAN.
    #[serde(default)]
    pub mesh: Option<InitMesh>,
    /// Corosync profile: `fast`, `lan` (default) or `wan`.
    #[serde(default)]
    pub profile: Option<String>,
    /// Replace a foreign `corosync.conf` (it is backed up).
    #[serde(default)]
    pub force: bool,
}

/// The mesh of `init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitMesh {
    /// Address of this node in the mesh with the network's prefix length, `10.100.0.1/24`.
    pub ip: String,
    /// UDP port (51820).
    #[serde(default)]
    pub port: Option<u16>,
    /// `HOST[:PORT]` where others reach this node; detected if absent.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// MTU of `wg-sfha`; what fits the network under it if absent.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Corosync's links: `mesh` (default), or `mesh` and `lan`.
    #[serde(default)]
    pub links: Option<Vec<String>>,
    /// Address of this node on the LAN link; detected if absent.
    #[serde(default)]
    pub lan_ip: Option<String>,
}

/// Result of `init`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Initialised {
    /// A first token; `null` without a mesh.
    pub token: Option<crate::mesh::TokenMade>,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of this node.
    pub node: String,
}

/// Parameters of `join`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinParams {
    /// The token.
    pub token: String,
    /// Name of this node; its host name if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// `HOST[:PORT]` where others reach this node; found by the initiator if absent.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Address of this node on the LAN link, where the cluster has one; detected if absent.
    #[serde(default)]
    pub lan_ip: Option<String>,
    /// Deadline of the whole, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Replace a foreign `corosync.conf` (it is backed up).
    #[serde(default)]
    pub force: bool,
}

impl std::fmt::Debug for JoinParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinParams").field("token", &"…").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Parameters of `mesh.token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenParams {
    /// Life of the token, in seconds (3600).
    #[serde(default)]
    pub expires_s: Option<u64>,
    /// Address for the joiner; the next free one if absent.
    #[serde(default)]
    pub ip: Option<String>,
}

/// One of the three steps of a change of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotateStep {
    /// A key is made, and every node gets to know it.
    Prepare,
    /// The node changes to it.
    Commit,
    /// The old one is forgotten.
    Cleanup,
}

/// Parameters of `mesh.rotate-keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateParams {
    /// Only this step; what is left of all three if absent.
    #[serde(default)]
    pub step: Option<RotateStep>,
    /// Name of the node; the one that is asked if absent.
    #[serde(default)]
    pub node: Option<String>,
    /// Every node, one after the other.
    #[serde(default)]
    pub all: bool,
}

/// Result of `mesh.rotate-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateDone {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The nodes, in the order in which it was done.
    pub nodes: Vec<RotatedNode>,
}

/// One node of [`RotateDone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedNode {
    /// Its name.
    pub node: String,
    /// The public key that it has now, base64.
    pub public_key: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// Parameters of methods that name one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameParams {
    /// Its name or id.
    pub name: String,
}

/// Parameters of `leave` and `mesh.down`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceParams {
    /// Whatever stands against it.
    #[serde(default)]
    pub force: bool,
}

/// Parameters of `mesh.add-peer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddParams {
    /// Name of the peer.
    pub name: String,
    /// Its address in the mesh.
    pub ip: String,
    /// Its public key, base64.
    pub public_key: String,
    /// `HOST[:PORT]` where it can be reached; it only calls if absent.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// Parameters of `mesh.auto-remove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoRemoveParams {
    /// Seconds; never if absent.
    #[serde(default)]
    pub after_s: Option<u64>,
}

/// Parameters of `vip.add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipAddParams {
    /// Name of the VIP.
    pub name: String,
    /// `ADDRESS/PREFIX`.
    pub address: String,
    /// Interface; the one whose network holds the address if absent.
    #[serde(default)]
    pub interface: Option<String>,
}

/// Parameters of `vip.announce`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipAnnounceParams {
    /// Names of VIPs; all that are served if empty.
    #[serde(default)]
    pub names: BTreeSet<String>,
}

/// Result of `vip.announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipsAnnounced {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Names of the VIPs, each announced by its holder.
    pub announced: Vec<String>,
}

/// Parameters of `service.add`. What is absent is as by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAddParams {
    /// Name of the service.
    pub name: String,
    /// Its systemd unit; `.service` is added where there is no suffix.
    pub unit: String,
    /// Names of nodes, the best first.
    #[serde(default)]
    pub prefer: Vec<String>,
    /// Whether it moves to another node when it fails.
    #[serde(default)]
    pub critical: bool,
    /// How often it is started again on its node before that.
    #[serde(default)]
    pub restarts: Option<u32>,
    /// Longest time to start, in milliseconds.
    #[serde(default)]
    pub start_timeout_ms: Option<u64>,
    /// Longest time to stop before its processes are killed, in milliseconds.
    #[serde(default)]
    pub stop_timeout_ms: Option<u64>,
}

/// Parameters of `standby` and `unstandby`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeParams {
    /// Name of the node; the one that is asked if absent.
    #[serde(default)]
    pub node: Option<String>,
}

/// Parameters of `maintenance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceParams {
    /// On or off.
    pub on: bool,
    /// Seconds since 1970 at which it ends by itself.
    #[serde(default)]
    pub until: Option<i64>,
}

/// Parameters of `failover`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverParams {
    /// The node to move to; the best other one if absent.
    #[serde(default)]
    pub to: Option<String>,
    /// The resources to move, with what is colocated; all if empty.
    #[serde(default)]
    pub names: BTreeSet<String>,
}

/// Result of `failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverDone {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Names of the VIPs that moved.
    pub moved: Vec<String>,
    /// Where to.
    pub to: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn responses_have_the_shape_of_the_contract() {
        let done = Response { id: Some(1), outcome: Outcome::Result(serde_json::json!({})) };
        assert_eq!(serde_json::to_string(&done).unwrap(), r#"{"id":1,"result":{}}"#);
        let refused = Response {
            id: Some(2),
            outcome: Outcome::Error(Failure::new(ErrorCode::NoQuorum).with("needed", 2)),
        };
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"id":2,"error":{"code":"no-quorum","details":{"needed":2}}}"#
        );
    }

    #[test]
    fn a_server_line_is_told_apart_by_its_fields() {
        let note: ServerLine = serde_json::from_str(r#"{"event":"status","seq":1,"data":{}}"#).unwrap();
        assert!(matches!(note, ServerLine::Notification(_)));
        let answer: ServerLine = serde_json::from_str(r#"{"id":1,"error":{"code":"no-quorum"}}"#).unwrap();
        assert!(matches!(answer, ServerLine::Response(Response { outcome: Outcome::Error(_), .. })));
    }

    #[test]
    fn a_token_is_never_in_debug_output() {
        let params = JoinParams {
            token: "sfha-join://secret".into(),
            name: None,
            endpoint: None,
            lan_ip: None,
            timeout_ms: None,
            force: false,
        };
        assert!(!format!("{params:?}").contains("secret"));
    }
}
