//! What the process does to itself before it holds any key.

use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Exit status after a panic, `EX_SOFTWARE` of sysexits.h.
pub const EXIT_PANIC: u8 = 70;

/// No core dumps, no debugger of another user, no file that others can read.
///
/// # Errors
/// As setrlimit(2) and prctl(2), of which neither fails with these arguments.
pub fn harden() -> nix::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    nix::sys::prctl::set_dumpable(false)
}

/// Ends the process when any of its tasks panics. The device's tasks are gotatun's: one that is gone leaves an
/// interface that looks well and carries nothing, which nobody would notice; a process that is gone is started
/// again by the service manager and configured again by sfhad.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "internal error, ending");
        std::process::exit(i32::from(EXIT_PANIC));
    }));
}

/// Exit status when the interface or its socket belongs to somebody else.
pub const EXIT_TAKEN: u8 = 3;

/// Exit status when the interface was deleted under us.
pub const EXIT_DELETED: u8 = 4;

/// The exit status for an error of [`crate::run`].
pub fn exit_code(error: &crate::Error) -> ExitCode {
    ExitCode::from(match error {
        crate::Error::Tun(crate::tun::TunError::Exists { .. })
        | crate::Error::Server(crate::server::ServerError::InUse { .. }) => EXIT_TAKEN,
        crate::Error::Deleted => EXIT_DELETED,
        _ => 1,
    })
}
