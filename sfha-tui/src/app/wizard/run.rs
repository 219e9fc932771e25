//! From a yes to the outcome: the order, its progress, its answer, and a token's joiner.

use serde_json::{Value, json};
use sfha_proto::fencing::{FenceParams, FencedNodeParams};
use sfha_proto::mesh::{Joined, TokenListed, TokenMade};
use sfha_proto::message::{
    FailoverDone, FailoverParams, InitMesh, InitParams, Initialised, JoinParams, MaintenanceParams,
    NameParams, NodeParams, PeerAddParams, Progress, RotateDone, RotateParams, ServiceAddParams, TokenParams,
    VipAddParams, method,
};

use super::{App, Invite, Kind, Name, Stage, Wizard};
use crate::app::{DaemonOrder, Effect, Purpose};
use crate::cli::values;
use crate::client::ClientError;
use crate::client::link::Order;
use crate::problem::Problem;
use crate::words::Tone;
use crate::{format, t};

/// How often a token's state is asked for, in seconds.
const ASK_S: i64 = 2;

impl Wizard {
    fn order(&self, maintenance: bool) -> (&'static str, Value) {
        let value = |name| self.value(name);
        let text = |name| self.value(name).unwrap_or_default();
        let (method, params) = match self.kind {
            Kind::Init => {
                let mesh = value(Name::MeshCidr).map(|ip| InitMesh {
                    ip,
                    port: None,
                    endpoint: value(Name::Endpoint),
                    mtu: None,
                    links: None,
                    lan_ip: None,
                });
                let (cluster, name, profile) = (text(Name::Cluster), value(Name::Here), value(Name::Profile));
                let params = InitParams { cluster, name, mesh, profile, force: false };
                (method::INIT, serde_json::to_value(params))
            }
            Kind::Join => {
                let params = JoinParams {
                    token: text(Name::Token),
                    name: value(Name::Here),
                    endpoint: value(Name::Endpoint),
                    lan_ip: None,
                    timeout_ms: None,
                    force: false,
                };
                (method::JOIN, serde_json::to_value(params))
            }
            Kind::Token => {
                let time = value(Name::Expires).and_then(|text| values::duration(&text).ok());
                let params =
                    TokenParams { expires_s: time.map(|time| time.as_secs()), ip: value(Name::MeshIp) };
                (method::MESH_TOKEN, serde_json::to_value(params))
            }
            Kind::PeerAdd => {
                let params = PeerAddParams {
                    name: text(Name::New),
                    ip: text(Name::MeshIp),
                    public_key: text(Name::PublicKey),
                    endpoint: value(Name::Endpoint),
                };
                (method::MESH_ADD_PEER, serde_json::to_value(params))
            }
            Kind::Remove => {
                (method::MESH_REMOVE_PEER, serde_json::to_value(NameParams { name: text(Name::Target) }))
            }
            Kind::Rotate => {
                let node = value(Name::Target);
                let params = RotateParams { step: None, all: node.is_none(), node };
                (method::MESH_ROTATE_KEYS, serde_json::to_value(params))
            }
            Kind::Failover => (
                method::FAILOVER,
                serde_json::to_value(FailoverParams { to: value(Name::Target), names: Default::default() }),
            ),
            Kind::Standby => {
                (method::STANDBY, serde_json::to_value(NodeParams { node: value(Name::Target) }))
            }
            Kind::Unstandby => {
                (method::UNSTANDBY, serde_json::to_value(NodeParams { node: value(Name::Target) }))
            }
            Kind::Setup => {
                let params = self.tried.as_ref().map(|tried| &tried.params);
                (method::STONITH_CONFIGURE, serde_json::to_value(params))
            }
            Kind::Maintenance => (
                method::MAINTENANCE,
                serde_json::to_value(MaintenanceParams { on: !maintenance, until: None }),
            ),
            Kind::VipAdd => {
                let (name, address, interface) =
                    (text(Name::New), text(Name::VipCidr), value(Name::Interface));
                (method::VIP_ADD, serde_json::to_value(VipAddParams { name, address, interface }))
            }
            Kind::ServiceAdd => {
                let params = ServiceAddParams {
                    name: text(Name::New),
                    unit: text(Name::Unit),
                    prefer: Vec::new(),
                    critical: text(Name::Critical) == "yes",
                    restarts: None,
                    start_timeout_ms: None,
                    stop_timeout_ms: None,
                };
                (method::SERVICE_ADD, serde_json::to_value(params))
            }
            Kind::ServiceRemove => {
                (method::SERVICE_REMOVE, serde_json::to_value(NameParams { name: text(Name::Target) }))
            }
            Kind::Fence => {
                let params = FenceParams { node: text(Name::Target), dry_run: false };
                (method::STONITH_FENCE, serde_json::to_value(params))
            }
            Kind::Unfence | Kind::Confirm => {
                let method = if self.kind == Kind::Confirm {
                    method::STONITH_CONFIRM
                } else {
                    method::STONITH_UNFENCE
                };
                (method, serde_json::to_value(FencedNodeParams { node: text(Name::Target) }))
            }
            Kind::VipRemove => {
                (method::VIP_REMOVE, serde_json::to_value(NameParams { name: text(Name::Target) }))
            }
        };
        (method, params.unwrap_or_else(|_| json!({})))
    }

