//! What the wizards ask, and whether an answer will do.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tui_input::{Input, InputRequest};

use super::{App, Kind};
use crate::cli::values;
use crate::fencing_setup;
use crate::t;

/// What every token begins with.
const TOKEN_PREFIX: &str = "sfha-join://";
/// Longest name of a cluster, node, peer or VIP.
const LONGEST_NAME: usize = 63;

/// What a field is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The node, peer or VIP that it is about.
    Target,
    /// A name for something new.
    New,
    /// Name of the cluster.
    Cluster,
    /// Name of this node.
    Here,
    /// Life of a token.
    Expires,
    /// An address in the mesh.
    MeshIp,
    /// This node's address in the mesh, with its prefix length.
    MeshCidr,
    /// Address of a VIP, with its prefix length.
    VipCidr,
    /// A systemd unit.
    Unit,
    /// Whether a service moves when it fails.
    Critical,
    /// An interface.
    Interface,
    /// A public key.
    PublicKey,
    /// Where a node is reached.
    Endpoint,
    /// A token.
    Token,
    /// How fast Corosync is.
    Profile,
    /// With what nodes are switched off.
    Provider,
    /// Where that is reached.
    Url,
    /// Where it says how a node is.
    StatusUrl,
    /// Where it switches a node on.
    UnfenceUrl,
    /// Id of a token of Proxmox.
    TokenId,
    /// What nobody is to see.
    Secret,
    /// A certificate's fingerprint.
    Fingerprint,
    /// A fence agent.
    Program,
    /// Its parameters.
    Options,
    /// How a node is known there; the label is the node's name.
    Guest,
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it stands for.
    pub value: Option<String>,
    /// What it is called.
    pub label: String,
}

