//! The program as its service manager and its clients see it.

#![allow(clippy::unwrap_used, reason = "a test that fails is to stop there")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;

/// The test vector of RFC 7748 §6.1, Alice.
const KEY: &str = "77076d0a7318a57d3c16c17251b26645df4ae70f9e3a0a2ae6d8d0e2bb9d4f2a";
const PEER: &str = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

#[test]
fn it_tells_its_service_manager_when_it_listens() {
    Namespace::new().run(|| {
        let manager = UnixDatagram::bind("/run/notify").unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sfha-wg"));
        command.arg(INTERFACE).env("NOTIFY_SOCKET", "/run/notify").env_remove("JOURNAL_STREAM");
        let process = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let mut message = [0; 100];
        let length = manager.recv(&mut message).unwrap();
        assert_eq!(message[..length].trim_ascii_end(), b"READY=1");
        // No waiting from here on.
        assert_eq!(Client::connect().ask("get=1\n\n"), "errno=0\n\n");
        assert!(process.terminate().0.success());
    });
}

#[test]
fn it_ends_when_told_and_takes_everything_with_it() {
    Namespace::new().run(|| {
        let process = Process::start();
        let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("/var/run/wireguard"), 0o700);
        assert_eq!(mode(SOCKET), 0o600);
        let link = ip(&format!("-d link show dev {INTERFACE}"));
        assert!(
            link.contains("mtu 1420") && link.contains("tun type tun") && link.contains("addrgenmode none"),
            "{link}"
        );
        // A client that hangs does not keep it.
        let _stalled = Client::connect();
        let (status, output) = process.terminate();
        assert!(status.success(), "{output}");
        assert!(exists("/var/run/wireguard")() && !exists(SOCKET)());
        assert!(!ip("link show").contains(INTERFACE));
    });
}

#[test]
fn it_takes_over_no_interface_and_says_so() {
    Namespace::new().run(|| {
        ip(&format!("tuntap add dev {INTERFACE} mode tun"));
        let (status, output) = Process::spawn(&[INTERFACE]).end();
        assert_eq!(status.code(), Some(3));
        assert!(output.contains("interface wg-sfha already exists"), "{output}");
        assert!(ip("link show").contains(INTERFACE));
        assert!(!exists(SOCKET)());
    });
}

#[test]
fn it_takes_no_socket_from_a_process_that_serves_it() {
    Namespace::new().run(|| {
        std::fs::create_dir("/var/run/wireguard").unwrap();
        let _other = std::os::unix::net::UnixListener::bind(SOCKET).unwrap();
        let (status, output) = Process::spawn(&[INTERFACE]).end();
        assert_eq!(status.code(), Some(3));
        assert!(output.contains("in use by a running process"), "{output}");
        assert!(!ip("link show").contains(INTERFACE), "the interface went with the failure");
        assert!(exists(SOCKET)());
    });
}

#[test]
fn it_refuses_what_cannot_be_an_interface() {
    Namespace::new().run(|| {
        for name in ["a/b", "sixteen-letters-", "", "..", "a b", "a:b"] {
            assert_eq!(Process::spawn(&[name]).end().0.code(), Some(2), "{name}");
        }
        assert_eq!(Process::spawn(&["--mtu", "100", INTERFACE]).end().0.code(), Some(2));
    });
}

#[test]
fn it_leaves_no_core_and_writes_no_key() {
    Namespace::new().run(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sfha-wg"));
        command
            .arg(INTERFACE)
            .env("SFHA_WG_LOG", "trace")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET");
        let process = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        wait_for("the device to listen", exists_now);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.0.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        // Soft and hard: nothing that runs in it can raise it again.
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");

        let mut client = Client::connect();
        let set =
            format!("set=1\nprivate_key={KEY}\nlisten_port=0\npublic_key={PEER}\npreshared_key={KEY}\n");
        assert_eq!(
            client.ask(&format!("{set}endpoint=127.0.0.1:9\nallowed_ip=10.0.0.0/8\n\n")),
            "errno=0\n\n"
        );
        assert_eq!(client.ask(&format!("{set}nonsense={KEY}\n\n")), "errno=-22\n\n");
        assert!(client.ask("get=1\n\n").contains(KEY));
        let (_, output) = process.terminate();
        // At the level of trace nothing is too small to be said.
        assert!(output.contains("request refused"), "{output}");
        assert!(!output.contains(&KEY[..12]), "{output}");
        // In base64, and as the numbers of a debug print.
        assert!(!output.contains("dwdtCnMYpX08FsFy"), "{output}");
        let bytes = (0..4).map(|at| u8::from_str_radix(&KEY[2 * at..2 * at + 2], 16).unwrap().to_string());
        assert!(!output.contains(&bytes.collect::<Vec<_>>().join(", ")), "{output}");
    });
}