    /// What came of it, in words.
    fn outcome(&self, result: Value, was_maintenance: bool) -> Vec<String> {
        let text = |name| self.value(name).unwrap_or_default();
        let target = text(Name::Target);
        match self.kind {
            Kind::Init => match serde_json::from_value::<Initialised>(result) {
                Ok(done) => {
                    vec![t!("done-init", cluster = done.cluster, node = done.node), t!("done-init-next")]
                }
                Err(_) => Vec::new(),
            },
            Kind::Join => match serde_json::from_value::<Joined>(result) {
                Ok(done) => {
                    let time = format::millis(done.elapsed_ms);
                    vec![t!(
                        "done-join",
                        node = done.node,
                        cluster = done.cluster,
                        id = done.id,
                        ip = done.ip,
                        time = time
                    )]
                }
                Err(_) => Vec::new(),
            },
            Kind::Token => Vec::new(),
            Kind::PeerAdd => vec![t!("done-peer-added", name = text(Name::New), ip = text(Name::MeshIp))],
            Kind::Remove => vec![t!("done-peer-removed", name = target)],
            Kind::Rotate => match serde_json::from_value::<RotateDone>(result) {
                Ok(done) => done
                    .nodes
                    .iter()
                    .map(|node| {
                        t!("done-rotated", node = node.node.as_str(), time = format::millis(node.elapsed_ms))
                    })
                    .collect(),
                Err(_) => Vec::new(),
            },
            Kind::Failover => match serde_json::from_value::<FailoverDone>(result) {
                Ok(done) => {
                    let (time, names) = (format::millis(done.elapsed_ms), done.moved.join(", "));
                    vec![t!(
                        "done-failover",
                        count = done.moved.len(),
                        to = done.to,
                        time = time,
                        names = names
                    )]
                }
                Err(_) => Vec::new(),
            },
            Kind::Standby => vec![t!("done-standby", node = target)],
            Kind::Unstandby => vec![t!("done-unstandby", node = target)],
            Kind::Maintenance if was_maintenance => vec![t!("done-maintenance-off")],
            Kind::Maintenance => vec![t!("done-maintenance-on")],
            Kind::VipAdd => {
                vec![t!("done-vip-added", name = text(Name::New), address = text(Name::VipCidr))]
            }
            Kind::VipRemove => vec![t!("done-vip-removed", name = target)],
            Kind::ServiceAdd => {
                vec![t!("done-service-added", name = text(Name::New), unit = text(Name::Unit))]
            }
            Kind::ServiceRemove => vec![t!("done-service-removed", name = target)],
            Kind::Setup => {
                let path = self.tried.as_ref().and_then(|tried| tried.secret_path.clone());
                let mut lines = vec![t!("setup-done")];
                lines.extend(path.map(|path| t!("setup-other-nodes", path = path)));
                lines
            }
            Kind::Fence => vec![t!("done-fence-begun", node = target)],
            Kind::Unfence => vec![t!("done-unfence", node = target)],
            Kind::Confirm => vec![t!("done-stonith-confirm", node = target)],
        }
    }
}

