//! The join token: `sfha-join://` + base64url(JSON), signed with the cluster's secret.
//!
//! It holds the one-time private key that makes the tunnel to the initiator, and nothing that lives
//! longer than the invite. Only members can check the signature; the checksum lets the joiner notice a
//! token that was cut or mistyped before it touches anything.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::command::rfc3339;

/// What every token begins with.
pub const PREFIX: &str = "sfha-join://";

/// Longest token that is read, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// What a token says, without its secrets. This is what is signed, and what a joiner shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// Name of the cluster.
    pub cluster: String,
    /// Who lets the joiner in.
    pub initiator: Initiator,
    /// Where the joiner will be; `None` in a cluster on the LAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshClaims>,
    /// When the token ends, RFC 3339.
    pub expires: String,
    /// Id of the invite.
    pub invite: String,
}

/// Who lets the joiner in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initiator {
    /// Name of the node.
    pub name: String,
    /// Its public key, base64.
    pub public_key: String,
    /// Where it can be reached, `HOST:PORT`: UDP in a mesh, TCP on a LAN.
    pub endpoint: String,
    /// Its address in the mesh, or on the LAN.
    pub ip: IpAddr,
}

/// Where the joiner will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshClaims {
    /// The mesh network.
    pub network: IpNet,
    /// Address reserved for the joiner.
    pub assigned_ip: IpAddr,
    /// UDP port of the mesh.
    pub port: u16,
    /// MTU of the interface, in bytes.
    pub mtu: u32,
}

/// A whole token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What it says.
    #[serde(flatten)]
    pub claims: Claims,
    /// Private half of the one-time key, base64.
    pub invite_key: InviteKey,
    /// HMAC-SHA256 of the claims with the cluster's secret, base64url.
    pub signature: String,
    /// First 8 hexadecimal digits of the SHA-256 of all the rest.
    pub checksum: String,
}

/// Private half of an invite's key, base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct InviteKey(String);

impl InviteKey {
    /// From base64.
    #[must_use]
    pub fn new(base64: String) -> Self {
        Self(base64)
    }

    /// As base64: a secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for InviteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteKey(…)")
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// Signs claims: HMAC-SHA256 (RFC 2104) of their JSON, base64url.
#[must_use]
pub fn sign(claims: &Claims, secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac(claims, secret).finalize().into_bytes())
}

/// Checks a signature, in constant time.
#[must_use]
pub fn verify(claims: &Claims, signature: &str, secret: &[u8]) -> bool {
    URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| mac(claims, secret).verify_slice(&signature).is_ok())
}

fn mac(claims: &Claims, secret: &[u8]) -> Hmac<Sha256> {
    mac_of(b"sfha-join-v1\0", &serde_json::to_vec(claims).unwrap_or_default(), secret)
}

fn mac_of(purpose: &[u8], text: &[u8], secret: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(purpose);
    mac.update(text);
    mac
}

/// What shows another member that a request comes from a daemon: any user of a member can send one from its address,
/// but not read the cluster's secret.
#[must_use]
pub fn prove(request: &str, secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac_of(b"sfha-request-v1\0", request.as_bytes(), secret).finalize().into_bytes())
}

/// Checks a proof, in constant time.
#[must_use]
pub fn is_proven(request: &str, proof: &str, secret: &[u8]) -> bool {
    let mac = mac_of(b"sfha-request-v1\0", request.as_bytes(), secret);
    URL_SAFE_NO_PAD.decode(proof).is_ok_and(|proof| mac.verify_slice(&proof).is_ok())
}

impl Token {
    /// A signed token.
    #[must_use]
    pub fn new(claims: Claims, invite_key: InviteKey, secret: &[u8]) -> Self {
        let signature = sign(&claims, secret);
        let mut token = Self { claims, invite_key, signature, checksum: String::new() };
        token.checksum = token.sum();
        token
    }

