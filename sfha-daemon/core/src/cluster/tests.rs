//! A few clusters in lock-step, nothing left to chance: see `tests/harness.rs`.

mod harness;
mod holding;
mod requests;
mod rounds;
