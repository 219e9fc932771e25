//! Proxmox VE: guests switched through its API, `/api2/json` (pve.proxmox.com/pve-docs/api-viewer).
//!
//! ```text
//! GET  /cluster/resources?type=vm              which host has the guest now (needs VM.Audit on it)
//! GET  /nodes/HOST/TYPE/VMID/status/current    running or stopped
//! POST /nodes/HOST/TYPE/VMID/status/stop       power off; returns the UPID of a task (VM.PowerMgmt)
//! GET  /nodes/HOST/tasks/UPID/status           until it ends, and how
//! ```
//!
//! `/cluster/resources` says where a guest is, not whether it runs: its `status` is up to ten seconds old.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sfha_core::fencing::settings::{GuestType, Proxmox, Target};
use sfha_core::fencing::{Call, Power};
use sfha_proto::{ErrorCode, Failure};
use zeroize::Zeroizing;

use super::https::Https;
use super::secret::Secret;
use super::{Answer, Driver, failed};

const DRIVER: &str = "proxmox";

/// Between two looks at a task.
const TASK_POLL: Duration = Duration::from_millis(200);

/// Switches guests of one Proxmox VE cluster.
#[derive(Debug)]
pub struct ProxmoxDriver {
    https: Https,
    urls: Vec<String>,
    /// The URL that answered last.
    current: AtomicUsize,
    authorization: HeaderValue,
    host: Option<String>,
    guests: BTreeMap<String, (GuestType, u32)>,
}

#[derive(Deserialize)]
struct Enveloped<T> {
    data: T,
}

#[derive(Deserialize)]
struct Resource {
    vmid: Option<u32>,
    #[serde(rename = "type")]
    kind: String,
    node: Option<String>,
}

#[derive(Deserialize)]
struct Current {
    status: String,
}

#[derive(Deserialize)]
struct Task {
    status: String,
    exitstatus: Option<String>,
}

/// Where a guest is.
struct Place {
    host: String,
    kind: GuestType,
    vmid: u32,
}

impl Place {
    fn path(&self, what: &str) -> String {
        format!("/nodes/{}/{}/{}/status/{what}", self.host, self.kind.as_str(), self.vmid)
    }
}

impl ProxmoxDriver {
    /// Reads the token and makes a client.
    ///
    /// # Errors
    /// `file-mode`, `file-invalid`, `invalid-parameter`.
    pub fn new(settings: &Proxmox, nodes: &BTreeMap<String, Target>) -> Result<Self, Failure> {
        Self::with_secret(settings, &Secret::read(&settings.token_secret_file)?, nodes)
    }

