//! The decisions of sfha under invented faults. One seed: `SFHA_SIM_SEED=N`; more: `SFHA_SIM_SEEDS=N`.

use std::time::Duration;

use sfha_core::record::{Log, replay};
use sfha_sim::{Drivers, Fault, Fencing, Profile, World, check, run};

/// A third of the time went into memory with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A node that can do nothing loses its addresses after this time.
const LEASE: Duration = Duration::from_millis(1060);

const CUTS: &[(Fault, u64)] =
    &[(Fault::Partition, 4), (Fault::Isolate, 3), (Fault::Heal, 5), (Fault::PowerCut, 3), (Fault::Move, 2)];

const DEATHS: &[(Fault, u64)] = &[
    (Fault::Kill, 5),
    (Fault::KillSeveral, 1),
    (Fault::Shutdown, 3),
    (Fault::CorosyncCrash, 3),
    (Fault::Isolate, 1),
    (Fault::Heal, 1),
    (Fault::Move, 3),
    (Fault::Command, 3),
];

const COMMANDS: &[(Fault, u64)] = &[
    (Fault::Command, 20),
    (Fault::Move, 4),
    (Fault::Maintenance, 3),
    (Fault::Grow, 2),
    (Fault::PowerCut, 2),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 2),
    (Fault::Shutdown, 1),
    (Fault::Partition, 2),
    (Fault::Heal, 3),
];

const EVERYTHING: &[(Fault, u64)] = &[
    (Fault::Command, 6),
    (Fault::Move, 3),
    (Fault::Maintenance, 1),
    (Fault::PowerCut, 2),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 2),
    (Fault::KillSeveral, 1),
    (Fault::Pause, 2),
    (Fault::Freeze, 2),
    (Fault::Shutdown, 2),
    (Fault::CorosyncCrash, 2),
    (Fault::Partition, 3),
    (Fault::Isolate, 2),
    (Fault::Heal, 4),
];

/// No excuse: not for a moment.
#[test]
fn no_address_is_on_two_nodes_whatever_is_cut() {
    check("no_address_is_on_two_nodes_whatever_is_cut", 0, 2000, &Profile::strict((3, 3), CUTS));
}

/// No excuse but two: a node is cut off while the Corosync of another one, whose daemon is stopped, is
/// restarted, so that the others look for a new ring before they have missed it; or its daemon is killed while it
/// is cut off, and nothing takes its addresses off but their lease.
#[test]
fn no_address_is_on_two_nodes_whatever_dies() {
    check("no_address_is_on_two_nodes_whatever_dies", 10_000, 2500, &Profile::strict((3, 3), DEATHS))
        .no_overlap_longer_than(LEASE);
}

#[test]
fn what_was_applied_is_never_lost() {
    let profile = Profile { bad_disks: true, pause: (0, 1_000_000), ..Profile::strict((3, 5), COMMANDS) };
    check("what_was_applied_is_never_lost", 20_000, 1500, &profile);
}

/// Interfaces that take long and fail: a VIP may be on two nodes while one that was cut off cannot let go.
#[test]
fn bad_interfaces_end_in_one_holder() {
    let profile =
        Profile { bad_interfaces: true, impaired_may_overlap: true, ..Profile::strict((3, 3), DEATHS) };
    check("bad_interfaces_end_in_one_holder", 30_000, 1000, &profile).no_overlap_longer_than(LEASE);
}

#[test]
fn three_nodes_survive_everything() {
    let profile = Profile {
        bad_interfaces: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 3), EVERYTHING)
    };
    check("three_nodes_survive_everything", 40_000, 1000, &profile).no_overlap_longer_than(LEASE);
}

#[test]
fn many_nodes_survive_everything() {
    let profile = Profile {
        bad_interfaces: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((4, 7), EVERYTHING)
    };
    check("many_nodes_survive_everything", 50_000, 1000, &profile).no_overlap_longer_than(LEASE);
}

/// Without fencing both sides of a split go on (documented); once it is healed, one does.
#[test]
fn two_nodes_settle_after_a_split() {
    let profile =
        Profile { two_node: true, impaired_may_overlap: true, ..Profile::strict((2, 2), EVERYTHING) };
    check("two_nodes_settle_after_a_split", 60_000, 1100, &profile);
}

