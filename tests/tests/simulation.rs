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

#[test]
fn no_address_is_on_two_nodes_whatever_is_cut() {
    check("no_address_is_on_two_nodes_whatever_is_cut", 0, 2000, &Profile::strict((3, 3), CUTS));
}

#[test]
fn no_address_is_on_two_nodes_whatever_dies() {
    check("no_address_is_on_two_nodes_whatever_dies", 10_000, 2000, &Profile::strict((3, 3), DEATHS));
}
