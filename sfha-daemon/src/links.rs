//! Looks at Corosync's links, where there is more than one: with one, its loss is the loss of a node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sfha_core::{ClusterState, NodeId};
use sfha_proto::mesh::LinkStatus;
use sfha_proto::status::ClusterStatus;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::event_loop::CoreHandle;
use crate::io::corosync::{Corosync, Link};

/// Time between two looks.
const OBSERVATION: Duration = Duration::from_secs(1);

/// What was seen last; empty in a cluster with one link.
pub type Links = Arc<Vec<LinkStatus>>;

/// Looks again and again, until the event loop is gone.
pub async fn watch_links(corosync: Arc<Corosync>, core: CoreHandle, me: NodeId, seen: watch::Sender<Links>) {
    let status = core.watch_status();
    loop {
        let state = core.state();
        let others = online(&status.borrow(), me);
        if state.links().len() > 1 {
            match corosync.links_to(others.into_iter().collect()).await {
                Ok(links) => publish(&seen, summary(&state, &links)),
                // It is told as the loss of Corosync by the event loop.
                Err(error) => {
                    debug!(error = crate::mesh::describe(&error), "links cannot be looked at");
                    publish(&seen, Vec::new());
                }
            }
        }
        tokio::time::sleep(OBSERVATION).await;
        if status.has_changed().is_err() {
            return;
        }
    }
}

/// A node that is off has no links: that is said of the node.
fn online(status: &ClusterStatus, me: NodeId) -> BTreeSet<NodeId> {
    status.nodes.iter().filter(|node| node.online && node.id != me).map(|node| node.id).collect()
}

fn publish(seen: &watch::Sender<Links>, now: Vec<LinkStatus>) {
    seen.send_if_modified(|before| {
        if **before == now {
            return false;
        }
        for link in &now {
            let old = before.iter().find(|old| old.number == link.number);
            let was_down = old.is_some_and(|old| !old.down.is_empty());
            if !link.down.is_empty() && old.is_none_or(|old| old.down != link.down) {
                warn!(link = link.name, to = ?link.down, "corosync link is down");
            } else if link.down.is_empty() && was_down {
                info!(link = link.name, "corosync link is up");
            }
        }
        *before = Arc::new(now);
        true
    });
}

/// Per link of the cluster, to how many of the nodes it works.
fn summary(state: &ClusterState, nodes: &[(NodeId, Vec<Link>)]) -> Vec<LinkStatus> {
    let of = |(number, link): (u8, &sfha_core::links::Link)| {
        let works = |links: &[Link]| links.iter().any(|link| link.number == number && link.connected);
        let down: Vec<String> =
            nodes.iter().filter(|(_, links)| !works(links)).map(|(id, _)| state.node_name(*id)).collect();
        LinkStatus {
            name: link.name().to_owned(),
            number,
            connected: u32::try_from(nodes.len() - down.len()).unwrap_or(u32::MAX),
            peers: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            down,
        }
    };
    (0..).zip(state.links()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sfha_core::state::{MeshSettings, Node};

    fn link(number: u8, connected: bool) -> Link {
        Link { number, connected, mtu: 1350, local: String::new(), remote: String::new() }
    }

    #[test]
    fn a_link_is_told_with_the_nodes_that_it_does_not_reach() {
        let links = vec![sfha_core::links::Link::Mesh, sfha_core::links::Link::Lan];
        let mesh = MeshSettings { network: "10.100.0.0/24".parse().unwrap(), port: 1, mtu: 1420, links };
        let node = |id: u8| Node {
            lan_address: Some([192, 0, 2, id].into()),
            ..Node::new(format!("n{id}"), [10, 100, 0, id].into())
        };
        let mut state = ClusterState::new("c", "lan", Some(mesh), node(1));
        state.nodes.extend([(2, node(2)), (3, node(3))]);
        // Of node 3, Corosync knows no second link (yet).
        let seen = [(2, vec![link(0, false), link(1, true)]), (3, vec![link(0, true)])];
        let told: Vec<_> = summary(&state, &seen)
            .into_iter()
            .map(|link| (link.name, link.number, link.connected, link.peers, link.down.join(" ")))
            .collect();
        assert_eq!(told, [("mesh".into(), 0, 1, 2, "n2".into()), ("lan".into(), 1, 1, 2, "n3".to_owned())]);
    }
}
