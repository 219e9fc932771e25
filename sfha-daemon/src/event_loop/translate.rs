//! What Corosync tells, as the core wants to hear it.

use sfha_core::cluster::Ring;
use sfha_core::{Event, GroupMessage, LeaveReason, Member, NodeId};
use tracing::{debug, error, info, warn};

use crate::io::corosync::{CorosyncEvent, LeaveReason as CpgReason, Member as CpgMember};

/// `None`: nothing for the core.
pub(super) fn translate(event: CorosyncEvent, me: NodeId) -> Option<Event> {
    let member = |member: CpgMember| Member { node: member.node, pid: member.pid };
    match event {
        CorosyncEvent::Connected { local } => {
            info!(node = local.node, "connected to corosync");
            if local.node != me {
                error!(corosync = local.node, sfha = me, "corosync runs with another node id");
            }
            Some(Event::Connected { member: member(local) })
        }
        CorosyncEvent::Disconnected { error, undelivered } => {
            warn!(error, undelivered, "corosync is gone");
            Some(Event::Disconnected)
        }
        CorosyncEvent::Quorum { quorate, ring, members } => {
            info!(quorate, ?members, ring = ring.seq, "quorum");
            let ring = Ring { node: ring.node, seq: ring.seq };
            Some(Event::Quorum { quorate, ring, members: members.into_iter().collect() })
        }
        CorosyncEvent::Votes { expected, total, needed, .. } => {
            Some(Event::Votes { total, expected, needed })
        }
        CorosyncEvent::Device { votes } => {
            info!(votes, "quorum device");
            Some(Event::Device { votes })
        }
        CorosyncEvent::Membership { members, left, .. } => {
            info!(?members, ?left, "group");
            let left = left.into_iter().map(|(gone, why)| (member(gone), reason(why))).collect();
            Some(Event::Membership { members: members.into_iter().map(member).collect(), left })
        }
        CorosyncEvent::Ring { ring, .. } => {
            Some(Event::Ring { ring: Ring { node: ring.node, seq: ring.seq } })
        }
        CorosyncEvent::Message { from, payload } => match serde_json::from_slice::<GroupMessage>(&payload) {
            Ok(message) => {
                debug!(from = from.node, ?message, "delivered");
                Some(Event::Delivered { from: member(from), message })
            }
            Err(error) => {
                // A member with another version of the program: it is not a candidate for us either.
                warn!(from = from.node, %error, "message not understood");
                None
            }
        },
    }
}

fn reason(reason: CpgReason) -> LeaveReason {
    match reason {
        CpgReason::Leave => LeaveReason::Leave,
        CpgReason::NodeDown => LeaveReason::NodeDown,
        CpgReason::ProcDown => LeaveReason::ProcessDown,
        CpgReason::NodeUp | CpgReason::ProcUp | CpgReason::Undefined => LeaveReason::Undefined,
    }
}
