//! The lab, the scenarios and the simulation of sfha.

pub mod cluster;
pub mod demo;
pub mod lab;
pub mod sim;
