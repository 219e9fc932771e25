//! Debian's fence agents: `fence_pve` shows that the Proxmox stand-in is one; our driver of agents is tested with
//! it and with `fence_dummy`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use sfha_core::fencing::settings::{Agent, Target};
use sfha_core::fencing::{Call, Power};
use sfha_daemon::fencing::agent::AgentDriver;
use sfha_daemon::fencing::{Driver as _, call};
use sfha_proto::ErrorCode;
use sfha_tests::proxmox::{Fake, FaultKind, Kind, PASSWORD, USER};

use super::secret_file;

const LONG: Duration = Duration::from_secs(40);

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn site() -> Fake {
    let fake = Fake::start(&["pve1", "pve2"]).unwrap();
    fake.add_guest(Kind::Qemu, 101, "pve1");
    fake.add_guest(Kind::Lxc, 102, "pve2");
    fake
}

/// `fence_pve` for the stand-in; which guest is each node's own parameter.
fn pve(fake: &Fake, folder: &Path) -> (Agent, BTreeMap<String, Target>) {
    let port = fake.address().port().to_string();
    let agent = Agent {
        program: "fence_pve".into(),
        parameters: pairs(&[
            ("ip", "127.0.0.1"),
            ("ipport", &port),
            ("username", USER),
            ("pve_node_auto", "1"),
            // The stand-in's authority is not this system's.
            ("ssl_insecure", "1"),
        ]),
        secrets_file: Some(secret_file(folder, "password", &format!("password={PASSWORD}\n"))),
    };
    let target =
        |port, kind| Target { parameters: pairs(&[("plug", port), ("vmtype", kind)]), ..Target::default() };
    let nodes = [("n1", target("101", "qemu")), ("n2", target("102", "lxc"))];
    (agent, nodes.map(|(name, target)| (name.to_owned(), target)).into())
}

/// Runs `fence_pve` as Pacemaker would, and returns its exit status.
fn fence_pve(fake: &Fake, action: &str, kind: &str, vmid: u32) -> i32 {
    use std::io::Write as _;
    let mut child = std::process::Command::new("/usr/sbin/fence_pve")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("fence_pve: assets/dev/setup.sh lab installs it");
    let port = fake.address().port();
    let input = format!(
        "action={action}\nip=127.0.0.1\nipport={port}\nusername={USER}\npassword={PASSWORD}\n\
         pve_node_auto=1\nvmtype={kind}\nplug={vmid}\nssl_insecure=1\n"
    );
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait().unwrap().code().unwrap()
}

#[test]
#[ignore = "needs Debian's fence-agents"]
fn debians_fence_pve_takes_the_stand_in_for_proxmox() {
    let fake = site();
    for (kind, vmid) in [("qemu", 101), ("lxc", 102)] {
        assert_eq!(fence_pve(&fake, "status", kind, vmid), 0, "{kind} runs");
        assert_eq!(fence_pve(&fake, "off", kind, vmid), 0);
        assert_eq!(fake.runs(vmid), Some(false));
        assert_eq!(fence_pve(&fake, "status", kind, vmid), 2, "{kind} is off");
        assert_eq!(fence_pve(&fake, "on", kind, vmid), 0);
        assert_eq!(fake.runs(vmid), Some(true));
        let before = fake.requests().len();
        assert_eq!(fence_pve(&fake, "reboot", kind, vmid), 0);
        assert_eq!(fake.runs(vmid), Some(true));
        let stopped = format!("/nodes/pve{}/{kind}/{vmid}/status/stop", vmid - 100);
        assert!(fake.requests()[before..].iter().any(|request| request.ends_with(&stopped)));
    }
    fake.fault("/access/ticket", FaultKind::Status(401), None);
    assert_eq!(fence_pve(&fake, "off", "qemu", 101), 1);
    assert_eq!(fake.runs(101), Some(true));
}

