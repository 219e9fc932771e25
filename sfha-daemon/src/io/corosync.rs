//! Membership, quorum and totally ordered messages from Corosync, by callback.
//!
//! ```text
//!                     ┌ corosync-cpg    group members, rings, messages in and out ┐
//! corosync-session ───┼ corosync-quorum quorate or not, members of the ring       ├──▶ one event channel
//!   opens, joins,     └ corosync-votes  votes, after every change of them         ┘
//!   waits, reopens
//! ```
//!
//! The session thread opens the three handles, joins the group, reports [`CorosyncEvent::Connected`], starts one
//! thread per handle and waits for the first of them to end. Then it ends the others, reports
//! [`CorosyncEvent::Disconnected`] once, and tries again: after 100 ms, twice as long after every failure, 1 s at most.
//!
//! A thread waits in poll(2) on the handle's descriptor and on a wake-up; nothing runs when nothing happens, but
//! for one small request every [`PROBE_INTERVAL`] by which a Corosync that is stopped or stuck is noticed: its socket
//! stays open, and the node would go on believing in its last quorum.
//!
//! The event channel is unbounded on purpose: a thread that blocks on a full channel stops reading from Corosync,
//! which then holds back the senders on *every* node. What piles up is bounded by what the other daemons send, and the
//! event loop never blocks for long.
//!
//! # Order
//!
//! `Membership`, `Ring` and `Message` come from one thread in Corosync's order, the same on all members: the guarantee
//! of cpg_overview(3) (extended virtual synchrony), kept where Corosync alone would not keep it: for large messages, and
//! for messages under way when the ring changes (`corosync/fragment.rs`). After a loss of the ring, members that were
//! apart may have delivered different messages, as always with partitions; from the `Membership` that brings them
//! together on, they deliver the same ones. `Quorum` and `Votes` come from other threads: their order relative to the group's
//! events is not defined.

use std::sync::Arc;
use std::time::Duration;

use rust_corosync::CsError;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

mod admin;
mod ffi;
mod fragment;
mod group;
mod once;
mod outbox;
mod quorum;
mod session;
mod votes;
mod wait;

pub use admin::Link;
pub use fragment::MAX_PAYLOAD;
pub use once::send_once;

use outbox::Outbox;

/// A node id as in `corosync.conf`.
pub type NodeId = u32;

/// How often Corosync is asked for an answer while nothing happens.
///
/// A Corosync that stops just after an answer is asked after this time, and is given the token's time from then on.
/// The others miss it after the token's time and take over 0.3 s later (with the profile `lan`): by then it must have
/// been noticed here, and everything let go.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// A Corosync that leaves a request unanswered for this long counts as lost, unless
/// [`Corosync::set_answer_deadline`] says otherwise.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// Corosync's name for one membership of the ring: all members see the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId {
    /// The node that formed the ring.
    pub node: NodeId,
    /// Rises with every ring.
    pub seq: u64,
}

/// A member of the group: one process. A node can have several, for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Its node.
    pub node: NodeId,
    /// Its process id on that node (as it sees it itself).
    pub pid: u32,
}

/// Why a member came or went (cpg_join(3), `cpg_reason_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// The process left the group.
    Leave,
    /// Its node left the ring, or was cut off.
    NodeDown,
    /// Its node came into the ring with the process already in the group (or a partition healed).
    NodeUp,
    /// The process ended, or lost its Corosync, without leaving.
    ProcDown,
    /// The process joined the group (`CPG_REASON_JOIN`).
    ProcUp,
    /// A value that this version does not know.
    Undefined,
}

/// What Corosync told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum CorosyncEvent {
    /// All handles are open and the group is joined; the first `Quorum`, `Votes` and `Membership` follow.
    Connected {
        /// This process as the group sees it.
        local: Member,
    },
    /// Corosync stopped, crashed, does not answer, or is not there. Sent once per loss, and once at the start if
    /// there is no Corosync; reconnecting is automatic. Quorum and membership are unknown from here on.
    Disconnected {
        /// For the log.
        error: String,
        /// Messages that were accepted by [`Corosync::multicast`] and did not come back before the loss. They are given
        /// up; some may have reached other members.
        undelivered: usize,
    },
    /// The quorum callback (quorum_model_initialize(3), model v1): on every change of the ring or of being quorate.
    Quorum {
        /// Whether this node's partition has quorum.
        quorate: bool,
        /// The ring it is about.
        ring: RingId,
        /// Nodes of the ring, ascending.
        members: Vec<NodeId>,
    },
    /// The state of votequorum(5), whenever it differs from the one sent last.
    Votes {
        /// Votes of all nodes together, present or not, by the highest opinion in the ring.
        expected: u32,
        /// Votes of the nodes present.
        total: u32,
        /// Votes needed for quorum.
        needed: u32,
        /// Whether this is quorate by votequorum's own count.
        quorate: bool,
        /// `two_node` is in force.
        two_node: bool,
        /// `wait_for_all` is in force (not whether this node is still waiting).
        wait_for_all: bool,
    },
    /// What this node's quorum device does, whenever that changes; not sent where there is none.
    Device {
        /// Whether it votes for its side; `None`: it is gone.
        votes: Option<bool>,
    },
    /// The group changed.
    Membership {
        /// Its members now, ascending.
        members: Vec<Member>,
        /// Who went.
        left: Vec<(Member, LeaveReason)>,
        /// Who came.
        joined: Vec<(Member, LeaveReason)>,
    },
    /// A new ring was formed. Not sent for the ring that exists when the group is joined.
    Ring {
        /// The new ring.
        ring: RingId,
        /// Its nodes, ascending.
        members: Vec<NodeId>,
    },
    /// A message to the group, one's own too.
    Message {
        /// Who sent it.
        from: Member,
        /// What was given to [`Corosync::multicast`].
        payload: Vec<u8>,
    },
}

