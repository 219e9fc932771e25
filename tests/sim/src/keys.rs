//! Operators who have nodes change their keys, and what that must not lead to.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfha_core::rotation::keys_of;
use sfha_core::{ClusterState, Command, NodeId};

use super::machine::Machine;
use super::world::World;

/// The keys of a run.
#[derive(Debug, Default)]
pub(super) struct Keys {
    made: u64,
    /// Those whose preparation was said to be done.
    pub(super) prepared: BTreeSet<String>,
}

impl Keys {
    fn fresh(&mut self) -> String {
        self.made += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.made.to_be_bytes());
        STANDARD.encode(bytes)
    }
}

impl World {
    /// The next step of some node's rotation, as its daemon would go on; now and then one that is out of turn.
    pub(super) fn some_key_command(&mut self) -> Command {
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        let node = self.rng.pick(&nodes).unwrap_or(1);
        let known = self.daemon(node).and_then(|daemon| daemon.core.state().nodes.get(&node).cloned());
        let fresh = self.keys.fresh();
        let Some(known) = known else { return Command::PrepareKey { node, public_key: fresh } };
        let any: Vec<&str> = keys_of(&known).collect();
        if self.rng.chance(150) {
            let public_key = self.rng.pick(&any).map_or(fresh, str::to_owned);
            return match self.rng.below(3) {
                0 => Command::PrepareKey { node, public_key },
                1 => Command::CommitKey { node, public_key },
                _ => Command::CleanupKey { node, public_key },
            };
        }
        match (known.rotation.next_key, known.rotation.known, known.rotation.old_key) {
            (Some(public_key), true, _) => Command::CommitKey { node, public_key },
            (Some(public_key), false, _) if self.keys.prepared.contains(&public_key) => {
                Command::ConfirmKey { node, public_key }
            }
            (Some(public_key), false, _) => Command::PrepareKey { node, public_key },
            (None, _, Some(public_key)) => Command::CleanupKey { node, public_key },
            (None, _, None) => Command::PrepareKey { node, public_key: fresh },
        }
    }

    /// A preparation was said to be done: no node can be locked out by the commit.
    pub(super) fn check_prepared(&mut self, key: &str, version: u64) {
        self.keys.prepared.insert(key.to_owned());
        if self.profile.two_node {
            // Both sides of a split go on; what one of them did is lost.
            return;
        }
        // Another one may have taken its place already: then it cannot be confirmed.
        let knows =
            |machine: &Machine| machine.disk.node_of_key(key).is_some() || machine.disk.version > version;
        // Whoever was removed is not asked.
        let disks = || self.machines.values().filter(|machine| knows(machine)).map(|machine| &machine.disk);
        let member = |machine: &Machine| disks().any(|disk| disk.nodes.contains_key(&machine.id));
        let without: Vec<NodeId> = self
            .machines
            .values()
            .filter(|machine| !knows(machine) && member(machine))
            .map(|machine| machine.id)
            .collect();
        if !without.is_empty() {
            self.violate(|| format!("{key} is prepared, and {without:?} do not have it on disk"));
        }
    }
}

/// No two nodes have the same key, in whatever role, and none that was not prepared is in use.
pub(super) fn check(state: &ClusterState, keys: &Keys) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (id, node) in &state.nodes {
        for key in keys_of(node) {
            if !seen.insert(key) {
                return Err(format!("the key {key} of node {id} is there twice"));
            }
        }
        let own = node.public_key.as_ref().filter(|_| node.rotation.old_key.is_some());
        if let Some(own) = own.filter(|own| !keys.prepared.contains(*own)) {
            return Err(format!("node {id} is to use {own}, which not every node has"));
        }
    }
    Ok(())
}
