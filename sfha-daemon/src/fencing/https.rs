//! HTTPS to things that switch nodes: no redirects, no proxy, and a certificate that is believed for a reason.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
    /// Fingerprint of a certificate that was not believed.
    seen: Arc<Mutex<Option<String>>>,
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
        if let Some(config) = tls(trust, &seen)? {
            builder = builder.tls_backend_preconfigured(config);
        }
        let client = builder.build().map_err(|error| crate::mesh::internal("https", &error))?;
        Ok(Self { client, driver, seen })
    }

    /// What a request that came to nothing means. The URL may hold secrets and stays out.
    pub fn failure(&self, endpoint: &str, error: reqwest::Error) -> Failure {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let cause = crate::mesh::describe(&error.without_url());
        // Other reasons not to believe a certificate come from rustls, which does not show it.
        if let Some(fingerprint) = seen {
            return Failure::new(ErrorCode::FenceCertificate)
                .with("driver", self.driver)
                .with("endpoint", endpoint)
                .with("fingerprint", fingerprint);
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

/// `None`: as this system has it.
fn tls(trust: &Trust, seen: &Arc<Mutex<Option<String>>>) -> Result<Option<ClientConfig>, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wanted = match trust {
        Trust::System => return Ok(None),
        Trust::CaFile(path) => {
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| crate::mesh::internal("tls", &error))?;
            return Ok(Some(builder.with_root_certificates(authorities(path)?).with_no_client_auth()));
        }
        Trust::Fingerprint(text) => Some(parse_fingerprint(text)?),
        Trust::Any => None,
    };
    let pinned = Arc::new(Pinned { wanted, provider: Arc::clone(&provider), seen: Arc::clone(seen) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| crate::mesh::internal("tls", &error))?
        .dangerous()
        .with_custom_certificate_verifier(pinned)
        .with_no_client_auth();
    Ok(Some(config))
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

/// Believes one certificate, whatever is in it; or any.
#[derive(Debug)]
struct Pinned {
    wanted: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
    seen: Arc<Mutex<Option<String>>>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Sha256::digest(certificate);
        if self.wanted.is_none_or(|wanted| wanted.as_slice() == found.as_slice()) {
            return Ok(ServerCertVerified::assertion());
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(show_fingerprint(&found));
        Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
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
