//! A key is prepared only when every node has it on disk, whoever is away meanwhile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfha_proto::ErrorCode;

use super::harness::{Lab, Slow};
use crate::{Command, NodeId};

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// Three nodes with keys.
fn lab() -> Lab {
    let mut lab = Lab::off(3);
    for disk in lab.disks.values_mut() {
        for (id, node) in &mut disk.nodes {
            node.public_key = Some(format!("key{id}"));
        }
    }
    lab.form(&[1, 2, 3]);
    (1..=3).for_each(|id| lab.start(id));
    lab
}

fn prepare(node: NodeId) -> Command {
    Command::PrepareKey { node, public_key: key(9) }
}

fn known_to(lab: &Lab) -> Vec<NodeId> {
    lab.disks.iter().filter(|(_, disk)| disk.node_of_key(&key(9)).is_some()).map(|(id, _)| *id).collect()
}

#[test]
fn a_key_is_not_prepared_while_a_node_is_away() {
    let mut lab = lab();
    lab.form(&[1, 2]);
    lab.propose(2, 1, prepare(2));
    assert_eq!(lab.code(1), Some(ErrorCode::NodesAway));
    assert!(known_to(&lab).is_empty());
    // A node whose daemon is dead writes nothing either.
    lab.form(&[1, 2, 3]);
    lab.kill(3);
    lab.propose(2, 2, prepare(2));
    assert_eq!(lab.code(2), Some(ErrorCode::NodesAway));
    lab.start(3);
    lab.propose(2, 3, prepare(2));
    assert!(lab.applied(3));
    assert_eq!(known_to(&lab), [1, 2, 3]);
}

#[test]
fn a_key_is_not_prepared_by_a_node_that_goes_before_it_is_on_its_disk() {
    let mut lab = lab();
    lab.slow.insert((3, Slow::Persist));
    lab.propose(2, 1, prepare(2));
    assert!(lab.answers.is_empty());
    lab.form(&[1, 2]);
    assert_eq!(lab.code(1), Some(ErrorCode::NodesAway), "most disks are not all");
    // Whoever comes back hears of it; the same command then finds out that all have it.
    lab.slow.clear();
    lab.form(&[1, 2, 3]);
    lab.propose(2, 2, prepare(2));
    assert!(lab.applied(2));
    assert_eq!(known_to(&lab), [1, 2, 3]);
    // From here on a node may be away.
    lab.propose(2, 3, Command::ConfirmKey { node: 2, public_key: key(9) });
    lab.form(&[1, 2]);
    lab.propose(2, 4, Command::CommitKey { node: 2, public_key: key(9) });
    assert!(lab.applied(3) && lab.applied(4));
}