    /// The same with a token's secret that was read elsewhere.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_secret(
        settings: &Proxmox,
        secret: &Secret,
        nodes: &BTreeMap<String, Target>,
    ) -> Result<Self, Failure> {
        let text = Zeroizing::new(format!("PVEAPIToken={}={}", settings.token_id, secret.expose()));
        let mut authorization = HeaderValue::from_str(&text)
            .map_err(|_| crate::files::invalid(&settings.token_secret_file, "not a token's secret"))?;
        authorization.set_sensitive(true);
        let invalid = |parameter: &str, value: &str| {
            Failure::new(ErrorCode::InvalidParameter)
                .with("parameter", parameter)
                .with("value", value)
                .with("reason", "url")
        };
        let urls: Vec<String> =
            settings.api_urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        // The token is in every request.
        if let Some(url) = urls.iter().find(|url| !url.starts_with("https://")) {
            return Err(invalid("stonith.proxmox.api_url", url));
        }
        if urls.is_empty() {
            return Err(invalid("stonith.proxmox.api_url", ""));
        }
        let guests = nodes
            .iter()
            .filter_map(|(name, target)| Some((name.clone(), (target.guest?, target.vmid?))))
            .collect();
        Ok(Self {
            https: Https::new(DRIVER, &settings.trust)?,
            urls,
            current: AtomicUsize::new(0),
            authorization,
            host: settings.host.clone(),
            guests,
        })
    }

    /// Asks the URL that answered last, then the others. What an unreachable one was asked may have been heard:
    /// everything that is sent here can be sent twice.
    async fn request<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Failure> {
        let start = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for offset in 0..self.urls.len() {
            let index = (start + offset) % self.urls.len();
            match self.ask(&self.urls[index], method.clone(), path).await {
                Err(failure) if failure.code == ErrorCode::FenceUnreachable => last = Some(failure),
                outcome => {
                    self.current.store(index, Ordering::Relaxed);
                    return outcome;
                }
            }
        }
        Err(last.unwrap_or_else(|| failed(DRIVER, "no URL")))
    }

    async fn ask<T: DeserializeOwned>(&self, base: &str, method: Method, path: &str) -> Result<T, Failure> {
        let mut request = self
            .https
            .client
            .request(method.clone(), format!("{base}/api2/json{path}"))
            .header(AUTHORIZATION, self.authorization.clone());
        if method == Method::POST {
            request = request.header("content-length", "0");
        }
        let response = request.send().await.map_err(|error| self.https.failure(base, error))?;
        let status = response.status();
        // What went wrong is in the reason phrase, as far as it is told at all.
        let reason = response
            .extensions()
            .get::<hyper::ext::ReasonPhrase>()
            .and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok())
            .map_or_else(
                || format!("HTTP {}", status.as_u16()),
                |reason| format!("{} {reason}", status.as_u16()),
            );
        match status.as_u16() {
            200..=299 => {}
            401 | 403 => {
                return Err(Failure::new(ErrorCode::FenceDenied)
                    .with("driver", DRIVER)
                    .with("status", status.as_u16()));
            }
            // The host asked could not pass it on to the host that has the guest.
            595 | 596 => {
                return Err(Failure::new(ErrorCode::FenceUnreachable)
                    .with("driver", DRIVER)
                    .with("endpoint", base)
                    .with("cause", reason));
            }
            _ => return Err(failed(DRIVER, reason)),
        }
        let bytes = self.https.read(base, response).await?;
        serde_json::from_slice::<Enveloped<T>>(&bytes)
            .map(|envelope| envelope.data)
            .map_err(|error| failed(DRIVER, format!("unexpected answer to {path}: {error}")))
    }

    async fn find(&self, node: &str) -> Result<Place, Failure> {
        let unknown = |value: String| {
            Failure::new(ErrorCode::FenceTarget)
                .with("driver", DRIVER)
                .with("name", node)
                .with("value", value)
        };
        let (kind, vmid) = *self.guests.get(node).ok_or_else(|| unknown("vmid".to_owned()))?;
        let resources: Vec<Resource> = self.request(Method::GET, "/cluster/resources?type=vm").await?;
        let found = resources
            .into_iter()
            .find(|resource| resource.vmid == Some(vmid) && resource.kind == kind.as_str())
            .and_then(|resource| resource.node);
        let host = found.or_else(|| self.host.clone());
        host.map(|host| Place { host, kind, vmid })
            .ok_or_else(|| unknown(format!("{}/{vmid}", kind.as_str())))
    }

    async fn status(&self, place: &Place) -> Result<Power, Failure> {
        let current: Current = self.request(Method::GET, &place.path("current")).await?;
        Ok(match current.status.as_str() {
            "running" => Power::On,
            "stopped" => Power::Off,
            _ => Power::Unknown,
        })
    }

    async fn switch(&self, place: &Place, wanted: Power, action: &str) -> Result<Power, Failure> {
        if self.status(place).await? == wanted {
            return Ok(wanted);
        }
        let upid: String = self.request(Method::POST, &place.path(action)).await?;
        let path = format!("/nodes/{}/tasks/{}/status", place.host, escape(&upid));
        loop {
            let task: Task = self.request(Method::GET, &path).await?;
            if task.status == "stopped" {
                return match task.exitstatus.as_deref() {
                    // Warnings do not keep a guest from stopping.
                    Some(exit) if exit == "OK" || exit.starts_with("WARNINGS") => Ok(Power::Unknown),
                    exit => Err(failed(DRIVER, exit.unwrap_or("the task ended without a result"))),
                };
            }
            tokio::time::sleep(TASK_POLL).await;
        }
    }
}

/// A UPID in a path: it holds colons, and the `@` and `!` of a token.
fn escape(upid: &str) -> String {
    upid.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || "-_.".contains(c) => c.to_string(),
            c => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
            }
        })
        .collect()
}

impl Driver for ProxmoxDriver {
    fn call<'a>(&'a self, node: &'a str, call: Call) -> Answer<'a> {
        Box::pin(async move {
            let place = self.find(node).await?;
            match call {
                Call::Status => self.status(&place).await,
                Call::Off => self.switch(&place, Power::Off, "stop").await,
                Call::On => self.switch(&place, Power::On, "start").await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upid_fits_into_a_path() {
        assert_eq!(escape("UPID:a-1:0F:qmstop:1:u@pve!t:"), "UPID%3Aa-1%3A0F%3Aqmstop%3A1%3Au%40pve%21t%3A");
    }
}
