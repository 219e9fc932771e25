//! `stonith:`: what is shared is [`FencingSettings`]; secrets that an operator wrote into the file itself
//! belong to this node alone, and are in a file of their own for whoever uses them.

use std::collections::BTreeMap;
use std::fmt;

use sfha_core::fencing::settings::{FencingSettings, Level};
use zeroize::Zeroizing;

pub use sfha_core::fencing::settings;

use crate::shared::Entry;
use crate::{Context, check, render};

/// Where the secret of a token of Proxmox VE is, where the file does not say.
pub const PROXMOX_SECRET: &str = "/etc/sfha/proxmox.secret";

/// Where headers with secrets are, where the file does not say.
pub const WEBHOOK_SECRET: &str = "/etc/sfha/webhook.secret";

/// Where secret parameters of that agent are, where the file does not say.
#[must_use]
pub fn agent_secret(name: &str) -> String {
    format!("/etc/sfha/{name}.secret")
}

/// Names of levels that no agent may have.
pub const RESERVED: [&str; 4] = ["proxmox", "webhook", "watchdog", "fence_agents"];

/// Whether a header or a parameter of that name is nobody's business.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "cookie", "passw", "secret", "token", "api-key", "api_key", "apikey"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether that is the name of a fence agent's program.
#[must_use]
pub fn is_agent(text: &str) -> bool {
    text.strip_prefix("fence_").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })
}

/// What files that hold secrets are to hold, by their path: written in `config.yml` itself. Wiped when dropped,
/// not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LocalSecrets(pub BTreeMap<String, Zeroizing<String>>);

impl fmt::Debug for LocalSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The level of that name.
#[must_use]
pub fn level(name: &str) -> Level {
    match name {
        "proxmox" => Level::Proxmox,
        "webhook" => Level::Webhook,
        "watchdog" => Level::Watchdog,
        agent => Level::Agent(agent.to_owned()),
    }
}

/// What is wrong with settings that do not come from a file: whatever is accepted here can be written into one.
///
/// # Errors
/// The findings, as if these settings had been read; empty where they cannot be written at all.
pub fn judge(settings: &FencingSettings) -> Result<(), Vec<sfha_proto::config::Finding>> {
    let entry = Entry::Stonith(Box::new(settings.clone()));
    let mut text = String::from("cluster: {name: x}\nnode: {name: x}\nstonith:\n");
    for line in render::lines(&render::fields("", &entry), 2) {
        text.push_str(&line);
        text.push('\n');
    }
    let checked = check(&text, &Context::default());
    match checked.valid() {
        Some(config) if config.shared.stonith == *settings => Ok(()),
        _ => Err(checked.errors().cloned().collect()),
    }
}
