//! Any HTTP service that can switch nodes: a power strip, a provider's API, a script behind a web server.
//!
//! A status URL answers with `on` or `off`, bare or in JSON under `status`, `state` or `power` (`running`,
//! `stopped` and the like are understood).

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;
use sfha_core::fencing::settings::Webhook;
use sfha_core::fencing::{Call, Power};
use sfha_proto::{ErrorCode, Failure};

use super::https::Https;
use super::secret::Secret;
use super::{Answer, Driver, failed};

const DRIVER: &str = "webhook";

/// Calls URLs.
#[derive(Debug)]
pub struct WebhookDriver {
    https: Https,
    fence: Template,
    unfence: Option<Template>,
    status: Option<Template>,
    method: Method,
    headers: HeaderMap,
    body: Option<String>,
    timeout: Duration,
}

/// A URL with `{{node}}` and `{{action}}` in it. It may hold secrets.
struct Template(String);

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

/// Replaces what is in double braces; `escape` makes a value fit.
fn fill(template: &str, node: &str, action: &str, escape: impl Fn(&str) -> String) -> String {
    template.replace("{{node}}", &escape(node)).replace("{{action}}", &escape(action))
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// As inside a JSON string; what is sent may be JSON.
fn json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn invalid(parameter: &str, reason: &str) -> Failure {
    // Not the value: it may hold secrets.
    Failure::new(ErrorCode::InvalidParameter)
        .with("parameter", format!("stonith.webhook.{parameter}"))
        .with("value", "")
        .with("reason", reason)
}

impl Template {
    fn new(parameter: &str, text: &str) -> Result<Self, Failure> {
        let url =
            Url::parse(&fill(text, "node", "action", percent)).map_err(|_| invalid(parameter, "url"))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err(invalid(parameter, "url"));
        }
        Ok(Self(text.to_owned()))
    }

    fn url(&self, node: &str, action: &str) -> Result<Url, Failure> {
        Url::parse(&fill(&self.0, node, action, percent)).map_err(|_| invalid("url", "url"))
    }
}

/// Host and port, without what may be secret.
fn endpoint(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl WebhookDriver {
    /// Checks URLs, method and headers, and reads the file with secret ones.
    ///
    /// # Errors
    /// `invalid-parameter`, `file-mode`, `file-invalid`.
    pub fn new(settings: &Webhook) -> Result<Self, Failure> {
        let secret = match &settings.headers_file {
            Some(path) => Secret::read_pairs(path, ':')?,
            None => Vec::new(),
        };
        Self::with_headers(settings, &secret)
    }

    /// The same with secret headers that were read elsewhere.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_headers(settings: &Webhook, secret: &[(String, Secret)]) -> Result<Self, Failure> {
        let method = match settings.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "DELETE" => Method::DELETE,
            _ => return Err(invalid("method", "method")),
        };
        let template = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| Template::new(name, text)).transpose()
        };
        Ok(Self {
            https: Https::new(DRIVER, &settings.trust)?,
            fence: Template::new("fence_url", &settings.fence_url)?,
            unfence: template("unfence_url", &settings.unfence_url)?,
            status: template("status_url", &settings.status_url)?,
            method,
            headers: headers(&settings.headers, secret)?,
            body: settings.body_template.clone(),
            timeout: Duration::from_millis(settings.timeout_ms),
        })
    }

    async fn ask(&self, method: Method, url: Url, body: Option<String>) -> Result<Vec<u8>, Failure> {
        let endpoint = endpoint(&url);
        let mut request =
            self.https.client.request(method, url).headers(self.headers.clone()).timeout(self.timeout);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(|error| self.https.failure(&endpoint, error))?;
        match response.status().as_u16() {
            200..=299 => self.https.read(&endpoint, response).await,
            status @ (401 | 403) => {
                Err(Failure::new(ErrorCode::FenceDenied).with("driver", DRIVER).with("status", status))
            }
            status => Err(failed(DRIVER, format!("HTTP {status}"))),
        }
    }

    async fn switch(&self, template: &Template, node: &str, action: &str) -> Result<Power, Failure> {
        let body = self.body.as_ref().map(|body| fill(body, node, action, json));
        self.ask(self.method.clone(), template.url(node, action)?, body).await.map(|_| Power::Unknown)
    }
}

fn headers(plain: &BTreeMap<String, String>, secret: &[(String, Secret)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str, secret: bool| {
        let name: HeaderName = name.parse().map_err(|_| invalid("headers", "header"))?;
        let mut value: HeaderValue = value.parse().map_err(|_| invalid("headers", "header"))?;
        value.set_sensitive(secret);
        headers.insert(name, value);
        Ok::<(), Failure>(())
    };
    for (name, value) in plain {
        add(name, value, false)?;
    }
    for (name, value) in secret {
        add(name, value.expose(), true)?;
    }
    Ok(headers)
}

/// What an answer says about a node's power.
fn power(answer: &[u8]) -> Power {
    let text = String::from_utf8_lossy(answer);
    let word = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(fields)) => ["status", "state", "power"]
            .iter()
            .find_map(|name| fields.get(*name))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        Ok(Value::String(text)) => Some(text),
        _ => Some(text.into_owned()),
    };
    match word.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "on" | "running" | "up" => Power::On,
        "off" | "stopped" | "down" | "shutoff" => Power::Off,
        _ => Power::Unknown,
    }
}

impl Driver for WebhookDriver {
    fn call<'a>(&'a self, node: &'a str, call: Call) -> Answer<'a> {
        Box::pin(async move {
            match (call, &self.unfence, &self.status) {
                (Call::Off, ..) => self.switch(&self.fence, node, "fence").await,
                (Call::On, Some(unfence), _) => self.switch(unfence, node, "unfence").await,
                (Call::On, None, _) => Err(invalid("unfence_url", "missing")),
                (Call::Status, _, Some(status)) => {
                    self.ask(Method::GET, status.url(node, "status")?, None).await.map(|bytes| power(&bytes))
                }
                (Call::Status, _, None) => Ok(Power::Unknown),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_on_off_or_nothing() {
        for (text, expected) in [
            ("on", Power::On),
            (" OFF\n", Power::Off),
            ("\"off\"", Power::Off),
            ("{\"status\": \"running\"}", Power::On),
            ("{\"power\": \"stopped\", \"x\": 1}", Power::Off),
            ("{\"status\": 0}", Power::Unknown),
            ("{\"off\": true}", Power::Unknown),
            ("offline soon", Power::Unknown),
            ("", Power::Unknown),
            ("[\"off\"]", Power::Unknown),
        ] {
            assert_eq!(power(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_filled_in_cannot_break_out() {
        assert_eq!(
            fill("https://x/{{node}}?a={{action}}", "a/b&c", "fence", percent),
            "https://x/a%2Fb%26c?a=fence"
        );
        assert_eq!(fill("{\"n\":\"{{node}}\"}", "a\"b", "fence", json), "{\"n\":\"a\\\"b\"}");
    }
}
