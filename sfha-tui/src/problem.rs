//! What went wrong, as a sentence, a next step, a code and an exit status.

use std::borrow::Cow;
use std::collections::HashMap;

use fluent_bundle::FluentValue;
use i18n_embed::fluent::FluentLanguageLoader;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use sfha_proto::config::{Finding, Severity};
use sfha_proto::{ErrorCode, Failure};

use crate::finding;
use crate::format::moment;
use crate::i18n::loader;
use crate::t;

#[cfg(test)]
mod tests;

/// A failure ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Stable code, for scripts.
    pub code: String,
    /// Exit status.
    pub exit: u8,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub next: Option<String>,
    /// Values of the code.
    pub details: Map<String, Value>,
    /// What was found out all the same: the rest of the document of `--json`.
    pub beside: Box<Map<String, Value>>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(flatten)]
    beside: &'a Map<String, Value>,
    error: Document<'a>,
}

#[derive(Serialize)]
struct Document<'a> {
    code: &'a str,
    message: &'a str,
    details: &'a Map<String, Value>,
}

impl Problem {
    /// A problem that only the client can have.
    pub fn local(code: &str, exit: u8, message: String, next: Option<String>) -> Self {
        Self { code: code.to_owned(), exit, message, next, details: Map::new(), beside: Box::default() }
    }

    /// With what was found out all the same.
    pub fn beside(self, document: Value) -> Self {
        let Value::Object(beside) = document else { return self };
        Self { beside: Box::new(beside), ..self }
    }

    /// The document of `--json`.
    pub fn json(&self) -> String {
        let error = Document { code: &self.code, message: &self.message, details: &self.details };
        serde_json::to_string(&Envelope { beside: &self.beside, error }).unwrap_or_default()
    }

    /// A command that nothing here does.
    pub fn later(command: &str) -> Self {
        let mut problem = Self::local("not-in-this-version", 1, t!("later", command = command), None);
        problem.next = Some(t!("later-next"));
        problem.details.insert("command".to_owned(), command.into());
        problem
    }

    /// The conversation broke off before the answer.
    pub fn connection_lost() -> Self {
        Self::local("connection-lost", 1, t!("connection-lost"), Some(t!("connection-lost-next")))
    }

    /// The daemon speaks another protocol.
    pub fn protocol(theirs: u32, version: &str) -> Self {
        let ours = sfha_proto::PROTOCOL;
        let text = t!("protocol-mismatch", theirs = theirs, ours = ours, version = version);
        let mut problem = Self::local("protocol-mismatch", 1, text, Some(t!("protocol-mismatch-next")));
        problem.details.insert("daemon".to_owned(), theirs.into());
        problem.details.insert("client".to_owned(), ours.into());
        problem
    }

    /// The operator wanted it so: nothing is wrong.
    pub fn is_choice(&self) -> bool {
        matches!(self.code.as_str(), "cancelled" | "interrupted")
    }

    /// Ctrl-C.
    pub fn interrupted(message: String, next: Option<String>) -> Self {
        Self::local("interrupted", 130, message, next)
    }

    /// A program that could not be run.
    pub fn program(program: &str, cause: &std::io::Error) -> Self {
        let failure =
            Failure::new(ErrorCode::Internal).with("what", program).with("cause", cause.to_string());
        failure.into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let id = format!("error-{}", failure.code.as_str());
        let loader = loader();
        let id = if loader.has(&id) { id } else { "error-unknown".to_owned() };
        let mut failure = failure;
        let args = arguments(&failure.details, &failure.code.as_str());
        let whole = |text: &String| !text.contains(ABSENT);
        let mut message = text(loader, &id, None, &args);
        if !whole(&message) && loader.has_attr(&id, "bare") {
            message = text(loader, &id, Some("bare"), &args);
        }
        if let Some(found) = failure.details.remove("findings") {
            let (blocks, documents) = findings(&found, &failure.details);
            message = blocks.unwrap_or(message);
            failure.details.insert("findings".to_owned(), documents);
        }
        let next = loader.has_attr(&id, "next").then(|| text(loader, &id, Some("next"), &args)).filter(whole);
        Self {
            code: failure.code.as_str(),
            exit: failure.code.exit_status(),
            message,
            next,
            details: failure.details,
            beside: Box::default(),
        }
    }
}

/// All that was found in a `config.yml`: as text under a headline, and for scripts.
fn findings(found: &Value, details: &Map<String, Value>) -> (Option<String>, Value) {
    let Ok(found) = serde_json::from_value::<Vec<Finding>>(found.clone()) else {
        return (None, found.clone());
    };
    let path = details.get("path").and_then(Value::as_str).unwrap_or_default();
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    let blocks: String = found.iter().map(|finding| format!("\n{}", finding::block(finding, path))).collect();
    let text = format!("{}\n{blocks}", t!("config-invalid", path = path, count = errors));
    (Some(text), found.iter().map(finding::document).collect())
}

/// A detail that was not sent: sentences choose by it, and one that would show it is replaced by its
/// attribute `bare`.
pub const ABSENT: &str = "no-value";

pub type Arguments = HashMap<Cow<'static, str>, FluentValue<'static>>;

/// A message, or an attribute of it.
pub fn text(loader: &FluentLanguageLoader, id: &str, attribute: Option<&str>, args: &Arguments) -> String {
    let args = args.iter().map(|(name, value)| (name.as_ref(), value.clone())).collect();
    match attribute {
        None => loader.get_args_concrete(id, args),
        Some(attribute) => loader.get_attr_args_concrete(id, attribute, args),
    }
}

/// Every value that a sentence may want: those sent, and [`ABSENT`] for those that were not.
pub fn arguments(details: &Map<String, Value>, code: &str) -> Arguments {
    let mut args: Arguments =
        DETAILS.iter().map(|name| (Cow::Borrowed(*name), FluentValue::from(ABSENT))).collect();
    for (name, value) in details {
        let value = match value {
            Value::Null => continue,
            Value::String(text) if name == "expired" => {
                let expired = text.parse().map(|at| moment(at, Timestamp::now(), &TimeZone::system()));
                FluentValue::from(expired.unwrap_or_else(|_| text.clone()))
            }
            Value::String(text) => FluentValue::from(text.clone()),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| FluentValue::from(number.to_string()), FluentValue::from)
            }
            other => FluentValue::from(other.to_string()),
        };
        args.insert(Cow::Owned(name.clone()), value);
    }
    args.insert(Cow::Borrowed("code"), FluentValue::from(code.to_owned()));
    args
}

/// The names of all details in the protocol.
const DETAILS: &[&str] = &[
    "allowed",
    "first",
    "found",
    "least",
    "most",
    "names",
    "other",
    "suggestion",
    "revision",
    "backup",
    "expected",
    "by",
    "cause",
    "cluster",
    "code",
    "column",
    "driver",
    "endpoint",
    "expired",
    "field",
    "fingerprint",
    "interface",
    "invites",
    "kind",
    "least",
    "limit",
    "line",
    "method",
    "mode",
    "most",
    "name",
    "needed",
    "network",
    "node",
    "nodes",
    "open",
    "parameter",
    "path",
    "port",
    "program",
    "reason",
    "seconds",
    "socket",
    "status",
    "user",
    "value",
    "votes",
    "wanted",
    "what",
    "with",
];
