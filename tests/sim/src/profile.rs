//! What a run is like: how many nodes, which faults, how long things take.

use std::time::Duration;

use super::corosync::LAN_DETECTION;
use super::fencing::Fencing;

const MS: u64 = 1000;

/// A fault, or something an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power of a node goes; it mostly comes back.
    PowerCut,
    /// The power of all nodes goes; they come back in any order.
    PowerCutAll,
    /// The daemon is killed; `ExecStopPost=` releases, systemd starts it again.
    Kill,
    /// The daemons of several nodes are killed at once.
    KillSeveral,
    /// The daemon alone stands still (its node stays in the ring).
    Pause,
    /// All processes of a node stand still; its kernel goes on.
    Freeze,
    /// Nodes are put on two or three sides.
    Partition,
    /// One node is cut off.
    Isolate,
    /// Some nodes do not hear some others, in one direction or both, while third ones hear all of them. Totem's
    /// token has to come round, so that one direction is as good as none, and who is in a ring with whom changes
    /// from one try to the next.
    Partial,
    /// Everybody reaches everybody again.
    Heal,
    /// Corosync crashes and is started again.
    CorosyncCrash,
    /// The daemon is asked to stop; it is started again later.
    Shutdown,
    /// An operator changes VIPs or nodes.
    Command,
    /// An operator moves VIPs.
    Move,
    /// Maintenance on, and off again.
    Maintenance,
    /// A node's disk is full for a while: nothing is written.
    DiskFull,
    /// For seconds there is no answer to what a node asks of its interfaces, of systemd, or of its disk.
    Hang,
    /// Somebody sets a node's clock.
    SetClock,
    /// An operator switches a node off that waits to be fenced, and says so.
    Confirm,
    /// Nodes do not reach the quorum device.
    CutFromDevice,
    /// All nodes reach it again.
    HealDevice,
    /// It is gone for a while.
    DeviceDies,
    /// A node is invited and joins.
    Grow,
    /// A node, whatever its condition, is taken out for good.
    Remove,
    /// A running unit dies.
    KillUnit,
    /// Somebody starts a unit by hand.
    StartByHand,
    /// A health check changes its mind.
    Check,
    /// An operator adds or removes services and ties resources together otherwise.
    Configure,
}

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Fewest and most nodes.
    pub nodes: (u64, u64),
    /// `two_node: 1`.
    pub two_node: bool,
    /// There is a quorum device.
    pub device: bool,
    /// Faults and how often each is picked.
    pub faults: &'static [(Fault, u64)],
    /// Shortest and longest pause between two faults; now and then much happens at once, if it may.
    pub pause: (u64, u64),
    /// How long faults go on.
    pub duration: u64,
    /// Acquiring and releasing can take up to 300 ms and fail.
    pub bad_interfaces: bool,
    /// `ExecStopPost=` can fail.
    pub bad_release_after_death: bool,
    /// Fewest and most services.
    pub services: (u64, u64),
    /// Starting and stopping units can fail.
    pub bad_units: bool,
    /// Writing can take long and fail.
    pub bad_disks: bool,
    /// Time by which the kernel has removed an address that is no longer renewed.
    pub lease: u64,
    /// Time between two renewals.
    pub renewal: u64,
    /// As in the core's settings.
    pub node_lost_delay: Duration,
    /// As in the core's settings.
    pub daemon_lost_delay: Duration,
    /// As in the core's settings.
    pub unit_margin: Duration,
    /// Shortest and longest time between a ring's stall and the next ring.
    pub detection: (u64, u64),
    /// Some nodes are on two interfaces' sides at once for a moment: never allowed without this.
    pub impaired_may_overlap: bool,
    /// Fencing is on.
    pub fencing: Option<Fencing>,
    /// Votequorum's answer comes up to this much later than the group's.
    pub quorum_lag: u64,
}

impl Profile {
    /// Only what the design says can never make two holders: cuts, splits, deaths, restarts.
    #[must_use]
    pub fn strict(nodes: (u64, u64), faults: &'static [(Fault, u64)]) -> Self {
        Self {
            nodes,
            two_node: false,
            device: false,
            faults,
            pause: (0, 3000 * MS),
            duration: 20_000 * MS,
            bad_interfaces: false,
            bad_release_after_death: true,
            services: (0, 0),
            bad_units: false,
            bad_disks: false,
            lease: LEASE,
            renewal: RENEWAL,
            node_lost_delay: NODE_LOST_DELAY,
            daemon_lost_delay: DAEMON_LOST_DELAY,
            unit_margin: UNIT_MARGIN,
            detection: LAN_DETECTION,
            impaired_may_overlap: false,
            fencing: None,
            quorum_lag: 20 * MS,
        }
    }
}

/// `valid_lft 1`, as measured: gone after 1.06 s at the latest.
pub const LEASE: u64 = 1060 * MS;

/// Time between two renewals of a lease.
pub const RENEWAL: u64 = 250 * MS;

/// Covers the skew between two sides of a split.
pub const NODE_LOST_DELAY: Duration = Duration::from_millis(300);

/// Covers a daemon that stands still until its watchdog bites (5 s), and `ExecStopPost=`.
pub const UNIT_MARGIN: Duration = Duration::from_secs(6);

/// Covers a lease.
pub const DAEMON_LOST_DELAY: Duration = Duration::from_millis(1200);
