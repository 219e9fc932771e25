//! One message from a process that lives no longer than that.

use std::time::{Duration, Instant};

use super::CorosyncError;
use super::fragment::MAX_PAYLOAD;
use super::group::Group;
use super::session::{self, Lost};

/// Joins the group, multicasts one message, waits until it has come back, and leaves: for a helper process that speaks
/// for a daemon which is dead. Blocks, for `deadline` at most. Must not be called in a process that is in the group.
///
/// The members see this process come and go, under its own pid.
pub fn send_once(group: &str, payload: Vec<u8>, deadline: Duration) -> Result<(), CorosyncError> {
    const ACTION: &str = "send one message";
    if payload.len() > MAX_PAYLOAD {
        return Err(CorosyncError::TooBig { len: payload.len() });
    }
    let until = Instant::now() + deadline;
    let group = group.to_owned();
    let (sender, result) = std::sync::mpsc::channel();
    // On a thread: connecting waits for ever if Corosync is stopped.
    session::start_thread("corosync-once", move || {
        let sent = Group::join(&group).and_then(|mut group| {
            let lost = |lost| match lost {
                Lost::Library { error, .. } => CorosyncError::Refused { action: ACTION, source: error },
                Lost::Deadline(_) => CorosyncError::Deadline { action: ACTION },
                other => {
                    CorosyncError::System { action: ACTION, source: std::io::Error::other(other.to_string()) }
                }
            };
            group.send_and_wait(payload, until).map_err(lost)?;
            group.leave_now(until, &drop).map_err(lost)
        });
        let _ = sender.send(sent);
    })?;
    result.recv_timeout(deadline).unwrap_or(Err(CorosyncError::Deadline { action: ACTION }))
}
