//! Writes down what the core started with, every event that it receives and every action that it asks for, as JSON
//! lines: a failure in the field becomes a test by copying the file ([`sfha_core::record`]).
//!
//! `logging.record` of `config.yml` switches it on. What is written is what the group's messages and the state have
//! in them, and no more: keys and secrets are not part of either. A thread of its own writes, since the event loop
//! must not wait for a disk; where that cannot keep up, the recording ends, for one with a gap is of no use.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use sfha_core::record::{FORMAT, Start, Turn, line};
use sfha_core::{Action, ClusterState, Event, Settings, Time};
use tracing::{info, warn};

/// Size at which a recording stops, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Recordings that are kept: with [`LIMIT`], 64 MiB.
const KEPT: usize = 4;

/// Turns that may wait for the disk.
const WAITING: usize = 1024;

/// A turn that has not been written yet.
type Said = (Time, Event, Vec<Action>);

/// An open recording.
#[derive(Debug)]
pub struct Recorder {
    turns: Option<SyncSender<Said>>,
}

impl Recorder {
    /// Begins a recording of a core that is made with this now; the oldest ones go.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn start(folder: &Path, settings: &Settings, state: &ClusterState) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // Milliseconds since 1970, which sort as they follow.
        let path = folder.join(format!("{:013}.jsonl", now.as_millis()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        forget_old(folder)?;
        let start = Start {
            format: FORMAT,
            began: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            settings: settings.clone(),
            state: state.clone(),
        };
        let (turns, said) = sync_channel(WAITING);
        info!(file = %path.display(), "recording");
        std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || write_all(file, &start, &said))?;
        Ok(Self { turns: Some(turns) })
    }

    /// Writes one turn. A recording that fails ends; the daemon goes on.
    pub fn record(&mut self, at: Time, event: Event, actions: Vec<Action>) {
        let Some(turns) = &self.turns else { return };
        match turns.try_send((at, event, actions)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                warn!("recording ends: the disk is too slow");
                self.turns = None;
            }
            // The thread has said why.
            Err(TrySendError::Disconnected(_)) => self.turns = None,
        }
    }
}

fn forget_old(folder: &Path) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut all: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    all.sort();
    all[..all.len().saturating_sub(KEPT)].iter().try_for_each(std::fs::remove_file)
}

/// Until the recorder is gone, or something goes wrong.
fn write_all(mut file: File, start: &Start, said: &Receiver<Said>) {
    let turns = said.iter().map(|(at, event, actions)| line(&Turn::new(at, event, &actions)));
    let mut written = 0;
    for text in std::iter::once(line(start)).chain(turns) {
        let outcome = text.map_err(io::Error::from).and_then(|text| {
            written += text.len() as u64;
            if written > LIMIT {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            file.write_all(text.as_bytes())
        });
        if let Err(error) = outcome {
            warn!(%error, "recording ends");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sfha_core::record::{Log, replay};
    use sfha_core::state::Node;
    use sfha_core::{Cluster, Member};

    use super::*;

    fn start() -> (Settings, ClusterState) {
        let node = Node::new("node1", "10.100.0.1".parse().unwrap());
        let settings = Settings {
            me: 1,
            program: "0.1.0".into(),
            node_lost_delay: Duration::ZERO,
            daemon_lost_delay: Duration::ZERO,
            unit_margin: Duration::ZERO,
        };
        (settings, ClusterState::new("prod", "lan", None, node))
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    /// Waits until the thread has written that many turns.
    fn written(path: &Path, turns: usize) -> Log {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(path).unwrap();
            match Log::from_lines(&text) {
                Ok(log) if log.turns.len() == turns => return log,
                _ => assert!(begun.elapsed() < Duration::from_secs(20), "not written: {text}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_is_recorded_replays() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("record");
        let (settings, state) = start();
        let mut recorder = Recorder::start(&folder, &settings, &state).unwrap();
        let mut core = Cluster::new(settings, state);
        let member = Member { node: 1, pid: 1 };
        let members = std::collections::BTreeSet::from([member]);
        let events =
            [Event::Connected { member }, Event::Membership { members, left: Vec::new() }, Event::Tick];
        for (event, at) in events.into_iter().zip([5, 7, 9]) {
            core.handle_event(event.clone(), Time::from_micros(at));
            let actions = std::iter::from_fn(|| core.poll_action()).collect();
            recorder.record(Time::from_micros(at), event, actions);
        }
        let log = written(&files(&folder)[0], 3);
        assert!(log.turns.iter().any(|turn| !turn.actions.is_empty()));
        assert!(replay(&log).is_ok());
    }

    #[test]
    fn a_recording_ends_at_its_limit_and_only_the_last_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let (settings, state) = start();
        for number in 0..6 {
            std::fs::write(root.path().join(format!("000000000000{number}.jsonl")), "old").unwrap();
        }
        std::fs::write(root.path().join("note.txt"), "mine").unwrap();
        let mut recorder = Recorder::start(root.path(), &settings, &state).unwrap();
        let left = files(root.path());
        assert_eq!(left.len(), KEPT + 1, "{left:?}");
        assert!(left[0].ends_with("0000000000003.jsonl") && left[4].ends_with("note.txt"), "{left:?}");

        let action = Action::Announce { name: "x".repeat(1024 * 1024) };
        let begun = Instant::now();
        while recorder.turns.is_some() {
            recorder.record(Time::default(), Event::Tick, vec![action.clone()]);
            std::thread::sleep(Duration::from_millis(1));
            assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
        }
        let length = std::fs::metadata(&left[3]).unwrap().len();
        assert!((LIMIT - 2 * 1024 * 1024..=LIMIT).contains(&length), "{length}");
        let log = Log::from_lines(&std::fs::read_to_string(&left[3]).unwrap()).unwrap();
        assert_eq!((log.cut, log.turns.len()), (false, 15));
    }
}
