//! The package on a bare Debian 12: installed, installed over itself, removed and purged, as piuparts does it. It
//! asks nothing, starts nothing, and leaves nothing but what is listed here. Needs root, and the package that
//! `make lab-deb` builds; the base system is fetched once (mmdebstrap) and kept in the build folder.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sfha_tests::cluster::package;
use sfha_tests::lab::bare_debian;

/// The group stays, as the policy on system users has it (files may still belong to it); the rest is what the
/// programs that make one leave behind.
const MAY_STAY: &[&str] = &["/etc/group-", "/etc/gshadow-", "/etc/.pwd.lock"];

/// A system that is there for one test.
struct System {
    root: tempfile::TempDir,
}

impl System {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let base = bare_debian(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let copied = Command::new("cp").arg("-aT").arg(base).arg(root.path()).status().unwrap();
        assert!(copied.success());
        fs::copy(package().unwrap(), root.path().join("sfha.deb")).unwrap();
        let system = Self { root };
        // What the package depends on, and what its pages and completions are for.
        system.sh("DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-download -o Dpkg::Use-Pty=0 \
                 corosync man-db bash-completion");
        system
    }

    /// Runs a script in it, without a network, a terminal or anybody to answer a question.
    fn run(&self, script: &str) -> Output {
        Command::new("systemd-nspawn")
            .args([
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--private-network",
                "--as-pid2",
                "--console=pipe",
            ])
            .arg("--directory")
            .arg(self.root.path())
            .args(["/bin/sh", "-euc", script])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn sh(&self, script: &str) -> String {
        let output = self.run(script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}\n{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every file with its kind, mode, owner and target, but what only dpkg and its like keep for themselves.
    fn files(&self) -> BTreeSet<String> {
        let list = self.sh(
            "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log \
                 -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd \\) -prune \
                 -o -printf '%p %y %m %u:%g %l\\n'",
        );
        list.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

#[test]
#[ignore = "needs root"]
fn the_package_comes_and_goes_without_a_question_and_without_a_trace() {
    let system = System::new();
    let before = system.files();

    system.sh("dpkg -i /sfha.deb");
    let installed = system.files();
    what_it_brings(&system);

    // Over itself: as an upgrade, postinst is told the old version.
    system.sh("dpkg -i /sfha.deb");
    assert_eq!(system.files(), installed);

    // A node that has a cluster.
    system.sh(
        "install -m 644 /dev/null /etc/sfha/config.yml; install -m 600 /dev/null /etc/sfha/cluster.key
         install -m 600 /dev/null /var/lib/sfha/state.json; systemctl --quiet enable sfha
         mkdir -p /etc/systemd/system/sfha.service.d; echo '[Service]' >/etc/systemd/system/sfha.service.d/x.conf",
    );
    system.sh("dpkg --remove sfha");
    system
        .sh("test -e /etc/sfha/cluster.key && test -e /var/lib/sfha/state.json && ! test -e /usr/bin/sfhad");
    system.sh("dpkg --purge sfha");
    let left: Vec<String> = system
        .files()
        .difference(&before)
        .filter(|line| !MAY_STAY.iter().any(|path| line.starts_with(&format!("{path} "))))
        .cloned()
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn lintian_has_no_error() {
    let judged = Command::new("lintian")
        .args(["--allow-root", "--no-tag-display-limit", "--fail-on", "error"])
        .arg(package().unwrap())
        .output()
        .expect("lintian is missing: make setup");
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

fn what_it_brings(system: &System) {
    assert!(system.sh("sfha version").starts_with("sfha "));
    assert!(system.sh("sfhad --version").starts_with("sfhad "));
    system.sh("getent group sfha");
    // Nothing starts with the machine.
    assert_eq!(system.run("systemctl is-enabled sfha sfha-wg").stdout, b"disabled\nstatic\n");
    system.sh(
        "systemd-analyze verify /usr/lib/systemd/system/sfha.service /usr/lib/systemd/system/sfha-wg.service",
    );
    system.sh("bash -n /usr/share/bash-completion/completions/sfha");
    for shell in ["zsh/vendor-completions/_sfha", "fish/vendor_completions.d/sfha.fish"] {
        system.sh(&format!("test -s /usr/share/{shell}"));
    }
    // The commands in the page are those of the program, in its language.
    for (folder, words) in [("man1", "Take over another"), ("fr/man1", "Reprendre la configuration")] {
        system.sh(&format!("zcat /usr/share/man/{folder}/sfha.1.gz | grep -q '{words}'"));
    }
    for page in ["man1/sfha.1", "man8/sfhad.8", "man8/sfha-wg.8"] {
        for folder in ["man", "man/fr"] {
            // man(1) says what it cannot set.
            let complaints = system.sh(&format!(
                "LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z /usr/share/{folder}/{page}.gz 2>&1 >/dev/null"
            ));
            assert_eq!(complaints, "", "{folder}/{page}");
        }
    }
    let modes = system.sh("stat -c '%a %U:%G %n' /etc/sfha /etc/sfha/wireguard /var/lib/sfha");
    assert_eq!(
        modes,
        "755 root:root /etc/sfha\n700 root:root /etc/sfha/wireguard\n700 root:root /var/lib/sfha\n"
    );
}
