//! `service.add`: what an operator says of a service, as a command.

use sfha_core::Command;
use sfha_core::command::invalid;
use sfha_core::resources::Service;
use sfha_core::unit;
use sfha_proto::Failure;
use sfha_proto::message::ServiceAddParams;

/// The command that adds a service.
///
/// # Errors
/// `invalid-parameter` for a unit that cannot be one; the rest is for the state to judge.
pub fn add(params: ServiceAddParams) -> Result<Command, Failure> {
    let unit = unit::whole_name(&params.unit).ok_or_else(|| invalid("unit", &params.unit, "unit"))?;
    let mut service = Service::new(&unit);
    service.prefer = params.prefer;
    service.critical = params.critical;
    service.restarts = params.restarts.unwrap_or(service.restarts);
    service.start_timeout_ms = params.start_timeout_ms.unwrap_or(service.start_timeout_ms);
    service.stop_timeout_ms = params.stop_timeout_ms.unwrap_or(service.stop_timeout_ms);
    Ok(Command::AddService { name: params.name, service: Box::new(service) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(unit: &str) -> ServiceAddParams {
        ServiceAddParams { name: "web".to_owned(), unit: unit.to_owned(), ..ServiceAddParams::default() }
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
        assert_eq!(add(asked("a b")).unwrap_err().details["reason"], "unit");
    }
}
