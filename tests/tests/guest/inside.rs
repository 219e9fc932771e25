//! What runs in the guest: one life of a cluster whose first two nodes have kernel WireGuard and whose third
//! has `sfha-wg`. One test, for a boot costs more than a step; each step leaves all nodes in step.
//!
//! To come, each as a step of its own before `a_clean_stop`: a VIP inside the mesh network, the removal of a node.

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
    both.a_clean_stop();
}
