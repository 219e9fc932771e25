//! Random faults against a whole cluster. `SFHA_CHAOS_SECONDS` (60), `SFHA_CHAOS_SEED`, `SFHA_CHAOS_NODES` (3).

use std::time::Duration;

use sfha_tests::chaos::{Options, run};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

#[test]
fn random_faults_break_nothing_and_are_survived() {
    let options = Options {
        seed: number("SFHA_CHAOS_SEED", 1),
        nodes: usize::try_from(number("SFHA_CHAOS_NODES", 3)).unwrap(),
        time: Duration::from_secs(number("SFHA_CHAOS_SECONDS", 60)),
    };
    let summary = run(options).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{summary:?}");
}
