//! Who belongs to the cluster and its mesh.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_proto::message::{AutoRemoveParams, ForceParams, NameParams, method};
use sfha_proto::{SCHEMA, SOCKET_PATH};

use super::{ask, call, order, show, units};
use crate::cli::{Global, Membership};
use crate::problem::Problem;
use crate::{format, paint, t};

/// Leaving: handing over what the node has included.
const LEAVE: Duration = Duration::from_secs(90);

/// Does one of them.
pub async fn run(global: &Global, task: Membership) -> Result<(), Problem> {
    match task {
        Membership::RemoveNode(name) => {
            ask::destructive(global, &t!("ask-node-remove", node = name.as_str()))?;
            let done = t!("done-node-removed", node = name.as_str());
            order(global, method::NODE_REMOVE, &NameParams { name }, done).await
        }
        Membership::Leave { force } => leave(global, force).await,
        Membership::AddPeer(params) => {
            let done = t!("done-peer-added", name = params.name.as_str(), ip = params.ip.as_str());
            order(global, method::MESH_ADD_PEER, &params, done).await
        }
        Membership::RemovePeer(name) => {
            ask::destructive(global, &t!("ask-peer-remove", name = name.as_str()))?;
            let done = t!("done-peer-removed", name = name.as_str());
            order(global, method::MESH_REMOVE_PEER, &NameParams { name }, done).await
        }
        Membership::AutoRemove(after_s) => {
            let done = match after_s {
                Some(after) => {
                    let time = format::age(i64::try_from(after).unwrap_or(i64::MAX));
                    t!("done-auto-remove", time = time)
                }
                None => t!("done-auto-remove-off"),
            };
            order(global, method::MESH_AUTO_REMOVE, &AutoRemoveParams { after_s }, done).await
        }
        Membership::MeshUp => order(global, method::MESH_UP, &json!({}), t!("done-mesh-up")).await,
        Membership::MeshDown => {
            ask::confirm(global, &t!("ask-mesh-down"))?;
            // Whoever was asked has agreed; elsewhere the daemon refuses what costs quorum.
            let force = global.yes || std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
            order(global, method::MESH_DOWN, &ForceParams { force }, t!("done-mesh-down")).await
        }
    }
}

async fn leave(global: &Global, force: bool) -> Result<(), Problem> {
    ask::destructive(global, &if force { t!("ask-leave-force") } else { t!("ask-leave") })?;
    let _: Value = call(global, method::LEAVE, &ForceParams { force }, LEAVE).await?;
    // The daemon at the usual socket is the unit's; any other one is somebody else's business.
    if global.socket == Path::new(SOCKET_PATH) && !units::disable().await {
        paint::err(&t!("not-disabled"));
    }
    let done = t!("done-left");
    show(global, &json!({"schema": SCHEMA, "done": true}), |_, _| format!("{done}\n"))
}
