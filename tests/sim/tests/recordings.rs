//! What real daemons wrote down replays: to the same actions, byte for byte.
//!
//! A recording is a file of `/var/lib/sfha/record` (`logging.record`), copied into `recordings/`. After a change of
//! the decisions that is wanted, `SFHA_RENEW=1` writes what they ask for now; look at the difference.

use std::fs;
use std::path::Path;

use sfha_core::Event;
use sfha_core::record::{Log, renew, replay};

#[test]
fn recordings_of_real_daemons_replay_byte_for_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    assert!(!all.is_empty());
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let log = Log::from_lines(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!log.cut && log.turns.len() > 20, "{}", path.display());
        let lost = |event: &Event| matches!(event, Event::Membership { left, .. } if !left.is_empty());
        assert!(log.turns.iter().any(|turn| lost(&turn.event)), "{}: somebody is lost in it", path.display());
        if std::env::var_os("SFHA_RENEW").is_some() {
            fs::write(&path, renew(&log).to_lines().unwrap()).unwrap();
            continue;
        }
        if let Err(difference) = replay(&log) {
            panic!("{}: {difference}", path.display());
        }
        // What was compared is all that the file says.
        assert_eq!(log.to_lines().unwrap(), text, "{}", path.display());
    }
}