const REMOVALS: &[(Fault, u64)] = &[
    (Fault::Remove, 4),
    (Fault::Grow, 4),
    (Fault::Command, 4),
    (Fault::Move, 3),
    (Fault::Maintenance, 1),
    (Fault::PowerCut, 2),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 3),
    (Fault::Shutdown, 2),
    (Fault::CorosyncCrash, 1),
    (Fault::Partition, 2),
    (Fault::Isolate, 2),
    (Fault::Heal, 4),
];

/// Live, dead and unreachable nodes are removed in the midst of all else: no address is on two nodes, what
/// was applied is kept, who was removed is never a member again, and the rest serves.
#[test]
fn removed_nodes_go_in_order_and_for_good() {
    let profile = Profile { bad_disks: true, ..Profile::strict((3, 6), REMOVALS) };
    check("removed_nodes_go_in_order_and_for_good", 90_000, 1500, &profile).no_overlap_longer_than(LEASE);
}

const SERVICES: &[(Fault, u64)] = &[
    (Fault::KillUnit, 8),
    (Fault::Check, 8),
    (Fault::StartByHand, 2),
    (Fault::Configure, 4),
    (Fault::Command, 2),
    (Fault::Move, 4),
    (Fault::Maintenance, 2),
    (Fault::PowerCut, 3),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 3),
    (Fault::Pause, 1),
    (Fault::Shutdown, 2),
    (Fault::CorosyncCrash, 2),
    (Fault::Partition, 3),
    (Fault::Isolate, 3),
    (Fault::Heal, 6),
];

/// No unit is started while another node runs it, nothing before what comes first, nothing is stopped before
/// what depends on it; in the end all runs, together with what it is colocated with.
#[test]
fn services_run_once_and_in_order_whatever_happens() {
    let profile = Profile {
        services: (1, 3),
        bad_units: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 4), SERVICES)
    };
    check("services_run_once_and_in_order_whatever_happens", 100_000, 3000, &profile);
}

/// Of profiles as they were when they failed.
#[test]
fn seeds_that_failed_once_pass() {
    let profile = Profile {
        services: (1, 3),
        bad_units: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 4), SERVICES)
    };
    for seed in [103_536] {
        if let Err(report) = run("services_run_once_and_in_order_whatever_happens", seed, &profile) {
            panic!("{report}");
        }
    }
}

const WORSE: &[(Fault, u64)] = &[
    (Fault::Partial, 4),
    (Fault::DiskFull, 3),
    (Fault::SetClock, 2),
    (Fault::Command, 6),
    (Fault::Move, 4),
    (Fault::Maintenance, 1),
    (Fault::PowerCut, 2),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 3),
    (Fault::Pause, 2),
    (Fault::Shutdown, 2),
    (Fault::CorosyncCrash, 1),
    (Fault::Partition, 2),
    (Fault::Isolate, 2),
    (Fault::Heal, 5),
];

/// Nodes that hear some others and not all, full disks, clocks that are set: in clusters of one node to sixteen.
#[test]
fn any_number_of_nodes_survives_worse() {
    let profile = Profile {
        bad_interfaces: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((1, 16), WORSE)
    };
    check("any_number_of_nodes_survives_worse", 200_000, 400, &profile).no_overlap_longer_than(LEASE);
}

const STANDSTILLS: &[(Fault, u64)] = &[
    (Fault::Pause, 6),
    (Fault::Freeze, 3),
    (Fault::Partial, 2),
    (Fault::DiskFull, 2),
    (Fault::SetClock, 1),
    (Fault::KillUnit, 4),
    (Fault::Check, 4),
    (Fault::Configure, 2),
    (Fault::Move, 3),
    (Fault::PowerCut, 2),
    (Fault::Kill, 2),
    (Fault::Isolate, 2),
    (Fault::Heal, 5),
];

/// Services on nodes that stand still, until the watchdog bites or they go on.
#[test]
fn services_run_once_where_nodes_stand_still() {
    let profile = Profile {
        services: (1, 3),
        bad_units: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 5), STANDSTILLS)
    };
    check("services_run_once_where_nodes_stand_still", 300_000, 1500, &profile);
}

