//! The ends of systemd's jobs, handed to whoever waits for them.
//!
//! One task reads all of them: a stream per job would not be read while its owner waits for the answer to its
//! call, and a connection of zbus with a full stream reads nothing more, answers included.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use tokio::sync::oneshot;
use zbus::ObjectPath;
use zbus_systemd::systemd1::ManagerProxy;

/// So many ends are remembered for those who learn late which job is theirs.
const REMEMBERED: usize = 4096;

/// Waits for the ends of jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    ended: VecDeque<(String, String)>,
    waiting: BTreeMap<String, Vec<oneshot::Sender<String>>>,
    closed: bool,
}

impl Jobs {
    /// Listens as long as the connection lives.
    pub async fn listen(manager: &ManagerProxy<'static>) -> zbus::Result<Arc<Self>> {
        let mut ends = manager.receive_job_removed().await?;
        let jobs = Arc::new(Self::default());
        let this = Arc::clone(&jobs);
        tokio::spawn(async move {
            while let Some(end) = ends.next().await {
                if let Ok(args) = end.args() {
                    this.ended(args.job.to_string(), args.result.clone());
                }
            }
            let mut book = this.lock();
            book.closed = true;
            book.waiting.clear();
        });
        Ok(jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, job: String, result: String) {
        let mut book = self.lock();
        for waiting in book.waiting.remove(&job).unwrap_or_default() {
            // Whoever waited may have given up.
            let _ = waiting.send(result.clone());
        }
        if book.ended.len() == REMEMBERED {
            book.ended.pop_front();
        }
        book.ended.push_back((job, result));
    }

    /// The result of a job; `None` when the connection ended before it.
    pub async fn end_of(&self, job: &ObjectPath<'_>) -> Option<String> {
        let waiting = {
            let mut book = self.lock();
            if let Some((_, result)) = book.ended.iter().rev().find(|(ended, _)| ended == job.as_str()) {
                return Some(result.clone());
            }
            if book.closed {
                return None;
            }
            let (tell, told) = oneshot::channel();
            book.waiting.entry(job.to_string()).or_default().push(tell);
            told
        };
        waiting.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u32) -> ObjectPath<'static> {
        ObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap()
    }

    #[tokio::test]
    async fn an_end_is_told_to_those_who_wait_and_to_those_who_come_late() {
        let jobs = Arc::new(Jobs::default());
        let waiting = {
            let jobs = Arc::clone(&jobs);
            tokio::spawn(async move { jobs.end_of(&job(1)).await })
        };
        while jobs.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        jobs.ended(job(2).to_string(), "failed".to_owned());
        jobs.ended(job(1).to_string(), "done".to_owned());
        assert_eq!(waiting.await.unwrap().as_deref(), Some("done"));
        assert_eq!(jobs.end_of(&job(2)).await.as_deref(), Some("failed"));
        assert_eq!(jobs.end_of(&job(1)).await.as_deref(), Some("done"));
    }

    #[tokio::test]
    async fn few_ends_are_kept() {
        let jobs = Jobs::default();
        for number in 0..REMEMBERED as u32 + 10 {
            jobs.ended(job(number).to_string(), "done".to_owned());
        }
        assert_eq!(jobs.lock().ended.len(), REMEMBERED);
        assert_eq!(jobs.end_of(&job(REMEMBERED as u32)).await.as_deref(), Some("done"));
    }
}
