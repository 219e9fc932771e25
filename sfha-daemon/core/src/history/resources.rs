//! VIPs, services, checks, and the flags and changes of the configuration.

use super::{Arc, ClusterStatus, Draft, EventKind, Lasting, ServiceStatus, Tracker, VipState, VipStatus};

/// Who serves a VIP; one that is defended against somebody else is served.
fn served_by(vip: &VipStatus) -> Option<&str> {
    matches!(vip.state, VipState::Active | VipState::Conflict).then_some(vip.holder.as_deref()).flatten()
}

/// Not served, and not on its way in order.
fn is_lost(vip: &VipStatus) -> bool {
    match vip.state {
        VipState::Waiting | VipState::Stopped | VipState::Failed => true,
        VipState::Conflict => vip.holder.is_none(),
        VipState::Active | VipState::Acquiring | VipState::Releasing | VipState::Unknown => false,
    }
}

/// Which node runs a service.
fn run_by(service: &ServiceStatus) -> Option<&str> {
    (service.state == "active").then_some(service.holder.as_deref()).flatten()
}

impl Tracker {
    /// What is the case already when this node sees the resources for the first time.
    pub(super) fn first_resources(&mut self, status: &Arc<ClusterStatus>) {
        for check in status.health.iter().filter(|check| check.healthy == Some(false)) {
            self.begin(Lasting::CheckBad, &check.name, None, None, None);
        }
        if status.maintenance {
            self.begin(Lasting::Maintenance, "", None, None, None);
        }
        for vip in status.vips.iter().filter(|vip| vip.conflict_with.is_some()) {
            self.begin(Lasting::VipConflict, &vip.name, None, None, None);
        }
    }

    pub(super) fn compare_resources(&mut self, before: &ClusterStatus, status: &ClusterStatus) {
        let first = self.told.len();
        self.maintenance(before, status);
        for vip in &status.vips {
            match before.vips.iter().find(|was| was.name == vip.name) {
                Some(was) => self.vip(was, vip, status),
                None => self.vip_added(vip),
            }
        }
        for vip in before.vips.iter().filter(|was| status.vips.iter().all(|vip| vip.name != was.name)) {
            self.end(Lasting::VipAway, &vip.name);
            self.end(Lasting::VipConflict, &vip.name);
            let removed = Draft::new(EventKind::VipRemoved).resource(&vip.name);
            self.tell(removed.moved(vip.holder.as_deref(), None));
        }
        self.checks(before, status);
        for service in &status.services {
            match before.services.iter().find(|was| was.name == service.name) {
                Some(was) => self.service(was, service, status),
                None => {
                    self.tell(Draft::new(EventKind::ServiceAdded).resource(&service.name));
                    if let Some(node) = run_by(service) {
                        self.service_runs(&service.name, node, None);
                    }
                }
            }
        }
        for was in before.services.iter().filter(|was| status.services.iter().all(|is| is.name != was.name)) {
            self.end(Lasting::ServiceAway, &was.name);
            self.tell(Draft::new(EventKind::ServiceRemoved).resource(&was.name));
        }
        self.configuration(before, status, first);
    }

    /// The state changed, and nothing that was told says how.
    fn configuration(&mut self, before: &ClusterStatus, status: &ClusterStatus, first: usize) {
        let version = |status: &ClusterStatus| status.state.as_ref().map(|state| state.version);
        // Adding a node changes the state more than once.
        let names =
            |status: &ClusterStatus| status.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        let standby =
            |status: &ClusterStatus| status.nodes.iter().map(|node| node.standby).collect::<Vec<_>>();
        let explained = self.told[first..].iter().any(|event| {
            matches!(
                event.kind,
                EventKind::VipAdded
                    | EventKind::VipRemoved
                    | EventKind::ServiceAdded
                    | EventKind::ServiceRemoved
                    | EventKind::MaintenanceOn
                    | EventKind::MaintenanceOff
            )
        }) || names(before) != names(status)
            || standby(before) != standby(status)
            || std::mem::take(&mut self.fencing_changed);
        if let (Some(old), Some(new)) = (version(before), version(status))
            && old != new
            && !explained
        {
            self.tell(Draft::new(EventKind::ConfigChanged).detail(new.to_string()));
        }
    }