/// One question.
#[derive(Clone)]
pub struct Field {
    /// What it is about.
    pub name: Name,
    /// What it is called.
    pub label: String,
    /// What helps to fill it in.
    pub hint: String,
    /// What is written in it.
    pub input: Input,
    /// The answers that there are; none: anything that will do.
    pub choices: Vec<Choice>,
    /// Number of the one that is chosen.
    pub chosen: usize,
    /// It can be left empty.
    pub optional: bool,
    initial: (String, usize),
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is written may be a token.
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Field {
    fn text(name: Name, label: String, hint: String, value: &str) -> Self {
        let input = Input::new(value.to_owned());
        let initial = (value.to_owned(), 0);
        Self { name, label, hint, input, choices: Vec::new(), chosen: 0, optional: false, initial }
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn choice(name: Name, label: String, hint: String, choices: Vec<Choice>, wanted: Option<&str>) -> Self {
        let is = |choice: &Choice| choice.value.as_deref() == wanted;
        let chosen = choices.iter().position(is).unwrap_or(0);
        let initial = (String::new(), chosen);
        Self { name, label, hint, input: Input::default(), choices, chosen, optional: true, initial }
    }

    /// The answer; nothing if it was left empty.
    pub fn value(&self) -> Option<String> {
        if let Some(choice) = self.choices.get(self.chosen) {
            return choice.value.clone();
        }
        Some(self.input.value().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// It is not as it was offered.
    pub fn touched(&self) -> bool {
        (self.input.value(), self.chosen) != (self.initial.0.as_str(), self.initial.1)
    }

    /// A secret is not shown.
    pub fn secret(&self) -> bool {
        matches!(self.name, Name::Token | Name::Secret)
    }

    pub(super) fn edit(&mut self, request: InputRequest) {
        if self.choices.is_empty() {
            self.input.handle(request);
            return;
        }
        let last = self.choices.len() - 1;
        match request {
            InputRequest::GoToPrevChar => self.chosen = self.chosen.checked_sub(1).unwrap_or(last),
            InputRequest::GoToNextChar | InputRequest::InsertChar(' ') => {
                self.chosen = if self.chosen == last { 0 } else { self.chosen + 1 };
            }
            InputRequest::InsertChar(c) => {
                let begins = |choice: &Choice| choice.label.to_lowercase().starts_with(c);
                self.chosen = self.choices.iter().position(begins).unwrap_or(self.chosen);
            }
            _ => {}
        }
    }
}

fn named(names: impl Iterator<Item = String>) -> Vec<Choice> {
    names.map(|name| Choice { value: Some(name.clone()), label: name }).collect()
}

/// What that wizard asks.
pub(super) fn fields(app: &App, kind: Kind, target: Option<&str>) -> Vec<Field> {
    let endpoint = |hint: String| Field::text(Name::Endpoint, t!("field-endpoint"), hint, "").optional();
    let node_name = || Field::text(Name::Here, t!("field-node-name"), t!("hint-node-name"), "").optional();
    match kind {
        Kind::Init => vec![
            Field::text(Name::Cluster, t!("field-cluster"), t!("hint-cluster"), ""),
            node_name(),
            Field::text(Name::MeshCidr, t!("field-mesh-cidr"), t!("hint-mesh-cidr"), "10.100.0.1/24")
                .optional(),
            endpoint(t!("hint-init-endpoint")),
            Field::choice(Name::Profile, t!("field-profile"), t!("hint-profile"), profiles(), Some("lan")),
        ],
        Kind::Join => vec![
            Field::text(Name::Token, t!("field-token"), t!("hint-token"), ""),
            node_name(),
            endpoint(t!("hint-join-endpoint")),
        ],
        Kind::Token => vec![
            Field::text(Name::Expires, t!("field-expires"), t!("hint-expires"), "1h"),
            Field::text(Name::MeshIp, t!("field-mesh-ip"), t!("hint-token-ip"), "").optional(),
        ],
        Kind::PeerAdd => vec![
            Field::text(Name::New, t!("field-name"), t!("hint-peer-name"), ""),
            Field::text(Name::MeshIp, t!("field-mesh-ip"), t!("hint-peer-ip"), ""),
            Field::text(Name::PublicKey, t!("field-key"), t!("hint-key"), ""),
            endpoint(t!("hint-peer-endpoint")),
        ],
        Kind::VipAdd => vec![
            Field::text(Name::New, t!("field-name"), t!("hint-vip-name"), ""),
            Field::text(Name::VipCidr, t!("field-vip-cidr"), t!("hint-vip-cidr"), ""),
            Field::text(Name::Interface, t!("field-interface"), t!("hint-interface"), "").optional(),
        ],
        Kind::ServiceAdd => vec![
            Field::text(Name::New, t!("field-name"), t!("hint-service-name"), ""),
            Field::text(Name::Unit, t!("field-unit"), t!("hint-unit"), ""),
            Field::choice(Name::Critical, t!("field-critical"), t!("hint-critical"), critical(), Some("yes")),
        ],
        Kind::Maintenance => Vec::new(),
        Kind::Setup => setup(app, PROVIDERS[0]),
        _ => vec![Field::choice(Name::Target, label(kind), t!("hint-choice"), targets(app, kind), target)],
    }
}

/// What switches nodes off, the usual one first.
const PROVIDERS: [&str; 4] = ["proxmox", "webhook", "agent", "watchdog"];

/// What setting up fencing with that asks.
pub(super) fn setup(app: &App, provider: &str) -> Vec<Field> {
    let text = |name, label, hint| Field::text(name, label, hint, "");
    let choice = |value: &str, label| Choice { value: Some(value.to_owned()), label };
    let choices = vec![
        choice(PROVIDERS[0], t!("provider-proxmox")),
        choice(PROVIDERS[1], t!("provider-webhook")),
        choice(PROVIDERS[2], t!("provider-agent")),
        choice(PROVIDERS[3], t!("provider-watchdog")),
    ];
    let hint = t!("hint-choice");
    let mut fields = vec![Field::choice(Name::Provider, t!("field-provider"), hint, choices, Some(provider))];
    match provider {
        "proxmox" => fields.extend([
            text(Name::Url, t!("field-api-url"), t!("hint-api-url")),
            text(Name::TokenId, t!("field-token-id"), t!("hint-token-id", example = "sfha@pve!fence")),
            text(Name::Secret, t!("field-secret"), t!("hint-secret")).optional(),
            text(Name::Fingerprint, t!("field-fingerprint"), t!("hint-fingerprint")).optional(),
        ]),
        "webhook" => fields.extend([
            text(Name::Url, t!("field-fence-url"), t!("hint-fence-url", node = "{{node}}")),
            text(Name::StatusUrl, t!("field-status-url"), t!("hint-status-url")).optional(),
            text(Name::UnfenceUrl, t!("field-unfence-url"), t!("hint-unfence-url")).optional(),
            text(Name::Secret, t!("field-secret"), t!("hint-secret-headers")).optional(),
            text(Name::Fingerprint, t!("field-fingerprint"), t!("hint-fingerprint")).optional(),
        ]),
        "agent" => fields.extend([
            text(Name::Program, t!("field-program"), t!("hint-program")),
            text(Name::Options, t!("field-options"), t!("hint-options")).optional(),
            text(Name::Secret, t!("field-secret"), t!("hint-secret-options")).optional(),
        ]),
        _ => return fields,
    }
    if provider != "webhook" {
        let hint = || if provider == "agent" { t!("hint-plug") } else { t!("hint-guest") };
        let names = app.status.iter().flat_map(|status| &status.nodes).map(|node| node.name.clone());
        fields.extend(names.map(|name| Field::text(Name::Guest, name, hint(), "").optional()));
    }
    fields
}

fn label(kind: Kind) -> String {
    match kind {
        Kind::VipRemove => t!("field-vip"),
        Kind::ServiceRemove => t!("field-service"),
        Kind::Failover => t!("field-to"),
        Kind::Remove => t!("field-node-or-peer"),
        _ => t!("field-node"),
    }
}

fn critical() -> Vec<Choice> {
    let choice = |value: &str, label| Choice { value: Some(value.to_owned()), label };
    vec![choice("yes", t!("critical-yes")), choice("no", t!("critical-no"))]
}

fn profiles() -> Vec<Choice> {
    let choice = |value: &str, label| Choice { value: Some(value.to_owned()), label };
    vec![
        choice("lan", t!("profile-lan")),
        choice("fast", t!("profile-fast")),
        choice("wan", t!("profile-wan")),
    ]
}

/// What that wizard can be about.
fn targets(app: &App, kind: Kind) -> Vec<Choice> {
    let Some(status) = &app.status else { return Vec::new() };
    let nodes = || status.nodes.iter();
    let any = |label: String| vec![Choice { value: None, label }];
    match kind {
        Kind::Standby => named(nodes().filter(|node| !node.standby).map(|node| node.name.clone())),
        Kind::Unstandby => named(nodes().filter(|node| node.standby).map(|node| node.name.clone())),
        Kind::Fence | Kind::Unfence | Kind::Confirm => {
            let able =
                |node: &&sfha_proto::status::NodeStatus| super::can_be_fenced(Some(status), &node.name, kind);
            named(nodes().filter(able).map(|node| node.name.clone()))
        }
        Kind::ServiceRemove => named(status.services.iter().map(|service| service.name.clone())),
        Kind::VipRemove => named(status.vips.iter().map(|vip| vip.name.clone())),
        Kind::Rotate => {
            let mut choices = any(t!("choice-all-nodes"));
            choices.extend(named(nodes().map(|node| node.name.clone())));
            choices
        }
        Kind::Failover => {
            let able = |node: &&sfha_proto::status::NodeStatus| node.online && node.daemon && !node.standby;
            let mut choices = any(t!("choice-best"));
            choices.extend(named(nodes().filter(able).map(|node| node.name.clone())));
            choices
        }
        Kind::Remove => {
            let foreign = app.mesh.iter().flat_map(|mesh| &mesh.peers).filter(|peer| !peer.member);
            let others = nodes().filter(|node| node.name != status.node).map(|node| node.name.clone());
            named(others.chain(foreign.map(|peer| peer.name.clone())))
        }
        _ => Vec::new(),
    }
}

/// Whether the answer will do.
pub(super) fn validate(app: &App, field: &Field) -> Result<(), String> {
    let Some(value) = field.value() else {
        let empty = field.choices.is_empty() && !field.optional;
        return if empty { Err(t!("wrong-empty")) } else { Ok(()) };
    };
    let status = app.status.as_ref();
    match field.name {
        Name::New => {
            name(&value)?;
            let vip = status.is_some_and(|status| status.vips.iter().any(|vip| vip.name == value));
            let service = status.is_some_and(|status| status.services.iter().any(|s| s.name == value));
            let node = status.is_some_and(|status| status.nodes.iter().any(|node| node.name == value));
            if vip || service || node || peers(app).any(|peer| peer.name == value) {
                Err(t!("wrong-taken"))
            } else {
                Ok(())
            }
        }
        Name::Cluster | Name::Here => name(&value),
        Name::Expires => values::duration(&value).map(drop),
        Name::MeshIp => {
            let ip: IpAddr = values::ip(&value)?.parse().map_err(|_| t!("wrong-empty"))?;
            if let Some(mesh) = &app.mesh
                && !within(ip, &mesh.address)
            {
                return Err(t!("wrong-network", network = mesh.address.as_str()));
            }
            let own = app.mesh.as_ref().and_then(|mesh| mesh.address.split('/').next());
            if own == Some(value.as_str()) || peers(app).any(|peer| peer.ip == value) {
                return Err(t!("wrong-taken"));
            }
            Ok(())
        }
        Name::MeshCidr | Name::VipCidr => {
            let cidr = values::cidr(&value)?;
            let address = cidr.split('/').next();
            let taken =
                status.is_some_and(|s| s.vips.iter().any(|vip| vip.address.split('/').next() == address));
            if field.name == Name::VipCidr && taken { Err(t!("wrong-taken")) } else { Ok(()) }
        }
        Name::PublicKey => {
            let key = STANDARD.decode(&value).ok().filter(|bytes| bytes.len() == 32);
            key.map(drop).ok_or_else(|| t!("wrong-key"))
        }
        Name::Endpoint => endpoint(&value),
        Name::Token if !value.starts_with(TOKEN_PREFIX) => Err(t!("wrong-token")),
        Name::Unit if value.contains(|c: char| c.is_whitespace() || c == '/') => Err(t!("wrong-unit")),
        Name::Url if is_proxmox(app) => wanted(fencing_setup::is_https(&value), t!("wrong-https")),
        Name::Url | Name::StatusUrl | Name::UnfenceUrl => {
            let scheme = value.starts_with("http://") || value.starts_with("https://");
            wanted(scheme, t!("wrong-url"))
        }
        Name::TokenId => {
            wanted(fencing_setup::is_token_id(&value), t!("wrong-token-id", example = "sfha@pve!fence"))
        }
        Name::Fingerprint => wanted(fencing_setup::is_fingerprint(&value), t!("wrong-fingerprint")),
        Name::Program => {
            let agent = value.starts_with("fence_") && fencing_setup::is_provider(&value);
            wanted(agent, t!("wrong-program"))
        }
        Name::Guest if is_proxmox(app) => wanted(fencing_setup::is_guest(&value), t!("wrong-guest")),
        Name::Guest | Name::Options | Name::Secret | Name::Provider => Ok(()),
        Name::Unit | Name::Critical | Name::Target | Name::Interface | Name::Token | Name::Profile => Ok(()),
    }
}

fn is_proxmox(app: &App) -> bool {
    let provider = app.wizard.as_ref().and_then(|wizard| wizard.value(Name::Provider));
    provider.as_deref() == Some(PROVIDERS[0])
}

fn wanted(good: bool, complaint: String) -> Result<(), String> {
    if good { Ok(()) } else { Err(complaint) }
}

fn peers(app: &App) -> impl Iterator<Item = &sfha_proto::mesh::PeerStatus> {
    app.mesh.iter().flat_map(|mesh| &mesh.peers)
}

fn name(value: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = value.len() <= LONGEST_NAME && value.chars().all(fits) && !value.starts_with(['-', '.']);
    if good { Ok(()) } else { Err(t!("wrong-name")) }
}

/// `HOST` or `HOST:PORT`; an IPv6 address with a port is in brackets.
fn endpoint(value: &str) -> Result<(), String> {
    if value.contains(char::is_whitespace) {
        return Err(t!("wrong-endpoint"));
    }
    if value.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    match value.rsplit_once(':') {
        None => Ok(()),
        Some((host, port)) if !host.is_empty() => values::port(port).map(drop),
        Some(_) => Err(t!("wrong-endpoint")),
    }
}

/// Whether the address is in the network of this one with its prefix length.
fn within(ip: IpAddr, network: &str) -> bool {
    let Some((base, prefix)) = network.split_once('/') else { return true };
    let (Ok(base), Ok(prefix)) = (base.parse::<IpAddr>(), prefix.parse::<u32>()) else { return true };
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let ((a, length), (b, other)) = (bits(ip), bits(base));
    let shift = 128_u32.saturating_sub(prefix);
    length == other && (prefix == 0 || a >> shift == b >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network_or_not() {
        let is = |ip: &str, network: &str| within(ip.parse().unwrap(), network);
        assert!(is("10.100.0.7", "10.100.0.1/24"));
        assert!(!is("10.100.1.7", "10.100.0.1/24"));
        assert!(!is("fd00::7", "10.100.0.1/24"));
        assert!(is("fd00::7", "fd00::1/64"));
        assert!(is("10.9.9.9", "0.0.0.0/0"));
    }

    #[test]
    fn endpoints_are_hosts_with_or_without_a_port() {
        for good in
            ["node2.example.org", "192.0.2.1", "192.0.2.1:51820", "[2001:db8::1]:51820", "2001:db8::1"]
        {
            assert_eq!(endpoint(good), Ok(()), "{good}");
        }
        for bad in ["192.0.2.1:99999", "host:", ":51820", "two words"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
