//! The cluster as this node sees it, for people and scripts.

use std::collections::BTreeSet;

use sfha_proto::status::{
    ClusterStatus, ConstraintStatus, MeshSummary, NodeStatus, Phase, QuorumDevice, QuorumStatus,
    StateVersion, VipState, VipStatus,
};

use super::Cluster;
use crate::ledger::{Slot, Thing};
use crate::mesh_vips::Holders;
use crate::resources::Constraint;
use crate::state::{NodeId, Vip};
use crate::sync::Sync;

impl Cluster {
    /// What `sfha status` shows. The mesh is counted by whoever observes it.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        let state = self.state();
        let leader = self.leader();
        let online = self.online();
        let daemons = self.daemons();
        let version = StateVersion { epoch: state.epoch, version: state.version, hash: self.hash() };
        let node = |(id, node): (&NodeId, &crate::state::Node)| NodeStatus {
            name: node.name.clone(),
            id: *id,
            online: online.contains(id),
            daemon: daemons.contains(id) && online.contains(id),
            standby: node.standby,
            leader: leader == Some(*id),
            address: node.address.to_string(),
            program: self.told.get(id).filter(|_| daemons.contains(id)).map(|told| told.0.clone()),
            state: self.told.get(id).filter(|_| daemons.contains(id)).map(|told| match self.sync {
                // Whoever is in step has applied what this node has.
                Sync::InStep => version.clone(),
                _ => told.1.clone(),
            }),
        };
        ClusterStatus {
            schema: sfha_proto::SCHEMA,
            cluster: state.cluster.clone(),
            node: state.node_name(self.me()),
            version: self.settings.program.clone(),
            maintenance: state.maintenance,
            maintenance_until: state.maintenance_until,
            quorum: QuorumStatus {
                quorate: self.is_quorate(),
                votes: self.votes.map(|(total, _, _)| total),
                expected: self.votes.map(|(_, expected, _)| expected),
                needed: self.votes.map(|(_, _, needed)| needed),
                device: state.corosync.qdevice.as_ref().map(|device| QuorumDevice {
                    host: device.host.clone(),
                    votes: self.device.filter(|_| self.member.is_some()),
                }),
            },
            leader: leader.map(|id| state.node_name(id)),
            nodes: state.nodes.iter().map(node).collect(),
            vips: state.vips.iter().map(|(name, vip)| self.vip_status(name, vip)).collect(),
            services: self.service_statuses(),
            health: self.health_statuses(),
            mesh: MeshSummary { enabled: state.mesh.is_some(), peers: 0, connected: 0 },
            fencing: self.fencing.summary(None),
            phase: self.phase(),
            detection: None,
            state: Some(version.clone()),
            config_file: None,
            links: Vec::new(),
            constraints: state.constraints.iter().map(constraint).collect(),
            load: None,
            mesh_detail: None,
        }
    }

    /// Who may have which VIP now; `None` while the group has not agreed on it: then nothing is given out,
    /// and whatever was known before stays true enough.
    #[must_use]
    pub fn holders(&self) -> Option<Holders> {
        if !self.is_operational() {
            return None;
        }
        let held = |(name, slot): (&String, &Slot)| match slot {
            // Given out for another address: a VIP of that name was removed and added anew.
            Slot::Held { node, .. } => {
                let wanted = self.state.vips.get(name).map(|vip| Thing::Address(vip.address.addr()));
                let given = self.ledger.given.get(name).map(|given| &given.thing);
                (wanted.is_some() && given == wanted.as_ref()).then(|| (name.clone(), *node))
            }
            Slot::Free | Slot::Lost { .. } => None,
        };
        Some(self.ledger.slots.iter().filter_map(held).collect())
    }

    /// Who is in the ring. Of a node that went down the group hears before the quorum service does: without a look
    /// at that, its daemon alone would seem to be gone for some milliseconds.
    fn online(&self) -> BTreeSet<NodeId> {
        let (Some(_), Some(quorum)) = (&self.member, &self.quorum) else { return BTreeSet::new() };
        let back = |node: NodeId| self.view.iter().any(|member| member.node == node);
        let down: BTreeSet<NodeId> =
            self.gone.iter().chain(&self.left_behind).map(|gone| gone.node).collect();
        quorum.members.iter().copied().filter(|node| !down.contains(node) || back(*node)).collect()
    }

    fn phase(&self) -> Phase {
        if self.leaving.is_some() {
            Phase::Leaving
        } else if self.member.is_none() {
            Phase::Disconnected
        } else if !self.is_quorate() {
            Phase::Inquorate
        } else if self.is_operational() {
            Phase::Operational
        } else {
            Phase::Synchronising
        }
    }

    fn vip_status(&self, name: &str, vip: &Vip) -> VipStatus {
        let named = |id: &NodeId| self.state.node_name(*id);
        let slot = self.ledger.slots.get(name);
        let (mut state, mut holder, mut target) = match slot {
            _ if !self.is_quorate() => (VipState::Stopped, None, None),
            Some(Slot::Held { node, to: Some(to), .. }) => {
                (VipState::Releasing, Some(named(node)), Some(named(to)))
            }
            Some(Slot::Held { node, active: true, .. }) => (VipState::Active, Some(named(node)), None),
            Some(Slot::Held { node, .. }) => (VipState::Acquiring, None, Some(named(node))),
            Some(Slot::Lost { .. }) => (VipState::Waiting, None, None),
            Some(Slot::Free) => (VipState::Stopped, None, None),
            None => (VipState::Unknown, None, None),
        };
        let problem = self.ledger.problems.get(name).cloned();
        if state == VipState::Stopped && problem.is_some() && self.is_quorate() {
            state = VipState::Failed;
        }
        let conflict_with = self.ledger.conflicts.get(name).filter(|_| self.is_quorate()).cloned();
        if conflict_with.is_some() && matches!(state, VipState::Active | VipState::Failed) {
            state = VipState::Conflict;
        }
        if self.held().contains(name) && holder.is_none() && target.is_none() {
            // Without quorum this node still knows what it is giving up.
            (state, holder, target) = (VipState::Releasing, Some(named(&self.me())), None);
        }
        VipStatus {
            name: name.to_owned(),
            address: vip.address.to_string(),
            interface: vip.interface.clone(),
            state,
            holder,
            target,
            problem,
            conflict_with,
            prefer: vip.prefer.clone(),
        }
    }
}

fn constraint(constraint: &Constraint) -> ConstraintStatus {
    match constraint.clone() {
        Constraint::Colocation { resource, with } => ConstraintStatus::Colocation { resource, with },
        Constraint::Order { first, then } => ConstraintStatus::Order { first, then },
    }
}
