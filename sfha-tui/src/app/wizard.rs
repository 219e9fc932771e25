//! Everything that changes the cluster: a form, what will happen, the confirmation, progress, outcome.
//!
//! ```text
//! Form ──▶ Review ──▶ Running ──▶ Done | Token
//!   ▲         │          └──────▶ Failed
//!   └─────────┴─────────────────────┘
//! ```
//!
//! Fencing is tried between form and review ([`setup`]).
//!
//! A wizard that is left in the middle is put aside, goes on by itself if it is running, and is there
//! again when it is called the next time.

use jiff::Timestamp;
use sfha_proto::mesh::{TokenListed, TokenMade};
use sfha_proto::message::Progress;
use sfha_proto::status::{ClusterStatus, Phase};
use tui_input::{Input, InputRequest};

use super::{App, Effect};
use crate::problem::Problem;
use crate::t;

mod forecast;
mod form;
mod plan;
mod run;
mod setup;

pub use forecast::Forecast;
pub use form::{Field, Name};
pub use setup::Tried;

/// What a wizard does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Makes a cluster.
    Init,
    /// Joins one.
    Join,
    /// Invites a node, and waits for it.
    Token,
    /// Adds a peer that is no node.
    PeerAdd,
    /// Takes a node or peer out for good.
    Remove,
    /// Changes keys.
    Rotate,
    /// Moves what the leader holds.
    Failover,
    /// Takes a node out of service.
    Standby,
    /// Puts it back.
    Unstandby,
    /// Hands off, or on.
    Maintenance,
    /// Adds a VIP.
    VipAdd,
    /// Removes one.
    VipRemove,
    /// Gives a systemd unit to the cluster.
    ServiceAdd,
    /// Takes it back.
    ServiceRemove,
    /// Sets up how nodes are switched off.
    Setup,
    /// Switches a node off.
    Fence,
    /// Switches it on.
    Unfence,
    /// Answers for its being off.
    Confirm,
}

impl Kind {
    /// In the order of the menu.
    pub const ALL: [Self; 18] = [
        Self::Init,
        Self::Join,
        Self::Token,
        Self::VipAdd,
        Self::VipRemove,
        Self::ServiceAdd,
        Self::ServiceRemove,
        Self::Failover,
        Self::Standby,
        Self::Unstandby,
        Self::Maintenance,
        Self::Rotate,
        Self::PeerAdd,
        Self::Remove,
        Self::Setup,
        Self::Fence,
        Self::Unfence,
        Self::Confirm,
    ];

    /// What it destroys does not come back: the name has to be typed.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Remove | Self::VipRemove | Self::ServiceRemove | Self::Fence | Self::Confirm)
    }

    /// For nodes without a cluster.
    fn founds(self) -> bool {
        matches!(self, Self::Init | Self::Join)
    }
}

/// Where a wizard stands.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Asks.
    Form,
    /// Shows what will happen, and waits for a yes.
    Review {
        /// What has been typed to confirm it.
        typed: Input,
    },
    /// It is under way.
    Running {
        /// Of the order; `None` until there is a daemon to send it to.
        tag: Option<u64>,
        /// Since when.
        since: Timestamp,
        /// What the daemon said that it did, in order.
        steps: Vec<Progress>,
    },
    /// It is done.
    Done {
        /// What came of it.
        lines: Vec<String>,
    },
    /// A token was made, and its joiner is waited for.
    Token(Box<Invite>),
    /// It was refused or failed.
    Failed(Problem),
}

/// A token that waits for its joiner.
#[derive(Clone)]
pub struct Invite {
    /// The token, a secret.
    pub made: TokenMade,
    /// What the cluster says about it.
    pub listed: Option<TokenListed>,
    /// When that was asked for last.
    asked: Timestamp,
    /// The request that is under way.
    under_way: Option<u64>,
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invite").field("id", &self.made.id).finish_non_exhaustive()
    }
}