#[tokio::test]
#[ignore = "needs Debian's fence-agents"]
async fn an_agent_is_driven_through_its_standard_input() {
    let (fake, folder) = (site(), tempfile::tempdir().unwrap());
    let (agent, nodes) = pve(&fake, folder.path());
    let driver = AgentDriver::new(&agent, &nodes).unwrap();
    assert!(!format!("{driver:?}").contains(PASSWORD));
    driver.validate("n1").await.unwrap();
    assert_eq!(driver.test("n2").await.unwrap(), Power::On);
    call(&driver, "n2", Call::Off, LONG).await.unwrap();
    assert_eq!((fake.runs(101), fake.runs(102)), (Some(true), Some(false)));
    assert_eq!(call(&driver, "n2", Call::Status, LONG).await.unwrap(), Power::Off);
    call(&driver, "n2", Call::On, LONG).await.unwrap();
    assert_eq!(fake.runs(102), Some(true));
    fake.fault("/access/ticket", FaultKind::Status(401), None);
    let failure = call(&driver, "n2", Call::Off, LONG).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::FenceFailed);
    assert!(!failure.to_string().contains(PASSWORD));
}

#[tokio::test]
#[ignore = "needs Debian's fence-agents"]
async fn parameters_are_checked_before_the_first_call() {
    let (fake, folder) = (site(), tempfile::tempdir().unwrap());
    let (agent, nodes) = pve(&fake, folder.path());
    let with = |name: &str, value: &str| {
        let mut agent = agent.clone();
        agent.parameters.insert(name.into(), value.into());
        agent
    };
    let without = |name: &str| {
        let mut agent = agent.clone();
        agent.parameters.remove(name);
        agent
    };
    for (agent, parameter, reason) in [
        (with("ipprot", "8006"), "ipprot", "unknown"),
        (with("ipport", "https"), "ipport", "value"),
        (with("ssl_insecure", "perhaps"), "ssl_insecure", "value"),
        (without("ip"), "ip", "missing"),
    ] {
        let failure = AgentDriver::new(&agent, &nodes).unwrap().validate("n1").await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::AgentParameter, "{failure}");
        assert_eq!(failure.details["parameter"], parameter);
        assert_eq!(failure.details["reason"], reason);
    }
    for (agent, reason) in [(with("action", "on"), "reserved"), (with("ip", "a\nplug=1"), "value")] {
        let failure = AgentDriver::new(&agent, &nodes).unwrap_err();
        assert_eq!((failure.code, &failure.details["reason"]), (ErrorCode::AgentParameter, &reason.into()));
    }
    assert!(fake.requests().is_empty());
}

fn dummy(parameters: &[(&str, &str)]) -> AgentDriver {
    let agent = Agent { program: "fence_dummy".into(), parameters: pairs(parameters), secrets_file: None };
    AgentDriver::new(&agent, &BTreeMap::new()).unwrap()
}

#[tokio::test]
#[ignore = "needs Debian's fence-agents"]
async fn fence_dummy_is_switched_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("{{node}}");
    let driver = dummy(&[("status_file", file.to_str().unwrap())]);
    driver.validate("n1").await.unwrap();
    for (switch, expected) in [(Call::Off, Power::Off), (Call::On, Power::On)] {
        call(&driver, "n1", switch, LONG).await.unwrap();
        assert_eq!(call(&driver, "n1", Call::Status, LONG).await.unwrap(), expected);
    }
    assert!(folder.path().join("n1").exists(), "the node's name was filled in");
}

/// The agent and whatever it started.
fn left_over(marker: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environment = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    processes.filter_map(environment).filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
}

#[tokio::test]
async fn an_agent_ends_with_its_deadline_and_so_does_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let marker = format!("86{}", std::process::id());
    let program = folder.path().join("fence_hangs");
    std::fs::write(&program, format!("#!/bin/sh\nsleep {marker} &\nsleep {marker}\n")).unwrap();
    let mut mode = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let agent = Agent { program: "fence_hangs".into(), parameters: BTreeMap::new(), secrets_file: None };
    let driver = AgentDriver::new_in(folder.path(), &agent, &BTreeMap::new()).unwrap();
    let failure = call(&driver, "n1", Call::Off, Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::TimedOut);
    let end = Instant::now() + Duration::from_secs(10);
    while left_over(&marker) > 0 {
        assert!(Instant::now() < end, "{} processes are left", left_over(&marker));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_is_no_agent_is_never_run() {
    for program in ["fence_there_is_none", "../bin/sh", "sh", "fence_x/../../bin/sh", "/bin/sh", ""] {
        let agent = Agent { program: program.into(), parameters: BTreeMap::new(), secrets_file: None };
        let failure = AgentDriver::new(&agent, &BTreeMap::new()).unwrap_err();
        assert_eq!(failure.code, ErrorCode::AgentMissing, "{program}");
    }
}
