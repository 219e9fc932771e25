//! A place for one device: a network and a `/run` of its own, which end with it whatever becomes of this process.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::lab::run;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that is in there; whatever it starts is too.
pub(super) struct Room {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The thread, as the kernel knows it.
    task: i32,
}

impl Room {
    pub fn new() -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (begun, task) = mpsc::channel();
        let thread = thread::spawn(move || {
            let outcome = prepare().map(|()| nix::unistd::gettid().as_raw());
            let there = outcome.is_ok();
            let _ = begun.send(outcome);
            if there {
                queue.into_iter().for_each(|job| job());
            }
        });
        let task = task.recv()??;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), task })
    }

    /// Runs `job` in there, and waits for its end.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let (done, result) = mpsc::channel();
        let job = Box::new(move || {
            let _ = done.send(job());
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| anyhow!("the room is closed"))?;
        jobs.send(job).map_err(|_| anyhow!("nobody is in the room"))?;
        result.recv()?
    }

    /// Lays a cable to another room; both ends are called `eth0`.
    pub fn connect(&self, other: &Self) -> Result<()> {
        let task = other.task.to_string();
        self.run(move || {
            let cable = ["link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &task];
            run("ip", &cable).map(drop)
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn prepare() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none)?;
    run("ip", &["link", "set", "lo", "up"]).map(drop)
}