const LOSSES: &[(Fault, u64)] = &[
    (Fault::Partition, 4),
    (Fault::Isolate, 4),
    (Fault::Heal, 5),
    (Fault::PowerCut, 2),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 3),
    (Fault::Pause, 2),
    (Fault::Freeze, 2),
    (Fault::Shutdown, 3),
    (Fault::CorosyncCrash, 2),
    (Fault::KillUnit, 2),
    (Fault::Move, 3),
    (Fault::Maintenance, 1),
];

/// With fencing on nothing of a lost node is taken before that node is off, whatever its drivers do; in the end
/// all nodes are back and everything runs.
#[test]
fn nothing_of_a_lost_node_is_taken_before_it_is_off() {
    let profile = Profile {
        services: (0, 2),
        bad_units: true,
        bad_disks: true,
        fencing: Some(Fencing::with(Drivers::Bad)),
        ..Profile::strict((3, 5), LOSSES)
    };
    let summary = check("nothing_of_a_lost_node_is_taken_before_it_is_off", 110_000, 1500, &profile);
    assert!(summary.fenced > 0 && summary.overlaps.is_empty(), "{summary:?}");
}

/// However the network flaps, no more fencings begin by themselves than allowed, and the status says what holds
/// the others back.
#[test]
fn a_storm_of_fencings_stops_at_the_limit_and_is_told() {
    let profile = Profile {
        services: (0, 1),
        fencing: Some(Fencing { limit: 2, ..Fencing::with(Drivers::Good) }),
        ..Profile::strict((3, 5), LOSSES)
    };
    let summary = check("a_storm_of_fencings_stops_at_the_limit_and_is_told", 130_000, 500, &profile);
    assert!(summary.fenced > 0 && summary.storms > 0 && summary.overlaps.is_empty(), "{summary:?}");
}

/// No driver at all: a node that may not have what it has, or whose daemon hangs, resets itself, and the others
/// wait for as long as that may take.
#[test]
fn a_watchdog_bites_before_others_take_over() {
    let profile = Profile {
        services: (0, 2),
        bad_units: true,
        fencing: Some(Fencing { watchdog: Some(3_000_000), ..Fencing::with(Drivers::None) }),
        ..Profile::strict((3, 5), LOSSES)
    };
    let summary = check("a_watchdog_bites_before_others_take_over", 140_000, 700, &profile);
    assert!(summary.bitten > 0 && summary.fenced == 0 && summary.overlaps.is_empty(), "{summary:?}");
}

const SILENCE: &[(Fault, u64)] = &[
    (Fault::Confirm, 5),
    (Fault::Isolate, 4),
    (Fault::Partition, 2),
    (Fault::Heal, 3),
    (Fault::PowerCut, 3),
    (Fault::Kill, 2),
    (Fault::Shutdown, 2),
    (Fault::Pause, 1),
    (Fault::CorosyncCrash, 1),
    (Fault::Move, 2),
];

/// Drivers that never answer: what a lost node had is taken when an operator has seen to it that it is off.
#[test]
fn nothing_of_a_lost_node_is_taken_before_somebody_answers_for_it() {
    let profile = Profile {
        services: (0, 2),
        fencing: Some(Fencing::with(Drivers::Silent)),
        ..Profile::strict((3, 5), SILENCE)
    };
    let test = "nothing_of_a_lost_node_is_taken_before_somebody_answers_for_it";
    let summary = check(test, 150_000, 500, &profile);
    assert!(summary.confirmed > 0 && summary.overlaps.is_empty(), "{summary:?}");
}

const DEVICE: &[(Fault, u64)] = &[
    (Fault::CutFromDevice, 4),
    (Fault::HealDevice, 4),
    (Fault::DeviceDies, 2),
    (Fault::Partition, 3),
    (Fault::Isolate, 3),
    (Fault::Heal, 4),
    (Fault::PowerCut, 3),
    (Fault::PowerCutAll, 1),
    (Fault::Kill, 2),
    (Fault::Shutdown, 1),
    (Fault::CorosyncCrash, 2),
    (Fault::Command, 2),
    (Fault::Move, 2),
];