fn exists_now() -> bool {
    std::os::unix::net::UnixStream::connect(SOCKET).is_ok()
}

#[test]
fn a_connection_outlives_its_errors() {
    Namespace::new().run(|| {
        let _process = Process::start();
        let mut client = Client::connect();
        assert_eq!(client.ask("set=1\nlisten_port=65536\n\n"), "errno=-22\n\n");
        assert_eq!(client.ask("\n"), "errno=-22\n\n");
        assert_eq!(
            client.ask(&format!("set=1\npublic_key={PEER}\nallowed_ip=10.0.0.1/32\n\n")),
            "errno=0\n\n"
        );
        let without_key = client.ask("get=1\n\n");
        assert!(without_key.contains("allowed_ip=10.0.0.1/32"), "{without_key}");

        let mut flood = Client::connect();
        flood.send(&vec![b'x'; 1 << 20]);
        assert_eq!(flood.answer(), "errno=-90\n\n");
        assert_eq!(flood.answer(), "", "and then it hangs up");
    });
}

#[test]
fn a_key_comes_after_its_peers_goes_and_comes_back() {
    Namespace::new().run(|| {
        let _process = Process::start();
        let mut client = Client::connect();
        let peer = format!("public_key={PEER}\n");
        client.ask(&format!("set=1\nlisten_port=5000\nfwmark=7\n{peer}allowed_ip=10.0.0.1/32\n\n"));
        let held = client.ask("get=1\n\n");
        assert!(held.starts_with(&format!("listen_port=5000\nfwmark=7\n{peer}")), "{held}");

        client.ask(&format!("set=1\nprivate_key={KEY}\n\n"));
        let keyed = client.ask("get=1\n\n");
        assert_eq!(keyed, format!("private_key={KEY}\n{held}"));
        assert_eq!(client.ask(&format!("set=1\nprivate_key={}\n\n", "0".repeat(64))), "errno=0\n\n");
        assert_eq!(client.ask("get=1\n\n"), held);
        client.ask(&format!("set=1\n{peer}allowed_ip=10.0.0.2/32\n\n"));
        client.ask(&format!("set=1\nprivate_key={KEY}\n\n"));
        let back = client.ask("get=1\n\n");
        assert!(back.contains("allowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32"), "{back}");
        assert!(back.starts_with(&format!("private_key={KEY}\nlisten_port=5000\nfwmark=7\n")), "{back}");
    });
}

#[test]
fn a_port_that_is_busy_is_an_error_and_one_that_is_left_is_waited_for() {
    Namespace::new().run(|| {
        let _process = Process::start();
        let mut client = Client::connect();
        let somebody = std::net::UdpSocket::bind("0.0.0.0:5000").unwrap();
        assert_eq!(client.ask(&format!("set=1\nlisten_port=5000\nprivate_key={KEY}\n\n")), "errno=-98\n\n");
        assert_eq!(client.ask("get=1\n\n"), "errno=0\n\n", "nothing of it was done");
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            drop(somebody);
        });
        assert_eq!(client.ask(&format!("set=1\nlisten_port=5000\nprivate_key={KEY}\n\n")), "errno=0\n\n");
        assert!(client.ask("get=1\n\n").contains("listen_port=5000"));
    });
}

#[test]
fn wg_sets_and_shows_two_hundred_peers() {
    Namespace::new().run(|| {
        let process = Process::start();
        let mut config = format!("[Interface]\nListenPort = 5000\nPrivateKey = {}\n", run("wg", "genkey"));
        for number in 0..200 {
            use base64::Engine as _;
            let key = base64::engine::general_purpose::STANDARD.encode([number + 1; 32]);
            config +=
                &format!("[Peer]\nPublicKey = {key}\nAllowedIPs = 10.0.{number}.0/24, fd00:{number}::/64\n");
        }
        std::fs::write("/run/peers.conf", config).unwrap();
        for _ in 0..3 {
            run("wg", &format!("setconf {INTERFACE} /run/peers.conf"));
        }
        assert_eq!(run("wg", &format!("show {INTERFACE} allowed-ips")).lines().count(), 200);
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        println!("{resident}");
    });
}
