//! The Proxmox driver against the stand-in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sfha_core::fencing::settings::{Proxmox, Trust};
use sfha_core::fencing::{Call, Power};
use sfha_daemon::fencing::https::certificate_end;
use sfha_daemon::fencing::proxmox::ProxmoxDriver;
use sfha_daemon::fencing::{Driver as _, call};
use sfha_proto::{ErrorCode, Failure};
use sfha_tests::proxmox::{Fake, FaultKind, Kind, TOKEN_ID, TOKEN_SECRET};

use super::{nodes, secret_file};

const LONG: Duration = Duration::from_secs(20);

struct Site {
    fake: Fake,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let fake = Fake::start(&["pve1", "pve2"]).unwrap();
        fake.add_guest(Kind::Qemu, 101, "pve1");
        fake.add_guest(Kind::Lxc, 102, "pve2");
        Self { fake, folder: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> Proxmox {
        Proxmox {
            api_urls: vec![self.fake.url()],
            token_id: TOKEN_ID.into(),
            token_secret_file: secret_file(self.folder.path(), "token", TOKEN_SECRET),
            trust: Trust::Fingerprint(self.fake.fingerprint().into()),
            host: None,
        }
    }

    fn driver(&self) -> ProxmoxDriver {
        ProxmoxDriver::new(&self.settings(), &nodes()).unwrap()
    }

    /// Posts so far: what may switch a guest.
    fn posts(&self) -> usize {
        self.fake.requests().iter().filter(|request| request.starts_with("POST")).count()
    }
}

/// What a driver says must tell nobody the token.
async fn refused(driver: &ProxmoxDriver, node: &str, what: Call) -> Failure {
    let failure = call(driver, node, what, LONG).await.unwrap_err();
    assert!(!failure.to_string().contains(TOKEN_SECRET), "{failure}");
    failure
}

#[tokio::test]
async fn guests_of_both_kinds_are_switched_off_and_on() {
    let site = Site::new();
    let driver = site.driver();
    for (node, vmid) in [("n1", 101), ("n2", 102)] {
        assert_eq!(call(&driver, node, Call::Status, LONG).await.unwrap(), Power::On);
        call(&driver, node, Call::Off, LONG).await.unwrap();
        assert_eq!(site.fake.runs(vmid), Some(false));
        assert_eq!(call(&driver, node, Call::Status, LONG).await.unwrap(), Power::Off);
        let before = site.posts();
        call(&driver, node, Call::Off, LONG).await.unwrap();
        assert_eq!(site.posts(), before, "off is off: nothing is switched");
        call(&driver, node, Call::On, LONG).await.unwrap();
        assert_eq!(site.fake.runs(vmid), Some(true));
    }
    assert!(!format!("{driver:?}").contains(TOKEN_SECRET));
}

#[tokio::test]
async fn off_waits_for_the_task_and_the_power_is_really_cut() {
    let site = Site::new();
    site.fake.set_task_time(Duration::from_millis(600));
    let cut = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&cut);
    site.fake.on_power(101, move |on| {
        seen.lock().unwrap().push(on);
        Ok(())
    });
    call(&site.driver(), "n1", Call::Off, LONG).await.unwrap();
    assert_eq!(*cut.lock().unwrap(), [false]);
    assert_eq!(site.fake.runs(101), Some(false));
}

#[tokio::test]
async fn a_guest_is_found_on_the_host_that_it_was_moved_to() {
    let site = Site::new();
    let driver = site.driver();
    assert_eq!(call(&driver, "n1", Call::Status, LONG).await.unwrap(), Power::On);
    site.fake.migrate(101, "pve2");
    call(&driver, "n1", Call::Off, LONG).await.unwrap();
    assert_eq!(site.fake.runs(101), Some(false));
    assert!(site.fake.requests().contains(&"POST /api2/json/nodes/pve2/qemu/101/status/stop".to_owned()));
}

