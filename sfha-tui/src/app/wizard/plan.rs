//! What a wizard is for, and what will happen; what will move is for the simulator to say (`forecast.rs`).

use sfha_proto::status::ClusterStatus;

use super::{App, Kind, Name, Wizard};
use crate::t;
use crate::words::Tone;

impl Kind {
    /// What it is called.
    pub fn title(self, app: &App) -> String {
        match self {
            Self::Init => t!("wizard-init"),
            Self::Join => t!("wizard-join"),
            Self::Token => t!("wizard-token"),
            Self::PeerAdd => t!("wizard-peer-add"),
            Self::Remove => t!("wizard-remove"),
            Self::Rotate => t!("wizard-rotate"),
            Self::Failover => t!("wizard-failover"),
            Self::Standby => t!("wizard-standby"),
            Self::Unstandby => t!("wizard-unstandby"),
            Self::Maintenance if maintenance(app) => t!("wizard-maintenance-off"),
            Self::Maintenance => t!("wizard-maintenance-on"),
            Self::VipAdd => t!("wizard-vip-add"),
            Self::VipRemove => t!("wizard-vip-remove"),
            Self::ServiceAdd => t!("wizard-service-add"),
            Self::ServiceRemove => t!("wizard-service-remove"),
            Self::Setup => t!("wizard-setup"),
            Self::Fence => t!("wizard-fence"),
            Self::Unfence => t!("wizard-unfence"),
            Self::Confirm => t!("wizard-confirm"),
        }
    }

    /// What it is for.
    pub fn about(self, app: &App) -> String {
        match self {
            Self::Init => t!("about-init"),
            Self::Join => t!("about-join"),
            Self::Token => t!("about-token"),
            Self::PeerAdd => t!("about-peer-add"),
            Self::Remove => t!("about-remove"),
            Self::Rotate => t!("about-rotate"),
            Self::Failover => t!("about-failover"),
            Self::Standby => t!("about-standby"),
            Self::Unstandby => t!("about-unstandby"),
            Self::Maintenance if maintenance(app) => t!("about-maintenance-off"),
            Self::Maintenance => t!("about-maintenance-on"),
            Self::VipAdd => t!("about-vip-add"),
            Self::VipRemove => t!("about-vip-remove"),
            Self::ServiceAdd => t!("about-service-add"),
            Self::ServiceRemove => t!("about-service-remove"),
            Self::Setup => t!("about-setup"),
            Self::Fence => t!("about-fence"),
            Self::Unfence => t!("about-unfence"),
            Self::Confirm => t!("about-confirm"),
        }
    }
}

fn maintenance(app: &App) -> bool {
    app.status.as_ref().is_some_and(|status| status.maintenance)
}

/// With what that node is switched.
fn fencing_levels(status: &ClusterStatus, name: &str) -> String {
    let own = status.fencing.nodes.iter().find(|node| node.name == name).map(|node| &node.levels);
    own.filter(|levels| !levels.is_empty()).unwrap_or(&status.fencing.levels).join(", ")
}

