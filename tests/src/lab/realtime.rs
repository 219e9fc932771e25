//! The instruments' threads go before everybody else's: a machine busy with the cluster under test must not
//! be mistaken for a cluster that does not answer.

/// Asks for the lowest real-time priority for this thread. Where that is not allowed the measure is rougher;
/// [`ProbeReport::longest_send_pause`](super::ProbeReport) tells how rough.
pub(crate) fn prioritise_this_thread() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call only reads the structure, which lives until it returns.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) };
}