impl App {
    /// The question was answered with yes.
    pub(super) fn start(&mut self) {
        let Some(wizard) = &self.wizard else { return };
        let kind = wizard.kind;
        let tag = if self.link == super::super::Link::Up {
            let (method, params) = wizard.order(self.maintenance());
            Some(self.send(method, params, Purpose::Wizard(kind, self.maintenance())))
        } else {
            if kind.founds() {
                self.out.push(Effect::Daemon(DaemonOrder::Start));
            }
            None
        };
        let since = self.now;
        let Some(wizard) = &mut self.wizard else { return };
        wizard.stage = if tag.is_some() || kind.founds() {
            Stage::Running { tag, since, steps: Vec::new() }
        } else {
            Stage::Failed(Problem::connection_lost())
        };
    }

    fn maintenance(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.maintenance)
    }

    pub(super) fn send(&mut self, method: &'static str, params: Value, purpose: Purpose) -> u64 {
        self.last_tag += 1;
        self.orders.insert(self.last_tag, purpose);
        self.out.push(Effect::Send(Order { tag: self.last_tag, method, params }));
        self.last_tag
    }

    /// Those that wait for a daemon have one now.
    pub(in crate::app) fn daemon_is_there(&mut self) {
        let maintenance = self.maintenance();
        let waiting = |w: &&mut Wizard| matches!(w.stage, Stage::Running { tag: None, .. });
        let orders: Vec<_> = self
            .all_wizards()
            .filter(waiting)
            .map(|wizard| (wizard.kind, wizard.order(maintenance)))
            .collect();
        for (kind, (method, params)) in orders {
            let sent = self.send(method, params, Purpose::Wizard(kind, maintenance));
            for wizard in self.all_wizards().filter(|wizard| wizard.kind == kind) {
                if let Stage::Running { tag, .. } = &mut wizard.stage {
                    *tag = Some(sent);
                }
            }
        }
    }

    /// What came of starting the daemon.
    pub(in crate::app) fn daemon_answered(&mut self, order: DaemonOrder, outcome: Result<(), Problem>) {
        match (order, outcome) {
            (DaemonOrder::Start, Err(problem)) => {
                for wizard in self.all_wizards() {
                    if matches!(wizard.stage, Stage::Running { tag: None, .. }) {
                        wizard.stage = Stage::Failed(problem.clone());
                    }
                }
            }
            (DaemonOrder::Enable, Err(_)) => self.tell(Tone::Warn, t!("not-enabled")),
            (_, Ok(())) => {}
        }
    }

    pub(super) fn all_wizards(&mut self) -> impl Iterator<Item = &mut Wizard> {
        self.wizard.iter_mut().chain(&mut self.parked)
    }

    /// A step of an order that is under way.
    pub(in crate::app) fn progress(&mut self, of: u64, progress: Progress) {
        for wizard in self.all_wizards() {
            if let Stage::Running { tag: Some(tag), steps, .. } = &mut wizard.stage
                && *tag == of
            {
                steps.push(progress.clone());
            }
        }
    }

    /// The answer to an order.
    pub(in crate::app) fn answer(&mut self, tag: u64, outcome: Result<Value, ClientError>) {
        match self.orders.remove(&tag) {
            Some(Purpose::Wizard(kind, maintenance)) => self.finished(tag, kind, maintenance, outcome),
            Some(Purpose::Tokens) => self.heard_tokens(tag, outcome),
            Some(Purpose::Plan) => self.foreseen(tag, outcome),
            Some(Purpose::Tried) => self.tried(tag, outcome),
            None => {}
        }
    }

    fn finished(&mut self, of: u64, kind: Kind, maintenance: bool, outcome: Result<Value, ClientError>) {
        let now = self.now;
        let in_front = self.wizard.as_ref().is_some_and(|wizard| is_at(wizard, of));
        let Some(wizard) = self.all_wizards().find(|wizard| is_at(wizard, of)) else { return };
        let mut copy = None;
        match outcome {
            Ok(result) => {
                let made =
                    (kind == Kind::Token).then(|| serde_json::from_value::<TokenMade>(result.clone()).ok());
                wizard.stage = match made.flatten() {
                    Some(made) => {
                        copy = Some(made.token.clone());
                        Stage::Token(Box::new(Invite { made, listed: None, asked: now, under_way: None }))
                    }
                    None => Stage::Done { lines: wizard.outcome(result, maintenance) },
                };
            }
            Err(error) => wizard.stage = Stage::Failed(error.into()),
        }
        let done = match &wizard.stage {
            Stage::Done { lines } => Some(lines.join(" ")),
            _ => None,
        };
        if let Some(token) = copy {
            self.out.push(Effect::Copy(token));
        }
        if done.is_some() && kind.founds() {
            self.out.push(Effect::Daemon(DaemonOrder::Enable));
        }
        if !in_front {
            self.finished_aside(of, kind, done);
        } else if matches!(kind, Kind::Standby | Kind::Unstandby | Kind::Maintenance)
            && let Some(text) = done
        {
            // Nothing more to say than one line.
            self.wizard = None;
            self.tell(Tone::Good, text);
        }
    }

    /// What was left is over: that is told, and a failure can be looked at.
    fn finished_aside(&mut self, _of: u64, kind: Kind, done: Option<String>) {
        match done {
            Some(text) => {
                self.parked.retain(|wizard| !matches!(wizard.stage, Stage::Done { .. }));
                self.tell(Tone::Good, text);
            }
            None => {
                let title = kind.title(self);
                let failed =
                    |wizard: &Wizard| wizard.kind == kind && matches!(wizard.stage, Stage::Failed(_));
                if self.parked.iter().any(failed) {
                    self.tell(Tone::Bad, t!("notice-failed-aside", title = title));
                }
            }
        }
    }

    /// Asks for the state of tokens whose joiner is waited for.
    pub(in crate::app) fn watch_tokens(&mut self) {
        if self.link != super::super::Link::Up {
            return;
        }
        let now = self.now;
        let due = |wizard: &Wizard| match &wizard.stage {
            Stage::Token(invite) => {
                invite.under_way.is_none()
                    && now.as_second() - invite.asked.as_second() >= ASK_S
                    && invite.listed.as_ref().is_none_or(|listed| listed.state == "open")
            }
            _ => false,
        };
        if !self.wizard.iter().chain(&self.parked).any(due) {
            return;
        }
        let tag = self.send(method::MESH_TOKENS, json!({}), Purpose::Tokens);
        for wizard in self.all_wizards() {
            if let Stage::Token(invite) = &mut wizard.stage {
                invite.under_way = Some(tag);
                invite.asked = now;
            }
        }
    }

    fn heard_tokens(&mut self, tag: u64, outcome: Result<Value, ClientError>) {
        let listed: Vec<TokenListed> =
            outcome.ok().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let mut arrived = None;
        for wizard in self.all_wizards() {
            let Stage::Token(invite) = &mut wizard.stage else { continue };
            if invite.under_way == Some(tag) {
                invite.under_way = None;
            }
            if let Some(found) = listed.iter().find(|token| token.id == invite.made.id) {
                let was_open = invite.listed.as_ref().is_none_or(|listed| listed.state == "open");
                if was_open && found.state == "redeemed" {
                    arrived = found.node.clone();
                }
                invite.listed = Some(found.clone());
            }
        }
        if let Some(node) = arrived {
            self.tell(Tone::Good, t!("notice-arrived", node = node));
        }
    }

    /// Once more to the clipboard.
    pub(in crate::app) fn copy(&mut self) {
        if let Some(Wizard { stage: Stage::Token(invite), .. }) = &self.wizard {
            self.out.push(Effect::Copy(invite.made.token.clone()));
            self.tell(Tone::Good, t!("notice-copied"));
        }
    }
}

pub(super) fn is_at(wizard: &Wizard, of: u64) -> bool {
    matches!(&wizard.stage, Stage::Running { tag: Some(tag), .. } if *tag == of)
}
