//! What runs in the guest: one life of a cluster whose first two nodes have kernel WireGuard and whose third
//! has `sfha-wg`. One test, for a boot costs more than a step; each step leaves all nodes in step.

use std::path::Path;

use crate::steps::{BACKENDS, Both};

#[test]
#[ignore = "runs in the guest"]
fn a_cluster_of_both_backends() {
    assert!(Path::new("/sfha-guest").exists(), "only for the guest");
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