/// Two nodes that have lost each other, and then the device, the one sooner than the other.
const VOTES: &[(Fault, u64)] = &[
    (Fault::Isolate, 4),
    (Fault::CutFromDevice, 5),
    (Fault::HealDevice, 4),
    (Fault::Heal, 1),
    (Fault::Move, 1),
];

/// A vote from outside, that changes sides, is lost, and is believed to be there by those who have lost it: no
/// address is on two nodes, but for what a dead daemon leaves on a node that is cut off.
#[test]
fn the_vote_of_a_device_makes_one_side_go_on() {
    let profile = Profile { device: true, services: (0, 1), ..Profile::strict((2, 4), DEVICE) };
    check("the_vote_of_a_device_makes_one_side_go_on", 160_000, 1500, &profile).no_overlap_longer_than(LEASE);
}

/// No excuse: whoever gets the vote waits until those who had it must have missed the device.
#[test]
fn a_vote_that_changes_sides_is_not_used_twice() {
    let profile = Profile { device: true, ..Profile::strict((2, 2), VOTES) };
    let summary = check("a_vote_that_changes_sides_is_not_used_twice", 180_000, 1000, &profile);
    assert!(summary.overlaps.is_empty(), "{summary:?}");
}

const HANGS: &[(Fault, u64)] = &[
    (Fault::Hang, 8),
    (Fault::Command, 3),
    (Fault::Configure, 2),
    (Fault::Move, 4),
    (Fault::Maintenance, 1),
    (Fault::KillUnit, 2),
    (Fault::Check, 2),
    (Fault::Kill, 2),
    (Fault::Shutdown, 2),
    (Fault::PowerCut, 2),
    (Fault::Isolate, 3),
    (Fault::Heal, 4),
];

/// What a node asks of its interfaces, of systemd or of its disk gets no answer for up to twelve seconds: nothing
/// is on two nodes for longer than a lease, and all is well again when that is over.
#[test]
fn what_gives_no_answer_holds_up_nothing_for_good() {
    let profile = Profile {
        services: (0, 2),
        bad_interfaces: true,
        bad_units: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 4), HANGS)
    };
    check("what_gives_no_answer_holds_up_nothing_for_good", 170_000, 700, &profile)
        .no_overlap_longer_than(LEASE);
}

const CABLE: &[(Fault, u64)] = &[(Fault::Isolate, 1), (Fault::Move, 2)];

/// Two nodes, the cable between them cut, both with quorum: exactly one survives, and serves.
#[test]
fn of_two_nodes_one_fences_the_other() {
    let profile = Profile {
        two_node: true,
        fencing: Some(Fencing::with(Drivers::Good)),
        pause: (6_000_000, 9_000_000),
        duration: 40_000_000,
        ..Profile::strict((2, 2), CABLE)
    };
    let summary = check("of_two_nodes_one_fences_the_other", 120_000, 1000, &profile);
    assert!(summary.fenced > 0 && summary.overlaps.is_empty(), "{summary:?}");
}

const FREEZES: &[(Fault, u64)] = &[(Fault::Freeze, 1)];

/// A node whose processes all stand still keeps its addresses until their lease is over. Since that is
/// shorter than Corosync's detection and the delay together, nobody has taken them over by then, even
/// where the token was last seen 140 ms before the node froze.
#[test]
fn a_frozen_node_has_lost_its_addresses_when_they_are_taken_over() {
    let profile = Profile {
        pause: (10_000_000, 12_000_000),
        duration: 60_000_000,
        detection: (860_000, 1_150_000),
        ..Profile::strict((3, 3), FREEZES)
    };
    check("a_frozen_node_has_lost_its_addresses_when_they_are_taken_over", 70_000, 1000, &profile);
}

/// What a run records of a core, a fresh core does again: this is how a failure becomes a test.
#[test]
fn a_recorded_core_does_the_same_again() {
    let profile = Profile::strict((3, 3), EVERYTHING);
    for seed in 80_000..80_010 {
        let mut world = World::new(seed, profile.clone(), true);
        let _ = world.run();
        for (node, log) in world.logs() {
            let lines = log.to_lines().unwrap();
            let read = Log::from_lines(&lines).unwrap();
            assert!(read == log, "seed {seed}, node {node}");
            if let Err(error) = replay(&read) {
                panic!("seed {seed}, node {node}: {error:#}");
            }
        }
    }
}
