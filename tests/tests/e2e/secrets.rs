//! Looking for secrets where they have no business: journals, arguments of processes, readable files.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sfha_tests::cluster::Cluster;
use sfha_tests::lab::Node;

/// Time between two looks at the processes.
const LOOK: Duration = Duration::from_millis(20);

/// Collects the arguments of every process of every node, from now on.
pub struct ArgumentSpy {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl ArgumentSpy {
    pub fn start(nodes: &[Node]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let nodes = nodes.to_vec();
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut seen = BTreeSet::new();
                while !stop.load(Ordering::Relaxed) {
                    nodes.iter().for_each(|node| collect(node, &mut seen));
                    thread::sleep(LOOK);
                }
                seen
            }
        });
        Self { stop, thread }
    }

    /// The command lines that were seen, each once, their arguments separated by blanks.
    pub fn finish(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn collect(node: &Node, seen: &mut BTreeSet<String>) {
    let Ok(pid) = node.pid() else { return };
    for entry in fs::read_dir(format!("/proc/{pid}/root/proc")).into_iter().flatten().flatten() {
        if let Ok(line) = fs::read(entry.path().join("cmdline")) {
            seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
}

/// Every secret of a cluster as it might be written somewhere.
pub fn of(cluster: &Cluster, tokens: &[&str]) -> Vec<String> {
    let mut secrets = BTreeSet::new();
    for node in cluster.lab().nodes() {
        for file in ["/etc/sfha/wireguard/private.key", "/etc/sfha/cluster.key"] {
            secrets.insert(node.read_file(file).unwrap().trim().to_owned());
        }
        // While one is prepared.
        secrets.extend(node.read_file("/etc/sfha/wireguard/next.key").map(|key| key.trim().to_owned()));
        let key = fs::read(node.disk().join("etc/corosync/authkey")).unwrap();
        // Long enough to be no chance, short enough for a line that breaks.
        secrets.insert(STANDARD.encode(&key[..24]));
        secrets.insert(key[..12].iter().map(|byte| format!("{byte:02x}")).collect());
    }
    for token in tokens {
        let body = token.strip_prefix("sfha-join://").unwrap();
        secrets.insert(body[body.len() / 2..][..40].to_owned());
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        secrets.insert(claims["inviteKey"].as_str().unwrap().to_owned());
    }
    assert!(secrets.iter().all(|secret| secret.len() >= 20), "too short to be looked for");
    secrets.into_iter().collect()
}

/// Fails when a secret is in a journal, in an argument, or in a file that others may read.
pub fn assert_kept(cluster: &Cluster, secrets: &[String], arguments: &BTreeSet<String>) {
    for line in arguments {
        // The one place where the contract itself puts one: what the operator typed.
        let typed = line.contains("sfha --json join sfha-join://");
        let found = secrets.iter().any(|secret| line.contains(secret));
        assert!(typed || !found, "an argument shows a secret: {line}");
    }
    for node in cluster.lab().nodes() {
        node.exec_ok(&["journalctl", "--sync"]).unwrap();
        let journal = node.journal(&["-o", "export", "--all"]).unwrap();
        assert!(journal.contains("sfhad"), "the journal is there");
        for (number, line) in journal.lines().enumerate() {
            let found = secrets.iter().any(|secret| line.contains(secret));
            assert!(!found, "{}, line {number} of the journal shows a secret: {line}", node.name());
        }
        let patterns = secrets.join("\n");
        node.write_file("/tmp/patterns", &patterns).unwrap();
        let script = "grep -rlF -D skip -f /tmp/patterns /etc /run /var/lib/sfha /var/lib/corosync /dev/shm |
            xargs -r stat -c '%a %n'; rm /tmp/patterns";
        let files = node.sh(script).unwrap();
        assert!(files.contains("/etc/sfha/cluster.key"), "the search finds what is there: {files}");
        for file in files.lines() {
            assert!(file.starts_with("600 ") || file.starts_with("400 "), "{}: {file}", node.name());
        }
    }
}