#[tokio::test]
async fn every_fault_has_its_code_and_none_is_taken_for_success() {
    let site = Site::new();
    let driver = site.driver();
    let task = "VM is locked (backup)";
    let faults = [
        ("/nodes/", FaultKind::Status(401), ErrorCode::FenceDenied),
        ("/nodes/", FaultKind::Status(403), ErrorCode::FenceDenied),
        ("/cluster/resources", FaultKind::Status(500), ErrorCode::FenceFailed),
        ("/nodes/", FaultKind::Status(596), ErrorCode::FenceUnreachable),
        ("/nodes/", FaultKind::Cut, ErrorCode::FenceUnreachable),
        ("/cluster/resources", FaultKind::Cut, ErrorCode::FenceUnreachable),
        ("/status/stop", FaultKind::TaskFails(task.into()), ErrorCode::FenceFailed),
        ("/tasks/", FaultKind::Status(500), ErrorCode::FenceFailed),
    ];
    for (path, kind, code) in faults {
        site.fake.heal();
        site.fake.fault(path, kind.clone(), None);
        let failure = refused(&driver, "n1", Call::Off).await;
        assert_eq!(failure.code, code, "{kind:?} at {path}: {failure}");
        if let FaultKind::TaskFails(why) = kind {
            assert_eq!(failure.details["cause"], why);
        }
    }
    site.fake.heal();
    call(&driver, "n1", Call::Off, LONG).await.unwrap();
}

#[tokio::test]
async fn a_slow_answer_ends_with_the_deadline() {
    let site = Site::new();
    site.fake.fault("/status/current", FaultKind::Slow(Duration::from_secs(60)), None);
    let failure = call(&site.driver(), "n1", Call::Off, Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::TimedOut);
    assert_eq!(site.posts(), 0);
}

#[tokio::test]
async fn a_token_without_the_privileges_is_told_from_a_wrong_one_and_from_an_unknown_guest() {
    let site = Site::new();
    let driver = site.driver();
    let failure = refused(&driver, "n3", Call::Status).await;
    assert_eq!((failure.code, &failure.details["name"]), (ErrorCode::FenceTarget, &"n3".into()));
    site.fake.revoke("VM.PowerMgmt");
    let failure = refused(&driver, "n1", Call::Off).await;
    assert_eq!((failure.code, &failure.details["status"]), (ErrorCode::FenceDenied, &403.into()));
    assert_eq!(call(&driver, "n1", Call::Status, LONG).await.unwrap(), Power::On);
    site.fake.revoke("VM.Audit");
    let failure = refused(&driver, "n1", Call::Status).await;
    assert_eq!((failure.code, &failure.details["value"]), (ErrorCode::FenceTarget, &"qemu/101".into()));

    let mut wrong = site.settings();
    wrong.token_secret_file = secret_file(site.folder.path(), "wrong", "00000000");
    let driver = ProxmoxDriver::new(&wrong, &nodes()).unwrap();
    let failure = refused(&driver, "n1", Call::Status).await;
    assert_eq!((failure.code, &failure.details["status"]), (ErrorCode::FenceDenied, &401.into()));
}

#[tokio::test]
async fn a_guest_of_the_other_kind_is_not_the_guest() {
    let site = Site::new();
    let mut nodes = nodes();
    nodes.get_mut("n1").unwrap().vmid = Some(102);
    let driver = ProxmoxDriver::new(&site.settings(), &nodes).unwrap();
    assert_eq!(refused(&driver, "n1", Call::Off).await.code, ErrorCode::FenceTarget);
    assert_eq!(site.fake.runs(102), Some(true));
}

