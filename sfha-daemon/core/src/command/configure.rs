//! Commands that change what an operator configures for the whole cluster.

use sfha_proto::{ErrorCode, Failure};

use super::{already, check_name, invalid, not_found};
use crate::qdevice::Qdevice;
use crate::resources::{Configured, MAX_CHECKS, MAX_CONSTRAINTS, MAX_SERVICES, Service};
use crate::state::{ClusterState, MAX_VIPS};

impl ClusterState {
    /// Replaces everything that is configured. Each VIP must stand by itself as if it were added alone.
    pub(super) fn configure(&mut self, revision: u64, configured: &Configured) -> Result<(), Failure> {
        if revision != self.revision {
            return Err(Failure::new(ErrorCode::ConfigChanged).with("revision", self.revision));
        }
        if *configured == self.configured() {
            return Err(already("configured"));
        }
        let counts = [
            ("vips", configured.vips.len(), MAX_VIPS),
            ("services", configured.services.len(), MAX_SERVICES),
            ("health_checks", configured.checks.len(), MAX_CHECKS),
            ("constraints", configured.constraints.len(), MAX_CONSTRAINTS),
        ];
        if let Some((what, ..)) = counts.iter().find(|(_, count, limit)| count > limit) {
            return Err(invalid("config", what, "too-many"));
        }
        let mut next = self.clone();
        next.vips.clear();
        next.services.clear();
        for (name, vip) in &configured.vips {
            next.add_vip(name, vip.address, vip.interface.as_deref())?;
            next.check_preferred(&vip.prefer)?;
            if let Some(added) = next.vips.get_mut(name) {
                added.prefer.clone_from(&vip.prefer);
            }
        }
        for (name, service) in &configured.services {
            next.add_service(name, service)?;
        }
        for (name, check) in &configured.checks {
            check_name("name", name)?;
            next.check_check(check)?;
        }
        next.policy.clone_from(&configured.policy);
        next.checks.clone_from(&configured.checks);
        next.constraints.clone_from(&configured.constraints);
        next.check_constraints()?;
        next.stonith.clone_from(&configured.stonith);
        if next.corosync.qdevice != configured.qdevice {
            configured.qdevice.as_ref().map_or(Ok(()), Qdevice::check)?;
            next.corosync.qdevice.clone_from(&configured.qdevice);
            next.corosync.config_version += 1;
        }
        next.revision += 1;
        *self = next;
        Ok(())
    }

    pub(super) fn add_service(&mut self, name: &str, service: &Service) -> Result<(), Failure> {
        check_name("name", name)?;
        self.check_service(service)?;
        let taken = |by: &str, what: &str| {
            Failure::new(ErrorCode::AlreadyExists).with("kind", what).with("name", name).with("by", by)
        };
        if self.services.contains_key(name) {
            return Err(taken(name, "service"));
        }
        if self.vips.contains_key(name) {
            return Err(taken(name, "vip"));
        }
        if let Some((other, _)) = self.services.iter().find(|(_, other)| other.unit == service.unit) {
            return Err(taken(other, "unit"));
        }
        if self.services.len() >= MAX_SERVICES {
            return Err(invalid("name", name, "too-many"));
        }
        self.services.insert(name.to_owned(), service.clone());
        Ok(())
    }

    pub(super) fn remove_service(&mut self, name: &str) -> Result<(), Failure> {
        self.services.remove(name).ok_or_else(|| not_found("service", name))?;
        self.checks.retain(|_, check| check.service.as_deref() != Some(name));
        self.forget_constraints(name);
        Ok(())
    }

    /// What tied a resource that is no more to others.
    pub(super) fn forget_constraints(&mut self, name: &str) {
        self.constraints.retain(|constraint| !constraint.names().contains(&name));
    }
}
