use std::time::{Duration, SystemTime};

use super::*;

fn part(number: u8, networks: &[&str]) -> wg::PeerInfo {
    let mut info = wg::PeerInfo::from_public_key(wg::Key([number; 32]));
    info.config.allowed_ips = networks.iter().map(|text| text.parse().unwrap()).collect();
    info.config.persistent_keepalive_interval = Some(0);
    info
}

#[test]
fn a_peer_that_comes_in_two_parts_is_one() {
    let mut first = part(2, &["10.0.0.2/32", "10.9.0.0/16"]);
    first.stats.rx_bytes = 7;
    first.stats.last_handshake_time = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    let peers = merge(vec![first, part(2, &["10.0.0.1/32"]), part(1, &[])]);
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].public_key, PublicKey([1; 32]));
    let networks: Vec<_> = peers[1].allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.1/32", "10.0.0.2/32", "10.9.0.0/16"]);
    assert_eq!(peers[1].rx_bytes, 7);
    assert_eq!(peers[1].keepalive, None);
}
