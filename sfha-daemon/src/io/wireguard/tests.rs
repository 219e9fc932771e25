//! What needs no device that works; the rest is in `wg/tests/`, where the program is.

use super::super::netlink::testing::*;
use super::*;

/// As `main` does. Each test is a process of its own under nextest; elsewhere all of them set the same value.
fn forbid() {
    // SAFETY: no test reads another variable meanwhile.
    unsafe { forbid_programs() };
}

async fn no_start(_: String, _: u16) -> Result<(), io::Error> {
    Err(io::Error::other("not started in this test"))
}

/// Name, MTU and whether set up; not what comes and goes by itself.
fn links() -> Vec<(String, u64, bool)> {
    let links: Vec<serde_json::Value> = serde_json::from_str(&ip("-j link show")).unwrap();
    let link = |link: &serde_json::Value| {
        let up = link["flags"].as_array().unwrap().contains(&"UP".into());
        (link["ifname"].to_string(), link["mtu"].as_u64().unwrap(), up)
    };
    links.iter().map(link).collect()
}

#[test]
fn a_foreign_interface_is_named_and_not_touched() {
    forbid();
    in_namespace(async || {
        veth("v0", "v1");
        ip("tuntap add dev t0 mode tun");
        let before = links();
        for (interface, kind) in [("v0", "veth"), ("t0", "tun"), ("lo", "physical")] {
            let error = Device::ensure(interface, 1420, no_start).await.unwrap_err();
            assert!(
                matches!(&error, WireguardError::ForeignInterface { kind: found, .. } if found == kind),
                "{error:?}"
            );
        }
        assert_eq!(links(), before);
    });
}

#[test]
fn without_a_kernel_module_the_starter_decides() {
    forbid();
    in_namespace(async || match Device::ensure("wgt0", 1420, no_start).await {
        Ok(device) => assert_eq!(device.backend(), Backend::Kernel),
        Err(error @ WireguardError::Unsupported { .. }) => {
            let source = std::error::Error::source(&error).unwrap();
            assert_eq!(source.to_string(), "not started in this test");
        }
        Err(other) => panic!("{other:?}"),
    });
}

#[test]
fn a_name_that_no_interface_can_have_is_refused() {
    forbid();
    in_namespace(async || {
        for name in ["", "a/b", "sixteen-letters-"] {
            let error = Device::ensure(name, 1420, no_start).await.unwrap_err();
            assert!(matches!(error, WireguardError::InvalidName { .. }), "{error:?}");
        }
    });
}

#[test]
fn a_device_that_is_gone_is_gone_and_no_program_is_started() {
    forbid();
    in_namespace(async || {
        let device = Device {
            name: "wgnone".parse().unwrap(),
            interface: "wgnone".to_owned(),
            userspace: Arc::new(AtomicBool::new(true)),
            endpoints: Arc::default(),
        };
        let gone = |error| matches!(error, WireguardError::Gone { .. });
        assert!(gone(device.status().await.unwrap_err()));
        assert!(gone(device.sync_peers(&[]).await.unwrap_err()));
        assert!(gone(device.set_private_key(&PrivateKey::generate().unwrap(), 1).await.unwrap_err()));
        device.remove().await.unwrap();
    });
}

#[test]
fn a_port_is_busy_when_somebody_has_it() {
    blocking_in_namespace(|| {
        let refused = io::Error::from(io::ErrorKind::InvalidInput);
        assert!(!is_busy(&refused, 51820));
        let _somebody = std::net::UdpSocket::bind("127.0.0.1:51820").unwrap();
        assert!(is_busy(&refused, 51820));
        assert!(is_busy(&io::Error::from_raw_os_error(libc::EADDRINUSE), 1));
        assert!(!is_busy(&io::Error::from_raw_os_error(libc::EPERM), 51820));
    });
}