#[tokio::test]
async fn a_certificate_is_believed_by_fingerprint_or_authority_and_no_other_way() {
    let site = Site::new();
    let other = Fake::start(&["pve1"]).unwrap();
    let authority = |fake: &Fake, name: &str| {
        let path = site.folder.path().join(name);
        std::fs::write(&path, fake.authority()).unwrap();
        Trust::CaFile(path)
    };
    let plain = site.fake.fingerprint().replace(':', "").to_lowercase();
    let table = [
        (Trust::Fingerprint(plain), None),
        (authority(&site.fake, "right.pem"), None),
        (Trust::Any, None),
        (Trust::Fingerprint(other.fingerprint().into()), Some(ErrorCode::FenceCertificate)),
        (authority(&other, "wrong.pem"), Some(ErrorCode::FenceCertificate)),
        (Trust::System, Some(ErrorCode::FenceCertificate)),
    ];
    for (trust, expected) in table {
        let before = site.fake.requests().len();
        let driver =
            ProxmoxDriver::new(&Proxmox { trust: trust.clone(), ..site.settings() }, &nodes()).unwrap();
        let outcome = call(&driver, "n1", Call::Status, LONG).await;
        let code = outcome.as_ref().err().map(|failure| failure.code);
        assert_eq!(code, expected, "{trust:?}: {outcome:?}");
        if let Some(code) = code {
            assert_eq!(site.fake.requests().len(), before, "the token was sent to a stranger");
            let mut details = outcome.unwrap_err().details;
            let (shown, why) = (details.remove("fingerprint"), details.remove("reason"));
            assert_eq!((code, shown), (ErrorCode::FenceCertificate, Some(site.fake.fingerprint().into())));
            let (expected, reason) = match trust {
                Trust::Fingerprint(_) => (Some(other.fingerprint().into()), "fingerprint"),
                _ => (None, "issuer"),
            };
            assert_eq!((details.remove("expected"), why), (expected, Some(reason.into())));
        }
    }
}

/// Of the certificate that an invented Proxmox shows, and of nothing where nobody answers.
#[tokio::test]
async fn the_end_of_a_certificate_is_seen_without_giving_the_token_away() {
    let site = Site::new();
    let end = certificate_end(&site.fake.url(), LONG).await.unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    assert!(end > now, "{end}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(certificate_end(&format!("https://{closed}"), LONG).await, None);
}

/// A fault of every kind for a container, too: its paths are others.
#[tokio::test]
async fn containers_meet_the_same_faults() {
    let site = Site::new();
    let driver = site.driver();
    for (path, kind, code) in [
        ("/lxc/102/", FaultKind::Status(403), ErrorCode::FenceDenied),
        ("/lxc/102/", FaultKind::Status(596), ErrorCode::FenceUnreachable),
        ("/status/stop", FaultKind::TaskFails("CT is locked".into()), ErrorCode::FenceFailed),
        ("/lxc/102/", FaultKind::Cut, ErrorCode::FenceUnreachable),
    ] {
        site.fake.heal();
        site.fake.fault(path, kind.clone(), None);
        assert_eq!(refused(&driver, "n2", Call::Off).await.code, code, "{kind:?}");
    }
    site.fake.heal();
    site.fake.migrate(102, "pve1");
    call(&driver, "n2", Call::Off, LONG).await.unwrap();
    assert_eq!(site.fake.runs(102), Some(false));
}

#[tokio::test]
async fn another_host_is_asked_where_one_does_not_answer() {
    let site = Site::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = vec![format!("https://{closed}"), site.fake.url()];
    let driver = ProxmoxDriver::new(&Proxmox { api_urls: urls, ..site.settings() }, &nodes()).unwrap();
    call(&driver, "n1", Call::Off, LONG).await.unwrap();
    assert_eq!(site.fake.runs(101), Some(false));
}

#[tokio::test]
async fn settings_that_would_give_the_token_away_are_refused() {
    let site = Site::new();
    let plain = Proxmox { api_urls: vec![site.fake.url().replace("https", "http")], ..site.settings() };
    assert_eq!(ProxmoxDriver::new(&plain, &nodes()).unwrap_err().code, ErrorCode::InvalidParameter);
    let open = site.folder.path().join("open");
    std::fs::write(&open, TOKEN_SECRET).unwrap();
    let open = Proxmox { token_secret_file: open, ..site.settings() };
    assert_eq!(ProxmoxDriver::new(&open, &nodes()).unwrap_err().code, ErrorCode::FileMode);
}

#[tokio::test]
async fn a_test_switches_nothing() {
    let site = Site::new();
    assert_eq!(site.driver().test("n1").await.unwrap(), Power::On);
    assert_eq!(site.posts(), 0);
}
