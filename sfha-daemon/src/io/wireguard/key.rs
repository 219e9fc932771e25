//! Curve25519 keys, as WireGuard uses and writes them: 32 bytes, in base64 with padding (wg(8)).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize as _, Zeroizing};

/// Not a key. The text is not repeated, since it may be a mistyped private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a wireguard key (44 characters of base64)")]
pub struct KeyError;

/// A private key. Overwritten when dropped, shown by nothing but [`to_base64`](Self::to_base64).
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<[u8; 32]>);

impl PrivateKey {
    /// A new key from the kernel's random numbers.
    ///
    /// # Errors
    /// As getrandom(2), which fails only where the system forbids it.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(std::io::Error::other)?;
        // Clamped as in RFC 7748 §5, so that the key is the same in whatever tool reads it.
        bytes[0] &= 248;
        bytes[31] = bytes[31] & 127 | 64;
        Ok(Self(bytes))
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        let mut private = wireguard_control::Key(*self.0);
        let public = PublicKey(private.get_public().0);
        private.0.zeroize();
        public
    }

    /// For the key file. The text is overwritten when dropped.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// A public key: the name of a peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let decoded = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError)?);
    let mut bytes = Zeroizing::new([0; 32]);
    if decoded.len() != bytes.len() {
        return Err(KeyError);
    }
    bytes.copy_from_slice(&decoded);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the test of wireguard-control, made with `wg`.
    const PRIVATE: &str = "SGb+ojrRNDuMePufwtIYhXzA//k6wF3R21tEBgKlzlM=";
    const PUBLIC: &str = "DD5yKRfzExcV5+kDnTroDgCU15latdMjiQ59j1hEuk8=";

    #[test]
    fn a_private_key_has_the_public_key_that_wg_computes() {
        let key: PrivateKey = PRIVATE.parse().unwrap();
        assert_eq!(key.public().to_string(), PUBLIC);
        assert_eq!(*key.to_base64(), PRIVATE);
    }

    #[test]
    fn a_private_key_is_not_shown() {
        let key: PrivateKey = PRIVATE.parse().unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    }

    #[test]
    fn generated_keys_differ_and_are_clamped() {
        let (one, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        assert_ne!(one.bytes(), other.bytes());
        for key in [one, other] {
            assert_eq!(key.bytes()[0] & 7, 0);
            assert_eq!(key.bytes()[31] & 0xc0, 0x40);
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in ["", "AAAA", &PUBLIC[1..], &PUBLIC[..43], "not base64 at all, but forty-four characters."]
        {
            assert_eq!(text.parse::<PublicKey>(), Err(KeyError), "{text}");
        }
    }

    #[test]
    fn a_public_key_is_a_string_in_json() {
        let key: PublicKey = PUBLIC.parse().unwrap();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{PUBLIC}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    }

    proptest! {
        #[test]
        fn every_key_survives_its_text(bytes: [u8; 32]) {
            let key = PublicKey(bytes);
            prop_assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        }
    }
}
