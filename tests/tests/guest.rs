//! sfha against what only the guest has for certain: kernel WireGuard, and a watchdog. The tests on this machine
//! boot it and run, in it, those of `inside` from this very program.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "guest/inside.rs"]
mod inside;
#[path = "guest/steps.rs"]
mod steps;
#[path = "guest/watchdog.rs"]
mod watchdog;

use std::time::{Duration, Instant};

use sfha_tests::cluster::package;
use sfha_tests::guest::Guest;

/// For a machine that does much else at the same time. Less than nextest allows, so that the end is told here.
const LIMIT: Duration = Duration::from_secs(14 * 60);

#[test]
fn kernel_wireguard_carries_the_cluster_and_works_with_userspace() {
    let test = "inside::a_cluster_of_both_backends";
    let (guest, program) = made();
    let status = guest.run(&command(&program, test), LIMIT, tell);
    assert_eq!(
        status.unwrap_or_else(|error| panic!("{error:#}")),
        0,
        "{test} failed in the guest: see above"
    );
}

#[test]
fn the_watchdog_ends_a_machine_whose_daemon_hangs() {
    let (guest, program) = made();
    let (mut hangs, mut resets) = (None, false);
    let reset = guest.run_until_reset(&command(&program, "inside::a_node_with_a_watchdog"), LIMIT, |line| {
        tell(line);
        if line.contains(watchdog::HANGS) {
            hangs = Some(Instant::now());
        }
        resets |= line.contains(watchdog::RESETS);
    });
    reset.unwrap_or_else(|error| panic!("{error:#}"));
    let hangs = hangs.expect("the daemon was not stopped");
    assert!(resets, "it was not the watchdog");
    println!("the machine was reset {:.1} s after the daemon hung", hangs.elapsed().as_secs_f32());
}

/// With this program on its disk.
fn made() -> (Guest, String) {
    let guest = Guest::new("guest", Some(&package().unwrap())).unwrap();
    let program = guest.install(&std::env::current_exe().unwrap()).unwrap();
    (guest, program)
}

/// Runs one test of the program in the guest.
fn command<'a>(program: &'a str, test: &'a str) -> [&'a str; 5] {
    [program, "--exact", test, "--ignored", "--nocapture"]
}

/// The guest's output is the test's.
fn tell(line: &str) {
    println!("guest: {line}");
}
