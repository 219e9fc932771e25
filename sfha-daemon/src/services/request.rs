//! `service.add`: what an operator says of a service, as a command.

use sfha_core::Command;
use sfha_core::command::invalid;
use sfha_core::resources::Service;
use sfha_proto::Failure;
use sfha_proto::message::ServiceAddParams;

use crate::io::systemd::{COROSYNC, WG_DEVICE};

/// What a unit's name can end in, of those that can be started and stopped to some use (systemd.unit(5)).
const SUFFIXES: [&str; 6] = [".service", ".socket", ".target", ".mount", ".timer", ".path"];

/// Units that the cluster itself stands on.
const OUR_OWN: [&str; 3] = ["sfha.service", COROSYNC, WG_DEVICE];

/// Longest time that a service may be given to start or to stop, in milliseconds: as long as the daemon's own
/// unit lets it wait (`TimeoutStopSec=`), less some time for itself.
pub const MAX_TIMEOUT_MS: u64 = 10 * 60 * 1000;

/// The command that adds a service.
///
/// # Errors
/// `invalid-parameter`.
pub fn add(params: ServiceAddParams) -> Result<Command, Failure> {
    let mut service = Service::new(&unit_name(&params.unit)?);
    service.prefer = params.prefer;
    service.critical = params.critical;
    service.restarts = params.restarts.unwrap_or(service.restarts);
    service.start_timeout_ms = time("start_timeout", params.start_timeout_ms, service.start_timeout_ms)?;
    service.stop_timeout_ms = time("stop_timeout", params.stop_timeout_ms, service.stop_timeout_ms)?;
    Ok(Command::AddService { name: params.name, service: Box::new(service) })
}

fn time(parameter: &str, asked: Option<u64>, usual: u64) -> Result<u64, Failure> {
    match asked {
        None => Ok(usual),
        Some(ms @ 1..=MAX_TIMEOUT_MS) => Ok(ms),
        Some(ms) => Err(invalid(parameter, &format!("{} s", ms as f64 / 1000.0), "timeout")),
    }
}

/// The whole name of a unit.
fn unit_name(text: &str) -> Result<String, Failure> {
    let name = match SUFFIXES.iter().any(|suffix| text.ends_with(suffix)) {
        true => text.to_owned(),
        false => format!("{text}.service"),
    };
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    // A template without its instance (`foo@.service`) cannot run.
    if stem.is_empty() || stem.ends_with('@') || name.len() > 255 || !name.chars().all(allowed) {
        return Err(invalid("unit", text, "unit"));
    }
    if OUR_OWN.contains(&name.as_str()) {
        return Err(invalid("unit", text, "unit-of-the-cluster"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(unit: &str) -> ServiceAddParams {
        ServiceAddParams { name: "web".to_owned(), unit: unit.to_owned(), ..ServiceAddParams::default() }
    }

    fn unit(text: &str) -> Result<String, String> {
        match add(asked(text)) {
            Ok(Command::AddService { service, .. }) => Ok(service.unit),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.details["reason"].as_str().unwrap_or_default().to_owned()),
        }
    }

    #[test]
    fn a_unit_has_its_suffix() {
        assert_eq!(unit("nginx").as_deref(), Ok("nginx.service"));
        assert_eq!(unit("nginx.service").as_deref(), Ok("nginx.service"));
        assert_eq!(unit("srv-data.mount").as_deref(), Ok("srv-data.mount"));
        assert_eq!(unit("my.app").as_deref(), Ok("my.app.service"));
        assert_eq!(unit("pg@14-main").as_deref(), Ok("pg@14-main.service"));
        for wrong in ["", ".service", "a b", "a/b", "../x", "app@", "app@.service", &"x".repeat(300)] {
            assert_eq!(unit(wrong), Err("unit".to_owned()), "{wrong:?}");
        }
        for ours in ["sfha", "corosync.service", "sfha-wg"] {
            assert_eq!(unit(ours), Err("unit-of-the-cluster".to_owned()), "{ours}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_by_default() {
        let Ok(Command::AddService { service, .. }) = add(asked("nginx")) else { panic!() };
        assert_eq!(*service, Service::new("nginx.service"));
        let params = ServiceAddParams {
            prefer: vec!["node2".to_owned()],
            critical: true,
            restarts: Some(3),
            start_timeout_ms: Some(60_000),
            stop_timeout_ms: Some(5_000),
            ..asked("nginx")
        };
        let Ok(Command::AddService { service, .. }) = add(params) else { panic!() };
        let expected = Service {
            prefer: vec!["node2".to_owned()],
            critical: true,
            restarts: 3,
            start_timeout_ms: 60_000,
            stop_timeout_ms: 5_000,
            ..Service::new("nginx.service")
        };
        assert_eq!(*service, expected);
        for wrong in [0, MAX_TIMEOUT_MS + 1] {
            let failure =
                add(ServiceAddParams { stop_timeout_ms: Some(wrong), ..asked("nginx") }).unwrap_err();
            assert_eq!(failure.details["parameter"], "stop_timeout");
        }
    }
}