    fn maintenance(&mut self, before: &ClusterStatus, status: &ClusterStatus) {
        match (before.maintenance, status.maintenance) {
            (false, true) => {
                let id = self.tell(Draft::new(EventKind::MaintenanceOn));
                self.begin(Lasting::Maintenance, "", Some(id), None, None);
            }
            (true, false) => {
                let begin = self.end(Lasting::Maintenance, "");
                self.tell(Draft::new(EventKind::MaintenanceOff).ending(begin.as_ref(), self.now.at));
            }
            _ => {}
        }
    }

    fn vip_added(&mut self, vip: &VipStatus) {
        let id = self.tell(Draft::new(EventKind::VipAdded).resource(&vip.name).detail(&vip.address));
        match served_by(vip) {
            Some(node) => {
                self.tell(Draft::new(EventKind::VipServed).resource(&vip.name).node(node).cause(Some(id)));
            }
            None => self.begin(Lasting::VipAway, &vip.name, Some(id), None, None),
        }
    }

    fn vip(&mut self, was: &VipStatus, vip: &VipStatus, status: &ClusterStatus) {
        let name = vip.name.as_str();
        self.conflict(was, vip);
        if let Some(problem) = &vip.problem
            && was.problem.as_ref() != Some(problem)
        {
            let draft = Draft::new(EventKind::VipProblem).resource(name).detail(problem);
            let cause = self.news(|event| event.resource.as_deref() == Some(name));
            self.tell(draft.cause(cause));
        }
        if let Some(node) = served_by(was)
            && served_by(vip).is_none()
        {
            let cause = self.blame(Some(node));
            let cause = cause.or_else(|| if status.quorum.quorate { None } else { self.quorum_news() });
            self.begin(Lasting::VipAway, name, None, Some(node), cause);
        }
        if is_lost(vip)
            && let Some(begin) = self.lasting.get(&(Lasting::VipAway, name.to_owned())).cloned()
            && begin.event.is_none()
        {
            let mut lost = Draft::new(EventKind::VipLost).resource(name).cause(begin.cause);
            lost.node.clone_from(&begin.from);
            if let Ok(serde_json::Value::String(state)) = serde_json::to_value(vip.state) {
                lost.detail = Some(state);
            }
            let id = self.tell(lost);
            if let Some(begin) = self.lasting.get_mut(&(Lasting::VipAway, name.to_owned())) {
                begin.event = Some(id);
            }
        }
        if let Some(node) = served_by(vip)
            && served_by(was) != Some(node)
        {
            let begin = self.end(Lasting::VipAway, name);
            // Several changes at once: it was never seen without a holder.
            let from =
                begin.as_ref().map_or_else(|| served_by(was).map(str::to_owned), |begin| begin.from.clone());
            let cause = if begin.is_none() { self.blame(from.as_deref()) } else { None };
            let moved = from.as_deref().is_some_and(|from| from != node);
            let kind = if moved { EventKind::VipMoved } else { EventKind::VipServed };
            let draft = Draft::new(kind).resource(name).node(node).ending(begin.as_ref(), self.now.at);
            let draft = if moved { draft.moved(from.as_deref(), Some(node)) } else { draft };
            self.tell(draft.cause(cause));
        }
    }

    fn conflict(&mut self, was: &VipStatus, vip: &VipStatus) {
        match (&was.conflict_with, &vip.conflict_with) {
            (None, Some(by)) => {
                let mut draft = Draft::new(EventKind::VipConflict).resource(&vip.name).detail(by);
                draft.node.clone_from(&vip.holder);
                let id = self.tell(draft);
                self.begin(Lasting::VipConflict, &vip.name, Some(id), None, None);
            }
            (Some(_), None) => {
                let begin = self.end(Lasting::VipConflict, &vip.name);
                let draft = Draft::new(EventKind::VipConflictOver).resource(&vip.name);
                self.tell(draft.ending(begin.as_ref(), self.now.at));
            }
            _ => {}
        }
    }

