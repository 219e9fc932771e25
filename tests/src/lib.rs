//! The lab and the scenarios of sfha.

pub mod bench;
pub mod chaos;
pub mod cluster;
pub mod demo;
#[cfg(feature = "judge")]
pub mod documents;
pub mod guest;
pub mod lab;
pub mod proxmox;
pub mod terminal;
