//! A few clusters in lock-step, nothing left to chance: see `tests/harness.rs`.

mod announcing;
mod conflict;
mod fencing;
mod harness;
mod holding;
mod keys;
mod qdevice;
mod removal;
mod requests;
mod rounds;
mod services;
