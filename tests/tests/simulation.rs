//! The decisions of sfha under invented faults. One seed: `SFHA_SIM_SEED=N`; more: `SFHA_SIM_SEEDS=N`.

use sfha_tests::sim::{Fault, Profile, check};

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

#[test]
fn no_address_is_on_two_nodes_whatever_dies() {
    check("no_address_is_on_two_nodes_whatever_dies", 10_000, 2000, &Profile::strict((3, 3), DEATHS));
}

#[test]
fn what_was_applied_is_never_lost() {
    let profile = Profile { bad_disks: true, pause: 1000_000, ..Profile::strict((3, 5), COMMANDS) };
    check("what_was_applied_is_never_lost", 20_000, 2000, &profile);
}

/// Interfaces that take long and fail: a VIP may be on two nodes while one that was cut off cannot let go.
#[test]
fn bad_interfaces_end_in_one_holder() {
    let profile =
        Profile { bad_interfaces: true, impaired_may_overlap: true, ..Profile::strict((3, 3), DEATHS) };
    check("bad_interfaces_end_in_one_holder", 30_000, 1000, &profile);
}

#[test]
fn three_nodes_survive_everything() {
    let profile = Profile {
        bad_interfaces: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((3, 3), EVERYTHING)
    };
    check("three_nodes_survive_everything", 40_000, 1000, &profile);
}

#[test]
fn many_nodes_survive_everything() {
    let profile = Profile {
        bad_interfaces: true,
        bad_disks: true,
        impaired_may_overlap: true,
        ..Profile::strict((4, 7), EVERYTHING)
    };
    check("many_nodes_survive_everything", 50_000, 1000, &profile);
}

/// Without fencing both sides of a split go on (documented); once it is healed, one does.
#[test]
fn two_nodes_settle_after_a_split() {
    let profile =
        Profile { two_node: true, impaired_may_overlap: true, ..Profile::strict((2, 2), EVERYTHING) };
    check("two_nodes_settle_after_a_split", 60_000, 1000, &profile);
}
