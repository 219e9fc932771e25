//! The words that `sfhad` and `sfha` speak over `/run/sfha/sfhad.sock`.
//!
//! One JSON object a line, UTF-8, at most [`MAX_LINE`] bytes ([`codec`]). The daemon greets with
//! [`message::Greeting`]; a [`message::Request`] is answered by one [`message::Response`] with the
//! same id; `subscribe` is followed by [`message::Notification`]s, and commands that take long
//! (`init`, `join`) send `progress` notifications until they are answered.
//!
//! Compatibility: within one [`PROTOCOL`] number fields and methods are only added, an unknown field
//! is ignored by its reader, and a value that is not known is `null`, never zero. The daemon sends
//! codes and values; sentences are made by `sfha` from [`error::ErrorCode`] and its details.

pub mod codec;
pub mod config;
pub mod doctor;
pub mod error;
pub mod fencing;
pub mod history;
pub mod mesh;
pub mod message;
pub mod simulate;
pub mod status;

pub use error::{ErrorCode, Failure};

/// Version of the conversation on the socket; raised only when something is taken away.
pub const PROTOCOL: u32 = 1;

/// Version of every JSON document of the command line (`"schema"`).
pub const SCHEMA: u32 = 1;

/// Longest line on the socket, in bytes, its newline included.
pub const MAX_LINE: usize = 1024 * 1024;

/// Where the daemon listens.
pub const SOCKET_PATH: &str = "/run/sfha/sfhad.sock";
