//! Asks over HTTP or HTTPS: one GET, no redirect followed, no connection kept.
//!
//! The URL may hold a password: it appears in no log and in no error.

use std::sync::Arc;

use reqwest::{Certificate, Client, redirect};
use tracing::debug;

use super::resolver::Resolver;
use crate::files;
use crate::mesh::describe;

/// Of a body, so many bytes are looked at.
const BODY_LIMIT: usize = 64 * 1024;

/// The code of a certificate that is not trusted.
const CERTIFICATE: &str = "certificate";

/// One target.
pub struct Http {
    url: String,
    status: Option<u16>,
    body: Option<String>,
    ca_file: Option<String>,
    resolver: Arc<Resolver>,
    /// Made for the first question, and again when a certificate was refused: the trusted ones may have been replaced
    /// meanwhile. Not after other failures: reading the system's certificates takes milliseconds of a processor, and
    /// of a hundred targets that hang one or another fails all the time.
    client: Option<Client>,
}

impl Http {
    /// Nothing is asked yet.
    pub fn new(
        url: String,
        status: Option<u16>,
        body: Option<String>,
        ca_file: Option<String>,
        resolver: Arc<Resolver>,
    ) -> Self {
        Self { url, status, body, ca_file, resolver, client: None }
    }

    /// Asks once.
    pub async fn ask(&mut self) -> Result<(), String> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().await?,
        };
        // Kept whatever comes of the question, which may end here at its deadline.
        self.client = Some(client.clone());
        let outcome = self.get(&client).await;
        if outcome.as_ref().is_err_and(|code| code == CERTIFICATE) {
            self.client = None;
        }
        outcome
    }

    async fn connect(&self) -> Result<Client, String> {
        let (ca_file, resolver) = (self.ca_file.clone(), Arc::clone(&self.resolver));
        // Reads files: the system's certificates are a few hundred.
        let made = tokio::task::spawn_blocking(move || client(ca_file.as_deref(), resolver));
        made.await.unwrap_or_else(|_| Err("internal".to_owned()))
    }

    async fn get(&self, client: &Client) -> Result<(), String> {
        let mut response = client.get(&self.url).send().await.map_err(failure)?;
        let status = response.status().as_u16();
        let well = self.status.map_or((200..400).contains(&status), |wanted| status == wanted);
        if !well {
            return Err(format!("status-{status}"));
        }
        let Some(wanted) = &self.body else { return Ok(()) };
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(chunk) = response.chunk().await.map_err(failure)?
        {
            body.extend_from_slice(&chunk[..chunk.len().min(BODY_LIMIT - body.len())]);
            if contains(&body, wanted.as_bytes()) {
                return Ok(());
            }
        }
        if contains(&body, wanted.as_bytes()) { Ok(()) } else { Err("body".to_owned()) }
    }
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

/// Reads files, which blocks.
pub fn client(ca_file: Option<&str>, resolver: Arc<Resolver>) -> Result<Client, String> {
    // There is one for the whole program; whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("sfha/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .dns_resolver(resolver);
    let builder = match ca_file {
        None => builder,
        Some(path) => {
            let pem =
                files::read_text(std::path::Path::new(path)).map_err(|_| "ca-file")?.ok_or("ca-file")?;
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| "ca-file")?;
            if certificates.is_empty() {
                return Err("ca-file".to_owned());
            }
            builder.tls_certs_only(certificates)
        }
    };
    builder.build().map_err(failure)
}

/// The code of a failure.
pub fn failure(error: reqwest::Error) -> String {
    let error = error.without_url();
    debug!(error = describe(&error), "http");
    if let Some(code) = known_cause(&error) {
        return code.to_owned();
    }
    let code = if error.is_builder() {
        "url"
    } else if error.is_timeout() {
        "timed-out"
    } else if error.is_connect() {
        "unreachable"
    } else {
        "answer"
    };
    code.to_owned()
}

/// The code of the first cause that has one. Errors of input and output carry others inside of them, which are
/// not among their sources: rustls' travel so.
fn known_cause(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if error.is::<rustls::Error>() {
        return Some(CERTIFICATE);
    }
    let inside = match error.downcast_ref::<std::io::Error>() {
        Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Some("refused"),
        Some(error) => error.get_ref().and_then(|inner| known_cause(inner)),
        None => None,
    };
    inside.or_else(|| error.source().and_then(known_cause))
}
