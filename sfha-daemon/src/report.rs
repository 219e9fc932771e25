//! `sfha report`: what somebody else needs to understand a fault of this node, without a secret in it.
//!
//! Key files are never opened for it, but to make sure that nothing they hold is anywhere in the rest. In what
//! people write, whatever stands behind a key that sounds like a secret is left out ([`mask()`]).

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sfha_proto::Failure;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::config_file::ConfigFile;
use crate::doctor;
use crate::files;
use crate::paths::Paths;

mod mask;

pub use mask::{HIDDEN, mask};

/// Longest time for one program.
const DEADLINE: Duration = Duration::from_secs(10);

/// Most that is kept of one program or file, in bytes: its end.
const MOST: usize = 4 * 1024 * 1024;

/// Shortest secret that is looked for: a shorter one would be found by chance.
const SHORTEST: usize = 8;

/// The parts of a report, by the names that they have in the bundle.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the node; `null` where it has no cluster.
    pub node: Option<String>,
    /// Texts.
    pub files: BTreeMap<String, String>,
}

/// What is asked of the system: the name of the part, the program and its arguments.
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    ("system/uname.txt", "uname", &["-a"]),
    ("system/uptime.txt", "uptime", &[]),
    ("system/memory.txt", "free", &["-m"]),
    ("system/disks.txt", "df", &["-h"]),
    ("system/time.txt", "timedatectl", &["status", "--no-pager"]),
    ("system/packages.txt", "dpkg-query", &["-W", "sfha", "corosync", "libknet1", "libqb100", "systemd"]),
    ("system/units.txt", "systemctl", &["status", "--no-pager", "--lines=0", "sfha", "corosync", "sfha-wg"]),
    ("system/failed-units.txt", "systemctl", &["list-units", "--no-pager", "--failed"]),
    ("system/unit-files.txt", "systemctl", &["cat", "--no-pager", "sfha", "sfha-wg"]),
    ("network/links.txt", "ip", &["-details", "-statistics", "link"]),
    ("network/addresses.txt", "ip", &["address"]),
    ("network/routes.txt", "ip", &["route", "show", "table", "all"]),
    ("network/rules.txt", "ip", &["rule"]),
    ("network/neighbours.txt", "ip", &["neighbour"]),
    ("network/sockets.txt", "ss", &["-lntup"]),
    ("network/firewall.txt", "nft", &["list", "ruleset"]),
    ("corosync/links.txt", "corosync-cfgtool", &["-s"]),
    ("corosync/quorum.txt", "corosync-quorumtool", &["-s"]),
    ("corosync/statistics.txt", "corosync-cmapctl", &["-m", "stats"]),
    (
        "journal.txt",
        "journalctl",
        &[
            "--no-pager",
            "-o",
            "short-precise",
            "-n",
            "20000",
            "-u",
            "sfha",
            "-u",
            "sfha-wg",
            "-u",
            "corosync",
        ],
    ),
];

/// Everything that can be had; what cannot says why in its place.
pub async fn collect(paths: &Paths) -> Report {
    let mut parts = BTreeMap::new();
    let diagnosis = doctor::diagnose(paths).await;
    parts.insert("doctor.json".to_owned(), serde_json::to_string_pretty(&diagnosis).unwrap_or_default());
    for (name, program, args) in PROGRAMS {
        parts.insert((*name).to_owned(), output(program, args).await);
    }
    let plain = [paths.corosync_conf(), "/etc/os-release".into()];
    let masked = [
        paths.config(),
        paths.mesh(),
        paths.state(),
        paths.config_base(),
        paths.endpoints(),
        paths.leaving(),
        paths.removed(),
    ];
    for path in plain.iter().chain(&masked) {
        let Some(name) = path.file_name() else { continue };
        let text = match files::read_text(path) {
            // Corosync's `token` is a time.
            Ok(Some(text)) if plain.contains(path) => text,
            Ok(Some(text)) => mask(&text),
            Ok(None) => continue,
            Err(failure) => failure.to_string(),
        };
        parts.insert(format!("files/{}", name.to_string_lossy()), text);
    }
    let secrets = secrets(paths);
    parts.values_mut().for_each(|text| hide(text, &secrets));
    Report { node: ConfigFile::load(paths).ok().flatten().map(|file| file.node.name), files: parts }
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// Where.
    pub path: String,
    /// How many parts it has.
    pub parts: usize,
}

