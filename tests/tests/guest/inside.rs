//! What runs in the guest: one life of a cluster whose first two nodes have kernel WireGuard and whose third
//! has `sfha-wg`; and one of a node with a watchdog. One test a guest, for a boot costs more than a step.

use std::path::Path;

use crate::steps::{BACKENDS, Both};
use crate::watchdog::Watched;

#[test]
#[ignore = "runs in the guest"]
fn a_cluster_of_both_backends() {
    only_here();
    let both = Both::formed();
    both.backends_are(&BACKENDS);
    both.all_connected();
    both.wg_tells_the_same();
    both.tunnels_carry_packets();
    both.a_vip_survives_the_power_cut_of_its_holder();
    both.the_mesh_outlives_the_daemon();
    both.keys_rotate();
    both.the_interface_comes_back();
    both.a_node_changes_its_backend();
    both.a_mesh_vip_moves_between_backends();
    both.a_broken_path_is_relayed_and_healed();
    let rest = both.a_clean_stop();
    both.who_is_off_is_removed(&rest);
}

/// It ends the guest.
#[test]
#[ignore = "runs in the guest"]
fn a_node_with_a_watchdog() {
    only_here();
    let watched = Watched::formed();
    watched.systemd_replaces_a_daemon_that_hangs();
    watched.a_clean_stop_switches_it_off();
    watched.it_is_fed();
    watched.a_daemon_that_hangs_takes_the_machine_with_it();
}

fn only_here() {
    assert!(Path::new("/sfha-guest").exists(), "only for the guest");
}
