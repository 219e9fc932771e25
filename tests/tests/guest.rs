//! sfha against kernel WireGuard, which only the guest has for certain: the test on this machine boots it and
//! runs, in it, the tests of `inside` from this very program.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "guest/inside.rs"]
mod inside;
#[path = "guest/steps.rs"]
mod steps;

use std::time::Duration;

use sfha_tests::cluster::package;
use sfha_tests::guest::Guest;

/// For a machine that does much else at the same time. Less than nextest allows, so that the end is told here.
const LIMIT: Duration = Duration::from_secs(14 * 60);

#[test]
fn kernel_wireguard_carries_the_cluster_and_works_with_userspace() {
    in_the_guest("inside::a_cluster_of_both_backends");
}

/// Runs a test of this program in the guest; its output is this test's.
fn in_the_guest(test: &str) {
    let guest = Guest::new("guest", Some(&package().unwrap())).unwrap();
    let program = guest.install(&std::env::current_exe().unwrap()).unwrap();
    let command = [program.as_str(), "--exact", test, "--ignored", "--nocapture"];
    let status = guest.run(&command, LIMIT, |line| println!("guest: {line}"));
    assert_eq!(
        status.unwrap_or_else(|error| panic!("{error:#}")),
        0,
        "{test} failed in the guest: see above"
    );
}
