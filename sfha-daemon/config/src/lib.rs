//! `config.yml`: what an operator writes about a node and its cluster.
//!
//! ```text
//!   text ──yaml──▶ tree ──schema──▶ Config, places ──references──▶ findings
//!    ▲                                 │ shared
//!    │                                 ▼
//!   edit ◀────────── changes ◀────── Shared ◀───▶ the replicated state
//! ```
//!
//! Pure: text in, text and findings out. [`check`] finds everything that is wrong at once, as codes with
//! their places; sentences are made by `sfha`. [`edit::edit`] changes single entries of a text and leaves
//! every other line as it is, byte by byte. Keys keep the names and the meaning that they have in the
//! original program's file; where they cannot, there is a warning.

use sfha_proto::config::{Finding, Severity};
use sfha_proto::{ErrorCode, Failure};

pub mod edit;
mod findings;
pub mod keepalived;
pub mod local;
mod reader;
mod references;
mod render;
mod schema;
pub mod shared;
pub mod stonith;
mod yaml;

pub use render::new_file;
pub use schema::SCHEMA;
pub use shared::Shared;
pub use yaml::MAX_TEXT;

/// The example that is shipped.
pub const EXAMPLE: &str = include_str!("../../../assets/config.example.yml");

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `cluster.name`; empty when it could not be read.
    pub cluster: String,
    /// `node.name`; empty when it could not be read.
    pub node: String,
    /// `node.priority`
    pub priority: Option<u32>,
    /// `mesh.enabled`
    pub mesh: Option<bool>,
    /// `logging:`
    pub logging: local::Logging,
    /// What all nodes share.
    pub shared: Shared,
    /// What it says that belongs to no other node, and into a file of its own.
    pub secrets: stonith::LocalSecrets,
    /// What concerns this node alone besides.
    pub local: local::Local,
}

/// What is known beside the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Name of the cluster.
    pub cluster: Option<&'a str>,
    /// Name of this node.
    pub node: Option<&'a str>,
    /// Names of the cluster's nodes.
    pub nodes: Option<&'a [String]>,
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// As much as could be read of it; `None` when it is not YAML.
    pub config: Option<Config>,
    /// What is wrong with it, in the order of the text.
    pub findings: Vec<Finding>,
}

/// Looks at a file as a whole.
#[must_use]
pub fn check(text: &str, context: &Context<'_>) -> Checked {
    let mut reader = reader::Reader { findings: findings::Findings::new(text) };
    let Some(root) = yaml::parse(text, &mut reader.findings) else {
        return Checked { config: None, findings: reader.findings.into_vec() };
    };
    let decoded = schema::decode(&root, &mut reader);
    references::check(&decoded, context, &mut reader.findings);
    Checked { config: Some(decoded.config), findings: reader.findings.into_vec() }
}

impl Checked {
    /// The configuration, if nothing is wrong with it.
    #[must_use]
    pub fn valid(&self) -> Option<&Config> {
        self.config.as_ref().filter(|_| self.errors().next().is_none())
    }

    /// What keeps it from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// What an operator should know.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Warning)
    }

    /// Why it cannot be used: `file-invalid` with the first error's place and all findings; `None` when it
    /// can.
    #[must_use]
    pub fn failure(&self, path: &str) -> Option<Failure> {
        let first = self.errors().next()?;
        let code = serde_json::to_value(first.code).unwrap_or_default();
        let reason = match (code.as_str(), first.key.as_str()) {
            (Some(code), "") => code.to_owned(),
            (Some(code), key) => format!("{key}: {code}"),
            (None, key) => key.to_owned(),
        };
        Some(
            Failure::new(ErrorCode::FileInvalid)
                .with("path", path)
                .with("line", first.line)
                .with("column", first.column)
                .with("reason", reason)
                .with("findings", serde_json::to_value(&self.findings).unwrap_or_default()),
        )
    }
}

#[cfg(test)]
mod tests;