    fn checks(&mut self, before: &ClusterStatus, status: &ClusterStatus) {
        for check in &status.health {
            let name = check.name.as_str();
            let was = before.health.iter().find(|was| was.name == check.name).and_then(|was| was.healthy);
            match (was, check.healthy) {
                (Some(true) | None, Some(false)) => {
                    let mut draft = Draft::new(EventKind::CheckFailed).resource(name);
                    draft.detail.clone_from(&check.last_error);
                    draft.node =
                        check.nodes.iter().find(|(_, ok)| **ok == Some(false)).map(|(node, _)| node.clone());
                    let id = self.tell(draft);
                    self.begin(Lasting::CheckBad, name, Some(id), None, None);
                }
                (_, Some(true)) if self.has_begun(Lasting::CheckBad, name) => {
                    let begin = self.end(Lasting::CheckBad, name);
                    let draft = Draft::new(EventKind::CheckRecovered).resource(name);
                    self.tell(draft.ending(begin.as_ref(), self.now.at));
                }
                _ => {}
            }
        }
    }

    fn service(&mut self, was: &ServiceStatus, service: &ServiceStatus, status: &ClusterStatus) {
        let name = service.name.as_str();
        let checks: Vec<&str> = status
            .health
            .iter()
            .filter(|check| check.service.as_deref() == Some(name))
            .map(|check| check.name.as_str())
            .collect();
        let check = self.news(|event| {
            event.kind == EventKind::CheckFailed
                && event.resource.as_deref().is_some_and(|check| checks.contains(&check))
        });
        if (service.state == "failed" && was.state != "failed") || service.failures > was.failures {
            let mut draft = Draft::new(EventKind::ServiceFailed).resource(name).cause(check);
            draft.node = was.holder.clone().or_else(|| service.holder.clone());
            draft.detail = service.problem.clone().or_else(|| Some(service.failures.to_string()));
            self.tell(draft);
        }
        let (from, to) = (run_by(was), run_by(service));
        if let Some(node) = from
            && to.is_none()
        {
            let failed = |event: &super::Recent| {
                event.kind == EventKind::ServiceFailed && event.resource.as_deref() == Some(name)
            };
            let cause = self.news(failed).or(check).or_else(|| self.blame(Some(node)));
            let cause = cause.or_else(|| if status.quorum.quorate { None } else { self.quorum_news() });
            self.begin(Lasting::ServiceAway, name, None, Some(node), cause);
        }
        if matches!(service.state.as_str(), "stopped" | "failed")
            && let Some(begin) = self.lasting.get(&(Lasting::ServiceAway, name.to_owned())).cloned()
            && begin.event.is_none()
        {
            let mut stopped = Draft::new(EventKind::ServiceStopped).resource(name).cause(begin.cause);
            stopped.node.clone_from(&begin.from);
            let id = self.tell(stopped);
            if let Some(begin) = self.lasting.get_mut(&(Lasting::ServiceAway, name.to_owned())) {
                begin.event = Some(id);
            }
        }
        if let Some(node) = to
            && from != to
        {
            self.service_runs(name, node, from);
        }
    }

    fn service_runs(&mut self, name: &str, node: &str, was_on: Option<&str>) {
        let begin = self.end(Lasting::ServiceAway, name);
        let from = begin.as_ref().and_then(|begin| begin.from.clone()).or_else(|| was_on.map(str::to_owned));
        let moved = from.as_deref().is_some_and(|from| from != node);
        let kind = if moved { EventKind::ServiceMoved } else { EventKind::ServiceStarted };
        let draft = Draft::new(kind).resource(name).node(node).ending(begin.as_ref(), self.now.at);
        let draft = if moved { draft.moved(from.as_deref(), Some(node)) } else { draft };
        let cause = if begin.is_none() { self.blame(from.as_deref()) } else { None };
        self.tell(draft.cause(cause));
    }
}
