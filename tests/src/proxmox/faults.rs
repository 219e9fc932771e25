//! The ways in which the real API fails.

use std::time::Duration;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// 401, 403, 500, 596 (the host that the request was passed on to does not answer) …
    Status(u16),
    /// The answer comes late.
    Slow(Duration),
    /// The connection ends in the middle of the answer.
    Cut,
    /// The request is accepted and its task fails, saying this.
    TaskFails(String),
}

/// A fault, and what it concerns.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Requests whose path contains this.
    pub path: String,
    /// What happens to them.
    pub kind: FaultKind,
    /// How many more; all if absent.
    pub times: Option<u32>,
}

/// Takes the fault that a request to that path meets.
pub(super) fn take(faults: &mut Vec<Fault>, path: &str) -> Option<FaultKind> {
    let index = faults.iter().position(|fault| path.contains(&fault.path))?;
    let kind = faults[index].kind.clone();
    if let Some(times) = &mut faults[index].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            faults.remove(index);
        }
    }
    Some(kind)
}