impl App {
    /// What will happen if the wizard's question is answered with yes.
    pub fn plan(&self, wizard: &Wizard) -> Vec<(Tone, String)> {
        let mut plan = Vec::new();
        let target = wizard.value(Name::Target);
        match (wizard.kind, &self.status) {
            (Kind::Init, _) => {
                let cluster = wizard.value(Name::Cluster).unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-init", cluster = cluster)));
                match wizard.value(Name::MeshCidr) {
                    Some(ip) => plan.push((Tone::Plain, t!("plan-init-mesh", ip = ip))),
                    None => plan.push((Tone::Plain, t!("plan-init-lan"))),
                }
                plan.push((Tone::Plain, t!("plan-enable")));
            }
            (Kind::Join, _) => {
                plan.push((Tone::Plain, t!("plan-join")));
                plan.push((Tone::Plain, t!("plan-enable")));
            }
            (_, None) => {}
            (Kind::Token, Some(_)) => {
                let time = wizard.value(Name::Expires).unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-token", time = time)));
                plan.push((Tone::Warn, t!("plan-token-secret")));
            }
            (Kind::PeerAdd, Some(_)) => {
                let name = wizard.value(Name::New).unwrap_or_default();
                let ip = wizard.value(Name::MeshIp).unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-peer-add", name = name, ip = ip)));
            }
            (Kind::VipAdd, Some(_)) => {
                let address = wizard.value(Name::VipCidr).unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-vip-add", address = address)));
            }
            (Kind::VipRemove, Some(status)) => {
                let name = target.unwrap_or_default();
                let vip = status.vips.iter().find(|vip| vip.name == name);
                let address = vip.map(|vip| vip.address.clone()).unwrap_or_default();
                plan.push((Tone::Bad, t!("plan-vip-remove", address = address)));
            }
            (Kind::ServiceAdd, Some(_)) => {
                let unit = wizard.value(Name::Unit).unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-service-add", unit = unit.as_str())));
                plan.push((Tone::Warn, t!("plan-service-unit", unit = unit.as_str())));
            }
            (Kind::ServiceRemove, Some(_)) => {
                plan.push((Tone::Bad, t!("plan-service-remove", name = target.unwrap_or_default())));
            }
            (Kind::Setup, Some(_)) => {
                let Some(tried) = &wizard.tried else { return plan };
                for test in &tried.results {
                    let power = test.power.map(crate::words::fencing::power).unwrap_or_default();
                    let (node, level) = (test.node.as_str(), test.level.as_str());
                    plan.push((Tone::Good, t!("plan-setup-test", node = node, level = level, power = power)));
                }
                plan.extend(tried.plan.iter().map(|line| (Tone::Plain, line.clone())));
                plan.push((Tone::Warn, t!("plan-setup")));
            }
            (Kind::Fence, Some(status)) => {
                let node = target.unwrap_or_default();
                let levels = fencing_levels(status, &node);
                plan.push((Tone::Bad, t!("plan-fence", node = node.as_str(), levels = levels)));
            }
            (Kind::Unfence, Some(status)) => {
                let node = target.unwrap_or_default();
                let levels = fencing_levels(status, &node);
                plan.push((Tone::Plain, t!("plan-unfence", node = node.as_str(), levels = levels)));
            }
            (Kind::Confirm, Some(_)) => {
                let node = target.unwrap_or_default();
                plan.push((Tone::Bad, t!("plan-confirm-seen", node = node.as_str())));
                plan.push((Tone::Bad, t!("plan-confirm-twice")));
                plan.push((Tone::Plain, t!("plan-confirm", node = node.as_str())));
            }
            (Kind::Remove, Some(status)) => self.plan_remove(status, &target.unwrap_or_default(), &mut plan),
            (Kind::Rotate, Some(_)) => {
                match &target {
                    Some(node) => plan.push((Tone::Plain, t!("plan-rotate-one", node = node.as_str()))),
                    None => plan.push((Tone::Plain, t!("plan-rotate-all"))),
                }
                plan.push((Tone::Plain, t!("plan-rotate-steps")));
                for rotating in self.mesh.iter().flat_map(|mesh| &mesh.rotating) {
                    plan.push((Tone::Warn, t!("plan-rotate-resumes", node = rotating.node.as_str())));
                }
            }
            (Kind::Failover, Some(_)) => {}
            (Kind::Standby, Some(_)) => {
                let node = target.unwrap_or_default();
                plan.push((Tone::Plain, t!("plan-standby", node = node.as_str())));
            }
            (Kind::Unstandby, Some(_)) => {
                plan.push((Tone::Plain, t!("plan-unstandby", node = target.unwrap_or_default())));
            }
            (Kind::Maintenance, Some(status)) if status.maintenance => {
                plan.push((Tone::Plain, t!("plan-maintenance-off")));
            }
            (Kind::Maintenance, Some(_)) => plan.push((Tone::Warn, t!("plan-maintenance-on"))),
        }
        plan.extend(self.forecast(wizard));
        plan
    }

    fn plan_remove(&self, status: &ClusterStatus, name: &str, plan: &mut Vec<(Tone, String)>) {
        let Some(node) = status.nodes.iter().find(|node| node.name == name) else {
            plan.push((Tone::Bad, t!("plan-remove-peer", name = name)));
            return;
        };
        plan.push((Tone::Bad, t!("plan-remove-node", node = name)));
        if !node.online {
            plan.push((Tone::Warn, t!("plan-remove-away", node = name)));
        }
        let left = status.nodes.len() - 1;
        let needed = left / 2 + 1;
        plan.push((Tone::Plain, t!("plan-remove-votes", count = left, needed = needed)));
    }
}
