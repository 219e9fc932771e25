//! The sfha daemon: everything that touches the machine. Decisions are in `sfha-core`.
//!
//! ```text
//! main ─▶ daemon (what this node is) ─▶ runtime (a node that has a cluster)
//!            ▲                             ├─ event_loop: the only place where the core meets the machine
//!     control_socket (requests)            ├─ mesh: wg-sfha follows the replicated state
//!            │                             ├─ mesh_api, on a LAN lan_api: joiners, and nodes that were away
//!         init, join                       ├─ disk, vips, services: actuators
//!         local: what this node alone has  ├─ probes: health checks
//!         metrics, hooks ◀─────────────────└─ history: what happened
//! ```

pub mod access;
pub mod archive;
pub mod backup;
pub mod config_file;
pub mod config_sync;
mod connections;
pub mod control_socket;
pub mod corosync_conf;
pub mod daemon;
pub mod depart;
pub mod disk;
pub mod doctor;
pub mod endpoints;
pub mod event_loop;
pub mod fencing;
pub mod files;
pub mod history;
pub mod hooks;
pub mod init;
pub mod io;
pub mod join;
pub mod lan_api;
pub mod lan_channel;
pub mod links;
mod load;
pub mod local;
pub mod log_feed;
pub mod members;
pub mod mesh;
pub mod mesh_api;
pub mod mesh_client;
pub mod mesh_file;
pub mod metrics;
pub mod paths;
pub mod probes;
pub mod qdevice;
pub mod recorder;
pub mod replay;
pub mod report;
pub mod rotation;
pub mod runtime;
pub mod services;
pub mod setup;
pub mod simulate;
pub mod store;
pub mod tokens;
pub mod turns;
pub mod underlay;
pub mod vips;
pub mod wg_conf;
