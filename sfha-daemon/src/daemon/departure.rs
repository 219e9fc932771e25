//! The ways out of a cluster, and back into it: `leave`, being removed, `mesh down` and `mesh up`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sfha_core::Command;
use sfha_proto::{ErrorCode, Failure};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Daemon, Life, RETRY};
use crate::depart::{Marker, Rest, Stage, clean_up};
use crate::files;
use crate::io::netlink::Netlink;
use crate::io::systemd::COROSYNC;
use crate::members;
use crate::mesh::{describe, internal, take_down};
use crate::runtime::Runtime;

/// Longest time for a node that leaves to hand over what it holds, and to be without a cluster then.
const LEAVE: Duration = Duration::from_secs(40);

/// Longest time for VIPs to go elsewhere before the node goes all the same.
const HAND_OVER: Duration = Duration::from_secs(10);

impl Daemon {
    /// Cleans up whenever this node turns out to be no longer one of its cluster's. Never ends.
    pub async fn watch_removal(self: Arc<Self>) {
        let mut changes = self.watch_life();
        loop {
            changes.borrow_and_update();
            let life = self.life();
            let removed = async {
                match &life {
                    Life::Running(runtime) => runtime.removed().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = removed => {}
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
            }
            if let Life::Running(runtime) = life {
                self.set_life(Life::Leaving);
                let (cluster, node) = (&runtime.node.state.cluster, &runtime.node.config.node.name);
                let marker = Marker::out(&self.paths, cluster, node).unwrap_or_else(|failure| {
                    error!(%failure, "this node would not know after a restart that it is out");
                    Marker { removed: true, ..Marker::new(Stage::Out, cluster, node) }
                });
                if marker.removed {
                    warn!(cluster, node, "this node was removed from its cluster");
                }
                let rest = runtime.rest();
                drop(runtime);
                self.clean_up(&marker, rest).await;
            }
        }
    }

    async fn clean_up(&self, marker: &Marker, rest: Rest) {
        while let Err(failure) = clean_up(marker, rest, &self.paths, &self.systemd).await {
            error!(%failure, "something of the cluster is left; trying again");
            tokio::time::sleep(RETRY).await;
        }
        self.set_life(Life::Unconfigured);
    }

    pub(super) async fn leave(&self, force: bool) -> Result<Value, Failure> {
        match self.settled().await {
            Life::Running(runtime) if !force && runtime.core.state().nodes.len() > 1 => {
                self.ask_to_leave(&runtime).await?;
            }
            Life::Running(runtime) => {
                let state = runtime.core.state();
                Marker::new(Stage::Out, &state.cluster, &runtime.node.config.node.name).save(&self.paths)?;
                self.set_life(Life::Leaving);
                runtime.let_go().await;
                drop(runtime);
                self.finish_leaving(Rest::None).await?;
            }
            Life::MeshDown if force => {
                Marker::new(Stage::Out, "", "").save(&self.paths)?;
                files::remove(&self.paths.mesh_down())?;
                self.set_life(Life::Leaving);
                self.finish_leaving(Rest::None).await?;
            }
            Life::Broken(_) if force => {
                // Whoever tries to bring it up finds the marker, and cleans up.
                Marker::new(Stage::Out, "", "").save(&self.paths)?;
                self.reload();
            }
            Life::Leaving => {}
            other => return Err(self.refusal(&other)),
        }
        let mut changes = self.watch_life();
        let over =
            async { while !matches!(self.life(), Life::Unconfigured) && changes.changed().await.is_ok() {} };
        match tokio::time::timeout(LEAVE, over).await {
            Ok(()) => Ok(json!({})),
            Err(_) => {
                Err(Failure::new(ErrorCode::TimedOut).with("what", "leave").with("seconds", LEAVE.as_secs()))
            }
        }
    }

    async fn finish_leaving(&self, rest: Rest) -> Result<(), Failure> {
        let marker = Marker::load(&self.paths)?.ok_or(ErrorCode::Internal)?;
        self.clean_up(&marker, rest).await;
        Ok(())
    }

    /// Has the others do without this node. What follows, [`Self::watch_removal`] does.
    async fn ask_to_leave(&self, runtime: &Runtime) -> Result<(), Failure> {
        let state = runtime.core.state();
        let was_standby = state.nodes.get(&runtime.node.me).is_some_and(|node| node.standby);
        let name = runtime.node.config.node.name.clone();
        let marker = match Marker::load(&self.paths)? {
            Some(asked) => asked,
            None => Marker { was_standby, ..Marker::new(Stage::Asked, &state.cluster, &name) },
        };
        marker.save(&self.paths)?;
        let Err(failure) = hand_over_and_go(runtime).await else { return Ok(()) };
        if !runtime.core.state().nodes.contains_key(&runtime.node.me) {
            return Ok(());
        }
        // As it was.
        files::remove(&self.paths.leaving())?;
        if !marker.was_standby
            && let Err(failure) =
                runtime.core.propose(Command::SetStandby { node: runtime.node.me, standby: false }).await
            && failure.code != ErrorCode::AlreadySo
        {
            warn!(%failure, "this node stays on standby");
        }
        Err(failure)
    }

    /// A node that was killed while it left goes on leaving.
    pub(super) async fn resume_leaving(&self, runtime: &Runtime) {
        while let Ok(Some(Marker { stage: Stage::Asked, .. })) = Marker::load(&self.paths) {
            info!("this node was about to leave its cluster; going on");
            match hand_over_and_go(runtime).await {
                Ok(()) => return,
                Err(failure) if is_passing(failure.code) => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(failure) => {
                    warn!(%failure, "this node stays in its cluster, on standby");
                    if let Err(failure) = files::remove(&self.paths.leaving()) {
                        warn!(%failure, "marker not removed");
                    }
                    return;
                }
            }
            if runtime.has_ended() {
                return;
            }
        }
    }

    pub(super) async fn mesh_down(&self, force: bool) -> Result<Value, Failure> {
        let runtime = match self.settled().await {
            Life::Running(runtime) => runtime,
            Life::MeshDown => return Err(Failure::new(ErrorCode::AlreadySo).with("what", "mesh-down")),
            other => return Err(self.refusal(&other)),
        };
        if runtime.mesh.is_none() {
            return Err(Failure::new(ErrorCode::NotFound).with("kind", "mesh").with("name", "mesh"));
        }
        let (state, status) = (runtime.core.state(), runtime.status());
        if !force && status.quorum.quorate && state.nodes.len() > 1 {
            return Err(Failure::new(ErrorCode::WouldLoseQuorum)
                .with("name", status.node)
                .with("votes", 1)
                .with("needed", state.nodes.len() / 2 + 1));
        }
        files::write_atomic(&self.paths.mesh_down(), b"", 0o644)?;
        self.set_life(Life::MeshDown);
        runtime.let_go().await;
        drop(runtime);
        if let Err(error) = self.systemd.stop(COROSYNC).await {
            warn!(error = describe(&error), "corosync not stopped");
        }
        let (netlink, _) = Netlink::open().await.map_err(|error| internal("netlink", &error))?;
        take_down(&netlink, &self.systemd).await;
        info!("mesh taken down by an operator");
        Ok(json!({}))
    }

    pub(super) async fn mesh_up(&self) -> Result<Value, Failure> {
        match self.settled().await {
            Life::MeshDown => {}
            Life::Running(_) => return Err(Failure::new(ErrorCode::AlreadySo).with("what", "mesh-up")),
            other => return Err(self.refusal(&other)),
        }
        self.set_life(Life::Starting);
        files::remove(&self.paths.mesh_down())?;
        match self.bring_up().await {
            Ok(life) => {
                self.set_life(life);
                Ok(json!({}))
            }
            Err(failure) => {
                files::write_atomic(&self.paths.mesh_down(), b"", 0o644)?;
                self.set_life(Life::MeshDown);
                Err(failure)
            }
        }
    }
}

/// What another try may not meet again.
fn is_passing(code: ErrorCode) -> bool {
    use ErrorCode::{FileWrite, NoDaemon, NoQuorum, Synchronising, TimedOut, WouldLoseQuorum};
    matches!(code, FileWrite | NoDaemon | NoQuorum | Synchronising | TimedOut | WouldLoseQuorum)
}

async fn hand_over_and_go(runtime: &Runtime) -> Result<(), Failure> {
    let me = runtime.node.me;
    let until = Instant::now() + Duration::from_secs(10);
    members::propose(&runtime.core, Command::SetStandby { node: me, standby: true }, until)
        .await
        .or_else(|failure| if failure.code == ErrorCode::AlreadySo { Ok(()) } else { Err(failure) })?;
    let name = runtime.core.state().node_name(me);
    let mut status = runtime.core.watch_status();
    let handed_over = status.wait_for(|status| {
        let own = |node: &Option<String>| node.as_ref() == Some(&name);
        !status.vips.iter().any(|vip| own(&vip.holder) || own(&vip.target))
    });
    if tokio::time::timeout(HAND_OVER, handed_over).await.is_err() {
        warn!("nobody takes over all that this node has; it goes all the same");
    }
    members::remove(&runtime.core, me).await
}
