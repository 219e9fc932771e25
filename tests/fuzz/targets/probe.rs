//! What comes from a member inside the tunnel: any bytes are a probe or an error, and any probe is digested.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sfha_core::Time;
use sfha_core::path::wire::Datagram;
use sfha_core::path::{Member, Paths};

fuzz_target!(|bytes: &[u8]| {
    let Ok(datagram) = Datagram::parse(bytes) else { return };
    assert!(Datagram::parse(&datagram.encode()).is_ok());
    let member = |id: u32| Member { address: [10, 100, 0, id as u8].into(), endpoints: Vec::new() };
    let mut paths = Paths::new(2, 1_000_000);
    paths.set_members((1..=4).map(|id| (id, member(id))).collect::<BTreeMap<_, _>>(), Time::default());
    for second in 1..20 {
        paths.receive(1 + second % 4, &datagram, Time::from_micros(u64::from(second) * 1_000_000));
        while paths.poll_action().is_some() {}
    }
    assert!(paths.relays().keys().all(|node| *node != 2));
});