/// One wizard.
#[derive(Debug, Clone)]
pub struct Wizard {
    /// What it does.
    pub kind: Kind,
    /// What it asks.
    pub fields: Vec<Field>,
    /// Number of the field that is being filled in.
    pub focus: usize,
    /// Where it stands.
    pub stage: Stage,
    /// Someone wanted to go on: what is missing is shown.
    pub complaining: bool,
    /// What would move.
    pub forecast: Forecast,
    /// Settings of fencing that were tried, and with what result.
    pub tried: Option<Box<Tried>>,
}

impl Wizard {
    /// Goes on by itself when it is left.
    pub fn busy(&self) -> bool {
        matches!(self.stage, Stage::Running { .. } | Stage::Token(_))
    }

    /// The field of that name has this value.
    pub fn value(&self, name: Name) -> Option<String> {
        self.fields.iter().find(|field| field.name == name).and_then(Field::value)
    }

    /// What has to be typed to confirm.
    pub fn password(&self) -> Option<String> {
        self.value(Name::Target).filter(|_| self.kind.destroys())
    }
}

/// Whether fencing is on and that makes sense for that node: what is a member is not answered for, nor switched
/// on; no node does this to itself.
pub(super) fn can_be_fenced(status: Option<&ClusterStatus>, name: &str, kind: Kind) -> bool {
    let Some(status) = status.filter(|status| status.fencing.enabled) else { return false };
    let away = status.nodes.iter().any(|node| node.name == name && !(node.online && node.daemon));
    name != status.node && (away || kind == Kind::Fence)
}

