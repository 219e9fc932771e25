//! A daemon that is none: it greets, and tells of a cluster of any size, in which something changes when it is told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub nodes: u32,
    pub vips: u32,
    pub services: u32,
}

/// The daemon; its threads end with the program.
pub struct Daemon {
    shared: Arc<Mutex<Shared>>,
    folder: tempfile::TempDir,
}

struct Shared {
    size: Size,
    /// Counts the states.
    state: u64,
    maintenance: bool,
    subscribers: Vec<UnixStream>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Daemon {
    /// Listens.
    pub fn start(size: Size) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let shared = Shared { size, state: 0, maintenance: false, subscribers: Vec::new() };
        let daemon = Self { shared: Arc::new(Mutex::new(shared)), folder };
        let listener = UnixListener::bind(daemon.socket())?;
        let shared = Arc::clone(&daemon.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(daemon)
    }

    /// Where.
    pub fn socket(&self) -> PathBuf {
        Path::new(self.folder.path()).join("sfhad.sock")
    }

    /// Something that everybody sees at once.
    pub fn maintenance(&self, on: bool) {
        let mut shared = lock(&self.shared);
        shared.maintenance = on;
        shared.tell();
    }

    /// What a cluster does all the time: counters go up, latencies change, a service fails its check, a VIP moves.
    pub fn change(&self) {
        lock(&self.shared).tell();
    }
}

impl Shared {
    fn tell(&mut self) {
        self.state += 1;
        let line = format!("{}\n", json!({"event": "status", "seq": self.state, "data": self.status()}));
        self.subscribers.retain_mut(|stream| stream.write_all(line.as_bytes()).is_ok());
    }

    fn status(&self) -> Value {
        let Size { nodes, vips, services } = self.size;
        let name = |number: u32| format!("node{}", number + 1);
        // Of ten states one moves a VIP and fails a check; the rest only measure the mesh anew.
        let turn = u32::try_from(self.state / 10 % 1000).unwrap_or(0);
        let node = |number: u32| {
            json!({"name": name(number), "id": number + 1, "online": true, "daemon": true, "standby": false,
                   "leader": number == 0, "address": format!("10.100.0.{}", number + 1), "program": "0.1.0",
                   "state": {"epoch": 4, "version": 17, "hash": "5d41402abc4b2a76"}})
        };
        let vip = |number: u32| {
            let moved = if number == turn % vips { turn } else { 0 };
            json!({"name": format!("vip{number:03}"), "address": format!("192.0.2.{number}/24"), "interface": "eth0",
                   "state": "active", "holder": name((number + moved) % nodes)})
        };
        let service = |number: u32| {
            let failed = number == turn % services;
            json!({"name": format!("service{number:03}"), "unit": format!("service{number:03}.service"),
                   "state": "active", "holder": name(number % nodes), "healthy": !failed,
                   "failures": u32::from(failed)})
        };
        let constraint = |number: u32| json!({"type": "colocation", "resource": format!("service{number:03}"), "with": format!("vip{number:03}")});
        let mut status = json!({
            "schema": 1, "cluster": "prod", "node": name(0), "version": "0.1.0", "maintenance": self.maintenance,
            "quorum": {"quorate": true, "votes": nodes, "expected": nodes, "needed": nodes / 2 + 1},
            "leader": name(0), "phase": "operational",
            "state": {"epoch": 4, "version": 17, "hash": "5d41402abc4b2a76"},
            "detection": {"profile": "lan", "token_ms": 1000, "consensus_ms": 100, "detection_ms": 1100,
                          "takeover_delay_ms": 300},
            "mesh": {"enabled": true, "peers": nodes - 1, "connected": nodes - 1},
            "fencing": {"enabled": false, "provider": null, "pending": []},
            "health": [],
        });
        status["nodes"] = (0..nodes).map(node).collect();
        status["vips"] = (0..vips).map(vip).collect();
        status["services"] = (0..services).map(service).collect();
        status["constraints"] = (0..services.min(vips)).map(constraint).collect();
        status["mesh_detail"] = self.mesh();
        status
    }

    fn mesh(&self) -> Value {
        let nodes = self.size.nodes;
        let name = |number: u32| format!("node{}", number + 1);
        let handshake = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(30);
        let rtt = |from: u32, to: u32| {
            f64::from(from * 7 + to * 3) / 10.0 + 0.1 * ((self.state + u64::from(from)) % 5) as f64 + 0.4
        };
        let peer = |number: u32| {
            json!({"name": name(number), "ip": format!("10.100.0.{}", number + 1),
                   "public_key": "Zp5cQ8t2LwXv3N7rB0sK6yJ4gH1dF9aM2eT5uI8oP3E=",
                   "endpoint": format!("203.0.113.{}:51820", number + 1), "state": "connected", "path": "direct",
                   "latest_handshake": handshake.to_string(),
                   "rx_bytes": self.state * 9000 * u64::from(number + 1),
                   "tx_bytes": self.state * 4000 * u64::from(number + 1),
                   "rtt_ms": rtt(0, number), "loss": 0.0, "keepalive": 25})
        };
        let pair = |from: u32, to: u32| json!({"from": name(from), "to": name(to), "path": "direct", "rtt_ms": rtt(from, to)});
        let pairs = (1..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        let pairs: Value = pairs.filter(|(from, to)| from != to).map(|(from, to)| pair(from, to)).collect();
        json!({"schema": 1, "interface": "wg-sfha", "address": "10.100.0.1/24", "port": 51820, "mtu": 1420,
               "public_key": "8f3Yq0m1Tq7mZ2b6c0VtX9a1kP4rS5uW7yB2nD6hJ1M=", "backend": "kernel", "up": true,
               "peers": (1..nodes).map(peer).collect::<Vec<_>>(), "pairs": pairs})
    }
}

fn serve(mut stream: UnixStream, shared: &Mutex<Shared>) {
    let Ok(reader) = stream.try_clone() else { return };
    if writeln!(stream, "{}", json!({"sfha": "0.1.0", "protocol": 1})).is_err() {
        return;
    }
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        let Ok(request) = serde_json::from_str::<Value>(&line) else { return };
        let mut shared = lock(shared);
        let result = match request["method"].as_str() {
            Some("history") => json!({"schema": 1, "events": [], "dropped": 0}),
            Some("mesh.status") => shared.mesh(),
            _ => json!({}),
        };
        if writeln!(stream, "{}", json!({"id": request["id"], "result": result})).is_err() {
            return;
        }
        // The second subscription is to events: there are none.
        if request["method"] == "subscribe" && request["params"]["topics"].is_null() {
            let status = json!({"event": "status", "seq": 0, "data": shared.status()});
            let told = writeln!(stream, "{status}");
            if let (Ok(()), Ok(subscriber)) = (told, stream.try_clone()) {
                shared.subscribers.push(subscriber);
            }
        }
    }
}
