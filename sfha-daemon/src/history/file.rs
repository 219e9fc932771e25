//! The file: one event a line, appended by a thread of its own, bounded.
//!
//! A daemon that is killed leaves at most a torn last line, which is left out when the file is read and gone when
//! it is next put in order. A disk that hangs holds up this thread and nobody else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sfha_proto::history::HistoryEvent;
use tracing::warn;

use crate::files;

/// Events that are kept.
pub const KEPT: usize = 2000;

/// Lines from which on the file is put in order.
const MOST_LINES: usize = KEPT + KEPT / 2;

/// The same in bytes: names have at most 64 of them.
const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// Events that may wait for the disk.
const QUEUE: usize = 1024;

/// Reads what is whole, the oldest first. What does not read is no event.
pub fn read(path: &Path) -> Vec<HistoryEvent> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => {
            if let Err(error) = file.take(files::MAX_FILE).read_to_end(&mut bytes) {
                warn!(%error, "the history cannot be read");
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(%error, "the history cannot be read"),
    }
    let whole = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let mut events: Vec<HistoryEvent> = whole.collect();
    let surplus = events.len().saturating_sub(KEPT);
    events.drain(..surplus);
    events
}

/// The way to the thread. Dropped, it waits for what is on its way.
#[derive(Debug)]
pub struct Writer {
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    not_written: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(path: PathBuf, not_written: Arc<AtomicU64>) -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let counter = Arc::clone(&not_written);
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || write_lines(&path, &queue, &counter))
            .map_err(|error| warn!(%error, "the history is not written"))
            .ok();
        Self { lines: Some(lines), thread, not_written }
    }

    /// Has an event written; never waits.
    pub fn write(&self, event: &HistoryEvent) {
        let line = serde_json::to_string(event).ok();
        let sent =
            self.lines.as_ref().zip(line).is_some_and(|(lines, line)| lines.try_send(line + "\n").is_ok());
        if !sent {
            self.not_written.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.lines = None;
        // What is under way is short, and a process that ends has a watchdog; but a disk that hangs keeps nobody.
        let Some(thread) = self.thread.take() else { return };
        for _ in 0..50 {
            if thread.is_finished() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

fn write_lines(path: &Path, queue: &Receiver<String>, not_written: &AtomicU64) {
    let mut file = Appender { path, open: None, lines: 0, bytes: 0 };
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter());
        match file.append(&batch) {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    warn!(%error, "the history is not written");
                }
                failing = true;
                file.open = None;
                not_written.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

struct Appender<'p> {
    path: &'p Path,
    open: Option<File>,
    lines: usize,
    bytes: u64,
}

impl Appender<'_> {
    fn append(&mut self, batch: &[String]) -> io::Result<()> {
        if self.open.is_none() || self.lines > MOST_LINES || self.bytes > MOST_BYTES {
            self.put_in_order()?;
        }
        let Some(file) = &mut self.open else { return Ok(()) };
        let text = batch.concat();
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.lines += batch.len();
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Leaves out what is torn or too old, and opens the file.
    fn put_in_order(&mut self) -> io::Result<()> {
        self.open = None;
        let mut kept: Vec<String> =
            read(self.path).iter().filter_map(|event| serde_json::to_string(event).ok()).collect();
        // Fewer where they are long.
        let mut bytes: usize = kept.iter().map(|line| line.len() + 1).sum();
        let most = usize::try_from(MOST_BYTES / 2).unwrap_or(usize::MAX);
        let surplus = kept
            .iter()
            .take_while(|line| {
                let over = bytes > most;
                bytes -= line.len() + 1;
                over
            })
            .count();
        kept.drain(..surplus);
        let text: String = kept.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        files::write_atomic(self.path, text.as_bytes(), 0o640)
            .map_err(|failure| io::Error::other(failure.to_string()))?;
        (self.lines, self.bytes) = (kept.len(), text.len() as u64);
        self.open = Some(OpenOptions::new().append(true).mode(0o640).open(self.path)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn line(id: u64, detail: &str) -> String {
        let event = json!({"id": id, "time": "2026-01-01T00:00:00.000Z", "kind": "node-lost", "level": "critical",
                           "seen_by": "n1", "node": "n2", "detail": detail, "chain": id});
        format!("{event}\n")
    }

    fn ids(path: &Path) -> Vec<u64> {
        read(path).iter().map(|event| event.id).collect()
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        let torn = line(3, "");
        fs::write(&path, format!("{}{}{}", line(1, ""), line(2, ""), &torn[..40])).unwrap();
        assert_eq!(ids(&path), [1, 2]);
        let mut file = Appender { path: &path, open: None, lines: 0, bytes: 0 };
        file.append(&[line(4, "")]).unwrap();
        assert_eq!(ids(&path), [1, 2, 4], "not glued to what was torn");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn the_file_is_bounded_in_lines_and_in_bytes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        let mut file = Appender { path: &path, open: None, lines: 0, bytes: 0 };
        let batches =
            (0..60_u64).map(|batch| (batch * 100..batch * 100 + 100).map(|id| line(id, "")).collect());
        let mut most = 0;
        for batch in batches.collect::<Vec<Vec<String>>>() {
            file.append(&batch).unwrap();
            most = most.max(fs::read_to_string(&path).unwrap().lines().count());
        }
        assert!(most <= MOST_LINES + 100 && most > KEPT, "{most}");
        assert_eq!(ids(&path).last(), Some(&5999));
        let long = "x".repeat(10_000);
        for id in 6000..6400 {
            file.append(&[line(id, &long)]).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= MOST_BYTES + 11_000);
        }
        assert_eq!(ids(&path).last(), Some(&6399));
    }

    #[test]
    fn a_file_that_is_not_ours_is_no_history() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        assert!(ids(&path).is_empty());
        fs::write(&path, b"\xff\xfe\n{}\n[1]\n\n").unwrap();
        assert!(ids(&path).is_empty());
    }

    #[test]
    fn an_event_that_cannot_be_written_is_counted() {
        let root = tempfile::tempdir().unwrap();
        // Where a folder is, no file can be.
        let path = root.path().join("history.jsonl");
        fs::create_dir(&path).unwrap();
        let counter = Arc::new(AtomicU64::new(0));
        let writer = Writer::start(path, Arc::clone(&counter));
        writer.write(&serde_json::from_str(&line(1, "")).unwrap());
        drop(writer);
        assert_eq!(counter.load(Ordering::Relaxed), 1);
    }
}