/// Why a request to Corosync failed.
#[derive(Debug, thiserror::Error)]
pub enum CorosyncError {
    /// There is no connection at present.
    #[error("not connected to corosync")]
    NotConnected,
    /// The payload is larger than [`MAX_PAYLOAD`].
    #[error("payload of {len} bytes exceeds {MAX_PAYLOAD}")]
    TooBig {
        /// Its length in bytes.
        len: usize,
    },
    /// Corosync does not take messages as fast as they come.
    #[error("{queued} bytes are waiting to be sent")]
    QueueFull {
        /// Bytes that are waiting.
        queued: usize,
    },
    /// Corosync refused.
    #[error("corosync refused: {action}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// Its answer.
        #[source]
        source: CsError,
    },
    /// No answer within the deadline.
    #[error("no answer from corosync in time: {action}")]
    Deadline {
        /// What was asked for.
        action: &'static str,
    },
    /// A thread or a pipe could not be made, or a thread ended without an answer.
    #[error("system error: {action}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl CorosyncError {
    fn refused(action: &'static str) -> impl Fn(CsError) -> Self {
        move |source| Self::Refused { action, source }
    }

    fn system(action: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// The connection to the Corosync of this node. Dropping it leaves the group without waiting for that.
pub struct Corosync {
    outbox: Arc<Outbox>,
}

impl Corosync {
    /// Starts the threads and returns at once; whatever becomes of the connection is told on the channel.
    ///
    /// `group` is the CPG group to join, 1 to 127 bytes. One `Corosync` per group and process: Corosync tells members
    /// apart by process id.
    pub fn start(group: &str) -> Result<(Self, UnboundedReceiver<CorosyncEvent>), CorosyncError> {
        let (events, receiver) = unbounded_channel();
        let outbox = Arc::new(Outbox::new().map_err(CorosyncError::system("make a wake-up"))?);
        session::spawn(group.to_owned(), Arc::clone(&outbox), events)?;
        Ok((Self { outbox }, receiver))
    }

    /// Queues a message to all members of the group, this process included, in one order for all (agreed order).
    /// Its own delivery is the proof of having been sent.
    ///
    /// Never blocks. Messages of one caller keep their order. When the connection is lost, the ones that did not come
    /// back are given up and counted in [`CorosyncEvent::Disconnected`].
    pub fn multicast(&self, payload: Vec<u8>) -> Result<(), CorosyncError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(CorosyncError::TooBig { len: payload.len() });
        }
        self.outbox.push(payload)
    }

    /// How long Corosync may leave a request unanswered before it counts as lost.
    ///
    /// The token timeout is the right value: Corosync has one thread for the token and for its clients, so one that has
    /// not answered for that long has lost the token too, and the others go on without this node.
    pub fn set_answer_deadline(&self, deadline: Duration) {
        self.outbox.set_answer_deadline(deadline);
    }

    /// Sends what is queued, leaves the group and closes the connection for good. Returns when that is done, or after
    /// `deadline` in any case.
    pub async fn leave(&self, deadline: Duration) {
        let left = self.outbox.leave();
        // Both errors mean that there is nothing left to wait for.
        let _ = tokio::time::timeout(deadline, left).await;
    }

    /// Makes the Corosyncs of all nodes read their `corosync.conf` again (`corosync_cfg_reload_config`).
    ///
    /// Success means that *this* node's file was read and put in force. Another node with a bad or an old file says
    /// nothing here: ask for [`Self::config_versions`] afterwards.
    pub async fn reload(&self) -> Result<(), CorosyncError> {
        admin::reload().await
    }

    /// The `config_version` that is in force on each node of the ring, as the nodes told each other.
    pub async fn config_versions(&self) -> Result<Vec<(NodeId, u64)>, CorosyncError> {
        admin::config_versions().await
    }

    /// The knet links to a node (`corosync_cfg_node_status_get`), enabled ones only, by link number.
    pub async fn links(&self, node: NodeId) -> Result<Vec<Link>, CorosyncError> {
        Ok(self.links_to(vec![node]).await?.pop().map(|(_, links)| links).unwrap_or_default())
    }

    /// The same of several nodes, in their order.
    pub async fn links_to(&self, nodes: Vec<NodeId>) -> Result<Vec<(NodeId, Vec<Link>)>, CorosyncError> {
        admin::links(nodes).await
    }
}

impl Drop for Corosync {
    fn drop(&mut self) {
        drop(self.outbox.leave());
    }
}
