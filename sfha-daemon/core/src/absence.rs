//! Nodes that are away, and when the cluster goes on without them.

use std::collections::BTreeSet;

use crate::command::Command;
use crate::state::{ClusterState, NodeId};

/// What the coordinator has to command because nodes went, came back, or were away for too long. Nothing
/// while removal is not automatic.
///
/// A node is removed only where the nodes that are online have quorum without counting on its removal: it
/// cannot have any then, wherever it is. Hence never one of two.
///
/// `clock_jumped`: the time of day was set since the last look, so that nobody knows how long a node has
/// been away. All start again.
#[must_use]
pub fn duties(state: &ClusterState, online: &BTreeSet<NodeId>, now: i64, clock_jumped: bool) -> Vec<Command> {
    let Some(after_s) = state.auto_remove_after_s else { return Vec::new() };
    let after = i64::try_from(after_s).unwrap_or(i64::MAX);
    let here = state.nodes.keys().filter(|id| online.contains(id)).count();
    let mut commands = Vec::new();
    let mut removing = false;
    for node in state.nodes.keys().copied() {
        let known = state.away.get(&node).copied();
        match (online.contains(&node), known) {
            (true, Some(_)) => commands.push(Command::MarkAway { node, since: None }),
            (true, None) => {}
            (false, None) => commands.push(Command::MarkAway { node, since: Some(now) }),
            (false, Some(since)) if clock_jumped || since > now => {
                if since != now {
                    commands.push(Command::MarkAway { node, since: Some(now) });
                }
            }
            (false, Some(since)) => {
                // One at a time: what is left is counted anew.
                if now.saturating_sub(since) >= after && here > state.nodes.len() / 2 && !removing {
                    removing = true;
                    commands.push(Command::RemoveNode { node });
                }
            }
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Node;

    const DAY: i64 = 86_400;

    fn cluster(nodes: NodeId, after_s: Option<u64>) -> ClusterState {
        let node = |id: NodeId| Node::new(format!("n{id}"), [10, 0, 0, u8::try_from(id).unwrap()].into());
        let mut state = ClusterState::new("c", "lan", None, node(1));
        state.nodes.extend((2..=nodes).map(|id| (id, node(id))));
        state.auto_remove_after_s = after_s;
        state
    }

    fn told(state: &mut ClusterState, online: &[NodeId], now: i64) -> Vec<String> {
        let commands = duties(state, &online.iter().copied().collect(), now, false);
        for command in &commands {
            state.apply(command).unwrap();
        }
        let text = |command: &Command| match command {
            Command::MarkAway { node, since } => format!("{node} {since:?}"),
            Command::RemoveNode { node } => format!("{node} out"),
            other => panic!("{other:?}"),
        };
        commands.iter().map(text).collect()
    }

    #[test]
    fn a_node_is_removed_when_it_was_away_for_long_enough() {
        let mut state = cluster(3, Some(86_400));
        assert_eq!(told(&mut state, &[1, 2, 3], 0), [""; 0]);
        assert_eq!(told(&mut state, &[1, 2], 10), ["3 Some(10)"]);
        assert_eq!(told(&mut state, &[1, 2], DAY + 9), [""; 0]);
        assert_eq!(told(&mut state, &[1, 2, 3], DAY + 10), ["3 None"]);
        assert_eq!(told(&mut state, &[1, 2], DAY + 20), ["3 Some(86420)"]);
        assert_eq!(told(&mut state, &[1, 2], 2 * DAY + 20), ["3 out"]);
        assert!(state.away.is_empty());
    }

    #[test]
    fn nothing_is_marked_where_removal_is_not_automatic() {
        let mut state = cluster(3, None);
        assert_eq!(told(&mut state, &[1, 2], 10), [""; 0]);
    }

    #[test]
    fn those_who_are_no_quorum_remove_nobody() {
        for (nodes, online, removed) in
            [(2, &[1][..], 0), (3, &[1, 2], 1), (4, &[1, 2], 0), (4, &[1, 2, 3], 1), (5, &[1, 2, 3], 1)]
        {
            let mut state = cluster(nodes, Some(60));
            let _ = told(&mut state, online, 0);
            assert_eq!(told(&mut state, online, 60).len(), removed, "{nodes} {online:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_makes_all_start_again() {
        let mut state = cluster(3, Some(60));
        let _ = told(&mut state, &[1, 2], 0);
        let online = BTreeSet::from([1, 2]);
        let again = Command::MarkAway { node: 3, since: Some(9000) };
        assert_eq!(duties(&state, &online, 9000, true), [again]);
        let back = Command::MarkAway { node: 3, since: Some(-9) };
        assert_eq!(duties(&state, &online, -9, false), [back]);
    }
}
