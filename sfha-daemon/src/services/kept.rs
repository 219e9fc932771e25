//! The list of what this node has started, on a file: whoever comes after this process knows what to stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sfha_core::resources::Service;
use sfha_proto::Failure;
use tracing::warn;

use super::unit::KILL_PATIENCE;
use crate::files;

/// One service that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its unit.
    pub unit: String,
    /// Time that it has for stopping, in milliseconds.
    pub stop_timeout_ms: u64,
}

impl Started {
    /// Time that it has for stopping.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.stop_timeout_ms)
    }
}

/// The list. Written before a service is started, and after one has stopped for certain.
#[derive(Debug, Clone)]
pub struct Kept {
    path: PathBuf,
    started: Arc<Mutex<BTreeMap<String, Started>>>,
}

impl Kept {
    /// As the file tells, which an earlier process may have left behind. One that does not read is as good as
    /// none, and is said so.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let read = files::read_text(path).and_then(|text| match text {
            None => Ok(BTreeMap::new()),
            Some(text) => {
                serde_json::from_str(&text).map_err(|error| files::invalid(path, &error.to_string()))
            }
        });
        let started = read.unwrap_or_else(|failure| {
            warn!(%failure, "what was started is not known");
            BTreeMap::new()
        });
        Self { path: path.to_owned(), started: Arc::new(Mutex::new(started)) }
    }

    /// What was started and has not stopped for certain, by name.
    #[must_use]
    pub fn started(&self) -> BTreeMap<String, Started> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Longest time that stopping all of them can take, one after the other.
    #[must_use]
    pub fn stop_time(&self) -> Duration {
        self.started().values().map(|started| started.stop_timeout() + KILL_PATIENCE).sum()
    }

    /// A service is about to be started.
    ///
    /// # Errors
    /// `file-write`: it must not be started then.
    pub fn add(&self, name: &str, service: &Service) -> Result<(), Failure> {
        let started = Started { unit: service.unit.clone(), stop_timeout_ms: service.stop_timeout_ms };
        self.change(|list| {
            list.insert(name.to_owned(), started);
        })
    }

    /// A service has stopped for certain. A list that cannot be written has it stopped once more, later, which
    /// does no harm.
    pub fn remove(&self, name: &str) {
        let removed = self.change(|list| {
            list.remove(name);
        });
        if let Err(failure) = removed {
            warn!(service = name, %failure, "the list of what was started is too long now");
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Started>)) -> Result<(), Failure> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = started.clone();
        change(&mut next);
        if next != *started {
            let text = serde_json::to_vec(&next).map_err(|error| crate::mesh::internal("encode", &error))?;
            // A file in memory, of a few hundred bytes: written here and now.
            files::write_atomic(&self.path, &text, 0o600)?;
            *started = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("services.json");
        let kept = Kept::load(&path);
        assert!(kept.started().is_empty());
        kept.add("web", &Service::new("nginx.service")).unwrap();
        kept.add("db", &Service { stop_timeout_ms: 60_000, ..Service::new("postgresql.service") }).unwrap();
        kept.remove("web");
        let later = Kept::load(&path).started();
        assert_eq!(later.keys().collect::<Vec<_>>(), ["db"]);
        assert_eq!(later["db"].unit, "postgresql.service");
        assert_eq!(later["db"].stop_timeout(), Duration::from_secs(60));
        assert!(kept.stop_time() > Duration::from_secs(60));
    }

    #[test]
    fn what_cannot_be_noted_is_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let kept = Kept::load(&in_the_way.join("services.json"));
        assert!(kept.add("web", &Service::new("nginx.service")).is_err());
        assert!(kept.started().is_empty());
    }

    #[test]
    fn a_damaged_list_is_no_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("services.json");
        std::fs::write(&path, "{\"web\":").unwrap();
        let kept = Kept::load(&path);
        assert!(kept.started().is_empty());
        kept.add("web", &Service::new("nginx.service")).unwrap();
        assert_eq!(Kept::load(&path).started().len(), 1);
    }
}