impl App {
    /// The wizards that make sense now.
    pub fn wizards(&self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| self.offers(*kind)).collect()
    }

    /// Whether that wizard makes sense now.
    pub fn offers(&self, kind: Kind) -> bool {
        if self.parked.iter().any(|wizard| wizard.kind == kind) {
            return true;
        }
        let status = self.status.as_ref();
        if kind.founds() {
            return !self.demo && status.is_none_or(|status| status.phase == Phase::Unconfigured);
        }
        if !self.can_order() {
            return false;
        }
        let nodes = |standby| status.is_some_and(|s| s.nodes.iter().any(|node| node.standby == standby));
        match kind {
            Kind::Token | Kind::PeerAdd | Kind::Rotate => status.is_some_and(|status| status.mesh.enabled),
            Kind::Standby => nodes(false),
            Kind::Unstandby => nodes(true),
            Kind::Fence | Kind::Unfence | Kind::Confirm => status.is_some_and(|status| {
                status.nodes.iter().any(|node| can_be_fenced(Some(status), &node.name, kind))
            }),
            Kind::ServiceRemove => status.is_some_and(|status| !status.services.is_empty()),
            Kind::VipRemove => status.is_some_and(|status| !status.vips.is_empty()),
            Kind::Remove | Kind::Failover => status.is_some_and(|status| status.nodes.len() > 1),
            _ => true,
        }
    }

    /// Opens that wizard: where it was left, or anew with `target` filled in.
    pub(super) fn begin(&mut self, kind: Kind, target: Option<&str>) {
        self.popup = None;
        let parked = self.parked.iter().position(|wizard| wizard.kind == kind);
        if let Some(at) = parked {
            let wizard = self.parked.remove(at);
            // A new target is a new question, unless the old one is still at work.
            if target.is_none() || wizard.busy() {
                self.wizard = Some(wizard);
                return self.foresee();
            }
        }
        if !self.offers(kind) {
            let text = if self.can_order() { t!("notice-not-now") } else { t!("notice-no-link") };
            return self.tell(crate::words::Tone::Warn, text);
        }
        let fields = form::fields(self, kind, target);
        let known = target.is_some() || fields.is_empty();
        let stage = if known { Stage::Review { typed: Input::default() } } else { Stage::Form };
        let forecast = Forecast::default();
        self.wizard =
            Some(Wizard { kind, fields, focus: 0, stage, complaining: false, forecast, tried: None });
        if kind == Kind::Setup {
            self.out.push(Effect::ReadFencing);
        }
        self.foresee();
    }

    /// What is wrong with a field, if anything is.
    pub fn complaint(&self, field: &Field) -> Option<String> {
        form::validate(self, field).err()
    }

    /// A key for the line that is being edited: a filter, a field, or what confirms.
    pub(super) fn edit(&mut self, request: InputRequest) {
        if let Some(input) = &mut self.search {
            input.handle(request);
            let filter = input.value().to_owned();
            self.list_mut().filter = filter;
            self.keep_selection();
            return;
        }
        let Some(wizard) = &mut self.wizard else { return };
        match &mut wizard.stage {
            Stage::Form => {
                if let Some(field) = wizard.fields.get_mut(wizard.focus) {
                    field.edit(request);
                }
                if wizard.kind == Kind::Setup {
                    self.follow_provider();
                }
            }
            Stage::Review { typed } => {
                typed.handle(request);
            }
            _ => {}
        }
    }

    /// The field that many further on.
    pub(super) fn focus(&mut self, by: i32) {
        let Some(wizard) = self.wizard.as_mut().filter(|wizard| matches!(wizard.stage, Stage::Form)) else {
            return;
        };
        let last = wizard.fields.len().saturating_sub(1);
        let by = isize::try_from(by).unwrap_or(0);
        wizard.focus = wizard.focus.saturating_add_signed(by).min(last);
    }

    /// On to the next field, or to the next stage.
    pub(super) fn go_on(&mut self) {
        let Some(wizard) = &self.wizard else { return };
        match &wizard.stage {
            Stage::Form => {
                let wrong = wizard.fields.iter().position(|field| self.complaint(field).is_some());
                let at_end = wizard.focus + 1 >= wizard.fields.len();
                let here_wrong =
                    wizard.fields.get(wizard.focus).is_some_and(|field| self.complaint(field).is_some());
                let Some(wizard) = &mut self.wizard else { return };
                if here_wrong {
                    wizard.complaining = true;
                } else if !at_end {
                    wizard.focus += 1;
                } else if let Some(at) = wrong {
                    wizard.focus = at;
                    wizard.complaining = true;
                } else {
                    wizard.complaining = false;
                    if wizard.kind == Kind::Setup {
                        self.try_out();
                    } else {
                        wizard.stage = Stage::Review { typed: Input::default() };
                        wizard.forecast = Forecast::default();
                        self.foresee();
                    }
                }
            }
            Stage::Review { typed } => {
                let meant = wizard.password().is_none_or(|wanted| wanted == typed.value().trim());
                if meant && !wizard.awaits_plan(self.now) {
                    self.start();
                }
            }
            Stage::Running { .. } => self.leave(),
            Stage::Done { .. } | Stage::Token(_) => self.wizard = None,
            Stage::Failed(_) => self.back(),
        }
    }

    /// Back to the stage before, or out.
    pub(super) fn back(&mut self) {
        let Some(wizard) = &mut self.wizard else { return };
        match wizard.stage {
            Stage::Review { .. } | Stage::Failed(_) if !wizard.fields.is_empty() => {
                wizard.stage = Stage::Form;
                wizard.focus = 0;
            }
            _ => self.leave(),
        }
    }

    /// Out; what is not over is put aside.
    pub(super) fn leave(&mut self) {
        let Some(wizard) = self.wizard.take() else { return };
        let begun = match &wizard.stage {
            Stage::Form => wizard.fields.iter().any(Field::touched),
            Stage::Review { .. } => !wizard.fields.is_empty(),
            Stage::Running { .. } | Stage::Token(_) => true,
            Stage::Done { .. } | Stage::Failed(_) => false,
        };
        if begun {
            self.parked.push(wizard);
        }
    }
}
