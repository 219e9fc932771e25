//! What a joiner sends, and what a member answers with: a state is used as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfha_core::{ClusterState, Command, mesh};
use sfha_daemon::mesh_api::{Admission, JoinRequest};
use sfha_daemon::{endpoints, store};

fuzz_target!(|body: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<JoinRequest>(body) {
        let _ = sfha_core::token::verify(&request.claims, &request.signature, b"secret");
        let _ = request.endpoint.as_deref().map(|endpoint| endpoints::complete(endpoint, 51820));
    }
    if let Ok(admission) = serde_json::from_slice::<Admission>(body) {
        used(admission.state);
    }
    if let Ok(state) = serde_json::from_slice::<ClusterState>(body) {
        used(state);
    }
});

fn used(mut state: ClusterState) {
    let before = state.clone();
    for me in [1, 2] {
        let _ = mesh::wanted_peers(&state, me, &Default::default(), &Default::default(), 0);
    }
    let _ = store::corosync_conf(&state);
    let _ = state.free_address();
    let invite = Command::AddInvite {
        id: "fuzz".into(),
        public_key: "key".into(),
        ip: None,
        expires: i64::MAX,
        initiator: 1,
    };
    if state.apply(&invite).is_err() {
        assert_eq!(state, before, "a refused command changes nothing");
    }
}
