//! HTTPS to things that switch nodes: no redirects, no proxy, and a certificate that is believed for a reason.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sfha_core::fencing::settings::Trust;
use sfha_proto::{ErrorCode, Failure};
use sha2::{Digest as _, Sha256};

use crate::files;

/// Longest answer that is read, in bytes: a cluster of Proxmox hosts lists thousands of guests in it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Time for a connection, of the time that a call has.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for one driver.
#[derive(Debug, Clone)]
pub struct Https {
    /// For sending requests.
    pub client: Client,
    driver: &'static str,
    /// A certificate that was not believed.
    seen: Arc<Mutex<Option<Doubt>>>,
}

/// A certificate that is not believed, and why.
#[derive(Debug)]
struct Doubt {
    fingerprint: String,
    expected: Option<String>,
    reason: &'static str,
}

impl Https {
    /// A client that believes those certificates.
    ///
    /// # Errors
    /// `file-invalid` for an authority's file; `invalid-parameter` for a fingerprint that is none.
    pub fn new(driver: &'static str, trust: &Trust) -> Result<Self, Failure> {
        let seen = Arc::new(Mutex::new(None));
        // The first in the process wins; all are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            // A connection kept for the next request is one that the other side may close at that moment.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("sfha/", env!("CARGO_PKG_VERSION")));
        builder = builder.tls_backend_preconfigured(tls(trust, &seen)?);
        let client = builder.build().map_err(|error| crate::mesh::internal("https", &error))?;
        Ok(Self { client, driver, seen })
    }

    /// What a request that came to nothing means. The URL may hold secrets and stays out.
    pub fn failure(&self, endpoint: &str, error: reqwest::Error) -> Failure {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let cause = crate::mesh::describe(&error.without_url());
        if let Some(Doubt { fingerprint, expected, reason }) = seen {
            let failure = Failure::new(ErrorCode::FenceCertificate)
                .with("driver", self.driver)
                .with("endpoint", endpoint)
                .with("fingerprint", fingerprint)
                .with("reason", reason);
            return match expected {
                Some(expected) => failure.with("expected", expected),
                None => failure,
            };
        }
        Failure::new(ErrorCode::FenceUnreachable)
            .with("driver", self.driver)
            .with("endpoint", endpoint)
            .with("cause", cause)
    }

    /// Reads a bounded answer.
    ///
    /// # Errors
    /// `fence-unreachable` when it breaks off, `fence-failed` when it is too long.
    pub async fn read(&self, endpoint: &str, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failure(endpoint, error))? {
            if bytes.len() + piece.len() > MAX_ANSWER {
                return Err(super::failed(self.driver, "the answer is too long"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn tls(trust: &Trust, seen: &Arc<Mutex<Option<Doubt>>>) -> Result<ClientConfig, Failure> {
    let broken = |error: rustls::Error| crate::mesh::internal("tls", &error);
    let belief = match trust {
        Trust::Any => Belief::Any,
        Trust::Fingerprint(text) => Belief::Pinned(parse_fingerprint(text)?),
        Trust::System => Belief::Signed(Arc::new(Verifier::new(provider()).map_err(broken)?)),
        Trust::CaFile(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            let wrong = |_| files::invalid(path, "not a certificate in PEM form");
            Belief::Signed(verifier.map_err(wrong)?)
        }
    };
    let verifier = Arc::new(Believer { belief, provider: provider(), seen: Arc::clone(seen) });
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// When the certificate that is shown there ends, in seconds since 1970, whoever it is: nothing is asked, and no
/// secret is sent. `None`: it could not be seen.
pub async fn certificate_end(url: &str, deadline: Duration) -> Option<i64> {
    let seen = Arc::new(Mutex::new(None));
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(deadline)
        .tls_info(true)
        .tls_backend_preconfigured(tls(&Trust::Any, &seen).ok()?)
        .build()
        .ok()?;
    let response = client.get(url).send().await.ok()?;
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>()?.peer_certificate()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(shown).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn authorities(path: &Path) -> Result<RootCertStore, Failure> {
    let text = files::read_text(path)?.ok_or_else(|| files::invalid(path, "missing"))?;
    let wrong = || files::invalid(path, "not a certificate in PEM form");
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        store.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    if store.is_empty() { Err(wrong()) } else { Ok(store) }
}

fn parse_fingerprint(text: &str) -> Result<[u8; 32], Failure> {
    let wrong = || {
        Failure::new(ErrorCode::InvalidParameter)
            .with("parameter", "fingerprint")
            .with("value", text)
            .with("reason", "fingerprint")
    };
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(wrong());
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

fn show_fingerprint(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Which certificates are believed.
#[derive(Debug)]
enum Belief {
    /// This one alone, whatever is in it.
    Pinned([u8; 32]),
    /// Those of an authority.
    Signed(Arc<dyn ServerCertVerifier>),
    Any,
}

/// Believes, and keeps what was not believed for whoever is told.
#[derive(Debug)]
struct Believer {
    belief: Belief,
    provider: Arc<CryptoProvider>,
    seen: Arc<Mutex<Option<Doubt>>>,
}

impl Believer {
    fn doubt(&self, found: &[u8], expected: Option<String>, reason: &'static str) {
        let fingerprint = show_fingerprint(found);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Doubt { fingerprint, expected, reason });
    }
}

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Sha256::digest(certificate);
        match &self.belief {
            Belief::Any => Ok(ServerCertVerified::assertion()),
            Belief::Pinned(wanted) if wanted.as_slice() == found.as_slice() => {
                Ok(ServerCertVerified::assertion())
            }
            Belief::Pinned(wanted) => {
                self.doubt(&found, Some(show_fingerprint(wanted)), "fingerprint");
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Belief::Signed(verifier) => {
                verifier.verify_server_cert(certificate, chain, name, ocsp, now).inspect_err(|error| {
                    self.doubt(&found, None, reason(error));
                })
            }
        }
    }

    /// That whoever shows the certificate has its key is checked in any case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A word for it.
fn reason(error: &rustls::Error) -> &'static str {
    use CertificateError as Why;
    match error {
        rustls::Error::InvalidCertificate(Why::Expired | Why::ExpiredContext { .. }) => "expired",
        rustls::Error::InvalidCertificate(Why::NotValidForName | Why::NotValidForNameContext { .. }) => {
            "name"
        }
        _ => "issuer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_with_and_without_colons() {
        let plain = "ab".repeat(32);
        let bytes = parse_fingerprint(&plain).unwrap();
        let shown = show_fingerprint(&bytes);
        assert_eq!(parse_fingerprint(&shown).unwrap(), bytes);
        assert!(shown.starts_with("AB:AB:"));
        for wrong in ["", "ab", &"ab".repeat(31), &"xy".repeat(32), &"é".repeat(32)] {
            assert_eq!(parse_fingerprint(wrong).unwrap_err().code, ErrorCode::InvalidParameter, "{wrong}");
        }
    }
}