/// Writes a bundle, 0600: a gzipped tar with one folder in it.
///
/// # Errors
/// `file-write`, also when the file is there already.
pub async fn write(paths: &Paths, to: &Path) -> Result<Written, Failure> {
    let failed = |error: &io::Error| files::write_failed(to, error);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = file.map_err(|error| failed(&error))?;
    let report = collect(paths).await;
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let name = format!("sfha-report-{}", report.node.as_deref().unwrap_or("node"));
    for (part, text) in &report.files {
        let path = folder.path().join(&name).join(part);
        let parent = path.parent().unwrap_or(folder.path());
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).map_err(|error| failed(&error))?;
    }
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--owner=0", "--group=0", "--file=-", "--directory"]).arg(folder.path());
    let status =
        tar.arg(&name).stdin(Stdio::null()).stdout(file).status().await.map_err(|error| failed(&error))?;
    if !status.success() {
        return Err(failed(&io::Error::other("tar failed")));
    }
    Ok(Written { path: to.display().to_string(), parts: report.files.len() })
}

async fn output(program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .kill_on_drop(true);
    match tokio::time::timeout(DEADLINE, command.output()).await {
        Err(_) => format!("{program}: no answer in {} s\n", DEADLINE.as_secs()),
        Ok(Err(error)) => format!("{program}: {error}\n"),
        Ok(Ok(output)) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            let from = text.len().saturating_sub(MOST);
            let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.split_off(from)
        }
    }
}

/// Every secret of this node in the forms in which it could be written.
fn secrets(paths: &Paths) -> Vec<Zeroizing<String>> {
    let key_files = [
        paths.cluster_key(),
        paths.private_key(),
        paths.next_key(),
        paths.joining(),
        paths.corosync_authkey(),
    ];
    let mut found: Vec<Zeroizing<String>> = key_files.iter().flat_map(|path| forms(path)).collect();
    for path in [paths.config(), paths.state()] {
        let text = files::read_text(&path).ok().flatten().unwrap_or_default();
        found.extend(mask::hidden_values(&text).into_iter().map(Zeroizing::new));
    }
    found.retain(|secret| secret.len() >= SHORTEST);
    found
}

fn forms(path: &Path) -> Vec<Zeroizing<String>> {
    let Ok(Some(bytes)) = files::read_bytes(path) else { return Vec::new() };
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut forms = vec![Zeroizing::new(STANDARD.encode(&*bytes)), Zeroizing::new(hex)];
    if let Ok(text) = std::str::from_utf8(&bytes) {
        forms.extend(text.split_whitespace().map(|word| Zeroizing::new(word.to_owned())));
    }
    forms
}

fn hide(text: &mut String, secrets: &[Zeroizing<String>]) {
    for secret in secrets {
        if text.contains(secret.as_str()) {
            *text = text.replace(secret.as_str(), HIDDEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_key_file_holds_is_hidden_in_all_its_forms() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let key = [0xa5_u8; 32];
        files::write_atomic(&paths.corosync_authkey(), &key, 0o400).unwrap();
        files::write_atomic(&paths.private_key(), b"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDEyMzQ=\n", 0o600)
            .unwrap();
        files::write_atomic(
            &paths.config(),
            b"stonith:\n  proxmox:\n    token_secret: 0123-4567-89ab\n",
            0o600,
        )
        .unwrap();
        let secrets = secrets(&paths);
        let mut text = format!(
            "a {} b {} c c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDEyMzQ= d 0123-4567-89ab e",
            STANDARD.encode(key),
            "a5".repeat(32)
        );
        hide(&mut text, &secrets);
        assert_eq!(text, format!("a {HIDDEN} b {HIDDEN} c {HIDDEN} d {HIDDEN} e"));
    }
}
