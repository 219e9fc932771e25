//! The core under any sequence of events, one JSON document a line as `sfhad --record` writes them: whatever
//! Corosync and other members say, it decides something, and never holds what it was not told to hold.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sfha_core::{Action, Cluster, ClusterState, Event, Settings, Time};

fuzz_target!(|text: &str| {
    let state: ClusterState =
        serde_json::from_str(include_str!("../seeds/mesh-api/state.json")).expect("the seed is a state");
    let settings = Settings {
        me: 1,
        program: "fuzz".into(),
        node_lost_delay: Duration::from_millis(300),
        daemon_lost_delay: Duration::from_millis(2300),
        unit_margin: Duration::from_secs(6),
    };
    let mut core = Cluster::new(settings, state);
    let mut now = Time::default();
    for event in text.lines().take(64).filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
        now = now + Duration::from_millis(100);
        core.handle_event(event, now);
        while let Some(action) = core.poll_action() {
            if let Action::Acquire { .. } = action {
                assert!(core.is_quorate(), "an address is taken without quorum");
            }
        }
        let _ = (core.status(), core.poll_timeout(), core.state().hash());
    }
});
