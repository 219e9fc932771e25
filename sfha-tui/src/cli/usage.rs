//! clap's own errors, in the user's language.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::Value;
use sfha_proto::ErrorCode;

use crate::problem::Problem;
use crate::t;

/// The error of clap as a problem with exit status 2.
pub fn problem(error: &clap::Error) -> Problem {
    let get = |kind| error.get(kind).map(plain);
    let argument = get(ContextKind::InvalidArg).unwrap_or_default();
    let value = get(ContextKind::InvalidValue).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            t!("usage-unknown-command", name = get(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::UnknownArgument => t!("usage-unknown-argument", name = argument.as_str()),
        ErrorKind::MissingRequiredArgument => t!("usage-missing", names = argument.as_str()),
        ErrorKind::MissingSubcommand => t!("usage-missing-command"),
        ErrorKind::InvalidValue if value.is_empty() => t!("usage-no-value", name = argument.as_str()),
        ErrorKind::InvalidValue => t!("usage-bad-value", name = argument.as_str(), value = value.as_str()),
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            t!("usage-invalid", name = argument.as_str(), value = value.as_str(), reason = reason)
        }
        ErrorKind::ArgumentConflict => {
            let prior = get(ContextKind::PriorArg).unwrap_or_default();
            if prior == argument || prior.is_empty() {
                t!("usage-twice", name = argument.as_str())
            } else {
                t!("usage-conflict", name = argument.as_str(), other = prior)
            }
        }
        ErrorKind::NoEquals => t!("usage-no-equals", name = argument.as_str()),
        ErrorKind::TooManyValues => t!("usage-too-many", name = argument.as_str(), value = value.as_str()),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            t!("usage-count", name = argument.as_str())
        }
        ErrorKind::InvalidUtf8 => t!("usage-utf8"),
        _ => t!("usage-other"),
    };
    let mut problem = Problem::local(&ErrorCode::InvalidParameter.as_str(), 2, message, Some(next(error)));
    for (name, text) in [("parameter", argument), ("value", value)] {
        if !text.is_empty() {
            problem.details.insert(name.to_owned(), Value::String(text));
        }
    }
    problem
}

/// What would be right: a suggestion, the values that are accepted, or where to read more.
fn next(error: &clap::Error) -> String {
    let get = |kind| error.get(kind).map(|value| list(value).join(", ")).filter(|text| !text.is_empty());
    let suggested =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    if let Some(text) = suggested.into_iter().find_map(get) {
        return t!("usage-suggestion", text = text);
    }
    let values = get(ContextKind::ValidValue).or_else(|| get(ContextKind::ValidSubcommand));
    if let Some(values) = values {
        return t!("usage-values", values = values);
    }
    if let Some(usage) = get(ContextKind::Usage) {
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        return t!("usage-usage", usage = usage);
    }
    t!("usage-help")
}

fn plain(value: &ContextValue) -> String {
    list(value).join(", ")
}

/// The texts of a value, the closest match first.
fn list(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        ContextValue::StyledStr(text) => vec![text.to_string()],
        ContextValue::StyledStrs(texts) => texts.iter().map(ToString::to_string).collect(),
        ContextValue::Number(number) => vec![number.to_string()],
        _ => Vec::new(),
    }
}