    fn sum(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(serde_json::to_vec(&self.claims).unwrap_or_default());
        digest.update(self.invite_key.reveal());
        digest.update(&self.signature);
        digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// As the text that is handed to the joiner: a secret.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<String> {
        let json = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*json)))
    }

    /// Reads a token; white space around and inside it (a mail's line breaks) does not matter.
    ///
    /// # Errors
    /// `token-damaged`, and in which layer.
    pub fn decode(text: &str) -> Result<Self, Failure> {
        let damaged = |reason: &str| Failure::new(ErrorCode::TokenDamaged).with("reason", reason);
        let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        let body = text.strip_prefix(PREFIX).ok_or_else(|| damaged("prefix"))?;
        if text.len() > MAX_LENGTH {
            return Err(damaged("length"));
        }
        let body = body.trim_end_matches('=');
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).map_err(|_| damaged("encoding"))?);
        let token: Self = serde_json::from_slice(&json).map_err(|_| damaged("json"))?;
        if token.checksum != token.sum() {
            return Err(damaged("checksum"));
        }
        Ok(token)
    }

    /// Refuses a token whose time is over.
    ///
    /// # Errors
    /// `token-expired`, or `token-damaged` when the time cannot be read.
    pub fn check_expiry(&self, now: i64) -> Result<(), Failure> {
        let damaged =
            || Failure::new(ErrorCode::TokenDamaged).with("reason", "field").with("field", "expires");
        let expires: jiff::Timestamp = self.claims.expires.parse().map_err(|_| damaged())?;
        if expires.as_second() <= now {
            return Err(Failure::new(ErrorCode::TokenExpired).with("expired", rfc3339(expires.as_second())));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> Token {
        let claims = Claims {
            cluster: "prod".into(),
            initiator: Initiator {
                name: "node1".into(),
                public_key: "AAAA".into(),
                endpoint: "192.0.2.1:51820".into(),
                ip: "10.100.0.1".parse().unwrap(),
            },
            mesh: Some(MeshClaims {
                network: "10.100.0.0/24".parse().unwrap(),
                assigned_ip: "10.100.0.2".parse().unwrap(),
                port: 51820,
                mtu: 1420,
            }),
            expires: rfc3339(1_800_000_000),
            invite: "k7".into(),
        };
        Token::new(claims, InviteKey::new("c2VjcmV0".into()), b"cluster secret")
    }

    #[test]
    fn a_proof_is_of_one_request_and_one_cluster() {
        let proof = prove("a", b"secret");
        assert!(is_proven("a", &proof, b"secret"));
        assert!(!is_proven("b", &proof, b"secret") && !is_proven("a", &proof, b"other"));
        assert!(!is_proven("a", "", b"secret") && !is_proven("a", "!", b"secret"));
    }

    #[test]
    fn a_token_survives_its_text_and_a_mail_client() {
        let text = token().encode();
        assert!(text.starts_with("sfha-join://"));
        assert_eq!(Token::decode(&text).unwrap(), token());
        let (head, tail) = text.split_at(40);
        assert_eq!(Token::decode(&format!("  {head}\r\n {tail}\n")).unwrap(), token());
    }

    #[test]
    fn the_json_has_the_fields_of_the_contract() {
        let json = serde_json::to_value(token()).unwrap();
        for pointer in [
            "/cluster",
            "/initiator/name",
            "/initiator/publicKey",
            "/initiator/endpoint",
            "/mesh/network",
            "/mesh/assignedIp",
            "/mesh/port",
            "/expires",
            "/signature",
        ] {
            assert!(json.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn the_signature_is_of_this_cluster_and_these_claims() {
        let token = token();
        assert!(verify(&token.claims, &token.signature, b"cluster secret"));
        assert!(!verify(&token.claims, &token.signature, b"another secret"));
        let mut other = token.claims.clone();
        other.mesh.as_mut().unwrap().assigned_ip = "10.100.0.3".parse().unwrap();
        assert!(!verify(&other, &token.signature, b"cluster secret"));
    }

    #[test]
    fn a_token_ends_when_it_says() {
        assert!(token().check_expiry(1_799_999_999).is_ok());
        assert_eq!(token().check_expiry(1_800_000_000).unwrap_err().code, ErrorCode::TokenExpired);
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let shown = format!("{:?} {:?}", token(), token().invite_key);
        assert!(!shown.contains("c2VjcmV0") && !shown.contains(&token().signature));
    }

    proptest! {
        #[test]
        fn a_cut_or_changed_token_is_noticed(at in 0usize..400, change in any::<u8>(), cut in any::<bool>()) {
            let text = token().encode();
            let at = at % text.len();
            let mut bytes = text.as_bytes().to_vec();
            if cut { bytes.truncate(at) } else { bytes[at] ^= change }
            if let Ok(changed) = String::from_utf8(bytes)
                && let Ok(read) = Token::decode(&changed)
            {
                prop_assert_eq!(read, token());
            }
        }

        #[test]
        fn anything_at_all_is_read_without_panic(text in ".*") {
            let _ = Token::decode(&format!("sfha-join://{text}"));
            let _ = Token::decode(&text);
        }
    }
}
